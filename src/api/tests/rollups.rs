//! Days of cars and the questions of the IoT suite, as different callers see them.

use motorpool_rollups::iot::Question;
use motorpool_supervision::cases::Role;
use serde_json::json;

use super::cases::County;
use crate::accounts;

const DAILY: &str = "/api/v1/reports/daily?from=2026-03-04&to=2026-03-05";
/// The local day on which the county's car drove.
const DAY: &str = "from=2026-03-03T16:00:00Z&to=2026-03-04T16:00:00Z";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_of_cars_are_the_sums_of_their_trips_and_of_nobody_elses() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let days = county.get(DAILY, &office).await.good();
    let items = days["items"].as_array().unwrap();
    let sum = |key: &str| items.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    let month = county.get("/api/v1/reports/month?month=2026-03", &office).await.good();
    assert_eq!(sum("distance_m"), month["total"]["distance_m"].as_u64().unwrap());
    assert_eq!((sum("trips"), sum("moving_s")), (2, month["total"]["moving_s"].as_u64().unwrap()));
    let first = &items[0];
    assert_eq!((&first["day"], &first["plate"]), (&json!("2026-03-04"), &json!("演A00001")));
    assert_eq!((&first["unit_name"], &first["max_kmh"]), (&json!("县林业局"), &json!(36.0)));

    let others = county.get(&format!("{DAILY}&unit=JG"), &office).await.good();
    assert_eq!(others["items"], json!([]));
    for wrong in [
        "from=2026-03-05&to=2026-03-04",
        "from=2026-01-01&to=2026-12-31",
        "from=2026-03-04&to=2026-03-04&unit=x",
    ] {
        let path = format!("/api/v1/reports/daily?{wrong}");
        assert_eq!(county.get(&path, &office).await.problem(), "invalid_parameter", "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_twelve_questions_are_answered_within_the_scope() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    for name in Question::NAMES {
        let answer = county.get(&format!("/api/v1/reports/iot/{name}?{DAY}"), &office).await.good();
        assert_eq!((&answer["question"], &answer["from"]), (&json!(name), &json!("2026-03-03T16:00:00Z")));
        assert!(answer["items"].is_array(), "{answer}");
    }
    let path = format!("/api/v1/reports/iot/avg-daily-driving-duration?{DAY}");
    let driving = county.get(&path, &office).await.good();
    // Out and back at 36 km/h: slots with a mean above 1 km/h, of ten minutes each.
    assert_eq!((&driving["items"][0]["vehicle"], &driving["items"][0]["days"]), (&json!(1), &json!(1)));
    assert!((0.3..1.0).contains(&driving["items"][0]["mean_daily_h"].as_f64().unwrap()), "{driving}");
    let elsewhere = county.get(&format!("{path}&unit=JG"), &office).await.good();
    assert_eq!(elsewhere["items"], json!([]));

    let stood = format!("/api/v1/reports/iot/stationary-trucks?{DAY}");
    let all_day = county.get(&format!("{stood}&speed_kmh=30"), &office).await.good();
    assert_eq!(all_day["items"].as_array().unwrap().len(), 1, "{all_day}");
    for wrong in
        ["percent=101", "speed_kmh=-1", "from=2026-03-04T00:05:00Z", "from=2020-03-04T00:00:00Z", "unit=x"]
    {
        let path = format!("/api/v1/reports/iot/low-fuel?to=2026-03-04T16:00:00Z&{wrong}");
        assert_eq!(county.get(&path, &office).await.problem(), "invalid_parameter", "{wrong}");
    }
    assert_eq!(county.get("/api/v1/reports/iot/nothing", &office).await.problem(), "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_see_no_places_is_told_none() {
    let county = County::new().await;
    let finance = county.app.person("finance", accounts::Role::Finance, Some(1), None).await;
    let ask = async |name: &str| {
        county.app.call_as(&finance, "GET", &format!("/api/v1/reports/iot/{name}?{DAY}"), None).await
    };
    ask("avg-daily-driving-duration").await.good();
    assert_eq!(ask("last-loc").await.problem(), "forbidden");
}
