//! What a report of a car holds: late fixes together, as far as one report goes, or the one that is due.

use std::collections::VecDeque;

use motorpool_protocols::{Fix, UtcMillis};

use crate::sim::link::Link;
use crate::sim::speakers::{Reports, SpeakingTerminal};
use crate::sim::terminal::{Frames, Terminal};
use crate::sim::wire::{self, BODY_MAX, Phone};

/// Fixes older than this are late.
const LATE_MS: i64 = 60_000;
/// Count and type in front of the positions of a batch, and the length in front of each.
const BATCH_HEAD_BYTES: usize = 3;
const LENGTH_BYTES: usize = 2;

/// A terminal whose reports are made of a car's fixes.
pub(super) trait Packing: Link {
    /// Takes the next report off the fixes ahead; `None` when there is none.
    fn pack(&self, ahead: &mut VecDeque<Fix>, now: UtcMillis) -> Option<Self::Tag>;

    /// Number of fixes in a report.
    fn fixes_in(report: &Self::Tag) -> usize;
}

fn is_late(fix: &Fix, now: UtcMillis) -> bool {
    fix.fix_time.0 + LATE_MS <= now.0
}

/// JT/T 808 frames from finished bodies: message id, body, number of fixes in it.
#[derive(Debug, Default)]
pub(super) struct Bodies;

impl Frames for Bodies {
    type Tag = (u16, Vec<u8>, usize);

    fn message_id(&self, (message_id, ..): &Self::Tag) -> u16 {
        *message_id
    }

    fn encode(&mut self, (message_id, body, _): &Self::Tag, phone: Phone, serial: u16, out: &mut Vec<u8>) {
        wire::put_frame(out, *message_id, phone, serial, body);
    }
}

impl Packing for Terminal<Bodies> {
    /// Blind-area batches (0x0704 type 1) of what is late, position reports (0x0200) otherwise.
    fn pack(&self, ahead: &mut VecDeque<Fix>, now: UtcMillis) -> Option<Self::Tag> {
        let mut positions: Vec<Vec<u8>> = Vec::new();
        let mut room = BODY_MAX - BATCH_HEAD_BYTES;
        while let Some(fix) = ahead.front().filter(|fix| is_late(fix, now)) {
            let mut body = Vec::with_capacity(48);
            wire::put_position(&mut body, fix);
            let Some(rest) = room.checked_sub(body.len() + LENGTH_BYTES) else { break };
            room = rest;
            positions.push(body);
            ahead.pop_front();
        }
        if positions.is_empty() {
            let fix = ahead.pop_front()?;
            let mut body = Vec::with_capacity(48);
            wire::put_position(&mut body, &fix);
            return Some((wire::POSITION, body, 1));
        }
        let mut body = Vec::with_capacity(BODY_MAX);
        wire::put_blind_area_batch(&mut body, positions.iter().map(Vec::as_slice));
        Some((wire::POSITION_BATCH, body, positions.len()))
    }

    fn fixes_in((.., fixes): &Self::Tag) -> usize {
        *fixes
    }
}

/// Fixes of one report in any other protocol.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    fixes: Vec<Fix>,
    is_late: bool,
}

/// Builds reports from [`Batch`]es.
#[derive(Debug)]
pub(super) struct Batches;

impl Reports for Batches {
    type Tag = Batch;

    fn fixes(&self, batch: &Batch, out: &mut Vec<Fix>) {
        out.extend_from_slice(&batch.fixes);
    }

    fn is_late(&self, batch: &Batch) -> bool {
        batch.is_late
    }
}

impl Packing for SpeakingTerminal<Batches> {
    fn pack(&self, ahead: &mut VecDeque<Fix>, now: UtcMillis) -> Option<Batch> {
        let late = ahead.iter().take(self.fixes_max()).take_while(|fix| is_late(fix, now)).count();
        let fixes: Vec<Fix> = ahead.drain(..late.max(1).min(ahead.len())).collect();
        (!fixes.is_empty()).then_some(Batch { fixes, is_late: late > 0 })
    }

    fn fixes_in(batch: &Batch) -> usize {
        batch.fixes.len()
    }
}
