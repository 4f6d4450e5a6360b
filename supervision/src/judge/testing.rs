//! A small made-up county for tests of rules: one bureau, one car, its depot, a service area; feeds complete, rules in force.
//!
//! Times are local, `2026-04-07 09:00` (a Tuesday). Tracks are built as the cutter would cut them: [`Scene::drive`] adds the stop before, the trip,
//! and a fix every 30 s along a straight line.

use jiff::civil::{Date, DateTime};

use crate::UtcMillis;
use crate::finding::{Finding, Outcome, Rule};
use crate::ids::{UnitId, VehicleId, ZoneId};
use crate::judge::{VehicleHistory, judge_vehicle};
use crate::point::{Point, Position};
use crate::register::*;
use crate::trips::*;
use crate::world::World;

/// The county, which is above the bureau.
pub(crate) const COUNTY: UnitId = UnitId(1);
/// The bureau that has the car.
pub(crate) const BUREAU: UnitId = UnitId(2);
/// The car.
pub(crate) const CAR: VehicleId = VehicleId(7);
/// Its depot, a circle of 100 m around [`DEPOT_AT`].
pub(crate) const DEPOT: ZoneId = ZoneId(1);
/// The service area of the county, a circle of 30 km around the depot.
pub(crate) const AREA: ZoneId = ZoneId(2);
/// Where the depot is.
pub(crate) const DEPOT_AT: Position = Position { lat_e7: 300_000_000, lon_e7: 1_100_000_000 };

const FEEDS: [Feed; 15] = [
    Feed::Orders,
    Feed::Duties,
    Feed::Depots,
    Feed::Areas,
    Feed::SensitivePlaces,
    Feed::Places,
    Feed::Seals,
    Feed::Fuel,
    Feed::Passages,
    Feed::Repairs,
    Feed::Rentals,
    Feed::DriverLogins,
    Feed::VinReadings,
    Feed::DeviceWorks,
    Feed::Mileages,
];

/// The instant of a local time, `2026-04-07 09:00` or with seconds.
pub(crate) fn at(local: &str) -> UtcMillis {
    let local: DateTime = local.parse().unwrap();
    let zoned = local.in_tz("Asia/Shanghai").unwrap();
    UtcMillis(zoned.timestamp().as_millisecond())
}

/// A date, `2026-04-07`.
pub(crate) fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// A place so many metres east and north of the depot.
pub(crate) fn place(east_m: f64, north_m: f64) -> Position {
    let lat = DEPOT_AT.lat() + north_m / 111_195.08;
    let lon = DEPOT_AT.lon() + east_m / (111_195.08 * DEPOT_AT.lat().to_radians().cos());
    Position::from_degrees(lat, lon)
}

/// A zone that is a circle.
pub(crate) fn circle(
    id: ZoneId,
    name: &str,
    kind: ZoneKind,
    centre: Position,
    radius_m: u32,
) -> Versioned<Zone> {
    let shape = Shape::Circle { centre, radius_m };
    Versioned::first(id.0, UtcMillis(0), Zone { name: name.to_owned(), kind, shape, ..Zone::default() })
}

/// Everything a judgement needs, to be changed by a test.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) register: Register,
    pub(crate) segments: Vec<Segment>,
    pub(crate) points: Vec<Point>,
    pub(crate) known_to: UtcMillis,
    /// Where the car stands, and since when.
    standing: (UtcMillis, Position),
    odometer_m: f64,
}

impl Scene {
    /// The car stands in its depot since 2026-03-01 00:00; everything is known until 2026-05-01.
    pub(crate) fn new() -> Self {
        let always = UtcMillis(0);
        let unit = |id: UnitId, name: &str, parent| {
            Versioned::first(id.0, always, Unit { name: name.to_owned(), parent, ..Unit::default() })
        };
        let vehicle = Vehicle {
            plate: "测A00001".to_owned(),
            unit: BUREAU,
            depot: Some(DEPOT),
            tank_l: Some(60),
            norm_dl_per_100km: Some(90),
            ..Vehicle::default()
        };
        let mut depot = circle(DEPOT, "局机关车库", ZoneKind::Depot, DEPOT_AT, 100);
        depot.row.unit = Some(BUREAU);
        let mut area = circle(AREA, "全县", ZoneKind::ServiceArea, DEPOT_AT, 30_000);
        area.row.unit = Some(COUNTY);
        let rule_set =
            RuleSet { name: "county".to_owned(), state: RuleSetState::Active, ..RuleSet::default() };
        let years = crate::calendar::builtin("cn").unwrap();
        let register = Register {
            units: vec![unit(COUNTY, "某县", None), unit(BUREAU, "某局", Some(COUNTY))],
            vehicles: vec![Versioned::first(CAR.0, always, vehicle)],
            zones: vec![depot, area],
            rule_sets: vec![Versioned::first(1, always, rule_set)],
            calendar_years: (1..).zip(years).map(|(id, year)| Versioned::first(id, always, year)).collect(),
            watermarks: (1..).zip(FEEDS).map(|(id, feed)| watermark(id, feed)).collect(),
            ..Register::default()
        };
        Self {
            register,
            segments: Vec::new(),
            points: Vec::new(),
            known_to: at("2026-05-01 00:00"),
            standing: (at("2026-03-01 00:00"), DEPOT_AT),
            odometer_m: 50_000_000.0,
        }
    }

