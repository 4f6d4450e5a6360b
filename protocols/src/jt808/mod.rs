//! JT/T 808, the Chinese standard between vehicle terminals and platforms: 2011, 2013 and 2019.

pub mod message;

use crate::{DecodeError, Description, Observations, Profile};

pub(crate) fn observe(_raw: &[u8], _profile: &Profile, _out: &mut Observations) -> Result<(), DecodeError> {
    Err(DecodeError::new(0, "unsupported"))
}

pub(crate) fn describe(_raw: &[u8], _profile: &Profile) -> Result<Description, DecodeError> {
    Err(DecodeError::new(0, "unsupported"))
}
