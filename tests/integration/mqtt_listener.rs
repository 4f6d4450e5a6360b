//! The built-in MQTT listener against clients that are not ours: `mosquitto_pub`, `mosquitto_sub`, paho.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::mqtt_support::{client, enrol_mqtt, program, python_with_paho};
use crate::support::{PATIENCE, Served, motorpool_ok, scratch, wait_until};

const CAR: &str = "car-7";

fn report(second: u32) -> String {
    format!(r#"{{"time":"2026-04-01T08:00:{second:02}+08:00","lat":30.123,"lon":120.456,"speed_kmh":40.5}}"#)
}

/// The times of a terminal's fixes in the history.
fn stored(data: &std::path::Path, terminal: &str) -> Vec<String> {
    let csv = motorpool_ok(&["tracks", "export", "--data", data.to_str().unwrap(), "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows = reader.records().map(Result::unwrap);
    rows.filter(|row| &row[1] == terminal).map(|row| row[2].to_owned()).collect()
}

#[test]
fn mosquittos_clients_publish_and_subscribe_as_the_device_they_are() {
    let (Some(publisher), Some(subscriber)) = (program("mosquitto_pub"), program("mosquitto_sub")) else {
        return;
    };
    let folder = scratch();
    let server = Served::start(folder.path());
    let secret = enrol_mqtt(&server, CAR);
    let publish = |login: (&str, &str), version: &str, topic: &str, qos: &str, text: &str| {
        client(
            &publisher,
            server.mqtt,
            login,
            &["-V", version, "-q", qos, "-i", "pub", "-t", topic, "-m", text],
        )
    };
    let own = (CAR, secret.as_str());
    for (second, (version, qos)) in
        [("mqttv311", "1"), ("mqttv5", "1"), ("mqttv311", "0"), ("mqttv5", "0")].into_iter().enumerate()
    {
        let second = u32::try_from(second).unwrap();
        let done = publish(own, version, "motorpool/car-7/up", qos, &report(second));
        assert!(done.status.success(), "{version} {qos}: {}", String::from_utf8_lossy(&done.stderr));
        // The same once more is no second fix.
        assert!(publish(own, version, "motorpool/car-7/up", qos, &report(second)).status.success());
    }
    let fails = |done: std::process::Output, text: &str| {
        let said = String::from_utf8_lossy(&done.stderr).to_lowercase();
        assert!(!done.status.success() || said.contains(text), "{} {said}", done.status);
        assert!(said.contains(text), "{said}");
    };
    fails(publish((CAR, "wrong"), "mqttv311", "motorpool/car-7/up", "1", "{}"), "bad user name or password");
    fails(publish(("car-8", "x"), "mqttv5", "motorpool/car-8/up", "1", "{}"), "not authorized");
    fails(publish(own, "mqttv5", "motorpool/car-8/up", "1", &report(9)), "not authorized");
    fails(publish(own, "mqttv5", "motorpool/car-7/up", "1", "{"), "payload format invalid");
    fails(publish(own, "mqttv5", "motorpool/car-7/up", "2", &report(9)), "qos");

    let listen = |topic: &str, version: &str| {
        let arguments = ["-V", version, "-q", "1", "-i", "sub", "-t", topic, "-E"];
        client(&subscriber, server.mqtt, own, &arguments)
    };
    for version in ["mqttv311", "mqttv5"] {
        assert!(listen("motorpool/car-7/down", version).status.success());
        let denied = listen("motorpool/+/down", version);
        assert!(String::from_utf8_lossy(&denied.stderr).contains("denied"), "{denied:?}");
    }
    wait_until(|| (server.metric("motorpool_mqtt_refused_total") >= 5.0).then_some(()));
    wait_until(|| server.get("/api/v1/quarantine").contains("car-8").then_some(()));
    server.stop();
    let expected: Vec<String> = (0..4).map(|second| format!("2026-04-01T00:00:{second:02}Z")).collect();
    assert_eq!(stored(folder.path(), CAR), expected);
}

/// Publishes 500 positions with a window, one of somebody else, and one that is no JSON, and tells the reason codes.
const PAHO: &str = r#"
import sys, threading
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
host, port, user, secret, version = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="paho", protocol=version)
client.username_pw_set(user, secret)
connected, codes = threading.Event(), {}
def on_connect(client, userdata, flags, reason, properties):
    assert not flags.session_present, flags
    assert reason == 0, reason
    connected.set()
client.on_connect = on_connect
client.on_publish = lambda client, userdata, mid, reason, properties: codes.__setitem__(mid, reason.value)
client.connect(host, port, keepalive=5)
client.loop_start()
assert connected.wait(60)
topic = f"motorpool/{user}/up"
sent = [client.publish(topic, f'{{"time":{1775001600 + n},"lat":30.5,"lon":120.5}}', qos=1) for n in range(500)]
if version == 5:
    sent += [client.publish("motorpool/car-8/up", "{}", qos=1), client.publish(topic, "[", qos=1)]
for info in sent:
    info.wait_for_publish(60)
    assert info.is_published()
print([codes[info.mid] for info in sent[498:]])
client.disconnect()
client.loop_stop()
"#;

#[test]
fn paho_publishes_with_a_window_and_is_told_what_is_refused() {
    let Some(python) = python_with_paho() else { return };
    let folder = scratch();
    let server = Served::start(folder.path());
    for (car, version, codes) in [("car-4", "4", "[0, 0]"), ("car-5", "5", "[0, 0, 135, 153]")] {
        let secret = enrol_mqtt(&server, car);
        let output = Command::new(python)
            .args(["-c", PAHO, &server.mqtt.ip().to_string(), &server.mqtt.port().to_string()])
            .args([car, &secret, version])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), codes, "{}", String::from_utf8_lossy(&output.stderr));
    }
    server.stop();
    for car in ["car-4", "car-5"] {
        assert_eq!(stored(folder.path(), car).len(), 500);
    }
}

