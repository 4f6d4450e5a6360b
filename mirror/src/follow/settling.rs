//! What the server has answered for, and what of it is on the server's disk. Pure: the clock comes from outside.
//!
//! Some engines answer before a point is on their disk, and have it there some time later, the *overlap*. An engine that is killed
//! loses what it answered for in the overlap before its end, and when that was is known only as well as this: it was alive when
//! it answered last. So a place is *settled* when the server has given an answer at least the overlap after it had answered for
//! everything before that place. Time that passes without an answer settles nothing, however long an engine is away.

use std::collections::VecDeque;
use std::time::Duration;

/// How far apart places are that are told from each other, at least every other one.
const MARK_EVERY: Duration = Duration::from_secs(1);

/// Places that were reached, oldest first, up to the one that is settled. Times are those of any clock that never goes back.
#[derive(Clone, Debug)]
pub(super) struct Settling<P> {
    overlap: Duration,
    /// The settled place.
    settled: P,
    /// Places behind it, and when they were reached.
    marks: VecDeque<(Duration, P)>,
}

impl<P: Copy + PartialEq> Settling<P> {
    /// Begins at a settled place.
    pub(super) const fn new(overlap: Duration, settled: P) -> Self {
        Self { overlap, settled, marks: VecDeque::new() }
    }

    /// The place before which the server's disk has everything.
    pub(super) const fn settled(&self) -> P {
        self.settled
    }

    /// The last place that was reached.
    pub(super) fn reached(&self) -> P {
        self.marks.back().map_or(self.settled, |(_, place)| *place)
    }

    /// Whether everything that was reached is settled.
    pub(super) fn is_settled(&self) -> bool {
        self.marks.is_empty()
    }

    /// Notes that the server has answered for everything before `place`. When nothing was sent since the last place, there was
    /// nothing to answer for, and this one is as good as that.
    pub(super) fn reach(&mut self, place: P, has_sent: bool, now: Duration) {
        if self.overlap.is_zero() {
            self.settled = place;
            return;
        }
        if !has_sent {
            *self.marks.back_mut().map_or(&mut self.settled, |(_, last)| last) = place;
            return;
        }
        let is_close = |(since, _): &(Duration, P)| now.saturating_sub(*since) < MARK_EVERY;
        let before_last = self.marks.len().checked_sub(2).and_then(|at| self.marks.get(at));
        if before_last.is_some_and(is_close) {
            self.marks.pop_back();
        }
        self.marks.push_back((now, place));
    }

    /// Notes that the server answered at `now`, having been there all the time.
    pub(super) fn answered(&mut self, now: Duration) {
        while let Some((since, place)) = self.marks.front()
            && now.saturating_sub(*since) >= self.overlap
        {
            self.settled = *place;
            self.marks.pop_front();
        }
    }

    /// Goes back to what is settled: the rest may be lost. Returns that place.
    pub(super) fn rewind(&mut self) -> P {
        self.marks.clear();
        self.settled
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OVERLAP: Duration = Duration::from_secs(30);

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_an_answer_settles() {
        let mut settling = Settling::new(OVERLAP, 0);
        settling.answered(s(10));
        settling.reach(1, true, s(10));
        settling.answered(s(20));
        settling.reach(2, true, s(20));
        assert_eq!(settling.settled(), 0);
        settling.answered(s(39));
        assert_eq!(settling.settled(), 0);
        settling.answered(s(45));
        assert_eq!((settling.settled(), settling.is_settled()), (1, false));
        // An outage of a day: what came in the thirty seconds before the last answer is in doubt still.
        settling.reach(3, false, s(86_400));
        assert_eq!(settling.settled(), 1);
        assert_eq!(settling.rewind(), 1);
        assert!(settling.is_settled());
    }

    #[test]
    fn where_nothing_was_sent_nothing_is_in_doubt() {
        let mut settling = Settling::new(OVERLAP, 0);
        settling.reach(1, false, s(1));
        assert_eq!((settling.settled(), settling.is_settled()), (1, true));
        let mut none = Settling::new(Duration::ZERO, 0);
        none.reach(5, true, s(1));
        assert_eq!((none.settled(), none.is_settled()), (5, true));
    }

    proptest! {
        /// Never past what was reached the overlap before the last answer, and not far behind it; with few marks.
        #[test]
        fn settled_is_what_the_overlap_allows(steps in prop::collection::vec((0..4_000_u64, any::<bool>()), 1..400)) {
            let mut settling = Settling::new(OVERLAP, 0_usize);
            let (mut now, mut answered, mut reached) = (s(0), s(0), vec![(s(0), 0)]);
            for (step, (ms, is_answered)) in (1..).zip(steps) {
                now += Duration::from_millis(ms);
                if is_answered {
                    settling.answered(now);
                    answered = now;
                    settling.reach(step, true, now);
                    reached.push((now, step));
                }
                let at_least = |age: Duration| {
                    let old = reached.iter().filter(|(at, _)| answered.saturating_sub(*at) >= age);
                    old.map(|(_, place)| *place).max().unwrap_or(0)
                };
                prop_assert!(settling.settled() <= at_least(OVERLAP));
                prop_assert!(settling.settled() >= at_least(OVERLAP + 2 * MARK_EVERY));
                prop_assert!(settling.marks.len() <= 64, "{}", settling.marks.len());
            }
        }
    }
}
