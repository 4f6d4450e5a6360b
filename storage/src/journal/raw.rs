//! Raw blocks: what became of released journal segments; the messages as received, for evidence and replay.
//!
//! One file holds the records that one segment had of one UTC day of `received_at`:
//! `raw/day=YYYY-MM-DD/<address of its first record, 16 hex digits>.raw`. Files are written once, synced, then
//! moved to their name, before the segment is let go; a crash in between writes the same file again.
//!
//! All numbers are little endian. The file is a header, blocks, an index and a footer:
//!
//! | part | content |
//! | --- | --- |
//! | header | magic `MPOOLRAW` (8), format version 1 (4), 0 (4) |
//! | blocks | zstd frames, each about 128 KiB of records; records are sorted by device, then address |
//! | index | for each block 56 bytes, see below |
//! | gaps | for each range of the segment that could not be read: first address (8), address behind (8) |
//! | footer | offset of the index (8), blocks (4), gaps (4), records (8), messages (8), CRC-32C of index, gaps and the footer's bytes before (4), format version (4), magic (8) |
//!
//! Index entry: offset (8), compressed length (4), plain length (4), CRC-32C of the compressed bytes (4), records (4),
//! lowest device (4), highest device (4), earliest and latest `received_at` in UTC milliseconds (8 + 8), 0 (8).
//!
//! A record in a block is its address (8), then bytes 4 to the end of the journal record without padding; the
//! checksum of its payload, taken when it was appended, is in there and is held against it on every read.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use motorpool_protocols::time::DAY_MS;
use motorpool_protocols::{Protocol, UtcMillis};

use super::format::{RECORD_BYTES_MAX, RECORD_HEADER_LEN, RecordHeader, split_payload, u32_at, u64_at};
use super::fs::{File, Fs, RealFs, read_full_at, write_all_at};
use super::{Batch, Entry};
use crate::ids::{DeviceId, LinkId, Lsn};

const MAGIC: &[u8; 8] = b"MPOOLRAW";
/// The version written, and the only one read.
pub(crate) const VERSION: u32 = 1;
const HEADER_LEN: usize = 16;
const INDEX_ENTRY_LEN: usize = 56;
const GAP_LEN: usize = 16;
const FOOTER_LEN: usize = 48;
/// Plain bytes from which on a block is closed.
const BLOCK_LEN: usize = 128 << 10;
/// The longest a plain block can be: one byte short of full, then the longest record.
const PLAIN_LEN_MAX: usize = BLOCK_LEN + RECORD_BYTES_MAX + 8;
const ZSTD_LEVEL: i32 = 1;

/// The folder of a UTC day below `raw/`.
pub(crate) fn day_name(day: i64) -> String {
    let civil = UtcMillis(day.saturating_mul(DAY_MS)).civil(0);
    format!("day={:04}-{:02}-{:02}", civil.year, civil.month, civil.day)
}

/// The UTC day of a folder below `raw/`.
pub(crate) fn day_of_name(name: &str) -> Option<i64> {
    let mut parts = name.strip_prefix("day=")?.splitn(3, '-');
    let mut number = || parts.next()?.parse::<i32>().ok();
    let (year, month, day) = (number()?, number()?, number()?);
    let civil = motorpool_protocols::time::Civil {
        year,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
        ..UtcMillis(0).civil(0)
    };
    UtcMillis::from_civil(civil, 0).map(UtcMillis::day).filter(|&day| day_name(day) == name)
}

#[derive(Clone, Copy, Debug)]
struct IndexEntry {
    offset: u64,
    compressed_len: u32,
    plain_len: u32,
    crc: u32,
    records: u32,
    devices: (u32, u32),
    received_at_ms: (i64, i64),
}

impl IndexEntry {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        for field in
            [self.compressed_len, self.plain_len, self.crc, self.records, self.devices.0, self.devices.1]
        {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.received_at_ms.0.to_le_bytes());
        out.extend_from_slice(&self.received_at_ms.1.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
    }

