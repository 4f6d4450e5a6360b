//! One link: read, run the session, append, stop reading when too much is unacknowledged.
//!
//! An idle link holds no buffer: what is read goes through one of the thread's, and only an incomplete packet is kept.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use motorpool_protocols::{RejectReason, UtcMillis};
use tokio::io::{AsyncRead, ReadBuf};

use super::listener::Context;
use super::refusal::Refusal;
use super::session::{End, Outbox, Session};
use crate::journal::{AppendError, Batch};
use crate::sources::acks::Pending;
use crate::sources::connection::{CloseReason, Link};
use crate::sources::socket::ReadHalf;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// How long a device may take to read why its link ends, and how much it may still say meanwhile.
const GOODBYE_MAX: Duration = Duration::from_secs(1);
const GOODBYE_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Serves one link until it ends. Never returns an error: a broken link is an ordinary end.
pub(super) async fn serve(
    mut socket: ReadHalf,
    link: Arc<Link>,
    context: Arc<Context>,
    certified: Option<String>,
) {
    let ending = Ending { link: Arc::clone(&link), context: Arc::clone(&context) };
    let mut session = Session::new(Arc::clone(&link), Arc::clone(&context), certified);
    let ended = exchange(&mut socket, &link, &mut session, &context).await;
    if let Some(refusal) = ended {
        context.refusals.count(refusal);
        // Nothing may follow a DISCONNECT (MQTT-3.14.4-1), so what was accepted is acknowledged before.
        if tokio::time::timeout(GOODBYE_MAX, all_answered(&link)).await.is_ok() {
            link.send(&session.goodbye(refusal));
            linger(&mut socket).await;
        }
        let reason =
            if refusal == Refusal::Unavailable { CloseReason::Unavailable } else { CloseReason::Misbehaved };
        link.close(reason);
    }
    drop(ending);
}

/// A link that is being served. Dropped, it is over: it is taken out of every table, also when its task panicked.
#[derive(Debug)]
struct Ending {
    link: Arc<Link>,
    context: Arc<Context>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Self { link, context } = self;
        let sources = &context.sources;
        link.letters.close(&sources.post);
        for device in sources.links.ended(link) {
            context.downlinks.leave(device, link.id);
            sources.live.link_closed(device, link.id);
        }
    }
}

/// Reads and answers until the device leaves; the reason when it is turned out.
async fn exchange(
    socket: &mut ReadHalf,
    link: &Arc<Link>,
    session: &mut Session,
    context: &Context,
) -> Option<Refusal> {
    let mut input = BytesMut::new();
    loop {
        let count = tokio::select! {
            // Input first: nothing else costs anything while a device talks.
            biased;
            count = poll_fn(|task| read_some(task, socket, &mut input)) => count,
            () = link.letters.bell() => {
                link.letters.deliver_by(&context.sources.post, |letter| session.command(letter));
                continue;
            }
        };
        if count == 0 {
            return None;
        }
        let received = Instant::now();
        let sources = &context.sources;
        sources.counters.bytes_received.fetch_add(count as u64, Ordering::Relaxed);
        let now = sources.clock.now();
        let mut out = Outbox::default();
        session.has_too_much_open(sources.journal.durable());
        let outcome = session.receive(&mut input, now, &mut out);
        // What is left must not hold on to the buffer of all that was read.
        input = BytesMut::from(input.as_ref());
        link.read(out.has_packet, !input.is_empty());
        link.send(&out.immediate);
        if settle(&out, link, session, context, now, received).await.is_err() {
            return Some(Refusal::Unavailable);
        }
        match outcome {
            Ok(()) => wait_for_replies(link, session, context).await,
            Err(End::Left) => return None,
            Err(End::Refused(refusal)) => {
                if matches!(refusal, Refusal::Malformed | Refusal::TooLarge) {
                    // A packet that could not even be read is a message of its own in the books.
                    sources.counters.messages_received.fetch_add(1, Ordering::Relaxed);
                    sources.counters.rejected(refusal.reject_reason(), 1);
                }
                return Some(refusal);
            }
        }
        if count == READ_BYTES {
            tokio::task::yield_now().await;
        }
    }
}

/// Reads what there is and adds it to `input`; 0 at the end.
fn read_some(task: &mut TaskContext<'_>, socket: &mut ReadHalf, input: &mut BytesMut) -> Poll<usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.resize(READ_BYTES, 0);
        let mut read = ReadBuf::new(scratch);
        match Pin::new(socket).poll_read(task, &mut read) {
            Poll::Ready(Ok(())) => {
                input.extend_from_slice(read.filled());
                Poll::Ready(read.filled().len())
            }
            Poll::Ready(Err(_)) => Poll::Ready(0),
            Poll::Pending => Poll::Pending,
        }
    })
}

