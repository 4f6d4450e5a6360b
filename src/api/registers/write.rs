//! Writing registers, row by row.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::register::{Binding, Order, Row, Span, Transfer, Unit, Vehicle};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::auth::{Clerk, Granted};
use super::super::data::{Data, permission_to_write};
use super::super::devices::{etag, matches};
use super::super::extract::instant;
use super::super::once::{Answer, Sent};
use super::super::problem::{Code, Problem, ProblemBody};
use super::{ClearanceView, KindOf, RowOf, no_row};
use crate::accounts::Permission;
use crate::registers::{Kind, Submitted};
use crate::registry::{AnyRow, Change, Written};

/// A row as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct RowRequest {
    /// First instant at which it holds; absent = since ever.
    #[serde(default, deserialize_with = "instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_from: Option<UtcMillis>,
    /// First instant at which it no longer holds; absent = for ever.
    #[serde(default, deserialize_with = "instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_to: Option<UtcMillis>,
    /// What it says; its fields depend on the kind, and what is left out is as the kind says. Times are in UTC, with `Z`.
    #[schema(value_type = Object)]
    row: Value,
}

/// What a row says within a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct AmendRequest {
    /// First instant at which it says so.
    #[serde(default, deserialize_with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    from: Option<UtcMillis>,
    /// First instant at which it says again what it said; absent = never.
    #[serde(default, deserialize_with = "instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<UtcMillis>,
    /// The fields that differ from what is known at `from`, each with its whole new value.
    #[schema(value_type = Object)]
    row: Value,
}

/// When a row ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct EndRequest {
    /// First instant at which it no longer holds.
    #[serde(default, deserialize_with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    at: Option<UtcMillis>,
}

/// A change that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct WrittenView {
    /// The kind of the row.
    kind: &'static str,
    /// The row's number within its kind.
    id: i64,
    /// Its newest version.
    version: u32,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: UtcMillis,
}

impl From<&Written> for WrittenView {
    fn from(written: &Written) -> Self {
        let Written { kind, id, version, recorded_at } = *written;
        Self { kind, id, version, recorded_at }
    }
}

/// A change that was not written: it would clear open questions, and waits for a second person.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ProposedView {
    /// The number of the proposal, for `/api/v1/proposals/{id}/approve`.
    pub(super) proposal: i64,
    #[serde(flatten)]
    pub(super) clearance: ClearanceView,
}

/// A good time of validity.
fn span(from: Option<UtcMillis>, to: Option<UtcMillis>, pointer: &str) -> Result<Span, Problem> {
    let from = from.unwrap_or(Span::ALWAYS.from);
    if to.is_some_and(|to| to <= from) {
        return Err(Problem::field(pointer, "must be later than the beginning"));
    }
    Ok(Span { from, to })
}

/// The row as it is stored, or every place where it is wrong.
fn checked(kind: &Kind, valid: Span, row: &Value) -> Result<Value, Problem> {
    kind.check(valid, row).map_err(|faults| {
        faults.into_iter().fold(Problem::new(Code::InvalidBody), |problem, fault| {
            let pointer = match fault.pointer.strip_prefix("..") {
                Some(beside) => beside.to_owned(),
                None => format!("/row{}", fault.pointer),
            };
            problem.and_field(pointer, fault.en)
        })
    })
}

/// Refuses a row that names a unit, a car or a device that there is not.
async fn check_names(data: &Data, kind: &Kind, row: &Value) -> Result<(), Problem> {
    let facts = kind.facts(row)?;
    let unit_at = match kind.name {
        Unit::KIND => "/row/parent",
        Transfer::KIND => "/row/to",
        _ => "/row/unit",
    };
    let named = [
        (Unit::KIND, facts.unit.map(|unit| unit.0), unit_at),
        (Vehicle::KIND, facts.vehicle.map(|vehicle| vehicle.0), "/row/vehicle"),
        (Vehicle::KIND, facts.other_vehicle.map(|vehicle| vehicle.0), "/row/card_vehicle"),
    ];
    for (named, id, pointer) in named {
        let Some(id) = id else { continue };
        if !data.has_row(named, id).await? {
            return Err(Problem::field(pointer, format!("there is no {named} {id}")));
        }
    }
    if kind.name == Binding::KIND && !data.has_device_of(row) {
        let device = row.get("device").map(Value::to_string).unwrap_or_default();
        return Err(Problem::field("/row/device", format!("there is no device {device}")));
    }
    Ok(())
}

