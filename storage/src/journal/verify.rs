//! Looking at a journal from outside: every checksum, marker and border, without changing a byte.
//!
//! Works on the folder of a stopped server or beside a running one. Knows nothing of terminals or printing.

use std::collections::VecDeque;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use motorpool_protocols::UtcMillis;

use super::chunk::{ChunkBuf, Item};
use super::format::SEGMENT_HEADER_LEN;
use super::fs::RealFs;
use super::handle::JournalError;
use super::reader::Event;
use super::recovery::{Found, Scan, find, scan};
use super::segments::{Segment, Segments};
use super::{Gap, GapKind, raw};
use crate::ids::Lsn;

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Segments in the journal.
    pub segments: usize,
    /// Records that check out.
    pub records: u64,
    /// Messages in them.
    pub messages: u64,
    /// The oldest address.
    pub begin: Lsn,
    /// The address behind the last commit marker.
    pub end: Lsn,
    /// Whether the journal was closed in order; if not, the next start will cut what follows `end`.
    pub clean: bool,
    /// Ranges of groups that were being written when the machine stopped. Not a fault.
    pub torn: Vec<Range<Lsn>>,
    /// What is wrong, by address; raw blocks last.
    pub problems: Vec<Problem>,
    /// The raw archive beside the journal.
    pub raw: raw::Report,
}

/// Something that does not check out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// The addresses concerned, if any are.
    pub range: Option<Range<Lsn>>,
    /// What is wrong.
    pub reason: &'static str,
}

/// The journal folder in or at `dir`: the data folder or the journal folder itself.
fn journal_dir(dir: &Path) -> Result<PathBuf, JournalError> {
    let inner = dir.join("journal");
    for candidate in [inner.as_path(), dir] {
        let holds_segments = std::fs::read_dir(candidate).is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry.is_ok_and(|entry| entry.path().extension().is_some_and(|extension| extension == "seg"))
            })
        });
        if holds_segments {
            return Ok(candidate.to_owned());
        }
    }
    let source = io::Error::new(io::ErrorKind::NotFound, "no journal segments here");
    Err(JournalError::Io { path: dir.to_owned(), source })
}

/// The raw archive of the data (or journal) folder `dir`.
///
/// # Errors
/// When there is no journal.
pub fn raw_dir(dir: &Path) -> Result<PathBuf, JournalError> {
    let journal = journal_dir(dir)?;
    Ok(journal.parent().unwrap_or(&journal).join("raw"))
}

fn open(dir: &Path) -> Result<(PathBuf, Found), JournalError> {
    let dir = journal_dir(dir)?;
    let segments = Segments::new(Arc::new(RealFs), &dir, 0, 0);
    let found = find(&segments)?;
    Ok((dir, found))
}

/// Checks the journal of the data (or journal) folder `dir`, and the raw archive beside it, to the last byte.
///
/// # Errors
/// When there is no journal, its format is unknown, or files can't be read at all.
pub fn verify(dir: &Path) -> Result<Verified, JournalError> {
    let (dir, found) = open(dir)?;
    let mut verified = Verified { segments: found.segments.len(), ..Verified::default() };
    verified.begin = Lsn(found.segments.first().map_or(0, |segment| segment.base));
    for path in &found.half_headers {
        let reason = "one of two copies of the segment header";
        verified.problems.push(Problem { path: path.clone(), offset: 0, range: None, reason });
    }
    let mut before: Option<(&Segment, Scan)> = None;
    for (index, segment) in found.segments.iter().enumerate() {
        let next = found.segments.get(index + 1).map(|next| &**next);
        let scan = scan(segment, next.map(|next| next.base))
            .map_err(|source| JournalError::Io { path: segment.path.clone(), source })?;
        verified.records += scan.records;
        verified.messages += scan.messages;
        verified.end = Lsn(next.map_or(scan.end, |next| next.base));
        check_border(before.as_ref(), segment, &mut verified);
        check_segment(segment, next, &scan, &found, &mut verified);
        before = Some((segment, scan));
    }
    check_end(&found, &mut verified);
    let raw_dir = raw_dir(&dir)?;
    let all = UtcMillis(i64::MIN)..=UtcMillis(i64::MAX);
    verified.raw = raw::read(&raw_dir, None, all, &mut |_| {})
        .map_err(|source| JournalError::Io { path: raw_dir, source })?;
    verified.problems.sort_by_key(|problem| problem.range.as_ref().map(|range| range.start));
    verified.problems.extend(verified.raw.damaged.iter().map(|damage| Problem {
        path: damage.path.clone(),
        offset: damage.offset,
        range: None,
        reason: damage.reason,
    }));
    Ok(verified)
}

