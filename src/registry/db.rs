//! The database under the registry: SQLite in the data folder, or PostgreSQL when several processes share it.
//!
//! Every query is written once, as a [`Sql`] with `$n` placeholders, and runs on both. What the two do not have in common is
//! in this file alone: how a connection is opened, how a transaction begins, and which errors pass.
//!
//! A write transaction ([`Db::begin_write`]) is the only one of its kind at any time, in all processes: SQLite takes its write
//! lock at once, PostgreSQL locks the row of the change sequence. So what such a transaction reads can't be overtaken, and
//! rules over several rows (one plate, one car) can be checked by reading. A read transaction sees one state throughout.
//!
//! Types are those that both know alike: BIGINT for numbers, times and booleans, TEXT, BYTEA. Text is never ordered by the
//! database where the order matters, because PostgreSQL orders by the locale of the database.

use std::borrow::Cow;
use std::path::Path;
use std::time::{Duration, Instant};

use motorpool_protocols::UtcMillis;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments as _, AssertSqlSafe, Database, FromRow, PgPool, Postgres, Sqlite, SqlitePool};

use super::Error;

/// The schema, one text for both. A migration that was released never changes.
static MIGRATIONS: Migrator = sqlx::migrate!("src/registry/migrations");

/// The number of the last migration that this program knows.
pub(crate) fn newest_migration() -> u32 {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    u32::try_from(newest).unwrap_or(u32::MAX)
}

/// How SQLite takes its write lock at once.
const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// How long a writer of SQLite waits for another process.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it waits between two tries where SQLite itself does not wait.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// Connections to SQLite: one watches for changes, one writes, the others read.
const SQLITE_CONNECTIONS_MAX: u32 = 4;
/// Connections to PostgreSQL.
const POSTGRES_CONNECTIONS_MAX: u32 = 8;

/// A value of a placeholder.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
}

macro_rules! value_from {
    ($($from:ty => $variant:ident($value:ident) $make:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                Self::$variant($make)
            }
        })*
    };
}

value_from! {
    i64 => Int(value) Some(value);
    u32 => Int(value) Some(i64::from(value));
    bool => Int(value) Some(i64::from(value));
    UtcMillis => Int(value) Some(value.0);
    Option<i64> => Int(value) value;
    Option<UtcMillis> => Int(value) value.map(|at| at.0);
    &str => Text(value) Some(storable(value.to_owned()));
    &String => Text(value) Some(storable(value.clone()));
    String => Text(value) Some(storable(value));
    Option<&str> => Text(value) value.map(|text| storable(text.to_owned()));
    Option<String> => Text(value) value.map(storable);
    Vec<u8> => Bytes(value) value;
}

/// A text that both databases can hold: PostgreSQL knows no NUL in a text.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// A statement with its values. Its text is made of literals only: whatever comes from outside is a value.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

impl Sql {
    /// A statement whose placeholders `$1`, `$2` … are given by [`Sql::bind`], in order.
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), values: Vec::new() }
    }

    /// The value of the next placeholder of the text.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds to the text.
    pub(super) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Adds a placeholder and its value.
    pub(super) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let number = self.values.len().to_string();
        let text = self.text.to_mut();
        text.push('$');
        text.push_str(&number);
        self
    }

    /// Adds `(v, v, …)`; the list must not be empty.
    pub(super) fn push_list<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        let mut before = "(";
        for value in values {
            self.push(before).push_bind(value);
            before = ", ";
        }
        self.push(")")
    }

    /// Adds `VALUES (…), (…)`, one for each row; there must be at least one.
    pub(super) fn push_rows(&mut self, rows: impl IntoIterator<Item = Vec<Value>>) -> &mut Self {
        let mut before = "VALUES ";
        for row in rows {
            self.push(before).push_list(row);
            before = ", ";
        }
        self
    }
}

