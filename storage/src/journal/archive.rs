//! Turns segments that every consumer has passed into raw blocks, then lets them go. While somebody copies the journal
//! ([`RELEASE_LOCK`]) none is let go.
//!
//! Runs at the lowest priority. A segment is let go only when its raw files are on stable storage under their names;
//! one with unreadable ranges is set aside instead of being reused.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use motorpool_protocols::UtcMillis;

use super::chunk::{ChunkBuf, Item};
use super::format::{Parsed, SEGMENT_HEADER_LEN, parse};
use super::fs::{Fs, read_full_at};
use super::handle::Shared;
use super::raw::{RawWriter, day_name};
use super::segments::Segment;
use crate::priority::step_back;

/// Segments at the end of the journal that stay in any case.
const SEGMENTS_KEPT: usize = 2;

/// The file in the journal's folder that is locked by whoever lets segments go, or must not have them go.
pub(crate) const RELEASE_LOCK: &str = "release.lock";

/// The body of the archive thread.
pub(crate) fn run(shared: &Arc<Shared>) {
    step_back(19);
    loop {
        if let Err(error) = step(shared) {
            shared.counters.archive_failures.fetch_add(1, Relaxed);
            tracing::warn!(%error, "a segment could not be archived; it stays in the journal");
        }
        if !shared.archive.wait(shared.disk_poll) {
            return;
        }
    }
}

/// Archives and releases what can be.
pub(crate) fn step(shared: &Shared) -> io::Result<()> {
    let Some(consumed) = shared.consumed() else { return Ok(()) };
    let Some(_release) = lock_release(&*shared.segments.fs, &shared.segments.dir)? else { return Ok(()) };
    let segments = shared.segments.all();
    for pair in segments.windows(2).take(segments.len().saturating_sub(SEGMENTS_KEPT)) {
        let [segment, next] = pair else { continue };
        if next.base > consumed.0 || shared.archive.is_stopped() {
            break;
        }
        let whole = archive(&*shared.segments.fs, &shared.raw_dir, segment, next.base)?;
        if whole {
            shared.segments.release(segment)?;
        } else {
            shared.segments.set_aside(segment)?;
        }
        shared.counters.released_segments.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// The right to let segments go; `None` while somebody copies the journal.
fn lock_release(fs: &dyn Fs, dir: &Path) -> io::Result<Option<Box<dyn Debug + Send + Sync>>> {
    match fs.lock(&dir.join(RELEASE_LOCK)) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// A record of the segment that is being archived.
#[derive(Clone, Copy, Debug)]
struct Place {
    device: u32,
    len: u32,
    lsn: u64,
}

/// Writes the raw files of a segment that ends at `end`; false when parts of it could not be read.
fn archive(fs: &dyn Fs, raw_dir: &Path, segment: &Segment, end: u64) -> io::Result<bool> {
    let mut days: BTreeMap<i64, Vec<Place>> = BTreeMap::new();
    let mut gaps = Vec::new();
    let mut chunk = ChunkBuf::new(segment.base);
    while chunk.at() < end {
        if chunk.fill(segment, end).is_err() {
            continue; // the third attempt succeeds with what can be read
        }
        for item in chunk.items() {
            match item {
                Item::Batch(batch) => {
                    let header = &batch.header;
                    let day = UtcMillis(header.received_at_ms).day();
                    let place = Place { device: header.device, len: header.len as u32, lsn: batch.lsn };
                    days.entry(day).or_default().push(place);
                }
                Item::Gap { from, to } => gaps.push(*from..*to),
                Item::Commit { .. } => {}
            }
        }
    }
    drop(chunk);
    for (day, mut places) in days {
        let first = places.first().map_or(segment.base, |place| place.lsn);
        places.sort_unstable_by_key(|place| (place.device, place.lsn));
        write_day(fs, &raw_dir.join(day_name(day)), first, segment, &places, &gaps)?;
    }
    Ok(gaps.is_empty())
}

fn write_day(
    fs: &dyn Fs,
    folder: &Path,
    first: u64,
    segment: &Segment,
    places: &[Place],
    gaps: &[Range<u64>],
) -> io::Result<()> {
    fs.create_dir(folder)?;
    let temporary = folder.join(format!("{first:016x}.tmp"));
    let file = match fs.create(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs.remove(&temporary)?;
            fs.create(&temporary)?
        }
        other => other?,
    };
    let mut writer = RawWriter::new(file)?;
    let mut record = Vec::new();
    let segment_id = segment.header.map_or(0, |header| header.id);
    for place in places {
        let len = (place.len as usize).next_multiple_of(8);
        record.resize(len, 0);
        read_full_at(&*segment.file, &mut record, SEGMENT_HEADER_LEN + (place.lsn - segment.base))?;
        let Parsed::Record(_) = parse(&record, place.lsn, segment_id, len as u64) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a record changed while it was archived"));
        };
        writer.add(place.lsn, &record[..place.len as usize])?;
    }
    writer.finish(gaps)?;
    fs.rename(&temporary, &folder.join(format!("{first:016x}.raw")))?;
    fs.sync_dir(folder)
}
