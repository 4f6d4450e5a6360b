//! Orders as a careful office would have written them for the outings, and the register around them.

use motorpool_supervision::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{
    Binding, Feed, Order, PlaceEntry, PlaceText, Register, RuleSet, RuleSetState, Unit, Vehicle, Versioned,
    Watermark, Zone,
};
use motorpool_supervision::zones::ZoneIndex;

use super::draw::Draw;
use super::fleet::{Car, Outing, district_of};

/// The unit that has all cars.
pub const UNIT: UnitId = UnitId(1);
/// How far the times on a true order are off, minutes: within the grace of 15.
const SLACK_MIN: i64 = 14;
/// Nobody applies for less, milliseconds.
const SHORTEST_MS: i64 = 30 * 60_000;

/// The order that was written for an outing, the day before.
pub fn true_order(
    car: &Car,
    outing: &Outing,
    zones: &ZoneIndex,
    draw: &mut Draw,
    id: i64,
) -> Versioned<Order> {
    let mut off = || draw.whole(-SLACK_MIN, SLACK_MIN) * 60_000;
    let planned_out = UtcMillis(outing.start().0 + off());
    // Not over before the last trip begins: such a trip would be one that nobody wrote an order for.
    let last = outing.trips.last().unwrap().start.0 + 60_000;
    let planned_in = UtcMillis((outing.end().0 + off()).max(planned_out.0 + SHORTEST_MS).max(last));
    let by_name = draw.coin();
    let mut destinations: Vec<PlaceText> = Vec::new();
    for at in car.goals(outing) {
        let text = district_of(zones, at).filter(|_| by_name);
        let place = match text {
            Some(name) => PlaceText { text: as_written(&name, draw), at: None },
            None => PlaceText { text: "某处".to_owned(), at: Some(at) },
        };
        if !destinations.contains(&place) {
            destinations.push(place);
        }
    }
    let order = Order {
        no: format!("京〔2009〕{id}号"),
        unit: UNIT,
        vehicle: car.id,
        destinations,
        planned_out,
        planned_in,
        ..Order::default()
    };
    Versioned::first(id, UtcMillis(outing.start().0 - 2 * 86_400_000), order)
}

/// A district as people write it: in full, by the dictionary's other name, or with its office.
pub fn as_written(name: &str, draw: &mut Draw) -> String {
    match draw.index(3) {
        0 => name.to_owned(),
        1 => format!("{name}境内"),
        _ => format!("{name}政府"),
    }
}

/// Everything but the orders: one unit, the cars with their devices, the districts and their names, all feeds complete, rules in force.
pub fn register(cars: &[Car], districts: &[Versioned<Zone>], orders: Vec<Versioned<Order>>) -> Register {
    let long_ago = UtcMillis(0);
    let unit = Unit { name: "某局".to_owned(), ..Unit::default() };
    let vehicle =
        |car: &Car| Vehicle { plate: format!("京A{:05}", car.id.0), unit: UNIT, ..Vehicle::default() };
    let binding = |car: &Car| Binding {
        device: motorpool_supervision::ids::DeviceId(car.id.0),
        vehicle: car.id,
        is_primary: true,
        ..Binding::default()
    };
    let place = |zone: &Versioned<Zone>| PlaceEntry {
        name: format!("{}境内", zone.row.name),
        zone: Some(motorpool_supervision::ids::ZoneId(zone.id)),
        ..PlaceEntry::default()
    };
    let watermark = |feed| Watermark {
        unit: None,
        feed,
        complete_from: long_ago,
        complete_to: UtcMillis(4_102_444_800_000),
    };
    let rule_set = RuleSet { name: "beijing".to_owned(), state: RuleSetState::Active, ..RuleSet::default() };
    Register {
        units: vec![Versioned::first(UNIT.0, long_ago, unit)],
        vehicles: cars.iter().map(|car| Versioned::first(car.id.0, long_ago, vehicle(car))).collect(),
        bindings: cars.iter().map(|car| Versioned::first(car.id.0, long_ago, binding(car))).collect(),
        zones: districts.to_vec(),
        places: districts.iter().map(|zone| Versioned::first(zone.id, long_ago, place(zone))).collect(),
        rule_sets: vec![Versioned::first(1, long_ago, rule_set)],
        watermarks: (1..)
            .zip([Feed::Orders, Feed::Duties, Feed::Places])
            .map(|(id, feed)| Versioned::first(id, long_ago, watermark(feed)))
            .collect(),
        orders,
        ..Register::default()
    }
}

/// Milliseconds between an order's time and `from` to `to`; 0 when they touch.
pub fn apart_ms(order: &Order, from: UtcMillis, to: UtcMillis) -> i64 {
    (from.0 - order.planned_in.0).max(order.planned_out.0 - to.0).max(0)
}

/// The orders of a car.
pub fn of_car(orders: &[Versioned<Order>], car: VehicleId) -> impl Iterator<Item = &Order> {
    orders.iter().map(|order| &order.row).filter(move |order| order.vehicle == car)
}
