//! Keeps cases in step with the flags, and reminds of explanations that are due. A case that fails keeps nobody else waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::civil::Date;
use motorpool_supervision::cases::Cause;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::register::Register;
use motorpool_supervision::world::World;

use super::super::{cases, judging, reminders};
use super::Supervisor;
use crate::registry::{Known, RowScope};

impl Supervisor {
    /// After a start: cases of the last weeks that the former run may not have brought in step.
    pub(super) async fn sync_recent(
        &mut self,
        world: &World,
        range: RangeInclusive<Date>,
    ) -> anyhow::Result<()> {
        let flags = judging::open_flags(&self.parts.registry, None, &range).await?;
        let cases = cases::keys(&self.parts.registry, &range).await?;
        let mut days: BTreeMap<VehicleId, BTreeSet<Date>> = BTreeMap::new();
        for (vehicle, day) in flags.iter().map(|flag| (flag.finding.vehicle, flag.finding.day)).chain(cases) {
            days.entry(vehicle).or_default().insert(day);
        }
        for (vehicle, days) in &days {
            self.sync_vehicle(world, *vehicle, days, &Cause::LateFixes).await;
        }
        Ok(())
    }

    pub(super) async fn sync_cases(
        &mut self,
        days: &BTreeMap<VehicleId, BTreeSet<Date>>,
        cause: &(dyn Fn(VehicleId) -> Cause + Sync),
    ) -> anyhow::Result<()> {
        let (Some(first), Some(last)) =
            (days.values().filter_map(BTreeSet::first).min(), days.values().filter_map(BTreeSet::last).max())
        else {
            return Ok(());
        };
        let scope = RowScope::Vehicles(days.keys().copied().collect());
        let zone = &self.parts.settings.time_zone;
        let (world, _) =
            judging::world(&self.parts.registry, &scope, zone, (*first, *last), self.known).await?;
        for (vehicle, days) in days {
            self.sync_vehicle(&world, *vehicle, days, &cause(*vehicle)).await;
        }
        Ok(())
    }

    /// Brings the cases of one vehicle in step. One that fails waits for the next pass and keeps nobody else waiting.
    async fn sync_vehicle(
        &mut self,
        world: &World,
        vehicle: VehicleId,
        days: &BTreeSet<Date>,
        cause: &Cause,
    ) {
        let registry = Arc::clone(&self.parts.registry);
        if let Err(error) = cases::sync(&registry, world, vehicle, days, cause, self.now).await {
            tracing::warn!(vehicle = vehicle.0, %error, "cases could not be brought in step and will be tried again");
            self.status.failed_cases.fetch_add(1, Ordering::Relaxed);
            self.unsynced.entry(vehicle).or_default().extend(days);
        }
    }

    /// Tries again what could not be brought in step before.
    pub(super) async fn sync_left_over(&mut self) {
        let left_over = std::mem::take(&mut self.unsynced);
        if left_over.is_empty() {
            return;
        }
        if let Err(error) = self.sync_cases(&left_over, &|_| Cause::LateFixes).await {
            tracing::warn!(error = format!("{error:#}"), "cases wait");
            self.unsynced = left_over;
        }
    }

    /// Once a local day: a step of an explanation's clock is due when a day is over.
    pub(super) async fn remind(&mut self) -> anyhow::Result<()> {
        let zone = &self.parts.settings.time_zone;
        let today = World::new(Register::default(), zone)?.local(self.now).0;
        if self.reminded == Some(today) {
            return Ok(());
        }
        let scope = RowScope::Vehicles(BTreeSet::new());
        let (world, _) =
            judging::world(&self.parts.registry, &scope, zone, (today, today), Known::Now).await?;
        reminders::remind(&self.parts.registry, &world, self.now).await?;
        self.reminded = Some(today);
        Ok(())
    }
}
