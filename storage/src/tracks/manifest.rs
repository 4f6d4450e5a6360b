//! The manifest: which files are the archive, and up to which journal address they are complete.
//!
//! `manifest.json` is replaced as a whole: written beside, made durable, renamed, the folder made durable. A
//! file that it does not name is not part of the archive. Its `crc32c` is taken over its own text with that
//! number 0.
//!
//! A new archive gets an empty manifest at once. Files without any manifest are therefore never what a crash
//! left, but an archive that lost its manifest: nothing is opened then, and nothing removed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{At, TracksError};
use super::row::Partition;
use super::schema::ColumnSet;
use crate::ids::Lsn;

/// The name of the manifest in the folder of the archive.
pub(crate) const NAME: &str = "manifest.json";

/// The version written. Version 1 had no `expired`.
pub(crate) const VERSION: u32 = 2;
/// The oldest version that is read.
pub(crate) const OLDEST_VERSION: u32 = 1;

/// What is wrong with data without a manifest, and what can be done.
const LOST: &str = "manifest.json is missing, but there are track files; nothing was changed. Put manifest.json \
                    back from a backup, or move this folder away to begin a new archive with what the journal \
                    still has";

/// One Parquet file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileMeta {
    /// Its folder.
    pub(super) day: Partition,
    /// Its number, never used twice.
    pub(super) seq: u64,
    pub(super) rows: u64,
    /// Size of the file.
    pub(super) bytes: u64,
    /// Checksum of the file.
    pub(super) crc32c: u32,
    /// Whether it is as small as it gets: written by a merge with the best compression.
    pub(super) is_final: bool,
}

impl FileMeta {
    /// Its place under the folder of the archive.
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.day.folder()).join(format!("{:08}.parquet", self.seq))
    }

    /// The place of its index.
    pub(super) fn index_path(&self, dir: &Path) -> PathBuf {
        self.path(dir).with_extension("idx")
    }
}

/// Left out, so that the text of version 1, over which its checksum was taken, comes out again.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    crc32c: u32,
    /// Every record before it is in `files`.
    pub(super) checkpoint: Lsn,
    /// The next number for a file.
    pub(super) next_seq: u64,
    /// The columns that new files have.
    pub(super) columns: ColumnSet,
    /// Duplicates removed so far.
    pub(super) duplicates: u64,
    /// Rows removed so far because they were kept long enough.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) expired: u64,
    /// By day and number.
    pub(super) files: Vec<FileMeta>,
}

/// The one thing that every version says.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The version of the manifest in `dir`, of whatever program; `None` when there is no manifest.
pub(crate) fn version_in(dir: &Path) -> io::Result<Option<u32>> {
    match fs::read(dir.join(NAME)) {
        Ok(text) => Ok(serde_json::from_slice::<Versioned>(&text).ok().map(|manifest| manifest.version)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            version: VERSION,
            crc32c: 0,
            checkpoint: Lsn(0),
            next_seq: 1,
            columns: ColumnSet::default(),
            duplicates: 0,
            expired: 0,
            files: Vec::new(),
        }
    }
}

impl Manifest {
    /// The manifest in `dir`; an empty one when there is neither manifest nor data. Data without a manifest
    /// are an error.
    pub(super) fn load(dir: &Path) -> Result<Self, TracksError> {
        let path = dir.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if has_data(dir)? { Err(TracksError::bad(dir, LOST)) } else { Ok(Self::default()) };
            }
            Err(error) => return Err(error).at(&path),
        };
        let bad = |error: serde_json::Error| TracksError::bad(&path, error.to_string());
        let newer = |what| Err(TracksError::Newer { path: path.clone(), what });
        let Versioned { version } = serde_json::from_slice(&text).map_err(bad)?;
        match version {
            OLDEST_VERSION..=VERSION => {}
            0 => return Err(TracksError::bad(&path, "version 0")),
            _ => return newer(format!("version {version}")),
        }
        let mut manifest: Self = serde_json::from_slice(&text).map_err(bad)?;
        if manifest.clone().text().1 != manifest.crc32c {
            return Err(TracksError::bad(&path, "checksum"));
        }
        if ColumnSet::from_bits(manifest.columns.bits()).is_none() {
            return newer(format!("column set {:#x}", manifest.columns.bits()));
        }
        manifest.version = VERSION;
        Ok(manifest)
    }

    /// The text with its checksum, and the checksum.
    fn text(mut self) -> (Vec<u8>, u32) {
        let print =
            |manifest: &Self| serde_json::to_vec(manifest).expect("numbers and texts can always be printed");
        self.crc32c = 0;
        self.crc32c = crc32c::crc32c(&print(&self));
        (print(&self), self.crc32c)
    }

    /// Replaces the manifest in `dir`. When this returns, the change is durable; when it fails, the one
    /// before it still holds or this one does, and nothing else.
    pub(super) fn store(&self, dir: &Path) -> Result<(), TracksError> {
        let path = dir.join(NAME);
        let temporary = dir.join("manifest.json.tmp");
        let (text, _) = self.clone().text();
        let mut file = File::create(&temporary).at(&temporary)?;
        file.write_all(&text).at(&temporary)?;
        file.sync_all().at(&temporary)?;
        fs::rename(&temporary, &path).at(&path)?;
        sync_dir(dir)
    }
}

