//! What writer, readers, sealer and merger share: the rows in memory, the committed files, and the commit.
//!
//! A row is in exactly one place at a time: the active table, a frozen table, or files. It moves under the
//! lock of [`State`], so that whoever copies the state sees every published row once.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use motorpool_protocols::UtcMillis;
use rustc_hash::FxHashMap;

use super::cache::OpenFiles;
use super::encode::Written;
use super::error::{At, TracksError};
use super::manifest::{FileMeta, Manifest, sync_dir};
use super::memtable::Memtable;
use super::read::{SIDECAR_ROWS_MIN, build_index, write_sidecar};
use super::row::Partition;
use crate::config;
use crate::ids::Lsn;

/// Frozen tables that may wait for the sealer before the writer does.
pub(super) const FROZEN_MAX: usize = 2;

/// More new files than this are made durable by one `syncfs` instead of one `fdatasync` each.
const FSYNC_FILES_MAX: usize = 4;

/// Bytes of the disk that merges leave free unless told otherwise.
const KEEP_FREE: u64 = 512 << 20;

/// A file of the archive. Removed from disk when a merge has replaced it and the last reader is done.
#[derive(Debug)]
pub(super) struct DataFile {
    pub(super) meta: FileMeta,
    dir: PathBuf,
    is_replaced: AtomicBool,
}

