//! Reading the journal behind the durable mark, for folds.
//!
//! A reader blocks its thread. It gives out whole runs of records as slices of its own buffer, checks every
//! checksum again, and says where nothing can be read instead of leaving it out silently.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Entry;
use super::chunk::{ChunkBuf, Item};
use super::handle::Shared;
use crate::ids::Lsn;

/// Addresses that hold nothing readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a range and its kind, read field by field")]
pub struct Gap {
    /// The first address that can't be read.
    pub from: Lsn,
    /// The first address behind it that can.
    pub to: Lsn,
    /// Why.
    pub kind: GapKind,
}

/// Why addresses can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapKind {
    /// What is there does not check out, or the file is missing.
    Damaged,
    /// A group that was being written when the machine stopped, and that nobody was told about.
    Torn,
    /// The segment was released; its messages are in the raw archive.
    Released,
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "every reader has to handle both")]
pub enum Event<'a> {
    /// A record.
    Entry(Entry<'a>),
    /// Addresses that are passed over: count them, tell people, go on.
    Gap(Gap),
}

/// Why a chunk could not be read. Reading again later is right: what stays unreadable becomes a gap after the third
/// attempt.
#[derive(Debug, thiserror::Error)]
#[error("reading {path} at address {lsn} failed")]
#[non_exhaustive]
pub struct ReadError {
    /// The segment file.
    pub path: PathBuf,
    /// The address at which reading began.
    pub lsn: Lsn,
    /// What the file system said.
    pub source: io::Error,
}

/// A place in the journal from which records are read in order.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    chunk: ChunkBuf,
    kinds: Kinds,
}

/// How gaps of the present chunk are to be called.
#[derive(Clone, Copy, Debug)]
struct Kinds {
    released: bool,
    /// From this address on they are torn.
    torn_from: u64,
}

impl Kinds {
    const DAMAGED: Self = Self { released: false, torn_from: u64::MAX };

    const fn of(self, from: u64) -> GapKind {
        if self.released {
            GapKind::Released
        } else if from >= self.torn_from {
            GapKind::Torn
        } else {
            GapKind::Damaged
        }
    }
}

impl Reader {
    pub(crate) const fn new(shared: Arc<Shared>, from: Lsn) -> Self {
        Self { shared, chunk: ChunkBuf::new(from.0), kinds: Kinds::DAMAGED }
    }

    /// The address behind everything that was given out: where a new reader would go on.
    #[must_use]
    pub fn position(&self) -> Lsn {
        Lsn(self.chunk.position())
    }

    /// The next run of records up to the durable mark, about 1 MiB at most. Waits up to `timeout` for a record; the
    /// chunk is empty when none came, when the journal was closed, or when the bytes hold only commit markers.
    ///
    /// # Errors
    /// When the file can't be read. The reader stays where it was.
    pub fn next_chunk(&mut self, timeout: Duration) -> Result<Chunk<'_>, ReadError> {
        self.chunk.clear();
        self.kinds = Kinds::DAMAGED;
        let durable = self.shared.marks.wait_beyond(self.chunk.at(), timeout);
        while self.chunk.items().is_empty() && self.chunk.at() < durable {
            let position = self.chunk.position();
            match self.shared.segments.find(self.chunk.at()) {
                Err(oldest) => {
                    self.kinds.released = true;
                    self.chunk.skip_to(oldest.min(durable));
                }
                Ok((segment, next)) => {
                    let limit = next.as_ref().map_or(durable, |next| next.base.min(durable));
                    self.kinds.torn_from = next.map_or(u64::MAX, |next| next.previous_proven());
                    self.chunk.fill(&segment, limit).map_err(|source| ReadError {
                        path: segment.path.clone(),
                        lsn: Lsn(position),
                        source,
                    })?;
                    if segment.is_released() {
                        // The file may be another segment's by now: nothing that was read counts.
                        self.chunk = ChunkBuf::new(position);
                    }
                }
            }
        }
        let gaps = self.chunk.items().iter().filter(|item| matches!(item, Item::Gap { .. })).count();
        self.shared.counters.gaps_read.fetch_add(gaps as u64, Relaxed);
        Ok(Chunk { chunk: &self.chunk, kinds: self.kinds })
    }
}

/// A run of records that lies in the reader's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    chunk: &'a ChunkBuf,
    kinds: Kinds,
}

impl<'a> Chunk<'a> {
    /// Records and gaps in the order of their addresses.
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        let (chunk, kinds) = (self.chunk, self.kinds);
        chunk.items().iter().filter_map(move |item| match item {
            Item::Batch(batch) => Some(Event::Entry(chunk.entry(batch))),
            Item::Gap { from, to } => {
                Some(Event::Gap(Gap { from: Lsn(*from), to: Lsn(*to), kind: kinds.of(*from) }))
            }
            Item::Commit { .. } => None,
        })
    }

    /// Whether there is neither a record nor a gap.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events().next().is_none()
    }

    /// The address behind everything in the chunk: the checkpoint of a fold that has applied it.
    #[must_use]
    pub fn end(&self) -> Lsn {
        Lsn(self.chunk.position())
    }
}
