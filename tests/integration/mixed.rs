//! A mixed fleet on one port: every tracker is known by what it says, and none costs another anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use motorpool_protocols::teltonika::frame::{CODEC_8_EXTENDED, Datagram};
use motorpool_protocols::teltonika::{encode_datagram, encode_record};
use motorpool_protocols::{Fix, TerminalId, UtcMillis};
use serde_json::{Value, json};

use crate::kill::{compare, survive_kills};
use crate::support::{MOTORPOOL, PATIENCE, Served, scratch, wait_until};

/// Protocol, and the first of its simulated terminals.
const FLEET: [(&str, &str); 4] = [
    ("jt808", "013900000001"),
    ("gb32960", "OIQ32960S00000001"),
    ("gt06", "000139000000001"),
    ("teltonika", "000139800000001"),
];
/// Vehicles of each protocol.
const VEHICLES: u64 = 5;
/// Seconds of load.
const LOAD_S: &str = "2";
/// A Teltonika tracker that sends datagrams.
const OVER_UDP: &str = "000139800900001";
/// Kills under load.
const KILLS: u64 = 3;

/// A load of one protocol, on its way.
fn simulate(server: &Served, protocol: &str, ledger: &Path) -> Child {
    Command::new(MOTORPOOL)
        .args(["simulate", "--protocol", protocol, "--vehicles", &VEHICLES.to_string()])
        .args(["--interval", "0.02", "--duration", LOAD_S, "--json"])
        .args(["--to", &server.trackers.to_string(), "--enrol", &server.token])
        .args(["--api", &format!("http://{}", server.http), "--ledger"])
        .arg(ledger)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn enrol(server: &Served, protocol: &str, terminal: &str) {
    let body = json!({ "devices": [{ "terminal": terminal, "protocol": protocol }] });
    let answer = server.request("POST", "/api/v1/devices", Some(&server.token), Some(&body));
    assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.body);
}

#[test]
fn four_protocols_share_a_port_and_a_stranger_costs_nobody_anything() {
    let folder = scratch();
    let data = folder.path().join("data");
    let server = Served::start(&data);
    let ledger = |protocol: &str| folder.path().join(format!("{protocol}.csv"));
    let loads: Vec<Child> =
        FLEET.iter().map(|(protocol, _)| simulate(&server, protocol, &ledger(protocol))).collect();
    enrol(&server, "teltonika", OVER_UDP);
    let refused_before = server.get_json("/api/v1/status")["messages"]["rejected"].as_u64().unwrap();
    let mut stranger = TcpStream::connect(server.trackers).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    // More than the server holds of what it does not know; it may hang up before it has all.
    stranger.write_all(&[0xff, 0xfe, 0x01].repeat(7_000)).unwrap_or_default();
    let said = stranger.read(&mut [0; 64]).map_err(|error| error.kind());
    assert!(matches!(said, Ok(0) | Err(ErrorKind::ConnectionReset)), "not just hung up on: {said:?}");
    wait_until(|| {
        let refused = server.get_json("/api/v1/status")["messages"]["rejected"].as_u64();
        (refused > Some(refused_before)).then_some(())
    });
    sent_as_datagrams_is_answered_and_stored(&server, &data);

    let mut acked = 0;
    for ((protocol, _), load) in FLEET.iter().zip(loads) {
        let output = load.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{protocol}: {report}");
        assert_eq!((report["lost"].as_u64(), report["reconnects"].as_u64()), (Some(0), Some(0)), "{report}");
        assert!(report["acked"].as_u64() > Some(0), "{report}");
        acked += report["acked"].as_u64().unwrap();
    }
    server.wait_consumed();
    let status = server.get_json("/api/v1/status");
    assert!(status["messages"]["journaled"].as_u64() >= Some(acked), "{status}");
    assert_eq!(status["messages"]["undecodable"], 0, "{status}");
    assert!(status["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{status}");
    for (protocol, terminal) in FLEET {
        the_api_shows_where_it_was(&server, terminal, &ledger(protocol));
    }
    server.stop();
    for (protocol, _) in FLEET {
        let outcome = compare(&ledger(protocol), &data);
        assert!(outcome.acked > 0 && outcome.missing == 0, "{protocol}: {outcome:?}");
    }
}

/// The track over HTTP has every acknowledged second of the ledger, each at its place.
fn the_api_shows_where_it_was(server: &Served, terminal: &str, ledger: &Path) {
    let text = std::fs::read_to_string(ledger).unwrap();
    let acked = text.lines().filter_map(|line| line.strip_prefix("acked,")?.strip_prefix(terminal));
    let acked: BTreeMap<&str, (f64, f64)> = acked
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[2], (fields[3].parse().unwrap(), fields[4].parse().unwrap()))
        })
        .collect();
    let (first, last) = (acked.keys().next().unwrap(), acked.keys().next_back().unwrap());
    let to = last.replace('Z', ".999Z");
    let track = server.get(&format!("/api/v1/devices/{terminal}/track?from={first}&to={to}&format=csv"));
    let mut reader = csv::Reader::from_reader(track.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (time, lat, lon) = (column("time_utc"), column("lat"), column("lon"));
    let mut seen = BTreeSet::new();
    for row in reader.records().map(Result::unwrap) {
        let Some((sent_lat, sent_lon)) = acked.get(&row[time]) else { continue };
        let off = |text: &str, sent: &f64| (text.parse::<f64>().unwrap() - sent).abs();
        assert!(off(&row[lat], sent_lat).max(off(&row[lon], sent_lon)) < 1.5e-6, "{terminal}: {row:?}");
        seen.insert(row[time].to_owned());
    }
    assert_eq!(seen.len(), acked.len(), "{terminal}");
}

/// A tracker over UDP: the answer repeats its numbers, and by then the positions are durable.
fn sent_as_datagrams_is_answered_and_stored(server: &Served, data: &Path) {
    let addresses: Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("addresses.json")).unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(addresses["trackers_udp"].as_str().unwrap()).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
    let mut body = Vec::new();
    for second in 0..2 {
        let time = UtcMillis(1_780_000_000_000 + second * 1_000);
        let fix = Fix { satellites: Some(9), ..Fix::new(time, 331_234_567, 1_041_234_567) };
        encode_record(&fix, &[], &mut body);
    }
    let head = Datagram { packet: 0xcafe, avl_packet: 7, terminal: TerminalId::new(OVER_UDP).unwrap() };
    let mut datagram = Vec::new();
    encode_datagram(&head, CODEC_8_EXTENDED, 2, &body, &mut datagram);
    let begun = Instant::now();
    let mut answer = [0; 64];
    let length = loop {
        socket.send(&datagram).unwrap();
        match socket.recv(&mut answer) {
            Ok(length) => break length,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
    };
    assert_eq!(answer[..length], [0, 5, 0xca, 0xfe, 1, 7, 2]);
    server.wait_consumed();
    let track = server.get(&format!(
        "/api/v1/devices/{OVER_UDP}/track?from=2026-05-28T00:00:00Z&to=2026-05-30T00:00:00Z&format=csv"
    ));
    assert_eq!(track.lines().filter(|line| line.contains("33.1234567")).count(), 2, "{track}");
}

#[test]
fn no_acknowledged_frame_of_gb32960_is_lost_by_kill_9() {
    let outcome = survive_kills("gb32960", KILLS, &[]);
    assert!(outcome.acked > 0 && outcome.stored >= outcome.acked, "{outcome:?}");
    assert_eq!((outcome.missing, outcome.doubled), (0, 0), "{outcome:?}");
}
