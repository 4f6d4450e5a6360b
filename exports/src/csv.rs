//! CSV (RFC 4180) with a header; an empty field means that the source did not say.
//!
//! The only texts that others choose are the terminal's name and the plate: one that a spreadsheet would take for a formula gets
//! an apostrophe before it. Bit names are joined by `;`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write;

use motorpool_storage::tracks::Row;
use motorpool_supervision::formula::guarded;

use super::{Degrees, ExportError, Name, Names, Tenths, joined};

/// The header.
pub const HEADER: &str = "device,terminal,time_utc,lat,lon,altitude_m,speed_kmh,course_deg,valid,received_utc,\
                          ignition,odometer_m,fuel_l,satellites,vehicle_speed_kmh,engine_rpm,alarms,status,\
                          quality,plate";

/// Writes the header and a line for each row; returns how many rows there were.
///
/// # Errors
///
/// The first row that can't be read or written.
pub fn write<W: Write>(
    mut out: W,
    rows: impl Iterator<Item = Result<Row, ExportError>>,
    names: &dyn Names,
) -> Result<u64, ExportError> {
    let mut written = 0;
    let mut line = format!("{HEADER}\r\n");
    for row in rows {
        let row = row?;
        write_row(&mut line, &row, names.name(&row)).expect("a String takes every text");
        out.write_all(line.as_bytes())?;
        line.clear();
        written += 1;
    }
    out.write_all(line.as_bytes())?;
    out.flush()?;
    Ok(written)
}

fn write_row(line: &mut String, row: &Row, name: Name<'_>) -> std::fmt::Result {
    let fix = &row.fix;
    write!(line, "{},", row.device)?;
    text(line, name.terminal);
    write!(line, ",{},{},{},", fix.fix_time, Degrees(fix.lat_e7), Degrees(fix.lon_e7))?;
    optional(line, fix.altitude_m)?;
    optional(line, fix.speed_dkmh.map(Tenths))?;
    optional(line, fix.course_deg)?;
    write!(line, "{},{},", fix.is_valid(), row.received_at)?;
    optional(line, super::ignition(fix))?;
    optional(line, fix.odometer_m)?;
    optional(line, fix.fuel_dl.map(Tenths))?;
    optional(line, fix.satellites)?;
    optional(line, fix.vehicle_speed_dkmh.map(Tenths))?;
    optional(line, fix.engine_rpm)?;
    joined(line, fix.alarms.labels());
    line.push(',');
    joined(line, fix.status.labels());
    line.push(',');
    joined(line, fix.quality.labels());
    line.push(',');
    text(line, name.plate);
    line.push_str("\r\n");
    Ok(())
}

/// The value, if there is one, and a comma.
fn optional<T: std::fmt::Display>(line: &mut String, value: Option<T>) -> std::fmt::Result {
    if let Some(value) = value {
        write!(line, "{value}")?;
    }
    line.push(',');
    Ok(())
}

/// A text field: never a formula, quoted where it must be.
fn text(line: &mut String, value: &str) {
    let cell = guarded(value);
    let is_guarded = matches!(cell, Cow::Owned(_));
    if !is_guarded && !cell.contains([',', '"', '\r', '\n']) {
        line.push_str(&cell);
        return;
    }
    line.push('"');
    line.push_str(&cell.replace('"', "\"\""));
    line.push('"');
}
