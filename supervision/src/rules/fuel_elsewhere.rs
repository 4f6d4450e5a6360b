//! R14 加油与轨迹不符: fuel booked where the car was not, or paid with another car's card.
//!
//! Only the time of the transaction itself is held against the track; a time of posting or a mere day asks, it does not accuse. Nothing
//! exempts from this rule.

use super::R14;
use super::asking::near_limit;
use super::whereabouts::{Approach, approach, is_parked_at_home, metres, moved, plate, target};
use crate::finding::{Excuse, Finding, Measure, Missing, Rule};
use crate::ids::VehicleId;
use crate::judge::{Draft, VehicleDay};
use crate::register::{FuelFill, StampKind, Versioned};
use crate::zones::PlaceTarget;

/// From here the car was clearly elsewhere, metres.
const CLEARLY_ELSEWHERE_M: f64 = 5_000.0;

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    for fill in fills_on(day) {
        findings.extend(judge_place(day, fill));
        let other = fill.row.card_vehicle.filter(|vehicle| *vehicle != day.id());
        findings.extend(other.map(|other| other_card(day, fill, other)));
    }
}

/// The fuel booked for the car on this day, in order of time.
pub(super) fn fills_on<'d>(day: &'d VehicleDay<'_>) -> impl Iterator<Item = &'d Versioned<FuelFill>> {
    let is_today = |fill: &&Versioned<FuelFill>| day.from <= fill.row.stamp.at && fill.row.stamp.at < day.to;
    day.world.fuel_fills(day.id()).filter(is_today)
}

fn judge_place(day: &VehicleDay<'_>, fill: &Versioned<FuelFill>) -> Option<Finding> {
    let params = &day.settings.params.r14;
    let at = fill.row.stamp.at;
    let (from, to) = (moved(at, -params.around_s), moved(at, params.around_s));
    if day.history.known_to < to {
        return None;
    }
    let undecidable = |missing| Some(draft(day, fill, params).undecidable(missing).finish());
    if fill.row.stamp.kind != StampKind::Transaction {
        return undecidable(Missing::Time);
    }
    let station = match target(day, &fill.row.station, at) {
        Ok(station) => station,
        Err(missing) => return undecidable(missing),
    };
    let Some(near) = approach(day, &station, f64::from(params.away_m), from, to) else {
        return undecidable(Missing::Fixes);
    };
    if near.nearest_m <= f64::from(params.away_m) {
        return None;
    }
    let draft = measured(day, draft(day, fill, params).during(from, to), &station, &near, params);
    if near.is_unsure {
        return Some(draft.undecidable(Missing::Fixes).finish());
    }
    let is_home = is_parked_at_home(day, at);
    let draft = if is_home { draft.word("parked", "depot") } else { draft };
    Some(draft.red_if(is_home || near.nearest_m > CLEARLY_ELSEWHERE_M).finish())
}

