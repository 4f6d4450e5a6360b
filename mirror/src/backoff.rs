//! How long to wait before the next attempt. Pure: the random numbers come from outside.

use std::time::Duration;

/// The longest wait that a server may ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Waits that double from attempt to attempt, up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two bounds")]
pub struct Backoff {
    /// The wait after the first failure.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait after `failures` failures in a row, from 1. Between a half and the whole of the doubled wait, by `random`, so
    /// that many who failed together do not come back together. Never shorter than what the server asked for, which is
    /// obeyed up to [`RETRY_AFTER_MAX`].
    #[must_use]
    pub fn delay(&self, failures: u32, random: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.min.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(self.max);
        let half = doubled / 2;
        let jitter = half.mul_f64(f64::from(random) / f64::from(u32::MAX));
        (half + jitter).max(asked.unwrap_or_default().min(RETRY_AFTER_MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { min: Duration::from_millis(500), max: Duration::from_secs(60) };

    #[test]
    fn waits_double_up_to_their_bound() {
        let longest = |failures| BACKOFF.delay(failures, u32::MAX, None);
        assert_eq!(longest(1), Duration::from_millis(500));
        assert_eq!(longest(4), Duration::from_secs(4));
        assert_eq!((longest(8), longest(u32::MAX)), (Duration::from_secs(60), Duration::from_secs(60)));
        assert_eq!(BACKOFF.delay(1, 0, None), Duration::from_millis(250));
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed_within_reason() {
        let asked = |seconds| BACKOFF.delay(1, 0, Some(Duration::from_secs(seconds)));
        assert_eq!(asked(7), Duration::from_secs(7));
        assert_eq!(asked(u64::MAX), RETRY_AFTER_MAX);
        assert_eq!(asked(0), Duration::from_millis(250));
    }

    proptest! {
        #[test]
        fn a_wait_is_between_a_half_and_the_whole(failures in 1..100_u32, random in any::<u32>()) {
            let whole = BACKOFF.delay(failures, u32::MAX, None);
            let wait = BACKOFF.delay(failures, random, None);
            prop_assert!(whole / 2 <= wait && wait <= whole);
        }
    }
}
