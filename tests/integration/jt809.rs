//! JT/T 809: a server as the lower platform of another one, over real sockets, and who may not be one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use motorpool::config::Config;
use motorpool::registry::{Change, Enrol, Known, Registry};
use motorpool_protocols::jt809::message::link::{LogIn, LogInReply};
use motorpool_protocols::jt809::message::{Link, Text};
use motorpool_protocols::jt809::{Edition, Frame, Header, Message, encode_frame};
use motorpool_protocols::{Protocol, TerminalId, UtcMillis};
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId};
use motorpool_supervision::register::{Binding, Span, Unit, Vehicle};
use serde_json::json;

use crate::support::{PATIENCE, Served, motorpool_ok, scratch, wait_until};
use crate::terminal::{Terminal, frame, position};

/// The terminals of the lower server; the last is in a car on secret work.
const TERMINALS: [&str; 3] = ["013800000001", "013800000002", "013800000003"];
/// The plates of their cars, and how they are named between platforms.
const PLATES: [(&str, &str); 3] =
    [("沪A00001", "31A00001-1"), ("沪A00002", "31A00002-1"), ("沪A00003", "31A00003-1")];
/// The first unit of a registry: all cars are its own.
const UNIT: i64 = 1;
/// Who the lower platform is to the superior one.
const PLATFORMS: &str = r#"[{ access_code = 77, user = 5, password = "secret" }]"#;

/// An address nobody has. Nobody else asks for ports by number here, so a port that was free a moment ago stays free.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

const fn added<T>(row: T) -> Change<T> {
    Change::Add { id: None, valid: Span::ALWAYS, row }
}

/// Writes terminals and their cars into the registry of a server that does not run.
fn enter_cars(data: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config { data: data.to_owned(), ..Config::default() };
        let registry = Registry::open(data, &config).await.unwrap();
        let now = UtcMillis(1_700_000_000_000);
        let enrol = TERMINALS.map(|terminal| Enrol {
            protocol: Protocol::Jt808,
            terminal: TerminalId::new(terminal).unwrap(),
            name: None,
            profile: None,
        });
        let devices = registry.enrol(&enrol, "test", now).await.unwrap();
        let units = [added(Unit { name: "办公室".to_owned(), ..Unit::default() })];
        let unit = UnitId(registry.write_rows(&units, "test", now).await.unwrap()[0].id);
        assert_eq!(unit, UnitId(UNIT));
        for ((terminal, device), (plate, _)) in TERMINALS.iter().zip(devices).zip(PLATES) {
            let is_secret = *terminal == TERMINALS[2];
            let vehicle = [added(Vehicle { plate: plate.to_owned(), unit, is_secret, ..Vehicle::default() })];
            let vehicle = VehicleId(registry.write_rows(&vehicle, "test", now).await.unwrap()[0].id);
            let device = DeviceId(i64::from(device.device.0));
            let binding = [added(Binding { device, vehicle, is_primary: true, ..Binding::default() })];
            registry.write_rows(&binding, "test", now).await.unwrap();
        }
        registry.close().await;
    });
}

fn start_superior(data: &Path, address: SocketAddr) -> Served {
    let address = address.to_string();
    let variables = [
        ("MOTORPOOL__JT809__LISTEN", address.as_str()),
        ("MOTORPOOL__JT809__PLATFORMS", PLATFORMS),
        ("MOTORPOOL__JT809__COUNT_EVERY", "7"),
    ];
    Served::start_with(data, &variables)
}

fn start_lower(data: &Path, superior: SocketAddr, edition: &str) -> Served {
    let superiors = format!(
        r#"[{{ name = "city", address = "{superior}", user = 5, password = "secret", access_code = 77,
        edition = {edition}, sub_listen = "127.0.0.1:0", sub_address = "127.0.0.1", unit = {UNIT}, plate_colour = 1,
        live_within = "1000000h", keep_alive = "1s", retry_max = "1s" }}]"#
    );
    Served::start_with(data, &[("MOTORPOOL__JT809__SUPERIORS", superiors.as_str())])
}

