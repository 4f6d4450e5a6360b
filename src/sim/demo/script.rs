//! What the demonstration's cars do and what is on paper about them: five weeks of the made-up county.
//!
//! Three weeks lie behind, two ahead. It is a [`Quarter`] with one thing changed: from the day of the show on a few cars are
//! on duty round the clock, under a roster and an order for each day, so that something drives at night and on Sundays too;
//! what the quarter has them do instead is left out, on the road and on paper.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use motorpool_protocols::{Alarms, Fix, Protocol, Quality, Status, TerminalId, UtcMillis};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::point::{Point, Signs};
use motorpool_supervision::register::{
    Approval, Class, Duty, Order, OrderState, PlaceText, Register, Row, Span, Versioned,
};

use super::patrol::Patrol;
use crate::sim::enrol::demo_terminal;
use crate::sim::quarter::{Kind, Label, Quarter, QuarterOptions, Rate, SHOWN_DAYS, Story, quarter};
use crate::sim::schedule::TIME_OFFSET_S;

/// Days of history before the day of the show.
pub const HISTORY_DAYS: u16 = SHOWN_DAYS;
/// Days that the script has in all.
const DAYS: u16 = 35;
/// Cars on duty round the clock.
const PATROLS_MAX: usize = 6;
const DAY_MS: i64 = 86_400_000;
/// The order of a day on duty is written so long before the day.
const WRITTEN_BEFORE_MS: i64 = 6 * 3_600_000;
/// Steps shorter than this give no course, metres.
const STEP_MIN_M: f64 = 3.0;

/// What to make a script of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the options there are")]
pub struct ScriptOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// The first day of the history.
    pub from: Date,
    /// Cars that take part, the first ones of the county.
    pub cars: usize,
}

/// What the cars do and what is written about it.
#[derive(Clone, Debug)]
pub struct Script {
    quarter: Quarter,
    patrols: BTreeMap<VehicleId, Patrol>,
    register: Register,
    cars: Vec<DemoCar>,
}

/// A car of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct DemoCar {
    /// The car's number in the register.
    pub vehicle: VehicleId,
    /// What its terminal speaks.
    pub protocol: Protocol,
    /// What its terminal calls itself.
    pub terminal: TerminalId,
    /// Its impossible plate.
    pub plate: String,
    /// The name of its unit.
    pub unit: String,
}

impl Script {
    /// Writes the script. Nothing of it depends on anything but the options. Takes seconds for a whole county.
    #[must_use]
    pub fn new(options: ScriptOptions) -> Self {
        let ScriptOptions { seed, from, cars } = options;
        let quarter = quarter(QuarterOptions { seed, from, days: DAYS, rate: Rate::Demo, cars: Some(cars) });
        let (first, end) = quarter.span();
        let begins = UtcMillis(first.0 + i64::from(HISTORY_DAYS) * DAY_MS);
        let patrols: BTreeMap<VehicleId, Patrol> = fit_for_patrol(&quarter)
            .filter_map(|vehicle| Some((vehicle, Patrol::new(&quarter, vehicle, begins)?)))
            .take(PATROLS_MAX)
            .collect();
        let mut register = quarter.register().clone();
        put_on_duty(&mut register, &patrols, Span::new(begins, end));
        let mut script = Self { quarter, patrols, register, cars: Vec::new() };
        script.cars = script.cast();
        script
    }

    /// What is on paper, each row with the time at which people wrote it in `recorded_at`. Some of it lies ahead.
    #[must_use]
    pub const fn register(&self) -> &Register {
        &self.register
    }

    /// The cars, in order.
    #[must_use]
    pub fn cars(&self) -> &[DemoCar] {
        &self.cars
    }

    fn cast(&self) -> Vec<DemoCar> {
        let units: BTreeMap<i64, &str> =
            self.register.units.iter().map(|unit| (unit.id, unit.row.name.as_str())).collect();
        let bound = bound_to_jt808(&self.quarter);
        let cars = self.register.vehicles.iter().enumerate();
        cars.filter_map(|(index, car)| {
            let UnitId(unit) = car.row.unit;
            let vehicle = VehicleId(car.id);
            let is_bound = bound.contains(&vehicle);
            let protocol = if is_bound { Protocol::Jt808 } else { self.protocol(index, vehicle) };
            Some(DemoCar {
                vehicle,
                protocol,
                terminal: demo_terminal(protocol, index)?,
                plate: car.row.plate.clone(),
                unit: (*units.get(&unit)?).to_owned(),
            })
        })
        .collect()
    }

