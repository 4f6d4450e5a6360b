//! The state of a case: the fold of its events.
//!
//! ```text
//! new ─▶ checking ─▶ explanation_asked ─▶ explained      an explanation may be asked for again
//!           └──────────────┴──────────────────┴─▶ proposed ─▶ closed      or closed at once, where one person may
//!
//! proposed ─▶ where it came from, when rejected          closed ─▶ checking, when reopened
//! closed ─▶ new, when it opens by itself                 handed over ─▶ new, in the inspectors' space
//! ```
//!
//! The fold knows the order of steps and what no setting may change: a violation is confirmed by two different inspectors
//! in their own space. Who else may do what is [`super::policy`].

use serde::Serialize;

use super::actor::{Actor, PersonId};
use super::events::{CaseEvent, Event, FORMAT};
use super::explanation::Item;
use super::flags::{CaseFlag, Flag, FlagStatus, GoneReason};
use super::ladder::Step;
use super::record::{CaseItem, Clearance, Confidential, Decision, Proposal, Request, Said, Space, Stage};
use super::terms::{
    Attachment, Audience, CaseKey, Closing, Disposition, Frozen, Party, ReturnReason, Source,
};
use crate::UtcMillis;
use crate::finding::{Colour, FindingId};
use crate::ids::UnitId;

/// Events of one case.
pub const MAX_EVENTS: u32 = 20_000;
/// Versions of flags in one case.
pub const MAX_CASE_FLAGS: usize = 5_000;
/// Items in all explanations of one case.
pub const MAX_CASE_ITEMS: usize = 1_000;
/// Attachments of one case.
pub const MAX_CASE_ATTACHMENTS: usize = 200;

/// A case.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a fold's state, read by everybody")]
pub struct Case {
    /// Its key.
    pub key: CaseKey,
    /// The unit under review.
    pub unit: UnitId,
    /// Why it was opened.
    pub source: Source,
    /// Whether the car is on secret work.
    pub is_secret: bool,
    /// Number of the last event.
    pub seq: u32,
    /// When it was opened.
    pub opened_at: UtcMillis,
    /// When the last event was recorded.
    pub changed_at: UtcMillis,
    /// Whose it is.
    pub space: Space,
    /// Where it stands.
    pub stage: Stage,
    /// All versions of all flags, oldest first.
    pub flags: Vec<CaseFlag>,
    /// Who is named on the paper.
    pub parties: Vec<Party>,
    /// Who works on it.
    pub assignee: Option<(PersonId, String)>,
    /// The evidence, once frozen.
    pub evidence: Option<Frozen>,
    /// Questions put to the unit, oldest first.
    pub requests: Vec<Request>,
    /// The drivers' own statements.
    pub statements: Vec<Said>,
    /// The words of explanations.
    pub explanations: Vec<Said>,
    /// The items of all explanations.
    pub items: Vec<CaseItem>,
    /// Remarks.
    pub comments: Vec<Said>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// The ending that waits for the second person.
    pub proposal: Option<Proposal>,
    /// Decisions, oldest first; the last one holds while the case is closed.
    pub decisions: Vec<Decision>,
    /// Reasons for which people opened it again.
    pub reopenings: Vec<Said>,
    /// Reasons for which it opened by itself.
    pub returns: Vec<ReturnReason>,
    /// Whether it is kept from the unit and from webhooks.
    pub confidential: Option<Confidential>,
    /// Changes of the registry that were approved although they clear flags of this case.
    pub clearances: Vec<Clearance>,
    /// Number of the blind plan it belongs to.
    pub lot: Option<u32>,
    /// The case as it was when it was handed over: all that the office and the unit see from then on.
    #[serde(skip)]
    pub at_hand_over: Option<Box<Self>>,
}

