//! One link: read, run the session, append, stop reading when too much is unacknowledged.
//!
//! The read buffer and the outbox belong to the thread, not to the link: a link that is idle holds nothing but
//! the beginning of a frame, and a link with a backlog reads up to `read_buffer_max` at once. Between taking
//! the thread's buffers and giving them back there is no `.await`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use motorpool_protocols::{Outbox, RejectReason, Session, UtcMillis};
use tokio::io::{AsyncRead, ReadBuf};

use crate::ids::DeviceId;
use crate::journal::{AppendError, Batch};
use crate::telemetry::logging::masked_ip;

use super::acks::Pending;
use super::connection::{CloseReason, Link};
use super::gate::LinkGate;
use super::listener::Context as SourceContext;
use super::socket::ReadHalf;

/// Raw bytes of one record; the rest of a longer read goes into records behind it. Leaves room in the journal's
/// longest record for the table of lengths.
const RECORD_RAW_BYTES_MAX: u32 = (crate::journal::RECORD_BYTES_MAX / 2) as u32;

/// The longest beginning of a frame on a link on which nobody has logged in. What a log-in comes in is shorter in every
/// protocol, and it is what may be held before it is known what is spoken.
const STRANGER_PARTIAL_BYTES_MAX: usize = motorpool_protocols::recognise::UNRECOGNISED_BYTES_MAX;

/// What a thread lends to the link it is serving.
struct Scratch {
    buffer: Vec<u8>,
    outbox: Outbox,
    ends: Vec<u32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        const { RefCell::new(Scratch { buffer: Vec::new(), outbox: new_outbox(), ends: Vec::new() }) };
}

const fn new_outbox() -> Outbox {
    Outbox {
        raw: Vec::new(),
        messages: Vec::new(),
        replies: Vec::new(),
        immediate: Vec::new(),
        rejected: Vec::new(),
        logged_in: Vec::new(),
        lenient_frames: 0,
        held_packets: 0,
        confirmed: Vec::new(),
    }
}

/// What to do after a read.
enum Next {
    /// Read again when there is something.
    Read,
    /// The buffer was filled: let other links have a turn, then read again.
    Yield,
    /// The journal's queue is full: append the rest of this when there is room.
    Retry(Box<Outbox>, Progress),
    /// The link is over.
    Close,
}

/// How far an outbox has been appended.
#[derive(Clone, Copy, Default)]
struct Progress {
    messages: usize,
    raw_bytes: u32,
}

/// Serves one link until it ends. Never returns an error: a broken link is an ordinary end.
pub(crate) async fn serve(
    mut socket: ReadHalf,
    link: Arc<Link>,
    mut session: Box<dyn Session>,
    context: Arc<SourceContext>,
) {
    let ending = Ending::new(Arc::clone(&link), Arc::clone(&context));
    let mut partial = Vec::new();
    loop {
        let next = next_read(&mut socket, &link, session.as_mut(), &mut partial, &context).await;
        match next {
            Next::Read => {}
            Next::Yield => tokio::task::yield_now().await,
            Next::Retry(outbox, progress) => {
                if append_when_room(&outbox, progress, &link, &context).await.is_err() {
                    link.close(CloseReason::Unavailable);
                    break;
                }
            }
            Next::Close => break,
        }
        session.stored();
        wait_for_replies(&link, &context).await;
    }
    drop(ending);
}

/// A link that is being served. Dropped, it is over: it is taken out of every table, also when its session panicked.
#[derive(Debug)]
pub(super) struct Ending {
    link: Arc<Link>,
    context: Arc<SourceContext>,
}

impl Ending {
    pub(super) const fn new(link: Arc<Link>, context: Arc<SourceContext>) -> Self {
        Self { link, context }
    }

    /// The link it is about.
    pub(super) const fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Self { link, context } = self;
        link.letters.close(&context.post);
        context.held_bytes.fetch_sub(link.held_bytes(0), Ordering::Relaxed);
        for device in context.links.ended(link) {
            context.live.link_closed(device, link.id);
        }
    }
}

/// Stops reading while too much of this link is unacknowledged.
async fn wait_for_replies(link: &Link, context: &SourceContext) {
    let is_too_much = || link.unacked_bytes() > context.config.unacked_bytes_per_link_max.0;
    if !is_too_much() {
        return;
    }
    link.pause(true);
    while is_too_much() && !link.is_closing() {
        context.counters.backpressure_waits.fetch_add(1, Ordering::Relaxed);
        link.news().await;
    }
    link.pause(false);
}

