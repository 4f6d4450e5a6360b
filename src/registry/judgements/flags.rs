//! Flags: what rules found, as versions with a state and a history.

use std::collections::BTreeSet;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::{Colour, Finding, Nature, Outcome, Rule};
use motorpool_supervision::ids::{UnitId, VehicleId};
use sqlx::FromRow;

use super::super::db::{Sql, Tx, Value};
use super::{Error, Gone, Judgement, Registry, json, read};

/// Flags that one page may have.
const PAGE_MAX: u32 = 10_000;

/// A new version of a flag.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewFlag {
    /// Hash of the finding.
    pub id: String,
    /// The first version of its line: its own id when it has no predecessor.
    pub lineage: String,
    /// The version whose place it takes.
    pub predecessor: Option<String>,
    /// What was found.
    pub finding: Finding,
}

/// Whether a flag still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every state")]
pub enum FlagState {
    /// It does.
    Open,
    /// Another version took its place.
    Superseded,
    /// What is known now no longer gives it.
    Closed,
}

impl FlagState {
    /// The word used in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Superseded => "superseded",
            Self::Closed => "closed",
        }
    }

    /// The state with that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Open, Self::Superseded, Self::Closed].into_iter().find(|state| state.as_str() == word)
    }
}

/// A flag as it is stored.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Flag {
    /// Hash of the finding.
    pub id: String,
    /// The first version of its line: what people's decisions follow.
    pub lineage: String,
    /// The version whose place it took.
    pub predecessor: Option<String>,
    /// What was found.
    pub finding: Finding,
    /// When it was recorded first.
    pub recorded_at: UtcMillis,
    /// The change of the registry with which it was judged first.
    pub change: i64,
    /// Whether it holds.
    pub state: FlagState,
    /// Since when it is in this state.
    pub state_at: UtcMillis,
    /// The version in its place.
    pub superseded_by: Option<String>,
    /// Why it was closed.
    pub reason: Option<String>,
}

/// A state that a flag had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct FlagTurn {
    /// Since when.
    pub at: UtcMillis,
    /// Which state.
    pub state: FlagState,
    /// Why.
    pub reason: Option<String>,
    /// The version in its place.
    pub superseded_by: Option<String>,
}

/// Which flags to list, earliest day first, then by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct FlagFilter {
    /// Only behind this day and id: the keyset cursor.
    pub after: Option<(Date, String)>,
    /// At most so many; 10,000 at the most.
    pub limit: u32,
    /// Only in this state; open ones, typically.
    pub state: Option<FlagState>,
    /// Only from this local day on.
    pub from: Option<Date>,
    /// Only up to this local day, included.
    pub to: Option<Date>,
    /// Only of this car.
    pub vehicle: Option<VehicleId>,
    /// Only of these units; empty = of all.
    pub units: BTreeSet<UnitId>,
    /// Only of these rules; empty = of all.
    pub rules: BTreeSet<Rule>,
    /// Only of this colour.
    pub colour: Option<Colour>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only of this nature.
    pub nature: Option<Nature>,
    /// Only those of rule sets on trial, or only the others.
    pub is_trial: Option<bool>,
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Flag => "flag",
        Outcome::Undecidable => "undecidable",
    }
}

const fn colour(colour: Colour) -> &'static str {
    match colour {
        Colour::Green => "green",
        Colour::Grey => "grey",
        Colour::Yellow => "yellow",
        Colour::Red => "red",
    }
}

const fn nature(nature: Nature) -> &'static str {
    match nature {
        Nature::Conduct => "conduct",
        Nature::Paperwork => "paperwork",
        Nature::Equipment => "equipment",
        Nature::Statistic => "statistic",
    }
}

/// A local day as a number in the same order, for example 20260304.
pub(in super::super) fn day_number(day: Date) -> i64 {
    i64::from(day.year()) * 10_000 + i64::from(day.month()) * 100 + i64::from(day.day())
}