    /// Lays parameters over the defaults, for example `json!({"r01": {"min_distance_m": 500}})`.
    pub(crate) fn params(&mut self, params: serde_json::Value) {
        self.register.rule_sets[0].row.params = params;
    }

    /// Everything is known until this local time only.
    pub(crate) fn until(mut self, local: &str) -> Self {
        self.known_to = at(local);
        self
    }

    /// Says that a feed is not complete.
    pub(crate) fn incomplete(&mut self, feed: Feed) {
        self.register.watermarks.retain(|mark| mark.row.feed != feed);
    }

    /// The car drives from where it stands to `to`, leaving and arriving at these local times, in a straight line.
    pub(crate) fn drive(&mut self, leaves: &str, arrives: &str, to: Position) -> &mut Trip {
        self.drive_along(leaves, arrives, &[to])
    }

    /// As [`Scene::drive`], along several places at even speed.
    pub(crate) fn drive_along(&mut self, leaves: &str, arrives: &str, way: &[Position]) -> &mut Trip {
        let (start, end) = (at(leaves), at(arrives));
        let (_, from) = self.standing;
        self.stand_until(start);
        let to = *way.last().unwrap();
        let legs: Vec<_> = std::iter::once(&from).chain(way).zip(way).collect();
        let distance: f64 = legs.iter().map(|(one, other)| one.distance_m(**other)).sum();
        let steps = ((end.0 - start.0) / 30_000).max(1);
        let speed = distance / ((end.0 - start.0) as f64 / 1_000.0) * 36.0;
        for step in 0..=steps {
            let share = step as f64 / steps as f64;
            let time = UtcMillis(start.0 + (end.0 - start.0) * step / steps);
            let point = Point {
                speed_dkmh: Some(if step == 0 || step == steps { 0 } else { speed as u16 }),
                odometer_m: Some((self.odometer_m + share * distance) as u32),
                ignition: Some(step != steps),
                ..Point::new(time, along(&legs, share * distance))
            };
            self.points.push(point);
        }
        self.odometer_m += distance;
        self.standing = (end, to);
        self.segments.push(Segment::Trip(Trip {
            kind: if distance < 300.0 { TripKind::Move } else { TripKind::Trip },
            start,
            end,
            start_at: from,
            end_at: to,
            distance_m: distance.round() as u32,
            distance_source: DistanceSource::Odometer,
            moving_s: u32::try_from((end.0 - start.0) / 1_000).unwrap(),
            idle_s: 0,
            max_speed_dkmh: Some(speed as u16),
            fixes: u32::try_from(steps + 1).unwrap(),
            marked: 0,
            gap_s: 0,
            confidence_pct: 95,
            start_reason: StartReason::IgnitionOn,
            end_reason: EndReason::IgnitionOff,
        }));
        match self.segments.last_mut() {
            Some(Segment::Trip(trip)) => trip,
            _ => unreachable!("just pushed"),
        }
    }

    /// Ends the stop at `until`.
    fn stand_until(&mut self, until: UtcMillis) {
        let stop = self.stop(until, false);
        self.segments.push(Segment::Stop(stop));
    }

    fn stop(&self, until: UtcMillis, is_open: bool) -> Stop {
        let (start, place) = self.standing;
        Stop {
            start,
            end: until,
            at: place,
            is_open,
            ignition_on_s: Some(0),
            fixes: 10,
            longest_silence_s: 3_600,
        }
    }

    /// The terminal is silent from when the car last arrived until `until`, when it stands at `to`; the odometer counts
    /// `odometer_m` meanwhile.
    pub(crate) fn silent_until(&mut self, until: &str, to: Position, odometer_m: u32) -> &mut Gap {
        let (start, from) = self.standing;
        let end = at(until);
        self.odometer_m += f64::from(odometer_m);
        self.standing = (end, to);
        self.segments.push(Segment::Gap(Gap {
            start,
            end,
            from,
            to,
            displacement_m: from.distance_m(to).round() as u32,
            odometer_m: Some(odometer_m),
            place: GapPlace::BetweenTrips,
            ignition_before: Some(true),
            ignition_after: Some(true),
            power_lost: false,
        }));
        match self.segments.last_mut() {
            Some(Segment::Gap(gap)) => gap,
            _ => unreachable!("just pushed"),
        }
    }

