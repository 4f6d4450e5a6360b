//! A car on its way, second by second, and what its tracker reports of it.
//!
//! Driving: a driver keeps a share of the speed limit, brakes at 1.6 m/s² for bends, corners, red lights and lower
//! limits, gains at most 1.5 m/s², and is held up on town streets in the rush hours. The car runs exactly along the
//! road, so the odometer grows by the length of the way.
//!
//! Reporting: one fix each `report_s` while the ignition is on, one every five minutes while it is off, and one
//! whenever it is turned. A fix is the true place plus a slow random walk of about 3.5 m; one in some thousand is
//! an outlier of hundreds of metres; in tunnels and underground garages the tracker has no solution and repeats its
//! last place, marked as not positioned. A tracker that lost its power says so once and is silent until it is back.

use motorpool_protocols::{Alarms, Fix, Quality, Status, UtcMillis};

use super::county::{Car, County, Place, altitude_m, degrees};
use super::rng::Rng;
use super::roads::Spot;
use super::schedule::{DayPlan, Leg, TIME_OFFSET_S};

const DAY_S: i32 = 86_400;
const PARKED_REPORT_S: i32 = 300;
const BRAKING: f64 = 1.6;
const GAINING: f64 = 1.5;
/// Slower than this nobody creeps up to a stop line, m/s.
const CREEP: f64 = 0.7;
/// Sideways acceleration in bends, m/s².
const SIDEWAYS: f64 = 2.2;
/// Between the road and where the car is parked, m/s.
const YARD_SPEED: f64 = 3.3;
/// So close to a parking place under the ground there are no satellites, metres.
const UNDERGROUND_M: f64 = 30.0;
/// Standard deviation of the position on each axis, metres.
const NOISE_M: f64 = 2.6;
/// Seconds over which the noise of a moving and of a parked receiver changes.
const NOISE_MOVING_S: f64 = 40.0;
const NOISE_PARKED_S: f64 = 600.0;
/// One fix in so many is an outlier.
const OUTLIER_ONE_IN: f64 = 3_000.0;
/// The tracker's own alarm, km/h.
const OVERSPEED_ALARM_KMH: f64 = 108.0;

/// One reported fix and the truth behind it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a record of the simulation")]
pub struct Sample {
    /// What the tracker says.
    pub fix: Fix,
    /// Where the car really is.
    pub truth: Spot,
    /// The fix was thrown far off on purpose.
    pub is_outlier: bool,
}

/// How often a tracker reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two intervals")]
pub struct Reporting {
    /// Seconds between two reports while the ignition is on.
    pub moving_s: u32,
    /// Seconds between two reports while it is off; none = it is silent until the ignition goes on again.
    pub parked_s: Option<u32>,
}

/// When a planned drive really took place, seconds of the local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record of the simulation")]
pub struct Driven {
    /// The wheels begin to turn.
    pub begin_s: i32,
    /// They stand at the destination.
    pub end_s: i32,
}

/// The fixes of a planned day, in order, at most one for a second. `report_s` replaces the car's own interval
/// between two reports while the ignition is on. Empty when there is no such car.
#[must_use]
pub fn day(county: &County, car: usize, day: i64, plan: &DayPlan, report_s: Option<u32>) -> Vec<Sample> {
    let moving_s = report_s.or_else(|| county.cars.get(car).map(|of| of.report_s));
    let reporting =
        Reporting { moving_s: moving_s.unwrap_or(1), parked_s: Some(PARKED_REPORT_S.unsigned_abs()) };
    day_reported(county, car, day, plan, reporting)
}

/// The fixes of a planned day from a tracker that reports in another way.
#[must_use]
pub fn day_reported(
    county: &County,
    car: usize,
    day: i64,
    plan: &DayPlan,
    reporting: Reporting,
) -> Vec<Sample> {
    let Some(mut driver) = Driver::new(county, car, day, plan, reporting) else { return Vec::new() };
    driver.follow(&plan.legs);
    driver.reporter.out
}

/// When each drive of a planned day begins and ends: the same day as [`day_reported`], without the reports.
#[must_use]
pub fn drives(county: &County, car: usize, day: i64, plan: &DayPlan) -> Vec<Driven> {
    let reporting = Reporting { moving_s: 1, parked_s: None };
    let Some(mut driver) = Driver::new(county, car, day, plan, reporting) else { return Vec::new() };
    driver.reporter.is_mute = true;
    driver.reporter.next_s = i32::MAX;
    driver.follow(&plan.legs);
    driver.driven
}

