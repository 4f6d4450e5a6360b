//! What a caller sees: the units of its grants with all below them, as the tree is now, and the cars, devices and times that follow.
//!
//! | of | the caller sees |
//! | --- | --- |
//! | a car of a unit in scope | everything, whenever it was |
//! | a car lent to a unit in scope | the time of the loan |
//! | a car that the caller drives | the time of the order |
//! | a device | the times at which it sat in such a car |
//! | a car on secret work | nothing, unless a grant that says so covers its unit |
//! | what names no unit and no car | only with a grant on everything |
//!
//! A scope is cut for one permission: whoever writes the registers of one unit and reads those of ten has two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::PersonId;
use motorpool_supervision::ids::{DeviceId as SupervisedDevice, DriverId, UnitId, VehicleId};
use motorpool_supervision::register::Span;

use super::caller::{Caller, Mandate, Over};
use super::fleet::{Car, Fleet};
use super::roles::Permission;
use crate::ids::DeviceId;

/// The times at which a driver has cars: from orders in the driver's name.
pub type OwnTimes = BTreeMap<VehicleId, Vec<Span>>;

/// What a caller sees, for one permission, as the fleet is now.
#[derive(Clone, Debug)]
pub struct Scope {
    fleet: Arc<Fleet>,
    now: UtcMillis,
    /// Everything, and what belongs to no unit.
    is_everything: bool,
    units: BTreeSet<UnitId>,
    /// Whether every car on secret work, and the units whose cars on secret work.
    is_every_secret: bool,
    secret_units: BTreeSet<UnitId>,
    own: OwnTimes,
    driver: Option<DriverId>,
    person: Option<PersonId>,
}

impl Scope {
    /// The scope of a caller for a permission. `own` holds the times at which it drives; it counts only where a grant is for what is
    /// the caller's own.
    #[must_use]
    pub fn of(
        caller: &Caller,
        permission: Permission,
        fleet: Arc<Fleet>,
        own: OwnTimes,
        now: UtcMillis,
    ) -> Self {
        let mut scope = Self {
            fleet,
            now,
            is_everything: false,
            units: BTreeSet::new(),
            is_every_secret: false,
            secret_units: BTreeSet::new(),
            own: OwnTimes::new(),
            driver: None,
            person: caller.stands_for().map(|(person, ..)| person),
        };
        for mandate in caller.mandates(permission) {
            if mandate.over == Over::Own {
                scope.own.clone_from(&own);
                scope.driver = caller.driver();
            } else {
                scope.add(mandate);
            }
        }
        scope
    }

    fn add(&mut self, Mandate { over, is_secret, .. }: Mandate) {
        if over == Over::Everything {
            self.is_everything = true;
            self.is_every_secret |= is_secret;
        }
        let Some(top) = self.top_of(over) else { return };
        let below = self.fleet.units().keys().filter(|unit| self.fleet.tree().is_within(**unit, top));
        let subtree: Vec<UnitId> = below.copied().chain([top]).collect();
        if is_secret {
            self.secret_units.extend(&subtree);
        }
        self.units.extend(subtree);
    }

    /// The unit on top of a part of the tree that has one.
    fn top_of(&self, over: Over) -> Option<UnitId> {
        match over {
            Over::Everything | Over::Own => None,
            Over::Subtree(unit) => Some(unit),
            Over::ServedBy(unit) => {
                Some(self.fleet.tree().path(unit).iter().rev().nth(1).copied().unwrap_or(unit))
            }
        }
    }

    /// Whether a unit lies in a part of the tree.
    #[must_use]
    pub fn lies_in(&self, unit: UnitId, over: Over) -> bool {
        let is_below = |top| self.fleet.tree().is_within(unit, top);
        over == Over::Everything || self.top_of(over).is_some_and(is_below)
    }

    /// The fleet it was cut from.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The person that it is the scope of.
    #[must_use]
    pub const fn person(&self) -> Option<PersonId> {
        self.person
    }

    /// The driver that it is the scope of, where it is for what is the caller's own.
    #[must_use]
    pub const fn driver(&self) -> Option<DriverId> {
        self.driver
    }

