//! Work cut into units of whole devices, and the threads that do it.

use std::ops::Range;

use super::super::index::FileIndex;
use super::super::read::OpenFile;
use super::snapshot::Snapshot;
use crate::ids::DeviceId;

/// Rows of a unit, about: what one thread holds at a time, unless one device has more.
const UNIT_ROWS: u64 = 1 << 16;

/// Fewer rows than this are not worth a second thread.
const ROWS_PER_THREAD_MIN: u64 = 1 << 14;

/// The devices of one unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit<'a> {
    /// All from the first to the last.
    Between(DeviceId, DeviceId),
    /// These, in order.
    Listed(&'a [DeviceId]),
}

/// The units of a search, and on how many threads they are worth being done.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) units: Vec<Unit<'a>>,
    pub(super) threads: usize,
}

impl<'a> Plan<'a> {
    /// The units for `devices`, which are in order; for all when there is no list.
    pub(super) fn new(snapshot: &Snapshot, devices: Option<&'a [DeviceId]>, threads_max: usize) -> Self {
        let (units, rows) = match devices {
            Some(devices) => listed(snapshot, devices),
            None => all(snapshot),
        };
        let worth = usize::try_from(rows / ROWS_PER_THREAD_MIN).unwrap_or(usize::MAX);
        let threads = threads_max.min(units.len()).min(worth).max(1);
        Self { units, threads }
    }
}

fn listed<'a>(snapshot: &Snapshot, devices: &'a [DeviceId]) -> (Vec<Unit<'a>>, u64) {
    let mut units = Vec::new();
    let (mut start, mut rows, mut total) = (0, 0, 0);
    for (i, device) in devices.iter().enumerate() {
        let in_files = snapshot.files.iter().map(|file| rows_of(file, *device).len() as u64);
        rows += in_files.sum::<u64>();
        if rows >= UNIT_ROWS || i + 1 == devices.len() {
            units.push(Unit::Listed(&devices[start..=i]));
            total += rows;
            (start, rows) = (i + 1, 0);
        }
    }
    (units, total)
}

/// Cuts where a page begins: enough to share the work evenly, and quickly done.
fn all<'a>(snapshot: &Snapshot) -> (Vec<Unit<'a>>, u64) {
    let window = snapshot.window;
    let mut weights: Vec<(DeviceId, u64)> = Vec::new();
    for index in snapshot.files.iter().map(|file| file.index()) {
        for (page, bounds) in index.bounds.iter().enumerate() {
            let rows = index.rows_in(page);
            if let Some(device) = index.devices.get(index.device_of(rows.start))
                && bounds.overlaps(window.from, window.to)
            {
                weights.push((device.device, rows.len() as u64));
            }
        }
    }
    for table in snapshot.tables() {
        weights.extend(table.devices().map(|(device, rows)| (device, u64::from(rows))));
    }
    weights.sort_unstable();
    let total = weights.iter().map(|(_, rows)| rows).sum();
    let mut units = Vec::new();
    let (mut first, mut rows) = (DeviceId(0), 0);
    for (device, more) in weights {
        if rows >= UNIT_ROWS && device > first {
            units.push(Unit::Between(first, DeviceId(device.0 - 1)));
            (first, rows) = (device, 0);
        }
        rows += more;
    }
    units.push(Unit::Between(first, DeviceId(u32::MAX)));
    (units, total)
}

fn rows_of(file: &OpenFile, device: DeviceId) -> Range<u32> {
    file.index().rows_of(device)
}

impl Unit<'_> {
    /// The devices of the unit that `index` knows, in order, each with its rows.
    pub(super) fn in_file(&self, index: &FileIndex) -> Vec<(DeviceId, Range<u32>)> {
        match *self {
            Self::Between(first, last) => {
                let at = index.devices.partition_point(|known| known.device < first);
                let known = index.devices_from(at).map(|(known, rows)| (known.device, rows));
                known.take_while(|(device, _)| *device <= last).collect()
            }
            Self::Listed(devices) => {
                let known = devices.iter().map(|device| (*device, index.rows_of(*device)));
                known.filter(|(_, rows)| !rows.is_empty()).collect()
            }
        }
    }

    /// The devices of the unit that have rows in memory, in order.
    pub(super) fn in_memory(&self, snapshot: &Snapshot) -> Vec<DeviceId> {
        let mut found: Vec<DeviceId> = match *self {
            Self::Between(first, last) => {
                let known = snapshot.tables().flat_map(|table| table.devices().map(|(device, _)| device));
                known.filter(|device| (first..=last).contains(device)).collect()
            }
            Self::Listed(devices) => {
                let is_known = |device: &&DeviceId| snapshot.tables().any(|table| table.has(**device));
                devices.iter().filter(is_known).copied().collect()
            }
        };
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Does `work` on so many threads at once, this one among them, and gives back what each made.
pub(super) fn on_threads<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let mut others = Vec::new();
        for _ in 1..threads {
            let name = std::thread::Builder::new().name("tracks-search".to_owned());
            match name.spawn_scoped(scope, &work) {
                Ok(thread) => others.push(thread),
                // Slower, but the same answer.
                Err(error) => tracing::warn!(%error, "a search goes on with fewer threads"),
            }
        }
        let mut parts = vec![work()];
        for thread in others {
            match thread.join() {
                Ok(part) => parts.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    })
}
