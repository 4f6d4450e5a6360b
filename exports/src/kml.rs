//! KML 2.2 with Google's extension: a placemark for each run of rows of one device, day and car, with a track in time.
//!
//! A `gx:Track` has all its times before all its places, so a track is cut after [`TRACK_POINTS_MAX`] points and goes on in the next
//! one of its `gx:MultiTrack`. Programs draw a line through every point and KML can't call a point invalid, so fixes that are no
//! place are left out. Speed and course are arrays beside the points; what a source did not say is empty there. A height that nobody
//! told is 0, and lines lie on the ground.

use std::fmt::Write as _;
use std::io::Write;

use motorpool_storage::tracks::Row;

use super::runs::{Runs, title};
use super::xml::escape;
use super::{Degrees, ExportError, Name, Names, Tenths};

/// Points of one `gx:Track`, which are held until it ends.
pub const TRACK_POINTS_MAX: usize = 1_000;

const HEAD: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<kml xmlns=\"http://www.opengis.net/kml/2.2\" xmlns:gx=\"http://www.google.com/kml/ext/2.2\">\n",
    "<Document><name>motorpool</name>\n",
    "<Schema id=\"fix\">",
    "<gx:SimpleArrayField name=\"speed_kmh\" type=\"float\"/>",
    "<gx:SimpleArrayField name=\"course_deg\" type=\"int\"/>",
    "</Schema>\n"
);
const FOOT: &str = "</Document></kml>\n";

/// Writes a point for each row that has a valid position; returns how many those were.
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
    let mut track = Track::default();
    let mut text = HEAD.to_owned();
    let mut written = 0;
    for row in rows {
        let row = row?;
        if !row.fix.has_place() {
            continue;
        }
        let name = names.name(&row);
        let is_new = runs.begins(&row, name);
        if is_new || track.points >= TRACK_POINTS_MAX {
            track.end(&mut text);
        }
        if is_new {
            if written > 0 {
                text.push_str("</gx:MultiTrack></Placemark>\n");
            }
            begin_placemark(&mut text, &row, name);
        }
        track.push(&row).expect("a String takes every text");
        out.write_all(text.as_bytes())?;
        text.clear();
        written += 1;
    }
    track.end(&mut text);
    if written > 0 {
        text.push_str("</gx:MultiTrack></Placemark>\n");
    }
    text.push_str(FOOT);
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(written)
}

fn begin_placemark(text: &mut String, row: &Row, name: Name<'_>) {
    text.push_str("<Placemark><name>");
    escape(text, title(name));
    text.push_str("</name><ExtendedData><Data name=\"device\"><value>");
    text.push_str(&row.device.to_string());
    text.push_str("</value></Data><Data name=\"terminal\"><value>");
    escape(text, name.terminal);
    text.push_str("</value></Data></ExtendedData><gx:MultiTrack><gx:interpolate>1</gx:interpolate>\n");
}

/// The points of a `gx:Track`, in the four lists that it is made of.
#[derive(Debug, Default)]
struct Track {
    points: usize,
    times: String,
    places: String,
    speeds: String,
    courses: String,
}

impl Track {
    fn push(&mut self, row: &Row) -> std::fmt::Result {
        let fix = &row.fix;
        writeln!(self.times, "<when>{}</when>", fix.fix_time)?;
        let (lon, lat) = (Degrees(fix.lon_e7), Degrees(fix.lat_e7));
        let altitude_m = fix.altitude_m.unwrap_or(0);
        writeln!(self.places, "<gx:coord>{lon} {lat} {altitude_m}</gx:coord>")?;
        value(&mut self.speeds, fix.speed_dkmh.map(Tenths))?;
        value(&mut self.courses, fix.course_deg)?;
        self.points += 1;
        Ok(())
    }

    /// Writes what there is and begins anew.
    fn end(&mut self, text: &mut String) {
        if self.points == 0 {
            return;
        }
        text.push_str("<gx:Track>\n");
        text.push_str(&self.times);
        text.push_str(&self.places);
        text.push_str(
            "<ExtendedData><SchemaData schemaUrl=\"#fix\">\n<gx:SimpleArrayData name=\"speed_kmh\">",
        );
        text.push_str(&self.speeds);
        text.push_str("</gx:SimpleArrayData>\n<gx:SimpleArrayData name=\"course_deg\">");
        text.push_str(&self.courses);
        text.push_str("</gx:SimpleArrayData>\n</SchemaData></ExtendedData></gx:Track>\n");
        self.points = 0;
        for list in [&mut self.times, &mut self.places, &mut self.speeds, &mut self.courses] {
            list.clear();
        }
    }
}

fn value<T: std::fmt::Display>(list: &mut String, value: Option<T>) -> std::fmt::Result {
    match value {
        Some(value) => write!(list, "<gx:value>{value}</gx:value>"),
        None => {
            list.push_str("<gx:value/>");
            Ok(())
        }
    }
}
