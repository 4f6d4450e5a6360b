//! Background care: a prepared segment always at hand, and an eye on the free space.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::handle::Shared;
use super::queue::Health;

/// The longest pause between two blocks of a segment that is being prepared; normally it is as long as the block took.
const PREPARE_PAUSE_MAX: Duration = Duration::from_millis(20);

/// Wakes a background thread, once or for good.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<BellState>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct BellState {
    rung: bool,
    stopped: bool,
}

impl Bell {
    /// Wakes the thread.
    pub(crate) fn ring(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rung = true;
        self.rung.notify_all();
    }

    /// Tells the thread to end.
    pub(crate) fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.rung.notify_all();
    }

    /// Whether the thread should end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped
    }

    /// Sleeps until the bell rings or `timeout` has passed; false when the thread should end.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .rung
            .wait_timeout_while(state, timeout, |state| !state.rung && !state.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        state.rung = false;
        !state.stopped
    }
}

/// The body of the keeper thread.
pub(crate) fn run(shared: &Arc<Shared>) {
    loop {
        step(shared);
        if !shared.keeper.wait(shared.disk_poll) {
            return;
        }
    }
}

/// Looks at the disk and prepares a spare segment if there is none.
pub(crate) fn step(shared: &Shared) {
    let segments = &shared.segments;
    let free = match segments.fs.free_bytes(&segments.dir) {
        Ok(free) => free,
        Err(error) => {
            tracing::warn!(%error, "the free space of the journal's disk is unknown");
            return;
        }
    };
    shared.counters.free_disk_bytes.store(free, Relaxed);
    match shared.queue.health() {
        Health::Ok if free < shared.disk_reserve => {
            tracing::error!(free, "too little space is left: the journal takes nothing");
            shared.queue.set_health(Health::DiskFull);
        }
        // One segment more than the limit, so that the answer does not change back and forth.
        Health::DiskFull if free >= shared.disk_reserve.saturating_add(segments.size) => {
            tracing::info!(free, "there is space again: the journal takes records");
            shared.queue.set_health(Health::Ok);
        }
        _ => {}
    }
    let room = free >= shared.disk_reserve.saturating_add(segments.size.saturating_mul(2));
    // In a burst the disk has better things to write than zeros.
    let wanted = shared.spares_max > 0
        && segments.spare_count() == 0
        && !shared.queue.is_busy()
        && !shared.keeper.is_stopped();
    if wanted
        && room
        && let Err(error) =
            segments.prepare_spare(&mut |took| shared.keeper.wait(took.min(PREPARE_PAUSE_MAX)))
    {
        tracing::warn!(%error, "no spare segment could be prepared");
    }
}
