//! Which vehicle-days a change of the registry touches.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::register::{
    Binding, CalendarYear, DeviceWork, Duty, Emergency, Exemption, Order, Register, Rental, Row as _,
    RuleSet, Span, Transfer, Unit, Vehicle, Versioned, Watermark, WorkingHours, Zone,
};
use motorpool_supervision::world::World;

use super::days::Days;
use crate::registry::{Changed, Known, Registry};

/// What the registers said before the changes, as far as the days that these touch depend on it.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Where marks of completeness that were moved say something else than before.
    moved: BTreeMap<i64, Span>,
    /// Bindings and work orders on devices, where some of them changed.
    register: Register,
}

impl Before {
    /// Reads what was known at the change `seen`; `changes` are those since, up to the change `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn read(
        registry: &Registry,
        changes: &[Changed],
        seen: i64,
        now: i64,
    ) -> Result<Self, crate::registry::Error> {
        let has = |kind: &str| changes.iter().any(|change| change.kind == kind);
        let mut before = Self::default();
        if has(Watermark::KIND) {
            let old: Vec<Versioned<Watermark>> = registry.rows(Known::Change(seen)).await?;
            before.moved = moved_marks(&old, &registry.rows(Known::Change(now)).await?);
        }
        if has(Binding::KIND) || has(DeviceWork::KIND) {
            before.register.bindings = registry.rows(Known::Change(seen)).await?;
            before.register.device_works = registry.rows(Known::Change(seen)).await?;
        }
        Ok(before)
    }
}

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

/// The vehicle-days within `within` that `changes` touch, in the registry as it is after them.
pub(super) fn touched(
    world: &World,
    changes: &[Changed],
    before: &Before,
    within: &RangeInclusive<Date>,
) -> Days {
    let mut days = Days::default();
    let devices = Devices::of(changes, [&before.register, world.register()]);
    // An import adds thousands of rows that matter to every car since ever: each range is spread over the fleet once.
    let mut spread = BTreeSet::new();
    for change in changes {
        devices.add_fitted_days(world, change, within, &mut days);
        let span = before.moved.get(&change.id).filter(|_| change.kind == Watermark::KIND).copied();
        let span = span.unwrap_or(change.touched);
        let Some(range) = touched_days(world, span, within) else { continue };
        if change.vehicles.is_empty() {
            let units = if change.kind == Unit::KIND { BTreeSet::new() } else { change.units.clone() };
            if !spread.insert((*range.start(), *range.end(), units, own_vehicle(change))) {
                continue;
            }
        }
        for vehicle in touched_vehicles(world, change).into_iter().chain(devices.cars_worked_on(change)) {
            days.add(vehicle, range.clone());
        }
    }
    days
}

/// The devices that changed rows are about, and the cars that these were ever in, before the changes or after. A device that was moved is
/// asked about (R23) in the car that it is in, whichever car the paper names and whichever it was in before.
#[derive(Debug, Default)]
struct Devices {
    worked_on: BTreeMap<i64, BTreeSet<DeviceId>>,
    bound: BTreeMap<i64, BTreeSet<DeviceId>>,
    /// The cars, and when the device was fitted in each.
    cars: BTreeMap<DeviceId, BTreeSet<(VehicleId, UtcMillis)>>,
}

impl Devices {
    fn of(changes: &[Changed], registers: [&Register; 2]) -> Self {
        let ids = |kind: &str| -> BTreeSet<i64> {
            changes.iter().filter(|change| change.kind == kind).map(|change| change.id).collect()
        };
        let (works, bindings) = (ids(DeviceWork::KIND), ids(Binding::KIND));
        let mut devices = Self::default();
        if works.is_empty() && bindings.is_empty() {
            return devices;
        }
        for register in registers {
            for work in register.device_works.iter().filter(|work| works.contains(&work.id)) {
                devices.worked_on.entry(work.id).or_default().insert(work.row.device);
            }
            for binding in &register.bindings {
                let device = binding.row.device;
                let fitted = (binding.row.vehicle, binding.valid.from);
                devices.cars.entry(device).or_default().insert(fitted);
                if bindings.contains(&binding.id) {
                    devices.bound.entry(binding.id).or_default().insert(device);
                }
            }
        }
        devices
    }

    fn cars(&self, devices: Option<&BTreeSet<DeviceId>>) -> impl Iterator<Item = (VehicleId, UtcMillis)> {
        let cars = devices.into_iter().flatten().filter_map(|device| self.cars.get(device));
        cars.flatten().copied()
    }

    /// Every car that a device was ever in on which there is a changed work order.
    fn cars_worked_on(&self, change: &Changed) -> BTreeSet<VehicleId> {
        let devices = self.worked_on.get(&change.id).filter(|_| change.kind == DeviceWork::KIND);
        self.cars(devices).map(|(vehicle, _)| vehicle).collect()
    }

    /// Where a device was before is asked on the day on which it was fitted in another car, however much later.
    fn add_fitted_days(
        &self,
        world: &World,
        change: &Changed,
        within: &RangeInclusive<Date>,
        days: &mut Days,
    ) {
        let devices = self.bound.get(&change.id).filter(|_| change.kind == Binding::KIND);
        for (vehicle, fitted) in self.cars(devices) {
            let day = world.local(fitted).0;
            if within.contains(&day) {
                days.add(vehicle, day..=day);
            }
        }
    }
}

/// The time over which marks of completeness say something else than before: from where each was to where it is, however often it was
/// moved meanwhile.
fn moved_marks(old: &[Versioned<Watermark>], new: &[Versioned<Watermark>]) -> BTreeMap<i64, Span> {
    let (old, new) = (newest(old), newest(new));
    let moved = new.into_iter().filter_map(|(id, new)| {
        let old = old.get(&id).filter(|old| (old.unit, old.feed) == (new.unit, new.feed))?;
        let from = if old.complete_from == new.complete_from {
            old.complete_to.min(new.complete_to)
        } else {
            old.complete_from.min(new.complete_from)
        };
        Some((id, Span::new(from, old.complete_to.max(new.complete_to))))
    });
    moved.collect()
}

/// What the newest known version of each mark says: the one that counts.
fn newest(marks: &[Versioned<Watermark>]) -> BTreeMap<i64, &Watermark> {
    let mut newest: BTreeMap<i64, &Versioned<Watermark>> = BTreeMap::new();
    for mark in marks {
        let kept = newest.entry(mark.id).or_insert(mark);
        if kept.version < mark.version {
            *kept = mark;
        }
    }
    newest.into_iter().map(|(id, mark)| (id, &mark.row)).collect()
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
        CalendarYear::KIND,
        WorkingHours::KIND,
    ]
    .contains(&change.kind.as_str())
}
