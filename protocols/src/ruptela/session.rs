//! One link of a Ruptela terminal: every frame names it, and most are answered.

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{Cut, Dialect, Heard, Verdict};
use crate::ruptela::frame::{
    self, AROUND_BYTES, EXTENDED_RECORDS, FRAME_BYTES_MAX, Frame, HEAD_BYTES, RECORDS,
};
use crate::sent::Sent;
use crate::{Command, Profile, Protocol, RejectReason, TerminalId, UtcMillis};

/// The answer to a command is its number and this.
const ANSWER: u8 = 100;
/// A terminal's answer to the question for its version, whose number is that of every command from here on.
const VERSION: u8 = 3;
/// Commands that wait for an answer besides records: trouble codes, identification, heartbeat, driver's card.
const ANSWERED: [u8; 4] = [9, 15, 16, 36];
/// The longest content of a command to a terminal.
pub const COMMAND_BYTES_MAX: usize = 1 << 10;

/// The dialect of Ruptela.
#[derive(Clone, Debug, Default)]
pub struct Ruptela {
    /// Questions for the version that were sent. Their answers have no number: they come in the same order.
    sent: Sent<()>,
}

impl Dialect for Ruptela {
    const PROTOCOL: Protocol = Protocol::Ruptela;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;
    const ANSWERS_IN_ORDER: bool = true;

    fn cut(&self, input: &[u8]) -> Cut {
        let [high, low, ..] = input else {
            let is_too_long = input.first().is_some_and(|high| usize::from(*high) << 8 > FRAME_BYTES_MAX);
            return if is_too_long { Cut::Garbage(1, RejectReason::TooLong) } else { Cut::Incomplete };
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        match length + AROUND_BYTES {
            _ if length < HEAD_BYTES => Cut::Garbage(1, RejectReason::Garbage),
            whole if whole > FRAME_BYTES_MAX => Cut::Garbage(1, RejectReason::TooLong),
            whole if whole <= input.len() => Cut::Frame(whole),
            _ => Cut::Incomplete,
        }
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(frame)?;
        let terminal = frame.terminal().ok_or(RejectReason::Malformed)?;
        Ok(Heard::report(Some(terminal)).checked(frame.check_is_right))
    }

    fn answer(&mut self, _now: UtcMillis, raw: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        let Ok(frame) = Frame::parse(raw) else { return };
        let accepted = u8::from(verdict == Verdict::Accepted);
        match frame.command {
            RECORDS | EXTENDED_RECORDS => frame::encode_down(ANSWER, &[accepted], out),
            command if ANSWERED.contains(&command) => {
                frame::encode_down(ANSWER + command, &[accepted], out);
            }
            _ => {}
        }
    }

    /// The command with the number `message_id` (8: a text as over SMS) and its content. The answer has a number of
    /// its own and none of ours: what is returned counts the commands of this link.
    fn send(
        &mut self,
        _terminal: &TerminalId,
        message_id: u16,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<u16> {
        let command = u8::try_from(message_id).ok()?;
        if body.len() > COMMAND_BYTES_MAX {
            return None;
        }
        frame::encode_down(command, body, out);
        Some(self.sent.next_serial())
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let Command::QueryAttributes = command else { return Err(CommandError::NotSupported) };
        frame::encode_down(ANSWER + VERSION, &[], out);
        Ok(self.sent.remember_next(terminal, ()))
    }

    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        Frame::parse(raw).ok().filter(|frame| frame.command == VERSION)?;
        Some((self.sent.answered(heard, |()| true)?, CommandResult::Done))
    }
}
