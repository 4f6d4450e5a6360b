//! Grants that add up, accounts above one's own, tokens that outlive their use: what accounts must not open.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::UnitId;
use serde_json::{Value, json};

use super::app::{Answer, TestApp};
use super::people::Person;
use crate::accounts::Role;
use crate::api::tests::cases::{CASE, County};
use crate::clock::wall_now;
use crate::registry::Error;
use crate::registry::accounts::{Grant, NewGrant};

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
    // An inspector of unit 2, and of unit 4, where the case is, no more than somebody of the office.
    let both = app.person("li", Role::OfficeSupervisor, Some(4), Some(3)).await;
    give(app, &both, Role::Inspector, Some(2)).await.unwrap();
    app.call_as(&both, "GET", &path, None).await.good();
    act(app, &inspector, make_confidential()).await.good();
    assert_eq!(app.call_as(&both, "GET", &path, None).await.problem(), "case_not_found");
    assert_eq!(app.call_as(&both, "GET", "/api/v1/cases", None).await.good()["items"], json!([]));
    assert_eq!(act(app, &both, json!({ "type": "start_checking" })).await.problem(), "case_not_found");
    app.call_as(&inspector, "GET", &path, None).await.good();

    let answering = app.person("wang", Role::Dispatcher, Some(4), Some(4)).await;
    let refused = give(app, &answering, Role::Inspector, Some(2)).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}
