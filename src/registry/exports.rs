//! Exports that take longer than a request: the queue, and what became of each.
//!
//! What an export holds, how it is written and where its file is is not known here. An export never comes back from an end; the one
//! way back is from `running` to `queued`, when the server stopped or the database failed meanwhile.

use std::collections::BTreeSet;

use motorpool_protocols::UtcMillis;
use sqlx::FromRow;

use super::accounts::log::tell;
use super::db::{Sql, Tx};
use super::{Error, Registry};
use crate::accounts::chain::Deed;

/// The largest plan, bytes of JSON.
const PLAN_BYTES_MAX: usize = 16 << 20;
/// The longest reason that is kept, characters.
const REASON_CHARS_MAX: usize = 500;
/// Ended exports forgotten at once.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

/// Where an export stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the table's own list")]
pub enum ExportState {
    /// It waits for its turn.
    Queued,
    /// It is being written.
    Running,
    /// Its file is there.
    Done,
    /// It could not be written.
    Failed,
    /// Its owner took it back.
    Cancelled,
    /// Its file was deleted because its time was over.
    Expired,
}

impl ExportState {
    const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled, Self::Expired];

    /// The word of the database and of JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether it waits or runs.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// An export to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewExport {
    /// Who sees it: what tells callers apart.
    pub owner: String,
    /// The account that it is, when the owner is a person.
    pub account: Option<i64>,
    /// Who it is written down for.
    pub created_by: String,
    /// From where the request came.
    pub ip: String,
    /// What, as JSON.
    pub request: String,
    /// Which devices at which times, as JSON.
    pub plan: String,
    /// What for.
    pub purpose: String,
}

/// How many exports one owner may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two limits")]
pub struct ExportLimits {
    /// That wait or run.
    pub open: i64,
    /// That are listed at all.
    pub kept: i64,
}

/// An export as it is stored, without its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct StoredExport {
    /// Its number.
    pub id: i64,
    /// Who sees it.
    pub owner: String,
    /// The account that it is.
    pub account: Option<i64>,
    /// Who it is written down for.
    pub created_by: String,
    /// From where the request came.
    pub ip: String,
    /// What was asked for, as JSON.
    pub request: String,
    /// What for.
    pub purpose: String,
    /// Where it stands.
    pub state: ExportState,
    /// When it was asked for.
    pub created_at: UtcMillis,
    /// When it was begun last.
    pub started_at: Option<UtcMillis>,
    /// When it came to its end.
    pub ended_at: Option<UtcMillis>,
    /// How far it is.
    pub progress: ExportProgress,
    /// Files of the archive that could not be read.
    pub damaged: i64,
    /// Why it failed.
    pub reason: Option<String>,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "three numbers")]
pub struct ExportProgress {
    /// Rows written.
    pub rows: i64,
    /// Bytes written.
    pub bytes: i64,
    /// Thousandths of the work.
    pub permille: i64,
}

/// What an export came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, built field by field")]
pub struct ExportEnd {
    /// Done, failed or cancelled.
    pub state: ExportState,
    /// How far it came.
    pub progress: ExportProgress,
    /// Files of the archive that could not be read.
    pub damaged: i64,
    /// Why it failed.
    pub reason: Option<String>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    owner: String,
    account: Option<i64>,
    created_by: String,
    ip: String,
    request: String,
    purpose: String,
    state: String,
    created_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    rows: i64,
    bytes: i64,
    permille: i64,
    damaged: i64,
    reason: Option<String>,
}

const EXPORT: &str = "SELECT id, owner, account, created_by, ip, request, purpose, state, created_at, started_at, ended_at, \
    rows, bytes, permille, damaged, reason FROM exports WHERE ";

impl Row {
    fn export(self) -> Result<StoredExport, Error> {
        let state = ExportState::from_word(&self.state).ok_or(Error::Corrupt("the state of an export"))?;
        Ok(StoredExport {
            id: self.id,
            owner: self.owner,
            account: self.account,
            created_by: self.created_by,
            ip: self.ip,
            request: self.request,
            purpose: self.purpose,
            state,
            created_at: UtcMillis(self.created_at),
            started_at: self.started_at.map(UtcMillis),
            ended_at: self.ended_at.map(UtcMillis),
            progress: ExportProgress { rows: self.rows, bytes: self.bytes, permille: self.permille },
            damaged: self.damaged,
            reason: self.reason,
        })
    }
}

