//! The queue on disk of one superior platform: positions that it has not confirmed yet.
//!
//! Append-only files, each named by the number of its first position, every position under a checksum ([`record`]).
//! The tail that a crash has torn is cut when the queue is opened; the journal still has what stood there. A file goes
//! when every position in it is confirmed, or when the queue is full and it is the oldest: that is counted. A small
//! file beside them (`cursor`) says how far the journal was followed and how far the platform has confirmed; it lags
//! behind, and costs after a crash only that positions are read or sent again.
//!
//! It knows neither sockets nor the journal. It blocks: call it from threads that may.

mod record;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub(super) use self::record::{Entry, Origin, Waiting};
use self::record::{Parsed, RECORD_BYTES_MAX};
use crate::ids::Lsn;

/// Files that a full queue consists of.
const FILES_MAX: u64 = 8;
/// How often the cursor is written.
const CURSOR_EVERY: Duration = Duration::from_secs(5);
/// Read at a time.
const READ_BYTES: usize = 4 * RECORD_BYTES_MAX;
/// How the names of queue files end.
const SUFFIX: &str = ".queue";

/// A queue, shared between the one that fills it and the one that empties it.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Rung when there is something new.
    news: Notify,
}

#[derive(Debug)]
struct State {
    folder: PathBuf,
    file_bytes_max: u64,
    /// Oldest first; the last is written to.
    files: VecDeque<QueueFile>,
    /// The file that is written to, once something was.
    tail: Option<File>,
    /// The number of the next position.
    next: u64,
    /// The last position that was appended.
    last: Option<Origin>,
    cursor: Cursor,
    saved: (Cursor, Instant),
    dropped: u64,
    damaged_files: u64,
}

/// One file: the number of its first position, and its length.
#[derive(Clone, Copy, Debug)]
struct QueueFile {
    first: u64,
    bytes: u64,
}

/// How far things are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    /// The journal was followed up to here.
    followed: Lsn,
    /// Positions up to this number are confirmed.
    confirmed: u64,
}

/// What a queue has done since it was opened, and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QueueCounts {
    /// Positions that are not confirmed.
    pub(super) waiting: u64,
    /// Positions dropped because the queue was full.
    pub(super) dropped: u64,
    /// Files of which a part could not be read.
    pub(super) damaged_files: u64,
}

/// Where the next position is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// The next number.
    number: u64,
    /// The file, by its first number, and where to read on in it.
    file: u64,
    offset: u64,
}

