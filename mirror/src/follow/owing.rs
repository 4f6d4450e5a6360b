//! What the mirror owes: passing over what the journal can't wait for, and filling it back from the archive.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use motorpool_protocols::{TerminalId, UtcMillis};
use motorpool_storage::ids::{DeviceId, Lsn};
use motorpool_storage::journal::Event;
use motorpool_storage::tracks::{Archive, Rows, Selection};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Follower, Interruption, World};
use crate::batch::Batch;
use crate::delivery::Target;
use crate::fill::Fill;
use crate::state::Owed;

/// How late a fix may be that is filled back out of a range nobody has read: later ones are to be asked for.
const RELEASED_LATE_MS: i64 = 30 * 86_400_000;
/// How far a believed clock may be ahead.
const AHEAD_MS: i64 = 86_400_000;

/// A range that is being filled back.
pub(super) struct Filling {
    owed: Owed,
    fill: Fill<Rows>,
}

impl<T: Target, W: World> Follower<T, W> {
    /// Passes over the older half of what waits, notes it as owed, and lets the journal go on. Ends with
    /// [`Interruption::Behind`] when that is done.
    pub(super) fn pass_over(&mut self, stop: &CancellationToken) -> Result<(), Interruption> {
        let goal = Lsn(self.journal.durable().0.saturating_sub(self.lag_max / 2));
        let mut place = self.settled();
        let mut owed = Owed::at(place.0);
        let mut reader = self.journal.reader(place.0);
        let mut rows = Vec::new();
        self.seconds.clear();
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
                place.1 = received_at.0;
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
        self.settling = VecDeque::from([(Instant::now(), self.delivered)]);
        self.save()?;
        Err(Interruption::Behind)
    }

    /// Notes a range that was released before the mirror could read it: it was received after what was read last, and before now.
    pub(super) fn owe_released(&mut self, mut gap: Owed) {
        let now = self.world.now();
        let begun = self.read.1.min(now.0);
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
        let Some(owed) = self.state.owed.first().copied() else { return Ok(()) };
        if self.tracks.checkpoint() < owed.to {
            return Ok(());
        }
        let mut filling = match self.filling.take() {
            Some(filling) if filling.owed == owed => filling,
            _ => self.open_filling(owed)?,
        };
        let mut batch = Batch::default();
        let world = &self.world;
        let terminal_of = |device: DeviceId| -> Option<TerminalId> { world.terminal(device) };
        let has_more = filling.fill.fill(&mut batch, &self.form, &terminal_of)?;
        self.send(&batch, runtime, stop)?;
        if has_more {
            self.filling = Some(filling);
            return Ok(());
        }
        for error in filling.fill.rows().take_damaged() {
            tracing::error!(%error, "fixes are not filled back");
        }
        tracing::info!(from = owed.from.0, to = owed.to.0, "a range that was passed over is filled back");
        self.state.owed.remove(0);
        Ok(self.save()?)
    }

    fn open_filling(&self, owed: Owed) -> Result<Filling, Interruption> {
        let selection = Selection {
            device: None,
            from: UtcMillis(owed.fix_ms.0),
            to: UtcMillis(owed.fix_ms.1.saturating_add(1)),
            include_suspect: false,
        };
        let rows = Archive::open(&self.archive)?.rows(selection, Vec::new());
        Ok(Filling { owed, fill: Fill::received_within(rows, owed.received_ms) })
    }
}
