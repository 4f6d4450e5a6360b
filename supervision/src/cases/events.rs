//! What can happen in a case, as it is stored: an append-only log of [`CaseEvent`], one JSON object each. Events are never
//! changed or removed; [`super::state`] folds them.
//!
//! A tag that this program does not know is a clear error, never skipped: a state that leaves out an event is wrong.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actor::{Actor, PersonId};
use super::explanation::{Item, ItemCheck};
use super::flags::{Flag, GoneReason};
use super::ladder::{Ladder, Step};
use super::terms::{Attachment, Audience, CaseKey, Closing, Frozen, Party, ReturnReason, Sha256Sum, Source};
use crate::UtcMillis;
use crate::finding::FindingId;
use crate::ids::UnitId;

/// Version of the stored form. It grows when an old program could misread a new event.
pub const FORMAT: u16 = 1;
/// Longest text of a comment, statement, question or closing, characters.
pub const MAX_TEXT_CHARS: usize = 4_000;
/// Longest name of a person or file, or number of a paper, characters.
pub const MAX_NAME_CHARS: usize = 200;
/// Items in one explanation.
pub const MAX_ITEMS: usize = 50;
/// Flags in one event.
pub const MAX_FLAGS: usize = 500;
/// Largest attachment, bytes.
pub const MAX_ATTACHMENT_BYTES: u64 = 50 * 1024 * 1024;
/// Longest stored event, bytes.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident $tag:literal $({ $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })?;)*) => {
        /// What happened. The names of the stored form are the tags in snake case.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        #[expect(clippy::exhaustive_enums, reason = "the fold must handle every event")]
        pub enum Event {
            $($(#[$doc])* $name $({ $($(#[$fdoc])* $field: $ty,)* })?,)*
        }

        /// What somebody does: an [`Event`] without its content. Rights are decided by it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(clippy::exhaustive_enums, reason = "the policy must handle every action")]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// All, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The tag of its event in the stored form.
            #[must_use]
            pub const fn tag(self) -> &'static str {
                match self { $(Self::$name => $tag),* }
            }
        }

        impl Event {
            /// What is done by it.
            #[must_use]
            pub const fn action(&self) -> Action {
                match self { $(Self::$name { .. } => Action::$name),* }
            }
        }
    };
}

