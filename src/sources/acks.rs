//! Replies that wait for the durable mark.
//!
//! Entries are pushed under the journal's append lock, so the queue is in journal order and a group commit
//! releases a prefix of it. Whoever has that prefix writes straight to the sockets: waking a task per
//! link and frame would cost more than the write itself. What a socket does not take at once goes to the
//! link's own backlog (`Link::send`).
//!
//! A few replies are sent by whoever wrote the journal, between two commits: on a busy machine each thread that has to be woken
//! between a frame and its answer makes it wait for a processor. Many are left to one task, so that the next commit need not wait for
//! them. One of the two sends at a time: the replies of a link keep their order.
//!
//! What terminals answered to commands waits here as well: it is believed when the message that says so is durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use motorpool_protocols::command::Confirmed;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ids::Lsn;
use crate::journal::Journal;
use crate::telemetry::Counters;

use super::connection::Link;
use super::lock;
use super::post::PostOffice;

/// Bytes of a reply that need no allocation: one 0x8001 of either header width, with room for escapes.
const INLINE_BYTES: usize = 38;

/// Replies released in one go before other tasks of the thread get their turn.
const YIELD_EVERY: usize = 256;

/// Replies that whoever wrote the journal sends himself: a few microseconds each, and the pause between two commits is a millisecond.
const FEW_MAX: usize = 64;

/// The replies to one read of one link.
#[derive(Debug)]
enum Replies {
    Inline([u8; INLINE_BYTES], u8),
    Heap(Box<[u8]>),
}

impl Replies {
    fn new(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE_BYTES];
        match (inline.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(slot), Ok(len)) => {
                slot.copy_from_slice(bytes);
                Self::Inline(inline, len)
            }
            _ => Self::Heap(bytes.into()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline(bytes, len) => bytes.get(..usize::from(*len)).unwrap_or(&[]),
            Self::Heap(bytes) => bytes,
        }
    }
}

#[derive(Debug)]
struct Waiting {
    durable_at: Lsn,
    link: Arc<Link>,
    replies: Replies,
    /// What these messages answered to commands.
    confirmed: Box<[Confirmed]>,
    /// Bytes of raw messages these replies answer: what the link's unacknowledged total goes down by.
    raw_bytes: usize,
    /// When the messages came; `None` for a refusal, which is nobody's latency.
    received: Option<Instant>,
}

/// What follows from one read of one link when it is durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending<'a> {
    /// To be sent.
    pub(crate) replies: &'a [u8],
    /// What was answered to commands.
    pub(crate) confirmed: &'a [Confirmed],
    /// Bytes of the messages.
    pub(crate) raw_bytes: usize,
    /// When they came.
    pub(crate) received: Instant,
}

#[derive(Debug, Default)]
struct Queue {
    /// In journal order.
    waiting: VecDeque<Waiting>,
    durable: Lsn,
    is_sending: bool,
    /// Somebody wants to know when it is not being sent any more.
    is_awaited: bool,
}

/// Who may send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The caller, what it was given. It says when it has done so.
    Yours,
    /// Somebody else is at it, and looks again before it ends.
    Busy,
    /// There is more than the caller wants.
    TooMuch,
    /// Nothing is durable that was not sent.
    Nothing,
}

impl Queue {
    fn durable_len(&self) -> usize {
        self.waiting.partition_point(|entry| entry.durable_at <= self.durable)
    }

    /// Hands over what is durable, at most `max` entries.
    fn take_turn(&mut self, max: usize, ready: &mut Vec<Waiting>) -> Turn {
        if self.is_sending {
            return Turn::Busy;
        }
        match self.durable_len() {
            0 => Turn::Nothing,
            len if len > max => Turn::TooMuch,
            len => {
                self.is_sending = true;
                ready.extend(self.waiting.drain(..len));
                Turn::Yours
            }
        }
    }

    /// Ends the turn; whether somebody waits for that.
    fn end_turn(&mut self) -> bool {
        self.is_sending = false;
        std::mem::take(&mut self.is_awaited) || self.durable_len() > 0
    }
}

/// The queue. Cloned freely; there is one per journal.
#[derive(Clone, Debug, Default)]
pub struct AckQueue {
    queue: Arc<Mutex<Queue>>,
    /// Rung when there is something for the task.
    bell: Arc<Notify>,
}

