//! Rows past their time go, held ones never do, and a crash at any step leaves one state or the other.

use std::fs;

use super::*;
use crate::room::Room;
use crate::tracks::{Due, DueDay, Expiry, due, pin};

/// Everything that was received before `limit`, but for what `is_held` says.
fn expiry(limit: i64, is_held: &(dyn Fn(&Row) -> bool + Sync)) -> Expiry<'_> {
    Expiry { received_before: UtcMillis(limit), is_held }
}

/// Removes what is due and says on how many days something was.
fn expire(tracks: &Tracks, expiry: &Expiry<'_>) -> usize {
    let Due { days, damaged } = due(tracks.dir(), expiry).unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    for day in &days {
        let gone = tracks.expire_day(day.day, expiry, &|| true).unwrap().unwrap();
        let rows = |day: &DueDay| (day.rows_due, day.rows_kept);
        assert_eq!(rows(&gone), rows(day), "what was announced is what goes");
    }
    days.len()
}

/// Ends the archive without a word and opens it again.
fn reopen(rig: &mut Rig) {
    let elsewhere = tempfile::tempdir().unwrap();
    rig.tracks = Tracks::open(elsewhere.path(), &rig.config).unwrap();
    rig.writer = rig.tracks.writer();
    rig.tracks = Tracks::open(&rig.dir.path().join("tracks"), &rig.config).unwrap();
}

/// Every row in files. A fix that came twice, once when nobody could believe its clock, is there twice.
fn all_rows(tracks: &Tracks) -> Vec<Row> {
    let rows = Archive::open(tracks.dir()).unwrap().rows(Selection::all(), Vec::new());
    rows.map(Result::unwrap).collect()
}

/// Everything of a row but its number within its second, which counts the rows that are there.
fn said(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("{:?}", Row { ordinal: 0, ..row.clone() })).collect()
}

/// An archive of two devices and three days, a late row among them, sealed; each fix received when it was made.
fn three_days() -> Rig {
    let mut rig = Rig::new(config(1_000));
    for day in 0..3_i64 {
        for n in 0..20 {
            let record = plain(1 + n % 2, day * 86_400 + i64::from(n) * 60);
            rig.writer.append(record.device, record.fix.fix_time, &record.fix, &[]);
        }
    }
    // A clock two days late: made on the first day, received on the third.
    let late = plain(1, 5_000);
    rig.writer.append(late.device, UtcMillis(START_MS + 2 * 86_400_000 + 7_000), &late.fix, &[]);
    rig.writer.advance(Lsn(61), UtcMillis(START_MS));
    rig.tracks.seal_now().unwrap();
    rig
}

const DAY_MS: i64 = 86_400_000;

#[test]
fn rows_go_by_when_they_were_received_and_whole_days_lose_their_files() {
    let rig = three_days();
    let nothing_held = |_: &Row| false;
    assert_eq!(expire(&rig.tracks, &expiry(START_MS, &nothing_held)), 0, "nothing is that old");

    assert_eq!(expire(&rig.tracks, &expiry(START_MS + DAY_MS, &nothing_held)), 1);
    let left = all_rows(&rig.tracks);
    assert_eq!(left.len(), 41, "the late row of the first day stays");
    assert!(left.iter().all(|row| row.received_at.0 >= START_MS + DAY_MS));

    assert_eq!(expire(&rig.tracks, &expiry(START_MS + 3 * DAY_MS, &nothing_held)), 3);
    assert!(all_rows(&rig.tracks).is_empty());
    let stats = rig.tracks.stats();
    assert_eq!((stats.files, stats.stored, stats.expired, stats.decoded), (0, 0, 61, 61));
    rig.tracks.close().unwrap();
    let again = Tracks::open(&rig.dir.path().join("tracks"), &rig.config).unwrap();
    assert_eq!((again.stats().expired, again.stats().decoded, again.checkpoint()), (61, 61, Lsn(61)));
    assert!(!rig.dir.path().join("tracks/day=2024-03-01").exists());
}

#[test]
fn a_held_device_keeps_its_rows_of_a_day_that_goes() {
    let rig = three_days();
    let is_held = |row: &Row| row.device == DeviceId(2);
    expire(&rig.tracks, &expiry(START_MS + 3 * DAY_MS, &is_held));
    let left = all_rows(&rig.tracks);
    assert_eq!(left.len(), 30);
    assert!(left.iter().all(is_held));
    assert_eq!(expire(&rig.tracks, &expiry(START_MS + 3 * DAY_MS, &is_held)), 0, "nothing is left to do");
    verify(rig.tracks.dir(), |_, _| {}).unwrap();
}

