//! Replies that wait for the durable mark.
//!
//! Entries are pushed under the journal's append lock, so the queue is in journal order and a group commit
//! releases a prefix of it. One task pops that prefix and writes straight to the sockets: waking a task per
//! link and frame would cost more than the write itself. What a socket does not take at once goes to the
//! link's own backlog (`Link::send`).
//!
//! What terminals answered to commands waits here as well: it is believed when the message that says so is durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use motorpool_protocols::command::Confirmed;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::ids::Lsn;
use crate::telemetry::Counters;

use super::connection::Link;
use super::lock;
use super::post::PostOffice;

/// Bytes of a reply that need no allocation: one 0x8001 of either header width, with room for escapes.
const INLINE_BYTES: usize = 38;

/// Replies released in one go before other tasks of the thread get their turn.
const YIELD_EVERY: usize = 256;

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

/// The queue. Cloned freely; there is one per journal.
#[derive(Clone, Debug, Default)]
pub struct AckQueue {
    waiting: Arc<Mutex<VecDeque<Waiting>>>,
    /// Rung when something is added that need not become durable.
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
        lock(&self.waiting).push_back(entry);
    }

    /// Adds a refusal behind the replies that its link waits for. Until it is sent the link has something unacknowledged,
    /// so that the next one is queued, too.
    pub(crate) fn push_refusal(&self, link: &Arc<Link>, refusal: &[u8]) {
        link.awaits_reply(refusal.len());
        let mut waiting = lock(&self.waiting);
        // It waits for nothing itself, but the queue must stay in journal order.
        let durable_at = waiting.back().map_or(Lsn(0), |last| last.durable_at);
        waiting.push_back(Waiting {
            durable_at,
            link: Arc::clone(link),
            replies: Replies::new(refusal),
            confirmed: Box::default(),
            raw_bytes: refusal.len(),
            received: None,
        });
        drop(waiting);
        self.bell.notify_one();
    }

    /// Reads waiting for their acknowledgement.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends replies and tells the answers to commands as the durable mark advances, until `stop`; then what is durable
    /// by that time.
    pub async fn run(
        self,
        mut durable: watch::Receiver<Lsn>,
        counters: Arc<Counters>,
        office: PostOffice,
        stop: CancellationToken,
    ) {
        let mut ready = Vec::new();
        loop {
            let stopping = tokio::select! {
                changed = durable.changed() => changed.is_err(),
                () = self.bell.notified() => false,
                () = stop.cancelled() => true,
            };
            let mark = *durable.borrow_and_update();
            self.take_durable(mark, &mut ready);
            for (sent, waiting) in ready.drain(..).enumerate() {
                if let Some(received) = waiting.received {
                    counters.ack_latency.record(received.elapsed());
                }
                waiting.link.send(waiting.replies.as_slice());
                waiting.link.acknowledged(waiting.raw_bytes);
                waiting.link.letters.answered(&waiting.confirmed, &office);
                if sent % YIELD_EVERY == YIELD_EVERY - 1 {
                    tokio::task::yield_now().await;
                }
            }
            if stopping {
                return;
            }
        }
    }

    fn take_durable(&self, mark: Lsn, ready: &mut Vec<Waiting>) {
        let mut waiting = lock(&self.waiting);
        let durable = waiting.partition_point(|entry| entry.durable_at <= mark);
        ready.extend(waiting.drain(..durable));
    }
}
