//! Who is named on the paper of a case, and which accounts these people have.
//!
//! Resolved when an event is written, from the orders, units, drivers and accounts as they are then: a log reads the same whatever
//! changes later. A name that fits several accounts is nobody's, and nobody's name keeps no case waiting.

use std::collections::BTreeSet;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{
    self, Case, CaseKey, Event, Part, Party, PersonId, Subject, UnitTree, parties,
};
use motorpool_supervision::finding::Finding;
use motorpool_supervision::ids::{DriverId, OrderId, UnitId, VehicleId};
use motorpool_supervision::register::{Driver, Order, Unit, Versioned};
use motorpool_supervision::world::World;
use tokio::sync::OnceCell;

use super::cases::{CaseError, append_as_system, load};
use super::judging;
use super::sight::parties_of;
use crate::accounts::Role;
use crate::registry::accounts::{Account, Grant};
use crate::registry::{self, CaseFilter, Known, Registry, RowScope, TokenPerson};

/// Cases listed at once.
const ROWS_AT_ONCE: u32 = 1_000;

/// Somebody who may be something in a case.
#[derive(Debug)]
struct Somebody {
    person: PersonId,
    /// What paper may call the person: the account's name, and that of the row of the register of drivers.
    names: Vec<String>,
    driver: Option<DriverId>,
    /// The unit the person belongs to.
    home: Option<UnitId>,
    /// The units that roles were given on, each with all below it; `None` = everything.
    over: Vec<Option<UnitId>>,
}

impl Somebody {
    fn of_account((account, grants): (Account, Vec<Grant>), drivers: &[Versioned<Driver>]) -> Self {
        let row =
            account.driver.and_then(|driver| name_of(drivers, driver)).map(|name| name.trim().to_owned());
        // What a driver is given is for the own cars alone.
        let over = grants.iter().filter(|grant| grant.role != Role::Driver).map(|grant| grant.unit).collect();
        let names = [account.display_name.trim().to_owned()].into_iter().chain(row).collect();
        Self { person: account.person, names, driver: account.driver, home: account.unit, over }
    }

    fn of_token(person: &TokenPerson, units: &UnitTree) -> Self {
        let is_reviewing = |role: &cases::Role| Role::of_cases(*role).is_some_and(Role::is_reviewing);
        // A body serves what the unit above it has below it.
        let served = units.path(person.unit).iter().rev().nth(1).copied();
        let top = served.filter(|_| person.roles.iter().any(is_reviewing)).unwrap_or(person.unit);
        Self {
            person: person.id,
            names: vec![person.name.trim().to_owned()],
            driver: None,
            home: Some(person.unit),
            over: vec![Some(top)],
        }
    }

    fn is_of(&self, unit: UnitId, units: &UnitTree) -> bool {
        self.home.is_some_and(|home| units.is_within(home, unit))
    }

    /// Whether paper of `unit` may well speak of this person and not of a namesake elsewhere.
    fn concerns(&self, unit: UnitId, units: &UnitTree) -> bool {
        let covers = |top: UnitId| units.is_within(unit, top);
        self.is_of(unit, units)
            || self.home.is_some_and(covers)
            || self.over.iter().any(|top| top.is_none_or(covers))
    }
}

/// Everybody who may be something in a case, by account or token.
#[derive(Debug)]
struct Directory {
    people: Vec<Somebody>,
    units: UnitTree,
}

