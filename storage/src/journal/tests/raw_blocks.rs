//! Raw blocks as written and read.

use std::path::{Path, PathBuf};

use super::model::{DATA, Life};
use super::sim_fs::SimFs;
use super::*;
use crate::journal::Entry;
use crate::journal::expire::{self, Held, Thinned};
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

/// Removes the days that have more than three newer ones, but for what `is_held` says.
fn expire(fs: &SimFs, is_held: &mut dyn FnMut(&Entry<'_>) -> bool) -> Vec<Thinned> {
    let mut gone = Vec::new();
    for day in expire::days_past_in(fs, &raw_dir(), 3).unwrap() {
        let mut held = Held { devices: &|_| true, record: &mut *is_held };
        gone.push(expire::thin_day_in(fs, &raw_dir(), day, &mut held, &|| true).unwrap().unwrap());
    }
    gone
}

/// Journals twelve records on each of `days`, archives with a retention of three days, and lists what is left.
fn kept_of(days: &[i64]) -> Vec<String> {
    let fs = SimFs::new();
    let mut life = Life::open_with(&fs, &small_config(16 << 10)).unwrap();
    for day in days {
        for n in 0..12 {
            let at = MIDNIGHT + day * DAY + n;
            life.append_durably(&Sent { received_at: at, ..Sent::numbered(n as u64, 1, 1_000) });
        }
        // As it runs beside a server: day by day.
        life.archive(life.durable()).unwrap();
        expire(&fs, &mut |_| false);
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

/// Five days of seven devices, archived, and what of them is in raw blocks.
fn five_days() -> (SimFs, Vec<Sent>) {
    let fs = SimFs::new();
    let mut life = Life::open_with(&fs, &small_config(16 << 10)).unwrap();
    for n in 0..600_u64 {
        let received_at = MIDNIGHT + n as i64 / 100 * DAY + n as i64;
        life.append_durably(&Sent { received_at, ..Sent::numbered(n, 1, 300) });
    }
    life.archive(life.durable()).unwrap();
    let (sent, report) = read(&fs, None, i64::MIN, i64::MAX);
    assert!(report.damaged.is_empty());
    (fs, sent)
}

#[test]
fn what_is_held_stays_byte_for_byte_and_nothing_else_of_its_day() {
    let (fs, sent) = five_days();
    let gone = expire(&fs, &mut |entry| entry.batch.device == DeviceId(3));
    let (left, report) = read(&fs, None, i64::MIN, i64::MAX);
    assert!(report.damaged.is_empty(), "{report:?}");
    let newest = sent.iter().map(|sent| sent.received_at / DAY).max().unwrap();
    let expected: Vec<Sent> =
        sent.iter().filter(|sent| sent.device == 3 || sent.received_at / DAY > newest - 4).cloned().collect();
    assert_eq!(left, expected);
    let removed: u64 = gone.iter().map(|gone| gone.records_due).sum();
    assert_eq!(removed, (sent.len() - left.len()) as u64);
    assert!(removed > 0 && gone.iter().any(|gone| gone.records_kept > 0), "{gone:?}");
    // Again, there is nothing left to do.
    assert!(
        expire(&fs, &mut |entry| entry.batch.device == DeviceId(3)).iter().all(|gone| gone.records_due == 0)
    );
}

#[test]
fn what_is_left_of_a_day_stays_when_somebody_holds_more_of_it_before_it_goes() {
    let (fs, sent) = five_days();
    let day = expire::days_past_in(&fs, &raw_dir(), 3).unwrap()[0];
    let files = fs.files(&raw_dir());
    for held_device in [0, 3] {
        let mut record = |entry: &Entry<'_>| entry.batch.device == DeviceId(held_device);
        let mut held = Held { devices: &|_| true, record: &mut record };
        let gone = expire::thin_day_in(&fs, &raw_dir(), day, &mut held, &|| false).unwrap();
        assert_eq!(gone, None);
        assert_eq!(fs.files(&raw_dir()), files, "nothing went, and nothing half done is left");
    }
    assert_eq!(read(&fs, None, i64::MIN, i64::MAX).0, sent);
}

#[test]
fn a_block_of_devices_that_nobody_holds_is_not_unpacked() {
    let (fs, _) = five_days();
    let day = expire::days_past_in(&fs, &raw_dir(), 3).unwrap()[0];
    let mut looked_at = 0;
    let mut record = |_: &Entry<'_>| {
        looked_at += 1;
        true
    };
    let mut held = Held { devices: &|devices| devices.contains(&DeviceId(100)), record: &mut record };
    let gone = expire::thin_day_in(&fs, &raw_dir(), day, &mut held, &|| true).unwrap().unwrap();
    assert!(gone.records_due > 0 && gone.records_kept == 0);
    assert_eq!(looked_at, 0);
}

#[test]
fn a_damaged_file_in_which_something_may_be_held_stays() {
    let (fs, _) = five_days();
    let day = expire::days_past_in(&fs, &raw_dir(), 3).unwrap()[0];
    let path = fs.files(&raw_dir())[0].clone();
    let mut content = fs.read(&path);
    content[40] ^= 1;
    fs.put(&path, &content);
    let mut held = Held { devices: &|_| true, record: &mut |_| false };
    let gone = expire::thin_day_in(&fs, &raw_dir(), day, &mut held, &|| true).unwrap().unwrap();
    assert_eq!(gone.damaged.len(), 1);
    assert_eq!(gone.damaged[0].path, path);
    assert_eq!(fs.read(&path), content);
}

#[test]
fn nothing_is_past_when_everything_is_kept_for_ever() {
    let (fs, _) = five_days();
    assert_eq!(expire::days_past_in(&fs, &raw_dir(), 0).unwrap(), [0_i64; 0]);
}
