//! Bytes of a file to text: gzip, byte order marks, UTF-8, GBK.

use std::borrow::Cow;
use std::io::Read as _;

use encoding_rs::{Encoding, GB18030};
use flate2::bufread::MultiGzDecoder;

use super::table::TableError;

/// First bytes of a gzip file (RFC 1952, 2.3.1).
pub const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// `bytes` without gzip around them, at most `max_bytes` long.
///
/// # Errors
/// [`TableError::TooManyBytes`] beyond the limit, [`TableError::Corrupt`] when the gzip stream is broken.
pub(crate) fn unzipped(bytes: &[u8], max_bytes: u64) -> Result<Cow<'_, [u8]>, TableError> {
    let too_many = TableError::TooManyBytes { max_bytes };
    if !bytes.starts_with(GZIP_MAGIC) {
        return if within(bytes.len(), max_bytes) { Ok(Cow::Borrowed(bytes)) } else { Err(too_many) };
    }
    let mut plain = Vec::new();
    let mut limited = MultiGzDecoder::new(bytes).take(max_bytes.saturating_add(1));
    limited.read_to_end(&mut plain).map_err(|error| TableError::Corrupt { why: error.to_string() })?;
    if within(plain.len(), max_bytes) { Ok(Cow::Owned(plain)) } else { Err(too_many) }
}

fn within(len: usize, max_bytes: u64) -> bool {
    u64::try_from(len).is_ok_and(|len| len <= max_bytes)
}

/// The text of `bytes`: by its byte order mark, else strict UTF-8, else GB18030 (which holds GBK and GB 2312).
///
/// # Errors
/// [`TableError::Encoding`] with the first line that is neither.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, TableError> {
    if let Some((encoding, mark_len)) = Encoding::for_bom(bytes) {
        let body = bytes.get(mark_len..).unwrap_or_default();
        return encoding
            .decode_without_bom_handling_and_without_replacement(body)
            .ok_or(TableError::Encoding { line: 1 });
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    GB18030
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or_else(|| TableError::Encoding { line: first_foreign_line(bytes) })
}

/// One cell of a file whose encoding is not known: UTF-8, else GB18030, else with replacement characters.
pub(crate) fn cell_text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| GB18030.decode_without_bom_handling(bytes).0, Cow::Borrowed)
}

/// The line, from 1, with the first bytes that are not GB18030. No line feed is part of a character there.
fn first_foreign_line(bytes: &[u8]) -> u32 {
    let good = bytes
        .split(|&byte| byte == b'\n')
        .take_while(|line| GB18030.decode_without_bom_handling_and_without_replacement(line).is_some())
        .count();
    u32::try_from(good).unwrap_or(u32::MAX - 1) + 1
}

/// `text` as people mean it: full-width forms become ASCII (ＡＢＣ１２３，： to ABC123,:), ideographic and no-break spaces become spaces.
pub(crate) fn half_width(text: &str) -> String {
    text.chars().map(half_width_char).collect()
}

pub(crate) fn half_width_char(c: char) -> char {
    const SHIFT: u32 = 0xff01 - 0x21;
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - SHIFT).unwrap_or(c),
        '\u{3000}' | '\u{a0}' | '\u{feff}' | '\u{200b}' => ' ',
        _ => c,
    }
}
