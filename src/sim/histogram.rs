//! A histogram of durations with fixed buckets: 64 per power of two, so that a quantile is off by at most 1.6 %.

use std::time::Duration;

/// Buckets per power of two.
const SUB: usize = 64;
/// Powers of two above the first linear stretch; values from about 2^45 ns (9.8 h) share the last bucket.
const OCTAVES: usize = 40;

/// Counts of durations by size.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; SUB * OCTAVES], total: 0, max_ns: 0 }
    }
}

/// The bucket of a value: the value itself below `SUB`, then `SUB / 2` linear steps for each power of two.
fn bucket(ns: u64) -> usize {
    let shift = (64 - ns.leading_zeros()).saturating_sub(SUB.trailing_zeros()) as usize;
    let index = shift * (SUB / 2) + (ns >> shift) as usize;
    index.min(SUB * OCTAVES - 1)
}

/// The largest value that falls into a bucket.
fn upper_ns(index: usize) -> u64 {
    if index < SUB {
        return index as u64;
    }
    let shift = (index - SUB / 2) / (SUB / 2);
    let step = (index - shift * (SUB / 2)) as u64;
    ((step + 1) << shift) - 1
}

impl Histogram {
    /// Counts one duration, in nanoseconds.
    pub fn record(&mut self, ns: u64) {
        if let Some(count) = self.counts.get_mut(bucket(ns)) {
            *count += 1;
        }
        self.total += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds what `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// How many were counted.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.total
    }

    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The longest, exactly.
    #[must_use]
    pub const fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The duration that a share `quantile` (0 to 1) of the counted ones does not exceed; zero when empty.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = ((self.total as f64 * quantile).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(upper_ns(index).min(self.max_ns));
            }
        }
        self.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_histogram_says_zero() {
        let empty = Histogram::default();
        assert!(empty.is_empty());
        assert_eq!(empty.quantile(0.5), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_two_percent_of_the_sorted_list(
            mut values in proptest::collection::vec(0..40_000_000_000_u64, 1..300),
            quantile in 0.0..=1.0_f64,
        ) {
            let mut histogram = Histogram::default();
            let mut half = Histogram::default();
            for (at, value) in values.iter().enumerate() {
                if at % 2 == 0 { histogram.record(*value) } else { half.record(*value) }
            }
            histogram.merge(&half);
            values.sort_unstable();
            let rank = ((values.len() as f64 * quantile).ceil() as usize).clamp(1, values.len());
            let exact = values[rank - 1];
            let ns = histogram.quantile(quantile).as_nanos() as u64;
            prop_assert!(ns >= exact && ns as f64 <= exact as f64 * 1.04 + 1.0, "{ns} for {exact}");
            prop_assert_eq!(histogram.max().as_nanos() as u64, values[values.len() - 1]);
            prop_assert_eq!(histogram.len(), values.len() as u64);
        }
    }
}
