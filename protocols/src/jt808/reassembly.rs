//! Messages in several packets: putting the terminal's together, keeping ours for when one got lost.
//!
//! The packets of one message carry consecutive serials, so `serial - index + 1` is the serial of the first
//! one, and (terminal, message id, that serial) names the message. Packets may come in any order and more than
//! once. A message whose packets stop coming is asked for with 0x8003 a few times and then given up.
//!
//! A message that is whole is remembered for a while by the hashes of its packets: a packet that was sent again
//! because our answer was slow must not begin a new message that can never become whole.
//!
//! Everything is bounded by [`SessionLimits`]; nothing here reads a clock or writes a frame.

use std::collections::VecDeque;

use crate::jt808::header::{Frame, IdBytes};
use crate::{RejectReason, SessionLimits, UtcMillis};

/// Whole messages that are remembered by their hashes.
const DONE_MAX: usize = 2;

/// What names a message in packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    id: IdBytes,
    message_id: u16,
    first_serial: u16,
    total: u16,
}

/// A message that misses packets.
#[derive(Debug)]
struct Partial {
    key: Key,
    /// For each packet, where its frame lies in `bytes`.
    parts: Vec<Option<(usize, usize)>>,
    bytes: Vec<u8>,
    missing: u16,
    due: UtcMillis,
    requests: u8,
}

/// A message that became whole.
#[derive(Debug)]
struct Done {
    key: Key,
    hashes: Vec<u64>,
    answer: DoneAnswer,
}

/// What the answer to a whole message is made of, in case it must be given again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DoneAnswer {
    /// Result of the general answer.
    pub(crate) result: u8,
    /// First four bytes of the body: the media id of 0x0801.
    pub(crate) media_id: [u8; 4],
}

/// What became of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Kept; the message is not whole yet.
    Held,
    /// Known already: nothing to do.
    Duplicate,
    /// The last packet of a message that was answered already: give this answer again.
    AnswerAgain(DoneAnswer),
    /// The message is whole: its frames in index order.
    Whole(Vec<u8>),
}

/// A message that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    /// Abandoned or Limit.
    pub(crate) reason: RejectReason,
    /// Bytes that were held.
    pub(crate) bytes: usize,
}

/// What a terminal is to be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The terminal.
    pub(crate) id: IdBytes,
    /// Serial of the message's first packet.
    pub(crate) first_serial: u16,
    /// Indexes of the missing packets, lowest first.
    pub(crate) missing: Vec<u16>,
}

/// The unfinished messages of one link.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    partials: Vec<Partial>,
    held_bytes: usize,
    done: VecDeque<Done>,
}

impl Reassembly {
    /// Memory that unfinished messages take: their packets and the tables of their places.
    pub(crate) fn memory_bytes(&self) -> usize {
        let of = |partial: &Partial| partial.bytes.len() + size_of_val(partial.parts.as_slice());
        self.partials.iter().map(of).sum()
    }

    /// Takes one packet: its parsed frame and its bytes with both delimiters.
    ///
    /// The second value is a message that had to make room.
    pub(crate) fn add(
        &mut self,
        now: UtcMillis,
        frame: &Frame<'_>,
        raw: &[u8],
        limits: &SessionLimits,
    ) -> Result<(Step, Option<GivenUp>), RejectReason> {
        let packet = frame.packet.ok_or(RejectReason::Packet)?;
        if packet.index == 0 || packet.index > packet.total || packet.total > limits.packets_max {
            return Err(RejectReason::Packet);
        }
        let key = Key {
            id: frame.id,
            message_id: frame.message_id,
            first_serial: frame.first_serial(),
            total: packet.total,
        };
        let slot = usize::from(packet.index - 1);
        let known = self.partials.iter().position(|partial| partial.key == key);
        if known.is_none()
            && let Some(step) = self.done_before(&key, slot, raw)
        {
            return Ok((step, None));
        }
        if known.is_some_and(|at| self.is_there(at, slot)) {
            return Ok((Step::Duplicate, None));
        }
        if self.held_bytes + raw.len() > limits.partial_bytes_max {
            if let Some(at) = known {
                self.give_up(at);
            }
            return Err(RejectReason::Limit);
        }
        let mut given_up = None;
        let at = match known {
            Some(at) => at,
            None => {
                given_up = self.make_room(&key, limits);
                self.partials.push(Partial {
                    key,
                    parts: vec![None; usize::from(packet.total)],
                    bytes: Vec::new(),
                    missing: packet.total,
                    due: now,
                    requests: 0,
                });
                self.partials.len() - 1
            }
        };
        Ok((self.put(at, slot, raw, UtcMillis(now.0.saturating_add(limits.packet_wait_ms))), given_up))
    }

    fn is_there(&self, at: usize, slot: usize) -> bool {
        self.partials.get(at).and_then(|partial| partial.parts.get(slot)).is_some_and(Option::is_some)
    }

    fn put(&mut self, at: usize, slot: usize, raw: &[u8], due: UtcMillis) -> Step {
        let Some(partial) = self.partials.get_mut(at) else { return Step::Duplicate };
        let start = partial.bytes.len();
        partial.bytes.extend_from_slice(raw);
        self.held_bytes += raw.len();
        if let Some(part) = partial.parts.get_mut(slot) {
            *part = Some((start, partial.bytes.len()));
        }
        partial.missing -= 1;
        partial.due = due;
        partial.requests = 0;
        if partial.missing > 0 {
            return Step::Held;
        }
        let partial = self.partials.swap_remove(at);
        self.held_bytes -= partial.bytes.len();
        let mut whole = Vec::with_capacity(partial.bytes.len());
        let mut hashes = Vec::with_capacity(partial.parts.len());
        for (start, end) in partial.parts.into_iter().flatten() {
            let part = partial.bytes.get(start..end).unwrap_or(&[]);
            hashes.push(hash(part));
            whole.extend_from_slice(part);
        }
        if self.done.len() == DONE_MAX {
            self.done.pop_front();
        }
        self.done.push_back(Done { key: partial.key, hashes, answer: DoneAnswer::default() });
        Step::Whole(whole)
    }

