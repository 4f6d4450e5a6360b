//! A consistent picture of the data folder, in a folder beside it: links to files that never change, copies of those that do.
//!
//! The order is what makes it consistent; see [`super`]. A second backup at the same time is refused by a lock, and what a killed one
//! left is removed by the next.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;
use motorpool_storage::room::Room;

use super::lock::lock;
use super::manifest::RegistryKind;
use super::space::{bytes_below, is_same_disk};
use crate::accounts::keeper::{HEADS_FILE, KEY_FILE, PUBLIC_KEY_FILE, heads_file};
use crate::config::Config;
use crate::ids::DeviceId;
use crate::journal::{Copied, Frozen, pin_raw};
use crate::live::snapshot::SNAPSHOT_FILE;
use crate::registry::{PROFILES_FILE, REGISTRY_FILE, TOKEN_FILE, copy_sqlite};
use crate::tracks;

/// The folder of the picture, in the data folder: links need one file system.
pub const PINS_FOLDER: &str = "backup.pins";
/// Locked by the backup that runs.
const LOCK_FILE: &str = "backup.lock";
/// The archive of fixes, and that of raw messages.
const TRACKS_FOLDER: &str = "tracks";
const RAW_FOLDER: &str = "raw";
/// Last states, how devices are read, the token, and the keys of the audit log.
const COPIED_FILES: [&str; 5] = [SNAPSHOT_FILE, PROFILES_FILE, TOKEN_FILE, KEY_FILE, PUBLIC_KEY_FILE];
/// How far the mirror is, and what was refused.
const MIRROR_FOLDER: &str = "mirror";
/// The queues of superior platforms.
const QUEUES_FOLDER: &str = "jt809";

/// The picture; removed when dropped.
#[derive(Debug)]
pub(super) struct Pins {
    pub(super) folder: PathBuf,
    pub(super) journal: Copied,
    pub(super) registry: RegistryKind,
}

/// The right to back a data folder up: one backup at a time has it, from before its target is touched until that is whole.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: File,
}

impl Turn {
    /// Takes it for the data folder `data`.
    pub(super) fn take(data: &Path) -> anyhow::Result<Self> {
        let lock = lock(&data.join(LOCK_FILE))?;
        let lock = lock.with_context(|| format!("another backup of {} is running", data.display()))?;
        Ok(Self { _lock: lock })
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "the picture of a backup stays until the next one");
        }
    }
}

impl Pins {
    /// Takes the picture, if the disk has the room; the turn keeps others from its folder.
    pub(super) async fn take(config: &Config, room: &Room, _turn: &Turn) -> anyhow::Result<Self> {
        let data = &config.data;
        let folder = data.join(PINS_FOLDER);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("can't remove {}", folder.display()))?;
        }
        private_folder(&folder)?;
        let mut pins = Self { folder, journal: Copied::default(), registry: RegistryKind::Sqlite };
        let frozen = Frozen::new(data).context("can't keep the journal from being reused")?;
        let copied_bytes = frozen.bytes()?.saturating_add(copied_bytes(config)?);
        room.ask(copied_bytes).context("no room to take the backup from")?;
        pins.followers(config, room)?;
        let last_device = pins.registry(config).await?;
        let is_known = |device: DeviceId| last_device.is_none_or(|last| device.0 <= last);
        pins.journal = frozen.copy_to(&pins.folder.join("journal"), &is_known, room)?;
        Ok(pins)
    }

    /// What follows the journal, and what stands beside it.
    fn followers(&self, config: &Config, room: &Room) -> anyhow::Result<()> {
        let data = &config.data;
        let archive = data.join(TRACKS_FOLDER);
        if archive.exists() {
            tracks::pin(&archive, &self.folder.join(TRACKS_FOLDER), room)
                .context("can't take the track archive")?;
        }
        pin_raw(data, &self.folder.join(RAW_FOLDER), room).context("can't take the raw archive")?;
        for name in COPIED_FILES {
            self.copy(&data.join(name), Path::new(name), room)?;
        }
        self.copy(&heads_file(config), Path::new(HEADS_FILE), room)?;
        for file in entries(&data.join(MIRROR_FOLDER))?.into_iter().filter(|file| file.is_file()) {
            if let Some(name) = file.file_name() {
                self.copy(&file, &Path::new(MIRROR_FOLDER).join(name), room)?;
            }
        }
        self.queues(&data.join(QUEUES_FOLDER), room)
    }

    /// The queues, each cursor before its files: what is confirmed meanwhile is sent again, and nothing is lost.
    fn queues(&self, queues: &Path, room: &Room) -> anyhow::Result<()> {
        for queue in entries(queues)?.into_iter().filter(|queue| queue.is_dir()) {
            let Some(name) = queue.file_name() else { continue };
            let to = Path::new(QUEUES_FOLDER).join(name);
            self.copy(&queue.join("cursor"), &to.join("cursor"), room)?;
            for file in entries(&queue)? {
                if let Some(name) =
                    file.file_name().filter(|_| file.extension().is_some_and(|kind| kind == "queue"))
                {
                    self.copy(&file, &to.join(name), room)?;
                }
            }
        }
        Ok(())
    }

    /// The registry; says which is the last device that it knows.
    async fn registry(&mut self, config: &Config) -> anyhow::Result<Option<u32>> {
        if !config.registry.url.is_empty() {
            self.registry = RegistryKind::Postgresql;
            return Ok(None);
        }
        let copied = copy_sqlite(&config.data, &self.folder.join(REGISTRY_FILE)).await;
        Ok(Some(copied.context("can't copy the registry")?.last_device))
    }

    /// Copies a file that may not be there.
    fn copy(&self, from: &Path, to: &Path, room: &Room) -> anyhow::Result<()> {
        let to = self.folder.join(to);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        }
        match room.copy(from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map(drop).with_context(|| format!("can't copy {}", from.display())),
        }
    }
}

/// Bytes that a picture copies onto the data disk, beside the journal.
fn copied_bytes(config: &Config) -> anyhow::Result<u64> {
    let data = &config.data;
    let mut copied: Vec<PathBuf> = COPIED_FILES.iter().map(|name| data.join(name)).collect();
    copied.extend([heads_file(config), data.join(MIRROR_FOLDER), data.join(QUEUES_FOLDER)]);
    if config.registry.url.is_empty() {
        // The copy has what the log has, and is no larger than both.
        let log = format!("{REGISTRY_FILE}-wal");
        copied.extend([data.join(REGISTRY_FILE), data.join(log)]);
    }
    // Links need one file system.
    let archives = [TRACKS_FOLDER, RAW_FOLDER].map(|name| data.join(name));
    copied.extend(archives.into_iter().filter(|archive| archive.exists() && !is_same_disk(archive, data)));
    copied.iter().try_fold(0_u64, |bytes, path| Ok(bytes.saturating_add(bytes_below(path)?)))
}

/// The entries of a folder, in order; none when it is not there.
pub(super) fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(|| format!("can't read {}", folder.display()))?,
    };
    let mut entries = read.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

/// Makes a folder that only its owner reads: backups hold keys.
pub(super) fn private_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("can't make {}", folder.display()))
}

/// The point in time of a picture.
pub(super) fn shown(at: UtcMillis) -> anyhow::Result<jiff::Timestamp> {
    Ok(jiff::Timestamp::from_millisecond(at.0)?)
}
