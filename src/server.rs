//! The composition root: opens the parts in order, connects them, and stops them in order.
//!
//! Start: lock and recover the journal, open registry, tracks and live, start the fold thread, then listen.
//! Stop: no new links, replies drained, folds caught up, journal flushed and closed, tracks sealed, HTTP last, so
//! that nobody is told of a failure that did not happen.

mod http;
mod readings;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::Context as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::http::HttpServer;
use crate::accounts::keeper::HeadKeeper;
use crate::api::{self, ApiParts, ApiState};
use crate::basemaps::Basemaps;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::folds::{Driver, DriverParts};
use crate::ids::Lsn;
use crate::journal::Journal;
use crate::live::Live;
use crate::notify::gateway::{Gateway, Outbox};
use crate::notify::ring::Ring;
use crate::notify::{Notifier, NotifierParts};
use crate::outbound::{Client, Policy};
use crate::registry::{self, Registry};
use crate::sources::acks::AckQueue;
use crate::sources::{Links, Listener, listener};
use crate::supervision::{self, Marks, PackSources, SupervisionSettings, Supervisor, SupervisorParts};
use crate::telemetry::Counters;
use crate::tls::ServerTls;
use crate::tracks::Tracks;
use crate::webhooks::courier::Courier;

/// What the server is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A real fleet.
    Serve,
    /// A made-up one: every page says so.
    Demo,
}

/// Where the server can be reached.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Addresses {
    /// Terminals, JT/T 808 over TCP.
    pub trackers: SocketAddr,
    /// The same over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trackers_tls: Option<SocketAddr>,
    /// The API and the console.
    pub http: SocketAddr,
}

/// The name of the file in the data folder that holds [`Addresses`].
const ADDRESSES_FILE: &str = "addresses.json";

/// The name of the file in the data folder that holds the last states.
const LIVE_FILE: &str = "live.snapshot";

/// A running server.
#[derive(Debug)]
pub struct Server {
    addresses: Addresses,
    data: PathBuf,
    new_token: Option<String>,
    first_link: Option<String>,
    registry: Arc<Registry>,
    journal: Journal,
    tracks: Tracks,
    driver: Driver,
    /// Each stage of the stop, in the order in which they are stopped.
    trackers: Stage,
    acks: Stage,
    rest: Stage,
    http: Stage,
}

