//! The HTTP API and the console's files.
//!
//! [`router`] gives everything under one roof: `/api/v1`, `/livez`, `/readyz`, `/metrics` and the console. Times are RFC 3339
//! in UTC, places WGS-84 unless `crs` asks for something else, errors RFC 9457 problems with a stable `code`, lists are paged
//! by keyset cursors. Nothing is let through without a log-in or a bearer token but the short list in `auth`, and no row about cars
//! is reached but through `data`, which is made from a caller.
//!
//! The API reads the folds and the registry. It writes to the registry only, never to the journal or the
//! archive, and opens no file.

#![expect(unused_qualifications, reason = "utoipa writes the full path of parameters")]

mod accounts;
mod auth;
mod backtests;
mod basemaps;
mod cases;
mod commands;
mod crs;
mod data;
mod density;
mod devices;
mod events;
mod exports;
mod extract;
mod flags;
mod holds;
mod layers;
mod links;
pub mod live_feed;
mod once;
mod page;
mod pieces;
mod places;
mod positions;
mod problem;
mod proposals;
mod quarantine;
mod registers;
mod reports;
mod rollups;
mod samples;
mod search;
mod status;
#[cfg(test)]
mod tests;
mod throttle;
mod track;
mod trips;
mod webhooks;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use axum::{Router, middleware};
use motorpool_protocols::UtcMillis;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::password::Hasher;
use crate::basemaps::Basemaps;
use crate::clock::Clock;
use crate::config::Config;
use crate::exports::Exports;
use crate::live::Live;
use crate::notify::ring::Ring;
use crate::outbound::Client;
use crate::registry::Registry;
use crate::registry::accounts::People;
use crate::rollups::Rollups;
use crate::sources::Links;
use crate::supervision::PackSources;
use crate::telemetry::ledger::Imbalance;
use crate::telemetry::metrics::Exporter;
use crate::telemetry::{Counters, Readings};
use crate::tracks::Tracks;
use auth::Granted;
use backtests::Jobs;
use data::{Vault, desk};
use live_feed::Feed;
use places::{Place, Places};
use problem::{Code, Problem};
use throttle::Throttle;

/// Reads the numbers that other parts keep.
pub type ReadNumbers = Arc<dyn Fn() -> Readings + Send + Sync>;

/// What the API is made of.
#[expect(clippy::exhaustive_structs, reason = "built field by field by the composition root")]
pub struct ApiParts {
    /// Devices, tokens, quarantine.
    pub registry: Arc<Registry>,
    /// Last states.
    pub live: Arc<Live>,
    /// Tracks.
    pub tracks: Tracks,
    /// Open links.
    pub links: Links,
    /// What cases and evidence are made from.
    pub packs: PackSources,
    /// What each device did, in slots and days.
    pub rollups: Arc<Rollups>,
    /// Numbers that other parts keep.
    pub readings: ReadNumbers,
    /// What hot paths count.
    pub counters: Arc<Counters>,
    /// The only clock.
    pub clock: Arc<Clock>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Whether everything is made up: every page says so.
    pub is_demo: bool,
    /// What streams of events read.
    pub ring: Arc<Ring>,
    /// Makes requests to other servers.
    pub outbound: Client,
    /// The maps under the cars.
    pub basemaps: Arc<Basemaps>,
    /// Files that are written in the background.
    pub exports: Exports,
    /// Ends what would go on for ever: sockets and streams of events.
    pub stop: CancellationToken,
}

/// The API's state; cloned freely.
#[derive(Clone)]
pub struct ApiState {
    inner: Arc<Inner>,
}

struct Inner {
    vault: Vault,
    readings: ReadNumbers,
    counters: Arc<Counters>,
    clock: Arc<Clock>,
    config: Arc<Config>,
    is_demo: bool,
    ring: Arc<Ring>,
    outbound: Client,
    basemaps: Arc<Basemaps>,
    exports: Exports,
    stop: CancellationToken,
    exporter: Exporter,
    throttle: Throttle,
    guesses: Throttle,
    requests_by_caller: Throttle<String>,
    jobs: Jobs,
    feed: Feed,
    event_places: Places,
    heavy_places: Places,
    grids: density::Grids,
    hasher: Hasher,
    started_at: UtcMillis,
    requests: AtomicU64,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiState")
    }
}

impl fmt::Debug for ApiParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiParts")
    }
}

