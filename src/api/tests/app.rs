//! A whole API over a scratch registry, with an archive and links made up by the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use motorpool_protocols::{Fix, UtcMillis};
use serde_json::Value;
use tower::ServiceExt;

use crate::api::{
    ApiParts, ApiState, LinkRow, LinkTable, TrackPart, TrackQuery, TrackRow, TrackSource, router,
};
use crate::clock::{Clock, wall_now};
use crate::config::Config;
use crate::ids::DeviceId;
use crate::live::Live;
use crate::registry::{Registry, Scope};
use crate::telemetry::{Counters, Readings};

#[derive(Default)]
pub(super) struct Archive {
    pub(super) fixes: Mutex<BTreeMap<u32, Vec<Fix>>>,
}

impl TrackSource for Archive {
    fn track(&self, query: TrackQuery) -> TrackPart {
        let fixes = self.fixes.lock().unwrap();
        let in_window = |fix: &&Fix| fix.fix_time >= query.from && fix.fix_time < query.to;
        let mut rows: Vec<TrackRow> = fixes
            .get(&query.device.0)
            .into_iter()
            .flatten()
            .filter(in_window)
            .map(|fix| TrackRow { received_at: UtcMillis(fix.fix_time.0 + 1_000), fix: *fix })
            .collect();
        let is_truncated = rows.len() > query.rows_max;
        rows.truncate(query.rows_max);
        TrackPart { rows, is_truncated, damaged_files: 0 }
    }
}

#[derive(Default)]
pub(super) struct OpenLinks {
    pub(super) rows: Mutex<Vec<LinkRow>>,
}

impl LinkTable for OpenLinks {
    fn links(&self) -> Vec<LinkRow> {
        self.rows.lock().unwrap().clone()
    }

    fn links_of(&self, device: DeviceId) -> Vec<LinkRow> {
        self.links().into_iter().filter(|row| row.device == Some(device)).collect()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The JSON of a good answer.
    pub(super) fn good(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.json()
    }

    /// The code of a problem, which must be whole.
    pub(super) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["trace_id"], self.header("x-request-id"));
        assert_eq!(body["type"], format!("urn:motorpool:problem:{}", body["code"].as_str().unwrap()));
        body["code"].as_str().unwrap().to_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The path of `Link: rel=next`.
    pub(super) fn next(&self) -> Option<String> {
        let (path, rest) = self.header("link").strip_prefix('<')?.split_once('>')?;
        assert_eq!(rest, "; rel=\"next\"");
        Some(path.to_owned())
    }
}

pub(super) struct TestApp {
    pub(super) registry: Arc<Registry>,
    pub(super) live: Arc<Live>,
    pub(super) archive: Arc<Archive>,
    pub(super) links: Arc<OpenLinks>,
    pub(super) readings: Arc<Mutex<Readings>>,
    pub(super) token: String,
    router: Router,
    _folder: tempfile::TempDir,
}

impl TestApp {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        change(&mut config);
        let registry = Arc::new(Registry::open(folder.path(), &config).await.unwrap());
        let token = registry.create_first_token(folder.path(), wall_now()).await.unwrap().unwrap();
        let mut readings = Readings::default();
        readings.journal.is_writable = true;
        readings.journal.health = "ok";
        let readings = Arc::new(Mutex::new(readings));
        let (live, archive, links) =
            (Arc::new(Live::new()), Arc::new(Archive::default()), Arc::new(OpenLinks::default()));
        let shared = Arc::clone(&readings);
        let state = ApiState::new(ApiParts {
            registry: Arc::clone(&registry),
            live: Arc::clone(&live),
            tracks: Arc::clone(&archive) as Arc<dyn TrackSource>,
            links: Arc::clone(&links) as Arc<dyn LinkTable>,
            readings: Arc::new(move || shared.lock().unwrap().clone()),
            counters: Arc::new(Counters::default()),
            clock: Arc::new(Clock::starting_at(UtcMillis(0))),
            config: Arc::new(config),
            is_demo: false,
        });
        Self { router: router(state), registry, live, archive, links, readings, token, _folder: folder }
    }

    /// A token that may do only this.
    pub(super) async fn token_for(&self, scopes: &[Scope]) -> String {
        self.registry.create_token("test", scopes, None, "test", wall_now()).await.unwrap()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A request from an address, with a token or without.
    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).unwrap();
        let peer = SocketAddr::from(([192, 0, 2, 9], 4_000));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        self.send(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Some(&self.token), None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(&self.token), Some(&body)).await
    }

    /// Enrols `count` devices with the terminals 013900000001 and on.
    pub(super) async fn enrol(&self, count: u64) {
        let devices: Vec<Value> = (1..=count)
            .map(|n| serde_json::json!({ "terminal": format!("{:012}", 13_900_000_000 + n), "name": format!("car {n}") }))
            .collect();
        self.post("/api/v1/devices", serde_json::json!({ "devices": devices })).await.good();
    }
}