impl<'a> Driver<'a> {
    fn new(county: &'a County, car: usize, day: i64, plan: &DayPlan, reporting: Reporting) -> Option<Self> {
        let of = county.cars.get(car)?;
        let parked = county.places.get(plan.start.at);
        let at = parked.map_or(Spot { x: 0.0, y: 0.0 }, |place| place.at);
        let keys = |part: u64| Rng::keyed(&[county.seed, part, car as u64, day as u64]);
        let interval = |seconds: u32| i32::try_from(seconds.max(1)).unwrap_or(DAY_S).min(DAY_S);
        let parked_s = reporting.parked_s.map_or(DAY_S, interval);
        let mut reporter = Reporter {
            rng: keys(21),
            midnight_ms: (i64::from(DAY_S) * day - TIME_OFFSET_S) * 1_000,
            report_s: interval(reporting.moving_s),
            parked_s,
            next_s: if parked_s < DAY_S { (car as i32 * 13) % parked_s } else { DAY_S },
            last_s: -1,
            noise: Spot { x: 0.0, y: 0.0 },
            last_place: place_e7(at),
            silent_s: plan.silent_s,
            is_mute: false,
            out: Vec::with_capacity(512),
        };
        reporter.noise = Spot { x: NOISE_M * reporter.rng.normal(), y: NOISE_M * reporter.rng.normal() };
        Some(Self {
            county,
            car: of,
            rng: keys(20),
            reporter,
            now_s: 0,
            driven: Vec::with_capacity(plan.legs.len()),
            view: View {
                at,
                speed: 0.0,
                course_deg: 0.0,
                odometer_m: plan.start.odometer_m,
                fuel_l: plan.start.fuel_l,
                is_ignition_on: false,
                is_covered: parked.is_some_and(|place| place.is_underground),
            },
        })
    }
}

/// What there is to report at one moment.
#[derive(Clone, Copy, Debug)]
struct View {
    at: Spot,
    /// m/s.
    speed: f64,
    course_deg: f64,
    odometer_m: f64,
    fuel_l: f64,
    is_ignition_on: bool,
    is_covered: bool,
}

struct Driver<'a> {
    county: &'a County,
    car: &'a Car,
    rng: Rng,
    reporter: Reporter,
    now_s: i32,
    driven: Vec<Driven>,
    view: View,
}

