//! The header of JT/T 808: which message, whose, which packet of it.
//!
//! | field | 2011, 2013 | 2019 |
//! |---|---|---|
//! | message id | WORD | WORD |
//! | properties | WORD: bits 0-9 body length, 10-12 cipher, 13 packet items follow | same, bit 14 set |
//! | protocol version | - | BYTE, from 1 |
//! | terminal | BCD\[6\] | BCD\[10\] |
//! | serial | WORD | WORD |
//! | packet items | total WORD, index WORD from 1, only with bit 13 | same |
//!
//! 12 or 16 bytes, in 2019 17 or 21. The editions of 2011 and 2013 can't be told apart here. The length counts
//! the body after encryption and before escaping.
//!
//! The terminal field is whatever the installer set: a phone number, digits of the IMEI, or not decimal at
//! all. It is read as hexadecimal digits and never as an integer.

use std::cmp::Ordering;

use crate::jt808::frame::BODY_BYTES_MAX;
use crate::jt808::ids;
use crate::profile::IdForm;
use crate::{RejectReason, TerminalId};

/// The largest header: 2019 with packet items.
pub const HEADER_BYTES_MAX: usize = 21;

const VERSION_FLAG: u16 = 1 << 14;
const PACKET_FLAG: u16 = 1 << 13;
const CIPHER_MASK: u16 = 7 << 10;
/// A header with a BYTE of serial number.
const SHORT_HEADER_BYTES: usize = 11;
const LENGTH_MASK: u16 = 0x03ff;

/// The shape of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the header has one flag for its shape")]
pub enum Version {
    /// 2011 and 2013: six bytes of terminal, no version byte.
    V2013,
    /// 2019 and later: ten bytes of terminal and a version byte.
    V2019 {
        /// The protocol version byte: 1 in the first 2019 edition.
        revision: u8,
    },
}

/// Which packet of a message sent in several a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the header")]
pub struct Packet {
    /// Packets of the message.
    pub total: u16,
    /// This one, from 1.
    pub index: u16,
}

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the header; built by encoders")]
pub struct Header {
    /// The message's number, for example 0x0200.
    pub message_id: u16,
    /// The shape.
    pub version: Version,
    /// Who sends, or for whom it is.
    pub terminal: TerminalId,
    /// How `terminal` is written into its field.
    pub id_form: IdForm,
    /// The sender's running number, from 0, cyclic.
    pub serial: u16,
    /// Packet items, when the message is sent in several packets.
    pub packet: Option<Packet>,
    /// Cipher of the body, bits 10 to 12 of the properties: 0 none, 1 RSA, others reserved or a vendor's.
    pub encryption: u8,
}

impl Header {
    /// A header of an unencrypted message in one packet.
    #[must_use]
    pub const fn new(message_id: u16, version: Version, terminal: TerminalId, serial: u16) -> Self {
        Self { message_id, version, terminal, id_form: IdForm::AsSent, serial, packet: None, encryption: 0 }
    }

    /// Reads the header of a payload (unescaped, with its check byte) and returns it with the body.
    ///
    /// The check byte is not verified here.
    ///
    /// # Errors
    /// [`RejectReason::Truncated`] or [`RejectReason::Length`] when the payload is shorter or longer than the
    /// header says.
    pub fn decode(payload: &[u8], id_form: IdForm) -> Result<(Self, &[u8]), RejectReason> {
        let frame = Frame::parse(payload)?;
        Ok((frame.header(id_form), frame.body))
    }

    /// Writes the header of a frame with `body_bytes` bytes of body to the front of `out` and returns it.
    ///
    /// A terminal that has more digits than the field loses its first ones; fewer are padded with zeros;
    /// characters that are no hexadecimal digit count as 0.
    pub fn encode<'a>(&self, body_bytes: usize, out: &'a mut [u8; HEADER_BYTES_MAX]) -> &'a [u8] {
        let id = IdBytes::of_terminal(&self.terminal, self.id_form, self.version);
        encode_raw(self.message_id, &id, self.serial, self.packet, self.encryption, body_bytes, out)
    }
}

