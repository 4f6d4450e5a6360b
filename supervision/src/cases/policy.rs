//! Who may do what in a case, and who sees it.
//!
//! The office closes as normal, as a management problem, or hands over; inspectors alone confirm a violation, in a space of
//! their own; nobody reviews the own unit; the person who used the car answers first; a unit edits nobody's statement.
//! Whether a step is possible at all where the case stands is [`super::state`]'s to say.

use serde::{Deserialize, Serialize};

use super::actor::{Actor, Role};
use super::events::{Action, CaseEvent, Event, FORMAT, LimitError};
use super::record::Space;
use super::state::{Case, Misfit};
use super::terms::{Audience, Disposition, Part, Source};
use super::units::{Reviewer, UnitTree};
use crate::UtcMillis;

/// Where an ending takes a second person. A violation always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "settings")]
pub struct CasePolicy {
    /// 正常.
    pub normal_takes_two: bool,
    /// 管理问题.
    pub management_problem_takes_two: bool,
    /// 移送问题线索.
    pub hand_over_takes_two: bool,
}

impl Default for CasePolicy {
    fn default() -> Self {
        Self { normal_takes_two: false, management_problem_takes_two: true, hand_over_takes_two: true }
    }
}

impl CasePolicy {
    /// Whether this ending takes a second person.
    #[must_use]
    pub const fn takes_two(&self, disposition: Disposition) -> bool {
        match disposition {
            Disposition::Normal { .. } => self.normal_takes_two,
            Disposition::ManagementProblem { .. } => self.management_problem_takes_two,
            Disposition::HandedOver => self.hand_over_takes_two,
            Disposition::Violation { .. } => true,
        }
    }
}

macro_rules! denials {
    ($($(#[$doc:meta])* $name:ident = $zh:literal, $en:literal;)*) => {
        /// Why somebody may not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Denied {
            $($(#[$doc])* #[error($en)] $name,)*
        }

        impl Denied {
            /// All, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason in Chinese.
            #[must_use]
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$name => $zh),* }
            }

            /// The reason in English.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Self::$name => $en),* }
            }
        }
    };
}

denials! {
    /// The case is hidden from this person.
    NotVisible = "未找到该案件", "there is no such case";
    /// Only the server does this.
    SystemOnly = "仅由系统执行", "only the server does this";
    /// The server decides nothing.
    NotForSystem = "系统不得作出人工决定", "the server does not decide";
    /// The person belongs to the unit under review.
    OwnUnit = "不得审查本单位车辆", "nobody reviews the own unit";
    /// The person is named on the paper.
    NamedOnPaper = "当事人不得参与审查", "whoever is named on the paper does not review";
    /// Somebody else reviews this unit.
    NotReviewer = "不是该单位车辆的审查人", "somebody else reviews this unit";
    /// The case is the inspectors'.
    InspectorsOnly = "仅限纪检监察人员", "only discipline inspectors may";
    /// The second person must be another one.
    SamePerson = "复核人须为另一人", "the second person must be another one";
    /// This ending takes a second person.
    TakesTwo = "该结论须经第二人复核", "this ending takes a second person";
    /// The person who used the car answers first.
    UserFirst = "应由用车人先行说明", "the person who used the car answers first";
    /// Only the driver named on the paper makes a statement.
    DriverOnly = "仅限本人为驾驶员者陈述", "only the driver of this trip makes a statement";
    /// Only the unit answers.
    UnitOnly = "仅限被问询单位", "only the unit that was asked answers";
    /// The unit was not asked yet.
    NotAsked = "尚未向单位发出问询", "the unit was not asked yet";
    /// The unit's people write for everybody.
    NotAnAudience = "单位人员不得写审查备注", "only reviewers write for reviewers alone";
}

/// What somebody is to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    /// Reviews for the office's part.
    office: bool,
    /// Reviews for the inspectors' part.
    inspection: bool,
    /// Answers for the unit.
    unit: bool,
    /// Would review the own unit.
    is_own: bool,
    /// Is named on the paper.
    is_party: bool,
}

