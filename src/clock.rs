//! The one place that reads the clock.
//!
//! Sources and the composition root get a [`Clock`]; folds and codecs never do.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use motorpool_protocols::UtcMillis;

/// The wall clock, made monotonic: it never goes back while the process lives, nor behind `floor`.
#[derive(Debug)]
pub struct Clock {
    last_ms: AtomicI64,
}

impl Clock {
    /// A clock that never shows a time before `floor` (the `received_at` of the last journal record).
    #[must_use]
    pub fn starting_at(floor: UtcMillis) -> Self {
        Self { last_ms: AtomicI64::new(floor.0) }
    }

    /// The time now; never earlier than the answer before.
    #[must_use]
    pub fn now(&self) -> UtcMillis {
        let wall = wall_now().0;
        UtcMillis(self.last_ms.fetch_max(wall, Ordering::Relaxed).max(wall))
    }
}

/// What the wall clock shows and how much time has passed, at one moment: the second says whether to believe the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Reading {
    /// The wall clock as it is.
    pub wall: UtcMillis,
    /// Of a clock that nobody sets.
    pub steady: Instant,
}

impl Reading {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { wall: wall_now(), steady: Instant::now() }
    }
}

/// The wall clock as it is; it may jump.
#[must_use]
pub fn wall_now() -> UtcMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
