//! Locks that keep two backups apart: of a data folder, of a folder of backups, of a tar file on its way. The system lets go of them when
//! a process ends, however it ends, so none blocks for ever. It never changes what is in the file that it locks.

use std::fs::{File, TryLockError};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;

/// Opens a file, which is made if it is not there, and locks it as long as the answer lives. `None` when somebody else has it.
pub(super) fn lock(path: &Path) -> anyhow::Result<Option<File>> {
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.with_context(|| format!("can't open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("can't lock {}", path.display()))
        }
    }
}

/// Whether `path` still names this open file: between opening and locking it may have been renamed or removed.
pub(super) fn is_at(file: &File, path: &Path) -> anyhow::Result<bool> {
    let ours = file.metadata().with_context(|| format!("can't look at {}", path.display()))?;
    Ok(path.symlink_metadata().is_ok_and(|found| (found.dev(), found.ino()) == (ours.dev(), ours.ino())))
}
