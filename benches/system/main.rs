//! The budget lines that need the whole server: 2 (one frame per packet), 3 (pipelined backlog), 4 (15,000 live
//! links; as `4c` while a large day is merged), 5 (memory), 7 (a device-day over HTTP) and 10 (recovery).
//!
//! `cargo bench --bench system [-- LINE …] [--quick]` starts the release binary as a server and as a load
//! generator, each a process of its own, and prints one line of JSON for each figure. Where the budget speaks
//! of one core, the server is pinned to processor 0 and the generator to processor 1. `4r` and `4cr`, only when named, are 4 and 4c
//! with the threads between a frame and its answer at real-time priority (which root may give): what is left when nothing else of
//! the machine makes them wait, the server's own work in the background among it. Beside lines 2 and 4 stands what the least server
//! there can be does under the same load right after: see [`floor`].

#![expect(clippy::unwrap_used, reason = "a bench stops at the first thing that goes wrong")]

mod floor;
mod served;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use motorpool::config;
use motorpool::ids::{DeviceId, Lsn};
use motorpool::tracks::Tracks;
use motorpool_protocols::{Fix, UtcMillis};
use serde_json::{Value, json};

use floor::Floor;
use served::Served;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [role, folder] = arguments.as_slice()
        && role == floor::ROLE
    {
        return floor::serve(Path::new(folder));
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted = |line: &str| {
        let named: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
        named.is_empty() && !line.ends_with('r') || named.iter().any(|name| *name == line)
    };
    if wanted("2") {
        one_frame_per_packet(if quick { 3 } else { 10 });
    }
    if wanted("3") {
        pipelined_backlog(if quick { 5 } else { 60 });
    }
    if wanted("4") || wanted("5") {
        live_links(if quick { 10 } else { 30 }, Processors::Shared);
    }
    if wanted("4r") {
        live_links(if quick { 10 } else { 30 }, Processors::Undisturbed);
    }
    for (line, path) in [("4c", Processors::Shared), ("4cr", Processors::Undisturbed)] {
        if wanted(line) {
            live_links_while_merging(if quick { 2_000 } else { 30_000 }, if quick { 20 } else { 120 }, path);
        }
    }
    if wanted("7") {
        tracks_over_http(if quick { 2_000 } else { 30_000 }, if quick { 100 } else { 1_000 });
    }
    if wanted("10") {
        recovery(if quick { 128 << 20 } else { 1 << 30 });
    }
}

/// Line 2: closed loop, every vehicle one frame under way, server on one core.
fn one_frame_per_packet(duration_s: u32) {
    let load = ["--vehicles", "1000", "--interval", "0", "--pipeline", "1"];
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(folder.path(), Some(0));
    let cpu = server.cpu_s();
    let report = server.simulate(Some(1), &load, duration_s);
    let cpu = server.cpu_s() - cpu;
    drop(server);
    let floor = Floor::start(folder.path(), Some(0));
    let least = served::simulate(floor.trackers(), Some(1), &load, duration_s);
    print(&json!({
        "line": 2, "quantity": "durable ingest, one frame per packet, server on one core",
        "acked_per_s": rate(&report), "lost": report["lost"],
        "server_cpu_us_per_frame": cpu * 1e6 / acked(&report), "ack_p50_ms": report["ack_ms"]["p50"],
        "ack_p99_ms": report["ack_ms"]["p99"], "floor_acked_per_s": rate(&least), "of_floor": rate(&report) / rate(&least),
    }));
}

/// Line 3: a backlog pours in until the time is over; the figure counts until the last fix can be queried.
fn pipelined_backlog(duration_s: u32) {
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(folder.path(), None);
    let cpu = server.cpu_s();
    let begun = Instant::now();
    let report =
        server.simulate(None, &["--vehicles", "64", "--interval", "0", "--pipeline", "4096"], duration_s);
    server.wait_consumed();
    let wall_s = begun.elapsed().as_secs_f64();
    let cpu = server.cpu_s() - cpu;
    print(&json!({
        "line": 3, "quantity": "durable ingest, pipelined, fixes to queryable rows",
        "acked_per_s": rate(&report), "queryable_per_s": acked(&report) / wall_s, "lost": report["lost"],
        "server_cpu_ns_per_fix": cpu * 1e9 / acked(&report),
        "generator_cpu_ns_per_fix": report["cpu_s"].as_f64().map(|cpu| cpu * 1e9 / acked(&report)),
        "rss_mib": server.rss_mib(),
    }));
}

/// Who has the processors during line 4.
#[derive(Clone, Copy, Debug)]
enum Processors {
    /// Everything that runs on the machine.
    Shared,
    /// The threads between a frame and its answer before everything else: workers of links, journal, and the generator, which on the road is
    /// another machine.
    Undisturbed,
}

impl Processors {
    fn simulate(self, server: &Served, vehicles: &str, duration_s: u32) -> Value {
        let load = || server.simulate(None, &["--vehicles", vehicles, "--interval", "1"], duration_s);
        match self {
            Self::Shared => load(),
            Self::Undisturbed => std::thread::scope(|scope| {
                let load = scope.spawn(load);
                while !load.is_finished() {
                    raise_path();
                    std::thread::sleep(Duration::from_millis(500));
                }
                load.join().unwrap()
            }),
        }
    }
}

