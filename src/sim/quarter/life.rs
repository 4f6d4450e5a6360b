//! A car's quarter: each day planned, driven once to learn the true times, and put on paper.

use motorpool_supervision::UtcMillis;
use motorpool_supervision::point::Position;

use super::agenda::{Agenda, Booking, Errand, ErrandFault, Fault, Paper, Refuel, Told};
use super::almanac::instant;
use super::cast::Cast;
use super::device::Profile;
use super::papers::{DrivenErrand, Fill, Papers};
use super::stage::Stage;
use super::story::Kind;
use super::{Period, others, violations};
use crate::sim::car::{self, Driven};
use crate::sim::county::{Car, PlaceKind};
use crate::sim::rng::Rng;
use crate::sim::schedule::{DayPlan, Leg, State};

/// Below this share of the tank the car is refuelled.
const LOW_SHARE: f64 = 0.25;
/// A tank is filled up to this share.
const FULL_SHARE: f64 = 0.95;

/// A drive as it really was, from one place to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "read by scorers")]
pub struct TrueTrip {
    /// The wheels begin to turn.
    pub start: UtcMillis,
    /// They stand at the destination.
    pub end: UtcMillis,
    /// From where.
    pub from: Position,
    /// To where.
    pub to: Position,
    /// How far, metres.
    pub distance_m: f64,
    /// Whether it was driven for private ends.
    pub is_private: bool,
    /// Whether an order in the register was written for it, in time or not.
    pub has_order: bool,
}

/// A drive as planned, from which the day can be driven again.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedLeg {
    from: usize,
    to: usize,
    depart_s: i32,
    dwell_s: i32,
    is_refuelling: bool,
}

/// A day as it is kept: small enough that a quarter of a fleet fits into memory.
#[derive(Clone, Debug)]
pub(super) struct DayRecord {
    start: State,
    legs: Vec<PlannedLeg>,
    pub(super) faults: Vec<Fault>,
}

impl DayRecord {
    /// The day, ready to be driven.
    pub(super) fn plan(&self, stage: &Stage) -> DayPlan {
        let legs = self.legs.iter().filter_map(|leg| {
            let (steps, length_m, _) = stage.way(leg.from, leg.to)?;
            let PlannedLeg { from, to, depart_s, dwell_s, is_refuelling } = *leg;
            Some(Leg { from, to, depart_s, dwell_s, steps, length_m, is_refuelling })
        });
        DayPlan { start: self.start, legs: legs.collect(), silent_s: None, end: self.start }
    }
}

/// A car's quarter.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) profile: Profile,
    pub(super) days: Vec<DayRecord>,
    pub(super) trips: Vec<TrueTrip>,
}

/// Lives through the quarter with a car.
pub(super) fn live(
    stage: &Stage,
    period: &Period,
    cast: &Cast,
    car: usize,
    seed: u64,
    papers: &mut Papers,
) -> Option<Life> {
    let of = stage.county.cars.get(car)?;
    let stories: Vec<_> = cast.of(car).map(|event| event.story).collect();
    let profile = Profile::new(seed, car, &stories);
    let mut rng = Rng::keyed(&[seed, 36, car as u64]);
    let mut state = State {
        odometer_m: of.odometer_m,
        fuel_l: of.tank_l * rng.between(0.35, 0.95),
        at: stage.depot(car),
    };
    let mut life = Life { profile, days: Vec::new(), trips: Vec::new() };
    for day in period.first..=period.last {
        let agenda = plan_day(stage, cast, car, day, state.at, seed)?;
        papers.reading(stage, car, day, &state, agenda.errands.first().map(|errand| errand.depart_s));
        let mut driver = Layer { stage, of, state, legs: Vec::new(), spans: Vec::new() };
        driver.state.fuel_l = fuel_in_the_morning(&agenda, state.fuel_l);
        let start = driver.state;
        for errand in &agenda.errands {
            driver.lay(errand, agenda.depot, &mut rng);
        }
        let mut record = DayRecord { start, legs: driver.legs, faults: agenda.faults.clone() };
        let plan = record.plan(stage);
        let driven = car::drives(&stage.county, car, day, &plan);
        let errands = join(&agenda, &driver.spans, &plan, &driven);
        record.faults.extend(errands.iter().filter_map(|errand| fault_of(errand, &mut rng)));
        life.trips.extend(errands.iter().flat_map(|errand| trips_of(stage, day, errand, &plan, &driven)));
        papers.day(stage, &agenda, profile, &errands, &mut rng);
        if errands.iter().any(|errand| errand.is_out_of_county) {
            let samples = car::day_reported(
                &stage.county,
                car,
                day,
                &plan,
                car::Reporting { moving_s: 5, parked_s: None },
            );
            papers.toll(car, &samples, &mut rng);
        }
        state = driver.state;
        life.days.push(record);
    }
    Some(life)
}

