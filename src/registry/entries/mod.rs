//! The rows that judgement needs, in two times: when each holds in the world, and since when the registry knows.
//!
//! Nothing is ever edited or deleted. Each write adds *versions* to a row (a number `id` within its kind) and supersedes some of
//! the versions known until then. What is known at one moment is the set of versions recorded by then and not yet
//! superseded; the times of validity of one row's versions in that set never overlap, so at one instant of the world a row
//! says one thing. The newest version of a row is always part of what is known: its number is what `If-Match` names.
//!
//! An example. Car 7 belongs to unit 1 since 1 January (version 1). On 5 March somebody writes that it belongs to unit 2
//! from 1 March on, [`Change::Amend`]: version 1 is superseded by version 2 (unit 1, 1 January to 1 March) and version 3
//! (unit 2, since 1 March). A trip of February is judged by version 2, one of April by version 3; and to the question what
//! was known on 4 March the answer is still version 1. On 6 March somebody sees that the plate was mistyped all along,
//! [`Change::Correct`]: version 4 takes the place of versions 2 and 3 for the whole time it states. On 1 June the car is sold,
//! [`Change::End`]: version 5 says what version 4 says, until 1 June.
//!
//! | op | what it means | what is known afterwards |
//! | --- | --- | --- |
//! | [`Change::Add`] | a new row | the row, while it is valid |
//! | [`Change::Correct`] | what was known was wrong | the new version alone |
//! | [`Change::Amend`] | within this time it says something else | the new version; outside its time what was known before |
//! | [`Change::End`] | from then on it holds no longer | what was known before, cut off at that instant |
//!
//! All changes of one call are written or none; each call is one change of the registry's sequence, so derived state can name
//! how much it has seen ([`Registry::changes_since`]). `recorded_at` never goes back, even when the clock does. One plate, one
//! code of a unit, one car for a device and one primary device for a car at an instant: a call that would break this is
//! refused with the rows that stand against each other.

/// Hands the types of all kinds of rows to another macro.
macro_rules! for_every_kind {
    ($then:ident) => {
        $then!(
            motorpool_supervision::register::Unit,
            motorpool_supervision::register::Vehicle,
            motorpool_supervision::register::Binding,
            motorpool_supervision::register::Driver,
            motorpool_supervision::register::Order,
            motorpool_supervision::register::Duty,
            motorpool_supervision::register::Emergency,
            motorpool_supervision::register::Seal,
            motorpool_supervision::register::Transfer,
            motorpool_supervision::register::Zone,
            motorpool_supervision::register::PlaceEntry,
            motorpool_supervision::register::CalendarYear,
            motorpool_supervision::register::WorkingHours,
            motorpool_supervision::register::RuleSet,
            motorpool_supervision::register::Exemption,
            motorpool_supervision::register::Watermark,
            motorpool_supervision::register::Report,
            motorpool_supervision::register::FuelFill,
            motorpool_supervision::register::Passage,
            motorpool_supervision::register::Repair,
            motorpool_supervision::register::Rental,
            motorpool_supervision::register::DriverLogin,
            motorpool_supervision::register::VinReading,
            motorpool_supervision::register::DeviceWork,
            motorpool_supervision::register::Mileage
        )
    };
}

mod any;
mod facts;
mod orders;
mod preview;
mod read;
mod timeline;
mod write;

#[cfg(test)]
mod tests;

pub use any::{AnyRow, RowFilter, RowOrder};
pub use facts::{Facts, Stored};
pub use preview::{Preview, preview};
pub use read::{Changed, Known, Scope};
pub use write::{Batch, Written};
pub(super) use write::{record_time, write_in};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::register::{Row, Span, Versioned};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{Error, Registry};

/// The largest row as JSON, bytes: a polygon with some 20,000 corners.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;
/// Changes of one call.
pub const CHANGES_MAX: usize = 100_000;

