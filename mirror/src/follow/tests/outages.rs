//! Servers that are killed with points in memory, and what is filled back while they come and go. The mirror's even clock goes when a
//! test says so: an outage takes as long as it needs to.

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
/// So much that a range is passed over long before `drive` of some hundred seconds is over.
const LAG_MAX: u64 = 40_000;
/// Before this, in nanoseconds, lie fixes of what is passed over only.
const OLD_NS: i64 = (BEGIN + 50_000) * 1_000_000;

/// Waits until the engine has everything, and has shown itself after the overlap.
fn settle_all(spine: &Spine, engine: &Engine, running: &Running) {
    wait_until(|| engine.points() == spine.points());
    wait_until(|| running.status.delivered.load(Relaxed) == spine.journal.durable().0);
    engine.pass_until(|| state(&spine.mirror_folder()).checkpoint == spine.journal.durable());
}

#[test]
fn what_a_server_forgot_when_it_was_killed_is_sent_again_however_long_it_was_away() {
    let mut spine = Spine::new();
    let engine = Engine::default();
    let running = Running::start(&spine, &engine, NO_LIMIT, OVERLAP);
    drive(&mut spine, 0..40);
    settle_all(&spine, &engine, &running);
    let (before, written) = (spine.points().len() as u64, engine.written.load(Relaxed));
    drive(&mut spine, 40..60);
    wait_until(|| engine.points() == spine.points());
    engine.kill();
    assert_eq!(engine.points().len() as u64, before);
    drive(&mut spine, 60..70);
    wait_until(|| running.status.trouble().is_some());
    engine.pass(DAY);
    drive(&mut spine, 70..80);
    engine.start_again();
    wait_until(|| engine.points() == spine.points());
    // What it had on its disk for sure is not sent again: what was lost twice, and no more.
    let fresh = spine.points().len() as u64 - before;
    let again = engine.written.load(Relaxed) - written;
    assert!(again < 2 * fresh, "{again} lines for {fresh} points");
    running.end();
}

#[test]
fn a_server_that_is_away_while_nothing_comes_is_found_out() {
    let mut spine = Spine::new();
    let engine = Engine::default();
    let running = Running::start(&spine, &engine, NO_LIMIT, OVERLAP);
    drive(&mut spine, 0..20);
    wait_until(|| engine.points() == spine.points());
    engine.kill();
    // No car says anything: the question does it.
    engine.pass_until(|| running.status.trouble().is_some());
    engine.pass(DAY);
    assert_eq!(state(&spine.mirror_folder()).checkpoint, Lsn(0), "nothing is settled by time alone");
    engine.start_again();
    engine.pass_until(|| engine.points() == spine.points());
    running.end();
}

#[test]
fn a_stop_in_mid_outage_begins_where_the_servers_disk_was_sure() {
    let mut spine = Spine::new();
    let engine = Engine::default();
    let running = Running::start(&spine, &engine, NO_LIMIT, OVERLAP);
    drive(&mut spine, 0..20);
    settle_all(&spine, &engine, &running);
    let sure = spine.journal.durable();
    drive(&mut spine, 20..40);
    wait_until(|| engine.points() == spine.points());
    engine.kill();
    drive(&mut spine, 40..50);
    wait_until(|| running.status.trouble().is_some());
    engine.pass(DAY);
    running.end();
    assert_eq!(state(&spine.mirror_folder()).checkpoint, sure);
    engine.start_again();
    let running = Running::start(&spine, &engine, NO_LIMIT, OVERLAP);
    wait_until(|| engine.points() == spine.points());
    running.end();
}

#[test]
fn what_is_passed_over_in_mid_outage_begins_where_the_servers_disk_was_sure() {
    let mut spine = Spine::new();
    let engine = Engine::default();
    let running = Running::start(&spine, &engine, LAG_MAX, OVERLAP);
    drive(&mut spine, 0..40);
    settle_all(&spine, &engine, &running);
    let sure = spine.journal.durable();
    drive(&mut spine, 40..80);
    wait_until(|| engine.points() == spine.points());
    engine.kill();
    drive(&mut spine, 80..90);
    wait_until(|| running.status.trouble().is_some());
    engine.pass(DAY);
    drive(&mut spine, 90..500);
    wait_until(|| !state(&spine.mirror_folder()).owed.is_empty());
    assert_eq!(state(&spine.mirror_folder()).owed[0].from, sure);
    engine.start_again();
    spine.tracks.seal_now().unwrap();
    engine.pass_until(|| running.status.owed.load(Relaxed) == 0);
    wait_until(|| engine.points() == spine.points());
    running.end();
}

/// A journal whose older part was passed over, in files; the engine is up and has nothing of it.
fn owing(engine: &Engine) -> Spine {
    let mut spine = Spine::new();
    engine.kill();
    let running = Running::start(&spine, engine, LAG_MAX, OVERLAP);
    drive(&mut spine, 0..400);
    wait_until(|| !state(&spine.mirror_folder()).owed.is_empty());
    let durable = spine.journal.durable().0;
    wait_until(|| durable - running.status.delivered.load(Relaxed) <= LAG_MAX);
    running.end();
    spine.tracks.seal_now().unwrap();
    engine.start_again();
    spine
}

