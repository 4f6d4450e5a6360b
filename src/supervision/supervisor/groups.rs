//! Judges vehicle-days in groups, one transaction each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use jiff::civil::Date;
use motorpool_supervision::cases::Cause;
use motorpool_supervision::ids::{DeviceId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::register::{Order, Versioned};
use motorpool_supervision::world::World;

use super::super::days::Days;
use super::super::judging::{self, Found, Fresh, Sources};
use super::Supervisor;
use crate::registry::{Judgement, RowScope, revise_flags};

/// Vehicles judged in one transaction.
const VEHICLES_AT_ONCE: usize = 64;

/// What judging vehicle-days gave.
#[derive(Debug)]
pub(super) struct Judged {
    /// Those days, and the beginnings of the orders that hold on them.
    pub(super) days: Days,
    /// What they were judged by.
    pub(super) world: World,
    pub(super) found: Found,
}

impl Supervisor {
    /// Judges vehicle-days; `None` when there are none.
    pub(super) async fn judge_days(
        &self,
        days: &Days,
        fresh: &BTreeMap<DeviceId, Fresh>,
    ) -> anyhow::Result<Option<Judged>> {
        let days = self.with_beginnings(days).await?;
        let Some(bounds) = days.bounds() else { return Ok(None) };
        let scope = RowScope::Vehicles(days.vehicles());
        let registry = &self.parts.registry;
        let (world, _) =
            judging::world(registry, &scope, &self.parts.settings.time_zone, bounds, self.known).await?;
        let found = judging::judge(self.sources(fresh), &world, &days, self.now).await?;
        self.status.judged_days.fetch_add(days.len() as u64, Ordering::Relaxed);
        Ok(Some(Judged { days, world, found }))
    }

    /// The days, and for each vehicle the days on which its orders of several days began: what an order asks is asked on its first. Before
    /// the world is read, which reaches back from the first of them.
    async fn with_beginnings(&self, days: &Days) -> anyhow::Result<Days> {
        let Some((first, last)) = days.bounds() else { return Ok(Days::default()) };
        let zone = self.local()?;
        let (from, to) = (zone.instant(first, 0), zone.instant(last, 1_440));
        let orders: Vec<Versioned<Order>> =
            self.parts.registry.rows_about(&days.vehicles(), from, to, self.known).await?;
        let mut by_vehicle: BTreeMap<VehicleId, Vec<&Order>> = BTreeMap::new();
        for order in &orders {
            by_vehicle.entry(order.row.vehicle).or_default().push(&order.row);
        }
        let mut wider = days.clone();
        for (vehicle, runs) in days.runs() {
            let orders = by_vehicle.get(&vehicle).map(Vec::as_slice).unwrap_or_default();
            for run in runs {
                if let Some(first) = beginning(&zone, orders, *run.start()) {
                    wider.add(vehicle, first..=*run.start());
                }
            }
        }
        Ok(wider)
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
            let Some(judged) = self.judge_days(&group, &BTreeMap::new()).await? else { continue };
            let mut judgement = Judgement::default();
            add_flags(&mut judgement, &judged.found, reason);
            if !judgement.flags.is_empty() || !judgement.gone_flags.is_empty() {
                self.commit(judgement).await?;
            }
            self.sync_cases(&days_by_vehicle(&judged.days), cause).await?;
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

/// The first day of the orders that began before `day` and hold on it, as far back as rules look.
fn beginning(zone: &World, orders: &[&Order], day: Date) -> Option<Date> {
    let from = zone.instant(day, 0);
    let earliest = day.saturating_sub(jiff::Span::new().days(LOOK_BACK_DAYS));
    let holding = orders.iter().filter(|order| order.planned_out < from && order.planned_in >= from);
    holding.map(|order| zone.local(order.planned_out).0.max(earliest)).min()
}
