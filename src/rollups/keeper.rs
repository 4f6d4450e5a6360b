//! Folds days that are over, and device-days of them that changed, into their files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use motorpool_rollups::{DEVICES_A_GROUP, Rewrite, RollupsError, Zone};
use tokio_util::sync::CancellationToken;

use super::marks::ALL;
use super::silent::slots_of;
use super::{AskError, Needs, Rollups};
use crate::background::{self, Priority};
use crate::ids::DeviceId;
use crate::registry;

/// How often it is looked for work.
const EVERY: Duration = Duration::from_secs(20);

/// A day is over so long after its end: most trackers have sent what they held back by then.
pub(super) const OVER_AFTER_MS: i64 = 3_600_000;

/// The same day is not written again sooner, so that a tracker that sends its memory drop by drop does not rewrite it with each drop.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Nor is a day tried again sooner of which part of the archive can't be read: it takes a person to put that right.
const UNREADABLE_AGAIN_AFTER: Duration = Duration::from_secs(3_600);

/// The loop.
#[derive(Debug)]
pub struct Keeper {
    rollups: Arc<Rollups>,
    /// When a day may be written again.
    again_at: BTreeMap<i32, Instant>,
    /// Local days that have no file and were over by this day were looked for.
    summed_before: i32,
}

/// What came of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// Nothing was marked.
    Nothing,
    /// All that was marked is in its file.
    Whole,
    /// All but devices whose tracks can't be read: they stay marked.
    Part,
}

impl Keeper {
    /// A keeper of these rollups.
    #[must_use]
    pub fn new(rollups: Arc<Rollups>) -> Self {
        Self { rollups, again_at: BTreeMap::new(), summed_before: i32::MIN }
    }

    /// Folds what is due until `stop`, in time that nobody else wants: a day of a city takes seconds, and until it is folded its questions
    /// are answered from the tracks.
    pub async fn run(self, stop: CancellationToken) {
        let runtime = tokio::runtime::Handle::current();
        background::run("rollups", Priority::Spare, move || runtime.block_on(self.pass_until(stop))).await;
    }

    async fn pass_until(mut self, stop: CancellationToken) {
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
        background::compute(move || rollups.store.remove_before(floor)).await??;
        Ok(())
    }

    /// Folds every marked day that is over, the newest first: those are asked about. A day that fails is told of and tried again by the next
    /// pass; the others go on.
    ///
    /// # Errors
    /// When the registry does not answer, or the folder can't be read: no day can be folded then.
    pub async fn pass(&mut self) -> Result<(), AskError> {
        if let Err(error) = self.forget_expired().await {
            tracing::error!(%error, "what was rolled up of removed tracks can't be removed and is tried again");
        }
        if let Err(error) = self.rollups.drop_silent(self.rollups.marks.ended(OVER_AFTER_MS)).await {
            tracing::error!(%error, "days on which nothing happened are folded like others");
        }
        let now = Instant::now();
        self.again_at.retain(|_, at| *at > now);
        for day in self.rollups.marks.ended(OVER_AFTER_MS).into_iter().rev() {
            if self.again_at.contains_key(&day) {
                continue;
            }
            let wait = match self.rollups.write_day(day).await {
                Ok(Written::Nothing) => continue,
                Ok(Written::Whole) => AGAIN_AFTER,
                Ok(Written::Part) => UNREADABLE_AGAIN_AFTER,
                Err(error @ AskError::Registry(registry::Error::Database(_))) => return Err(error),
                Err(error) => {
                    tracing::error!(day, %error, "a day can't be rolled up and is tried again");
                    continue;
                }
            };
            self.again_at.insert(day, Instant::now() + wait);
        }
        self.sum_missing().await
    }

    /// Sums the local days that became over and have no file, once a day: on the day behind them nothing need have happened.
    async fn sum_missing(&mut self) -> Result<(), AskError> {
        let open = self.rollups.marks.open_day(OVER_AFTER_MS);
        if open > self.summed_before {
            let rollups = Arc::clone(&self.rollups);
            let sum = move || rollups.store.missing_days().map(|dates| rollups.sum_ended(dates));
            if background::compute(sum).await?? {
                self.summed_before = open;
            }
        }
        Ok(())
    }
}

