//! The fuel rate worked out from the mass air flow, where the car does not tell it (PID 5E).
//!
//! An engine that burns its fuel with exactly the air it needs uses `air / (air for a gram of fuel x density)`. That
//! holds for petrol engines within some percent, and for diesel engines not at all: they breathe more air than they
//! need, so that for them nothing is estimated. What is estimated is always
//! [`Quantity::FuelRateEstimated`], never [`Quantity::FuelRate`].

use serde::{Deserialize, Serialize};

use crate::scale::Scale;
use crate::{Quantity, Reading};

/// What the engine burns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fuel {
    /// Petrol.
    #[default]
    Petrol,
    /// Petrol with 10 % of ethanol.
    E10,
    /// Ethanol with 15 % of petrol.
    E85,
    /// Liquefied petroleum gas, taken as propane.
    Lpg,
    /// Diesel, or anything else whose rate does not follow from the air: nothing is estimated.
    Diesel,
}

/// How a fuel burns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Burning {
    /// Grams of air that a gram of fuel needs, in tenths.
    air_tenths: i64,
    /// Density, grams a litre.
    grams_per_litre: i64,
}

/// 14.7 g of air, 740 g/l.
const PETROL: Burning = Burning { air_tenths: 147, grams_per_litre: 740 };
/// 14.1 g of air, 745 g/l.
const E10: Burning = Burning { air_tenths: 141, grams_per_litre: 745 };
/// 9.8 g of air, 782 g/l.
const E85: Burning = Burning { air_tenths: 98, grams_per_litre: 782 };
/// 15.7 g of air, 508 g/l.
const LPG: Burning = Burning { air_tenths: 157, grams_per_litre: 508 };
const SECONDS_PER_HOUR: i64 = 3_600;

impl Fuel {
    const fn burning(self) -> Option<Burning> {
        match self {
            Self::Petrol => Some(PETROL),
            Self::E10 => Some(E10),
            Self::E85 => Some(E85),
            Self::Lpg => Some(LPG),
            Self::Diesel => None,
        }
    }

    /// The fuel rate in 0.001 l/h that goes with an air flow in 0.001 g/s.
    #[must_use]
    pub fn rate(self, air_flow_milli: i64) -> Option<i64> {
        let burning = self.burning()?;
        let litres = Scale::fraction(SECONDS_PER_HOUR * 10, burning.air_tenths * burning.grams_per_litre, 0);
        (air_flow_milli >= 0).then(|| litres.apply(air_flow_milli))
    }

    /// The estimate that belongs to these readings: none where the car told the fuel rate itself, or no air flow.
    #[must_use]
    pub fn estimate(self, readings: &[Reading]) -> Option<Reading> {
        let of = |quantity| readings.iter().find(|reading| reading.quantity == quantity);
        if of(Quantity::FuelRate).is_some() || of(Quantity::FuelRateEstimated).is_some() {
            return None;
        }
        let rate = self.rate(of(Quantity::AirFlow)?.milli)?;
        Some(Reading::new(Quantity::FuelRateEstimated, rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn petrol_is_estimated_from_the_air_flow() {
        // 10 g/s x 3600 / (14.7 x 740) = 3.3094 l/h.
        assert_eq!(Fuel::Petrol.rate(10_000), Some(3_309));
        assert_eq!(Fuel::Diesel.rate(10_000), None);
        assert_eq!(Fuel::Petrol.rate(-1), None);
    }

    #[test]
    fn what_the_car_tells_is_not_estimated() {
        let air = Reading::new(Quantity::AirFlow, 10_000);
        let estimate = Reading::new(Quantity::FuelRateEstimated, 3_309);
        assert_eq!(Fuel::Petrol.estimate(&[air]), Some(estimate));
        assert_eq!(Fuel::Petrol.estimate(&[air, Reading::new(Quantity::FuelRate, 3_000)]), None);
        assert_eq!(Fuel::Petrol.estimate(&[air, estimate]), None);
        assert_eq!(Fuel::Petrol.estimate(&[]), None);
    }
}
