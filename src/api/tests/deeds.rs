//! A change and the line of the audit log that tells of it are written together or not at all.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::cases::{CASE, County};
use super::people::Person;
use crate::accounts::Role;

/// What a caller reads before and after.
type Look<'a> = (&'a Person, String);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_log_can_not_tell_is_not_done() {
    let county = County::new().await;
    let app = &county.app;
    let admin = app.person("sec", Role::SecurityAdmin, None, None).await;
    let office = app.person("zhou", Role::OfficeSupervisor, None, Some(2)).await;
    let viewer = app.with_password("wang").await;
    let account = format!("/api/v1/accounts/{}", viewer.id);
    let grant = app.registry.people().grants(viewer.id).await.unwrap()[0].id;
    let login =
        app.registry.people().logins(office.account.id, i64::MAX, crate::clock::wall_now()).await.unwrap();
    let system = app.person("sys", Role::SystemAdmin, None, None).await;
    let hook = json!({ "url": "https://203.0.113.7/", "events": ["flag.opened"] });
    let driver = json!({ "row": { "name": "赵", "unit": 4 } });
    let accounts: Look<'_> = (&admin, "/api/v1/accounts".to_owned());
    let devices: Look<'_> = (&system, "/api/v1/devices/1".to_owned());
    let webhooks: Look<'_> = (&system, "/api/v1/webhooks".to_owned());
    let drivers: Look<'_> = (&office, "/api/v1/registers/driver".to_owned());
    let cases: Look<'_> = (&office, format!("/api/v1/cases/{CASE}"));
    let deeds: Vec<(&Person, &str, String, Value, &Look<'_>, &str)> = vec![
        (&admin, "POST", "/api/v1/accounts".to_owned(), json!({ "name": "li" }), &accounts, "account.create"),
        (&admin, "PATCH", account.clone(), json!({ "display_name": "王" }), &accounts, "account.change"),
        (&admin, "POST", format!("{account}/grants"), json!({ "role": "finance" }), &accounts, "grant.give"),
        (&admin, "DELETE", format!("{account}/grants/{grant}"), json!({}), &accounts, "grant.revoke"),
        (
            &office,
            "POST",
            format!("/api/v1/cases/{CASE}/events"),
            json!({ "type": "start_checking" }),
            &cases,
            "case.act",
        ),
        (&system, "POST", "/api/v1/devices/1/block".to_owned(), json!({}), &devices, "device.write"),
        (&system, "POST", "/api/v1/webhooks".to_owned(), hook, &webhooks, "webhook.create"),
        (&system, "DELETE", "/api/v1/webhooks/1".to_owned(), json!({}), &webhooks, "webhook.delete"),
        (&office, "POST", "/api/v1/registers/driver".to_owned(), driver, &drivers, "register.write"),
    ];
    for (person, method, path, body, (reader, look), action) in &deeds {
        let before = app.call_as(reader, "GET", look, None).await.good();
        app.registry.hide_audit_log(true).await;
        let failed = app.call_as(person, method, path, Some(body)).await;
        app.registry.hide_audit_log(false).await;
        assert!(failed.status.is_server_error(), "{action}: {}", failed.text());
        assert_eq!(app.call_as(reader, "GET", look, None).await.good(), before, "{action}");
        let done = app.call_as(person, method, path, Some(body)).await;
        assert!(done.status.is_success(), "{action}: {}", done.text());
        assert_ne!(app.call_as(reader, "GET", look, None).await.good(), before, "{action}");
        let last = app.get("/api/v1/audit?limit=1").await.good()["items"][0].clone();
        assert_eq!(last["action"], *action);
        assert_ne!(last["object"], "", "{action}");
    }
    app.registry.hide_audit_log(true).await;
    let ended = app.call_as(&office, "DELETE", &format!("/api/v1/logins/{}", login[0].id), None).await;
    assert!(ended.status.is_server_error(), "{}", ended.text());
    app.registry.hide_audit_log(false).await;
    assert_eq!(app.call_as(&office, "GET", "/api/v1/me", None).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_tells_of_nothing_that_was_not_done() {
    let county = County::new().await;
    let app = &county.app;
    let admin = app.person("sec", Role::SecurityAdmin, None, None).await;
    let viewer = app.with_password("wang").await;
    let lines = async || app.get("/api/v1/audit").await.good()["items"].as_array().unwrap().len();
    let before = lines().await;
    let long = json!({ "display_name": "王".repeat(500) });
    let path = format!("/api/v1/accounts/{}", viewer.id);
    assert_eq!(app.call_as(&admin, "PATCH", &path, Some(&long)).await.problem(), "invalid_body");
    assert_eq!(lines().await, before);
}