/// Writes a change, or proposes it.
async fn submit(data: &Data, kind: &'static Kind, change: Change<Value>) -> Result<Answer, Problem> {
    match data.submit(kind, vec![change]).await? {
        Submitted::Written(written) => {
            let written = written.first().ok_or(Problem::new(Code::Internal))?;
            let answer = Answer::new(StatusCode::OK, &WrittenView::from(written))?;
            Ok(answer.tagged(etag(i64::from(written.version))))
        }
        Submitted::Proposed { id, clearance } => {
            let shown = data.questions().await?.shown(&clearance).await?;
            let proposed = ProposedView { proposal: id, clearance: (&shown).into() };
            Answer::new(StatusCode::ACCEPTED, &proposed)
        }
    }
}

/// A row that is there, and the version that a condition of the caller ties the change to.
async fn present(
    data: &Data,
    kind: &'static Kind,
    id: i64,
    sent: &Sent,
) -> Result<(Vec<AnyRow>, Option<u32>), Problem> {
    let known = data.row_known(kind, id).await?;
    let Some(newest) = known.iter().map(|row| row.version).max() else { return Err(no_row(kind, id)) };
    if !matches(&sent.headers, i64::from(newest)) {
        return Err(changed_meanwhile());
    }
    let has_condition = sent.headers.contains_key(axum::http::header::IF_MATCH);
    Ok((known, has_condition.then_some(newest)))
}

fn changed_meanwhile() -> Problem {
    Problem::new(Code::PreconditionFailed)
        .detail("the row was changed meanwhile: read it again and decide again")
}

/// Somebody who wrote between reading and writing fails the condition as well.
fn as_condition(problem: Problem, expected: Option<u32>) -> Problem {
    if expected.is_some() && problem.is(Code::Conflict) { changed_meanwhile() } else { problem }
}

