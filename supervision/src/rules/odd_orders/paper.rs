//! What an order shows by itself or beside the papers before it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Paper, against, draft, lacks_orders, names, params};
use crate::finding::{Finding, Nature, Rule};
use crate::ids::{UnitId, VehicleId};
use crate::judge::{Draft, FleetDay};
use crate::rules::whereabouts::{moved, seconds};

/// A destination that begins so is no destination.
const EVERYWHERE: &[&str] = &["全域", "全县", "全市", "全区", "全省", "全州", "全旗", "县域", "市域", "辖区"];

/// 自批自用: nobody but the user or the applicant approved it.
pub(super) fn self_approved(fleet: &FleetDay<'_>, paper: &Paper<'_>) -> Option<Finding> {
    let row = paper.row();
    let own: BTreeSet<String> = names(&row.user).chain(names(&row.applicant)).collect();
    let mut approvers = row.approvals.iter().flat_map(|approval| names(&approval.by)).peekable();
    let first = approvers.peek()?.clone();
    approvers
        .all(|name| own.contains(&name))
        .then(|| draft(fleet, "self_approved", paper, &[]).word("approved_by", first).finish())
}

/// 长期/全域单: too long, or for everywhere.
pub(super) fn standing(fleet: &FleetDay<'_>, paper: &Paper<'_>) -> Option<Finding> {
    let row = paper.row();
    let limit_s = params(fleet, row.unit).long_order_s;
    let planned_s = seconds(row.planned_out, row.planned_in);
    let everywhere = row
        .destinations
        .iter()
        .map(|place| place.text.trim())
        .find(|text| EVERYWHERE.iter().any(|word| text.starts_with(word)) || text.contains("全域"));
    if planned_s <= limit_s && everywhere.is_none() {
        return None;
    }
    let draft = draft(fleet, "standing_order", paper, &[]).measure(against("planned_s", planned_s, limit_s));
    Some(match everywhere {
        Some(text) => draft.word("destination", text).finish(),
        None => draft.finish(),
    })
}

/// 拆单: orders for the same person and destination, one right after the other, each below a threshold of approval and together above it.
/// Asked about at the order with which they go above it.
pub(super) fn split(fleet: &FleetDay<'_>, earlier: &[Paper<'_>], paper: &Paper<'_>) -> Option<Finding> {
    let params = params(fleet, paper.row().unit);
    let threshold_s = params.approval_above_s;
    let is_below =
        |paper: &Paper<'_>| seconds(paper.row().planned_out, paper.row().planned_in) <= threshold_s;
    if threshold_s <= 0 || !is_below(paper) {
        return None;
    }
    let mut chain = vec![paper];
    let gaps_s = 0..=params.split_gap_s;
    for before in earlier.iter().rev() {
        let Some(first) = chain.last() else { break };
        let began_s = seconds(before.row().planned_out, first.row().planned_out);
        // Papers are in order of planned departure: each earlier one that is below the threshold ends too early as well.
        if began_s > threshold_s.saturating_add(*gaps_s.end()) {
            break;
        }
        let gap_s = seconds(before.row().planned_in, first.row().planned_out);
        // What is cheap to compare first: there are thousands of papers in a month of a county.
        if gaps_s.contains(&gap_s) && is_below(before) && is_same_journey(before, first) {
            chain.push(before);
        }
    }
    let first = chain.last()?;
    let together_s = seconds(first.row().planned_out, paper.row().planned_in);
    let before_s = chain.get(1).map_or(0, |last| seconds(first.row().planned_out, last.row().planned_in));
    if together_s <= threshold_s || before_s > threshold_s {
        return None;
    }
    let others: Vec<_> = chain.iter().skip(1).rev().copied().collect();
    Some(
        draft(fleet, "split_orders", paper, &others)
            .measure(against("together_s", together_s, threshold_s))
            .word("user", paper.row().user.clone())
            .finish(),
    )
}

fn is_same_journey(a: &Paper<'_>, b: &Paper<'_>) -> bool {
    if a.row().unit != b.row().unit {
        return false;
    }
    let people = |paper: &Paper<'_>| names(&paper.row().user).collect::<BTreeSet<_>>();
    let places = |paper: &Paper<'_>| {
        let texts = paper.row().destinations.iter().map(|place| place.text.trim().to_owned());
        texts.filter(|text| !text.is_empty()).collect::<BTreeSet<_>>()
    };
    let (people_a, places_a) = (people(a), places(a));
    !people_a.is_empty() && people_a == people(b) && !places_a.is_empty() && places_a == places(b)
}

/// The share of orders recorded after the departure, by unit, on the last day of each month.
pub(super) fn late_share(fleet: &FleetDay<'_>, papers: &[Paper<'_>]) -> Vec<Finding> {
    let is_last_day = fleet.day == fleet.day.last_of_month();
    if !is_last_day {
        return Vec::new();
    }
    let from = fleet.world.instant(fleet.day.first_of_month(), 0);
    let mut months: BTreeMap<UnitId, (i64, i64)> = BTreeMap::new();
    for paper in
        papers.iter().filter(|paper| from <= paper.row().planned_out && paper.row().planned_out < fleet.to)
    {
        let (all, late) = months.entry(paper.row().unit).or_default();
        *all += 1;
        *late += i64::from(is_late(fleet, paper));
    }
    months.into_iter().filter_map(|(unit, (all, late))| late_month(fleet, unit, all, late)).collect()
}

/// Recorded after the planned departure; an emergency order has its grace.
fn is_late(fleet: &FleetDay<'_>, paper: &Paper<'_>) -> bool {
    let row = paper.row();
    let settings = fleet.settings(&fleet.units(row.unit));
    let grace_s = if row.is_emergency { settings.params.matching.emergency_paper_s } else { 0 };
    paper.recorded_at > moved(row.planned_out, grace_s)
}

fn late_month(fleet: &FleetDay<'_>, unit: UnitId, all: i64, late: i64) -> Option<Finding> {
    let params = params(fleet, unit);
    let limit_pct = i64::from(params.late_share_pct);
    if all < i64::from(params.late_share_min) || late * 100 <= limit_pct * all {
        return None;
    }
    let from = fleet.world.instant(fleet.day.first_of_month(), 0);
    let draft = Draft::of_unit(Rule::R22, fleet, VehicleId(0), unit, &params)
        .aspect("late_share")
        .nature(Nature::Paperwork)
        .during(from, fleet.to)
        .measure(against("late_pct", late * 100 / all, limit_pct))
        .measure(against("orders", all, i64::from(params.late_share_min)));
    Some(match lacks_orders(fleet, unit, from, fleet.to) {
        Some(missing) => draft.undecidable(missing).finish(),
        None => draft.finish(),
    })
}
