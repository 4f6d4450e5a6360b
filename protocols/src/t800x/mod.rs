//! The T8 series of TopFlyTech: `23 23`, `25 25`, `26 26` and `27 27` frames, over TCP or UDP.
//!
//! ```text
//! header BYTE[2] | type BYTE | length WORD | serial WORD | IMEI BCD[8] | content      big-endian
//! length is that of the whole frame; there is no checksum
//! ```
//!
//! `23 23` are the first models, `25 25` those with more inputs, `26 26` those on the diagnostic socket, `27 27` the
//! solar ones. Places are 32-bit floating-point numbers, little-endian; times and speeds binary-coded decimals.
//!
//! Written from TopFlyTech's public integration document, the public decoder tests of Traccar, and general
//! knowledge of both. [`frame`] cuts, [`session`] runs a link, `observe` reads stored messages, `position` the hot
//! ones.
//!
//! # What is promised
//! Every message is answered when it is durable, with its header, type, serial and IMEI; an alarm with its number
//! too. Without an answer the terminal keeps it and sends it again.
//!
//! A datagram that is what the answer to it would be is not answered, lest two servers answer each other for ever when
//! somebody forges the sender. A heartbeat can't be told from its answer: over datagrams one that comes again within two
//! seconds is not answered, which ends such a loop, and a terminal says it again later.
//!
//! # What differs in the wild
//! - `23 23` begins other protocols too. A frame is one of these only when its length is possible and its IMEI is
//!   fifteen decimal digits behind a zero.
//! - A battery of 0 is full: the two digits have no room for 100.
//! - A position without a solution has cells in place of the coordinates; bit 6 of its state tells.

mod behaviour;
pub mod frame;
mod observe;
mod position;
pub mod session;

pub use frame::encode_frame;
pub use position::encode_position;
pub use session::T800x;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// Binary: nothing ends a message but its length.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(T800x::new(transport), limits).over(transport))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&T800x::default(), input)
}
