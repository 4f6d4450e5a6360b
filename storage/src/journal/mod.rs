//! The journal: what was received, in the order received, durable before anybody is told so.
//!
//! Sources append [`Batch`]es; one writer puts them on stable storage in groups and publishes the *durable
//! mark*, on a thread of its own or, while all is calm, on the worker that brought them (`lead`); folds read behind that mark. The journal never decodes a message, never answers a
//! terminal, and never shows a reader a byte that is not on stable storage.
//!
//! # Addresses
//!
//! An [`Lsn`] is the number of bytes ever appended before it, record headers and commit markers included,
//! and a multiple of 8. Addresses are given out when a record is appended and stay with it whatever file it
//! ends up in: a segment says at which address it begins, and ends where the next one begins. There are no
//! holes between segments.
//!
//! # Files in `journal/` (all numbers little endian)
//!
//! | file | content |
//! | --- | --- |
//! | `<base, 16 hex digits>.seg` | a segment: a header block of 4,096 bytes, then records |
//! | `spare-<n>.tmp` | a segment to be: written full once, or released by the raw archive; content is meaningless |
//! | `clean` | written by an orderly stop, removed by the next start: where the journal ended |
//! | `lock` | locked by the process that has the journal open |
//! | `release.lock` | locked while segments are let go, or by a copy of the journal ([`Frozen`]) so that none is |
//! | `*.bad` | a segment whose header could not be read, set aside by a start |
//!
//! Segment header, at offset 0 and once more at offset 2,048 of the block:
//!
//! | at | size | field |
//! | --- | --- | --- |
//! | 0 | 8 | magic `MPOOLJNL` |
//! | 8 | 4 | format version, 1; anything else is refused |
//! | 12 | 4 | CRC-32C of bytes 0..12 and 16..80 |
//! | 16 | 8 | segment id, random: part of every record's checksum |
//! | 24 | 8 | base: the address of the first byte behind the block |
//! | 32 | 8 | id of the segment before, 0 for the first |
//! | 40 | 8 | chain at the base (see the commit marker) |
//! | 48 | 8 | records ever appended before the base |
//! | 56 | 8 | messages ever appended before the base |
//! | 64 | 8 | highest `received_at` before the base, UTC milliseconds |
//! | 72 | 8 | the base, or after a recovery that found a torn group: where that begins (see [`GapKind::Torn`]) |
//!
//! Record, at a multiple of 8 bytes, padded with zeros to one:
//!
//! | at | size | field |
//! | --- | --- | --- |
//! | 0 | 4 | CRC-32C of segment id, address and bytes 4..40 |
//! | 4 | 4 | length: header and payload without padding |
//! | 8 | 4 | CRC-32C of the payload, taken when it was appended |
//! | 12 | 1 | kind: 1 batch, 2 commit marker |
//! | 13 | 1 | protocol number (batch) |
//! | 14 | 1 | bytes of each message length: 0 (one message: the rest of the payload), 2 or 4 |
//! | 15 | 1 | 0 |
//! | 16 | 4 | device (batch), records of the group (marker) |
//! | 20 | 4 | messages of the record (batch) or of the group (marker) |
//! | 24 | 8 | link (batch), address at which the group begins (marker) |
//! | 32 | 8 | `received_at` (batch), highest `received_at` so far (marker), UTC milliseconds |
//! | 40 | | payload: the message lengths, then the messages |
//!
//! Payload of a commit marker: chain (8), records ever (8), messages ever (8), durable mark when the group
//! was written (8). The chain is the first 8 bytes of SHA-256 over the chain before, the group's begin and the
//! header checksums of its records: a group that was lost, swapped or edited breaks it.
//!
//! The length is held against its bounds before anything else of a record is believed. Because the random
//! segment id is in each checksum, what an earlier life left in a reused segment can't be taken for a record,
//! nor can a message that looks like one.
//!
//! # Group commit
//!
//! Appending copies the record into the active group in memory and gives out its address. The writer takes what
//! is waiting (8 MiB at most), closes each group with a commit marker, writes, syncs once, and publishes. It
//! starts a round at once, unless the round before *began* less than `window_max` ago and little is waiting:
//! on a slow disk nobody ever waits, on a fast one there is at most one sync per window. Groups grow by
//! themselves while a sync is under way.
//!
//! A write or sync that failed is never repeated on its file. The segment ends at the durable mark; the groups
//! that were not acknowledged are written again, from memory and with the same addresses, to a new segment
//! that begins at the mark. The second failure in a row ends appending ([`Health::Failed`]); reading goes on.
//! A full disk ([`Health::DiskFull`]) is waited out.
//!
//! # Recovery
//!
//! Without the `clean` file the last two segments are scanned; older ones are checked when they are read.
//! The journal ends behind the last readable commit marker. What does not check out *before* it is named and
//! skipped, never cut; it is [`GapKind::Damaged`] when a later marker, header or the `clean` file proves that it
//! was durable once, otherwise [`GapKind::Torn`]: a group that was being written when the machine stopped
//! and that nobody was told about. What follows the last marker is cut: the bytes that are not proven durable
//! are written and synced again, then a new segment that begins at the end is made durable, then appends begin.
//!
//! # Raw archive
//!
//! Segments that every [`Consumer`] has passed become `raw/day=YYYY-MM-DD/*.raw` (see [`raw`]) and are reused. Old days go
//! when whoever knows of holds says so ([`expire`]).

mod archive;
mod chunk;
mod copy;
pub mod expire;
pub(crate) mod format;
mod fs;
mod handle;
mod keeper;
mod lead;
mod marks;
mod queue;
pub mod raw;
mod reader;
mod recovery;
mod segments;
mod stats;
#[cfg(test)]
mod tests;
mod unrest;
pub mod verify;
mod writer;

use crate::ids::{DeviceId, LinkId, Lsn};
use motorpool_protocols::{Protocol, UtcMillis};

pub use copy::{Copied, Frozen, pin_raw};
pub use format::RECORD_BYTES_MAX;
pub use handle::{CheckpointError, Consumer, Journal, JournalError};
pub use queue::{AppendError, Health};
pub use reader::{Chunk, Event, Gap, GapKind, ReadError, Reader};
pub use recovery::Recovery;
pub use stats::{Stats, SyncSeconds};

/// The messages of one device that one read of one link delivered.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The device the messages belong to.
    pub device: DeviceId,
    /// The link they came over.
    pub link: LinkId,
    /// The protocol they are in.
    pub protocol: Protocol,
    /// When they were read from the socket. Of what is appended, the clock of who appends; of what is read, never earlier than
    /// in the record before (but journals of earlier programs hold such records).
    pub received_at: UtcMillis,
    /// Where each message ends in `raw`.
    pub ends: &'a [u32],
    /// The messages as received, one after another.
    pub raw: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The messages one by one.
    pub fn messages(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (raw, ends) = (self.raw, self.ends);
        let mut from = 0;
        ends.iter().map(move |&end| {
            let message = raw.get(from..end as usize).unwrap_or_default();
            from = end as usize;
            message
        })
    }
}

/// One record as a reader sees it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its address.
    pub lsn: Lsn,
    /// The address just behind it: a fold that has applied it may name this as its checkpoint.
    pub end: Lsn,
    /// What was appended.
    pub batch: Batch<'a>,
}
