//! People whom the paper names: linked to their accounts, they may not review, answer first, and state what they did.

use axum::http::StatusCode;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DriverId, UnitId, VehicleId};
use motorpool_supervision::register::{Approval, Driver, Order};
use serde_json::{Value, json};

use super::app::Answer;
use super::cases::{CASE, County, START_MS, add};
use super::people::Person;
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::registry::accounts::AccountChange;

const HOUR_MS: i64 = 3_600_000;
/// The driver whom the order names.
const DRIVER: DriverId = DriverId(1);

/// An order for an hour of that day which the car did not drive in: it covers nothing.
fn order() -> Order {
    Order {
        no: "林字第三号".to_owned(),
        unit: UnitId(4),
        vehicle: VehicleId(1),
        user: "yong".to_owned(),
        driver: "张师傅".to_owned(),
        driver_id: Some(DRIVER),
        dispatcher: "tiao".to_owned(),
        approvals: vec![Approval { by: "pi".to_owned(), ..Approval::default() }],
        planned_out: UtcMillis(START_MS + 6 * HOUR_MS),
        planned_in: UtcMillis(START_MS + 7 * HOUR_MS),
        ..Order::default()
    }
}

/// The county on whose day there is an order.
async fn with_order() -> County {
    let mut county = County::parked(json!({}), |_| {}).await;
    add(&county.app, Driver { name: "张师傅".to_owned(), unit: UnitId(4), ..Driver::default() }).await;
    add(&county.app, order()).await;
    county.drive().await;
    county
}

async fn act(county: &County, person: &Person, deed: Value) -> Answer {
    county.app.call_as(person, "POST", &format!("/api/v1/cases/{CASE}/events"), Some(&deed)).await
}

async fn bind_to_driver(county: &County, person: &Person) {
    let change = AccountChange { driver: Some(Some(DRIVER)), ..AccountChange::default() };
    county.app.registry.people().change_account(person.account.id, &change, wall_now()).await.unwrap();
}

/// A request that brings an account up to date, as an administrator of accounts makes it.
async fn touch(county: &County, person: &Person, change: Value) {
    let admin = county.app.person("security", Role::SecurityAdmin, None, None).await;
    let path = format!("/api/v1/accounts/{}", person.account.id);
    county.app.call_as(&admin, "PATCH", &path, Some(&change)).await.good();
}

