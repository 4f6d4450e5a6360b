//! Recorded tracks from a CSV file, plain or gzip.
//!
//! The first row names the columns; their order is free and others are passed over. An empty cell means that the
//! source does not have the value.
//!
//! | column | | meaning |
//! | --- | --- | --- |
//! | `device` | needed | any name |
//! | `time_utc` | needed | RFC 3339, `Z` or an offset |
//! | `lat`, `lon` | needed | WGS-84 degrees |
//! | `alt_m` | | metres, rounded to 1 m; beyond ±32,767 m unknown |
//! | `speed_kmh`, `heading` | | km/h to 0.1, degrees to 1; where the source has none they are derived, see below |
//! | `odometer_m` | | metres |
//! | `obd_speed_kmh` | | the vehicle's own speed, km/h to 0.1 |
//! | `rpm` | | engine speed; 0 means that the ignition is off |
//!
//! Derived speed and heading are those of the great circle from the device's previous fix (for the first one: to
//! the next); a leg shorter than 1 m keeps the heading before. The ignition is taken to be on unless `rpm` says
//! otherwise: JT/T 808 has no way to say that it is unknown.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use geo::{Bearing, Distance, Haversine, Point};
use motorpool_protocols::{Fix, Status, UtcMillis};

/// One device's fixes in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct DeviceTrack {
    /// The name in the file.
    pub device: String,
    /// Its fixes.
    pub fixes: Vec<Fix>,
}

/// Why a file could not be read as tracks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TracksFileError {
    /// The file could not be opened or read, or it is damaged gzip.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not CSV.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// A needed column is not there.
    #[error("there is no column `{0}`; needed are device, time_utc, lat and lon")]
    MissingColumn(&'static str),
    /// A cell holds something else than its column needs.
    #[error("line {line}, column `{column}`: `{value}` {reason}")]
    Cell {
        /// Line in the file, from 1.
        line: u64,
        /// The column's name.
        column: &'static str,
        /// What stands there, at most 40 characters of it.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Reads a file; gzip is recognised by its first bytes.
///
/// # Errors
/// At the first row that can't be read; nothing is skipped.
pub fn read(path: &Path) -> Result<Vec<DeviceTrack>, TracksFileError> {
    read_from(File::open(path)?)
}

/// As [`read`], from anything.
///
/// # Errors
/// As [`read`].
pub fn read_from(source: impl Read) -> Result<Vec<DeviceTrack>, TracksFileError> {
    let mut source = BufReader::with_capacity(256 << 10, source);
    if source.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        read_csv(flate2::bufread::MultiGzDecoder::new(source))
    } else {
        read_csv(source)
    }
}

fn read_csv(source: impl Read) -> Result<Vec<DeviceTrack>, TracksFileError> {
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(256 << 10).from_reader(source);
    let columns = Columns::find(reader.headers()?)?;
    let mut tracks: Vec<DeviceTrack> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        let row = Row { record: &record, columns: &columns };
        let name = row.needed(Column::Device)?;
        let at = match tracks.last() {
            Some(last) if last.device == name => tracks.len() - 1,
            _ => *by_name.entry(name.to_owned()).or_insert_with(|| {
                tracks.push(DeviceTrack { device: name.to_owned(), fixes: Vec::new() });
                tracks.len() - 1
            }),
        };
        let fix = row.fix()?;
        if let Some(track) = tracks.get_mut(at) {
            track.fixes.push(fix);
        }
    }
    tracks.iter_mut().for_each(|track| derive_motion(&mut track.fixes));
    Ok(tracks)
}

#[derive(Clone, Copy)]
enum Column {
    Device,
    Time,
    Lat,
    Lon,
    Altitude,
    Speed,
    Heading,
    Odometer,
    ObdSpeed,
    Rpm,
}

impl Column {
    const NAMES: [&'static str; 10] = [
        "device",
        "time_utc",
        "lat",
        "lon",
        "alt_m",
        "speed_kmh",
        "heading",
        "odometer_m",
        "obd_speed_kmh",
        "rpm",
    ];

    fn name(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or("")
    }
}

struct Columns([Option<usize>; 10]);

impl Columns {
    fn find(headings: &csv::StringRecord) -> Result<Self, TracksFileError> {
        // A byte-order mark in front of the first heading is a spreadsheet's habit.
        let clean = |heading: &str| heading.trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
        let headings: Vec<String> = headings.iter().map(clean).collect();
        let found = Column::NAMES.map(|name| headings.iter().position(|heading| heading == name));
        let missing = found.iter().zip(Column::NAMES).take(4).find(|(at, _)| at.is_none());
        missing.map_or(Ok(Self(found)), |(_, name)| Err(TracksFileError::MissingColumn(name)))
    }
}

struct Row<'a> {
    record: &'a csv::StringRecord,
    columns: &'a Columns,
}

