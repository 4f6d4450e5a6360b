//! Cuts registers down to what judging one vehicle needs: no more personal data leaves the house than the case takes.
//!
//! Whatever a rule reads must stay, or a pack would not give its finding again: also the zones that papers name in words, the plates
//! that findings say, and where a device was before. Rows stay or go with all their versions, because the newest one counts.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use crate::UtcMillis;
use crate::ids::{DeviceId, UnitId, VehicleId, ZoneId};
use crate::point::Position;
use crate::register::{Binding, Driver, Order, Register, Rental, Shape, Vehicle, Versioned, Zone, ZoneKind};
use crate::world::World;

/// Zones further from everything the vehicle did than this take no part in what rules say of places, degrees of latitude (about 22 km).
const ZONE_MARGIN_E7: i32 = 2_000_000;
/// The month before counts for patterns of orders, the one after for papers that came late.
const MONTH_MS: i64 = 31 * 86_400_000;

/// What a pack is about.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct ExcerptOf<'a> {
    /// The vehicle, and those that findings of the fleet need.
    pub vehicles: &'a BTreeSet<VehicleId>,
    /// The unit, when the case is about its papers.
    pub unit: Option<UnitId>,
    /// First instant that judging looks at.
    pub from: UtcMillis,
    /// Last instant that judging looks at.
    pub to: UtcMillis,
}

/// The rows of `world` that judging what `of` names looks at. `places` are the positions of the tracks and segments.
///
/// Rows about the whole fleet (units, calendars, rule sets, emergencies) stay; rows about other vehicles, and drivers nobody names, do not.
/// Of another vehicle that a finding names only the plate stays.
#[must_use]
pub fn excerpt(world: &World, of: ExcerptOf<'_>, places: impl IntoIterator<Item = Position>) -> Register {
    let ExcerptOf { vehicles, unit, from, to } = of;
    let all = world.register();
    let units = units_of(world, of);
    let has = |vehicle: VehicleId| vehicles.contains(&vehicle);
    let (from, to) = (UtcMillis(from.0.saturating_sub(MONTH_MS)), UtcMillis(to.0.saturating_add(MONTH_MS)));
    let near = |at: UtcMillis| from <= at && at <= to;
    let mut cut = Register {
        units: all.units.clone(),
        bindings: bindings(all, vehicles),
        orders: only(&all.orders, |o| {
            has(o.row.vehicle) && o.row.planned_out <= to && o.row.planned_in >= from
        }),
        duties: only(&all.duties, |d| {
            d.valid.overlaps(from, to) && d.row.vehicle.map_or_else(|| units.contains(&d.row.unit), has)
        }),
        emergencies: only(&all.emergencies, |e| e.valid.overlaps(from, to)),
        seals: only(&all.seals, |s| has(s.row.vehicle)),
        transfers: only(&all.transfers, |t| has(t.row.vehicle)),
        places: all.places.clone(),
        calendar_years: all.calendar_years.clone(),
        working_hours: all.working_hours.clone(),
        rule_sets: all.rule_sets.clone(),
        exemptions: only(&all.exemptions, |e| {
            e.row.vehicle.is_none_or(has) && e.row.unit.is_none_or(|unit| units.contains(&unit))
        }),
        watermarks: only(&all.watermarks, |w| w.row.unit.is_none_or(|unit| units.contains(&unit))),
        reports: only(&all.reports, |r| has(r.row.vehicle) && near(r.row.at)),
        fuel_fills: only(&all.fuel_fills, |f| {
            near(f.row.stamp.at) && (has(f.row.vehicle) || f.row.card_vehicle.is_some_and(has))
        }),
        passages: only(&all.passages, |p| has(p.row.vehicle) && near(p.row.stamp.at)),
        repairs: only(&all.repairs, |r| has(r.row.vehicle)),
        rentals: rentals(&all.rentals, vehicles, unit),
        driver_logins: only(&all.driver_logins, |l| has(l.row.vehicle) && near(l.row.at)),
        vin_readings: only(&all.vin_readings, |v| has(v.row.vehicle) && near(v.row.at)),
        mileages: only(&all.mileages, |m| has(m.row.vehicle) && near(m.row.at)),
        ..Register::default()
    };
    let devices = devices(&cut, vehicles);
    cut.device_works = only(&all.device_works, |w| has(w.row.vehicle) || devices.contains(&w.row.device));
    cut.drivers = drivers(&all.drivers, &cut.orders);
    cut.vehicles = vehicles_named(all, &cut, vehicles);
    cut.zones = ZoneFilter::new(world, &cut, vehicles, &units, places).apply(&all.zones);
    cut
}

/// The rows of which any version is wanted, with all their versions.
fn only<T: Clone>(rows: &[Versioned<T>], keep: impl Fn(&Versioned<T>) -> bool) -> Vec<Versioned<T>> {
    let kept: FxHashSet<i64> = rows.iter().filter(|row| keep(row)).map(|row| row.id).collect();
    rows.iter().filter(|row| kept.contains(&row.id)).cloned().collect()
}

