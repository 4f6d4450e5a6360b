//! Legal holds: what must not be removed although its time is over.
//!
//! A hold names a device, a vehicle, a unit or everything, and a period. Which devices and vehicles that makes is worked out when
//! something is to be removed, from every version of the registers that ever was: whoever takes a device off a car, or a car
//! out of a unit, does not take the data out of a hold. A hold is never deleted; it is lifted, by somebody else than who placed
//! it, with a reason: another person, or another token where it is a program's. At the command line of the machine itself nobody can
//! tell one from another.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Binding, Transfer, Unit, Vehicle};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::accounts::log::tell;
use super::db::Sql;
use super::devices::clean;
use super::{Error, Registry};
use crate::accounts::chain::Deed;
use crate::ids::DeviceId;

/// Who changes are written down for that are made at the command line: one name for all who may work there.
pub const COMMAND_LINE: &str = "command line";
/// Holds that were ever placed.
pub const HOLDS_MAX: i64 = 10_000;
/// Characters of a reason.
const REASON_CHARS: std::ops::RangeInclusive<usize> = 2..=500;

/// What a hold is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum HoldOn {
    /// Every device and vehicle.
    Everything,
    /// A device, wherever it is fitted.
    Device(DeviceId),
    /// A vehicle, with every device that was ever fitted to it.
    Vehicle(VehicleId),
    /// A unit with those below it: every vehicle that ever was theirs or lent to them.
    Unit(UnitId),
}

impl HoldOn {
    fn stored(self) -> (&'static str, Option<i64>) {
        match self {
            Self::Everything => ("everything", None),
            Self::Device(device) => ("device", Some(i64::from(device.0))),
            Self::Vehicle(vehicle) => ("vehicle", Some(vehicle.0)),
            Self::Unit(unit) => ("unit", Some(unit.0)),
        }
    }

    fn read(kind: &str, target: Option<i64>) -> Option<Self> {
        Some(match (kind, target) {
            ("everything", None) => Self::Everything,
            ("device", Some(device)) => Self::Device(DeviceId(u32::try_from(device).ok()?)),
            ("vehicle", Some(vehicle)) => Self::Vehicle(VehicleId(vehicle)),
            ("unit", Some(unit)) => Self::Unit(UnitId(unit)),
            _ => return None,
        })
    }
}

impl std::fmt::Display for HoldOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.stored() {
            (kind, Some(target)) => write!(f, "{kind} {target}"),
            (kind, None) => f.write_str(kind),
        }
    }
}

/// A hold to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewHold {
    /// What is held.
    pub on: HoldOn,
    /// Data of this time on; `None` = of any.
    pub from: Option<UtcMillis>,
    /// Data before this time; `None` = of any.
    pub to: Option<UtcMillis>,
    /// Why, 2 to 500 characters.
    pub reason: String,
    /// It holds until then; `None` = until it is lifted.
    pub until: Option<UtcMillis>,
}

/// A hold as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Hold {
    /// Its number.
    pub id: i64,
    /// What it says.
    pub set: NewHold,
    /// When it was placed.
    pub placed_at: UtcMillis,
    /// By whom.
    pub placed_by: String,
    /// The person's number, where there is one.
    pub placed_by_person: Option<i64>,
    /// When it was lifted.
    pub lifted_at: Option<UtcMillis>,
    /// By whom.
    pub lifted_by: Option<String>,
    /// Why.
    pub lift_reason: Option<String>,
}

impl Hold {
    /// Whether it was placed by who is to lift it, as far as that can be told.
    fn is_placed_by(&self, who: Holder<'_>) -> bool {
        match (self.placed_by_person, who.person) {
            (None, None) => self.placed_by == who.by && who.by != COMMAND_LINE,
            (placed, lifts) => placed == lifts,
        }
    }

    /// Whether it holds.
    #[must_use]
    pub fn is_in_force(&self, now: UtcMillis) -> bool {
        self.lifted_at.is_none() && self.set.until.is_none_or(|until| now < until)
    }
}

/// Who places or lifts a hold.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct Holder<'a> {
    /// Who it is written down for.
    pub by: &'a str,
    /// The person's number, if it is one.
    pub person: Option<i64>,
    /// The line of the audit log that tells of it, written with it or not at all.
    pub told: Option<&'a Deed>,
}

/// Who ever belonged to whom: every version of the registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Belonging {
    /// Devices in vehicles.
    pub fitted: Vec<(DeviceId, VehicleId)>,
    /// Vehicles of units, or lent to them.
    pub owned: Vec<(VehicleId, UnitId)>,
    /// Units below others.
    pub below: Vec<(UnitId, UnitId)>,
}

#[derive(Debug, FromRow)]
struct Row {
    id: i64,
    kind: String,
    target: Option<i64>,
    starts: Option<i64>,
    ends: Option<i64>,
    reason: String,
    until: Option<i64>,
    placed_at: i64,
    placed_by: String,
    placed_by_person: Option<i64>,
    lifted_at: Option<i64>,
    lifted_by: Option<String>,
    lift_reason: Option<String>,
}

/// See [`Registry::holds_placed`]; in a transaction that writes, none is placed before it ends.
pub(super) const HOLDS_PLACED: &str = "SELECT value FROM sequences WHERE name = 'hold'";

const SELECT: &str = "SELECT id, kind, target, starts, ends, reason, until, placed_at, placed_by, placed_by_person, \
    lifted_at, lifted_by, lift_reason FROM holds";

