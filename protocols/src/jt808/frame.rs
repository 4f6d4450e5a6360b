//! Frames of JT/T 808: where one begins and ends, escapes, the check byte.
//!
//! ```text
//! 7e | header | body | check | 7e          everything big-endian
//!      \________ escaped ________/          7e -> 7d 02, 7d -> 7d 01
//! check = XOR of header and body, taken before escaping; the check byte itself can be escaped
//! ```
//!
//! The bytes between two delimiters are the frame's *content* (still escaped); unescaped, with the check byte
//! at its end, they are its *payload*.
//!
//! Neighbouring frames may share one delimiter or have one each; delimiters with nothing between them are
//! passed over. So every `7e` ends what came before it and begins what comes after it, and the stream
//! resynchronises at every delimiter whatever was damaged before it.
//!
//! This module knows nothing of what a message means and never waits for more than [`FRAME_BYTES_MAX`] bytes.
//! The dialect with the delimiter `e7` is not spoken here.

use crate::RejectReason;
use crate::jt808::header::{HEADER_BYTES_MAX, Header, Packet};

/// The byte at both ends of a frame.
pub const DELIMITER: u8 = 0x7e;
/// The byte that begins an escape.
pub const ESCAPE: u8 = 0x7d;
/// The largest body of one frame: ten bits of length.
pub const BODY_BYTES_MAX: usize = 0x3ff;
/// The largest payload: header of 2019 with packet items, body, check byte.
pub const PAYLOAD_BYTES_MAX: usize = HEADER_BYTES_MAX + BODY_BYTES_MAX + 1;
/// The largest content: every byte of the payload escaped.
pub const CONTENT_BYTES_MAX: usize = 2 * PAYLOAD_BYTES_MAX;
/// The largest frame with both delimiters.
pub const FRAME_BYTES_MAX: usize = CONTENT_BYTES_MAX + 2;

/// Appends one frame: delimiters, header, body and check byte, escaped.
///
/// The length in the header is the body's; a body that needs several frames goes through
/// [`encode_message`].
///
/// # Panics
/// When `body` is longer than [`BODY_BYTES_MAX`]: a caller's mistake, not an outside byte.
pub fn encode_frame(header: &Header, body: &[u8], out: &mut Vec<u8>) {
    assert!(body.len() <= BODY_BYTES_MAX, "a frame holds at most {BODY_BYTES_MAX} bytes of body");
    let mut bytes = [0; HEADER_BYTES_MAX];
    let head = header.encode(body.len(), &mut bytes);
    write_frame(head, body, out);
}

/// Appends one frame of an encoded header and a body.
pub(crate) fn write_frame(head: &[u8], body: &[u8], out: &mut Vec<u8>) {
    let check = xor(head) ^ xor(body);
    out.reserve(head.len() + body.len() + 3);
    out.push(DELIMITER);
    escape(head, out);
    escape(body, out);
    escape(&[check], out);
    out.push(DELIMITER);
}

/// Appends one message in as many frames as its body needs and returns their number, at most 65,535.
///
/// A body up to [`BODY_BYTES_MAX`] is one frame without packet items; a longer one is cut into packets of that
/// size with serials from `header.serial` on. What `header.packet` holds is not used.
///
/// # Errors
/// [`RejectReason::TooLong`] when the body would need more than 65,535 packets; nothing is appended then.
pub fn encode_message(header: &Header, body: &[u8], out: &mut Vec<u8>) -> Result<u16, RejectReason> {
    if body.len() <= BODY_BYTES_MAX {
        encode_frame(&Header { packet: None, ..*header }, body, out);
        return Ok(1);
    }
    let total = u16::try_from(body.len().div_ceil(BODY_BYTES_MAX)).map_err(|_| RejectReason::TooLong)?;
    for (index, part) in (1..=total).zip(body.chunks(BODY_BYTES_MAX)) {
        let serial = header.serial.wrapping_add(index - 1);
        let packet = Some(Packet { total, index });
        encode_frame(&Header { serial, packet, ..*header }, part, out);
    }
    Ok(total)
}

/// Appends `bytes` with delimiters and escape bytes escaped.
pub fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr2(ESCAPE, DELIMITER, rest) {
        let (clean, tail) = rest.split_at(at);
        out.extend_from_slice(clean);
        let Some((&special, tail)) = tail.split_first() else { return };
        out.extend_from_slice(&[ESCAPE, if special == ESCAPE { 1 } else { 2 }]);
        rest = tail;
    }
    out.extend_from_slice(rest);
}

