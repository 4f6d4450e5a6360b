//! Reports: numbers over a time, folded out of what the registry has. Pure; reading and showing are others' work.
//!
//! A report says what its numbers rest on and what was not seen. It never names a person.

pub mod month;
