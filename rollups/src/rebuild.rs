//! Makes the files again from the archive alone: the proof that what was kept while data came is what the data says.
//!
//! Rows come day by day; each device has a [`Folder`] that holds back what a later fix may still change. Slots are written two days
//! behind the rows, so that the memory is that of a few days; what a device that fell silent on a trip still owed is added when it is
//! heard of again.

use std::collections::BTreeMap;

use motorpool_storage::ids::DeviceId;
use motorpool_storage::tracks::{Row, TracksError};
use motorpool_supervision::point::Point;
use motorpool_supervision::rollups::{Folder, Gauges, Sample, Slots};
use motorpool_supervision::trips::TripSettings;

use crate::RollupsError;
use crate::store::Store;
use crate::table::Entry;

/// How many days slots are held back behind the rows.
const BEHIND_DAYS: i32 = 2;

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Rebuilt {
    /// Rows of the archive.
    pub fixes: u64,
    /// Devices.
    pub devices: u64,
    /// Files of slots.
    pub days: u64,
    /// Rows in them.
    pub slots: u64,
}

/// The sample of a row whose readings `gauges` reads.
pub fn sample(row: &Row, gauges: impl FnOnce(DeviceId, &[u8]) -> Gauges) -> Sample {
    let gauges = if row.extra.is_empty() { Gauges::default() } else { gauges(row.device, &row.extra) };
    Sample { point: Point::from(&row.fix), gauges }
}

/// Folds all rows into the folder of `store`, which has to be empty. `rows` come by day, device and time, as the archive gives
/// them. `progress` is told each day that is read.
///
/// # Errors
/// When a row can't be read or a file can't be written.
pub fn rebuild(
    rows: impl Iterator<Item = Result<Row, TracksError>>,
    store: &Store,
    settings: &TripSettings,
    gauges: &dyn Fn(DeviceId, &[u8]) -> Gauges,
    progress: &mut dyn FnMut(i32),
) -> Result<Rebuilt, RollupsError> {
    let mut devices: BTreeMap<DeviceId, Folder> = BTreeMap::new();
    let mut waiting = Waiting { store, days: BTreeMap::new(), written: BTreeMap::new() };
    let mut slots = Slots::new();
    let mut rebuilt = Rebuilt::default();
    let mut today = i32::MIN;
    for row in rows {
        let row = row?;
        if row.is_clock_suspect() {
            continue;
        }
        let day = i32::try_from(row.fix.fix_time.day()).unwrap_or(i32::MAX);
        if day > today {
            waiting.write_before(day.saturating_sub(BEHIND_DAYS))?;
            today = day;
            progress(day);
        }
        rebuilt.fixes += 1;
        let folder = devices.entry(row.device).or_insert_with(|| Folder::new(settings.clone()));
        folder.push(&sample(&row, gauges), &mut slots);
        if !slots.is_empty() {
            waiting.take(row.device, &mut slots);
        }
    }
    rebuilt.devices = devices.len() as u64;
    for (device, folder) in devices {
        folder.finish(&mut slots);
        waiting.take(device, &mut slots);
    }
    waiting.write_before(i32::MAX)?;
    rebuilt.days = waiting.written.len() as u64;
    rebuilt.slots = waiting.written.values().sum();
    waiting.sum_days()?;
    Ok(rebuilt)
}

/// Slots that were folded and not written yet.
struct Waiting<'a> {
    store: &'a Store,
    days: BTreeMap<i32, Vec<Entry>>,
    /// Rows of each day that has a file.
    written: BTreeMap<i32, u64>,
}

impl Waiting<'_> {
    fn take(&mut self, device: DeviceId, slots: &mut Slots) {
        for (slot, sums) in std::mem::take(slots) {
            self.days.entry(slot.day()).or_default().push(Entry { device, at: slot.0, sums });
        }
    }

    fn write_before(&mut self, day: i32) -> Result<(), RollupsError> {
        let later = self.days.split_off(&day);
        for (day, entries) in std::mem::replace(&mut self.days, later) {
            *self.written.entry(day).or_default() += entries.len() as u64;
            self.store.add(day, entries)?;
        }
        Ok(())
    }

    fn sum_days(&self) -> Result<(), RollupsError> {
        let mut dates: Vec<_> = self.written.keys().flat_map(|day| self.store.dates_of(*day)).collect();
        dates.dedup();
        dates.into_iter().try_for_each(|date| self.store.sum_day(date))
    }
}
