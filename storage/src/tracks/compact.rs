//! Merging the files of a day, so that bytes and reading times converge.
//!
//! Three rules. Files of about the same size are merged when there are `compact_files_min` of them, so that a
//! row is rewritten only a logarithmic number of times: so the open day never has many. A day that has been quiet for
//! a while is merged into one file with the best compression. And a few late rows of a large old day wait for more of
//! their kind until the day has been quiet for [`LATE_AFTER`]; after a restart, when that is not known, they are
//! merged at once.
//!
//! Memory is bounded: sources are read a page at a time. A merge needs room for as much as it reads, and is put off
//! while that would not leave [`super::Tracks::keep_free`]. It gives way to those who wait for something: see
//! [`super::pace`]. Each merge is a thread's that runs only while nobody else wants its processor, and rests most of the time; with
//! many files unmerged it rests less, and with too many it is given up, and merges take a share of the processor until they have
//! caught up.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use motorpool_protocols::UtcMillis;

use super::encode::{Discard, FileWriter};
use super::error::{At, TracksError};
use super::manifest::FileMeta;
use super::merge::{Merge, Source};
use super::pace::Pace;
use super::read::{Cursor, OpenFile};
use super::row::Partition;
use super::schema::{Effort, properties};
use super::store::{DataFile, State, Store};
use crate::priority::{breathe_at, hurry, step_aside, step_back};

/// Files merged at one time.
const MERGE_FILES_MAX: usize = 32;

/// A day is quiet when it got no file for so many seal intervals.
const QUIET_INTERVALS: u32 = 2;

/// A quiet day is always worth merging up to this size.
const SMALL_ROWS: u64 = 1 << 18;

/// A day that has been quiet for so long gets no more late rows soon: what came is worth rewriting all of it.
const LATE_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// A file stops growing by merges here.
const FILE_ROWS_MAX: u64 = 1 << 30;

/// Looks for quiet days so often even when nothing is written.
const WAKE_AFTER: Duration = Duration::from_secs(60);

/// Files of a merge that the system refused are left alone so long.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// With more files than these to merge, merges are behind: the tiers of a day hold some ten each.
pub(super) const BEHIND_FILES: usize = 128;

/// With more than these a merge in spare time hurries, so that a long one is over before it has to be given up.
const MANY_FILES: usize = BEHIND_FILES / 2;

/// Below all others, on the scale of `nice(1)`: the share of merges that are behind.
const SHARE_NICE: i32 = 15;

/// Rows merged between two looks at whether to stop or to wait.
const LOOK_ROWS: usize = 1 << 15;

/// Runs until the store stops.
pub(super) fn run(store: &Store) {
    let mut passed_over = PassedOver::default();
    loop {
        let room = room(store);
        let now = Instant::now();
        let state = store.state();
        if state.is_stopping {
            return;
        }
        let is_possible = |files: &[Arc<DataFile>]| {
            source_bytes(files) <= room && !files.iter().any(|file| passed_over.contains(file.meta.seq, now))
        };
        let Some(job) = pick(&state, &store.config, is_possible) else {
            drop(store.wait_for(state, WAKE_AFTER));
            continue;
        };
        drop(state);
        let time = if is_behind(store) { Time::Share } else { Time::Spare };
        match merge(store, &job, time) {
            Ok(()) => {}
            Err(TracksError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, day = %job.day, "track files can't be merged");
                passed_over.add(&error, &job, store, Instant::now());
            }
        }
    }
}

/// Whether files come quicker than they are merged.
fn is_behind(store: &Store) -> bool {
    loose_files(store) > BEHIND_FILES
}

/// How many files are to be merged.
fn loose_files(store: &Store) -> usize {
    let version = Arc::clone(&store.state().version);
    version.files.values().flatten().filter(|file| !file.meta.is_final).count()
}

/// Whose time a merge takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Of the caller, who waits for it.
    Callers,
    /// A share of a processor, behind everybody else.
    Share,
    /// What nobody else wants.
    Spare,
}

