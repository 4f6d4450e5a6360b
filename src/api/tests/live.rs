//! The live map over real sockets, with a client that is not ours.

use futures_util::{SinkExt as _, StreamExt as _};
use motorpool_protocols::{Fix, Quality, UtcMillis};
use motorpool_supervision::register::{Binding, Span, Unit, Vehicle};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::app::TestApp;
use crate::config::Seconds;
use crate::ids::{DeviceId, LinkId};
use crate::registry::{Change, Scope, Stored};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const NOW: UtcMillis = UtcMillis(1_772_589_600_000);

async fn app(clients_max: usize) -> TestApp {
    let app = TestApp::with(|config| {
        config.http.live_interval = Seconds(std::time::Duration::from_millis(5));
        config.http.live_clients_max = clients_max;
    })
    .await;
    app.enrol(3).await;
    app
}

async fn add<T: Stored>(app: &TestApp, row: T) {
    let change = Change::Add { id: None, valid: Span::ALWAYS, row };
    app.registry.write_rows(&[change], "test", NOW).await.unwrap();
}

fn see(app: &TestApp, device: u32, lon_e7: i32) {
    let fix = Fix {
        speed_dkmh: Some(605),
        course_deg: Some(90),
        quality: Quality(0),
        ..Fix::new(NOW, 300_000_000, lon_e7)
    };
    app.live.apply(DeviceId(device), NOW, &fix);
}

