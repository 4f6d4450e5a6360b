//! Tests of cases: a made-up county and its people, and what they may do.

mod explanations;
mod judging;
mod properties;
mod queue;
mod workflow;

use jiff::civil::date;

use super::*;
use crate::UtcMillis;
use crate::finding::{Colour, FindingId, Nature, Rule};
use crate::ids::{UnitId, VehicleId};
use crate::register::{Unit, UnitKind};

/// 1 county: 2 office (with 5 its motor pool), 3 discipline (with 6 a resident group), 4 education (with 7 a school).
fn county() -> UnitTree {
    let unit = |parent: Option<i64>, kind| Unit { parent: parent.map(UnitId), kind, ..Unit::default() };
    let rows = [
        (1, unit(None, UnitKind::Ordinary)),
        (2, unit(Some(1), UnitKind::Office)),
        (3, unit(Some(1), UnitKind::Discipline)),
        (4, unit(Some(1), UnitKind::Ordinary)),
        (5, unit(Some(2), UnitKind::Ordinary)),
        (6, unit(Some(3), UnitKind::Resident)),
        (7, unit(Some(4), UnitKind::Ordinary)),
    ];
    UnitTree::new(rows.iter().map(|(id, unit)| (UnitId(*id), unit)))
}

fn actor(person: i64, unit: i64, roles: &[Role]) -> Actor {
    Actor {
        person: PersonId(person),
        name: format!("person {person}"),
        roles: roles.iter().copied().collect(),
        unit_path: county().path(UnitId(unit)),
        has_secret_grant: false,
    }
}

fn office() -> Actor {
    actor(10, 2, &[Role::OfficeSupervisor])
}

fn office_too() -> Actor {
    actor(11, 2, &[Role::OfficeSupervisor])
}

fn pool_supervisor() -> Actor {
    actor(12, 5, &[Role::OfficeSupervisor])
}

fn inspector() -> Actor {
    actor(20, 3, &[Role::Inspector])
}

fn inspector_too() -> Actor {
    actor(21, 3, &[Role::Inspector])
}

fn resident() -> Actor {
    actor(25, 6, &[Role::ResidentInspector])
}

fn manager() -> Actor {
    actor(30, 4, &[Role::FleetManager])
}

fn car_user() -> Actor {
    actor(31, 4, &[Role::CarUser])
}

fn driver() -> Actor {
    actor(32, 4, &[Role::Driver])
}

fn other_driver() -> Actor {
    actor(33, 4, &[Role::Driver])
}

fn school_dispatcher() -> Actor {
    actor(34, 7, &[Role::Dispatcher])
}

/// Reviews elsewhere, but belongs to the unit under review.
fn own_inspector() -> Actor {
    actor(35, 4, &[Role::Inspector, Role::OfficeSupervisor])
}

fn people() -> Vec<Actor> {
    vec![
        office(),
        office_too(),
        pool_supervisor(),
        inspector(),
        inspector_too(),
        resident(),
        manager(),
        car_user(),
        driver(),
        other_driver(),
        school_dispatcher(),
        own_inspector(),
        Actor::system(),
    ]
}

fn at(text: &str) -> UtcMillis {
    UtcMillis::from_rfc3339(text).unwrap()
}

fn now() -> UtcMillis {
    at("2026-03-02T01:00:00Z")
}

/// A red question about conduct.
fn flag(number: u8, rule: Rule, from: &str, to: &str) -> Flag {
    Flag {
        id: FindingId([number; 16]),
        rule,
        rule_version: 1,
        aspect: "".into(),
        colour: Colour::Red,
        nature: Nature::Conduct,
        unit: UnitId(4),
        from: at(from),
        to: at(to),
    }
}

fn sunday(number: u8, rule: Rule) -> Flag {
    flag(number, rule, "2026-03-01T02:00:00Z", "2026-03-01T04:00:00Z")
}

fn key() -> CaseKey {
    CaseKey { subject: Subject::Vehicle(VehicleId(7)), day: date(2026, 3, 1) }
}

fn party(part: Part, person: i64) -> Party {
    Party { part, name: format!("person {person}"), person: Some(PersonId(person)) }
}

fn opened(unit: i64, source: Source) -> Event {
    let is_sample = matches!(source, Source::Sample { .. });
    Event::Opened {
        key: key(),
        unit: UnitId(unit),
        source,
        flags: if is_sample { Vec::new() } else { vec![sunday(1, Rule::R01), sunday(2, Rule::R06)] },
        parties: vec![party(Part::CarUser, 31), party(Part::Driver, 32)],
        is_secret: false,
    }
}

fn text() -> String {
    "写明的理由".to_owned()
}

fn normal() -> Closing {
    Closing { disposition: Disposition::Normal { reason: NormalReason::Urgent }, text: text() }
}

fn problem() -> Closing {
    Closing { disposition: Disposition::ManagementProblem { remedy: Remedy::Rectify }, text: text() }
}

fn hand_over() -> Closing {
    Closing { disposition: Disposition::HandedOver, text: text() }
}

fn violation() -> Closing {
    Closing { disposition: Disposition::Violation { kind: ViolationKind::PrivateUse }, text: text() }
}