impl Registry {
    /// Queues an export, tells the audit log in the same transaction, and answers its number. Deeds that leave their object open get
    /// that of the export.
    ///
    /// # Errors
    /// [`Error::Refused`] when the owner has too many already, or the plan is too large; or when the database fails.
    pub async fn queue_export(
        &self,
        new: &NewExport,
        limits: ExportLimits,
        deeds: &[Deed],
        now: UtcMillis,
    ) -> Result<i64, Error> {
        if new.plan.len() > PLAN_BYTES_MAX {
            return Err(Error::Refused("too many cars and times at once".to_owned()));
        }
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        check_limits(&mut tx, &new.owner, limits).await?;
        let next = "UPDATE sequences SET value = value + 1 WHERE name = 'export' RETURNING value";
        let id = tx.number(Sql::new(next)).await?;
        let sql = Sql::new(
            "INSERT INTO exports (id, owner, account, created_by, ip, request, plan, purpose, state, created_at, rows, bytes, \
             permille, damaged) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, 0, 0, 0, 0)",
        );
        let sql = sql.bind(id).bind(&new.owner).bind(new.account).bind(&new.created_by).bind(&new.ip);
        tx.execute(sql.bind(&new.request).bind(&new.plan).bind(&new.purpose).bind(now)).await?;
        for deed in deeds {
            tell(&mut tx, Some(deed), format!("export {id}"), now).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Exports of one owner, newest first, behind number `before`.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn exports_of(&self, owner: &str, before: i64, limit: u32) -> Result<Vec<StoredExport>, Error> {
        let mut sql = Sql::new(EXPORT);
        sql.push("owner = ").push_bind(owner).push(" AND id < ").push_bind(before);
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
        let rows: Vec<Row> = self.db.all(sql).await?;
        rows.into_iter().map(Row::export).collect()
    }

    /// An export.
    ///
    /// # Errors
    /// As [`Registry::exports_of`].
    pub async fn export(&self, id: i64) -> Result<Option<StoredExport>, Error> {
        let mut sql = Sql::new(EXPORT);
        sql.push("id = ").push_bind(id);
        let row: Option<Row> = self.db.optional(sql).await?;
        row.map(Row::export).transpose()
    }

    /// The plan of an export.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export_plan(&self, id: i64) -> Result<Option<String>, Error> {
        let sql = Sql::new("SELECT plan FROM exports WHERE id = $1");
        let row: Option<(String,)> = self.db.optional(sql.bind(id)).await?;
        Ok(row.map(|(plan,)| plan))
    }

    /// Takes the export that waits longest: it runs from now on. `None` when none waits.
    ///
    /// # Errors
    /// As [`Registry::exports_of`].
    pub async fn begin_export(&self, now: UtcMillis) -> Result<Option<StoredExport>, Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let mut sql = Sql::new(EXPORT);
        sql.push("state = 'queued' ORDER BY id LIMIT 1");
        let row: Option<Row> = tx.optional(sql).await?;
        let Some(found) = row.map(Row::export).transpose()? else { return Ok(None) };
        let sql = Sql::new(
            "UPDATE exports SET state = 'running', started_at = $1, rows = 0, bytes = 0, permille = 0 WHERE id = $2",
        );
        tx.execute(sql.bind(now).bind(found.id)).await?;
        tx.commit().await?;
        Ok(Some(StoredExport { state: ExportState::Running, started_at: Some(now), ..found }))
    }

