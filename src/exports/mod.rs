//! Exports that take longer than a request: a queue in the registry, a thread of the lowest priority, a file in `DATA/exports`.
//!
//! ```text
//! api ── queue ──▶ registry: queued ──▶ running ──▶ done ──▶ expired
//!                                     │    │
//!                                     │    └──▶ failed: not_allowed, disk_full, too_large, …
//!                                     └──▶ cancelled
//! ```
//!
//! Which devices at which times is settled when the export is asked for ([`plan`]), by what its owner sees then; the audit log is told of
//! each car in the same transaction. What the owner sees is asked for again when the export begins, while it runs, before the file gets
//! its name and at each download: who lost the grant gets no file. A restart begins anew what ran.
//!
//! Only this module writes in `DATA/exports`. It never opens a socket and never changes the archive.

mod area;
mod counts;
mod folder;
mod job;
mod owner;
pub mod plan;
mod request;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::area::Area;
pub use self::job::Reason;
pub use self::plan::{Plan, Selection};
pub use self::request::Request;

use self::counts::Counts;
use self::folder::Folder;
use self::rows::Progress;
use crate::accounts::FleetCache;
use crate::accounts::chain::Deed;
use crate::clock::Clock;
use crate::config;
use crate::registry::{Error, ExportLimits, ExportState, NewExport, Registry, StoredExport};
use crate::telemetry::ExportReading;
use crate::tracks::Tracks;

/// How often files whose time is over are looked for, and the queue besides: another process may have written into it.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);
/// How long exports without a file are listed, days.
const LISTED_DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;

/// What exports are made of.
#[expect(clippy::exhaustive_structs, reason = "built field by field by the composition root")]
pub struct ExportsParts {
    /// The queue, and who sees what.
    pub registry: Arc<Registry>,
    /// The rows.
    pub tracks: Tracks,
    /// The only clock.
    pub clock: Arc<Clock>,
    /// The limits.
    pub config: config::Exports,
    /// The data folder.
    pub data: PathBuf,
}

impl fmt::Debug for ExportsParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExportsParts")
    }
}

/// Exports; cloned freely.
#[derive(Clone)]
pub struct Exports {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Arc<Registry>,
    tracks: Tracks,
    clock: Arc<Clock>,
    config: config::Exports,
    folder: Folder,
    fleet: FleetCache,
    news: Notify,
    running: Mutex<BTreeMap<i64, Arc<Progress>>>,
    counts: Counts,
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exports")
    }
}

/// A finished file.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExportFile {
    /// The file, at its beginning.
    pub file: File,
    /// Its bytes.
    pub size: u64,
    /// The name under which a browser saves it: letters, digits, dots and hyphens.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
}

