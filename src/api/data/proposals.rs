//! Proposals as a caller sees them, and who may decide them.
//!
//! A proposal names questions about conduct. Those of its caller are told who reviews them and sees them; everybody else learns that it
//! waits for a second person and nothing more, or a clerk could find out by proposing what is being looked at.

use std::collections::BTreeMap;

use motorpool_supervision::finding::{FindingId, Rule};
use motorpool_supervision::ids::UnitId;
use serde_json::Value;

use super::Data;
use super::desk::Desk;
use super::registers::{Named, permission_to_read, permission_to_write};
use crate::accounts::Permission;
use crate::api::problem::{Code, Problem};
use crate::registers::{Clearance, Kind, OfficeError, kind};
use crate::registry::{Change, Proposal, ProposalFilter, Written};

/// What is to become of a proposal.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Decision<'a> {
    /// Write it.
    Approve,
    /// Turn it down, for a reason if there is one.
    Reject(Option<&'a str>),
}

/// What of a clearance a caller may know.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Shown {
    /// How many open questions it touches, when nobody has counted.
    pub(in super::super) open: Option<usize>,
    /// The questions, with the rule and the unit of each; `None` = nothing is told of them.
    pub(in super::super) flags: Option<BTreeMap<FindingId, (Rule, UnitId)>>,
}

/// Which questions a caller sees, remembered while a list is made.
pub(in super::super) struct Questions {
    /// None of who does not review.
    desk: Option<Desk>,
    known: BTreeMap<FindingId, Option<(Rule, UnitId)>>,
}

impl Questions {
    /// What of a clearance the caller sees.
    pub(in super::super) async fn shown(&mut self, clearance: &Clearance) -> Result<Shown, Problem> {
        let Some(desk) = &self.desk else { return Ok(Shown::default()) };
        let Some(preview) = clearance.preview() else {
            let open = match clearance {
                Clearance::Uncounted { open, .. } if desk.data.covers_all_units() => Some(*open),
                _ => None,
            };
            return Ok(Shown { open, flags: None });
        };
        let mut flags = BTreeMap::new();
        for id in &preview.flags {
            let told = match self.known.get(id) {
                Some(told) => *told,
                None => told_of(desk, *id).await?,
            };
            self.known.insert(*id, told);
            flags.extend(told.map(|told| (*id, told)));
        }
        Ok(Shown { open: None, flags: Some(flags) })
    }
}

/// The rule and the unit of a flag that is seen.
async fn told_of(desk: &Desk, id: FindingId) -> Result<Option<(Rule, UnitId)>, Problem> {
    let Some(flag) = desk.data.registry().flag(&id.to_string()).await? else { return Ok(None) };
    let is_seen = desk.sees_flag(&flag.finding).await?;
    Ok(is_seen.then_some((flag.finding.rule, flag.finding.unit)))
}

/// Whether a row is for all units.
fn is_for_all(kind: &Kind, id: i64, row: &Value) -> bool {
    let named = Named::of(kind, Some(id), row);
    named.is_none_or(|named| named.facts.unit.is_none() && named.vehicles.is_empty())
}

impl Data {
    /// Which questions the caller sees: those who review, and tokens that stand for nobody.
    pub(in super::super) async fn questions(&self) -> Result<Questions, Problem> {
        let mut questions = Questions { desk: None, known: BTreeMap::new() };
        if let Ok(granted) = self.granted.also(Permission::CasesRead) {
            let desk = Desk::of(&self.state, &granted).await?;
            let is_nobody = self.caller().as_token().is_some_and(|token| token.person.is_none());
            questions.desk = Some(desk).filter(|desk| is_nobody || desk.reviewer().is_ok());
        }
        Ok(questions)
    }

