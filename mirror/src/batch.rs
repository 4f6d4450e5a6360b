//! Lines that are sent together, bounded by number and bytes. Pure.

use std::ops::Range;

use super::line::{Measurement, Tags, push_line};
use super::order::Numbered;

/// Lines one after another, and where each ends.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// Appends a fix. `false` when it has no form: see [`push_line`].
    pub fn push(&mut self, measurement: &Measurement, terminal: &str, fix: &Numbered) -> bool {
        let tags = Tags { device: fix.row.device, terminal };
        let is_written = push_line(&mut self.text, measurement, tags, &fix.row.fix, fix.number);
        if is_written {
            self.ends.push(self.text.len());
        }
        is_written
    }

    /// Appends a line, without its line feed, as it is.
    pub fn push_text(&mut self, line: &str) {
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
        self.ends.push(self.text.len());
    }

    /// How many lines.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether one of the bounds is reached.
    #[must_use]
    pub const fn is_full(&self, rows_max: usize, bytes_max: usize) -> bool {
        self.ends.len() >= rows_max || self.text.len() >= bytes_max
    }

    /// The text of some of the lines.
    #[must_use]
    pub fn lines(&self, lines: Range<usize>) -> &[u8] {
        let end_of = |line: usize| self.ends.get(line).copied().unwrap_or(self.text.len());
        let from = lines.start.checked_sub(1).map_or(0, end_of);
        let to = lines.end.checked_sub(1).map_or(0, end_of);
        self.text.get(from..to).unwrap_or_default()
    }

    /// Forgets the lines and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_their_number() {
        let mut batch = Batch::default();
        for line in ["a", "bb", "ccc"] {
            batch.push_text(line);
        }
        assert_eq!(batch.lines(0..3), b"a\nbb\nccc\n");
        assert_eq!(batch.lines(1..2), b"bb\n");
        assert_eq!(batch.lines(1..1), b"");
        assert_eq!(batch.lines(2..9), b"ccc\n");
        assert!(batch.is_full(3, 100) && batch.is_full(9, 9) && !batch.is_full(4, 10));
        batch.clear();
        assert!(batch.is_empty() && batch.lines(0..0).is_empty());
    }
}
