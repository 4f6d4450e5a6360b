//! Where people are logged in.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use motorpool_protocols::UtcMillis;
use sqlx::FromRow;

use super::super::Registry;
use super::super::db::{Sql, Tx};
use super::{Account, AccountRow, Error, Grant, GrantRow, People, SELECT_ACCOUNT, SELECT_GRANT, next};

/// The use of a log-in is written down at most so often, milliseconds.
const LAST_USED_STEP_MS: i64 = 60_000;
/// Log-ins whose use is noted and not written down yet; beyond that it is noted a little later.
const NOTED_MAX: usize = 65_536;
/// Log-ins that one account has open at a time; the one unused for longest ends when there are more.
const OPEN_MAX: i64 = 20;
/// Log-ins that a list shows.
const LISTED_MAX: u32 = 100;
/// Characters kept of what a browser says it is.
const AGENT_CHARS_MAX: usize = 200;

/// A log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Login {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub created_at: UtcMillis,
    /// When it was used last, to a minute.
    pub last_used_at: UtcMillis,
    /// When it ends, used or not.
    pub expires_at: UtcMillis,
    /// From where it was made.
    pub ip: String,
    /// What the browser said it is.
    pub agent: String,
}

/// A log-in to be made.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewLogin<'a> {
    /// SHA-256 of the secret in the cookie.
    pub secret_sha256: &'a str,
    /// When it ends, used or not.
    pub expires_at: UtcMillis,
    /// From where.
    pub ip: &'a str,
    /// What the browser says it is.
    pub agent: &'a str,
}

/// Somebody who is logged in, with everything that decides what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct LoggedIn {
    /// The log-in's number.
    pub login: i64,
    /// The account.
    pub account: Account,
    /// Its grants that hold.
    pub grants: Vec<Grant>,
}

/// What a name brings to a log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct SignIn {
    /// The account.
    pub account: Account,
    /// The hash of its password.
    pub password: Option<String>,
}

#[derive(Debug, FromRow)]
struct LoginRow {
    id: i64,
    account: i64,
    created_at: i64,
    last_used_at: i64,
    expires_at: i64,
    ip: String,
    agent: String,
}

impl From<LoginRow> for Login {
    fn from(row: LoginRow) -> Self {
        Self {
            id: row.id,
            created_at: UtcMillis(row.created_at),
            last_used_at: UtcMillis(row.last_used_at),
            expires_at: UtcMillis(row.expires_at),
            ip: row.ip,
            agent: row.agent,
        }
    }
}

/// Everything of a log-in that did not end. Followed by further conditions.
const SELECT_LOGIN: &str = "SELECT id, account, created_at, last_used_at, expires_at, ip, agent FROM logins \
    WHERE ended_at IS NULL";

/// Ends the log-ins of an account, but one.
pub(super) async fn end_all(
    tx: &mut Tx,
    account: i64,
    but: Option<i64>,
    now: UtcMillis,
) -> Result<(), Error> {
    let sql =
        Sql::new("UPDATE logins SET ended_at = $1 WHERE account = $2 AND ended_at IS NULL AND id <> $3");
    tx.execute(sql.bind(now).bind(account).bind(but.unwrap_or(0))).await?;
    Ok(())
}

