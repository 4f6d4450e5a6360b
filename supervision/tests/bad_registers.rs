//! Registers and tracks that nobody should send: every fault is told by its row on the way in, and what got in all the same is judged
//! without a panic, the same whatever the order of the rows.

#![expect(clippy::unwrap_used, reason = "a test")]

use jiff::civil::Date;
use jiff::tz::TimeZone;
use motorpool_supervision::UtcMillis;
use motorpool_supervision::finding::{Finding, Outcome, Rule, WhyNot};
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId, ZoneId};
use motorpool_supervision::intake::tracks::{TrackOptions, TrackReader};
use motorpool_supervision::intake::{Context, Datum, Import, Importable, Limits};
use motorpool_supervision::judge::{VehicleHistory, judge_fleet, judge_vehicle};
use motorpool_supervision::point::{Point, Position, Signs};
use motorpool_supervision::register::{
    Binding, Class, Duty, Emergency, Exemption, Feed, Order, OrderState, PlaceEntry, PlaceText, Register,
    RuleSet, RuleSetState, Seal, SealKind, SensitiveKind, Shape, Span, Transfer, Unit, Vehicle, Versioned,
    Watermark, Zone, ZoneKind,
};
use motorpool_supervision::trips::{Segment, Trip, TripKind, TripSettings, cut};
use motorpool_supervision::world::World;
use motorpool_supervision::zones::{ShapeError, check_shape};
use proptest::prelude::*;

const UNIT: UnitId = UnitId(2);
const CAR: VehicleId = VehicleId(10);
const HOME: Position = Position { lat_e7: 300_000_000, lon_e7: 1_100_000_000 };
const FEEDS: [Feed; 5] = [Feed::Orders, Feed::Duties, Feed::Depots, Feed::Areas, Feed::Places];
/// 2026-04-08 00:00 in Beijing, a Wednesday.
const MIDNIGHT: i64 = 1_775_577_600_000;

/// Minutes after midnight of the day.
fn at(minute: i64) -> UtcMillis {
    UtcMillis(MIDNIGHT.saturating_add(minute.saturating_mul(60_000)))
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// So many metres east of home.
fn east(metres: f64) -> Position {
    Position::from_degrees(HOME.lat(), HOME.lon() + metres / (111_195.08 * HOME.lat().to_radians().cos()))
}

/// One unit below another, one car, all feeds complete, rules in force.
fn register() -> Register {
    let always = UtcMillis(0);
    let unit = |name: &str, parent| Unit { name: name.into(), parent, ..Unit::default() };
    let car = Vehicle { plate: "云A12345".into(), unit: UNIT, ..Vehicle::default() };
    let mark = |feed| Watermark { unit: None, feed, complete_from: always, complete_to: at(525_600) };
    let rules = RuleSet { name: "county".into(), state: RuleSetState::Active, ..RuleSet::default() };
    Register {
        units: vec![
            Versioned::first(1, always, unit("县政府", None)),
            Versioned::first(2, always, unit("水利局", Some(UnitId(1)))),
        ],
        vehicles: vec![Versioned::first(CAR.0, always, car)],
        rule_sets: vec![Versioned::first(1, always, rules)],
        watermarks: (1..).zip(FEEDS).map(|(id, feed)| Versioned::first(id, always, mark(feed))).collect(),
        ..Register::default()
    }
}

fn order(id: i64, out: i64, back: i64) -> Versioned<Order> {
    let order = Order {
        no: format!("甲{id}"),
        unit: UNIT,
        vehicle: CAR,
        planned_out: at(out),
        planned_in: at(back),
        ..Order::default()
    };
    Versioned::first(id, at(-1_440), order)
}

/// Home from 08:00, to a place 20 km to the east from 09:00 to 09:30, and home again from 11:00 to 11:30; a fix every `step_s`.
fn errand(step_s: i64) -> Vec<Point> {
    let metres = |s: i64| match s {
        ..3_600 => 0.0,
        3_600..5_400 => f64::from(i32::try_from(s - 3_600).unwrap()) * 20_000.0 / 1_800.0,
        5_400..10_800 => 20_000.0,
        10_800..12_600 => 20_000.0 - f64::from(i32::try_from(s - 10_800).unwrap()) * 20_000.0 / 1_800.0,
        _ => 0.0,
    };
    let times = (0..=5 * 3_600).step_by(usize::try_from(step_s).unwrap());
    times.map(|s| Point::new(UtcMillis(at(480).0 + s * 1_000), east(metres(s)))).collect()
}

fn trips(points: &[Point]) -> Vec<Trip> {
    let segments = cut(points, &TripSettings::default());
    let trips = segments.into_iter().filter_map(|segment| match segment {
        Segment::Trip(trip) if trip.kind == TripKind::Trip => Some(trip),
        _ => None,
    });
    trips.collect()
}

/// What is found about the car on the day and those around it.
fn judge(register: Register, points: &[Point]) -> Vec<Finding> {
    let world = World::new(register, "Asia/Shanghai").unwrap();
    let segments = cut(points, &TripSettings::default());
    let history = VehicleHistory { vehicle: CAR, segments: &segments, points, known_to: at(10_000) };
    judge_vehicle(&world, history, date("2026-04-07")..=date("2026-04-09"))
}

fn import<T: Importable>(text: &str) -> Import<T> {
    let register = register();
    let mut next = 99;
    let mut new_id = |_: &'static str| {
        next += 1;
        next
    };
    let mut context = Context {
        register: &register,
        devices: &|_| None,
        timezone: TimeZone::get("Asia/Shanghai").unwrap(),
        datum: Datum::Wgs84,
        unit: Some(UNIT),
        recorded_at: UtcMillis(1_000),
        recorded_by: "office".into(),
        new_id: &mut new_id,
    };
    T::import(text.as_bytes(), None, &Limits::default(), &mut context)
}

