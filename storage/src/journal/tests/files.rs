//! Cut, flipped, emptied, doubled, missing and foreign files; syncs that fail and disks that fill up.

use std::path::{Path, PathBuf};

use super::model::{DATA, Life};
use super::sim_fs::{Fault, SimFs};
use super::*;
use crate::journal::queue::{AppendError, Health};
use crate::journal::segments::segment_name;
use crate::journal::writer::Outcome;
use crate::journal::{GapKind, archive, raw};

const SEGMENT: usize = 16 << 10;
const HEADER: u64 = 4_096;

fn journal_dir() -> PathBuf {
    Path::new(DATA).join("journal")
}

fn segment(base: u64) -> PathBuf {
    journal_dir().join(segment_name(base))
}

fn segments(fs: &SimFs) -> Vec<PathBuf> {
    let mut files = fs.files(&journal_dir());
    files.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    files
}

fn open(fs: &SimFs) -> Life {
    Life::open(fs, SEGMENT).unwrap()
}

/// A journal with these records, one a group, closed in order or left as a kill leaves it. Their addresses too.
fn journal_of(sent: &[Sent], clean: bool) -> (SimFs, Vec<Lsn>) {
    let fs = SimFs::new();
    let mut life = open(&fs);
    let ends = sent.iter().map(|sent| life.append_durably(sent)).collect();
    if clean {
        life.close();
    }
    (fs, ends)
}

fn numbered(count: u64, len: usize) -> Vec<Sent> {
    (0..count).map(|n| Sent::numbered(n, n as usize % 3 + 1, len)).collect()
}

fn sent_of(records: &[(Lsn, Sent)]) -> Vec<Sent> {
    records.iter().map(|(_, sent)| sent.clone()).collect()
}

#[test]
fn a_tail_cut_at_every_byte_keeps_every_group_before_the_cut() {
    let sent = numbered(6, 30);
    let (fs, ends) = journal_of(&sent, false);
    let path = segment(0);
    let content = fs.read(&path);
    let last = (HEADER + ends[5].0) as usize + 72;
    for cut in (HEADER + ends[2].0) as usize..=last {
        let fs = fs.copy();
        fs.put(&path, &content[..cut]);
        let mut life = open(&fs);
        // A record counts when the marker behind it (72 bytes) is there.
        let whole = ends.iter().filter(|end| (HEADER + end.0) as usize + 72 <= cut).count();
        let (records, gaps) = read_all(life.reader());
        assert_eq!(sent_of(&records), sent[..whole], "cut at {cut}");
        assert!(gaps.is_empty() && life.recovery.damaged.is_empty(), "cut at {cut}: {:?}", life.recovery);
        assert_eq!(life.recovery.records, whole as u64);
        let next = Sent::numbered(99, 1, 10);
        life.append_durably(&next);
        drop(life);
        let life = open(&fs);
        let (records, gaps) = read_all(life.reader());
        assert_eq!(records.len(), whole + 1, "cut at {cut}");
        assert_eq!(records[whole].1, next);
        assert!(gaps.is_empty(), "cut at {cut}: {gaps:?}");
    }
}

/// Bytes that fill the record up to a multiple of 8.
fn padding_of(sent: &Sent) -> u64 {
    let lengths = if sent.messages.len() == 1 { 0 } else { 2 * sent.messages.len() };
    let len = lengths + sent.messages.concat().len();
    (len.next_multiple_of(8) - len) as u64
}