impl Directory {
    async fn read(
        registry: &Registry,
        units: &[Versioned<Unit>],
        drivers: &[Versioned<Driver>],
        now: UtcMillis,
    ) -> Result<Self, registry::Error> {
        let valid = units.iter().filter(|row| row.valid.contains(now));
        let units = UnitTree::new(valid.map(|row| (UnitId(row.id), &row.row)));
        let is_in_cases =
            |(_, grants): &(Account, Vec<Grant>)| grants.iter().any(|grant| grant.role.in_cases().is_some());
        let accounts = registry.people().in_force(now).await?.into_iter().filter(is_in_cases);
        let mut people: Vec<Somebody> =
            accounts.map(|account| Somebody::of_account(account, drivers)).collect();
        let tokens = registry.tokens();
        let is_in_force = |at: Option<UtcMillis>| at.is_none_or(|at| now < at);
        let of_tokens = tokens.iter().filter(|token| is_in_force(token.expires_at));
        let of_tokens = of_tokens.filter_map(|token| token.person.as_ref());
        people.extend(of_tokens.map(|person| Somebody::of_token(person, &units)));
        Ok(Self { people, units })
    }

    /// The account of a name on an order, or on the paper of `unit`: by the driver's number, else by the name, if only one account can be
    /// meant. The people of the unit come before those who look after it from outside.
    fn account(&self, part: Part, name: &str, order: Option<&Order>, unit: UnitId) -> Option<PersonId> {
        let driver = order.and_then(|order| order.driver_id).filter(|_| part == Part::Driver);
        let by_number = self.people.iter().filter(|one| driver.is_some() && one.driver == driver);
        if let Some(person) = only(by_number) {
            return Some(person);
        }
        let unit = order.map_or(unit, |order| order.unit);
        let is_meant = |one: &&Somebody| {
            let is_another = driver.is_some() && one.driver.is_some_and(|own| Some(own) != driver);
            !is_another && one.names.iter().any(|own| own == name) && one.concerns(unit, &self.units)
        };
        let (own, others): (Vec<&Somebody>, Vec<&Somebody>) =
            self.people.iter().filter(is_meant).partition(|one| one.is_of(unit, &self.units));
        if own.is_empty() { only(others) } else { only(own) }
    }
}

/// What the newest row of the register calls a driver.
fn name_of(drivers: &[Versioned<Driver>], driver: DriverId) -> Option<&str> {
    let rows = drivers.iter().filter(|row| row.id == driver.0);
    rows.max_by_key(|row| row.version).map(|row| row.row.name.as_str())
}

/// The person of the only one there is.
fn only<'a>(people: impl IntoIterator<Item = &'a Somebody>) -> Option<PersonId> {
    let mut people = people.into_iter();
    let first = people.next()?;
    people.next().is_none().then_some(first.person)
}

/// The paper of cases: what a world says of it, and accounts, which are read when somebody is named.
pub(super) struct Paper<'a> {
    registry: &'a Registry,
    world: &'a World,
    now: UtcMillis,
    directory: OnceCell<Directory>,
}

impl<'a> Paper<'a> {
    pub(super) fn new(registry: &'a Registry, world: &'a World, now: UtcMillis) -> Self {
        Self { registry, world, now, directory: OnceCell::new() }
    }

