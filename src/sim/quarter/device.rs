//! Trackers: how each reports, what it can tell, and what it makes of a day that was driven.

use motorpool_protocols::{Fix, Quality};
use motorpool_supervision::UtcMillis;
use motorpool_supervision::point::{Point, Position, Signs};

use super::agenda::Fault;
use super::almanac::instant;
use super::stage::position;
use super::story::Story;
use crate::sim::car::{Reporting, Sample};
use crate::sim::rng::Rng;
use crate::sim::roads::Spot;

/// Wandering positions go so far at most, metres.
const DRIFT_MAX_M: f64 = 140.0;

/// What a tracker can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) reporting: Reporting,
    pub(super) has_ignition: bool,
    pub(super) has_odometer: bool,
    pub(super) has_vehicle_speed: bool,
    pub(super) has_fuel: bool,
    pub(super) has_card_reader: bool,
}

impl Profile {
    /// The tracker of a car; the stories that it plays may ask for a certain kind.
    pub(super) fn new(seed: u64, car: usize, stories: &[Story]) -> Self {
        let mut rng = Rng::keyed(&[seed, 35, car as u64]);
        let parked =
            [Some(300), Some(300), Some(300), Some(300), Some(180), Some(180), Some(600), None, None];
        let mut profile = Self {
            reporting: Reporting {
                moving_s: rng.pick(&[10, 15, 20, 20, 30]).copied().unwrap_or(20),
                parked_s: rng.pick(&parked).copied().unwrap_or(Some(300)),
            },
            has_ignition: rng.chance(0.93),
            has_odometer: rng.chance(0.85),
            has_vehicle_speed: rng.chance(0.5),
            has_fuel: rng.chance(0.25),
            has_card_reader: rng.chance(0.15),
        };
        for story in stories {
            profile.adapt(*story);
        }
        profile
    }

    const fn adapt(&mut self, story: Story) {
        match story {
            Story::Unplugged | Story::Jammed | Story::WiringFault => {
                (self.has_odometer, self.has_ignition) = (true, true);
                self.reporting.parked_s = Some(300);
            }
            Story::NightDrift => self.reporting.parked_s = Some(60),
            Story::FuelCardElsewhere | Story::OverTank => self.has_fuel = false,
            Story::OtherDriver => self.has_card_reader = true,
            Story::HourlyHeartbeat => self.reporting.parked_s = Some(3_600),
            Story::SleepingTracker => {
                self.has_ignition = true;
                self.reporting.parked_s = None;
            }
            Story::NoIgnitionWire => self.has_ignition = false,
            // Only a tracker that reports while the car stands can tell that it stood all day.
            Story::FalseOrder => self.reporting.parked_s = Some(300),
            Story::MinuteTracker => self.reporting = Reporting { moving_s: 60, parked_s: Some(60) },
            _ => {}
        }
    }
}

/// The points that a tracker sends of a day.
pub(super) fn points(
    profile: Profile,
    day: i64,
    samples: &[Sample],
    faults: &[Fault],
    mut rng: Rng,
) -> Vec<Point> {
    let mut filters: Vec<Filter> = faults.iter().map(|fault| Filter::new(*fault, day)).collect();
    let mut out = Vec::with_capacity(samples.len());
    for sample in samples {
        let mut point = read(profile, &sample.fix);
        if filters.iter_mut().all(|filter| filter.pass(&mut point, sample, &mut rng)) {
            out.push(point);
        }
    }
    out
}

/// A fix as this tracker tells it.
fn read(profile: Profile, fix: &Fix) -> Point {
    let mut point = Point::from(fix);
    if !profile.has_ignition {
        point.ignition = None;
    }
    if !profile.has_odometer {
        point.odometer_m = None;
    }
    if !profile.has_vehicle_speed {
        point.vehicle_speed_dkmh = None;
    }
    if !profile.has_fuel {
        point.fuel_dl = None;
    }
    point
}

/// A fault with what it remembers.
#[derive(Debug)]
struct Filter {
    fault: Fault,
    from: UtcMillis,
    to: UtcMillis,
    /// For silence: it was announced.
    is_announced: bool,
    /// Silent until then.
    until: UtcMillis,
    /// Where the position stands.
    held: Option<Position>,
    drift: Spot,
}

impl Filter {
    fn new(fault: Fault, day: i64) -> Self {
        let (from_s, to_s) = match fault {
            Fault::Silent { from_s, to_s }
            | Fault::Jammed { from_s, to_s }
            | Fault::Drift { from_s, to_s }
            | Fault::Tunnel { from_s, to_s, .. } => (from_s, to_s),
        };
        Self {
            fault,
            from: instant(day, from_s),
            to: instant(day, to_s),
            is_announced: false,
            until: UtcMillis(i64::MIN),
            held: None,
            drift: Spot { x: 0.0, y: 0.0 },
        }
    }

    /// Changes a point as the fault does; whether it is sent at all.
    fn pass(&mut self, point: &mut Point, sample: &Sample, rng: &mut Rng) -> bool {
        if point.time < self.from || point.time >= self.to {
            if point.is_usable() {
                self.held = Some(point.at);
            }
            return true;
        }
        match self.fault {
            Fault::Silent { .. } => {
                point.signs = point.signs.with(Signs::POWER_LOST);
                !std::mem::replace(&mut self.is_announced, true)
            }
            Fault::Jammed { .. } => {
                point.at = self.held.unwrap_or(point.at);
                point.speed_dkmh = None;
                point.satellites = Some(0);
                point.signs = point.signs.with(Signs::UNUSABLE).with(Signs::JAMMED);
                true
            }
            Fault::Drift { .. } => {
                self.wander(point, sample, rng);
                true
            }
            Fault::Tunnel { recovery_s, .. } => {
                let is_covered = sample.fix.quality.contains(Quality::NOT_POSITIONED);
                if is_covered && sample.fix.vehicle_speed_dkmh > Some(300) {
                    self.until = UtcMillis(point.time.0 + i64::from(recovery_s) * 1_000);
                }
                point.time >= self.until
            }
        }
    }

    fn wander(&mut self, point: &mut Point, sample: &Sample, rng: &mut Rng) {
        if sample.fix.vehicle_speed_dkmh > Some(0) || !point.is_usable() {
            return;
        }
        let step =
            |at: f64, rng: &mut Rng| (at * 0.985 + 9.0 * rng.normal()).clamp(-DRIFT_MAX_M, DRIFT_MAX_M);
        self.drift = Spot { x: step(self.drift.x, rng), y: step(self.drift.y, rng) };
        point.at = position(Spot { x: sample.truth.x + self.drift.x, y: sample.truth.y + self.drift.y });
        point.speed_dkmh = u16::try_from(rng.below(16)).ok();
        point.satellites = u8::try_from(4 + rng.below(3)).ok();
    }
}
