//! Which protocol a link speaks, told from its first bytes.
//!
//! `23 23`, `24 24` and `(` each begin several protocols, so the first bytes alone decide nothing: a protocol is
//! chosen when a whole frame of it has passed every check, or when no other is left that the bytes could be.
//! Until then nothing is answered and nothing is stored. Where two protocols both accept the frame the link is
//! refused: such a port must be pinned to one of them.
//!
//! What no protocol could begin is passed over, up to the next place where one could. Strangers must not make that
//! expensive: few places are tried, each with the bytes right behind it, and a link is closed when
//! [`UNRECOGNISED_BYTES_MAX`] bytes of it were of no protocol.

use std::sync::OnceLock;

use crate::command::{Command, CommandError, CommandKey};
use crate::framed::{Fit, Transport};
use crate::{
    Gate, Outbox, Protocol, RejectReason, Rejected, Session, SessionError, SessionLimits, TerminalId,
    UtcMillis,
};

/// So many bytes are held at most while nobody knows what they are.
pub const UNRECOGNISED_BYTES_MAX: usize = 16 << 10;

/// So many places behind strange bytes are tried in one piece of input.
const OFFSETS_MAX: usize = 256;
/// So many bytes behind such a place are looked at to tell whether anything could begin there.
const WINDOW_BYTES: usize = 2 << 10;

/// What the first bytes of a link are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recognition {
    /// More bytes are needed.
    Undecided,
    /// This protocol.
    Of(Protocol),
    /// Two protocols accept the same frame: the first two of them.
    Ambiguous(Protocol, Protocol),
    /// None.
    Stranger,
}

/// Tells which of `candidates` the first bytes of a link are of.
#[must_use]
pub fn recognise(candidates: &[Protocol], transport: Transport, input: &[u8]) -> Recognition {
    #[cfg(test)]
    tests::looked_at(candidates.len() * input.len());
    let mut whole = Vec::new();
    let mut broken = Vec::new();
    let mut is_open = false;
    for protocol in candidates.iter().copied() {
        match protocol.fit(transport, input) {
            Fit::Whole => whole.push(protocol),
            Fit::Broken => broken.push(protocol),
            Fit::Perhaps => is_open = true,
            Fit::No => {}
        }
    }
    match (whole.as_slice(), broken.as_slice()) {
        ([one], _) => Recognition::Of(*one),
        ([one, other, ..], _) => Recognition::Ambiguous(*one, *other),
        // A frame with a wrong checksum that can be nothing else: its own session refuses or forgives it.
        ([], [one]) if !is_open => Recognition::Of(*one),
        _ if is_open => Recognition::Undecided,
        _ => Recognition::Stranger,
    }
}

/// A session that becomes that of the protocol which the link turns out to speak.
#[derive(Debug)]
pub struct Recogniser {
    candidates: &'static [Protocol],
    transport: Transport,
    limits: SessionLimits,
    inner: Option<Box<dyn Session>>,
    rejects_in_a_row: u32,
    /// Bytes that were of no protocol.
    strange_bytes: usize,
}

impl Recogniser {
    /// A link that may speak any of `candidates`. A single one is spoken from the first byte on.
    #[must_use]
    pub fn new(candidates: &'static [Protocol], transport: Transport, limits: SessionLimits) -> Self {
        let inner = match candidates {
            [one] => Some(one.session(transport, limits)),
            _ => None,
        };
        Self { candidates, transport, limits, inner, rejects_in_a_row: 0, strange_bytes: 0 }
    }

