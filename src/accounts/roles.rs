//! Roles and what each may do: one table, and which roles exclude each other.
//!
//! | role | may |
//! | --- | --- |
//! | system-admin | devices, connections, webhooks, the state of the server; no positions, no tracks, no cases |
//! | security-admin | accounts and grants; nothing that they give access to |
//! | audit-admin | read the audit log and who has an account; change nothing |
//! | dispatcher | positions, tracks, trips, orders, answer in cases |
//! | approver | positions, trips, read and approve orders, answer in cases |
//! | fleet-manager | as dispatcher, with the registers and zones of the unit, but no units: those are the office's |
//! | driver | the own orders, the trips under them, reports from the road, statements |
//! | office-supervisor | everything about cars, registers and cases of the mandate |
//! | inspector, resident-inspector | read everything about cars, act in cases, place and lift holds |
//! | finance | registers, ledgers and reports, no places |
//! | viewer | positions, trips, reports |
//!
//! The three administrators of 等保 (三员) hold no other role: what one of them could do to hide a deed, another sees. Whoever reviews
//! does not answer for cars as well, not even for those of another unit.

use motorpool_supervision::cases;
use serde::{Deserialize, Serialize};

/// What an account may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the table's own list")]
pub enum Role {
    /// 系统管理员.
    SystemAdmin,
    /// 安全管理员.
    SecurityAdmin,
    /// 审计管理员.
    AuditAdmin,
    /// 调度员.
    Dispatcher,
    /// 审批人.
    Approver,
    /// Answers for the cars of a unit.
    FleetManager,
    /// 驾驶员.
    Driver,
    /// 机关事务.
    OfficeSupervisor,
    /// 纪检监察.
    Inspector,
    /// 派驻组.
    ResidentInspector,
    /// Pays the bills.
    Finance,
    /// Looks.
    Viewer,
}

/// Something that takes a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the table's own list")]
pub enum Permission {
    /// Last positions.
    #[serde(rename = "positions:read")]
    PositionsRead,
    /// Tracks, fix by fix.
    #[serde(rename = "tracks:read")]
    TracksRead,
    /// Trips, moves, stops, gaps.
    #[serde(rename = "trips:read")]
    TripsRead,
    /// A report from the road (行程报备).
    #[serde(rename = "trips:report")]
    TripsReport,
    /// Flags and cases.
    #[serde(rename = "cases:read")]
    CasesRead,
    /// What the case's own policy allows.
    #[serde(rename = "cases:act")]
    CasesAct,
    /// Orders and other paper of single trips.
    #[serde(rename = "orders:read")]
    OrdersRead,
    /// Write them.
    #[serde(rename = "orders:write")]
    OrdersWrite,
    /// Say yes or no to an order that was applied for, and nothing else about it.
    #[serde(rename = "orders:decide")]
    OrdersDecide,
    /// Approve what others propose to write.
    #[serde(rename = "orders:approve")]
    OrdersApprove,
    /// Registers.
    #[serde(rename = "registers:read")]
    RegistersRead,
    /// Write them.
    #[serde(rename = "registers:write")]
    RegistersWrite,
    /// Units: which there are, what they are called, where they stand.
    #[serde(rename = "units:write")]
    UnitsWrite,
    /// Fuel, tolls, repairs, rentals, mileage.
    #[serde(rename = "ledgers:write")]
    LedgersWrite,
    /// Zones and places.
    #[serde(rename = "zones:write")]
    ZonesWrite,
    /// What judging goes by: rule sets, exemptions, calendars, working hours.
    #[serde(rename = "rules:write")]
    RulesWrite,
    /// Devices and connections.
    #[serde(rename = "devices:read")]
    DevicesRead,
    /// Make devices known.
    #[serde(rename = "devices:enrol")]
    DevicesEnrol,
    /// Approve and block devices.
    #[serde(rename = "devices:write")]
    DevicesWrite,
    /// Monthly reports.
    #[serde(rename = "reports:read")]
    ReportsRead,
    /// Who has an account.
    #[serde(rename = "accounts:read")]
    AccountsRead,
    /// Accounts and grants.
    #[serde(rename = "accounts:write")]
    AccountsWrite,
    /// The audit log.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Holds: what must not be removed although its time is over.
    #[serde(rename = "holds:write")]
    HoldsWrite,
    /// Webhooks.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
    /// How the server is doing.
    #[serde(rename = "health:read")]
    HealthRead,
}

