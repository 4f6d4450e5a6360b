//! Frames of the T8 series: header, type, length, serial, IMEI.

use crate::octets::{from_bcd, hex, pack_digits};
use crate::{RejectReason, TerminalId};

/// The longest frame that is accepted.
pub const FRAME_BYTES_MAX: usize = 2 << 10;
/// Bytes before the content.
pub const HEAD_BYTES: usize = 15;

/// Which models a frame is of, told by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the four headers of the document")]
pub enum Series {
    /// `23 23`
    First,
    /// `25 25`
    Inputs,
    /// `26 26`
    Vehicle,
    /// `27 27`
    Solar,
}

impl Series {
    /// The series with that byte, twice, as header.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x23 => Self::First,
            0x25 => Self::Inputs,
            0x26 => Self::Vehicle,
            0x27 => Self::Solar,
            _ => return None,
        })
    }

    /// The byte of the header.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::First => 0x23,
            Self::Inputs => 0x25,
            Self::Vehicle => 0x26,
            Self::Solar => 0x27,
        }
    }
}

/// Where, behind the first byte, the next frame could begin: at two equal bytes of a header, or at one at the end.
pub(crate) fn next_begin(input: &[u8]) -> usize {
    let begins = |at: &usize| {
        let (first, second) = (input.get(*at), input.get(at + 1));
        second.is_none() || second == first
    };
    let rest = input.get(1..).unwrap_or(&[]);
    let of_first = memchr::memchr_iter(Series::First.byte(), rest).map(|at| at + 1).find(begins);
    // No further than that.
    let nearer = rest.get(..of_first.map_or(rest.len(), |at| at - 1)).unwrap_or(rest);
    let [inputs, vehicle, solar] = [Series::Inputs, Series::Vehicle, Series::Solar].map(Series::byte);
    let of_others = memchr::memchr3_iter(inputs, vehicle, solar, nearer).map(|at| at + 1).find(begins);
    of_others.or(of_first).unwrap_or(input.len())
}

/// A frame taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of a frame")]
pub struct Frame<'a> {
    /// Which models it is of.
    pub series: Series,
    /// What it is.
    pub kind: u8,
    /// The terminal's serial number.
    pub serial: u16,
    /// The IMEI as sent.
    pub name: [u8; 8],
    /// What it says.
    pub content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes a frame apart.
    ///
    /// # Errors
    /// When its header, length or IMEI is none.
    pub fn parse(frame: &'a [u8]) -> Result<Self, RejectReason> {
        let Some((&[first, second, kind, l0, l1, s0, s1, name @ ..], content)) =
            frame.split_first_chunk::<HEAD_BYTES>()
        else {
            return Err(RejectReason::Truncated);
        };
        let series = Series::from_byte(first).filter(|_| first == second).ok_or(RejectReason::Garbage)?;
        if usize::from(u16::from_be_bytes([l0, l1])) != frame.len() {
            return Err(RejectReason::Length);
        }
        if name[0] >> 4 != 0 || name.iter().any(|byte| from_bcd(*byte).is_none()) {
            return Err(RejectReason::Malformed);
        }
        Ok(Self { series, kind, serial: u16::from_be_bytes([s0, s1]), name, content })
    }

    /// The terminal that sent it.
    pub(crate) fn terminal(&self) -> Option<TerminalId> {
        let digits = hex(&self.name);
        TerminalId::new(digits.strip_prefix('0').unwrap_or(&digits))
    }
}

/// Appends a frame of a terminal whose name is at most fifteen digits; `false`, and nothing, of any other or when
/// the content is too long.
#[must_use]
pub fn encode_frame(
    series: Series,
    kind: u8,
    serial: u16,
    terminal: &TerminalId,
    content: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let name = pack_digits::<8>(terminal.as_str()).filter(|name| name[0] >> 4 == 0);
    let (Some(name), true) = (name, HEAD_BYTES + content.len() <= FRAME_BYTES_MAX) else { return false };
    write(&Frame { series, kind, serial, name, content }, out);
    true
}

/// Appends a frame; its content must have room in it.
pub(crate) fn write(frame: &Frame<'_>, out: &mut Vec<u8>) {
    let length = u16::try_from(HEAD_BYTES + frame.content.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&[frame.series.byte(), frame.series.byte(), frame.kind]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&frame.serial.to_be_bytes());
    out.extend_from_slice(&frame.name);
    out.extend_from_slice(frame.content);
}
