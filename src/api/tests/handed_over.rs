//! After a hand-over the inspectors go on out of sight: nothing that others are answered depends on how far they are.

use axum::body::Body;
use axum::http::{Request, header};
use motorpool_supervision::cases::Role;
use serde_json::{Value, json};

use super::app::Answer;
use super::cases::{CASE, County};

/// Without the number that every answer has of its own.
fn body(answer: &Answer) -> Value {
    let mut body = answer.json();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("trace_id");
    }
    body
}

async fn upload(county: &County, token: &str) -> Answer {
    let request = Request::post(format!("/api/v1/cases/{CASE}/attachments?name=a.txt"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::from("通知"));
    county.app.send(request.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_unit_does_not_learn_how_far_the_inspectors_are() {
    let county = County::new().await;
    let office = county.person("周", Role::OfficeSupervisor, 2).await;
    let manager = county.person("钱", Role::FleetManager, 4).await;
    let inspector = county.person("李", Role::Inspector, 3).await;
    county.act(&office, json!({ "type": "start_checking" })).await.good();
    county.act(&office, json!({ "type": "ask_explanation", "question": "请说明" })).await.good();
    upload(&county, &manager).await.good();
    county.act(&inspector, json!({ "type": "hand_over", "text": "移送" })).await.good();
    let told = async || {
        let answer = county.act(&manager, json!({ "type": "file_explanation", "text": "下乡" })).await;
        assert_eq!(answer.problem(), "conflict");
        (body(&answer), upload(&county, &manager).await.good())
    };
    let before = told().await;
    county.act(&inspector, json!({ "type": "start_checking" })).await.good();
    assert_eq!(told().await, before);
    let violation = json!({ "disposition": "violation", "kind": "private_use", "text": "公车私用" });
    county.act(&inspector, json!({ "type": "propose_closing", "closing": violation })).await.good();
    assert_eq!(told().await, before);
}
