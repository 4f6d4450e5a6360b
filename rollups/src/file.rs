//! One file: plain Parquet, a row group for each range of devices, every number an INT64, with how it was made and a checksum of its pages in the footer.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use motorpool_storage::priority::breathe;
use parquet::basic::{Compression, Encoding, Repetition, Type as Physical, ZstdLevel};
use parquet::column::reader::ColumnReader;
use parquet::data_type::Int64Type;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use serde::{Deserialize, Serialize};

use crate::RollupsError;
use crate::columns::{COLUMNS, Column, NONE};
use crate::error::At;
use crate::table::{Entry, Table};

/// The key in the footer under which a file says how it was made.
const KEY: &str = "motorpool.rollups";

/// Rows for which memory is taken because the footer says so, which no checksum covers. A city's day has a few million; more grow as they are
/// read.
const ROWS_BELIEVED: usize = 1 << 20;

/// What a file depends on besides the fixes. One that was made otherwise counts as not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a record of a file's footer")]
pub struct Making {
    /// The version of the fold and of the columns.
    pub version: u32,
    /// How tracks are cut into trips.
    pub trips: motorpool_supervision::trips::TripSettings,
    /// The time zone of days; empty for slots, which know none.
    pub zone: String,
}

impl Making {
    /// The version that this program makes.
    pub const VERSION: u32 = 1;
}

/// What the footer says.
#[derive(Debug, Serialize, Deserialize)]
struct Footer {
    making: Making,
    /// Bytes before the footer, and their checksum.
    pages_len: u64,
    pages_crc32c: u32,
}

/// Counts and checks what is written.
struct Checked<W> {
    out: W,
    len: u64,
    crc32c: u32,
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A page was encoded.
        breathe();
        let written = self.out.write(bytes)?;
        let taken = bytes.get(..written).unwrap_or_default();
        self.crc32c = crc32c::crc32c_append(self.crc32c, taken);
        self.len += taken.len() as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn schema() -> parquet::errors::Result<TypePtr> {
    let field = |column: &Column| {
        let repetition = if column.is_nullable() { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        Type::primitive_type_builder(column.name(), Physical::INT64)
            .with_repetition(repetition)
            .build()
            .map(Arc::new)
    };
    let fields = Column::ALL.iter().map(field).collect::<Result<_, _>>()?;
    Ok(Arc::new(Type::group_type_builder("rollup").with_fields(fields).build()?))
}

/// A file that is written, row group by row group. A reader sees the old file, or the new one when it is whole.
pub(crate) struct Writer {
    path: PathBuf,
    temporary: Temporary,
    making: Making,
    writer: SerializedFileWriter<Checked<File>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The file under another name; removed when dropped before it has its own.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    is_whole: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_whole
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "half a rollup stays until the next start");
        }
    }
}

impl Writer {
    pub(crate) fn create(path: PathBuf, making: Making) -> Result<Self, RollupsError> {
        let temporary = path.with_extension("parquet.tmp");
        let file = File::create(&temporary).at(&temporary)?;
        let temporary = Temporary { path: temporary, is_whole: false };
        let level = ZstdLevel::try_new(3).at(&path)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_encoding(Encoding::DELTA_BINARY_PACKED)
            .build();
        let out = Checked { out: file, len: 0, crc32c: 0 };
        let writer = SerializedFileWriter::new(out, schema().at(&path)?, Arc::new(properties)).at(&path)?;
        Ok(Self { path, temporary, making, writer })
    }

    /// Adds the rows of a table, which follow those that are there.
    pub(crate) fn group(&mut self, table: &Table) -> Result<(), RollupsError> {
        let path = &self.temporary.path;
        let mut group = self.writer.next_row_group().at(path)?;
        for column in Column::ALL {
            breathe();
            let values = table.column(*column)?;
            let Some(mut chunk) = group.next_column().at(path)? else { break };
            let typed = chunk.typed::<Int64Type>();
            if column.is_nullable() {
                let levels: Vec<i16> = values.iter().map(|value| i16::from(*value != NONE)).collect();
                let present: Vec<i64> = values.iter().copied().filter(|value| *value != NONE).collect();
                typed.write_batch(&present, Some(&levels), None).at(path)?;
            } else {
                typed.write_batch(&values, None, None).at(path)?;
            }
            chunk.close().at(path)?;
        }
        group.close().at(path)?;
        Ok(())
    }