fn problem(segment: &Segment, range: &Range<u64>, reason: &'static str) -> Problem {
    Problem {
        path: segment.path.clone(),
        offset: SEGMENT_HEADER_LEN + range.start.saturating_sub(segment.base),
        range: Some(Lsn(range.start)..Lsn(range.end)),
        reason,
    }
}

/// Holds a segment against the one before it.
fn check_border(before: Option<&(&Segment, Scan)>, segment: &Segment, verified: &mut Verified) {
    let (Some((previous, scan)), Some(header)) = (before, segment.header) else { return };
    let Some(previous_header) = previous.header else { return };
    let range = scan.end..segment.base;
    if header.previous_id != previous_header.id {
        // The range itself was named as unreadable already, unless it is empty.
        if range.is_empty() {
            verified.problems.push(problem(segment, &(segment.base..segment.base), "segment order"));
        }
    } else if scan.gaps.is_empty() && range.is_empty() && scan.totals != header.totals {
        verified.problems.push(problem(
            segment,
            &(segment.base..segment.base),
            "totals of the segment header",
        ));
    }
}

fn check_segment(
    segment: &Segment,
    next: Option<&Segment>,
    scan: &Scan,
    found: &Found,
    verified: &mut Verified,
) {
    let end = next.map_or(scan.end, |next| next.base);
    let proven = match next {
        Some(next) => next.previous_proven(),
        None => found.clean.map_or(scan.proven, |clean| clean.durable.max(scan.proven)),
    };
    for gap in scan.gaps.iter().filter(|gap| gap.start < end) {
        let gap = gap.start..gap.end.min(end);
        if gap.start >= proven {
            verified.torn.push(Lsn(gap.start)..Lsn(gap.end));
        } else {
            let reason = if segment.header.is_none() { "segment header" } else { "record checksum" };
            verified.problems.push(problem(segment, &gap, reason));
        }
    }
    for group in &scan.broken_chains {
        verified.problems.push(problem(segment, group, "commit marker does not fit its group"));
    }
}

/// Holds the end of the journal against the mark of an orderly stop.
fn check_end(found: &Found, verified: &mut Verified) {
    let Some(clean) = found.clean else { return };
    verified.clean = verified.end.0 >= clean.durable;
    if verified.end.0 < clean.durable
        && let Some(last) = found.segments.last()
    {
        verified.problems.push(problem(last, &(verified.end.0..clean.durable), "end is missing"));
    }
}

/// Gives `visit` every record and gap of the journal in the data (or journal) folder `dir`, from the segment on that
/// holds address `from`, up to the last commit marker, until it breaks.
///
/// # Errors
/// As [`verify`].
pub fn each_event(
    dir: &Path,
    from: Lsn,
    visit: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let (_, found) = open(dir)?;
    let mut segments: VecDeque<_> = found.segments.into();
    while segments.get(1).is_some_and(|second| second.base <= from.0) {
        segments.pop_front();
    }
    while let Some(segment) = segments.pop_front() {
        let io = |source| JournalError::Io { path: segment.path.clone(), source };
        let next = segments.front();
        let limit = match next {
            Some(next) => next.base,
            None => scan(&segment, None).map_err(io)?.end,
        };
        let torn_from = next.map_or(u64::MAX, |next| next.previous_proven());
        let mut chunk = ChunkBuf::new(segment.base);
        while chunk.at() < limit {
            if chunk.fill(&segment, limit).is_err() {
                continue; // the third attempt succeeds with what can be read
            }
            for item in chunk.items() {
                let event = match item {
                    Item::Batch(batch) => Event::Entry(chunk.entry(batch)),
                    Item::Gap { from, to } => {
                        let kind = if *from >= torn_from { GapKind::Torn } else { GapKind::Damaged };
                        Event::Gap(Gap { from: Lsn(*from), to: Lsn(*to), kind })
                    }
                    Item::Commit { .. } => continue,
                };
                let behind = match &event {
                    Event::Entry(entry) => entry.end,
                    Event::Gap(gap) => gap.to,
                };
                if behind > from && visit(event).is_break() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
