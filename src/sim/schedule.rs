//! What a car does in a day: where it goes, when it sets out, how long it stays.
//!
//! A plan follows from (seed, car, day) and the [`State`] in which the day before left the car; the chain of states
//! begins on the day the trackers were fitted. So any day can be asked for in any order, and odometer, fuel and
//! parking place still fit together from one day to the next.
//!
//! Most cars make one or two rounds from their depot on a workday and rest on Saturday and Sunday. A fixed few
//! have a [`Habit`]. Every plan ends before midnight.

use super::county::{Car, CarClass, County, Habit, PlaceKind};
use super::rng::Rng;
use super::roads::Step;

/// Local time is GMT+8 all year.
pub const TIME_OFFSET_S: i64 = 8 * 3_600;
/// No car is on its way later than this, by the estimate that plans are made with.
const LATEST_S: i32 = hm(23, 20);

/// Seconds of the day.
const fn hm(hour: i32, minute: i32) -> i32 {
    hour * 3_600 + minute * 60
}

/// What the night leaves behind.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record of the simulation")]
pub struct State {
    /// The odometer, metres.
    pub odometer_m: f64,
    /// Fuel in the tank, litres.
    pub fuel_l: f64,
    /// Where it is parked: index in [`County::places`].
    pub at: usize,
}

/// One drive.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a record of the simulation")]
pub struct Leg {
    /// From this place.
    pub from: usize,
    /// To this place.
    pub to: usize,
    /// Not before this second of the local day.
    pub depart_s: i32,
    /// At least so long at `to` before the next drive, seconds.
    pub dwell_s: i32,
    /// The roads.
    pub steps: Vec<Step>,
    /// With the ways from and to the road, metres.
    pub length_m: f64,
    /// The tank is filled at `to`.
    pub is_refuelling: bool,
}

/// A car's day.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a record of the simulation")]
pub struct DayPlan {
    /// How the day begins.
    pub start: State,
    /// The drives in order.
    pub legs: Vec<Leg>,
    /// The tracker is without power from one second of the day to another.
    pub silent_s: Option<(i32, i32)>,
    /// How the day ends.
    pub end: State,
}

/// Monday is 0. `day` counts local days from 1970-01-01.
#[must_use]
pub const fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// Saturday or Sunday.
#[must_use]
pub const fn is_weekend(day: i64) -> bool {
    weekday(day) >= 5
}

/// The state of a car on the morning on which its tracker is fitted.
#[must_use]
pub fn first_state(county: &County, car: usize) -> Option<State> {
    let of = county.cars.get(car)?;
    let depot = county.units.get(of.unit)?.depot;
    let mut rng = Rng::keyed(&[county.seed, 10, car as u64]);
    Some(State { odometer_m: of.odometer_m, fuel_l: of.tank_l * rng.between(0.35, 0.95), at: depot })
}

/// The plan of car `car` for local day `day`; `None` when there is no such car.
#[must_use]
pub fn plan(county: &County, car: usize, day: i64, start: State) -> Option<DayPlan> {
    let of = county.cars.get(car)?;
    let planner = Planner {
        county,
        car: of,
        depot: county.units.get(of.unit)?.depot,
        rng: Rng::keyed(&[county.seed, 11, car as u64, day as u64]),
        free_s: 0,
        state: start,
        legs: Vec::new(),
        silent_s: None,
    };
    Some(planner.plan(start, is_weekend(day)))
}

struct Planner<'a> {
    county: &'a County,
    car: &'a Car,
    depot: usize,
    rng: Rng,
    /// When the last visit is over, by a careful estimate.
    free_s: i32,
    state: State,
    legs: Vec<Leg>,
    silent_s: Option<(i32, i32)>,
}

