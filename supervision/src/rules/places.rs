//! R08 敏感场所停留: a stop at a place that draws attention.
//!
//! Leisure places count at any time, ordinary ones only off-hours, without an order, or again and again. In a county town 80 metres touch
//! housing everywhere, so wherever more than one place lies within reach the rule can't decide, even when the stop is inside one of them:
//! the outline of a compound is no better known than that. It never makes a finding red.

use super::asking::{excused, finish, missing_feeds, near_limit, silence_on_arrival, slack_m};
use super::goals::goals;
use super::hours::Hours;
use super::whole;
use crate::UtcMillis;
use crate::finding::{Excuse, Finding, Measure, Missing, Rule};
use crate::ids::ZoneId;
use crate::judge::{Draft, LOOK_BACK_DAYS, Matched, VehicleDay};
use crate::matching::Coverage;
use crate::register::{Feed, SensitiveKind, ZoneKind};
use crate::trips::{Stop, Trip};

/// A stop begins where a trip ends; they may be cut this far apart, milliseconds.
const JOINED_MS: i64 = 120_000;
/// The outline of a yard and a fix are no better known than this, metres.
const YARD_ACCURACY_M: f64 = 20.0;
/// A car that was last heard of with the ignition on goes so far until it stands, metres: half a minute in a side street.
const LAST_WAY_M: f64 = 100.0;
/// A destination within this excuses nothing but is noted, metres.
const NOTED_M: f64 = 2_000.0;

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    for matched in &day.trips {
        if let Some(stop) = stop_after(day, matched.trip) {
            out.extend(judge_stop(day, matched, stop));
        }
    }
}

/// The stop that a trip ended with.
pub(super) fn stop_after<'a>(day: &VehicleDay<'a>, trip: &Trip) -> Option<&'a Stop> {
    let to = UtcMillis(trip.end.0.saturating_add(JOINED_MS));
    day.stops(trip.end, to).find(|stop| (stop.start.0 - trip.end.0).abs() <= JOINED_MS)
}

/// A leisure place at which the car stood long enough after a trip.
pub(super) fn leisure_stop_after(day: &VehicleDay<'_>, trip: &Trip) -> Option<ZoneId> {
    let stop = stop_after(day, trip)?;
    let places = Near::all(day, stop);
    let is_long = lasts_s(stop) >= i64::from(day.settings.params.r08.leisure_s);
    places.iter().find(|place| is_long && place.kind.is_leisure()).map(|place| place.zone)
}

/// A sensitive place within reach of a stop.
#[derive(Clone, Copy, Debug)]
struct Near {
    zone: ZoneId,
    kind: SensitiveKind,
    metres: f64,
}

impl Near {
    /// The sensitive places within reach, nearest first, those of one name once. When the car may have stood in one of its own
    /// depots or lots, only leisure places that are nearer.
    fn all(day: &VehicleDay<'_>, stop: &Stop) -> Vec<Self> {
        let (at, time) = (stop.at, stop.start);
        let within_m = f64::from(day.settings.params.r08.near_m);
        let yard_m = yard_within_m(day, stop);
        let zones = day.world.zones();
        let mut places: Vec<Self> = Vec::new();
        let mut yard: Option<f64> = None;
        for (zone, metres) in zones.near(at, within_m.max(yard_m), time) {
            if day.vehicle.row.depot == Some(zone) {
                return Vec::new();
            }
            let Some(row) = zones.zone_at(zone, time).filter(|row| row.is_held_by(&day.units)) else {
                continue;
            };
            match row.kind() {
                ZoneKind::Depot | ZoneKind::ParkingLot if metres <= yard_m.max(within_m) => {
                    yard = yard.or(Some(metres))
                }
                ZoneKind::Sensitive(kind) if metres <= within_m => {
                    let has_name = |other: &Self| {
                        zones.zone_at(other.zone, time).is_some_and(|other| other.name() == row.name())
                    };
                    if row.name().is_empty() || !places.iter().any(has_name) {
                        places.push(Self { zone, kind, metres });
                    }
                }
                _ => {}
            }
        }
        match yard {
            // Outlines are no better known than that: the car may have stood in its own yard.
            Some(yard_m) if yard_m <= within_m => places.clear(),
            Some(yard_m) => places.retain(|place| place.kind.is_leisure() && place.metres < yard_m),
            None => {}
        }
        places
    }
}

/// Within this of its own yard a car may have stood in it, metres.
fn yard_within_m(day: &VehicleDay<'_>, stop: &Stop) -> f64 {
    let silence = silence_on_arrival(day, stop);
    let was_on = silence.is_some_and(|gap| gap.ignition_before == Some(true));
    YARD_ACCURACY_M + slack_m(day, stop) + if was_on { LAST_WAY_M } else { 0.0 }
}

