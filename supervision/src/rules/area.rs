//! R03 超范围用车: outside the area in which the car may be used, or inside one in which it may not.

use super::asking::{about_trip, excused, finish, is_nobody_on_call, missing_feeds, near_limit};
use super::goals::goals;
use super::whole;
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Missing, Rule};
use crate::ids::ZoneId;
use crate::judge::{Draft, Matched, VehicleDay};
use crate::matching::Coverage;
use crate::point::{Point, Position};
use crate::register::{Feed, ZoneKind};
use crate::zones::ZoneRow;

/// A silence longer than this between two fixes outside ends the time outside, milliseconds.
const SILENCE_MS: i64 = 1_800_000;
/// The time that counts as outside is looked for in this many steps.
const STEPS: i64 = 3;

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    if day.real_trips().next().is_none() {
        return;
    }
    let home = service_areas(day);
    let forbidden: Vec<&ZoneRow> = held(day, ZoneKind::Forbidden).collect();
    for matched in day.real_trips() {
        let own = matched
            .order
            .and_then(|order| order.row.area)
            .and_then(|area| day.world.zones().zone_at(area, matched.trip.start));
        match own {
            Some(area) => out.extend(outside(day, matched, &[area])),
            None => out.extend(outside(day, matched, &home)),
        }
        out.extend(forbidden.iter().filter_map(|zone| inside_forbidden(day, matched, zone)));
    }
    let has_own = |matched: &&Matched<'_>| matched.order.is_none_or(|order| order.row.area.is_none());
    if home.is_empty() && day.real_trips().any(|matched| has_own(&matched)) {
        let missing = missing_feeds(day, &[Feed::Areas], day.from, day.to);
        if !missing.is_empty() {
            out.push(finish(Draft::new(Rule::R03, day, &day.settings.params.r03), missing));
        }
    }
}

/// The zones of a kind that the unit path or everybody has on the day.
fn held<'a>(day: &'a VehicleDay<'_>, kind: ZoneKind) -> impl Iterator<Item = &'a ZoneRow> {
    day.world.zones().held_by(&day.units, day.from, move |other| other == kind)
}

/// The service areas of the nearest unit that has some, else those of everybody.
fn service_areas<'a>(day: &'a VehicleDay<'_>) -> Vec<&'a ZoneRow> {
    let level = |zone: &ZoneRow| match zone.row.row.unit {
        None => usize::MAX,
        Some(unit) => day.units.iter().position(|other| *other == unit).unwrap_or(usize::MAX),
    };
    let nearest = held(day, ZoneKind::ServiceArea).map(level).min();
    held(day, ZoneKind::ServiceArea).filter(|zone| Some(level(zone)) == nearest).collect()
}

/// The longest time in a row that some condition held.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: UtcMillis,
    to: UtcMillis,
    /// The greatest value of the condition and where it was.
    most_m: f64,
    at: Position,
}

impl Run {
    const fn lasts_s(&self) -> i64 {
        (self.to.0 - self.from.0).div_euclid(1_000)
    }
}

/// The longest run of usable points for which `beyond_m` says how far, if it is longer than `longer_s`.
///
/// A run that long holds a fix in every third of that time, so first only such fixes are asked.
fn longest_run(points: &[Point], longer_s: i64, beyond_m: impl Fn(Position) -> Option<f64>) -> Option<Run> {
    let step_ms = (longer_s * 1_000 / STEPS).max(0);
    let mut next = i64::MIN;
    let is_met = |point: &&Point| {
        let is_due = point.is_usable() && point.time.0 >= next;
        if is_due {
            next = point.time.0.saturating_add(step_ms);
        }
        is_due && beyond_m(point.at).is_some()
    };
    points.iter().find(is_met)?;
    let mut longest: Option<Run> = None;
    let mut run: Option<Run> = None;
    for point in points.iter().filter(|point| point.is_usable()) {
        run = beyond_m(point.at).map(|metres| match run {
            Some(run) if point.time.0 - run.to.0 <= SILENCE_MS => Run {
                to: point.time,
                most_m: run.most_m.max(metres),
                at: if metres > run.most_m { point.at } else { run.at },
                ..run
            },
            _ => Run { from: point.time, to: point.time, most_m: metres, at: point.at },
        });
        if let Some(run) = run
            && run.lasts_s() > longest.map_or(longer_s, |longest| longest.lasts_s())
        {
            longest = Some(run);
        }
    }
    longest
}

