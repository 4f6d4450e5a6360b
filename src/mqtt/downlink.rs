//! Commands to connected devices, and who is connected over MQTT.
//!
//! A command is one payload on `motorpool/IDENTITY/down`, with QoS 1 where the device listens so; see [`own::command`] for its
//! shape. That the device took it (PUBACK) says nothing about having done it: that it says in its next report, by the number of the
//! command, on whatever link it has by then. A device that refuses it has failed it. Who has not subscribed hears nothing, so nothing
//! is sent.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use motorpool_protocols::command::{Command, CommandError, CommandKey};
use motorpool_protocols::mqtt_json::own;
use rustc_hash::FxHashMap;

use super::topic;
use super::wire::{self, Goodbye, Qos, Version};
use crate::ids::{DeviceId, LinkId};
use crate::sources::connection::{CloseReason, Link};
use crate::sources::lock;

/// Payloads to one device that may be unacknowledged; fewer when the device says so.
const OPEN_MAX: u16 = 16;
/// Bytes of a packet besides topic and payload: header, lengths, packet id, properties.
const OVERHEAD_BYTES: usize = 16;

/// A device connected over MQTT.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) link: Arc<Link>,
    pub(super) version: Version,
    pub(super) client_id: Box<str>,
    /// The identity as enrolled.
    pub(super) terminal: Box<str>,
    packet_bytes_max: usize,
    down: Mutex<Down>,
}

#[derive(Debug)]
struct Down {
    /// The QoS it listens with; `None` when it does not.
    listens: Option<Qos>,
    open_max: u16,
    last_pkid: u16,
    /// The commands that the device has not acknowledged, by packet id.
    open: FxHashMap<u16, CommandKey>,
}

impl Peer {
    pub(super) fn new(
        link: Arc<Link>,
        version: Version,
        client_id: &str,
        terminal: &str,
        receive_max: u16,
        packet_bytes_max: usize,
    ) -> Self {
        let open_max = receive_max.min(OPEN_MAX);
        let down = Down { listens: None, open_max, last_pkid: 0, open: FxHashMap::default() };
        let (client_id, terminal) = (client_id.into(), terminal.into());
        link.letters.listen(false);
        link.letters.keys_are_numbers();
        Self { link, version, client_id, terminal, packet_bytes_max, down: Mutex::new(down) }
    }

    /// Notes how the device listens, if it does; whether it did before.
    pub(super) fn listen(&self, listens: Option<Qos>) -> bool {
        self.link.letters.listen(listens.is_some());
        std::mem::replace(&mut lock(&self.down).listens, listens).is_some()
    }

    /// The device acknowledged a publish. The command in it, if it was one.
    pub(super) fn acknowledged(&self, pkid: u16) -> Option<CommandKey> {
        lock(&self.down).open.remove(&pkid)
    }

    /// Ends the link with a word.
    pub(super) fn end(&self, goodbye: Goodbye, reason: CloseReason) {
        let mut bytes = BytesMut::new();
        wire::goodbye(self.version, goodbye, &mut bytes);
        self.link.send(&bytes);
        self.link.close(reason);
    }

    /// Sends command number `id` of the queue; the key is its number.
    ///
    /// # Errors
    /// When it was not sent: [`CommandError::NotHere`] when it may be tried again.
    pub(super) fn command(&self, id: i64, command: &Command) -> Result<CommandKey, CommandError> {
        let key = u32::try_from(id).map(CommandKey).map_err(|_| CommandError::Invalid("its number"))?;
        let payload = own::command(key.0, command)?;
        let topic = topic::down(&self.terminal);
        let limit = self.packet_bytes_max.saturating_sub(topic.len() + OVERHEAD_BYTES);
        if payload.len() > limit {
            return Err(CommandError::TooLong { limit });
        }
        let mut down = lock(&self.down);
        let pkid = match down.listens {
            None => return Err(CommandError::NotHere),
            Some(Qos::AtMostOnce) => None,
            Some(_) => Some(down.next_pkid().ok_or(CommandError::NotHere)?),
        };
        if let Some(pkid) = pkid {
            down.open.insert(pkid, key);
        }
        // Under the lock, so that numbers go out in order.
        self.link.send(&wire::publish(self.version, &topic, pkid, &payload));
        Ok(key)
    }
}

impl Down {
    /// The next packet id that is not open; `None` when as many are open as the device takes.
    fn next_pkid(&mut self) -> Option<u16> {
        if self.open.len() >= usize::from(self.open_max) {
            return None;
        }
        // There are far fewer open than numbers.
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            if !self.open.contains_key(&self.last_pkid) {
                return Some(self.last_pkid);
            }
        }
    }
}

/// Devices connected over MQTT. Cloned freely.
#[derive(Clone, Debug, Default)]
pub struct Downlinks {
    peers: Arc<Mutex<FxHashMap<DeviceId, Vec<Arc<Peer>>>>>,
}

impl Downlinks {
    /// Devices connected now.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.peers).len()
    }

    /// Whether none is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Enters a device that logged in, and ends its links of the same client id, or all when `takes_all`.
    pub(super) fn enter(&self, device: DeviceId, peer: Arc<Peer>, takes_all: bool) {
        let mut peers = lock(&self.peers);
        let of_device = peers.entry(device).or_default();
        let taken: Vec<Arc<Peer>> =
            of_device.extract_if(.., |old| takes_all || old.client_id == peer.client_id).collect();
        of_device.push(peer);
        drop(peers);
        for old in taken {
            old.end(Goodbye::TakenOver, CloseReason::Replaced);
        }
    }

    /// Whether that client is connected as this device.
    pub(super) fn has_client(&self, device: DeviceId, client_id: &str) -> bool {
        let peers = lock(&self.peers);
        peers.get(&device).is_some_and(|peers| peers.iter().any(|peer| *peer.client_id == *client_id))
    }

    /// Forgets a link that ended.
    pub(super) fn leave(&self, device: DeviceId, link: LinkId) {
        let mut peers = lock(&self.peers);
        if let Some(of_device) = peers.get_mut(&device) {
            of_device.retain(|peer| peer.link.id != link);
            if of_device.is_empty() {
                peers.remove(&device);
            }
        }
    }

    /// Tells every device that the server stops.
    pub(super) fn shut_down(&self) {
        let peers: Vec<Arc<Peer>> = lock(&self.peers).values().flatten().map(Arc::clone).collect();
        for peer in peers {
            peer.end(Goodbye::ShuttingDown, CloseReason::Shutdown);
        }
    }
}
