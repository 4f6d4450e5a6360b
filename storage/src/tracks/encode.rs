//! Rows to Parquet: one file, rows given in order.
//!
//! A row group holds at most [`ROW_GROUP_ROWS`] rows, which bounds the memory of a merge; its columns are
//! collected first and then encoded one after another. The file is written under its name with `.tmp`
//! behind it and renamed when it is durable, so that `*.parquet` never matches half a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::error::{At, TracksError};
use super::footer::footer;
use super::row::Row;
use super::schema::{self, COLUMNS, Column, ColumnSet};
use crate::priority::breathe;

/// Rows of a row group.
pub(super) const ROW_GROUP_ROWS: usize = 1 << 17;

/// Bytes collected before the file is written to.
const BUFFER_BYTES: usize = 1 << 17;

/// Collected values of one column.
#[derive(Debug)]
enum Values {
    I32(Vec<i32>),
    I64(Vec<i64>),
    Bytes(Vec<ByteArray>),
}

#[derive(Debug)]
struct Collected {
    values: Values,
    /// 1 where the column has a value; empty for columns that always have.
    levels: Vec<i16>,
}

/// The columns of a row group while it is collected.
#[derive(Debug)]
struct RowGroup {
    columns: Vec<Collected>,
    set: ColumnSet,
    rows: usize,
}

impl RowGroup {
    fn new(set: ColumnSet) -> Self {
        use parquet::basic::Type as Physical;
        let collected = |spec: &schema::Spec| Collected {
            values: match spec.physical {
                Physical::INT32 => Values::I32(Vec::new()),
                Physical::INT64 => Values::I64(Vec::new()),
                _ => Values::Bytes(Vec::new()),
            },
            levels: Vec::new(),
        };
        Self { columns: COLUMNS.iter().map(collected).collect(), set, rows: 0 }
    }

    #[inline]
    fn i32(&mut self, column: Column, value: i32) {
        if let Values::I32(values) = &mut self.columns[column].values {
            values.push(value);
        }
    }

    #[inline]
    fn i64(&mut self, column: Column, value: i64) {
        if let Values::I64(values) = &mut self.columns[column].values {
            values.push(value);
        }
    }

    #[inline]
    fn maybe(&mut self, column: Column, value: Option<i32>) {
        self.columns[column].levels.push(i16::from(value.is_some()));
        if let Some(value) = value {
            self.i32(column, value);
        }
    }

    #[inline]
    fn push(&mut self, row: &Row) {
        let fix = &row.fix;
        self.i64(schema::DEVICE, i64::from(row.device.0));
        self.i64(schema::TIME_S, fix.fix_time.0.div_euclid(1_000));
        self.i32(schema::LAT, fix.lat_e7.div_euclid(10));
        self.i32(schema::LON, fix.lon_e7.div_euclid(10));
        self.maybe(schema::ALTITUDE, fix.altitude_m.map(i32::from));
        self.maybe(schema::SPEED, fix.speed_dkmh.map(i32::from));
        self.maybe(schema::COURSE, fix.course_deg.map(i32::from));
        self.i64(schema::STATUS, i64::from(fix.status.0));
        self.i64(schema::RECEIVED, row.received_at.0.div_euclid(1_000));
        if self.set != ColumnSet::default() {
            self.push_rare(row);
        }
        self.rows += 1;
    }

    fn push_rare(&mut self, row: &Row) {
        let fix = &row.fix;
        let set = self.set;
        let ints = [
            (schema::TIME_MS, fix.fix_time.0.rem_euclid(1_000) as i32),
            (schema::LAT_DIGIT, fix.lat_e7.rem_euclid(10)),
            (schema::LON_DIGIT, fix.lon_e7.rem_euclid(10)),
            (schema::QUALITY, i32::from(fix.quality.0)),
        ];
        for (column, value) in ints {
            if set.contains(column) {
                self.i32(column, value);
            }
        }
        if set.contains(schema::ALARMS) {
            self.i64(schema::ALARMS, fix.alarms.0.cast_signed());
        }
        let nullable = [
            (schema::SATELLITES, fix.satellites.map(i32::from)),
            (schema::SIGNAL, fix.signal.map(i32::from)),
            (schema::FUEL, fix.fuel_dl.map(i32::from)),
            (schema::VEHICLE_SPEED, fix.vehicle_speed_dkmh.map(i32::from)),
            (schema::RPM, fix.engine_rpm.map(i32::from)),
        ];
        for (column, value) in nullable {
            if set.contains(column) {
                self.maybe(column, value);
            }
        }
        if set.contains(schema::ODOMETER) {
            self.columns[schema::ODOMETER].levels.push(i16::from(fix.odometer_m.is_some()));
            if let Some(value) = fix.odometer_m {
                self.i64(schema::ODOMETER, i64::from(value));
            }
        }
        if set.contains(schema::EXTRA) {
            let extra = &mut self.columns[schema::EXTRA];
            extra.levels.push(i16::from(!row.extra.is_empty()));
            if let Values::Bytes(values) = &mut extra.values
                && !row.extra.is_empty()
            {
                values.push(ByteArray::from(row.extra.to_vec()));
            }
        }
    }

    fn clear(&mut self) {
        self.rows = 0;
        for column in &mut self.columns {
            column.levels.clear();
            match &mut column.values {
                Values::I32(values) => values.clear(),
                Values::I64(values) => values.clear(),
                Values::Bytes(values) => values.clear(),
            }
        }
    }

