//! A folder that keeps backups: `objects/ab/<sha256>` once for each content, `<id>.json` for each backup, `<id>.unfinished` while one is
//! made. Files that a backup shares with an earlier one are not stored again. They are not read again either if the newest whole backup
//! names them: each was durable under its hash before it had its name, and what decayed since is found by checking a backup, or by
//! making one with [`Reread::All`]. Whatever else lies in `objects` is hashed first, and replaced when it is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::lock::lock;
use super::manifest::{FileEntry, Manifest};
use super::pins::{entries, private_folder};
use super::run::{Hasher, hashed};

const OBJECTS: &str = "objects";
const TEMPORARY: &str = "unfinished.tmp";
/// Locked by the backup that is made.
const LOCK_FILE: &str = "backup.lock";
const UNFINISHED: &str = "unfinished";

/// Where a content is.
fn object(root: &Path, sha256: &str) -> anyhow::Result<PathBuf> {
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_hash, "{sha256:?} is no SHA-256");
    let (front, _) = sha256.split_at(2);
    Ok(root.join(OBJECTS).join(front).join(sha256))
}

/// Which of the files that a folder of backups has are read again before a new backup counts on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers choose")]
pub enum Reread {
    /// Those that the newest whole backup does not name: a backup that was interrupted may have left them, cut short by a crash.
    Unnamed,
    /// All.
    All,
}

/// A backup on its way into a folder.
#[derive(Debug)]
pub(super) struct Target {
    root: PathBuf,
    /// Open since before the first write: the system tells of a write that failed only those who had the disk open then.
    disk: File,
    _lock: File,
    marker: PathBuf,
    /// Where a content is written until it is whole and durable.
    temporary: PathBuf,
    /// Contents that count as there when their length is right.
    named: BTreeSet<String>,
    /// Paths and lengths of the newest whole backup.
    newest: BTreeMap<String, u64>,
    /// Bytes that were not there before.
    pub(super) new_bytes: u64,
}

impl Target {
    /// Says that a backup is being made.
    pub(super) fn begin(root: &Path, id: &str, reread: Reread) -> anyhow::Result<Self> {
        let objects = root.join(OBJECTS);
        private_folder(&objects)?;
        let lock = lock(&root.join(LOCK_FILE))?;
        let lock = lock.with_context(|| format!("another backup into {} is running", root.display()))?;
        let disk = File::open(root).with_context(|| format!("can't open {}", root.display()))?;
        let files = newest_whole(root)?.map(|manifest| manifest.files).unwrap_or_default();
        let newest = files.iter().map(|file| (file.path.clone(), file.bytes)).collect();
        let named = match reread {
            Reread::Unnamed => files.into_iter().map(|file| file.sha256).collect(),
            Reread::All => BTreeSet::new(),
        };
        let marker = root.join(format!("{id}.{UNFINISHED}"));
        File::create_new(&marker)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("can't make {}", marker.display()))?;
        sync_folder(root)?;
        let temporary = objects.join(TEMPORARY);
        let root = root.to_owned();
        Ok(Self { root, disk, _lock: lock, marker, temporary, named, newest, new_bytes: 0 })
    }

    /// The folder.
    pub(super) fn place(&self) -> &Path {
        &self.root
    }

    /// Whether a file is probably there: files that keep their name and length seldom change.
    pub(super) fn seems_to_have(&self, path: &str, bytes: u64) -> bool {
        self.newest.get(path) == Some(&bytes)
    }

    /// Stores a file, unless its content is there.
    pub(super) fn put(&mut self, entry: &FileEntry, source: &mut dyn Read) -> anyhow::Result<()> {
        let place = object(&self.root, &entry.sha256)?;
        if self.has(&place, entry) {
            return Ok(());
        }
        if let Some(folder) = place.parent() {
            private_folder(folder)?;
        }
        let failed = || format!("can't write {}", self.temporary.display());
        let mut file = File::create(&self.temporary).with_context(failed)?;
        let mut hasher = Hasher::new(source);
        io::copy(&mut hasher, &mut file).with_context(failed)?;
        ensure!(hasher.finish() == entry.sha256, "{} changed while it was copied", entry.path);
        // Before it gets the name under which later backups count on it: a crash leaves it whole or not at all.
        file.sync_all().with_context(failed)?;
        fs::rename(&self.temporary, &place).with_context(|| format!("can't write {}", place.display()))?;
        self.new_bytes += entry.bytes;
        Ok(())
    }

    /// Whether a content is there and right.
    fn has(&self, place: &Path, entry: &FileEntry) -> bool {
        let Ok(found) = fs::metadata(place) else { return false };
        if found.len() == entry.bytes && self.named.contains(&entry.sha256) {
            return true;
        }
        let is_right = hashed(&entry.path, place).is_ok_and(|found| found.sha256 == entry.sha256);
        if !is_right {
            tracing::error!(file = %place.display(), "a file of earlier backups is not what it was and is replaced");
        }
        is_right
    }

    /// Makes everything durable, then says that the backup is whole.
    pub(super) fn finish(self, manifest: &Manifest) -> anyhow::Result<PathBuf> {
        rustix::fs::syncfs(&self.disk).context("can't make the backup durable")?;
        let path = self.root.join(format!("{}.json", manifest.id()));
        let temporary = path.with_extension("json.tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&manifest.text()?)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        sync_folder(&self.root)?;
        fs::remove_file(&self.marker)?;
        sync_folder(&self.root)?;
        Ok(path)
    }
}