/// Waits for input and handles one read of it; meanwhile does what the session's own timers ask for.
async fn next_read(
    socket: &mut ReadHalf,
    link: &Arc<Link>,
    session: &mut dyn Session,
    partial: &mut Vec<u8>,
    context: &SourceContext,
) -> Next {
    loop {
        if link.letters.has_letters() {
            link.send(&link.letters.deliver(session, &context.post));
        }
        let wait = session.next_timeout().map(|deadline| {
            let ms = deadline.0.saturating_sub(context.clock.now().0);
            Duration::from_millis(u64::try_from(ms).unwrap_or(0))
        });
        tokio::select! {
            // Input first: nothing else costs anything while a terminal talks.
            biased;
            next = poll_fn(|task| read_once(task, socket, link, session, partial, context)) => return next,
            () = link.letters.bell() => {}
            () = async { tokio::time::sleep(wait.unwrap_or_default()).await }, if wait.is_some() => {
                let mut outbox = new_outbox();
                session.handle_timeout(context.clock.now(), &mut outbox);
                settle_refusals(&outbox, session.answers_in_order(), link, context);
            }
        }
    }
}

/// One read and everything that follows from it, without waiting for anything.
fn read_once(
    task: &mut Context<'_>,
    socket: &mut ReadHalf,
    link: &Arc<Link>,
    session: &mut dyn Session,
    partial: &mut Vec<u8>,
    context: &SourceContext,
) -> Poll<Next> {
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch { buffer, outbox, ends } = scratch;
        let capacity = context.config.read_buffer_max.0.max(2 * session.frame_bytes_max());
        buffer.resize(capacity, 0);
        let Some((pending, free)) = buffer.split_at_mut_checked(partial.len()) else {
            return Poll::Ready(Next::Close);
        };
        pending.copy_from_slice(partial);
        let mut read = ReadBuf::new(free);
        let count = match Pin::new(socket).poll_read(task, &mut read) {
            Poll::Ready(Ok(())) => read.filled().len(),
            Poll::Ready(Err(_)) => return Poll::Ready(Next::Close),
            Poll::Pending => return Poll::Pending,
        };
        if count == 0 {
            return Poll::Ready(Next::Close);
        }
        let received = Instant::now();
        let filled = partial.len() + count;
        let is_full = filled == capacity;
        context.counters.bytes_received.fetch_add(count as u64, Ordering::Relaxed);

        let input = buffer.get(..filled).unwrap_or(&[]);
        let digested = digest(input, link, session, outbox, ends, context, received);
        let rest = input.get(digested.done..).unwrap_or(&[]);
        keep_rest(partial, rest);
        link.read(digested.done > 0, !partial.is_empty());
        if digested.is_over {
            return Poll::Ready(Next::Close);
        }
        let is_strange = !link.is_logged_in() && partial.len() > STRANGER_PARTIAL_BYTES_MAX;
        if is_strange || !hold(session.held_bytes() + partial.capacity(), link, context) {
            link.close(CloseReason::PacketsHeld);
            return Poll::Ready(Next::Close);
        }
        Poll::Ready(match digested.appended {
            Err(AppendError::Full) => {
                Next::Retry(Box::new(std::mem::replace(outbox, new_outbox())), digested.progress)
            }
            // The session believes that it has answered: what it remembers of the messages must go with the link.
            Err(_) => {
                link.close(CloseReason::Unavailable);
                Next::Close
            }
            Ok(()) if is_full => Next::Yield,
            Ok(()) => Next::Read,
        })
    })
}

/// What became of some input.
struct Digested {
    /// How many bytes the session is done with.
    done: usize,
    /// Whether the session wants no more.
    is_over: bool,
    appended: Result<(), AppendError>,
    progress: Progress,
}

