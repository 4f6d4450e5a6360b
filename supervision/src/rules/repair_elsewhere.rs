//! R16 维修与轨迹不符: a repair booked while the car was elsewhere, or at a shop that is not one of the fixed points (定点).
//!
//! A repair is judged on the day on which the car was fetched, by where it stood and drove meanwhile. A day-only stamp is the whole day.

use super::lookback::{earliest, shifted};
use super::whereabouts::{approach, metres, target};
use crate::UtcMillis;
use crate::finding::{Excuse, Finding, Measure, Missing, Nature, Rule};
use crate::judge::{Draft, VehicleDay};
use crate::register::{Repair, Stamp, StampKind, Versioned, ZoneKind};
use crate::zones::PlaceTarget;

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
    if from < earliest(day) {
        return Some(draft().undecidable(Missing::Fixes).finish());
    }
    let shop = match target(day, &repair.row.shop, from) {
        Ok(shop) => shop,
        Err(missing) => return Some(draft().undecidable(missing).finish()),
    };
    let Some(near) = approach(day, &shop, f64::from(params.away_m), from, to) else {
        return Some(draft().undecidable(Missing::Fixes).finish());
    };
    if near.nearest_m <= f64::from(params.away_m) {
        return None;
    }
    let draft = with_zone(day, draft(), &shop)
        .during(from, to)
        .at(near.nearest)
        .measure(Measure::against("distance_m", metres(near.nearest_m), i64::from(params.away_m)))
        .with(|finding| {
            finding.fixes = near.fixes;
            // The repair in question does not speak for the person.
            let excuses = day.excuses(from, to, Some(near.nearest)).into_iter();
            finding.excuses.extend(excuses.filter(|excuse| !matches!(excuse, Excuse::InRepair { .. })));
        });
    if near.is_unsure {
        return Some(draft.undecidable(Missing::Fixes).finish());
    }
    Some(draft.red_if(near.nearest_m > CLEARLY_ELSEWHERE_M).finish())
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
    let is_one = |zone: &crate::zones::ZoneRow| match &shop {
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
