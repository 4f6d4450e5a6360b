//! A histogram of durations that costs two atomic additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in microseconds; one more class lies above the last.
const BOUNDS_US: [u64; 17] = [
    250, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 16_000, 32_000, 64_000, 128_000,
    500_000, 2_000_000, 10_000_000,
];

/// Durations, counted in classes from 0.25 ms to 10 s.
#[derive(Debug, Default)]
pub struct Histogram {
    classes: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by whoever counts")]
pub struct HistogramReading {
    /// Upper bound in seconds, ascending, and how many took no longer.
    pub buckets: Vec<(f64, u64)>,
    /// All of them.
    pub count: u64,
    /// What all of them took together, seconds.
    pub sum_s: f64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(class) = self.classes.get(class) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What was counted up to now.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
    pub fn reading(&self) -> HistogramReading {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(BOUNDS_US.len());
        for (at, class) in self.classes.iter().enumerate() {
            count += class.load(Ordering::Relaxed);
            if let Some(bound) = BOUNDS_US.get(at) {
                buckets.push((*bound as f64 / 1e6, count));
            }
        }
        HistogramReading { buckets, count, sum_s: self.sum_us.load(Ordering::Relaxed) as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_every_class_from_its_own_on() {
        let histogram = Histogram::default();
        for us in [250, 251, 3_000_000, 60_000_000] {
            histogram.record(Duration::from_micros(us));
        }
        let reading = histogram.reading();
        assert_eq!(reading.buckets[0], (0.000_25, 1));
        assert_eq!(reading.buckets[1], (0.000_5, 2));
        assert_eq!(reading.buckets.last(), Some(&(10.0, 3)));
        assert_eq!((reading.count, reading.sum_s), (4, 63.000_501));
    }
}
