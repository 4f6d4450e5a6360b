//! Files of tracks to points by device: CSV, XLSX, GPX, GeoJSON; Parquet comes point by point from outside.
//!
//! Large CSV files are read line by line: a file of millions of rows costs its points and one line. A bad row is reported and
//! skipped, never fatal; a fix is not dropped for looking wrong, it carries [`Signs`](crate::point::Signs).

mod columns;
mod csv_lines;
mod fix;
mod geojson;
mod gpx;

use std::hash::BuildHasher as _;
use std::io::{BufRead, BufReader, Cursor, Read as _};

use flate2::bufread::MultiGzDecoder;
use jiff::tz::TimeZone;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use serde::Serialize;

use self::columns::Layout;
use self::fix::{Reading, Rejected};
use super::problem::{Fault, Problem, Problems};
use super::table::{Limits, MAX_BYTES, Table, TableError, ZIP_MAGIC};
use super::text;
use super::values::{Datum, LocalTime};
use crate::point::Point;

/// Unpacked bytes of one track file that is read line by line.
pub const MAX_STREAM_BYTES: u64 = 64 << 30;
/// Points of all files together: 40 bytes each.
pub const MAX_POINTS: u64 = 200_000_000;
/// Devices of all files together.
pub const MAX_DEVICES: usize = 1_000_000;
/// Bytes of one line.
pub const MAX_LINE_BYTES: u64 = 64 << 10;
/// Bytes of a GeoJSON file: in memory its numbers take some sixteen times as much.
pub const MAX_GEOJSON_BYTES: u64 = 128 << 20;
/// Characters of a device's name.
pub const MAX_DEVICE_CHARS: usize = 100;

/// What files of tracks mean where they do not say it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct TrackOptions {
    /// Where times without an offset are local.
    pub timezone: TimeZone,
    /// What coordinates are in.
    pub datum: Datum,
    /// Limits of files that are read as a whole: workbooks, GPX, GeoJSON.
    pub limits: Limits,
    /// Unpacked bytes of a CSV file.
    pub max_stream_bytes: u64,
    /// Points of all files together.
    pub max_points: u64,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self {
            timezone: TimeZone::UTC,
            datum: Datum::Wgs84,
            limits: Limits::default(),
            max_stream_bytes: MAX_STREAM_BYTES,
            max_points: MAX_POINTS,
        }
    }
}

/// Why a file is no file of tracks. Rows that are wrong are in the [`FileReport`] instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// No table, or beyond its limits.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A column without which there is no track.
    #[error("no column for {0}")]
    MissingColumn(&'static str),
    /// A column in a measure it can't have.
    #[error("column {column:?} can't be measured in {measure}")]
    WrongMeasure {
        /// Its header.
        column: String,
        /// The measure.
        measure: String,
    },
    /// The source of the bytes failed.
    #[error("reading failed: {0}")]
    Read(String),
    /// A line that never ends.
    #[error("row {row} is longer than {MAX_LINE_BYTES} bytes")]
    LineTooLong {
        /// The row.
        row: u32,
    },
    /// Neither GPX nor GeoJSON in a form that is read.
    #[error("{0}")]
    Malformed(String),
    /// More points than [`TrackOptions::max_points`].
    #[error("more than {0} points")]
    TooManyPoints(u64),
    /// More than [`MAX_DEVICES`].
    #[error("more than {MAX_DEVICES} devices")]
    TooManyDevices,
}

/// All points of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct DeviceTrack {
    /// The device as the files name it.
    pub device: String,
    /// Its points in the order of time; fixes of one instant in the order of the files. No two are the same in everything.
    pub points: Vec<Point>,
}

/// What came of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct FileReport {
    /// Rows read, without header and blank ones.
    pub rows: u64,
    /// Points made of them.
    pub points: u64,
    /// Rows that made no point.
    pub rejected: Problems,
    /// Cells that could not be read beside a good position; the point is without them.
    pub doubts: Problems,
}

