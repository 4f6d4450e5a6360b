//! One link of a Castel terminal: every frame names it; log-ins, heartbeats and alarms are answered.

use crate::castel::frame::{self, FRAME_BYTES_MAX, Frame, HEAD_BYTES, HEADER, TAIL_BYTES};
use crate::framed::{Cut, Dialect, Heard, Kind, Verdict};
use crate::{Protocol, RejectReason, TerminalId, UtcMillis};

/// The type of a log-in.
pub const LOG_IN: u16 = 0x1001;
/// The type of a good-bye.
pub const LOG_OUT: u16 = 0x1002;
/// The type of a sign of life.
pub const HEARTBEAT: u16 = 0x1003;
/// The type of an alarm.
pub const ALARM: u16 = 0x4007;
/// The answer to a log-in or a heartbeat has this bit.
const ANSWER: u16 = 0x8000;
/// The answer to an alarm.
const ALARM_ANSWER: u16 = 0xc007;

/// The dialect of Castel.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no state")]
pub struct Castel;

impl Dialect for Castel {
    const PROTOCOL: Protocol = Protocol::Castel;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let garbage = |reason| {
            let next = memchr::memchr(HEADER[0], input.get(1..).unwrap_or(&[]));
            Cut::Garbage(next.map_or(input.len(), |at| at + 1), reason)
        };
        match input {
            [b'@', b'@', low, high, ..] => match usize::from(u16::from_le_bytes([*low, *high])) {
                length if length > FRAME_BYTES_MAX => garbage(RejectReason::TooLong),
                length if length < HEAD_BYTES + TAIL_BYTES => garbage(RejectReason::Length),
                length if length <= input.len() => Cut::Frame(length),
                _ => Cut::Incomplete,
            },
            [b'@'] | [b'@', b'@'] | [b'@', b'@', _] => Cut::Incomplete,
            _ => garbage(RejectReason::Garbage),
        }
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(frame)?;
        let terminal = frame.terminal().ok_or(RejectReason::Malformed)?;
        let heard = match frame.kind {
            LOG_IN => Heard::log_in(terminal),
            LOG_OUT => Heard { kind: Kind::LogOut, ..Heard::report(Some(terminal)) },
            _ => Heard::report(Some(terminal)),
        };
        Ok(heard.checked(frame.check_is_right))
    }

    fn answer(&mut self, now: UtcMillis, raw: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        // A terminal that may not come in hears nothing: the protocol has no word for it.
        let (Verdict::Accepted, Ok(frame)) = (verdict, Frame::parse(raw)) else { return };
        let mut write = |kind, content: &[u8]| frame::write(frame.version, &frame.name, kind, content, out);
        match frame.kind {
            LOG_IN => {
                // No other address and port to go to; the time of day.
                let seconds = u32::try_from(now.0.div_euclid(1_000)).unwrap_or(0);
                write(
                    ANSWER | LOG_IN,
                    &[&[0xff, 0xff, 0xff, 0xff, 0, 0][..], &seconds.to_le_bytes()].concat(),
                );
            }
            HEARTBEAT => write(ANSWER | HEARTBEAT, &[]),
            // Its number, as sent.
            ALARM => write(ALARM_ANSWER, frame.content.get(..4).unwrap_or(&[])),
            _ => {}
        }
    }

    /// The message with the type `message_id` and its content. What answers it repeats its own number, if its
    /// content has one: what is returned is the first word of it.
    fn send(
        &mut self,
        terminal: &TerminalId,
        message_id: u16,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<u16> {
        let serial = body.first_chunk::<2>().map_or(0, |serial| u16::from_le_bytes(*serial));
        frame::encode_frame(terminal, message_id, body, out).then_some(serial)
    }
}