#[test]
fn a_day_stays_when_somebody_holds_more_of_it_before_it_goes() {
    let rig = three_days();
    let before = said(&all_rows(&rig.tracks));
    let folder = rig.dir.path().join("tracks/day=2024-03-01");
    let files = || fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>();
    let (day, files_before) = ("2024-03-01".parse().unwrap(), files());
    for held in [0, 2] {
        let is_held = move |row: &Row| row.device == DeviceId(held);
        let expiry = expiry(START_MS + 3 * DAY_MS, &is_held);
        assert_eq!(rig.tracks.expire_day(day, &expiry, &|| false).unwrap(), None);
        assert_eq!((said(&all_rows(&rig.tracks)), files()), (before.clone(), files_before.clone()));
    }
    assert_eq!(rig.tracks.stats().expired, 0);
}

#[test]
fn a_full_disk_keeps_days_that_are_partly_held_and_lets_whole_ones_go() {
    let rig = three_days();
    // Nothing is left of the disk for what stays of a day.
    rig.tracks.keep_free(u64::MAX);
    let is_held = |row: &Row| row.fix.fix_time.0 < START_MS + 600_000;
    let expiry = expiry(START_MS + 3 * DAY_MS, &is_held);
    let expire = |day: &str| rig.tracks.expire_day(day.parse().unwrap(), &expiry, &|| true);
    let refused = expire("2024-03-01").unwrap_err();
    assert!(refused.advice().contains("Make room"), "{refused}");
    assert_eq!(expire("2024-03-02").unwrap().unwrap().rows_due, 20);
    assert_eq!(all_rows(&rig.tracks).len(), 41);
}

#[test]
fn who_reads_while_a_day_goes_keeps_what_was_opened() {
    let rig = three_days();
    let archive = Archive::open(rig.tracks.dir()).unwrap();
    let mut rows = archive.rows(Selection::all(), Vec::new());
    rows.next().unwrap().unwrap();
    expire(&rig.tracks, &expiry(START_MS + 3 * DAY_MS, &|_| false));
    // The first day was open: it is read to its end. The others are gone, and no error.
    assert_eq!(rows.by_ref().map(Result::unwrap).count(), 20);
    assert!(rows.take_damaged().is_empty());
}

#[test]
fn a_kill_before_or_behind_the_commit_leaves_one_state_or_the_other() {
    let mut rig = three_days();
    let before = said(&all_rows(&rig.tracks));
    let root = rig.dir.path().join("tracks");
    let first_day = root.join("day=2024-03-01");
    let saved = tempfile::tempdir().unwrap();
    for file in fs::read_dir(&first_day).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, saved.path().join(path.file_name().unwrap())).unwrap();
    }
    let manifest = fs::read(root.join("manifest.json")).unwrap();
    let is_held = |row: &Row| row.device == DeviceId(2);
    let expiry = expiry(START_MS + 3 * DAY_MS, &is_held);
    rig.tracks.expire_day("2024-03-01".parse().unwrap(), &expiry, &|| true).unwrap().unwrap();
    let after = said(&all_rows(&rig.tracks));
    assert_eq!((before.len(), after.len()), (61, 50));

    // Killed behind the commit, before the old files were removed.
    for file in fs::read_dir(saved.path()).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, first_day.join(path.file_name().unwrap())).unwrap();
    }
    reopen(&mut rig);
    assert_eq!(said(&all_rows(&rig.tracks)), after);
    assert_eq!(fs::read_dir(&first_day).unwrap().count(), 1, "the old files are no part of the archive");

    // Killed before the commit: the new file is there, and no manifest names it.
    for file in fs::read_dir(saved.path()).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, first_day.join(path.file_name().unwrap())).unwrap();
    }
    fs::write(root.join("manifest.json"), &manifest).unwrap();
    reopen(&mut rig);
    assert_eq!(said(&all_rows(&rig.tracks)), before);
}

#[test]
fn what_is_pinned_outlives_a_merge_and_the_removal_of_its_days() {
    let rig = three_days();
    let before = said(&all_rows(&rig.tracks));
    let elsewhere = rig.dir.path().join("pinned");
    let pinned = pin(rig.tracks.dir(), &elsewhere, &Room::new(0, || Ok(u64::MAX))).unwrap();
    assert_eq!((pinned.checkpoint, pinned.files), (Lsn(61), 3));
    expire(&rig.tracks, &expiry(START_MS + 3 * DAY_MS, &|_| false));
    assert!(all_rows(&rig.tracks).is_empty());
    verify(&elsewhere, |_, _| {}).unwrap();
    let again = Tracks::open(&elsewhere, &rig.config).unwrap();
    assert_eq!(said(&all_rows(&again)), before);
}