/// Why a stop at a place is a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Leisure,
    OffHours,
    NoOrder,
    Repeated,
}

impl Why {
    const fn word(self) -> &'static str {
        match self {
            Self::Leisure => "leisure",
            Self::OffHours => "off_hours",
            Self::NoOrder => "no_order",
            Self::Repeated => "repeated",
        }
    }
}

fn judge_stop(day: &VehicleDay<'_>, matched: &Matched<'_>, stop: &Stop) -> Option<Finding> {
    let params = &day.settings.params.r08;
    if lasts_s(stop) < i64::from(params.leisure_s.min(params.ordinary_s)) {
        return None;
    }
    let places = Near::all(day, stop);
    let asked: Vec<_> =
        places.iter().filter_map(|place| Some((*place, why(day, matched, stop, *place)?))).collect();
    let &(place, why) = asked.first()?;
    let limit = if why == Why::Leisure { params.leisure_s } else { params.ordinary_s };
    let mut draft = Draft::new(Rule::R08, day, params)
        .trip(day, matched)
        .aspect(if asked.iter().any(|(_, why)| *why == Why::Leisure) { "leisure" } else { "ordinary" })
        .during(stop.start, stop.end)
        .at(stop.at)
        .measure(Measure::against("stop_s", lasts_s(stop), i64::from(limit)))
        .measure(Measure::against("distance_m", whole(place.metres), i64::from(params.near_m)))
        .word("why", why.word());
    for place in &places {
        draft = draft.zone(day, place.zone);
    }
    if let Some(zone) = day.world.zones().zone_at(place.zone, stop.start) {
        draft = draft.word("place", zone.name());
    }
    let draft = excused(draft, day.excuses(stop.start, stop.end, Some(stop.at)));
    let draft = excused(draft, destinations_near(day, matched, stop));
    let draft = excused(draft, near_limit(lasts_s(stop), i64::from(limit)));
    // The destination of an order that is not known yet may be this very place.
    let mut missing = missing_feeds(day, &[Feed::SensitivePlaces, Feed::Orders], stop.start, stop.end);
    if slack_m(day, stop) > f64::from(params.near_m) {
        missing.push(Missing::Fixes);
    }
    if places.len() > 1 {
        missing.push(Missing::SeveralPlaces { names: names(day, &places, stop.start) });
    }
    Some(finish(draft, missing))
}

fn names(day: &VehicleDay<'_>, places: &[Near], time: UtcMillis) -> Vec<String> {
    let zones = places.iter().filter_map(|place| day.world.zones().zone_at(place.zone, time));
    zones.map(|zone| zone.name().to_owned()).collect()
}

/// Why a stop at this place is a question, if it is one.
fn why(day: &VehicleDay<'_>, matched: &Matched<'_>, stop: &Stop, place: Near) -> Option<Why> {
    let params = &day.settings.params.r08;
    if is_destination(day, matched, stop, place) {
        return None;
    }
    if place.kind.is_leisure() {
        return (lasts_s(stop) >= i64::from(params.leisure_s)).then_some(Why::Leisure);
    }
    if lasts_s(stop) < i64::from(params.ordinary_s) {
        return None;
    }
    // The hours of a duty roster are working hours, and it needs no order beforehand.
    let is_on_duty = day.duty(stop.start, stop.end).is_some();
    if matched.matched.coverage == Coverage::None && !is_on_duty {
        return Some(Why::NoOrder);
    }
    let hours = Hours::of(day, stop.start, stop.end);
    let is_off = hours.is_off(i64::from(params.ordinary_s)) && !is_on_duty;
    if is_off && !is_night_of_order(matched, stop) {
        return Some(Why::OffHours);
    }
    (visits(day, stop, place) >= params.repeat.max(1)).then_some(Why::Repeated)
}

/// Whether the order that covers the trip goes there. A whole township as the destination excuses the ordinary places in it, not a leisure
/// place.
fn is_destination(day: &VehicleDay<'_>, matched: &Matched<'_>, stop: &Stop, place: Near) -> bool {
    let Some(order) = matched.order else { return false };
    let within_m = f64::from(day.settings.params.r08.near_m);
    goals(day, &order.row, &order.row.destinations).into_iter().flatten().any(|goal| {
        let is_there = goal.distance_m(day, stop.at).is_some_and(|metres| metres <= within_m);
        goal.zone() == Some(place.zone) || (is_there && !(place.kind.is_leisure() && goal.is_wide(day)))
    })
}