/// Enrols the platform and the vehicles behind it.
fn enrol_platform(superior: &Served) {
    let names = std::iter::once("platform-77").chain(PLATES.map(|(_, name)| name));
    let devices: Vec<_> = names.map(|name| json!({"terminal": name, "protocol": "jt809"})).collect();
    let body = json!({ "devices": devices });
    let answer = superior.request("POST", "/api/v1/devices", Some(&superior.token), Some(&body));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Sends a position of each second, all acknowledged.
fn drive(terminals: &mut [Terminal], seconds: std::ops::Range<u8>) {
    for second in seconds {
        for (terminal, name) in terminals.iter_mut().zip(TERMINALS) {
            terminal.send(&frame(0x0200, name, 10 + u16::from(second), &position(second)));
            assert_eq!(terminal.result(), 0);
        }
    }
}

/// Fixes that a server has, each counted once.
fn fixes(server: &Served) -> u64 {
    let value = |name: &str| server.metric(name) as u64;
    value("motorpool_fixes_decoded_total") - value("motorpool_fixes_duplicate_total")
}

/// Terminal and time of each row of the archive, sorted.
fn rows(data: &Path) -> Vec<String> {
    let text = motorpool_ok(&["tracks", "export", "--data", data.to_str().unwrap(), "--format", "csv"]);
    let mut rows: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    rows.sort();
    rows
}

fn feed_over_a_break(edition: &str) {
    let (lower_data, superior_data) = (scratch(), scratch());
    let address = free_address();
    enter_cars(lower_data.path());
    let superior = start_superior(superior_data.path(), address);
    enrol_platform(&superior);
    let lower = start_lower(lower_data.path(), address, edition);
    let mut terminals = TERMINALS.map(|name| Terminal::logged_in(&lower, name));

    drive(&mut terminals, 0..15);
    wait_until(|| (fixes(&superior) == 30).then_some(()));
    // Everything is counted, over the sub link, and leaves the queue.
    wait_until(|| (lower.metric("motorpool_jt809_waiting") == 0.0).then_some(()));
    assert_eq!(lower.metric("motorpool_jt809_superiors_connected"), 1.0);

    // More than one count is under way when the superior platform dies.
    drive(&mut terminals, 15..25);
    superior.kill();
    drive(&mut terminals, 25..40);
    // What came in the break waits, as soon as the journal has been followed that far: terminals are answered before.
    wait_until(|| (lower.metric("motorpool_jt809_waiting") >= 30.0).then_some(()));
    let superior = start_superior(superior_data.path(), address);
    drive(&mut terminals, 40..50);
    wait_until(|| (lower.metric("motorpool_jt809_waiting") == 0.0).then_some(()));
    assert_eq!(lower.metric("motorpool_jt809_dropped_total"), 0.0);

    superior.wait_consumed();
    superior.stop();
    lower.stop();
    let arrived = rows(superior_data.path());
    assert_eq!(arrived.len(), 100, "two cars of three, fifty positions each, none twice: {arrived:#?}");
}

#[test]
fn a_server_feeds_another_by_2011_and_makes_good_what_a_break_cost() {
    feed_over_a_break("2011");
}

#[test]
fn a_server_feeds_another_by_2019_and_makes_good_what_a_break_cost() {
    feed_over_a_break("2019");
}

/// A server of whose cars forty positions wait for a superior platform that is not there.
fn waiting_for_its_superior(data: &Path, address: SocketAddr) -> Served {
    enter_cars(data);
    let lower = start_lower(data, address, "2019");
    let mut terminals = TERMINALS.map(|name| Terminal::logged_in(&lower, name));
    drive(&mut terminals, 0..20);
    wait_until(|| (lower.metric("motorpool_jt809_waiting") == 40.0).then_some(()));
    lower
}

#[test]
fn what_waits_survives_the_death_of_the_lower_server() {
    let (lower_data, superior_data) = (scratch(), scratch());
    let address = free_address();
    let lower = waiting_for_its_superior(lower_data.path(), address);
    lower.kill();

    let superior = start_superior(superior_data.path(), address);
    enrol_platform(&superior);
    let lower = start_lower(lower_data.path(), address, "2019");
    wait_until(|| (fixes(&superior) == 40).then_some(()));
    wait_until(|| (lower.metric("motorpool_jt809_waiting") == 0.0).then_some(()));
    superior.wait_consumed();
    superior.stop();
    assert_eq!(rows(superior_data.path()).len(), 40);
}

/// Writes into the registry of a server that does not run that the car with this plate is one on secret work from now on.
fn make_secret(data: &Path, plate: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config { data: data.to_owned(), ..Config::default() };
        let registry = Registry::open(data, &config).await.unwrap();
        let vehicles = registry.rows::<Vehicle>(Known::Now).await.unwrap();
        let vehicle = vehicles.into_iter().find(|vehicle| vehicle.row.plate == plate).unwrap();
        let now = motorpool::clock::wall_now();
        let row = Vehicle { is_secret: true, ..vehicle.row };
        let valid = Span { from: now, to: None };
        let change = Change::Amend { id: vehicle.id, expected: None, valid, row };
        registry.write_rows(&[change], "test", now).await.unwrap();
        registry.close().await;
    });
}