    /// Who is named in a case of `unit`, besides who was named `before`: on the orders that these findings considered, or, where there
    /// are none, on the orders of that car and day.
    pub(super) async fn parties<'f>(
        &self,
        (key, unit): (CaseKey, UnitId),
        before: &[Party],
        findings: impl Iterator<Item = &'f Finding>,
    ) -> Result<Vec<Party>, registry::Error> {
        let orders = self.orders(key, findings);
        if orders.is_empty() && before.iter().all(|party| party.person.is_some()) {
            return Ok(before.to_vec());
        }
        let register = self.world.register();
        let read = || Directory::read(self.registry, &register.units, &register.drivers, self.now);
        let directory = self.directory.get_or_try_init(read).await?;
        Ok(parties(before, &orders, |part, name, order| directory.account(part, name, order, unit)))
    }

    fn orders<'f>(&self, key: CaseKey, findings: impl Iterator<Item = &'f Finding>) -> Vec<Order> {
        let considered: BTreeSet<OrderId> =
            findings.flat_map(|finding| &finding.orders).map(|order| order.id).collect();
        if considered.is_empty() {
            return match key.subject {
                Subject::Vehicle(vehicle) => self.orders_of_day(vehicle, key.day),
                Subject::Unit(_) => Vec::new(),
            };
        }
        let orders = self.world.register().orders.iter();
        let orders = orders.filter(|order| considered.contains(&OrderId(order.id)));
        orders.map(|order| self.with_driver(&order.row)).collect()
    }

    fn orders_of_day(&self, vehicle: VehicleId, day: Date) -> Vec<Order> {
        let (begin, end) = (self.world.instant(day, 0), self.world.instant(day, 1_440));
        let orders = self.world.orders(vehicle).map(|order| &order.row);
        let orders = orders.filter(|order| {
            let out = order.planned_out.min(order.actual_out.unwrap_or(order.planned_out));
            let back = order.planned_in.max(order.actual_in.unwrap_or(order.planned_in));
            order.state.can_cover() && out < end && begin <= back
        });
        orders.map(|order| self.with_driver(order)).collect()
    }

    /// The order, with the driver's name where it has only the number.
    fn with_driver(&self, order: &Order) -> Order {
        let mut order = order.clone();
        let unnamed = order.driver_id.filter(|_| order.driver.trim().is_empty());
        if let Some(name) = unnamed.and_then(|driver| name_of(&self.world.register().drivers, driver)) {
            name.clone_into(&mut order.driver);
        }
        order
    }
}

/// The event that names the people of a case anew, if they differ from those that it names.
pub(super) fn renamed(case: &Case, parties: Vec<Party>) -> Option<Event> {
    (parties != case.parties).then_some(Event::PartiesNamed { parties })
}

/// Who is named on the orders of a car's day, for a case that somebody's tip opens.
///
/// # Errors
/// When registers or accounts can't be read.
pub async fn parties_of_day(
    registry: &Registry,
    time_zone: &str,
    (key, unit): (CaseKey, UnitId),
    now: UtcMillis,
) -> anyhow::Result<Vec<Party>> {
    let Subject::Vehicle(vehicle) = key.subject else { return Ok(Vec::new()) };
    let scope = RowScope::Vehicles(BTreeSet::from([vehicle]));
    let (world, _) = judging::world(registry, &scope, time_zone, (key.day, key.day), Known::Now).await?;
    Ok(Paper::new(registry, &world, now).parties((key, unit), &[], std::iter::empty()).await?)
}

/// Links the people whom cases name to their accounts, after an account was made or changed or has another role.
///
/// # Errors
/// When cases, registers or accounts can't be read, or somebody else was faster in a case.
pub async fn link_account(registry: &Registry, account: i64, now: UtcMillis) -> Result<(), CaseError> {
    let units = registry.rows::<Unit>(Known::Now).await?;
    let Some(account) = registry.people().account(account).await? else { return Ok(()) };
    let drivers = match account.driver {
        Some(driver) => registry.row::<Driver>(driver.0, Known::Now).await?,
        None => Vec::new(),
    };
    let directory = Directory::read(registry, &units, &drivers, now).await?;
    let Some(somebody) = directory.people.iter().find(|one| one.person == account.person) else {
        return Ok(());
    };
    let is_meant = |party: &Party| party.person.is_none() && somebody.names.contains(&party.name);
    let mut filter = CaseFilter { limit: ROWS_AT_ONCE, ..CaseFilter::default() };
    loop {
        let rows = registry.cases(&filter).await?;
        for row in rows.iter().filter(|row| parties_of(row).iter().any(is_meant)) {
            let Some(case) = load(registry, &row.case_id).await? else { continue };
            let unit = case.unit;
            let named =
                parties(&case.parties, [], |part, name, order| directory.account(part, name, order, unit));
            if let Some(event) = renamed(&case, named) {
                append_as_system(registry, case, vec![event], now).await?;
            }
        }
        filter.after = rows.last().map(|row| (row.rank, row.case_id.clone()));
        if rows.len() < ROWS_AT_ONCE as usize {
            return Ok(());
        }
    }
}