impl<'a> Row<'a> {
    /// The cell's text, `None` when it is empty or its column is not there.
    fn cell(&self, column: Column) -> Option<&'a str> {
        let at = (*self.columns.0.get(column as usize)?)?;
        self.record.get(at).map(str::trim).filter(|text| !text.is_empty())
    }

    fn error(&self, column: Column, reason: &'static str) -> TracksFileError {
        TracksFileError::Cell {
            line: self.record.position().map_or(0, csv::Position::line),
            column: column.name(),
            value: self.cell(column).unwrap_or("").chars().take(40).collect(),
            reason,
        }
    }

    fn needed(&self, column: Column) -> Result<&'a str, TracksFileError> {
        self.cell(column).ok_or_else(|| self.error(column, "must not be empty"))
    }

    fn number(&self, column: Column) -> Result<Option<f64>, TracksFileError> {
        let Some(text) = self.cell(column) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(self.error(column, "is not a number")),
        }
    }

    fn degrees_e7(&self, column: Column, max: f64) -> Result<i32, TracksFileError> {
        self.needed(column)?;
        match self.number(column)? {
            Some(value) if value.abs() <= max => Ok((value * 1e7).round() as i32),
            _ => Err(self.error(column, "is out of range")),
        }
    }

    /// A value that may not be negative, times `scale`.
    fn scaled(&self, column: Column, scale: f64, max: u32) -> Result<Option<u32>, TracksFileError> {
        let Some(value) = self.number(column)? else { return Ok(None) };
        if value < 0.0 {
            return Err(self.error(column, "is negative"));
        }
        Ok(Some(((value * scale).round() as u32).min(max)))
    }

    fn fix(&self) -> Result<Fix, TracksFileError> {
        let time: jiff::Timestamp = self
            .needed(Column::Time)?
            .parse()
            .map_err(|_| self.error(Column::Time, "is not a time like 2018-07-15T02:10:10Z"))?;
        let lat_e7 = self.degrees_e7(Column::Lat, 90.0)?;
        let lon_e7 = self.degrees_e7(Column::Lon, 180.0)?;
        let tenths = |column| self.scaled(column, 10.0, u16::MAX.into()).map(|v| v.map(|v| v as u16));
        let altitude_m = self.number(Column::Altitude)?.map(f64::round);
        let heading = self.number(Column::Heading)?.map(|degrees| degrees.round().rem_euclid(360.0) as u16);
        let engine_rpm = self.scaled(Column::Rpm, 1.0, u16::MAX.into())?.map(|rpm| rpm as u16);
        let ignition = if engine_rpm == Some(0) { Status(0) } else { Status::IGNITION };
        Ok(Fix {
            altitude_m: altitude_m.filter(|m| m.abs() <= f64::from(i16::MAX)).map(|m| m as i16),
            speed_dkmh: tenths(Column::Speed)?,
            course_deg: heading,
            status: Status::POSITIONED.with(ignition),
            odometer_m: self.scaled(Column::Odometer, 1.0, u32::MAX)?,
            vehicle_speed_dkmh: tenths(Column::ObdSpeed)?,
            engine_rpm,
            ..Fix::new(UtcMillis(time.as_millisecond()), lat_e7, lon_e7)
        })
    }
}

/// Fills in speed and heading where the source has none.
fn derive_motion(fixes: &mut [Fix]) {
    let mut heading = 0;
    for at in 0..fixes.len() {
        let leg = if at == 0 { (fixes.first(), fixes.get(1)) } else { (fixes.get(at - 1), fixes.get(at)) };
        let leg = if let (Some(from), Some(to)) = leg { Some(Leg::between(from, to)) } else { None };
        if let Some(derived) = leg.as_ref().and_then(|leg| leg.heading_deg) {
            heading = derived;
        }
        let Some(fix) = fixes.get_mut(at) else { return };
        fix.speed_dkmh = fix.speed_dkmh.or_else(|| leg.map(|leg| leg.speed_dkmh));
        match fix.course_deg {
            Some(known) => heading = known,
            None => fix.course_deg = Some(heading),
        }
    }
}

/// The way from one fix to the next.
struct Leg {
    speed_dkmh: u16,
    /// `None` when it is too short to have one.
    heading_deg: Option<u16>,
}

