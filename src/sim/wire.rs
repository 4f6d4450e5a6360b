//! The terminal's side of JT/T 808-2013 on the wire, made for speed: frames are built into one growing buffer,
//! answers are read in place.
//!
//! ```text
//! 7e | id WORD | properties WORD | phone BCD[6] | serial WORD | body | check BYTE | 7e      (then 7e → 7d 02, 7d → 7d 01)
//! ```
//!
//! Frames, escapes, check bytes and position bodies are those of `motorpool-protocols`; what this module adds is
//! what a load generator needs: a terminal number as BCD, frames made of finished bytes, a clock that does not
//! do the calendar anew for every second, and replies read without building anything.

use std::fmt;

use motorpool_protocols::jt808::{bcd, encode_location, frame};
use motorpool_protocols::{Fix, Profile, UtcMillis};

/// Position report, 0x0200.
pub const POSITION: u16 = 0x0200;
/// Batch of positions, 0x0704.
pub const POSITION_BATCH: u16 = 0x0704;
/// Heartbeat, 0x0002.
pub const HEARTBEAT: u16 = 0x0002;
/// Registration, 0x0100.
pub const REGISTER: u16 = 0x0100;
/// Authentication, 0x0102.
pub const AUTHENTICATE: u16 = 0x0102;
/// The platform's general reply, 0x8001.
pub const GENERAL_REPLY: u16 = 0x8001;
/// The platform's reply to a registration, 0x8100.
pub const REGISTER_REPLY: u16 = 0x8100;

/// The largest body of one frame (10 bits of the properties).
pub const BODY_MAX: usize = frame::BODY_BYTES_MAX;
/// Length of the header of the 2013 edition without packet items.
pub const HEADER_LEN: usize = 12;
/// BCD times of the standard are in GMT+8.
const TIME_OFFSET_S: i32 = 8 * 3_600;

/// A terminal's number: 12 decimal digits, sent as BCD\[6\] (JT/T 808-2013 table 2, terminal phone number).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Phone([u8; 6]);

impl Phone {
    /// The number with these digits; fewer than 12 are filled up with leading zeros. `None` when `digits` is
    /// empty, longer than 12 or not decimal.
    #[must_use]
    pub fn new(digits: &str) -> Option<Self> {
        if digits.is_empty() || digits.len() > 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok().and_then(Self::from_number)
    }

    /// The number with this value, or `None` when it has more than 12 digits.
    #[must_use]
    pub fn from_number(mut number: u64) -> Option<Self> {
        let mut bytes = [0; 6];
        for byte in bytes.iter_mut().rev() {
            *byte = two_digits((number % 100) as u8);
            number /= 100;
        }
        (number == 0).then_some(Self(bytes))
    }

    /// The BCD bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const fn two_digits(value: u8) -> u8 {
    value / 10 * 16 + value % 10
}

/// Turns consecutive times into BCD without doing the calendar again within one day.
#[derive(Clone, Debug)]
pub struct BcdClock {
    /// Day since 1970 in GMT+8 whose date is in `date`.
    day: i64,
    date: [u8; 3],
}

impl Default for BcdClock {
    fn default() -> Self {
        Self { day: i64::MIN, date: [0; 3] }
    }
}

impl BcdClock {
    /// `yyMMddHHmmss` in GMT+8 of whole seconds since 1970-01-01T00:00:00Z.
    pub fn bcd(&mut self, unix_s: i64) -> [u8; 6] {
        let local = unix_s + i64::from(TIME_OFFSET_S);
        let day = local.div_euclid(86_400);
        if day != self.day {
            let [year, month, date, ..] = bcd::encode_time(UtcMillis(unix_s * 1_000), TIME_OFFSET_S);
            self.day = day;
            self.date = [year, month, date];
        }
        let of_day = local.rem_euclid(86_400) as u32;
        let [year, month, date] = self.date;
        let [hour, minute, second] =
            [of_day / 3_600, of_day / 60 % 60, of_day % 60].map(|field| two_digits(field as u8));
        [year, month, date, hour, minute, second]
    }
}

