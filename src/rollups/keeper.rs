//! Folds days that are over, and device-days of them that changed, into their files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use motorpool_rollups::{RollupsError, Zone};
use motorpool_supervision::rollups::Slot;
use rustc_hash::FxHashSet;
use tokio_util::sync::CancellationToken;

use super::marks::ALL;
use super::{AskError, Needs, Rollups};
use crate::ids::DeviceId;

/// How often it is looked for work.
const EVERY: Duration = Duration::from_secs(20);

/// A day is over so long after its end: most trackers have sent what they held back by then.
pub(super) const OVER_AFTER_MS: i64 = 3_600_000;

/// The same day is not written again sooner, so that a tracker that sends its memory drop by drop does not rewrite it with each drop.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// The loop.
#[derive(Debug)]
pub struct Keeper {
    rollups: Arc<Rollups>,
    written: BTreeMap<i32, Instant>,
    /// Whether local days without a file were looked for.
    is_complete: bool,
}

impl Keeper {
    /// A keeper of these rollups.
    #[must_use]
    pub fn new(rollups: Arc<Rollups>) -> Self {
        Self { rollups, written: BTreeMap::new(), is_complete: false }
    }

    /// Folds what is due until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        if let Err(error) = self.mark_missing() {
            tracing::error!(%error, "the folder of rollups can't be read");
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                result = self.pass() => if let Err(error) = result {
                    tracing::error!(%error, "a day can't be rolled up and is tried again");
                },
            }
        }
    }

    /// Marks the days of the archive that have no file.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn mark_missing(&self) -> Result<(), AskError> {
        let kept = self.rollups.store.slot_days()?;
        let days = self.rollups.tracks.days();
        self.rollups.marks.note_all(days.into_iter().filter(|day| !kept.contains(day)));
        Ok(())
    }

    /// Removes what was rolled up of tracks that are removed: a place every ten minutes is a track.
    async fn forget_expired(&self) -> Result<(), AskError> {
        let floor = self.rollups.marks.floor();
        let expired = self.rollups.marks.ended(OVER_AFTER_MS).into_iter().take_while(|day| *day < floor);
        let marks: Vec<_> = expired.flat_map(|day| self.rollups.marks.take(day)).collect();
        self.rollups.registry.remove_rollup_marks(&self.rollups.marks.done(marks)).await?;
        let rollups = Arc::clone(&self.rollups);
        tokio::task::spawn_blocking(move || rollups.store.remove_before(floor)).await??;
        Ok(())
    }

    /// Folds every marked day that is over.
    ///
    /// # Errors
    /// When something can't be read or written; the rest is done by the next pass.
    pub async fn pass(&mut self) -> Result<(), AskError> {
        if !self.is_complete && self.rollups.marks.open_day(OVER_AFTER_MS) > i32::MIN {
            let rollups = Arc::clone(&self.rollups);
            let sum = move || rollups.sum_ended(rollups.store.missing_days()?);
            tokio::task::spawn_blocking(sum).await??;
            self.is_complete = true;
        }
        self.forget_expired().await?;
        for day in self.rollups.marks.ended(OVER_AFTER_MS) {
            let is_recent = self.written.get(&day).is_some_and(|at| at.elapsed() < AGAIN_AFTER);
            if !is_recent && self.rollups.write_day(day).await? {
                self.written.retain(|_, at| at.elapsed() < AGAIN_AFTER);
                self.written.insert(day, Instant::now());
            }
        }
        Ok(())
    }
}

impl Rollups {
    /// Folds the marked devices of a UTC day into its file. Whether there was something to do.
    async fn write_day(self: &Arc<Self>, day: i32) -> Result<bool, AskError> {
        let taken = self.marks.take(day);
        if taken.is_empty() {
            return Ok(false);
        }
        let marked: BTreeSet<DeviceId> = taken.iter().map(|mark| mark.device).collect();
        let kept = self.read(move |store| store.slots(day)).await?;
        let is_whole = marked.contains(&ALL) || kept.is_none();
        let devices: Vec<DeviceId> = if is_whole {
            self.registry.snapshot().devices().map(|device| device.id).collect()
        } else {
            marked.into_iter().collect()
        };
        let range = Slot::first_of_day(day)..Slot::first_of_day(day.saturating_add(1));
        let mut folded = self.fold(&range, &devices, Needs::Trips).await?;
        if !folded.damaged.is_empty() {
            tracing::error!(
                day,
                devices = folded.damaged.len(),
                "part of the archive can't be read; what was rolled up of it stays"
            );
        }
        let again: FxHashSet<DeviceId> =
            devices.into_iter().filter(|device| !folded.damaged.contains(device)).collect();
        let entries = std::mem::take(&mut folded.entries);
        let rollups = Arc::clone(self);
        let write = tokio::task::spawn_blocking(move || {
            // Damaged devices keep their rows, if there is a file that has some.
            rollups.store.replace(day, Some(&again), entries)?;
            rollups.write_sums(day)
        });
        write.await??;
        let done = self.marks.done(taken);
        self.registry.remove_rollup_marks(&done).await?;
        Ok(true)
    }

    /// Sums the local days of a UTC day again that are over.
    fn write_sums(&self, day: i32) -> Result<(), RollupsError> {
        self.sum_ended(self.store.dates_of(day))
    }

    fn sum_ended(&self, dates: Vec<Date>) -> Result<(), RollupsError> {
        let open = self.marks.open_day(OVER_AFTER_MS);
        for date in dates {
            if Zone::utc_days(&self.zone().slots(date)).all(|day| day < open) {
                self.store.sum_day(date)?;
            }
        }
        Ok(())
    }
}
