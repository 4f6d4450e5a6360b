//! Frames of JT/T 809: where one begins and ends, escapes, the header, the checksum, the cipher.
//!
//! ```text
//! 5b | header | body | CRC | 5d                   everything big-endian
//!     \______ escaped _____/                      5b -> 5a 01, 5a -> 5a 02, 5d -> 5e 01, 5e -> 5e 02
//! header: length DWORD (with both flags, before escaping), serial DWORD, type WORD, access code DWORD,
//!         version BYTE[3], encryption BYTE, key DWORD, 2019: time of sending, UTC seconds, 8 bytes
//! CRC: CRC-16/CCITT, polynomial 1021, from ffff, over header and body as they are sent (encrypted), before escaping
//! ```
//!
//! No field tells the edition: the version bytes are what each pair of platforms agreed upon. A frame is of 2019 when
//! the eight bytes behind the key are a time from 2010 on, which begins with four zero bytes; no body of 2011 does.
//!
//! The cipher is a keystream out of a linear congruential generator with three numbers that the platforms agree upon:
//! it hides, it does not protect. Use a private line or TLS below it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::RejectReason;
use crate::framed::Cut;

/// The byte that begins a frame.
pub const BEGIN: u8 = 0x5b;
/// The byte that ends a frame.
pub const END: u8 = 0x5d;
/// The longest frame on the wire: pictures travel in one.
pub const FRAME_BYTES_MAX: usize = 256 << 10;
/// Bytes of the header of 2011.
const HEADER_2011_BYTES: usize = 22;
/// Bytes of the header of 2019.
const HEADER_2019_BYTES: usize = 30;
const CHECK_BYTES: usize = 2;
/// Flags, header of 2011 and CRC: the shortest frame before escaping.
const SHORTEST_BYTES: usize = HEADER_2011_BYTES + CHECK_BYTES + 2;
/// 2010-01-01: no platform of 2019 sends an earlier time.
const EARLIEST_TIME_S: u64 = 1_262_304_000;

/// Edition of the standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the editions with a layout of their own")]
pub enum Edition {
    /// JT/T 809-2011.
    #[default]
    E2011,
    /// JT/T 809-2019.
    E2019,
}

impl Edition {
    /// The year.
    #[must_use]
    pub const fn year(self) -> &'static str {
        match self {
            Self::E2011 => "2011",
            Self::E2019 => "2019",
        }
    }
}

/// The three numbers of the cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the numbers that platforms agree upon")]
pub struct Cipher {
    /// M1.
    pub modulus: u32,
    /// IA1.
    pub factor: u32,
    /// IC1.
    pub addend: u32,
}

impl Cipher {
    /// Encrypts or decrypts: the same thing.
    pub fn apply(&self, key: u32, bytes: &mut [u8]) {
        // Zero means one, as the standard's own code has it.
        let modulus = self.modulus.max(1);
        let mut state = if key == 0 { 1 } else { key };
        for byte in bytes {
            state = self.factor.wrapping_mul(state % modulus).wrapping_add(self.addend);
            let [_, _, _, mask] = (state >> 20).to_be_bytes();
            *byte ^= mask;
        }
    }
}

/// What stands in front of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the header")]
pub struct Header {
    /// The sender's serial number.
    pub serial: u32,
    /// The kind of message.
    pub message_id: u16,
    /// The number that the superior platform gave to the lower one.
    pub access_code: u32,
    /// The version that the platforms agreed upon.
    pub version: [u8; 3],
    /// The key, when the body is encrypted.
    pub key: Option<u32>,
    /// The number in the place of the key when the body is not encrypted.
    pub idle_key: u32,
    /// When it was sent, UTC seconds: only and always in 2019.
    pub time_s: Option<u64>,
}

impl Header {
    /// The edition it is written in.
    #[must_use]
    pub const fn edition(&self) -> Edition {
        if self.time_s.is_some() { Edition::E2019 } else { Edition::E2011 }
    }

