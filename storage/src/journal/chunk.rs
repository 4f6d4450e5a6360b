//! One large block of a segment, cut into records: the same code reads for folds, recovery and `verify`.
//!
//! What does not check out is skipped in steps of 8 bytes until a sound record follows, and reported as one gap.

use std::io;
use std::ops::Range;

use motorpool_protocols::{Protocol, UtcMillis};

use super::format::{
    Commit, Parsed, RECORD_BYTES_MAX, RECORD_HEADER_LEN, RecordHeader, SEGMENT_HEADER_LEN, parse,
    split_payload,
};
use super::fs::read_full_at;
use super::segments::Segment;
use super::{Batch, Entry};
use crate::ids::{DeviceId, LinkId, Lsn};

/// Bytes read at one time; the longest record fits.
const BLOCK_LEN: usize = RECORD_BYTES_MAX;
/// Bytes tried at one time where reading the block as a whole failed.
const PIECE_LEN: usize = 4_096;
/// Failures of one block before its readable pieces are taken and the others given up.
const ATTEMPTS: u32 = 3;

/// Something found in a segment.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A batch whose parts are ranges of the chunk's buffers.
    Batch(BatchItem),
    /// A commit marker.
    Commit { lsn: u64, end: u64, commit: Commit },
    /// Addresses at which nothing can be read.
    Gap { from: u64, to: u64 },
}

/// A batch inside a chunk.
#[derive(Clone, Debug)]
pub(crate) struct BatchItem {
    pub(crate) lsn: u64,
    pub(crate) header: RecordHeader,
    protocol: Protocol,
    ends: Range<u32>,
    raw: Range<u32>,
}

impl BatchItem {
    /// The address behind the record.
    pub(crate) const fn end(&self) -> u64 {
        self.lsn + self.header.record_len() as u64
    }
}

/// A block of a segment and what was found in it.
#[derive(Debug)]
pub(crate) struct ChunkBuf {
    block: Vec<u8>,
    ends: Vec<u32>,
    items: Vec<Item>,
    /// The address up to which the segment has been looked at.
    at: u64,
    /// Where the damage began that is not over yet.
    gap: Option<u64>,
    failures: u32,
}

impl ChunkBuf {
    /// An empty chunk that will read on from address `at`.
    pub(crate) const fn new(at: u64) -> Self {
        Self { block: Vec::new(), ends: Vec::new(), items: Vec::new(), at, gap: None, failures: 0 }
    }

    /// The address behind the last thing that was looked at.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    /// The address to read on from after a restart: before damage whose end was not seen yet.
    pub(crate) fn position(&self) -> u64 {
        self.gap.unwrap_or(self.at)
    }

    /// What the last [`ChunkBuf::fill`] found, in the order of addresses.
    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// Forgets the items.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.ends.clear();
    }

    /// Reports the addresses from here to `to` as a gap and goes on behind it.
    pub(crate) fn skip_to(&mut self, to: u64) {
        self.clear();
        let from = self.gap.take().unwrap_or(self.at);
        self.items.push(Item::Gap { from, to });
        self.at = to;
    }

    /// The batch as callers see it.
    pub(crate) fn entry(&self, item: &BatchItem) -> Entry<'_> {
        Entry {
            lsn: Lsn(item.lsn),
            end: Lsn(item.end()),
            batch: Batch {
                device: DeviceId(item.header.device),
                link: LinkId(item.header.link),
                protocol: item.protocol,
                received_at: UtcMillis(item.header.received_at_ms),
                ends: &self.ends[item.ends.start as usize..item.ends.end as usize],
                raw: &self.block[item.raw.start as usize..item.raw.end as usize],
            },
        }
    }

    /// Looks at the next block of `segment`, no further than address `limit`, which is where the segment ends or
    /// where its durable part ends. The items from before are gone.
    ///
    /// # Errors
    /// When the block can't be read; the next call tries again, and in the end skips what stays unreadable.
    pub(crate) fn fill(&mut self, segment: &Segment, limit: u64) -> io::Result<()> {
        self.clear();
        let want = usize::try_from(limit - self.at).unwrap_or(usize::MAX).min(BLOCK_LEN);
        let Some(header) = segment.header.filter(|_| want > 0) else {
            if want > 0 {
                self.skip_to(limit);
            }
            return Ok(());
        };
        if self.block.len() < want {
            self.block.resize(want, 0);
        }
        let read = self.read_block(segment, want)?;
        if read == 0 {
            self.skip_to(limit);
            return Ok(());
        }
        // Behind the end of a file that is too short there is nothing: zeros are no record.
        self.block[read..want].fill(0);
        self.cut(header.id, want, limit);
        if self.at == limit
            && let Some(from) = self.gap.take()
        {
            self.items.push(Item::Gap { from, to: limit });
        }
        Ok(())
    }

    fn read_block(&mut self, segment: &Segment, want: usize) -> io::Result<usize> {
        let offset = SEGMENT_HEADER_LEN + (self.at - segment.base);
        match read_full_at(&*segment.file, &mut self.block[..want], offset) {
            Ok(read) => {
                self.failures = 0;
                Ok(read)
            }
            Err(error) if self.failures + 1 < ATTEMPTS => {
                self.failures += 1;
                Err(error)
            }
            Err(_) => {
                self.failures = 0;
                for (index, piece) in self.block[..want].chunks_mut(PIECE_LEN).enumerate() {
                    if read_full_at(&*segment.file, piece, offset + (index * PIECE_LEN) as u64).is_err() {
                        piece.fill(0);
                    }
                }
                Ok(want)
            }
        }
    }

    /// Cuts the first `filled` bytes of the block into items.
    fn cut(&mut self, segment_id: u64, filled: usize, limit: u64) {
        let begin = self.at;
        let mut pos = 0;
        while pos < filled {
            let lsn = begin + pos as u64;
            let bytes = &self.block[pos..filled];
            match parse(bytes, lsn, segment_id, limit - lsn) {
                Parsed::Record(header) => {
                    let payload = &bytes[RECORD_HEADER_LEN..header.len];
                    let item = item(lsn, pos, header, payload, &mut self.ends);
                    if let Some(item) = item {
                        if let Some(from) = self.gap.take() {
                            self.items.push(Item::Gap { from, to: lsn });
                        }
                        self.items.push(item);
                    } else {
                        self.gap.get_or_insert(lsn);
                    }
                    pos += header.record_len();
                }
                Parsed::BadPayload(len) => {
                    self.gap.get_or_insert(lsn);
                    pos += len;
                }
                Parsed::NeedMore => break,
                Parsed::Bad => {
                    self.gap.get_or_insert(lsn);
                    pos += 8;
                }
            }
        }
        self.at = begin + pos as u64;
    }
}

/// The item for a record that checks out, or `None` when its content makes no sense.
fn item(lsn: u64, pos: usize, header: RecordHeader, payload: &[u8], ends: &mut Vec<u32>) -> Option<Item> {
    if header.commit {
        let commit = Commit::read(&header, payload)?;
        return Some(Item::Commit { lsn, end: lsn + header.record_len() as u64, commit });
    }
    let protocol = Protocol::from_number(header.protocol)?;
    let first_end = ends.len() as u32;
    let lengths_len = split_payload(&header, payload, ends)?;
    let payload_pos = pos + RECORD_HEADER_LEN;
    Some(Item::Batch(BatchItem {
        lsn,
        header,
        protocol,
        ends: first_end..ends.len() as u32,
        raw: (payload_pos + lengths_len) as u32..(payload_pos + payload.len()) as u32,
    }))
}
