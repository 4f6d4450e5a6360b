//! Judges again what changes of the registers touch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motorpool_supervision::cases::Cause;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::register::{Order, Row as _, Versioned};
use motorpool_supervision::world::World;

use super::super::changes::{self, Before};
use super::super::judging;
use super::Supervisor;
use crate::registry::{Changed, Known, RowScope};

impl Supervisor {
    /// Judges what changes of the registry touch. Returns the change up to which that is done.
    pub(super) async fn judge_changes(&mut self) -> anyhow::Result<i64> {
        let registry = Arc::clone(&self.parts.registry);
        let seen = self.checkpoint.map_or(0, |checkpoint| checkpoint.change);
        let changed = registry.changes_since(seen).await?;
        if changed.is_empty() {
            return Ok(seen);
        }
        // A write that comes meanwhile has a higher number and is seen by the next pass.
        let change = changed.iter().map(|changed| changed.change).max().unwrap_or(seen);
        let is_about_the_fleet = changed.iter().any(changes::is_about_the_fleet);
        if is_about_the_fleet {
            // What tracks have changed since goes by the registry as it was.
            self.judge_waiting_fleet_days().await?;
        }
        self.known = Known::Change(change);
        let within = self.judged_range()?;
        let bounds = (*within.start(), *within.end());
        let zone = &self.parts.settings.time_zone;
        let (world, _) = judging::world(&registry, &RowScope::All, zone, bounds, self.known).await?;
        let before = Before::read(&registry, &changed, seen, change).await?;
        let days = changes::touched(&world, &changed, &before, &within);
        let fleet_days = if is_about_the_fleet { days.all() } else { BTreeSet::new() };
        let causes = causes(&world, &changed, change);
        let cause = |vehicle| causes.get(&vehicle).cloned().unwrap_or(Cause::RegistryChange { change });
        self.judge_in_groups(days, judging::BY_REGISTRY, &cause).await?;
        self.judge_changed_fleet_days(fleet_days, &cause).await?;
        Ok(change)
    }
}

/// Why vehicles are judged again: the last order that changed, where one did.
fn causes(world: &World, changed: &[Changed], change: i64) -> BTreeMap<VehicleId, Cause> {
    let mut causes = BTreeMap::new();
    let mut orders: BTreeMap<i64, &Versioned<Order>> = BTreeMap::new();
    for order in &world.register().orders {
        let newest = orders.entry(order.id).or_insert(order);
        if newest.version < order.version {
            *newest = order;
        }
    }
    for changed in changed {
        for vehicle in &changed.vehicles {
            causes.entry(*vehicle).or_insert(Cause::RegistryChange { change });
        }
        if changed.kind != Order::KIND {
            continue;
        }
        let newest = orders.get(&changed.id);
        if let Some(order) = newest {
            let recorded_at = order.row.entered_at.unwrap_or(order.recorded_at);
            causes.insert(order.row.vehicle, Cause::Order { no: order.row.no.clone(), recorded_at });
        }
    }
    causes
}