fn draft(day: &VehicleDay<'_>, fill: &Versioned<FuelFill>, params: &R14) -> Draft {
    let row = &fill.row;
    let draft = Draft::new(Rule::R14, day, params)
        .during(row.stamp.at, row.stamp.at)
        .measure(Measure::of("quantity_cl", i64::from(row.quantity_cl)))
        .word("station", row.station.text.clone());
    [("card", &row.card), ("voucher", &row.voucher)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .fold(draft, |draft, (key, value)| draft.word(key, value.clone()))
}

fn measured(
    day: &VehicleDay<'_>,
    draft: Draft,
    station: &PlaceTarget,
    near: &Approach,
    params: &R14,
) -> Draft {
    let draft = draft
        .at(near.nearest)
        .measure(Measure::against("distance_m", metres(near.nearest_m), i64::from(params.away_m)))
        .with(|finding| {
            finding.fixes = near.fixes;
            finding.excuses.extend(day.excuses(finding.from, finding.to, Some(near.nearest)));
            finding.excuses.extend((near.fixes.gap_s > 0).then_some(Excuse::PoorTrack));
            finding.excuses.extend(near_limit(metres(near.nearest_m), i64::from(params.away_m)));
        });
    match station.zone() {
        Some(zone) => draft.zone(day, zone),
        None => draft,
    }
}

/// The card is bound to another plate.
fn other_card(day: &VehicleDay<'_>, fill: &Versioned<FuelFill>, other: VehicleId) -> Finding {
    let at = fill.row.stamp.at;
    let plate = plate(day.world, other, at);
    draft(day, fill, &day.settings.params.r14).aspect("other_card").word("card_plate", plate).finish()
}

#[cfg(test)]
mod tests {
    use crate::UtcMillis;
    use crate::finding::Finding;
    use crate::finding::{Colour, Excuse, Missing, Rule};
    use crate::ids::VehicleId;
    use crate::judge::testing::{BUREAU, DEPOT_AT, Scene, at, place};
    use crate::register::{Exemption, StampKind, Vehicle, Versioned};
    use crate::trips::{Gap, GapPlace, Segment};

    const DAY: &str = "2026-04-07";

    /// The car is at a station 8 km away from 10:20 to 10:40, back in its depot from 11:00.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.drive("2026-04-07 10:00", "2026-04-07 10:20", place(8_000.0, 0.0));
        scene.drive("2026-04-07 10:40", "2026-04-07 11:00", DEPOT_AT);
        scene
    }

    #[test]
    fn the_second_fill_of_two_hours_with_the_car_in_its_depot_is_red() {
        let mut scene = scene();
        scene.fill("2026-04-07 10:30", 58, place(8_000.0, 0.0));
        scene.fill("2026-04-07 12:20", 39, place(8_000.0, 0.0));
        let found = scene.flag(Rule::R14, DAY);
        assert_eq!(found.colour, Colour::Red);
        assert_eq!(found.measure("quantity_cl"), Some(3_900));
        assert!((7_990..=8_010).contains(&found.measure("distance_m").unwrap()), "{found:?}");
    }

    #[test]
    fn the_threshold_itself_is_clear() {
        for (east_m, is_flag) in [(499.9, false), (500.5, true)] {
            let mut scene = Scene::new();
            scene.fill("2026-04-07 12:00", 30, place(east_m, 0.0));
            assert_eq!(!scene.found(Rule::R14, DAY).is_empty(), is_flag, "{east_m}");
        }
    }

    #[test]
    fn passing_the_station_within_ten_minutes_is_clear() {
        let mut scene = scene();
        // At 10:10 the car is 4 km out; the paper says 10:19.
        scene.fill("2026-04-07 10:19", 30, place(4_000.0, 300.0));
        scene.clear(Rule::R14, DAY);
    }

    #[test]
    fn what_is_not_known_is_asked_and_not_held_against_anybody() {
        let far = place(8_000.0, 0.0);
        for kind in [StampKind::Posting, StampKind::DayOnly] {
            let mut scene = Scene::new();
            scene.fill("2026-04-07 12:00", 30, far).stamp.kind = kind;
            assert_eq!(scene.undecidable(Rule::R14, DAY).missing, [Missing::Time]);
        }
        let mut scene = Scene::new();
        scene.fill("2026-04-07 12:00", 30, far).station.at = None;
        let text = "城东加油站".to_owned();
        assert_eq!(scene.undecidable(Rule::R14, DAY).missing, [Missing::Place { text }]);
    }

    #[test]
    fn a_silence_long_enough_to_go_there_is_undecidable() {
        let mut scene = Scene::new();
        scene.drive("2026-04-07 10:00", "2026-04-07 10:20", place(2_000.0, 0.0));
        scene.silent_until("2026-04-07 12:00", place(3_000.0, 0.0), 20_000);
        scene.fill("2026-04-07 11:00", 30, place(10_000.0, 0.0));
        assert_eq!(scene.undecidable(Rule::R14, DAY).missing, [Missing::Fixes]);
        // Not long enough: 200 km there and back in under two hours.
        scene.register.fuel_fills[0].row.station.at = Some(place(110_000.0, 0.0));
        assert_eq!(scene.flag(Rule::R14, DAY).colour, Colour::Red);
    }

    #[test]
    fn a_terminal_that_slept_in_the_depot_stood_there_and_one_that_was_cut_off_may_not_have() {
        // Ignition before the silence, lost power, what the odometer counted, whether it is known that the car stood.
        let cases = [
            (Some(false), false, None, true),
            (Some(true), false, Some(0), true),
            (Some(true), false, None, false),
            (Some(false), true, None, false),
            (Some(false), false, Some(20_000), false),
        ];
        for (ignition_before, power_lost, odometer_m, stood) in cases {
            let mut scene = Scene::new();
            scene.segments.push(Segment::Gap(Gap {
                start: at("2026-04-07 08:00"),
                end: at("2026-04-07 14:00"),
                from: DEPOT_AT,
                to: DEPOT_AT,
                displacement_m: 0,
                odometer_m,
                place: GapPlace::InStop,
                ignition_before,
                ignition_after: Some(false),
                power_lost,
            }));
            scene.fill("2026-04-07 11:00", 39, place(8_000.0, 0.0));
            let [found]: [Finding; 1] = scene.found(Rule::R14, DAY).try_into().unwrap();
            let colour = if stood { Colour::Red } else { Colour::Grey };
            assert_eq!(found.colour, colour, "{ignition_before:?} {power_lost} {odometer_m:?}");
        }
    }

    #[test]
    fn a_car_that_nothing_is_known_of_is_undecidable() {
        let mut scene = Scene::new();
        scene.silent_until("2026-04-10 12:00", DEPOT_AT, 0);
        scene.segments.clear();
        scene.fill("2026-04-07 11:00", 30, place(10_000.0, 0.0));
        assert_eq!(scene.undecidable(Rule::R14, DAY).missing, [Missing::Fixes]);
    }

    #[test]
    fn another_cars_card_is_an_aspect_of_its_own() {
        let mut scene = Scene::new();
        let other = Vehicle { plate: "测A00009".to_owned(), ..Vehicle::default() };
        scene.register.vehicles.push(Versioned::first(9, UtcMillis(0), other));
        scene.fill("2026-04-07 12:00", 30, DEPOT_AT).card_vehicle = Some(VehicleId(9));
        let found = scene.flag(Rule::R14, DAY);
        assert_eq!((found.aspect.as_ref(), found.colour), ("other_card", Colour::Yellow));
        assert!(found.words.contains(&("card_plate".into(), "测A00009".to_owned())));
        scene.register.vehicles[1].row.is_secret = true;
        let found = scene.flag(Rule::R14, DAY);
        assert!(found.words.contains(&("card_plate".into(), "涉密车辆".to_owned())), "{found:?}");
    }

    #[test]
    fn nothing_exempts_and_what_speaks_for_the_driver_is_noted() {
        let mut scene = Scene::new();
        scene.fill("2026-04-07 12:00", 30, place(2_000.0, 0.0));
        scene.report("2026-04-07 12:05");
        let exemption = Exemption { unit: Some(BUREAU), rules: vec![Rule::R14], ..Exemption::default() };
        scene.register.exemptions.push(Versioned::first(1, UtcMillis(0), exemption));
        let found = scene.flag(Rule::R14, DAY);
        let reported = Excuse::Reported { at: at("2026-04-07 12:05"), text: "改道".to_owned() };
        assert!(found.excuses.contains(&reported), "{found:?}");
    }

    #[test]
    fn nothing_is_said_before_the_time_around_the_fill_is_over() {
        let mut scene = Scene::new();
        scene.fill("2026-04-07 12:00", 30, place(2_000.0, 0.0));
        scene.known_to = at("2026-04-07 12:09");
        scene.clear(Rule::R14, DAY);
        scene.known_to = at("2026-04-07 12:10");
        scene.flag(Rule::R14, DAY);
    }
}