    /// What a car speaks: by its place in the county, as long as its tracker tells nothing that the protocol has no
    /// word for. What is judged must not depend on what is spoken.
    fn protocol(&self, index: usize, vehicle: VehicleId) -> Protocol {
        let wanted = match index % 12 {
            1 | 4 | 7 | 10 => Protocol::Gb32960,
            2 => Protocol::Gt06,
            5 => Protocol::Teltonika,
            _ => return Protocol::Jt808,
        };
        // What a tracker can tell it tells on the first day on which it says anything.
        let (first, last) = self.days();
        let mut days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
        let day = days.find_map(|day| Some(self.fixes(vehicle, day)).filter(|fixes| !fixes.is_empty()));
        let has_words = day.is_some_and(|fixes| fixes.iter().all(|fix| has_words(wanted, fix)));
        if has_words { wanted } else { Protocol::Jt808 }
    }

    /// The plates of the cars that were misused before the show, so that their units have something to explain.
    #[must_use]
    pub fn misused(&self) -> BTreeSet<String> {
        let (first, _) = self.quarter.days();
        let show = first.saturating_add(jiff::Span::new().days(i64::from(HISTORY_DAYS)));
        let labels = self.quarter.truth().iter();
        let guilty = labels.filter(|label| label.kind == Kind::Violation && label.day < show);
        let guilty: BTreeSet<VehicleId> = guilty.map(|label| label.vehicle).collect();
        let cars = self.cars.iter();
        cars.filter(|car| guilty.contains(&car.vehicle)).map(|car| car.plate.clone()).collect()
    }

    /// First and last day.
    #[must_use]
    pub fn days(&self) -> (Date, Date) {
        self.quarter.days()
    }

    /// What a car's terminal sends of one local day, in order of time.
    #[must_use]
    pub fn fixes(&self, vehicle: VehicleId, day: Date) -> Vec<Fix> {
        let (first, _) = self.quarter.days();
        let Ok(passed) = first.until(day) else { return Vec::new() };
        let from = UtcMillis(self.quarter.span().0.0 + i64::from(passed.get_days()) * DAY_MS);
        let to = UtcMillis((from.0 + DAY_MS).min(self.quarter.span().1.0));
        let on_duty = self.patrols.get(&vehicle).map(|patrol| patrol.points(from, to));
        let points = on_duty
            .filter(|points| !points.is_empty())
            .unwrap_or_else(|| self.quarter.day_track(vehicle, day));
        in_words_of_the_standard(&points)
    }
}

/// The local day of an instant.
#[must_use]
pub fn local_day(at: UtcMillis) -> Date {
    let seconds = jiff::SignedDuration::from_millis(at.0 + TIME_OFFSET_S * 1_000);
    jiff::civil::date(1970, 1, 1).saturating_add(seconds)
}

/// Whether a protocol can tell all that judgement needs of a fix. None but JT/T 808 has these trackers' alarms; GB/T 32960 has
/// only the vehicle's own speed, and an electric car has no tank; GT06 has none either.
fn has_words(protocol: Protocol, fix: &Fix) -> bool {
    let is_plain = fix.alarms == Alarms(0);
    match protocol {
        Protocol::Gb32960 => {
            let is_counted = fix.vehicle_speed_dkmh.is_some() || fix.speed_dkmh.is_none();
            is_plain && is_counted && fix.fuel_dl.is_none()
        }
        Protocol::Gt06 => is_plain && fix.fuel_dl.is_none(),
        _ => is_plain,
    }
}

/// Cars with a story that shows in what only JT/T 808 tells: power lost, satellites lost, the speed at a school, and the tank.
fn bound_to_jt808(quarter: &Quarter) -> BTreeSet<VehicleId> {
    let is_bound = |label: &&Label| {
        matches!(
            label.story,
            Story::Unplugged
                | Story::WiringFault
                | Story::Jammed
                | Story::SchoolRun
                | Story::FuelCardElsewhere
                | Story::OverTank
        )
    };
    quarter.truth().iter().filter(is_bound).map(|label| label.vehicle).collect()
}

/// Law-enforcement cars about which no story is told.
fn fit_for_patrol(quarter: &Quarter) -> impl Iterator<Item = VehicleId> {
    let told: BTreeSet<VehicleId> = quarter.truth().iter().map(|label| label.vehicle).collect();
    let cars = quarter.register().vehicles.iter();
    cars.filter(|car| car.row.class == Class::LawEnforcement)
        .map(|car| VehicleId(car.id))
        .filter(move |vehicle| !told.contains(vehicle))
}

