//! What retention takes for now.

use motorpool_protocols::UtcMillis;
use motorpool_protocols::time::DAY_MS;

/// How far one look may go beyond the one before.
const STEP_MS: i64 = 2 * DAY_MS;

/// The time by which the last look went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// It.
    pub at: UtcMillis,
    /// Whether something may be removed by it: not at the first look, when nothing vouches for it.
    pub may_remove: bool,
}

impl Clock {
    /// The clock of a look at `now`, when the one before went by `last`. Forward it goes by two days at most; back it follows at once.
    #[must_use]
    pub fn advance(last: Option<UtcMillis>, now: UtcMillis) -> Self {
        match last {
            None => Self { at: now, may_remove: false },
            Some(last) => Self { at: now.min(UtcMillis(last.0.saturating_add(STEP_MS))), may_remove: true },
        }
    }

    /// So many days before it.
    #[must_use]
    pub fn days_back(self, days: u32) -> UtcMillis {
        UtcMillis(self.at.0.saturating_sub(i64::from(days).saturating_mul(DAY_MS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_582_400_000;

    #[test]
    fn a_clock_that_ran_wild_takes_two_days_a_look_and_comes_back_at_once() {
        let first = Clock::advance(None, UtcMillis(NOW));
        assert_eq!(first, Clock { at: UtcMillis(NOW), may_remove: false });
        let years_ahead = UtcMillis(NOW + 3_000 * DAY_MS);
        let second = Clock::advance(Some(first.at), years_ahead);
        assert_eq!(second, Clock { at: UtcMillis(NOW + 2 * DAY_MS), may_remove: true });
        let third = Clock::advance(Some(second.at), UtcMillis(NOW + DAY_MS));
        assert_eq!(third.at, UtcMillis(NOW + DAY_MS), "the clock was set right");
        assert_eq!(third.days_back(2), UtcMillis(NOW - DAY_MS));
    }
}
