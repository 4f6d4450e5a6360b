//! Who hears what on streams of events, how many there are, and what the map of roads is made of.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{Request, StatusCode};
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use motorpool_protocols::{Fix, UtcMillis};
use motorpool_supervision::cases::Role;
use motorpool_supervision::ids::{DeviceId as SupervisedDevice, UnitId, VehicleId};
use motorpool_supervision::register::{Binding, Span, Unit, Vehicle};
use serde_json::{Value, json};

use super::app::TestApp;
use super::cases::County;
use super::webhooks::hear;
use crate::clock::wall_now;
use crate::config::Seconds;
use crate::ids::{DeviceId, LinkId};
use crate::registry::{Change, Scope, Stored};

/// Opens a stream; it stays open as long as the answer is kept.
async fn open(address: SocketAddr, token: &str) -> axum::http::Response<Incoming> {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/api/v1/events")
        .header("host", address.to_string())
        .header("authorization", format!("Bearer {token}"))
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    sender.send_request(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_inspectors_do_after_a_hand_over_is_no_event_for_the_office() {
    let county = County::new().await;
    let app = &county.app;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let inspector = county.person("吴", Role::Inspector, 3).await;
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    county.act(&inspector, json!({ "type": "hand_over", "text": "移送" })).await.good();
    app.notifier.lock().await.pass().await.unwrap();
    let known = format!("{:x}-{}", app.started_at.0, *app.ring.subscribe().borrow());
    county.act(&inspector, json!({ "type": "start_checking" })).await.good();
    app.notifier.lock().await.pass().await.unwrap();
    app.live.link_opened(DeviceId(1), LinkId(1), wall_now());
    app.notifier.lock().await.pass().await.unwrap();
    let address = app.serve().await;
    let heard = hear(address, &office, Some(&known), &["event: device"]).await;
    assert!(!heard.contains("event: case"), "{heard}");
    let heard = hear(address, &inspector, Some(&known), &["event: device"]).await;
    assert!(heard.contains("event: case"), "{heard}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_events_ends_with_its_token() {
    let app = TestApp::with(|config| config.http.event_heartbeat = Seconds(Duration::from_millis(5))).await;
    let token = app.token_for(&[Scope::Read]).await;
    let mut body = open(app.serve().await, &token).await.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    let id = token.split('_').nth(1).unwrap();
    assert!(app.registry.revoke_token(id, "test", UtcMillis(0)).await.unwrap());
    let end = tokio::time::timeout(Duration::from_secs(30), async { while body.next().await.is_some() {} });
    end.await.expect("the stream ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_can_not_take_all_streams() {
    let app = TestApp::new().await;
    let address = app.serve().await;
    let (one, other) = (app.token_for(&[Scope::Read]).await, app.token_for(&[Scope::Read]).await);
    let mut kept = Vec::new();
    for _ in 0..8 {
        let answer = open(address, &one).await;
        assert_eq!(answer.status(), StatusCode::OK);
        kept.push(answer);
    }
    let refused = open(address, &one).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(open(address, &other).await.status(), StatusCode::OK);
    drop(kept);
}

async fn add<T: Stored>(app: &TestApp, valid: Span, row: T) {
    app.registry.write_rows(&[Change::Add { id: None, valid, row }], "test", wall_now()).await.unwrap();
}

/// Three devices that drove along one road an hour ago, in three cars, or all in the first one with one of them as the primary; the
/// cars have them since `since`.
async fn three_devices(cars: i64, since: UtcMillis) -> Value {
    let app = TestApp::new().await;
    app.enrol(3).await;
    add(&app, Span::ALWAYS, Unit { name: "县林业局".to_owned(), ..Unit::default() }).await;
    let start_ms = wall_now().0 - 3_600_000;
    for number in 1..=3_u32 {
        let plate = format!("演A0000{number}");
        add(&app, Span::ALWAYS, Vehicle { plate, unit: UnitId(1), ..Vehicle::default() }).await;
    }
    for number in 1..=3_u32 {
        let vehicle = VehicleId(i64::from(number).min(cars));
        let (device, is_primary) = (SupervisedDevice(i64::from(number)), vehicle.0 == i64::from(number));
        let valid = Span { from: since, to: None };
        add(&app, valid, Binding { device, vehicle, is_primary, ..Binding::default() }).await;
        let fix = |step: i32| {
            Fix::new(
                UtcMillis(start_ms + i64::from(step) * 10_000),
                250_000_000,
                1_027_000_000 + step * 10_000,
            )
        };
        app.store(number, (0..20).map(fix));
    }
    app.get("/api/v1/density?bbox=102.6,24.9,102.9,25.1").await.good()["cells"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_road_takes_three_cars_and_not_three_devices_in_one() {
    assert_ne!(three_devices(3, UtcMillis(0)).await, json!([]));
    assert_eq!(three_devices(1, UtcMillis(0)).await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_did_before_it_was_fitted_makes_no_road() {
    assert_eq!(three_devices(3, UtcMillis(wall_now().0 - 60_000)).await, json!([]));
}
