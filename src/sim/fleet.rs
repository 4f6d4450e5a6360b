//! The county's cars over days: any car's any day, the same whenever it is asked for.

use motorpool_protocols::Fix;

use super::car::{self, Sample};
use super::county::County;
use super::schedule::{DayPlan, State, first_state, plan};

/// The cars of a county from the day on which their trackers were fitted.
#[derive(Clone, Debug)]
pub struct Fleet {
    county: County,
    first_day: i64,
}

impl Fleet {
    /// The fleet of the county of `seed`; odometers and tanks are counted from local day `first_day` (days since
    /// 1970-01-01 in GMT+8) on.
    #[must_use]
    pub fn new(seed: u64, first_day: i64) -> Self {
        Self { county: County::new(seed), first_day }
    }

    /// The county.
    #[must_use]
    pub const fn county(&self) -> &County {
        &self.county
    }

    /// The first local day.
    #[must_use]
    pub const fn first_day(&self) -> i64 {
        self.first_day
    }

    /// The fixes of one car on one local day; nothing before the first day and for cars that do not exist.
    pub fn day(&self, car: usize, day: i64) -> impl Iterator<Item = Fix> {
        let days = usize::try_from(day - self.first_day).ok();
        let samples = days.and_then(|days| self.days(car, None).nth(days)).unwrap_or_default();
        samples.into_iter().map(|sample| sample.fix)
    }

    /// One car's days from the first on, without end. Passing over a day costs its plan only. `report_s` replaces
    /// the car's own interval between two reports while the ignition is on.
    #[must_use]
    pub fn days(&self, car: usize, report_s: Option<u32>) -> CarDays<'_> {
        CarDays { fleet: self, car, day: self.first_day, state: first_state(&self.county, car), report_s }
    }
}

/// The days of one car, in order.
#[derive(Clone, Debug)]
pub struct CarDays<'a> {
    fleet: &'a Fleet,
    car: usize,
    day: i64,
    state: Option<State>,
    report_s: Option<u32>,
}

impl CarDays<'_> {
    /// The next day's plan; the day counts as passed.
    pub fn next_plan(&mut self) -> Option<DayPlan> {
        let plan = plan(&self.fleet.county, self.car, self.day, self.state?)?;
        self.state = Some(plan.end);
        self.day += 1;
        Some(plan)
    }
}

