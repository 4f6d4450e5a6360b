//! What the mirror owes: passing over what the journal can't wait for, and filling it back from the archive.
//!
//! A range is filled back a batch at a time, behind what comes in, and never in its way: when the server does not take a batch, or a file of
//! the archive can't be read, the range is *held* for a while and stays owed. Only what a file does not hold any more (its checksum or
//! form is wrong, or it is lost) is given up, with an error. How far a range is filled back and settled is kept with it, so
//! that nothing begins anew: not after an outage, not after a start.

use std::path::Path;
use std::time::Duration;

use motorpool_protocols::{TerminalId, UtcMillis};
use motorpool_storage::ids::{DeviceId, Lsn};
use motorpool_storage::journal::Event;
use motorpool_storage::tracks::{Archive, Rows, Selection, TracksError};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::settling::Settling;
use super::{Follower, Interruption, World};
use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::delivery::Target;
use crate::fill::{Fill, Form};
use crate::state::{FillPlace, Owed};
use crate::status::Status;

/// How late a fix may be that is filled back out of a range nobody has read: later ones are to be asked for.
const RELEASED_LATE_MS: i64 = 30 * 86_400_000;
/// How far a believed clock may be ahead.
const AHEAD_MS: i64 = 86_400_000;
/// How far a stamp may lie before that of the record before, in journals of earlier programs.
const STAMPS_BACK_MS: i64 = 60_000;
/// How long a range is held.
const HOLD: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(60) };
const DAY_MS: i64 = 86_400_000;

/// A range that can't be filled back now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// Failures in a row.
    failures: u32,
    /// Until when it is not tried, on the clock of [`World::uptime`].
    until: Duration,
}

/// A range that is being filled back.
pub(super) struct Filling {
    owed: Owed,
    /// The rows behind what was reached; none when they have to be opened.
    rows: Option<Fill<Rows>>,
    /// Behind what the server has answered for; none = nothing yet.
    reached: Settling<Option<FillPlace>>,
}

impl Filling {
    const fn new(owed: Owed, overlap: Duration) -> Self {
        Self { owed, rows: None, reached: Settling::new(overlap, owed.done) }
    }

    fn is_for(&self, owed: &Owed) -> bool {
        (self.owed.from, self.owed.to) == (owed.from, owed.to)
    }

    fn is_at_end(&self) -> bool {
        self.reached.reached() == Some(FillPlace::END)
    }

    /// Whether the server may not have all on its disk that it has answered for.
    pub(super) fn is_in_doubt(&self) -> bool {
        !self.reached.is_settled()
    }

    /// Notes that the server has answered at `now`, and was there all the time.
    pub(super) fn answered(&mut self, now: Duration) {
        self.reached.answered(now);
    }

    /// Goes back to what is settled.
    pub(super) fn rewind(&mut self) {
        self.reached.rewind();
        self.rows = None;
    }

    /// Puts what comes next into `batch`, and gives the place behind it. After an error the rows are opened again.
    fn next(
        &mut self,
        archive: &Path,
        form: &Form,
        terminal_of: &dyn Fn(DeviceId) -> Option<TerminalId>,
        batch: &mut Batch,
    ) -> Result<Option<FillPlace>, TracksError> {
        if self.is_at_end() {
            return Ok(Some(FillPlace::END));
        }
        let mut rows = match self.rows.take() {
            Some(rows) => rows,
            None => open(archive, &self.owed, self.reached.reached())?,
        };
        let has_more = rows.fill(batch, form, terminal_of)?;
        for error in rows.rows().take_damaged() {
            if is_passing(&error) {
                return Err(error);
            }
            tracing::error!(%error, "fixes are not filled back");
        }
        let place = if has_more { rows.place() } else { Some(FillPlace::END) };
        self.rows = Some(rows);
        Ok(place)
    }
}

/// Whether a file may be read later; what it does not hold any more may not.
pub(super) const fn is_passing(error: &TracksError) -> bool {
    !matches!(error, TracksError::BadFile { .. })
}

/// The rows of a range behind a place.
fn open(archive: &Path, owed: &Owed, after: Option<FillPlace>) -> Result<Fill<Rows>, TracksError> {
    // The archive is in the order of days, and within a day of devices.
    let day_begin = |place: FillPlace| UtcMillis(place.fix_ms).day().saturating_mul(DAY_MS);
    let selection = Selection {
        device: None,
        from: UtcMillis(after.map_or(owed.fix_ms.0, |place| day_begin(place).max(owed.fix_ms.0))),
        to: UtcMillis(owed.fix_ms.1.saturating_add(1)),
        include_suspect: false,
    };
    let rows = Archive::open(archive)?.rows(selection, Vec::new());
    Ok(Fill::received_within(rows, owed.received_ms).after(after))
}

