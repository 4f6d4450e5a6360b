//! R04 目的地不符: an order whose car never came near the destination, left the way that the order names, or drove far more than the way
//! there and back.

use std::collections::BTreeSet;

use super::asking::{excused, finish, is_tracked_to, missing_feeds, near_limit, poor_track};
use super::goals::{Goal, goals};
use super::places::stop_after;
use super::whereabouts::approach;
use super::whole;
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Missing, Rule};
use crate::judge::{Draft, Matched, VehicleDay};
use crate::point::Position;
use crate::register::{Feed, Order, Versioned, ZoneKind};
use crate::trips::Trip;
use crate::trips::TripKind;

/// Roads are longer than the straight line by about this, percent.
const ROADS_PCT: f64 = 130.0;
/// So many times further away than the limit, with a stop at a sensitive place, is red.
const RED_TIMES: f64 = 5.0;

/// Business elsewhere takes at least this long, milliseconds.
const ELSEWHERE_MS: i64 = 600_000;

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    for order in first_orders(day) {
        // Once the order's time is over: until then the car may still get there.
        if day.history.known_to < order.row.planned_in {
            continue;
        }
        let Some(use_of) = Use::of(day, order) else { continue };
        let (goals, missing) = split(goals(day, &order.row, &order.row.destinations));
        let (via, via_missing) = split(goals_of_way(day, order));
        let missed = use_of.missed(&goals, day.settings.params.r04.reached_m);
        if !is_tracked_to(day, order.row.planned_in) && missed.is_some() {
            out.push(use_of.draft().aspect("destination").undecidable(Missing::Fixes).finish());
        } else if !missing.is_empty() {
            // The car may have gone to the place that is not known.
            let draft = use_of.draft().aspect("destination");
            out.push(finish(draft, with_feed(&use_of, missing)));
        } else if let Some(missed) = missed {
            let finding = use_of.destination_missed(goals.len(), &missed);
            out.push(finish(finding, Use::unseen(&missed)));
        } else if let Some(missed) = use_of.missed(&via, day.settings.params.r04.corridor_m) {
            out.push(finish(use_of.way_left(&missed), Use::unseen(&missed)));
        } else if via_missing.is_empty() {
            out.extend(use_of.much_longer(&goals, &via));
        }
    }
}

/// The orders whose first trip began on this day.
fn first_orders<'a>(day: &VehicleDay<'a>) -> Vec<&'a Versioned<Order>> {
    let mut orders: Vec<&Versioned<Order>> = Vec::new();
    for order in day.trips.iter().filter_map(|matched| matched.order) {
        let first = day.past.iter().find(|past| past.order.is_some_and(|other| other.id == order.id));
        let is_first = first.is_some_and(|first| first.trip.start >= day.from);
        if is_first && !orders.iter().any(|other| other.id == order.id) {
            orders.push(order);
        }
    }
    orders
}

fn split(goals: Vec<Result<Goal, Missing>>) -> (Vec<Goal>, Vec<Missing>) {
    let (known, missing): (Vec<_>, Vec<_>) = goals.into_iter().partition(Result::is_ok);
    (
        known.into_iter().filter_map(Result::ok).collect(),
        missing.into_iter().filter_map(Result::err).collect(),
    )
}

fn goals_of_way(day: &VehicleDay<'_>, order: &Versioned<Order>) -> Vec<Result<Goal, Missing>> {
    goals(day, &order.row, &order.row.via)
}

/// An unknown place may yet come with the dictionary.
fn with_feed(use_of: &Use<'_, '_>, mut missing: Vec<Missing>) -> Vec<Missing> {
    missing.extend(missing_feeds(use_of.day, &[Feed::Places], use_of.from, use_of.to));
    missing
}

/// What was done on an order.
struct Use<'d, 'a> {
    day: &'d VehicleDay<'a>,
    order: &'a Versioned<Order>,
    trips: Vec<&'d Matched<'a>>,
    from: UtcMillis,
    to: UtcMillis,
}

/// The place that was missed most widely.
struct Missed<'g> {
    goal: &'g Goal,
    nearest_m: f64,
    /// How many were missed.
    count: usize,
    /// Whether the car could have been at all of them while nothing was heard of it.
    is_unsure: bool,
}

