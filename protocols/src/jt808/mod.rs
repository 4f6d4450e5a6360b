//! JT/T 808, the Chinese standard between vehicle terminals and platforms: 2011, 2013 and 2019.
//!
//! [`frame`] cuts and checks, [`header`] addresses, [`session`] runs a link with [`reassembly`] for messages
//! in several packets, [`observe`] reads stored messages and [`location`] the hot one among them. [`message`]
//! has every body in full, in both directions, and `describe` prints one message for people.

pub mod bcd;
mod describe;
mod downlink;
pub mod frame;
pub mod header;
pub mod ids;
pub mod location;
pub mod message;
pub mod observe;
pub mod reassembly;
pub mod registration;
pub mod session;

pub use frame::{Splitter, encode_frame, encode_message};
pub use header::{Header, Packet, Version};
pub use location::{decode_location, encode_location};
pub use observe::{decode_frame, decode_message};
pub use session::Jt808Session;

pub(crate) use describe::describe;
pub(crate) use observe::observe;
