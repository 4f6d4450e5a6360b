//! What people with a right to write registers may not do with it: hide a car, choose their reviewers, take another's device, ask a file
//! what another unit has, wave their own proposals through, rewrite what somebody else reported.

use axum::body::Body;
use axum::http::{Request, header};
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{ClearancePreview, Flag as CaseFlag};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Span, Transfer, Unit, Vehicle};
use serde_json::{Value, json};

use super::app::{Answer, TestApp};
use super::cases::{CASE, County, add};
use super::people::Person;
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::registers::Clearance;
use crate::registry::{Change, FlagFilter, NewProposal, Scope};

const DAY_MS: i64 = 86_400_000;

/// The county with a second bureau, unit 5, that has a car, and the manager of each.
struct Bureaus {
    county: County,
    foresters: Person,
    waterworks: Person,
}

impl Bureaus {
    async fn new() -> Self {
        let county = County::new().await;
        let app = &county.app;
        let waterworks = Unit {
            name: "县水利局".to_owned(),
            code: "SL".to_owned(),
            parent: Some(UnitId(1)),
            ..Unit::default()
        };
        add(app, waterworks).await;
        add(app, Vehicle { plate: "演A00002".to_owned(), unit: UnitId(5), ..Vehicle::default() }).await;
        let foresters = app.person("foresters", Role::FleetManager, Some(4), Some(4)).await;
        let waterworks = app.person("waterworks", Role::FleetManager, Some(5), Some(5)).await;
        Self { county, foresters, waterworks }
    }

    fn app(&self) -> &TestApp {
        &self.county.app
    }

    async fn post(&self, person: &Person, path: &str, body: Value) -> Answer {
        self.app().call_as(person, "POST", &format!("/api/v1/registers/{path}"), Some(&body)).await
    }

    async fn put(&self, person: &Person, path: &str, row: Value) -> Answer {
        let path = format!("/api/v1/registers/{path}");
        self.app().call_as(person, "PUT", &path, Some(&json!({ "row": row }))).await
    }