/// Flips at every byte lose at most the record they hit, and say so.
fn flip_every_byte(clean: bool) {
    let sent = numbered(7, 20);
    let (fs, ends) = journal_of(&sent, clean);
    let path = segment(0);
    let content = fs.read(&path);
    let used = (HEADER + ends[6].0) as usize + 72;
    let (mut lost_any, mut unnamed) = (0, 0);
    for at in (0..4_096).step_by(3).chain(4_096..used) {
        let mut flipped = content.clone();
        flipped[at] ^= if at % 2 == 0 { 0x01 } else { 0xff };
        let fs = fs.copy();
        fs.put(&path, &flipped);
        let life = open(&fs);
        let (records, gaps) = read_all(life.reader());
        let recovery = &life.recovery;
        let lost: Vec<usize> = (0..sent.len())
            .filter(|&n| !records.iter().any(|(lsn, record)| *record == sent[n] && *lsn < ends[n]))
            .collect();
        assert_eq!(records.len() + lost.len(), sent.len(), "flip at {at}: a record came twice or changed");
        assert!(lost.len() <= 1, "flip at {at}: {lost:?}, {recovery:?}");
        for n in lost {
            lost_any += 1;
            let inside = (HEADER + ends[n].0) as usize;
            assert!(
                at < inside + 72 && (n == 0 || at >= (HEADER + ends[n - 1].0) as usize),
                "flip at {at}: {n}"
            );
            let named = gaps.iter().any(|gap| gap.from < ends[n] && ends[n] <= gap.to)
                || (recovery.durable < ends[n] && recovery.torn_bytes > 0);
            assert!(named, "flip at {at}: record {n} is missing silently: {gaps:?} {recovery:?}");
        }
        if clean && (HEADER as usize..used).contains(&at) {
            let lsn = at as u64 - HEADER;
            let named =
                gaps.iter().any(|gap| gap.from.0 <= lsn && lsn < gap.to.0 && gap.to.0 - gap.from.0 < 200);
            unnamed += usize::from(!named);
        }
    }
    assert!(lost_any > 400, "{lost_any}");
    // Only the zeros that fill a record up to 8 bytes carry nothing and are not checked.
    let padding: u64 = sent.iter().map(padding_of).sum();
    assert_eq!(unnamed as u64, if clean { padding } else { 0 });
}

#[test]
fn a_flip_at_every_byte_of_a_closed_segment_is_named_and_the_rest_is_read() {
    flip_every_byte(true);
}

#[test]
fn a_flip_at_every_byte_of_an_open_segment_is_named_and_the_rest_is_read() {
    flip_every_byte(false);
}

#[test]
fn damage_with_a_later_marker_is_damage_and_no_end() {
    let sent = numbered(5, 40);
    let (fs, ends) = journal_of(&sent, false);
    let mut content = fs.read(&segment(0));
    // The length field of the second record, and the payload of the third.
    let second = (HEADER + ends[0].0) as usize + 72;
    let third = (HEADER + ends[1].0) as usize + 72;
    content[second + 4] = 0xff;
    content[third + 50] ^= 4;
    fs.put(&segment(0), &content);
    let life = open(&fs);
    let range = |from: Lsn, to: Lsn| Lsn(from.0 + 72)..to;
    assert_eq!(life.recovery.damaged, [range(ends[0], ends[1]), range(ends[1], ends[2])]);
    let (records, gaps) = read_all(life.reader());
    assert_eq!(sent_of(&records), [sent[0].clone(), sent[3].clone(), sent[4].clone()]);
    assert_eq!(gaps.len(), 2);
    assert!(gaps.iter().all(|gap| gap.kind == GapKind::Damaged));
}

/// A journal of several segments; with the records and the bases of the segments.
fn long_journal(clean: bool) -> (SimFs, Vec<Sent>, Vec<u64>) {
    let sent = numbered(40, 400);
    let (fs, _) = journal_of(&sent, clean);
    let bases: Vec<u64> = segments(&fs)
        .iter()
        .map(|path| u64::from_str_radix(path.file_stem().unwrap().to_str().unwrap(), 16).unwrap())
        .collect();
    assert!(bases.len() >= 4, "{bases:?}");
    (fs, sent, bases)
}

/// Opens; checks that the records outside `hole` are there and that the hole is named.
fn assert_only_missing(fs: &SimFs, sent: &[Sent], hole: std::ops::Range<u64>, whole: &[(Lsn, Sent)]) {
    let mut life = open(fs);
    assert_eq!(life.recovery.damaged, [Lsn(hole.start)..Lsn(hole.end)], "{:?}", life.recovery);
    let (records, gaps) = read_all(life.reader());
    let expected: Vec<Sent> =
        whole.iter().filter(|(lsn, _)| !hole.contains(&lsn.0)).map(|(_, sent)| sent.clone()).collect();
    assert!(expected.len() < sent.len());
    assert_eq!(sent_of(&records), expected);
    assert_eq!(gaps, [Gap { from: Lsn(hole.start), to: Lsn(hole.end), kind: GapKind::Damaged }]);
    life.append_durably(&Sent::numbered(1_000, 1, 10));
    assert_eq!(read_all(life.reader()).0.len(), expected.len() + 1);
}

