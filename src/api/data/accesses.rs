//! Who looked at what a vehicle did, for those who answer for it, as long as they do: whoever borrows a car learns of the time of the
//! loan, and a driver, who answers for no car, nothing. What was done for a case that the caller does not see is not told.
//!
//! A confidential check that the caller does not see leaves no trace while it lasts: neither what was done in its name, with this car or
//! another, nor what those did who work on it or might. Whoever reviews as its keeper does is taken for one of them, even after the role
//! was taken away, and so is a person whom nobody knows any longer. What was shown before a check began stays as it was: if it went
//! away, that would be a trace.

use std::collections::{BTreeMap, BTreeSet};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Case, Event, PersonId};
use motorpool_supervision::ids::VehicleId;

use super::desk::Desk;
use crate::accounts::Role;
use crate::accounts::chain::Entry;
use crate::api::problem::Problem;
use crate::registry::CaseFilter;
use crate::registry::accounts::AccessFilter;

/// Entries and cases read at once.
const ROWS_AT_ONCE: u32 = 500;

/// A confidential check that the caller does not see.
#[derive(Clone, Debug)]
struct Check {
    /// Since when it leaves no trace.
    since: UtcMillis,
    /// Whether inspectors keep it, so that the office does not see it either.
    is_inspectors: bool,
    /// Those who did something in the case, or to whom it was given.
    people: BTreeSet<PersonId>,
}

impl Check {
    /// Whether somebody who ever had these roles may look into it; nobody knows of somebody without any account or token.
    fn is_open_to(&self, roles: Option<&[Role]>) -> bool {
        let is_reviewer = |role: &Role| match role {
            Role::Inspector | Role::ResidentInspector => true,
            _ => role.is_reviewing() && !self.is_inspectors,
        };
        roles.is_none_or(|roles| roles.iter().any(is_reviewer))
    }
}

/// What the caller knows of a case for which something was read.
#[derive(Clone, Debug)]
enum Sight {
    Shown,
    /// There is none, or none yet.
    Nothing,
    /// It is not the caller's to see.
    Foreign,
    /// Nor does it leave a trace since a check began.
    Hidden(Check),
}

/// What is asked again for each entry of a list.
#[derive(Default)]
struct Known {
    cases: BTreeMap<String, Sight>,
    roles: BTreeMap<PersonId, Option<Vec<Role>>>,
}

impl Desk {
    /// Who looked at what a vehicle did, newest first, and whether the caller may read what for.
    pub(in super::super) async fn accesses(
        &self,
        vehicle: VehicleId,
        limit: u32,
    ) -> Result<Vec<(Entry, bool)>, Problem> {
        let times = self.data.answered_times(vehicle);
        if times.is_empty() {
            return Ok(Vec::new());
        }
        let checks = self.hidden_checks(vehicle).await?;
        let mut known = Known::default();
        let mut filter = AccessFilter { vehicle, before: None, limit: ROWS_AT_ONCE };
        let mut shown = Vec::new();
        loop {
            let entries = self.data.state.people().accesses(filter).await?;
            let is_last = entries.len() < ROWS_AT_ONCE as usize;
            filter.before = entries.last().map(|entry| entry.seq);
            for entry in entries.into_iter().filter(|entry| times.iter().any(|span| span.contains(entry.at)))
            {
                let Some(shows_purpose) = self.shows_access(&entry, &checks, &mut known).await? else {
                    continue;
                };
                shown.push((entry, shows_purpose));
                if shown.len() == limit as usize {
                    return Ok(shown);
                }
            }
            if is_last {
                return Ok(shown);
            }
        }
    }

