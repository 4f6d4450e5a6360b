//! Consumption beside the norm.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::scan::each_car;
use super::{Fleet, UnitRef, Window, float};
use crate::{Column, RollupsError};

/// The consumption of a unit's cars that have a norm.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct UnitConsumption {
    /// The unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// Mean of what cars told in motion, litres for 100 km; absent when none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_l_per_100km: Option<f64>,
    /// Mean of their norms, each as often as the car was heard in motion, litres for 100 km.
    pub norm_l_per_100km: f64,
}

#[derive(Default)]
struct Told {
    count: i64,
    sum_ml: i64,
    in_motion: i64,
    norm_dl: i64,
}

pub(super) fn consumption(fleet: &Fleet, window: &Window<'_>) -> Result<Vec<UnitConsumption>, RollupsError> {
    let mut units: BTreeMap<&UnitRef, Told> = BTreeMap::new();
    let columns = [Column::Consumptions, Column::ConsumptionSum, Column::InMotion];
    each_car(fleet, window, columns, |car, pieces| {
        let Some(norm_dl) = car.norm_dl_per_100km else { return };
        let mut of_car = Told::default();
        for (_, [count, sum_ml, in_motion]) in pieces.iter().flat_map(|piece| piece.rows()) {
            of_car.count += count;
            of_car.sum_ml += sum_ml;
            of_car.in_motion += in_motion;
        }
        if of_car.in_motion > 0 {
            let told = units.entry(&car.unit).or_default();
            told.count += of_car.count;
            told.sum_ml += of_car.sum_ml;
            told.in_motion += of_car.in_motion;
            told.norm_dl += of_car.in_motion.saturating_mul(i64::from(norm_dl));
        }
    })?;
    let line = |(unit, told): (&UnitRef, Told)| UnitConsumption {
        unit: unit.clone(),
        mean_l_per_100km: (told.count > 0).then(|| float(told.sum_ml) / float(told.count) / 1e3),
        norm_l_per_100km: float(told.norm_dl) / float(told.in_motion) / 10.0,
    };
    Ok(units.into_iter().map(line).collect())
}
