//! A quarter of the made-up county in which some cars are misused: tracks, registers and the truth about each vehicle-day.
//!
//! ```text
//! seed ─▶ stage (places) ─▶ cast (who plays what when) ─▶ agenda (a day's errands)
//!                                                             │ driven once for the true times
//!                                             papers (orders, ledgers, labels) ─▶ register
//! ```
//!
//! Everything follows from the options. Tracks are driven again when asked for, one car at a time, so that memory stays
//! small; the same car gives the same points whenever and in whatever order it is asked for. The judge sees the points and
//! the register, never the labels.

mod agenda;
mod almanac;
mod cast;
mod device;
mod export;
mod life;
mod names;
mod others;
mod papers;
mod register;
mod stage;
mod story;
#[cfg(test)]
mod tests;
mod violations;

use jiff::civil::Date;
use motorpool_supervision::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::point::Point;
use motorpool_supervision::register::Register;

pub use almanac::{DayKind, day_kind};
pub use export::Written;
pub use life::TrueTrip;
pub use story::{Kind, Label, Story};

use almanac::{Holiday, date_of, day_number, instant, is_workday};
use cast::Cast;
use life::Life;
use papers::Papers;
use stage::Stage;

use super::car;
use super::county::CARS;
use super::rng::Rng;

/// Most days that a quarter may have.
const DAYS_MAX: u16 = 400;
/// Fewest: stories of two weeks must find a place.
const DAYS_MIN: u16 = 28;
/// Room for the points of a usual car.
const POINTS_USUAL: usize = 60_000;
/// Units of the county are numbered from here on.
const FIRST_UNIT: i64 = 11;

/// How often stories happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the rates there are")]
pub enum Rate {
    /// As counted in a real county: 43 events, of which 4 are violations and 9 problems of management.
    #[default]
    Real,
    /// Each story five times.
    Enriched,
    /// Each story twice, to be shown: something of everything, and most of the county in order.
    Demo,
}

/// Days of a quarter that is shown which lie behind on the day of the show.
pub const SHOWN_DAYS: u16 = 21;

/// What quarter to make.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the options there are")]
pub struct QuarterOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// The first day.
    pub from: Date,
    /// How many days, 28 to 400.
    pub days: u16,
    /// How often stories happen.
    pub rate: Rate,
    /// The first so many cars of the county only. Stories for which there are too few cars are left out.
    pub cars: Option<usize>,
}

impl QuarterOptions {
    /// The second quarter of 2026, 2026-04-01 to 06-30: three holidays.
    #[must_use]
    pub const fn spring_2026(seed: u64, rate: Rate) -> Self {
        Self { seed, from: jiff::civil::date(2026, 4, 1), days: 91, rate, cars: None }
    }
}

/// The days of a quarter, local days since 1970-01-01.
#[derive(Clone, Debug)]
struct Period {
    first: i64,
    last: i64,
    holidays: Vec<Holiday>,
    /// First and last day of the declared emergency.
    flood: (i64, i64),
    /// In a quarter that is shown, the day of the show.
    shown: Option<i64>,
}

impl Period {
    fn new(from: Date, days: u16, rate: Rate) -> Self {
        let first = day_number(from);
        let last = first + i64::from(days.clamp(DAYS_MIN, DAYS_MAX)) - 1;
        let length = last - first;
        let shown = (rate == Rate::Demo).then(|| first + i64::from(SHOWN_DAYS));
        // Three workdays in a row in the last third; in a quarter that is shown, well before the show.
        let flooded_from = if shown.is_some() { i64::from(SHOWN_DAYS) / 2 } else { length * 2 / 3 };
        let is_plain = |day: &i64| (*day..day + 4).all(is_workday);
        let flood = (first + flooded_from..last - 4).find(is_plain).unwrap_or(first + length / 2);
        Self { first, last, holidays: almanac::holidays(first, last), flood: (flood, flood + 2), shown }
    }
}

/// A quarter: what was on paper, what was true, and on demand what the trackers sent.
#[derive(Clone, Debug)]
pub struct Quarter {
    seed: u64,
    stage: Stage,
    period: Period,
    lives: Vec<Life>,
    register: Register,
    truth: Vec<Label>,
}

