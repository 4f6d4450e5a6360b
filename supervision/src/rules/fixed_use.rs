//! R18 固定用车: runs in the morning and in the evening, on several workdays, to one place that is not work.
//!
//! Nobody keeps a list of homes. The place is inferred: a morning run and an evening run of one workday both begin or end there,
//! it is no depot, and it is not where the car spends the working day. A finding belongs to a day that shows the pattern itself; its
//! place is given only coarsely, because it may be a home. Nothing exempts from this rule.

use std::cmp::Reverse;

use jiff::civil::Date;

use super::R18;
use super::asking::excused;
use super::lookback::{last_days, trips_on};
use super::whereabouts::{has_home, is_home, seconds};
use crate::finding::{Excuse, Finding, Measure, Missing, Rule};
use crate::judge::{Draft, Matched, VehicleDay};
use crate::point::Position;
use crate::register::{Class, Feed, ZoneKind};

/// Both runs of one workday to one place.
#[derive(Clone, Copy, Debug)]
struct Pair<'d, 'a> {
    place: Position,
    morning: &'d Matched<'a>,
    evening: &'d Matched<'a>,
}

impl Pair<'_, '_> {
    /// The evening run ends there and the morning run begins there: the car spends its nights at the place.
    fn is_overnight(&self, same_m: f64) -> bool {
        self.morning.trip.start_at.distance_m(self.place) <= same_m
            && self.evening.trip.end_at.distance_m(self.place) <= same_m
    }
}

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    if day.info.kind.is_rest_day() {
        return;
    }
    let params = &day.settings.params.r18;
    let today = pairs(day, day.day, params);
    if today.is_empty() {
        return;
    }
    let workdays = last_days(day, params.workdays, |_, info| !info.kind.is_rest_day());
    let seen = today.iter().map(|pair| (occurrences(day, &workdays, pair.place, params), pair));
    let Some((all, pair)) =
        seen.min_by_key(|(all, pair)| (Reverse(all.len()), pair.morning.trip.start, pair.place))
    else {
        return;
    };
    if u32::try_from(all.len()).unwrap_or(u32::MAX) >= params.times {
        findings.push(finding(day, params, pair, &all));
    }
}

/// The pairs of the workdays at `place`, one for each day at most, the latest first.
fn occurrences<'d, 'a>(
    day: &'d VehicleDay<'a>,
    workdays: &[Date],
    place: Position,
    params: &R18,
) -> Vec<Pair<'d, 'a>> {
    let is_same = |pair: &Pair<'_, '_>| pair.place.distance_m(place) <= f64::from(params.same_m);
    workdays.iter().filter_map(|date| pairs(day, *date, params).into_iter().find(is_same)).collect()
}

/// The pairs of one day that no order covers and that lead to a place that is not work.
fn pairs<'d, 'a>(day: &'d VehicleDay<'a>, date: Date, params: &R18) -> Vec<Pair<'d, 'a>> {
    let starts_at = |matched: &Matched<'_>| day.world.local(matched.trip.start).1;
    let (morning_to, evening_from) = (params.morning_to_min, params.evening_from_min);
    let mornings = trips_on(day, date).filter(move |matched| starts_at(matched) < morning_to);
    let evenings = || trips_on(day, date).filter(move |matched| starts_at(matched) >= evening_from);
    let same_m = f64::from(params.same_m);
    let mut pairs = Vec::new();
    for morning in mornings {
        let asked = |evening: &&Matched<'_>| {
            morning.trip.end <= evening.trip.start && !(is_covered(morning) && is_covered(evening))
        };
        for evening in evenings().filter(asked) {
            let ends = [evening.trip.end_at, evening.trip.start_at];
            let shared = [morning.trip.start_at, morning.trip.end_at]
                .into_iter()
                .filter(|place| ends.iter().any(|end| end.distance_m(*place) <= same_m));
            let private = shared.filter(|place| !is_work(day, *place, morning, evening, same_m));
            pairs.extend(private.map(|place| Pair { place, morning, evening }));
        }
    }
    pairs
}

/// Whether an order that was there in time covers the run.
const fn is_covered(matched: &Matched<'_>) -> bool {
    matched.order.is_some() && matched.matched.recorded_late_s.is_none()
}

