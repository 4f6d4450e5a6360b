//! What one report says while it is being read: the fix with its readings, or readings alone.
//!
//! A value goes into the column of the fix that is meant for it; where there is no fix, or its column is taken,
//! it becomes a reading. So a decoder need not know whether the report it reads has a position.

use std::mem;

use serde_json::Value;

use crate::notes::Notes;
use crate::reading::readings;
use crate::{Alarms, Fix, Observation, Observations, Quantity, Reading, Status, UtcMillis};

/// A report being read. Set [`Draft::fix`] before the values that belong to it.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    out: &'a mut Observations,
    extra_start: usize,
    /// The position, if the report has one.
    pub(crate) fix: Option<Fix>,
    /// When the values were measured, by the terminal's clock; a fix has its own time.
    pub(crate) at: Option<UtcMillis>,
    alarms: Alarms,
}

impl<'a> Draft<'a> {
    /// A report about which nothing is known yet.
    #[inline]
    pub(crate) const fn new(out: &'a mut Observations) -> Self {
        let extra_start = out.extra.len();
        Self { out, extra_start, fix: None, at: None, alarms: Alarms(0) }
    }

    /// The index that the fix will have: what its notes are written under.
    const fn index(&self) -> usize {
        self.out.fixes.len()
    }

    /// Notes something under the fix, or under the message where there is none.
    pub(crate) fn note<N: Notes>(&self, notes: &mut N, name: &str, value: impl FnOnce() -> Value) {
        match self.fix {
            Some(_) => notes.of_fix(self.index(), name, value),
            None => notes.of_message(name, value),
        }
    }

    /// Something that is not a position.
    pub(crate) fn tell(&mut self, observation: Observation) {
        self.out.other.push(observation);
    }

    /// An item broke its own format and was passed over.
    pub(crate) const fn item_is_malformed(&mut self) {
        self.out.malformed_items = self.out.malformed_items.saturating_add(1);
        if let Some(fix) = &mut self.fix {
            fix.quality = fix.quality.with(crate::Quality::ITEM_MALFORMED);
        }
    }

    /// A value in thousandths of its unit.
    #[inline]
    pub(crate) fn reading(&mut self, quantity: Quantity, milli: i64) {
        Reading::new(quantity, milli).write(&mut self.out.extra);
    }

    /// A whole number of units.
    #[inline]
    pub(crate) fn whole(&mut self, quantity: Quantity, value: impl Into<i64>) {
        self.reading(quantity, value.into().saturating_mul(1_000));
    }

    /// Whether the ignition is on.
    #[inline]
    pub(crate) fn ignition(&mut self, is_on: bool) {
        match &mut self.fix {
            Some(fix) => fix.set_ignition(is_on),
            None => self.whole(Quantity::Ignition, is_on),
        }
    }

    /// Alarms that are raised.
    #[inline]
    pub(crate) const fn raise(&mut self, alarms: Alarms) {
        match &mut self.fix {
            Some(fix) => fix.alarms = fix.alarms.with(alarms),
            None => self.alarms = self.alarms.with(alarms),
        }
    }

    /// State bits of the fix.
    #[inline]
    pub(crate) const fn state(&mut self, status: Status) {
        if let Some(fix) = &mut self.fix {
            fix.status = fix.status.with(status);
        }
    }

    /// Signal strength without a unit.
    #[inline]
    pub(crate) fn signal(&mut self, value: u8) {
        match &mut self.fix {
            Some(fix) if fix.signal.is_none() => fix.signal = Some(value),
            _ => self.whole(Quantity::Signal, value),
        }
    }

    /// A distance counter.
    #[inline]
    pub(crate) fn odometer_m(&mut self, metres: u64) {
        match (&mut self.fix, u32::try_from(metres)) {
            (Some(fix @ Fix { odometer_m: None, .. }), Ok(metres)) => fix.odometer_m = Some(metres),
            _ => {
                if let Ok(milli) = i64::try_from(metres) {
                    self.reading(Quantity::VehicleOdometer, milli);
                }
            }
        }
    }

    /// Fuel in the tank.
    #[inline]
    pub(crate) fn fuel_dl(&mut self, decilitres: u64) {
        match (&mut self.fix, u16::try_from(decilitres)) {
            (Some(fix @ Fix { fuel_dl: None, .. }), Ok(fuel)) => fix.fuel_dl = Some(fuel),
            _ => self.scaled(Quantity::Fuel, decilitres, 100),
        }
    }

