//! Health, self-checks and metrics.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use motorpool_protocols::{Protocol, UtcMillis};
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::auth::HealthReader;
use super::problem::{Problem, ProblemBody};
use crate::clock::wall_now;
use crate::telemetry::Readings;
use crate::telemetry::ledger::Imbalance;

/// How far the wall clock may lie behind the server's own before it is reported, milliseconds.
const CLOCK_BACK_MAX_MS: i64 = 5_000;
/// 2024-01-01T00:00:00Z: a wall clock before it was never set.
const CLOCK_MIN_MS: i64 = 1_704_067_200_000;

/// One thing that is looked after.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Check {
    /// Its name, which stays.
    #[schema(value_type = String, example = "journal")]
    name: &'static str,
    /// Whether all is well.
    ok: bool,
    /// What was found.
    detail: String,
}

/// Whether the server can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// Whether every check is good.
    ready: bool,
    /// The checks.
    checks: Vec<Check>,
}

/// What the server is and how it is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusView {
    /// `motorpool`.
    #[schema(value_type = String)]
    name: &'static str,
    /// Its version.
    #[schema(value_type = String)]
    version: &'static str,
    /// Whether everything here is made up.
    demo: bool,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    started_at: UtcMillis,
    /// Its clock.
    #[schema(value_type = String, format = DateTime)]
    now: UtcMillis,
    /// The protocols it speaks.
    #[schema(value_type = Vec<String>)]
    protocols: Vec<&'static str>,
    /// The self-checks.
    checks: Vec<Check>,
    /// Devices and terminals.
    registry: RegistryStatus,
    /// Messages since the start.
    messages: MessageStatus,
    /// The journal.
    journal: JournalStatus,
    /// Fixes since the start.
    fixes: FixStatus,
    /// The archive.
    tracks: TrackStatus,
    /// Supervision.
    supervision: SupervisionStatus,
}

/// Supervision: trips, flags and cases.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SupervisionStatus {
    /// Passes since the start.
    passes: u64,
    /// Passes that failed and were tried again.
    failed_passes: u64,
    /// Vehicle-days judged since the start.
    judged_days: u64,
    /// Vehicle-days that wait to be judged.
    waiting_days: u64,
    /// Days whose night is over that wait for the rules of the whole fleet.
    waiting_fleet_days: u64,
    /// Durable journal bytes whose trips and flags are not written yet.
    lsn_lag: u64,
    /// The change of the registry up to which flags are written.
    change: i64,
}

/// Devices and terminals.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RegistryStatus {
    /// Devices known.
    devices: u64,
    /// Devices connected.
    online: u64,
    /// Links open, logged in or not.
    links: u64,
    /// Terminals in quarantine.
    quarantined: u64,
    /// The change sequence.
    change: i64,
}

/// Messages since the start.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MessageStatus {
    /// Received, with refused frames.
    received: u64,
    /// Handed to the journal.
    journaled: u64,
    /// Refused.
    rejected: u64,
    /// Taken from the journal, with those from before the start.
    consumed: u64,
    /// That could not be decoded.
    undecodable: u64,
}

/// The journal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JournalStatus {
    /// Whether it takes messages.
    writable: bool,
    /// Its state in one word.
    #[schema(value_type = String)]
    health: &'static str,
    /// The address behind the last durable byte.
    durable_lsn: u64,
    /// The address up to which it was consumed.
    consumed_lsn: u64,
    /// How far the folds are behind, seconds.
    lag_s: f64,
    /// Segments that can be read.
    segments: u64,
    /// Bytes appended and not yet durable.
    queued_bytes: u64,
    /// Bytes free on its disk.
    disk_free_bytes: u64,
    /// Damaged ranges that were passed over.
    gaps: u64,
}

/// Fixes since the start.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FixStatus {
    /// Decoded.
    decoded: u64,
    /// Kept.
    stored: u64,
    /// There already.
    duplicate: u64,
    /// Not yet told apart.
    pending: u64,
}

/// The archive.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrackStatus {
    /// Files.
    files: u64,
    /// Rows in files.
    rows: u64,
    /// Bytes of the files.
    bytes: u64,
}