impl Standing {
    fn of(case: &Case, actor: &Actor, units: &UnitTree) -> Self {
        let part = |wanted: &[Part]| {
            case.parties
                .iter()
                .any(|party| party.person == Some(actor.person) && wanted.contains(&party.part))
        };
        let is_party = part(&[Part::CarUser, Part::Approver, Part::Dispatcher, Part::Driver]);
        let Some(own) = actor.unit().filter(|_| !actor.is_system()) else {
            return Self { office: false, inspection: false, unit: false, is_own: false, is_party };
        };
        let is_own = units.is_own(own, case.unit);
        let reviews_as = |reviewer| match reviewer {
            Reviewer::Body(body) => units.acts_for(own, body),
            Reviewer::NeedsSuperior => true,
        };
        let reviewers = units.reviewers_for(case.unit);
        let may_review = actor.is_reviewer() && !is_own && !is_party;
        let answers =
            [Role::FleetManager, Role::Dispatcher, Role::Approver].iter().any(|role| actor.is(*role));
        let asked = case.requests.iter().map(|request| request.to).chain([case.unit]);
        let is_of_unit =
            asked.into_iter().any(|unit| units.is_within(own, unit) || units.is_within(unit, own));
        Self {
            office: may_review && reviews_as(reviewers.office),
            inspection: may_review && actor.is_inspector() && reviews_as(reviewers.inspection),
            unit: is_party || (answers && is_of_unit),
            is_own,
            is_party,
        }
    }

    const fn reviews(self) -> bool {
        self.office || self.inspection
    }

    /// Whether the case is in this person's hands.
    const fn holds(self, space: Space) -> bool {
        match space {
            Space::Office => self.office,
            Space::Inspection => self.inspection,
        }
    }

    /// Why this person does not hold the case.
    const fn denial(self, space: Space) -> Denied {
        if self.is_own {
            Denied::OwnUnit
        } else if self.is_party {
            Denied::NamedOnPaper
        } else if matches!(space, Space::Inspection) {
            Denied::InspectorsOnly
        } else {
            Denied::NotReviewer
        }
    }
}

/// Whether `actor` may do `action` in this case: which buttons to show. [`submit`] asks for the content as well.
///
/// # Errors
/// Why not.
pub fn allowed(case: &Case, actor: &Actor, action: Action, units: &UnitTree) -> Result<(), Denied> {
    let standing = Standing::of(case, actor, units);
    if actor.is_system() {
        return if is_for_system(action) { Ok(()) } else { Err(Denied::NotForSystem) };
    }
    if !is_visible(case, actor, standing) {
        let would_review = actor.is_reviewer() && standing.is_own;
        let is_hidden = case.is_secret || case.confidential.is_some() || !would_review;
        return Err(if is_hidden { Denied::NotVisible } else { Denied::OwnUnit });
    }
    let denial = standing.denial(case.space);
    let needs = |may: bool, denial: Denied| if may { Ok(()) } else { Err(denial) };
    match action {
        Action::PaperChecked
        | Action::Assigned
        | Action::CheckingStarted
        | Action::ExplanationAsked
        | Action::ItemChecked
        | Action::ClosingProposed
        | Action::ClosingRejected
        | Action::Closed => needs(standing.holds(case.space), denial),
        Action::ClosingConfirmed => {
            needs(standing.holds(case.space), denial)?;
            let is_same = case.proposal.as_ref().is_some_and(|proposal| proposal.by.person == actor.person);
            needs(!is_same, Denied::SamePerson)
        }
        Action::HandedOver | Action::MadeConfidential => {
            needs(standing.holds(case.space) || standing.inspection, denial)
        }
        // What the office closed the inspectors may open.
        Action::Reopened => needs(standing.holds(case.space) || standing.inspection, denial),
        Action::Released => {
            let is_inspectors = case.confidential.as_ref().is_some_and(|kept| kept.by.is_inspector());
            let may = standing.inspection || (standing.holds(case.space) && !is_inspectors);
            needs(may, if is_inspectors { Denied::InspectorsOnly } else { denial })
        }
        Action::Commented => {
            let is_unit_in_office_space = standing.unit && case.space == Space::Office;
            needs(standing.holds(case.space) || standing.inspection || is_unit_in_office_space, denial)
        }
        Action::Attached if standing.unit && !standing.reviews() => {
            needs(!case.requests.is_empty(), Denied::NotAsked)
        }
        Action::Attached => needs(standing.holds(case.space), denial),
        Action::StatementMade => needs(is_driver(case, actor), Denied::DriverOnly),
        Action::ExplanationFiled => may_answer(case, actor, standing),
        Action::Opened => needs(standing.reviews(), denial),
        Action::FlagAdded
        | Action::FlagSuperseded
        | Action::FlagGone
        | Action::PaperCame
        | Action::PartiesNamed
        | Action::Escalated
        | Action::AutoReopened
        | Action::ClearanceNoted
        | Action::PutInLot => Err(Denied::SystemOnly),
    }
}

