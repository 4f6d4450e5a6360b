//! Writing rows: all changes of a call or none, against the versions that the writer has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::register::{Binding, Span, Versioned};

use super::super::accounts::log::tell;
use super::super::db::{Sql, Tx, Value};
use super::super::devices::clean;
use super::super::{CHUNK_ROWS, Write};
use super::facts::Facts;
use super::timeline::Timeline;
use super::{CHANGES_MAX, Change, ENTRY_BYTES_MAX, Error, Record, Registry, SELECT, Stored, overlap};
use crate::accounts::chain::Deed;

/// The earliest and latest instants that a time of validity may name: the years 1 and 9999 with room to spare.
const INSTANT_MAX_MS: i64 = 300_000_000_000_000;

/// What a version says, ready for the table.
#[derive(Debug, PartialEq)]
struct Content {
    facts: Facts,
    primary_of: Option<VehicleId>,
    body: String,
}

/// What a change does, without the type of its row.
#[derive(Clone, Debug)]
enum Op {
    Add { id: Option<i64>, valid: Span, content: Arc<Content> },
    Correct { id: i64, expected: Option<u32>, valid: Span, content: Arc<Content> },
    Amend { id: i64, expected: Option<u32>, valid: Span, content: Arc<Content> },
    End { id: i64, expected: Option<u32>, at: UtcMillis },
}

#[derive(Clone, Debug)]
struct Draft {
    kind: &'static str,
    is_key_unique: bool,
    op: Op,
}

/// Changes of rows of several kinds that are written together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    drafts: Vec<Draft>,
}

impl Batch {
    /// Adds a change.
    ///
    /// # Errors
    /// When the row is larger than [`ENTRY_BYTES_MAX`], its validity is empty, or there are [`CHANGES_MAX`] already.
    pub fn push<T: Stored>(&mut self, change: Change<T>) -> Result<(), Error> {
        if self.drafts.len() >= CHANGES_MAX {
            return Err(Error::Refused(format!("more than {CHANGES_MAX} changes at once")));
        }
        let op = match change {
            Change::Add { id, valid, row } => Op::Add { id, valid: checked(valid)?, content: content(&row)? },
            Change::Correct { id, expected, valid, row } => {
                Op::Correct { id, expected, valid: checked(valid)?, content: content(&row)? }
            }
            Change::Amend { id, expected, valid, row } => {
                Op::Amend { id, expected, valid: checked(valid)?, content: content(&row)? }
            }
            Change::End { id, expected, at } => Op::End { id, expected, at },
        };
        self.drafts.push(Draft { kind: T::KIND, is_key_unique: T::IS_KEY_UNIQUE, op });
        Ok(())
    }

    /// How many changes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Written {
    /// The kind of the row.
    pub kind: &'static str,
    /// The row.
    pub id: i64,
    /// Its newest version.
    pub version: u32,
    /// When it was recorded: what the caller said, or the time of the write before when that was later.
    pub recorded_at: UtcMillis,
}

fn content<T: Stored>(row: &T) -> Result<Arc<Content>, Error> {
    let body = serde_json::to_string(row)
        .map_err(|source| Error::Unreadable { what: format!("a new {}", T::KIND), source })?;
    if body.len() > ENTRY_BYTES_MAX {
        return Err(Error::Refused(format!("a {} of more than {ENTRY_BYTES_MAX} bytes", T::KIND)));
    }
    Ok(Arc::new(Content { facts: row.facts(), primary_of: row.primary_of(), body }))
}

fn checked(valid: Span) -> Result<Span, Error> {
    let is_sane = |at: UtcMillis| (-INSTANT_MAX_MS..=INSTANT_MAX_MS).contains(&at.0);
    if valid.to.is_some_and(|to| to <= valid.from) {
        return Err(Error::Refused("a time of validity that ends before it begins".to_owned()));
    }
    if (valid.from != Span::ALWAYS.from && !is_sane(valid.from)) || valid.to.is_some_and(|to| !is_sane(to)) {
        return Err(Error::Refused("a time of validity outside the years 1 to 9999".to_owned()));
    }
    Ok(valid)
}

