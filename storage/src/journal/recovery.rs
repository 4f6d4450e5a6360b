//! Opening a journal: finds out where it ends and what of it can't be proven, and makes that durable.
//!
//! Nothing is cut or skipped without being named in [`Recovery`], and no address is given out twice.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use motorpool_protocols::UtcMillis;

use super::archive::RELEASE_LOCK;
use super::chunk::{ChunkBuf, Item};
use super::format::{
    CLEAN_LEN, COMMIT_LEN, Chain, CleanMark, Commit, HeaderBlock, Parsed, SEGMENT_HEADER_LEN, SegmentHeader,
    Totals, parse,
};
use super::fs::{read_full_at, write_all_at};
use super::handle::JournalError;
use super::segments::{Segment, Segments, base_of_name, read_header};
use super::writer::Position;
use crate::ids::Lsn;

const CLEAN_NAME: &str = "clean";

/// What a start found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recovery {
    /// Whether the journal was closed in order the last time (or is new).
    pub clean: bool,
    /// Segments found.
    pub segments: usize,
    /// Records ever appended.
    pub records: u64,
    /// Messages ever appended.
    pub messages: u64,
    /// Where the journal ends: everything before is durable, appending goes on here.
    pub durable: Lsn,
    /// The oldest address that can be read.
    pub oldest: Lsn,
    /// The highest `received_at` of any record; the clock must not start before it.
    pub last_received_at: UtcMillis,
    /// Ranges that were durable once and can't be read now: acknowledged messages may be missing.
    pub damaged: Vec<Range<Lsn>>,
    /// Ranges inside the last group that was being written: never acknowledged unless the disk lost them later.
    pub unproven: Vec<Range<Lsn>>,
    /// Bytes behind the last commit marker that were recognised and cut: never acknowledged.
    pub torn_bytes: u64,
    /// Files in the folder that are not the journal's, or not under their own name; they were left alone.
    pub foreign: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// The result of a scan of one segment.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The address behind the last commit marker.
    pub(crate) end: u64,
    /// Totals there.
    pub(crate) totals: Totals,
    /// Where nothing can be read; the last one may lie behind `end`.
    pub(crate) gaps: Vec<Range<u64>>,
    /// Groups whose records check out one by one but not as a whole.
    pub(crate) broken_chains: Vec<Range<u64>>,
    /// Everything before was durable when the last marker was written.
    pub(crate) proven: u64,
    /// The address behind the last record that checks out, committed or not.
    pub(crate) recognised: u64,
    pub(crate) records: u64,
    pub(crate) messages: u64,
}

/// Reads `segment` from its base to `limit`, or to the end of the file.
pub(crate) fn scan(segment: &Segment, limit: Option<u64>) -> io::Result<Scan> {
    let file_end = segment.base + segment.file.len()?.saturating_sub(SEGMENT_HEADER_LEN);
    let limit = limit.unwrap_or(file_end / 8 * 8);
    let totals = segment.header.map(|header| header.totals).unwrap_or_default();
    let base = segment.base;
    let mut scan = Scan {
        end: base,
        totals,
        gaps: Vec::new(),
        broken_chains: Vec::new(),
        proven: base,
        recognised: base,
        records: 0,
        messages: 0,
    };
    let mut group = OpenGroup::new(base, totals.chain);
    let mut chunk = ChunkBuf::new(base);
    while chunk.at() < limit {
        if chunk.fill(segment, limit).is_err() {
            continue; // the third attempt succeeds with what can be read
        }
        for item in chunk.items() {
            match item {
                Item::Batch(batch) => {
                    group.add(batch.header.crc, batch.header.messages);
                    scan.records += 1;
                    scan.messages += u64::from(batch.header.messages);
                    scan.recognised = batch.end();
                }
                Item::Gap { from, to } => {
                    group.damaged = true;
                    scan.gaps.push(*from..*to);
                }
                Item::Commit { lsn, end, commit } => {
                    let sound = group.matches(commit);
                    if !sound {
                        scan.broken_chains.push(commit.start.min(*lsn)..*lsn);
                    }
                    scan.end = *end;
                    scan.recognised = *end;
                    scan.totals = commit.totals;
                    scan.proven = scan.proven.max(commit.durable);
                    group = OpenGroup::new(*end, commit.totals.chain);
                }
            }
        }
    }
    Ok(scan)
}

/// The records since the last marker.
struct OpenGroup {
    start: u64,
    chain: Chain,
    records: u32,
    messages: u32,
    damaged: bool,
}

impl OpenGroup {
    fn new(start: u64, chain_before: u64) -> Self {
        Self { start, chain: Chain::new(chain_before, start), records: 0, messages: 0, damaged: false }
    }

