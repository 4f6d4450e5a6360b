//! Every format on disk, with its version: those of the storage, and those of this crate.
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
//! A newer version is refused by name and with advice, but for what can be derived again.

use std::collections::BTreeMap;

use motorpool_storage::formats::{Format, MANIFEST, RAW, SEGMENT, SIDECAR};

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
