//! A real Mosquitto between the simulator and the server, either of them killed and restarted mid-stream.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::kill::compare;
use crate::mqtt_support::{Mosquitto, client, program, signal};
use crate::support::{MOTORPOOL, Served, scratch, wait_until};

/// Vehicles of the simulator, enrolled beforehand: over an outside broker nobody tells them anything.
const VEHICLES: usize = 20;

/// How often broker and server are restarted in turn.
const ROUNDS: usize = 4;

fn serve(data: &Path, broker: &Mosquitto) -> Served {
    let url = format!("mqtt://{}", broker.address);
    Served::start_with(data, &[("MOTORPOOL__BROKER__URL", &url), ("MOTORPOOL__BROKER__RETRY_MAX", "1s")])
}

fn enrol(server: &Served) {
    let devices: Vec<Value> = (1..=VEHICLES)
        .map(|vehicle| json!({"terminal": format!("0137{vehicle:08}"), "protocol": "json"}))
        .collect();
    let body = json!({ "devices": devices });
    let answer = server.request("POST", "/api/v1/devices", Some(&server.token), Some(&body));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn publish(broker: &Mosquitto, ledger: &Path, duration_s: usize) -> Child {
    Command::new(MOTORPOOL)
        .args(["simulate", "--protocol", "mqtt", "--vehicles", &VEHICLES.to_string(), "--interval", "0"])
        .args(["--pipeline", "4", "--to", &broker.address.to_string()])
        .args(["--duration", &duration_s.to_string(), "--drain", "60", "--json", "--ledger"])
        .arg(ledger)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Messages of the broker with that outcome since the server started.
fn outcome(server: &Served, outcome: &str) -> u64 {
    let text = server.get("/metrics");
    let name = format!("motorpool_broker_messages_total{{outcome=\"{outcome}\"}}");
    let line = text.lines().find(|line| line.starts_with(&name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
}

fn journaled(server: &Served) -> u64 {
    outcome(server, "journaled")
}

/// Publishes a message that nobody can decode, and waits until the server has seen it.
fn mark(server: &Served, broker: &Mosquitto) {
    let publisher = program("mosquitto_pub").unwrap();
    let before = outcome(server, "payload");
    let arguments = ["-q", "1", "-t", "motorpool/013700000001/up", "-m", "no JSON"];
    let published = client(&publisher, broker.address, ("test", "test"), &arguments);
    assert!(published.status.success(), "{published:?}");
    wait_until(|| (outcome(server, "payload") > before).then_some(()));
}

/// Waits until the server has taken everything that the broker holds for it. A mark published last is
/// the end: the broker keeps the order of what it queues for one subscriber.
fn settle(server: &Served, broker: &Mosquitto) {
    mark(server, broker);
    wait_until(|| (server.metric("motorpool_broker_unacked") == 0.0).then_some(()));
    server.wait_consumed();
}

#[test]
fn what_the_broker_acknowledged_arrives_once_whoever_is_restarted() {
    let folder = scratch();
    let (Some(mut broker), Some(_)) =
        (Mosquitto::start(&folder.path().join("broker")), program("mosquitto_pub"))
    else {
        return;
    };
    let (data, ledger) = (folder.path().join("data"), folder.path().join("ledger.csv"));
    let mut server = serve(&data, &broker);
    enrol(&server);
    wait_until(|| (server.metric("motorpool_broker_connected") == 1.0).then_some(()));
    let mut load = publish(&broker, &ledger, 2 * ROUNDS);
    for round in 0..ROUNDS {
        wait_until(|| (journaled(&server) > 200).then_some(()));
        if round % 2 == 0 {
            let connections = server.metric("motorpool_broker_connections_total");
            broker.restart();
            wait_until(|| (server.metric("motorpool_broker_connections_total") > connections).then_some(()));
        } else {
            server.kill();
            server = serve(&data, &broker);
        }
    }
    let ended = load.wait().unwrap();
    assert!(ended.success(), "the broker did not acknowledge everything: {ended}");
    settle(&server, &broker);
    server.stop();
    let outcome = compare(&ledger, &data);
    assert!(outcome.acked > 0, "{outcome:?}");
    assert_eq!((outcome.missing, outcome.doubled), (0, 0), "{outcome:?}");
    println!("{outcome:?}");
}

/// Messages wait at the broker while the server stands still; the broker saves them and is killed; the server goes on.
#[test]
fn what_the_broker_kept_arrives_after_it_was_killed() {
    let folder = scratch();
    let (Some(mut broker), Some(_)) =
        (Mosquitto::start(&folder.path().join("broker")), program("mosquitto_pub"))
    else {
        return;
    };
    let (data, ledger) = (folder.path().join("data"), folder.path().join("ledger.csv"));
    let server = serve(&data, &broker);
    enrol(&server);
    wait_until(|| (server.metric("motorpool_broker_connected") == 1.0).then_some(()));
    signal(server.pid(), "STOP");
    let published = publish(&broker, &ledger, 1).wait().unwrap();
    assert!(published.success(), "the broker did not acknowledge everything: {published}");
    broker.save_and_kill();
    signal(server.pid(), "CONT");
    settle(&server, &broker);
    server.stop();
    let outcome = compare(&ledger, &data);
    assert!(outcome.acked > 0, "{outcome:?}");
    assert_eq!((outcome.missing, outcome.doubled), (0, 0), "{outcome:?}");
    println!("{outcome:?}");
}