    fn add(&mut self, crc: u32, messages: u32) {
        self.chain.add(crc);
        self.records += 1;
        self.messages = self.messages.wrapping_add(messages);
    }

    /// Whether the marker closes just these records; damage is known already and not complained about again.
    fn matches(self, commit: &Commit) -> bool {
        self.damaged
            || (commit.start == self.start
                && commit.records == self.records
                && commit.messages == self.messages
                && commit.totals.chain == self.chain.finish())
    }
}

/// Opens the files of a journal, without changing any.
pub(crate) struct Found {
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The segment header copies that are damaged in one place but readable in the other.
    pub(crate) half_headers: Vec<PathBuf>,
    pub(crate) files: Vec<(String, u64)>,
    pub(crate) foreign: Vec<String>,
    /// Files at the end that were created but never held anything.
    pub(crate) unused: Vec<(PathBuf, u64)>,
    pub(crate) clean: Option<CleanMark>,
}

/// Looks at all files of the folder of `segments`.
pub(crate) fn find(segments: &Segments) -> Result<Found, JournalError> {
    let dir = &segments.dir;
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| JournalError::Io { path, source }
    };
    let mut files = segments.fs.list(dir).map_err(io(dir))?;
    files.sort();
    let mut found = Found {
        segments: Vec::new(),
        half_headers: Vec::new(),
        files,
        foreign: Vec::new(),
        unused: Vec::new(),
        clean: None,
    };
    for (name, len) in &found.files {
        let path = dir.join(name);
        if let Some(base) = base_of_name(name) {
            let file = match segments.fs.open(&path) {
                // Beside a running server: it was let go after its name was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(io(&path))?,
            };
            let header = match read_header(&*file).map_err(io(&path))? {
                HeaderBlock::Version(version) => return Err(JournalError::Version { path, version }),
                HeaderBlock::Valid { header, .. } if header.base != base => {
                    found.foreign.push(name.clone());
                    continue;
                }
                HeaderBlock::Valid { header, whole } => {
                    if !whole {
                        found.half_headers.push(path.clone());
                    }
                    Some(header)
                }
                HeaderBlock::Empty if is_zero(&*file, *len).map_err(io(&path))? => {
                    found.unused.push((path.clone(), base));
                    None
                }
                HeaderBlock::Empty | HeaderBlock::Damaged => None,
            };
            let prepared = *len == segments.size;
            found.segments.push(Arc::new(Segment::new(base, header, file, path, prepared)));
        } else if name == CLEAN_NAME {
            let mut bytes = vec![0; CLEAN_LEN + 1];
            let file = segments.fs.open(&path).map_err(io(&path))?;
            let read = read_full_at(&*file, &mut bytes, 0).map_err(io(&path))?;
            found.clean = CleanMark::read(&bytes[..read]);
        } else if !(is_lock(name) || name.starts_with("spare-") || name == "clean.tmp") {
            found.foreign.push(name.clone());
        }
    }
    // Only at the end is an empty file normal; elsewhere it is a hole.
    let mut at_end = Vec::new();
    while let Some(last) = found.segments.last() {
        let Some(index) = found.unused.iter().position(|(path, _)| *path == last.path) else { break };
        at_end.push(found.unused.remove(index));
        found.segments.pop();
    }
    found.unused = at_end;
    Ok(found)
}

fn is_lock(name: &str) -> bool {
    name == "lock" || name == RELEASE_LOCK
}

/// Whether a file has nothing but zeros in its first blocks.
fn is_zero(file: &dyn super::fs::File, len: u64) -> io::Result<bool> {
    let mut block = vec![0; (2 * SEGMENT_HEADER_LEN).min(len) as usize];
    let read = read_full_at(file, &mut block, 0)?;
    Ok(block[..read].iter().all(|&byte| byte == 0))
}