impl<'d, 'a> Use<'d, 'a> {
    fn of(day: &'d VehicleDay<'a>, order: &'a Versioned<Order>) -> Option<Self> {
        let belongs = |past: &&Matched<'_>| past.order.is_some_and(|other| other.id == order.id);
        let trips: Vec<_> = day.past.iter().filter(belongs).collect();
        // Shifting the car in the yard is not the use that it was sent on.
        trips.iter().find(|past| past.trip.kind == TripKind::Trip)?;
        let from = trips.first()?.trip.start;
        let to = trips.last()?.trip.end;
        Some(Self { day, order, trips, from, to })
    }

    fn draft(&self) -> Draft {
        let mut draft =
            Draft::new(Rule::R04, self.day, &self.day.settings.params.r04).during(self.from, self.to);
        if let Some(first) = self.trips.first() {
            draft = draft.trip(self.day, first).during(self.from, self.to);
        }
        let trips: Vec<UtcMillis> = self.trips.iter().map(|past| past.trip.start).collect();
        let excuses = self.day.excuses(self.from, self.to, None);
        let poor = self.trips.iter().find_map(|past| poor_track(past.trip));
        let draft = draft.with(|finding| finding.trips = trips).word("order_no", self.order.row.no.clone());
        excused(excused(draft, excuses), poor)
    }

    /// The nearest that the car came to a place, metres; `None` when the place can't be measured.
    fn nearest_m(&self, goal: &Goal, enough_m: f64) -> Option<f64> {
        let mut nearest = f64::INFINITY;
        for trip in self.trips.iter().map(|past| past.trip) {
            nearest = nearest
                .min(goal.distance_m(self.day, trip.start_at)?)
                .min(goal.distance_m(self.day, trip.end_at)?);
        }
        if nearest <= enough_m {
            return Some(nearest);
        }
        for trip in self.trips.iter().map(|past| past.trip) {
            for point in self.day.points(trip.start, trip.end).iter().filter(|point| point.is_usable()) {
                nearest = nearest.min(goal.distance_m(self.day, point.at)?);
            }
        }
        Some(nearest)
    }

