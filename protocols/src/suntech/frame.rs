//! Where a report begins and ends, and which of the four forms it has.

use crate::framed::Cut;
use crate::{RejectReason, text};

/// The longest report: the data of an external device are 500 bytes at most.
pub(super) const FRAME_BYTES_MAX: usize = 2 << 10;

const STX: u8 = 0x02;
const ETX: u8 = 0x03;
/// `STX` or the header, and the length.
const BINARY_HEAD_BYTES: usize = 3;
/// What zip has around its content: `STX`, length, `ETX`.
const ZIP_FRAME_BYTES: usize = 4;
/// From the latitude of a report with external data to the length of these data.
const LATITUDE_TO_LENGTH: usize = 9;

/// Finds the report at the front of `input`.
pub(super) fn cut(input: &[u8]) -> Cut {
    match input {
        [b'\r' | b'\n' | 0, ..] => {
            Cut::Space(input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | 0)).count())
        }
        [b'A'..=b'Z', ..] => match line_end(input) {
            Some(end) => Cut::Frame(end),
            None => Cut::Incomplete,
        },
        [STX | 0x80..=0xff, high, low, ..] => {
            let around = if input.first() == Some(&STX) { ZIP_FRAME_BYTES } else { BINARY_HEAD_BYTES };
            let bytes = usize::from(u16::from_be_bytes([*high, *low])) + around;
            if bytes > FRAME_BYTES_MAX {
                Cut::Garbage(1, RejectReason::TooLong)
            } else if bytes > input.len() {
                Cut::Incomplete
            } else {
                Cut::Frame(bytes)
            }
        }
        [STX | 0x80..=0xff, ..] => Cut::Incomplete,
        _ => {
            let begins = |byte: &u8| matches!(*byte, b'A'..=b'Z' | STX | 0x80..=0xff | b'\r' | b'\n');
            Cut::Garbage(input.iter().position(begins).unwrap_or(input.len()), RejectReason::Garbage)
        }
    }
}

/// Where the line at the front ends, behind its CR. External data are passed over.
fn line_end(input: &[u8]) -> Option<usize> {
    let from = match external_data(input) {
        External::None => 0,
        External::NotYet => return None,
        External::At { start, bytes } => start + bytes,
    };
    memchr::memchr(b'\r', input.get(from..)?).map(|at| from + at + 1)
}

/// The data of an external device in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum External {
    /// The line holds none.
    None,
    /// More bytes are needed to tell.
    NotYet,
    /// So many bytes from there on.
    At { start: usize, bytes: usize },
}

/// Finds the data of an external device in the line at the front of `input`.
pub(super) fn external_data(input: &[u8]) -> External {
    let is_external = match input.get(..9) {
        Some(header) => header.ends_with(b"UEX;"),
        None if input.contains(&b'\r') => false,
        None => return External::NotYet,
    };
    if !is_external {
        return External::None;
    }
    let mut start = 0;
    let mut latitude = None;
    for (number, field) in input.split(|byte| *byte == b';').enumerate() {
        let end = start + field.len();
        if field.contains(&b'\r') {
            return External::None;
        }
        if end == input.len() {
            return External::NotYet;
        }
        if latitude.is_none() && is_place(field) {
            latitude = Some(number);
        }
        if latitude.is_some_and(|latitude| number == latitude + LATITUDE_TO_LENGTH) {
            let bytes = text::digits(field).and_then(|bytes| usize::try_from(bytes).ok());
            return match bytes.filter(|bytes| *bytes < FRAME_BYTES_MAX) {
                Some(bytes) => External::At { start: end + 1, bytes },
                None => External::None,
            };
        }
        start = end + 1;
    }
    External::None
}

/// Whether a field is degrees: signed, with a point.
pub(super) fn is_place(field: &[u8]) -> bool {
    matches!(field.first(), Some(b'+' | b'-')) && field.contains(&b'.')
}

/// A report in one of its forms.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'a> {
    /// A line without its CR.
    Text(&'a [u8]),
    /// Zip: what follows the identity, up to the end.
    Zip { header: u8, id: &'a [u8; 5], body: &'a [u8] },
    /// Universal in binary: what follows the identity.
    Universal { header: u8, id: &'a [u8; 5], body: &'a [u8] },
}

impl<'a> Form<'a> {
    pub(super) fn of(raw: &'a [u8]) -> Option<Self> {
        match raw {
            [STX, high, low, content @ .., ETX] => {
                let (header, rest) = content.split_first()?;
                let (id, body) = rest.split_first_chunk::<5>()?;
                let is_whole = content.len() == usize::from(u16::from_be_bytes([*high, *low]));
                is_whole.then_some(Self::Zip { header: *header, id, body })
            }
            [header @ 0x80..=0xff, high, low, content @ ..] => {
                let (id, body) = content.split_first_chunk::<5>()?;
                let is_whole = content.len() == usize::from(u16::from_be_bytes([*high, *low]));
                is_whole.then_some(Self::Universal { header: *header, id, body })
            }
            [b'A'..=b'Z', ..] => {
                let line = raw.strip_suffix(b"\r").unwrap_or(raw);
                line.contains(&b';').then_some(Self::Text(line))
            }
            _ => None,
        }
    }
}
