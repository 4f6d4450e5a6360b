//! Registers and tracks that nobody should send: every fault is told by its row on the way in, and what got in all the same is judged
//! without a panic, the same whatever the order of the rows.

#![expect(clippy::unwrap_used, reason = "a test")]

mod any;

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
