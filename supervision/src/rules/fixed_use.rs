//! R18 固定用车: runs in the morning and in the evening, on several workdays, to one place that is not work.
//!
//! Nobody keeps a list of homes. The place is inferred: a morning run and an evening run of one workday both begin or end there,
//! it is no depot, and it is not where the car spends the working day. A finding belongs to a day that shows the pattern itself; its
//! place is given only coarsely, because it may be a home. Nothing exempts from this rule.

use std::cmp::Reverse;

use jiff::civil::Date;

use super::R18;
use super::lookback::{last_days, trips_on};
use super::whereabouts::{is_home, seconds};
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
    let workdays = last_days(day, params.workdays, |_, info| !info.kind.is_rest_day());
    let today = pairs(day, day.day, params);
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
    let mornings = || trips_on(day, date).filter(move |matched| starts_at(matched) < morning_to);
    let evenings = || trips_on(day, date).filter(move |matched| starts_at(matched) >= evening_from);
    let same_m = f64::from(params.same_m);
    let mut pairs = Vec::new();
    for morning in mornings() {
        for evening in evenings().filter(|evening| !(is_covered(morning) && is_covered(evening))) {
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
            finding.excuses.extend(day.excuses(from, to, None));
            finding.trips =
                all.iter().flat_map(|pair| [pair.morning.trip.start, pair.evening.trip.start]).collect();
            finding.trips.sort_unstable();
            finding.trips.dedup();
            for run in [pair.morning, pair.evening] {
                finding.orders.extend(run.matched.considered.iter().cloned());
                finding.excuses.extend(run.order.map(|order| Excuse::OrderNear { no: order.row.no.clone() }));
            }
        });
    if !matches!(day.vehicle.row.class, Class::Other | Class::Special) {
        draft = draft.excuse(Excuse::ClassOnCall);
    }
    let is_red = count(nights) >= i64::from(params.times) || count(all.len()) >= 2 * i64::from(params.times);
    for feed in [Feed::Orders, Feed::Depots] {
        if !day.is_complete(feed, since, to) {
            return draft.undecidable(Missing::Feed { feed }).finish();
        }
    }
    if day.vehicle.row.depot.is_none() {
        return draft.undecidable(Missing::Field { name: "vehicle.depot".into() }).finish();
    }
    draft.red_if(is_red).finish()
}

/// The place to about a kilometre.
fn coarse(place: Position) -> String {
    format!("{:.2}, {:.2}", place.lat(), place.lon())
}