    fn write(&self, body_bytes: usize, out: &mut Vec<u8>) {
        let header_bytes = if self.time_s.is_some() { HEADER_2019_BYTES } else { HEADER_2011_BYTES };
        let length = u32::try_from(header_bytes + body_bytes + 4).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.serial.to_be_bytes());
        out.extend_from_slice(&self.message_id.to_be_bytes());
        out.extend_from_slice(&self.access_code.to_be_bytes());
        out.extend_from_slice(&self.version);
        out.push(u8::from(self.key.is_some()));
        out.extend_from_slice(&self.key.unwrap_or(self.idle_key).to_be_bytes());
        if let Some(time_s) = self.time_s {
            out.extend_from_slice(&time_s.to_be_bytes());
        }
    }

    /// The header in front of a payload, its stated length, and the body as it was sent.
    #[inline]
    fn parse(payload: &[u8]) -> Option<(Self, u32, &[u8])> {
        let (header, rest) = payload.split_first_chunk::<HEADER_2011_BYTES>()?;
        let &[l0, l1, l2, l3, s0, s1, s2, s3, m0, m1, a0, a1, a2, a3, v0, v1, v2, encryption, k0, k1, k2, k3] =
            header;
        let key = u32::from_be_bytes([k0, k1, k2, k3]);
        let time = rest.split_first_chunk::<8>().map(|(time, body)| (u64::from_be_bytes(*time), body));
        let time = time.filter(|(time_s, _)| (EARLIEST_TIME_S..=u64::from(u32::MAX)).contains(time_s));
        let header = Self {
            serial: u32::from_be_bytes([s0, s1, s2, s3]),
            message_id: u16::from_be_bytes([m0, m1]),
            access_code: u32::from_be_bytes([a0, a1, a2, a3]),
            version: [v0, v1, v2],
            key: (encryption != 0).then_some(key),
            idle_key: if encryption == 0 { key } else { 0 },
            time_s: time.map(|(time_s, _)| time_s),
        };
        Some((header, u32::from_be_bytes([l0, l1, l2, l3]), time.map_or(rest, |(_, body)| body)))
    }
}

/// One frame, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    /// Whether its checksum is right.
    pub check_is_right: bool,
    /// Header, body and checksum.
    payload: Cow<'a, [u8]>,
    body_bytes: usize,
}

impl<'a> Frame<'a> {
    /// Takes a whole frame, with both flags, apart. The body is copied only when something in the frame is escaped.
    ///
    /// # Errors
    /// When it is none, or its length is not the stated one.
    #[inline]
    pub fn parse(raw: &'a [u8]) -> Result<Self, RejectReason> {
        let [BEGIN, content @ .., END] = raw else { return Err(RejectReason::Garbage) };
        let payload = unescape(content)?;
        let (header, body, check_is_right) = parts(&payload)?;
        Ok(Self { header, check_is_right, body_bytes: body.len(), payload })
    }

    /// The body, encrypted where the header says so.
    #[inline]
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let end = self.payload.len().saturating_sub(CHECK_BYTES);
        self.payload.get(end.saturating_sub(self.body_bytes)..end).unwrap_or(&[])
    }

    /// The body in the clear, if it is or `cipher` is known.
    #[inline]
    #[must_use]
    pub fn clear_body(&self, cipher: Option<&Cipher>) -> Option<Cow<'_, [u8]>> {
        let Some(key) = self.header.key else { return Some(Cow::Borrowed(self.body())) };
        let mut body = self.body().to_vec();
        cipher?.apply(key, &mut body);
        Some(Cow::Owned(body))
    }
}

/// The header and the body of an unescaped frame, and whether its checksum is right.
#[inline]
fn parts(payload: &[u8]) -> Result<(Header, &[u8], bool), RejectReason> {
    let Some((sent, check)) = payload.split_last_chunk::<CHECK_BYTES>() else {
        return Err(RejectReason::Truncated);
    };
    let Some((header, length, body)) = Header::parse(sent) else { return Err(RejectReason::Truncated) };
    // The stated length has both flags in it.
    if length as usize != payload.len() + 2 {
        return Err(RejectReason::Length);
    }
    Ok((header, body, crc(sent) == u16::from_be_bytes(*check)))
}

