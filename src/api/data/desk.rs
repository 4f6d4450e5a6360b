//! Whoever looks at cases: the actor that a caller stands for, the tree of units, and the calendar.
//!
//! Two things decide what is seen: the policy of cases, by what somebody is to a case, and the scope of the grants. A token without
//! roles is nobody: it sees what leaves the house anyway, and acts on nothing. No scope makes a reviewer.

use std::collections::BTreeSet;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Actor, Case, Subject, UnitTree, Viewer, seen_by};
use motorpool_supervision::evidence::mask_finding;
use motorpool_supervision::finding::Finding;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{CalendarYear, Register, Transfer, Unit, Versioned, WorkingHours};
use motorpool_supervision::rules::{Lang, Sentence, describe};
use motorpool_supervision::world::World;
use serde::Serialize;
use utoipa::ToSchema;

use super::Data;
use crate::accounts::Role;
use crate::accounts::caller::Over;
use crate::api::ApiState;
use crate::api::auth::Granted;
use crate::api::problem::{Code, Problem};
use crate::registry::Known;
use crate::supervision::cases::case_id;

/// Who looks, and what names and days mean to them.
pub(in super::super) struct Desk {
    pub(super) data: Data,
    /// Whoever the caller stands for, with every role that it has anywhere; in a case it has those of [`Desk::actor_among`].
    actor: Option<Actor>,
    pub(in super::super) units: UnitTree,
    pub(in super::super) world: World,
    pub(in super::super) now: UtcMillis,
}

impl Desk {
    /// The desk of a caller.
    pub(in super::super) async fn of(state: &ApiState, granted: &Granted) -> Result<Self, Problem> {
        let data = state.data(granted).await?;
        let (registry, now) = (data.registry(), data.now);
        let register = Register {
            units: registry.rows::<Unit>(Known::Now).await?,
            transfers: registry.rows::<Transfer>(Known::Now).await?,
            calendar_years: registry.rows::<CalendarYear>(Known::Now).await?,
            working_hours: registry.rows::<WorkingHours>(Known::Now).await?,
            ..Register::default()
        };
        let zone = &data.vault().packs.time_zone;
        let world = World::new(register, zone).map_err(|error| Problem::internal(&error))?;
        let units = data.fleet().tree().clone();
        let caller = data.caller();
        let roles = caller.case_roles();
        let actor = caller.stands_for().filter(|_| !roles.is_empty()).map(|(person, name, unit)| Actor {
            person,
            name: name.to_owned(),
            roles,
            // Whoever belongs to no unit answers for none and reviews for none.
            unit_path: unit.map(|unit| units.path(unit)).unwrap_or_default(),
            has_secret_grant: caller.has_secret_grant(),
        });
        Ok(Self { data, actor, units, world, now })
    }

    /// What the caller sees besides cases.
    pub(in super::super) const fn data(&self) -> &Data {
        &self.data
    }

    /// Who looks at what concerns a unit, where others were asked too: with the roles that were given on that unit or above it. A
    /// unit that was asked answers, and reviews nothing. `None` when the caller stands for nobody.
    pub(super) fn actor_among(&self, unit: UnitId, asked: &[UnitId]) -> Option<Actor> {
        let actor = self.actor.as_ref()?;
        let mut roles = BTreeSet::new();
        let mut has_secret_grant = false;
        for (role, mandate) in self.data.caller().case_mandates() {
            let covers = |unit| self.data.lies_in(unit, mandate.over);
            let is_answering = mandate.role.is_some_and(Role::is_answering);
            let answers = is_answering && asked.iter().copied().any(covers);
            if covers(unit) || answers || mandate.over == Over::Own {
                roles.insert(role);
            }
            has_secret_grant |= mandate.is_secret && covers(unit);
        }
        Some(Actor { roles, has_secret_grant, ..actor.clone() })
    }

    /// Whoever acts must be somebody.
    pub(in super::super) fn actor(&self) -> Result<&Actor, Problem> {
        self.actor.as_ref().ok_or_else(nobody)
    }

    /// Whoever acts in a case, with what it is in this one.
    pub(in super::super) fn actor_in(&self, case: &Case) -> Result<Actor, Problem> {
        let asked: Vec<UnitId> = case.requests.iter().map(|request| request.to).collect();
        self.actor_among(case.unit, &asked).ok_or_else(nobody)
    }

    /// Whoever acts where there is no case yet, with what it is to a unit.
    pub(in super::super) fn actor_for(&self, unit: UnitId) -> Result<Actor, Problem> {
        self.actor_among(unit, &[]).ok_or_else(nobody)
    }

    /// Plans and back-tests are for those who review.
    pub(in super::super) fn reviewer(&self) -> Result<&Actor, Problem> {
        let actor = self.actor()?;
        let denied = || Problem::new(Code::Forbidden).detail("the token needs the role of a reviewer");
        actor.is_reviewer().then_some(actor).ok_or_else(denied)
    }

    /// The case as it is and as this viewer sees it.
    pub(in super::super) async fn case(&self, id: &str) -> Result<(Case, Case), Problem> {
        let case = self.load(id).await?.ok_or(Problem::new(Code::CaseNotFound))?;
        let seen = self.seen(&case).ok_or(Problem::new(Code::CaseNotFound))?;
        Ok((case, seen))
    }

