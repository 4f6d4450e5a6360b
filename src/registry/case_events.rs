//! Cases: events that are only ever appended, and one row for each case as the lists show it.
//!
//! What an event means, and what state the events of a case make together, is not known here: an event is a kind and a JSON value,
//! and the caller hands over the row that its fold gives. Two people who act at the same time can't both be right: an append names
//! the number of events that its writer has seen, and the second is a conflict.

use std::collections::BTreeSet;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use serde_json::Value as Json;
use sqlx::FromRow;

use super::accounts::log::tell;
use super::db::{Sql, Tx};
use super::judgements::day_number;
use super::{CHUNK_ROWS, Error, Registry, entries};
use crate::accounts::chain::Deed;

/// The largest event, and the largest summary, as JSON, bytes.
const BODY_BYTES_MAX: usize = 256 << 10;
/// Events of one append.
const EVENTS_MAX: usize = 1_000;
/// Bytes of a case's id.
const ID_BYTES_MAX: usize = 64;
/// Cases that one page may have.
const PAGE_MAX: u32 = 10_000;

/// Something that happened to a case.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct CaseEvent {
    /// When, as the one who acts says.
    pub at: UtcMillis,
    /// Who did it; empty for the server itself.
    pub actor: String,
    /// What kind of event.
    pub kind: String,
    /// The event.
    pub body: Json,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct StoredCaseEvent {
    /// 1 for the first of the case, without gaps.
    pub seq: i64,
    /// The event.
    pub event: CaseEvent,
}

/// A case as lists show it: what the fold of its events gives.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "built by the fold, field by field")]
pub struct CaseRow {
    /// The case.
    pub case_id: String,
    /// The car.
    pub vehicle: VehicleId,
    /// The local day.
    pub day: Date,
    /// The unit that had the car.
    pub unit: UnitId,
    /// Where it stands in the workflow.
    pub state: String,
    /// The colour of its worst flag.
    pub colour: String,
    /// Its place in the queue: lower comes first.
    pub rank: i64,
    /// Who works on it.
    pub assignee: Option<String>,
    /// When the next step is due.
    pub due_at: Option<UtcMillis>,
    /// Whether only those who work on it may see it.
    pub is_confidential: bool,
    /// Events so far.
    pub seq: i64,
    /// When the last of them was recorded.
    pub updated_at: UtcMillis,
    /// Whatever else lists show.
    pub summary: Json,
}

/// Which cases to list, lowest rank first, then by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct CaseFilter {
    /// Only behind this rank and id: the keyset cursor.
    pub after: Option<(i64, String)>,
    /// At most so many; 10,000 at the most.
    pub limit: u32,
    /// Only in these states; empty = in all.
    pub states: BTreeSet<String>,
    /// Only of these units; empty = of all.
    pub units: BTreeSet<UnitId>,
    /// Only of this car.
    pub vehicle: Option<VehicleId>,
    /// Only from this local day on.
    pub from: Option<Date>,
    /// Only up to this local day, included.
    pub to: Option<Date>,
    /// Only of this colour.
    pub colour: Option<String>,
    /// Only those of this person.
    pub assignee: Option<String>,
    /// Only those due before this instant.
    pub due_before: Option<UtcMillis>,
    /// Only confidential ones, or only the others.
    pub is_confidential: Option<bool>,
}

#[derive(FromRow)]
struct Row {
    case_id: String,
    vehicle: i64,
    day: i64,
    unit: i64,
    state: String,
    colour: String,
    rank: i64,
    assignee: Option<String>,
    due_at: Option<i64>,
    is_confidential: i64,
    seq: i64,
    updated_at: i64,
    summary: String,
}

const SELECT: &str = "SELECT case_id, vehicle, day, unit, state, colour, rank, assignee, due_at, is_confidential, seq, \
    updated_at, summary FROM cases WHERE ";

