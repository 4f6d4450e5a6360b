//! JT/T 808, the Chinese standard between vehicle terminals and platforms: 2011, 2013 and 2019.
//!
//! [`frame`] cuts and checks, [`header`] addresses, [`session`] runs a link with [`reassembly`] for messages
//! in several packets, [`observe`] reads stored messages and [`location`] the hot one among them. [`message`]
//! has every body in full, in both directions, [`command`] writes the commands of a platform, and `describe` prints one
//! message for people.

pub mod bcd;
pub mod command;
mod describe;
mod downlink;
pub mod frame;
pub mod header;
pub mod ids;
pub mod location;
pub mod message;
pub(crate) mod obd;
pub mod observe;
mod outstanding;
pub mod reassembly;
pub mod registration;
pub mod session;
mod short;

pub use frame::{Splitter, encode_frame, encode_message};
pub use header::{Header, Packet, Version};
pub use location::{decode_location, encode_location};
pub use observe::{decode_frame, decode_message};
pub use session::Jt808Session;

use crate::framed::{Fit, Transport};
use crate::{Session, SessionLimits};

pub(crate) use describe::{attributes_of, describe};
pub(crate) use observe::observe;

/// Binary: its delimiters are part of the message.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(Jt808Session::new(limits))
}

/// Whether the first bytes of a link are of JT/T 808: no other protocol here begins with its delimiter.
pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    let Some(content) = input.strip_prefix(&[frame::DELIMITER]) else {
        return if input.is_empty() { Fit::Perhaps } else { Fit::No };
    };
    let begins = content.iter().position(|byte| *byte != frame::DELIMITER);
    let content = begins.and_then(|at| content.get(at..)).unwrap_or(&[]);
    let Some(end) = memchr::memchr(frame::DELIMITER, content) else {
        return if content.len() > frame::CONTENT_BYTES_MAX { Fit::No } else { Fit::Perhaps };
    };
    let mut space = [0; frame::PAYLOAD_BYTES_MAX];
    match frame::unescape(content.get(..end).unwrap_or(&[]), &mut space) {
        Ok(payload) if frame::check_is_right(payload) && header::Frame::parse(payload).is_ok() => Fit::Whole,
        _ => Fit::Broken,
    }
}
