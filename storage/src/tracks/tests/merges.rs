//! When files are merged by themselves, and when not: no room, a failing disk, a stop.

use std::fs;

use super::super::compact::{BEHIND_FILES, Job, Time, write};
use super::*;

/// A rig with `files` small files of one day, too young to be merged, and no room for a merge.
fn rig_with_files(files: i64) -> Rig {
    let mut rig = Rig::new(config(1_000));
    rig.tracks.keep_free(u64::MAX);
    for part in 0..files {
        rig.append((0..5).map(|i| plain(1, part * 100 + i)).collect());
        rig.advance();
        rig.tracks.seal_now().unwrap();
    }
    rig
}

fn names(rig: &Rig) -> Vec<std::ffi::OsString> {
    let day = fs::read_dir(rig.dir.path().join("tracks/day=2024-03-01")).unwrap();
    let mut names: Vec<_> = day.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn files_are_merged_only_while_there_is_room_for_it() {
    let rig = rig_with_files(3);
    let error = rig.tracks.compact_all().unwrap_err();
    let is_full = |error: &TracksError| matches!(error, TracksError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull);
    assert!(is_full(&error), "{error}");
    assert_eq!(names(&rig).len(), 3);
    rig.check();

    // Three files of one size are what the configuration asks for: the merger has waited for room only.
    rig.tracks.keep_free(0);
    let store = rig.tracks.store();
    let mut state = store.state();
    while state.version.files.values().flatten().count() != 1 {
        state = store.wait(state);
    }
    drop(state);
    rig.check();
}

#[test]
fn a_merge_in_spare_time_is_given_up_while_too_many_files_wait_for_it() {
    let is_given_up = |loose_files: usize| {
        // The first file of a day is in its final form as it is.
        let rig = rig_with_files(i64::try_from(loose_files).unwrap() + 1);
        assert_eq!(rig.tracks.stats().loose_files, loose_files as u64);
        let before = names(&rig);
        let store = rig.tracks.store();
        let (day, of_day) =
            store.state().version.files.iter().next().map(|(day, files)| (*day, files.clone())).unwrap();
        let job = Job { day, files: of_day[..2].to_vec(), is_whole: false };
        assert_eq!(
            write(store, &job, Time::Share).unwrap().map(|merged| merged.rows),
            Some(10),
            "it has its share"
        );
        let is_given_up = write(store, &job, Time::Spare).unwrap().is_none();
        assert_eq!(names(&rig), before, "what is not committed leaves nothing");
        is_given_up
    };
    assert!(!is_given_up(BEHIND_FILES));
    assert!(is_given_up(BEHIND_FILES + 1));
}

#[test]
fn a_merge_ends_when_the_archive_is_closed() {
    let rig = rig_with_files(2);
    let before = names(&rig);
    rig.tracks.keep_free(0);
    rig.tracks.close().unwrap();
    assert!(matches!(rig.tracks.compact_all(), Err(TracksError::Closed)));
    assert_eq!(names(&rig), before);
    rig.check();
}

#[test]
fn a_table_pays_for_the_best_compression_of_its_small_days_only() {
    let mut rig = Rig::new(config(1_000_000));
    // A busy day, and two of back-fill.
    rig.append((0..17_000).map(|i| plain(1 + i % 7, 2 * 86_400 + i64::from(i))).collect());
    rig.append((0..90).map(|i| plain(1, i)).chain((0..40).map(|i| plain(2, 86_400 + i))).collect());
    rig.advance();
    rig.tracks.seal_now().unwrap();
    let state = rig.tracks.store().state();
    let files: Vec<_> = state.version.files.values().flatten().collect();
    let found: Vec<_> = files.iter().map(|file| (file.meta.rows, file.meta.is_final)).collect();
    assert_eq!(found, [(90, true), (40, true), (17_000, false)]);
}