impl Row {
    fn hold(self) -> Result<Hold, Error> {
        let on = HoldOn::read(&self.kind, self.target).ok_or(Error::Corrupt("what a hold is on"))?;
        Ok(Hold {
            id: self.id,
            set: NewHold {
                on,
                from: self.starts.map(UtcMillis),
                to: self.ends.map(UtcMillis),
                reason: self.reason,
                until: self.until.map(UtcMillis),
            },
            placed_at: UtcMillis(self.placed_at),
            placed_by: self.placed_by,
            placed_by_person: self.placed_by_person,
            lifted_at: self.lifted_at.map(UtcMillis),
            lifted_by: self.lifted_by,
            lift_reason: self.lift_reason,
        })
    }
}

/// A reason that says something.
fn checked_reason(text: &str) -> Result<String, Error> {
    let text = clean(text.trim());
    if REASON_CHARS.contains(&text.chars().count()) {
        return Ok(text);
    }
    Err(Error::Refused("a hold is placed and lifted with a reason of 2 to 500 characters".to_owned()))
}

impl Registry {
    /// Places a hold. Answers its number.
    ///
    /// # Errors
    /// [`Error::Refused`] when it says nothing or there are too many; or when the database fails.
    pub async fn place_hold(&self, new: &NewHold, who: Holder<'_>, now: UtcMillis) -> Result<i64, Error> {
        let reason = checked_reason(&new.reason)?;
        if new.from.zip(new.to).is_some_and(|(from, to)| to <= from) {
            return Err(Error::Refused("the period of a hold ends after it begins".to_owned()));
        }
        if new.until.is_some_and(|until| until <= now) {
            return Err(Error::Refused("a hold ends in the future".to_owned()));
        }
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        if tx.number(Sql::new("SELECT COUNT(*) FROM holds")).await? >= HOLDS_MAX {
            return Err(Error::Refused(format!("there are {HOLDS_MAX} holds already")));
        }
        let next = Sql::new("UPDATE sequences SET value = value + 1 WHERE name = 'hold' RETURNING value");
        let id = tx.number(next).await?;
        let (kind, target) = new.on.stored();
        let sql = Sql::new(
            "INSERT INTO holds (id, kind, target, starts, ends, reason, until, placed_at, placed_by, placed_by_person) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        );
        let sql = sql.bind(id).bind(kind).bind(target).bind(new.from).bind(new.to).bind(reason);
        tx.execute(sql.bind(new.until).bind(now).bind(who.by).bind(who.person)).await?;
        tell(&mut tx, who.told, format!("hold {id}"), now).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Lifts a hold.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is none; [`Error::Refused`] without a reason, when it was lifted before, or when who placed
    /// it is the same; or when the database fails.
    pub async fn lift_hold(
        &self,
        id: i64,
        reason: &str,
        who: Holder<'_>,
        now: UtcMillis,
    ) -> Result<(), Error> {
        let reason = checked_reason(reason)?;
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE id = ").push_bind(id);
        let hold = tx.optional::<Row>(sql).await?.ok_or(Error::Unknown { kind: "hold", id })?.hold()?;
        if hold.lifted_at.is_some() {
            return Err(Error::Refused(format!("hold {id} was lifted before")));
        }
        if hold.is_placed_by(who) {
            return Err(Error::Refused(format!("somebody else than who placed hold {id} lifts it")));
        }
        let sql = Sql::new("UPDATE holds SET lifted_at = $1, lifted_by = $2, lift_reason = $3 WHERE id = $4");
        tx.execute(sql.bind(now).bind(who.by).bind(reason).bind(id)).await?;
        tell(&mut tx, who.told, format!("hold {id}"), now).await?;
        tx.commit().await
    }

    /// Every hold that was ever placed, newest first.
    ///
    /// # Errors
    /// When the database fails or a hold can't be read.
    pub async fn holds(&self) -> Result<Vec<Hold>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" ORDER BY id DESC");
        let rows: Vec<Row> = self.db.all(sql).await?;
        rows.into_iter().map(Row::hold).collect()
    }

    /// How many holds were ever placed. Whoever has worked out what is held knows by it whether that is still the last word.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds_placed(&self) -> Result<i64, Error> {
        self.db.number(Sql::new(HOLDS_PLACED)).await
    }

    /// Who ever belonged to whom, by any version of the registers.
    ///
    /// # Errors
    /// When the database fails or a row can't be read.
    pub async fn belonging(&self) -> Result<Belonging, Error> {
        let bindings = self
            .versions::<Binding>()
            .await?
            .into_iter()
            .filter_map(|(_, row)| Some((DeviceId(u32::try_from(row.device.0).ok()?), row.vehicle)));
        let vehicles = self.versions::<Vehicle>().await?;
        let owners = vehicles.into_iter().map(|(id, row)| (VehicleId(id), row.unit));
        let loans = self.versions::<Transfer>().await?.into_iter().map(|(_, row)| (row.vehicle, row.to));
        let units = self.versions::<Unit>().await?;
        let below = units.into_iter().filter_map(|(id, row)| Some((UnitId(id), row.parent?)));
        Ok(Belonging {
            fitted: bindings.collect(),
            owned: owners.chain(loans).collect(),
            below: below.collect(),
        })
    }

    /// Every version of a kind of row, with the row's number.
    async fn versions<T: motorpool_supervision::register::Row>(&self) -> Result<Vec<(i64, T)>, Error> {
        let sql = Sql::new("SELECT id, body FROM entries WHERE kind = $1").bind(T::KIND);
        let rows: Vec<(i64, String)> = self.db.all(sql).await?;
        let read = |(id, body): (i64, String)| {
            let row = serde_json::from_str(&body);
            row.map(|row| (id, row))
                .map_err(|source| Error::Unreadable { what: format!("{} {id}", T::KIND), source })
        };
        rows.into_iter().map(read).collect()
    }
}