    async fn import(&self, person: &Person, path: &str, file: &str) -> Answer {
        let request = Request::post(format!("/api/v1/registers/{path}"))
            .header("sec-fetch-site", "same-origin")
            .header(header::COOKIE, person.cookie())
            .body(Body::from(file.to_owned()));
        self.app().send(request.unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hides_a_car_without_the_grant_for_secret_work() {
    let two = Bureaus::new().await;
    let app = two.app();
    let hide = json!({ "from": "2026-03-01T00:00:00Z", "row": { "is_secret": true } });
    let hidden = json!({ "row": { "plate": "演A00007", "unit": 4, "is_secret": true } });
    assert_eq!(two.post(&two.foresters, "vehicle/1/amend", hide.clone()).await.problem(), "forbidden");
    assert_eq!(two.post(&two.foresters, "vehicle", hidden.clone()).await.problem(), "forbidden");
    let writer = app.token_for(&[Scope::WriteRegisters]).await;
    let by_token = app.call("POST", "/api/v1/registers/vehicle/1/amend", Some(&writer), Some(&hide)).await;
    assert_eq!(by_token.problem(), "forbidden", "a machine has no such grant");
    let cars = app.get("/api/v1/registers/vehicle").await.good();
    assert_eq!(cars["items"].as_array().unwrap().len(), 2, "{cars}");

    // The grant of one unit is for the cars of that unit.
    let grant = crate::registry::accounts::NewGrant {
        role: Role::FleetManager,
        unit: Some(UnitId(4)),
        is_secret: true,
        until: None,
    };
    app.registry.people().grant(two.foresters.account.id, grant, "test", wall_now()).await.unwrap();
    two.post(&two.foresters, "vehicle", hidden).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_chooses_the_own_reviewers() {
    let two = Bureaus::new().await;
    // Whoever may write units, but only those of one bureau.
    let office = two.app().person("office4", Role::OfficeSupervisor, Some(4), Some(2)).await;
    let chosen = [
        json!({ "name": "县林业局", "code": "LY", "parent": 1, "kind": "office" }),
        json!({ "name": "县林业局", "code": "LY", "parent": 1, "reviewed_by": 1 }),
        json!({ "name": "县林业局", "code": "LY" }),
        json!({ "name": "县林业局", "code": "LY", "parent": 4 }),
    ];
    for row in &chosen {
        assert_eq!(two.put(&office, "unit/4", row.clone()).await.problem(), "forbidden", "{row}");
    }
    let end = json!({ "at": "2026-09-01T00:00:00Z" });
    assert_eq!(two.post(&office, "unit/4/end", end).await.problem(), "forbidden");
    let beside = json!({ "row": { "name": "县林业二局", "parent": 1 } });
    assert_eq!(two.post(&office, "unit", beside).await.problem(), "forbidden");

    // A new name chooses nobody, and who looks after the unit above arranges those below it.
    two.put(&office, "unit/4", json!({ "name": "林业局", "code": "LY", "parent": 1 })).await.good();
    two.post(&office, "unit", json!({ "row": { "name": "林场", "parent": 4 } })).await.good();
    let county = two.app().person("county", Role::OfficeSupervisor, Some(1), Some(1)).await;
    let moved = json!({ "name": "林业局", "code": "LY", "parent": 5 });
    let answer = two.put(&county, "unit/4", moved).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_bound_by_who_has_it_all_the_while() {
    let two = Bureaus::new().await;
    two.app().enrol(2).await;
    let taken = two.post(&two.waterworks, "binding", json!({ "row": { "device": 1, "vehicle": 2 } })).await;
    assert_eq!(taken.problem(), "invalid_body", "of another unit");
    assert!(taken.text().contains("there is no device 1"), "{}", taken.text());
    let loose = two.post(&two.foresters, "binding", json!({ "row": { "device": 2, "vehicle": 1 } })).await;
    assert_eq!(loose.problem(), "invalid_body", "in no car of the unit");
    let row = json!({ "device": 1, "vehicle": 1, "is_primary": true, "work_order": "W-1" });
    two.put(&two.foresters, "binding/1", row).await.good();
    let nowhere = json!({ "row": { "device": 99, "vehicle": 1 } });
    assert_eq!(two.app().post("/api/v1/registers/binding", nowhere).await.problem(), "invalid_body");
    let body = json!({ "row": { "device": 2, "vehicle": 1 } });
    two.app().post("/api/v1/registers/binding", body).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_borrower_writes_of_the_time_of_the_loan_and_never_the_loan() {
    let two = Bureaus::new().await;
    let now = wall_now().0;
    let loan = Span::new(UtcMillis(now - 10 * DAY_MS), UtcMillis(now + 10 * DAY_MS));
    let row = Transfer { vehicle: VehicleId(1), to: UnitId(5), ..Transfer::default() };
    let lent = Change::Add { id: None, valid: loan, row };
    two.app().registry.write_rows(&[lent], "test", wall_now()).await.unwrap();
    let seal = |from: i64, to: i64| {
        let (from, to) = (UtcMillis(from).to_string(), UtcMillis(to).to_string());
        json!({ "valid_from": from, "valid_to": to, "row": { "vehicle": 1, "reason": "封存" } })
    };
    let before = seal(now - 20 * DAY_MS, now + DAY_MS);
    assert_eq!(two.post(&two.waterworks, "seal", before).await.problem(), "forbidden");
    let within = seal(now - 2 * DAY_MS, now + DAY_MS);
    assert!(two.post(&two.waterworks, "seal", within).await.status.is_success());

    let longer = json!({ "valid_from": loan.from.to_string(), "row": { "vehicle": 1, "to": 5 } });
    let path = "/api/v1/registers/transfer/1";
    let answer = two.app().call_as(&two.waterworks, "PUT", path, Some(&longer)).await;
    assert_eq!(answer.problem(), "forbidden", "lending is the lender's to write");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_asks_nothing_of_other_units() {
    let two = Bureaus::new().await;
    let cars = async |plate: &str, query: &str| {
        let file = format!("车牌号\n{plate}\n");
        two.import(&two.waterworks, &format!("vehicle/import?{query}"), &file).await
    };
    let known = cars("演A00001", "unit=SL").await.good();
    let unknown = cars("演A00099", "unit=SL").await.good().to_string().replace("演A00099", "演A00001");
    assert_eq!(known.to_string(), unknown, "a plate of another unit is as any other");
    assert_eq!((&known["outcome"], &known["added"]), (&json!("checked"), &json!(1)));
    assert_eq!(cars("演A00098", "unit=X").await.problem(), "forbidden", "nor is it checked for another unit");
    assert_eq!(cars("演A00098", "unit=LY").await.problem(), "invalid_parameter");

    let taken = cars("演A00001", "dry_run=false&unit=SL").await;
    assert_eq!(taken.problem(), "conflict");
    assert!(!taken.text().contains("vehicle 1"), "{}", taken.text());

    let mileage = async |plate: &str| {
        let file = format!("车牌号,抄表时间,里程表\n{plate},2026-03-04 12:00,100\n");
        let answer = two.import(&two.waterworks, "mileage/import", &file).await;
        answer.good().to_string().replace(plate, "PLATE")
    };
    assert_eq!(mileage("演A00001").await, mileage("演A00099").await);
    assert!(mileage("演A00002").await.contains("\"checked\""), "the own car");

    let bind = async |terminal: &str| {
        let file = format!("终端号,车牌号\n{terminal},演A00002\n");
        let answer = two.import(&two.waterworks, "binding/import", &file).await;
        answer.good().to_string().replace(terminal, "TERMINAL")
    };
    assert_eq!(bind("013900000001").await, bind("013900000099").await);
}

/// Proposes an exemption for the forester's car that would clear every open flag of theirs, as their manager would.
async fn propose(app: &TestApp, row: Value) -> (i64, usize) {
    let flags = app.registry.flags(&FlagFilter { limit: 100, ..FlagFilter::default() }).await.unwrap();
    let flags: Vec<CaseFlag> = flags.iter().map(|flag| CaseFlag::from(&flag.finding)).collect();
    assert!(!flags.is_empty());
    let preview = Clearance::Counted(ClearancePreview::new(1, &flags));
    let change = Change::Add { id: Some(9), valid: Span::ALWAYS, row };
    let new = NewProposal {
        by: "林经理".to_owned(),
        by_person: None,
        asker: None,
        kind: "exemption".to_owned(),
        body: serde_json::to_value([change]).unwrap(),
        preview: serde_json::to_value(preview).unwrap(),
    };
    (app.registry.propose(&new, wall_now()).await.unwrap(), flags.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_tells_of_questions_only_who_sees_them() {
    let two = Bureaus::new().await;
    let app = two.app();
    let row = json!({ "vehicle": 1, "rules": ["R01"], "owner": "李四", "reason": "防汛" });
    let (id, flags) = propose(app, row).await;
    let path = format!("/api/v1/proposals/{id}");
    let read = async |person: &Person| app.call_as(person, "GET", &path, None).await.good();
    let shown = read(&two.foresters).await;
    assert_eq!((&shown["state"], &shown["flags"]), (&json!("open"), &json!([])), "{shown}");
    assert!(shown.get("would_clear").is_none() && shown["by_unit"] == json!({}), "{shown}");
    let office = app.person("office", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let inspector = app.person("inspector", Role::Inspector, Some(1), Some(3)).await;
    for reviewer in [&office, &inspector] {
        let shown = read(reviewer).await;
        assert_eq!((&shown["would_clear"], shown["flags"].as_array().unwrap().len()), (&json!(flags), flags));
    }

    // A case that the inspectors keep to themselves: the office neither counts nor approves what is in it.
    let act = json!({ "type": "make_confidential", "text": "保密核查" });
    app.call_as(&inspector, "POST", &format!("/api/v1/cases/{CASE}/events"), Some(&act)).await.good();
    let shown = read(&office).await;
    assert_eq!((&shown["would_clear"], &shown["flags"]), (&json!(0), &json!([])), "{shown}");
    let listed = app.call_as(&office, "GET", "/api/v1/proposals", None).await.good();
    assert_eq!(listed["items"][0]["would_clear"], 0, "{listed}");
    let approve = format!("{path}/approve");
    assert_eq!(app.call_as(&office, "POST", &approve, None).await.problem(), "forbidden");
    assert_eq!(read(&inspector).await["would_clear"], json!(flags));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_for_all_units_is_for_who_looks_after_all() {
    let two = Bureaus::new().await;
    let app = two.app();
    let (id, _) = propose(app, json!({ "rules": ["R01"], "owner": "李四", "reason": "防汛" })).await;
    let path = format!("/api/v1/proposals/{id}");
    let office = app.person("office", Role::OfficeSupervisor, Some(1), Some(2)).await;
    assert_eq!(app.call_as(&office, "GET", &path, None).await.problem(), "not_found");
    let whole = app.person("whole", Role::OfficeSupervisor, None, Some(2)).await;
    app.call_as(&whole, "GET", &path, None).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_its_authors() {
    let two = Bureaus::new().await;
    let row = json!({ "vehicle": 1, "driver": "林司机", "at": "2026-03-04T04:00:00Z", "text": "改道" });
    let made = two.post(&two.foresters, "report", json!({ "row": row })).await.good();
    let path = format!("report/{}", made["id"]);
    let other = two.app().person("dispatcher", Role::Dispatcher, Some(4), Some(4)).await;
    let mut changed = row.clone();
    changed["text"] = json!("等人");
    assert_eq!(two.put(&other, &path, changed.clone()).await.problem(), "forbidden");
    let end = json!({ "at": "2026-03-05T00:00:00Z" });
    assert_eq!(two.post(&other, &format!("{path}/end"), end).await.problem(), "forbidden");
    let (path_of_row, body) = (format!("/api/v1/registers/{path}"), json!({ "row": changed }));
    let by_token = two.app().call("PUT", &path_of_row, Some(&two.app().token), Some(&body)).await;
    assert_eq!(by_token.problem(), "forbidden", "nor of who runs the server");
    two.put(&two.foresters, &path, changed).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_are_the_offices_to_add_and_rename() {
    let county = County::new().await;
    let app = &county.app;
    let manager = app.person("wang", Role::FleetManager, Some(4), Some(4)).await;
    let office = app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let below = json!({ "row": { "name": "林场", "code": "LC", "parent": 4 } });
    let renamed = json!({ "row": { "name": "县林草局", "code": "LY", "parent": 1 } });
    for (method, path, body) in
        [("POST", "/api/v1/registers/unit", &below), ("PUT", "/api/v1/registers/unit/4", &renamed)]
    {
        let refused = app.call_as(&manager, method, path, Some(body)).await;
        assert_eq!(refused.problem(), "forbidden", "{method} {}", refused.text());
        let done = app.call_as(&office, method, path, Some(body)).await;
        assert!(done.status.is_success(), "{method} {}", done.text());
    }
    let driver = json!({ "row": { "name": "赵", "unit": 4 } });
    app.call_as(&manager, "POST", "/api/v1/registers/driver", Some(&driver)).await.good();
    app.call_as(&manager, "GET", "/api/v1/registers/unit/4", None).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_approves_orders_says_yes_or_no_and_nothing_else() {
    let two = Bureaus::new().await;
    let dispatcher = two.app().person("sun", Role::Dispatcher, Some(4), Some(4)).await;
    let approver = two.app().person("qian", Role::Approver, Some(4), Some(4)).await;
    let inspector = two.app().person("zhang", Role::Inspector, Some(1), Some(3)).await;
    let signed = json!({ "by": "钱局长", "at": "2026-04-19T09:00:00Z", "opinion": "同意" });
    let order = json!({
        "no": "林字第九号", "unit": 4, "vehicle": 1, "driver": "林司机", "dispatcher": "孙主任", "purpose": "下乡",
        "planned_out": "2026-04-20T00:00:00Z", "planned_in": "2026-04-20T08:00:00Z", "state": "applied",
        "approvals": [{ "by": "钱局长", "at": null, "opinion": "" }],
    });
    let id = two.post(&dispatcher, "order", json!({ "row": order })).await.good()["id"].as_i64().unwrap();
    let path = format!("order/{id}");
    let with = |changes: Value| {
        let mut row = order.clone();
        row.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        row
    };
    let yes = with(json!({ "state": "approved", "approvals": [signed] }));
    assert_eq!(
        two.put(&inspector, &path, yes.clone()).await.problem(),
        "forbidden",
        "inspectors approve no orders"
    );
    for other in [
        with(json!({ "state": "approved", "approvals": [signed], "planned_in": "2026-04-22T08:00:00Z" })),
        with(json!({ "state": "approved", "approvals": [signed], "driver": "别人" })),
        with(json!({ "state": "cancelled" })),
        with(json!({ "purpose": "接送" })),
    ] {
        assert_eq!(two.put(&approver, &path, other.clone()).await.problem(), "forbidden", "{other}");
    }
    assert_eq!(two.post(&approver, "order", json!({ "row": order })).await.problem(), "forbidden");
    two.put(&approver, &path, yes.clone()).await.good();
    // Decided is decided, and a signature stays.
    let no = with(json!({ "state": "refused", "approvals": [] }));
    assert_eq!(two.put(&approver, &path, no).await.problem(), "forbidden");
}