/// Depots, approved lots, named places of the unit, and where the car stands longest between the two runs.
fn is_work(
    day: &VehicleDay<'_>,
    place: Position,
    morning: &Matched<'_>,
    evening: &Matched<'_>,
    same_m: f64,
) -> bool {
    let (from, to) = (morning.trip.end, evening.trip.start);
    let zones = day.world.zones();
    let is_site = |kind| matches!(kind, ZoneKind::ParkingLot | ZoneKind::Place);
    let own_site = || {
        let mut sites = zones.held_by(&day.units, from, is_site).filter(|zone| zone.row.row.unit.is_some());
        sites.any(|zone| zone.distance_m(place) <= same_m)
    };
    let by_day = || {
        let stayed = |start, end| seconds(from.max(start), to.min(end));
        let longest =
            day.stops(from, to).max_by_key(|stop| (stayed(stop.start, stop.end), Reverse(stop.start)));
        longest.is_some_and(|stop| stop.at.distance_m(place) <= same_m)
    };
    is_home(day, place, from, same_m) || own_site() || by_day()
}

fn finding(day: &VehicleDay<'_>, params: &R18, pair: &Pair<'_, '_>, all: &[Pair<'_, '_>]) -> Finding {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let same_m = f64::from(params.same_m);
    let nights = all.iter().filter(|pair| pair.is_overnight(same_m)).count();
    let (from, to) = (pair.morning.trip.start, pair.evening.trip.end);
    let since = all.last().map_or(from, |pair| pair.morning.trip.start);
    let mut draft = Draft::new(Rule::R18, day, params)
        .during(from, to)
        .measure(Measure::against("workdays", count(all.len()), i64::from(params.times)))
        .measure(Measure::of("overnight", count(nights)))
        .word("near", coarse(pair.place))
        .with(|finding| {
            finding.trips =
                all.iter().flat_map(|pair| [pair.morning.trip.start, pair.evening.trip.start]).collect();
            finding.trips.sort_unstable();
            finding.trips.dedup();
            for run in [pair.morning, pair.evening] {
                finding.orders.extend(run.matched.considered.iter().cloned());
            }
        });
    let orders = [pair.morning, pair.evening].into_iter().filter_map(|run| run.order);
    draft = excused(draft, orders.map(|order| Excuse::OrderNear { no: order.row.no.clone() }));
    draft = excused(draft, day.excuses(from, to, None));
    if !matches!(day.vehicle.row.class, Class::Other | Class::Special) {
        draft = draft.excuse(Excuse::ClassOnCall);
    }
    let is_red = count(nights) >= i64::from(params.times) || count(all.len()) >= 2 * i64::from(params.times);
    for feed in [Feed::Orders, Feed::Depots] {
        if !day.is_complete(feed, since, to) {
            return draft.undecidable(Missing::Feed { feed }).finish();
        }
    }
    if !has_home(day, to) {
        return draft.undecidable(Missing::Field { name: "vehicle.depot".into() }).finish();
    }
    draft.red_if(is_red).finish()
}

/// The place to about a kilometre.
fn coarse(place: Position) -> String {
    format!("{:.2}, {:.2}", place.lat(), place.lon())
}

#[cfg(test)]
mod tests {
    use crate::UtcMillis;
    use crate::finding::{Colour, Excuse, Finding, Missing, Rule};
    use crate::judge::testing::{BUREAU, DEPOT_AT, Scene, at, place};
    use crate::point::Position;
    use crate::register::{Exemption, Feed, Versioned, ZoneKind};

    /// The workdays of the week from Monday 13 April 2026.
    const DAYS: [&str; 5] = ["2026-04-13", "2026-04-14", "2026-04-15", "2026-04-16", "2026-04-17"];

    fn home() -> Position {
        place(6_000.0, 0.0)
    }

    /// Out to the place before work and again after it, on the first `n` days; by day the car is in its depot.
    fn fetched(n: usize) -> Scene {
        let mut scene = Scene::new();
        for day in DAYS.iter().take(n) {
            scene.drive(&format!("{day} 07:30"), &format!("{day} 07:45"), home());
            scene.drive(&format!("{day} 07:50"), &format!("{day} 08:05"), DEPOT_AT);
            scene.drive(&format!("{day} 17:40"), &format!("{day} 17:55"), home());
            scene.drive(&format!("{day} 18:00"), &format!("{day} 18:15"), DEPOT_AT);
        }
        scene
    }

