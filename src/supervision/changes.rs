//! Which vehicle-days a change of the registry touches.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::register::{
    Binding, Duty, Emergency, Exemption, Order, Rental, Row as _, RuleSet, Span, Transfer, Unit, Vehicle,
    Watermark, Zone,
};
use motorpool_supervision::world::World;

use super::days::Days;
use crate::registry::{Changed, Registry};

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
    let last = touched.to.map_or_else(|| *within.end(), |to| day(to, LOOK_BACK_DAYS)).min(*within.end());
    (first <= last).then_some(first..=last)
}

/// The vehicle that a change of the vehicle itself is about.
fn own_vehicle(change: &Changed) -> Option<VehicleId> {
    (change.kind == Vehicle::KIND).then_some(VehicleId(change.id))
}

/// The vehicles that a change matters to: those it names, else those of the units it names and below, else all. A vehicle that changed its
/// unit belongs to each that it had.
fn touched_vehicles(world: &World, change: &Changed) -> BTreeSet<VehicleId> {
    if !change.vehicles.is_empty() {
        return change.vehicles.clone();
    }
    if let Some(vehicle) = own_vehicle(change) {
        return [vehicle].into();
    }
    if change.units.is_empty() || change.kind == Unit::KIND {
        return world.vehicle_ids().collect();
    }
    let register = world.register();
    let owned = register.vehicles.iter().map(|row| (VehicleId(row.id), row.row.unit, row.valid));
    let lent = register.transfers.iter().map(|row| (row.row.vehicle, row.row.to, row.valid));
    let is_below = |unit: UnitId, valid: Span| {
        // The unit tree at either end of the time: units move more rarely than cars.
        let ends = [valid.from, valid.to.unwrap_or(UtcMillis(i64::MAX / 4))];
        ends.into_iter().flat_map(|at| world.unit_path(unit, at)).any(|unit| change.units.contains(&unit))
    };
    owned
        .chain(lent)
        .filter(|(_, unit, valid)| is_below(*unit, *valid))
        .map(|(vehicle, ..)| vehicle)
        .collect()
}

/// The vehicle-days within `within` that `changes` touch, in the registry as it is now. `moved` holds what [`moved_marks`] found.
pub(super) fn touched(
    world: &World,
    changes: &[Changed],
    moved: &BTreeMap<i64, Span>,
    within: &RangeInclusive<Date>,
) -> Days {
    let mut days = Days::default();
    // An import adds thousands of rows that matter to every car since ever: each range is spread over the fleet once.
    let mut spread = BTreeSet::new();
    for change in changes {
        let span = moved.get(&change.id).filter(|_| change.kind == Watermark::KIND).copied();
        let span = span.unwrap_or(change.touched);
        let Some(range) = touched_days(world, span, within) else { continue };
        if change.vehicles.is_empty() {
            let units = if change.kind == Unit::KIND { BTreeSet::new() } else { change.units.clone() };
            if !spread.insert((*range.start(), *range.end(), units, own_vehicle(change))) {
                continue;
            }
        }
        for vehicle in touched_vehicles(world, change) {
            days.add(vehicle, range.clone());
        }
    }
    days
}

/// The time over which marks of completeness say something else than before: from where each was to where it is.
///
/// # Errors
/// When the database fails.
pub(super) async fn moved_marks(
    registry: &Registry,
    changes: &[Changed],
) -> Result<BTreeMap<i64, Span>, crate::registry::Error> {
    let mut moved = BTreeMap::new();
    for change in changes.iter().filter(|change| change.kind == Watermark::KIND) {
        let versions = registry.history::<Watermark>(change.id).await?;
        let last: Vec<&Watermark> = versions.iter().rev().take(2).map(|(version, _)| &version.row).collect();
        if let [new, old] = last.as_slice() {
            let from = if old.complete_from == new.complete_from {
                old.complete_to.min(new.complete_to)
            } else {
                old.complete_from.min(new.complete_from)
            };
            moved.insert(change.id, Span::new(from, old.complete_to.max(new.complete_to)));
        }
    }
    Ok(moved)
}

/// Whether rules of the whole fleet look at rows of this kind.
pub(super) fn is_about_the_fleet(change: &Changed) -> bool {
    [
        Order::KIND,
        Rental::KIND,
        Watermark::KIND,
        Exemption::KIND,
        Zone::KIND,
        Binding::KIND,
        RuleSet::KIND,
        Transfer::KIND,
        Vehicle::KIND,
        Unit::KIND,
        Duty::KIND,
        Emergency::KIND,
    ]
    .contains(&change.kind.as_str())
}
