//! Bearer tokens of the API: `mp_<id>_<secret>`, of which only the SHA-256 of the secret is kept.
//!
//! The secret has 256 random bits, so a plain hash is enough. A token is compared in constant time.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{PersonId, Role};
use motorpool_supervision::ids::UnitId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::FromRow;
use subtle::ConstantTimeEq;

use super::accounts::log::tell;
use super::db::{Sql, Tx};
use super::{Error, Registry, Told, bump, hex, random};

/// The file in the data folder that holds the first token, mode 0600.
pub const TOKEN_FILE: &str = "api-token";
/// What the token of the first start is called.
const FIRST_NAME: &str = "first start";
/// Who makes it; nobody at the command line is called so.
const FIRST_MAKER: &str = "motorpool";
/// The use of a token is written down at most so often, milliseconds.
const LAST_USED_STEP_MS: i64 = 60_000;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read everything.
    Read,
    /// Enrol devices.
    Enrol,
    /// Write the registers that judgement rests on, and approve what others propose.
    #[serde(rename = "registers:write")]
    WriteRegisters,
    /// Read flags and cases, and act on cases as far as the token's roles allow.
    Supervise,
    /// Everything, with approving and blocking.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] =
        &[Self::Read, Self::Enrol, Self::WriteRegisters, Self::Supervise, Self::Admin];

    /// The word used in the database, on the command line and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Enrol => "enrol",
            Self::WriteRegisters => "registers:write",
            Self::Supervise => "supervise",
            Self::Admin => "admin",
        }
    }

    /// The scope with that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == word)
    }
}

/// The person that a token stands for. No scope grants a role: [`Scope::Admin`] makes nobody a reviewer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct TokenPerson {
    /// The person's number; 0 until the token is made.
    pub id: PersonId,
    /// Name, as cases show it.
    pub name: String,
    /// What the person may act as; never empty, never the server.
    pub roles: BTreeSet<Role>,
    /// The unit the person belongs to.
    pub unit: UnitId,
}

/// The roles a token may carry, with the words of the command line and the database.
pub const TOKEN_ROLES: &[(&str, Role)] = &[
    ("office", Role::OfficeSupervisor),
    ("inspector", Role::Inspector),
    ("resident", Role::ResidentInspector),
    ("fleet-manager", Role::FleetManager),
    ("dispatcher", Role::Dispatcher),
    ("approver", Role::Approver),
    ("car-user", Role::CarUser),
    ("driver", Role::Driver),
];

fn role_of(word: &str) -> Option<Role> {
    TOKEN_ROLES.iter().find(|(known, _)| *known == word).map(|(_, role)| *role)
}

fn role_words(roles: &BTreeSet<Role>) -> String {
    let words = TOKEN_ROLES.iter().filter(|(_, role)| roles.contains(role)).map(|(word, _)| *word);
    words.collect::<Vec<_>>().join(" ")
}

/// A token as the registry knows it.
#[derive(Debug)]
pub struct Token {
    /// The part of it that may be shown.
    pub id: String,
    /// What it is for, in people's words.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: UtcMillis,
    /// Who made it.
    pub created_by: String,
    /// From when on it is refused; `None` = never.
    pub expires_at: Option<UtcMillis>,
    /// Whom it stands for, if anybody.
    pub person: Option<TokenPerson>,
    secret_sha256: Vec<u8>,
    last_used_ms: AtomicI64,
    written_used_ms: AtomicI64,
}

impl Token {
    /// Whether it may do `scope`.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// When it was used last.
    #[must_use]
    pub fn last_used_at(&self) -> Option<UtcMillis> {
        Some(self.last_used_ms.load(Ordering::Relaxed)).filter(|ms| *ms != 0).map(UtcMillis)
    }
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    secret_sha256: String,
    scopes: String,
    created_at: i64,
    created_by: String,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    number: Option<i64>,
    person: Option<String>,
    roles: Option<String>,
    unit: Option<i64>,
}

