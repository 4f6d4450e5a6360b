//! Who calls: a person with an account who is logged in, or a bearer token, which may stand for a person too.

use std::collections::BTreeSet;
use std::sync::Arc;

use motorpool_supervision::cases::{self, PersonId};
use motorpool_supervision::ids::{DriverId, UnitId};

use super::roles::{Permission, Role, may_be_held_together};
use crate::registry::accounts::{Account, Grant, LoggedIn};
use crate::registry::{Scope as TokenScope, Token};

/// What somebody was given to look after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Mandate {
    /// As what; `None` = a machine.
    pub role: Option<Role>,
    /// Which part of the tree.
    pub over: Over,
    /// Whether cars on secret work too.
    pub is_secret: bool,
}

/// A part of the tree of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle each")]
pub enum Over {
    /// All of it, and what belongs to no unit.
    Everything,
    /// The unit and what is below it.
    Subtree(UnitId),
    /// What the unit above this one has below it: what a reviewing body serves.
    ServedBy(UnitId),
    /// Nothing but what is the caller's own.
    Own,
}

#[derive(Clone, Debug)]
enum Identity {
    Person(Box<LoggedIn>),
    Token(Arc<Token>),
}

/// Who calls. Made from a log-in or a token that was checked, and from nothing else.
#[derive(Clone, Debug)]
pub struct Caller {
    identity: Identity,
    permissions: BTreeSet<Permission>,
    ip: String,
}

impl Caller {
    /// Somebody who is logged in. Roles that exclude each other give nothing: such a row was not written by this program.
    #[must_use]
    pub fn person(logged_in: LoggedIn, ip: String) -> Self {
        let roles: Vec<Role> = logged_in.grants.iter().map(|grant| grant.role).collect();
        let may = !logged_in.account.must_change_password && may_be_held_together(&roles);
        let given = roles.iter().filter(|_| may).flat_map(|role| role.permissions());
        let permissions = given.copied().collect();
        Self { identity: Identity::Person(Box::new(logged_in)), permissions, ip }
    }

    /// A token. One that stands for a person may what that person's roles may, and no more.
    #[must_use]
    pub fn token(token: Arc<Token>, ip: String) -> Self {
        let may = |permission: &Permission| {
            token.person.as_ref().is_none_or(|person| {
                let roles = person.roles.iter().filter_map(|role| Role::of_cases(*role));
                roles.into_iter().any(|role| role.permissions().contains(permission))
            })
        };
        let scopes = token.scopes.iter().flat_map(|scope| of_scope(*scope)).copied();
        let permissions = scopes.filter(may).collect();
        Self { identity: Identity::Token(token), permissions, ip }
    }

    /// Whether it may do that somewhere.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Everything it may do somewhere.
    #[must_use]
    pub const fn permissions(&self) -> &BTreeSet<Permission> {
        &self.permissions
    }

    /// What tells callers apart, for example in the list of keys of repeated requests.
    #[must_use]
    pub fn id(&self) -> String {
        match &self.identity {
            Identity::Person(who) => format!("account {}", who.account.id),
            Identity::Token(token) => token.id.clone(),
        }
    }

    /// Who a change is written down for.
    #[must_use]
    pub fn recorded_as(&self) -> String {
        match &self.identity {
            Identity::Person(who) => format!("account {}", who.account.id),
            Identity::Token(token) => format!("token {}", token.id),
        }
    }

