//! Reading registers.

use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::register::{Order, OrderState, Row as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::ApiState;
use super::super::auth::RegistersReader;
use super::super::data::permission_to_read;
use super::super::devices::etag;
use super::super::extract::{Page, Params, cursor, cursor_parts, instant, limit_of, word_of, words};
use super::super::problem::{Problem, ProblemBody};
use super::{KindOf, RowOf, RowView, no_row};
use crate::registers::{KINDS, Kind};
use crate::registry::{AnyRow, Known, RowFilter, RowOrder};

/// A kind of row.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct KindView {
    /// Its name in paths.
    kind: &'static str,
    /// What it is called in Chinese.
    zh: &'static str,
    /// What it is called in English.
    en: &'static str,
    /// Whether it comes in files too.
    has_files: bool,
    /// The columns of its files.
    columns: Vec<ColumnView>,
}

/// A column of a file.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ColumnView {
    /// Its Chinese header.
    zh: &'static str,
    /// Its English header.
    en: &'static str,
    /// Whether every row must have a value in it.
    is_required: bool,
}

/// Every kind of row.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct KindsAnswer {
    /// The kinds.
    items: Vec<KindView>,
}

/// Kinds of rows, with the columns of their files
#[utoipa::path(get, path = "/api/v1/registers", tag = "registers", responses(
    (status = 200, body = KindsAnswer),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn kinds(_: RegistersReader) -> Json<KindsAnswer> {
    let items = KINDS.iter().map(|kind| {
        let columns = kind.columns();
        KindView {
            kind: kind.name,
            zh: kind.zh,
            en: kind.en,
            has_files: columns.is_some(),
            columns: columns
                .unwrap_or_default()
                .into_iter()
                .map(|column| ColumnView { zh: column.zh, en: column.en, is_required: column.is_required })
                .collect(),
        }
    });
    Json(KindsAnswer { items: items.collect() })
}

/// An order of a list.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(in super::super) enum SortWord {
    /// Orders, newest first.
    #[serde(rename = "-planned_out")]
    LatestFirst,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only rows with exactly this key: the code of a unit, the plate of a car, the licence of a driver, `unit/number` of an
    /// order, the name of a zone, place or rule set, `calendar/year`, the number of the paper of other rows.
    key: Option<String>,
    /// Only rows that name this car.
    vehicle: Option<i64>,
    /// Only rows of this unit and those below it, by number or code.
    unit: Option<String>,
    /// Only orders in these states, with commas: `applied`, `approved`, `settled`, `refused` or `cancelled`.
    state: Option<String>,
    /// Only rows that speak of this instant or a later one; of an order that is its time as planned and as driven.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    from: Option<UtcMillis>,
    /// Only rows that speak of this instant or an earlier one.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    to: Option<UtcMillis>,
    /// By number when absent; orders also newest first, by when their time as planned and as driven begins.
    #[param(inline)]
    sort: Option<SortWord>,
    /// Only rows that hold at this time.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    valid_at: Option<UtcMillis>,
    /// As it was known at this time; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    known_at: Option<UtcMillis>,
}

impl ListParams {
    /// The states that are asked for; none = all.
    fn states(&self, kind: &Kind) -> Result<Vec<String>, Problem> {
        if self.state.is_some() && kind.name != Order::KIND {
            return Err(Problem::parameter("state", "is for orders"));
        }
        let asked = words(self.state.as_deref()).map(|word| {
            word_of::<OrderState>("state", word)?;
            Ok(word.to_owned())
        });
        asked.collect()
    }

    fn order(&self, kind: &Kind) -> Result<RowOrder, Problem> {
        match self.sort {
            None => Ok(RowOrder::Number),
            Some(SortWord::LatestFirst) if kind.name == Order::KIND => Ok(RowOrder::LatestFirst),
            Some(SortWord::LatestFirst) => Err(Problem::parameter("sort", "is for orders")),
        }
    }
}