impl Row {
    /// The person, when all of it is there: whoever has no number, role or unit is nobody.
    fn person(&self) -> Option<TokenPerson> {
        let roles: BTreeSet<Role> = self.roles.as_deref()?.split(' ').filter_map(role_of).collect();
        let (id, unit) = (PersonId(self.number?), UnitId(self.unit?));
        let name = self.person.clone().unwrap_or_else(|| self.name.clone());
        (!roles.is_empty() && id.0 > 0).then_some(TokenPerson { id, name, roles, unit })
    }

    fn token(self) -> Result<Arc<Token>, Error> {
        let last_used = self.last_used_at.unwrap_or(0);
        Ok(Arc::new(Token {
            person: self.person(),
            id: self.id,
            name: self.name,
            scopes: self.scopes.split(' ').filter_map(Scope::from_word).collect(),
            created_at: UtcMillis(self.created_at),
            created_by: self.created_by,
            expires_at: self.expires_at.map(UtcMillis),
            secret_sha256: hex::decode(&self.secret_sha256).ok_or(Error::Corrupt("the hash of a token"))?,
            last_used_ms: AtomicI64::new(last_used),
            written_used_ms: AtomicI64::new(last_used),
        }))
    }
}

/// What the audit log calls a token.
fn object_of(id: &str) -> String {
    format!("token {id}")
}

