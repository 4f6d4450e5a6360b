//! The rules R01 to R28: each reads a [`crate::judge::VehicleDay`] or the whole fleet and says what it found.
//!
//! A rule is a pure function. It says nothing (clear), flags, or says that it can't decide and what it lacks. It never decides
//! whether somebody did wrong, and it never looks at a clock: time comes with the facts.

mod params;

pub use params::*;

use crate::finding::{Finding, Rule};
use crate::judge::{FleetDay, VehicleDay};

/// A rule about one vehicle on one local day. It appends what it found.
pub type VehicleRule = fn(&VehicleDay<'_>, &mut Vec<Finding>);

/// A rule about the vehicles of the fleet together on one local day. It appends what it found.
pub type FleetRule = fn(&FleetDay<'_>, &mut Vec<Finding>);

/// The rules of a vehicle-day.
pub const VEHICLE_RULES: &[(Rule, VehicleRule)] = &[
    // How and when the car was used, and its terminal.
    //
    // Ledgers, patterns over weeks, borrowed and moved.
];

/// The rules of the whole fleet.
pub const FLEET_RULES: &[(Rule, FleetRule)] = &[];