impl Time {
    /// Runs `work` in this time. A thread of its own: who works in spare time can't come back from there, and must hold no lock that
    /// others wait for.
    fn spend<T: Send>(
        self,
        store: &Store,
        work: impl FnOnce() -> Result<T, TracksError> + Send,
    ) -> Result<T, TracksError> {
        if self == Self::Callers {
            return work();
        }
        std::thread::scope(|scope| {
            let working =
                std::thread::Builder::new().name("tracks-merge".to_owned()).spawn_scoped(scope, || {
                    if self == Self::Spare {
                        step_aside()
                    } else {
                        step_back(SHARE_NICE)
                    }
                    work()
                });
            working.at(&store.dir)?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Files that are not merged for now.
#[derive(Debug, Default)]
struct PassedOver {
    /// They will not get better before the next start.
    damaged: Vec<u64>,
    /// The system refused something that it may allow later.
    until: Vec<(u64, Instant)>,
}

impl PassedOver {
    fn contains(&self, seq: u64, now: Instant) -> bool {
        self.damaged.contains(&seq) || self.until.iter().any(|(held, until)| *held == seq && now < *until)
    }

    /// Passes over what `error` of merging `job` is about.
    fn add(&mut self, error: &TracksError, job: &Job, store: &Store, now: Instant) {
        let seqs = job.files.iter().map(|file| file.meta.seq);
        if matches!(error, TracksError::BadFile { .. }) {
            let is_named = |file: &&Arc<DataFile>| error.path() == Some(&*file.meta.path(&store.dir));
            match job.files.iter().find(is_named) {
                Some(file) => self.damaged.push(file.meta.seq),
                // Not one of the sources: nothing tells which of them cannot be merged.
                None => self.damaged.extend(seqs),
            }
        } else {
            self.until.retain(|(_, until)| now < *until);
            self.until.extend(seqs.map(|seq| (seq, now + RETRY_AFTER)));
        }
    }
}

/// Bytes that a merge may write now; none when that is unknown.
pub(super) fn room(store: &Store) -> u64 {
    match store.free_bytes() {
        Ok(free) => free.saturating_sub(store.keep_free()),
        Err(error) => {
            tracing::warn!(%error, "the free space of the archive's disk is unknown");
            0
        }
    }
}

/// What a merge of `files` writes at most, nearly.
fn source_bytes(files: &[Arc<DataFile>]) -> u64 {
    files.iter().map(|file| file.meta.bytes).sum()
}

/// Files to merge.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) day: Partition,
    pub(super) files: Vec<Arc<DataFile>>,
    /// Whether these are all files of the day.
    pub(super) is_whole: bool,
}

/// What is worth merging most, of what is possible.
fn pick(
    state: &State,
    config: &crate::config::Tracks,
    is_possible: impl Fn(&[Arc<DataFile>]) -> bool,
) -> Option<Job> {
    for (day, files) in &state.version.files {
        let job = if is_settled(state, config, *day, files) {
            let first: Vec<_> = files.iter().take(MERGE_FILES_MAX).map(Arc::clone).collect();
            let is_whole = first.len() == files.len();
            Some(Job { day: *day, files: first, is_whole })
        } else {
            let tier = pick_tier(files, config.compact_files_min);
            tier.map(|files| Job { day: *day, files, is_whole: false })
        };
        if let Some(job) = job.filter(|job| is_possible(&job.files)) {
            return Some(job);
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
    let touched = state.touched.get(&day).copied().unwrap_or(UtcMillis(0));
    let has_been_quiet = |time: Duration| {
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        state.now.0 > 0 && state.now.0.saturating_sub(touched.0) >= time
    };
    let is_worth_it = loose + settled <= SMALL_ROWS || loose >= settled / 4;
    has_been_quiet(if is_worth_it {
        config.seal_interval.0.saturating_mul(QUIET_INTERVALS)
    } else {
        LATE_AFTER
    })
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
                    // A seal meanwhile may have added columns, which then are in the file as well.
                    let columns = store.cache.open(&store.dir, &file.meta)?.index().columns;
                    file.meta.is_final && columns.with(wanted) == columns
                }
                _ => false,
            };
            if is_done {
                break;
            }
            let files: Vec<_> = files.iter().take(MERGE_FILES_MAX).map(Arc::clone).collect();
            let is_whole = files.len() == version.files.get(&day).map_or(0, Vec::len);
            drop(version);
            merge(store, &Job { day, files, is_whole }, Time::Callers)?;
        }
    }
    Ok(())
}

/// Merges the files of `job` into one and commits it. A job whose files are gone by now is no work; one in spare time is given up while
/// merges are behind.
fn merge(store: &Store, job: &Job, time: Time) -> Result<(), TracksError> {
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
    if source_bytes(&job.files) > room(store) {
        return Err(io::Error::from(io::ErrorKind::StorageFull)).at(&store.dir);
    }
    let Some(merged) = time.spend(store, || write(store, job, time))? else { return Ok(()) };
    let Merged { mut files, rows, duplicates, mut discard } = merged;
    files.iter_mut().for_each(|file| file.is_final = job.is_whole);
    discard.keep();
    store.commit(
        |manifest| {
            manifest.files.retain(|file| job.files.iter().all(|merged| merged.meta.seq != file.seq));
            manifest.files.extend(files);
            manifest.duplicates += duplicates;
        },
        |state| state.merged_rows += rows,
    )
}

/// A merged file that is durable and not yet committed.
pub(super) struct Merged {
    files: Vec<FileMeta>,
    pub(super) rows: u64,
    duplicates: u64,
    discard: Discard,
}

/// Writes the rows of `job` as one file; `None` when it was given up.
pub(super) fn write(store: &Store, job: &Job, time: Time) -> Result<Option<Merged>, TracksError> {
    let mut pace = if time == Time::Callers { Pace::at_once() } else { Pace::background(store) };
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
    for (number, row) in merged.by_ref().enumerate() {
        if number.is_multiple_of(LOOK_ROWS) {
            pace.step(store, &writer)?;
            if store.state().is_stopping {
                return Err(TracksError::Closed);
            }
            if time == Time::Spare {
                let loose = loose_files(store);
                if loose > BEHIND_FILES {
                    return Ok(None);
                }
                hurry(loose > MANY_FILES);
            }
        }
        breathe_at(number);
        writer.push(&row?)?;
    }
    let duplicates = merged.duplicates();
    let files = store.settle(vec![(job.day, seq, writer.finish()?)])?;
    Ok(Some(Merged { files, rows: rows - duplicates, duplicates, discard }))
}

#[cfg(test)]
mod tests {
    use super::super::manifest::{FileMeta, Manifest};
    use super::*;

