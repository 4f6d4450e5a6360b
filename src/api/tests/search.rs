//! Searches over many cars: what is found, who finds what, and what the audit log keeps.

use motorpool_protocols::{Fix, UtcMillis};
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId};
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{Binding, Shape, Span, Unit, Vehicle, Zone};
use serde_json::{Value, json};

use super::app::TestApp;
use super::cases::add;
use crate::accounts::Role;
use crate::registry::Change;

/// 2026-03-04T00:00:00Z
const DAY: i64 = 1_772_582_400_000;
/// The window of the tests, as a query.
const WINDOW: &str = "from=2026-03-04T00:00:00Z&to=2026-03-04T01:00:00Z";

/// A fix at a second of the day, so many metres east of a crossroads at 30 N 110 E.
fn fix(second: i64, east_m: f64) -> Fix {
    #[expect(clippy::cast_possible_truncation, reason = "a few kilometres")]
    let lon_e7 = 1_100_000_000 + (east_m / 0.009_63) as i32;
    Fix::new(UtcMillis(DAY + second * 1_000), 300_000_000, lon_e7)
}

/// Two units, a car in each, and a device that goes from the first car to the second at half past; another stays in the
/// second one.
async fn county() -> TestApp {
    let app = TestApp::new().await;
    app.enrol(2).await;
    for (name, code) in [("县林业局", "LY"), ("县水利局", "SL")] {
        add(&app, Unit { name: name.to_owned(), code: code.to_owned(), ..Unit::default() }).await;
    }
    for (plate, unit) in [("演A00001", 1), ("演A00002", 2)] {
        add(&app, Vehicle { plate: plate.to_owned(), unit: UnitId(unit), ..Vehicle::default() }).await;
    }
    let half_past = UtcMillis(DAY + 1_800_000);
    let fitted = |device, vehicle, valid, is_primary| Change::Add {
        id: None,
        valid,
        row: Binding {
            device: DeviceId(device),
            vehicle: VehicleId(vehicle),
            is_primary,
            ..Binding::default()
        },
    };
    let bindings = [
        fitted(1, 1, Span::new(Span::ALWAYS.from, half_past), true),
        fitted(1, 2, Span { from: half_past, ..Span::ALWAYS }, false),
        fitted(2, 2, Span::ALWAYS, true),
    ];
    app.registry.write_rows(&bindings, "test", UtcMillis(DAY)).await.unwrap();
    // Device 1 passes the crossroads twice, at 10 and at 50 minutes; device 2 stands 30 m beside it all the time.
    app.store(
        1,
        [0, 600, 660, 1_200, 3_000, 3_060, 3_400].into_iter().map(|second| {
            fix(
                second,
                if (600..=660).contains(&second) || (3_000..=3_060).contains(&second) {
                    0.0
                } else {
                    5_000.0
                },
            )
        }),
    );
    app.store(2, (0..60).map(|minute| fix(minute * 60, 30.0)));
    app
}

fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().unwrap()
}

const CROSSROADS: &str = "bbox=109.999,29.999,110.001,30.001";

#[tokio::test]
async fn who_was_in_a_box_or_a_zone_is_told_with_each_stay() {
    let app = county().await;
    let shape =
        Shape::Circle { centre: Position { lat_e7: 300_000_000, lon_e7: 1_100_000_000 }, radius_m: 10 };
    add(&app, Zone { name: "路口".to_owned(), shape, ..Zone::default() }).await;
    let boxed = app.get(&format!("/api/v1/search/area?{WINDOW}&{CROSSROADS}")).await.good();
    let [standing, passing] = items(&boxed) else { panic!("{boxed}") };
    assert_eq!(
        (&standing["device"], &standing["fixes"], &standing["plate"]),
        (&json!(2), &json!(60), &json!("演A00002"))
    );
    assert_eq!(standing["stays"].as_array().unwrap().len(), 1);
    assert_eq!(
        passing["stays"],
        json!([
            { "first": "2026-03-04T00:10:00Z", "last": "2026-03-04T00:11:00Z", "fixes": 2 },
            { "first": "2026-03-04T00:50:00Z", "last": "2026-03-04T00:51:00Z", "fixes": 2 },
        ])
    );
    // The car is the one in which the device sat when it was first seen there.
    assert_eq!((&passing["terminal"], &passing["vehicle"]), (&json!("013900000001"), &json!(1)));
    // The circle is too small for the car that stands 30 m beside it.
    let zoned = app.get(&format!("/api/v1/search/area?{WINDOW}&zone=1")).await.good();
    assert_eq!(items(&zoned).len(), 1);
    assert_eq!(zoned["items"][0]["device"], 1);
    let cut = app.get(&format!("/api/v1/search/area?{WINDOW}&{CROSSROADS}&limit=1")).await.good();
    assert_eq!((items(&cut).len(), &cut["is_cut"]), (1, &json!(true)));
}

