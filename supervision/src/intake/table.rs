//! A file as a table: a header and numbered rows of cells, whatever the file format.
//!
//! Limits bound everything before it is kept, so a hostile file costs no more than a large honest one.

use std::borrow::Cow;

use jiff::civil::{DateTime, Time};

use super::problem::{Fault, Problem};
use super::{csv_file, text, xlsx_file};

/// Bytes of a file, unpacked.
pub const MAX_BYTES: u64 = 512 << 20;
/// Rows of a sheet: what a spreadsheet can hold.
pub const MAX_ROWS: u32 = 1_048_576;
/// Columns that are read.
pub const MAX_COLUMNS: usize = 256;
/// Cells kept of one file.
pub const MAX_CELLS: usize = 10_000_000;
/// Bytes of one cell. A cell of a spreadsheet holds 32,767 characters; the outline of a zone may be longer in CSV.
pub const MAX_CELL_BYTES: usize = 1 << 20;
/// The header stands within the first rows, under a title at most.
pub const HEADER_WITHIN_ROWS: u32 = 20;

/// First bytes of a ZIP file, which an XLSX file is.
pub(crate) const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// How far a file may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Limits {
    /// Unpacked bytes.
    pub bytes: u64,
    /// Number of the last row.
    pub rows: u32,
    /// Columns.
    pub columns: usize,
    /// Cells.
    pub cells: usize,
    /// Bytes of one cell.
    pub cell_bytes: usize,
}

impl Limits {
    /// The most that a table may be.
    pub const DEFAULT: Self = Self {
        bytes: MAX_BYTES,
        rows: MAX_ROWS,
        columns: MAX_COLUMNS,
        cells: MAX_CELLS,
        cell_bytes: MAX_CELL_BYTES,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a file is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Unpacked it is larger than allowed.
    #[error("more than {max_bytes} bytes unpacked")]
    TooManyBytes {
        /// The limit.
        max_bytes: u64,
    },
    /// Too many rows.
    #[error("row {row} is beyond the {max_rows} rows allowed")]
    TooManyRows {
        /// The first row beyond.
        row: u32,
        /// The limit.
        max_rows: u32,
    },
    /// Too many columns.
    #[error("row {row} has more than {max_columns} columns")]
    TooManyColumns {
        /// The row.
        row: u32,
        /// The limit.
        max_columns: usize,
    },
    /// Too many cells.
    #[error("more than {max_cells} cells by row {row}")]
    TooManyCells {
        /// The row at which the limit was reached.
        row: u32,
        /// The limit.
        max_cells: usize,
    },
    /// A cell is too long.
    #[error("row {row}, column {column}: a cell longer than {max_bytes} bytes")]
    CellTooLong {
        /// The row.
        row: u32,
        /// The column as a spreadsheet letters it, for example `AB`.
        column: String,
        /// The limit.
        max_bytes: usize,
    },
    /// Neither UTF-8, UTF-16 with a byte order mark, nor GBK.
    #[error("line {line} is neither UTF-8 nor GBK")]
    Encoding {
        /// The first such line.
        line: u32,
    },
    /// Broken.
    #[error("the file is damaged: {why}")]
    Corrupt {
        /// Why.
        why: String,
    },
    /// The workbook lacks the sheet.
    #[error("no sheet named {name:?}; there are: {sheets}")]
    NoSheet {
        /// The name asked for; empty when there is no sheet at all.
        name: String,
        /// Those there are.
        sheets: String,
    },
    /// None of the first rows has a header that is known.
    #[error("no row of the first {HEADER_WITHIN_ROWS} has a column that is known")]
    NoHeader,
}

impl TableError {
    /// The same as a problem for the list.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (row, column) = match self {
            Self::TooManyRows { row, .. }
            | Self::TooManyColumns { row, .. }
            | Self::TooManyCells { row, .. } => (Some(*row), ""),
            Self::CellTooLong { row, column, .. } => (Some(*row), column.as_str()),
            Self::Encoding { line } => (Some(*line), ""),
            _ => (None, ""),
        };
        Problem::new(row, column, "", &Fault::Unreadable { zh: self.zh(), en: self.to_string() })
    }

    fn zh(&self) -> String {
        match self {
            Self::TooManyBytes { max_bytes } => format!("解压后超过{max_bytes}字节"),
            Self::TooManyRows { row, max_rows } => format!("第{row}行超出{max_rows}行的上限"),
            Self::TooManyColumns { row, max_columns } => format!("第{row}行超过{max_columns}列"),
            Self::TooManyCells { row, max_cells } => format!("到第{row}行已超过{max_cells}个单元格"),
            Self::CellTooLong { row, column, max_bytes } => {
                format!("第{row}行{column}列的单元格超过{max_bytes}字节")
            }
            Self::Encoding { line } => format!("第{line}行既不是UTF-8也不是GBK编码"),
            Self::Corrupt { why } => format!("文件已损坏（{why}）"),
            Self::NoSheet { name, sheets } => format!("没有名为“{name}”的工作表，现有：{sheets}"),
            Self::NoHeader => format!("前{HEADER_WITHIN_ROWS}行中没有可识别的表头"),
        }
    }
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "what spreadsheets hold")]
pub enum Cell {
    /// Nothing, or only spaces.
    #[default]
    Empty,
    /// Text, trimmed.
    Text(Box<str>),
    /// A number of a spreadsheet; never of a CSV file.
    Number(f64),
    /// A date or time of a spreadsheet, local.
    Moment(DateTime),
    /// A time of day of a spreadsheet.
    Clock(Time),
    /// Yes or no of a spreadsheet.
    Truth(bool),
}

