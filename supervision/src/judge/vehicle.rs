//! Judges the days of one vehicle.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::civil::Date;

use super::settings::SettingsMemo;
use super::settle::{Exempted, settle, sort};
use super::{Matched, VehicleDay, VehicleHistory, looks_ahead_to};
use crate::finding::{Finding, Rule};
use crate::ids::UnitId;
use crate::matching::{OrderMatch, assign};
use crate::register::{Order, Versioned};
use crate::rules::VEHICLE_RULES;
use crate::trips::{Segment, Trip};
use crate::world::World;
use crate::{UtcMillis, rules};

/// No more days than this are judged in one call: ten years.
const DAYS_MAX: usize = 3_660;

/// What was found about a vehicle.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Judged {
    /// Findings by day, rule and time.
    pub findings: Vec<Finding>,
    /// How many findings an exemption lifted, by rule.
    pub exempted: BTreeMap<Rule, u32>,
}

/// Judges one vehicle on local days. The findings of a day do not depend on which other days are asked about, as long as `history` reaches
/// [`super::LOOK_BACK_DAYS`] back from it.
#[must_use]
pub fn judge_vehicle(world: &World, history: VehicleHistory<'_>, days: RangeInclusive<Date>) -> Vec<Finding> {
    judge_vehicle_counting(world, history, days).findings
}

/// As [`judge_vehicle`], with a count of what exemptions lifted.
#[must_use]
pub fn judge_vehicle_counting(
    world: &World,
    history: VehicleHistory<'_>,
    days: RangeInclusive<Date>,
) -> Judged {
    let memo = SettingsMemo::new(world);
    let matched = MatchedHistory::new(world, &memo, history);
    let mut judged = Judged::default();
    let (mut date, last) = (*days.start(), *days.end());
    for _ in 0..DAYS_MAX {
        if date > last {
            break;
        }
        if let Some(day) = matched.day(world, &memo, history, date) {
            judge_day(&day, &mut judged);
        }
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    sort(&mut judged.findings);
    judged
}

fn judge_day(day: &VehicleDay<'_>, judged: &mut Judged) {
    let mut found = Vec::new();
    for (_, rule) in VEHICLE_RULES {
        rule(day, &mut found);
    }
    for finding in found {
        match settle(day, finding) {
            Ok(finding) => judged.findings.push(finding),
            Err(Exempted(rule)) => *judged.exempted.entry(rule).or_insert(0) += 1,
        }
    }
}

/// The trips of a history with their orders.
#[derive(Debug)]
pub(super) struct MatchedHistory<'a> {
    pub(super) trips: Arc<Vec<Matched<'a>>>,
    pub(super) orders: Arc<Vec<OrderMatch>>,
}

impl<'a> MatchedHistory<'a> {
    pub(super) fn new(world: &'a World, memo: &SettingsMemo<'_>, history: VehicleHistory<'a>) -> Self {
        let trips: Vec<&Trip> = history.segments.iter().filter_map(trip_of).collect();
        // An order that was given to another car since is that car's.
        let is_ours = |order: &&Versioned<Order>| {
            world.newest_order(order.id).is_some_and(|newest| newest.row.vehicle == history.vehicle)
        };
        let orders: Vec<&Versioned<Order>> = world.orders(history.vehicle).filter(is_ours).collect();
        let terms = |at: UtcMillis| -> rules::Matching {
            let units = units_of(world, history, at);
            memo.at(&units, at).params.matching.clone()
        };
        let assignment = assign(&trips, &orders, world, &terms);
        let newest = |id: i64| {
            let versions = orders.iter().filter(|order| order.id == id);
            versions.max_by_key(|order| (order.version, order.recorded_at)).copied()
        };
        let mut matched: Vec<_> = trips
            .into_iter()
            .zip(assignment.trips)
            .map(|(trip, matched)| Matched {
                trip,
                order: matched.coverage.order().and_then(|order| newest(order.0)),
                matched,
            })
            .collect();
        matched.sort_by_key(|matched| (matched.trip.start, matched.trip.end));
        Self { trips: Arc::new(matched), orders: Arc::new(assignment.orders) }
    }

    /// The vehicle-day; `None` when the vehicle is not in the register then, or the day has not begun.
    pub(super) fn day(
        &self,
        world: &'a World,
        memo: &SettingsMemo<'_>,
        history: VehicleHistory<'a>,
        date: Date,
    ) -> Option<VehicleDay<'a>> {
        let from = world.instant(date, 0);
        let to = world.instant(date, 1_440);
        // A vehicle that came into the register during the day is judged as it was at the end of it.
        let vehicle = world
            .vehicle(history.vehicle, from)
            .or_else(|| world.vehicle(history.vehicle, UtcMillis(to.0.saturating_sub(1))))?;
        if history.known_to < from {
            return None;
        }
        let units = units_of(world, history, from.max(vehicle.valid.from));
        let range = self.trips.partition_point(|matched| matched.trip.start < from)
            ..self.trips.partition_point(|matched| matched.trip.start < to);
        Some(VehicleDay {
            world,
            history: up_to(history, looks_ahead_to(world, history.vehicle, date)),
            vehicle,
            settings: memo.at(&units, from),
            info: world.day(&units, date),
            units,
            day: date,
            from,
            to,
            trips: self.trips.get(range).unwrap_or_default().to_vec(),
            past: Arc::clone(&self.trips),
            orders: Arc::clone(&self.orders),
        })
    }
}

/// The part of a history that began by `to`: whoever asks about more days than one holds more, and must get the same answer.
fn up_to(history: VehicleHistory<'_>, to: UtcMillis) -> VehicleHistory<'_> {
    let segments = history.segments.partition_point(|segment| segment.start() <= to);
    let points = history.points.partition_point(|point| point.time <= to);
    VehicleHistory {
        segments: history.segments.get(..segments).unwrap_or_default(),
        points: history.points.get(..points).unwrap_or_default(),
        ..history
    }
}

fn units_of(world: &World, history: VehicleHistory<'_>, at: UtcMillis) -> Vec<UnitId> {
    world.using_unit(history.vehicle, at).map(|unit| world.unit_path(unit, at)).unwrap_or_default()
}

const fn trip_of(segment: &Segment) -> Option<&Trip> {
    match segment {
        Segment::Trip(trip) => Some(trip),
        Segment::Stop(_) | Segment::Gap(_) => None,
    }
}

#[cfg(test)]
#[path = "vehicle_tests.rs"]
mod tests;