/// Makes the names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), TracksError> {
    File::open(dir).and_then(|file| file.sync_all()).at(dir)
}

/// The folders of days under `dir`.
fn day_folders(dir: &Path) -> Result<Vec<PathBuf>, TracksError> {
    let mut folders = Vec::new();
    for folder in fs::read_dir(dir).at(dir)? {
        let folder = folder.at(dir)?.path();
        let is_ours =
            folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("day="));
        if is_ours && folder.is_dir() {
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// Whether there is any Parquet file under `dir`, which need not exist.
fn has_data(dir: &Path) -> Result<bool, TracksError> {
    if !dir.exists() {
        return Ok(false);
    }
    for folder in day_folders(dir)? {
        for file in fs::read_dir(&folder).at(&folder)? {
            if file.at(&folder)?.path().extension().is_some_and(|kind| kind == "parquet") {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Removes every file under `dir` that `manifest` does not name: what a crash left before or after its
/// commit. Returns how many there were.
pub(super) fn remove_orphans(dir: &Path, manifest: &Manifest) -> Result<usize, TracksError> {
    let mut known: rustc_hash::FxHashSet<PathBuf> = rustc_hash::FxHashSet::default();
    for file in &manifest.files {
        known.insert(file.path(dir));
        known.insert(file.index_path(dir));
    }
    let mut removed = 0;
    for folder in day_folders(dir)? {
        let mut left = 0;
        for file in fs::read_dir(&folder).at(&folder)? {
            let file = file.at(&folder)?.path();
            let kind = file.extension().and_then(|kind| kind.to_str());
            if matches!(kind, Some("parquet" | "idx" | "tmp")) && !known.contains(&file) {
                fs::remove_file(&file).at(&file)?;
                removed += 1;
            } else {
                left += 1;
            }
        }
        if left == 0 {
            fs::remove_dir(&folder).at(&folder)?;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let file = |day, seq| FileMeta { day, seq, rows: 5, bytes: 900, crc32c: 77, is_final: false };
        Manifest {
            checkpoint: Lsn(4_096),
            next_seq: 3,
            files: vec![file(Partition::Day(14_000), 1), file(Partition::Unknown, 2)],
            ..Manifest::default()
        }
    }

    #[test]
    fn a_manifest_comes_back_and_a_changed_digit_is_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::load(dir.path()).unwrap(), Manifest::default());
        sample().store(dir.path()).unwrap();
        let loaded = Manifest::load(dir.path()).unwrap();
        assert_eq!((loaded.checkpoint, &loaded.files), (Lsn(4_096), &sample().files));

        let path = dir.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("4096", "4097")).unwrap();
        let error = Manifest::load(dir.path()).unwrap_err();
        assert_eq!(error.path(), Some(path.as_path()), "{error}");
    }

    #[test]
    fn a_half_written_successor_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        sample().store(dir.path()).unwrap();
        fs::write(dir.path().join("manifest.json.tmp"), b"{\"version\":1,").unwrap();
        assert_eq!(Manifest::load(dir.path()).unwrap().checkpoint, Lsn(4_096));
    }

    #[test]
    fn only_orphans_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = sample();
        for file in &manifest.files {
            let path = file.path(dir.path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, b"kept").unwrap();
            fs::write(path.with_file_name("00000009.parquet"), b"not committed").unwrap();
            fs::write(path.with_file_name("00000009.parquet.tmp"), b"half").unwrap();
        }
        let lonely = dir.path().join("day=2001-01-01");
        fs::create_dir(&lonely).unwrap();
        fs::write(lonely.join("00000008.idx"), b"").unwrap();
        assert_eq!(remove_orphans(dir.path(), &manifest).unwrap(), 5);
        assert!(!lonely.exists());
        assert!(manifest.files.iter().all(|file| file.path(dir.path()).exists()));
    }
}
