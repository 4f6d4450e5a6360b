//! Rows of a kind that is known by its name only: what the API lists and the command line writes out. Their content is JSON and
//! is handed on as it is stored; nothing here knows what it means.

use std::collections::BTreeSet;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::Span;
use serde::Serialize;
use serde_json::Value as Json;

use super::super::CHUNK_ROWS;
use super::super::db::Sql;
use super::read::select_kind;
use super::{Error, Known, Record, Registry, SELECT, facts};

/// Rows that one page may have.
const PAGE_MAX: u32 = 10_000;

/// One version of a row of any kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct AnyRow {
    /// The row's number within its kind.
    pub id: i64,
    /// 1 for the first version.
    pub version: u32,
    /// When it holds in the world.
    pub valid: Span,
    /// When it was recorded.
    pub recorded_at: UtcMillis,
    /// Who recorded it.
    pub recorded_by: String,
    /// Since when it is superseded.
    pub superseded_at: Option<UtcMillis>,
    /// First instant of the time that it speaks of, of an order the planned time.
    #[serde(skip)]
    pub about_from: UtcMillis,
    /// What it says.
    pub row: Json,
}

/// In which order to list rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a request")]
pub enum RowOrder {
    /// By number, then time of validity.
    #[default]
    Number,
    /// Those that speak of the latest time first.
    LatestFirst,
}

impl RowOrder {
    /// The place of a row in this order.
    #[must_use]
    pub const fn place(self, row: &AnyRow) -> (i64, UtcMillis, u32) {
        let at = match self {
            Self::Number => row.valid.from,
            Self::LatestFirst => row.about_from,
        };
        (row.id, at, row.version)
    }
}

/// Which rows of a kind to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct RowFilter {
    /// In which order.
    pub order: RowOrder,
    /// Only behind this place, see [`RowOrder::place`]. The keyset cursor.
    pub after: Option<(i64, UtcMillis, u32)>,
    /// At most so many; 10,000 at the most.
    pub limit: u32,
    /// Only with this key, see [`super::Stored::facts`].
    pub key: Option<String>,
    /// Only those that name this car.
    pub vehicle: Option<VehicleId>,
    /// Only those of these units; `None` = of all and of none.
    pub units: Option<BTreeSet<UnitId>>,
    /// Only those that speak of this instant or a later one.
    pub from: Option<UtcMillis>,
    /// Only those that speak of this instant or an earlier one.
    pub to: Option<UtcMillis>,
    /// Only those that hold at this instant.
    pub valid_at: Option<UtcMillis>,
    /// As of when.
    pub known: Known,
}

impl Record {
    fn any(self) -> Result<AnyRow, Error> {
        Ok(AnyRow {
            id: self.id,
            version: self.version()?,
            valid: self.valid(),
            recorded_at: UtcMillis(self.recorded_at),
            superseded_at: self.superseded_at.map(UtcMillis),
            about_from: UtcMillis(self.about_from),
            row: self.row()?,
            recorded_by: self.recorded_by,
        })
    }
}

/// Adds the condition that a row comes behind the place at which the page before ended.
fn push_place(sql: &mut Sql, filter: &RowFilter) {
    let Some((id, at, version)) = filter.after else { return };
    match filter.order {
        RowOrder::Number => {
            sql.push(" AND (id, valid_from, version) > (").push_bind(id);
            sql.push(", ").push_bind(at).push(", ").push_bind(version).push(")");
        }
        RowOrder::LatestFirst => {
            sql.push(" AND (about_from, id, version) < (").push_bind(at);
            sql.push(", ").push_bind(id).push(", ").push_bind(version).push(")");
        }
    }
}

impl Registry {
    /// Rows of a kind; none when there is no such kind.
    ///
    /// # Errors
    /// When the database fails or a row can't be read.
    pub async fn any_rows(&self, kind: &str, filter: &RowFilter) -> Result<Vec<AnyRow>, Error> {
        let mut sql = select_kind(kind, filter.known);
        push_place(&mut sql, filter);
        if let Some(key) = &filter.key {
            // A key of nothing but blanks is no row's.
            sql.push(" AND natural_key = ").push_bind(facts::key(key).unwrap_or_default());
        }
        if let Some(vehicle) = filter.vehicle {
            sql.push(" AND (vehicle = ").push_bind(vehicle.0);
            sql.push(" OR other_vehicle = ").push_bind(vehicle.0).push(")");
        }
        match &filter.units {
            // No unit is one of none.
            Some(units) if units.is_empty() => return Ok(Vec::new()),
            Some(units) => {
                sql.push(" AND unit IN ").push_list(units.iter().map(|unit| unit.0));
            }
            None => {}
        }
        if let Some(from) = filter.from {
            sql.push(" AND about_to >= ").push_bind(from);
        }
        if let Some(to) = filter.to {
            sql.push(" AND about_from <= ").push_bind(to);
        }
        if let Some(at) = filter.valid_at {
            sql.push(" AND valid_from <= ").push_bind(at);
            sql.push(" AND (valid_to IS NULL OR valid_to > ").push_bind(at).push(")");
        }
        sql.push(match filter.order {
            RowOrder::Number => " ORDER BY id, valid_from, version LIMIT ",
            RowOrder::LatestFirst => " ORDER BY about_from DESC, id DESC, version DESC LIMIT ",
        });
        sql.push_bind(filter.limit.min(PAGE_MAX));
        let records: Vec<Record> = self.db.all(sql).await?;
        records.into_iter().map(Record::any).collect()
    }

    /// Every version of a row, oldest first; none when there is no such row.
    ///
    /// # Errors
    /// As [`Registry::any_rows`].
    pub async fn any_history(&self, kind: &str, id: i64) -> Result<Vec<AnyRow>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE kind = ").push_bind(kind).push(" AND id = ").push_bind(id);
        sql.push(" ORDER BY version");
        let records: Vec<Record> = self.db.all(sql).await?;
        records.into_iter().map(Record::any).collect()
    }

    /// What is known now of the rows with these numbers, by number and version, with the mark that an ended row may consist of.
    ///
    /// # Errors
    /// As [`Registry::any_rows`].
    pub async fn any_rows_known(&self, kind: &str, ids: &[i64]) -> Result<Vec<AnyRow>, Error> {
        let mut rows = Vec::new();
        for chunk in ids.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new(SELECT);
            sql.push(" WHERE superseded_change IS NULL AND kind = ").push_bind(kind);
            sql.push(" AND id IN ").push_list(chunk.iter().copied()).push(" ORDER BY id, version");
            let records: Vec<Record> = self.db.all(sql).await?;
            for record in records {
                rows.push(record.any()?);
            }
        }
        Ok(rows)
    }
}