    fn read(bytes: &[u8]) -> Self {
        Self {
            offset: u64_at(bytes, 0),
            compressed_len: u32_at(bytes, 8),
            plain_len: u32_at(bytes, 12),
            crc: u32_at(bytes, 16),
            records: u32_at(bytes, 20),
            devices: (u32_at(bytes, 24), u32_at(bytes, 28)),
            received_at_ms: (u64_at(bytes, 32).cast_signed(), u64_at(bytes, 40).cast_signed()),
        }
    }
}

/// Writes one raw file. Records must come sorted by device, then address.
pub(crate) struct RawWriter {
    file: Arc<dyn File>,
    at: u64,
    plain: Vec<u8>,
    open: Option<IndexEntry>,
    index: Vec<IndexEntry>,
    compressor: zstd::bulk::Compressor<'static>,
    records: u64,
    messages: u64,
}

impl RawWriter {
    pub(crate) fn new(file: Arc<dyn File>) -> io::Result<Self> {
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        write_all_at(&*file, &header, 0)?;
        Ok(Self {
            file,
            at: HEADER_LEN as u64,
            plain: Vec::with_capacity(BLOCK_LEN + 4_096),
            open: None,
            index: Vec::new(),
            compressor: zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
            records: 0,
            messages: 0,
        })
    }

    /// Adds the journal record `record` (without padding) that had the address `lsn`.
    pub(crate) fn add(&mut self, lsn: u64, record: &[u8]) -> io::Result<()> {
        let header = RecordHeader::unchecked(record);
        let (device, at) = (header.device, header.received_at_ms);
        let entry = self.open.get_or_insert(IndexEntry {
            offset: self.at,
            compressed_len: 0,
            plain_len: 0,
            crc: 0,
            records: 0,
            devices: (device, device),
            received_at_ms: (at, at),
        });
        entry.records += 1;
        entry.devices.1 = device;
        entry.received_at_ms = (entry.received_at_ms.0.min(at), entry.received_at_ms.1.max(at));
        self.plain.extend_from_slice(&lsn.to_le_bytes());
        self.plain.extend_from_slice(&record[4..]);
        self.records += 1;
        self.messages += u64::from(header.messages);
        if self.plain.len() >= BLOCK_LEN {
            self.close_block()?;
        }
        Ok(())
    }

    /// Adds a record as [`RawFile::each_record`] gives it.
    pub(crate) fn add_stored(&mut self, lsn: Lsn, stored: &[u8]) -> io::Result<()> {
        // In place of the checksum, which covered an address in a segment.
        let record = [&[0; 4], stored].concat();
        self.add(lsn.0, &record)
    }

    fn close_block(&mut self) -> io::Result<()> {
        let Some(mut entry) = self.open.take() else { return Ok(()) };
        let compressed = self.compressor.compress(&self.plain)?;
        write_all_at(&*self.file, &compressed, self.at)?;
        entry.plain_len = self.plain.len() as u32;
        entry.compressed_len = compressed.len() as u32;
        entry.crc = crc32c::crc32c(&compressed);
        self.at += compressed.len() as u64;
        self.index.push(entry);
        self.plain.clear();
        Ok(())
    }

    /// Writes index and footer and syncs.
    pub(crate) fn finish(mut self, gaps: &[Range<u64>]) -> io::Result<()> {
        self.close_block()?;
        let mut end = Vec::new();
        for entry in &self.index {
            entry.write(&mut end);
        }
        for gap in gaps {
            end.extend_from_slice(&gap.start.to_le_bytes());
            end.extend_from_slice(&gap.end.to_le_bytes());
        }
        end.extend_from_slice(&self.at.to_le_bytes());
        end.extend_from_slice(&(self.index.len() as u32).to_le_bytes());
        end.extend_from_slice(&(gaps.len() as u32).to_le_bytes());
        end.extend_from_slice(&self.records.to_le_bytes());
        end.extend_from_slice(&self.messages.to_le_bytes());
        let crc = crc32c::crc32c(&end);
        end.extend_from_slice(&crc.to_le_bytes());
        end.extend_from_slice(&VERSION.to_le_bytes());
        end.extend_from_slice(MAGIC);
        write_all_at(&*self.file, &end, self.at)?;
        self.file.sync_data()
    }
}

