//! A copy of the SQLite registry as it is at one moment, made beside whoever uses it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{Error, REGISTRY_FILE};

/// What a copy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct RegistryCopy {
    /// The highest number that a device has.
    pub last_device: u32,
    /// The change sequence.
    pub change: i64,
}

/// Copies `registry.sqlite` of the data folder `data` to the new file `to`. Writers go on meanwhile.
///
/// # Errors
/// When there is no registry, it can't be read, or `to` can't be written.
pub async fn copy_sqlite(data: &Path, to: &Path) -> Result<RegistryCopy, Error> {
    let source = data.join(REGISTRY_FILE);
    let mut connection = open(&source).await?;
    // One read transaction: what is committed while it runs is not in the copy.
    sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy().into_owned()).execute(&mut connection).await?;
    connection.close().await?;
    let mut copy = open(to).await?;
    let number = "SELECT value FROM sequences WHERE name = $1";
    let last_device: i64 = sqlx::query_scalar(number).bind("device").fetch_one(&mut copy).await?;
    let change: i64 = sqlx::query_scalar(number).bind("change").fetch_one(&mut copy).await?;
    copy.close().await?;
    let last_device = u32::try_from(last_device).map_err(|_| Error::Corrupt("the device sequence"))?;
    Ok(RegistryCopy { last_device, change })
}

/// The number of the last migration of the SQLite registry in the data folder `data`; `None` when there is no registry. Changes nothing.
///
/// # Errors
/// When it can't be read.
pub async fn sqlite_migration(data: &Path) -> Result<Option<u32>, Error> {
    let file = data.join(REGISTRY_FILE);
    if !file.exists() {
        return Ok(None);
    }
    let mut connection = open(&file).await?;
    let newest: Option<i64> =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(newest.and_then(|version| u32::try_from(version).ok()))
}

async fn open(file: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false);
    Ok(options.busy_timeout(super::db::BUSY_TIMEOUT).connect().await?)
}
