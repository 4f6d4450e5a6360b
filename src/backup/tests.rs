//! What goes wrong around a backup: a second one, a target that is not what it was, a disk that is nearly full, a folder that is there.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use motorpool_protocols::protocol::TerminalId;
use motorpool_protocols::{Protocol, UtcMillis};

use super::archive;
use super::pins::{Turn, entries};
use super::*;
use crate::config::{Bytes, Config};
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
        backup(&self.config, to, Reread::Unnamed, |_, _| {}).await
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

/// Changes a bit of every stored content; says how many there are.
fn spoil(kept: &Path) -> usize {
    let folders = entries(&kept.join("objects")).unwrap().into_iter().filter(|folder| folder.is_dir());
    let files: Vec<PathBuf> = folders.flat_map(|folder| entries(&folder).unwrap()).collect();
    for file in &files {
        let mut bytes = fs::read(file).unwrap();
        bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
        fs::write(file, bytes).unwrap();
    }
    files.len()
}

#[tokio::test]
async fn what_an_interrupted_backup_left_is_read_before_it_is_used() {
    let house = House::new().await;
    let to = house.place("kept");
    let first = house.backup(&to).await.unwrap();
    // As if the power went while it was written: files of the right length, and no manifest.
    fs::rename(&first.written, first.written.with_extension("unfinished")).unwrap();
    assert!(spoil(&to) >= 2);
    let second = house.backup(&to).await.unwrap();
    assert!(second.new_bytes > 0);
    check(&to, None).unwrap();
    // What is right is kept.
    fs::rename(&second.written, second.written.with_extension("unfinished")).unwrap();
    let third = house.backup(&to).await.unwrap();
    assert!(third.new_bytes < second.new_bytes, "{third:?}");
    check(&to, None).unwrap();
}

#[tokio::test]
async fn what_decayed_since_the_newest_backup_is_stored_again_when_it_is_reread() {
    let house = House::new().await;
    let to = house.place("kept");
    house.backup(&to).await.unwrap();
    spoil(&to);
    assert!(check(&to, None).is_err());
    backup(&house.config, &to, Reread::All, |_, _| {}).await.unwrap();
    check(&to, None).unwrap();
}

#[tokio::test]
async fn an_earlier_backup_that_cannot_be_read_is_not_counted_on() {
    let house = House::new().await;
    let to = house.place("kept");
    let first = house.backup(&to).await.unwrap();
    fs::write(&first.written, "{}").unwrap();
    spoil(&to);
    house.backup(&to).await.unwrap();
    check(&to, None).unwrap();
}

#[tokio::test]
async fn no_backup_takes_the_room_that_the_journal_needs() {
    let mut house = House::new().await;
    house.config.journal.disk_reserve = Bytes(1 << 50);
    for to in [house.place("kept"), house.place("kept.tar")] {
        let refused = house.refused(&to).await;
        assert!(
            refused.contains("no room") && refused.contains("stay free so that the journal goes on"),
            "{refused}"
        );
        assert!(check(&to, None).is_err());
    }
    assert!(!house.data().join(PINS_FOLDER).exists() && !house.place("kept.tar.partial").exists());
}

#[tokio::test]
async fn a_target_on_the_data_disk_that_would_fill_it_is_refused_before_it_is_written() {
    let house = House::new().await;
    // Linked for the picture, which costs nothing, but not in the target.
    let raw = house.data().join("raw/day=2026-03-04");
    fs::create_dir_all(&raw).unwrap();
    fs::File::create(raw.join("0000000000000000.raw")).unwrap().set_len(1 << 42).unwrap();
    for to in [house.place("kept"), house.place("kept.tar.zst")] {
        let refused = house.refused(&to).await;
        assert!(refused.contains("goes to the disk of the data folder"), "{refused}");
    }
    assert!(!house.data().join(PINS_FOLDER).exists());
}

#[tokio::test]
async fn a_restore_fills_a_folder_that_is_there_without_replacing_it() {
    let house = House::new().await;
    let to = house.place("kept");
    house.backup(&to).await.unwrap();
    // What can't be replaced, as a mount point can't: the same folder must be there afterwards.
    let data = house.place("mounted");
    fs::create_dir_all(data.join("lost+found")).unwrap();
    let before = fs::metadata(&data).unwrap().ino();
    let mut with_slash = data.clone().into_os_string();
    with_slash.push("/");
    let restored = restore(&to, None, Path::new(&with_slash)).unwrap();
    assert_eq!(restored.problems, [""; 0]);
    assert_eq!(fs::metadata(&data).unwrap().ino(), before);
    let names: Vec<_> =
        entries(&data).unwrap().into_iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert!(names.iter().any(|name| name == "registry.sqlite") && names.iter().any(|name| name == "journal"));
    ensure_restored(&data).unwrap();
    assert!(!names.iter().any(|name| name == ".restoring"), "{names:?}");
    let refused = restore(&to, None, &data).unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
}

#[tokio::test]
async fn a_restore_makes_the_folder_that_a_slash_ends() {
    let house = House::new().await;
    let to = house.place("kept.tar");
    house.backup(&to).await.unwrap();
    let mut data = house.place("new").into_os_string();
    data.push("/");
    restore(&to, None, Path::new(&data)).unwrap();
    assert!(house.place("new/registry.sqlite").exists() && !house.place("new.restoring").exists());
}

#[tokio::test]
async fn a_restore_that_fails_or_was_interrupted_leaves_no_data_folder_to_start_on() {
    let house = House::new().await;
    let to = house.place("kept");
    house.backup(&to).await.unwrap();
    spoil(&to);
    let data = house.place("there");
    fs::create_dir(&data).unwrap();
    restore(&to, None, &data).unwrap_err();
    assert!(entries(&data).unwrap().is_empty());
    fs::create_dir(data.join(".restoring")).unwrap();
    for refused in [restore(&to, None, &data).unwrap_err(), ensure_restored(&data).unwrap_err()] {
        assert!(refused.to_string().contains("interrupted"), "{refused}");
    }
    let nowhere = house.place("nowhere");
    std::os::unix::fs::symlink(house.place("gone"), &nowhere).unwrap();
    assert!(restore(&to, None, &nowhere).unwrap_err().to_string().contains("leads nowhere"));
}