#[test]
fn bad_bytes_over_mqtt_disturb_nobody_else() {
    let folder = scratch();
    let server = Served::start(folder.path());
    let secret = enrol_mqtt(&server, CAR);
    let mut bytes = u64::from(std::process::id());
    println!("bytes from seed {bytes}");
    let mut next = move || {
        // splitmix64
        bytes = bytes.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (bytes ^ (bytes >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)).to_le_bytes()
    };
    let mut good = device(&server);
    good.write_all(&connect(CAR, &secret)).unwrap();
    let mut answer = [0; 4];
    good.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0]);
    for round in 0..200 {
        let mut socket = device(&server);
        let mut noise: Vec<u8> = (0..32).flat_map(|_| next()).collect();
        if round % 2 == 0 {
            // Something that begins as it should.
            noise.splice(0..0, connect("nobody", "x"));
        }
        drop(socket.write_all(&noise));
        drop(socket.shutdown(std::net::Shutdown::Write));
        let mut said = Vec::new();
        drop(socket.read_to_end(&mut said));
        assert!(said.is_empty() || said[0] == 0x20, "{said:02x?}");
    }
    for second in 0..10_u8 {
        let text = report(u32::from(second));
        let topic = b"motorpool/car-7/up";
        let length = u8::try_from(2 + topic.len() + 2 + text.len()).unwrap();
        assert!(length < 128, "one byte of length");
        let packet = [&[0x32, length, 0, 18][..], topic, &[0, second + 1], text.as_bytes()].concat();
        good.write_all(&packet).unwrap();
        good.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0x40, 2, 0, second + 1]);
    }
    wait_until(|| (server.metric("motorpool_ledger_imbalance") == 0.0).then_some(()));
    server.stop();
    assert_eq!(stored(folder.path(), CAR).len(), 10);
}

/// A device that promised to speak every second and does not is let go.
#[test]
fn a_keep_alive_that_is_not_kept_ends_the_link() {
    let folder = scratch();
    let server = Served::start(folder.path());
    let secret = enrol_mqtt(&server, CAR);
    let mut socket = device(&server);
    socket.write_all(&connect(CAR, &secret)).unwrap();
    let mut said = Vec::new();
    // CONNACK, then silence on both sides, then the end.
    socket.read_to_end(&mut said).unwrap();
    assert_eq!(said, [0x20, 2, 0, 0]);
    // The books are closed after the socket is.
    let is_counted = || server.get("/metrics").contains("reason=\"idle_timeout\"} 1").then_some(());
    wait_until(is_counted);
}

fn device(server: &Served) -> TcpStream {
    let socket = TcpStream::connect(server.mqtt).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// CONNECT of 3.1.1 with a keep-alive of one second.
fn connect(user: &str, secret: &str) -> Vec<u8> {
    let text = |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
    let body = [text("MQTT"), vec![4, 0xc2, 0, 1], text("raw"), text(user), text(secret)].concat();
    [vec![0x10, u8::try_from(body.len()).unwrap()], body].concat()
}
