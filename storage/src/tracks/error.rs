//! What can go wrong with the archive.

use std::io;
use std::path::{Path, PathBuf};

/// Why the archive can't do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TracksError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what was written to it.
    #[error("{path}: {reason}", path = path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file was written by a newer program.
    #[error("{path}: {what} is newer than this program knows", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What of it, for example "version 2".
        what: String,
    },
    /// The archive was closed.
    #[error("the archive is closed")]
    Closed,
}

/// What can be done about a damaged file of rows.
const RESTORE: &str = "Put this very file back from a backup; its size and checksum must be the manifest's. Until \
                       then everything else is read, and answers name the file. See whether the disk is sound.";

impl TracksError {
    pub(super) fn bad(path: &Path, reason: impl Into<String>) -> Self {
        Self::BadFile { path: path.to_owned(), reason: reason.into() }
    }

    /// The file or folder it is about.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } | Self::BadFile { path, .. } | Self::Newer { path, .. } => Some(path),
            Self::Closed => None,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        let kind = self.path().and_then(Path::extension).and_then(|kind| kind.to_str());
        match (self, kind) {
            (Self::Closed, _) => "Start the server again.",
            (Self::Newer { .. }, _) => {
                "Run the version of motorpool that wrote it, or a later one; nothing was changed."
            }
            (Self::Io { source, .. }, _) if source.kind() == io::ErrorKind::StorageFull => {
                "Make room on the disk. Nothing is lost meanwhile: the fixes are in the journal, and writing is tried again."
            }
            (Self::Io { source, .. }, Some("parquet")) if source.kind() == io::ErrorKind::NotFound => RESTORE,
            (Self::Io { .. }, _) => {
                "See whether the disk is sound (dmesg, smartctl) and whether the user of the server may read the file."
            }
            (Self::BadFile { .. }, Some("idx")) => {
                "Remove it: it is made again from the Parquet file beside it."
            }
            (Self::BadFile { .. }, Some("parquet")) => RESTORE,
            (Self::BadFile { .. }, _) => {
                "Put manifest.json back from a backup of the same moment as the files. Without one, move the folder away: \
                 a new archive begins with what the journal still has."
            }
        }
    }
}

/// Adds the path to an I/O error.
pub(super) trait At<T> {
    fn at(self, path: &Path) -> Result<T, TracksError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, TracksError> {
        self.map_err(|source| TracksError::Io { path: path.to_owned(), source })
    }
}

impl<T> At<T> for Result<T, rustix::io::Errno> {
    fn at(self, path: &Path) -> Result<T, TracksError> {
        self.map_err(io::Error::from).at(path)
    }
}

impl<T> At<T> for parquet::errors::Result<T> {
    fn at(self, path: &Path) -> Result<T, TracksError> {
        self.map_err(|error| match error {
            parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => TracksError::Io { path: path.to_owned(), source: *source },
                Err(other) => TracksError::bad(path, other.to_string()),
            },
            other => TracksError::bad(path, other.to_string()),
        })
    }
}
