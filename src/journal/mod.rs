//! The journal: what was received, in the order received, durable before anybody is told so.
//!
//! (stub: the format description goes here)

use crate::ids::{DeviceId, LinkId, Lsn};
use motorpool_protocols::{Protocol, UtcMillis};

/// The messages of one device that one read of one link delivered.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The device the messages belong to.
    pub device: DeviceId,
    /// The link they came over.
    pub link: LinkId,
    /// The protocol they are in.
    pub protocol: Protocol,
    /// When they were read from the socket; never goes back.
    pub received_at: UtcMillis,
    /// Where each message ends in `raw`.
    pub ends: &'a [u32],
    /// The messages as received, one after another.
    pub raw: &'a [u8],
}

/// One record as a reader sees it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its address.
    pub lsn: Lsn,
    /// The address just behind it: a fold that has applied it may name this as its checkpoint.
    pub end: Lsn,
    /// What was appended.
    pub batch: Batch<'a>,
}
