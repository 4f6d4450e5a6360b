//! The cars behind the numbers of the live feed: plates, units, drivers, and who may see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Binding, Class, Order, Span, Unit, Vehicle, Versioned};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::auth::PositionsReader;
use super::super::problem::{Problem, ProblemBody};
use super::board::{Numbers, Sights};
use crate::accounts::Scope;
use crate::ids::DeviceId;
use crate::registry::{Error, Known, Registry};

/// Vehicles whose orders are asked for at once.
const ORDERS_AT_ONCE: usize = 500;

/// A unit, as a tree of cars needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in super::super) struct FleetUnit {
    /// Its number.
    id: i64,
    /// Its name.
    name: String,
    /// The unit above.
    parent: Option<i64>,
}

/// A car, as the live map labels it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in super::super) struct FleetCar {
    /// Our number for the vehicle; null for a device that is in no car yet.
    id: Option<i64>,
    /// Its number in the records of `GET /live`.
    pub(super) n: u32,
    /// The terminal's identity, by which `/devices/{id}` knows it too.
    device: String,
    /// The plate; of a device in no car, the one it registered with.
    plate: String,
    /// The unit that has it.
    unit: Option<i64>,
    /// Who drives by the order of this moment; empty without one.
    driver: String,
    /// The class by the regulation; null for a device in no car.
    #[schema(value_type = Option<String>)]
    class: Option<Class>,
}

/// What the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct FleetView {
    /// Units, lowest number first.
    units: Vec<FleetUnit>,
    /// Cars, lowest `n` first.
    cars: Vec<FleetCar>,
}

/// Everything that can be seen, before anybody's scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Roster {
    units: Vec<FleetUnit>,
    /// Lowest `n` first.
    cars: Vec<FleetCar>,
}

/// The version of each row that holds at `now`, the newest of several.
fn present<T>(rows: &[Versioned<T>], now: UtcMillis) -> BTreeMap<i64, &Versioned<T>> {
    let mut found: BTreeMap<i64, &Versioned<T>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.valid.contains(now)) {
        let kept = found.entry(row.id).or_insert(row);
        if kept.version < row.version {
            *kept = row;
        }
    }
    found
}

/// Who drives which vehicle by the orders of this moment.
async fn drivers(
    registry: &Registry,
    vehicles: &[VehicleId],
    now: UtcMillis,
) -> Result<BTreeMap<VehicleId, String>, Error> {
    let mut drivers = BTreeMap::new();
    for some in vehicles.chunks(ORDERS_AT_ONCE) {
        let some: BTreeSet<VehicleId> = some.iter().copied().collect();
        for order in registry.rows_about::<Order>(&some, now, now, Known::Now).await? {
            let order = order.row;
            if order.state.can_cover() && !order.driver.is_empty() {
                drivers.insert(order.vehicle, order.driver);
            }
        }
    }
    Ok(drivers)
}

impl Roster {
    /// The cars as the registers have them at `now`.
    pub(super) async fn read(registry: &Registry, now: UtcMillis) -> Result<Self, Error> {
        let units = registry.rows::<Unit>(Known::Now).await?;
        let vehicles = registry.rows::<Vehicle>(Known::Now).await?;
        let bindings = registry.rows::<Binding>(Known::Now).await?;
        let vehicles = present(&vehicles, now);
        let ids: Vec<VehicleId> = vehicles.keys().copied().map(VehicleId).collect();
        let drivers = drivers(registry, &ids, now).await?;
        let bound: BTreeMap<i64, &Binding> =
            present(&bindings, now).into_values().map(|row| (row.row.device.0, &row.row)).collect();
        let snapshot = registry.snapshot();
        let cars = snapshot.devices().filter_map(|device| {
            let binding = bound.get(&i64::from(device.id.0));
            // The devices beside the primary one would show the same car twice.
            if binding.is_some_and(|binding| !binding.is_primary) {
                return None;
            }
            let vehicle =
                binding.and_then(|binding| Some((binding.vehicle, vehicles.get(&binding.vehicle.0)?)));
            let row = vehicle.map(|(_, row)| &row.row);
            Some(FleetCar {
                id: vehicle.map(|(id, _)| id.0),
                n: device.id.0,
                device: device.terminal.to_string(),
                plate: row.map_or_else(
                    || device.plate.as_deref().unwrap_or("").to_owned(),
                    |row| row.plate.clone(),
                ),
                unit: row.map(|row| row.unit.0).filter(|unit| *unit != 0),
                driver: vehicle.and_then(|(id, _)| drivers.get(&id).cloned()).unwrap_or_default(),
                class: row.map(|row| row.class),
            })
        });
        let cars = cars.collect();
        let units = present(&units, now).into_values().map(|row| FleetUnit {
            id: row.id,
            name: row.row.name.clone(),
            parent: row.row.parent.map(|unit: UnitId| unit.0),
        });
        Ok(Self { units: units.collect(), cars })
    }

    /// The numbers of all cars.
    pub(super) fn numbers(&self, version: u64) -> Numbers {
        let list: Vec<u32> = self.cars.iter().map(|car| car.n).collect();
        Numbers { version, list: Arc::from(list) }
    }

    /// The units of a subtree.
    fn subtree(&self, top: i64) -> BTreeSet<i64> {
        let mut within = BTreeSet::from([top]);
        // A tree is as deep as it has units at most; each round finds a level.
        for _ in 0..self.units.len() {
            let before = within.len();
            let below =
                self.units.iter().filter(|unit| unit.parent.is_some_and(|parent| within.contains(&parent)));
            let below: Vec<i64> = below.map(|unit| unit.id).collect();
            within.extend(below);
            if within.len() == before {
                break;
            }
        }
        within
    }

    /// When this caller sees the cars of a unit, parallel to the numbers; `None` = all cars there are, at all times.
    pub(super) fn wanted(&self, scope: &Scope, unit: Option<i64>) -> Option<Sights> {
        let within = unit.map(|unit| self.subtree(unit));
        let is_in_unit = |car: &FleetCar| {
            within.as_ref().is_none_or(|within| car.unit.is_some_and(|unit| within.contains(&unit)))
        };
        let times = |car: &FleetCar| {
            if is_visible(scope, car) && is_in_unit(car) {
                scope.device_times(DeviceId(car.n))
            } else {
                Vec::new()
            }
        };
        let wanted: Vec<Vec<Span>> = self.cars.iter().map(times).collect();
        let is_all = wanted.iter().all(|times| times.contains(&Span::ALWAYS));
        (!is_all).then(|| Sights::from(wanted))
    }

    fn view(&self, scope: &Scope) -> FleetView {
        let cars = self.cars.iter().filter(|car| is_visible(scope, car)).cloned().collect();
        let units = self.units.iter().filter(|unit| scope.names_unit(UnitId(unit.id))).cloned().collect();
        FleetView { units, cars }
    }
}

/// Whether the caller may see where this car is now.
fn is_visible(scope: &Scope, car: &FleetCar) -> bool {
    scope.sees_device(DeviceId(car.n))
}

/// The cars of the live map
///
/// Names and units of the cars whose numbers `GET /live` sends. It changes rarely: read it once, and again when the feed sends a
/// snapshot that nobody asked for.
#[utoipa::path(get, path = "/api/v1/fleet", tag = "positions", responses(
    (status = 200, body = FleetView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn fleet(
    PositionsReader(granted): PositionsReader,
    State(state): State<ApiState>,
) -> Result<Json<FleetView>, Problem> {
    let scope = state.scope(&granted).await?;
    let (roster, _) = state.vault().roster(state.feed(), state.now()).await?;
    Ok(Json(roster.view(&scope)))
}
