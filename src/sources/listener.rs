//! The addresses for terminals: a permit before every `accept`, one task per link, one sweep a second for
//! deadlines.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use motorpool_protocols::{Protocol, Recogniser, Transport, UtcMillis};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config;
use crate::ids::DeviceId;
use crate::journal::Journal;
use crate::live::Live;
use crate::registry::{DeviceState, Registry};
use crate::telemetry::Counters;
use crate::tls::ServerTls;

use super::acks::AckQueue;
use super::connection::Link;
use super::datagrams::Datagrams;
use super::link;
use super::links::Links;
use super::post::PostOffice;
use super::socket::{ReadHalf, WriteHalf, split_inner, split_tcp};

/// Connections the kernel may hold for us after a connect storm.
const BACKLOG: u32 = 4_096;

/// How long to pause when the process has no file descriptor left for another link.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a terminal may take to hear that its TLS ends.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// How often deadlines are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What every link needs.
#[derive(Debug)]
pub struct Context {
    /// The settings of `[trackers]`.
    pub config: config::Trackers,
    /// The settings of `[sessions]`.
    pub sessions: config::Sessions,
    /// The settings of `[jt809]`: which platforms may log in.
    pub jt809: config::Jt809,
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
    /// Where it is told what came of commands.
    pub post: PostOffice,
    /// The certificate of the port for terminals that speak TLS.
    pub tls: Option<Arc<ServerTls>>,
}

impl Context {
    /// Enters a terminal that was admitted on a link. How many links it has; `None` when it was on this one already.
    pub(crate) fn enter(&self, link: &Arc<Link>, device: DeviceId, now: UtcMillis) -> Option<usize> {
        // Before the table shows the link: whoever takes the device off it must find it here.
        self.live.link_opened(device, link.id, now);
        let entered = self.links.logged_in(link, device, self.config.second_link)?;
        for left in entered.left {
            self.live.link_closed(device, left);
        }
        Some(entered.links)
    }
}

/// The bound addresses for terminals: at least one for streams.
#[derive(Debug)]
pub struct Listener {
    ports: Vec<Port>,
    datagrams: Vec<Datagrams>,
    context: Arc<Context>,
}

/// One address for streams.
#[derive(Debug)]
struct Port {
    listener: TcpListener,
    /// What may be spoken there.
    spoken: &'static [Protocol],
    /// The certificate, where terminals speak TLS.
    tls: Option<Arc<ServerTls>>,
}

pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    /// Binds the ports of the configuration; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub fn bind(context: Arc<Context>) -> io::Result<Self> {
        let config = &context.config;
        let main =
            config::Port { listen: config.listen, protocol: config.protocol, datagrams: config.datagrams };
        let (mut ports, mut datagrams) = (Vec::new(), Vec::new());
        for port in std::iter::once(&main).chain(&config.ports) {
            let spoken = port.protocol.protocols();
            ports.push(Port { listener: bind(port.listen)?, spoken, tls: None });
            if port.datagrams {
                datagrams.push(Datagrams::bind(port.listen, spoken, Arc::clone(&context))?);
            }
        }
        if let (Some(address), Some(tls)) = (config.tls_listen.0, &context.tls) {
            let spoken = config.protocol.protocols();
            ports.push(Port { listener: bind(address)?, spoken, tls: Some(Arc::clone(tls)) });
        }
        Ok(Self { ports, datagrams, context })
    }

    /// The address it listens on for TLS, if it does.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn tls_addr(&self) -> io::Result<Option<SocketAddr>> {
        let private = self.ports.iter().find(|port| port.tls.is_some());
        private.map(|port| port.listener.local_addr()).transpose()
    }

    /// The address it takes datagrams at, if it does.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn datagrams_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.datagrams.first().map(Datagrams::local_addr).transpose()
    }

    /// The first address it listens on.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.ports.first().ok_or(io::ErrorKind::NotConnected)?.listener.local_addr()
    }

    /// Accepts links until `stop`; then closes them and returns when the last one has ended.
    pub async fn run(self, stop: CancellationToken) {
        let Self { ports, datagrams, context } = self;
        let permits = Arc::new(Semaphore::new(context.config.links_max));
        let links = TaskTracker::new();
        let accepting = TaskTracker::new();
        for port in ports {
            let context = Arc::clone(&context);
            let door = Door { port, context, permits: Arc::clone(&permits), links: links.clone() };
            accepting.spawn(door.accept_all(stop.clone()));
        }
        for socket in datagrams {
            accepting.spawn(socket.run(stop.clone()));
        }
        accepting.close();
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        let sweeping = async {
            loop {
                sweep.tick().await;
                close_overdue(&context).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = sweeping => {}
        }
        accepting.wait().await;
        context.links.close_all();
        links.close();
        links.wait().await;
        context.links.drained().await;
    }
}

/// Closes links that are overdue, and those of devices that were blocked since they logged in.
async fn close_overdue(context: &Context) {
    let snapshot = context.registry.snapshot();
    let is_blocked = |device| snapshot.device(device).is_none_or(|known| known.state == DeviceState::Blocked);
    context.links.close_overdue(&context.config, is_blocked).await;
}

/// One address at which links begin.
#[derive(Debug)]
struct Door {
    port: Port,
    context: Arc<Context>,
    permits: Arc<Semaphore>,
    links: TaskTracker,
}

