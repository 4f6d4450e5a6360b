//! The segment files: which there are, how one comes to be and how it is let go.
//!
//! A segment becomes part of the journal in this order: header written, file synced, moved to its name, folder
//! synced, only then used. Nothing here looks at records.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::format::{HeaderBlock, SEGMENT_HEADER_LEN, SegmentHeader};
use super::fs::{File, Fs, read_full_at, write_all_at};

/// Bytes written and synced at one time when a spare is prepared, so that this never holds up the writer's own sync
/// for long.
const PREPARE_BLOCK_LEN: usize = 1 << 20;

/// A segment that can be read.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The address of its first byte.
    pub(crate) base: u64,
    /// Its header, or `None` when that is unreadable and with it the whole segment.
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) file: Arc<dyn File>,
    pub(crate) path: PathBuf,
    /// Whether all of its bytes were written before it was taken into use.
    pub(crate) prepared: bool,
    released: AtomicBool,
    reusable: AtomicBool,
}

impl Segment {
    pub(crate) fn new(
        base: u64,
        header: Option<SegmentHeader>,
        file: Arc<dyn File>,
        path: PathBuf,
        prepared: bool,
    ) -> Self {
        Self {
            base,
            header,
            file,
            path,
            prepared,
            released: AtomicBool::new(false),
            reusable: AtomicBool::new(true),
        }
    }

    /// What is unreadable in the segment before, from this address on, was never proven durable.
    pub(crate) fn previous_proven(&self) -> u64 {
        self.header.map_or(self.base, |header| header.previous_proven)
    }

    /// Whether the file has been given up, so that its content may be another segment's by now.
    pub(crate) fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// Says that the file must not serve again after a write or sync on it failed.
    pub(crate) fn forbid_reuse(&self) {
        self.reusable.store(false, Ordering::Release);
    }
}

/// A file that is ready to become a segment.
#[derive(Debug)]
struct Spare {
    path: PathBuf,
    file: Arc<dyn File>,
}

#[derive(Debug, Default)]
struct Spares {
    ready: Vec<Spare>,
    next_number: u64,
}

/// All segments of one journal.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) dir: PathBuf,
    /// Length of a segment file in bytes.
    pub(crate) size: u64,
    spares_max: usize,
    live: RwLock<BTreeMap<u64, Arc<Segment>>>,
    spares: Mutex<Spares>,
}

/// The file name of the segment that begins at `base`.
pub(crate) fn segment_name(base: u64) -> String {
    format!("{base:016x}.seg")
}

/// The base in a segment's file name.
pub(crate) fn base_of_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    if digits.len() != 16 || digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// Reads the header block of a file.
pub(crate) fn read_header(file: &dyn File) -> io::Result<HeaderBlock> {
    let mut block = vec![0; SEGMENT_HEADER_LEN as usize];
    let read = read_full_at(file, &mut block, 0)?;
    Ok(SegmentHeader::read(&block[..read]))
}

impl Segments {
    pub(crate) fn new(fs: Arc<dyn Fs>, dir: &Path, size: u64, spares_max: usize) -> Self {
        Self { fs, dir: dir.to_owned(), size, spares_max, live: RwLock::default(), spares: Mutex::default() }
    }

    fn spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a segment that recovery found, or that was created.
    pub(crate) fn insert(&self, segment: Arc<Segment>) {
        self.live.write().unwrap_or_else(PoisonError::into_inner).insert(segment.base, segment);
    }

    /// All segments by their base.
    pub(crate) fn all(&self) -> Vec<Arc<Segment>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How many segments there are.
    pub(crate) fn count(&self) -> usize {
        self.live.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many spares are ready.
    pub(crate) fn spare_count(&self) -> usize {
        self.spares().ready.len()
    }

    /// The segment that holds address `lsn`, and the one that follows it; before the oldest segment, `Err` with the
    /// oldest base.
    pub(crate) fn find(&self, lsn: u64) -> Result<(Arc<Segment>, Option<Arc<Segment>>), u64> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let next = live.range(lsn.saturating_add(1)..).next().map(|(_, segment)| Arc::clone(segment));
        match live.range(..=lsn).next_back() {
            Some((_, segment)) => Ok((Arc::clone(segment), next)),
            None => Err(next.map_or(lsn, |next| next.base)),
        }
    }