/// Gives the threads between a frame and its answer, of the processes that this one started, real-time priority.
fn raise_path() {
    for process in fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()) {
        // `pid (name) state parent …`
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if parent != Some(&std::process::id().to_string()) {
            continue;
        }
        for thread in fs::read_dir(process.join("task")).into_iter().flatten().flatten() {
            let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
            if matches!(name.trim(), "journal" | "links" | "load-0") {
                let id = thread.file_name();
                let raised = Command::new("chrt").args(["-f", "-p", "1"]).arg(id).status().unwrap();
                assert!(raised.success() || !thread.path().exists(), "may real-time priority be given here?");
            }
        }
    }
}

/// Lines 4 and 5: 15,000 links at 1 Hz, with 30,000 devices known; memory again at 18,000 links.
fn live_links(duration_s: u32, processors: Processors) {
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(folder.path(), None);
    server.enrol_fleet(30_000);
    let cpu = server.cpu_s();
    let begun = Instant::now();
    let report = processors.simulate(&server, "15000", duration_s);
    let cores = (server.cpu_s() - cpu) / begun.elapsed().as_secs_f64();
    let (commit_p50_ms, commit_p99_ms) = server.commit_ms();
    let (sync_p50_ms, sync_p99_ms) = sync_ms(folder.path());
    let floor = floor_ack_ms(duration_s);
    print(&json!({
        "line": 4, "quantity": "ack at 15,000 live links x 1 Hz", "processors": format!("{processors:?}"),
        "commit_p50_ms": commit_p50_ms, "commit_p99_ms": commit_p99_ms,
        "ack_p50_ms": report["ack_ms"]["p50"], "ack_p99_ms": report["ack_ms"]["p99"], "lost": report["lost"],
        "fdatasync_p50_ms": sync_p50_ms, "fdatasync_p99_ms": sync_p99_ms, "server_cores": cores,
        "floor_ack_p50_ms": floor["p50"], "floor_ack_p99_ms": floor["p99"],
    }));
    if matches!(processors, Processors::Undisturbed) {
        return;
    }
    let report = server.simulate(None, &["--vehicles", "18000", "--interval", "1"], duration_s);
    print(&json!({
        "line": 5, "quantity": "memory with 30,000 devices known and 18,000 live",
        "rss_mib_max": server.rss_mib(), "lost": report["lost"],
    }));
}

/// Line 4 while a day of 460 fixes of each device is merged into one file: 30,000 devices make 13.8 M rows. It lasts until merges,
/// which take their time while fixes arrive, have come to an end.
fn live_links_while_merging(devices: u32, duration_s: u32, processors: Processors) {
    let folder = tempfile::tempdir().unwrap();
    let rows = loose_day(&folder.path().join("tracks"), devices);
    let server = Served::start(folder.path(), None);
    server.enrol_fleet(30_000);
    let before = server.metric("motorpool_track_rows_merged_total");
    let report = processors.simulate(&server, "15000", duration_s);
    let (commit_p50_ms, commit_p99_ms) = server.commit_ms();
    let (sync_p50_ms, sync_p99_ms) = sync_ms(folder.path());
    let (merged, loose) = (
        server.metric("motorpool_track_rows_merged_total") - before,
        server.metric("motorpool_track_rows_loose"),
    );
    let floor = floor_ack_ms(duration_s.min(30));
    print(&json!({
        "line": 4, "quantity": "ack at 15,000 live links x 1 Hz while a day is merged", "rows_of_the_day": rows,
        "processors": format!("{processors:?}"),
        "ack_p50_ms": report["ack_ms"]["p50"], "ack_p99_ms": report["ack_ms"]["p99"], "lost": report["lost"],
        "commit_p50_ms": commit_p50_ms, "commit_p99_ms": commit_p99_ms,
        "fdatasync_p50_ms": sync_p50_ms, "fdatasync_p99_ms": sync_p99_ms,
        "floor_ack_p50_ms": floor["p50"], "floor_ack_p99_ms": floor["p99"],
        // Nothing merged and nothing loose: the merge was over before the load began, and the figure means nothing.
        "rows_merged_meanwhile": merged, "rows_still_loose": loose,
    }));
}

/// What the machine can do for the load of line 4 at all, in this hour.
fn floor_ack_ms(duration_s: u32) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let floor = Floor::start(folder.path(), None);
    let load = ["--vehicles", "15000", "--interval", "1"];
    served::simulate(floor.trackers(), None, &load, duration_s)["ack_ms"].clone()
}

