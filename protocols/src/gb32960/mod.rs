//! GB/T 32960.3, the Chinese standard between electric vehicles (or their makers' platforms) and platforms: 2016 and
//! 2025.
//!
//! [`frame`] cuts and checks, [`message`] has every data unit in both directions, [`block`] the information blocks of
//! real-time data with their [`structure`], [`control`] the commands to a vehicle, [`value`] what a number means;
//! the session says who is speaking and how each command is answered.
//!
//! Written from public codecs and test suites that cite the tables of both editions (rtm_con, sunsky74/gb32960, the
//! gateway of EMQX), and from general knowledge of the standard. Where they disagree: the pack current of block 08 of
//! 2016 begins at -1,000 A, that of 2025 at -3,000 A; hydrogen temperatures have steps of 0.1 degrees in 2016 and of
//! 1 degree in 2025; parameters 02 and 03 are a WORD in 2016 and a BYTE in 2025.
//!
//! Deviations seen in the field: alarm blocks twice in one message, blocks of unknown number in front of the signature
//! of 2025, a log-in that counts subsystems and sends no codes.

pub mod block;
pub mod control;
mod describe;
pub mod frame;
pub mod message;
mod observe;
mod session;
pub mod structure;
#[cfg(test)]
mod tests;
pub mod value;
pub mod wire;

pub use frame::{Edition, Frame};
pub use message::Message;
pub use session::{Gb32960, PLATFORM_NAME_BYTES_MAX};

use crate::framed::{Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use describe::describe;
pub(crate) use observe::observe;

/// Binary: its length says where it ends.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Gb32960::default(), limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    crate::framed::fit(&Gb32960::default(), input)
}
