//! The workflow of a case from outside: who sees it, who may do what, and what goes out.

use axum::http::{Method, Request, StatusCode, header};
use motorpool_protocols::{Fix, Quality, Status, UtcMillis};
use motorpool_supervision::cases::{PersonId, Role};
use motorpool_supervision::evidence;
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId};
use motorpool_supervision::register::{
    Binding, Feed, RuleSet, RuleSetState, Span, Unit, UnitKind, Vehicle, Watermark,
};
use motorpool_supervision::trips::TripSettings;
use serde_json::{Value, json};
use std::sync::Arc;

use super::app::{Answer, TestApp};
use crate::clock::wall_now;
use crate::config;
use crate::ids::{DeviceId as Archived, Lsn};
use crate::journal::Journal;
use crate::registry::{Change, Scope, Stored, TokenPerson};
use crate::supervision::{
    MarkBatch, Marks, SupervisionSettings, Supervisor, SupervisorParts, write_calendar,
};

/// 2026-03-04 08:00 in Shanghai, a Wednesday.
pub(super) const START_MS: i64 = 1_772_582_400_000;
pub(super) const CASE: &str = "v1-2026-03-04";

/// A county with an office, inspectors and a bureau whose car drove without an order.
pub(super) struct County {
    pub(super) app: TestApp,
    marks: Arc<Marks>,
    supervisor: Supervisor,
}

impl County {
    pub(super) async fn new() -> Self {
        Self::under(json!({})).await
    }

    /// With these parameters of rules in force.
    async fn under(params: Value) -> Self {
        Self::with(params, |_| {}).await
    }

    /// With this configuration besides.
    pub(super) async fn with(params: Value, change: impl FnOnce(&mut config::Config)) -> Self {
        let mut county = Self::parked(params, change).await;
        county.drive().await;
        county
    }

    /// Before the car has driven.
    pub(super) async fn parked(params: Value, change: impl FnOnce(&mut config::Config)) -> Self {
        let app = TestApp::with(change).await;
        let then = UtcMillis(START_MS - 86_400_000);
        write_calendar(&app.registry, "cn", then).await.unwrap();
        let unit = |name: &str, code: &str, parent: Option<i64>, kind| Unit {
            name: name.to_owned(),
            code: code.to_owned(),
            parent: parent.map(UnitId),
            kind,
            ..Unit::default()
        };
        add(&app, unit("演示县", "X", None, UnitKind::Ordinary)).await;
        add(&app, unit("机关事务中心", "JG", Some(1), UnitKind::Office)).await;
        add(&app, unit("县纪委监委", "JW", Some(1), UnitKind::Discipline)).await;
        add(&app, unit("县林业局", "LY", Some(1), UnitKind::Ordinary)).await;
        add(&app, Vehicle { plate: "演A00001".to_owned(), unit: UnitId(4), ..Vehicle::default() }).await;
        add(
            &app,
            Binding { device: DeviceId(1), vehicle: VehicleId(1), is_primary: true, ..Binding::default() },
        )
        .await;
        add(
            &app,
            RuleSet { name: "all".to_owned(), state: RuleSetState::Active, params, ..RuleSet::default() },
        )
        .await;
        for feed in [Feed::Orders, Feed::Duties] {
            let (complete_from, complete_to) = (UtcMillis(0), UtcMillis(START_MS + 400 * 86_400_000));
            add(&app, Watermark { unit: None, feed, complete_from, complete_to }).await;
        }
        app.enrol(1).await;
        // Packs read raw messages out of the journal; here it is empty.
        let journal = config::Journal {
            segment_size: config::Bytes(1 << 20),
            spare_segments_max: 0,
            ..config::Journal::default()
        };
        Journal::open(app.folder.path(), &journal).unwrap().0.close();
        let marks = Arc::new(Marks::new(Lsn(0)));
        let settings = SupervisionSettings {
            interval: std::time::Duration::from_secs(1),
            time_zone: "Asia/Shanghai".to_owned(),
            trips: TripSettings::default(),
            judge_back_days: 400,
        };
        let (registry, tracks) = (Arc::clone(&app.registry), app.tracks.clone());
        let parts = SupervisorParts { registry, tracks, marks: Arc::clone(&marks), settings };
        let supervisor = Supervisor::new(parts, UtcMillis(0)).await.unwrap();
        Self { app, marks, supervisor }
    }

