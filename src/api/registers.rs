//! `/registers`: rows of every kind by one set of handlers, and files of them.
//!
//! Rows are JSON here: what each kind says and what is wrong with it is decided in [`crate::registers`].

pub(super) mod file;
pub(super) mod read;
pub(super) mod write;

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::Rule;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::Span;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::data::Shown;
use super::problem::{Code, Problem};
use crate::registers::{Kind, kind};
use crate::registry::AnyRow;

/// The `{kind}` of a path.
pub(super) struct KindOf(pub(super) &'static Kind);

impl<S: Send + Sync> FromRequestParts<S> for KindOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await?;
        known_kind(&name).map(Self)
    }
}

/// The `{kind}` and `{id}` of a path.
pub(super) struct RowOf(pub(super) &'static Kind, pub(super) i64);

impl<S: Send + Sync> FromRequestParts<S> for RowOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((name, id)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        let kind = known_kind(&name)?;
        let id = id.parse().map_err(|_| no_row(kind, &id))?;
        Ok(Self(kind, id))
    }
}

fn known_kind(name: &str) -> Result<&'static Kind, Problem> {
    kind(name).ok_or_else(|| Problem::new(Code::NotFound).detail("there is no such kind of row"))
}

fn no_row(kind: &Kind, id: impl std::fmt::Display) -> Problem {
    Problem::new(Code::NotFound).detail(format!("there is no {} {id}", kind.name))
}

/// One version of a row.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RowView {
    /// The row's number within its kind, the same for all its versions.
    id: i64,
    /// 1 for the first version.
    version: u32,
    /// First instant at which it holds; absent = since ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_from: Option<UtcMillis>,
    /// First instant at which it no longer holds; absent = for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_to: Option<UtcMillis>,
    /// Since when the registry knows.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: UtcMillis,
    /// Who wrote it.
    recorded_by: String,
    /// Since when another version has taken its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    superseded_at: Option<UtcMillis>,
    /// What it says; its fields depend on the kind.
    #[schema(value_type = Object)]
    row: serde_json::Value,
}

impl From<AnyRow> for RowView {
    fn from(row: AnyRow) -> Self {
        Self {
            id: row.id,
            version: row.version,
            valid_from: Some(row.valid.from).filter(|from| *from != Span::ALWAYS.from),
            valid_to: row.valid.to,
            recorded_at: row.recorded_at,
            recorded_by: row.recorded_by,
            superseded_at: row.superseded_at,
            row: row.row,
        }
    }
}

/// What a change would clear, as far as the caller sees it. Who does not review learns only that it waits for a second person.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ClearanceView {
    /// How many open questions about conduct that the caller sees it would clear (将消除 N 条); absent when nobody has counted or the
    /// caller does not review.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_clear: Option<u32>,
    /// How many open questions it touches, when they are too many to be judged while the caller waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<usize>,
    /// How many of each rule.
    #[schema(value_type = BTreeMap<String, u32>)]
    by_rule: BTreeMap<Rule, u32>,
    /// How many of each unit under review, by its number.
    #[schema(value_type = BTreeMap<String, u32>)]
    by_unit: BTreeMap<UnitId, u32>,
}

impl From<&Shown> for ClearanceView {
    fn from(shown: &Shown) -> Self {
        let mut view = Self {
            would_clear: shown.flags.as_ref().map(|flags| u32::try_from(flags.len()).unwrap_or(u32::MAX)),
            open: shown.open,
            by_rule: BTreeMap::new(),
            by_unit: BTreeMap::new(),
        };
        for (rule, unit) in shown.flags.iter().flat_map(BTreeMap::values) {
            *view.by_rule.entry(*rule).or_default() += 1;
            *view.by_unit.entry(*unit).or_default() += 1;
        }
        view
    }
}
