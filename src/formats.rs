//! The formats on disk with their versions: those of the storage, and those of this crate.
//!
//! | format | where | older ones |
//! | --- | --- | --- |
//! | journal segment | `journal/*.seg` | there are none |
//! | raw blocks | `raw/day=…/*.raw` | there are none |
//! | track manifest | `tracks/manifest.json` | version 1 is read, and replaced by the next commit |
//! | track index | `tracks/day=…/*.idx` | version 1 is read; others are made again |
//! | last states | `live.snapshot` | derived from the journal again |
//! | platform queue | `jt809/*/*.queue`, `cursor` | there are none |
//! | registry | `registry.sqlite`, or PostgreSQL | migrated at the start, each migration in a transaction |
//! | backup | `backup.json`, `<id>.json` | there are none |
//!
//! A newer version is refused by name and with advice, but for what can be derived again. Not in the list, because they refuse nothing: the
//! rollups (`rollups/`), which are made again from the archive whenever they were made in another way, and the mirror's state (`mirror/`), JSON
//! to which fields are only added.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use motorpool_storage::formats::{self, Format, Found, MANIFEST, RAW, SEGMENT, SIDECAR};

use crate::{backup, live, registry};

/// The last states.
pub const LIVE: Format =
    Format::new("last states", live::snapshot::SNAPSHOT_VERSION, live::snapshot::SNAPSHOT_VERSION);
/// Queues of superior platforms. They name no version: their form is held by checksums alone.
pub const QUEUE: Format = Format::new("platform queue", 1, 1);
/// Backups.
pub const BACKUP: Format = Format::new("backup", backup::MANIFEST_VERSION, backup::MANIFEST_VERSION);

/// All of them.
#[must_use]
pub fn all() -> [Format; 8] {
    let newest = registry::newest_migration();
    [SEGMENT, RAW, MANIFEST, SIDECAR, LIVE, QUEUE, Format::new("registry", 1, newest), BACKUP]
}

/// The versions that this program writes, by name.
#[must_use]
pub fn written() -> BTreeMap<String, u32> {
    all().into_iter().map(|format| (format.name.to_owned(), format.newest)).collect()
}

/// The versions that the files in a data folder have.
///
/// # Errors
/// When a file can't be read.
pub async fn survey(data: &Path) -> anyhow::Result<Vec<Found>> {
    let mut found = formats::survey(data)?;
    let snapshot = data.join(live::snapshot::SNAPSHOT_FILE);
    if let Some(version) = live_version(&snapshot)? {
        found.push(Found::new(LIVE, snapshot, version));
    }
    if let Some(version) = registry::sqlite_migration(data).await? {
        let format = Format::new("registry", 1, registry::newest_migration());
        found.push(Found::new(format, data.join(registry::REGISTRY_FILE), version));
    }
    Ok(found)
}

/// The version of a file of last states; `None` when there is none, or it is no such file.
fn live_version(path: &Path) -> io::Result<Option<u32>> {
    let mut head = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?.take(8).read_to_end(&mut head)?,
    };
    let digits = head.strip_prefix(b"MPLIVE").and_then(|rest| rest.strip_suffix(b"\n"));
    Ok(digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()))
}
