//! What a backup says of itself: written last, under its own SHA-256.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::Lsn;
use crate::registry::hex;

/// The version of this form.
pub(crate) const VERSION: u32 = 1;
/// The name of the manifest in a tar file.
pub(super) const NAME: &str = "backup.json";

/// Where the registry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the two there are")]
pub enum RegistryKind {
    /// In the backup.
    Sqlite,
    /// In a database of its own, which `pg_dump` saves.
    Postgresql,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a line of a file")]
pub struct FileEntry {
    /// Its place in the data folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
}

impl FileEntry {
    /// Its place below `root`. A path that leads elsewhere is refused.
    pub(super) fn below(&self, root: &Path) -> anyhow::Result<PathBuf> {
        let path = Path::new(&self.path);
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(is_plain && !self.path.is_empty(), "{:?} is no place in a data folder", self.path);
        Ok(root.join(path))
    }
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a file")]
pub struct Manifest {
    /// The version of this form.
    pub version: u32,
    /// SHA-256 of this text with nothing in this place, hex.
    pub sha256: String,
    /// The program that made it.
    pub made_by: String,
    /// When it was begun.
    pub began_at: Timestamp,
    /// The journal's oldest address in it.
    pub journal_begin: Lsn,
    /// Every message acknowledged before this address is in it.
    pub journal_end: Lsn,
    /// When the latest of them was received: the point in time that it restores to.
    pub received_through: Timestamp,
    /// Where the registry is.
    pub registry: RegistryKind,
    /// The formats in it, by name.
    pub formats: BTreeMap<String, u32>,
    /// Its files, by path.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Its name among the backups of a folder.
    #[must_use]
    pub fn id(&self) -> String {
        self.began_at.strftime("%Y-%m-%dT%H-%M-%S.%3fZ").to_string()
    }

    /// Its text, with its hash.
    pub(super) fn text(&self) -> anyhow::Result<Vec<u8>> {
        let mut plain = self.clone();
        plain.sha256.clear();
        plain.sha256 = sha256(&serde_json::to_vec_pretty(&plain)?);
        let mut text = serde_json::to_vec_pretty(&plain)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads a text and holds it against its hash.
    pub(super) fn read(text: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(text).context("it is no manifest of a backup")?;
        if version != VERSION {
            bail!("{}", motorpool_storage::formats::unknown(version));
        }
        let manifest: Self = serde_json::from_slice(text).context("the manifest is damaged")?;
        ensure!(manifest.text()? == text, "the manifest is damaged: it is not what its own hash says");
        Ok(manifest)
    }
}

/// SHA-256, hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}
