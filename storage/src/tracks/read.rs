//! One Parquet file, read by rows: only the pages that hold them, each checked before it is decoded.
//!
//! A file is opened once and kept by [`super::cache`]. Its index comes from the sidecar when that is whole
//! and belongs to this very file; otherwise from the file itself, after its checksum was compared with the
//! manifest's. Every page read is compared with the checksum in the index.

use std::cell::RefCell;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use motorpool_protocols::{Alarms, Extra, Fix, Quality, Status, UtcMillis};
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::delta::{self, NULL, PageShape, SLACK};
use super::error::{At, TracksError};
use super::footer;
use super::index::{Bounds, DeviceAt, FileIndex, PageAt, PagesBuilder, Surroundings};
use super::manifest::FileMeta;
use super::pages::page_header;
use super::row::Row;
use super::schema::{self, COLUMNS, Column, ColumnSet};
use crate::ids::DeviceId;
use crate::priority::breathe;

/// Files with fewer rows have no sidecar: reading them whole is as fast.
pub(super) const SIDECAR_ROWS_MIN: u64 = 1 << 14;

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// What reading a page needs, kept for the next one.
#[derive(Default)]
struct Buffers {
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
    stored: Vec<u8>,
    plain: Vec<u8>,
}

/// An open file of the archive.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    file: File,
    index: FileIndex,
}

impl OpenFile {
    /// Opens a file of the archive in `dir`. With `may_write`, a lost sidecar is written again.
    pub(super) fn open(dir: &Path, meta: &FileMeta, may_write: bool) -> Result<Self, TracksError> {
        let path = meta.path(dir);
        let file = File::open(&path).at(&path)?;
        let bytes = file.metadata().at(&path)?.len();
        if bytes != meta.bytes {
            return Err(TracksError::bad(&path, format!("{bytes} bytes long, not {}", meta.bytes)));
        }
        if meta.rows >= SIDECAR_ROWS_MIN {
            let sidecar = meta.index_path(dir);
            match read_sidecar(&sidecar, meta) {
                Ok(index) => return Ok(Self { path, file, index }),
                Err(reason) => {
                    tracing::warn!(path = %sidecar.display(), reason, "index of a track file is made again");
                }
            }
        }
        let index = build_index(&path, &file, meta)?;
        if may_write && meta.rows >= SIDECAR_ROWS_MIN {
            write_sidecar(&meta.index_path(dir), &index)?;
        }
        Ok(Self { path, file, index })
    }

    pub(super) const fn index(&self) -> &FileIndex {
        &self.index
    }

    /// A file whose index is known.
    pub(super) fn with_index(path: &Path, file: File, index: FileIndex) -> Self {
        Self { path: path.to_owned(), file, index }
    }

    /// The rows of `device` with `from <= fix_time < to`, added to `out` in the order of the file.
    pub(super) fn track(
        &self,
        device: DeviceId,
        from: UtcMillis,
        to: UtcMillis,
        out: &mut Vec<Row>,
    ) -> Result<(), TracksError> {
        let rows = self.index.trimmed(self.index.rows_of(device), from, to);
        if rows.is_empty() {
            return Ok(());
        }
        let found = self.rows(rows)?;
        out.extend(found.into_iter().filter(|row| (from..to).contains(&row.fix.fix_time)));
        Ok(())
    }

