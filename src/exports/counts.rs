//! How exports ended, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::job::Reason;

/// What one is called that came to its good end.
const DONE: &str = "done";

/// Counts since the process started. One that its owner took back counts nowhere.
#[derive(Debug, Default)]
pub(super) struct Counts {
    done: AtomicU64,
    failed: [AtomicU64; Reason::ALL.len()],
}

impl Counts {
    /// One ended well, or for this reason.
    pub(super) fn note(&self, outcome: Option<Reason>) {
        let slot = match outcome {
            None => Some(&self.done),
            Some(reason) => {
                self.failed.iter().zip(Reason::ALL).find(|(_, known)| *known == reason).map(|(slot, _)| slot)
            }
        };
        if let Some(slot) = slot {
            slot.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each outcome and how often it was.
    pub(super) fn read(&self) -> Vec<(&'static str, u64)> {
        let failed = self.failed.iter().zip(Reason::ALL).map(|(slot, reason)| (reason.as_str(), slot));
        let all = [(DONE, &self.done)].into_iter().chain(failed);
        all.map(|(word, slot)| (word, slot.load(Ordering::Relaxed))).collect()
    }
}
