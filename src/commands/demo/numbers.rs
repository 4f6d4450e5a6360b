//! The script's numbers of units, zones, drivers, cars and devices, and those that the registry has for the same.

use motorpool_supervision::ids::{DeviceId, DriverId, UnitId, VehicleId, ZoneId};
use motorpool_supervision::register::{
    Binding, Driver, DriverLogin, Duty, Emergency, Exemption, FuelFill, Mileage, Order, Passage, PlaceEntry,
    Repair, Report, RuleSet, Seal, Unit, Vehicle, Watermark, Zone,
};

use crate::ids;

/// What to add to a number of the script to get the registry's.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    pub(super) units: i64,
    pub(super) zones: i64,
    pub(super) drivers: i64,
    pub(super) vehicles: i64,
    /// The devices of the script, in order.
    pub(super) devices: Vec<ids::DeviceId>,
}

impl Numbers {
    fn unit(&self, UnitId(unit): &mut UnitId) {
        *unit += self.units;
    }

    fn zone(&self, ZoneId(zone): &mut ZoneId) {
        *zone += self.zones;
    }

    fn driver(&self, DriverId(driver): &mut DriverId) {
        *driver += self.drivers;
    }

    fn vehicle(&self, VehicleId(vehicle): &mut VehicleId) {
        *vehicle += self.vehicles;
    }

    fn device(&self, DeviceId(device): &mut DeviceId) {
        let place = usize::try_from(*device - 1).ok();
        let known = place.and_then(|place| self.devices.get(place));
        *device = known.map_or(0, |known| i64::from(known.0));
    }
}

/// A row that names others by number.
pub(super) trait Refers {
    /// Puts the registry's numbers in the place of the script's.
    fn renumber(&mut self, numbers: &Numbers);
}

macro_rules! refers {
    ($($row:ty: |$self:ident, $numbers:ident| $body:block)*) => {
        $(impl Refers for $row {
            fn renumber(&mut self, $numbers: &Numbers) {
                let $self = self;
                $body
            }
        })*
    };
}

refers! {
    Unit: |row, numbers| {
        row.parent.iter_mut().chain(&mut row.reviewed_by).for_each(|unit| numbers.unit(unit));
    }
    Zone: |row, numbers| { row.unit.iter_mut().for_each(|unit| numbers.unit(unit)); }
    Driver: |row, numbers| { numbers.unit(&mut row.unit); }
    Vehicle: |row, numbers| {
        numbers.unit(&mut row.unit);
        row.depot.iter_mut().for_each(|zone| numbers.zone(zone));
    }
    Binding: |row, numbers| {
        numbers.device(&mut row.device);
        numbers.vehicle(&mut row.vehicle);
    }
    Order: |row, numbers| {
        numbers.unit(&mut row.unit);
        numbers.vehicle(&mut row.vehicle);
        row.driver_id.iter_mut().for_each(|driver| numbers.driver(driver));
        row.area.iter_mut().for_each(|zone| numbers.zone(zone));
    }
    Duty: |row, numbers| {
        numbers.unit(&mut row.unit);
        row.vehicle.iter_mut().for_each(|vehicle| numbers.vehicle(vehicle));
    }
    Emergency: |row, numbers| {
        row.area.iter_mut().for_each(|zone| numbers.zone(zone));
        row.units.iter_mut().for_each(|unit| numbers.unit(unit));
    }
    Seal: |row, numbers| {
        numbers.vehicle(&mut row.vehicle);
        row.place.iter_mut().for_each(|zone| numbers.zone(zone));
    }
    PlaceEntry: |row, numbers| {
        row.unit.iter_mut().for_each(|unit| numbers.unit(unit));
        row.zone.iter_mut().for_each(|zone| numbers.zone(zone));
    }
    RuleSet: |row, numbers| { row.unit.iter_mut().for_each(|unit| numbers.unit(unit)); }
    Exemption: |row, numbers| {
        row.unit.iter_mut().for_each(|unit| numbers.unit(unit));
        row.vehicle.iter_mut().for_each(|vehicle| numbers.vehicle(vehicle));
    }
    Watermark: |row, numbers| { row.unit.iter_mut().for_each(|unit| numbers.unit(unit)); }
    Report: |row, numbers| { numbers.vehicle(&mut row.vehicle); }
    FuelFill: |row, numbers| {
        numbers.vehicle(&mut row.vehicle);
        row.card_vehicle.iter_mut().for_each(|vehicle| numbers.vehicle(vehicle));
    }
    Passage: |row, numbers| { numbers.vehicle(&mut row.vehicle); }
    Repair: |row, numbers| { numbers.vehicle(&mut row.vehicle); }
    DriverLogin: |row, numbers| { numbers.vehicle(&mut row.vehicle); }
    Mileage: |row, numbers| { numbers.vehicle(&mut row.vehicle); }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_row_is_mapped() {
        let numbers = Numbers {
            units: 10,
            zones: 100,
            drivers: 1_000,
            vehicles: 10_000,
            devices: vec![ids::DeviceId(77), ids::DeviceId(78)],
        };
        let mut order = Order {
            unit: UnitId(1),
            vehicle: VehicleId(2),
            driver_id: Some(DriverId(3)),
            area: Some(ZoneId(4)),
            ..Order::default()
        };
        order.renumber(&numbers);
        assert_eq!((order.unit, order.vehicle), (UnitId(11), VehicleId(10_002)));
        assert_eq!((order.driver_id, order.area), (Some(DriverId(1_003)), Some(ZoneId(104))));
        let mut binding = Binding { device: DeviceId(2), vehicle: VehicleId(2), ..Binding::default() };
        binding.renumber(&numbers);
        assert_eq!((binding.device, binding.vehicle), (DeviceId(78), VehicleId(10_002)));
        let mut unit = Unit { parent: Some(UnitId(1)), reviewed_by: Some(UnitId(3)), ..Unit::default() };
        unit.renumber(&numbers);
        assert_eq!((unit.parent, unit.reviewed_by), (Some(UnitId(11)), Some(UnitId(13))));
    }
}
