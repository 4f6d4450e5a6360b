//! Sealing by age, failing disks, crashes around a merge, reading without a server.

use std::fs;
use std::time::{Duration, Instant};

use super::*;

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_old_table_is_sealed_and_an_idle_archive_moves_its_checkpoint() {
    let mut rig = Rig::new(config(1_000));
    rig.append(vec![plain(1, 0)]);
    rig.writer.advance(Lsn(8), UtcMillis(START_MS));
    assert_eq!(rig.tracks.store().state().active.len(), 1);
    rig.writer.advance(Lsn(16), UtcMillis(START_MS + 299_999));
    assert_eq!(rig.tracks.store().state().active.len(), 1);
    rig.writer.advance(Lsn(24), UtcMillis(START_MS + 300_000));
    assert_eq!(rig.tracks.store().state().active.len(), 0);
    wait_for_checkpoint(&rig.tracks, Lsn(24));
    assert_eq!(rig.tracks.stats().files, 1);

    // Heartbeats only: no rows, but the journal may be released.
    rig.writer.advance(Lsn(32), UtcMillis(START_MS + 700_000));
    wait_for_checkpoint(&rig.tracks, Lsn(32));
    assert_eq!(rig.tracks.stats().files, 1);
}

fn wait_for_checkpoint(tracks: &Tracks, lsn: Lsn) {
    let store = tracks.store();
    let mut state = store.state();
    while state.version.checkpoint != lsn {
        state = store.wait(state);
    }
}

#[test]
fn what_the_disk_refuses_stays_in_memory_until_it_does_not() {
    let mut rig = Rig::new(config(1_000));
    rig.append(vec![plain(1, 0), plain(1, 10)]);
    rig.advance();
    let obstacle = rig.dir.path().join("tracks/day=2024-03-01");
    fs::write(&obstacle, b"not a folder").unwrap();
    let error = rig.tracks.seal_now().unwrap_err();
    assert!(error.to_string().contains("day=2024-03-01"), "{error}");
    rig.check();
    assert_eq!((rig.tracks.checkpoint(), rig.tracks.stats().pending), (Lsn(0), 2));

    fs::remove_file(&obstacle).unwrap();
    // The sealer may be between two tries; the next one succeeds.
    while rig.tracks.seal_now().is_err() {}
    rig.check();
    assert_eq!((rig.tracks.checkpoint(), rig.tracks.stats().stored), (Lsn(2), 2));
}

#[test]
fn a_crash_between_the_commit_of_a_merge_and_its_clean_up_repeats_nothing() {
    let mut rig = Rig::new(config(1_000));
    for part in 0..2 {
        rig.append((0..5).map(|i| plain(1, part * 100 + i)).collect());
        rig.advance();
        rig.tracks.seal_now().unwrap();
    }
    let day = rig.dir.path().join("tracks/day=2024-03-01");
    let aside = tempfile::tempdir().unwrap();
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names(&day);
    for name in &before {
        fs::copy(day.join(name), aside.path().join(name)).unwrap();
    }
    rig.tracks.compact_all().unwrap();
    // What was merged goes when the last one who looks at it lets go, and the archive's own threads look, too.
    let deadline = Instant::now() + PATIENCE;
    while names(&day).len() > 1 {
        assert!(Instant::now() < deadline, "what was merged is still there: {:?}", names(&day));
        std::thread::yield_now();
    }
    let merged = names(&day);
    assert_eq!((before.len(), merged.len()), (2, 1));
    // As if the process had died before it removed what was merged.
    for name in &before {
        fs::copy(aside.path().join(name), day.join(name)).unwrap();
    }
    rig.crash();
    assert_eq!(names(&day), merged);
    rig.check();
}

/// Follows `next_from` to the end.
fn in_parts(tracks: &Tracks, options: TrackOptions) -> Vec<Row> {
    let mut from = Some(ALWAYS.0);
    let mut rows = Vec::new();
    while let Some(begin) = from {
        let part = tracks.track(DeviceId(1), begin, ALWAYS.1, options);
        assert!(part.next_from.is_none_or(|next| next > begin), "{:?}", part.next_from);
        assert!(part.rows.iter().all(|row| part.next_from.is_none_or(|next| row.fix.fix_time < next)));
        rows.extend(part.rows);
        from = part.next_from;
    }
    rows
}

