//! What a search reads: the archive as it was at one instant, and the files of it that matter.

use std::sync::{Arc, Mutex, PoisonError};

use motorpool_protocols::UtcMillis;

use super::super::error::TracksError;
use super::super::memtable::Memtable;
use super::super::read::OpenFile;
use super::super::row::{Partition, Row, sort_and_dedup};
use super::super::store::{Frozen, Store};
use crate::ids::DeviceId;

/// A window of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: UtcMillis,
    pub(super) to: UtcMillis,
}

/// Every source that may have rows of a window, taken at one instant, so that each published row is in one of them.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) window: Window,
    /// By day.
    pub(super) files: Vec<Arc<OpenFile>>,
    frozen: Vec<Arc<Frozen>>,
    active: Option<Memtable>,
    damaged: Mutex<Vec<TracksError>>,
}

impl Snapshot {
    pub(super) fn take(store: &Store, window: Window) -> Self {
        let Window { from, to } = window;
        let (version, frozen, active) = {
            let state = store.state();
            let frozen = state.frozen.iter().filter(|frozen| frozen.table.overlaps(from, to));
            let frozen: Vec<_> = frozen.map(Arc::clone).collect();
            let active = state.active.overlaps(from, to).then(|| state.active.clone());
            (Arc::clone(&state.version), frozen, active)
        };
        let mut snapshot = Self { window, files: Vec::new(), frozen, active, damaged: Mutex::default() };
        if from >= to {
            return snapshot;
        }
        let day = |instant: i64| Partition::Day(i32::try_from(UtcMillis(instant).day()).unwrap_or(i32::MAX));
        let (first, last) = (day(from.0.max(0)), day(to.0.saturating_sub(1).max(0)));
        for file in version.files.range(first..=last).flat_map(|(_, files)| files) {
            match store.cache.open(&store.dir, &file.meta) {
                Ok(file) if file.index().bounds.iter().any(|page| page.overlaps(from, to)) => {
                    snapshot.files.push(file);
                }
                Ok(_) => {}
                Err(error) => snapshot.damaged(error),
            }
        }
        snapshot
    }

    /// The tables in memory.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Memtable> {
        self.frozen.iter().map(|frozen| &frozen.table).chain(&self.active)
    }

    /// The rows of `device` in memory, in order, without duplicates and suspect clocks.
    pub(super) fn rows_in_memory(&self, device: DeviceId) -> Vec<Row> {
        let mut rows = Vec::new();
        for table in self.tables() {
            table.collect(device, self.window.from, self.window.to, &mut rows);
        }
        rows.retain(|row| !row.is_clock_suspect());
        sort_and_dedup(&mut rows);
        rows
    }

    /// Remembers that a file could not be read; each is named once.
    pub(super) fn damaged(&self, error: TracksError) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if damaged.iter().all(|known| known.path() != error.path()) {
            tracing::error!(%error, "a track file can't be read");
            damaged.push(error);
        }
    }

    /// The files that could not be read.
    pub(super) fn into_damaged(self) -> Vec<TracksError> {
        self.damaged.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
