//! Registers row by row and by file: what is written, refused, repeated, read back; and what takes a second person.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use motorpool_protocols::{Fix, Quality, Status, UtcMillis};
use motorpool_supervision::cases::PersonId;
use motorpool_supervision::ids::UnitId;
use serde_json::{Value, json};

use super::app::{Answer, TestApp};
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::config::Bytes;
use crate::ids::{DeviceId, Lsn};
use crate::registry::{Known, Scope, TokenPerson};
use crate::supervision::{MarkBatch, Marks, SupervisionSettings, Supervisor, SupervisorParts};

const DAY_MS: i64 = 86_400_000;

impl TestApp {
    /// A write with headers of its own.
    async fn write(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.into())).unwrap()).await
    }

    async fn json(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.write(method, path, &headers, body.to_string()).await
    }

    async fn add(&self, kind: &str, row: Value) -> i64 {
        let answer = self.post(&format!("/api/v1/registers/{kind}"), json!({ "row": row })).await.good();
        answer["id"].as_i64().unwrap()
    }

    /// A unit with a car.
    async fn unit_and_car(&self) {
        self.add("unit", json!({"name": "县林业局", "code": "LY"})).await;
        self.add("vehicle", json!({"plate": "演A00001", "unit": 1})).await;
    }
}

fn pointers(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["pointer"].as_str().unwrap_or("").to_owned()).collect()
}

#[tokio::test]
async fn kinds_are_listed_with_their_columns() {
    let app = TestApp::new().await;
    let kinds = app.get("/api/v1/registers").await.good();
    let items = kinds["items"].as_array().unwrap();
    assert_eq!(items.len(), 25);
    let order = items.iter().find(|item| item["kind"] == "order").unwrap();
    assert_eq!((&order["zh"], &order["has_files"]), (&json!("派车单"), &json!(true)));
    assert_eq!(order["columns"][0], json!({"zh": "派车单号", "en": "no", "is_required": true}));
    assert_eq!(app.get("/api/v1/registers/wish").await.problem(), "not_found");
    assert_eq!(app.get("/api/v1/registers/order/7").await.problem(), "not_found");
    assert_eq!(app.get("/api/v1/registers/order/x").await.problem(), "not_found");
}