impl Exports {
    /// Over these parts; makes the folder.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(parts: ExportsParts) -> io::Result<Self> {
        let ExportsParts { registry, tracks, clock, config, data } = parts;
        let folder = Folder::open(&data, bytes_of(config.disk_reserve))?;
        let fleet = FleetCache::new(Arc::clone(&registry));
        let inner = Inner {
            registry,
            tracks,
            clock,
            config,
            folder,
            fleet,
            news: Notify::new(),
            running: Mutex::default(),
            counts: Counts::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn now(&self) -> UtcMillis {
        self.inner.clock.now()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<Progress>>> {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its numbers.
    #[must_use]
    pub fn reading(&self) -> ExportReading {
        let running = u64::try_from(self.running().len()).unwrap_or(u64::MAX);
        ExportReading { running, ended: self.inner.counts.read() }
    }

    /// Queues an export and tells the audit log; answers its number.
    ///
    /// # Errors
    /// [`Error::Refused`] when its owner has too many; or when the database fails.
    pub async fn queue(&self, new: &NewExport, deeds: &[Deed]) -> Result<i64, Error> {
        let config = &self.inner.config;
        let limits =
            ExportLimits { open: i64::from(config.open_each_max), kept: i64::from(config.kept_each_max) };
        let id = self.inner.registry.queue_export(new, limits, deeds, self.now()).await?;
        self.inner.news.notify_one();
        Ok(id)
    }

    /// The plan of an export.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan(&self, id: i64) -> Result<Option<Plan>, Error> {
        let text = self.inner.registry.export_plan(id).await?;
        let unreadable = |source| Error::Unreadable { what: format!("plan of the export {id}"), source };
        text.map(|text| serde_json::from_str(&text).map_err(unreadable)).transpose()
    }

    /// The finished file of an export. Who may have it was asked before.
    ///
    /// # Errors
    /// When there is none, or it can't be opened.
    pub fn file(&self, id: i64, request: &Request) -> io::Result<ExportFile> {
        let (file, size) = self.inner.folder.read(id, request.format)?;
        let name = rows::file_name(id, request.format, request.crs);
        Ok(ExportFile { file, size, name, media_type: request.format.media_type() })
    }

    /// Takes an export of this owner back: one that is open is cancelled, any other is forgotten with its file. Tells the audit log.
    /// `false` when the owner has no such export.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_back(&self, owner: &str, id: i64, deed: &Deed) -> Result<bool, Error> {
        let stood = self.inner.registry.take_back_export(owner, id, deed, self.now()).await?;
        if let Some(progress) = self.running().get(&id) {
            progress.stop();
        }
        // What runs is removed by who writes it.
        if stood.is_some_and(|state| state != ExportState::Running) {
            self.discard(id);
        }
        Ok(stood.is_some())
    }

    /// Whether the owner of an export still sees all of its plan.
    async fn holds(&self, export: &StoredExport, plan: &Plan) -> Result<bool, Error> {
        let scope = owner::scope_of(&self.inner.registry, &self.inner.fleet, export, self.now()).await?;
        Ok(scope.is_some_and(|scope| plan.is_within(&scope)))
    }

    /// Removes what an export left; what can't be removed is tried again at the next start.
    fn discard(&self, id: i64) {
        if let Err(error) = self.inner.folder.remove(id) {
            tracing::error!(%error, export = id, "the file of an export can't be removed");
        }
    }

    /// How large the next file may become.
    async fn room_for_one(&self) -> io::Result<u64> {
        let config = &self.inner.config;
        let (_, kept) = self.inner.registry.exports_done().await.map_err(io::Error::other)?;
        let growing = self.running().values().map(|progress| progress.bytes()).fold(0, u64::saturating_add);
        let taken = u64::try_from(kept).unwrap_or(0).saturating_add(growing);
        Ok(bytes_of(config.file_max).min(bytes_of(config.total_max).saturating_sub(taken)))
    }

    /// Puts the queue and the folder in order after a start: what ran waits again, and files that no export names are removed.
    ///
    /// # Errors
    /// When the database or the folder fails.
    pub async fn recover(&self) -> anyhow::Result<()> {
        let again = self.inner.registry.queue_exports_again().await?;
        let (done, _) = self.inner.registry.exports_done().await?;
        let done: BTreeSet<i64> = done.into_iter().collect();
        self.inner.folder.keep_only(&done)?;
        if again > 0 {
            tracing::info!(exports = again, "exports begin anew");
        }
        Ok(())
    }

    /// Deletes files whose time is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire(&self) -> Result<(), Error> {
        let now = self.now().0;
        let before = |days: i64| UtcMillis(now.saturating_sub(days.saturating_mul(DAY_MS)));
        let kept = i64::from(self.inner.config.kept_days);
        for id in self.inner.registry.expire_exports(before(kept), before(kept.max(LISTED_DAYS))).await? {
            self.discard(id);
        }
        Ok(())
    }

    /// Writes what is asked for, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        if let Err(error) = self.recover().await {
            tracing::error!(error = format!("{error:#}"), "exports can't be put in order");
        }
        let turns = Arc::new(Semaphore::new(self.inner.config.running_max));
        let tasks = TaskTracker::new();
        while !stop.is_cancelled() {
            let turn = tokio::select! {
                turn = Arc::clone(&turns).acquire_owned() => turn,
                () = stop.cancelled() => break,
            };
            let begun = self.begin().await.unwrap_or_else(|error| {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the queue of exports can't be read"
                );
                None
            });
            if let Some(export) = begun {
                let (exports, stop) = (self.clone(), stop.clone());
                tasks.spawn(async move {
                    let _turn = turn;
                    if let Err(error) = exports.carry_out(export, &stop).await {
                        tracing::error!(error = &error as &dyn std::error::Error, "an export can't be ended");
                    }
                });
                continue;
            }
            drop(turn);
            tokio::select! {
                () = self.inner.news.notified() => {}
                () = stop.cancelled() => {}
                () = tokio::time::sleep(UPKEEP_EVERY) => {
                    if let Err(error) = self.expire().await {
                        tracing::error!(error = &error as &dyn std::error::Error, "exports can't be let go");
                    }
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }
}

fn bytes_of(bytes: config::Bytes) -> u64 {
    u64::try_from(bytes.0).unwrap_or(u64::MAX)
}
