//! The archive as it is at one moment, kept by hard links: merges and removals go on, and take nothing away from it.

use std::fs;
use std::io;
use std::path::Path;

use super::error::{At, TracksError};
use super::manifest::Manifest;
use crate::ids::Lsn;
use crate::room::Room;

/// How often the whole is tried when files are merged away while they are linked.
const TRIES_MAX: usize = 10;

/// What was pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pinned {
    /// Every record before it is in the files.
    pub checkpoint: Lsn,
    /// Parquet files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Links (across file systems copies) every file of the archive in `dir`, which may be in use, into the new folder `to`, with a
/// manifest that names just these. Copies leave the room free that has to stay so.
///
/// # Errors
///
/// When the manifest can't be read, a file of it is missing, or `to` can't be written.
pub fn pin(dir: &Path, to: &Path, room: &Room) -> Result<Pinned, TracksError> {
    let mut tries = 0;
    loop {
        match try_pin(dir, to, room) {
            Err(TracksError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && tries < TRIES_MAX =>
            {
                tries += 1;
                fs::remove_dir_all(to).at(to)?;
            }
            other => return other,
        }
    }
}

fn try_pin(dir: &Path, to: &Path, room: &Room) -> Result<Pinned, TracksError> {
    let manifest = Manifest::load(dir)?;
    fs::create_dir_all(to).at(to)?;
    let mut pinned = Pinned { checkpoint: manifest.checkpoint, ..Pinned::default() };
    for file in &manifest.files {
        let folder = to.join(file.day.folder());
        fs::create_dir_all(&folder).at(&folder)?;
        let path = file.path(dir);
        link(&path, &file.path(to), room).at(&path)?;
        match link(&file.index_path(dir), &file.index_path(to), room) {
            // A lost sidecar is made again when it is needed.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).at(&path),
            _ => {}
        }
        pinned.files += 1;
        pinned.bytes += file.bytes;
    }
    manifest.store(to)?;
    Ok(pinned)
}

/// Gives a file that is never changed a second name, or where that is impossible a copy.
pub(crate) fn link(from: &Path, to: &Path, room: &Room) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if matches!(error.kind(), io::ErrorKind::CrossesDevices | io::ErrorKind::Unsupported) => {
            room.copy(from, to).map(drop)
        }
        other => other,
    }
}
