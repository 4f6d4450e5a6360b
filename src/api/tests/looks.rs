//! Who looked at what a vehicle did is told to those who answer for it, for the time in which they do.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DriverId, UnitId, VehicleId};
use motorpool_supervision::register::{Driver, Order, Span, Transfer, Unit};
use serde_json::{Value, json};

use super::app::TestApp;
use super::cases::{CASE, County, START_MS, add};
use super::people::Person;
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::registry::Change;
use crate::registry::accounts::AccountChange;

const DAY: &str = "from=2026-03-04T00:00:00Z&to=2026-03-05T00:00:00Z";
const HOUR_MS: i64 = 3_600_000;

/// Says what for, and looks at the trips of the car.
async fn look(app: &TestApp, person: &Person, purpose: Value) {
    app.call_as(person, "POST", "/api/v1/purposes", Some(&purpose)).await.good();
    let path = format!("/api/v1/vehicles/1/segments?{DAY}");
    app.call_as(person, "GET", &path, None).await.good();
}

async fn told(app: &TestApp, person: &Person) -> Vec<Value> {
    let list = app.call_as(person, "GET", "/api/v1/vehicles/1/accesses", None).await.good();
    list["items"].as_array().unwrap().clone()
}

async fn lend(app: &TestApp, to: i64, from_h: i64, to_h: i64) {
    let at = |hours: i64| UtcMillis(wall_now().0 + hours * HOUR_MS);
    let row = Transfer { vehicle: VehicleId(1), to: UnitId(to), ..Transfer::default() };
    let lent = Change::Add { id: None, valid: Span::new(at(from_h), at(to_h)), row };
    app.registry.write_rows(&[lent], "test", wall_now()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_borrower_learns_of_the_time_of_the_loan_alone() {
    let county = County::new().await;
    let app = &county.app;
    for name in ["县水利局", "县农业局"] {
        add(app, Unit { name: name.to_owned(), parent: Some(UnitId(1)), ..Unit::default() }).await;
    }
    let had = app.person("had", Role::FleetManager, Some(5), Some(5)).await;
    let has = app.person("has", Role::FleetManager, Some(6), Some(6)).await;
    let owner = app.person("owner", Role::FleetManager, Some(4), Some(4)).await;
    let inspector = app.person("zhang", Role::Inspector, Some(1), Some(3)).await;
    lend(app, 5, -48, -24).await;
    lend(app, 6, -1, 1).await;
    look(app, &inspector, json!({ "vehicle": 1, "text": "核查举报" })).await;
    assert_eq!(told(app, &had).await, Vec::<Value>::new(), "the loan is over");
    assert_eq!(told(app, &has).await.len(), 1);
    assert_eq!(told(app, &owner).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_answers_for_no_car() {
    let county = County::new().await;
    let app = &county.app;
    add(app, Driver { name: "张师傅".to_owned(), unit: UnitId(4), ..Driver::default() }).await;
    let at = |hours: i64| UtcMillis(wall_now().0 + hours * HOUR_MS);
    let order = Order {
        no: "三".to_owned(),
        unit: UnitId(4),
        vehicle: VehicleId(1),
        driver_id: Some(DriverId(1)),
        planned_out: at(-10),
        planned_in: at(-8),
        ..Order::default()
    };
    add(app, order).await;
    let driver = app.person("zhang", Role::Driver, None, Some(4)).await;
    let change = AccountChange { driver: Some(Some(DriverId(1))), ..AccountChange::default() };
    app.registry.people().change_account(driver.account.id, &change, wall_now()).await.unwrap();
    let inspector = app.person("li", Role::Inspector, Some(1), Some(3)).await;
    look(app, &inspector, json!({ "vehicle": 1, "text": "核查举报" })).await;
    assert_eq!(told(app, &driver).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_for_a_case_of_a_blind_lot_is_told_when_it_was_decided() {
    let county = County::with(json!({ "r01": { "min_distance_m": 6_000 } }), |_| {}).await;
    let app = &county.app;
    let manager = app.person("wang", Role::FleetManager, Some(4), Some(4)).await;
    let office = app.person("zhou", Role::OfficeSupervisor, None, Some(2)).await;
    let monday = jiff::civil::date(2026, 3, 2);
    app.registry.create_sample_plan(monday, 1, "test", UtcMillis(START_MS)).await.unwrap();
    app.call_as(&office, "POST", "/api/v1/samples/1/draw", None).await.good();
    look(app, &office, json!({ "case": CASE, "text": "抽查" })).await;
    assert_eq!(told(app, &manager).await, Vec::<Value>::new());
    let deeds = [
        json!({ "type": "start_checking" }),
        json!({ "type": "close", "closing": { "disposition": "normal", "reason": "rule_wrong", "text": "公务" } }),
    ];
    for deed in deeds {
        app.call_as(&office, "POST", &format!("/api/v1/cases/{CASE}/events"), Some(&deed)).await.good();
    }
    let after = told(app, &manager).await;
    assert!(after.iter().any(|line| line["purpose"] == "抽查"), "{after:?}");
}
