//! R19 长期闲置: a car that is hardly used; a statistic.

use jiff::civil::Date;

use super::lookback::is_known_since;
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Missing, Nature, Rule};
use crate::judge::{Draft, LOOK_BACK_DAYS, VehicleDay};
use crate::trips::{GapPlace, Segment, TripKind};

/// Of a period no more than this may be unknown, milliseconds: trips may have been made in it.
const UNKNOWN_MAX_MS: i64 = 86_400_000;

/// Said on the day that completes the period without enough trips, and again after each further period. Which day that is depends on the trips within
/// [`LOOK_BACK_DAYS`] before it only, not on what was asked.
pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let params = &day.settings.params.r19;
    let period = i64::from(params.days).clamp(1, LOOK_BACK_DAYS);
    if day.history.known_to < day.to || params.trips == 0 {
        return;
    }
    let back = |days: i64| UtcMillis(day.to.0.saturating_sub(days.saturating_mul(86_400_000)));
    let is_recent = |start: UtcMillis| back(LOOK_BACK_DAYS) <= start && start < day.to;
    let starts: Vec<UtcMillis> = day
        .past
        .iter()
        .filter(|past| past.trip.kind == TripKind::Trip && is_recent(past.trip.start))
        .map(|past| past.trip.start)
        .collect();
    let enough = usize::try_from(params.trips).unwrap_or(usize::MAX);
    let last_in_use = starts.len().checked_sub(enough).and_then(|index| starts.get(index));
    let idle_days = match last_in_use {
        Some(start) => days_between(day.world.local(*start).0, day.day),
        // Not in use for longer than rules look back: count by the calendar, so that it is still said once in each period.
        None => days_between(Date::constant(1970, 1, 1), day.day),
    };
    if idle_days < period || idle_days % period != 0 {
        return;
    }
    let within = starts.iter().filter(|start| **start >= back(period)).count();
    let draft = Draft::new(Rule::R19, day, params)
        .nature(Nature::Statistic)
        .during(back(period), day.to)
        .measure(Measure::against(
            "trips",
            i64::try_from(within).unwrap_or(i64::MAX),
            i64::from(params.trips),
        ))
        .measure(Measure::of("days", period));
    let from = back(period);
    let is_known = is_known_since(day, from) && unknown_ms(day, from, day.to) <= UNKNOWN_MAX_MS;
    out.push(if is_known { draft } else { draft.undecidable(Missing::Fixes) }.finish());
}

fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

/// The time from `from` to `to` in which the car may have been driven unseen: what no trip and no stop covers, and silences in a stop that
/// may hide a drive. A terminal that fell asleep in a parked car hides none.
fn unknown_ms(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis) -> i64 {
    let within = |segment: &Segment| (segment.end().min(to).0 - segment.start().max(from).0).max(0);
    let known = day.history.segments.iter().map(|segment| match segment {
        Segment::Trip(_) | Segment::Stop(_) => within(segment),
        Segment::Gap(gap) if gap.place == GapPlace::InStop && gap.may_hide_a_drive() => -within(segment),
        Segment::Gap(_) => 0,
    });
    (to.0 - from.0).saturating_sub(known.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::*;

    #[test]
    fn it_is_said_once_in_each_period() {
        let mut scene = Scene::new();
        scene.drive("2026-04-01 09:00", "2026-04-01 09:30", place(5_000.0, 0.0));
        scene.drive("2026-04-01 10:00", "2026-04-01 10:30", DEPOT_AT);
        scene.drive("2026-04-10 10:00", "2026-04-10 10:30", place(5_000.0, 0.0));
        let days: Vec<_> = scene
            .judge("2026-04-01", "2026-04-30")
            .into_iter()
            .filter(|found| found.rule == Rule::R19)
            .map(|found| (found.day, found.measure("trips")))
            .collect();
        // The two trips in 14 days end with the second of 1 April: 2 to 15 April hold one trip.
        assert_eq!(days, [(date("2026-04-15"), Some(1)), (date("2026-04-29"), Some(0))]);
    }

    /// What R19 can't decide about the days of April.
    fn undecided(scene: &Scene, segments: &[Segment]) -> Vec<Date> {
        let history =
            crate::judge::VehicleHistory { vehicle: CAR, segments, points: &[], known_to: scene.known_to };
        let days = date("2026-04-01")..=date("2026-04-30");
        let found = crate::judge::judge_vehicle(&scene.world(), history, days);
        let open = found.iter().filter(|found| found.rule == Rule::R19 && found.missing == [Missing::Fixes]);
        open.map(|found| found.day).collect()
    }

    #[test]
    fn a_car_that_is_known_since_yesterday_can_not_be_called_idle() {
        let scene = Scene::new();
        let mut segments = scene.all_segments();
        assert_eq!(undecided(&scene, &segments), []);
        let Some(Segment::Stop(stop)) = segments.first_mut() else { panic!("it stands") };
        let idle = scene.judge("2026-04-01", "2026-04-30").into_iter().find(|found| found.rule == Rule::R19);
        let first = idle.unwrap().day;
        stop.start = UtcMillis(scene.world().instant(first, 0).0 - 86_400_000);
        assert_eq!(undecided(&scene, &segments)[0], first);
    }

    #[test]
    fn a_car_that_was_silent_for_most_of_the_time_can_not_be_called_idle() {
        let silent = |lies, ignition_before| {
            let mut scene = Scene::new();
            scene.drive("2026-03-31 09:00", "2026-03-31 09:30", place(5_000.0, 0.0));
            scene.drive("2026-03-31 10:00", "2026-03-31 10:30", DEPOT_AT);
            let mut gap = scene.silent_until("2026-04-28 12:00", DEPOT_AT, 0).clone();
            scene.segments.pop();
            (gap.place, gap.ignition_before, gap.odometer_m) = (lies, Some(ignition_before), None);
            let mut segments = scene.all_segments();
            if lies == GapPlace::InStop
                && let Some(Segment::Stop(stop)) = segments.last_mut()
            {
                stop.start = gap.start;
            }
            segments.push(Segment::Gap(gap));
            segments.sort_by_key(|segment| (segment.start(), segment.end()));
            undecided(&scene, &segments)
        };
        let days = [date("2026-04-14"), date("2026-04-28")];
        assert_eq!(silent(GapPlace::BetweenTrips, true), days);
        assert_eq!(silent(GapPlace::InStop, true), days);
        assert_eq!(silent(GapPlace::InStop, false), [], "a terminal that sleeps in a parked car");
    }

    #[test]
    fn a_car_that_was_never_heard_of_can_not_be_called_idle() {
        let scene = Scene::new();
        let history = crate::judge::VehicleHistory {
            vehicle: CAR,
            segments: &[],
            points: &[],
            known_to: scene.known_to,
        };
        let days = date("2026-04-01")..=date("2026-04-28");
        let found = crate::judge::judge_vehicle(&scene.world(), history, days);
        let idle: Vec<_> = found.iter().filter(|found| found.rule == Rule::R19).collect();
        assert_eq!(idle.len(), 2);
        assert!(idle.iter().all(|found| found.missing == [Missing::Fixes]));
    }
}
