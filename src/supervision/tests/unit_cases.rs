//! Cases about the orders of a unit are told only of the days that were asked about.

use std::collections::BTreeSet;

use jiff::civil::Date;
use motorpool_supervision::cases::Cause;
use motorpool_supervision::finding::{Colour, FixesUsed, Nature, Outcome, Versions};

use super::*;
use crate::registry::{Judgement, Known, RowScope, revise_flags};

/// The share of late orders of the unit, as if asked on this day.
fn late_share(day: Date) -> Finding {
    Finding {
        rule: Rule::R22,
        rule_version: 1,
        aspect: "late_share".into(),
        outcome: Outcome::Flag,
        colour: Colour::Yellow,
        nature: Nature::Paperwork,
        is_trial: false,
        vehicle: VehicleId::default(),
        unit: UnitId(1),
        day,
        from: after(0),
        to: after(DAY_S),
        at: None,
        trips: Vec::new(),
        measures: Vec::new(),
        orders: Vec::new(),
        missing: Vec::new(),
        excuses: Vec::new(),
        fixes: FixesUsed::default(),
        params: serde_json::Value::Null,
        versions: Versions::default(),
        words: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_that_are_tried_again_say_nothing_about_those_between_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let house = House::open(dir.path()).await;
    let registry = &house.registry;
    let (first, between, last) =
        (Date::constant(2026, 3, 4), Date::constant(2026, 3, 6), Date::constant(2026, 3, 8));
    let (flags, _) = revise_flags(&[], &[late_share(between)], "");
    registry.commit_judgement(&Judgement { flags, ..Judgement::default() }, LATER).await.expect("a flag");
    let scope = RowScope::Vehicles(BTreeSet::new());
    let (world, _) =
        judging::world(registry, &scope, "Asia/Shanghai", (first, last), Known::Now).await.expect("a world");
    let nobody = VehicleId::default();
    for days in [BTreeSet::from([between]), BTreeSet::from([first, last])] {
        cases::sync(registry, &world, nobody, &days, &Cause::LateFixes, LATER).await.expect("in step");
        let log = cases::load_events(registry, "u1-2026-03-06").await.expect("a case");
        assert_eq!(log.len(), 1, "{log:#?}");
    }
}