#[test]
fn a_day_with_a_damaged_file_is_named_and_stays() {
    let rig = three_days();
    rig.tracks.close().unwrap();
    let file =
        fs::read_dir(rig.dir.path().join("tracks/day=2024-03-02")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    bytes[40] ^= 0x20;
    fs::write(&file, &bytes).unwrap();
    let nothing_held = |_: &Row| false;
    let expiry = expiry(START_MS + 3 * DAY_MS, &nothing_held);
    let Due { days, damaged } = due(rig.tracks.dir(), &expiry).unwrap();
    assert_eq!(days.len(), 2);
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0].path(), Some(file.as_path()));
    rig.tracks.expire_day("2024-03-02".parse().unwrap(), &expiry, &|| true).unwrap_err();
    assert!(file.exists());
}

#[test]
fn a_manifest_of_the_version_before_is_read_and_one_of_a_newer_program_is_refused() {
    let rig = three_days();
    rig.tracks.close().unwrap();
    let root = rig.dir.path().join("tracks");
    let path = root.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    // As version 1 wrote it: the checksum is taken over the text with that number 0.
    let crc_at = |text: &str| {
        let (before, behind) = text.split_once("\"crc32c\":").unwrap();
        let begin = before.len() + 9;
        begin..begin + behind.find(',').unwrap()
    };
    let mut old = text.replace("\"version\":2", "\"version\":1");
    let range = crc_at(&old);
    old.replace_range(range.clone(), "0");
    let crc = crc32c::crc32c(old.as_bytes()).to_string();
    old.replace_range(range.start..range.start + 1, &crc);
    fs::write(&path, &old).unwrap();
    let opened = Tracks::open(&root, &rig.config).unwrap();
    assert_eq!(opened.stats().stored, 61);
    drop(opened);

    fs::write(&path, text.replace("\"version\":2", "\"version\":99,\"shape\":\"unheard of\"")).unwrap();
    let error = Tracks::open(&root, &rig.config).unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("99") && error.contains("newer"), "{error}");
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    device: Option<u32>,
    from: i64,
    to: i64,
}

impl Hold {
    fn holds(&self, row: &Row) -> bool {
        self.device.is_none_or(|device| row.device == DeviceId(device))
            && [row.fix.fix_time.0, row.received_at.0].iter().any(|at| (self.from..self.to).contains(at))
    }
}

fn hold() -> impl Strategy<Value = Hold> {
    let from = START_MS - DAY_MS..START_MS + 2 * DAY_MS;
    (proptest::option::of(1_u32..4), from, 1_000..DAY_MS).prop_map(|(device, from, length)| Hold {
        device,
        from,
        to: from + length,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_held_is_removed_and_everything_else_that_is_due_is(
        records in proptest::collection::vec((record(), -DAY_MS..2 * DAY_MS), 1..80),
        holds in proptest::collection::vec(hold(), 0..3),
        limits in proptest::collection::vec(START_MS - DAY_MS..START_MS + 3 * DAY_MS, 1..4),
        crashes in any::<bool>(),
    ) {
        let mut rig = Rig::new(config(20));
        let mut received: Vec<i64> = records.iter().map(|(_, offset)| START_MS + offset).collect();
        received.sort_unstable();
        for (number, ((record, _), received_at)) in records.into_iter().zip(received).enumerate() {
            rig.writer.append(record.device, UtcMillis(received_at), &record.fix, &record.extra);
            rig.writer.advance(Lsn(number as u64 + 1), UtcMillis(START_MS));
        }
        rig.tracks.seal_now().unwrap();
        let before = all_rows(&rig.tracks);
        let is_held = |row: &Row| holds.iter().any(|hold| hold.holds(row));
        for limit in &limits {
            expire(&rig.tracks, &expiry(*limit, &is_held));
            if crashes {
                reopen(&mut rig);
            }
            rig.tracks.compact_all().unwrap();
        }
        let limit = UtcMillis(limits.iter().copied().max().unwrap());
        let expected: Vec<Row> =
            before.into_iter().filter(|row| row.received_at >= limit || is_held(row)).collect();
        prop_assert_eq!(said(&all_rows(&rig.tracks)), said(&expected));
        let stats = rig.tracks.stats();
        prop_assert_eq!(stats.decoded, stats.stored + stats.duplicates + stats.expired + stats.pending);
    }
}
