//! The audit log as rows: appended under the turn to write, read by page. How entries hang together is [`crate::accounts::chain`]'s.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::VehicleId;
use sqlx::FromRow;

use super::super::db::{Sql, Tx};
use super::super::devices::clean;
use super::{Error, People};
use crate::accounts::chain::{Deed, Entry, GENESIS};

/// Entries of one page at most.
const PAGE_MAX: u32 = 1_001;
/// Bytes of a detail; what is longer is cut.
const DETAIL_CHARS_MAX: usize = 4_000;

/// Which entries to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct LogFilter {
    /// Only those before this number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
    /// Only with this action.
    pub action: Option<String>,
}

/// Which reads of what a vehicle did to list, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct AccessFilter {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// Only those before this number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

#[derive(Debug, FromRow)]
struct Row {
    seq: i64,
    at: i64,
    actor: String,
    person: Option<i64>,
    ip: String,
    action: String,
    object: String,
    vehicle: Option<i64>,
    case_id: Option<String>,
    detail: String,
    detail_sha256: String,
    prev_hash: String,
    hash: String,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at: UtcMillis(row.at),
            deed: Deed {
                actor: row.actor,
                person: row.person,
                ip: row.ip,
                action: row.action,
                object: row.object,
                vehicle: row.vehicle,
                case_id: row.case_id,
                detail: row.detail,
            },
            detail_sha256: row.detail_sha256,
            prev_hash: row.prev_hash,
            hash: row.hash,
        }
    }
}

/// Everything of an entry. Followed by a condition.
const SELECT: &str = "SELECT seq, at, actor, person, ip, action, object, vehicle, case_id, detail, detail_sha256, \
    prev_hash, hash FROM audit_log WHERE ";

impl People<'_> {
    /// Appends a deed to the audit log. Answers its number.
    ///
    /// # Errors
    /// When the database fails: then the deed must not be done, or not be told of as done.
    pub async fn note(&self, deed: Deed, now: UtcMillis) -> Result<i64, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let seq = append(&mut tx, deed, now).await?;
        tx.commit().await?;
        Ok(seq)
    }

    /// Appends deeds to the audit log, all of them or none.
    ///
    /// # Errors
    /// When the database fails: then the deeds must not be done, or not be told of as done.
    pub async fn note_all(&self, deeds: Vec<Deed>, now: UtcMillis) -> Result<(), Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        for deed in deeds {
            append(&mut tx, deed, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Entries, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log(&self, filter: &LogFilter) -> Result<Vec<Entry>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("seq < ").push_bind(filter.before.unwrap_or(i64::MAX));
        if let Some(action) = &filter.action {
            sql.push(" AND action = ").push_bind(action);
        }
        sql.push(" ORDER BY seq DESC LIMIT ").push_bind(filter.limit.min(PAGE_MAX));
        let rows: Vec<Row> = self.registry.db.all(sql).await?;
        Ok(rows.into_iter().map(Entry::from).collect())
    }

    /// Entries behind a number, oldest first: for checking the whole of it piece by piece.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log_after(&self, seq: i64, limit: u32) -> Result<Vec<Entry>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("seq > ").push_bind(seq).push(" ORDER BY seq LIMIT ").push_bind(limit);
        let rows: Vec<Row> = self.registry.db.all(sql).await?;
        Ok(rows.into_iter().map(Entry::from).collect())
    }

    /// The number and hash of the last entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log_end(&self) -> Result<Option<(i64, String)>, Error> {
        self.registry.db.optional(Sql::new("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1")).await
    }

    /// Reads of what a vehicle did, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accesses(&self, filter: AccessFilter) -> Result<Vec<Entry>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("seq < ").push_bind(filter.before.unwrap_or(i64::MAX));
        sql.push(" AND vehicle = ").push_bind(filter.vehicle.0);
        sql.push(
            " AND action IN ('track.read', 'track.export', 'trips.read', 'evidence.read', 'case.log.read', \
             'search.read')",
        );
        sql.push(" ORDER BY seq DESC LIMIT ").push_bind(filter.limit.min(PAGE_MAX));
        let rows: Vec<Row> = self.registry.db.all(sql).await?;
        Ok(rows.into_iter().map(Entry::from).collect())
    }
}

/// Appends a deed within a transaction that writes. Answers its number.
async fn append(tx: &mut Tx, mut deed: Deed, now: UtcMillis) -> Result<i64, Error> {
    for text in [&mut deed.actor, &mut deed.ip, &mut deed.action, &mut deed.object] {
        *text = clean(text);
    }
    deed.detail = deed.detail.chars().filter(|c| *c != '\0').take(DETAIL_CHARS_MAX).collect();
    deed.case_id = deed.case_id.map(|id| clean(&id));
    let last: Option<(i64, String)> =
        tx.optional(Sql::new("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1")).await?;
    let (last, prev_hash) = last.unwrap_or_else(|| (0, GENESIS.to_owned()));
    let entry = Entry::new(last + 1, now, deed, prev_hash);
    let sql = Sql::new(
        "INSERT INTO audit_log (seq, at, actor, person, ip, action, object, vehicle, case_id, detail, detail_sha256, \
         prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    );
    let deed = entry.deed;
    let sql = sql.bind(entry.seq).bind(entry.at).bind(deed.actor).bind(deed.person).bind(deed.ip);
    let sql = sql.bind(deed.action).bind(deed.object).bind(deed.vehicle).bind(deed.case_id);
    let sql = sql.bind(deed.detail).bind(entry.detail_sha256).bind(entry.prev_hash).bind(entry.hash);
    tx.execute(sql).await?;
    Ok(entry.seq)
}

/// Writes the line that tells of a change into the change's own transaction, if there is one to be told. `object` is what the change
/// was made to, where the deed leaves that open.
pub(in super::super) async fn tell(
    tx: &mut Tx,
    told: Option<&Deed>,
    object: String,
    now: UtcMillis,
) -> Result<(), Error> {
    let Some(deed) = told else { return Ok(()) };
    let mut deed = deed.clone();
    if deed.object.is_empty() {
        deed.object = object;
    }
    append(tx, deed, now).await.map(drop)
}