/// One change of one row. As JSON it is told apart by `op`; a proposal keeps it so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a request")]
pub enum Change<T> {
    /// A new row.
    Add {
        /// Its number, out of [`Registry::reserve`]; `None` = the next.
        id: Option<i64>,
        /// When it holds.
        valid: Span,
        /// What it says.
        row: T,
    },
    /// What was known about the row was wrong: all of it is superseded.
    Correct {
        /// Which row.
        id: i64,
        /// The newest version that the writer has seen; `None` = whichever.
        expected: Option<u32>,
        /// When it holds.
        valid: Span,
        /// What it says.
        row: T,
    },
    /// The row says something else within a time; outside it, what was known stays known.
    Amend {
        /// Which row.
        id: i64,
        /// The newest version that the writer has seen; `None` = whichever.
        expected: Option<u32>,
        /// When it says so.
        valid: Span,
        /// What it says.
        row: T,
    },
    /// The row holds no longer.
    End {
        /// Which row.
        id: i64,
        /// The newest version that the writer has seen; `None` = whichever.
        expected: Option<u32>,
        /// First instant at which it does not hold.
        at: UtcMillis,
    },
}

impl<T> Change<T> {
    /// The row it changes; `None` for a new one that has no number yet.
    pub const fn id(&self) -> Option<i64> {
        match self {
            Self::Add { id, .. } => *id,
            Self::Correct { id, .. } | Self::Amend { id, .. } | Self::End { id, .. } => Some(*id),
        }
    }

    /// When it says something, and what.
    pub const fn says(&self) -> Option<(Span, &T)> {
        match self {
            Self::Add { valid, row, .. }
            | Self::Correct { valid, row, .. }
            | Self::Amend { valid, row, .. } => Some((*valid, row)),
            Self::End { .. } => None,
        }
    }

    /// The same change of a row in another form.
    ///
    /// # Errors
    /// What `read` says.
    pub fn read_with<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Change<U>, E> {
        Ok(match self {
            Self::Add { id, valid, row } => Change::Add { id, valid, row: read(row)? },
            Self::Correct { id, expected, valid, row } => {
                Change::Correct { id, expected, valid, row: read(row)? }
            }
            Self::Amend { id, expected, valid, row } => {
                Change::Amend { id, expected, valid, row: read(row)? }
            }
            Self::End { id, expected, at } => Change::End { id, expected, at },
        })
    }
}

/// A version as the table has it, without what only queries look at.
#[derive(Clone, Debug, FromRow)]
struct Record {
    kind: String,
    id: i64,
    version: i64,
    recorded_at: i64,
    recorded_by: String,
    superseded_at: Option<i64>,
    valid_from: i64,
    valid_to: Option<i64>,
    about_from: i64,
    vehicle: Option<i64>,
    other_vehicle: Option<i64>,
    body: String,
}

/// The columns of a [`Record`].
const SELECT: &str = "SELECT kind, id, version, recorded_at, recorded_by, superseded_at, valid_from, valid_to, \
    about_from, vehicle, other_vehicle, body FROM entries";

impl Record {
    fn valid(&self) -> Span {
        Span { from: UtcMillis(self.valid_from), to: self.valid_to.map(UtcMillis) }
    }

    fn version(&self) -> Result<u32, Error> {
        u32::try_from(self.version).map_err(|_| Error::Corrupt("the version of a row"))
    }

    fn row<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.body).map_err(|source| Error::Unreadable {
            what: format!("{} {} version {}", self.kind, self.id, self.version),
            source,
        })
    }

    fn versioned<T: Row>(self) -> Result<Versioned<T>, Error> {
        Ok(Versioned {
            id: self.id,
            version: self.version()?,
            valid: self.valid(),
            recorded_at: UtcMillis(self.recorded_at),
            row: self.row()?,
            recorded_by: self.recorded_by,
        })
    }
}

/// Whether two times of validity share an instant.
fn overlap(a: Span, b: Span) -> bool {
    let ends_after = |span: Span, instant| span.to.is_none_or(|to| instant < to);
    let is_some = |span: Span| ends_after(span, span.from);
    is_some(a) && is_some(b) && ends_after(a, b.from) && ends_after(b, a.from)
}
