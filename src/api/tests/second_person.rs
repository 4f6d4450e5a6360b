//! The second person is from outside: neither of the unit that asked nor of one whose questions would go.

use axum::http::StatusCode;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::Unit;
use serde_json::{Value, json};

use super::app::TestApp;
use super::cases::add;
use super::people::Person;
use super::registers::{some_days_ago, with_open_questions};
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::registry::NewProposal;

/// The county's only car is of unit 1; who asks is of unit 2, like one of the reviewers.
struct House {
    app: TestApp,
    asks: Person,
    colleague: Person,
    outsider: Person,
}

impl House {
    async fn new() -> Self {
        let (app, _) = with_open_questions().await;
        for name in ["车队", "机关事务中心"] {
            add(&app, Unit { name: name.to_owned(), ..Unit::default() }).await;
        }
        let asks = app.person("f", Role::FleetManager, Some(1), Some(2)).await;
        let colleague = app.person("z", Role::OfficeSupervisor, None, Some(2)).await;
        let outsider = app.person("w", Role::OfficeSupervisor, None, Some(3)).await;
        Self { app, asks, colleague, outsider }
    }

    async fn approve(&self, person: &Person, proposal: &Value) -> super::app::Answer {
        let path = format!("/api/v1/proposals/{proposal}/approve");
        self.app.call_as(person, "POST", &path, Some(&json!({}))).await
    }

    async fn is_refused_as_own(&self, proposal: &Value) {
        let refused = self.approve(&self.colleague, proposal).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
        assert!(refused.text().contains("nobody reviews the own unit"), "{}", refused.text());
    }

    /// What nobody could count, touching questions of these units.
    async fn propose_uncounted(&self, asker: Option<Value>, units: &[UnitId]) -> Value {
        let change = json!([{ "op": "end", "id": 1, "expected": 1, "at": UtcMillis(some_days_ago()) }]);
        let new = NewProposal {
            by: "f".to_owned(),
            by_person: None,
            asker,
            kind: "binding".to_owned(),
            body: change,
            preview: json!({ "uncounted": { "open": 1, "units": units } }),
        };
        json!(self.app.registry.propose(&new, wall_now()).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colleague_of_who_asked_does_not_approve() {
    let house = House::new().await;
    // Without a tracker there is no trip to ask about.
    let end = json!({ "at": UtcMillis(some_days_ago() - 3_600_000).to_string() });
    let path = "/api/v1/registers/binding/1/end";
    let asked = house.app.call_as(&house.asks, "POST", path, Some(&end)).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text());
    let proposal = &asked.json()["proposal"];
    house.is_refused_as_own(proposal).await;
    house.approve(&house.outsider, proposal).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_could_count_is_no_exception() {
    let house = House::new().await;
    let asker = json!({ "person": 77, "name": "f", "roles": ["fleet_manager"], "unit_path": [2] });
    let asked = house.propose_uncounted(Some(asker), &[UnitId(1)]).await;
    house.is_refused_as_own(&asked).await;
    let touched = house.propose_uncounted(None, &[UnitId(1), UnitId(2)]).await;
    house.is_refused_as_own(&touched).await;
}
