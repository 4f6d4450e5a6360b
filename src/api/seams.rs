//! What the API needs of parts it does not know: the composition root connects them.

use std::net::SocketAddr;
use std::sync::Arc;

use motorpool_protocols::{Fix, UtcMillis};

use crate::ids::{DeviceId, LinkId};
use crate::telemetry::Readings;

/// One fix of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the archive")]
pub struct TrackRow {
    /// When it was received first.
    pub received_at: UtcMillis,
    /// The fix.
    pub fix: Fix,
}

/// Which part of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, read field by field")]
pub struct TrackQuery {
    /// Of which device.
    pub device: DeviceId,
    /// From this instant on.
    pub from: UtcMillis,
    /// Up to this instant, without it.
    pub to: UtcMillis,
    /// At most so many rows, the earliest ones.
    pub rows_max: usize,
}

/// A part of a track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, built field by field by the archive")]
pub struct TrackPart {
    /// The fixes by time, without duplicates.
    pub rows: Vec<TrackRow>,
    /// Whether there are more rows than were asked for.
    pub is_truncated: bool,
    /// Files that could not be read: their rows are missing.
    pub damaged_files: usize,
}

/// The track archive with what is still in memory.
pub trait TrackSource: Send + Sync {
    /// A part of a track. Called on a thread that may block.
    fn track(&self, query: TrackQuery) -> TrackPart;
}

/// One open link as the sources know it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct LinkRow {
    /// Its number.
    pub link: LinkId,
    /// The device that logged in, if one did.
    pub device: Option<DeviceId>,
    /// The other end.
    pub peer: SocketAddr,
    /// The protocol's name.
    pub protocol: &'static str,
    /// When it was accepted.
    pub opened_at: UtcMillis,
    /// When the last byte came.
    pub last_byte_at: Option<UtcMillis>,
    /// Whether the server is closing it.
    pub is_closing: bool,
}

/// The open links.
pub trait LinkTable: Send + Sync {
    /// Every open link, by number.
    fn links(&self) -> Vec<LinkRow>;

    /// The links of one device: more than one means two units (or a thief) with one identity.
    fn links_of(&self, device: DeviceId) -> Vec<LinkRow>;
}

/// Reads the numbers that other parts keep.
pub type ReadNumbers = Arc<dyn Fn() -> Readings + Send + Sync>;
