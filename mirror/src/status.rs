//! How the mirror is doing, for metrics and logs. Written by its thread, read by anybody.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::delivery::{Trouble, WriteError};

/// Counters since the process started, and the trouble of the moment.
#[derive(Debug, Default)]
pub struct Status {
    /// Points the server has taken, repetitions counted.
    pub sent: AtomicU64,
    /// Points it refused.
    pub rejected: AtomicU64,
    /// Fixes left out because their clock is not believed.
    pub left_out: AtomicU64,
    /// Attempts that failed.
    pub retries: AtomicU64,
    /// The address up to which everything is delivered or owed.
    pub delivered: AtomicU64,
    /// When the last record before it was received, milliseconds since 1970; 0 = not known.
    pub received_ms: AtomicI64,
    /// Ranges that are to be filled back.
    pub owed: AtomicU64,
    /// Times that a file of the archive could not be read; it is tried again.
    pub archive_failures: AtomicU64,
    trouble: Mutex<Option<WriteError>>,
}

impl Status {
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// What keeps points from being delivered now.
    #[must_use]
    pub fn trouble(&self) -> Option<WriteError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that an attempt failed, and says so when it is news.
    pub(super) fn failed(&self, error: &WriteError) {
        // The trouble first: who sees the attempt counted sees what became of it.
        let before = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).replace(error.clone());
        Self::add(&self.retries, 1);
        if before.is_some_and(|before| before.trouble == error.trouble) {
            tracing::debug!(%error, "the mirror still can't write");
        } else if error.trouble == Trouble::Configuration {
            tracing::error!(%error, "the mirror stands still until its configuration or its server is changed");
        } else {
            tracing::warn!(%error, "the mirror can't write; it goes on trying");
        }
    }

    /// Notes that an attempt succeeded.
    pub(super) fn succeeded(&self) {
        if self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("the mirror writes again");
        }
    }
}
