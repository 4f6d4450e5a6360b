//! Open files and their indexes, the least recently used closed first.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::error::TracksError;
use super::manifest::FileMeta;
use super::read::OpenFile;

/// Files open at one time.
const FILES_MAX: usize = 256;

/// Bytes of indexes kept.
const INDEX_BYTES_MAX: usize = 32 << 20;

/// The cache.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    files: FxHashMap<u64, Kept>,
    bytes: usize,
    tick: u64,
}

#[derive(Debug)]
struct Kept {
    file: Arc<OpenFile>,
    bytes: usize,
    used: u64,
}

impl OpenFiles {
    /// The file of `meta`, opened if it is not open.
    pub(super) fn open(&self, dir: &Path, meta: &FileMeta) -> Result<Arc<OpenFile>, TracksError> {
        if let Some(file) = self.lock().find(meta.seq) {
            return Ok(file);
        }
        // Opened without the lock: two readers may open one file, which does no harm.
        let file = Arc::new(OpenFile::open(dir, meta, true)?);
        self.lock().keep(meta.seq, &file);
        Ok(file)
    }

    /// Closes the file with this number.
    pub(super) fn forget(&self, seq: u64) {
        self.lock().remove(seq);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn find(&mut self, seq: u64) -> Option<Arc<OpenFile>> {
        self.tick += 1;
        let kept = self.files.get_mut(&seq)?;
        kept.used = self.tick;
        Some(Arc::clone(&kept.file))
    }

    fn keep(&mut self, seq: u64, file: &Arc<OpenFile>) {
        self.remove(seq);
        let bytes = file.index().memory();
        self.bytes += bytes;
        self.files.insert(seq, Kept { file: Arc::clone(file), bytes, used: self.tick });
        while self.files.len() > 1 && (self.files.len() > FILES_MAX || self.bytes > INDEX_BYTES_MAX) {
            let oldest =
                self.files.iter().filter(|(other, _)| **other != seq).min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(seq, _)| *seq) else { break };
            self.remove(oldest);
        }
    }

    fn remove(&mut self, seq: u64) {
        if let Some(kept) = self.files.remove(&seq) {
            self.bytes -= kept.bytes;
        }
    }
}