    /// Remembers how the message that became whole last was answered.
    pub(crate) fn answered(&mut self, answer: DoneAnswer) {
        if let Some(done) = self.done.back_mut() {
            done.answer = answer;
        }
    }

    /// Whether the packet belongs to a message that became whole; one with other bytes begins a new message,
    /// because serials come round again.
    fn done_before(&mut self, key: &Key, slot: usize, raw: &[u8]) -> Option<Step> {
        let at = self.done.iter().position(|done| done.key == *key)?;
        let done = self.done.get(at)?;
        if done.hashes.get(slot) != Some(&hash(raw)) {
            self.done.remove(at);
            return None;
        }
        let is_last = slot + 1 == done.hashes.len();
        Some(if is_last { Step::AnswerAgain(done.answer) } else { Step::Duplicate })
    }

    /// Makes room for a message: an older one under the same serial goes, then the one that has waited longest.
    fn make_room(&mut self, key: &Key, limits: &SessionLimits) -> Option<GivenUp> {
        let same = self.partials.iter().position(|partial| Key { total: key.total, ..partial.key } == *key);
        if let Some(at) = same {
            return Some(GivenUp { reason: RejectReason::Abandoned, bytes: self.give_up(at) });
        }
        if self.partials.len() < limits.partial_messages_max.max(1) {
            return None;
        }
        let (at, _) = self.partials.iter().enumerate().min_by_key(|(_, partial)| partial.due)?;
        Some(GivenUp { reason: RejectReason::Limit, bytes: self.give_up(at) })
    }

    fn give_up(&mut self, at: usize) -> usize {
        let partial = self.partials.swap_remove(at);
        self.held_bytes -= partial.bytes.len();
        partial.bytes.len()
    }

    /// When [`Reassembly::due`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<UtcMillis> {
        self.partials.iter().map(|partial| partial.due).min()
    }

    /// What is due at `now`: requests for missing packets, and messages given up.
    pub(crate) fn due(&mut self, now: UtcMillis, limits: &SessionLimits) -> (Vec<Request>, Vec<GivenUp>) {
        let (mut requests, mut given_up) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(partial) = self.partials.get_mut(at) {
            if partial.due > now {
                at += 1;
            } else if partial.requests >= limits.packet_requests_max {
                given_up.push(GivenUp { reason: RejectReason::Abandoned, bytes: self.give_up(at) });
            } else {
                partial.requests += 1;
                partial.due = UtcMillis(now.0.saturating_add(limits.packet_wait_ms.max(1)));
                let missing = (1_u16..).zip(&partial.parts).filter(|(_, part)| part.is_none());
                requests.push(Request {
                    id: partial.key.id,
                    first_serial: partial.key.first_serial,
                    missing: missing.map(|(index, _)| index).collect(),
                });
                at += 1;
            }
        }
        (requests, given_up)
    }
}

/// FNV-1a: to tell a repeated packet from a new one of the same terminal, not against an attacker.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The messages we sent in several packets, for a terminal that misses some.
#[derive(Debug, Default)]
pub(crate) struct SentMessages {
    messages: VecDeque<Sent>,
    bytes: usize,
}

#[derive(Debug)]
struct Sent {
    id: IdBytes,
    first_serial: u16,
    frames: Vec<u8>,
    /// Where each packet's frame ends in `frames`.
    ends: Vec<usize>,
}

impl SentMessages {
    /// Keeps a message; the oldest go when there are too many.
    pub(crate) fn keep(
        &mut self,
        id: IdBytes,
        first_serial: u16,
        frames: &[u8],
        ends: Vec<usize>,
        limits: &SessionLimits,
    ) {
        if frames.len() > limits.partial_bytes_max {
            return;
        }
        while self.messages.len() >= limits.partial_messages_max.max(1)
            || self.bytes + frames.len() > limits.partial_bytes_max
        {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.bytes -= oldest.frames.len();
        }
        self.bytes += frames.len();
        self.messages.push_back(Sent { id, first_serial, frames: frames.to_vec(), ends });
    }

    /// Appends the frames with these indexes of the message that began with `first_serial`; how many there were.
    pub(crate) fn resend(
        &self,
        id: &IdBytes,
        first_serial: u16,
        indexes: impl Iterator<Item = u16>,
        out: &mut Vec<u8>,
    ) -> usize {
        let wanted = |sent: &&Sent| sent.id == *id && sent.first_serial == first_serial;
        let Some(sent) = self.messages.iter().rev().find(wanted) else { return 0 };
        let mut frames = 0;
        // A request holds a few hundred indexes at most and may repeat them; the answer must not grow beyond
        // the message.
        for index in indexes.take(sent.ends.len()) {
            let Some(slot) = usize::from(index).checked_sub(1) else { continue };
            let start = slot.checked_sub(1).map_or(Some(0), |before| sent.ends.get(before).copied());
            let range = start.zip(sent.ends.get(slot).copied());
            if let Some(frame) = range.and_then(|(start, end)| sent.frames.get(start..end)) {
                out.extend_from_slice(frame);
                frames += 1;
            }
        }
        frames
    }
}
