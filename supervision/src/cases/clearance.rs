//! A change of the registry that would clear flags (将消除 N 条) is shown before it holds, and takes a second person from
//! outside the units whose flags it clears. The approval is for those flags and no others.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::actor::Actor;
use super::events::Event;
use super::flags::Flag;
use super::policy::Denied;
use super::terms::Sha256Sum;
use super::units::UnitTree;
use crate::UtcMillis;
use crate::finding::{FindingId, Rule};
use crate::ids::UnitId;

/// What a change would clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct ClearancePreview {
    /// The change of the registry, as it will be numbered or as the draft is.
    pub change: i64,
    /// How many flags (将消除 N 条).
    pub would_clear: u32,
    /// How many of each rule.
    pub by_rule: BTreeMap<Rule, u32>,
    /// How many of each unit under review.
    pub by_unit: BTreeMap<UnitId, u32>,
    /// Which.
    pub flags: BTreeSet<FindingId>,
}

impl ClearancePreview {
    /// The preview of `change`, which would clear these flags. Order and repetition do not matter.
    #[must_use]
    pub fn new<'a>(change: i64, flags: impl IntoIterator<Item = &'a Flag>) -> Self {
        let flags: BTreeMap<FindingId, &Flag> = flags.into_iter().map(|flag| (flag.id, flag)).collect();
        let mut preview = Self {
            change,
            would_clear: u32::try_from(flags.len()).unwrap_or(u32::MAX),
            by_rule: BTreeMap::new(),
            by_unit: BTreeMap::new(),
            flags: flags.keys().copied().collect(),
        };
        for flag in flags.values() {
            *preview.by_rule.entry(flag.rule).or_default() += 1;
            *preview.by_unit.entry(flag.unit).or_default() += 1;
        }
        preview
    }

    /// Whether the change takes a second person.
    #[must_use]
    pub const fn takes_approval(&self) -> bool {
        self.would_clear > 0
    }

    /// Its hash: the change and the flags.
    #[must_use]
    pub fn sha256(&self) -> Sha256Sum {
        let mut hash = Sha256::new();
        hash.update(b"motorpool clearance 1\n");
        hash.update(self.change.to_be_bytes());
        self.flags.iter().for_each(|flag| hash.update(flag.0));
        Sha256Sum(hash.finalize().into())
    }

    /// The approval by `approver` of what `requested_by` asked for.
    ///
    /// # Errors
    /// When both are one person, the approver does not review, or belongs to a unit whose flags would go or to the unit that
    /// asked.
    pub fn approve(
        &self,
        requested_by: &Actor,
        approver: &Actor,
        at: UtcMillis,
        units: &UnitTree,
    ) -> Result<ClearanceApproval, Denied> {
        if approver.is_system() {
            return Err(Denied::NotForSystem);
        }
        if approver.person == requested_by.person {
            return Err(Denied::SamePerson);
        }
        let own = approver.unit().filter(|_| approver.is_reviewer()).ok_or(Denied::NotReviewer)?;
        // An office that keeps the registry asks for most changes itself: its people approve for each other, as long as the
        // flags are other units'.
        let asks_for_itself = requested_by.unit().filter(|_| !requested_by.is_reviewer());
        let mut others = self.by_unit.keys().copied().chain(asks_for_itself);
        if others.any(|unit| units.is_own(own, unit)) {
            return Err(Denied::OwnUnit);
        }
        Ok(ClearanceApproval {
            preview: self.clone(),
            requested_by: requested_by.clone(),
            approved_by: approver.clone(),
            at,
        })
    }
}

/// A change that was approved although it clears flags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct ClearanceApproval {
    /// What was approved.
    pub preview: ClearancePreview,
    /// Who asked.
    pub requested_by: Actor,
    /// The second person.
    pub approved_by: Actor,
    /// When.
    pub at: UtcMillis,
}

impl ClearanceApproval {
    /// Whether it lets this flag go.
    #[must_use]
    pub fn covers(&self, flag: FindingId) -> bool {
        self.preview.flags.contains(&flag)
    }

    /// The event that names it in a case.
    #[must_use]
    pub fn noted(&self) -> Event {
        Event::ClearanceNoted {
            preview: self.preview.sha256(),
            requested_by: self.requested_by.person,
            approved_by: self.approved_by.person,
        }
    }
}
