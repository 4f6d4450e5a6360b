//! The list of protocols: the one place that leads from a protocol to its module.

use std::fmt;

use serde::Serialize;

use crate::framed::{Fit, Transport};
use crate::{Observations, Profile, Reading, Session, SessionLimits};

macro_rules! protocols {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $module:ident;)*) => {
        /// A tracker protocol. The number is stored in the journal and never reused.
        ///
        /// The module of a protocol has `observe`, `describe`, `session`, `fit` and `TERMINATOR`, which this list
        /// leads to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Protocol {
            $($(#[$doc])* $name = $number,)*
        }

        impl Protocol {
            /// Every protocol, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name used on the command line and in JSON, for example `jt808`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What ends a message of a protocol whose messages are text; nothing for a binary one.
            #[must_use]
            pub const fn terminator(self) -> &'static [u8] {
                match self {
                    $(Self::$name => crate::$module::TERMINATOR,)*
                }
            }

            /// A session at the beginning of a link.
            #[must_use]
            pub fn session(self, transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
                match self {
                    $(Self::$name => crate::$module::session(transport, limits),)*
                }
            }

            /// Whether the first bytes of a link are of this protocol.
            #[must_use]
            pub fn fit(self, transport: Transport, input: &[u8]) -> Fit {
                match self {
                    $(Self::$name => crate::$module::fit(transport, input),)*
                }
            }
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
                $(Protocol::$name => crate::$module::observe(raw, profile, out),)*
            }
        }

        /// Decodes one complete raw message with every field it has.
        ///
        /// # Errors
        /// As [`observe`].
        pub fn describe(protocol: Protocol, raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
            match protocol {
                $(Protocol::$name => crate::$module::describe(raw, profile),)*
            }
        }
    };
}

protocols! {
    /// JT/T 808-2011, -2013 and -2019.
    Jt808 = 1, "jt808", jt808;
    /// GB/T 32960.3-2016 and -2025.
    Gb32960 = 2, "gb32960", gb32960;
    /// The GT06 family: Concox, Jimi and many others.
    Gt06 = 3, "gt06", gt06;
    /// Teltonika's codecs 8, 8 Extended, 16, 12 and 14.
    Teltonika = 4, "teltonika", teltonika;
    /// Queclink @Track, in text.
    Gl200 = 5, "gl200", gl200;
    /// H02, in text and in binary.
    H02 = 6, "h02", h02;
    /// Wialon IPS 1.1 and 2.0.
    Wialon = 7, "wialon", wialon;
    /// Meitrack, MVT, T and TC series.
    Meitrack = 8, "meitrack", meitrack;
    /// Suntech, ST200 to ST900, SA200 and the universal series.
    Suntech = 9, "suntech", suntech;
    /// The HTTP requests of OsmAnd and of Traccar's clients.
    Osmand = 10, "osmand", osmand;
    /// Coban's GPS103 and TK303.
    Gps103 = 11, "gps103", gps103;
    /// Messages between parentheses: TK103-2 and others.
    Tk103 = 12, "tk103", tk103;
    /// Xexun, TK101 and TK102.
    Xexun = 13, "xexun", xexun;
    /// Totem, both generations.
    Totem = 14, "totem", totem;
    /// Jointech's JT600 and JT700.
    Jt600 = 15, "jt600", jt600;
    /// TopFlyTech's T8 series.
    T800x = 16, "t800x", t800x;
    /// Eelink's trackers.
    Eelink = 17, "eelink", eelink;
    /// Ruptela's FM protocol.
    Ruptela = 18, "ruptela", ruptela;
    /// Castel's SC protocol of OBD trackers.
    Castel = 19, "castel", castel;
    /// JT/T 809-2011 and -2019, between platforms.
    Jt809 = 20, "jt809", jt809;
    /// This project's own JSON, published over MQTT.
    Json = 30, "json", json;
    /// JT/T 808 as the JSON of EMQX's gateway, published over MQTT.
    EmqxJt808 = 31, "emqx-jt808", emqx_jt808;
    /// GB/T 32960 as the JSON of EMQX's gateway, published over MQTT.
    EmqxGb32960 = 32, "emqx-gb32960", emqx_gb32960;
    /// OwnTracks, over HTTP and as the payload of MQTT.
    OwnTracks = 33, "owntracks", owntracks;
}

impl Protocol {
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

    /// The list of this protocol alone.
    #[must_use]
    pub fn alone(self) -> &'static [Self] {
        Self::ALL
            .iter()
            .position(|protocol| *protocol == self)
            .and_then(|at| Self::ALL.get(at..=at))
            .unwrap_or(&[])
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

/// The readings in the stored bytes of a fix ([`Observations::extra_of`]), in whichever form its protocol keeps them: as
/// [`crate::reading`] writes them, or as JT/T 808's own items, which the profile must explain. The columns of the fix are
/// not among them where the standard has them; those that came out of a maker's items are.
#[must_use]
pub fn readings_of(protocol: Protocol, extra: &[u8], profile: &Profile) -> Vec<Reading> {
    if protocol == Protocol::Jt808 {
        return crate::jt808::obd::readings(extra, profile);
    }
    crate::reading::readings(extra).collect()
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