#[tokio::test]
async fn the_nearest_cars_come_with_what_is_known_and_what_is_guessed() {
    let app = county().await;
    let path = "/api/v1/search/nearest?lat=30&lon=110&at=2026-03-04T00:10:30Z&within_s=60";
    let found = app.get(path).await.good();
    let [first, second] = items(&found) else { panic!("{found}") };
    assert_eq!((&first["device"], &first["distance_m"]), (&json!(1), &json!(0.0)));
    assert_eq!(first["is_interpolated"], true);
    assert_eq!(
        (&first["before"]["at"], &first["after"]["at"]),
        (&json!("2026-03-04T00:10:00Z"), &json!("2026-03-04T00:11:00Z"))
    );
    let distance_m = second["distance_m"].as_f64().unwrap();
    assert!((29.0..31.0).contains(&distance_m), "{second}");
    let late =
        app.get("/api/v1/search/nearest?lat=30&lon=110&at=2026-03-04T01:30:00Z&within_s=60").await.good();
    assert_eq!(items(&late).len(), 0);
}

#[tokio::test]
async fn meetings_are_told_with_what_they_rest_on() {
    let app = county().await;
    for query in ["device=1", "device=013900000001&other=2", "device=1&other=%E6%BC%94A00002"] {
        let path = format!("/api/v1/search/meetings?{WINDOW}&{query}&gap_s=120");
        let found = app.get(&path).await.good();
        let [first, second] = items(&found) else { panic!("{query}: {found}") };
        assert_eq!(first["other"]["device"], 2);
        assert_eq!(
            (&first["from"], &first["to"]),
            (&json!("2026-03-04T00:10:00Z"), &json!("2026-03-04T00:11:00Z"))
        );
        assert_eq!(first["own_footing"], json!({ "fixes": 2, "gap_s": 60.0 }));
        assert_eq!(second["from"], "2026-03-04T00:50:00Z");
        let closest_m = first["closest_m"].as_f64().unwrap();
        assert!((29.0..31.0).contains(&closest_m), "{first}");
    }
    let nearer = format!("/api/v1/search/meetings?{WINDOW}&device=1&radius_m=20");
    assert_eq!(items(&app.get(&nearer).await.good()).len(), 0);
    let longer = format!("/api/v1/search/meetings?{WINDOW}&device=1&least_s=61&gap_s=120");
    assert_eq!(items(&app.get(&longer).await.good()).len(), 0);
}

#[tokio::test]
async fn nobody_finds_a_car_at_times_that_are_not_theirs() {
    let app = county().await;
    let forest = app.person("forest", Role::FleetManager, Some(1), Some(1)).await;
    let water = app.person("water", Role::FleetManager, Some(2), Some(2)).await;
    let area = format!("/api/v1/search/area?{WINDOW}&{CROSSROADS}&purpose=why");
    let seen = app.call_as(&forest, "GET", &area, None).await.good();
    let [only] = items(&seen) else { panic!("{seen}") };
    assert_eq!((&only["device"], &only["last"]), (&json!(1), &json!("2026-03-04T00:11:00Z")));
    let seen = app.call_as(&water, "GET", &area, None).await.good();
    let [standing, passing] = items(&seen) else { panic!("{seen}") };
    assert_eq!((&standing["device"], &passing["device"]), (&json!(2), &json!(1)));
    assert_eq!((&passing["first"], &passing["plate"]), (&json!("2026-03-04T00:50:00Z"), &json!("演A00002")));

    let nearest = "/api/v1/search/nearest?lat=30&lon=110&at=2026-03-04T00:10:30Z&purpose=why";
    let near = app.call_as(&water, "GET", nearest, None).await.good();
    assert_eq!((items(&near).len(), &near["items"][0]["device"]), (1, &json!(2)));
    let met = format!("/api/v1/search/meetings?{WINDOW}&gap_s=120&purpose=why");
    let met_by = app.call_as(&water, "GET", &format!("{met}&device=2"), None).await.good();
    let [only] = items(&met_by) else { panic!("{met_by}") };
    assert_eq!(only["from"], "2026-03-04T00:50:00Z");
    assert_eq!(
        app.call_as(&forest, "GET", &format!("{met}&device=2"), None).await.problem(),
        "device_not_found"
    );
    let foreign = format!("{met}&device=1&other=2");
    assert_eq!(app.call_as(&forest, "GET", &foreign, None).await.problem(), "device_not_found");
}

