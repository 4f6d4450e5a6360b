//! One link of JT/T 808: log-in, answers, packets, refusals.
//!
//! ```text
//! 0x0100 register ---> gate ---> 0x8100 result 0 and a code, or result 1 to 4
//! 0x0102 log in   ---> gate ---> 0x8001 result 0, and the terminal is admitted on this link, or result 1
//! anything else, not admitted -> gate without a code (profiles that skip authentication), else result 1
//! anything else, admitted ------> stored, and answered as `ids` says
//! ```
//!
//! - A registration does not admit: the terminal must log in with its code, on every new link.
//! - An answer that promises storage goes to [`Outbox::replies`], a refusal or a request to
//!   [`Outbox::immediate`]. When the gate says `Unavailable` there is no answer at all: the terminal keeps the
//!   message and sends it again.
//! - A message in packets is stored and answered once, as a whole, with the serial of its first packet: that is
//!   the number by which the standard names such a message (0x8003, 0x0005).
//! - A message whose body breaks its structure is stored and answered with 2, one that is not supported is
//!   stored and answered with 3; both count as accepted. So is a message under a cipher: it is not supported,
//!   and whatever it may be (even a log-in or a log-out) is not acted upon. Strangers' are refused unanswered.
//! - A message that says it is packet 1 of 1 is a plain one.
//! - 0x0004 is answered with 0x8004 in UTC, as the standard says (some terminals expect GMT+8: a matter for a
//!   profile).
//! - Answers are written in the shape of the terminal's own header (version byte, width and bytes of its id);
//!   our serials count from 0 on every link.
//! - Frames with a wrong check byte, escape or length get no answer: nobody knows whose they are. Under a
//!   profile that is lenient about the one fault they have they are accepted and counted. A stranger whose check byte
//!   is wrong is looked up once, as the first thing on a link, and never registered.
//! - The version is recognised by bit 14 of the properties in every frame.
//!
//! Not spoken: the dialects with delimiter `e7` or ASCII time requests, and ciphers.

mod admission;

use std::sync::Arc;

use crate::command::{Command, CommandError, CommandKey, Confirmed};
use crate::jt808::bcd;
use crate::jt808::command::message_of;
use crate::jt808::downlink::Downlink;
use crate::jt808::frame::{
    self, BODY_BYTES_MAX, Content, FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX, Piece, Splitter, Wire,
};
use crate::jt808::header::{Frame, HEADER_BYTES_MAX, IdBytes, Packet, Version};
use crate::jt808::ids::{self, Answer};
use crate::jt808::message::{Edition, EncodeError, Message};
use crate::jt808::observe::{decode_message, is_well_formed};
use crate::jt808::outstanding::Outstanding;
use crate::jt808::reassembly::{DoneAnswer, Reassembly, SentMessages, Step};
use crate::jt808::registration::edition_of;
use crate::jt808::short;
use crate::{
    Accepted, Gate, Outbox, Profile, Protocol, RejectReason, Rejected, Session, SessionError, SessionLimits,
    TerminalId, UtcMillis,
};

/// Payloads up to this size are unescaped on the stack without clearing a kilobyte first.
const SMALL_PAYLOAD_BYTES: usize = 160;
/// Packets asked for in one 0x8003; a byte counts them before 2019.
const REQUESTED_PACKETS_MAX: usize = 255;

/// Results of 0x8001.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const BAD_MESSAGE: u8 = 2;
const UNSUPPORTED: u8 = 3;

/// The state of one link.
#[derive(Debug)]
pub struct Jt808Session {
    limits: SessionLimits,
    splitter: Splitter,
    /// Who is admitted on this link.
    terminals: Vec<Terminal>,
    /// The one that spoke last.
    current: usize,
    last_logged_in: Option<TerminalId>,
    /// Our own frames.
    ours: Downlink,
    rejects_in_a_row: u32,
    reassembly: Reassembly,
    sent: SentMessages,
    outstanding: Outstanding,
}

