//! An XLSX workbook to rows of cells.
//!
//! The packed parts are unpacked once and counted before the workbook is opened: what a ZIP directory says about sizes is
//! not believed. Cells come one by one, so a sheet that claims to be huge reserves nothing.

use std::io::{Cursor, Read as _};

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};
use zip::ZipArchive;

use super::table::{Cell, Limits, Row, RowsInProgress, TableError};
use super::values::serial::{self, Epoch};

/// Parts of one workbook.
const MAX_PARTS: usize = 4_096;

/// All rows of `sheet`, or of the first sheet, that are not empty.
pub(super) fn rows(bytes: &[u8], sheet: Option<&str>, limits: &Limits) -> Result<Vec<Row>, TableError> {
    check_unpacked_size(bytes, limits.bytes)?;
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(corrupt)?;
    let epoch = if workbook.has_1904_epoch() { Epoch::Year1904 } else { Epoch::Year1900 };
    let name = sheet_name(&workbook.sheet_names(), sheet)?;
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(corrupt)?;
    let mut rows = RowsInProgress::new(limits);
    while let Some(cell) = cells.next_cell().map_err(corrupt)? {
        let (row, column) = cell.get_position();
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        rows.put(row.saturating_add(1), column, from_workbook(cell.get_value(), epoch))?;
    }
    Ok(rows.finish())
}

fn corrupt(error: XlsxError) -> TableError {
    TableError::Corrupt { why: error.to_string() }
}

fn sheet_name(sheets: &[String], wanted: Option<&str>) -> Result<String, TableError> {
    let found = match wanted {
        None => sheets.first(),
        Some(wanted) => sheets.iter().find(|name| name.trim() == wanted.trim()),
    };
    found.cloned().ok_or_else(|| TableError::NoSheet {
        name: wanted.unwrap_or_default().to_owned(),
        sheets: sheets.join(", "),
    })
}

/// Unpacks every part to nowhere and adds up.
fn check_unpacked_size(bytes: &[u8], max_bytes: u64) -> Result<(), TableError> {
    let broken = |why: String| TableError::Corrupt { why };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(error.to_string()))?;
    if archive.len() > MAX_PARTS {
        return Err(broken(format!("more than {MAX_PARTS} parts")));
    }
    let mut left = max_bytes;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| broken(error.to_string()))?;
        let unpacked = std::io::copy(&mut part.take(left.saturating_add(1)), &mut std::io::sink())
            .map_err(|error| broken(error.to_string()))?;
        left = left.checked_sub(unpacked).ok_or(TableError::TooManyBytes { max_bytes })?;
    }
    Ok(())
}

fn from_workbook(value: &DataRef<'_>, epoch: Epoch) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        #[expect(clippy::cast_precision_loss, reason = "a spreadsheet holds numbers as doubles")]
        DataRef::Int(number) => Cell::Number(*number as f64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::text(text),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::Bool(truth) => Cell::Truth(*truth),
        DataRef::DateTime(moment) => from_serial(moment.as_f64(), epoch),
        // `#N/A` and the like hold nothing.
        DataRef::Error(_) => Cell::Empty,
    }
}

/// A number that the workbook shows as a date: a day, a time of day (below 1), or what it is when it is no date at all.
fn from_serial(number: f64, epoch: Epoch) -> Cell {
    if (0.0..1.0).contains(&number) {
        return serial::time_of_day(number).map_or(Cell::Number(number), Cell::Clock);
    }
    serial::date_time(number, epoch).map_or(Cell::Number(number), Cell::Moment)
}
