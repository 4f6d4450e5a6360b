//! R21 补贴区域内用车: a trip wholly inside the zone for which transport allowances are paid.
//!
//! Cars of confidential correspondence, cars on duty and declared emergencies are outside the rule. A trip that an order covers is a figure
//! for reports: somebody answered for it; one without is a question about conduct.

use super::R21;
use super::asking::{finish, missing_feeds};
use crate::finding::{Excuse, Finding, Measure, Missing, Nature, Rule};
use crate::judge::{Draft, Matched, VehicleDay};
use crate::register::{Class, Feed, ZoneKind};
use crate::zones::ZoneRow;

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    let params = &day.settings.params.r21;
    let mut trips = day
        .real_trips()
        .filter(|matched| {
            matched.trip.distance_m >= params.min_distance_m && !is_outside_the_rule(day, matched)
        })
        .peekable();
    let Some(first) = trips.peek() else { return };
    if !day.is_complete(Feed::Areas, day.from, first.trip.end) {
        let missing = Missing::Feed { feed: Feed::Areas };
        findings.push(Draft::new(Rule::R21, day, params).trip(day, first).undecidable(missing).finish());
        return;
    }
    findings.extend(trips.filter_map(|matched| judge_trip(day, matched, params)));
}

/// Confidential correspondence, duty, emergencies: 2.3a, "duty and class exemptions apply".
fn is_outside_the_rule(day: &VehicleDay<'_>, matched: &Matched<'_>) -> bool {
    let trip = matched.trip;
    day.vehicle.row.class == Class::Confidential
        || day.duty(trip.start, trip.end).is_some()
        || day.emergency(trip.start, trip.end, Some(trip.end_at)).is_some()
        || matched.order.is_some_and(|order| order.row.is_emergency)
}

fn judge_trip(day: &VehicleDay<'_>, matched: &Matched<'_>, params: &R21) -> Option<Finding> {
    let trip = matched.trip;
    let zone = zone_around(day, matched)?;
    let draft = Draft::new(Rule::R21, day, params)
        .trip(day, matched)
        .zone(day, zone.id())
        .word("zone", zone.name())
        .measure(Measure::against(
            "distance_m",
            i64::from(trip.distance_m),
            i64::from(params.min_distance_m),
        ));
    let is_answered_for = matched.order.is_some() && matched.matched.recorded_late_s.is_none();
    let draft = match matched.order {
        Some(order) if matched.matched.recorded_late_s.is_none() => {
            draft.nature(Nature::Statistic).excuse(Excuse::OrderNear { no: order.row.no.clone() })
        }
        _ => draft,
    };
    let draft = match day.vehicle.row.class {
        Class::LawEnforcement | Class::Emergency => draft.excuse(Excuse::ClassOnCall),
        _ => draft,
    };
    // Somebody may have answered for it by an order that is not known yet.
    let needs: &[Feed] = if is_answered_for { &[Feed::Duties] } else { &[Feed::Duties, Feed::Orders] };
    let missing = missing_feeds(day, needs, trip.start, trip.end);
    if !missing.is_empty() {
        return Some(finish(draft, missing));
    }
    if trip.gap_s > 0 {
        return Some(draft.excuse(Excuse::PoorTrack).finish());
    }
    Some(draft.finish())
}

/// The allowance zone that holds the trip's start, its end and every usable fix between.
fn zone_around<'a>(day: &VehicleDay<'a>, matched: &Matched<'_>) -> Option<&'a ZoneRow> {
    let trip = matched.trip;
    let fixes = day.points(trip.start, trip.end).iter().filter(|point| point.is_usable());
    let zones = day.world.zones().zones();
    zones
        .filter(|zone| zone.kind() == ZoneKind::Allowance && zone.is_held_by(&day.units))
        .filter(|zone| zone.row.valid.contains(trip.start))
        .filter(|zone| zone.contains(trip.start_at) && zone.contains(trip.end_at))
        .find(|zone| fixes.clone().all(|point| zone.contains(point.at)))
}

