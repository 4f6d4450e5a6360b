//! The queue: cases, likeliest first, with counts by stage.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Case, Stage};
use motorpool_supervision::finding::{Colour, Rule};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::ApiState;
use super::super::auth::Supervising;
use super::super::desk::Desk;
use super::super::extract::{
    Page, Params, cursor, cursor_parts, instant, limit_of, next_link, with_link, word_of, words,
};
use super::super::problem::{Problem, ProblemBody};
use super::{allowed_in, plate};
use crate::registry::{CaseFilter, CaseRow};

/// Cases of one page at most.
const PAGE_MAX: u32 = 200;
/// Rows read at once.
const ROWS_AT_ONCE: u32 = 2_000;
/// Rows that one count looks at; behind them it says that there are more.
const COUNTED_MAX: usize = 100_000;
/// Cases whose logs one count reads, when a filter asks for what only the log tells.
const READ_FOR_COUNT_MAX: usize = 5_000;

/// A case in the queue.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct QueuedCase {
    /// Its name.
    #[schema(example = "v12-2026-03-04")]
    id: String,
    /// Number of its last event that this viewer sees.
    seq: u32,
    /// The vehicle; absent for a unit's orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicle: Option<i64>,
    /// Its plate.
    plate: String,
    /// The unit under review.
    unit: i64,
    /// Its name.
    unit_name: String,
    /// The local day.
    #[schema(value_type = String, format = Date)]
    day: Date,
    /// `new`, `checking`, `explanation_asked`, `explained`, `proposed` or `closed`.
    #[schema(value_type = String)]
    state: Stage,
    /// The gravest colour of what is live.
    #[schema(value_type = String)]
    colour: Colour,
    /// The rules of its live flags.
    #[schema(value_type = Vec<String>)]
    rules: Vec<Rule>,
    /// Why it stands where it stands: points and their reasons. Empty in a blind lot.
    #[schema(value_type = Vec<Object>)]
    why: serde_json::Value,
    /// Who works on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<String>,
    /// The last local day on which an answer keeps the next reminder away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    due: Option<Date>,
    /// Whether it is kept from the unit.
    is_confidential: bool,
    /// When its last event was recorded.
    #[schema(value_type = String, format = DateTime)]
    changed_at: UtcMillis,
    /// What the caller's roles allow in this case; whether it is possible where the case stands shows when it is tried.
    #[schema(value_type = Vec<String>)]
    allowed: Vec<&'static str>,
}

