//! The index of one file: where each device's rows and each page are.
//!
//! Kept beside the file as `<seq>.idx` when the file is large, made in memory when it is small, and made
//! again from the Parquet file when it is lost or damaged. Layout, numbers as LEB128 unless said otherwise:
//!
//! ```text
//! "MPTI" · version, 0x02 · bytes and CRC-32C of the Parquet file · column set · rows
//! pages: count, then rows of each
//! per column: offset of the first page, then per page: gap to the page before, stored length, plain length,
//!             CRC-32C (4 bytes, little endian)
//! per page: time, latitude, longitude as zigzag minimum and size of the span
//! devices: count, then each: step of the device number, rows
//! per device: latitude, longitude of its rows in 1e-4 degrees, as zigzag step of the minimum and size of the span
//! CRC-32C of all before it (4 bytes, little endian)
//! ```
//!
//! Version 1 ends with the devices; it is still read, and its devices may be anywhere.
//!
//! This module does no I/O and never panics on bytes.

use std::ops::Range;

use motorpool_protocols::UtcMillis;

use super::schema::{COLUMNS, Column, ColumnSet};
use crate::ids::DeviceId;

const MAGIC: &[u8; 4] = b"MPTI";

/// The version that is written; the one before it is read as well.
pub(crate) const VERSION: u8 = 2;

/// The oldest version that is read: its devices have no surroundings.
pub(crate) const OLDEST_VERSION: u8 = 1;

/// Why an index of another version is not read: it is made again instead.
pub(super) const OTHER_VERSION: &str = "another version";

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageAt {
    /// Place of the page itself, behind its header.
    pub(super) offset: u64,
    pub(super) stored_len: u32,
    pub(super) plain_len: u32,
    /// CRC-32C of the page as stored.
    pub(super) crc32c: u32,
}

/// The smallest and largest values of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) time_s: (i64, i64),
    pub(super) lat_e6: (i64, i64),
    pub(super) lon_e6: (i64, i64),
}

/// The rows of one device: its number and where they begin. They end where the next device's begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeviceAt {
    pub(super) device: DeviceId,
    pub(super) first_row: u32,
    pub(super) around: Surroundings,
}

/// Where a device was, 1e-4 degrees rounded down: a page has the rows of many cars, of which one may matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Surroundings {
    pub(super) lat_e4: (i32, i32),
    pub(super) lon_e4: (i32, i32),
}

impl Surroundings {
    /// Nothing is known.
    const ANYWHERE: Self = Self { lat_e4: (i32::MIN, i32::MAX), lon_e4: (i32::MIN, i32::MAX) };

    /// Of one place, 1e-6 degrees.
    pub(super) fn of(lat_e6: i64, lon_e6: i64) -> Self {
        let cell =
            |e6: i64| i32::try_from(e6.div_euclid(100)).unwrap_or(if e6 < 0 { i32::MIN } else { i32::MAX });
        let (lat, lon) = (cell(lat_e6), cell(lon_e6));
        Self { lat_e4: (lat, lat), lon_e4: (lon, lon) }
    }

    /// Both together.
    pub(super) fn with(self, other: Self) -> Self {
        let both = |a: (i32, i32), b: (i32, i32)| (a.0.min(b.0), a.1.max(b.1));
        Self { lat_e4: both(self.lat_e4, other.lat_e4), lon_e4: both(self.lon_e4, other.lon_e4) }
    }
}

/// The index of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileIndex {
    /// Size of the Parquet file.
    pub(super) bytes: u64,
    /// Checksum of the Parquet file.
    pub(super) crc32c: u32,
    pub(super) columns: ColumnSet,
    pub(super) rows: u32,
    /// First row of each page.
    pub(super) page_rows: Vec<u32>,
    /// Pages of each column; empty for a column that the file has not.
    pub(super) pages: Vec<Vec<PageAt>>,
    pub(super) bounds: Vec<Bounds>,
    pub(super) devices: Vec<DeviceAt>,
}

impl Bounds {
    /// Whether a row of the page may have `from <= fix_time < to`.
    pub(super) fn overlaps(&self, from: UtcMillis, to: UtcMillis) -> bool {
        let (first_s, last_s) = seconds(from, to);
        self.time_s.0 <= last_s && first_s <= self.time_s.1
    }
}

