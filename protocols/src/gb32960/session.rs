//! GB/T 32960.3 on a link: who is speaking, and what each command is answered with.
//!
//! | command | answered with |
//! |---|---|
//! | log-ins, log-outs, real-time data | the same command, "success", and the time it came with |
//! | heartbeat | the same command, "success", no data |
//! | time check | the same command, "success", and the server's time |
//! | key exchange, anything encrypted | "decryption failed" (2025), "error" (2016), at once |
//! | activation | nothing: whether a chip may be activated is for a person to say, who sends 0A |
//! | answers, reserved and makers' commands | nothing |
//!
//! A vehicle is known by its VIN, which every frame has; a platform that logs in (05) by the name in its log-in, with
//! name and password (`name:password`) as the code for the gate. The vehicles behind a platform are admitted one by
//! one by their VINs as if they were on a link of their own, some thousands of them.
//!
//! A VIN that can't be read is refused. None at all is allowed in a platform's log-in and log-out and in heartbeats:
//! those of the platform, or of the one vehicle on the link. A platform that logs out takes all its vehicles with it.
//!
//! What is encrypted is refused and not stored: nobody here can read it, and the standard's "success" says that the
//! information was received correctly, upon which the vehicle may delete it. After an error it keeps the data and
//! sends them again, so that storing each copy would fill the journal.
//!
//! 2025 signs its data; signatures are kept and never verified.

use super::frame::{Edition, FRAME_BYTES_MAX, Frame, IS_COMMAND, cut};
use super::message::{OPEN, PlatformLogIn, command};
use super::value::{Encryption, Time};
use super::wire::Field;
use crate::framed::{Cut, Dialect, Heard, Kind, VEHICLES_PER_PLATFORM_MAX, Verdict, limits_of_platform};
use crate::octets::Octets;
use crate::{Protocol, Refusal, RejectReason, SessionError, SessionLimits, TerminalId, UtcMillis};

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
    /// The platform that logged in, with what its log-in had in place of a VIN.
    platform: Option<(TerminalId, [u8; 17])>,
    /// The first who was accepted.
    first: Option<TerminalId>,
    /// Whether anybody else was accepted after that one.
    is_shared: bool,
}

impl Gb32960 {
    /// Who sent a frame that is no log-in of a platform.
    fn sender(&self, frame: &Frame<'_>) -> Result<Option<TerminalId>, RejectReason> {
        let platform = self.platform.map(|(platform, _)| platform);
        let is_of_platform = frame.is_nameless() || self.platform.is_some_and(|(_, vin)| vin == frame.vin);
        match frame.command {
            // Out of the middle of a link, where nobody is known.
            command::PLATFORM_LOG_OUT if self.first.is_none() => Ok(None),
            command::PLATFORM_LOG_OUT => platform.map(Some).ok_or(RejectReason::Malformed),
            command::HEARTBEAT if is_of_platform && platform.is_some() => Ok(platform),
            command::HEARTBEAT if frame.is_nameless() && !self.is_shared => Ok(self.first),
            _ => frame.terminal().map(Some).ok_or(RejectReason::Malformed),
        }
    }

    /// Remembers who is on the link.
    fn remember(&mut self, frame: &Frame<'_>, heard: &Heard, verdict: Verdict) {
        let is_platform = frame.is_command() && frame.command == command::PLATFORM_LOG_IN;
        match (verdict, heard.kind) {
            (Verdict::Accepted, Kind::LogOutOfAll) => {
                *self = Self { edition: self.edition, ..Self::default() };
            }
            (Verdict::Accepted, Kind::LogOut) if !self.is_shared => self.first = None,
            (Verdict::Accepted, _) => {
                if is_platform {
                    self.platform = heard.terminal.map(|platform| (platform, frame.vin));
                }
                self.is_shared |= self.first.is_some() && self.first != heard.terminal;
                self.first = self.first.or(heard.terminal);
            }
            (Verdict::Refused(_), _) if is_platform => self.platform = None,
            (Verdict::Refused(_), _) => {}
        }
    }
}

