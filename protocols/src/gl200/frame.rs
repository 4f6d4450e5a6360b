//! Where a frame ends, and its fields.

use crate::framed::Cut;
use crate::text::{self, Fields};
use crate::{RejectReason, TerminalId};

/// The longest frame: a report of fifteen places with cells and Wi-Fi around each is some two kilobytes.
pub(crate) const FRAME_BYTES_MAX: usize = 4 << 10;
/// The most fields of a frame.
const FIELDS_MAX: usize = 256;
/// Digits of an IMEI, or of a MEID.
const IMEI_DIGITS: std::ops::RangeInclusive<usize> = 14..=15;

const REPORT: &[u8] = b"+RESP:";
const BUFFERED: &[u8] = b"+BUFF:";
const ACKNOWLEDGED: &[u8] = b"+ACK:";

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    Report,
    /// A report out of the terminal's memory.
    Buffered,
    /// An answer to a command, or a sign of life.
    Acknowledged,
}

/// A frame taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) header: Header,
    /// From the word, such as `GTFRI`, to the count.
    pub(crate) fields: Fields<'a, FIELDS_MAX>,
    /// Where the terminal's number stands: 2, or 1 in the first versions.
    imei_at: usize,
}

/// Finds the frame at the front.
pub(crate) fn cut(input: &[u8]) -> Cut {
    if let [b'\r' | b'\n' | 0, ..] = input {
        return Cut::Space(1);
    }
    let begins = |header: &&[u8]| input.iter().zip(header.iter()).all(|(byte, wanted)| byte == wanted);
    if ![REPORT, BUFFERED, ACKNOWLEDGED].iter().any(begins) {
        return garbage(input);
    }
    match input.iter().position(|byte| *byte == b'$' || byte.is_ascii_control()) {
        Some(at) if input.get(at) == Some(&b'$') => Cut::Frame(at + 1),
        Some(at) => Cut::Garbage(at, RejectReason::Garbage),
        None => Cut::Incomplete,
    }
}

/// Everything up to where a frame could begin.
fn garbage(input: &[u8]) -> Cut {
    let rest = input.get(1..).unwrap_or(&[]);
    let bytes = memchr::memchr(b'+', rest).map_or(input.len(), |at| at + 1);
    Cut::Garbage(bytes, RejectReason::Garbage)
}

impl<'a> Frame<'a> {
    /// Takes apart what [`cut`] found; `None` when it is no frame, or names no terminal.
    pub(crate) fn parse(raw: &'a [u8]) -> Option<Self> {
        let inner = raw.strip_suffix(b"$")?;
        let (header, row) =
            [(REPORT, Header::Report), (BUFFERED, Header::Buffered), (ACKNOWLEDGED, Header::Acknowledged)]
                .into_iter()
                .find_map(|(prefix, header)| Some((header, inner.strip_prefix(prefix)?)))?;
        let fields = Fields::split(row, b',')?;
        let is_word = fields.at(0).len() == 5 && fields.at(0).starts_with(b"GT");
        let imei_at = [2, 1].into_iter().find(|at| is_imei(fields.at(*at)))?;
        is_word.then_some(Self { header, fields, imei_at })
    }

    /// The word without its `GT`.
    pub(crate) fn word(&self) -> &'a [u8] {
        self.fields.at(0).get(2..).unwrap_or(&[])
    }

    /// Whether the message is of the first versions, which had fewer fields.
    pub(crate) const fn is_early(&self) -> bool {
        self.imei_at == 1
    }

    pub(crate) fn terminal(&self) -> Option<TerminalId> {
        text::terminal(self.fields.at(self.imei_at))
    }

    /// The version as sent: family, edition and release.
    pub(crate) fn version(&self) -> &'a [u8] {
        if self.is_early() { &[] } else { self.fields.at(1) }
    }

    /// The fields from the terminal's name to the one before the send time.
    pub(crate) fn body(&self) -> &[&'a [u8]] {
        let end = self.fields.len().saturating_sub(2);
        self.fields.as_slice().get(self.imei_at + 1..end).unwrap_or(&[])
    }

    /// When it was sent, as written.
    pub(crate) fn send_time(&self) -> &'a [u8] {
        self.fields.from_last(1)
    }

    /// The number of the message, as written: four hexadecimal digits.
    pub(crate) fn count(&self) -> Option<&'a [u8]> {
        let count = self.fields.from_last(0);
        (count.len() == 4 && text::hex(count).is_some()).then_some(count)
    }
}

fn is_imei(field: &[u8]) -> bool {
    IMEI_DIGITS.contains(&field.len()) && field.iter().all(u8::is_ascii_hexdigit)
}
