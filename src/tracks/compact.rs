//! Merging the files of a day, so that bytes and reading times converge.
//!
//! Two rules. Files of about the same size are merged when there are `compact_files_min` of them, so that a
//! row is rewritten only a logarithmic number of times. And a day that has been quiet for a while is merged
//! into one file with the best compression. Memory is bounded: sources are read a page at a time.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use motorpool_protocols::UtcMillis;

use super::encode::{Discard, FileWriter};
use super::error::TracksError;
use super::merge::{Merge, Source};
use super::read::{Cursor, OpenFile};
use super::row::Partition;
use super::schema::{Effort, properties};
use super::store::{DataFile, State, Store};

/// Files merged at one time.
const MERGE_FILES_MAX: usize = 32;

/// A day is quiet when it got no file for so many seal intervals.
const QUIET_INTERVALS: u32 = 2;

/// A quiet day is always worth merging up to this size.
const SMALL_ROWS: u64 = 1 << 18;

/// A file stops growing by merges here.
const FILE_ROWS_MAX: u64 = 1 << 30;

/// Looks for quiet days so often even when nothing is written.
const WAKE_AFTER: Duration = Duration::from_secs(60);

/// Runs until the store stops.
pub(super) fn run(store: &Store) {
    let mut passed_over: Vec<u64> = Vec::new();
    loop {
        let state = store.state();
        if state.is_stopping {
            return;
        }
        let Some(job) = pick(&state, &store.config, &passed_over) else {
            drop(store.wait_for(state, WAKE_AFTER));
            continue;
        };
        drop(state);
        if let Err(error) = merge(store, &job) {
            tracing::error!(%error, day = %job.day, "track files can't be merged");
            passed_over.extend(job.files.iter().map(|file| file.meta.seq));
        }
    }
}

/// Files to merge.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) day: Partition,
    pub(super) files: Vec<Arc<DataFile>>,
    /// Whether these are all files of the day.
    pub(super) is_whole: bool,
}

/// What is worth merging most.
fn pick(state: &State, config: &crate::config::Tracks, passed_over: &[u64]) -> Option<Job> {
    for (day, files) in &state.version.files {
        if files.iter().any(|file| passed_over.contains(&file.meta.seq)) {
            continue;
        }
        let job = |files: Vec<Arc<DataFile>>, is_whole| Some(Job { day: *day, files, is_whole });
        if is_settled(state, config, *day, files) {
            let files: Vec<_> = files.iter().take(MERGE_FILES_MAX).map(Arc::clone).collect();
            let is_whole = files.len() == state.version.files.get(day).map_or(0, Vec::len);
            return job(files, is_whole);
        }
        if let Some(files) = pick_tier(files, config.compact_files_min) {
            return job(files, false);
        }
    }
    None
}

/// The smallest files of about the same size, when there are enough.
fn pick_tier(files: &[Arc<DataFile>], files_min: usize) -> Option<Vec<Arc<DataFile>>> {
    let files_min = files_min.max(2);
    let mut tiers: std::collections::BTreeMap<u32, Vec<Arc<DataFile>>> = std::collections::BTreeMap::new();
    for file in files.iter().filter(|file| file.meta.rows < FILE_ROWS_MAX) {
        tiers.entry(file.meta.rows.max(1).ilog2() / 2).or_default().push(Arc::clone(file));
    }
    let mut files = tiers.into_values().find(|files| files.len() >= files_min)?;
    files.truncate(MERGE_FILES_MAX);
    Some(files)
}

/// Whether a day is quiet and not yet in its final form, and making it so is worth the work.
fn is_settled(
    state: &State,
    config: &crate::config::Tracks,
    day: Partition,
    files: &[Arc<DataFile>],
) -> bool {
    let rows = |is_final| {
        files.iter().filter(|file| file.meta.is_final == is_final).map(|file| file.meta.rows).sum::<u64>()
    };
    let (loose, settled) = (rows(false), rows(true));
    if loose == 0 || loose + settled >= FILE_ROWS_MAX {
        return false;
    }
    let quiet = i64::try_from(config.seal_interval.0.as_millis()).unwrap_or(i64::MAX);
    let quiet = quiet.saturating_mul(i64::from(QUIET_INTERVALS));
    let touched = state.touched.get(&day).copied().unwrap_or(UtcMillis(0));
    let is_quiet = state.now.0 > 0 && state.now.0.saturating_sub(touched.0) >= quiet;
    is_quiet && (loose + settled <= SMALL_ROWS || loose >= settled / 4)
}

/// Merges all files of one day into one, or of every day.
pub(super) fn merge_all(store: &Store, only: Option<Partition>) -> Result<(), TracksError> {
    let days: Vec<Partition> = match only {
        Some(day) => vec![day],
        None => store.state().version.files.keys().copied().collect(),
    };
    let wanted = store.columns();
    for day in days {
        loop {
            let version = Arc::clone(&store.state().version);
            let Some(files) = version.files.get(&day) else { break };
            let is_done = match files.as_slice() {
                [file] => {
                    file.meta.is_final && store.cache.open(&store.dir, &file.meta)?.index().columns == wanted
                }
                _ => false,
            };
            if is_done {
                break;
            }
            let files: Vec<_> = files.iter().take(MERGE_FILES_MAX).map(Arc::clone).collect();
            let is_whole = files.len() == version.files.get(&day).map_or(0, Vec::len);
            drop(version);
            merge(store, &Job { day, files, is_whole })?;
        }
    }
    Ok(())
}

/// Merges the files of `job` into one and commits it. A job whose files are gone by now is no work.
fn merge(store: &Store, job: &Job) -> Result<(), TracksError> {
    let _merging = store.merging.lock().unwrap_or_else(PoisonError::into_inner);
    let is_current = {
        let state = store.state();
        let now = state.version.files.get(&job.day);
        job.files
            .iter()
            .all(|file| now.is_some_and(|files| files.iter().any(|known| Arc::ptr_eq(file, known))))
    };
    if !is_current {
        return Ok(());
    }
    let rows: u64 = job.files.iter().map(|file| file.meta.rows).sum();
    let effort = match (job.is_whole, rows <= SMALL_ROWS) {
        (true, true) => Effort::Utmost,
        (true, false) => Effort::Thorough,
        (false, _) => Effort::Quick,
    };
    let mut sources: Vec<Source> = Vec::with_capacity(job.files.len());
    for file in &job.files {
        // Not through the cache: a merge must not push out what readers use.
        sources.push(Box::new(Cursor::new(Arc::new(OpenFile::open(&store.dir, &file.meta, false)?))));
    }
    let mut merged = Merge::new(sources);
    let seq = store.next_seq();
    let path = store.dir.join(job.day.folder()).join(format!("{seq:08}.parquet"));
    let properties = Arc::new(properties(store.config.page_rows, effort));
    let mut discard = Discard::default();
    discard.add(&path);
    let mut writer = FileWriter::create(&path, store.columns(), &properties)?;
    for row in merged.by_ref() {
        writer.push(&row?)?;
    }
    let duplicates = merged.duplicates();
    let mut files = store.settle(vec![(job.day, seq, writer.finish()?)])?;
    files.iter_mut().for_each(|file| file.is_final = job.is_whole);
    discard.keep();
    store.commit(
        |manifest| {
            manifest.files.retain(|file| job.files.iter().all(|merged| merged.meta.seq != file.seq));
            manifest.files.extend(files);
            manifest.duplicates += duplicates;
        },
        |_| {},
    )
}