    /// Whether it is everything, with what belongs to no unit.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.is_everything
    }

    /// Whether there is no unit outside it.
    #[must_use]
    pub fn covers_all_units(&self) -> bool {
        self.is_everything || self.fleet.units().keys().all(|unit| self.units.contains(unit))
    }

    /// The units in it; `None` = all.
    #[must_use]
    pub fn units(&self) -> Option<&BTreeSet<UnitId>> {
        (!self.is_everything).then_some(&self.units)
    }

    /// Whether a unit is in it.
    #[must_use]
    pub fn sees_unit(&self, unit: UnitId) -> bool {
        self.is_everything || self.units.contains(&unit)
    }

    /// Whether the name of a unit is shown: those in it and those above them.
    #[must_use]
    pub fn names_unit(&self, unit: UnitId) -> bool {
        self.sees_unit(unit) || self.units.iter().any(|known| self.fleet.tree().is_within(*known, unit))
    }

    /// Whether it sees a car at all, now.
    #[must_use]
    pub fn sees_vehicle(&self, vehicle: VehicleId) -> bool {
        self.vehicle_times(vehicle).iter().any(|span| span.contains(self.now))
    }

    /// Whether it sees a device now: it sits in a car that it sees, or in none and the scope is everything.
    #[must_use]
    pub fn sees_device(&self, device: DeviceId) -> bool {
        self.device_times(device).iter().any(|span| span.contains(self.now))
    }

    /// Whether it sees where a device was at an instant.
    #[must_use]
    pub fn sees_device_at(&self, device: DeviceId, at: UtcMillis) -> bool {
        self.device_times(device).iter().any(|span| span.contains(at))
    }

    /// Whether a car is hidden because it is on secret work.
    #[must_use]
    pub fn is_hidden(&self, vehicle: VehicleId) -> bool {
        self.fleet.cars().get(&vehicle).is_some_and(|car| self.hides(car))
    }

    fn hides(&self, car: &Car) -> bool {
        car.is_secret && !self.sees_secrets_of(car.unit)
    }

    /// Whether it holds the cars of a unit that are on secret work.
    #[must_use]
    pub fn sees_secrets_of(&self, unit: UnitId) -> bool {
        self.is_every_secret || self.secret_units.contains(&unit)
    }

    /// The times at which it sees a car.
    #[must_use]
    pub fn vehicle_times(&self, vehicle: VehicleId) -> Vec<Span> {
        let mut times = self.answered_times(vehicle);
        if !self.is_hidden(vehicle) {
            times.extend(self.own.get(&vehicle).into_iter().flatten());
        }
        times
    }

    /// The times at which it answers for a car: those at which it sees the car, without what a driver has of it.
    #[must_use]
    pub fn answered_times(&self, vehicle: VehicleId) -> Vec<Span> {
        let Some(car) = self.fleet.cars().get(&vehicle) else {
            return if self.is_everything { vec![Span::ALWAYS] } else { Vec::new() };
        };
        if self.hides(car) {
            return Vec::new();
        }
        if self.sees_unit(car.unit) {
            return vec![Span::ALWAYS];
        }
        car.loans.iter().filter(|(unit, _)| self.sees_unit(*unit)).map(|(_, span)| *span).collect()
    }

    /// The times at which it sees a device.
    #[must_use]
    pub fn device_times(&self, device: DeviceId) -> Vec<Span> {
        let fittings = self.fleet.fittings(SupervisedDevice(i64::from(device.0)));
        if self.is_everything && !fittings.iter().any(|fitting| self.is_hidden(fitting.vehicle)) {
            return vec![Span::ALWAYS];
        }
        let seen = fittings.iter().flat_map(|fitting| {
            let times = self.vehicle_times(fitting.vehicle);
            times.into_iter().filter_map(|span| shared(span, fitting.valid)).collect::<Vec<_>>()
        });
        seen.collect()
    }

    /// The car in which a device sits at an instant.
    #[must_use]
    pub fn vehicle_of(&self, device: DeviceId, at: UtcMillis) -> Option<VehicleId> {
        let fittings = self.fleet.fittings(SupervisedDevice(i64::from(device.0)));
        fittings.iter().find(|fitting| fitting.valid.contains(at)).map(|fitting| fitting.vehicle)
    }
}

/// The time that two have in common.
pub(crate) fn shared(a: Span, b: Span) -> Option<Span> {
    let from = a.from.max(b.from);
    let to = match (a.to, b.to) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    to.is_none_or(|to| from < to).then_some(Span { from, to })
}

#[cfg(test)]
mod tests;
