//! Writing changes the way an office does it: what clears nothing is written at once, what would clear open questions waits for a
//! second person.
//!
//! People with accounts, and those that a token stands for, are told apart by their numbers; their roles and units decide whether they
//! may approve. Any other caller is the name of its API token, or the name given on the command line: two tokens of one name are one,
//! belong to no unit and review for everybody.

use std::collections::{BTreeMap, BTreeSet};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{
    Actor, ClearancePreview, Denied, Flag as CaseFlag, PersonId, Role, UnitTree,
};
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::Unit;
use serde::Deserialize as _;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::entered::{self, EnteredFault};
use super::kinds::{Kind, kind};
use crate::accounts::chain::Deed;
use crate::registry::{
    self, AnyRow, Change, Decider, Known, NewProposal, Proposal, ProposalState, Registry, Written,
};
pub use crate::supervision::Clearance;
use crate::supervision::{ClearanceSources, WouldClear, would_clear};

/// A unit that no row is: people with tokens belong to it.
const NO_UNIT: UnitId = UnitId(-1);

/// Why a change was neither written nor proposed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfficeError {
    /// The registry refused it or failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// An order says since when it is on paper, and may not.
    #[error("entered_at: {0}")]
    Entered(#[from] EnteredFault),
    /// What it would clear could not be found out.
    #[error("the change could not be judged: {0:#}")]
    Judging(anyhow::Error),
    /// There is no such proposal.
    #[error("there is no proposal {0}")]
    NoProposal(i64),
    /// It was decided already.
    #[error("proposal {id} is {} already", state.as_str())]
    Decided {
        /// Which.
        id: i64,
        /// What it is.
        state: ProposalState,
    },
    /// This person may not approve it.
    #[error("{0}")]
    Denied(Denied),
    /// It would clear other questions by now; the proposal says so from now on.
    #[error("it would clear other questions than those proposed by now: look at it again")]
    Moved,
    /// What is stored of it can't be read.
    #[error("the proposal can't be read")]
    Unreadable(#[from] serde_json::Error),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle both")]
pub enum Submitted {
    /// It is written.
    Written(Vec<Written>),
    /// It waits for a second person.
    Proposed {
        /// The number of the proposal.
        id: i64,
        /// What it would clear.
        clearance: Box<Clearance>,
    },
}

/// Who asks for a change.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built field by field")]
pub struct Clerk<'a> {
    /// The person.
    pub person: &'a str,
    /// Who the change is written down for, for example `token 1f2e3d4c`.
    pub recorded_by: &'a str,
    /// The person, when it is one that has a number.
    pub known: Option<&'a Actor>,
    /// The line of the audit log that tells of what the clerk does, written with it or not at all.
    pub told: Option<&'a Deed>,
    /// Whether it is trusted to say since when an order is on paper: a machine of the office or the command line, never a person.
    pub is_trusted_with_dates: bool,
}

impl Clerk<'_> {
    /// Who this is to the policy of clearances.
    fn actor(self) -> Actor {
        self.known.cloned().unwrap_or_else(|| actor(self.person))
    }
}

/// What it takes to write changes.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller, field by field")]
pub struct Office<'a> {
    /// What changes are judged from.
    pub sources: ClearanceSources<'a>,
    /// The time of the change.
    pub now: UtcMillis,
}