impl Row {
    fn case(self) -> Result<CaseRow, Error> {
        Ok(CaseRow {
            day: day_of(self.day).ok_or(Error::Corrupt("the day of a case"))?,
            summary: json(&self.summary, &self.case_id)?,
            case_id: self.case_id,
            vehicle: VehicleId(self.vehicle),
            unit: UnitId(self.unit),
            state: self.state,
            colour: self.colour,
            rank: self.rank,
            assignee: self.assignee,
            due_at: self.due_at.map(UtcMillis),
            is_confidential: self.is_confidential != 0,
            seq: self.seq,
            updated_at: UtcMillis(self.updated_at),
        })
    }
}

/// The day that [`day_number`] gave.
pub(super) fn day_of(number: i64) -> Option<Date> {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn json(text: &str, case: &str) -> Result<Json, Error> {
    serde_json::from_str(text).map_err(|source| Error::Unreadable { what: format!("case {case}"), source })
}

fn limited(value: &Json) -> Result<String, Error> {
    let text = value.to_string();
    if text.len() > BODY_BYTES_MAX {
        return Err(Error::Refused(format!("more than {BODY_BYTES_MAX} bytes in one event")));
    }
    Ok(text)
}

impl Registry {
    /// Appends events to a case, the first of which makes the case, and writes its row; all or nothing. `expected` is the number
    /// of events that the writer has seen. The row's `seq` and `updated_at` are set here. Answers the new number of events.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there are more events than `expected`, [`Error::Refused`] when there is nothing to append or it
    /// is too large; or when the database fails. Then nothing was changed.
    pub async fn append_to_case(
        &self,
        expected: i64,
        events: &[CaseEvent],
        row: &CaseRow,
        now: UtcMillis,
    ) -> Result<i64, Error> {
        self.append_to_case_telling(expected, events, row, None, now).await
    }

    /// As [`Registry::append_to_case`], with the line of the audit log that tells of it, both or neither.
    ///
    /// # Errors
    /// As [`Registry::append_to_case`].
    pub async fn append_to_case_telling(
        &self,
        expected: i64,
        events: &[CaseEvent],
        row: &CaseRow,
        told: Option<&Deed>,
        now: UtcMillis,
    ) -> Result<i64, Error> {
        if events.is_empty() || events.len() > EVENTS_MAX {
            return Err(Error::Refused(format!("{} events at once", events.len())));
        }
        if row.case_id.is_empty() || row.case_id.len() > ID_BYTES_MAX {
            return Err(Error::Refused(
                "a case without an id, or with a longer one than 64 bytes".to_owned(),
            ));
        }
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let sql = Sql::new("SELECT COALESCE(MAX(seq), 0) FROM case_events WHERE case_id = $1");
        let found = tx.number(sql.bind(&row.case_id)).await?;
        if found != expected {
            return Err(Error::Conflict { kind: "case", id: row.case_id.clone(), expected, found });
        }
        let mut seq = found;
        let mut values = Vec::with_capacity(events.len());
        for event in events {
            seq += 1;
            values.push(vec![
                row.case_id.as_str().into(),
                seq.into(),
                event.at.into(),
                event.actor.as_str().into(),
                event.kind.as_str().into(),
                limited(&event.body)?.into(),
            ]);
        }
        for chunk in values.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new("INSERT INTO case_events (case_id, seq, at, actor, kind, body) ");
            sql.push_rows(chunk.iter().cloned());
            tx.execute(sql).await?;
        }
        let at = entries::record_time(&mut tx, now).await?;
        put_case(&mut tx, row, seq, at).await?;
        tell(&mut tx, told, format!("case {}", row.case_id), now).await?;
        tx.commit().await?;
        Ok(seq)
    }

    /// The events of a case after the first `after`, oldest first.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn case_events(&self, case_id: &str, after: i64) -> Result<Vec<StoredCaseEvent>, Error> {
        let sql = Sql::new(
            "SELECT seq, at, actor, kind, body FROM case_events WHERE case_id = $1 AND seq > $2 ORDER BY seq",
        );
        let rows: Vec<(i64, i64, String, String, String)> =
            self.db.all(sql.bind(case_id).bind(after)).await?;
        rows.into_iter()
            .map(|(seq, at, actor, kind, body)| {
                let event = CaseEvent { at: UtcMillis(at), actor, kind, body: json(&body, case_id)? };
                Ok(StoredCaseEvent { seq, event })
            })
            .collect()
    }

    /// The row of one case.
    ///
    /// # Errors
    /// As [`Registry::case_events`].
    pub async fn case(&self, case_id: &str) -> Result<Option<CaseRow>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("case_id = ").push_bind(case_id);
        let row: Option<Row> = self.db.optional(sql).await?;
        row.map(Row::case).transpose()
    }

    /// Cases, lowest rank first, then by id.
    ///
    /// # Errors
    /// As [`Registry::case_events`].
    pub async fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, Error> {
        let mut sql = Sql::new(SELECT);
        let (rank, id) = filter.after.as_ref().map_or((i64::MIN, ""), |(rank, id)| (*rank, id.as_str()));
        sql.push("(rank, case_id) > (").push_bind(rank).push(", ").push_bind(id).push(")");
        if !filter.states.is_empty() {
            sql.push(" AND state IN ").push_list(&filter.states);
        }
        if !filter.units.is_empty() {
            sql.push(" AND unit IN ").push_list(filter.units.iter().map(|unit| unit.0));
        }
        if let Some(vehicle) = filter.vehicle {
            sql.push(" AND vehicle = ").push_bind(vehicle.0);
        }
        if let Some(from) = filter.from {
            sql.push(" AND day >= ").push_bind(day_number(from));
        }
        if let Some(to) = filter.to {
            sql.push(" AND day <= ").push_bind(day_number(to));
        }
        if let Some(colour) = &filter.colour {
            sql.push(" AND colour = ").push_bind(colour);
        }
        if let Some(assignee) = &filter.assignee {
            sql.push(" AND assignee = ").push_bind(assignee);
        }
        if let Some(due) = filter.due_before {
            sql.push(" AND due_at < ").push_bind(due);
        }
        if let Some(is_confidential) = filter.is_confidential {
            sql.push(" AND is_confidential = ").push_bind(is_confidential);
        }
        sql.push(" ORDER BY rank, case_id LIMIT ").push_bind(filter.limit.min(PAGE_MAX));
        let rows: Vec<Row> = self.db.all(sql).await?;
        rows.into_iter().map(Row::case).collect()
    }
}