/// Opens the journal of `segments`, which is empty so far. Afterwards everything before the durable mark is on stable
/// storage, everything behind it is cut, and the position says where to write.
pub(crate) fn recover(segments: &Segments, floor: Lsn) -> Result<(Recovery, Position), JournalError> {
    let begun = Instant::now();
    let io = |source| JournalError::Io { path: segments.dir.clone(), source };
    let mut found = find(segments)?;
    segments.adopt_spares(&found.files).map_err(io)?;
    for (path, base) in &found.unused {
        tracing::warn!(path = %path.display(), base, "a segment without content is set aside");
        segments.fs.rename(path, &path.with_extension("bad")).map_err(io)?;
    }
    for segment in &found.segments {
        segments.insert(Arc::clone(segment));
    }
    let mut recovery = Recovery {
        clean: found.segments.is_empty() && found.unused.is_empty(),
        segments: found.segments.len(),
        records: 0,
        messages: 0,
        durable: Lsn(0),
        oldest: Lsn(found.segments.first().map_or(0, |segment| segment.base)),
        last_received_at: UtcMillis(0),
        damaged: Vec::new(),
        unproven: Vec::new(),
        torn_bytes: 0,
        foreign: std::mem::take(&mut found.foreign),
        seconds: 0.0,
    };
    for path in &found.half_headers {
        tracing::warn!(path = %path.display(), "one of two copies of a segment header is damaged");
    }
    name_missing(&found.segments, &mut recovery).map_err(io)?;
    let resumed =
        found.clean.filter(|clean| clean.durable >= floor.0).and_then(|clean| resume(&found, clean));
    let position = match resumed {
        Some(position) => {
            recovery.clean = true;
            position
        }
        None => scan_tail(&found, floor, &mut recovery).map_err(io)?,
    };
    recovery.records = position.totals.records;
    recovery.messages = position.totals.messages;
    recovery.last_received_at = UtcMillis(position.totals.received_at_ms);
    if position.current.is_some() {
        recovery.durable = Lsn(found.clean.map_or(0, |clean| clean.durable));
    }
    recovery.seconds = begun.elapsed().as_secs_f64();
    Ok((recovery, position))
}

/// Names what lies between segments that do not follow each other.
fn name_missing(found: &[Arc<Segment>], recovery: &mut Recovery) -> io::Result<()> {
    for pair in found.windows(2) {
        let [first, second] = pair else { continue };
        match (first.header, second.header) {
            (Some(before), Some(after)) if before.id == after.previous_id => {}
            (Some(_), Some(_)) => {
                let end = scan(first, Some(second.base))?.end;
                if end < second.base {
                    recovery.damaged.push(Lsn(end)..Lsn(second.base));
                }
            }
            (None, _) => recovery.damaged.push(Lsn(first.base)..Lsn(second.base)),
            (Some(_), None) => {}
        }
    }
    Ok(())
}

/// The position after an orderly stop, if the journal does end as the `clean` file says.
fn resume(found: &Found, clean: CleanMark) -> Option<Position> {
    let segment = found.segments.last()?;
    let header = segment.header.filter(|header| header.id == clean.segment_id)?;
    let behind = clean.durable.checked_sub(segment.base)?;
    let totals = if behind == 0 {
        header.totals
    } else {
        let marker_at = clean.durable.checked_sub(COMMIT_LEN as u64)?;
        let mut bytes = [0; COMMIT_LEN];
        let offset = SEGMENT_HEADER_LEN + marker_at.checked_sub(segment.base)?;
        read_full_at(&*segment.file, &mut bytes, offset).ok()?;
        match parse(&bytes, marker_at, header.id, COMMIT_LEN as u64) {
            Parsed::Record(record) if record.commit => {
                Commit::read(&record, &bytes[super::format::RECORD_HEADER_LEN..])?.totals
            }
            _ => return None,
        }
    };
    (totals == clean.totals).then(|| Position {
        current: Some(Arc::clone(segment)),
        previous_id: header.previous_id,
        totals,
        torn_from: None,
    })
}

/// Finds the end of a journal that was not closed in order, and makes everything before it durable.
fn scan_tail(found: &Found, floor: Lsn, recovery: &mut Recovery) -> io::Result<Position> {
    let mut totals = Totals::default();
    let mut previous_id = 0;
    let mut end = 0;
    let from = found.segments.len().saturating_sub(2);
    for (index, segment) in found.segments.iter().enumerate().skip(from) {
        let next = found.segments.get(index + 1);
        let Some(header) = segment.header else {
            end = lost_segment(segment, next.map(|next| next.base), found.clean, recovery)?;
            continue;
        };
        let follows = next.and_then(|next| next.header).is_none_or(|after| after.previous_id == header.id);
        let scan = scan(segment, next.map(|next| next.base))?;
        previous_id = if scan.end == segment.base { header.previous_id } else { header.id };
        totals = scan.totals;
        if let Some(next) = next {
            // Sealed: all of it was durable before the next one was made. What is missing was named already.
            let known = if follows { next.base } else { scan.end };
            for gap in scan.gaps.iter().filter(|gap| gap.start < known) {
                let torn = gap.start >= next.previous_proven();
                let list = if torn { &mut recovery.unproven } else { &mut recovery.damaged };
                list.push(lsn_range(gap, known));
            }
            end = next.base;
        } else {
            end = settle_tail(segment, &scan, found.clean, recovery)?;
        }
        for range in &scan.broken_chains {
            tracing::error!(
                from = range.start,
                to = range.end,
                "a group of records is not as it was written"
            );
        }
    }
    let unused_end = found.unused.iter().map(|&(_, base)| base).max().unwrap_or(0);
    let clean_end = found.clean.map_or(0, |clean| clean.durable);
    let start = end.max(unused_end).max(clean_end).max(floor.0).next_multiple_of(8);
    if start > end {
        recovery.damaged.push(Lsn(end)..Lsn(start));
    }
    if found.segments.last().is_some_and(|last| last.base < start) {
        previous_id = found.segments.last().and_then(|last| last.header).map_or(0, |header| header.id);
    }
    if let Some(clean) = found.clean.filter(|clean| clean.durable >= end) {
        totals = clean.totals;
    }
    recovery.durable = Lsn(start);
    let torn_from = found.segments.last().and_then(|last| {
        let replaced = last.header.filter(|_| last.base == start).map(|header| header.previous_proven);
        let torn = recovery.unproven.iter().map(|range| range.start.0).find(|&torn| torn >= last.base);
        replaced.or(torn)
    });
    Ok(Position { current: None, previous_id, totals, torn_from })
}

