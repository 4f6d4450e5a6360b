//! How much of a time lies in off-hours and on rest days.

use crate::UtcMillis;
use crate::judge::VehicleDay;

/// Times longer than this are cut, days.
const DAYS_MAX: usize = 40;

/// What a time is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hours {
    /// Outside the hours of a workday, seconds. On a day that is only provisionally known the hours hold as well.
    pub(super) off_hours_s: i64,
    /// On a rest day that is known to be one, seconds.
    pub(super) rest_s: i64,
    /// On days of which only the day of the week is known, seconds.
    pub(super) provisional_s: i64,
}

impl Hours {
    /// The parts of `from` to `to`.
    pub(super) fn of(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis) -> Self {
        let world = day.world;
        let mut hours = Self::default();
        let (mut date, _) = world.local(from);
        for _ in 0..DAYS_MAX {
            let (midnight, next) = (world.instant(date, 0), world.instant(date, 1_440));
            if midnight > to {
                break;
            }
            let info = if date == day.day { day.info.clone() } else { world.day(&day.units, date) };
            let within = shared_s((from, to), (midnight, next));
            if info.kind.is_rest_day() && !info.is_provisional {
                hours.rest_s += within;
            } else {
                let (opens, closes) = opening(day, date);
                let open = (world.instant(date, opens), world.instant(date, closes));
                hours.off_hours_s += within - shared_s((from, to), open);
                if info.is_provisional {
                    hours.provisional_s += within;
                }
            }
            let Ok(tomorrow) = date.tomorrow() else { break };
            date = tomorrow;
        }
        hours
    }

    /// Whether so much of it lies in off-hours or anything on a rest day that it is out of the ordinary.
    pub(super) const fn is_off(&self, min_s: i64) -> bool {
        self.rest_s > 0 || (self.off_hours_s > 0 && self.off_hours_s >= min_s)
    }
}

/// Between which minutes of `date` the unit's cars may be out.
pub(super) fn opening(day: &VehicleDay<'_>, date: jiff::civil::Date) -> (u16, u16) {
    let defaults = &day.settings.params.r05;
    day.world.calendar().hours(&day.units, date, (defaults.opens_min, defaults.closes_min))
}

/// Seconds that both times share.
pub(super) fn shared_s(one: (UtcMillis, UtcMillis), other: (UtcMillis, UtcMillis)) -> i64 {
    one.1.min(other.1).0.saturating_sub(one.0.max(other.0).0).max(0).div_euclid(1_000)
}
