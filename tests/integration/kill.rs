//! kill -9 under load: nothing that was acknowledged is missing, nothing is there twice.
//!
//! The ledger is written by `motorpool simulate`, a process of its own, so the server can't flatter itself.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{MOTORPOOL, Served, motorpool_ok, scratch, wait_until};

/// Kills in the ordinary test run; `make soak` sets `KILL_ROUNDS=50`.
const ROUNDS: u64 = 5;

/// How long the server lives under load between two kills, at most.
const LIFE_MS: u64 = 600;

/// Seconds of load for each kill: a life, a restart, and the terminals coming back.
const LOAD_S: u64 = 3;

#[test]
fn no_acknowledged_frame_is_lost_or_doubled_by_kill_9() {
    let rounds = std::env::var("KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    for protocol in ["jt808", "mqtt"] {
        let outcome = survive_kills(protocol, rounds, &[]);
        assert!(outcome.acked > 0 && outcome.stored >= outcome.acked, "{protocol}: {outcome:?}");
        assert_eq!((outcome.missing, outcome.doubled), (0, 0), "{protocol}: {outcome:?}");
        println!("{protocol}, {rounds} kills: {outcome:?}");
    }
}

/// The negative control: with the acknowledgement sent before the sync the same test must go red.
#[cfg(feature = "fault-injection")]
#[test]
fn an_acknowledgement_before_the_sync_is_found_out_by_kill_9() {
    for protocol in ["jt808", "mqtt"] {
        let outcome = survive_kills(protocol, 3, &[("MOTORPOOL_UNSAFE_ACK_BEFORE_SYNC_MS", "100")]);
        assert!(outcome.acked > 0, "{protocol}: the load did nothing: {outcome:?}");
        assert!(
            outcome.missing > 0,
            "{protocol}: what was acknowledged before the sync all survived: {outcome:?}"
        );
    }
}

/// What a ledger and a history have to do with each other.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) acked: usize,
    pub(crate) stored: usize,
    pub(crate) missing: usize,
    pub(crate) doubled: usize,
}

/// Kills a server under the load of a protocol so many times, and compares the load's ledger with what the server has.
pub(crate) fn survive_kills(protocol: &str, rounds: u64, variables: &[(&str, &str)]) -> Outcome {
    let folder = scratch();
    let data = folder.path().join("data");
    let ledger = folder.path().join("ledger.csv");
    let mut server = Served::start_with(&data, variables);
    let trackers = server.trackers.to_string();
    let mqtt = server.mqtt.to_string();
    let ports =
        [("MOTORPOOL__TRACKERS__LISTEN", trackers.as_str()), ("MOTORPOOL__MQTT__LISTEN", mqtt.as_str())];
    let restart_on = [variables, &ports].concat();
    let life = Duration::from_millis(LIFE_MS);
    // Longer than the lives together take, so that each kill hits a busy server.
    let mut load = simulate(protocol, &server, &ledger, LOAD_S * rounds);
    let seed = u64::from(std::process::id());
    println!("moments from seed {seed}");
    for round in 0..rounds {
        let moment = life.mul_f64(fraction(seed, round));
        // A life counts from when the load is back at work, or the kill would hit an idle server.
        wait_until(|| {
            (server.get_json("/api/v1/status")["messages"]["journaled"].as_u64() > Some(200)).then_some(())
        });
        let busy_since = Instant::now();
        wait_until(|| (busy_since.elapsed() >= moment).then_some(()));
        server.kill();
        server = Served::start_with(&data, &restart_on);
    }
    let ended = load.wait().unwrap();
    assert!(ended.success(), "simulate lost frames or could not run: {ended}");
    server.stop();
    compare(&ledger, &data)
}

fn simulate(protocol: &str, server: &Served, ledger: &Path, duration_s: u64) -> Child {
    let to = if protocol == "mqtt" { server.mqtt } else { server.trackers };
    Command::new(MOTORPOOL)
        .args([
            "simulate",
            "--protocol",
            protocol,
            "--vehicles",
            "40",
            "--interval",
            "0.01",
            "--pipeline",
            "4",
        ])
        .args(["--to", &to.to_string(), "--duration", &duration_s.to_string()])
        .args(["--api", &format!("http://{}", server.http), "--enrol", &server.token, "--json"])
        .arg("--ledger")
        .arg(ledger)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A number from 0 to 1 out of a seed (splitmix64).
fn fraction(seed: u64, round: u64) -> f64 {
    let mut z = seed.wrapping_add((round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A frame as ledger and history both know it: terminal and time of its fix.
type Key = (String, String);

/// Holds what the ledger says was acknowledged against the history.
pub(crate) fn compare(ledger: &Path, data: &Path) -> Outcome {
    let export = motorpool_ok(&["tracks", "export", "--data", data.to_str().unwrap(), "--format", "csv"]);
    let mut stored: HashMap<Key, usize> = HashMap::new();
    let mut reader = csv::Reader::from_reader(export.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (terminal, time) = (column("terminal"), column("time_utc"));
    for record in reader.records().map(Result::unwrap) {
        *stored.entry((record[terminal].to_owned(), record[time].to_owned())).or_default() += 1;
    }
    let text = fs::read_to_string(ledger).unwrap();
    let of = |kind: &'static str| {
        text.lines().filter_map(move |line| {
            let mut fields = line.split(',');
            (fields.next() == Some(kind)).then(|| {
                let terminal = fields.next().unwrap().to_owned();
                let _serial = fields.next();
                (terminal, fields.next().unwrap().to_owned())
            })
        })
    };
    let acked: Vec<Key> = of("acked").collect();
    Outcome {
        missing: acked.iter().filter(|key| !stored.contains_key(*key)).count(),
        acked: acked.len(),
        doubled: stored.values().filter(|count| **count > 1).count(),
        stored: stored.len(),
    }
}