#[tokio::test]
async fn a_person_says_what_for_and_every_car_found_is_noted() {
    let app = county().await;
    let office = app.person("zhou", Role::OfficeSupervisor, None, None).await;
    let area = format!("/api/v1/search/area?{WINDOW}&{CROSSROADS}");
    for path in [
        area.clone(),
        "/api/v1/search/nearest?lat=30&lon=110&at=2026-03-04T00:10:30Z".to_owned(),
        format!("/api/v1/search/meetings?{WINDOW}&device=1"),
    ] {
        assert_eq!(app.call_as(&office, "GET", &path, None).await.problem(), "purpose_needed", "{path}");
        let blank = format!("{path}&purpose=%20");
        assert_eq!(app.call_as(&office, "GET", &blank, None).await.problem(), "purpose_needed", "{blank}");
        let short = format!("{path}&purpose=x");
        assert_eq!(app.call_as(&office, "GET", &short, None).await.problem(), "invalid_parameter", "{short}");
    }
    app.call_as(&office, "GET", &format!("{area}&purpose=accident%20at%20the%20crossroads"), None)
        .await
        .good();
    let filter = crate::registry::accounts::LogFilter {
        limit: 10,
        action: Some("search.read".to_owned()),
        ..Default::default()
    };
    let mut log = app.registry.people().audit_log(&filter).await.unwrap();
    log.reverse();
    let told: Vec<(&str, Option<i64>)> =
        log.iter().map(|entry| (entry.deed.object.as_str(), entry.deed.vehicle)).collect();
    assert_eq!(told, [("area", None), ("device 1", Some(1)), ("device 2", Some(2))]);
    let detail: Value = serde_json::from_str(&log[0].deed.detail).unwrap();
    assert_eq!((&detail["purpose"], &detail["found"]), (&json!("accident at the crossroads"), &json!(2)));
    assert!(detail["what"].as_str().unwrap().contains("109.999,29.999"), "{detail}");
    // Whoever answers for the car sees who looked.
    let manager = app.person("wang", Role::FleetManager, Some(1), Some(1)).await;
    let seen = app.call_as(&manager, "GET", "/api/v1/vehicles/1/accesses", None).await.good();
    assert_eq!(seen["items"][0]["purpose"], "accident at the crossroads", "{seen}");
}

#[tokio::test]
async fn what_a_search_asks_for_has_limits() {
    let app = county().await;
    for (path, parameter) in [
        (format!("area?{WINDOW}"), "bbox"),
        (format!("area?{WINDOW}&{CROSSROADS}&zone=1"), "bbox"),
        (format!("area?{WINDOW}&bbox=1,2,3"), "bbox"),
        (format!("area?{WINDOW}&bbox=1,5,3,4"), "bbox"),
        (format!("area?{WINDOW}&bbox=1,2,3,94"), "bbox"),
        (format!("area?{WINDOW}&zone=7"), "zone"),
        (format!("area?{CROSSROADS}&to=2026-03-04T01:00:00Z"), "from"),
        (format!("area?{CROSSROADS}&from=2026-03-04T01:00:00Z&to=2026-03-04T01:00:00Z"), "from"),
        (format!("area?{CROSSROADS}&from=2026-03-04T00:00:00Z&to=2026-04-04T00:00:01Z"), "to"),
        (format!("area?{WINDOW}&{CROSSROADS}&limit=501"), "limit"),
        (format!("area?{WINDOW}&{CROSSROADS}&gap_s=0"), "gap_s"),
        ("nearest?lat=91&lon=0&at=2026-03-04T01:00:00Z".to_owned(), "lat"),
        ("nearest?lat=1&lon=0".to_owned(), "at"),
        ("nearest?lat=1&lon=0&at=2026-03-04T01:00:00Z&within_s=3601".to_owned(), "within_s"),
        (format!("meetings?{WINDOW}&device=1&radius_m=5001"), "radius_m"),
        (format!("meetings?{WINDOW}&device=1&least_s=86401"), "least_s"),
        ("meetings?device=1&from=2026-03-04T00:00:00Z&to=2026-03-11T00:00:01Z".to_owned(), "to"),
    ] {
        let answer = app.get(&format!("/api/v1/search/{path}")).await;
        assert_eq!(answer.problem(), "invalid_parameter", "{path}");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains(&format!("\"parameter\":\"{parameter}\"")), "{path}: {text}");
    }
    // Across the antimeridian a box is a box.
    let across = app.get(&format!("/api/v1/search/area?{WINDOW}&bbox=179,29,111,31")).await.good();
    assert_eq!(items(&across).len(), 2);
}