#[test]
fn parts_of_any_size_hold_every_row_once_even_of_crowded_instants() {
    let mut rig = Rig::new(config(1_000));
    let at = |second: i64, speed: u16| {
        let record = plain(1, second);
        Record { fix: Fix { speed_dkmh: Some(speed), ..record.fix }, ..record }
    };
    // Six rows of one instant just before midnight, others on both days, and clocks that nobody believes.
    let crowded = (0..6).map(|speed| at(86_399, speed));
    let wrong = [-40 * 365 * 86_400, -40 * 365 * 86_400, -1_709_251_200, 400 * 86_400];
    let wrong = |speed| wrong.into_iter().map(move |second| at(second, speed));
    rig.append(crowded.chain([at(0, 1), at(0, 2), at(5, 3)]).chain(wrong(7)).collect());
    rig.advance();
    rig.tracks.seal_now().unwrap();
    rig.append([at(3, 1), at(86_400, 1), at(86_400, 2), at(90_000, 1)].into_iter().chain(wrong(8)).collect());
    rig.advance();
    for include_suspect in [false, true] {
        let options = TrackOptions::default().include_suspect(include_suspect);
        let all = rig.tracks.track(DeviceId(1), ALWAYS.0, ALWAYS.1, options);
        assert_eq!(all.rows.len(), if include_suspect { 19 } else { 15 }, "{:?}", all.rows);
        for rows_max in 1..=20 {
            let rows = in_parts(&rig.tracks, options.rows_max(rows_max));
            assert_eq!(rows, all.rows, "{rows_max} at a time, suspect: {include_suspect}");
        }
    }
}

#[test]
fn a_fix_falls_where_it_was_taken_or_received_if_its_clock_is_not_believed() {
    const HOUR_MS: i64 = 3_600_000;
    let mut rig = Rig::new(config(1_000));
    let at = |hour: i64| UtcMillis(START_MS + hour * HOUR_MS);
    let record = |hour: i64, fix_time: UtcMillis, lat_e7: i32| Record {
        device: DeviceId(1),
        received_at: UtcMillis(hour * HOUR_MS),
        fix: Fix::new(fix_time, lat_e7, 0),
        extra: Vec::new(),
    };
    // A fix an hour for three days. Now and then the clock is in 1984, a year ahead, or a day late, which is believed.
    let clocks = [at(-40 * 365 * 24), at(400 * 24), at(11)];
    for (half, hours) in [0..36, 36..72].into_iter().enumerate() {
        let wrong = |hour: i64| (0..).zip(clocks).map(move |(n, clock)| (hour, hour * 10 + n, clock));
        let wrong = hours.clone().step_by(10).flat_map(wrong);
        let wrong = wrong.map(|(hour, n, clock)| record(hour, clock, i32::try_from(n).unwrap()));
        rig.append(hours.map(|hour| record(hour, at(hour), 0)).chain(wrong).collect());
        rig.advance();
        if half == 0 {
            rig.tracks.seal_now().unwrap();
        }
    }
    let times = [at(38)..at(50), at(5)..at(12)];
    let falls = |row: &Row| times.iter().any(|time| time.contains(&row.believed_time()));
    for include_suspect in [false, true] {
        let options = TrackOptions::default().include_suspect(include_suspect);
        let mut all = rig.tracks.track(DeviceId(1), ALWAYS.0, ALWAYS.1, options).rows;
        assert_eq!(all.iter().any(Row::is_clock_suspect), include_suspect);
        all.retain(falls);
        assert!(
            all.iter().any(|row| row.fix.fix_time == at(48))
                && !all.iter().any(|row| row.fix.fix_time == at(20))
        );
        for rows_max in 1..=all.len() {
            let (mut from, mut rows) = (Some(ALWAYS.0), Vec::new());
            while let Some(begin) = from {
                let options = options.rows_max(rows_max);
                let part = rig.tracks.track_at(DeviceId(1), begin..ALWAYS.1, &times, options);
                let is_told = |next| all.iter().any(|row| [0, 1].contains(&(next - row.fix.fix_time.0)));
                assert!(
                    part.next_from.is_none_or(|next| is_told(next.0)),
                    "{:?} is nobody's",
                    part.next_from
                );
                rows.extend(part.rows);
                from = part.next_from;
            }
            assert_eq!(places(&rows), places(&all), "{rows_max} at a time, suspect: {include_suspect}");
        }
    }
    let received = rig.tracks.received_with_suspect_clock(DeviceId(1), at(38), at(50));
    assert!(
        received.rows.iter().all(|row| row.is_clock_suspect() && (at(38)..at(50)).contains(&row.received_at))
    );
    assert_eq!(received.rows.len(), 2, "those of the 46th hour");
}