/// The rows that a batch touches, by kind and number.
type Timelines = BTreeMap<(&'static str, i64), (bool, Timeline<Arc<Content>>)>;

impl Registry {
    /// Writes changes of rows of one kind, all or none. Answers the newest version of each, in order.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a row has a newer version than the writer has seen, [`Error::Unknown`] when there is none,
    /// [`Error::Taken`] when a key, a device or the place of the primary device is taken, [`Error::Refused`] when a change is
    /// not possible in itself; or when the database fails. Then nothing was changed.
    pub async fn write_rows<T: Stored>(
        &self,
        changes: &[Change<T>],
        who: &str,
        now: UtcMillis,
    ) -> Result<Vec<Versioned<T>>, Error> {
        let mut batch = Batch::default();
        for change in changes {
            batch.push(change.clone())?;
        }
        let written = self.write_batch(&batch, who, now).await?;
        let mut rows = Vec::with_capacity(written.len());
        for chunk in written.chunks(CHUNK_ROWS) {
            let newest = self.newest::<T>(chunk.iter().map(|row| row.id)).await?;
            for row in chunk {
                let version = newest.get(&row.id).cloned();
                rows.push(version.ok_or(Error::Corrupt("a row that was just written is gone"))?);
            }
        }
        Ok(rows)
    }

    async fn newest<T: Stored>(
        &self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<BTreeMap<i64, Versioned<T>>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE superseded_change IS NULL AND kind = ").push_bind(T::KIND);
        sql.push(" AND id IN ").push_list(ids).push(" ORDER BY id, version");
        let records: Vec<Record> = self.db.all(sql).await?;
        records.into_iter().map(|record| Ok((record.id, record.versioned()?))).collect()
    }

    /// Writes changes of rows of any kinds, all or none, as one change of the registry. Answers what became of each, in
    /// order. An empty batch changes nothing.
    ///
    /// # Errors
    /// As [`Registry::write_rows`].
    pub async fn write_batch(&self, batch: &Batch, who: &str, now: UtcMillis) -> Result<Vec<Written>, Error> {
        self.write_batch_telling(batch, who, None, now).await
    }

    /// As [`Registry::write_batch`], with the line of the audit log that tells of it, both or neither.
    ///
    /// # Errors
    /// As [`Registry::write_rows`].
    pub async fn write_batch_telling(
        &self,
        batch: &Batch,
        who: &str,
        told: Option<&Deed>,
        now: UtcMillis,
    ) -> Result<Vec<Written>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut write = self.write().await?;
        let written = write_in(&mut write, batch, who, now).await?;
        let object = match written.as_slice() {
            [one] => format!("{} {}", one.kind, one.id),
            [first, ..] => format!("{} rows of {}", written.len(), first.kind),
            [] => String::new(),
        };
        tell(&mut write.tx, told, object, now).await?;
        self.commit_rows(write).await?;
        Ok(written)
    }

    /// Takes `count` numbers for new rows of a kind, so that rows of one batch can name each other. Answers the first. Numbers
    /// that are not used stay unused.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reserve<T: Stored>(&self, count: u32) -> Result<i64, Error> {
        self.reserve_rows(T::KIND, count).await
    }

    /// As [`Registry::reserve`], for a kind by its name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reserve_rows(&self, kind: &str, count: u32) -> Result<i64, Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let last = take_numbers(&mut tx, kind, i64::from(count)).await?;
        tx.commit().await?;
        Ok(last - i64::from(count) + 1)
    }
}

