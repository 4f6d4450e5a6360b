//! Slots and days of the cars that a caller sees, each for the times at which its devices told of it and it is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motorpool_rollups::iot::{Car, CarId, Fleet, Stay, UnitRef};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Span, Vehicle, Versioned};
use motorpool_supervision::rollups::Slot;

use super::Data;
use super::desk::Desk;
use crate::accounts::scope::shared;
use crate::api::problem::Problem;
use crate::ids::DeviceId;
use crate::registry::Known;
use crate::rollups::Rollups;

impl Data {
    /// What each device did. Whoever asks for a device has it from [`Data::rolled_up`].
    pub(in super::super) fn rollups(&self) -> Arc<Rollups> {
        Arc::clone(&self.vault().rollups)
    }

    /// The cars that are seen now, of a unit and those below it, and the slots in which their primary devices told of them.
    pub(in super::super) async fn rolled_up(
        &self,
        desk: &Desk,
        top: Option<UnitId>,
    ) -> Result<(Fleet, BTreeSet<DeviceId>), Problem> {
        let rows = self.registry().rows::<Vehicle>(Known::Now).await?;
        let is_theirs = |unit| top.is_none_or(|top| desk.units.is_within(unit, top));
        let is_shown = |row: &&Versioned<Vehicle>| {
            row.valid.contains(self.now) && is_theirs(row.row.unit) && self.sees_vehicle(VehicleId(row.id))
        };
        let mut fleet = Fleet::default();
        let mut places = BTreeMap::new();
        for row in rows.iter().filter(is_shown) {
            places.insert(VehicleId(row.id), fleet.cars.len());
            fleet.cars.push(car(row, desk.unit_name(row.row.unit, self.now)));
        }
        let mut devices = BTreeSet::new();
        for (device, fittings) in self.fleet().fitted() {
            let Ok(number) = u32::try_from(device.0) else { continue };
            let mut stays = Vec::new();
            for fitting in fittings.iter().filter(|fitting| fitting.is_primary) {
                let Some(car) = places.get(&fitting.vehicle) else { continue };
                let seen = self.vehicle_times(fitting.vehicle);
                let times = seen.into_iter().filter_map(|span| shared(span, fitting.valid));
                stays.extend(times.map(|span| Stay { car: *car, slots: whole_slots(span) }));
            }
            if !stays.is_empty() {
                devices.insert(DeviceId(number));
                fleet.stays.insert(DeviceId(number), stays);
            }
        }
        Ok((fleet, devices))
    }
}

/// The slots that lie within a time as a whole: of one that lies in it by half, the other half may be another's.
fn whole_slots(span: Span) -> std::ops::Range<Slot> {
    Slot::from(span.from)..span.to.map_or(Slot(i32::MAX), Slot::of)
}

fn car(row: &Versioned<Vehicle>, unit_name: String) -> Car {
    let vehicle = &row.row;
    Car {
        id: CarId { vehicle: row.id, plate: vehicle.plate.clone() },
        unit: UnitRef { unit: vehicle.unit.0, unit_name },
        model: vehicle.model.clone(),
        tank_l: vehicle.tank_l,
        norm_dl_per_100km: vehicle.norm_dl_per_100km,
        load_capacity_kg: vehicle.load_capacity_kg,
    }
}