    /// The rows of `range`, in the order of the file, with ordinal 0.
    pub(super) fn rows(&self, range: Range<u32>) -> Result<Vec<Row>, TracksError> {
        let mut columns: Vec<Vec<i64>> = vec![Vec::new(); COLUMNS.len()];
        let mut extra = Vec::new();
        for column in self.index.columns.iter() {
            if column == schema::EXTRA {
                extra = self.extra_column(&range)?;
            } else {
                columns[column] = self.column(column, &range)?;
            }
        }
        let value = |column: Column, i: usize| columns[column].get(i).copied();
        let required = |column, i| value(column, i).unwrap_or(0);
        let row = |i| {
            let fix_time = required(schema::TIME_S, i) * 1_000 + required(schema::TIME_MS, i);
            let extra: Box<[u8]> = extra.get_mut(i).map(std::mem::take).unwrap_or_default();
            let fix = Fix {
                fix_time: UtcMillis(fix_time),
                lat_e7: degrees(required(schema::LAT, i), required(schema::LAT_DIGIT, i)),
                lon_e7: degrees(required(schema::LON, i), required(schema::LON_DIGIT, i)),
                altitude_m: narrow(value(schema::ALTITUDE, i)),
                speed_dkmh: narrow(value(schema::SPEED, i)),
                course_deg: narrow(value(schema::COURSE, i)),
                status: Status(required(schema::STATUS, i) as u32),
                alarms: Alarms(required(schema::ALARMS, i).cast_unsigned()),
                quality: Quality(required(schema::QUALITY, i) as u16),
                satellites: narrow(value(schema::SATELLITES, i)),
                signal: narrow(value(schema::SIGNAL, i)),
                odometer_m: narrow(value(schema::ODOMETER, i)),
                fuel_dl: narrow(value(schema::FUEL, i)),
                vehicle_speed_dkmh: narrow(value(schema::VEHICLE_SPEED, i)),
                engine_rpm: narrow(value(schema::RPM, i)),
                extra: Extra { start: 0, len: u32::try_from(extra.len()).unwrap_or(u32::MAX) },
            };
            Row {
                device: DeviceId(required(schema::DEVICE, i) as u32),
                ordinal: 0,
                received_at: UtcMillis(required(schema::RECEIVED, i) * 1_000),
                fix,
                extra,
            }
        };
        Ok((0..range.len()).map(row).collect())
    }

    /// The pages of `column` that hold rows of `range`: each page's number and the rows wanted of it.
    fn pages_of<'a>(&'a self, range: &'a Range<u32>) -> impl Iterator<Item = (usize, Range<usize>)> + 'a {
        let first = self.index.page_of(range.start);
        (first..self.index.page_rows.len())
            .map(|page| (page, self.index.rows_in(page)))
            .take_while(|(_, rows)| rows.start < range.end)
            .map(|(page, rows)| {
                let from = range.start.max(rows.start) - rows.start;
                let to = range.end.min(rows.end) - rows.start;
                (page, from as usize..to.max(from) as usize)
            })
    }

    /// The values of a column of numbers, [`NULL`] where there is none.
    fn column(&self, column: Column, range: &Range<u32>) -> Result<Vec<i64>, TracksError> {
        let mut out = Vec::with_capacity(range.len());
        self.column_into(column, range, &mut out)?;
        Ok(out)
    }

    /// Adds the values of a column of numbers to `out`, [`NULL`] where there is none. What the file has no column
    /// for reads as null or 0.
    pub(super) fn column_into(
        &self,
        column: Column,
        range: &Range<u32>,
        out: &mut Vec<i64>,
    ) -> Result<(), TracksError> {
        let spec = &COLUMNS[column];
        if !self.index.columns.contains(column) {
            out.resize(out.len() + range.len(), if spec.is_nullable { NULL } else { 0 });
            return Ok(());
        }
        for (page, wanted) in self.pages_of(range) {
            let shape = PageShape {
                rows: self.index.rows_in(page).len(),
                is_nullable: spec.is_nullable,
                is_narrow: spec.physical == parquet::basic::Type::INT32,
            };
            let at = out.len();
            self.with_page(column, page, |bytes| delta::decode(bytes, shape, wanted.end, out))?.map_err(
                |reason| {
                    TracksError::bad(&self.path, format!("page {page} of column `{}`: {reason}", spec.name))
                },
            )?;
            out.drain(at..at + wanted.start);
        }
        Ok(())
    }

