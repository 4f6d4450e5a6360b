//! A link of Wialon IPS: what each message is to it and how it is answered.

use crate::framed::{Cut, Dialect, Heard, Kind as Wish, Transport, Verdict};
use crate::wialon::frame::{self, FRAME_BYTES_MAX, Frame, Kind, SHORT_FIELDS};
use crate::{Protocol, Refusal, RejectReason, TerminalId, UtcMillis, text};

/// Wialon IPS on a link. It keeps nothing: every frame says all of itself.
#[derive(Clone, Copy, Debug)]
pub struct WialonDialect {
    transport: Transport,
}

impl WialonDialect {
    /// The dialect over such a transport.
    #[must_use]
    pub const fn new(transport: Transport) -> Self {
        Self { transport }
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
            _ => Ok(Heard::report(frame.terminal).checked(check_is_right)),
        }
    }

    fn answer(&mut self, _now: UtcMillis, frame: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        match verdict {
            Verdict::Accepted => {
                if let Some(frame) = Frame::parse(frame) {
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
