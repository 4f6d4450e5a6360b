//! The handle that the rest of the server holds: opening, appending, marks, consumers, closing.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use tokio::sync::watch;

use super::format::{COMMIT_LEN, RECORD_BYTES_MAX, SEGMENT_HEADER_LEN};
use super::fs::{Fs, RealFs, is_disk_full};
use super::keeper::{self, Bell};
use super::lead::Desk;
use super::marks::Marks;
use super::queue::{AppendError, GROUP_BYTES_MAX, Group, Health, Queue, QueueLimits};
use super::reader::Reader;
use super::recovery::{self, Recovery};
use super::segments::Segments;
use super::stats::{Counters, Stats};
use super::writer::Writer;
use super::{Batch, archive};
use crate::config;
use crate::ids::Lsn;

/// How often the free space is looked at.
const DISK_POLL: Duration = Duration::from_secs(1);
/// The smallest segment that makes sense, in bytes.
const SEGMENT_SIZE_MIN: usize = 16 << 10;

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has the journal open.
    #[error("{path} is locked: another process has this journal open")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A segment was written by a program with another format.
    #[error("{path}: {reason}", path = path.display(), reason = crate::formats::unknown(*version))]
    Version {
        /// The segment file.
        path: PathBuf,
        /// Its format version.
        version: u32,
    },
    /// The configuration does not work.
    #[error("journal.{key} {reason}")]
    Config {
        /// The key below `[journal]`.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refused something.
    #[error("journal: {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

/// A consumer named a checkpoint that the journal has not reached: it has consumed another journal, or this one
/// lost its end. Open with [`Journal::open_after`] to go on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("checkpoint {checkpoint} lies behind the journal's end {durable}")]
#[non_exhaustive]
pub struct CheckpointError {
    /// The checkpoint that was named.
    pub checkpoint: Lsn,
    /// Where the journal ends.
    pub durable: Lsn,
}

type SyncObserver = Box<dyn Fn(Duration) + Send + Sync>;

/// What appenders, writer, readers and background threads share.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) segments: Segments,
    pub(crate) marks: Marks,
    pub(crate) counters: Counters,
    pub(crate) keeper: Bell,
    pub(crate) archive: Bell,
    /// Where raw blocks go.
    pub(crate) raw_dir: PathBuf,
    pub(crate) window: Duration,
    pub(crate) disk_reserve: u64,
    pub(crate) disk_poll: Duration,
    pub(crate) spares_max: usize,
    consumers: Mutex<BTreeMap<String, Option<Lsn>>>,
    sync_observer: OnceLock<SyncObserver>,
    early_acks: Option<Duration>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("queue", &self.queue)
            .field("marks", &self.marks)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn count_sync(&self, took: Duration) {
        self.counters.count_sync(took);
        if let Some(observer) = self.sync_observer.get() {
            observer(took);
        }
    }

    /// The broken promise of the negative control: tells appenders that `groups` are durable before they are even
    /// written. Does nothing unless a test asked for it.
    pub(crate) fn acknowledge_before_sync(&self, groups: &VecDeque<Group>) {
        if let (Some(delay), Some(last)) = (self.early_acks, groups.back()) {
            self.marks.acknowledge(last.end());
            thread::sleep(delay);
        }
    }

    /// The address before which every consumer has everything; `None` while one has not said, or there is none.
    pub(crate) fn consumed(&self) -> Option<Lsn> {
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.values().copied().min().flatten()
    }
}

/// What a journal stands on; tests replace it.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) disk_poll: Duration,
    /// Acknowledge before writing, and wait so long before the write.
    pub(crate) early_acks: Option<Duration>,
}

impl Default for Environment {
    fn default() -> Self {
        Self { fs: Arc::new(RealFs), disk_poll: DISK_POLL, early_acks: early_acks() }
    }
}

/// The switch of the end-to-end negative control: `MOTORPOOL_UNSAFE_ACK_BEFORE_SYNC_MS` in the environment of a
/// build with the feature `fault-injection`.
#[cfg(feature = "fault-injection")]
fn early_acks() -> Option<Duration> {
    let ms = std::env::var("MOTORPOOL_UNSAFE_ACK_BEFORE_SYNC_MS").ok()?.parse().ok()?;
    tracing::error!(ms, "acknowledging before syncing: for tests only");
    Some(Duration::from_millis(ms))
}

