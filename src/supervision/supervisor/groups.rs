//! Judges vehicle-days in groups, one transaction each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use jiff::civil::Date;
use motorpool_supervision::cases::Cause;
use motorpool_supervision::ids::{DeviceId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::world::World;

use super::super::days::Days;
use super::super::judging::{self, Found, Fresh, Sources};
use super::Supervisor;
use crate::registry::{Judgement, RowScope, revise_flags};

/// Vehicles judged in one transaction.
const VEHICLES_AT_ONCE: usize = 64;

impl Supervisor {
    /// Judges vehicle-days in the registry as it is now.
    pub(super) async fn judge_days(
        &self,
        days: &Days,
        fresh: &BTreeMap<DeviceId, Fresh>,
    ) -> anyhow::Result<Found> {
        let Some(bounds) = days.bounds() else { return Ok(Found::default()) };
        let scope = RowScope::Vehicles(days.vehicles());
        let registry = &self.parts.registry;
        let (world, _) =
            judging::world(registry, &scope, &self.parts.settings.time_zone, bounds, self.known).await?;
        let days = &with_beginnings(&world, days);
        let found = judging::judge(self.sources(fresh), &world, days, self.now).await?;
        self.status.judged_days.fetch_add(days.len() as u64, Ordering::Relaxed);
        Ok(found)
    }

    pub(super) fn sources<'a>(&'a self, fresh: &'a BTreeMap<DeviceId, Fresh>) -> Sources<'a> {
        Sources { registry: &self.parts.registry, tracks: &self.parts.tracks, rests: &self.rests, fresh }
    }

    pub(super) async fn judge_in_groups(
        &mut self,
        mut days: Days,
        reason: &str,
        cause: &(dyn Fn(VehicleId) -> Cause + Sync),
    ) -> anyhow::Result<()> {
        while !days.is_empty() {
            self.status.waiting_days.store(days.len() as u64, Ordering::Relaxed);
            let group = days.take(VEHICLES_AT_ONCE);
            let found = self.judge_days(&group, &BTreeMap::new()).await?;
            let mut judgement = Judgement::default();
            add_flags(&mut judgement, &found, reason);
            if !judgement.flags.is_empty() || !judgement.gone_flags.is_empty() {
                self.commit(judgement).await?;
            }
            self.sync_cases(&days_by_vehicle(&group), cause).await?;
        }
        self.status.waiting_days.store(0, Ordering::Relaxed);
        Ok(())
    }
}

pub(super) fn add_flags(judgement: &mut Judgement, found: &Found, reason: &str) {
    let (flags, gone) = revise_flags(&found.current, &found.wanted, reason);
    judgement.flags.extend(flags);
    judgement.gone_flags.extend(gone);
}

pub(super) fn days_by_vehicle(days: &Days) -> BTreeMap<VehicleId, BTreeSet<Date>> {
    let days_of = |runs: Vec<RangeInclusive<Date>>| {
        runs.into_iter()
            .flat_map(|run| {
                let last = *run.end();
                run.start().series(jiff::Span::new().days(1)).take_while(move |day| *day <= last)
            })
            .collect()
    };
    days.runs().map(|(vehicle, runs)| (vehicle, days_of(runs))).collect()
}

/// The days, and for each vehicle the days on which its orders of several days began: what an order asks is asked on its first.
fn with_beginnings(world: &World, days: &Days) -> Days {
    let mut wider = days.clone();
    for (vehicle, runs) in days.runs() {
        for run in runs {
            let (from, to) = (world.instant(*run.start(), 0), world.instant(*run.end(), 1_440));
            let spans = world.orders(vehicle).map(|order| &order.row);
            for order in spans.filter(|order| {
                order.planned_out < from && order.planned_in >= from && order.planned_out <= to
            }) {
                let earliest = run.start().saturating_sub(jiff::Span::new().days(LOOK_BACK_DAYS));
                let first = world.local(order.planned_out).0.max(earliest);
                wider.add(vehicle, first..=*run.start());
            }
        }
    }
    wider
}
