//! Packets of MQTT 3.1.1 and 5 to and from one small form, by rumqttc's codec.
//!
//! A packet is cut out by its length first, so that a broken one can't be taken for one that is still arriving. What the codec
//! does not check (reserved flags, the text of a topic) is checked here; where it reads or writes something wrongly is said
//! beside the line that goes around it.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{self as common, v4};
use rumqttc::v5::mqttbytes as five;
use rumqttc::v5::mqttbytes::v5;

use super::refusal::Refusal;

/// Which edition a link speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V5,
}

/// A packet from a device, as far as it matters here.
#[derive(Debug)]
pub(super) enum Incoming {
    Connect(Box<Connect>),
    Publish(Publish),
    /// Our publish was taken (or refused).
    PubAck {
        pkid: u16,
        is_taken: bool,
    },
    Subscribe {
        pkid: u16,
        filters: Vec<Filter>,
    },
    Unsubscribe {
        pkid: u16,
        filters: Vec<String>,
    },
    Ping,
    Disconnect,
    /// A packet that a device has no business to send here.
    Other,
}

#[derive(Debug)]
pub(super) struct Connect {
    pub(super) version: Version,
    pub(super) client_id: String,
    pub(super) clean: bool,
    pub(super) keep_alive_s: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// QoS and retain of a will.
    pub(super) will: Option<(Qos, bool)>,
    pub(super) asks_for_session: bool,
    pub(super) receive_max: u16,
    pub(super) packet_bytes_max: usize,
    pub(super) has_method: bool,
}

#[derive(Debug)]
pub(super) struct Publish {
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) pkid: u16,
    pub(super) topic: Bytes,
    pub(super) payload: Bytes,
    pub(super) has_alias: bool,
}

#[derive(Debug)]
pub(super) struct Filter {
    pub(super) path: String,
    pub(super) qos: Qos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::enum_variant_names, reason = "the words of the standard")]