impl Cell {
    /// Text as a cell: trimmed, nothing when nothing is left.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let text =
            text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\0'));
        if text.is_empty() { Self::Empty } else { Self::Text(text.into()) }
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// As a person would have typed it: numbers without `.0`, times as ISO 8601 without offset.
    #[must_use]
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            // Display of f64 writes whole numbers without a point, and all others with the fewest digits that read back.
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Moment(moment) => Cow::Owned(moment.to_string()),
            Self::Clock(time) => Cow::Owned(time.to_string()),
            Self::Truth(truth) => Cow::Borrowed(if *truth { "TRUE" } else { "FALSE" }),
        }
    }
}

/// One row that is not empty.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Row {
    /// Its number as a spreadsheet shows it, from 1.
    pub number: u32,
    /// Its cells; empty ones at the end are left out.
    pub cells: Vec<Cell>,
}

impl Row {
    /// The cell of column `index`, from 0.
    #[must_use]
    pub fn cell(&self, index: usize) -> &Cell {
        const EMPTY: &Cell = &Cell::Empty;
        self.cells.get(index).unwrap_or(EMPTY)
    }
}

/// A table with its header found.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "built by readers and by tests")]
pub struct Table {
    /// The header row as written.
    pub headers: Vec<String>,
    /// Number of the header row.
    pub header_row: u32,
    /// The rows below it.
    pub rows: Vec<Row>,
    /// Whether a lone comma in a number is a decimal comma: files separated by semicolons come from such places.
    pub has_decimal_commas: bool,
}

impl Table {
    /// Reads a CSV file (comma, semicolon or tab; UTF-8, UTF-16 or GBK; gzip around it or not) or an XLSX workbook
    /// (`sheet`, or its first). `is_known` says whether a header is one of the reader's columns: the row of the first
    /// twenty with the most of them is the header.
    ///
    /// # Errors
    /// [`TableError`], before anything is kept beyond `limits`.
    pub fn read(
        bytes: &[u8],
        sheet: Option<&str>,
        limits: &Limits,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<Self, TableError> {
        let bytes = text::unzipped(bytes, limits.bytes)?;
        if bytes.starts_with(ZIP_MAGIC) {
            let rows = xlsx_file::rows(&bytes, sheet, limits)?;
            return Self::from_rows(rows, false, is_known);
        }
        let text = text::decoded(&bytes)?;
        let delimiter = csv_file::delimiter(&text, is_known);
        let rows = csv_file::rows(&text, delimiter, limits)?;
        Self::from_rows(rows, delimiter == b';', is_known)
    }

    fn from_rows(
        mut rows: Vec<Row>,
        has_decimal_commas: bool,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<Self, TableError> {
        let (at, _) = rows
            .iter()
            .take_while(|row| row.number <= HEADER_WITHIN_ROWS)
            .map(|row| known_headers(&row.cells, is_known))
            .enumerate()
            .filter(|&(_, known)| known > 0)
            // The first of the best: `max_by_key` would give the last.
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .ok_or(TableError::NoHeader)?;
        let below = rows.split_off(at + 1);
        let header = rows.pop().unwrap_or_default();
        Ok(Self {
            headers: header.cells.iter().map(|cell| cell.as_text().into_owned()).collect(),
            header_row: header.number,
            rows: below,
            has_decimal_commas,
        })
    }
}

fn known_headers(cells: &[Cell], is_known: &dyn Fn(&str) -> bool) -> usize {
    cells.iter().filter(|cell| matches!(cell, Cell::Text(text) if is_known(text))).count()
}

/// Rows as they are read, with the limits that hold for all of them.
pub(super) struct RowsInProgress<'a> {
    limits: &'a Limits,
    rows: Vec<Row>,
    cells: usize,
}

impl<'a> RowsInProgress<'a> {
    pub(super) const fn new(limits: &'a Limits) -> Self {
        Self { limits, rows: Vec::new(), cells: 0 }
    }

    /// Puts `cell` at `row` (its number) and `column` (from 0). Rows must not go back.
    pub(super) fn put(&mut self, row: u32, column: usize, cell: Cell) -> Result<(), TableError> {
        let limits = self.limits;
        if row > limits.rows {
            return Err(TableError::TooManyRows { row, max_rows: limits.rows });
        }
        if cell.is_empty() {
            return Ok(());
        }
        if column >= limits.columns {
            return Err(TableError::TooManyColumns { row, max_columns: limits.columns });
        }
        if matches!(&cell, Cell::Text(text) if text.len() > limits.cell_bytes) {
            let column = letters(column);
            return Err(TableError::CellTooLong { row, column, max_bytes: limits.cell_bytes });
        }
        match self.rows.last() {
            Some(last) if last.number == row => {}
            Some(last) if last.number > row => {
                return Err(TableError::Corrupt {
                    why: format!("row {row} stands after row {}", last.number),
                });
            }
            _ => self.rows.push(Row { number: row, cells: Vec::new() }),
        }
        if let Some(last) = self.rows.last_mut() {
            let have = last.cells.len();
            last.cells.resize_with(have.max(column + 1), Cell::default);
            self.cells += last.cells.len() - have;
            if let Some(slot) = last.cells.get_mut(column) {
                *slot = cell;
            }
        }
        if self.cells > limits.cells {
            return Err(TableError::TooManyCells { row, max_cells: limits.cells });
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<Row> {
        self.rows
    }
}

/// The letters of a column, from 0: A to Z, AA and so on.
pub(super) fn letters(column: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
        rest /= 26;
    }
    letters.iter().rev().collect()
}
