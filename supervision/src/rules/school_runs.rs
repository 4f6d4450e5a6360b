//! R26 接送子女: short stops at a school, when school begins or ends, on several school days.
//!
//! School days are workdays outside July and August and outside 25 January to 20 February, which lies in every winter holiday; terms differ by
//! province and school, and a day too many only counts when a car was there. Setting somebody down takes a minute, less than any
//! stop that the trips know, so standing is read from the fixes.

use jiff::civil::Date;

use super::R26;
use super::asking::{excused, finish, missing_feeds};
use super::lookback::last_days;
use super::whereabouts::{is_home, metres, seconds, target};
use crate::UtcMillis;
use crate::calendar::DayInfo;
use crate::finding::{Excuse, Finding, Measure, Rule};
use crate::ids::ZoneId;
use crate::judge::{Draft, VehicleDay};
use crate::point::{Point, Position};
use crate::register::{Feed, SensitiveKind, ZoneKind};

/// A car stands up to this speed, 0.1 km/h.
const STANDS_DKMH: u16 = 50;
/// Without a speed: while it stays within this, metres.
const STANDS_M: f64 = 50.0;
/// Standing that goes on after a silence of more than this is another standing, seconds.
const SILENCE_S: i64 = 300;
/// An order's destination within this of the school explains the stop, metres.
const NAMED_M: f64 = 500.0;

/// A short stop at a school.
#[derive(Clone, Copy, Debug)]
struct Visit {
    school: ZoneId,
    at: Position,
    from: UtcMillis,
    to: UtcMillis,
}

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    if !is_school_day(day.day, &day.info) {
        return;
    }
    let params = &day.settings.params.r26;
    let today = visits(day, day.day, params);
    let Some(first) = today.first() else { return };
    let days = last_days(day, params.school_days, is_school_day);
    let earlier = days.iter().filter(|date| **date != day.day);
    let same =
        |date: &Date| visits(day, *date, params).into_iter().find(|visit| visit.school == first.school);
    let visits: Vec<_> = std::iter::once(*first).chain(earlier.filter_map(same)).collect();
    let count = i64::try_from(visits.len()).unwrap_or(i64::MAX);
    if count >= i64::from(params.times) {
        findings.push(finding(day, params, &visits, count));
    }
}

/// Whether children go to school on a day; see the module's head.
fn is_school_day(date: Date, info: &DayInfo) -> bool {
    let is_holiday = match (date.month(), date.day()) {
        (7 | 8, _) => true,
        (1, day) => day >= 25,
        (2, day) => day <= 20,
        _ => false,
    };
    !is_holiday && !info.kind.is_rest_day()
}

/// Short stops at schools within school hours of `date` that no order explains, in order of time.
fn visits(day: &VehicleDay<'_>, date: Date, params: &R26) -> Vec<Visit> {
    let hours =
        [(params.morning_from_min, params.morning_to_min), (params.evening_from_min, params.evening_to_min)];
    let length = i64::from(params.stop_s)..=i64::from(params.stop_max_s);
    let mut visits = Vec::new();
    for (from, to) in hours {
        let (from, to) = (day.world.instant(date, from), day.world.instant(date, to));
        for (start, end, at) in standings(day, from, to, params.stop_max_s) {
            let begins_in_hours = from <= start && start <= to;
            if !begins_in_hours || !length.contains(&seconds(start, end)) {
                continue;
            }
            let school = school_near(day, at, start, f64::from(params.near_m));
            visits.extend(school.map(|school| Visit { school, at, from: start, to: end }));
        }
    }
    visits.retain(|visit| !is_explained(day, visit));
    visits
}

/// Times in which the car stood that touch `from` to `to`: from when to when, and where.
fn standings(
    day: &VehicleDay<'_>,
    from: UtcMillis,
    to: UtcMillis,
    longest_s: u32,
) -> Vec<(UtcMillis, UtcMillis, Position)> {
    // One that began just before the hours, or runs far beyond them, must be seen whole to be told from a short one.
    let around = (i64::from(longest_s) + SILENCE_S) * 1_000;
    let points = day.points(UtcMillis(from.0 - around), UtcMillis(to.0 + around));
    let mut standings: Vec<_> = halts(points)
        // Fixes within a stop are that stop.
        .filter(|(start, end, _)| day.stops(*start, *end).next().is_none())
        .chain(day.stops(from, to).map(|stop| (stop.start, stop.end, stop.at)))
        .collect();
    standings.sort_unstable();
    standings
}

