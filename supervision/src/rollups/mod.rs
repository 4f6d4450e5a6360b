//! Adds one device's fixes up into slots of ten minutes, from which every longer time is summed.
//!
//! A slot is ten minutes of UTC. What is counted in it are fixes, speeds and readings as they came, and its part of the trips that
//! touch it: metres, time in motion and time standing of each trip are shared out over its slots in proportion to what the
//! trip's own fixes show there, rounded so that the parts add up to what the trip states. So there is one rule for
//! distances, drift of a parked car adds none, and a day's distance is the sum of its trips and moves to the metre.
//!
//! The day of any time zone whose offset is a multiple of ten minutes is a sum of whole slots. Three zones of the world have another
//! (Nepal, Eucla, the Chatham Islands); there a slot that two days share belongs to the day in which it begins.
//!
//! [`fold`] is the one function; [`Folder`] feeds it from a whole track, with a cutter of its own, in bounded memory. This module
//! knows nothing of files.

mod fold;
mod folder;
mod share;
mod sums;
#[cfg(test)]
mod tests;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::reading::{Quantity, Reading};
use serde::{Deserialize, Serialize};

pub use fold::{Slots, fold, reach};
pub use folder::Folder;
pub use sums::{IN_MOTION_DKMH, Sum, Sums};

use crate::point::Point;

/// Milliseconds of a slot.
pub const SLOT_MS: i64 = 600_000;

/// Slots of a day.
pub const SLOTS_A_DAY: i32 = 144;

/// A slot: ten minutes of UTC, counted from 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[expect(clippy::exhaustive_structs, reason = "a number with a meaning")]
pub struct Slot(pub i32);

impl Slot {
    /// The slot that holds `time`; times that no clock tells saturate.
    #[must_use]
    pub fn of(time: UtcMillis) -> Self {
        let number = time.0.div_euclid(SLOT_MS);
        Self(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX }))
    }

    /// The first slot that begins at `time` or later.
    #[must_use]
    pub fn from(time: UtcMillis) -> Self {
        Self::of(UtcMillis(time.0.saturating_add(SLOT_MS - 1)))
    }

    /// The first slot of a day, counted in days from 1970.
    #[must_use]
    pub const fn first_of_day(day: i32) -> Self {
        Self(day.saturating_mul(SLOTS_A_DAY))
    }

    /// When it begins.
    #[must_use]
    pub fn start(self) -> UtcMillis {
        UtcMillis(i64::from(self.0) * SLOT_MS)
    }

    /// The day of UTC it lies in, counted from 1970.
    #[must_use]
    pub const fn day(self) -> i32 {
        self.0.div_euclid(SLOTS_A_DAY)
    }
}

/// One fix with the readings beside it that are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by every source of tracks")]
pub struct Sample {
    /// The fix.
    pub point: Point,
    /// What the vehicle told with it.
    pub gauges: Gauges,
}

/// What a vehicle tells of itself beside a position, as far as it is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by every source of tracks")]
pub struct Gauges {
    /// Fuel in the tank, thousandths of a percent of it.
    pub level_milli: Option<i32>,
    /// Fuel used for 100 km, millilitres.
    pub consumption_ml: Option<i32>,
    /// Load, grams.
    pub load_g: Option<i32>,
    /// Gravity of the worst present fault, thousandths; 0 = in order.
    pub fault_milli: Option<i32>,
}

impl Gauges {
    /// Out of the readings beside a fix; of several of one quantity the last counts, and one beyond any vehicle is none.
    #[must_use]
    pub fn of(readings: impl IntoIterator<Item = Reading>) -> Self {
        let mut gauges = Self::default();
        for Reading { quantity, milli } in readings {
            let value = i32::try_from(milli).ok();
            match quantity {
                Quantity::FuelLevel => gauges.level_milli = value,
                Quantity::Consumption => gauges.consumption_ml = value,
                Quantity::Load => gauges.load_g = value,
                Quantity::FaultLevel => gauges.fault_milli = value,
                _ => {}
            }
        }
        gauges
    }
}
