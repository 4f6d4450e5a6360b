//! Judges vehicle-days: brings together what the rules of one vehicle and one local day look at, runs them, and applies what holds
//! for all of them: exemptions, duty and emergencies, trial.

mod day;
mod draft;
mod fleet;
mod settings;
mod settle;
#[cfg(test)]
pub(crate) mod testing;
mod vehicle;

pub use day::{Matched, VehicleDay, VehicleHistory};
pub use draft::Draft;
pub use fleet::{FleetDay, FleetVehicle, judge_fleet};
pub use settle::colour_of;
pub use vehicle::{Judged, judge_vehicle, judge_vehicle_counting};

/// How far before a judged day rules look, days. A history must reach this far back; what lies before is not looked at.
pub const LOOK_BACK_DAYS: i64 = 35;