    fn extra_column(&self, range: &Range<u32>) -> Result<Vec<Box<[u8]>>, TracksError> {
        let mut out = Vec::with_capacity(range.len());
        for (page, wanted) in self.pages_of(range) {
            let whole = |padded: &[u8]| padded.split_last_chunk::<SLACK>().map(|(page, _)| page.to_vec());
            let bytes = self.with_page(schema::EXTRA, page, whole)?.unwrap_or_default();
            let rows = self.index.rows_in(page).len();
            let (values, levels) = decode_extra(bytes, rows).at(&self.path)?;
            let mut values = values.into_iter();
            let all = levels.iter().map(|level| match level {
                0 => Box::default(),
                _ => values.next().map(|value| Box::from(value.data())).unwrap_or_default(),
            });
            out.extend(all.skip(wanted.start).take(wanted.len()));
        }
        Ok(out)
    }

    /// Hands one page, checked, decompressed and followed by [`SLACK`] bytes, to `see`.
    fn with_page<T>(
        &self,
        column: Column,
        page: usize,
        see: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, TracksError> {
        breathe();
        let at = self.index.pages[column][page];
        BUFFERS.with_borrow_mut(|buffers| {
            buffers.stored.resize(at.stored_len as usize, 0);
            self.file.read_exact_at(&mut buffers.stored, at.offset).at(&self.path)?;
            if crc32c::crc32c(&buffers.stored) != at.crc32c {
                let name = COLUMNS[column].name;
                return Err(TracksError::bad(
                    &self.path,
                    format!("checksum of page {page} of column `{name}`"),
                ));
            }
            buffers.decompress(at.plain_len as usize).map_err(|error| {
                TracksError::bad(&self.path, format!("page {page} does not decompress: {error}"))
            })?;
            Ok(see(&buffers.plain))
        })
    }
}

impl Buffers {
    fn decompress(&mut self, plain_len: usize) -> std::io::Result<()> {
        let decompressor = match &mut self.decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(zstd::bulk::Decompressor::new()?),
        };
        self.plain.clear();
        self.plain.reserve(plain_len + SLACK);
        decompressor.decompress_to_buffer(&self.stored, &mut self.plain)?;
        if self.plain.len() != plain_len {
            return Err(std::io::Error::other("of another length"));
        }
        self.plain.resize(plain_len + SLACK, 0);
        Ok(())
    }
}

const fn degrees(e6: i64, digit: i64) -> i32 {
    (e6 * 10 + digit) as i32
}

fn narrow<T: TryFrom<i64>>(value: Option<i64>) -> Option<T> {
    value.filter(|value| *value != NULL).and_then(|value| T::try_from(value).ok())
}

/// A column chunk of a single page that is in memory.
struct OnePage(Option<Page>);

