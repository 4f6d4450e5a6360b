//! `/holds`: what must not be removed although its time is over. Placed and lifted by those who inspect, each with a reason; whoever placed
//! a hold does not lift it.

use axum::Json;
use axum::extract::State;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::auth::HoldsWriter;
use super::extract::{Body, Id};
use super::problem::{Problem, ProblemBody};
use crate::registry::{Hold, HoldOn, NewHold};

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoldView {
    /// Its number.
    id: i64,
    /// `"everything"`, or one of `device`, `vehicle`, `unit` with its number.
    #[schema(value_type = serde_json::Value, example = json!({ "vehicle": 12 }))]
    on: HoldOn,
    /// Data of this time on; null = of any.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<UtcMillis>,
    /// Data before this time; null = of any.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<UtcMillis>,
    /// Why.
    reason: String,
    /// It holds until then; null = until it is lifted.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<UtcMillis>,
    /// Whether it holds now.
    in_force: bool,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    placed_at: UtcMillis,
    /// By whom.
    placed_by: String,
    /// When it was lifted.
    #[schema(value_type = Option<String>, format = DateTime)]
    lifted_at: Option<UtcMillis>,
    /// By whom.
    lifted_by: Option<String>,
    /// Why.
    lift_reason: Option<String>,
}

impl HoldView {
    fn of(hold: Hold, now: UtcMillis) -> Self {
        let in_force = hold.is_in_force(now);
        let Hold { id, set, placed_at, placed_by, lifted_at, lifted_by, lift_reason, .. } = hold;
        let NewHold { on, from, to, reason, until } = set;
        Self {
            id,
            on,
            from,
            to,
            reason,
            until,
            in_force,
            placed_at,
            placed_by,
            lifted_at,
            lifted_by,
            lift_reason,
        }
    }
}

/// Holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoldsView {
    /// Newest first, those that were lifted too.
    items: Vec<HoldView>,
}

/// The holds
#[utoipa::path(get, path = "/api/v1/holds", tag = "holds", responses(
    (status = 200, body = HoldsView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    HoldsWriter(granted): HoldsWriter,
    State(state): State<ApiState>,
) -> Result<Json<HoldsView>, Problem> {
    let holds = state.data(&granted).await?.holds().await?;
    let now = state.now();
    Ok(Json(HoldsView { items: holds.into_iter().map(|hold| HoldView::of(hold, now)).collect() }))
}

/// What is to be held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceHold {
    /// `"everything"`, or one of `device`, `vehicle`, `unit` with its number.
    #[schema(value_type = serde_json::Value, example = json!({ "vehicle": 12 }))]
    on: HoldOn,
    /// Data of this time on.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<UtcMillis>,
    /// Data before this time.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<UtcMillis>,
    /// Why, 2 to 500 characters.
    #[schema(example = "核查 2026-17")]
    reason: String,
    /// It holds until then; without, until it is lifted.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<UtcMillis>,
}

/// Place a hold
///
/// Raw messages, tracks, trips, flags and cases that it covers are kept whatever the configured times say. It covers everything that
/// ever belonged to what it names, by any version of the registers.
#[utoipa::path(post, path = "/api/v1/holds", tag = "holds", request_body = PlaceHold, responses(
    (status = 200, body = HoldView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn place(
    HoldsWriter(granted): HoldsWriter,
    State(state): State<ApiState>,
    Body(body): Body<PlaceHold>,
) -> Result<Json<HoldView>, Problem> {
    let PlaceHold { on, from, to, reason, until } = body;
    let hold = state.data(&granted).await?.place_hold(NewHold { on, from, to, reason, until }).await?;
    Ok(Json(HoldView::of(hold, state.now())))
}

/// Why a hold is lifted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LiftHold {
    /// 2 to 500 characters.
    #[schema(example = "结案")]
    reason: String,
}

/// Lift a hold
///
/// It stays in the list. What it covered goes when its time is over. Another person than who placed it does this.
#[utoipa::path(delete, path = "/api/v1/holds/{id}", tag = "holds", request_body = LiftHold,
    params(("id" = i64, Path, description = "The hold")),
    responses(
        (status = 200, body = HoldView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn lift(
    HoldsWriter(granted): HoldsWriter,
    State(state): State<ApiState>,
    Id(id): Id,
    Body(body): Body<LiftHold>,
) -> Result<Json<HoldView>, Problem> {
    let hold = state.data(&granted).await?.lift_hold(&id, &body.reason).await?;
    Ok(Json(HoldView::of(hold, state.now())))
}
