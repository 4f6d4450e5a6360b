//! Eelink's trackers, version 1 and 2 of the protocol; binary, over TCP as packages, over UDP in an envelope.
//!
//! ```text
//! package   67 67 | type BYTE | length WORD | serial WORD | content        length: from the serial on
//! envelope  45 4c | length WORD | sum WORD | IMEI BCD[8] | packages        length: from the sum on
//! everything big-endian; the sum is over what follows it: rotated left by one bit before each byte is added
//! ```
//!
//! Written from Eelink's public protocol description, the public decoder tests of Traccar, and general knowledge of
//! both. [`frame`] cuts and checks, [`session`] runs a link, `observe` reads stored messages and `position` the hot
//! ones.
//!
//! # What is promised
//! A package is answered when it is durable: its type and serial, and the time of day to a log-in. Positions of version
//! 1 (0x02) and transparent data (0x81) have no answer in the protocol: what of them was received and not yet synced is
//! lost with the machine, at most the socket's buffer and one commit group.
//!
//! # Commands
//! `WHERE#`, `TIMER,seconds,1#` and `VERSION#` as message 0x80, which answers with the same number, for people: a text that
//! speaks of an error is a failure.
//!
//! # What differs in the wild
//! - A package over TCP has no checksum: only its length tells that it is one.
//! - Values of the engine (0x07) are the bytes of J1979 on the left of four, what is right of them is filling.

pub mod frame;
mod observe;
mod position;
pub mod session;

pub use frame::{encode_envelope, encode_package};
pub use position::encode_position;
pub use session::Eelink;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// Binary: nothing ends a message but its length.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Eelink::default(), limits).over(transport))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Eelink::default(), input)
}
