//! JT/T 808, the Chinese standard between vehicle terminals and platforms: 2011, 2013 and 2019.
//!
//! [`frame`] cuts and checks, [`header`] addresses, [`location`] is the hot message, [`bcd`] its time.

use crate::{DecodeError, Description, Observations, Profile};

pub mod bcd;
pub mod frame;
pub mod header;
pub mod location;

pub use frame::{Splitter, encode_frame, encode_message};
pub use header::{Header, Packet, Version};
pub use location::{decode_location, encode_location};

pub(crate) fn observe(_raw: &[u8], _profile: &Profile, _out: &mut Observations) -> Result<(), DecodeError> {
    Err(DecodeError::new(0, "unsupported"))
}

pub(crate) fn describe(_raw: &[u8], _profile: &Profile) -> Result<Description, DecodeError> {
    Err(DecodeError::new(0, "unsupported"))
}
