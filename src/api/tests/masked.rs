//! What the unit reads of its own flags and cases is what its copy of the evidence has: no other cars, no people.

use motorpool_supervision::cases::{Event, Flag as CaseFlag};
use motorpool_supervision::finding::Rule;
use serde_json::json;

use super::app::TestApp;
use super::cases::{CASE, County};
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::registry::{Checkpoint, FlagFilter, Judgement, revise_flags};
use crate::supervision::cases::{append, load, system_line};

/// The plate of a car of another bureau.
const OTHERS: &str = "演B00009";

/// The car stood together with one of another bureau (R27): the flag is in the case. Answers the flag's name.
async fn met(app: &TestApp) -> String {
    let registry = &app.registry;
    let flags = registry.flags(&FlagFilter { limit: 1, ..FlagFilter::default() }).await.unwrap();
    let mut finding = flags[0].finding.clone();
    finding.rule = Rule::R27;
    finding.words = vec![("place".into(), "演示茶楼".to_owned()), ("with".into(), OTHERS.to_owned())];
    let (flags, _) = revise_flags(&[], std::slice::from_ref(&finding), "");
    let previous = registry.checkpoint().await.unwrap();
    let checkpoint = previous.unwrap_or(Checkpoint { lsn: crate::ids::Lsn(1), change: 1 });
    let step = Judgement { previous, checkpoint, flags, ..Judgement::default() };
    registry.commit_judgement(&step, wall_now()).await.unwrap();
    let mut case = load(registry, CASE).await.unwrap().unwrap();
    let added = Event::FlagAdded { flag: CaseFlag::from(&finding) };
    let line = system_line(&mut case, added, wall_now()).unwrap();
    append(registry, &case, &[line], wall_now()).await.unwrap();
    finding.id().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manager_does_not_read_whom_the_car_met_and_the_inspector_does() {
    let county = County::new().await;
    let app = &county.app;
    let manager = app.person("wang", Role::FleetManager, Some(4), Some(4)).await;
    let inspector = app.person("zhang", Role::Inspector, Some(1), Some(3)).await;
    let flag = met(app).await;
    let paths = [
        format!("/api/v1/flags/{flag}"),
        "/api/v1/flags?rules=R27".to_owned(),
        format!("/api/v1/cases/{CASE}"),
    ];
    for path in &paths {
        let read = app.call_as(&manager, "GET", path, None).await;
        assert!(
            read.good().to_string().contains("R27") && !read.text().contains(OTHERS),
            "{path}: {}",
            read.text()
        );
        let whole = app.call_as(&inspector, "GET", path, None).await;
        assert!(whole.text().contains(OTHERS), "{path}: {}", whole.text());
    }
    let again = format!("/api/v1/flags/{flag}/recompute");
    let judged = app.call_as(&manager, "POST", &again, Some(&json!({}))).await;
    assert!(!judged.text().contains(OTHERS), "{}", judged.text());
}
