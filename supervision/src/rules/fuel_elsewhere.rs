//! R14 加油与轨迹不符: fuel booked where the car was not, or paid with another car's card.
//!
//! Only the time of the transaction itself is held against the track; a time of posting or a mere day asks, it does not accuse. Nothing
//! exempts from this rule.

use super::R14;
use super::whereabouts::{Approach, approach, is_parked_at_home, metres, moved, target};
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
            if near.fixes.gap_s > 0 {
                finding.excuses.push(Excuse::PoorTrack);
            }
        });
    match station.zone() {
        Some(zone) => draft.zone(day, zone),
        None => draft,
    }
}

/// The card is bound to another plate.
fn other_card(day: &VehicleDay<'_>, fill: &Versioned<FuelFill>, other: VehicleId) -> Finding {
    let at = fill.row.stamp.at;
    let plate = day.world.vehicle(other, at).map_or_else(|| other.to_string(), |row| row.row.plate.clone());
    draft(day, fill, &day.settings.params.r14).aspect("other_card").word("card_plate", plate).finish()
}
