//! A small bounded token bucket for each key: how many wrong tokens may come from an address, how many requests of a caller.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use motorpool_protocols::UtcMillis;

/// Wrong tokens that may come at once.
const BURST: f64 = 10.0;
/// How long until another one may come, milliseconds.
const REFILL_MS: f64 = 6_000.0;
/// Passwords that may be tried at once from a network; right ones don't count.
const GUESSES_BURST: f64 = 20.0;
/// How long until another one may be tried, milliseconds.
const GUESSES_REFILL_MS: f64 = 6_000.0;
/// The part of an IPv6 address that its subscriber can't choose.
const NETWORK_MASK: u128 = !0 << 64;
/// Keys remembered; when all of them are in use, strangers share one bucket.
const ADDRESSES_MAX: usize = 4_096;

/// The network that an address stands for when attempts are counted: a subscriber of IPv6 has 2^64 addresses to try from.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & NETWORK_MASK)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: UtcMillis,
}

/// How much a bucket holds, and how fast it fills.
#[derive(Clone, Copy, Debug)]
struct Size {
    burst: f64,
    refill_ms: f64,
}

impl Bucket {
    const fn full(size: Size, now: UtcMillis) -> Self {
        Self { tokens: size.burst, at: now }
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few minutes")]
    fn refill(&mut self, size: Size, now: UtcMillis) {
        let passed_ms = now.0.saturating_sub(self.at.0).max(0) as f64;
        self.tokens = (self.tokens + passed_ms / size.refill_ms).min(size.burst);
        self.at = now;
    }

    fn take(&mut self, size: Size, now: UtcMillis) -> bool {
        self.refill(size, now);
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

#[derive(Debug)]
struct Table<K> {
    buckets: HashMap<K, Bucket>,
    shared: Bucket,
}

/// Buckets by key.
#[derive(Debug)]
pub(super) struct Throttle<K = IpAddr> {
    size: Size,
    table: Mutex<Table<K>>,
}

impl Throttle {
    /// Wrong tokens by address.
    pub(super) fn new() -> Self {
        Self::sized(Size { burst: BURST, refill_ms: REFILL_MS })
    }

    /// Attempts at passwords by network.
    pub(super) fn of_guesses() -> Self {
        Self::sized(Size { burst: GUESSES_BURST, refill_ms: GUESSES_REFILL_MS })
    }
}

impl<K: Hash + Eq> Throttle<K> {
    /// So many at once, and so many each second over time.
    pub(super) fn with(burst: u32, per_second: u32) -> Self {
        Self::sized(Size {
            burst: f64::from(burst.max(1)),
            refill_ms: 1_000.0 / f64::from(per_second.max(1)),
        })
    }

    /// Gives one back: it was none of those that are counted.
    pub(super) fn give_back(&self, key: &K) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = table.buckets.get_mut(key) {
            bucket.tokens = (bucket.tokens + 1.0).min(self.size.burst);
        }
    }

    fn sized(size: Size) -> Self {
        let shared = Bucket::full(size, UtcMillis(0));
        Self { size, table: Mutex::new(Table { buckets: HashMap::new(), shared }) }
    }

    /// Notes one; `false` when there were too many.
    pub(super) fn allow(&self, key: K, now: UtcMillis) -> bool {
        let size = self.size;
        let mut guard = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *guard;
        if table.buckets.len() >= ADDRESSES_MAX && !table.buckets.contains_key(&key) {
            table.buckets.retain(|_, bucket| {
                bucket.refill(size, now);
                bucket.tokens < size.burst
            });
            if table.buckets.len() >= ADDRESSES_MAX {
                return table.shared.take(size, now);
            }
        }
        table.buckets.entry(key).or_insert_with(|| Bucket::full(size, now)).take(size, now)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    #[test]
    fn attempts_run_out_and_come_back() {
        let throttle = Throttle::new();
        let now = UtcMillis(1_000_000);
        let allowed = (0..20).filter(|_| throttle.allow(address(1), now)).count();
        assert_eq!(allowed, 10);
        assert!(throttle.allow(address(2), now), "others are not concerned");
        assert!(!throttle.allow(address(1), UtcMillis(now.0 + 5_999)));
        assert!(throttle.allow(address(1), UtcMillis(now.0 + 12_000)));
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let throttle = Throttle::new();
        let now = UtcMillis(1_000_000);
        let allowed = (0..100_000).filter(|number| throttle.allow(address(*number), now)).count();
        assert_eq!(allowed, ADDRESSES_MAX + 10);
        assert_eq!(throttle.table.lock().unwrap().buckets.len(), ADDRESSES_MAX);
        let later = UtcMillis(now.0 + 60_000);
        assert!(throttle.allow(address(200_000), later));
        assert_eq!(throttle.table.lock().unwrap().buckets.len(), 1, "full buckets are forgotten");
    }

    #[test]
    fn one_that_is_given_back_was_none() {
        let throttle = Throttle::new();
        let now = UtcMillis(1_000_000);
        for _ in 0..20 {
            assert!(throttle.allow(address(1), now));
            throttle.give_back(&address(1));
        }
        throttle.give_back(&address(1));
        assert_eq!((0..20).filter(|_| throttle.allow(address(1), now)).count(), 10, "never more than full");
    }

    #[test]
    fn a_network_is_an_address_of_ipv4_and_64_bits_of_ipv6() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.9"), "192.0.2.9");
        assert_eq!(network("::ffff:192.0.2.9"), "192.0.2.9");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn a_caller_gets_what_was_configured() {
        let throttle = Throttle::with(3, 2);
        let now = UtcMillis(1_000_000);
        let allowed = |at| (0..9).filter(|_| throttle.allow("zhang".to_owned(), at)).count();
        assert_eq!(allowed(now), 3);
        assert_eq!(allowed(UtcMillis(now.0 + 1_000)), 2);
        assert!(throttle.allow("li".to_owned(), now));
    }
}
