//! The one writer: closes groups, writes them, syncs once for all of them, publishes the durable mark.
//!
//! It never repeats a write or sync that failed on the same file, and never publishes an address before the
//! sync that covers it has succeeded.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::format::{COMMIT_LEN, SEGMENT_HEADER_LEN, SegmentHeader, Totals, seal_group};
use super::fs::{is_disk_full, write_all_at};
use super::handle::Shared;
use super::queue::{Group, Health};
use super::segments::Segment;
use super::unrest::Unrest;

/// Writes are filled up with zeros to a multiple of this, so that the kernel need not read a page to change it.
const PAGE_LEN: u64 = 4_096;
/// Failures in a row after which nothing is taken any more.
const FAILURES_MAX: u32 = 2;

/// Where writing goes on; what recovery hands to the writer.
#[derive(Debug)]
pub(crate) struct Position {
    /// The segment to go on with; `None` begins a new one.
    pub(crate) current: Option<Arc<Segment>>,
    /// The id of the segment before the next new one.
    pub(crate) previous_id: u64,
    /// Totals at the durable mark.
    pub(crate) totals: Totals,
    /// Where recovery found a torn group, for the header of the segment that it begins.
    pub(crate) torn_from: Option<u64>,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is durable.
    Done,
    /// The disk is full; what was not written is still in hand.
    DiskFull,
    /// Writing failed for good.
    Failed,
}

