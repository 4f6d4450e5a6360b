//! Tracks: the ordered fixes of every device, kept for years in plain Parquet.
//!
//! ```text
//! tracks/
//!   manifest.json                    which files count, and the journal address they reach   (manifest)
//!   day=2018-07-15/00000017.parquet  the fixes of one UTC day, by device, time, content      (schema, encode)
//!   day=2018-07-15/00000017.idx      where each device and page is; only beside large files  (index)
//!   day=unknown/00000018.parquet     fixes whose clock is not believed
//! ```
//!
//! The fold appends rows to a table in memory. The sealer sorts a full table and writes a file for each of its
//! days; files and journal address are committed together by replacing the manifest, so after a crash the
//! fold begins again at [`Tracks::checkpoint`] and nothing is missing or twice. The merger joins the files of
//! a day. Readers take memory and files together and remove duplicates; see [`row`] for what a duplicate is.
//! [`search`] asks about many devices at once.
//!
//! A damaged file is named and left out; all others are read. Only the manifest says which files count: a program
//! that takes all of `*/*.parquet` beside a running server may for a moment see a merged file and its sources.
//!
//! This module and [`crate::journal`] alone write data files. It never reads the clock and never drops a fix.

mod archive;
mod cache;
mod compact;
mod delta;
mod encode;
mod error;
mod expire;
mod footer;
pub(crate) mod index;
pub(crate) mod manifest;
mod memtable;
mod merge;
mod pace;
mod pages;
pub(crate) mod pin;
mod read;
pub mod row;
mod schema;
mod seal;
pub mod search;
mod store;
mod verify;
mod whole;

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use motorpool_protocols::{Fix, UtcMillis};

use self::error::At;
use self::manifest::Manifest;
use self::memtable::Staging;
use self::store::{FROZEN_MAX, Store, Version};
use crate::config;
use crate::ids::{DeviceId, Lsn};
use crate::priority::step_back;

pub use self::archive::{Archive, Rows, Selection, tail_rows};
pub use self::error::TracksError;
pub use self::expire::{Due, DueDay, Expiry, due};
pub use self::pin::{Pinned, pin};
pub use self::row::{Partition, Row};
pub use self::verify::{Verified, verify, verify_all};
pub use self::whole::write_parquet;

/// The archive. Clones share it; the threads behind it end with the last clone.
#[derive(Clone, Debug)]
pub struct Tracks {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    store: Arc<Store>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    has_writer: AtomicBool,
}

/// What to read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TrackOptions {
    /// Whether to include fixes whose clock is not believed.
    pub include_suspect: bool,
    /// Rows at most; the first ones of the window are given. An instant is never split: when the first one alone
    /// has more rows, all of them are given.
    pub rows_max: usize,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self { include_suspect: false, rows_max: usize::MAX }
    }
}

impl TrackOptions {
    /// With fixes whose clock is not believed.
    #[must_use]
    pub const fn include_suspect(mut self, include: bool) -> Self {
        self.include_suspect = include;
        self
    }

    /// With at most so many rows, or those of one whole instant.
    #[must_use]
    pub const fn rows_max(mut self, rows_max: usize) -> Self {
        self.rows_max = rows_max;
        self
    }
}

/// Fixes of one device.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Track {
    /// By time, then ordinal; no duplicates.
    pub rows: Vec<Row>,
    /// The instant of the first row that was left out because of [`TrackOptions::rows_max`]: where the next part
    /// begins. No row of it is in this part.
    pub next_from: Option<UtcMillis>,
    /// Files that could not be read; their rows are missing.
    pub damaged: Vec<TracksError>,
}

