//! The document from end to end with every role: nobody sees or changes what is of another unit, and a confidential check leaves no
//! trace for those it concerns.
//!
//! Unit 4 (县林业局) has everything: a car that drove without an order, its device, trips, flags, a case, orders, a driver, zones, a fuel
//! bill, a proposal, an account. People of unit 5 (县水利局) ask for all of it by every operation, by every name it has.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use motorpool_protocols::{Fix, UtcMillis};
use motorpool_supervision::ids::{DeviceId, DriverId, UnitId, VehicleId};
use motorpool_supervision::register::{
    Driver, Duty, FuelFill, Order, OrderState, PlaceEntry, Seal, Span, Transfer, Unit, Vehicle, Zone,
};
use serde_json::{Value, json};

use super::app::TestApp;
use super::cases::{CASE, County, START_MS, add};
use super::people::Person;
use crate::accounts::Role;
use crate::api::openapi_json;
use crate::clock::wall_now;
use crate::ids::DeviceId as LiveDevice;
use crate::registers::KINDS;
use crate::registry::accounts::NewAccount;
use crate::registry::{ExportLimits, FlagFilter, NewExport, NewProposal, ProposalFilter, RowFilter};

/// Texts that stand in rows of unit 4 and in no other.
const MARKS: [&str; 9] =
    ["演A00001", "县林业局", "13900000001", "car 1", CASE, "林字第一号", "林司机", "林区", "forester"];

/// The county with rows of every kind in unit 4, and unit 5 beside it.
struct Two {
    county: County,
    flag: String,
    lineage: String,
    proposal: i64,
    account: i64,
}

impl Two {
    async fn new() -> Self {
        let county = County::new().await;
        let app = &county.app;
        add(
            app,
            Unit {
                name: "县水利局".to_owned(),
                code: "SL".to_owned(),
                parent: Some(UnitId(1)),
                ..Unit::default()
            },
        )
        .await;
        add(app, Vehicle { plate: "演A00002".to_owned(), unit: UnitId(5), ..Vehicle::default() }).await;
        add(app, Driver { name: "林司机".to_owned(), unit: UnitId(4), ..Driver::default() }).await;
        let out = UtcMillis(START_MS + 40 * 86_400_000);
        add(
            app,
            Order {
                no: "林字第一号".to_owned(),
                unit: UnitId(4),
                vehicle: VehicleId(1),
                driver: "林司机".to_owned(),
                driver_id: Some(DriverId(1)),
                planned_out: out,
                planned_in: UtcMillis(out.0 + 3_600_000),
                state: OrderState::Approved,
                ..Order::default()
            },
        )
        .await;
        add(app, Duty { unit: UnitId(4), vehicle: Some(VehicleId(1)), ..Duty::default() }).await;
        add(app, Seal { vehicle: VehicleId(1), reason: "林区".to_owned(), ..Seal::default() }).await;
        add(app, Zone { name: "林区".to_owned(), unit: Some(UnitId(4)), ..Zone::default() }).await;
        add(app, PlaceEntry { name: "林区".to_owned(), unit: Some(UnitId(4)), ..PlaceEntry::default() })
            .await;
        add(app, FuelFill { vehicle: VehicleId(1), ..FuelFill::default() }).await;
        Self::finish(county).await
    }

