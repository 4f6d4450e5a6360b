//! CSV text to rows of cells, numbered as a spreadsheet numbers them: blank lines count, line ends within quotes do not.

use csv::{ReaderBuilder, StringRecord};

use super::table::{Cell, HEADER_WITHIN_ROWS, Limits, Row, RowsInProgress, TableError};
use crate::formula;

const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The delimiter under which the first rows show the most known headers, then the most cells; a comma when nothing speaks
/// for another.
pub(super) fn delimiter(text: &str, is_known: &dyn Fn(&str) -> bool) -> u8 {
    let score = |delimiter: u8| {
        let mut reader = reader(text, delimiter);
        let mut record = StringRecord::new();
        let mut best = (0, 0);
        for _ in 0..HEADER_WITHIN_ROWS {
            if !matches!(reader.read_record(&mut record), Ok(true)) {
                break;
            }
            let known = record.iter().filter(|cell| is_known(cell)).count();
            best = best.max((known, record.len()));
        }
        best
    };
    DELIMITERS
        .into_iter()
        .map(|delimiter| (score(delimiter), delimiter))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map_or(b',', |(_, delimiter)| delimiter)
}

/// All rows that are not empty.
pub(super) fn rows(text: &str, delimiter: u8, limits: &Limits) -> Result<Vec<Row>, TableError> {
    let mut reader = reader(text, delimiter);
    let mut record = StringRecord::new();
    let mut rows = RowsInProgress::new(limits);
    let mut number = 0_u32;
    let mut start = 0;
    while reader.read_record(&mut record).map_err(|error| TableError::Corrupt { why: error.to_string() })? {
        number = number.saturating_add(1).saturating_add(blank_lines(text.as_bytes(), start));
        for (column, cell) in record.iter().enumerate() {
            rows.put(number, column, Cell::text(unguarded(cell)))?;
        }
        start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
    }
    Ok(rows.finish())
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

/// Line ends between `start`, where the last record ended, and the next record. The csv crate skips blank lines without
/// counting them.
fn blank_lines(bytes: &[u8], start: usize) -> u32 {
    let mut rest = bytes.get(start..).unwrap_or_default();
    if start > 0 && bytes.get(start - 1) == Some(&b'\r') && rest.first() == Some(&b'\n') {
        rest = rest.get(1..).unwrap_or_default();
    }
    let mut blank = 0;
    loop {
        rest = match rest {
            [b'\r', b'\n', rest @ ..] | [b'\n' | b'\r', rest @ ..] => rest,
            _ => return blank,
        };
        blank += 1;
    }
}

/// A cell without what programs put around it so that a spreadsheet leaves it alone: `="0012"` and `'=text`.
fn unguarded(cell: &str) -> &str {
    if let Some(inner) = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        return inner;
    }
    formula::unguarded(cell)
}
