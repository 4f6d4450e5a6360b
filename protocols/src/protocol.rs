//! The list of protocols, and decoding of one stored message of any of them.

use std::fmt;

use serde::Serialize;

use crate::{Observations, Profile};

/// A tracker protocol. The number is stored in the journal and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Protocol {
    /// JT/T 808-2011, -2013 and -2019.
    Jt808 = 1,
    /// This project's own JSON, published over MQTT.
    Json = 30,
    /// JT/T 808 as the JSON of EMQX's gateway, published over MQTT.
    EmqxJt808 = 31,
    /// GB/T 32960 as the JSON of EMQX's gateway, published over MQTT.
    EmqxGb32960 = 32,
}

impl Protocol {
    /// Every protocol, in the order of their numbers.
    pub const ALL: &'static [Self] = &[Self::Jt808, Self::Json, Self::EmqxJt808, Self::EmqxGb32960];

    /// The number stored in the journal.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The protocol with that journal number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|protocol| protocol.number() == number)
    }

    /// The name used on the command line and in JSON, for example `jt808`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jt808 => "jt808",
            Self::Json => "json",
            Self::EmqxJt808 => "emqx-jt808",
            Self::EmqxGb32960 => "emqx-gb32960",
        }
    }

    /// The protocol with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|protocol| protocol.name() == name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A terminal's identity as it was sent, at most 31 bytes of ASCII.
///
/// Two spellings of one terminal (12 digits in JT/T 808-2013, 20 in 2019) have the same [`TerminalId::key`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TerminalId {
    bytes: [u8; 31],
    len: u8,
}

impl TerminalId {
    /// The identity with this text, or `None` when it is empty, longer than 31 bytes or not printable ASCII.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let source = text.as_bytes();
        if source.is_empty() || source.len() > 31 || !source.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut bytes = [0; 31];
        bytes.get_mut(..source.len())?.copy_from_slice(source);
        Some(Self { bytes, len: u8::try_from(source.len()).ok()? })
    }

    /// The identity as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }

    /// The identity without leading zeros: what devices are keyed by. `0` when it was all zeros.
    #[must_use]
    pub fn key(&self) -> &str {
        let trimmed = self.as_str().trim_start_matches('0');
        if trimmed.is_empty() { "0" } else { trimmed }
    }

    /// The identity with all but the last four characters masked, for logs.
    #[must_use]
    pub fn masked(&self) -> String {
        let text = self.as_str();
        let shown = text.len().saturating_sub(4);
        text.char_indices().map(|(at, c)| if at < shown { '*' } else { c }).collect()
    }
}

impl fmt::Display for TerminalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TerminalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TerminalId({})", self.as_str())
    }
}

impl Serialize for TerminalId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a stored message could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
#[non_exhaustive]
pub struct DecodeError {
    /// Offset in the message (unescaped header and body) at which reading failed.
    pub at: usize,
    /// A short, stable word: `truncated`, `checksum`, `length`, `escape`, …
    pub reason: &'static str,
}

impl DecodeError {
    /// An error at a place.
    #[must_use]
    pub const fn new(at: usize, reason: &'static str) -> Self {
        Self { at, reason }
    }
}

/// Everything one message says, for people: the answer of `motorpool decode`.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an output record, read field by field")]
pub struct Description {
    /// Edition of the standard: for JT/T 808 `2011`, `2013` or `2019`.
    pub version: &'static str,
    /// The terminal's identity as sent.
    pub terminal: Option<TerminalId>,
    /// The message number as `0x0200`, or the protocol's own word.
    pub message: String,
    /// The standard's English name in snake case.
    pub name: &'static str,
    /// The sender's serial number, where the protocol has one.
    pub serial: Option<u32>,
    /// GNSS solutions and their items.
    pub observations: Observations,
    /// For each fix, the named items without a column, in the order of the message.
    pub attributes: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Every field of a message that is not a position; an empty object otherwise.
    pub body: serde_json::Value,
    /// Items that nobody here knows, kept as bytes.
    pub unknown: Vec<UnknownItem>,
}

/// An item that was kept as bytes because its number is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct UnknownItem {
    /// The item's number, for example `0x52`.
    pub id: String,
    /// Its value in lower-case hex.
    pub hex: String,
}

/// Decodes one complete raw message as the journal holds it and adds what it says to `out` (not cleared).
///
/// This is the one function behind the live path and replay.
///
/// # Errors
/// When the message breaks its standard so far that nothing can be said about it.
pub fn observe(
    protocol: Protocol,
    raw: &[u8],
    profile: &Profile,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    match protocol {
        Protocol::Jt808 => crate::jt808::observe(raw, profile, out),
        Protocol::Json => crate::mqtt_json::own::observe(raw, profile, out),
        Protocol::EmqxJt808 => crate::mqtt_json::emqx_jt808::observe(raw, profile, out),
        Protocol::EmqxGb32960 => crate::mqtt_json::emqx_gb32960::observe(raw, profile, out),
    }
}

/// Decodes one complete raw message with every field it has.
///
/// # Errors
/// As [`observe`].
pub fn describe(protocol: Protocol, raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    match protocol {
        Protocol::Jt808 => crate::jt808::describe(raw, profile),
        Protocol::Json | Protocol::EmqxJt808 | Protocol::EmqxGb32960 => {
            crate::mqtt_json::describe(protocol, raw, profile)
        }
    }
}
