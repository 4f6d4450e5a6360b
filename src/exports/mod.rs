//! Exports that take longer than a request: a queue in the registry, a thread of the lowest priority, a file in `DATA/exports`.
//!
//! ```text
//! api ── queue ──▶ registry: queued ──▶ running ──▶ done ──▶ expired
//!                                     │    │
//!                                     │    └──▶ failed: not_allowed, disk_full, too_large, …
//!                                     └──▶ cancelled
//! ```
//!
//! What runs and is not worked on (the server stopped, or the database failed at the wrong moment) waits again at the next upkeep, which
//! also lets files go whose time is over, and removes those that no export names.
//!
//! Which devices at which times is settled when the export is asked for ([`plan`]), by what its owner sees then; the audit log is told of
//! each car in the same transaction. What the owner sees is asked for again when the export begins, while it runs, before the file gets
//! its name and at each download: who lost the grant gets no file.
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
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::MissedTickBehavior;
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

/// How often queue and folder are put in order, and the queue is looked at unasked: another process may have written into it.
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
    /// Exports from before the first to after the last thing that is done about them.
    at_work: Mutex<BTreeSet<i64>>,
    counts: Counts,
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exports")
    }
}

/// An export is worked on as long as there is this.
struct AtWork {
    inner: Arc<Inner>,
    id: i64,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        lock(&self.inner.at_work).remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the file of an export is deleted, if it has one. From then on nobody gets it.
#[must_use]
pub fn expires_at(export: &StoredExport, kept_days: u32) -> Option<UtcMillis> {
    let kept_ms = i64::from(kept_days).saturating_mul(DAY_MS);
    let done_at = export.ended_at.filter(|_| export.state == ExportState::Done)?;
    Some(UtcMillis(done_at.0.saturating_add(kept_ms)))
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
            at_work: Mutex::default(),
            counts: Counts::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn now(&self) -> UtcMillis {
        self.inner.clock.now()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<Progress>>> {
        lock(&self.inner.running)
    }

    /// Says that an export is worked on. To be said before anything else is awaited behind its beginning.
    fn at_work(&self, id: i64) -> AtWork {
        lock(&self.inner.at_work).insert(id);
        AtWork { inner: Arc::clone(&self.inner), id }
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
        // What is written is removed by who writes it.
        if stood.is_some() && !lock(&self.inner.at_work).contains(&id) {
            self.discard(id);
        }
        Ok(stood.is_some())
    }

    /// Whether the owner of an export still sees all of its plan.
    async fn holds(&self, export: &StoredExport, plan: &Plan) -> Result<bool, Error> {
        let scope = owner::scope_of(&self.inner.registry, &self.inner.fleet, export, self.now()).await?;
        Ok(scope.is_some_and(|scope| plan.is_within(&scope)))
    }

    /// Removes what an export left; what can't be removed is tried again at the next upkeep.
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

    /// Puts the queue and the folder in order: what runs and is not worked on waits again, and files that no export names are removed.
    ///
    /// # Errors
    /// When the database or the folder fails.
    pub async fn recover(&self) -> anyhow::Result<()> {
        // Noted first: what ends meanwhile is named by this, what was done before by the database.
        let at_work = lock(&self.inner.at_work).clone();
        let again = self.inner.registry.queue_exports_again(&at_work).await?;
        let (done, _) = self.inner.registry.exports_done().await?;
        let done: BTreeSet<i64> = done.into_iter().collect();
        self.inner.folder.keep_only(&done, &at_work)?;
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
        let turns = Arc::new(Semaphore::new(self.inner.config.running_max));
        let tasks = TaskTracker::new();
        // The first tick is at once: what the last run left is put in order before anything begins.
        let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_asked = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = upkeep.tick() => {
                    self.keep_up().await;
                    is_asked = true;
                }
                () = self.inner.news.notified(), if !is_asked => is_asked = true,
                Ok(turn) = Arc::clone(&turns).acquire_owned(), if is_asked => {
                    is_asked = self.start_next(turn, &tasks, &stop).await;
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Never at the same time as [`Exports::start_next`]: what was begun must be known to be worked on.
    async fn keep_up(&self) {
        if let Err(error) = self.expire().await {
            tracing::error!(error = &error as &dyn std::error::Error, "exports can't be let go");
        }
        if let Err(error) = self.recover().await {
            tracing::error!(error = format!("{error:#}"), "exports can't be put in order");
        }
    }

    /// Begins the export that waits longest; `false` when there is none.
    async fn start_next(
        &self,
        turn: OwnedSemaphorePermit,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> bool {
        let export = match self.begin().await {
            Ok(Some(export)) => export,
            Ok(None) => return false,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the queue of exports can't be read");
                return false;
            }
        };
        let (exports, stop, held) = (self.clone(), stop.clone(), (turn, self.at_work(export.id)));
        tasks.spawn(async move {
            if let Err(error) = exports.carry_out(export, &stop).await {
                tracing::error!(error = &error as &dyn std::error::Error, "an export can't be ended");
            }
            drop(held);
        });
        true
    }
}

fn bytes_of(bytes: config::Bytes) -> u64 {
    u64::try_from(bytes.0).unwrap_or(u64::MAX)
}
