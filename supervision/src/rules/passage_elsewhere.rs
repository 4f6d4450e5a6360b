//! R15 通行停车与轨迹不符: a toll or a car park booked where the car was not.

use super::R15;
use super::asking::near_limit;
use super::whereabouts::{approach, is_parked_at_home, metres, moved, target};
use crate::finding::{Excuse, Finding, Measure, Missing, Rule};
use crate::judge::{Draft, VehicleDay};
use crate::register::{Passage, PassageKind, StampKind, Versioned};

/// From here the car was clearly elsewhere, metres.
const CLEARLY_ELSEWHERE_M: f64 = 5_000.0;

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    findings.extend(passages_on(day).filter_map(|passage| judge_one(day, passage)));
}

/// Tolls and car parks booked for the car on this day, in order of time.
pub(super) fn passages_on<'d>(day: &'d VehicleDay<'_>) -> impl Iterator<Item = &'d Versioned<Passage>> {
    let is_today = |row: &&Versioned<Passage>| day.from <= row.row.stamp.at && row.row.stamp.at < day.to;
    day.world.passages(day.id()).filter(is_today)
}

fn judge_one(day: &VehicleDay<'_>, passage: &Versioned<Passage>) -> Option<Finding> {
    let params = &day.settings.params.r15;
    let at = passage.row.stamp.at;
    let (from, to) = (moved(at, -params.around_s), moved(at, params.around_s));
    if day.history.known_to < to {
        return None;
    }
    let undecidable = |missing| Some(draft(day, passage, params).undecidable(missing).finish());
    if passage.row.stamp.kind != StampKind::Transaction {
        return undecidable(Missing::Time);
    }
    let place = match target(day, &passage.row.place, at) {
        Ok(place) => place,
        Err(missing) => return undecidable(missing),
    };
    let Some(near) = approach(day, &place, f64::from(params.away_m), from, to) else {
        return undecidable(Missing::Fixes);
    };
    if near.nearest_m <= f64::from(params.away_m) {
        return None;
    }
    let draft = draft(day, passage, params)
        .during(from, to)
        .at(near.nearest)
        .measure(Measure::against("distance_m", metres(near.nearest_m), i64::from(params.away_m)))
        .with(|finding| {
            finding.fixes = near.fixes;
            finding.excuses.extend(day.excuses(from, to, Some(near.nearest)));
            finding.excuses.extend((near.fixes.gap_s > 0).then_some(Excuse::PoorTrack));
            finding.excuses.extend(near_limit(metres(near.nearest_m), i64::from(params.away_m)));
        });
    let draft = match place.zone() {
        Some(zone) => draft.zone(day, zone),
        None => draft,
    };
    if near.is_unsure {
        return Some(draft.undecidable(Missing::Fixes).finish());
    }
    let is_red = near.nearest_m > CLEARLY_ELSEWHERE_M || is_parked_at_home(day, at);
    Some(draft.red_if(is_red).finish())
}

fn draft(day: &VehicleDay<'_>, passage: &Versioned<Passage>, params: &R15) -> Draft {
    let row = &passage.row;
    let aspect = match row.kind {
        PassageKind::Toll => "toll",
        PassageKind::Parking => "parking",
    };
    let draft = Draft::new(Rule::R15, day, params)
        .aspect(aspect)
        .during(row.stamp.at, row.stamp.at)
        .measure(Measure::of("amount_fen", row.amount_fen))
        .word("place", row.place.text.clone());
    if row.voucher.is_empty() { draft } else { draft.word("voucher", row.voucher.clone()) }
}

#[cfg(test)]
mod tests {
    use crate::finding::{Colour, Missing, Rule};
    use crate::judge::testing::{DEPOT_AT, Scene, place};
    use crate::register::{PassageKind, StampKind};

    const DAY: &str = "2026-04-07";

    /// The car drives 20 km east from 10:00 to 10:40 and back from 14:00 to 14:40.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.drive("2026-04-07 10:00", "2026-04-07 10:40", place(20_000.0, 0.0));
        scene.drive("2026-04-07 14:00", "2026-04-07 14:40", DEPOT_AT);
        scene
    }

    #[test]
    fn a_record_on_the_way_is_clear_and_one_far_off_is_red() {
        // East and north of the depot, time, colour of the flag if any. At 10:20 the car is 10 km out.
        let cases = [
            (10_000.0, 0.0, "2026-04-07 10:20", None),
            (10_000.0, 999.0, "2026-04-07 10:30", None),
            (20_000.0, 1_010.0, "2026-04-07 12:00", Some(Colour::Yellow)),
            (10_000.0, 0.0, "2026-04-07 12:00", Some(Colour::Red)),
            (2_000.0, 0.0, "2026-04-07 18:00", Some(Colour::Red)),
        ];
        for (east_m, north_m, time, colour) in cases {
            let mut scene = scene();
            scene.passage(time, place(east_m, north_m));
            let found: Vec<_> = scene.found(Rule::R15, DAY).iter().map(|finding| finding.colour).collect();
            assert_eq!(found, Vec::from_iter(colour), "{east_m} {north_m} {time}");
        }
    }

    #[test]
    fn a_day_alone_and_an_unknown_car_park_are_undecidable() {
        let mut scene = scene();
        scene.passage("2026-04-07 12:00", DEPOT_AT).stamp.kind = StampKind::DayOnly;
        assert_eq!(scene.undecidable(Rule::R15, DAY).missing, [Missing::Time]);
        let passage = &mut scene.register.passages[0].row;
        passage.stamp.kind = StampKind::Transaction;
        (passage.kind, passage.place.at) = (PassageKind::Parking, None);
        let found = scene.undecidable(Rule::R15, DAY);
        assert_eq!(found.missing, [Missing::Place { text: "某收费站".to_owned() }]);
        assert_eq!(found.aspect, "parking");
    }
}
