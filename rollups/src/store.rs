//! The folder: one file of slots for each UTC day, one file of sums for each local day.
//!
//! A file is replaced as a whole and durably, so readers and a crash see the old or the new one. Files of days are sums of files of
//! slots; whoever replaces slots sums the local days that they belong to again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use motorpool_storage::ids::DeviceId;
use motorpool_supervision::rollups::{Slot, Sums};
use motorpool_supervision::trips::TripSettings;
use rustc_hash::FxHashSet;

use crate::cache::Cache;
use crate::error::At;
use crate::file::{Encoded, Making, Writer};
use crate::rewrite::{Kept, Rewrite};
use crate::table::{Entry, Part, Table};
use crate::zone::{Zone, date_of, day_number};
use crate::{Column, RollupsError};

/// Devices of a row group of sums, of each of which there is a row.
const DAYS_A_GROUP: usize = 65_536;

/// The files of a folder, and the tables read from them.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    slots: Making,
    days: Making,
    zone: Zone,
    cache: Cache,
}

impl Store {
    /// Opens the folder `dir`, which is made if it does not exist. `trips` and `zone` are what files have to be made with;
    /// `cache_bytes` of tables stay in memory.
    ///
    /// # Errors
    /// When the folder can't be made or read.
    pub fn open(
        dir: &Path,
        trips: &TripSettings,
        zone: Zone,
        cache_bytes: usize,
    ) -> Result<Self, RollupsError> {
        for folder in [dir.join("slots"), dir.join("days")] {
            fs::create_dir_all(&folder).at(&folder)?;
            // What a crash left while a file was written.
            remove_files(&folder, "tmp")?;
        }
        let store = Self::reader(dir, trips, zone, cache_bytes);
        store.remove_otherwise_made()?;
        Ok(store)
    }

    /// The same without making or removing anything, for looking at files of somebody else.
    #[must_use]
    pub fn reader(dir: &Path, trips: &TripSettings, zone: Zone, cache_bytes: usize) -> Self {
        let slots = Making { version: Making::VERSION, trips: trips.clone(), zone: String::new() };
        let days = Making { zone: zone.name().to_owned(), ..slots.clone() };
        Self { dir: dir.to_owned(), slots, days, zone, cache: Cache::new(cache_bytes) }
    }