fn refusal(answer: &Answer) -> (StatusCode, String) {
    (answer.status, answer.json()["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_of_the_order_states_what_happened_whatever_the_account_is_called() {
    let mut county = County::parked(json!({}), |_| {}).await;
    add(&county.app, Driver { name: "张师傅".to_owned(), unit: UnitId(4), ..Driver::default() }).await;
    add(&county.app, order()).await;
    let driver = county.app.person("zhang", Role::Driver, None, Some(4)).await;
    let other = county.app.person("zhao", Role::Driver, None, Some(4)).await;
    bind_to_driver(&county, &driver).await;
    county.drive().await;
    let statement = json!({ "type": "make_statement", "text": "送文件" });
    let stated = act(&county, &driver, statement.clone()).await.good();
    assert_eq!(stated["case"]["statements"][0]["text"], "送文件", "{stated}");
    assert_eq!(act(&county, &other, statement).await.problem(), "case_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_approved_the_order_does_not_review_it() {
    let mut county = County::parked(json!({}), |_| {}).await;
    add(&county.app, order()).await;
    let approver = county.app.person("pi", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let colleague = county.app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    county.drive().await;
    let (status, why) = refusal(&act(&county, &approver, json!({ "type": "start_checking" })).await);
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(why.contains("named on the paper"), "{why}");
    act(&county, &colleague, json!({ "type": "start_checking" })).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_user_answers_before_the_manager_if_there_is_an_account() {
    for has_account in [true, false] {
        let mut county = County::parked(json!({}), |_| {}).await;
        add(&county.app, order()).await;
        let office = county.app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
        let manager = county.app.person("qian", Role::FleetManager, Some(4), Some(4)).await;
        // Of the same name elsewhere is somebody else.
        county.app.person("elsewhere", Role::Driver, None, Some(3)).await;
        if has_account {
            county.app.person("yong", Role::Driver, None, Some(4)).await;
        }
        county.drive().await;
        act(&county, &office, json!({ "type": "start_checking" })).await.good();
        act(&county, &office, json!({ "type": "ask_explanation", "question": "请说明" })).await.good();
        let answer = act(&county, &manager, json!({ "type": "file_explanation", "text": "下乡" })).await;
        if has_account {
            let (status, why) = refusal(&answer);
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert!(why.contains("answers first"), "{why}");
        } else {
            answer.good();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_that_come_after_the_case_are_linked_and_stay_so() {
    let county = with_order().await;
    let approver = county.app.person("wu", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let driver = county.app.person("zhang", Role::Driver, None, Some(4)).await;
    touch(&county, &driver, json!({ "driver": DRIVER.0 })).await;
    act(&county, &driver, json!({ "type": "make_statement", "text": "送文件" })).await.good();
    let rename = AccountChange { display_name: Some("pi".to_owned()), ..AccountChange::default() };
    let people = county.app.registry.people();
    people.change_account(approver.account.id, &rename, wall_now()).await.unwrap();
    let admin = county.app.person("security2", Role::SecurityAdmin, None, None).await;
    let path = format!("/api/v1/accounts/{}", approver.account.id);
    county.app.call_as(&admin, "PATCH", &path, Some(&json!({ "display_name": "pi" }))).await.good();
    // Nobody gets out of a case by another name.
    county.app.call_as(&admin, "PATCH", &path, Some(&json!({ "display_name": "wu" }))).await.good();
    let (status, why) = refusal(&act(&county, &approver, json!({ "type": "start_checking" })).await);
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(why.contains("named on the paper"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_order_names_its_people() {
    let mut county = County::new().await;
    let approver = county.app.person("pi", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let late =
        Order { planned_out: UtcMillis(START_MS), planned_in: UtcMillis(START_MS + 3 * HOUR_MS), ..order() };
    let change = crate::registry::Change::Add {
        id: None,
        valid: motorpool_supervision::register::Span::ALWAYS,
        row: late,
    };
    let later = UtcMillis(START_MS + 4 * 86_400_000);
    county.app.registry.write_rows(&[change], "test", later).await.unwrap();
    county.tell(&[], UtcMillis(START_MS + 5 * 86_400_000)).await;
    let (status, why) = refusal(&act(&county, &approver, json!({ "type": "start_checking" })).await);
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(why.contains("named on the paper"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tip_names_the_people_of_the_day() {
    let county = with_order().await;
    let day = Order {
        no: "林字第四号".to_owned(),
        planned_out: UtcMillis(START_MS + 48 * HOUR_MS),
        planned_in: UtcMillis(START_MS + 50 * HOUR_MS),
        ..order()
    };
    add(&county.app, day).await;
    let driver = county.app.person("zhang", Role::Driver, None, Some(4)).await;
    bind_to_driver(&county, &driver).await;
    let office = county.app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let tip = json!({ "vehicle": "演A00001", "day": "2026-03-06", "text": "群众反映" });
    county.app.call_as(&office, "POST", "/api/v1/cases", Some(&tip)).await.good();
    let path = "/api/v1/cases/v1-2026-03-06";
    let seen = county.app.call_as(&office, "GET", path, None).await.good();
    let parts: Vec<&str> = seen["case"]["parties"]
        .as_array()
        .unwrap()
        .iter()
        .map(|party| party["part"].as_str().unwrap())
        .collect();
    assert_eq!(parts, ["car_user", "approver", "dispatcher", "driver"], "{seen}");
    county.app.call_as(&driver, "GET", path, None).await.good();
}