#[tokio::test]
async fn a_row_is_written_corrected_amended_ended_and_keeps_its_history() {
    let app = TestApp::new().await;
    app.unit_and_car().await;
    app.add("unit", json!({"name": "县水利局"})).await;
    let path = "/api/v1/registers/vehicle/1";
    let first = app.get(path).await;
    assert_eq!(first.header("etag"), "\"1\"");
    let good = first.good();
    assert_eq!(
        (&good["items"][0]["row"]["plate"], good["items"][0].get("valid_from")),
        (&json!("演A00001"), None)
    );

    // A new unit from June on: what was known before stays.
    let amend = json!({"from": "2026-06-01T00:00:00+08:00", "row": {"unit": 2}});
    let amended = app.json("POST", &format!("{path}/amend"), &[("if-match", "\"1\"")], &amend).await;
    assert_eq!((amended.good()["version"].as_u64(), amended.header("etag")), (Some(3), "\"3\""));
    let in_may = app.get("/api/v1/registers/vehicle?valid_at=2026-05-01T00:00:00Z").await.good();
    let in_july =
        app.get("/api/v1/registers/vehicle?valid_at=2026-07-01T00:00:00Z&key=%E6%BC%94A00001").await.good();
    assert_eq!(
        (&in_may["items"][0]["row"]["unit"], &in_july["items"][0]["row"]["unit"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(in_july["items"][0]["row"]["plate"], "演A00001", "what was not amended is as it was");

    // Whoever has not seen that is refused.
    let correct = json!({"row": {"plate": "演A00002", "unit": 1}});
    let stale = app.json("PUT", path, &[("if-match", "\"1\"")], &correct).await;
    assert_eq!(
        (stale.status, stale.problem().as_str()),
        (StatusCode::PRECONDITION_FAILED, "precondition_failed")
    );
    app.json("PUT", path, &[("if-match", "\"3\"")], &correct).await.good();
    let now = app.get(path).await.good();
    assert_eq!((now["items"].as_array().unwrap().len(), &now["version"]), (1, &json!(4)));
    app.json("POST", &format!("{path}/end"), &[], &json!({"at": "2026-09-01T00:00:00Z"})).await.good();
    assert_eq!(app.get(path).await.good()["items"][0]["valid_to"], "2026-09-01T00:00:00Z");

    let history = app.get(&format!("{path}/history")).await.good();
    let versions: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|v| v["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    let recorded = history["items"][0]["recorded_at"].as_str().unwrap();
    let then = app.get(&format!("{path}?known_at={recorded}")).await.good();
    assert!(then["items"].as_array().unwrap().len() <= 2, "as it was known then");
}

#[tokio::test]
async fn what_is_wrong_with_a_row_is_told_by_its_place() {
    let app = TestApp::new().await;
    app.unit_and_car().await;
    let times = |out: &str, back: &str| json!({"no": "1", "unit": 1, "vehicle": 1, "planned_out": out, "planned_in": back});
    for (kind, row, places) in [
        ("order", json!({"no": 7}), vec!["/row/no"]),
        ("order", json!({"number": "7"}), vec!["/row/number"]),
        ("order", times("2026-03-04T08:00:00Z", "2026-03-04T07:00:00Z"), vec!["/row/planned_in"]),
        ("order", times("2026-03-04T08:00:00", "2026-03-04T09:00:00Z"), vec!["/row/planned_out"]),
        ("vehicle", json!({"plate": " "}), vec!["/row/plate", "/row/unit"]),
        ("vehicle", json!({"plate": "演A00002", "unit": 9}), vec!["/row/unit"]),
        (
            "zone",
            json!({"name": "z", "shape": {"shape": "circle", "centre": {"lat_e7": 1, "lon_e7": 1}, "radius_m": 0}}),
            vec!["/row/shape"],
        ),
        (
            "working_hours",
            json!({"seasons": [{"from": [2, 30], "to": [3, 1], "opens_min": 1, "closes_min": 2}]}),
            vec!["/row/seasons"],
        ),
        ("rule_set", json!({"name": "s", "params": {"r01": {"min_meters": 1}}}), vec!["/row/params"]),
        (
            "exemption",
            json!({"rules": ["R18"]}),
            vec!["/row/owner", "/row/reason", "/valid_to", "/row/rules/0"],
        ),
        ("duty", json!({"unit": 1}), vec!["/valid_from", "/valid_to"]),
    ] {
        let answer = app.post(&format!("/api/v1/registers/{kind}"), json!({ "row": row })).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (422, "invalid_body"),
            "{kind} {row}"
        );
        assert_eq!(pointers(&answer), places, "{kind} {row}");
    }
    let twice = app.post("/api/v1/registers/vehicle", json!({"row": {"plate": "演A00001", "unit": 1}})).await;
    assert_eq!((twice.status, twice.problem().as_str()), (StatusCode::CONFLICT, "conflict"));
    let back = json!({"valid_from": "2026-03-04T08:00:00Z", "valid_to": "2026-03-04T08:00:00Z", "row": {"name": "x"}});
    assert_eq!(pointers(&app.post("/api/v1/registers/unit", back).await), ["/valid_to"]);
    assert_eq!(app.post("/api/v1/registers/unit", json!({"rows": []})).await.problem(), "invalid_body");
    let reader = app.token_for(&[Scope::Read]).await;
    let body = json!({"row": {"name": "x"}});
    assert_eq!(
        app.call("POST", "/api/v1/registers/unit", Some(&reader), Some(&body)).await.problem(),
        "forbidden"
    );
    let clerk = app.token_for(&[Scope::WriteRegisters]).await;
    app.call("POST", "/api/v1/registers/unit", Some(&clerk), Some(&body)).await.good();
    assert_eq!(app.call("GET", "/api/v1/registers/unit", Some(&clerk), None).await.problem(), "forbidden");
}

#[tokio::test]
async fn a_write_with_a_key_is_done_once() {
    let app = TestApp::new().await;
    let (path, body) = ("/api/v1/registers/unit", json!({"row": {"name": "县林业局"}}));
    let first = app.json("POST", path, &[("idempotency-key", "k1")], &body).await;
    let again = app.json("POST", path, &[("idempotency-key", "k1")], &body).await;
    assert_eq!(again.good(), first.good());
    let other = app.json("POST", path, &[("idempotency-key", "k1")], &json!({"row": {"name": "x"}})).await;
    assert_eq!(other.problem(), "idempotency_key_reused");
    // A request that failed may be sent again.
    let wrong = app.json("POST", path, &[("idempotency-key", "k2")], &json!({"row": {}})).await;
    assert_eq!(wrong.problem(), "invalid_body");
    app.json("POST", path, &[("idempotency-key", "k2")], &body).await.good();
    assert_eq!(app.get(path).await.good()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn lists_are_paged_without_gaps() {
    let app = TestApp::new().await;
    for number in 0..5 {
        app.add("unit", json!({"name": format!("单位{number}")})).await;
    }
    let mut path = Some("/api/v1/registers/unit?limit=2".to_owned());
    let mut seen = Vec::new();
    while let Some(next) = path {
        let page = app.get(&next).await;
        seen.extend(page.good()["items"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
        path = page.next();
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert_eq!(app.get("/api/v1/registers/unit?cursor=61").await.problem(), "invalid_parameter");
}

#[tokio::test]
async fn orders_are_found_by_state_unit_car_and_time_newest_first() {
    let app = TestApp::new().await;
    app.unit_and_car().await;
    app.add("unit", json!({"name": "县林业站", "code": "LZ", "parent": 1})).await;
    app.add("unit", json!({"name": "县水利局", "code": "SL"})).await;
    app.add("vehicle", json!({"plate": "演A00002", "unit": 3})).await;
    let orders = [
        ("late", 1, 1, 6, "approved"),
        ("early", 2, 1, 4, "cancelled"),
        ("other", 3, 2, 5, "settled"),
        ("same", 1, 1, 5, "applied"),
    ];
    for (no, unit, vehicle, day, state) in orders {
        let (out, back) = (format!("2026-03-0{day}T08:00:00Z"), format!("2026-03-0{day}T10:00:00Z"));
        let row = json!({"no": no, "unit": unit, "vehicle": vehicle, "planned_out": out, "planned_in": back, "state": state});
        app.add("order", row).await;
    }
    let found = async |query: &str| {
        let mut path = Some(format!("/api/v1/registers/order?limit=2&{query}"));
        let mut numbers = Vec::new();
        while let Some(next) = path {
            let page = app.get(&next).await;
            let items = page.good()["items"].as_array().unwrap().clone();
            numbers.extend(items.iter().map(|item| item["row"]["no"].as_str().unwrap().to_owned()));
            path = page.next();
        }
        numbers
    };
    assert_eq!(found("").await, ["late", "early", "other", "same"]);
    assert_eq!(found("sort=-planned_out").await, ["late", "same", "other", "early"]);
    assert_eq!(found("sort=-planned_out&state=approved,cancelled").await, ["late", "early"]);
    assert_eq!(found("unit=LY").await, ["late", "early", "same"], "with what is below it");
    assert_eq!(found("unit=LZ&vehicle=1").await, ["early"]);
    assert_eq!(found("from=2026-03-04T10:00:00Z&to=2026-03-05T08:00:00Z").await, ["early", "other", "same"]);
    assert_eq!(found("from=2026-03-04T10:00:01Z&to=2026-03-05T07:59:59Z").await, [""; 0]);
    for wrong in
        ["order?state=lost", "order?unit=XX", "order?sort=plate", "unit?sort=-planned_out", "unit?state=done"]
    {
        assert_eq!(
            app.get(&format!("/api/v1/registers/{wrong}")).await.problem(),
            "invalid_parameter",
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_file_is_taken_whole_or_not_at_all() {
    let app = TestApp::with(|config| config.http.import_max = Bytes(2_000)).await;
    let import = async |query: &str, text: &str| {
        app.write("POST", &format!("/api/v1/registers/{query}"), &[], text.as_bytes()).await
    };
    let units = "单位名称,上级单位\n县政府,\n县林业局,县政府\n";
    let looked = import("unit/import", units).await.good();
    assert_eq!((&looked["outcome"], &looked["added"]), (&json!("checked"), &json!(2)), "{looked}");
    assert_eq!(app.get("/api/v1/registers/unit").await.good()["items"], json!([]));
    let taken = import("unit/import?dry_run=false", units).await.good();
    assert_eq!(taken["outcome"], "taken");
    let rows = app.get("/api/v1/registers/unit").await.good();
    assert_eq!(rows["items"][1]["row"]["parent"], rows["items"][0]["id"]);
    let again = import("unit/import?dry_run=false", units).await.good();
    assert_eq!((&again["unchanged"], &again["added"]), (&json!(2), &json!(0)));

    // One bad row, and none is taken.
    let cars = "车牌号,所属单位\n演A00001,县林业局\n演A00002,县水利局\n";
    let refused = import("vehicle/import?dry_run=false", cars).await.good();
    assert_eq!(refused["outcome"], "refused");
    let error = &refused["errors"][0];
    assert_eq!(
        (&error["row"], &error["column"], &error["code"]),
        (&json!(3), &json!("所属单位"), &json!("unknown"))
    );
    assert!(error["zh"].as_str().unwrap().contains("单位") && error["en"].as_str().unwrap().contains("unit"));
    assert_eq!(app.get("/api/v1/registers/vehicle").await.good()["items"], json!([]));
    let mended = cars.replace("县水利局", "县政府");
    assert_eq!(import("vehicle/import?dry_run=false", &mended).await.good()["outcome"], "taken");
    assert_eq!(app.get("/api/v1/registers/vehicle").await.good()["items"].as_array().unwrap().len(), 2);
    // A file that says something else of a known car makes a new version of it.
    let moved = mended.replace("演A00001,县林业局", "演A00001,县政府");
    let changed = import("vehicle/import?dry_run=false", &moved).await.good();
    assert_eq!((&changed["changed"], &changed["unchanged"]), (&json!(1), &json!(1)));
    assert_eq!(app.get("/api/v1/registers/vehicle/1").await.header("etag"), "\"2\"");

    assert_eq!(import("rule_set/import", "x").await.problem(), "not_found");
    assert_eq!(import("unit/import?datum=mars", units).await.problem(), "invalid_parameter");
    assert_eq!(import("unit/import?timezone=Mars/Base", units).await.problem(), "invalid_parameter");
    assert_eq!(import("unit/import?unit=nobody", units).await.problem(), "invalid_parameter");
    assert_eq!(import("unit/import", &"x".repeat(2_001)).await.problem(), "body_too_large");
}

/// Noon by UTC some days ago, so that the night is over and the day may be judged again.
pub(super) fn some_days_ago() -> i64 {
    (wall_now().0 / DAY_MS - 12) * DAY_MS + 60_000
}

/// Out ten minutes past `start_ms`, 5 km, an hour there, back; then parked.
fn drive(start_ms: i64) -> Vec<Fix> {
    let mut fixes = Vec::new();
    let mut at = |second: i64, metres: i64, is_driving: bool| {
        // 0.00963 m are 1e-7 degrees of longitude at 30 degrees north.
        let lon = 1_100_000_000 + i32::try_from(metres * 100_000 / 963).unwrap();
        fixes.push(Fix {
            speed_dkmh: Some(if is_driving { 360 } else { 0 }),
            status: Status(if is_driving { 3 } else { 2 }),
            quality: Quality(0),
            ..Fix::new(UtcMillis(start_ms + second * 1_000), 300_000_000, lon)
        });
    };
    (0..10).for_each(|i| at(i * 60, 0, false));
    (0..=50).for_each(|i| at(600 + i * 10, i * 100, true));
    (1..=60).for_each(|i| at(1_100 + i * 60, 5_000, false));
    (0..=50).for_each(|i| at(4_760 + i * 10, 5_000 - i * 100, true));
    (1..=20).for_each(|i| at(5_260 + i * 600, 0, false));
    fixes
}

/// An app in which a car was driven without an order, judged; and the supervisor.
pub(super) async fn with_open_questions() -> (TestApp, Supervisor) {
    let app = TestApp::new().await;
    app.unit_and_car().await;
    app.enrol(1).await;
    app.add("binding", json!({"device": 1, "vehicle": 1, "is_primary": true})).await;
    app.add("rule_set", json!({"name": "all", "state": "active"})).await;
    for feed in ["orders", "duties"] {
        let (from, to) = ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
        app.add("watermark", json!({"feed": feed, "complete_from": from, "complete_to": to})).await;
    }
    let start_ms = some_days_ago();
    let fixes = drive(start_ms);
    app.store(1, fixes.iter().copied());
    let marks = Arc::new(Marks::new(Lsn(0)));
    let mut batch = MarkBatch::default();
    batch.note(DeviceId(1), wall_now(), &fixes);
    marks.publish(batch, Lsn(1));
    let config = crate::config::Config::default();
    let parts = SupervisorParts {
        registry: Arc::clone(&app.registry),
        tracks: app.tracks.clone(),
        marks,
        settings: SupervisionSettings::from(&config.supervision),
    };
    let mut supervisor = Supervisor::new(parts, UtcMillis(0)).await.unwrap();
    supervisor.pass().await.unwrap();
    (app, supervisor)
}

async fn open_conduct(app: &TestApp) -> usize {
    let filter = crate::registry::FlagFilter {
        limit: 1_000,
        state: Some(crate::registry::FlagState::Open),
        nature: Some(motorpool_supervision::finding::Nature::Conduct),
        outcome: Some(motorpool_supervision::finding::Outcome::Flag),
        ..crate::registry::FlagFilter::default()
    };
    app.registry.flags(&filter).await.unwrap().len()
}

fn exemption() -> Value {
    let rules: Vec<String> = (1..=28).filter(|n| ![14, 18].contains(n)).map(|n| format!("R{n:02}")).collect();
    json!({
        "valid_to": "2100-01-01T00:00:00Z",
        "row": {"vehicle": 1, "rules": rules, "owner": "李四", "reason": "防汛"},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clears_open_questions_takes_a_second_person() {
    let (app, mut supervisor) = with_open_questions().await;
    let open = open_conduct(&app).await;
    assert!(open > 0, "the drive without an order is asked about");

    let asked = app.post("/api/v1/registers/exemption", exemption()).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text());
    let asked = asked.json();
    assert_eq!(asked["would_clear"], json!(open), "{asked}");
    assert_eq!(asked["by_unit"], json!({"1": open}));
    assert_eq!(app.get("/api/v1/registers/exemption").await.good()["items"], json!([]), "nothing is written");

    let path = format!("/api/v1/proposals/{}", asked["proposal"]);
    let detail = app.get(&path).await.good();
    assert_eq!(
        (&detail["state"], &detail["by"], &detail["kind"]),
        (&json!("open"), &json!("first start"), &json!("exemption"))
    );
    assert_eq!((detail["flags"].as_array().unwrap().len(), &detail["body"][0]["op"]), (open, &json!("add")));
    let approve = format!("{path}/approve");
    assert_eq!(app.post(&approve, json!({})).await.problem(), "forbidden", "who asked can't approve");
    let reader = app.token_for(&[Scope::Read]).await;
    assert_eq!(app.call("POST", &approve, Some(&reader), None).await.problem(), "forbidden");
    let second = app.token_for(&[Scope::Read, Scope::WriteRegisters, Scope::Supervise]).await;
    let approved = app.call("POST", &approve, Some(&second), None).await.good();
    assert_eq!(approved["written"], 1);
    assert_eq!(app.call("POST", &approve, Some(&second), None).await.problem(), "conflict");
    let rows = app.get("/api/v1/registers/exemption").await.good();
    assert_eq!(rows["items"][0]["recorded_by"], "first start, approved by test");
    let listed = app.get("/api/v1/proposals?state=approved").await.good();
    assert_eq!(
        (&listed["items"][0]["decided_by"], &listed["items"][0]["would_clear"]),
        (&json!("test"), &json!(open))
    );

    // The cases let go what the approval covers, and say who approved.
    supervisor.pass().await.unwrap();
    assert_eq!(open_conduct(&app).await, 0);
    let cases =
        app.registry.cases(&crate::registry::CaseFilter { limit: 10, ..Default::default() }).await.unwrap();
    let mut kinds = Vec::new();
    for case in &cases {
        for event in app.registry.case_events(&case.case_id, 0).await.unwrap() {
            kinds.push(event.event.kind);
        }
    }
    assert!(kinds.iter().any(|kind| kind == "clearance_noted"), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_paper_clears_nothing_and_a_rejected_proposal_is_never_written() {
    let (app, _supervisor) = with_open_questions().await;
    let at = |ms: i64| UtcMillis(some_days_ago() + ms).to_string();
    let order =
        json!({"no": "P-1", "unit": 1, "vehicle": 1, "planned_out": at(0), "planned_in": at(4 * 3_600_000)});
    app.add("order", order).await;

    let asked = app.post("/api/v1/registers/exemption", exemption()).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED);
    let path = format!("/api/v1/proposals/{}", asked.json()["proposal"]);
    let reject = format!("{path}/reject");
    let too_long = json!({ "reason": "长".repeat(501) });
    assert_eq!(pointers(&app.post(&reject, too_long).await), ["/reason"]);
    let longest = "长".repeat(500);
    assert_eq!(app.post(&reject, json!({ "reason": longest })).await.good()["state"], "rejected");
    let shown = app.get(&path).await.good();
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("rejected"), &json!(longest)));
    let second = app.token_for(&[Scope::Read, Scope::WriteRegisters, Scope::Supervise]).await;
    assert_eq!(app.call("POST", &format!("{path}/approve"), Some(&second), None).await.problem(), "conflict");
    assert_eq!(app.get("/api/v1/registers/exemption").await.good()["items"], json!([]));
    assert_eq!(app.get("/api/v1/proposals/99").await.problem(), "not_found");
    // A rule set on trial says nothing: that clears as well. One that ends in the future does not.
    let silent = app.json("PUT", "/api/v1/registers/rule_set/1", &[], &json!({"row": {"name": "all"}})).await;
    assert_eq!(silent.status, StatusCode::ACCEPTED);
    app.post("/api/v1/registers/rule_set/1/end", json!({"at": "2099-01-01T00:00:00Z"})).await.good();
}

#[tokio::test]
async fn what_people_wrote_is_no_formula_in_a_spreadsheet_and_comes_back_as_it_was() {
    let app = TestApp::new().await;
    for name in ["=HYPERLINK(\"http://evil\")", "@SUM(1)", "+1", "\t=1", "＝1", "县林业局"] {
        app.add("unit", json!({"name": name, "code": name})).await;
    }
    app.add("vehicle", json!({"plate": "演A00001", "unit": 1, "model": "-2+3"})).await;
    for kind in ["unit", "vehicle"] {
        let kind = crate::registers::kind(kind).unwrap();
        let mut file = Vec::new();
        crate::registers::export_csv(&app.registry, kind, Known::Now, &mut file).await.unwrap();
        let text = String::from_utf8(file).unwrap().trim_start_matches('\u{feff}').to_owned();
        for cell in csv::Reader::from_reader(text.as_bytes())
            .records()
            .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
        {
            let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '＠']);
            assert!(!is_formula, "{cell:?}");
        }
        assert!(text.contains("'@SUM(1)") || text.contains("'-2+3"), "{text}");
    }
}

#[tokio::test]
async fn a_small_file_that_unpacks_to_a_large_one_is_refused() {
    let app = TestApp::new().await;
    // 200 MB of the same line, packed to some hundred kilobytes.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, "单位名称\n".as_bytes()).unwrap();
    let line = "\"".to_owned() + &"x".repeat(999) + "\"\n";
    for _ in 0..200_000 {
        std::io::Write::write_all(&mut packed, line.as_bytes()).unwrap();
    }
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 4 << 20, "{}", packed.len());
    let answer = app.write("POST", "/api/v1/registers/unit/import", &[], packed).await;
    assert!(answer.text().contains("134217728"), "{} {}", answer.status, answer.text());
}

#[tokio::test]
async fn only_a_trusted_machine_says_since_when_an_order_is_on_paper() {
    let app = TestApp::new().await;
    app.unit_and_car().await;
    let order = |no: &str, entered_at: &str| {
        let planned = ("2026-03-04T08:00:00Z", "2026-03-04T12:00:00Z");
        json!({ "row": {
            "no": no, "unit": 1, "vehicle": 1, "planned_out": planned.0, "planned_in": planned.1, "entered_at": entered_at,
        } })
    };
    let (path, at) = ("/api/v1/registers/order", "2026-03-01T00:00:00Z");
    let clerk = app.person("diao", Role::Dispatcher, Some(1), None).await;
    let refused = app.call_as(&clerk, "POST", path, Some(&order("P-1", at))).await;
    assert_eq!(
        (refused.problem().as_str(), pointers(&refused)),
        ("invalid_body", vec!["/row/entered_at".to_owned()])
    );
    let person = TokenPerson {
        id: PersonId::SYSTEM,
        name: "刁".to_owned(),
        roles: [motorpool_supervision::cases::Role::Dispatcher].into(),
        unit: UnitId(1),
    };
    let scopes = [Scope::WriteRegisters];
    let token =
        app.registry.create_token_for("刁", &scopes, Some(&person), None, "test", wall_now()).await.unwrap();
    assert_eq!(app.call("POST", path, Some(&token), Some(&order("P-1", at))).await.problem(), "invalid_body");
    let file = format!(
        "派车单号,用车单位,车牌号,计划出车时间,计划返回时间,登记时间\nP-1,县林业局,演A00001,2026-03-04 08:00,2026-03-04 12:00,{at}\n"
    );
    let import = format!("{path}/import?dry_run=false");
    let request = Request::builder().method("POST").uri(&import).header("cookie", clerk.cookie());
    let request = request.header("sec-fetch-site", "same-origin").body(Body::from(file)).unwrap();
    assert_eq!(app.send(request).await.problem(), "invalid_body", "a file launders nothing either");

    // The office's own system may, for what has been.
    let oa = app.token_for(&scopes).await;
    let taken = app.call("POST", path, Some(&oa), Some(&order("P-1", at))).await.good();
    let ahead = order("P-2", "2999-01-01T00:00:00Z");
    assert_eq!(app.call("POST", path, Some(&oa), Some(&ahead)).await.problem(), "invalid_body");
    // A person who corrects that order sends it along as it is, and no other.
    let one = format!("{path}/{}", taken["id"]);
    app.call_as(&clerk, "PUT", &one, Some(&order("P-1a", at))).await.good();
    let earlier = order("P-1a", "2026-02-01T00:00:00Z");
    assert_eq!(app.call_as(&clerk, "PUT", &one, Some(&earlier)).await.problem(), "invalid_body");
}
