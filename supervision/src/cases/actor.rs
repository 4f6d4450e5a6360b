//! Who does something in a case. An actor is written into each event as it was then, so that a log reads the same after a
//! person has changed unit or name. It grants nothing by itself; [`super::policy`] does.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::UnitId;

/// A person with an account; 0 is the server itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[expect(clippy::exhaustive_structs, reason = "a number with a name")]
pub struct PersonId(pub i64);

impl PersonId {
    /// The server.
    pub const SYSTEM: Self = Self(0);
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a person may act as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the workflow's own list")]
pub enum Role {
    /// Supervises for the agency-affairs office (机关事务).
    OfficeSupervisor,
    /// Discipline inspector (纪检监察).
    Inspector,
    /// Inspector of a resident group (派驻组).
    ResidentInspector,
    /// Answers for the cars of a unit.
    FleetManager,
    /// Dispatches (调度员).
    Dispatcher,
    /// Approves orders (审批人).
    Approver,
    /// Used the car (用车人).
    CarUser,
    /// Drives (驾驶员).
    Driver,
    /// The server itself.
    System,
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "built from an account, or by tests")]
pub struct Actor {
    /// The person.
    pub person: PersonId,
    /// Name, as it was then.
    pub name: String,
    /// What the person may act as.
    pub roles: BTreeSet<Role>,
    /// The unit the person belongs to and those above it, root first; empty for the server.
    pub unit_path: Vec<UnitId>,
    /// Whether the person holds the grant for cars on secret work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_secret_grant: bool,
}

impl Actor {
    /// The server itself.
    #[must_use]
    pub fn system() -> Self {
        Self {
            person: PersonId::SYSTEM,
            name: "系统".to_owned(),
            roles: BTreeSet::from([Role::System]),
            unit_path: Vec::new(),
            has_secret_grant: true,
        }
    }

    /// The unit the person belongs to.
    #[must_use]
    pub fn unit(&self) -> Option<UnitId> {
        self.unit_path.last().copied()
    }

    /// Whether the person may act as `role`.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether this is the server.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.is(Role::System)
    }

    /// Whether the person may confirm a violation where it is otherwise in order.
    #[must_use]
    pub fn is_inspector(&self) -> bool {
        self.is(Role::Inspector) || self.is(Role::ResidentInspector)
    }

    /// Whether the person reviews for anybody.
    #[must_use]
    pub fn is_reviewer(&self) -> bool {
        self.is_inspector() || self.is(Role::OfficeSupervisor)
    }
}
