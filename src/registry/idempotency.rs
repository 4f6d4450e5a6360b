//! Requests that may be sent twice: the answer to an `Idempotency-Key` is kept, so that the second sending changes nothing.
//!
//! The caller claims a key before it acts, and completes it with its answer or gives it up when it failed. A key belongs to a
//! token. Keys are forgotten after a day; so is a claim that was never completed, for example because the server stopped.

use motorpool_protocols::UtcMillis;
use sha2::{Digest as _, Sha256};

use super::db::Sql;
use super::{Error, Registry, hex};

/// Hours for which answers are kept.
pub const IDEMPOTENCY_HOURS: i64 = 24;
/// The longest key, bytes.
pub const KEY_BYTES_MAX: usize = 128;

/// A claim that was not completed for so long is taken to be dead, milliseconds.
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

impl Registry {
    /// Claims `key` of a token for a request, whose every meaningful byte (method, path, body) is `request`.
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
        let old = Sql::new("DELETE FROM idempotency_keys WHERE at < $1 OR (at < $2 AND status IS NULL)");
        let old = old.bind(now.0.saturating_sub(IDEMPOTENCY_HOURS * HOUR_MS));
        tx.execute(old.bind(now.0.saturating_sub(RUNNING_MAX_MS))).await?;
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
        Ok(())
    }
}
