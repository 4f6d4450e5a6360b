//! What a load run counts, and what it says in the end.

use serde::Serialize;
use tokio::time::Instant;

use super::histogram::Histogram;
use super::terminal::Counts;

/// Quantiles of the time from a frame to its acknowledgement, milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct AckMs {
    /// Half of the frames were not slower.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

/// What happened.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Report {
    /// Vehicles that reported.
    pub vehicles: usize,
    /// Distinct frames sent.
    pub sent: u64,
    /// Frames acknowledged, each once.
    pub acked: u64,
    /// Frames without an acknowledgement at the end.
    pub lost: u64,
    /// Of the lost, frames that were answered with a failure.
    pub refused: u64,
    /// Frames sent again after a link broke.
    pub resent: u64,
    /// Acknowledgements of frames that were not waited for.
    pub duplicate_acks: u64,
    /// Links given up because an acknowledgement did not come.
    pub ack_timeouts: u64,
    /// Log-ins after the first.
    pub reconnects: u64,
    /// From the first frame to the last acknowledgement, seconds.
    pub seconds: f64,
    /// Acknowledged frames a second.
    pub frames_per_s: f64,
    /// Bytes sent.
    pub bytes: u64,
    /// Time to the acknowledgement.
    pub ack_ms: AckMs,
    /// Processor time of this process while it sent, seconds; absent where the system does not tell.
    pub cpu_s: Option<f64>,
}

/// What one thread counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    histogram: Histogram,
    /// Of the vehicles that are done.
    pub(super) counts: Counts,
    /// Frames sent so far, for progress.
    pub(super) sent: u64,
    /// Frames acknowledged so far, for progress.
    pub(super) acked: u64,
    last_ack: Option<Instant>,
}

impl Tally {
    /// Counts acknowledgements that came just now.
    pub(super) fn acknowledge(&mut self, latencies_ns: impl ExactSizeIterator<Item = u64>) {
        self.acked += latencies_ns.len() as u64;
        self.last_ack = Some(Instant::now());
        latencies_ns.for_each(|ns| self.histogram.record(ns));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.histogram.merge(&other.histogram);
        self.counts.add(&other.counts);
        self.last_ack = self.last_ack.max(other.last_ack);
    }

    /// The report of a run of `vehicles` that began at `began`.
    pub(super) fn report(&self, vehicles: usize, began: Instant, cpu_s: Option<f64>) -> Report {
        let counts = self.counts;
        let seconds = self.last_ack.map_or(0.0, |last| last.saturating_duration_since(began).as_secs_f64());
        let ms = |quantile: f64| (self.histogram.quantile(quantile).as_secs_f64() * 1e6).round() / 1e3;
        Report {
            vehicles,
            sent: counts.sent,
            acked: counts.acked,
            lost: counts.sent - counts.acked,
            refused: counts.refused,
            resent: counts.resent,
            duplicate_acks: counts.duplicate_acks,
            ack_timeouts: counts.ack_timeouts,
            reconnects: counts.logins.saturating_sub(vehicles as u64),
            seconds: (seconds * 1e3).round() / 1e3,
            frames_per_s: if seconds > 0.0 { (counts.acked as f64 / seconds).round() } else { 0.0 },
            bytes: counts.bytes,
            ack_ms: AckMs { p50: ms(0.5), p99: ms(0.99), p999: ms(0.999), max: ms(1.0) },
            cpu_s: cpu_s.map(|s| (s * 1e2).round() / 1e2),
        }
    }
}

/// Processor time of this process so far, user and system, where `/proc` tells it.
pub(super) fn cpu_seconds() -> Option<f64> {
    /// The kernel's unit in `/proc/*/stat`, the same on every Linux: `USER_HZ`.
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name in parentheses and may hold spaces; utime and stime are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let ticks = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / TICKS_PER_S)
}
