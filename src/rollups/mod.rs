//! Rollups in the server: which device-days changed, when they are folded, and what is asked of them.
//!
//! ```text
//! supervisor ──(marks device-days, in its own transaction)──▶ DayMarks ──▶ Keeper ──▶ files of slots and days
//!                                                                │                          │
//!                                                                └────────▶ Rollups ◀───────┘  marked ones are folded when asked
//! ```
//!
//! A day is folded once it is over, and again where late data or a trip that ends changes it: a mark is a device-day, a fold reads that device's
//! fixes and the trips that the registry has of it, so it does not matter what changed or how often. Until a device-day is folded
//! it is folded for each question, so an answer never waits for the keeper; the open day is always answered so. Questions about
//! speeds and readings alone need no trips and do not ask the registry.
//!
//! What is kept is a function of the archive and of the settings of trips: `motorpool rollups verify` makes it again without trips of the
//! registry and compares slots, sums and which days there are. Files that are deleted come back by themselves after the next start.

mod compare;
mod fresh;
mod keeper;
mod marks;
mod silent;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use motorpool_rollups::{Part, RollupsError, Store, Table, Zone, sums};
use motorpool_supervision::rollups::Slot;
use motorpool_supervision::trips::TripSettings;
use rustc_hash::FxHashSet;

pub use compare::{Compared, compare, kept_days};
pub use fresh::gauges;
pub use keeper::Keeper;
pub use marks::DayMarks;

use crate::background;
use crate::ids::DeviceId;
use crate::registry::{self, Registry};
use crate::tracks::Tracks;

/// The folder in the data folder.
pub const FOLDER: &str = "rollups";

/// Memory for tables that were read: a week of a city's columns that questions ask for.
pub const CACHE_BYTES: usize = 256 << 20;

/// Device-days that one question may fold for itself; more are being made, and the question comes too early.
const FRESH_MAX: usize = 100_000;

/// Device-days folded in one go.
const DEVICES_AT_ONCE: usize = 64;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// A file can't be read.
    #[error(transparent)]
    Files(#[from] RollupsError),
    /// The registry can't be read.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A fold panicked; what it was is in the log.
    #[error("what was asked for could not be computed")]
    Panicked,
    /// Too much of the time asked about was not folded yet.
    #[error("{0} device-days of this time are still to be folded")]
    NotYet(usize),
}

impl From<background::Panicked> for AskError {
    fn from(_: background::Panicked) -> Self {
        Self::Panicked
    }
}

/// What a question needs to know of a slot that is not folded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers say which")]
pub enum Needs {
    /// Everything.
    Trips,
    /// Fixes, speeds and readings, but no distance and no times of trips.
    Samples,
}

/// What rollups are made from and kept in.
#[derive(Debug)]
pub struct Rollups {
    store: Arc<Store>,
    marks: Arc<DayMarks>,
    registry: Arc<Registry>,
    tracks: Tracks,
    trips: TripSettings,
}

impl Rollups {
    /// Opens the files in the data folder. Marks are those that the supervisor makes.
    ///
    /// # Errors
    /// When the folder can't be used or the zone is unknown.
    pub fn open(
        data: &Path,
        (trips, time_zone): (&TripSettings, &str),
        marks: Arc<DayMarks>,
        registry: Arc<Registry>,
        tracks: Tracks,
    ) -> Result<Self, RollupsError> {
        let store = Store::open(&data.join(FOLDER), trips, Zone::new(time_zone)?, CACHE_BYTES)?;
        Ok(Self { store: Arc::new(store), marks, registry, tracks, trips: trips.clone() })
    }

