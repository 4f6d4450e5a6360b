//! Standing and driving, as the mean speed of ten minutes tells.

use std::ops::Range;

use jiff::civil::Date;
use motorpool_supervision::rollups::Slot;
use serde::Serialize;
use utoipa::ToSchema;

use super::scan::{Piece, each_car};
use super::{Car, CarId, Driving, Fleet, UnitRef, Window, float};
use crate::{Column, RollupsError, Zone};

/// Slots of an hour.
const SLOTS_AN_HOUR: f64 = 6.0;

/// A car and how it was driven in the time asked about.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct DrivenCar {
    /// The car.
    #[serde(flatten)]
    pub car: CarId,
    /// Its unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// Mean speed, km/h.
    pub mean_kmh: f64,
    /// Slots of ten minutes in which it drove.
    pub driving_slots: u32,
}

/// How long a car is driven on a day.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct DailyDriving {
    /// The car.
    #[serde(flatten)]
    pub car: CarId,
    /// Its unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// Mean hours of driving, over the days on which there was any.
    pub mean_daily_h: f64,
    /// Those days.
    pub days: u32,
}

/// What a car drove in one go on one day.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct CarSession {
    /// The car.
    #[serde(flatten)]
    pub car: CarId,
    /// Its unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// The local day on which it began to drive.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// Mean length, minutes.
    pub mean_min: f64,
    /// How often it began and ended.
    pub sessions: u32,
}

/// Columns that a mean speed is made of.
const SPEED: [Column; 2] = [Column::Speeds, Column::SpeedSum];

/// The mean of speeds summed in 0.1 km/h.
fn mean_kmh(count: i64, sum: i64) -> Option<f64> {
    (count > 0).then(|| float(sum) / float(count) / 10.0)
}

/// The slots of a car in which it told a speed, with the mean.
fn means(pieces: &[Piece<'_, 2>]) -> impl Iterator<Item = (Slot, f64)> {
    let rows = pieces.iter().flat_map(|piece| piece.rows());
    rows.filter_map(|(slot, [count, sum])| Some((slot, mean_kmh(count, sum)?)))
}

/// The mean speed over all slots, and in how many it is above a limit.
fn driven(car: &Car, pieces: &[Piece<'_, 2>], above_kmh: f64) -> Option<DrivenCar> {
    let rows = pieces.iter().flat_map(|piece| piece.rows());
    let (count, sum) = rows.fold((0, 0), |(count, sum), (_, [more, speed])| (count + more, sum + speed));
    let driving = means(pieces).filter(|(_, mean)| *mean > above_kmh).count();
    Some(DrivenCar {
        car: car.id.clone(),
        unit: car.unit.clone(),
        mean_kmh: mean_kmh(count, sum)?,
        driving_slots: u32::try_from(driving).unwrap_or(u32::MAX),
    })
}

pub(super) fn stationary(
    fleet: &Fleet,
    window: &Window<'_>,
    below: f64,
) -> Result<Vec<DrivenCar>, RollupsError> {
    let mut list = Vec::new();
    each_car(fleet, window, SPEED, |car, pieces| {
        list.extend(driven(car, pieces, below).filter(|driven| driven.mean_kmh < below));
    })?;
    Ok(list)
}

pub(super) fn long_sessions(
    fleet: &Fleet,
    window: &Window<'_>,
    driving: Driving,
) -> Result<Vec<DrivenCar>, RollupsError> {
    // Of each hour so many minutes are rest; what is left, in whole slots, may be driven.
    let rest_min = 60_u32.min(driving.rest_min_per_hour);
    let allowed = window.len().saturating_mul(60 - rest_min) / 60;
    let mut list = Vec::new();
    each_car(fleet, window, SPEED, |car, pieces| {
        list.extend(driven(car, pieces, driving.above_kmh).filter(|driven| driven.driving_slots > allowed));
    })?;
    Ok(list)
}

/// The local day of slots that only go forward.
pub(super) struct Days<'a> {
    zone: &'a Zone,
    today: Option<(Date, Range<Slot>)>,
}

impl<'a> Days<'a> {
    pub(super) const fn new(zone: &'a Zone) -> Self {
        Self { zone, today: None }
    }

    pub(super) fn of(&mut self, slot: Slot) -> Date {
        match &self.today {
            Some((date, slots)) if slots.contains(&slot) => *date,
            _ => {
                let date = self.zone.date(slot);
                self.today = Some((date, self.zone.slots(date)));
                date
            }
        }
    }
}

pub(super) fn daily_duration(
    fleet: &Fleet,
    window: &Window<'_>,
    above_kmh: f64,
) -> Result<Vec<DailyDriving>, RollupsError> {
    let mut list = Vec::new();
    let mut calendar = Days::new(window.zone);
    each_car(fleet, window, SPEED, |car, pieces| {
        let (mut slots, mut days, mut last) = (0_u32, 0_u32, None);
        for (slot, _) in means(pieces).filter(|(_, mean)| *mean > above_kmh) {
            let day = calendar.of(slot);
            slots += 1;
            days += u32::from(last.replace(day) != Some(day));
        }
        if days > 0 {
            let mean_daily_h = f64::from(slots) / SLOTS_AN_HOUR / f64::from(days);
            list.push(DailyDriving { car: car.id.clone(), unit: car.unit.clone(), mean_daily_h, days });
        }
    })?;
    Ok(list)
}

pub(super) fn daily_session(
    fleet: &Fleet,
    window: &Window<'_>,
    above_kmh: f64,
) -> Result<Vec<CarSession>, RollupsError> {
    let mut list: Vec<CarSession> = Vec::new();
    let mut calendar = Days::new(window.zone);
    each_car(fleet, window, SPEED, |car, pieces| {
        let mut before = None;
        let mut begun: Option<Slot> = None;
        let mut days: Vec<(Date, i64, u32)> = Vec::new();
        for (slot, mean) in means(pieces) {
            let is_driving = mean > above_kmh;
            // Both ends must be seen: what the time cuts off is no length.
            match (before.replace(is_driving), is_driving) {
                (Some(false), true) => begun = Some(slot),
                (Some(true), false) => {
                    if let Some(start) = begun.take() {
                        let (day, slots) = (calendar.of(start), i64::from(slot.0) - i64::from(start.0));
                        match days.last_mut().filter(|(last, ..)| *last == day) {
                            Some((_, sum, count)) => (*sum, *count) = (*sum + slots, *count + 1),
                            None => days.push((day, slots, 1)),
                        }
                    }
                }
                _ => {}
            }
        }
        list.extend(days.into_iter().map(|(day, slots, sessions)| CarSession {
            car: car.id.clone(),
            unit: car.unit.clone(),
            day,
            mean_min: float(slots) * 10.0 / f64::from(sessions),
            sessions,
        }));
    })?;
    Ok(list)
}
