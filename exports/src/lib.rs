//! Rows written for other programs: CSV, Parquet, GeoParquet, XLSX, GeoJSON, GPX, KML.
//!
//! Each writer takes rows as they come and holds a bounded number of them, so an export of any size needs no more memory than a
//! small one: one row, but [`kml::TRACK_POINTS_MAX`] for KML, [`geoparquet::GROUP_ROWS`] for GeoParquet and a row group of the archive
//! for Parquet. Coordinates are WGS-84 unless the caller moved the rows, times UTC. What a row is called comes from [`Names`], because
//! only the registry knows.
//!
//! This crate opens no files but one: XLSX keeps its sheets in nameless files of a folder that the caller names, because a sheet
//! comes before the end of a workbook is known.

pub mod csv;
pub mod geojson;
pub mod geoparquet;
pub mod gpx;
pub mod kml;
pub mod parquet;
pub mod xlsx;

mod runs;
mod xml;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use motorpool_protocols::{Fix, Quality, Status};
use motorpool_storage::tracks::{Row, TracksError};

/// What a row is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "filled in by whoever knows the names")]
pub struct Name<'a> {
    /// The identity of the terminal; empty when nobody knows it.
    pub terminal: &'a str,
    /// The plate of the car that the device sat in; empty when nobody says.
    pub plate: &'a str,
}

/// Knows what rows are called.
pub trait Names {
    /// What this row is called.
    fn name(&self, row: &Row) -> Name<'_>;
}

/// Every row is called the same.
impl Names for Name<'_> {
    fn name(&self, _row: &Row) -> Name<'_> {
        *self
    }
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
#[non_exhaustive]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// The columns of the archive in one file.
    Parquet,
    /// GeoParquet 1.1: one column for each property, and the place as a point.
    GeoParquet,
    /// A workbook of Excel, with as many sheets as it takes.
    Xlsx,
    /// A feature collection of points.
    GeoJson,
    /// GPX 1.1, one track for each device and day.
    Gpx,
    /// KML 2.2, one placemark with a track in time for each device and day.
    Kml,
}

impl Format {
    /// Every format.
    pub const ALL: &'static [Self] =
        &[Self::Csv, Self::Parquet, Self::GeoParquet, Self::Xlsx, Self::GeoJson, Self::Gpx, Self::Kml];

    /// The media type for HTTP.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet | Self::GeoParquet => "application/vnd.apache.parquet",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::GeoJson => "application/geo+json",
            Self::Gpx => "application/gpx+xml",
            Self::Kml => "application/vnd.google-earth.kml+xml",
        }
    }

    /// What a file of it is called behind the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet | Self::GeoParquet => "parquet",
            Self::Xlsx => "xlsx",
            Self::GeoJson => "geojson",
            Self::Gpx => "gpx",
            Self::Kml => "kml",
        }
    }

    /// Whether programs draw a line through every point of it: then fixes without a valid position, which may be anywhere, are
    /// better left out.
    #[must_use]
    pub const fn draws_lines(self) -> bool {
        matches!(self, Self::Gpx | Self::Kml)
    }

    /// Whether its columns are defined to be WGS-84.
    #[must_use]
    pub const fn is_wgs84_only(self) -> bool {
        matches!(self, Self::Parquet | Self::GeoParquet)
    }
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The rows could not be read.
    #[error(transparent)]
    Tracks(#[from] TracksError),
    /// The output did not take the bytes.
    #[error("the output: {0}")]
    Output(#[from] io::Error),
    /// A workbook has no room for more.
    #[error("a workbook holds at most {max} rows: take CSV or Parquet, or less at a time")]
    TooManyRows {
        /// So many.
        max: u64,
    },
    /// Whoever gives the rows gives no more.
    #[error("it was stopped")]
    Stopped,
}

/// Writes `rows` to `out`; returns how many there were. `scratch` is a folder for what XLSX has to keep meanwhile.
///
/// # Errors
///
/// The first row that can't be read or written ends the export.
pub fn write<W: Write + Send>(
    format: Format,
    out: W,
    rows: impl Iterator<Item = Result<Row, ExportError>>,
    names: &dyn Names,
    scratch: &Path,
) -> Result<u64, ExportError> {
    match format {
        Format::Csv => csv::write(out, rows, names),
        Format::Parquet => parquet::write(out, rows),
        Format::GeoParquet => geoparquet::write(out, rows, names),
        Format::Xlsx => xlsx::write(out, rows, names, scratch),
        Format::GeoJson => geojson::write(out, rows, names),
        Format::Gpx => gpx::write(out, rows, names),
        Format::Kml => kml::write(out, rows, names),
    }
}

/// 1e-7 degrees as degrees with seven decimals.
#[derive(Clone, Copy, Debug)]
struct Degrees(i32);

impl fmt::Display for Degrees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let e7 = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:07}", e7 / 10_000_000, e7 % 10_000_000)
    }
}

/// Tenths with one decimal.
#[derive(Clone, Copy, Debug)]
struct Tenths(u16);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// Tenths as a number.
fn tenths(value: u16) -> f64 {
    f64::from(value) / 10.0
}

/// 1e-7 degrees as a number of degrees.
fn degrees(e7: i32) -> f64 {
    f64::from(e7) / 1e7
}

/// Whether the ignition is on, if the source says so.
fn ignition(fix: &Fix) -> Option<bool> {
    (!fix.quality.contains(Quality::IGNITION_UNKNOWN)).then(|| fix.status.contains(Status::IGNITION))
}

/// Names of bits, joined by `;`.
fn joined<'a>(out: &mut String, names: impl Iterator<Item = std::borrow::Cow<'a, str>>) {
    for (at, name) in names.enumerate() {
        if at > 0 {
            out.push(';');
        }
        out.push_str(&name);
    }
}

#[cfg(test)]
mod tests;