impl Driver<'_> {
    fn follow(&mut self, legs: &[Leg]) {
        let mut free_s = 0;
        for (number, leg) in legs.iter().enumerate() {
            let depart_s = leg.depart_s.max(free_s);
            let warm_up_s = self.rng.between(15.0, 50.0) as i32;
            self.stand(depart_s - warm_up_s);
            self.switch(true);
            self.stand(depart_s);
            let begin_s = self.now_s;
            self.drive(leg);
            self.driven.push(Driven { begin_s, end_s: self.now_s });
            if leg.is_refuelling {
                self.view.fuel_l = self.car.tank_l * 0.95;
            }
            free_s = self.now_s + leg.dwell_s;
            let linger_s = self.rng.between(8.0, 40.0) as i32;
            self.stand(self.now_s + linger_s);
            let is_short =
                legs.get(number + 1).is_some_and(|next| next.depart_s.max(free_s) - self.now_s < 240);
            if !(is_short && self.rng.chance(0.5)) {
                self.switch(false);
            }
        }
        self.stand(DAY_S);
    }

    /// Stays where it is, up to but not including `until_s`.
    fn stand(&mut self, until_s: i32) {
        self.view.speed = 0.0;
        while self.reporter.next_s < until_s {
            let at_s = self.reporter.next_s.max(self.now_s);
            self.reporter.report(at_s, &self.view);
        }
        self.now_s = self.now_s.max(until_s);
    }

    fn switch(&mut self, on: bool) {
        if self.view.is_ignition_on != on {
            self.view.is_ignition_on = on;
            self.reporter.report(self.now_s, &self.view);
        }
    }

    fn drive(&mut self, leg: &Leg) {
        let way = self.lay_out(leg);
        let begin_m = self.view.odometer_m;
        let begin_l = self.view.fuel_l;
        let (mut gone_m, mut speed) = (0.0, 0.0_f64);
        let (mut stretch, mut cap) = (0, 0);
        while let Some(next) = way.caps.get(cap) {
            let on = way.stretches.get(stretch);
            let wanted = on.map_or(YARD_SPEED, |on| on.speed);
            let left_m = next.at_m - gone_m;
            let braked = (next.speed * next.speed + 2.0 * BRAKING * left_m.max(0.0)).sqrt();
            let gained =
                if speed <= wanted { (speed + GAINING).min(wanted) } else { (speed - BRAKING).max(wanted) };
            let mut now = gained.min(braked).max(CREEP);
            let mut step_m = (speed + now) / 2.0;
            let mut wait_s = 0;
            if step_m >= left_m {
                cap += 1;
                if next.speed == 0.0 {
                    (step_m, now, wait_s) = (left_m.max(0.0), 0.0, next.wait_s);
                }
            }
            gone_m += step_m;
            speed = now;
            while way.stretches.get(stretch).is_some_and(|on| on.begin_m + on.length_m <= gone_m)
                && stretch + 1 < way.stretches.len()
            {
                stretch += 1;
            }
            self.now_s += 1;
            if let Some(on) = way.stretches.get(stretch) {
                self.view.at = on.from.towards(on.to, ((gone_m - on.begin_m) / on.length_m).clamp(0.0, 1.0));
                self.view.course_deg = on.course_deg;
                self.view.is_covered = on.is_tunnel || way.is_underground(gone_m);
            }
            self.view.odometer_m = begin_m + gone_m;
            self.view.fuel_l = begin_l - gone_m / 1e5 * self.car.litres_per_100_km;
            self.view.speed = speed;
            self.reporter.observe(self.now_s, &self.view);
            if wait_s > 0 {
                self.stand(self.now_s + wait_s);
            }
            if speed == 0.0 {
                self.view.speed = 0.0;
            }
        }
        self.view.odometer_m = begin_m + leg.length_m;
        self.view.fuel_l = (begin_l - leg.length_m / 1e5 * self.car.litres_per_100_km).max(1.0);
    }

    /// The way of a leg with the speeds this driver takes it at.
    fn lay_out(&mut self, leg: &Leg) -> Way {
        let mut way = Way::default();
        let (Some(from), Some(to)) = (self.county.places.get(leg.from), self.county.places.get(leg.to))
        else {
            return way;
        };
        let roads = &self.county.roads;
        let gate =
            |place: &Place| roads.junctions.get(place.junction).map_or(place.at, |junction| junction.at);
        let is_rush = matches!(self.now_s, 26_400..=31_200 | 61_800..=67_200);
        let mood = self.car.pace * self.rng.between(0.95, 1.04);
        let jam = (is_rush && self.rng.chance(0.06)).then(|| self.rng.below(leg.steps.len().max(1)));
        way.add(from.at, gate(from), YARD_SPEED, false);
        for (number, step) in leg.steps.iter().enumerate() {
            let Some(road) = roads.roads.get(step.road) else { continue };
            let mut speed = road.kind.limit_kmh() / 3.6 * mood.min(1.08);
            if road.kind.is_in_town() {
                speed *= if is_rush { self.rng.between(0.5, 0.8) } else { self.rng.between(0.8, 1.0) };
            }
            if jam == Some(number) && road.kind.is_in_town() {
                speed = self.rng.between(0.8, 2.0);
            }
            let mut last = None;
            for point in roads.points(*step) {
                if let Some(last) = last {
                    way.add(last, point, speed, road.is_tunnel);
                }
                last = Some(point);
            }
            let red = if is_rush { 0.6 } else { 0.4 };
            if roads.end_of(*step).is_some_and(|junction| junction.has_lights)
                && number + 1 < leg.steps.len()
                && self.rng.chance(red)
            {
                let wait_s = self.rng.between(4.0, if is_rush { 55.0 } else { 40.0 }) as i32;
                way.stops.push((way.length_m(), wait_s));
            }
        }
        way.add(gate(to), to.at, YARD_SPEED, false);
        way.is_from_underground = from.is_underground;
        way.is_to_underground = to.is_underground;
        way.finish();
        way
    }
}