/// The ledger: `decoded == stored + duplicates + expired + pending` at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Rows ever taken.
    pub decoded: u64,
    /// Rows in files.
    pub stored: u64,
    /// Duplicates removed.
    pub duplicates: u64,
    /// Rows removed because they were kept long enough.
    pub expired: u64,
    /// Rows in memory only.
    pub pending: u64,
    /// Files.
    pub files: u64,
    /// Bytes of the Parquet files.
    pub bytes: u64,
    /// Days that have files; `unknown` counts as one.
    pub days: u64,
    /// Tables that wait for the sealer.
    pub frozen_tables: u64,
    /// How often the writer waited because two tables were still to be written.
    pub writer_waits: u64,
    /// Files that are not yet in their final form: what merging is behind by.
    pub loose_files: u64,
    /// Rows in these.
    pub loose_rows: u64,
    /// Rows written by merges since the start.
    pub merged_rows: u64,
}

impl Tracks {
    /// Opens the archive in `dir`, which is made if it does not exist, and removes what a crash left there.
    ///
    /// # Errors
    ///
    /// When the folder can't be read or written, or the manifest is damaged, or missing though there are files.
    pub fn open(dir: &Path, config: &config::Tracks) -> Result<Self, TracksError> {
        fs::create_dir_all(dir).at(dir)?;
        let manifest = Manifest::load(dir)?;
        if manifest == Manifest::default() {
            // From now on a missing manifest is a lost one.
            manifest.store(dir)?;
        }
        let orphans = manifest::remove_orphans(dir, &manifest)?;
        if orphans > 0 {
            tracing::info!(orphans, "removed track files that were never committed");
        }
        let store = Arc::new(Store::new(dir, config, manifest));
        let threads = vec![
            spawn("tracks-seal", 5, &store, seal::run).at(dir)?,
            // Its merges have threads of their own, which step aside.
            spawn("tracks-compact", 0, &store, compact::run).at(dir)?,
        ];
        let handle = Handle { store, threads: Mutex::new(threads), has_writer: AtomicBool::new(false) };
        Ok(Self { handle: Arc::new(handle) })
    }

    /// The checkpoint of the archive in `dir`, which may be in use and is not touched; address 0 when there is none.
    ///
    /// # Errors
    ///
    /// When the manifest can't be read, is damaged, or missing though there are files.
    pub fn checkpoint_in(dir: &Path) -> Result<Lsn, TracksError> {
        Ok(Manifest::load(dir)?.checkpoint)
    }

    fn store(&self) -> &Store {
        &self.handle.store
    }

    /// Every record before this address is in committed files.
    #[must_use]
    pub fn checkpoint(&self) -> Lsn {
        self.store().state().version.checkpoint
    }

    /// The one writer.
    ///
    /// # Panics
    ///
    /// When it was taken before: two writers would break the order of the addresses.
    #[must_use]
    pub fn writer(&self) -> TracksWriter {
        assert!(!self.handle.has_writer.swap(true, Ordering::AcqRel), "the archive has one writer");
        TracksWriter { staging: Staging::default(), handle: Arc::clone(&self.handle) }
    }

    /// The fixes of `device` with `from <= fix_time < to`, from memory and files together.
    #[must_use]
    pub fn track(&self, device: DeviceId, from: UtcMillis, to: UtcMillis, options: TrackOptions) -> Track {
        self.track_at(device, from..to, &[EVER], options)
    }

    /// As [`Tracks::track`], but only fixes that were taken, or received if their clock is not believed, in one of `times`. Nothing tells
    /// of others, not even where the next part begins.
    #[must_use]
    pub fn track_at(
        &self,
        device: DeviceId,
        window: Range<UtcMillis>,
        times: &[Range<UtcMillis>],
        options: TrackOptions,
    ) -> Track {
        let (version, in_memory) = self.in_memory(device, &window);
        // Their times say nothing about the day they belong to.
        let (suspect, in_memory) = in_memory.into_iter().partition(Row::is_clock_suspect);
        let suspect = options.include_suspect.then_some(suspect);
        let wanted = Wanted { device, window, times };
        let (mut track, is_whole) = self.merged(&version, &wanted, options.rows_max, in_memory, suspect);
        cut(&mut track, options.rows_max, is_whole);
        track
    }

