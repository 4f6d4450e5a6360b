//! Raw blocks as written and read.

use std::path::{Path, PathBuf};

use super::model::{DATA, Life};
use super::sim_fs::SimFs;
use super::*;
use crate::journal::raw::{self, Report};

const DAY: i64 = 86_400_000;
const MIDNIGHT: i64 = 1_700_006_400_000; // `date -u -d @1700006400`: 2023-11-15 00:00:00

fn raw_dir() -> PathBuf {
    Path::new(DATA).join("raw")
}

fn read(fs: &SimFs, device: Option<u32>, from: i64, to: i64) -> (Vec<Sent>, Report) {
    let mut found = Vec::new();
    let range = UtcMillis(from)..=UtcMillis(to);
    let device = device.map(DeviceId);
    let report = raw::read_in(fs, &raw_dir(), device, range, &mut |entry| found.push(Sent::of(&entry.batch)));
    (found, report.unwrap())
}

/// Journals `count` records of seven devices around midnight and archives all that may be.
fn archived(count: u64) -> (SimFs, Vec<Sent>) {
    let fs = SimFs::new();
    let mut life = Life::open(&fs, 64 << 10).unwrap();
    let mut sent = Vec::new();
    for n in 0..count {
        let record = Sent {
            received_at: MIDNIGHT + (n as i64 - 200) * 1_000,
            ..Sent::numbered(n, n as usize % 3 + 1, 150)
        };
        life.append(&record).unwrap();
        if n % 50 == 49 {
            life.round();
        }
        sent.push(record);
    }
    life.round();
    life.archive(life.durable()).unwrap();
    let (kept, _) = read_all(life.reader());
    sent.truncate(sent.len() - kept.len());
    assert!(sent.len() > 500, "{}", sent.len());
    (fs, sent)
}

#[test]
fn a_devices_messages_come_back_in_order_and_nobody_elses() {
    let (fs, sent) = archived(1_200);
    for device in 1..=8 {
        let (found, report) = read(&fs, Some(device), i64::MIN, i64::MAX);
        let expected: Vec<Sent> = sent.iter().filter(|sent| sent.device == device).cloned().collect();
        assert_eq!(found, expected);
        assert!(report.damaged.is_empty() && report.gaps.is_empty(), "{report:?}");
    }
    let (mut all, report) = read(&fs, None, i64::MIN, i64::MAX);
    all.sort_by_key(|sent| sent.received_at);
    assert_eq!(all, sent);
    assert_eq!(report.records, sent.len() as u64);
}

#[test]
fn messages_lie_in_the_utc_day_of_their_receipt() {
    let (fs, sent) = archived(1_200);
    let folders: Vec<String> = {
        let mut folders: Vec<String> = fs
            .files(&raw_dir())
            .iter()
            .map(|path| path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        folders.dedup();
        folders
    };
    assert_eq!(folders, ["day=2023-11-14", "day=2023-11-15"]);
    let (before, _) = read(&fs, None, i64::MIN, MIDNIGHT - 1);
    assert_eq!(before.len(), 200);
    let (within, report) = read(&fs, Some(3), MIDNIGHT - 10_000, MIDNIGHT + 10_000);
    let expected: Vec<Sent> = sent
        .iter()
        .filter(|sent| sent.device == 3 && (sent.received_at - MIDNIGHT).abs() <= 10_000)
        .cloned()
        .collect();
    assert_eq!(within, expected);
    assert!(report.blocks <= 3, "{report:?}");
}

#[test]
fn a_flipped_byte_is_found_and_the_rest_is_read() {
    let (fs, sent) = archived(1_200);
    let path = fs.files(&raw_dir()).pop().unwrap();
    let content = fs.read(&path);
    for at in (0..content.len()).step_by(content.len() / 300) {
        let fs = fs.copy();
        let mut flipped = content.clone();
        flipped[at] ^= 0x10;
        fs.put(&path, &flipped);
        let (found, report) = read(&fs, None, i64::MIN, i64::MAX);
        if found.len() < sent.len() {
            assert_eq!(report.damaged.len(), 1, "flip at {at}");
            assert_eq!(report.damaged[0].path, path);
        }
        assert!(found.iter().all(|found| sent.contains(found)), "flip at {at} changed a message");
    }
}

/// Journals twelve records on each of `days`, archives with a retention of three days, and lists what is left.
fn kept_of(days: &[i64]) -> Vec<String> {
    let fs = SimFs::new();
    let config = config::Journal { raw_retention_days: 3, ..small_config(16 << 10) };
    let mut life = Life::open_with(&fs, &config).unwrap();
    for day in days {
        for n in 0..12 {
            let at = MIDNIGHT + day * DAY + n;
            life.append_durably(&Sent { received_at: at, ..Sent::numbered(n as u64, 1, 1_000) });
        }
        // As it runs beside a server: day by day.
        life.archive(life.durable()).unwrap();
    }
    let files = fs.files(&raw_dir());
    let folder = |path: &PathBuf| path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let mut days: Vec<String> = files.iter().map(folder).collect();
    days.dedup();
    days
}

#[test]
fn a_day_of_a_clock_that_ran_wild_removes_no_other() {
    // The fourth day of records says 2036.
    let kept = kept_of(&[0, 1, 2, 4_500, 3]);
    let expected = ["day=2023-11-15", "day=2023-11-16", "day=2023-11-17", "day=2036-03-11"];
    assert!(expected.iter().all(|day| kept.iter().any(|kept| kept == day)), "{kept:?}");
}

#[test]
fn days_past_their_retention_are_removed() {
    let days = kept_of(&[0, 1, 2, 3, 4, 5, 6, 7]);
    let newest = days.last().unwrap().clone();
    assert!(days.len() <= 4 && newest.as_str() >= "day=2023-11-20", "{days:?}");
}