impl<T: Target, W: World> Follower<T, W> {
    /// Passes over the older half of what waits, notes it as owed, and lets the journal go on. Ends with
    /// [`Interruption::Behind`] when that is done.
    pub(super) fn pass_over(&mut self, stop: &CancellationToken) -> Result<(), Interruption> {
        let goal = Lsn(self.journal.durable().0.saturating_sub(self.lag_max / 2));
        let mut place = self.settling.settled();
        let mut owed = Owed::at(place.0);
        let mut reader = self.journal.reader(place.0);
        let mut rows = Vec::new();
        while reader.position() < goal {
            if stop.is_cancelled() {
                return Err(Interruption::Stopped);
            }
            let chunk = reader.next_chunk(Duration::ZERO)?;
            if chunk.is_empty() {
                break;
            }
            for event in chunk.events() {
                let Event::Entry(entry) = event else { continue };
                let received_at = entry.batch.received_at;
                self.world.rows(&entry.batch, &mut rows);
                for row in rows.drain(..).filter(|row| !row.is_clock_suspect()) {
                    owed.note(received_at, row.fix.fix_time);
                    self.seconds.pass(&row);
                }
                place.1 = place.1.max(received_at.0);
            }
        }
        owed.to = reader.position();
        tracing::warn!(
            from = owed.from.0,
            to = owed.to.0,
            fixes = owed.fixes,
            "the mirror is too far behind: a range is passed over, to be filled back from the archive"
        );
        self.state.owe(owed);
        self.delivered = (owed.to, place.1);
        self.settling = Settling::new(self.overlap, self.delivered);
        self.save()?;
        Err(Interruption::Behind)
    }

    /// Notes a range that was released before the mirror could read it: it was received after what was read last, and before now.
    pub(super) fn owe_released(&mut self, mut gap: Owed) {
        let now = self.world.now();
        let begun = self.read.1.saturating_sub(STAMPS_BACK_MS).min(now.0);
        gap.widen(UtcMillis(begun), UtcMillis(begun.saturating_sub(RELEASED_LATE_MS)));
        gap.widen(now, UtcMillis(now.0.saturating_add(AHEAD_MS)));
        tracing::warn!(
            from = gap.from.0,
            to = gap.to.0,
            "a range of the journal was released before it was mirrored; it is to be filled back from the archive"
        );
        self.state.owe(gap);
    }

    /// Sends one batch of what is owed, when the archive has it in files.
    pub(super) fn fill_back(
        &mut self,
        runtime: &Handle,
        stop: &CancellationToken,
    ) -> Result<(), Interruption> {
        self.is_filling = false;
        let is_chosen = self.choose_range();
        let Some(filling) = self.filling.as_mut().filter(|_| is_chosen) else { return Ok(()) };
        let mut batch = Batch::default();
        let world = &self.world;
        let terminal_of = |device: DeviceId| -> Option<TerminalId> { world.terminal(device) };
        let place = match filling.next(&self.archive, &self.form, &terminal_of, &mut batch) {
            Ok(place) => place,
            Err(error) => {
                tracing::warn!(%error, "a range can't be filled back now; it is tried again");
                Status::add(&self.status.archive_failures, 1);
                self.hold(Duration::ZERO);
                return Ok(());
            }
        };
        match self.send(&batch, false, runtime, stop) {
            Ok(()) => self.filled(place, !batch.is_empty()),
            Err(Interruption::Aside(delay)) => {
                self.hold(delay);
                Ok(())
            }
            Err(interruption) => {
                self.reopen();
                Err(interruption)
            }
        }
    }

    /// Sees to it that `filling` is a range that is in files and not held, the one under way if possible; `false` if none is.
    fn choose_range(&mut self) -> bool {
        let (now, in_files) = (self.world.uptime(), self.tracks.checkpoint());
        let is_held = |owed: &Owed| self.held.get(&owed.from).is_some_and(|held| now < held.until);
        let mut ready = self.state.owed.iter().filter(|owed| owed.to <= in_files && !is_held(owed));
        let is_under_way = |owed: &Owed| self.filling.as_ref().is_some_and(|filling| filling.is_for(owed));
        if ready.clone().any(is_under_way) {
            return true;
        }
        let Some(next) = ready.next().copied() else { return false };
        self.note_filling();
        self.filling = Some(Filling::new(next, self.overlap));
        true
    }

    /// Notes what a batch came to, and that the range is filled back when all of it is settled.
    fn filled(&mut self, place: Option<FillPlace>, has_sent: bool) -> Result<(), Interruption> {
        let now = self.world.uptime();
        let Some(filling) = &mut self.filling else { return Ok(()) };
        self.held.remove(&filling.owed.from);
        filling.reached.reach(place, has_sent, now);
        self.is_filling = !filling.is_at_end();
        let (owed, settled) = (filling.owed, filling.reached.settled());
        if settled != Some(FillPlace::END) {
            return if settled == owed.done { Ok(()) } else { Ok(self.save_when_due()?) };
        }
        self.filling = None;
        self.state.owed.retain(|other| (other.from, other.to) != (owed.from, owed.to));
        tracing::info!(from = owed.from.0, to = owed.to.0, "a range that was passed over is filled back");
        Ok(self.save()?)
    }

    /// Lets the range under way alone for a while, and at least for `at_least`.
    fn hold(&mut self, at_least: Duration) {
        self.reopen();
        let Some(filling) = &self.filling else { return };
        let held = self.held.entry(filling.owed.from).or_default();
        held.failures = held.failures.saturating_add(1);
        held.until = self.world.uptime() + HOLD.delay(held.failures, u32::MAX, None).max(at_least);
    }

    /// Has the rows of the range under way opened again where it is: what was taken out of them was not sent.
    fn reopen(&mut self) {
        if let Some(filling) = &mut self.filling {
            filling.rows = None;
        }
    }

    /// Notes how far the range under way is filled back for sure.
    pub(super) fn note_filling(&mut self) {
        let Some(filling) = &mut self.filling else { return };
        if let Some(owed) = self.state.owed.iter_mut().find(|owed| filling.is_for(owed)) {
            owed.done = filling.reached.settled();
            filling.owed.done = owed.done;
        }
    }
}
