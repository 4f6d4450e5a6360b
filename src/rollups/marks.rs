//! Which device-days have to be folded again, and the trips that are open.
//!
//! The supervisor marks a device-day before it writes what changed there and says when that is written; the keeper takes what is
//! settled and removes a mark only if nothing was marked again meanwhile. Marks are rows of the registry as well, written in the
//! supervisor's own transaction: what its checkpoint says is derived is either folded or marked, whenever the process dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::trips::Trip;

use crate::ids::DeviceId;
use crate::registry::RollupMark;

/// Stands for every device of a day.
pub(super) const ALL: DeviceId = DeviceId(0);

const DAY_MS: i64 = 86_400_000;

#[derive(Clone, Copy, Debug)]
struct Mark {
    seq: i64,
    /// Whether the registry has it, in this or an older form.
    is_stored: bool,
    /// What changed is not written yet.
    is_settling: bool,
    /// Its track could not be read: it is tried again, but not for each question.
    is_unreadable: bool,
}

#[derive(Debug, Default)]
struct State {
    marks: BTreeMap<(i32, DeviceId), Mark>,
    next: i64,
    open: BTreeMap<DeviceId, Trip>,
    now: UtcMillis,
    is_ready: bool,
    /// The first day whose tracks are all kept.
    floor: i32,
}

/// The marks of all days.
#[derive(Debug, Default)]
pub struct DayMarks {
    state: Mutex<State>,
}

impl DayMarks {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole after one statement, and a mark too many costs a fold.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the marks of a former run.
    pub fn load(&self, rows: &[RollupMark]) {
        let mut state = self.state();
        for row in rows {
            state.next = state.next.max(row.seq.saturating_add(1));
            let mark = Mark { seq: row.seq, is_stored: true, is_settling: false, is_unreadable: false };
            state.marks.insert((row.day, row.device), mark);
        }
    }

    /// Marks the days of a stretch of a track, which is about to change. A step across midnight belongs to both days, if it is no longer
    /// than `gap_s`.
    pub fn note(&self, device: DeviceId, from: UtcMillis, to: UtcMillis, gap_s: u32) {
        let gap_ms = (i64::from(gap_s) * 1_000).min(DAY_MS);
        let day = |ms: i64| i32::try_from(UtcMillis(ms).day()).unwrap_or(i32::MAX);
        let (first, last) = (day(from.0.saturating_sub(gap_ms).max(0)), day(to.0.saturating_add(gap_ms)));
        let mut state = self.state();
        for day in first..=last {
            state.mark(day, device, true);
        }
    }

    /// Marks every device of these days.
    pub fn note_all(&self, days: impl IntoIterator<Item = i32>) {
        let mut state = self.state();
        days.into_iter().for_each(|day| state.mark(day, ALL, false));
    }

    /// Says that tracks from before an instant may be removed by now: days before it are folded no more. Never goes back.
    pub fn set_floor(&self, at: UtcMillis) {
        let mut state = self.state();
        state.floor = state.floor.max(first_whole_day(at));
    }

    /// The first day that may be folded.
    pub(super) fn floor(&self) -> i32 {
        self.state().floor
    }

    /// Marks that the registry does not have yet, to be written in the next transaction.
    #[must_use]
    pub fn unstored(&self) -> Vec<RollupMark> {
        let state = self.state();
        let unstored = state.marks.iter().filter(|(_, mark)| !mark.is_stored);
        unstored
            .map(|((day, device), mark)| RollupMark { day: *day, device: *device, seq: mark.seq })
            .collect()
    }

    /// These are in the registry now.
    pub fn stored(&self, marks: &[RollupMark]) {
        let mut state = self.state();
        for row in marks {
            if let Some(mark) = state.marks.get_mut(&(row.day, row.device)) {
                mark.is_stored = true;
            }
        }
    }

    /// Everything that was marked is written, up to `now`.
    pub fn settle(&self, now: UtcMillis) {
        let mut state = self.state();
        state.marks.values_mut().for_each(|mark| mark.is_settling = false);
        state.now = state.now.max(now);
        state.is_ready = true;
    }

    /// The trip that a device is on, as far as it is known.
    pub fn set_open(&self, device: DeviceId, trip: Option<Trip>) {
        let mut state = self.state();
        match trip {
            Some(trip) => state.open.insert(device, trip),
            None => state.open.remove(&device),
        };
    }

    /// The trip that a device is on.
    pub(super) fn open(&self, device: DeviceId) -> Option<Trip> {
        self.state().open.get(&device).cloned()
    }

    /// The devices that are marked on a day and can be folded; [`ALL`] may be one of them.
    pub(super) fn of_day(&self, day: i32) -> BTreeSet<DeviceId> {
        let state = self.state();
        let marks = state.marks.range((day, ALL)..=(day, DeviceId(u32::MAX)));
        marks.filter(|(_, mark)| !mark.is_unreadable).map(|((_, device), _)| *device).collect()
    }

    /// Says that these devices could not be folded, whether they were marked or not. Gives back the marks that the registry does not have yet.
    pub(super) fn keep_unreadable(&self, day: i32, devices: &BTreeSet<DeviceId>) -> Vec<RollupMark> {
        let mut state = self.state();
        let mut unstored = Vec::new();
        for device in devices {
            if !state.marks.contains_key(&(day, *device)) {
                state.mark(day, *device, false);
            }
            let Some(mark) = state.marks.get_mut(&(day, *device)) else { continue };
            mark.is_unreadable = !mark.is_settling;
            if !mark.is_stored {
                unstored.push(RollupMark { day, device: *device, seq: mark.seq });
            }
        }
        unstored
    }