/// Takes away what was written about the cars for this time, and puts them on the roster instead.
fn put_on_duty(register: &mut Register, patrols: &BTreeMap<VehicleId, Patrol>, during: Span) {
    fn keep<T: Row>(register: &mut Register, is_other: impl Fn(&Versioned<T>) -> bool) {
        T::rows_mut(register).retain(is_other);
    }
    let is_other = |vehicle: &VehicleId, at: UtcMillis| !patrols.contains_key(vehicle) || at < during.from;
    use motorpool_supervision::register as rows;
    keep::<Order>(register, |row| is_other(&row.row.vehicle, row.row.planned_out));
    keep::<Duty>(register, |row| row.row.vehicle.is_none_or(|car| is_other(&car, row.valid.from)));
    keep::<rows::Report>(register, |row| is_other(&row.row.vehicle, row.row.at));
    keep::<rows::FuelFill>(register, |row| is_other(&row.row.vehicle, row.row.stamp.at));
    keep::<rows::Passage>(register, |row| is_other(&row.row.vehicle, row.row.stamp.at));
    keep::<rows::Repair>(register, |row| is_other(&row.row.vehicle, row.row.from.at));
    keep::<rows::DriverLogin>(register, |row| is_other(&row.row.vehicle, row.row.at));
    keep::<rows::Mileage>(register, |row| is_other(&row.row.vehicle, row.row.at));
    let units: BTreeMap<VehicleId, UnitId> =
        register.vehicles.iter().map(|car| (VehicleId(car.id), car.row.unit)).collect();
    for (vehicle, patrol) in patrols {
        let Some(unit) = units.get(vehicle).copied() else { continue };
        let what = "全天候巡逻值班".to_owned();
        let row = Duty { unit, vehicle: Some(*vehicle), person: String::new(), what };
        let written = UtcMillis(during.from.0 - DAY_MS);
        let id = register.duties.iter().map(|row| row.id).max().unwrap_or(0) + 1;
        register.duties.push(Versioned::first(id, written, row).during(during));
        let orders = daily_orders(register, *vehicle, patrol, during);
        register.orders.extend(orders);
    }
}

/// An order for each day to where the rounds lead, written the evening before; the orders of the round say where that is.
fn daily_orders(
    register: &Register,
    vehicle: VehicleId,
    patrol: &Patrol,
    during: Span,
) -> Vec<Versioned<Order>> {
    let (out, back) = patrol.recorded();
    let of_it = |row: &&Versioned<Order>| row.row.vehicle == vehicle;
    let overlaps = |row: &&Versioned<Order>| row.row.planned_out <= back && out <= row.row.planned_in;
    let driven: Vec<&Order> =
        register.orders.iter().filter(of_it).filter(overlaps).map(|row| &row.row).collect();
    let Some(usual) = driven.first() else { return Vec::new() };
    let destinations: Vec<PlaceText> = driven.iter().flat_map(|order| &order.destinations).cloned().collect();
    let next_id = register.orders.iter().map(|row| row.id).max().unwrap_or(0) + 1;
    let days = during.to.map_or(0, |to| (to.0 - during.from.0) / DAY_MS);
    let order = |day: i64| {
        let planned_out = UtcMillis(during.from.0 + day * DAY_MS);
        let written = UtcMillis(planned_out.0 - WRITTEN_BEFORE_MS);
        let sign = |approval: &Approval| Approval { at: Some(written), ..approval.clone() };
        let order = Order {
            no: format!("XL{:03}{:02}", vehicle.0, day + 1),
            purpose: "全天候巡逻".to_owned(),
            destinations: destinations.clone(),
            approvals: usual.approvals.iter().map(sign).collect(),
            planned_out,
            planned_in: UtcMillis(planned_out.0 + DAY_MS),
            applied_at: Some(written),
            entered_at: Some(written),
            state: OrderState::Approved,
            odometer_out_m: None,
            odometer_in_m: None,
            distance_m: None,
            actual_out: None,
            actual_in: None,
            ..(*usual).clone()
        };
        Versioned::first(next_id + day, written, order)
    };
    (0..days).map(order).collect()
}