const fn is_for_system(action: Action) -> bool {
    matches!(
        action,
        Action::Opened
            | Action::FlagAdded
            | Action::FlagSuperseded
            | Action::FlagGone
            | Action::PaperCame
            | Action::PartiesNamed
            | Action::Escalated
            | Action::ItemChecked
            | Action::AutoReopened
            | Action::ClearanceNoted
            | Action::PutInLot
    )
}

fn is_named_as(case: &Case, actor: &Actor, part: Part) -> bool {
    case.parties.iter().any(|party| party.part == part && party.person == Some(actor.person))
}

fn is_driver(case: &Case, actor: &Actor) -> bool {
    actor.is(Role::Driver) && is_named_as(case, actor, Part::Driver)
}

/// The person who used the car at once; the others of the unit after that person, after the first reminder, or when nobody
/// with an account is named.
fn may_answer(case: &Case, actor: &Actor, standing: Standing) -> Result<(), Denied> {
    if !standing.unit {
        return Err(Denied::UnitOnly);
    }
    let Some(request) = case.requests.last() else { return Err(Denied::NotAsked) };
    let users =
        || case.parties.iter().filter(|party| party.part == Part::CarUser).filter_map(|party| party.person);
    let has_user_answered = || {
        let by_user = |by: &Actor| users().any(|user| user == by.person);
        case.explanations.iter().any(|said| said.at >= request.delivered_at && by_user(&said.by))
    };
    let is_turn = is_named_as(case, actor, Part::CarUser)
        || users().next().is_none()
        || request.step.is_some()
        || has_user_answered();
    if is_turn { Ok(()) } else { Err(Denied::UserFirst) }
}

/// Whether `actor` may put this very event into the case.
///
/// # Errors
/// Why not.
pub fn allowed_event(
    case: &Case,
    actor: &Actor,
    event: &Event,
    units: &UnitTree,
    policy: &CasePolicy,
) -> Result<(), Denied> {
    allowed(case, actor, event.action(), units)?;
    let standing = Standing::of(case, actor, units);
    match event {
        Event::ClosingProposed { closing } | Event::Closed { closing } => {
            if matches!(closing.disposition, Disposition::Violation { .. }) && !standing.inspection {
                return Err(Denied::InspectorsOnly);
            }
            let is_alone = event.action() == Action::Closed;
            // One person must not undo what took two.
            let took_two = case.decisions.iter().any(|decision| decision.confirmed_by.is_some());
            let takes_two = took_two || policy.takes_two(closing.disposition);
            if is_alone && takes_two { Err(Denied::TakesTwo) } else { Ok(()) }
        }
        // Inspectors may take a case over on their own; it accuses nobody yet.
        Event::HandedOver { .. } if !standing.inspection && policy.hand_over_takes_two => {
            Err(Denied::TakesTwo)
        }
        Event::Commented { audience: Audience::Reviewers, .. } if !standing.reviews() => {
            Err(Denied::NotAnAudience)
        }
        _ => Ok(()),
    }
}

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The person may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Something is too long, too many or missing.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// It is not possible where the case stands.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// Puts an event of `actor` into the case: rights, limits, order of steps. Gives the line for the log and the state after
/// it; the caller stores the line if the case still stands at `case.seq`.
///
/// # Errors
/// The first reason against it.
pub fn submit(
    case: &Case,
    actor: &Actor,
    now: UtcMillis,
    event: Event,
    units: &UnitTree,
    policy: &CasePolicy,
) -> Result<(CaseEvent, Case), Refused> {
    allowed_event(case, actor, &event, units, policy)?;
    event.check_limits()?;
    let line = CaseEvent {
        v: FORMAT,
        seq: case.seq.saturating_add(1),
        // A clock that was set back must not block the case.
        at: now.max(case.changed_at),
        actor: actor.clone(),
        event,
    };
    let mut after = case.clone();
    after.apply(&line)?;
    Ok((line, after))
}

