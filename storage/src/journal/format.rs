//! Bytes of the journal's records and headers: encoding and checking, nothing else.
//!
//! The tables are in the [module documentation](super). Nothing here panics on what it reads.

use sha2::{Digest, Sha256};

use super::Batch;

/// Bytes of the header block at the beginning of a segment.
pub(crate) const SEGMENT_HEADER_LEN: u64 = 4_096;
/// Bytes of a record's header.
pub(crate) const RECORD_HEADER_LEN: usize = 40;
/// Bytes of a commit marker.
pub(crate) const COMMIT_LEN: usize = RECORD_HEADER_LEN + 32;
/// The longest record, header and message lengths included, in bytes.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"MPOOLJNL";
/// The version written, and the only one read.
pub(crate) const VERSION: u32 = 1;
const HEADER_COPY_LEN: usize = 80;
const HEADER_COPIES: [usize; 2] = [0, 2_048];

const KIND_BATCH: u8 = 1;
const KIND_COMMIT: u8 = 2;

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes were sliced"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were sliced"))
}

pub(crate) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were sliced"))
}

/// `len` rounded up to a multiple of 8.
pub(crate) const fn padded(len: usize) -> usize {
    len.next_multiple_of(8)
}

/// What is counted from the beginning of the journal on; every commit marker and segment header carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) chain: u64,
    pub(crate) records: u64,
    pub(crate) messages: u64,
    /// Highest `received_at` so far, UTC milliseconds.
    pub(crate) received_at_ms: i64,
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: u64,
    pub(crate) base: u64,
    pub(crate) previous_id: u64,
    /// What is unreadable before the base, from this address on, was never proven durable.
    pub(crate) previous_proven: u64,
    pub(crate) totals: Totals,
}

/// What the header block of a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderBlock {
    /// A readable header; `whole` is false when one of its two copies is damaged.
    Valid { header: SegmentHeader, whole: bool },
    /// Zeros, or nothing at all: the file was never taken into use.
    Empty,
    /// A header of a format that this program does not know.
    Version(u32),
    /// Neither copy checks out.
    Damaged,
}

impl SegmentHeader {
    /// The header block as it is written.
    pub(crate) fn block(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(HEADER_COPY_LEN);
        copy.extend_from_slice(MAGIC);
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&[0; 4]);
        for field in [
            self.id,
            self.base,
            self.previous_id,
            self.totals.chain,
            self.totals.records,
            self.totals.messages,
            self.totals.received_at_ms.cast_unsigned(),
            self.previous_proven,
        ] {
            copy.extend_from_slice(&field.to_le_bytes());
        }
        let crc = header_copy_crc(&copy);
        copy[12..16].copy_from_slice(&crc.to_le_bytes());
        let mut block = vec![0; SEGMENT_HEADER_LEN as usize];
        for at in HEADER_COPIES {
            block[at..at + HEADER_COPY_LEN].copy_from_slice(&copy);
        }
        block
    }

    /// Reads a header block; `block` may be shorter than one when the file is.
    pub(crate) fn read(block: &[u8]) -> HeaderBlock {
        if block.iter().all(|&byte| byte == 0) {
            return HeaderBlock::Empty;
        }
        let copies = HEADER_COPIES.map(|at| Self::read_copy(block.get(at..at + HEADER_COPY_LEN)));
        match copies {
            [Ok(header), other] | [other, Ok(header)] => {
                HeaderBlock::Valid { header, whole: other == Ok(header) }
            }
            [Err(Some(first)), Err(Some(second))] if first == second => HeaderBlock::Version(first),
            _ => HeaderBlock::Damaged,
        }
    }

    /// One copy; the error is the version when only that is strange.
    fn read_copy(copy: Option<&[u8]>) -> Result<Self, Option<u32>> {
        let copy = copy.ok_or(None)?;
        if &copy[..8] != MAGIC {
            return Err(None);
        }
        let version = u32_at(copy, 8);
        if version != VERSION {
            return Err(Some(version));
        }
        if u32_at(copy, 12) != header_copy_crc(copy) {
            return Err(None);
        }
        Ok(Self {
            id: u64_at(copy, 16),
            base: u64_at(copy, 24),
            previous_id: u64_at(copy, 32),
            previous_proven: u64_at(copy, 72),
            totals: Totals {
                chain: u64_at(copy, 40),
                records: u64_at(copy, 48),
                messages: u64_at(copy, 56),
                received_at_ms: i64_at(copy, 64),
            },
        })
    }
}

