//! Vehicle-days that wait to be judged.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use motorpool_supervision::ids::VehicleId;

/// Days this close are judged in one go: loading what a vehicle's rules look back on costs more than a day or two of judging.
const JOIN_WITHIN_DAYS: i32 = 3;

/// The longest run, days: its points are in memory at one time.
const RUN_MAX_DAYS: i32 = 31;

/// Vehicle-days that wait, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    vehicles: BTreeMap<VehicleId, BTreeSet<Date>>,
}

impl Days {
    /// Adds the days of `range` for a vehicle.
    pub(super) fn add(&mut self, vehicle: VehicleId, range: RangeInclusive<Date>) {
        let days = self.vehicles.entry(vehicle).or_default();
        let last = *range.end();
        let each = range.start().series(jiff::Span::new().days(1));
        days.extend(each.take_while(|day| *day <= last));
    }

    /// Adds all of another's.
    pub(super) fn extend(&mut self, other: Self) {
        for (vehicle, days) in other.vehicles {
            self.vehicles.entry(vehicle).or_default().extend(days);
        }
    }

    /// Whether this vehicle-day waits.
    pub(super) fn contains(&self, vehicle: VehicleId, day: Date) -> bool {
        self.vehicles.get(&vehicle).is_some_and(|days| days.contains(&day))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.vehicles.is_empty()
    }

    /// Number of vehicle-days.
    pub(super) fn len(&self) -> usize {
        self.vehicles.values().map(BTreeSet::len).sum()
    }

    /// Takes up to `count` vehicles with all their days.
    pub(super) fn take(&mut self, count: usize) -> Self {
        let rest = match self.vehicles.keys().nth(count).copied() {
            Some(first) => self.vehicles.split_off(&first),
            None => BTreeMap::new(),
        };
        Self { vehicles: std::mem::replace(&mut self.vehicles, rest) }
    }

    /// Each vehicle with its days as runs, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = (VehicleId, Vec<RangeInclusive<Date>>)> {
        self.vehicles.iter().map(|(vehicle, days)| (*vehicle, runs(days)))
    }

    /// The vehicles.
    pub(super) fn vehicles(&self) -> BTreeSet<VehicleId> {
        self.vehicles.keys().copied().collect()
    }

    /// First and last day of all.
    pub(super) fn bounds(&self) -> Option<(Date, Date)> {
        let first = self.vehicles.values().filter_map(BTreeSet::first).min()?;
        let last = self.vehicles.values().filter_map(BTreeSet::last).max()?;
        Some((*first, *last))
    }

    /// All days, whatever the vehicle.
    pub(super) fn all(&self) -> BTreeSet<Date> {
        self.vehicles.values().flatten().copied().collect()
    }
}

fn days_between(first: Date, last: Date) -> i32 {
    (last - first).get_days()
}

/// Days as runs, in order; days close to one another are in one run with those between them.
pub(super) fn runs(days: &BTreeSet<Date>) -> Vec<RangeInclusive<Date>> {
    let mut runs: Vec<RangeInclusive<Date>> = Vec::new();
    for &day in days {
        match runs.last_mut() {
            Some(run)
                if days_between(*run.end(), day) <= JOIN_WITHIN_DAYS
                    && days_between(*run.start(), day) < RUN_MAX_DAYS =>
            {
                *run = *run.start()..=day;
            }
            _ => runs.push(day..=day),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_join_into_runs_and_are_taken_by_vehicle() {
        let mut days = Days::default();
        let day = |d| date(2026, 3, d);
        days.add(VehicleId(2), day(1)..=day(2));
        days.add(VehicleId(2), day(4)..=day(4));
        days.add(VehicleId(1), day(20)..=day(20));
        days.add(VehicleId(2), day(20)..=day(21));
        assert_eq!(days.len(), 6);
        let first = days.take(1);
        assert_eq!(first.vehicles(), [VehicleId(1)].into());
        let runs: Vec<_> = days.runs().collect();
        assert_eq!(runs, [(VehicleId(2), vec![day(1)..=day(4), day(20)..=day(21)])]);
        assert_eq!(days.bounds(), Some((day(1), day(21))));
        assert!(days.take(9).len() == 5 && days.is_empty());
    }
}
