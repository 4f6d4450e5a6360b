//! Copying the journal beside a running server, up to a group commit.
//!
//! Segments are reused in place once they are released, so neither a hard link nor an open file keeps their content.
//! [`Frozen`] therefore holds the lock under which the archive thread releases: appending goes on, but what is in the
//! journal when the lock is taken stays there until it is dropped. If the copying process dies, the system drops it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use motorpool_protocols::UtcMillis;

use super::archive::RELEASE_LOCK;
use super::chunk::{ChunkBuf, Item};
use super::format::SEGMENT_HEADER_LEN;
use super::fs::{Fs as _, RealFs};
use super::handle::JournalError;
use super::raw::day_of_name;
use super::recovery::find;
use super::segments::{Segment, Segments, base_of_name, segment_name};
use crate::ids::{DeviceId, Lsn};
use crate::room::Room;
use crate::tracks::pin::link;

/// A journal of which no segment is let go.
#[derive(Debug)]
pub struct Frozen {
    dir: PathBuf,
    _lock: File,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The oldest address.
    pub begin: Lsn,
    /// The address behind the last group commit that was copied.
    pub end: Lsn,
    /// When the latest message before it was received.
    pub last_received_at: UtcMillis,
}

impl Frozen {
    /// Waits until no segment is being let go in the data folder `data`, and sees to it that none is.
    ///
    /// # Errors
    /// When there is no journal, or it can't be locked.
    pub fn new(data: &Path) -> Result<Self, JournalError> {
        let dir = data.join("journal");
        let path = dir.join(RELEASE_LOCK);
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock));
        let lock = lock.map_err(|source| JournalError::Io { path, source })?;
        Ok(Self { dir, _lock: lock })
    }

    /// Bytes that a copy takes if nothing more is appended.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn bytes(&self) -> Result<u64, JournalError> {
        let files = RealFs.list(&self.dir);
        let files = files.map_err(|source| JournalError::Io { path: self.dir.clone(), source })?;
        Ok(files.iter().filter(|(name, _)| base_of_name(name).is_some()).map(|(_, bytes)| bytes).sum())
    }

    /// Copies the journal to the folder `to`, which is made, as far as it is committed now, and no further than the
    /// first group with a message of a device that `is_known` does not know. Leaves the room free that has to stay so.
    ///
    /// # Errors
    /// When the format is unknown or a file can't be read or written.
    pub fn copy_to(
        &self,
        to: &Path,
        is_known: &dyn Fn(DeviceId) -> bool,
        room: &Room,
    ) -> Result<Copied, JournalError> {
        let segments = Segments::new(Arc::new(RealFs), &self.dir, 0, 0);
        let found = find(&segments)?.segments;
        let io = |source| JournalError::Io { path: to.to_owned(), source };
        fs::create_dir_all(to).map_err(io)?;
        let mut copied =
            Copied { begin: Lsn(found.first().map_or(0, |first| first.base)), ..Copied::default() };
        copied.end = copied.begin;
        for (index, segment) in found.iter().enumerate() {
            let next = found.get(index + 1).map(|next| next.base);
            let failed = |source| JournalError::Io { path: segment.path.clone(), source };
            let part = committed(segment, next, is_known).map_err(failed)?;
            copied.end = Lsn(part.end);
            copied.last_received_at = copied.last_received_at.max(part.last_received_at);
            if part.end > segment.base || index == 0 {
                copy_segment(segment, part.end, to, room).map_err(failed)?;
            }
            if part.is_cut {
                break;
            }
        }
        File::open(to).and_then(|folder| folder.sync_all()).map_err(io)?;
        Ok(copied)
    }
}

/// Links (across file systems copies) every raw file of the data folder `data` into the new folder `to`. Files whose time is over
/// meanwhile are left out. Says how many there are. Copies leave the room free that has to stay so.
///
/// # Errors
/// When a folder can't be read or written.
pub fn pin_raw(data: &Path, to: &Path, room: &Room) -> io::Result<usize> {
    let raw = data.join("raw");
    let days = match RealFs.list_dirs(&raw) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut files = 0;
    for day in days.iter().filter(|day| day_of_name(day).is_some()) {
        let (from, folder) = (raw.join(day), to.join(day));
        for name in raw_names(&from)? {
            fs::create_dir_all(&folder)?;
            match link(&from.join(&name), &folder.join(&name), room) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => {
                    other?;
                    files += 1;
                }
            }
        }
    }
    Ok(files)
}

/// The raw files in the folder of a day; none when that went meanwhile because its time was over. Their lengths are not asked for: one of
/// them may go as well.
pub(super) fn raw_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
    Ok(names
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "raw"))
        .collect())
}

/// What of a segment is copied.
struct Part {
    end: u64,
    last_received_at: UtcMillis,
    /// Nothing behind it is.
    is_cut: bool,
}

fn committed(segment: &Segment, next: Option<u64>, is_known: &dyn Fn(DeviceId) -> bool) -> io::Result<Part> {
    let file_end = segment.base + segment.file.len()?.saturating_sub(SEGMENT_HEADER_LEN);
    let limit = next.unwrap_or(file_end / 8 * 8);
    let received_at_ms = segment.header.map_or(0, |header| header.totals.received_at_ms);
    let mut part = Part { end: segment.base, last_received_at: UtcMillis(received_at_ms), is_cut: false };
    let mut chunk = ChunkBuf::new(segment.base);
    while chunk.at() < limit {
        if chunk.fill(segment, limit).is_err() {
            continue; // the third attempt succeeds with what can be read
        }
        for item in chunk.items() {
            match item {
                Item::Batch(batch) if !is_known(DeviceId(batch.header.device)) => {
                    part.is_cut = true;
                    return Ok(part);
                }
                Item::Commit { end, commit, .. } => {
                    part.end = *end;
                    part.last_received_at = UtcMillis(commit.totals.received_at_ms);
                }
                Item::Batch(_) | Item::Gap { .. } => {}
            }
        }
    }
    // A sealed segment is copied whole: what of it can't be read is named as it is in the original.
    part.end = next.unwrap_or(part.end);
    Ok(part)
}

fn copy_segment(segment: &Segment, end: u64, to: &Path, room: &Room) -> io::Result<()> {
    let bytes = SEGMENT_HEADER_LEN + (end - segment.base);
    let mut source = room.reader(File::open(&segment.path)?.take(bytes));
    let mut copy = File::create(to.join(segment_name(segment.base)))?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()
}