/// Tasks that are stopped together.
#[derive(Debug, Default)]
struct Stage {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Stage {
    async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The parts that store, before anything listens.
struct Parts {
    registry: Arc<Registry>,
    journal: Journal,
    tracks: Tracks,
    live: Arc<Live>,
    live_checkpoint: Lsn,
    clock: Arc<Clock>,
}

impl Parts {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let data = &config.data;
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
        registry::write_profiles(data, config)?;
        let registry = Arc::new(Registry::open(data, config).await?);
        let clock = Arc::new(Clock::starting_at(journal.last_received_at()));
        Ok(Self { registry, journal, tracks, live: Arc::new(live), live_checkpoint, clock })
    }
}

impl Server {
    /// Opens the data folder, recovers, and listens. When it returns, terminals can connect.
    ///
    /// # Errors
    /// When a part can't be opened or an address is taken.
    pub async fn start(config: Config, mode: Mode) -> anyhow::Result<Self> {
        let Parts { registry, journal, tracks, live, live_checkpoint, clock } = Parts::open(&config).await?;
        let new_token = registry.create_first_token(&config.data, clock.now()).await?;
        let first_link = match mode {
            Mode::Serve => registry.people().create_first_link(clock.now()).await?,
            // The demo makes its own accounts.
            Mode::Demo => None,
        };
        let keeper = HeadKeeper::open(Arc::clone(&registry), Arc::clone(&clock), &config)?;
        let counters = Arc::new(Counters::default());
        let links = Links::starting_at(clock.now());
        let acks = AckQueue::default();

        supervision::write_calendar(&registry, &config.supervision.calendar, clock.now()).await?;
        let checkpoint = registry.checkpoint().await?.unwrap_or_default();
        let marks = Arc::new(Marks::new(checkpoint.lsn));
        let supervisor = Supervisor::new(
            SupervisorParts {
                registry: Arc::clone(&registry),
                tracks: tracks.clone(),
                marks: Arc::clone(&marks),
                settings: SupervisionSettings::from(&config.supervision),
            },
            journal.last_received_at(),
        )
        .await?;

        let driver = Driver::start(DriverParts {
            journal: journal.clone(),
            registry: Arc::clone(&registry),
            tracks: tracks.clone(),
            live: Arc::clone(&live),
            live_snapshot: config.data.join(LIVE_FILE),
            live_checkpoint,
            clock: Arc::clone(&clock),
            marks: Arc::clone(&marks),
            marks_from: checkpoint.lsn,
        })
        .context("can't start the fold thread")?;

        let (trackers, ack_stage, rest, http) =
            (Stage::default(), Stage::default(), Stage::default(), Stage::default());
        let tracker_tls = ServerTls::configured(&config.trackers.tls_cert, &config.trackers.tls_key)
            .context("trackers.tls_cert")?;
        let http_tls =
            ServerTls::configured(&config.http.tls_cert, &config.http.tls_key).context("http.tls_cert")?;
        for tls in tracker_tls.iter().chain(&http_tls) {
            rest.tasks.spawn(Arc::clone(tls).watch(rest.stop.clone()));
        }
        let context = listener::Context {
            config: config.trackers.clone(),
            sessions: config.sessions.clone(),
            held_bytes: AtomicUsize::new(0),
            clock: Arc::clone(&clock),
            journal: journal.clone(),
            acks: acks.clone(),
            registry: Arc::clone(&registry),
            links: links.clone(),
            live: Arc::clone(&live),
            counters: Arc::clone(&counters),
            tls: tracker_tls.clone(),
        };
        let listener = Listener::bind(Arc::new(context))
            .with_context(|| format!("can't listen for terminals on {}", config.trackers.listen))?;
        let http_listener = tokio::net::TcpListener::bind(config.http.listen)
            .await
            .with_context(|| format!("can't listen for HTTP on {}", config.http.listen))?;
        let addresses = Addresses {
            trackers: listener.local_addr()?,
            trackers_tls: listener.tls_addr()?,
            http: http_listener.local_addr()?,
        };

        let ring = Arc::new(Ring::default());
        let outbound = outbound_client(&config.outbound)?;
        let basemaps = Basemaps::new(&config.map, &config.outbound).context("can't read outbound.ca_file")?;
        let notifier = Notifier::new(NotifierParts {
            registry: Arc::clone(&registry),
            live: Arc::clone(&live),
            clock: Arc::clone(&clock),
            config: config.notify.clone(),
            ring: Arc::clone(&ring),
            gateway: gateway(&config.notify),
        });
        let kept_days = config.notify.deliveries_kept_days;
        let courier = Courier::new(Arc::clone(&registry), outbound.clone(), Arc::clone(&clock), kept_days);

        let readings = readings::Source {
            journal: journal.clone(),
            folds: driver.counts(),
            tracks: tracks.clone(),
            links: links.clone(),
            acks: acks.clone(),
            clock: Arc::clone(&clock),
            supervision: supervisor.status(),
        };
        let config = Arc::new(config);
        let http_config = config.http.clone();
        let router = api::router(ApiState::new(ApiParts {
            registry: Arc::clone(&registry),
            live,
            tracks: tracks.clone(),
            links: links.clone(),
            packs: PackSources {
                registry: Arc::clone(&registry),
                tracks: tracks.clone(),
                data: config.data.clone(),
                time_zone: config.supervision.time_zone.clone(),
            },
            readings: Arc::new(move || readings.read()),
            counters: Arc::clone(&counters),
            clock: Arc::clone(&clock),
            config: Arc::clone(&config),
            is_demo: mode == Mode::Demo,
            ring: Arc::clone(&ring),
            outbound: outbound.clone(),
            basemaps: Arc::new(basemaps),
            stop: http.stop.clone(),
        }));

        let http_counters = Arc::clone(&counters);
        let http_server = HttpServer {
            listener: http_listener,
            router,
            config: http_config,
            counters: http_counters,
            tls: http_tls,
        };
        ack_stage.tasks.spawn(acks.run(journal.subscribe_durable(), counters, ack_stage.stop.clone()));
        trackers.tasks.spawn(listener.run(trackers.stop.clone()));
        let background = Arc::clone(&registry);
        let background_stop = rest.stop.clone();
        rest.tasks.spawn(async move { background.run(background_stop).await });
        rest.tasks.spawn(supervisor.run(rest.stop.clone()));
        rest.tasks.spawn(notifier.run(rest.stop.clone()));
        rest.tasks.spawn(courier.run(rest.stop.clone()));
        rest.tasks.spawn(keeper.run(rest.stop.clone()));
        http.tasks.spawn(http_server.run(http.stop.clone()));

        write_addresses(&config.data, addresses)?;
        tracing::info!(trackers = %addresses.trackers, http = %addresses.http, "listening");
        let data = config.data.clone();
        Ok(Self {
            addresses,
            data,
            new_token,
            first_link,
            registry,
            journal,
            tracks,
            driver,
            trackers,
            acks: ack_stage,
            rest,
            http,
        })
    }

    /// Where the server listens.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The API token, when this start made it.
    #[must_use]
    pub fn new_token(&self) -> Option<&str> {
        self.new_token.as_deref()
    }

    /// What makes the first account, while there is none.
    #[must_use]
    pub fn first_link(&self) -> Option<&str> {
        self.first_link.as_deref()
    }

    /// Where the first API token is kept.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.data.join(registry::TOKEN_FILE)
    }

    /// Who is known: `demo` enrols its own fleet with it.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// Stops in order: no new links, replies of what is durable sent, folds caught up, journal flushed and closed,
    /// tracks sealed, HTTP last.
    ///
    /// # Errors
    /// When a thread could not be waited for, or the last rows could not be sealed; all the same everything is
    /// stopped then.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { journal, tracks, driver, trackers, acks, rest, http, registry, .. } = self;
        trackers.end().await;
        acks.end().await;
        let closed = tokio::task::spawn_blocking(move || {
            tracks.stop_waiting();
            driver.stop();
            // Nothing appends any more; a long seal must not cost the mark of an orderly stop.
            journal.close();
            tracks.close()
        });
        let closed = closed.await;
        rest.end().await;
        http.end().await;
        registry.close().await;
        closed
            .context("a storage thread broke down")?
            .context("the last rows were not written; the journal has them")?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Writes the addresses in use where scripts and tests find them, replacing those of the run before.
fn write_addresses(data: &Path, addresses: Addresses) -> anyhow::Result<()> {
    let path = data.join(ADDRESSES_FILE);
    let fresh = data.join("addresses.json.tmp");
    fs::write(&fresh, serde_json::to_vec_pretty(&addresses)?)
        .and_then(|()| fs::rename(&fresh, &path))
        .with_context(|| format!("can't write {}", path.display()))
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
