//! A link of Wialon IPS: what each message is to it and how it is answered.

use crate::command::{CommandError, CommandKey, CommandResult, TEXT_BYTES_MAX};
use crate::framed::{Cut, Dialect, Heard, Kind as Wish, Transport, Verdict};
use crate::sent::Sent;
use crate::wialon::frame::{self, Edition, FRAME_BYTES_MAX, Frame, Kind, SHORT_FIELDS};
use crate::{Command, Profile, Protocol, Refusal, RejectReason, SessionError, TerminalId, UtcMillis, text};

/// Wialon IPS on a link.
#[derive(Clone, Debug)]
pub struct WialonDialect {
    transport: Transport,
    /// Whether the last log-in that was accepted was of version 2.0: reports must have their checksums.
    is_v2: bool,
    /// Texts that were sent. Their answers have no number: they come in the same order.
    sent: Sent<()>,
}

impl WialonDialect {
    /// The dialect over such a transport.
    #[must_use]
    pub fn new(transport: Transport) -> Self {
        Self { transport, is_v2: false, sent: Sent::default() }
    }
}

impl Dialect for WialonDialect {
    const PROTOCOL: Protocol = Protocol::Wialon;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        frame::cut(self.transport, input)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(frame).ok_or(RejectReason::Malformed)?;
        if frame.has_prefix && frame.terminal.is_none() {
            return Err(RejectReason::Malformed);
        }
        let check_is_right = frame.check.unwrap_or(true);
        match frame.kind {
            Kind::LogIn => {
                let (terminal, password) = log_in(frame.body).ok_or(RejectReason::Malformed)?;
                let code = (!password.is_empty() && password != b"NA").then(|| password.to_vec());
                Ok(Heard { code, ..Heard::log_in(terminal).checked(check_is_right) })
            }
            Kind::Short | Kind::Extended if field_count(frame.body) < SHORT_FIELDS => {
                Err(RejectReason::Malformed)
            }
            Kind::Short | Kind::Extended | Kind::Batch if self.is_v2 && frame.check.is_none() => {
                Err(RejectReason::Checksum)
            }
            _ => Ok(Heard::report(frame.terminal).checked(check_is_right)),
        }
    }

    /// A report that can't be taken as it is is answered with its code: without an answer it is sent for ever.
    fn decline(&mut self, frame: &[u8], reason: RejectReason, out: &mut Vec<u8>) -> Result<(), SessionError> {
        let kind = Frame::parse(frame).map(|frame| frame.kind);
        let answer: &[u8] = match (reason, kind) {
            (RejectReason::Malformed, Some(Kind::Short)) => b"#ASD#-1\r\n",
            (RejectReason::Malformed, Some(Kind::Extended)) => b"#AD#-1\r\n",
            (RejectReason::Malformed | RejectReason::Checksum, Some(Kind::Batch)) => b"#AB#0\r\n",
            (RejectReason::Checksum, Some(Kind::Short)) => b"#ASD#13\r\n",
            (RejectReason::Checksum, Some(Kind::Extended)) => b"#AD#13\r\n",
            (RejectReason::Checksum, Some(Kind::LogIn)) => b"#AL#10\r\n",
            _ => b"",
        };
        out.extend_from_slice(answer);
        Ok(())
    }

    fn answer(&mut self, _now: UtcMillis, frame: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        match verdict {
            Verdict::Accepted => {
                if let Some(frame) = Frame::parse(frame) {
                    if frame.kind == Kind::LogIn {
                        self.is_v2 = is_v2(frame.body);
                        self.sent.logged_in(heard);
                    }
                    out.extend_from_slice(answer_of(&frame).as_bytes());
                }
            }
            // A report has no answer that says "log in first": without one it is sent again.
            Verdict::Refused(refusal) if heard.kind == Wish::LogIn => {
                let wrong_password = refusal == Refusal::WrongCode;
                out.extend_from_slice(if wrong_password { b"#AL#01\r\n" } else { b"#AL#0\r\n" });
            }
            Verdict::Refused(_) => {}
        }
    }

    /// `#M#text`, for the driver. How it is shown is the terminal's own affair.
    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let (Command::Text { text, .. }, Transport::Stream) = (command, self.transport) else {
            return Err(CommandError::NotSupported);
        };
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(CommandError::Invalid("the text is empty, or more than a line"));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(CommandError::TooLong { limit: TEXT_BYTES_MAX });
        }
        let edition = if self.is_v2 { Edition::V2 } else { Edition::V1 };
        out.extend_from_slice(&frame::finish(edition, ';', format!("#M#{text}")));
        Ok(self.sent.remember_next(terminal, ()))
    }

    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        let frame = Frame::parse(raw).filter(|frame| frame.type_text == "AM")?;
        let result = if frame.body == b"1" { CommandResult::Done } else { CommandResult::Failed };
        Some((self.sent.answered(heard, |()| true)?, result))
    }
}

/// Whether a log-in is of version 2.0.
fn is_v2(body: &[u8]) -> bool {
    body.starts_with(b"2.0;")
}

/// The terminal and the password of a log-in, of either version.
pub(crate) fn log_in(body: &[u8]) -> Option<(TerminalId, &[u8])> {
    let body = body.strip_prefix(b"2.0;").unwrap_or(body);
    let mut fields = body.splitn(2, |byte| *byte == b';');
    Some((text::terminal(fields.next()?)?, fields.next().unwrap_or(&[])))
}

/// Records of a batch; what is empty is none.
pub(crate) fn records(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'|').filter(|record| !record.is_empty())
}

fn field_count(body: &[u8]) -> usize {
    body.iter().filter(|byte| **byte == b';').count() + 1
}

fn answer_of(frame: &Frame<'_>) -> String {
    match frame.kind {
        Kind::LogIn => "#AL#1\r\n".to_owned(),
        Kind::Short => "#ASD#1\r\n".to_owned(),
        Kind::Extended => "#AD#1\r\n".to_owned(),
        Kind::Batch => format!("#AB#{}\r\n", records(frame.body).count()),
        Kind::Ping => "#AP#\r\n".to_owned(),
        Kind::Text => "#AM#1\r\n".to_owned(),
        Kind::Picture => {
            let mut fields = frame.body.split(|byte| *byte == b';').skip(1).map(text::digits);
            let (block, last) = (fields.next().flatten(), fields.next().flatten());
            let whole = if block == last { "#AI#1\r\n" } else { "" };
            block.map_or_else(String::new, |block| format!("#AI#{block};1\r\n{whole}"))
        }
        Kind::Other => String::new(),
    }
}
