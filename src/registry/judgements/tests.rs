//! Judgement's tables on both databases; lineages in any order.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::civil::date;
use motorpool_supervision::finding::{Colour, Finding, FixesUsed, Measure, Nature, Outcome, Rule, Versions};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::point::{Point, Position};
use motorpool_supervision::trips::{Gap, GapPlace, Segment, Stop};
use proptest::prelude::*;

use super::super::testing::{Home, on_both};
use super::*;

const NOW: UtcMillis = UtcMillis(1_772_668_800_000); // 2026-03-05T00:00:00Z
const CAR: DeviceId = DeviceId(7);

const fn at(minute: i64) -> UtcMillis {
    UtcMillis(NOW.0 + minute * 60_000)
}

fn stop(from: i64, to: i64, fixes: u32) -> Segment {
    Segment::Stop(Stop {
        start: at(from),
        end: at(to),
        at: Position::default(),
        is_open: false,
        ignition_on_s: None,
        fixes,
        longest_silence_s: 30,
    })
}

fn gap(from: i64, to: i64) -> Segment {
    Segment::Gap(Gap {
        start: at(from),
        end: at(to),
        from: Position::default(),
        to: Position::default(),
        displacement_m: 0,
        odometer_m: None,
        place: GapPlace::InStop,
        ignition_before: None,
        ignition_after: None,
        power_lost: false,
    })
}

fn finding(rule: Rule, from: i64, to: i64, value: i64) -> Finding {
    Finding {
        rule,
        rule_version: rule.version(),
        aspect: Cow::Borrowed(""),
        outcome: Outcome::Flag,
        colour: Colour::Red,
        nature: Nature::Conduct,
        is_trial: false,
        vehicle: VehicleId(3),
        unit: UnitId(2),
        day: date(2026, 3, 5),
        from: at(from),
        to: at(to),
        at: None,
        trips: Vec::new(),
        measures: vec![Measure::against("distance_m", value, 100)],
        orders: Vec::new(),
        missing: Vec::new(),
        excuses: Vec::new(),
        fixes: FixesUsed::default(),
        params: serde_json::json!({ "limit_m": 100 }),
        versions: Versions::default(),
        words: Vec::new(),
    }
}

/// A step after `previous` that has read up to `lsn`.
fn judgement(previous: Option<Checkpoint>, lsn: u64) -> Judgement {
    Judgement { previous, checkpoint: Checkpoint { lsn: Lsn(lsn), change: 1 }, ..Judgement::default() }
}

async fn commit_segments(registry: &Registry, lsn: u64, wanted: &[Segment]) -> (usize, usize) {
    let current = registry.segments(CAR, at(0), at(10_000)).await.unwrap();
    let (segments, gone_segments) = revise_segments(CAR, &current, wanted);
    let counts = (segments.len(), gone_segments.len());
    let previous = registry.checkpoint().await.unwrap();
    let step = Judgement { segments, gone_segments, ..judgement(previous, lsn) };
    registry.commit_judgement(&step, at(i64::try_from(lsn).unwrap())).await.unwrap();
    counts
}

async fn commit_flags(registry: &Registry, lsn: u64, wanted: &[Finding], reason: &str) {
    let filter = FlagFilter { limit: 100, state: Some(FlagState::Open), ..FlagFilter::default() };
    let current = registry.flags(&filter).await.unwrap();
    let (flags, gone_flags) = revise_flags(&current, wanted, reason);
    let previous = registry.checkpoint().await.unwrap();
    let step = Judgement { flags, gone_flags, ..judgement(previous, lsn) };
    registry.commit_judgement(&step, at(i64::try_from(lsn).unwrap())).await.unwrap();
}

on_both! {
    a_late_fix_supersedes_what_it_touches_and_nothing_else
    many_devices_are_asked_about_as_one_is
    what_comes_back_is_current_again
    a_step_is_written_once_with_its_checkpoint
    a_flag_is_superseded_closed_and_opened_again_with_its_history
    flags_are_listed_page_by_page
}

