//! Scopes over a county of three units and five cars.

use std::sync::Arc;

use motorpool_supervision::register::{Binding, Transfer, Unit, Vehicle, Versioned};

use super::*;
use crate::accounts::Role;
use crate::registry::accounts::{Account, Grant, LoggedIn};

const NOW: UtcMillis = UtcMillis(1_000_000);

/// Units 1 (county) with 2 and 3 below, and 4 below 2. Car and device n belong to unit n; car 5 of unit 2 is on secret work. Car 3 is
/// lent to unit 2 for a while; device 6 moved from car 2 to car 3; device 9 sits in no car.
fn fleet() -> Arc<Fleet> {
    let row = |id: i64, parent: Option<i64>| {
        Versioned::first(id, UtcMillis(0), Unit { parent: parent.map(UnitId), ..Unit::default() })
    };
    let units = [row(1, None), row(2, Some(1)), row(3, Some(1)), row(4, Some(2))];
    let car = |id: i64, unit: i64| {
        let vehicle = Vehicle { unit: UnitId(unit), is_secret: id == 5, ..Vehicle::default() };
        Versioned::first(id, UtcMillis(0), vehicle)
    };
    let vehicles = [car(1, 1), car(2, 2), car(3, 3), car(4, 4), car(5, 2)];
    let fitted = |id: i64, device: i64, vehicle: i64, valid: Span| {
        let binding =
            Binding { device: SupervisedDevice(device), vehicle: VehicleId(vehicle), ..Binding::default() };
        Versioned::first(id, UtcMillis(0), binding).during(valid)
    };
    let mut bindings: Vec<_> = (1..=5).map(|n| fitted(n, n, n, Span::ALWAYS)).collect();
    bindings.push(fitted(6, 6, 2, Span::new(UtcMillis(0), UtcMillis(500_000))));
    bindings.push(fitted(7, 6, 3, Span { from: UtcMillis(500_000), to: None }));
    let loan = Transfer { vehicle: VehicleId(3), to: UnitId(2), ..Transfer::default() };
    let loan = Versioned::first(1, UtcMillis(0), loan).during(Span::new(UtcMillis(100), UtcMillis(200)));
    Arc::new(Fleet::new(&units, &vehicles, &bindings, &[loan], NOW))
}

fn caller(grants: &[(Role, Option<i64>, bool)]) -> Caller {
    let account = Account {
        id: 1,
        person: PersonId(1),
        name: "li".to_owned(),
        display_name: "李".to_owned(),
        unit: None,
        driver: Some(DriverId(7)),
        is_disabled: false,
        is_demo: false,
        has_password: true,
        must_change_password: false,
        has_totp: false,
        created_at: UtcMillis(0),
        created_by: String::new(),
    };
    let grant = |(role, unit, is_secret): &(Role, Option<i64>, bool)| Grant {
        id: 1,
        account: 1,
        role: *role,
        unit: unit.map(UnitId),
        is_secret: *is_secret,
        until: None,
        created_at: UtcMillis(0),
        created_by: String::new(),
    };
    Caller::person(LoggedIn { login: 1, account, grants: grants.iter().map(grant).collect() }, String::new())
}

fn scope(grants: &[(Role, Option<i64>, bool)], permission: Permission) -> Scope {
    let own = OwnTimes::from([(VehicleId(3), vec![Span::new(UtcMillis(900_000), UtcMillis(1_100_000))])]);
    Scope::of(&caller(grants), permission, fleet(), own, NOW)
}

fn cars(scope: &Scope) -> Vec<i64> {
    (1..=5).filter(|id| scope.sees_vehicle(VehicleId(*id))).collect()
}

