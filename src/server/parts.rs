//! The parts of the server and how each is made from the others. What starts and stops when is decided in [`super`]; nothing here
//! listens before it is told to.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Mode, Stage, readings};
use crate::api::{self, ApiParts, ApiState};
use crate::basemaps::Basemaps;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::downlink::Downlink;
use crate::exports::{Exports, ExportsParts};
use crate::folds::{Driver, DriverParts};
use crate::ids::Lsn;
use crate::journal::{Journal, Recovery};
use crate::jt809::{self, SuperiorStatus};
use crate::live::Live;
use crate::live::snapshot::SNAPSHOT_FILE as LIVE_FILE;
use crate::mirror::{Mirror, MirrorParts, MirrorStatus};
use crate::mqtt::subscriber::BrokerCounts;
use crate::mqtt::{Downlinks, Refusals};
use crate::notify::gateway::{Gateway, Outbox};
use crate::notify::ring::Ring;
use crate::notify::{Notifier, NotifierParts};
use crate::outbound::{Client, Policy};
use crate::registry::{self, Registry};
use crate::retention::{Retention, RetentionParts};
use crate::rollups::{Keeper, Rollups};
use crate::sources::acks::AckQueue;
use crate::sources::post::{PostNews, PostOffice};
use crate::sources::{Links, listener};
use crate::supervision::{self, Marks, PackSources, SupervisionSettings, Supervisor, SupervisorParts};
use crate::telemetry::Counters;
use crate::tls::ServerTls;
use crate::tracks::Tracks;
use crate::webhooks::courier::Courier;

/// What the tasks of the server share.
pub(super) struct Parts {
    pub(super) config: Arc<Config>,
    pub(super) registry: Arc<Registry>,
    pub(super) journal: Journal,
    pub(super) tracks: Tracks,
    pub(super) clock: Arc<Clock>,
    pub(super) counters: Arc<Counters>,
    pub(super) acks: AckQueue,
    live: Arc<Live>,
    live_checkpoint: Lsn,
    links: Links,
    pub(super) downlinks: Downlinks,
    pub(super) refusals: Refusals,
    pub(super) broker: Arc<BrokerCounts>,
    ring: Arc<Ring>,
    outbound: Client,
    marks: Arc<Marks>,
    marks_from: Lsn,
    rollups: Arc<Rollups>,
    exports: Exports,
}

