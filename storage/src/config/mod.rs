//! What of the configuration file the storage obeys: the sections `[journal]` and `[tracks]`.

mod units;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::units::{Bytes, Seconds};

/// `[journal]`: the log that everything else is derived from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// Size of one segment file.
    pub segment_size: Bytes,
    /// Released segments kept for reuse.
    pub spare_segments_max: usize,
    /// The longest a frame waits for others before the group is written.
    pub window_max: Seconds,
    /// Bytes waiting to be written before sources are told to stop reading.
    pub queue_max: Bytes,
    /// Stop accepting when the disk has less than this left.
    pub disk_reserve: Bytes,
    /// How long raw messages are kept, in days on which any were received; 0 = for ever.
    pub raw_retention_days: u32,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            segment_size: Bytes(64 << 20),
            spare_segments_max: 4,
            window_max: Seconds(Duration::from_millis(1)),
            queue_max: Bytes(32 << 20),
            disk_reserve: Bytes(256 << 20),
            raw_retention_days: 1_095,
        }
    }
}

/// `[tracks]`: the archive of fixes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tracks {
    /// Fixes kept in memory before they are sealed into files.
    pub memory_rows_max: usize,
    /// The longest a fix stays in memory only.
    pub seal_interval: Seconds,
    /// Files of one day from which on they are merged.
    pub compact_files_min: usize,
    /// Bytes a second that merges write at most while fixes arrive.
    pub compact_bytes_per_s: Bytes,
    /// Rows of one Parquet page; smaller pages read one device faster and cost a few bytes.
    pub page_rows: usize,
}

impl Default for Tracks {
    fn default() -> Self {
        Self {
            memory_rows_max: 500_000,
            seal_interval: Seconds(Duration::from_secs(300)),
            compact_files_min: 4,
            compact_bytes_per_s: Bytes(8 << 20),
            page_rows: 4_096,
        }
    }
}
