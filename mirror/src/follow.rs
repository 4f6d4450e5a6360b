//! Follows the journal and delivers what it says, at its own pace.
//!
//! The thread reads behind the durable mark, like every fold, and asks nobody to wait for it. It writes its checkpoint after the
//! server has answered for everything before it; after a crash it begins there again, and what is sent twice is the same points.
//!
//! Segments of the journal stay until every consumer has passed them, so a server that stays away would fill the disk.
//! Beyond [`FollowerParts::lag_max`] the older half is *passed over*: the range is noted durably as owed, the journal goes on, and
//! the fixes are filled back from the archive once the server answers and everything newer is delivered. The same is done with
//! what was released while there was no mirror.
//!
//! Some engines answer before a point is on their disk (VictoriaMetrics keeps seconds in memory). So the checkpoint that is written
//! stays [`FollowerParts::overlap`] behind the last answer, and after the server was away everything from there on is sent again,
//! however long that was; so it is with what is filled back. A server that is silent because it was sent nothing is asked with an empty
//! write, as long as something is in doubt. One that is killed and back before the next write or question is not noticed.
//!
//! It stands a moment behind: the fixes of a second are numbered (see [`crate::order`]) when the second is over and the archive
//! has them.

mod owing;
mod settling;
mod waiting;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use motorpool_protocols::{TerminalId, UtcMillis};
use motorpool_storage::ids::{DeviceId, Lsn};
use motorpool_storage::journal::{Batch as Record, Consumer, Event, GapKind, Journal, ReadError, Reader};
use motorpool_storage::tracks::{Row, TrackOptions, Tracks, TracksError};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::owing::{Filling, Held};
use self::settling::Settling;
use self::waiting::Patience;
use super::batch::Batch;
use super::delivery::{Delivered, Delivery, Target, Undelivered};
use super::fill::Form;
use super::seconds::Seconds;
use super::state::{Owed, State, StateFile};
use super::status::Status;

/// How long to wait for news of the journal.
const TICK: Duration = Duration::from_millis(200);
/// How long to wait for the archive to have what was read.
const ARCHIVE_TICK: Duration = Duration::from_millis(5);
/// How long to wait after a file could not be read or written.
const RETRY: Duration = Duration::from_secs(1);
/// How often a file of the archive is tried again that fixes are to be numbered by; then they go out under numbers that may be wrong.
const UNREAD_MAX: u32 = 60;
/// How often the state is written; it bounds what is sent twice after a crash.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How often a server that is sent nothing is asked whether it is there, while something is not settled.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// A second is over when the clock is so far behind its beginning and the journal has nothing newer.
const SETTLED_MS: i64 = 2_000;

/// What the server knows and this crate does not.
pub trait World: Send {
    /// Decodes a record and appends its fixes as rows.
    fn rows(&mut self, record: &Record<'_>, out: &mut Vec<Row>);
    /// The identity of a device's terminal.
    fn terminal(&self, device: DeviceId) -> Option<TerminalId>;
    /// The address up to which the archive, memory included, has everything.
    fn archived(&self) -> Lsn;
    /// The clock that records are stamped by.
    fn now(&self) -> UtcMillis;
    /// A clock that goes on evenly and never goes back, from any beginning.
    fn uptime(&self) -> Duration;
}

/// What a follower works with.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct FollowerParts<T, W> {
    /// The journal.
    pub journal: Journal,
    /// The archive.
    pub tracks: Tracks,
    /// Its folder.
    pub archive: PathBuf,
    /// The folder of the state; it exists.
    pub folder: PathBuf,
    /// See [`World`].
    pub world: W,
    /// Where lines go.
    pub delivery: Delivery<T>,
    /// What batches look like.
    pub form: Form,
    /// Bytes of the journal that may wait.
    pub lag_max: u64,
    /// How long the server may take to put on its disk what it has answered for.
    pub overlap: Duration,
}

