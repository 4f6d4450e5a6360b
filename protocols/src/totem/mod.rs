//! Totem: AT05, AT07, AT09 and their successors.
//!
//! Written from the maker's public protocol sheets, from Traccar's test vectors and published decoder, and from
//! general knowledge. Two generations of one line, each with its length in front and a check behind its last `|`
//! (or behind its serial number):
//!
//! ```text
//! $$ LL   IMEI | AA $GPRMC,…*HH | PDOP | HDOP | VDOP | IO | yyyyMMddHHmmss | VOLTS | ADC | CELL | T | KM | SERIAL | CCCC
//! $$ DDDD TT IMEI | …position without separators… SERIAL HH
//! ```
//!
//! LL is the length of the whole line in hex and CCCC a CRC-16/MODBUS over what stands before it; DDDD is the
//! length in decimal and HH the exclusive or. TT or AA is what happened, `AA` for nothing. Times are UTC. What the
//! length says and the line does not hold is a wrong check, so that a line end always ends a frame. Older lines
//! without the sentence RMC, and those of the cloud box (`E5`), are kept as text.
//!
//! **Answers** wait for the disk: `ACK OK` to the older, `$$0014AA SERIAL HH` to the newer generation.

mod newer;
mod older;

use serde_json::Value;

use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::readable;
use crate::{
    DecodeError, Description, Observation, Observations, Profile, Protocol, RejectReason, Session,
    SessionLimits, TerminalId, UtcMillis, text,
};

pub use newer::encode_report;

/// Lines may end with a line end.
pub(crate) const TERMINATOR: &[u8] = b"\r\n";

const FRAME_BYTES_MAX: usize = 2 << 10;
const BEGIN: &[u8] = b"$$";
/// `$$` and the length.
const HEAD_BYTES: usize = 6;
const MODBUS: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_MODBUS);

/// The parts of a line.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    is_newer: bool,
    kind: &'a [u8],
    terminal: TerminalId,
    /// What follows the first `|`, without the check.
    body: &'a [u8],
    check_is_right: bool,
}

/// The generation and the stated length, from the first bytes of a line. A length in hex never begins with 0, one
/// in decimal of fewer than a thousand always does.
fn head(input: &[u8]) -> Option<(bool, usize)> {
    let digits = input.get(BEGIN.len()..HEAD_BYTES)?;
    let is_newer = digits.first() == Some(&b'0');
    let length = if is_newer { text::digits(digits) } else { text::hex(digits.get(..2)?) };
    Some((is_newer, usize::try_from(length?).ok()?))
}

impl<'a> Line<'a> {
    fn of(raw: &'a [u8]) -> Option<Self> {
        let line = raw.trim_ascii_end();
        let (is_newer, length) = head(line).filter(|_| line.starts_with(BEGIN))?;
        let bar = memchr::memchr(b'|', line)?;
        let check_bytes = if is_newer { 2 } else { 4 };
        let (checked, check) = line.split_at_checked(line.len().checked_sub(check_bytes)?)?;
        let id_at = if is_newer { 8 } else { 4 };
        let id = line.get(id_at..bar)?;
        let terminal = text::terminal(id).filter(|_| id.iter().all(u8::is_ascii_digit))?;
        let body = checked.get(bar + 1..)?;
        let sum = if is_newer {
            u64::from(checked.iter().fold(0, |sum, byte| sum ^ byte))
        } else {
            u64::from(MODBUS.checksum(checked))
        };
        let kind = if is_newer { line.get(6..8) } else { body.get(..2) }?;
        let check_is_right = text::hex(check) == Some(sum) && length == line.len();
        Some(Self { is_newer, kind, terminal, body, check_is_right })
    }

    fn is_with_position(&self) -> bool {
        self.is_newer && !self.kind.starts_with(b"E")
    }
}

#[derive(Debug)]
struct Totem;

impl Dialect for Totem {
    const PROTOCOL: Protocol = Protocol::Totem;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let space = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)).count();
        if space > 0 {
            return Cut::Space(space);
        }
        if !input.starts_with(BEGIN) && input != b"$" {
            let next = memchr::memchr2(b'$', b'\r', input.get(1..).unwrap_or(&[]));
            return Cut::Garbage(next.map_or(input.len(), |at| at + 1), RejectReason::Garbage);
        }
        if input.len() < HEAD_BYTES {
            return Cut::Incomplete;
        }
        let Some((_, length)) =
            head(input).filter(|(_, length)| (HEAD_BYTES..FRAME_BYTES_MAX).contains(length))
        else {
            return Cut::Garbage(BEGIN.len(), RejectReason::Length);
        };
        match memchr::memchr2(b'\r', b'\n', input.get(..length).unwrap_or(input)) {
            Some(end) => Cut::Frame(end),
            None if input.len() < length => Cut::Incomplete,
            None => Cut::Frame(length),
        }
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let line = Line::of(frame).ok_or(RejectReason::Malformed)?;
        Ok(Heard::report(Some(line.terminal)).checked(line.check_is_right))
    }

    fn answer(&mut self, _now: UtcMillis, frame: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        let (Some(line), Verdict::Accepted) = (Line::of(frame), verdict) else { return };
        if !line.is_newer {
            out.extend_from_slice(b"ACK OK\r\n");
            return;
        }
        let serial = newer::serial(line.body).filter(|_| line.is_with_position());
        if let Some(serial) = serial {
            let answer = format!("$$0014AA{serial}");
            let sum = answer.bytes().fold(0, |sum, byte| sum ^ byte);
            out.extend_from_slice(format!("{answer}{sum:02X}").as_bytes());
        }
    }
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Totem, limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Totem, input)
}

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&line_of(raw, profile)?, profile, out, &mut NoNotes);
    Ok(())
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let line = line_of(raw, profile)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&line, profile, &mut observations, &mut notes);
    let serial = newer::serial(line.body).filter(|_| line.is_with_position());
    let title = Title {
        version: if line.is_newer { "newer" } else { "older" },
        terminal: Some(line.terminal),
        message: readable(line.kind),
        name: "report",
        serial: serial.and_then(|serial| serial.parse().ok()),
    };
    Ok(notes.describe(title, observations))
}

fn line_of<'a>(raw: &'a [u8], profile: &Profile) -> Result<Line<'a>, DecodeError> {
    let line = Line::of(raw).ok_or_else(|| DecodeError::new(0, "malformed"))?;
    if line.check_is_right || profile.lenient_checksum {
        Ok(line)
    } else {
        Err(DecodeError::new(raw.len(), RejectReason::Checksum.as_str()))
    }
}

fn read(line: &Line<'_>, profile: &Profile, out: &mut Observations, notes: &mut impl Notes) {
    let is_read = if !line.is_newer {
        older::read(line.body, profile, out, notes)
    } else if line.is_with_position() {
        newer::read(line.kind, line.body, profile, out, notes)
    } else {
        newer::read_place(line.kind, line.body, profile, out, notes)
    };
    if is_read.is_none() {
        let kind = text::hex(line.kind).and_then(|kind| u16::try_from(kind).ok());
        out.other.push(Observation::Other { message_id: kind.unwrap_or(0) });
        notes.of_message("text", || Value::from(readable(line.body)));
    }
}

#[cfg(test)]
mod tests;
