//! A message of octets on its way into a [`Draft`]: what every binary tracker's decoder has at hand, and how its reading ends.
//!
//! Knows nothing of any protocol: each gives the reader its own methods, under its own name `P`.

use std::marker::PhantomData;

use serde_json::Value;

use crate::draft::Draft;
use crate::notes::Notes;
use crate::octets::Octets;
use crate::{DecodeError, Observations, Profile};

/// What is at hand while a message of the protocol `P` is read.
#[derive(Debug)]
pub(crate) struct Reader<'a, P, N> {
    pub(crate) octets: Octets<'a>,
    pub(crate) profile: &'a Profile,
    pub(crate) draft: Draft<'a>,
    pub(crate) notes: &'a mut N,
    protocol: PhantomData<P>,
}

impl<'a, P, N: Notes> Reader<'a, P, N> {
    /// Nothing of the message is read yet.
    #[inline]
    pub(crate) const fn new(
        octets: Octets<'a>,
        profile: &'a Profile,
        out: &'a mut Observations,
        notes: &'a mut N,
    ) -> Self {
        Self { octets, profile, draft: Draft::new(out), notes, protocol: PhantomData }
    }

    /// Puts something under the fix, or under the message where there is none.
    pub(crate) fn note(&mut self, name: &str, value: impl FnOnce() -> Value) {
        self.draft.note(self.notes, name, value);
    }

    /// Ends the message: what was read of a position before its tail broke off is kept, and what is left is unknown.
    ///
    /// # Errors
    /// With that of `result` when there is no position.
    #[inline]
    pub(crate) fn finish(mut self, result: Result<(), DecodeError>) -> Result<(), DecodeError> {
        match result {
            Ok(()) => {}
            Err(_) if self.draft.fix.is_some() => self.draft.item_is_malformed(),
            Err(error) => {
                self.draft.discard();
                return Err(error);
            }
        }
        let (at, rest) = (self.octets.at(), self.octets.rest());
        if !rest.is_empty() {
            self.notes.unknown(|| format!("rest_at_{at}"), rest);
        }
        self.draft.finish(self.notes);
        Ok(())
    }
}
