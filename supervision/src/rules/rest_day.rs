//! R06 节假日用车: out on a rest day without an order; a sealed car (封存) that moved; a car that should stand sealed and does not.

use super::asking::{about_trip, excused, finish, is_in_repair, missing_feeds, slack_m, trip_excuses};
use super::hours::Hours;
use crate::UtcMillis;
use crate::calendar::DayKind;
use crate::finding::{Finding, Measure, Missing, Rule};
use crate::ids::ZoneId;
use crate::judge::{Draft, Matched, VehicleDay};
use crate::matching::Coverage;
use crate::point::Position;
use crate::register::{Feed, ZoneKind};
use crate::trips::Segment;

/// When the seals are looked at on the first day of a holiday, minutes after local midnight.
const CHECK_MIN: u16 = 8 * 60;
const NEEDS: [Feed; 2] = [Feed::Orders, Feed::Duties];

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let min_distance = day.settings.params.r06.min_distance_m;
    for matched in day.real_trips().filter(|matched| matched.trip.distance_m >= min_distance) {
        if day.world.seal(day.id(), matched.trip.start).is_some() {
            out.push(sealed_and_moved(day, matched));
        } else if matched.matched.coverage == Coverage::None {
            out.extend(uncovered(day, matched));
        }
    }
    out.extend(not_sealed(day));
}

fn uncovered(day: &VehicleDay<'_>, matched: &Matched<'_>) -> Option<Finding> {
    let params = &day.settings.params.r06;
    let trip = matched.trip;
    let hours = Hours::of(day, trip.start, trip.end);
    let (rest_s, provisional_s) = (hours.rest_s, hours.provisional_s);
    if rest_s == 0 && provisional_s == 0 {
        return None;
    }
    let draft = about_trip(Rule::R06, day, matched, params).measure(Measure::against(
        "distance_m",
        i64::from(trip.distance_m),
        i64::from(params.min_distance_m),
    ));
    // On a day of which only the day of the week is known nothing was driven on a rest day, as far as is known.
    let draft = if rest_s > 0 { draft.measure(Measure::of("rest_day_s", rest_s)) } else { draft };
    let draft = match &day.info.name {
        Some(name) => draft.word("holiday", name.to_string()),
        None => draft,
    };
    let draft = excused(draft, trip_excuses(day, matched));
    let mut missing = missing_feeds(day, &NEEDS, trip.start, trip.end);
    // A Monday may be a holiday and a Saturday a make-up workday as long as the year's notice is not out.
    missing.extend((rest_s == 0).then_some(Missing::Calendar));
    Some(finish(draft, missing))
}

/// An order does not open a seal; only a permission (启封) does.
fn sealed_and_moved(day: &VehicleDay<'_>, matched: &Matched<'_>) -> Finding {
    let params = &day.settings.params.r06;
    let trip = matched.trip;
    let draft = about_trip(Rule::R06, day, matched, params).aspect("sealed_moved").red_if(true).measure(
        Measure::against("distance_m", i64::from(trip.distance_m), i64::from(params.min_distance_m)),
    );
    finish(draft, missing_feeds(day, &[Feed::Seals], trip.start, trip.end))
}

/// At 08:00 on the first day of a holiday a sealed car stands in its place. A car that is offline is 无法核实.
fn not_sealed(day: &VehicleDay<'_>) -> Option<Finding> {
    let check = day.world.instant(day.day, CHECK_MIN);
    if !is_first_of_holiday(day) || day.history.known_to < check {
        return None;
    }
    let seal = day.world.seal(day.id(), check)?;
    let params = &day.settings.params.r06;
    let draft = Draft::new(Rule::R06, day, params).aspect("not_sealed").during(check, check);
    let draft = match &day.info.name {
        Some(name) => draft.word("holiday", name.to_string()),
        None => draft,
    };
    let Some(place) = seal.row.place.or(day.vehicle.row.depot) else {
        return Some(draft.undecidable(Missing::Field { name: "seal.place".into() }).finish());
    };
    match standing(day, check) {
        Standing::At(..) if is_in_repair(day, check, check) => None,
        Standing::At(at, slack_m) if is_in_lot(day, (at, slack_m), check) => None,
        Standing::At(at, slack_m) => away(day, draft, place, (at, slack_m, check)),
        Standing::Driving => None,
        Standing::Unknown => Some(draft.zone(day, place).undecidable(Missing::Fixes).finish()),
    }
}

