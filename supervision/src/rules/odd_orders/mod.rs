//! R22 派单异常: orders that look odd as papers, whatever the trips were.
//!
//! Every order is asked about on the day that its own times name, so the answer does not depend on the days that are looked at. These are
//! questions to those who write, approve and keep the papers; none is red.

mod paper;
mod usage;

use std::collections::BTreeMap;

use super::R22;
use super::lookback::shifted;
use crate::UtcMillis;
use crate::calendar::newest_versions;
use crate::finding::{Finding, Measure, Missing, OrderConsidered, Rule};
use crate::ids::{OrderId, UnitId};
use crate::judge::{Draft, FleetDay, LOOK_BACK_DAYS};
use crate::register::{Feed, Order, Versioned};

/// An order with what R22 asks of it.
#[derive(Clone, Copy, Debug)]
struct Paper<'a> {
    order: &'a Versioned<Order>,
    /// When it was recorded first, or taken in by a system that is trusted.
    recorded_at: UtcMillis,
}

impl<'a> Paper<'a> {
    const fn row(&self) -> &'a Order {
        &self.order.row
    }
}

/// All orders that are or were good for a trip, each once, in order of planned departure.
fn papers<'a>(fleet: &FleetDay<'a>) -> Vec<Paper<'a>> {
    let rows = &fleet.world.register().orders;
    let mut recorded: BTreeMap<i64, UtcMillis> = BTreeMap::new();
    for row in rows {
        let first = recorded.entry(row.id).or_insert(row.recorded_at);
        *first = row.recorded_at.min(*first);
    }
    let papers = newest_versions(rows).filter(|order| order.row.state.can_cover()).map(|order| {
        let first = recorded.get(&order.id).copied().unwrap_or(order.recorded_at);
        Paper { order, recorded_at: order.row.entered_at.unwrap_or(first) }
    });
    let mut papers: Vec<_> =
        papers.filter(|paper| paper.row().planned_out <= paper.row().planned_in).collect();
    papers.sort_by_key(|paper| (paper.row().planned_out, paper.order.id));
    papers
}

pub(crate) fn judge(fleet: &FleetDay<'_>, findings: &mut Vec<Finding>) {
    let papers = papers(fleet);
    let is_today = |at: UtcMillis| fleet.from <= at && at < fleet.to;
    let since = fleet.world.instant(shifted(fleet.day, -LOOK_BACK_DAYS), 0);
    for (n, paper) in papers.iter().enumerate() {
        if is_today(paper.row().planned_out) {
            let (earlier, _) = papers.split_at(n);
            let (_, earlier) =
                earlier.split_at(earlier.partition_point(|before| before.row().planned_out < since));
            findings.extend(paper::self_approved(fleet, paper));
            findings.extend(paper::standing(fleet, paper));
            findings.extend(paper::split(fleet, earlier, paper));
            findings.extend(usage::many_for_one_car(fleet, earlier, paper));
        }
        if is_today(paper.row().planned_in) {
            findings.extend(usage::without_trip(fleet, paper));
        }
    }
    findings.extend(paper::late_share(fleet, &papers));
}

/// The rule's settings for a unit on this day.
fn params(fleet: &FleetDay<'_>, unit: UnitId) -> R22 {
    fleet.settings(&fleet.units(unit)).params.r22.clone()
}

/// A draft about one order and others with it.
fn draft(fleet: &FleetDay<'_>, aspect: &'static str, paper: &Paper<'_>, others: &[&Paper<'_>]) -> Draft {
    let row = paper.row();
    let from = others.iter().map(|other| other.row().planned_out).min().unwrap_or(row.planned_out);
    Draft::of_unit(Rule::R22, fleet, row.vehicle, row.unit, &params(fleet, row.unit))
        .aspect(aspect)
        .during(from.min(row.planned_out), row.planned_in)
        .word("order", row.no.clone())
        .with(|finding| {
            finding.orders = others.iter().chain([&paper]).map(|paper| considered(paper)).collect()
        })
}

fn considered(paper: &Paper<'_>) -> OrderConsidered {
    OrderConsidered {
        id: OrderId(paper.order.id),
        version: paper.order.version,
        no: paper.row().no.clone(),
        why_not: Vec::new(),
    }
}

/// The feed of orders is not complete: a cancellation, or a better paper, may still come.
fn lacks_orders(fleet: &FleetDay<'_>, unit: UnitId, from: UtcMillis, to: UtcMillis) -> Option<Missing> {
    let is_complete = fleet.world.is_complete(Feed::Orders, &fleet.units(unit), from, to);
    (!is_complete).then_some(Missing::Feed { feed: Feed::Orders })
}

/// The names in a field that may hold several; spaces within a name do not count.
fn names(field: &str) -> impl Iterator<Item = String> {
    let parts = field.split(['、', '，', ',', ';', '；', '/']);
    parts
        .map(|part| part.chars().filter(|c| !c.is_whitespace()).collect::<String>())
        .filter(|name| !name.is_empty())
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

const fn against(name: &'static str, value: i64, limit: i64) -> Measure {
    Measure::against(name, value, limit)
}

#[cfg(test)]
mod tests;