    /// The car leaves at 08:10, stays 5 km away for an hour, and comes back.
    pub(super) async fn drive(&mut self) {
        let fixes = day();
        self.app.store(1, fixes.iter().copied());
        self.tell(&fixes, UtcMillis(START_MS + 3 * 86_400_000)).await;
    }

    pub(super) async fn tell(&mut self, fixes: &[Fix], received: UtcMillis) {
        let mut batch = MarkBatch::default();
        batch.note(Archived(1), received, fixes);
        self.marks.publish(batch, Lsn(1));
        self.supervisor.pass().await.unwrap();
    }

    pub(super) async fn person(&self, name: &str, role: Role, unit: i64) -> String {
        let person =
            TokenPerson { id: PersonId(0), name: name.to_owned(), roles: [role].into(), unit: UnitId(unit) };
        let scopes = [Scope::Read, Scope::Supervise];
        let made = self.app.registry.create_token_for(name, &scopes, Some(&person), None, "test", wall_now());
        made.await.unwrap()
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        self.app.call("GET", path, Some(token), None).await
    }

    /// Does something in the case as it stands for this person.
    pub(super) async fn act(&self, token: &str, deed: Value) -> Answer {
        let tag = self.get(&format!("/api/v1/cases/{CASE}"), token).await.header("etag").to_owned();
        self.act_at(token, &tag, deed).await
    }

    async fn act_at(&self, token: &str, tag: &str, deed: Value) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/api/v1/cases/{CASE}/events"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::IF_MATCH, tag);
        self.app.send(request.body(axum::body::Body::from(deed.to_string())).unwrap()).await
    }
}

pub(super) async fn add<T: Stored>(app: &TestApp, row: T) {
    let change = Change::Add { id: None, valid: Span::ALWAYS, row };
    app.registry.write_rows(&[change], "test", UtcMillis(START_MS - 86_400_000)).await.unwrap();
}

fn day() -> Vec<Fix> {
    let mut fixes = Vec::new();
    let mut at = |second: i64, metres: f64, is_driving: bool| {
        #[expect(clippy::cast_possible_truncation, reason = "a few kilometres")]
        let lon = 1_100_000_000 + (metres / 0.009_63) as i32;
        fixes.push(Fix {
            speed_dkmh: Some(if is_driving { 360 } else { 0 }),
            status: Status(if is_driving { 3 } else { 2 }),
            quality: Quality(0),
            ..Fix::new(UtcMillis(START_MS + second * 1_000), 300_000_000, lon)
        });
    };
    (0..10).for_each(|i| at(i * 60, 0.0, false));
    (0..=50).for_each(|i| at(600 + i * 10, i as f64 * 100.0, true));
    (1..=60).for_each(|i| at(1_100 + i * 60, 5_000.0, false));
    (0..=50).for_each(|i| at(4_760 + i * 10, 5_000.0 - i as f64 * 100.0, true));
    (1..=20).for_each(|i| at(5_260 + i * 600, 0.0, false));
    fixes
}

