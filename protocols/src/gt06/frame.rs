//! Frames of the GT06 family: where one begins and ends, its length and its CRC.
//!
//! A frame ends where its length says, if there is a line end; otherwise at the first line end. So one damaged
//! length costs one frame. Nothing here knows what a message means.

use crate::octets::{from_bcd, pack_digits};
use crate::{RejectReason, TerminalId};

/// The longest frame that is accepted; the longest seen are pieces of pictures of about a thousand bytes.
pub const FRAME_BYTES_MAX: usize = 8 << 10;
/// What ends every frame.
pub const END: [u8; 2] = *b"\r\n";
/// The number of a log-in.
pub const LOG_IN: u8 = 0x01;

/// Serial and CRC.
const TAIL_BYTES: usize = 4;
const CRC: crc::Crc<u16, crc::Table<16>> = crc::Crc::<u16, crc::Table<16>>::new(&crc::CRC_16_IBM_SDLC);
static X25: crc::Crc<u16, crc::Table<16>> = CRC;

/// A frame taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of a frame")]
pub struct Frame<'a> {
    /// Whether it begins `79 79`.
    pub is_extended: bool,
    /// The number of the message.
    pub number: u8,
    /// The message.
    pub content: &'a [u8],
    /// Where the content begins in the frame.
    pub content_at: usize,
    /// The terminal's serial number; `None` in a Wi-Fi message without a tail.
    pub serial: Option<u16>,
    /// Whether the CRC is right.
    pub check_is_right: bool,
    /// The number of access points of a Wi-Fi message without a tail, which stands in place of its length.
    pub access_points: Option<u8>,
}

impl<'a> Frame<'a> {
    /// Takes a frame apart.
    ///
    /// # Errors
    /// When it is too short, or states a length that neither its end nor its CRC confirms.
    #[inline]
    pub fn parse(frame: &'a [u8]) -> Result<Self, RejectReason> {
        let (is_extended, stated, content_at) = match frame {
            [0x78, 0x78, length, ..] => (false, usize::from(*length), 4),
            [0x79, 0x79, high, low, ..] => (true, usize::from(u16::from_be_bytes([*high, *low])), 5),
            _ => return Err(RejectReason::Garbage),
        };
        let body = frame.strip_suffix(&END).unwrap_or(frame);
        let number = *body.get(content_at - 1).ok_or(RejectReason::Truncated)?;
        let rest = body.get(content_at..).unwrap_or(&[]);
        let is_as_stated = rest.len() + 1 == stated;
        if !is_as_stated && !is_extended && is_wifi(number, frame, rest) {
            return Ok(Self {
                is_extended,
                number,
                content: rest,
                content_at,
                serial: None,
                check_is_right: true,
                access_points: frame.get(2).copied(),
            });
        }
        let Some((content, &[s0, s1, c0, c1])) = rest.split_last_chunk::<TAIL_BYTES>() else {
            return Err(RejectReason::Truncated);
        };
        let covered = body.get(2..body.len() - 2).unwrap_or(&[]);
        let check_is_right = X25.checksum(covered) == u16::from_be_bytes([c0, c1]);
        if !is_as_stated && !check_is_right {
            return Err(RejectReason::Length);
        }
        let serial = Some(u16::from_be_bytes([s0, s1]));
        Ok(Self { is_extended, number, content, content_at, serial, check_is_right, access_points: None })
    }
}

/// Whether a frame is a Wi-Fi message without a tail: `time BCD[6], access points (address[6], strength BYTE),
/// cells BYTE, country WORD, network BYTE, cells (area WORD, cell WORD, strength BYTE)`, to the byte.
fn is_wifi(number: u8, frame: &[u8], content: &[u8]) -> bool {
    let (0x17 | 0x69, Some(points)) = (number, frame.get(2)) else { return false };
    let points_bytes = usize::from(*points) * 7;
    let Some(cells) = content.get(6 + points_bytes) else { return false };
    let is_time = content.iter().take(6).all(|byte| from_bcd(*byte).is_some());
    is_time && content.len() == 6 + points_bytes + 4 + usize::from(*cells) * 5
}

/// Where a frame that is as long as `stated` ends in `input`; `None` when more must come.
pub(crate) fn end_of(input: &[u8], stated: usize) -> Option<usize> {
    if input.get(stated - END.len()..stated)? == END {
        return Some(stated);
    }
    let from = 4;
    let found = memchr::memmem::find(input.get(from..)?, &END)?;
    Some(from + found + END.len())
}

/// Appends a frame, short where its content allows it.
///
/// # Panics
/// When `content` is longer than a frame may be: a caller's mistake, not an outside byte.
pub fn encode_frame(number: u8, content: &[u8], serial: u16, out: &mut Vec<u8>) {
    let length = 1 + content.len() + TAIL_BYTES;
    assert!(length + 6 <= FRAME_BYTES_MAX, "a frame holds at most {FRAME_BYTES_MAX} bytes");
    let start = out.len();
    match u8::try_from(length) {
        Ok(length) => out.extend_from_slice(&[0x78, 0x78, length]),
        Err(_) => {
            out.extend_from_slice(&[0x79, 0x79]);
            out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    close_frame(start, number, content, serial, out);
}

/// Appends a frame with the long length, whatever its content.
pub(crate) fn encode_extended(number: u8, content: &[u8], serial: u16, out: &mut Vec<u8>) {
    let start = out.len();
    let length = u16::try_from(1 + content.len() + TAIL_BYTES).unwrap_or(u16::MAX);
    out.extend_from_slice(&[0x79, 0x79]);
    out.extend_from_slice(&length.to_be_bytes());
    close_frame(start, number, content, serial, out);
}

fn close_frame(start: usize, number: u8, content: &[u8], serial: u16, out: &mut Vec<u8>) {
    out.push(number);
    out.extend_from_slice(content);
    out.extend_from_slice(&serial.to_be_bytes());
    let check = X25.checksum(out.get(start + 2..).unwrap_or(&[]));
    out.extend_from_slice(&check.to_be_bytes());
    out.extend_from_slice(&END);
}

/// Appends the log-in of a terminal whose name is at most sixteen digits; `false`, and nothing, of any other.
#[must_use]
pub fn encode_log_in(terminal: &TerminalId, serial: u16, out: &mut Vec<u8>) -> bool {
    let Some(name) = pack_digits::<8>(terminal.as_str()) else { return false };
    encode_frame(LOG_IN, &name, serial, out);
    true
}

/// The terminal that a log-in names.
pub(crate) fn terminal_of(name: [u8; 8]) -> Option<TerminalId> {
    let digits = crate::octets::hex(&name);
    // Fifteen digits of an IMEI behind a zero that fills the byte.
    TerminalId::new(digits.strip_prefix('0').unwrap_or(&digits))
}