    /// Finds the protocol; answers how many bytes in front were of none.
    fn recognise(&mut self, input: &[u8], out: &mut Outbox) -> Result<usize, SessionError> {
        let mut at = 0;
        let mut offsets_left = OFFSETS_MAX;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            match recognise(self.candidates, self.transport, rest) {
                Recognition::Undecided if rest.len() < UNRECOGNISED_BYTES_MAX => break,
                Recognition::Of(protocol) => {
                    self.inner = Some(protocol.session(self.transport, self.limits));
                    break;
                }
                Recognition::Ambiguous(..) => {
                    out.rejected.push(Rejected { reason: RejectReason::Ambiguous, at, bytes: rest.len() });
                    return Err(SessionError::NotAdmitted);
                }
                // So much that begins like a frame and never ends.
                Recognition::Undecided => {
                    self.reject(at, rest.len(), out)?;
                    at = input.len();
                }
                Recognition::Stranger => {
                    let bytes = self.strange_bytes_in(rest, &mut offsets_left);
                    self.reject(at, bytes, out)?;
                    at += bytes;
                }
            }
        }
        Ok(at)
    }

    /// How many bytes in front are of no protocol: up to where one could begin, or all of them when too many places
    /// had to be tried.
    fn strange_bytes_in(&self, input: &[u8], offsets_left: &mut usize) -> usize {
        let beginnings = beginnings(self.transport);
        let candidates = self.candidates.iter().fold(0, |bits, protocol| bits | bit_of(*protocol));
        let could_begin =
            |byte: u8| beginnings.get(usize::from(byte)).is_some_and(|bits| bits & candidates != 0);
        for (at, _) in input.iter().enumerate().skip(1).filter(|(_, byte)| could_begin(**byte)) {
            if *offsets_left == 0 {
                break;
            }
            *offsets_left -= 1;
            let window = input.get(at..).map(|rest| rest.get(..WINDOW_BYTES).unwrap_or(rest));
            let found = window.map(|window| recognise(self.candidates, self.transport, window));
            if found.is_some_and(|found| found != Recognition::Stranger) {
                return at;
            }
        }
        input.len()
    }

    fn reject(&mut self, at: usize, bytes: usize, out: &mut Outbox) -> Result<(), SessionError> {
        out.rejected.push(Rejected { reason: RejectReason::Garbage, at, bytes });
        self.rejects_in_a_row += 1;
        self.strange_bytes = self.strange_bytes.saturating_add(bytes);
        if self.rejects_in_a_row > self.limits.rejects_in_a_row_max {
            return Err(SessionError::TooManyRejects);
        }
        if self.strange_bytes >= UNRECOGNISED_BYTES_MAX {
            return Err(SessionError::Unreadable);
        }
        Ok(())
    }
}

/// For each byte the protocols of which a link may begin with it, one bit for each.
fn beginnings(transport: Transport) -> &'static [u64; 256] {
    static STREAM: OnceLock<[u64; 256]> = OnceLock::new();
    static DATAGRAM: OnceLock<[u64; 256]> = OnceLock::new();
    let known = match transport {
        Transport::Stream => &STREAM,
        Transport::Datagram => &DATAGRAM,
    };
    known.get_or_init(|| {
        let mut found = [0; 256];
        for (bits, byte) in found.iter_mut().zip(0..=u8::MAX) {
            let fitting = Protocol::ALL.iter().filter(|protocol| protocol.fit(transport, &[byte]) != Fit::No);
            *bits = fitting.fold(0, |bits, protocol| bits | bit_of(*protocol));
        }
        found
    })
}

/// The bit of a protocol: its number, which is below 64 for all.
fn bit_of(protocol: Protocol) -> u64 {
    1_u64.checked_shl(u32::from(protocol.number())).unwrap_or(0)
}

impl Session for Recogniser {
    /// The protocol that was recognised; before that the first candidate, which nothing is stored under.
    fn protocol(&self) -> Protocol {
        match &self.inner {
            Some(session) => session.protocol(),
            None => self.candidates.first().copied().unwrap_or(Protocol::Jt808),
        }
    }

