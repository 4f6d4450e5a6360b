//! Cuts the track of one device into trips, moves, stops and gaps.
//!
//! A *trip* is a use of the car of at least [`TripSettings::min_trip_m`]; a shorter one is a *move*. A *stop* lies between
//! them. A *gap* is time without fixes; it may lie inside a trip (a tunnel) or end one. Start and end are the real departure
//! and arrival, not the moment at which the engine became sure. Trips are never split at midnight.
//!
//! The cutter reads points in order of time, keeps a state of bounded size, and forgets: after a stop that is sure, what follows
//! depends on that stop alone ([`Rest`]), so a late fix revises only what lies between two stops.

mod confidence;
mod cutter;
mod drive;
pub mod outliers;
mod settings;
mod standing;
mod tally;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use cutter::{Cutter, cut};
pub use settings::{SettingsError, TripSettings};
pub(crate) use tally::{Step, Tally, reported_speed};

use crate::UtcMillis;
use crate::point::{Point, Position};

/// What a piece of a track is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "segment", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum Segment {
    /// The car was used.
    Trip(Trip),
    /// The car stood.
    Stop(Stop),
    /// Nothing was heard.
    Gap(Gap),
}

impl Segment {
    /// When it begins.
    #[must_use]
    pub const fn start(&self) -> UtcMillis {
        match self {
            Self::Trip(trip) => trip.start,
            Self::Stop(stop) => stop.start,
            Self::Gap(gap) => gap.start,
        }
    }

    /// When it ends. A gap inside a stop ends before the stop does.
    #[must_use]
    pub const fn end(&self) -> UtcMillis {
        match self {
            Self::Trip(trip) => trip.end,
            Self::Stop(stop) => stop.end,
            Self::Gap(gap) => gap.end,
        }
    }
}

/// A use of the car.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Trip {
    /// Trip, or a move of less than [`TripSettings::min_trip_m`].
    pub kind: TripKind,
    /// The departure.
    pub start: UtcMillis,
    /// The arrival.
    pub end: UtcMillis,
    /// Where it began.
    pub start_at: Position,
    /// Where it ended.
    pub end_at: Position,
    /// How far, metres.
    pub distance_m: u32,
    /// Where the distance comes from.
    pub distance_source: DistanceSource,
    /// Time in motion, seconds.
    pub moving_s: u32,
    /// Time standing within the trip, seconds.
    pub idle_s: u32,
    /// Highest believable speed, 0.1 km/h; `None` when neither a speed nor two fixes close in time tell.
    pub max_speed_dkmh: Option<u16>,
    /// Usable fixes from start to end, both included.
    pub fixes: u32,
    /// Fixes in that time that were marked (outliers, no position) and not used.
    pub marked: u32,
    /// Time inside gaps within the trip, seconds.
    pub gap_s: u32,
    /// How sure the cut is, 0 to 100.
    pub confidence_pct: u8,
    /// What shows that it began.
    pub start_reason: StartReason,
    /// What shows that it ended.
    pub end_reason: EndReason,
}

/// Trip or move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a contract of `audit`")]
pub enum TripKind {
    /// At least [`TripSettings::min_trip_m`].
    Trip,
    /// Less.
    Move,
}

/// Where a distance comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DistanceSource {
    /// Difference of the device's or the vehicle's odometer, which agreed with the fixes.
    Odometer,
    /// Sum over the fixes.
    Fixes,
    /// Sum over the fixes, with at least one gap bridged by a straight line.
    FixesBridged,
}

/// What shows that a trip began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StartReason {
    /// The ignition went on and the car left.
    IgnitionOn,
    /// The positions left the parking place.
    Displacement,
    /// The first fixes after a silence were already away or moving.
    AfterGap,
    /// The data begins in the middle of a trip.
    StartOfData,
}

/// What shows that a trip ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// The ignition went off.
    IgnitionOff,
    /// The car stayed in one place long enough.
    Stayed,
    /// Silence, and the next fix is at the same place.
    SilentInPlace,
    /// Silence of more than the limit, and the next fix is elsewhere.
    SilentTooLong,
    /// The next fix can't have been reached in the time.
    Implausible,
    /// The data ends.
    EndOfData,
}

/// The car stood, from an arrival to the next departure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Stop {
    /// The arrival.
    pub start: UtcMillis,
    /// The departure, or the last fix.
    pub end: UtcMillis,
    /// Where: a robust middle of the fixes.
    pub at: Position,
    /// Whether the next departure is not known yet.
    pub is_open: bool,
    /// Time with the ignition on, seconds, where the source says so.
    pub ignition_on_s: Option<u32>,
    /// Usable fixes within.
    pub fixes: u32,
    /// Longest time without a fix within, seconds.
    pub longest_silence_s: u32,
}

/// Time without fixes of more than [`TripSettings::gap_s`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Gap {
    /// The last fix before.
    pub start: UtcMillis,
    /// The first fix after.
    pub end: UtcMillis,
    /// Where the last fix before was.
    pub from: Position,
    /// Where the first fix after was.
    pub to: Position,
    /// Straight distance between them, metres.
    pub displacement_m: u32,
    /// What the odometer counted meanwhile, metres.
    pub odometer_m: Option<u32>,
    /// Whether the gap lies inside a trip, is where one was cut, or lies in a stop.
    pub place: GapPlace,
    /// Ignition at the last fix before.
    pub ignition_before: Option<bool>,
    /// Ignition at the first fix after.
    pub ignition_after: Option<bool>,
    /// Whether the terminal reported lost power at either end.
    pub power_lost: bool,
}

impl Gap {
    /// What an odometer counts while a car stands: its own steps, a manoeuvre in the yard, metres.
    const STOOD_STILL_M: u32 = 500;

    /// Whether the car may have driven away and come back in a silence within a stop: its odometer says so, or, without an
    /// odometer, the terminal did not fall asleep as it does when the car is parked.
    #[must_use]
    pub fn may_hide_a_drive(&self) -> bool {
        let counted = self.odometer_m.is_some_and(|metres| metres > Self::STOOD_STILL_M);
        let unpowered = self.odometer_m.is_none() && (self.power_lost || self.ignition_before == Some(true));
        self.place == GapPlace::InStop && (counted || unpowered)
    }
}

/// Where a gap lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum GapPlace {
    /// Inside a trip, which goes on.
    InTrip,
    /// It ends a trip, and the car was elsewhere afterwards.
    BetweenTrips,
    /// Inside a stop: the car was where it had been.
    InStop,
}

/// A moment after which everything that came before is forgotten: the car stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Rest {
    /// Time of the last fix that the state has seen.
    pub seen: UtcMillis,
    /// The open stop.
    pub stop: Stop,
    /// The last fix in it: what the odometer read and whether the ignition was on when the car stood.
    pub last: Point,
    /// When the device woke, if it slept in this stop and has not been awake for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<Wake>,
    /// What a trip from here begins with when this is no stop yet, only where the track begins or begins again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<StartReason>,
}

/// The end of a device's sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Wake {
    /// Time of the first fix after it.
    pub time: UtcMillis,
    /// Usable fixes of the stop before that one.
    pub fixes_before: u32,
}