/// Makes a quarter. Nothing of it depends on anything but the options.
#[must_use]
pub fn quarter(options: QuarterOptions) -> Quarter {
    let QuarterOptions { seed, from, days, rate, cars } = options;
    let stage = Stage::new(seed);
    let period = Period::new(from, days, rate);
    let cars = cars.unwrap_or(CARS).min(stage.county.cars.len());
    let cast = Cast::new(&stage, &period, cars, rate, seed);
    let mut papers = Papers::default();
    let lives: Vec<Life> =
        (0..cars).filter_map(|car| life::live(&stage, &period, &cast, car, seed, &mut papers)).collect();
    let mut truth = std::mem::take(&mut papers.labels);
    truth.sort_by_key(|label| (label.vehicle, label.day, label.event));
    let register = register::register(&stage, &period, cars, papers);
    Quarter { seed, stage, period, lives, register, truth }
}

impl Quarter {
    /// What the judge may know beside the tracks. Calendars are not in it: those of the country apply.
    #[must_use]
    pub const fn register(&self) -> &Register {
        &self.register
    }

    /// The vehicles, in order.
    pub fn vehicles(&self) -> impl Iterator<Item = VehicleId> {
        (0..self.lives.len()).map(vehicle_id)
    }

    /// The labels, in order of vehicle, day and event. A vehicle-day without one is ordinary and in order.
    #[must_use]
    pub fn truth(&self) -> &[Label] {
        &self.truth
    }

    /// First and last day.
    #[must_use]
    pub fn days(&self) -> (Date, Date) {
        (date_of(self.period.first), date_of(self.period.last))
    }

    /// Begin of the first day and end of the last.
    #[must_use]
    pub fn span(&self) -> (UtcMillis, UtcMillis) {
        (instant(self.period.first, 0), instant(self.period.last + 1, 0))
    }

    /// The points that a vehicle's tracker sent, in order of time, driven anew with each call. Empty for a vehicle that the
    /// quarter does not have.
    #[must_use]
    pub fn track(&self, vehicle: VehicleId) -> Vec<Point> {
        let mut track = Vec::with_capacity(POINTS_USUAL);
        for day in self.period.first..=self.period.last {
            track.extend(self.points(vehicle, day));
        }
        track
    }

    /// The part of [`Quarter::track`] that belongs to one local day. Empty outside the quarter.
    #[must_use]
    pub fn day_track(&self, vehicle: VehicleId, day: Date) -> Vec<Point> {
        self.points(vehicle, day_number(day))
    }

    fn points(&self, vehicle: VehicleId, day: i64) -> Vec<Point> {
        let nth = usize::try_from(day - self.period.first).ok();
        let Some((car, life)) = self.life(vehicle) else { return Vec::new() };
        let Some(record) = nth.and_then(|nth| life.days.get(nth)) else { return Vec::new() };
        let plan = record.plan(&self.stage);
        let samples = car::day_reported(&self.stage.county, car, day, &plan, life.profile.reporting);
        let rng = Rng::keyed(&[self.seed, 38, car as u64, day.unsigned_abs()]);
        device::points(life.profile, day, &samples, &record.faults, rng)
    }

    /// The drives that a vehicle really made, in order.
    #[must_use]
    pub fn true_trips(&self, vehicle: VehicleId) -> &[TrueTrip] {
        self.life(vehicle).map_or(&[], |(_, life)| &life.trips)
    }

    fn life(&self, vehicle: VehicleId) -> Option<(usize, &Life)> {
        let car = usize::try_from(vehicle.0.checked_sub(1)?).ok()?;
        Some((car, self.lives.get(car)?))
    }
}

/// The number of a car of the county.
fn vehicle_id(car: usize) -> VehicleId {
    VehicleId(i64::try_from(car + 1).unwrap_or(i64::MAX))
}

/// The number of a unit of the county.
fn unit_id(unit: usize) -> UnitId {
    UnitId(FIRST_UNIT + i64::try_from(unit).unwrap_or(0))
}