#[test]
fn a_grant_reaches_the_unit_and_what_is_below_and_nothing_else() {
    let manager = scope(&[(Role::FleetManager, Some(2), false)], Permission::PositionsRead);
    assert_eq!(cars(&manager), [2, 4]);
    assert!(manager.sees_unit(UnitId(4)) && !manager.sees_unit(UnitId(1)) && !manager.sees_unit(UnitId(3)));
    assert!(manager.names_unit(UnitId(1)) && !manager.names_unit(UnitId(3)));
    assert!(!manager.covers_all_units());
    let county = scope(&[(Role::Viewer, Some(1), false)], Permission::PositionsRead);
    assert_eq!(cars(&county), [1, 2, 3, 4]);
    assert!(county.covers_all_units() && !county.is_everything());
    assert_eq!(cars(&scope(&[], Permission::PositionsRead)), [0_i64; 0]);
}

#[test]
fn a_grant_gives_what_its_role_may_and_no_more() {
    let both = [(Role::FleetManager, Some(3), false), (Role::Viewer, Some(2), false)];
    assert_eq!(cars(&scope(&both, Permission::PositionsRead)), [2, 3, 4]);
    assert_eq!(cars(&scope(&both, Permission::RegistersWrite)), [3]);
    assert_eq!(cars(&scope(&[(Role::SystemAdmin, None, true)], Permission::PositionsRead)), [0_i64; 0]);
    let mixed = [(Role::AuditAdmin, None, false), (Role::Inspector, None, false)];
    assert_eq!(cars(&scope(&mixed, Permission::PositionsRead)), [0_i64; 0], "excluded roles give nothing");
}

#[test]
fn cars_on_secret_work_take_a_grant_that_says_so() {
    let plain = scope(&[(Role::Inspector, None, false)], Permission::TracksRead);
    assert_eq!(cars(&plain), [1, 2, 3, 4]);
    assert!(plain.is_hidden(VehicleId(5)) && !plain.sees_device(DeviceId(5)));
    let cleared = scope(&[(Role::Inspector, None, true)], Permission::TracksRead);
    assert!(cleared.sees_vehicle(VehicleId(5)) && cleared.sees_device(DeviceId(5)));
    let elsewhere = [(Role::Inspector, None, false), (Role::FleetManager, Some(3), true)];
    assert!(
        !scope(&elsewhere, Permission::TracksRead).sees_vehicle(VehicleId(5)),
        "cleared for another unit"
    );
}

#[test]
fn what_was_lent_and_what_was_moved_is_seen_for_its_time() {
    let manager = scope(&[(Role::FleetManager, Some(2), false)], Permission::TracksRead);
    assert_eq!(manager.vehicle_times(VehicleId(3)), [Span::new(UtcMillis(100), UtcMillis(200))]);
    assert_eq!(manager.device_times(DeviceId(3)), [Span::new(UtcMillis(100), UtcMillis(200))]);
    assert!(manager.sees_device_at(DeviceId(6), UtcMillis(499_999)));
    assert!(!manager.sees_device_at(DeviceId(6), UtcMillis(500_000)) && !manager.sees_device(DeviceId(6)));
    let other = scope(&[(Role::FleetManager, Some(3), false)], Permission::TracksRead);
    assert!(other.sees_device(DeviceId(6)) && !other.sees_device_at(DeviceId(6), UtcMillis(1)));
}

#[test]
fn a_driver_sees_the_own_cars_while_driving_them() {
    let driver = scope(&[(Role::Driver, Some(3), false)], Permission::TripsRead);
    assert_eq!(cars(&driver), [3]);
    assert!(!driver.sees_unit(UnitId(3)) && !driver.sees_device_at(DeviceId(3), UtcMillis(899_999)));
    assert_eq!(driver.driver(), Some(DriverId(7)));
}

#[test]
fn a_device_in_no_car_is_for_those_who_see_everything() {
    assert!(scope(&[(Role::SystemAdmin, None, false)], Permission::DevicesRead).sees_device(DeviceId(9)));
    assert!(
        !scope(&[(Role::OfficeSupervisor, Some(1), false)], Permission::DevicesRead).sees_device(DeviceId(9))
    );
}
