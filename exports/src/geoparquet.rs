//! GeoParquet 1.1: a column for each property of CSV, in plain units, and the place as a point in well-known binary.
//!
//! The key `geo` of the footer says which column holds places and within what box they lie. Without a `crs` the standard means
//! OGC:CRS84, which is WGS-84 with the longitude first. Times are timestamps in UTC with milliseconds. Any reader of Parquet takes the
//! file for a table; those that know the key take it for a layer.

use std::io::{self, Write};
use std::sync::Arc;

use motorpool_storage::tracks::Row;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::{ExportError, Name, Names, degrees, ignition, joined, tenths};

/// Rows of a row group, which are held until it is full.
pub const GROUP_ROWS: usize = 1 << 15;

/// The version of the standard that the key `geo` follows.
const VERSION: &str = "1.1.0";
/// The column of places.
const GEOMETRY: &str = "geometry";
/// A point in well-known binary, little endian: byte order, kind 1, x, y.
const POINT_BYTES: usize = 21;

/// Where the values of a column come from.
#[derive(Clone, Copy)]
enum Values {
    Number32(fn(&Row) -> Option<i32>),
    Number64(fn(&Row) -> Option<i64>),
    Real(fn(&Row) -> Option<f64>),
    Boolean(fn(&Row) -> Option<bool>),
    Instant(fn(&Row) -> i64),
    Text(fn(&Held, &mut String)),
    Point,
}

struct Column {
    name: &'static str,
    values: Values,
    is_nullable: bool,
}

const fn column(name: &'static str, values: Values) -> Column {
    Column { name, values, is_nullable: true }
}

const fn required(name: &'static str, values: Values) -> Column {
    Column { name, values, is_nullable: false }
}

use Values::{Boolean, Instant, Number32, Number64, Point, Real, Text};

/// The columns, in the order of the file: those of CSV, with the place instead of latitude and longitude.
const COLUMNS: &[Column] = &[
    required("device", Number64(|row| Some(i64::from(row.device.0)))),
    column("terminal", Text(|held, text| text.push_str(&held.terminal))),
    column("plate", Text(|held, text| text.push_str(&held.plate))),
    required("time_utc", Instant(|row| row.fix.fix_time.0)),
    column("altitude_m", Number32(|row| row.fix.altitude_m.map(i32::from))),
    column("speed_kmh", Real(|row| row.fix.speed_dkmh.map(tenths))),
    column("course_deg", Number32(|row| row.fix.course_deg.map(i32::from))),
    required("valid", Boolean(|row| Some(row.fix.is_valid()))),
    required("received_utc", Instant(|row| row.received_at.0)),
    column("ignition", Boolean(|row| ignition(&row.fix))),
    column("odometer_m", Number64(|row| row.fix.odometer_m.map(i64::from))),
    column("fuel_l", Real(|row| row.fix.fuel_dl.map(tenths))),
    column("satellites", Number32(|row| row.fix.satellites.map(i32::from))),
    column("vehicle_speed_kmh", Real(|row| row.fix.vehicle_speed_dkmh.map(tenths))),
    column("engine_rpm", Number32(|row| row.fix.engine_rpm.map(i32::from))),
    column("alarms", Text(|held, text| joined(text, held.row.fix.alarms.labels()))),
    column("status", Text(|held, text| joined(text, held.row.fix.status.labels()))),
    column("quality", Text(|held, text| joined(text, held.row.fix.quality.labels()))),
    required(GEOMETRY, Point),
];

/// A row with its names, as long as its row group is collected. Rows of one run share theirs.
struct Held {
    row: Row,
    terminal: Arc<str>,
    plate: Arc<str>,
}

/// The box that holds every place, in 1e-7 degrees: west, south, east, north.
type Bounds = Option<[i32; 4]>;

impl From<ParquetError> for ExportError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(error) => Self::Output(*error),
                Err(source) => Self::Output(io::Error::other(source)),
            },
            error => Self::Output(io::Error::other(error)),
        }
    }
}

/// Writes a file with a line for each row; returns how many rows there were.
///
/// # Errors
///
/// The first row that can't be read or written.
pub fn write<W: Write + Send>(
    out: W,
    rows: impl Iterator<Item = Result<Row, ExportError>>,
    names: &dyn Names,
) -> Result<u64, ExportError> {
    let mut file = SerializedFileWriter::new(out, schema()?, Arc::new(properties()?))?;
    let mut group: Vec<Held> = Vec::new();
    let mut bounds: Bounds = None;
    let mut written = 0;
    for row in rows {
        let row = row?;
        bounds = Some(widened(bounds, &row));
        let held = hold(group.last(), names.name(&row), &row);
        group.push(held);
        written += 1;
        if group.len() == GROUP_ROWS {
            write_group(&mut file, &group)?;
            group.clear();
        }
    }
    if !group.is_empty() {
        write_group(&mut file, &group)?;
    }
    file.append_key_value_metadata(KeyValue::new("geo".to_owned(), metadata(bounds)));
    file.finish()?;
    file.inner_mut().flush()?;
    Ok(written)
}