events! {
    /// The case begins.
    Opened "opened" {
        /// Its key.
        key: CaseKey,
        /// The unit that had the vehicle then: the unit under review.
        unit: UnitId,
        /// Why.
        source: Source,
        /// The flags known then.
        flags: Vec<Flag>,
        /// Who is named on the paper.
        parties: Vec<Party>,
        /// Whether the car is on secret work.
        is_secret: bool,
    };
    /// A further flag.
    FlagAdded "flag_added" {
        /// It.
        flag: Flag,
    };
    /// A new version of a flag.
    FlagSuperseded "flag_superseded" {
        /// The version before.
        old: FindingId,
        /// The version now.
        new: Flag,
    };
    /// A flag no longer holds; it stays in the case with the reason.
    FlagGone "flag_gone" {
        /// Which.
        flag: FindingId,
        /// Why.
        reason: GoneReason,
    };
    /// Paper came after the departure (补单待核): the flag stays until a person has looked at the paper.
    PaperCame "paper_came" {
        /// Which flag it speaks to.
        flag: FindingId,
        /// Number of the order.
        order_no: String,
        /// When it was recorded.
        recorded_at: UtcMillis,
    };
    /// A person looked at late paper.
    PaperChecked "paper_checked" {
        /// The flag.
        flag: FindingId,
        /// Whether the paper is believed.
        is_accepted: bool,
        /// In words.
        text: String,
    };
    /// Who is named on the paper, all of them anew.
    PartiesNamed "parties_named" {
        /// They.
        parties: Vec<Party>,
    };
    /// Given to somebody, or to nobody.
    Assigned "assigned" {
        /// To whom.
        to: Option<PersonId>,
        /// Name, as it was then.
        name: String,
    };
    /// 核查: the check begins, the evidence is frozen.
    CheckingStarted "checking_started" {
        /// The evidence.
        evidence: Frozen,
    };
    /// 待说明: the unit is asked.
    ExplanationAsked "explanation_asked" {
        /// The unit.
        to: UnitId,
        /// What is asked.
        question: String,
        /// When it was delivered; the clock runs from here.
        delivered_at: UtcMillis,
        /// The clock.
        ladder: Ladder,
    };
    /// No answer came in time; somebody was told. It says nothing about the car's use.
    Escalated "escalated" {
        /// Who was told.
        step: Step,
        /// The day until which an answer was due.
        due: Date,
    };
    /// The driver's own statement; nobody edits it.
    StatementMade "statement_made" {
        /// In the driver's words.
        text: String,
    };
    /// 已说明: an answer.
    ExplanationFiled "explanation_filed" {
        /// What is claimed, item by item.
        items: Vec<Item>,
        /// In words.
        text: String,
    };
    /// An item was held against the track.
    ItemChecked "item_checked" {
        /// Which, counted from 0 through all explanations of the case.
        item: u32,
        /// What came out.
        check: ItemCheck,
    };
    /// A remark.
    Commented "commented" {
        /// Who may read it.
        audience: Audience,
        /// In words.
        text: String,
    };
    /// A file was added.
    Attached "attached" {
        /// It.
        attachment: Attachment,
    };
    /// An ending that needs a second person.
    ClosingProposed "closing_proposed" {
        /// It.
        closing: Closing,
    };
    /// The second person agrees; the case is closed or handed over.
    ClosingConfirmed "closing_confirmed" {
        /// In words; may be empty.
        text: String,
    };
    /// The second person does not agree, or the first one takes it back.
    ClosingRejected "closing_rejected" {
        /// Why.
        text: String,
    };
    /// An ending that needs no second person.
    Closed "closed" {
        /// It.
        closing: Closing,
    };
    /// 移送问题线索 without a second person: the case goes on among the inspectors.
    HandedOver "handed_over" {
        /// Why.
        text: String,
    };
    /// 重开.
    Reopened "reopened" {
        /// Why.
        text: String,
    };
    /// A closed case opened by itself.
    AutoReopened "auto_reopened" {
        /// Why.
        reason: ReturnReason,
        /// Because of these.
        flags: Vec<FindingId>,
    };
    /// 保密核查 begins.
    MadeConfidential "made_confidential" {
        /// Why.
        text: String,
    };
    /// 保密核查 ends.
    Released "released" {
        /// Why.
        text: String,
    };
    /// A change of the registry that clears flags of this case was approved.
    ClearanceNoted "clearance_noted" {
        /// Hash of the preview that was approved.
        preview: Sha256Sum,
        /// Who asked for the change.
        requested_by: PersonId,
        /// The second person.
        approved_by: PersonId,
    };
    /// The case was put into a blind lot: its flags are not shown until it is closed.
    PutInLot "put_in_lot" {
        /// Number of the plan.
        plan: u32,
    };
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct CaseEvent {
    /// Version of the stored form.
    pub v: u16,
    /// 1 for the first event of a case, without gaps.
    pub seq: u32,
    /// When it was recorded; never goes back within a case.
    pub at: UtcMillis,
    /// Who.
    pub actor: Actor,
    /// What.
    pub event: Event,
}

/// Why a stored event can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Written by a later version of the program.
    #[error("event {seq} has format {format}, this program reads up to {FORMAT}: use a newer version")]
    NewerFormat {
        /// Its number, 0 when unknown.
        seq: u64,
        /// Its format.
        format: u64,
    },
    /// Of a kind that this program does not know.
    #[error("event {seq} is of the unknown type {tag:?}: use a newer version")]
    UnknownType {
        /// Its number, 0 when unknown.
        seq: u64,
        /// Its tag.
        tag: String,
    },
    /// Longer than [`MAX_EVENT_BYTES`].
    #[error("an event of {0} bytes is too long")]
    TooLong(usize),
    /// Not what it should be.
    #[error("a malformed event: {0}")]
    Malformed(String),
}