/// A straight piece of the way.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Spot,
    to: Spot,
    begin_m: f64,
    length_m: f64,
    course_deg: f64,
    /// Wanted here, m/s.
    speed: f64,
    is_tunnel: bool,
}

/// A place on the way that may not be passed faster than so.
#[derive(Clone, Copy, Debug)]
struct Cap {
    at_m: f64,
    speed: f64,
    /// For a stop: how long.
    wait_s: i32,
}

#[derive(Debug, Default)]
struct Way {
    stretches: Vec<Stretch>,
    /// Red lights: where and how long.
    stops: Vec<(f64, i32)>,
    caps: Vec<Cap>,
    is_from_underground: bool,
    is_to_underground: bool,
}

impl Way {
    fn length_m(&self) -> f64 {
        self.stretches.last().map_or(0.0, |last| last.begin_m + last.length_m)
    }

    fn is_underground(&self, gone_m: f64) -> bool {
        (self.is_from_underground && gone_m < UNDERGROUND_M)
            || (self.is_to_underground && self.length_m() - gone_m < UNDERGROUND_M)
    }

    fn add(&mut self, from: Spot, to: Spot, speed: f64, is_tunnel: bool) {
        let length_m = from.distance(to);
        if length_m > 0.0 {
            let course_deg = (to.x - from.x).atan2(to.y - from.y).to_degrees().rem_euclid(360.0);
            let begin_m = self.length_m();
            self.stretches.push(Stretch { from, to, begin_m, length_m, course_deg, speed, is_tunnel });
        }
    }

    /// Works out the caps, each low enough that those after it can be kept.
    fn finish(&mut self) {
        for pair in self.stretches.windows(2) {
            let [before, after] = pair else { continue };
            let turn = (after.course_deg - before.course_deg + 540.0).rem_euclid(360.0) - 180.0;
            let speed = speed_through(turn.abs(), before.length_m.min(after.length_m)).min(after.speed);
            if speed < before.speed {
                self.caps.push(Cap { at_m: after.begin_m, speed, wait_s: 0 });
            }
        }
        self.caps.extend(self.stops.iter().map(|(at_m, wait_s)| Cap {
            at_m: *at_m,
            speed: 0.0,
            wait_s: *wait_s,
        }));
        self.caps.push(Cap { at_m: self.length_m(), speed: 0.0, wait_s: 0 });
        self.caps.sort_by(|a, b| a.at_m.total_cmp(&b.at_m).then(a.speed.total_cmp(&b.speed)));
        let mut next: Option<Cap> = None;
        for cap in self.caps.iter_mut().rev() {
            if let Some(next) = next {
                let reachable = (next.speed * next.speed + 2.0 * BRAKING * (next.at_m - cap.at_m)).sqrt();
                cap.speed = cap.speed.min(reachable);
            }
            next = Some(*cap);
        }
    }
}

/// The speed at which a corner of `turn` degrees between pieces of at least `length_m` is taken, m/s.
fn speed_through(turn: f64, length_m: f64) -> f64 {
    match turn {
        turn if turn < 3.0 => f64::MAX,
        turn if turn > 100.0 => 3.0,
        turn if turn > 45.0 => 4.7,
        // A bend drawn with straight pieces: its radius is their length over the angle.
        turn => (SIDEWAYS * length_m / turn.to_radians()).sqrt().max(5.5),
    }
}

struct Reporter {
    rng: Rng,
    midnight_ms: i64,
    report_s: i32,
    parked_s: i32,
    /// When the next report is due.
    next_s: i32,
    /// When the last one was made.
    last_s: i32,
    noise: Spot,
    /// Latitude and longitude of the last solution, 1e-7 degrees.
    last_place: (i32, i32),
    silent_s: Option<(i32, i32)>,
    /// Nothing is asked for but the drives.
    is_mute: bool,
    out: Vec<Sample>,
}

impl Reporter {
    /// Reports when it is due.
    fn observe(&mut self, at_s: i32, view: &View) {
        if at_s >= self.next_s {
            self.report(at_s, view);
        }
    }

