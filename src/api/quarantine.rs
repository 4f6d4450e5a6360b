//! `/quarantine`: terminals that knocked and that nobody approved.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::{DevicesReader, DevicesWriter};
use super::devices::{EnrolAnswer, RegisteredView, identity, known_profile};
use super::extract::{Body, Page, Params, cursor, cursor_parts, limit_of};
use super::problem::{Problem, ProblemBody};
use crate::registry::{QuarantineFilter, Quarantined};
use crate::telemetry::logging::masked_ip;

/// An unknown terminal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantinedView {
    /// The protocol it speaks.
    protocol: String,
    /// Its identity as first sent.
    terminal: String,
    /// When it knocked first, as far as is remembered.
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: UtcMillis,
    /// When it knocked last.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: UtcMillis,
    /// How often it knocked.
    attempts: i64,
    /// The address it came from last; its host part is masked unless the token may do everything.
    peer: String,
    /// What it wanted to register with.
    #[serde(skip_serializing_if = "Option::is_none")]
    registered: Option<RegisteredView>,
    /// The key of the cursor.
    #[serde(skip)]
    key: String,
}

impl QuarantinedView {
    fn of(q: Quarantined, shows_peers: bool) -> Self {
        let masked = q.peer.parse().map_or_else(|_| "*".to_owned(), masked_ip);
        Self {
            key: q.key().to_owned(),
            protocol: q.protocol,
            terminal: q.terminal,
            first_seen_at: q.first_seen,
            last_seen_at: q.last_seen,
            attempts: q.attempts,
            peer: if shows_peers { q.peer } else { masked },
            registered: q.registered.map(Into::into),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Terminals that knocked and that nobody approved
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "quarantine", params(ListParams), responses(
    (status = 200, body = Page<QuarantinedView>, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    DevicesReader(granted): DevicesReader,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?;
    let after = params.cursor.as_deref().map(cursor_parts::<2>).transpose()?;
    let after = after.map(|[protocol, key]| (protocol, key));
    let data = state.data(&granted).await?;
    let rows = data.quarantine(&QuarantineFilter { after, limit: limit + 1 }).await?;
    let shows_peers = granted.runs_the_server();
    let views = rows.into_iter().map(|row| QuarantinedView::of(row, shows_peers)).collect();
    let page = Page::cut(views, limit, |view: &QuarantinedView| cursor(&[&view.protocol, &view.key]));
    Ok(page.answer(&uri))
}

/// Which terminals to approve: all of the quarantine, or a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproveRequest {
    /// Everything that is in quarantine now.
    #[serde(default)]
    all: bool,
    /// These terminals; one that is not in quarantine is made known ahead of its first call.
    #[serde(default)]
    terminals: Vec<TerminalItem>,
    /// The profile to read the listed terminals with; `standard` when absent.
    profile: Option<String>,
}

/// A terminal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TerminalItem {
    /// Its identity.
    #[schema(example = "013912345678")]
    terminal: String,
    /// The protocol it speaks; `jt808` when absent.
    protocol: Option<String>,
}

/// Approve terminals
///
/// Approving is idempotent: a terminal that is approved stays as it is. So a request may be repeated, with or
/// without an `Idempotency-Key`.
#[utoipa::path(post, path = "/api/v1/quarantine/approve", tag = "quarantine", request_body = ApproveRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Accepted and not stored; the request is idempotent anyway")),
    responses(
    (status = 200, body = EnrolAnswer, description = "What became of each terminal"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn approve(
    DevicesWriter(granted): DevicesWriter,
    State(state): State<ApiState>,
    Body(request): Body<ApproveRequest>,
) -> Result<Json<EnrolAnswer>, Problem> {
    if request.all != request.terminals.is_empty() {
        return Err(Problem::field("/terminals", "give either `all` or a list of terminals"));
    }
    known_profile(&state, request.profile.as_deref()).map_err(|error| Problem::field("/profile", error))?;
    let data = state.data(&granted).await?;
    if request.all {
        let results = data.approve_all_quarantined().await?;
        return Ok(Json(EnrolAnswer::all(results.into_iter())));
    }
    let mut terminals = Vec::with_capacity(request.terminals.len());
    for (at, item) in request.terminals.iter().enumerate() {
        let identity = identity(item.protocol.as_deref(), &item.terminal);
        terminals.push(identity.map_err(|error| Problem::field(format!("/terminals/{at}"), error))?);
    }
    let results = data.approve_terminals(&terminals, request.profile.as_deref()).await?;
    let asked = request.terminals.into_iter().map(|item| item.terminal);
    Ok(Json(EnrolAnswer::all(asked.zip(results))))
}
