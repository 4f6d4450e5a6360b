//! Ruptela's FM protocol: records with positions and elements, trouble codes, texts; binary, over TCP or UDP.
//!
//! ```text
//! up    length WORD | IMEI QWORD | command BYTE | content | CRC WORD      everything big-endian
//! down  length WORD | command BYTE | content | CRC WORD
//! length counts what is between it and the CRC; the CRC is CRC-16/KERMIT over the same
//! ```
//!
//! Written from Ruptela's public protocol description, the public decoder tests of Traccar, and general
//! knowledge of both. [`frame`] cuts and checks, [`session`] runs a link, `observe` reads stored messages and
//! `elements` says what an id means.
//!
//! # What is promised
//! Every command that waits for an answer has one: its number plus a hundred (100 for both kinds of records), and
//! `01` once what it brought is durable; `00` when the terminal may not come in. Without an answer it is sent
//! again.
//!
//! # Commands
//! 103 asks for the version, which message 3 tells.
//!
//! # What differs in the wild
//! - A record of message 68 may go over several parts, told by its extension byte: they are one fix.
//! - A record without a solution has both coordinates at the lowest value: it is no fix, its elements are
//!   readings.
//! - Elements whose meaning only one vehicle's configuration tells are kept as bytes.

mod elements;
pub mod frame;
mod observe;
pub mod session;

pub use frame::{encode_frame, encode_records};
pub use session::Ruptela;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// Binary: nothing ends a message but its length.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Ruptela::default(), limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    // A frame begins with nothing but its length: the IMEI behind it tells noise apart before the frame is whole.
    if !frame::may_hold_imei(input) {
        return Fit::No;
    }
    framed::fit(&Ruptela::default(), input)
}
