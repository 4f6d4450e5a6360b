//! Reading the audit log: all of it for auditors, and for those who answer for a car who looked at what it did.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::ApiState;
use super::super::auth::{Auditor, TripsReader};
use super::super::data::desk::Desk;
use super::super::extract::{Id, Page, Params, cursor, cursor_number, limit_of};
use super::super::problem::{Problem, ProblemBody};
use crate::accounts::chain::Entry;
use crate::registry::accounts::LogFilter;

/// Accesses of one answer.
const ACCESSES_MAX: u32 = 200;

/// One entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct EntryView {
    /// 1 for the first, without holes.
    seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: UtcMillis,
    /// Who.
    actor: String,
    /// The person's number.
    person: Option<i64>,
    /// From where; empty when it did not come over the network.
    ip: String,
    /// What, as a word that stays.
    #[schema(example = "track.read")]
    action: String,
    /// To what.
    object: String,
    /// The vehicle that it concerns.
    vehicle: Option<i64>,
    /// The case that it was done for.
    case: Option<String>,
    /// Anything else.
    detail: String,
    /// SHA-256 over the entry and the one before, hex.
    hash: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let Entry { seq, at, deed, hash, .. } = entry;
        Self {
            seq,
            at,
            actor: deed.actor,
            person: deed.person,
            ip: deed.ip,
            action: deed.action,
            object: deed.object,
            vehicle: deed.vehicle,
            case: deed.case_id,
            detail: deed.detail,
            hash,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Entries of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only with this action, for example `login.failed`.
    action: Option<String>,
}

/// The audit log, newest first
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(ListParams), responses(
    (status = 200, body = Page<EntryView>, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    Auditor(granted): Auditor,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    // Entries are of no unit: deeds of one concern others.
    state.data(&granted).await?.everything()?;
    let limit = limit_of(params.limit)?;
    let before = cursor_number(params.cursor.as_deref())?;
    let filter = LogFilter { before, limit: limit + 1, action: params.action };
    let entries = state.people().audit_log(&filter).await?;
    let views = entries.into_iter().map(EntryView::from).collect();
    Ok(Page::cut(views, limit, |view: &EntryView| cursor(&[&view.seq.to_string()])).answer(&uri))
}

/// Somebody looked at what a vehicle did.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct AccessView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: UtcMillis,
    /// Who.
    actor: String,
    /// `track.read`, `track.export`, `trips.read`, `evidence.read` or `case.log.read`.
    action: String,
    /// Which part.
    what: String,
    /// What for; absent of machines, and where the case is not the caller's to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
}

/// Who looked at what a vehicle did.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct AccessesView {
    /// The last 200, newest first.
    items: Vec<AccessView>,
}

/// Who looked at what a vehicle did, and what for
///
/// For those who answer for the vehicle, of the time in which they do. Without what was done for a case that the caller does not see, and
/// without what belongs to a confidential check.
#[utoipa::path(get, path = "/api/v1/vehicles/{id}/accesses", tag = "audit",
    params(("id" = String, Path, description = "Our number, or the plate")),
    responses(
        (status = 200, body = AccessesView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn accesses(
    TripsReader(granted): TripsReader,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<AccessesView>, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    let vehicle = desk.data().vehicle_id(&id).await?;
    let entries = desk.accesses(vehicle, ACCESSES_MAX).await?;
    let items = entries.into_iter().map(|(entry, shows_purpose)| {
        let detail: serde_json::Value = serde_json::from_str(&entry.deed.detail).unwrap_or_default();
        let text = |key: &str| detail.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
        AccessView {
            at: entry.at,
            actor: entry.deed.actor,
            action: entry.deed.action,
            what: text("what").unwrap_or_default(),
            purpose: text("purpose").filter(|_| shows_purpose),
        }
    });
    Ok(Json(AccessesView { items: items.collect() }))
}
