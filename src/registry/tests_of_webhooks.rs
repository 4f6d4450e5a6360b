//! News and deliveries on both databases.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use serde_json::json;

use super::testing::{Home, on_both};
use super::{
    Attempt, CaseEvent, CaseRow, DeliveryState, NewDelivery, NewWebhook, Registry, Topic, WebhookSecret,
};

const NOW: UtcMillis = UtcMillis(1_772_589_600_000);

on_both! {
    a_case_is_news_until_it_was_told
    a_delivery_waits_is_tried_and_ends
    the_same_thing_is_queued_once_for_each_receiver
    a_receiver_that_is_gone_is_switched_off_and_nothing_else
}

async fn write_case(registry: &Registry, seq: i64) {
    let event = CaseEvent { at: NOW, actor: String::new(), kind: "commented".to_owned(), body: json!({}) };
    let row = CaseRow {
        case_id: "v1-2026-03-04".to_owned(),
        vehicle: VehicleId(1),
        day: jiff::civil::date(2026, 3, 4),
        unit: UnitId(1),
        state: "new".to_owned(),
        colour: "red".to_owned(),
        rank: 1,
        assignee: None,
        due_at: None,
        is_confidential: false,
        seq: 0,
        updated_at: NOW,
        summary: json!({}),
    };
    registry.append_to_case(seq, &[event], &row, NOW).await.unwrap();
}

async fn hook(registry: &Registry) -> i64 {
    let set = NewWebhook {
        url: "https://example.com/".to_owned(),
        description: String::new(),
        events: vec!["case.opened".to_owned(), "case.closed".to_owned()],
        unit: Some(7),
        is_enabled: true,
        secrets: vec![WebhookSecret { key: "whsec_x".to_owned(), until: Some(NOW) }],
        approved_by: Some("account 3".to_owned()),
    };
    let made = registry.create_webhook(set, ("test", None), NOW).await.unwrap();
    assert_eq!(registry.webhook(made.id).await.unwrap().as_ref(), Some(&made));
    made.id
}

fn delivery(webhook: i64, key: &str) -> NewDelivery {
    let (event, body) = ("case.opened".to_owned(), "{}".to_owned());
    NewDelivery { webhook, event, key: key.to_owned(), case: None, body }
}

async fn a_case_is_news_until_it_was_told(home: Home) {
    let registry = home.open().await;
    write_case(&registry, 0).await;
    write_case(&registry, 1).await;
    let news = registry.news(Topic::Case, UtcMillis(0)).await.unwrap();
    assert_eq!(news.iter().map(|news| (news.told, news.seq)).collect::<Vec<_>>(), [(0, 2)]);
    let told: Vec<_> = news.into_iter().map(|news| (Topic::Case, news)).collect();
    registry.tell(&told, &[], NOW).await.unwrap();
    assert_eq!(registry.news(Topic::Case, UtcMillis(0)).await.unwrap(), []);
    // In the very millisecond in which the last news were recorded.
    write_case(&registry, 2).await;
    let news = registry.news(Topic::Case, NOW).await.unwrap();
    assert_eq!(news.iter().map(|news| (news.told, news.seq)).collect::<Vec<_>>(), [(2, 3)]);
    assert_eq!(registry.news(Topic::Flag, UtcMillis(0)).await.unwrap(), []);
}

async fn a_delivery_waits_is_tried_and_ends(home: Home) {
    let registry = home.open().await;
    let id = hook(&registry).await;
    registry.tell(&[], &[delivery(id, "a")], NOW).await.unwrap();
    assert_eq!(registry.due_deliveries(UtcMillis(NOW.0 - 1), 9, 9).await.unwrap(), []);
    let due = registry.due_deliveries(NOW, 9, 9).await.unwrap();
    let (later, error) = (UtcMillis(NOW.0 + 5_000), Some("no".to_owned()));
    let mut attempt =
        Attempt { state: DeliveryState::Waiting, at: NOW, next_at: Some(later), status: Some(500), error };
    registry.note_attempt(due[0].id, &attempt).await.unwrap();
    assert_eq!(registry.due_deliveries(NOW, 9, 9).await.unwrap(), []);
    attempt.state = DeliveryState::Delivered;
    attempt.next_at = None;
    registry.note_attempt(due[0].id, &attempt).await.unwrap();
    let log = registry.deliveries(id, i64::MAX, 9).await.unwrap();
    assert_eq!((log[0].state, log[0].attempts, log[0].last_status), (DeliveryState::Delivered, 2, Some(500)));
    assert!(!registry.replay_delivery(id + 1, due[0].id, None, (NOW, NOW)).await.unwrap(), "it is another's");
    assert_eq!(registry.forget_deliveries(NOW).await.unwrap(), 0);
    assert!(registry.replay_delivery(id, due[0].id, None, (later, later)).await.unwrap());
    let log = registry.deliveries(id, i64::MAX, 9).await.unwrap();
    assert_eq!((log[0].state, log[0].next_at), (DeliveryState::Delivered, Some(later)), "until it is tried");
    assert_eq!(registry.forget_deliveries(UtcMillis(i64::MAX)).await.unwrap(), 0, "what waits is kept");
    assert!(registry.delete_webhook(id, None, NOW).await.unwrap());
    assert_eq!(registry.due_deliveries(later, 9, 9).await.unwrap(), [], "deliveries go with their webhook");
}

async fn the_same_thing_is_queued_once_for_each_receiver(home: Home) {
    let registry = home.open().await;
    let (one, other) = (hook(&registry).await, hook(&registry).await);
    for _ in 0..2 {
        let deliveries = [delivery(one, "a"), delivery(other, "a"), delivery(one, "b")];
        registry.tell(&[], &deliveries, NOW).await.unwrap();
    }
    let mut keys: Vec<_> = registry
        .due_deliveries(NOW, 9, 9)
        .await
        .unwrap()
        .into_iter()
        .map(|due| (due.new.webhook, due.new.key))
        .collect();
    keys.sort();
    assert_eq!(keys, [(one, "a".to_owned()), (one, "b".to_owned()), (other, "a".to_owned())]);
}

async fn a_receiver_that_is_gone_is_switched_off_and_nothing_else(home: Home) {
    let registry = home.open().await;
    let id = hook(&registry).await;
    let mut set = registry.webhook(id).await.unwrap().unwrap().set;
    set.url = "https://example.org/".to_owned();
    assert!(registry.set_webhook(id, &set, None, NOW).await.unwrap());
    registry.switch_off_webhook(id, "https://example.com/").await.unwrap();
    assert_eq!(registry.webhook(id).await.unwrap().unwrap().set, set, "it leads elsewhere by now");
    registry.switch_off_webhook(id, "https://example.org/").await.unwrap();
    set.is_enabled = false;
    assert_eq!(registry.webhook(id).await.unwrap().unwrap().set, set);
}