/// The files in a folder of backups that end so, in order.
fn named(root: &Path, kind: &str) -> anyhow::Result<Vec<PathBuf>> {
    let all = entries(root)?.into_iter();
    Ok(all.filter(|path| path.extension().is_some_and(|found| found == kind)).collect())
}

fn read(path: &Path) -> anyhow::Result<Manifest> {
    let text = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    Manifest::read(&text).with_context(|| format!("{}", path.display()))
}

/// The newest manifest that can be read.
fn newest_whole(root: &Path) -> anyhow::Result<Option<Manifest>> {
    for path in named(root, "json")?.iter().rev() {
        match read(path) {
            Ok(manifest) => return Ok(Some(manifest)),
            Err(error) => tracing::error!(error = format!("{error:#}"), "an earlier backup can't be read"),
        }
    }
    Ok(None)
}

/// Makes what was made, moved and removed in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("can't sync {}", folder.display()))
}

/// The manifest of the backup `at`, by default the newest whole one.
pub(super) fn manifest(root: &Path, at: Option<&str>) -> anyhow::Result<Manifest> {
    let unfinished: Vec<String> = named(root, UNFINISHED)?
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    let chosen = match at {
        Some(id) => {
            if unfinished.iter().any(|unfinished| unfinished == id) {
                bail!("the backup {id} in {} was interrupted: it can't be restored", root.display());
            }
            root.join(format!("{id}.json"))
        }
        None => match (named(root, "json")?.pop(), unfinished.last()) {
            (Some(newest), _) => newest,
            (None, Some(id)) => {
                bail!("the only backup in {}, {id}, was interrupted: it can't be restored", root.display())
            }
            (None, None) => bail!("there is no backup in {}", root.display()),
        },
    };
    let manifest = read(&chosen)?;
    if let Some(later) = unfinished.iter().rfind(|id| at.is_none() && **id > manifest.id()) {
        tracing::warn!(later, "a later backup was interrupted; the newest whole one is taken");
    }
    Ok(manifest)
}

/// A stored content, to be read.
pub(super) fn open(root: &Path, entry: &FileEntry) -> anyhow::Result<File> {
    let place = object(root, &entry.sha256)?;
    File::open(&place)
        .with_context(|| format!("{} of the backup: can't open {}", entry.path, place.display()))
}