use Permission as P;

impl Permission {
    /// Every permission.
    pub const ALL: &'static [Self] = &[
        Self::PositionsRead,
        Self::TracksRead,
        Self::TripsRead,
        Self::TripsReport,
        Self::CasesRead,
        Self::CasesAct,
        Self::OrdersRead,
        Self::OrdersWrite,
        Self::OrdersDecide,
        Self::OrdersApprove,
        Self::RegistersRead,
        Self::RegistersWrite,
        Self::UnitsWrite,
        Self::LedgersWrite,
        Self::ZonesWrite,
        Self::RulesWrite,
        Self::DevicesRead,
        Self::DevicesEnrol,
        Self::DevicesWrite,
        Self::ReportsRead,
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::AuditRead,
        Self::HoldsWrite,
        Self::WebhooksWrite,
        Self::HealthRead,
    ];

    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PositionsRead => "positions:read",
            Self::TracksRead => "tracks:read",
            Self::TripsRead => "trips:read",
            Self::TripsReport => "trips:report",
            Self::CasesRead => "cases:read",
            Self::CasesAct => "cases:act",
            Self::OrdersRead => "orders:read",
            Self::OrdersWrite => "orders:write",
            Self::OrdersDecide => "orders:decide",
            Self::OrdersApprove => "orders:approve",
            Self::RegistersRead => "registers:read",
            Self::RegistersWrite => "registers:write",
            Self::UnitsWrite => "units:write",
            Self::LedgersWrite => "ledgers:write",
            Self::ZonesWrite => "zones:write",
            Self::RulesWrite => "rules:write",
            Self::DevicesRead => "devices:read",
            Self::DevicesEnrol => "devices:enrol",
            Self::DevicesWrite => "devices:write",
            Self::ReportsRead => "reports:read",
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::AuditRead => "audit:read",
            Self::HoldsWrite => "holds:write",
            Self::WebhooksWrite => "webhooks:write",
            Self::HealthRead => "health:read",
        }
    }
}

/// What somebody who answers for cars may read.
const DISPATCHER: &[Permission] = &[
    P::PositionsRead,
    P::TracksRead,
    P::TripsRead,
    P::TripsReport,
    P::CasesRead,
    P::CasesAct,
    P::OrdersRead,
    P::OrdersWrite,
    P::RegistersRead,
    P::DevicesRead,
    P::ReportsRead,
];

const FLEET_MANAGER: &[Permission] = &[
    P::PositionsRead,
    P::TracksRead,
    P::TripsRead,
    P::TripsReport,
    P::CasesRead,
    P::CasesAct,
    P::OrdersRead,
    P::OrdersWrite,
    P::RegistersRead,
    P::RegistersWrite,
    P::LedgersWrite,
    P::ZonesWrite,
    P::DevicesRead,
    P::ReportsRead,
];

const OFFICE: &[Permission] = &[
    P::PositionsRead,
    P::TracksRead,
    P::TripsRead,
    P::CasesRead,
    P::CasesAct,
    P::OrdersRead,
    P::OrdersWrite,
    P::OrdersDecide,
    P::OrdersApprove,
    P::RegistersRead,
    P::RegistersWrite,
    P::UnitsWrite,
    P::LedgersWrite,
    P::ZonesWrite,
    P::RulesWrite,
    P::DevicesRead,
    P::DevicesEnrol,
    P::DevicesWrite,
    P::ReportsRead,
    P::HealthRead,
];

