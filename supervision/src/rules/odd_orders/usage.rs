//! What an order shows beside the other orders of its car and beside the car's trips.

use super::{Paper, against, count, draft, lacks_orders};
use crate::UtcMillis;
use crate::finding::{Finding, Missing, Nature};
use crate::ids::OrderId;
use crate::judge::{FleetDay, FleetVehicle};
use crate::rules::whereabouts::{moved, seconds};
use crate::trips::Segment;

/// 一车多单: orders whose planned times overlap, for one car.
pub(super) fn many_for_one_car(
    fleet: &FleetDay<'_>,
    earlier: &[Paper<'_>],
    paper: &Paper<'_>,
) -> Option<Finding> {
    let row = paper.row();
    let overlaps = |other: &&Paper<'_>| {
        let before = other.row();
        let replaces = !row.replaces.is_empty() && row.replaces == before.no;
        let is_replaced = !before.replaces.is_empty() && before.replaces == row.no;
        before.vehicle == row.vehicle && before.planned_in > row.planned_out && !replaces && !is_replaced
    };
    let others: Vec<_> = earlier.iter().filter(overlaps).collect();
    let longest_s =
        others.iter().map(|other| overlap_s(other, paper)).max().filter(|longest_s| *longest_s > 0)?;
    let draft = draft(fleet, "one_car_many_orders", paper, &others)
        .nature(Nature::Paperwork)
        .measure(against("overlap_s", longest_s, 0))
        .measure(against("orders", count(others.len()) + 1, 1));
    Some(match lacks_orders(fleet, row.unit, row.planned_out, row.planned_out) {
        Some(missing) => draft.undecidable(missing).finish(),
        None => draft.finish(),
    })
}

fn overlap_s(a: &Paper<'_>, b: &Paper<'_>) -> i64 {
    seconds(a.row().planned_out.max(b.row().planned_out), a.row().planned_in.min(b.row().planned_in))
}

/// 虚假派单: an order whose time is over, for which the car never left.
pub(super) fn without_trip(fleet: &FleetDay<'_>, paper: &Paper<'_>) -> Option<Finding> {
    let row = paper.row();
    let car = fleet.vehicles.iter().find(|car| car.id() == row.vehicle)?;
    let slack_s = fleet.settings(&fleet.units(row.unit)).params.matching.slack_s;
    let over = moved(row.planned_in, slack_s);
    if car.history.known_to < over || !is_unused(car, paper) {
        return None;
    }
    let draft = draft(fleet, "ghost_order", paper, &[]).nature(Nature::Paperwork).measure(against(
        "planned_s",
        seconds(row.planned_out, row.planned_in),
        0,
    ));
    if let Some(missing) = lacks_orders(fleet, row.unit, row.planned_out, row.planned_in) {
        return Some(draft.undecidable(missing).finish());
    }
    if !is_track_known(car, row.planned_out, row.planned_in) {
        return Some(draft.undecidable(Missing::Fixes).finish());
    }
    Some(draft.finish())
}

fn is_unused(car: &FleetVehicle<'_>, paper: &Paper<'_>) -> bool {
    car.orders.iter().any(|matched| matched.order == OrderId(paper.order.id) && matched.is_unused)
}

/// Whether trips and stops account for all of the time: a gap that moved the car, or an end of the data, may hide the trip.
fn is_track_known(car: &FleetVehicle<'_>, from: UtcMillis, to: UtcMillis) -> bool {
    let mut known_to = from;
    for segment in car.history.segments {
        let (start, end) = match segment {
            Segment::Trip(trip) => (trip.start, trip.end),
            Segment::Stop(stop) => (stop.start, stop.end),
            Segment::Gap(_) => continue,
        };
        if start <= known_to {
            known_to = known_to.max(end);
        }
    }
    known_to >= to
}
