//! Accounts and grants as rows. Who may what is decided in [`crate::accounts`]; here only what must hold for the rows themselves is
//! checked, in the transaction that writes them.

mod directory;
mod factors;
mod failures;
mod links;
pub(super) mod log;
mod logins;
mod purposes;
#[cfg(test)]
mod tests;

pub use failures::Admission;
pub use links::{LINK_HOURS, LinkUse, NewPassword};
pub use log::{AccessFilter, LogFilter};
pub(super) use logins::LoginUse;
pub use logins::{LoggedIn, Login, NewLogin, SignIn};
pub use purposes::{NewPurpose, Purpose};

use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::PersonId;
use motorpool_supervision::ids::{DriverId, UnitId};
use sqlx::FromRow;

use super::db::{Sql, Tx};
use super::{Error, Registry, Token, Told};
use crate::accounts::chain::Deed;
use crate::accounts::roles::{Role, may_be_held_together};

/// Accounts that one list shows.
const PAGE_MAX: u32 = 1_001;
/// Characters of a log-in name.
const NAME_CHARS_MAX: usize = 64;
/// Characters of a name that is shown.
const DISPLAY_CHARS_MAX: usize = 128;
/// Grants that one account may hold at a time.
const GRANTS_MAX: usize = 64;

/// Accounts, grants, log-ins, purposes and the audit log of a registry, and nothing else of it: who holds one can't reach cars.
#[derive(Clone, Copy, Debug)]
pub struct People<'r> {
    registry: &'r Registry,
    /// What the audit log is told of the next change, in the same transaction.
    told: Option<(&'r Deed, UtcMillis)>,
}

impl Registry {
    /// The people with accounts.
    #[must_use]
    pub const fn people(&self) -> People<'_> {
        People { registry: self, told: None }
    }
}

impl<'r> People<'r> {
    /// The same people, with what the audit log is told of a change: the line and the change are written together or not at all. The
    /// change fills in the object, when it is left empty, by the number that it has given.
    #[must_use]
    pub const fn telling(self, deed: &'r Deed, now: UtcMillis) -> Self {
        Self { told: Some((deed, now)), ..self }
    }

    /// Every API token, oldest first.
    #[must_use]
    pub fn tokens(&self) -> Arc<Vec<Arc<Token>>> {
        self.registry.tokens()
    }

    /// Takes an API token away; `false` when there is none with that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_token(&self, id: &str, who: &str, now: UtcMillis) -> Result<bool, Error> {
        let told = Told { who, deed: self.told.map(|(deed, _)| deed) };
        self.registry.revoke_token(id, told, now).await
    }

    /// Ends a change, with the line that tells of it.
    async fn end(&self, mut tx: Tx, object: String) -> Result<(), Error> {
        self.tell(&mut tx, object).await?;
        tx.commit().await
    }

    /// Writes the line that tells of a change, if there is one to be told.
    async fn tell(&self, tx: &mut Tx, object: String) -> Result<(), Error> {
        let Some((deed, now)) = self.told else { return Ok(()) };
        log::tell(tx, Some(deed), object, now).await
    }
}

/// An account, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Account {
    /// Its number.
    pub id: i64,
    /// The person's number, as cases know it.
    pub person: PersonId,
    /// What is typed at the log-in.
    pub name: String,
    /// What others read.
    pub display_name: String,
    /// The unit the person belongs to.
    pub unit: Option<UnitId>,
    /// The row of the register of drivers that the person is.
    pub driver: Option<DriverId>,
    /// Whether it was shut.
    pub is_disabled: bool,
    /// Whether the demo made it.
    pub is_demo: bool,
    /// Whether a password was set.
    pub has_password: bool,
    /// Whether the password must be changed first.
    pub must_change_password: bool,
    /// Whether a second factor is in force.
    pub has_totp: bool,
    /// When it was made.
    pub created_at: UtcMillis,
    /// By whom.
    pub created_by: String,
}

/// A role on a unit with all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Grant {
    /// Its number.
    pub id: i64,
    /// Whose.
    pub account: i64,
    /// What.
    pub role: Role,
    /// On which unit; `None` = on everything.
    pub unit: Option<UnitId>,
    /// Whether for cars on secret work too.
    pub is_secret: bool,
    /// Until when; `None` = until it is taken away.
    pub until: Option<UtcMillis>,
    /// When it was given.
    pub created_at: UtcMillis,
    /// By whom.
    pub created_by: String,
}

impl Grant {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: UtcMillis) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// An account to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewAccount {
    /// What is typed at the log-in.
    pub name: String,
    /// What others read.
    pub display_name: String,
    /// The unit the person belongs to.
    pub unit: Option<UnitId>,
    /// The row of the register of drivers that the person is.
    pub driver: Option<DriverId>,
    /// Whether the demo makes it.
    pub is_demo: bool,
}

