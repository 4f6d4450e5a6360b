//! Plain atomics that hot paths add to.

use std::sync::atomic::{AtomicU64, Ordering};

use motorpool_protocols::RejectReason;

use super::Histogram;

/// Every reason for which a message is refused; what a protocol adds later is counted as `other`.
const REASONS: [RejectReason; 15] = [
    RejectReason::Garbage,
    RejectReason::TooLong,
    RejectReason::Truncated,
    RejectReason::Length,
    RejectReason::Escape,
    RejectReason::Checksum,
    RejectReason::Encrypted,
    RejectReason::UnknownTerminal,
    RejectReason::NotAdmitted,
    RejectReason::Packet,
    RejectReason::Abandoned,
    RejectReason::Limit,
    RejectReason::Unavailable,
    RejectReason::Malformed,
    RejectReason::Ambiguous,
];

/// What happened since the process started. All only grow, but for `messages_waiting`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Bytes read from terminals.
    pub bytes_received: AtomicU64,
    /// Messages and refused frames read from terminals.
    pub messages_received: AtomicU64,
    /// Messages handed to the journal.
    pub messages_journaled: AtomicU64,
    /// Messages that were received and wait for room in the journal's queue now.
    pub messages_waiting: AtomicU64,
    /// Frames accepted with a wrong checksum under a lenient profile.
    pub lenient_frames: AtomicU64,
    /// Log-ins of a terminal that had a link already.
    pub second_links: AtomicU64,
    /// Times a link stopped reading because too much was unacknowledged or the journal's queue was full.
    pub backpressure_waits: AtomicU64,
    /// From the read of a message to the sending of its reply.
    pub ack_latency: Histogram,
    /// Answers of the API, by class: 2xx and 3xx, 4xx, 5xx.
    pub http_answers: [AtomicU64; 3],
    /// Times every HTTP connection was taken when another could have been accepted.
    pub http_connection_waits: AtomicU64,
    /// Requests to the API with a token that was missing or wrong.
    pub http_auth_failures: AtomicU64,
    rejected: [AtomicU64; REASONS.len() + 1],
}

impl Counters {
    /// Counts `count` refused frames or messages.
    pub fn rejected(&self, reason: RejectReason, count: u64) {
        let at = REASONS.iter().position(|known| *known == reason).unwrap_or(REASONS.len());
        if let Some(counter) = self.rejected.get(at) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Refused frames and messages by reason.
    pub fn rejections(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let words = REASONS.iter().map(|reason| reason.as_str()).chain(["other"]);
        words.zip(self.rejected.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }

    /// Refused frames and messages, whatever the reason.
    #[must_use]
    pub fn rejected_sum(&self) -> u64 {
        self.rejected.iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    /// Counts one answer of the API.
    pub fn http_answer(&self, status: u16) {
        let class = match status {
            500.. => 2,
            400.. => 1,
            _ => 0,
        };
        self.http_answers[class].fetch_add(1, Ordering::Relaxed);
    }
}
