//! The sealer: a thread that sorts frozen tables and writes them as files, one per day.
//!
//! A table stays frozen, and readable, until its files and the address it reaches are committed together. A
//! failure (a full disk) leaves no trace but a retry; the writer waits meanwhile.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::encode::{Discard, FileWriter, Written};
use super::error::{At, TracksError};
use super::manifest::{FileMeta, sync_dir};
use super::row::{Dedup, Partition};
use super::schema::{Effort, properties};
use super::store::{Frozen, Store};

/// Wait after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// So many rows of a table, in files that are whole, are compressed as well as can be: such a file is never
/// written again if nothing is added to its day. That takes about 1 µs a row, ten times as long as quickly; the
/// limit bounds what a table costs beside ingest. The rest is compressed well when it is merged.
const UTMOST_ROWS_MAX: usize = 1 << 14;

/// Runs until the store stops.
pub(super) fn run(store: &Store) {
    let mut prepared = None;
    loop {
        let mut state = store.state();
        let frozen = loop {
            if state.is_stopping {
                return;
            }
            match state.frozen.front() {
                Some(frozen) => break Arc::clone(frozen),
                None => state = store.wait(state),
            }
        };
        drop(state);
        if let Err(error) = seal(store, &frozen, &mut prepared) {
            tracing::error!(%error, "fixes can't be written to the archive; they stay in memory");
            let mut state = store.state();
            state.failure = Some(error.to_string());
            store.notify();
            if !state.is_stopping {
                drop(store.wait_for(state, RETRY_AFTER));
            }
        }
    }
}

/// Durable files that no manifest names yet.
#[derive(Debug)]
pub(super) struct Prepared {
    files: Vec<FileMeta>,
    duplicates: u64,
}

/// Writes `frozen`, the first of the frozen tables, and commits it. Files of a try that failed to commit are
/// in `prepared` and are not written again: the manifest on disk may name them already.
fn seal(store: &Store, frozen: &Frozen, prepared: &mut Option<Prepared>) -> Result<(), TracksError> {
    let columns = frozen.table.needs();
    if prepared.is_none() {
        *prepared = Some(write_files(store, frozen)?);
    }
    let Some(done) = prepared.as_ref() else { return Ok(()) };
    store.commit(
        |manifest| {
            manifest.checkpoint = frozen.upto;
            manifest.columns = manifest.columns.with(columns);
            manifest.duplicates += done.duplicates;
            manifest.files.extend(done.files.iter().cloned());
        },
        |state| {
            let now = state.now;
            state.touched.extend(done.files.iter().map(|file| (file.day, now)));
            state.frozen.pop_front();
            state.failure = None;
        },
    )?;
    *prepared = None;
    Ok(())
}

/// Writes the rows of `frozen` as durable files that nothing names yet.
pub(super) fn write_files(store: &Store, frozen: &Frozen) -> Result<Prepared, TracksError> {
    let table = &frozen.table;
    let columns = store.columns().with(table.needs());
    let [quick, utmost] =
        [Effort::Quick, Effort::Utmost].map(|effort| Arc::new(properties(store.config.page_rows, effort)));
    let mut utmost_rows_left = UTMOST_ROWS_MAX;
    let sorted = table.sorted();
    let mut written: Vec<(Partition, u64, Written)> = Vec::new();
    let mut is_utmost = Vec::new();
    let mut duplicates = 0;
    let mut discard = Discard::default();
    for runs in sorted.runs.chunk_by(|a, b| a.0 == b.0) {
        let Some((day, ..)) = runs.first() else { continue };
        let folder = store.dir.join(day.folder());
        if !folder.is_dir() {
            fs::create_dir(&folder).at(&folder)?;
            sync_dir(&store.dir)?;
        }
        let seq = store.next_seq();
        let path = folder.join(format!("{seq:08}.parquet"));
        discard.add(&path);
        let rows: usize = runs.iter().map(|run| (run.2 - run.1) as usize).sum();
        is_utmost.push(rows <= utmost_rows_left);
        let properties = if rows <= utmost_rows_left { &utmost } else { &quick };
        utmost_rows_left -= if rows <= utmost_rows_left { rows } else { 0 };
        let mut writer = FileWriter::create(&path, columns, properties)?;
        let mut dedup = Dedup::default();
        for row in runs.iter().flat_map(|run| table.rows_of(&sorted, run)) {
            if let Some(row) = dedup.push(row) {
                writer.push(&row)?;
            }
        }
        if let Some(row) = dedup.finish() {
            writer.push(&row)?;
        }
        duplicates += dedup.duplicates;
        written.push((*day, seq, writer.finish()?));
    }
    let mut files = store.settle(written)?;
    let version = Arc::clone(&store.state().version);
    for (file, is_utmost) in files.iter_mut().zip(is_utmost) {
        file.is_final = is_utmost && !version.files.contains_key(&file.day);
    }
    discard.keep();
    Ok(Prepared { files, duplicates })
}
