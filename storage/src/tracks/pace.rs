//! How fast a merge goes: it tidies up, and nobody waits for it.
//!
//! A merge of a large day writes tens of megabytes. Left to itself the system would write them out all at once at the
//! end, and the journal's small writes, for which trackers wait, would queue behind. So a merge makes what it wrote
//! durable every few megabytes, and while fixes arrive it writes no more than a configured number of bytes a second.
//! Its thread runs while nobody else wants the processor, or has a small share of it; Linux derives its priority at the disk from
//! that.

use std::time::{Duration, Instant};

use super::encode::FileWriter;
use super::error::TracksError;
use super::store::Store;

/// Bytes that a merge leaves for the system to write out at one time.
const SYNC_BYTES: u64 = 2 << 20;

/// Fixes that arrive in less than this are called arriving now.
const BUSY_WITHIN: Duration = Duration::from_secs(2);

/// Holds one merge back.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes a second while fixes arrive; `None` for a merge that somebody waits for.
    bytes_per_s: Option<u64>,
    /// Bytes that are durable.
    synced: u64,
    /// Since when, and from which byte on, the rate counts.
    since: (Instant, u64),
    /// Rows ever taken when this was last looked at, and when they last were fewer.
    seen: (u64, Option<Instant>),
}

impl Pace {
    /// The pace of a merge in the background.
    pub(super) fn background(store: &Store) -> Self {
        let bytes_per_s = u64::try_from(store.config.compact_bytes_per_s.0).unwrap_or(u64::MAX);
        Self { bytes_per_s: Some(bytes_per_s), ..Self::at_once() }
    }

    /// The pace of a merge that somebody asked for.
    pub(super) fn at_once() -> Self {
        Self { bytes_per_s: None, synced: 0, since: (Instant::now(), 0), seen: (u64::MAX, None) }
    }

    /// To be called between rows: makes durable what was written, and waits when that was too fast.
    pub(super) fn step(&mut self, store: &Store, writer: &FileWriter) -> Result<(), TracksError> {
        let written = writer.bytes_written();
        if written - self.synced >= SYNC_BYTES {
            writer.sync()?;
            self.synced = written;
        }
        let now = Instant::now();
        let is_busy = self.is_busy(store.state().decoded, now);
        if let Some(bytes_per_s) = self.bytes_per_s.filter(|_| is_busy) {
            let (begun, from) = self.since;
            store.rest(owed(written - from, now - begun, bytes_per_s));
        } else {
            self.since = (now, written);
        }
        Ok(())
    }

    /// Whether fixes arrive, of which `decoded` were ever taken.
    fn is_busy(&mut self, decoded: u64, now: Instant) -> bool {
        if decoded > self.seen.0 {
            self.seen.1 = Some(now);
        }
        self.seen.0 = decoded;
        self.seen.1.is_some_and(|last| now - last < BUSY_WITHIN)
    }
}

/// How long to wait until so many bytes in so much time are no more than `bytes_per_s`.
fn owed(bytes: u64, elapsed: Duration, bytes_per_s: u64) -> Duration {
    let millis = u128::from(bytes) * 1_000 / u128::from(bytes_per_s.max(1));
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).saturating_sub(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_too_fast_is_waited_for() {
        assert_eq!(owed(8 << 20, Duration::ZERO, 4 << 20), Duration::from_secs(2));
        assert_eq!(owed(8 << 20, Duration::from_millis(1_500), 4 << 20), Duration::from_millis(500));
        assert_eq!(owed(8 << 20, Duration::from_secs(3), 4 << 20), Duration::ZERO);
    }

    #[test]
    fn fixes_arrive_while_there_are_more_each_time_one_looks() {
        let start = Instant::now();
        let mut pace = Pace::at_once();
        // The first look tells nothing.
        assert!(!pace.is_busy(10, start));
        assert!(!pace.is_busy(10, start + BUSY_WITHIN));
        assert!(pace.is_busy(11, start + BUSY_WITHIN));
        assert!(pace.is_busy(11, start + BUSY_WITHIN + BUSY_WITHIN / 2));
        assert!(!pace.is_busy(11, start + BUSY_WITHIN * 2));
    }
}
