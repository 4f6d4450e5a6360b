//! One record of the journal, decoded: the same for the folds, for an export beside a running server, and for replay.

use motorpool_protocols::{Observations, Profile, observe};

use crate::journal::Batch;
use crate::registry::Snapshot;
use crate::tracks::row::judged;

/// What became of the messages of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Decoded {
    /// Messages in the record.
    pub messages: u32,
    /// Of those, messages that could not be decoded; they stay in the journal.
    pub undecodable: u32,
}

/// Decodes every message of `batch` into `observations`, which is cleared first. Fixes are judged by when they
/// were received: see [`judged`].
pub fn decode_batch(batch: &Batch<'_>, snapshot: &Snapshot, observations: &mut Observations) -> Decoded {
    let standard = Profile::default();
    let profile = snapshot.device(batch.device).map_or(&standard, |device| &device.profile);
    let mut decoded = Decoded::default();
    observations.clear();
    for raw in batch.messages() {
        decoded.messages += 1;
        if let Err(error) = observe(batch.protocol, raw, profile, observations) {
            decoded.undecodable += 1;
            tracing::debug!(device = batch.device.0, %error, "message can't be decoded");
        }
    }
    for fix in &mut observations.fixes {
        fix.quality = judged(fix.quality, fix.fix_time, batch.received_at);
    }
    decoded
}