/// Rows of a kind, by number and time
#[utoipa::path(get, path = "/api/v1/registers/{kind}", tag = "registers",
    params(("kind" = String, Path, description = "One of the kinds of `/api/v1/registers`"), ListParams),
    responses(
        (status = 200, body = Page<RowView>, description = "One page of what is known; a row that says one thing now and another later has an entry for each. `Link: rel=next` leads to the next page"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn list(
    RegistersReader(granted): RegistersReader,
    State(state): State<ApiState>,
    KindOf(kind): KindOf,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?;
    let data = state.data(&granted.also(permission_to_read(kind))?).await?;
    let states = params.states(kind)?;
    let order = params.order(kind)?;
    let filter = RowFilter {
        order,
        after: params.cursor.as_deref().map(place).transpose()?,
        limit: limit + 1,
        key: params.key,
        vehicle: params.vehicle.map(VehicleId),
        units: params.unit.as_deref().map(|unit| data.subtree_of(unit)).transpose()?,
        from: params.from,
        to: params.to,
        valid_at: params.valid_at,
        known: params.known_at.map_or(Known::Now, Known::At),
    };
    let rows = data.rows(kind, filter, &states).await?;
    let page = Page::cut(rows, limit, |row: &AnyRow| {
        let (id, at, version) = order.place(row);
        cursor(&[&id.to_string(), &at.0.to_string(), &version.to_string()])
    });
    let page =
        Page { items: page.items.into_iter().map(RowView::from).collect(), next_cursor: page.next_cursor };
    Ok(page.answer(&uri))
}

/// The row behind which a page begins.
fn place(cursor: &str) -> Result<(i64, UtcMillis, u32), Problem> {
    let [id, from, version] = cursor_parts::<3>(cursor)?;
    let read = || Some((id.parse().ok()?, UtcMillis(from.parse().ok()?), version.parse().ok()?));
    read().ok_or_else(|| Problem::parameter("cursor", "is not a cursor of this list"))
}

/// A row.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct RowDetail {
    /// The row's number within its kind.
    id: i64,
    /// Its newest version, which the `etag` names.
    version: u32,
    /// What is known of it, by time of validity; empty when it holds at no time any more.
    items: Vec<RowView>,
}

/// Every version of a row.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct HistoryAnswer {
    /// Every version that was ever known, oldest first.
    items: Vec<RowView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct DetailParams {
    /// As it was known at this time; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    known_at: Option<UtcMillis>,
}

/// One row
#[utoipa::path(get, path = "/api/v1/registers/{kind}/{id}", tag = "registers",
    params(
        ("kind" = String, Path, description = "One of the kinds of `/api/v1/registers`"),
        ("id" = i64, Path, description = "The row's number within its kind"),
        DetailParams,
    ),
    responses(
        (status = 200, body = RowDetail, headers(("etag" = String, description = "The newest version, for `If-Match`"))),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn detail(
    RegistersReader(granted): RegistersReader,
    State(state): State<ApiState>,
    RowOf(kind, id): RowOf,
    Params(params): Params<DetailParams>,
) -> Result<Response, Problem> {
    let data = state.data(&granted.also(permission_to_read(kind))?).await?;
    let history = data.row_history(kind, id).await?;
    let Some(version) = history.iter().map(|row| row.version).max() else { return Err(no_row(kind, id)) };
    let mut items: Vec<AnyRow> = history.into_iter().filter(|row| is_known(row, params.known_at)).collect();
    items.sort_by_key(|row| (row.valid.from, row.version));
    let items = items.into_iter().map(RowView::from).collect();
    let tag = etag(i64::from(version));
    Ok(([(header::ETAG, tag)], Json(RowDetail { id, version, items })).into_response())
}

/// Whether a version is what was known at a time, or now, and holds at some time.
fn is_known(row: &AnyRow, at: Option<UtcMillis>) -> bool {
    let holds = row.valid.to.is_none_or(|to| row.valid.from < to);
    let is_recorded = at.is_none_or(|at| row.recorded_at <= at);
    let is_superseded = row.superseded_at.is_some_and(|since| at.is_none_or(|at| since <= at));
    holds && is_recorded && !is_superseded
}

/// Every version of a row
#[utoipa::path(get, path = "/api/v1/registers/{kind}/{id}/history", tag = "registers",
    params(
        ("kind" = String, Path, description = "One of the kinds of `/api/v1/registers`"),
        ("id" = i64, Path, description = "The row's number within its kind"),
    ),
    responses(
        (status = 200, body = HistoryAnswer),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn history(
    RegistersReader(granted): RegistersReader,
    State(state): State<ApiState>,
    RowOf(kind, id): RowOf,
) -> Result<Json<HistoryAnswer>, Problem> {
    let data = state.data(&granted.also(permission_to_read(kind))?).await?;
    let history = data.row_history(kind, id).await?;
    if history.is_empty() {
        return Err(no_row(kind, id));
    }
    Ok(Json(HistoryAnswer { items: history.into_iter().map(RowView::from).collect() }))
}
