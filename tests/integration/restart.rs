//! A stop and a start lose nothing and change nothing.

use crate::support::{Served, motorpool_ok, scratch, wait_until};

fn simulate(server: &Served, vehicles: &str) -> serde_json::Value {
    let report = motorpool_ok(&[
        "simulate",
        "--protocol",
        "jt808",
        "--vehicles",
        vehicles,
        "--interval",
        "0",
        "--duration",
        "1",
        "--to",
        &server.trackers.to_string(),
        "--api",
        &format!("http://{}", server.http),
        "--enrol",
        &server.token,
        "--json",
    ]);
    serde_json::from_str(report.lines().last().unwrap()).unwrap()
}

#[test]
fn a_restart_keeps_history_positions_and_token() {
    let folder = scratch();
    let server = Served::start(folder.path());
    let token = server.token.clone();
    let report = simulate(&server, "20");
    assert_eq!(report["lost"], 0, "{report}");
    server.wait_consumed();
    let before = server.get_json("/api/v1/positions");
    let export_before =
        motorpool_ok(&["tracks", "export", "--data", folder.path().to_str().unwrap(), "--format", "csv"]);
    server.stop();

    let server = Served::start(folder.path());
    assert_eq!(server.token, token);
    server.wait_consumed();
    let places = |positions: &serde_json::Value| -> Vec<String> {
        let list = positions["items"].as_array().expect("items");
        list.iter().map(|item| format!("{} {} {}", item["terminal"], item["lat"], item["lon"])).collect()
    };
    let after = server.get_json("/api/v1/positions");
    assert_eq!(places(&after).len(), 20);
    assert_eq!(places(&before), places(&after));
    let export_after =
        motorpool_ok(&["tracks", "export", "--data", folder.path().to_str().unwrap(), "--format", "csv"]);
    assert_eq!(export_before, export_after);
    assert_eq!(export_after.lines().count() as u64 - 1, report["acked"].as_u64().unwrap());
}

#[test]
fn the_self_checks_balance_under_load() {
    let folder = scratch();
    let server = Served::start(folder.path());
    simulate(&server, "50");
    server.wait_consumed();
    wait_until(|| (server.metric("motorpool_ledger_imbalance") == 0.0).then_some(()));
    let value = |name: &str| server.metric(name);
    assert_eq!(
        value("motorpool_messages_received_total"),
        value("motorpool_messages_journaled_total") + value("motorpool_messages_rejected_total")
    );
    assert_eq!(
        value("motorpool_fixes_decoded_total"),
        value("motorpool_fixes_stored")
            + value("motorpool_fixes_duplicate_total")
            + value("motorpool_fixes_pending")
    );
    assert!(value("motorpool_fixes_decoded_total") > 0.0);
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let folder = scratch();
    let _server = Served::start(folder.path());
    let output = std::process::Command::new(crate::support::MOTORPOOL)
        .args(["serve", "--data"])
        .arg(folder.path())
        .env("MOTORPOOL__TRACKERS__LISTEN", "127.0.0.1:0")
        .env("MOTORPOOL__HTTP__LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("lock") || message.contains("another"), "{message}");
}

#[test]
fn a_lost_live_snapshot_is_made_again_behind_a_sealed_archive() {
    let folder = scratch();
    let small_tables = [("MOTORPOOL__TRACKS__MEMORY_ROWS_MAX", "1000")];
    let server = Served::start_with(folder.path(), &small_tables);
    // A second of load is less than a table on a machine that is busy otherwise.
    wait_until(|| {
        assert_eq!(simulate(&server, "20")["lost"], 0);
        server.wait_consumed();
        (server.metric("motorpool_fixes_decoded_total") > 1_000.0).then_some(())
    });
    wait_until(|| (server.metric("motorpool_fixes_stored") > 0.0).then_some(()));
    let before = server.get_json("/api/v1/positions");
    server.kill();
    std::fs::remove_file(folder.path().join("live.snapshot")).ok();

    let server = Served::start_with(folder.path(), &small_tables);
    server.wait_consumed();
    let after = server.get_json("/api/v1/positions");
    assert_eq!(before["items"].as_array().map(Vec::len), after["items"].as_array().map(Vec::len));
    let status = server.get_json("/api/v1/status");
    assert!(status["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{status}");
    // Still folding: what comes now arrives.
    let more = simulate(&server, "20");
    assert_eq!(more["lost"], 0);
    server.wait_consumed();
    server.stop();
}