/// Writes a header whose terminal field is known as bytes.
pub(crate) fn encode_raw<'a>(
    message_id: u16,
    id: &IdBytes,
    serial: u16,
    packet: Option<Packet>,
    encryption: u8,
    body_bytes: usize,
    out: &'a mut [u8; HEADER_BYTES_MAX],
) -> &'a [u8] {
    let length = u16::try_from(body_bytes.min(BODY_BYTES_MAX)).unwrap_or(LENGTH_MASK);
    let mut properties = length | u16::from(encryption & 7) << 10;
    if packet.is_some() {
        properties |= PACKET_FLAG;
    }
    if let Version::V2019 { .. } = id.version {
        properties |= VERSION_FLAG;
    }
    let mut end = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(space) = out.get_mut(end..end + bytes.len()) {
            space.copy_from_slice(bytes);
            end += bytes.len();
        }
    };
    put(&message_id.to_be_bytes());
    put(&properties.to_be_bytes());
    if let Version::V2019 { revision } = id.version {
        put(&[revision]);
    }
    let (bytes, len) = id.to_bytes();
    put(bytes.get(..len).unwrap_or(&[]));
    put(&serial.to_be_bytes());
    if let Some(Packet { total, index }) = packet {
        put(&total.to_be_bytes());
        put(&index.to_be_bytes());
    }
    out.get(..end).unwrap_or(&[])
}

/// The terminal field as it stands in the header, together with the header's shape: what a link's terminals
/// are told apart by before anything is parsed. In words, because those are compared in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct IdBytes {
    /// The six bytes, or the first eight of ten.
    high: u64,
    /// The last two of ten bytes, or 0.
    low: u16,
    /// The shape.
    pub(crate) version: Version,
}

impl IdBytes {
    /// The field's bytes, and how many they are.
    #[inline]
    fn to_bytes(self) -> ([u8; 10], usize) {
        match self.version {
            Version::V2013 => {
                let [_, _, a, b, c, d, e, f] = self.high.to_be_bytes();
                ([a, b, c, d, e, f, 0, 0, 0, 0], 6)
            }
            Version::V2019 { .. } => {
                let [a, b, c, d, e, f, g, h] = self.high.to_be_bytes();
                let [i, j] = self.low.to_be_bytes();
                ([a, b, c, d, e, f, g, h, i, j], 10)
            }
        }
    }

    /// The field's bytes as one number.
    fn number(self) -> u128 {
        match self.version {
            Version::V2013 => self.high.into(),
            Version::V2019 { .. } => u128::from(self.high) << 16 | u128::from(self.low),
        }
    }

    /// The field that holds a number, without the bytes that it has too many.
    fn of_number(number: u128, version: Version) -> Self {
        const SIX_BYTES: u128 = (1 << 48) - 1;
        let [.., low0, low1] = number.to_be_bytes();
        let word = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
        match version {
            Version::V2013 => Self { high: word(number & SIX_BYTES), low: 0, version },
            Version::V2019 { .. } => {
                Self { high: word(number >> 16), low: u16::from_be_bytes([low0, low1]), version }
            }
        }
    }

    /// The field for a terminal.
    pub(crate) fn of_terminal(terminal: &TerminalId, form: IdForm, version: Version) -> Self {
        let packed = match form {
            IdForm::PackedImei => terminal.as_str().get(..14).and_then(|digits| digits.parse().ok()),
            IdForm::AsSent => None,
        };
        let number = packed.unwrap_or_else(|| {
            terminal
                .as_str()
                .chars()
                .fold(0, |sum: u128, c| sum << 4 | u128::from(c.to_digit(16).unwrap_or(0)))
        });
        Self::of_number(number, version)
    }

    /// The terminal this field names.
    pub(crate) fn terminal(&self, form: IdForm) -> TerminalId {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        if let (IdForm::PackedImei, Some(imei)) = (form, self.packed_imei()) {
            return imei;
        }
        let (bytes, len) = self.to_bytes();
        let mut text = [0; 20];
        for (to, half) in text.iter_mut().zip(bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f])) {
            *to = DIGITS.get(usize::from(half)).copied().unwrap_or(b'0');
        }
        let text = text.get(..2 * len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or("0");
        TerminalId::new(text).expect("12 or 20 hexadecimal digits are printable and short")
    }

    /// The field as the first 14 digits of an IMEI in binary; the 15th, its check digit, is computed.
    fn packed_imei(&self) -> Option<TerminalId> {
        let number = self.number();
        if !(10_000_000_000_000..100_000_000_000_000).contains(&number) {
            return None;
        }
        let digits = number.to_string();
        // Luhn: from the right, every digit before the check digit counts double, then every other one.
        let sum: u32 = digits
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let digit = u32::from(digit.saturating_sub(b'0'));
                if place % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
            })
            .sum();
        TerminalId::new(&format!("{digits}{}", (10 - sum % 10) % 10))
    }
}

/// One frame, checked for its lengths: header fields and body as they stand in the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) message_id: u16,
    properties: u16,
    pub(crate) id: IdBytes,
    pub(crate) serial: u16,
    pub(crate) packet: Option<Packet>,
    pub(crate) body: &'a [u8],
    /// Whether the header is that of [`crate::jt808::short`].
    pub(crate) has_byte_serial: bool,
}