    fn write<W: Write + Send>(
        &self,
        mut group: SerializedRowGroupWriter<'_, W>,
    ) -> parquet::errors::Result<()> {
        for column in self.set.iter() {
            let collected = &self.columns[column];
            let levels = COLUMNS[column].is_nullable.then_some(collected.levels.as_slice());
            let mut writer = group.next_column()?.expect("the file has every column of the set");
            match &collected.values {
                Values::I32(values) => writer.typed::<Int32Type>().write_batch(values, levels, None)?,
                Values::I64(values) => writer.typed::<Int64Type>().write_batch(values, levels, None)?,
                Values::Bytes(values) => writer.typed::<ByteArrayType>().write_batch(values, levels, None)?,
            };
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}

/// A file that computes its checksum while it is written.
#[derive(Debug)]
struct Sink {
    file: File,
    bytes: u64,
    crc: u32,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink that can be told to swallow what follows.
#[derive(Debug)]
struct Muted<W> {
    out: Option<W>,
    is_muted: bool,
}

impl<W: Write> Write for Muted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A page was encoded.
        breathe();
        match &mut self.out {
            Some(out) if !self.is_muted => out.write(bytes),
            _ => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// Rows as one Parquet file, to anything that takes bytes.
pub(super) struct RowWriter<W: Write + Send> {
    writer: SerializedFileWriter<Muted<W>>,
    group: RowGroup,
    rows: u64,
}

impl<W: Write + Send> RowWriter<W> {
    pub(super) fn new(
        out: W,
        columns: ColumnSet,
        properties: &WriterPropertiesPtr,
    ) -> parquet::errors::Result<Self> {
        let out = Muted { out: Some(out), is_muted: false };
        let writer = SerializedFileWriter::new(out, schema::file_schema(columns), Arc::clone(properties))?;
        Ok(Self { writer, group: RowGroup::new(columns), rows: 0 })
    }

    /// Adds a row; it must not come before the last one.
    pub(super) fn push(&mut self, row: &Row) -> parquet::errors::Result<()> {
        self.group.push(row);
        if self.group.rows == ROW_GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> parquet::errors::Result<()> {
        self.rows += self.group.rows as u64;
        self.group.write(self.writer.next_row_group()?)?;
        self.group.clear();
        Ok(())
    }

    /// Ends the file; gives back where it went and how many rows it has.
    pub(super) fn finish(mut self) -> parquet::errors::Result<(W, u64)> {
        if self.group.rows > 0 {
            self.flush()?;
        }
        // The crate's own footer goes nowhere; a smaller one takes its place.
        self.writer.flush()?;
        self.writer.inner_mut().is_muted = true;
        let written = self.writer.finish()?;
        let mut out = self.writer.inner_mut().out.take().expect("it is taken here only");
        out.write_all(&footer(self.group.set, &written))?;
        Ok((out, self.rows))
    }
}

/// A finished file that is not durable yet and still has its temporary name.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) file: File,
    pub(super) temporary: PathBuf,
    pub(super) path: PathBuf,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) crc32c: u32,
}

/// Writes one file of the archive.
pub(super) struct FileWriter {
    rows: RowWriter<BufWriter<Sink>>,
    /// The same file as the sink's.
    file: File,
    path: PathBuf,
    temporary: PathBuf,
}

impl FileWriter {
    /// Begins a file that will be called `path` once it is durable.
    pub(super) fn create(
        path: &Path,
        columns: ColumnSet,
        properties: &WriterPropertiesPtr,
    ) -> Result<Self, TracksError> {
        let temporary = path.with_extension("parquet.tmp");
        let file = File::create(&temporary).at(&temporary)?;
        let sink = Sink { file: file.try_clone().at(&temporary)?, bytes: 0, crc: 0 };
        let sink = BufWriter::with_capacity(BUFFER_BYTES, sink);
        let rows = RowWriter::new(sink, columns, properties).at(&temporary)?;
        Ok(Self { rows, file, path: path.to_owned(), temporary })
    }

    /// Bytes written so far, the last of which may still be in memory.
    pub(super) fn bytes_written(&self) -> u64 {
        self.rows.writer.bytes_written() as u64
    }

    /// Makes durable what the system was given.
    pub(super) fn sync(&self) -> Result<(), TracksError> {
        self.file.sync_data().at(&self.temporary)
    }

    /// Adds a row; it must not come before the last one.
    pub(super) fn push(&mut self, row: &Row) -> Result<(), TracksError> {
        self.rows.push(row).at(&self.temporary)
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<Written, TracksError> {
        let (sink, rows) = self.rows.finish().at(&self.temporary)?;
        let Sink { file, bytes, crc } =
            sink.into_inner().map_err(io::IntoInnerError::into_error).at(&self.temporary)?;
        Ok(Written { file, temporary: self.temporary, path: self.path, rows, bytes, crc32c: crc })
    }
}

/// Removes files that were begun, unless told to keep them: what an error leaves must not fill the disk.
#[derive(Debug, Default)]
pub(super) struct Discard {
    paths: Vec<PathBuf>,
}

impl Discard {
    /// Adds the Parquet file `path`, with its temporary file and its index.
    pub(super) fn add(&mut self, path: &Path) {
        self.paths.push(path.to_owned());
    }

    /// Keeps all of them.
    pub(super) fn keep(&mut self) {
        self.paths.clear();
    }
}

impl Drop for Discard {
    fn drop(&mut self) {
        for path in &self.paths {
            for extension in ["parquet", "parquet.tmp", "idx", "idx.tmp"] {
                // Most of them were never made; what can't be removed is an orphan that the next start removes.
                drop(std::fs::remove_file(path.with_extension(extension)));
            }
        }
    }
}
