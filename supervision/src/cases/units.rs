//! The tree of units, and who reviews whose cars: nobody the own, and no case is stuck for it.
//!
//! Rows come from outside, so a parent that is missing makes a root, and a circle of parents is cut above its lowest number.

use std::collections::BTreeMap;

use crate::ids::UnitId;
use crate::register::{Unit, UnitKind};

/// Levels that are followed upwards. Deeper units count as if their ancestor at this height were a root.
pub const MAX_UNIT_DEPTH: usize = 64;

/// Who has to review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(tag = "reviewer", content = "unit", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle both")]
pub enum Reviewer {
    /// The people of this unit who have the role for it.
    Body(UnitId),
    /// Nobody in this tree is outside the unit under review: a reviewer from another tree, the superior's, has to be given
    /// the role. Name one in `reviewed_by` of the root to have it named here.
    NeedsSuperior,
}

/// Who reviews the cars of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Reviewers {
    /// Who checks, asks and closes as the office may.
    pub office: Reviewer,
    /// Who may confirm a violation.
    pub inspection: Reviewer,
}

/// The tree of units at one time.
#[derive(Clone, Debug, Default)]
pub struct UnitTree {
    units: BTreeMap<UnitId, Node>,
}

#[derive(Clone, Debug)]
struct Node {
    kind: UnitKind,
    reviewed_by: Option<UnitId>,
    /// From the root to the unit itself.
    path: Vec<UnitId>,
}

impl UnitTree {
    /// The tree of these units.
    #[must_use]
    pub fn new<'a>(units: impl IntoIterator<Item = (UnitId, &'a Unit)>) -> Self {
        let rows: BTreeMap<UnitId, &Unit> = units.into_iter().collect();
        let units = rows
            .iter()
            .map(|(&id, unit)| {
                (id, Node { kind: unit.kind, reviewed_by: unit.reviewed_by, path: path_of(&rows, id) })
            })
            .collect();
        Self { units }
    }

    /// The unit and those above it, root first; only itself for a unit that is not in the tree.
    #[must_use]
    pub fn path(&self, unit: UnitId) -> Vec<UnitId> {
        self.units.get(&unit).map_or_else(|| vec![unit], |node| node.path.clone())
    }

    /// Whether `unit` is `above` or lies below it.
    #[must_use]
    pub fn is_within(&self, unit: UnitId, above: UnitId) -> bool {
        unit == above || self.units.get(&unit).is_some_and(|node| node.path.contains(&above))
    }

    /// The highest unit whose people count as the own people of `unit`: the innermost reviewing body that it is or belongs
    /// to, otherwise the unit itself. A motor pool below the office is the office's own.
    #[must_use]
    pub fn own_ground(&self, unit: UnitId) -> UnitId {
        let Some(node) = self.units.get(&unit) else { return unit };
        let is_body = |id: &&UnitId| self.kind(**id).is_some_and(|kind| kind != UnitKind::Ordinary);
        node.path.iter().rev().find(is_body).copied().unwrap_or(unit)
    }

    /// Whether people of `unit` would review their own when they review the cars of `subject`.
    #[must_use]
    pub fn is_own(&self, unit: UnitId, subject: UnitId) -> bool {
        self.is_within(unit, self.own_ground(subject))
    }

    /// Who reviews the cars of `unit`: always named, never the unit, what is below it, or the reviewing body it belongs to.
    ///
    /// For the office's part, in this order: the office nearest above, except for the cars of inspectors; `reviewed_by` of
    /// the unit or the nearest above it; a resident group or the inspectors nearest above; the superior; else
    /// [`Reviewer::NeedsSuperior`]. The inspectors' part begins with the inspectors nearest above. A body serves the unit
    /// that it hangs from, with all below.
    #[must_use]
    pub fn reviewers_for(&self, unit: UnitId) -> Reviewers {
        let fallback = || {
            self.named(unit)
                .or_else(|| self.nearest(unit, UnitKind::Resident))
                .or_else(|| self.nearest(unit, UnitKind::Discipline))
                .or_else(|| self.superior(unit))
                .map_or(Reviewer::NeedsSuperior, Reviewer::Body)
        };
        let is_inspectors =
            matches!(self.kind(self.own_ground(unit)), Some(UnitKind::Discipline | UnitKind::Resident));
        let office = if is_inspectors { None } else { self.nearest(unit, UnitKind::Office) };
        let inspection = self.nearest(unit, UnitKind::Discipline);
        Reviewers {
            office: office.map_or_else(fallback, Reviewer::Body),
            inspection: inspection.map_or_else(fallback, Reviewer::Body),
        }
    }

    /// Whether people of `unit` act for `body`: they are in it, or in a part of it that is no reviewing body of its own, or in
    /// a resident group that it sent out. Of a superior that is no reviewing body only its own people do.
    #[must_use]
    pub fn acts_for(&self, unit: UnitId, body: UnitId) -> bool {
        let ground = self.own_ground(unit);
        let is_sent_out =
            self.kind(ground) == Some(UnitKind::Resident) && self.kind(body) == Some(UnitKind::Discipline);
        unit == body || ground == body || (is_sent_out && self.is_within(unit, body))
    }

    fn kind(&self, unit: UnitId) -> Option<UnitKind> {
        self.units.get(&unit).map(|node| node.kind)
    }

    /// The body of this kind that serves the smallest part of the tree with `unit` in it; of several the lowest number.
    fn nearest(&self, unit: UnitId, kind: UnitKind) -> Option<UnitId> {
        let path = &self.units.get(&unit)?.path;
        let served_depth = |node: &Node| -> Option<usize> {
            let served = node.path.iter().rev().nth(1).or_else(|| node.path.last())?;
            path.iter().position(|above| above == served)
        };
        self.units
            .iter()
            .filter(|(id, node)| node.kind == kind && !self.is_own(**id, unit))
            .filter_map(|(id, node)| served_depth(node).map(|depth| (std::cmp::Reverse(depth), *id)))
            .min()
            .map(|(_, id)| id)
    }

    /// Who is named as the reviewer of the unit, or of the nearest one above it, and is not its own.
    fn named(&self, unit: UnitId) -> Option<UnitId> {
        let path = &self.units.get(&unit)?.path;
        path.iter()
            .rev()
            .filter_map(|above| self.units.get(above)?.reviewed_by)
            .find(|named| self.units.contains_key(named) && !self.is_own(*named, unit))
    }

    /// The unit right above the own ground.
    fn superior(&self, unit: UnitId) -> Option<UnitId> {
        self.units.get(&self.own_ground(unit))?.path.iter().rev().nth(1).copied()
    }
}

