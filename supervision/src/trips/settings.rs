//! What the cutter takes for standing, leaving, silence and nonsense.
//!
//! One default serves loggers that switch off with the car and trackers that never sleep. A value is here because two kinds of
//! device pull it in opposite directions, or because an office may want it otherwise; what nobody would turn is a constant
//! beside the code that uses it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How tracks are cut. Every field has a default, so a file may name only what it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a plain record that callers fill")]
pub struct TripSettings {
    /// Metres from which a use of the car is a trip and no longer a move.
    pub min_trip_m: u32,
    /// Seconds without a usable fix from which the silence is listed as a gap. Above the interval of any tracker that drives.
    pub gap_s: u32,
    /// Seconds of silence that end a trip although the car was elsewhere afterwards. Tunnels, cold starts and lost signals are
    /// shorter; what happened in half an hour nobody can say.
    pub silence_limit_s: u32,
    /// Seconds of silence that end a trip when the car is found where it was (within `near_m`, less the time that driving
    /// there takes). A logger that went off with the engine, or a tracker that sleeps.
    pub silent_stay_s: u32,
    /// Metres within which the car counts as found where it was after a silence: a receiver needs that far to find itself again.
    pub near_m: u32,
    /// Radius in metres of the circle in which a standing car's fixes lie. Above a receiver's noise; a jam that creeps leaves it.
    pub stay_radius_m: u32,
    /// Seconds in that circle from which standing is a stop. A traffic light is shorter.
    pub stay_s: u32,
    /// The same for a device that slept before this trip: it wakes with the car, so while it speaks the car is in use.
    pub stay_awake_s: u32,
    /// Seconds that such a device may stand awake at either end of a trip before that counts as use (waiting, loading). Up to
    /// it the driver gets ready, or the device runs on. Where the ignition is told, it decides.
    pub run_on_s: u32,
    /// The same with the ignition off, when the ignition has proved itself in this trip: fewer, because a driver at a light leaves it on.
    pub stay_ignition_off_s: u32,
    /// The same with the ignition on, when the stop before has proved that it goes off: more, for a jam that stands still.
    pub stay_ignition_on_s: u32,
    /// Metres from the place of a stop that at least two fixes must pass before the car can have left. Wandering fixes reach this.
    pub leave_radius_m: u32,
    /// Metres that one of them must pass.
    pub leave_far_m: u32,
    /// Speed in km/h above which a fix can't have been reached from the one before, and is marked.
    pub max_speed_kmh: u32,
    /// So many fixes in a row out of reach are believed, when the last good one is more than `gap_s` old: the car is there,
    /// however it came. Reflections between houses are shorter.
    pub believed_after_fixes: u32,
    /// Satellites below which a fix is marked, where the source tells their number.
    pub min_satellites: u8,
}

impl Default for TripSettings {
    fn default() -> Self {
        Self {
            min_trip_m: 300,
            gap_s: 180,
            silence_limit_s: 1_800,
            silent_stay_s: 900,
            near_m: 500,
            stay_radius_m: 75,
            stay_s: 300,
            stay_awake_s: 3_600,
            run_on_s: 180,
            stay_ignition_off_s: 180,
            stay_ignition_on_s: 900,
            leave_radius_m: 100,
            leave_far_m: 150,
            max_speed_kmh: 200,
            believed_after_fixes: 5,
            min_satellites: 4,
        }
    }
}

/// Settings that contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A value outside of what can work.
    #[error("{field} must be from {least} to {most}, not {value}")]
    Range {
        /// The field.
        field: &'static str,
        /// Smallest value that works.
        least: u32,
        /// Largest.
        most: u32,
        /// What was given.
        value: u32,
    },
    /// The circle to leave does not hold the circle of standing, or is wider than the far one.
    #[error("stay_radius_m < leave_radius_m <= leave_far_m does not hold")]
    Radii,
}

impl TripSettings {
    /// Refuses what can't work.
    ///
    /// # Errors
    /// The first value out of its range, or radii that don't nest.
    pub fn validate(&self) -> Result<(), SettingsError> {
        const DAY_S: u32 = 86_400;
        let ranges = [
            ("min_trip_m", self.min_trip_m, 0, 100_000),
            ("gap_s", self.gap_s, 10, DAY_S),
            ("silence_limit_s", self.silence_limit_s, 60, DAY_S),
            ("silent_stay_s", self.silent_stay_s, 60, DAY_S),
            ("near_m", self.near_m, 10, 10_000),
            ("stay_radius_m", self.stay_radius_m, 10, 1_000),
            ("stay_s", self.stay_s, 30, DAY_S),
            ("stay_awake_s", self.stay_awake_s, 30, DAY_S),
            ("run_on_s", self.run_on_s, 0, DAY_S),
            ("stay_ignition_off_s", self.stay_ignition_off_s, 30, DAY_S),
            ("stay_ignition_on_s", self.stay_ignition_on_s, 30, DAY_S),
            ("leave_radius_m", self.leave_radius_m, 10, 10_000),
            ("leave_far_m", self.leave_far_m, 10, 10_000),
            ("max_speed_kmh", self.max_speed_kmh, 50, 1_000),
            ("believed_after_fixes", self.believed_after_fixes, 2, 1_000),
        ];
        for (field, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(SettingsError::Range { field, least, most, value });
            }
        }
        if self.stay_radius_m < self.leave_radius_m && self.leave_radius_m <= self.leave_far_m {
            Ok(())
        } else {
            Err(SettingsError::Radii)
        }
    }
}
