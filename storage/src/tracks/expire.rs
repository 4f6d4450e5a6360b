//! Removing what has been kept long enough: rows go by when they were received, days at a time.
//!
//! A row is due when it was received before a given moment and nobody holds it. Whoever knows of holds says so row by
//! row. A day of which every row is due loses its files; a day of which some rows must stay is written again with
//! those alone. Either way the manifest is replaced first and the files go when their last reader is done, so a
//! crash leaves the day as it was or as it is to be. A day with a damaged file is left alone: nobody can tell what is
//! held in it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use motorpool_protocols::UtcMillis;
use motorpool_protocols::time::DAY_MS;

use super::compact::room;
use super::encode::{Discard, FileWriter};
use super::error::{At, TracksError};
use super::manifest::{FileMeta, Manifest};
use super::merge::{Merge, Source};
use super::read::{Cursor, OpenFile};
use super::row::{Partition, Row};
use super::schema::{Effort, properties};
use super::store::{DataFile, Store};

/// How often a file that was merged away while days were counted is looked for under its successor.
const RELOADS_MAX: usize = 10;

/// Rows between two looks at whether to stop.
const STOP_CHECK_ROWS: u64 = 1 << 16;

/// What a file takes beside its share of a day: its ends, its pages that are not full.
const REST_BYTES: u64 = 1 << 20;

/// What is to go.
pub struct Expiry<'a> {
    /// Rows received before this have been kept long enough.
    pub received_before: UtcMillis,
    /// Whether a row must stay all the same.
    pub is_held: &'a (dyn Fn(&Row) -> bool + Sync),
}

impl std::fmt::Debug for Expiry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expiry").field("received_before", &self.received_before).finish_non_exhaustive()
    }
}

impl Expiry<'_> {
    /// Whether `row` is to go.
    fn is_due(&self, row: &Row) -> bool {
        row.received_at < self.received_before && !(self.is_held)(row)
    }

    /// Whether a day can hold a row that is due: no fix whose clock is believed is more than a day later than its
    /// receipt.
    fn may_concern(&self, day: Partition) -> bool {
        match day {
            Partition::Unknown => true,
            Partition::Day(day) => (i64::from(day) - 1).saturating_mul(DAY_MS) < self.received_before.0,
        }
    }
}

/// A day that has rows to go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct DueDay {
    /// Which.
    pub day: Partition,
    /// Rows that go.
    pub rows_due: u64,
    /// Rows that stay: held, or received later.
    pub rows_kept: u64,
    /// Bytes of its files now.
    pub bytes: u64,
}

/// The days that have rows to go, and the files that could not be read, whose days stay.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Due {
    /// By day.
    pub days: Vec<DueDay>,
    /// Why days were left out.
    pub damaged: Vec<TracksError>,
}

/// Finds the days of the archive in `dir` that have rows to go. Changes nothing; works beside a running server.
///
/// # Errors
/// When the manifest can't be read.
pub fn due(dir: &Path, expiry: &Expiry<'_>) -> Result<Due, TracksError> {
    let mut due = Due::default();
    let mut last = None;
    loop {
        match next_due(dir, expiry, last)? {
            None => return Ok(due),
            Some((day, Ok(found))) => {
                last = Some(day);
                due.days.extend(found.filter(|found| found.rows_due > 0));
            }
            Some((day, Err(error))) => {
                last = Some(day);
                due.damaged.push(error);
            }
        }
    }
}

type Counted = (Partition, Result<Option<DueDay>, TracksError>);

