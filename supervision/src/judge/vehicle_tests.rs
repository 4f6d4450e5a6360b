use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::finding::{Colour, Finding, Nature, Outcome};
use crate::judge::colour_of;
use crate::judge::testing::*;
use crate::register::{Emergency, Exemption, Feed, RuleSetState, SensitiveKind, Span, Versioned, ZoneKind};

fn errand() -> Scene {
    let mut scene = Scene::new();
    scene.drive("2026-04-08 09:00", "2026-04-08 09:15", place(5_000.0, 0.0));
    scene.drive("2026-04-08 09:20", "2026-04-08 09:35", DEPOT_AT);
    scene
}

#[test]
fn a_quiet_day_is_green() {
    let findings = Scene::new().judge("2026-04-08", "2026-04-08");
    assert_eq!(findings, vec![]);
    assert_eq!(colour_of(&findings), Colour::Green);
}

#[test]
fn colours_are_those_of_the_worst_flag_and_grey_only_when_nothing_else() {
    let yellow = errand().flag_all("2026-04-08");
    assert_eq!(colour_of(&yellow), Colour::Yellow);
    let mut scene = errand();
    scene.incomplete(Feed::Orders);
    let grey = scene.flag_all("2026-04-08");
    assert!(grey.iter().all(|found| found.outcome == Outcome::Undecidable));
    assert_eq!(colour_of(&grey), Colour::Grey);
    assert_eq!(colour_of(yellow.iter().chain(&grey)), Colour::Yellow);
}

impl Scene {
    fn flag_all(&self, day: &str) -> Vec<Finding> {
        self.judge(day, day)
    }
}

#[test]
fn on_trial_everything_is_judged_and_nothing_colours() {
    let mut scene = errand();
    scene.register.rule_sets[0].row.state = RuleSetState::Trial;
    let findings = scene.judge("2026-04-08", "2026-04-08");
    assert!(!findings.is_empty() && findings.iter().all(|found| found.is_trial));
    assert_eq!(colour_of(&findings), Colour::Green);
}

#[test]
fn parameters_of_the_unit_count_and_are_kept_with_the_finding() {
    let mut scene = errand();
    scene.params(json!({"r01": {"min_distance_m": 5_001}}));
    scene.clear(Rule::R01, "2026-04-08");
    scene.params(json!({"r01": {"min_distance_m": 4_999}}));
    let found = &scene.found(Rule::R01, "2026-04-08")[0];
    assert_eq!(found.params["min_distance_m"], json!(4_999));
    assert_eq!(found.versions.rule_sets, [("county".to_owned(), 1)]);
}

#[test]
fn exemptions_lift_and_are_counted() {
    let mut scene = errand();
    let row = Exemption { unit: Some(COUNTY), rules: vec![Rule::R01], ..Exemption::default() };
    let span = Span::new(at("2026-04-01 00:00"), at("2026-04-09 00:00"));
    scene.register.exemptions.push(Versioned::first(1, at("2026-04-01 00:00"), row).during(span));
    let segments = scene.all_segments();
    let history =
        VehicleHistory { vehicle: CAR, segments: &segments, points: &scene.points, known_to: scene.known_to };
    let judged = judge_vehicle_counting(&scene.world(), history, date("2026-04-08")..=date("2026-04-08"));
    assert_eq!(judged.exempted, [(Rule::R01, 2)].into());
    assert!(judged.findings.iter().all(|found| found.rule != Rule::R01));
}

#[test]
fn an_emergency_counts_in_its_area_only() {
    let mut scene = errand();
    let area = scene.zone("防汛区", ZoneKind::Area, DEPOT_AT, 1_000);
    let row = Emergency { what: "防汛".to_owned(), area: Some(area), ..Emergency::default() };
    scene.register.emergencies.push(Versioned::first(1, at("2026-04-01 00:00"), row));
    let natures: Vec<_> = scene.found(Rule::R01, "2026-04-08").iter().map(|found| found.nature).collect();
    // The first trip ends 5 km away, the second in the depot.
    assert_eq!(natures, [Nature::Conduct, Nature::Paperwork]);
}

#[test]
fn an_order_that_was_cancelled_or_given_to_another_car_since_covers_nothing() {
    let mut scene = errand();
    let first = scene.order("甲1", "2026-04-08 08:50", "2026-04-08 11:00", place(5_000.0, 0.0)).clone();
    scene.clear(Rule::R01, "2026-04-08");
    let second = |change: &dyn Fn(&mut Order)| {
        let mut order = first.clone();
        order.version = 2;
        change(&mut order.row);
        let mut scene = scene.clone();
        scene.register.orders.push(order);
        scene.found(Rule::R01, "2026-04-08").len()
    };
    assert_eq!(second(&|order| order.state = crate::register::OrderState::Settled), 0);
    assert_eq!(second(&|order| order.state = crate::register::OrderState::Cancelled), 2);
    assert_eq!(second(&|order| order.vehicle = crate::ids::VehicleId(8)), 2);
}

