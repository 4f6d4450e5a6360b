//! JT/T 808, the Chinese standard between vehicle terminals and platforms: 2011, 2013 and 2019.
//!
//! [`frame`] cuts and checks, [`header`] addresses, [`session`] runs a link with [`reassembly`] for messages
//! in several packets, [`observe`] reads stored messages and [`location`] the hot one among them.

use crate::{DecodeError, Description, Profile};

pub mod bcd;
pub mod frame;
pub mod header;
pub mod ids;
pub mod location;
pub mod observe;
pub mod reassembly;
pub mod registration;
pub mod session;

pub use frame::{Splitter, encode_frame, encode_message};
pub use header::{Header, Packet, Version};
pub use location::{decode_location, encode_location};
pub use observe::{decode_frame, decode_message};
pub use session::Jt808Session;

pub(crate) use observe::observe;

pub(crate) fn describe(_raw: &[u8], _profile: &Profile) -> Result<Description, DecodeError> {
    Err(DecodeError::new(0, "unsupported"))
}