/// Why an event does not fit the state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// The first event must open the case, and no other may.
    #[error("only the first event opens a case, and it must")]
    NotOpening,
    /// The numbers have a gap or repeat.
    #[error("expected event {expected}")]
    Sequence {
        /// The number that was due.
        expected: u32,
    },
    /// It was recorded before the event before it.
    #[error("recorded before the event before it")]
    TimeGoesBack,
    /// Written by a later version of the program.
    #[error("format {0} is newer than this program")]
    Format(u16),
    /// Not possible where the case stands.
    #[error("not possible in stage {0:?}")]
    Stage(Stage),
    /// Not possible in whose space the case is.
    #[error("not possible in space {0:?}")]
    Space(Space),
    /// The flag is not there, is there already, or holds no more.
    #[error("flag {0} is unknown, repeated or no longer live")]
    Flag(FindingId),
    /// There is no such item.
    #[error("there is no item {0}")]
    Item(u32),
    /// The ladder only goes up.
    #[error("step {0:?} was taken already")]
    Step(Step),
    /// A violation is confirmed, not closed by one person.
    #[error("a violation takes two inspectors, a hand-over its own event")]
    TakesTwo,
    /// The same person.
    #[error("the second person must be another one")]
    SamePerson,
    /// Confirmed by somebody who is no inspector.
    #[error("only inspectors confirm a violation")]
    NotInspector,
    /// It is so already.
    #[error("it is so already")]
    Already,
    /// Too many of something.
    #[error("more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// At most.
        most: usize,
    },
}

/// Why a log can't be folded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// There are no events.
    #[error("a case without events")]
    Empty,
    /// An event does not fit.
    #[error("event {seq}: {misfit}")]
    Misfit {
        /// Its number.
        seq: u32,
        /// Why.
        misfit: Misfit,
    },
}