async fn many_devices_are_asked_about_as_one_is(home: Home) {
    let registry = home.open().await;
    let pieces = [stop(0, 10, 5), stop(20, 30, 5), gap(20, 30), stop(40, 50, 5)];
    let devices: Vec<DeviceId> = (1..=150).map(DeviceId).collect();
    let mut step = judgement(None, 8);
    for device in &devices {
        step.segments.extend(revise_segments(*device, &[], &pieces).0);
    }
    registry.commit_judgement(&step, at(8)).await.unwrap();
    // What is superseded is not given.
    commit_segments(&registry, 16, &pieces[1..]).await;

    let since: Vec<_> = devices.iter().map(|device| (*device, at(device.0 % 60))).collect();
    let together = registry.segments_since(&since).await.unwrap();
    for (device, from) in since {
        let alone = registry.segments(device, from, UtcMillis(i64::MAX)).await.unwrap();
        assert_eq!(together.get(&device).cloned().unwrap_or_default(), alone, "{device:?}");
    }
    assert_eq!(together.values().map(Vec::len).collect::<BTreeSet<_>>(), BTreeSet::from([1, 3, 4]));

    let together = registry.segments_of(&devices, at(15), at(35)).await.unwrap();
    for device in devices {
        let alone = registry.segments(device, at(15), at(35)).await.unwrap();
        assert_eq!(together.get(&device).cloned().unwrap_or_default(), alone, "{device:?}");
        assert_eq!(alone.len(), 2, "{device:?}");
    }
}

async fn a_late_fix_supersedes_what_it_touches_and_nothing_else(home: Home) {
    let registry = home.open().await;
    assert_eq!(commit_segments(&registry, 8, &[stop(0, 10, 5), stop(20, 30, 5), gap(20, 30)]).await, (3, 0));
    let first = registry.segments(CAR, at(0), at(10_000)).await.unwrap();
    // The second stop was two.
    let again = [stop(0, 10, 5), stop(20, 23, 2), stop(24, 30, 4), gap(20, 30)];
    assert_eq!(commit_segments(&registry, 16, &again).await, (2, 1));
    assert_eq!(commit_segments(&registry, 16, &again).await, (0, 0), "the same again is nothing new");

    let now = registry.segments(CAR, at(0), at(10_000)).await.unwrap();
    assert_eq!(
        now.iter().map(|s| s.segment.clone()).collect::<Vec<_>>(),
        [again[0].clone(), again[1].clone(), gap(20, 30), again[2].clone()]
    );
    let old = first.iter().find(|s| s.segment == stop(20, 30, 5)).unwrap();
    for piece in [&now[1], &now[3]] {
        assert_eq!((&piece.lineage, piece.predecessor.as_ref()), (&old.lineage, Some(&old.id)));
    }
    let line = registry.segment_lineage(&old.lineage).await.unwrap();
    assert_eq!(line.len(), 3);
    assert_eq!(
        (line[0].superseded_by.as_ref(), line[0].superseded_at),
        (Some(&now[3].id), Some(at(16))),
        "by the longer"
    );
    assert_eq!(registry.segments(CAR, at(11), at(19)).await.unwrap(), []);
    assert_eq!(registry.segments(CAR, at(10), at(20)).await.unwrap().len(), 3, "both ends count");
    assert_eq!(registry.segments(DeviceId(8), at(0), at(100)).await.unwrap(), []);
}

async fn what_comes_back_is_current_again(home: Home) {
    let registry = home.open().await;
    commit_segments(&registry, 8, &[stop(0, 10, 5)]).await;
    commit_segments(&registry, 16, &[stop(0, 12, 6)]).await;
    commit_segments(&registry, 24, &[]).await;
    assert_eq!(registry.segments(CAR, at(0), at(100)).await.unwrap(), []);
    commit_segments(&registry, 32, &[stop(0, 10, 5)]).await;
    let now = registry.segments(CAR, at(0), at(100)).await.unwrap();
    assert_eq!((now.len(), now[0].recorded_at, now[0].superseded_by.as_ref()), (1, at(8), None));
}

