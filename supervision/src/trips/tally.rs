//! Sums over the fixes of a trip: distance, time in motion, speed, evidence. No decision is made here.
//!
//! A tally is small and `Copy`: the cutter keeps one as it was at a possible arrival, so that what follows an arrival that
//! proves real never counts.

use super::outliers::{ms_f64, step_ms};
use super::{DistanceSource, TripSettings};
use crate::point::{Point, Position, Signs};

/// Metres that the position must change before they count: below, it is the receiver's noise (costs 0.03 % of the distance).
const MIN_MOVE_M: f64 = 1.0;
/// Reported speed, 0.1 km/h, up to which a car stands.
const STANDING_DKMH: u16 = 20;
/// Reported speed, 0.1 km/h, from which a car drives, beyond what noise makes of a standing one.
pub(super) const DRIVING_DKMH: u16 = 100;
/// Implied speed, m/s, from which a car without a speedometer moves.
const MOVING_M_PER_S: f64 = 0.5;
/// Metres by which fixes may wander while the reported speed is zero; a speed that stays zero beyond is no speed.
const FROZEN_M: f64 = 50.0;
/// Steps between these, in milliseconds, tell a speed from two positions: below it is noise, above an average.
const SPEED_STEP_MS: std::ops::RangeInclusive<i64> = 2_000..=30_000;
/// Metres a step must have before it is evidence of motion for or against the ignition.
const EVIDENT_M: f64 = 30.0;

/// From one used fix to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(super) ms: i64,
    pub(super) distance_m: f64,
    pub(super) is_gap: bool,
}

impl Step {
    pub(crate) fn new(last: &Point, point: &Point, distance_m: f64, settings: &TripSettings) -> Self {
        let ms = step_ms(last, point);
        Self { ms, distance_m, is_gap: ms > i64::from(settings.gap_s) * 1_000 }
    }

    pub(super) fn speed_m_per_s(self) -> f64 {
        self.distance_m * 1_000.0 / ms_f64(self.ms.max(1))
    }
}

/// Sums from the start of a trip to a fix in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tally {
    pub(crate) distance_m: f64,
    /// Up to where the distance is counted.
    counted_to: Position,
    pub(crate) moving_ms: i64,
    pub(crate) idle_ms: i64,
    pub(super) gap_ms: i64,
    pub(super) max_speed_dkmh: Option<u16>,
    last_step_dkmh: u16,
    pub(super) fixes: u32,
    pub(super) marked: u32,
    pub(super) is_bridged: bool,
    odometer: Odometer,
    /// Steps in motion with the ignition on.
    pub(super) driven_on: u32,
    /// Steps in motion with the ignition off: it can't be believed.
    pub(super) driven_off: u32,
    /// Steps in motion that the reported speed agrees with.
    pub(super) speed_agrees: u32,
}

impl Tally {
    /// Nothing counted yet, at the last fix of a stop (`from`), seen from the middle of that stop (`place`).
    pub(crate) fn start(from: &Point, place: Position) -> Self {
        Self {
            distance_m: 0.0,
            counted_to: place,
            moving_ms: 0,
            idle_ms: 0,
            gap_ms: 0,
            max_speed_dkmh: None,
            last_step_dkmh: 0,
            fixes: 1,
            marked: 0,
            is_bridged: false,
            odometer: Odometer::start(from.odometer_m),
            driven_on: 0,
            driven_off: 0,
            speed_agrees: 0,
        }
    }

    /// Counts the step to `point`.
    pub(crate) fn add(&mut self, last: &Point, point: &Point, step: Step) {
        self.fixes = self.fixes.saturating_add(1);
        self.odometer.add(point.odometer_m, step);
        let counted_m =
            if self.counted_to == last.at { step.distance_m } else { self.counted_to.distance_m(point.at) };
        let speed = reported_speed(point);
        let is_frozen = speed == Some(0) && counted_m < FROZEN_M;
        if counted_m >= MIN_MOVE_M && !is_frozen {
            self.distance_m += counted_m;
            self.counted_to = point.at;
        }
        self.add_time(step, speed);
        self.add_speed(step, speed);
        if step.is_gap {
            self.is_bridged |= step.distance_m >= EVIDENT_M;
        } else if step.distance_m >= EVIDENT_M {
            self.add_evidence(last, point);
        }
    }

    /// Goes on at `point` after `ms` without a fix to use, and without a distance.
    pub(super) fn jump(&mut self, point: &Point, ms: i64) {
        self.fixes = self.fixes.saturating_add(1);
        self.gap_ms = self.gap_ms.saturating_add(ms);
        self.counted_to = point.at;
        self.last_step_dkmh = 0;
        self.is_bridged = true;
        self.odometer.last_m = point.odometer_m.or(self.odometer.last_m);
    }

    /// Time and fixes before the departure in which the car was in use already.
    pub(super) fn add_waiting(&mut self, ms: i64, fixes: u32) {
        self.idle_ms = self.idle_ms.saturating_add(ms);
        self.fixes = self.fixes.saturating_add(fixes);
    }

    /// The straight way from where the distance is counted to the place at which the car came to rest.
    pub(super) fn add_last_leg(&mut self, place: Position) {
        let counted_m = self.counted_to.distance_m(place);
        if counted_m >= MIN_MOVE_M {
            self.distance_m += counted_m;
            self.counted_to = place;
        }
    }