/// Writes the payload of an escaped `content` to the front of `out` and returns that part of it.
///
/// # Errors
/// [`RejectReason::Escape`] when an escape byte is followed by anything but 1 or 2 (or by nothing), and
/// [`RejectReason::TooLong`] when `out` is too small.
pub fn unescape<'a>(content: &[u8], out: &'a mut [u8]) -> Result<&'a [u8], RejectReason> {
    let mut rest = content;
    let mut written = 0;
    loop {
        let at = memchr::memchr(ESCAPE, rest);
        let (clean, tail) = rest.split_at(at.unwrap_or(rest.len()));
        let end = written + clean.len();
        out.get_mut(written..end).ok_or(RejectReason::TooLong)?.copy_from_slice(clean);
        written = end;
        let special = match tail {
            [] => return out.get(..written).ok_or(RejectReason::TooLong),
            [_, 1, ..] => ESCAPE,
            [_, 2, ..] => DELIMITER,
            _ => return Err(RejectReason::Escape),
        };
        *out.get_mut(written).ok_or(RejectReason::TooLong)? = special;
        written += 1;
        rest = tail.get(2..).unwrap_or(&[]);
    }
}

/// The content with its check byte escaped, where that is an escape byte that was not: some terminals escape a frame before
/// they append the check byte.
pub(crate) fn with_check_escaped(content: &[u8]) -> Option<Vec<u8>> {
    let [.., ESCAPE] = content else { return None };
    let mut repaired = content.to_vec();
    repaired.push(1);
    Some(repaired)
}

/// XOR of all bytes; of a whole payload it is 0 when the check byte is right.
#[must_use]
pub fn xor(bytes: &[u8]) -> u8 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = words.iter().fold(0, |sum, word| sum ^ u64::from_ne_bytes(*word));
    if let (Some(last), false) = (bytes.last_chunk::<8>(), rest.is_empty()) {
        // The last eight bytes without those that are in a word already.
        sum ^= u64::from_le_bytes(*last) >> (64 - 8 * rest.len());
    } else {
        sum ^= rest.iter().fold(0, |sum, byte| sum ^ u64::from(*byte));
    }
    sum ^= sum >> 32;
    sum ^= sum >> 16;
    sum ^= sum >> 8;
    sum.to_le_bytes()[0]
}

/// Whether `bytes` are eight or more and hold neither a delimiter nor an escape.
///
/// Looks at all of them without stopping, eight at a time, which for the length of a frame is faster than a search.
#[inline]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else { return false };
    // The last block overlaps the one before it: some bytes are looked at twice.
    bytes.as_chunks::<8>().0.iter().fold(special_bytes(last), |found, block| found | special_bytes(block))
        == 0
}

/// Not 0 when one of the bytes is a delimiter or an escape. In words: a loop over bytes is fast only as long as the compiler
/// chooses to make it one.
#[inline]
const fn special_bytes(block: &[u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let word = u64::from_ne_bytes(*block);
    let (delimiter, escape) = (word ^ (ONES * DELIMITER as u64), word ^ (ONES * ESCAPE as u64));
    // A byte that is 0 borrows from its high bit and had none.
    (delimiter.wrapping_sub(ONES) & !delimiter | escape.wrapping_sub(ONES) & !escape) & HIGH
}

/// What the splitter found next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a stream holds frames and what is not a frame")]
pub enum Piece<'a> {
    /// The bytes between two delimiters, never empty, not yet checked.
    Frame(Content<'a>),
    /// Bytes that belong to no frame.
    Refused {
        /// [`RejectReason::Garbage`] or [`RejectReason::TooLong`].
        reason: RejectReason,
        /// Where they begin in the input.
        at: usize,
        /// How many there are in the input.
        bytes: usize,
    },
}

/// The content of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Content<'a> {
    /// The bytes between the delimiters, still escaped.
    pub bytes: &'a [u8],
    /// Where they begin in the input; the closing delimiter follows them.
    pub at: usize,
    /// Whether there is an escape in them; without one they are the payload.
    pub escaped: bool,
}