fn header_copy_crc(copy: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&copy[..12]), &copy[16..HEADER_COPY_LEN])
}

/// Why a batch can't become a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    TooLarge,
    Malformed,
}

/// A batch measured and checksummed, before it has an address: everything that needs no lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Bytes of header and payload.
    len: usize,
    payload_crc: u32,
    /// Bytes of each stored message length.
    width: u8,
    messages: u32,
}

impl Measured {
    /// Checks `batch` and takes the checksum of its payload.
    pub(crate) fn of(batch: &Batch<'_>) -> Result<Self, Unfit> {
        let (Some(&last), Ok(messages)) = (batch.ends.last(), u32::try_from(batch.ends.len())) else {
            return Err(Unfit::Malformed);
        };
        if last as usize != batch.raw.len() {
            return Err(Unfit::Malformed);
        }
        let mut from = 0;
        let mut longest = 0;
        for &end in batch.ends {
            longest = longest.max(end.checked_sub(from).ok_or(Unfit::Malformed)?);
            from = end;
        }
        let width = match (batch.ends.len(), longest) {
            (1, _) => 0,
            (_, ..=0xffff) => 2,
            _ => 4,
        };
        let len = RECORD_HEADER_LEN + batch.ends.len() * usize::from(width) + batch.raw.len();
        if padded(len) > RECORD_BYTES_MAX {
            return Err(Unfit::TooLarge);
        }
        let mut crc = 0;
        each_length_block(batch.ends, width, |block| crc = crc32c::crc32c_append(crc, block));
        let payload_crc = crc32c::crc32c_append(crc, batch.raw);
        Ok(Self { len, payload_crc, width, messages })
    }

    /// Bytes of the record, padding included.
    pub(crate) const fn record_len(&self) -> usize {
        padded(self.len)
    }

    /// Messages of the record.
    pub(crate) const fn messages(&self) -> u32 {
        self.messages
    }

    /// Appends the record to `out`, with no header checksum yet: that needs the segment's id.
    pub(crate) fn encode(&self, batch: &Batch<'_>, out: &mut Vec<u8>) {
        let mut header = [0; RECORD_HEADER_LEN];
        header[4..8].copy_from_slice(&(self.len as u32).to_le_bytes());
        header[8..12].copy_from_slice(&self.payload_crc.to_le_bytes());
        header[12] = KIND_BATCH;
        header[13] = batch.protocol.number();
        header[14] = self.width;
        header[16..20].copy_from_slice(&batch.device.0.to_le_bytes());
        header[20..24].copy_from_slice(&self.messages.to_le_bytes());
        header[24..32].copy_from_slice(&batch.link.0.to_le_bytes());
        header[32..40].copy_from_slice(&batch.received_at.0.to_le_bytes());
        let begin = out.len();
        out.extend_from_slice(&header);
        each_length_block(batch.ends, self.width, |block| out.extend_from_slice(block));
        out.extend_from_slice(batch.raw);
        out.resize(begin + self.record_len(), 0);
    }
}

/// Hands out the message lengths in the form in which they are stored, in small blocks.
fn each_length_block(ends: &[u32], width: u8, mut take: impl FnMut(&[u8])) {
    let mut block = [0; 512];
    let mut from = 0;
    match width {
        2 => {
            for ends in ends.chunks(block.len() / 2) {
                for (&end, slot) in ends.iter().zip(block.as_chunks_mut::<2>().0) {
                    *slot = ((end - from) as u16).to_le_bytes();
                    from = end;
                }
                take(&block[..ends.len() * 2]);
            }
        }
        4 => {
            for ends in ends.chunks(block.len() / 4) {
                for (&end, slot) in ends.iter().zip(block.as_chunks_mut::<4>().0) {
                    *slot = (end - from).to_le_bytes();
                    from = end;
                }
                take(&block[..ends.len() * 4]);
            }
        }
        _ => {}
    }
}

fn record_crc(segment_id: u64, lsn: u64, header: &[u8]) -> u32 {
    let mut covered = [0; 16 + RECORD_HEADER_LEN - 4];
    covered[..8].copy_from_slice(&segment_id.to_le_bytes());
    covered[8..16].copy_from_slice(&lsn.to_le_bytes());
    covered[16..].copy_from_slice(&header[4..RECORD_HEADER_LEN]);
    crc32c::crc32c(&covered)
}

