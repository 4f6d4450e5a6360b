//! Versions instead of edits: what a new derivation of a range keeps, adds and supersedes.
//!
//! The identity of a version is the hash of its content. A version that appears again is kept, one that does not is superseded, and
//! each new one continues the line of the old version that it overlaps most in time. So decisions that people attached to a line
//! follow the trip or flag that took its place.

use std::collections::{BTreeMap, BTreeSet};

use crate::UtcMillis;
use crate::finding::{Finding, FindingId, Rule, content_hash};
use crate::trips::{Segment, TripKind};

/// Something that has versions.
pub trait Version {
    /// What its lines are kept apart by: a trip never continues the line of a stop.
    type Kind: Ord;

    /// Its identity: the hash of its content.
    fn version_id(&self) -> FindingId;

    /// Its kind.
    fn kind(&self) -> Self::Kind;

    /// First and last instant.
    fn span(&self) -> (UtcMillis, UtcMillis);
}

impl Version for Segment {
    type Kind = u8;

    fn version_id(&self) -> FindingId {
        content_hash(self)
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Trip(trip) => match trip.kind {
                TripKind::Trip | TripKind::Move => 0,
            },
            Self::Stop(_) => 1,
            Self::Gap(_) => 2,
        }
    }

    fn span(&self) -> (UtcMillis, UtcMillis) {
        match self {
            Self::Trip(trip) => (trip.start, trip.end),
            Self::Stop(stop) => (stop.start, stop.end),
            Self::Gap(gap) => (gap.start, gap.end),
        }
    }
}

impl Version for Finding {
    type Kind = (Rule, String);

    fn version_id(&self) -> FindingId {
        self.id()
    }

    fn kind(&self) -> (Rule, String) {
        (self.rule, self.aspect.to_string())
    }

    fn span(&self) -> (UtcMillis, UtcMillis) {
        (self.from, self.to)
    }
}

/// What a new derivation changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Revision<T> {
    /// Versions to add, with the old version whose line each continues.
    pub added: Vec<(T, Option<FindingId>)>,
    /// Old versions that do not hold any more, with the new version that took the place of each.
    pub ended: Vec<(FindingId, Option<FindingId>)>,
}

impl<T> Revision<T> {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.ended.is_empty()
    }
}

/// How long two spans overlap, milliseconds; touching in one instant counts 1, being apart 0.
fn overlap(a: (UtcMillis, UtcMillis), b: (UtcMillis, UtcMillis)) -> i64 {
    (a.1.min(b.1).0 - a.0.max(b.0).0 + 1).max(0)
}

/// Compares what is stored with what was derived now, over the same range. The order of either does not matter.
pub fn revise<T: Version + Clone>(stored: &[T], derived: &[T]) -> Revision<T> {
    let stored: BTreeMap<FindingId, &T> = stored.iter().map(|item| (item.version_id(), item)).collect();
    let derived: BTreeMap<FindingId, &T> = derived.iter().map(|item| (item.version_id(), item)).collect();
    let gone: Vec<_> = stored.iter().filter(|(id, _)| !derived.contains_key(id)).collect();
    let new: Vec<_> = derived.iter().filter(|(id, _)| !stored.contains_key(id)).collect();
    let best = |item: &T, among: &[(&FindingId, &&T)]| {
        let rivals = among.iter().filter(|(_, other)| other.kind() == item.kind());
        let by_overlap =
            rivals.map(|(id, other)| (overlap(item.span(), other.span()), std::cmp::Reverse(**id)));
        by_overlap.filter(|(overlap, _)| *overlap > 0).max().map(|(_, id)| id.0)
    };
    Revision {
        added: new.iter().map(|(_, item)| ((**item).clone(), best(item, &gone))).collect(),
        ended: gone.iter().map(|(id, item)| (**id, best(item, &new))).collect(),
    }
}

/// The identities of what `items` hold, sorted.
pub fn ids<T: Version>(items: &[T]) -> BTreeSet<FindingId> {
    items.iter().map(Version::version_id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::point::Position;
    use crate::trips::Stop;

    fn stop(from: i64, to: i64) -> Segment {
        Segment::Stop(Stop {
            start: UtcMillis(from),
            end: UtcMillis(to),
            at: Position::default(),
            is_open: false,
            ignition_on_s: None,
            fixes: 2,
            longest_silence_s: 0,
        })
    }

    #[test]
    fn a_new_version_continues_the_line_it_overlaps_most() {
        let stored = [stop(0, 100), stop(200, 300), stop(400, 500)];
        let derived = [stop(0, 100), stop(210, 450), stop(600, 700)];
        let revision = revise(&stored, &derived);
        let id = |segment: &Segment| segment.version_id();
        let mut added: Vec<_> = revision.added.iter().map(|(item, from)| (item.span().0.0, *from)).collect();
        added.sort_unstable();
        assert_eq!(added, [(210, Some(id(&stored[1]))), (600, None)]);
        let ended: BTreeSet<_> = revision.ended.into_iter().collect();
        let expected = [(id(&stored[1]), Some(id(&derived[1]))), (id(&stored[2]), Some(id(&derived[1])))];
        assert_eq!(ended, expected.into());
    }

    proptest! {
        #[test]
        fn what_is_stored_after_a_revision_is_what_was_derived(
            old in prop::collection::vec((0..500_i64, 0..100_i64), 0..12),
            new in prop::collection::vec((0..500_i64, 0..100_i64), 0..12),
        ) {
            let make = |spans: &[(i64, i64)]| -> Vec<Segment> {
                spans.iter().map(|(from, length)| stop(*from, from + length)).collect()
            };
            let (old, new) = (make(&old), make(&new));
            let revision = revise(&old, &new);
            let mut after = ids(&old);
            for (id, _) in &revision.ended {
                prop_assert!(after.remove(id));
            }
            for (item, _) in &revision.added {
                prop_assert!(after.insert(item.version_id()));
            }
            prop_assert_eq!(after, ids(&new));
            prop_assert!(revise(&new, &new).is_empty());
        }
    }
}
