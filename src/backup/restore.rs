//! The way back: every file against its hash, into a folder that gets its name only when all of them are right. A folder that is there
//! already may be a mount point, which nothing can take the place of: it is filled by moving what was unpacked inside it up, and a server
//! does not start on it before that is done ([`ensure_restored`]).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use super::folder::sync_folder;
use super::manifest::{FileEntry, Manifest};
use super::pins::{entries, private_folder};
use super::run::Hasher;
use super::{archive, folder};

/// A backup that is what it says.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Checked {
    /// Its name.
    pub id: String,
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The point in time that it restores to.
    pub received_through: jiff::Timestamp,
    /// Every message acknowledged before this address is in it.
    pub journal_end: u64,
    /// Where the registry is.
    pub registry: super::RegistryKind,
    /// The program that made it.
    pub made_by: String,
}

impl Checked {
    fn of(manifest: &Manifest) -> Self {
        Self {
            id: manifest.id(),
            files: manifest.files.len(),
            bytes: manifest.bytes(),
            received_through: manifest.received_through,
            journal_end: manifest.journal_end.0,
            registry: manifest.registry,
            made_by: manifest.made_by.clone(),
        }
    }
}

/// A restored data folder.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Restored {
    /// The backup.
    #[serde(flatten)]
    pub backup: Checked,
    /// What `journal verify` and `tracks verify` say is wrong with what was backed up.
    pub problems: Vec<String>,
}

/// Holds every file of a backup against its hash; writes nothing. `at` names one of the backups of a folder.
///
/// # Errors
/// When the backup was interrupted, or a file of it is missing or changed: the first one, by name.
pub fn check(from: &Path, at: Option<&str>) -> anyhow::Result<Checked> {
    if archive::is_archive(from) {
        let mut found = BTreeMap::new();
        let manifest = archive::read(from, &mut |name, bytes, source| {
            found.insert(name.to_owned(), take(source, &mut io::sink(), name, bytes)?);
            Ok(())
        })?;
        agree(&manifest, &found)?;
        return Ok(Checked::of(&manifest));
    }
    let manifest = folder::manifest(from, at)?;
    for entry in &manifest.files {
        let found = take(&mut folder::open(from, entry)?, &mut io::sink(), &entry.path, entry.bytes)?;
        same(entry, &found)?;
    }
    Ok(Checked::of(&manifest))
}

/// Restores a backup into the data folder `data`, which must not exist or be empty, and checks the journal and the tracks there.
///
/// # Errors
/// As [`check`]; then there is no data folder, or it is empty as before. Or when it can't be written.
pub fn restore(from: &Path, at: Option<&str>, data: &Path) -> anyhow::Result<Restored> {
    let place = Place::choose(data)?;
    private_folder(&place.staging)?;
    // Open before the first write: only so does the system tell of one that failed.
    let disk = File::open(&place.staging)?;
    let unpacked = unpack(from, at, &place.staging);
    let manifest = match unpacked {
        Ok(manifest) => manifest,
        Err(error) => {
            if let Err(left) = fs::remove_dir_all(&place.staging) {
                tracing::warn!(%left, folder = %place.staging.display(), "a restore that failed stays");
            }
            return Err(error);
        }
    };
    let problems = problems(&place.staging);
    rustix::fs::syncfs(disk).context("can't make the data folder durable")?;
    place.settle()?;
    Ok(Restored { backup: Checked::of(&manifest), problems })
}

/// In a data folder: what is restored into it and not in its place yet.
const STAGING: &str = ".restoring";

/// What a new file system has in it.
const LOST_AND_FOUND: &str = "lost+found";

/// Refuses a data folder whose restore was interrupted while files were moved into their places.
///
/// # Errors
/// When it is one.
pub fn ensure_restored(data: &Path) -> anyhow::Result<()> {
    ensure!(
        !data.join(STAGING).exists(),
        "a restore into {} was interrupted: empty the folder and restore again",
        data.display()
    );
    Ok(())
}

/// Where a backup is unpacked, and the folder that it becomes.
#[derive(Debug)]
struct Place {
    data: PathBuf,
    staging: PathBuf,
    /// The folder is there already, and stays what it is.
    is_inside: bool,
}

