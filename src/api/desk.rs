//! Whoever looks at cases: the actor that a token stands for, the tree of units, and the calendar.
//!
//! A token without roles is nobody: it sees what leaves the house anyway, and acts on nothing. No scope makes a reviewer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Actor, Case, Subject, UnitTree, Viewer, seen_by};
use motorpool_supervision::finding::Finding;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{
    CalendarYear, Register, Transfer, Unit, Vehicle, Versioned, WorkingHours,
};
use motorpool_supervision::rules::{Lang, Sentence, describe};
use motorpool_supervision::world::World;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::problem::{Code, Problem};
use crate::registry::{Known, Token};
use crate::supervision::cases::{case_id, load};

/// Who looks, and what names and days mean to them.
pub(super) struct Desk {
    actor: Option<Actor>,
    pub(super) units: UnitTree,
    pub(super) world: World,
    pub(super) now: UtcMillis,
}

impl Desk {
    /// The desk of a token.
    pub(super) async fn of(state: &ApiState, token: &Token) -> Result<Self, Problem> {
        let (registry, now) = (state.registry(), state.now());
        let register = Register {
            units: registry.rows::<Unit>(Known::Now).await?,
            transfers: registry.rows::<Transfer>(Known::Now).await?,
            calendar_years: registry.rows::<CalendarYear>(Known::Now).await?,
            working_hours: registry.rows::<WorkingHours>(Known::Now).await?,
            ..Register::default()
        };
        let world =
            World::new(register, &state.packs().time_zone).map_err(|error| Problem::internal(&error))?;
        let mut rows: BTreeMap<UnitId, &Versioned<Unit>> = BTreeMap::new();
        for row in world.register().units.iter().filter(|row| row.valid.contains(now)) {
            let kept = rows.entry(UnitId(row.id)).or_insert(row);
            if kept.version < row.version {
                *kept = row;
            }
        }
        let units = UnitTree::new(rows.iter().map(|(id, row)| (*id, &row.row)));
        let actor = token.person.as_ref().map(|person| Actor {
            person: person.id,
            name: person.name.clone(),
            roles: person.roles.clone(),
            unit_path: units.path(person.unit),
            // Until accounts exist nobody can be given the grant for cars on secret work.
            has_secret_grant: false,
        });
        Ok(Self { actor, units, world, now })
    }

    /// Who looks.
    pub(super) fn viewer(&self) -> Viewer<'_> {
        self.actor.as_ref().map_or(Viewer::Webhook, Viewer::Person)
    }

    /// Whoever acts must be somebody.
    pub(super) fn actor(&self) -> Result<&Actor, Problem> {
        let nobody = "the token stands for nobody: make one with --role and --unit";
        self.actor.as_ref().ok_or_else(|| Problem::new(Code::Forbidden).detail(nobody))
    }

    /// Plans and back-tests are for those who review.
    pub(super) fn reviewer(&self) -> Result<&Actor, Problem> {
        let actor = self.actor()?;
        let denied = || Problem::new(Code::Forbidden).detail("the token needs the role of a reviewer");
        actor.is_reviewer().then_some(actor).ok_or_else(denied)
    }

    /// The case as it is and as this viewer sees it.
    pub(super) async fn case(&self, state: &ApiState, id: &str) -> Result<(Case, Case), Problem> {
        let case = load(state.registry(), id).await?.ok_or(Problem::new(Code::CaseNotFound))?;
        let seen = seen_by(&case, self.viewer(), &self.units).ok_or(Problem::new(Code::CaseNotFound))?;
        Ok((case, seen))
    }

    /// Whether this viewer may see a flag: as a flag of a case it can see, or, without a case, as a reviewer or as nobody in
    /// particular. People of units are asked through cases.
    pub(super) async fn sees_flag(&self, state: &ApiState, finding: &Finding) -> Result<bool, Problem> {
        let is_unit = self.actor.as_ref().is_some_and(|actor| !actor.is_reviewer());
        let subject = match finding.vehicle {
            VehicleId(0) => Subject::Unit(finding.unit),
            vehicle => Subject::Vehicle(vehicle),
        };
        let id = case_id(motorpool_supervision::cases::CaseKey { subject, day: finding.day });
        let Some(case) = load(state.registry(), &id).await? else {
            let is_secret =
                vehicle(state, finding.vehicle, finding.from).await?.is_some_and(|vehicle| vehicle.is_secret);
            return Ok(!is_unit && !is_secret);
        };
        let Some(seen) = seen_by(&case, self.viewer(), &self.units) else { return Ok(false) };
        let is_known = seen.flags.iter().any(|known| known.flag.id == finding.id());
        // Undecidable ones are in no case; what a blind lot hides is hidden here too.
        Ok(is_known || (!is_unit && !case.is_blind() && seen.seq == case.seq))
    }

    /// The units of a subtree, by number or code.
    pub(super) fn subtree(&self, text: &str) -> Result<BTreeSet<UnitId>, Problem> {
        let top = self.unit(text).ok_or_else(|| Problem::parameter("unit", "is no unit's number or code"))?;
        let units = self.world.register().units.iter().map(|row| UnitId(row.id));
        Ok(units.filter(|unit| self.units.is_within(*unit, top)).collect())
    }

    /// The unit with this number or code.
    pub(super) fn unit(&self, text: &str) -> Option<UnitId> {
        let rows = self.world.register().units.iter();
        let is_it = |row: &&Versioned<Unit>| row.id.to_string() == text || row.row.code == text;
        rows.filter(|row| row.valid.contains(self.now) && !text.is_empty())
            .find(is_it)
            .map(|row| UnitId(row.id))
    }

    /// The name of a unit; empty when it is not in the register.
    pub(super) fn unit_name(&self, unit: UnitId, at: UtcMillis) -> String {
        let row = self.world.unit(unit, at).or_else(|| self.world.unit(unit, self.now));
        row.map_or_else(String::new, |row| row.row.name.clone())
    }

    /// The day until which an answer to the open question keeps the next step away.
    pub(super) fn due(&self, case: &Case) -> Option<Date> {
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
    pub(super) fn sentences(&self, finding: &Finding) -> Sentences {
        let zone = self.world.time_zone();
        Sentences {
            zh: describe(finding, Lang::Zh, zone).into(),
            en: describe(finding, Lang::En, zone).into(),
        }
    }
}

/// A vehicle as it was at `at`, or as it is known last.
pub(super) async fn vehicle(
    state: &ApiState,
    vehicle: VehicleId,
    at: UtcMillis,
) -> Result<Option<Vehicle>, Problem> {
    let versions = state.registry().row::<Vehicle>(vehicle.0, Known::Now).await?;
    let then = versions.iter().rfind(|version| version.valid.contains(at));
    Ok(then.or_else(|| versions.last()).map(|version| version.row.clone()))
}

/// The number of the vehicle that a path or parameter names, by number or plate.
pub(super) async fn vehicle_id(state: &ApiState, text: &str) -> Result<VehicleId, Problem> {
    let registry = state.registry();
    let number = text.parse::<i64>().ok().filter(|id| *id > 0);
    if let Some(id) = number
        && !registry.row::<Vehicle>(id, Known::Now).await?.is_empty()
    {
        return Ok(VehicleId(id));
    }
    let rows = registry.rows_with_key::<Vehicle>(text, Known::Now).await?;
    rows.last().map(|row| VehicleId(row.id)).ok_or(Problem::new(Code::VehicleNotFound))
}

/// A finding in words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sentences {
    /// Chinese.
    zh: SentenceView,
    /// English.
    en: SentenceView,
}

/// A finding in the words of one language.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SentenceView {
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
