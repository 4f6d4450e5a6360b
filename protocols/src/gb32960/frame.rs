//! Frames of GB/T 32960.3: where one begins and ends, and its check byte.
//!
//! ```text
//! start BYTE[2] | command BYTE | answer BYTE | VIN[17] | encryption BYTE | length WORD | data unit | BCC
//! start: 23 23 = 2016, 24 24 = 2025; BCC = XOR from the command to the end of the data unit; big-endian
//! ```
//!
//! Nothing is escaped: the length alone says where a frame ends. Where a check byte is wrong and a whole frame with a
//! right one lies inside the stated length, the length was wrong, and reading goes on at the inner frame.
//!
//! This module knows nothing of what a data unit means.

use super::value::Encryption;
use super::wire::EncodeError;
use crate::framed::Cut;
use crate::jt808::frame::xor;
use crate::{RejectReason, TerminalId};

/// Bytes in front of the data unit.
pub const HEADER_BYTES: usize = 24;
/// The longest data unit.
pub const DATA_BYTES_MAX: usize = 65_531;
/// The longest frame.
pub const FRAME_BYTES_MAX: usize = HEADER_BYTES + DATA_BYTES_MAX + 1;

/// So many beginnings inside a broken frame are looked at, at most.
const INNER_FRAMES_MAX: usize = 64;

/// The answer byte of a command, which is no answer.
pub const IS_COMMAND: u8 = 0xfe;

/// Edition of the standard: each has its own start bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the editions with a layout of their own")]
pub enum Edition {
    /// GB/T 32960.3-2016, `##`.
    #[default]
    E2016,
    /// GB/T 32960.3-2025, `$$`.
    E2025,
}

impl Edition {
    /// The byte that begins a frame twice.
    #[must_use]
    pub const fn start(self) -> u8 {
        match self {
            Self::E2016 => b'#',
            Self::E2025 => b'$',
        }
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> &'static str {
        match self {
            Self::E2016 => "2016",
            Self::E2025 => "2025",
        }
    }

    const fn of_start(start: u8) -> Option<Self> {
        match start {
            b'#' => Some(Self::E2016),
            b'$' => Some(Self::E2025),
            _ => None,
        }
    }
}

/// One frame without its check byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the frame")]
pub struct Frame<'a> {
    /// By the start bytes.
    pub edition: Edition,
    /// The command.
    pub command: u8,
    /// [`IS_COMMAND`], or what the answer to a command is.
    pub answer: u8,
    /// The vehicle identification number as sent.
    pub vin: [u8; 17],
    /// How the data unit is encrypted.
    pub encryption: Encryption,
    /// The data unit.
    pub data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes a whole frame apart, and says whether its check byte is right.
    ///
    /// # Errors
    /// When it is none, or its length is not the stated one.
    pub fn parse(raw: &'a [u8]) -> Result<(Self, bool), RejectReason> {
        let Some((header, rest)) = raw.split_first_chunk::<HEADER_BYTES>() else {
            return Err(RejectReason::Truncated);
        };
        let &[start, again, command, answer, ref vin @ .., encryption, high, low] = header;
        let (Some(edition), true) = (Edition::of_start(start), start == again) else {
            return Err(RejectReason::Garbage);
        };
        let Some((_, data)) = rest.split_last() else { return Err(RejectReason::Truncated) };
        if data.len() != usize::from(u16::from_be_bytes([high, low])) {
            return Err(RejectReason::Length);
        }
        let is_right = xor(raw.get(2..).unwrap_or(&[])) == 0;
        let frame = Self { edition, command, answer, vin: *vin, encryption: Encryption(encryption), data };
        Ok((frame, is_right))
    }

    /// Whether it is a command and no answer to one.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        self.answer == IS_COMMAND
    }

    /// The vehicle as a terminal; `None` when the field holds none.
    #[must_use]
    pub fn terminal(&self) -> Option<TerminalId> {
        let len = self.vin.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
        TerminalId::new(std::str::from_utf8(self.vin.get(..len)?).ok()?)
    }

    /// Appends the frame with its check byte.
    ///
    /// # Errors
    /// When the data unit is too long.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let too_long = EncodeError::TooLong { limit: DATA_BYTES_MAX };
        let len = match u16::try_from(self.data.len()) {
            Ok(len) if usize::from(len) <= DATA_BYTES_MAX => len,
            _ => return Err(too_long),
        };
        let begin = out.len() + 2;
        out.extend_from_slice(&[self.edition.start(); 2]);
        out.extend_from_slice(&[self.command, self.answer]);
        out.extend_from_slice(&self.vin);
        out.push(self.encryption.0);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(self.data);
        out.push(xor(out.get(begin..).unwrap_or(&[])));
        Ok(())
    }
}

/// Finds the frame at the front of `input`; see [`crate::framed::Dialect::cut`].
#[must_use]
pub fn cut(input: &[u8]) -> Cut {
    match begin(input) {
        Begin::Whole(bytes) => {
            let inner = input.get(..bytes).and_then(inner_frame);
            inner.map_or(Cut::Frame(bytes), |at| Cut::Garbage(at, RejectReason::Length))
        }
        Begin::Part => Cut::Incomplete,
        Begin::No => {
            let could_begin = |at: &usize| !matches!(begin(input.get(*at..).unwrap_or(&[])), Begin::No);
            let next = memchr::memchr2_iter(b'#', b'$', input).filter(|at| *at > 0).find(could_begin);
            Cut::Garbage(next.unwrap_or(input.len()), RejectReason::Garbage)
        }
    }
}

/// What some bytes are the beginning of.
enum Begin {
    No,
    Part,
    Whole(usize),
}

/// Whether a frame could begin here. Looks at the start bytes, a possible VIN and the length alone.
fn begin(input: &[u8]) -> Begin {
    let Some(&start) = input.first() else { return Begin::Part };
    if Edition::of_start(start).is_none() || input.get(1).is_some_and(|again| *again != start) {
        return Begin::No;
    }
    let is_of_name = |byte: &u8| matches!(byte, 0 | b' '..=b'~' | 0xff);
    if !input.iter().take(21).skip(4).all(is_of_name) {
        return Begin::No;
    }
    let Some(&[high, low]) = input.get(22..HEADER_BYTES).and_then(<[u8]>::first_chunk) else {
        return Begin::Part;
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    let bytes = HEADER_BYTES + len + 1;
    match len {
        0..=DATA_BYTES_MAX if input.len() >= bytes => Begin::Whole(bytes),
        0..=DATA_BYTES_MAX => Begin::Part,
        _ => Begin::No,
    }
}

/// Where, inside a frame whose check byte is wrong, a whole frame with a right one begins.
fn inner_frame(frame: &[u8]) -> Option<usize> {
    if xor(frame.get(2..)?) == 0 {
        return None;
    }
    let wholes = memchr::memchr2_iter(b'#', b'$', frame).skip(1).filter_map(|at| {
        let rest = frame.get(at..)?;
        match begin(rest) {
            Begin::Whole(bytes) => Some((at, rest.get(..bytes)?)),
            _ => None,
        }
    });
    wholes
        .take(INNER_FRAMES_MAX)
        .find(|(_, inner)| matches!(Frame::parse(inner), Ok((_, true))))
        .map(|(at, _)| at)
}