impl Iterator for CarDays<'_> {
    type Item = Vec<Sample>;

    fn next(&mut self) -> Option<Vec<Sample>> {
        let day = self.day;
        let plan = self.next_plan()?;
        Some(car::day(&self.fleet.county, self.car, day, &plan, self.report_s))
    }

    fn nth(&mut self, n: usize) -> Option<Vec<Sample>> {
        for _ in 0..n {
            self.next_plan()?;
        }
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::roads::Spot;
    use crate::sim::schedule::is_weekend;
    use motorpool_protocols::{Alarms, Status};
    use std::hash::{DefaultHasher, Hash, Hasher};

    /// A Monday.
    const FIRST_DAY: i64 = 20_458;

    fn fingerprint(fixes: impl Iterator<Item = Fix>) -> u64 {
        let mut hasher = DefaultHasher::new();
        fixes.for_each(|fix| format!("{fix:?}").hash(&mut hasher));
        hasher.finish()
    }

    #[test]
    fn a_day_is_the_same_whenever_and_in_whatever_order_it_is_asked_for() {
        let fleet = Fleet::new(1, FIRST_DAY);
        let wanted: Vec<(usize, i64)> = [(3, 2), (200, 0), (3, 5), (17, 9), (3, 0)].into();
        let forwards: Vec<u64> =
            wanted.iter().map(|(car, day)| fingerprint(fleet.day(*car, FIRST_DAY + day))).collect();
        let other = Fleet::new(1, FIRST_DAY);
        let backwards: Vec<u64> =
            wanted.iter().rev().map(|(car, day)| fingerprint(other.day(*car, FIRST_DAY + day))).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        assert_ne!(forwards[0], fingerprint(Fleet::new(2, FIRST_DAY).day(3, FIRST_DAY + 2)));
        assert_eq!(fleet.day(3, FIRST_DAY - 1).count() + fleet.day(253, FIRST_DAY).count(), 0);
    }

    /// What a plausible week must look like, for every 9th car.
    #[test]
    fn a_week_is_plausible() {
        let fleet = Fleet::new(1, FIRST_DAY);
        let (mut fixes, mut outliers, mut unfixed, mut driven_km) = (0_usize, 0_usize, 0_usize, 0.0);
        for car in (0..253).step_by(9) {
            let mut last: Option<Sample> = None;
            for (number, samples) in fleet.days(car, None).take(7).enumerate() {
                let day = FIRST_DAY + number as i64;
                let midnight_ms = day * 86_400_000 - 8 * 3_600_000;
                for sample in samples {
                    let fix = &sample.fix;
                    assert!((midnight_ms..midnight_ms + 86_400_000).contains(&fix.fix_time.0));
                    assert!(fix.odometer_m.is_some() && fix.speed_dkmh.is_some());
                    // 100 km/h, the fastest limit, with the fastest driver.
                    assert!(fix.vehicle_speed_dkmh <= Some(1_130), "{:?}", fix.vehicle_speed_dkmh);
                    if let Some(before) = &last {
                        check_step(before, &sample);
                    }
                    fixes += 1;
                    outliers += usize::from(sample.is_outlier);
                    unfixed += usize::from(!fix.is_valid());
                    assert_eq!(fix.is_valid(), fix.status.contains(Status::POSITIONED));
                    last = Some(sample);
                }
                let last = last.as_ref().unwrap();
                assert!(
                    last.fix.fix_time.0 > midnight_ms + 86_400_000 - 301_000,
                    "the day is covered to its end"
                );
                assert!(
                    !last.fix.status.contains(Status::IGNITION),
                    "car {car} still drives at midnight of {day}"
                );
            }
            let odometer_m = last.unwrap().fix.odometer_m.unwrap();
            driven_km += (f64::from(odometer_m) - fleet.county().cars[car].odometer_m) / 1e3;
        }
        assert!((50_000..200_000).contains(&fixes), "{fixes}");
        assert!((10..80).contains(&outliers), "{outliers}");
        assert!(unfixed > 100 && unfixed < fixes / 4, "{unfixed}");
        // 29 cars, 5 workdays.
        assert!((20.0..120.0).contains(&(driven_km / 145.0)), "{driven_km} km");
    }

    /// From one report to the next nobody jumps, nothing runs backwards, and noise is noise.
    fn check_step(before: &Sample, after: &Sample) {
        let elapsed_s = (after.fix.fix_time.0 - before.fix.fix_time.0) as f64 / 1e3;
        assert!(elapsed_s >= 1.0);
        let moved_m = before.truth.distance(after.truth);
        let counted_m = f64::from(after.fix.odometer_m.unwrap()) - f64::from(before.fix.odometer_m.unwrap());
        assert!(moved_m <= counted_m + 2.0, "moved {moved_m} m and counted {counted_m} m");
        assert!(counted_m <= elapsed_s * 31.5 + 1.0, "{counted_m} m in {elapsed_s} s");
        let seen = |sample: &Sample| Spot {
            x: (f64::from(sample.fix.lon_e7) / 1e7 - 102.0) * 111_195.0 * 40.2_f64.to_radians().cos(),
            y: (f64::from(sample.fix.lat_e7) / 1e7 - 40.2) * 111_195.0,
        };
        if after.fix.is_valid() && !after.is_outlier {
            let off_m = seen(after).distance(after.truth);
            assert!(off_m < 30.0, "{off_m} m off");
        }
        assert!(!after.is_outlier || seen(after).distance(after.truth) > 100.0);
    }

    #[test]
    fn rest_days_are_quiet_and_habits_leave_their_traces() {
        let fleet = Fleet::new(1, FIRST_DAY);
        let moves = |car: usize, day: i64| fleet.day(car, day).any(|fix| fix.vehicle_speed_dkmh > Some(50));
        let count = |day: i64| (0..253).step_by(4).filter(|car| moves(*car, day)).count();
        assert!(is_weekend(FIRST_DAY + 5));
        let (monday, saturday) = (count(FIRST_DAY), count(FIRST_DAY + 5));
        assert!(monday > 40 && saturday < 20, "{monday} of 64 cars drive on Monday, {saturday} on Saturday");
        let unplugged = (0..253)
            .filter(|car| fleet.county().cars[*car].habit == Some(crate::sim::county::Habit::Unplugged));
        let cut = unplugged
            .flat_map(|car| fleet.days(car, None).take(21).flatten())
            .filter(|sample| sample.fix.alarms.contains(Alarms::POWER_LOST))
            .count();
        assert!(cut >= 3, "{cut} power cuts in three weeks");
    }

    #[test]
    fn a_shorter_interval_shows_the_same_drive_more_closely() {
        let fleet = Fleet::new(1, FIRST_DAY);
        let last = |report_s| fleet.days(0, report_s).take(3).flatten().last().unwrap().fix.odometer_m;
        let count = |report_s| fleet.days(0, report_s).take(3).flatten().count();
        assert_eq!(last(None), last(Some(1)));
        assert!(count(Some(1)) > count(Some(10)) && count(Some(10)) > count(Some(60)));
    }
}
