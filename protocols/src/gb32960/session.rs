//! GB/T 32960.3 on a link: who is speaking, and what each command is answered with.
//!
//! | command | answered with |
//! |---|---|
//! | log-ins, log-outs, real-time data | the same command, "success", and the time it came with |
//! | heartbeat | the same command, "success", no data |
//! | time check | the same command, "success", and the server's time |
//! | key exchange, anything encrypted | "decryption failed" (2025), "error" (2016): it is stored, and nobody here can read it |
//! | activation | nothing: whether a chip may be activated is for a person to say, who sends 0A |
//! | answers, reserved and makers' commands | nothing |
//!
//! A vehicle is known by its VIN, which every frame has; a platform that logs in (05) by the name in its log-in, with
//! name and password (`name:password`) as the code for the gate. The vehicles behind a platform are admitted one by
//! one by their VINs as if they were on a link of their own.
//!
//! 2025 signs its data; signatures are kept and never verified.

use super::frame::{Edition, FRAME_BYTES_MAX, Frame, IS_COMMAND, cut};
use super::message::{OPEN, PlatformLogIn, command};
use super::value::{Encryption, Time};
use super::wire::Field;
use crate::framed::{Cut, Dialect, Heard, Kind, Verdict};
use crate::octets::Octets;
use crate::{Protocol, Refusal, RejectReason, TerminalId, UtcMillis};

/// The longest name of a platform, which its log-in has room for; a vehicle's is its VIN, 17 characters.
pub const PLATFORM_NAME_BYTES_MAX: usize = 12;

/// Answer bytes.
mod answer {
    pub(super) const SUCCESS: u8 = 0x01;
    pub(super) const ERROR: u8 = 0x02;
    pub(super) const VIN_REPEATED: u8 = 0x03;
    pub(super) const VIN_UNKNOWN: u8 = 0x04;
    pub(super) const DECRYPTION: u8 = 0x07;
}

/// The state of GB/T 32960.3 on one link.
#[derive(Debug, Default)]
pub struct Gb32960 {
    /// The edition of the last frame: commands go out in it.
    edition: Edition,
}

impl Dialect for Gb32960 {
    const PROTOCOL: Protocol = Protocol::Gb32960;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        cut(input)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let (frame, is_right) = Frame::parse(frame)?;
        let terminal = frame.terminal();
        if !frame.is_command() {
            return Ok(Heard::report(terminal).checked(is_right));
        }
        let has_time = !matches!(frame.command, command::HEARTBEAT | command::TIME);
        let is_open = frame.encryption == OPEN;
        if has_time && is_open && frame.command <= command::PLATFORM_LOG_OUT && frame.data.len() < 6 {
            return Err(RejectReason::Truncated);
        }
        let heard = match frame.command {
            command::LOG_IN => Heard::log_in(terminal.ok_or(RejectReason::Malformed)?),
            command::PLATFORM_LOG_IN if is_open => platform_log_in(&frame)?,
            command::LOG_OUT | command::PLATFORM_LOG_OUT => {
                Heard { kind: Kind::LogOut, ..Heard::report(terminal) }
            }
            _ => Heard::report(terminal),
        };
        Ok(heard.checked(is_right))
    }

    fn answer(&mut self, now: UtcMillis, raw: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        let Ok((frame, _)) = Frame::parse(raw) else { return };
        self.edition = frame.edition;
        let Some(answer) = answer_to(&frame, verdict) else { return };
        let now = Time::from_utc(now).0;
        let data = match frame.command {
            command::HEARTBEAT => &[],
            command::TIME => &now[..],
            // What can't be read has no time in it.
            _ if frame.encryption != OPEN => &now[..],
            _ => frame.data.get(..6).unwrap_or(&[]),
        };
        let reply = Frame { answer, encryption: OPEN, data, ..frame };
        let written = reply.encode(out);
        debug_assert!(written.is_ok(), "six bytes fit");
    }

    fn send(
        &mut self,
        terminal: &TerminalId,
        message_id: u16,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<u16> {
        let command = u8::try_from(message_id).ok()?;
        let is_of_edition = match command {
            command::QUERY..=command::CONTROL => true,
            command::ACTIVATION_RESULT | command::KEY_EXCHANGE => self.edition == Edition::E2025,
            _ => false,
        };
        if !is_of_edition {
            return None;
        }
        let mut vin = [0; 17];
        let name = terminal.as_str().as_bytes();
        vin.get_mut(..name.len())?.copy_from_slice(name);
        let frame =
            Frame { edition: self.edition, command, answer: IS_COMMAND, vin, encryption: OPEN, data: body };
        frame.encode(out).ok()?;
        // There are no serial numbers: the answer is known by its command.
        Some(message_id)
    }
}

/// A platform: its name, and name and password as the code.
fn platform_log_in(frame: &Frame<'_>) -> Result<Heard, RejectReason> {
    let log_in: PlatformLogIn =
        Field::read(&mut Octets::new(frame.data, 0)).map_err(|_| RejectReason::Truncated)?;
    let name = TerminalId::new(&log_in.user.text()).ok_or(RejectReason::Malformed)?;
    let code = [log_in.user.trimmed(), b":", log_in.password.0.trimmed()].concat();
    Ok(Heard { code: Some(code), ..Heard::log_in(name) })
}

/// The answer byte, or `None` when there is no answer.
fn answer_to(frame: &Frame<'_>, verdict: Verdict) -> Option<u8> {
    if !frame.is_command() {
        return None;
    }
    let is_2025 = frame.edition == Edition::E2025;
    match frame.command {
        command::LOG_IN..=command::TIME => {}
        command::KEY_EXCHANGE if is_2025 => {}
        _ => return None,
    }
    Some(match verdict {
        Verdict::Refused(Refusal::AlreadyConnected) => answer::VIN_REPEATED,
        Verdict::Refused(Refusal::Unknown) if is_2025 => answer::VIN_UNKNOWN,
        Verdict::Refused(_) => answer::ERROR,
        Verdict::Accepted if can_be_read(frame) => answer::SUCCESS,
        Verdict::Accepted if is_2025 => answer::DECRYPTION,
        Verdict::Accepted => answer::ERROR,
    })
}

fn can_be_read(frame: &Frame<'_>) -> bool {
    let is_open = frame.encryption == OPEN || frame.data.is_empty();
    is_open && frame.command != command::KEY_EXCHANGE && frame.encryption != Encryption(0)
}
