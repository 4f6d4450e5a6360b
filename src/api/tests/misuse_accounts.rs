//! Grants that add up, accounts above one's own, tokens that outlive their use: what accounts must not open.

use axum::http::StatusCode;
use motorpool_supervision::cases::{PersonId, Role as CaseRole};
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Driver, Span, Vehicle};
use serde_json::{Value, json};

use super::app::{Answer, TestApp};
use super::people::Person;
use crate::accounts::Role;
use crate::api::tests::cases::{CASE, County, add};
use crate::clock::wall_now;
use crate::registry::accounts::{Grant, LogFilter, NewGrant, NewPassword};
use crate::registry::{Change, Error, Scope, TokenPerson};

/// Gives somebody a further role.
async fn give(app: &TestApp, person: &Person, role: Role, unit: Option<i64>) -> Result<Grant, Error> {
    let grant = NewGrant { role, unit: unit.map(UnitId), is_secret: false, until: None };
    app.registry.people().grant(person.account.id, grant, "test", wall_now()).await
}

/// Does something in the case of the county.
async fn act(app: &TestApp, person: &Person, deed: Value) -> Answer {
    app.call_as(person, "POST", &format!("/api/v1/cases/{CASE}/events"), Some(&deed)).await
}

fn make_confidential() -> Value {
    json!({ "type": "make_confidential", "text": "保密核查" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_on_two_units_do_not_add_up() {
    let county = County::new().await;
    let app = &county.app;
    let path = format!("/api/v1/cases/{CASE}");
    let inspector = app.person("zhang", Role::Inspector, Some(1), Some(3)).await;
    // An inspector of unit 2, and of unit 4, where the case is, somebody for whom the inspectors' body does not act.
    let both = app.person("li", Role::OfficeSupervisor, Some(4), Some(3)).await;
    give(app, &both, Role::Inspector, Some(2)).await.unwrap();
    assert_eq!(app.call_as(&both, "GET", &path, None).await.problem(), "case_not_found");
    assert_eq!(app.call_as(&both, "GET", "/api/v1/cases", None).await.good()["items"], json!([]));
    assert_eq!(act(app, &both, json!({ "type": "start_checking" })).await.problem(), "case_not_found");
    app.call_as(&inspector, "GET", &path, None).await.good();

    let answering = app.person("wang", Role::Dispatcher, Some(4), Some(4)).await;
    let refused = give(app, &answering, Role::Inspector, Some(2)).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_that_became_secret_takes_its_cases_along() {
    let county = County::new().await;
    let app = &county.app;
    let office = app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let flags = app.call_as(&office, "GET", "/api/v1/flags", None).await.good();
    let flag = format!("/api/v1/flags/{}", flags["items"][0]["id"].as_str().unwrap());
    app.call_as(&office, "GET", &flag, None).await.good();
    let row =
        Vehicle { plate: "演A00001".to_owned(), unit: UnitId(4), is_secret: true, ..Vehicle::default() };
    let change = Change::Correct { id: 1, expected: None, valid: Span::ALWAYS, row };
    app.registry.write_rows(&[change], "test", wall_now()).await.unwrap();
    let path = format!("/api/v1/cases/{CASE}");
    assert_eq!(app.call_as(&office, "GET", &path, None).await.problem(), "case_not_found");
    assert_eq!(app.call_as(&office, "GET", "/api/v1/cases", None).await.good()["items"], json!([]));
    assert_eq!(app.call_as(&office, "GET", &flag, None).await.problem(), "flag_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_of_a_unit_takes_over_nobody_above() {
    let county = County::new().await;
    let app = &county.app;
    add(app, Driver { name: "赵".to_owned(), unit: UnitId(2), ..Driver::default() }).await;
    let admin = app.person("sec4", Role::SecurityAdmin, Some(4), Some(4)).await;
    let above = app.person("zhou", Role::OfficeSupervisor, None, Some(4)).await;
    let auditor = app.person("audit4", Role::AuditAdmin, Some(4), Some(4)).await;
    let equal = app.person("wang", Role::Dispatcher, Some(4), Some(4)).await;
    for person in [&above, &auditor] {
        let path = format!("/api/v1/accounts/{}", person.account.id);
        let reset = app.call_as(&admin, "POST", &format!("{path}/reset"), None).await;
        assert_eq!(reset.problem(), "forbidden", "{path}");
        for change in [json!({ "has_totp": false }), json!({ "is_disabled": true }), json!({ "unit": 4 })] {
            let changed = app.call_as(&admin, "PATCH", &path, Some(&change)).await;
            assert_eq!(changed.problem(), "forbidden", "{path} {change}");
        }
    }
    let path = format!("/api/v1/accounts/{}", equal.account.id);
    app.call_as(&admin, "POST", &format!("{path}/reset"), None).await.good();
    for driver in [1, 99] {
        let change = json!({ "driver": driver });
        assert_eq!(app.call_as(&admin, "PATCH", &path, Some(&change)).await.problem(), "invalid_body");
        let new = json!({ "name": "intruder", "unit": 4, "driver": driver });
        assert_eq!(
            app.call_as(&admin, "POST", "/api/v1/accounts", Some(&new)).await.problem(),
            "invalid_body"
        );
    }
}

#[tokio::test]
async fn the_token_of_the_first_start_ends_with_the_first_account() {
    let app = TestApp::new().await;
    let people = app.registry.people();
    let other = app.token_for(&[Scope::Admin]).await;
    let link = people.create_first_link(wall_now()).await.unwrap().unwrap();
    app.get("/api/v1/devices").await.good();
    let new = NewPassword { hash: "no hash", name: "sec", display_name: "" };
    people.use_link(&link, &new, wall_now()).await.unwrap().unwrap();
    assert_eq!(app.get("/api/v1/devices").await.problem(), "unauthorized");
    app.call("GET", "/api/v1/devices", Some(&other), None).await.good();
    let id = other.split('_').nth(1).unwrap();
    assert!(app.registry.revoke_token(id, "test", wall_now()).await.unwrap());
    let again = app.registry.create_first_token(app.folder.path(), wall_now()).await.unwrap();
    assert_eq!(again, None, "there is an account");
}

#[tokio::test]
async fn a_token_of_a_person_may_what_the_person_may() {
    let app = TestApp::new().await;
    let roles = [CaseRole::Dispatcher].into();
    let person = TokenPerson { id: PersonId(0), name: "wang".to_owned(), roles, unit: UnitId(4) };
    let made =
        app.registry.create_token_for("wang", &[Scope::Admin], Some(&person), None, "test", wall_now());
    let token = made.await.unwrap();
    for path in ["/api/v1/accounts", "/api/v1/audit", "/api/v1/status"] {
        assert_eq!(app.call("GET", path, Some(&token), None).await.problem(), "forbidden", "{path}");
    }
    app.call("GET", "/api/v1/positions", Some(&token), None).await.good();
}

#[tokio::test]
async fn a_stream_ends_when_its_account_changes() {
    use crate::accounts::Caller;
    use crate::registry::accounts::{AccountChange, LoggedIn};

    let app = TestApp::new().await;
    let person = app.person("wang", Role::Viewer, None, None).await;
    let people = app.registry.people();
    let login = people.logins(person.account.id, i64::MAX, wall_now()).await.unwrap()[0].id;
    let grants = people.grants(person.account.id).await.unwrap();
    let logged_in = LoggedIn { login, account: person.account.clone(), grants };
    let caller = Caller::person(logged_in, "192.0.2.1".to_owned());
    assert!(app.state.still_stands(&caller).await);
    let change = AccountChange { must_change_password: Some(true), ..AccountChange::default() };
    people.change_account(person.account.id, &change, wall_now()).await.unwrap();
    assert!(!app.state.still_stands(&caller).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telling_something_about_a_hidden_case_tells_nothing_back() {
    let county = County::new().await;
    let app = &county.app;
    let office = app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let inspector = app.person("zhang", Role::Inspector, Some(1), Some(3)).await;
    let tip = json!({ "vehicle": "1", "day": "2026-03-04", "text": "深夜停在酒店" });
    assert_eq!(app.call_as(&office, "POST", "/api/v1/cases", Some(&tip)).await.problem(), "conflict");
    act(app, &inspector, make_confidential()).await.good();
    let answer = app.call_as(&office, "POST", "/api/v1/cases", Some(&tip)).await.good();
    assert_eq!((&answer["seq"], &answer["case"]["source"]["from"]), (&json!(1), &json!("tip")));
    let seen = app.call_as(&inspector, "GET", &format!("/api/v1/cases/{CASE}"), None).await.good();
    assert!(seen["case"]["comments"].to_string().contains("深夜停在酒店"), "{seen}");
}

#[tokio::test]
async fn a_new_password_ends_links_of_before() {
    let app = TestApp::new().await;
    let person = app.person("wang", Role::Viewer, None, None).await;
    let people = app.registry.people();
    let link = people.create_link(Some(person.account.id), "test", wall_now()).await.unwrap();
    people.set_password(person.account.id, "no hash", None, wall_now()).await.unwrap();
    assert_eq!(people.link(&link, wall_now()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_seen_and_taken_away_by_security_administrators_of_everything_only() {
    let app = TestApp::new().await;
    let token = app.registry.create_token("meter", &[Scope::Read], None, "test", wall_now()).await.unwrap();
    let id = token.split('_').nth(1).unwrap().to_owned();
    let (list, one) = ("/api/v1/tokens", format!("/api/v1/tokens/{id}"));
    let of_a_unit = app.person("li", Role::SecurityAdmin, Some(1), None).await;
    let inspector = app.person("zhang", Role::Inspector, None, None).await;
    for person in [&of_a_unit, &inspector] {
        for (method, path) in [("GET", list), ("DELETE", one.as_str())] {
            assert_eq!(app.call_as(person, method, path, None).await.problem(), "forbidden", "{method}");
        }
    }
    let security = app.person("sun", Role::SecurityAdmin, None, None).await;
    let seen = app.call_as(&security, "GET", list, None).await;
    assert!(!seen.text().contains(&token));
    let listed =
        seen.good()["items"].as_array().unwrap().iter().find(|item| item["id"] == id).cloned().unwrap();
    assert_eq!((&listed["name"], &listed["scopes"]), (&json!("meter"), &json!(["read"])));
    assert_eq!(app.call("GET", "/api/v1/status", Some(&token), None).await.status, StatusCode::OK);
    assert_eq!(app.call_as(&security, "DELETE", &one, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.call("GET", "/api/v1/status", Some(&token), None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.call_as(&security, "DELETE", &one, None).await.problem(), "not_found");
    let filter = LogFilter { limit: 1, ..LogFilter::default() };
    let last = app.registry.people().audit_log(&filter).await.unwrap().remove(0).deed;
    assert_eq!((last.action.as_str(), last.object), ("token.revoke", format!("token {id}")));
}
