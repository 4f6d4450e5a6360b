//! The demo's accounts, for the page on which people log in: only a demo has them, and only there do they open anything.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::problem::{Code, Problem, ProblemBody};
use super::GrantView;
use crate::accounts::password::DEMO_PASSWORD;

/// An account of the demo.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct DemoAccount {
    /// The log-in name.
    name: String,
    /// What others read.
    display_name: String,
    /// The password, the same for all.
    #[schema(value_type = String)]
    password: &'static str,
    /// Its roles.
    grants: Vec<GrantView>,
}

/// The accounts of the demo.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct DemoAccounts {
    /// One for each role.
    items: Vec<DemoAccount>,
}

/// The accounts of the demo; anywhere else there is nothing here
#[utoipa::path(get, path = "/api/v1/demo/accounts", tag = "accounts", security(()), responses(
    (status = 200, body = DemoAccounts),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(State(state): State<ApiState>) -> Result<Json<DemoAccounts>, Problem> {
    if !state.is_demo() {
        return Err(Problem::new(Code::NotFound));
    }
    let mut items = Vec::new();
    for account in state.people().demo_accounts().await? {
        let grants = state.people().grants(account.id).await?;
        items.push(DemoAccount {
            name: account.name,
            display_name: account.display_name,
            password: DEMO_PASSWORD,
            grants: GrantView::all(&state, &grants).await?,
        });
    }
    Ok(Json(DemoAccounts { items }))
}
