//! Who changes something, and the line of the audit log that tells of it.
//!
//! The line is written in the change's own transaction: neither is ever there without the other.

use crate::accounts::chain::Deed;

/// Who, and what is told of it; from a name alone when nothing is to be told.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain pair")]
pub struct Told<'a> {
    /// Whom the changed rows name.
    pub who: &'a str,
    /// The line of the audit log, if there is to be one. What it leaves open as its object is filled in.
    pub deed: Option<&'a Deed>,
}

impl<'a> From<&'a str> for Told<'a> {
    fn from(who: &'a str) -> Self {
        Self { who, deed: None }
    }
}

impl<'a> From<&'a Deed> for Told<'a> {
    fn from(deed: &'a Deed) -> Self {
        Self { who: &deed.actor, deed: Some(deed) }
    }
}
