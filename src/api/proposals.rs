//! `/proposals`: changes of registers that would clear open questions, and what a second person says to them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::{Approver, Clerk, RegistersReader};
use super::data::{Decision, Questions, Shown, clearance_of};
use super::extract::{Id, Page, Params, cursor, cursor_number, limit_of};
use super::once::Sent;
use super::problem::{Code, Problem, ProblemBody};
use super::registers::ClearanceView;
use crate::registry::{Proposal, ProposalFilter, ProposalState};

/// Characters of the reason of a refusal at most.
const REASON_CHARS_MAX: usize = 500;

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ProposalStateWord {
    /// It waits.
    Open,
    /// A second person approved it: it is written.
    Approved,
    /// It was turned down.
    Rejected,
}

impl From<ProposalState> for ProposalStateWord {
    fn from(state: ProposalState) -> Self {
        match state {
            ProposalState::Open => Self::Open,
            ProposalState::Approved => Self::Approved,
            ProposalState::Rejected => Self::Rejected,
        }
    }
}

impl From<ProposalStateWord> for ProposalState {
    fn from(state: ProposalStateWord) -> Self {
        match state {
            ProposalStateWord::Open => Self::Open,
            ProposalStateWord::Approved => Self::Approved,
            ProposalStateWord::Rejected => Self::Rejected,
        }
    }
}

/// A proposal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProposalView {
    /// Its number.
    id: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    at: UtcMillis,
    /// Who asked.
    by: String,
    /// The kind of the rows.
    kind: String,
    /// How many rows it changes.
    changes: usize,
    /// Where it stands.
    state: ProposalStateWord,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<UtcMillis>,
    /// Why it was turned down, when who did said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    clearance: ClearanceView,
}

/// A proposal with the whole change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProposalDetail {
    #[serde(flatten)]
    proposal: ProposalView,
    /// The open questions that it would clear and that the caller sees, by their ids.
    flags: Vec<String>,
    /// The changes: `op`, the row's `id`, the version `expected`, when it is `valid`, and the `row`.
    #[schema(value_type = Vec<Object>)]
    body: serde_json::Value,
}

/// A proposal that was approved.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApprovedAnswer {
    /// The proposal.
    proposal: i64,
    /// How many rows were written.
    written: usize,
}

async fn view(proposal: &Proposal, questions: &mut Questions) -> Result<(ProposalView, Shown), Problem> {
    let shown = questions.shown(&clearance_of(proposal)?).await?;
    let view = ProposalView {
        id: proposal.id,
        at: proposal.at,
        by: proposal.by.clone(),
        kind: proposal.kind.clone(),
        changes: proposal.body.as_array().map_or(0, Vec::len),
        state: proposal.state.into(),
        decided_by: proposal.decided_by.clone(),
        decided_at: proposal.decided_at,
        reason: proposal.reason.clone(),
        clearance: (&shown).into(),
    };
    Ok((view, shown))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Proposals of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only proposals in this state.
    #[param(inline)]
    state: Option<ProposalStateWord>,
}

/// Proposals, newest first
#[utoipa::path(get, path = "/api/v1/proposals", tag = "proposals", params(ListParams), responses(
    (status = 200, body = Page<ProposalView>, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    RegistersReader(granted): RegistersReader,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    // A page of a thousand needs one more, which the registry does not give.
    let limit = limit_of(params.limit)?.min(999);
    let before = cursor_number(params.cursor.as_deref())?;
    let filter = ProposalFilter { before, limit: limit + 1, state: params.state.map(Into::into) };
    let data = state.data(&granted).await?;
    let mut questions = data.questions().await?;
    let mut views = Vec::new();
    for proposal in data.proposals(filter).await? {
        views.push(view(&proposal, &mut questions).await?.0);
    }
    Ok(Page::cut(views, limit, |view: &ProposalView| cursor(&[&view.id.to_string()])).answer(&uri))
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| no_proposal(id))
}

fn no_proposal(id: &str) -> Problem {
    Problem::new(Code::NotFound).detail(format!("there is no proposal {id}"))
}

/// One proposal, with the whole change
#[utoipa::path(get, path = "/api/v1/proposals/{id}", tag = "proposals",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = ProposalDetail),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn detail(
    RegistersReader(granted): RegistersReader,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<ProposalDetail>, Problem> {
    let data = state.data(&granted).await?;
    let proposal = data.proposal(number(&id)?).await?.ok_or_else(|| no_proposal(&id))?;
    let (view, shown) = view(&proposal, &mut data.questions().await?).await?;
    let flags = shown.flags.iter().flat_map(BTreeMap::keys).map(ToString::to_string).collect();
    Ok(Json(ProposalDetail { proposal: view, flags, body: proposal.body }))
}

/// Approve a proposal as the second person
///
/// Writes the change. The one who asked can't approve: people are told apart by their numbers, tokens that stand for nobody by their names. The
/// approval is for the questions that the proposal names: when it would clear others by now, the proposal is brought up to date and
/// this is answered with 409. In the cases of those questions the approval is noted with the change.
#[utoipa::path(post, path = "/api/v1/proposals/{id}/approve", tag = "proposals",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = ApprovedAnswer),
        (status = 403, body = ProblemBody, content_type = "application/problem+json", description = "Who asked can't approve, nor who does not see every question that it names"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "Decided already, its rows were changed meanwhile, or it would clear other questions by now"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn approve(
    Approver(granted): Approver,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<ApprovedAnswer>, Problem> {
    let proposal = number(&id)?;
    let written = state.data(&granted).await?.decide(proposal, Decision::Approve).await?;
    Ok(Json(ApprovedAnswer { proposal, written: written.len() }))
}

/// Why a proposal is turned down.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectRequest {
    /// For who asked, up to 500 characters; nothing is said when absent or blank.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: Option<String>,
}

impl RejectRequest {
    fn reason(&self) -> Result<Option<&str>, Problem> {
        let reason = self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        if reason.is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
            let message = format!("has more than {REASON_CHARS_MAX} characters");
            return Err(Problem::field("/reason", message));
        }
        Ok(reason)
    }
}

/// Turn a proposal down, or take it back
#[utoipa::path(post, path = "/api/v1/proposals/{id}/reject", tag = "proposals",
    request_body = Option<RejectRequest>,
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = ProposalView),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "Decided already"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn reject(
    Clerk(granted): Clerk,
    State(state): State<ApiState>,
    Id(id): Id,
    sent: Sent,
) -> Result<Json<ProposalView>, Problem> {
    let number = number(&id)?;
    let request = if sent.body.is_empty() { RejectRequest::default() } else { sent.json()? };
    let data = state.data(&granted).await?;
    data.decide(number, Decision::Reject(request.reason()?)).await?;
    let found = data.proposal(number).await?;
    let proposal = found.ok_or_else(|| no_proposal(&id))?;
    Ok(Json(view(&proposal, &mut data.questions().await?).await?.0))
}