fn hold(last: Option<&Held>, name: Name<'_>, row: &Row) -> Held {
    let shared = |known: Option<&Arc<str>>, text: &str| match known {
        Some(known) if **known == *text => Arc::clone(known),
        _ => Arc::from(text),
    };
    Held {
        terminal: shared(last.map(|held| &held.terminal), name.terminal),
        plate: shared(last.map(|held| &held.plate), name.plate),
        row: row.clone(),
    }
}

fn widened(bounds: Bounds, row: &Row) -> [i32; 4] {
    let (lon, lat) = (row.fix.lon_e7, row.fix.lat_e7);
    let [west, south, east, north] = bounds.unwrap_or([lon, lat, lon, lat]);
    [west.min(lon), south.min(lat), east.max(lon), north.max(lat)]
}

/// What the key `geo` says.
fn metadata(bounds: Bounds) -> String {
    let mut column = serde_json::json!({ "encoding": "WKB", "geometry_types": ["Point"] });
    if let Some(bounds) = bounds {
        column["bbox"] = bounds.map(degrees).to_vec().into();
    }
    let columns = serde_json::json!({ GEOMETRY: column });
    serde_json::json!({ "version": VERSION, "primary_column": GEOMETRY, "columns": columns }).to_string()
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let properties = WriterProperties::builder()
        .set_created_by("motorpool".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?));
    Ok(properties.build())
}

fn schema() -> Result<TypePtr, ParquetError> {
    let fields = COLUMNS.iter().map(|column| {
        let (physical, logical) = match column.values {
            Number32(_) => (Physical::INT32, None),
            Number64(_) => (Physical::INT64, None),
            Real(_) => (Physical::DOUBLE, None),
            Boolean(_) => (Physical::BOOLEAN, None),
            Instant(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
            Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Point => (Physical::BYTE_ARRAY, None),
        };
        let repetition = if column.is_nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = Type::primitive_type_builder(column.name, physical);
        Ok(Arc::new(field.with_repetition(repetition).with_logical_type(logical).build()?))
    });
    let fields: Vec<TypePtr> = fields.collect::<Result<_, ParquetError>>()?;
    Ok(Arc::new(Type::group_type_builder("fix").with_fields(fields).build()?))
}

fn write_group<W: Write + Send>(
    file: &mut SerializedFileWriter<W>,
    rows: &[Held],
) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    for column in COLUMNS {
        let Some(mut writer) = group.next_column()? else {
            return Err(ParquetError::General("the file has fewer columns than its schema".to_owned()));
        };
        write_column(&mut writer, column, rows)?;
        writer.close()?;
    }
    group.close()?;
    Ok(())
}

/// Writes a column of a row group; a value that is not there is a level of 0.
fn write_column(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    rows: &[Held],
) -> Result<(), ParquetError> {
    match column.values {
        Number32(of) => {
            let (values, levels) = collect(rows, |held| of(&held.row));
            writer.typed::<Int32Type>().write_batch(&values, column.levels(&levels), None)?;
        }
        Number64(of) => {
            let (values, levels) = collect(rows, |held| of(&held.row));
            writer.typed::<Int64Type>().write_batch(&values, column.levels(&levels), None)?;
        }
        Real(of) => {
            let (values, levels) = collect(rows, |held| of(&held.row));
            writer.typed::<DoubleType>().write_batch(&values, column.levels(&levels), None)?;
        }
        Boolean(of) => {
            let (values, levels) = collect(rows, |held| of(&held.row));
            writer.typed::<BoolType>().write_batch(&values, column.levels(&levels), None)?;
        }
        Instant(of) => {
            let (values, levels) = collect(rows, |held| Some(of(&held.row)));
            writer.typed::<Int64Type>().write_batch(&values, column.levels(&levels), None)?;
        }
        Text(of) => {
            let (values, levels) = collect(rows, |held| {
                let mut text = String::new();
                of(held, &mut text);
                (!text.is_empty()).then(|| ByteArray::from(text.into_bytes()))
            });
            writer.typed::<ByteArrayType>().write_batch(&values, column.levels(&levels), None)?;
        }
        Point => {
            let (values, levels) = collect(rows, |held| Some(point(&held.row)));
            writer.typed::<ByteArrayType>().write_batch(&values, column.levels(&levels), None)?;
        }
    }
    Ok(())
}

impl Column {
    fn levels<'a>(&self, levels: &'a [i16]) -> Option<&'a [i16]> {
        self.is_nullable.then_some(levels)
    }
}

fn collect<T>(rows: &[Held], value: impl Fn(&Held) -> Option<T>) -> (Vec<T>, Vec<i16>) {
    let mut levels = Vec::with_capacity(rows.len());
    let values = rows.iter().filter_map(|held| {
        let value = value(held);
        levels.push(i16::from(value.is_some()));
        value
    });
    (values.collect(), levels)
}

fn point(row: &Row) -> ByteArray {
    let mut bytes = Vec::with_capacity(POINT_BYTES);
    bytes.push(1);
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&degrees(row.fix.lon_e7).to_le_bytes());
    bytes.extend_from_slice(&degrees(row.fix.lat_e7).to_le_bytes());
    ByteArray::from(bytes)
}
