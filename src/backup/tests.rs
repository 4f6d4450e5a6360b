//! What goes wrong around a backup: a second one, a target that is not what it was, a disk that is nearly full, a folder that is there.

use std::fs;
use std::path::{Path, PathBuf};

use motorpool_protocols::protocol::TerminalId;
use motorpool_protocols::{Protocol, UtcMillis};

use super::archive;
use super::pins::Turn;
use super::*;
use crate::config::Config;
use crate::ids::{DeviceId, LinkId};
use crate::journal::{Batch, Journal};
use crate::registry::{Enrol, Registry};

/// 2026-03-04T00:00:00Z.
const NOW: UtcMillis = UtcMillis(1_772_582_400_000);

/// A data folder, and where its backups go.
struct House {
    dir: tempfile::TempDir,
    config: Config,
}

impl House {
    /// One with a registry, and a journal with a message.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data: dir.path().join("data"), ..Config::default() };
        fs::create_dir(&config.data).unwrap();
        let registry = Registry::open(&config.data, &config).await.unwrap();
        let terminal = TerminalId::new("1").unwrap();
        let wanted = Enrol { protocol: Protocol::Jt808, terminal, name: None, profile: None };
        registry.enrol(&[wanted], "test", NOW).await.unwrap();
        registry.close().await;
        let (journal, _) = Journal::open(&config.data, &config.journal).unwrap();
        let batch = Batch {
            device: DeviceId(1),
            link: LinkId(1),
            protocol: Protocol::Jt808,
            received_at: NOW,
            ends: &[4],
            raw: b"~ok~",
        };
        journal.append(&batch).unwrap();
        journal.close();
        Self { dir, config }
    }

    fn data(&self) -> &Path {
        &self.config.data
    }

    fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn backup(&self, to: &Path) -> anyhow::Result<BackedUp> {
        backup(&self.config, to, |_, _| {}).await
    }

    /// The reason of a refusal.
    async fn refused(&self, to: &Path) -> String {
        format!("{:#}", self.backup(to).await.unwrap_err())
    }
}

#[tokio::test]
async fn a_second_backup_of_a_data_folder_does_not_touch_the_target_of_the_first() {
    let house = House::new().await;
    let (to, partial) = (house.place("kept.tar"), house.place("kept.tar.partial"));
    let running = Turn::take(house.data()).unwrap();
    fs::write(&partial, "what the first one wrote").unwrap();
    assert!(house.refused(&to).await.contains("is running"));
    assert_eq!(fs::read(&partial).unwrap(), b"what the first one wrote");
    let folder = house.place("kept");
    assert!(house.refused(&folder).await.contains("is running") && !folder.exists());
    drop(running);
    // Now that is what a killed one left.
    house.backup(&to).await.unwrap();
    check(&to, None).unwrap();
    assert!(!partial.exists());
}

#[tokio::test]
async fn two_data_folders_do_not_write_one_tar_file() {
    let house = House::new().await;
    let (to, partial) = (house.place("kept.tar"), house.place("kept.tar.partial"));
    let first = archive::Target::begin(&to).unwrap();
    assert!(house.refused(&to).await.contains("is running"));
    assert!(partial.exists(), "the first one's");
    drop(first);
    assert!(!partial.exists(), "what fails is of use to nobody");
    house.backup(&to).await.unwrap();
    assert!(house.refused(&to).await.contains("exists"));
    check(&to, None).unwrap();
}
