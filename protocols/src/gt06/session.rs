//! One link of a terminal of the GT06 family: who it is, and what is answered.

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{Cut, Dialect, Heard, Kind, Verdict};
use crate::gt06::frame::{self, FRAME_BYTES_MAX, Frame, LOG_IN};
use crate::sent::{Sent, Words, result_in_words};
use crate::time::Civil;
use crate::{Command, Profile, Protocol, RejectReason, TerminalId, UtcMillis};

/// The number of a command to the terminal.
pub const COMMAND: u8 = 0x80;
const TIME_REQUEST: u8 = 0x8a;
const ADDRESS_REQUEST: u8 = 0x2a;
const ADDRESS: u8 = 0x97;
/// The protocol's words for "no address is known".
const NO_ADDRESS: &[u8] = b"NA&&NA&&0##";
/// The longest text of a command: its length byte counts four bytes more.
pub const COMMAND_BYTES_MAX: usize = 255 - 4;
/// Heartbeats and state.
const HEARTBEATS: [u8; 3] = [0x13, 0x23, 0x36];
/// Alarms, with and without a position, and geofences.
const ALARMS: [u8; 9] = [0x16, 0x19, 0x26, 0x27, 0x32, 0x95, 0xa3, 0xa4, 0xa5];

/// What the family is told in text. The interval is that of a vehicle with its ignition on.
const WORDS: Words = Words {
    ask_position: Some("WHERE#"),
    attributes: Some("VERSION#"),
    interval: Some(("TIMER,", "#", 5..=18_000)),
};

/// The dialect of the family.
#[derive(Clone, Debug, Default)]
pub struct Gt06 {
    /// Commands that were sent, by their serial numbers.
    sent: Sent<u16>,
}

impl Dialect for Gt06 {
    const PROTOCOL: Protocol = Protocol::Gt06;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let stated = match input {
            [0x78, 0x78, length, ..] => usize::from(*length) + 5,
            [0x79, 0x79, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])) + 6,
            [0x78] | [0x78, 0x78] | [0x79] | [0x79, 0x79] | [0x79, 0x79, _] => return Cut::Incomplete,
            _ => {
                let next = memchr::memchr2(0x78, 0x79, input.get(1..).unwrap_or(&[]));
                return Cut::Garbage(next.map_or(input.len(), |at| at + 1), RejectReason::Garbage);
            }
        };
        if stated > FRAME_BYTES_MAX {
            return Cut::Garbage(1, RejectReason::TooLong);
        }
        frame::end_of(input, stated).map_or(Cut::Incomplete, Cut::Frame)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(frame)?;
        if frame.number != LOG_IN {
            return Ok(Heard::report(None).checked(frame.check_is_right));
        }
        let name = frame.content.first_chunk::<8>().ok_or(RejectReason::Truncated)?;
        let terminal = frame::terminal_of(*name).ok_or(RejectReason::Malformed)?;
        Ok(Heard::log_in(terminal).checked(frame.check_is_right))
    }

    fn answer(&mut self, now: UtcMillis, raw: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        // A terminal that may not come in hears nothing: the protocol has no word for it.
        let (Verdict::Accepted, Ok(frame)) = (verdict, Frame::parse(raw)) else { return };
        self.sent.logged_in(heard);
        let Some(serial) = frame.serial else { return answer_wifi(&frame, out) };
        match frame.number {
            _ if heard.kind == Kind::LogIn => frame::encode_frame(LOG_IN, &[], serial, out),
            0x32 | 0x33 if frame.is_extended => frame::encode_extended(frame.number, &[], serial, out),
            TIME_REQUEST => frame::encode_frame(TIME_REQUEST, &clock(now), serial, out),
            ADDRESS_REQUEST => {
                let mut content = vec![u8::try_from(NO_ADDRESS.len()).unwrap_or(0), 0, 0, 0, 0];
                content.extend_from_slice(NO_ADDRESS);
                frame::encode_extended(ADDRESS, &content, serial, out);
            }
            0x70 if frame.is_extended => frame::encode_frame(frame.number, &[], serial, out),
            number if HEARTBEATS.contains(&number) || ALARMS.contains(&number) => {
                frame::encode_frame(number, &[], serial, out);
            }
            _ => {}
        }
    }

    /// Message 0x80 with the text of a command. The terminal's answer (0x15 or 0x21) repeats the serial in its
    /// server flag.
    fn send(
        &mut self,
        _terminal: &TerminalId,
        message_id: u16,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<u16> {
        if message_id != u16::from(COMMAND) || body.is_empty() || body.len() > COMMAND_BYTES_MAX {
            return None;
        }
        let serial = self.sent.next_serial();
        let mut content = vec![u8::try_from(body.len() + 4).ok()?, 0, 0];
        content.extend_from_slice(&serial.to_be_bytes());
        content.extend_from_slice(body);
        // English.
        content.extend_from_slice(&[0, 2]);
        frame::encode_frame(COMMAND, &content, serial, out);
        Some(serial)
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
        let (flag, text) = command_answer(&Frame::parse(raw).ok()?)?;
        let key = self.sent.answered(heard, |serial| u32::from(*serial) == flag)?;
        Some((key, result_in_words(text)))
    }
}

/// The server flag and the text of what answers a command.
fn command_answer<'a>(frame: &Frame<'a>) -> Option<(u32, &'a [u8])> {
    let (flag, text) = match (frame.number, frame.content) {
        (0x15 | 0x81, [length, rest @ ..]) => rest.get(..usize::from(*length))?.split_first_chunk::<4>()?,
        (0x21, content) => content.split_first_chunk::<4>()?,
        _ => return None,
    };
    Some((u32::from_be_bytes(*flag), text))
}

/// A Wi-Fi message without a tail is answered with its own time.
fn answer_wifi(frame: &Frame<'_>, out: &mut Vec<u8>) {
    let Some(time) = frame.content.first_chunk::<6>() else { return };
    out.extend_from_slice(&[0x78, 0x78, 0, frame.number]);
    out.extend_from_slice(time);
    out.extend_from_slice(&frame::END);
}

/// The time of day, UTC, as the protocol writes it.
pub(crate) fn clock(now: UtcMillis) -> [u8; 6] {
    let Civil { year, month, day, hour, minute, second, .. } = now.civil(0);
    [u8::try_from(year - 2000).unwrap_or(0), month, day, hour, minute, second]
}
