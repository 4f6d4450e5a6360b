//! What the registry does on its own: writes down notes of the network path and notices other processes.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::db::Db;
use super::{Error, Registry};

/// How often notes are written and other writers are looked for.
const PERIOD: Duration = Duration::from_secs(1);

impl Registry {
    /// Runs until `stop`, then writes the last notes. A failing database is reported and tried again.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut watcher = Watcher::default();
        let mut failing = false;
        loop {
            let last = tokio::select! {
                _ = ticks.tick() => false,
                () = stop.cancelled() => true,
            };
            let outcome = self.tick(&mut watcher).await;
            match &outcome {
                Err(error) if !failing => {
                    tracing::error!(error = error as &dyn std::error::Error, "registry failed")
                }
                Ok(()) if failing => tracing::info!("registry works again"),
                _ => {}
            }
            failing = outcome.is_err();
            if last {
                return;
            }
        }
    }

    async fn tick(&self, watcher: &mut Watcher) -> Result<(), Error> {
        self.flush_quarantine().await?;
        self.flush_registrations().await?;
        self.flush_token_use().await?;
        self.flush_login_use().await?;
        if watcher.changed(self).await? {
            self.reload().await?;
        }
        Ok(())
    }

    /// Writes down what the network path noted, and reads again what other processes changed: what
    /// [`Registry::run`] does every second.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sync(&self) -> Result<(), Error> {
        self.flush_quarantine().await?;
        self.flush_registrations().await?;
        self.reload().await
    }
}

/// Notices that another process may have written. On SQLite one connection remembers `PRAGMA data_version`, which changes
/// when another connection has committed; PostgreSQL has no such thing, so the change sequence itself is asked each time.
#[derive(Default)]
struct Watcher {
    connection: Option<sqlx::pool::PoolConnection<sqlx::Sqlite>>,
    version: i64,
}

impl Watcher {
    async fn changed(&mut self, registry: &Registry) -> Result<bool, Error> {
        let Db::Sqlite(pool) = &registry.db else { return Ok(true) };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => pool.acquire().await?,
        };
        let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *connection).await?;
        self.connection = Some(connection);
        let changed = version != self.version;
        self.version = version;
        Ok(changed)
    }
}