    /// Makes the file durable, and gives it its name.
    pub(crate) fn finish(mut self) -> Result<(), RollupsError> {
        let path = &self.temporary.path;
        // The pages are out by now, the footer is not.
        self.writer.flush().at(path)?;
        let (pages_len, pages_crc32c) = (self.writer.inner().len, self.writer.inner().crc32c);
        let footer = Footer { making: self.making, pages_len, pages_crc32c };
        let text = serde_json::to_string(&footer).map_err(io::Error::from).at(path)?;
        self.writer.append_key_value_metadata(KeyValue::new(KEY.to_owned(), text));
        let file = self.writer.into_inner().at(path)?.out;
        file.sync_all().at(path)?;
        fs::rename(path, &self.path).at(&self.path)?;
        self.temporary.is_whole = true;
        let folder = self.path.parent().unwrap_or(&self.path);
        File::open(folder).and_then(|folder| folder.sync_all()).at(folder)
    }
}

/// A file in memory, checked.
pub(crate) struct Encoded {
    path: PathBuf,
    reader: SerializedFileReader<Bytes>,
    bytes: usize,
    rows: usize,
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoded").field("path", &self.path).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Encoded {
    /// Reads and checks a file; `None` when it was made otherwise.
    pub(crate) fn open(path: &Path, making: &Making) -> Result<Option<Self>, RollupsError> {
        let bytes = Bytes::from(fs::read(path).at(path)?);
        let reader = SerializedFileReader::new(bytes.clone()).at(path)?;
        let metadata = reader.metadata().file_metadata();
        let said = metadata.key_value_metadata().into_iter().flatten().find(|pair| pair.key == KEY);
        let said = said.and_then(|pair| pair.value.as_deref());
        let footer = said.and_then(|text| serde_json::from_str::<Footer>(text).ok());
        let Some(footer) = footer.filter(|footer| footer.making == *making) else { return Ok(None) };
        let pages = usize::try_from(footer.pages_len).ok().and_then(|len| bytes.get(..len));
        if pages.map(crc32c::crc32c) != Some(footer.pages_crc32c) {
            return Err(RollupsError::bad(path, "checksum of the pages"));
        }
        let is_ours = metadata.schema_descr().columns().iter().map(|found| found.name());
        if !is_ours.eq(Column::ALL.iter().map(|column| column.name())) {
            return Err(RollupsError::bad(path, "columns that are not ours"));
        }
        let rows =
            usize::try_from(metadata.num_rows()).map_err(|_| RollupsError::bad(path, "number of rows"))?;
        Ok(Some(Self { path: path.to_owned(), bytes: bytes.len(), reader, rows }))
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many row groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// The rows of a row group.
    pub(crate) fn entries(&self, group: usize) -> Result<Vec<Entry>, RollupsError> {
        let mut columns: [Vec<i64>; COLUMNS] = std::array::from_fn(|_| Vec::new());
        for (column, values) in Column::ALL.iter().zip(&mut columns) {
            self.read(group, *column, values)?;
        }
        Table::decoded(columns).entries()
    }

    /// Decodes a column.
    pub(crate) fn column(&self, column: Column) -> Result<Vec<i64>, RollupsError> {
        let mut out = Vec::with_capacity(self.rows.min(ROWS_BELIEVED));
        (0..self.groups()).try_for_each(|group| self.read(group, column, &mut out))?;
        if out.len() == self.rows {
            Ok(out)
        } else {
            Err(RollupsError::bad(&self.path, "a column is too short"))
        }
    }

    /// Decodes a column of a row group.
    fn read(&self, group: usize, column: Column, out: &mut Vec<i64>) -> Result<(), RollupsError> {
        breathe();
        let group = self.reader.get_row_group(group).at(&self.path)?;
        let ColumnReader::Int64ColumnReader(mut reader) =
            group.get_column_reader(column as usize).at(&self.path)?
        else {
            return Err(RollupsError::bad(&self.path, "a column that holds no numbers"));
        };
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let begin = out.len();
        if column.is_nullable() {
            let believed = rows.min(ROWS_BELIEVED);
            let (mut present, mut levels) = (Vec::with_capacity(believed), Vec::with_capacity(believed));
            reader.read_records(rows, Some(&mut levels), None, &mut present).at(&self.path)?;
            let mut present = present.into_iter();
            let value = |level: &i16| if *level == 0 { NONE } else { present.next().unwrap_or(NONE) };
            out.extend(levels.iter().map(value));
        } else {
            reader.read_records(rows, None, None, out).at(&self.path)?;
        }
        if out.len().saturating_sub(begin) == rows {
            Ok(())
        } else {
            Err(RollupsError::bad(&self.path, "a column is too short"))
        }
    }
}

const _: () = assert!(COLUMNS == 27, "a change of the columns is a new version of the making");