#[test]
fn a_missing_or_unreadable_segment_is_named_with_its_range() {
    for clean in [true, false] {
        let (fs, sent, bases) = long_journal(clean);
        let (whole, _) = read_all(open(&fs.copy()).reader());
        assert_eq!(sent_of(&whole), sent);
        let middle = bases.len() - 2;
        let hole = bases[middle]..bases[middle + 1];
        let missing = fs.copy();
        missing.take(&segment(hole.start));
        assert_only_missing(&missing, &sent, hole.clone(), &whole);
        for content in [vec![], vec![0; SEGMENT], vec![0x5a; SEGMENT]] {
            let damaged = fs.copy();
            damaged.put(&segment(hole.start), &content);
            assert_only_missing(&damaged, &sent, hole.clone(), &whole);
        }
    }
}

#[test]
fn a_missing_last_segment_is_named_when_the_journal_was_closed_in_order() {
    let (fs, sent, bases) = long_journal(true);
    let life = open(&fs.copy());
    let (whole, _) = read_all(life.reader());
    let hole = bases[bases.len() - 1]..life.recovery.durable.0;
    for content in [None, Some(vec![]), Some(vec![0; SEGMENT]), Some(vec![7; SEGMENT])] {
        let fs = fs.copy();
        match content {
            None => fs.take(&segment(hole.start)),
            Some(content) => fs.put(&segment(hole.start), &content),
        }
        assert_only_missing(&fs, &sent, hole.clone(), &whole);
    }
}

#[test]
fn an_unreadable_last_segment_never_has_its_addresses_given_out_again() {
    let (fs, _, bases) = long_journal(false);
    let last = bases[bases.len() - 1];
    let end = read_all(open(&fs.copy()).reader()).0.last().unwrap().0;
    fs.put(&segment(last), &[0x5a; SEGMENT]);
    let life = open(&fs);
    assert!(life.recovery.durable > end, "{:?}", life.recovery);
    assert_eq!(life.recovery.damaged, [Lsn(last)..life.recovery.durable]);
}

#[test]
fn empty_segments_at_the_end_are_normal() {
    for content in [vec![], vec![0; SEGMENT]] {
        let sent = numbered(3, 40);
        let (fs, _) = journal_of(&sent, false);
        let end = open(&fs.copy()).recovery.durable;
        fs.put(&segment(end.0), &content);
        let life = open(&fs);
        assert!(life.recovery.damaged.is_empty(), "{:?}", life.recovery);
        assert_eq!(life.recovery.durable, end);
        assert_eq!(sent_of(&read_all(life.reader()).0), sent);
    }
}

#[test]
fn doubled_and_foreign_files_are_named_and_left_alone() {
    let (fs, sent, bases) = long_journal(false);
    let copy = fs.read(&segment(bases[1]));
    let doubled = segment(bases[1] + 8);
    fs.put(&doubled, &copy);
    fs.put(&journal_dir().join("notes.txt"), b"mine");
    fs.put(&journal_dir().join("ABCDEF0123456789.seg"), b"not ours");
    let life = open(&fs);
    let mut foreign = life.recovery.foreign.clone();
    foreign.sort();
    let doubled_name = segment_name(bases[1] + 8);
    assert_eq!(foreign, [doubled_name.as_str(), "ABCDEF0123456789.seg", "notes.txt"]);
    assert!(life.recovery.damaged.is_empty());
    assert_eq!(sent_of(&read_all(life.reader()).0), sent);
    assert_eq!(fs.read(&doubled), copy);
    assert_eq!(fs.read(&journal_dir().join("notes.txt")), b"mine");
}

