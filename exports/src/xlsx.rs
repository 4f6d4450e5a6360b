//! XLSX (ECMA-376): a workbook with the columns of CSV, as many sheets as the rows take.
//!
//! Cells have types: times are dates of Excel in UTC, texts are strings and nothing else, so no text is ever taken for a formula. A
//! sheet of Excel has 1,048,576 rows; behind them the next one begins, with its header.
//!
//! Sheets are kept in nameless files of a folder until the workbook is put together, so memory holds one row.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use motorpool_protocols::UtcMillis;
use motorpool_storage::tracks::Row;
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::csv::HEADER;
use super::{ExportError, Name, Names, degrees, ignition, joined, tenths};

/// Rows of a sheet, with its header.
pub const SHEET_ROWS_MAX: u32 = 1_048_576;
/// Sheets of a workbook: more is nothing that a spreadsheet could open.
pub const SHEETS_MAX: u32 = 4;

/// How a time is shown.
const TIME_FORMAT: &str = "yyyy-mm-dd hh:mm:ss.000";
/// Excel's number of 1970-01-01.
const EPOCH_DAYS: f64 = 25_569.0;
const DAY_MS: f64 = 86_400_000.0;
/// The days that Excel counts right: from 1900-03-01 (before it, Excel has a 29 February that never was) to 9999-12-31.
const DAYS: std::ops::Range<f64> = 61.0..2_958_466.0;
/// Characters wide enough for a time.
const TIME_WIDTH: f64 = 22.0;
/// Columns that hold times.
const TIME_COLUMNS: [u16; 2] = [2, 9];

impl From<XlsxError> for ExportError {
    fn from(error: XlsxError) -> Self {
        match error {
            XlsxError::IoError(error) => Self::Output(error),
            error => Self::Output(io::Error::other(error)),
        }
    }
}

/// Writes a workbook with a line for each row; returns how many rows there were.
///
/// # Errors
///
/// The first row that can't be read or written, or has no place in a workbook.
pub fn write<W: Write + Send>(
    out: W,
    rows: impl Iterator<Item = Result<Row, ExportError>>,
    names: &dyn Names,
    scratch: &Path,
) -> Result<u64, ExportError> {
    write_sheets(out, rows, names, scratch, SHEET_ROWS_MAX)
}

/// As [`write`], with so many rows to a sheet.
pub(super) fn write_sheets<W: Write + Send>(
    out: W,
    rows: impl Iterator<Item = Result<Row, ExportError>>,
    names: &dyn Names,
    scratch: &Path,
    sheet_rows: u32,
) -> Result<u64, ExportError> {
    // The library takes for granted that its files in the folder can be written, and panics on a full disk.
    let written = catch_unwind(AssertUnwindSafe(|| {
        let mut book = Book::new(scratch, sheet_rows)?;
        for row in rows {
            let row = row?;
            book.push(&row, names.name(&row))?;
        }
        book.finish(out)
    }));
    written.unwrap_or_else(|_| Err(ExportError::Output(io::ErrorKind::StorageFull.into())))
}

struct Book {
    workbook: Workbook,
    time: Format,
    sheet_rows: u32,
    sheets: u32,
    /// The next row of the last sheet.
    next: u32,
    written: u64,
    text: String,
}

