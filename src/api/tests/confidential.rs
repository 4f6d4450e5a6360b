//! A confidential check leaves no trace for those it concerns: not by those who keep it, nor by anybody who may look into it.

use axum::http::StatusCode;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::Vehicle;
use serde_json::{Value, json};

use super::app::TestApp;
use super::cases::{CASE, County, add};
use super::people::Person;
use crate::accounts::Role;
use crate::clock::wall_now;

const DAY: &str = "from=2026-03-04T00:00:00Z&to=2026-03-05T00:00:00Z";

async fn act(app: &TestApp, person: &Person, deed: Value) {
    app.call_as(person, "POST", &format!("/api/v1/cases/{CASE}/events"), Some(&deed)).await.good();
}

/// The case goes over to the inspectors, who keep it to themselves.
async fn keep_among_inspectors(app: &TestApp, person: &Person) {
    act(app, person, json!({ "type": "hand_over", "text": "移送" })).await;
    keep_confidential(app, person).await;
}

async fn keep_confidential(app: &TestApp, person: &Person) {
    act(app, person, json!({ "type": "make_confidential", "text": "保密核查" })).await;
}

/// Says what for, and looks at the trips of a car.
async fn look(app: &TestApp, person: &Person, vehicle: i64, purpose: &Value) {
    app.call_as(person, "POST", "/api/v1/purposes", Some(purpose)).await.good();
    let path = format!("/api/v1/vehicles/{vehicle}/segments?{DAY}");
    app.call_as(person, "GET", &path, None).await.good();
}

async fn accesses(app: &TestApp, person: &Person, vehicle: i64) -> Vec<Value> {
    let path = format!("/api/v1/vehicles/{vehicle}/accesses");
    let list = app.call_as(person, "GET", &path, None).await.good();
    list["items"].as_array().unwrap().clone()
}

fn of_car() -> Value {
    json!({ "vehicle": 1, "text": "看车" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colleagues_who_never_touched_the_case_leave_no_trace_either() {
    let county = County::new().await;
    let app = &county.app;
    let manager = app.person("wang", Role::FleetManager, Some(4), Some(4)).await;
    let keeper = app.person("zhang", Role::Inspector, Some(1), Some(3)).await;
    let colleague = app.person("zhao", Role::Inspector, Some(1), Some(3)).await;
    let left = app.person("qian", Role::ResidentInspector, Some(1), Some(3)).await;
    let office = app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    look(app, &colleague, 1, &of_car()).await;
    let before = accesses(app, &manager, 1).await;
    assert_eq!(before.len(), 1, "what was shown stays: {before:?}");
    keep_among_inspectors(app, &keeper).await;
    act(app, &keeper, json!({ "type": "assign", "to": colleague.account.person.0 })).await;
    for person in [&keeper, &colleague, &left] {
        look(app, person, 1, &of_car()).await;
        let track = format!("/api/v1/devices/1/track?{DAY}");
        app.call_as(person, "GET", &track, None).await.good();
    }
    let people = app.registry.people();
    let grant = people.grants(left.account.id).await.unwrap()[0].id;
    people.revoke_grant(left.account.id, grant, "test", wall_now()).await.unwrap();
    assert_eq!(accesses(app, &manager, 1).await, before, "nor by somebody who has left since");
    look(app, &office, 1, &of_car()).await;
    let shown = accesses(app, &manager, 1).await;
    assert_eq!(shown.len(), 2, "the office knows nothing of it: {shown:?}");
    act(app, &keeper, json!({ "type": "release", "text": "结束" })).await;
    assert_eq!(accesses(app, &manager, 1).await.len(), 8, "a check that was released is no secret");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_office_keeps_is_hidden_with_all_who_review() {
    let county = County::new().await;
    let app = &county.app;
    let manager = app.person("wang", Role::FleetManager, Some(4), Some(4)).await;
    let keeper = app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let colleague = app.person("zheng", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let dispatcher = app.person("chen", Role::Dispatcher, Some(4), Some(4)).await;
    keep_confidential(app, &keeper).await;
    look(app, &colleague, 1, &of_car()).await;
    assert_eq!(accesses(app, &manager, 1).await, Vec::<Value>::new());
    look(app, &dispatcher, 1, &of_car()).await;
    assert_eq!(accesses(app, &manager, 1).await.len(), 1, "who does not review is shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_car_that_was_looked_at_for_the_check_tells_nothing() {
    let county = County::new().await;
    let app = &county.app;
    add(app, Vehicle { plate: "演A00002".to_owned(), unit: UnitId(4), ..Vehicle::default() }).await;
    let manager = app.person("wang", Role::FleetManager, Some(4), Some(4)).await;
    let keeper = app.person("zhang", Role::Inspector, Some(1), Some(3)).await;
    keep_confidential(app, &keeper).await;
    look(app, &keeper, 2, &json!({ "vehicle": 2, "case": CASE, "text": "同车比对" })).await;
    assert_eq!(accesses(app, &manager, 2).await, Vec::<Value>::new());
    assert_eq!(accesses(app, &keeper, 2).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_the_case_and_its_evidence_leave_no_trace_on_any_road() {
    let county = County::new().await;
    let app = &county.app;
    let manager = app.person("wang", Role::FleetManager, Some(4), Some(4)).await;
    let keeper = app.person("zhang", Role::Inspector, Some(1), Some(3)).await;
    let colleague = app.person("zhao", Role::Inspector, Some(1), Some(3)).await;
    keep_among_inspectors(app, &keeper).await;
    let case = json!({ "case": CASE, "text": "保密核查" });
    app.call_as(&colleague, "POST", "/api/v1/purposes", Some(&case)).await.good();
    for part in ["", "/events", "/evidence", "/notice"] {
        let path = format!("/api/v1/cases/{CASE}{part}");
        let answer = app.call_as(&colleague, "GET", &path, None).await;
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "{path}");
        let foreign = app.call_as(&manager, "GET", &path, None).await;
        assert_eq!(foreign.problem(), "case_not_found", "{path}");
    }
    assert_eq!(accesses(app, &manager, 1).await, Vec::<Value>::new());
    // Of the unit's own people only an auditor asks for the audit log, and it is of no unit.
    let auditor = app.person("audit4", Role::AuditAdmin, Some(4), Some(4)).await;
    for person in [&auditor, &manager] {
        assert_eq!(app.call_as(person, "GET", "/api/v1/audit", None).await.problem(), "forbidden");
    }
    let month = app.call_as(&manager, "GET", "/api/v1/reports/month?month=2026-03", None).await;
    assert!(!month.text().contains(CASE) && !month.text().contains("zhao"), "{}", month.text());
}
