//! What keeps a core busy waits its turn: whoever has as many heavy requests under way as one caller may have gets no further one.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::app::{Answer, TestApp};
use super::cases::{CASE, County};
use super::people::Person;
use crate::accounts::Role;
use crate::api::places::{HEAVY_EACH, Place};

/// Takes every place that this caller may have.
fn hold_all(app: &TestApp, person: &Person) -> Vec<Place> {
    let id = format!("account {}", person.account.id);
    (0..HEAVY_EACH).map(|_| app.state.inner.heavy_places.take(id.clone()).unwrap()).collect()
}

async fn send(app: &TestApp, person: &Person, path: &str, body: Option<&Value>) -> Answer {
    app.call_as(person, "POST", &format!("/api/v1/{path}"), body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judging_again_and_freezing_a_pack_take_a_place_each() {
    let county = County::new().await;
    let app = &county.app;
    let office = app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let flags = app.call_as(&office, "GET", "/api/v1/flags?rules=R01", None).await.good();
    let again = format!("flags/{}/recompute", flags["items"][0]["id"].as_str().unwrap());
    let begin = json!({ "type": "start_checking" });
    let act = format!("cases/{CASE}/events");
    let bulk = json!({ "lines": [{ "case": CASE, "seq": 1, "deed": begin }] });
    {
        let _held = hold_all(app, &office);
        assert_eq!(send(app, &office, &again, None).await.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(send(app, &office, &act, Some(&begin)).await.status, StatusCode::SERVICE_UNAVAILABLE);
        let lines = send(app, &office, "cases/bulk", Some(&bulk)).await.good();
        assert_eq!(lines["items"][0]["code"], "unavailable", "{lines}");
    }
    send(app, &office, &again, None).await.good();
    send(app, &office, &act, Some(&begin)).await.good();
}
