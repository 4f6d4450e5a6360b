//! Holds what the cars did against what they were sent to do.
//!
//! Pure and synchronous, like the codecs: no socket, no file, no clock, no random number, no hash order. Fixes and
//! registers come in as values, trips, findings and case states go out as values; the server, the `audit` command and the
//! checker of an evidence pack all run this same code.
//!
//! ```text
//! points ──▶ trips (trips, moves, stops, gaps) ──┐
//! register ─▶ world (calendar, zones, orders) ───┼──▶ matching ──▶ rules ──▶ findings ──▶ cases ──▶ evidence
//! ```

pub mod calendar;
pub mod cases;
pub mod evidence;
pub mod finding;
pub mod formula;
mod hex;
pub mod ids;
pub mod intake;
pub mod judge;
pub mod matching;
pub mod point;
pub mod register;
pub mod rollups;
pub mod rules;
pub mod trips;
pub mod world;
pub mod zones;

pub use motorpool_protocols::UtcMillis;