async fn put_case(tx: &mut Tx, row: &CaseRow, seq: i64, at: UtcMillis) -> Result<(), Error> {
    let mut sql = Sql::new(
        "INSERT INTO cases (case_id, vehicle, day, unit, state, colour, rank, assignee, due_at, is_confidential, seq, \
         updated_at, summary) ",
    );
    let values = vec![
        row.case_id.as_str().into(),
        row.vehicle.0.into(),
        day_number(row.day).into(),
        row.unit.0.into(),
        row.state.as_str().into(),
        row.colour.as_str().into(),
        row.rank.into(),
        row.assignee.as_deref().into(),
        row.due_at.into(),
        row.is_confidential.into(),
        seq.into(),
        at.into(),
        limited(&row.summary)?.into(),
    ];
    sql.push_rows([values]).push(
        " ON CONFLICT (case_id) DO UPDATE SET vehicle = excluded.vehicle, day = excluded.day, unit = excluded.unit, \
         state = excluded.state, colour = excluded.colour, rank = excluded.rank, assignee = excluded.assignee, \
         due_at = excluded.due_at, is_confidential = excluded.is_confidential, seq = excluded.seq, \
         updated_at = excluded.updated_at, summary = excluded.summary",
    );
    tx.execute(sql).await?;
    Ok(())
}
