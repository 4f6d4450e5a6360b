//! `/exports` from outside: what comes out, for whom, and what is written down about it.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Span, Unit, Vehicle};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::app::TestApp;
use super::cases::{County, add};
use super::people::Person;
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::config::{Bytes, Config};
use crate::registry::Change;

const ALL: &str = "/api/v1/exports";

fn no_reserve(config: &mut Config) {
    config.exports.disk_reserve = Bytes(0);
}

/// The county, whose car of unit 4 (县林业局) drove on 2026-03-04, and 县水利局 beside it.
async fn county() -> County {
    let county = County::with(json!({}), no_reserve).await;
    let (name, code) = ("县水利局".to_owned(), "SL".to_owned());
    add(&county.app, Unit { name, code, parent: Some(UnitId(1)), ..Unit::default() }).await;
    county
}

fn wanted(selection: Value) -> Value {
    let mut body = json!({ "format": "csv", "from": "2026-03-04T00:00:00Z", "to": "2026-03-05T00:00:00Z",
        "purpose": "核对里程" });
    body.as_object_mut().unwrap().extend(selection.as_object().unwrap().clone());
    body
}

async fn ask(app: &TestApp, person: &Person, selection: Value) -> Value {
    let answer = app.call_as(person, "POST", ALL, Some(&wanted(selection))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    answer.json()
}

async fn pass(app: &TestApp) -> bool {
    app.exports.pass(&CancellationToken::new()).await.unwrap()
}

async fn of(app: &TestApp, person: &Person, export: &Value) -> Value {
    app.call_as(person, "GET", &format!("{ALL}/{}", export["id"]), None).await.good()
}

fn file_of(export: &Value) -> String {
    format!("{ALL}/{}/file", export["id"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_asked_for_written_fetched_and_written_down() {
    let county = county().await;
    let app = &county.app;
    let manager = app.person("manager", Role::FleetManager, Some(4), Some(4)).await;
    let queued = ask(app, &manager, json!({ "unit": "LY" })).await;
    assert_eq!(
        (&queued["state"], &queued["unit"], &queued["format"]),
        (&json!("queued"), &json!(4), &json!("csv"))
    );
    let early = app.call_as(&manager, "GET", &file_of(&queued), None).await;
    assert_eq!((early.status, early.problem().as_str()), (StatusCode::CONFLICT, "conflict"));
    assert!(pass(app).await);
    let done = of(app, &manager, &queued).await;
    assert_eq!(
        (&done["state"], &done["progress"], &done["damaged_files"]),
        (&json!("done"), &json!(1.0), &json!(0))
    );
    let file = app.call_as(&manager, "GET", &file_of(&queued), None).await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"motorpool-export-1.csv\"");
    assert_eq!(file.header("content-length"), file.body.len().to_string());
    let rows = file.text().lines().skip(1).count();
    assert_eq!((json!(rows), json!(file.body.len())), (done["rows"].clone(), done["bytes"].clone()));
    assert!(rows > 100 && file.text().lines().skip(1).all(|line| line.ends_with(",演A00001")), "the plate");
    let log = app.get("/api/v1/audit").await.good();
    let entries = log["items"].as_array().unwrap();
    let told = |action: &str| entries.iter().find(|entry| entry["action"] == action).unwrap().clone();
    assert_eq!(
        (&told("track.export")["object"], &told("track.export")["vehicle"]),
        (&json!("export 1"), &json!(1))
    );
    assert!(told("track.export")["detail"].as_str().unwrap().contains("核对里程"));
    assert_eq!(told("export.download")["object"], "export 1");
    let accesses = app.call_as(&manager, "GET", "/api/v1/vehicles/1/accesses", None).await.good();
    assert_eq!(accesses["items"][0]["action"], "track.export", "{accesses}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_of_another_unit_is_not_there() {
    let county = county().await;
    let app = &county.app;
    let manager = app.person("manager", Role::FleetManager, Some(4), Some(4)).await;
    let other = app.person("other", Role::FleetManager, Some(5), Some(5)).await;
    for selection in [
        json!({ "vehicles": [1] }),
        json!({ "vehicles": ["演A00001"] }),
        json!({ "devices": ["013900000001"] }),
        json!({ "unit": 4 }),
        json!({ "unit": "LY" }),
        json!({ "unit": 1 }),
    ] {
        let answer = app.call_as(&other, "POST", ALL, Some(&wanted(selection.clone()))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{selection} {}", answer.text());
    }
    let empty = app.call_as(&other, "POST", ALL, Some(&wanted(json!({ "unit": 5 })))).await;
    assert_eq!(empty.problem(), "invalid_body", "the own unit has no car");
    let export = ask(app, &manager, json!({ "vehicles": ["演A00001"] })).await;
    pass(app).await;
    let path = format!("{ALL}/{}", export["id"]);
    for (method, path) in [("GET", &path), ("GET", &file_of(&export)), ("DELETE", &path)] {
        let answer = app.call_as(&other, method, path, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    assert_eq!(app.call_as(&other, "GET", ALL, None).await.good()["items"], json!([]));
    assert_eq!(of(app, &manager, &export).await["state"], "done");
    for role in [Role::Viewer, Role::Finance, Role::Driver, Role::SystemAdmin, Role::AuditAdmin] {
        let person = app.person(role.as_str(), role, None, None).await;
        let answer = app.call_as(&person, "POST", ALL, Some(&wanted(json!({ "vehicles": [1] })))).await;
        assert_eq!(answer.problem(), "forbidden", "{role:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_stays_back_from_who_sees_its_cars_no_longer() {
    let county = county().await;
    let app = &county.app;
    let manager = app.person("manager", Role::FleetManager, Some(4), Some(4)).await;
    let done = ask(app, &manager, json!({ "unit": 4 })).await;
    pass(app).await;
    let waiting = ask(app, &manager, json!({ "unit": 4 })).await;
    let row = Vehicle { plate: "演A00001".to_owned(), unit: UnitId(5), ..Vehicle::default() };
    let moved = Change::Correct { id: 1, expected: None, valid: Span::ALWAYS, row };
    app.registry.write_rows(&[moved], "test", wall_now()).await.unwrap();
    let kept_back = app.call_as(&manager, "GET", &file_of(&done), None).await;
    assert_eq!(kept_back.problem(), "forbidden");
    pass(app).await;
    let failed = of(app, &manager, &waiting).await;
    assert_eq!((&failed["state"], &failed["reason"]), (&json!("failed"), &json!("not_allowed")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_not_given_out_any_more_when_its_time_is_over() {
    let county = County::with(json!({}), |config| {
        no_reserve(config);
        config.exports.kept_days = 0;
    })
    .await;
    let app = &county.app;
    let manager = app.person("manager", Role::FleetManager, Some(4), Some(4)).await;
    let export = ask(app, &manager, json!({ "unit": 4 })).await;
    pass(app).await;
    let done = of(app, &manager, &export).await;
    assert_eq!((&done["state"], &done["expires_at"]), (&json!("done"), &done["ended_at"]));
    let over = app.call_as(&manager, "GET", &file_of(&export), None).await;
    assert_eq!((over.status, over.problem().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    // Upkeep deletes it a millisecond later at the earliest.
    while app.exports.expire().await.is_ok() && of(app, &manager, &export).await["state"] == "done" {}
    assert_eq!(app.call_as(&manager, "GET", &file_of(&export), None).await.problem(), "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cars_on_secret_work_are_only_in_exports_of_who_holds_them() {
    let county = county().await;
    let app = &county.app;
    let row =
        Vehicle { plate: "演A00001".to_owned(), unit: UnitId(4), is_secret: true, ..Vehicle::default() };
    let hide = Change::Correct { id: 1, expected: None, valid: Span::ALWAYS, row };
    app.registry.write_rows(&[hide], "test", wall_now()).await.unwrap();
    let office = app.person("office", Role::OfficeSupervisor, None, Some(2)).await;
    for selection in [json!({ "vehicles": [1] }), json!({ "devices": [1] })] {
        let answer = app.call_as(&office, "POST", ALL, Some(&wanted(selection))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    }
    let unit = app.call_as(&office, "POST", ALL, Some(&wanted(json!({ "unit": 4 })))).await;
    assert_eq!(unit.problem(), "invalid_body", "there is no other car in it");
    let grant = crate::registry::accounts::NewGrant {
        role: Role::OfficeSupervisor,
        unit: None,
        is_secret: true,
        until: None,
    };
    app.registry.people().grant(office.account.id, grant, "test", wall_now()).await.unwrap();
    let export = ask(app, &office, json!({ "unit": 4 })).await;
    pass(app).await;
    assert_eq!(of(app, &office, &export).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_say_what_for_and_ask_for_one_thing() {
    let county = county().await;
    let app = &county.app;
    let manager = app.person("manager", Role::FleetManager, Some(4), Some(4)).await;
    let mut silent = wanted(json!({ "unit": 4 }));
    silent.as_object_mut().unwrap().remove("purpose");
    assert_eq!(app.call_as(&manager, "POST", ALL, Some(&silent)).await.problem(), "purpose_needed");
    let token = app.post(ALL, silent).await;
    assert_eq!(token.status, StatusCode::CREATED, "a token was given for a purpose: {}", token.text());
    for wrong in [
        json!({}),
        json!({ "unit": 4, "vehicles": [1] }),
        json!({ "unit": 4, "purpose": "x" }),
        json!({ "unit": 4, "format": "doc" }),
        json!({ "unit": 4, "format": "geoparquet", "crs": "gcj02" }),
        json!({ "unit": 4, "from": "2026-03-05T00:00:00Z" }),
        json!({ "unit": 4, "to": "2036-03-05T00:00:00Z" }),
        json!({ "unit": 4, "area": {} }),
        json!({ "unit": 4, "area": { "bbox": [0, 91, 1, 92] } }),
        json!({ "unit": 4, "area": { "zone": 77 } }),
        json!({ "vehicles": vec![1; 1_001] }),
    ] {
        let answer = app.call_as(&manager, "POST", ALL, Some(&wanted(wrong.clone()))).await;
        assert_eq!(answer.problem(), "invalid_body", "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_has_so_many_and_takes_them_back() {
    let county = county().await;
    let app = &county.app;
    let manager = app.person("manager", Role::FleetManager, Some(4), Some(4)).await;
    for _ in 0..Config::default().exports.open_each_max {
        ask(app, &manager, json!({ "unit": 4 })).await;
    }
    let more = app.call_as(&manager, "POST", ALL, Some(&wanted(json!({ "unit": 4 })))).await;
    assert_eq!(more.problem(), "rate_limited");
    let first = app.call_as(&manager, "GET", &format!("{ALL}?limit=2"), None).await;
    let ids = |page: &Value| -> Vec<i64> {
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&first.good()), [5, 4]);
    let next = app.call_as(&manager, "GET", &first.next().unwrap(), None).await.good();
    assert_eq!(ids(&next), [3, 2]);
    let path = format!("{ALL}/1");
    assert_eq!(app.call_as(&manager, "DELETE", &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.call_as(&manager, "GET", &path, None).await.good()["state"], "cancelled");
    pass(app).await;
    let second = format!("{ALL}/2");
    assert_eq!(app.call_as(&manager, "GET", &second, None).await.good()["state"], "done", "the next one");
    assert_eq!(app.call_as(&manager, "DELETE", &second, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.call_as(&manager, "GET", &second, None).await.status, StatusCode::NOT_FOUND);
    assert!(!app.folder.path().join("exports/2.csv").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_with_the_same_key_is_one_export() {
    let county = county().await;
    let app = &county.app;
    let send = || {
        let request = Request::post(ALL)
            .header(header::AUTHORIZATION, format!("Bearer {}", app.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "k1");
        app.send(request.body(Body::from(wanted(json!({ "vehicles": [VehicleId(1)] })).to_string())).unwrap())
    };
    let (first, again) = (send().await.json(), send().await.json());
    assert_eq!(first["id"], again["id"]);
    assert_eq!(app.get(ALL).await.good()["items"].as_array().unwrap().len(), 1);
}