#[cfg(not(feature = "fault-injection"))]
const fn early_acks() -> Option<Duration> {
    None
}

/// The journal. Clones are handles to the same one; the last one to go closes it.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    threads: Mutex<Option<Threads>>,
    last_received_at: UtcMillis,
    /// Held as long as the journal is open.
    _lock: Box<dyn fmt::Debug + Send + Sync>,
}

#[derive(Debug)]
struct Threads {
    writer: JoinHandle<()>,
    keeper: JoinHandle<()>,
    archive: JoinHandle<()>,
}

impl Journal {
    /// Opens the journal of the data folder `data` (files in `data/journal` and `data/raw`), recovers it, and starts
    /// its threads.
    ///
    /// # Errors
    /// When another process has it open, its format is unknown, the configuration does not work, or the file
    /// system refuses. Damaged, missing and foreign files are no errors: they are named in [`Recovery`].
    pub fn open(data: &Path, config: &config::Journal) -> Result<(Self, Recovery), JournalError> {
        Self::open_after(data, config, Lsn(0))
    }

    /// As [`Journal::open`], and gives out no address before `floor`: the highest checkpoint that any consumer has
    /// stored. Normally that is no further than the journal's end; if it is, the difference is reported as damage.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_after(
        data: &Path,
        config: &config::Journal,
        floor: Lsn,
    ) -> Result<(Self, Recovery), JournalError> {
        Self::open_in(Environment::default(), data, config, floor)
    }

    pub(crate) fn open_in(
        environment: Environment,
        data: &Path,
        config: &config::Journal,
        floor: Lsn,
    ) -> Result<(Self, Recovery), JournalError> {
        let (shared, writer, recovery, lock) = prepare(environment, data, config, floor)?;
        let spawn_error = |source| JournalError::Io { path: shared.segments.dir.clone(), source };
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let desk = Arc::new(Desk::new(Arc::clone(&shared), writer));
        let for_writer = Arc::clone(&desk);
        let writer = named("journal").spawn(move || for_writer.run()).map_err(spawn_error)?;
        let for_keeper = Arc::clone(&shared);
        let keeper = named("journal-keeper").spawn(move || keeper::run(&for_keeper)).map_err(spawn_error)?;
        let for_archive = Arc::clone(&shared);
        let archive =
            named("journal-archive").spawn(move || archive::run(&for_archive)).map_err(spawn_error)?;
        let inner = Inner {
            shared,
            desk,
            threads: Mutex::new(Some(Threads { writer, keeper, archive })),
            last_received_at: recovery.last_received_at,
            _lock: lock,
        };
        Ok((Self { inner: Arc::new(inner) }, recovery))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Appends a batch in memory and returns the address behind it. Does not block: the batch is durable once
    /// [`Journal::durable`] has reached that address. It is stamped with its `received_at`, or with that of the record before
    /// when that is later: in the order of addresses the stamps never go back.
    ///
    /// # Errors
    /// See [`AppendError`]; the batch was not taken then.
    pub fn append(&self, batch: &Batch<'_>) -> Result<Lsn, AppendError> {
        self.append_with(batch, |_| {})
    }

    /// As [`Journal::append`]; `on_appended` runs with the address before any other batch can be appended, so that
    /// a queue it pushes to is in the order of addresses. It must be short and must not call the journal.
    ///
    /// # Errors
    /// As [`Journal::append`]; `on_appended` did not run then.
    pub fn append_with(&self, batch: &Batch<'_>, on_appended: impl FnOnce(Lsn)) -> Result<Lsn, AppendError> {
        let result = self.shared().queue.append(batch, on_appended);
        let counters = &self.shared().counters;
        match result {
            Err(AppendError::Full) => counters.refused_full.fetch_add(1, Ordering::Relaxed),
            Err(AppendError::Unavailable(_)) => counters.refused_unavailable.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        result
    }

    /// The durable mark: everything before it is on stable storage and may be acknowledged.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.shared().marks.acknowledged()
    }

    /// The durable mark as it moves.
    #[must_use]
    pub fn subscribe_durable(&self) -> watch::Receiver<Lsn> {
        self.shared().marks.subscribe()
    }

    /// Lets the runtime that calls it write the journal itself whenever commits are small and quick, until the future is dropped: a
    /// frame then needs no other thread until it is answered. The worker that writes looks after nothing else meanwhile: whatever
    /// the runtime has to do must bear to wait for a sync.
    pub async fn lead(&self) {
        self.inner.desk.lead().await;
    }

    /// Has `observer` called with the durable mark each time it moves, on the thread that wrote: the next commit waits until it
    /// returns. Only the first observer counts.
    pub fn on_durable(&self, observer: impl Fn(Lsn) + Send + Sync + 'static) {
        self.shared().marks.observe(Box::new(observer));
    }

    /// Waits until the queue is at least half empty and the journal healthy, or will never be healthy again.
    pub async fn wait_space(&self) {
        self.shared().queue.wait_space().await;
    }

    /// Whether records are taken now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared().queue.health()
    }

    /// The highest `received_at` that recovery found: the floor of the clock.
    #[must_use]
    pub fn last_received_at(&self) -> UtcMillis {
        self.inner.last_received_at
    }

    /// A reader that begins at `from`, which must be the end of a record or of a chunk, or [`Lsn`] 0 for the
    /// beginning. Addresses that were released or can't be read come as gaps.
    #[must_use]
    pub fn reader(&self, from: Lsn) -> Reader {
        Reader::new(Arc::clone(self.shared()), from)
    }

    /// The oldest address that can be read.
    #[must_use]
    pub fn oldest(&self) -> Lsn {
        self.shared().segments.all().first().map_or_else(|| self.durable(), |segment| Lsn(segment.base))
    }

    /// Registers a consumer by name. Nothing is released before it has named its first checkpoint, so register all
    /// consumers before any of them names one.
    #[must_use]
    pub fn consumer(&self, name: &str) -> Consumer {
        let mut consumers = self.shared().consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.entry(name.to_owned()).or_insert(None);
        Consumer { shared: Arc::clone(self.shared()), name: name.to_owned() }
    }

    /// The checkpoints that consumers have named, by consumer.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<(String, Option<Lsn>)> {
        let consumers = self.shared().consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().map(|(name, lsn)| (name.clone(), *lsn)).collect()
    }

    /// Has `observer` called with the time of every sync, on the thread that wrote. Only the first one counts.
    pub fn observe_syncs(&self, observer: impl Fn(Duration) + Send + Sync + 'static) {
        if self.shared().sync_observer.set(Box::new(observer)).is_err() {
            tracing::debug!("syncs are observed already");
        }
    }

    /// The counters as they are now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &shared.counters;
        let (queued_bytes, records, messages) = shared.queue.counts();
        Stats {
            records,
            messages,
            durable_records: count(&counters.durable_records),
            durable_messages: count(&counters.durable_messages),
            bytes: count(&counters.bytes),
            groups: count(&counters.groups),
            write_failures: count(&counters.write_failures),
            refused_full: count(&counters.refused_full),
            refused_unavailable: count(&counters.refused_unavailable),
            gaps_read: count(&counters.gaps_read),
            released_segments: count(&counters.released_segments),
            archive_failures: count(&counters.archive_failures),
            sync_seconds: counters.sync_seconds(),
            queued_bytes: queued_bytes as u64,
            segments: shared.segments.count() as u64,
            spare_segments: shared.segments.spare_count() as u64,
            free_disk_bytes: count(&counters.free_disk_bytes),
        }
    }

    /// Makes everything durable that was appended, stops all threads, and leaves the mark of an orderly stop.
    /// Appends are refused from now on; readers still read. Blocks. A second call does nothing.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Inner {
    fn close(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(threads) = threads else { return };
        let shared = &self.shared;
        shared.queue.close();
        shared.keeper.stop();
        shared.archive.stop();
        for background in [threads.keeper, threads.archive] {
            if background.join().is_err() {
                tracing::error!("a background thread of the journal panicked");
            }
        }
        let finished = match threads.writer.join() {
            Ok(()) => self.desk.with_writer(|writer| finish(shared, writer)),
            Err(_) => None,
        };
        if finished.is_none() {
            tracing::error!("the journal's writer panicked");
        }
    }
}

