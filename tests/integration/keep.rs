//! What is kept, for how long, and how it comes back: retention, holds, backups, damaged files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use motorpool::config::{Bytes, Config};
use motorpool::ids::{DeviceId, LinkId, Lsn};
use motorpool::journal::{Batch, Journal, raw};
use motorpool::tracks::Tracks;
use motorpool_protocols::{Fix, Protocol, UtcMillis};
use serde_json::Value;

use crate::support::{MOTORPOOL, Served, can_inject, motorpool, motorpool_ok, scratch, text, wait_until};

/// 2019-03-01T00:00:00Z.
const LONG_AGO: i64 = 1_551_398_400_000;
const DAY_MS: i64 = 86_400_000;

/// Load over real links, in a process of its own: 2,000 fixes a second, which leaves room for the tests beside it.
fn load(server: &Served, seconds: &str) -> Child {
    let (to, api) = (server.trackers.to_string(), format!("http://{}", server.http));
    Command::new(MOTORPOOL)
        .args([
            "simulate",
            "--protocol",
            "jt808",
            "--vehicles",
            "20",
            "--interval",
            "0.01",
            "--duration",
            seconds,
        ])
        .args(["--to", &to, "--api", &api, "--enrol", &server.token, "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn end_of(load: Child) {
    let output = load.wait_with_output().unwrap();
    let report: Value =
        serde_json::from_str(String::from_utf8(output.stdout).unwrap().lines().last().unwrap()).unwrap();
    assert_eq!(report["lost"], 0, "{report}");
}

/// Loads until there are so many rows, however slow the machine is.
fn load_rows(server: &Served, rows_min: f64) {
    wait_until(|| {
        end_of(load(server, "1"));
        server.wait_consumed();
        (server.metric("motorpool_fixes_decoded_total") > rows_min).then_some(())
    });
}

/// The rows of an export.
fn rows(data: &Path, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["tracks", "export", "--data", text(data), "--format", "csv"];
    all.extend(arguments);
    let output = motorpool(&all);
    String::from_utf8(output.stdout).unwrap().lines().skip(1).map(str::to_owned).collect()
}

fn set(rows: &[String]) -> BTreeSet<&String> {
    let set: BTreeSet<_> = rows.iter().collect();
    assert_eq!(set.len(), rows.len(), "a row is there twice");
    set
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &place);
        } else {
            fs::copy(&path, &place).unwrap();
        }
    }
}

