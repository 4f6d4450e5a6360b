//! Whoever hangs up in the middle of a write can't keep it out of the audit log.

use std::future::{Future as _, poll_fn};
use std::task::Poll;
use std::time::Duration;

use serde_json::json;

use super::app::TestApp;
use crate::accounts::Role;
use crate::registry::accounts::LogFilter;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_comes_to_its_end_with_its_line_in_the_log() {
    let app = TestApp::new().await;
    let admin = app.person("security", Role::SecurityAdmin, None, None).await;
    let body = json!({ "name": "wang", "display_name": "王" });
    let mut request = Box::pin(app.call_as(&admin, "POST", "/api/v1/accounts", Some(&body)));
    // Begun, and gone before it was answered.
    poll_fn(|context| {
        assert!(request.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(request);
    let people = app.registry.people();
    let is_noted = async {
        loop {
            let log = people.audit_log(&LogFilter { limit: 100, ..LogFilter::default() }).await.unwrap();
            if log.iter().any(|entry| entry.deed.action.starts_with("account.")) {
                return people.account_named("wang").await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    let made = tokio::time::timeout(Duration::from_secs(30), is_noted).await.expect("a line in the log");
    assert!(made.is_some());
}