/// Problems as (row, column, code).
fn told(problems: &motorpool_supervision::intake::Problems) -> Vec<(u32, &str, &str)> {
    let problems = problems.list.iter();
    problems.map(|problem| (problem.row.unwrap_or(0), problem.column.as_str(), problem.code)).collect()
}

#[test]
fn bad_orders_are_told_by_row_and_none_is_taken() {
    const FILE: &str = "\
派车单号,车牌号,计划出车时间,计划返回时间
甲1,云A12345,2026-04-08 09:00,2026-04-08 12:00
甲2,云A99999,2026-04-08 09:00,2026-04-08 12:00
甲3,云A12345,2026-04-08 15:00,2026-04-08 14:00
甲4,云A12345,2026-04-08 11:00,2026-04-08 13:00
";
    let read = import::<Order>(FILE);
    let report = read.into_rows().unwrap_err();
    assert_eq!(told(&report.errors), [(3, "车牌号", "unknown"), (4, "计划返回时间", "ends_before_begin")]);
    assert_eq!(report.rows, 4);
    // Two orders for one car at one time are odd, not wrong: they are taken, and asked about.
    let good: String = FILE
        .lines()
        .filter(|line| !line.contains("甲2") && !line.contains("甲3"))
        .map(|line| format!("{line}\n"))
        .collect();
    let read = import::<Order>(&good);
    assert_eq!(told(&read.report().warnings), [(3, "计划出车时间", "overlap")]);
    assert_eq!(read.into_rows().unwrap().len(), 2);
}

#[test]
fn an_order_that_ends_before_it_begins_covers_nothing_and_says_so() {
    let mut register = register();
    register.orders = vec![order(1, 700, 530)];
    let findings = judge(register, &errand(30));
    let found: Vec<_> = findings.iter().filter(|finding| finding.rule == Rule::R01).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    for finding in found {
        assert_eq!(finding.outcome, Outcome::Flag);
        assert_eq!(finding.orders.len(), 1);
        assert_eq!(finding.orders[0].why_not, vec![WhyNot::EndsBeforeItBegins]);
    }
}