fn files_with(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, extension));
        } else if path.extension().is_some_and(|kind| kind == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_backup_under_load_is_restored_elsewhere_with_everything_acknowledged_before_it() {
    let (folder, target, elsewhere) = (scratch(), scratch(), scratch());
    // Small tables, so that files are sealed and merged while the backup runs.
    let small =
        [("MOTORPOOL__TRACKS__MEMORY_ROWS_MAX", "2000"), ("MOTORPOOL__TRACKS__COMPACT_FILES_MIN", "2")];
    let server = Served::start_with(folder.path(), &small);
    load_rows(&server, 1_000.0);
    let acknowledged = rows(folder.path(), &[]);
    assert!(acknowledged.len() > 1_000, "{}", acknowledged.len());

    let running = load(&server, "4");
    let to = target.path().join("kept");
    let archive = target.path().join("kept.tar.zst");
    let backup = |to: &Path| -> Value {
        let out = motorpool_ok(&["backup", "--data", text(folder.path()), "--to", text(to), "--json"]);
        serde_json::from_str(&out).unwrap()
    };
    let first = backup(&to);
    backup(&archive);
    let second = backup(&to);
    end_of(running);
    server.wait_consumed();
    server.kill();
    assert!(!folder.path().join("backup.pins").exists());
    assert!(second["new_bytes"].as_u64() < second["bytes"].as_u64(), "{second}");
    assert_ne!(first["id"], second["id"]);

    let server = Served::start_with(folder.path(), &small);
    server.wait_consumed();
    let everything = rows(folder.path(), &[]);
    server.stop();
    let point = first["id"].as_str().unwrap().to_owned();
    for (number, from) in
        [vec![text(&to)], vec![text(&to), "--at", &point], vec![text(&archive)]].iter().enumerate()
    {
        let data = elsewhere.path().join(number.to_string());
        let mut arguments = vec!["restore", "--data", text(&data), "--json", "--from"];
        arguments.extend(from);
        let restored: Value = serde_json::from_str(&motorpool_ok(&arguments)).unwrap();
        assert_eq!(restored["problems"], serde_json::json!([]));
        assert!(restored["backup"]["received_through"].is_string(), "{restored}");
        let server = Served::start_with(&data, &small);
        server.wait_consumed();
        let found = rows(&data, &[]);
        let found = set(&found);
        assert!(set(&acknowledged).is_subset(&found), "something acknowledged before the backup is missing");
        assert!(found.is_subset(&set(&everything)), "something is there that was never received");
        // It goes on: what comes now arrives.
        end_of(load(&server, "1"));
        server.wait_consumed();
        assert!(rows(&data, &[]).len() > found.len());
        server.stop();
    }
}

#[test]
fn a_changed_byte_in_a_backup_is_named_and_an_interrupted_one_says_so() {
    let (folder, target, elsewhere) = (scratch(), scratch(), scratch());
    let server = Served::start(folder.path());
    end_of(load(&server, "1"));
    server.stop();
    let to = target.path().join("kept");
    let archive = target.path().join("kept.tar");
    for to in [&to, &archive] {
        motorpool_ok(&["backup", "--data", text(folder.path()), "--to", text(to)]);
        motorpool_ok(&["restore", "--from", text(to), "--verify"]);
    }
    let data = elsewhere.path().join("data");
    let refused = |from: &Path| -> String {
        let verified = motorpool(&["restore", "--from", text(from), "--verify"]);
        assert_eq!(verified.status.code(), Some(1));
        let restored = motorpool(&["restore", "--from", text(from), "--data", text(&data)]);
        assert_eq!(restored.status.code(), Some(2));
        assert!(!data.exists() && !elsewhere.path().join("data.restoring").exists());
        String::from_utf8(verified.stdout).unwrap()
    };
    // The same bytes, one bit of one file.
    let changed = target.path().join("changed");
    copy_folder(&to, &changed);
    let manifest: Value =
        serde_json::from_slice(&fs::read(files_with(&changed, "json").pop().unwrap()).unwrap()).unwrap();
    let entries = manifest["files"].as_array().unwrap();
    let track = entries.iter().find(|entry| entry["path"].as_str().unwrap().ends_with(".parquet")).unwrap();
    let sha256 = track["sha256"].as_str().unwrap();
    let object = changed.join("objects").join(sha256.chars().take(2).collect::<String>()).join(sha256);
    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&object, bytes).unwrap();
    assert!(refused(&changed).contains(track["path"].as_str().unwrap()));

    // A folder without its manifest, a file cut short.
    for manifest in files_with(&to, "json") {
        fs::rename(&manifest, manifest.with_extension("unfinished")).unwrap();
    }
    assert!(refused(&to).contains("interrupted"));
    let bytes = fs::read(&archive).unwrap();
    fs::write(&archive, &bytes[..bytes.len() * 2 / 3]).unwrap();
    assert!(refused(&archive).contains("interrupted"));
    // Nor into a folder that holds something.
    fs::create_dir(&data).unwrap();
    fs::write(data.join("mine"), b"x").unwrap();
    let restored = motorpool(&["restore", "--from", text(&changed), "--data", text(&data)]);
    assert!(String::from_utf8(restored.stderr).unwrap().contains("not empty"));
}