    fn report(&mut self, at_s: i32, view: &View) {
        if self.is_mute {
            return;
        }
        let interval_s = if view.is_ignition_on { self.report_s } else { self.parked_s };
        self.next_s = at_s + interval_s;
        if at_s <= self.last_s || at_s >= DAY_S {
            return;
        }
        let mut alarms = Alarms(0);
        if let Some((begin_s, end_s)) = self.silent_s
            && (begin_s..end_s).contains(&at_s)
        {
            if self.last_s >= begin_s {
                return;
            }
            alarms = Alarms::POWER_LOST;
        }
        let elapsed_s = f64::from(at_s - self.last_s);
        self.last_s = at_s;
        if view.speed * 3.6 > OVERSPEED_ALARM_KMH {
            alarms = alarms.with(Alarms::OVERSPEED);
        }
        let sample = self.sample(at_s, elapsed_s, alarms, view);
        self.out.push(sample);
    }

    fn sample(&mut self, at_s: i32, elapsed_s: f64, alarms: Alarms, view: &View) -> Sample {
        let place = (!view.is_covered).then(|| self.solve(elapsed_s, view));
        let ((lat_e7, lon_e7), is_outlier) = place.unwrap_or((self.last_place, false));
        self.last_place = (lat_e7, lon_e7);
        let is_fixed = place.is_some();
        let dkmh = |speed: f64| (speed * 36.0).round().clamp(0.0, 3_000.0) as u16;
        let seen_speed = if view.speed < 0.4 { 0.0 } else { view.speed + 0.12 * self.rng.normal() };
        let status = [
            (view.is_ignition_on, Status::IGNITION),
            (is_fixed, Status::POSITIONED.with(Status::GPS).with(Status::BEIDOU)),
        ];
        let status = status.into_iter().filter(|(on, _)| *on).fold(Status(0), |all, (_, bit)| all.with(bit));
        let fix = Fix {
            altitude_m: is_fixed.then(|| (altitude_m(view.at) + 2.5 * self.rng.normal()).round() as i16),
            speed_dkmh: Some(if is_fixed { dkmh(seen_speed) } else { 0 }),
            course_deg: Some(if is_fixed { view.course_deg as u16 % 360 } else { 0 }),
            status,
            alarms,
            quality: if is_fixed { Quality(0) } else { Quality::NOT_POSITIONED },
            satellites: Some(if is_fixed { 8 + self.rng.below(8) as u8 } else { self.rng.below(4) as u8 }),
            signal: Some(if view.is_covered { 6 } else { 18 } + self.rng.below(12) as u8),
            odometer_m: Some(view.odometer_m as u32),
            fuel_dl: Some(((view.fuel_l * 10.0) + 2.0 * self.rng.normal()).max(0.0) as u16),
            vehicle_speed_dkmh: Some(dkmh(view.speed)),
            ..Fix::new(UtcMillis(self.midnight_ms + i64::from(at_s) * 1_000), lat_e7, lon_e7)
        };
        Sample { fix, truth: view.at, is_outlier }
    }

    /// A solution: latitude and longitude in 1e-7 degrees, and whether it is an outlier.
    fn solve(&mut self, elapsed_s: f64, view: &View) -> ((i32, i32), bool) {
        let (memory_s, scale) = if view.speed > 0.0 { (NOISE_MOVING_S, 1.0) } else { (NOISE_PARKED_S, 1.2) };
        let keep = (-elapsed_s / memory_s).exp();
        let fresh = (1.0 - keep * keep).sqrt() * NOISE_M * scale;
        self.noise.x = self.noise.x * keep + fresh * self.rng.normal();
        self.noise.y = self.noise.y * keep + fresh * self.rng.normal();
        let mut seen = Spot { x: view.at.x + self.noise.x, y: view.at.y + self.noise.y };
        let is_outlier = self.rng.chance(1.0 / OUTLIER_ONE_IN);
        if is_outlier {
            let (way, off) = (self.rng.between(0.0, std::f64::consts::TAU), self.rng.between(150.0, 900.0));
            seen = Spot { x: seen.x + off * way.cos(), y: seen.y + off * way.sin() };
        }
        (place_e7(seen), is_outlier)
    }
}

/// Latitude and longitude in 1e-7 degrees with the six decimals that a receiver of this kind has.
fn place_e7(spot: Spot) -> (i32, i32) {
    let (lat, lon) = degrees(spot);
    let e7 = |degrees: f64| (degrees * 1e6).round() as i32 * 10;
    (e7(lat), e7(lon))
}
