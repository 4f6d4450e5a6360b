//! What can go wrong with the files.

use std::io;
use std::path::{Path, PathBuf};

/// Why rollups can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollupsError {
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
    /// The archive can't be read.
    #[error(transparent)]
    Tracks(#[from] motorpool_storage::tracks::TracksError),
    /// The configured time zone is not known.
    #[error("there is no time zone `{0}`")]
    NoZone(String),
}

impl RollupsError {
    pub(crate) fn bad(path: &Path, reason: impl Into<String>) -> Self {
        Self::BadFile { path: path.to_owned(), reason: reason.into() }
    }
}

/// Adds the path to an error.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, RollupsError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, RollupsError> {
        self.map_err(|source| RollupsError::Io { path: path.to_owned(), source })
    }
}

impl<T> At<T> for parquet::errors::Result<T> {
    fn at(self, path: &Path) -> Result<T, RollupsError> {
        self.map_err(|error| RollupsError::bad(path, error.to_string()))
    }
}