impl Place {
    /// Everything that could be in the way at the end is looked for here.
    fn choose(data: &Path) -> anyhow::Result<Self> {
        // A slash at the end would make a sibling's name one inside.
        let data: PathBuf = data.components().collect();
        ensure_restored(&data)?;
        let place = if data.exists() {
            let is_in_the_way = |entry: &PathBuf| entry.file_name().is_none_or(|name| name != LOST_AND_FOUND);
            ensure!(
                !entries(&data)?.iter().any(is_in_the_way),
                "{} is not empty: a backup is restored into an empty folder",
                data.display()
            );
            Self { staging: data.join(STAGING), data, is_inside: true }
        } else {
            ensure!(!data.is_symlink(), "{} is a link that leads nowhere", data.display());
            let name = data.file_name().with_context(|| format!("{} names no folder", data.display()))?;
            let mut staging = name.to_owned();
            staging.push(STAGING);
            Self { staging: data.with_file_name(staging), data, is_inside: false }
        };
        ensure!(
            !place.staging.exists(),
            "{} is left from a restore that was interrupted: remove it first",
            place.staging.display()
        );
        Ok(place)
    }

    /// Gives what was unpacked its place.
    fn settle(&self) -> anyhow::Result<()> {
        let failed = || format!("can't make {}", self.data.display());
        if !self.is_inside {
            fs::rename(&self.staging, &self.data).with_context(failed)?;
            let above = self.data.parent().filter(|above| !above.as_os_str().is_empty());
            return sync_folder(above.unwrap_or_else(|| Path::new(".")));
        }
        for entry in entries(&self.staging)? {
            let name = entry.file_name().with_context(failed)?;
            fs::rename(&entry, self.data.join(name)).with_context(failed)?;
        }
        sync_folder(&self.data)?;
        fs::remove_dir(&self.staging).with_context(failed)?;
        sync_folder(&self.data)
    }
}

fn unpack(from: &Path, at: Option<&str>, staging: &Path) -> anyhow::Result<Manifest> {
    if archive::is_archive(from) {
        let mut found = BTreeMap::new();
        let manifest = archive::read(from, &mut |name, bytes, source| {
            let entry = FileEntry { path: name.to_owned(), bytes, sha256: String::new() };
            let mut file = create(&entry.below(staging)?)?;
            found.insert(name.to_owned(), take(source, &mut file, name, bytes)?);
            Ok(())
        })?;
        agree(&manifest, &found)?;
        return Ok(manifest);
    }
    let manifest = folder::manifest(from, at)?;
    for entry in &manifest.files {
        let mut file = create(&entry.below(staging)?)?;
        let found = take(&mut folder::open(from, entry)?, &mut file, &entry.path, entry.bytes)?;
        same(entry, &found)?;
    }
    Ok(manifest)
}

fn create(path: &Path) -> anyhow::Result<File> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("can't make {}", path.display()))
}

/// Copies what is there, and says what it was.
fn take(source: &mut dyn Read, to: &mut dyn io::Write, path: &str, bytes: u64) -> anyhow::Result<FileEntry> {
    // One byte more than there should be shows that there is more.
    let mut limited = source.take(bytes.saturating_add(1));
    let mut hasher = Hasher::new(&mut limited);
    let copied = io::copy(&mut hasher, to).with_context(|| format!("can't copy {path}"))?;
    Ok(FileEntry { path: path.to_owned(), bytes: copied, sha256: hasher.finish() })
}

fn same(entry: &FileEntry, found: &FileEntry) -> anyhow::Result<()> {
    ensure!(
        entry.bytes == found.bytes && entry.sha256 == found.sha256,
        "{} is not what was backed up: {} bytes with SHA-256 {}, not {} bytes with {}",
        entry.path,
        found.bytes,
        found.sha256,
        entry.bytes,
        entry.sha256
    );
    Ok(())
}

/// Holds what a tar file had against its manifest.
fn agree(manifest: &Manifest, found: &BTreeMap<String, FileEntry>) -> anyhow::Result<()> {
    for entry in &manifest.files {
        let Some(found) = found.get(&entry.path) else { bail!("{} is missing in the backup", entry.path) };
        same(entry, found)?;
    }
    ensure!(found.len() == manifest.files.len(), "the backup has files that its manifest does not name");
    Ok(())
}

/// What is wrong with the data themselves: it was so when they were backed up.
fn problems(data: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    match crate::journal::verify::verify(data) {
        Ok(verified) => problems.extend(
            verified.problems.iter().map(|problem| format!("{}: {}", problem.path.display(), problem.reason)),
        ),
        Err(error) => problems.push(format!("journal: {error}")),
    }
    let archive = data.join("tracks");
    if archive.exists()
        && let Err(error) = crate::tracks::verify(&archive, |_, _| {})
    {
        problems.push(format!("tracks: {error}"));
    }
    problems
}