impl AckQueue {
    /// Adds the replies of a record that ends at `durable_at`. Call it in journal order, that is from inside
    /// [`crate::journal::Journal::append_with`].
    pub(crate) fn push(&self, durable_at: Lsn, link: &Arc<Link>, pending: Pending<'_>) {
        let entry = Waiting {
            durable_at,
            link: Arc::clone(link),
            replies: Replies::new(pending.replies),
            confirmed: pending.confirmed.into(),
            raw_bytes: pending.raw_bytes,
            received: Some(pending.received),
        };
        lock(&self.queue).waiting.push_back(entry);
    }

    /// Adds a refusal behind the replies that its link waits for. Until it is sent the link has something unacknowledged,
    /// so that the next one is queued, too.
    pub(crate) fn push_refusal(&self, link: &Arc<Link>, refusal: &[u8]) {
        link.awaits_reply(refusal.len());
        let mut queue = lock(&self.queue);
        // It waits for nothing itself, but the queue must stay in journal order.
        let durable_at = queue.waiting.back().map_or(Lsn(0), |last| last.durable_at);
        queue.waiting.push_back(Waiting {
            durable_at,
            link: Arc::clone(link),
            replies: Replies::new(refusal),
            confirmed: Box::default(),
            raw_bytes: refusal.len(),
            received: None,
        });
        drop(queue);
        self.bell.notify_one();
    }

    /// Reads waiting for their acknowledgement.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.queue).waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Sends replies, and tells `office` the answers to commands, as the durable mark advances.
#[derive(Debug)]
pub struct Replier {
    acks: AckQueue,
    counters: Arc<Counters>,
    office: PostOffice,
    runtime: Handle,
}

impl Replier {
    /// Of the queue `acks`; `runtime` is the one that has the links.
    #[must_use]
    pub fn new(acks: AckQueue, counters: Arc<Counters>, office: PostOffice, runtime: Handle) -> Arc<Self> {
        Arc::new(Self { acks, counters, office, runtime })
    }

    /// Has `journal` say how far it is durable, as long as this is there.
    pub fn listen(self: &Arc<Self>, journal: &Journal) {
        let replier = Arc::downgrade(self);
        journal.on_durable(move |mark| {
            if let Some(replier) = replier.upgrade() {
                replier.durable(mark);
            }
        });
    }

    /// Everything before `mark` is durable. A few replies are sent at once, on the calling thread.
    pub(super) fn durable(&self, mark: Lsn) {
        let mut ready = Vec::new();
        let turn = {
            let mut queue = lock(&self.acks.queue);
            queue.durable = queue.durable.max(mark);
            queue.take_turn(FEW_MAX, &mut ready)
        };
        match turn {
            Turn::Nothing | Turn::Busy => {}
            Turn::TooMuch => self.acks.bell.notify_one(),
            Turn::Yours => {
                // A socket that does not take it all needs a task.
                let _inside = self.runtime.enter();
                ready.into_iter().for_each(|waiting| self.send(&waiting));
                self.end_turn();
            }
        }
    }

    /// Sends what is left to the task, until `stop`; then what is durable by that time.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ready = Vec::new();
        loop {
            let is_stopping = tokio::select! {
                () = self.acks.bell.notified() => false,
                () = stop.cancelled() => true,
            };
            while self.next_turn(&mut ready).await {
                for (sent, waiting) in ready.drain(..).enumerate() {
                    self.send(&waiting);
                    if sent % YIELD_EVERY == YIELD_EVERY - 1 {
                        tokio::task::yield_now().await;
                    }
                }
                self.end_turn();
            }
            if is_stopping {
                return;
            }
        }
    }

    /// Waits for the turn; `false` when there is nothing to send.
    async fn next_turn(&self, ready: &mut Vec<Waiting>) -> bool {
        loop {
            let turn = {
                let mut queue = lock(&self.acks.queue);
                let turn = queue.take_turn(usize::MAX, ready);
                queue.is_awaited = turn == Turn::Busy;
                turn
            };
            match turn {
                Turn::Yours => return true,
                Turn::Nothing | Turn::TooMuch => return false,
                Turn::Busy => self.acks.bell.notified().await,
            }
        }
    }

    fn end_turn(&self) {
        if lock(&self.acks.queue).end_turn() {
            self.acks.bell.notify_one();
        }
    }

    fn send(&self, waiting: &Waiting) {
        if let Some(received) = waiting.received {
            self.counters.ack_latency.record(received.elapsed());
        }
        waiting.link.send(waiting.replies.as_slice());
        waiting.link.acknowledged(waiting.raw_bytes);
        waiting.link.letters.answered(&waiting.confirmed, &self.office);
    }
}

#[cfg(test)]
mod tests;