impl QueuedCase {
    async fn of(desk: &Desk, row: &CaseRow, seen: &Case) -> Result<Self, Problem> {
        let mut rules: Vec<Rule> = seen.live_flags().map(|live| live.flag.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        let is_reviewer = desk.actor_in(seen).is_ok_and(|actor| actor.is_reviewer());
        let why = row.summary.get("why").filter(|_| is_reviewer && i64::from(seen.seq) == row.seq);
        Ok(Self {
            id: row.case_id.clone(),
            seq: seen.seq,
            vehicle: Some(row.vehicle.0).filter(|id| *id != 0),
            plate: plate(desk, seen).await?,
            unit: row.unit.0,
            unit_name: desk.unit_name(row.unit, desk.world.instant(row.day, 0)),
            day: row.day,
            state: seen.stage,
            colour: seen.colour(),
            rules,
            why: why.cloned().unwrap_or_else(|| serde_json::json!([])),
            assignee: seen.assignee.as_ref().map(|(_, name)| name.clone()),
            due: desk.due(seen),
            is_confidential: seen.confidential.is_some(),
            changed_at: seen.changed_at,
            allowed: allowed_in(desk, seen),
        })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 200; 100 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Stages with commas; all but `closed` when absent.
    state: Option<String>,
    /// A unit with those below it, by number or code.
    unit: Option<String>,
    /// The vehicle, by number or plate.
    vehicle: Option<String>,
    /// First local day.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Last local day.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
    /// `green`, `yellow` or `red`.
    colour: Option<String>,
    /// The name of who works on it.
    assignee: Option<String>,
    /// Only cases whose unit was asked before this.
    #[serde(default, deserialize_with = "instant")]
    #[param(value_type = Option<String>, format = DateTime)]
    asked_before: Option<UtcMillis>,
    /// Only confidential ones, or only the others.
    confidential: Option<bool>,
}

/// The stages that a list shows when nobody says.
const OPEN: [&str; 5] = ["new", "checking", "explanation_asked", "explained", "proposed"];

/// What the caller asked for: the stages as the caller sees them, and the rest as a filter.
struct Wanted {
    states: Vec<String>,
    colour: Option<Colour>,
    assignee: Option<String>,
    filter: CaseFilter,
}

impl ListParams {
    async fn wanted(self, desk: &Desk) -> Result<Wanted, Problem> {
        let asked: Vec<String> = words(self.state.as_deref()).map(str::to_owned).collect();
        let is_stage = |word: &String| OPEN.contains(&word.as_str()) || word == "closed";
        if let Some(word) = asked.iter().find(|word| !is_stage(word)) {
            return Err(Problem::parameter("state", format!("there is no stage `{word}`")));
        }
        let states = if asked.is_empty() { OPEN.map(str::to_owned).to_vec() } else { asked };
        let after = match self.cursor.as_deref().map(cursor_parts::<2>).transpose()? {
            Some([rank, id]) => {
                let wrong = |_| Problem::parameter("cursor", "is not a cursor of this list");
                Some((rank.parse().map_err(wrong)?, id))
            }
            None => None,
        };
        let vehicle = match &self.vehicle {
            Some(text) => Some(desk.data().vehicle_id(text).await?),
            None => None,
        };
        let filter = CaseFilter {
            after,
            limit: ROWS_AT_ONCE,
            units: self.unit.as_deref().map(|unit| desk.subtree(unit)).transpose()?.unwrap_or_default(),
            vehicle,
            from: self.from,
            to: self.to,
            due_before: self.asked_before,
            is_confidential: self.confidential,
            ..CaseFilter::default()
        };
        let colour = self.colour.as_deref().map(|word| word_of("colour", word)).transpose()?;
        Ok(Wanted { states, colour, assignee: self.assignee, filter })
    }
}

impl Wanted {
    /// Whether the case, as the caller sees it, is one of those asked for: filters must not tell what a view hides.
    fn takes(&self, seen: &Case) -> bool {
        self.takes_stage(seen.stage) && self.takes_whatever_stage(seen)
    }

    /// As [`Wanted::takes`], whatever stage the case is in.
    fn takes_whatever_stage(&self, seen: &Case) -> bool {
        let assignee = seen.assignee.as_ref().map(|(_, name)| name);
        self.colour.is_none_or(|colour| colour == seen.colour())
            && self.assignee.as_ref().is_none_or(|name| Some(name) == assignee)
    }

    /// Whether the row of a case does not tell if it is one of those asked for.
    const fn needs_the_log(&self) -> bool {
        self.colour.is_some() || self.assignee.is_some()
    }

    fn takes_stage(&self, stage: Stage) -> bool {
        let word = serde_json::to_value(stage).unwrap_or_default();
        self.states.iter().any(|state| word == state.as_str())
    }
}

/// The queue.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct QueueView {
    #[serde(flatten)]
    page: Page<QueuedCase>,
    /// How many cases of the same filter there are in each stage, whatever `state` says; on the first page only. At most 100,000 cases
    /// are counted, at most the 5,000 likeliest with `colour` or `assignee`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({"new": 12, "checking": 3}))]
    counts: Option<BTreeMap<Stage, u64>>,
}

/// Cases, likeliest first
#[utoipa::path(get, path = "/api/v1/cases", tag = "cases", params(ListParams), responses(
    (status = 200, body = QueueView, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?.min(PAGE_MAX);
    let desk = Desk::of(&state, &granted).await?;
    let is_first = params.cursor.is_none();
    let wanted = params.wanted(&desk).await?;
    let counts = if is_first { Some(counts(&desk, &wanted).await?) } else { None };
    let mut views: Vec<(i64, QueuedCase)> = Vec::new();
    let mut filter = wanted.filter.clone();
    'rows: loop {
        let rows = desk.case_rows(&filter).await?;
        filter.after = rows.last().map(|row| (row.rank, row.case_id.clone()));
        for row in &rows {
            // The row decides for most cases; the log is read only for those that may be shown.
            let stage = desk.stage_of(row);
            if !stage.is_some_and(|stage| wanted.takes_stage(stage)) {
                continue;
            }
            let seen = desk.case_of(row).await?.filter(|seen| wanted.takes(seen));
            let Some(seen) = seen else { continue };
            views.push((row.rank, QueuedCase::of(&desk, row, &seen).await?));
            if views.len() > limit as usize {
                break 'rows;
            }
        }
        if rows.len() < ROWS_AT_ONCE as usize {
            break;
        }
    }
    let page = Page::cut(views, limit, |(rank, view)| cursor(&[&rank.to_string(), &view.id]));
    let link = page.next_cursor.as_ref().map(|next| next_link(&uri, "cursor", next));
    let items = page.items.into_iter().map(|(_, view)| view).collect();
    let view = QueueView { page: Page { items, next_cursor: page.next_cursor }, counts };
    Ok(with_link(Json(view).into_response(), link))
}

/// How many of the cases asked for this viewer sees in each stage.
async fn counts(desk: &Desk, wanted: &Wanted) -> Result<BTreeMap<Stage, u64>, Problem> {
    let mut counts = BTreeMap::new();
    let mut filter = wanted.filter.clone();
    let mut read = 0;
    for _ in 0..COUNTED_MAX / ROWS_AT_ONCE as usize {
        let rows = desk.case_rows(&filter).await?;
        for row in &rows {
            let Some(mut stage) = desk.stage_of(row) else { continue };
            if wanted.needs_the_log() {
                if read == READ_FOR_COUNT_MAX {
                    return Ok(counts);
                }
                read += 1;
                let seen = desk.case_of(row).await?.filter(|seen| wanted.takes_whatever_stage(seen));
                let Some(seen) = seen else { continue };
                stage = seen.stage;
            }
            *counts.entry(stage).or_insert(0) += 1;
        }
        if rows.len() < ROWS_AT_ONCE as usize {
            break;
        }
        filter.after = rows.last().map(|row| (row.rank, row.case_id.clone()));
    }
    Ok(counts)
}
