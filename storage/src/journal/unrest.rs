//! Whether rounds are small and quick of late. It only counts: what follows from it is up to [`super::lead`].

use std::time::Duration;

/// A round of more bytes is a large one: more frames came while the last one was written than a worker should let wait.
const SMALL_BYTES_MAX: usize = 8 << 10;
/// A round that takes longer is a slow one.
const QUICK_MAX: Duration = Duration::from_millis(2);
/// Each of so many bytes of a large one takes a small and quick round to make up for it: one of 8 KiB in ten was a pause of the machine,
/// more are load, and so is a single one of 32 KiB.
const LARGE_UNIT_BYTES: usize = 1 << 10;
/// So many small and quick rounds make up for a slow one: one now and then was the machine's doing, one in four is the disk.
const SLOW: u32 = 4;
/// What large and slow rounds add up to, at most.
const RESTLESS: u32 = 32;

/// What large and slow rounds add up to, at most [`RESTLESS`]; each small and quick one takes one away.
#[derive(Debug)]
pub(crate) struct Unrest(u32);

impl Unrest {
    /// As after many large rounds: nothing is known yet.
    pub(crate) const fn new() -> Self {
        Self(RESTLESS)
    }

    /// Notes a round of `bytes` that took so long.
    pub(crate) fn note(&mut self, bytes: usize, took: Duration) {
        let slow = if took > QUICK_MAX { SLOW } else { 0 };
        let large = if bytes > SMALL_BYTES_MAX { bytes / LARGE_UNIT_BYTES } else { 0 };
        self.0 = match slow.saturating_add(u32::try_from(large).unwrap_or(RESTLESS)) {
            0 => self.0.saturating_sub(1),
            unrest => self.0.saturating_add(unrest).min(RESTLESS),
        };
    }

    /// Notes a round that failed, or one that nobody got on with.
    pub(crate) const fn disturb(&mut self) {
        self.0 = RESTLESS;
    }

    /// Whether the rounds were small and quick: then the next ones will be.
    pub(crate) const fn is_calm(&self) -> bool {
        self.0 == 0
    }

    /// Whether they are large, or many of them slow.
    pub(crate) const fn is_restless(&self) -> bool {
        self.0 >= RESTLESS
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
        (0..RESTLESS).for_each(|_| unrest.note(SMALL, AT_ONCE));
        assert!(unrest.is_calm() && !unrest.is_restless());
        unrest
    }

    #[test]
    fn it_begins_restless_and_takes_a_row_of_calm_rounds() {
        let mut unrest = Unrest::new();
        for _ in 1..RESTLESS {
            unrest.note(SMALL, AT_ONCE);
            assert!(!unrest.is_calm());
        }
        unrest.note(SMALL, AT_ONCE);
        assert!(unrest.is_calm());
    }

    #[test]
    fn a_large_round_after_each_pause_of_the_machine_is_none_of_the_load() {
        let mut unrest = calm();
        for round in 0..1_000 {
            let (bytes, took) = if round % 16 == 0 { (SMALL_BYTES_MAX + 1, LATE) } else { (SMALL, AT_ONCE) };
            unrest.note(bytes, took);
            assert!(!unrest.is_restless(), "round {round}");
        }
    }

    #[test]
    fn a_backlog_is_known_at_once() {
        for bytes in [32 << 10, 300_000, usize::MAX] {
            let mut unrest = calm();
            unrest.note(bytes, AT_ONCE);
            assert!(unrest.is_restless(), "{bytes}");
        }
    }

    #[test]
    fn load_is_soon_known() {
        for every in 1..=4 {
            let mut unrest = calm();
            let known = (0..100).find(|round| {
                unrest.note(if round % every == 0 { SMALL_BYTES_MAX + 1 } else { SMALL }, AT_ONCE);
                unrest.is_restless()
            });
            assert!(known.is_some_and(|rounds| rounds < 32), "one in {every}: {known:?}");
        }
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
