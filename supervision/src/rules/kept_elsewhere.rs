//! R24 借用占用: nights in the depot of another unit, without a transfer (调剂单) or an order that covers them.

use jiff::civil::Date;

use super::R24;
use super::asking::slack_m;
use super::lookback::shifted;
use super::whereabouts::moved;
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Missing, Rule};
use crate::ids::{UnitId, ZoneId};
use crate::judge::{Draft, LOOK_BACK_DAYS, VehicleDay};
use crate::point::Position;
use crate::register::{Feed, ZoneKind};
use crate::zones::ZoneRow;

/// A night at another unit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Night {
    unit: UnitId,
    depot: ZoneId,
    place: Position,
    middle: UtcMillis,
}

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    let params = &day.settings.params.r24;
    // A night is over, and known, when the next morning is.
    if day.history.known_to < night(day, day.day).1 {
        return;
    }
    let Some(last) = night_elsewhere(day, day.day, params) else { return };
    let earlier = (1..=LOOK_BACK_DAYS)
        .map_while(|back| night_elsewhere(day, shifted(day.day, -back), params))
        .take_while(|night| night.unit == last.unit);
    let nights: Vec<_> = std::iter::once(last).chain(earlier).collect();
    let count = i64::try_from(nights.len()).unwrap_or(i64::MAX);
    if count >= i64::from(params.nights) {
        findings.push(finding(
            day,
            params,
            &last,
            nights.last().map_or(last.middle, |first| first.middle),
            count,
        ));
    }
}

/// The night that begins on `date`: from when to when.
fn night(day: &VehicleDay<'_>, date: Date) -> (UtcMillis, UtcMillis) {
    let hours = &day.settings.params.r07;
    let to = if hours.to_min <= hours.from_min { hours.to_min.saturating_add(1_440) } else { hours.to_min };
    (day.world.instant(date, hours.from_min), day.world.instant(date, to))
}

/// The night that begins on `date`, if the car stood through its middle in another unit's depot and nothing allows it.
fn night_elsewhere(day: &VehicleDay<'_>, date: Date, params: &R24) -> Option<Night> {
    let (from, to) = night(day, date);
    let middle = UtcMillis(from.0.midpoint(to.0));
    let stop = day.stops(middle, middle).next()?;
    let near_m = f64::from(params.near_m);
    let owner = day.world.vehicle(day.id(), middle)?;
    // Of the unit that owns the car, the one that has it on a transfer, and all above either.
    let mut own = day.world.unit_path(owner.row.unit, middle);
    own.extend(day.world.unit_path(day.world.using_unit(day.id(), middle)?, middle));
    // In the person's favour: the own depot counts as far as the car may have stood from where it is drawn.
    let near = day.world.zones().near(stop.at, near_m + slack_m(day, stop), middle);
    let depots: Vec<_> = near
        .iter()
        .filter_map(|(id, _)| day.world.zones().zone_at(*id, middle))
        .filter(|zone| matches!(zone.kind(), ZoneKind::Depot | ZoneKind::ParkingLot))
        .collect();
    if depots.iter().any(|zone| zone.is_held_by(&own) || owner.row.depot == Some(zone.id())) {
        return None;
    }
    let is_in = |zone: &&&ZoneRow| zone.kind() == ZoneKind::Depot && zone.distance_m(stop.at) <= near_m;
    let depot = depots.iter().find(is_in)?;
    if is_ordered(day, middle) {
        return None;
    }
    Some(Night { unit: depot.row.row.unit?, depot: depot.id(), place: stop.at, middle })
}

/// Whether an order that was recorded before covers the moment: a journey of several days.
fn is_ordered(day: &VehicleDay<'_>, at: UtcMillis) -> bool {
    let late_s = day.settings.params.r02.late_s;
    day.world.orders(day.id()).any(|order| {
        let row = &order.row;
        row.state.can_cover()
            && row.planned_out <= at
            && at <= moved(row.planned_in, late_s)
            && row.entered_at.unwrap_or(order.recorded_at) <= at
    })
}

fn finding(day: &VehicleDay<'_>, params: &R24, last: &Night, first: UtcMillis, count: i64) -> Finding {
    let name = day
        .world
        .unit(last.unit, last.middle)
        .map_or_else(|| last.unit.to_string(), |row| row.row.name.clone());
    let draft = Draft::new(Rule::R24, day, params)
        .during(first, last.middle)
        .at(last.place)
        .zone(day, last.depot)
        .word("kept_by", name)
        .measure(Measure::against("nights", count, i64::from(params.nights)))
        .with(|finding| finding.excuses.extend(day.excuses(first, last.middle, Some(last.place))));
    for feed in [Feed::Depots, Feed::Orders] {
        if !day.is_complete(feed, first, last.middle) {
            return draft.undecidable(Missing::Feed { feed }).finish();
        }
    }
    draft.red_if(count >= 2 * i64::from(params.nights)).finish()
}

