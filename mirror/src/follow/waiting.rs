//! Who waits for the server: until it answers, until the process ends, or until the journal can't wait any longer. What is filled back
//! does not wait: it steps aside for what comes in.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use motorpool_storage::ids::Lsn;
use motorpool_storage::journal::Journal;
use tokio_util::sync::CancellationToken;

use crate::delivery::{Waiting, WriteError};
use crate::status::Status;

/// How often the journal is looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) struct Patience<'a> {
    pub(super) journal: &'a Journal,
    pub(super) status: &'a Status,
    pub(super) delivered: Lsn,
    pub(super) lag_max: u64,
    pub(super) stop: &'a CancellationToken,
    /// Whether it waits at all.
    pub(super) is_patient: bool,
    /// How long the last wait should have been.
    pub(super) delay: Duration,
    /// Whether it ended because too much of the journal waits.
    pub(super) is_behind: bool,
    /// Whether the server was away in between.
    pub(super) was_away: bool,
}

impl Waiting for Patience<'_> {
    async fn wait(&mut self, delay: Duration, error: &WriteError) -> ControlFlow<()> {
        self.status.failed(error);
        self.was_away |= error.is_away;
        self.delay = delay;
        if !self.is_patient {
            return ControlFlow::Break(());
        }
        let begun = Instant::now();
        loop {
            self.is_behind = self.journal.durable().0.saturating_sub(self.delivered.0) > self.lag_max;
            if self.is_behind || self.stop.is_cancelled() {
                return ControlFlow::Break(());
            }
            let left = delay.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return ControlFlow::Continue(());
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
            }
        }
    }
}