const INSPECTOR: &[Permission] = &[
    P::PositionsRead,
    P::TracksRead,
    P::TripsRead,
    P::CasesRead,
    P::CasesAct,
    P::OrdersRead,
    P::OrdersApprove,
    P::RegistersRead,
    P::DevicesRead,
    P::ReportsRead,
    P::HoldsWrite,
];

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[
        Self::SystemAdmin,
        Self::SecurityAdmin,
        Self::AuditAdmin,
        Self::Dispatcher,
        Self::Approver,
        Self::FleetManager,
        Self::Driver,
        Self::OfficeSupervisor,
        Self::Inspector,
        Self::ResidentInspector,
        Self::Finance,
        Self::Viewer,
    ];

    /// The word used in the database, on the command line and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SystemAdmin => "system-admin",
            Self::SecurityAdmin => "security-admin",
            Self::AuditAdmin => "audit-admin",
            Self::Dispatcher => "dispatcher",
            Self::Approver => "approver",
            Self::FleetManager => "fleet-manager",
            Self::Driver => "driver",
            Self::OfficeSupervisor => "office-supervisor",
            Self::Inspector => "inspector",
            Self::ResidentInspector => "resident-inspector",
            Self::Finance => "finance",
            Self::Viewer => "viewer",
        }
    }

    /// What it is called in Chinese.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::SystemAdmin => "系统管理员",
            Self::SecurityAdmin => "安全管理员",
            Self::AuditAdmin => "审计管理员",
            Self::Dispatcher => "调度员",
            Self::Approver => "审批人",
            Self::FleetManager => "车辆管理员",
            Self::Driver => "驾驶员",
            Self::OfficeSupervisor => "机关事务监管",
            Self::Inspector => "纪检监察",
            Self::ResidentInspector => "派驻组",
            Self::Finance => "财务",
            Self::Viewer => "查看",
        }
    }

    /// The role with that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == word)
    }

    /// What it may do.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::SystemAdmin => {
                &[P::DevicesRead, P::DevicesEnrol, P::DevicesWrite, P::WebhooksWrite, P::HealthRead]
            }
            Self::SecurityAdmin => &[P::AccountsRead, P::AccountsWrite],
            Self::AuditAdmin => &[P::AuditRead, P::AccountsRead],
            Self::Dispatcher => DISPATCHER,
            Self::Approver => &[
                P::PositionsRead,
                P::TripsRead,
                P::CasesRead,
                P::CasesAct,
                P::OrdersRead,
                P::OrdersDecide,
                P::OrdersApprove,
                P::RegistersRead,
            ],
            Self::FleetManager => FLEET_MANAGER,
            Self::Driver => {
                &[P::PositionsRead, P::TripsRead, P::TripsReport, P::CasesRead, P::CasesAct, P::OrdersRead]
            }
            Self::OfficeSupervisor => OFFICE,
            Self::Inspector | Self::ResidentInspector => INSPECTOR,
            Self::Finance => &[P::OrdersRead, P::RegistersRead, P::LedgersWrite, P::ReportsRead],
            Self::Viewer => &[P::PositionsRead, P::TripsRead, P::ReportsRead],
        }
    }

    /// Whether it is one of the three administrators.
    #[must_use]
    pub const fn is_admin(self) -> bool {
        matches!(self, Self::SystemAdmin | Self::SecurityAdmin | Self::AuditAdmin)
    }

    /// Whether it decides in cases of others.
    #[must_use]
    pub const fn is_reviewing(self) -> bool {
        matches!(self, Self::OfficeSupervisor | Self::Inspector | Self::ResidentInspector)
    }

    /// Whether it answers for a unit in cases.
    #[must_use]
    pub const fn is_answering(self) -> bool {
        matches!(self, Self::FleetManager | Self::Dispatcher | Self::Approver)
    }

    /// What it is in a case, if anything.
    #[must_use]
    pub const fn in_cases(self) -> Option<cases::Role> {
        Some(match self {
            Self::OfficeSupervisor => cases::Role::OfficeSupervisor,
            Self::Inspector => cases::Role::Inspector,
            Self::ResidentInspector => cases::Role::ResidentInspector,
            Self::FleetManager => cases::Role::FleetManager,
            Self::Dispatcher => cases::Role::Dispatcher,
            Self::Approver => cases::Role::Approver,
            Self::Driver => cases::Role::Driver,
            Self::SystemAdmin | Self::SecurityAdmin | Self::AuditAdmin | Self::Finance | Self::Viewer => {
                return None;
            }
        })
    }

    /// The role that a token's role in cases stands for.
    #[must_use]
    pub const fn of_cases(role: cases::Role) -> Option<Self> {
        Some(match role {
            cases::Role::OfficeSupervisor => Self::OfficeSupervisor,
            cases::Role::Inspector => Self::Inspector,
            cases::Role::ResidentInspector => Self::ResidentInspector,
            cases::Role::FleetManager => Self::FleetManager,
            cases::Role::Dispatcher => Self::Dispatcher,
            cases::Role::Approver => Self::Approver,
            cases::Role::CarUser | cases::Role::Driver => Self::Driver,
            cases::Role::System => return None,
        })
    }
}