async fn a_step_is_written_once_with_its_checkpoint(home: Home) {
    let registry = home.open().await;
    assert_eq!(registry.checkpoint().await.unwrap(), None);
    let rest = |minute| {
        let Segment::Stop(stop) = stop(0, minute, 1) else { unreachable!() };
        let last = Point::new(at(minute), Position::default());
        Rest { seen: at(minute), stop, last, wake: None, opening: None }
    };
    let first = Judgement { rests: vec![(CAR, rest(1)), (DeviceId(2), rest(1))], ..judgement(None, 8) };
    registry.commit_judgement(&first, NOW).await.unwrap();
    // A second process, or the same step again after a crash that came after the commit.
    let flags = vec![NewFlag {
        id: "f".to_owned(),
        lineage: "f".to_owned(),
        predecessor: None,
        finding: finding(Rule::R01, 0, 1, 1),
    }];
    let again = Judgement { flags, ..first.clone() };
    let refused = registry.commit_judgement(&again, NOW).await.unwrap_err();
    assert!(
        matches!(refused, Error::Conflict { kind: "checkpoint", expected: -1, found: 8, .. }),
        "{refused}"
    );
    assert_eq!(registry.flag("f").await.unwrap(), None);
    let next = Judgement { rests: vec![(CAR, rest(5))], ..judgement(Some(first.checkpoint), 16) };
    registry.commit_judgement(&next, NOW).await.unwrap();
    assert_eq!(registry.rests().await.unwrap(), [(DeviceId(2), rest(1)), (CAR, rest(5))]);
    registry.close().await;
    let registry = home.open().await;
    assert_eq!(registry.checkpoint().await.unwrap(), Some(Checkpoint { lsn: Lsn(16), change: 1 }));
}

async fn a_flag_is_superseded_closed_and_opened_again_with_its_history(home: Home) {
    let registry = home.open().await;
    let (first, second) = (finding(Rule::R01, 0, 60, 500), finding(Rule::R01, 0, 61, 520));
    let other = finding(Rule::R05, 0, 60, 1);
    commit_flags(&registry, 8, &[first.clone(), other.clone()], "").await;
    commit_flags(&registry, 16, &[second.clone(), other.clone()], "").await;
    commit_flags(&registry, 24, std::slice::from_ref(&other), "an order covers it now").await;
    commit_flags(&registry, 32, &[second.clone(), other.clone()], "").await;

    let (old, new) = (first.id().to_string(), second.id().to_string());
    let stored = registry.flag(&new).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.state_at, stored.reason), (FlagState::Open, at(32), None));
    assert_eq!((&stored.lineage, stored.predecessor.as_ref()), (&old, Some(&old)));
    assert_eq!(stored.finding, second);
    let superseded = registry.flag(&old).await.unwrap().unwrap();
    assert_eq!((superseded.state, superseded.superseded_by), (FlagState::Superseded, Some(new.clone())));
    let turns = registry.flag_history(&new).await.unwrap();
    let said: Vec<_> = turns.iter().map(|turn| (turn.state, turn.reason.as_deref())).collect();
    let why = Some("an order covers it now");
    assert_eq!(said, [(FlagState::Open, None), (FlagState::Closed, why), (FlagState::Open, None)]);
    assert_eq!(registry.flag_history(&other.id().to_string()).await.unwrap().len(), 1);
}

