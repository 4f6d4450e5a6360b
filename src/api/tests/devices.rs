//! Enrolment, lists, blocks, quarantine, links; and every kind of mistake.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::StatusCode;
use motorpool_protocols::{Protocol, Registration, TerminalId, UtcMillis};
use serde_json::json;

use super::app::TestApp;
use crate::config::Bytes;
use crate::registry::Scope;

#[tokio::test]
async fn bulk_enrolment_answers_for_each_device_and_may_be_repeated() {
    let app = TestApp::new().await;
    let request = json!({ "devices": [
        { "terminal": "013912345678", "protocol": "jt808", "name": "演A12345" },
        { "terminal": "13912345678" },
        { "terminal": "has space" },
        { "terminal": "1", "protocol": "gt06x" },
        { "terminal": "2", "profile": "nobody" },
    ]});
    let answer = app.post("/api/v1/devices", request.clone()).await.good();
    assert_eq!((answer["created"].as_u64(), answer["refused"].as_u64()), (Some(1), Some(3)));
    assert_eq!(
        answer["items"][0],
        json!({ "terminal": "013912345678", "device": 1, "created": true, "state": "approved" })
    );
    assert_eq!((&answer["items"][1]["device"], &answer["items"][1]["created"]), (&json!(1), &json!(false)));
    for (item, word) in [(2, "ASCII"), (3, "gt06x"), (4, "nobody")] {
        assert!(answer["items"][item]["error"].as_str().unwrap().contains(word));
    }
    let again = app.post("/api/v1/devices", request).await.good();
    assert_eq!((again["created"].as_u64(), &again["items"][0]["device"]), (Some(0), &json!(1)));
}

#[tokio::test]
async fn five_thousand_devices_fit_in_one_request() {
    let app = TestApp::new().await;
    app.enrol(5_000).await;
    assert_eq!(app.registry.snapshot().len(), 5_000);
}