/// A day on its way into its file.
struct Refolded {
    rewrite: Rewrite,
    /// Devices of which part of the archive can't be read.
    unreadable: BTreeSet<DeviceId>,
    /// Whether it says more than the file that is there, if there is one.
    has_news: bool,
}

impl Rollups {
    /// Folds the marked devices of a UTC day into its file.
    async fn write_day(self: &Arc<Self>, day: i32) -> Result<Written, AskError> {
        let mut taken = self.marks.take(day);
        if taken.is_empty() {
            return Ok(Written::Nothing);
        }
        let marked: BTreeSet<DeviceId> = taken.iter().map(|mark| mark.device).collect();
        let Refolded { rewrite, unreadable, has_news } = self.refold(day, marked).await?;
        if !unreadable.is_empty() {
            tracing::error!(
                day,
                devices = unreadable.len(),
                "part of the archive can't be read; what was rolled up of it stays, and it is tried again"
            );
            // Stored before the mark that they may stand for is removed.
            let unstored = self.marks.keep_unreadable(day, &unreadable);
            self.registry.add_rollup_marks(&unstored).await?;
            self.marks.stored(&unstored);
            taken.retain(|mark| !unreadable.contains(&mark.device));
        }
        if has_news {
            let rollups = Arc::clone(self);
            let write = background::compute(move || {
                rollups.store.finish(rewrite)?;
                rollups.sum_ended(rollups.store.dates_of(day));
                Ok::<_, RollupsError>(())
            });
            write.await??;
        }
        let done = self.marks.done(taken);
        self.registry.remove_rollup_marks(&done).await?;
        Ok(if unreadable.is_empty() { Written::Whole } else { Written::Part })
    }

    /// Folds the marked devices of a UTC day, or all when its file can't be gone on from, a range of devices at a time.
    async fn refold(self: &Arc<Self>, day: i32, marked: BTreeSet<DeviceId>) -> Result<Refolded, AskError> {
        let kept = self.read(move |store| Ok(store.kept(day))).await?;
        // What of a day is in memory alone is marked device by device.
        let is_archived = self.tracks.days().contains(&day);
        let is_whole = marked.contains(&ALL) || (kept.is_none() && is_archived);
        let mut devices: Vec<DeviceId> = if is_whole {
            self.registry.snapshot().devices().map(|device| device.id).collect()
        } else {
            marked.into_iter().collect()
        };
        devices.sort_unstable();
        let is_kept = kept.is_some();
        let mut rewrite = self.read(move |store| store.rewrite(day, kept, is_whole)).await?;
        let mut unreadable = BTreeSet::new();
        let (range, mut is_empty) = (slots_of(day), true);
        for group in devices.chunks(DEVICES_A_GROUP) {
            let folded = self.fold(&range, group, Needs::Trips).await?;
            unreadable.extend(&folded.unreadable);
            is_empty &= folded.entries.is_empty();
            let group = group.to_vec();
            let put = background::compute(move || {
                let is_readable = |device| !folded.unreadable.contains(&device);
                rewrite.put(&group, &is_readable, folded.entries).map(|()| rewrite)
            });
            rewrite = put.await??;
        }
        let has_news = if is_kept {
            unreadable.len() < devices.len()
        } else {
            is_archived || !is_empty || self.read(move |store| Ok(store.has_slots(day))).await?
        };
        Ok(Refolded { rewrite, unreadable, has_news })
    }

    /// Sums local days again that are over. Whether all of them could be; others are told of.
    fn sum_ended(&self, dates: Vec<Date>) -> bool {
        let open = self.marks.open_day(OVER_AFTER_MS);
        let archived: BTreeSet<i32> = self.tracks.days().into_iter().collect();
        let mut is_complete = true;
        for date in dates {
            let days = || Zone::utc_days(&self.zone().slots(date));
            // What has tracks and no file yet is summed when it is folded.
            if days().any(|day| day >= open || (archived.contains(&day) && !self.store.has_slots(day))) {
                continue;
            }
            let Err(error) = self.store.sum_day(date) else { continue };
            tracing::error!(%error, "a local day is not kept for now");
            is_complete = false;
            if let RollupsError::Unread { day, .. } = error {
                self.marks.note_all([day]);
            }
        }
        is_complete
    }
}