/// Writes a batch in a transaction that its caller commits.
pub(in super::super) async fn write_in(
    write: &mut Write<'_>,
    batch: &Batch,
    who: &str,
    now: UtcMillis,
) -> Result<Vec<Written>, Error> {
    let recorded_at = record_time(&mut write.tx, now).await?;
    let ids = number_rows(&mut write.tx, &batch.drafts).await?;
    let mut timelines = load(&mut write.tx, &batch.drafts, &ids).await?;
    for (draft, id) in batch.drafts.iter().zip(&ids) {
        apply(&mut timelines, draft, *id)?;
    }
    store(write, &timelines, &clean(who), recorded_at).await?;
    check_keys(&mut write.tx, &timelines).await?;
    check_primaries(&mut write.tx, &timelines).await?;
    Ok(batch
        .drafts
        .iter()
        .zip(ids)
        .map(|(draft, id)| {
            let version = timelines.get(&(draft.kind, id)).map_or(0, |(_, row)| row.latest());
            Written { kind: draft.kind, id, version, recorded_at }
        })
        .collect())
}

/// The time of recording of a write that says it is made at `now`.
pub(in super::super) async fn record_time(tx: &mut Tx, now: UtcMillis) -> Result<UtcMillis, Error> {
    let sql = Sql::new(
        "UPDATE sequences SET value = CASE WHEN value < $1 THEN $1 ELSE value END WHERE name = 'recorded_at' \
         RETURNING value",
    );
    tx.number(sql.bind(now)).await.map(UtcMillis)
}

async fn take_numbers(tx: &mut Tx, kind: &str, count: i64) -> Result<i64, Error> {
    let sql = Sql::new(
        "INSERT INTO sequences (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = sequences.value + excluded.value RETURNING value",
    );
    tx.number(sql.bind(format!("entry {kind}")).bind(count)).await
}

/// The number of the row of each change; new rows get theirs.
async fn number_rows(tx: &mut Tx, drafts: &[Draft]) -> Result<Vec<i64>, Error> {
    let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
    for draft in drafts {
        let is_new = matches!(draft.op, Op::Add { id: None, .. });
        *wanted.entry(draft.kind).or_default() += i64::from(is_new);
    }
    // Taking none answers the last number handed out, against which reserved numbers are held.
    let mut next: BTreeMap<&str, i64> = BTreeMap::new();
    for (kind, count) in wanted {
        next.insert(kind, take_numbers(tx, kind, count).await? - count + 1);
    }
    let first = next.clone();
    drafts
        .iter()
        .map(|draft| match draft.op {
            Op::Add { id: None, .. } => {
                let next = next.entry(draft.kind).or_default();
                *next += 1;
                Ok(*next - 1)
            }
            Op::Add { id: Some(id), .. }
                if id < 1 || first.get(draft.kind).is_none_or(|first| id >= *first) =>
            {
                Err(Error::Refused(format!("{} {id} was not reserved", draft.kind)))
            }
            Op::Add { id: Some(id), .. }
            | Op::Correct { id, .. }
            | Op::Amend { id, .. }
            | Op::End { id, .. } => Ok(id),
        })
        .collect()
}

/// What is known of the rows that exist already.
async fn load(tx: &mut Tx, drafts: &[Draft], ids: &[i64]) -> Result<Timelines, Error> {
    let mut wanted: BTreeMap<&'static str, BTreeSet<i64>> = BTreeMap::new();
    let mut timelines = Timelines::new();
    for (draft, id) in drafts.iter().zip(ids) {
        timelines.insert((draft.kind, *id), (draft.is_key_unique, Timeline::new([])));
        if !matches!(draft.op, Op::Add { id: None, .. }) {
            wanted.entry(draft.kind).or_default().insert(*id);
        }
    }
    for (kind, ids) in wanted {
        let ids: Vec<i64> = ids.into_iter().collect();
        for chunk in ids.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new(SELECT);
            sql.push(" WHERE superseded_change IS NULL AND kind = ").push_bind(kind);
            sql.push(" AND id IN ").push_list(chunk.iter().copied()).push(" ORDER BY id, version");
            let records: Vec<Record> = tx.all(sql).await?;
            for rows in records.chunk_by(|a, b| a.id == b.id) {
                let Some(id) = rows.first().map(|record| record.id) else { continue };
                let versions: Result<Vec<_>, Error> = rows.iter().map(known_version).collect();
                if let Some((_, timeline)) = timelines.get_mut(&(kind, id)) {
                    *timeline = Timeline::new(versions?);
                }
            }
        }
    }
    Ok(timelines)
}