    async fn finish(county: County) -> Self {
        let app = &county.app;
        let hold = crate::registry::NewHold {
            on: crate::registry::HoldOn::Vehicle(VehicleId(1)),
            from: None,
            to: None,
            reason: "林区核查".to_owned(),
            until: None,
        };
        let who = crate::registry::Holder { by: "test", person: None, told: None };
        app.registry.place_hold(&hold, who, wall_now()).await.unwrap();
        let flags = app.registry.flags(&FlagFilter { limit: 10, ..FlagFilter::default() }).await.unwrap();
        let flag = flags.iter().find(|flag| flag.finding.vehicle == VehicleId(1)).unwrap().id.clone();
        let (from, to) = (UtcMillis(START_MS), UtcMillis(START_MS + 86_400_000));
        let lineage = app.registry.segments(DeviceId(1), from, to).await.unwrap()[0].lineage.clone();
        let change = json!([{ "op": "end", "id": 1, "expected": 1, "at": from }]);
        let new = NewProposal {
            by: "林司机".to_owned(),
            by_person: None,
            asker: None,
            kind: "order".to_owned(),
            body: change,
            preview: json!({ "uncounted": { "open": 1 } }),
        };
        let proposal = app.registry.propose(&new, wall_now()).await.unwrap();
        let new = NewAccount { name: "forester".to_owned(), unit: Some(UnitId(4)), ..NewAccount::default() };
        let account = app.registry.people().create_account(&new, "test", wall_now()).await.unwrap().id;
        let export = NewExport {
            owner: format!("account {account}"),
            account: Some(account),
            created_by: format!("account {account}"),
            ip: String::new(),
            request: "{}".to_owned(),
            plan: "[]".to_owned(),
            purpose: "林区".to_owned(),
        };
        let limits = ExportLimits { open: 1, kept: 1 };
        app.registry.queue_export(&export, limits, &[], wall_now()).await.unwrap();
        let mut batch = app.live.batch();
        let fix = Fix::new(wall_now(), 300_000_000, 1_100_000_000);
        batch.messages(LiveDevice(1), wall_now(), 1);
        batch.apply(LiveDevice(1), wall_now(), &fix);
        drop(batch);
        Self { county, flag, lineage, proposal, account }
    }

    fn app(&self) -> &TestApp {
        &self.county.app
    }

    /// The paths of a template with everything of unit 4 in its places.
    fn paths(&self, template: &str) -> Vec<String> {
        let day = "from=2026-03-04T00:00:00Z&to=2026-03-05T00:00:00Z";
        let ids: Vec<String> = match template.split('/').nth(3).unwrap_or("") {
            "devices" => vec!["1".into(), "013900000001".into()],
            "vehicles" => vec!["1".into(), "%E6%BC%94A00001".into()],
            "cases" => vec![CASE.into()],
            "flags" => vec![self.flag.clone()],
            "segments" => vec![self.lineage.clone()],
            "proposals" => vec![self.proposal.to_string()],
            "accounts" => vec![self.account.to_string()],
            "registers" => vec!["1".into(), "4".into()],
            _ => vec!["1".into()],
        };
        let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let mut paths = Vec::new();
        for id in ids {
            let path =
                template.replace("{id}", &id).replace("{sha256}", &"0".repeat(64)).replace("{grant}", "1");
            let path = path.replace("{delivery}", "1").replace("{z}/{x}/{y}", "3/6/3");
            let path = path.replace("{question}", "last-loc");
            let path = match template {
                _ if template.ends_with("/segments") || template.ends_with("/track") => {
                    format!("{path}?{day}")
                }
                _ if template.ends_with("/attachments") => format!("{path}?name=a"),
                _ if template.ends_with("/{question}") => format!("{path}?{day}"),
                _ if template.ends_with("/reports/daily") => format!("{path}?from=2026-03-04&to=2026-03-05"),
                _ if template.ends_with("/reports/month") => format!("{path}?month=2026-03"),
                _ if template.ends_with("/search/area") => {
                    format!("{path}?{day}&bbox=100,20,120,50&purpose=why")
                }
                _ if template.ends_with("/search/nearest") => {
                    format!("{path}?lat=30&lon=110&at=2026-03-04T09:00:00Z&within_s=3600&purpose=why")
                }
                _ if template.ends_with("/search/meetings") => {
                    format!("{path}?{day}&device=013900000001&purpose=why")
                }
                _ if template.ends_with("/density") => format!("{path}?bbox=109.9,29.9,110.2,30.1"),
                _ => path,
            };
            match path.contains("{kind}") {
                true => paths.extend(kinds.iter().map(|kind| path.replace("{kind}", kind))),
                false => paths.push(path),
            }
        }
        paths.dedup();
        paths
    }

