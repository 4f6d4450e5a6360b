//! Tracks from Parquet: the archive's own files and exports, and any flat file whose columns have the names that CSV files have.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use motorpool_protocols::{Fix, Quality, UtcMillis};
use motorpool_supervision::intake::tracks::{FileReport, TrackReader};
use motorpool_supervision::intake::{Cell, Row, Table};
use motorpool_supervision::point::Point;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row as Record};

/// Rows handed over at once.
const ROWS_AT_ONCE: usize = 50_000;

/// Whether the file begins as Parquet files do.
pub(super) fn is_parquet(path: &Path) -> bool {
    let mut magic = [0_u8; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"PAR1"
}

/// Reads a file. Rows without a device are those of `device`.
///
/// # Errors
/// When the file is damaged, or lacks a column without which there is no track.
pub(super) fn read(path: &Path, device: &str, reader: &mut TrackReader) -> anyhow::Result<FileReport> {
    let file = SerializedFileReader::new(File::open(path)?)?;
    let schema = file.metadata().file_metadata().schema();
    let names: Vec<String> = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
    let is_archive =
        ["device", "time_s", "lat_e6", "lon_e6"].iter().all(|name| names.iter().any(|n| n == name));
    let mut report = FileReport::default();
    let mut table = Table { headers: names.iter().map(|name| header(name)).collect(), ..Table::default() };
    for (index, record) in file.get_row_iter(None)?.enumerate() {
        let record = record?;
        if is_archive {
            let (name, point) = archived(&record);
            reader.push(name.as_deref().unwrap_or(device), point)?;
            report.rows += 1;
            report.points += 1;
            continue;
        }
        let number = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        let cells = record.get_column_iter().map(|(_, field)| cell(field)).collect();
        table.rows.push(Row { number, cells });
        if table.rows.len() >= ROWS_AT_ONCE {
            add(&mut report, reader.read_table(device, &table)?);
            table.rows.clear();
        }
    }
    if !is_archive {
        add(&mut report, reader.read_table(device, &table)?);
    }
    Ok(report)
}

fn add(total: &mut FileReport, part: FileReport) {
    total.rows += part.rows;
    total.points += part.points;
    total.rejected.more += part.rejected.more;
    for problem in part.rejected.list {
        total.rejected.push_with(|| problem);
    }
}

/// Instants of Parquet are UTC whatever the column is called.
fn header(name: &str) -> String {
    match name {
        "time" | "timestamp" | "fix_time" => "time_utc".to_owned(),
        other => other.to_owned(),
    }
}

fn cell(field: &Field) -> Cell {
    let number = |value: f64| if value.is_finite() { Cell::Number(value) } else { Cell::Empty };
    let instant = |at: Result<Timestamp, jiff::Error>| {
        at.map_or(Cell::Empty, |at| Cell::Moment(TimeZone::UTC.to_datetime(at)))
    };
    #[expect(clippy::cast_precision_loss, reason = "numbers of track files are far below 2^53")]
    match field {
        Field::Bool(value) => Cell::Truth(*value),
        Field::Byte(value) => number(f64::from(*value)),
        Field::Short(value) => number(f64::from(*value)),
        Field::Int(value) => number(f64::from(*value)),
        Field::Long(value) => number(*value as f64),
        Field::UByte(value) => number(f64::from(*value)),
        Field::UShort(value) => number(f64::from(*value)),
        Field::UInt(value) => number(f64::from(*value)),
        Field::ULong(value) => number(*value as f64),
        Field::Float(value) => number(f64::from(*value)),
        Field::Double(value) => number(*value),
        Field::Str(text) => Cell::text(text),
        Field::Bytes(bytes) => Cell::text(&String::from_utf8_lossy(bytes.data())),
        Field::TimestampMillis(at) => instant(Timestamp::from_millisecond(*at)),
        Field::TimestampMicros(at) => instant(Timestamp::from_microsecond(*at)),
        _ => Cell::Empty,
    }
}

/// A row of the archive: see [`crate::tracks`] for its columns.
fn archived(record: &Record) -> (Option<String>, Point) {
    let whole = |name: &str| {
        record.get_column_iter().find(|(column, _)| column.as_str() == name).and_then(
            |(_, field)| match field {
                Field::Int(value) => Some(i64::from(*value)),
                Field::Long(value) => Some(*value),
                _ => None,
            },
        )
    };
    let number = |name: &str| whole(name).unwrap_or(0);
    let degrees = |e6: &str, seventh: &str| {
        i32::try_from(number(e6).saturating_mul(10).saturating_add(number(seventh))).unwrap_or(0)
    };
    let small = |name: &str| whole(name).and_then(|value| u16::try_from(value).ok());
    let time = UtcMillis(number("time_s").saturating_mul(1_000).saturating_add(number("time_ms")));
    let mut fix = Fix::new(time, degrees("lat_e6", "lat_7th"), degrees("lon_e6", "lon_7th"));
    fix.speed_dkmh = small("speed_dkmh");
    fix.vehicle_speed_dkmh = small("vehicle_speed_dkmh");
    fix.engine_rpm = small("engine_rpm");
    fix.fuel_dl = small("fuel_dl");
    fix.satellites = whole("satellites").and_then(|value| u8::try_from(value).ok());
    fix.odometer_m = whole("odometer_m").and_then(|value| u32::try_from(value).ok());
    fix.status.0 = u32::try_from(number("status")).unwrap_or(0);
    fix.alarms.0 = u64::from_le_bytes(number("alarms").to_le_bytes());
    fix.quality = Quality(u16::try_from(number("quality")).unwrap_or(0));
    (whole("device").map(|device| device.to_string()), Point::from(&fix))
}