impl People<'_> {
    /// What the account with this log-in name needs to log in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in(&self, name: &str) -> Result<Option<SignIn>, Error> {
        let mut sql = Sql::new(SELECT_ACCOUNT);
        sql.push(" WHERE name = ").push_bind(name.trim().to_lowercase());
        let row: Option<AccountRow> = self.registry.db.optional(sql).await?;
        Ok(row.map(|row| SignIn { password: row.password.clone(), account: row.into() }))
    }

    /// Makes a log-in. Answers its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_login(&self, account: i64, new: &NewLogin<'_>, now: UtcMillis) -> Result<i64, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let id = next(&mut tx, "login").await?;
        let agent: String = new.agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS_MAX).collect();
        let sql = Sql::new(
            "INSERT INTO logins (id, account, secret_sha256, created_at, last_used_at, expires_at, ip, agent) \
             VALUES ($1, $2, $3, $4, $4, $5, $6, $7)",
        );
        let sql = sql.bind(id).bind(account).bind(new.secret_sha256).bind(now).bind(new.expires_at);
        tx.execute(sql.bind(new.ip).bind(agent)).await?;
        let sql = Sql::new(
            "UPDATE logins SET ended_at = $1 WHERE ended_at IS NULL AND account = $2 AND id NOT IN \
             (SELECT id FROM logins WHERE account = $2 AND ended_at IS NULL ORDER BY last_used_at DESC, id DESC LIMIT $3)",
        );
        tx.execute(sql.bind(now).bind(account).bind(OPEN_MAX)).await?;
        self.end(tx, format!("login {id}")).await?;
        Ok(id)
    }

    /// Who is logged in with the secret of this hash: not ended, not expired, used within `idle_ms`, the account not shut.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logged_in(
        &self,
        secret_sha256: &str,
        idle_ms: i64,
        now: UtcMillis,
    ) -> Result<Option<LoggedIn>, Error> {
        let mut tx = self.registry.db.begin_read().await?;
        let mut sql = Sql::new(SELECT_LOGIN);
        sql.push(" AND secret_sha256 = ").push_bind(secret_sha256);
        sql.push(" AND expires_at > ").push_bind(now);
        let Some(login): Option<LoginRow> = tx.optional(sql).await? else { return Ok(None) };
        let noted = self.registry.login_use.pending().get(&login.id).copied();
        if login.last_used_at.max(noted.unwrap_or(0)) <= now.0.saturating_sub(idle_ms) {
            return Ok(None);
        }
        let mut sql = Sql::new(SELECT_ACCOUNT);
        sql.push(" WHERE is_disabled = 0 AND id = ").push_bind(login.account);
        let Some(account): Option<AccountRow> = tx.optional(sql).await? else { return Ok(None) };
        let mut sql = Sql::new(SELECT_GRANT);
        sql.push(" AND account = ").push_bind(login.account);
        sql.push(" AND (until IS NULL OR until > ").push_bind(now).push(") ORDER BY id");
        let grants: Vec<GrantRow> = tx.all(sql).await?;
        tx.rollback().await?;
        if now.0.saturating_sub(login.last_used_at) >= LAST_USED_STEP_MS.min(idle_ms / 4) {
            self.registry.login_use.note(login.id, now);
        }
        let grants = grants.into_iter().map(GrantRow::grant).collect::<Result<_, _>>()?;
        Ok(Some(LoggedIn { login: login.id, account: account.into(), grants }))
    }

    /// The log-ins of an account that hold, the last used first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logins(&self, account: i64, idle_ms: i64, now: UtcMillis) -> Result<Vec<Login>, Error> {
        let mut sql = Sql::new(SELECT_LOGIN);
        sql.push(" AND account = ").push_bind(account);
        sql.push(" AND expires_at > ").push_bind(now);
        sql.push(" AND last_used_at > ").push_bind(now.0.saturating_sub(idle_ms));
        sql.push(" ORDER BY last_used_at DESC, id DESC LIMIT ").push_bind(LISTED_MAX);
        let rows: Vec<LoginRow> = self.registry.db.all(sql).await?;
        Ok(rows.into_iter().map(Login::from).collect())
    }

    /// Ends a log-in of an account; `false` when it has none with that number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_login(&self, account: i64, login: i64, now: UtcMillis) -> Result<bool, Error> {
        let _turn = self.registry.writer.lock().await;
        let sql =
            Sql::new("UPDATE logins SET ended_at = $1 WHERE id = $2 AND account = $3 AND ended_at IS NULL");
        let mut tx = self.registry.db.begin_write().await?;
        let is_there = tx.execute(sql.bind(now).bind(login).bind(account)).await? != 0;
        if is_there {
            self.end(tx, format!("login {login}")).await?;
        }
        Ok(is_there)
    }
}

/// When log-ins were used, as long as it is not written down: a request notes it here and never waits for who writes.
#[derive(Debug, Default)]
pub(in super::super) struct LoginUse(Mutex<HashMap<i64, i64>>);

impl LoginUse {
    fn pending(&self) -> MutexGuard<'_, HashMap<i64, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, login: i64, now: UtcMillis) {
        let mut pending = self.pending();
        if pending.len() < NOTED_MAX || pending.contains_key(&login) {
            let used = pending.entry(login).or_insert(now.0);
            *used = now.0.max(*used);
        }
    }
}

impl Registry {
    /// Writes down when log-ins were used; of each at most once a minute, because only then it is noted.
    pub(in super::super) async fn flush_login_use(&self) -> Result<(), Error> {
        let noted: Vec<(i64, i64)> =
            self.login_use.pending().iter().map(|(login, used)| (*login, *used)).collect();
        if noted.is_empty() {
            return Ok(());
        }
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        for (login, used) in &noted {
            let sql = Sql::new("UPDATE logins SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1");
            tx.execute(sql.bind(*used).bind(*login)).await?;
        }
        tx.commit().await?;
        // What was used again meanwhile stays for the next time.
        let mut pending = self.login_use.pending();
        for (login, used) in noted {
            if pending.get(&login) == Some(&used) {
                pending.remove(&login);
            }
        }
        Ok(())
    }
}
