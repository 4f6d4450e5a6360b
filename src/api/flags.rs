//! `/flags`: what rules found, in words, with its history, and judged again on demand.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::Rule;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Supervising;
use super::desk::{Desk, Sentences};
use super::extract::{Id, Page, Params, cursor, cursor_parts, limit_of, word_of, words};
use super::problem::{Problem, ProblemBody};
use crate::registry::{Flag, FlagFilter, FlagState, FlagTurn};

/// Flags of one page at most.
const PAGE_MAX: u32 = 200;

/// A flag: a question, never a verdict.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FlagView {
    /// Hash of the finding.
    id: String,
    /// The first version of its line.
    lineage: String,
    /// The version whose place it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    predecessor: Option<String>,
    /// `open`, `superseded` or `closed`.
    #[schema(value_type = String)]
    state: &'static str,
    /// Since when it is in this state.
    #[schema(value_type = String, format = DateTime)]
    state_at: UtcMillis,
    /// The version in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<String>,
    /// Why it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it was recorded first.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: UtcMillis,
    /// The change of the registry with which it was judged first.
    change: i64,
    /// In words.
    sentence: Sentences,
    /// The finding: rule, version, parameters, measures, orders, what speaks for the person. Without people and other cars for who does
    /// not review the unit.
    #[schema(value_type = Object)]
    finding: serde_json::Value,
}

impl FlagView {
    pub(super) fn of(flag: Flag, desk: &Desk) -> Self {
        let finding = desk.readable(flag.finding);
        Self {
            sentence: desk.sentences(&finding),
            finding: serde_json::to_value(&finding).unwrap_or_default(),
            id: flag.id,
            lineage: flag.lineage,
            predecessor: flag.predecessor,
            state: flag.state.as_str(),
            state_at: flag.state_at,
            superseded_by: flag.superseded_by,
            reason: flag.reason,
            recorded_at: flag.recorded_at,
            change: flag.change,
        }
    }
}

/// A flag with every state it had.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FlagDetail {
    #[serde(flatten)]
    flag: FlagView,
    /// Every state, oldest first.
    history: Vec<TurnView>,
}

/// A state that a flag had.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TurnView {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    at: UtcMillis,
    /// Which.
    #[schema(value_type = String)]
    state: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The version in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<String>,
}

