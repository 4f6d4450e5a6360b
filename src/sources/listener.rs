//! The TCP listener: a permit before every `accept`, one task per link, one sweep a second for deadlines.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use motorpool_protocols::Protocol;
use motorpool_protocols::jt808::Jt808Session;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config;
use crate::journal::Journal;
use crate::live::Live;
use crate::registry::{DeviceState, Registry};
use crate::telemetry::Counters;

use super::acks::AckQueue;
use super::link;
use super::links::Links;

/// Connections the kernel may hold for us after a connect storm.
const BACKLOG: u32 = 4_096;

/// How long to pause when the process has no file descriptor left for another link.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often deadlines are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What every link needs.
#[derive(Debug)]
pub struct Context {
    /// The settings of `[trackers]`.
    pub config: config::Trackers,
    /// The settings of `[sessions]`.
    pub sessions: config::Sessions,
    /// Memory held for unfinished messages of all links, bytes.
    pub held_bytes: AtomicUsize,
    /// The only clock.
    pub clock: Arc<Clock>,
    /// Where accepted messages go.
    pub journal: Journal,
    /// Replies waiting for the durable mark.
    pub acks: AckQueue,
    /// Who is known.
    pub registry: Arc<Registry>,
    /// Who is connected.
    pub links: Links,
    /// Where the API sees who is connected.
    pub live: Arc<Live>,
    /// What happened so far.
    pub counters: Arc<Counters>,
}

/// A bound tracker port.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    context: Arc<Context>,
}

impl Listener {
    /// Binds the port of the configuration; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub fn bind(context: Arc<Context>) -> io::Result<Self> {
        let address = context.config.listen;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self { listener: socket.listen(BACKLOG)?, context })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts links until `stop`; then closes them and returns when the last one has ended.
    pub async fn run(self, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.context.config.links_max));
        let links = TaskTracker::new();
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = sweep.tick() => self.sweep(),
                accepted = accept(&self.listener, &permits) => match accepted {
                    Ok((stream, peer, permit)) => self.start(stream, peer, permit, &links),
                    Err(error) => {
                        // Out of descriptors, or a connection that died in the queue: neither is a reason to stop.
                        tracing::warn!(%error, "accept failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        self.context.links.close_all();
        links.close();
        links.wait().await;
        self.context.links.drained().await;
    }

    /// Closes links that are overdue, and those of devices that were blocked since they logged in.
    fn sweep(&self) {
        let snapshot = self.context.registry.snapshot();
        let is_blocked =
            |device| snapshot.device(device).is_none_or(|known| known.state == DeviceState::Blocked);
        self.context.links.sweep(&self.context.config, is_blocked);
    }

    fn start(&self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit, links: &TaskTracker) {
        // A reply is one small write: it must not wait for the next one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (read, write) = stream.into_split();
        let now = self.context.clock.now();
        let Some(link) = self.context.links.open(write, peer, Protocol::Jt808, now, &self.context.config)
        else {
            return;
        };
        let context = Arc::clone(&self.context);
        let session = Box::new(Jt808Session::new(self.context.sessions.limits()));
        links.spawn(async move {
            link::serve(read, link, session, context).await;
            drop(permit);
        });
    }
}

/// Takes a permit first, so that a connection above the limit waits in the kernel instead of costing memory.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}
