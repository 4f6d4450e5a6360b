//! `/cases`: the queue, one case as its viewer may see it, and what people do about it.
//!
//! Handlers read the true case to decide and show only what [`motorpool_supervision::cases::seen_by`] leaves of it. A case that a
//! viewer must not see is answered as one that is not there.

mod actions;
mod files;
mod queue;

pub(super) use actions::{__path_act, __path_act_on_many, __path_open, act, act_on_many, open};
pub(super) use files::{__path_download, __path_evidence, __path_upload, download, evidence, upload};
pub(super) use queue::{__path_list, list};

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Action, Case, Subject, allowed};
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::auth::Supervising;
use super::desk::{Desk, Sentences};
use super::extract::Id;
use super::problem::{Code, Problem, ProblemBody};
use crate::supervision::cases::case_id;

/// A flag of a case in words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CaseSentence {
    /// The flag.
    flag: String,
    /// In words.
    sentence: Sentences,
}

/// One case as its viewer may see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CaseView {
    /// Its name.
    #[schema(example = "v12-2026-03-04")]
    id: String,
    /// Number of the last event that this viewer sees, also the `ETag`.
    seq: u32,
    /// The plate of its vehicle; empty for a unit's orders.
    plate: String,
    /// The name of the unit under review.
    unit_name: String,
    /// The local day.
    #[schema(value_type = String, format = Date)]
    day: Date,
    /// The gravest colour of what is live.
    #[schema(value_type = String)]
    colour: serde_json::Value,
    /// The last local day on which an answer keeps the next reminder away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    due: Option<Date>,
    /// When its last event was recorded.
    #[schema(value_type = String, format = DateTime)]
    changed_at: UtcMillis,
    /// What the caller's roles allow in this case; whether it is possible where the case stands shows when it is tried.
    #[schema(value_type = Vec<String>)]
    allowed: Vec<&'static str>,
    /// Its live flags in words.
    sentences: Vec<CaseSentence>,
    /// The case.
    #[schema(value_type = Object)]
    case: serde_json::Value,
}

impl CaseView {
    async fn of(desk: &Desk, case: &Case, seen: &Case) -> Result<Self, Problem> {
        let mut sentences = Vec::new();
        for live in seen.live_flags() {
            let id = live.flag.id.to_string();
            if let Some(flag) = desk.flag_of_case(&id).await? {
                let finding = desk.readable(flag.finding);
                sentences.push(CaseSentence { flag: id, sentence: desk.sentences(&finding) });
            }
        }
        Ok(Self {
            id: case_id(seen.key),
            seq: seen.seq,
            plate: plate(desk, seen).await?,
            unit_name: desk.unit_name(seen.unit, desk.world.instant(seen.key.day, 0)),
            day: seen.key.day,
            colour: serde_json::to_value(seen.colour()).unwrap_or_default(),
            due: desk.due(seen),
            changed_at: seen.changed_at,
            allowed: allowed_in(desk, case),
            sentences,
            case: serde_json::to_value(seen).map_err(|error| Problem::internal(&error))?,
        })
    }

    fn answer(self) -> Response {
        ([(header::ETAG, format!("\"{}\"", self.seq))], Json(self)).into_response()
    }
}

/// What the caller's roles allow in a case.
fn allowed_in(desk: &Desk, case: &Case) -> Vec<&'static str> {
    let Ok(actor) = desk.actor_in(case) else { return Vec::new() };
    // Opening is for cases that are not there yet.
    let actions = Action::ALL.iter().filter(|action| **action != Action::Opened);
    actions
        .filter(|action| allowed(case, &actor, **action, &desk.units).is_ok())
        .map(|action| action.tag())
        .collect()
}

/// The plate of a case's vehicle on its day.
async fn plate(desk: &Desk, case: &Case) -> Result<String, Problem> {
    match case.key.subject {
        Subject::Unit(_) => Ok(String::new()),
        Subject::Vehicle(vehicle) => {
            let row = desk.vehicle(vehicle, desk.world.instant(case.key.day, 0)).await?;
            Ok(row.map_or_else(String::new, |row| row.plate))
        }
    }
}

/// Whether the case is in the caller's hands and hides nothing from it: then its log and its full evidence are not hidden either.
fn is_in_hands(desk: &Desk, case: &Case) -> bool {
    let holds = |actor| allowed(case, &actor, Action::Assigned, &desk.units).is_ok();
    desk.actor_in(case).is_ok_and(holds) && !case.is_blind()
}

/// One case
#[utoipa::path(get, path = "/api/v1/cases/{id}", tag = "cases",
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, body = CaseView, headers(
            ("etag" = String, description = "Number of the last event, for `If-Match`"),
        )),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn detail(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    let (case, seen) = desk.case(&id).await?;
    tracing::info!(caller = granted.id(), case = id, "case read");
    Ok(CaseView::of(&desk, &case, &seen).await?.answer())
}

/// The log of a case.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventsView {
    /// The events, oldest first, as they are stored.
    #[schema(value_type = Vec<Object>)]
    items: Vec<serde_json::Value>,
}

/// The log of a case, for whoever the case is in the hands of
#[utoipa::path(get, path = "/api/v1/cases/{id}/events", tag = "cases",
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, body = EventsView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn events(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<EventsView>, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    let (case, _) = desk.case(&id).await?;
    if !is_in_hands(&desk, &case) {
        return Err(
            Problem::new(Code::Forbidden).detail("the log hides nothing: it is for whoever reviews the case")
        );
    }
    tracing::info!(caller = granted.id(), case = id, "log of a case read");
    desk.open_case("case.log.read", &id, "log").await?;
    let events = desk.log(&id).await?;
    let items = events.iter().map(serde_json::to_value).collect::<Result<_, _>>();
    Ok(Json(EventsView { items: items.map_err(|error| Problem::internal(&error))? }))
}
