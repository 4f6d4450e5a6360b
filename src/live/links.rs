//! Which devices have links open, as sources report it.

use std::collections::BTreeMap;

use motorpool_protocols::UtcMillis;

use crate::ids::{DeviceId, LinkId};

/// Every device on every open link.
#[derive(Debug, Default)]
pub(super) struct Links {
    open: BTreeMap<(DeviceId, LinkId), UtcMillis>,
    /// Links of a device, by its number.
    counts: Vec<u16>,
    /// Devices with at least one link.
    online: usize,
}

impl Links {
    pub(super) fn open(&mut self, device: DeviceId, link: LinkId, now: UtcMillis) {
        if device.0 >= super::DEVICES_MAX || self.open.contains_key(&(device, link)) {
            return;
        }
        self.open.insert((device, link), now);
        let at = device.0 as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] = self.counts[at].saturating_add(1);
        self.online += usize::from(self.counts[at] == 1);
    }

    pub(super) fn close(&mut self, device: DeviceId, link: LinkId) {
        if self.open.remove(&(device, link)).is_none() {
            return;
        }
        if let Some(count) = self.counts.get_mut(device.0 as usize) {
            *count = count.saturating_sub(1);
            self.online -= usize::from(*count == 0);
        }
    }

    pub(super) fn count(&self, device: DeviceId) -> u16 {
        self.counts.get(device.0 as usize).copied().unwrap_or(0)
    }

    /// Since when the device has been connected without a break; `None` when it is not.
    pub(super) fn since(&self, device: DeviceId) -> Option<UtcMillis> {
        if self.count(device) == 0 {
            return None;
        }
        self.open.range((device, LinkId(0))..=(device, LinkId(u64::MAX))).map(|(_, since)| *since).min()
    }

    pub(super) const fn online(&self) -> usize {
        self.online
    }

    /// One more than the highest device number that ever had a link.
    pub(super) const fn devices_end(&self) -> usize {
        self.counts.len()
    }
}