impl Office<'_> {
    const fn registry(&self) -> &Registry {
        self.sources.registry
    }

    /// Writes changes of rows of a kind, all or none; or proposes them when they would clear open questions.
    ///
    /// # Errors
    /// As [`Registry::write_batch`], when an order says since when it is on paper and the clerk is not trusted with that, or when what
    /// they would clear can't be found out. Then nothing was written.
    pub async fn submit(
        &self,
        kind: &Kind,
        mut changes: Vec<Change<Json>>,
        clerk: Clerk<'_>,
    ) -> Result<Submitted, OfficeError> {
        let known = self.known(kind, &changes).await?;
        entered::check(kind.name, &known, &changes, clerk.is_trusted_with_dates, self.now)?;
        let clearance = self.clearance(kind, &changes, clerk.recorded_by).await?;
        let Some(clearance) = clearance else {
            let batch = kind.batch(&changes)?;
            let written =
                self.registry().write_batch_telling(&batch, clerk.recorded_by, clerk.told, self.now).await?;
            return Ok(Submitted::Written(written));
        };
        self.pin(kind, &mut changes).await?;
        let new = NewProposal {
            by: clerk.person.to_owned(),
            by_person: clerk.known.map(|actor| actor.person.0),
            asker: clerk.known.map(serde_json::to_value).transpose()?,
            kind: kind.name.to_owned(),
            body: serde_json::to_value(&changes)?,
            preview: serde_json::to_value(&clearance)?,
        };
        let id = self.registry().propose_telling(&new, clerk.told, self.now).await?;
        Ok(Submitted::Proposed { id, clearance: Box::new(clearance) })
    }

    /// Writes the change of a proposal for a second person.
    ///
    /// # Errors
    /// When there is no such open proposal, the person may not approve it, it would clear other questions by now, or somebody
    /// has changed its rows meanwhile.
    pub async fn approve(&self, id: i64, clerk: Clerk<'_>) -> Result<Vec<Written>, OfficeError> {
        let proposal = self.open_proposal(id).await?;
        let Some(kind) = kind(&proposal.kind) else { return Err(OfficeError::NoProposal(id)) };
        let changes: Vec<Change<Json>> = serde_json::from_value(proposal.body.clone())?;
        let stored: Clearance = serde_json::from_value(proposal.preview.clone())?;
        let units = self.units().await?;
        let (asks, approves) = (asker(&proposal)?, clerk.actor());
        let (note, flags) = match &stored {
            Clearance::Counted(preview) => {
                let approval =
                    preview.approve(&asks, &approves, self.now, &units).map_err(OfficeError::Denied)?;
                let flags: BTreeSet<String> = preview.flags.iter().map(ToString::to_string).collect();
                (Clearance::Approved(approval), flags)
            }
            Clearance::Uncounted { .. } | Clearance::Approved(_) => {
                let touched = uncounted(&stored);
                touched.approve(&asks, &approves, self.now, &units).map_err(OfficeError::Denied)?;
                (stored.clone(), BTreeSet::new())
            }
        };
        self.check_moved(kind, &changes, &proposal, &stored).await?;
        let batch = kind.batch(&changes)?;
        let note = serde_json::to_value(&note)?;
        let approved = self
            .registry()
            .approve_proposal(&proposal, &batch, decider(clerk), (&note, &flags), self.now)
            .await;
        Ok(approved?)
    }

    /// Turns a proposal down, for a reason if there is one; who made it may take it back so.
    ///
    /// # Errors
    /// When there is no such open proposal.
    pub async fn reject(&self, id: i64, reason: Option<&str>, clerk: Clerk<'_>) -> Result<(), OfficeError> {
        self.open_proposal(id).await?;
        Ok(self.registry().reject_proposal(id, decider(clerk), reason, self.now).await?)
    }

    async fn open_proposal(&self, id: i64) -> Result<Proposal, OfficeError> {
        let proposal = self.registry().proposal(id).await?.ok_or(OfficeError::NoProposal(id))?;
        match proposal.state {
            ProposalState::Open => Ok(proposal),
            state => Err(OfficeError::Decided { id, state }),
        }
    }

    /// An approval is for the flags that were shown and no others. What nobody could count when it was proposed, for example because
    /// that was done away from the archive, is counted now if it can be.
    async fn check_moved(
        &self,
        kind: &Kind,
        changes: &[Change<Json>],
        proposal: &Proposal,
        shown: &Clearance,
    ) -> Result<(), OfficeError> {
        let Some(now) = self.clearance(kind, changes, &proposal.by).await? else { return Ok(()) };
        let is_shown = match (&now, shown) {
            (Clearance::Counted(now), Clearance::Counted(shown)) => now.flags.is_subset(&shown.flags),
            (Clearance::Uncounted { units: now, .. }, Clearance::Uncounted { units: shown, .. }) => {
                now.is_subset(shown)
            }
            _ => false,
        };
        if is_shown {
            return Ok(());
        }
        self.registry().renew_proposal(proposal.id, &serde_json::to_value(now)?).await?;
        Err(OfficeError::Moved)
    }

    /// What changes would clear; `None` when that is nothing.
    async fn clearance(
        &self,
        kind: &Kind,
        changes: &[Change<Json>],
        recorded_by: &str,
    ) -> Result<Option<Clearance>, OfficeError> {
        let known = self.known(kind, changes).await?;
        let preview = kind.preview(known, changes, recorded_by, self.now)?;
        let found = would_clear(self.sources, &preview.changed, &*preview.put, self.now);
        match found.await.map_err(OfficeError::Judging)? {
            WouldClear::Flags(flags) if flags.is_empty() => Ok(None),
            WouldClear::Flags(flags) => {
                let flags: Vec<CaseFlag> = flags.iter().map(|flag| CaseFlag::from(&flag.finding)).collect();
                let change = self.registry().snapshot().change();
                Ok(Some(Clearance::Counted(ClearancePreview::new(change, &flags))))
            }
            WouldClear::Uncounted { open, units } => Ok(Some(Clearance::Uncounted { open, units })),
        }
    }

    async fn known(&self, kind: &Kind, changes: &[Change<Json>]) -> Result<Vec<AnyRow>, OfficeError> {
        let is_known = |change: &&Change<Json>| !matches!(change, Change::Add { .. });
        let ids: BTreeSet<i64> = changes.iter().filter(is_known).filter_map(Change::id).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        Ok(self.registry().any_rows_known(kind.name, &ids).await?)
    }

    /// Ties changes to the versions that they were proposed against, and gives new rows their numbers.
    async fn pin(&self, kind: &Kind, changes: &mut [Change<Json>]) -> Result<(), OfficeError> {
        let mut newest: BTreeMap<i64, u32> = BTreeMap::new();
        for row in self.known(kind, changes).await? {
            let version = newest.entry(row.id).or_default();
            *version = row.version.max(*version);
        }
        let unnumbered =
            changes.iter().filter(|change| matches!(change, Change::Add { id: None, .. })).count();
        let count = u32::try_from(unnumbered).unwrap_or(u32::MAX);
        let mut next = if count == 0 { 0 } else { self.registry().reserve_rows(kind.name, count).await? };
        for change in changes {
            match change {
                Change::Add { id, .. } => {
                    if id.is_none() {
                        *id = Some(next);
                        next += 1;
                    }
                }
                Change::Correct { id, expected, .. }
                | Change::Amend { id, expected, .. }
                | Change::End { id, expected, .. } => {
                    if expected.is_none() {
                        *expected = newest.get(id).copied();
                    }
                }
            }
        }
        Ok(())
    }

    async fn units(&self) -> Result<UnitTree, OfficeError> {
        let rows = self.registry().rows::<Unit>(Known::Now).await?;
        let valid = rows.iter().filter(|row| row.valid.contains(self.now));
        Ok(UnitTree::new(valid.map(|row| (UnitId(row.id), &row.row))))
    }
}