#[tokio::test]
async fn lists_are_paged_by_cursor_without_gaps_or_repetition() {
    let app = TestApp::new().await;
    app.enrol(7).await;
    let mut path = Some("/api/v1/devices?limit=3".to_owned());
    let mut seen = Vec::new();
    let mut pages = 0;
    while let Some(next) = path {
        let answer = app.get(&next).await;
        let body = answer.good();
        seen.extend(body["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()));
        assert_eq!(answer.next().is_some(), body.get("next_cursor").is_some());
        path = answer.next();
        pages += 1;
    }
    assert_eq!((seen, pages), ((1..=7).collect::<Vec<_>>(), 3));
    let found = app.get("/api/v1/devices?q=CAR%207").await.good();
    assert_eq!(found["items"][0]["terminal"], "013900000007");
    let blocked = app.get("/api/v1/devices?state=blocked").await.good();
    assert_eq!(blocked["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_device_is_found_by_number_and_by_identity_and_can_be_blocked() {
    let app = TestApp::new().await;
    app.enrol(2).await;
    for id in ["2", "013900000002", "13900000002"] {
        assert_eq!(app.get(&format!("/api/v1/devices/{id}")).await.good()["id"], 2, "{id}");
    }
    for id in ["3", "02", "0", "999999999999", "%E4%BA%AC"] {
        assert_eq!(app.get(&format!("/api/v1/devices/{id}")).await.problem(), "device_not_found", "{id}");
    }
    let blocked = app.post("/api/v1/devices/2/block", json!({})).await.good();
    assert_eq!(blocked["state"], "blocked");
    assert_eq!(app.post("/api/v1/devices/013900000002/approve", json!({})).await.good()["state"], "approved");
    let detail = app.get("/api/v1/devices/2").await.good();
    let whats: Vec<_> =
        detail["history"].as_array().unwrap().iter().map(|change| change["what"].clone()).collect();
    assert_eq!(whats, ["approved", "blocked", "enrolled"]);
    assert!(detail["history"][0]["who"].as_str().unwrap().starts_with("token "));
}

#[tokio::test]
async fn quarantine_is_listed_masked_and_approved() {
    let app = TestApp::with(|config| config.quarantine.terminals_max = 3).await;
    let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
    let registration = Registration { plate: "演B00001".to_owned(), ..Registration::default() };
    for (at, terminal) in ["0044", "55", "66", "77"].into_iter().enumerate() {
        let terminal = TerminalId::new(terminal).unwrap();
        let now = UtcMillis(1_700_000_000_000 + i64::try_from(at).unwrap());
        app.registry.quarantine_seen(Protocol::Jt808, &terminal, peer, now, Some(&registration));
    }
    let page = app.get("/api/v1/quarantine?limit=2").await;
    let items = page.good();
    assert_eq!(
        (&items["items"][0]["terminal"], &items["items"][0]["peer"]),
        (&json!("55"), &json!("192.0.2.77"))
    );
    assert_eq!(items["items"][0]["registered"]["plate"], "演B00001");
    let rest = app.get(&page.next().unwrap()).await.good();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1, "the one longest unseen was forgotten");
    let reader = app.token_for(&[Scope::Read]).await;
    let masked = app.call("GET", "/api/v1/quarantine", Some(&reader), None).await.good();
    assert_eq!(masked["items"][0]["peer"], "192.0.2.*");

    let one =
        app.post("/api/v1/quarantine/approve", json!({ "terminals": [{ "terminal": "0055" }] })).await.good();
    assert_eq!((one["created"].as_u64(), &one["items"][0]["state"]), (Some(1), &json!("approved")));
    assert_eq!(app.get("/api/v1/devices/1").await.good()["name"], "演B00001");
    assert_eq!(app.post("/api/v1/quarantine/approve", json!({ "all": true })).await.good()["created"], 2);
    assert_eq!(app.get("/api/v1/quarantine").await.good()["items"], json!([]));
}

#[tokio::test]
async fn a_device_is_changed_only_as_the_caller_knows_it() {
    let app = TestApp::new().await;
    app.enrol(2).await;
    let known = app.get("/api/v1/devices/1").await.header("etag").to_owned();
    assert!(known.starts_with('"') && known.ends_with('"') && known.len() > 2, "{known}");
    let path = "/api/v1/devices/1/block";
    let blocked = app.post_if_match(path, &known).await;
    assert_eq!(blocked.good()["state"], "blocked");
    let since = blocked.header("etag").to_owned();
    assert_eq!(app.get("/api/v1/devices/1").await.header("etag"), since);
    assert_ne!(since, known);

    let path = "/api/v1/devices/1/approve";
    for stale in [known.as_str(), "\"x\"", "W/\"3\"", "", &since.replace('"', "")] {
        let refused = app.post_if_match(path, stale).await;
        assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED, "{stale}");
        assert_eq!(refused.problem(), "precondition_failed");
    }
    assert_eq!(app.get("/api/v1/devices/1").await.good()["state"], "blocked");
    // Another device's change is nobody else's business.
    app.post("/api/v1/devices/2/block", json!({})).await.good();
    assert_eq!(app.post_if_match(path, &format!("{known}, {since}")).await.good()["state"], "approved");
    assert_eq!(app.post_if_match("/api/v1/devices/1/block", "*").await.good()["state"], "blocked");
    // Repeated, it changes nothing, and is no conflict without a condition.
    let tag = app.get("/api/v1/devices/1").await.header("etag").to_owned();
    assert_eq!(app.post("/api/v1/devices/1/block", json!({})).await.header("etag"), tag);
}

#[tokio::test]
async fn both_links_of_a_device_are_visible() {
    let app = TestApp::new().await;
    app.enrol(1).await;
    let first = app.open_link(Some(1)).await;
    let stranger = app.open_link(None).await;
    let second = app.open_link(Some(1)).await;
    let page = app.get("/api/v1/links?limit=2").await;
    let links = page.good();
    assert_eq!((&links["items"][0]["link"], &links["items"][1]["link"]), (&json!(first), &json!(stranger)));
    assert_eq!(
        (&links["items"][0]["terminal"], links["items"][1].get("terminal")),
        (&json!("013900000001"), None)
    );
    assert_eq!(app.get(&page.next().unwrap()).await.good()["items"][0]["link"], json!(second));
    let of_one = app.get("/api/v1/links?device=013900000001").await.good();
    assert_eq!(of_one["items"].as_array().unwrap().len(), 2);
    let reader = app.token_for(&[Scope::Read]).await;
    let masked = app.call("GET", "/api/v1/links", Some(&reader), None).await.good();
    assert_eq!(masked["items"][0]["peer"], "192.0.2.*");
}

#[tokio::test]
async fn mistakes_are_problems_that_name_their_place() {
    let app = TestApp::with(|config| config.http.body_max = Bytes(1_000)).await;
    app.enrol(1).await;
    for (path, parameter) in [
        ("/api/v1/devices?limit=0", "limit"),
        ("/api/v1/devices?limit=1001", "limit"),
        ("/api/v1/devices?limit=x", "limit"),
        ("/api/v1/devices?state=gone", "state"),
        ("/api/v1/devices?cursor=zz", "cursor"),
        ("/api/v1/quarantine?cursor=00", "cursor"),
        ("/api/v1/links?cursor=61", "cursor"),
        ("/api/v1/positions?crs=mars", "crs"),
        ("/api/v1/positions?limit=0", "limit"),
        ("/api/v1/devices/1/track?from=yesterday", "from"),
        ("/api/v1/devices/1/track?from=2024-05-01T00:00:00Z&to=2024-05-01T00:00:00Z", "from"),
        ("/api/v1/devices/1/track?format=shapefile", "format"),
    ] {
        let answer = app.get(path).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_parameter"),
            "{path}"
        );
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter, "{path}: {}", answer.text());
    }
    assert_eq!(app.get("/api/v1/devices?sort=id").await.problem(), "invalid_parameter");

    let wrong =
        app.post("/api/v1/devices", json!({ "devices": [{ "terminal": "1" }, { "terminal": 5 }] })).await;
    assert_eq!(
        (wrong.problem().as_str(), &wrong.json()["errors"][0]["pointer"]),
        ("invalid_body", &json!("/devices/1/terminal"))
    );
    let both = json!({ "all": true, "terminals": [{ "terminal": "1" }] });
    for body in [json!({}), both] {
        assert_eq!(app.post("/api/v1/quarantine/approve", body).await.problem(), "invalid_body");
    }
    let large = app
        .post("/api/v1/devices", json!({ "devices": [{ "terminal": "1", "name": "x".repeat(2_000) }] }))
        .await;
    assert_eq!((large.status, large.problem().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
    let plain = app.call("POST", "/api/v1/devices", Some(&app.token), None).await;
    assert_eq!(plain.problem(), "unsupported_media_type");
    assert_eq!(
        app.call("DELETE", "/api/v1/devices", Some(&app.token), None).await.problem(),
        "method_not_allowed"
    );
}