    /// The fixes of `device` whose clock is not believed and that were received first with `from <= received_at < to`, in the order of
    /// the times they name. Holds every such fix of the device for a while: nothing is sorted by receipt.
    #[must_use]
    pub fn received_with_suspect_clock(&self, device: DeviceId, from: UtcMillis, to: UtcMillis) -> Track {
        let (version, mut rows) = self.in_memory(device, &EVER);
        rows.retain(Row::is_clock_suspect);
        let (mut track, wanted) = (Track::default(), Wanted { device, window: EVER, times: &[from..to] });
        self.read(&version, Partition::Unknown, &wanted, &mut rows, &mut track.damaged);
        // Of duplicates the one received first stays: so what came later takes part in nothing.
        rows.retain(|row| row.received_at < to);
        row::sort_and_dedup(&mut rows);
        rows.retain(|row| wanted.has(row));
        track.rows = rows;
        track
    }

    /// The rows of `device` in memory, in no order, with duplicates, and the files that hold all others.
    fn in_memory(&self, device: DeviceId, window: &Range<UtcMillis>) -> (Arc<Version>, Vec<Row>) {
        let mut rows = Vec::new();
        let state = self.store().state();
        for frozen in &state.frozen {
            frozen.table.collect(device, window.start, window.end, &mut rows);
        }
        state.active.collect(device, window.start, window.end, &mut rows);
        (Arc::clone(&state.version), rows)
    }

    /// Adds the rows of the files of `day`; of a file that can't be read, none.
    fn read(
        &self,
        version: &Version,
        day: Partition,
        wanted: &Wanted<'_>,
        out: &mut Vec<Row>,
        damaged: &mut Vec<TracksError>,
    ) {
        let Range { start, end } = wanted.window;
        for file in version.files.get(&day).into_iter().flatten() {
            let opened = self.store().cache.open(&self.store().dir, &file.meta);
            let kept = out.len();
            if let Err(error) = opened.and_then(|file| file.track(wanted.device, start, end, out)) {
                tracing::error!(%error, "a track file can't be read");
                out.truncate(kept);
                damaged.push(error);
            }
        }
    }

    /// The rows of whole days until there are more than `rows_max`, and whether these are all.
    fn merged(
        &self,
        version: &Version,
        wanted: &Wanted<'_>,
        rows_max: usize,
        mut in_memory: Vec<Row>,
        suspect: Option<Vec<Row>>,
    ) -> (Track, bool) {
        let mut track = Track::default();
        let mut is_whole = true;
        let Range { start, end } = wanted.window;
        if start >= end {
            return (track, is_whole);
        }
        in_memory.sort_unstable_by_key(|row| std::cmp::Reverse(row.fix.fix_time));
        let day = |instant: i64| Partition::Day(i32::try_from(UtcMillis(instant).day()).unwrap_or(i32::MAX));
        let (first, last) = (day(start.0.max(0)), day(end.0.saturating_sub(1).max(0)));
        let days = version.files.range(first..=last).map(|(day, _)| *day);
        for day in days.filter(|day| wanted.may_have(*day)).chain([Partition::Unknown]) {
            // Rows before this day are complete now.
            if track.rows.len() > rows_max {
                is_whole = false;
                break;
            }
            let mut rows = Vec::new();
            if day != Partition::Unknown {
                self.read(version, day, wanted, &mut rows, &mut track.damaged);
            }
            while in_memory.last().is_some_and(|row| row.partition() <= day || day == Partition::Unknown) {
                rows.extend(in_memory.pop());
            }
            row::sort_and_dedup(&mut rows);
            rows.retain(|row| wanted.has(row));
            track.rows.append(&mut rows);
        }
        if let Some(mut suspect) = suspect {
            self.read(version, Partition::Unknown, wanted, &mut suspect, &mut track.damaged);
            row::sort_and_dedup(&mut suspect);
            // What lies behind the days that were read belongs to a later part.
            let end = track.rows.last().filter(|_| !is_whole).map(|row| row.fix.fix_time);
            suspect.retain(|row| wanted.has(row) && end.is_none_or(|end| row.fix.fix_time <= end));
            track.rows.append(&mut suspect);
            row::sort_and_dedup(&mut track.rows);
        }
        (track, is_whole)
    }

