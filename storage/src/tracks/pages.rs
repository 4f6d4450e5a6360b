//! Parquet page headers: where the pages of a column chunk are.
//!
//! The files hold no offset index (the sidecar does), so a lost sidecar is rebuilt by walking the page
//! headers. They are Thrift in the compact protocol; only what leads to the next page is understood, the rest
//! is passed over.
//!
//! ```text
//! PageHeader { 1: type, 2: uncompressed size, 3: compressed size, 5: DataPageHeader { 1: values, 2: encoding, … } }
//! ```
//!
//! This module does no I/O and never panics on bytes.

/// Page type 0: a data page of version 1, the only kind written here.
const DATA_PAGE: i64 = 0;

/// Nested structures deeper than this are not page headers.
const DEPTH_MAX: u32 = 8;

/// A page as its header tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Bytes of the header itself.
    pub(super) header_len: usize,
    /// Bytes of the page as stored, behind the header.
    pub(super) stored_len: u32,
    /// Bytes of the page when decompressed.
    pub(super) plain_len: u32,
    /// Rows.
    pub(super) rows: u32,
    /// Number of the encoding of the values.
    pub(super) encoding: u32,
}

/// The header at the beginning of `bytes`, or `None` when there is no header of a data page.
pub(super) fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    let mut input = Compact { bytes, at: 0 };
    let mut header = PageHeader { header_len: 0, stored_len: 0, plain_len: 0, rows: 0, encoding: u32::MAX };
    let mut seen = 0_u32;
    let mut id = 0;
    while let Some(kind) = input.field(&mut id)? {
        match (id, kind) {
            (1, Compact::I32) if input.zigzag()? != DATA_PAGE => return None,
            (1, Compact::I32) => {}
            (2, Compact::I32) => header.plain_len = u32::try_from(input.zigzag()?).ok()?,
            (3, Compact::I32) => header.stored_len = u32::try_from(input.zigzag()?).ok()?,
            (5, Compact::STRUCT) => input.data_page(&mut header)?,
            _ => input.skip(kind, DEPTH_MAX)?,
        }
        seen |= 1_u32.checked_shl(u32::try_from(id).ok()?).unwrap_or(0);
    }
    header.header_len = input.at;
    (seen & 0b10_1110 == 0b10_1110).then_some(header)
}

/// Thrift's compact protocol.
struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Compact<'_> {
    const TRUE: u8 = 1;
    const FALSE: u8 = 2;
    const BYTE: u8 = 3;
    const I16: u8 = 4;
    const I32: u8 = 5;
    const I64: u8 = 6;
    const DOUBLE: u8 = 7;
    const BINARY: u8 = 8;
    const LIST: u8 = 9;
    const SET: u8 = 10;
    const STRUCT: u8 = 12;

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn take(&mut self, len: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(len).ok()?)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    /// The type of the next field, whose number becomes `id`; `Some(None)` at the end of the structure.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *id = if byte >> 4 == 0 { self.zigzag()? } else { id.checked_add(i64::from(byte >> 4))? };
        Some(Some(byte & 0x0f))
    }

    fn data_page(&mut self, header: &mut PageHeader) -> Option<()> {
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (1, Self::I32) => header.rows = u32::try_from(self.zigzag()?).ok()?,
                (2, Self::I32) => header.encoding = u32::try_from(self.zigzag()?).ok()?,
                _ => self.skip(kind, DEPTH_MAX)?,
            }
        }
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            Self::TRUE | Self::FALSE => Some(()),
            Self::BYTE => self.take(1),
            Self::I16 | Self::I32 | Self::I64 => self.varint().map(|_| ()),
            Self::DOUBLE => self.take(8),
            Self::BINARY => {
                let len = self.varint()?;
                self.take(len)
            }
            Self::LIST | Self::SET => {
                let byte = self.byte()?;
                let len = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
                for _ in 0..len {
                    // A boolean in a list takes a byte, unlike one in a structure.
                    if matches!(byte & 0x0f, Self::TRUE | Self::FALSE) {
                        self.take(1)?;
                    } else {
                        self.skip(byte & 0x0f, depth)?;
                    }
                }
                Some(())
            }
            Self::STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth)?;
                }
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Written by hand from the Thrift compact protocol: 1: i32 0, 2: i32 300, 3: i32 20,
    // 5: struct { 1: i32 7, 2: i32 5, 3: i32 3, 4: i32 3 }.
    const HEADER: &[u8] = &[
        0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x28, 0x2c, 0x15, 0x0e, 0x15, 0x0a, 0x15, 0x06, 0x15, 0x06, 0x00,
        0x00,
    ];

    #[test]
    fn a_header_is_read() {
        let expected =
            PageHeader { header_len: HEADER.len(), stored_len: 20, plain_len: 300, rows: 7, encoding: 5 };
        assert_eq!(page_header(&[HEADER, b"payload"].concat()), Some(expected));
    }

    #[test]
    fn a_dictionary_page_and_every_prefix_are_refused() {
        let mut dictionary = HEADER.to_vec();
        dictionary[1] = 0x04;
        assert_eq!(page_header(&dictionary), None);
        for end in 0..HEADER.len() {
            assert_eq!(page_header(&HEADER[..end]), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(header) = page_header(&bytes) {
                prop_assert!(header.header_len <= bytes.len());
            }
        }
    }
}