#[test]
fn a_reused_segment_does_not_replay_what_it_held_before() {
    let fs = SimFs::new();
    let mut life = open(&fs);
    let mut number = 0;
    // Every record is as long as every other, so that old ones lie just where new ones would be looked for.
    let mut fill = |life: &mut Life, count: u64| {
        for _ in 0..count {
            let sent = Sent { messages: vec![vec![number as u8; 500]], ..Sent::numbered(number, 1, 500) };
            life.append_durably(&sent);
            number += 1;
        }
    };
    while life.shared.counters.released_segments.load(std::sync::atomic::Ordering::Relaxed) < 6 {
        fill(&mut life, 30);
        life.archive(life.durable()).unwrap();
    }
    fill(&mut life, 45);
    let log = fs.log();
    let count =
        |what: &str, name: &str| log.iter().filter(|line| line.contains(what) && line.contains(name)).count();
    let (used, created) = (count("rename", ".seg"), count("create", "spare-"));
    assert!(used > created + 3, "segments are created instead of reused: {used} used, {created} created");
    drop(life);
    let mut life = open(&fs);
    for _ in 0..2 {
        let (records, gaps) = read_all(life.reader());
        assert!(records.is_sorted_by(|a, b| a.1.received_at < b.1.received_at), "an old record came back");
        assert_eq!(records.last().unwrap().1.received_at, Sent::numbered(number - 1, 1, 1).received_at);
        assert!(gaps.iter().all(|gap| gap.kind == GapKind::Released), "{gaps:?}");
        drop(life);
        life = open(&fs);
    }
}

