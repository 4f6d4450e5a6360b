//! One link of an Eelink terminal: who it is, and what is answered.

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::eelink::frame::{self, ENVELOPE, FRAME_BYTES_MAX, Frame, PACKAGE, Package};
use crate::framed::{Cut, Dialect, Heard, Verdict};
use crate::sent::{Sent, Words, result_in_words};
use crate::{Command, Profile, Protocol, RejectReason, TerminalId, UtcMillis};

/// The type of a log-in.
pub const LOG_IN: u8 = 0x01;
/// The type of a message to the terminal and of what answers it.
pub const COMMAND: u8 = 0x80;
/// Types without an answer: positions of version 1, what answers a command, transparent data.
const UNANSWERED: [u8; 3] = [0x02, COMMAND, 0x81];
/// The longest text of a command.
pub const COMMAND_BYTES_MAX: usize = 1 << 10;

/// What terminals are told in text. Behind the interval stands how many positions come together.
const WORDS: Words = Words {
    ask_position: Some("WHERE#"),
    attributes: Some("VERSION#"),
    interval: Some(("TIMER,", ",1#", 1..=u16::MAX)),
};

/// The dialect of Eelink.
#[derive(Clone, Debug, Default)]
pub struct Eelink {
    /// Whether the terminal sends envelopes.
    has_envelopes: bool,
    /// Commands that were sent, by their numbers.
    sent: Sent<u16>,
}

impl Dialect for Eelink {
    const PROTOCOL: Protocol = Protocol::Eelink;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let garbage = |reason| {
            let next = memchr::memchr2(PACKAGE[0], ENVELOPE[0], input.get(1..).unwrap_or(&[]));
            Cut::Garbage(next.map_or(input.len(), |at| at + 1), reason)
        };
        let length = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]));
        let whole = match input {
            [b'g', b'g', _, high, low, ..] => 5 + length(*high, *low).max(2),
            [b'E', b'L', high, low, ..] => 4 + length(*high, *low).max(10),
            [b'g' | b'E'] | [b'g', b'g', ..] | [b'E', b'L', ..] => return Cut::Incomplete,
            _ => return garbage(RejectReason::Garbage),
        };
        match whole {
            whole if whole > FRAME_BYTES_MAX => garbage(RejectReason::TooLong),
            whole if whole <= input.len() => Cut::Frame(whole),
            _ => Cut::Incomplete,
        }
    }

    fn hear(&self, raw: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(raw)?;
        let log_in = frame.packages().find(|package| package.kind == LOG_IN);
        let named = log_in.and_then(|package| package.content.first_chunk().copied());
        match (log_in, frame.terminal, named.and_then(frame::terminal_of)) {
            (Some(_), Some(terminal), _) | (Some(_), None, Some(terminal)) => {
                Ok(Heard::log_in(terminal).checked(frame.check_is_right))
            }
            (Some(_), None, None) => Err(RejectReason::Malformed),
            (None, terminal, _) => Ok(Heard::report(terminal).checked(frame.check_is_right)),
        }
    }

    fn answer(&mut self, now: UtcMillis, raw: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        // A terminal that may not come in hears nothing: the protocol has no word for it.
        let (Verdict::Accepted, Ok(frame)) = (verdict, Frame::parse(raw)) else { return };
        self.sent.logged_in(heard);
        self.has_envelopes = frame.terminal.is_some();
        let mut answers = Vec::new();
        for package in frame.packages().filter(|package| !UNANSWERED.contains(&package.kind)) {
            answer_package(now, &package, &mut answers);
        }
        match frame.terminal {
            _ if answers.is_empty() => {}
            None => out.extend_from_slice(&answers),
            // Answers are as short as their packages at most, but for a log-in: they fit.
            Some(terminal) => drop(frame::encode_envelope(&terminal, &answers, out)),
        }
    }

    /// Message 0x80 with the text of a command. What answers it repeats the number in its content.
    fn send(
        &mut self,
        terminal: &TerminalId,
        message_id: u16,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<u16> {
        if message_id != u16::from(COMMAND) || body.is_empty() || body.len() > COMMAND_BYTES_MAX {
            return None;
        }
        let serial = self.sent.next_serial();
        // 1: a command; then its number, four bytes.
        let content = [&[1, 0, 0][..], &serial.to_be_bytes(), body].concat();
        let mut package = Vec::new();
        frame::encode_package(COMMAND, serial, &content, &mut package);
        if !self.has_envelopes {
            out.extend_from_slice(&package);
            return Some(serial);
        }
        frame::encode_envelope(terminal, &package, out).then_some(serial)
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let text = WORDS.of(command)?;
        let too_long = CommandError::TooLong { limit: COMMAND_BYTES_MAX };
        let serial = self.send(terminal, COMMAND.into(), text.as_bytes(), out).ok_or(too_long)?;
        Ok(self.sent.remember(terminal, serial))
    }

    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        let frame = Frame::parse(raw).ok()?;
        // 1: what answers a command; then its number, and the text.
        let (number, text) = frame.packages().find_map(|package| match package.content {
            [1, rest @ ..] if package.kind == COMMAND => rest.split_first_chunk::<4>(),
            _ => None,
        })?;
        let key = self.sent.answered(heard, |serial| u32::from(*serial) == u32::from_be_bytes(*number))?;
        Some((key, result_in_words(text)))
    }
}

fn answer_package(now: UtcMillis, package: &Package<'_>, out: &mut Vec<u8>) {
    if package.kind != LOG_IN {
        frame::encode_package(package.kind, package.serial, &[], out);
        return;
    }
    let seconds = u32::try_from(now.0.div_euclid(1_000)).unwrap_or(0);
    // The time of day, version 1, nothing to do.
    let content = [&seconds.to_be_bytes()[..], &[0, 1, 0]].concat();
    frame::encode_package(LOG_IN, package.serial, &content, out);
}