/// Whether one account may hold these roles: an administrator holds one role and no other, and nobody reviews and answers.
#[must_use]
pub fn may_be_held_together(roles: &[Role]) -> bool {
    let any = |is: fn(Role) -> bool| roles.iter().any(|role| is(*role));
    let are_many = roles.iter().any(|role| roles.first() != Some(role));
    let reviews_and_answers = any(Role::is_reviewing) && any(Role::is_answering);
    let is_admin_among_others = are_many && any(Role::is_admin);
    !is_admin_among_others && !reviews_and_answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_administrators_are_three_people() {
        for admin in Role::ALL.iter().copied().filter(|role| role.is_admin()) {
            assert!(may_be_held_together(&[admin]) && may_be_held_together(&[admin, admin]));
            for other in Role::ALL.iter().copied().filter(|role| *role != admin) {
                assert!(!may_be_held_together(&[admin, other]), "{admin:?} {other:?}");
                assert!(!may_be_held_together(&[other, admin]), "{other:?} {admin:?}");
            }
        }
        assert!(may_be_held_together(&[Role::Dispatcher, Role::FleetManager]) && may_be_held_together(&[]));
    }

    #[test]
    fn nobody_reviews_and_answers() {
        for reviewer in [Role::OfficeSupervisor, Role::Inspector, Role::ResidentInspector] {
            for answering in [Role::FleetManager, Role::Dispatcher, Role::Approver] {
                assert!(!may_be_held_together(&[reviewer, answering]), "{reviewer:?} {answering:?}");
                assert!(!may_be_held_together(&[answering, reviewer]), "{answering:?} {reviewer:?}");
            }
            assert!(may_be_held_together(&[reviewer, Role::Driver, Role::OfficeSupervisor]), "{reviewer:?}");
        }
    }

    #[test]
    fn administrators_see_no_cars_and_auditors_change_nothing() {
        let of_cars =
            [P::PositionsRead, P::TracksRead, P::TripsRead, P::CasesRead, P::OrdersRead, P::RegistersRead];
        for admin in Role::ALL.iter().filter(|role| role.is_admin()) {
            assert!(!admin.permissions().iter().any(|permission| of_cars.contains(permission)), "{admin:?}");
        }
        assert!(
            Role::AuditAdmin.permissions().iter().all(|permission| permission.as_str().ends_with(":read"))
        );
        let writes_accounts = |role: &&Role| role.permissions().contains(&P::AccountsWrite);
        assert_eq!(Role::ALL.iter().filter(writes_accounts).collect::<Vec<_>>(), [&Role::SecurityAdmin]);
    }

    #[test]
    fn words_are_those_of_json_and_lead_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.as_str()), Some(*role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        for permission in Permission::ALL {
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.as_str());
        }
    }
}