/// The points as JT/T 808 has words for them. It has none for a tracker without an ignition wire, which sends the bit as 0, and none
/// for a jammed receiver, which is one without a position.
fn in_words_of_the_standard(points: &[Point]) -> Vec<Fix> {
    let mut course_deg = 0;
    let mut before: Option<&Point> = None;
    let tell = |point| {
        if let Some(last) = before.replace(point) {
            course_deg = course(last, point).unwrap_or(course_deg);
        }
        fix(point, course_deg)
    };
    points.iter().map(tell).collect()
}

fn fix(point: &Point, course_deg: u16) -> Fix {
    let bit = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
    let alarm = |sign: Signs, alarm: Alarms| if point.signs.contains(sign) { alarm.0 } else { 0 };
    let alarms = alarm(Signs::POWER_LOST, Alarms::POWER_LOST)
        | alarm(Signs::UNDERVOLTAGE, Alarms::UNDERVOLTAGE)
        | alarm(Signs::ANTENNA_FAULT, Alarms::ANTENNA_OPEN)
        | alarm(Signs::ILLEGAL_DISPLACEMENT, Alarms::ILLEGAL_DISPLACEMENT);
    let status = bit(point.ignition == Some(true), Status::IGNITION.0)
        | bit(point.is_usable(), Status::POSITIONED.0 | Status::BEIDOU.0 | Status::GPS.0);
    Fix {
        speed_dkmh: point.speed_dkmh,
        course_deg: Some(course_deg),
        status: Status(status),
        alarms: Alarms(alarms),
        quality: if point.is_usable() { Quality(0) } else { Quality::NOT_POSITIONED },
        satellites: point.satellites,
        odometer_m: point.odometer_m,
        fuel_dl: point.fuel_dl,
        vehicle_speed_dkmh: point.vehicle_speed_dkmh,
        ..Fix::new(point.time, point.at.lat_e7, point.at.lon_e7)
    }
}

