//! jt600, the protocol of Jointech's JT600 and JT700 trackers and locks.
//!
//! Written from the maker's public protocol sheets, from Traccar's test vectors and published decoder, and from
//! general knowledge. Two forms share a link: text between parentheses, and binary behind `$`.
//!
//! | begins | is |
//! |---|---|
//! | `(ID,W01,` | position of a JT600: degrees and minutes, km/h |
//! | `(ID,U01,` … `U06` | position of a JT700: degrees, miles an hour, battery, kilometres |
//! | `(ID,P45,` | a lock was used: position and card |
//! | `(ID,n,n,WLNET,5,n,` | a wireless probe: 40 bytes in binary, then `)` |
//! | `$` and an identity below 70 | records of 27 bytes, in three versions |
//! | `$` and an identity from 70 on | one record of 34 bytes and what its version adds |
//!
//! Binary dates have the day first; speeds are in knots, courses in two degrees. All times are UTC. The last byte
//! of a binary frame is its number. Text has no check, nor has the binary form.
//!
//! **Answers** wait for the disk: `(S39)` to U01, U02 and U03, `(S20)` to U06, `(P69,0,n)` to P45, and to a binary
//! record that asks for it `(P35)`, from version 0x19 on `(P69,0,n)`. The other reports have none: for them
//! what is lost when the machine fails is what lay in the buffers of the socket and in one commit group.

mod binary;
mod sentence;

use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::{hex, readable};
use crate::{
    DecodeError, Description, Observations, Profile, Protocol, RejectReason, Session, SessionLimits,
    TerminalId, UtcMillis, text,
};
use binary::Head;

pub use binary::encode_record;
pub(crate) use binary::place;

/// What ends a text.
pub(crate) const TERMINATOR: &[u8] = b")";

const FRAME_BYTES_MAX: usize = 2 << 10;

#[derive(Debug)]
struct Jt600;

impl Dialect for Jt600 {
    const PROTOCOL: Protocol = Protocol::Jt600;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        match input.first() {
            Some(b'(') => sentence::cut(input),
            Some(b'$') => match binary::frame_bytes(input) {
                None => Cut::Incomplete,
                Some(bytes) if bytes > FRAME_BYTES_MAX => Cut::Garbage(1, RejectReason::TooLong),
                Some(bytes) if bytes > input.len() => Cut::Incomplete,
                Some(bytes) => Cut::Frame(bytes),
            },
            _ => {
                let is_space = |byte: &u8| matches!(byte, b'\r' | b'\n' | b')' | 0);
                let space = input.iter().take_while(|byte| is_space(byte)).count();
                if space > 0 {
                    return Cut::Space(space);
                }
                let next = memchr::memchr2(b'(', b'$', input);
                Cut::Garbage(next.unwrap_or(input.len()), RejectReason::Garbage)
            }
        }
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        read(frame, &Profile::default(), &mut Observations::default(), &mut NoNotes)
            .map_err(|_| RejectReason::Malformed)?;
        Ok(Heard::report(Some(terminal_of(frame).ok_or(RejectReason::Malformed)?)))
    }

    fn answer(&mut self, _now: UtcMillis, frame: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        if verdict != Verdict::Accepted {
            return;
        }
        let answer = match frame.first() {
            Some(b'$') => binary::answer(frame),
            _ => sentence::answer(frame),
        };
        out.extend_from_slice(answer.unwrap_or_default().as_bytes());
    }
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Jt600, limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Jt600, input)
}

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(raw, profile, out, &mut NoNotes)
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(raw, profile, &mut observations, &mut notes)?;
    let kind = sentence::kind(raw).map(readable);
    let title = Title {
        version: if kind.is_some() { "text" } else { "binary" },
        terminal: terminal_of(raw),
        message: kind.unwrap_or_else(|| "$".to_owned()),
        name: "report",
        serial: None,
    };
    Ok(notes.describe(title, observations))
}

fn terminal_of(raw: &[u8]) -> Option<TerminalId> {
    if let Some(head) = Head::of(raw) {
        let id = hex(head.id);
        return TerminalId::new(&id).filter(|_| id.bytes().all(|digit| digit.is_ascii_digit()));
    }
    let id = raw.strip_prefix(b"(")?.split(|byte| matches!(byte, b',' | b')')).next()?;
    text::terminal(id).filter(|_| id.iter().all(u8::is_ascii_digit))
}

fn read(
    raw: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    match raw.first() {
        Some(b'$') => binary::read(raw, profile, out, notes),
        _ => sentence::read(raw, profile, out, notes),
    }
}

#[cfg(test)]
mod tests;