impl Iterator for OnePage {
    type Item = parquet::errors::Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageReader for OnePage {
    fn get_next_page(&mut self) -> parquet::errors::Result<Option<Page>> {
        Ok(self.0.take())
    }

    fn peek_next_page(&mut self) -> parquet::errors::Result<Option<PageMetadata>> {
        let rows = self.0.as_ref().map(|page| page.num_values() as usize);
        Ok(rows.map(|rows| PageMetadata { num_rows: Some(rows), num_levels: Some(rows), is_dict: false }))
    }

    fn skip_next_page(&mut self) -> parquet::errors::Result<()> {
        self.0 = None;
        Ok(())
    }
}

/// The values of one page of [`schema::EXTRA`], and 0 or 1 per row.
fn decode_extra(page: Vec<u8>, rows: usize) -> parquet::errors::Result<(Vec<ByteArray>, Vec<i16>)> {
    let page = Page::DataPage {
        buf: page.into(),
        num_values: u32::try_from(rows)?,
        encoding: Encoding::DELTA_LENGTH_BYTE_ARRAY,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    let pages = Box::new(OnePage(Some(page)));
    let mut reader = ColumnReaderImpl::<ByteArrayType>::new(schema::descriptor(schema::EXTRA), pages);
    let mut values = Vec::with_capacity(rows);
    let mut levels = Vec::new();
    let (found, _, _) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    if found == rows { Ok((values, levels)) } else { Err(parquet::errors::ParquetError::EOF("page".into())) }
}

fn read_sidecar(path: &Path, meta: &FileMeta) -> Result<FileIndex, &'static str> {
    let bytes = fs::read(path).map_err(|_| "can't be read")?;
    let index = FileIndex::decode(&bytes)?;
    let is_for_this_file =
        index.bytes == meta.bytes && index.crc32c == meta.crc32c && u64::from(index.rows) == meta.rows;
    if is_for_this_file { Ok(index) } else { Err("belongs to another file") }
}

/// Writes the index of a file beside it. It need not be durable: a lost one is made again.
pub(super) fn write_sidecar(path: &Path, index: &FileIndex) -> Result<(), TracksError> {
    let temporary = path.with_extension("idx.tmp");
    fs::write(&temporary, index.encode()).at(&temporary)?;
    fs::rename(&temporary, path).at(path)
}

/// Makes the index of `file` from the file itself, after comparing its checksum with the manifest's.
pub(super) fn build_index(path: &Path, file: &File, meta: &FileMeta) -> Result<FileIndex, TracksError> {
    check_crc(path, file, meta)?;
    let footer = ParquetMetaDataReader::new().parse_and_finish(file).at(path)?;
    let bad = |reason: String| TracksError::bad(path, reason);
    let columns = ColumnSet::of_file(footer.file_metadata().schema_descr()).map_err(bad)?;
    let rows = u32::try_from(footer.file_metadata().num_rows()).map_err(|_| bad("too many rows".into()))?;
    if u64::from(rows) != meta.rows {
        return Err(bad(format!("{rows} rows, not {}", meta.rows)));
    }
    let mut builder = PagesBuilder::default();
    let mut pages = vec![Vec::new(); COLUMNS.len()];
    for (place, column) in columns.iter().enumerate() {
        let mut borders = Vec::new();
        pages[column] = walk(path, file, &footer, (place, column), &mut borders)?;
        builder.check(column, borders).map_err(bad)?;
    }
    let index = FileIndex {
        bytes: meta.bytes,
        crc32c: meta.crc32c,
        columns,
        rows,
        page_rows: builder.finish(),
        pages,
        bounds: Vec::new(),
        devices: Vec::new(),
    };
    // An index with pages but without devices is enough to read the columns that tell the devices.
    let mut open = OpenFile { path: path.to_owned(), file: file.try_clone().at(path)?, index };
    let (bounds, devices) = open.bounds_and_devices()?;
    open.index.bounds = bounds;
    open.index.devices = devices;
    Ok(open.index)
}

/// Compares the checksum of `file` with the manifest's.
pub(super) fn check_crc(path: &Path, file: &File, meta: &FileMeta) -> Result<(), TracksError> {
    let mut buffer = vec![0; 1 << 18];
    let (mut crc, mut at) = (0, 0);
    while at < meta.bytes {
        breathe();
        let len = buffer.len().min(usize::try_from(meta.bytes - at).unwrap_or(usize::MAX));
        file.read_exact_at(&mut buffer[..len], at).at(path)?;
        crc = crc32c::crc32c_append(crc, &buffer[..len]);
        at += len as u64;
    }
    if crc == meta.crc32c { Ok(()) } else { Err(TracksError::bad(path, "checksum of the file")) }
}

/// The pages of a column, which is at `place` in the file, through all row groups.
fn walk(
    path: &Path,
    file: &File,
    footer: &ParquetMetaData,
    (place, column): (usize, Column),
    borders: &mut Vec<u32>,
) -> Result<Vec<PageAt>, TracksError> {
    let encoding = footer::values_encoding(column);
    let bad = || TracksError::bad(path, "page header");
    let mut pages = Vec::new();
    let mut row = 0_u32;
    for group in footer.row_groups() {
        let (start, len) = group.column(place).byte_range();
        let mut chunk = vec![0; usize::try_from(len).map_err(|_| bad())?];
        file.read_exact_at(&mut chunk, start).at(path)?;
        let mut at = 0;
        while at < chunk.len() {
            breathe();
            let header = page_header(&chunk[at..]).ok_or_else(bad)?;
            if header.encoding != encoding {
                let reason = format!("encoding {} in column `{}`", header.encoding, COLUMNS[column].name);
                return Err(TracksError::bad(path, reason));
            }
            at += header.header_len;
            let stored = chunk.get(at..at + header.stored_len as usize).ok_or_else(bad)?;
            pages.push(PageAt {
                offset: start + at as u64,
                stored_len: header.stored_len,
                plain_len: header.plain_len,
                crc32c: crc32c::crc32c(stored),
            });
            borders.push(row);
            row = row.checked_add(header.rows).ok_or_else(bad)?;
            at += stored.len();
        }
    }
    if i64::from(row) == footer.file_metadata().num_rows() { Ok(pages) } else { Err(bad()) }
}

impl OpenFile {
    /// What the index tells of the content, read from the content.
    fn bounds_and_devices(&self) -> Result<(Vec<Bounds>, Vec<DeviceAt>), TracksError> {
        let mut bounds = Vec::with_capacity(self.index.page_rows.len());
        let mut devices: Vec<DeviceAt> = Vec::new();
        for page in 0..self.index.page_rows.len() {
            let range = self.index.rows_in(page);
            let (lats, lons) = (self.column(schema::LAT, &range)?, self.column(schema::LON, &range)?);
            let places = lats.iter().zip(&lons).map(|(lat, lon)| Surroundings::of(*lat, *lon));
            for ((device, around), row) in
                self.column(schema::DEVICE, &range)?.into_iter().zip(places).zip(range.clone())
            {
                let device = DeviceId(u32::try_from(device).map_err(|_| self.out_of_order())?);
                match devices.last_mut() {
                    Some(last) if last.device == device => last.around = last.around.with(around),
                    Some(last) if last.device > device => return Err(self.out_of_order()),
                    _ => devices.push(DeviceAt { device, first_row: row, around }),
                }
            }
            bounds.push(Bounds {
                time_s: span(&self.column(schema::TIME_S, &range)?),
                lat_e6: span(&lats),
                lon_e6: span(&lons),
            });
        }
        Ok((bounds, devices))
    }

    fn out_of_order(&self) -> TracksError {
        TracksError::bad(&self.path, "devices are out of order")
    }
}

/// The smallest and the largest of some values.
fn span(values: &[i64]) -> (i64, i64) {
    let min = values.iter().copied().min().unwrap_or(0);
    (min, values.iter().copied().max().unwrap_or(0))
}

/// Reads a file from the first row to the last, a page at a time.
#[derive(Debug)]
pub(super) struct Cursor {
    file: Arc<OpenFile>,
    page: usize,
    rows: std::vec::IntoIter<Row>,
}

impl Cursor {
    pub(super) fn new(file: Arc<OpenFile>) -> Self {
        Self { file, page: 0, rows: Vec::new().into_iter() }
    }
}

impl Iterator for Cursor {
    type Item = Result<Row, TracksError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            if self.page >= self.file.index.page_rows.len() {
                return None;
            }
            let range = self.file.index.rows_in(self.page);
            self.page += 1;
            match self.file.rows(range) {
                Ok(rows) => self.rows = rows.into_iter(),
                Err(error) => {
                    // What follows a damaged page can't be merged in order.
                    self.page = usize::MAX;
                    return Some(Err(error));
                }
            }
        }
    }
}