/// Line 7 over HTTP, each request on a connection of its own, while 15,000 links bring a fix a second each.
fn tracks_over_http(devices: u32, requests: u32) {
    /// Below the limit of requests of one token.
    const PAUSE: Duration = Duration::from_millis(25);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("tracks");
    let rows = loose_day(&dir, devices);
    let archive = Tracks::open(&dir, &config::Tracks::default()).unwrap();
    archive.compact_all().unwrap();
    archive.close().unwrap();
    let server = Served::start(folder.path(), None);
    server.enrol_fleet(devices);
    let mut times = Vec::new();
    let seconds = 40 + requests / 20;
    let report = std::thread::scope(|scope| {
        let load =
            scope.spawn(|| server.simulate(None, &["--vehicles", "15000", "--interval", "1"], seconds));
        while server.metric("motorpool_links_open") < 15_000.0 {
            std::thread::sleep(Duration::from_millis(200));
        }
        for request in 0..requests {
            let device = 1 + request * 7_919 % devices;
            let path =
                format!("/api/v1/devices/{device}/track?from=2024-03-01T00:00:00Z&to=2024-03-02T00:00:00Z");
            let begun = Instant::now();
            let body = server.request("GET", &path, "");
            times.push(begun.elapsed());
            assert_eq!(body.matches("\"fix_time\"").count(), 460, "{body:.200}");
            std::thread::sleep(PAUSE);
        }
        load.join().unwrap()
    });
    times.sort_unstable();
    let ms = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    print(&json!({
        "line": 7, "quantity": "a device-day of 460 fixes over HTTP while 15,000 links bring one a second each",
        "rows_of_the_day": rows, "requests": requests, "p50_ms": ms(0.5), "p99_ms": ms(0.99), "max_ms": ms(1.0),
        "ack_p50_ms": report["ack_ms"]["p50"], "ack_p99_ms": report["ack_ms"]["p99"], "lost": report["lost"],
    }));
}

/// An archive of one old day in many files that nothing has merged yet; the server begins to as soon as fixes arrive.
/// Returns its rows.
fn loose_day(tracks: &Path, devices: u32) -> u64 {
    /// 2024-03-01T00:00:00Z.
    const DAY_START_MS: i64 = 1_709_251_200_000;
    let config = config::Tracks { compact_files_min: usize::MAX, ..config::Tracks::default() };
    let archive = Tracks::open(tracks, &config).unwrap();
    let mut writer = archive.writer();
    for step in 0..460_i32 {
        let time = UtcMillis(DAY_START_MS + i64::from(step) * 187_000);
        for device in 1..=devices {
            let wave = (device.cast_signed() * 7_919 + step * step * 31) % 4_000;
            let mut fix = Fix::new(time, 300_000_000 + step * 9_000 + wave * 10, 1_100_000_000 + wave * 130);
            fix.speed_dkmh = Some(300 + (wave % 97).cast_unsigned() as u16);
            writer.append(DeviceId(device), time, &fix, &[]);
        }
        // The journal of the server is new: nothing of it is in these files. The clock stands still, so that no day
        // grows quiet.
        writer.advance(Lsn(0), UtcMillis(DAY_START_MS));
    }
    archive.seal_now().unwrap();
    archive.close().unwrap();
    archive.stats().stored
}

/// Line 10: fill the journal, kill -9, start again.
fn recovery(bytes: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut acked_frames = 0.0;
    let server = Served::start(folder.path(), None);
    while journal_bytes(folder.path()) < bytes {
        let report = server.simulate(None, &["--vehicles", "64", "--interval", "0", "--pipeline", "4096"], 2);
        acked_frames += acked(&report);
    }
    server.kill();
    let filled = journal_bytes(folder.path());
    let begun = Instant::now();
    let server = Served::start(folder.path(), None);
    let accepting_s = begun.elapsed().as_secs_f64();
    server.wait_consumed();
    let queryable_s = begun.elapsed().as_secs_f64();
    print(&json!({
        "line": 10, "quantity": "recovery after kill -9", "journal_mib": filled >> 20, "acked_frames": acked_frames,
        "accepting_s": accepting_s, "queryable_s": queryable_s,
    }));
}

fn acked(report: &Value) -> f64 {
    report["acked"].as_f64().unwrap()
}

fn rate(report: &Value) -> f64 {
    acked(report) / report["seconds"].as_f64().unwrap()
}

fn print(figure: &Value) {
    println!("{figure}");
}

fn journal_bytes(data: &Path) -> u64 {
    let entries = fs::read_dir(data.join("journal")).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "seg"))
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// `fdatasync` of 64 KiB on the same disk: median and 99th percentile of 500, milliseconds.
fn sync_ms(folder: &Path) -> (f64, f64) {
    const GROUPS: usize = 500;
    let file = fs::File::create(folder.join("sync.tmp")).unwrap();
    file.write_all_at(&vec![0; GROUPS << 16], 0).unwrap();
    file.sync_all().unwrap();
    let mut times: Vec<Duration> = (0..GROUPS)
        .map(|group| {
            file.write_all_at(&[1; 1 << 16], (group << 16) as u64).unwrap();
            let begun = Instant::now();
            file.sync_data().unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    (times[GROUPS / 2].as_secs_f64() * 1e3, times[GROUPS * 99 / 100].as_secs_f64() * 1e3)
}