    /// The zone of local days.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        self.store.zone()
    }

    /// The slots of some devices, in parts whose days follow each other.
    ///
    /// # Errors
    /// When something can't be read, or too much is not folded yet.
    pub async fn slots(
        &self,
        slots: Range<Slot>,
        devices: &BTreeSet<DeviceId>,
        needs: Needs,
    ) -> Result<Vec<Part>, AskError> {
        let mut parts = Vec::new();
        let mut folded = 0;
        for day in Zone::utc_days(&slots) {
            let whole = Slot::first_of_day(day)..Slot::first_of_day(day.saturating_add(1));
            let table = self.read(move |store| store.slots(day)).await?;
            let again = match &table {
                Some(_) => self.marked(day, devices),
                None if self.is_unfolded(day) => devices.iter().copied().collect(),
                // Days without data have no file.
                None => self.marked(day, devices),
            };
            folded += again.len();
            if folded > FRESH_MAX {
                return Err(AskError::NotYet(folded));
            }
            let range = whole.start.max(slots.start)..whole.end.min(slots.end);
            let Folded { entries, unreadable } = self.fold(&range, &again, needs).await?;
            // Of what can't be read, what was rolled up before counts.
            let without: FxHashSet<DeviceId> =
                again.into_iter().filter(|device| !unreadable.contains(device)).collect();
            parts.extend(table.map(|table| Part { table, without: Arc::new(without) }));
            if !entries.is_empty() {
                parts.push(Part::whole(Arc::new(Table::of(&entries))));
            }
        }
        Ok(parts)
    }

    /// The sums of local days of some devices: a part for each day.
    ///
    /// # Errors
    /// As [`Rollups::slots`].
    pub async fn days(
        &self,
        dates: RangeInclusive<Date>,
        devices: &BTreeSet<DeviceId>,
    ) -> Result<Vec<(Date, Part)>, AskError> {
        let mut days = Vec::new();
        let last = *dates.end();
        for date in dates.start().series(jiff::Span::new().days(1)).take_while(|date| *date <= last) {
            let slots = self.zone().slots(date);
            let is_marked = Zone::utc_days(&slots).any(|day| !self.marked(day, devices).is_empty());
            let kept = if is_marked { None } else { self.read(move |store| store.day(date)).await? };
            let part = match kept {
                Some(table) => Part::whole(table),
                None => {
                    let parts = self.slots(slots.clone(), devices, Needs::Trips).await?;
                    let (number, wanted) = (motorpool_rollups::day_number(date), devices.clone());
                    let sum = move || sums(&parts, &slots, number, &|device| wanted.contains(&device));
                    Part::whole(Arc::new(Table::of(&background::compute(sum).await??)))
                }
            };
            days.push((date, part));
        }
        Ok(days)
    }

    /// Reads files where that keeps nobody waiting.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, RollupsError> + Send + 'static,
    ) -> Result<T, AskError> {
        let store = Arc::clone(&self.store);
        Ok(background::compute(move || read(&store)).await??)
    }

    /// Which of these devices are to be folded again on a day.
    fn marked(&self, day: i32, devices: &BTreeSet<DeviceId>) -> Vec<DeviceId> {
        let marked = self.marks.of_day(day);
        if marked.contains(&marks::ALL) {
            return devices.iter().copied().collect();
        }
        marked.intersection(devices).copied().collect()
    }

    /// Whether a day without a file has data all the same. One that is over should have had a file: it is made again.
    fn is_unfolded(&self, day: i32) -> bool {
        if day >= self.marks.open_day(keeper::OVER_AFTER_MS) {
            return true;
        }
        let is_archived = self.tracks.days().contains(&day);
        if is_archived {
            self.marks.note_all([day]);
        }
        is_archived
    }

    /// Folds some devices now.
    async fn fold(
        &self,
        range: &Range<Slot>,
        devices: &[DeviceId],
        needs: Needs,
    ) -> Result<Folded, AskError> {
        let mut folded = Folded::default();
        for group in devices.chunks(DEVICES_AT_ONCE) {
            let work = match needs {
                Needs::Trips => fresh::trips(&self.registry, &self.marks, group, range).await?,
                Needs::Samples => group.iter().map(|device| (*device, Vec::new())).collect(),
            };
            let (tracks, snapshot) = (self.tracks.clone(), self.registry.snapshot());
            let (settings, range) = (self.trips.clone(), range.clone());
            let done = background::compute(move || {
                let one = |(device, trips): (DeviceId, Vec<_>)| {
                    (device, fresh::slots(&tracks, &snapshot, &settings, device, &range, &trips))
                };
                work.into_iter().map(one).collect::<Vec<_>>()
            });
            for (device, entries) in done.await? {
                match entries {
                    Some(entries) => folded.entries.extend(entries),
                    None => drop(folded.unreadable.insert(device)),
                }
            }
        }
        Ok(folded)
    }
}

/// What a fold gave.
#[derive(Debug, Default)]
struct Folded {
    entries: Vec<motorpool_rollups::Entry>,
    /// Devices of which part of the archive can't be read.
    unreadable: BTreeSet<DeviceId>,
}