/// A stored version with its content as the writer would make it, without what only the row's type tells.
fn known_version(record: &Record) -> Result<(u32, Span, Arc<Content>), Error> {
    let body = record.body.clone();
    let (facts, primary_of) = super::facts::of_kind(&record.kind, &body)
        .ok_or(Error::Corrupt("a row of a kind that this program does not know"))?
        .map_err(|source| Error::Unreadable { what: format!("{} {}", record.kind, record.id), source })?;
    Ok((record.version()?, record.valid(), Arc::new(Content { facts, primary_of, body })))
}

/// Does one change to what is known.
fn apply(timelines: &mut Timelines, draft: &Draft, id: i64) -> Result<(), Error> {
    let kind = draft.kind;
    let (_, timeline) = timelines.get_mut(&(kind, id)).ok_or(Error::Unknown { kind, id })?;
    let latest = timeline.latest();
    let seen = match draft.op {
        Op::Add { .. } => Some(0),
        Op::Correct { expected, .. } | Op::Amend { expected, .. } | Op::End { expected, .. } => {
            if latest == 0 {
                return Err(Error::Unknown { kind, id });
            }
            expected
        }
    };
    if let Some(expected) = seen.filter(|seen| *seen != latest) {
        return Err(Error::Conflict {
            kind,
            id: id.to_string(),
            expected: expected.into(),
            found: latest.into(),
        });
    }
    match &draft.op {
        Op::Add { valid, content, .. } | Op::Correct { valid, content, .. } => {
            timeline.correct(*valid, Arc::clone(content));
        }
        Op::Amend { valid, content, .. } => timeline.amend(*valid, Arc::clone(content)),
        Op::End { at, .. } => timeline.end(*at),
    }
    Ok(())
}

/// Writes new versions down and marks those that they supersede.
async fn store(
    write: &mut Write<'_>,
    timelines: &Timelines,
    who: &str,
    recorded_at: UtcMillis,
) -> Result<(), Error> {
    let change = write.change;
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for ((kind, id), (_, timeline)) in timelines {
        for version in timeline.versions() {
            if version.is_new {
                let superseded = version.is_superseded.then_some((change, recorded_at));
                rows.push(values(kind, *id, version, change, recorded_at, who, superseded));
            } else if version.is_superseded {
                let sql = Sql::new(
                    "UPDATE entries SET superseded_change = $1, superseded_at = $2 \
                     WHERE kind = $3 AND id = $4 AND version = $5",
                );
                let sql = sql.bind(change).bind(recorded_at).bind(*kind).bind(*id).bind(version.number);
                write.tx.execute(sql).await?;
            }
        }
    }
    for chunk in rows.chunks(CHUNK_ROWS) {
        let mut sql = Sql::new(
            "INSERT INTO entries (kind, id, version, change, recorded_at, recorded_by, superseded_change, \
             superseded_at, valid_from, valid_to, about_from, about_to, natural_key, vehicle, other_vehicle, unit, \
             body) ",
        );
        sql.push_rows(chunk.iter().cloned());
        write.tx.execute(sql).await?;
    }
    Ok(())
}