/// What changes about an account; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct AccountChange {
    /// What others read.
    pub display_name: Option<String>,
    /// The unit the person belongs to.
    pub unit: Option<Option<UnitId>>,
    /// The row of the register of drivers that the person is.
    pub driver: Option<Option<DriverId>>,
    /// Whether it is shut; shutting ends its log-ins.
    pub is_disabled: Option<bool>,
    /// Whether the password must be changed before anything else.
    pub must_change_password: Option<bool>,
    /// `false` takes the second factor away; nobody puts one in force for somebody else.
    pub has_totp: Option<bool>,
}

/// A grant to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewGrant {
    /// What.
    pub role: Role,
    /// On which unit; `None` = on everything.
    pub unit: Option<UnitId>,
    /// Whether for cars on secret work too.
    pub is_secret: bool,
    /// Until when.
    pub until: Option<UtcMillis>,
}

#[derive(Debug, FromRow)]
struct AccountRow {
    id: i64,
    person: i64,
    name: String,
    display_name: String,
    unit: Option<i64>,
    driver: Option<i64>,
    is_disabled: i64,
    is_demo: i64,
    password: Option<String>,
    must_change_password: i64,
    totp_since: Option<i64>,
    created_at: i64,
    created_by: String,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id,
            person: PersonId(row.person),
            name: row.name,
            display_name: row.display_name,
            unit: row.unit.map(UnitId),
            driver: row.driver.map(DriverId),
            is_disabled: row.is_disabled != 0,
            is_demo: row.is_demo != 0,
            has_password: row.password.is_some(),
            must_change_password: row.must_change_password != 0,
            has_totp: row.totp_since.is_some(),
            created_at: UtcMillis(row.created_at),
            created_by: row.created_by,
        }
    }
}

#[derive(Debug, FromRow)]
struct GrantRow {
    id: i64,
    account: i64,
    role: String,
    unit: Option<i64>,
    is_secret: i64,
    until: Option<i64>,
    created_at: i64,
    created_by: String,
}

impl GrantRow {
    fn grant(self) -> Result<Grant, Error> {
        Ok(Grant {
            role: Role::from_word(&self.role).ok_or(Error::Corrupt("the role of a grant"))?,
            id: self.id,
            account: self.account,
            unit: self.unit.map(UnitId),
            is_secret: self.is_secret != 0,
            until: self.until.map(UtcMillis),
            created_at: UtcMillis(self.created_at),
            created_by: self.created_by,
        })
    }
}

/// Everything of an account. Followed by a condition.
const SELECT_ACCOUNT: &str = "SELECT id, person, name, display_name, unit, driver, is_disabled, is_demo, password, \
    must_change_password, totp_since, created_at, created_by FROM accounts";
/// Everything of a grant that was not taken away. Followed by further conditions.
const SELECT_GRANT: &str = "SELECT id, account, role, unit, is_secret, until, created_at, created_by FROM grants \
    WHERE revoked_at IS NULL";

/// A log-in name as it is stored: lower case, without blanks around it.
///
/// # Errors
/// [`Error::Refused`] for one that is empty, too long, or holds what a person can't see or type.
pub fn login_name(text: &str) -> Result<String, Error> {
    let name = text.trim().to_lowercase();
    let is_good = |c: char| c.is_alphanumeric() || "-_.@".contains(c);
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX || !name.chars().all(is_good) {
        let why = format!("a log-in name has 1 to {NAME_CHARS_MAX} letters, digits, or any of - _ . @");
        return Err(Error::Refused(why));
    }
    Ok(name)
}

fn display_name(text: &str, name: &str) -> Result<String, Error> {
    let shown: String = text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned();
    if shown.chars().count() > DISPLAY_CHARS_MAX {
        return Err(Error::Refused(format!("a name has at most {DISPLAY_CHARS_MAX} characters")));
    }
    Ok(if shown.is_empty() { name.to_owned() } else { shown })
}

/// The next number of a sequence.
async fn next(tx: &mut Tx, sequence: &'static str) -> Result<i64, Error> {
    let sql = Sql::new("UPDATE sequences SET value = value + 1 WHERE name = $1 RETURNING value");
    tx.number(sql.bind(sequence)).await
}