    /// Notes how far an export is; answers whether it is still to go on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export_goes_on(&self, id: i64, progress: ExportProgress) -> Result<bool, Error> {
        let _turn = self.writer.lock().await;
        let sql = Sql::new(
            "UPDATE exports SET rows = $1, bytes = $2, permille = $3 WHERE id = $4 AND state = 'running'",
        );
        let sql = sql.bind(progress.rows).bind(progress.bytes).bind(progress.permille).bind(id);
        Ok(self.db.execute(sql).await? > 0)
    }

    /// Ends an export that runs; answers whether it still ran, else nothing is changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_export(&self, id: i64, end: &ExportEnd, now: UtcMillis) -> Result<bool, Error> {
        let reason: Option<String> =
            end.reason.as_ref().map(|text| text.chars().take(REASON_CHARS_MAX).collect());
        let _turn = self.writer.lock().await;
        let sql = Sql::new(
            "UPDATE exports SET state = $1, rows = $2, bytes = $3, permille = $4, damaged = $5, reason = $6, ended_at = $7 \
             WHERE id = $8 AND state = 'running'",
        );
        let ExportProgress { rows, bytes, permille } = end.progress;
        let sql = sql.bind(end.state.as_str()).bind(rows).bind(bytes).bind(permille).bind(end.damaged);
        Ok(self.db.execute(sql.bind(reason).bind(now).bind(id)).await? > 0)
    }

    /// Takes an export of this owner back: one that is open is cancelled, any other is forgotten. Tells the audit log in the same
    /// transaction. Answers where it stood; `None` when the owner has no such export.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn take_back_export(
        &self,
        owner: &str,
        id: i64,
        deed: &Deed,
        now: UtcMillis,
    ) -> Result<Option<ExportState>, Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let sql = Sql::new("SELECT state FROM exports WHERE id = $1 AND owner = $2");
        let row: Option<(String,)> = tx.optional(sql.bind(id).bind(owner)).await?;
        let Some((word,)) = row else { return Ok(None) };
        let state = ExportState::from_word(&word).ok_or(Error::Corrupt("the state of an export"))?;
        if state.is_open() {
            let sql = Sql::new("UPDATE exports SET state = 'cancelled', ended_at = $1 WHERE id = $2");
            tx.execute(sql.bind(now).bind(id)).await?;
        } else {
            tx.execute(Sql::new("DELETE FROM exports WHERE id = $1").bind(id)).await?;
        }
        tell(&mut tx, Some(deed), format!("export {id}"), now).await?;
        tx.commit().await?;
        Ok(Some(state))
    }

    /// What runs though nobody is at work on it waits again, to be begun anew: the server stopped meanwhile, or this failed at its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_exports_again(&self, at_work: &BTreeSet<i64>) -> Result<u64, Error> {
        let _turn = self.writer.lock().await;
        let mut sql = Sql::new("UPDATE exports SET state = 'queued' WHERE state = 'running'");
        if !at_work.is_empty() {
            sql.push(" AND id NOT IN ").push_list(at_work.iter().copied());
        }
        self.db.execute(sql).await
    }

    /// Lets the files of exports go that were done before `done_before`, and forgets those that ended before `ended_before`. Answers
    /// the numbers of those whose files are to be deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_exports(
        &self,
        done_before: UtcMillis,
        ended_before: UtcMillis,
    ) -> Result<Vec<i64>, Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let due =
            Sql::new("SELECT id FROM exports WHERE state = 'done' AND ended_at < $1 ORDER BY id LIMIT $2");
        let due: Vec<(i64,)> = tx.all(due.bind(done_before).bind(FORGOTTEN_AT_ONCE)).await?;
        let ids: Vec<i64> = due.into_iter().map(|(id,)| id).collect();
        if !ids.is_empty() {
            let mut sql = Sql::new("UPDATE exports SET state = 'expired' WHERE id IN ");
            sql.push_list(ids.iter().copied());
            tx.execute(sql).await?;
        }
        let old = Sql::new(
            "DELETE FROM exports WHERE state IN ('failed', 'cancelled', 'expired') AND ended_at < $1",
        );
        tx.execute(old.bind(ended_before)).await?;
        tx.commit().await?;
        Ok(ids)
    }

    /// The numbers of the exports whose files are there, and the bytes of these files together.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn exports_done(&self) -> Result<(Vec<i64>, i64), Error> {
        let sql = Sql::new("SELECT id, bytes FROM exports WHERE state = 'done' ORDER BY id");
        let rows: Vec<(i64, i64)> = self.db.all(sql).await?;
        let bytes = rows.iter().map(|(_, bytes)| *bytes).fold(0_i64, i64::saturating_add);
        Ok((rows.into_iter().map(|(id, _)| id).collect(), bytes))
    }
}

async fn check_limits(tx: &mut Tx, owner: &str, limits: ExportLimits) -> Result<(), Error> {
    let open = Sql::new("SELECT COUNT(*) FROM exports WHERE owner = $1 AND state IN ('queued', 'running')");
    if tx.number(open.bind(owner)).await? >= limits.open {
        return Err(Error::Refused(format!("{} exports wait or run already", limits.open)));
    }
    let kept = Sql::new("SELECT COUNT(*) FROM exports WHERE owner = $1");
    if tx.number(kept.bind(owner)).await? >= limits.kept {
        return Err(Error::Refused(format!("{} exports are kept already: remove some", limits.kept)));
    }
    Ok(())
}