/// Write a new row
#[utoipa::path(post, path = "/api/v1/registers/{kind}", tag = "registers", request_body = RowRequest,
    params(
        ("kind" = String, Path, description = "One of the kinds of `/api/v1/registers`"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key is done once and answered again, for a day"),
    ),
    responses(
        (status = 200, body = WrittenView, headers(("etag" = String, description = "The version, for `If-Match`"))),
        (status = 202, body = ProposedView, description = "Not written: it would clear open questions and waits for a second person"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "A plate, code or device that another row has at that time"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn create(
    Clerk(granted): Clerk,
    State(state): State<ApiState>,
    KindOf(kind): KindOf,
    sent: Sent,
) -> Result<Response, Problem> {
    let granted = granted.also(permission_to_write(kind))?;
    let data = state.data(&granted).await?;
    let work = async {
        let request: RowRequest = sent.json()?;
        let valid = span(request.valid_from, request.valid_to, "/valid_to")?;
        let row = checked(kind, valid, &request.row)?;
        check_names(&data, kind, &row).await?;
        submit(&data, kind, Change::Add { id: None, valid, row }).await
    };
    sent.once(&state, &granted, work).await
}

/// The caller as somebody who writes rows of this kind, or as one who says yes or no to orders: what such a one may change,
/// [`Data::check_changes`] knows.
fn clerk_or_decider(granted: &Granted, kind: &Kind) -> Result<Granted, Problem> {
    granted.also(permission_to_write(kind)).or_else(|refused| {
        let decider = granted.also(Permission::OrdersDecide).ok();
        decider.filter(|_| kind.name == Order::KIND).ok_or(refused)
    })
}

/// Correct a row: what was known of it was wrong
///
/// The new version takes the place of everything that was known of the row, for all times. What was known before stays readable
/// in its history.
#[utoipa::path(put, path = "/api/v1/registers/{kind}/{id}", tag = "registers", request_body = RowRequest,
    params(
        ("kind" = String, Path, description = "One of the kinds of `/api/v1/registers`"),
        ("id" = i64, Path, description = "The row's number within its kind"),
        ("If-Match" = Option<String>, Header, description = "The `etag` of the row as the caller knows it; another one is answered with 412. Without it the row is changed whatever it is"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key is done once and answered again, for a day"),
    ),
    responses(
        (status = 200, body = WrittenView, headers(("etag" = String, description = "The new version"))),
        (status = 202, body = ProposedView, description = "Not written: it would clear open questions and waits for a second person"),
        (status = 412, body = ProblemBody, content_type = "application/problem+json", description = "The row was changed meanwhile"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn correct(
    Clerk(granted): Clerk,
    State(state): State<ApiState>,
    RowOf(kind, id): RowOf,
    sent: Sent,
) -> Result<Response, Problem> {
    let granted = clerk_or_decider(&granted, kind)?;
    let data = state.data(&granted).await?;
    let work = async {
        let (_, expected) = present(&data, kind, id, &sent).await?;
        let request: RowRequest = sent.json()?;
        let valid = span(request.valid_from, request.valid_to, "/valid_to")?;
        let row = checked(kind, valid, &request.row)?;
        check_names(&data, kind, &row).await?;
        let change = Change::Correct { id, expected, valid, row };
        submit(&data, kind, change).await.map_err(|problem| as_condition(problem, expected))
    };
    sent.once(&state, &granted, work).await
}

/// Amend a row: within a time it says something else
///
/// Outside that time what was known stays. Fields that are left out are as the row has them at `from`.
#[utoipa::path(post, path = "/api/v1/registers/{kind}/{id}/amend", tag = "registers", request_body = AmendRequest,
    params(
        ("kind" = String, Path, description = "One of the kinds of `/api/v1/registers`"),
        ("id" = i64, Path, description = "The row's number within its kind"),
        ("If-Match" = Option<String>, Header, description = "The `etag` of the row as the caller knows it; another one is answered with 412"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key is done once and answered again, for a day"),
    ),
    responses(
        (status = 200, body = WrittenView, headers(("etag" = String, description = "The new version"))),
        (status = 202, body = ProposedView, description = "Not written: it would clear open questions and waits for a second person"),
        (status = 412, body = ProblemBody, content_type = "application/problem+json", description = "The row was changed meanwhile"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn amend(
    Clerk(granted): Clerk,
    State(state): State<ApiState>,
    RowOf(kind, id): RowOf,
    sent: Sent,
) -> Result<Response, Problem> {
    let granted = clerk_or_decider(&granted, kind)?;
    let data = state.data(&granted).await?;
    let work = async {
        let (known, expected) = present(&data, kind, id, &sent).await?;
        let request: AmendRequest = sent.json()?;
        let from = request.from.ok_or_else(|| Problem::field("/from", "must be given"))?;
        let valid = span(Some(from), request.to, "/to")?;
        let row = checked(kind, valid, &laid_over(&known, from, request.row))?;
        check_names(&data, kind, &row).await?;
        let change = Change::Amend { id, expected, valid, row };
        submit(&data, kind, change).await.map_err(|problem| as_condition(problem, expected))
    };
    sent.once(&state, &granted, work).await
}

/// The fields of `given` laid over what is known at `from`, or over the newest version.
fn laid_over(known: &[AnyRow], from: UtcMillis, given: Value) -> Value {
    let then = known.iter().find(|row| row.valid.contains(from));
    let base = then.or_else(|| known.iter().max_by_key(|row| row.version)).map(|row| row.row.clone());
    match (base, given) {
        (Some(Value::Object(mut base)), Value::Object(given)) => {
            base.extend(given);
            Value::Object(base)
        }
        (_, given) => given,
    }
}

/// End a row: from then on it holds no longer
#[utoipa::path(post, path = "/api/v1/registers/{kind}/{id}/end", tag = "registers", request_body = EndRequest,
    params(
        ("kind" = String, Path, description = "One of the kinds of `/api/v1/registers`"),
        ("id" = i64, Path, description = "The row's number within its kind"),
        ("If-Match" = Option<String>, Header, description = "The `etag` of the row as the caller knows it; another one is answered with 412"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key is done once and answered again, for a day"),
    ),
    responses(
        (status = 200, body = WrittenView, headers(("etag" = String, description = "The new version"))),
        (status = 202, body = ProposedView, description = "Not written: it would clear open questions and waits for a second person"),
        (status = 412, body = ProblemBody, content_type = "application/problem+json", description = "The row was changed meanwhile"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn end(
    Clerk(granted): Clerk,
    State(state): State<ApiState>,
    RowOf(kind, id): RowOf,
    sent: Sent,
) -> Result<Response, Problem> {
    let granted = granted.also(permission_to_write(kind))?;
    let data = state.data(&granted).await?;
    let work = async {
        let (_, expected) = present(&data, kind, id, &sent).await?;
        let request: EndRequest = sent.json()?;
        let at = request.at.ok_or_else(|| Problem::field("/at", "must be given"))?;
        let change = Change::End { id, expected, at };
        submit(&data, kind, change).await.map_err(|problem| as_condition(problem, expected))
    };
    sent.once(&state, &granted, work).await
}
