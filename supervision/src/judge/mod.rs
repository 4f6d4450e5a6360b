//! Judges vehicle-days: brings together what the rules of one vehicle and one local day look at, runs them, and applies what holds
//! for all of them: exemptions, duty and emergencies, trial.

mod day;
mod draft;

pub use day::{Matched, VehicleDay, VehicleHistory};
pub use draft::Draft;
