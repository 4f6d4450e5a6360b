//! The listener for devices that publish over MQTT: a permit before every `accept`, one task per link.
//!
//! Links are in the same table as those of other protocols, under the same deadlines and the same caps on strangers; the sweep over
//! the table is the tracker listener's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use motorpool_protocols::Protocol;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::downlink::Downlinks;
use super::link;
use super::refusal::Refusals;
use crate::config;
use crate::sources::connection::{CloseReason, Link};
use crate::sources::listener::{self, bind, pump};
use crate::sources::socket::{ReadHalf, WriteHalf, split_inner, split_tcp};
use crate::tls::{ServerTls, common_name};

/// How long to pause when the process has no file descriptor left for another link.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every link needs.
#[derive(Debug)]
pub struct Context {
    /// The settings of `[mqtt]`.
    pub config: config::Mqtt,
    /// What links of every protocol need.
    pub sources: Arc<listener::Context>,
    /// Who is connected.
    pub downlinks: Downlinks,
    /// What was refused.
    pub refusals: Refusals,
    /// The certificate of the port over TLS.
    pub tls: Option<Arc<ServerTls>>,
}

/// The bound ports.
#[derive(Debug)]
pub struct Listener {
    clear: Option<TcpListener>,
    private: Option<(TcpListener, Arc<ServerTls>)>,
    context: Arc<Context>,
}

impl Listener {
    /// Binds the ports of the configuration; port 0 takes any free one.
    ///
    /// # Errors
    /// When an address is taken or not ours.
    pub fn bind(context: Arc<Context>) -> io::Result<Self> {
        let clear = context.config.listen.0.map(bind).transpose()?;
        let private = match (context.config.tls_listen.0, &context.tls) {
            (Some(address), Some(tls)) => Some((bind(address)?, Arc::clone(tls))),
            _ => None,
        };
        Ok(Self { clear, private, context })
    }

    /// The address it listens on, if it does.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.clear.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// The address it listens on for TLS, if it does.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn tls_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.private.as_ref().map(|(listener, _)| listener.local_addr()).transpose()
    }

    /// Accepts links until `stop`; then tells the devices, and returns when the last link has ended.
    pub async fn run(self, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.context.config.links_max));
        let links = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.accept(&permits) => accepted,
            };
            match accepted {
                Ok(accepted) => self.start(accepted, &links),
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let Self { clear, private, context } = self;
        drop((clear, private));
        context.downlinks.shut_down();
        context.sources.links.close_all();
        links.close();
        links.wait().await;
        context.sources.links.drained().await;
    }

    fn start(&self, accepted: Accepted, links: &TaskTracker) {
        let sources = &self.context.sources;
        if sources.links.len() >= sources.config.links_max {
            // Dropped, so closed: the process has no descriptors to spare for it.
            return tracing::warn!("a link over MQTT was turned away: trackers.links_max are open");
        }
        match accepted.tls {
            None => {
                let (read, write) = split_tcp(accepted.stream);
                if let Some(link) = self.open(write, accepted.peer) {
                    let context = Arc::clone(&self.context);
                    links.spawn(async move {
                        link::serve(read, link, context, None).await;
                        drop(accepted.permit);
                    });
                }
            }
            Some(tls) => self.start_private(accepted.stream, accepted.peer, accepted.permit, tls, links),
        }
    }

    fn open(&self, write: WriteHalf, peer: SocketAddr) -> Option<Arc<Link>> {
        let sources = &self.context.sources;
        let link = sources.links.open(write, peer, sources.clock.now(), &sources.config)?;
        link.speaks(Protocol::Json);
        Some(link)
    }

    /// Begins a link under TLS. It is in the table, with its deadlines, before the peer has proved that it speaks TLS at all.
    fn start_private(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
        tls: Arc<ServerTls>,
        links: &TaskTracker,
    ) {
        let (inner, outer) = match UnixStream::pair() {
            Ok(pair) => pair,
            Err(error) => return tracing::warn!(%error, "no pair of sockets for a link under TLS"),
        };
        let (read, write) = split_inner(inner);
        let Some(link) = self.open(write, peer) else { return };
        let context = Arc::clone(&self.context);
        let limit = context.sources.config.first_byte_timeout.0;
        links.spawn(async move {
            match tokio::time::timeout(limit, tls.accept(stream)).await {
                Ok(Ok(private)) => {
                    let certified = common_name(&private);
                    tokio::join!(serve_private(read, link, context, certified), pump(private, outer));
                }
                _ => {
                    tracing::debug!(link = link.id.0, "no TLS handshake");
                    link.close(CloseReason::FirstByteTimeout);
                    context.sources.links.ended(&link);
                }
            }
            drop(permit);
        });
    }

    /// The next connection of either port. Takes a permit first, so that a connection above the limit waits in the kernel instead of
    /// costing memory.
    async fn accept(&self, permits: &Arc<Semaphore>) -> io::Result<Accepted> {
        let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
        let clear = async {
            match &self.clear {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        let private = async {
            match &self.private {
                Some((listener, tls)) => listener.accept().await.map(|accepted| (accepted, Arc::clone(tls))),
                None => std::future::pending().await,
            }
        };
        let (stream, peer, tls) = tokio::select! {
            accepted = clear => accepted.map(|(stream, peer)| (stream, peer, None))?,
            accepted = private => accepted.map(|((stream, peer), tls)| (stream, peer, Some(tls)))?,
        };
        // A PUBACK is one small write: it must not wait for the next one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        Ok(Accepted { stream, peer, permit, tls })
    }
}

/// Serves the inner end. A function of its own, so that its end closes that end, which ends the outer one.
async fn serve_private(read: ReadHalf, link: Arc<Link>, context: Arc<Context>, certified: Option<String>) {
    link::serve(read, Arc::clone(&link), context, certified).await;
    link.close(CloseReason::Shutdown);
}

/// A connection, its peer, its permit, and the certificate when it came over the port for TLS.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
    tls: Option<Arc<ServerTls>>,
}
