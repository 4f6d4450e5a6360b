//! The mirror in the server: what `motorpool-mirror` does, with this server's registry, clock and configuration.
//!
//! It runs on a thread of its own that reads the journal behind the durable mark with its own checkpoint (`DATA/mirror`). Nobody
//! waits for it: not the terminals, not the folds, not `/readyz`. What it may hold of the journal has a limit
//! (`mirror.lag_max`). The server's address is the operator's own: it may be local, and it may be plain HTTP; the certificates
//! of `outbound.ca_file` count as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use motorpool_mirror::backoff::Backoff;
use motorpool_mirror::delivery::Delivery;
use motorpool_mirror::fill::Form;
use motorpool_mirror::follow::{Follower, FollowerParts, World};
use motorpool_mirror::influx::{Influx, InfluxSettings};
use motorpool_mirror::line::Measurement;
use motorpool_mirror::rejects::RejectFile;
use motorpool_mirror::status::Status;
use motorpool_protocols::{Observations, TerminalId, UtcMillis};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::background::{self, Priority};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::folds::{FoldCounts, decode_batch};
use crate::ids::{DeviceId, Lsn};
use crate::journal::{self, Journal};
use crate::registry::Registry;
use crate::telemetry::MirrorReading;
use crate::tracks::{Row, Tracks};

/// The priority of the mirror's thread, on the scale of nice(1).
const NICE: i32 = 5;

/// The folder of the mirror's state.
#[must_use]
pub fn folder(data: &Path) -> PathBuf {
    data.join("mirror")
}

/// The client of the configured server.
///
/// # Errors
/// When there is none, or it can't be used.
pub fn influx(config: &Config) -> anyhow::Result<Influx> {
    let mirror = &config.mirror;
    anyhow::ensure!(mirror.is_on(), "there is no mirror: mirror.url is empty");
    let settings = InfluxSettings {
        url: mirror.url.clone(),
        org: mirror.org.clone(),
        bucket: mirror.bucket.clone(),
        token: mirror.token.expose().to_owned(),
        gzip: mirror.gzip,
        timeout: mirror.timeout.0,
    };
    let ca_file = Some(config.outbound.ca_file.as_path()).filter(|path| !path.as_os_str().is_empty());
    Influx::new(settings, ca_file).context("[mirror]")
}

/// What delivers to the configured server, with its folder made.
///
/// # Errors
/// When there is none, or the folder can't be made.
pub fn delivery(config: &Config) -> anyhow::Result<Delivery<Influx>> {
    let mirror = &config.mirror;
    let folder = folder(&config.data);
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let backoff = Backoff { min: mirror.retry_min.0, max: mirror.retry_max.0 };
    let rejects = RejectFile::in_folder(&folder, mirror.rejects_bytes.0 as u64);
    // Without random numbers everybody waits the whole time.
    let random = || getrandom::u32().unwrap_or(u32::MAX);
    Ok(Delivery::new(influx(config)?, backoff, random, rejects, mirror.rejects_max))
}

/// What batches look like.
///
/// # Errors
/// When the measurement is none, which a checked configuration has not.
pub fn form(config: &config::Mirror) -> anyhow::Result<Form> {
    let measurement = Measurement::new(&config.measurement).context("mirror.measurement")?;
    Ok(Form { measurement, rows_max: config.batch_rows, bytes_max: config.batch_bytes.0 })
}

/// What the mirror asks of the server.
struct ServerWorld {
    registry: Arc<Registry>,
    folds: Arc<FoldCounts>,
    clock: Arc<Clock>,
    started: Instant,
    observations: Observations,
}

impl World for ServerWorld {
    fn rows(&mut self, record: &journal::Batch<'_>, out: &mut Vec<Row>) {
        decode_batch(record, &self.registry.snapshot(), &mut self.observations);
        for fix in &self.observations.fixes {
            out.push(Row::new(record.device, record.received_at, fix, self.observations.extra_of(fix)));
        }
    }

