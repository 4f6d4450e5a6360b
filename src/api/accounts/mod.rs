//! People: log-ins, own passwords and second factors, accounts and grants, purposes, and the audit log.
//!
//! Secrets come in and go out once; nothing here logs one. Whatever opens or shuts something is noted in the audit log before the
//! answer is given.

mod attempts;
pub(super) mod demo;
pub(super) mod log;
pub(super) mod login;
pub(super) mod manage;
pub(super) mod me;
pub(super) mod purposes;
pub(super) mod tokens;
pub(super) mod units;

use motorpool_protocols::UtcMillis;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::problem::{Code, Problem};
use crate::accounts::password::HashError;
use crate::registry::accounts::Grant;

/// A role on a unit with all below it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GrantView {
    /// Its number.
    id: i64,
    /// The role.
    #[schema(value_type = String, example = "inspector")]
    role: &'static str,
    /// The unit; null = everything.
    unit: Option<i64>,
    /// The unit's name.
    unit_name: Option<String>,
    /// Whether for cars on secret work too.
    secret: bool,
    /// Until when; null = until it is taken away.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<UtcMillis>,
}

impl GrantView {
    async fn of(state: &ApiState, grant: &Grant) -> Result<Self, Problem> {
        let unit_name = match grant.unit {
            Some(unit) => state.unit_name(unit).await?,
            None => None,
        };
        Ok(Self {
            id: grant.id,
            role: grant.role.as_str(),
            unit: grant.unit.map(|unit| unit.0),
            unit_name,
            secret: grant.is_secret,
            until: grant.until,
        })
    }

    async fn all(state: &ApiState, grants: &[Grant]) -> Result<Vec<Self>, Problem> {
        let mut views = Vec::with_capacity(grants.len());
        for grant in grants {
            views.push(Self::of(state, grant).await?);
        }
        Ok(views)
    }
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::new(Code::Unavailable).detail(error.to_string()).retry_after(1),
            HashError::Failed => Self::internal(&error),
        }
    }
}
