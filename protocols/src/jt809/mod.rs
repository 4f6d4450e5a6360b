//! JT/T 809, the Chinese standard between platforms: 2011 and 2019.
//!
//! A *lower* platform connects to a *superior* one over the main link and sends what its vehicles report; the superior
//! one connects back over the sub link and sends its orders. [`frame`] cuts, checks and encrypts, [`message`] has every
//! message in both directions, [`plate`] says who is who. [`superior`] and [`lower`] are the two ends as state machines
//! without sockets; their documents say what the owner of the sockets and of the queue on disk has to do.
//!
//! Written from public codecs and test suites of both editions (SmallChi/JT809 with its extension for JT/T 1078), and
//! from general knowledge of the standard. In doubt: messages of 2019 that no public codec has (a request for routes,
//! 9602) have no content here.

mod describe;
pub mod frame;
pub mod lower;
pub mod message;
mod observe;
pub mod plate;
pub mod superior;
#[cfg(test)]
mod tests;
pub mod wire;

pub use frame::{Cipher, Edition, Frame, Header, encode_frame};
pub use lower::Lower;
pub use message::Message;
pub use plate::Vehicle;
pub use superior::Superior;

use crate::framed::{Fit, Transport};
use crate::{Session, SessionLimits};

pub(crate) use describe::describe;
pub(crate) use observe::observe;

/// Binary: its flags are part of the message.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(Superior::new(superior::SuperiorSettings::default(), limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    crate::framed::fit(&superior::MainLink::default(), input)
}