#[test]
fn a_killed_backup_is_whole_or_says_that_it_was_interrupted() {
    let (folder, target) = (scratch(), scratch());
    let server = Served::start(folder.path());
    end_of(load(&server, "1"));
    let to = target.path().join("kept");
    for _ in 0..5 {
        let mut child = Command::new(MOTORPOOL)
            .args(["backup", "--data", text(folder.path()), "--to", text(&to)])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Before the mark there is nothing that could be half a backup.
        let is_mark = |file: &fs::DirEntry| file.path().extension().is_some_and(|kind| kind == "unfinished");
        let begun = || fs::read_dir(&to).is_ok_and(|files| files.flatten().any(|file| is_mark(&file)));
        wait_until(|| (begun() || child.try_wait().unwrap().is_some()).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        let verified = motorpool(&["restore", "--from", text(&to), "--verify"]);
        let said = String::from_utf8(verified.stdout).unwrap();
        assert!(verified.status.success() || said.contains("interrupted"), "{said}");
    }
    // The next one takes away what they left, and is whole.
    motorpool_ok(&["backup", "--data", text(folder.path()), "--to", text(&to)]);
    motorpool_ok(&["restore", "--from", text(&to), "--verify"]);
    assert!(!folder.path().join("backup.pins").exists());
    server.stop();
}

/// A data folder with two devices that a server knows.
fn prepared(data: &Path) {
    let server = Served::start(data);
    server.enrol(&["13900000001", "13900000002"]);
    server.stop();
}

/// Puts `days` days of fixes into the archive, the first received at `begin`, `per_day` for each device.
fn fill_tracks(data: &Path, begin: i64, days: i64, per_day: i64, devices: u32) {
    let tracks = Tracks::open(&data.join("tracks"), &Config::default().tracks).unwrap();
    let mut writer = tracks.writer();
    for day in 0..days {
        for n in 0..per_day {
            let at = UtcMillis(begin + day * DAY_MS + n * 1_000);
            for device in 1..=devices {
                let fix = Fix::new(at, 300_000_000 + i32::try_from(n).unwrap() * 10, 1_100_000_000);
                writer.append(DeviceId(device), at, &fix, &[]);
            }
        }
    }
    let checkpoint: Lsn = tracks.checkpoint();
    writer.advance(checkpoint, UtcMillis(begin));
    tracks.seal_now().unwrap();
    tracks.close().unwrap();
}

/// Puts messages of `days` days long ago through the journal into raw blocks.
fn fill_raw(data: &Path, days: i64) {
    let config = motorpool::config::Journal { segment_size: Bytes(4 << 20), ..Config::default().journal };
    let (journal, _) = Journal::open(data, &config).unwrap();
    let consumer = journal.consumer("test");
    let message = vec![0x55_u8; 8 << 10];
    for n in 0..days * 100 {
        let batch = Batch {
            device: DeviceId(u32::try_from(n % 2).unwrap() + 1),
            link: LinkId(1),
            protocol: Protocol::Jt808,
            received_at: UtcMillis(LONG_AGO + n / 100 * DAY_MS + n),
            ends: &[8 << 10],
            raw: &message,
        };
        wait_until(|| journal.append(&batch).ok());
    }
    let goal = journal.stats().records;
    wait_until(|| (journal.stats().durable_records >= goal).then_some(()));
    consumer.set_checkpoint(journal.durable()).unwrap();
    wait_until(|| (journal.stats().segments <= 3).then_some(()));
    journal.close();
}

/// Puts one message that was received at `received_at` into the journal.
fn fill_journal(data: &Path, received_at: i64) {
    let config = motorpool::config::Journal { segment_size: Bytes(4 << 20), ..Config::default().journal };
    let (journal, _) = Journal::open(data, &config).unwrap();
    let received_at = UtcMillis(received_at);
    let (device, link) = (DeviceId(1), LinkId(1));
    let batch = Batch { device, link, protocol: Protocol::Jt808, received_at, ends: &[4], raw: &[0x55; 4] };
    wait_until(|| journal.append(&batch).ok());
    let goal = journal.stats().records;
    wait_until(|| (journal.stats().durable_records >= goal).then_some(()));
    journal.close();
}

/// Days and messages of a device in raw blocks.
fn raw_of(data: &Path, device: u32) -> (BTreeSet<i64>, usize) {
    let always = UtcMillis(i64::MIN)..=UtcMillis(i64::MAX);
    let (mut days, mut messages) = (BTreeSet::new(), 0);
    let report = raw::read(&data.join("raw"), Some(DeviceId(device)), always, &mut |entry| {
        days.insert(entry.batch.received_at.day());
        messages += 1;
    });
    assert!(report.unwrap().damaged.is_empty());
    (days, messages)
}

#[test]
fn retention_that_is_killed_goes_on_and_a_hold_wins() {
    let folder = scratch();
    let data = folder.path();
    prepared(data);
    fill_tracks(data, LONG_AGO, 30, 50, 2);
    fill_raw(data, 30);
    motorpool_ok(&["hold", "place", "--data", text(data), "--device", "1", "--reason", "核查 2026-17"]);
    let (_, held_before) = raw_of(data, 1);
    assert!(raw_of(data, 2).0.len() > 10);

    let variables =
        [("MOTORPOOL__RETENTION__INTERVAL", "200ms"), ("MOTORPOOL__JOURNAL__RAW_RETENTION_DAYS", "3")];
    let server = Served::start_with(data, &variables);
    wait_until(|| (server.metric("motorpool_fixes_expired_total") > 0.0).then_some(()));
    server.kill();
    motorpool_ok(&["tracks", "verify", "--data", text(data)]);
    motorpool_ok(&["journal", "verify", text(data)]);

    let server = Served::start_with(data, &variables);
    wait_until(|| (server.metric("motorpool_fixes_expired_total") >= 1_500.0).then_some(()));
    wait_until(|| (raw_of(data, 2).0.len() <= 4).then_some(()));
    assert_eq!(server.metric("motorpool_fixes_stored"), 1_500.0);
    server.stop();
    assert_eq!(rows(data, &["--device", "1"]).len(), 1_500, "what is held");
    assert_eq!(rows(data, &["--device", "2"]).len(), 0, "what nobody holds");
    assert_eq!(raw_of(data, 1).1, held_before);
    motorpool_ok(&["tracks", "verify", "--data", text(data)]);
    motorpool_ok(&["journal", "verify", text(data)]);
    motorpool_ok(&["audit-log", "verify", "--data", text(data)]);
}

#[test]
fn an_hour_of_a_clock_years_ahead_ends_no_hold_and_makes_nothing_old() {
    let folder = scratch();
    let data = folder.path();
    prepared(data);
    fill_tracks(data, LONG_AGO, 10, 50, 2);
    let now = motorpool::clock::wall_now().0;
    fill_tracks(data, now - 40 * DAY_MS, 10, 50, 2);
    // A day from now on the hold is over; the last message was received years from now.
    let until = UtcMillis(now + DAY_MS).to_string();
    motorpool_ok(&[
        "hold",
        "place",
        "--data",
        text(data),
        "--device",
        "1",
        "--until",
        &until,
        "--reason",
        "核查",
    ]);
    fill_journal(data, now + 4_000 * DAY_MS);

    let server = Served::start_with(data, &[("MOTORPOOL__RETENTION__INTERVAL", "100ms")]);
    wait_until(|| (server.metric("motorpool_fixes_expired_total") >= 500.0).then_some(()));
    server.stop();
    let of = |device: &str| rows(data, &["--device", device]).len();
    assert_eq!((of("1"), of("2")), (1_000, 500), "what is held and what is young stays");
    // A second life of the server looks again, and finds nothing to do.
    let server = Served::start_with(data, &[("MOTORPOOL__RETENTION__INTERVAL", "100ms")]);
    let plan = || -> Value {
        serde_json::from_str(&motorpool_ok(&["retention", "plan", "--data", text(data), "--json"])).unwrap()
    };
    assert_eq!(plan()["tracks"], serde_json::json!([]));
    let at: UtcMillis = serde_json::from_value(plan()["at"].clone()).unwrap();
    assert!((now..now + DAY_MS).contains(&at.0), "{at}");
    server.stop();
    assert_eq!((of("1"), of("2")), (1_000, 500));
}

/// Runs `tracks verify` and `doctor` on a damaged folder: both name `item`, and say what to do.
fn is_named(data: &Path, item: &str) {
    let verified = motorpool(&["tracks", "verify", "--data", text(data), "--json"]);
    assert_eq!(verified.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert!(found["first_bad_item"].as_str().unwrap().contains(item), "{found}");
    assert!(found["advice"].as_str().unwrap().len() > 20, "{found}");
    let checks: Vec<Value> =
        serde_json::from_slice(&motorpool(&["doctor", "--data", text(data), "--json"]).stdout).unwrap();
    let named = checks.iter().find(|check| check["finding"].as_str().unwrap().contains(item));
    let named = named.unwrap_or_else(|| panic!("{item} is not named: {checks:?}"));
    assert_eq!(named["verdict"], "bad");
    assert!(named["advice"].as_str().unwrap().len() > 20, "{named}");
}

#[test]
fn damaged_files_are_found_named_and_survived() {
    let folder = scratch();
    let sound = folder.path().join("sound");
    prepared(&sound);
    fill_tracks(&sound, LONG_AGO, 2, 20_000, 1);
    let file = files_with(&sound.join("tracks/day=2019-03-01"), "parquet").pop().unwrap();
    let file = file.strip_prefix(&sound).unwrap().to_owned();
    let item = text(&file).to_owned();
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path));
    let damages: [Damage<'_>; 3] = [
        ("cut", &|path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 100]).unwrap();
        }),
        ("flipped", &|path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[100] ^= 4;
            fs::write(path, bytes).unwrap();
        }),
        ("missing", &|path| fs::remove_file(path).unwrap()),
    ];
    for (name, damage) in damages {
        let data = folder.path().join(name);
        copy_folder(&sound, &data);
        damage(&data.join(&file));
        is_named(&data, &item);
        let server = Served::start(&data);
        let answer = rows(&data, &["--from", "2019-03-02T00:00:00Z", "--to", "2019-03-03T00:00:00Z"]);
        assert_eq!(answer.len(), 20_000, "{name}: the other day is read all the same");
        end_of(load(&server, "1"));
        server.stop();
    }

    let data = folder.path().join("sidecar");
    copy_folder(&sound, &data);
    fs::remove_file(data.join(&file).with_extension("idx")).unwrap();
    let verified = motorpool_ok(&["tracks", "verify", "--data", text(&data)]);
    assert!(verified.contains("missing sidecar") && verified.contains(".idx"), "{verified}");
    assert_eq!(rows(&data, &[]).len(), 40_000);

    let data = folder.path().join("manifest");
    copy_folder(&sound, &data);
    fs::remove_file(data.join("tracks/manifest.json")).unwrap();
    is_named(&data, "manifest.json");
    let refused = Command::new(MOTORPOOL)
        .args(["serve", "--data", text(&data)])
        .env("MOTORPOOL__TRACKERS__LISTEN", "127.0.0.1:0")
        .env("MOTORPOOL__HTTP__LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("manifest.json is missing"));
    assert!(data.join(&file).exists(), "nothing was changed");
}