    /// Whether a proposal is seen: every row that it changes is, and what it is for all units everything is.
    async fn sees_proposal(&self, proposal: &Proposal) -> Result<bool, Problem> {
        let Some(kind) = kind(&proposal.kind) else { return Ok(false) };
        let caller = self.caller();
        if !caller.may(permission_to_read(kind)) && !caller.may(permission_to_write(kind)) {
            return Ok(false);
        }
        let changes: Vec<Change<Value>> =
            serde_json::from_value(proposal.body.clone()).map_err(|error| Problem::internal(&error))?;
        for change in &changes {
            let id = change.id().unwrap_or(0);
            let is_seen = match change.says() {
                Some((_, row)) => self.sees_proposed(kind, id, row),
                None => {
                    let known = self.row_known(kind, id).await?;
                    !known.is_empty() && known.iter().all(|row| self.sees_proposed(kind, id, &row.row))
                }
            };
            if !is_seen {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn sees_proposed(&self, kind: &Kind, id: i64, row: &Value) -> bool {
        self.sees_row(kind, id, row) && (self.is_everything() || !is_for_all(kind, id, row))
    }

    /// Proposals that are seen, newest first.
    pub(in super::super) async fn proposals(
        &self,
        mut filter: ProposalFilter,
    ) -> Result<Vec<Proposal>, Problem> {
        let wanted = filter.limit as usize;
        let mut seen = Vec::new();
        loop {
            let rows = self.registry().proposals(filter).await?;
            let is_last = rows.len() < filter.limit as usize;
            filter.before = rows.last().map(|row| row.id).or(filter.before);
            for row in rows {
                if seen.len() < wanted && self.sees_proposal(&row).await? {
                    seen.push(row);
                }
            }
            if is_last || seen.len() >= wanted {
                return Ok(seen);
            }
        }
    }

    /// A proposal that is seen.
    pub(in super::super) async fn proposal(&self, id: i64) -> Result<Option<Proposal>, Problem> {
        let Some(proposal) = self.registry().proposal(id).await? else { return Ok(None) };
        Ok(self.sees_proposal(&proposal).await?.then_some(proposal))
    }

    /// Approves a proposal that is seen, or turns it down.
    pub(in super::super) async fn decide(
        &self,
        id: i64,
        decision: Decision<'_>,
    ) -> Result<Vec<Written>, Problem> {
        let none = || Problem::from(OfficeError::NoProposal(id));
        let proposal = self.proposal(id).await?.ok_or_else(none)?;
        let kind = kind(&proposal.kind).ok_or_else(none)?;
        let (recorded_by, known) = (self.caller().recorded_as(), self.known_actor());
        let (action, detail) = match decision {
            Decision::Approve => ("proposal.approve", ""),
            Decision::Reject(reason) => ("proposal.reject", reason.unwrap_or_default()),
        };
        let deed = super::telling(&self.granted, action, detail.to_owned());
        let clerk = self.clerk(&recorded_by, known.as_ref(), &deed);
        match decision {
            Decision::Approve => {
                self.check_approver(kind, &proposal).await?;
                match self.office().approve(id, clerk).await {
                    Ok(written) => Ok(written),
                    Err(error) => Err(self.told(kind, error).await?),
                }
            }
            Decision::Reject(reason) => {
                self.office().reject(id, reason, clerk).await?;
                Ok(Vec::new())
            }
        }
    }

    /// An approval is for what was shown: who approves may read rows of the kind and sees every question that is named.
    async fn check_approver(&self, kind: &Kind, proposal: &Proposal) -> Result<(), Problem> {
        self.granted.also(permission_to_read(kind))?;
        let clearance = clearance_of(proposal)?;
        let named = clearance.preview().map_or(0, |preview| preview.flags.len());
        let seen = self.questions().await?.shown(&clearance).await?.flags.map_or(0, |flags| flags.len());
        if seen == named {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden).detail("it would clear questions that are not yours to see"))
    }
}

/// What a proposal would clear, whole: for deciding, never for showing.
pub(in super::super) fn clearance_of(proposal: &Proposal) -> Result<Clearance, Problem> {
    serde_json::from_value(proposal.preview.clone()).map_err(|error| Problem::internal(&error))
}
