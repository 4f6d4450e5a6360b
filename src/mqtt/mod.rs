//! MQTT: devices that publish to this server, and a subscriber for devices that publish to an outside broker.
//!
//! Both take a payload through the same intake and append it to the journal as it came; PUBACK is sent once the group
//! commit has made it durable, in the order in which messages were received. This is no broker: what one device
//! publishes no other device ever gets, nothing is retained, no session outlives its link, and QoS 2 is refused.
//!
//! ```text
//! device ─▶ listener ─▶ link ─ wire ─▶ session ─ topic, intake ─▶ journal.append
//!                        ▲                                            │ under the same lock
//!                        └──────── PUBACK ◀── ack queue (FIFO) ◀──────┘ released by the durable mark
//!
//! broker ─▶ subscriber (rumqttc, manual acks) ─ topic, intake ─▶ journal.append ─▶ ack in receive order
//! ```
//!
//! - `wire`: packets of 3.1.1 and 5 to and from one small form; the only place that knows rumqttc's codec.
//! - `session`: what is allowed on one link.
//! - `refusal`: every reason for which something is refused, with its codes in both versions.
//! - `topic`: which terminal and which kind of payload a topic names.
//! - `intake`: a payload checked before anything is promised about it.
//! - `link`, `listener`: sockets.
//! - [`downlink`]: commands to a connected device, and who is connected over MQTT.
//! - [`subscriber`]: the client of an outside broker.
//!
//! # What a device may do
//!
//! It logs in with its identity as the user name and its secret as the password, or with a certificate whose common
//! name is its identity. It publishes to `motorpool/IDENTITY/up` (see [`motorpool_protocols::mqtt_json::own`]), to
//! `motorpool/IDENTITY/raw/PROTOCOL` (whole frames of a binary protocol, those of a message in packets all in one
//! publish), to `owntracks/USER/DEVICE` as the
//! terminal `USER/DEVICE`, and to the topics of EMQX's gateways with its own identity in them. It subscribes to
//! `motorpool/IDENTITY/down`, where commands come as JSON, and says in its reports what it made of them. Everything else is refused with the protocol's own code, or by closing the link where
//! the protocol has none.
//!
//! A publish that comes again (DUP, a new link) is journaled again; the fixes in it are the same, and are told apart
//! from new ones where tracks are merged.

pub mod downlink;
mod intake;
mod link;
pub mod listener;
mod refusal;
mod session;
pub mod subscriber;
#[cfg(test)]
mod tests;
mod topic;
mod wire;

pub use downlink::Downlinks;
pub use listener::Listener;
pub use refusal::Refusals;
pub use subscriber::Subscriber;