#[test]
fn a_failed_sync_is_never_acknowledged_and_never_repeated_on_its_file() {
    let fs = SimFs::new();
    let mut life = open(&fs);
    let first = Sent::numbered(1, 1, 40);
    life.append_durably(&first);
    let before = life.durable();
    let second = Sent::numbered(2, 1, 40);
    let end = life.append(&second).unwrap();
    let calls = fs.calls();
    // The write, then the sync; then the creation of another segment fails as well.
    fs.plan(calls + 1, Fault::Error);
    fs.plan(calls + 2, Fault::Error);
    assert_eq!(life.round(), Outcome::Failed);
    assert_eq!(life.durable(), before, "published without a sync");
    assert_eq!(life.shared.queue.health(), Health::Failed);
    assert_eq!(life.append(&second), Err(AppendError::Unavailable(Health::Failed)));
    assert_eq!(sent_of(&read_all(life.reader()).0), std::slice::from_ref(&first));
    // With one failure only, the group goes to another file, under the same address.
    drop(life);
    fs.restart(1);
    let mut life = open(&fs);
    assert_eq!(sent_of(&read_all(life.reader()).0), std::slice::from_ref(&first));
    assert_eq!(life.append(&second), Ok(end));
    let calls = fs.calls();
    fs.plan(calls + 1, Fault::Error);
    assert_eq!(life.round(), Outcome::Done);
    assert!(life.durable() >= end);
    let log = fs.log();
    let failed = log.iter().rposition(|line| line.contains("sync #") && line.contains("Error")).unwrap();
    let file = log[failed].split(' ').find(|word| word.starts_with('#')).unwrap();
    assert!(!log[failed + 1..].iter().any(|line| line.split(' ').any(|word| word == file)), "{log:#?}");
    assert_eq!(life.shared.counters.write_failures.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(fs.retried_syncs(), 0);
    fs.restart(2);
    assert_eq!(sent_of(&read_all(open(&fs).reader()).0), [first, second]);
}

#[test]
fn a_full_disk_stops_appends_and_space_brings_them_back() {
    let fs = SimFs::new();
    let config = config::Journal { disk_reserve: Bytes(1 << 20), ..small_config(SEGMENT) };
    let mut life = Life::open_with(&fs, &config).unwrap();
    let sent = Sent::numbered(1, 1, 40);
    // The low-water mark: before anything fails.
    fs.set_free_bytes((1 << 20) - 1);
    life.keep();
    assert_eq!(life.append(&sent), Err(AppendError::Unavailable(Health::DiskFull)));
    fs.set_free_bytes(1 << 20);
    life.keep();
    assert_eq!(life.shared.queue.health(), Health::DiskFull, "the answer would change back and forth");
    fs.set_free_bytes(2 << 20);
    life.keep();
    life.append_durably(&sent);
    // The disk is full in earnest: what was taken is kept in memory and written once there is space.
    let second = Sent::numbered(2, 1, 40);
    let end = life.append(&second).unwrap();
    fs.plan(fs.calls(), Fault::DiskFull);
    assert_eq!(life.round(), Outcome::DiskFull);
    assert_eq!(life.append(&second), Err(AppendError::Unavailable(Health::DiskFull)));
    assert!(life.durable() < end);
    fs.set_free_bytes(0);
    life.keep();
    assert_eq!(life.shared.queue.health(), Health::DiskFull);
    fs.set_free_bytes(2 << 20);
    life.keep();
    fs.plan(fs.calls(), Fault::DiskFull);
    assert_eq!(life.round(), Outcome::DiskFull);
    life.keep();
    assert_eq!(life.round(), Outcome::Done);
    assert!(life.durable() >= end);
    fs.restart(3);
    assert_eq!(sent_of(&read_all(open(&fs).reader()).0), [sent, second]);
}

#[test]
fn a_journal_on_a_full_disk_opens_for_reading() {
    let sent = numbered(3, 40);
    let (fs, _) = journal_of(&sent, false);
    let calls = fs.calls();
    // Rewriting the unproven end and its sync, then the creation of the new segment.
    let probe = fs.copy();
    drop(open(&probe));
    let create = probe.log().iter().position(|line| line.contains("create")).unwrap() as u64;
    fs.plan(calls + create, Fault::DiskFull);
    let mut life = open(&fs);
    assert_eq!(life.shared.queue.health(), Health::DiskFull);
    assert_eq!(sent_of(&read_all(life.reader()).0), sent);
    life.keep();
    life.append_durably(&Sent::numbered(9, 1, 10));
    assert_eq!(read_all(life.reader()).0.len(), 4);
}

#[test]
fn a_segment_with_unreadable_ranges_is_archived_and_set_aside() {
    let (fs, sent, bases) = long_journal(true);
    let path = segment(bases[0]);
    let mut content = fs.read(&path);
    content[HEADER as usize + 60] ^= 1;
    fs.put(&path, &content);
    let life = open(&fs);
    life.archive(life.durable()).unwrap();
    assert!(fs.files(&journal_dir()).contains(&path.with_extension("bad")));
    let mut archived = Vec::new();
    let all = UtcMillis(i64::MIN)..=UtcMillis(i64::MAX);
    let report = raw::read_in(&fs, &Path::new(DATA).join("raw"), None, all, &mut |entry| {
        archived.push((entry.lsn, Sent::of(&entry.batch)));
    })
    .unwrap();
    assert_eq!(report.gaps.len(), 1, "{report:?}");
    assert_eq!(report.gaps[0].start, Lsn(0));
    archived.sort_by_key(|(lsn, _)| *lsn);
    assert_eq!(archived[0].1, sent[1]);
    archive::step(&life.shared).unwrap();
}

#[test]
fn a_segment_with_a_bad_sector_is_archived_without_it_and_holds_nothing_up() {
    let fs = SimFs::new();
    let mut life = Life::open(&fs, 64 << 10).unwrap();
    let ends: Vec<Lsn> = (0..300).map(|n| life.append_durably(&Sent::numbered(n, 1, 1_000))).collect();
    let archived = life.shared.segments.all().len() - 2;
    let limit = life.shared.segments.all()[archived].base;
    // The same sector of every segment.
    fs.spoil(HEADER + 20_480..HEADER + 20_992);
    life.archive(life.durable()).unwrap();
    assert_eq!(life.shared.segments.all().len(), 2);

    let mut found = Vec::new();
    let always = UtcMillis(i64::MIN)..=UtcMillis(i64::MAX);
    let raw = Path::new(DATA).join("raw");
    let report = raw::read_in(&fs, &raw, None, always, &mut |entry| found.push(entry.end)).unwrap();
    found.sort_unstable();
    assert_eq!(report.gaps.len(), archived);
    // 4 KiB are given up around the sector, and the rest of the records on its borders.
    assert!(report.gaps.iter().all(|gap| gap.end.0 - gap.start.0 < 7 << 10), "{:?}", report.gaps);
    let is_lost = |end: Lsn| report.gaps.iter().any(|gap| gap.start < end && end <= gap.end);
    let readable: Vec<Lsn> = ends.into_iter().filter(|end| end.0 <= limit && !is_lost(*end)).collect();
    assert_eq!(found, readable);
}
