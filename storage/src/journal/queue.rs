//! What was appended and is not durable yet: groups in memory, between the sources and the writer.
//!
//! Under the lock an appender copies its record and nothing else: checks and checksums come before. One thing of the record is
//! decided there, because only there its place is known: an appender reads its clock before it gets its turn, so the stamp of who
//! comes next may be the earlier one. It is raised to the one before, so that in the order of addresses no stamp goes back.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use motorpool_protocols::UtcMillis;
use tokio::sync::Notify;

use super::Batch;
use super::format::{COMMIT_LEN, Measured, Unfit};
use crate::ids::Lsn;

/// Bytes of one group from which on the next one is begun.
pub(crate) const GROUP_BYTES_MAX: usize = (2 << 20) - (8 << 10);
/// Bytes that one sync may cover.
const ROUND_BYTES_MAX: usize = 8 << 20;
/// So many waiting bytes are written without waiting for more.
const EAGER_BYTES: usize = 512 << 10;
/// How long the runtime may lead and get no further before the thread takes over.
const LOOK: Duration = Duration::from_millis(20);
/// Group buffers kept for reuse.
const POOL_MAX: usize = 4;

/// Whether the journal takes and acknowledges records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Health {
    /// It does.
    Ok = 0,
    /// The disk has less than `journal.disk_reserve` left; goes back to `Ok` by itself when there is space.
    DiskFull = 1,
    /// Writing failed twice in a row: nothing is taken until the process is started anew; reading goes on.
    Failed = 2,
    /// The journal was closed.
    Closed = 3,
}

impl Health {
    /// The state in one word, for people and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::DiskFull => "disk_full",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }

    fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::DiskFull,
            2 => Self::Failed,
            _ => Self::Closed,
        }
    }
}

/// Why a batch was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// `journal.queue_max` bytes wait already: stop reading, await [`super::Journal::wait_space`], try again.
    #[error("the journal's queue is full")]
    Full,
    /// The journal does not take records now; do not answer the terminal.
    #[error("the journal is not available: {0:?}")]
    Unavailable(Health),
    /// The record would be longer than [`super::RECORD_BYTES_MAX`], or than a segment has room for: split it.
    #[error("the batch is too large for one record")]
    TooLarge,
    /// There is no message, or `ends` does not fit `raw`.
    #[error("the batch has no messages or its ends do not fit")]
    Malformed,
}

impl From<Unfit> for AppendError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::TooLarge => Self::TooLarge,
            Unfit::Malformed => Self::Malformed,
        }
    }
}

/// Records that will be closed by one commit marker.
#[derive(Debug)]
pub(crate) struct Group {
    /// The address of the first record.
    pub(crate) start: u64,
    /// The records; behind `records_len` the writer puts marker and padding.
    pub(crate) bytes: Vec<u8>,
    pub(crate) records_len: usize,
    pub(crate) records: u32,
    pub(crate) messages: u64,
    /// Stamp of the last record, the highest; UTC milliseconds.
    pub(crate) received_at_ms: i64,
}

impl Group {
    /// The address behind the group's commit marker.
    pub(crate) const fn end(&self) -> u64 {
        self.start + (self.records_len + COMMIT_LEN) as u64
    }
}

/// What whoever leads is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// It is busy.
    No,
    /// It sleeps until there is a record.
    Record,
    /// It lets the window pass; only a lot of bytes should wake it.
    Window,
}

/// Who takes the next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// The journal's own thread.
    Thread,
    /// A task of the runtime that brings the records ([`super::lead`]).
    Runtime,
}

#[derive(Debug)]
struct State {
    groups: VecDeque<Group>,
    /// Where the next group will begin.
    next_start: u64,
    /// Bytes in `groups`.
    waiting_bytes: usize,
    /// Bytes in `groups` and in the writer's hands.
    queued_bytes: usize,
    closing: bool,
    lead: Lead,
    /// There is a task that can lead.
    has_task: bool,
    waiting: Waiting,
    /// Rounds that were taken, and rounds that became durable: what stands still when nobody gets on.
    steps: u64,
    pool: Vec<Vec<u8>>,
    records: u64,
    messages: u64,
    /// The stamp of the last record, UTC milliseconds: none behind it is earlier.
    last_received_at_ms: i64,
}

/// Limits of a queue, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) queue_max: usize,
    /// Records of one group, without its marker.
    pub(crate) group_max: usize,
}

/// The queue between appenders and writer.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    writer: Condvar,
    /// Rung for the task that leads.
    task: Notify,
    space: Notify,
    health: AtomicU8,
    limits: QueueLimits,
}

/// What the journal's thread is woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// To take a round.
    Round,
    /// The runtime led and got no further for a while: the thread leads again.
    Rescue,
    /// To end: the queue is closed and empty.
    End,
}

