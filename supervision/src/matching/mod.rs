//! Which order covers which trip.
//!
//! Each trip belongs to at most one order; an order may cover several trips (out and back). The assignment is the best one of all trips
//! and orders, however many hang together, so that of a day does not depend on which days are asked about.

mod assign;
mod fit;
mod weights;

use serde::{Deserialize, Serialize};

use crate::UtcMillis;
use crate::finding::OrderConsidered;
use crate::ids::OrderId;

pub use assign::{Assignment, assign};

/// How a trip stands to the orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "coverage", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Coverage {
    /// An order covers it.
    Covered {
        /// The order.
        order: OrderId,
    },
    /// An order covers it, but it began before or ended after it by more than the grace.
    Extended {
        /// The order.
        order: OrderId,
        /// How much earlier it began, seconds; 0 = not.
        early_s: i64,
        /// How much later it ended, seconds; 0 = not.
        late_s: i64,
    },
    /// No order covers it.
    None,
}

impl Coverage {
    /// The order that it belongs to.
    #[must_use]
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::Covered { order } | Self::Extended { order, .. } => Some(*order),
            Self::None => None,
        }
    }
}

/// A trip's place in the assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct TripMatch {
    /// How it stands.
    pub coverage: Coverage,
    /// When the order that it belongs to was recorded after the departure: by how much, seconds.
    pub recorded_late_s: Option<i64>,
    /// Every order that was considered, and why each does not cover; the one that covers has no reason.
    pub considered: Vec<OrderConsidered>,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct OrderMatch {
    /// The order.
    pub order: OrderId,
    /// Its version.
    pub version: u32,
    /// Departures of the trips that belong to it, in order.
    pub trips: Vec<UtcMillis>,
    /// It could have covered trips, and no trip belongs to it.
    pub is_unused: bool,
    /// Planned duration, seconds; negative when it ends before it begins.
    pub planned_s: i64,
}
