//! What was asked for, as it is kept beside the export.

use motorpool_exports::Format;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};

use super::area::Area;
use super::plan::Selection;
use crate::crs::Crs;

/// An export as it was asked for. What it means was checked by whoever took it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The form of the file.
    pub format: Format,
    /// Whose rows.
    pub selection: Selection,
    /// Fixes from here on, by when they were taken.
    pub from: UtcMillis,
    /// Fixes before this.
    pub to: UtcMillis,
    /// Only fixes in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<Area>,
    /// The coordinate system of the file.
    #[serde(default)]
    pub(crate) crs: Crs,
    /// Whether fixes too whose clock is not believed; these by when they were received.
    #[serde(default)]
    pub include_suspect: bool,
}