/// The first and the last second of the window.
const fn seconds(from: UtcMillis, to: UtcMillis) -> (i64, i64) {
    (from.0.div_euclid(1_000), to.0.saturating_sub(1).div_euclid(1_000))
}

impl FileIndex {
    /// The rows of `device`.
    pub(super) fn rows_of(&self, device: DeviceId) -> Range<u32> {
        match self.devices.binary_search_by_key(&device, |at| at.device) {
            Ok(i) => {
                let end = self.devices.get(i + 1).map_or(self.rows, |next| next.first_row);
                self.devices[i].first_row..end
            }
            Err(_) => 0..0,
        }
    }

    /// The rows of one device, without those of pages that lie before or behind the window as a whole.
    pub(super) fn trimmed(&self, mut rows: Range<u32>, from: UtcMillis, to: UtcMillis) -> Range<u32> {
        let (first_s, last_s) = seconds(from, to);
        while !rows.is_empty() && self.bounds[self.page_of(rows.start)].time_s.1 < first_s {
            rows.start = self.rows_in(self.page_of(rows.start)).end.min(rows.end);
        }
        while !rows.is_empty() && self.bounds[self.page_of(rows.end - 1)].time_s.0 > last_s {
            rows.end = self.rows_in(self.page_of(rows.end - 1)).start.max(rows.start);
        }
        rows
    }