impl CaseEvent {
    /// Reads one line of the log.
    ///
    /// # Errors
    /// [`EventError`] says whether the program is too old or the line is damaged.
    pub fn from_json(text: &str) -> Result<Self, EventError> {
        if text.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLong(text.len()));
        }
        let malformed = |error: serde_json::Error| EventError::Malformed(error.to_string());
        let value: Value = serde_json::from_str(text).map_err(malformed)?;
        let seq = value.get("seq").and_then(Value::as_u64).unwrap_or(0);
        let format = value.get("v").and_then(Value::as_u64).unwrap_or(0);
        if format > u64::from(FORMAT) {
            return Err(EventError::NewerFormat { seq, format });
        }
        if let Some(tag) = value.pointer("/event/type").and_then(Value::as_str)
            && !Action::ALL.iter().any(|action| action.tag() == tag)
        {
            return Err(EventError::UnknownType { seq, tag: tag.chars().take(MAX_NAME_CHARS).collect() });
        }
        serde_json::from_value(value).map_err(malformed)
    }
}

/// What is too long, too many or missing in an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {least} to {most}, is {is}")]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct LimitError {
    /// Of what, for example `text, characters`.
    pub what: &'static str,
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
    /// What it is.
    pub is: u64,
}

impl Event {
    /// Holds lengths and counts against the limits, for events that come from outside. Stored events are not held against
    /// them, so that a log outlives a change of limits.
    ///
    /// # Errors
    /// The first limit that does not hold.
    pub fn check_limits(&self) -> Result<(), LimitError> {
        match self {
            Self::Opened { flags, parties, source, .. } => {
                count("flags", flags.len(), 0, MAX_FLAGS)?;
                check_parties(parties)?;
                match source {
                    Source::Tip { text } => written(text),
                    Source::Rules | Source::Sample { .. } => Ok(()),
                }
            }
            Self::PartiesNamed { parties } => check_parties(parties),
            Self::PaperCame { order_no, .. } => name(order_no),
            Self::Assigned { name: of, .. } => name(of),
            Self::ExplanationAsked { question, ladder, .. } => {
                written(question)?;
                ladder.check()
            }
            Self::ExplanationFiled { items, text } => {
                count("items", items.len(), 0, MAX_ITEMS)?;
                items.iter().try_for_each(Item::check_limits)?;
                // Items without words are an answer, words without items are one too; nothing at all is not.
                if items.is_empty() { written(text) } else { maybe_written(text) }
            }
            Self::ItemChecked { check, .. } => check.check_limits(),
            Self::Attached { attachment } => {
                name(&attachment.name)?;
                within("attachment, bytes", attachment.size_bytes, 1, MAX_ATTACHMENT_BYTES)
            }
            Self::AutoReopened { flags, .. } => count("flags", flags.len(), 1, MAX_FLAGS),
            Self::ClosingConfirmed { text } => maybe_written(text),
            Self::ClosingProposed { closing } | Self::Closed { closing } => written(&closing.text),
            Self::PaperChecked { text, .. }
            | Self::StatementMade { text }
            | Self::Commented { text, .. }
            | Self::ClosingRejected { text }
            | Self::HandedOver { text }
            | Self::Reopened { text }
            | Self::MadeConfidential { text }
            | Self::Released { text } => written(text),
            Self::FlagAdded { .. }
            | Self::FlagSuperseded { .. }
            | Self::FlagGone { .. }
            | Self::CheckingStarted { .. }
            | Self::Escalated { .. }
            | Self::ClearanceNoted { .. }
            | Self::PutInLot { .. } => Ok(()),
        }
    }
}

fn check_parties(parties: &[Party]) -> Result<(), LimitError> {
    count("parties", parties.len(), 0, MAX_ITEMS)?;
    parties.iter().try_for_each(|party| name(&party.name))
}

/// Text that must say something.
fn written(text: &str) -> Result<(), LimitError> {
    count("text, characters", text.trim().chars().count(), 1, MAX_TEXT_CHARS)
}

/// Text that may be empty.
pub(super) fn maybe_written(text: &str) -> Result<(), LimitError> {
    count("text, characters", text.chars().count(), 0, MAX_TEXT_CHARS)
}

/// A name or number that may be empty.
pub(super) fn name(text: &str) -> Result<(), LimitError> {
    count("name, characters", text.chars().count(), 0, MAX_NAME_CHARS)
}

fn count(what: &'static str, is: usize, least: usize, most: usize) -> Result<(), LimitError> {
    let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    within(what, wide(is), wide(least), wide(most))
}

pub(super) fn within(what: &'static str, is: u64, least: u64, most: u64) -> Result<(), LimitError> {
    if (least..=most).contains(&is) { Ok(()) } else { Err(LimitError { what, least, most, is }) }
}
