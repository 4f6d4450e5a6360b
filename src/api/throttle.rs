//! A small bounded token bucket for each address: how many wrong tokens may come from it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use motorpool_protocols::UtcMillis;

/// Wrong tokens that may come at once.
const BURST: f64 = 10.0;
/// How long until another one may come, milliseconds.
const REFILL_MS: f64 = 6_000.0;
/// Addresses remembered; when all of them are in use, strangers share one bucket.
const ADDRESSES_MAX: usize = 4_096;

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: UtcMillis,
}

impl Bucket {
    const fn full(now: UtcMillis) -> Self {
        Self { tokens: BURST, at: now }
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few minutes")]
    fn refill(&mut self, now: UtcMillis) {
        let passed_ms = now.0.saturating_sub(self.at.0).max(0) as f64;
        self.tokens = (self.tokens + passed_ms / REFILL_MS).min(BURST);
        self.at = now;
    }

    fn take(&mut self, now: UtcMillis) -> bool {
        self.refill(now);
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

#[derive(Debug)]
struct Table {
    buckets: HashMap<IpAddr, Bucket>,
    shared: Bucket,
}

/// Buckets by address.
#[derive(Debug)]
pub(super) struct Throttle {
    table: Mutex<Table>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        let shared = Bucket::full(UtcMillis(0));
        Self { table: Mutex::new(Table { buckets: HashMap::new(), shared }) }
    }

    /// Notes one wrong attempt; `false` when there were too many.
    pub(super) fn allow(&self, address: IpAddr, now: UtcMillis) -> bool {
        let mut guard = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *guard;
        if table.buckets.len() >= ADDRESSES_MAX && !table.buckets.contains_key(&address) {
            table.buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.tokens < BURST
            });
            if table.buckets.len() >= ADDRESSES_MAX {
                return table.shared.take(now);
            }
        }
        table.buckets.entry(address).or_insert_with(|| Bucket::full(now)).take(now)
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
}
