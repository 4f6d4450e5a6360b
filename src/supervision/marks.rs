//! Which tracks changed: for each device the earliest fix that came since the trips were last derived.
//!
//! The fold thread notes, the supervisor takes. A mark names a range of the archive to be derived again, so it does not matter
//! whether a fix was live, late by days, or a duplicate. Marks are not kept on disk: the checkpoint of the trips says from where
//! the journal is read again after a restart.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use motorpool_protocols::{Fix, Quality, UtcMillis};
use rustc_hash::FxHashMap;

use crate::ids::{DeviceId, Lsn};
use crate::rollups::DayMarks;
use crate::tracks::row::judged;

/// What came for one device since its trips were last derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The earliest fix.
    pub(super) from: UtcMillis,
    /// The latest fix.
    pub(super) to: UtcMillis,
}

impl Mark {
    fn widen(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
    }
}

/// The marks of all devices.
#[derive(Debug)]
pub struct Marks {
    state: Mutex<Taken>,
    days: Arc<DayMarks>,
    floor: AtomicI64,
}

/// Everything noted up to an address of the journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    /// Marks by device.
    pub(super) devices: FxHashMap<DeviceId, Mark>,
    /// All messages before this address are noted.
    pub(super) lsn: Lsn,
    /// When the latest of them was received: the fold's notion of now.
    pub(super) now: UtcMillis,
    /// A range of the journal could not be read: any track may have changed.
    pub(super) is_lost: bool,
}

/// What the fold thread notes of one chunk, to be published at its end.
#[derive(Debug, Default)]
pub struct MarkBatch {
    devices: FxHashMap<DeviceId, Mark>,
    now: UtcMillis,
}

impl MarkBatch {
    /// Notes the fixes of one record. Fixes whose clock is not believed change no trip.
    pub fn note(&mut self, device: DeviceId, received_at: UtcMillis, fixes: &[Fix]) {
        self.now = self.now.max(received_at);
        let believed = fixes.iter().filter(|fix| {
            let quality = judged(fix.quality, fix.fix_time, received_at);
            !quality.contains(Quality::CLOCK_SUSPECT) && !quality.contains(Quality::TIME_INVALID)
        });
        let range = believed.fold(None, |range: Option<Mark>, fix| {
            let mut mark = range.unwrap_or(Mark { from: fix.fix_time, to: fix.fix_time });
            mark.widen(Mark { from: fix.fix_time, to: fix.fix_time });
            Some(mark)
        });
        if let Some(mark) = range {
            self.devices.entry(device).and_modify(|known| known.widen(mark)).or_insert(mark);
        }
    }
}

impl Marks {
    /// No marks; everything before `lsn` is derived.
    #[must_use]
    pub fn new(lsn: Lsn) -> Self {
        let floor = AtomicI64::new(i64::MIN);
        Self { state: Mutex::new(Taken { lsn, ..Taken::default() }), days: Arc::default(), floor }
    }

    /// Which device-days the supervisor changes, for the rollups.
    #[must_use]
    pub const fn days(&self) -> &Arc<DayMarks> {
        &self.days
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Taken> {
        // A panic while holding the lock can't leave it half changed in a way that matters: marks only grow.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Publishes what was noted up to `lsn`. The rows must be readable in the archive by now.
    pub fn publish(&self, batch: MarkBatch, lsn: Lsn) {
        let mut state = self.state();
        for (device, mark) in batch.devices {
            state.devices.entry(device).and_modify(|known| known.widen(mark)).or_insert(mark);
        }
        state.lsn = state.lsn.max(lsn);
        state.now = state.now.max(batch.now);
    }

    /// Takes all marks; address and time stay.
    pub(super) fn take(&self) -> Taken {
        let mut state = self.state();
        let devices = std::mem::take(&mut state.devices);
        let is_lost = std::mem::take(&mut state.is_lost);
        Taken { devices, lsn: state.lsn, now: state.now, is_lost }
    }

    /// Says that tracks from before an instant may be removed by now: what lies before it is derived no more, because the archive could
    /// only take trips back there. Never goes back.
    pub fn set_floor(&self, at: UtcMillis) {
        self.floor.fetch_max(at.0, Ordering::Relaxed);
        self.days.set_floor(at);
    }

    /// See [`Marks::set_floor`].
    pub(super) fn floor(&self) -> UtcMillis {
        UtcMillis(self.floor.load(Ordering::Relaxed))
    }

    /// Notes that a range of the journal could not be read.
    pub fn lose(&self) {
        self.state().is_lost = true;
    }

    /// Gives back marks whose trips could not be derived.
    pub(super) fn give_back(&self, taken: Taken) {
        let mut state = self.state();
        state.is_lost |= taken.is_lost;
        for (device, mark) in taken.devices {
            state.devices.entry(device).and_modify(|known| known.widen(mark)).or_insert(mark);
        }
    }

    /// How many devices wait, for metrics.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().devices.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(seconds: i64) -> Fix {
        Fix::new(UtcMillis(1_700_000_000_000 + seconds * 1_000), 300_000_000, 1_100_000_000)
    }

    #[test]
    fn marks_widen_until_they_are_taken_and_come_back_when_given_back() {
        let marks = Marks::new(Lsn(8));
        let received = UtcMillis(1_700_000_100_000);
        for (lsn, fixes) in [(16, [fix(50), fix(60)]), (24, [fix(10), fix(20)])] {
            let mut batch = MarkBatch::default();
            batch.note(DeviceId(1), received, &fixes);
            marks.publish(batch, Lsn(lsn));
        }
        let taken = marks.take();
        let mark = Mark { from: fix(10).fix_time, to: fix(60).fix_time };
        assert_eq!((taken.devices.get(&DeviceId(1)), taken.lsn, taken.now), (Some(&mark), Lsn(24), received));
        assert_eq!(marks.waiting(), 0);
        marks.give_back(taken);
        assert_eq!(marks.take().devices.get(&DeviceId(1)), Some(&mark));
    }

    #[test]
    fn a_clock_of_tomorrow_marks_nothing() {
        let mut batch = MarkBatch::default();
        batch.note(DeviceId(1), UtcMillis(1_600_000_000_000), &[fix(0)]);
        assert!(batch.devices.is_empty());
    }
}
