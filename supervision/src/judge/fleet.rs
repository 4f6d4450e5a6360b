//! Judges what only the vehicles of a fleet together show.

use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::civil::Date;

use super::settings::SettingsMemo;
use super::settle::sort;
use super::vehicle::MatchedHistory;
use super::{Matched, VehicleHistory};
use crate::UtcMillis;
use crate::finding::Finding;
use crate::ids::{UnitId, VehicleId};
use crate::matching::OrderMatch;
use crate::rules::FLEET_RULES;
use crate::trips::{Segment, Stop};
use crate::world::{Settings, World};

/// No more days than this are judged in one call.
const DAYS_MAX: usize = 3_660;

/// One vehicle among those of a fleet.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what rules read")]
pub struct FleetVehicle<'a> {
    /// Its tracks.
    pub history: VehicleHistory<'a>,
    /// Its trips and moves with their orders, of the whole history.
    pub trips: Arc<Vec<Matched<'a>>>,
    /// What became of its orders.
    pub orders: Arc<Vec<OrderMatch>>,
}

impl<'a> FleetVehicle<'a> {
    /// The vehicle's number.
    #[must_use]
    pub const fn id(&self) -> VehicleId {
        self.history.vehicle
    }

    /// The stops that touch `from` to `to`, in order.
    pub fn stops(&self, from: UtcMillis, to: UtcMillis) -> impl Iterator<Item = &'a Stop> {
        self.history.segments.iter().filter_map(move |segment| match segment {
            Segment::Stop(stop) if stop.start <= to && stop.end >= from => Some(stop),
            _ => None,
        })
    }
}

/// A fleet on one local day.
#[derive(Debug)]
pub struct FleetDay<'a> {
    /// Everything besides the tracks.
    pub world: &'a World,
    /// The vehicles, in order of their numbers.
    pub vehicles: &'a [FleetVehicle<'a>],
    /// The local day.
    pub day: Date,
    /// Local midnight.
    pub from: UtcMillis,
    /// The next local midnight.
    pub to: UtcMillis,
    memo: &'a SettingsMemo<'a>,
}

impl FleetDay<'_> {
    /// A unit and those above it at the beginning of the day, nearest first.
    #[must_use]
    pub fn units(&self, unit: UnitId) -> Vec<UnitId> {
        self.world.unit_path(unit, self.from)
    }

    /// The settings that hold for a unit path at the beginning of the day.
    #[must_use]
    pub fn settings(&self, units: &[UnitId]) -> Arc<Settings> {
        self.memo.at(units, self.from)
    }

    /// Up to when everything is there for all vehicles; the far future when there is none.
    #[must_use]
    pub fn known_to(&self) -> UtcMillis {
        let known = self.vehicles.iter().map(|vehicle| vehicle.history.known_to);
        known.min().unwrap_or(UtcMillis(i64::MAX))
    }
}

/// Judges the vehicles of a fleet together on local days. The order of `histories` does not matter.
#[must_use]
pub fn judge_fleet(
    world: &World,
    histories: &[VehicleHistory<'_>],
    days: RangeInclusive<Date>,
) -> Vec<Finding> {
    let memo = SettingsMemo::new(world);
    let mut vehicles: Vec<_> = histories
        .iter()
        .map(|history| {
            let MatchedHistory { trips, orders } = MatchedHistory::new(world, &memo, *history);
            FleetVehicle { history: *history, trips, orders }
        })
        .collect();
    vehicles.sort_by_key(FleetVehicle::id);
    let mut findings = Vec::new();
    let (mut date, last) = (*days.start(), *days.end());
    for _ in 0..DAYS_MAX {
        if date > last {
            break;
        }
        let (from, to) = (world.instant(date, 0), world.instant(date, 1_440));
        let day = FleetDay { world, vehicles: &vehicles, day: date, from, to, memo: &memo };
        for (_, rule) in FLEET_RULES {
            rule(&day, &mut findings);
        }
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    findings.retain(|finding| !is_exempt(world, finding));
    sort(&mut findings);
    findings
}

/// Whether an exemption lifts a finding. What is said about a unit's papers is lifted only by exemptions that name no class and no car.
fn is_exempt(world: &World, finding: &Finding) -> bool {
    let (rule, at) = (finding.rule, finding.from);
    let units = world.unit_path(finding.unit, at);
    if let Some(vehicle) = world.vehicle(finding.vehicle, at) {
        return world.exemption(rule, finding.vehicle, vehicle.row.class, &units, at).is_some();
    }
    world.register().exemptions.iter().filter(|exemption| exemption.valid.contains(at)).any(|exemption| {
        let row = &exemption.row;
        row.rules.contains(&rule)
            && (row.class, row.vehicle) == (None, None)
            && row.unit.is_none_or(|unit| units.contains(&unit))
    })
}
