//! Who is let in: nobody by default.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::app::TestApp;
use crate::api::openapi_json;
use crate::registry::Scope;

/// Every operation of the document, with its parameters filled in.
fn operations() -> Vec<(String, String, bool)> {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut list = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let is_public = operation["security"] == json!([{}]);
            list.push((
                method.to_uppercase(),
                path.replace("{id}", "1")
                    .replace("{sha256}", "00")
                    .replace("{grant}", "1")
                    .replace("{delivery}", "1")
                    .replace("/{z}/{x}/{y}", "/3/6/3"),
                is_public,
            ));
        }
    }
    assert!(list.len() >= 14, "{list:?}");
    list
}

#[tokio::test]
async fn every_operation_refuses_strangers() {
    let app = TestApp::new().await;
    let wrong = app.token.replace("mp_", "mp_0");
    for (method, path, is_public) in operations() {
        let without = app.call(&method, &path, None, None).await;
        if is_public {
            let is_door =
                matches!(path.as_str(), "/api/v1/login" | "/api/v1/setup" | "/api/v1/demo/accounts");
            assert!(is_door || matches!(path.as_str(), "/livez" | "/readyz"), "{path} must not be public");
            assert_eq!(without.status == StatusCode::OK, !is_door, "{path}");
            continue;
        }
        assert_eq!(
            (without.status, without.problem().as_str()),
            (StatusCode::UNAUTHORIZED, "unauthorized"),
            "{path}"
        );
        assert!(without.header("www-authenticate").starts_with("Bearer"));
        let with_wrong = app.call(&method, &path, Some(&wrong), None).await;
        assert!(matches!(with_wrong.problem().as_str(), "unauthorized" | "too_many_attempts"), "{path}");
    }
    for path in ["/api/v1/openapi.json", "/api/v1/nothing", "/debug", "/../api-token"] {
        assert_eq!(app.call("GET", path, None, None).await.problem(), "unauthorized", "{path}");
    }
    assert_eq!(app.get("/api/v1/nothing").await.problem(), "not_found");
}

/// What is about accounts: a token that reads cars reads none of it.
fn is_about_people(path: &str) -> bool {
    ["accounts", "audit", "tokens", "units"].iter().any(|part| path.starts_with(&format!("/api/v1/{part}")))
}

/// What any caller may ask, and what only a log-in has.
fn is_own(path: &str) -> bool {
    ["me", "roles", "login", "purposes"].iter().any(|part| path.starts_with(&format!("/api/v1/{part}")))
}

fn is_supervision(path: &str) -> bool {
    ["cases", "flags", "backtest", "samples"].iter().any(|part| path.starts_with(&format!("/api/v1/{part}")))
}

/// A body that would be read.
fn body_of(path: &str) -> Value {
    match path {
        "/api/v1/cases" => json!({ "vehicle": "1", "day": "2026-03-04", "text": "told" }),
        "/api/v1/cases/bulk" => json!({ "lines": [] }),
        "/api/v1/backtest" => {
            json!({ "rule_set": { "params": {} }, "from": "2026-03-04", "to": "2026-03-04" })
        }
        "/api/v1/samples" => json!({ "monday": "2036-03-03", "size": 1 }),
        _ => json!({ "type": "start_checking" }),
    }
}

