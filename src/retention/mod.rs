//! Retention: what has been kept long enough goes, once a day, but for what is held.
//!
//! ```text
//! [retention], holds, cases ──▶ Plan ──▶ a line in the audit log ──▶ raw, tracks, trips, flags, cases, audit details
//! ```
//!
//! Age counts from when something was received or recorded, by this server's clock; no device can make its data older or younger.
//! The clock itself is not trusted further than two days at a time ([`Clock`]): a look removes nothing unless the wall clock went as far since
//! the look before as time passed, and each may go forward by two days at most, so that a clock that was years ahead for an hour costs
//! nothing. What goes is written into the audit log before it goes. A hold wins: it is asked for every row, of details of the audit log one on
//! everything, and once more right before rows go, because it may have been placed meanwhile. Where nobody can tell what is held (a damaged
//! file), all stays. What fails keeps neither other days nor other classes from going.
//!
//! It owns no file and no row: `journal`, `tracks` and `registry` remove what is theirs.

mod clock;
mod held;
mod keeper;
mod latest;
mod plan;
mod removal;
mod rows;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use held::Held;
pub use keeper::{Look, Retention, RetentionParts, clock_of, whole_from};
pub use plan::{Class, Limits, Plan, RawDay, RowsDue, plan};

/// So many days before the first day whose tracks may be gone are not derived again: deriving looks back.
pub const SETTLED_DAYS: u32 = 21;