    /// A store whose one day has files number 1 to 3.
    fn store() -> (tempfile::TempDir, Store, Job) {
        let dir = tempfile::tempdir().unwrap();
        let day = Partition::Day(14_000);
        let file = |seq| FileMeta { day, seq, rows: 5, bytes: 900, crc32c: 0, is_final: false };
        let mut manifest = Manifest::default();
        manifest.files.extend((1..=3).map(file));
        let store = Store::new(dir.path(), &crate::config::Tracks::default(), manifest);
        let files = store.state().version.files[&day].clone();
        (dir, store, Job { day, files, is_whole: true })
    }

    #[test]
    fn only_a_damaged_file_is_passed_over_for_good() {
        let (_dir, store, job) = store();
        let start = Instant::now();
        let mut passed_over = PassedOver::default();
        let held = |passed_over: &PassedOver, now| -> Vec<u64> {
            (1..=4).filter(|seq| passed_over.contains(*seq, now)).collect()
        };
        let full = Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull)).at(&store.dir).unwrap_err();
        passed_over.add(&full, &job, &store, start);
        assert_eq!(held(&passed_over, start), [1, 2, 3]);
        let later = start + RETRY_AFTER;
        assert_eq!(held(&passed_over, later), [0; 0]);

        let damaged = TracksError::bad(&job.files[1].meta.path(&store.dir), "checksum");
        passed_over.add(&damaged, &job, &store, later);
        assert_eq!(held(&passed_over, later), [2]);
        assert_eq!(held(&passed_over, later + RETRY_AFTER * 1_000), [2]);
    }

    #[test]
    fn a_day_that_can_not_be_merged_does_not_hold_up_another() {
        let (_dir, store, job) = store();
        let other = Partition::Day(14_001);
        let mut manifest = Manifest::default();
        manifest.files.extend(job.files.iter().map(|file| file.meta.clone()));
        let more: Vec<FileMeta> = manifest
            .files
            .iter()
            .map(|file| FileMeta { day: other, seq: file.seq + 10, ..file.clone() })
            .collect();
        manifest.files.extend(more);
        let config = crate::config::Tracks { compact_files_min: 3, ..crate::config::Tracks::default() };
        let store = Store::new(&store.dir, &config, manifest);
        let state = store.state();
        let all = pick(&state, &config, |_| true).unwrap();
        assert_eq!(all.day, job.day);
        let rest = pick(&state, &config, |files| files[0].meta.seq > 10).unwrap();
        assert_eq!(rest.day, other);
        assert!(pick(&state, &config, |_| false).is_none());
    }

    #[test]
    fn a_few_late_rows_of_a_large_day_are_merged_when_it_was_quiet_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let day = Partition::Day(14_000);
        let file = |seq, rows, is_final| FileMeta { day, seq, rows, bytes: 900, crc32c: 0, is_final };
        let mut manifest = Manifest::default();
        manifest.files.extend([file(1, 14_000_000, true), file(2, 30, false)]);
        let config = crate::config::Tracks::default();
        let store = Store::new(dir.path(), &config, manifest);
        let mut state = store.state();
        let hour_ms = 3_600_000;
        state.now = UtcMillis(100 * hour_ms);
        for (hours, is_merged) in [(1, false), (23, false), (24, true), (90, true)] {
            state.touched.insert(day, UtcMillis((100 - hours) * hour_ms));
            let job = pick(&state, &config, |_| true);
            assert_eq!(
                job.map(|job| (job.files.len(), job.is_whole)),
                is_merged.then_some((2, true)),
                "{hours}"
            );
        }
        // Half a million are worth it as soon as no more come.
        let mut manifest = Manifest::default();
        manifest.files.extend([file(1, 1_000_000, true), file(2, 500_000, false)]);
        let store = Store::new(dir.path(), &config, manifest);
        let mut state = store.state();
        state.now = UtcMillis(100 * hour_ms);
        state.touched.insert(day, UtcMillis(99 * hour_ms));
        assert!(pick(&state, &config, |_| true).is_some());
    }
}
