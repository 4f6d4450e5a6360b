//! Every reason for which something is refused over MQTT, with its code in both versions, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use motorpool_protocols::RejectReason;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

/// Why something was refused: a closed list, used as a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Refusal {
    /// Bytes that are no packet.
    Malformed,
    /// A packet where the protocol has none.
    OutOfPlace,
    /// A packet above `mqtt.packet_max`.
    TooLarge,
    /// A version that is not spoken here.
    Version,
    /// A client id that can't be used.
    ClientId,
    /// Authentication other than by name and password or certificate.
    Method,
    /// A terminal that is not known; it is in quarantine.
    Unknown,
    /// A wrong secret, or none was ever made.
    Secret,
    /// A device that a person shut out.
    Blocked,
    /// The device is connected, and the policy keeps that link.
    Connected,
    /// The journal takes nothing now.
    Unavailable,
    /// A topic or filter of somebody else, or of nobody.
    Topic,
    /// A payload that is not what its topic says.
    Payload,
    /// QoS 2.
    Qos,
    /// A message to be retained.
    Retain,
    /// A topic alias.
    Alias,
    /// More unacknowledged messages than the receive maximum.
    InFlight,
    /// Too many refused messages in a row.
    Quota,
}

impl Refusal {
    const ALL: [Self; 18] = [
        Self::Malformed,
        Self::OutOfPlace,
        Self::TooLarge,
        Self::Version,
        Self::ClientId,
        Self::Method,
        Self::Unknown,
        Self::Secret,
        Self::Blocked,
        Self::Connected,
        Self::Unavailable,
        Self::Topic,
        Self::Payload,
        Self::Qos,
        Self::Retain,
        Self::Alias,
        Self::InFlight,
        Self::Quota,
    ];

    /// The word used as a metric label, and told to devices of version 5.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::OutOfPlace => "out_of_place",
            Self::TooLarge => "too_large",
            Self::Version => "version",
            Self::ClientId => "client_id",
            Self::Method => "method",
            Self::Unknown => "unknown_terminal",
            Self::Secret => "secret",
            Self::Blocked => "blocked",
            Self::Connected => "connected",
            Self::Unavailable => "unavailable",
            Self::Topic => "topic",
            Self::Payload => "payload",
            Self::Qos => "qos",
            Self::Retain => "retain",
            Self::Alias => "alias",
            Self::InFlight => "in_flight",
            Self::Quota => "quota",
        }
    }

    /// The code of a CONNACK of 3.1.1 (table 3.1).
    pub(super) const fn connack_v4(self) -> v4::ConnectReturnCode {
        match self {
            Self::Version => v4::ConnectReturnCode::RefusedProtocolVersion,
            Self::ClientId => v4::ConnectReturnCode::BadClientId,
            Self::Secret => v4::ConnectReturnCode::BadUserNamePassword,
            Self::Connected | Self::Unavailable => v4::ConnectReturnCode::ServiceUnavailable,
            _ => v4::ConnectReturnCode::NotAuthorized,
        }
    }

    /// The code of a CONNACK of 5 (section 3.2.2.2).
    pub(super) const fn connack_v5(self) -> v5::ConnectReturnCode {
        match self {
            Self::Malformed => v5::ConnectReturnCode::MalformedPacket,
            Self::OutOfPlace => v5::ConnectReturnCode::ProtocolError,
            Self::TooLarge => v5::ConnectReturnCode::PacketTooLarge,
            Self::Version => v5::ConnectReturnCode::UnsupportedProtocolVersion,
            Self::ClientId => v5::ConnectReturnCode::ClientIdentifierNotValid,
            Self::Method => v5::ConnectReturnCode::BadAuthenticationMethod,
            Self::Secret => v5::ConnectReturnCode::BadUserNamePassword,
            Self::Blocked => v5::ConnectReturnCode::Banned,
            Self::Connected => v5::ConnectReturnCode::ServerBusy,
            Self::Unavailable => v5::ConnectReturnCode::ServerUnavailable,
            Self::Qos => v5::ConnectReturnCode::QoSNotSupported,
            Self::Retain => v5::ConnectReturnCode::RetainNotSupported,
            _ => v5::ConnectReturnCode::NotAuthorized,
        }
    }

    /// The code of a DISCONNECT of 5 (section 3.14.2.1).
    pub(super) const fn disconnect_v5(self) -> v5::DisconnectReasonCode {
        match self {
            Self::Malformed => v5::DisconnectReasonCode::MalformedPacket,
            Self::TooLarge => v5::DisconnectReasonCode::PacketTooLarge,
            Self::Qos => v5::DisconnectReasonCode::QoSNotSupported,
            Self::Retain => v5::DisconnectReasonCode::RetainNotSupported,
            Self::Alias => v5::DisconnectReasonCode::TopicAliasInvalid,
            Self::InFlight => v5::DisconnectReasonCode::ReceiveMaximumExceeded,
            Self::Quota => v5::DisconnectReasonCode::QuotaExceeded,
            Self::Topic => v5::DisconnectReasonCode::TopicNameInvalid,
            Self::Payload => v5::DisconnectReasonCode::PayloadFormatInvalid,
            Self::Unavailable => v5::DisconnectReasonCode::ServerBusy,
            _ => v5::DisconnectReasonCode::ProtocolError,
        }
    }

    /// The code of a PUBACK of 5 (section 3.4.2.1).
    pub(super) const fn puback_v5(self) -> v5::PubAckReason {
        match self {
            Self::Payload => v5::PubAckReason::PayloadFormatInvalid,
            _ => v5::PubAckReason::NotAuthorized,
        }
    }

    /// Under which reason a message that was refused for this is counted beside those of other protocols.
    pub(super) const fn reject_reason(self) -> RejectReason {
        match self {
            Self::TooLarge => RejectReason::TooLong,
            Self::Topic => RejectReason::NotAdmitted,
            Self::Unavailable => RejectReason::Unavailable,
            Self::InFlight | Self::Quota => RejectReason::Limit,
            _ => RejectReason::Garbage,
        }
    }
}

/// How often each reason came up. Cloned freely.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<[AtomicU64; Refusal::ALL.len()]>);

impl Refusals {
    pub(crate) fn count(&self, refusal: Refusal) {
        if let Some(counter) = self.0.get(refusal as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each reason with its count.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, u64)> {
        let counts = Refusal::ALL.iter().zip(self.0.iter());
        counts.map(|(refusal, count)| (refusal.as_str(), count.load(Ordering::Relaxed))).collect()
    }
}
