//! Supervision over real sockets: a small county drives in, flags and cases appear, and a kill -9 in the middle changes none of them.

use std::collections::BTreeSet;
use std::path::Path;

use motorpool::config::Config;
use motorpool::registry::{CaseFilter, FlagFilter, FlagState, Registry};
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::DeviceId;

use crate::support::{Served, scratch, wait_until};

/// Cars that take part: enough for a few stories in five weeks.
const CARS: &str = "6";
/// The first day of five weeks that lie wholly in the past, so that two runs see the same whenever they run.
const FROM: &str = "2026-04-01";
/// Flags read at once: more than six cars can have.
const FLAGS_MAX: u32 = 10_000;

/// What supervision has said so far, in a form that does not depend on when it was said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    /// What is found, for each open flag.
    flags: BTreeSet<String>,
    /// The current trips, moves, stops and gaps.
    segments: BTreeSet<String>,
    /// The cases with a question. One that half a track raised stays in the books after the rest of it came, without a question.
    cases: BTreeSet<String>,
}

/// Reads the registry beside the server, as the offline commands do.
fn said(data: &Path) -> Said {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config { data: data.to_owned(), ..Config::default() };
        let registry = Registry::open(data, &config).await.unwrap();
        let filter = FlagFilter { limit: FLAGS_MAX, state: Some(FlagState::Open), ..FlagFilter::default() };
        let flags = registry
            .flags(&filter)
            .await
            .unwrap()
            .into_iter()
            .map(|flag| format!("{:?}", flag.finding))
            .collect();
        let mut segments = BTreeSet::new();
        for device in 1..=CARS.parse().unwrap() {
            let stored =
                registry.segments(DeviceId(device), UtcMillis(0), UtcMillis(i64::MAX)).await.unwrap();
            segments.extend(stored.into_iter().map(|stored| format!("{:?}", stored.segment)));
        }
        let filter = CaseFilter { limit: FLAGS_MAX, ..CaseFilter::default() };
        let cases = registry.cases(&filter).await.unwrap().into_iter();
        let cases = cases.filter(|case| case.summary["flags"] != 0).map(|case| case.case_id).collect();
        registry.close().await;
        Said { flags, segments, cases }
    })
}

fn demo(data: &Path) -> Served {
    Served::demo(data, &["--cars", CARS, "--from", FROM])
}

/// Waits until the history has arrived and everything that is journaled is judged.
fn judged(server: &Served, data: &Path) -> Said {
    wait_until(|| server.has_logged("the history has arrived").then_some(()));
    wait_until(|| {
        let supervision = &server.get_json("/api/v1/status")["supervision"];
        (supervision["lsn_lag"] == 0 && supervision["waiting_fleet_days"] == 0).then(|| said(data))
    })
}

#[test]
fn a_county_drives_in_and_kill_9_changes_no_flag() {
    let (left, right) = (scratch(), scratch());
    let (left, right) = (left.path().join("data"), right.path().join("data"));
    let undisturbed = demo(&left);
    let expected = judged(&undisturbed, &left);
    undisturbed.stop();
    assert!(!expected.flags.is_empty() && !expected.cases.is_empty(), "{expected:?}");
    assert!(expected.segments.len() > 500, "{}", expected.segments.len());

    // Killed while the history arrives, and again while it is judged.
    let server = demo(&right);
    wait_until(|| {
        (server.get_json("/api/v1/status")["messages"]["journaled"].as_u64() > Some(50)).then_some(())
    });
    server.kill();
    let server = demo(&right);
    wait_until(|| (!said(&right).segments.is_empty()).then_some(()));
    server.kill();
    let server = demo(&right);
    let found = judged(&server, &right);
    server.stop();
    assert_same(&found.segments, &expected.segments);
    assert_same(&found.flags, &expected.flags);
    assert_same(&found.cases, &expected.cases);
}

/// Fails with the first few that only one side has.
fn assert_same(found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let first = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).take(3).cloned().collect()
    };
    let (new, gone) = (first(found, expected), first(expected, found));
    assert!(new.is_empty() && gone.is_empty(), "not expected: {new:#?}\nmissing: {gone:#?}");
}