/// The header of a frame that is not a packet.
#[must_use]
pub fn header(message_id: u16, body_len: usize, phone: Phone, serial: u16) -> [u8; HEADER_LEN] {
    debug_assert!(body_len <= BODY_MAX);
    let [i0, i1] = message_id.to_be_bytes();
    let [l0, l1] = (body_len as u16).to_be_bytes();
    let [a, b, c, d, e, f] = phone.bytes();
    let [s0, s1] = serial.to_be_bytes();
    [i0, i1, l0, l1, a, b, c, d, e, f, s0, s1]
}

/// Appends a whole frame.
pub fn put_frame(out: &mut Vec<u8>, message_id: u16, phone: Phone, serial: u16, body: &[u8]) {
    let head = header(message_id, body.len(), phone, serial);
    let check = frame::xor(&head) ^ frame::xor(body);
    out.push(frame::DELIMITER);
    frame::escape(&head, out);
    frame::escape(body, out);
    frame::escape(&[check], out);
    out.push(frame::DELIMITER);
}

/// Appends the frame of a payload whose last byte is kept free for the check byte.
pub fn put_payload(out: &mut Vec<u8>, payload: &mut [u8]) {
    if let Some((check, head_and_body)) = payload.split_last_mut() {
        *check = frame::xor(head_and_body);
    }
    out.push(frame::DELIMITER);
    frame::escape(payload, out);
    out.push(frame::DELIMITER);
}

/// Offsets in the body of a position report (JT/T 808-2013 table 23).
pub mod position {
    /// Latitude DWORD, 1e-6 degrees.
    pub const LATITUDE: usize = 8;
    /// Longitude DWORD, 1e-6 degrees.
    pub const LONGITUDE: usize = 12;
    /// Direction WORD, degrees.
    pub const DIRECTION: usize = 20;
    /// Time BCD\[6\].
    pub const TIME: usize = 22;
}

/// Appends the body of a position report (table 23) with the items that the fix has fields for.
pub fn put_position(out: &mut Vec<u8>, fix: &Fix) {
    encode_location(fix, &[], &Profile::default(), out);
}

/// Appends the body of a blind-area batch (0x0704 type 1): count WORD, type BYTE, items of length WORD and body.
///
/// `positions` are bodies as [`put_position`] makes them.
pub fn put_blind_area_batch<'a>(out: &mut Vec<u8>, positions: impl ExactSizeIterator<Item = &'a [u8]>) {
    out.extend_from_slice(&(positions.len() as u16).to_be_bytes());
    out.push(1);
    for body in positions {
        out.extend_from_slice(&(body.len() as u16).to_be_bytes());
        out.extend_from_slice(body);
    }
}

/// The body of a registration (table 7, 2013): province and county WORD, maker \[5\], model \[20\], terminal id
/// \[7\], plate colour BYTE, plate STRING in GBK. The plate here is ASCII or empty.
#[must_use]
pub fn register_body(phone: Phone) -> Vec<u8> {
    let mut body = Vec::with_capacity(44);
    body.extend_from_slice(&[0, 0, 0, 0]);
    body.extend_from_slice(b"MPSIM");
    body.extend_from_slice(b"simulated\0\0\0\0\0\0\0\0\0\0\0");
    let digits = phone.to_string();
    body.extend_from_slice(digits.as_bytes().get(5..).unwrap_or(b"0000000"));
    body.push(0);
    // Plate colour 0: what follows is a VIN. The letters I, O and Q never stand in one, so this is nobody's.
    body.extend_from_slice(b"OIQ00");
    body.extend_from_slice(digits.as_bytes());
    body
}