    /// The devices from place `at` on in [`FileIndex::devices`], each with its rows.
    pub(super) fn devices_from(&self, at: usize) -> impl Iterator<Item = (&DeviceAt, Range<u32>)> + '_ {
        let devices = self.devices.get(at..).unwrap_or(&[]);
        let ends = devices.iter().skip(1).map(|next| next.first_row).chain([self.rows]);
        devices.iter().zip(ends).map(|(device, end)| (device, device.first_row..end))
    }

    /// Whether this, which was read, says of the file what `built` says, which was made from it. An older one says less.
    pub(super) fn agrees_with(&self, built: &Self) -> bool {
        let is_known = |device: &DeviceAt| device.around != Surroundings::ANYWHERE;
        if self.devices.iter().any(is_known) {
            return self == built;
        }
        let mut less = built.clone();
        less.devices.iter_mut().for_each(|device| device.around = Surroundings::ANYWHERE);
        *self == less
    }

    /// The place in [`FileIndex::devices`] of the device that `row` belongs to.
    pub(super) fn device_of(&self, row: u32) -> usize {
        self.devices.partition_point(|device| device.first_row <= row).saturating_sub(1)
    }

    /// The page that holds `row`.
    pub(super) fn page_of(&self, row: u32) -> usize {
        self.page_rows.partition_point(|first| *first <= row).saturating_sub(1)
    }

    /// The rows of `page`.
    pub(super) fn rows_in(&self, page: usize) -> Range<u32> {
        let first = self.page_rows.get(page).copied().unwrap_or(self.rows);
        first..self.page_rows.get(page + 1).copied().unwrap_or(self.rows)
    }

    /// Memory it takes, bytes.
    pub(super) fn memory(&self) -> usize {
        let pages: usize = self.pages.iter().map(Vec::len).sum();
        pages * size_of::<PageAt>()
            + self.page_rows.len() * (size_of::<u32>() + size_of::<Bounds>())
            + self.devices.len() * size_of::<DeviceAt>()
            + size_of::<Self>()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        put(&mut out, self.bytes);
        out.extend_from_slice(&self.crc32c.to_le_bytes());
        put(&mut out, u64::from(self.columns.bits()));
        put(&mut out, u64::from(self.rows));
        put(&mut out, self.page_rows.len() as u64);
        for page in 0..self.page_rows.len() {
            put(&mut out, self.rows_in(page).len() as u64);
        }
        for column in self.columns.iter() {
            let mut end = 0;
            for page in &self.pages[column] {
                put(&mut out, page.offset - end);
                put(&mut out, u64::from(page.stored_len));
                put(&mut out, u64::from(page.plain_len));
                out.extend_from_slice(&page.crc32c.to_le_bytes());
                end = page.offset + u64::from(page.stored_len);
            }
        }
        for bounds in &self.bounds {
            for (min, max) in [bounds.time_s, bounds.lat_e6, bounds.lon_e6] {
                put(&mut out, ((min << 1) ^ (min >> 63)).cast_unsigned());
                put(&mut out, max.abs_diff(min));
            }
        }
        put(&mut out, self.devices.len() as u64);
        let mut last = 0;
        for (i, at) in self.devices.iter().enumerate() {
            put(&mut out, u64::from(at.device.0 - last));
            last = at.device.0;
            let end = self.devices.get(i + 1).map_or(self.rows, |next| next.first_row);
            put(&mut out, u64::from(end - at.first_row));
        }
        let (mut lat, mut lon) = (0, 0);
        for Surroundings { lat_e4, lon_e4 } in self.devices.iter().map(|device| device.around) {
            for (last, (min, max)) in [(&mut lat, lat_e4), (&mut lon, lon_e4)] {
                let step = i64::from(min) - *last;
                *last = i64::from(min);
                put(&mut out, ((step << 1) ^ (step >> 63)).cast_unsigned());
                put(&mut out, u64::from(max.abs_diff(min)));
            }
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// The index in `bytes`, or what is wrong with it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or("too short")?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err("checksum");
        }
        let (version, content) = body.strip_prefix(MAGIC).and_then(<[u8]>::split_first).ok_or("magic")?;
        if !(OLDEST_VERSION..=VERSION).contains(version) {
            return Err(OTHER_VERSION);
        }
        let mut input = Input(content);
        let index = input.index().and_then(|mut index| {
            if *version != OLDEST_VERSION {
                input.surroundings(&mut index.devices)?;
            }
            input.0.is_empty().then_some(index)
        });
        index.ok_or("content")
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn u64(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.u64()?).ok()
    }

    fn crc(&mut self) -> Option<u32> {
        let (crc, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*crc))
    }

    /// A number of things that take at least a byte each.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.u64()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    fn span(&mut self) -> Option<(i64, i64)> {
        let min = self.u64()?;
        let min = (min >> 1).cast_signed() ^ -((min & 1).cast_signed());
        let len = self.u64()?;
        Some((min, min.checked_add_unsigned(len)?))
    }

    fn index(&mut self) -> Option<FileIndex> {
        let bytes = self.u64()?;
        let crc32c = self.crc()?;
        let columns = ColumnSet::from_bits(self.u32()?)?;
        let rows = self.u32()?;
        let count = self.count()?;
        let mut page_rows = Vec::with_capacity(count);
        let mut row = 0_u32;
        for _ in 0..count {
            page_rows.push(row);
            row = row.checked_add(self.u32()?)?;
        }
        if row != rows {
            return None;
        }
        let mut pages = vec![Vec::new(); COLUMNS.len()];
        for column in columns.iter() {
            pages[column] = self.pages(page_rows.len(), bytes)?;
        }
        let mut bounds = Vec::with_capacity(page_rows.len());
        for _ in 0..page_rows.len() {
            bounds.push(Bounds { time_s: self.span()?, lat_e6: self.span()?, lon_e6: self.span()? });
        }
        let devices = self.devices(rows)?;
        Some(FileIndex { bytes, crc32c, columns, rows, page_rows, pages, bounds, devices })
    }

    fn surroundings(&mut self, devices: &mut [DeviceAt]) -> Option<()> {
        let (mut lat, mut lon) = (0_i64, 0_i64);
        for device in devices {
            device.around.lat_e4 = self.span_from(&mut lat)?;
            device.around.lon_e4 = self.span_from(&mut lon)?;
        }
        Some(())
    }

    /// A span whose minimum is told from the one before.
    fn span_from(&mut self, last: &mut i64) -> Option<(i32, i32)> {
        let step = self.u64()?;
        let step = (step >> 1).cast_signed() ^ -((step & 1).cast_signed());
        *last = last.checked_add(step)?;
        let max = last.checked_add_unsigned(self.u64()?)?;
        Some((i32::try_from(*last).ok()?, i32::try_from(max).ok()?))
    }

    fn pages(&mut self, count: usize, bytes: u64) -> Option<Vec<PageAt>> {
        let mut pages = Vec::with_capacity(count);
        let mut end = 0_u64;
        for _ in 0..count {
            let offset = end.checked_add(self.u64()?)?;
            let page =
                PageAt { offset, stored_len: self.u32()?, plain_len: self.u32()?, crc32c: self.crc()? };
            end = offset.checked_add(u64::from(page.stored_len))?;
            pages.push(page);
        }
        (end <= bytes).then_some(pages)
    }

    fn devices(&mut self, rows: u32) -> Option<Vec<DeviceAt>> {
        let count = self.count()?;
        let mut devices = Vec::with_capacity(count);
        let (mut device, mut first_row) = (0_u32, 0_u32);
        for _ in 0..count {
            device = device.checked_add(self.u32()?)?;
            devices.push(DeviceAt { device: DeviceId(device), first_row, around: Surroundings::ANYWHERE });
            first_row = first_row.checked_add(self.u32()?)?;
        }
        (first_row == rows).then_some(devices)
    }
}