impl People<'_> {
    /// Makes an account, without a password: a link sets one.
    ///
    /// # Errors
    /// [`Error::Refused`] for a name that is wrong or taken; or when the database fails.
    pub async fn create_account(
        &self,
        new: &NewAccount,
        who: &str,
        now: UtcMillis,
    ) -> Result<Account, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let account = insert_account(&mut tx, new, who, now).await?;
        self.end(tx, format!("account {}", account.id)).await?;
        Ok(account)
    }

    /// An account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account(&self, id: i64) -> Result<Option<Account>, Error> {
        let mut sql = Sql::new(SELECT_ACCOUNT);
        sql.push(" WHERE id = ").push_bind(id);
        let row: Option<AccountRow> = self.registry.db.optional(sql).await?;
        Ok(row.map(Account::from))
    }

    /// The account with this log-in name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_named(&self, name: &str) -> Result<Option<Account>, Error> {
        let mut sql = Sql::new(SELECT_ACCOUNT);
        sql.push(" WHERE name = ").push_bind(name.trim().to_lowercase());
        let row: Option<AccountRow> = self.registry.db.optional(sql).await?;
        Ok(row.map(Account::from))
    }

    /// The account of a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_of(&self, person: PersonId) -> Result<Option<Account>, Error> {
        let mut sql = Sql::new(SELECT_ACCOUNT);
        sql.push(" WHERE person = ").push_bind(person.0);
        let row: Option<AccountRow> = self.registry.db.optional(sql).await?;
        Ok(row.map(Account::from))
    }

    /// Accounts behind a number, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(&self, after: i64, limit: u32) -> Result<Vec<Account>, Error> {
        let mut sql = Sql::new(SELECT_ACCOUNT);
        sql.push(" WHERE id > ").push_bind(after);
        sql.push(" ORDER BY id LIMIT ").push_bind(limit.min(PAGE_MAX));
        let rows: Vec<AccountRow> = self.registry.db.all(sql).await?;
        Ok(rows.into_iter().map(Account::from).collect())
    }

    /// The demo's accounts, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn demo_accounts(&self) -> Result<Vec<Account>, Error> {
        let mut sql = Sql::new(SELECT_ACCOUNT);
        sql.push(" WHERE is_demo = 1 AND is_disabled = 0 ORDER BY id LIMIT ").push_bind(PAGE_MAX);
        let rows: Vec<AccountRow> = self.registry.db.all(sql).await?;
        Ok(rows.into_iter().map(Account::from).collect())
    }

    /// Whether there is any account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_accounts(&self) -> Result<bool, Error> {
        Ok(self.registry.db.number(Sql::new("SELECT COUNT(*) FROM accounts")).await? != 0)
    }

    /// Changes an account; `None` when there is none with that number.
    ///
    /// # Errors
    /// When the database fails, or a name is too long.
    pub async fn change_account(
        &self,
        id: i64,
        change: &AccountChange,
        now: UtcMillis,
    ) -> Result<Option<Account>, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let Some(account) = account_in(&mut tx, id).await? else { return Ok(None) };
        let shown = match &change.display_name {
            Some(text) => display_name(text, &account.name)?,
            None => account.display_name.clone(),
        };
        let sql = Sql::new(
            "UPDATE accounts SET display_name = $1, unit = $2, driver = $3, is_disabled = $4, must_change_password = $5 \
             WHERE id = $6",
        )
        .bind(shown)
        .bind(change.unit.unwrap_or(account.unit).map(|unit| unit.0))
        .bind(change.driver.unwrap_or(account.driver).map(|driver| driver.0))
        .bind(change.is_disabled.unwrap_or(account.is_disabled))
        .bind(change.must_change_password.unwrap_or(account.must_change_password))
        .bind(id);
        tx.execute(sql).await?;
        if change.is_disabled == Some(true) {
            logins::end_all(&mut tx, id, None, now).await?;
        }
        if change.has_totp == Some(false) {
            factors::remove(&mut tx, id).await?;
        }
        let changed = account_in(&mut tx, id).await?;
        self.end(tx, format!("account {id}")).await?;
        Ok(changed)
    }

    /// The grants of an account that were not taken away, those that are over included, oldest first.
    ///
    /// # Errors
    /// When the database fails or a role is unknown.
    pub async fn grants(&self, account: i64) -> Result<Vec<Grant>, Error> {
        let mut sql = Sql::new(SELECT_GRANT);
        sql.push(" AND account = ").push_bind(account).push(" ORDER BY id");
        let rows: Vec<GrantRow> = self.registry.db.all(sql).await?;
        rows.into_iter().map(GrantRow::grant).collect()
    }

    /// The roles that a person ever had, those that were taken away included; `None` when no account is theirs.
    ///
    /// # Errors
    /// When the database fails or a role is unknown.
    pub async fn roles_ever(&self, person: PersonId) -> Result<Option<Vec<Role>>, Error> {
        let Some(account) = self.account_of(person).await? else { return Ok(None) };
        let sql = Sql::new("SELECT DISTINCT role FROM grants WHERE account = $1").bind(account.id);
        let words: Vec<(String,)> = self.registry.db.all(sql).await?;
        let role = |(word,): (String,)| Role::from_word(&word).ok_or(Error::Corrupt("the role of a grant"));
        words.into_iter().map(role).collect::<Result<_, _>>().map(Some)
    }

    /// Gives an account a role.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no such account, [`Error::Refused`] when the roles exclude each other or are too many; or
    /// when the database fails.
    pub async fn grant(
        &self,
        account: i64,
        new: NewGrant,
        who: &str,
        now: UtcMillis,
    ) -> Result<Grant, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let grant = insert_grant(&mut tx, account, new, who, now).await?;
        self.end(tx, format!("account {account}, grant {}", grant.id)).await?;
        Ok(grant)
    }

    /// Takes a grant away; `false` when the account has none with that number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_grant(
        &self,
        account: i64,
        grant: i64,
        who: &str,
        now: UtcMillis,
    ) -> Result<bool, Error> {
        let _turn = self.registry.writer.lock().await;
        let sql = Sql::new(
            "UPDATE grants SET revoked_at = $1, revoked_by = $2 WHERE id = $3 AND account = $4 AND revoked_at IS NULL",
        );
        let mut tx = self.registry.db.begin_write().await?;
        let is_there = tx.execute(sql.bind(now).bind(who).bind(grant).bind(account)).await? != 0;
        if is_there {
            self.end(tx, format!("account {account}, grant {grant}")).await?;
        }
        Ok(is_there)
    }
}