impl ApiState {
    /// The state over these parts; the time of this call counts as the start.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        let ApiParts { registry, live, tracks, links, packs, readings, counters, clock, config, .. } = parts;
        let rollups = parts.rollups;
        let started_at = clock.now();
        let (exporter, throttle) = (Exporter::new(), Throttle::new());
        let http = &config.http;
        let requests_by_caller = Throttle::with(http.requests_burst, http.requests_per_second);
        let feed = Feed::new(http.live_clients_max);
        let event_places = Places::new(http.event_clients_max, places::EVENTS_EACH, 30);
        let heavy_places = Places::new(places::HEAVY_MAX, places::HEAVY_EACH, 5);
        Self {
            inner: Arc::new(Inner {
                vault: Vault::new(registry, live, tracks, links, (packs, rollups)),
                readings,
                counters,
                clock,
                config,
                is_demo: parts.is_demo,
                ring: parts.ring,
                outbound: parts.outbound,
                basemaps: parts.basemaps,
                exports: parts.exports,
                stop: parts.stop,
                exporter,
                throttle,
                guesses: Throttle::of_guesses(),
                requests_by_caller,
                jobs: Jobs::new(),
                feed,
                event_places,
                heavy_places,
                grids: density::Grids::default(),
                hasher: Hasher::new(),
                started_at,
                requests: AtomicU64::new(0),
            }),
        }
    }

    fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// Accounts, grants, log-ins and the audit log.
    fn people(&self) -> People<'_> {
        self.inner.vault.people()
    }

    fn hasher(&self) -> &Hasher {
        &self.inner.hasher
    }

    fn jobs(&self) -> &Jobs {
        &self.inner.jobs
    }

    fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    fn ring(&self) -> &Arc<Ring> {
        &self.inner.ring
    }

    fn event_places(&self) -> &Places {
        &self.inner.event_places
    }

    /// A place among the heavy requests, to be kept while the work lasts.
    fn heavy_place(&self, caller: &Granted) -> Result<Place, Problem> {
        self.inner.heavy_places.take(caller.id())
    }

    fn outbound(&self) -> &Client {
        &self.inner.outbound
    }

    fn basemaps(&self) -> &Basemaps {
        &self.inner.basemaps
    }

    fn exports(&self) -> &Exports {
        &self.inner.exports
    }

    /// Whether this caller may make another request now.
    fn takes_request_of(&self, caller: &str) -> bool {
        self.config().http.requests_per_second == 0
            || self.inner.requests_by_caller.allow(caller.to_owned(), self.now())
    }

    fn stop(&self) -> &CancellationToken {
        &self.inner.stop
    }

    fn grids(&self) -> &density::Grids {
        &self.inner.grids
    }

    fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    fn config(&self) -> &Config {
        &self.inner.config
    }

    fn exporter(&self) -> &Exporter {
        &self.inner.exporter
    }

    /// Attempts at passwords, by network.
    fn guesses(&self) -> &Throttle {
        &self.inner.guesses
    }

    fn throttle(&self) -> &Throttle {
        &self.inner.throttle
    }

    fn readings(&self) -> Readings {
        (self.inner.readings)()
    }

    fn imbalance(&self) -> Imbalance {
        Imbalance::look(self.counters(), &|| self.readings())
    }

    fn now(&self) -> UtcMillis {
        self.inner.clock.now()
    }

    fn started_at(&self) -> UtcMillis {
        self.inner.started_at
    }

    fn is_demo(&self) -> bool {
        self.inner.is_demo
    }

    /// An id for a request: the start of the server and a count, so that it is unique in the log.
    fn next_request_id(&self) -> String {
        let number = self.inner.requests.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{number:x}", self.inner.started_at.0)
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Motorpool",
        description = "The server behind an official-car fleet: devices, where they are and where they were.",
    ),
    tags(
        (name = "devices", description = "Terminals that may connect"),
        (name = "quarantine", description = "Terminals that nobody approved"),
        (name = "positions", description = "Where the cars are and were"),
        (name = "exports", description = "Tracks as files: CSV, XLSX, GeoJSON, GPX, KML, Parquet"),
        (name = "trips", description = "Trips, moves, stops and gaps"),
        (name = "flags", description = "What rules found: questions, no verdicts"),
        (name = "cases", description = "What people do about flags"),
        (name = "registers", description = "The rows that judgement rests on: units, cars, orders, zones, calendars, rule sets, ledgers. Nothing is \
            ever edited: each change is a new version. A change that would clear open questions about conduct is not written but \
            proposed (将消除 N 条) and takes a second person. Late paper clears nothing"),
        (name = "proposals", description = "Changes of registers that wait for a second person"),
        (name = "basemaps", description = "The maps under the cars"),
        (name = "reports", description = "Numbers of a month, and pages to be printed"),
        (name = "holds", description = "What must not be removed although its time is over"),
        (name = "webhooks", description = "Who is told what happens: Standard Webhooks, signed, tried again for three days"),
        (name = "accounts", description = "People: log-ins, second factors, roles on units, and what for"),
        (name = "audit", description = "Who did what: a chain of hashes that only grows"),
        (name = "links", description = "Open connections"),
        (name = "health", description = "How the server is doing"),
    ),
    security(("token" = []), ("cookie" = [])),
    modifiers(&TokenScheme),
)]
struct Document;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("mp_<id>_<secret>").build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        let cookie =
            ApiKeyValue::with_description("__Host-motorpool", "A log-in; `motorpool` over plain HTTP");
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(devices::list, devices::enrol))
        .routes(routes!(devices::detail))
        .routes(routes!(devices::approve))
        .routes(routes!(devices::block))
        .routes(routes!(commands::list, commands::create))
        .routes(routes!(devices::mqtt_secret))
        .routes(routes!(positions::last))
        .routes(routes!(track::track))
        .routes(routes!(exports::list, exports::create))
        .routes(routes!(exports::detail, exports::remove))
        .routes(routes!(exports::file))
        .routes(routes!(positions::list))
        .routes(routes!(live_feed::fleet))
        .routes(routes!(live_feed::live))
        .routes(routes!(density::density))
        .routes(routes!(search::area))
        .routes(routes!(search::nearest))
        .routes(routes!(search::meetings))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::approve))
        .routes(routes!(trips::of_device))
        .routes(routes!(trips::of_vehicle))
        .routes(routes!(trips::versions))
        .routes(routes!(flags::list))
        .routes(routes!(flags::detail))
        .routes(routes!(flags::judge_again))
        .routes(routes!(cases::list, cases::open))
        .routes(routes!(cases::act_on_many))
        .routes(routes!(cases::detail))
        .routes(routes!(cases::events, cases::act))
        .routes(routes!(cases::upload))
        .routes(routes!(cases::download))
        .routes(routes!(cases::evidence))
        .routes(routes!(backtests::start))
        .routes(routes!(backtests::job))
        .routes(routes!(samples::list, samples::create))
        .routes(routes!(samples::draw))
        .routes(routes!(samples::rate))
        .routes(routes!(registers::read::kinds))
        .routes(routes!(registers::read::list, registers::write::create))
        .routes(routes!(registers::file::import))
        .routes(routes!(registers::read::detail, registers::write::correct))
        .routes(routes!(registers::read::history))
        .routes(routes!(registers::write::amend))
        .routes(routes!(registers::write::end))
        .routes(routes!(proposals::list))
        .routes(routes!(proposals::detail))
        .routes(routes!(proposals::approve))
        .routes(routes!(proposals::reject))
        .routes(routes!(events::events))
        .routes(routes!(basemaps::list))
        .routes(routes!(basemaps::tile))
        .routes(routes!(basemaps::archive))
        .routes(routes!(reports::month))
        .routes(routes!(reports::notice))
        .routes(routes!(rollups::daily))
        .routes(routes!(rollups::iot))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::change, webhooks::delete))
        .routes(routes!(webhooks::approve))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::replay))
        .routes(routes!(holds::list, holds::place))
        .routes(routes!(holds::lift))
        .routes(routes!(accounts::login::log_in, accounts::login::log_out))
        .routes(routes!(accounts::login::list))
        .routes(routes!(accounts::login::end))
        .routes(routes!(accounts::login::set_up))
        .routes(routes!(accounts::me::me))
        .routes(routes!(accounts::me::change_password))
        .routes(routes!(accounts::me::propose_totp, accounts::me::remove_totp))
        .routes(routes!(accounts::me::confirm_totp))
        .routes(routes!(accounts::manage::list, accounts::manage::create))
        .routes(routes!(accounts::manage::detail, accounts::manage::change))
        .routes(routes!(accounts::manage::grant))
        .routes(routes!(accounts::manage::revoke))
        .routes(routes!(accounts::manage::reset))
        .routes(routes!(accounts::manage::roles))
        .routes(routes!(accounts::tokens::list))
        .routes(routes!(accounts::tokens::revoke))
        .routes(routes!(accounts::units::list))
        .routes(routes!(accounts::demo::list))
        .routes(routes!(accounts::purposes::state_purpose))
        .routes(routes!(accounts::log::list))
        .routes(routes!(accounts::log::accesses))
        .routes(routes!(links::list))
        .routes(routes!(status::status))
        .routes(routes!(status::livez))
        .routes(routes!(status::readyz))
        .routes(routes!(status::metrics))
}

/// The OpenAPI document as JSON.
#[must_use]
pub fn openapi_json() -> String {
    let (_, document) = routes().split_for_parts();
    document.to_pretty_json().expect("the document is plain data")
}

/// The API and the console. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that
/// wrong tokens are counted by address.
pub fn router(state: ApiState) -> Router {
    let (router, document) = routes().split_for_parts();
    let document = document.to_json().expect("the document is plain data");
    let body_max = state.config().http.body_max.0;
    let openapi = move |auth::Somebody(caller): auth::Somebody| async move {
        if !caller.reads_the_document() {
            return Problem::new(Code::Forbidden).into_response();
        }
        ([(axum::http::header::CONTENT_TYPE, "application/json")], document).into_response()
    };
    router
        .route("/api/v1/openapi.json", axum::routing::get(openapi))
        .fallback(page::fallback)
        .method_not_allowed_fallback(page::wrong_method)
        .layer(DefaultBodyLimit::max(body_max))
        .layer(middleware::from_fn_with_state(state.clone(), layers::outermost))
        .with_state(state)
}