/// An order that goes on over the night of the stop: whoever is sent for days sleeps somewhere.
fn is_night_of_order(matched: &Matched<'_>, stop: &Stop) -> bool {
    matched.order.is_some_and(|order| stop.end <= order.row.planned_in && stop.start >= order.row.planned_out)
        && lasts_s(stop) >= 4 * 3_600
}

/// Destinations of the order near the stop, for the reader.
fn destinations_near(day: &VehicleDay<'_>, matched: &Matched<'_>, stop: &Stop) -> Vec<Excuse> {
    let Some(order) = matched.order else { return Vec::new() };
    let goals = goals(day, &order.row, &order.row.destinations).into_iter().flatten();
    let near = goals.filter_map(|goal| {
        let metres = goal.distance_m(day, stop.at).filter(|metres| *metres <= NOTED_M)?;
        Some(Excuse::PlaceNear { name: goal.text, distance_m: whole(metres) })
    });
    near.collect()
}

/// How often the car stopped long enough at the place within the days that count, this stop included. A stop to which an order of its own
/// sent the car is no visit.
fn visits(day: &VehicleDay<'_>, stop: &Stop, place: Near) -> u32 {
    let params = &day.settings.params.r08;
    let back = i64::from(params.repeat_days).min(LOOK_BACK_DAYS).saturating_mul(86_400_000);
    let is_visit = |other: &&Stop| {
        let zone = day.world.zones().zone_at(place.zone, stop.start);
        let near = zone.map(|zone| zone.distance_m(other.at));
        other.start <= stop.start
            && other.start.0 >= stop.start.0.saturating_sub(back)
            && lasts_s(other) >= i64::from(params.ordinary_s)
            && near.is_some_and(|metres| metres <= f64::from(params.near_m))
            && !trip_before(day, other).is_some_and(|matched| is_destination(day, matched, other, place))
    };
    let stops = day.stops(UtcMillis(stop.start.0.saturating_sub(back)), stop.start);
    u32::try_from(stops.filter(is_visit).count()).unwrap_or(u32::MAX)
}

/// The trip that ended with a stop.
fn trip_before<'d, 'a>(day: &'d VehicleDay<'a>, stop: &Stop) -> Option<&'d Matched<'a>> {
    day.past.iter().rfind(|past| (stop.start.0 - past.trip.end.0).abs() <= JOINED_MS)
}

