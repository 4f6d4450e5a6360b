//! One link of a terminal of the T8 series: every frame names it and is answered.

use crate::framed::{Cut, Dialect, Heard, Verdict};
use crate::t800x::frame::{self, FRAME_BYTES_MAX, Frame, HEAD_BYTES, Series};
use crate::t800x::position;
use crate::{Protocol, RejectReason, TerminalId, UtcMillis};

/// The type of a log-in.
pub const LOG_IN: u8 = 0x01;
/// The type of a command to the terminal, and of its answer.
pub const COMMAND: u8 = 0x81;
/// The longest text of a command.
pub const COMMAND_BYTES_MAX: usize = 1 << 10;

/// The dialect of the T8 series.
#[derive(Clone, Debug, Default)]
pub struct T800x {
    /// What the terminal's frames begin with.
    series: Option<Series>,
    /// Serial number of the last command.
    serial: u16,
}

impl Dialect for T800x {
    const PROTOCOL: Protocol = Protocol::T800x;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let garbage = |reason| Cut::Garbage(frame::next_begin(input), reason);
        match input {
            [first, second, ..] if first != second || Series::from_byte(*first).is_none() => {
                garbage(RejectReason::Garbage)
            }
            [first] if Series::from_byte(*first).is_none() => garbage(RejectReason::Garbage),
            [_, _, _, high, low, ..] => match usize::from(u16::from_be_bytes([*high, *low])) {
                length if length > FRAME_BYTES_MAX => garbage(RejectReason::TooLong),
                length if length < HEAD_BYTES => garbage(RejectReason::Length),
                length if length <= input.len() => Cut::Frame(length),
                _ => Cut::Incomplete,
            },
            _ => Cut::Incomplete,
        }
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(frame)?;
        let terminal = frame.terminal().ok_or(RejectReason::Malformed)?;
        match frame.kind {
            LOG_IN => Ok(Heard::log_in(terminal)),
            _ => Ok(Heard::report(Some(terminal))),
        }
    }

    fn answer(&mut self, _now: UtcMillis, raw: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        // A terminal that may not come in hears nothing: the protocol has no word for it.
        let (Verdict::Accepted, Ok(frame)) = (verdict, Frame::parse(raw)) else { return };
        self.series = Some(frame.series);
        // What answers a command is not answered.
        if frame.kind == COMMAND {
            return;
        }
        let alarm = position::alarm_of(&frame).filter(|alarm| *alarm > 0);
        let content: &[u8] = alarm.as_slice();
        frame::write(&Frame { content, ..frame }, out);
    }

    /// Message 0x81 with the text of a command. Its serial number is that of the answer.
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
        self.serial = self.serial.wrapping_add(1);
        // 1: a text.
        let content = [&[1][..], body].concat();
        let is_written = frame::encode_frame(self.series?, COMMAND, self.serial, terminal, &content, out);
        is_written.then_some(self.serial)
    }
}