    /// Everything stored that somebody could change.
    async fn stored(&self) -> String {
        let registry = &self.app().registry;
        let mut text = String::new();
        for kind in KINDS {
            let rows = registry
                .any_rows(kind.name, &RowFilter { limit: 10_000, ..RowFilter::default() })
                .await
                .unwrap();
            text += &format!("{} {}\n", kind.name, serde_json::to_string(&rows).unwrap());
        }
        let devices = registry.device_history(LiveDevice(1), 100).await.unwrap();
        let events = registry.case_events(CASE, 0).await.unwrap();
        let proposals =
            registry.proposals(ProposalFilter { limit: 100, ..ProposalFilter::default() }).await.unwrap();
        let (account, grants) = (
            registry.people().account(self.account).await.unwrap(),
            registry.people().grants(self.account).await.unwrap(),
        );
        let export = registry.export(1).await.unwrap();
        let holds = registry.holds().await.unwrap();
        text + &format!(
            "{holds:?}\n{devices:?}\n{events:?}\n{proposals:?}\n{account:?}\n{grants:?}\n{export:?}"
        )
    }
}

/// Method, template, whether by an id.
fn operations() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut list = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        // What ends the caller's own log-in is tried elsewhere; a demo's accounts are none of anybody's here; streams do not end.
        let is_elsewhere = matches!(
            path.as_str(),
            "/api/v1/login"
                | "/api/v1/setup"
                | "/api/v1/demo/accounts"
                | "/api/v1/events"
                | "/api/v1/live"
                | "/livez"
                | "/readyz"
        );
        if !is_elsewhere {
            list.extend(item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
        }
    }
    assert!(list.len() > 50, "{list:?}");
    list
}

/// A body that would be taken from somebody who may: it names things of unit 4.
fn body_of(method: &str, template: &str, path: &str) -> Option<Value> {
    let order = json!({ "no": "X1", "unit": 4, "vehicle": 1, "state": "approved",
        "planned_out": "2026-05-01T00:00:00Z", "planned_in": "2026-05-01T01:00:00Z" });
    let row = |path: &str| match path.split('/').nth(4).unwrap_or("") {
        "unit" => json!({ "name": "x", "parent": 4 }),
        "vehicle" => json!({ "plate": "演A00009", "unit": 4 }),
        "order" => order.clone(),
        "driver" => json!({ "name": "x", "unit": 4 }),
        "zone" => {
            json!({ "name": "x", "unit": 4, "shape": { "circle": { "centre": { "lat_e7": 300_000_000, "lon_e7": 1_100_000_000 }, "radius_m": 100 } } })
        }
        "binding" => json!({ "device": 1, "vehicle": 1 }),
        _ => json!({ "unit": 4, "vehicle": 1 }),
    };
    Some(match (method, template) {
        ("GET", _) => return None,
        (_, "/api/v1/devices") => json!({ "devices": [{ "terminal": "13900000077" }] }),
        (_, "/api/v1/quarantine/approve") => json!({ "terminals": [{ "terminal": "13900000001" }] }),
        ("POST", "/api/v1/cases") => json!({ "vehicle": "1", "day": "2026-03-05", "text": "told" }),
        (_, "/api/v1/cases/bulk") => {
            json!({ "lines": [{ "case": CASE, "seq": 1, "deed": { "type": "comment", "audience": "everybody", "text": "x" } }] })
        }
        (_, "/api/v1/cases/{id}/events") => {
            json!({ "type": "comment", "audience": "everybody", "text": "x" })
        }
        (_, "/api/v1/backtest") => {
            json!({ "rule_set": { "params": {} }, "unit": "4", "from": "2026-03-04", "to": "2026-03-04" })
        }
        (_, "/api/v1/samples") => json!({ "monday": "2036-03-03", "size": 1 }),
        ("POST", "/api/v1/accounts") => json!({ "name": "intruder", "unit": 4 }),
        ("PATCH", _) => json!({ "is_disabled": true }),
        (_, "/api/v1/accounts/{id}/grants") => json!({ "role": "viewer", "unit": 4 }),
        (_, "/api/v1/exports") => {
            json!({ "format": "csv", "vehicles": [1], "from": "2026-03-04T00:00:00Z", "to": "2026-03-05T00:00:00Z", "purpose": "to look" })
        }
        ("POST", "/api/v1/holds") => json!({ "on": { "vehicle": 1 }, "reason": "核查" }),
        (_, "/api/v1/holds/{id}") => json!({ "reason": "结案" }),
        (_, "/api/v1/purposes") => json!({ "vehicle": 1, "text": "to look" }),
        (_, "/api/v1/registers/{kind}/{id}/amend") => {
            json!({ "from": "2026-05-01T00:00:00Z", "row": row(path) })
        }
        (_, "/api/v1/registers/{kind}/{id}/end") => json!({ "at": "2026-05-01T00:00:00Z" }),
        (_, template) if template.starts_with("/api/v1/registers/") => json!({ "row": row(path) }),
        (_, "/api/v1/me/password") => json!({ "old": "x", "new": "three cars in the yard" }),
        _ => json!({}),
    })
}

