//! The clock of an explanation: 3, 5 and 7 workdays from delivery, then the next one up is told.
//!
//! A pure function of the delivery and of now; the calendar is passed in. Silence is not guilt: a step tells somebody and
//! never touches the disposition.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use super::events::{Event, LimitError, within};
use super::state::Case;
use crate::UtcMillis;

/// Most workdays a step may wait.
pub const MAX_WORKDAYS: u16 = 60;
/// Calendar days that are looked through for the workdays of one step. A calendar without workdays ends here, not never.
pub const MAX_DAYS_AHEAD: u16 = 400;

/// Who is told when no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every step")]
pub enum Step {
    /// The unit's own manager is reminded.
    UnitManager,
    /// The leader of the bureau.
    BureauLeader,
    /// The discipline office.
    DisciplineOffice,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 3] = [Self::UnitManager, Self::BureauLeader, Self::DisciplineOffice];
}

/// After how many workdays each step is due. Kept in the case when it asks, so that a change of settings does not move the
/// dates of a question that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "settings")]
pub struct Ladder {
    /// Workdays until the unit's manager is reminded.
    pub unit_manager_workdays: u16,
    /// Workdays until the leader of the bureau is told.
    pub bureau_leader_workdays: u16,
    /// Workdays until the discipline office is told.
    pub discipline_office_workdays: u16,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { unit_manager_workdays: 3, bureau_leader_workdays: 5, discipline_office_workdays: 7 }
    }
}

impl Ladder {
    /// Workdays of a step.
    #[must_use]
    pub const fn workdays(&self, step: Step) -> u16 {
        match step {
            Step::UnitManager => self.unit_manager_workdays,
            Step::BureauLeader => self.bureau_leader_workdays,
            Step::DisciplineOffice => self.discipline_office_workdays,
        }
    }

    /// Holds the settings against their limits: 1 to [`MAX_WORKDAYS`], each step not before the one below it.
    ///
    /// # Errors
    /// The first limit that does not hold.
    pub fn check(&self) -> Result<(), LimitError> {
        let mut least = 1;
        for step in Step::ALL {
            let days = u64::from(self.workdays(step));
            within("workdays of a step", days, least, u64::from(MAX_WORKDAYS))?;
            least = days;
        }
        Ok(())
    }

    /// The last local day on which an answer keeps `step` away: the n-th workday after the day of delivery. `None` when the
    /// calendar has too few workdays within [`MAX_DAYS_AHEAD`] days, or the instant lies outside all calendars.
    #[must_use]
    pub fn due(
        &self,
        step: Step,
        delivered_at: UtcMillis,
        zone: &TimeZone,
        is_workday: impl Fn(Date) -> bool,
    ) -> Option<Date> {
        let mut day = local_day(delivered_at, zone)?;
        let mut left = self.workdays(step);
        for _ in 0..MAX_DAYS_AHEAD {
            if left == 0 {
                return Some(day);
            }
            day = day.checked_add(1.day()).ok()?;
            left -= u16::from(is_workday(day));
        }
        None
    }

    /// The steps whose day has passed at `now`, in order, with that day. A step is taken after the end of the day, so an
    /// answer at 23:59 is in time.
    #[must_use]
    pub fn passed(
        &self,
        delivered_at: UtcMillis,
        now: UtcMillis,
        zone: &TimeZone,
        is_workday: impl Fn(Date) -> bool,
    ) -> Vec<(Step, Date)> {
        let Some(today) = local_day(now, zone) else { return Vec::new() };
        Step::ALL
            .into_iter()
            .filter_map(|step| Some((step, self.due(step, delivered_at, zone, &is_workday)?)))
            .filter(|(_, due)| *due < today)
            .collect()
    }
}