pub(super) enum Qos {
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

impl From<common::QoS> for Qos {
    fn from(qos: common::QoS) -> Self {
        match qos {
            common::QoS::AtMostOnce => Self::AtMostOnce,
            common::QoS::AtLeastOnce => Self::AtLeastOnce,
            common::QoS::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

impl From<five::QoS> for Qos {
    fn from(qos: five::QoS) -> Self {
        match qos {
            five::QoS::AtMostOnce => Self::AtMostOnce,
            five::QoS::AtLeastOnce => Self::AtLeastOnce,
            five::QoS::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

/// The first byte of a CONNECT.
pub(super) const CONNECT_BYTE: u8 = CONNECT << 4;

/// Packet types, the upper half of the first byte.
const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBREL: u8 = 6;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
const DISCONNECT: u8 = 14;

/// Cuts the next whole packet off; `None` while it is not whole.
///
/// # Errors
/// When it will be longer than `bytes_max`, or its length is not one.
pub(super) fn next_packet(input: &mut BytesMut, bytes_max: usize) -> Result<Option<BytesMut>, Refusal> {
    match common::check(input.iter(), bytes_max) {
        Ok(header) => Ok(Some(input.split_to(header.frame_length()))),
        Err(common::Error::InsufficientBytes(_)) => Ok(None),
        Err(common::Error::PayloadSizeLimitExceeded(_)) => Err(Refusal::TooLarge),
        Err(_) => Err(Refusal::Malformed),
    }
}

/// Reads a packet that was cut off; `version` is what the link speaks, `None` before its CONNECT.
pub(super) fn read(packet: BytesMut, version: Option<Version>) -> Result<Incoming, Refusal> {
    let first = packet.first().copied().unwrap_or(0);
    let (kind, flags) = (first >> 4, first & 15);
    let is_flagged_rightly = match kind {
        PUBLISH => true,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => flags == 2,
        _ => flags == 0,
    };
    if !is_flagged_rightly {
        return Err(Refusal::Malformed);
    }
    match (kind, version) {
        (CONNECT, None) => match level(&packet) {
            Some(4) => read_v4(packet),
            Some(5) => read_v5(packet),
            _ => Err(Refusal::Version),
        },
        (CONNECT, Some(_)) => Ok(Incoming::Other),
        // The codec takes neither the short forms that version 5 allows nor has it anything for us in the long one.
        (DISCONNECT, Some(_)) => Ok(Incoming::Disconnect),
        (_, Some(Version::V4)) => read_v4(packet),
        (_, Some(Version::V5)) => read_v5(packet),
        (_, None) => Ok(Incoming::Other),
    }
}

/// The protocol level of a CONNECT: behind its header, the name and the name's length.
fn level(packet: &[u8]) -> Option<u8> {
    let length_bytes = packet.iter().skip(1).take_while(|byte| *byte & 0x80 != 0).count() + 1;
    let body = packet.get(1 + length_bytes..)?;
    body.strip_prefix(b"\x00\x04MQTT")?.first().copied()
}

fn read_v4(mut packet: BytesMut) -> Result<Incoming, Refusal> {
    let bytes = packet.len();
    Ok(match v4::Packet::read(&mut packet, bytes).map_err(|_| Refusal::Malformed)? {
        v4::Packet::Connect(connect) => {
            let (user, password) = login(connect.login.map(|login| (login.username, login.password)));
            Incoming::Connect(Box::new(Connect {
                version: Version::V4,
                client_id: connect.client_id,
                clean: connect.clean_session,
                keep_alive_s: connect.keep_alive,
                user,
                password,
                will: connect.last_will.map(|will| (will.qos.into(), will.retain)),
                asks_for_session: false,
                receive_max: u16::MAX,
                packet_bytes_max: usize::MAX,
                has_method: false,
            }))
        }
        v4::Packet::Publish(publish) => Incoming::Publish(Publish {
            qos: publish.qos.into(),
            retain: publish.retain,
            pkid: publish.pkid,
            topic: publish.topic.into(),
            payload: publish.payload,
            has_alias: false,
        }),
        v4::Packet::PubAck(ack) => Incoming::PubAck { pkid: ack.pkid, is_taken: true },
        v4::Packet::Subscribe(subscribe) => Incoming::Subscribe {
            pkid: numbered(subscribe.pkid)?,
            filters: subscribe
                .filters
                .into_iter()
                .map(|filter| Filter { path: filter.path, qos: filter.qos.into() })
                .collect(),
        },
        v4::Packet::Unsubscribe(unsubscribe) => {
            Incoming::Unsubscribe { pkid: numbered(unsubscribe.pkid)?, filters: unsubscribe.topics }
        }
        v4::Packet::PingReq => Incoming::Ping,
        _ => Incoming::Other,
    })
}

fn read_v5(mut packet: BytesMut) -> Result<Incoming, Refusal> {
    Ok(match v5::Packet::read(&mut packet, None).map_err(|_| Refusal::Malformed)? {
        v5::Packet::Connect(connect, will, named) => {
            let (user, password) = login(named.map(|login| (login.username, login.password)));
            let properties = connect.properties.unwrap_or_default();
            let receive_max = properties.receive_maximum.unwrap_or(u16::MAX);
            let packet_bytes_max = properties.max_packet_size.unwrap_or(u32::MAX);
            if receive_max == 0 || packet_bytes_max == 0 {
                return Err(Refusal::OutOfPlace);
            }
            Incoming::Connect(Box::new(Connect {
                version: Version::V5,
                client_id: connect.client_id,
                clean: connect.clean_start,
                keep_alive_s: connect.keep_alive,
                user,
                password,
                will: will.map(|will| (will.qos.into(), will.retain)),
                asks_for_session: properties.session_expiry_interval.is_some_and(|seconds| seconds > 0),
                receive_max,
                packet_bytes_max: packet_bytes_max as usize,
                has_method: properties.authentication_method.is_some(),
            }))
        }
        v5::Packet::Publish(publish) => Incoming::Publish(Publish {
            qos: publish.qos.into(),
            retain: publish.retain,
            pkid: publish.pkid,
            topic: publish.topic,
            payload: publish.payload,
            has_alias: publish.properties.is_some_and(|properties| properties.topic_alias.is_some()),
        }),
        v5::Packet::PubAck(ack) => {
            use v5::PubAckReason::{NoMatchingSubscribers, Success};
            let is_taken = matches!(ack.reason, Success | NoMatchingSubscribers);
            Incoming::PubAck { pkid: ack.pkid, is_taken }
        }
        v5::Packet::Subscribe(subscribe) => Incoming::Subscribe {
            pkid: numbered(subscribe.pkid)?,
            filters: subscribe
                .filters
                .into_iter()
                .map(|filter| Filter { path: filter.path, qos: filter.qos.into() })
                .collect(),
        },
        v5::Packet::Unsubscribe(unsubscribe) => {
            Incoming::Unsubscribe { pkid: numbered(unsubscribe.pkid)?, filters: unsubscribe.filters }
        }
        v5::Packet::PingReq(_) => Incoming::Ping,
        _ => Incoming::Other,
    })
}

/// The codec does not tell an absent name or password from an empty one.
fn login(login: Option<(String, String)>) -> (Option<String>, Option<String>) {
    let (user, password) = login.unwrap_or_default();
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    (given(user), given(password))
}

fn numbered(pkid: u16) -> Result<u16, Refusal> {
    if pkid == 0 { Err(Refusal::Malformed) } else { Ok(pkid) }
}

/// What a device of version 5 is told about this server when it is let in.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) receive_max: u16,
    pub(super) packet_bytes_max: usize,
    /// In place of the one it asked for.
    pub(super) keep_alive_s: Option<u16>,
    pub(super) assigned_id: Option<String>,
    pub(super) denies_session: bool,
}

/// Lets a device in. There never is a session from before.
pub(super) fn welcome(version: Version, terms: Terms, out: &mut BytesMut) {
    match version {
        Version::V4 => {
            put(v4::ConnAck::new(v4::ConnectReturnCode::Success, false).write(out));
        }
        Version::V5 => {
            let properties = v5::ConnAckProperties {
                session_expiry_interval: terms.denies_session.then_some(0),
                receive_max: Some(terms.receive_max),
                max_qos: Some(1),
                retain_available: Some(0),
                max_packet_size: u32::try_from(terms.packet_bytes_max).ok(),
                assigned_client_identifier: terms.assigned_id,
                topic_alias_max: None,
                reason_string: None,
                user_properties: Vec::new(),
                wildcard_subscription_available: Some(0),
                subscription_identifiers_available: Some(0),
                shared_subscription_available: Some(0),
                server_keep_alive: terms.keep_alive_s,
                response_information: None,
                server_reference: None,
                authentication_method: None,
                authentication_data: None,
            };
            let code = v5::ConnectReturnCode::Success;
            put(v5::ConnAck { session_present: false, code, properties: Some(properties) }.write(out));
        }
    }
}

/// Turns a device away.
pub(super) fn turn_away(version: Version, refusal: Refusal, out: &mut BytesMut) {
    match version {
        Version::V4 => put(v4::ConnAck::new(refusal.connack_v4(), false).write(out)),
        Version::V5 => {
            let code = refusal.connack_v5();
            put(v5::ConnAck { session_present: false, code, properties: None }.write(out));
        }
    }
}

/// Acknowledges a publish. The form is the same in both versions.
pub(super) fn puback(pkid: u16, out: &mut BytesMut) {
    put(v4::PubAck::new(pkid).write(out));
}

/// Refuses a publish; only version 5 can say so.
pub(super) fn puback_refused(pkid: u16, refusal: Refusal, out: &mut BytesMut) {
    put(v5::PubAck { pkid, reason: refusal.puback_v5(), properties: None }.write(out));
}

/// Answers a subscription: the QoS granted for each filter, `None` for a refused one.
pub(super) fn suback(version: Version, pkid: u16, granted: &[Option<Qos>], out: &mut BytesMut) {
    match version {
        Version::V4 => {
            let code = |granted: &Option<Qos>| match granted {
                Some(Qos::AtMostOnce) => v4::SubscribeReasonCode::Success(common::QoS::AtMostOnce),
                Some(_) => v4::SubscribeReasonCode::Success(common::QoS::AtLeastOnce),
                None => v4::SubscribeReasonCode::Failure,
            };
            put(v4::SubAck::new(pkid, granted.iter().map(code).collect()).write(out));
        }
        Version::V5 => {
            let code = |granted: &Option<Qos>| match granted {
                Some(Qos::AtMostOnce) => v5::SubscribeReasonCode::Success(five::QoS::AtMostOnce),
                Some(_) => v5::SubscribeReasonCode::Success(five::QoS::AtLeastOnce),
                None => v5::SubscribeReasonCode::NotAuthorized,
            };
            let return_codes = granted.iter().map(code).collect();
            put(v5::SubAck { pkid, return_codes, properties: None }.write(out));
        }
    }
}

/// Confirms the end of subscriptions: for each whether there was one.
pub(super) fn unsuback(version: Version, pkid: u16, existed: &[bool], out: &mut BytesMut) {
    match version {
        Version::V4 => put(v4::UnsubAck::new(pkid).write(out)),
        Version::V5 => {
            let reason = |existed: &bool| match existed {
                true => v5::UnsubAckReason::Success,
                false => v5::UnsubAckReason::NoSubscriptionExisted,
            };
            let reasons = existed.iter().map(reason).collect();
            put(v5::UnsubAck { pkid, reasons, properties: None }.write(out));
        }
    }
}

/// Answers a ping. The form is the same in both versions.
pub(super) fn pong(out: &mut BytesMut) {
    put(v4::PingResp.write(out));
}

/// Why this server ends a link.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goodbye {
    Refused(Refusal),
    TakenOver,
    ShuttingDown,
}

/// Says why a link ends; only version 5 can, so for 3.1.1 it is nothing.
pub(super) fn goodbye(version: Version, goodbye: Goodbye, out: &mut BytesMut) {
    if version == Version::V4 {
        return;
    }
    let (reason_code, text) = match goodbye {
        Goodbye::Refused(refusal) => (refusal.disconnect_v5(), refusal.as_str()),
        Goodbye::TakenOver => (v5::DisconnectReasonCode::SessionTakenOver, "taken_over"),
        Goodbye::ShuttingDown => (v5::DisconnectReasonCode::ServerShuttingDown, "shutting_down"),
    };
    // Without a text in the properties the codec leaves the code out, or states a length that is one byte short.
    let properties = v5::DisconnectProperties {
        session_expiry_interval: None,
        reason_string: Some(text.to_owned()),
        user_properties: Vec::new(),
        server_reference: None,
    };
    put(v5::Disconnect { reason_code, properties: Some(properties) }.write(out));
}

/// Publishes to a device, with QoS 1 when there is a number for it.
pub(super) fn publish(version: Version, topic: &str, pkid: Option<u16>, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    match version {
        Version::V4 => {
            let qos = if pkid.is_some() { common::QoS::AtLeastOnce } else { common::QoS::AtMostOnce };
            let mut publish = v4::Publish::new(topic, qos, payload);
            publish.pkid = pkid.unwrap_or(0);
            put(publish.write(&mut out));
        }
        Version::V5 => {
            let payload = Bytes::copy_from_slice(payload);
            let qos = if pkid.is_some() { five::QoS::AtLeastOnce } else { five::QoS::AtMostOnce };
            let mut publish = v5::Publish::new(topic, qos, payload, None);
            publish.pkid = pkid.unwrap_or(0);
            put(publish.write(&mut out));
        }
    }
    out
}

/// Nothing written here is ever too long for the codec.
fn put<E: std::fmt::Display>(written: Result<usize, E>) {
    if let Err(error) = written {
        tracing::error!(%error, "an MQTT packet could not be written");
    }
}
