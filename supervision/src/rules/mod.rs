//! The rules R01 to R28: each reads a [`crate::judge::VehicleDay`] or the whole fleet and says what it found.
//!
//! A rule is a pure function. It says nothing (clear), flags, or says that it can't decide and what it lacks. It never decides
//! whether somebody did wrong, and it never looks at a clock: time comes with the facts.

mod params;

pub use params::*;
