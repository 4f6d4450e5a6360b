//! Which protocol a link speaks, told from its first bytes.
//!
//! `23 23`, `24 24` and `(` each begin several protocols, so the first bytes alone decide nothing: a protocol is
//! chosen when a whole frame of it has passed every check, or when no other is left that the bytes could be.
//! Until then nothing is answered and nothing is stored. Where two protocols both accept the frame the link is
//! refused: such a port must be pinned to one of them.

use crate::command::{Command, CommandError, CommandKey};
use crate::framed::{Fit, Transport};
use crate::{
    Gate, Outbox, Protocol, RejectReason, Rejected, Session, SessionError, SessionLimits, TerminalId,
    UtcMillis,
};

/// So many bytes are held at most while nobody knows what they are.
pub const UNRECOGNISED_BYTES_MAX: usize = 16 << 10;

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
}

impl Recogniser {
    /// A link that may speak any of `candidates`. A single one is spoken from the first byte on.
    #[must_use]
    pub fn new(candidates: &'static [Protocol], transport: Transport, limits: SessionLimits) -> Self {
        let inner = match candidates {
            [one] => Some(one.session(transport, limits)),
            _ => None,
        };
        Self { candidates, transport, limits, inner, rejects_in_a_row: 0 }
    }

    /// Finds the protocol; answers how many bytes in front were of none.
    fn recognise(&mut self, input: &[u8], out: &mut Outbox) -> Result<usize, SessionError> {
        let mut at = 0;
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
                Recognition::Undecided | Recognition::Stranger => {
                    let bytes = self.strange_bytes(rest);
                    self.reject(at, bytes, out)?;
                    at += bytes;
                }
            }
        }
        Ok(at)
    }

    /// How many bytes in front are of no protocol: up to where one could begin.
    fn strange_bytes(&self, input: &[u8]) -> usize {
        let could_begin = |at: &usize| {
            let rest = input.get(*at..).unwrap_or(&[]);
            self.candidates.iter().any(|protocol| protocol.fit(self.transport, rest) != Fit::No)
        };
        (1..input.len().min(UNRECOGNISED_BYTES_MAX)).find(could_begin).unwrap_or(input.len())
    }

    fn reject(&mut self, at: usize, bytes: usize, out: &mut Outbox) -> Result<(), SessionError> {
        out.rejected.push(Rejected { reason: RejectReason::Garbage, at, bytes });
        self.rejects_in_a_row += 1;
        if self.rejects_in_a_row > self.limits.rejects_in_a_row_max {
            return Err(SessionError::TooManyRejects);
        }
        Ok(())
    }
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

    fn answers_in_order(&self) -> bool {
        self.inner.as_ref().is_some_and(|session| session.answers_in_order())
    }

    fn dismiss(&mut self, device: u32) {
        if let Some(session) = &mut self.inner {
            session.dismiss(device);
        }
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
