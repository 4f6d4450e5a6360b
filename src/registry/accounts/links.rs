//! One-time links: they set the first password, or a new one, and are worth nothing afterwards.

use motorpool_protocols::UtcMillis;

use super::super::Registry;
use super::super::db::{Sql, Tx};
use super::{Account, Error, NewAccount, NewGrant, People, account_in, insert_account, insert_grant, logins};
use crate::accounts::{Role, secrets};

/// Hours until a link is worth nothing.
pub const LINK_HOURS: i64 = 72;
const HOUR_MS: i64 = 3_600_000;

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle both")]
pub enum LinkUse {
    /// It makes the first account, a security administrator.
    First,
    /// It sets the password of this account.
    Password(Box<Account>),
}

/// A password to be set through a link.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewPassword<'a> {
    /// Its hash.
    pub hash: &'a str,
    /// The log-in name of the first account.
    pub name: &'a str,
    /// What others read; empty = as it is.
    pub display_name: &'a str,
}

impl People<'_> {
    /// Makes a link for an account, or for the first account. Links made for it before are worth nothing from now on.
    ///
    /// # Errors
    /// When the database or the source of randomness fails.
    pub async fn create_link(
        &self,
        account: Option<i64>,
        who: &str,
        now: UtcMillis,
    ) -> Result<String, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let secret = insert_link(&mut tx, account, who, now).await?;
        self.end(tx, account.map_or_else(String::new, |account| format!("account {account}"))).await?;
        Ok(secret)
    }

    /// Makes a link for an account whose password is to be replaced, and ends its log-ins: whoever has one of them may be the reason.
    ///
    /// # Errors
    /// As [`People::create_link`].
    pub async fn reset_account(&self, account: i64, who: &str, now: UtcMillis) -> Result<String, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let secret = insert_link(&mut tx, Some(account), who, now).await?;
        logins::end_all(&mut tx, account, None, now).await?;
        self.end(tx, format!("account {account}")).await?;
        Ok(secret)
    }

    /// On a start without any account: the link that makes the first one. The link of an earlier start is worth nothing then.
    ///
    /// # Errors
    /// As [`People::create_link`].
    pub async fn create_first_link(&self, now: UtcMillis) -> Result<Option<String>, Error> {
        if self.has_accounts().await? {
            return Ok(None);
        }
        self.create_link(None, "motorpool", now).await.map(Some)
    }

    /// What a link is for; `None` when it was used, is over, or never was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn link(&self, secret: &str, now: UtcMillis) -> Result<Option<LinkUse>, Error> {
        let sql = Sql::new(
            "SELECT account FROM account_links WHERE secret_sha256 = $1 AND used_at IS NULL AND expires_at > $2",
        );
        let row: Option<(Option<i64>,)> =
            self.registry.db.optional(sql.bind(secrets::sha256(secret)).bind(now)).await?;
        Ok(match row {
            None => None,
            Some((None,)) => (!self.has_accounts().await?).then_some(LinkUse::First),
            Some((Some(account),)) => {
                let account = self.account(account).await?.filter(|account| !account.is_disabled);
                account.map(|account| LinkUse::Password(Box::new(account)))
            }
        })
    }

    /// Uses a link: sets the password, ends every log-in of the account. The first account is
    /// made here, as a security administrator of everything; the token of the first start, which may do everything, ends with it. `None` when the link was used meanwhile, is over, or never was.
    ///
    /// # Errors
    /// [`Error::Refused`] for a name that is wrong or taken; or when the database fails. Then the link still holds.
    pub async fn use_link(
        &self,
        secret: &str,
        new: &NewPassword<'_>,
        now: UtcMillis,
    ) -> Result<Option<Account>, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let sql = Sql::new(
            "UPDATE account_links SET used_at = $1 WHERE secret_sha256 = $2 AND used_at IS NULL AND expires_at > $1 \
             RETURNING COALESCE(account, 0)",
        );
        let used: Option<(i64,)> = tx.optional(sql.bind(now).bind(secrets::sha256(secret))).await?;
        let Some((account,)) = used else { return Ok(None) };
        let is_first = account == 0;
        let account = match account {
            0 => {
                if tx.number(Sql::new("SELECT COUNT(*) FROM accounts")).await? != 0 {
                    return Ok(None);
                }
                let first = NewAccount {
                    name: new.name.to_owned(),
                    display_name: new.display_name.to_owned(),
                    ..NewAccount::default()
                };
                let account = insert_account(&mut tx, &first, "set-up link", now).await?;
                let grant = NewGrant { role: Role::SecurityAdmin, unit: None, is_secret: false, until: None };
                insert_grant(&mut tx, account.id, grant, "set-up link", now).await?;
                account.id
            }
            account => account,
        };
        let sql = Sql::new(
            "UPDATE accounts SET password = $1, password_at = $2, must_change_password = 0 WHERE id = $3 AND is_disabled = 0",
        );
        if tx.execute(sql.bind(new.hash).bind(now).bind(account)).await? == 0 {
            return Ok(None);
        }
        logins::end_all(&mut tx, account, None, now).await?;
        self.tell(&mut tx, format!("account {account}")).await?;
        let account = account_in(&mut tx, account).await?;
        if is_first {
            Registry::remove_first_token(&mut tx).await?;
            self.registry.commit_alone(tx).await?;
        } else {
            tx.commit().await?;
        }
        Ok(account)
    }

    /// Sets the password of an account. Other log-ins than `but` end, and links that were not used are worth nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_password(
        &self,
        account: i64,
        hash: &str,
        but: Option<i64>,
        now: UtcMillis,
    ) -> Result<(), Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let sql = Sql::new(
            "UPDATE accounts SET password = $1, password_at = $2, must_change_password = 0 WHERE id = $3",
        );
        tx.execute(sql.bind(hash).bind(now).bind(account)).await?;
        logins::end_all(&mut tx, account, but, now).await?;
        let sql = Sql::new("DELETE FROM account_links WHERE used_at IS NULL AND account = $1");
        tx.execute(sql.bind(account)).await?;
        self.end(tx, format!("account {account}")).await
    }

    /// Puts a hash with present parameters in place of one of the same password.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rehash_password(&self, account: i64, old: &str, fresh: &str) -> Result<(), Error> {
        let _turn = self.registry.writer.lock().await;
        let sql = Sql::new("UPDATE accounts SET password = $1 WHERE id = $2 AND password = $3");
        self.registry.db.execute(sql.bind(fresh).bind(account).bind(old)).await?;
        Ok(())
    }
}

/// Makes a link; those made for the account before are worth nothing from now on.
async fn insert_link(tx: &mut Tx, account: Option<i64>, who: &str, now: UtcMillis) -> Result<String, Error> {
    let secret = secrets::secret().map_err(|_| Error::Random)?;
    let mut sql = Sql::new("DELETE FROM account_links WHERE used_at IS NULL AND account ");
    match account {
        Some(account) => sql.push("= ").push_bind(account),
        None => sql.push("IS NULL"),
    };
    tx.execute(sql).await?;
    let sql = Sql::new(
        "INSERT INTO account_links (secret_sha256, account, created_at, created_by, expires_at) \
         VALUES ($1, $2, $3, $4, $5)",
    );
    let expires_at = now.0.saturating_add(LINK_HOURS * HOUR_MS);
    let sql = sql.bind(secrets::sha256(&secret)).bind(account).bind(now).bind(who).bind(expires_at);
    tx.execute(sql).await?;
    Ok(secret)
}
