//! The manifest: what a pack holds, and the hash of each entry.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::UtcMillis;

/// The name of the manifest's entry.
pub(super) const MANIFEST: &str = "manifest.json";

/// The version of the form of packs that this program writes.
pub(super) const FORMAT: u32 = 1;

/// What a pack holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Manifest {
    /// Version of the form.
    pub format: u32,
    /// Program and version that made it.
    pub program: String,
    /// When it was made.
    pub made_at: UtcMillis,
    /// Who asked for it.
    pub made_by: String,
    /// Whether names and frames were left out.
    pub is_masked: bool,
    /// SHA-256 over the manifest of the full pack, in a masked copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_pack: Option<String>,
    /// The other entries, sorted by name.
    pub entries: Vec<ManifestEntry>,
}

/// One entry of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct ManifestEntry {
    /// Its name.
    pub name: String,
    /// Its length, bytes.
    pub length: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
}

/// SHA-256 of `bytes`, hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string can't fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

impl ManifestEntry {
    pub(super) fn of(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), length: bytes.len() as u64, sha256: sha256_hex(bytes) }
    }
}
