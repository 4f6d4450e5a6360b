//! R15 通行停车与轨迹不符: a toll or a car park booked where the car was not.

use super::R15;
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
            if near.fixes.gap_s > 0 {
                finding.excuses.push(Excuse::PoorTrack);
            }
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