/// Marks an orderly stop if it was one.
pub(crate) fn finish(shared: &Shared, writer: &Writer) {
    let position = writer.position();
    let (queued, _, _) = shared.queue.counts();
    let header = position.current.as_ref().and_then(|segment| segment.header);
    if let (Health::Ok, 0, Some(header)) = (shared.queue.health(), queued, header) {
        let marked = recovery::mark_clean(&shared.segments, header, shared.marks.readable(), position.totals);
        if let Err(error) = marked {
            tracing::warn!(%error, "the mark of an orderly stop could not be written");
        }
    }
    shared.queue.set_health(Health::Closed);
    shared.marks.close();
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

type Prepared = (Arc<Shared>, Writer, Recovery, Box<dyn fmt::Debug + Send + Sync>);

/// Everything of opening but the threads.
pub(crate) fn prepare(
    environment: Environment,
    data: &Path,
    config: &config::Journal,
    floor: Lsn,
) -> Result<Prepared, JournalError> {
    let limits = check_config(config)?;
    let dir = data.join("journal");
    let io = |source| JournalError::Io { path: dir.clone(), source };
    environment.fs.create_dir(&dir).map_err(io)?;
    let lock_path = dir.join("lock");
    let lock = match environment.fs.lock(&lock_path) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(JournalError::Locked { path: lock_path });
        }
        other => other.map_err(io)?,
    };
    let size = config.segment_size.0 as u64;
    let segments = Segments::new(environment.fs, &dir, size, config.spare_segments_max);
    let (recovery, position) = recovery::recover(&segments, floor)?;
    let start = recovery.durable.0;
    let shared = Arc::new(Shared {
        queue: Queue::new(start, recovery.last_received_at.0, limits),
        segments,
        marks: Marks::new(start),
        counters: Counters::default(),
        keeper: Bell::default(),
        archive: Bell::default(),
        raw_dir: data.join("raw"),
        window: config.window_max.0,
        disk_reserve: config.disk_reserve.0 as u64,
        disk_poll: environment.disk_poll,
        spares_max: config.spare_segments_max,
        consumers: Mutex::default(),
        sync_observer: OnceLock::new(),
        early_acks: environment.early_acks,
    });
    let resumed = position.current.is_some();
    let mut writer = Writer::new(Arc::clone(&shared), position);
    // The new segment is what cuts a torn tail durably. Without space for it the journal can still be read; the
    // writer makes it before its first write.
    let rolled = if resumed { Ok(()) } else { writer.roll(start).map(drop) };
    match rolled {
        Ok(()) => recovery::mark_in_use(&shared.segments).map_err(io)?,
        Err(error) if is_disk_full(&error) => shared.queue.set_health(Health::DiskFull),
        Err(error) => return Err(io(error)),
    }
    Ok((shared, writer, recovery, lock))
}

