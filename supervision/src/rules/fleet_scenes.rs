//! Several cars of several units, for tests of rules about the fleet.

use crate::UtcMillis;
use crate::finding::{Finding, Rule};
use crate::ids::{UnitId, VehicleId};
use crate::judge::testing::{BUREAU, CAR, COUNTY, Scene, date};
use crate::judge::{VehicleHistory, judge_fleet};
use crate::register::{Unit, Vehicle, Versioned};

/// The scene's car and others. The register is that of the scene.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    pub(super) scene: Scene,
    others: Vec<(VehicleId, Scene)>,
}

impl Fleet {
    pub(super) fn new() -> Self {
        Self { scene: Scene::new(), others: Vec::new() }
    }

    /// A unit beside the bureau.
    pub(super) fn unit(&mut self, unit: UnitId) {
        let row = Unit { name: format!("第{unit}局"), parent: Some(COUNTY), ..Unit::default() };
        self.scene.register.units.push(Versioned::first(unit.0, UtcMillis(0), row));
    }

    /// A car of `unit` with a track of its own, to be driven.
    pub(super) fn car(&mut self, vehicle: VehicleId, unit: UnitId) -> &mut Scene {
        let row = Vehicle { plate: format!("测A{vehicle:05}"), unit, ..Vehicle::default() };
        self.scene.register.vehicles.push(Versioned::first(vehicle.0, UtcMillis(0), row));
        self.others.push((vehicle, Scene::new()));
        &mut self.others.last_mut().unwrap().1
    }

    /// A second car of the bureau.
    pub(super) fn second_car(&mut self) -> &mut Scene {
        self.car(VehicleId(8), BUREAU)
    }

    /// What is found about the days, the histories given in the order of `rank`.
    pub(super) fn judge_by<K: Ord>(
        &self,
        from: &str,
        to: &str,
        rank: impl Fn(VehicleId) -> K,
    ) -> Vec<Finding> {
        let cars =
            || std::iter::once((CAR, &self.scene)).chain(self.others.iter().map(|(id, scene)| (*id, scene)));
        let tracks: Vec<_> = cars().map(|(id, scene)| (id, scene, scene.all_segments())).collect();
        let mut histories: Vec<_> = tracks
            .iter()
            .map(|(vehicle, scene, segments)| VehicleHistory {
                vehicle: *vehicle,
                segments,
                points: &scene.points,
                known_to: self.scene.known_to,
            })
            .collect();
        histories.sort_by_key(|history| rank(history.vehicle));
        judge_fleet(&self.scene.world(), &histories, date(from)..=date(to))
    }

    /// Everything found about the days.
    pub(super) fn judge(&self, from: &str, to: &str) -> Vec<Finding> {
        self.judge_by(from, to, |vehicle| vehicle)
    }

    /// What `rule` found about the days.
    pub(super) fn found(&self, rule: Rule, from: &str, to: &str) -> Vec<Finding> {
        let mut found = self.judge(from, to);
        found.retain(|finding| finding.rule == rule);
        found
    }
}
