//! `/samples`: numbered plans of the weekly blind sample, their draw, and what they say of what the rules miss.

use axum::Json;
use axum::extract::State;
use jiff::civil::{Date, Weekday};
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::MissRate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::auth::{Acting, Supervising};
use super::desk::Desk;
use super::extract::{Body, Id};
use super::problem::{Code, Problem, ProblemBody};
use crate::registry::{StoredPlan, hex};

/// Trips of one plan at most: three reviewers look at no more in a week.
const SIZE_MAX: u32 = 500;

/// A plan. The commitment binds the seed before the week; the seed is shown when it was drawn.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanView {
    /// Its number.
    number: u32,
    /// The Monday of its week.
    #[schema(value_type = String, format = Date)]
    monday: Date,
    /// How many trips.
    size: u32,
    /// SHA-256 that binds the seed, hex.
    commitment: String,
    /// The seed, hex; absent until it was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    /// When it was published.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// By whom.
    created_by: String,
    /// When it was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    drawn_at: Option<UtcMillis>,
}

impl From<StoredPlan> for PlanView {
    fn from(stored: StoredPlan) -> Self {
        Self {
            number: stored.plan.number,
            monday: stored.plan.monday,
            size: stored.plan.size,
            commitment: stored.plan.commitment.to_string(),
            seed: stored.drawn_at.map(|_| hex::encode(&stored.seed.0)),
            created_at: stored.created_at,
            created_by: stored.created_by,
            drawn_at: stored.drawn_at,
        }
    }
}

/// A plan to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanRequest {
    /// The Monday of its week, which must not have begun.
    #[schema(value_type = String, format = Date)]
    monday: Date,
    /// How many trips, 1 to 500.
    #[schema(minimum = 1, maximum = 500)]
    size: u32,
}

/// The newest plans, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlansView {
    /// The plans.
    items: Vec<PlanView>,
}

/// Publish a plan for a week to come
#[utoipa::path(post, path = "/api/v1/samples", tag = "cases", request_body = PlanRequest, responses(
    (status = 200, body = PlanView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    Acting(granted): Acting,
    State(state): State<ApiState>,
    Body(request): Body<PlanRequest>,
) -> Result<Json<PlanView>, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    desk.reviewer()?;
    desk.samples()?;
    if request.monday.weekday() != Weekday::Monday || desk.world.instant(request.monday, 0) <= desk.now {
        return Err(Problem::field(
            "/monday",
            "must be a Monday to come: nobody may know the week when it is planned",
        ));
    }
    if !(1..=SIZE_MAX).contains(&request.size) {
        return Err(Problem::field("/size", format!("must be 1 to {SIZE_MAX}")));
    }
    let plan = desk.create_plan(request.monday, request.size).await?;
    Ok(Json(plan.into()))
}

/// Plans, newest first
#[utoipa::path(get, path = "/api/v1/samples", tag = "cases", responses(
    (status = 200, body = PlansView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
) -> Result<Json<PlansView>, Problem> {
    let plans = Desk::of(&state, &granted).await?.plans().await?;
    Ok(Json(PlansView { items: plans.into_iter().map(Into::into).collect() }))
}

/// What a draw did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DrawnView {
    /// The plan, with its seed now.
    plan: PlanView,
    /// Trips to draw from.
    candidates: u32,
    /// Trips drawn.
    trips: u32,
    /// Cases of the lot: vehicle-days drawn, and flagged ones among which they hide.
    cases: u32,
}

/// Draw a plan whose week is over, and open its cases
#[utoipa::path(post, path = "/api/v1/samples/{id}/draw", tag = "cases",
    params(("id" = String, Path, description = "Number of the plan")),
    responses(
        (status = 200, body = DrawnView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn draw(
    Acting(granted): Acting,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<DrawnView>, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    desk.reviewer()?;
    let stored = desk.plan(&id).await?;
    if stored.drawn_at.is_some() {
        return Err(Problem::new(Code::Conflict).detail("the plan was drawn already"));
    }
    let over = stored.plan.monday.saturating_add(jiff::Span::new().days(8));
    if desk.world.instant(over, 0) > desk.now {
        return Err(Problem::new(Code::Conflict).detail("the plan's week and the day after it must be over"));
    }
    let drawn = desk.draw(&stored).await?;
    tracing::info!(caller = granted.id(), plan = stored.plan.number, cases = drawn.cases, "sample drawn");
    let plan = desk.plan(&id).await?.into();
    Ok(Json(DrawnView { plan, candidates: drawn.candidates, trips: drawn.trips, cases: drawn.cases }))
}

/// What a plan says of what the rules miss.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EstimateView {
    /// Number of the plan.
    plan: u32,
    /// Cases of trips that were drawn.
    cases: u32,
    /// Of those, decided ones.
    decided: u32,
    /// Those in which something was wrong.
    misses: u32,
    /// Share of misses; absent without a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    /// Lower end of the 95 % Wilson interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    /// Upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
}

/// How much the rules miss, as far as a plan tells
#[utoipa::path(get, path = "/api/v1/samples/{id}/estimate", tag = "cases",
    params(("id" = String, Path, description = "Number of the plan")),
    responses(
        (status = 200, body = EstimateView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn rate(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<EstimateView>, Problem> {
    // With few decisions the figure would tell of single cases.
    let desk = Desk::of(&state, &granted).await?;
    desk.reviewer()?;
    let stored = desk.plan(&id).await?;
    let (cases, rate) = desk.estimate(&stored).await?;
    let of = |part: fn(&MissRate) -> f64| rate.as_ref().map(part);
    Ok(Json(EstimateView {
        plan: stored.plan.number,
        cases,
        decided: rate.map_or(0, |rate| rate.decided),
        misses: rate.map_or(0, |rate| rate.misses),
        rate: of(|rate| rate.rate),
        low: of(|rate| rate.low),
        high: of(|rate| rate.high),
    }))
}