async fn flags_are_listed_page_by_page(home: Home) {
    let registry = home.open().await;
    let mut wanted: Vec<Finding> = (0..30).map(|n| finding(Rule::R08, n, n + 1, n)).collect();
    for (n, finding) in wanted.iter_mut().enumerate() {
        finding.day = date(2026, 3, 1 + i8::try_from(n % 3).unwrap());
        finding.vehicle = VehicleId(1 + i64::from(n >= 15));
        finding.is_trial = n == 0;
        finding.colour = if n % 2 == 0 { Colour::Red } else { Colour::Yellow };
    }
    commit_flags(&registry, 8, &wanted, "").await;
    let mut filter = FlagFilter { limit: 7, ..FlagFilter::default() };
    let mut seen = BTreeSet::new();
    loop {
        let page = registry.flags(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some((last.finding.day, last.id.clone()));
        seen.extend(page.into_iter().map(|flag| flag.id));
    }
    assert_eq!(seen, wanted.iter().map(|finding| finding.id().to_string()).collect());

    let count = async |filter: FlagFilter| registry.flags(&filter).await.unwrap().len();
    let all = FlagFilter { limit: 100, ..FlagFilter::default() };
    assert_eq!(count(FlagFilter { vehicle: Some(VehicleId(1)), ..all.clone() }).await, 15);
    assert_eq!(
        count(FlagFilter { from: Some(date(2026, 3, 2)), to: Some(date(2026, 3, 2)), ..all.clone() }).await,
        10
    );
    assert_eq!(count(FlagFilter { is_trial: Some(true), ..all.clone() }).await, 1);
    assert_eq!(count(FlagFilter { colour: Some(Colour::Yellow), ..all.clone() }).await, 15);
    assert_eq!(count(FlagFilter { units: [UnitId(9)].into(), ..all.clone() }).await, 0);
    assert_eq!(count(FlagFilter { rules: [Rule::R08, Rule::R01].into(), ..all.clone() }).await, 30);
    assert_eq!(count(FlagFilter { state: Some(FlagState::Closed), ..all.clone() }).await, 0);
    assert_eq!(count(FlagFilter { outcome: Some(Outcome::Undecidable), ..all.clone() }).await, 0);
    assert_eq!(count(FlagFilter { nature: Some(Nature::Conduct), ..all }).await, 30);
}

/// Words of the columns are those of the JSON, so that both can be searched alike.
#[test]
fn columns_use_the_words_of_the_json() {
    let colours = [Colour::Green, Colour::Grey, Colour::Yellow, Colour::Red];
    let natures = [Nature::Conduct, Nature::Paperwork, Nature::Equipment, Nature::Statistic];
    for (column, json) in flags::words(&colours, &natures) {
        assert_eq!(column, json);
    }
}

fn pieces() -> impl Strategy<Value = Vec<Segment>> {
    let piece = (0..40_i64, 0..10_i64, 0..3_u32, any::<bool>());
    prop::collection::vec(piece, 0..8).prop_map(|list| {
        let make = |(from, length, fixes, is_gap)| match is_gap {
            true => gap(from, from + length),
            false => stop(from, from + length, fixes),
        };
        list.into_iter().map(make).collect()
    })
}

fn stored(segment: &Segment) -> StoredSegment {
    let id = segments::id_of(CAR, segment);
    StoredSegment {
        lineage: id.clone(),
        id,
        device: CAR,
        segment: segment.clone(),
        predecessor: None,
        recorded_at: NOW,
        lsn: Lsn(8),
        superseded_at: None,
        superseded_by: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_revision_leads_to_what_is_wanted_in_whatever_order(
        before in pieces(),
        wanted in pieces(),
        turn in 0..8_usize,
    ) {
        let mut current: Vec<StoredSegment> = before.iter().map(stored).collect();
        current.sort_by(|a, b| a.id.cmp(&b.id));
        current.dedup_by(|a, b| a.id == b.id);
        let (added, gone) = revise_segments(CAR, &current, &wanted);
        let mut after: BTreeSet<String> = current.iter().map(|stored| stored.id.clone()).collect();
        for gone in &gone {
            prop_assert!(after.remove(&gone.id));
        }
        for new in &added {
            prop_assert!(after.insert(new.id.clone()));
            let line = current.iter().find(|stored| Some(&stored.id) == new.predecessor.as_ref());
            prop_assert_eq!(&new.lineage, line.map_or(&new.id, |stored| &stored.lineage));
        }
        let ids: BTreeSet<String> = wanted.iter().map(|segment| segments::id_of(CAR, segment)).collect();
        prop_assert_eq!(&after, &ids);
        prop_assert!(gone.iter().filter_map(|gone| gone.by.as_ref()).all(|by| ids.contains(by)));

        let turned = |n: usize| if n == 0 { 0 } else { turn % n };
        let mut others = (current.clone(), wanted.clone());
        others.0.rotate_left(turned(current.len()));
        others.1.rotate_left(turned(wanted.len()));
        prop_assert_eq!(revise_segments(CAR, &others.0, &others.1), (added, gone));
    }
}