/// The units of the vehicles and the one that the case is about, with those above them.
fn units_of(world: &World, of: ExcerptOf<'_>) -> BTreeSet<UnitId> {
    let ExcerptOf { vehicles, unit, from, to } = of;
    let own = |vehicle| world.vehicle_versions(vehicle).filter(|row| row.valid.overlaps(from, to));
    let lent = |vehicle| world.transfers(vehicle).filter(|row| row.valid.overlaps(from, to));
    let owners = vehicles.iter().flat_map(|&vehicle| own(vehicle).map(|row| row.row.unit));
    let users = vehicles.iter().flat_map(|&vehicle| lent(vehicle).map(|row| row.row.to));
    let nearest: BTreeSet<UnitId> = owners.chain(users).chain(unit).collect();
    nearest.into_iter().flat_map(|unit| [from, to].map(|at| world.unit_path(unit, at))).flatten().collect()
}

/// The bindings of the vehicles, and those of their devices before: a device may have come from another car.
fn bindings(all: &Register, vehicles: &BTreeSet<VehicleId>) -> Vec<Versioned<Binding>> {
    let own = || all.bindings.iter().filter(|b| vehicles.contains(&b.row.vehicle));
    let devices: BTreeSet<DeviceId> = own().map(|b| b.row.device).collect();
    only(&all.bindings, |b| vehicles.contains(&b.row.vehicle) || devices.contains(&b.row.device))
}

/// The devices that were in the vehicles, by the bindings or by what they read there.
fn devices(cut: &Register, vehicles: &BTreeSet<VehicleId>) -> BTreeSet<DeviceId> {
    let bound = cut.bindings.iter().map(|b| (b.row.vehicle, b.row.device));
    let read = cut.vin_readings.iter().map(|v| (v.row.vehicle, v.row.device));
    bound.chain(read).filter(|(vehicle, _)| vehicles.contains(vehicle)).map(|(_, device)| device).collect()
}

/// The rentals of the vehicles with those of the same unit and plate, which may be renewals of one another, and all of the unit.
fn rentals(
    all: &[Versioned<Rental>],
    vehicles: &BTreeSet<VehicleId>,
    unit: Option<UnitId>,
) -> Vec<Versioned<Rental>> {
    let is_own = |r: &Rental| r.vehicle.is_some_and(|vehicle| vehicles.contains(&vehicle));
    let cars: BTreeSet<(UnitId, &str)> = all
        .iter()
        .filter(|r| is_own(&r.row) && !r.row.plate.is_empty())
        .map(|r| (r.row.unit, r.row.plate.as_str()))
        .collect();
    only(all, |r| {
        is_own(&r.row) || unit == Some(r.row.unit) || cars.contains(&(r.row.unit, r.row.plate.as_str()))
    })
}

/// The drivers that the orders name, by number or, where they have none, by name.
fn drivers(all: &[Versioned<Driver>], orders: &[Versioned<Order>]) -> Vec<Versioned<Driver>> {
    let ids: FxHashSet<i64> = orders.iter().filter_map(|order| Some(order.row.driver_id?.0)).collect();
    let unnumbered = orders.iter().filter(|order| order.row.driver_id.is_none());
    let names: FxHashSet<&str> =
        unnumbered.map(|order| order.row.driver.trim()).filter(|name| !name.is_empty()).collect();
    only(all, |driver| ids.contains(&driver.id) || names.contains(driver.row.name.trim()))
}

/// The vehicles, and the plates of others that findings about them name: whose card paid, and where a device was before.
fn vehicles_named(all: &Register, cut: &Register, vehicles: &BTreeSet<VehicleId>) -> Vec<Versioned<Vehicle>> {
    let cards = cut.fuel_fills.iter().filter_map(|f| f.row.card_vehicle);
    let named: BTreeSet<VehicleId> = cards.chain(cut.bindings.iter().map(|b| b.row.vehicle)).collect();
    let kept = all.vehicles.iter().filter_map(|row| {
        let id = VehicleId(row.id);
        let plate = || named.contains(&id).then(|| plate_of(row));
        if vehicles.contains(&id) { Some(row.clone()) } else { plate() }
    });
    kept.collect()
}

/// A vehicle as others may be named in a pack: by its plate, and a car on secret work not even by that.
fn plate_of(row: &Versioned<Vehicle>) -> Versioned<Vehicle> {
    let is_secret = row.row.is_secret;
    let plate = if is_secret { String::new() } else { row.row.plate.clone() };
    let named = Vehicle { plate, is_secret, ..Vehicle::default() };
    Versioned { recorded_by: String::new(), row: named, ..row.clone() }
}

/// Which zones take part: those that rows name, by number or in words, those that rules ask a unit for wherever they lie, and those
/// near what the vehicles did.
struct ZoneFilter {
    named: BTreeSet<ZoneId>,
    south_west: Position,
    north_east: Position,
}