#[test]
fn what_was_filled_back_and_forgotten_is_filled_back_again() {
    let engine = Engine::default();
    let spine = owing(&engine);
    // The range has to wait until everything else is there.
    *engine.refused_before.lock().unwrap() = OLD_NS;
    let running = Running::start(&spine, &engine, NO_LIMIT, OVERLAP);
    wait_until(|| running.status.trouble().is_some_and(|error| error.trouble == Trouble::Configuration));
    *engine.refused_before.lock().unwrap() = 0;
    // Killed in the middle of it, and again.
    for writes in [20, 40] {
        *engine.writes_left.lock().unwrap() = Some(writes);
        engine.pass_until(|| engine.is_away.load(Relaxed));
        wait_until(|| running.status.trouble().is_some());
        engine.pass(DAY);
        engine.start_again();
        engine.pass_until(|| running.status.trouble().is_none());
    }
    // And when all of it was sent, and not settled.
    wait_until(|| engine.points() == spine.points());
    assert_eq!(running.status.owed.load(Relaxed), 1);
    engine.kill();
    assert!(engine.points().len() < spine.points().len());
    engine.pass_until(|| running.status.trouble().is_some());
    engine.pass(DAY);
    engine.start_again();
    engine.pass_until(|| running.status.owed.load(Relaxed) == 0);
    wait_until(|| engine.points() == spine.points());
    running.end();
    assert!(state(&spine.mirror_folder()).owed.is_empty());
}

#[test]
fn a_start_goes_on_filling_back_where_it_was() {
    let engine = Engine::default();
    let spine = owing(&engine);
    let wanted = spine.points().len() as u64;
    for _ in 0..3 {
        let running = Running::start(&spine, &engine, NO_LIMIT, Duration::ZERO);
        let written = engine.written.load(Relaxed);
        wait_until(|| engine.written.load(Relaxed) > written + wanted / 10);
        running.end();
    }
    let running = Running::start(&spine, &engine, NO_LIMIT, Duration::ZERO);
    wait_until(|| running.status.owed.load(Relaxed) == 0);
    wait_until(|| engine.points() == spine.points());
    running.end();
    // What is under way at a stop is sent again: a batch, or an instant of it.
    let again = engine.written.load(Relaxed) - wanted;
    assert!(again < 100, "{again} of {wanted} twice");
}

#[test]
fn a_range_that_the_server_does_not_take_is_not_in_the_way() {
    let engine = Engine::default();
    let mut spine = owing(&engine);
    *engine.refused_before.lock().unwrap() = OLD_NS;
    let running = Running::start(&spine, &engine, NO_LIMIT, OVERLAP);
    for round in 0..4 {
        let begin = 1_000 + round * 10;
        drive(&mut spine, begin..begin + 10);
        let newest = || engine.points().keys().map(|(_, time)| time.parse().unwrap_or(0)).max();
        engine.pass_until(|| newest() >= Some((BEGIN + (begin + 9) * 1_000) * 1_000_000));
    }
    assert_eq!(running.status.owed.load(Relaxed), 1);
    *engine.refused_before.lock().unwrap() = 0;
    engine.pass_until(|| running.status.owed.load(Relaxed) == 0);
    wait_until(|| engine.points() == spine.points());
    running.end();
}

/// Has the largest file of the archive be there and not be opened while `meanwhile` runs.
fn unreadable(spine: &Spine, meanwhile: impl FnOnce()) {
    let file = parquet_file(&spine.folder.path().join("tracks"));
    let aside = spine.folder.path().join("aside");
    std::fs::rename(&file, &aside).unwrap();
    // A link to itself.
    std::os::unix::fs::symlink(&file, &file).unwrap();
    meanwhile();
    std::fs::remove_file(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
}

#[test]
fn a_file_that_cant_be_opened_for_a_moment_is_waited_for() {
    let engine = Engine::default();
    let spine = owing(&engine);
    let mut running = None;
    // What comes in has to be numbered by what is there.
    unreadable(&spine, || {
        let running = running.insert(Running::start(&spine, &engine, NO_LIMIT, OVERLAP));
        wait_until(|| running.status.archive_failures.load(Relaxed) > 0);
    });
    let running = running.unwrap();
    *engine.refused_before.lock().unwrap() = OLD_NS;
    wait_until(|| running.status.trouble().is_some_and(|error| error.trouble == Trouble::Configuration));
    // And then the range that is owed.
    let before = running.status.archive_failures.load(Relaxed);
    unreadable(&spine, || {
        *engine.refused_before.lock().unwrap() = 0;
        engine.pass_until(|| running.status.archive_failures.load(Relaxed) > before + 2);
        assert_eq!(running.status.owed.load(Relaxed), 1);
    });
    engine.pass_until(|| running.status.owed.load(Relaxed) == 0);
    wait_until(|| engine.points() == spine.points());
    running.end();
}

#[test]
fn what_a_file_does_not_hold_any_more_is_given_up() {
    let engine = Engine::default();
    let spine = owing(&engine);
    let file = parquet_file(&spine.folder.path().join("tracks"));
    let len = std::fs::metadata(&file).unwrap().len();
    std::fs::write(&file, vec![0; usize::try_from(len).unwrap()]).unwrap();
    let running = Running::start(&spine, &engine, NO_LIMIT, OVERLAP);
    engine.pass_until(|| running.status.owed.load(Relaxed) == 0);
    assert_eq!(running.status.archive_failures.load(Relaxed), 0);
    running.end();
}

/// The largest file of an archive.
fn parquet_file(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "parquet") {
                files.push((std::fs::metadata(&path).unwrap().len(), path));
            }
        }
    }
    files.into_iter().max().unwrap().1
}