    /// Makes a segment that begins at `header.base`, durably, from a spare if one is ready.
    ///
    /// # Errors
    /// When any step fails; the file is left behind as a spare that is never used.
    pub(crate) fn create(&self, header: SegmentHeader) -> io::Result<Arc<Segment>> {
        let spare = self.spares().ready.pop();
        let prepared = spare.is_some();
        let spare = match spare {
            Some(spare) => spare,
            None => self.new_spare_file()?,
        };
        let path = self.dir.join(segment_name(header.base));
        write_all_at(&*spare.file, &header.block(), 0)?;
        spare.file.sync_data()?;
        self.fs.rename(&spare.path, &path)?;
        self.fs.sync_dir(&self.dir)?;
        let segment = Arc::new(Segment::new(header.base, Some(header), spare.file, path, prepared));
        self.insert(Arc::clone(&segment));
        Ok(segment)
    }

    fn new_spare_file(&self) -> io::Result<Spare> {
        let number = {
            let mut spares = self.spares();
            spares.next_number += 1;
            spares.next_number
        };
        let path = self.dir.join(format!("spare-{number}.tmp"));
        let file = self.fs.create(&path)?;
        Ok(Spare { path, file })
    }

    /// Takes over the spares that an earlier life left; files of another length are removed.
    pub(crate) fn adopt_spares(&self, files: &[(String, u64)]) -> io::Result<()> {
        for (name, len) in files {
            let Some(number) = name.strip_prefix("spare-").and_then(|rest| rest.strip_suffix(".tmp")) else {
                continue;
            };
            let path = self.dir.join(name);
            let number = number.parse::<u64>().unwrap_or(0);
            let mut spares = self.spares();
            spares.next_number = spares.next_number.max(number);
            if *len == self.size && spares.ready.len() < self.spares_max.max(1) {
                let file = self.fs.open(&path)?;
                spares.ready.push(Spare { path, file });
            } else {
                drop(spares);
                self.fs.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Prepares one spare: writes every byte once and syncs, so that later syncs need not touch metadata. After each
    /// block `go_on` is told how long that took; it may pause, and ends the work with false.
    ///
    /// # Errors
    /// When the disk is full or broken; what was begun is removed again.
    pub(crate) fn prepare_spare(&self, go_on: &mut dyn FnMut(Duration) -> bool) -> io::Result<()> {
        let spare = self.new_spare_file()?;
        let zeros = vec![0; PREPARE_BLOCK_LEN.min(usize::try_from(self.size).unwrap_or(usize::MAX))];
        let mut fill = || {
            let mut at = 0;
            while at < self.size {
                let begun = Instant::now();
                let len = (self.size - at).min(zeros.len() as u64);
                write_all_at(&*spare.file, &zeros[..len as usize], at)?;
                spare.file.sync_data()?;
                at += len;
                if at < self.size && !go_on(begun.elapsed()) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let filled = fill();
        if matches!(filled, Ok(true)) {
            self.spares().ready.push(spare);
        } else if let Err(error) = self.fs.remove(&spare.path) {
            tracing::debug!(%error, "an unfinished spare segment stays behind");
        }
        filled.map(drop)
    }

    /// Takes a segment out of the journal whose content is safe elsewhere as far as it can be read, and keeps the file
    /// under another name for whoever wants to look at the rest.
    pub(crate) fn set_aside(&self, segment: &Segment) -> io::Result<()> {
        self.give_up(segment, |fs| fs.rename(&segment.path, &segment.path.with_extension("bad")))
    }

    /// Lets a segment go whose content is safe elsewhere: kept as a spare if it may serve again.
    pub(crate) fn release(&self, segment: &Segment) -> io::Result<()> {
        let fits = segment.reusable.load(Ordering::Acquire) && segment.file.len()? == self.size;
        let number = {
            let mut spares = self.spares();
            spares.next_number += 1;
            (fits && spares.ready.len() < self.spares_max).then_some(spares.next_number)
        };
        let Some(number) = number else { return self.give_up(segment, |fs| fs.remove(&segment.path)) };
        let path = self.dir.join(format!("spare-{number}.tmp"));
        self.give_up(segment, |fs| fs.rename(&segment.path, &path))?;
        self.spares().ready.push(Spare { path, file: Arc::clone(&segment.file) });
        Ok(())
    }

    /// Removes or moves a segment's file; it stays in the journal if that fails, so that segments always go in their
    /// order.
    fn give_up(&self, segment: &Segment, change: impl FnOnce(&dyn Fs) -> io::Result<()>) -> io::Result<()> {
        segment.released.store(true, Ordering::Release);
        if let Err(error) = change(&*self.fs) {
            segment.released.store(false, Ordering::Release);
            return Err(error);
        }
        self.live.write().unwrap_or_else(PoisonError::into_inner).remove(&segment.base);
        self.fs.sync_dir(&self.dir)
    }
}
