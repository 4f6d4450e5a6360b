//! How far the journal is on stable storage: for appenders, who may acknowledge, and for readers, who wait.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::ids::Lsn;

pub(super) type MarkObserver = Box<dyn Fn(Lsn) + Send + Sync>;

/// How far the journal is, for appenders and for readers.
pub(crate) struct Marks {
    acknowledged: watch::Sender<Lsn>,
    observer: OnceLock<MarkObserver>,
    readable: AtomicU64,
    lock: Mutex<()>,
    moved: Condvar,
    closed: AtomicU64,
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").field("readable", &self.readable).finish_non_exhaustive()
    }
}

impl Marks {
    pub(super) fn new(at: u64) -> Self {
        Self {
            acknowledged: watch::Sender::new(Lsn(at)),
            observer: OnceLock::new(),
            readable: AtomicU64::new(at),
            lock: Mutex::new(()),
            moved: Condvar::new(),
            closed: AtomicU64::new(0),
        }
    }

    /// The address up to which everything is on stable storage.
    pub(crate) fn readable(&self) -> u64 {
        self.readable.load(Ordering::Acquire)
    }

    /// How far appenders have been told.
    pub(super) fn acknowledged(&self) -> Lsn {
        *self.acknowledged.borrow()
    }

    /// The same as it moves.
    pub(super) fn subscribe(&self) -> watch::Receiver<Lsn> {
        self.acknowledged.subscribe()
    }

    /// Has `observer` called each time it moves. Only the first one counts.
    pub(super) fn observe(&self, observer: MarkObserver) {
        if self.observer.set(observer).is_err() {
            tracing::debug!("the durable mark is observed already");
        }
    }

    /// Says that everything before `lsn` is on stable storage.
    pub(crate) fn publish(&self, lsn: u64) {
        self.readable.store(lsn, Ordering::Release);
        self.acknowledge(lsn);
        self.wake();
    }

    pub(super) fn acknowledge(&self, lsn: u64) {
        let has_moved = self.acknowledged.send_if_modified(|mark| {
            let later = mark.0 < lsn;
            mark.0 = mark.0.max(lsn);
            later
        });
        if let Some(observer) = self.observer.get().filter(|_| has_moved) {
            observer(Lsn(lsn));
        }
    }

    /// Wakes waiting readers.
    pub(crate) fn wake(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }

    /// Waits until something lies behind `lsn`, at most `timeout`, not at all once closed; returns the mark.
    pub(crate) fn wait_beyond(&self, lsn: u64, timeout: Duration) -> u64 {
        let mark = self.readable();
        if mark > lsn || timeout.is_zero() {
            return mark;
        }
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |_: &mut ()| self.readable() <= lsn && self.closed.load(Ordering::Acquire) == 0;
        let waited = self.moved.wait_timeout_while(guard, timeout, waiting);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.readable()
    }

    pub(super) fn close(&self) {
        self.closed.store(1, Ordering::Release);
        self.wake();
    }
}
