//! The words of a case that its events are made of: keys, parties, sources, endings. The lists are closed; people choose from
//! them, programs never add to them.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::actor::PersonId;
use crate::hex;
use crate::ids::{UnitId, VehicleId};

/// What a case is about: a vehicle, or the orders of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle both")]
pub enum Subject {
    /// A vehicle.
    Vehicle(VehicleId),
    /// A unit's orders, for findings without a vehicle.
    Unit(UnitId),
}

/// The key of a case. All versions of all flags of one subject and day meet under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a key")]
pub struct CaseKey {
    /// What it is about.
    pub subject: Subject,
    /// The local day of the trip's start.
    pub day: Date,
}

/// A SHA-256, in hexadecimal when written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a hash")]
pub struct Sha256Sum(pub [u8; 32]);

impl fmt::Display for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256Sum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Sum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::parse(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not 64 hexadecimal digits"))
    }
}

/// Why a case was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every source")]
pub enum Source {
    /// Rules raised flags.
    Rules,
    /// A numbered plan drew a trip that had no flag. Hidden until the case is closed.
    Sample {
        /// Number of the plan.
        plan: u32,
    },
    /// Somebody told, for example a hotline (12345).
    Tip {
        /// What was told.
        text: String,
    },
}

/// What a person was on the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the paper's own list")]
pub enum Part {
    /// 用车人, who answers first.
    CarUser,
    /// 审批人.
    Approver,
    /// 调度员.
    Dispatcher,
    /// 驾驶员.
    Driver,
}

/// Somebody named on the paper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Party {
    /// As what.
    pub part: Part,
    /// Name as written.
    pub name: String,
    /// The account, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
}

/// What the check rests on from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Frozen {
    /// The evidence pack.
    pub sha256: Sha256Sum,
    /// Change of the registry that it was made at.
    pub registry_change: i64,
}

/// A file beside the case. Its bytes are kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Attachment {
    /// Of the bytes.
    pub sha256: Sha256Sum,
    /// Name as uploaded; shown, never used as a path.
    pub name: String,
    /// Size, bytes.
    pub size_bytes: u64,
}

/// Who may read a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle both")]
pub enum Audience {
    /// Those who review.
    Reviewers,
    /// Everybody who sees the case.
    Everybody,
}

/// Why nothing was wrong: the closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a closed list of the workflow")]
pub enum NormalReason {
    /// 公务属实-补单.
    DutyPaperLate,
    /// 紧急公务.
    Urgent,
    /// 执法执勤.
    LawEnforcement,
    /// 设备或定位误差.
    DeviceError,
    /// 规则误报.
    RuleWrong,
    /// 试车维修.
    TestOrRepair,
    /// 其他.
    Other,
}

/// What the unit has to do about a management problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a closed list of the workflow")]
pub enum Remedy {
    /// 提醒.
    Remind,
    /// 整改.
    Rectify,
}

/// What kind of violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a closed list of the workflow")]
pub enum ViolationKind {
    /// 公车私用.
    PrivateUse,
    /// 其他违规.
    Other,
}

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "disposition", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a closed list of the workflow")]
pub enum Disposition {
    /// 正常.
    Normal {
        /// Why.
        reason: NormalReason,
    },
    /// 管理问题.
    ManagementProblem {
        /// What follows.
        remedy: Remedy,
    },
    /// 移送问题线索: goes on among the inspectors.
    HandedOver,
    /// 认定: the inspectors only.
    Violation {
        /// Of what kind.
        kind: ViolationKind,
    },
}

/// An ending with its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Closing {
    /// How.
    #[serde(flatten)]
    pub disposition: Disposition,
    /// In words; never empty.
    pub text: String,
}

/// Why a closed case opened by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every reason")]
pub enum ReturnReason {
    /// A question that the decision did not know.
    NewFlag,
    /// A question that had gone is there again.
    FlagReturned,
    /// A question that the decision knew got graver.
    FlagGraver,
    /// A flagged case that was mixed into a blind sample was found normal.
    BlindControl,
}
