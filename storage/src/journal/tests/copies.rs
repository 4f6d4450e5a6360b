//! A journal copied beside its writer: whole up to a group, no further than what is known, and nothing goes meanwhile.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::journal::copy::raw_names;
use crate::journal::verify::{each_event, verify};
use crate::journal::{Event, Frozen, JournalError, pin_raw};
use crate::room::Room;

/// A disk that is never full.
fn endless() -> Room {
    Room::new(0, || Ok(u64::MAX))
}

/// What is readable in a data folder.
fn sent_in(data: &Path) -> Vec<Sent> {
    let mut sent = Vec::new();
    each_event(data, Lsn(0), &mut |event| {
        match event {
            Event::Entry(entry) => sent.push(Sent::of(&entry.batch)),
            Event::Gap(gap) => panic!("{gap:?}"),
        }
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    sent
}

fn append_all(journal: &Journal, numbers: std::ops::Range<u64>) {
    for n in numbers {
        append_durably(journal, &Sent::numbered(n, 2, 200));
    }
}

#[test]
fn a_copy_beside_a_writer_holds_everything_acknowledged_before_it_and_opens() {
    let (data, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (journal, _) = Journal::open(data.path(), &small_config(64 << 10)).unwrap();
    append_all(&journal, 0..2_000);
    let acknowledged = journal.durable();
    let copied = std::thread::scope(|scope| {
        // Load goes on while the copy is made.
        let writing = scope.spawn(|| append_all(&journal, 2_000..4_000));
        let frozen = Frozen::new(data.path()).unwrap();
        let copied = frozen.copy_to(&target.path().join("journal"), &|_| true, &endless()).unwrap();
        writing.join().unwrap();
        copied
    });
    assert!(copied.end >= acknowledged && copied.begin == Lsn(0), "{copied:?}");
    let copy = sent_in(target.path());
    assert!(copy.len() >= 2_000 && copy == sent_in(data.path())[..copy.len()]);
    assert!(verify(target.path()).unwrap().problems.is_empty());
    let (opened, recovery) = Journal::open_after(target.path(), &small_config(64 << 10), copied.end).unwrap();
    assert_eq!((recovery.durable, &recovery.damaged[..]), (copied.end, &[][..]));
    assert_eq!(opened.last_received_at(), copied.last_received_at);
}

#[test]
fn a_copy_ends_before_the_first_group_with_a_device_that_is_not_known() {
    let (data, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (journal, _) = Journal::open(data.path(), &small_config(64 << 10)).unwrap();
    for n in 0..50 {
        // Sent::numbered gives seven devices; from here on the eighth comes too.
        let sent = Sent { device: if n >= 30 { 8 } else { 1 }, ..Sent::numbered(n, 1, 4_000) };
        append_durably(&journal, &sent);
    }
    let frozen = Frozen::new(data.path()).unwrap();
    frozen.copy_to(&target.path().join("journal"), &|device| device != DeviceId(8), &endless()).unwrap();
    let copy = sent_in(target.path());
    assert_eq!(copy.len(), 30);
    assert_eq!(copy.iter().map(|sent| sent.device).collect::<BTreeSet<_>>(), BTreeSet::from([1]));
}

#[test]
fn no_segment_is_let_go_while_somebody_copies() {
    let data = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(data.path(), &small_config(16 << 10)).unwrap();
    let consumer = journal.consumer("test");
    let frozen = Frozen::new(data.path()).unwrap();
    append_all(&journal, 0..1_000);
    let segments = journal.stats().segments;
    consumer.set_checkpoint(journal.durable()).unwrap();
    // The archive thread was rung by that; it must have looked at least once.
    std::thread::yield_now();
    assert!(segments > 4 && journal.stats().segments >= segments && journal.oldest() == Lsn(0));
    drop(frozen);
    consumer.set_checkpoint(journal.durable()).unwrap();
    while journal.stats().released_segments == 0 {
        consumer.set_checkpoint(journal.durable()).unwrap();
        std::thread::yield_now();
    }
    assert!(journal.oldest() > Lsn(0));
}

#[test]
fn a_copy_ends_before_it_takes_the_room_that_the_journal_needs() {
    let (data, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (journal, _) = Journal::open(data.path(), &small_config(64 << 10)).unwrap();
    append_all(&journal, 0..500);
    let frozen = Frozen::new(data.path()).unwrap();
    assert!(frozen.bytes().unwrap() >= 64 << 10);
    let full = Room::new(1 << 30, || Ok(1 << 30));
    let refused = frozen.copy_to(&target.path().join("journal"), &|_| true, &full).unwrap_err();
    let JournalError::Io { source, .. } = refused else { panic!("{refused}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn a_day_of_raw_files_that_goes_meanwhile_has_none() {
    let data = tempfile::tempdir().unwrap();
    let day = data.path().join("raw/day=2026-03-04");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(day.join("0000000000000000.raw"), b"x").unwrap();
    std::fs::write(day.join("0000000000000000.raw.tmp"), b"x").unwrap();
    assert_eq!(raw_names(&day).unwrap(), ["0000000000000000.raw"]);
    assert_eq!(pin_raw(data.path(), &data.path().join("pinned"), &endless()).unwrap(), 1);
    std::fs::remove_dir_all(&day).unwrap();
    assert!(raw_names(&day).unwrap().is_empty());
}