fn checking() -> Event {
    Event::CheckingStarted { evidence: Frozen { sha256: Sha256Sum([9; 32]), registry_change: 17 } }
}

fn asked() -> Event {
    Event::ExplanationAsked {
        to: UnitId(4),
        question: "周日上午的行程请说明".to_owned(),
        delivered_at: now(),
        ladder: Ladder::default(),
    }
}

fn explained() -> Event {
    let item = Item { claim: Claim::Person { name: "王某".to_owned() }, text: String::new() };
    Event::ExplanationFiled { items: vec![item], text: text() }
}

fn escalated(step: Step) -> Event {
    Event::Escalated { step, due: date(2026, 3, 5) }
}

/// An event of each kind, such as fits a case with the flags 1 (holds) and 2 (awaits a check of its paper).
fn example(action: Action) -> Event {
    let flag = FindingId([1; 16]);
    match action {
        Action::Opened => opened(4, Source::Tip { text: text() }),
        Action::FlagAdded => Event::FlagAdded { flag: sunday(3, Rule::R08) },
        Action::FlagSuperseded => Event::FlagSuperseded { old: flag, new: sunday(4, Rule::R01) },
        Action::FlagGone => Event::FlagGone { flag, reason: GoneReason::LateFixes },
        Action::PaperCame => Event::PaperCame { flag, order_no: "派 7".to_owned(), recorded_at: now() },
        Action::PaperChecked => {
            Event::PaperChecked { flag: FindingId([2; 16]), is_accepted: true, text: text() }
        }
        Action::PartiesNamed => Event::PartiesNamed { parties: vec![party(Part::Driver, 32)] },
        Action::Assigned => Event::Assigned { to: Some(PersonId(10)), name: "person 10".to_owned() },
        Action::CheckingStarted => checking(),
        Action::ExplanationAsked => asked(),
        Action::Escalated => escalated(Step::UnitManager),
        Action::StatementMade => Event::StatementMade { text: text() },
        Action::ExplanationFiled => explained(),
        Action::ItemChecked => Event::ItemChecked {
            item: 0,
            check: ItemCheck {
                result: Agreement::Unverifiable,
                basis: Basis::Reviewer { text: text() },
                measures: Vec::new(),
            },
        },
        Action::Commented => Event::Commented { audience: Audience::Everybody, text: text() },
        Action::Attached => Event::Attached {
            attachment: Attachment {
                sha256: Sha256Sum([7; 32]),
                name: "照片.jpg".to_owned(),
                size_bytes: 1_000,
            },
        },
        Action::ClosingProposed => Event::ClosingProposed { closing: normal() },
        Action::ClosingConfirmed => Event::ClosingConfirmed { text: String::new() },
        Action::ClosingRejected => Event::ClosingRejected { text: text() },
        Action::Closed => Event::Closed { closing: normal() },
        Action::HandedOver => Event::HandedOver { text: text() },
        Action::Reopened => Event::Reopened { text: text() },
        Action::AutoReopened => Event::AutoReopened { reason: ReturnReason::NewFlag, flags: vec![flag] },
        Action::MadeConfidential => Event::MadeConfidential { text: text() },
        Action::Released => Event::Released { text: text() },
        Action::ClearanceNoted => Event::ClearanceNoted {
            preview: Sha256Sum([1; 32]),
            requested_by: PersonId(1),
            approved_by: PersonId(2),
        },
        Action::PutInLot => Event::PutInLot { plan: 9 },
    }
}

/// A case with its log.
#[derive(Clone, Debug)]
struct Log {
    events: Vec<CaseEvent>,
    case: Case,
}

impl Log {
    fn open(unit: i64, source: Source) -> Self {
        let event =
            CaseEvent { v: FORMAT, seq: 1, at: now(), actor: Actor::system(), event: opened(unit, source) };
        Self { case: Case::open(&event).unwrap(), events: vec![event] }
    }

    fn submit(&mut self, actor: &Actor, event: Event) -> Result<(), Refused> {
        let (line, case) = submit(&self.case, actor, now(), event, &county(), &CasePolicy::default())?;
        self.events.push(line);
        self.case = case;
        Ok(())
    }

    /// The same; it must go.
    fn then(mut self, actor: &Actor, event: Event) -> Self {
        let what = format!("{event:?} by {}", actor.name);
        self.submit(actor, event).unwrap_or_else(|refused| panic!("{what}: {refused}"));
        self
    }

    fn may(&self, actor: &Actor, event: Event) -> Result<(), Refused> {
        self.clone().submit(actor, event)
    }
}

fn flagged() -> Log {
    Log::open(4, Source::Rules)
}

fn checked() -> Log {
    flagged().then(&office(), checking())
}

fn asked_unit() -> Log {
    checked().then(&office(), asked())
}

fn answered() -> Log {
    asked_unit().then(&car_user(), explained())
}

/// Handed over by two of the office, being checked by an inspector.
fn with_inspectors() -> Log {
    answered()
        .then(&office(), Event::ClosingProposed { closing: hand_over() })
        .then(&office_too(), Event::ClosingConfirmed { text: String::new() })
        .then(&inspector(), checking())
}
