//! API tokens, for security administrators of everything: which there are, when each was used last, and taking one away.
//!
//! They are made at the command line only (`motorpool token create`): a token may do more than whoever looks after accounts may, so no
//! account can be a way to one.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::ApiState;
use super::super::auth::{AccountsReader, AccountsWriter, Granted};
use super::super::data::telling;
use super::super::extract::{Page, Params, cursor, cursor_parts, limit_of};
use super::super::problem::{Code, Problem, ProblemBody};
use crate::registry::Token;

/// An API token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct TokenView {
    /// The part of it that may be shown.
    #[schema(example = "3f9a0c21")]
    id: String,
    /// What it is for.
    name: String,
    /// What it may do.
    #[schema(value_type = Vec<String>, example = json!(["read"]))]
    scopes: Vec<&'static str>,
    /// Whom it stands for in cases, if anybody.
    person: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// By whom.
    created_by: String,
    /// From when on it is refused; null = never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<UtcMillis>,
    /// When it was used last, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<UtcMillis>,
}

impl From<&Token> for TokenView {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            scopes: token.scopes.iter().map(|scope| scope.as_str()).collect(),
            person: token.person.as_ref().map(|person| person.name.clone()),
            created_at: token.created_at,
            created_by: token.created_by.clone(),
            expires_at: token.expires_at,
            last_used_at: token.last_used_at(),
        }
    }
}

/// Tokens belong to no unit.
async fn over_everything(state: &ApiState, granted: &Granted) -> Result<(), Problem> {
    if state.scope(granted).await?.is_everything() {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden).detail("that takes a grant on everything, not on a unit"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct TokenParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// API tokens, by id
#[utoipa::path(get, path = "/api/v1/tokens", tag = "accounts", params(TokenParams), responses(
    (status = 200, body = Page<TokenView>, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    AccountsReader(granted): AccountsReader,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<TokenParams>,
) -> Result<Response, Problem> {
    over_everything(&state, &granted).await?;
    let limit = limit_of(params.limit)?;
    let after = params.cursor.as_deref().map(cursor_parts::<1>).transpose()?.map(|[id]| id);
    let tokens = state.people().tokens();
    let mut views: Vec<TokenView> = tokens.iter().map(|token| TokenView::from(&**token)).collect();
    views.retain(|view| after.as_ref().is_none_or(|after| view.id > *after));
    views.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    views.truncate(limit as usize + 1);
    Ok(Page::cut(views, limit, |view: &TokenView| cursor(&[&view.id])).answer(&uri))
}

/// Take an API token away
///
/// What goes on with it, a stream for instance, ends within seconds.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The part between `mp_` and the secret")), responses(
    (status = 204, description = "It is refused from now on"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn revoke(
    AccountsWriter(granted): AccountsWriter,
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    over_everything(&state, &granted).await?;
    let (who, now) = (granted.recorded_as(), state.now());
    let deed = telling(&granted, "token.revoke", String::new());
    if state.people().telling(&deed, now).revoke_token(&id, &who, now).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(Code::NotFound).detail("there is no such token"))
}
