//! Which devices came, went, fell silent or lost their power, out of two looks at the last states. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

use motorpool_protocols::{Alarms, UtcMillis};

use crate::ids::DeviceId;
use crate::live::LastState;

/// Something that happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has a link again.
    Online,
    /// It has no link any more.
    Offline,
    /// It has said nothing for the configured time; since when.
    Silent(UtcMillis),
    /// It reports that its power was cut; when.
    PowerCut(UtcMillis),
}

/// What was seen at the last look.
#[derive(Debug)]
pub(super) struct Devices {
    started_at: UtcMillis,
    silent_after_ms: i64,
    online: BTreeSet<DeviceId>,
    /// Those whose silence was told.
    silent: BTreeSet<DeviceId>,
    /// Whether each device reported a power cut; one that was never seen is not in it.
    power_cut: BTreeMap<DeviceId, bool>,
}

impl Devices {
    /// Nothing seen yet. Silence counts from `started_at` at the earliest: after a restart devices need time to come back.
    #[must_use]
    pub(super) const fn new(started_at: UtcMillis, silent_after_ms: i64) -> Self {
        Self {
            started_at,
            silent_after_ms,
            online: BTreeSet::new(),
            silent: BTreeSet::new(),
            power_cut: BTreeMap::new(),
        }
    }

    /// Looks again at the devices `among`, of which `states`, lowest device first, are all that have a link or ever said something;
    /// answers what happened since. One that logged in, said nothing and went is in no state any more.
    pub(super) fn look(
        &mut self,
        among: impl RangeBounds<DeviceId>,
        states: &[LastState],
        now: UtcMillis,
    ) -> Vec<(DeviceId, Turn)> {
        let is_there = |device: &DeviceId| states.binary_search_by_key(device, |last| last.device).is_ok();
        let gone: Vec<_> = self.online.range(among).filter(|device| !is_there(device)).copied().collect();
        let mut turns = Vec::new();
        for device in gone {
            self.online.remove(&device);
            turns.push((device, Turn::Offline));
        }
        for last in states {
            let is_online = last.links > 0;
            if is_online && self.online.insert(last.device) {
                turns.push((last.device, Turn::Online));
            } else if !is_online && self.online.remove(&last.device) {
                turns.push((last.device, Turn::Offline));
            }
            turns.extend(self.silence(last, now).map(|turn| (last.device, turn)));
            turns.extend(self.power(last).map(|turn| (last.device, turn)));
        }
        turns
    }

    fn silence(&mut self, last: &LastState, now: UtcMillis) -> Option<Turn> {
        let since = last.received_at.max(self.started_at);
        if last.links > 0 || now.0 - since.0 < self.silent_after_ms {
            self.silent.remove(&last.device);
            return None;
        }
        self.silent.insert(last.device).then_some(Turn::Silent(last.received_at))
    }

    /// The first look only learns how things are.
    fn power(&mut self, last: &LastState) -> Option<Turn> {
        let fix = last.fix.as_ref()?;
        let is_cut = fix.alarms.contains(Alarms::POWER_LOST);
        let was_cut = self.power_cut.insert(last.device, is_cut);
        (is_cut && was_cut == Some(false)).then_some(Turn::PowerCut(fix.fix_time))
    }
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::Fix;

    use super::*;

    const START: UtcMillis = UtcMillis(1_772_589_600_000);

    fn state(links: u16, received_s: i64, alarms: Alarms) -> LastState {
        let at = UtcMillis(START.0 + received_s * 1_000);
        LastState {
            device: DeviceId(1),
            fix: Some(Fix { alarms, ..Fix::new(at, 0, 0) }),
            place: None,
            received_at: at,
            messages: 1,
            fixes: 1,
            links,
            online_since: None,
        }
    }

    fn look(devices: &mut Devices, state: LastState, now_s: i64) -> Vec<Turn> {
        let turns = devices.look(.., &[state], UtcMillis(START.0 + now_s * 1_000));
        turns.into_iter().map(|(_, turn)| turn).collect()
    }

    #[test]
    fn coming_going_and_silence_are_told_once() {
        let (mut devices, none) = (Devices::new(START, 60_000), Alarms::default());
        assert_eq!(look(&mut devices, state(1, 0, none), 0), [Turn::Online]);
        assert_eq!(look(&mut devices, state(1, 10, none), 100), [], "a link is no silence");
        assert_eq!(look(&mut devices, state(0, 10, none), 60), [Turn::Offline]);
        let silent = Turn::Silent(UtcMillis(START.0 + 10_000));
        assert_eq!(look(&mut devices, state(0, 10, none), 70), [silent]);
        assert_eq!(look(&mut devices, state(0, 10, none), 700), []);
        assert_eq!(look(&mut devices, state(1, 701, none), 701), [Turn::Online]);
    }

    #[test]
    fn after_a_restart_devices_get_time_to_come_back() {
        let mut devices = Devices::new(START, 60_000);
        let old = state(0, -5_000, Alarms::default());
        assert_eq!(look(&mut devices, old, 59), []);
        assert_eq!(look(&mut devices, old, 60), [Turn::Silent(old.received_at)]);
    }

    #[test]
    fn a_power_cut_is_told_when_it_begins_and_not_when_it_is_found() {
        let mut devices = Devices::new(START, 60_000);
        let (cut, none) = (Alarms::POWER_LOST, Alarms::default());
        assert_eq!(look(&mut devices, state(0, 1, cut), 1), [], "it was so before");
        assert_eq!(look(&mut devices, state(0, 2, none), 2), []);
        assert_eq!(look(&mut devices, state(0, 3, cut), 3), [Turn::PowerCut(UtcMillis(START.0 + 3_000))]);
        assert_eq!(look(&mut devices, state(0, 4, cut), 4), []);
    }
}