/// The writer's own state.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    position: Position,
    /// The current segment was made in a hurry; a prepared one replaces it as soon as there is one.
    provisional: bool,
    failures: u32,
    /// What was taken from the queue and could not be written yet.
    in_hand: VecDeque<Group>,
    /// How the last rounds went, for whoever says who leads.
    pub(crate) unrest: Unrest,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, position: Position) -> Self {
        let provisional = position.current.as_ref().is_none_or(|segment| !segment.prepared);
        Self { shared, position, provisional, failures: 0, in_hand: VecDeque::new(), unrest: Unrest::new() }
    }

    /// Writes what is in hand, or else what waits.
    pub(crate) fn round(&mut self) -> Outcome {
        if self.in_hand.is_empty() {
            self.in_hand = self.shared.queue.take_round().unwrap_or_default();
            self.shared.acknowledge_before_sync(&self.in_hand);
        }
        self.write_in_hand()
    }

    /// As [`Writer::round`], as the task that leads; `None` when there is nothing to do, or the thread is to do it.
    pub(crate) fn round_leading(&mut self) -> Option<Outcome> {
        if !self.in_hand.is_empty() {
            return None;
        }
        self.in_hand = self.shared.queue.take_round_leading()?;
        self.shared.acknowledge_before_sync(&self.in_hand);
        Some(self.write_in_hand())
    }

    fn write_in_hand(&mut self) -> Outcome {
        let begun = Instant::now();
        let mut groups = std::mem::take(&mut self.in_hand);
        let bytes = groups.iter().map(|group| group.records_len).sum();
        let outcome = self.attempt(&mut groups);
        self.in_hand = groups;
        match outcome {
            Outcome::Done => self.unrest.note(bytes, begun.elapsed()),
            Outcome::DiskFull | Outcome::Failed => self.unrest.disturb(),
        }
        outcome
    }

    /// Whether something was taken that could not be written yet.
    pub(crate) fn has_in_hand(&self) -> bool {
        !self.in_hand.is_empty()
    }

    /// Where the journal ends now.
    pub(crate) const fn position(&self) -> &Position {
        &self.position
    }

    /// Brings `groups` to stable storage; those that are there are taken out.
    pub(crate) fn attempt(&mut self, groups: &mut VecDeque<Group>) -> Outcome {
        loop {
            let Err(error) = self.commit(groups) else {
                self.failures = 0;
                return Outcome::Done;
            };
            self.shared.counters.write_failures.fetch_add(1, Relaxed);
            if let Some(segment) = &self.position.current {
                segment.forbid_reuse();
            }
            self.leave_segment();
            if is_disk_full(&error) {
                tracing::error!(%error, "the disk is full: the journal takes nothing until there is space");
                self.shared.queue.set_health(Health::DiskFull);
                return Outcome::DiskFull;
            }
            self.failures += 1;
            if self.failures >= FAILURES_MAX {
                tracing::error!(%error, "writing the journal failed again: nothing is taken any more");
                self.shared.queue.set_health(Health::Failed);
                self.shared.marks.wake();
                return Outcome::Failed;
            }
            tracing::error!(%error, "writing the journal failed: going on in a new segment");
        }
    }

    fn commit(&mut self, groups: &mut VecDeque<Group>) -> io::Result<()> {
        let mut written = 0;
        let mut totals = self.position.totals;
        while let Some(group) = groups.get(written) {
            let segment = match self.segment_for(group) {
                Some(segment) => segment,
                None if written > 0 => {
                    self.sync(groups, &mut written, totals)?;
                    continue;
                }
                None => {
                    let base = group.start;
                    self.roll(base)?
                }
            };
            totals = self.write(&segment, &mut groups[written], totals)?;
            written += 1;
        }
        self.sync(groups, &mut written, totals)
    }

    /// The current segment if the group fits and nothing better is at hand.
    fn segment_for(&self, group: &Group) -> Option<Arc<Segment>> {
        let current = self.position.current.as_ref()?;
        let end = SEGMENT_HEADER_LEN + (group.end() - current.base);
        let replace = self.provisional && self.shared.segments.spare_count() > 0;
        (end <= self.shared.segments.size && !replace).then(|| Arc::clone(current))
    }

    /// Begins a segment at `base`, where everything before is durable.
    pub(crate) fn roll(&mut self, base: u64) -> io::Result<Arc<Segment>> {
        self.leave_segment();
        let header = SegmentHeader {
            id: getrandom::u64().map_err(io::Error::other)?,
            base,
            previous_id: self.position.previous_id,
            previous_proven: self.position.torn_from.unwrap_or(base),
            totals: self.position.totals,
        };
        let segment = self.shared.segments.create(header)?;
        self.provisional = !segment.prepared;
        self.position.torn_from = None;
        self.position.current = Some(Arc::clone(&segment));
        self.shared.keeper.ring();
        Ok(segment)
    }

    /// Ends the current segment at the durable mark. One that holds nothing will be replaced under its own name, and
    /// is nobody's predecessor.
    fn leave_segment(&mut self) {
        let Some(segment) = self.position.current.take() else { return };
        let Some(header) = segment.header else { return };
        if segment.base < self.shared.marks.readable() {
            self.position.previous_id = header.id;
        } else {
            self.position.torn_from = Some(header.previous_proven);
        }
    }

    fn write(&self, segment: &Segment, group: &mut Group, before: Totals) -> io::Result<Totals> {
        let header = segment.header.expect("the writer's own segments have headers");
        group.bytes.truncate(group.records_len);
        let durable = self.shared.marks.readable();
        let totals =
            seal_group(&mut group.bytes, group.start, header.id, before, group.received_at_ms, durable);
        assert_eq!(
            group.bytes.len(),
            group.records_len + COMMIT_LEN,
            "a group is its records and one marker"
        );
        let offset = SEGMENT_HEADER_LEN + (group.start - segment.base);
        let end = offset + group.bytes.len() as u64;
        let page_end = end.next_multiple_of(PAGE_LEN).min(self.shared.segments.size);
        group.bytes.resize((page_end - offset) as usize, 0);
        write_all_at(&*segment.file, &group.bytes, offset)?;
        Ok(totals)
    }

    /// Makes the first `written` groups durable, says so, and takes them out.
    fn sync(&mut self, groups: &mut VecDeque<Group>, written: &mut usize, totals: Totals) -> io::Result<()> {
        let (Some(segment), Some(last)) = (&self.position.current, written.checked_sub(1)) else {
            return Ok(());
        };
        let end = groups[last].end();
        let begun = Instant::now();
        segment.file.sync_data()?;
        self.shared.count_sync(begun.elapsed());
        self.position.totals = totals;
        let counters = &self.shared.counters;
        for group in groups.iter().take(*written) {
            counters.bytes.fetch_add(group.end() - group.start, Relaxed);
            counters.groups.fetch_add(1, Relaxed);
            counters.durable_records.fetch_add(u64::from(group.records), Relaxed);
            counters.durable_messages.fetch_add(group.messages, Relaxed);
        }
        self.shared.queue.written(groups.drain(..*written));
        *written = 0;
        self.shared.marks.publish(end);
        Ok(())
    }
}