/// The errands of a day: the ordinary ones, then what a story makes of them.
fn plan_day<'a>(
    stage: &'a Stage,
    cast: &Cast,
    car: usize,
    day: i64,
    at: usize,
    seed: u64,
) -> Option<Agenda<'a>> {
    let mut agenda = Agenda {
        stage,
        car,
        of: stage.county.cars.get(car)?,
        day,
        at,
        depot: stage.depot(car),
        rng: Rng::keyed(&[seed, 37, car as u64, day.unsigned_abs()]),
        errands: Vec::new(),
        faults: Vec::new(),
        bookings: Vec::new(),
        told: Vec::new(),
    };
    agenda.plan_ordinary();
    if let Some((event, nth)) = cast.on(car, day) {
        let told = Told { event: event.number, story: event.story, is_overnight: false };
        match event.story.kind() {
            Kind::Violation => violations::play(&mut agenda, told, nth),
            Kind::Management | Kind::Normal => others::play(&mut agenda, told, nth),
        }
    }
    Some(agenda)
}

/// A fill that the story fixes asks for a tank that is empty enough.
fn fuel_in_the_morning(agenda: &Agenda<'_>, fuel_l: f64) -> f64 {
    let full_l = agenda.of.tank_l * FULL_SHARE;
    let wanted = agenda.bookings.iter().find_map(|booking| match booking {
        Booking::Litres { quantity_cl } => Some(full_l - f64::from(*quantity_cl) / 100.0),
        _ => None,
    });
    wanted.filter(|left_l| *left_l > 0.0).map_or(fuel_l, |left_l| left_l.max(2.0))
}

/// Turns errands into drives.
struct Layer<'a> {
    stage: &'a Stage,
    of: &'a Car,
    state: State,
    legs: Vec<PlannedLeg>,
    /// For each errand: its first drive, the one after its last, and a fill on the way.
    spans: Vec<(usize, usize, Option<Fill>)>,
}

impl Layer<'_> {
    fn lay(&mut self, errand: &Errand, depot: usize, rng: &mut Rng) {
        let first = self.legs.len();
        let mut depart_s = errand.depart_s;
        let mut fill = None;
        let is_low = self.state.fuel_l < LOW_SHARE * self.of.tank_l;
        if errand.refuel == Refuel::Always || (errand.refuel == Refuel::IfLow && is_low) {
            let next = errand.stops.first().map_or(depot, |stop| stop.place);
            fill = self.refuel(depart_s, next, rng);
            depart_s = if fill.is_some() { 0 } else { depart_s };
        }
        for stop in &errand.stops {
            if self.drive(stop.place, depart_s, stop.dwell_s, false) {
                depart_s = 0;
            }
        }
        if errand.is_return {
            self.drive(depot, depart_s, 0, false);
        }
        self.spans.push((first, self.legs.len(), fill));
    }

    /// At the nearest station that is worth the way, from here and on to `next`.
    fn refuel(&mut self, depart_s: i32, next: usize, rng: &mut Rng) -> Option<Fill> {
        let from = self.state.at;
        let mut stations = self.stage.reachable(from, PlaceKind::FuelStation);
        stations.retain(|station| self.stage.is_worth_driving(*station, next));
        let station = self.stage.nearest(from, stations)?;
        let dwell_s = rng.between(270.0, 480.0) as i32;
        if !self.drive(station, depart_s, dwell_s, true) {
            return None;
        }
        let full_l = self.of.tank_l * FULL_SHARE;
        let quantity_cl = ((full_l - self.state.fuel_l) * 100.0).max(0.0) as u32;
        self.state.fuel_l = full_l;
        let odometer_m = self.state.odometer_m;
        Some(Fill { leg: self.legs.len() - 1, station, quantity_cl, odometer_m })
    }

    /// Whether there was anywhere to drive to.
    fn drive(&mut self, to: usize, depart_s: i32, dwell_s: i32, is_refuelling: bool) -> bool {
        let from = self.state.at;
        if to == from {
            return false;
        }
        let Some((_, length_m, _)) = self.stage.way(from, to) else { return false };
        self.state.at = to;
        self.state.odometer_m += length_m;
        self.state.fuel_l = (self.state.fuel_l - length_m / 1e5 * self.of.litres_per_100_km).max(1.0);
        self.legs.push(PlannedLeg { from, to, depart_s, dwell_s, is_refuelling });
        true
    }
}

