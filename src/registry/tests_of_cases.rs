//! Cases, their files, and repeated requests, on both databases.

use jiff::civil::date;
use motorpool_supervision::ids::{UnitId, VehicleId};
use serde_json::json;

use super::testing::{Home, on_both};
use super::*;

const NOW: UtcMillis = UtcMillis(1_772_668_800_000); // 2026-03-05T00:00:00Z

fn row(id: &str, rank: i64) -> CaseRow {
    CaseRow {
        case_id: id.to_owned(),
        vehicle: VehicleId(3),
        day: date(2026, 3, 4),
        unit: UnitId(2),
        state: "new".to_owned(),
        colour: "red".to_owned(),
        rank,
        assignee: None,
        due_at: Some(UtcMillis(NOW.0 + 5)),
        is_confidential: false,
        seq: 0,
        updated_at: UtcMillis(0),
        summary: json!({ "flags": 2 }),
    }
}

fn event(kind: &str) -> CaseEvent {
    CaseEvent {
        at: NOW, actor: "li".to_owned(), kind: kind.to_owned(), body: json!({ "text": "为什么\0" })
    }
}

on_both! {
    events_are_appended_in_order_and_the_second_writer_is_a_conflict
    cases_are_listed_by_rank_page_by_page
    files_come_back_as_they_were
    a_repeated_request_gets_its_answer_again
    values_too_large_are_refused
}

async fn events_are_appended_in_order_and_the_second_writer_is_a_conflict(home: Home) {
    let registry = home.open().await;
    let seq =
        registry.append_to_case(0, &[event("opened"), event("assigned")], &row("3-20260304", 5), NOW).await;
    assert_eq!(seq.unwrap(), 2);
    let checking =
        CaseRow { state: "checking".to_owned(), assignee: Some("li".to_owned()), ..row("3-20260304", 5) };
    registry.append_to_case(2, &[event("checked")], &checking, UtcMillis(NOW.0 + 1)).await.unwrap();
    let refused =
        registry.append_to_case(2, &[event("closed")], &row("3-20260304", 5), NOW).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { kind: "case", expected: 2, found: 3, .. }), "{refused}");

    let events = registry.case_events("3-20260304", 0).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|e| (e.seq, e.event.kind.as_str())).collect();
    assert_eq!(kinds, [(1, "opened"), (2, "assigned"), (3, "checked")]);
    assert_eq!(events[0].event, event("opened"));
    assert_eq!(registry.case_events("3-20260304", 2).await.unwrap().len(), 1);
    let stored = registry.case("3-20260304").await.unwrap().unwrap();
    assert_eq!(stored, CaseRow { seq: 3, updated_at: UtcMillis(NOW.0 + 1), ..checking });
    assert_eq!(registry.case("4-20260304").await.unwrap(), None);
}

