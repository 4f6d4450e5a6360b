//! Every format on disk that this crate writes, with its version.
//!
//! A file of a newer version is refused, by name and with advice; a file of an older one that is named here is read,
//! and written in the present version when it is next written.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::journal::{format, raw};
use crate::tracks::{index, manifest};

/// A format on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Format {
    /// What it is of.
    pub name: &'static str,
    /// The oldest version that is read.
    pub oldest: u32,
    /// The version that is written.
    pub newest: u32,
}

impl Format {
    /// A format that is read from `oldest` on and written as `newest`.
    #[must_use]
    pub const fn new(name: &'static str, oldest: u32, newest: u32) -> Self {
        Self { name, oldest, newest }
    }

    /// Whether a file of this version can be read.
    #[must_use]
    pub const fn reads(&self, version: u32) -> bool {
        self.oldest <= version && version <= self.newest
    }
}

/// Segments of the journal.
pub const SEGMENT: Format = Format::new("journal segment", format::VERSION, format::VERSION);
/// Raw blocks.
pub const RAW: Format = Format::new("raw blocks", raw::VERSION, raw::VERSION);
/// The manifest of the track archive.
pub const MANIFEST: Format = Format::new("track manifest", manifest::OLDEST_VERSION, manifest::VERSION);
/// The index beside a track file; one of a version that is not read is made again.
pub const SIDECAR: Format = Format::new("track index", index::OLDEST_VERSION as u32, index::VERSION as u32);

/// A file and the version of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// What it is.
    pub format: Format,
    /// Where.
    pub path: PathBuf,
    /// Its version.
    pub version: u32,
}

impl Found {
    /// A file that was looked at.
    #[must_use]
    pub const fn new(format: Format, path: PathBuf, version: u32) -> Self {
        Self { format, path, version }
    }
}

/// What to say of a version that is not known.
#[must_use]
pub fn unknown(version: u32) -> String {
    format!(
        "format version {version} is unknown to this program: made by a newer Motorpool. Install that version again, or \
         restore a backup that was made before it"
    )
}

/// The versions of the newest journal segment, the newest raw file, and the manifest in the data folder `data`, as far
/// as there are any.
///
/// # Errors
/// When a file can't be read.
pub fn survey(data: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let segment = last_in(&data.join("journal"), "seg")?;
    let raw_day = last_in(&data.join("raw"), "")?;
    let raw_file = raw_day.map(|day| last_in(&day, "raw")).transpose()?.flatten();
    for (format, path) in [(SEGMENT, segment), (RAW, raw_file)] {
        let Some(path) = path else { continue };
        if let Some(version) = version_behind_magic(&path)? {
            found.push(Found::new(format, path, version));
        }
    }
    let tracks = data.join("tracks");
    if let Some(version) = manifest::version_in(&tracks)? {
        found.push(Found::new(MANIFEST, tracks.join(manifest::NAME), version));
    }
    Ok(found)
}

/// The last file with this extension, by name; with none, the last folder.
fn last_in(dir: &Path, extension: &str) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut last = None;
    for entry in entries {
        let path = entry?.path();
        let fits = if extension.is_empty() {
            path.is_dir()
        } else {
            path.extension().is_some_and(|found| found == extension)
        };
        if fits {
            last = last.max(Some(path));
        }
    }
    Ok(last)
}

/// The number behind the eight bytes that both kinds of file begin with.
fn version_behind_magic(path: &Path) -> io::Result<Option<u32>> {
    let mut head = Vec::new();
    File::open(path)?.take(12).read_to_end(&mut head)?;
    Ok(head
        .split_first_chunk::<8>()
        .and_then(|(_, version)| version.first_chunk())
        .copied()
        .map(u32::from_le_bytes))
}