fn normal() -> Value {
    json!({ "disposition": "normal", "reason": "rule_wrong", "text": "公务" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trips_and_flags_are_read_with_words_and_versions() {
    let county = County::new().await;
    let reader = county.app.token_for(&[Scope::Read]).await;
    let path = "/api/v1/vehicles/1/segments?from=2026-03-04T00:00:00Z&to=2026-03-05T00:00:00Z&kinds=trip";
    let trips = county.get(path, &reader).await.good();
    let trips = trips["items"].as_array().unwrap();
    assert_eq!(trips.len(), 2, "{trips:?}");
    assert!((4_900..5_100).contains(&trips[0]["distance_m"].as_i64().unwrap()), "{trips:?}");
    let moved = county.get(&format!("{path}&crs=gcj02&limit=1"), &reader).await;
    assert_ne!(moved.good()["items"][0]["start_at"], trips[0]["start_at"]);
    let rest = county.get(&moved.next().unwrap(), &reader).await.good();
    assert_eq!(rest["items"][0]["id"], trips[1]["id"]);
    let by_device = "/api/v1/devices/1/segments?from=2026-03-04T00:00:00Z&to=2026-03-05T00:00:00Z&kinds=trip";
    assert_eq!(county.get(by_device, &reader).await.good()["items"].as_array().unwrap().len(), 2);
    let lineage = trips[0]["lineage"].as_str().unwrap();
    let versions = county.get(&format!("/api/v1/segments/{lineage}/versions"), &reader).await.good();
    assert_eq!(versions["items"][0]["id"], trips[0]["id"]);

    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let flags = county.get("/api/v1/flags?rules=R01&unit=LY", &office).await.good();
    let flags = flags["items"].as_array().unwrap();
    assert_eq!(flags.len(), 2, "{flags:?}");
    assert_eq!(flags[0]["sentence"]["zh"]["title"], "无单出车");
    let id = flags[0]["id"].as_str().unwrap();
    let detail = county.get(&format!("/api/v1/flags/{id}"), &office).await.good();
    assert_eq!(detail["history"][0]["state"], "open");
    let again = county.app.call("POST", &format!("/api/v1/flags/{id}/recompute"), Some(&office), None).await;
    assert_eq!((&again.good()["same"], &again.good()["differs"]), (&json!(true), &json!([])));
    assert_eq!(county.get("/api/v1/flags/none", &office).await.problem(), "flag_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_office_closes_a_case_as_normal_and_nobody_else_does() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let queue = county.get("/api/v1/cases?unit=LY", &office).await.good();
    assert_eq!((&queue["items"][0]["id"], &queue["items"][0]["plate"]), (&json!(CASE), &json!("演A00001")));
    assert_eq!(queue["items"][0]["unit_name"], "县林业局");
    assert_eq!(queue["counts"], json!({ "new": 1 }));
    assert_eq!(county.get("/api/v1/cases?unit=JG", &office).await.good()["items"], json!([]));
    let colour = queue["items"][0]["colour"].as_str().unwrap().to_owned();
    for word in ["green", "yellow", "red"] {
        let counts = if word == colour { json!({ "new": 1 }) } else { json!({}) };
        let path = format!("/api/v1/cases?colour={word}&state=closed");
        assert_eq!(county.get(&path, &office).await.good()["counts"], counts, "{word}: whatever its state");
    }
    assert_eq!(county.get("/api/v1/cases?assignee=wang", &office).await.good()["counts"], json!({}));

    let own = county.person("吴", Role::OfficeSupervisor, 4).await;
    assert_eq!(
        county.act_at(&own, "*", json!({ "type": "start_checking" })).await.problem(),
        "case_not_found"
    );
    let nobody = county.app.token_for(&[Scope::Supervise]).await;
    assert_eq!(county.get(&format!("/api/v1/cases/{CASE}"), &nobody).await.status, StatusCode::OK);
    assert_eq!(county.act(&nobody, json!({ "type": "start_checking" })).await.problem(), "forbidden");
    let admin = county.app.token.clone();
    assert_eq!(county.act(&admin, json!({ "type": "start_checking" })).await.problem(), "forbidden");

    assert_eq!(
        county.act_at(&office, "\"9\"", json!({ "type": "start_checking" })).await.problem(),
        "precondition_failed"
    );
    let without = county
        .app
        .call(
            "POST",
            &format!("/api/v1/cases/{CASE}/events"),
            Some(&office),
            Some(&json!({ "type": "start_checking" })),
        )
        .await;
    assert_eq!(without.problem(), "precondition_required");
    let checking = county.act(&office, json!({ "type": "start_checking" })).await.good();
    assert_eq!(checking["case"]["stage"], "checking");
    let closed = county.act(&office, json!({ "type": "close", "closing": normal() })).await;
    let closed = closed.good();
    assert_eq!(closed["case"]["stage"], "closed", "{closed}");
    assert_eq!(
        county.act(&office, json!({ "type": "close", "closing": normal() })).await.problem(),
        "conflict"
    );
    let log = county.get(&format!("/api/v1/cases/{CASE}/events"), &office).await.good();
    let tags: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|line| line["event"]["type"].clone()).collect();
    assert_eq!(tags.last(), Some(&json!("closed")), "{tags:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_inspectors_confirm_a_violation_out_of_the_offices_sight() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let first = county.person("李", Role::Inspector, 3).await;
    let second = county.person("郑", Role::Inspector, 3).await;
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    let violation = json!({ "disposition": "violation", "kind": "private_use", "text": "公车私用" });
    let proposal = json!({ "type": "propose_closing", "closing": violation });
    assert_eq!(county.act(&office, proposal.clone()).await.problem(), "forbidden");
    let taken = county.act(&first, json!({ "type": "hand_over", "text": "移送" })).await.good();
    assert_eq!((&taken["case"]["space"], &taken["case"]["stage"]), (&json!("inspection"), &json!("new")));
    county.act(&first, json!({ "type": "start_checking" })).await.good();
    county.act(&first, proposal).await.good();
    assert_eq!(county.act(&first, json!({ "type": "confirm_closing" })).await.problem(), "forbidden");
    let closed = county.act(&second, json!({ "type": "confirm_closing" })).await.good();
    assert_eq!(closed["case"]["decisions"][1]["closing"]["disposition"], "violation", "{closed}");
    let seen = county.get(&format!("/api/v1/cases/{CASE}"), &office).await.good();
    assert_eq!(
        (&seen["case"]["stage"], seen["case"]["decisions"].as_array().unwrap().len()),
        (&json!("closed"), 1)
    );
    assert_eq!(county.get(&format!("/api/v1/cases/{CASE}/events"), &office).await.problem(), "forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confidential_case_does_not_exist_for_the_unit_and_for_nobody() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let inspector = county.person("李", Role::Inspector, 3).await;
    let manager = county.person("钱", Role::FleetManager, 4).await;
    let nobody = county.app.token_for(&[Scope::Supervise]).await;
    assert_eq!(county.get("/api/v1/cases", &manager).await.good()["counts"], json!({ "new": 1 }));
    county.act(&inspector, json!({ "type": "make_confidential", "text": "保密核查" })).await.good();
    for token in [&manager, &nobody, &office] {
        let queue = county.get("/api/v1/cases", token).await.good();
        assert_eq!((&queue["items"], &queue["counts"]), (&json!([]), &json!({})));
        let path = format!("/api/v1/cases/{CASE}");
        assert_eq!(county.get(&path, token).await.problem(), "case_not_found");
        assert_eq!(county.get(&format!("{path}/evidence"), token).await.problem(), "case_not_found");
        assert_eq!(county.get("/api/v1/flags?rules=R01", token).await.good()["items"], json!([]));
    }
    assert_eq!(
        county.get("/api/v1/cases?confidential=true", &inspector).await.good()["counts"],
        json!({ "new": 1 })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_unit_is_asked_answers_item_by_item_and_is_reminded() {
    let mut county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let manager = county.person("钱", Role::FleetManager, 4).await;
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    let path = format!("/api/v1/cases/{CASE}/evidence?copy=masked");
    assert_eq!(county.get(&path, &manager).await.problem(), "forbidden", "nobody has asked yet");
    let asked = county.act(&office, json!({ "type": "ask_explanation", "question": "请说明" })).await.good();
    assert!(asked["due"].is_string(), "{asked}");
    let answer = json!({
        "type": "file_explanation", "text": "下乡",
        "items": [
            { "claim": "departure", "at": "2026-03-04T00:10:00Z" },
            { "claim": "place", "place": { "text": "林场", "at": { "lat_e7": 310_000_000, "lon_e7": 1_100_000_000 } },
              "from": "2026-03-04T00:20:00Z", "to": "2026-03-04T01:10:00Z" },
        ],
    });
    let explained = county.act(&manager, answer).await.good();
    let results: Vec<_> = explained["case"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["checks"][0]["result"].clone())
        .collect();
    assert_eq!(results, ["agrees", "differs"], "{explained}");

    let masked = county.get(&path, &manager).await;
    assert_eq!(masked.status, StatusCode::OK, "{}", masked.text());
    assert!(evidence::verify(&masked.body).unwrap().manifest.is_masked);
    let full = format!("/api/v1/cases/{CASE}/evidence?copy=full");
    assert_eq!(county.get(&full, &manager).await.problem(), "forbidden");

    county.act(&office, json!({ "type": "ask_explanation", "question": "请补充" })).await.good();
    // A month after the question every step is due.
    county.tell(&[], UtcMillis(wall_now().0 + 40 * 86_400_000)).await;
    let seen = county.get(&format!("/api/v1/cases/{CASE}"), &office).await.good();
    assert_eq!(seen["case"]["requests"][1]["step"], "discipline_office", "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pack_holds_offline_and_the_frozen_one_is_the_one_in_the_log() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let checking = county.act(&office, json!({ "type": "start_checking" })).await.good();
    let full = county.get(&format!("/api/v1/cases/{CASE}/evidence"), &office).await;
    assert!(full.header("content-disposition").starts_with("attachment; filename=\"v1-2026-03-04.zip\""));
    assert!(!evidence::verify(&full.body).unwrap().reproduced.is_empty());
    let frozen = county.get(&format!("/api/v1/cases/{CASE}/evidence?copy=frozen"), &office).await;
    evidence::verify(&frozen.body).unwrap();
    use sha2::Digest as _;
    let sha256 = crate::registry::hex::encode(&sha2::Sha256::digest(&frozen.body));
    assert_eq!(checking["case"]["evidence"]["sha256"], sha256);
    let as_attachment = format!("/api/v1/cases/{CASE}/attachments/{sha256}");
    assert_eq!(county.get(&as_attachment, &office).await.problem(), "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_in_and_comes_out_as_bytes_to_be_saved() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    let page = b"<script>alert(1)</script>".to_vec();
    let request = |body: Vec<u8>| {
        Request::builder()
            .method(Method::POST)
            .uri(format!("/api/v1/cases/{CASE}/attachments?name=..%2F%E8%AF%B4%E6%98%8E.html"))
            .header(header::AUTHORIZATION, format!("Bearer {office}"))
            .header(header::CONTENT_TYPE, "text/html")
            .body(axum::body::Body::from(body))
            .unwrap()
    };
    let kept = county.app.send(request(page.clone())).await.good();
    assert_eq!(kept["name"], "说明.html");
    let again = county.app.send(request(page.clone())).await.good();
    assert_eq!(again["seq"], kept["seq"], "the same bytes are the same file");
    let path = format!("/api/v1/cases/{CASE}/attachments/{}", kept["sha256"].as_str().unwrap());
    let back = county.get(&path, &office).await;
    assert_eq!(
        (back.body.as_slice(), back.header("content-type")),
        (page.as_slice(), "application/octet-stream")
    );
    assert!(back.header("content-disposition").starts_with("attachment;"), "{:?}", back.headers);
    assert_eq!(county.app.send(request(vec![0; (10 << 20) + 1])).await.problem(), "body_too_large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tip_opens_a_case_and_many_are_worked_on_at_once() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let tip = json!({ "vehicle": "演A00001", "day": "2026-03-06", "text": "群众反映" });
    let opened = county.app.call("POST", "/api/v1/cases", Some(&office), Some(&tip)).await.good();
    assert_eq!(opened["id"], "v1-2026-03-06");
    let again = county.app.call("POST", "/api/v1/cases", Some(&office), Some(&tip)).await;
    assert_eq!(again.problem(), "conflict");
    let bulk = json!({ "lines": [
        { "case": "v1-2026-03-06", "seq": 1, "deed": { "type": "comment", "audience": "reviewers", "text": "a" } },
        { "case": "v1-2026-03-06", "seq": 1, "deed": { "type": "comment", "audience": "reviewers", "text": "b" } },
        { "case": "v9-2026-03-06", "seq": 1, "deed": { "type": "start_checking" } },
    ] });
    let answer = county.app.call("POST", "/api/v1/cases/bulk", Some(&office), Some(&bulk)).await.good();
    assert_eq!((&answer["items"][0]["seq"], &answer["refused"]), (&json!(2), &json!(2)));
    assert_eq!(answer["items"][1]["code"], "precondition_failed");
    assert_eq!(answer["items"][2]["code"], "case_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backtest_counts_what_another_threshold_would_flag() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    county.act(&office, json!({ "type": "close", "closing": normal() })).await.good();
    // Each trip is 5 km: with a threshold of 6 km R01 finds none.
    let body = json!({
        "rule_set": { "params": { "r01": { "min_distance_m": 6_000 } } },
        "unit": "LY", "from": "2026-03-02", "to": "2026-03-08",
    });
    let found = county.app.call("POST", "/api/v1/backtest", Some(&office), Some(&body)).await.good();
    let report = &found["report"];
    assert_eq!((&report["vehicles"], &report["car_weeks"]), (&json!(1), &json!(1.0)));
    let rule = report["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "R01").unwrap();
    assert_eq!((&rule["trial"]["flags"], &rule["in_force"]["flags"]), (&json!(0), &json!(2)), "{report}");
    assert_eq!(rule["in_force"]["cases"], 1);
    assert_eq!(rule["in_force"]["precision"], Value::Null, "one decision is no share");
    let wrong = json!({ "rule_set": { "params": { "r99": {} } }, "from": "2026-03-02", "to": "2026-03-08" });
    let refused = county.app.call("POST", "/api/v1/backtest", Some(&office), Some(&wrong)).await;
    assert_eq!(refused.problem(), "invalid_body");
    let job = found["job"].as_u64().unwrap();
    let other = county.person("李", Role::Inspector, 3).await;
    assert_eq!(county.get(&format!("/api/v1/backtest/{job}"), &other).await.problem(), "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backtest_counts_only_what_its_caller_sees() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let inspector = county.person("吴", Role::Inspector, 3).await;
    county.act(&inspector, json!({ "type": "make_confidential", "text": "核查" })).await.good();
    let body =
        json!({ "rule_set": { "params": {} }, "unit": "LY", "from": "2026-03-02", "to": "2026-03-08" });
    let try_out = async |token: &str| {
        county.app.call("POST", "/api/v1/backtest", Some(token), Some(&body)).await.good()["report"].clone()
    };
    assert_eq!(try_out(&inspector).await["total"][1]["flags"], 2);
    let report = try_out(&office).await;
    assert_eq!((&report["vehicles"], &report["total"][1]["flags"]), (&json!(1), &json!(0)), "{report}");
    let secret =
        Vehicle { plate: "演A00001".to_owned(), unit: UnitId(4), is_secret: true, ..Vehicle::default() };
    let change = Change::Correct { id: 1, expected: None, valid: Span::ALWAYS, row: secret };
    county.app.registry.write_rows(&[change], "test", wall_now()).await.unwrap();
    assert_eq!(try_out(&inspector).await["vehicles"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_hides_its_seed_until_it_is_drawn() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let past = json!({ "monday": "2026-03-02", "size": 3 });
    assert_eq!(
        county.app.call("POST", "/api/v1/samples", Some(&office), Some(&past)).await.problem(),
        "invalid_body"
    );
    let plan = json!({ "monday": "2040-01-02", "size": 3 });
    let plan = county.app.call("POST", "/api/v1/samples", Some(&office), Some(&plan)).await.good();
    assert_eq!((&plan["number"], plan.get("seed")), (&json!(1), None));
    let draw = county.app.call("POST", "/api/v1/samples/1/draw", Some(&office), None).await;
    assert_eq!(draw.problem(), "conflict", "the week is not over");
    let estimate = county.get("/api/v1/samples/1/estimate", &office).await.good();
    assert_eq!((&estimate["cases"], estimate.get("rate")), (&json!(0), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drawn_trip_comes_before_reviewers_blind_and_counts_in_the_estimate() {
    // No trip of 5 km is asked about, so the day has no flag and no case.
    let county = County::under(json!({ "r01": { "min_distance_m": 6_000 } })).await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let manager = county.person("钱", Role::FleetManager, 4).await;
    assert_eq!(county.get("/api/v1/cases", &office).await.good()["items"], json!([]));
    let monday = jiff::civil::date(2026, 3, 2);
    county.app.registry.create_sample_plan(monday, 1, "test", UtcMillis(START_MS)).await.unwrap();
    let drawn = county.app.call("POST", "/api/v1/samples/1/draw", Some(&office), None).await.good();
    assert_eq!((&drawn["candidates"], &drawn["trips"], &drawn["cases"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(drawn["plan"]["seed"].as_str().unwrap().len(), 64);
    let again = county.app.call("POST", "/api/v1/samples/1/draw", Some(&office), None).await;
    assert_eq!(again.problem(), "conflict");

    let seen = county.get(&format!("/api/v1/cases/{CASE}"), &office).await.good();
    assert_eq!(seen["case"]["source"]["from"], "rules", "where it came from is hidden until it is decided");
    assert_eq!(county.get(&format!("/api/v1/cases/{CASE}"), &manager).await.problem(), "case_not_found");
    assert_eq!(county.get("/api/v1/cases", &manager).await.good()["counts"], json!({}));
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    let evidence = county.get(&format!("/api/v1/cases/{CASE}/evidence"), &office).await;
    assert_eq!(evidence.problem(), "forbidden", "a pack would tell whether there are flags");
    county.act(&office, json!({ "type": "close", "closing": normal() })).await.good();
    let estimate = county.get("/api/v1/samples/1/estimate", &office).await.good();
    assert_eq!(
        (&estimate["cases"], &estimate["decided"], &estimate["rate"]),
        (&json!(1), &json!(1), &json!(0.0))
    );
}