/// Gives every record of a group (`records`, beginning at address `start`) its header checksum, appends the
/// commit marker to `records`, and returns the totals behind the group.
pub(crate) fn seal_group(
    records: &mut Vec<u8>,
    start: u64,
    segment_id: u64,
    before: Totals,
    received_at_ms: i64,
    durable: u64,
) -> Totals {
    let mut chain = Chain::new(before.chain, start);
    let (mut at, mut count, mut messages) = (0, 0_u32, 0_u32);
    while at < records.len() {
        let header = &mut records[at..at + RECORD_HEADER_LEN];
        let crc = record_crc(segment_id, start + at as u64, header);
        header[..4].copy_from_slice(&crc.to_le_bytes());
        chain.add(crc);
        count += 1;
        messages += u32_at(header, 20);
        at += padded(u32_at(header, 4) as usize);
    }
    let after = Totals {
        chain: chain.finish(),
        records: before.records + u64::from(count),
        messages: before.messages + u64::from(messages),
        received_at_ms: before.received_at_ms.max(received_at_ms),
    };
    let mut marker = [0; COMMIT_LEN];
    marker[40..48].copy_from_slice(&after.chain.to_le_bytes());
    marker[48..56].copy_from_slice(&after.records.to_le_bytes());
    marker[56..64].copy_from_slice(&after.messages.to_le_bytes());
    marker[64..72].copy_from_slice(&durable.to_le_bytes());
    let payload_crc = crc32c::crc32c(&marker[RECORD_HEADER_LEN..]);
    marker[4..8].copy_from_slice(&(COMMIT_LEN as u32).to_le_bytes());
    marker[8..12].copy_from_slice(&payload_crc.to_le_bytes());
    marker[12] = KIND_COMMIT;
    marker[16..20].copy_from_slice(&count.to_le_bytes());
    marker[20..24].copy_from_slice(&messages.to_le_bytes());
    marker[24..32].copy_from_slice(&start.to_le_bytes());
    marker[32..40].copy_from_slice(&after.received_at_ms.to_le_bytes());
    let crc = record_crc(segment_id, start + records.len() as u64, &marker);
    marker[..4].copy_from_slice(&crc.to_le_bytes());
    records.extend_from_slice(&marker);
    after
}

/// The running hash over the records of one group.
#[derive(Debug)]
pub(crate) struct Chain(Sha256);

impl Chain {
    /// The hash of a group that begins at `start`, after a group that ended with `before`.
    pub(crate) fn new(before: u64, start: u64) -> Self {
        Self(Sha256::new().chain_update(before.to_le_bytes()).chain_update(start.to_le_bytes()))
    }

    /// Takes in one record by its header checksum, which covers all of it.
    pub(crate) fn add(&mut self, header_crc: u32) {
        self.0.update(header_crc.to_le_bytes());
    }

    /// The value behind the group.
    pub(crate) fn finish(self) -> u64 {
        u64_at(&self.0.finalize(), 0)
    }
}

/// A record's header, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordHeader {
    pub(crate) crc: u32,
    /// Bytes of header and payload.
    pub(crate) len: usize,
    pub(crate) payload_crc: u32,
    pub(crate) commit: bool,
    pub(crate) protocol: u8,
    pub(crate) width: u8,
    pub(crate) device: u32,
    pub(crate) messages: u32,
    pub(crate) link: u64,
    pub(crate) received_at_ms: i64,
}

impl RecordHeader {
    /// Bytes of the record, padding included.
    pub(crate) const fn record_len(&self) -> usize {
        padded(self.len)
    }

    /// The fields as they stand in the first 40 of `bytes`.
    pub(crate) fn unchecked(bytes: &[u8]) -> Self {
        Self {
            crc: u32_at(bytes, 0),
            len: u32_at(bytes, 4) as usize,
            payload_crc: u32_at(bytes, 8),
            commit: bytes[12] == KIND_COMMIT,
            protocol: bytes[13],
            width: bytes[14],
            device: u32_at(bytes, 16),
            messages: u32_at(bytes, 20),
            link: u64_at(bytes, 24),
            received_at_ms: i64_at(bytes, 32),
        }
    }
}

/// What stands at an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parsed {
    /// A record whose header and payload check out.
    Record(RecordHeader),
    /// Perhaps a record, but `bytes` ends before it does.
    NeedMore,
    /// A sound header of so many bytes of record, but the payload is damaged.
    BadPayload(usize),
    /// Nothing that can be believed.
    Bad,
}