/// A terminal admitted on the link.
#[derive(Debug)]
struct Terminal {
    id: IdBytes,
    device: u32,
    profile: Arc<Profile>,
}

/// What the frames of one call share.
struct Call<'a> {
    now: UtcMillis,
    gate: &'a mut dyn Gate,
    out: &'a mut Outbox,
}

impl Jt808Session {
    /// A session at the beginning of a link.
    #[must_use]
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            splitter: Splitter::new(),
            terminals: Vec::new(),
            current: 0,
            last_logged_in: None,
            ours: Downlink::default(),
            rejects_in_a_row: 0,
            reassembly: Reassembly::default(),
            sent: SentMessages::default(),
            outstanding: Outstanding::default(),
        }
    }

    #[inline]
    fn content(
        &mut self,
        content: Content<'_>,
        input: &[u8],
        call: &mut Call<'_>,
    ) -> Result<(), RejectReason> {
        let wire = Wire { input, at: content.at, end: content.at + content.bytes.len() };
        if content.escaped {
            self.escaped(content.bytes, wire, call)
        } else {
            self.payload(content.bytes, wire, call)
        }
    }

    #[inline(never)]
    fn escaped(&mut self, content: &[u8], wire: Wire<'_>, call: &mut Call<'_>) -> Result<(), RejectReason> {
        let result = if content.len() <= SMALL_PAYLOAD_BYTES {
            let mut space = [0; SMALL_PAYLOAD_BYTES];
            frame::unescape(content, &mut space).map(|payload| self.payload(payload, wire, call))
        } else {
            let mut space = [0; PAYLOAD_BYTES_MAX];
            frame::unescape(content, &mut space).map(|payload| self.payload(payload, wire, call))
        };
        result.unwrap_or_else(|reason| self.check_not_escaped(content, reason, wire, call))
    }

    /// A frame that would be one if its check byte were escaped.
    #[cold]
    fn check_not_escaped(
        &mut self,
        content: &[u8],
        reason: RejectReason,
        wire: Wire<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), RejectReason> {
        let repaired = frame::with_check_escaped(content).ok_or(reason)?;
        let mut space = [0; PAYLOAD_BYTES_MAX];
        let payload = frame::unescape(&repaired, &mut space)?;
        self.uncommon(&Frame::parse(payload)?, Some(reason), wire, call)
    }

    /// A frame whose body is not as long as it says.
    #[cold]
    fn wrong_length(
        &mut self,
        payload: &[u8],
        reason: RejectReason,
        wire: Wire<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), RejectReason> {
        // With a wrong check byte as well it may be the ends of two frames.
        if !frame::check_is_right(payload) {
            return Err(reason);
        }
        self.uncommon(&Frame::parse_unstated(payload)?, Some(reason), wire, call)
    }

    #[inline]
    fn payload(&mut self, payload: &[u8], wire: Wire<'_>, call: &mut Call<'_>) -> Result<(), RejectReason> {
        let frame = match Frame::parse(payload) {
            Ok(frame) => frame,
            Err(reason) => return self.wrong_length(payload, reason, wire, call),
        };
        let check_is_right = frame::check_is_right(payload);
        // Nearly every frame is the next whole message of the terminal that spoke last.
        if let Some(terminal) = self.terminals.get(self.current)
            && terminal.id == frame.id
            && check_is_right
            && frame.is_whole()
        {
            let device = terminal.device;
            if ids::answer_to(frame.message_id) == Answer::General {
                wire.copy_to(&mut call.out.raw);
                call.out.messages.push(Accepted { end: end_of(&call.out.raw), device });
                let well_formed = is_well_formed(frame.message_id, frame.id.version, frame.body);
                let result = if well_formed { DONE } else { BAD_MESSAGE };
                self.ours.answer(&frame.id, frame.serial, frame.message_id, result, &mut call.out.replies);
                return Ok(());
            }
        }
        self.uncommon(&frame, (!check_is_right).then_some(RejectReason::Checksum), wire, call)
    }

    /// Frames of strangers, of other terminals, in packets, with a fault that a profile may forgive, or with an answer
    /// of their own.
    #[inline(never)]
    fn uncommon(
        &mut self,
        frame: &Frame<'_>,
        fault: Option<RejectReason>,
        wire: Wire<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), RejectReason> {
        if let Some(fault) = fault {
            self.forgive(frame, fault, call)?;
        }
        let known = self.find(&frame.id);
        let is_encrypted = frame.encryption() != 0;
        if is_encrypted && known.is_none() {
            return Err(RejectReason::Encrypted);
        }
        if !is_encrypted && frame.packet.is_none_or(|packet| packet == Packet { total: 1, index: 1 }) {
            match ids::answer_to(frame.message_id) {
                Answer::Registration => return self.register(frame, known, wire, call),
                Answer::LogIn => return self.log_in(frame, wire, call),
                _ => {}
            }
        }
        let at = match known {
            Some(at) => at,
            None => self.admit_without_code(frame, call)?,
        };
        self.current = at;
        let device = self.terminals.get(at).map_or(0, |terminal| terminal.device);
        match frame.packet {
            Some(packet) if packet.total != 1 => self.packet(frame, device, wire, call),
            Some(Packet { index, .. }) if index != 1 => Err(RejectReason::Packet),
            _ => {
                wire.copy_to(&mut call.out.raw);
                call.out.messages.push(Accepted { end: end_of(&call.out.raw), device });
                self.answer_accepted(frame, frame.serial, frame.body, call);
                self.confirm(frame, frame.body, device, call.out);
                Ok(())
            }
        }
    }

    /// One packet of a message of an admitted terminal.
    fn packet(
        &mut self,
        frame: &Frame<'_>,
        device: u32,
        wire: Wire<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), RejectReason> {
        let mut raw = Vec::with_capacity(frame.body.len() + HEADER_BYTES_MAX + 3);
        wire.copy_to(&mut raw);
        let (step, given_up) = self.reassembly.add(call.now, frame, &raw, &self.limits)?;
        if let Some(given_up) = given_up {
            call.out.rejected.push(Rejected { reason: given_up.reason, at: wire.at, bytes: given_up.bytes });
        }
        match step {
            Step::Held => call.out.held_packets += 1,
            Step::Duplicate => {}
            Step::AnswerAgain(answer) => self.answer_whole(frame, answer, call),
            Step::Whole(whole) => {
                call.out.raw.extend_from_slice(&whole);
                call.out.messages.push(Accepted { end: end_of(&call.out.raw), device });
                // Every frame in it passed its checks, some perhaps leniently.
                let lenient = Profile { lenient_checksum: true, lenient_length: true, ..Profile::default() };
                let body = decode_message(&whole, &lenient).map(|(_, body)| body).unwrap_or_default();
                let answer = self.answer_accepted(frame, frame.first_serial(), &body, call);
                self.reassembly.answered(answer);
                self.confirm(frame, &body, device, call.out);
            }
        }
        Ok(())
    }

    /// Answers an accepted message and says how, for the case that it must be answered again.
    fn answer_accepted(
        &mut self,
        frame: &Frame<'_>,
        serial: u16,
        body: &[u8],
        call: &mut Call<'_>,
    ) -> DoneAnswer {
        let well_formed = match frame.has_byte_serial {
            true => body.len() >= short::FIXED_BYTES,
            false => is_well_formed(frame.message_id, frame.id.version, body),
        };
        let mut done = DoneAnswer {
            result: if well_formed { DONE } else { BAD_MESSAGE },
            media_id: body.first_chunk().copied().unwrap_or_default(),
        };
        let replies = &mut call.out.replies;
        if frame.has_byte_serial {
            Downlink::answer_short(&frame.id, serial, frame.message_id, done.result, replies);
            return done;
        }
        if frame.encryption() != 0 {
            done.result = UNSUPPORTED;
            self.ours.answer(&frame.id, serial, frame.message_id, done.result, replies);
            return done;
        }
        match ids::answer_to(frame.message_id) {
            Answer::Nothing => {}
            Answer::Packets if well_formed => self.send_again(frame, body, &mut call.out.immediate),
            Answer::Time => {
                let time = bcd::encode_time(call.now, 0);
                self.ours.write(&frame.id, ids::SERVER_TIME, &time, replies);
            }
            // Only the media id: all packets arrived.
            Answer::Media if well_formed => {
                self.ours.write(&frame.id, ids::MEDIA_ANSWER, &done.media_id, replies);
            }
            Answer::LogOut => {
                self.ours.answer(&frame.id, serial, frame.message_id, done.result, replies);
                self.forget(&frame.id);
            }
            Answer::General | Answer::Media | Answer::Packets => {
                self.ours.answer(&frame.id, serial, frame.message_id, done.result, replies);
            }
            // A registration or a log-in in packets is in no edition.
            Answer::Unsupported | Answer::Registration | Answer::LogIn => {
                done.result = UNSUPPORTED;
                self.ours.answer(&frame.id, serial, frame.message_id, done.result, replies);
            }
        }
        done
    }

    /// Says which command of ours an accepted message answers.
    fn confirm(&mut self, frame: &Frame<'_>, body: &[u8], device: u32, out: &mut Outbox) {
        if frame.encryption() == 0
            && let Some((key, result)) = self.outstanding.answered(&frame.id, frame.message_id, body)
        {
            out.confirmed.push(Confirmed { device, key, result });
        }
    }

    /// Answers a message in packets again, as it was answered before.
    fn answer_whole(&mut self, frame: &Frame<'_>, answer: DoneAnswer, call: &mut Call<'_>) {
        let replies = &mut call.out.replies;
        match ids::answer_to(frame.message_id) {
            Answer::Media if answer.result == DONE => {
                self.ours.write(&frame.id, ids::MEDIA_ANSWER, &answer.media_id, replies);
            }
            Answer::Nothing | Answer::Packets | Answer::Time if answer.result == DONE => {}
            _ => self.ours.answer(&frame.id, frame.first_serial(), frame.message_id, answer.result, replies),
        }
    }

    /// Sends the packets again that the terminal asks for.
    fn send_again(&self, frame: &Frame<'_>, body: &[u8], out: &mut Vec<u8>) {
        let edition = edition_of(frame.message_id, frame.id.version, body);
        if let Ok(Message::TerminalRetransmissionRequest(request)) =
            Message::decode(frame.message_id, edition, body)
        {
            self.sent.resend(&frame.id, request.first_serial, request.packets.into_iter(), out);
        }
    }

    /// Counts a refusal.
    #[cold]
    fn refuse(&mut self, rejected: Rejected, out: &mut Outbox) -> Result<(), SessionError> {
        out.rejected.push(rejected);
        // That the server can't store is no fault of the terminal.
        if rejected.reason != RejectReason::Unavailable {
            self.rejects_in_a_row = self.rejects_in_a_row.saturating_add(1);
        }
        if self.rejects_in_a_row > self.limits.rejects_in_a_row_max {
            return Err(SessionError::TooManyRejects);
        }
        Ok(())
    }
}