/// Opens the feed with these headers.
async fn open(app: &TestApp, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let address = app.serve().await;
    let mut request = format!("ws://{address}/api/v1/live").into_client_request()?;
    for (name, value) in headers {
        let value = value.replace("HOST", &address.to_string());
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    Ok(connect_async(request).await?.0)
}

async fn open_with_token(app: &TestApp) -> Socket {
    open(app, &[("authorization", &format!("Bearer {}", app.token))]).await.unwrap()
}

/// The status of a refusal.
fn refusal(result: Result<Socket, Error>) -> u16 {
    match result {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

/// The next frame: its kind and, for each car, number, longitude, state, speed and course.
async fn frame(socket: &mut Socket) -> (u8, Vec<(u32, i32, u8, u8, u16)>) {
    loop {
        let next = tokio::time::timeout(std::time::Duration::from_secs(30), socket.next()).await;
        let Message::Binary(bytes) = next.expect("in time").unwrap().unwrap() else { continue };
        let records = bytes[8..].chunks_exact(20).map(|record| {
            let word = |at: usize| <[u8; 4]>::try_from(&record[at..at + 4]).unwrap();
            let course = u16::from_le_bytes([record[18], record[19]]);
            (u32::from_le_bytes(word(0)), i32::from_le_bytes(word(4)), record[16], record[17], course)
        });
        return (bytes[1], records.collect());
    }
}

#[tokio::test]
async fn a_client_sees_the_fleet_and_then_what_moves() {
    let app = app(8).await;
    see(&app, 1, 1_100_000_000);
    app.live.link_opened(DeviceId(1), LinkId(1), NOW);
    let mut socket = open_with_token(&app).await;
    let unheard = |n| (n, 0, 4, 0, 0);
    let moving = (1, 1_100_000_000, 3, 61, 16_384);
    assert_eq!(frame(&mut socket).await, (0, vec![moving, unheard(2), unheard(3)]));
    see(&app, 2, 1_110_000_000);
    let offline = (2, 1_110_000_000, 0, 61, 16_384);
    assert_eq!(frame(&mut socket).await, (1, vec![offline]));
    socket.send(Message::text(r#"{"bbox":[110.5,29,112,31],"unit":null}"#)).await.unwrap();
    assert_eq!(frame(&mut socket).await, (0, vec![offline]), "a view that is asked for comes as a snapshot");
    socket.send(Message::text(r#"{"bbox":null}"#)).await.unwrap();
    assert_eq!(frame(&mut socket).await.1.len(), 3);
}

#[tokio::test]
async fn only_own_pages_and_programs_with_a_token_are_let_in() {
    let app = app(8).await;
    let bearer = format!("Bearer {}", app.token);
    let enroller = format!("Bearer {}", app.token_for(&[Scope::Enrol]).await);
    assert_eq!(refusal(open(&app, &[]).await), 401);
    assert_eq!(refusal(open(&app, &[("authorization", &enroller)]).await), 403);
    for stranger in ["http://evil.example", "null", "http://HOST.evil.example", "ftp://HOST"] {
        let opened = open(&app, &[("authorization", &bearer), ("origin", stranger)]).await;
        assert_eq!(refusal(opened), 403, "{stranger}");
    }
    assert!(open(&app, &[("authorization", &bearer), ("origin", "http://HOST")]).await.is_ok());
    assert_eq!(app.get("/api/v1/live").await.problem(), "upgrade_required");
}

#[tokio::test]
async fn clients_and_their_messages_have_limits() {
    let app = app(1).await;
    let mut first = open_with_token(&app).await;
    let bearer = format!("Bearer {}", app.token);
    assert_eq!(refusal(open(&app, &[("authorization", &bearer)]).await), 503);
    frame(&mut first).await;
    // Too large for a wish: the server ends it, and the place is free again.
    drop(first.send(Message::text(" ".repeat(5_000))).await);
    while first.next().await.is_some_and(|message| message.is_ok()) {}
    let mut second = loop {
        if let Ok(socket) = open(&app, &[("authorization", &bearer)]).await {
            break socket;
        }
    };
    frame(&mut second).await;
    second.send(Message::text(r#"{"bbox":[0,1]}"#)).await.unwrap();
    let close = loop {
        match second.next().await {
            Some(Ok(Message::Close(close))) => break close,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(u16::from(close.unwrap().code), 1007);
}

#[tokio::test]
async fn the_server_says_goodbye_when_it_stops() {
    let app = app(8).await;
    let mut socket = open_with_token(&app).await;
    frame(&mut socket).await;
    app.stop.cancel();
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(close))) => break assert_eq!(u16::from(close.unwrap().code), 1001),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_car_on_secret_work_is_nowhere() {
    let app = app(8).await;
    let unit = |name: &str, parent| Unit { name: name.to_owned(), parent, ..Unit::default() };
    let car = |plate: &str, is_secret| Vehicle {
        plate: plate.to_owned(),
        unit: motorpool_supervision::ids::UnitId(2),
        is_secret,
        ..Vehicle::default()
    };
    let fitted = |device, vehicle| Binding {
        device: motorpool_supervision::ids::DeviceId(device),
        vehicle: motorpool_supervision::ids::VehicleId(vehicle),
        is_primary: true,
        ..Binding::default()
    };
    add(&app, unit("县政府", None)).await;
    add(&app, unit("水利局", Some(motorpool_supervision::ids::UnitId(1)))).await;
    add(&app, car("云X00001", false)).await;
    add(&app, car("云X00002", true)).await;
    add(&app, fitted(1, 1)).await;
    add(&app, fitted(2, 2)).await;
    let fleet = app.get("/api/v1/fleet").await.good();
    let plates: Vec<_> = fleet["cars"].as_array().unwrap().iter().map(|car| car["plate"].clone()).collect();
    assert_eq!(plates, [json!("云X00001"), json!("")]);
    assert_eq!(fleet["cars"][0]["unit"], 2);
    assert_eq!(fleet["units"][1], json!({ "id": 2, "name": "水利局", "parent": 1 }));
    see(&app, 2, 1_110_000_000);
    let mut socket = open_with_token(&app).await;
    let numbers: Vec<u32> = frame(&mut socket).await.1.iter().map(|record| record.0).collect();
    assert_eq!(numbers, [1, 3]);
    socket.send(Message::text(r#"{"unit":1}"#)).await.unwrap();
    let numbers: Vec<u32> = frame(&mut socket).await.1.iter().map(|record| record.0).collect();
    assert_eq!(numbers, [1], "a unit means those below it too");
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_its_sockets() {
    let app = app(8).await;
    let token = app.token_for(&[Scope::Read]).await;
    let mut socket = open(&app, &[("authorization", &format!("Bearer {token}"))]).await.unwrap();
    frame(&mut socket).await;
    let id = token.split('_').nth(1).unwrap();
    assert!(app.registry.revoke_token(id, "test", UtcMillis(0)).await.unwrap());
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(close))) => break assert_eq!(u16::from(close.unwrap().code), 1008),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}
