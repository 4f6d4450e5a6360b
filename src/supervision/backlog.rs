//! Tracks whose past is still arriving wait until it has.
//!
//! A terminal that was without a network sends what it has stored, as fast as it may. A track that is judged meanwhile looks as if
//! the car had vanished or slept in the open; the flags would be closed a moment later, with a case for each. So a track that
//! lies behind and grows waits from pass to pass, and with it the judging of whatever else changed. Not for ever: after
//! [`WAIT_MAX_MS`] everything is taken as it is, because somewhere in a large fleet somebody is always catching up.

use std::collections::BTreeMap;

use motorpool_protocols::UtcMillis;

use super::marks::{Mark, Taken};
use crate::ids::DeviceId;

/// A track whose latest new fix is older than this lies behind.
const BEHIND_MS: i64 = 10 * 60_000;

/// Nothing waits longer than this.
const WAIT_MAX_MS: i64 = 60_000;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The marks that waited after the pass before.
    waiting: BTreeMap<DeviceId, Mark>,
    since: Option<UtcMillis>,
}

impl Backlog {
    /// Takes out of `taken` the marks that have to wait, to be given back.
    pub(super) fn hold_back(&mut self, taken: &mut Taken) -> Taken {
        let mut held = Taken { lsn: taken.lsn, now: taken.now, ..Taken::default() };
        let since = *self.since.get_or_insert(taken.now);
        if taken.now.0.saturating_sub(since.0) <= WAIT_MAX_MS && !taken.is_lost {
            let is_growing = |device: &DeviceId, mark: &Mark| self.waiting.get(device) != Some(mark);
            let is_behind = |mark: &Mark| taken.now.0.saturating_sub(mark.to.0) > BEHIND_MS;
            let all = std::mem::take(&mut taken.devices);
            let (waiting, due) =
                all.into_iter().partition(|(device, mark)| is_behind(mark) && is_growing(device, mark));
            (held.devices, taken.devices) = (waiting, due);
        }
        self.waiting = held.devices.iter().map(|(device, mark)| (*device, *mark)).collect();
        if self.waiting.is_empty() {
            self.since = None;
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Lsn;

    fn taken(now_s: i64, marks: &[(u32, i64)]) -> Taken {
        let mark = |to_s: i64| Mark { from: UtcMillis(0), to: UtcMillis(to_s * 1_000) };
        let devices = marks.iter().map(|(device, to_s)| (DeviceId(*device), mark(*to_s))).collect();
        Taken { devices, lsn: Lsn(8), now: UtcMillis(now_s * 1_000), is_lost: false }
    }

    /// The devices that wait and those that are due.
    fn split(backlog: &mut Backlog, mut all: Taken) -> (Vec<u32>, Vec<u32>) {
        let held = backlog.hold_back(&mut all);
        let sorted = |taken: Taken| {
            let mut devices: Vec<u32> = taken.devices.into_keys().map(|device| device.0).collect();
            devices.sort_unstable();
            devices
        };
        (sorted(held), sorted(all))
    }

    #[test]
    fn what_lies_behind_and_grows_waits_until_it_grows_no_more() {
        let mut backlog = Backlog::default();
        // 1 is at the present, 2 and 3 have an hour or more to go.
        assert_eq!(
            split(&mut backlog, taken(10_000, &[(1, 9_990), (2, 6_000), (3, 100)])),
            (vec![2, 3], vec![1])
        );
        // 2 has arrived, 3 still comes.
        assert_eq!(split(&mut backlog, taken(10_005, &[(2, 10_000), (3, 200)])), (vec![3], vec![2]));
        // 3 has sent all that it had.
        assert_eq!(split(&mut backlog, taken(10_010, &[(3, 200)])), (vec![], vec![3]));
        // Later it comes again.
        assert_eq!(split(&mut backlog, taken(10_015, &[(3, 200)])), (vec![3], vec![]));
    }

    #[test]
    fn nothing_waits_for_ever() {
        let mut backlog = Backlog::default();
        for now in [10_000, 10_030, 10_060] {
            assert_eq!(split(&mut backlog, taken(now, &[(3, now - 5_000)])).0, [3]);
        }
        assert_eq!(split(&mut backlog, taken(10_061, &[(3, 5_100)])), (vec![], vec![3]));
        assert_eq!(split(&mut backlog, taken(10_066, &[(3, 5_200)])), (vec![3], vec![]));
    }
}
