//! The fold thread: follows the journal, decodes once, feeds tracks and live.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use motorpool_protocols::Observations;

use crate::clock::Clock;
use crate::ids::Lsn;
use crate::journal::{Batch, Consumer, Event, Gap, GapKind, Journal, Reader};
use crate::live::{Live, LiveBatch};
use crate::registry::{Registry, Snapshot};
use crate::supervision::{MarkBatch, Marks};
use crate::tracks::{Tracks, TracksWriter};

use super::{FoldCounts, decode_batch};

/// How long the thread waits for news before it looks at its timers.
const TICK: Duration = Duration::from_millis(200);

/// How long what comes is gathered before it is applied together, while the journal brings little: a thread that follows each
/// commit, a thousand a second, keeps a processor from frames and answers.
const GATHER: Duration = Duration::from_millis(10);

/// So many bytes of the journal are no little: the thread goes on at once.
const GATHERED_BYTES: u64 = 256 << 10;

/// How often the live snapshot is written. It bounds how much of the journal a restart reads again.
const LIVE_SNAPSHOT_EVERY: Duration = Duration::from_secs(30);

/// How long to wait after the journal could not be read before trying again.
const READ_RETRY: Duration = Duration::from_secs(1);

/// What the thread works with.
#[derive(Debug)]
pub struct DriverParts {
    /// The journal to follow.
    pub journal: Journal,
    /// Profiles come from here.
    pub registry: Arc<Registry>,
    /// The track archive.
    pub tracks: Tracks,
    /// The last states.
    pub live: Arc<Live>,
    /// Where the live snapshot is kept.
    pub live_snapshot: PathBuf,
    /// The address up to which `live` is filled already.
    pub live_checkpoint: Lsn,
    /// For the age of unsealed rows; never for what is derived.
    pub clock: Arc<Clock>,
    /// Where it is noted which tracks changed.
    pub marks: Arc<Marks>,
    /// The address up to which trips are derived already.
    pub marks_from: Lsn,
}

/// The running thread.
#[derive(Debug)]
pub struct Driver {
    counts: Arc<FoldCounts>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Driver {
    /// Starts the thread at the lowest checkpoint.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(parts: DriverParts) -> std::io::Result<Self> {
        let counts = Arc::new(FoldCounts::default());
        let stop = Arc::new(AtomicBool::new(false));
        let folds = Folds::new(parts, Arc::clone(&counts));
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("folds".to_owned()).spawn(move || folds.run(&stopped))?;
        Ok(Self { counts, stop, thread })
    }

    /// What the thread has done.
    #[must_use]
    pub fn counts(&self) -> Arc<FoldCounts> {
        Arc::clone(&self.counts)
    }

    /// Lets the thread apply what is durable by now, write its checkpoints and end. Blocks.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.join().is_err() {
            tracing::error!("the fold thread had panicked; the journal has everything, a restart applies it");
        }
    }
}

/// The folds and how far each is.
struct Folds {
    journal: Journal,
    registry: Arc<Registry>,
    tracks: Tracks,
    writer: TracksWriter,
    tracks_consumer: Consumer,
    tracks_from: Lsn,
    live: Arc<Live>,
    live_consumer: Consumer,
    live_from: Lsn,
    live_snapshot: PathBuf,
    live_saved: Instant,
    clock: Arc<Clock>,
    marks: Arc<Marks>,
    marks_from: Lsn,
    /// Records before this were there before the process started.
    started_at: Lsn,
    counts: Arc<FoldCounts>,
    observations: Observations,
}

impl Folds {
    fn new(parts: DriverParts, counts: Arc<FoldCounts>) -> Self {
        let tracks_from = parts.tracks.checkpoint();
        let live_from = parts.live_checkpoint;
        Self {
            tracks_consumer: parts.journal.consumer("tracks"),
            live_consumer: parts.journal.consumer("live"),
            writer: parts.tracks.writer(),
            started_at: parts.journal.durable(),
            journal: parts.journal,
            registry: parts.registry,
            tracks: parts.tracks,
            tracks_from,
            live: parts.live,
            live_from,
            live_snapshot: parts.live_snapshot,
            live_saved: Instant::now(),
            clock: parts.clock,
            marks: parts.marks,
            marks_from: parts.marks_from,
            counts,
            observations: Observations::default(),
        }
    }

    fn run(mut self, stop: &AtomicBool) {
        let mut reader = self.journal.reader(self.tracks_from.min(self.live_from).min(self.marks_from));
        loop {
            // Looked at first: what was durable when the stop was asked for is still applied.
            let is_last = stop.load(Ordering::Acquire);
            let from = reader.position();
            let caught_up = self.follow(&mut reader, if is_last { Duration::ZERO } else { TICK });
            self.keep_checkpoints();
            if is_last && caught_up {
                break;
            }
            if !caught_up && !is_last && reader.position().0 - from.0 < GATHERED_BYTES {
                std::thread::sleep(GATHER);
            }
        }
        self.save_live(reader.position());
    }

