//! The units that an administrator of accounts may name in a grant: numbers, names and the order among them, nothing else of them.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::auth::AccountsWriter;
use super::super::problem::{Problem, ProblemBody};

/// A unit that a grant may name.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct GrantUnit {
    /// Its number.
    id: i64,
    /// Its name.
    name: String,
    /// The unit above, when a grant may name that too.
    parent: Option<i64>,
}

/// The units that grants may name.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct GrantUnits {
    /// The units, lowest number first.
    items: Vec<GrantUnit>,
}

/// Units on which the caller gives grants
#[utoipa::path(get, path = "/api/v1/units", tag = "accounts", responses(
    (status = 200, body = GrantUnits),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    AccountsWriter(granted): AccountsWriter,
    State(state): State<ApiState>,
) -> Result<Json<GrantUnits>, Problem> {
    let scope = state.scope(&granted).await?;
    let units = scope.fleet().units().iter().filter(|(id, _)| scope.sees_unit(**id));
    let items = units.map(|(id, unit)| GrantUnit {
        id: id.0,
        name: unit.name.clone(),
        parent: unit.parent.filter(|parent| scope.sees_unit(*parent)).map(|parent| parent.0),
    });
    Ok(Json(GrantUnits { items: items.collect() }))
}
