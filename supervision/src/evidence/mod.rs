//! Evidence packs: one ZIP that holds everything a finding rests on, can be checked offline, and gives the same finding again.
//!
//! | entry | what |
//! | --- | --- |
//! | `report.html` | for people, print-ready, Chinese and English |
//! | `findings.json` | the findings of the case |
//! | `case.json` | the events of the case |
//! | `track.csv`, `track.geojson` | the fixes, every one, marked ones among them |
//! | `frames.csv` | the raw messages as received, in hex |
//! | `orders.csv` | the orders considered |
//! | `rules.json` | names, versions and parameters of the rules |
//! | `inputs/register.json` | registers as known when judged |
//! | `inputs/segments.json` | trips, moves, stops and gaps, 35 days back |
//! | `inputs/points.json` | the points that were judged |
//! | `inputs/others.json` | segments of other vehicles that findings of the fleet need |
//! | `inputs/judgement.json` | vehicle, days, time zone, and up to when everything was known |
//! | `manifest.json` | SHA-256 and length of every other entry, program version, what kind of copy it is |
//!
//! A *masked* copy is for the unit: people, other cars, free text and raw frames are left out, and it says so. By itself it can
//! only be checked for change; it names the hash of its full pack, and that pack proves it.
//!
//! Nothing here reads a file: packs come in and go out as bytes. Limits guard against archives made to hurt.

mod archive;
mod build;
mod excerpt;
mod manifest;
mod mask;
mod report;
mod svg;
mod tables;
#[cfg(test)]
mod tests;
mod verify;

use serde::{Deserialize, Serialize};

use crate::UtcMillis;
use crate::finding::Finding;
use crate::ids::{UnitId, VehicleId};
use crate::point::Point;
use crate::register::Register;
use crate::trips::Segment;

pub use build::{Copy, PackError, build};
pub use excerpt::{ExcerptOf, excerpt};
pub use manifest::{Manifest, ManifestEntry};
pub use mask::mask_finding;
pub use verify::{Mismatch, PROGRAM, Proof, Verified, VerifyError, verify, verify_copy, verify_copy_of};

/// The most a pack may hold unpacked, bytes.
pub const MAX_UNPACKED_BYTES: u64 = 1 << 30;

/// The most entries a pack may have.
pub const MAX_ENTRIES: usize = 64;

/// What a pack is made of.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "filled by the server and by tests")]
pub struct PackInputs {
    /// What to judge again.
    pub judgement: Judgement,
    /// Registers as known then. [`excerpt`] cuts them down to what the vehicle needs.
    pub register: Register,
    /// Segments of the vehicle, 35 days back and 2 ahead.
    pub segments: Vec<Segment>,
    /// Points of the vehicle on the days judged.
    pub points: Vec<Point>,
    /// Other vehicles that the findings of the fleet speak of.
    pub others: Vec<OtherVehicle>,
    /// The findings of the case.
    pub findings: Vec<Finding>,
    /// Events of the case, as they are stored.
    pub case: serde_json::Value,
    /// Raw messages of the days judged.
    pub frames: Vec<RawFrame>,
    /// When the pack is made.
    pub made_at: UtcMillis,
    /// Who asked for it.
    pub made_by: String,
    /// Version of the program.
    pub program: String,
}

/// What to judge again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Judgement {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// First local day.
    pub first_day: jiff::civil::Date,
    /// Last local day.
    pub last_day: jiff::civil::Date,
    /// Time zone of local days.
    pub time_zone: String,
    /// Up to when everything was known.
    pub known_to: UtcMillis,
    /// Change of the registry up to which registers were read.
    pub registry_change: i64,
    /// The unit whose orders are judged, when the case is about no vehicle (`vehicle` 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitId>,
    /// Clock of the terminal against the server's, seconds, median of the days judged; positive = the terminal is ahead.
    /// No rule uses it, the report says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_s: Option<i64>,
}

/// Another vehicle that a finding of the fleet speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct OtherVehicle {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// Its segments.
    pub segments: Vec<Segment>,
}

/// A raw message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct RawFrame {
    /// When the server received it.
    pub received_at: UtcMillis,
    /// The protocol's name.
    pub protocol: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}
