//! Cuts registers down to what judging one vehicle needs: no more personal data leaves the house than the case takes.

use std::collections::BTreeSet;

use crate::UtcMillis;
use crate::ids::{UnitId, VehicleId, ZoneId};
use crate::point::Position;
use crate::register::{Register, Shape, Versioned, Zone};
use crate::world::World;

/// Zones further from everything the vehicle did than this take no part in any rule, degrees of latitude (about 22 km).
const ZONE_MARGIN_E7: i32 = 2_000_000;

/// The rows of `world` that judging `vehicles` between `from` and `to` looks at. `places` are the positions of their tracks and segments.
///
/// Rows about the whole fleet (units, calendars, rule sets, emergencies) stay; rows about other vehicles, and drivers nobody names, do not.
#[must_use]
pub fn excerpt(
    world: &World,
    vehicles: &BTreeSet<VehicleId>,
    from: UtcMillis,
    to: UtcMillis,
    places: impl IntoIterator<Item = Position>,
) -> Register {
    let all = world.register();
    let units = units_of(world, vehicles, from, to);
    let has = |vehicle: VehicleId| vehicles.contains(&vehicle);
    // The month before counts for patterns of orders, the one after for papers that came late.
    const MONTH_MS: i64 = 31 * 86_400_000;
    let (from, to) = (UtcMillis(from.0.saturating_sub(MONTH_MS)), UtcMillis(to.0.saturating_add(MONTH_MS)));
    let near = |at: UtcMillis| from <= at && at <= to;
    let orders =
        only(&all.orders, |o| has(o.row.vehicle) && o.row.planned_out <= to && o.row.planned_in >= from);
    let drivers: BTreeSet<i64> = orders.iter().filter_map(|order| Some(order.row.driver_id?.0)).collect();
    let zones = ZoneFilter::new(all, vehicles, &orders, places).apply(&all.zones);
    Register {
        units: all.units.clone(),
        vehicles: only(&all.vehicles, |v| has(VehicleId(v.id))),
        bindings: only(&all.bindings, |b| has(b.row.vehicle)),
        drivers: only(&all.drivers, |d| drivers.contains(&d.id)),
        orders,
        duties: only(&all.duties, |d| {
            d.valid.overlaps(from, to) && d.row.vehicle.map_or_else(|| units.contains(&d.row.unit), has)
        }),
        emergencies: only(&all.emergencies, |e| e.valid.overlaps(from, to)),
        seals: only(&all.seals, |s| has(s.row.vehicle)),
        transfers: only(&all.transfers, |t| has(t.row.vehicle)),
        zones,
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
        rentals: only(&all.rentals, |r| r.row.vehicle.is_some_and(has)),
        driver_logins: only(&all.driver_logins, |l| has(l.row.vehicle) && near(l.row.at)),
        vin_readings: only(&all.vin_readings, |v| has(v.row.vehicle) && near(v.row.at)),
        device_works: only(&all.device_works, |w| has(w.row.vehicle)),
        mileages: only(&all.mileages, |m| has(m.row.vehicle) && near(m.row.at)),
    }
}

fn only<T: Clone>(rows: &[Versioned<T>], keep: impl Fn(&Versioned<T>) -> bool) -> Vec<Versioned<T>> {
    rows.iter().filter(|row| keep(row)).cloned().collect()
}

/// The units of the vehicles, with those above them.
fn units_of(
    world: &World,
    vehicles: &BTreeSet<VehicleId>,
    from: UtcMillis,
    to: UtcMillis,
) -> BTreeSet<UnitId> {
    let mut units = BTreeSet::new();
    for &vehicle in vehicles {
        for at in [from, to] {
            let owner = world.vehicle(vehicle, at).map(|row| row.row.unit);
            for unit in owner.into_iter().chain(world.using_unit(vehicle, at)) {
                units.extend(world.unit_path(unit, at));
            }
        }
    }
    units
}

/// Which zones take part: those that rows name, and those near what the vehicles did.
struct ZoneFilter {
    named: BTreeSet<ZoneId>,
    south_west: Position,
    north_east: Position,
}

impl ZoneFilter {
    fn new(
        all: &Register,
        vehicles: &BTreeSet<VehicleId>,
        orders: &[Versioned<crate::register::Order>],
        places: impl IntoIterator<Item = Position>,
    ) -> Self {
        let mut named: BTreeSet<ZoneId> = BTreeSet::new();
        let own = all.vehicles.iter().filter(|v| vehicles.contains(&VehicleId(v.id)));
        named.extend(own.filter_map(|vehicle| vehicle.row.depot));
        named.extend(all.places.iter().filter_map(|place| place.row.zone));
        named.extend(all.emergencies.iter().filter_map(|emergency| emergency.row.area));
        named.extend(all.seals.iter().filter_map(|seal| seal.row.place));
        named.extend(orders.iter().filter_map(|order| order.row.area));
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
