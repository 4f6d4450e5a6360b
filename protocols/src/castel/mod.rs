//! Castel's SC protocol of OBD trackers (IDD-212, IDD-213 and their kin): positions, trips, values of the engine,
//! trouble codes, alarms; binary, TCP.
//!
//! ```text
//! 40 40 | length WORD | version BYTE | name BYTE[20] | type WORD | content | CRC WORD | 0d 0a
//! little-endian but for the type; length is that of the whole frame; the CRC is that of ITU-T X.25 over all before
//! ```
//!
//! Written from Castel's public protocol description, the public decoder tests of Traccar, and general knowledge of
//! both. [`frame`] cuts and checks, [`session`] runs a link, `observe` reads stored messages and `engine` the values
//! of the vehicle. Versions 3 and 4 are spoken; the older one with two bytes of other meaning at its beginning is not.
//!
//! # What is promised
//! Log-in, heartbeat and alarm are answered when they are durable. Positions and values have no answer: what was
//! received and not yet synced is lost with the machine, at most the socket's buffer and one commit group. The
//! log-in is the gate: while the server can't store, it is not answered and the terminal keeps what it measures.
//!
//! # What differs in the wild
//! - Values of the engine come converted: the real frames hold 788 revolutions and 91 degrees of an idling warm
//!   engine, which the formulas of J1979 would make 197 and 51. Parameters whose conversion nothing shows are kept
//!   as bytes. Their lengths are those of J1979.
//! - A temperature above 127 could be one below zero: it is kept as bytes.

mod engine;
pub mod frame;
mod observe;
pub mod session;

pub use frame::{encode_frame, encode_position};
pub use session::Castel;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// Binary: the line end is part of the message.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Castel, limits).over(transport))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Castel, input)
}