/// Opens a case: the server for rules and samples, a reviewer for what somebody told. Gives the line for the log and the
/// state after it.
///
/// # Errors
/// The first reason against it.
pub fn submit_opening(
    actor: &Actor,
    now: UtcMillis,
    event: Event,
    units: &UnitTree,
) -> Result<(CaseEvent, Case), Refused> {
    event.check_limits()?;
    let line = CaseEvent { v: FORMAT, seq: 1, at: now, actor: actor.clone(), event };
    let case = Case::open(&line)?;
    allowed(&case, actor, Action::Opened, units)?;
    let is_tip = matches!(case.source, Source::Tip { .. }) && case.flags.is_empty();
    if actor.is_system() || is_tip { Ok((line, case)) } else { Err(Denied::SystemOnly.into()) }
}

/// Who looks.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every viewer")]
pub enum Viewer<'a> {
    /// A person, or the server for its own work.
    Person(&'a Actor),
    /// A webhook: what it is told leaves the house.
    Webhook,
}

/// Whether the case exists for this viewer at all.
#[must_use]
pub fn visible_to(case: &Case, viewer: Viewer<'_>, units: &UnitTree) -> bool {
    match viewer {
        Viewer::Webhook => case.confidential.is_none() && !case.is_secret,
        Viewer::Person(actor) => {
            actor.is_system() || is_visible(case, actor, Standing::of(case, actor, units))
        }
    }
}

fn is_visible(case: &Case, actor: &Actor, standing: Standing) -> bool {
    if case.is_secret && !actor.has_secret_grant {
        return false;
    }
    match &case.confidential {
        // What inspectors keep confidential is the inspectors' alone.
        Some(kept) if kept.by.is_inspector() => standing.inspection,
        Some(_) => standing.reviews(),
        // A unit must not learn from the list which of its trips are in a blind lot.
        None => standing.reviews() || (standing.unit && (!case.is_blind() || !case.requests.is_empty())),
    }
}

/// The case as this viewer may see it; `None` when it does not exist for the viewer.
///
/// From the hand-over on, everybody but the inspectors sees it as it was then. Flags and source of a blind lot stay hidden
/// until the first decision. The unit sees neither who told, nor reviewers' remarks, nor an ending that is only proposed.
/// The log itself hides nothing: it is for the server and for evidence, people get this.
#[must_use]
pub fn seen_by(case: &Case, viewer: Viewer<'_>, units: &UnitTree) -> Option<Case> {
    if !visible_to(case, viewer, units) {
        return None;
    }
    let standing = match viewer {
        Viewer::Person(actor) if actor.is_system() => return Some(case.clone()),
        Viewer::Person(actor) => Some(Standing::of(case, actor, units)),
        Viewer::Webhook => None,
    };
    let is_inspector = standing.is_some_and(|standing| standing.inspection);
    let mut seen = match &case.at_hand_over {
        Some(earlier) if !is_inspector => earlier.as_ref().clone(),
        _ => case.clone(),
    };
    if case.requests.len() > seen.requests.len() && standing.is_some_and(|standing| standing.unit) {
        show_later_requests(case, &mut seen);
    }
    let is_reviewer = standing.is_some_and(Standing::reviews);
    if case.is_blind() {
        seen.flags.clear();
        seen.source = Source::Rules;
    }
    if !is_reviewer {
        seen.source = Source::Rules;
        seen.lot = None;
        seen.proposal = None;
        seen.assignee = None;
        seen.comments.retain(|said| said.audience == Audience::Everybody);
        seen.reopenings.clear();
    }
    Some(seen)
}

/// What inspectors asked after the hand-over, and what was answered: the unit has to see that, not what came of it.
fn show_later_requests(case: &Case, seen: &mut Case) {
    seen.requests.clone_from(&case.requests);
    seen.explanations.clone_from(&case.explanations);
    seen.statements.clone_from(&case.statements);
    let known = seen.items.len();
    seen.items.extend(case.items.iter().skip(known).cloned());
    seen.items.iter_mut().skip(known).for_each(|item| item.checks.clear());
}
