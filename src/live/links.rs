//! The open links, as sources report them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use motorpool_protocols::{Protocol, UtcMillis};

use crate::ids::{DeviceId, LinkId};

/// One terminal on one open link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by sources")]
pub struct LinkInfo {
    /// The link.
    pub link: LinkId,
    /// The device that logged in on it.
    pub device: DeviceId,
    /// Where the link comes from. Personal data: masked unless the reader may see it.
    pub peer: SocketAddr,
    /// When the device logged in.
    pub since: UtcMillis,
    /// The protocol.
    pub protocol: Protocol,
    /// Edition of the standard, for example `2019`; empty while unknown.
    pub version: &'static str,
}

/// Every terminal on every open link.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_link: BTreeMap<(LinkId, DeviceId), LinkInfo>,
    /// Links of a device, by its number.
    counts: Vec<u16>,
    /// Devices with at least one link.
    online: usize,
}

impl Links {
    pub(super) fn open(&mut self, info: LinkInfo) {
        let device = info.device;
        if device.0 >= super::DEVICES_MAX || self.by_link.insert((info.link, device), info).is_some() {
            return;
        }
        let at = device.0 as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] = self.counts[at].saturating_add(1);
        self.online += usize::from(self.counts[at] == 1);
    }

    pub(super) fn close(&mut self, link: LinkId) {
        let range = (link, DeviceId(0))..=(link, DeviceId(u32::MAX));
        let devices: Vec<DeviceId> = self.by_link.range(range).map(|((_, device), _)| *device).collect();
        for device in devices {
            self.by_link.remove(&(link, device));
            if let Some(count) = self.counts.get_mut(device.0 as usize) {
                *count = count.saturating_sub(1);
                self.online -= usize::from(*count == 0);
            }
        }
    }

    pub(super) fn count(&self, device: DeviceId) -> u16 {
        self.counts.get(device.0 as usize).copied().unwrap_or(0)
    }

    pub(super) const fn online(&self) -> usize {
        self.online
    }

    /// One more than the highest device number that ever had a link.
    pub(super) const fn devices_end(&self) -> usize {
        self.counts.len()
    }

    pub(super) fn after(&self, after: Option<(LinkId, DeviceId)>, limit: usize) -> Vec<LinkInfo> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.by_link.range((from, Unbounded)).take(limit).map(|(_, info)| info.clone()).collect()
    }

    pub(super) fn of(&self, device: DeviceId) -> Vec<LinkInfo> {
        if self.count(device) == 0 {
            return Vec::new();
        }
        self.by_link.values().filter(|info| info.device == device).cloned().collect()
    }
}
