//! The rules R01 to R28: each reads a [`crate::judge::VehicleDay`] or the whole fleet and says what it found.
//!
//! A rule is a pure function. It says nothing (clear), flags, or says that it can't decide and what it lacks. It never decides
//! whether somebody did wrong, and it never looks at a clock: time comes with the facts.

mod allowance_area;
mod area;
mod asking;
mod destination;
mod driver;
mod fixed_use;
#[cfg(test)]
mod fleet_scenes;
mod fuel_elsewhere;
mod fuel_use;
mod gatherings;
mod goals;
mod hours;
mod idle;
mod kept_elsewhere;
#[cfg(test)]
mod ledger_scenes;
mod long_hire;
mod lookback;
mod mileage;
mod night;
mod no_order;
mod odd_orders;
mod odometer;
mod off_hours;
mod outside_order_time;
mod params;
mod passage_elsewhere;
mod places;
mod power;
mod repair_elsewhere;
mod rest_day;
mod school_runs;
mod speed;
mod swapped_identity;
mod towed;
mod unseen;
mod whereabouts;
#[cfg(test)]
mod window_tests;
mod words;

pub use params::*;
pub use words::{Lang, Sentence, describe};

use crate::finding::{Finding, Rule};
use crate::judge::{FleetDay, VehicleDay};

/// A rule about one vehicle on one local day. It appends what it found.
pub type VehicleRule = fn(&VehicleDay<'_>, &mut Vec<Finding>);

/// A rule about the vehicles of the fleet together on one local day. It appends what it found.
pub type FleetRule = fn(&FleetDay<'_>, &mut Vec<Finding>);

/// The rules of a vehicle-day.
pub const VEHICLE_RULES: &[(Rule, VehicleRule)] = &[
    // How and when the car was used, and its terminal.
    (Rule::R01, no_order::judge),
    (Rule::R02, outside_order_time::judge),
    (Rule::R03, area::judge),
    (Rule::R04, destination::judge),
    (Rule::R05, off_hours::judge),
    (Rule::R06, rest_day::judge),
    (Rule::R07, night::judge),
    (Rule::R08, places::judge),
    (Rule::R09, speed::judge),
    (Rule::R10, power::judge),
    (Rule::R11, unseen::judge),
    (Rule::R12, mileage::judge),
    (Rule::R17, driver::judge),
    (Rule::R19, idle::judge),
    (Rule::R20, towed::judge),
    //
    // Ledgers, patterns over weeks, borrowed and moved.
    (Rule::R13, fuel_use::judge),
    (Rule::R14, fuel_elsewhere::judge),
    (Rule::R15, passage_elsewhere::judge),
    (Rule::R16, repair_elsewhere::judge),
    (Rule::R18, fixed_use::judge),
    (Rule::R21, allowance_area::judge),
    (Rule::R23, swapped_identity::judge),
    (Rule::R24, kept_elsewhere::judge),
    (Rule::R26, school_runs::judge),
    (Rule::R28, odometer::judge),
];

/// The rules of the whole fleet.
pub const FLEET_RULES: &[(Rule, FleetRule)] =
    &[(Rule::R22, odd_orders::judge), (Rule::R25, long_hire::judge), (Rule::R27, gatherings::judge)];

/// A distance in whole metres, rounded; what no number of metres can be saturates.
fn whole(metres: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
    let metres = metres.round() as i64;
    metres
}
