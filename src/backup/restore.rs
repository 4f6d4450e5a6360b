//! The way back: every file against its hash, into a folder that gets its name only when all of them are right.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

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
/// As [`check`]; then there is no data folder. Or when it can't be written.
pub fn restore(from: &Path, at: Option<&str>, data: &Path) -> anyhow::Result<Restored> {
    ensure!(
        entries(data)?.is_empty(),
        "{} is not empty: a backup is restored into an empty folder",
        data.display()
    );
    let staging = PathBuf::from(format!("{}.restoring", data.display()));
    ensure!(
        !staging.exists(),
        "{} is left from a restore that was interrupted: remove it first",
        staging.display()
    );
    private_folder(&staging)?;
    let unpacked = unpack(from, at, &staging);
    let manifest = match unpacked {
        Ok(manifest) => manifest,
        Err(error) => {
            if let Err(left) = fs::remove_dir_all(&staging) {
                tracing::warn!(%left, folder = %staging.display(), "a restore that failed stays");
            }
            return Err(error);
        }
    };
    let problems = problems(&staging);
    rustix::fs::syncfs(File::open(&staging)?).context("can't make the data folder durable")?;
    if data.exists() {
        fs::remove_dir(data).with_context(|| format!("can't replace {}", data.display()))?;
    }
    fs::rename(&staging, data).with_context(|| format!("can't make {}", data.display()))?;
    let above = data.parent().filter(|above| !above.as_os_str().is_empty());
    File::open(above.unwrap_or_else(|| Path::new("."))).and_then(|above| above.sync_all())?;
    Ok(Restored { backup: Checked::of(&manifest), problems })
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