#[cfg(test)]
mod tests {
    use crate::UtcMillis;
    use crate::finding::{Colour, Missing, Rule};
    use crate::ids::UnitId;
    use crate::judge::testing::{BUREAU, CAR, COUNTY, DEPOT_AT, Scene, at, place};
    use crate::register::{Feed, Span, Transfer, Unit, Versioned, ZoneKind};

    const OTHER: UnitId = UnitId(3);

    /// Another bureau's depot 5 km away; the car goes there on the 7th at 18:00.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        let unit = Unit { name: "另一局".to_owned(), parent: Some(COUNTY), ..Unit::default() };
        scene.register.units.push(Versioned::first(OTHER.0, UtcMillis(0), unit));
        scene.zone("另一局车库", ZoneKind::Depot, place(5_000.0, 0.0), 50);
        scene.register.zones.last_mut().unwrap().row.unit = Some(OTHER);
        scene.drive("2026-04-07 18:00", "2026-04-07 18:10", place(5_000.0, 0.0));
        scene
    }

    #[test]
    fn the_third_night_asks_and_the_sixth_is_red() {
        let scene = scene();
        let nights = ["2026-04-07", "2026-04-08", "2026-04-09", "2026-04-11", "2026-04-12"];
        let found = nights.map(|day| scene.found(Rule::R24, day).first().map(|finding| finding.colour));
        assert_eq!(found, [None, None, Some(Colour::Yellow), Some(Colour::Yellow), Some(Colour::Red)]);
        let found = scene.flag(Rule::R24, "2026-04-09");
        assert_eq!(found.measure("nights"), Some(3));
        assert!(found.words.contains(&("kept_by".into(), "另一局".to_owned())));
    }

    #[test]
    fn a_night_at_home_begins_the_count_again() {
        let mut scene = scene();
        scene.drive("2026-04-08 18:00", "2026-04-08 18:10", DEPOT_AT);
        scene.drive("2026-04-09 18:00", "2026-04-09 18:10", place(5_000.0, 0.0));
        scene.clear(Rule::R24, "2026-04-10");
        scene.flag(Rule::R24, "2026-04-11");
    }

    #[test]
    fn beside_the_depot_counts_to_the_limit() {
        // The depot has a radius of 50 m, 150 m more count.
        for (east_m, found) in [(5_199.0, 1), (5_202.0, 0)] {
            let mut scene = scene();
            scene.drive("2026-04-07 19:00", "2026-04-07 19:01", place(east_m, 0.0));
            assert_eq!(scene.found(Rule::R24, "2026-04-09").len(), found, "{east_m}");
        }
    }

    #[test]
    fn a_transfer_or_a_journey_on_an_order_explains_the_nights() {
        let mut lent = scene();
        let transfer = Transfer { vehicle: CAR, to: OTHER, ..Transfer::default() };
        let span = Span::new(at("2026-04-07 12:00"), at("2026-05-01 00:00"));
        lent.register.transfers.push(Versioned::first(1, UtcMillis(0), transfer).during(span));
        lent.clear(Rule::R24, "2026-04-09");
        let mut journey = scene();
        journey.order("9", "2026-04-07 17:00", "2026-04-12 12:00", place(5_000.0, 0.0));
        journey.clear(Rule::R24, "2026-04-09");
        journey.register.orders[0].recorded_at = at("2026-04-13 09:00");
        journey.flag(Rule::R24, "2026-04-09");
    }

    #[test]
    fn a_depot_shared_with_the_own_unit_or_above_is_no_other_units() {
        for unit in [BUREAU, COUNTY] {
            let mut scene = scene();
            scene.zone("共用车库", ZoneKind::Depot, place(5_020.0, 0.0), 50);
            scene.register.zones.last_mut().unwrap().row.unit = Some(unit);
            scene.clear(Rule::R24, "2026-04-09");
        }
    }

    #[test]
    fn depots_that_are_not_complete_make_it_undecidable() {
        let mut scene = scene();
        scene.incomplete(Feed::Depots);
        let missing = [Missing::Feed { feed: Feed::Depots }];
        assert_eq!(scene.undecidable(Rule::R24, "2026-04-09").missing, missing);
        scene.clear(Rule::R24, "2026-04-08");
    }

    #[test]
    fn a_night_that_is_not_over_is_not_counted() {
        let mut scene = scene();
        scene.known_to = at("2026-04-10 05:59");
        scene.clear(Rule::R24, "2026-04-09");
        scene.known_to = at("2026-04-10 06:00");
        scene.flag(Rule::R24, "2026-04-09");
    }
}
