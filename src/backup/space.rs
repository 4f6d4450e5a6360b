//! How much room a backup wants on the disk of the data folder, and how much it leaves there.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use motorpool_storage::room::Room;

use crate::config::Config;

/// A backup leaves this many times `journal.disk_reserve` free, twice what merges of the archive leave: it is the first to end when the
/// disk fills, long before the journal takes nothing more.
const RESERVES_KEPT: u64 = 4;

/// The room on the data disk.
pub(super) fn room(config: &Config) -> Room {
    let reserve = u64::try_from(config.journal.disk_reserve.0).unwrap_or(u64::MAX);
    Room::on_disk_of(config.data.clone(), reserve.saturating_mul(RESERVES_KEPT))
}

/// Whether two places are known to be in one file system.
pub(super) fn is_same_disk(a: &Path, b: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    device(a).is_some() && device(a) == device(b)
}

/// Bytes of a file, or of all files below a folder; none for what is not there, or goes meanwhile. Links below it are not followed.
pub(super) fn bytes_below(path: &Path) -> anyhow::Result<u64> {
    let failed = || format!("can't look at {}", path.display());
    let found = there(fs::metadata(path)).with_context(failed)?;
    let mut bytes = found.as_ref().map_or(0, |found| if found.is_dir() { 0 } else { found.len() });
    let mut open: Vec<PathBuf> =
        found.filter(fs::Metadata::is_dir).map(|_| path.to_owned()).into_iter().collect();
    while let Some(folder) = open.pop() {
        let Some(entries) = there(fs::read_dir(&folder)).with_context(failed)? else { continue };
        for entry in entries {
            let entry = entry.with_context(failed)?;
            match there(entry.metadata()).with_context(failed)? {
                Some(found) if found.is_dir() => open.push(entry.path()),
                found => bytes = bytes.saturating_add(found.map_or(0, |found| found.len())),
            }
        }
    }
    Ok(bytes)
}

fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
