//! A disk that is full: `/dev/full` stands where the next file would be, so every write to it fails as such.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use super::*;

/// Has the next file of the day that is written find a full disk; gives back its number.
fn fill_disk(rig: &Rig) -> u64 {
    let day = rig.dir.path().join("tracks/day=2024-03-01");
    fs::create_dir_all(&day).unwrap();
    let next = rig.tracks.store().next_seq() + 1;
    symlink("/dev/full", day.join(format!("{next:08}.parquet.tmp"))).unwrap();
    next
}

fn is_full(error: &TracksError) -> bool {
    matches!(error, TracksError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
}

/// What lies in the folder of the day.
fn names(rig: &Rig) -> Vec<String> {
    let day = fs::read_dir(rig.dir.path().join("tracks/day=2024-03-01")).unwrap();
    let mut names: Vec<String> = day.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_during_a_flush_loses_nothing_and_leaves_nothing() {
    let mut rig = Rig::new(config(100_000));
    rig.append((0..2_000).map(|i| plain(1 + i % 3, i64::from(i))).collect());
    rig.advance();
    let refused = fill_disk(&rig);
    // The next try writes into a file of its own, so it may succeed before this one is told.
    let failure = rig.tracks.seal_now();
    if let Err(error) = failure {
        assert!(error.to_string().contains("No space left"), "{error}");
    }
    rig.check();
    while rig.tracks.seal_now().is_err() {}
    rig.check();
    assert_eq!((rig.tracks.checkpoint(), rig.tracks.stats().pending), (Lsn(2_000), 0));
    assert_eq!(names(&rig), [format!("{:08}.parquet", refused + 1)]);
    drop(rig.tracks.close());
    assert_eq!(verify(&rig.dir.path().join("tracks"), |_, _| {}).unwrap().rows, 2_000);
}

#[test]
fn a_full_disk_during_a_merge_changes_nothing() {
    let mut rig = Rig::new(config(100_000));
    for part in 0..2 {
        rig.append((0..900).map(|i| plain(1, part * 1_000 + i)).collect());
        rig.advance();
        rig.tracks.seal_now().unwrap();
    }
    let before = names(&rig);
    fill_disk(&rig);
    let error = rig.tracks.compact_all().unwrap_err();
    assert!(is_full(&error), "{error}");
    assert!(error.advice().contains("Make room"), "{}", error.advice());
    assert_eq!((names(&rig), rig.tracks.stats().files), (before, 2));
    rig.check();
    rig.tracks.compact_all().unwrap();
    assert_eq!(names(&rig).len(), 1);
    rig.check();
}