impl Session for Jt808Session {
    fn protocol(&self) -> Protocol {
        Protocol::Jt808
    }

    fn receive(
        &mut self,
        now: UtcMillis,
        input: &[u8],
        gate: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Result<usize, SessionError> {
        let mut call = Call { now, gate, out };
        let mut at = 0;
        loop {
            let rejected = match self.splitter.next(input, &mut at) {
                None => return Ok(at),
                Some(Piece::Frame(content)) => match self.content(content, input, &mut call) {
                    Ok(()) => {
                        self.rejects_in_a_row = 0;
                        continue;
                    }
                    Err(reason) => Rejected {
                        reason,
                        at: content.at.saturating_sub(1),
                        bytes: at - content.at.saturating_sub(1),
                    },
                },
                Some(Piece::Refused { reason, at, bytes }) => Rejected { reason, at, bytes },
            };
            self.refuse(rejected, call.out)?;
        }
    }

    fn frame_bytes_max(&self) -> usize {
        FRAME_BYTES_MAX
    }

    fn next_timeout(&self) -> Option<UtcMillis> {
        self.reassembly.next_timeout()
    }

    fn handle_timeout(&mut self, now: UtcMillis, out: &mut Outbox) {
        let (requests, given_up) = self.reassembly.due(now, &self.limits);
        for request in requests {
            let count = request.missing.len().min(REQUESTED_PACKETS_MAX);
            let mut body = request.first_serial.to_be_bytes().to_vec();
            let counted = u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
            body.extend_from_slice(if request.id.version == Version::V2013 {
                &counted[1..]
            } else {
                &counted
            });
            for index in request.missing.iter().take(count) {
                body.extend_from_slice(&index.to_be_bytes());
            }
            self.ours.write(&request.id, ids::RESEND_PACKETS, &body, &mut out.immediate);
        }
        for given_up in given_up {
            out.rejected.push(Rejected { reason: given_up.reason, at: 0, bytes: given_up.bytes });
        }
    }

    fn terminal(&self) -> Option<TerminalId> {
        self.last_logged_in
    }

    fn dismiss(&mut self, device: u32) {
        while let Some(gone) = self.terminals.iter().find(|terminal| terminal.device == device) {
            let id = gone.id;
            self.forget(&id);
        }
    }

    fn held_bytes(&self) -> usize {
        self.reassembly.memory_bytes()
    }

    fn send(&mut self, terminal: &TerminalId, message_id: u16, body: &[u8], out: &mut Outbox) -> Option<u16> {
        let id = self.admitted(terminal)?.id;
        let total = u16::try_from(body.len().div_ceil(BODY_BYTES_MAX)).ok()?;
        if total <= 1 {
            return Some(self.ours.write(&id, message_id, body, &mut out.immediate));
        }
        let start = out.immediate.len();
        let mut ends = Vec::with_capacity(usize::from(total));
        let first_serial = self.ours.next_serial();
        for (index, part) in (1..=total).zip(body.chunks(BODY_BYTES_MAX)) {
            self.ours.write_packet(&id, message_id, Packet { total, index }, part, &mut out.immediate);
            ends.push(out.immediate.len() - start);
        }
        let frames = out.immediate.get(start..).unwrap_or(&[]);
        self.sent.keep(id, first_serial, frames, ends, &self.limits);
        Some(first_serial)
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        out: &mut Outbox,
    ) -> Result<CommandKey, CommandError> {
        let Terminal { id, profile, .. } = self.admitted(terminal).ok_or(CommandError::NotHere)?;
        let (id, edition) = (*id, Edition::of(id.version));
        let message = message_of(command, edition, profile)?;
        let mut body = Vec::new();
        message.encode(edition, &mut body).map_err(unwritable)?;
        let serial = self.send(terminal, message.id(), &body, out).ok_or(CommandError::NotHere)?;
        let packets = u16::try_from(body.len().div_ceil(BODY_BYTES_MAX)).unwrap_or(u16::MAX);
        Ok(self.outstanding.remember(id, message.id(), serial, packets))
    }
}

/// Why a command has no body.
const fn unwritable(error: EncodeError) -> CommandError {
    match error {
        EncodeError::TooLong { limit } => CommandError::TooLong { limit },
        EncodeError::Missing => CommandError::Invalid("a part of it is missing"),
    }
}

/// The end of the message that was just appended.
#[inline]
fn end_of(raw: &[u8]) -> u32 {
    u32::try_from(raw.len()).unwrap_or(u32::MAX)
}