    /// Removes files that other settings made, so that what is not there is known without opening every file.
    fn remove_otherwise_made(&self) -> Result<(), RollupsError> {
        let path = self.dir.join("made.json");
        let said = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<[Making; 2]>(&text).ok());
        let made = [self.slots.clone(), self.days.clone()];
        if said.as_ref() == Some(&made) {
            return Ok(());
        }
        let is_same_slots = said.is_some_and(|[slots, _]| slots == self.slots);
        let folders = if is_same_slots { vec!["days"] } else { vec!["slots", "days"] };
        for folder in folders {
            remove_files(&self.dir.join(folder), "parquet")?;
        }
        let text = serde_json::to_vec_pretty(&made).map_err(io::Error::from).at(&path)?;
        fs::write(&path, text).at(&path)
    }

    /// The time zone of days.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    fn slots_path(&self, day: i32) -> PathBuf {
        self.dir.join("slots").join(format!("{}.parquet", date_of(day)))
    }

    fn day_path(&self, date: Date) -> PathBuf {
        self.dir.join("days").join(format!("{date}.parquet"))
    }

    /// The UTC days, counted from 1970, that have a file of slots, sound or not.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn slot_days(&self) -> Result<BTreeSet<i32>, RollupsError> {
        Ok(dates_in(&self.dir.join("slots"))?.into_iter().map(day_number).collect())
    }

    /// The local days that have a file of sums, sound or not.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn day_dates(&self) -> Result<BTreeSet<Date>, RollupsError> {
        dates_in(&self.dir.join("days"))
    }

    /// The slots of a UTC day; `None` when they were never written, otherwise made, or damaged.
    ///
    /// # Errors
    /// When the system refuses to read the file.
    pub fn slots(&self, day: i32) -> Result<Option<Arc<Table>>, RollupsError> {
        let path = self.slots_path(day);
        self.cache.get(&path, || Ok(open(&path, &self.slots)?.map(Table::encoded)))
    }

    /// The sums of a local day; `None` as in [`Store::slots`].
    ///
    /// # Errors
    /// As [`Store::slots`].
    pub fn day(&self, date: Date) -> Result<Option<Arc<Table>>, RollupsError> {
        let path = self.day_path(date);
        self.cache.get(&path, || Ok(open(&path, &self.days)?.map(Table::encoded)))
    }

    /// Writes the slots of a UTC day again: those of the devices in `again` are `entries` now, those of all others stay.
    /// With `None`, `entries` are all there are.
    ///
    /// # Errors
    /// When a file can't be read or written; then the old one stays.
    pub fn replace(
        &self,
        day: i32,
        again: Option<&FxHashSet<DeviceId>>,
        entries: Vec<Entry>,
    ) -> Result<(), RollupsError> {
        let kept = again.and_then(|_| self.kept(day));
        let mut rewrite = self.rewrite(day, kept, again.is_none())?;
        let again: Vec<DeviceId> = again.into_iter().flatten().copied().collect();
        rewrite.put(&again, &|_| true, entries)?;
        self.finish(rewrite)
    }

    /// Adds slots to a UTC day, which has none of these yet.
    pub(crate) fn add(&self, day: i32, entries: Vec<Entry>) -> Result<(), RollupsError> {
        self.replace(day, Some(&FxHashSet::default()), entries)
    }

    /// The slots of a UTC day, if all of the file can be read, without its columns in memory. What the system can't read counts as damaged.
    #[must_use]
    pub fn kept(&self, day: i32) -> Option<Kept> {
        let opened = open(&self.slots_path(day), &self.slots);
        let kept = opened.and_then(|encoded| encoded.map(Kept::check).transpose());
        kept.unwrap_or_else(|error| {
            tracing::error!(%error, "a rollup can't be read");
            None
        })
    }

    /// Begins to write the slots of a UTC day again. Of what is `kept`, the rows of devices that are not put in stay; if it `is_whole`,
    /// of those alone that are put in as unreadable.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn rewrite(&self, day: i32, kept: Option<Kept>, is_whole: bool) -> Result<Rewrite, RollupsError> {
        let writer = Writer::create(self.slots_path(day), self.slots.clone())?;
        Ok(Rewrite::new(day, writer, kept, is_whole))
    }

    /// Puts a file that was written again in the place of the old one.
    ///
    /// # Errors
    /// When a file can't be read or written; then the old one stays.
    pub fn finish(&self, rewrite: Rewrite) -> Result<(), RollupsError> {
        let path = self.slots_path(rewrite.day);
        let finished = rewrite.finish();
        self.cache.forget(&path);
        finished
    }

    /// Whether a UTC day has a file of slots, sound or not.
    #[must_use]
    pub fn has_slots(&self, day: i32) -> bool {
        self.slots_path(day).exists()
    }

    /// Writes the sums of a local day again from the files of slots.
    ///
    /// # Errors
    /// [`RollupsError::Unread`] when one of these is there and can't be read: part of a day is no day, so the sums are removed. Others when
    /// a file can't be written.
    pub fn sum_day(&self, date: Date) -> Result<(), RollupsError> {
        let slots = self.zone.slots(date);
        let path = self.day_path(date);
        let mut devices: BTreeMap<DeviceId, Sums> = BTreeMap::new();
        for day in Zone::utc_days(&slots).filter(|day| self.has_slots(*day)) {
            let Some(kept) = self.kept(day) else {
                self.remove(&path)?;
                return Err(RollupsError::Unread { date, day });
            };
            kept.each(|entry| {
                if slots.contains(&Slot(entry.at)) {
                    devices.entry(entry.device).or_default().merge(&entry.sums);
                }
            })?;
        }
        let at = day_number(date);
        let entries: Vec<Entry> =
            devices.into_iter().map(|(device, sums)| Entry { device, at, sums }).collect();
        let mut writer = Writer::create(path.clone(), self.days.clone())?;
        let written = entries.chunks(DAYS_A_GROUP).try_for_each(|group| writer.group(&Table::of(group)));
        let written = written.and_then(|()| writer.finish());
        self.cache.forget(&path);
        written
    }

    /// The slots of a UTC day, if all of the file can be read: what the system can't read counts as damaged.
    #[must_use]
    pub fn readable(&self, day: i32) -> Option<Arc<Table>> {
        whole(self.slots(day))
    }

    /// The sums of a local day, if all of the file can be read.
    #[must_use]
    pub fn readable_day(&self, date: Date) -> Option<Arc<Table>> {
        whole(self.day(date))
    }

    fn remove(&self, path: &Path) -> Result<(), RollupsError> {
        let removed = match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at(path),
            _ => Ok(()),
        };
        self.cache.forget(path);
        removed
    }

    /// Removes the slots of days of UTC before one, and the local days that have any of them.
    ///
    /// # Errors
    /// When a file can't be removed.
    pub fn remove_before(&self, day: i32) -> Result<(), RollupsError> {
        for expired in self.slot_days()?.range(..day) {
            let dates = self.dates_of(*expired).into_iter().map(|date| self.day_path(date));
            // The slots last: while they are there, this is done again.
            for path in dates.chain([self.slots_path(*expired)]) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Local days that have slots and no file.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn missing_days(&self) -> Result<Vec<Date>, RollupsError> {
        let dates: BTreeSet<Date> =
            self.slot_days()?.into_iter().flat_map(|day| self.dates_of(day)).collect();
        Ok(dates.into_iter().filter(|date| !self.day_path(*date).exists()).collect())
    }

    /// The local days that have slots of a UTC day.
    #[must_use]
    pub fn dates_of(&self, day: i32) -> Vec<Date> {
        let first = Slot::first_of_day(day);
        let last = Slot(Slot::first_of_day(day.saturating_add(1)).0.saturating_sub(1));
        let (mut date, last) = (self.zone.date(first), self.zone.date(last));
        let mut dates = vec![date];
        while date < last {
            let Ok(next) = date.tomorrow() else { break };
            dates.push(next);
            date = next;
        }
        dates
    }
}

/// The sums of each device that is wanted over `slots`, numbered `at`. Parts are in order of time.
///
/// # Errors
/// When a table can't be decoded.
pub fn sums(
    parts: &[Part],
    slots: &Range<Slot>,
    at: i32,
    wanted: &dyn Fn(DeviceId) -> bool,
) -> Result<Vec<Entry>, RollupsError> {
    let mut devices: BTreeMap<DeviceId, Sums> = BTreeMap::new();
    for Part { table, without } in parts {
        for entry in table.entries()? {
            if slots.contains(&Slot(entry.at)) && !without.contains(&entry.device) && wanted(entry.device) {
                devices.entry(entry.device).or_default().merge(&entry.sums);
            }
        }
    }
    Ok(devices.into_iter().map(|(device, sums)| Entry { device, at, sums }).collect())
}

/// A table of which every column can be decoded.
fn whole(read: Result<Option<Arc<Table>>, RollupsError>) -> Option<Arc<Table>> {
    let decoded = read.and_then(|table| table.map(|table| table.decode().map(|()| table)).transpose());
    decoded.unwrap_or_else(|error| {
        tracing::error!(%error, "a rollup can't be read");
        None
    })
}

/// The dates that files in a folder are named by.
fn dates_in(folder: &Path) -> Result<BTreeSet<Date>, RollupsError> {
    let mut dates = BTreeSet::new();
    for entry in fs::read_dir(folder).at(folder)? {
        let name = entry.at(folder)?.file_name();
        dates.extend(name.to_str().and_then(|name| name.strip_suffix(".parquet")?.parse::<Date>().ok()));
    }
    Ok(dates)
}

/// Reads a file; one that is damaged is named in the log and counts as not there.
fn open(path: &Path, making: &Making) -> Result<Option<Encoded>, RollupsError> {
    match Encoded::open(path, making) {
        Ok(None) => {
            tracing::info!(path = %path.display(), "a rollup was made by other rules and is made again");
            Ok(None)
        }
        Err(RollupsError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error @ RollupsError::BadFile { .. }) => {
            tracing::error!(%error, "a rollup is damaged and is made again");
            Ok(None)
        }
        other => other,
    }
}

fn remove_files(folder: &Path, extension: &str) -> Result<(), RollupsError> {
    for entry in fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            fs::remove_file(&path).at(&path)?;
        }
    }
    Ok(())
}

/// The column of devices and one more, for callers that read a day of all devices at once.
///
/// # Errors
/// When the table can't be decoded.
pub fn by_device(table: &Table, column: Column) -> Result<Vec<(DeviceId, i64)>, RollupsError> {
    let (runs, values) = (table.runs()?, table.column(column)?);
    let value = |rows: &Range<usize>| values.get(rows.clone()).unwrap_or_default().iter().sum();
    Ok(runs.iter().map(|run| (run.device, value(&run.rows))).collect())
}