impl From<FlagTurn> for TurnView {
    fn from(turn: FlagTurn) -> Self {
        Self {
            at: turn.at,
            state: turn.state.as_str(),
            reason: turn.reason,
            superseded_by: turn.superseded_by,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 200; 100 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `open`, `superseded` or `closed`; open ones when absent.
    state: Option<String>,
    /// First local day.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Last local day.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
    /// The vehicle, by number or plate.
    vehicle: Option<String>,
    /// A unit with those below it, by number or code.
    unit: Option<String>,
    /// Rules with commas, for example `R01,R05`.
    rules: Option<String>,
    /// `yellow`, `red` or `grey`.
    colour: Option<String>,
    /// `flag` or `undecidable`.
    outcome: Option<String>,
    /// `conduct`, `paperwork`, `equipment` or `statistic`.
    nature: Option<String>,
    /// Those of rule sets on trial in place of the others.
    #[serde(default)]
    trial: bool,
}

impl ListParams {
    async fn filter(&self, desk: &Desk) -> Result<FlagFilter, Problem> {
        let after = match self.cursor.as_deref().map(cursor_parts::<2>).transpose()? {
            Some([day, id]) => {
                let day =
                    day.parse().map_err(|_| Problem::parameter("cursor", "is not a cursor of this list"))?;
                Some((day, id))
            }
            None => None,
        };
        let word = self.state.as_deref().unwrap_or("open");
        let flag_state =
            FlagState::from_word(word).ok_or_else(|| Problem::parameter("state", "is no state of a flag"))?;
        let vehicle = match &self.vehicle {
            Some(text) => Some(desk.data().vehicle_id(text).await?),
            None => None,
        };
        let rule = |code: &str| {
            Rule::from_code(code)
                .ok_or_else(|| Problem::parameter("rules", format!("there is no rule `{code}`")))
        };
        Ok(FlagFilter {
            after,
            limit: PAGE_MAX,
            state: Some(flag_state),
            from: self.from,
            to: self.to,
            vehicle,
            units: self.unit.as_deref().map(|unit| desk.subtree(unit)).transpose()?.unwrap_or_default(),
            rules: words(self.rules.as_deref()).map(rule).collect::<Result<_, _>>()?,
            colour: self.colour.as_deref().map(|word| word_of("colour", word)).transpose()?,
            outcome: self.outcome.as_deref().map(|word| word_of("outcome", word)).transpose()?,
            nature: self.nature.as_deref().map(|word| word_of("nature", word)).transpose()?,
            is_trial: Some(self.trial),
        })
    }
}

/// Flags, earliest day first
#[utoipa::path(get, path = "/api/v1/flags", tag = "flags", params(ListParams), responses(
    (status = 200, body = Page<FlagView>, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?.min(PAGE_MAX);
    let desk = Desk::of(&state, &granted).await?;
    let mut filter = params.filter(&desk).await?;
    let mut views = Vec::new();
    // Flags that this viewer must not see leave no trace, so pages are filled from behind them.
    while views.len() <= limit as usize {
        let flags = desk.flag_rows(&filter).await?;
        let is_last = flags.len() < PAGE_MAX as usize;
        filter.after = flags.last().map(|flag| (flag.finding.day, flag.id.clone()));
        for flag in flags {
            if views.len() <= limit as usize && desk.sees_flag(&flag.finding).await? {
                views.push((flag.finding.day, FlagView::of(flag, &desk)));
            }
        }
        if is_last {
            break;
        }
    }
    let page = Page::cut(views, limit, |(day, view)| cursor(&[&day.to_string(), &view.id]));
    let items = page.items.into_iter().map(|(_, view)| view).collect();
    Ok(Page { items, next_cursor: page.next_cursor }.answer(&uri))
}

/// One flag in words, with its history
#[utoipa::path(get, path = "/api/v1/flags/{id}", tag = "flags",
    params(("id" = String, Path, description = "The flag")),
    responses(
        (status = 200, body = FlagDetail),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn detail(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<FlagDetail>, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    let flag = desk.flag(&id).await?;
    let history = desk.flag_history(&flag).await?;
    let history = history.into_iter().map(Into::into).collect();
    Ok(Json(FlagDetail { flag: FlagView::of(flag, &desk), history }))
}

/// What judging a flag's day again gave.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecomputedView {
    /// Whether the very same finding came out.
    same: bool,
    /// The fields in which it differs.
    differs: Vec<String>,
    /// The finding that answers the same question now; absent when nothing is found any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    finding: Option<serde_json::Value>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    sentence: Option<Sentences>,
    /// The change of the registry that it was judged with.
    change: i64,
}

/// Judge the day of a flag again from what is stored
///
/// Nothing is written.
#[utoipa::path(post, path = "/api/v1/flags/{id}/recompute", tag = "flags",
    params(("id" = String, Path, description = "The flag")),
    responses(
        (status = 200, body = RecomputedView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn judge_again(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<RecomputedView>, Problem> {
    let _place = state.heavy_place(&granted)?;
    let desk = Desk::of(&state, &granted).await?;
    let flag = desk.flag(&id).await?;
    let again = desk.recompute(&flag).await?;
    let same = again.is_same();
    let finding = again.finding.map(|finding| desk.readable(finding));
    Ok(Json(RecomputedView {
        same,
        sentence: finding.as_ref().map(|finding| desk.sentences(finding)),
        finding: finding.and_then(|finding| serde_json::to_value(finding).ok()),
        differs: again.differs,
        change: again.change,
    }))
}