#[tokio::test]
async fn a_token_may_only_do_what_its_scopes_say() {
    let app = TestApp::new().await;
    let enroller = app.token_for(&[Scope::Enrol]).await;
    let reader = app.token_for(&[Scope::Read]).await;
    for (method, path, is_public) in
        operations().into_iter().filter(|(_, path, is_public)| !is_public && !is_own(path))
    {
        assert!(!is_public);
        if path == "/api/v1/events" {
            continue; // It never ends; it is heard in a test of its own.
        }
        let is_enrolment = (method.as_str(), path.as_str()) == ("POST", "/api/v1/devices");
        let body = (method == "POST").then(|| json!({ "devices": [] }));
        let enrolled = app.call(&method, &path, Some(&enroller), body.as_ref()).await;
        assert_eq!(enrolled.status == StatusCode::FORBIDDEN, !is_enrolment, "{method} {path}");
        let read = app.call(&method, &path, Some(&reader), body.as_ref()).await;
        // Whoever reads tracks has them written to files too.
        let is_export = path.starts_with("/api/v1/exports");
        let is_read = (method == "GET" || is_export)
            && !is_supervision(&path)
            && !is_about_people(&path)
            && !path.starts_with("/api/v1/holds")
            && !path.starts_with("/api/v1/webhooks");
        assert_eq!(read.status == StatusCode::FORBIDDEN, !is_read, "{method} {path}");
    }
    // Whoever supervises without a role reads, and does nothing.
    let nobody = app.token_for(&[Scope::Supervise]).await;
    for (method, path, _) in operations().into_iter().filter(|(_, path, _)| is_supervision(path)) {
        if path.contains("recompute") {
            continue;
        }
        let body = (method == "POST").then(|| body_of(&path));
        let path = if path.ends_with("attachments") { format!("{path}?name=a") } else { path };
        let answer = app.call(&method, &path, Some(&nobody), body.as_ref()).await;
        let is_list = method == "GET" && !path.contains("estimate");
        assert_eq!(answer.status == StatusCode::FORBIDDEN, !is_list, "{method} {path}: {}", answer.text());
    }
    assert_eq!(app.call("GET", "/api/v1/openapi.json", Some(&enroller), None).await.problem(), "forbidden");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_the_right_token_still_passes() {
    let app = TestApp::new().await;
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(app.call("GET", "/api/v1/status", Some("mp_00000000_guess"), None).await);
    }
    assert_eq!(codes[9].problem(), "unauthorized");
    assert_eq!((codes[10].problem().as_str(), codes[10].header("retry-after")), ("too_many_attempts", "60"));
    assert_eq!(app.get("/api/v1/status").await.status, StatusCode::OK);
    assert_eq!(app.call("GET", "/api/v1/status", None, None).await.problem(), "unauthorized");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = TestApp::new().await;
    let answers = [
        app.call("GET", "/", None, None).await,
        app.call("GET", "/livez", None, None).await,
        app.call("GET", "/api/v1/devices", None, None).await,
        app.get("/api/v1/devices").await,
        app.get("/nowhere").await,
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(!answer.header("x-request-id").is_empty());
        assert!(matches!(answer.header("cache-control"), "no-store" | "no-cache"));
    }
}

#[tokio::test]
async fn the_console_is_served_without_a_token_and_only_when_it_changed() {
    let app = TestApp::new().await;
    let page = app.call("GET", "/", None, None).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    let request = axum::http::Request::get("/").header("if-none-match", page.header("etag"));
    let again = app.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(app.call("POST", "/", None, Some(&json!({}))).await.problem(), "unauthorized");
}

#[tokio::test]
async fn metrics_are_public_only_when_the_configuration_says_so() {
    let app = TestApp::new().await;
    let text = app.get("/metrics").await;
    assert!(text.text().contains("motorpool_ledger_imbalance{ledger=\"received\"} 0"), "{}", text.text());
    let app = TestApp::with(|config| config.http.metrics_public = true).await;
    assert_eq!(app.call("GET", "/metrics", None, None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_server_is_not_ready_while_the_journal_or_the_folds_are_not() {
    let app = TestApp::new().await;
    assert_eq!(app.call("GET", "/readyz", None, None).await.good()["ready"], true);
    app.readings.lock().unwrap().folds.lag_s = 61.0;
    let lagging = app.call("GET", "/readyz", None, None).await;
    assert_eq!(
        (lagging.status, &lagging.json()["checks"][1]["ok"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!(false))
    );
    let mut readings = app.readings.lock().unwrap().clone();
    readings.folds.lag_s = 0.0;
    readings.folds.fixes = 3;
    readings.tracks.stored_fixes = 2;
    *app.readings.lock().unwrap() = readings;
    assert_eq!(app.call("GET", "/readyz", None, None).await.status, StatusCode::OK);
    let status = app.get("/api/v1/status").await.good();
    let fixes = status["checks"].as_array().unwrap().iter().find(|check| check["name"] == "fixes").unwrap();
    assert_eq!(fixes["ok"], false, "a missing fix is a failed self-check");
    assert_eq!(status["demo"], false);
}

#[tokio::test]
async fn a_caller_that_asks_too_much_is_told_to_wait_and_others_are_not() {
    let app = TestApp::with(|config| {
        config.http.requests_per_second = 1;
        config.http.requests_burst = 5;
    })
    .await;
    let reader = app.token_for(&[Scope::Read]).await;
    let mut last = app.call("GET", "/api/v1/status", Some(&reader), None).await;
    for _ in 0..9 {
        last = app.call("GET", "/api/v1/status", Some(&reader), None).await;
    }
    assert_eq!((last.problem().as_str(), last.header("retry-after")), ("rate_limited", "1"));
    assert_eq!(app.get("/api/v1/status").await.status, StatusCode::OK);
}