impl Parts {
    /// Locks and recovers the journal, then opens the rest.
    pub(super) async fn open(config: Config) -> anyhow::Result<Self> {
        let data = &config.data;
        crate::backup::ensure_restored(data)?;
        fs::create_dir_all(data).with_context(|| format!("can't make the data folder {}", data.display()))?;
        let tracks_dir = data.join("tracks");
        let snapshot = data.join(LIVE_FILE);
        let journal_config = config.journal.clone();
        let tracks_config = config.tracks.clone();
        let folder = data.clone();
        let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            let (live, live_checkpoint) = Live::load_or_new(&snapshot);
            // The journal's lock keeps a second server out, so it comes before anything that cleans up.
            let floor = live_checkpoint.max(Tracks::checkpoint_in(&tracks_dir)?);
            let journal = Journal::open_after(&folder, &journal_config, floor)?;
            let tracks = Tracks::open(&tracks_dir, &tracks_config)?;
            // A merge must never be what makes the journal refuse.
            tracks.keep_free((journal_config.disk_reserve.0 as u64).saturating_mul(2));
            Ok((live, live_checkpoint, journal, tracks))
        });
        let (live, live_checkpoint, (journal, recovery), tracks) = opened.await??;
        report(&recovery);
        registry::write_profiles(data, &config)?;
        let registry = Arc::new(Registry::open(data, &config).await?);
        let clock = Arc::new(Clock::starting_at(journal.last_received_at()));
        let marks_from = registry.checkpoint().await?.unwrap_or_default().lsn;
        let marks = Arc::new(Marks::new(marks_from));
        let rollups = rollups(&config, &marks, &registry, &tracks)?;
        let outbound = outbound_client(&config.outbound)?;
        let exports = Exports::open(ExportsParts {
            registry: Arc::clone(&registry),
            tracks: tracks.clone(),
            clock: Arc::clone(&clock),
            config: config.exports.clone(),
            data: config.data.clone(),
        })
        .context("can't make the folder of exports")?;
        Ok(Self {
            exports,
            registry,
            journal,
            tracks,
            live: Arc::new(live),
            live_checkpoint,
            counters: Arc::new(Counters::default()),
            links: Links::starting_at(clock.now()),
            acks: AckQueue::default(),
            downlinks: Downlinks::default(),
            refusals: Refusals::default(),
            broker: Arc::default(),
            ring: Arc::new(Ring::default()),
            outbound,
            marks,
            marks_from,
            rollups: Arc::new(rollups),
            clock,
            config: Arc::new(config),
        })
    }

    /// What makes the first account, while there is none. The demo makes its own accounts.
    pub(super) async fn first_link(&self, mode: Mode) -> anyhow::Result<Option<String>> {
        match mode {
            Mode::Serve => Ok(self.registry.people().create_first_link(self.clock.now()).await?),
            Mode::Demo => Ok(None),
        }
    }

    /// What follows the journal: the fold thread, started, and the supervisor, which is to be run; and what removes from behind what they
    /// derived.
    pub(super) async fn follow(&self) -> anyhow::Result<(Supervisor, Driver, Retention)> {
        let registry = &self.registry;
        supervision::write_calendar(registry, &self.config.supervision.calendar, self.clock.now()).await?;
        let retention = Retention::new(RetentionParts {
            registry: Arc::clone(registry),
            tracks: self.tracks.clone(),
            clock: Arc::clone(&self.clock),
            marks: Arc::clone(&self.marks),
            config: Arc::clone(&self.config),
        })
        .await?;
        let supervisor = Supervisor::new(
            SupervisorParts {
                registry: Arc::clone(registry),
                tracks: self.tracks.clone(),
                marks: Arc::clone(&self.marks),
                settings: SupervisionSettings::from(&self.config.supervision),
            },
            self.journal.last_received_at(),
        )
        .await?;
        let driver = Driver::start(DriverParts {
            journal: self.journal.clone(),
            registry: Arc::clone(registry),
            tracks: self.tracks.clone(),
            live: Arc::clone(&self.live),
            live_snapshot: self.config.data.join(LIVE_FILE),
            live_checkpoint: self.live_checkpoint,
            clock: Arc::clone(&self.clock),
            marks: Arc::clone(&self.marks),
            marks_from: self.marks_from,
        })
        .context("can't start the fold thread")?;
        Ok((supervisor, driver, retention))
    }

    /// What feeds superior platforms, when there are any. Opened before a checkpoint of the journal is named.
    pub(super) async fn feeds(&self) -> anyhow::Result<Option<jt809::Feeds>> {
        let (config, journal) = (Arc::clone(&self.config), self.journal.clone());
        let (registry, clock) = (Arc::clone(&self.registry), Arc::clone(&self.clock));
        let opened = tokio::task::spawn_blocking(move || {
            jt809::Feeds::open(&config.jt809, &config.data, &journal, &registry, &clock)
        });
        opened.await?
    }

    /// The mirror, when there is one; before, [`Mirror::reserve`] has kept its place in the journal.
    pub(super) fn mirror(&self, driver: &Driver) -> anyhow::Result<Option<Mirror>> {
        Mirror::open(MirrorParts {
            config: &self.config,
            journal: &self.journal,
            tracks: &self.tracks,
            registry: &self.registry,
            clock: &self.clock,
            folds: driver.counts(),
        })
    }

    /// What links of every protocol need.
    pub(super) fn source_context(
        &self,
        tls: Option<Arc<ServerTls>>,
        post: PostOffice,
    ) -> Arc<listener::Context> {
        let config = &self.config;
        Arc::new(listener::Context {
            config: config.trackers.clone(),
            sessions: config.sessions.clone(),
            jt809: config.jt809.clone(),
            held_bytes: AtomicUsize::new(0),
            clock: Arc::clone(&self.clock),
            journal: self.journal.clone(),
            acks: self.acks.clone(),
            registry: Arc::clone(&self.registry),
            links: self.links.clone(),
            live: Arc::clone(&self.live),
            counters: Arc::clone(&self.counters),
            post,
            tls,
        })
    }

    /// Who carries commands to terminals, and hears through `post` what came of them.
    pub(super) fn downlink(&self, post: (PostOffice, mpsc::Receiver<PostNews>)) -> Downlink {
        let (registry, clock) = (Arc::clone(&self.registry), Arc::clone(&self.clock));
        Downlink::new(registry, self.links.clone(), clock, post)
    }

    /// Takes the address for browsers and programs.
    pub(super) async fn bind_http(&self) -> anyhow::Result<TcpListener> {
        let listen = self.config.http.listen;
        TcpListener::bind(listen).await.with_context(|| format!("can't listen for HTTP on {listen}"))
    }

    /// The numbers of every part.
    pub(super) fn readings(
        &self,
        driver: &Driver,
        supervisor: &Supervisor,
        superiors: SuperiorStatus,
        mirror: MirrorStatus,
    ) -> readings::Source {
        readings::Source {
            journal: self.journal.clone(),
            folds: driver.counts(),
            tracks: self.tracks.clone(),
            links: self.links.clone(),
            acks: self.acks.clone(),
            clock: Arc::clone(&self.clock),
            supervision: supervisor.status(),
            downlinks: self.downlinks.clone(),
            refusals: self.refusals.clone(),
            broker: Arc::clone(&self.broker),
            superiors,
            mirror,
            exports: self.exports.clone(),
        }
    }

    /// The API and the console; streams end with `stop`.
    pub(super) fn router(
        &self,
        readings: readings::Source,
        mode: Mode,
        stop: CancellationToken,
    ) -> anyhow::Result<Router> {
        let config = &self.config;
        let basemaps = Basemaps::new(&config.map, &config.outbound).context("can't read outbound.ca_file")?;
        Ok(api::router(ApiState::new(ApiParts {
            registry: Arc::clone(&self.registry),
            live: Arc::clone(&self.live),
            tracks: self.tracks.clone(),
            links: self.links.clone(),
            packs: PackSources {
                registry: Arc::clone(&self.registry),
                tracks: self.tracks.clone(),
                data: config.data.clone(),
                time_zone: config.supervision.time_zone.clone(),
            },
            rollups: Arc::clone(&self.rollups),
            readings: Arc::new(move || readings.read()),
            counters: Arc::clone(&self.counters),
            clock: Arc::clone(&self.clock),
            config: Arc::clone(config),
            is_demo: mode == Mode::Demo,
            ring: Arc::clone(&self.ring),
            outbound: self.outbound.clone(),
            basemaps: Arc::new(basemaps),
            exports: self.exports.clone(),
            stop,
        })))
    }

    /// Runs what writes by itself: the registry's own upkeep, news and messages, and webhooks.
    pub(super) fn run_background(&self, stage: &Stage) {
        let notify = &self.config.notify;
        let notifier = Notifier::new(NotifierParts {
            registry: Arc::clone(&self.registry),
            live: Arc::clone(&self.live),
            clock: Arc::clone(&self.clock),
            config: notify.clone(),
            ring: Arc::clone(&self.ring),
            gateway: gateway(notify),
        });
        let courier = Courier::new(
            Arc::clone(&self.registry),
            self.outbound.clone(),
            Arc::clone(&self.clock),
            notify.deliveries_kept_days,
        );
        let registry = Arc::clone(&self.registry);
        stage.run(|stop| async move { registry.run(stop).await });
        stage.run(|stop| notifier.run(stop));
        stage.run(|stop| courier.run(stop));
        stage.run(|stop| self.exports.clone().run(stop));
        let keeper = Keeper::new(Arc::clone(&self.rollups));
        stage.run(|stop| keeper.run(stop));
    }
}