#[test]
fn of_orders_that_overlap_one_covers_and_the_other_is_shown() {
    let mut register = register();
    register.orders = vec![order(1, 530, 700), order(2, 480, 720), order(3, 535, 600)];
    let findings = judge(register.clone(), &errand(30));
    let of = |rule: Rule| findings.iter().filter(|finding| finding.rule == rule).count();
    assert_eq!((of(Rule::R01), of(Rule::R02)), (0, 0), "{findings:?}");
    // Without any that can cover, every one of them is shown with its reason.
    for order in &mut register.orders {
        order.row.state = OrderState::Cancelled;
    }
    let findings = judge(register, &errand(30));
    let first = findings.iter().find(|finding| finding.rule == Rule::R01).unwrap();
    assert_eq!(first.orders.len(), 3);
    assert!(first.orders.iter().all(|order| order.why_not.contains(&WhyNot::Cancelled)));
}

#[test]
fn orders_of_unknown_cars_touch_nobody() {
    let stranger = VehicleId(99);
    let mut register = register();
    register.orders = vec![order(1, 530, 700)];
    let without = judge(register.clone(), &errand(30));
    let mut other = order(2, 530, 700);
    other.row.vehicle = stranger;
    other.row.unit = UnitId(77);
    register.orders.push(other);
    assert_eq!(judge(register.clone(), &errand(30)), without);
    let world = World::new(register, "Asia/Shanghai").unwrap();
    let points = errand(30);
    let segments = cut(&points, &TripSettings::default());
    let history =
        VehicleHistory { vehicle: stranger, segments: &segments, points: &points, known_to: at(10_000) };
    let days = date("2026-04-07")..=date("2026-04-09");
    // A car that no register holds can't be asked about.
    assert_eq!(judge_vehicle(&world, history, days.clone()), vec![]);
    let of_stranger = judge_fleet(&world, &[history], days);
    assert!(of_stranger.iter().all(|finding| finding.vehicle != CAR), "{of_stranger:?}");
}

fn ring(corners: &[(f64, f64)]) -> Shape {
    let corners = corners.iter().map(|(lon, lat)| Position::from_degrees(*lat, *lon)).collect();
    Shape::Polygons { polygons: vec![vec![corners]] }
}

fn bow_tie() -> Shape {
    ring(&[(110.0, 30.0), (110.2, 30.2), (110.2, 30.0), (110.0, 30.2)])
}

fn over_the_antimeridian() -> Shape {
    ring(&[(179.9, 0.0), (-179.9, 0.0), (-179.9, 0.2), (179.9, 0.2)])
}

#[test]
fn zones_that_are_none_are_refused() {
    let Err(ShapeError::CrossesItself { at, .. }) = check_shape(&bow_tie()) else { panic!("taken") };
    assert_eq!(at, Position::from_degrees(30.1, 110.1));
    assert!(matches!(
        check_shape(&over_the_antimeridian()),
        Err(ShapeError::CrossesAntimeridian { corner }) if corner.corner == 1
    ));
    let circle = Shape::Circle { centre: Position::from_degrees(0.0, 179.999), radius_m: 1_000 };
    assert_eq!(check_shape(&circle), Err(ShapeError::ReachesTooFar));
    let file = "\
名称,类型,图形
好,depot,circle 110 30 100
叉,depot,\"POLYGON((110 30, 110.2 30.2, 110.2 30, 110 30.2, 110 30))\"
跨,depot,\"POLYGON((179.9 0, -179.9 0, -179.9 0.2, 179.9 0.2, 179.9 0))\"
";
    let report = import::<Zone>(file).into_rows().unwrap_err();
    let rows: Vec<_> = told(&report.errors).into_iter().map(|(row, _, code)| (row, code)).collect();
    assert_eq!(rows, [(3, "bad_shape"), (4, "bad_shape")], "{:?}", report.errors);
}