/// Cuts a stream into [`Piece`]s. The same bytes give the same pieces however they arrive.
#[derive(Clone, Debug)]
pub struct Splitter {
    /// Bytes passed over since the last delimiter, or `None` when a frame may begin here.
    lost_bytes: Option<usize>,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { lost_bytes: Some(0) }
    }
}

impl Splitter {
    /// A splitter at the beginning of a stream: what comes before the first delimiter is garbage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next piece of `input` from `*at` on, which moves past what is done with.
    ///
    /// `None` when the rest is the beginning of a frame (at most [`CONTENT_BYTES_MAX`] bytes) or nothing.
    /// Endless bytes without a delimiter are reported once for every [`FRAME_BYTES_MAX`] of them.
    #[inline]
    pub fn next<'a>(&mut self, input: &'a [u8], at: &mut usize) -> Option<Piece<'a>> {
        loop {
            let rest = input.get(*at..)?;
            if *rest.first()? == DELIMITER {
                self.lost_bytes = None;
                *at += 1;
                continue;
            }
            if let Some(lost) = self.lost_bytes {
                match self.pass_over(lost, rest, at) {
                    Some(piece) => return Some(piece),
                    None => continue,
                }
            }
            let window = rest.get(..=CONTENT_BYTES_MAX).unwrap_or(rest);
            let first = memchr::memchr2(ESCAPE, DELIMITER, window);
            let escaped = first.is_some_and(|first| window.get(first) == Some(&ESCAPE));
            let end = match first {
                Some(first) if escaped => {
                    memchr::memchr(DELIMITER, window.get(first..).unwrap_or(&[])).map(|more| first + more)
                }
                other => other,
            };
            if let Some(end) = end {
                let content = Content { bytes: window.get(..end)?, at: *at, escaped };
                *at += end + 1;
                return Some(Piece::Frame(content));
            }
            if window.len() <= CONTENT_BYTES_MAX {
                return None;
            }
            let piece = Piece::Refused { reason: RejectReason::TooLong, at: *at, bytes: window.len() };
            *at += window.len();
            self.lost_bytes = Some(1);
            return Some(piece);
        }
    }

    /// Passes over bytes that belong to no frame, up to the next delimiter.
    #[cold]
    fn pass_over<'a>(&mut self, lost: usize, rest: &'a [u8], at: &mut usize) -> Option<Piece<'a>> {
        let bytes = memchr::memchr(DELIMITER, rest).unwrap_or(rest.len());
        // Report the first lost byte and then one in every FRAME_BYTES_MAX, so that the number of reports
        // depends on the bytes and not on how they were cut.
        let until_report = (FRAME_BYTES_MAX - lost % FRAME_BYTES_MAX) % FRAME_BYTES_MAX;
        let step = if bytes > until_report { until_report + 1 } else { bytes };
        let reported = (bytes > until_report).then_some(Piece::Refused {
            reason: RejectReason::Garbage,
            at: *at,
            bytes: step,
        });
        self.lost_bytes = Some(lost % FRAME_BYTES_MAX + step);
        *at += step;
        reported
    }
}

/// Whether the check byte at the end of `payload` is right.
#[inline]
pub(crate) fn check_is_right(payload: &[u8]) -> bool {
    xor(payload) == 0
}

/// One frame in the input of a session's call, with its delimiters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire<'a> {
    pub(crate) input: &'a [u8],
    /// Where the content begins.
    pub(crate) at: usize,
    /// Where the closing delimiter is.
    pub(crate) end: usize,
}

impl Wire<'_> {
    /// Appends the frame with both delimiters.
    #[inline]
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        // The byte before the content is its opening delimiter, unless that came in an earlier call.
        match self.at.checked_sub(1).and_then(|start| self.input.get(start..=self.end)) {
            Some(frame) => out.extend_from_slice(frame),
            None => {
                out.push(DELIMITER);
                out.extend_from_slice(self.input.get(self.at..=self.end).unwrap_or(&[]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_is_what_holds_neither_delimiter_nor_escape(
            bytes in prop::collection::vec(prop_oneof![8 => any::<u8>(), 1 => 0x7b..0x81_u8], 0..40),
        ) {
            let is_special = |byte: &u8| [DELIMITER, ESCAPE].contains(byte);
            prop_assert_eq!(is_plain(&bytes), bytes.len() >= 8 && !bytes.iter().any(is_special));
        }
    }
}
