//! Removing rows whose time is over: trips, flags, cases, and the details of the audit log. What is held is decided by the caller,
//! row by row; here rows are found by age and removed by name, a bounded number in each transaction. Nothing is removed when a hold was
//! placed since the caller worked out what is held: the transaction that removes looks.
//!
//! Age is the time of recording, which is this server's; what the data are about must be past as well. Entries of the audit log
//! stay for ever, because each names the one before: what goes is their detail, and an entry that says so.

use std::collections::{BTreeMap, BTreeSet};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::Rule;
use motorpool_supervision::ids::{UnitId, VehicleId};

use super::accounts::log::tell;
use super::db::{Sql, Tx};
use super::holds::HOLDS_PLACED;
use super::{CHUNK_ROWS, Error, Registry};
use crate::accounts::chain::Deed;
use crate::ids::DeviceId;

/// Rows looked at with one query.
const PAGE_ROWS: u32 = 10_000;
/// Statements of one transaction that removes: others write in between.
const CHUNKS_AT_ONCE: usize = 20;

/// A piece of a track that is old.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct OldTrip {
    /// Its id.
    pub id: String,
    /// Its beginning.
    pub from: UtcMillis,
    /// Its end.
    pub to: UtcMillis,
}

/// A flag or case that is old.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct OldQuestion {
    /// Its id.
    pub id: String,
    /// The car.
    pub vehicle: VehicleId,
    /// The unit that had it.
    pub unit: UnitId,
    /// The local day as a number, for example 20260304.
    pub day: i64,
}

/// What a case is about that holds its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Evidence {
    /// The car; 0 when it is about the orders of the unit.
    pub vehicle: VehicleId,
    /// The unit.
    pub unit: UnitId,
    /// The local day as a number, for example 20260304.
    pub day: i64,
    /// Other cars without which the gathering that it is about can't be found again.
    pub met: BTreeSet<VehicleId>,
    /// Whether what was found can only be found again with what every car of the unit did.
    pub is_of_unit: bool,
}

/// Flags of rules that look at several vehicles.
#[derive(Debug, Default)]
struct FleetFlags {
    /// Cars with a gathering, by day.
    gathered: BTreeMap<i64, BTreeSet<i64>>,
    /// Cars and days of which the whole unit is asked.
    of_unit: BTreeSet<(i64, i64)>,
}

impl FleetFlags {
    /// The cars that gathered on the day when this one did.
    fn met(&self, vehicle: i64, day: i64) -> BTreeSet<VehicleId> {
        let gathered = self.gathered.get(&day).filter(|cars| cars.contains(&vehicle));
        gathered.into_iter().flatten().filter(|car| **car != vehicle).map(|car| VehicleId(*car)).collect()
    }
}

/// What is old enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request")]
pub struct Age {
    /// Recorded, and not changed since, before this.
    pub recorded_before: UtcMillis,
    /// About a local day before this one, as a number.
    pub day_before: i64,
}

/// Which details of the audit log go.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct OldDetails<'a> {
    /// Of entries up to this one.
    pub through: i64,
    /// From before this.
    pub before: UtcMillis,
    /// But for those from these times.
    pub held: &'a [(i64, i64)],
    /// By holds of which so many were placed.
    pub placed: i64,
}

/// Kinds of rows that questions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two there are")]
pub enum Question {
    /// Flags of which no case is left.
    Flag,
    /// Closed cases.
    Case,
}