impl Registry {
    /// Makes a token and answers its full text, which nobody can read again.
    ///
    /// # Errors
    /// When the database or the source of randomness fails.
    pub async fn create_token(
        &self,
        name: &str,
        scopes: &[Scope],
        expires_at: Option<UtcMillis>,
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<String, Error> {
        self.create_token_for(name, scopes, None, expires_at, told, now).await
    }

    /// As [`Registry::create_token`], for a person. The person's number is handed out here, whatever `person` says.
    ///
    /// # Errors
    /// As [`Registry::create_token`], and [`Error::Refused`] for a person without a role.
    pub async fn create_token_for(
        &self,
        name: &str,
        scopes: &[Scope],
        person: Option<&TokenPerson>,
        expires_at: Option<UtcMillis>,
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<String, Error> {
        let Told { who, deed } = told.into();
        if person.is_some_and(|person| role_words(&person.roles).is_empty()) {
            return Err(Error::Refused("a person without a role".to_owned()));
        }
        let id = hex::encode(&random::<4>()?);
        let secret = hex::encode(&random::<32>()?);
        let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let number = match person {
            Some(_) => {
                let sql = "UPDATE sequences SET value = value + 1 WHERE name = 'person' RETURNING value";
                Some(tx.number(Sql::new(sql)).await?)
            }
            None => None,
        };
        let sql = Sql::new(
            "INSERT INTO tokens (id, name, secret_sha256, scopes, created_at, created_by, expires_at, number, person, \
             roles, unit) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(&id)
        .bind(super::devices::clean(name))
        .bind(hex::encode(&Sha256::digest(&secret)))
        .bind(words.join(" "))
        .bind(now)
        .bind(who)
        .bind(expires_at)
        .bind(number)
        .bind(person.map(|person| super::devices::clean(&person.name)))
        .bind(person.map(|person| role_words(&person.roles)))
        .bind(person.map(|person| person.unit.0));
        tx.execute(sql).await?;
        tell(&mut tx, deed, object_of(&id), now).await?;
        self.commit_alone(tx).await?;
        Ok(format!("mp_{id}_{secret}"))
    }

    /// Takes a token away; `false` when there is none with that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_token(
        &self,
        id: &str,
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<bool, Error> {
        let deed = told.into().deed;
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let gone = tx.execute(Sql::new("DELETE FROM tokens WHERE id = $1").bind(id)).await?;
        if gone == 0 {
            return Ok(false);
        }
        tell(&mut tx, deed, object_of(id), now).await?;
        self.commit_alone(tx).await?;
        Ok(true)
    }

    /// Every token, oldest first.
    #[must_use]
    pub fn tokens(&self) -> Arc<Vec<Arc<Token>>> {
        self.tokens.load_full()
    }

    /// The token with this full text, when it exists and has not expired at `now`.
    #[must_use]
    pub fn check_token(&self, text: &str, now: UtcMillis) -> Option<Arc<Token>> {
        let (id, secret) = text.strip_prefix("mp_")?.split_once('_')?;
        let offered: [u8; 32] = Sha256::digest(secret).into();
        let tokens = self.tokens.load();
        let token = tokens.iter().find(|token| token.id == id)?;
        let same = bool::from(token.secret_sha256.as_slice().ct_eq(&offered));
        if !same || token.expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        token.last_used_ms.fetch_max(now.0, Ordering::Relaxed);
        Some(Arc::clone(token))
    }

    /// Whether a token that was checked before is still in force: what goes on for hours asks again.
    #[must_use]
    pub fn is_in_force(&self, token: &Token, now: UtcMillis) -> bool {
        let is_known = self.tokens.load().iter().any(|known| known.id == token.id);
        is_known && token.expires_at.is_none_or(|at| now < at)
    }

    /// On the first start: makes a token that may do everything and keeps it in the data folder, readable by
    /// the owner only. `None` when there is a token already, or an account.
    ///
    /// # Errors
    /// When the database or the file fails.
    pub async fn create_first_token(&self, data_dir: &Path, now: UtcMillis) -> Result<Option<String>, Error> {
        if !self.tokens.load().is_empty() || self.people().has_accounts().await? {
            return Ok(None);
        }
        let token = self.create_token(FIRST_NAME, &[Scope::Admin], None, FIRST_MAKER, now).await?;
        let path = data_dir.join(TOKEN_FILE);
        let write = || -> std::io::Result<()> {
            let temporary = data_dir.join("api-token.tmp");
            if temporary.exists() {
                std::fs::remove_file(&temporary)?;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(token.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)?;
            std::fs::File::open(data_dir)?.sync_all()
        };
        write().map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(Some(token))
    }

    /// Writes down when tokens were used last, coarsely.
    pub(super) async fn flush_token_use(&self) -> Result<(), Error> {
        let tokens = self.tokens.load_full();
        for token in tokens.iter() {
            let used = token.last_used_ms.load(Ordering::Relaxed);
            if used - token.written_used_ms.load(Ordering::Relaxed) < LAST_USED_STEP_MS {
                continue;
            }
            let _turn = self.writer.lock().await;
            let sql = Sql::new("UPDATE tokens SET last_used_at = $1 WHERE id = $2");
            self.db.execute(sql.bind(used).bind(&token.id)).await?;
            token.written_used_ms.store(used, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads the tokens out of the database.
    pub(super) async fn read_tokens(tx: &mut Tx) -> Result<Vec<Arc<Token>>, Error> {
        let sql = Sql::new(
            "SELECT id, name, secret_sha256, scopes, created_at, created_by, expires_at, last_used_at, number, person, \
             roles, unit FROM tokens ORDER BY created_at, id",
        );
        let rows: Vec<Row> = tx.all(sql).await?;
        rows.into_iter().map(Row::token).collect()
    }

    /// Takes the token of the first start away, in a change that [`Registry::commit_alone`] ends.
    pub(super) async fn remove_first_token(tx: &mut Tx) -> Result<(), Error> {
        let sql = Sql::new("DELETE FROM tokens WHERE name = $1 AND created_by = $2");
        tx.execute(sql.bind(FIRST_NAME).bind(FIRST_MAKER)).await?;
        Ok(())
    }

    /// Commits a change that no device took part in, and reads everything again.
    pub(super) async fn commit_alone(&self, mut tx: Tx) -> Result<(), Error> {
        bump(&mut tx).await?;
        let tokens = Self::read_tokens(&mut tx).await?;
        let devices = self.read_snapshot(&mut tx).await?;
        tx.commit().await?;
        self.tokens.store(Arc::new(tokens));
        self.publish(devices);
        Ok(())
    }
}