async fn account_in(tx: &mut Tx, id: i64) -> Result<Option<Account>, Error> {
    let mut sql = Sql::new(SELECT_ACCOUNT);
    sql.push(" WHERE id = ").push_bind(id);
    let row: Option<AccountRow> = tx.optional(sql).await?;
    Ok(row.map(Account::from))
}

async fn grants_in(tx: &mut Tx, account: i64) -> Result<Vec<Grant>, Error> {
    let mut sql = Sql::new(SELECT_GRANT);
    sql.push(" AND account = ").push_bind(account).push(" ORDER BY id");
    let rows: Vec<GrantRow> = tx.all(sql).await?;
    rows.into_iter().map(GrantRow::grant).collect()
}

async fn insert_account(tx: &mut Tx, new: &NewAccount, who: &str, now: UtcMillis) -> Result<Account, Error> {
    let name = login_name(&new.name)?;
    let shown = display_name(&new.display_name, &name)?;
    let known = tx.number(Sql::new("SELECT COUNT(*) FROM accounts WHERE name = $1").bind(&name)).await?;
    if known != 0 {
        return Err(Error::Refused(format!("there is an account `{name}` already")));
    }
    let id = next(tx, "account").await?;
    let person = next(tx, "person").await?;
    let sql = Sql::new(
        "INSERT INTO accounts (id, person, name, display_name, unit, driver, is_disabled, is_demo, must_change_password, \
         totp_step, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, 0, 0, $8, $9)",
    )
    .bind(id)
    .bind(person)
    .bind(&name)
    .bind(shown)
    .bind(new.unit.map(|unit| unit.0))
    .bind(new.driver.map(|driver| driver.0))
    .bind(new.is_demo)
    .bind(now)
    .bind(who);
    tx.execute(sql).await?;
    account_in(tx, id).await?.ok_or(Error::Corrupt("an account"))
}

async fn insert_grant(
    tx: &mut Tx,
    account: i64,
    new: NewGrant,
    who: &str,
    now: UtcMillis,
) -> Result<Grant, Error> {
    if account_in(tx, account).await?.is_none() {
        return Err(Error::Unknown { kind: "account", id: account });
    }
    let held: Vec<Grant> =
        grants_in(tx, account).await?.into_iter().filter(|grant| grant.holds(now)).collect();
    let roles: Vec<Role> = held.iter().map(|grant| grant.role).chain([new.role]).collect();
    if !may_be_held_together(&roles) {
        let why = "an administrator (system, security or audit) holds that role and no other, and whoever reviews \
                   (office-supervisor, inspector, resident-inspector) is no fleet-manager, dispatcher or approver";
        return Err(Error::Refused(why.to_owned()));
    }
    if held.len() >= GRANTS_MAX {
        return Err(Error::Refused(format!("an account holds at most {GRANTS_MAX} grants")));
    }
    let id = next(tx, "grant").await?;
    let sql = Sql::new(
        "INSERT INTO grants (id, account, role, unit, is_secret, until, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(account)
    .bind(new.role.as_str())
    .bind(new.unit.map(|unit| unit.0))
    .bind(new.is_secret)
    .bind(new.until)
    .bind(now)
    .bind(who);
    tx.execute(sql).await?;
    let NewGrant { role, unit, is_secret, until } = new;
    Ok(Grant { id, account, role, unit, is_secret, until, created_at: now, created_by: who.to_owned() })
}
