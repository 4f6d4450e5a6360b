//! Where a frame ends, and the fields of one in text.

use crate::framed::Cut;
use crate::h02::binary::{Binary, IMEI_BYTES, LONG_BYTES, SHORT_BYTES};
use crate::text::{self, Fields};
use crate::{RejectReason, TerminalId};

/// The longest frame in text: a row of seven cells and a status is some two hundred bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 1_024;
/// The most fields of a frame in text.
const FIELDS_MAX: usize = 96;

/// Fields of a frame in text, from the maker's letters on.
pub(crate) type Row<'a> = Fields<'a, FIELDS_MAX>;

/// Finds the frame at the front. `is_long` says whether that frame's terminal sends long binary frames.
pub(crate) fn cut(input: &[u8], is_long: impl FnOnce(&[u8]) -> bool) -> Cut {
    match input {
        [b'\r' | b'\n', ..] => Cut::Space(1),
        [b'*', ..] => cut_text(input),
        [b'$', ..] => cut_binary(input, is_long),
        _ => garbage(input),
    }
}

fn cut_text(input: &[u8]) -> Cut {
    let is_end = |byte: &u8| *byte == b'#' || !(b' '..=b'~').contains(byte);
    match input.iter().position(is_end) {
        Some(at) if input.get(at) == Some(&b'#') => Cut::Frame(at + 1),
        Some(at) => Cut::Garbage(at, RejectReason::Garbage),
        None => Cut::Incomplete,
    }
}

fn cut_binary(input: &[u8], is_long: impl FnOnce(&[u8]) -> bool) -> Cut {
    let Some(short) = input.get(..SHORT_BYTES) else { return Cut::Incomplete };
    // A frame with fifteen digits of id has all that is read within the first bytes too.
    let bytes = if Binary::has_imei(short) {
        IMEI_BYTES
    } else if Binary::parse(short).is_err() {
        return garbage(input);
    } else if is_long(short) && !matches!(input.get(SHORT_BYTES), Some(b'$' | b'*')) {
        LONG_BYTES
    } else {
        // Also of a terminal that was thought to send more: another frame follows at once.
        SHORT_BYTES
    };
    if input.len() < bytes { Cut::Incomplete } else { Cut::Frame(bytes) }
}

/// Everything up to where a frame could begin.
fn garbage(input: &[u8]) -> Cut {
    let rest = input.get(1..).unwrap_or(&[]);
    let bytes = memchr::memchr2(b'*', b'$', rest).map_or(input.len(), |at| at + 1);
    Cut::Garbage(bytes, RejectReason::Garbage)
}

/// The fields of a frame in text; `None` when it is none.
pub(crate) fn row(raw: &[u8]) -> Option<Row<'_>> {
    let inner = raw.strip_prefix(b"*")?.strip_suffix(b"#")?;
    let row = Row::split(inner, b',')?;
    let maker = row.at(0);
    let is_maker = maker.len() == 2 && maker.iter().all(u8::is_ascii_alphanumeric);
    (is_maker && row.len() > 2).then_some(row)
}

/// The terminal that a row names, if it names one.
pub(crate) fn terminal(row: &Row<'_>) -> Option<TerminalId> {
    text::terminal(row.at(1))
}