/// The course from one point to the next, whole degrees from north; `None` when they are too close together.
fn course(from: &Point, to: &Point) -> Option<u16> {
    if from.at.distance_m(to.at) < STEP_MIN_M {
        return None;
    }
    let north = to.at.lat() - from.at.lat();
    let east = (to.at.lon() - from.at.lon()) * from.at.lat().to_radians().cos();
    Some(east.atan2(north).to_degrees().rem_euclid(360.0) as u16 % 360)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::speakers::tests::heard;
    use motorpool_protocols::Profile;
    use motorpool_protocols::jt808;
    use motorpool_supervision::calendar::builtin;
    use motorpool_supervision::judge::{VehicleHistory, judge_vehicle};
    use motorpool_supervision::point::Position;
    use motorpool_supervision::trips::{TripSettings, cut};
    use motorpool_supervision::world::World;

    fn script() -> Script {
        Script::new(ScriptOptions { seed: 1, from: jiff::civil::date(2026, 4, 1), cars: 130 })
    }

    #[test]
    fn patrols_drive_at_night_under_a_roster_and_an_order_of_the_day() {
        let script = script();
        assert!(!script.patrols.is_empty());
        let (first, last) = script.days();
        let begins = UtcMillis(script.quarter.span().0.0 + 21 * DAY_MS);
        for vehicle in script.patrols.keys() {
            // 2026-04-26 is a Sunday: something moves in each of its hours.
            let sunday = script.fixes(*vehicle, jiff::civil::date(2026, 4, 26));
            let moving: BTreeSet<i64> = sunday
                .iter()
                .filter(|fix| fix.speed_dkmh > Some(50))
                .map(|fix| fix.fix_time.0 / 3_600_000)
                .collect();
            assert!(moving.len() >= 16, "{vehicle}: {moving:?}");
            assert!(sunday.is_sorted_by_key(|fix| fix.fix_time));
            let of_it =
                |row: &&Versioned<Duty>| row.row.vehicle == Some(*vehicle) && row.valid.from >= begins;
            assert_eq!(script.register().duties.iter().filter(of_it).count(), 1);
            let orders = script.register().orders.iter().filter(|row| row.row.vehicle == *vehicle);
            let orders = orders.filter(|row| row.row.planned_out >= begins);
            let written: Vec<i64> = orders.map(|row| row.recorded_at.0 - begins.0).collect();
            assert_eq!(written, (0..14).map(|day| day * DAY_MS - WRITTEN_BEFORE_MS).collect::<Vec<_>>());
            // The odometer never goes back.
            let days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
            let read: Vec<u32> =
                days.flat_map(|day| script.fixes(*vehicle, day)).filter_map(|fix| fix.odometer_m).collect();
            assert!(read.is_sorted());
        }
    }

    #[test]
    fn the_fleet_is_mixed_and_nobody_speaks_what_lacks_a_word() {
        let script = script();
        let cars = script.cars();
        let speaking = |protocol| cars.iter().filter(move |car| car.protocol == protocol);
        let others = [Protocol::Gb32960, Protocol::Gt06, Protocol::Teltonika];
        let counts = others.map(|protocol| speaking(protocol).count());
        assert!(counts.iter().all(|count| *count >= 3), "{counts:?}");
        assert!(speaking(Protocol::Jt808).count() > cars.len() / 2, "{counts:?}");
        assert!((cars.len() / 14..cars.len() / 7).contains(&counts[0]), "{counts:?}");
    }

    /// The history of a car and what is found in it, by rule, outcome and day.
    fn judged(world: &World, script: &Script, car: &DemoCar, fixes: &[Fix]) -> BTreeSet<String> {
        let points: Vec<Point> = fixes.iter().map(Point::from).collect();
        let segments = cut(&points, &TripSettings::default());
        let known_to = script.quarter.span().1;
        let history = VehicleHistory { vehicle: car.vehicle, segments: &segments, points: &points, known_to };
        let (first, _) = script.days();
        let last = first.saturating_add(jiff::Span::new().days(i64::from(HISTORY_DAYS)));
        let findings = judge_vehicle(world, history, first..=last);
        findings.iter().map(|found| format!("{:?} {:?} {}", found.rule, found.outcome, found.day)).collect()
    }

    #[test]
    fn what_is_found_does_not_depend_on_what_is_spoken() {
        let script = Script::new(ScriptOptions { seed: 1, from: jiff::civil::date(2026, 4, 1), cars: 48 });
        let mut register = script.register().clone();
        let years = (1..).zip(builtin("cn").unwrap());
        register.calendar_years =
            years.map(|(id, year)| Versioned::first(id, script.quarter.span().0, year)).collect();
        let world = World::new(register, "Asia/Shanghai").unwrap();
        let (mut cars, mut found) = (0, 0);
        for car in script.cars().iter().filter(|car| car.protocol != Protocol::Jt808) {
            let days = script.days().0.series(jiff::Span::new().days(1)).take(HISTORY_DAYS.into());
            let fixes: Vec<Fix> = days.flat_map(|day| script.fixes(car.vehicle, day)).collect();
            assert!(fixes.iter().all(|fix| has_words(car.protocol, fix)), "{}", car.plate);
            let usual = judged(&world, &script, car, &heard(Protocol::Jt808, &fixes));
            let spoken = judged(&world, &script, car, &heard(car.protocol, &fixes));
            assert_eq!(spoken, usual, "{} speaks {}", car.plate, car.protocol);
            (cars, found) = (cars + 1, found + usual.len());
        }
        assert!(cars >= 5 && found > 0, "{cars} cars, {found} findings");
    }

    #[test]
    fn what_a_point_says_is_on_the_wire() {
        let place = Position { lat_e7: 331_234_560, lon_e7: 1_041_234_560 };
        let point = Point {
            ignition: Some(true),
            odometer_m: Some(123_400),
            vehicle_speed_dkmh: Some(361),
            satellites: Some(3),
            signs: Signs::POWER_LOST.with(Signs::ANTENNA_FAULT).with(Signs::UNUSABLE),
            ..Point::new(UtcMillis(1_775_000_000_000), place)
        };
        let east = Point { at: Position { lon_e7: place.lon_e7 + 10_000, ..place }, ..point };
        let fixes = in_words_of_the_standard(&[point, east]);
        let mut body = Vec::new();
        jt808::encode_location(&fixes[1], &[], &Profile::default(), &mut body);
        // Alarm flags 0x120: power lost (8) and antenna open (5); state 0x1: ignition, no position.
        assert_eq!(body[..8], [0, 0, 1, 0x20, 0, 0, 0, 1]);
        assert_eq!((fixes[0].course_deg, fixes[1].course_deg), (Some(0), Some(90)));
        assert_eq!((fixes[1].odometer_m, fixes[1].satellites), (Some(123_400), Some(3)));
    }

    #[test]
    fn local_days_begin_at_sixteen_hours_utc() {
        // 2026-04-01T16:00:00Z is midnight in Shanghai.
        assert_eq!(local_day(UtcMillis(1_775_059_200_000)), jiff::civil::date(2026, 4, 2));
        assert_eq!(local_day(UtcMillis(1_775_059_199_999)), jiff::civil::date(2026, 4, 1));
    }
}