fn outside(day: &VehicleDay<'_>, matched: &Matched<'_>, areas: &[&ZoneRow]) -> Option<Finding> {
    if areas.is_empty() {
        return None;
    }
    let params = &day.settings.params.r03;
    let limit_m = f64::from(params.outside_m);
    let beyond = |at: Position| {
        if areas.iter().any(|area| area.contains(at)) {
            return None;
        }
        let metres = areas.iter().map(|area| area.distance_m(at)).fold(f64::INFINITY, f64::min);
        (metres > limit_m).then_some(metres)
    };
    let trip = matched.trip;
    let run = longest_run(day.points(trip.start, trip.end), i64::from(params.outside_s), beyond)?;
    let missing = match sent_outside(day, matched, &beyond) {
        Sent::Outside => return None,
        Sent::Inside => Vec::new(),
        Sent::Unknown(missing) => missing,
    };
    let draft = areas
        .iter()
        .fold(about_trip(Rule::R03, day, matched, params), |draft, area| draft.zone(day, area.id()));
    let draft = measured(draft, &run, params.outside_s).aspect("outside_area").measure(Measure::against(
        "furthest_m",
        whole(run.most_m),
        i64::from(params.outside_m),
    ));
    Some(finish(draft, missing))
}

fn measured(draft: Draft, run: &Run, limit_s: u32) -> Draft {
    let draft = draft.during(run.from, run.to).at(run.at).measure(Measure::against(
        "outside_s",
        run.lasts_s(),
        i64::from(limit_s),
    ));
    excused(draft, near_limit(run.lasts_s(), i64::from(limit_s)))
}

/// Whether the order sends the car out of the area.
enum Sent {
    Outside,
    Inside,
    Unknown(Vec<Missing>),
}

fn sent_outside(
    day: &VehicleDay<'_>,
    matched: &Matched<'_>,
    beyond: &impl Fn(Position) -> Option<f64>,
) -> Sent {
    let Some(order) = matched.order else {
        let missing = missing_feeds(day, &[Feed::Orders], matched.trip.start, matched.trip.end);
        return if missing.is_empty() { Sent::Inside } else { Sent::Unknown(missing) };
    };
    let row = &order.row;
    let mut missing = Vec::new();
    for goal in goals(day, row, &row.destinations).into_iter().chain(goals(day, row, &row.via)) {
        match goal {
            // Without a position of its own the place is outside when the car came near it while outside.
            Ok(goal) => {
                let reached_m = f64::from(day.settings.params.r04.reached_m);
                let points = day.points(matched.trip.start, matched.trip.end);
                let is_at = |at: Position| goal.distance_m(day, at).is_some_and(|metres| metres <= reached_m);
                let mut outside =
                    points.iter().filter(|point| point.is_usable() && beyond(point.at).is_some());
                if outside.any(|point| is_at(point.at)) {
                    return Sent::Outside;
                }
            }
            Err(lacking) => missing.push(lacking),
        }
    }
    if missing.is_empty() { Sent::Inside } else { Sent::Unknown(missing) }
}

fn inside_forbidden(day: &VehicleDay<'_>, matched: &Matched<'_>, zone: &ZoneRow) -> Option<Finding> {
    let params = &day.settings.params.r03;
    let trip = matched.trip;
    let inside = |at: Position| zone.contains(at).then_some(0.0);
    let run = longest_run(day.points(trip.start, trip.end), i64::from(params.outside_s), inside)?;
    let is_sent = matched.order.is_some_and(|order| is_destination(day, order, zone.id()));
    if is_sent {
        return None;
    }
    let draft = about_trip(Rule::R03, day, matched, params)
        .aspect("forbidden")
        .zone(day, zone.id())
        .word("place", zone.name())
        .red_if(
            matched.matched.coverage == Coverage::None
                && is_nobody_on_call(day, trip.start, trip.end, Some(run.at)),
        );
    Some(measured(draft, &run, params.outside_s).finish())
}