impl Leg {
    fn between(from: &Fix, to: &Fix) -> Self {
        let point = |fix: &Fix| Point::new(f64::from(fix.lon_e7) / 1e7, f64::from(fix.lat_e7) / 1e7);
        let (a, b) = (point(from), point(to));
        let distance_m = Haversine.distance(a, b);
        let seconds = (to.fix_time.0 - from.fix_time.0).abs() as f64 / 1e3;
        let speed_dkmh = if seconds > 0.0 { distance_m / seconds * 36.0 } else { 0.0 };
        Self {
            speed_dkmh: speed_dkmh.round().min(f64::from(u16::MAX)) as u16,
            heading_deg: (distance_m >= 1.0).then(|| (Haversine.bearing(a, b).round() as u16) % 360),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const HEADINGS: &str =
        "device,time_utc,lat,lon,alt_m,speed_kmh,heading,odometer_m,obd_speed_kmh,rpm,hired\n";

    #[test]
    fn cells_become_fields() {
        let text = format!(
            "{HEADINGS}a,2018-07-15T02:10:10Z,-12.2222225,132.4444447,-121.6,12.34,359.6,1234567,13,0,1\n\
             b,2018-07-15T10:10:10+08:00,39.984852,116.308361,40000,,,,,,\n\
             a,2018-07-15T02:10:11.5Z,-12.2222225,132.4444447,,,90,,,800,\n"
        );
        let tracks = read_from(text.as_bytes()).unwrap();
        assert_eq!(
            tracks.iter().map(|t| (t.device.as_str(), t.fixes.len())).collect::<Vec<_>>(),
            [("a", 2), ("b", 1)]
        );
        let time = UtcMillis(1_531_620_610_000);
        assert_eq!(
            tracks[0].fixes[0],
            Fix {
                altitude_m: Some(-122),
                speed_dkmh: Some(123),
                course_deg: Some(0),
                status: Status::POSITIONED,
                odometer_m: Some(1_234_567),
                vehicle_speed_dkmh: Some(130),
                engine_rpm: Some(0),
                ..Fix::new(time, -122_222_225, 1_324_444_447)
            }
        );
        assert_eq!(tracks[0].fixes[1].fix_time, UtcMillis(1_531_620_611_500));
        assert!(tracks[0].fixes[1].status.contains(Status::IGNITION));
        let b = &tracks[1].fixes[0];
        assert_eq!((b.fix_time, b.altitude_m, b.speed_dkmh, b.course_deg), (time, None, None, Some(0)));
    }

    #[test]
    fn speed_and_heading_are_derived_from_the_way() {
        // One thousandth of a degree of latitude is 111.195 m on the mean sphere (6,371,008.8 m); in 10 s that is 40.03 km/h.
        let text = "time_utc,lon,lat,device\n\
                    2018-07-15T02:10:10Z,104,33.000,a\n\
                    2018-07-15T02:10:20Z,104,33.001,a\n\
                    2018-07-15T02:10:30Z,104,33.001,a\n\
                    2018-07-15T02:10:40Z,104,33.000,a\n";
        let tracks = read_from(text.as_bytes()).unwrap();
        let motion: Vec<_> = tracks[0].fixes.iter().map(|fix| (fix.speed_dkmh, fix.course_deg)).collect();
        assert_eq!(motion, [(400, 0), (400, 0), (0, 0), (400, 180)].map(|(v, c)| (Some(v), Some(c))));
    }

    #[test]
    fn gzip_is_recognised_by_its_bytes() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writeln!(gz, "{HEADINGS}a,2018-07-15T02:10:10Z,1,2,,,,,,,").unwrap();
        assert_eq!(read_from(gz.finish().unwrap().as_slice()).unwrap()[0].fixes.len(), 1);
    }

    #[test]
    fn real_tracks_are_read_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        for (file, devices, rows) in [("sf_cabs.csv.gz", 3, 70_128), ("envirocar_obd.csv.gz", 4, 2_383)] {
            let path = folder.join(file);
            if !path.exists() {
                eprintln!("SKIPPED: {} is not there", path.display());
                continue;
            }
            let tracks = read(&path).unwrap();
            assert_eq!(
                (tracks.len(), tracks.iter().map(|t| t.fixes.len()).sum::<usize>()),
                (devices, rows),
                "{file}"
            );
            assert!(
                tracks
                    .iter()
                    .flat_map(|t| &t.fixes)
                    .all(|f| f.speed_dkmh.is_some() && f.course_deg < Some(360))
            );
        }
    }

    #[test]
    fn a_bad_cell_is_named_with_line_and_column() {
        let good = "a,2018-07-15T02:10:10Z,1,2,,,,,,,\n";
        for (row, complaint) in [
            (",2018-07-15T02:10:10Z,1,2,,,,,,,", "column `device`: `` must not be empty"),
            ("a,15.07.2018,1,2,,,,,,,", "column `time_utc`: `15.07.2018` is not a time like"),
            ("a,2018-07-15T02:10:10Z,91,2,,,,,,,", "column `lat`: `91` is out of range"),
            ("a,2018-07-15T02:10:10Z,1,x,,,,,,,", "column `lon`: `x` is not a number"),
            ("a,2018-07-15T02:10:10Z,1,2,,-3,,,,,", "column `speed_kmh`: `-3` is negative"),
            ("a,2018-07-15T02:10:10Z,1,2,,NaN,,,,,", "column `speed_kmh`: `NaN` is not a number"),
        ] {
            let text = format!("{HEADINGS}{good}{good}{row}\n");
            let message = read_from(text.as_bytes()).unwrap_err().to_string();
            assert!(message.starts_with(&format!("line 4, {complaint}")), "{message}");
        }
        let short = format!("{HEADINGS}{good}a,b\n");
        assert!(read_from(short.as_bytes()).unwrap_err().to_string().contains("line: 3"), "a short row");
        let message = read_from("device,lat,lon\n".as_bytes()).unwrap_err().to_string();
        assert!(message.contains("`time_utc`"), "{message}");
    }
}
