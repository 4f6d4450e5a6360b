//! Rows written for other programs: CSV, Parquet, GeoJSON, GPX.
//!
//! Each writer takes rows as they come and holds none but the last, so an export of any size needs no more
//! memory than a small one. Coordinates are WGS-84 unless the caller moved the rows, times UTC. The names of terminals come from a closure, because
//! only the registry knows them.
//!
//! This crate opens no files.

pub mod csv;
pub mod geojson;
pub mod gpx;
pub mod parquet;

use std::fmt;
use std::io::{self, Write};

use motorpool_protocols::{Fix, Quality, Status};

use motorpool_storage::ids::DeviceId;
use motorpool_storage::tracks::{Row, TracksError};

/// The terminal id of a device, if the registry knows it.
pub type TerminalOf<'a> = &'a dyn Fn(DeviceId) -> Option<String>;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
#[non_exhaustive]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// The columns of the archive in one file.
    Parquet,
    /// A feature collection of points.
    GeoJson,
    /// GPX 1.1, one track for each device and day.
    Gpx,
}

impl Format {
    /// The media type for HTTP.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::GeoJson => "application/geo+json",
            Self::Gpx => "application/gpx+xml",
        }
    }

    /// What a file of it is called behind the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::GeoJson => "geojson",
            Self::Gpx => "gpx",
        }
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
}

/// Writes `rows` to `out`; returns how many there were.
///
/// # Errors
///
/// The first row that can't be read or written ends the export.
pub fn write<W: Write + Send>(
    format: Format,
    out: W,
    rows: impl Iterator<Item = Result<Row, TracksError>>,
    terminal_of: TerminalOf<'_>,
) -> Result<u64, ExportError> {
    match format {
        Format::Csv => csv::write(out, rows, terminal_of),
        Format::Parquet => parquet::write(out, rows),
        Format::GeoJson => geojson::write(out, rows, terminal_of),
        Format::Gpx => gpx::write(out, rows, terminal_of),
    }
}

/// Remembers the terminal of the last device: rows of one device come together.
struct Terminals<'a> {
    terminal_of: TerminalOf<'a>,
    last: Option<(DeviceId, String)>,
}

impl<'a> Terminals<'a> {
    const fn new(terminal_of: TerminalOf<'a>) -> Self {
        Self { terminal_of, last: None }
    }

    /// The terminal of `device`, empty when unknown; and whether it is another device than before.
    fn name(&mut self, device: DeviceId) -> (&str, bool) {
        let is_new = self.last.as_ref().is_none_or(|(last, _)| *last != device);
        if is_new {
            self.last = Some((device, (self.terminal_of)(device).unwrap_or_default()));
        }
        (self.last.as_ref().map_or("", |(_, name)| name), is_new)
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

/// Whether the ignition is on, if the source says so.
fn ignition(fix: &Fix) -> Option<bool> {
    (!fix.quality.contains(Quality::IGNITION_UNKNOWN)).then(|| fix.status.contains(Status::IGNITION))
}

#[cfg(test)]
mod tests;