    /// Days with marks that ended at least `after_ms` ago.
    pub(super) fn ended(&self, after_ms: i64) -> BTreeSet<i32> {
        let state = self.state();
        if !state.is_ready {
            return BTreeSet::new();
        }
        let today = UtcMillis(state.now.0.saturating_sub(after_ms)).day();
        let days = state.marks.keys().map(|(day, _)| *day);
        days.filter(|day| i64::from(*day) < today).collect()
    }

    /// The first day that has not ended `after_ms` ago; none is before the supervisor has looked at everything once.
    pub(super) fn open_day(&self, after_ms: i64) -> i32 {
        let state = self.state();
        if !state.is_ready {
            return i32::MIN;
        }
        i32::try_from(UtcMillis(state.now.0.saturating_sub(after_ms)).day()).unwrap_or(i32::MAX)
    }

    /// The settled marks of a day.
    pub(super) fn take(&self, day: i32) -> Vec<RollupMark> {
        let state = self.state();
        let marks = state.marks.range((day, ALL)..=(day, DeviceId(u32::MAX)));
        let settled = marks.filter(|(_, mark)| !mark.is_settling);
        settled
            .map(|((day, device), mark)| RollupMark { day: *day, device: *device, seq: mark.seq })
            .collect()
    }

    /// Removes the marks that were taken, but for those that were made again meanwhile. Gives back what was removed.
    pub(super) fn done(&self, taken: Vec<RollupMark>) -> Vec<RollupMark> {
        let mut state = self.state();
        let is_same = |mark: &Mark, row: &RollupMark| mark.seq == row.seq && !mark.is_settling;
        let mut removed = taken;
        removed.retain(|row| state.marks.get(&(row.day, row.device)).is_some_and(|mark| is_same(mark, row)));
        for row in &removed {
            state.marks.remove(&(row.day, row.device));
        }
        removed
    }

    /// Device-days that wait, for metrics.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().marks.len()
    }
}

/// The first day whose tracks are all kept, when those from before an instant may be removed.
pub(super) fn first_whole_day(at: UtcMillis) -> i32 {
    i32::try_from(UtcMillis(at.0.saturating_add(DAY_MS - 1)).day()).unwrap_or(i32::MIN)
}

impl State {
    fn mark(&mut self, day: i32, device: DeviceId, is_settling: bool) {
        if day < self.floor {
            return;
        }
        let seq = self.next;
        self.next = seq.saturating_add(1);
        let new = Mark { seq, is_stored: false, is_settling, is_unreadable: false };
        let known = self.marks.entry((day, device)).or_insert(new);
        known.seq = seq;
        known.is_settling |= is_settling;
        known.is_unreadable = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    /// 2024-03-06, and a device that was heard of at its noon.
    const DAY: i32 = 19_788;
    const CAR: DeviceId = DeviceId(7);

    fn noon() -> UtcMillis {
        UtcMillis((i64::from(DAY) * 24 + 12) * HOUR_MS)
    }

    #[test]
    fn a_mark_goes_only_if_nothing_was_marked_meanwhile() {
        let marks = DayMarks::default();
        marks.note(CAR, noon(), noon(), 180);
        assert!(marks.take(DAY).is_empty(), "what changed is not written yet");
        marks.settle(noon());
        let taken = marks.take(DAY);
        assert_eq!(taken.len(), 1);
        marks.note(CAR, noon(), noon(), 180);
        marks.settle(noon());
        assert!(marks.done(taken).is_empty());
        let again = marks.take(DAY);
        assert_eq!(marks.done(again.clone()), again);
        assert_eq!(marks.waiting(), 0);
    }

    #[test]
    fn a_step_across_midnight_marks_both_days() {
        let marks = DayMarks::default();
        let after_midnight = UtcMillis(i64::from(DAY) * 24 * HOUR_MS + 60_000);
        marks.note(CAR, after_midnight, after_midnight, 180);
        marks.settle(noon());
        let days: Vec<i32> = marks.unstored().iter().map(|mark| mark.day).collect();
        assert_eq!(days, [DAY - 1, DAY]);
        assert_eq!(marks.ended(HOUR_MS), BTreeSet::from([DAY - 1]));
    }

    #[test]
    fn what_could_not_be_read_stays_marked_and_is_not_folded_for_questions() {
        let marks = DayMarks::default();
        marks.note_all([DAY]);
        marks.settle(noon());
        let taken = marks.take(DAY);
        let unstored = marks.keep_unreadable(DAY, &BTreeSet::from([CAR]));
        assert_eq!(unstored.len(), 1);
        marks.stored(&unstored);
        marks.done(taken);
        assert!(marks.of_day(DAY).is_empty() && marks.unstored().is_empty());
        assert_eq!(marks.take(DAY), unstored, "it is tried again");
        marks.note(CAR, noon(), noon(), 180);
        assert_eq!(marks.of_day(DAY), BTreeSet::from([CAR]), "more came");
    }

    #[test]
    fn marks_of_a_former_run_come_before_new_ones() {
        let marks = DayMarks::default();
        marks.load(&[RollupMark { day: DAY, device: CAR, seq: 41 }]);
        marks.note(CAR, noon(), noon(), 180);
        marks.settle(noon());
        assert!(marks.unstored().is_empty(), "the registry has the row");
        assert_eq!(marks.take(DAY), [RollupMark { day: DAY, device: CAR, seq: 42 }]);
    }
}