    /// The days that have files, counted from 1970.
    #[must_use]
    pub fn days(&self) -> Vec<i32> {
        let state = self.store().state();
        let day = |partition: &Partition| match partition {
            Partition::Day(day) => Some(*day),
            Partition::Unknown => None,
        };
        state.version.files.keys().filter_map(day).collect()
    }

    /// The ledger as it is now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let state = self.store().state();
        let files = || state.version.files.values().flatten();
        let loose = || files().filter(|file| !file.meta.is_final);
        Stats {
            decoded: state.decoded,
            stored: state.version.rows(),
            duplicates: state.version.duplicates,
            expired: state.version.expired,
            pending: state.pending(),
            files: files().count() as u64,
            bytes: files().map(|file| file.meta.bytes).sum(),
            days: state.version.files.len() as u64,
            frozen_tables: state.frozen.len() as u64,
            writer_waits: state.writer_waits,
            loose_files: loose().count() as u64,
            loose_rows: loose().map(|file| file.meta.rows).sum(),
            merged_rows: state.merged_rows,
        }
    }

    /// Writes every published row to files; afterwards [`Tracks::checkpoint`] is what the writer last reached.
    ///
    /// # Errors
    ///
    /// When the files can't be written; the rows stay in memory and the sealer goes on trying.
    pub fn seal_now(&self) -> Result<(), TracksError> {
        let store = self.store();
        let mut state = store.state();
        if state.active.len() > 0 || state.applied > state.version.checkpoint {
            state.freeze();
            state.failure = None;
            store.notify();
        }
        while !state.frozen.is_empty() {
            if state.is_stopping {
                return Err(TracksError::Closed);
            }
            if let Some(reason) = state.failure.take() {
                return Err(TracksError::bad(&store.dir, reason));
            }
            state = store.wait(state);
        }
        Ok(())
    }

    /// Has merges leave `bytes` of the disk free, 512 MiB unless this is called: writing what was received
    /// comes before tidying up.
    pub fn keep_free(&self, bytes: u64) {
        self.store().set_keep_free(bytes);
    }

    /// Merges the files of `day` into one.
    ///
    /// # Errors
    ///
    /// When a file can't be read or written, the disk has too little room, or the archive was closed; the files
    /// stay as they are.
    pub fn compact_now(&self, day: Partition) -> Result<(), TracksError> {
        compact::merge_all(self.store(), Some(day))
    }

    /// Merges the files of every day, so that each day has one.
    ///
    /// # Errors
    ///
    /// Like [`Tracks::compact_now`]; days before the one that failed are merged.
    pub fn compact_all(&self) -> Result<(), TracksError> {
        compact::merge_all(self.store(), None)
    }

    /// The folder of the archive.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.store().dir
    }

    /// Removes the rows of `day` that `expiry` says are due, for good; says what went. Readers that are at it keep
    /// what they have opened. Right before the rows go `is_current` is asked whether what `expiry` says still holds; if
    /// not, the day stays as it is and the answer is `None`.
    ///
    /// # Errors
    ///
    /// When a file of the day can't be read or written, or the archive was closed; the day stays as it is.
    pub fn expire_day(
        &self,
        day: Partition,
        expiry: &Expiry<'_>,
        is_current: &dyn Fn() -> bool,
    ) -> Result<Option<DueDay>, TracksError> {
        expire::expire_day(self.store(), day, expiry, is_current)
    }

    /// To be called before the writer's thread is asked to end: from now on the writer waits for the sealer only
    /// while the sealer succeeds. What it can't take any more is in the journal behind the checkpoint.
    pub fn stop_waiting(&self) {
        self.store().state().is_winding_down = true;
        self.store().notify();
    }

    /// Writes every published row to files and ends the threads. Reading still works; the writer does nothing
    /// any more.
    ///
    /// # Errors
    ///
    /// Like [`Tracks::seal_now`]; the threads are ended all the same.
    pub fn close(&self) -> Result<(), TracksError> {
        let sealed = self.seal_now();
        self.handle.stop();
        sealed
    }
}

