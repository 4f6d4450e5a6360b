//! What the fold thread has done, for the metrics and the self-checks.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counters of the fold thread since the process started. All only grow.
#[derive(Debug, Default)]
pub struct FoldCounts {
    /// Messages taken from the journal.
    pub messages: AtomicU64,
    /// Messages that could not be decoded; they stay in the journal.
    pub undecodable: AtomicU64,
    /// Additional items that broke their own format.
    pub malformed_items: AtomicU64,
    /// Ranges of the journal that were damaged and passed over.
    pub gaps: AtomicU64,
    /// The address up to which the journal has been consumed.
    pub consumed: AtomicU64,
    /// Of the messages, those that were in the journal before the process started.
    pub replayed_messages: AtomicU64,
    /// `received_at` of the last record consumed, UTC milliseconds.
    pub last_received_ms: AtomicI64,
}

impl FoldCounts {
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }
}
