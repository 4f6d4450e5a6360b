//! R01 无单出车: a trip that no order covers, and one whose paper came after the departure (补单待核).

use jiff::civil::Date;

use super::asking::{excused, finish, missing_feeds, near_limit, trip_excuses};
use super::hours::Hours;
use super::places::leisure_stop_after;
use crate::finding::{Finding, Measure, Nature, Rule};
use crate::judge::{Draft, Matched, VehicleDay};
use crate::matching::Coverage;
use crate::register::Feed;
use crate::trips::{Trip, TripKind};

const NEEDS: [Feed; 2] = [Feed::Orders, Feed::Duties];

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    for matched in day.real_trips().filter(|matched| is_long_enough(day, matched.trip)) {
        match (&matched.matched.coverage, matched.matched.recorded_late_s) {
            (Coverage::None, _) => out.push(uncovered(day, matched)),
            (_, Some(late_s)) => out.push(late_paper(day, matched, late_s)),
            _ => {}
        }
    }
}

fn is_long_enough(day: &VehicleDay<'_>, trip: &Trip) -> bool {
    let params = &day.settings.params.r01;
    trip.distance_m >= params.min_distance_m && lasts_s(trip) >= i64::from(params.min_duration_s)
}

const fn lasts_s(trip: &Trip) -> i64 {
    (trip.end.0 - trip.start.0).div_euclid(1_000)
}

fn uncovered(day: &VehicleDay<'_>, matched: &Matched<'_>) -> Finding {
    let params = &day.settings.params.r01;
    let trip = matched.trip;
    let (distance, limit) = (i64::from(trip.distance_m), i64::from(params.min_distance_m));
    let signs = second_signs(day, matched);
    let repeated = days_without_order(day, matched);
    let mut draft = Draft::new(Rule::R01, day, params)
        .trip(day, matched)
        .measure(Measure::against("distance_m", distance, limit))
        .measure(Measure::against("duration_s", lasts_s(trip), i64::from(params.min_duration_s)))
        .measure(Measure::against("days_without_order", repeated, i64::from(params.repeat)))
        .red_if(!signs.is_empty() || repeated >= i64::from(params.repeat.max(1)));
    for sign in signs {
        draft = draft.word("second_sign", sign);
    }
    let draft = excused(draft, trip_excuses(day, matched));
    let draft = excused(draft, near_limit(distance, limit));
    finish(draft, missing_feeds(day, &NEEDS, trip.start, trip.end))
}

/// What makes an uncovered trip more than missing paper.
fn second_signs(day: &VehicleDay<'_>, matched: &Matched<'_>) -> Vec<&'static str> {
    let trip = matched.trip;
    let hours = Hours::of(day, trip.start, trip.end);
    let off_hours_s = i64::from(day.settings.params.r05.min_s).max(1);
    let signs = [
        (hours.off_hours_s >= off_hours_s, "off_hours"),
        (hours.rest_s > 0, "rest_day"),
        (day.world.seal(day.id(), trip.start).is_some(), "sealed"),
        (leisure_stop_after(day, trip).is_some(), "leisure_stop"),
    ];
    signs.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect()
}

/// On how many days, this one included, the car was out without an order within the days that count.
fn days_without_order(day: &VehicleDay<'_>, matched: &Matched<'_>) -> i64 {
    let params = &day.settings.params.r01;
    let back = i64::from(params.repeat_days).min(crate::judge::LOOK_BACK_DAYS);
    let first = matched.trip.start.0.saturating_sub(back.saturating_mul(86_400_000));
    let is_uncovered = |past: &&Matched<'_>| {
        let trip = past.trip;
        first <= trip.start.0
            && trip.start <= matched.trip.start
            && trip.kind == TripKind::Trip
            && past.matched.coverage == Coverage::None
            && is_long_enough(day, trip)
            && missing_feeds(day, &NEEDS, trip.start, trip.end).is_empty()
            && day.duty(trip.start, trip.end).is_none()
            && day.emergency(trip.start, trip.end, Some(trip.end_at)).is_none()
    };
    let mut days: Vec<Date> =
        day.past.iter().filter(is_uncovered).map(|past| day.world.local(past.trip.start).0).collect();
    days.sort_unstable();
    days.dedup();
    i64::try_from(days.len()).unwrap_or(i64::MAX)
}

