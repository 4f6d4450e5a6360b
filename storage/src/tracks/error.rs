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
    /// The archive was closed.
    #[error("the archive is closed")]
    Closed,
}

impl TracksError {
    pub(super) fn bad(path: &Path, reason: impl Into<String>) -> Self {
        Self::BadFile { path: path.to_owned(), reason: reason.into() }
    }

    /// The file or folder it is about.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } | Self::BadFile { path, .. } => Some(path),
            Self::Closed => None,
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
