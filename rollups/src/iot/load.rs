//! Load as a part of what cars may carry.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::scan::each_car;
use super::{Fleet, UnitRef, Window, float};
use crate::{Column, RollupsError};

/// The load of a unit's cars of one model.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct ModelLoad {
    /// The unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// Maker and model.
    pub model: String,
    /// What a car of it may carry, kilograms.
    pub load_capacity_kg: u32,
    /// Mean over the cars of the mean load of each, percent of what it may carry.
    pub mean_load_percent: f64,
    /// Cars that told a load.
    pub cars: u32,
}

pub(super) fn by_model(fleet: &Fleet, window: &Window<'_>) -> Result<Vec<ModelLoad>, RollupsError> {
    let mut models: BTreeMap<(&UnitRef, &str, u32), (f64, u32)> = BTreeMap::new();
    each_car(fleet, window, [Column::Loads, Column::LoadSum], |car, pieces| {
        let Some(capacity_kg) = car.load_capacity_kg.filter(|kg| *kg > 0) else { return };
        let rows = pieces.iter().flat_map(|piece| piece.rows());
        let (count, grams) = rows.fold((0, 0), |(count, sum), (_, [more, load])| (count + more, sum + load));
        if count > 0 {
            let part = float(grams) / float(count) / 1e3 / f64::from(capacity_kg);
            let line = models.entry((&car.unit, car.model.as_str(), capacity_kg)).or_default();
            *line = (line.0 + part, line.1 + 1);
        }
    })?;
    let line =
        |((unit, model, load_capacity_kg), (parts, cars)): ((&UnitRef, &str, u32), (f64, u32))| ModelLoad {
            unit: unit.clone(),
            model: model.to_owned(),
            load_capacity_kg,
            mean_load_percent: parts / f64::from(cars) * 100.0,
            cars,
        };
    Ok(models.into_iter().map(line).collect())
}