/// Paper that came after the departure never clears a trip: somebody looks at it.
fn late_paper(day: &VehicleDay<'_>, matched: &Matched<'_>, late_s: i64) -> Finding {
    let params = &day.settings.params.r01;
    let draft = Draft::new(Rule::R01, day, params)
        .aspect("late_paper")
        .nature(Nature::Paperwork)
        .trip(day, matched)
        .measure(Measure::against("recorded_late_s", late_s, 0))
        .measure(Measure::of("distance_m", i64::from(matched.trip.distance_m)));
    let draft = match matched.order {
        Some(order) => draft.word("order_no", order.row.no.clone()),
        None => draft,
    };
    excused(draft, trip_excuses(day, matched)).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Colour, Excuse, Missing, WhyNot};
    use crate::judge::testing::*;
    use crate::register::{Duty, OrderState, Seal, SealKind, SensitiveKind, Span, Versioned, ZoneKind};

    const DAY: &str = "2026-04-08";

    /// A run of 5 km in the morning of a workday.
    fn errand() -> Scene {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 09:00", "2026-04-08 09:15", place(5_000.0, 0.0));
        scene
    }

    #[test]
    fn a_trip_without_an_order_is_asked_about_in_yellow() {
        let found = errand().flag(Rule::R01, DAY);
        assert_eq!((found.colour, found.nature), (Colour::Yellow, Nature::Conduct));
        assert_eq!(found.measures[0], Measure::against("distance_m", 5_000, 1_000));
        assert_eq!(found.trips, vec![at("2026-04-08 09:00")]);
    }

    #[test]
    fn an_order_clears_it_and_a_cancelled_one_is_shown() {
        let mut scene = errand();
        scene.order("甲1", "2026-04-08 08:50", "2026-04-08 11:00", place(5_000.0, 0.0));
        scene.clear(Rule::R01, DAY);
        scene.register.orders[0].row.state = OrderState::Cancelled;
        let found = scene.flag(Rule::R01, DAY);
        assert_eq!(found.orders[0].why_not, vec![WhyNot::Cancelled]);
    }

    #[test]
    fn a_short_run_within_the_grace_is_on_the_order_even_when_the_car_came_back_before_it() {
        let leaving = |planned: &str| {
            let mut scene = Scene::new();
            scene.order("甲1", planned, "2026-04-08 11:00", place(5_000.0, 0.0));
            scene.drive_along("2026-04-08 09:00", "2026-04-08 09:08", &[place(1_000.0, 0.0), DEPOT_AT]);
            scene.drive("2026-04-08 09:25", "2026-04-08 09:40", place(5_000.0, 0.0));
            scene
        };
        leaving("2026-04-08 09:15").clear(Rule::R01, DAY);
        let found = leaving("2026-04-08 09:16").flag(Rule::R01, DAY);
        assert_eq!(found.trips, vec![at("2026-04-08 09:00")]);
    }

    #[test]
    fn without_the_feed_nothing_is_decided() {
        for feed in [Feed::Orders, Feed::Duties] {
            let mut scene = errand();
            scene.incomplete(feed);
            assert_eq!(scene.undecidable(Rule::R01, DAY).missing, vec![Missing::Feed { feed }]);
        }
        let mut still = Scene::new();
        still.incomplete(Feed::Orders);
        still.clear(Rule::R01, DAY);
    }

    #[test]
    fn short_trips_do_not_count_and_the_limit_does() {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 09:00", "2026-04-08 09:03", place(5_000.0, 0.0)).distance_m = 1_000;
        assert_eq!(scene.flag(Rule::R01, DAY).excuses, vec![Excuse::NearLimit]);
        let mut scene = Scene::new();
        scene.drive("2026-04-08 09:00", "2026-04-08 09:03", place(5_000.0, 0.0)).distance_m = 999;
        scene.clear(Rule::R01, DAY);
        let mut scene = Scene::new();
        scene.drive("2026-04-08 09:00", "2026-04-08 09:02:59", place(5_000.0, 0.0));
        scene.clear(Rule::R01, DAY);
    }

    #[test]
    fn late_paper_is_yellow_and_never_clears() {
        let mut scene = errand();
        let order = scene.order("甲1", "2026-04-08 08:50", "2026-04-08 11:00", place(5_000.0, 0.0));
        order.recorded_at = at("2026-04-08 09:30");
        let found = scene.flag(Rule::R01, DAY);
        assert_eq!(
            (found.aspect.as_ref(), found.colour, found.nature),
            ("late_paper", Colour::Yellow, Nature::Paperwork)
        );
        assert_eq!(found.measure("recorded_late_s"), Some(1_800));
        // An emergency order has a day for its paper.
        scene.register.orders[0].row.is_emergency = true;
        scene.clear(Rule::R01, DAY);
        scene.register.orders[0].recorded_at = at("2026-04-09 09:00:01");
        assert_eq!(scene.flag(Rule::R01, DAY).measure("recorded_late_s"), Some(86_401));
    }

    #[test]
    fn a_second_sign_makes_it_red() {
        let word = |scene: &Scene, day: &str| {
            let found = scene.flag(Rule::R01, day);
            assert_eq!(found.colour, Colour::Red, "{found:?}");
            found.words.into_iter().map(|(_, word)| word).collect::<Vec<_>>()
        };
        let mut night = Scene::new();
        night.drive("2026-04-08 21:00", "2026-04-08 21:15", place(5_000.0, 0.0));
        assert_eq!(word(&night, DAY), ["off_hours"]);
        let mut sunday = Scene::new();
        sunday.drive("2026-04-12 10:00", "2026-04-12 10:15", place(5_000.0, 0.0));
        assert_eq!(word(&sunday, "2026-04-12"), ["rest_day"]);
        let mut sealed = errand();
        let seal = Seal { vehicle: CAR, kind: SealKind::Sealed, ..Seal::default() };
        sealed.register.seals.push(Versioned::first(1, at("2026-04-01 00:00"), seal));
        assert_eq!(word(&sealed, DAY), ["sealed"]);
        let mut leisure = errand();
        leisure.drive("2026-04-08 09:45", "2026-04-08 10:00", DEPOT_AT);
        let _ = leisure.zone("某茶楼", ZoneKind::Sensitive(SensitiveKind::TeaHouse), place(5_000.0, 0.0), 30);
        assert_eq!(leisure.found(Rule::R01, DAY)[0].colour, Colour::Red);
    }

    #[test]
    fn the_third_day_within_thirty_is_red() {
        let mut scene = Scene::new();
        for day in ["2026-04-08", "2026-04-13", "2026-04-20"] {
            scene.drive(&format!("{day} 09:00"), &format!("{day} 09:15"), place(5_000.0, 0.0));
            scene.drive(&format!("{day} 10:00"), &format!("{day} 10:15"), DEPOT_AT);
        }
        let colours: Vec<_> = scene
            .judge("2026-04-01", "2026-04-30")
            .into_iter()
            .filter(|found| found.rule == Rule::R01)
            .map(|found| found.colour)
            .collect();
        assert_eq!(
            colours,
            [Colour::Yellow, Colour::Yellow, Colour::Yellow, Colour::Yellow, Colour::Red, Colour::Red]
        );
    }

    #[test]
    fn on_duty_it_is_paper_that_is_due() {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 22:00", "2026-04-08 22:15", place(5_000.0, 0.0));
        let duty = Duty { unit: BUREAU, what: "防汛值班".to_owned(), ..Duty::default() };
        let span = Span::new(at("2026-04-08 20:00"), at("2026-04-09 08:00"));
        scene.register.duties.push(Versioned::first(1, at("2026-04-01 00:00"), duty).during(span));
        let found = scene.flag(Rule::R01, DAY);
        assert_eq!((found.colour, found.nature), (Colour::Yellow, Nature::Paperwork));
        assert_eq!(found.measure("paper_due_utc_s"), Some(at("2026-04-10 08:00").0 / 1_000));
        assert_eq!(found.excuses, vec![Excuse::OnDuty { what: "防汛值班".to_owned() }]);
    }
}
