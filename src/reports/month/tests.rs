//! The month of a small county, counted by hand.

use motorpool_supervision::point::Position;
use motorpool_supervision::register::{
    Binding, CalendarYear, Order, OrderState, Register, Span, Transfer, Unit, Vehicle, Versioned,
};
use motorpool_supervision::trips::{DistanceSource, EndReason, Gap, GapPlace, StartReason};

use super::*;

const HOUR_MS: i64 = 3_600_000;
/// 2026-03-04 00:00 in Shanghai, a Wednesday.
const WEDNESDAY: i64 = 1_772_553_600_000;

fn at(day: i64, hour: i64) -> UtcMillis {
    UtcMillis(WEDNESDAY + (day * 24 + hour) * HOUR_MS)
}

fn trip(start: UtcMillis, hours: i64, distance_m: u32) -> Segment {
    let nowhere = Position { lat_e7: 0, lon_e7: 0 };
    Segment::Trip(Trip {
        kind: TripKind::Trip,
        start,
        end: UtcMillis(start.0 + hours * HOUR_MS),
        start_at: nowhere,
        end_at: nowhere,
        distance_m,
        distance_source: DistanceSource::Fixes,
        moving_s: 3_000,
        idle_s: 600,
        max_speed_dkmh: None,
        fixes: 100,
        marked: 0,
        gap_s: 0,
        confidence_pct: 90,
        start_reason: StartReason::Displacement,
        end_reason: EndReason::Stayed,
    })
}

fn world() -> World {
    let first = UtcMillis(0);
    let unit =
        |id, name: &str| Versioned::first(id, first, Unit { name: name.to_owned(), ..Unit::default() });
    let car = |id, unit| Versioned::first(id, first, Vehicle { unit: UnitId(unit), ..Vehicle::default() });
    let binding = Binding {
        device: motorpool_supervision::ids::DeviceId(1),
        vehicle: VehicleId(1),
        is_primary: true,
        ..Binding::default()
    };
    let lent = Transfer { vehicle: VehicleId(2), to: UnitId(1), ..Transfer::default() };
    let order = Order {
        vehicle: VehicleId(1),
        unit: UnitId(1),
        planned_out: at(0, 9),
        planned_in: at(0, 12),
        state: OrderState::Approved,
        ..Order::default()
    };
    let register = Register {
        units: vec![unit(1, "林业局"), unit(2, "水利局")],
        vehicles: vec![car(1, 1), car(2, 2), car(3, 2)],
        bindings: vec![Versioned::first(1, first, binding)],
        transfers: vec![Versioned::first(1, first, lent).during(Span::new(at(1, 0), at(2, 0)))],
        orders: vec![Versioned::first(1, first, order)],
        calendar_years: Vec::<Versioned<CalendarYear>>::new(),
        ..Register::default()
    };
    World::new(register, "Asia/Shanghai").unwrap()
}

fn report(segments: &[(VehicleId, Segment)]) -> MonthReport {
    let cars = (1..=3).map(|id| (VehicleId(id), vec![Span::ALWAYS])).collect();
    report_of(&world(), None, &cars, segments)
}

fn report_of(
    world: &World,
    top: Option<i64>,
    cars: &BTreeMap<VehicleId, Vec<Span>>,
    segments: &[(VehicleId, Segment)],
) -> MonthReport {
    let month = Month::parse("2026-03").unwrap();
    let units = &world.register().units;
    let tree = UnitTree::new(units.iter().map(|row| (UnitId(row.id), &row.row)));
    let top = top.map(|top| (&tree, UnitId(top)));
    fold(&MonthInputs { month, world, top, cars, segments, findings: &[], cases: &[] })
}

/// Car 4 moves from unit 1 to unit 2 on the 20th, car 5 of unit 2 is lent to unit 1 for the month, car 6 of unit 1 leaves on the 25th.
/// Each has a device of its number.
fn restless_world() -> World {
    let first = UtcMillis(0);
    let mut register = world().register().clone();
    let car = |id, unit, valid| {
        Versioned::first(id, first, Vehicle { unit: UnitId(unit), ..Vehicle::default() }).during(valid)
    };
    let (moves, leaves) = (at(16, 0), at(21, 0));
    register.vehicles = vec![
        car(4, 1, Span::new(first, moves)),
        Versioned { version: 2, ..car(4, 2, Span { from: moves, to: None }) },
        car(5, 2, Span::ALWAYS),
        car(6, 1, Span::new(first, leaves)),
    ];
    let lent = Transfer { vehicle: VehicleId(5), to: UnitId(1), ..Transfer::default() };
    register.transfers = vec![Versioned::first(1, first, lent).during(Span::new(at(-3, 0), at(28, 0)))];
    let fitted = |id| {
        let (device, vehicle) = (motorpool_supervision::ids::DeviceId(id), VehicleId(id));
        let binding = Binding { device, vehicle, is_primary: true, ..Binding::default() };
        Versioned::first(id, first, binding)
    };
    register.bindings = (4..=6).map(fitted).collect();
    World::new(register, "Asia/Shanghai").unwrap()
}

fn gap(start: UtcMillis, hours: i64) -> Segment {
    let nowhere = Position { lat_e7: 0, lon_e7: 0 };
    Segment::Gap(Gap {
        start,
        end: UtcMillis(start.0 + hours * HOUR_MS),
        from: nowhere,
        to: nowhere,
        displacement_m: 0,
        odometer_m: None,
        place: GapPlace::InStop,
        ignition_before: None,
        ignition_after: None,
        power_lost: false,
    })
}