/// Writes the flags of a judgement.
pub(super) async fn write(tx: &mut Tx, judgement: &Judgement, at: UtcMillis) -> Result<(), Error> {
    for gone in &judgement.gone_flags {
        leave(tx, gone, at).await?;
    }
    for new in &judgement.flags {
        let body = json("a finding", &new.finding)?;
        let sql = insert(new, body, at, judgement.checkpoint.change);
        let step: Option<(i64,)> = tx.optional(sql).await?;
        // Without a row it was open already.
        if let Some((step,)) = step {
            turn(tx, &new.id, step, at, FlagState::Open, None, None).await?;
        }
    }
    Ok(())
}

async fn leave(tx: &mut Tx, gone: &Gone, at: UtcMillis) -> Result<(), Error> {
    let state = if gone.by.is_some() { FlagState::Superseded } else { FlagState::Closed };
    let sql = Sql::new(
        "UPDATE flags SET state = $1, state_at = $2, superseded_by = $3, reason = $4, step = step + 1 \
         WHERE id = $5 AND state = 'open' RETURNING step",
    );
    let (by, reason) = (gone.by.as_deref(), gone.reason.as_deref());
    let sql = sql.bind(state.as_str()).bind(at).bind(by).bind(reason).bind(&gone.id);
    let step: Option<(i64,)> = tx.optional(sql).await?;
    match step {
        Some((step,)) => turn(tx, &gone.id, step, at, state, reason, by).await,
        None => Ok(()),
    }
}

/// Inserts a flag, or opens it again; answers its step, or nothing when it is open already.
fn insert(new: &NewFlag, body: String, at: UtcMillis, change: i64) -> Sql {
    let finding = &new.finding;
    let mut sql = Sql::new(
        "INSERT INTO flags (id, lineage, predecessor, vehicle, unit, day, rule, outcome, colour, nature, is_trial, \
         starts, ends, body, recorded_at, change, state, state_at, step) ",
    );
    let row: Vec<Value> = vec![
        new.id.as_str().into(),
        new.lineage.as_str().into(),
        new.predecessor.as_deref().into(),
        finding.vehicle.0.into(),
        finding.unit.0.into(),
        day_number(finding.day).into(),
        finding.rule.code().into(),
        outcome(finding.outcome).into(),
        colour(finding.colour).into(),
        nature(finding.nature).into(),
        finding.is_trial.into(),
        finding.from.into(),
        finding.to.into(),
        body.into(),
        at.into(),
        change.into(),
        FlagState::Open.as_str().into(),
        at.into(),
        1_i64.into(),
    ];
    sql.push_rows([row]).push(
        " ON CONFLICT (id) DO UPDATE SET state = excluded.state, state_at = excluded.state_at, superseded_by = NULL, \
         reason = NULL, step = flags.step + 1 WHERE flags.state <> 'open' RETURNING step",
    );
    sql
}

async fn turn(
    tx: &mut Tx,
    flag: &str,
    step: i64,
    at: UtcMillis,
    state: FlagState,
    reason: Option<&str>,
    by: Option<&str>,
) -> Result<(), Error> {
    let sql = Sql::new(
        "INSERT INTO flag_history (flag, step, at, state, reason, superseded_by) VALUES ($1, $2, $3, $4, $5, $6)",
    );
    tx.execute(sql.bind(flag).bind(step).bind(at).bind(state.as_str()).bind(reason).bind(by)).await?;
    Ok(())
}

#[derive(FromRow)]
struct Record {
    id: String,
    lineage: String,
    predecessor: Option<String>,
    body: String,
    recorded_at: i64,
    change: i64,
    state: String,
    state_at: i64,
    superseded_by: Option<String>,
    reason: Option<String>,
}

const SELECT: &str = "SELECT id, lineage, predecessor, body, recorded_at, change, state, state_at, superseded_by, reason \
    FROM flags WHERE ";