/// What a query answers: a tuple or a struct with `#[derive(FromRow)]`.
pub(super) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// The values as the arguments of one database.
macro_rules! arguments {
    ($database:ty, $values:expr) => {{
        let mut arguments = <$database as Database>::Arguments::default();
        for value in $values {
            match value {
                Value::Int(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value),
                Value::Bytes(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        arguments
    }};
}

/// Runs a statement on whichever database it is.
macro_rules! run {
    ($place:expr, $variants:ident, $executor:ident => $on:expr, $sql:expr, $prepare:ident $(::<$row:ty>)?, $fetch:ident) => {{
        let text = AssertSqlSafe($sql.text.into_owned());
        match $place {
            $variants::Sqlite($executor) => {
                let arguments = arguments!(Sqlite, $sql.values);
                sqlx::$prepare::<Sqlite, $($row,)? _>(text, arguments).$fetch($on).await?.into()
            }
            $variants::Postgres($executor) => {
                let arguments = arguments!(Postgres, $sql.values);
                sqlx::$prepare::<Postgres, $($row,)? _>(text, arguments).$fetch($on).await?.into()
            }
        }
    }};
}

/// How many rows a statement changed.
struct Affected(u64);

impl From<sqlx::sqlite::SqliteQueryResult> for Affected {
    fn from(result: sqlx::sqlite::SqliteQueryResult) -> Self {
        Self(result.rows_affected())
    }
}

impl From<sqlx::postgres::PgQueryResult> for Affected {
    fn from(result: sqlx::postgres::PgQueryResult) -> Self {
        Self(result.rows_affected())
    }
}

/// The database, open.
#[derive(Clone, Debug)]
pub(super) enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Db {
    /// Opens the SQLite file, which must exist, and brings its schema up to date.
    pub(super) async fn open_sqlite(file: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = connect_sqlite(options).await?;
        // Under the write lock: unlike PostgreSQL's, this migrator does not look out for other processes.
        let mut tx = pool.begin_with(BEGIN_WRITE).await?;
        MIGRATIONS.run(&mut *tx).await?;
        tx.commit().await?;
        Ok(Self::Sqlite(pool))
    }

    /// Connects to the PostgreSQL database at `url` and brings its schema up to date.
    pub(super) async fn open_postgres(url: &str) -> Result<Self, Error> {
        let pool = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS_MAX).connect(url).await?;
        MIGRATIONS.run(&pool).await?;
        Ok(Self::Postgres(pool))
    }

    /// A transaction that writes: the only one until it ends.
    pub(super) async fn begin_write(&self) -> Result<Tx, Error> {
        match self {
            Self::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin_with(BEGIN_WRITE).await?)),
            Self::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query("SELECT value FROM sequences WHERE name = 'change' FOR UPDATE")
                    .execute(&mut *tx)
                    .await?;
                Ok(Tx::Postgres(tx))
            }
        }
    }

    /// A transaction that sees one state throughout and must not write.
    pub(super) async fn begin_read(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite(pool) => Tx::Sqlite(pool.begin().await?),
            Self::Postgres(pool) => {
                Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// Runs one statement on its own; answers how many rows it changed.
    pub(super) async fn execute(&self, sql: Sql) -> Result<u64, Error> {
        let affected: Affected = run!(self, Self, pool => pool, sql, query_with, execute);
        Ok(affected.0)
    }

    /// All rows of a query on its own.
    pub(super) async fn all<T: Record>(&self, sql: Sql) -> Result<Vec<T>, Error> {
        Ok(run!(self, Self, pool => pool, sql, query_as_with::<T>, fetch_all))
    }

    /// The row of a query on its own, if there is one.
    pub(super) async fn optional<T: Record>(&self, sql: Sql) -> Result<Option<T>, Error> {
        Ok(run!(self, Self, pool => pool, sql, query_as_with::<T>, fetch_optional))
    }

    /// The one number that a query on its own answers.
    pub(super) async fn number(&self, sql: Sql) -> Result<i64, Error> {
        let (number,): (i64,) = run!(self, Self, pool => pool, sql, query_as_with::<(i64,)>, fetch_one);
        Ok(number)
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Connects to the SQLite file. The first connection to a new file brings it into WAL mode, and SQLite's own timeout does not
/// cover that: of two processes that start together, the second is told "locked" at once. So this waits for it here.
async fn connect_sqlite(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        let pool = SqlitePoolOptions::new().max_connections(SQLITE_CONNECTIONS_MAX);
        match pool.connect_with(options.clone()).await {
            Err(error) if is_passing(&error) && Instant::now() < until => {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            done => return done,
        }
    }
}

/// A transaction; dropped without [`Tx::commit`] it is rolled back.
#[derive(Debug)]
pub(super) enum Tx {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Tx {
    /// Runs a statement; answers how many rows it changed.
    pub(super) async fn execute(&mut self, sql: Sql) -> Result<u64, Error> {
        let affected: Affected = run!(self, Self, tx => &mut **tx, sql, query_with, execute);
        Ok(affected.0)
    }

    /// All rows of a query.
    pub(super) async fn all<T: Record>(&mut self, sql: Sql) -> Result<Vec<T>, Error> {
        Ok(run!(self, Self, tx => &mut **tx, sql, query_as_with::<T>, fetch_all))
    }

    /// The row of a query, if there is one.
    pub(super) async fn optional<T: Record>(&mut self, sql: Sql) -> Result<Option<T>, Error> {
        Ok(run!(self, Self, tx => &mut **tx, sql, query_as_with::<T>, fetch_optional))
    }

    /// The one number that a query answers.
    pub(super) async fn number(&mut self, sql: Sql) -> Result<i64, Error> {
        let (number,): (i64,) = run!(self, Self, tx => &mut **tx, sql, query_as_with::<(i64,)>, fetch_one);
        Ok(number)
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    pub(super) async fn rollback(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}

/// Whether a failed statement may succeed a moment later: the database was busy, not there, or had to choose between two
/// transactions.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    /// SQLite (result codes): SQLITE_BUSY, and the same in a recovery, for an old snapshot, after a timeout. PostgreSQL
    /// (appendix A): serialization failure, deadlock, too many connections, starting or stopping.
    const PASSING: &[&str] =
        &["5", "261", "517", "773", "40001", "40P01", "53300", "57P01", "57P02", "57P03"];
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| PASSING.contains(&&*code)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_in_order() {
        let mut sql = Sql::new("SELECT $1").bind(7_i64);
        sql.push(" WHERE a IN ").push_list([1_i64, 2]).push(" AND b = ").push_bind("x");
        assert_eq!(sql.text, "SELECT $1 WHERE a IN ($2, $3) AND b = $4");
        let mut rows = Sql::new("INSERT INTO t (a, b) ");
        rows.push_rows([vec![1_i64.into(), "x".into()], vec![2_i64.into(), "y".into()]]);
        assert_eq!(rows.text, "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)");
        assert_eq!(rows.values.len(), 4);
    }

    #[tokio::test]
    async fn a_kill_in_the_middle_of_migrations_leaves_the_schema_before_them() {
        let (running, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = running.path().join("registry.sqlite");
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let all: Vec<_> = MIGRATIONS.iter().cloned().collect();
        Migrator::with_migrations(all.iter().take(5).cloned().collect()).run(&pool).await.unwrap();
        sqlx::query("INSERT INTO settings (name, value) VALUES ('kept', 'yes')")
            .execute(&pool)
            .await
            .unwrap();
        // Every migration is done but nothing is committed: what a kill would leave on the disk now.
        let mut tx = pool.begin_with(BEGIN_WRITE).await.unwrap();
        MIGRATIONS.run(&mut *tx).await.unwrap();
        for entry in std::fs::read_dir(running.path()).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_string_lossy().ends_with("-shm") {
                std::fs::copy(&path, killed.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let copy = killed.path().join("registry.sqlite");
        let plain = SqliteConnectOptions::new().filename(&copy);
        let before = SqlitePoolOptions::new().connect_with(plain).await.unwrap();
        let versions = "SELECT COUNT(*) FROM _sqlx_migrations";
        let done: i64 = sqlx::query_scalar(versions).fetch_one(&before).await.unwrap();
        assert_eq!(done, 5, "the schema is as it was");
        before.close().await;
        let db = Db::open_sqlite(&copy).await.unwrap();
        assert_eq!(db.number(Sql::new(versions)).await.unwrap(), all.len() as i64);
        let kept: Option<(String,)> =
            db.optional(Sql::new("SELECT value FROM settings WHERE name = 'kept'")).await.unwrap();
        assert_eq!(kept.unwrap().0, "yes");
    }

    /// Without the wait of [`connect_sqlite`], three that opened together failed in one round of ten.
    #[tokio::test]
    async fn whoever_opens_a_new_file_waits_for_who_came_first() {
        for _ in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("registry.sqlite");
            std::fs::File::create(&file).unwrap();
            let opened = futures_util::future::join_all((0..6).map(|_| Db::open_sqlite(&file))).await;
            for db in opened {
                db.unwrap().close().await;
            }
        }
    }

    #[tokio::test]
    async fn a_database_of_a_newer_program_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("registry.sqlite");
        std::fs::File::create(&file).unwrap();
        let db = Db::open_sqlite(&file).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'from the future', TRUE, X'00', 0)";
        db.execute(Sql::new(newer)).await.unwrap();
        db.close().await;
        let error = Db::open_sqlite(&file).await.unwrap_err();
        assert!(matches!(error, Error::Newer(9999)), "{error}");
        assert!(error.to_string().contains("newer Motorpool"), "{error}");
    }
}