#[test]
fn zones_that_got_in_all_the_same_do_no_harm() {
    let mut with = register();
    for (id, shape) in (1..).zip([bow_tie(), over_the_antimeridian(), Shape::default()]) {
        for kind in [ZoneKind::ServiceArea, ZoneKind::Depot, ZoneKind::Forbidden] {
            let zone = Zone { name: format!("区{id}"), kind, shape: shape.clone(), ..Zone::default() };
            let id = i64::try_from(with.zones.len()).unwrap() + 1;
            with.zones.push(Versioned::first(id, UtcMillis(0), zone));
        }
    }
    with.orders = vec![order(1, 530, 700)];
    with.orders[0].row.destinations = vec![PlaceText { text: "区2".into(), at: None }];
    let world = World::new(with.clone(), "Asia/Shanghai").unwrap();
    assert_eq!(world.zones().left_out().len(), 6);
    // A place whose zone can't be used is one that nobody knows.
    let findings = judge(with, &errand(30));
    let found = findings.iter().find(|finding| finding.rule == Rule::R04).unwrap();
    assert_eq!(found.outcome, Outcome::Undecidable);
}

/// Trips follow one another and lie within the fixes.
fn assert_sensible(trips: &[Trip], points: &[Point]) {
    for trip in trips {
        assert!(trip.start < trip.end, "{trip:?}");
        assert!(points.first().unwrap().time <= trip.start && trip.end <= points.last().unwrap().time);
        assert!(
            trip.moving_s + trip.idle_s <= u32::try_from((trip.end.0 - trip.start.0) / 1_000 + 1).unwrap()
        );
    }
    assert!(trips.windows(2).all(|pair| pair[0].end <= pair[1].start), "{trips:?}");
}

/// The two trips of [`errand`], to within so many seconds.
#[track_caller]
fn assert_errand(trips: &[Trip], within_s: i64) {
    let ends: Vec<_> = trips.iter().flat_map(|trip| [trip.start, trip.end]).collect();
    let truth = [at(540), at(570), at(660), at(690)];
    assert_eq!(ends.len(), truth.len(), "{trips:?}");
    for (found, truth) in ends.iter().zip(truth) {
        assert!((found.0 - truth.0).abs() <= within_s * 1_000, "{found} for {truth}");
    }
    for trip in trips {
        assert!((19_000..=21_000).contains(&trip.distance_m), "{} m", trip.distance_m);
    }
}

#[test]
fn clocks_wrong_by_hours_or_years_do_not_move_the_trips() {
    let mut text = String::from("device,time_utc,lat,lon\n");
    let mut row = |time: UtcMillis, at: Position| {
        text.push_str(&format!("d,{time},{:.7},{:.7}\n", at.lat(), at.lon()));
    };
    let points = errand(30);
    for (n, point) in points.iter().enumerate() {
        row(point.time, point.at);
        match n % 150 {
            // Never set, a week number that rolled over (1,024 weeks), a day far ahead, local time taken for UTC.
            17 => row(UtcMillis(946_684_800_000), point.at),
            41 => row(UtcMillis(point.time.0 - 1_024 * 7 * 86_400_000), point.at),
            77 => row(UtcMillis(point.time.0 + 12 * 365 * 86_400_000), point.at),
            97 => row(UtcMillis(point.time.0 + 8 * 3_600_000), point.at),
            _ => {}
        }
    }
    text.push_str(
        "d,0000-00-00T00:00:00Z,30,110\nd,1970-01-01T00:00:00Z,30,110\nd,2106-02-07T06:28:15Z,30,110\n",
    );
    let mut reader = TrackReader::new(TrackOptions::default());
    let report = reader.read("", text.as_bytes()).unwrap();
    let codes: Vec<_> = told(&report.rejected).into_iter().map(|(_, column, code)| (column, code)).collect();
    assert_eq!(
        codes,
        [("time_utc", "not_a_time"), ("time_utc", "time_out_of_range"), ("time_utc", "time_out_of_range")]
    );
    assert_eq!(report.points + 3, report.rows);
    let tracks = reader.finish().devices;
    let points = &tracks[0].points;
    assert!(points.first().unwrap().signs.contains(Signs::CLOCK_SUSPECT));
    let trips = trips(points);
    assert_sensible(&trips, points);
    assert_errand(&trips, 60);
    let mut register = register();
    register.orders = vec![order(1, 535, 700)];
    let findings = judge(register, points);
    assert!(!findings.iter().any(|finding| matches!(finding.rule, Rule::R01 | Rule::R02)), "{findings:?}");
}

