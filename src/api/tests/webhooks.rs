//! Webhooks from the news to the receiver, and streams of events, over real sockets.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::app::TestApp;
use super::cases::{CASE, County};
use crate::clock::Clock;
use crate::notify::gateway::Outbox;
use crate::notify::{Notifier, NotifierParts};
use crate::registry::Scope;
use crate::webhooks::signature::sign;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::Role;

pub(super) type Calls = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A receiver that answers with this status and remembers what came.
pub(super) async fn receiver(status: StatusCode) -> (String, Calls) {
    let calls = Calls::default();
    let kept = Arc::clone(&calls);
    let hook = move |headers: HeaderMap, body: String| async move {
        kept.lock().unwrap().push((headers, body));
        status
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/hook", axum::routing::post(hook));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, calls)
}

pub(super) fn open_to_this_machine(config: &mut crate::config::Config) {
    config.outbound.plain_http = true;
    config.outbound.private_networks = vec!["127.0.0.0/8".parse().unwrap()];
}

/// A webhook that may tell what it takes.
pub(super) async fn hook(app: &TestApp, url: &str, events: &[&str]) -> Value {
    let made = app.post("/api/v1/webhooks", json!({ "url": url, "events": events })).await.good();
    approve(app, made["id"].as_i64().unwrap()).await;
    made
}

/// Lets a webhook as it is now.
async fn approve(app: &TestApp, id: i64) {
    let hooks = app.get("/api/v1/webhooks").await.good();
    let hook = hooks["items"].as_array().unwrap().iter().find(|hook| hook["id"] == id).unwrap().clone();
    let seen = json!({ "url": hook["url"], "events": hook["events"], "unit": hook["unit"] });
    app.post(&format!("/api/v1/webhooks/{id}/approve"), seen).await.good();
}

pub(super) async fn deliveries(app: &TestApp) -> Vec<Value> {
    app.get("/api/v1/webhooks/1/deliveries").await.good()["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_told_once_signed_and_with_every_secret_in_force() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    let (url, calls) = receiver(StatusCode::NO_CONTENT).await;
    let made = hook(app, &url, &["case.opened", "flag.opened"]).await;
    let first = made["secret"].as_str().unwrap().to_owned();
    let rotate = json!({ "rotate_secret": true });
    let changed = app.call("PATCH", "/api/v1/webhooks/1", Some(&app.token), Some(&rotate)).await;
    let second = changed.good()["secret"].as_str().unwrap().to_owned();
    approve(app, 1).await;
    assert!(app.get("/api/v1/webhooks").await.good()["items"][0].get("secret").is_none());
    for _ in 0..2 {
        app.notifier.lock().await.pass().await.unwrap();
        while app.courier.pass().await.unwrap() > 0 {}
    }
    let calls = calls.lock().unwrap().clone();
    let mut kinds: Vec<Value> =
        calls.iter().map(|(_, body)| serde_json::from_str::<Value>(body).unwrap()["type"].clone()).collect();
    kinds.sort_by_key(Value::to_string);
    assert_eq!(kinds, ["case.opened", "flag.opened", "flag.opened"]);
    for (headers, body) in &calls {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let (id, at) = (header("webhook-id"), header("webhook-timestamp").parse().unwrap());
        let expected: Vec<String> =
            [&second, &first].iter().map(|secret| sign(secret, &id, at, body).unwrap()).collect();
        assert_eq!(header("webhook-signature"), expected.join(" "));
        let data = &serde_json::from_str::<Value>(body).unwrap()["data"];
        assert_eq!((&data["plate"], &data["case"]), (&json!("演A00001"), &json!(CASE)));
    }
    let log = deliveries(app).await;
    assert!(log.iter().all(|line| line["state"] == "delivered" && line["attempts"] == 1), "{log:?}");
    let again = format!("/api/v1/webhooks/1/deliveries/{}/replay", log[0]["id"]);
    assert!(app.call("POST", &again, Some(&app.token), None).await.good()["next_at"].is_string());
    assert_eq!(app.courier.pass().await.unwrap(), 1);
    let gone = app.call("DELETE", "/api/v1/webhooks/1", Some(&app.token), None).await;
    assert_eq!(gone.status, StatusCode::OK);
    assert_eq!(app.get("/api/v1/webhooks/1/deliveries").await.problem(), "webhook_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confidential_check_never_leaves_not_even_what_waits_already() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    let (url, calls) = receiver(StatusCode::OK).await;
    hook(app, &url, &["case.opened", "case.closed", "flag.opened", "flag.closed"]).await;
    app.notifier.lock().await.pass().await.unwrap();
    assert_eq!(deliveries(app).await.len(), 3);
    let inspector = county.person("吴", Role::Inspector, 3).await;
    county.act(&inspector, json!({ "type": "make_confidential", "text": "核查" })).await.good();
    app.notifier.lock().await.pass().await.unwrap();
    while app.courier.pass().await.unwrap() > 0 {}
    let log = deliveries(app).await;
    assert!(log.iter().all(|line| line["state"] == "failed"), "{log:?}");
    assert_eq!(calls.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_is_tried_again_and_one_that_is_gone_is_not() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    let (url, calls) = receiver(StatusCode::INTERNAL_SERVER_ERROR).await;
    let (gone, _) = receiver(StatusCode::GONE).await;
    hook(app, &url, &["case.opened"]).await;
    hook(app, &gone, &["case.opened"]).await;
    app.notifier.lock().await.pass().await.unwrap();
    assert_eq!(app.courier.pass().await.unwrap(), 2);
    assert_eq!(app.courier.pass().await.unwrap(), 0, "the next attempt is later");
    let waiting = &deliveries(app).await[0];
    assert_eq!((&waiting["state"], &waiting["last_status"]), (&json!("waiting"), &json!(500)));
    let at = |field: &str| waiting[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!((at("next_at") - at("last_at")).total(jiff::Unit::Second).unwrap(), 5.0);
    assert_eq!(calls.lock().unwrap().len(), 1);
    let hooks = app.get("/api/v1/webhooks").await.good();
    assert_eq!((&hooks["items"][0]["enabled"], &hooks["items"][1]["enabled"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn addresses_behind_the_firewall_and_unknown_events_are_refused() {
    let app = TestApp::new().await;
    for (url, events) in [
        ("http://example.com/", json!(["case.opened"])),
        ("https://a:b@example.com/", json!(["case.opened"])),
        ("https://example.com/", json!(["case.melted"])),
        ("https://example.com/", json!([])),
    ] {
        let answer = app.post("/api/v1/webhooks", json!({ "url": url, "events": events })).await;
        assert_eq!(answer.problem(), "invalid_body", "{url}");
    }
    // A name tells where it leads only when it is used.
    hook(&app, "https://localhost/hook", &["device.offline"]).await;
    let reader = app.token_for(&[Scope::Read]).await;
    assert_eq!(app.call("GET", "/api/v1/webhooks", Some(&reader), None).await.problem(), "forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_no_cases_sends_none_anywhere() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    let (url, calls) = receiver(StatusCode::OK).await;
    let (elsewhere, stolen) = receiver(StatusCode::OK).await;
    let system = app.person("sys", crate::accounts::Role::SystemAdmin, None, None).await;
    let inspector = app.person("zhang", crate::accounts::Role::Inspector, None, Some(3)).await;
    let of_bureau = app.person("wang", crate::accounts::Role::FleetManager, Some(4), Some(4)).await;
    let asked = json!({ "url": url, "events": ["case.closed", "case.opened"] });
    let made = app.call_as(&system, "POST", "/api/v1/webhooks", Some(&asked)).await.good();
    assert_eq!((&made["enabled"], &made["awaits_approval"]), (&json!(true), &json!(true)));
    let send = async || {
        app.notifier.lock().await.pass().await.unwrap();
        while app.courier.pass().await.unwrap() > 0 {}
    };
    let path = "/api/v1/webhooks/1";
    let approve = format!("{path}/approve");
    for person in [&system, &of_bureau] {
        assert_eq!(app.call_as(person, "POST", &approve, Some(&asked)).await.problem(), "forbidden");
    }
    send().await;
    assert_eq!(deliveries(app).await, Vec::<Value>::new());
    assert_eq!(calls.lock().unwrap().len(), 0);

    // What was seen is let, and nothing else.
    let other = json!({ "url": elsewhere, "events": ["case.closed", "case.opened"] });
    assert_eq!(app.call_as(&inspector, "POST", &approve, Some(&other)).await.problem(), "conflict");
    let listed = app.call_as(&inspector, "GET", "/api/v1/webhooks", None).await.good();
    let seen = json!({ "url": listed["items"][0]["url"], "events": listed["items"][0]["events"] });
    let let_by = app.call_as(&inspector, "POST", &approve, Some(&seen)).await.good();
    assert_eq!(let_by["approved_by"], format!("account {}", inspector.account.id));
    let log = app.get("/api/v1/audit?action=webhook.approve").await.good();
    assert_eq!(log["items"][0]["object"], "webhook 1", "{log}");
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let normal = json!({ "disposition": "normal", "reason": "rule_wrong", "text": "公务" });
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    county.act(&office, json!({ "type": "close", "closing": normal })).await.good();
    send().await;
    assert_eq!(calls.lock().unwrap().len(), 1, "it was let");

    // What waits is held against the webhook as it is: neither another address nor fewer events take it elsewhere.
    county.act(&office, json!({ "type": "reopen", "text": "复核" })).await.good();
    app.notifier.lock().await.pass().await.unwrap();
    for change in [json!({ "url": elsewhere }), json!({ "events": ["device.offline"] })] {
        let changed = app.call_as(&system, "PATCH", path, Some(&change)).await.good();
        assert!(changed.get("approved_by").is_none(), "{changed}");
    }
    while app.courier.pass().await.unwrap() > 0 {}
    for line in deliveries(app).await {
        let replay = format!("{path}/deliveries/{}/replay", line["id"]);
        app.call_as(&system, "POST", &replay, None).await.good();
    }
    while app.courier.pass().await.unwrap() > 0 {}
    assert_eq!((calls.lock().unwrap().len(), stolen.lock().unwrap().len()), (1, 0));
}

/// Reads the stream until it has said all of these.
pub(super) async fn hear(
    address: std::net::SocketAddr,
    token: &str,
    last: Option<&str>,
    wanted: &[&str],
) -> String {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let mut request = axum::http::Request::get("/api/v1/events")
        .header("host", address.to_string())
        .header("authorization", format!("Bearer {token}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body().into_data_stream();
    let mut text = String::new();
    while !wanted.iter().all(|word| text.contains(word)) {
        let next = tokio::time::timeout(std::time::Duration::from_secs(30), body.next()).await;
        let bytes = next.unwrap_or_else(|_| panic!("{text}")).unwrap().unwrap();
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_what_happens_and_goes_on_where_it_stopped() {
    let county = County::new().await;
    let app = &county.app;
    let address = app.serve().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let (stream, ()) =
        tokio::join!(hear(address, &office, None, &["event: case", r#""rule":"R01""#]), async {
            while app.ring.subscribers() == 0 {
                tokio::task::yield_now().await;
            }
            app.notifier.lock().await.pass().await.unwrap();
        });
    assert!(
        stream.contains(&format!(r#""case":"{CASE}""#)) && stream.contains(r#""state":"new""#),
        "{stream}"
    );
    let id = stream.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let again = hear(address, &office, Some(id), &["event: flag"]).await;
    assert!(!again.contains(&format!("id: {id}\n")), "{again}");
    hear(address, &office, Some("0-7"), &["event: reset"]).await;
    // Whoever only reads hears of devices.
    let reader = app.token_for(&[Scope::Read]).await;
    let first = format!("{}-0", id.split('-').next().unwrap());
    app.live.link_opened(crate::ids::DeviceId(1), crate::ids::LinkId(1), crate::clock::wall_now());
    app.notifier.lock().await.pass().await.unwrap();
    let heard = hear(address, &reader, Some(&first), &[r#"{"device":1,"online":true}"#]).await;
    assert!(!heard.contains("event: case") && !heard.contains("event: flag"), "{heard}");
    app.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_hears_nothing_of_a_confidential_check() {
    let county = County::new().await;
    let app = &county.app;
    let inspector = county.person("吴", Role::Inspector, 3).await;
    let manager = county.person("郑", Role::FleetManager, 4).await;
    county.act(&inspector, json!({ "type": "make_confidential", "text": "核查" })).await.good();
    app.notifier.lock().await.pass().await.unwrap();
    app.live.link_opened(crate::ids::DeviceId(1), crate::ids::LinkId(1), crate::clock::wall_now());
    app.notifier.lock().await.pass().await.unwrap();
    let first = format!("{:x}-0", app.started_at.0);
    let address = app.serve().await;
    let heard = hear(address, &manager, Some(&first), &["event: device"]).await;
    assert!(!heard.contains("event: case") && !heard.contains("event: flag"), "{heard}");
    let heard = hear(address, &inspector, Some(&first), &["event: device"]).await;
    assert!(heard.contains("event: case"), "{heard}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_is_asked_gets_one_message_and_it_says_nothing_of_what_was_found() {
    let county = County::new().await;
    let app = &county.app;
    let outbox = app.folder.path().join("outbox.jsonl");
    let mut notifier = Notifier::new(NotifierParts {
        registry: Arc::clone(&app.registry),
        live: Arc::clone(&app.live),
        clock: Arc::new(Clock::starting_at(UtcMillis(0))),
        config: crate::config::Notify::default(),
        ring: Arc::default(),
        gateway: Some(Arc::new(Outbox::new(outbox.clone()))),
    });
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    notifier.pass().await.unwrap();
    assert!(!outbox.exists(), "nobody was asked yet");
    county.act(&office, json!({ "type": "ask_explanation", "question": "请说明去向" })).await.good();
    for _ in 0..2 {
        notifier.pass().await.unwrap();
    }
    let text = std::fs::read_to_string(&outbox).unwrap();
    let messages: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(messages.len(), 1, "{text}");
    assert_eq!(
        (&messages[0]["template"], &messages[0]["unit_name"]),
        (&json!("explanation_asked"), &json!("县林业局"))
    );
    let said = messages[0]["text"].as_str().unwrap();
    assert!(said.contains("演A00001") && !said.contains("去向") && !said.contains("无单"), "{said}");
}