    fn terminal(&self, device: DeviceId) -> Option<TerminalId> {
        self.registry.snapshot().device(device).map(|device| device.terminal)
    }

    fn archived(&self) -> Lsn {
        Lsn(self.folds.consumed.load(Ordering::Acquire))
    }

    fn now(&self) -> UtcMillis {
        self.clock.now()
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// What a mirror is made of.
pub(crate) struct MirrorParts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) journal: &'a Journal,
    pub(crate) tracks: &'a Tracks,
    pub(crate) registry: &'a Arc<Registry>,
    pub(crate) clock: &'a Arc<Clock>,
    pub(crate) folds: Arc<FoldCounts>,
}

/// The mirror, ready to run.
#[derive(Debug)]
pub(crate) struct Mirror {
    follower: Follower<Influx, ServerWorld>,
}

impl Mirror {
    /// Keeps the journal from letting go of what the mirror has not read, until it says how far it is. To be called
    /// before any consumer names a checkpoint.
    pub(crate) fn reserve(config: &config::Mirror, journal: &Journal) {
        if config.is_on() {
            drop(journal.consumer("mirror"));
        }
    }

    /// Opens the configured mirror; `None` when there is none.
    pub(crate) fn open(parts: MirrorParts<'_>) -> anyhow::Result<Option<Self>> {
        let MirrorParts { config, journal, tracks, registry, clock, folds } = parts;
        if !config.mirror.is_on() {
            return Ok(None);
        }
        let delivery = delivery(config)?;
        let folder = folder(&config.data);
        let follower = Follower::open(FollowerParts {
            journal: journal.clone(),
            tracks: tracks.clone(),
            archive: config.data.join("tracks"),
            folder: folder.clone(),
            world: ServerWorld {
                registry: Arc::clone(registry),
                folds,
                clock: Arc::clone(clock),
                started: Instant::now(),
                observations: Observations::default(),
            },
            delivery,
            form: form(&config.mirror)?,
            lag_max: config.mirror.lag_max.0 as u64,
            overlap: config.mirror.overlap.0,
        })
        .with_context(|| format!("the mirror's state in {}", folder.display()))?;
        tracing::info!(url = config.mirror.url, bucket = config.mirror.bucket, "fixes are mirrored");
        Ok(Some(Self { follower }))
    }

    /// How it is doing, also while it runs.
    pub(crate) fn status(&self) -> MirrorStatus {
        MirrorStatus(Some(self.follower.status()))
    }

    /// Mirrors until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let runtime = Handle::current();
        background::run("mirror", Priority::Below(NICE), move || self.follower.run(&runtime, &stop)).await;
    }
}

/// How the mirror is doing, when there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct MirrorStatus(Option<Arc<Status>>);

impl MirrorStatus {
    /// Its numbers; `durable` is where the journal ends.
    pub(crate) fn read(&self, durable: Lsn, now: UtcMillis) -> MirrorReading {
        let Some(status) = &self.0 else { return MirrorReading::default() };
        let lag_bytes = durable.0.saturating_sub(status.delivered.load(Ordering::Relaxed));
        let received_ms = status.received_ms.load(Ordering::Relaxed);
        let lag_ms = if lag_bytes == 0 { 0 } else { now.0.saturating_sub(received_ms).max(0) };
        MirrorReading {
            is_writing: status.trouble().is_none(),
            lag_bytes,
            lag_s: lag_ms as f64 / 1e3,
            sent: status.sent.load(Ordering::Relaxed),
            rejected: status.rejected.load(Ordering::Relaxed),
            left_out: status.left_out.load(Ordering::Relaxed),
            retries: status.retries.load(Ordering::Relaxed),
            owed: status.owed.load(Ordering::Relaxed),
            archive_failures: status.archive_failures.load(Ordering::Relaxed),
        }
    }
}