    #[test]
    fn the_third_day_asks_and_the_second_does_not() {
        let scene = fetched(5);
        let found: Vec<usize> = DAYS.iter().map(|day| scene.found(Rule::R18, day).len()).collect();
        assert_eq!(found, [0, 0, 1, 1, 1]);
        let found = scene.flag(Rule::R18, DAYS[2]);
        assert_eq!((found.colour, found.measure("workdays")), (Colour::Yellow, Some(3)));
        assert_eq!(found.measure("overnight"), Some(0));
    }

    #[test]
    fn the_place_is_told_only_coarsely() {
        let found = fetched(3).flag(Rule::R18, DAYS[2]);
        assert_eq!(found.at, None);
        assert!(found.words.contains(&("near".into(), "30.00, 110.06".to_owned())), "{found:?}");
    }

    #[test]
    fn a_car_that_spends_three_nights_there_is_red() {
        let mut scene = Scene::new();
        scene.drive("2026-04-12 20:00", "2026-04-12 20:15", home());
        for day in DAYS.iter().take(3) {
            scene.drive(&format!("{day} 07:50"), &format!("{day} 08:05"), DEPOT_AT);
            scene.drive(&format!("{day} 17:40"), &format!("{day} 17:55"), home());
        }
        let found = scene.flag(Rule::R18, DAYS[2]);
        assert_eq!((found.colour, found.measure("overnight")), (Colour::Red, Some(3)));
    }

    #[test]
    fn where_the_car_spends_the_day_is_work() {
        let mut scene = Scene::new();
        for day in DAYS {
            scene.drive(&format!("{day} 07:50"), &format!("{day} 08:05"), home());
            scene.drive(&format!("{day} 17:40"), &format!("{day} 17:55"), DEPOT_AT);
        }
        scene.clear(Rule::R18, DAYS[4]);
    }

    #[test]
    fn an_approved_lot_is_work() {
        let mut scene = fetched(3);
        scene.zone("定点停车场", ZoneKind::ParkingLot, home(), 50);
        scene.register.zones.last_mut().unwrap().row.unit = Some(BUREAU);
        scene.clear(Rule::R18, DAYS[2]);
    }

    #[test]
    fn orders_that_were_there_in_time_excuse_a_day_and_late_ones_do_not() {
        let mut scene = fetched(3);
        let order = |scene: &mut Scene, from: &str, to: &str| {
            scene.order("1", &format!("2026-04-14 {from}"), &format!("2026-04-14 {to}"), home()).recorded_at
        };
        order(&mut scene, "07:00", "09:00");
        // The evening is still without an order.
        scene.flag(Rule::R18, DAYS[2]);
        order(&mut scene, "17:00", "19:00");
        scene.clear(Rule::R18, DAYS[2]);
        for order in &mut scene.register.orders {
            order.recorded_at = at("2026-04-15 10:00");
        }
        scene.flag(Rule::R18, DAYS[2]);
    }

    #[test]
    fn what_is_lacking_is_named() {
        for feed in [Feed::Orders, Feed::Depots] {
            let mut scene = fetched(3);
            scene.incomplete(feed);
            assert_eq!(scene.undecidable(Rule::R18, DAYS[2]).missing, [Missing::Feed { feed }]);
            scene.clear(Rule::R18, DAYS[1]);
        }
        let mut scene = fetched(3);
        scene.register.vehicles[0].row.depot = None;
        scene.flag(Rule::R18, DAYS[2]);
        // Neither the car nor its unit has a depot.
        scene.register.zones[0].row.kind = ZoneKind::Area;
        let missing = [Missing::Field { name: "vehicle.depot".into() }];
        assert_eq!(scene.undecidable(Rule::R18, DAYS[2]).missing, missing);
    }

    #[test]
    fn nothing_exempts() {
        let mut scene = fetched(3);
        let exemption = Exemption { rules: vec![Rule::R18], ..Exemption::default() };
        scene.register.exemptions.push(Versioned::first(1, UtcMillis(0), exemption));
        scene.report("2026-04-15 07:40");
        let found = scene.flag(Rule::R18, DAYS[2]);
        assert!(matches!(found.excuses.as_slice(), [Excuse::Reported { .. }]), "{found:?}");
    }

    #[test]
    fn a_day_says_the_same_whichever_days_are_asked_about() {
        let scene = fetched(5);
        let whole = scene.judge(DAYS[0], DAYS[4]);
        let days = DAYS.iter().flat_map(|day| scene.judge(day, day));
        assert_eq!(whole, days.collect::<Vec<Finding>>());
    }
}