impl Book {
    fn new(scratch: &Path, sheet_rows: u32) -> Result<Self, XlsxError> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(scratch)?;
        let time = Format::new().set_num_format(TIME_FORMAT);
        let mut book =
            Self { workbook, time, sheet_rows, sheets: 0, next: 0, written: 0, text: String::new() };
        book.add_sheet()?;
        Ok(book)
    }

    fn add_sheet(&mut self) -> Result<(), XlsxError> {
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        self.sheets += 1;
        sheet.set_name(format!("fixes {}", self.sheets))?;
        for column in TIME_COLUMNS {
            sheet.set_column_width(column, TIME_WIDTH)?;
        }
        sheet.set_freeze_panes(1, 0)?;
        for (column, name) in (0..).zip(HEADER.split(',')) {
            sheet.write_string(0, column, name)?;
        }
        self.next = 1;
        Ok(())
    }

    fn push(&mut self, row: &Row, name: Name<'_>) -> Result<(), ExportError> {
        if self.next >= self.sheet_rows {
            if self.sheets >= SHEETS_MAX {
                let max = u64::from(self.sheet_rows.saturating_sub(1)) * u64::from(SHEETS_MAX);
                return Err(ExportError::TooManyRows { max });
            }
            self.add_sheet()?;
        }
        let last = usize::try_from(self.sheets.saturating_sub(1)).unwrap_or(usize::MAX);
        let sheet = self.workbook.worksheet_from_index(last)?;
        let mut line = Line { sheet, row: self.next, column: 0, time: &self.time };
        write_row(&mut line, row, name, &mut self.text)?;
        self.next += 1;
        self.written += 1;
        Ok(())
    }

    fn finish(mut self, mut out: impl Write + Send) -> Result<u64, ExportError> {
        self.workbook.save_to_writer(&mut out)?;
        out.flush()?;
        Ok(self.written)
    }
}

/// The cells of one row, one after another.
struct Line<'a> {
    sheet: &'a mut Worksheet,
    row: u32,
    column: u16,
    time: &'a Format,
}

impl Line<'_> {
    fn number(&mut self, value: Option<f64>) -> Result<(), XlsxError> {
        if let Some(value) = value {
            self.sheet.write_number(self.row, self.column, value)?;
        }
        self.column += 1;
        Ok(())
    }

    fn boolean(&mut self, value: Option<bool>) -> Result<(), XlsxError> {
        if let Some(value) = value {
            self.sheet.write_boolean(self.row, self.column, value)?;
        }
        self.column += 1;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XlsxError> {
        if !text.is_empty() {
            self.sheet.write_string(self.row, self.column, text)?;
        }
        self.column += 1;
        Ok(())
    }

    /// A date of Excel, or the time in words where Excel has no such date.
    fn instant(&mut self, instant: UtcMillis) -> Result<(), XlsxError> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "instants that Excel has are far below 2^53 milliseconds"
        )]
        let days = instant.0 as f64 / DAY_MS + EPOCH_DAYS;
        if !DAYS.contains(&days) {
            return self.text(&instant.to_string());
        }
        self.sheet.write_number_with_format(self.row, self.column, days, self.time)?;
        self.column += 1;
        Ok(())
    }
}

/// The cells in the order of [`HEADER`].
fn write_row(line: &mut Line<'_>, row: &Row, name: Name<'_>, text: &mut String) -> Result<(), XlsxError> {
    let fix = &row.fix;
    line.number(Some(f64::from(row.device.0)))?;
    line.text(name.terminal)?;
    line.instant(fix.fix_time)?;
    line.number(Some(degrees(fix.lat_e7)))?;
    line.number(Some(degrees(fix.lon_e7)))?;
    line.number(fix.altitude_m.map(f64::from))?;
    line.number(fix.speed_dkmh.map(tenths))?;
    line.number(fix.course_deg.map(f64::from))?;
    line.boolean(Some(fix.is_valid()))?;
    line.instant(row.received_at)?;
    line.boolean(ignition(fix))?;
    line.number(fix.odometer_m.map(f64::from))?;
    line.number(fix.fuel_dl.map(tenths))?;
    line.number(fix.satellites.map(f64::from))?;
    line.number(fix.vehicle_speed_dkmh.map(tenths))?;
    line.number(fix.engine_rpm.map(f64::from))?;
    labels(line, text, fix.alarms.labels())?;
    labels(line, text, fix.status.labels())?;
    labels(line, text, fix.quality.labels())?;
    line.text(name.plate)
}

fn labels<'a>(
    line: &mut Line<'_>,
    text: &mut String,
    names: impl Iterator<Item = std::borrow::Cow<'a, str>>,
) -> Result<(), XlsxError> {
    text.clear();
    joined(text, names);
    line.text(text)
}
