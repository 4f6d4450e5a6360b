//! R05 非工作时间用车: out in the off-hours of a workday without an order.

use super::asking::{about_trip, excused, finish, missing_feeds, near_limit, trip_excuses};
use super::hours::{Hours, opening};
use crate::finding::{Finding, Measure, Rule};
use crate::judge::VehicleDay;
use crate::matching::Coverage;
use crate::register::Feed;

const NEEDS: [Feed; 2] = [Feed::Orders, Feed::Duties];

/// Silent when an order covers, also one that the trip overruns: that is R02.
pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let params = &day.settings.params.r05;
    let limit = i64::from(params.min_s).max(1);
    for matched in day.real_trips().filter(|matched| matched.matched.coverage == Coverage::None) {
        let trip = matched.trip;
        let off_s = Hours::of(day, trip.start, trip.end).off_hours_s;
        if off_s < limit {
            continue;
        }
        let (opens, closes) = opening(day, day.day);
        let draft = about_trip(Rule::R05, day, matched, params)
            .measure(Measure::against("off_hours_s", off_s, limit))
            .measure(Measure::of("distance_m", i64::from(trip.distance_m)))
            .word("opens", clock(opens))
            .word("closes", clock(closes));
        let draft = excused(draft, trip_excuses(day, matched));
        let draft = excused(draft, near_limit(off_s, limit));
        out.push(finish(draft, missing_feeds(day, &NEEDS, trip.start, trip.end)));
    }
}

fn clock(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::*;
    use crate::register::{Season, Versioned, WorkingHours};

    const DAY: &str = "2026-04-08";

    fn out(from: &str, to: &str) -> Scene {
        let mut scene = Scene::new();
        scene.drive(from, to, place(5_000.0, 0.0));
        scene
    }

    #[test]
    fn three_minutes_after_closing_count() {
        out("2026-04-08 19:50", "2026-04-08 20:02:59").clear(Rule::R05, DAY);
        let found = out("2026-04-08 19:50", "2026-04-08 20:03").flag(Rule::R05, DAY);
        assert_eq!(found.measures[0], Measure::against("off_hours_s", 180, 180));
        assert_eq!(found.words[0].1, "06:30");
    }

    #[test]
    fn half_past_six_in_the_evening_is_no_question_of_hours() {
        let scene = out("2026-04-08 18:30", "2026-04-08 18:50");
        scene.clear(Rule::R05, DAY);
        let _ = scene.flag(Rule::R01, DAY);
    }

    #[test]
    fn an_order_silences_it_even_when_overrun() {
        let mut scene = out("2026-04-08 19:00", "2026-04-08 21:30");
        scene.order("甲1", "2026-04-08 18:30", "2026-04-08 20:30", place(5_000.0, 0.0));
        scene.clear(Rule::R05, DAY);
    }

    #[test]
    fn hours_follow_the_season() {
        let mut scene = out("2026-04-08 19:00", "2026-04-08 19:30");
        scene.clear(Rule::R05, DAY);
        let season = Season { from: (4, 1), to: (9, 30), opens_min: 390, closes_min: 1_110 };
        let hours = WorkingHours { unit: Some(COUNTY), seasons: vec![season] };
        scene.register.working_hours.push(Versioned::first(1, at("2026-01-01 00:00"), hours));
        assert_eq!(scene.flag(Rule::R05, DAY).measure("off_hours_s"), Some(1_800));
    }

    #[test]
    fn a_rest_day_is_not_its_question_and_a_make_up_workday_is() {
        out("2026-04-12 22:00", "2026-04-12 22:30").clear(Rule::R05, "2026-04-12");
        let scene = out("2026-05-09 22:00", "2026-05-09 22:30");
        let scene = scene.until("2026-05-10 12:00");
        let _ = scene.flag(Rule::R05, "2026-05-09");
    }

    #[test]
    fn past_midnight_the_trip_belongs_to_the_day_it_began() {
        let scene = out("2026-04-08 23:30", "2026-04-09 00:30");
        assert_eq!(scene.flag(Rule::R05, DAY).measure("off_hours_s"), Some(3_600));
        scene.clear(Rule::R05, "2026-04-09");
    }

    #[test]
    fn without_the_feed_nothing_is_decided() {
        let mut scene = out("2026-04-08 22:00", "2026-04-08 22:30");
        scene.incomplete(Feed::Orders);
        let _ = scene.undecidable(Rule::R05, DAY);
    }
}
