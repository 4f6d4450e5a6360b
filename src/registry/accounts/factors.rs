//! Second factors as rows: the secret, the last code that was used up, and recovery codes. What a code is worth is computed in
//! [`crate::accounts::totp`], in the same transaction that uses it up.

use motorpool_protocols::UtcMillis;

use super::super::db::{Sql, Tx};
use super::super::hex;
use super::{Error, People};
use crate::accounts::{secrets, totp};

/// A code is looked at up to this length, bytes.
const CODE_BYTES_MAX: usize = 64;

impl People<'_> {
    /// Keeps a secret that is not in force yet, in place of an earlier one; `false` when one is in force.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn propose_totp(&self, account: i64, secret: &[u8]) -> Result<bool, Error> {
        let _turn = self.registry.writer.lock().await;
        let sql = Sql::new("UPDATE accounts SET totp_secret = $1 WHERE id = $2 AND totp_since IS NULL");
        Ok(self.registry.db.execute(sql.bind(hex::encode(secret)).bind(account)).await? != 0)
    }

    /// Puts the proposed secret in force if this is its code, with these recovery codes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn confirm_totp(
        &self,
        account: i64,
        code: &str,
        recovery_codes: &[String],
        now: UtcMillis,
    ) -> Result<bool, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let sql =
            Sql::new("SELECT totp_secret, totp_step FROM accounts WHERE id = $1 AND totp_since IS NULL");
        let Some(step) = step_of(&mut tx, sql.bind(account), code, now).await? else { return Ok(false) };
        let sql = Sql::new("UPDATE accounts SET totp_since = $1, totp_step = $2 WHERE id = $3");
        tx.execute(sql.bind(now).bind(step).bind(account)).await?;
        tx.execute(Sql::new("DELETE FROM recovery_codes WHERE account = $1").bind(account)).await?;
        for code in recovery_codes {
            let sql = Sql::new("INSERT INTO recovery_codes (account, code_sha256) VALUES ($1, $2)");
            tx.execute(sql.bind(account).bind(secrets::sha256(code))).await?;
        }
        self.end(tx, format!("account {account}")).await?;
        Ok(true)
    }

    /// Uses up a code of the second factor in force, or a recovery code; `false` when it is neither or was used before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_code(&self, account: i64, code: &str, now: UtcMillis) -> Result<bool, Error> {
        let code = code.trim().to_lowercase();
        if code.len() > CODE_BYTES_MAX {
            return Ok(false);
        }
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let sql =
            Sql::new("SELECT totp_secret, totp_step FROM accounts WHERE id = $1 AND totp_since IS NOT NULL");
        let is_good = match step_of(&mut tx, sql.bind(account), &code, now).await? {
            Some(step) => {
                let sql = Sql::new("UPDATE accounts SET totp_step = $1 WHERE id = $2");
                tx.execute(sql.bind(step).bind(account)).await?;
                true
            }
            None => {
                let sql = Sql::new(
                    "UPDATE recovery_codes SET used_at = $1 WHERE account = $2 AND code_sha256 = $3 AND used_at IS NULL",
                );
                tx.execute(sql.bind(now).bind(account).bind(secrets::sha256(&code))).await? != 0
            }
        };
        tx.commit().await?;
        Ok(is_good)
    }

    /// Takes the second factor away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_totp(&self, account: i64) -> Result<(), Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        remove(&mut tx, account).await?;
        self.end(tx, format!("account {account}")).await
    }
}

/// Takes the second factor away.
pub(super) async fn remove(tx: &mut Tx, account: i64) -> Result<(), Error> {
    tx.execute(Sql::new("DELETE FROM recovery_codes WHERE account = $1").bind(account)).await?;
    // The step stays: a code that was used up under one secret is of no use under another.
    let sql = Sql::new("UPDATE accounts SET totp_secret = NULL, totp_since = NULL WHERE id = $1");
    tx.execute(sql.bind(account)).await?;
    Ok(())
}

/// The time step that this code stands for, by the secret and last step of a row.
async fn step_of(tx: &mut Tx, sql: Sql, code: &str, now: UtcMillis) -> Result<Option<i64>, Error> {
    let row: Option<(Option<String>, i64)> = tx.optional(sql).await?;
    let Some((Some(secret), used_up)) = row else { return Ok(None) };
    let secret = hex::decode(&secret).ok_or(Error::Corrupt("the secret of a second factor"))?;
    Ok(totp::step_with_code(&secret, code, used_up, now))
}