/// Why the next piece of work was not done.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("stopped")]
    Stopped,
    #[error("too far behind")]
    Behind,
    #[error("the server was away")]
    Again,
    #[error("the server does not take it now")]
    Aside(Duration),
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error(transparent)]
    Archive(#[from] TracksError),
    #[error(transparent)]
    Files(#[from] io::Error),
}

/// A record that was read, decoded.
struct Read {
    end: Lsn,
    received_at: UtcMillis,
    rows: Vec<Row>,
}

/// The end of a record, and up to when it and those before were received, milliseconds since 1970.
type Place = (Lsn, i64);

/// The mirror's own place in the journal.
pub struct Follower<T, W> {
    journal: Journal,
    consumer: Consumer,
    tracks: Tracks,
    archive: PathBuf,
    world: W,
    delivery: Delivery<T>,
    form: Form,
    lag_max: u64,
    file: StateFile,
    state: State,
    saved: Instant,
    status: Arc<Status>,
    seconds: Seconds,
    batch: Batch,
    /// Behind the last record whose rows are in `seconds`.
    read: Place,
    /// Behind the last record whose rows are all in `batch`, delivered, or owed.
    gathered: Place,
    /// Behind the last record whose rows are all delivered or owed.
    delivered: Place,
    /// How much of that is on the server's disk.
    settling: Settling<Place>,
    /// Whether points were sent since `delivered` was noted in `settling`.
    has_sent: bool,
    /// Whether the server was away when it was last spoken to.
    is_away: bool,
    /// When the server was last spoken to.
    asked_at: Duration,
    overlap: Duration,
    filling: Option<Filling>,
    /// Whether there is something to fill back at once.
    is_filling: bool,
    /// How often the archive could not be read in a row, and where; not counted on once it was too often.
    unread: (u32, Lsn),
    /// Ranges that can't be filled back now, by where they begin.
    held: BTreeMap<Lsn, Held>,
}

impl<T, W> std::fmt::Debug for Follower<T, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<T: Target, W: World> Follower<T, W> {
    /// Reads the state and registers with the journal; call it before any consumer names a checkpoint. Without a state it begins
    /// at the end of the journal: earlier fixes are filled back when somebody asks for them.
    ///
    /// # Errors
    /// When the state can't be read.
    pub fn open(parts: FollowerParts<T, W>) -> io::Result<Self> {
        let file = StateFile::in_folder(&parts.folder);
        let durable = parts.journal.durable();
        let mut state = match file.load()? {
            Some(state) => state,
            None => State {
                checkpoint: durable,
                received_ms: parts.journal.last_received_at().0,
                ..State::default()
            },
        };
        if state.checkpoint > durable {
            tracing::error!(
                checkpoint = state.checkpoint.0,
                durable = durable.0,
                "the mirror has followed another journal; it goes on at the end of this one"
            );
            state.checkpoint = durable;
        }
        let begin = (state.checkpoint, state.received_ms);
        let follower = Self {
            consumer: parts.journal.consumer("mirror"),
            journal: parts.journal,
            tracks: parts.tracks,
            archive: parts.archive,
            world: parts.world,
            delivery: parts.delivery,
            form: parts.form,
            lag_max: parts.lag_max,
            file,
            read: begin,
            gathered: begin,
            delivered: begin,
            settling: Settling::new(parts.overlap, begin),
            has_sent: false,
            is_away: false,
            asked_at: Duration::ZERO,
            overlap: parts.overlap,
            state,
            saved: Instant::now(),
            status: Arc::default(),
            seconds: Seconds::default(),
            batch: Batch::default(),
            filling: None,
            is_filling: false,
            unread: (0, Lsn(0)),
            held: BTreeMap::new(),
        };
        follower.tell();
        Ok(follower)
    }

    /// How it is doing, also while it runs.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Follows until `stop`. Blocks; requests are made on `runtime`.
    pub fn run(mut self, runtime: &Handle, stop: &CancellationToken) {
        // So that the journal lets go of what lies before, also when the server is away from the beginning.
        if let Err(error) = self.save() {
            tracing::warn!(%error, "the mirror's state can't be written");
        }
        let mut reader = self.begin();
        while !stop.is_cancelled() {
            let turned = self.turn(&mut reader, runtime, stop);
            let interruption = match turned {
                Err(Interruption::Behind) => self.pass_over(stop),
                other => other,
            };
            match interruption {
                Ok(()) => continue,
                Err(Interruption::Stopped) => break,
                // What was passed over, the reader begins behind; what is sent again, it begins before.
                Err(Interruption::Behind | Interruption::Again) => {}
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the mirror can't go on");
                    runtime.block_on(async {
                        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(RETRY) => {} }
                    });
                }
            }
            reader = self.begin();
        }
        if let Err(error) = self.save() {
            tracing::warn!(%error, "the mirror's state can't be written; it sends the last points again");
        }
    }

    /// Goes back to what was delivered.
    fn begin(&mut self) -> Reader {
        self.seconds.begin_after(UtcMillis(self.delivered.1));
        self.batch.clear();
        self.read = self.delivered;
        self.gathered = self.delivered;
        self.journal.reader(self.delivered.0)
    }

    /// One chunk of the journal, and when there is no more for now, one batch of what is owed.
    fn turn(
        &mut self,
        reader: &mut Reader,
        runtime: &Handle,
        stop: &CancellationToken,
    ) -> Result<(), Interruption> {
        let reads = self.read_chunk(reader)?;
        let position = reader.position();
        while self.world.archived() < position {
            if stop.is_cancelled() {
                return Err(Interruption::Stopped);
            }
            std::thread::sleep(ARCHIVE_TICK);
        }
        let is_quiet = reads.is_empty();
        for read in reads {
            self.gather(read, runtime, stop)?;
        }
        if position >= self.journal.durable() {
            let settled = self.world.now().0.saturating_sub(SETTLED_MS) >= self.read.1;
            if is_quiet && (settled || self.seconds.is_empty()) {
                self.read.0 = position;
                self.close_second(runtime, stop)?;
            }
            self.deliver(runtime, stop)?;
            self.fill_back(runtime, stop)?;
            self.ask(runtime, stop)?;
        }
        self.check_lag()
    }

    /// Reads and decodes the next chunk.
    fn read_chunk(&mut self, reader: &mut Reader) -> Result<Vec<Read>, ReadError> {
        // While there is something to fill back, the journal is not waited for.
        let patience = if self.is_filling { Duration::ZERO } else { TICK };
        let chunk = reader.next_chunk(patience)?;
        let mut reads: Vec<Read> = Vec::new();
        for event in chunk.events() {
            match event {
                Event::Entry(entry) => {
                    let mut rows = Vec::new();
                    self.world.rows(&entry.batch, &mut rows);
                    let received_at = entry.batch.received_at;
                    reads.push(Read { end: entry.end, received_at, rows });
                }
                Event::Gap(lost) if lost.kind == GapKind::Torn => {}
                Event::Gap(lost) if lost.kind == GapKind::Released => {
                    self.owe_released(Owed { to: lost.to, ..Owed::at(lost.from) });
                }
                Event::Gap(lost) => {
                    tracing::error!(
                        from = lost.from.0,
                        to = lost.to.0,
                        "a range of the journal is not mirrored"
                    );
                }
            }
        }
        Ok(reads)
    }

    /// Takes the rows of a record into the second that is under way; ends the one before.
    fn gather(&mut self, read: Read, runtime: &Handle, stop: &CancellationToken) -> Result<(), Interruption> {
        if self.seconds.is_over(read.received_at) {
            self.close_second(runtime, stop)?;
        }
        let before = read.rows.len();
        let believed = read.rows.into_iter().filter(|row| !row.is_clock_suspect());
        let mut count = 0;
        for row in believed {
            count += 1;
            self.seconds.push(row);
        }
        self.leave_out((before - count) as u64);
        self.read = (read.end, self.read.1.max(read.received_at.0));
        Ok(())
    }

    fn leave_out(&mut self, count: u64) {
        self.state.left_out += count;
        Status::add(&self.status.left_out, count);
    }

    /// Numbers the rows of a second that is over and puts them into batches.
    fn close_second(&mut self, runtime: &Handle, stop: &CancellationToken) -> Result<(), Interruption> {
        let tracks = self.tracks.clone();
        let mut unread = None;
        let mut known = |device, from, to| {
            let track = tracks.track(device, from, to, TrackOptions::default());
            unread = unread.take().or_else(|| track.damaged.into_iter().find(owing::is_passing));
            track.rows
        };
        let numbered = self.seconds.take(&mut known);
        self.check_known(unread)?;
        for fix in &numbered {
            let terminal = self.world.terminal(fix.row.device);
            let terminal = terminal.as_ref().map_or("", TerminalId::as_str);
            if !self.batch.push(&self.form.measurement, terminal, fix) {
                self.leave_out(1);
            }
            if self.batch.is_full(self.form.rows_max, self.form.bytes_max) {
                self.deliver(runtime, stop)?;
            }
        }
        self.gathered = self.read;
        if self.batch.is_empty() { self.commit() } else { Ok(()) }
    }

    /// Without all fixes of their instants the numbers would be wrong: what can't be read for a moment is waited for.
    fn check_known(&mut self, unread: Option<TracksError>) -> Result<(), Interruption> {
        let (times, place) = self.unread;
        let Some(error) = unread else {
            if times <= UNREAD_MAX && self.read.0 >= place {
                self.unread.0 = 0;
            }
            return Ok(());
        };
        Status::add(&self.status.archive_failures, 1);
        self.unread = (times.saturating_add(1), self.read.0);
        if times < UNREAD_MAX {
            return Err(error.into());
        }
        tracing::error!(%error, "fixes may be mirrored under wrong numbers");
        Ok(())
    }

    /// Delivers the batch, whatever is in it, and commits what lies before.
    fn deliver(&mut self, runtime: &Handle, stop: &CancellationToken) -> Result<(), Interruption> {
        let batch = std::mem::take(&mut self.batch);
        self.has_sent |= !batch.is_empty();
        self.send(&batch, true, runtime, stop)?;
        self.batch = batch;
        self.batch.clear();
        self.commit()
    }

    /// Sends a batch until the server has answered for all of it; or, without patience, until it does not.
    fn send(
        &mut self,
        batch: &Batch,
        is_patient: bool,
        runtime: &Handle,
        stop: &CancellationToken,
    ) -> Result<(), Interruption> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut patience = Patience {
            journal: &self.journal,
            status: &self.status,
            delivered: self.delivered.0,
            lag_max: self.lag_max,
            stop,
            is_patient,
            delay: Duration::ZERO,
            is_behind: false,
            was_away: false,
        };
        let sent = runtime.block_on(async {
            tokio::select! {
                sent = self.delivery.send(batch, &mut patience) => Some(sent),
                () = stop.cancelled() => None,
            }
        });
        let Patience { is_behind, was_away, delay, .. } = patience;
        self.is_away |= was_away;
        match sent {
            Some(Ok(delivered)) => {
                self.count(&delivered);
                self.answered()
            }
            Some(Err(Undelivered::Rejects(error))) => Err(error.into()),
            Some(Err(Undelivered::GivenUp(_))) if is_behind => Err(Interruption::Behind),
            Some(Err(Undelivered::GivenUp(_))) if !is_patient => Err(Interruption::Aside(delay)),
            Some(Err(Undelivered::GivenUp(_))) | None => Err(Interruption::Stopped),
        }
    }

    fn count(&mut self, delivered: &Delivered) {
        self.state.sent += delivered.sent;
        self.state.rejected += delivered.rejected;
        Status::add(&self.status.sent, delivered.sent);
        Status::add(&self.status.rejected, delivered.rejected);
        if delivered.rejected > 0 {
            tracing::warn!(
                lines = delivered.rejected,
                "the mirror's server refused lines; see rejected.jsonl"
            );
        }
    }

    /// Notes that the server has answered. When it was away before, it may have lost what was not settled then: again from there.
    fn answered(&mut self) -> Result<(), Interruption> {
        self.status.succeeded();
        let now = self.world.uptime();
        self.asked_at = now;
        if std::mem::take(&mut self.is_away) && !self.overlap.is_zero() {
            self.delivered = self.settling.rewind();
            if let Some(filling) = &mut self.filling {
                filling.rewind();
            }
            return Err(Interruption::Again);
        }
        self.settling.answered(now);
        if let Some(filling) = &mut self.filling {
            filling.answered(now);
        }
        Ok(())
    }

    /// Asks a server that is sent nothing whether it is there, from time to time and while that matters.
    fn ask(&mut self, runtime: &Handle, stop: &CancellationToken) -> Result<(), Interruption> {
        let is_in_doubt =
            !self.settling.is_settled() || self.filling.as_ref().is_some_and(Filling::is_in_doubt);
        let now = self.world.uptime();
        if !(is_in_doubt || self.is_away) || now.saturating_sub(self.asked_at) < ASK_EVERY {
            return Ok(());
        }
        self.asked_at = now;
        let answer = runtime.block_on(async {
            tokio::select! {
                answer = self.delivery.ask() => Some(answer),
                () = stop.cancelled() => None,
            }
        });
        match answer {
            Some(Ok(())) => self.answered(),
            Some(Err(error)) => {
                self.status.failed(&error);
                self.is_away |= error.is_away;
                Ok(())
            }
            None => Err(Interruption::Stopped),
        }
    }

    /// Notes that all that is gathered is delivered, and writes the state when it is time.
    fn commit(&mut self) -> Result<(), Interruption> {
        self.delivered = self.gathered;
        let has_sent = std::mem::take(&mut self.has_sent);
        self.settling.reach(self.delivered, has_sent, self.world.uptime());
        self.tell();
        let settled = self.settling.settled().0;
        let is_news = settled != self.state.checkpoint || self.delivered.0 != self.state.delivered;
        if is_news { Ok(self.save_when_due()?) } else { Ok(()) }
    }

    fn save_when_due(&mut self) -> io::Result<()> {
        if self.saved.elapsed() >= SAVE_EVERY { self.save() } else { Ok(()) }
    }

    /// Writes the state, then lets the journal go on.
    fn save(&mut self) -> io::Result<()> {
        (self.state.checkpoint, self.state.received_ms) = self.settling.settled();
        self.state.delivered = self.delivered.0;
        self.note_filling();
        self.file.save(&self.state)?;
        self.saved = Instant::now();
        if let Err(error) = self.consumer.set_checkpoint(self.state.checkpoint) {
            tracing::error!(%error, "the mirror is ahead of the journal");
        }
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        self.status.delivered.store(self.delivered.0.0, Relaxed);
        self.status.received_ms.store(self.delivered.1, Relaxed);
        self.status.owed.store(self.state.owed.len() as u64, Relaxed);
    }

    /// Whether the journal can wait. While the server is away nothing settles, so then what is in doubt counts as well.
    fn check_lag(&self) -> Result<(), Interruption> {
        let from = if self.is_away { self.settling.settled().0 } else { self.delivered.0 };
        let lag = self.journal.durable().0.saturating_sub(from.0);
        if lag > self.lag_max { Err(Interruption::Behind) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