impl Queue {
    /// An empty queue whose first record gets the address `start`, and a stamp no earlier than `last_received_at_ms`.
    pub(crate) fn new(start: u64, last_received_at_ms: i64, limits: QueueLimits) -> Self {
        Self {
            state: Mutex::new(State {
                groups: VecDeque::new(),
                next_start: start,
                waiting_bytes: 0,
                queued_bytes: 0,
                closing: false,
                lead: Lead::Thread,
                has_task: false,
                waiting: Waiting::No,
                steps: 0,
                pool: Vec::new(),
                records: 0,
                messages: 0,
                last_received_at_ms,
            }),
            writer: Condvar::new(),
            task: Notify::new(),
            space: Notify::new(),
            health: AtomicU8::new(Health::Ok as u8),
            limits,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> Health {
        Health::from_number(self.health.load(Ordering::Acquire))
    }

    /// Changes the health and wakes whoever waits for that. `Failed` and `Closed` are final.
    pub(crate) fn set_health(&self, health: Health) {
        let state = self.state();
        if matches!(self.health(), Health::Ok | Health::DiskFull) {
            self.health.store(health as u8, Ordering::Release);
        }
        drop(state);
        self.writer.notify_all();
        self.space.notify_waiters();
    }

    /// Copies a batch into the active group, stamped no earlier than the record before. `on_appended` runs under the lock, so that what it does happens in the
    /// order of addresses; it must be short and must not append.
    pub(crate) fn append(
        &self,
        batch: &Batch<'_>,
        on_appended: impl FnOnce(Lsn),
    ) -> Result<Lsn, AppendError> {
        let measured = Measured::of(batch)?;
        let len = measured.record_len();
        if len > self.limits.group_max {
            return Err(AppendError::TooLarge);
        }
        let mut guard = self.state();
        let state = &mut *guard;
        let health = self.health();
        if state.closing || health != Health::Ok {
            return Err(AppendError::Unavailable(if state.closing { Health::Closed } else { health }));
        }
        if state.queued_bytes + len > self.limits.queue_max && state.queued_bytes > 0 {
            return Err(AppendError::Full);
        }
        let received_at_ms = batch.received_at.0.max(state.last_received_at_ms);
        state.last_received_at_ms = received_at_ms;
        let group = match state.groups.back_mut() {
            Some(group) if group.bytes.len() + len <= self.limits.group_max => group,
            _ => {
                let bytes = state.pool.pop().unwrap_or_default();
                state.groups.push_back(Group {
                    start: state.next_start,
                    bytes,
                    records_len: 0,
                    records: 0,
                    messages: 0,
                    received_at_ms: i64::MIN,
                });
                state.groups.back_mut().expect("it was just pushed")
            }
        };
        measured.encode(&Batch { received_at: UtcMillis(received_at_ms), ..*batch }, &mut group.bytes);
        group.records_len += len;
        group.records += 1;
        group.messages += u64::from(measured.messages());
        group.received_at_ms = received_at_ms;
        let end = Lsn(group.start + group.records_len as u64);
        state.next_start = group.end();
        state.waiting_bytes += len;
        state.queued_bytes += len;
        state.records += 1;
        state.messages += u64::from(measured.messages());
        let wake = match state.waiting {
            Waiting::No => false,
            Waiting::Record => true,
            Waiting::Window => state.waiting_bytes >= EAGER_BYTES,
        };
        if wake {
            state.waiting = Waiting::No;
        }
        let lead = state.lead;
        on_appended(end);
        drop(guard);
        // Not under the lock, which is the first thing that the writer takes.
        if wake {
            self.wake(lead);
        }
        Ok(end)
    }

    fn wake(&self, lead: Lead) {
        match lead {
            Lead::Thread => self.writer.notify_all(),
            Lead::Runtime => self.task.notify_one(),
        }
    }

    /// Waits, as the journal's thread, until there is something to write and `not_before` has passed (or a lot is waiting), or until
    /// the runtime needs to be rescued. The round is taken with [`Queue::take_round`], under the writer's lock.
    pub(crate) fn wait_round(&self, not_before: Instant) -> Call {
        let mut state = self.state();
        loop {
            if state.lead == Lead::Runtime {
                let (steps, had_work) = (state.steps, state.queued_bytes > 0);
                let timeout;
                (state, timeout) =
                    self.writer.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
                let stands =
                    timeout.timed_out() && had_work && state.queued_bytes > 0 && state.steps == steps;
                if stands && state.lead == Lead::Runtime {
                    state.lead = Lead::Thread;
                    state.waiting = Waiting::No;
                    return Call::Rescue;
                }
                continue;
            }
            let window = not_before.saturating_duration_since(Instant::now());
            if state.closing || state.waiting_bytes >= EAGER_BYTES || window.is_zero() {
                // What the runtime could not write counts, too: it is in the writer's hands.
                if state.queued_bytes > 0 {
                    state.waiting = Waiting::No;
                    return Call::Round;
                }
                if state.closing {
                    return Call::End;
                }
                state.waiting = Waiting::Record;
                state = self.writer.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                // Records that come meanwhile wait with it: nobody is woken for the first of them.
                state.waiting = Waiting::Window;
                (state, _) = self.writer.wait_timeout(state, window).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Takes what is there without waiting. Whoever takes it must hold the writer from before that until it is written: rounds are
    /// written in the order of addresses.
    pub(crate) fn take_round(&self) -> Option<VecDeque<Group>> {
        let mut state = self.state();
        (!state.groups.is_empty()).then(|| take_round(&mut state))
    }

    /// Takes what is there, as the task that leads, under the writer's lock; `None` when there is nothing, or the thread leads.
    pub(crate) fn take_round_leading(&self) -> Option<VecDeque<Group>> {
        let mut state = self.state();
        if state.lead != Lead::Runtime {
            return None;
        }
        if state.groups.is_empty() {
            state.waiting = Waiting::Record;
            return None;
        }
        state.waiting = Waiting::No;
        Some(take_round(&mut state))
    }

    /// Waits, as the task that leads, until it is rung for.
    pub(crate) async fn rung(&self) {
        self.task.notified().await;
    }

    /// Says whether there is a task that can lead. Without one the thread leads again.
    pub(crate) fn set_task(&self, has_task: bool) {
        self.state().has_task = has_task;
        if !has_task {
            self.lead_by_thread();
        }
    }

    /// Gives the lead to the runtime, if it has a task for that.
    pub(crate) fn lead_by_runtime(&self) {
        let mut state = self.state();
        if !state.has_task || state.closing || state.lead == Lead::Runtime {
            return;
        }
        state.lead = Lead::Runtime;
        state.waiting = if state.groups.is_empty() { Waiting::Record } else { Waiting::No };
        let is_waited_for = state.waiting == Waiting::No;
        drop(state);
        if is_waited_for {
            self.task.notify_one();
        }
    }

    /// Gives the lead to the journal's thread.
    pub(crate) fn lead_by_thread(&self) {
        self.state().lead = Lead::Thread;
        self.writer.notify_all();
    }

    /// Waits while the health is [`Health::DiskFull`], at most `timeout`; false once the queue is being closed.
    pub(crate) fn wait_disk(&self, timeout: Duration) -> bool {
        let state = self.state();
        let (state, _) = self
            .writer
            .wait_timeout_while(state, timeout, |state| !state.closing && self.health() == Health::DiskFull)
            .unwrap_or_else(PoisonError::into_inner);
        !state.closing
    }

    /// Takes back the buffers of groups that are durable.
    pub(crate) fn written(&self, groups: impl Iterator<Item = Group>) {
        let mut state = self.state();
        let was_tight = state.queued_bytes > self.limits.queue_max / 2;
        state.steps += 1;
        for mut group in groups {
            state.queued_bytes -= group.records_len;
            if state.pool.len() < POOL_MAX {
                group.bytes.clear();
                state.pool.push(group.bytes);
            }
        }
        let freed = was_tight && state.queued_bytes <= self.limits.queue_max / 2;
        drop(state);
        if freed {
            self.space.notify_waiters();
        }
    }

    /// Waits until at least half of the queue is free and the journal healthy, or until it never will be.
    pub(crate) async fn wait_space(&self) {
        loop {
            let notified = self.space.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let fits = self.state().queued_bytes <= self.limits.queue_max / 2;
            match self.health() {
                Health::Ok if fits => return,
                Health::Failed | Health::Closed => return,
                Health::Ok | Health::DiskFull => {}
            }
            notified.await;
        }
    }

    /// Refuses appends from now on and lets the writer finish.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        state.lead = Lead::Thread;
        drop(state);
        self.writer.notify_all();
        self.space.notify_waiters();
    }

    /// Whether more waits than one sync covers.
    pub(crate) fn is_busy(&self) -> bool {
        self.state().queued_bytes > ROUND_BYTES_MAX
    }

    /// Bytes that are not durable yet; records and messages ever appended.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        let state = self.state();
        (state.queued_bytes, state.records, state.messages)
    }
}

fn take_round(state: &mut State) -> VecDeque<Group> {
    let mut taken = 0;
    let mut count = 0;
    for group in &state.groups {
        if count > 0 && taken + group.records_len > ROUND_BYTES_MAX {
            break;
        }
        taken += group.records_len;
        count += 1;
    }
    state.waiting_bytes -= taken;
    state.steps += 1;
    let rest = state.groups.split_off(count);
    std::mem::replace(&mut state.groups, rest)
}