/// Appends what was taken in, with the replies behind the last of it.
async fn settle(
    out: &Outbox,
    link: &Arc<Link>,
    session: &mut Session,
    context: &Context,
    mut now: UtcMillis,
    received: Instant,
) -> Result<(), AppendError> {
    let raw_bytes = out.intake.raw.len();
    let sources = &context.sources;
    if out.intake.messages.is_empty() {
        // A refused command: nothing of it is stored, so there is nothing to wait for.
        link.letters.answered(&out.confirmed, &sources.post);
        send_refusals(out, link).await;
        return Ok(());
    }
    let mut left = out.intake.messages.len() as u64;
    for run in out.intake.runs() {
        loop {
            let batch = Batch {
                device: run.device,
                link: link.id,
                protocol: run.protocol,
                received_at: now,
                ends: &run.ends,
                raw: run.raw,
            };
            let appended = sources.journal.append_with(&batch, |end| {
                link.appended(end);
                if run.is_last {
                    link.awaits_reply(raw_bytes);
                    let (replies, confirmed) = (&out.replies, &out.confirmed);
                    sources.acks.push(end, link, Pending { replies, confirmed, raw_bytes, received });
                }
            });
            match appended {
                Ok(end) => {
                    let count = run.ends.len() as u64;
                    sources.counters.messages_journaled.fetch_add(count, Ordering::Relaxed);
                    left -= count;
                    if run.is_last {
                        session.appended(end, out.acks);
                    }
                    break;
                }
                Err(AppendError::Full) if wait_for_room(link, context, left).await => {
                    now = sources.clock.now();
                }
                Err(error) => {
                    // No reply at all: the device keeps the messages and sends them again.
                    sources.counters.rejected(RejectReason::Unavailable, left);
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// Sends PUBACKs that refuse, behind those that wait for something to become durable.
async fn send_refusals(out: &Outbox, link: &Arc<Link>) {
    if out.replies.is_empty() {
        return;
    }
    all_answered(link).await;
    link.send(&out.replies);
}

/// Waits until every acknowledgement of the link was sent, or the link is being closed.
async fn all_answered(link: &Link) {
    while link.unacked_bytes() > 0 && !link.is_closing() {
        link.news().await;
    }
}

/// Waits until the journal has room; `false` when the link is being closed meanwhile.
async fn wait_for_room(link: &Link, context: &Context, left: u64) -> bool {
    let counters = &context.sources.counters;
    // Received, but neither journaled nor refused yet: the self-check needs to know.
    counters.messages_waiting.fetch_add(left, Ordering::Relaxed);
    counters.backpressure_waits.fetch_add(1, Ordering::Relaxed);
    link.pause(true);
    let closing = async {
        while !link.is_closing() {
            link.news().await;
        }
    };
    let has_room = tokio::select! {
        () = context.sources.journal.wait_space() => true,
        () = closing => false,
    };
    link.pause(false);
    counters.messages_waiting.fetch_sub(left, Ordering::Relaxed);
    has_room
}

/// Stops reading while too much of this link is unacknowledged.
async fn wait_for_replies(link: &Link, session: &mut Session, context: &Context) {
    let sources = &context.sources;
    let bytes_max = sources.config.unacked_bytes_per_link_max.0;
    let mut is_too_much =
        || session.has_too_much_open(sources.journal.durable()) || link.unacked_bytes() > bytes_max;
    if !is_too_much() {
        return;
    }
    link.pause(true);
    while is_too_much() && !link.is_closing() {
        sources.counters.backpressure_waits.fetch_add(1, Ordering::Relaxed);
        link.news().await;
    }
    link.pause(false);
}

/// Reads on for a while and forgets it: a socket closed over unread bytes would take the last word with it.
async fn linger(socket: &mut ReadHalf) {
    let drained = async {
        let mut rest = BytesMut::new();
        let mut sum = 0;
        loop {
            rest.clear();
            let count = poll_fn(|task| read_some(task, socket, &mut rest)).await;
            sum += count;
            if count == 0 || sum > GOODBYE_BYTES_MAX {
                return;
            }
        }
    };
    drop(tokio::time::timeout(GOODBYE_MAX, drained).await);
}