    /// The name that people read.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.identity {
            Identity::Person(who) => &who.account.display_name,
            Identity::Token(token) => &token.name,
        }
    }

    /// From where the call comes.
    #[must_use]
    pub fn ip(&self) -> &str {
        &self.ip
    }

    /// The account, when a person is logged in.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        match &self.identity {
            Identity::Person(who) => Some(&who.account),
            Identity::Token(_) => None,
        }
    }

    /// The grants that hold; none of a token.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        match &self.identity {
            Identity::Person(who) => &who.grants,
            Identity::Token(_) => &[],
        }
    }

    /// The number of the log-in.
    #[must_use]
    pub fn login(&self) -> Option<i64> {
        match &self.identity {
            Identity::Person(who) => Some(who.login),
            Identity::Token(_) => None,
        }
    }

    /// The person it stands for: number, name, home unit.
    #[must_use]
    pub fn stands_for(&self) -> Option<(PersonId, &str, Option<UnitId>)> {
        match &self.identity {
            Identity::Person(who) => {
                let first = who.grants.iter().find_map(|grant| grant.unit);
                Some((who.account.person, &who.account.display_name, who.account.unit.or(first)))
            }
            Identity::Token(token) => {
                token.person.as_ref().map(|person| (person.id, person.name.as_str(), Some(person.unit)))
            }
        }
    }

    /// The row of the register of drivers that it is.
    #[must_use]
    pub fn driver(&self) -> Option<DriverId> {
        self.account().and_then(|account| account.driver)
    }

    /// What it is in cases.
    #[must_use]
    pub fn case_roles(&self) -> BTreeSet<cases::Role> {
        match &self.identity {
            Identity::Person(who) => who.grants.iter().filter_map(|grant| grant.role.in_cases()).collect(),
            Identity::Token(token) => {
                token.person.as_ref().map(|person| person.roles.clone()).unwrap_or_default()
            }
        }
    }

    /// Whether some grant is for cars on secret work; what a driver is given is for the own cars alone.
    #[must_use]
    pub fn has_secret_grant(&self) -> bool {
        let counts = |grant: &Grant| grant.role != Role::Driver && grant.role.in_cases().is_some();
        self.grants().iter().any(|grant| grant.is_secret && counts(grant))
    }

    /// What it is in cases, each with the part of the tree for which it is that. A case takes those that cover its unit: roles on
    /// two units don't add up.
    #[must_use]
    pub fn case_mandates(&self) -> Vec<(cases::Role, Mandate)> {
        if !self.may(Permission::CasesRead) {
            return Vec::new();
        }
        match &self.identity {
            Identity::Person(who) => {
                let given = who.grants.iter();
                given.filter_map(|grant| Some((grant.role.in_cases()?, mandate_of(grant)))).collect()
            }
            Identity::Token(token) => {
                let people = token.person.iter();
                let given = people.flat_map(|person| person.roles.iter().map(|role| (*role, person.unit)));
                given
                    .filter_map(|(role, unit)| Some((role, token_mandate(Role::of_cases(role)?, unit))))
                    .collect()
            }
        }
    }

    /// What it was given to look after as far as `permission` goes.
    #[must_use]
    pub fn mandates(&self, permission: Permission) -> Vec<Mandate> {
        if !self.may(permission) {
            return Vec::new();
        }
        match &self.identity {
            Identity::Person(who) => {
                let given = who.grants.iter().filter(|grant| grant.role.permissions().contains(&permission));
                given.map(mandate_of).collect()
            }
            Identity::Token(token) => match &token.person {
                None => vec![Mandate { role: None, over: Over::Everything, is_secret: false }],
                Some(person) => {
                    let roles = person.roles.iter().filter_map(|role| Role::of_cases(*role));
                    roles.map(|role| token_mandate(role, person.unit)).collect()
                }
            },
        }
    }

    /// The token, when it is one.
    #[must_use]
    pub fn as_token(&self) -> Option<&Token> {
        match &self.identity {
            Identity::Person(_) => None,
            Identity::Token(token) => Some(token),
        }
    }

    /// Whether it is somebody who has to say what for before opening what a person did.
    #[must_use]
    pub const fn states_purposes(&self) -> bool {
        matches!(self.identity, Identity::Person(_))
    }

    /// Whether it sees what only who runs the server sees, for example whole network addresses.
    #[must_use]
    pub fn runs_the_server(&self) -> bool {
        match &self.identity {
            Identity::Person(who) => who.grants.iter().any(|grant| grant.role == Role::SystemAdmin),
            Identity::Token(token) => token.person.is_none() && token.allows(TokenScope::Admin),
        }
    }

    /// Whether it may read the description of the API: everybody but a token that only enrols.
    #[must_use]
    pub fn reads_the_document(&self) -> bool {
        let only_enrols = |token: &Token| !token.scopes.iter().any(|scope| *scope != TokenScope::Enrol);
        !self.as_token().is_some_and(only_enrols)
    }
}

fn mandate_of(grant: &Grant) -> Mandate {
    let over = match (grant.role, grant.unit) {
        (Role::Driver, _) => Over::Own,
        (_, Some(unit)) => Over::Subtree(unit),
        (_, None) => Over::Everything,
    };
    Mandate { role: Some(grant.role), over, is_secret: grant.is_secret }
}

/// A token's person was given roles, but no part of the tree: reviewers get what their body serves, others their unit.
fn token_mandate(role: Role, unit: UnitId) -> Mandate {
    let over = match role {
        Role::OfficeSupervisor | Role::Inspector | Role::ResidentInspector => Over::ServedBy(unit),
        Role::Driver => Over::Own,
        _ => Over::Subtree(unit),
    };
    Mandate { role: Some(role), over, is_secret: false }
}

use Permission as P;

const fn of_scope(scope: TokenScope) -> &'static [Permission] {
    match scope {
        TokenScope::Read => &[
            P::PositionsRead,
            P::TracksRead,
            P::TripsRead,
            P::OrdersRead,
            P::RegistersRead,
            P::DevicesRead,
            P::ReportsRead,
            P::HealthRead,
        ],
        TokenScope::Enrol => &[P::DevicesEnrol],
        TokenScope::WriteRegisters => &[
            P::OrdersWrite,
            P::OrdersDecide,
            P::OrdersApprove,
            P::RegistersWrite,
            P::UnitsWrite,
            P::LedgersWrite,
            P::ZonesWrite,
            P::RulesWrite,
            P::TripsReport,
        ],
        TokenScope::Supervise => &[P::CasesRead, P::CasesAct],
        TokenScope::Admin => P::ALL,
    }
}
