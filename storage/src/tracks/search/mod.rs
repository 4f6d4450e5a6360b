//! Questions over many devices at once: files and memory together, as they are at one instant.
//!
//! ```text
//! area       who was there in a window of time, and when each came and went         (area, stays)
//! nearest    which cars were nearest to a place at a moment                         (nearest)
//! meetings   when a car was close to others                                         (meetings)
//! scan       chosen columns of every device in a window, a device at a time         (scan)
//! ```
//!
//! Every answer is without duplicates and without suspect clocks. A file that can't be read is named in the answer and
//! its rows are missing; the rest is answered. Pages that lie outside the question by the bounds of their file's
//! index are not read. A search takes what it needs under the lock of the archive and reads without it.
//!
//! Nothing here decides who may ask: that is the caller's.

mod area;
mod block;
mod field;
mod meetings;
mod nearest;
mod place;
mod plan;
mod scan;
mod snapshot;
mod stays;

use std::sync::LazyLock;

pub use self::area::{AreaFound, AreaSearch};
pub use self::field::{Field, NO_VALUE};
pub use self::meetings::{Footing, Meeting, MeetingSearch, MeetingsFound};
pub use self::nearest::{Near, NearestFound, NearestSearch, Sighting};
pub use self::place::{Area, GeoBox, IsInside, Place};
pub use self::scan::{DeviceRun, Scan, Scanned};
pub use self::stays::{IsShown, Presence, Stay};

/// Threads of a search unless told otherwise: the processors.
fn threads_default() -> usize {
    static PROCESSORS: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    *PROCESSORS
}
