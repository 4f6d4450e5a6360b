//! The last values: place, fuel, load.

use motorpool_protocols::UtcMillis;
use serde::Serialize;
use utoipa::ToSchema;

use super::scan::{Piece, each_car};
use super::{Car, CarId, Fleet, UnitRef, Window, float};
use crate::{Column, RollupsError, Table};

/// Where a car was seen last.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct LastLocation {
    /// The car.
    #[serde(flatten)]
    pub car: CarId,
    /// Its unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// When it was heard of last in the ten minutes of its last place.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: UtcMillis,
    /// Latitude, degrees, WGS-84.
    pub lat: f64,
    /// Longitude, degrees, WGS-84.
    pub lon: f64,
}

/// A car with little fuel.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct LowFuel {
    /// The car.
    #[serde(flatten)]
    pub car: CarId,
    /// Its unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// Last fuel, percent of the tank.
    pub fuel_percent: f64,
}

/// A car with a high load.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct LastLoad {
    /// The car.
    #[serde(flatten)]
    pub car: CarId,
    /// Its unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// Last load, kilograms.
    pub load_kg: f64,
    /// The same as a part of what the car may carry, percent.
    pub load_percent: f64,
}

/// The last row that `wanted` makes something of.
fn last<const N: usize, T>(
    pieces: &[Piece<'_, N>],
    mut wanted: impl FnMut([i64; N]) -> Option<T>,
) -> Option<T> {
    pieces.iter().rev().find_map(|piece| piece.rows().rev().find_map(|(_, row)| wanted(row)))
}

fn some(value: i64) -> Option<i64> {
    (!Table::is_none(value)).then_some(value)
}

pub(super) fn locations(fleet: &Fleet, window: &Window<'_>) -> Result<Vec<LastLocation>, RollupsError> {
    let mut list = Vec::new();
    each_car(fleet, window, [Column::Lat, Column::Lon, Column::Last], |car, pieces| {
        list.extend(last(pieces, |[lat, lon, time]| {
            Some(LastLocation {
                car: car.id.clone(),
                unit: car.unit.clone(),
                seen_at: UtcMillis(some(time)?),
                lat: float(some(lat)?) / 1e7,
                lon: float(some(lon)?) / 1e7,
            })
        }));
    })?;
    Ok(list)
}

pub(super) fn low_fuel(fleet: &Fleet, window: &Window<'_>, below: f64) -> Result<Vec<LowFuel>, RollupsError> {
    let mut list = Vec::new();
    each_car(fleet, window, [Column::LevelLast, Column::FuelLast], |car, pieces| {
        let percent = last(pieces, |[level, fuel]| fuel_percent(car, level, fuel));
        if let Some(fuel_percent) = percent.filter(|percent| *percent < below) {
            list.push(LowFuel { car: car.id.clone(), unit: car.unit.clone(), fuel_percent });
        }
    })?;
    Ok(list)
}

/// What the car tells of its tank, or worked out from litres when the register knows how many go in.
fn fuel_percent(car: &Car, level_milli: i64, fuel_dl: i64) -> Option<f64> {
    let told = some(level_milli).map(|milli| float(milli) / 1e3);
    let tank_l = car.tank_l.filter(|litres| *litres > 0);
    told.or_else(|| Some(float(some(fuel_dl)?) / 10.0 / f64::from(tank_l?) * 100.0))
}

pub(super) fn high_load(
    fleet: &Fleet,
    window: &Window<'_>,
    above: f64,
) -> Result<Vec<LastLoad>, RollupsError> {
    let mut list = Vec::new();
    each_car(fleet, window, [Column::LoadLast], |car, pieces| {
        let Some(capacity_kg) = car.load_capacity_kg.filter(|kg| *kg > 0) else { return };
        let Some(load_kg) = last(pieces, |[grams]| some(grams)).map(|grams| float(grams) / 1e3) else {
            return;
        };
        let load_percent = load_kg / f64::from(capacity_kg) * 100.0;
        if load_percent > above {
            list.push(LastLoad { car: car.id.clone(), unit: car.unit.clone(), load_kg, load_percent });
        }
    })?;
    Ok(list)
}
