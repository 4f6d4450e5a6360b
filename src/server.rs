//! The composition root: opens the parts in order, connects them, and stops them in order.
//!
//! Start: lock and recover the journal, open registry, tracks and live, start the fold thread, then listen.
//! Stop: no new links, replies drained, folds caught up, journal flushed and closed, tracks sealed, HTTP last, so
//! that nobody is told of a failure that did not happen.

mod http;
mod inlets;
mod parts;
mod readings;
mod service;
mod workers;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::http::HttpServer;
use self::inlets::Inlets;
use self::parts::{Certificates, Parts};
use self::workers::LinkWorkers;
use crate::accounts::keeper::HeadKeeper;
use crate::config::Config;
use crate::folds::Driver;
use crate::journal::Journal;
use crate::jt809::Feeds;
use crate::mirror::Mirror;
use crate::registry::{self, Registry};
use crate::sources::acks::Replier;
use crate::sources::post::ANSWERS_MAX;
use crate::tracks::Tracks;

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
    /// Terminals, over TCP.
    pub trackers: SocketAddr,
    /// The same over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trackers_tls: Option<SocketAddr>,
    /// Devices, MQTT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mqtt: Option<SocketAddr>,
    /// The same over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mqtt_tls: Option<SocketAddr>,
    /// Lower platforms, JT/T 809.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jt809: Option<SocketAddr>,
    /// Terminals that send datagrams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trackers_udp: Option<SocketAddr>,
    /// The API and the console.
    pub http: SocketAddr,
}

/// The name of the file in the data folder that holds [`Addresses`].
const ADDRESSES_FILE: &str = "addresses.json";

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
    links: LinkWorkers,
    /// Each stage of the stop, in the order in which they are stopped.
    trackers: Stage,
    acks: Stage,
    feeding: Stage,
    rest: Stage,
    http: Stage,
}

/// Tasks that are stopped together.
#[derive(Debug)]
struct Stage {
    on: Handle,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Stage {
    /// One whose tasks run on the runtime `on`.
    fn on(on: &Handle) -> Self {
        Self { on: on.clone(), stop: CancellationToken::new(), tasks: TaskTracker::new() }
    }

    /// Runs a task that ends when the stage is stopped.
    fn run<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(CancellationToken) -> F) {
        self.tasks.spawn_on(task(self.stop.clone()), &self.on);
    }

    async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Server {
    /// Opens the data folder, recovers, and listens. When it returns, terminals can connect.
    ///
    /// # Errors
    /// When a part can't be opened or an address is taken.
    pub async fn start(config: Config, mode: Mode) -> anyhow::Result<Self> {
        let parts = Parts::open(config).await?;
        let new_token = parts.registry.create_first_token(&parts.config.data, parts.clock.now()).await?;
        let first_link = parts.first_link(mode).await?;
        let keeper = HeadKeeper::open(Arc::clone(&parts.registry), Arc::clone(&parts.clock), &parts.config)?;
        let feeds = parts.feeds().await?;
        Mirror::reserve(&parts.config.mirror, &parts.journal);
        let (supervisor, driver, retention) = parts.follow().await?;
        let mirror = parts.mirror(&driver)?;

        let certificates = Certificates::read(&parts.config)?;
        let (post, post_news) = mpsc::channel(ANSWERS_MAX);
        let (office, sources) =
            (post.clone(), parts.source_context(certificates.trackers.clone(), post.clone()));
        let links = LinkWorkers::start(parts.config.trackers.workers)?;
        let inlets = Inlets::bind(&parts, &sources, &certificates, &links)?;
        let replier =
            Replier::new(parts.acks.clone(), Arc::clone(&parts.counters), office, links.handle().clone());
        let http_listener = parts.bind_http().await?;
        let addresses = inlets.addresses(http_listener.local_addr()?)?;

        let [trackers, acks] = std::array::from_fn(|_| Stage::on(links.handle()));
        let [feeding, rest, http] = std::array::from_fn(|_| Stage::on(&Handle::current()));
        let superiors = feeds.as_ref().map(Feeds::status).unwrap_or_default();
        let mirrored = mirror.as_ref().map(Mirror::status).unwrap_or_default();
        let readings = parts.readings(&driver, &supervisor, superiors, mirrored);
        let router = parts.router(readings, mode, http.stop.clone())?;
        let http_server = HttpServer {
            listener: http_listener,
            router,
            config: parts.config.http.clone(),
            counters: Arc::clone(&parts.counters),
            tls: certificates.http.clone(),
        };
        replier.listen(&parts.journal);
        acks.run(|stop| replier.run(stop));
        let journal = parts.journal.clone();
        acks.run(|stop| async move {
            tokio::select! {
                () = journal.lead() => {}
                () = stop.cancelled() => {}
            }
        });
        inlets.run(&trackers);
        if let Some(feeds) = feeds {
            feeding.run(|stop| feeds.run(stop));
        }
        if let Some(mirror) = mirror {
            feeding.run(|stop| mirror.run(stop));
        }
        parts.run_background(&rest);
        for tls in certificates.all() {
            rest.run(|stop| Arc::clone(tls).watch(stop));
        }
        rest.run(|stop| supervisor.run(stop));
        rest.run(|stop| keeper.run(stop));
        rest.run(|stop| retention.run(stop));
        rest.run(|stop| parts.downlink((post, post_news)).run(stop));
        http.run(|stop| http_server.run(stop));

        write_addresses(&parts.config.data, addresses)?;
        tracing::info!(trackers = %addresses.trackers, http = %addresses.http, "listening");
        let Parts { config, registry, journal, tracks, .. } = parts;
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
            links,
            trackers,
            acks,
            feeding,
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

    /// Tells the service manager, if there is one, that terminals can connect, and as long as it is awaited that the journal stores
    /// what they send. Never returns.
    pub async fn report_to_manager(&self) {
        service::ready();
        service::watch(&self.journal).await;
    }

    /// Stops in order: no new links, replies of what is durable sent, superior platforms fed, the mirror ended, folds caught up,
    /// journal flushed and closed, tracks sealed, HTTP last.
    ///
    /// # Errors
    /// When a thread could not be waited for, or the last rows could not be sealed; all the same everything is
    /// stopped then.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { journal, tracks, driver, links, trackers, acks, feeding, rest, http, registry, .. } = self;
        service::stopping();
        trackers.end().await;
        acks.end().await;
        feeding.end().await;
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
        // Connections of the registry may have been made on them.
        drop(links);
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