impl Queue {
    /// Opens the queue in `folder`, which holds at most about `bytes_max`. A new one follows the journal from `start`.
    pub(super) fn open(folder: &Path, bytes_max: usize, start: Lsn) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let cursor = read_cursor(&folder.join("cursor"))?;
        let mut state = State {
            folder: folder.to_owned(),
            file_bytes_max: (bytes_max as u64 / FILES_MAX).max(RECORD_BYTES_MAX as u64),
            files: files_in(folder)?,
            tail: None,
            next: 1,
            last: None,
            cursor: cursor.unwrap_or(Cursor { followed: start, confirmed: 0 }),
            saved: (Cursor::default(), Instant::now()),
            dropped: 0,
            damaged_files: 0,
        };
        state.find_tail()?;
        state.save_cursor()?;
        Ok(Self { state: Mutex::new(state), news: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is on disk is found again by its checksums, whatever happened in between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last position in it, and the address up to which the journal was followed: what is not behind both is in
    /// the queue, or was not for it.
    pub(super) fn followed(&self) -> (Option<Origin>, Lsn) {
        let state = self.state();
        (state.last, state.cursor.followed)
    }

    /// The address from which the journal must be read again after a crash at this moment.
    pub(super) fn safe(&self) -> Lsn {
        let state = self.state();
        state.last.map_or(state.saved.0.followed, |last| last.lsn.max(state.saved.0.followed))
    }

    /// Appends positions, makes them durable, and notes that the journal is followed up to `followed`. Returns how
    /// many have no form.
    pub(super) fn append(&self, entries: &[Entry], followed: Lsn) -> io::Result<u64> {
        let mut state = self.state();
        let unfit = if entries.is_empty() { 0 } else { state.append(entries)? };
        state.cursor.followed = state.cursor.followed.max(followed);
        state.save_cursor_when_due()?;
        drop(state);
        if !entries.is_empty() {
            self.news.notify_one();
        }
        Ok(unfit)
    }

    /// Waits for something new since the last call.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// The first position that is not confirmed.
    pub(super) fn first(&self) -> Place {
        Place { number: self.state().cursor.confirmed.saturating_add(1), file: 0, offset: 0 }
    }

    /// The next positions from `place` on, which moves behind them; none at the end.
    pub(super) fn read(&self, place: &mut Place) -> io::Result<Vec<Waiting>> {
        self.state().read(place)
    }

    /// Notes that everything up to a number is confirmed, and deletes what nobody needs.
    pub(super) fn confirm(&self, up_to: u64) -> io::Result<()> {
        let mut state = self.state();
        state.cursor.confirmed = state.cursor.confirmed.max(up_to);
        while let (Some(oldest), Some(second)) = (state.files.front().copied(), state.files.get(1))
            && second.first <= state.cursor.confirmed + 1
        {
            state.remove(oldest)?;
        }
        state.save_cursor_when_due()
    }

    /// Writes down how far things are.
    pub(super) fn save(&self) -> io::Result<()> {
        self.state().save_cursor()
    }

    pub(super) fn counts(&self) -> QueueCounts {
        let state = self.state();
        QueueCounts {
            waiting: state.next.saturating_sub(state.cursor.confirmed + 1),
            dropped: state.dropped,
            damaged_files: state.damaged_files,
        }
    }
}

impl State {
    fn path(&self, first: u64) -> PathBuf {
        self.folder.join(format!("{first:020}{SUFFIX}"))
    }

    /// Looks for the last whole position, and cuts what stands behind it.
    fn find_tail(&mut self) -> io::Result<()> {
        self.next = self.cursor.confirmed + 1;
        for (from_last, file) in self.files.iter_mut().rev().enumerate() {
            let path = self.folder.join(format!("{:020}{SUFFIX}", file.first));
            let bytes = fs::read(&path)?;
            let mut at = 0;
            while let Parsed::Record(waiting, origin, length) = record::parse(bytes.get(at..).unwrap_or(&[]))
            {
                self.next = self.next.max(waiting.queued.number + 1);
                self.last = Some(origin);
                at += length;
            }
            if from_last == 0 && at < bytes.len() {
                tracing::warn!(file = %path.display(), bytes = bytes.len() - at, "a torn tail was cut");
                let torn = OpenOptions::new().write(true).open(&path)?;
                torn.set_len(at as u64)?;
                torn.sync_all()?;
                file.bytes = at as u64;
            }
            if self.last.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn append(&mut self, entries: &[Entry]) -> io::Result<u64> {
        let mut unfit = 0;
        let mut bytes = Vec::new();
        let mut next = self.next;
        for entry in entries {
            let before = bytes.len();
            match record::encode(next, entry, &mut bytes) {
                Ok(()) => next += 1,
                Err(_) => {
                    bytes.truncate(before);
                    unfit += 1;
                }
            }
        }
        let written = self.write(&bytes);
        if let Err(error) = written {
            self.cut_back();
            return Err(error);
        }
        self.next = next;
        self.last = entries.last().map(|entry| entry.origin);
        Ok(unfit)
    }

    /// Writes to the last file, or to a new one when that is full.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.tail.is_none() || self.files.back().is_none_or(|file| file.bytes >= self.file_bytes_max) {
            self.roll()?;
        }
        let (Some(tail), Some(file)) = (&mut self.tail, self.files.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        tail.write_all(bytes)?;
        tail.sync_data()?;
        file.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Opens the last file again, or begins a new one; the oldest go when there are too many.
    fn roll(&mut self) -> io::Result<()> {
        let reusable =
            self.files.back().filter(|file| file.bytes < self.file_bytes_max && self.tail.is_none());
        let first = reusable.map_or(self.next, |file| file.first);
        let is_new = reusable.is_none() && self.files.back().is_none_or(|file| file.first != first);
        self.tail = Some(OpenOptions::new().append(true).create(true).open(self.path(first))?);
        File::open(&self.folder)?.sync_all()?;
        if is_new {
            self.files.push_back(QueueFile { first, bytes: 0 });
        }
        while self.files.len() as u64 > FILES_MAX
            && let (Some(oldest), Some(second)) = (self.files.front().copied(), self.files.get(1))
        {
            let kept_from = oldest.first.max(self.cursor.confirmed + 1);
            let dropped = second.first.saturating_sub(kept_from);
            self.dropped += dropped;
            tracing::warn!(queue = %self.folder.display(), dropped, "the queue is full: the oldest positions are dropped");
            self.remove(oldest)?;
        }
        Ok(())
    }

    /// Takes back what a failed write may have left, so that the next one does not stand behind it.
    fn cut_back(&mut self) {
        if let (Some(tail), Some(file)) = (self.tail.take(), self.files.back())
            && let Err(error) = tail.set_len(file.bytes)
        {
            tracing::error!(%error, queue = %self.folder.display(), "a failed write can't be taken back");
        }
    }

    fn remove(&mut self, file: QueueFile) -> io::Result<()> {
        fs::remove_file(self.path(file.first))?;
        self.files.retain(|kept| kept.first != file.first);
        Ok(())
    }

    fn read(&mut self, place: &mut Place) -> io::Result<Vec<Waiting>> {
        loop {
            // The file that holds the number, or the first behind it.
            let holds = self.files.iter().rev().find(|file| file.first <= place.number);
            let Some(file) = holds.or_else(|| self.files.front()).copied() else { return Ok(Vec::new()) };
            if file.first != place.file {
                (place.file, place.offset) = (file.first, 0);
                place.number = place.number.max(file.first);
            }
            let (found, is_damaged) = self.read_file(file, place)?;
            if !found.is_empty() {
                return Ok(found);
            }
            let next = self.files.iter().find(|next| next.first > file.first).map(|next| next.first);
            if is_damaged {
                self.damaged_files += 1;
                tracing::error!(queue = %self.folder.display(), file = file.first, "a queue file is damaged");
            }
            match next {
                Some(first) => place.number = first,
                None => return Ok(Vec::new()),
            }
        }
    }

    /// The positions of one file from `place` on, as many as one read holds, and whether something else is there.
    fn read_file(&self, file: QueueFile, place: &mut Place) -> io::Result<(Vec<Waiting>, bool)> {
        let open = File::open(self.path(file.first))?;
        let mut found = Vec::new();
        while found.is_empty() && place.offset < file.bytes {
            let left = usize::try_from(file.bytes - place.offset).unwrap_or(READ_BYTES);
            let mut bytes = vec![0; left.min(READ_BYTES)];
            open.read_exact_at(&mut bytes, place.offset)?;
            let mut at = 0;
            while let Parsed::Record(waiting, _, length) = record::parse(bytes.get(at..).unwrap_or(&[])) {
                at += length;
                if waiting.queued.number >= place.number {
                    place.number = waiting.queued.number + 1;
                    found.push(*waiting);
                }
            }
            place.offset += at as u64;
            if at == 0 {
                return Ok((found, true));
            }
        }
        Ok((found, false))
    }

    fn save_cursor_when_due(&mut self) -> io::Result<()> {
        let (saved, at) = self.saved;
        if saved == self.cursor || at.elapsed() < CURSOR_EVERY { Ok(()) } else { self.save_cursor() }
    }

    fn save_cursor(&mut self) -> io::Result<()> {
        let fresh = self.folder.join("cursor.tmp");
        let mut file = File::create(&fresh)?;
        file.write_all(&self.cursor.bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, self.folder.join("cursor"))?;
        File::open(&self.folder)?.sync_all()?;
        self.saved = (self.cursor, Instant::now());
        Ok(())
    }
}

impl Cursor {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = [self.followed.0.to_le_bytes(), self.confirmed.to_le_bytes()].concat();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (followed, rest) = bytes.split_first_chunk::<8>()?;
        let (confirmed, _) = rest.split_first_chunk::<8>()?;
        let cursor =
            Self { followed: Lsn(u64::from_le_bytes(*followed)), confirmed: u64::from_le_bytes(*confirmed) };
        (cursor.bytes() == bytes).then_some(cursor)
    }
}

/// The cursor in a file; `None` when there is none yet.
fn read_cursor(path: &Path) -> io::Result<Option<Cursor>> {
    match fs::read(path) {
        Ok(bytes) => Cursor::parse(&bytes).map(Some).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged", path.display()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn files_in(folder: &Path) -> io::Result<VecDeque<QueueFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let first =
            name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|name| name.parse().ok());
        if let Some(first) = first {
            files.push(QueueFile { first, bytes: entry.metadata()?.len() });
        }
    }
    files.sort_by_key(|file| file.first);
    Ok(files.into())
}
