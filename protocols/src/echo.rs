//! Where a protocol answers a message with the message itself, nobody can tell the two apart: when somebody forges the
//! sender of a datagram, two servers would answer each other for ever. A terminal says the same again after seconds, an
//! answer comes back at once.

use crate::UtcMillis;

/// What comes again within this time is taken for an answer, milliseconds.
const WITHIN_MS: i64 = 2_000;

/// The last message of one sender that was answered with itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Echo {
    last: Option<(UtcMillis, Vec<u8>)>,
}

impl Echo {
    /// Whether a datagram may be answered with itself.
    pub(crate) fn may_answer(&mut self, now: UtcMillis, datagram: &[u8]) -> bool {
        let is_back = self.last.as_ref().is_some_and(|(at, answered)| {
            (0..WITHIN_MS).contains(&now.0.saturating_sub(at.0)) && answered == datagram
        });
        if !is_back {
            self.last = Some((now, datagram.to_vec()));
        }
        !is_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_at_once_is_not_answered_and_what_comes_later_is() {
        let mut echo = Echo::default();
        let mut at = |ms, datagram: &[u8]| echo.may_answer(UtcMillis(1_780_000_000_000 + ms), datagram);
        assert!(at(0, b"a"));
        assert!(!at(1, b"a") && !at(WITHIN_MS - 1, b"a"));
        assert!(at(WITHIN_MS, b"a"), "a terminal says it again");
        assert!(at(WITHIN_MS + 1, b"b"), "another message");
        assert!(at(0, b"b"), "the clock was set back");
    }
}