/// The pages of one column as they are found in a file.
#[derive(Debug, Default)]
pub(super) struct PagesBuilder {
    page_rows: Option<Vec<u32>>,
}

impl PagesBuilder {
    /// Checks that the pages of `column` have the borders that the columns before it have.
    pub(super) fn check(&mut self, column: Column, borders: Vec<u32>) -> Result<(), String> {
        match &self.page_rows {
            None => self.page_rows = Some(borders),
            Some(first) if *first == borders => {}
            Some(_) => return Err(format!("pages of column `{}` have other borders", COLUMNS[column].name)),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<u32> {
        self.page_rows.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> FileIndex {
        let columns = ColumnSet::default();
        let page = |offset| PageAt { offset, stored_len: 90, plain_len: 200, crc32c: 0xdead_beef };
        let mut pages = vec![Vec::new(); COLUMNS.len()];
        for column in columns.iter() {
            pages[column] = vec![page(100 + column as u64 * 300), page(220 + column as u64 * 300)];
        }
        FileIndex {
            bytes: 1 << 20,
            crc32c: 7,
            columns,
            rows: 150,
            page_rows: vec![0, 100],
            pages,
            bounds: vec![
                Bounds { time_s: (-5, 10), lat_e6: (-90_000_000, 90_000_000), lon_e6: (0, 0) },
                Bounds { time_s: (1 << 40, 1 << 41), lat_e6: (1, 2), lon_e6: (-180_000_000, -3) },
            ],
            devices: vec![
                DeviceAt {
                    device: DeviceId(3),
                    first_row: 0,
                    around: Surroundings::of(-90_000_000, 179_999_999),
                },
                DeviceAt {
                    device: DeviceId(u32::MAX),
                    first_row: 120,
                    around: Surroundings::of(5, -7).with(Surroundings::of(99, 1)),
                },
            ],
        }
    }

    #[test]
    fn an_index_survives_encoding_and_no_flipped_bit_does() {
        let index = sample();
        let bytes = index.encode();
        assert_eq!(FileIndex::decode(&bytes), Ok(index));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(FileIndex::decode(&bad).is_err(), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(FileIndex::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn an_index_of_version_1_is_read_and_knows_no_surroundings() {
        let index = sample();
        let mut bare = index.clone();
        bare.devices.iter_mut().for_each(|device| device.around = Surroundings::ANYWHERE);
        // Version 1 is this without the surroundings at its end, however long they are.
        let new = index.encode();
        let cut = |len: usize| {
            let mut old = new[..new.len() - 4 - len].to_vec();
            old[4] = OLDEST_VERSION;
            old.extend(crc32c::crc32c(&old).to_le_bytes());
            FileIndex::decode(&old).ok()
        };
        assert_eq!((1..60).filter_map(cut).collect::<Vec<_>>(), std::slice::from_ref(&bare));
        assert!(bare.agrees_with(&index) && index.agrees_with(&index));
        let mut other = index;
        other.rows += 1;
        assert!(!bare.agrees_with(&other));
    }

    #[test]
    fn rows_and_pages_are_found() {
        let index = sample();
        assert_eq!(index.rows_of(DeviceId(3)), 0..120);
        assert_eq!(index.rows_of(DeviceId(u32::MAX)), 120..150);
        assert_eq!(index.rows_of(DeviceId(4)), 0..0);
        assert_eq!(
            (index.page_of(0), index.page_of(99), index.page_of(100), index.page_of(149)),
            (0, 0, 1, 1)
        );
        assert_eq!((index.rows_in(0), index.rows_in(1)), (0..100, 100..150));
    }
}