fn values(
    kind: &str,
    id: i64,
    version: &super::timeline::Version<Arc<Content>>,
    change: i64,
    recorded_at: UtcMillis,
    who: &str,
    superseded: Option<(i64, UtcMillis)>,
) -> Vec<Value> {
    let Content { facts, body, .. } = &*version.content;
    let (about_from, about_to) = facts.about.unwrap_or_else(|| {
        // Both included, so the last instant is the one before the end.
        let last = version.valid.to.map_or(UtcMillis(i64::MAX), |to| UtcMillis(to.0.saturating_sub(1)));
        (version.valid.from, last)
    });
    vec![
        kind.into(),
        id.into(),
        version.number.into(),
        change.into(),
        recorded_at.into(),
        who.into(),
        superseded.map(|(change, _)| change).into(),
        superseded.map(|(_, at)| at).into(),
        version.valid.from.into(),
        version.valid.to.into(),
        about_from.into(),
        about_to.into(),
        facts.key.clone().into(),
        facts.vehicle.map(|vehicle| vehicle.0).into(),
        facts.other_vehicle.map(|vehicle| vehicle.0).into(),
        facts.unit.map(|unit| unit.0).into(),
        body.into(),
    ]
}

/// Refuses a key that two rows have at the same instant. Reads what is known after the write.
async fn check_keys(tx: &mut Tx, timelines: &Timelines) -> Result<(), Error> {
    let mut touched: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
    for ((kind, _), (is_key_unique, timeline)) in timelines {
        let keys = timeline.known().filter(|version| version.is_new && *is_key_unique);
        touched.entry(kind).or_default().extend(keys.filter_map(|v| v.content.facts.key.as_deref()));
    }
    for (kind, keys) in touched {
        let keys: Vec<&str> = keys.into_iter().collect();
        for chunk in keys.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new(
                "SELECT natural_key, id, valid_from, valid_to FROM entries WHERE superseded_change IS NULL AND kind = ",
            );
            sql.push_bind(kind).push(" AND natural_key IN ").push_list(chunk.iter().copied());
            sql.push(" ORDER BY id, version");
            let mut holders: BTreeMap<String, Vec<(i64, Span)>> = BTreeMap::new();
            for (key, id, from, to) in tx.all::<(String, i64, i64, Option<i64>)>(sql).await? {
                let valid = Span { from: UtcMillis(from), to: to.map(UtcMillis) };
                holders.entry(key).or_default().push((id, valid));
            }
            for (key, rows) in holders {
                refuse_overlap(kind, &key, rows)?;
            }
        }
    }
    Ok(())
}

/// Refuses a second primary device of a car at the same instant. Reads what is known after the write.
async fn check_primaries(tx: &mut Tx, timelines: &Timelines) -> Result<(), Error> {
    let vehicles: BTreeSet<i64> = timelines
        .values()
        .flat_map(|(_, timeline)| timeline.known())
        .filter(|version| version.is_new)
        .filter_map(|version| version.content.primary_of.map(|vehicle| vehicle.0))
        .collect();
    let vehicles: Vec<i64> = vehicles.into_iter().collect();
    for chunk in vehicles.chunks(CHUNK_ROWS) {
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE superseded_change IS NULL AND kind = 'binding' AND vehicle IN ");
        sql.push_list(chunk.iter().copied()).push(" ORDER BY id, version");
        let mut primaries: BTreeMap<VehicleId, Vec<(i64, Span)>> = BTreeMap::new();
        for record in tx.all::<Record>(sql).await? {
            if let Some(vehicle) = record.row::<Binding>()?.primary_of() {
                primaries.entry(vehicle).or_default().push((record.id, record.valid()));
            }
        }
        for (vehicle, rows) in primaries {
            refuse_overlap("binding", &format!("primary device of vehicle {vehicle}"), rows)?;
        }
    }
    Ok(())
}

/// Refuses two rows that hold at the same instant, of those that may not.
fn refuse_overlap(kind: &'static str, key: &str, mut rows: Vec<(i64, Span)>) -> Result<(), Error> {
    rows.retain(|(_, valid)| overlap(*valid, *valid));
    rows.sort_unstable_by_key(|(id, valid)| (valid.from, *id));
    for pair in rows.windows(2) {
        if let [(one, first), (two, second)] = pair
            && overlap(*first, *second)
        {
            let (id, other) = ((*one).min(*two), (*one).max(*two));
            return Err(Error::Taken { kind, key: key.to_owned(), id, other, at: second.from });
        }
    }
    Ok(())
}