/// Counts the next day behind `last`; `None` when there is none. The manifest is read again for each day, because a
/// merge may take files away meanwhile.
fn next_due(
    dir: &Path,
    expiry: &Expiry<'_>,
    last: Option<Partition>,
) -> Result<Option<Counted>, TracksError> {
    let mut tries = 0;
    loop {
        let manifest = Manifest::load(dir)?;
        let mut days: BTreeMap<Partition, Vec<&FileMeta>> = BTreeMap::new();
        for file in manifest.files.iter().filter(|file| Some(file.day) > last && expiry.may_concern(file.day))
        {
            days.entry(file.day).or_default().push(file);
        }
        let Some((day, files)) = days.into_iter().next() else { return Ok(None) };
        match count(dir, day, &files, expiry) {
            Err(TracksError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && tries < RELOADS_MAX =>
            {
                tries += 1;
            }
            counted => return Ok(Some((day, counted.map(Some)))),
        }
    }
}

fn count(
    dir: &Path,
    day: Partition,
    files: &[&FileMeta],
    expiry: &Expiry<'_>,
) -> Result<DueDay, TracksError> {
    let mut sources: Vec<Source> = Vec::with_capacity(files.len());
    for file in files {
        sources.push(Box::new(Cursor::new(Arc::new(OpenFile::open(dir, file, false)?))));
    }
    let bytes = files.iter().map(|file| file.bytes).sum();
    let mut found = DueDay { day, rows_due: 0, rows_kept: 0, bytes };
    for row in Merge::new(sources) {
        *(if expiry.is_due(&row?) { &mut found.rows_due } else { &mut found.rows_kept }) += 1;
    }
    Ok(found)
}

/// Removes the rows of `day` that are due, unless `is_current` says right before they go that who is asked for holds was overtaken: then `None`, and
/// the day stays as it is. Says what went and what stayed.
pub(super) fn expire_day(
    store: &Store,
    day: Partition,
    expiry: &Expiry<'_>,
    is_current: &dyn Fn() -> bool,
) -> Result<Option<DueDay>, TracksError> {
    let _merging = store.merging.lock().unwrap_or_else(PoisonError::into_inner);
    let files: Vec<Arc<DataFile>> = store.state().version.files.get(&day).cloned().unwrap_or_default();
    let bytes = files.iter().map(|file| file.meta.bytes).sum();
    let mut gone = DueDay { day, rows_due: 0, rows_kept: 0, bytes };
    if files.is_empty() || !expiry.may_concern(day) {
        return Ok(Some(gone));
    }
    let duplicates = each_row(store, &files, &mut |row| {
        *(if expiry.is_due(row) { &mut gone.rows_due } else { &mut gone.rows_kept }) += 1;
        Ok(())
    })?;
    if gone.rows_due == 0 {
        return Ok(Some(gone));
    }
    let mut rest = Rest::default();
    if gone.rows_kept > 0 {
        check_room(store, &gone)?;
        each_row(store, &files, &mut |row| {
            if expiry.is_due(row) { Ok(()) } else { rest.push(store, day, row) }
        })?;
    }
    let kept = rest.settle(store, day)?;
    if !is_current() {
        return Ok(None);
    }
    // From here on the manifest may name it, even if committing fails.
    rest.discard.keep();
    store.commit(
        |manifest| {
            manifest.files.retain(|file| files.iter().all(|gone| gone.meta.seq != file.seq));
            manifest.files.extend(kept);
            manifest.duplicates += duplicates;
            manifest.expired += gone.rows_due;
        },
        |_| {},
    )?;
    Ok(Some(gone))
}

/// Gives `visit` every row of these files, which are a day's. Says how many duplicates there were.
fn each_row(
    store: &Store,
    files: &[Arc<DataFile>],
    visit: &mut dyn FnMut(&Row) -> Result<(), TracksError>,
) -> Result<u64, TracksError> {
    let mut sources: Vec<Source> = Vec::with_capacity(files.len());
    for file in files {
        // Not through the cache: what goes must not push out what readers use.
        sources.push(Box::new(Cursor::new(Arc::new(OpenFile::open(&store.dir, &file.meta, false)?))));
    }
    let mut rows = Merge::new(sources);
    for (number, row) in (0_u64..).zip(rows.by_ref()) {
        if number.is_multiple_of(STOP_CHECK_ROWS) && store.state().is_stopping {
            return Err(TracksError::Closed);
        }
        visit(&row?)?;
    }
    Ok(rows.duplicates())
}

/// Refuses when what stays of a day may not fit onto the disk.
fn check_room(store: &Store, day: &DueDay) -> Result<(), TracksError> {
    if rest_bytes(day) > room(store) {
        return Err(io::Error::from(io::ErrorKind::StorageFull)).at(&store.dir);
    }
    Ok(())
}

/// The bytes that the rows that stay of a day take, by their share, with something for rows that are longer than others and for the file around
/// them; never more than the day has now.
fn rest_bytes(day: &DueDay) -> u64 {
    let (kept, all) = (u128::from(day.rows_kept), u128::from(day.rows_kept) + u128::from(day.rows_due));
    let share = u128::from(day.bytes) * kept / all.max(1);
    u64::try_from(share + share / 4).unwrap_or(u64::MAX).saturating_add(REST_BYTES).min(day.bytes)
}

/// The file of the rows that stay; made when the first one comes, and removed again unless it is kept.
#[derive(Default)]
struct Rest {
    file: Option<(u64, FileWriter)>,
    discard: Discard,
}

impl Rest {
    fn push(&mut self, store: &Store, day: Partition, row: &Row) -> Result<(), TracksError> {
        if let Some((_, writer)) = &mut self.file {
            return writer.push(row);
        }
        let seq = store.next_seq();
        let path = store.dir.join(day.folder()).join(format!("{seq:08}.parquet"));
        self.discard.add(&path);
        let properties = Arc::new(properties(store.config.page_rows, Effort::Thorough));
        let mut writer = FileWriter::create(&path, store.columns(), &properties)?;
        writer.push(row)?;
        self.file = Some((seq, writer));
        Ok(())
    }

    /// Makes it durable.
    fn settle(&mut self, store: &Store, day: Partition) -> Result<Vec<FileMeta>, TracksError> {
        let Some((seq, writer)) = self.file.take() else { return Ok(Vec::new()) };
        let mut files = store.settle(vec![(day, seq, writer.finish()?)])?;
        files.iter_mut().for_each(|file| file.is_final = true);
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_of_a_day_is_estimated_by_its_rows() {
        let of =
            |rows_due, rows_kept| DueDay { day: Partition::Day(1), rows_due, rows_kept, bytes: 800 << 20 };
        assert_eq!(rest_bytes(&of(99, 1)), (10 << 20) + REST_BYTES);
        assert_eq!(rest_bytes(&of(1, 99)), 800 << 20, "what stays can't have more than there is");
        assert_eq!(rest_bytes(&of(u64::MAX, u64::MAX)), (500 << 20) + REST_BYTES);
    }
}
