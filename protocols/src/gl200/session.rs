//! A link of @Track: who speaks and what is answered.

use std::ops::RangeInclusive;

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{Cut, Dialect, Heard, Verdict};
use crate::gl200::frame::{self, FRAME_BYTES_MAX, Frame, Header};
use crate::sent::Sent;
use crate::{Command, Profile, Protocol, RejectReason, TerminalId, UtcMillis, text};

/// Sub-commands of `AT+GTRTO`: tell the place, tell the versions.
const LOCATE: u8 = 1;
const VERSIONS: u8 = 8;
/// A password as terminals allow it.
const PASSWORD_BYTES: RangeInclusive<usize> = 4..=20;

/// @Track on a link. Of what is heard it keeps nothing: every frame says all of itself.
#[derive(Clone, Debug, Default)]
pub struct Gl200Dialect {
    /// Commands that were sent, by their serial numbers.
    sent: Sent<u16>,
}

impl Dialect for Gl200Dialect {
    const PROTOCOL: Protocol = Protocol::Gl200;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        frame::cut(input)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(frame).ok_or(RejectReason::Malformed)?;
        Ok(Heard::report(Some(frame.terminal().ok_or(RejectReason::Malformed)?)))
    }

    fn answer(&mut self, _now: UtcMillis, frame: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        // A terminal that is refused hears nothing: there is no word for it, and it keeps what it has.
        if verdict != Verdict::Accepted {
            return;
        }
        let Some(frame) = Frame::parse(frame) else { return };
        let Some(count) = frame.count() else { return };
        match (frame.header, frame.word()) {
            (Header::Acknowledged, b"HBD") => {
                out.extend_from_slice(&[b"+SACK:GTHBD,", frame.version(), b",", count, b"$"].concat());
            }
            (Header::Acknowledged, _) => {}
            _ => out.extend_from_slice(&[b"+SACK:", count, b"$"].concat()),
        }
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let sub_command = match command {
            Command::AskPosition => LOCATE,
            Command::QueryAttributes => VERSIONS,
            // Intervals stand at another place in every family.
            _ => return Err(CommandError::NotSupported),
        };
        let password = password_of(profile)?;
        let serial = self.sent.next_serial();
        out.extend_from_slice(format!("AT+GTRTO={password},{sub_command},,,,,,{serial:04X}$").as_bytes());
        Ok(self.sent.remember(terminal, serial))
    }

    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        let frame = Frame::parse(raw).filter(|frame| frame.header == Header::Acknowledged)?;
        let serial = frame.body().last().copied().and_then(text::hex)?;
        let is_it = |sent: &u16| frame.word() == b"RTO" && u64::from(*sent) == serial;
        Some((self.sent.answered(heard, is_it)?, CommandResult::Done))
    }
}

/// The password of a profile, if it can stand in a command.
fn password_of(profile: &Profile) -> Result<&str, CommandError> {
    let password = profile.command_password.as_deref();
    let password = password.ok_or(CommandError::Invalid("the profile has no command_password"))?;
    let is_good =
        PASSWORD_BYTES.contains(&password.len()) && password.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_good {
        Ok(password)
    } else {
        Err(CommandError::Invalid("the command_password is not 4 to 20 letters and digits"))
    }
}