/// Times in which fixes stand in one place.
fn halts(points: &[Point]) -> impl Iterator<Item = (UtcMillis, UtcMillis, Position)> {
    let mut halts = Vec::new();
    let mut halt: Option<(UtcMillis, UtcMillis, Position)> = None;
    for point in points.iter().filter(|point| point.is_usable()) {
        let goes_on = |(_, last, at): &(UtcMillis, UtcMillis, Position)| {
            seconds(*last, point.time) <= SILENCE_S && at.is_within(point.at, STANDS_M)
        };
        let last = halt.take();
        halt = match (stands(point), last) {
            (true, Some(last)) if goes_on(&last) => Some((last.0, point.time, last.2)),
            (stands, last) => {
                halts.extend(last);
                stands.then_some((point.time, point.time, point.at))
            }
        };
    }
    halts.extend(halt);
    halts.into_iter().filter(|(start, end, _)| start < end)
}

fn stands(point: &Point) -> bool {
    point.speed_dkmh.is_none_or(|speed| speed <= STANDS_DKMH)
}

/// The nearest school within `near_m`, unless the place is also a depot of the car's units.
fn school_near(day: &VehicleDay<'_>, at: Position, time: UtcMillis, near_m: f64) -> Option<ZoneId> {
    let school = ZoneKind::Sensitive(SensitiveKind::School);
    let near = day.world.zones().near(at, near_m, time);
    let is_school = |id: &ZoneId| {
        let zone = day.world.zones().zone_at(*id, time);
        zone.is_some_and(|zone| zone.kind() == school && zone.is_held_by(&day.units))
    };
    let found = near.iter().map(|(id, _)| *id).find(is_school)?;
    (!is_home(day, at, time, 0.0)).then_some(found)
}

/// Whether an order that was there in time names a place at the school.
fn is_explained(day: &VehicleDay<'_>, visit: &Visit) -> bool {
    let runs = |matched: &&crate::judge::Matched<'_>| {
        matched.trip.start <= visit.to && visit.from <= matched.trip.end
    };
    let orders = day.past.iter().filter(runs).filter(|matched| matched.matched.recorded_late_s.is_none());
    orders.filter_map(|matched| matched.order).any(|order| {
        order.row.destinations.iter().chain(&order.row.via).any(|place| {
            let place = target(day, place, visit.from).ok();
            place
                .and_then(|place| place.distance_m(day.world.zones(), visit.at))
                .is_some_and(|m| m <= NAMED_M)
        })
    })
}

