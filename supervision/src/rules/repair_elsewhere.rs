//! R16 维修与轨迹不符: a repair booked while the car was elsewhere, or at a shop that is not one of the fixed points (定点).
//!
//! A repair is judged on the day on which the car was fetched, by where it stood meanwhile: to drive past a shop is no repair. A day-only
//! stamp is the whole day.

use super::asking::near_limit;
use super::lookback::{is_known_since, shifted};
use super::whereabouts::{could_reach, metres, target};
use crate::UtcMillis;
use crate::finding::{Excuse, Finding, Measure, Missing, Nature, Rule};
use crate::judge::{Draft, VehicleDay};
use crate::point::Position;
use crate::register::{Repair, Stamp, StampKind, Versioned, ZoneKind};
use crate::trips::{Gap, GapPlace};
use crate::zones::{PlaceTarget, ZoneRow};

/// From here the car was clearly elsewhere, metres.
const CLEARLY_ELSEWHERE_M: f64 = 5_000.0;

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    let is_today = |at: UtcMillis| day.from <= at && at < day.to;
    for repair in day.world.repairs(day.id()) {
        if repair.row.to.is_some_and(|fetched| is_today(fetched.at)) {
            findings.extend(judge_track(day, repair));
        }
        if is_today(repair.row.from.at) {
            findings.extend(judge_shop(day, repair));
        }
    }
}

/// The span in which the car should have been at the shop once.
fn span(day: &VehicleDay<'_>, from: Stamp, to: Stamp) -> Option<(UtcMillis, UtcMillis)> {
    let start = match from.kind {
        StampKind::Transaction => from.at,
        StampKind::DayOnly => day.world.instant(day.world.local(from.at).0, 0),
        StampKind::Posting => return None,
    };
    let end = match to.kind {
        StampKind::Transaction => to.at,
        StampKind::DayOnly => UtcMillis(day.world.instant(shifted(day.world.local(to.at).0, 1), 0).0 - 1),
        StampKind::Posting => return None,
    };
    (start <= end).then_some((start, end))
}

fn judge_track(day: &VehicleDay<'_>, repair: &Versioned<Repair>) -> Option<Finding> {
    let params = &day.settings.params.r16;
    let draft = || draft(day, repair).aspect("elsewhere");
    let Some((from, to)) = span(day, repair.row.from, repair.row.to?) else {
        return Some(draft().undecidable(Missing::Time).finish());
    };
    if day.history.known_to < to {
        return None;
    }
    if !is_known_since(day, from) {
        return Some(draft().undecidable(Missing::Fixes).finish());
    }
    let shop = match target(day, &repair.row.shop, from) {
        Ok(shop) => shop,
        Err(missing) => return Some(draft().undecidable(missing).finish()),
    };
    let distance_m = |at| shop.distance_m(day.world.zones(), at).unwrap_or(f64::INFINITY);
    let stops: Vec<_> = day.stops(from, to).map(|stop| (distance_m(stop.at), stop.at)).collect();
    // Standing in the own yard is no visit to a shop some streets away, unless that is all the car did.
    let own = day.vehicle.row.depot.and_then(|depot| day.world.zones().zone_at(depot, from));
    let is_at_home =
        |(shop_m, at): &&(f64, Position)| own.is_some_and(|own| own.contains(*at)) && *shop_m > 0.0;
    let away = stops.iter().filter(|stop| !is_at_home(stop));
    let by_distance = |a: &&(f64, Position), b: &&(f64, Position)| a.0.total_cmp(&b.0);
    let nearest = away.min_by(by_distance).or_else(|| stops.iter().min_by(by_distance));
    let Some(&(nearest_m, nearest)) = nearest else {
        return Some(draft().undecidable(Missing::Fixes).finish());
    };
    if nearest_m <= f64::from(params.away_m) {
        return None;
    }
    let draft = with_zone(day, draft(), &shop)
        .during(from, to)
        .at(nearest)
        .measure(Measure::against("distance_m", metres(nearest_m), i64::from(params.away_m)))
        .with(|finding| {
            // The repair in question does not speak for the person.
            let excuses = day.excuses(from, to, Some(nearest)).into_iter();
            finding.excuses.extend(excuses.filter(|excuse| !matches!(excuse, Excuse::InRepair { .. })));
            finding.excuses.extend(near_limit(metres(nearest_m), i64::from(params.away_m)));
        });
    // A silence in which the car could have been taken there and back.
    let way_m = |at| (distance_m(at) - f64::from(params.away_m)).max(0.0);
    let hides = |gap: &Gap| could_reach(way_m(gap.from) + way_m(gap.to), gap.start, gap.end);
    if day.gaps(from, to).any(|gap| gap.place != GapPlace::InStop && hides(gap)) {
        return Some(draft.undecidable(Missing::Fixes).finish());
    }
    Some(draft.red_if(nearest_m > CLEARLY_ELSEWHERE_M).finish())
}

