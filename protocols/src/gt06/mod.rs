//! The GT06 family (Concox, Jimi, WanWay and the many makes that speak like them): binary, TCP or UDP.
//!
//! ```text
//! 78 78 | length BYTE | number BYTE | content | serial WORD | CRC WORD | 0d 0a      everything big-endian
//! 79 79 | length WORD | number BYTE | content | serial WORD | CRC WORD | 0d 0a
//! length counts from the number to the CRC; the CRC is that of ITU-T X.25 over length to serial
//! ```
//!
//! Written from Concox's published GT06 protocol (log-in, position, status, alarm, string, time), from the public
//! decoder tests of Traccar for what the makes have added since, and from general knowledge of both.
//!
//! [`frame`] cuts and checks, [`session`] runs a link, [`observe`] reads stored messages: [`position`] the hot
//! ones, `status` the state and alarms, `information` texts and what hangs on the tracker, `cells` what is only
//! shown.
//!
//! # What is promised
//! Log-ins, heartbeats, alarms and requests are answered when they are durable. The protocol has no answer to a
//! position: a terminal forgets it when its TCP stack has delivered it. So positions that were received but not
//! yet synced are lost with the machine: at most the socket's buffer and one commit group. The log-in is the
//! gate: while the server can't store, it is not answered and the terminal keeps what it measures.
//!
//! # Commands
//! `WHERE#`, `TIMER,seconds#` (with the ignition on) and `VERSION#` as message 0x80; 0x15 or 0x21 answers with the same
//! server flag, for people: a text that speaks of an error is a failure.
//!
//! # What differs in the wild
//! - The identity is the IMEI in eight binary-coded bytes with a leading zero. Only the log-in has it.
//! - Times are UTC unless the profile has a `clock_offset_s`. A log-in may state a time zone: it is shown, but it
//!   does not move the clock, since a stored position must be read the same way alone.
//! - Course bits 14 and 15 are "ignition known" and "ignition on" with those makes that use them.
//! - The byte of cells before the state counts itself; older firmware leaves it out of 0x19.
//! - A heartbeat 0x13 of 15 bytes that states a length of 8 is counted to its end.
//! - Wi-Fi messages 0x17 and 0x69 of some makes state the number of access points in place of the length and have
//!   neither serial nor CRC: they are accepted when their structure ends exactly where they end.
//! - One number has several layouts: 0x17, 0x36, 0xA2 and 0x22 are told apart by their lengths, as [`observe`]
//!   says. What depends on the model alone (the battery byte of 0x13) is read as the published document says.

mod cells;
pub mod frame;
mod information;
pub mod observe;
pub mod position;
pub mod session;
mod status;

pub use frame::{encode_frame, encode_log_in};
pub use position::encode_position;
pub use session::Gt06;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// Binary: the line end is part of the message.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Gt06::default(), limits).over(transport))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Gt06::default(), input)
}