impl Case {
    /// The state after these events.
    ///
    /// # Errors
    /// The first event that does not fit.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a CaseEvent>) -> Result<Self, FoldError> {
        let mut events = events.into_iter();
        let first = events.next().ok_or(FoldError::Empty)?;
        let at = |seq| move |misfit| FoldError::Misfit { seq, misfit };
        let mut case = Self::open(first).map_err(at(first.seq))?;
        for event in events {
            case.apply(event).map_err(at(event.seq))?;
        }
        Ok(case)
    }

    /// The state after the event that opens a case.
    ///
    /// # Errors
    /// [`Misfit`] when it is another event or not the first.
    pub fn open(event: &CaseEvent) -> Result<Self, Misfit> {
        let Event::Opened { key, unit, source, flags, parties, is_secret } = &event.event else {
            return Err(Misfit::NotOpening);
        };
        check_format(event)?;
        if event.seq != 1 {
            return Err(Misfit::Sequence { expected: 1 });
        }
        let lot = match source {
            Source::Sample { plan } => Some(*plan),
            Source::Rules | Source::Tip { .. } => None,
        };
        let mut case = Self {
            key: *key,
            unit: *unit,
            source: source.clone(),
            is_secret: *is_secret,
            seq: 1,
            opened_at: event.at,
            changed_at: event.at,
            space: Space::Office,
            stage: Stage::New,
            flags: Vec::new(),
            parties: parties.clone(),
            assignee: None,
            evidence: None,
            requests: Vec::new(),
            statements: Vec::new(),
            explanations: Vec::new(),
            items: Vec::new(),
            comments: Vec::new(),
            attachments: Vec::new(),
            proposal: None,
            decisions: Vec::new(),
            reopenings: Vec::new(),
            returns: Vec::new(),
            confidential: None,
            clearances: Vec::new(),
            lot,
            at_hand_over: None,
        };
        flags.iter().try_for_each(|flag| case.add_flag(flag))?;
        Ok(case)
    }

    /// Goes one event further. On an error nothing has changed.
    ///
    /// # Errors
    /// Why the event does not fit.
    pub fn apply(&mut self, event: &CaseEvent) -> Result<(), Misfit> {
        check_format(event)?;
        let expected = self.seq.saturating_add(1);
        if event.seq != expected {
            return Err(Misfit::Sequence { expected });
        }
        if expected > MAX_EVENTS {
            return Err(Misfit::TooMany {
                what: "events",
                most: usize::try_from(MAX_EVENTS).unwrap_or(usize::MAX),
            });
        }
        if event.at < self.changed_at {
            return Err(Misfit::TimeGoesBack);
        }
        self.step(event)?;
        self.seq = event.seq;
        self.changed_at = event.at;
        Ok(())
    }

    fn step(&mut self, event: &CaseEvent) -> Result<(), Misfit> {
        match &event.event {
            Event::Opened { .. } => Err(Misfit::NotOpening),
            Event::FlagAdded { .. }
            | Event::FlagSuperseded { .. }
            | Event::FlagGone { .. }
            | Event::PaperCame { .. }
            | Event::PaperChecked { .. } => self.step_flags(&event.event),
            Event::CheckingStarted { .. }
            | Event::ExplanationAsked { .. }
            | Event::Escalated { .. }
            | Event::StatementMade { .. }
            | Event::ExplanationFiled { .. }
            | Event::ItemChecked { .. } => self.step_check(event),
            Event::ClosingProposed { .. }
            | Event::ClosingConfirmed { .. }
            | Event::ClosingRejected { .. }
            | Event::Closed { .. }
            | Event::HandedOver { .. }
            | Event::Reopened { .. }
            | Event::AutoReopened { .. } => self.step_decision(event),
            Event::PartiesNamed { .. }
            | Event::Assigned { .. }
            | Event::Commented { .. }
            | Event::Attached { .. }
            | Event::MadeConfidential { .. }
            | Event::Released { .. }
            | Event::ClearanceNoted { .. }
            | Event::PutInLot { .. } => self.step_beside(event),
        }
    }

    /// Flags change in every stage: judgement goes on while people decide.
    fn step_flags(&mut self, event: &Event) -> Result<(), Misfit> {
        match event {
            Event::FlagAdded { flag } => self.add_flag(flag),
            Event::FlagSuperseded { old, new } => {
                self.live(*old)?;
                self.add_flag(new)?;
                self.live(*old)?.standing = FlagStatus::Superseded { by: new.id };
                Ok(())
            }
            Event::FlagGone { flag, reason } => {
                self.live(*flag)?.standing = FlagStatus::Gone { reason: reason.clone() };
                Ok(())
            }
            Event::PaperCame { flag, order_no, recorded_at } => {
                self.live(*flag)?.standing =
                    FlagStatus::AwaitsPaperCheck { order_no: order_no.clone(), recorded_at: *recorded_at };
                Ok(())
            }
            Event::PaperChecked { flag, is_accepted, .. } => {
                let found = self.live(*flag)?;
                if !matches!(found.standing, FlagStatus::AwaitsPaperCheck { .. }) {
                    return Err(Misfit::Flag(*flag));
                }
                found.standing = if *is_accepted {
                    FlagStatus::Gone { reason: GoneReason::PaperAccepted }
                } else {
                    FlagStatus::Holds
                };
                Ok(())
            }
            // `step` sends nothing else here.
            _ => Err(Misfit::NotOpening),
        }
    }

    fn step_check(&mut self, event: &CaseEvent) -> Result<(), Misfit> {
        match &event.event {
            Event::CheckingStarted { evidence } => {
                self.needs(&[Stage::New])?;
                self.evidence = Some(*evidence);
                self.stage = Stage::Checking;
            }
            Event::ExplanationAsked { to, question, delivered_at, ladder } => {
                self.needs(&[Stage::Checking, Stage::Explained])?;
                self.requests.push(Request {
                    to: *to,
                    question: question.clone(),
                    delivered_at: *delivered_at,
                    ladder: *ladder,
                    step: None,
                    is_answered: false,
                });
                self.stage = Stage::ExplanationAsked;
            }
            Event::Escalated { step, .. } => {
                self.needs(&[Stage::ExplanationAsked])?;
                let request = self.requests.last_mut().ok_or(Misfit::Step(*step))?;
                if request.step >= Some(*step) {
                    return Err(Misfit::Step(*step));
                }
                request.step = Some(*step);
            }
            Event::StatementMade { text } => {
                self.needs_open()?;
                self.statements.push(said(event, text, Audience::Everybody));
            }
            Event::ExplanationFiled { items, text } => {
                self.needs(&[Stage::ExplanationAsked, Stage::Explained])?;
                room("items", self.items.len() + items.len(), MAX_CASE_ITEMS)?;
                let item = |item: &Item| CaseItem { seq: event.seq, item: item.clone(), checks: Vec::new() };
                self.items.extend(items.iter().map(item));
                self.explanations.push(said(event, text, Audience::Everybody));
                if let Some(request) = self.requests.last_mut() {
                    request.is_answered = true;
                }
                self.stage = Stage::Explained;
            }
            Event::ItemChecked { item, check } => {
                self.needs_open()?;
                let index = usize::try_from(*item).map_err(|_| Misfit::Item(*item))?;
                let found = self.items.get_mut(index).ok_or(Misfit::Item(*item))?;
                found.checks.push(check.clone());
            }
            _ => return Err(Misfit::NotOpening),
        }
        Ok(())
    }

    fn step_decision(&mut self, event: &CaseEvent) -> Result<(), Misfit> {
        match &event.event {
            Event::ClosingProposed { closing } => {
                self.needs(&[Stage::Checking, Stage::ExplanationAsked, Stage::Explained])?;
                self.fits_space(closing.disposition)?;
                self.proposal =
                    Some(Proposal { by: event.actor.clone(), closing: closing.clone(), from: self.stage });
                self.stage = Stage::Proposed;
            }
            Event::ClosingConfirmed { .. } => {
                self.needs(&[Stage::Proposed])?;
                let proposal = self.proposal.as_ref().ok_or(Misfit::Stage(self.stage))?;
                if proposal.by.person == event.actor.person {
                    return Err(Misfit::SamePerson);
                }
                let is_violation = matches!(proposal.closing.disposition, Disposition::Violation { .. });
                if is_violation && !(proposal.by.is_inspector() && event.actor.is_inspector()) {
                    return Err(Misfit::NotInspector);
                }
                let Proposal { by, closing, .. } = proposal.clone();
                self.proposal = None;
                self.decide(event.at, closing, by, Some(event.actor.clone()));
            }
            Event::ClosingRejected { .. } => {
                self.needs(&[Stage::Proposed])?;
                let proposal = self.proposal.take().ok_or(Misfit::Stage(self.stage))?;
                self.stage = proposal.from;
            }
            Event::Closed { closing } => {
                self.needs(&[Stage::Checking, Stage::ExplanationAsked, Stage::Explained])?;
                if matches!(closing.disposition, Disposition::Violation { .. } | Disposition::HandedOver) {
                    return Err(Misfit::TakesTwo);
                }
                self.decide(event.at, closing.clone(), event.actor.clone(), None);
            }
            Event::HandedOver { text } => {
                self.needs_open()?;
                self.fits_space(Disposition::HandedOver)?;
                self.proposal = None;
                let closing = Closing { disposition: Disposition::HandedOver, text: text.clone() };
                self.decide(event.at, closing, event.actor.clone(), None);
            }
            Event::Reopened { text } => {
                self.needs(&[Stage::Closed])?;
                self.reopenings.push(said(event, text, Audience::Reviewers));
                self.stage = Stage::Checking;
            }
            Event::AutoReopened { reason, .. } => {
                self.needs(&[Stage::Closed])?;
                self.returns.push(*reason);
                self.stage = Stage::New;
            }
            _ => return Err(Misfit::NotOpening),
        }
        Ok(())
    }

    fn step_beside(&mut self, event: &CaseEvent) -> Result<(), Misfit> {
        match &event.event {
            Event::PartiesNamed { parties } => self.parties.clone_from(parties),
            Event::Assigned { to, name } => {
                self.needs_open()?;
                self.assignee = to.map(|person| (person, name.clone()));
            }
            Event::Commented { audience, text } => self.comments.push(said(event, text, *audience)),
            Event::Attached { attachment } => {
                self.needs_open()?;
                room("attachments", self.attachments.len() + 1, MAX_CASE_ATTACHMENTS)?;
                self.attachments.push(attachment.clone());
            }
            Event::MadeConfidential { text } => {
                self.needs_open()?;
                if self.confidential.is_some() {
                    return Err(Misfit::Already);
                }
                self.confidential = Some(Confidential { by: event.actor.clone(), text: text.clone() });
            }
            Event::Released { .. } => {
                self.confidential.take().ok_or(Misfit::Already)?;
            }
            Event::ClearanceNoted { preview, requested_by, approved_by } => {
                if requested_by == approved_by {
                    return Err(Misfit::SamePerson);
                }
                self.clearances.push(Clearance {
                    preview: *preview,
                    requested_by: *requested_by,
                    approved_by: *approved_by,
                });
            }
            Event::PutInLot { plan } => {
                self.needs(&[Stage::New])?;
                if self.lot.is_some() {
                    return Err(Misfit::Already);
                }
                self.lot = Some(*plan);
            }
            _ => return Err(Misfit::NotOpening),
        }
        Ok(())
    }

    fn decide(&mut self, at: UtcMillis, closing: Closing, by: Actor, confirmed_by: Option<Actor>) {
        let is_handed_over = closing.disposition == Disposition::HandedOver;
        let knew = self.flags.iter().map(|known| known.flag.id).collect();
        self.decisions.push(Decision { at, space: self.space, closing, by, confirmed_by, knew });
        self.stage = Stage::Closed;
        if is_handed_over {
            self.changed_at = at;
            self.at_hand_over = Some(Box::new(Self { seq: self.seq.saturating_add(1), ..self.clone() }));
            self.space = Space::Inspection;
            self.stage = Stage::New;
            self.assignee = None;
        }
    }

    fn fits_space(&self, disposition: Disposition) -> Result<(), Misfit> {
        let fits = match disposition {
            Disposition::Violation { .. } => self.space == Space::Inspection,
            Disposition::HandedOver => self.space == Space::Office,
            Disposition::Normal { .. } | Disposition::ManagementProblem { .. } => true,
        };
        if fits { Ok(()) } else { Err(Misfit::Space(self.space)) }
    }

    fn needs(&self, stages: &[Stage]) -> Result<(), Misfit> {
        if stages.contains(&self.stage) { Ok(()) } else { Err(Misfit::Stage(self.stage)) }
    }

    fn needs_open(&self) -> Result<(), Misfit> {
        if self.stage == Stage::Closed { Err(Misfit::Stage(self.stage)) } else { Ok(()) }
    }

    /// A flag may come again after it had gone; it may not be live twice.
    fn add_flag(&mut self, flag: &Flag) -> Result<(), Misfit> {
        if self.live(flag.id).is_ok() {
            return Err(Misfit::Flag(flag.id));
        }
        room("flags", self.flags.len() + 1, MAX_CASE_FLAGS)?;
        self.flags.push(CaseFlag { flag: flag.clone(), standing: FlagStatus::Holds });
        Ok(())
    }

    fn live(&mut self, id: FindingId) -> Result<&mut CaseFlag, Misfit> {
        self.flags.iter_mut().find(|known| known.flag.id == id && known.is_live()).ok_or(Misfit::Flag(id))
    }

    /// The flags that still ask something.
    pub fn live_flags(&self) -> impl Iterator<Item = &CaseFlag> {
        self.flags.iter().filter(|known| known.is_live())
    }

    /// The gravest colour of what is live.
    #[must_use]
    pub fn colour(&self) -> Colour {
        self.live_flags().map(CaseFlag::colour).max().unwrap_or(Colour::Green)
    }

    /// The decision that holds: that of a closed case.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        self.decisions.last().filter(|_| self.stage == Stage::Closed)
    }

    /// The question that waits for an answer.
    #[must_use]
    pub fn open_request(&self) -> Option<&Request> {
        self.requests.last().filter(|_| self.stage == Stage::ExplanationAsked)
    }

    /// Whether its flags and its source are kept from the reviewers: it belongs to a blind lot and was never decided.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.lot.is_some() && self.decisions.is_empty()
    }
}

const fn check_format(event: &CaseEvent) -> Result<(), Misfit> {
    if event.v > FORMAT { Err(Misfit::Format(event.v)) } else { Ok(()) }
}

fn room(what: &'static str, needed: usize, most: usize) -> Result<(), Misfit> {
    if needed > most { Err(Misfit::TooMany { what, most }) } else { Ok(()) }
}

fn said(event: &CaseEvent, text: &str, audience: Audience) -> Said {
    Said { seq: event.seq, at: event.at, by: event.actor.clone(), text: text.to_owned(), audience }
}