impl DataFile {
    fn new(dir: &Path, meta: FileMeta) -> Arc<Self> {
        Arc::new(Self { meta, dir: dir.to_owned(), is_replaced: AtomicBool::new(false) })
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        if self.is_replaced.load(Ordering::Acquire) {
            for path in [self.meta.path(&self.dir), self.meta.index_path(&self.dir)] {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        tracing::warn!(path = %path.display(), %error, "replaced track file stays until restart");
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The committed files, by day.
#[derive(Debug, Default)]
pub(super) struct Version {
    pub(super) checkpoint: Lsn,
    pub(super) files: BTreeMap<Partition, Vec<Arc<DataFile>>>,
    pub(super) duplicates: u64,
    pub(super) expired: u64,
}

impl Version {
    fn new(dir: &Path, manifest: &Manifest, before: &Self) -> Self {
        let mut known: FxHashMap<u64, &Arc<DataFile>> = FxHashMap::default();
        known.extend(before.files.values().flatten().map(|file| (file.meta.seq, file)));
        let mut files: BTreeMap<Partition, Vec<Arc<DataFile>>> = BTreeMap::new();
        for meta in &manifest.files {
            let file = match known.get(&meta.seq) {
                Some(file) => Arc::clone(file),
                None => DataFile::new(dir, meta.clone()),
            };
            files.entry(meta.day).or_default().push(file);
        }
        let Manifest { checkpoint, duplicates, expired, .. } = *manifest;
        Self { checkpoint, files, duplicates, expired }
    }

    pub(super) fn rows(&self) -> u64 {
        self.files.values().flatten().map(|file| file.meta.rows).sum()
    }
}

/// A table that takes no more rows.
#[derive(Debug)]
pub(super) struct Frozen {
    pub(super) table: Memtable,
    /// Every record before it is in this table or in one before.
    pub(super) upto: Lsn,
}

/// Where every row is.
#[derive(Debug)]
pub(super) struct State {
    pub(super) active: Memtable,
    pub(super) frozen: VecDeque<Arc<Frozen>>,
    pub(super) version: Arc<Version>,
    /// Rows ever taken, those of earlier runs included.
    pub(super) decoded: u64,
    /// Every record before it has been taken.
    pub(super) applied: Lsn,
    /// The time of the last [`super::TracksWriter::advance`].
    pub(super) now: UtcMillis,
    /// When the active table began.
    pub(super) active_since: Option<UtcMillis>,
    /// When a day last got a file.
    pub(super) touched: FxHashMap<Partition, UtcMillis>,
    /// How often the writer waited for the sealer.
    pub(super) writer_waits: u64,
    /// Rows written by merges since the start.
    pub(super) merged_rows: u64,
    pub(super) is_stopping: bool,
    /// The writer must not wait for a sealer that fails.
    pub(super) is_winding_down: bool,
    /// Memory is full for good: what follows is not taken, and `applied` stays.
    pub(super) is_refusing: bool,
    /// Why the sealer's last try failed.
    pub(super) failure: Option<String>,
}

impl State {
    /// Puts the active table behind the frozen ones.
    pub(super) fn freeze(&mut self) {
        let table = std::mem::take(&mut self.active);
        self.frozen.push_back(Arc::new(Frozen { table, upto: self.applied }));
        self.active_since = Some(self.now);
    }

    /// Whether the active table is to be sealed for its age. Without rows it is when that moves the checkpoint
    /// and no table before it waits; with rows, while there is a place among the frozen ones.
    pub(super) fn is_due(&mut self, config: &config::Tracks) -> bool {
        let since = *self.active_since.get_or_insert(self.now);
        let interval = i64::try_from(config.seal_interval.0.as_millis()).unwrap_or(i64::MAX);
        let is_old = self.now.0.saturating_sub(since.0) >= interval && self.applied > self.version.checkpoint;
        let places = if self.active.len() == 0 { 1 } else { FROZEN_MAX };
        is_old && self.frozen.len() < places
    }

    /// Rows in memory.
    pub(super) fn pending(&self) -> u64 {
        let frozen: usize = self.frozen.iter().map(|frozen| frozen.table.len()).sum();
        (frozen + self.active.len()) as u64
    }
}

/// The archive, shared between threads.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) dir: PathBuf,
    pub(super) config: config::Tracks,
    pub(super) cache: OpenFiles,
    state: Mutex<State>,
    /// Something in the state changed.
    changed: Condvar,
    /// What is on disk; held for the whole of a commit.
    manifest: Mutex<Manifest>,
    /// Held by whoever merges files.
    pub(super) merging: Mutex<()>,
    keep_free: AtomicU64,
}

impl Store {
    pub(super) fn new(dir: &Path, config: &config::Tracks, manifest: Manifest) -> Self {
        let version = Version::new(dir, &manifest, &Version::default());
        let state = State {
            active: Memtable::default(),
            frozen: VecDeque::new(),
            decoded: version.rows() + version.duplicates + version.expired,
            applied: manifest.checkpoint,
            version: Arc::new(version),
            now: UtcMillis(0),
            active_since: None,
            touched: FxHashMap::default(),
            writer_waits: 0,
            merged_rows: 0,
            is_stopping: false,
            is_winding_down: false,
            is_refusing: false,
            failure: None,
        };
        Self {
            dir: dir.to_owned(),
            config: config.clone(),
            cache: OpenFiles::default(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            manifest: Mutex::new(manifest),
            merging: Mutex::new(()),
            keep_free: AtomicU64::new(KEEP_FREE),
        }
    }

    /// Bytes of the disk that merges leave free.
    pub(super) fn keep_free(&self) -> u64 {
        self.keep_free.load(Ordering::Relaxed)
    }

    /// Changes [`Store::keep_free`].
    pub(super) fn set_keep_free(&self, bytes: u64) {
        self.keep_free.store(bytes, Ordering::Relaxed);
        self.notify();
    }

    /// Bytes that may still be written to the disk of the archive.
    pub(super) fn free_bytes(&self) -> Result<u64, TracksError> {
        let disk = rustix::fs::statvfs(&self.dir).at(&self.dir)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The state. A panic of another thread leaves it whole: every change is one assignment or push.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the state until somebody says that it changed.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Like [`Store::wait`], but not for longer than `limit`.
    pub(super) fn wait_for<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: std::time::Duration,
    ) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Rests for `time`, or until the store stops.
    pub(super) fn rest(&self, time: std::time::Duration) {
        let begun = std::time::Instant::now();
        let mut state = self.state();
        while !state.is_stopping {
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return;
            }
            state = self.wait_for(state, left);
        }
    }

    /// Wakes everybody who waits.
    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    fn manifest(&self) -> MutexGuard<'_, Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new file.
    pub(super) fn next_seq(&self) -> u64 {
        let mut manifest = self.manifest();
        manifest.next_seq += 1;
        manifest.next_seq - 1
    }

    /// The columns that new files have.
    pub(super) fn columns(&self) -> super::schema::ColumnSet {
        self.manifest().columns
    }

    /// Makes `written` durable under their names, with sidecars where they are large.
    pub(super) fn settle(
        &self,
        written: Vec<(Partition, u64, Written)>,
    ) -> Result<Vec<FileMeta>, TracksError> {
        let mut metas = Vec::with_capacity(written.len());
        let by_file_system = written.len() > FSYNC_FILES_MAX;
        for (day, seq, file) in written {
            fs::rename(&file.temporary, &file.path).at(&file.path)?;
            let meta = FileMeta {
                day,
                seq,
                rows: file.rows,
                bytes: file.bytes,
                crc32c: file.crc32c,
                is_final: false,
            };
            if meta.rows >= SIDECAR_ROWS_MIN {
                let opened = File::open(&file.path).at(&file.path)?;
                write_sidecar(&meta.index_path(&self.dir), &build_index(&file.path, &opened, &meta)?)?;
            }
            if !by_file_system {
                file.file.sync_data().at(&file.path)?;
                sync_dir(&self.dir.join(day.folder()))?;
            }
            metas.push(meta);
        }
        let folder = File::open(&self.dir).at(&self.dir)?;
        if by_file_system {
            rustix::fs::syncfs(&folder).at(&self.dir)?;
        } else {
            folder.sync_all().at(&self.dir)?;
        }
        Ok(metas)
    }

    /// Commits `change` of the manifest and then, in one step for readers, `apply`.
    pub(super) fn commit(
        &self,
        change: impl FnOnce(&mut Manifest),
        apply: impl FnOnce(&mut State),
    ) -> Result<(), TracksError> {
        let mut manifest = self.manifest();
        let mut next = manifest.clone();
        change(&mut next);
        next.files.sort_by_key(|file| (file.day, file.seq));
        next.store(&self.dir)?;
        *manifest = next;
        let mut state = self.state();
        let version = Version::new(&self.dir, &manifest, &state.version);
        let before = std::mem::replace(&mut state.version, Arc::new(version));
        apply(&mut state);
        drop(state);
        drop(manifest);
        self.notify();
        // Files that are no longer named are removed when `before` and its readers are gone.
        let kept: rustc_hash::FxHashSet<u64> =
            self.state().version.files.values().flatten().map(|file| file.meta.seq).collect();
        for file in before.files.values().flatten().filter(|file| !kept.contains(&file.meta.seq)) {
            file.is_replaced.store(true, Ordering::Release);
            self.cache.forget(file.meta.seq);
        }
        Ok(())
    }
}