fn check_config(config: &config::Journal) -> Result<QueueLimits, JournalError> {
    let size = config.segment_size.0;
    if size < SEGMENT_SIZE_MIN || !size.is_multiple_of(4_096) || size > 1 << 30 {
        return Err(JournalError::Config {
            key: "segment_size",
            reason: "must be a multiple of 4KiB from 16KiB to 1GiB".to_owned(),
        });
    }
    let group_max = (size - SEGMENT_HEADER_LEN as usize - COMMIT_LEN).min(GROUP_BYTES_MAX) / 8 * 8;
    if config.queue_max.0 < group_max.min(RECORD_BYTES_MAX) {
        return Err(JournalError::Config {
            key: "queue_max",
            reason: "must have room for the longest record, 1MiB".to_owned(),
        });
    }
    Ok(QueueLimits { queue_max: config.queue_max.0, group_max })
}

/// A consumer of the journal: it says how far it has got, durably, so that what everybody has passed can be released.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    name: String,
}

impl Consumer {
    #[cfg(test)]
    pub(crate) fn for_tests(shared: &Arc<Shared>, name: &str) -> Self {
        Self { shared: Arc::clone(shared), name: name.to_owned() }
    }

    /// Says that everything before `lsn` is durable on the consumer's side; it will never need it again.
    ///
    /// # Errors
    /// When the journal has not got so far.
    pub fn set_checkpoint(&self, lsn: Lsn) -> Result<(), CheckpointError> {
        let durable = Lsn(self.shared.marks.readable());
        if lsn > durable {
            return Err(CheckpointError { checkpoint: lsn, durable });
        }
        let mut consumers = self.shared.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.insert(self.name.clone(), Some(lsn));
        drop(consumers);
        self.shared.archive.ring();
        Ok(())
    }

    /// Removes the consumer: it no longer holds back any release.
    pub fn deregister(self) {
        let mut consumers = self.shared.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.remove(&self.name);
    }
}