#[test]
fn trips_are_counted_where_and_when_they_begin() {
    let report = report(&[
        (VehicleId(1), trip(at(0, 10), 1, 10_000)),
        (VehicleId(1), trip(at(0, 14), 1, 5_000)),
        (VehicleId(2), trip(at(1, 10), 1, 7_000)),
        (VehicleId(2), trip(at(5, 10), 1, 1_000)),
        (VehicleId(2), trip(at(40, 10), 1, 99_000)),
        (VehicleId(9), trip(at(0, 10), 1, 99_000)),
    ]);
    let total = &report.total;
    assert_eq!((total.cars, total.cars_used, total.trips, total.distance_m), (3, 2, 4, 23_000));
    assert_eq!((total.moving_s, total.idle_s, total.trip_s), (12_000, 2_400, 14_400));
    assert_eq!(total.trips_with_order, 1, "only the first begins under the order");
    let by_unit: Vec<_> = report
        .by_unit
        .iter()
        .map(|line| (line.unit_name.as_str(), line.usage.cars, line.usage.trips))
        .collect();
    assert_eq!(by_unit, [("林业局", 1, 3), ("水利局", 2, 1)], "the lent car drove for its borrower");
    assert_eq!((report.quality.cars_with_device, report.quality.cars_heard), (1, 1));
    assert!(report.quality.is_provisional);
}

#[test]
fn what_moved_was_lent_or_left_counts_for_whom_it_drove() {
    let world = restless_world();
    let cars: BTreeMap<_, _> = (4..=6).map(|id| (VehicleId(id), vec![Span::ALWAYS])).collect();
    let segments = [
        (VehicleId(4), trip(at(5, 10), 1, 1_000)),
        (VehicleId(4), gap(at(6, 0), 2)),
        (VehicleId(4), trip(at(18, 10), 1, 2_000)),
        (VehicleId(4), gap(at(19, 0), 1)),
        (VehicleId(5), trip(at(6, 10), 1, 4_000)),
        (VehicleId(6), trip(at(10, 10), 1, 8_000)),
    ];
    let of = |top| report_of(&world, top, &cars, &segments);
    let numbers = |usage: &Use| (usage.cars, usage.cars_had, usage.cars_used, usage.trips, usage.distance_m);
    let (whole, one, two) = (of(None), of(Some(1)), of(Some(2)));
    assert_eq!(numbers(&one.total), (0, 3, 3, 3, 13_000), "with what it lost, borrowed and gave up");
    assert_eq!(numbers(&two.total), (2, 2, 1, 1, 2_000), "without what its cars did for others");
    assert_eq!(numbers(&whole.total), (2, 3, 3, 4, 15_000), "a car of two units is one");
    assert_eq!([one.by_unit, two.by_unit].concat(), whole.by_unit);
    let silence = |report: &MonthReport| (report.quality.gaps, report.quality.gap_s);
    assert_eq!(silence(&whole), (2, 3 * 3_600));
    assert_eq!((one.quality.gaps, one.quality.gap_s, one.quality.cars_with_device), (1, 2 * 3_600, 0));
    assert_eq!((two.quality.gaps, two.quality.gap_s, two.quality.cars_with_device), (1, 3_600, 2));
}

#[test]
fn a_car_that_is_seen_while_it_is_borrowed_says_nothing_of_its_owner() {
    let world = world();
    // Car 2 of unit 2 is lent to unit 1 for a day.
    let cars = [(VehicleId(2), vec![Span::new(at(1, 0), at(2, 0))])].into();
    let report = report_of(&world, None, &cars, &[(VehicleId(2), trip(at(1, 10), 1, 7_000))]);
    let lines: Vec<_> =
        report.by_unit.iter().map(|line| (line.unit, line.usage.cars, line.usage.cars_had)).collect();
    assert_eq!(lines, [(1, 0, 1)]);
    assert_eq!((report.total.trips, report.total.distance_m), (1, 7_000));
}

#[test]
fn off_hours_are_the_hours_of_the_rule_and_rest_days_all_day() {
    // 20:00 is where R05 begins; Saturday is the 7th.
    let share = |segment| report(&[(VehicleId(1), segment)]).total.off_hours_s;
    assert_eq!(share(trip(at(0, 10), 2, 1)), 0);
    assert_eq!(share(trip(at(0, 19), 2, 1)), 3_600);
    assert_eq!(share(trip(at(0, 23), 2, 1)), 7_200, "over midnight");
    assert_eq!(share(trip(at(3, 10), 2, 1)), 7_200);
}

#[test]
fn a_month_is_a_month() {
    let world = world();
    let month = Month::parse("2026-02").unwrap();
    assert_eq!(month.days(), (jiff::civil::date(2026, 2, 1), jiff::civil::date(2026, 2, 28)));
    let (from, to) = month.times(&world);
    assert_eq!((to.0 - from.0) / HOUR_MS, 28 * 24);
    for wrong in ["", "2026", "2026-13", "2026-3", "2026-03-01", "二〇二六"] {
        assert_eq!(Month::parse(wrong), None, "{wrong}");
    }
}