/// Runs the session over `input`, sends the refusals, and appends what was accepted.
fn digest(
    input: &[u8],
    link: &Arc<Link>,
    session: &mut dyn Session,
    outbox: &mut Outbox,
    ends: &mut Vec<u32>,
    context: &SourceContext,
    received: Instant,
) -> Digested {
    let now = context.clock.now();
    outbox.clear();
    for device in link.take_dismissed() {
        session.dismiss(device.0);
    }
    let outcome = session.receive(now, input, &mut LinkGate::new(link, context, now), outbox);
    if !outbox.messages.is_empty() || !outbox.logged_in.is_empty() {
        link.speaks(session.protocol());
    }
    settle_refusals(outbox, session.answers_in_order(), link, context);
    note_logins(outbox, link, context, now);
    let mut progress = Progress::default();
    let appended = append(outbox, &mut progress, ends, link, context, now, received);
    if let Err(error) = &outcome {
        tracing::debug!(link = link.id.0, %error, "session ended");
        if appended == Err(AppendError::Full) {
            left_unstored(outbox, &progress, context);
        }
        link.close(CloseReason::Misbehaved);
    }
    Digested {
        done: *outcome.as_ref().unwrap_or(&input.len()),
        is_over: outcome.is_err(),
        appended,
        progress,
    }
}

/// Counts what an outbox holds and nobody will store.
fn left_unstored(outbox: &Outbox, progress: &Progress, context: &SourceContext) {
    let left = outbox.messages.len() - progress.messages;
    context.counters.rejected(RejectReason::Unavailable, left as u64);
}

/// Handles one datagram of a sender. What it leaves unfinished is dropped: a datagram holds whole frames. `false`
/// when the sender's session is over.
pub(super) fn datagram(
    input: &[u8],
    link: &Arc<Link>,
    session: &mut dyn Session,
    context: &SourceContext,
) -> bool {
    let received = Instant::now();
    context.counters.bytes_received.fetch_add(input.len() as u64, Ordering::Relaxed);
    SCRATCH.with_borrow_mut(|Scratch { outbox, ends, .. }| {
        let digested = digest(input, link, session, outbox, ends, context, received);
        link.read(true, false);
        if digested.done < input.len() && !digested.is_over {
            context.counters.rejected(RejectReason::Truncated, 1);
            context.counters.messages_received.fetch_add(1, Ordering::Relaxed);
        }
        if digested.appended == Err(AppendError::Full) && !digested.is_over {
            // There is nobody to wait for: no answer, and the terminal sends it again.
            left_unstored(outbox, &digested.progress, context);
        }
        // A sender of datagrams can be reached when it has just been heard: the way back is open then.
        if link.letters.has_letters() {
            link.send(&link.letters.deliver(session, &context.post));
        }
        !digested.is_over && digested.appended.is_ok() && hold(session.held_bytes(), link, context)
    })
}

/// Keeps the beginning of a frame, and gives memory back when there is none.
fn keep_rest(partial: &mut Vec<u8>, rest: &[u8]) {
    if rest.is_empty() {
        if partial.capacity() > 0 {
            *partial = Vec::new();
        }
        return;
    }
    partial.clear();
    partial.extend_from_slice(rest);
}

/// Sends the replies that promise nothing, where answers go in order behind those that still wait, and counts what was
/// refused.
fn settle_refusals(outbox: &Outbox, in_order: bool, link: &Arc<Link>, context: &SourceContext) {
    if in_order && link.unacked_bytes() > 0 && !outbox.immediate.is_empty() {
        context.acks.push_refusal(link, &outbox.immediate);
    } else {
        link.send(&outbox.immediate);
    }
    for rejected in &outbox.rejected {
        context.counters.rejected(rejected.reason, 1);
    }
    let received = outbox.messages.len() + outbox.rejected.len();
    context.counters.messages_received.fetch_add(received as u64, Ordering::Relaxed);
    if outbox.lenient_frames > 0 {
        context.counters.lenient_frames.fetch_add(u64::from(outbox.lenient_frames), Ordering::Relaxed);
    }
}

