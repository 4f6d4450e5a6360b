//! The archive without a server: read-only, beside a running one or after it.
//!
//! The manifest is read again for every day, because a running server may merge files away meanwhile; a
//! merge changes no rows. Rows that are not sealed yet come from the journal behind the checkpoint, as `tail`;
//! what is in both comes once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use motorpool_protocols::{Fix, UtcMillis};

use super::error::TracksError;
use super::manifest::{FileMeta, Manifest};
use super::merge::{Merge, Source};
use super::read::{Cursor, OpenFile};
use super::row::{Partition, Row, sort_and_dedup};
use crate::ids::{DeviceId, Lsn};

/// How often a file that was merged away is looked for under its successor.
const RELOADS_MAX: usize = 10;

/// Which rows.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a query, filled in by commands and the API")]
pub struct Selection {
    /// Only this device.
    pub device: Option<DeviceId>,
    /// Fixes from here on.
    pub from: UtcMillis,
    /// Fixes before this.
    pub to: UtcMillis,
    /// Whether to include fixes whose clock is not believed; they come last.
    pub include_suspect: bool,
}

impl Selection {
    /// Everything.
    #[must_use]
    pub const fn all() -> Self {
        Self { device: None, from: UtcMillis(i64::MIN), to: UtcMillis(i64::MAX), include_suspect: true }
    }

    /// Whether `row` is wanted.
    #[must_use]
    pub fn wants(&self, row: &Row) -> bool {
        self.device.is_none_or(|device| device == row.device)
            && (self.from..self.to).contains(&row.fix.fix_time)
            && (self.include_suspect || !row.is_clock_suspect())
    }
}

/// The rows of fixes that are in the journal but not yet in files: what the records from
/// [`Archive::checkpoint`] on decode to, in the order of the journal.
pub fn tail_rows(
    fixes: impl Iterator<Item = (DeviceId, UtcMillis, Fix, Vec<u8>)>,
    selection: &Selection,
) -> Vec<Row> {
    let rows = fixes.map(|(device, received_at, fix, extra)| Row::new(device, received_at, &fix, &extra));
    let mut rows: Vec<Row> = rows.filter(|row| selection.wants(row)).collect();
    sort_and_dedup(&mut rows);
    rows
}

/// The archive in a folder, opened for reading only.
#[derive(Clone, Debug)]
pub struct Archive {
    dir: PathBuf,
    checkpoint: Lsn,
}

impl Archive {
    /// Opens the archive in `dir`, the folder of the manifest. A folder without one is an empty archive.
    ///
    /// # Errors
    ///
    /// When the manifest can't be read or is damaged.
    pub fn open(dir: &Path) -> Result<Self, TracksError> {
        Ok(Self { dir: dir.to_owned(), checkpoint: Manifest::load(dir)?.checkpoint })
    }

    /// Every record before this address is in files.
    #[must_use]
    pub const fn checkpoint(&self) -> Lsn {
        self.checkpoint
    }

    /// The selected rows of files and `tail` together, by day, device, time and content, without duplicates.
    /// `tail` comes from [`tail_rows`].
    #[must_use]
    pub fn rows(&self, selection: Selection, tail: Vec<Row>) -> Rows {
        Rows { dir: self.dir.clone(), selection, tail, last: None, merge: None, damaged: Damaged::default() }
    }
}

type Damaged = Arc<Mutex<Vec<TracksError>>>;

/// Rows of an archive, one day after another.
pub struct Rows {
    dir: PathBuf,
    selection: Selection,
    tail: Vec<Row>,
    last: Option<Partition>,
    merge: Option<Merge>,
    damaged: Damaged,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("selection", &self.selection)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Rows {
    /// Files that could not be read so far; their rows are missing.
    #[must_use]
    pub fn take_damaged(&self) -> Vec<TracksError> {
        std::mem::take(&mut self.damaged.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_wanted(&self, day: Partition) -> bool {
        match day {
            Partition::Unknown => self.selection.include_suspect,
            Partition::Day(day) => {
                let day = i64::from(day);
                self.selection.from.day() <= day
                    && day <= UtcMillis(self.selection.to.0.saturating_sub(1)).day()
            }
        }
    }

    /// Opens the next day; `false` when there is none.
    fn next_day(&mut self) -> Result<bool, TracksError> {
        for _ in 0..RELOADS_MAX {
            let manifest = Manifest::load(&self.dir)?;
            let days = manifest.files.iter().map(|file| file.day).chain(self.tail.iter().map(Row::partition));
            let next = days.filter(|day| Some(*day) > self.last && self.is_wanted(*day)).min();
            let Some(day) = next else { return Ok(false) };
            let files: Vec<&FileMeta> = manifest.files.iter().filter(|file| file.day == day).collect();
            let Some(mut sources) = self.open_day(&files) else { continue };
            let (of_day, rest) =
                std::mem::take(&mut self.tail).into_iter().partition(|row| row.partition() == day);
            self.tail = rest;
            let of_day: Vec<Row> = of_day;
            sources.push(Box::new(of_day.into_iter().map(Ok)));
            self.last = Some(day);
            self.merge = Some(Merge::new(sources));
            return Ok(true);
        }
        Err(TracksError::bad(&self.dir, "files vanish faster than they can be opened"))
    }

    /// The files of one day as sources; `None` when one of them is gone.
    fn open_day(&self, files: &[&FileMeta]) -> Option<Vec<Source>> {
        let mut sources: Vec<Source> = Vec::new();
        for meta in files {
            match OpenFile::open(&self.dir, meta, false) {
                Ok(file) => sources.push(self.source(file)),
                Err(TracksError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    // Merged away, or lost for good: then the manifest still names it.
                    let is_named = Manifest::load(&self.dir).is_ok_and(|now| now.files.contains(meta));
                    if !is_named {
                        return None;
                    }
                    self.damaged(TracksError::bad(&meta.path(&self.dir), "missing"));
                }
                Err(error) => self.damaged(error),
            }
        }
        Some(sources)
    }

    fn damaged(&self, error: TracksError) {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }

    /// The wanted rows of `file`; a damaged page ends them and is remembered.
    fn source(&self, file: OpenFile) -> Source {
        let selection = self.selection;
        let damaged = Arc::clone(&self.damaged);
        let rows: Source = match selection.device {
            Some(device) => {
                let mut rows = Vec::new();
                match file.track(device, selection.from, selection.to, &mut rows) {
                    Ok(()) => Box::new(rows.into_iter().map(Ok)),
                    Err(error) => Box::new(std::iter::once(Err(error))),
                }
            }
            None => Box::new(Cursor::new(Arc::new(file))),
        };
        let rows = rows.map_while(move |row| match row {
            Ok(row) => Some(row),
            Err(error) => {
                damaged.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                None
            }
        });
        Box::new(rows.filter(move |row| selection.wants(row)).map(Ok))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, TracksError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.merge.as_mut().and_then(Iterator::next) {
                return Some(row);
            }
            match self.next_day() {
                Ok(true) => {}
                Ok(false) => {
                    self.merge = None;
                    return None;
                }
                Err(error) => {
                    // Nothing can follow: without the manifest there are no more days.
                    self.last = Some(Partition::Unknown);
                    self.merge = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