#[test]
fn one_fix_a_minute_without_speed_or_ignition_is_enough() {
    for step_s in [10, 30, 60] {
        let points = errand(step_s);
        let trips = trips(&points);
        assert_sensible(&trips, &points);
        assert_errand(&trips, step_s.max(60));
    }
    // The source may say speeds and ignition and have nothing in them.
    let stuck: Vec<_> = errand(60)
        .into_iter()
        .map(|point| Point { speed_dkmh: Some(0), ignition: Some(false), ..point })
        .collect();
    let trips = trips(&stuck);
    assert_sensible(&trips, &stuck);
    assert_eq!(trips.len(), 2, "{trips:?}");
}

/// Numbers that rows are made of; the same numbers make the same rows.
type Raw = (i64, i64, i64, i64);

fn raw() -> impl Strategy<Value = Vec<Raw>> {
    let minute = prop_oneof![60 => -3_000_i64..5_000, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    prop::collection::vec((0_i64..6, minute, -600_i64..4_000, 0_i64..1_000), 0..7)
}

/// Everything that a register may hold, mostly nonsense.
fn any_register() -> impl Strategy<Value = Register> {
    (raw(), raw(), raw(), raw(), raw(), raw()).prop_map(|(orders, zones, bindings, duties, others, cars)| {
        let mut register = register();
        register.orders = rows(&orders, any_order);
        register.zones = rows(&zones, any_zone);
        register.places = rows(&zones, |(a, _, _, d)| PlaceEntry {
            name: format!("处{}", d % 4),
            aliases: vec![format!("区{}", d % 3)],
            zone: (d % 2 == 0).then_some(ZoneId(a)),
            at: (d % 3 == 0).then(|| east(f64::from(i32::try_from(d).unwrap()) * 30.0)),
            ..PlaceEntry::default()
        });
        register.bindings = rows(&bindings, |(a, _, _, d)| Binding {
            device: DeviceId(d % 5),
            vehicle: car(a),
            is_primary: d % 2 == 0,
            ..Binding::default()
        });
        register.duties = rows(&duties, |(a, _, _, d)| Duty {
            unit: UnitId(d % 4),
            vehicle: (d % 2 == 0).then(|| car(a)),
            what: format!("值班{d}"),
            ..Duty::default()
        });
        any_others(&mut register, &others);
        for (n, (a, b, c, d)) in (0_i64..).zip(cars) {
            let row = Vehicle {
                plate: format!("云A{d:05}"),
                class: if d % 3 == 0 { Class::LawEnforcement } else { Class::Other },
                unit: UnitId(d % 5),
                depot: (d % 2 == 0).then_some(ZoneId(a)),
                tank_l: (d % 4 == 0).then_some(0),
                ..Vehicle::default()
            };
            let version = u32::try_from(n).unwrap() + 2;
            register
                .vehicles
                .push(Versioned { version, ..Versioned::first(car(a).0, at(b), row) }.during(span(b, c)));
        }
        register
    })
}

fn any_others(register: &mut Register, raw: &[Raw]) {
    register.seals = rows(raw, |(a, _, _, d)| Seal {
        vehicle: car(a),
        kind: if d % 2 == 0 { SealKind::Sealed } else { SealKind::Opened },
        ..Seal::default()
    });
    register.transfers =
        rows(raw, |(a, _, _, d)| Transfer { vehicle: car(a), to: UnitId(d % 5), ..Transfer::default() });
    register.emergencies = rows(raw, |(a, _, _, d)| Emergency {
        document: format!("文{d}"),
        area: (d % 3 == 0).then_some(ZoneId(a)),
        units: if d % 2 == 0 { vec![] } else { vec![UnitId(d % 5)] },
        ..Emergency::default()
    });
    register.exemptions = rows(raw, |(a, _, _, d)| Exemption {
        unit: (d % 2 == 0).then_some(UnitId(d % 5)),
        vehicle: (d % 3 == 0).then(|| car(a)),
        rules: Rule::ALL.iter().copied().skip(usize::try_from(d % 28).unwrap()).take(3).collect(),
        ..Exemption::default()
    });
    for (n, (a, b, c, d)) in (0_i64..).zip(raw) {
        // Units above one another in a circle.
        let unit = Unit { name: format!("局{d}"), parent: Some(UnitId(d % 5)), ..Unit::default() };
        register.units.push(Versioned::first(3 + n % 2, at(*b), unit).during(span(*b, *c)));
        if let Some(last) = register.units.last_mut() {
            last.version = u32::try_from(n).unwrap() + 1;
        }
        let params = match a {
            0 => serde_json::json!({"matching": {"slack_s": b.saturating_neg()}}),
            1 => {
                serde_json::json!({"matching": {"grace_before_s": c * 60}, "r01": {"repeat_days": 4_000_000_000_u32}})
            }
            2 => serde_json::json!({"r02": {"late_s": -c}, "r04": {"min_expected_m": 0, "longer_pct": 0}}),
            3 => serde_json::json!({"r08": {"near_m": 4_000_000_000_u32}}),
            _ => serde_json::json!({}),
        };
        let state = if d % 2 == 0 { RuleSetState::Active } else { RuleSetState::Trial };
        let set = RuleSet { name: format!("套{d}"), unit: (d % 3 != 0).then_some(UNIT), state, params };
        register.rule_sets.push(Versioned::first(10 + n, at(*b), set).during(span(*b, *c)));
    }
}

/// The car itself half of the time, else others, most of which no register holds.
fn car(number: i64) -> VehicleId {
    VehicleId(if number < 3 { CAR.0 } else { CAR.0 + number })
}

/// A time of validity; now and then it ends before it begins.
fn span(from: i64, lasts: i64) -> Span {
    Span { from: at(from), to: (lasts % 3 != 0).then(|| at(from.saturating_add(lasts))) }
}

/// Numbered rows; every third is another version of the one before.
fn rows<T>(raw: &[Raw], row: impl Fn(Raw) -> T) -> Vec<Versioned<T>> {
    let rows = (0_i64..).zip(raw).map(|(n, &(a, b, c, d))| Versioned {
        id: 1 + n - i64::from(n % 3 == 2),
        version: 1 + u32::from(n % 3 == 2),
        valid: if d % 2 == 0 { Span::ALWAYS } else { span(b, c) },
        recorded_at: at(b.saturating_sub(d)),
        recorded_by: String::new(),
        row: row((a, b, c, d)),
    });
    rows.collect()
}

fn any_order((a, b, c, d): Raw) -> Order {
    let states = [
        OrderState::Approved,
        OrderState::Approved,
        OrderState::Settled,
        OrderState::Applied,
        OrderState::Cancelled,
    ];
    let place = |n: i64| PlaceText {
        text: ["", "下乡", "区1", "处2", "别处"][usize::try_from(n % 5).unwrap()].into(),
        at: (n % 4 == 0).then(|| east(f64::from(i32::try_from(d).unwrap()) * 40.0)),
    };
    Order {
        no: format!("甲{}", d % 7),
        unit: UnitId(d % 5),
        vehicle: car(a),
        destinations: (0..d % 4).map(place).collect(),
        via: (0..d % 2).map(place).collect(),
        area: (d % 5 == 0).then_some(ZoneId(a)),
        planned_out: at(b),
        planned_in: at(b.saturating_add(c)),
        entered_at: (d % 6 == 0).then(|| at(b.saturating_add(d))),
        state: states[usize::try_from(d % 5).unwrap()],
        is_emergency: d % 9 == 0,
        user: format!("人{}", d % 3),
        driver: format!("人{}", d % 2),
        ..Order::default()
    }
}

fn any_zone((a, b, c, d): Raw) -> Zone {
    let kinds = [
        ZoneKind::Depot,
        ZoneKind::ParkingLot,
        ZoneKind::ServiceArea,
        ZoneKind::Forbidden,
        ZoneKind::Allowance,
        ZoneKind::Sensitive(SensitiveKind::TeaHouse),
        ZoneKind::Sensitive(SensitiveKind::School),
        ZoneKind::Area,
    ];
    let metres = |n: i64| f64::from(i32::try_from(n.clamp(-5_000, 5_000)).unwrap());
    let shape = match d % 7 {
        0 => bow_tie(),
        1 => over_the_antimeridian(),
        2 => Shape::default(),
        3 => Shape::Corridor {
            line: vec![HOME, east(metres(b) * 5.0)],
            half_width_m: u32::try_from(d).unwrap(),
        },
        4 => Shape::Polygons { polygons: vec![vec![vec![HOME]], vec![]] },
        _ => Shape::Circle { centre: east(metres(c) * 8.0), radius_m: u32::try_from(d * 10).unwrap() },
    };
    Zone {
        name: format!("区{a}"),
        kind: kinds[usize::try_from(b.rem_euclid(8)).unwrap()],
        unit: (d % 3 == 0).then_some(UnitId(d % 5)),
        shape,
        ..Zone::default()
    }
}

/// A walk of the car over two days, with silences, jumps, wrong signs and values that come and go.
fn any_track() -> impl Strategy<Value = Vec<Point>> {
    let step = (0_i64..900, -30_000_i32..30_000, -30_000_i32..30_000, any::<u16>(), 0_u32..40);
    prop::collection::vec(step, 0..160).prop_map(|steps| {
        let mut point = Point::new(at(0), HOME);
        let walk = steps.into_iter().map(|(seconds, north, east, signs, n)| {
            point.time.0 += seconds * 1_000 + i64::from(n == 7) * 7_200_000;
            let scale = if n % 3 == 0 { 0 } else { 1 };
            point.at.lat_e7 += north * scale;
            point.at.lon_e7 += east * scale;
            Point {
                speed_dkmh: (n % 2 == 0).then_some(signs),
                ignition: (n % 4 != 0).then_some(signs % 2 == 0),
                odometer_m: (n % 5 == 0).then_some(u32::from(signs) * n),
                fuel_dl: (n % 6 == 0).then_some(signs),
                satellites: (n % 7 == 0).then_some(u8::try_from(signs % 12).unwrap()),
                signs: if n == 11 { Signs(signs) } else { Signs::default() },
                ..point
            }
        });
        walk.collect()
    })
}

/// The rows of every kind in another order.
fn shuffled(mut register: Register, by: usize) -> Register {
    fn turn<T>(rows: &mut [T], by: usize) {
        rows.reverse();
        if !rows.is_empty() {
            rows.rotate_left(by % rows.len());
        }
    }
    turn(&mut register.units, by);
    turn(&mut register.vehicles, by);
    turn(&mut register.bindings, by);
    turn(&mut register.orders, by);
    turn(&mut register.duties, by);
    turn(&mut register.emergencies, by);
    turn(&mut register.seals, by);
    turn(&mut register.transfers, by);
    turn(&mut register.zones, by);
    turn(&mut register.places, by);
    turn(&mut register.rule_sets, by);
    turn(&mut register.exemptions, by);
    turn(&mut register.watermarks, by);
    register
}

/// Everything found about all cars, each car with this track.
fn judge_everything(register: Register, points: &[Point]) -> Vec<Finding> {
    let world = World::new(register, "Asia/Shanghai").unwrap();
    let segments = cut(points, &TripSettings::default());
    let histories: Vec<_> = (CAR.0..CAR.0 + 6)
        .map(|id| VehicleHistory {
            vehicle: VehicleId(id),
            segments: &segments,
            points,
            known_to: at(10_000),
        })
        .collect();
    let days = date("2026-04-06")..=date("2026-04-11");
    let of_cars = histories.iter().flat_map(|history| judge_vehicle(&world, *history, days.clone()));
    let mut findings: Vec<_> = of_cars.collect();
    findings.extend(judge_fleet(&world, &histories, days));
    findings
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_register_with_any_track_is_judged_the_same_in_any_order(
        register in any_register(),
        points in any_track(),
        by in 0_usize..7,
    ) {
        assert_sensible(&trips(&points), &points);
        let findings = judge_everything(register.clone(), &points);
        prop_assert_eq!(&judge_everything(register.clone(), &points), &findings);
        let turned = judge_everything(shuffled(register, by), &points);
        for (one, other) in findings.iter().zip(&turned) {
            prop_assert_eq!((one, one.id()), (other, other.id()));
        }
        prop_assert_eq!(turned.len(), findings.len());
    }
}