const fn lasts_s(stop: &Stop) -> i64 {
    (stop.end.0 - stop.start.0).div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Colour;
    use crate::judge::testing::*;
    use crate::register::{Exemption, PlaceEntry, PlaceText, Versioned};

    const DAY: &str = "2026-04-08";

    /// To a place 5 km away at `from`, back at `to`.
    fn visit(from: &str, to: &str, kind: SensitiveKind) -> Scene {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 08:00", from, place(5_000.0, 0.0));
        scene.drive(to, "2026-04-08 23:30", DEPOT_AT);
        scene.zone("某处", ZoneKind::Sensitive(kind), place(5_000.0, 0.0), 30);
        scene
    }

    fn with_order(mut scene: Scene) -> Scene {
        scene.order("甲1", "2026-04-08 08:00", "2026-04-08 23:30", place(5_300.0, 0.0));
        scene
    }

    #[test]
    fn leisure_counts_at_any_time_from_half_an_hour_and_is_never_red() {
        let scene = visit("2026-04-08 10:00", "2026-04-08 10:30", SensitiveKind::FarmRestaurant);
        let found = with_order(scene).flag(Rule::R08, DAY);
        assert_eq!((found.aspect.as_ref(), found.colour), ("leisure", Colour::Yellow));
        assert_eq!(found.measures[0], Measure::against("stop_s", 1_800, 1_800));
        let short = visit("2026-04-08 10:00", "2026-04-08 10:29:59", SensitiveKind::FarmRestaurant);
        with_order(short).clear(Rule::R08, DAY);
    }

    #[test]
    fn ordinary_places_count_without_an_order_or_off_hours_only() {
        let day = visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::Housing);
        let found = day.flag(Rule::R08, DAY);
        assert_eq!((found.aspect.as_ref(), found.words[0].1.as_str()), ("ordinary", "no_order"));
        with_order(day).clear(Rule::R08, DAY);
        let evening = visit("2026-04-08 20:00", "2026-04-08 20:20", SensitiveKind::Restaurant);
        assert_eq!(with_order(evening).flag(Rule::R08, DAY).words[0].1, "off_hours");
    }

    #[test]
    fn the_third_visit_counts() {
        let mut scene = Scene::new();
        for day in ["2026-04-07", "2026-04-08", "2026-04-09"] {
            scene.drive(&format!("{day} 09:00"), &format!("{day} 09:20"), place(5_000.0, 0.0));
            scene.drive(&format!("{day} 10:00"), &format!("{day} 10:20"), DEPOT_AT);
            scene.order(day, &format!("{day} 08:50"), &format!("{day} 11:00"), place(5_300.0, 0.0));
        }
        scene.zone("某学校", ZoneKind::Sensitive(SensitiveKind::School), place(5_000.0, 0.0), 30);
        scene.clear(Rule::R08, "2026-04-08");
        assert_eq!(scene.flag(Rule::R08, "2026-04-09").words[0].1, "repeated");
    }

    #[test]
    fn a_visit_that_its_own_order_named_does_not_count() {
        let mut scene = Scene::new();
        for (day, east_m) in [("2026-04-07", 5_000.0), ("2026-04-08", 5_000.0), ("2026-04-09", 5_300.0)] {
            scene.drive(&format!("{day} 09:00"), &format!("{day} 09:20"), place(5_000.0, 0.0));
            scene.drive(&format!("{day} 10:00"), &format!("{day} 10:20"), DEPOT_AT);
            scene.order(day, &format!("{day} 08:50"), &format!("{day} 11:00"), place(east_m, 0.0));
        }
        scene.zone("某学校", ZoneKind::Sensitive(SensitiveKind::School), place(5_000.0, 0.0), 30);
        scene.clear(Rule::R08, "2026-04-09");
    }

    #[test]
    fn several_places_are_undecidable_and_the_destination_is_none() {
        let mut scene = visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::Ktv);
        scene.zone("某小区", ZoneKind::Sensitive(SensitiveKind::Housing), place(5_090.0, 0.0), 30);
        let found = scene.undecidable(Rule::R08, DAY);
        let names = vec!["某处".to_owned(), "某小区".to_owned()];
        assert_eq!(found.missing, vec![Missing::SeveralPlaces { names }]);

        let mut sent = visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::Temple);
        sent.order("甲1", "2026-04-08 08:00", "2026-04-08 23:30", place(5_000.0, 0.0));
        sent.clear(Rule::R08, DAY);
    }

    #[test]
    fn a_whole_township_as_destination_does_not_excuse_a_tea_house() {
        let mut scene = visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::TeaHouse);
        let area = scene.zone("某镇", ZoneKind::Area, place(5_000.0, 0.0), 3_000);
        let order = scene.order("甲1", "2026-04-08 08:00", "2026-04-08 23:30", DEPOT_AT);
        order.row.destinations = vec![PlaceText { text: "某镇".to_owned(), at: None }];
        let entry = PlaceEntry { name: "某镇".to_owned(), zone: Some(area), ..PlaceEntry::default() };
        scene.register.places.push(Versioned::first(1, at("2026-01-01 00:00"), entry));
        let found = scene.flag(Rule::R08, DAY);
        assert_eq!(found.excuses, vec![Excuse::PlaceNear { name: "某镇".to_owned(), distance_m: 0 }]);
    }

    #[test]
    fn the_own_depot_is_no_such_place() {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 08:00", "2026-04-08 08:20", place(5_000.0, 0.0));
        scene.drive("2026-04-08 08:30", "2026-04-08 08:50", DEPOT_AT);
        scene.zone("某小区", ZoneKind::Sensitive(SensitiveKind::Housing), place(50.0, 0.0), 60);
        scene.clear(Rule::R08, DAY);
        // It parks 40 m from the edge of the unit's lot.
        let mut lot = visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::TeaHouse);
        let _ = lot.flag(Rule::R08, DAY);
        lot.zone("单位停车场", ZoneKind::ParkingLot, place(5_000.0, 60.0), 20);
        lot.clear(Rule::R08, DAY);
    }

    #[test]
    fn exemptions_lift_ordinary_places_and_never_leisure() {
        let exempt = |mut scene: Scene| {
            let row = Exemption { vehicle: Some(CAR), rules: vec![Rule::R08], ..Exemption::default() };
            scene.register.exemptions.push(Versioned::first(1, at("2026-01-01 00:00"), row));
            scene
        };
        exempt(visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::Housing)).clear(Rule::R08, DAY);
        let leisure = exempt(visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::Golf));
        let _ = leisure.flag(Rule::R08, DAY);
    }

    #[test]
    fn without_the_feed_nothing_is_decided() {
        let mut scene = visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::Ktv);
        scene.incomplete(Feed::SensitivePlaces);
        let _ = scene.undecidable(Rule::R08, DAY);
        let mut scene = visit("2026-04-08 10:00", "2026-04-08 11:00", SensitiveKind::Ktv);
        scene.incomplete(Feed::Orders);
        assert_eq!(scene.undecidable(Rule::R08, DAY).missing, vec![Missing::Feed { feed: Feed::Orders }]);
    }
}
