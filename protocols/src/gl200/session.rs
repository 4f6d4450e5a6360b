//! A link of @Track: who speaks and what is answered.

use crate::framed::{Cut, Dialect, Heard, Verdict};
use crate::gl200::frame::{self, FRAME_BYTES_MAX, Frame, Header};
use crate::{Protocol, RejectReason, UtcMillis};

/// @Track on a link. It keeps nothing: every frame says all of itself.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no state")]
pub struct Gl200Dialect;

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
}
