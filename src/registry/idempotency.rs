//! Requests that may be sent twice: the answer to an `Idempotency-Key` is kept, so that the second sending changes nothing.
//!
//! The caller claims a key before it acts, and completes it with its answer or gives it up when it failed. A key belongs to a
//! token. Keys are forgotten after a day. A claim that was never completed is forgotten after five minutes, for example because the
//! server stopped, but never while its request still runs in this process, however long that takes.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use motorpool_protocols::UtcMillis;
use sha2::{Digest as _, Sha256};

use super::db::Sql;
use super::{Error, Registry, hex};

/// Hours for which answers are kept.
pub const IDEMPOTENCY_HOURS: i64 = 24;
/// The longest key, bytes.
pub const KEY_BYTES_MAX: usize = 128;

/// A claim that was not completed for so long, and whose request does not run here, is taken to be dead, milliseconds.
const RUNNING_MAX_MS: i64 = 5 * 60_000;
/// The largest answer that is kept, bytes; a longer one is cut to nothing but its status.
const ANSWER_BYTES_MAX: usize = 256 << 10;
const HOUR_MS: i64 = 3_600_000;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every case")]
pub enum Claim {
    /// Nothing: it is the caller's now.
    New,
    /// The same request was answered before, with this status and body.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body; empty when it was too long to be kept.
        body: String,
    },
    /// The same request is being answered right now.
    Running,
    /// The key was used for another request.
    OtherRequest,
}

/// The claims whose requests run in this process: token and key.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashSet<(String, String)>>);

impl Claims {
    fn running(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        // Each change is one call of the set.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, token: &str, key: &str) {
        self.running().remove(&(token.to_owned(), key.to_owned()));
    }
}

/// Held while the request of a claim runs. Whichever way it ends, the claim may die by its age from then on.
#[derive(Debug)]
pub struct RunningClaim<'r> {
    registry: &'r Registry,
    token: String,
    key: String,
}

impl Drop for RunningClaim<'_> {
    fn drop(&mut self) {
        self.registry.claims.ended(&self.token, &self.key);
    }
}

impl Registry {
    /// Takes care of a claim that was just made, while its request runs.
    #[must_use]
    pub fn running_claim(&self, token: &str, key: &str) -> RunningClaim<'_> {
        RunningClaim { registry: self, token: token.to_owned(), key: key.to_owned() }
    }

    /// Claims `key` of a token for a request, whose every meaningful byte (method, path, body) is `request`. A new claim
    /// runs until it is completed, released, or its [`Registry::running_claim`] is dropped.
    ///
    /// # Errors
    /// [`Error::Refused`] when the key is empty or longer than [`KEY_BYTES_MAX`]; or when the database fails.
    pub async fn claim_key(
        &self,
        token: &str,
        key: &str,
        request: &[u8],
        now: UtcMillis,
    ) -> Result<Claim, Error> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains('\0') {
            return Err(Error::Refused(format!("an idempotency key has 1 to {KEY_BYTES_MAX} bytes")));
        }
        let hash = hex::encode(&Sha256::digest(request));
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let old = Sql::new("DELETE FROM idempotency_keys WHERE at < $1");
        tx.execute(old.bind(now.0.saturating_sub(IDEMPOTENCY_HOURS * HOUR_MS))).await?;
        let is_running = self.claims.running().contains(&(token.to_owned(), key.to_owned()));
        if !is_running {
            let dead = Sql::new(
                "DELETE FROM idempotency_keys WHERE token = $1 AND key = $2 AND status IS NULL AND at < $3",
            );
            let dead = dead.bind(token).bind(key).bind(now.0.saturating_sub(RUNNING_MAX_MS));
            tx.execute(dead).await?;
        }
        let sql = Sql::new(
            "INSERT INTO idempotency_keys (token, key, request_sha256, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (token, key) DO NOTHING",
        );
        let claimed = tx.execute(sql.bind(token).bind(key).bind(&hash).bind(now)).await?;
        let sql = Sql::new(
            "SELECT request_sha256, status, body FROM idempotency_keys WHERE token = $1 AND key = $2",
        );
        let row: Option<(String, Option<i64>, Option<String>)> =
            tx.optional(sql.bind(token).bind(key)).await?;
        tx.commit().await?;
        if claimed == 1 {
            self.claims.running().insert((token.to_owned(), key.to_owned()));
        }
        let (known, status, body) = row.ok_or(Error::Corrupt("a claim that was just made is gone"))?;
        Ok(match status {
            _ if claimed == 1 => Claim::New,
            _ if known != hash => Claim::OtherRequest,
            None => Claim::Running,
            Some(status) => Claim::Answered {
                status: u16::try_from(status).map_err(|_| Error::Corrupt("the status of an answer"))?,
                body: body.unwrap_or_default(),
            },
        })
    }

    /// Keeps the answer to a request whose key was claimed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn complete_key(&self, token: &str, key: &str, status: u16, body: &str) -> Result<(), Error> {
        let body = if body.len() > ANSWER_BYTES_MAX { "" } else { body };
        let sql =
            Sql::new("UPDATE idempotency_keys SET status = $1, body = $2 WHERE token = $3 AND key = $4");
        let _turn = self.writer.lock().await;
        self.db.execute(sql.bind(i64::from(status)).bind(body).bind(token).bind(key)).await?;
        self.claims.ended(token, key);
        Ok(())
    }

    /// Gives up a key whose request failed, so that it can be sent again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_key(&self, token: &str, key: &str) -> Result<(), Error> {
        let sql = Sql::new("DELETE FROM idempotency_keys WHERE token = $1 AND key = $2 AND status IS NULL");
        let _turn = self.writer.lock().await;
        self.db.execute(sql.bind(token).bind(key)).await?;
        self.claims.ended(token, key);
        Ok(())
    }
}