fn is_destination(
    day: &VehicleDay<'_>,
    order: &crate::register::Versioned<crate::register::Order>,
    zone: ZoneId,
) -> bool {
    let goals = goals(day, &order.row, &order.row.destinations);
    goals.into_iter().flatten().any(|goal| goal.zone() == Some(zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Colour;
    use crate::judge::testing::*;
    use crate::register::PlaceText;

    const DAY: &str = "2026-04-08";

    /// East at 20 m/s: the border of the area is at 30,000 m.
    fn out_to(metres: f64) -> Scene {
        let mut scene = Scene::new();
        scene.drive_along("2026-04-08 09:00", "2026-04-08 10:00", &[place(metres, 0.0), DEPOT_AT]);
        scene
    }

    #[test]
    fn far_and_long_outside_is_a_flag() {
        // 20 m/s: 1,800 s out and back to 36,000 m; beyond 30,500 m for 5,500 m twice, 550 s.
        let found = out_to(36_000.0).flag(Rule::R03, DAY);
        assert_eq!((found.aspect.as_ref(), found.colour), ("outside_area", Colour::Yellow));
        assert_eq!(found.measure("outside_s"), Some(540));
        assert_eq!(found.measure("furthest_m"), Some(6_000));
        assert_eq!(found.versions.zones[0].id, AREA);
    }

    #[test]
    fn near_or_short_outside_is_none() {
        out_to(30_400.0).clear(Rule::R03, DAY);
        // Beyond 30,500 m for less than 180 s.
        out_to(32_000.0).clear(Rule::R03, DAY);
    }

    #[test]
    fn marked_fixes_do_not_count() {
        let mut scene = out_to(36_000.0);
        for point in &mut scene.points {
            if point.at.distance_m(DEPOT_AT) > 30_000.0 {
                point.signs = crate::point::Signs::UNUSABLE;
            }
        }
        scene.clear(Rule::R03, DAY);
    }

    #[test]
    fn an_order_out_of_the_area_excuses_and_an_unknown_place_is_undecidable() {
        let mut scene = out_to(36_000.0);
        scene.order("甲1", "2026-04-08 08:50", "2026-04-08 11:00", place(36_000.0, 0.0));
        scene.clear(Rule::R03, DAY);
        scene.register.orders[0].row.destinations = vec![PlaceText { text: "下乡".to_owned(), at: None }];
        let found = scene.undecidable(Rule::R03, DAY);
        assert_eq!(found.missing, vec![Missing::Place { text: "下乡".to_owned() }]);
        scene.register.orders[0].row.destinations =
            vec![PlaceText { text: String::new(), at: Some(DEPOT_AT) }];
        let _ = scene.flag(Rule::R03, DAY);
    }

    #[test]
    fn the_area_of_the_order_goes_before_that_of_the_unit() {
        let mut scene = out_to(36_000.0);
        let wide = scene.zone("全市", ZoneKind::Area, DEPOT_AT, 60_000);
        scene.order("甲1", "2026-04-08 08:50", "2026-04-08 11:00", DEPOT_AT).row.area = Some(wide);
        scene.clear(Rule::R03, DAY);
    }

    #[test]
    fn without_an_area_it_depends_on_the_feed() {
        let mut scene = out_to(36_000.0);
        scene.register.zones.retain(|zone| zone.id != AREA.0);
        scene.clear(Rule::R03, DAY);
        scene.incomplete(Feed::Areas);
        assert_eq!(scene.undecidable(Rule::R03, DAY).missing, vec![Missing::Feed { feed: Feed::Areas }]);
        scene.clear(Rule::R03, "2026-04-09");
    }

    #[test]
    fn a_forbidden_zone_counts_inside() {
        let mut scene = out_to(20_000.0);
        scene.zone("某禁区", ZoneKind::Forbidden, place(20_000.0, 0.0), 3_000);
        let found = scene.flag(Rule::R03, DAY);
        assert_eq!((found.aspect.as_ref(), found.colour), ("forbidden", Colour::Red));
        for scene in on_call(&scene) {
            assert_eq!(scene.flag(Rule::R03, DAY).colour, Colour::Yellow);
        }
    }
}