/// The files of rollups, by the settings of supervision.
fn rollups(
    config: &Config,
    marks: &Marks,
    registry: &Arc<Registry>,
    tracks: &Tracks,
) -> anyhow::Result<Rollups> {
    let settings = (&config.supervision.trips, config.supervision.time_zone.as_str());
    let (marks, registry) = (Arc::clone(marks.days()), Arc::clone(registry));
    Rollups::open(&config.data, settings, marks, registry, tracks.clone()).context("can't open the rollups")
}

/// The certificates that are configured.
pub(super) struct Certificates {
    pub(super) trackers: Option<Arc<ServerTls>>,
    pub(super) mqtt: Option<Arc<ServerTls>>,
    pub(super) http: Option<Arc<ServerTls>>,
}

impl Certificates {
    pub(super) fn read(config: &Config) -> anyhow::Result<Self> {
        let Config { trackers, http, .. } = config;
        Ok(Self {
            trackers: ServerTls::configured(&trackers.tls_cert, &trackers.tls_key)
                .context("trackers.tls_cert")?,
            mqtt: mqtt_certificate(&config.mqtt).context("mqtt.tls_cert, mqtt.tls_client_ca")?,
            http: ServerTls::configured(&http.tls_cert, &http.tls_key).context("http.tls_cert")?,
        })
    }

    /// Each, to be watched for a new one.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<ServerTls>> {
        self.trackers.iter().chain(&self.mqtt).chain(&self.http)
    }
}

fn mqtt_certificate(config: &config::Mqtt) -> std::io::Result<Option<Arc<ServerTls>>> {
    if config.tls_cert.as_os_str().is_empty() {
        return Ok(None);
    }
    let client_ca = Some(config.tls_client_ca.as_path()).filter(|path| !path.as_os_str().is_empty());
    ServerTls::open_for(&config.tls_cert, &config.tls_key, client_ca).map(|tls| Some(Arc::new(tls)))
}

/// Tells the operator how the journal was found.
fn report(recovery: &Recovery) {
    tracing::info!(
        clean = recovery.clean,
        segments = recovery.segments,
        records = recovery.records,
        durable = recovery.durable.0,
        torn_bytes = recovery.torn_bytes,
        seconds = recovery.seconds,
        "journal recovered"
    );
    for range in &recovery.damaged {
        tracing::error!(
            from = range.start.0,
            to = range.end.0,
            "acknowledged messages may be missing in this range"
        );
    }
}

/// The client for requests to addresses that people enter.
fn outbound_client(config: &config::Outbound) -> anyhow::Result<Client> {
    let policy = Policy {
        networks: Some(config.private_networks.clone()),
        allows_plain_http: config.plain_http,
        timeout: config.timeout.0,
    };
    let ca_file = Some(config.ca_file.as_path()).filter(|path| !path.as_os_str().is_empty());
    Client::new(policy, ca_file).context("can't read outbound.ca_file")
}

/// Where short messages go.
fn gateway(config: &config::Notify) -> Option<Arc<dyn Gateway>> {
    let outbox = config.outbox.as_path();
    (!outbox.as_os_str().is_empty()).then(|| Arc::new(Outbox::new(outbox.to_owned())) as Arc<dyn Gateway>)
}
