//! `/backtest`: what a rule set would have flagged over past weeks. Short ones are answered at once, long ones are jobs.
//!
//! Jobs live in memory and belong to the token that began them. A restart forgets them; they write nothing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::ApiState;
use super::auth::Supervising;
use super::desk::Desk;
use super::extract::{Body, Id};
use super::problem::{Code, Problem, ProblemBody};
use crate::supervision::{BacktestError, BacktestProgress, BacktestReport, BacktestRequest};

/// How long a request waits for its answer before it becomes a job.
const PATIENCE: Duration = Duration::from_secs(5);
/// Jobs remembered; the oldest that is done makes room for a new one.
const JOBS_MAX: usize = 16;

/// What a job came to.
type Outcome = Result<BacktestReport, (&'static str, Option<String>)>;

/// One back-test.
struct Job {
    /// The token that began it.
    token: String,
    progress: Arc<BacktestProgress>,
    outcome: Option<Arc<Outcome>>,
}

/// Back-tests of this process.
pub(super) struct Jobs {
    table: Mutex<(u64, BTreeMap<u64, Job>)>,
    /// One at a time: a back-test keeps a core busy.
    turn: Semaphore,
}

impl Jobs {
    pub(super) const fn new() -> Self {
        Self { table: Mutex::new((0, BTreeMap::new())), turn: Semaphore::const_new(1) }
    }

    /// A new job's number; `None` when too many run.
    fn begin(&self, token: &str, progress: &Arc<BacktestProgress>) -> Option<u64> {
        let mut guard = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, jobs) = &mut *guard;
        if jobs.len() >= JOBS_MAX {
            let done = jobs.iter().find(|(_, job)| job.outcome.is_some()).map(|(id, _)| *id)?;
            jobs.remove(&done);
        }
        *last += 1;
        jobs.insert(*last, Job { token: token.to_owned(), progress: Arc::clone(progress), outcome: None });
        Some(*last)
    }

    fn end(&self, id: u64, outcome: Outcome) {
        let mut guard = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = guard.1.get_mut(&id) {
            job.outcome = Some(Arc::new(outcome));
        }
    }

    fn view(&self, id: u64, token: &str) -> Option<(JobView, Option<Arc<Outcome>>)> {
        let guard = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let job = guard.1.get(&id).filter(|job| job.token == token)?;
        let view = JobView {
            job: id,
            done: job.outcome.is_some(),
            vehicle_days: job.progress.total.load(Ordering::Relaxed),
            vehicle_days_done: job.progress.done.load(Ordering::Relaxed),
            report: None,
        };
        Some((view, job.outcome.clone()))
    }
}

/// How far a back-test is, and what it found when it is done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobView {
    /// Its number.
    job: u64,
    /// Whether it is done.
    done: bool,
    /// Vehicle-days to judge; 0 until that is known.
    vehicle_days: u64,
    /// Vehicle-days judged.
    vehicle_days_done: u64,
    /// What it found: `total` and each rule, under the set on trial and under the rules in force, with flags, red ones, cases, red
    /// cases per 100 car-weeks, and the precision by past decisions with its 95 % Wilson interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    report: Option<BacktestReport>,
}

/// What to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BacktestBody {
    /// The rule set to try.
    rule_set: TrialSet,
    /// Only for this unit and those below, by number or code.
    unit: Option<String>,
    /// First local day.
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// Last local day.
    #[schema(value_type = String, format = Date)]
    to: Date,
}

/// A rule set on trial.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialSet {
    /// What differs from the rules in force, for example `{"r05": {"repeat": 2}}`.
    #[schema(value_type = Object)]
    params: serde_json::Map<String, serde_json::Value>,
}

fn refused(error: BacktestError) -> (&'static str, Option<String>) {
    let problem = match error {
        BacktestError::Size { .. } => Problem::field("/to", error.to_string()),
        BacktestError::RuleSet(_) => Problem::field("/rule_set/params", error.to_string()),
        BacktestError::Read(error) => Problem::unreadable(&error),
    };
    problem.told()
}

fn answer((mut view, outcome): (JobView, Option<Arc<Outcome>>)) -> Result<Response, Problem> {
    match outcome.as_deref() {
        None => {
            let location = format!("/api/v1/backtest/{}", view.job);
            let mut response = (StatusCode::ACCEPTED, Json(view)).into_response();
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            Ok(response)
        }
        Some(Ok(report)) => {
            view.report = Some(report.clone());
            Ok(Json(view).into_response())
        }
        Some(Err((code, detail))) => {
            let code = if *code == "invalid_body" { Code::InvalidBody } else { Code::Internal };
            let problem = Problem::new(code);
            Err(match detail {
                Some(detail) => problem.detail(detail.clone()),
                None => problem,
            })
        }
    }
}

/// Try a rule set on the past
///
/// Nothing is written. What takes longer than a few seconds becomes a job: 202 with its `Location`.
#[utoipa::path(post, path = "/api/v1/backtest", tag = "flags", request_body = BacktestBody, responses(
    (status = 200, body = JobView),
    (status = 202, body = JobView, description = "It runs; ask `Location`"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn start(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Body(body): Body<BacktestBody>,
) -> Result<Response, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    desk.reviewer()?;
    if body.unit.is_none() {
        desk.samples()?;
    }
    let unit = match &body.unit {
        Some(text) => Some(
            desk.unit(text)
                .filter(|unit| desk.data().sees_unit(*unit))
                .ok_or_else(|| Problem::field("/unit", "is no unit's number or code"))?,
        ),
        None => None,
    };
    let request = BacktestRequest {
        params: serde_json::Value::Object(body.rule_set.params),
        unit,
        from: body.from,
        to: body.to,
        known_to: desk.now,
    };
    let progress = Arc::new(BacktestProgress::default());
    let full = || Problem::new(Code::Unavailable).detail("too many back-tests run").retry_after(60);
    let id = state.jobs().begin(&granted.id(), &progress).ok_or_else(full)?;
    tracing::info!(caller = granted.id(), job = id, from = %request.from, to = %request.to, "back-test begins");
    let background = state.clone();
    let task = tokio::spawn(async move {
        let _turn = background.jobs().turn.acquire().await;
        let found = desk.backtest(&request, &progress).await;
        background.jobs().end(id, found.map_err(refused));
    });
    // Late or not, the table says how it stands.
    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, task).await {
        state.jobs().end(id, Err(("internal", None)));
        return Err(Problem::internal(&error));
    }
    answer(state.jobs().view(id, &granted.id()).ok_or(Problem::new(Code::NotFound))?)
}

/// How far a back-test is
#[utoipa::path(get, path = "/api/v1/backtest/{id}", tag = "flags",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, body = JobView),
        (status = 202, body = JobView, description = "It still runs"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn job(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| Problem::new(Code::NotFound))?;
    answer(state.jobs().view(id, &granted.id()).ok_or(Problem::new(Code::NotFound))?)
}
