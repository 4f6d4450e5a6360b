//! What leaves the house when something is damaged, secret or only half told.

use std::sync::Arc;

use axum::http::StatusCode;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::Role;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Span, Vehicle};
use serde_json::{Value, json};

use super::app::TestApp;
use super::cases::{CASE, County};
use super::webhooks::{deliveries, hook, open_to_this_machine, receiver};
use crate::clock::{Clock, wall_now};
use crate::ids::{DeviceId, LinkId};
use crate::notify::gateway::Outbox;
use crate::notify::ring::What;
use crate::notify::{Notifier, NotifierParts};
use crate::registry::{CaseEvent, CaseFilter, CaseRow, Change, NewDelivery, Topic};

/// Writes a line into the log of a case that nobody can read.
async fn damage(app: &TestApp, row: &CaseRow, seq: i64) {
    let event =
        CaseEvent { at: wall_now(), actor: String::new(), kind: "commented".to_owned(), body: json!({}) };
    app.registry.append_to_case(seq, &[event], row, wall_now()).await.unwrap();
}

async fn row_of_the_case(app: &TestApp) -> CaseRow {
    app.registry.cases(&CaseFilter { limit: 9, ..CaseFilter::default() }).await.unwrap().remove(0)
}

async fn amend_car(app: &TestApp, valid: Span, is_secret: bool) {
    let row = Vehicle { plate: "演A00001".to_owned(), unit: UnitId(4), is_secret, ..Vehicle::default() };
    let change = Change::Amend { id: 1, expected: None, valid, row };
    app.registry.write_rows(&[change], "test", wall_now()).await.unwrap();
}