impl Record {
    fn flag(self) -> Result<Flag, Error> {
        Ok(Flag {
            finding: read("finding", &self.body)?,
            id: self.id,
            lineage: self.lineage,
            predecessor: self.predecessor,
            recorded_at: UtcMillis(self.recorded_at),
            change: self.change,
            state: state(&self.state)?,
            state_at: UtcMillis(self.state_at),
            superseded_by: self.superseded_by,
            reason: self.reason,
        })
    }
}

fn state(word: &str) -> Result<FlagState, Error> {
    FlagState::from_word(word).ok_or(Error::Corrupt("the state of a flag"))
}

impl Registry {
    /// Flags by local day, then by id.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn flags(&self, filter: &FlagFilter) -> Result<Vec<Flag>, Error> {
        let mut sql = Sql::new(SELECT);
        let (day, id) =
            filter.after.as_ref().map_or((i64::MIN, ""), |(day, id)| (day_number(*day), id.as_str()));
        sql.push("(day, id) > (").push_bind(day).push(", ").push_bind(id).push(")");
        let equal: [(&str, Option<Value>); 6] = [
            (" AND state = ", filter.state.map(|state| state.as_str().into())),
            (" AND vehicle = ", filter.vehicle.map(|vehicle| vehicle.0.into())),
            (" AND colour = ", filter.colour.map(|value| colour(value).into())),
            (" AND outcome = ", filter.outcome.map(|value| outcome(value).into())),
            (" AND nature = ", filter.nature.map(|value| nature(value).into())),
            (" AND is_trial = ", filter.is_trial.map(Value::from)),
        ];
        for (condition, value) in equal {
            if let Some(value) = value {
                sql.push(condition).push_bind(value);
            }
        }
        if let Some(from) = filter.from {
            sql.push(" AND day >= ").push_bind(day_number(from));
        }
        if let Some(to) = filter.to {
            sql.push(" AND day <= ").push_bind(day_number(to));
        }
        if !filter.units.is_empty() {
            sql.push(" AND unit IN ").push_list(filter.units.iter().map(|unit| unit.0));
        }
        if !filter.rules.is_empty() {
            sql.push(" AND rule IN ").push_list(filter.rules.iter().map(|rule| rule.code()));
        }
        sql.push(" ORDER BY day, id LIMIT ").push_bind(filter.limit.min(PAGE_MAX));
        let records: Vec<Record> = self.db.all(sql).await?;
        records.into_iter().map(Record::flag).collect()
    }

    /// One flag in whatever state.
    ///
    /// # Errors
    /// As [`Registry::flags`].
    pub async fn flag(&self, id: &str) -> Result<Option<Flag>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("id = ").push_bind(id);
        let record: Option<Record> = self.db.optional(sql).await?;
        record.map(Record::flag).transpose()
    }

    /// Every state that a flag had, oldest first.
    ///
    /// # Errors
    /// As [`Registry::flags`].
    pub async fn flag_history(&self, id: &str) -> Result<Vec<FlagTurn>, Error> {
        let sql = Sql::new(
            "SELECT at, state, reason, superseded_by FROM flag_history WHERE flag = $1 ORDER BY step",
        );
        let rows: Vec<(i64, String, Option<String>, Option<String>)> = self.db.all(sql.bind(id)).await?;
        rows.into_iter()
            .map(|(at, word, reason, superseded_by)| {
                Ok(FlagTurn { at: UtcMillis(at), state: state(&word)?, reason, superseded_by })
            })
            .collect()
    }
}

/// The word of each value as a column has it, and as its JSON has it.
#[cfg(test)]
pub(super) fn words(colours: &[Colour], natures: &[Nature]) -> Vec<(String, String)> {
    let json = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let colours = colours.iter().map(|value| (colour(*value).to_owned(), json(serde_json::json!(value))));
    let natures = natures.iter().map(|value| (nature(*value).to_owned(), json(serde_json::json!(value))));
    let outcomes = [Outcome::Flag, Outcome::Undecidable];
    let outcomes = outcomes.iter().map(|value| (outcome(*value).to_owned(), json(serde_json::json!(value))));
    colours.chain(natures).chain(outcomes).collect()
}