#[cfg(test)]
mod tests {
    use crate::UtcMillis;
    use crate::finding::{Excuse, Missing, Nature, Rule};
    use crate::judge::testing::{BUREAU, COUNTY, DEPOT_AT, Scene, at, place};
    use crate::register::{Class, Duty, Emergency, Feed, Span, Versioned, ZoneKind};

    const DAY: &str = "2026-04-07";

    /// An allowance zone of 5 km around the depot, and a trip of 3 km in it.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.zone("城区", ZoneKind::Allowance, DEPOT_AT, 5_000);
        scene.register.zones.last_mut().unwrap().row.unit = Some(COUNTY);
        scene.drive("2026-04-07 10:00", "2026-04-07 10:10", place(3_000.0, 0.0));
        scene
    }

    #[test]
    fn a_trip_wholly_inside_is_asked_about() {
        let found = scene().flag(Rule::R21, DAY);
        assert_eq!(found.nature, Nature::Conduct);
        assert_eq!(found.versions.zones.len(), 1);
    }

    #[test]
    fn a_trip_that_leaves_the_zone_anywhere_is_clear() {
        let mut scene = Scene::new();
        scene.zone("城区", ZoneKind::Allowance, DEPOT_AT, 5_000);
        let way = [place(5_100.0, 0.0), place(3_000.0, 0.0)];
        scene.drive_along("2026-04-07 10:00", "2026-04-07 10:20", &way);
        scene.clear(Rule::R21, DAY);
    }

    #[test]
    fn a_trip_below_the_least_distance_is_clear() {
        for (east_m, found) in [(301.0, 1), (299.0, 0)] {
            let mut scene = Scene::new();
            scene.zone("城区", ZoneKind::Allowance, DEPOT_AT, 5_000);
            scene.drive("2026-04-07 10:00", "2026-04-07 10:10", place(east_m, 0.0));
            assert_eq!(scene.found(Rule::R21, DAY).len(), found, "{east_m}");
        }
    }

    #[test]
    fn an_order_in_time_makes_it_a_figure_and_a_late_one_does_not() {
        let mut scene = scene();
        scene.order("7", "2026-04-07 09:50", "2026-04-07 11:00", place(3_000.0, 0.0));
        let found = scene.flag(Rule::R21, DAY);
        assert_eq!(found.nature, Nature::Statistic);
        assert!(found.excuses.contains(&Excuse::OrderNear { no: "7".to_owned() }));
        scene.register.orders[0].recorded_at = at("2026-04-08 09:00");
        assert_eq!(scene.flag(Rule::R21, DAY).nature, Nature::Conduct);
    }

    #[test]
    fn duty_emergency_and_confidential_cars_are_outside_the_rule() {
        let today = Span::new(at("2026-04-07 00:00"), at("2026-04-08 00:00"));
        let mut on_duty = scene();
        let duty = Duty { unit: BUREAU, ..Duty::default() };
        on_duty.register.duties.push(Versioned::first(1, UtcMillis(0), duty).during(today));
        on_duty.clear(Rule::R21, DAY);
        let mut flood = scene();
        let emergency = Emergency { document: "防汛1号".to_owned(), ..Emergency::default() };
        flood.register.emergencies.push(Versioned::first(1, UtcMillis(0), emergency).during(today));
        flood.clear(Rule::R21, DAY);
        let mut confidential = scene();
        confidential.register.vehicles[0].row.class = Class::Confidential;
        confidential.clear(Rule::R21, DAY);
        let mut enforcement = scene();
        enforcement.register.vehicles[0].row.class = Class::LawEnforcement;
        assert!(enforcement.flag(Rule::R21, DAY).excuses.contains(&Excuse::ClassOnCall));
    }

    #[test]
    fn areas_and_rosters_that_are_not_complete_make_it_undecidable() {
        for feed in [Feed::Areas, Feed::Duties, Feed::Orders] {
            let mut scene = scene();
            scene.incomplete(feed);
            assert_eq!(scene.undecidable(Rule::R21, DAY).missing, [Missing::Feed { feed }]);
        }
    }
}
