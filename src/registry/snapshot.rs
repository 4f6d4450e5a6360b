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

impl Device {
    /// Whether a secret was made for it.
    #[must_use]
    pub const fn has_secret(&self) -> bool {
        self.mqtt_secret.is_some()
    }
}

/// Why a text is no device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the callers say both")]
pub enum Unresolved {
    /// There is no such device.
    #[error("there is no such device")]
    Unknown,
    /// It can be several.
    #[error(
        "several devices go by that: say `id:` and our number, or the protocol, a colon and the identity"
    )]
    Ambiguous,
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

    /// The device that a person means; see [`Snapshot::resolve_among`].
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn resolve(&self, text: &str) -> Result<&Arc<Device>, Unresolved> {
        self.resolve_among(text, |_| true)
    }

    /// The device that a person means, of those in question. A text can be
    ///
    /// - our number, digits without a leading zero, alone or behind `id:`;
    /// - the terminal's identity, of whatever protocol, alone or behind the protocol's name and a colon.
    ///
    /// Whatever it can be is tried, and it must come out at one device: no reading goes before another, because a guess
    /// that is wrong would change another car. `id:7` and `gt06:7` say which is meant when `7` does not.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn resolve_among(
        &self,
        text: &str,
        is_in_question: impl Fn(&Device) -> bool,
    ) -> Result<&Arc<Device>, Unresolved> {
        let (scope, rest) = text.split_once(':').unwrap_or_default();
        let by_number = [Some(text), (scope == "id").then_some(rest)].into_iter().flatten();
        let by_number = by_number.filter_map(|digits| self.device(number(digits)?));
        let anywhere = TerminalId::new(text).map(|terminal| (Protocol::ALL, terminal));
        let scoped = Protocol::from_name(scope).zip(TerminalId::new(rest));
        let scoped = scoped.map(|(protocol, terminal)| (protocol.alone(), terminal));
        let by_identity = [anywhere, scoped].into_iter().flatten().flat_map(|(protocols, terminal)| {
            protocols.iter().filter_map(move |protocol| self.find(*protocol, &terminal))
        });
        let mut found = by_number.chain(by_identity).filter(|device| is_in_question(device));
        let first = found.next().ok_or(Unresolved::Unknown)?;
        if found.all(|other| other.id == first.id) { Ok(first) } else { Err(Unresolved::Ambiguous) }
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

/// Our number for a device, from text.
fn number(digits: &str) -> Option<DeviceId> {
    let is_number = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok().map(DeviceId)).flatten()
}

/// Tells registrations apart within one process, so that a repeated one need not be written again.
pub(super) fn fingerprint(registered: &Registered) -> u64 {
    let mut hasher = DefaultHasher::new();
    registered.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::registry::{Enrol, Registry};
    use motorpool_protocols::UtcMillis;

    #[tokio::test]
    async fn a_text_that_can_be_two_devices_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), &Config::default()).await.unwrap();
        let enrol = |protocol, text| {
            let terminal = TerminalId::new(text).unwrap();
            Enrol { protocol, terminal, name: None, profile: None }
        };
        let devices = [
            enrol(Protocol::Gt06, "35990000001"),
            enrol(Protocol::H02, "35990000001"),
            enrol(Protocol::Json, "car-3"),
            enrol(Protocol::Json, "1"),
            enrol(Protocol::H02, "5"),
            enrol(Protocol::H02, "77"),
        ];
        registry.enrol(&devices, "test", UtcMillis(0)).await.unwrap();
        let snapshot = registry.snapshot();
        for (text, meant) in [
            ("35990000001", Err(Unresolved::Ambiguous)),
            ("gt06:35990000001", Ok(1)),
            ("h02:035990000001", Ok(2)),
            ("car-3", Ok(3)),
            ("gt06:car-3", Err(Unresolved::Unknown)),
            ("3", Ok(3)),
            ("1", Err(Unresolved::Ambiguous)),
            ("id:1", Ok(1)),
            ("json:1", Ok(4)),
            ("01", Ok(4)),
            ("5", Ok(5)),
            ("77", Ok(6)),
            ("id:77", Err(Unresolved::Unknown)),
            ("id:", Err(Unresolved::Unknown)),
            ("", Err(Unresolved::Unknown)),
            ("99999999999999999999", Err(Unresolved::Unknown)),
        ] {
            assert_eq!(snapshot.resolve(text).map(|device| device.id.0), meant, "{text}");
        }
        // Who may see one of two means that one.
        let seen = snapshot.resolve_among("35990000001", |device| device.id.0 == 2);
        assert_eq!(seen.map(|device| device.id.0), Ok(2));
    }
}
