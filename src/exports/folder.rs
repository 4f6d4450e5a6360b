//! The folder of finished and growing exports: `DATA/exports/ID.EXTENSION`, and `ID.part` while it is written.
//!
//! A file has its name only when it is whole and durable. Nobody else writes here; whatever no export names is removed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use motorpool_exports::{ExportError, Format};

use super::rows::Progress;

/// The folder, in the data folder.
const FOLDER: &str = "exports";
/// What an unfinished file is called behind the dot.
const PART: &str = "part";

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: Arc<Path>,
    reserve: u64,
}

impl Folder {
    /// Opens the folder in `data`, readable by nobody else, and leaves `reserve` bytes of its disk free.
    pub(super) fn open(data: &Path, reserve: u64) -> io::Result<Self> {
        let path = data.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(Self { path: path.into(), reserve })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn part(&self, id: i64) -> PathBuf {
        self.path.join(format!("{id}.{PART}"))
    }

    fn whole(&self, id: i64, format: Format) -> PathBuf {
        self.path.join(format!("{id}.{}", format.extension()))
    }

    /// Whether there is still more room than what is to be left.
    pub(super) fn check_room(&self) -> io::Result<()> {
        let disk = rustix::fs::statvfs(&*self.path)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < self.reserve {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// Begins the file of an export anew.
    pub(super) fn create(&self, id: i64) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.part(id))
    }

    /// Gives a durable file its name.
    pub(super) fn finish(&self, id: i64, format: Format) -> io::Result<()> {
        fs::rename(self.part(id), self.whole(id, format))?;
        File::open(&*self.path)?.sync_all()
    }

    /// Opens a finished file; its size.
    pub(super) fn read(&self, id: i64, format: Format) -> io::Result<(File, u64)> {
        let file = File::open(self.whole(id, format))?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// Removes whatever an export left, finished or not.
    pub(super) fn remove(&self, id: i64) -> io::Result<()> {
        let names = Format::ALL.iter().map(|format| self.whole(id, *format)).chain([self.part(id)]);
        names.into_iter().try_for_each(|path| remove(&path))
    }

    /// Removes every file but the finished ones of these exports and those of exports that are worked on.
    pub(super) fn keep_only(&self, done: &BTreeSet<i64>, at_work: &BTreeSet<i64>) -> io::Result<()> {
        for entry in fs::read_dir(&*self.path)? {
            let path = entry?.path();
            let id = path.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.parse::<i64>().ok());
            let is_part = path.extension().is_some_and(|extension| extension == PART);
            let is_named = |id| at_work.contains(&id) || (!is_part && done.contains(&id));
            if !id.is_some_and(is_named) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that grows up to a limit, and says how far it is.
pub(super) struct Growing {
    file: File,
    limit: u64,
    progress: Arc<Progress>,
    failure: Mutex<Option<io::ErrorKind>>,
}

impl Growing {
    pub(super) const fn new(file: File, limit: u64, progress: Arc<Progress>) -> Self {
        Self { file, limit, progress, failure: Mutex::new(None) }
    }

    /// Why it took no more: formats put that into words of their own.
    pub(super) fn failure(&self) -> Option<io::ErrorKind> {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it durable.
    pub(super) fn sync(&self) -> Result<(), ExportError> {
        Ok(self.file.sync_all()?)
    }
}

impl Write for &Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let is_too_large = self.progress.bytes().saturating_add(size) > self.limit;
        let written = match is_too_large {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => (&self.file).write(bytes),
        };
        match written {
            Ok(count) => self.progress.wrote(count),
            Err(ref error) => {
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.kind());
            }
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