/// A message of the platform.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply<'a> {
    /// 0x8001: answered serial, answered message id, result (0 = ok).
    General {
        /// The serial number it answers.
        serial: u16,
        /// The message it answers.
        message_id: u16,
        /// 0 ok, 1 failed, 2 bad message, 3 unsupported, 4 alarm handled.
        result: u8,
    },
    /// 0x8100: result (0 = ok) and the authentication code.
    Registered {
        /// The serial number it answers.
        serial: u16,
        /// 0 ok, 1 vehicle already registered, 2 no such vehicle, 3 terminal already registered, 4 no such terminal.
        result: u8,
        /// The code to log in with.
        code: &'a [u8],
    },
    /// Anything else.
    Other {
        /// Its message id.
        message_id: u16,
    },
}

/// A reply that breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed reply: {0}")]
pub struct BadReply(pub &'static str);

/// Reads the replies in a stream.
#[derive(Debug, Default)]
pub struct ReplyReader {
    splitter: frame::Splitter,
    scratch: Vec<u8>,
}

impl ReplyReader {
    /// Takes whole replies from the front of `input`, gives each to `on_reply`, and says how many bytes are
    /// done with; offer the rest again, followed by what arrives next.
    ///
    /// # Errors
    /// At the first bytes that are no reply.
    pub fn read(&mut self, input: &[u8], mut on_reply: impl FnMut(Reply<'_>)) -> Result<usize, BadReply> {
        let mut done = 0;
        while let Some(piece) = self.splitter.next(input, &mut done) {
            let frame::Piece::Frame(content) = piece else { return Err(BadReply("not a frame")) };
            let payload = if content.escaped {
                self.scratch.resize(content.bytes.len(), 0);
                frame::unescape(content.bytes, &mut self.scratch).map_err(|_| BadReply("escape"))?
            } else {
                content.bytes
            };
            on_reply(parse(payload)?);
        }
        Ok(done)
    }
}

fn parse(payload: &[u8]) -> Result<Reply<'_>, BadReply> {
    if frame::xor(payload) != 0 {
        return Err(BadReply("checksum"));
    }
    let (Some(message_id), Some(properties)) = (word(payload, 0), word(payload, 2)) else {
        return Err(BadReply("truncated"));
    };
    let body_at = if properties & 0x4000 == 0 { HEADER_LEN } else { 17 };
    let body = payload.get(body_at..payload.len().saturating_sub(1)).ok_or(BadReply("truncated"))?;
    if properties & 0x2000 == 0 && body.len() != usize::from(properties & 0x3ff) {
        return Err(BadReply("length"));
    }
    Ok(match message_id {
        GENERAL_REPLY => match (word(body, 0), word(body, 2), body.get(4)) {
            (Some(serial), Some(message_id), Some(result)) => {
                Reply::General { serial, message_id, result: *result }
            }
            _ => return Err(BadReply("truncated")),
        },
        REGISTER_REPLY => match (word(body, 0), body.get(2)) {
            (Some(serial), Some(result)) => {
                Reply::Registered { serial, result: *result, code: body.get(3..).unwrap_or(&[]) }
            }
            _ => return Err(BadReply("truncated")),
        },
        message_id => Reply::Other { message_id },
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use motorpool_protocols::TerminalId;
    use motorpool_protocols::jt808::{Header, Version, encode_frame};
    use proptest::prelude::*;

    #[test]
    fn phones_are_twelve_digits() {
        assert_eq!(Phone::new("13912345678").unwrap().to_string(), "013912345678");
        assert_eq!(Phone::new("013912345678").unwrap().bytes(), [0x01, 0x39, 0x12, 0x34, 0x56, 0x78]);
        for bad in ["", "1234567890123", "12a", "-1", "１２"] {
            assert_eq!(Phone::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn frames_are_those_of_the_codec() {
        let phone = Phone::new("13912345678").unwrap();
        let body = [0x7e, 0x7d, 1, 2, 3];
        let (mut ours, mut of_payload, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        put_frame(&mut ours, POSITION, phone, 0x7e7d, &body);
        let mut payload = header(POSITION, body.len(), phone, 0x7e7d).to_vec();
        payload.extend_from_slice(&body);
        payload.push(0);
        put_payload(&mut of_payload, &mut payload);
        let terminal = TerminalId::new("013912345678").unwrap();
        encode_frame(&Header::new(POSITION, Version::V2013, terminal, 0x7e7d), &body, &mut theirs);
        assert_eq!(ours, theirs);
        assert_eq!(of_payload, theirs);
    }

    #[test]
    fn offsets_are_those_of_the_codec() {
        let fix = Fix {
            course_deg: Some(0x0123),
            ..Fix::new(UtcMillis(1_531_620_610_000), 331_234_560, 1_041_234_560)
        };
        let mut body = Vec::new();
        put_position(&mut body, &fix);
        let bytes = |at: usize, n: usize| body[at..at + n].to_vec();
        assert_eq!(bytes(position::LATITUDE, 4), 33_123_456_u32.to_be_bytes());
        assert_eq!(bytes(position::LONGITUDE, 4), 104_123_456_u32.to_be_bytes());
        assert_eq!(bytes(position::DIRECTION, 2), [0x01, 0x23]);
        assert_eq!(bytes(position::TIME, 6), [0x18, 0x07, 0x15, 0x10, 0x10, 0x10]);
    }

    #[test]
    fn replies_are_found_in_a_stream_however_it_is_cut() {
        let phone = Phone::new("13912345678").unwrap();
        let mut stream = Vec::new();
        // Serial 0x7e7d makes escapes necessary.
        put_frame(&mut stream, GENERAL_REPLY, phone, 0, &[0x7e, 0x7d, 0x02, 0x00, 0]);
        stream.push(frame::DELIMITER);
        put_frame(&mut stream, REGISTER_REPLY, phone, 1, b"\x00\x05\x00code");
        put_frame(&mut stream, 0x8104, phone, 2, &[]);
        for cut in 0..=stream.len() {
            let mut seen = Vec::new();
            let mut reader = ReplyReader::default();
            let done = reader.read(&stream[..cut], |reply| seen.push(format!("{reply:?}"))).unwrap();
            assert!(done <= cut);
            reader.read(&stream[done..], |reply| seen.push(format!("{reply:?}"))).unwrap();
            assert_eq!(
                seen,
                [
                    "General { serial: 32381, message_id: 512, result: 0 }",
                    "Registered { serial: 5, result: 0, code: [99, 111, 100, 101] }",
                    "Other { message_id: 33028 }",
                ],
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_damaged_reply_is_an_error() {
        let mut damaged = Vec::new();
        put_frame(&mut damaged, GENERAL_REPLY, Phone::new("1").unwrap(), 0, &[0, 1, 2, 0, 0]);
        damaged[14] ^= 0x10;
        assert_eq!(ReplyReader::default().read(&damaged, |_| ()), Err(BadReply("checksum")));
        assert_eq!(ReplyReader::default().read(b"HTTP/1.1", |_| ()), Err(BadReply("not a frame")));
    }

    proptest! {
        #[test]
        fn outside_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let done = ReplyReader::default().read(&bytes, |_| ());
            prop_assert!(done.is_err() || done.unwrap() <= bytes.len());
        }

        #[test]
        fn the_bcd_clock_agrees_with_the_calendar(times in proptest::collection::vec(946_700_000..4_000_000_000_i64, 1..50)) {
            let mut clock = BcdClock::default();
            for unix_s in times {
                prop_assert_eq!(clock.bcd(unix_s), bcd::encode_time(UtcMillis(unix_s * 1_000), TIME_OFFSET_S));
                prop_assert_eq!(clock.bcd(unix_s + 1), bcd::encode_time(UtcMillis(unix_s * 1_000 + 1_000), TIME_OFFSET_S));
            }
        }
    }
}
