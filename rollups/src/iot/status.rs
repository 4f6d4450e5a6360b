//! Activity and breakdowns, as the gravity of faults tells.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::driving::Days;
use super::scan::each_car;
use super::{Fleet, UnitRef, Window, float};
use crate::{Column, RollupsError};

/// How much a unit's cars of one model were active on a day.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct ModelActivity {
    /// The unit.
    #[serde(flatten)]
    pub unit: UnitRef,
    /// Maker and model.
    pub model: String,
    /// The local day.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// Hours of activity of all cars together.
    pub active_h: f64,
    /// Readings in the slots of activity, for each slot of a day: what the suite's SQL gives.
    pub daily_activity: f64,
}

/// How often cars of a model broke down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Breakdowns {
    /// Maker and model.
    pub model: String,
    /// Times that one broke down after ten minutes in order.
    pub breakdowns: u32,
}

pub(super) fn daily_activity(
    fleet: &Fleet,
    window: &Window<'_>,
    below_level: f64,
) -> Result<Vec<ModelActivity>, RollupsError> {
    const SLOTS_A_DAY: f64 = 144.0;
    const SLOTS_AN_HOUR: f64 = 6.0;
    let mut lines: BTreeMap<(Date, &UnitRef, &str), (u32, i64)> = BTreeMap::new();
    let mut calendar = Days::new(window.zone);
    each_car(fleet, window, [Column::Faults, Column::FaultSum], |car, pieces| {
        let mut of_car: Vec<(Date, u32, i64)> = Vec::new();
        for (slot, [count, sum]) in pieces.iter().flat_map(|piece| piece.rows()) {
            if count == 0 || float(sum) / float(count) / 1e3 >= below_level {
                continue;
            }
            let day = calendar.of(slot);
            match of_car.last_mut().filter(|(last, ..)| *last == day) {
                Some((_, slots, readings)) => (*slots, *readings) = (*slots + 1, *readings + count),
                None => of_car.push((day, 1, count)),
            }
        }
        for (day, slots, readings) in of_car {
            let line = lines.entry((day, &car.unit, &car.model)).or_default();
            *line = (line.0 + slots, line.1 + readings);
        }
    })?;
    let line =
        |((day, unit, model), (slots, readings)): ((Date, &UnitRef, &str), (u32, i64))| ModelActivity {
            unit: unit.clone(),
            model: model.to_owned(),
            day,
            active_h: f64::from(slots) / SLOTS_AN_HOUR,
            daily_activity: float(readings) / SLOTS_A_DAY,
        };
    Ok(lines.into_iter().map(line).collect())
}

pub(super) fn breakdowns(
    fleet: &Fleet,
    window: &Window<'_>,
    from_percent: f64,
) -> Result<Vec<Breakdowns>, RollupsError> {
    let mut models: BTreeMap<&str, u32> = BTreeMap::new();
    each_car(fleet, window, [Column::Faults, Column::WithFault], |car, pieces| {
        let (mut before, mut count) = (None, 0);
        for (_, [readings, faults]) in pieces.iter().flat_map(|piece| piece.rows()) {
            if readings == 0 {
                continue;
            }
            let is_down = float(faults) / float(readings) * 100.0 >= from_percent;
            count += u32::from(before.replace(is_down) == Some(false) && is_down);
        }
        if count > 0 {
            *models.entry(&car.model).or_default() += count;
        }
    })?;
    Ok(models
        .into_iter()
        .map(|(model, breakdowns)| Breakdowns { model: model.to_owned(), breakdowns })
        .collect())
}