    /// A case as this viewer sees it.
    pub(in super::super) fn seen(&self, case: &Case) -> Option<Case> {
        let asked: Vec<UnitId> = case.requests.iter().map(|request| request.to).collect();
        let person = self.data.person();
        let is_party = case.parties.iter().any(|party| party.person.is_some() && party.person == person);
        let reaches =
            is_party || asked.iter().copied().chain([case.unit]).any(|unit| self.data.sees_unit(unit));
        let actor = self.actor_among(case.unit, &asked);
        let viewer = actor.as_ref().map_or(Viewer::Webhook, Viewer::Person);
        let is_hidden = matches!(case.key.subject, Subject::Vehicle(vehicle) if self.data.is_hidden(vehicle));
        if reaches && !is_hidden { seen_by(case, viewer, &self.units) } else { None }
    }

    /// Whether this viewer may see a flag: as a flag of a case it can see, or, without a case, as a reviewer or as nobody in
    /// particular. People of units are asked through cases.
    pub(in super::super) async fn sees_flag(&self, finding: &Finding) -> Result<bool, Problem> {
        // A car may have become secret after the case was opened.
        if self.data.is_hidden(finding.vehicle) {
            return Ok(false);
        }
        let is_unit = self.actor_for(finding.unit).is_ok_and(|actor| !actor.is_reviewer());
        let subject = match finding.vehicle {
            VehicleId(0) => Subject::Unit(finding.unit),
            vehicle => Subject::Vehicle(vehicle),
        };
        let id = case_id(motorpool_supervision::cases::CaseKey { subject, day: finding.day });
        let Some(case) = self.load(&id).await? else {
            return Ok(!is_unit && self.data.sees_unit(finding.unit));
        };
        let Some(seen) = self.seen(&case) else { return Ok(false) };
        let is_known = seen.flags.iter().any(|known| known.flag.id == finding.id());
        // Undecidable ones are in no case; what a blind lot hides is hidden here too.
        Ok(is_known || (!is_unit && !case.is_blind() && seen.seq == case.seq))
    }

    /// A finding as this viewer may read it: whole for whoever reviews the unit, for others as the unit's copy of the evidence has it.
    pub(in super::super) fn readable(&self, mut finding: Finding) -> Finding {
        if !self.reviews(finding.unit) {
            mask_finding(&mut finding);
        }
        finding
    }

    /// Whether the viewer reviews the cars of a unit, which is not the own.
    fn reviews(&self, unit: UnitId) -> bool {
        self.actor_among(unit, &[]).is_some_and(|actor| {
            let is_own = actor.unit().is_none_or(|own| self.units.is_own(own, unit));
            actor.is_reviewer() && !is_own
        })
    }

    /// The units of a subtree, by number or code.
    pub(in super::super) fn subtree(&self, text: &str) -> Result<BTreeSet<UnitId>, Problem> {
        let top = self.unit(text).ok_or_else(|| Problem::parameter("unit", "is no unit's number or code"))?;
        let units = self.world.register().units.iter().map(|row| UnitId(row.id));
        Ok(units.filter(|unit| self.units.is_within(*unit, top)).collect())
    }

    /// The unit with this number or code.
    pub(in super::super) fn unit(&self, text: &str) -> Option<UnitId> {
        let rows = self.world.register().units.iter();
        let is_it = |row: &&Versioned<Unit>| row.id.to_string() == text || row.row.code == text;
        rows.filter(|row| row.valid.contains(self.now) && !text.is_empty())
            .find(is_it)
            .map(|row| UnitId(row.id))
            .filter(|unit| self.data.names_unit(*unit))
    }

    /// The name of a unit; empty when it is not in the register.
    pub(in super::super) fn unit_name(&self, unit: UnitId, at: UtcMillis) -> String {
        let row = self.world.unit(unit, at).or_else(|| self.world.unit(unit, self.now));
        row.map_or_else(String::new, |row| row.row.name.clone())
    }

    /// The day until which an answer to the open question keeps the next step away.
    pub(in super::super) fn due(&self, case: &Case) -> Option<Date> {
        let request = case.open_request()?;
        let units = self.world.unit_path(case.unit, request.delivered_at);
        let is_workday = |date: Date| !self.world.day(&units, date).kind.is_rest_day();
        motorpool_supervision::cases::Step::ALL
            .into_iter()
            .filter(|step| request.step < Some(*step))
            .find_map(|step| {
                request.ladder.due(step, request.delivered_at, self.world.time_zone(), is_workday)
            })
    }

    /// A finding in words, in both languages.
    pub(in super::super) fn sentences(&self, finding: &Finding) -> Sentences {
        let zone = self.world.time_zone();
        Sentences {
            zh: describe(finding, Lang::Zh, zone).into(),
            en: describe(finding, Lang::En, zone).into(),
        }
    }
}

fn nobody() -> Problem {
    Problem::new(Code::Forbidden).detail("the token stands for nobody: make one with --role and --unit")
}

/// A finding in words.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Sentences {
    /// Chinese.
    zh: SentenceView,
    /// English.
    en: SentenceView,
}

/// A finding in the words of one language.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct SentenceView {
    /// The rule's name.
    title: String,
    /// What was found.
    text: String,
    /// What was measured, with the thresholds.
    measures: Vec<String>,
    /// The orders considered, and why each does not cover.
    orders: Vec<String>,
    /// What was lacking.
    missing: Vec<String>,
    /// What speaks for the person.
    excuses: Vec<String>,
}

impl From<Sentence> for SentenceView {
    fn from(sentence: Sentence) -> Self {
        let Sentence { title, text, orders, measures, missing, excuses } = sentence;
        Self { title, text, measures, orders, missing, excuses }
    }
}