/// What a change is approved for that nobody could count: for itself, since cases keep what no approval names, but not by somebody of a
/// unit whose questions it touches.
fn uncounted(stored: &Clearance) -> ClearancePreview {
    let mut touched = ClearancePreview::new(0, []);
    if let Clearance::Uncounted { units, .. } = stored {
        touched.by_unit = units.iter().map(|unit| (*unit, 0)).collect();
    }
    touched
}

/// Who asked, with roles and units as they were; of what has none by number, else by name.
fn asker(proposal: &Proposal) -> Result<Actor, serde_json::Error> {
    if let Some(asker) = &proposal.asker {
        return Actor::deserialize(asker);
    }
    let mut asker = actor(&proposal.by);
    if let Some(number) = proposal.by_person {
        asker.person = PersonId(number);
    }
    Ok(asker)
}

/// Who decides, by name and number.
fn decider(clerk: Clerk<'_>) -> Decider<'_> {
    Decider { by: clerk.person, person: clerk.known.map(|actor| actor.person.0), told: clerk.told }
}

/// The person with a token of this name.
fn actor(name: &str) -> Actor {
    let name = name.trim();
    let hash = Sha256::digest(name.as_bytes());
    let number = hash.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    Actor {
        // Never 0, which is the server.
        person: PersonId(i64::try_from(number >> 1).unwrap_or(i64::MAX).max(1)),
        name: name.to_owned(),
        roles: BTreeSet::from([Role::OfficeSupervisor]),
        unit_path: vec![NO_UNIT],
        has_secret_grant: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_person_and_two_are_two() {
        let (units, preview) = (UnitTree::default(), ClearancePreview::new(1, []));
        let approve = |asks: &str, approves: &str| {
            preview.approve(&actor(asks), &actor(approves), UtcMillis(0), &units).map(drop)
        };
        assert_eq!(approve("li", " li "), Err(Denied::SamePerson));
        assert_eq!(approve("", ""), Err(Denied::SamePerson));
        assert_eq!(approve("li", "wang"), Ok(()));
    }
}