impl<'a> Frame<'a> {
    /// Reads a payload: a header, as many bytes of body as it says, and the check byte, which is not verified.
    #[inline]
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, RejectReason> {
        let frame = Self::parse_unstated(payload)?;
        match frame.body.len().cmp(&usize::from(frame.properties & LENGTH_MASK)) {
            Ordering::Equal => Ok(frame),
            wrong => Self::parse_short(payload).ok_or(match wrong {
                Ordering::Greater => RejectReason::Length,
                _ => RejectReason::Truncated,
            }),
        }
    }

    /// Reads a payload whatever length it states: the body is what there is.
    #[inline]
    pub(crate) fn parse_unstated(payload: &'a [u8]) -> Result<Self, RejectReason> {
        let Some((&[m0, m1, p0, p1, i0, i1, i2, i3, i4, i5, i6, i7], rest)) =
            payload.split_first_chunk::<12>()
        else {
            return Err(RejectReason::Truncated);
        };
        let message_id = u16::from_be_bytes([m0, m1]);
        let properties = u16::from_be_bytes([p0, p1]);
        let (id, serial, rest) = if properties & VERSION_FLAG == 0 {
            let word = u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
            let id = IdBytes { high: word >> 16, low: 0, version: Version::V2013 };
            (id, u16::from_be_bytes([i6, i7]), rest)
        } else {
            let Some((&[i8, i9, i10, s0, s1], rest)) = rest.split_first_chunk::<5>() else {
                return Err(RejectReason::Truncated);
            };
            let id = IdBytes {
                high: u64::from_be_bytes([i1, i2, i3, i4, i5, i6, i7, i8]),
                low: u16::from_be_bytes([i9, i10]),
                version: Version::V2019 { revision: i0 },
            };
            (id, u16::from_be_bytes([s0, s1]), rest)
        };
        let (packet, rest) = if properties & PACKET_FLAG == 0 {
            (None, rest)
        } else {
            let Some((&[t0, t1, i0, i1], rest)) = rest.split_first_chunk::<4>() else {
                return Err(RejectReason::Truncated);
            };
            (Some(Packet { total: u16::from_be_bytes([t0, t1]), index: u16::from_be_bytes([i0, i1]) }), rest)
        };
        let (_check, body) = rest.split_last().ok_or(RejectReason::Truncated)?;
        Ok(Self { message_id, properties, id, serial, packet, body, has_byte_serial: false })
    }

    /// Reads a payload with a BYTE of serial number, of whose properties only the length means anything; `None` when it is
    /// none, or its length is another.
    #[cold]
    fn parse_short(payload: &'a [u8]) -> Option<Self> {
        let (&[m0, m1, p0, p1, i0, i1, i2, i3, i4, i5, serial], rest) =
            payload.split_first_chunk::<SHORT_HEADER_BYTES>()?;
        let message_id = u16::from_be_bytes([m0, m1]);
        let properties = u16::from_be_bytes([p0, p1]) & LENGTH_MASK;
        let (_check, body) = rest.split_last()?;
        let is_it = matches!(message_id, ids::SHORT_POSITION | ids::SHORT_POSITION_LATE);
        if !is_it || body.len() != usize::from(properties) {
            return None;
        }
        let high = u64::from_be_bytes([0, 0, i0, i1, i2, i3, i4, i5]);
        let id = IdBytes { high, low: 0, version: Version::V2013 };
        let serial = serial.into();
        Some(Self { message_id, properties, id, serial, packet: None, body, has_byte_serial: true })
    }

    /// Cipher of the body; 0 = none.
    #[inline]
    pub(crate) fn encryption(&self) -> u8 {
        u8::try_from(self.properties >> 10 & 7).unwrap_or(7)
    }

    /// Whether the frame is a message of its own that can be read.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.properties & (PACKET_FLAG | CIPHER_MASK) == 0
    }

    /// Where the body begins in the payload.
    #[inline]
    pub(crate) fn body_at(&self) -> usize {
        if self.has_byte_serial {
            return SHORT_HEADER_BYTES;
        }
        let packet_items = if self.packet.is_some() { 4 } else { 0 };
        packet_items + if self.id.version == Version::V2013 { 12 } else { 17 }
    }

    /// The header in full.
    pub(crate) fn header(&self, id_form: IdForm) -> Header {
        Header {
            message_id: self.message_id,
            version: self.id.version,
            terminal: self.id.terminal(id_form),
            id_form,
            serial: self.serial,
            packet: self.packet,
            encryption: self.encryption(),
        }
    }

    /// The serial of the first packet of this frame's message; the frame's own without packets.
    pub(crate) fn first_serial(&self) -> u16 {
        self.packet.map_or(self.serial, |packet| self.serial.wrapping_sub(packet.index.wrapping_sub(1)))
    }
}