fn away(
    day: &VehicleDay<'_>,
    draft: Draft,
    place: ZoneId,
    (at, slack_m, time): (Position, f64, UtcMillis),
) -> Option<Finding> {
    let limit = day.settings.params.r07.away_m;
    let Some(metres) = day.world.zones().zone_at(place, time).map(|zone| zone.distance_m(at)) else {
        return Some(draft.undecidable(Missing::Field { name: "seal.place".into() }).finish());
    };
    // In the person's favour: as near as the car may have stood.
    let metres = (metres - slack_m).max(0.0);
    (metres > f64::from(limit)).then(|| {
        let measure = Measure::against("away_m", super::whole(metres), i64::from(limit));
        finish(
            excused(draft.at(at).zone(day, place).measure(measure), day.excuses(time, time, Some(at))),
            missing_feeds(day, &[Feed::Seals], day.from, day.to),
        )
    })
}

/// Whether a place is one of the lots in which the unit's cars may be left.
fn is_in_lot(day: &VehicleDay<'_>, (at, slack_m): (Position, f64), time: UtcMillis) -> bool {
    let within_m = f64::from(day.settings.params.r07.away_m) + slack_m;
    let mut lots = day.world.zones().held_by(&day.units, time, |kind| kind == ZoneKind::ParkingLot);
    lots.any(|lot| lot.distance_m(at) <= within_m)
}

fn is_first_of_holiday(day: &VehicleDay<'_>) -> bool {
    let Ok(yesterday) = day.day.yesterday() else { return false };
    let before = day.world.day(&day.units, yesterday);
    day.info.kind == DayKind::Holiday && (before.kind != DayKind::Holiday || before.name != day.info.name)
}

/// Where a car is at an instant.
enum Standing {
    /// And how far from there it may have been, metres.
    At(Position, f64),
    Driving,
    Unknown,
}

