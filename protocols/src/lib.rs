//! Codecs of vehicle trackers, sans-IO.
//!
//! This crate turns bytes into messages and messages into bytes. It is pure and synchronous: it opens no
//! socket, reads no clock, starts no task, writes no file and no log. Time comes in as an argument, policy
//! (who may connect, what is enrolled) comes in through [`Gate`].
//!
//! Two ways lead through it:
//!
//! - [`Session`] runs one link: it cuts the stream into complete messages, checks them, asks the [`Gate`],
//!   and says what to store and what to answer. It never promises anything itself: the replies in
//!   [`Outbox::replies`] are sent by the caller once the messages of the same box are durable.
//! - [`observe`] and [`describe`] decode one stored message. They serve the live path and the replay of old
//!   messages alike, so that a decoder bug is repaired by replay.
//!
//! Nothing here panics on outside bytes; every limit is a field of [`SessionLimits`].

pub mod can_signal;
pub mod castel;
pub mod command;
mod draft;
mod echo;
pub mod eelink;
pub mod framed;
pub mod gb32960;
pub mod gcj02;
pub mod gl200;
pub mod gps103;
pub mod gt06;
pub mod h02;
mod http;
pub mod jt600;
pub mod jt808;
pub mod jt809;
pub mod meitrack;
mod members;
pub mod mqtt_json;
mod nmea;
mod notes;
pub mod obd;
pub mod observation;
mod octets;
pub mod osmand;
pub mod owntracks;
pub mod profile;
pub mod protocol;
mod reader;
pub mod reading;
pub mod recognise;
pub mod ruptela;
pub mod scale;
mod sent;
pub mod session;
pub mod suntech;
pub mod t800x;
pub mod teltonika;
pub mod text;
pub mod time;
pub mod tk103;
pub mod totem;
#[cfg(test)]
mod trial;
pub mod wialon;
pub mod xexun;

pub use can_signal::CanSignal;
pub use command::{Command, CommandError, CommandKey, CommandResult, Confirmed};
use mqtt_json::{emqx_gb32960, emqx_jt808, own as json};

pub use framed::{Fit, Transport};
pub use observation::{Alarms, Extra, Fix, Observation, Observations, Quality, Status};
pub use profile::Profile;
pub use protocol::{
    DecodeError, Description, Protocol, TerminalId, UnknownItem, describe, observe, readings_of,
};
pub use reading::{Quantity, Reading};
pub use recognise::Recogniser;
pub use session::{
    Accepted, Admission, Gate, OpenGate, Outbox, Refusal, Registration, RegistrationVerdict, RejectReason,
    Rejected, Session, SessionError, SessionLimits,
};
pub use time::UtcMillis;