/// Whether an operation is about the caller alone.
fn is_own(template: &str) -> bool {
    template.starts_with("/api/v1/me") || template.starts_with("/api/v1/logins")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_role_on_one_unit_sees_or_changes_what_is_of_another() {
    let two = Two::new().await;
    let app = two.app();
    let before = two.stored().await;
    let mut asked = 0;
    for role in Role::ALL {
        let person = app.person(&format!("{}-5", role.as_str()), *role, Some(5), Some(5)).await;
        for (method, template) in operations() {
            for path in two.paths(&template) {
                let body = body_of(&method, &template, &path);
                let answer = app.call_as(&person, &method, &path, body.as_ref()).await;
                asked += 1;
                let what = format!(
                    "{role:?} {method} {path}: {} {}",
                    answer.status,
                    String::from_utf8_lossy(&answer.body)
                );
                assert!(!answer.status.is_server_error(), "{what}");
                // A line of a bulk request is answered by the name that the caller gave.
                let is_echo =
                    template == "/api/v1/cases/bulk" && what.contains("\"code\":\"case_not_found\"");
                let seen = MARKS.iter().find(|mark| String::from_utf8_lossy(&answer.body).contains(*mark));
                assert!(seen.is_none_or(|mark| is_echo && *mark == CASE), "{what}");
                let is_by_id = template.contains("{id}")
                    && !template.starts_with("/api/v1/registers")
                    && !is_own(&template);
                let is_write = method != "GET" && !is_own(&template);
                // A body that is no file of rows is refused in words; a real file is sent below.
                let is_told = template == "/api/v1/cases/bulk" || what.contains("\"outcome\":\"refused\"");
                assert!(!(is_by_id || is_write) || is_told || !answer.status.is_success(), "{what}");
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
    assert_eq!(two.stored().await, before, "something was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_rows_of_another_unit_is_not_taken() {
    let two = Two::new().await;
    let (app, before) = (two.app(), two.stored().await);
    let manager = app.person("manager", Role::FleetManager, Some(5), Some(5)).await;
    let send = |unit: &'static str| {
        let request = Request::post(format!("/api/v1/registers/vehicle/import?dry_run=false&unit={unit}"))
            .header("sec-fetch-site", "same-origin")
            .header(header::COOKIE, manager.cookie())
            .body(Body::from("车牌号\n演A00008\n"));
        app.send(request.unwrap())
    };
    assert_eq!(send("LY").await.problem(), "invalid_parameter", "there is no such unit for the manager");
    assert_eq!(two.stored().await, before);
    assert_eq!(send("SL").await.good()["outcome"], "taken", "into the own unit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_whose_unit_it_is_see_it_and_every_mark_is_real() {
    let two = Two::new().await;
    let app = two.app();
    let mut seen = String::new();
    let people = [
        app.person("manager", Role::FleetManager, Some(4), Some(4)).await,
        app.person("inspector", Role::Inspector, Some(1), Some(3)).await,
        app.person("security", Role::SecurityAdmin, None, None).await,
    ];
    for person in &people {
        for (_, template) in operations().into_iter().filter(|(method, _)| method == "GET") {
            for path in two.paths(&template) {
                let answer = app.call_as(person, "GET", &path, None).await;
                seen += &String::from_utf8_lossy(&answer.body);
            }
        }
    }
    for mark in MARKS {
        assert!(seen.contains(mark), "{mark} would never be found");
    }
    let positions = app.call_as(&people[0], "GET", "/api/v1/positions", None).await.good();
    assert_eq!(positions["items"].as_array().unwrap().len(), 1, "{positions}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confidential_check_leaves_no_trace_for_those_it_concerns() {
    let two = Two::new().await;
    let app = two.app();
    let inspector = app.person("inspector", Role::Inspector, Some(1), Some(3)).await;
    let act = json!({ "type": "make_confidential", "text": "保密核查" });
    app.call_as(&inspector, "POST", &format!("/api/v1/cases/{CASE}/events"), Some(&act)).await.good();
    let state = json!({ "case": CASE, "text": "保密核查" });
    app.call_as(&inspector, "POST", "/api/v1/purposes", Some(&state)).await.good();
    let trips = "/api/v1/vehicles/1/segments?from=2026-03-04T00:00:00Z&to=2026-03-05T00:00:00Z";
    app.call_as(&inspector, "GET", trips, None).await.good();
    // An administrator of accounts sees names, and an auditor sees everything: neither belongs to the unit.
    let concerned = Role::ALL.iter().filter(|role| !matches!(role, Role::AuditAdmin));
    for role in concerned {
        let person = app.person(&format!("{}-4", role.as_str()), *role, Some(4), Some(4)).await;
        for (method, template) in operations() {
            let is_read =
                method == "GET" || template == "/api/v1/cases/bulk" || template == "/api/v1/purposes";
            for path in two.paths(&template).into_iter().filter(|_| is_read) {
                let mut body = body_of(&method, &template, &path);
                if template == "/api/v1/purposes" {
                    body = Some(json!({ "case": CASE, "text": "to look" }));
                }
                let answer = app.call_as(&person, &method, &path, body.as_ref()).await;
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                let is_echo = template == "/api/v1/cases/bulk" && text.contains("case_not_found");
                let has_trace = text.contains(CASE) || text.contains("保密核查") || text.contains(&two.flag);
                assert!(
                    !has_trace || is_echo || answer.status == StatusCode::FORBIDDEN,
                    "{role:?} {method} {path}: {text}"
                );
            }
        }
        let queue = app.call_as(&person, "GET", "/api/v1/cases", None).await;
        assert!(queue.status == StatusCode::FORBIDDEN || queue.good()["counts"] == json!({}), "{role:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cars_on_secret_work_are_nowhere_without_the_grant() {
    let two = Two::new().await;
    let app = two.app();
    add(app, Transfer { vehicle: VehicleId(2), to: UnitId(4), ..Transfer::default() }).await;
    let change = crate::registry::Change::Correct {
        id: 1,
        expected: None,
        valid: Span::ALWAYS,
        row: Vehicle {
            plate: "演A00001".to_owned(), unit: UnitId(4), is_secret: true, ..Vehicle::default()
        },
    };
    app.registry.write_rows(&[change], "test", wall_now()).await.unwrap();
    let office = app.person("office", Role::OfficeSupervisor, None, Some(2)).await;
    let cleared = app.person("cleared", Role::OfficeSupervisor, None, Some(2)).await;
    let grant = crate::registry::accounts::NewGrant {
        role: Role::OfficeSupervisor,
        unit: None,
        is_secret: true,
        until: None,
    };
    app.registry.people().grant(cleared.account.id, grant, "test", wall_now()).await.unwrap();
    let list =
        |person: Person, path: &'static str| async move { app.call_as(&person, "GET", path, None).await };
    for path in [
        "/api/v1/positions",
        "/api/v1/devices",
        "/api/v1/registers/vehicle",
        "/api/v1/registers/binding",
        "/api/v1/registers/order",
    ] {
        let (hidden, shown) =
            (list(office.clone(), path).await.good(), list(cleared.clone(), path).await.good());
        let count = |page: &Value| page["items"].as_array().unwrap().len();
        assert!(count(&hidden) < count(&shown), "{path}: {hidden} {shown}");
        assert!(!hidden.to_string().contains("演A00001"), "{path}");
    }
    for path in [
        "/api/v1/vehicles/1/segments",
        "/api/v1/devices/1/track",
        "/api/v1/devices/1",
        "/api/v1/registers/vehicle/1",
    ] {
        assert_eq!(app.call_as(&office, "GET", path, None).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(app.get(path).await.status, StatusCode::NOT_FOUND, "{path} with a token");
        assert_ne!(app.call_as(&cleared, "GET", path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
