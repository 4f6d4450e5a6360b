//! Rollups: what each device did in every ten minutes and on every local day, and the questions that are answered from that.
//!
//! ```text
//! archive of fixes ──(fold, by device and UTC day)──▶ slots/2018-07-15.parquet ──(sum)──▶ days/2018-07-15.parquet
//! ```
//!
//! Why files of columns beside the archive and no table of the registry: 30,000 cars make about a million slots a day and a
//! billion in three years; a day of them is 10 to 15 MB as columns, is written once when the day is over, and a question
//! reads two or three of its columns. A day's sums are 30,000 rows more, so that a month of a city is a million rows and the mileage of
//! 2,000 cars on a day is read in a few milliseconds.
//!
//! Nothing here is a source of truth: every file can be deleted and comes back the same from the archive ([`rebuild`]).
//! Each says how it was made ([`Making`]); a file made otherwise, or damaged, counts as not there. Which device-days have to be folded again
//! is kept by whoever knows what changed; this crate knows no registers of people, opens no socket, reads no clock.

mod cache;
mod columns;
mod error;
mod file;
pub mod iot;
pub mod rebuild;
mod rewrite;
mod store;
mod table;
#[cfg(test)]
mod tests;
pub mod trucks;
mod zone;

pub use columns::Column;
pub use error::RollupsError;
pub use file::Making;
pub use rewrite::{DEVICES_A_GROUP, Kept, Rewrite};
pub use store::{Store, by_device, sums};
pub use table::{Entry, Part, Run, Table};
pub use zone::{Zone, date_of, day_number};
