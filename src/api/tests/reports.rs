//! The month of a unit and the printed notice, as different callers see them.

use axum::http::StatusCode;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::Role;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Span, Vehicle};
use serde_json::json;

use super::cases::{CASE, County, START_MS};
use crate::clock::wall_now;
use crate::registry::{Change, Scope};

const DAY_MS: i64 = 86_400_000;
const MONTH: &str = "/api/v1/reports/month?month=2026-03";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_counts_what_the_caller_may_see() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let report = county.get(MONTH, &office).await.good();
    let total = &report["total"];
    assert_eq!((&total["cars"], &total["cars_used"], &total["trips"]), (&json!(1), &json!(1), &json!(2)));
    assert!((9_800..10_200).contains(&total["distance_m"].as_i64().unwrap()), "{report}");
    assert_eq!((&report["shares"]["off_hours"], &report["shares"]["with_order"]), (&json!(0.0), &json!(0.0)));
    assert_eq!(
        (&report["by_unit"][0]["unit_name"], &report["by_unit"][0]["trips"]),
        (&json!("县林业局"), &json!(2))
    );
    let funnel = &report["funnel"];
    assert_eq!((&funnel["cases"], &funnel["checked"], &funnel["open"]), (&json!(1), &json!(0), &json!(1)));
    assert!(funnel["flags"].as_u64().unwrap() >= 2, "{report}");
    assert_eq!(report["data_quality"]["cars_heard"], 1);

    let others = county.get(&format!("{MONTH}&unit=JG"), &office).await.good();
    assert_eq!((&others["total"]["cars"], &others["funnel"]["cases"]), (&json!(0), &json!(0)));
    let whole = county.get(&format!("{MONTH}&unit=X"), &office).await.good();
    assert_eq!(whole["total"], report["total"], "a unit means those below it too");
    let reader = county.app.token_for(&[Scope::Read]).await;
    assert_eq!(county.get(MONTH, &reader).await.good()["funnel"], json!(null));
    for wrong in ["/api/v1/reports/month?month=2026", "/api/v1/reports/month?month=2026-03&unit=none"] {
        assert_eq!(county.get(wrong, &office).await.problem(), "invalid_parameter", "{wrong}");
    }

    // A confidential check is in nobody's numbers but its own people's.
    let inspector = county.person("吴", Role::Inspector, 3).await;
    county.act(&inspector, json!({ "type": "make_confidential", "text": "保密核查" })).await.good();
    let hidden = county.get(MONTH, &office).await.good();
    assert_eq!((&hidden["funnel"]["cases"], &hidden["funnel"]["flags"]), (&json!(0), &json!(0)));
    assert_eq!(county.get(MONTH, &inspector).await.good()["funnel"]["cases"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_that_moved_leaves_its_trips_where_they_were_made() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let before = county.get(MONTH, &office).await.good();
    // From the 20th on the car is the office's, and from the 25th on nobody's.
    let row = Vehicle { plate: "演A00001".to_owned(), unit: UnitId(2), ..Vehicle::default() };
    let (moves, leaves) = (UtcMillis(START_MS + 16 * DAY_MS), UtcMillis(START_MS + 21 * DAY_MS));
    let valid = Span { from: moves, to: None };
    let moved = Change::Amend { id: 1, expected: None, valid, row };
    let write = async |change: Change<Vehicle>| {
        county.app.registry.write_rows(&[change], "test", wall_now()).await.unwrap();
    };
    write(moved).await;
    let of = async |unit: &str| {
        let report = county.get(&format!("{MONTH}&unit={unit}"), &office).await.good();
        ["cars", "cars_had", "cars_used", "trips"].map(|name| report["total"][name].as_i64().unwrap())
    };
    assert_eq!((of("LY").await, of("JG").await), ([0, 1, 1, 2], [1, 1, 0, 0]));
    assert_eq!(county.get(MONTH, &office).await.good()["total"], before["total"], "the whole is the same");
    write(Change::End { id: 1, expected: None, at: leaves }).await;
    assert_eq!((of("LY").await, of("JG").await, of("X").await), ([0, 1, 1, 2], [0, 1, 0, 0], [0, 1, 1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_asks_and_runs_nothing() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let path = format!("/api/v1/cases/{CASE}/notice");
    assert_eq!(county.get(&path, &office).await.problem(), "conflict", "nobody was asked yet");
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    let question = "3月4日<script>alert(1)</script>去了何处？";
    county.act(&office, json!({ "type": "ask_explanation", "to": 4, "question": question })).await.good();
    for reader in [&office, &county.person("钱", Role::FleetManager, 4).await] {
        let page = county.get(&path, reader).await;
        assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("script"),
            "{policy}"
        );
        let text = page.text();
        for part in ["县林业局：", "演A00001", "2026-03-04", "线索不等于结论", "&#60;script&#62;"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("<script") && !text.contains('周'), "{text}");
    }
    let stranger = county.person("陈", Role::FleetManager, 2).await;
    assert_eq!(county.get(&path, &stranger).await.problem(), "case_not_found");
    let nobody = county.app.token_for(&[Scope::Supervise]).await;
    assert_eq!(county.get(&path, &nobody).await.problem(), "forbidden");
}