/// Names a segment of which nothing can be read, and says where it can have ended at most.
fn lost_segment(
    segment: &Segment,
    next: Option<u64>,
    clean: Option<CleanMark>,
    recovery: &mut Recovery,
) -> io::Result<u64> {
    let Some(next) = next else {
        let file_end = segment.base + segment.file.len()?.saturating_sub(SEGMENT_HEADER_LEN);
        let end = clean.map_or(file_end, |clean| clean.durable.max(segment.base)).next_multiple_of(8);
        recovery.damaged.push(Lsn(segment.base)..Lsn(end));
        return Ok(end);
    };
    Ok(next)
}

/// Sorts out what a scan of the last segment found; writes and syncs what is kept but not proven durable.
fn settle_tail(
    segment: &Segment,
    scan: &Scan,
    clean: Option<CleanMark>,
    recovery: &mut Recovery,
) -> io::Result<u64> {
    let proven = clean.map_or(scan.proven, |clean| scan.proven.max(clean.durable)).min(scan.end);
    for gap in scan.gaps.iter().filter(|gap| gap.start < scan.end) {
        let range = lsn_range(gap, scan.end);
        if gap.start < proven { recovery.damaged.push(range) } else { recovery.unproven.push(range) }
    }
    recovery.torn_bytes = scan.recognised.saturating_sub(scan.end).max(torn_page_bytes(segment, scan.end)?);
    // The page cache may hold what a failed sync never brought to the disk: only a fresh write helps.
    let mut block = vec![0; 1 << 20];
    let mut at = proven;
    while at < scan.end {
        let len = block.len().min((scan.end - at) as usize);
        let offset = SEGMENT_HEADER_LEN + (at - segment.base);
        let read = read_full_at(&*segment.file, &mut block[..len], offset)?;
        if read == 0 {
            break;
        }
        write_all_at(&*segment.file, &block[..read], offset)?;
        at += read as u64;
    }
    segment.file.sync_data()?;
    Ok(scan.end)
}

/// Bytes behind the journal's end, within its last page, that are not the zeros that the last group left there.
fn torn_page_bytes(segment: &Segment, end: u64) -> io::Result<u64> {
    let offset = SEGMENT_HEADER_LEN + (end - segment.base);
    let mut page = [0; 4_096];
    let len = (offset.next_multiple_of(4_096) - offset) as usize;
    let read = read_full_at(&*segment.file, &mut page[..len], offset)?;
    Ok(page[..read].iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1))
}

fn lsn_range(range: &Range<u64>, end_max: u64) -> Range<Lsn> {
    Lsn(range.start)..Lsn(range.end.min(end_max))
}

/// Removes the `clean` file: from now on the journal is in use. Must follow the creation of a new segment where
/// recovery asked for one, and precede the first append.
pub(crate) fn mark_in_use(segments: &Segments) -> io::Result<()> {
    if segments.fs.list(&segments.dir)?.iter().any(|(name, _)| name == CLEAN_NAME) {
        segments.fs.remove(&segments.dir.join(CLEAN_NAME))?;
    }
    segments.fs.sync_dir(&segments.dir)
}

/// Writes the `clean` file durably.
pub(crate) fn mark_clean(
    segments: &Segments,
    header: SegmentHeader,
    durable: u64,
    totals: Totals,
) -> io::Result<()> {
    let mark = CleanMark { segment_id: header.id, durable, totals };
    let temporary = segments.dir.join("clean.tmp");
    if segments.fs.list(&segments.dir)?.iter().any(|(name, _)| name == "clean.tmp") {
        segments.fs.remove(&temporary)?;
    }
    let file = segments.fs.create(&temporary)?;
    write_all_at(&*file, &mark.bytes(), 0)?;
    file.sync_data()?;
    segments.fs.rename(&temporary, &segments.dir.join(CLEAN_NAME))?;
    segments.fs.sync_dir(&segments.dir)
}