/// All files together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Tracks {
    /// By device.
    pub devices: Vec<DeviceTrack>,
    /// Points left out because another was the same in everything.
    pub duplicates: u64,
}

/// Collects the points of any number of files.
#[derive(Debug)]
pub struct TrackReader {
    options: TrackOptions,
    tracks: Vec<DeviceTrack>,
    /// Places in `tracks` by the hash of the name, to look names up without owning them.
    by_name: FxHashMap<u64, Vec<usize>>,
    /// Where the last point went: files are mostly sorted by device.
    last: usize,
    points: u64,
}

impl TrackReader {
    /// Nothing yet.
    #[must_use]
    pub fn new(options: TrackOptions) -> Self {
        Self { options, tracks: Vec::new(), by_name: FxHashMap::default(), last: 0, points: 0 }
    }

    /// Reads a file of any form, told by its first bytes; gzip around it or not. Points of rows that name no device are
    /// those of `device`.
    ///
    /// # Errors
    /// [`TrackError`] when the file as a whole can't be read. Points read until then stay.
    pub fn read(&mut self, device: &str, mut file: impl BufRead) -> Result<FileReport, TrackError> {
        let first = file.fill_buf().map_err(read_failed)?;
        if first.starts_with(text::GZIP_MAGIC) {
            return self.read_plain(device, BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)));
        }
        self.read_plain(device, file)
    }

    fn read_plain(&mut self, device: &str, mut file: impl BufRead) -> Result<FileReport, TrackError> {
        let first = file.fill_buf().map_err(read_failed)?;
        let visible =
            first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start().first().copied();
        let is_utf16 = first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]);
        if first.starts_with(ZIP_MAGIC) {
            let table =
                Table::read(&self.whole(file, MAX_BYTES)?, None, &self.options.limits, &columns::is_column)?;
            return self.read_table(device, &table);
        }
        match visible {
            Some(b'<') => gpx::read(self, device, file.take(self.options.limits.bytes)),
            Some(b'{' | b'[') => geojson::read(self, device, &self.whole(file, MAX_GEOJSON_BYTES)?),
            _ if is_utf16 => {
                let text = text::decoded(&self.whole(file, MAX_BYTES)?)?.into_owned();
                csv_lines::read(self, device, Cursor::new(text.into_bytes()))
            }
            _ => csv_lines::read(self, device, file),
        }
    }

    /// Reads a table that is there already.
    ///
    /// # Errors
    /// [`TrackError`] when the table lacks a column for the time or the position.
    pub fn read_table(&mut self, device: &str, table: &Table) -> Result<FileReport, TrackError> {
        let layout = Layout::of(&table.headers)?;
        let mut rows = Rows::of(self, device, &layout);
        for row in &table.rows {
            rows.take(row.number, row)?;
        }
        Ok(rows.report)
    }

    /// Adds one point.
    ///
    /// # Errors
    /// [`TrackError::TooManyPoints`], [`TrackError::TooManyDevices`].
    pub fn push(&mut self, device: &str, point: Point) -> Result<(), TrackError> {
        if self.points >= self.options.max_points {
            return Err(TrackError::TooManyPoints(self.options.max_points));
        }
        let index = self.track_of(device)?;
        if let Some(track) = self.tracks.get_mut(index) {
            track.points.push(point);
            self.points += 1;
        }
        Ok(())
    }

    fn track_of(&mut self, device: &str) -> Result<usize, TrackError> {
        let is_named = |tracks: &[DeviceTrack], index: usize| {
            tracks.get(index).is_some_and(|track| track.device == device)
        };
        if is_named(&self.tracks, self.last) {
            return Ok(self.last);
        }
        let places = self.by_name.entry(FxBuildHasher.hash_one(device)).or_default();
        let place = places.iter().copied().find(|&place| is_named(&self.tracks, place));
        self.last = match place {
            Some(place) => place,
            None if self.tracks.len() >= MAX_DEVICES => return Err(TrackError::TooManyDevices),
            None => {
                places.push(self.tracks.len());
                self.tracks.push(DeviceTrack { device: device.to_owned(), points: Vec::new() });
                self.tracks.len() - 1
            }
        };
        Ok(self.last)
    }

    /// All points, by device and time.
    #[must_use]
    pub fn finish(self) -> Tracks {
        let mut devices = self.tracks;
        let mut duplicates = 0_u64;
        for track in &mut devices {
            let before = track.points.len();
            if !track.points.is_sorted_by_key(|point| point.time) {
                track.points.sort_by_key(|point| point.time);
            }
            leave_out_duplicates(&mut track.points);
            duplicates += u64::try_from(before - track.points.len()).unwrap_or(u64::MAX);
        }
        devices.retain(|track| !track.points.is_empty());
        devices.sort_by(|a, b| a.device.cmp(&b.device));
        Tracks { devices, duplicates }
    }

    fn whole(&self, file: impl BufRead, max_bytes: u64) -> Result<Vec<u8>, TrackError> {
        let max_bytes = max_bytes.min(self.options.limits.bytes);
        let mut bytes = Vec::new();
        file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(read_failed)?;
        if u64::try_from(bytes.len()).is_ok_and(|len| len <= max_bytes) {
            Ok(bytes)
        } else {
            Err(TableError::TooManyBytes { max_bytes }.into())
        }
    }
}

