//! Judges days whose night is over: each vehicle's, then the fleet's as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::Cause;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::register::Order;
use motorpool_supervision::world::World;

use super::super::days::{Days, runs};
use super::super::judging::{self, Found};
use super::groups::add_flags;
use super::{SETTLED, Supervisor};
use crate::registry::{Judgement, RowScope};

/// A local day is settled this long after it began: its night is over.
pub(super) const SETTLED_AFTER_MS: i64 = 32 * 3_600_000;

/// Days that a start judges again together, in case the process died between flags and what follows from them.
const START_BACK_DAYS: i64 = 60;

/// The rules of the whole fleet look at the same day again no sooner than this.
const FLEET_EVERY_MS: i64 = 600_000;

impl Supervisor {
    /// Judges days whose night is over since the last pass, and the days of orders that ended meanwhile.
    pub(super) async fn judge_settled_days(&mut self) -> anyhow::Result<()> {
        if self.now.0 <= 0 {
            return Ok(());
        }
        let zone = self.local()?;
        let settled = zone.local(UtcMillis(self.now.0 - SETTLED_AFTER_MS)).0;
        let is_start = !std::mem::replace(&mut self.is_started, true);
        if self.settled >= Some(settled) && !is_start {
            return Ok(());
        }
        let back = |days: i64| settled.saturating_sub(jiff::Span::new().days(days));
        let first = self.settled.map_or_else(|| back(1), |day| day.saturating_add(jiff::Span::new().days(1)));
        let first = first.clamp(back(i64::from(self.parts.settings.judge_back_days)), settled);
        let registry = Arc::clone(&self.parts.registry);
        let bounds = (first, settled);
        let (world, _) =
            judging::world(&registry, &RowScope::All, &self.parts.settings.time_zone, bounds, self.known)
                .await?;
        let mut days = Days::default();
        for vehicle in world.vehicle_ids() {
            days.add(vehicle, first..=settled);
        }
        for order in ended_orders(&world, first, settled) {
            let begins = world.local(order.planned_out).0.saturating_sub(jiff::Span::new().days(1));
            days.add(order.vehicle, begins.max(back(LOOK_BACK_DAYS)).min(settled)..=settled);
        }
        self.fleet_days.extend(first.series(jiff::Span::new().days(1)).take_while(|day| *day <= settled));
        self.judge_in_groups(days, judging::BY_FIXES, &|_| Cause::LateFixes).await?;
        if is_start {
            self.sync_recent(&world, back(START_BACK_DAYS)..=settled).await?;
        }
        self.settled = Some(settled);
        self.parts.registry.set_setting(SETTLED, &settled.to_string()).await?;
        Ok(())
    }

    pub(super) fn publish_fleet_days(&self) {
        let waiting = self.settled.map_or(0, |settled| self.fleet_days.range(..=settled).count());
        self.status.waiting_fleet_days.store(waiting as u64, Ordering::Relaxed);
    }

    /// Judges the days that wait by the rules of the whole fleet, once they are settled: now and then, and when there is nothing else to do.
    pub(super) async fn judge_fleet_days(&mut self, is_quiet: bool) -> anyhow::Result<()> {
        let Some(settled) = self.settled else { return Ok(()) };
        let is_time = self.fleet_judged_at.is_none_or(|at| self.now.0.saturating_sub(at.0) >= FLEET_EVERY_MS);
        if !(is_time || is_quiet) || self.fleet_days.first().is_none_or(|day| *day > settled) {
            return Ok(());
        }
        self.fleet_judged_at = Some(self.now);
        self.judge_waiting_fleet_days().await
    }

    /// Judges the settled days that wait by the rules of the whole fleet.
    pub(super) async fn judge_waiting_fleet_days(&mut self) -> anyhow::Result<()> {
        let Some(settled) = self.settled else { return Ok(()) };
        let ready: BTreeSet<Date> = self.fleet_days.range(..=settled).copied().collect();
        self.judge_fleet_runs(&ready, judging::BY_FIXES, &|_| Cause::LateFixes).await
    }

    /// Judges days that a change of the registry touches by the rules of the whole fleet, by itself: what it clears must not look like late
    /// fixes. Days that are not settled wait until they are.
    pub(super) async fn judge_changed_fleet_days(
        &mut self,
        days: BTreeSet<Date>,
        cause: &(dyn Fn(VehicleId) -> Cause + Sync),
    ) -> anyhow::Result<()> {
        let is_settled = |day: &Date| self.settled.is_some_and(|settled| *day <= settled);
        let (ready, waiting): (BTreeSet<Date>, BTreeSet<Date>) = days.into_iter().partition(is_settled);
        self.fleet_days.extend(waiting);
        self.judge_fleet_runs(&ready, judging::BY_REGISTRY, cause).await
    }

    /// Judges days by the rules of the whole fleet, in runs: registers and tracks of a run are read once.
    async fn judge_fleet_runs(
        &mut self,
        days: &BTreeSet<Date>,
        reason: &str,
        cause: &(dyn Fn(VehicleId) -> Cause + Sync),
    ) -> anyhow::Result<()> {
        for run in runs(days) {
            let registry = Arc::clone(&self.parts.registry);
            let zone = &self.parts.settings.time_zone;
            let bounds = (*run.start(), *run.end());
            let (world, _) = judging::world(&registry, &RowScope::All, zone, bounds, self.known).await?;
            let nothing = BTreeMap::new();
            let found = judging::judge_together(self.sources(&nothing), &world, &run, self.now).await?;
            let mut judgement = Judgement::default();
            add_flags(&mut judgement, &found, reason);
            if !judgement.flags.is_empty() || !judgement.gone_flags.is_empty() {
                self.commit(judgement).await?;
                self.sync_cases(&days_found(&found), cause).await?;
            }
            self.fleet_days.retain(|day| !run.contains(day));
        }
        Ok(())
    }
}

/// The vehicle-days that something was or is asked about.
fn days_found(found: &Found) -> BTreeMap<VehicleId, BTreeSet<Date>> {
    let mut days: BTreeMap<VehicleId, BTreeSet<Date>> = BTreeMap::new();
    for finding in found.wanted.iter().chain(found.current.iter().map(|flag| &flag.finding)) {
        days.entry(finding.vehicle).or_default().insert(finding.day);
    }
    days
}

/// Orders whose planned time ended on one of these days.
fn ended_orders(world: &World, first: Date, last: Date) -> impl Iterator<Item = &Order> {
    let (from, to) = (world.instant(first, 0), world.instant(last, 1_440));
    world
        .register()
        .orders
        .iter()
        .map(|order| &order.row)
        .filter(move |order| from <= order.planned_in && order.planned_in < to)
}
