//! The demo's accounts: one for each role, all with one password that everybody may know, because they open nothing but a demo.

use std::collections::BTreeSet;

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DriverId, UnitId};
use motorpool_supervision::register::{Driver, Unit, UnitKind, Vehicle, Versioned};

use super::CLERK;
use crate::accounts::Role;
use crate::accounts::password::{DEMO_PASSWORD, Hasher};
use crate::registry::accounts::{NewAccount, NewGrant};
use crate::registry::{Known, Registry};

/// Where in the county somebody works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nowhere: administrators of everything.
    Nowhere,
    /// With the agency-affairs office, for the whole county.
    Office,
    /// With the discipline inspectors, for the whole county.
    Discipline,
    /// In an ordinary unit with cars.
    Unit,
}

/// Log-in name, what others read, role, place.
const PEOPLE: [(&str, &str, Role, Place); 13] = [
    ("inspector", "张纪检", Role::Inspector, Place::Discipline),
    ("inspector2", "赵纪检", Role::Inspector, Place::Discipline),
    ("office", "李监管", Role::OfficeSupervisor, Place::Office),
    ("office2", "孙监管", Role::OfficeSupervisor, Place::Office),
    ("manager", "王主任", Role::FleetManager, Place::Unit),
    ("dispatcher", "陈调度", Role::Dispatcher, Place::Unit),
    ("approver", "刘局长", Role::Approver, Place::Unit),
    ("driver", "", Role::Driver, Place::Unit),
    ("finance", "周会计", Role::Finance, Place::Unit),
    ("viewer", "吴科员", Role::Viewer, Place::Unit),
    ("system", "系统管理员", Role::SystemAdmin, Place::Nowhere),
    ("security", "安全管理员", Role::SecurityAdmin, Place::Nowhere),
    ("audit", "审计管理员", Role::AuditAdmin, Place::Nowhere),
];

/// The units of the made-up county that its people work in.
struct County {
    office: Option<UnitId>,
    discipline: Option<UnitId>,
    unit: UnitId,
    driver: Option<(DriverId, String)>,
}

/// Makes the accounts, unless the folder has some already. The unit that its people work in is one of those with a `misused` car.
///
/// # Errors
/// When the registry fails, or the county has no unit with a car.
pub(super) async fn make(
    registry: &Registry,
    misused: &BTreeSet<String>,
    now: UtcMillis,
) -> anyhow::Result<()> {
    if registry.people().has_accounts().await? {
        return Ok(());
    }
    let county = County::read(registry, misused, now).await?;
    let hash = Hasher::new().hash(DEMO_PASSWORD).await?;
    for (name, display_name, role, place) in PEOPLE {
        let (home, over) = match place {
            Place::Nowhere => (None, None),
            Place::Office => (county.office, None),
            Place::Discipline => (county.discipline, None),
            Place::Unit => (Some(county.unit), Some(county.unit)),
        };
        let driver = county.driver.as_ref().filter(|_| role == Role::Driver);
        let new = NewAccount {
            name: name.to_owned(),
            display_name: driver.map_or_else(|| display_name.to_owned(), |(_, name)| name.clone()),
            unit: home,
            driver: driver.map(|(id, _)| *id),
            is_demo: true,
        };
        let account = registry.people().create_account(&new, CLERK, now).await?;
        let grant = NewGrant { role, unit: over, is_secret: false, until: None };
        registry.people().grant(account.id, grant, CLERK, now).await?;
        registry.people().set_password(account.id, &hash, None, now).await?;
    }
    tell();
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what a person at the terminal needs to log in")]
fn tell() {
    let names: Vec<&str> = PEOPLE.iter().map(|(name, ..)| *name).collect();
    println!("demo accounts                 {}", names.join(" "));
    println!("password of all of them       {DEMO_PASSWORD}");
}

impl County {
    async fn read(registry: &Registry, misused: &BTreeSet<String>, now: UtcMillis) -> anyhow::Result<Self> {
        let units = registry.rows::<Unit>(Known::Now).await?;
        let of_kind = |kind: UnitKind| {
            let found = units.iter().find(|row| row.row.kind == kind && row.valid.contains(now));
            found.map(|row| UnitId(row.id))
        };
        let cars = registry.rows::<Vehicle>(Known::Now).await?;
        let unit = busiest(&units, &cars, misused).context("the county has no unit with cars")?;
        let drivers = registry.rows::<Driver>(Known::Now).await?;
        let driver = drivers.iter().find(|row| row.row.unit == unit);
        Ok(Self {
            office: of_kind(UnitKind::Office),
            discipline: of_kind(UnitKind::Discipline),
            unit,
            driver: driver.map(|row| (DriverId(row.id), row.row.name.clone())),
        })
    }
}

/// The ordinary unit with most cars of those that have something to explain: where there is something to see.
fn busiest(
    units: &[Versioned<Unit>],
    cars: &[Versioned<Vehicle>],
    misused: &BTreeSet<String>,
) -> Option<UnitId> {
    let ordinary = units.iter().filter(|row| row.row.kind == UnitKind::Ordinary).map(|row| UnitId(row.id));
    let count = |unit: &UnitId| cars.iter().filter(|row| row.row.unit == *unit).count();
    let is_asked =
        |unit: &UnitId| cars.iter().any(|row| row.row.unit == *unit && misused.contains(&row.row.plate));
    ordinary
        .max_by_key(|unit| (is_asked(unit), count(unit), std::cmp::Reverse(*unit)))
        .filter(|unit| count(unit) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_office_and_the_inspectors_are_two_each_so_that_four_eyes_can_finish() {
        for role in [Role::OfficeSupervisor, Role::Inspector] {
            assert_eq!(PEOPLE.iter().filter(|(_, _, held, _)| *held == role).count(), 2, "{role:?}");
        }
        let names: BTreeSet<&str> = PEOPLE.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names.len(), PEOPLE.len());
    }
}