    fn receive(
        &mut self,
        now: UtcMillis,
        input: &[u8],
        gate: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Result<usize, SessionError> {
        if let Some(session) = &mut self.inner {
            return session.receive(now, input, gate, out);
        }
        let strange = self.recognise(input, out)?;
        match (&mut self.inner, input.get(strange..)) {
            (Some(session), Some(rest)) => {
                let places = out.rejected.len();
                let done = session.receive(now, rest, gate, out);
                for rejected in out.rejected.iter_mut().skip(places) {
                    rejected.at += strange;
                }
                done.map(|done| strange + done)
            }
            _ => Ok(strange),
        }
    }

    fn frame_bytes_max(&self) -> usize {
        self.inner.as_ref().map_or(UNRECOGNISED_BYTES_MAX, |session| session.frame_bytes_max())
    }

    fn next_timeout(&self) -> Option<UtcMillis> {
        self.inner.as_ref().and_then(|session| session.next_timeout())
    }

    fn handle_timeout(&mut self, now: UtcMillis, out: &mut Outbox) {
        if let Some(session) = &mut self.inner {
            session.handle_timeout(now, out);
        }
    }

    fn terminal(&self) -> Option<TerminalId> {
        self.inner.as_ref().and_then(|session| session.terminal())
    }

    fn held_bytes(&self) -> usize {
        self.inner.as_ref().map_or(0, |session| session.held_bytes())
    }

    fn send(&mut self, terminal: &TerminalId, message_id: u16, body: &[u8], out: &mut Outbox) -> Option<u16> {
        self.inner.as_mut()?.send(terminal, message_id, body, out)
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        out: &mut Outbox,
    ) -> Result<CommandKey, CommandError> {
        match &mut self.inner {
            Some(session) => session.command(terminal, command, out),
            None => Err(CommandError::NotHere),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::OpenGate;

    thread_local! {
        /// Bytes that were shown to a protocol, and how often any were, on this thread.
        static LOOKS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }

    pub(super) fn looked_at(bytes: usize) {
        LOOKS.with(|looks| {
            let (sum, times) = looks.get();
            looks.set((sum + bytes, times + 1));
        });
    }

    /// What a link says to one piece of input, and what it looked at: bytes and times.
    fn heard(transport: Transport, input: &[u8]) -> (Outbox, Result<usize, SessionError>, (usize, usize)) {
        let mut link = Recogniser::new(Protocol::ALL, transport, SessionLimits::default());
        let mut out = Outbox::default();
        LOOKS.with(|looks| looks.set((0, 0)));
        let done = link.receive(UtcMillis(0), input, &mut OpenGate::default(), &mut out);
        (out, done, LOOKS.with(Cell::get))
    }

    #[test]
    fn a_stranger_costs_little_whatever_he_repeats() {
        const BYTES: usize = 64 << 10;
        let repeated: [&[u8]; 9] =
            [b"\x01", b"(", b"$$", b"##", b"\x7e", b"\x7e\x01", b"A", b"\x00\x01", b"#1$(A\x7e"];
        for pattern in repeated {
            let input: Vec<u8> = pattern.iter().copied().cycle().take(BYTES).collect();
            for transport in [Transport::Stream, Transport::Datagram] {
                let (out, done, (bytes, times)) = heard(transport, &input);
                assert!(times <= 2 * OFFSETS_MAX + 1, "{pattern:?}: looked {times} times");
                let all_at_once = Protocol::ALL.len() * BYTES;
                assert!(bytes <= 12 * all_at_once, "{pattern:?}: looked at {bytes} bytes");
                assert!(done.is_err() || !out.messages.is_empty() || *pattern != b"\x01"[..], "{done:?}");
            }
        }
    }

    #[test]
    fn sixteen_kibibytes_of_nothing_end_a_link_however_they_arrive() {
        let mut link = Recogniser::new(Protocol::ALL, Transport::Stream, SessionLimits::default());
        let (mut out, mut gate) = (Outbox::default(), OpenGate::default());
        for sent in 1..=UNRECOGNISED_BYTES_MAX / 512 {
            let done = link.receive(UtcMillis(0), &[1; 512], &mut gate, &mut out);
            let wanted =
                if sent * 512 < UNRECOGNISED_BYTES_MAX { Ok(512) } else { Err(SessionError::Unreadable) };
            assert_eq!(done, wanted, "after {sent} pieces");
        }
    }

    #[test]
    fn a_frame_behind_noise_is_found() {
        let input = [&[1; 200][..], b"*HQ,7000000001,HTBT#"].concat();
        let (out, done, _) = heard(Transport::Stream, &input);
        assert_eq!((out.messages.len(), done), (1, Ok(input.len())));
        let [Rejected { reason: RejectReason::Garbage, at: 0, bytes: 200 }] = out.rejected[..] else {
            panic!("{:?}", out.rejected);
        };
    }

    #[test]
    fn every_protocol_has_a_bit_of_its_own() {
        let bits = Protocol::ALL.iter().fold(0, |bits, protocol| bits | bit_of(*protocol));
        assert_eq!(bits.count_ones() as usize, Protocol::ALL.len());
    }

    #[test]
    fn a_datagram_of_wialon_may_begin_with_any_name() {
        let (out, done, _) = heard(Transport::Datagram, b"\xfe\xfe2.0;7001#P#\r\n");
        assert_eq!((out.messages.len(), done.is_ok()), (1, true));
    }
}