fn finding(day: &VehicleDay<'_>, params: &R26, visits: &[Visit], count: i64) -> Finding {
    let today = visits.first().copied();
    let (from, to) = today.map_or((day.from, day.to), |visit| (visit.from, visit.to));
    let since = visits.iter().map(|visit| visit.from).min().unwrap_or(from);
    let mut draft = Draft::new(Rule::R26, day, params)
        .during(from, to)
        .measure(Measure::against("school_days", count, i64::from(params.times)))
        .measure(Measure::against("stop_s", seconds(from, to), i64::from(params.stop_s)))
        .with(|finding| finding.excuses.extend(day.excuses(from, to, today.map(|visit| visit.at))));
    if let Some(visit) = today {
        let zones = day.world.zones();
        let school = zones.zone_at(visit.school, visit.from);
        let near_m = school.map_or(0, |zone| metres(zone.distance_m(visit.at)));
        let name = school.map(|zone| zone.name().to_owned()).unwrap_or_default();
        draft = draft.at(visit.at).zone(day, visit.school).word("school", name).measure(Measure::against(
            "distance_m",
            near_m,
            i64::from(params.near_m),
        ));
    }
    let runs = day.trips.iter().filter(|matched| matched.trip.start <= to && from <= matched.trip.end);
    for matched in runs {
        draft = draft.with(|finding| {
            finding.trips.push(matched.trip.start);
            finding.orders.extend(matched.matched.considered.iter().cloned());
        });
        draft = excused(draft, matched.order.map(|order| Excuse::OrderNear { no: order.row.no.clone() }));
    }
    // An order that is not known yet may name the school.
    let missing = missing_feeds(day, &[Feed::SensitivePlaces, Feed::Orders], since, to);
    finish(draft.red_if(count >= 2 * i64::from(params.times)), missing)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::is_school_day;
    use crate::UtcMillis;
    use crate::finding::{Colour, Finding, Missing, Rule};
    use crate::judge::testing::{DEPOT_AT, Scene, at, place};
    use crate::point::Point;
    use crate::register::{Feed, SensitiveKind, ZoneKind};
    use crate::trips::Segment;

    const DAYS: [&str; 6] =
        ["2026-04-08", "2026-04-09", "2026-04-10", "2026-04-13", "2026-04-14", "2026-04-15"];

    /// On each day the car stands at the school, 3 km from its depot, for `stop_s` seconds, with a fix every 10 s.
    fn scene(days: &[&str], clock: &str, stop_s: i64) -> Scene {
        let mut scene = Scene::new();
        scene.zone("实验小学", ZoneKind::Sensitive(SensitiveKind::School), place(3_000.0, 0.0), 50);
        for day in days {
            let arrives = at(&format!("{day} {clock}"));
            for n in 0..=stop_s / 10 {
                let time = UtcMillis(arrives.0 + n * 10_000);
                scene.points.push(Point { speed_dkmh: Some(0), ..Point::new(time, place(3_000.0, 60.0)) });
            }
        }
        scene
    }

    /// What is found when the trips know of no stop at all: one long drive, of which only the fixes of `scene` are there.
    fn found(scene: &Scene, day: &str) -> Vec<Finding> {
        let (from, to) = ("2026-03-01 00:00", "2026-04-30 00:00");
        let mut driven = scene.clone();
        driven.drive(from, to, DEPOT_AT);
        driven.segments.retain(|segment| matches!(segment, Segment::Trip(_)));
        driven.points.clone_from(&scene.points);
        driven.known_to = at(to);
        driven.found(Rule::R26, day)
    }

    #[test]
    fn the_third_school_day_asks_and_the_sixth_is_red() {
        let scene = scene(&DAYS, "07:40:00", 90);
        let colours = DAYS.map(|day| found(&scene, day).first().map(|finding| finding.colour));
        let yellow = Some(Colour::Yellow);
        assert_eq!(colours, [None, None, yellow, yellow, yellow, Some(Colour::Red)]);
    }

    #[test]
    fn stops_count_from_a_minute_to_half_an_hour_in_school_hours() {
        let cases = [
            ("07:40:00", 50, 0),
            ("07:40:00", 60, 1),
            ("07:40:00", 1_800, 1),
            ("07:40:00", 1_810, 0),
            ("16:30:00", 120, 1),
            ("11:00:00", 120, 0),
            ("06:29:50", 120, 0),
        ];
        for (clock, stop_s, flags) in cases {
            let scene = scene(&DAYS[..3], clock, stop_s);
            assert_eq!(found(&scene, DAYS[2]).len(), flags, "{clock} {stop_s}");
        }
    }

    #[test]
    fn a_stop_that_the_trips_know_counts_too() {
        let mut scene = Scene::new();
        scene.zone("实验小学", ZoneKind::Sensitive(SensitiveKind::School), place(3_000.0, 0.0), 50);
        for day in &DAYS[..3] {
            scene.drive(&format!("{day} 07:30"), &format!("{day} 07:40"), place(3_000.0, 60.0));
            scene.drive(&format!("{day} 07:46"), &format!("{day} 07:56"), DEPOT_AT);
        }
        assert_eq!(scene.flag(Rule::R26, DAYS[2]).measure("stop_s"), Some(360));
        // An order that names the school explains it.
        for day in &DAYS[..1] {
            scene.order("1", &format!("{day} 07:00"), &format!("{day} 09:00"), place(3_000.0, 0.0));
        }
        scene.clear(Rule::R26, DAYS[2]);
    }

    #[test]
    fn places_and_orders_that_are_not_complete_make_it_undecidable() {
        for feed in [Feed::SensitivePlaces, Feed::Orders] {
            let mut scene = scene(&DAYS[..3], "07:40:00", 90);
            scene.incomplete(feed);
            let found = found(&scene, DAYS[2]);
            assert_eq!(found[0].missing, [Missing::Feed { feed }]);
        }
    }

    #[test]
    fn school_days() {
        let world = Scene::new().world();
        let cases = [
            (date(2026, 4, 7), true),
            (date(2026, 4, 11), false),
            (date(2026, 4, 6), false),
            (date(2026, 6, 30), true),
            (date(2026, 7, 1), false),
            (date(2026, 8, 31), false),
            (date(2026, 9, 1), true),
            (date(2026, 1, 23), true),
            (date(2026, 1, 26), false),
            (date(2025, 2, 20), false),
            (date(2025, 2, 21), true),
        ];
        for (day, expected) in cases {
            assert_eq!(is_school_day(day, &world.day(&[], day)), expected, "{day}");
        }
    }
}