/// Looks at `bytes`, which begin at address `lsn` of the segment `segment_id`; `room` is the number of bytes
/// from there to the end of what the caller may read.
pub(crate) fn parse(bytes: &[u8], lsn: u64, segment_id: u64, room: u64) -> Parsed {
    if room < RECORD_HEADER_LEN as u64 {
        return Parsed::Bad;
    }
    if bytes.len() < RECORD_HEADER_LEN {
        return Parsed::NeedMore;
    }
    let len = u32_at(bytes, 4) as usize;
    let kind = bytes[12];
    let plausible = match kind {
        KIND_BATCH => (RECORD_HEADER_LEN..=RECORD_BYTES_MAX).contains(&len),
        KIND_COMMIT => len == COMMIT_LEN,
        _ => false,
    };
    if !plausible || bytes[15] != 0 || padded(len) as u64 > room {
        return Parsed::Bad;
    }
    let crc = u32_at(bytes, 0);
    if crc != record_crc(segment_id, lsn, bytes) {
        return Parsed::Bad;
    }
    let header = RecordHeader::unchecked(bytes);
    if bytes.len() < header.record_len() {
        return Parsed::NeedMore;
    }
    if crc32c::crc32c(&bytes[RECORD_HEADER_LEN..len]) != header.payload_crc {
        return Parsed::BadPayload(header.record_len());
    }
    Parsed::Record(header)
}

/// Splits the payload of a batch: appends where each message ends to `ends` and returns where the messages begin
/// in `payload`, or `None` (with `ends` as it was) when the lengths do not add up.
pub(crate) fn split_payload(header: &RecordHeader, payload: &[u8], ends: &mut Vec<u32>) -> Option<usize> {
    let (width, messages) = (usize::from(header.width), header.messages as usize);
    let lengths_len = messages.checked_mul(width)?;
    let (lengths, raw) = payload.split_at_checked(lengths_len)?;
    let begin = ends.len();
    let mut end = 0_u64;
    match width {
        0 if messages == 1 => {
            end = raw.len() as u64;
            ends.push(raw.len() as u32);
        }
        2 => ends.extend(lengths.as_chunks::<2>().0.iter().map(|&length| {
            end += u64::from(u16::from_le_bytes(length));
            end as u32
        })),
        4 => ends.extend(lengths.as_chunks::<4>().0.iter().map(|&length| {
            end += u64::from(u32::from_le_bytes(length));
            end as u32
        })),
        _ => return None,
    }
    if end != raw.len() as u64 {
        ends.truncate(begin);
        return None;
    }
    Some(lengths_len)
}

/// A commit marker's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Where its group begins.
    pub(crate) start: u64,
    /// Records of the group.
    pub(crate) records: u32,
    /// Messages of the group.
    pub(crate) messages: u32,
    /// The totals behind the group.
    pub(crate) totals: Totals,
    /// The durable mark when the group was written.
    pub(crate) durable: u64,
}

impl Commit {
    /// The marker with this header and payload.
    pub(crate) fn read(header: &RecordHeader, payload: &[u8]) -> Option<Self> {
        if payload.len() != COMMIT_LEN - RECORD_HEADER_LEN {
            return None;
        }
        Some(Self {
            start: header.link,
            records: header.device,
            messages: header.messages,
            totals: Totals {
                chain: u64_at(payload, 0),
                records: u64_at(payload, 8),
                messages: u64_at(payload, 16),
                received_at_ms: header.received_at_ms,
            },
            durable: u64_at(payload, 24),
        })
    }
}

/// The content of the `clean` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CleanMark {
    pub(crate) segment_id: u64,
    pub(crate) durable: u64,
    pub(crate) totals: Totals,
}

const CLEAN_MAGIC: &[u8; 8] = b"MPOOLCLN";
pub(crate) const CLEAN_LEN: usize = 60;

impl CleanMark {
    /// The file's bytes: magic, segment id, durable mark, totals, CRC-32C of all that.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = CLEAN_MAGIC.to_vec();
        for field in [
            self.segment_id,
            self.durable,
            self.totals.chain,
            self.totals.records,
            self.totals.messages,
            self.totals.received_at_ms.cast_unsigned(),
        ] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The mark in `bytes`, or `None` when they are not one.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != CLEAN_LEN
            || &bytes[..8] != CLEAN_MAGIC
            || crc32c::crc32c(&bytes[..56]) != u32_at(bytes, 56)
        {
            return None;
        }
        Some(Self {
            segment_id: u64_at(bytes, 8),
            durable: u64_at(bytes, 16),
            totals: Totals {
                chain: u64_at(bytes, 24),
                records: u64_at(bytes, 32),
                messages: u64_at(bytes, 40),
                received_at_ms: i64_at(bytes, 48),
            },
        })
    }
}