    /// Whether what for is shown with an entry; `None` when the entry is not shown.
    async fn shows_access(
        &self,
        entry: &Entry,
        checks: &[Check],
        known: &mut Known,
    ) -> Result<Option<bool>, Problem> {
        let sight = match &entry.deed.case_id {
            Some(case) => self.sight_of(case, known).await?,
            None => Sight::Shown,
        };
        let is_kept = match &sight {
            Sight::Hidden(check) => entry.at >= check.since,
            Sight::Foreign => true,
            Sight::Shown | Sight::Nothing => false,
        };
        if is_kept {
            return Ok(None);
        }
        if let Some(person) = entry.deed.person.map(PersonId) {
            for check in checks.iter().filter(|check| entry.at >= check.since) {
                if check.people.contains(&person)
                    || check.is_open_to(self.roles_of(person, known).await?.as_deref())
                {
                    return Ok(None);
                }
            }
        }
        Ok(Some(!matches!(sight, Sight::Nothing)))
    }

    async fn sight_of(&self, id: &str, known: &mut Known) -> Result<Sight, Problem> {
        if let Some(sight) = known.cases.get(id) {
            return Ok(sight.clone());
        }
        let sight = match self.load(id).await? {
            None => Sight::Nothing,
            Some(case) if self.seen(&case).is_some() => Sight::Shown,
            Some(case) => self.check(id, &case).await?.map_or(Sight::Foreign, Sight::Hidden),
        };
        known.cases.insert(id.to_owned(), sight.clone());
        Ok(sight)
    }

    /// The roles that a person ever had; `None` when neither an account nor a token is theirs.
    async fn roles_of(&self, person: PersonId, known: &mut Known) -> Result<Option<Vec<Role>>, Problem> {
        if let Some(roles) = known.roles.get(&person) {
            return Ok(roles.clone());
        }
        let tokens = self.data.registry().tokens();
        let token = tokens.iter().find_map(|token| token.person.as_ref().filter(|of| of.id == person));
        let roles = match token {
            Some(of) => Some(of.roles.iter().filter_map(|role| Role::of_cases(*role)).collect()),
            None => self.data.state.people().roles_ever(person).await?,
        };
        known.roles.insert(person, roles.clone());
        Ok(roles)
    }

    /// The checks of a vehicle, and of the unit that has it, that the caller does not see.
    async fn hidden_checks(&self, vehicle: VehicleId) -> Result<Vec<Check>, Problem> {
        let unit = self.data.fleet().cars().get(&vehicle).map(|car| car.unit);
        let mut checks = Vec::new();
        // Cases of a unit name no vehicle.
        for subject in [vehicle, VehicleId(0)] {
            let mut filter = CaseFilter {
                limit: ROWS_AT_ONCE,
                vehicle: Some(subject),
                units: unit.filter(|_| subject != vehicle).into_iter().collect(),
                is_confidential: Some(true),
                ..CaseFilter::default()
            };
            loop {
                let rows = self.case_rows(&filter).await?;
                filter.after = rows.last().map(|row| (row.rank, row.case_id.clone()));
                for row in &rows {
                    let Some(case) = self.load(&row.case_id).await? else { continue };
                    if self.seen(&case).is_none() {
                        checks.extend(self.check(&row.case_id, &case).await?);
                    }
                }
                if rows.len() < ROWS_AT_ONCE as usize {
                    break;
                }
            }
        }
        Ok(checks)
    }

    /// The check that keeps a case hidden, if one does.
    async fn check(&self, id: &str, case: &Case) -> Result<Option<Check>, Problem> {
        let Some(kept) = &case.confidential else { return Ok(None) };
        let log = self.log(id).await?;
        let given = log.iter().filter_map(|line| match &line.event {
            Event::Assigned { to, .. } => *to,
            _ => None,
        });
        let people = log.iter().map(|line| line.actor.person).chain(given).collect();
        let made = log.iter().rfind(|line| matches!(line.event, Event::MadeConfidential { .. }));
        let since = made.map_or(UtcMillis(0), |line| line.at);
        Ok(Some(Check { since, is_inspectors: kept.by.is_inspector(), people }))
    }
}