    fn add_time(&mut self, step: Step, speed: Option<u16>) {
        let is_moving = match speed {
            Some(speed) if step.distance_m < FROZEN_M => speed > STANDING_DKMH,
            _ => step.speed_m_per_s() >= MOVING_M_PER_S,
        };
        let sum = if step.is_gap {
            &mut self.gap_ms
        } else if is_moving {
            &mut self.moving_ms
        } else {
            &mut self.idle_ms
        };
        *sum = sum.saturating_add(step.ms);
    }

    /// A speed is believed when it is reported and the positions don't deny it, or when two steps in a row show it.
    fn add_speed(&mut self, step: Step, speed: Option<u16>) {
        let implied = if SPEED_STEP_MS.contains(&step.ms) { to_dkmh(step.speed_m_per_s()) } else { 0 };
        let believed = match speed {
            Some(speed) if step.is_gap || is_deniable(speed, implied, step.ms) => 0,
            Some(speed) => speed,
            None => implied.min(self.last_step_dkmh),
        };
        self.last_step_dkmh = implied;
        if believed > 0 {
            self.max_speed_dkmh = Some(self.max_speed_dkmh.map_or(believed, |max| max.max(believed)));
        }
    }

    fn add_evidence(&mut self, last: &Point, point: &Point) {
        match (last.ignition, point.ignition) {
            (Some(true), Some(true)) => self.driven_on = self.driven_on.saturating_add(1),
            (Some(false), Some(false)) => self.driven_off = self.driven_off.saturating_add(1),
            _ => {}
        }
        if reported_speed(point).is_some_and(|speed| speed > STANDING_DKMH) {
            self.speed_agrees = self.speed_agrees.saturating_add(1);
        }
    }

    /// Whether this trip has shown that the ignition is on when the car drives.
    pub(super) const fn is_ignition_proved(&self) -> bool {
        self.driven_on >= 1 && self.driven_off.saturating_mul(10) <= self.driven_on
    }

    /// The distance to state, and whose it is.
    pub(super) fn distance(&self) -> (u32, DistanceSource) {
        if let Some(odometer_m) = self.odometer.agreeing_with(self.distance_m) {
            return (odometer_m, DistanceSource::Odometer);
        }
        let source = if self.is_bridged { DistanceSource::FixesBridged } else { DistanceSource::Fixes };
        (to_metres(self.distance_m), source)
    }
}

/// The speed that the source reports: the vehicle's own, else the receiver's.
pub(crate) fn reported_speed(point: &Point) -> Option<u16> {
    point.vehicle_speed_dkmh.or(point.speed_dkmh)
}

/// Whether the fix itself says that the car is driving.
pub(super) fn says_driving(point: &Point) -> bool {
    reported_speed(point).is_some_and(|speed| speed >= DRIVING_DKMH) || point.signs.contains(Signs::MOVING)
}

/// Whether two fixes a few seconds apart deny a reported speed: the car can't have sped up that much in between.
fn is_deniable(speed_dkmh: u16, implied_dkmh: u16, step_ms: i64) -> bool {
    const FASTEST_DKMH: u16 = 2_500;
    const SLACK_DKMH: u16 = 400;
    const CLOSE_MS: i64 = 10_000;
    let is_denied = (SPEED_STEP_MS.contains(&step_ms) && step_ms <= CLOSE_MS)
        && speed_dkmh > implied_dkmh.saturating_mul(2).saturating_add(SLACK_DKMH);
    speed_dkmh > FASTEST_DKMH || is_denied
}

fn to_dkmh(m_per_s: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let dkmh = (m_per_s * 36.0).round() as u16;
    dkmh
}

/// Metres as they are stated.
pub(super) fn to_metres(metres: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let whole = metres.round() as u32;
    whole
}

/// What the odometer counted since the start, as long as it can be followed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Odometer {
    first_m: Option<u32>,
    last_m: Option<u32>,
    is_broken: bool,
}

impl Odometer {
    const fn start(reading_m: Option<u32>) -> Self {
        Self { first_m: reading_m, last_m: reading_m, is_broken: false }
    }

    fn add(&mut self, reading_m: Option<u32>, step: Step) {
        // Faster than any car: the counter was set, or swapped.
        const FASTEST_M_PER_S: f64 = 70.0;
        const SLACK_M: f64 = 1_000.0;
        let Some(reading_m) = reading_m else { return };
        if let Some(last_m) = self.last_m {
            let most_m = ms_f64(step.ms) / 1_000.0 * FASTEST_M_PER_S + SLACK_M;
            self.is_broken |=
                reading_m.checked_sub(last_m).is_none_or(|counted_m| f64::from(counted_m) > most_m);
        } else {
            self.first_m = Some(reading_m);
            // Begun after the trip did: the difference would miss its beginning.
            self.is_broken = true;
        }
        self.last_m = Some(reading_m);
    }

    /// The difference, unless the counter was reset, stands still, or tells another story than the fixes. Fixes a minute
    /// apart cut corners by a tenth, so the odometer may be that much longer; never much shorter.
    fn agreeing_with(&self, fixes_m: f64) -> Option<u32> {
        const SHORTEST: f64 = 0.95;
        const LONGEST: f64 = 1.25;
        const STEP_M: f64 = 200.0;
        let counted_m = self.last_m?.checked_sub(self.first_m?)?;
        let is_near =
            (fixes_m * SHORTEST - STEP_M..=fixes_m * LONGEST + STEP_M).contains(&f64::from(counted_m));
        (!self.is_broken && counted_m > 0 && is_near).then_some(counted_m)
    }
}
