//! Cells that a spreadsheet would take for formulas: how they are written, and how they are read again.
//!
//! Whoever can put a text into a register, a statement or a terminal's name could otherwise make the reader's spreadsheet compute:
//! fetch an address, start a program. OWASP ASVS 5.0 1.2.10 names the beginnings; a line end is one more, because some programs skip it,
//! and so are the full-width signs, which Excel reads like the narrow ones.

use std::borrow::Cow;

/// What a formula may begin with.
const BEGINNINGS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '＠'];

/// The text as a cell: with an apostrophe in front when a spreadsheet would take it for a formula.
#[must_use]
pub fn guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(BEGINNINGS) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// As [`guarded`], for a cell that may be a number of ours: those stay numbers.
#[must_use]
pub fn guarded_cell(text: &str) -> Cow<'_, str> {
    if text.parse::<f64>().is_ok() { Cow::Borrowed(text) } else { guarded(text) }
}

/// The text of a cell without the apostrophe that [`guarded`] and others put there.
#[must_use]
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|inner| inner.starts_with(BEGINNINGS)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_written_as_text_and_read_again_as_they_were() {
        for formula in
            ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "＝1+1", "=cmd|' /C calc'!A0"]
        {
            let cell = guarded(formula);
            assert_eq!(cell, format!("'{formula}"));
            assert_eq!(unguarded(&cell), formula);
        }
        for text in ["", "演A00001", "'quoted", "a=b", "1-2", " =1"] {
            assert_eq!(guarded(text), text);
            assert_eq!(unguarded(text), text);
        }
    }

    #[test]
    fn numbers_stay_numbers_where_they_are_ours() {
        assert_eq!(guarded_cell("-12.5"), "-12.5");
        assert_eq!(guarded_cell("-12.5+A1"), "'-12.5+A1");
        assert_eq!(guarded("-12.5"), "'-12.5");
    }
}
