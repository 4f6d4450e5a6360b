//! What retention takes for now.

use std::time::Duration;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::time::DAY_MS;

use crate::clock::Reading;

/// How far one look may go beyond the one before.
const STEP_MS: i64 = 2 * DAY_MS;
/// By how much the two clocks may differ between two looks: a bad quartz loses ten seconds a day, and a clock that was just set by the network
/// is put right by less than this.
const DRIFT_MAX: Duration = Duration::from_secs(300);

/// The time that a look goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// It; never later than the wall clock.
    pub at: UtcMillis,
    /// Whether something may be removed by it: only when the wall clock went as far since the look before as time passed.
    pub may_remove: bool,
}

impl Clock {
    /// The clock of a look that reads `now`. `last` is what the last look went by that could remove, in this life of the server or an
    /// earlier one; `before` is what the look before read, in this life.
    #[must_use]
    pub fn advance(last: Option<UtcMillis>, before: Option<Reading>, now: Reading) -> Self {
        Self { at: Self::reach(last, now.wall), may_remove: before.is_some_and(|before| agree(before, now)) }
    }

    /// The clock that a look would go by now if nothing spoke against it.
    #[must_use]
    pub fn trusted(last: Option<UtcMillis>, wall: UtcMillis) -> Self {
        Self { at: Self::reach(last, wall), may_remove: true }
    }

    /// Forward by two days at most; back at once.
    fn reach(last: Option<UtcMillis>, wall: UtcMillis) -> UtcMillis {
        last.map_or(wall, |last| wall.min(UtcMillis(last.0.saturating_add(STEP_MS))))
    }

    /// So many days before it.
    #[must_use]
    pub fn days_back(self, days: u32) -> UtcMillis {
        UtcMillis(self.at.0.saturating_sub(i64::from(days).saturating_mul(DAY_MS)))
    }
}

/// Whether the wall clock went as far between two readings as time passed.
fn agree(before: Reading, now: Reading) -> bool {
    let passed = now.steady.saturating_duration_since(before.steady);
    let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
    let shown_ms = now.wall.0.saturating_sub(before.wall.0);
    u128::from(shown_ms.abs_diff(passed_ms)) <= DRIFT_MAX.as_millis()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const NOW: i64 = 1_772_582_400_000;
    const HOUR: Duration = Duration::from_secs(3_600);
    const YEARS_MS: i64 = 3_000 * DAY_MS;

    /// Looks of a server that has run since `begun`: when, and what the wall clock shows. Answers by what each went, or that it removed nothing.
    fn looks(mut last: Option<UtcMillis>, begun: Instant, looks: &[(Duration, i64)]) -> Vec<Option<i64>> {
        let mut before = None;
        let mut went_by = Vec::new();
        for (after, wall) in looks {
            let now = Reading { wall: UtcMillis(*wall), steady: begun + *after };
            let clock = Clock::advance(last, before, now);
            before = Some(now);
            last = if clock.may_remove { Some(clock.at) } else { last };
            went_by.push(clock.may_remove.then_some(clock.at.0));
        }
        went_by
    }

    #[test]
    fn a_clock_that_is_years_ahead_for_an_hour_removes_nothing() {
        let (begun, right) = (Instant::now(), |hours: i64| NOW + hours * 3_600_000);
        let wild = |hours: i64| right(hours) + YEARS_MS;
        for last in [None, Some(UtcMillis(NOW - DAY_MS))] {
            // From the start on.
            let found =
                looks(last, begun, &[(HOUR / 6, wild(0)), (2 * HOUR, right(2)), (4 * HOUR, right(4))]);
            assert_eq!(found, [None, None, Some(right(4))], "{last:?}");
        }
        // While it runs.
        let run = [
            (HOUR, right(1)),
            (25 * HOUR, right(25)),
            (49 * HOUR, wild(49)),
            (51 * HOUR, right(51)),
            (53 * HOUR, right(53)),
        ];
        assert_eq!(looks(None, begun, &run), [None, Some(right(25)), None, None, Some(right(53))]);
    }

    #[test]
    fn a_clock_that_stays_years_ahead_takes_two_days_a_look_and_comes_back_at_once() {
        let begun = Instant::now();
        let wild = |days: i64| NOW + YEARS_MS + days * DAY_MS;
        let days: Vec<(Duration, i64)> =
            (0..4).map(|day| (24 * HOUR * u32::try_from(day).unwrap(), wild(day))).collect();
        let found = looks(Some(UtcMillis(NOW)), begun, &days);
        assert_eq!(found, [None, Some(NOW + 2 * DAY_MS), Some(NOW + 4 * DAY_MS), Some(NOW + 6 * DAY_MS)]);
        let right = Clock::trusted(Some(UtcMillis(NOW + 6 * DAY_MS)), UtcMillis(NOW + 4 * DAY_MS));
        assert_eq!(right.at, UtcMillis(NOW + 4 * DAY_MS));
        assert_eq!(right.days_back(2), UtcMillis(NOW + 2 * DAY_MS));
    }

    #[test]
    fn what_the_network_corrects_is_no_reason_to_wait() {
        let begun = Instant::now();
        let slow = |seconds: i64| [(Duration::ZERO, NOW), (24 * HOUR, NOW + DAY_MS - seconds * 1_000)];
        assert_eq!(looks(None, begun, &slow(300)), [None, Some(NOW + DAY_MS - 300_000)]);
        assert_eq!(looks(None, begun, &slow(301)), [None, None]);
    }
}
