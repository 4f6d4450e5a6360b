//! Who may say since when an order is on paper.
//!
//! A paper counts as late by when it was recorded, or by `entered_at`, when a system that the office trusts took it in earlier. That
//! field makes late paper look good, so no person may set it: only a machine that the office let in, and whoever has the command line.
//! That a changed order is never older than its change is the registry's to see to, whoever wrote it.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::register::{Order, Row as _};
use serde_json::Value as Json;

use crate::registry::{AnyRow, Change};

/// Why an order may not say since when it is on paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "callers may tell them apart")]
pub enum EnteredFault {
    /// It is said by somebody who may not.
    #[error(
        "only a trusted system or an import at the command line says when an order was taken in: leave it out"
    )]
    NotTrusted,
    /// It has not come yet.
    #[error("must not be later than now")]
    InTheFuture,
}

/// Refuses orders that say, without being allowed to, since when they are on paper. What a stored order of that number says already may be
/// said again: who corrects an order sends all of it.
pub(super) fn check(
    kind: &str,
    known: &[AnyRow],
    changes: &[Change<Json>],
    is_trusted: bool,
    now: UtcMillis,
) -> Result<(), EnteredFault> {
    if kind != Order::KIND {
        return Ok(());
    }
    for change in changes {
        let Some(at) = change.says().and_then(|(_, row)| entered_at(row)) else { continue };
        let is_known = |row: &&AnyRow| Some(row.id) == change.id() && entered_at(&row.row) == Some(at);
        if at > now {
            return Err(EnteredFault::InTheFuture);
        }
        if !is_trusted && !known.iter().any(|row| is_known(&row)) {
            return Err(EnteredFault::NotTrusted);
        }
    }
    Ok(())
}

/// The time in a row that was checked.
fn entered_at(row: &Json) -> Option<UtcMillis> {
    row.get("entered_at").and_then(|at| serde_json::from_value(at.clone()).ok().flatten())
}
