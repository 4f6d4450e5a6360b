//! GPX 1.1: a track for each run of rows of one device, day and car, called by its plate, else by its terminal.
//!
//! Speed (metres per second) and course go into Garmin's TrackPointExtension, version 2, which most programs read.
//! A fix whose coordinates are no place has `<fix>none</fix>`.

use std::fmt::Write as _;
use std::io::Write;

use motorpool_storage::tracks::Row;

use super::runs::{Runs, title};
use super::xml::escape;
use super::{Degrees, ExportError, Names};

const HEAD: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<gpx version=\"1.1\" creator=\"motorpool\" xmlns=\"http://www.topografix.com/GPX/1/1\" ",
    "xmlns:tp=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\">\n"
);

/// Writes a point for each row; returns how many rows there were.
///
/// # Errors
///
/// The first row that can't be read or written.
pub fn write<W: Write>(
    mut out: W,
    rows: impl Iterator<Item = Result<Row, ExportError>>,
    names: &dyn Names,
) -> Result<u64, ExportError> {
    let mut runs = Runs::default();
    let mut written = 0;
    let mut text = HEAD.to_owned();
    for row in rows {
        let row = row?;
        let name = names.name(&row);
        if runs.begins(&row, name) {
            if written > 0 {
                text.push_str("</trkseg></trk>\n");
            }
            text.push_str("<trk><name>");
            escape(&mut text, title(name));
            writeln!(text, "</name><number>{}</number><trkseg>", row.device)
                .expect("a String takes every text");
        }
        write_point(&mut text, &row).expect("a String takes every text");
        out.write_all(text.as_bytes())?;
        text.clear();
        written += 1;
    }
    if written > 0 {
        text.push_str("</trkseg></trk>\n");
    }
    text.push_str("</gpx>\n");
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(written)
}

fn write_point(text: &mut String, row: &Row) -> std::fmt::Result {
    let fix = &row.fix;
    write!(text, "<trkpt lat=\"{}\" lon=\"{}\">", Degrees(fix.lat_e7), Degrees(fix.lon_e7))?;
    if let Some(altitude_m) = fix.altitude_m {
        write!(text, "<ele>{altitude_m}</ele>")?;
    }
    write!(text, "<time>{}</time>", fix.fix_time)?;
    if !fix.has_place() {
        text.push_str("<fix>none</fix>");
    }
    if let Some(satellites) = fix.satellites {
        write!(text, "<sat>{satellites}</sat>")?;
    }
    if fix.speed_dkmh.is_some() || fix.course_deg.is_some() {
        text.push_str("<extensions><tp:TrackPointExtension>");
        if let Some(dkmh) = fix.speed_dkmh {
            write!(text, "<tp:speed>{:.2}</tp:speed>", f64::from(dkmh) / 36.0)?;
        }
        if let Some(course_deg) = fix.course_deg {
            write!(text, "<tp:course>{course_deg}</tp:course>")?;
        }
        text.push_str("</tp:TrackPointExtension></extensions>");
    }
    text.push_str("</trkpt>\n");
    Ok(())
}
