//! A whole API over a scratch registry, archive and table of links.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use motorpool_protocols::{Fix, UtcMillis};
use motorpool_supervision::trips::TripSettings;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::api::{ApiParts, ApiState, router};
use crate::basemaps::Basemaps;
use crate::clock::{Clock, wall_now};
use crate::config::{Config, SecondLink, Trackers};
use crate::exports::{Exports, ExportsParts};
use crate::ids::{DeviceId, LinkId, Lsn};
use crate::live::Live;
use crate::notify::ring::Ring;
use crate::notify::{Notifier, NotifierParts};
use crate::outbound::{Client, Policy};
use crate::registry::{Registry, Scope};
use crate::rollups::{DayMarks, Rollups};
use crate::sources::Links;
use crate::supervision::PackSources;
use crate::telemetry::{Counters, Readings};
use crate::tracks::{Tracks, TracksWriter};
use crate::webhooks::courier::Courier;

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
    pub(super) state: ApiState,
    pub(super) registry: Arc<Registry>,
    pub(super) live: Arc<Live>,
    pub(super) tracks: Tracks,
    pub(super) links: Links,
    pub(super) readings: Arc<Mutex<Readings>>,
    pub(super) token: String,
    pub(super) stop: CancellationToken,
    pub(super) ring: Arc<Ring>,
    pub(super) started_at: UtcMillis,
    pub(super) notifier: tokio::sync::Mutex<Notifier>,
    pub(super) courier: Courier,
    pub(super) exports: Exports,
    router: Router,
    writer: Mutex<TracksWriter>,
    pub(super) folder: tempfile::TempDir,
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
        let (live, links) = (Arc::new(Live::new()), Links::starting_at(UtcMillis(0)));
        let tracks = Tracks::open(&folder.path().join("tracks"), &config.tracks).unwrap();
        let writer = Mutex::new(tracks.writer());
        let shared = Arc::clone(&readings);
        let stop = CancellationToken::new();
        let ring = Arc::new(Ring::default());
        let policy = Policy {
            networks: Some(config.outbound.private_networks.clone()),
            allows_plain_http: config.outbound.plain_http,
            timeout: config.outbound.timeout.0,
        };
        let outbound = Client::new(policy, None).unwrap();
        let basemaps = Arc::new(Basemaps::new(&config.map, &config.outbound).unwrap());
        let (shared_outbound, clock) = (outbound.clone(), Arc::new(Clock::starting_at(UtcMillis(0))));
        let notifier = Notifier::new(NotifierParts {
            registry: Arc::clone(&registry),
            live: Arc::clone(&live),
            clock: Arc::clone(&clock),
            config: config.notify.clone(),
            ring: Arc::clone(&ring),
            gateway: None,
        });
        let exports = Exports::open(ExportsParts {
            registry: Arc::clone(&registry),
            tracks: tracks.clone(),
            clock: Arc::clone(&clock),
            config: config.exports.clone(),
            data: folder.path().to_owned(),
        })
        .unwrap();
        let courier = Courier::new(Arc::clone(&registry), shared_outbound, Arc::clone(&clock), 30);
        let (day_marks, trips) = (Arc::new(DayMarks::default()), TripSettings::default());
        let rollups = Rollups::open(
            folder.path(),
            (&trips, "Asia/Shanghai"),
            day_marks,
            Arc::clone(&registry),
            tracks.clone(),
        )
        .unwrap();
        let state = ApiState::new(ApiParts {
            registry: Arc::clone(&registry),
            live: Arc::clone(&live),
            tracks: tracks.clone(),
            links: links.clone(),
            packs: PackSources {
                registry: Arc::clone(&registry),
                tracks: tracks.clone(),
                data: folder.path().to_owned(),
                time_zone: "Asia/Shanghai".to_owned(),
            },
            rollups: Arc::new(rollups),
            readings: Arc::new(move || shared.lock().unwrap().clone()),
            counters: Arc::new(Counters::default()),
            clock,
            config: Arc::new(config),
            is_demo: false,
            ring: Arc::clone(&ring),
            outbound,
            basemaps,
            exports: exports.clone(),
            stop: stop.clone(),
        });
        let started_at = state.started_at();
        Self {
            router: router(state.clone()),
            state,
            registry,
            live,
            tracks,
            links,
            readings,
            token,
            stop,
            ring,
            started_at,
            notifier: tokio::sync::Mutex::new(notifier),
            courier,
            exports,
            writer,
            folder,
        }
    }

    /// A token that may do only this.
    pub(super) async fn token_for(&self, scopes: &[Scope]) -> String {
        self.registry.create_token("test", scopes, None, "test", wall_now()).await.unwrap()
    }

    /// Serves the same router on a real socket.
    pub(super) async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
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

    /// A POST without a body under a condition.
    pub(super) async fn post_if_match(&self, path: &str, tag: &str) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::IF_MATCH, tag);
        let mut request = request.body(Body::empty()).unwrap();
        let peer = SocketAddr::from(([192, 0, 2, 9], 4_000));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        self.send(request).await
    }

    /// Gives fixes of a device to the archive, each received a second after it was taken.
    pub(super) fn store(&self, device: u32, fixes: impl IntoIterator<Item = Fix>) {
        let mut writer = self.writer.lock().unwrap();
        let mut last = UtcMillis(0);
        for fix in fixes {
            last = UtcMillis(fix.fix_time.0 + 1_000);
            writer.append(DeviceId(device), last, &fix, b"");
        }
        writer.advance(Lsn(1), last);
    }

    /// Gives fixes of a device to the archive, all received at once.
    pub(super) fn store_received(
        &self,
        device: u32,
        received: UtcMillis,
        fixes: impl IntoIterator<Item = Fix>,
    ) {
        let mut writer = self.writer.lock().unwrap();
        fixes.into_iter().for_each(|fix| writer.append(DeviceId(device), received, &fix, b""));
        writer.advance(Lsn(1), received);
    }

    /// A link from 192.0.2.5 over which the device logged in, if there is one.
    pub(super) async fn open_link(&self, device: Option<u32>) -> LinkId {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_, socket) = socket.into_split();
        let peer = SocketAddr::from(([192, 0, 2, 5], 700));
        let now = UtcMillis(1_700_000_000_000);
        let link = self.links.open(socket, peer, now, &Trackers::default()).unwrap();
        if let Some(device) = device {
            self.links.logged_in(&link, DeviceId(device), SecondLink::Keep);
        }
        link.id
    }

    /// Enrols `count` devices with the terminals 013900000001 and on.
    pub(super) async fn enrol(&self, count: u64) {
        let devices: Vec<Value> = (1..=count)
            .map(|n| serde_json::json!({ "terminal": format!("{:012}", 13_900_000_000 + n), "name": format!("car {n}") }))
            .collect();
        self.post("/api/v1/devices", serde_json::json!({ "devices": devices })).await.good();
    }
}