fn vital_checks(state: &ApiState, readings: &Readings) -> Vec<Check> {
    let journal = &readings.journal;
    let lag_max_s = state.config().http.ready_lag_max.0.as_secs_f64();
    let (ours, wall) = (state.now(), wall_now());
    let behind_ms = ours.0.saturating_sub(wall.0);
    let mut health = journal.health.to_owned();
    if !journal.is_writable && health.is_empty() {
        health.push_str("not writable");
    }
    vec![
        Check { name: "journal", ok: journal.is_writable, detail: health },
        Check {
            name: "folds",
            ok: readings.folds.lag_s <= lag_max_s,
            detail: format!("{:.1} s behind", readings.folds.lag_s),
        },
        Check {
            name: "clock",
            ok: behind_ms <= CLOCK_BACK_MAX_MS && wall.0 >= CLOCK_MIN_MS,
            detail: if behind_ms > CLOCK_BACK_MAX_MS {
                format!("the clock went back by {} s", behind_ms / 1_000)
            } else {
                wall.to_string()
            },
        },
    ]
}

fn book_checks(imbalance: Imbalance, readings: &Readings) -> Vec<Check> {
    let book = |name, difference: i64, sum: &str| Check {
        name,
        ok: difference == 0,
        detail: if difference == 0 { sum.to_owned() } else { format!("{sum}: difference {difference}") },
    };
    vec![
        book("messages", imbalance.received, "received = journaled + rejected + waiting"),
        book("journaled", imbalance.journaled, "journaled = consumed + lag"),
        book("fixes", imbalance.fixes, "decoded = stored + duplicate + pending"),
        Check {
            name: "gaps",
            ok: readings.journal.gaps == 0,
            detail: format!("{} damaged ranges in the journal", readings.journal.gaps),
        },
    ]
}

/// Whether the process lives
#[utoipa::path(get, path = "/livez", tag = "health", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// Whether the server can do its work
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, body = Ready),
    (status = 503, body = Ready, description = "A check failed"),
))]
pub(super) async fn readyz(State(state): State<ApiState>) -> Response {
    let checks = vital_checks(&state, &state.readings());
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, checks })).into_response()
}

/// Metrics for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn metrics(
    reader: Result<HealthReader, Problem>,
    State(state): State<ApiState>,
) -> Result<Response, Problem> {
    if !state.config().http.metrics_public {
        reader?;
    }
    let population = state.vault().population().await?;
    let imbalance = state.imbalance();
    let text = state.exporter().render(state.counters(), &state.readings(), imbalance, population);
    let form = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, form)], text).into_response())
}

/// What the server is and how it is doing
#[utoipa::path(get, path = "/api/v1/status", tag = "health", responses(
    (status = 200, body = StatusView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn status(
    HealthReader(granted): HealthReader,
    State(state): State<ApiState>,
) -> Result<Json<StatusView>, Problem> {
    tracing::debug!(caller = granted.id(), "status read");
    use std::sync::atomic::Ordering::Relaxed;
    let readings = state.readings();
    let population = state.vault().population().await?;
    let mut checks = vital_checks(&state, &readings);
    checks.extend(book_checks(state.imbalance(), &readings));
    let (counters, journal, folds) = (state.counters(), &readings.journal, &readings.folds);
    Ok(Json(StatusView {
        name: "motorpool",
        version: env!("CARGO_PKG_VERSION"),
        demo: state.is_demo(),
        started_at: state.started_at(),
        now: state.now(),
        protocols: Protocol::ALL.iter().map(|protocol| protocol.name()).collect(),
        checks,
        registry: RegistryStatus {
            devices: population.devices,
            online: population.online,
            links: readings.sources.links_open,
            quarantined: population.quarantined,
            change: state.vault().change(),
        },
        messages: MessageStatus {
            received: counters.messages_received.load(Relaxed),
            journaled: counters.messages_journaled.load(Relaxed),
            rejected: counters.rejected_sum(),
            consumed: folds.messages,
            undecodable: folds.undecodable_messages,
        },
        journal: JournalStatus {
            writable: journal.is_writable,
            health: journal.health,
            durable_lsn: journal.durable.0,
            consumed_lsn: folds.consumed.0,
            lag_s: folds.lag_s,
            segments: journal.segments,
            queued_bytes: journal.queued_bytes,
            disk_free_bytes: journal.disk_free_bytes,
            gaps: journal.gaps,
        },
        fixes: FixStatus {
            decoded: folds.fixes,
            stored: readings.tracks.stored_fixes,
            duplicate: readings.tracks.duplicate_fixes,
            pending: readings.tracks.pending_fixes,
        },
        tracks: TrackStatus {
            files: readings.tracks.files,
            rows: readings.tracks.rows,
            bytes: readings.tracks.bytes,
        },
        supervision: SupervisionStatus {
            passes: readings.supervision.passes,
            failed_passes: readings.supervision.failed_passes,
            judged_days: readings.supervision.judged_days,
            waiting_days: readings.supervision.waiting_days,
            waiting_fleet_days: readings.supervision.waiting_fleet_days,
            lsn_lag: readings.supervision.lsn_lag,
            change: readings.supervision.change,
        },
    }))
}