/// Runs a statement on the database behind the server's back.
async fn tamper(app: &TestApp, statement: &'static str) {
    let file = app.folder.path().join(crate::registry::REGISTRY_FILE);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn deliver_all(app: &TestApp) {
    while app.courier.pass().await.unwrap() > 0 {}
}

fn notifier_with_outbox(app: &TestApp) -> (Notifier, std::path::PathBuf) {
    let outbox = app.folder.path().join("outbox.jsonl");
    let notifier = Notifier::new(NotifierParts {
        registry: Arc::clone(&app.registry),
        live: Arc::clone(&app.live),
        clock: Arc::new(Clock::starting_at(UtcMillis(0))),
        config: crate::config::Notify::default(),
        ring: Arc::default(),
        gateway: Some(Arc::new(Outbox::new(outbox.clone()))),
    });
    (notifier, outbox)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_about_a_damaged_case_fails_alone() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    let (url, calls) = receiver(StatusCode::NO_CONTENT).await;
    hook(app, &url, &["case.opened", "flag.opened"]).await;
    let row = CaseRow { case_id: "v9-2026-03-05".to_owned(), seq: 0, ..row_of_the_case(app).await };
    damage(app, &row, 0).await;
    let damaged = NewDelivery {
        webhook: 1,
        event: "case.opened".to_owned(),
        key: "damaged".to_owned(),
        case: Some(row.case_id),
        body: r#"{"data":{}}"#.to_owned(),
    };
    app.registry.tell(&[], &[damaged], UtcMillis(0)).await.unwrap();
    app.notifier.lock().await.pass().await.unwrap();
    assert_eq!(app.courier.pass().await.unwrap(), 2, "so many go to one receiver at once");
    deliver_all(app).await;
    let states: Vec<Value> = deliveries(app).await.iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["delivered", "delivered", "delivered", "failed"]);
    assert_eq!(calls.lock().unwrap().len(), 3, "each was sent once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_case_holds_up_nothing_else() {
    let county = County::new().await;
    let app = &county.app;
    let row = row_of_the_case(app).await;
    damage(app, &row, row.seq).await;
    app.live.link_opened(DeviceId(1), LinkId(1), wall_now());
    let flags = app.registry.news(Topic::Flag, UtcMillis(0)).await.unwrap().len();
    let mut notifier = app.notifier.lock().await;
    notifier.pass().await.unwrap();
    assert!(flags >= 2);
    assert_eq!(notifier.passed_over(), u64::try_from(flags).unwrap() + 1, "the case and its flags");
    let told = app.ring.after(0).events;
    assert!(matches!(told[..], [crate::notify::ring::Told { what: What::Device { .. }, .. }]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_to_a_device_waits_for_the_registry() {
    let app = TestApp::new().await;
    app.enrol(1).await;
    app.live.link_opened(DeviceId(1), LinkId(1), wall_now());
    let mut notifier = app.notifier.lock().await;
    tamper(&app, "ALTER TABLE told RENAME TO told_away").await;
    assert!(notifier.pass().await.is_err());
    assert_eq!(app.ring.after(0).events.len(), 0);
    tamper(&app, "ALTER TABLE told_away RENAME TO told").await;
    notifier.pass().await.unwrap();
    assert_eq!(app.ring.after(0).events.len(), 1);
    notifier.pass().await.unwrap();
    assert_eq!(app.ring.after(0).events.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_that_ever_was_on_secret_work_is_not_told() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    amend_car(app, Span::new(UtcMillis(0), UtcMillis(1_000)), true).await;
    let (url, _) = receiver(StatusCode::OK).await;
    hook(app, &url, &["case.opened", "flag.opened"]).await;
    let (mut notifier, outbox) = notifier_with_outbox(app);
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    county.act(&office, json!({ "type": "start_checking" })).await;
    county.act(&office, json!({ "type": "ask_explanation", "question": "请说明去向" })).await;
    notifier.pass().await.unwrap();
    assert_eq!(deliveries(app).await.len(), 0);
    assert!(!outbox.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_held_back_when_its_car_turns_secret() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    let (url, calls) = receiver(StatusCode::OK).await;
    hook(app, &url, &["device.offline", "flag.opened"]).await;
    let silent = |vehicle: Value, key: &str| NewDelivery {
        webhook: 1,
        event: "device.offline".to_owned(),
        key: key.to_owned(),
        case: None,
        body: json!({ "data": { "device": 1, "vehicle": vehicle, "at": "2026-03-04T00:00:00Z" } })
            .to_string(),
    };
    let waiting = [silent(json!(1), "in a car"), silent(Value::Null, "in a car that was not known")];
    app.registry.tell(&[], &waiting, UtcMillis(0)).await.unwrap();
    app.notifier.lock().await.pass().await.unwrap();
    amend_car(app, Span::new(UtcMillis(0), UtcMillis(1_000)), true).await;
    deliver_all(app).await;
    assert_eq!(calls.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_told_before_its_case_is_held_back_with_it() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    let (url, calls) = receiver(StatusCode::OK).await;
    hook(app, &url, &["flag.opened"]).await;
    tamper(app, "UPDATE case_events SET case_id = 'later'").await;
    app.notifier.lock().await.pass().await.unwrap();
    assert_eq!(deliveries(app).await.len(), 2);
    tamper(app, "UPDATE case_events SET case_id = 'v1-2026-03-04'").await;
    let inspector = county.person("吴", Role::Inspector, 3).await;
    county.act(&inspector, json!({ "type": "make_confidential", "text": "核查" })).await.good();
    deliver_all(app).await;
    assert_eq!(calls.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_deliveries_tells_nothing_of_cases() {
    let county = County::with(json!({}), open_to_this_machine).await;
    let app = &county.app;
    let (url, _) = receiver(StatusCode::OK).await;
    hook(app, &url, &["case.opened", "flag.opened"]).await;
    app.notifier.lock().await.pass().await.unwrap();
    app.courier.pass().await.unwrap();
    let inspector = county.person("吴", Role::Inspector, 3).await;
    county.act(&inspector, json!({ "type": "make_confidential", "text": "核查" })).await.good();
    deliver_all(app).await;
    let log = app.get("/api/v1/webhooks/1/deliveries").await;
    for word in ["演A00001", CASE, "withheld", "confidential", "body", "R01"] {
        assert!(!log.text().contains(word), "{word}: {}", log.text());
    }
    let log = deliveries(app).await;
    assert_eq!((&log[0]["state"], &log[2]["state"]), (&json!("failed"), &json!("delivered")));
    for line in [&log[0], &log[2]] {
        let replay = format!("/api/v1/webhooks/1/deliveries/{}/replay", line["id"]);
        app.call("POST", &replay, Some(&app.token), None).await.good();
    }
    let again = deliveries(app).await;
    assert_eq!((&again[0]["state"], &again[2]["state"]), (&json!("failed"), &json!("delivered")));
    assert!(again[0]["next_at"].is_string() && again[2]["next_at"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_asked_after_a_hand_over_gets_the_message() {
    let county = County::new().await;
    let app = &county.app;
    let (mut notifier, outbox) = notifier_with_outbox(app);
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let inspector = county.person("吴", Role::Inspector, 3).await;
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    let ask = |to: i64| json!({ "type": "ask_explanation", "to": to, "question": "请说明去向" });
    county.act(&office, ask(4)).await.good();
    notifier.pass().await.unwrap();
    county.act(&inspector, json!({ "type": "hand_over", "text": "移送" })).await.good();
    county.act(&inspector, json!({ "type": "start_checking" })).await.good();
    county.act(&inspector, ask(2)).await.good();
    notifier.pass().await.unwrap();
    let text = std::fs::read_to_string(&outbox).unwrap();
    let names: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["unit_name"].clone()).collect();
    assert_eq!(names, [json!("县林业局"), json!("机关事务中心")]);
}
