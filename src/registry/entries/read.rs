//! Reading rows: as known now or at an earlier time, by number, key, car and time; and what a judgement needs.

use std::collections::BTreeSet;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Register, Row, Span, Versioned};

use super::super::db::{Sql, Tx};
use super::{Error, Record, Registry, SELECT, Stored, facts, orders, overlap};

/// Cars that a query names one by one; for more it reads the rows of all cars and passes over the others.
const VEHICLES_NAMED_MAX: usize = 500;

/// As of when something is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a request")]
pub enum Known {
    /// Now.
    #[default]
    Now,
    /// At a time of recording; what was recorded at that very millisecond counts.
    At(UtcMillis),
    /// At a change of the registry.
    Change(i64),
}

/// Whose rows a judgement needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a request")]
pub enum Scope {
    /// Everybody's.
    #[default]
    All,
    /// Of the rows of ledgers (orders, fuel, tolls …) only those of these cars and of no car.
    Vehicles(BTreeSet<VehicleId>),
}

/// A row that says something else than before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Changed {
    /// The kind of the row.
    pub kind: String,
    /// The row.
    pub id: i64,
    /// The last change that touched it.
    pub change: i64,
    /// From the first to the last instant of which it says something else than before.
    pub touched: Span,
    /// The cars it names or named; empty = it names none, so it may matter to every car.
    pub vehicles: BTreeSet<VehicleId>,
    /// The units it names or named.
    pub units: BTreeSet<UnitId>,
}

impl Registry {
    /// All rows of a kind, by number and time of validity.
    ///
    /// # Errors
    /// When the database fails or a row can't be read.
    pub async fn rows<T: Stored>(&self, known: Known) -> Result<Vec<Versioned<T>>, Error> {
        versioned(self.db.all(select::<T>(known)).await?)
    }

    /// What is known of one row, by time of validity; its newest version is the one with the highest number. Empty when there
    /// is no such row, or it holds at no time.
    ///
    /// # Errors
    /// As [`Registry::rows`].
    pub async fn row<T: Stored>(&self, id: i64, known: Known) -> Result<Vec<Versioned<T>>, Error> {
        let mut sql = select::<T>(known);
        sql.push(" AND id = ").push_bind(id);
        versioned(self.db.all(sql).await?)
    }

    /// The rows with a key (see [`Stored::facts`]), by number and time of validity.
    ///
    /// # Errors
    /// As [`Registry::rows`].
    pub async fn rows_with_key<T: Stored>(
        &self,
        key: &str,
        known: Known,
    ) -> Result<Vec<Versioned<T>>, Error> {
        let Some(key) = facts::key(key) else { return Ok(Vec::new()) };
        let mut sql = select::<T>(known);
        sql.push(" AND natural_key = ").push_bind(key);
        versioned(self.db.all(sql).await?)
    }

    /// The rows of a kind that speak of an instant from `from` to `to`, both included, whatever car they name.
    ///
    /// # Errors
    /// As [`Registry::rows`].
    pub async fn rows_between<T: Stored>(
        &self,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<Vec<Versioned<T>>, Error> {
        let mut sql = select::<T>(Known::Now);
        sql.push(" AND about_to >= ").push_bind(from).push(" AND about_from <= ").push_bind(to);
        versioned(self.db.all(sql).await?)
    }

    /// The rows of a kind that speak of some of the cars and of an instant from `from` to `to`, both included.
    ///
    /// # Errors
    /// As [`Registry::rows`].
    pub async fn rows_about<T: Stored>(
        &self,
        vehicles: &BTreeSet<VehicleId>,
        from: UtcMillis,
        to: UtcMillis,
        known: Known,
    ) -> Result<Vec<Versioned<T>>, Error> {
        if vehicles.is_empty() {
            return Ok(Vec::new());
        }
        let mut records = self.db.all(select_about::<T>(vehicles, from, to, known)).await?;
        records.retain(|record: &Record| speaks_of(record, vehicles));
        versioned(records)
    }

    /// Every version of a row, oldest first, with the time at which it was superseded.
    ///
    /// # Errors
    /// As [`Registry::rows`].
    pub async fn history<T: Stored>(&self, id: i64) -> Result<Vec<(Versioned<T>, Option<UtcMillis>)>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE kind = ").push_bind(T::KIND).push(" AND id = ").push_bind(id);
        sql.push(" ORDER BY version");
        let records: Vec<Record> = self.db.all(sql).await?;
        let superseded = |record: &Record| record.superseded_at.map(UtcMillis);
        records
            .into_iter()
            .map(|record| {
                let at = superseded(&record);
                Ok((record.versioned()?, at))
            })
            .collect()
    }