    /// Applies the next chunk. Whether there was nothing left to apply.
    fn follow(&mut self, reader: &mut Reader, patience: Duration) -> bool {
        let chunk = match reader.next_chunk(patience) {
            Ok(chunk) => chunk,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the journal can't be read");
                std::thread::sleep(READ_RETRY);
                return true;
            }
        };
        let end = chunk.end();
        let snapshot = self.registry.snapshot();
        let live = Arc::clone(&self.live);
        let mut states = live.batch();
        let mut marks = MarkBatch::default();
        let mut is_empty = true;
        for event in chunk.events() {
            is_empty = false;
            match event {
                Event::Entry(entry) => {
                    let for_tracks = entry.lsn >= self.tracks_from;
                    let for_live = (entry.lsn >= self.live_from).then_some(&mut states);
                    let messages = self.apply(&entry.batch, &snapshot, for_tracks, for_live);
                    if entry.lsn >= self.marks_from {
                        let Batch { device, received_at, .. } = entry.batch;
                        marks.note(device, received_at, &self.observations.fixes);
                    }
                    if entry.lsn < self.started_at {
                        FoldCounts::add(&self.counts.replayed_messages, messages);
                    }
                }
                Event::Gap(gap) => self.pass_over(gap),
            }
        }
        drop(states);
        // Live may have to read again what the archive has committed; the archive does not go back.
        self.writer.advance(end.max(self.tracks_from), self.clock.now());
        self.marks.publish(marks, end);
        self.counts.consumed.store(end.0, Ordering::Release);
        is_empty
    }

    /// Applies one record and returns how many messages it held.
    fn apply(
        &mut self,
        batch: &Batch<'_>,
        snapshot: &Snapshot,
        for_tracks: bool,
        mut live: Option<&mut LiveBatch<'_>>,
    ) -> u64 {
        let decoded = decode_batch(batch, snapshot, &mut self.observations);
        if for_tracks {
            for fix in &self.observations.fixes {
                let extra = self.observations.extra_of(fix);
                self.writer.append(batch.device, batch.received_at, fix, extra);
            }
        }
        if let Some(states) = live.as_mut() {
            states.messages(batch.device, batch.received_at, decoded.messages);
            for fix in &self.observations.fixes {
                states.apply(batch.device, batch.received_at, fix);
            }
        }
        FoldCounts::add(&self.counts.messages, u64::from(decoded.messages));
        FoldCounts::add(&self.counts.undecodable, u64::from(decoded.undecodable));
        FoldCounts::add(&self.counts.malformed_items, u64::from(self.observations.malformed_items));
        self.counts.last_received_ms.store(batch.received_at.0, Ordering::Relaxed);
        u64::from(decoded.messages)
    }

    fn pass_over(&self, gap: Gap) {
        if gap.to > self.marks_from && !matches!(gap.kind, GapKind::Torn) {
            // What was not read may have changed any track: the archive has it, the marks do not.
            self.marks.lose();
        }
        let is_loss = match gap.kind {
            GapKind::Torn => false,
            GapKind::Released => gap.to > self.tracks_from,
            _ => true,
        };
        if !is_loss {
            tracing::info!(from = gap.from.0, to = gap.to.0, kind = ?gap.kind, "nothing to read in this range");
            return;
        }
        FoldCounts::add(&self.counts.gaps, 1);
        tracing::error!(from = gap.from.0, to = gap.to.0, kind = ?gap.kind, "a range of the journal can't be read");
    }

    /// Tells the journal how far the folds are on stable storage, and writes the live snapshot when it is time.
    fn keep_checkpoints(&mut self) {
        let committed = self.tracks.checkpoint();
        if let Err(error) = self.tracks_consumer.set_checkpoint(committed) {
            tracing::error!(%error, "the track archive is ahead of the journal");
        }
        if self.live_saved.elapsed() >= LIVE_SNAPSHOT_EVERY {
            self.save_live(Lsn(self.counts.consumed.load(Ordering::Acquire)));
        }
    }

    fn save_live(&mut self, at: Lsn) {
        self.live_saved = Instant::now();
        let saved = self.live.save(&self.live_snapshot, at).map_err(anyhow::Error::from);
        if let Err(error) = saved.and_then(|()| Ok(self.live_consumer.set_checkpoint(at)?)) {
            tracing::warn!(%error, "the live snapshot can't be written; a restart reads more journal");
        }
    }
}