/// Appends one frame of a header and a body in the clear; it is encrypted when the header has a key and `cipher` is
/// there.
pub fn encode_frame(header: &Header, body: &[u8], cipher: Option<&Cipher>, out: &mut Vec<u8>) {
    let key = header.key.filter(|_| cipher.is_some());
    let mut payload = Vec::with_capacity(HEADER_2019_BYTES + body.len() + 2);
    Header { key, ..*header }.write(body.len(), &mut payload);
    let begin = payload.len();
    payload.extend_from_slice(body);
    if let (Some(key), Some(cipher), Some(body)) = (key, cipher, payload.get_mut(begin..)) {
        cipher.apply(key, body);
    }
    let check = crc(&payload);
    payload.extend_from_slice(&check.to_be_bytes());
    out.push(BEGIN);
    for byte in payload {
        match byte {
            0x5b => out.extend_from_slice(&[0x5a, 1]),
            0x5a => out.extend_from_slice(&[0x5a, 2]),
            0x5d => out.extend_from_slice(&[0x5e, 1]),
            0x5e => out.extend_from_slice(&[0x5e, 2]),
            plain => out.push(plain),
        }
    }
    out.push(END);
}

fn unescape(content: &[u8]) -> Result<Cow<'_, [u8]>, RejectReason> {
    let Some(mut at) = memchr::memchr2(0x5a, 0x5e, content) else { return Ok(Cow::Borrowed(content)) };
    let mut payload = Vec::with_capacity(content.len());
    let mut rest = content;
    loop {
        let (clean, escaped) = rest.split_at(at);
        payload.extend_from_slice(clean);
        payload.push(match escaped {
            [0x5a, 1, ..] => 0x5b,
            [0x5a, 2, ..] => 0x5a,
            [0x5e, 1, ..] => 0x5d,
            [0x5e, 2, ..] => 0x5e,
            _ => return Err(RejectReason::Escape),
        });
        rest = escaped.get(2..).unwrap_or(&[]);
        let Some(next) = memchr::memchr2(0x5a, 0x5e, rest) else { break };
        at = next;
    }
    payload.extend_from_slice(rest);
    Ok(Cow::Owned(payload))
}

/// CRC-16/CCITT from `ffff`, not reflected. In a static: as a constant its tables would be copied wherever it is used.
static CCITT: crc::Crc<u16, crc::Table<16>> = crc::Crc::<u16, crc::Table<16>>::new(&crc::CRC_16_IBM_3740);

/// CRC-16/CCITT from `ffff`, not reflected.
#[must_use]
pub fn crc(bytes: &[u8]) -> u16 {
    CCITT.checksum(bytes)
}

/// Finds the frame at the front of `input`; see [`crate::framed::Dialect::cut`]. Every beginning flag begins anew:
/// what stands before it was cut short.
#[must_use]
pub fn cut(input: &[u8]) -> Cut {
    let Some((&BEGIN, rest)) = input.split_first() else {
        let begin = memchr::memchr(BEGIN, input).unwrap_or(input.len());
        return Cut::Garbage(begin, RejectReason::Garbage);
    };
    match memchr::memchr2(BEGIN, END, rest) {
        None => Cut::Incomplete,
        Some(at) if rest.get(at) == Some(&BEGIN) => Cut::Garbage(at + 1, RejectReason::Truncated),
        Some(at) if at + 2 < SHORTEST_BYTES => Cut::Garbage(at + 2, RejectReason::Truncated),
        Some(at) if at + 2 > FRAME_BYTES_MAX => Cut::Garbage(at + 2, RejectReason::TooLong),
        Some(at) => Cut::Frame(at + 2),
    }
}
