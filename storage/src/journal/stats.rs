//! What the journal counts about itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the histogram of sync times, in microseconds; one more class lies above the last.
const SYNC_BOUNDS_US: [u64; 17] = [
    100, 200, 500, 1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 5_000_000, 30_000_000,
];

/// Counters written by the appenders' queue and the writer.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) durable_records: AtomicU64,
    pub(crate) durable_messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) write_failures: AtomicU64,
    pub(crate) refused_full: AtomicU64,
    pub(crate) refused_unavailable: AtomicU64,
    pub(crate) gaps_read: AtomicU64,
    pub(crate) released_segments: AtomicU64,
    pub(crate) archive_failures: AtomicU64,
    pub(crate) free_disk_bytes: AtomicU64,
    sync_classes: [AtomicU64; SYNC_BOUNDS_US.len() + 1],
    sync_us: AtomicU64,
}

impl Counters {
    /// Counts one sync that took so long.
    pub(crate) fn count_sync(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = SYNC_BOUNDS_US.partition_point(|&bound| bound < us);
        self.sync_classes[class].fetch_add(1, Relaxed);
        self.sync_us.fetch_add(us, Relaxed);
        self.syncs.fetch_add(1, Relaxed);
    }

    /// The histogram of sync times as it is now.
    pub(crate) fn sync_seconds(&self) -> SyncSeconds {
        let mut below = 0;
        let buckets = SYNC_BOUNDS_US
            .iter()
            .zip(&self.sync_classes)
            .map(|(&bound_us, class)| {
                below += class.load(Relaxed);
                (bound_us as f64 / 1e6, below)
            })
            .collect();
        SyncSeconds {
            buckets,
            count: self.syncs.load(Relaxed),
            sum_s: self.sync_us.load(Relaxed) as f64 / 1e6,
        }
    }
}

/// A histogram of the time that syncs took.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncSeconds {
    /// Upper bound in seconds, and how many syncs took no longer.
    pub buckets: Vec<(f64, u64)>,
    /// All syncs.
    pub count: u64,
    /// Seconds that all of them took together.
    pub sum_s: f64,
}

/// A snapshot of the journal's counters. Counts are since the journal was opened, unless they say otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// Records appended.
    pub records: u64,
    /// Messages appended.
    pub messages: u64,
    /// Records on stable storage.
    pub durable_records: u64,
    /// Messages on stable storage.
    pub durable_messages: u64,
    /// Bytes on stable storage, headers and markers included.
    pub bytes: u64,
    /// Groups on stable storage.
    pub groups: u64,
    /// Writes or syncs that failed.
    pub write_failures: u64,
    /// Appends refused because the queue was full.
    pub refused_full: u64,
    /// Appends refused because the journal was not healthy.
    pub refused_unavailable: u64,
    /// Gap events that readers were given.
    pub gaps_read: u64,
    /// Segments turned into raw blocks.
    pub released_segments: u64,
    /// Attempts to turn a segment into raw blocks that failed.
    pub archive_failures: u64,
    /// Time that syncs took.
    pub sync_seconds: SyncSeconds,
    /// Bytes appended and not yet durable.
    pub queued_bytes: u64,
    /// Segments that can be read now.
    pub segments: u64,
    /// Prepared segments now.
    pub spare_segments: u64,
    /// Bytes free on the disk when last looked at.
    pub free_disk_bytes: u64,
}