async fn cases_are_listed_by_rank_page_by_page(home: Home) {
    let registry = home.open().await;
    for n in 0..25_i64 {
        let mut row = row(&format!("case-{n}"), n % 4);
        row.is_confidential = n == 3;
        row.unit = UnitId(n % 5);
        row.day = date(2026, 3, 1 + i8::try_from(n % 7).unwrap());
        row.assignee = (n % 2 == 0).then(|| "li".to_owned());
        registry.append_to_case(0, &[event("opened")], &row, NOW).await.unwrap();
    }
    let mut filter = CaseFilter { limit: 10, ..CaseFilter::default() };
    let mut seen = Vec::new();
    loop {
        let page = registry.cases(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some((last.rank, last.case_id.clone()));
        seen.extend(page);
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted_by_key(|case| case.rank));
    let count =
        async |filter: CaseFilter| registry.cases(&CaseFilter { limit: 100, ..filter }).await.unwrap().len();
    assert_eq!(count(CaseFilter { is_confidential: Some(true), ..CaseFilter::default() }).await, 1);
    assert_eq!(count(CaseFilter { units: [UnitId(0), UnitId(1)].into(), ..CaseFilter::default() }).await, 10);
    assert_eq!(count(CaseFilter { assignee: Some("li".to_owned()), ..CaseFilter::default() }).await, 13);
    assert_eq!(count(CaseFilter { assignee: Some("l\0i".to_owned()), ..CaseFilter::default() }).await, 0);
    assert_eq!(count(CaseFilter { states: ["closed".to_owned()].into(), ..CaseFilter::default() }).await, 0);
    assert_eq!(count(CaseFilter { to: Some(date(2026, 3, 1)), ..CaseFilter::default() }).await, 4);
    assert_eq!(count(CaseFilter { due_before: Some(NOW), ..CaseFilter::default() }).await, 0);
    assert_eq!(
        count(CaseFilter {
            vehicle: Some(VehicleId(3)),
            colour: Some("red".to_owned()),
            ..CaseFilter::default()
        })
        .await,
        25
    );
}

async fn files_come_back_as_they_were(home: Home) {
    let registry = home.open().await;
    let bytes: Vec<u8> = (0..=255).collect();
    let new = NewAttachment {
        case_id: "c".to_owned(),
        name: "..\\..\\etc/派车单\u{7}.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        bytes: bytes.clone(),
    };
    let kept = registry.attach(new.clone(), "li", NOW).await.unwrap();
    assert_eq!((kept.name.as_str(), kept.size), ("派车单.pdf", 256));
    // printf the bytes 00 to ff | sha256sum
    assert_eq!(kept.sha256, "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880");
    assert_eq!(registry.attach(new.clone(), "wang", NOW).await.unwrap(), kept, "the same file is the same");
    let empty = NewAttachment { bytes: Vec::new(), ..new.clone() };
    assert!(matches!(registry.attach(empty, "li", NOW).await, Err(Error::Refused(_))));
    let large = NewAttachment { bytes: vec![0; ATTACHMENT_BYTES_MAX + 1], ..new };
    assert!(matches!(registry.attach(large, "li", NOW).await, Err(Error::Refused(_))));
    assert_eq!(registry.attachments("c").await.unwrap(), std::slice::from_ref(&kept));
    assert_eq!(registry.attachment_bytes("c", kept.id).await.unwrap(), Some(bytes));
    assert_eq!(registry.attachment_bytes("other", kept.id).await.unwrap(), None);
}

async fn a_repeated_request_gets_its_answer_again(home: Home) {
    let registry = home.open().await;
    let claim = async |request: &[u8], ms: i64| {
        registry.claim_key("t", "k", request, UtcMillis(NOW.0 + ms)).await.unwrap()
    };
    assert_eq!(claim(b"a", 0).await, Claim::New);
    assert_eq!(claim(b"a", 1).await, Claim::Running);
    assert_eq!(claim(b"b", 1).await, Claim::OtherRequest);
    registry.release_key("t", "k").await.unwrap();
    assert_eq!(claim(b"b", 2).await, Claim::New, "it failed, so it may be sent again");
    registry.complete_key("t", "k", 201, "{}").await.unwrap();
    registry.release_key("t", "k").await.unwrap();
    assert_eq!(claim(b"b", 3).await, Claim::Answered { status: 201, body: "{}".to_owned() });
    let hours = |n: i64| n * 3_600_000;
    assert!(matches!(claim(b"b", hours(IDEMPOTENCY_HOURS)).await, Claim::Answered { .. }));
    assert_eq!(claim(b"c", hours(IDEMPOTENCY_HOURS) + 3).await, Claim::New, "forgotten after a day");
    let minutes = |n: i64| hours(IDEMPOTENCY_HOURS) + 4 + n * 60_000;
    assert_eq!(claim(b"c", minutes(6)).await, Claim::Running, "its request runs for long");
    drop(registry.running_claim("t", "k"));
    assert_eq!(claim(b"c", minutes(4)).await, Claim::Running, "as far as anybody knows");
    assert_eq!(claim(b"c", minutes(6)).await, Claim::New, "nobody completed it");
    // Another run of the server knows of no request that runs.
    let again = home.open().await;
    let next = async |ms| again.claim_key("t", "k", b"c", UtcMillis(NOW.0 + ms)).await.unwrap();
    assert_eq!(next(minutes(7)).await, Claim::Running);
    assert_eq!(next(minutes(12)).await, Claim::New);
    let other = registry.claim_key("other", "k", b"c", NOW).await.unwrap();
    assert_eq!(other, Claim::New, "keys belong to a token");
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    assert!(matches!(registry.claim_key("t", &long, b"", NOW).await, Err(Error::Refused(_))));
}

async fn values_too_large_are_refused(home: Home) {
    let registry = home.open().await;
    let body = json!({ "text": "x".repeat(300_000) });
    let large = CaseEvent { body: body.clone(), ..event("comment") };
    assert!(matches!(registry.append_to_case(0, &[large], &row("c", 1), NOW).await, Err(Error::Refused(_))));
    let wide = CaseRow { summary: body, ..row("c", 1) };
    assert!(matches!(
        registry.append_to_case(0, &[event("opened")], &wide, NOW).await,
        Err(Error::Refused(_))
    ));
    for id in [String::new(), "x".repeat(65)] {
        assert!(registry.append_to_case(0, &[event("opened")], &row(&id, 1), NOW).await.is_err());
    }
    assert!(matches!(registry.append_to_case(0, &[], &row("c", 1), NOW).await, Err(Error::Refused(_))));
    assert_eq!(registry.case_events("c", 0).await.unwrap(), []);
}