impl Handle {
    fn stop(&self) {
        self.store.state().is_stopping = true;
        self.store.notify();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the track archive panicked");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Since ever, for ever.
const EVER: Range<UtcMillis> = UtcMillis(i64::MIN)..UtcMillis(i64::MAX);

/// Which rows of a device.
struct Wanted<'a> {
    device: DeviceId,
    /// By the times that fixes name.
    window: Range<UtcMillis>,
    /// By the times that are believed.
    times: &'a [Range<UtcMillis>],
}

impl Wanted<'_> {
    fn has(&self, row: &Row) -> bool {
        let at = row.believed_time();
        self.times.iter().any(|time| time.contains(&at))
    }

    /// Whether rows of a day can be among them.
    fn may_have(&self, day: Partition) -> bool {
        let Partition::Day(day) = day else { return true };
        let day = i64::from(day);
        self.times.iter().any(|time| time.start.day() <= day && day <= time.end.day())
    }
}

/// Leaves the first `rows_max` rows without splitting an instant. With `is_whole` there are no rows behind these.
fn cut(track: &mut Track, rows_max: usize, is_whole: bool) {
    let Some(over) = track.rows.get(rows_max).map(|row| row.fix.fix_time) else { return };
    let mut end = track.rows.partition_point(|row| row.fix.fix_time < over);
    if end == 0 {
        end = track.rows.partition_point(|row| row.fix.fix_time <= over);
    }
    let behind = (!is_whole).then(|| UtcMillis(over.0.saturating_add(1)));
    track.next_from = track.rows.get(end).map(|row| row.fix.fix_time).or(behind);
    track.rows.truncate(end);
}

fn spawn(name: &str, nice: i32, store: &Arc<Store>, run: fn(&Store)) -> std::io::Result<JoinHandle<()>> {
    let store = Arc::clone(store);
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        step_back(nice);
        run(&store);
    })
}

/// Adds fixes to the archive. There is one, owned by the fold.
#[derive(Debug)]
pub struct TracksWriter {
    staging: Staging,
    handle: Arc<Handle>,
}

impl TracksWriter {
    /// Takes one fix. Readers see it after the next [`TracksWriter::advance`]. `received_at` is kept in whole
    /// seconds, `extra` up to 65,535 bytes.
    #[inline]
    pub fn append(&mut self, device: DeviceId, received_at: UtcMillis, fix: &Fix, extra: &[u8]) {
        self.staging.append(device, received_at, fix, extra);
    }

    /// Rows that wait for [`TracksWriter::advance`].
    #[must_use]
    pub fn staged(&self) -> usize {
        self.staging.len()
    }

    /// Says that the fixes of every record before `lsn` have been appended, and shows them to readers.
    ///
    /// Hands the table in memory to the sealer when it is full or, by `now`, old enough; waits while it is full
    /// and two such tables are still to be written. To be called from time to time even when nothing arrives.
    ///
    /// After [`Tracks::stop_waiting`], when there is nothing to wait for, the fixes are left to the journal:
    /// [`Tracks::checkpoint`] will not pass them.
    pub fn advance(&mut self, lsn: Lsn, now: UtcMillis) {
        let store = &self.handle.store;
        let mut state = store.state();
        if state.is_refusing {
            self.staging.clear();
            return;
        }
        debug_assert!(lsn >= state.applied, "addresses do not go back");
        state.decoded += self.staging.len() as u64;
        state.active.absorb(&mut self.staging);
        state.applied = lsn;
        state.now = now;
        if state.active.weight() < store.config.memory_rows_max && !state.is_due(&store.config) {
            return;
        }
        state.writer_waits += u64::from(state.frozen.len() >= FROZEN_MAX);
        while state.frozen.len() >= FROZEN_MAX && !state.is_stopping {
            if state.is_winding_down && state.failure.is_some() {
                state.is_refusing = true;
                return;
            }
            state = store.wait(state);
        }
        if !state.is_stopping {
            state.freeze();
            drop(state);
            store.notify();
        }
    }
}

#[cfg(test)]
mod tests;