#[test]
fn a_car_that_is_not_in_the_register_is_not_judged() {
    let mut scene = errand();
    scene.register.vehicles[0].valid = Span::new(at("2026-05-01 00:00"), at("2026-06-01 00:00"));
    assert_eq!(scene.judge("2026-04-08", "2026-04-08"), vec![]);
}

/// Weeks of a car that is out at odd times, with and without orders.
fn weeks(uses: &[(u8, u8, u8, u8)]) -> Scene {
    let mut scene = Scene::new();
    let mut free = at("2026-04-06 00:00");
    for (number, (day, hour, kind, order)) in uses.iter().enumerate() {
        let out = format!("2026-04-{:02} {hour:02}:00", 6 + day);
        let back = format!("2026-04-{:02} {hour:02}:50", 6 + day);
        if at(&out) < free {
            continue;
        }
        free = at(&back);
        let to = [place(5_000.0, 0.0), place(36_000.0, 0.0), DEPOT_AT][usize::from(kind % 3)];
        scene.drive(&out, &back, to);
        if order % 2 == 0 {
            let row = scene.order(&format!("甲{number}"), &out, &back, place(5_000.0, 0.0));
            row.row.planned_in = UtcMillis(row.row.planned_in.0 + i64::from(*order) * 3_600_000);
        }
    }
    scene.zone("某茶楼", ZoneKind::Sensitive(SensitiveKind::TeaHouse), place(5_000.0, 0.0), 30);
    scene
}

prop_compose! {
    fn uses()(mut uses in proptest::collection::vec((0_u8..20, 0_u8..24, 0_u8..3, 0_u8..8), 0..24))
        -> Vec<(u8, u8, u8, u8)> {
        uses.sort_unstable();
        uses
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn day_by_day_is_the_same_as_all_at_once(uses in uses()) {
        let scene = weeks(&uses);
        let all = scene.judge("2026-04-06", "2026-04-28");
        let each: Vec<_> = (6..=28)
            .flat_map(|day| scene.judge(&format!("2026-04-{day:02}"), &format!("2026-04-{day:02}")))
            .collect();
        prop_assert_eq!(all, each);
    }

    #[test]
    fn what_lies_before_the_days_looked_back_does_not_matter(uses in uses(), shift in 0_u8..20) {
        let mut scene = weeks(&uses);
        scene.known_to = at("2026-06-30 00:00");
        for day in 0..20_u8 {
            let date = format!("2026-05-{:02}", 10 + day);
            let to = if (day + shift) % 3 == 0 { place(5_000.0, 0.0) } else { DEPOT_AT };
            scene.drive(&format!("{date} 19:30"), &format!("{date} 20:15"), to);
        }
        let judge = |segments: &[Segment], points: &[crate::point::Point]| {
            let history =
                VehicleHistory { vehicle: CAR, segments, points, known_to: at("2026-05-31 12:00") };
            judge_vehicle(&scene.world(), history, date("2026-05-28")..=date("2026-05-28"))
        };
        let segments = scene.all_segments();
        let first = at("2026-04-23 00:00");
        let is_recent = |segment: &&Segment| match segment {
            Segment::Trip(trip) => trip.start >= first,
            Segment::Stop(stop) => stop.end >= first,
            Segment::Gap(gap) => gap.end >= first,
        };
        let recent: Vec<_> = segments.iter().filter(is_recent).cloned().collect();
        let points: Vec<_> = scene.points.iter().filter(|point| point.time >= at("2026-05-28 00:00")).copied().collect();
        prop_assert_eq!(judge(&segments, &scene.points), judge(&recent, &points));
    }

    #[test]
    fn the_order_of_rows_and_duplicates_do_not_matter(uses in uses(), turn in 0_usize..9) {
        let scene = weeks(&uses);
        let mut other = scene.clone();
        let orders = &mut other.register.orders;
        orders.extend(scene.register.orders.iter().take(2).cloned());
        let turn = turn.min(orders.len());
        orders.rotate_left(turn);
        other.register.zones.reverse();
        other.register.watermarks.reverse();
        other.register.calendar_years.reverse();
        prop_assert_eq!(scene.judge("2026-04-06", "2026-04-28"), other.judge("2026-04-06", "2026-04-28"));
    }

    #[test]
    fn no_identity_is_given_twice(uses in uses()) {
        let findings = weeks(&uses).judge("2026-04-06", "2026-04-28");
        let mut ids: Vec<_> = findings.iter().map(Finding::id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), findings.len());
    }
}
