//! Connects the API's seams with the parts behind them.

use crate::api::{LinkRow, LinkTable, TrackPart, TrackQuery, TrackRow, TrackSource};
use crate::ids::DeviceId;
use crate::sources::{LinkState, Links};
use crate::tracks::{TrackOptions, Tracks};

impl TrackSource for Tracks {
    fn track(&self, query: TrackQuery) -> TrackPart {
        let options = TrackOptions::default().rows_max(query.rows_max);
        let track = Self::track(self, query.device, query.from, query.to, options);
        let rows = track.rows.iter().map(|row| TrackRow { received_at: row.received_at, fix: row.fix });
        TrackPart {
            rows: rows.collect(),
            is_truncated: track.is_truncated,
            damaged_files: track.damaged.len(),
        }
    }
}

impl LinkTable for Links {
    fn links(&self) -> Vec<LinkRow> {
        self.all().into_iter().map(row).collect()
    }

    fn links_of(&self, device: DeviceId) -> Vec<LinkRow> {
        self.of_device(device).into_iter().map(row).collect()
    }
}

fn row(state: LinkState) -> LinkRow {
    LinkRow {
        link: state.id,
        device: state.device,
        peer: state.peer,
        protocol: state.protocol.name(),
        opened_at: state.opened_at,
        last_byte_at: state.last_byte_at,
        is_closing: state.is_closing,
    }
}