impl Dialect for Gb32960 {
    const PROTOCOL: Protocol = Protocol::Gb32960;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn limits(&self, limits: SessionLimits) -> SessionLimits {
        match self.platform {
            Some(_) => limits_of_platform(limits, VEHICLES_PER_PLATFORM_MAX),
            None => limits,
        }
    }

    fn cut(&self, input: &[u8]) -> Cut {
        cut(input)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let (frame, is_right) = Frame::parse(frame)?;
        if !is_right {
            // What a damaged frame says must not be acted upon, nor what stands in it besides its name.
            return Ok(Heard::report(self.sender(&frame)?).checked(false));
        }
        if !can_be_read(&frame) {
            return Err(RejectReason::Encrypted);
        }
        if !frame.is_command() {
            return Ok(Heard::report(Some(frame.terminal().ok_or(RejectReason::Malformed)?)));
        }
        let has_time = !matches!(frame.command, command::HEARTBEAT | command::TIME);
        if has_time && frame.command <= command::PLATFORM_LOG_OUT && frame.data.len() < 6 {
            return Err(RejectReason::Truncated);
        }
        if frame.command == command::PLATFORM_LOG_IN {
            return platform_log_in(&frame);
        }
        let terminal = self.sender(&frame)?;
        let kind = match frame.command {
            command::LOG_IN => Kind::LogIn,
            command::LOG_OUT => Kind::LogOut,
            command::PLATFORM_LOG_OUT => Kind::LogOutOfAll,
            _ => Kind::Report,
        };
        Ok(Heard { kind, ..Heard::report(terminal) })
    }

    fn answer(&mut self, now: UtcMillis, raw: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        let Ok((frame, _)) = Frame::parse(raw) else { return };
        self.edition = frame.edition;
        self.remember(&frame, heard, verdict);
        let Some(answer) = answer_to(&frame, verdict) else { return };
        let now = Time::from_utc(now).0;
        let data = match frame.command {
            command::HEARTBEAT => &[],
            command::TIME => &now[..],
            _ => frame.data.get(..6).unwrap_or(&[]),
        };
        reply(&frame, answer, data, out);
    }

    fn decline(&mut self, raw: &[u8], reason: RejectReason, out: &mut Vec<u8>) -> Result<(), SessionError> {
        if reason == RejectReason::Encrypted
            && let Ok((frame, true)) = Frame::parse(raw)
            && is_answered(&frame)
        {
            let answer = match frame.edition {
                Edition::E2016 => answer::ERROR,
                Edition::E2025 => answer::DECRYPTION,
            };
            // The time that it came with can't be read.
            reply(&frame, answer, &[], out);
        }
        Ok(())
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

/// Appends the answer to a command.
fn reply(frame: &Frame<'_>, answer: u8, data: &[u8], out: &mut Vec<u8>) {
    let written = Frame { answer, encryption: OPEN, data, ..*frame }.encode(out);
    debug_assert!(written.is_ok(), "six bytes fit");
}

/// Whether a platform answers this at all.
fn is_answered(frame: &Frame<'_>) -> bool {
    let is_exchange = frame.command == command::KEY_EXCHANGE && frame.edition == Edition::E2025;
    frame.is_command() && (is_exchange || (command::LOG_IN..=command::TIME).contains(&frame.command))
}

/// The answer byte, or `None` when there is no answer.
fn answer_to(frame: &Frame<'_>, verdict: Verdict) -> Option<u8> {
    let is_2025 = frame.edition == Edition::E2025;
    is_answered(frame).then_some(match verdict {
        Verdict::Refused(Refusal::AlreadyConnected) => answer::VIN_REPEATED,
        Verdict::Refused(Refusal::Unknown) if is_2025 => answer::VIN_UNKNOWN,
        Verdict::Refused(_) => answer::ERROR,
        Verdict::Accepted => answer::SUCCESS,
    })
}

fn can_be_read(frame: &Frame<'_>) -> bool {
    let is_open = frame.encryption == OPEN || frame.data.is_empty();
    is_open && frame.command != command::KEY_EXCHANGE && frame.encryption != Encryption(0)
}