    /// Everything a judgement of `from` to `to` needs: the kinds that are few, whole, and of the ledgers the rows that speak of
    /// an instant from `from` to `to`, both included. A caller whose rules look further back or ahead widens the window. All of
    /// one state of the registry, each kind by number and time of validity. Answers the change up to which it holds as well.
    ///
    /// An order that was written more than once gets in `entered_at`, if it has none, the time since which the registry knows what
    /// it says about the car, the times and the places.
    ///
    /// # Errors
    /// As [`Registry::rows`].
    pub async fn register(
        &self,
        scope: &Scope,
        from: UtcMillis,
        to: UtcMillis,
        known: Known,
    ) -> Result<(Register, i64), Error> {
        let mut tx = self.db.begin_read().await?;
        let mut register = Register::default();
        macro_rules! read_all {
            ($($row:ty),*) => {
                $(*<$row>::rows_mut(&mut register) = read_kind::<$row>(&mut tx, scope, from, to, known).await?;)*
            };
        }
        for_every_kind!(read_all);
        orders::fill_entered(&mut tx, &mut register.orders).await?;
        let change = tx.number(Sql::new(super::super::CHANGE)).await?;
        tx.rollback().await?;
        let held = match known {
            Known::Change(asked) => asked.min(change),
            Known::Now | Known::At(_) => change,
        };
        Ok((register, held))
    }

    /// The rows that say something else than they did at `change`, by kind and number: what has to be judged again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changes_since(&self, change: i64) -> Result<Vec<Changed>, Error> {
        let sql = Sql::new(
            "SELECT kind, id, change, superseded_change, valid_from, valid_to, about_from, about_to, vehicle, \
             other_vehicle, unit, body FROM entries WHERE change > $1 OR superseded_change > $1 ORDER BY kind, id, version",
        );
        let rows: Vec<Touched> = self.db.all(sql.bind(change)).await?;
        let mut changed: Vec<Changed> = rows
            .chunk_by(|a, b| a.id == b.id && a.kind == b.kind)
            .filter_map(|versions| difference(versions, change))
            .collect();
        changed.sort_by(|a, b| (&a.kind, a.id).cmp(&(&b.kind, b.id)));
        Ok(changed)
    }
}

/// A query for the rows of a kind that are known and hold at some time, to which conditions can be added with `AND`.
fn select<T: Stored>(known: Known) -> Sql {
    select_kind(T::KIND, known)
}

/// As [`select`], for a kind by its name.
pub(super) fn select_kind(kind: &str, known: Known) -> Sql {
    let mut sql = Sql::new(SELECT);
    sql.push(" WHERE kind = ").push_bind(kind);
    sql.push(" AND (valid_to IS NULL OR valid_to > valid_from)");
    match known {
        Known::Now => {
            sql.push(" AND superseded_change IS NULL");
        }
        Known::At(at) => {
            sql.push(" AND recorded_at <= ").push_bind(at);
            sql.push(" AND (superseded_at IS NULL OR superseded_at > ").push_bind(at).push(")");
        }
        Known::Change(change) => {
            sql.push(" AND change <= ").push_bind(change);
            sql.push(" AND (superseded_change IS NULL OR superseded_change > ").push_bind(change).push(")");
        }
    }
    sql
}

fn select_about<T: Stored>(
    vehicles: &BTreeSet<VehicleId>,
    from: UtcMillis,
    to: UtcMillis,
    known: Known,
) -> Sql {
    let mut sql = select::<T>(known);
    sql.push(" AND about_to >= ").push_bind(from).push(" AND about_from <= ").push_bind(to);
    if vehicles.len() <= VEHICLES_NAMED_MAX {
        let named = || vehicles.iter().map(|vehicle| vehicle.0);
        sql.push(" AND (vehicle IN ").push_list(named());
        sql.push(" OR other_vehicle IN ").push_list(named()).push(" OR vehicle IS NULL)");
    }
    sql
}

fn speaks_of(record: &Record, vehicles: &BTreeSet<VehicleId>) -> bool {
    let named = [record.vehicle, record.other_vehicle];
    named.into_iter().flatten().any(|vehicle| vehicles.contains(&VehicleId(vehicle)))
}