impl Registry {
    /// Versions of trips, stops and gaps of a device that ended and were recorded before `before`, behind an end and id, in their
    /// order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn old_trips(
        &self,
        device: DeviceId,
        before: UtcMillis,
        after: (UtcMillis, &str),
    ) -> Result<Vec<OldTrip>, Error> {
        let sql = Sql::new(
            "SELECT id, starts, ends FROM trip_versions WHERE device = $1 AND ends < $2 AND recorded_at < $3 \
             AND (ends > $4 OR (ends = $5 AND id > $6)) ORDER BY ends, id LIMIT $7",
        );
        let sql = sql.bind(device.0).bind(before).bind(before);
        let sql = sql.bind(after.0).bind(after.0).bind(after.1).bind(PAGE_ROWS);
        let rows: Vec<(String, i64, i64)> = self.db.all(sql).await?;
        let old = |(id, from, to)| OldTrip { id, from: UtcMillis(from), to: UtcMillis(to) };
        Ok(rows.into_iter().map(old).collect())
    }

    /// Old flags without a case, or old closed cases, behind a day and id, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn old_questions(
        &self,
        kind: Question,
        age: Age,
        after: (i64, &str),
    ) -> Result<Vec<OldQuestion>, Error> {
        let sql = match kind {
            Question::Flag => Sql::new(
                "SELECT id, vehicle, unit, day FROM flags WHERE day < $1 AND state_at < $2 AND recorded_at < $3 \
                 AND (day > $4 OR (day = $5 AND id > $6)) \
                 AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.vehicle = flags.vehicle AND cases.day = flags.day) \
                 ORDER BY day, id LIMIT $7",
            ),
            Question::Case => Sql::new(
                "SELECT case_id, vehicle, unit, day FROM cases WHERE day < $1 AND updated_at < $2 AND updated_at < $3 \
                 AND (day > $4 OR (day = $5 AND case_id > $6)) AND state = 'closed' ORDER BY day, case_id LIMIT $7",
            ),
        };
        let sql = sql.bind(age.day_before).bind(age.recorded_before).bind(age.recorded_before);
        let sql = sql.bind(after.0).bind(after.0).bind(after.1).bind(PAGE_ROWS);
        let rows: Vec<(String, i64, i64, i64)> = self.db.all(sql).await?;
        let old = |(id, vehicle, unit, day)| OldQuestion {
            id,
            vehicle: VehicleId(vehicle),
            unit: UnitId(unit),
            day,
        };
        Ok(rows.into_iter().map(old).collect())
    }

    /// What the cases are about that hold their evidence: those that are open, and those that ended with a violation or were handed over.
    ///
    /// # Errors
    /// When the database fails or an event can't be read.
    pub async fn evidence(&self) -> Result<Vec<Evidence>, Error> {
        let open = Sql::new("SELECT vehicle, unit, day FROM cases WHERE state <> 'closed'");
        let mut cases: Vec<(i64, i64, i64)> = self.db.all(open).await?;
        let closings = Sql::new(
            "SELECT cases.vehicle, cases.unit, cases.day, case_events.kind, case_events.body FROM case_events \
             JOIN cases ON cases.case_id = case_events.case_id \
             WHERE cases.state = 'closed' AND case_events.kind IN ('closed', 'closing_proposed', 'handed_over')",
        );
        let closings: Vec<(i64, i64, i64, String, String)> = self.db.all(closings).await?;
        for (vehicle, unit, day, kind, body) in closings {
            let body: serde_json::Value = serde_json::from_str(&body)
                .map_err(|source| Error::Unreadable { what: "ending of a case".to_owned(), source })?;
            if kind == "handed_over" || proves_something(&body) {
                cases.push((vehicle, unit, day));
            }
        }
        let asked = self.asked_of_the_fleet().await?;
        let evidence = |(vehicle, unit, day)| Evidence {
            vehicle: VehicleId(vehicle),
            unit: UnitId(unit),
            day,
            met: asked.met(vehicle, day),
            is_of_unit: vehicle == 0 || asked.of_unit.contains(&(vehicle, day)),
        };
        Ok(cases.into_iter().map(evidence).collect())
    }

    /// The flags of rules that look at several vehicles, where there is a case.
    async fn asked_of_the_fleet(&self) -> Result<FleetFlags, Error> {
        let mut sql = Sql::new(
            "SELECT DISTINCT flags.vehicle, flags.day, flags.rule FROM cases \
             JOIN flags ON flags.vehicle = cases.vehicle AND flags.day = cases.day WHERE flags.rule IN ",
        );
        sql.push_list([Rule::R22, Rule::R25, Rule::R27].map(Rule::code));
        let rows: Vec<(i64, i64, String)> = self.db.all(sql).await?;
        let (met, of_unit): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(.., rule)| rule == Rule::R27.code());
        let mut flags = FleetFlags {
            of_unit: of_unit.into_iter().map(|(vehicle, day, _)| (vehicle, day)).collect(),
            ..FleetFlags::default()
        };
        let days: BTreeSet<i64> = met.iter().map(|(_, day, _)| *day).collect();
        for chunk in days.into_iter().collect::<Vec<_>>().chunks(CHUNK_ROWS) {
            let mut sql = Sql::new("SELECT DISTINCT vehicle, day FROM flags WHERE rule = ");
            sql.push_bind(Rule::R27.code()).push(" AND day IN ").push_list(chunk.iter().copied());
            let rows: Vec<(i64, i64)> = self.db.all(sql).await?;
            for (vehicle, day) in rows {
                flags.gathered.entry(day).or_default().insert(vehicle);
            }
        }
        Ok(flags)
    }

    /// Removes versions of trips by their ids. `false` when a hold was placed after the first `placed` ones, so that somebody has to ask
    /// again what is held.
    ///
    /// # Errors
    /// When the database fails; what was committed before stays removed.
    pub async fn remove_trips(&self, ids: &[String], placed: i64) -> Result<bool, Error> {
        for at_once in ids.chunks(CHUNK_ROWS * CHUNKS_AT_ONCE) {
            let _turn = self.writer.lock().await;
            let Some(mut tx) = self.begin_removal(placed).await? else { return Ok(false) };
            for chunk in at_once.chunks(CHUNK_ROWS) {
                let mut sql = Sql::new("DELETE FROM trip_versions WHERE id IN ");
                sql.push_list(chunk);
                tx.execute(sql).await?;
            }
            tx.commit().await?;
        }
        Ok(true)
    }

    /// Removes flags with their history, or cases with everything that was said and attached in them, unless something happened to them
    /// since they were found old. `false` as of [`Registry::remove_trips`].
    ///
    /// # Errors
    /// When the database fails; what was committed before stays removed.
    pub async fn remove_questions(
        &self,
        kind: Question,
        age: Age,
        ids: &[String],
        placed: i64,
    ) -> Result<bool, Error> {
        let statements: &[&'static str] = match kind {
            Question::Flag => &[
                "DELETE FROM told WHERE kind = 'flag' AND id IN ",
                "DELETE FROM flag_history WHERE flag IN ",
                "DELETE FROM flags WHERE id IN ",
            ],
            Question::Case => &[
                "DELETE FROM told WHERE kind = 'case' AND id IN ",
                "DELETE FROM attachments WHERE case_id IN ",
                "DELETE FROM case_events WHERE case_id IN ",
                "DELETE FROM cases WHERE case_id IN ",
            ],
        };
        for at_once in ids.chunks(CHUNK_ROWS * CHUNKS_AT_ONCE) {
            let _turn = self.writer.lock().await;
            let Some(mut tx) = self.begin_removal(placed).await? else { return Ok(false) };
            for chunk in at_once.chunks(CHUNK_ROWS) {
                let still = still_old(&mut tx, kind, age, chunk).await?;
                for statement in statements.iter().filter(|_| !still.is_empty()) {
                    let mut sql = Sql::new(statement);
                    sql.push_list(&still);
                    tx.execute(sql).await?;
                }
            }
            tx.commit().await?;
        }
        Ok(true)
    }

    /// A transaction that removes, when no hold was placed after the first `placed` ones.
    async fn begin_removal(&self, placed: i64) -> Result<Option<Tx>, Error> {
        let mut tx = self.db.begin_write().await?;
        if tx.number(Sql::new(HOLDS_PLACED)).await? == placed {
            return Ok(Some(tx));
        }
        tx.rollback().await?;
        Ok(None)
    }

    /// How many entries of the audit log from before `before` have their details, and the last of them. Those from one of the times `held`
    /// (first instant and the one behind the last) are not counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn old_audit_details(
        &self,
        before: UtcMillis,
        held: &[(i64, i64)],
    ) -> Result<(u64, i64), Error> {
        let mut sql = Sql::new("SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM audit_log WHERE ");
        push_old_details(&mut sql, before, held);
        let found: Option<(i64, i64)> = self.db.optional(sql).await?;
        let (count, last) = found.unwrap_or_default();
        Ok((u64::try_from(count).unwrap_or(0), last))
    }

    /// Removes the details that [`Registry::old_audit_details`] counted, up to entry `through`, with the entry that says so. `false` as of
    /// [`Registry::remove_trips`].
    ///
    /// # Errors
    /// When the database fails; then neither is done.
    pub async fn remove_audit_details(
        &self,
        old: OldDetails<'_>,
        told: &Deed,
        now: UtcMillis,
    ) -> Result<bool, Error> {
        let _turn = self.writer.lock().await;
        let Some(mut tx) = self.begin_removal(old.placed).await? else { return Ok(false) };
        let mut sql = Sql::new("UPDATE audit_log SET detail = '' WHERE seq <= ");
        sql.push_bind(old.through).push(" AND ");
        push_old_details(&mut sql, old.before, old.held);
        tx.execute(sql).await?;
        tell(&mut tx, Some(told), "audit".to_owned(), now).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// The condition of entries whose details are old and not held.
fn push_old_details(sql: &mut Sql, before: UtcMillis, held: &[(i64, i64)]) {
    sql.push("detail <> '' AND at < ").push_bind(before);
    for (from, to) in held {
        sql.push(" AND NOT (at >= ").push_bind(*from).push(" AND at < ").push_bind(*to).push(")");
    }
}

/// Which of these flags or cases are as old as they were found.
async fn still_old(tx: &mut Tx, kind: Question, age: Age, ids: &[String]) -> Result<Vec<String>, Error> {
    let mut sql = match kind {
        Question::Flag => Sql::new(
            "SELECT id FROM flags WHERE state_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM cases WHERE cases.vehicle = flags.vehicle AND cases.day = flags.day) AND id IN ",
        ),
        Question::Case => {
            Sql::new("SELECT case_id FROM cases WHERE updated_at < $1 AND state = 'closed' AND case_id IN ")
        }
    }
    .bind(age.recorded_before);
    sql.push_list(ids);
    let rows: Vec<(String,)> = tx.all(sql).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Whether the ending of a case, proposed or made, says that something was wrong with what somebody did.
fn proves_something(body: &serde_json::Value) -> bool {
    let disposition = body.pointer("/event/closing/disposition").and_then(serde_json::Value::as_str);
    matches!(disposition, Some("violation" | "handed_over"))
}
