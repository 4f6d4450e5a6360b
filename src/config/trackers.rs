//! `[trackers]` and `[sessions]`: the addresses for terminals, and the limits of what is spoken there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use motorpool_protocols::{Protocol, SessionLimits};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Bytes, Listen, Seconds};

/// `[trackers]`: where terminals connect, and what a link may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trackers {
    /// Where terminals connect.
    pub listen: SocketAddr,
    /// Which protocol they speak there.
    pub protocol: Spoken,
    /// Whether datagrams (UDP) are taken at the same address as well.
    pub datagrams: bool,
    /// More addresses, each for one protocol or for any.
    pub ports: Vec<Port>,
    /// Where terminals connect that speak TLS; empty = nowhere.
    pub tls_listen: Listen,
    /// The certificate chain for them, PEM.
    pub tls_cert: PathBuf,
    /// Its key, PEM.
    pub tls_key: PathBuf,
    /// Threads that serve links; 0 = half of the processors, at least one.
    pub workers: usize,
    /// Links open at one time. At most the process may open files, less 1,000.
    pub links_max: usize,
    /// Links from one address that have not logged in yet.
    pub unauthenticated_links_per_ip_max: usize,
    /// A link that sent nothing for so long after it was accepted is closed.
    pub first_byte_timeout: Seconds,
    /// A link that has not logged in for so long is closed.
    pub login_timeout: Seconds,
    /// A frame that is not complete so long after its first byte closes the link.
    pub frame_timeout: Seconds,
    /// A logged-in link that is silent for so long is closed.
    pub idle_timeout: Seconds,
    /// Bytes of one link that may wait for their acknowledgement before reading stops.
    pub unacked_bytes_per_link_max: Bytes,
    /// The largest read buffer a link may grow to while it has a backlog.
    pub read_buffer_max: Bytes,
    /// What happens when a terminal that is connected logs in over a second link.
    pub second_link: SecondLink,
    /// Senders of datagrams that are remembered at one time; the one that was silent longest is forgotten. An eighth of
    /// the places is for senders that have not logged in.
    pub datagram_links_max: usize,
}

impl Default for Trackers {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 5808)),
            protocol: Spoken::Auto,
            datagrams: true,
            ports: Vec::new(),
            tls_listen: Listen(None),
            tls_cert: PathBuf::new(),
            tls_key: PathBuf::new(),
            workers: 0,
            links_max: 18_000,
            unauthenticated_links_per_ip_max: 1_000,
            first_byte_timeout: Seconds(Duration::from_secs(30)),
            login_timeout: Seconds(Duration::from_secs(60)),
            frame_timeout: Seconds(Duration::from_secs(30)),
            idle_timeout: Seconds(Duration::from_secs(900)),
            unacked_bytes_per_link_max: Bytes(1 << 20),
            read_buffer_max: Bytes(256 << 10),
            second_link: SecondLink::Replace,
            datagram_links_max: 20_000,
        }
    }
}

/// `[[trackers.ports]]`: one more address for terminals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Where they connect.
    pub listen: SocketAddr,
    /// Which protocol they speak there.
    #[serde(default)]
    pub protocol: Spoken,
    /// Whether datagrams (UDP) are taken there as well.
    #[serde(default)]
    pub datagrams: bool,
}

/// Which protocol is spoken at an address: `"auto"`, or a protocol's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spoken {
    /// Any: it is recognised by its first whole frame.
    #[default]
    Auto,
    /// This one.
    Only(Protocol),
}

impl Spoken {
    /// The protocols that a link there may turn out to speak.
    #[must_use]
    pub fn protocols(self) -> &'static [Protocol] {
        match self {
            Self::Auto => Protocol::ALL,
            Self::Only(protocol) => protocol.alone(),
        }
    }
}

impl Serialize for Spoken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Only(protocol) => serializer.serialize_str(protocol.name()),
        }
    }
}

impl<'de> Deserialize<'de> for Spoken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "auto" {
            return Ok(Self::Auto);
        }
        Protocol::from_name(&text).map(Self::Only).ok_or_else(|| {
            let known: Vec<&str> = Protocol::ALL.iter().map(|protocol| protocol.name()).collect();
            de::Error::custom(format!("there is no protocol `{text}`: auto, {}", known.join(", ")))
        })
    }
}

/// `[sessions]`: limits of what is spoken on one link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Terminals that may speak over one link.
    pub terminals_per_link_max: usize,
    /// Messages being put together from packets at one time, for each link.
    pub partial_messages_max: usize,
    /// Bytes of packets held for the unfinished messages of one link.
    pub partial_bytes_max: Bytes,
    /// Memory that unfinished messages and frames of all links may take; the link that passes it is closed.
    pub partial_bytes_total_max: Bytes,
    /// Packets of one message.
    pub packets_max: u16,
    /// How long to wait for a missing packet before asking for it.
    pub packet_wait: Seconds,
    /// How often to ask before giving up.
    pub packet_requests_max: u8,
    /// Refused frames in a row after which the link is closed.
    pub rejects_in_a_row_max: u32,
}

impl Default for Sessions {
    fn default() -> Self {
        let limits = SessionLimits::default();
        Self {
            terminals_per_link_max: limits.terminals_per_link_max,
            partial_messages_max: limits.partial_messages_max,
            partial_bytes_max: Bytes(limits.partial_bytes_max),
            partial_bytes_total_max: Bytes(64 << 20),
            packets_max: limits.packets_max,
            packet_wait: Seconds(Duration::from_millis(limits.packet_wait_ms.unsigned_abs())),
            packet_requests_max: limits.packet_requests_max,
            rejects_in_a_row_max: limits.rejects_in_a_row_max,
        }
    }
}

impl Sessions {
    /// These settings as a session takes them.
    #[must_use]
    pub fn limits(&self) -> SessionLimits {
        SessionLimits {
            terminals_per_link_max: self.terminals_per_link_max,
            partial_messages_max: self.partial_messages_max,
            partial_bytes_max: self.partial_bytes_max.0,
            packets_max: self.packets_max,
            packet_wait_ms: i64::try_from(self.packet_wait.0.as_millis()).unwrap_or(i64::MAX),
            packet_requests_max: self.packet_requests_max,
            rejects_in_a_row_max: self.rejects_in_a_row_max,
        }
    }
}

/// What to do with two links of one terminal. Both stay visible in the API either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondLink {
    /// The new link wins: the terminal is taken off the old one, which is closed when it carried nobody else. What JT/T
    /// 808 expects after a lost connection.
    Replace,
    /// The new link is refused while the old one lives.
    Refuse,
    /// Both stay.
    Keep,
}