impl Door {
    async fn accept_all(self, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.accept() => accepted,
            };
            match (accepted, &self.port.tls) {
                (Ok((stream, peer, permit)), None) => {
                    self.start(split_tcp(stream), peer, permit);
                }
                (Ok((stream, peer, permit)), Some(tls)) => {
                    self.start_private(stream, peer, permit, Arc::clone(tls));
                }
                (Err(error), _) => {
                    // Out of descriptors, or a connection that died in the queue: neither is a reason to stop.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Begins a link over a socket; nothing when its address has too many.
    fn start(
        &self,
        (read, write): (ReadHalf, WriteHalf),
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) -> Option<Arc<Link>> {
        let now = self.context.clock.now();
        let link = self.context.links.open(write, peer, now, &self.context.config)?;
        let (context, served) = (Arc::clone(&self.context), Arc::clone(&link));
        let limits = self.context.sessions.limits();
        let session = Box::new(Recogniser::new(self.port.spoken, Transport::Stream, limits));
        self.links.spawn(async move {
            link::serve(read, served, session, context).await;
            drop(permit);
        });
        Some(link)
    }

    /// Begins a link under TLS. It is in the table, with its deadlines, before the peer has proved that it speaks TLS at all.
    fn start_private(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
        tls: Arc<ServerTls>,
    ) {
        let (inner, outer) = match UnixStream::pair() {
            Ok(pair) => pair,
            Err(error) => return tracing::warn!(%error, "no pair of sockets for a link under TLS"),
        };
        let Some(link) = self.start(split_inner(inner), peer, permit) else { return };
        let limit = self.context.config.first_byte_timeout.0;
        self.links.spawn(async move {
            // Without a handshake the outer end is dropped, and the link ends.
            match tokio::time::timeout(limit, tls.accept(stream)).await {
                Ok(Ok(private)) => pump(private, outer).await,
                _ => tracing::debug!(link = link.id.0, "no TLS handshake"),
            }
        });
    }

    /// The next connection. Takes a permit first, so that a connection above the limit waits in the kernel
    /// instead of costing memory.
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = self.port.listener.accept().await?;
        // A reply is one small write: it must not wait for the next one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        Ok((stream, peer, permit))
    }
}

/// Copies both ways between a terminal's TLS and its link, until the link has ended and everything it said is out.
pub(crate) async fn pump(private: TlsStream<TcpStream>, outer: UnixStream) {
    let (mut from_terminal, mut to_terminal) = tokio::io::split(private);
    let (mut from_link, mut to_link) = outer.into_split();
    let up = async {
        // However the terminal ends, the link sees the end of its input and ends, too.
        drop(tokio::io::copy(&mut from_terminal, &mut to_link).await);
        drop(to_link.shutdown().await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        copied = tokio::io::copy(&mut from_link, &mut to_terminal) => {
            if let Err(error) = copied {
                tracing::debug!(%error, "a link under TLS broke");
            }
        }
        () = up => {}
    }
    drop(tokio::time::timeout(GOODBYE_MAX, to_terminal.shutdown()).await);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::AsyncReadExt as _;
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::config::Listen;
    use crate::tls::testing::write_certificate;

    /// A registration (0x0100) of a terminal that nobody knows.
    const REGISTER: &str =
        "7e01000021000123456789000a002800323132333400746b3132333435004348493132330001d4c1413132333435857e";

    fn register() -> Vec<u8> {
        crate::registry::hex::decode(REGISTER).unwrap()
    }

    async fn rig(folder: &Path) -> (Listener, std::path::PathBuf) {
        let (certificate, key) = write_certificate(folder);
        let context = crate::sources::testing::context(folder, |config| {
            config.trackers.listen = SocketAddr::from(([127, 0, 0, 1], 0));
            config.trackers.tls_listen = Listen(Some(config.trackers.listen));
            config.trackers.first_byte_timeout = config::Seconds(Duration::from_millis(200));
        })
        .await;
        let mut context = Arc::into_inner(context).unwrap();
        context.tls = Some(Arc::new(ServerTls::open(&certificate, &key).unwrap()));
        (Listener::bind(Arc::new(context)).unwrap(), certificate)
    }

    #[tokio::test]
    async fn a_terminal_speaks_the_same_protocol_under_tls_and_others_are_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let (listener, certificate) = rig(folder.path()).await;
        let address = listener.tls_addr().unwrap().unwrap();
        let stop = CancellationToken::new();
        let run = tokio::spawn(listener.run(stop.clone()));

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut private = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        private.write_all(&register()).await.unwrap();
        let mut reply = [0; 3];
        private.read_exact(&mut reply).await.unwrap();
        assert_eq!(reply, [0x7e, 0x81, 0x00], "a reply to the registration");

        // Who speaks in the clear on this port, or not at all, is let go.
        for said in [register(), Vec::new()] {
            let mut clear = TcpStream::connect(address).await.unwrap();
            clear.write_all(&said).await.unwrap();
            let mut rest = Vec::new();
            drop(tokio::time::timeout(Duration::from_secs(30), clear.read_to_end(&mut rest)).await.unwrap());
            assert!(!rest.starts_with(&[0x7e]), "{rest:?}");
        }
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(30), run).await.unwrap().unwrap();
    }
}