fn standing(day: &VehicleDay<'_>, at: UtcMillis) -> Standing {
    if let Some(stop) = day.stops(at, at).next() {
        return Standing::At(stop.at, slack_m(day, stop));
    }
    let is_driving =
        |segment: &Segment| matches!(segment, Segment::Trip(trip) if trip.start <= at && at <= trip.end);
    if day.history.segments.iter().any(is_driving) {
        return Standing::Driving;
    }
    let stale_ms = day.settings.params.r07.stale_s.max(0).saturating_mul(1_000);
    let recent = UtcMillis(at.0.saturating_sub(stale_ms));
    let is_displaced = day.gaps(at, at).next().is_some();
    match day.stops(recent, at).last() {
        Some(stop) if !is_displaced => Standing::At(stop.at, slack_m(day, stop)),
        _ => Standing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Colour, Excuse, Nature, Outcome};
    use crate::judge::testing::*;
    use crate::register::{Repair, Seal, SealKind, Span, Stamp, Versioned};

    /// Tomb-sweeping day 2026: 4 to 6 April.
    const HOLIDAY: &str = "2026-04-04";

    fn out(from: &str, to: &str) -> Scene {
        let mut scene = Scene::new();
        scene.drive(from, to, place(5_000.0, 0.0));
        scene
    }

    fn seal(scene: &mut Scene, kind: SealKind, from: &str, to: &str) {
        let id = i64::try_from(scene.register.seals.len()).unwrap() + 1;
        let seal = Seal { vehicle: CAR, kind, ..Seal::default() };
        let span = Span::new(at(from), at(to));
        scene.register.seals.push(Versioned::first(id, at("2026-04-01 00:00"), seal).during(span));
    }

    #[test]
    fn a_holiday_trip_without_an_order_is_asked_about() {
        let found = out("2026-04-06 10:00", "2026-04-06 10:20").flag(Rule::R06, "2026-04-06");
        assert_eq!((found.colour, found.measure("rest_day_s")), (Colour::Yellow, Some(1_200)));
        assert_eq!(found.words[0].0, "holiday");
    }

    #[test]
    fn an_order_and_a_make_up_workday_clear_it() {
        let mut scene = out("2026-04-06 10:00", "2026-04-06 10:20");
        scene.order("甲1", "2026-04-06 09:50", "2026-04-06 11:00", place(5_000.0, 0.0));
        scene.clear(Rule::R06, "2026-04-06");
        let makeup = out("2026-02-28 10:00", "2026-02-28 10:20");
        makeup.clear(Rule::R06, "2026-02-28");
    }

    #[test]
    fn in_a_provisional_year_holidays_are_undecidable() {
        for day in ["2027-04-03", "2027-04-05"] {
            let scene = out(&format!("{day} 10:00"), &format!("{day} 10:20"));
            let scene = scene.until("2027-05-01 00:00");
            assert_eq!(scene.undecidable(Rule::R06, day).missing, vec![Missing::Calendar]);
        }
    }

    #[test]
    fn a_sealed_car_that_moved_is_red_even_with_an_order_and_an_opening_clears_it() {
        let mut scene = out("2026-04-05 10:00", "2026-04-05 10:20");
        seal(&mut scene, SealKind::Sealed, "2026-04-03 18:00", "2026-04-07 08:00");
        scene.order("甲1", "2026-04-05 09:50", "2026-04-05 11:00", place(5_000.0, 0.0));
        let found = scene.flag(Rule::R06, "2026-04-05");
        assert_eq!((found.aspect.as_ref(), found.colour), ("sealed_moved", Colour::Red));
        seal(&mut scene, SealKind::Opened, "2026-04-05 08:00", "2026-04-05 18:00");
        scene.clear(Rule::R06, "2026-04-05");
    }

    #[test]
    fn at_eight_on_the_first_day_a_sealed_car_stands_in_its_place() {
        let mut away = out("2026-04-03 17:00", "2026-04-03 17:20");
        seal(&mut away, SealKind::Sealed, "2026-04-03 18:00", "2026-04-07 08:00");
        let found = away.flag(Rule::R06, HOLIDAY);
        assert_eq!((found.aspect.as_ref(), found.nature), ("not_sealed", Nature::Conduct));
        // 5,000 m from the middle of a circle of 100 m.
        assert_eq!(found.measure("away_m"), Some(4_900));
        away.clear(Rule::R06, "2026-04-05");
        let mut home = Scene::new();
        seal(&mut home, SealKind::Sealed, "2026-04-03 18:00", "2026-04-07 08:00");
        home.clear(Rule::R06, HOLIDAY);
    }

    #[test]
    fn a_sealed_car_in_a_lot_or_a_repair_shop_is_where_it_may_be() {
        let mut away = out("2026-04-03 17:00", "2026-04-03 17:20");
        seal(&mut away, SealKind::Sealed, "2026-04-03 18:00", "2026-04-07 08:00");
        let mut lot = away.clone();
        lot.zone("核准停车场", ZoneKind::ParkingLot, place(5_000.0, 0.0), 50);
        lot.clear(Rule::R06, HOLIDAY);
        let repaired_until = |fetched: Option<&str>| {
            let mut shop = away.clone();
            let stamp = |text: &str| Stamp { at: at(text), ..Stamp::default() };
            let (from, to) = (stamp("2026-04-03 17:20"), fetched.map(stamp));
            let repair = Repair { vehicle: CAR, from, to, ..Repair::default() };
            shop.register.repairs.push(Versioned::first(1, at("2026-04-03 17:20"), repair));
            shop
        };
        repaired_until(Some("2026-04-07 09:00")).clear(Rule::R06, HOLIDAY);
        // Not fetched yet, as far as is known: it is asked about, and that speaks for the person.
        let found = repaired_until(None).flag(Rule::R06, HOLIDAY);
        assert!(matches!(found.excuses.as_slice(), [Excuse::InRepair { .. }]), "{found:?}");
    }

    #[test]
    fn an_offline_car_can_not_be_checked() {
        let mut scene = Scene::new();
        seal(&mut scene, SealKind::Sealed, "2026-04-03 18:00", "2026-04-07 08:00");
        let segments = vec![];
        let history = crate::judge::VehicleHistory {
            vehicle: CAR,
            segments: &segments,
            points: &[],
            known_to: at("2026-05-01 00:00"),
        };
        let findings = crate::judge::judge_vehicle(&scene.world(), history, date(HOLIDAY)..=date(HOLIDAY));
        let found = findings.iter().find(|found| found.rule == Rule::R06).unwrap();
        assert_eq!(
            (found.outcome, found.missing.as_slice()),
            (Outcome::Undecidable, [Missing::Fixes].as_slice())
        );
    }
}