/// From the root to the unit. In a circle of parents the lowest number is the root, for whichever member one asks.
fn path_of(rows: &BTreeMap<UnitId, &Unit>, id: UnitId) -> Vec<UnitId> {
    let mut path = vec![id];
    let mut at = id;
    while let Some(parent) = rows.get(&at).and_then(|unit| unit.parent) {
        if let Some(entry) = path.iter().position(|below| *below == parent) {
            let root = path.iter().skip(entry).min().copied();
            path.truncate(path.iter().position(|below| Some(*below) == root).map_or(1, |at| at + 1));
            break;
        }
        if path.len() >= MAX_UNIT_DEPTH || !rows.contains_key(&parent) {
            break;
        }
        path.push(parent);
        at = parent;
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(parent: Option<i64>, kind: UnitKind, reviewed_by: Option<i64>) -> Unit {
        Unit { parent: parent.map(UnitId), kind, reviewed_by: reviewed_by.map(UnitId), ..Unit::default() }
    }

    fn tree(rows: &[(i64, Unit)]) -> UnitTree {
        UnitTree::new(rows.iter().map(|(id, unit)| (UnitId(*id), unit)))
    }

    /// 1 county: 2 office (with 5 its motor pool), 3 discipline (with 6 a resident group), 4 education (with 7 a school).
    fn county() -> UnitTree {
        tree(&[
            (1, unit(None, UnitKind::Ordinary, None)),
            (2, unit(Some(1), UnitKind::Office, Some(6))),
            (3, unit(Some(1), UnitKind::Discipline, None)),
            (4, unit(Some(1), UnitKind::Ordinary, None)),
            (5, unit(Some(2), UnitKind::Ordinary, None)),
            (6, unit(Some(3), UnitKind::Resident, None)),
            (7, unit(Some(4), UnitKind::Ordinary, None)),
        ])
    }

    #[test]
    fn each_unit_of_a_county_has_its_reviewers() {
        let body = |id| Reviewer::Body(UnitId(id));
        let county = county();
        let cases = [
            (4, body(2), body(3), "an ordinary unit"),
            (7, body(2), body(3), "a school below a bureau"),
            (2, body(6), body(3), "the office: the resident group that it names"),
            (5, body(6), body(3), "the office's motor pool is the office's own"),
            (3, body(1), body(1), "the inspectors: the superior"),
            (6, body(3), body(3), "a resident group: the inspectors above it"),
            (
                1,
                Reviewer::NeedsSuperior,
                Reviewer::NeedsSuperior,
                "the county itself has all the others below it",
            ),
        ];
        for (unit, office, inspection, what) in cases {
            let reviewers = county.reviewers_for(UnitId(unit));
            assert_eq!(reviewers, Reviewers { office, inspection }, "{what}");
        }
    }

    #[test]
    fn a_root_may_name_a_reviewer_outside_its_tree() {
        let tree = tree(&[
            (1, unit(None, UnitKind::Ordinary, Some(9))),
            (2, unit(Some(1), UnitKind::Office, None)),
            (9, unit(None, UnitKind::Discipline, None)),
        ]);
        let expected = Reviewers { office: Reviewer::Body(UnitId(9)), inspection: Reviewer::Body(UnitId(9)) };
        assert_eq!(tree.reviewers_for(UnitId(1)), expected);
    }

    #[test]
    fn the_office_of_the_next_level_up_reviews_the_office() {
        let tree = tree(&[
            (1, unit(None, UnitKind::Ordinary, None)),
            (2, unit(Some(1), UnitKind::Office, None)),
            (3, unit(Some(1), UnitKind::Ordinary, None)),
            (4, unit(Some(3), UnitKind::Office, None)),
            (5, unit(Some(3), UnitKind::Ordinary, None)),
            (6, unit(Some(1), UnitKind::Ordinary, None)),
            (7, unit(Some(6), UnitKind::Office, None)),
        ]);
        let office = |id| tree.reviewers_for(UnitId(id)).office;
        assert_eq!(office(5), Reviewer::Body(UnitId(4)));
        assert_eq!(office(4), Reviewer::Body(UnitId(2)), "not the office of the county next door");
    }

    #[test]
    fn circles_and_missing_parents_end() {
        let tree = tree(&[
            (1, unit(Some(2), UnitKind::Ordinary, None)),
            (2, unit(Some(1), UnitKind::Office, Some(1))),
            (3, unit(Some(77), UnitKind::Ordinary, Some(3))),
            (4, unit(Some(4), UnitKind::Ordinary, None)),
        ]);
        assert_eq!(tree.path(UnitId(3)), [UnitId(3)]);
        assert_eq!(tree.path(UnitId(4)), [UnitId(4)]);
        assert_eq!(tree.reviewers_for(UnitId(3)).office, Reviewer::NeedsSuperior);
        assert_eq!(tree.reviewers_for(UnitId(99)).office, Reviewer::NeedsSuperior);
    }

    fn any_unit(count: i64) -> impl Strategy<Value = Unit> {
        let kind = prop_oneof![
            4 => Just(UnitKind::Ordinary),
            1 => Just(UnitKind::Office),
            1 => Just(UnitKind::Discipline),
            1 => Just(UnitKind::Resident),
        ];
        let other = || proptest::option::weighted(0.8, 1..=count);
        (other(), kind, proptest::option::weighted(0.3, 1..=count))
            .prop_map(|(parent, kind, by)| unit(parent, kind, by))
    }

    proptest! {
        /// Circles and dangling names included: a reviewer is outside the unit and what is below it, and only a unit with
        /// nothing above its own ground needs somebody from another tree.
        #[test]
        fn nobody_reviews_the_own_unit_and_nobody_is_stuck(rows in proptest::collection::vec(any_unit(14), 1..12)) {
            let rows: Vec<(i64, Unit)> = (1..).zip(rows).collect();
            let tree = tree(&rows);
            for (id, _) in &rows {
                let subject = UnitId(*id);
                let reviewers = tree.reviewers_for(subject);
                for reviewer in [reviewers.office, reviewers.inspection] {
                    match reviewer {
                        Reviewer::Body(body) => {
                            prop_assert!(body != subject);
                            prop_assert!(!tree.is_within(body, subject));
                            prop_assert!(rows.iter().any(|(id, _)| UnitId(*id) == body));
                        }
                        Reviewer::NeedsSuperior => prop_assert_eq!(tree.path(tree.own_ground(subject)).len(), 1),
                    }
                }
            }
        }
    }
}
