//! Exports on both databases.

use motorpool_protocols::UtcMillis;

use super::testing::{Home, on_both};
use super::{Error, ExportEnd, ExportLimits, ExportProgress, ExportState, NewExport, Registry};
use crate::accounts::chain::Deed;
use crate::registry::accounts::LogFilter;

const NOW: UtcMillis = UtcMillis(1_772_589_600_000);
const LATER: UtcMillis = UtcMillis(NOW.0 + 60_000);
const LIMITS: ExportLimits = ExportLimits { open: 2, kept: 3 };

on_both! {
    an_export_is_begun_in_turn_and_ended_once
    one_owner_has_so_many
    what_ran_waits_again
    what_is_done_expires_and_is_forgotten_later
    nobody_takes_back_what_is_somebody_elses
}

fn new(owner: &str) -> NewExport {
    NewExport {
        owner: owner.to_owned(),
        account: None,
        created_by: owner.to_owned(),
        ip: "192.0.2.1".to_owned(),
        request: "{}".to_owned(),
        plan: "[]".to_owned(),
        purpose: "核对".to_owned(),
    }
}

fn end(state: ExportState) -> ExportEnd {
    let progress = ExportProgress { rows: 7, bytes: 100, permille: 1_000 };
    ExportEnd { state, progress, damaged: 0, reason: None }
}

async fn queue(registry: &Registry, owner: &str) -> Result<i64, Error> {
    let deed = Deed { action: "track.export".to_owned(), ..Deed::default() };
    registry.queue_export(&new(owner), LIMITS, &[deed.clone(), deed], NOW).await
}

async fn an_export_is_begun_in_turn_and_ended_once(home: Home) {
    let registry = home.open().await;
    let (first, second) = (queue(&registry, "a").await.unwrap(), queue(&registry, "b").await.unwrap());
    let log = registry.people().audit_log(&LogFilter { limit: 10, ..LogFilter::default() }).await.unwrap();
    let objects: Vec<&str> = log.iter().rev().map(|entry| entry.deed.object.as_str()).collect();
    assert_eq!(objects, ["export 1", "export 1", "export 2", "export 2"]);
    let begun = registry.begin_export(LATER).await.unwrap().unwrap();
    assert_eq!((begun.id, begun.state, begun.started_at), (first, ExportState::Running, Some(LATER)));
    assert_eq!(registry.begin_export(LATER).await.unwrap().unwrap().id, second);
    assert_eq!(registry.begin_export(LATER).await.unwrap(), None);
    let half = ExportProgress { rows: 3, bytes: 50, permille: 500 };
    assert!(registry.export_goes_on(first, half).await.unwrap());
    assert_eq!(registry.export(first).await.unwrap().unwrap().progress, half);
    assert!(registry.end_export(first, &end(ExportState::Done), LATER).await.unwrap());
    assert!(!registry.end_export(first, &end(ExportState::Failed), LATER).await.unwrap(), "it has ended");
    assert!(!registry.export_goes_on(first, half).await.unwrap());
    assert_eq!(registry.exports_done().await.unwrap(), (vec![first], 100));
}

async fn one_owner_has_so_many(home: Home) {
    let registry = home.open().await;
    for _ in 0..2 {
        queue(&registry, "a").await.unwrap();
    }
    assert!(matches!(queue(&registry, "a").await, Err(Error::Refused(_))), "two wait");
    let third = queue(&registry, "b").await.unwrap();
    for _ in 0..3 {
        let begun = registry.begin_export(LATER).await.unwrap().unwrap();
        registry.end_export(begun.id, &end(ExportState::Done), LATER).await.unwrap();
    }
    queue(&registry, "a").await.unwrap();
    assert!(matches!(queue(&registry, "a").await, Err(Error::Refused(_))), "three are kept");
    let listed = registry.exports_of("a", i64::MAX, 10).await.unwrap();
    assert_eq!(listed.iter().map(|export| export.id).collect::<Vec<_>>(), [third + 1, 2, 1]);
    assert_eq!(registry.exports_of("a", 2, 10).await.unwrap().len(), 1);
}

async fn what_ran_waits_again(home: Home) {
    let registry = home.open().await;
    let id = queue(&registry, "a").await.unwrap();
    registry.begin_export(NOW).await.unwrap();
    registry.export_goes_on(id, ExportProgress { rows: 3, bytes: 50, permille: 500 }).await.unwrap();
    assert_eq!(registry.queue_exports_again(&[id].into()).await.unwrap(), 0, "it is written");
    assert_eq!(registry.queue_exports_again(&[id + 1].into()).await.unwrap(), 1);
    let begun = registry.begin_export(LATER).await.unwrap().unwrap();
    assert_eq!((begun.id, begun.started_at), (id, Some(LATER)));
    assert_eq!(registry.export(id).await.unwrap().unwrap().progress, ExportProgress::default(), "anew");
}

async fn what_is_done_expires_and_is_forgotten_later(home: Home) {
    let registry = home.open().await;
    let id = queue(&registry, "a").await.unwrap();
    registry.begin_export(NOW).await.unwrap();
    registry.end_export(id, &end(ExportState::Done), NOW).await.unwrap();
    assert!(registry.expire_exports(NOW, NOW).await.unwrap().is_empty(), "not yet");
    assert_eq!(registry.expire_exports(LATER, NOW).await.unwrap(), [id]);
    assert_eq!(registry.export(id).await.unwrap().unwrap().state, ExportState::Expired);
    assert!(registry.expire_exports(LATER, LATER).await.unwrap().is_empty());
    assert_eq!(registry.export(id).await.unwrap(), None);
}

async fn nobody_takes_back_what_is_somebody_elses(home: Home) {
    let registry = home.open().await;
    let id = queue(&registry, "a").await.unwrap();
    let deed = Deed { action: "export.remove".to_owned(), ..Deed::default() };
    assert_eq!(registry.take_back_export("b", id, &deed, LATER).await.unwrap(), None);
    assert_eq!(registry.take_back_export("a", id, &deed, LATER).await.unwrap(), Some(ExportState::Queued));
    assert_eq!(registry.export(id).await.unwrap().unwrap().state, ExportState::Cancelled);
    assert_eq!(registry.begin_export(LATER).await.unwrap(), None);
    assert_eq!(registry.take_back_export("a", id, &deed, LATER).await.unwrap(), Some(ExportState::Cancelled));
    assert_eq!(registry.export(id).await.unwrap(), None);
}
