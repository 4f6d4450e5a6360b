//! Publishing to a connected device, and who is connected over MQTT.
//!
//! [`Downlinks::publish`] sends one payload to `motorpool/IDENTITY/down`, with QoS 1 where the device listens so, and tells later whether the device took it. It
//! queues nothing: a device that is not connected, has not subscribed or has too much open is the caller's to wait for.
//! When the link ends first, nobody knows whether the payload arrived, and the receiver of the answer is told so by its
//! sender's end.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use super::topic;
use super::wire::{self, Goodbye, Qos, Version};
use crate::ids::{DeviceId, LinkId};
use crate::sources::connection::{CloseReason, Link};
use crate::sources::lock;

/// Payloads to one device that may be unacknowledged; fewer when the device says so.
const OPEN_MAX: u16 = 16;
/// Bytes of a packet besides topic and payload: header, lengths, packet id, properties.
const OVERHEAD_BYTES: usize = 16;

/// Why a payload was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// The device has no link over MQTT.
    #[error("the device is not connected over MQTT")]
    NotConnected,
    /// It is connected, but does not listen.
    #[error("the device has not subscribed to its topic")]
    NotSubscribed,
    /// Payloads from before are unacknowledged.
    #[error("the device has not acknowledged what was sent before")]
    Busy,
    /// The device takes no packet of that size.
    #[error("the payload is too large for the device")]
    TooLarge,
}

/// Whether the device took a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "closed by the protocol")]
pub enum Answer {
    /// It did.
    Taken,
    /// It said no.
    Refused,
    /// It asked not to be asked (QoS 0).
    Unknown,
}

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
    open: FxHashMap<u16, oneshot::Sender<Answer>>,
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
        Self { link, version, client_id, terminal, packet_bytes_max, down: Mutex::new(down) }
    }

    /// Notes how the device listens, if it does; whether it did before.
    pub(super) fn listen(&self, listens: Option<Qos>) -> bool {
        std::mem::replace(&mut lock(&self.down).listens, listens).is_some()
    }

    /// The device answered a publish; whether it was asked anything.
    pub(super) fn answered(&self, pkid: u16, is_taken: bool) -> bool {
        let Some(asker) = lock(&self.down).open.remove(&pkid) else { return false };
        if asker.send(if is_taken { Answer::Taken } else { Answer::Refused }).is_err() {
            tracing::debug!(pkid, "nobody waits for this answer any more");
        }
        true
    }

    /// Ends the link with a word.
    pub(super) fn end(&self, goodbye: Goodbye, reason: CloseReason) {
        let mut bytes = BytesMut::new();
        wire::goodbye(self.version, goodbye, &mut bytes);
        self.link.send(&bytes);
        self.link.close(reason);
    }

    fn publish(&self, payload: &[u8]) -> Result<oneshot::Receiver<Answer>, NotSent> {
        let topic = topic::down(&self.terminal);
        if topic.len() + payload.len() + OVERHEAD_BYTES > self.packet_bytes_max {
            return Err(NotSent::TooLarge);
        }
        let mut down = lock(&self.down);
        let qos = down.listens.ok_or(NotSent::NotSubscribed)?;
        let (asker, answer) = oneshot::channel();
        if qos == Qos::AtMostOnce {
            self.link.send(&wire::publish(self.version, &topic, None, payload));
            return asker.send(Answer::Unknown).map(|()| answer).map_err(|_| NotSent::NotConnected);
        }
        if down.open.len() >= usize::from(down.open_max) {
            return Err(NotSent::Busy);
        }
        let mut pkid = down.last_pkid;
        // There are far fewer open than numbers.
        loop {
            pkid = pkid.checked_add(1).unwrap_or(1);
            if !down.open.contains_key(&pkid) {
                break;
            }
        }
        down.last_pkid = pkid;
        down.open.insert(pkid, asker);
        // Under the lock, so that numbers go out in order.
        self.link.send(&wire::publish(self.version, &topic, Some(pkid), payload));
        Ok(answer)
    }
}

/// Devices connected over MQTT. Cloned freely.
#[derive(Clone, Debug, Default)]
pub struct Downlinks {
    peers: Arc<Mutex<FxHashMap<DeviceId, Vec<Arc<Peer>>>>>,
}

impl Downlinks {
    /// Publishes to a device over its newest link. The answer comes when the device has acknowledged it; an error in its
    /// place means that the link ended before, and nobody knows.
    ///
    /// # Errors
    /// When it was not sent; then the device will not see it.
    pub fn publish(&self, device: DeviceId, payload: &[u8]) -> Result<oneshot::Receiver<Answer>, NotSent> {
        let peer = lock(&self.peers).get(&device).and_then(|peers| peers.last()).map(Arc::clone);
        let peer = peer.filter(|peer| !peer.link.is_closing()).ok_or(NotSent::NotConnected)?;
        peer.publish(payload)
    }

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