impl Planner<'_> {
    fn plan(mut self, start: State, is_weekend: bool) -> DayPlan {
        if is_weekend {
            self.plan_rest_day();
        } else {
            self.plan_workday();
        }
        DayPlan { start, legs: self.legs, silent_s: self.silent_s, end: self.state }
    }

    fn plan_workday(&mut self) {
        if self.state.at != self.depot {
            let depart = self.time(7, 35, 8, 10);
            self.go(self.depot, depart, 0);
        }
        if self.car.habit == Some(Habit::SchoolRun) && self.rng.chance(0.5) {
            self.run_to_school();
        }
        let is_patrol = self.car.class == CarClass::Enforcement;
        let is_used = self.rng.chance(if is_patrol { 0.9 } else { 0.74 });
        if is_used {
            let depart = self.time(8, 15, 10, 0);
            self.round(depart, is_patrol);
            if self.rng.chance(if is_patrol { 0.8 } else { 0.55 }) {
                let depart = self.time(13, 50, 15, 20);
                self.round(depart, is_patrol);
            }
            if is_patrol && self.rng.chance(0.15) {
                let depart = self.time(19, 30, 20, 30);
                self.round(depart, true);
            }
        }
        self.plan_workday_habit();
    }

    fn plan_workday_habit(&mut self) {
        match self.car.habit {
            Some(Habit::Dinner) if self.rng.chance(0.25) => {
                let (depart, dwell) = (self.time(18, 20, 19, 10), self.minutes(70, 130));
                self.visit(PlaceKind::Restaurant, depart, dwell);
                self.go(self.depot, 0, 0);
            }
            Some(Habit::HomeAtNight) if self.rng.chance(0.6) => {
                let depart = self.time(17, 45, 18, 40);
                self.go(self.car.home, depart, 0);
            }
            Some(Habit::NextCity) if self.rng.chance(0.15) => {
                let (depart, dwell) = (self.time(15, 0, 16, 30), self.minutes(60, 120));
                self.visit(PlaceKind::OutOfCounty, depart, dwell);
                self.go(self.depot, 0, 0);
            }
            Some(Habit::Unplugged) if self.rng.chance(0.3) => {
                let begin = self.legs.iter().map(|leg| leg.depart_s).nth(1).map(|s| s + 300);
                self.silent_s = begin.map(|begin| (begin, begin + self.minutes(60, 180)));
            }
            _ => {}
        }
    }

    fn plan_rest_day(&mut self) {
        let duty = match self.car.class {
            CarClass::Enforcement => 0.35,
            CarClass::Emergency => 0.1,
            _ => 0.03,
        };
        if self.state.at == self.depot && self.rng.chance(duty) {
            let depart = self.time(8, 30, 10, 30);
            self.round(depart, true);
        }
        match self.car.habit {
            Some(Habit::Outing) if self.rng.chance(0.45) => {
                let (depart, dwell) = (self.time(9, 0, 10, 40), self.minutes(120, 240));
                self.visit(PlaceKind::ScenicSpot, depart, dwell);
                self.go(self.depot, 0, 0);
            }
            Some(Habit::HomeAtNight) if self.state.at == self.car.home && self.rng.chance(0.4) => {
                let (depart, dwell) = (self.time(9, 30, 11, 0), self.minutes(25, 70));
                self.visit(PlaceKind::Market, depart, dwell);
                self.go(self.car.home, 0, 0);
            }
            _ => {}
        }
    }

    /// From the depot to one or more places and back.
    fn round(&mut self, depart: i32, is_patrol: bool) {
        let stops = if is_patrol { 2 + self.rng.below(3) } else { 1 + self.rng.below(2) };
        let mut not_before = depart.max(self.free_s);
        for _ in 0..stops {
            let kind = self.destination();
            let dwell = if is_patrol { self.minutes(6, 30) } else { self.minutes(15, 80) };
            self.visit(kind, not_before, dwell);
            not_before = 0;
        }
        if (hm(11, 30)..hm(12, 40)).contains(&self.free_s) && self.rng.chance(0.25) {
            let dwell = self.minutes(30, 50);
            self.visit(PlaceKind::Restaurant, hm(11, 50), dwell);
        }
        self.go(self.depot, 0, 0);
    }

    fn run_to_school(&mut self) {
        let depart = self.time(6, 55, 7, 15);
        let dwell = self.minutes(1, 3);
        self.visit(PlaceKind::School, depart, dwell);
        self.go(self.depot, 0, 0);
    }

    /// What kind of place this class of car is usually sent to.
    fn destination(&mut self) -> PlaceKind {
        use PlaceKind::{Hospital, Market, Office, OutOfCounty, School, Village};
        let usual: &[PlaceKind] = match self.car.class {
            CarClass::Confidential => &[Office],
            CarClass::Emergency => &[Village, Village, Office, Hospital, Market],
            CarClass::Enforcement => &[Village, Market, Office, School, Village],
            CarClass::Technical => &[Village, Village, Village, Office],
            CarClass::Other => &[Office, Office, Village, Village, Hospital],
        };
        if self.car.class == CarClass::Other && self.rng.chance(0.02) {
            return OutOfCounty;
        }
        self.rng.pick(usual).copied().unwrap_or(Office)
    }

    /// To one of the places of a kind. Near ones are likelier: the nearer of two.
    fn visit(&mut self, kind: PlaceKind, depart: i32, dwell: i32) {
        let all: Vec<usize> = self.county.places_of(kind).filter(|place| *place != self.state.at).collect();
        let (Some(one), Some(other)) = (self.rng.pick(&all).copied(), self.rng.pick(&all).copied()) else {
            return;
        };
        let nearer = if self.way_m(one) <= self.way_m(other) { one } else { other };
        self.go(nearer, depart, dwell);
    }

    /// Straight distance from where the car is.
    fn way_m(&self, to: usize) -> f64 {
        let at = |place: usize| self.county.places.get(place).map(|place| place.at);
        at(self.state.at).zip(at(to)).map_or(f64::MAX, |(a, b)| a.distance(b))
    }

    /// Adds a drive, after a stop for fuel when that is necessary; nothing when there would be no time to be back
    /// before the day is over. The way back to where the car belongs is always driven.
    fn go(&mut self, to: usize, depart: i32, dwell: i32) {
        if to == self.state.at {
            return;
        }
        let depart = depart.max(self.free_s);
        let is_last = to == self.depot || to == self.car.home;
        if !is_last && depart + 2 * self.careful_s(self.state.at, to) + dwell + hm(0, 45) > LATEST_S {
            return;
        }
        let needed_l = self.litres(2.5 * self.way_m(to)) + 0.2 * self.car.tank_l;
        let mut depart = depart;
        if self.state.fuel_l < needed_l
            && let Some(station) = self.nearest_station()
        {
            let dwell = self.minutes(4, 8);
            self.drive(station, depart, dwell, true);
            depart = self.free_s;
        }
        self.drive(to, depart, dwell, false);
    }

    fn nearest_station(&self) -> Option<usize> {
        let stations = self.county.places_of(PlaceKind::FuelStation).filter(|place| *place != self.state.at);
        stations.min_by(|a, b| self.way_m(*a).total_cmp(&self.way_m(*b)))
    }

    fn drive(&mut self, to: usize, depart_s: i32, dwell_s: i32, is_refuelling: bool) {
        let from = self.state.at;
        let Some((steps, length_m, _)) = self.way(from, to) else { return };
        self.free_s = depart_s + self.careful_s(from, to) + dwell_s;
        self.state.at = to;
        self.state.odometer_m += length_m;
        self.state.fuel_l = (self.state.fuel_l - self.litres(length_m)).max(1.0);
        if is_refuelling {
            self.state.fuel_l = self.car.tank_l * 0.95;
        }
        self.legs.push(Leg { from, to, depart_s, dwell_s, steps, length_m, is_refuelling });
    }

    fn way(&self, from: usize, to: usize) -> Option<(Vec<Step>, f64, f64)> {
        let (a, b) = (self.county.places.get(from)?, self.county.places.get(to)?);
        let steps = self.county.roads.route(a.junction, b.junction);
        let (length_m, time_s) = self.county.roads.measure(&steps);
        let off_road = |place: &super::county::Place| {
            self.county
                .roads
                .junctions
                .get(place.junction)
                .map_or(0.0, |junction| junction.at.distance(place.at))
        };
        Some((steps, length_m + off_road(a) + off_road(b), time_s))
    }

    /// A time that the drive will not exceed: slow driver, red lights, a jam.
    fn careful_s(&self, from: usize, to: usize) -> i32 {
        self.way(from, to).map_or(0, |(_, _, time_s)| (time_s * 2.2) as i32 + 600)
    }

    fn litres(&self, metres: f64) -> f64 {
        metres / 1e5 * self.car.litres_per_100_km
    }

    fn time(&mut self, from_hour: i32, from_minute: i32, to_hour: i32, to_minute: i32) -> i32 {
        self.rng.between(f64::from(hm(from_hour, from_minute)), f64::from(hm(to_hour, to_minute))) as i32
    }

    fn minutes(&mut self, from: i32, to: i32) -> i32 {
        self.rng.between(f64::from(from * 60), f64::from(to * 60)) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_right() {
        // 1970-01-01 was a Thursday, 2026-01-05 (day 20,458) a Monday.
        assert_eq!((weekday(0), weekday(20_458)), (3, 0));
        assert!(is_weekend(20_463) && is_weekend(20_464) && !is_weekend(20_465));
    }

    #[test]
    fn days_hang_together_and_end_at_home() {
        let county = County::new(1);
        let (mut used, mut rested, mut out) = (0, 0, 0);
        for car in 0..county.cars.len() {
            let of = &county.cars[car];
            let depot = county.units[of.unit].depot;
            let mut state = first_state(&county, car).unwrap();
            for day in 20_458..20_479 {
                let plan = plan(&county, car, day, state).unwrap();
                assert_eq!(plan.start, state);
                let mut at = state.at;
                for leg in &plan.legs {
                    assert_eq!(leg.from, at);
                    assert!(
                        !leg.steps.is_empty()
                            || county.places[leg.from].junction == county.places[leg.to].junction
                    );
                    at = leg.to;
                    out += usize::from(county.places[leg.to].kind == PlaceKind::OutOfCounty);
                }
                assert_eq!(at, plan.end.at);
                let driven: f64 = plan.legs.iter().map(|leg| leg.length_m).sum();
                assert!((plan.end.odometer_m - state.odometer_m - driven).abs() < 1e-3);
                assert!(at == depot || (of.habit == Some(Habit::HomeAtNight) && at == of.home));
                assert!(plan.end.fuel_l > 1.0 && plan.end.fuel_l <= of.tank_l, "{} l", plan.end.fuel_l);
                assert!(driven < 400_000.0);
                match (is_weekend(day), plan.legs.is_empty()) {
                    (false, false) => used += 1,
                    (true, true) => rested += 1,
                    _ => {}
                }
                state = plan.end;
            }
        }
        // 253 cars, 15 workdays and 6 rest days.
        assert!((2_700..3_600).contains(&used), "{used} of 3,795 car workdays are used");
        assert!(rested > 1_150, "{rested} of 1,518 car rest days are spent in the depot");
        assert!((5..200).contains(&out), "{out} trips out of the county");
    }

    #[test]
    fn a_plan_follows_from_its_keys_alone() {
        let county = County::new(1);
        let state = first_state(&county, 5).unwrap();
        let text = |day| format!("{:?}", plan(&county, 5, day, state).unwrap());
        let monday = text(20_458);
        assert_ne!(monday, text(20_459));
        assert_eq!(monday, text(20_458));
        assert!(plan(&county, 253, 20_458, state).is_none());
    }
}