fn places(rows: &[Row]) -> Vec<(UtcMillis, i32)> {
    rows.iter().map(|row| (row.fix.fix_time, row.fix.lat_e7)).collect()
}

#[test]
fn a_long_track_is_cut_at_the_front_rows() {
    let mut rig = Rig::new(config(1_000));
    // Over midnight, half in files, half in memory.
    rig.append((0..20).map(|i| plain(1, 86_390 + i)).collect());
    rig.advance();
    rig.tracks.seal_now().unwrap();
    rig.append((0..20).map(|i| plain(1, 86_410 + i)).collect());
    rig.advance();
    let all = rig.tracks.track(DeviceId(1), ALWAYS.0, ALWAYS.1, TrackOptions::default());
    assert_eq!((all.rows.len(), all.next_from), (40, None));
    for rows_max in [1, 9, 10, 11, 25, 39] {
        let cut =
            rig.tracks.track(DeviceId(1), ALWAYS.0, ALWAYS.1, TrackOptions::default().rows_max(rows_max));
        assert_eq!(
            (&cut.rows[..], cut.next_from),
            (&all.rows[..rows_max], Some(all.rows[rows_max].fix.fix_time))
        );
    }
    let second = |s: i64| UtcMillis(START_MS + s * 1_000);
    let window = rig.tracks.track(DeviceId(1), second(86_395), second(86_415), TrackOptions::default());
    assert_eq!(window.rows, all.rows[5..25]);
}

#[test]
fn without_a_server_files_and_the_rest_of_the_journal_make_the_whole() {
    let mut rig = Rig::new(config(1_000));
    rig.append((0..30).map(|i| plain(1 + i % 3, i64::from(i) * 4_000)).collect());
    rig.advance();
    rig.tracks.seal_now().unwrap();
    // A late duplicate, a suspect clock, and rows of a day that has no file yet.
    rig.append(vec![plain(1, 0), plain(2, -30 * 365 * 86_400), plain(3, 3 * 86_400 + 5)]);
    rig.advance();

    let archive = Archive::open(&rig.dir.path().join("tracks")).unwrap();
    let checkpoint = usize::try_from(archive.checkpoint().0).unwrap();
    assert_eq!(checkpoint, 30);
    let read = |selection: Selection| {
        let rest = rig.journal[checkpoint..].iter();
        let rest = rest.map(|r| (r.device, r.received_at, r.fix, r.extra.clone()));
        let rows = archive.rows(selection, tail_rows(rest, &selection));
        rows.collect::<Result<Vec<Row>, _>>().unwrap()
    };
    for device in 1..4 {
        for include_suspect in [false, true] {
            let device = DeviceId(device);
            let mut rows = read(Selection { device: Some(device), include_suspect, ..Selection::all() });
            rows.sort_by(Row::archive_cmp);
            assert_eq!(rows, expected(&rig.journal, device, include_suspect));
        }
    }
    let all = read(Selection::all());
    assert_eq!(all.len(), 32);
    assert!(all.is_sorted_by(|a, b| (a.partition(), a.key()) < (b.partition(), b.key())));
    let second = |s: i64| UtcMillis(START_MS + s * 1_000);
    let window = read(Selection { from: second(8_000), to: second(100_000), ..Selection::all() });
    let inside = |row: &&Row| row.fix.fix_time >= second(8_000) && row.fix.fix_time < second(100_000);
    assert_eq!(window, all.iter().filter(inside).cloned().collect::<Vec<_>>());
}

#[test]
fn an_archive_without_its_manifest_is_refused_and_left_alone() {
    let mut rig = Rig::new(config(1_000));
    rig.append(vec![plain(1, 0), plain(1, 86_400)]);
    rig.advance();
    rig.tracks.close().unwrap();
    let dir = rig.dir.path().join("tracks");
    fs::rename(dir.join(manifest::NAME), dir.join("manifest.json.lost")).unwrap();
    let refusals = [
        Tracks::open(&dir, &rig.config).map(drop),
        Tracks::checkpoint_in(&dir).map(drop),
        Archive::open(&dir).map(drop),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert_eq!(error.path(), Some(dir.as_path()));
        assert!(error.to_string().contains("manifest.json"), "{error}");
    }
    // Put back, it is as it was.
    fs::rename(dir.join("manifest.json.lost"), dir.join(manifest::NAME)).unwrap();
    assert_eq!(verify(&dir, |_, _| {}).unwrap().rows, 2);
}

