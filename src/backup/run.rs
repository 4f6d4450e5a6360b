//! Making a backup: take the picture, hash and store it, say what it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::manifest::{FileEntry, Manifest, VERSION};
use super::pins::{Pins, Turn, entries, shown};
use super::{Reread, archive, folder, space};
use crate::config::Config;
use crate::formats;
use crate::registry::hex;

/// What was backed up.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct BackedUp {
    /// The manifest's file in a folder, or the tar file.
    pub written: PathBuf,
    /// Its name.
    pub id: String,
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that were not in the target before.
    pub new_bytes: u64,
    /// The point in time that it restores to.
    pub received_through: jiff::Timestamp,
    /// Every message acknowledged before this address is in it.
    pub journal_end: u64,
    /// Where the registry is.
    pub registry: super::RegistryKind,
}

/// Reads and hashes on the way.
pub(super) struct Hasher<'a> {
    source: &'a mut dyn Read,
    hash: Sha256,
}

impl<'a> Hasher<'a> {
    pub(super) fn new(source: &'a mut dyn Read) -> Self {
        Self { source, hash: Sha256::new() }
    }

    pub(super) fn finish(self) -> String {
        hex::encode(&self.hash.finalize())
    }
}

impl Read for Hasher<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Either kind of target.
enum Target {
    Folder(folder::Target),
    Archive(archive::Target),
}

impl Target {
    /// What is there of it.
    fn place(&self) -> &Path {
        match self {
            Self::Folder(target) => target.place(),
            Self::Archive(target) => target.place(),
        }
    }

    /// Bytes that it takes to store these files, about.
    fn lacks_bytes(&self, files: &BTreeMap<String, PathBuf>) -> anyhow::Result<u64> {
        let mut lacking = 0_u64;
        for (path, file) in files {
            let bytes = file.metadata().with_context(|| format!("can't look at {}", file.display()))?.len();
            let is_there = matches!(self, Self::Folder(target) if target.seems_to_have(path, bytes));
            lacking = lacking.saturating_add(if is_there { 0 } else { bytes });
        }
        Ok(lacking)
    }
}

/// Backs the data folder of `config` up to a folder or to a tar file, beside a running server or without one. What is `reread` matters to
/// a folder alone. Tells `progress` how many files are stored, of how many.
///
/// # Errors
/// When something can't be read or written. Then the target holds no whole backup of this run.
pub async fn backup(
    config: &Config,
    to: &Path,
    reread: Reread,
    mut progress: impl FnMut(usize, usize),
) -> anyhow::Result<BackedUp> {
    // Before the target is touched, and until it is whole: a backup that runs may be writing to the same one.
    let turn = Turn::take(&config.data)?;
    let began_at = jiff::Timestamp::now();
    let mut manifest = Manifest {
        version: VERSION,
        sha256: String::new(),
        made_by: format!("motorpool {}", env!("CARGO_PKG_VERSION")),
        began_at,
        journal_begin: Default::default(),
        journal_end: Default::default(),
        received_through: began_at,
        registry: super::RegistryKind::Sqlite,
        formats: formats::written(),
        files: Vec::new(),
    };
    let room = space::room(config);
    let mut target = match archive::is_archive(to) {
        true => Target::Archive(archive::Target::begin(to)?),
        false => Target::Folder(folder::Target::begin(to, &manifest.id(), reread)?),
    };
    let pins = Pins::take(config, &room, &turn).await?;
    manifest.journal_begin = pins.journal.begin;
    manifest.journal_end = pins.journal.end;
    manifest.received_through = shown(pins.journal.last_received_at)?;
    manifest.registry = pins.registry;
    let files = files_below(&pins.folder)?;
    if space::is_same_disk(target.place(), &config.data) {
        let wanted = target.lacks_bytes(&files)?;
        room.ask(wanted).context("no room for the backup, which goes to the disk of the data folder")?;
    }
    for (done, (path, file)) in files.iter().enumerate() {
        let entry = hashed(path, file)?;
        let mut source = room.reader(open(file)?);
        match &mut target {
            Target::Folder(target) => target.put(&entry, &mut source)?,
            Target::Archive(target) => target.put(&entry, &mut source)?,
        }
        manifest.files.push(entry);
        progress(done + 1, files.len());
    }
    drop(pins);
    let (new_bytes, written) = match target {
        Target::Folder(target) => (target.new_bytes, target.finish(&manifest)?),
        Target::Archive(target) => (target.new_bytes, target.finish(&manifest)?),
    };
    Ok(BackedUp {
        written,
        id: manifest.id(),
        files: manifest.files.len(),
        bytes: manifest.bytes(),
        new_bytes,
        received_through: manifest.received_through,
        journal_end: manifest.journal_end.0,
        registry: manifest.registry,
    })
}

fn open(file: &Path) -> anyhow::Result<File> {
    File::open(file).with_context(|| format!("can't open {}", file.display()))
}

/// The line of a file.
pub(super) fn hashed(path: &str, file: &Path) -> anyhow::Result<FileEntry> {
    let mut source = open(file)?;
    let mut hasher = Hasher::new(&mut source);
    let bytes =
        io::copy(&mut hasher, &mut io::sink()).with_context(|| format!("can't read {}", file.display()))?;
    Ok(FileEntry { path: path.to_owned(), bytes, sha256: hasher.finish() })
}

/// Every file below a folder, by its path in it.
fn files_below(root: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in entries(&folder)? {
            if entry.is_dir() {
                open.push(entry);
            } else {
                let path = entry.strip_prefix(root)?.to_string_lossy().into_owned();
                files.insert(path, entry);
            }
        }
    }
    Ok(files)
}
