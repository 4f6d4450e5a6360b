//! R21 补贴区域内用车: a trip wholly inside the zone for which transport allowances are paid.
//!
//! Cars of confidential correspondence, cars on duty and declared emergencies are outside the rule. A trip that an order covers is a figure
//! for reports: somebody answered for it; one without is a question about conduct.

use super::R21;
use crate::finding::{Excuse, Finding, Measure, Missing, Nature, Rule};
use crate::judge::{Draft, Matched, VehicleDay};
use crate::point::Position;
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
    if !day.is_complete(Feed::Duties, trip.start, trip.end) {
        return Some(draft.undecidable(Missing::Feed { feed: Feed::Duties }).finish());
    }
    if trip.gap_s > 0 {
        return Some(draft.excuse(Excuse::PoorTrack).finish());
    }
    Some(draft.finish())
}

/// The allowance zone that holds the trip's start, its end and every usable fix between.
fn zone_around<'a>(day: &VehicleDay<'a>, matched: &Matched<'_>) -> Option<&'a ZoneRow> {
    let trip = matched.trip;
    let fixes =
        day.points(trip.start, trip.end).iter().filter(|point| point.is_usable()).map(|point| point.at);
    let places: Vec<Position> = [trip.start_at, trip.end_at].into_iter().chain(fixes).collect();
    let zones = day.world.zones().zones();
    zones
        .filter(|zone| zone.kind() == ZoneKind::Allowance && zone.is_held_by(&day.units))
        .filter(|zone| zone.row.valid.contains(trip.start))
        .find(|zone| places.iter().all(|at| zone.contains(*at)))
}