#[test]
fn what_waits_for_a_car_that_became_secret_is_not_sent() {
    let (lower_data, superior_data) = (scratch(), scratch());
    let address = free_address();
    let lower = waiting_for_its_superior(lower_data.path(), address);
    lower.stop();
    make_secret(lower_data.path(), PLATES[0].0);

    let superior = start_superior(superior_data.path(), address);
    enrol_platform(&superior);
    let lower = start_lower(lower_data.path(), address, "2019");
    wait_until(|| (lower.metric("motorpool_jt809_waiting") == 0.0).then_some(()));
    assert_eq!(lower.metric("motorpool_jt809_withheld_total"), 20.0);
    lower.stop();
    superior.wait_consumed();
    superior.stop();
    let arrived = rows(superior_data.path());
    assert_eq!(arrived.len(), 20, "the other car's: {arrived:#?}");
    assert!(!arrived.iter().any(|row| row.contains(PLATES[0].1)), "{arrived:#?}");
}

/// A platform made by hand that logs in by 2019 and waits for the sub link at `sub_port`; 0 = it wants none.
fn log_in_with(
    to: SocketAddr,
    access_code: u32,
    user: u32,
    password: &str,
    sub_port: u16,
) -> (TcpStream, LogInReply) {
    let sub_address = if sub_port == 0 { "" } else { "127.0.0.1" };
    let log_in = LogIn {
        user,
        password: Text::from(password),
        access_code: Some(access_code),
        sub_address: Text::from(sub_address),
        sub_port,
    };
    let message = Message::Link(Link::LogIn(log_in));
    let mut body = Vec::new();
    message.encode(Edition::E2019, &mut body).unwrap();
    let header = Header {
        message_id: message.message_id(),
        access_code,
        time_s: Some(1_780_000_000),
        ..Header::default()
    };
    let mut bytes = Vec::new();
    encode_frame(&header, &body, None, &mut bytes);
    let mut socket = TcpStream::connect(to).unwrap();
    socket.write_all(&bytes).unwrap();
    match receive(&mut socket) {
        Message::Link(Link::LogInReply(reply)) => (socket, reply),
        other => panic!("{other:?}"),
    }
}

/// The next message.
fn receive(socket: &mut TcpStream) -> Message {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    let mut byte = [0];
    while bytes.last() != Some(&0x5d) {
        socket.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let frame = Frame::parse(&bytes).unwrap();
    let body = frame.clear_body(None).unwrap();
    Message::decode(frame.header.message_id, frame.header.edition(), &body).unwrap().0
}

fn log_in(to: SocketAddr, access_code: u32, user: u32, password: &str) -> u8 {
    log_in_with(to, access_code, user, password, 0).1.result
}

#[test]
fn the_sub_link_is_connected_back_with_the_code_of_the_log_in_and_again_when_it_breaks() {
    let data = scratch();
    let superior = start_superior(data.path(), free_address());
    enrol_platform(&superior);
    let waits = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = superior.jt809.unwrap();
    let (_main, reply) = log_in_with(address, 77, 5, "secret", waits.local_addr().unwrap().port());
    assert_eq!(reply.result, 0);
    for _ in 0..2 {
        // Dropped at the end of each round.
        let (mut sub, _) = waits.accept().unwrap();
        let Message::Link(Link::SubLogIn(log_in)) = receive(&mut sub) else { panic!("no log-in") };
        assert_eq!(log_in.verify_code, reply.verify_code);
    }
}

#[test]
fn only_a_platform_that_is_configured_and_enrolled_comes_in() {
    let data = scratch();
    let address = free_address();
    let superior = start_superior(data.path(), address);
    let not_registered = 3;
    assert_eq!(log_in(address, 77, 5, "secret"), not_registered, "configured, and nobody enrolled it");
    enrol_platform(&superior);
    let wrong_password = 4;
    assert_eq!(log_in(address, 77, 5, "Secret"), wrong_password);
    assert_eq!(log_in(address, 77, 6, "secret"), wrong_password, "another user");
    assert_eq!(log_in(address, 78, 5, "secret"), not_registered);
    assert_eq!(log_in(address, 77, 5, "secret"), 0);

    // No platform comes in at the port for terminals: nothing there could keep its sub link.
    let no_resources = 5;
    assert_eq!(log_in(superior.trackers, 77, 5, "secret"), no_resources);
}