    /// Speed by the vehicle's own network.
    #[inline]
    pub(crate) fn vehicle_speed_dkmh(&mut self, speed: u64) {
        match (&mut self.fix, u16::try_from(speed)) {
            (Some(fix @ Fix { vehicle_speed_dkmh: None, .. }), Ok(speed)) => {
                fix.vehicle_speed_dkmh = Some(speed);
            }
            _ => self.scaled(Quantity::VehicleSpeed, speed, 100),
        }
    }

    /// Engine speed.
    #[inline]
    pub(crate) fn engine_rpm(&mut self, speed: u64) {
        match (&mut self.fix, u16::try_from(speed)) {
            (Some(fix @ Fix { engine_rpm: None, .. }), Ok(speed)) => fix.engine_rpm = Some(speed),
            _ => self.scaled(Quantity::EngineSpeed, speed, 1_000),
        }
    }

    /// A number as sent, each of which is so many thousandths of the unit. Nonsense that does not fit is left out.
    #[inline]
    pub(crate) fn scaled(&mut self, quantity: Quantity, value: u64, milli_each: i64) {
        if let Some(milli) = i64::try_from(value).ok().and_then(|value| value.checked_mul(milli_each)) {
            self.reading(quantity, milli);
        }
    }

    /// Gives the report up: its readings are gone.
    pub(crate) fn discard(&mut self) {
        self.out.extra.truncate(self.extra_start);
    }

    /// Ends the report: a fix with its readings, or readings alone, or nothing.
    #[inline]
    pub(crate) fn finish<N: Notes>(mut self, notes: &mut N) {
        self.end_report(notes);
    }

    /// Ends the report as [`Draft::finish`] does and begins another of the same message.
    #[inline]
    pub(crate) fn end_report<N: Notes>(&mut self, notes: &mut N) {
        let (extra_start, at, alarms) = (self.extra_start, self.at.take(), mem::take(&mut self.alarms));
        if let Some(fix) = self.fix.take() {
            self.out.push_fix(fix, extra_start);
            self.extra_start = self.out.extra.len();
            return;
        }
        if alarms != Alarms(0) {
            notes.of_message("alarms", || Value::from(alarms.names().collect::<Vec<_>>()));
        }
        if self.out.extra.len() == extra_start {
            return;
        }
        let found: Vec<_> = readings(self.out.extra.get(extra_start..).unwrap_or(&[])).collect();
        self.out.extra.truncate(extra_start);
        if !found.is_empty() {
            self.out.other.push(Observation::Readings { at, readings: found });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::NoNotes;

    fn fill(draft: &mut Draft<'_>) {
        draft.ignition(true);
        draft.odometer_m(12_345);
        draft.engine_rpm(900);
        draft.engine_rpm(901);
        draft.signal(20);
    }

    #[test]
    fn values_become_columns_of_the_fix_and_repetitions_readings() {
        let mut out = Observations::default();
        let mut draft = Draft::new(&mut out);
        draft.fix = Some(Fix::placed(None, 1, 1, crate::profile::Datum::Wgs84));
        fill(&mut draft);
        draft.finish(&mut NoNotes);
        let fix = out.fixes[0];
        assert_eq!((fix.odometer_m, fix.engine_rpm, fix.signal), (Some(12_345), Some(900), Some(20)));
        assert!(fix.status.contains(Status::IGNITION));
        let extra: Vec<_> = readings(out.extra_of(&fix)).collect();
        assert_eq!(extra, [Reading::new(Quantity::EngineSpeed, 901_000)]);
    }

    #[test]
    fn without_a_position_there_are_readings_alone() {
        let mut out = Observations::default();
        let mut draft = Draft::new(&mut out);
        fill(&mut draft);
        draft.finish(&mut NoNotes);
        let wanted = [
            Reading::new(Quantity::Ignition, 1_000),
            Reading::new(Quantity::VehicleOdometer, 12_345),
            Reading::new(Quantity::EngineSpeed, 900_000),
            Reading::new(Quantity::EngineSpeed, 901_000),
            Reading::new(Quantity::Signal, 20_000),
        ];
        assert_eq!(out.other, [Observation::Readings { at: None, readings: wanted.to_vec() }]);
        assert!(out.extra.is_empty());
    }
}
