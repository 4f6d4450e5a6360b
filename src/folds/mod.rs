//! The folds: everything that is derived from the journal.
//!
//! One thread follows the journal behind its durable mark, decodes each message once, and feeds the folds
//! ([`crate::tracks`], [`crate::live`]) in journal order. A fold is a function of the records up to its
//! checkpoint: it reads no clock and no random number, and applying a record twice has no effect beyond the
//! first time. After a crash the thread starts at the lowest checkpoint; a fold that is further skips ahead.
//!
//! It must never write to the journal or speak to a terminal.

mod counts;
mod decode;
mod driver;

pub use counts::FoldCounts;
pub use decode::{Decoded, decode_batch};
pub use driver::{Driver, DriverParts};
