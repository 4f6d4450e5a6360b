//! CSV tracks, line by line. One line is one row: a line end within quotes is no part of a track.

use std::borrow::Cow;
use std::io::BufRead;

use super::super::csv_file;
use super::super::table::{Cell, HEADER_WITHIN_ROWS, TableError};
use super::super::text;
use super::columns::{Layout, is_column};
use super::fix::{Fields, number_of};
use super::{FileReport, MAX_LINE_BYTES, Rows, TrackError, TrackReader, read_failed};

/// Reads all of `file`.
pub(super) fn read(
    reader: &mut TrackReader,
    device: &str,
    file: impl BufRead,
) -> Result<FileReport, TrackError> {
    let mut lines = Lines { file, line: Vec::new(), number: 0, bytes_left: reader.options.max_stream_bytes };
    let mut first = Vec::new();
    while first.len() < HEADER_ROWS && lines.next(reader.options.max_stream_bytes)? {
        first.push(lines.line.clone());
    }
    let (header_at, delimiter, headers) = header(&first)?;
    let layout = Layout::of(&headers)?;
    let max_bytes = reader.options.max_stream_bytes;
    let mut rows = Rows::of(reader, device, &layout);
    let mut fields = Split::new(delimiter);
    for (number, line) in (1..).zip(&first).skip(header_at + 1) {
        if fields.split(line) {
            rows.take(number, &fields)?;
        }
    }
    while lines.next(max_bytes)? {
        if fields.split(&lines.line) {
            rows.take(lines.number, &fields)?;
        }
    }
    Ok(rows.report)
}

const HEADER_ROWS: usize = 20;
const _: () = assert!(HEADER_WITHIN_ROWS == 20, "both count the rows a header may stand in");

/// The place of the header among the first lines, the delimiter, and the header's cells.
fn header(first: &[Vec<u8>]) -> Result<(usize, u8, Vec<String>), TrackError> {
    let bytes = first.join(&b'\n');
    let text = text::decoded(&bytes)?;
    let delimiter = csv_file::delimiter(&text, &is_column);
    let mut fields = Split::new(delimiter);
    let mut best: Option<(usize, usize, Vec<String>)> = None;
    for (place, line) in text.split('\n').enumerate() {
        if !fields.split(line.as_bytes()) {
            continue;
        }
        let headers: Vec<String> =
            (0..fields.spans.len()).map(|column| fields.text(column).into_owned()).collect();
        let known = headers.iter().filter(|header| is_column(header)).count();
        if known > best.as_ref().map_or(0, |(most, ..)| *most) {
            best = Some((known, place, headers));
        }
    }
    let (_, place, headers) = best.ok_or(TableError::NoHeader)?;
    Ok((place, delimiter, headers))
}

/// Lines of a file, without their ends.
struct Lines<R> {
    file: R,
    line: Vec<u8>,
    number: u32,
    bytes_left: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line into `line`; `false` at the end of the file.
    fn next(&mut self, max_bytes: u64) -> Result<bool, TrackError> {
        self.line.clear();
        let mut limited = std::io::Read::take(&mut self.file, MAX_LINE_BYTES + 1);
        let read = limited.read_until(b'\n', &mut self.line).map_err(read_failed)?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if read == 0 {
            return Ok(false);
        }
        self.number = self.number.saturating_add(1);
        if read > MAX_LINE_BYTES {
            return Err(TrackError::LineTooLong { row: self.number });
        }
        self.bytes_left = self.bytes_left.checked_sub(read).ok_or(TableError::TooManyBytes { max_bytes })?;
        while let [.., b'\n' | b'\r'] = self.line.as_slice() {
            self.line.pop();
        }
        Ok(true)
    }
}

/// A line split into its cells. The buffers serve all lines.
struct Split {
    delimiter: u8,
    /// The line with quotes undone.
    plain: Vec<u8>,
    /// Begin and end of each cell in `plain`.
    spans: Vec<(usize, usize)>,
}

impl Split {
    const fn new(delimiter: u8) -> Self {
        Self { delimiter, plain: Vec::new(), spans: Vec::new() }
    }

    /// Splits `line`; `false` when it is blank.
    fn split(&mut self, line: &[u8]) -> bool {
        self.plain.clear();
        self.spans.clear();
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.contains(&b'"') {
            self.split_quoted(line);
        } else {
            self.plain.extend_from_slice(line);
            let mut begin = 0;
            for (at, _) in line.iter().enumerate().filter(|(_, byte)| **byte == self.delimiter) {
                self.spans.push((begin, at));
                begin = at + 1;
            }
            self.spans.push((begin, line.len()));
        }
        self.plain.iter().any(|byte| !byte.is_ascii_whitespace() && *byte != self.delimiter)
    }

    /// With cells in quotes (RFC 4180, 2.5 to 2.7).
    fn split_quoted(&mut self, line: &[u8]) {
        let (mut begin, mut is_quoted) = (0, false);
        let mut bytes = line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' if is_quoted && bytes.peek() == Some(&b'"') => {
                    bytes.next();
                    self.plain.push(b'"');
                }
                b'"' => is_quoted = !is_quoted,
                _ if byte == self.delimiter && !is_quoted => {
                    self.spans.push((begin, self.plain.len()));
                    begin = self.plain.len();
                }
                _ => self.plain.push(byte),
            }
        }
        self.spans.push((begin, self.plain.len()));
    }

    fn bytes(&self, column: usize) -> &[u8] {
        self.spans
            .get(column)
            .and_then(|&(begin, end)| self.plain.get(begin..end))
            .unwrap_or_default()
            .trim_ascii()
    }
}

impl Fields for Split {
    fn text(&self, column: usize) -> Cow<'_, str> {
        text::cell_text(self.bytes(column))
    }

    fn number(&self, column: usize) -> Result<Option<f64>, ()> {
        match self.bytes(column) {
            [] => Ok(None),
            bytes => number_of(&text::cell_text(bytes)),
        }
    }

    fn cell(&self, column: usize) -> Cow<'_, Cell> {
        Cow::Owned(Cell::text(&self.text(column)))
    }
}
