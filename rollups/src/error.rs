//! What can go wrong with the files.

use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

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
    /// A local day can't be summed, because a file of slots that it needs is there and can't be read.
    #[error("{date} can't be summed: the slots of {} can't be read", crate::date_of(*day))]
    Unread {
        /// The local day, which has no file of sums now.
        date: Date,
        /// The UTC day whose slots have to be made again.
        day: i32,
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