/// Whether the shop is one of the fixed points. Where none is registered there is nothing to hold it against.
fn judge_shop(day: &VehicleDay<'_>, repair: &Versioned<Repair>) -> Option<Finding> {
    let at = repair.row.from.at;
    let is_fixed = |kind| matches!(kind, ZoneKind::RepairShop { is_fixed: true });
    let mut fixed = day.world.zones().held_by(&day.units, at, is_fixed).peekable();
    fixed.peek()?;
    let draft = draft(day, repair).aspect("unfixed_shop").nature(Nature::Paperwork).during(at, at);
    let shop = match target(day, &repair.row.shop, at) {
        Ok(shop) => shop,
        Err(missing) => return Some(draft.undecidable(missing).finish()),
    };
    let away_m = f64::from(day.settings.params.r16.away_m);
    let is_one = |zone: &ZoneRow| match &shop {
        PlaceTarget::Zone { zone: shop, .. } => zone.id() == *shop,
        PlaceTarget::Circle { at, .. } => zone.distance_m(*at) <= away_m,
    };
    if fixed.any(is_one) {
        return None;
    }
    Some(with_zone(day, draft, &shop).finish())
}

fn with_zone(day: &VehicleDay<'_>, draft: Draft, shop: &PlaceTarget) -> Draft {
    match shop.zone() {
        Some(zone) => draft.zone(day, zone),
        None => draft,
    }
}

fn draft(day: &VehicleDay<'_>, repair: &Versioned<Repair>) -> Draft {
    let row = &repair.row;
    let draft = Draft::new(Rule::R16, day, &day.settings.params.r16)
        .during(row.from.at, row.to.map_or(row.from.at, |fetched| fetched.at.max(row.from.at)))
        .measure(Measure::of("amount_fen", row.amount_fen))
        .word("shop", row.shop.text.clone());
    if row.no.is_empty() { draft } else { draft.word("approval", row.no.clone()) }
}

#[cfg(test)]
mod tests {
    use crate::finding::{Colour, Excuse, Missing, Nature, Rule};
    use crate::judge::testing::{DEPOT_AT, Scene, place};
    use crate::register::{StampKind, ZoneKind};

    const FETCHED: &str = "2026-04-08";

    /// The car is at a place 4 km away from 09:10 on the 7th to 16:00 on the 8th.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.drive("2026-04-07 09:00", "2026-04-07 09:10", place(4_000.0, 0.0));
        scene.drive("2026-04-08 16:00", "2026-04-08 16:10", DEPOT_AT);
        scene
    }

    #[test]
    fn a_car_that_stood_at_the_shop_is_clear_and_one_elsewhere_is_not() {
        // Distance of the shop from where the car stood, colour of the flag if any.
        for (away_m, colour) in [(499.9, None), (501.0, Some(Colour::Yellow)), (9_000.0, Some(Colour::Red))] {
            let mut scene = scene();
            scene.repair("2026-04-07 09:30", "2026-04-08 15:00", place(4_000.0 + away_m, 0.0));
            let found: Vec<_> =
                scene.found(Rule::R16, FETCHED).iter().map(|finding| finding.colour).collect();
            assert_eq!(found, Vec::from_iter(colour), "{away_m}");
        }
    }

    #[test]
    fn the_repair_in_question_is_no_excuse() {
        let mut scene = scene();
        scene.repair("2026-04-07 09:30", "2026-04-08 15:00", place(9_000.0, 0.0));
        let found = scene.flag(Rule::R16, FETCHED);
        assert!(!found.excuses.iter().any(|excuse| matches!(excuse, Excuse::InRepair { .. })), "{found:?}");
    }

    #[test]
    fn whole_days_count_and_a_day_of_posting_does_not() {
        let mut scene = scene();
        let repair = scene.repair("2026-04-07 00:00", "2026-04-08 00:00", DEPOT_AT);
        (repair.from.kind, repair.to.as_mut().unwrap().kind) = (StampKind::DayOnly, StampKind::DayOnly);
        scene.clear(Rule::R16, FETCHED);
        scene.register.repairs[0].row.to.as_mut().unwrap().kind = StampKind::Posting;
        assert_eq!(scene.undecidable(Rule::R16, FETCHED).missing, [Missing::Time]);
    }

    #[test]
    fn a_silence_that_may_hide_the_shop_is_undecidable() {
        let mut scene = Scene::new();
        scene.drive("2026-04-07 09:00", "2026-04-07 09:10", place(4_000.0, 0.0));
        scene.silent_until("2026-04-07 12:00", place(5_000.0, 0.0), 9_000);
        scene.repair("2026-04-07 09:00", "2026-04-08 15:00", place(9_000.0, 0.0));
        assert_eq!(scene.undecidable(Rule::R16, FETCHED).missing, [Missing::Fixes]);
    }

    #[test]
    fn only_fixed_shops_are_taken_without_a_question() {
        let mut scene = scene();
        scene.repair("2026-04-07 09:30", "2026-04-08 15:00", place(4_000.0, 0.0));
        scene.clear(Rule::R16, "2026-04-07");
        scene.zone("定点修理厂", ZoneKind::RepairShop { is_fixed: true }, place(-5_000.0, 0.0), 50);
        let found = scene.flag(Rule::R16, "2026-04-07");
        assert_eq!((found.aspect.as_ref(), found.colour), ("unfixed_shop", Colour::Yellow));
        assert_eq!(found.nature, Nature::Paperwork);
        scene.zone("某修理厂", ZoneKind::RepairShop { is_fixed: true }, place(4_000.0, 0.0), 50);
        scene.clear(Rule::R16, "2026-04-07");
        // Two shops of that name: nobody can say which.
        scene.zone("某修理厂", ZoneKind::RepairShop { is_fixed: false }, place(9_000.0, 0.0), 50);
        scene.register.repairs[0].row.shop.at = None;
        assert!(matches!(
            scene.undecidable(Rule::R16, "2026-04-07").missing.as_slice(),
            [Missing::SeveralPlaces { .. }]
        ));
    }
}