/// The errands of a day with their true times. One that led nowhere is left out.
fn join<'a>(
    agenda: &'a Agenda<'_>,
    spans: &[(usize, usize, Option<Fill>)],
    plan: &DayPlan,
    driven: &[Driven],
) -> Vec<DrivenErrand<'a>> {
    let mut odometer_m = plan.start.odometer_m;
    let mut joined: Vec<DrivenErrand<'a>> = Vec::new();
    for (errand, (first, end, fill)) in agenda.errands.iter().zip(spans) {
        let (Some(legs), Some(times)) = (plan.legs.get(*first..*end), driven.get(*first..*end)) else {
            continue;
        };
        let (Some(begin), Some(last)) = (times.first(), times.last()) else { continue };
        let out_m = odometer_m;
        odometer_m += legs.iter().map(|leg| leg.length_m).sum::<f64>();
        if let Some(before) = joined.last_mut() {
            before.next_begin_s = Some(begin.begin_s);
        }
        let back = times.len().saturating_sub(usize::from(errand.is_return && times.len() > 1) + 1);
        joined.push(DrivenErrand {
            errand,
            legs: *first..*end,
            begin_s: begin.begin_s,
            end_s: last.end_s,
            last_arrival_s: times.get(back).map_or(last.end_s, |leg| leg.end_s),
            way_back_s: (last.begin_s, last.end_s),
            next_begin_s: None,
            odometer_out_m: out_m,
            odometer_in_m: odometer_m,
            fill: fill.map(|fill| (fill, driven.get(fill.leg).map_or(0, |leg| leg.end_s))),
            from: legs.first().map_or(agenda.depot, |leg| leg.from),
            to: legs.last().map_or(agenda.depot, |leg| leg.to),
            is_out_of_county: legs.iter().flat_map(|leg| [leg.from, leg.to]).any(|place| {
                let place = agenda.stage.county.places.get(place);
                place.is_some_and(|place| place.kind == PlaceKind::OutOfCounty)
            }),
        });
    }
    joined
}

fn fault_of(errand: &DrivenErrand<'_>, rng: &mut Rng) -> Option<Fault> {
    let (begin_s, end_s) = (errand.begin_s, errand.end_s);
    Some(match errand.errand.fault? {
        ErrandFault::Unplugged { until_return } => {
            let (back_s, home_s) = errand.way_back_s;
            let to_s = if until_return { back_s + (home_s - back_s) * 2 / 5 } else { end_s + 400 };
            Fault::Silent { from_s: begin_s - 700, to_s }
        }
        ErrandFault::Jammed => Fault::Jammed { from_s: begin_s - 60, to_s: end_s + 60 },
        ErrandFault::Tunnel => {
            let recovery_s = rng.between(240.0, 420.0) as i32;
            Fault::Tunnel { from_s: begin_s, to_s: end_s, recovery_s }
        }
    })
}

fn trips_of(
    stage: &Stage,
    day: i64,
    errand: &DrivenErrand<'_>,
    plan: &DayPlan,
    driven: &[Driven],
) -> Vec<TrueTrip> {
    let legs = plan.legs.iter().zip(driven).skip(errand.legs.start).take(errand.legs.len());
    legs.map(|(leg, times)| TrueTrip {
        start: instant(day, times.begin_s),
        end: instant(day, times.end_s),
        from: stage.position(leg.from),
        to: stage.position(leg.to),
        distance_m: leg.length_m,
        is_private: errand.errand.is_private,
        has_order: !matches!(errand.errand.paper, Paper::None),
    })
    .collect()
}