/// Enters every terminal that was admitted into the table of links.
fn note_logins(outbox: &Outbox, link: &Arc<Link>, context: &SourceContext, now: UtcMillis) {
    for &device in &outbox.logged_in {
        let device = DeviceId(device);
        let Some(links) = context.enter(link, device, now) else { continue };
        if links > 1 {
            tracing::warn!(device = device.0, peer = %masked_ip(link.peer.ip()), links, "a terminal has several links");
            context.counters.second_links.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Keeps the memory that unfinished messages of all links take, `now` of it this link's, within its bound. Whether this link
/// may go on.
fn hold(now: usize, link: &Link, context: &SourceContext) -> bool {
    let before = link.held_bytes(now);
    if now == before {
        return true;
    }
    let all = if now > before {
        context.held_bytes.fetch_add(now - before, Ordering::Relaxed) + now - before
    } else {
        context.held_bytes.fetch_sub(before - now, Ordering::Relaxed);
        0
    };
    all <= context.sessions.partial_bytes_total_max.0
}

/// Appends the outbox from `progress` on, one record for each run of messages of one device, and queues the
/// replies behind the last of them.
fn append(
    outbox: &Outbox,
    progress: &mut Progress,
    ends: &mut Vec<u32>,
    link: &Arc<Link>,
    context: &SourceContext,
    now: UtcMillis,
    received: Instant,
) -> Result<(), AppendError> {
    if outbox.messages.is_empty() {
        answer_again(outbox, link, context);
    }
    while let Some(rest) = outbox.messages.get(progress.messages..).filter(|rest| !rest.is_empty()) {
        let device = rest.first().map_or(0, |message| message.device);
        let fits = |end: u32| end - progress.raw_bytes <= RECORD_RAW_BYTES_MAX;
        let of_run = rest.iter().take_while(|message| message.device == device && fits(message.end));
        // A message that is too long for any record is tried alone, and refused by the journal.
        let run = of_run.count().max(1);
        ends.clear();
        ends.extend(rest.iter().take(run).map(|message| message.end - progress.raw_bytes));
        let raw_end = progress.raw_bytes + ends.last().copied().unwrap_or(0);
        // Nothing is accepted before it is known what is spoken.
        let Some(protocol) = link.protocol() else { break };
        let batch = Batch {
            device: DeviceId(device),
            link: link.id,
            protocol,
            received_at: now,
            ends,
            raw: outbox.raw.get(progress.raw_bytes as usize..raw_end as usize).unwrap_or(&[]),
        };
        let is_last = run == rest.len();
        let appended = context.journal.append_with(&batch, |end| {
            link.appended(end);
            if is_last {
                link.awaits_reply(outbox.raw.len());
                let (replies, confirmed) = (&outbox.replies, &outbox.confirmed);
                let pending = Pending { replies, confirmed, raw_bytes: outbox.raw.len(), received };
                context.acks.push(end, link, pending);
            }
        });
        if let Err(error) = appended {
            if error != AppendError::Full {
                // No reply at all: the terminal keeps the messages and sends them again.
                context.counters.rejected(RejectReason::Unavailable, rest.len() as u64);
            }
            return Err(error);
        }
        context.counters.messages_journaled.fetch_add(run as u64, Ordering::Relaxed);
        progress.messages += run;
        progress.raw_bytes = raw_end;
    }
    Ok(())
}

/// Sends replies that repeat earlier ones, for packets that came again. While the message they answer is not
/// durable its first reply is still queued, and says the same.
fn answer_again(outbox: &Outbox, link: &Arc<Link>, context: &SourceContext) {
    if link.last_appended() <= context.journal.durable() {
        link.send(&outbox.replies);
    }
}

/// Appends the rest of an outbox that found the journal's queue full, as soon as there is room.
async fn append_when_room(
    outbox: &Outbox,
    mut progress: Progress,
    link: &Arc<Link>,
    context: &SourceContext,
) -> Result<(), AppendError> {
    let mut ends = Vec::new();
    let waiting = &context.counters.messages_waiting;
    loop {
        // Received, but neither journaled nor refused yet: the self-check needs to know.
        let left = (outbox.messages.len() - progress.messages) as u64;
        waiting.fetch_add(left, Ordering::Relaxed);
        context.counters.backpressure_waits.fetch_add(1, Ordering::Relaxed);
        let has_room = wait_for_room(link, context).await;
        waiting.fetch_sub(left, Ordering::Relaxed);
        if !has_room {
            context.counters.rejected(RejectReason::Unavailable, left);
            return Err(AppendError::Full);
        }
        match append(outbox, &mut progress, &mut ends, link, context, context.clock.now(), Instant::now()) {
            Err(AppendError::Full) => {}
            other => return other,
        }
    }
}

/// Waits until the journal has room; `false` when the link is being closed meanwhile.
async fn wait_for_room(link: &Link, context: &SourceContext) -> bool {
    link.pause(true);
    let closing = async {
        while !link.is_closing() {
            link.news().await;
        }
    };
    let has_room = tokio::select! {
        () = context.journal.wait_space() => true,
        () = closing => false,
    };
    link.pause(false);
    has_room
}

#[cfg(test)]
mod tests;
