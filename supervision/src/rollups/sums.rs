//! What is counted in a slot, and how the counts of slots make those of a longer time.

use motorpool_protocols::UtcMillis;

use super::Sample;
use crate::point::Position;
use crate::trips::reported_speed;

/// Reported speed, 0.1 km/h, above which a fix counts as one in motion.
pub const IN_MOTION_DKMH: u16 = 10;

/// A sum and how many values are in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Sum {
    /// How many values.
    pub count: u32,
    /// Their sum.
    pub sum: i64,
}

impl Sum {
    /// Takes a value in.
    pub const fn add(&mut self, value: i64) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
    }

    const fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// What one device did in a slot, or in a longer time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record that files keep")]
pub struct Sums {
    /// Fixes, usable or not.
    pub fixes: u32,
    /// Times of the first and the last of them.
    pub seen: Option<(UtcMillis, UtcMillis)>,
    /// Where the last usable one was.
    pub place: Option<Position>,
    /// Its part of the distances of trips and moves, metres.
    pub distance_m: u32,
    /// Its part of their time in motion, seconds.
    pub moving_s: u32,
    /// Standing with the engine on, seconds: its part of the standing time of trips and moves, and time outside of them while the
    /// ignition is on or the engine turns.
    pub idle_s: u32,
    /// Trips that begin in it; moves are none.
    pub trips: u32,
    /// Speeds, 0.1 km/h: the vehicle's own, else the receiver's.
    pub speed_dkmh: Sum,
    /// The highest of them.
    pub speed_max_dkmh: Option<u16>,
    /// Fixes with more than [`IN_MOTION_DKMH`].
    pub fixes_in_motion: u32,
    /// First and last fuel in the tank, 0.1 litres.
    pub fuel_dl: Option<(u16, u16)>,
    /// The same as a part of the tank, thousandths of a percent.
    pub level_milli: Option<(i32, i32)>,
    /// Fuel used for 100 km, millilitres, as told with fixes in motion.
    pub consumption_ml: Sum,
    /// Loads, grams.
    pub load_g: Sum,
    /// The last of them.
    pub load_last_g: Option<i32>,
    /// Gravity of the worst fault, thousandths.
    pub fault_milli: Sum,
    /// Fixes that told a fault.
    pub fixes_with_fault: u32,
}

fn widened<T>(range: Option<(T, T)>, first: T, last: T) -> (T, T) {
    match range {
        Some((known, _)) => (known, last),
        None => (first, last),
    }
}

impl Sums {
    /// Takes the next fix in.
    pub(super) fn add(&mut self, sample: &Sample) {
        let Sample { point, gauges } = sample;
        self.fixes = self.fixes.saturating_add(1);
        self.seen = Some(widened(self.seen, point.time, point.time));
        if point.is_usable() {
            self.place = Some(point.at);
        }
        if let Some(dl) = point.fuel_dl {
            self.fuel_dl = Some(widened(self.fuel_dl, dl, dl));
        }
        if let Some(milli) = gauges.level_milli {
            self.level_milli = Some(widened(self.level_milli, milli, milli));
        }
        if let Some(dkmh) = reported_speed(point) {
            self.speed_dkmh.add(i64::from(dkmh));
            self.speed_max_dkmh = self.speed_max_dkmh.max(Some(dkmh));
            if dkmh > IN_MOTION_DKMH {
                self.fixes_in_motion = self.fixes_in_motion.saturating_add(1);
                gauges.consumption_ml.into_iter().for_each(|ml| self.consumption_ml.add(i64::from(ml)));
            }
        }
        if let Some(grams) = gauges.load_g {
            self.load_g.add(i64::from(grams));
            self.load_last_g = Some(grams);
        }
        if let Some(milli) = gauges.fault_milli {
            self.fault_milli.add(i64::from(milli));
            self.fixes_with_fault = self.fixes_with_fault.saturating_add(u32::from(milli > 0));
        }
    }

    /// Takes the sums of the time right after in.
    pub fn merge(&mut self, later: &Self) {
        for (sum, more) in [
            (&mut self.fixes, later.fixes),
            (&mut self.distance_m, later.distance_m),
            (&mut self.moving_s, later.moving_s),
            (&mut self.idle_s, later.idle_s),
            (&mut self.trips, later.trips),
            (&mut self.fixes_in_motion, later.fixes_in_motion),
            (&mut self.fixes_with_fault, later.fixes_with_fault),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.speed_dkmh.merge(later.speed_dkmh);
        self.consumption_ml.merge(later.consumption_ml);
        self.load_g.merge(later.load_g);
        self.fault_milli.merge(later.fault_milli);
        self.speed_max_dkmh = self.speed_max_dkmh.max(later.speed_max_dkmh);
        if let Some((first, last)) = later.seen {
            self.seen = Some(widened(self.seen, first, last));
        }
        if let Some((first, last)) = later.fuel_dl {
            self.fuel_dl = Some(widened(self.fuel_dl, first, last));
        }
        if let Some((first, last)) = later.level_milli {
            self.level_milli = Some(widened(self.level_milli, first, last));
        }
        self.place = later.place.or(self.place);
        self.load_last_g = later.load_last_g.or(self.load_last_g);
    }
}
