//! `[exports]`: what people take out of the archive.

use motorpool_storage::config::Bytes;
use serde::{Deserialize, Serialize};

/// `[exports]`: files that people ask for and fetch later. They wait in `DATA/exports`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exports {
    /// Exports written at one time, each by a thread of low priority.
    pub running_max: usize,
    /// Exports of one caller that may wait or run.
    pub open_each_max: u32,
    /// Exports of one caller that are kept; who has so many removes some first.
    pub kept_each_max: u32,
    /// The largest file.
    pub file_max: Bytes,
    /// All files together.
    pub total_max: Bytes,
    /// Room that exports leave on the disk.
    pub disk_reserve: Bytes,
    /// Days after which a file is deleted.
    pub kept_days: u32,
}

impl Default for Exports {
    fn default() -> Self {
        Self {
            running_max: 1,
            open_each_max: 5,
            kept_each_max: 50,
            file_max: Bytes(2 << 30),
            total_max: Bytes(20 << 30),
            disk_reserve: Bytes(2 << 30),
            kept_days: 7,
        }
    }
}
