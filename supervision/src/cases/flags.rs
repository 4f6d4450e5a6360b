//! A flag as a case keeps it: what the workflow needs of a finding, and what became of it. The finding itself stays in the
//! registry and in the evidence.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::UtcMillis;
use crate::finding::{Colour, Finding, FindingId, Nature, Rule};
use crate::ids::UnitId;

/// One version of a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Flag {
    /// Identity of the finding.
    pub id: FindingId,
    /// The rule.
    pub rule: Rule,
    /// Version of its code.
    pub rule_version: u16,
    /// Which of the rule's questions.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub aspect: Cow<'static, str>,
    /// Yellow or red.
    pub colour: Colour,
    /// What kind of question.
    pub nature: Nature,
    /// The unit that had the vehicle.
    pub unit: UnitId,
    /// First instant it speaks of.
    pub from: UtcMillis,
    /// Last instant it speaks of.
    pub to: UtcMillis,
}

impl From<&Finding> for Flag {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id(),
            rule: finding.rule,
            rule_version: finding.rule_version,
            aspect: finding.aspect.clone(),
            colour: finding.colour,
            nature: finding.nature,
            unit: finding.unit,
            from: finding.from,
            to: finding.to,
        }
    }
}

impl Flag {
    /// Whether it asks about conduct in red: the only kind that can bring a closed case back.
    #[must_use]
    pub fn is_conduct_red(&self) -> bool {
        self.nature == Nature::Conduct && self.colour == Colour::Red
    }

    /// How many milliseconds both speak of; 0 when they only touch, `None` when they share nothing.
    #[must_use]
    pub(super) fn overlap_ms(&self, other: &Self) -> Option<i64> {
        let shared = self.to.0.min(other.to.0).checked_sub(self.from.0.max(other.from.0))?;
        (shared >= 0).then_some(shared)
    }

    /// Whether both are the same question of the same rule.
    pub(super) fn is_same_question(&self, other: &Self) -> bool {
        self.rule == other.rule && self.aspect == other.aspect
    }

    /// Whether `other` asks for the paper of what this one asks: the same rule, now a question of paper.
    pub(super) fn is_paper_for(&self, other: &Self) -> bool {
        self.rule == other.rule && self.nature == Nature::Conduct && other.nature == Nature::Paperwork
    }
}

/// Why a flag no longer holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every reason")]
pub enum GoneReason {
    /// Fixes that came late changed the track.
    LateFixes,
    /// An order that had been recorded before the departure arrived late from another system, and that was approved.
    OrderArrived {
        /// Its number.
        no: String,
    },
    /// A change of the registry that was approved.
    RegistryChanged {
        /// The change.
        change: i64,
    },
    /// The code of the rule changed.
    CodeChanged {
        /// Version of the code that no longer finds it.
        version: u16,
    },
    /// A person believed the late paper.
    PaperAccepted,
}

/// What became of a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every status")]
pub enum FlagStatus {
    /// It holds.
    Holds,
    /// 补单待核: paper came after the departure, nobody has looked yet. Shown yellow, never clear.
    AwaitsPaperCheck {
        /// Number of the order.
        order_no: String,
        /// When it was recorded.
        recorded_at: UtcMillis,
    },
    /// A later version took its place.
    Superseded {
        /// Which.
        by: FindingId,
    },
    /// It no longer holds.
    Gone {
        /// Why.
        reason: GoneReason,
    },
}

/// A flag and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct CaseFlag {
    /// The flag.
    #[serde(flatten)]
    pub flag: Flag,
    /// What became of it.
    pub standing: FlagStatus,
}

impl CaseFlag {
    /// Whether it still asks something.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.standing, FlagStatus::Holds | FlagStatus::AwaitsPaperCheck { .. })
    }

    /// Its colour as shown: late paper makes it yellow and no better.
    #[must_use]
    pub const fn colour(&self) -> Colour {
        match self.standing {
            FlagStatus::Holds => self.flag.colour,
            FlagStatus::AwaitsPaperCheck { .. } => Colour::Yellow,
            FlagStatus::Superseded { .. } | FlagStatus::Gone { .. } => Colour::Green,
        }
    }
}
