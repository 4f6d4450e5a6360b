//! Whether rounds are small and quick of late. It only counts: what follows from it is up to [`super::lead`].

use std::time::Duration;

/// A round of more bytes is a large one: whoever writes it is away from the sockets for long, and more is coming.
const SMALL_BYTES_MAX: usize = 32 << 10;
/// A round that takes longer is a slow one.
const QUICK_MAX: Duration = Duration::from_millis(2);
/// So many small and quick rounds make up for a large one, ...
const LARGE: u32 = 32;
/// ... and so many for a slow one. When one in four is slow it is the disk; one now and then was the machine's doing.
const SLOW: u32 = 4;

/// What large and slow rounds add up to, at most [`LARGE`]; each small and quick one takes one away.
#[derive(Debug)]
pub(crate) struct Unrest(u32);

impl Unrest {
    /// As after a large round: nothing is known yet.
    pub(crate) const fn new() -> Self {
        Self(LARGE)
    }

    /// Notes a round of `bytes` that took so long.
    pub(crate) fn note(&mut self, bytes: usize, took: Duration) {
        if bytes > SMALL_BYTES_MAX {
            self.disturb();
        } else if took > QUICK_MAX {
            self.0 = (self.0 + SLOW).min(LARGE);
        } else {
            self.0 = self.0.saturating_sub(1);
        }
    }

    /// Notes a round that failed, or one that nobody got on with.
    pub(crate) const fn disturb(&mut self) {
        self.0 = LARGE;
    }

    /// Whether the rounds were small and quick: then the next ones will be.
    pub(crate) const fn is_calm(&self) -> bool {
        self.0 == 0
    }

    /// Whether they are large, or many of them slow.
    pub(crate) const fn is_restless(&self) -> bool {
        self.0 >= LARGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: usize = 1_000;
    const AT_ONCE: Duration = Duration::from_micros(200);
    const LATE: Duration = Duration::from_millis(5);

    fn calm() -> Unrest {
        let mut unrest = Unrest::new();
        (0..LARGE).for_each(|_| unrest.note(SMALL, AT_ONCE));
        assert!(unrest.is_calm() && !unrest.is_restless());
        unrest
    }

    #[test]
    fn it_begins_restless_and_takes_a_row_of_calm_rounds() {
        let mut unrest = Unrest::new();
        for _ in 1..LARGE {
            unrest.note(SMALL, AT_ONCE);
            assert!(!unrest.is_calm());
        }
        unrest.note(SMALL, AT_ONCE);
        assert!(unrest.is_calm());
    }

    #[test]
    fn one_large_round_is_enough() {
        let mut unrest = calm();
        unrest.note(SMALL_BYTES_MAX + 1, AT_ONCE);
        assert!(unrest.is_restless());
    }

    #[test]
    fn a_slow_round_in_eight_for_ever_is_the_machine() {
        let mut unrest = calm();
        for round in 0..1_000 {
            unrest.note(SMALL, if round % 8 == 0 { LATE } else { AT_ONCE });
            assert!(!unrest.is_restless(), "round {round}");
        }
    }

    #[test]
    fn a_slow_disk_is_soon_known() {
        for every in 1..=4 {
            let mut unrest = calm();
            let known = (0..200).find(|round| {
                unrest.note(SMALL, if round % every == 0 { LATE } else { AT_ONCE });
                unrest.is_restless()
            });
            assert!(known.is_some_and(|rounds| rounds < 128), "one in {every}: {known:?}");
        }
    }
}
