//! Which vehicle-days a change of the registry touches.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::register::{Order, Register, Row as _, Span, Unit, Vehicle, Watermark};
use motorpool_supervision::world::World;

use super::days::Days;
use crate::registry::Changed;

/// The days on which a change can make a difference: from its first instant to its last, and, because rules look back, some weeks after.
/// An order can be why a day earlier a trip was matched otherwise, so a day before counts too.
fn touched_days(world: &World, touched: Span, within: &RangeInclusive<Date>) -> Option<RangeInclusive<Date>> {
    let day = |at: UtcMillis, by: i64| {
        // What holds since ever has no local date.
        if at.0 <= Span::ALWAYS.from.0 / 2 {
            return *within.start();
        }
        world.local(at).0.saturating_add(jiff::Span::new().days(by))
    };
    let first = day(touched.from, -1).max(*within.start());
    let last = touched.to.map_or(*within.end(), |to| day(to, LOOK_BACK_DAYS)).min(*within.end());
    (first <= last).then_some(first..=last)
}

/// The vehicle that a change of the vehicle itself is about.
fn own_vehicle(change: &Changed) -> Option<VehicleId> {
    (change.kind == Vehicle::KIND).then_some(VehicleId(change.id))
}

/// The vehicles that a change matters to: those it names, else those of the units it names and below, else all.
fn touched_vehicles(world: &World, change: &Changed, at: UtcMillis) -> BTreeSet<VehicleId> {
    if !change.vehicles.is_empty() {
        return change.vehicles.clone();
    }
    if let Some(vehicle) = own_vehicle(change) {
        return [vehicle].into();
    }
    if change.units.is_empty() || change.kind == Unit::KIND {
        return world.vehicle_ids().collect();
    }
    let is_below = |vehicle: &VehicleId| {
        let owner = world.vehicle(*vehicle, at).map(|row| row.row.unit);
        let units = owner.into_iter().chain(world.using_unit(*vehicle, at));
        units.flat_map(|unit: UnitId| world.unit_path(unit, at)).any(|unit| change.units.contains(&unit))
    };
    world.vehicle_ids().filter(is_below).collect()
}

/// The vehicle-days within `within` that `changes` touch, in the registry as it is now.
pub(super) fn touched(
    world: &World,
    changes: &[Changed],
    within: &RangeInclusive<Date>,
    now: UtcMillis,
) -> Days {
    let mut days = Days::default();
    // An import adds thousands of rows that matter to every car since ever: each range is spread over the fleet once.
    let mut spread = BTreeSet::new();
    for change in changes {
        let span = if change.kind == Watermark::KIND {
            moved(world.register(), change, now)
        } else {
            change.touched
        };
        let Some(range) = touched_days(world, span, within) else { continue };
        if change.vehicles.is_empty() {
            let units = if change.kind == Unit::KIND { BTreeSet::new() } else { change.units.clone() };
            if !spread.insert((*range.start(), *range.end(), units, own_vehicle(change))) {
                continue;
            }
        }
        for vehicle in touched_vehicles(world, change, now) {
            days.add(vehicle, range.clone());
        }
    }
    days
}

/// A mark of completeness that moved decides only what lies behind where it was: the orders of last year were complete before, too.
fn moved(register: &Register, change: &Changed, now: UtcMillis) -> Span {
    let marks = register.watermarks.iter().filter(|mark| mark.id == change.id);
    let reached = marks.map(|mark| mark.row.complete_to).max().unwrap_or(now);
    let first_version = register.watermarks.iter().any(|mark| mark.id == change.id && mark.version == 1);
    if first_version {
        return change.touched;
    }
    // Feeds are declared complete in steps of days; a month covers every step that offices use.
    const MONTH_MS: i64 = 31 * 86_400_000;
    Span::new(UtcMillis(reached.0.min(now.0).saturating_sub(MONTH_MS)), reached)
}

/// Whether a change is about orders, which rules of the whole fleet look at.
pub(super) fn is_about_orders(change: &Changed) -> bool {
    change.kind == Order::KIND
}