/// The steps of an open question that are due at `now` and were not taken yet, in order. A confidential check reminds nobody:
/// a reminder would tell of it.
#[must_use]
pub fn overdue(
    case: &Case,
    now: UtcMillis,
    zone: &TimeZone,
    is_workday: impl Fn(Date) -> bool,
) -> Vec<Event> {
    let Some(request) = case.open_request().filter(|_| case.confidential.is_none()) else {
        return Vec::new();
    };
    let passed = request.ladder.passed(request.delivered_at, now, zone, is_workday);
    let untaken = passed.into_iter().filter(|(step, _)| request.step < Some(*step));
    untaken.map(|(step, due)| Event::Escalated { step, due }).collect()
}

/// The local day of an instant.
fn local_day(at: UtcMillis, zone: &TimeZone) -> Option<Date> {
    Some(Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone.clone()).date())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::offset;

    use super::*;

    /// 2026 around Spring Festival, by the State Council's notice of 2025-11-04: free 02-15 to 02-23, worked on Saturdays
    /// 02-14 and 02-28.
    fn is_workday(day: Date) -> bool {
        let is_weekend = day.weekday().to_monday_one_offset() >= 6;
        if [date(2026, 2, 14), date(2026, 2, 28)].contains(&day) {
            return true;
        }
        !is_weekend && !(date(2026, 2, 15)..=date(2026, 2, 23)).contains(&day)
    }

    fn at(text: &str) -> UtcMillis {
        UtcMillis::from_rfc3339(text).unwrap()
    }

    fn beijing() -> TimeZone {
        TimeZone::fixed(offset(8))
    }

    #[test]
    fn the_days_run_around_spring_festival() {
        // Delivered on Thursday 02-12 at 17:00 local. Workdays after it: Fri 13, Sat 14 (made up), Tue 24, Wed 25, Thu 26, Fri 27,
        // Sat 28 (made up).
        let delivered = at("2026-02-12T09:00:00Z");
        let ladder = Ladder::default();
        let due = |step| ladder.due(step, delivered, &beijing(), is_workday);
        assert_eq!(due(Step::UnitManager), Some(date(2026, 2, 24)));
        assert_eq!(due(Step::BureauLeader), Some(date(2026, 2, 26)));
        assert_eq!(due(Step::DisciplineOffice), Some(date(2026, 2, 28)));
    }

    #[test]
    fn a_step_is_taken_when_its_local_day_is_over() {
        let delivered = at("2026-02-12T09:00:00Z");
        let passed = |now| Ladder::default().passed(delivered, at(now), &beijing(), is_workday);
        assert_eq!(passed("2026-02-24T15:59:59Z"), [], "23:59:59 of the last day");
        assert_eq!(passed("2026-02-24T16:00:00Z"), [(Step::UnitManager, date(2026, 2, 24))]);
        assert_eq!(passed("2026-03-05T00:00:00Z").len(), 3);
        assert_eq!(passed("2026-02-01T00:00:00Z"), [], "before the delivery");
    }

    #[test]
    fn the_local_day_of_delivery_counts_not_the_utc_day() {
        // 00:30 of Friday 13 in Beijing is still Thursday in UTC.
        let due =
            Ladder::default().due(Step::UnitManager, at("2026-02-12T16:30:00Z"), &beijing(), is_workday);
        assert_eq!(due, Some(date(2026, 2, 25)));
    }

    #[test]
    fn a_calendar_without_workdays_and_times_out_of_range_end() {
        let ladder = Ladder::default();
        assert_eq!(ladder.due(Step::UnitManager, at("2026-02-12T09:00:00Z"), &beijing(), |_| false), None);
        assert_eq!(ladder.due(Step::UnitManager, UtcMillis(i64::MAX), &beijing(), |_| true), None);
        assert_eq!(ladder.passed(UtcMillis(0), UtcMillis(i64::MIN), &beijing(), |_| true), []);
    }

    #[test]
    fn a_ladder_goes_up() {
        assert_eq!(Ladder::default().check(), Ok(()));
        assert!(Ladder { unit_manager_workdays: 0, ..Ladder::default() }.check().is_err());
        assert!(Ladder { bureau_leader_workdays: 2, ..Ladder::default() }.check().is_err());
        assert!(
            Ladder { discipline_office_workdays: MAX_WORKDAYS + 1, ..Ladder::default() }.check().is_err()
        );
    }
}