async fn read_kind<T: Stored>(
    tx: &mut Tx,
    scope: &Scope,
    from: UtcMillis,
    to: UtcMillis,
    known: Known,
) -> Result<Vec<Versioned<T>>, Error> {
    let records = match scope {
        _ if !T::IS_LEDGER => tx.all(select::<T>(known)).await?,
        Scope::Vehicles(vehicles) if !vehicles.is_empty() => {
            let mut records = tx.all(select_about::<T>(vehicles, from, to, known)).await?;
            records.retain(|record: &Record| record.vehicle.is_none() || speaks_of(record, vehicles));
            records
        }
        Scope::Vehicles(_) | Scope::All => {
            let mut sql = select::<T>(known);
            sql.push(" AND about_to >= ").push_bind(from).push(" AND about_from <= ").push_bind(to);
            if matches!(scope, Scope::Vehicles(_)) {
                sql.push(" AND vehicle IS NULL");
            }
            tx.all(sql).await?
        }
    };
    versioned(records)
}

fn versioned<T: Row>(mut records: Vec<Record>) -> Result<Vec<Versioned<T>>, Error> {
    records.sort_by_key(|record| (record.id, record.valid_from, record.version));
    records.into_iter().map(Record::versioned).collect()
}

/// A version that was recorded or superseded since.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Touched {
    pub(super) kind: String,
    pub(super) id: i64,
    pub(super) change: i64,
    pub(super) superseded_change: Option<i64>,
    pub(super) valid_from: i64,
    pub(super) valid_to: Option<i64>,
    pub(super) about_from: i64,
    pub(super) about_to: i64,
    pub(super) vehicle: Option<i64>,
    pub(super) other_vehicle: Option<i64>,
    pub(super) unit: Option<i64>,
    pub(super) body: String,
}

impl Touched {
    fn valid(&self) -> Span {
        Span { from: UtcMillis(self.valid_from), to: self.valid_to.map(UtcMillis) }
    }
}

/// In what the versions known at `change` differ from those known now.
pub(super) fn difference(versions: &[Touched], change: i64) -> Option<Changed> {
    let before: Vec<&Touched> = versions.iter().filter(|version| version.change <= change).collect();
    let after: Vec<&Touched> =
        versions.iter().filter(|version| version.superseded_change.is_none()).collect();
    let first = versions.first()?;
    let mut changed = Changed {
        kind: first.kind.clone(),
        id: first.id,
        change: versions.iter().map(|v| v.change.max(v.superseded_change.unwrap_or(0))).max()?,
        touched: Span { from: UtcMillis(i64::MAX), to: Some(UtcMillis(i64::MIN)) },
        vehicles: BTreeSet::new(),
        units: BTreeSet::new(),
    };
    for piece in pieces(versions) {
        let says = |side: &[&Touched]| {
            let bodies = side.iter().filter(|v| overlap(v.valid(), piece)).map(|v| v.body.clone());
            bodies.collect::<BTreeSet<String>>()
        };
        if says(&before) == says(&after) {
            continue;
        }
        for version in before.iter().chain(&after).filter(|version| overlap(version.valid(), piece)) {
            widen(&mut changed, version, piece);
        }
    }
    (changed.touched.from != UtcMillis(i64::MAX)).then_some(changed)
}

/// The times between the instants at which some version begins or ends.
fn pieces(versions: &[Touched]) -> Vec<Span> {
    let mut instants: Vec<i64> =
        versions.iter().flat_map(|version| [Some(version.valid_from), version.valid_to]).flatten().collect();
    instants.sort_unstable();
    instants.dedup();
    let starts = instants.iter().copied().map(UtcMillis);
    let ends = instants.iter().skip(1).copied().map(UtcMillis).map(Some).chain([None]);
    starts.zip(ends).map(|(from, to)| Span { from, to }).collect()
}

/// Adds what a version speaks of within `piece`.
fn widen(changed: &mut Changed, version: &Touched, piece: Span) {
    let from = UtcMillis(version.about_from.max(piece.from.0));
    // Both included in the columns, the end excluded here; i64::MAX means that there is no end.
    let about_to =
        Some(version.about_to).filter(|to| *to != i64::MAX).map(|to| UtcMillis(to.saturating_add(1)));
    let to = match (about_to, piece.to) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    if to.is_some_and(|to| to <= from) {
        return;
    }
    changed.touched.from = changed.touched.from.min(from);
    changed.touched.to = match (changed.touched.to, to) {
        (Some(a), Some(b)) => Some(a.max(b)),
        _ => None,
    };
    changed.vehicles.extend([version.vehicle, version.other_vehicle].into_iter().flatten().map(VehicleId));
    changed.units.extend(version.unit.map(UnitId));
}
