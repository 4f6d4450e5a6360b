//! The committed OpenAPI document is the one the program has.

use std::path::Path;

use crate::api::openapi_json;

#[test]
fn the_committed_document_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/openapi.json");
    let document = openapi_json() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == document,
        "src/api/openapi.json is not what the program has. If the change is meant, run \
         `UPDATE_OPENAPI=1 cargo test --lib the_committed_document` and commit the file."
    );
}

#[test]
fn every_operation_has_words_and_errors() {
    let document: serde_json::Value = serde_json::from_str(&openapi_json()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            let answers = &operation["responses"];
            let is_answered = ["200", "201", "204", "101"].iter().any(|status| answers.get(status).is_some());
            assert!(is_answered, "{method} {path}");
            let is_health = path == "/livez" || path == "/readyz";
            assert!(is_health || operation["responses"].get("4XX").is_some(), "{method} {path}");
        }
    }
    assert_eq!(document["security"], serde_json::json!([{ "token": [] }, { "cookie": [] }]));
}
