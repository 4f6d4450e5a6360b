//! The self-checks: what came in must be somewhere.
//!
//! ```text
//! messages   received = journaled + rejected + waiting
//! journal    appended and durable = consumed + lag         (checked when nothing is left to consume)
//! fixes      decoded = stored + duplicate + expired + pending
//! ```
//!
//! The counters are read one after another while others add to them. So each sum is looked at several times and the
//! smallest difference counts: one that is real is in every look.

use std::sync::atomic::Ordering;

use super::{Counters, Readings};

/// How often a sum is looked at before its difference is believed.
const LOOKS: usize = 32;

/// The differences; 0 when the books are right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Imbalance {
    /// Messages received, less journaled, rejected and waiting.
    pub received: i64,
    /// Messages journaled, less consumed; 0 while there is a lag.
    pub journaled: i64,
    /// Fixes decoded, less stored, duplicate, expired and pending.
    pub fixes: i64,
}

impl Imbalance {
    /// Looks at the books.
    #[must_use]
    pub fn look(counters: &Counters, read: &dyn Fn() -> Readings) -> Self {
        Self {
            received: smallest(|| received(counters)),
            journaled: smallest(|| journaled(&read())),
            fixes: smallest(|| fixes(&read())),
        }
    }

    /// Whether all sums are right.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.received == 0 && self.journaled == 0 && self.fixes == 0
    }
}

/// The difference of the smallest size among several looks.
fn smallest(look: impl Fn() -> i64) -> i64 {
    let mut best = look();
    for _ in 1..LOOKS {
        if best == 0 {
            break;
        }
        let next = look();
        if next.unsigned_abs() < best.unsigned_abs() {
            best = next;
        }
    }
    best
}

fn received(counters: &Counters) -> i64 {
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let settled =
        load(&counters.messages_journaled) + counters.rejected_sum() + load(&counters.messages_waiting);
    difference(load(&counters.messages_received), settled)
}

fn journaled(readings: &Readings) -> i64 {
    if readings.folds.consumed != readings.journal.durable {
        return 0;
    }
    let consumed = readings.folds.messages.saturating_sub(readings.folds.replayed_messages);
    difference(readings.journal.durable_messages, consumed)
}

fn fixes(readings: &Readings) -> i64 {
    let tracks = &readings.tracks;
    let kept = tracks.stored_fixes + tracks.pending_fixes;
    difference(readings.folds.fixes, kept + tracks.duplicate_fixes + tracks.expired_fixes)
}

fn difference(left: u64, right: u64) -> i64 {
    i64::try_from(i128::from(left) - i128::from(right)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use motorpool_protocols::RejectReason;

    use super::*;
    use crate::ids::Lsn;

    #[test]
    fn a_message_that_is_nowhere_shows() {
        let counters = Counters::default();
        counters.messages_received.store(10, Ordering::Relaxed);
        counters.messages_journaled.store(7, Ordering::Relaxed);
        counters.messages_waiting.store(1, Ordering::Relaxed);
        counters.rejected(RejectReason::Checksum, 2);
        let read = || Readings::default();
        assert!(Imbalance::look(&counters, &read).is_zero());
        counters.messages_received.store(11, Ordering::Relaxed);
        assert_eq!(Imbalance::look(&counters, &read).received, 1);
    }

    #[test]
    fn the_journal_is_only_checked_when_all_is_consumed() {
        let mut readings = Readings::default();
        readings.journal.durable_messages = 5;
        readings.journal.durable = Lsn(64);
        readings.folds.messages = 7;
        readings.folds.replayed_messages = 3;
        readings.folds.consumed = Lsn(32);
        assert_eq!(journaled(&readings), 0);
        readings.folds.consumed = Lsn(64);
        assert_eq!(journaled(&readings), 1);
    }

    #[test]
    fn a_difference_that_passes_is_not_reported() {
        let looks = Cell::new(0);
        let read = || {
            looks.set(looks.get() + 1);
            let mut readings = Readings::default();
            readings.folds.fixes = if looks.get() < 5 { 3 } else { 2 };
            readings.tracks.pending_fixes = 2;
            readings
        };
        assert_eq!(smallest(|| fixes(&read())), 0);
    }
}
