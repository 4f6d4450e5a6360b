//! What the network path needs of the registry, in memory and without a lock.
//!
//! A [`Snapshot`] is immutable. Writers build the next one from the last (the devices are shared, and the
//! index too unless a device is new) once for each transaction, however many devices it touched, and publish it whole.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use motorpool_protocols::{Profile, Protocol, TerminalId};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::devices::Registered;
use crate::ids::DeviceId;

/// Whether a device may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// It may.
    Approved,
    /// A person has shut it out.
    Blocked,
}

impl DeviceState {
    /// The word used in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Blocked => "blocked",
        }
    }

    /// The state with that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Approved, Self::Blocked].into_iter().find(|state| state.as_str() == word)
    }
}

/// One device as the gate, the folds and the lists of positions see it.
#[derive(Clone, Debug)]
pub struct Device {
    /// Our number for it.
    pub id: DeviceId,
    /// The protocol it speaks.
    pub protocol: Protocol,
    /// Its identity as first sent or enrolled.
    pub terminal: TerminalId,
    /// Whether it may connect.
    pub state: DeviceState,
    /// The name people gave it.
    pub name: Option<Box<str>>,
    /// The plate it registered with last.
    pub plate: Option<Box<str>>,
    /// How to read it: the standard under the name it was given when that is not configured.
    pub profile: Arc<Profile>,
    /// Counts up when its code is taken away.
    pub code_generation: u32,
    /// The keyed hash of its secret for MQTT, when one was made.
    pub(super) mqtt_secret: Option<[u8; 32]>,
    /// [`fingerprint`] of the last registration; 0 when it never registered.
    pub(super) registration: u64,
}

/// All devices at one change of the registry.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The registry's change sequence up to which this holds.
    pub(super) change: i64,
    /// By device number; entry 0 is never used.
    devices: Vec<Option<Arc<Device>>>,
    /// By protocol number, then by [`TerminalId::key`].
    by_key: Arc<Vec<FxHashMap<Box<str>, DeviceId>>>,
    /// Devices in it.
    len: usize,
}

impl Snapshot {
    /// The device of a terminal.
    #[must_use]
    pub fn find(&self, protocol: Protocol, terminal: &TerminalId) -> Option<&Arc<Device>> {
        let by_key = self.by_key.get(usize::from(protocol.number()))?;
        self.device(*by_key.get(terminal.key())?)
    }

    /// The device with a number.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&Arc<Device>> {
        self.devices.get(id.0 as usize)?.as_ref()
    }

    /// The device that a person means: up to nine digits without a leading zero are our number, anything else
    /// is the terminal's identity, of whatever protocol.
    #[must_use]
    pub fn resolve(&self, text: &str) -> Option<&Arc<Device>> {
        if text.len() <= 9 && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()) {
            return self.device(DeviceId(text.parse().ok()?));
        }
        let terminal = TerminalId::new(text)?;
        Protocol::ALL.iter().find_map(|protocol| self.find(*protocol, &terminal))
    }

    /// Every device, lowest number first.
    pub fn devices(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.devices.iter().flatten()
    }

    /// The registry's change sequence up to which this holds: folds name it in their checkpoints.
    #[must_use]
    pub const fn change(&self) -> i64 {
        self.change
    }

    /// How many devices there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no device at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a device in, in place of the one with the same number.
    pub(super) fn put(&mut self, device: Device) {
        let protocol = usize::from(device.protocol.number());
        let at = device.id.0 as usize;
        if self.devices.len() <= at {
            self.devices.resize(at + 1, None);
        }
        if self.devices[at].is_none() {
            self.len += 1;
            let by_key = Arc::make_mut(&mut self.by_key);
            if by_key.len() <= protocol {
                by_key.resize_with(protocol + 1, FxHashMap::default);
            }
            by_key[protocol].insert(device.terminal.key().into(), device.id);
        }
        self.devices[at] = Some(Arc::new(device));
    }
}

/// Tells registrations apart within one process, so that a repeated one need not be written again.
pub(super) fn fingerprint(registered: &Registered) -> u64 {
    let mut hasher = DefaultHasher::new();
    registered.hash(&mut hasher);
    hasher.finish().max(1)
}