    fn missed<'g>(&self, goals: &'g [Goal], limit_m: u32) -> Option<Missed<'g>> {
        let limit = f64::from(limit_m);
        let missed: Vec<_> = goals
            .iter()
            .filter_map(|goal| Some((goal, self.nearest_m(goal, limit)?)))
            .filter(|(_, nearest)| *nearest > limit)
            .collect();
        let (unsure, sure): (Vec<_>, Vec<_>) =
            missed.into_iter().partition(|(goal, _)| self.could_have_been_at(goal, limit));
        let is_unsure = sure.is_empty();
        let missed = if is_unsure { unsure } else { sure };
        let (goal, nearest_m) = missed.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1))?;
        Some(Missed { goal, nearest_m, count: missed.len(), is_unsure })
    }

    /// Whether there was a silence in which the car could have gone to a place and come back.
    fn could_have_been_at(&self, goal: &Goal, near_m: f64) -> bool {
        approach(self.day, &goal.target(), near_m, self.from, self.to).is_none_or(|near| near.is_unsure)
    }

    /// What is missing to say that a place was missed.
    fn unseen(missed: &Missed<'_>) -> Vec<Missing> {
        missed.is_unsure.then_some(Missing::Fixes).into_iter().collect()
    }

    fn destination_missed(&self, goals: usize, missed: &Missed<'_>) -> Draft {
        let limit = self.day.settings.params.r04.reached_m;
        let nearest = whole(missed.nearest_m);
        let all = missed.count == goals;
        let is_red =
            all && missed.nearest_m > f64::from(limit) * RED_TIMES && self.stops_at_sensitive_place();
        let draft = self
            .place_draft(missed.goal)
            .aspect("destination")
            .measure(Measure::against("nearest_m", nearest, i64::from(limit)))
            .measure(Measure::of("destinations_missed", count(missed.count)))
            .measure(Measure::of("destinations", count(goals)))
            .red_if(is_red);
        excused(draft, near_limit(nearest, i64::from(limit)))
    }

    fn way_left(&self, missed: &Missed<'_>) -> Draft {
        let limit = i64::from(self.day.settings.params.r04.corridor_m);
        let nearest = whole(missed.nearest_m);
        let draft = self.place_draft(missed.goal).aspect("way").measure(Measure::against(
            "nearest_m",
            nearest,
            limit,
        ));
        excused(draft, near_limit(nearest, limit))
    }

    fn place_draft(&self, goal: &Goal) -> Draft {
        let draft = self.draft().word("place", goal.text.clone());
        match goal.zone() {
            Some(zone) => draft.zone(self.day, zone),
            None => draft,
        }
    }

    fn stops_at_sensitive_place(&self) -> bool {
        let params = &self.day.settings.params.r08;
        self.trips.iter().filter_map(|past| stop_after(self.day, past.trip)).any(|stop| {
            let near = self.day.world.zones().near(stop.at, f64::from(params.near_m), stop.start);
            let is_long = stop.end.0 - stop.start.0 >= i64::from(params.ordinary_s) * 1_000;
            is_long
                && near.into_iter().any(|(zone, _)| {
                    let zone = self.day.world.zones().zone_at(zone, stop.start);
                    zone.is_some_and(|zone| matches!(zone.kind(), ZoneKind::Sensitive(_)))
                })
        })
    }

    /// The distance driven, held against the way from the departure to each place and back, on each day on which the car went out.
    ///
    /// A paper that names a whole township says neither where in it nor how much about it the car is to go: the way is that to the
    /// farthest place in it that the car went to, and what was driven within does not count.
    fn much_longer(&self, goals: &[Goal], via: &[Goal]) -> Option<Finding> {
        let params = &self.day.settings.params.r04;
        let start = self.trips.first()?.trip.start_at;
        let days: BTreeSet<_> =
            self.trips.iter().map(|past| self.day.world.local(past.trip.start).0).collect();
        let mut straight = 0.0;
        for goal in goals.iter().chain(via) {
            straight += 2.0 * self.straight_m(goal, start)?;
        }
        let expected = whole(straight * ROADS_PCT / 100.0).saturating_mul(count(days.len()));
        if goals.is_empty() || expected < i64::from(params.min_expected_m) {
            return None;
        }
        let limit = expected.saturating_mul(i64::from(params.longer_pct)) / 100;
        let all: i64 = self.trips.iter().map(|past| i64::from(past.trip.distance_m)).sum();
        if all <= limit || !self.stood_elsewhere(goals.iter().chain(via), start) {
            return None;
        }
        let areas: Vec<&Goal> = goals.iter().chain(via).filter(|goal| goal.is_wide(self.day)).collect();
        let driven: i64 = self.trips.iter().map(|past| self.driven_outside_m(past.trip, &areas)).sum();
        (driven > limit).then(|| {
            let draft = self
                .draft()
                .aspect("longer")
                .measure(Measure::against("driven_m", driven, limit))
                .measure(Measure::of("expected_m", expected));
            let draft = match areas.is_empty() {
                true => draft,
                false => draft.measure(Measure::of("driven_within_areas_m", all - driven)),
            };
            excused(draft, near_limit(driven, limit)).finish()
        })
    }

    /// Whether the car stood, between two trips of the order, where neither the order nor its beginning is. A long way alone says little:
    /// roads bend, and a leader may have the car go round. A long way with business elsewhere is a question.
    fn stood_elsewhere<'g>(&self, goals: impl Iterator<Item = &'g Goal>, start: Position) -> bool {
        let reached_m = f64::from(self.day.settings.params.r04.reached_m);
        let (Some(first), Some(last)) = (self.trips.first(), self.trips.last()) else { return false };
        let goals: Vec<&Goal> = goals.collect();
        self.day.stops(first.trip.end, last.trip.start).any(|stop| {
            let is_between = stop.start >= first.trip.start && stop.end <= last.trip.end;
            let is_named = goals
                .iter()
                .any(|goal| goal.distance_m(self.day, stop.at).is_none_or(|metres| metres <= reached_m));
            is_between
                && stop.end.0 - stop.start.0 >= ELSEWHERE_MS
                && !is_named
                && stop.at.distance_m(start) > reached_m
        })
    }

    /// Metres from `start` to a place; to the farthest that the car reached in it when it is a whole area.
    fn straight_m(&self, goal: &Goal, start: Position) -> Option<f64> {
        let nearest = goal.distance_m(self.day, start)?;
        if !goal.is_wide(self.day) {
            return Some(nearest);
        }
        let trips = self.trips.iter().map(|past| past.trip);
        let reached = trips.flat_map(|trip| self.way(trip)).filter(|at| goal.holds(self.day, *at));
        Some(reached.map(|at| at.distance_m(start)).fold(nearest, f64::max))
    }

    /// What was driven on a trip outside of all `areas`, metres, by the share of the way between its fixes.
    fn driven_outside_m(&self, trip: &Trip, areas: &[&Goal]) -> i64 {
        if areas.is_empty() {
            return i64::from(trip.distance_m);
        }
        let (mut way, mut outside) = (0.0, 0.0);
        let mut before = None;
        for at in self.way(trip) {
            let is_within = areas.iter().any(|area| area.holds(self.day, at));
            if let Some((from, was_within)) = before.replace((at, is_within)) {
                let step = at.distance_m(from);
                way += step;
                outside += if is_within || was_within { 0.0 } else { step };
            }
        }
        if way > 0.0 { whole(f64::from(trip.distance_m) * outside / way) } else { 0 }
    }

    /// Where the car was on a trip: its beginning, its fixes, its end.
    fn way(&self, trip: &Trip) -> impl Iterator<Item = Position> + use<'_, 'd, 'a> {
        let points = self.day.points(trip.start, trip.end).iter().filter(|point| point.is_usable());
        let ends = (trip.start_at, trip.end_at);
        std::iter::once(ends.0).chain(points.map(|point| point.at)).chain(std::iter::once(ends.1))
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Colour;
    use crate::judge::testing::*;
    use crate::register::{PlaceText, SensitiveKind};

    const DAY: &str = "2026-04-08";

    /// Sent to a place 12 km to the east; drives to `to` and back.
    fn sent_east(to: (f64, f64)) -> Scene {
        let mut scene = Scene::new();
        scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(12_000.0, 0.0));
        scene.drive("2026-04-08 09:00", "2026-04-08 09:20", place(to.0, to.1));
        scene.drive("2026-04-08 14:00", "2026-04-08 14:20", DEPOT_AT);
        scene
    }

    #[test]
    fn within_the_limit_the_destination_is_reached() {
        sent_east((10_010.0, 0.0)).clear(Rule::R04, DAY);
        let found = sent_east((9_990.0, 0.0)).flag(Rule::R04, DAY);
        assert_eq!((found.aspect.as_ref(), found.colour), ("destination", Colour::Yellow));
        assert_eq!(found.measures[0], Measure::against("nearest_m", 2_010, 2_000));
        assert_eq!(found.trips.len(), 2);
    }

    #[test]
    fn a_silence_in_which_it_could_have_been_reached_leaves_it_open() {
        let silent_until = |until: &str| {
            let mut scene = Scene::new();
            scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(12_000.0, 0.0));
            scene.drive("2026-04-08 09:00", "2026-04-08 09:20", place(6_000.0, 0.0));
            scene.silent_until(until, place(6_000.0, 0.0), 0);
            scene.drive("2026-04-08 14:00", "2026-04-08 14:20", DEPOT_AT);
            scene
        };
        // 4,000 m there and 4,000 m back are 240 s at 120 km/h.
        let found = silent_until("2026-04-08 09:24:01").undecidable(Rule::R04, DAY);
        assert_eq!(found.missing, vec![Missing::Fixes]);
        let _ = silent_until("2026-04-08 09:23:59").flag(Rule::R04, DAY);
    }

    #[test]
    fn passing_by_is_enough() {
        let mut scene = Scene::new();
        scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(12_000.0, 0.0));
        scene.drive_along("2026-04-08 09:00", "2026-04-08 09:40", &[place(11_000.0, 0.0), DEPOT_AT]);
        scene.clear(Rule::R04, DAY);
    }

    #[test]
    fn it_waits_until_the_order_is_over() {
        let scene = sent_east((0.0, 9_000.0)).until("2026-04-08 14:59");
        scene.clear(Rule::R04, DAY);
    }

    #[test]
    fn far_off_with_a_stop_at_a_tea_house_is_red() {
        let mut scene = sent_east((0.0, 9_000.0));
        scene.zone("某茶楼", ZoneKind::Sensitive(SensitiveKind::TeaHouse), place(0.0, 9_000.0), 30);
        let found = scene.flag(Rule::R04, DAY);
        // The nearest was the depot itself, 12,000 m away.
        assert_eq!((found.measure("nearest_m"), found.colour), (Some(12_000), Colour::Red));
    }

    #[test]
    fn unknown_and_several_places_are_undecidable_with_the_words() {
        let mut scene = sent_east((0.0, 9_000.0));
        scene.register.orders[0].row.destinations = vec![PlaceText { text: "下乡".to_owned(), at: None }];
        let missing = vec![Missing::Place { text: "下乡".to_owned() }];
        assert_eq!(scene.undecidable(Rule::R04, DAY).missing, missing);
        scene.register.orders[0].row.destinations = vec![];
        scene.clear(Rule::R04, DAY);
    }

    #[test]
    fn far_more_than_the_way_there_and_back_is_a_flag() {
        // Expected 1.3 x 24,000 = 31,200 m; the limit is 46,800 m.
        let with = |metres: u32| {
            let mut scene = Scene::new();
            scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(12_000.0, 0.0));
            scene.drive("2026-04-08 09:00", "2026-04-08 09:20", place(-9_000.0, 0.0));
            scene.drive("2026-04-08 10:00", "2026-04-08 10:40", place(12_000.0, 0.0)).distance_m =
                metres - 9_000;
            scene
        };
        with(46_800).clear(Rule::R04, DAY);
        let found = with(46_801).flag(Rule::R04, DAY);
        assert_eq!((found.aspect.as_ref(), found.measure("expected_m")), ("longer", Some(31_200)));
    }

    #[test]
    fn within_an_area_that_the_paper_names_any_distance_may_be_driven() {
        // 北坝乡 lies 8 to 16 km to the east.
        let along = |way: &[(f64, f64)]| {
            let mut scene = Scene::new();
            scene.zone("北坝乡", ZoneKind::Area, place(12_000.0, 0.0), 4_000);
            scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(0.0, 0.0));
            scene.register.orders[0].row.destinations =
                vec![PlaceText { text: "北坝乡".to_owned(), at: None }];
            let way: Vec<_> = way.iter().map(|(east, north)| place(*east, *north)).collect();
            scene.drive_along("2026-04-08 09:00", "2026-04-08 10:00", &way[..1]);
            // A fix every 250 m, so that one lies at the farthest place.
            scene.drive_along("2026-04-08 10:30", "2026-04-08 11:36", &way[1..]);
            scene
        };
        // Up and down in it: 60 km in all, 16 km of them on the way there and back.
        let about = [(15_000.0, 0.0), (9_000.0, 0.0)].repeat(4);
        along(&[about.as_slice(), &[(0.0, 0.0)]].concat()).clear(Rule::R04, DAY);
        // 30 km to the west first. Expected 1.3 x 2 x 9,000 = 23,400 m; the limit is 35,100 m.
        let found = along(&[(-15_000.0, 0.0), (9_000.0, 0.0), (0.0, 0.0)]).flag(Rule::R04, DAY);
        assert_eq!((found.aspect.as_ref(), found.measure("expected_m")), ("longer", Some(23_400)));
        let driven = found.measure("driven_m").unwrap();
        assert!((45_000..=46_000).contains(&driven), "{driven}");
        assert_eq!(found.measure("driven_within_areas_m"), Some(48_000 - driven));
    }

    #[test]
    fn a_place_on_the_way_that_was_left_out_is_a_flag() {
        let mut scene = sent_east((12_000.0, 0.0));
        scene.register.orders[0].row.via =
            vec![PlaceText { text: "某桥".to_owned(), at: Some(place(6_000.0, 1_100.0)) }];
        let found = scene.flag(Rule::R04, DAY);
        assert_eq!((found.aspect.as_ref(), found.measure("nearest_m")), ("way", Some(1_100)));
        scene.register.orders[0].row.via[0].at = Some(place(6_000.0, 900.0));
        scene.clear(Rule::R04, DAY);
    }
}
