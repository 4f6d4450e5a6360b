//! The session of JSON on a stream: one message a line. It serves `motorpool decode` and ports that are pinned; no link is
//! ever recognised by it, because JSON begins like many things.
//!
//! Over MQTT the topic says whose a message is; here the message must: EMQX's shapes do, the project's own does with a member
//! `terminal`. There is no answer.

use serde_json::Value;

use super::{PAYLOAD_BYTES_MAX, emqx_gb32960, emqx_jt808, parse};
use crate::framed::{Cut, Dialect, FramedSession, Heard, Verdict};
use crate::{Protocol, RejectReason, Session, SessionLimits, TerminalId, UtcMillis};

/// A message ends with its line.
pub(super) const TERMINATOR: &[u8] = b"\n";

/// JSON of the protocol with that number, line by line.
#[derive(Debug)]
struct Lines<const NUMBER: u8>;

impl<const NUMBER: u8> Dialect for Lines<NUMBER> {
    const PROTOCOL: Protocol = match NUMBER {
        31 => Protocol::EmqxJt808,
        32 => Protocol::EmqxGb32960,
        _ => Protocol::Json,
    };
    const FRAME_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let space = input.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match memchr::memchr(b'\n', input) {
            _ if space > 0 => Cut::Space(space),
            Some(at) => Cut::Frame(at + 1),
            None if input.len() > PAYLOAD_BYTES_MAX => Cut::Garbage(input.len(), RejectReason::TooLong),
            None => Cut::Incomplete,
        }
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let whole: Value = parse(frame).map_err(|_| RejectReason::Malformed)?;
        let terminal = match Self::PROTOCOL {
            Protocol::EmqxJt808 => emqx_jt808::heading(&whole).0,
            Protocol::EmqxGb32960 => emqx_gb32960::heading(&whole).0,
            _ => {
                let first = whole.get(0).unwrap_or(&whole);
                first.get("terminal").and_then(Value::as_str).and_then(TerminalId::new)
            }
        };
        Ok(Heard::report(terminal))
    }

    fn answer(
        &mut self,
        _now: UtcMillis,
        _frame: &[u8],
        _heard: &Heard,
        _verdict: Verdict,
        _out: &mut Vec<u8>,
    ) {
    }
}

/// A session of the protocol with that number.
pub(super) fn session<const NUMBER: u8>(limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Lines::<NUMBER>, limits))
}