/// Keeps the first of points that are the same in everything. They are sorted by time, so only neighbours can be.
fn leave_out_duplicates(points: &mut Vec<Point>) {
    let mut seen: FxHashSet<Point> = FxHashSet::default();
    let mut before: Option<Point> = None;
    points.retain(|point| {
        let last = before.replace(*point);
        match last {
            Some(last) if last.time == point.time => {
                // The first of several at one instant is only put down once a second one comes.
                seen.insert(last);
                seen.insert(*point)
            }
            _ => {
                seen.clear();
                true
            }
        }
    });
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of an error")]
fn read_failed(error: std::io::Error) -> TrackError {
    TrackError::Read(error.to_string())
}

/// Rows of one file on their way to points.
struct Rows<'a> {
    reader: &'a mut TrackReader,
    device: &'a str,
    layout: &'a Layout,
    reading: Reading,
    report: FileReport,
}

impl<'a> Rows<'a> {
    fn of(reader: &'a mut TrackReader, device: &'a str, layout: &'a Layout) -> Self {
        let local = layout.local.clone().unwrap_or_else(|| LocalTime(reader.options.timezone.clone()));
        let reading = Reading::new(local, reader.options.datum);
        Self { reader, device, layout, reading, report: FileReport::default() }
    }

    /// Takes a row: a point, or a problem.
    fn take(&mut self, number: u32, fields: &impl fix::Fields) -> Result<(), TrackError> {
        self.report.rows += 1;
        let name = self.layout.device_in(fields);
        let name = name.as_deref().filter(|name| !name.is_empty()).unwrap_or(self.device);
        let doubts = &mut self.report.doubts;
        let mut doubt = |column: &columns::TrackColumn, value: &str, fault: &Fault| {
            doubts.push_with(|| Problem::new(Some(number), &column.header, value, fault));
        };
        if name.chars().nth(MAX_DEVICE_CHARS).is_some() {
            let fault = Fault::TooLong { max_chars: MAX_DEVICE_CHARS };
            self.report.rejected.push_with(|| Problem::new(Some(number), "device", name, &fault));
            return Ok(());
        }
        match self.reading.point(self.layout, fields, &mut doubt) {
            Ok(point) => {
                self.reader.push(name, point)?;
                self.report.points += 1;
            }
            Err(Rejected { column, value, fault }) => {
                self.report.rejected.push_with(|| Problem::new(Some(number), &column, &value, &fault));
            }
        }
        Ok(())
    }
}