#[test]
fn a_disk_that_is_full_during_a_flush_is_waited_out() {
    if !can_inject() {
        return;
    }
    let folder = scratch();
    let data = folder.path();
    prepared(data);
    let manifest = data.join("tracks/manifest.json.tmp");
    let small = [("MOTORPOOL__TRACKS__MEMORY_ROWS_MAX", "1000")];
    let server = Served::start_injecting(data, &manifest, "openat", "error=ENOSPC:when=1..2", &small);
    load_rows(&server, 1_000.0);
    wait_until(|| server.has_logged("No space left on device").then_some(()));
    wait_until(|| (server.metric("motorpool_fixes_stored") > 0.0).then_some(()));
    server.wait_consumed();
    let acknowledged = rows(data, &[]);
    server.stop();
    assert_eq!(set(&rows(data, &[])), set(&acknowledged));
    assert!(fs::read_to_string(data.join("strace.log")).unwrap().contains("INJECTED"));
    motorpool_ok(&["tracks", "verify", "--data", text(data)]);
}

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, section) = readme.split_once("### Retention, holds, backup and restore").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let (folder, target) = (scratch(), scratch());
    let data = folder.path().join("data");
    prepared(&data);
    let server = Served::start(&data);
    let block = block.replace("/var/lib/motorpool", text(&data)).replace("/mnt/backup", text(target.path()));
    let line = |line: &str| match line.strip_prefix("motorpool ") {
        Some(arguments) => format!("{MOTORPOOL} {arguments}\n"),
        None => format!("{line}\n"),
    };
    let script: String = block.lines().map(line).collect();
    assert!(script.lines().count() > 5, "{script}");
    let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.path().join("data-restored/registry.sqlite").exists());
    server.stop();
}