    /// An approved order for the car, recorded an hour before it begins. Number, from, to, destination.
    pub(crate) fn order(&mut self, no: &str, out: &str, back: &str, to: Position) -> &mut Versioned<Order> {
        let (planned_out, planned_in) = (at(out), at(back));
        let order = Order {
            no: no.to_owned(),
            unit: BUREAU,
            vehicle: CAR,
            destinations: vec![PlaceText { text: format!("{no}目的地"), at: Some(to) }],
            planned_out,
            planned_in,
            ..Order::default()
        };
        let id = i64::try_from(self.register.orders.len()).unwrap() + 1;
        self.register.orders.push(Versioned::first(id, UtcMillis(planned_out.0 - 3_600_000), order));
        self.register.orders.last_mut().unwrap()
    }

    /// Adds a zone that is everybody's.
    pub(crate) fn zone(&mut self, name: &str, kind: ZoneKind, centre: Position, radius_m: u32) -> ZoneId {
        let id = ZoneId(i64::try_from(self.register.zones.len()).unwrap() + 1);
        self.register.zones.push(circle(id, name, kind, centre, radius_m));
        id
    }

    /// Everything besides the tracks.
    pub(crate) fn world(&self) -> World {
        World::new(self.register.clone(), "Asia/Shanghai").unwrap()
    }

    /// The segments with the last stop, which is open.
    pub(crate) fn all_segments(&self) -> Vec<Segment> {
        let mut segments = self.segments.clone();
        if self.standing.0 < self.known_to {
            segments.push(Segment::Stop(self.stop(self.known_to, true)));
        }
        segments
    }

    /// Everything found about these days, `2026-04-07`, both included.
    pub(crate) fn judge(&self, from: &str, to: &str) -> Vec<Finding> {
        let segments = self.all_segments();
        let history = VehicleHistory {
            vehicle: CAR,
            segments: &segments,
            points: &self.points,
            known_to: self.known_to,
        };
        judge_vehicle(&self.world(), history, date(from)..=date(to))
    }

    /// What `rule` found on that day.
    pub(crate) fn found(&self, rule: Rule, day: &str) -> Vec<Finding> {
        let mut findings = self.judge(day, day);
        findings.retain(|finding| finding.rule == rule);
        findings
    }

    /// As [`Scene::found`], with the segments as they are: no last stop is added.
    pub(crate) fn found_in(&self, rule: Rule, day: &str) -> Vec<Finding> {
        let (segments, points, known_to) = (&self.segments, &self.points, self.known_to);
        let history = VehicleHistory { vehicle: CAR, segments, points, known_to };
        let mut findings = judge_vehicle(&self.world(), history, date(day)..=date(day));
        findings.retain(|finding| finding.rule == rule);
        findings
    }

    /// What `rule` found on that day, when it is exactly one flag.
    #[track_caller]
    pub(crate) fn flag(&self, rule: Rule, day: &str) -> Finding {
        let [found]: [Finding; 1] = self.found(rule, day).try_into().unwrap();
        assert_eq!(found.outcome, Outcome::Flag, "{found:?}");
        found
    }

    /// What `rule` can't decide on that day, when it is exactly one question.
    #[track_caller]
    pub(crate) fn undecidable(&self, rule: Rule, day: &str) -> Finding {
        let [found]: [Finding; 1] = self.found(rule, day).try_into().unwrap();
        assert_eq!(found.outcome, Outcome::Undecidable, "{found:?}");
        found
    }

    /// Asserts that `rule` says nothing about that day.
    #[track_caller]
    pub(crate) fn clear(&self, rule: Rule, day: &str) {
        assert_eq!(self.found(rule, day), vec![]);
    }
}

/// The scene four times over: on duty, in an emergency, without the feed of orders, without that of duties.
pub(crate) fn on_call(scene: &Scene) -> [Scene; 4] {
    let (mut duty, mut emergency) = (scene.clone(), scene.clone());
    let row = Duty { unit: BUREAU, ..Duty::default() };
    duty.register.duties.push(Versioned::first(1, UtcMillis(0), row));
    emergency.register.emergencies.push(Versioned::first(1, UtcMillis(0), Emergency::default()));
    let (mut orders, mut duties) = (scene.clone(), scene.clone());
    orders.incomplete(Feed::Orders);
    duties.incomplete(Feed::Duties);
    [duty, emergency, orders, duties]
}

fn watermark(id: i64, feed: Feed) -> Versioned<Watermark> {
    let (complete_from, complete_to) = (at("2020-01-01 00:00"), at("2030-01-01 00:00"));
    Versioned::first(id, UtcMillis(0), Watermark { unit: None, feed, complete_from, complete_to })
}

/// The place so many metres along the legs.
fn along(legs: &[(&Position, &Position)], mut metres: f64) -> Position {
    for (from, to) in legs {
        let length = from.distance_m(**to);
        if metres <= length && length > 0.0 {
            let share = metres / length;
            let between = |one: i32, other: i32| one + (f64::from(other - one) * share).round() as i32;
            return Position {
                lat_e7: between(from.lat_e7, to.lat_e7),
                lon_e7: between(from.lon_e7, to.lon_e7),
            };
        }
        metres -= length;
    }
    legs.last().map_or(DEPOT_AT, |(_, to)| **to)
}