#[test]
fn a_new_archive_has_a_manifest_before_it_has_files() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Tracks::checkpoint_in(dir.path()).unwrap(), Lsn(0));
    assert_eq!(Tracks::checkpoint_in(&dir.path().join("not made yet")).unwrap(), Lsn(0));
    let tracks = Tracks::open(dir.path(), &config(1_000)).unwrap();
    assert_eq!(verify(dir.path(), |_, _| {}).unwrap(), Verified::default());
    drop(tracks);
    // What a seal leaves that did not get to its commit.
    let day = dir.path().join("day=2024-03-01");
    fs::create_dir(&day).unwrap();
    fs::write(day.join("00000001.parquet"), b"not committed").unwrap();
    Tracks::open(dir.path(), &config(1_000)).unwrap();
    assert!(!day.exists());
}

/// An archive that can't write: a file is where the folder of the day should be.
fn obstructed(memory_rows_max: usize) -> (Rig, std::path::PathBuf) {
    let rig = Rig::new(config(memory_rows_max));
    let obstacle = rig.dir.path().join("tracks/day=2024-03-01");
    fs::write(&obstacle, b"not a folder").unwrap();
    (rig, obstacle)
}

/// Feeds three full tables, two of which may wait for the sealer, from a thread of its own as the fold does, and
/// asks for a stop when the writer waits. Gives back the rig once the writer came through, and the obstacle.
fn stop_while_full() -> (Rig, std::path::PathBuf) {
    let (rig, obstacle) = obstructed(10);
    let tracks = rig.tracks.clone();
    let fold = std::thread::spawn(move || {
        let mut rig = rig;
        for table in 0..3 {
            rig.append((0..10).map(|i| plain(1, table * 10 + i)).collect());
            rig.advance();
        }
        rig
    });
    let store = tracks.store();
    let mut state = store.state();
    while state.writer_waits == 0 {
        state = store.wait_for(state, Duration::from_millis(5));
    }
    drop(state);
    tracks.stop_waiting();
    (fold.join().unwrap(), obstacle)
}

#[test]
fn a_writer_that_waits_for_a_failing_disk_is_let_go_at_the_stop() {
    let (mut rig, _) = stop_while_full();
    assert_eq!((rig.tracks.stats().decoded, rig.tracks.stats().frozen_tables), (30, 2));
    // What comes after that is left to the journal: memory is full.
    rig.append((0..6).map(|i| plain(1, 100 + i)).collect());
    rig.writer.advance(Lsn(36), rig.now());
    assert_eq!((rig.writer.staged(), rig.tracks.stats().decoded), (0, 30));
    rig.check();
    assert!(rig.tracks.close().is_err());
    assert_eq!(rig.tracks.checkpoint(), Lsn(0));
    // The journal still has everything.
    fs::remove_file(rig.dir.path().join("tracks/day=2024-03-01")).unwrap();
    rig.crash();
    assert_eq!(rig.tracks.stats().decoded, 36);
    rig.check();
}

#[test]
fn after_a_stop_that_did_not_wait_the_last_seal_still_happens() {
    let (mut rig, obstacle) = stop_while_full();
    rig.append((0..6).map(|i| plain(1, 100 + i)).collect());
    rig.writer.advance(Lsn(36), rig.now());
    fs::remove_file(obstacle).unwrap();
    while rig.tracks.seal_now().is_err() {}
    rig.tracks.close().unwrap();
    // The six rows were not taken, and the checkpoint does not say they were.
    assert_eq!((rig.tracks.checkpoint(), rig.tracks.stats().stored), (Lsn(30), 30));
    rig.crash();
    rig.check();
    assert_eq!(rig.tracks.stats().decoded, 36);
}

#[test]
fn a_sound_archive_takes_everything_after_a_stop_and_seals_it() {
    let mut rig = Rig::new(config(10));
    rig.tracks.stop_waiting();
    for table in 0..8 {
        rig.append((0..10).map(|i| plain(1, table * 10 + i)).collect());
        rig.advance();
    }
    rig.append(vec![plain(2, 0)]);
    rig.advance();
    rig.tracks.close().unwrap();
    assert_eq!((rig.tracks.checkpoint(), rig.tracks.stats().stored), (Lsn(81), 81));
}

#[test]
fn an_empty_table_does_not_grow_old_behind_one_that_waits() {
    let (mut rig, _obstacle) = obstructed(1_000);
    rig.append(vec![plain(1, 0)]);
    rig.advance();
    for minutes in 1..60 {
        rig.writer.advance(Lsn(1 + minutes), UtcMillis(START_MS + minutes as i64 * 600_000));
    }
    assert_eq!(rig.tracks.stats().frozen_tables, 1);
}
