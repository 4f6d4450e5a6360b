//! The records that the state of a case is made of.

use std::collections::BTreeSet;

use serde::Serialize;

use super::actor::{Actor, PersonId};
use super::explanation::{Item, ItemCheck};
use super::ladder::{Ladder, Step};
use super::terms::{Audience, Closing, Sha256Sum};
use crate::UtcMillis;
use crate::finding::FindingId;
use crate::ids::UnitId;

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the workflow's own list")]
pub enum Stage {
    /// 预警.
    New,
    /// 核查.
    Checking,
    /// 待说明.
    ExplanationAsked,
    /// 已说明.
    Explained,
    /// Waits for the second person.
    Proposed,
    /// 结案.
    Closed,
}

/// Whose case it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the workflow's own list")]
pub enum Space {
    /// The agency-affairs office's.
    Office,
    /// The discipline inspectors'.
    Inspection,
}

/// A question that was put to the unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Request {
    /// To whom.
    pub to: UnitId,
    /// What.
    pub question: String,
    /// When it was delivered.
    pub delivered_at: UtcMillis,
    /// Its clock.
    pub ladder: Ladder,
    /// The highest step taken since.
    pub step: Option<Step>,
    /// Whether it was answered.
    pub is_answered: bool,
}

/// Words that somebody put into the case.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Said {
    /// Number of the event.
    pub seq: u32,
    /// When.
    pub at: UtcMillis,
    /// Who.
    pub by: Actor,
    /// What.
    pub text: String,
    /// Who may read it.
    pub audience: Audience,
}

/// An item of an explanation with all its checks, latest last.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct CaseItem {
    /// Number of the event that claimed it.
    pub seq: u32,
    /// What is claimed.
    #[serde(flatten)]
    pub item: Item,
    /// Its checks.
    pub checks: Vec<ItemCheck>,
}

/// An ending that waits for the second person.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Proposal {
    /// Who proposed it.
    pub by: Actor,
    /// What.
    pub closing: Closing,
    /// Where the case stood.
    pub from: Stage,
}

/// A decision that was made; reopening keeps it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Decision {
    /// When.
    pub at: UtcMillis,
    /// In whose space.
    pub space: Space,
    /// How.
    pub closing: Closing,
    /// Who decided.
    pub by: Actor,
    /// The second person, if it took one.
    pub confirmed_by: Option<Actor>,
    /// The versions of flags that it knew.
    pub knew: BTreeSet<FindingId>,
}

/// A confidential check (保密核查).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Confidential {
    /// Who began it.
    pub by: Actor,
    /// Why.
    pub text: String,
}

/// A change of the registry that was approved although it clears flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Clearance {
    /// Hash of the preview.
    pub preview: Sha256Sum,
    /// Who asked for the change.
    pub requested_by: PersonId,
    /// The second person.
    pub approved_by: PersonId,
}
