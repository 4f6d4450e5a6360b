//! A cursor over the bytes of one message. It never reads past the end and never allocates; a field that is not
//! there is an error with the place where the bytes ended.

use crate::DecodeError;

/// The bytes of a message that are still to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Octets<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Octets<'a> {
    /// All of `bytes`, which begin at `at` in their message.
    pub(crate) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { rest: bytes, at }
    }

    /// How many bytes are left.
    pub(crate) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Where in the message the next byte is.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// What is left, without taking it.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    #[inline]
    pub(crate) const fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(DecodeError::new(self.at + self.rest.len(), "truncated"));
        };
        self.rest = rest;
        self.at += count;
        Ok(taken)
    }

    /// The next `N` bytes.
    #[inline]
    pub(crate) const fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(DecodeError::new(self.at + self.rest.len(), "truncated"));
        };
        self.rest = rest;
        self.at += N;
        Ok(*taken)
    }

    /// The next `count` bytes as a message of their own.
    #[inline]
    pub(crate) fn part(&mut self, count: usize) -> Result<Self, DecodeError> {
        let at = self.at;
        Ok(Self::new(self.take(count)?, at))
    }

    /// BYTE.
    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// WORD, big-endian.
    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three bytes, big-endian.
    #[inline]
    pub(crate) fn u24(&mut self) -> Result<u32, DecodeError> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// DWORD, big-endian.
    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// QWORD, big-endian.
    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// WORD, big-endian, signed.
    #[inline]
    pub(crate) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    /// DWORD, big-endian, signed.
    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// WORD, little-endian.
    #[inline]
    pub(crate) fn u16_le(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// DWORD, little-endian.
    #[inline]
    pub(crate) fn u32_le(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }
}

/// Lower-case hex, as unknown items and identifiers are shown.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The number of two binary-coded decimal digits.
pub(crate) const fn from_bcd(byte: u8) -> Option<u8> {
    if byte >> 4 > 9 || byte & 15 > 9 { None } else { Some((byte >> 4) * 10 + (byte & 15)) }
}

/// Decimal digits, two a byte, at the end of `N` bytes; `None` for what is no digits or too long.
pub(crate) fn pack_digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut packed = [0; N];
    for (place, digit) in text.bytes().rev().enumerate() {
        let byte = packed.iter_mut().rev().nth(place / 2)?;
        *byte |= digit.checked_sub(b'0').filter(|digit| *digit <= 9)? << (place % 2 * 4);
    }
    Some(packed)
}

/// The unsigned number that up to eight big-endian bytes are.
#[inline]
pub(crate) fn be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The signed number that up to eight big-endian bytes are.
#[inline]
pub(crate) fn be_signed(bytes: &[u8]) -> i64 {
    let unused_bits = 64 - 8 * u32::try_from(bytes.len().clamp(1, 8)).unwrap_or(8);
    (be(bytes) << unused_bits).cast_signed() >> unused_bits
}

/// Bytes that a person may read, or hex when they are none.
pub(crate) fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !c.is_control() || c.is_whitespace()) => text.trim().to_owned(),
        _ => hex(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_order_and_never_past_the_end() {
        let mut octets = Octets::new(&[1, 2, 3, 4, 5, 0xff, 0xfe], 10);
        assert_eq!(octets.u8(), Ok(1));
        assert_eq!(octets.u16(), Ok(0x0203));
        assert_eq!(octets.u16_le(), Ok(0x0504));
        assert_eq!(octets.u32(), Err(DecodeError::new(17, "truncated")));
        assert_eq!((octets.left(), octets.at(), octets.i16()), (2, 15, Ok(-2)));
    }

    #[test]
    fn numbers_of_any_width_keep_their_sign() {
        assert_eq!((be(&[1, 2]), be_signed(&[0xff]), be_signed(&[0x7f, 0xff])), (0x0102, -1, 0x7fff));
        assert_eq!((be(&[0xff; 8]), be_signed(&[0xff; 8]), be_signed(&[])), (u64::MAX, -1, 0));
        assert_eq!((from_bcd(0x59), from_bcd(0x5a), from_bcd(0xa0)), (Some(59), None, None));
    }

    #[test]
    fn digits_are_packed_at_the_end() {
        assert_eq!(pack_digits::<3>("12345"), Some([0x01, 0x23, 0x45]));
        assert_eq!((pack_digits::<2>("12345"), pack_digits::<2>("1a")), (None, None));
    }

    #[test]
    fn what_nobody_can_read_is_hex() {
        assert_eq!((readable(b" ok\r\n"), readable(&[0, 0x9f])), ("ok".to_owned(), "009f".to_owned()));
    }
}
