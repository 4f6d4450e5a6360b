//! A folder that keeps backups: `objects/ab/<sha256>` once for each content, `<id>.json` for each backup, `<id>.unfinished` while one is
//! made. Files that a backup shares with an earlier one are not stored again.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::manifest::{FileEntry, Manifest};
use super::pins::{entries, private_folder};
use super::run::Hasher;

const OBJECTS: &str = "objects";
const UNFINISHED: &str = "unfinished";

/// Where a content is.
fn object(root: &Path, sha256: &str) -> anyhow::Result<PathBuf> {
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_hash, "{sha256:?} is no SHA-256");
    let (front, _) = sha256.split_at(2);
    Ok(root.join(OBJECTS).join(front).join(sha256))
}

/// A backup on its way into a folder.
#[derive(Debug)]
pub(super) struct Target {
    root: PathBuf,
    marker: PathBuf,
    /// Bytes that were not there before.
    pub(super) new_bytes: u64,
}

impl Target {
    /// Says that a backup is being made.
    pub(super) fn begin(root: &Path, id: &str) -> anyhow::Result<Self> {
        private_folder(root)?;
        let marker = root.join(format!("{id}.{UNFINISHED}"));
        File::create_new(&marker)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("can't make {}", marker.display()))?;
        sync_folder(root)?;
        Ok(Self { root: root.to_owned(), marker, new_bytes: 0 })
    }

    /// Stores a file, unless its content is there.
    pub(super) fn put(&mut self, entry: &FileEntry, source: &mut dyn Read) -> anyhow::Result<()> {
        let place = object(&self.root, &entry.sha256)?;
        if fs::metadata(&place).is_ok_and(|found| found.len() == entry.bytes) {
            return Ok(());
        }
        if let Some(folder) = place.parent() {
            private_folder(folder)?;
        }
        let temporary = place.with_extension("tmp");
        let mut file =
            File::create(&temporary).with_context(|| format!("can't make {}", temporary.display()))?;
        let mut hasher = Hasher::new(source);
        io::copy(&mut hasher, &mut file).with_context(|| format!("can't write {}", temporary.display()))?;
        ensure!(hasher.finish() == entry.sha256, "{} changed while it was copied", entry.path);
        fs::rename(&temporary, &place).with_context(|| format!("can't write {}", place.display()))?;
        self.new_bytes += entry.bytes;
        Ok(())
    }

    /// Makes everything durable, then says that the backup is whole.
    pub(super) fn finish(self, manifest: &Manifest) -> anyhow::Result<PathBuf> {
        let root = File::open(&self.root)?;
        rustix::fs::syncfs(&root).context("can't make the backup durable")?;
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

fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("can't sync {}", folder.display()))
}

/// The manifest of the backup `at`, by default the newest whole one.
pub(super) fn manifest(root: &Path, at: Option<&str>) -> anyhow::Result<Manifest> {
    let named = |kind: &str| -> anyhow::Result<Vec<PathBuf>> {
        let all = entries(root)?.into_iter();
        Ok(all.filter(|path| path.extension().is_some_and(|found| found == kind)).collect())
    };
    let unfinished: Vec<String> = named(UNFINISHED)?
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
        None => match (named("json")?.pop(), unfinished.last()) {
            (Some(newest), _) => newest,
            (None, Some(id)) => {
                bail!("the only backup in {}, {id}, was interrupted: it can't be restored", root.display())
            }
            (None, None) => bail!("there is no backup in {}", root.display()),
        },
    };
    let text = fs::read(&chosen).with_context(|| format!("can't read {}", chosen.display()))?;
    let manifest = Manifest::read(&text).with_context(|| format!("{}", chosen.display()))?;
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