impl ZoneFilter {
    fn new(
        world: &World,
        cut: &Register,
        vehicles: &BTreeSet<VehicleId>,
        units: &BTreeSet<UnitId>,
        places: impl IntoIterator<Item = Position>,
    ) -> Self {
        let mut named = world.places().zones_named(places_written(cut));
        let own = cut.vehicles.iter().filter(|v| vehicles.contains(&VehicleId(v.id)));
        named.extend(own.filter_map(|vehicle| vehicle.row.depot));
        named.extend(cut.places.iter().filter_map(|place| place.row.zone));
        named.extend(cut.emergencies.iter().filter_map(|emergency| emergency.row.area));
        named.extend(cut.seals.iter().filter_map(|seal| seal.row.place));
        named.extend(cut.orders.iter().filter_map(|order| order.row.area));
        let is_held = |zone: &Zone| zone.unit.is_none_or(|unit| units.contains(&unit));
        let held =
            world.register().zones.iter().filter(|zone| is_sought(zone.row.kind) && is_held(&zone.row));
        named.extend(held.map(|zone| ZoneId(zone.id)));
        let mut south_west = Position { lat_e7: i32::MAX, lon_e7: i32::MAX };
        let mut north_east = Position { lat_e7: i32::MIN, lon_e7: i32::MIN };
        for place in places {
            south_west.lat_e7 = south_west.lat_e7.min(place.lat_e7);
            south_west.lon_e7 = south_west.lon_e7.min(place.lon_e7);
            north_east.lat_e7 = north_east.lat_e7.max(place.lat_e7);
            north_east.lon_e7 = north_east.lon_e7.max(place.lon_e7);
        }
        let wider = |position: Position, by: i32| Position {
            lat_e7: position.lat_e7.saturating_add(by),
            lon_e7: position.lon_e7.saturating_add(by),
        };
        Self {
            named,
            south_west: wider(south_west, -ZONE_MARGIN_E7),
            north_east: wider(north_east, ZONE_MARGIN_E7),
        }
    }

    fn apply(&self, zones: &[Versioned<Zone>]) -> Vec<Versioned<Zone>> {
        only(zones, |zone| self.named.contains(&ZoneId(zone.id)) || self.is_near(&zone.row.shape))
    }

    /// Whether any corner lies near, or the outline may surround everything.
    fn is_near(&self, shape: &Shape) -> bool {
        let (min, max) = bounds(shape);
        min.lat_e7 <= self.north_east.lat_e7
            && max.lat_e7 >= self.south_west.lat_e7
            && min.lon_e7 <= self.north_east.lon_e7
            && max.lon_e7 >= self.south_west.lon_e7
    }
}

/// Zones of which rules ask whether a unit has any: where its cars belong, may be used and are repaired.
const fn is_sought(kind: ZoneKind) -> bool {
    matches!(kind, ZoneKind::Depot | ZoneKind::ServiceArea | ZoneKind::RepairShop { is_fixed: true })
}

/// The places that papers name in words only.
fn places_written(cut: &Register) -> impl Iterator<Item = &str> {
    let goals = cut.orders.iter().flat_map(|order| order.row.destinations.iter().chain(&order.row.via));
    let booked = cut.fuel_fills.iter().map(|fill| &fill.row.station);
    let booked = booked.chain(cut.passages.iter().map(|passage| &passage.row.place));
    let booked = booked.chain(cut.repairs.iter().map(|repair| &repair.row.shop));
    goals.chain(booked).filter(|place| place.at.is_none()).map(|place| place.text.as_str())
}

/// The south-west and north-east corners of an outline, circles and corridors by a generous square.
fn bounds(shape: &Shape) -> (Position, Position) {
    // 1e-7 degrees of latitude are 1.1 cm; longitude is shorter, three times at 70 degrees.
    let margin = |metres: u32| i32::try_from(u64::from(metres).saturating_mul(270)).unwrap_or(i32::MAX);
    let (corners, margin): (Vec<Position>, i32) = match shape {
        Shape::Circle { centre, radius_m } => (vec![*centre], margin(*radius_m)),
        Shape::Polygons { polygons } => (polygons.iter().flatten().flatten().copied().collect(), 0),
        Shape::Corridor { line, half_width_m } => (line.clone(), margin(*half_width_m)),
    };
    let fold = |pick: fn(&Position) -> i32, best: fn(i32, i32) -> i32| corners.iter().map(pick).reduce(best);
    let edge = |value: Option<i32>, by: i32| value.unwrap_or(0).saturating_add(by);
    let south_west = Position {
        lat_e7: edge(fold(|p| p.lat_e7, i32::min), -margin),
        lon_e7: edge(fold(|p| p.lon_e7, i32::min), -margin),
    };
    let north_east = Position {
        lat_e7: edge(fold(|p| p.lat_e7, i32::max), margin),
        lon_e7: edge(fold(|p| p.lon_e7, i32::max), margin),
    };
    (south_west, north_east)
}