/// What reading raw blocks came across.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Files that were opened.
    pub files: usize,
    /// Blocks that were unpacked.
    pub blocks: usize,
    /// Records in them, wanted or not.
    pub records: u64,
    /// Messages in them, wanted or not.
    pub messages: u64,
    /// Files and parts of files that do not check out; what they held was not given out.
    pub damaged: Vec<Damage>,
    /// Journal addresses that could not be read when the raw blocks were written.
    pub gaps: Vec<Range<Lsn>>,
}

/// A place in a raw file that does not check out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The offset of the block, or of what else is wrong, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub reason: &'static str,
}

/// Gives `visit` every record in the raw archive `dir` of `device` (or of every device) that was received in
/// `received`, each device's in the order of addresses. Damage is passed over and named in the report.
///
/// # Errors
/// When a folder or file can't be read at all.
pub fn read(
    dir: &Path,
    device: Option<DeviceId>,
    received: RangeInclusive<UtcMillis>,
    visit: &mut dyn FnMut(Entry<'_>),
) -> io::Result<Report> {
    read_in(&RealFs, dir, device, received, visit)
}

pub(crate) fn read_in(
    fs: &dyn Fs,
    dir: &Path,
    device: Option<DeviceId>,
    received: RangeInclusive<UtcMillis>,
    visit: &mut dyn FnMut(Entry<'_>),
) -> io::Result<Report> {
    let mut report = Report::default();
    let names = match fs.list_dirs(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(report),
        other => other?,
    };
    let (first, last) = (received.start().day(), received.end().day());
    let mut days: Vec<i64> = names.iter().filter_map(|name| day_of_name(name)).collect();
    days.retain(|day| (first..=last).contains(day));
    days.sort_unstable();
    for day in days {
        let folder = dir.join(day_name(day));
        let mut files = match fs.list(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        files.retain(|(name, _)| name.ends_with(".raw"));
        files.sort();
        for (name, len) in files {
            let path = folder.join(name);
            let file = match fs.open(&path) {
                // Its time was over between listing and opening.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            report.files += 1;
            let result = read_file(&*file, len, device, &received, visit, &mut report)?;
            if let Err((offset, reason)) = result {
                report.damaged.push(Damage { path: path.clone(), offset, reason });
            }
            for damage in report.damaged.iter_mut().filter(|damage| damage.path.as_os_str().is_empty()) {
                damage.path.clone_from(&path);
            }
        }
    }
    Ok(report)
}

type Wrong = (u64, &'static str);

/// The index and gaps of a raw file.
type Index = (Vec<IndexEntry>, Vec<Range<Lsn>>);

fn read_index(file: &dyn File, len: u64) -> io::Result<Result<Index, Wrong>> {
    let mut header = [0; HEADER_LEN];
    read_full_at(file, &mut header, 0)?;
    if &header[..8] != MAGIC {
        return Ok(Err((0, "header")));
    }
    if u32_at(&header, 8) > VERSION {
        return Ok(Err((0, "format version: made by a newer Motorpool")));
    }
    if u32_at(&header, 8) != VERSION {
        return Ok(Err((0, "header")));
    }
    let Some(footer_at) = len.checked_sub(FOOTER_LEN as u64) else { return Ok(Err((0, "length"))) };
    let mut footer = [0; FOOTER_LEN];
    read_full_at(file, &mut footer, footer_at)?;
    if &footer[40..] != MAGIC || u32_at(&footer, 36) != VERSION {
        return Ok(Err((footer_at, "footer")));
    }
    let index_at = u64_at(&footer, 0);
    let (blocks, gaps) = (u32_at(&footer, 8) as usize, u32_at(&footer, 12) as usize);
    let index_len = blocks * INDEX_ENTRY_LEN + gaps * GAP_LEN;
    if index_at.checked_add(index_len as u64) != Some(footer_at) {
        return Ok(Err((footer_at, "footer")));
    }
    let mut index = vec![0; index_len];
    read_full_at(file, &mut index, index_at)?;
    if crc32c::crc32c_append(crc32c::crc32c(&index), &footer[..32]) != u32_at(&footer, 32) {
        return Ok(Err((index_at, "index checksum")));
    }
    let (index, gaps) = index.split_at(blocks * INDEX_ENTRY_LEN);
    let index = index.chunks(INDEX_ENTRY_LEN).map(IndexEntry::read).collect();
    let gaps = gaps.chunks(GAP_LEN).map(|gap| Lsn(u64_at(gap, 0))..Lsn(u64_at(gap, 8))).collect();
    Ok(Ok((index, gaps)))
}

fn read_file(
    file: &dyn File,
    len: u64,
    device: Option<DeviceId>,
    received: &RangeInclusive<UtcMillis>,
    visit: &mut dyn FnMut(Entry<'_>),
    report: &mut Report,
) -> io::Result<Result<(), Wrong>> {
    let (index, gaps) = match read_index(file, len)? {
        Ok(index) => index,
        Err(wrong) => return Ok(Err(wrong)),
    };
    report.gaps.extend(gaps);
    let mut ends = Vec::new();
    for block in index {
        let wanted = device.is_none_or(|device| (block.devices.0..=block.devices.1).contains(&device.0))
            && block.received_at_ms.0 <= received.end().0
            && block.received_at_ms.1 >= received.start().0;
        if !wanted {
            continue;
        }
        let plain = match read_block(file, &block)? {
            Ok(plain) => plain,
            Err(reason) => {
                report.damaged.push(Damage { path: PathBuf::new(), offset: block.offset, reason });
                continue;
            }
        };
        report.blocks += 1;
        let mut rest = plain.as_slice();
        for _ in 0..block.records {
            let Some(entry) = take_record(&mut rest, &mut ends) else {
                report.damaged.push(Damage {
                    path: PathBuf::new(),
                    offset: block.offset,
                    reason: "record checksum",
                });
                break;
            };
            report.records += 1;
            report.messages += entry.batch.ends.len() as u64;
            if device.is_none_or(|device| device == entry.batch.device)
                && received.contains(&entry.batch.received_at)
            {
                visit(entry);
            }
        }
    }
    Ok(Ok(()))
}

/// One raw file, opened to be looked through block by block.
pub(crate) struct RawFile {
    path: PathBuf,
    file: Arc<dyn File>,
    len: u64,
    index: Vec<IndexEntry>,
    gaps: Vec<Range<Lsn>>,
}

/// A block of a [`RawFile`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a>(&'a IndexEntry);

impl Block<'_> {
    /// The devices between which all of its records' lie.
    pub(crate) const fn devices(self) -> RangeInclusive<DeviceId> {
        DeviceId(self.0.devices.0)..=DeviceId(self.0.devices.1)
    }

    /// How many records it has.
    pub(crate) const fn records(self) -> u32 {
        self.0.records
    }
}

impl RawFile {
    /// Opens a file; damage of its index is the inner error.
    pub(crate) fn open(fs: &dyn Fs, path: &Path) -> io::Result<Result<Self, Damage>> {
        let file = fs.open(path)?;
        let len = file.len()?;
        Ok(match read_index(&*file, len)? {
            Ok((index, gaps)) => Ok(Self { path: path.to_owned(), file, len, index, gaps }),
            Err((offset, reason)) => Err(Damage { path: path.to_owned(), offset, reason }),
        })
    }

    /// Its length in bytes.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Its blocks.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.index.iter().map(Block)
    }

    /// Addresses that could not be read when it was written.
    pub(crate) fn gaps(&self) -> &[Range<Lsn>] {
        &self.gaps
    }

    /// Gives `visit` each record of a block, and what [`RawWriter::add_stored`] takes to keep it. Damage is the inner
    /// error.
    pub(crate) fn each_record(
        &self,
        block: Block<'_>,
        visit: &mut dyn FnMut(&Entry<'_>, &[u8]) -> io::Result<()>,
    ) -> io::Result<Result<(), Damage>> {
        let damage = |reason| Damage { path: self.path.clone(), offset: block.0.offset, reason };
        let plain = match read_block(&*self.file, block.0)? {
            Ok(plain) => plain,
            Err(reason) => return Ok(Err(damage(reason))),
        };
        let mut rest = plain.as_slice();
        let mut ends = Vec::new();
        for _ in 0..block.0.records {
            let before = rest;
            let Some(entry) = take_record(&mut rest, &mut ends) else {
                return Ok(Err(damage("record checksum")));
            };
            let stored = before.get(8..before.len() - rest.len()).unwrap_or_default();
            visit(&entry, stored)?;
        }
        Ok(Ok(()))
    }
}

fn read_block(file: &dyn File, block: &IndexEntry) -> io::Result<Result<Vec<u8>, &'static str>> {
    let plain_len = block.plain_len as usize;
    if plain_len > PLAIN_LEN_MAX || block.compressed_len as usize > PLAIN_LEN_MAX {
        return Ok(Err("block length"));
    }
    let mut compressed = vec![0; block.compressed_len as usize];
    read_full_at(file, &mut compressed, block.offset)?;
    if crc32c::crc32c(&compressed) != block.crc {
        return Ok(Err("block checksum"));
    }
    Ok(match zstd::bulk::decompress(&compressed, plain_len) {
        Ok(plain) if plain.len() == plain_len => Ok(plain),
        _ => Err("block compression"),
    })
}

/// Takes one record off the front of a block.
fn take_record<'a: 'e, 'e>(rest: &mut &'a [u8], ends: &'e mut Vec<u32>) -> Option<Entry<'e>> {
    let (lsn, behind) = rest.split_at_checked(8)?;
    let mut header = [0; RECORD_HEADER_LEN];
    header[4..].copy_from_slice(behind.get(..RECORD_HEADER_LEN - 4)?);
    let header = RecordHeader::unchecked(&header);
    let record = behind.get(..header.len.checked_sub(4)?)?;
    let payload = record.get(RECORD_HEADER_LEN - 4..)?;
    if crc32c::crc32c(payload) != header.payload_crc {
        return None;
    }
    ends.clear();
    let lengths_len = split_payload(&header, payload, ends)?;
    *rest = &behind[record.len()..];
    let lsn = u64_at(lsn, 0);
    Some(Entry {
        lsn: Lsn(lsn),
        end: Lsn(lsn + header.record_len() as u64),
        batch: Batch {
            device: DeviceId(header.device),
            link: LinkId(header.link),
            protocol: Protocol::from_number(header.protocol)?,
            received_at: UtcMillis(header.received_at_ms),
            ends,
            raw: &payload[lengths_len..],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_folders_are_named_by_their_utc_day() {
        // `date -u -d 2024-02-29 +%s` / 86400
        assert_eq!(day_name(19_782), "day=2024-02-29");
        assert_eq!(day_of_name("day=2024-02-29"), Some(19_782));
        for foreign in ["day=2024-02-30", "day=2024-2-29", "day=", "2024-02-29", "day=2024-02-29.tmp"] {
            assert_eq!(day_of_name(foreign), None, "{foreign}");
        }
    }
}
