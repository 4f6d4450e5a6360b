//! The HTTP listener: accepts, limits and drains connections; what is said over them is [`crate::api`]'s.
//!
//! Nobody can hold more than their share: connections are bounded before they are accepted, the head of a request
//! has a deadline (which closes idle connections too), and so has a peer that takes nothing of its answer. It must never
//! look into requests.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, header};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config;
use crate::telemetry::Counters;
use crate::tls::ServerTls;

/// How long answers may take that are under way when the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Browsers come back over HTTPS only, for a year.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// How long accepting rests after it failed, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listener and what it needs.
pub(super) struct HttpServer {
    pub(super) listener: TcpListener,
    pub(super) router: Router,
    pub(super) config: config::Http,
    pub(super) counters: Arc<Counters>,
    /// The certificate, when the port speaks HTTPS.
    pub(super) tls: Option<Arc<ServerTls>>,
}

impl HttpServer {
    /// Serves until `stop`; answers under way get a few seconds, connections that say nothing do not.
    pub(super) async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.config.connections_max));
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        while let Some((socket, peer, place)) = self.accept(&places, &stop).await {
            let connection = self.serve(socket, peer, stop.clone());
            let cut = cut.clone();
            connections.spawn(async move {
                tokio::select! {
                    () = connection => {}
                    () = cut.cancelled() => tracing::info!(%peer, "an HTTP connection was still open and is cut"),
                }
                drop(place);
            });
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(DRAIN_MAX, connections.wait()).await.is_err() {
            cut.cancel();
            connections.wait().await;
        }
    }

    /// The next connection and its place, which is taken before; `None` when the server stops.
    async fn accept(
        &self,
        places: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        if places.available_permits() == 0 {
            self.counters.http_connection_waits.fetch_add(1, Ordering::Relaxed);
        }
        let next = async {
            let place = Arc::clone(places).acquire_owned().await.ok()?;
            loop {
                match self.listener.accept().await {
                    Ok((socket, peer)) => return Some((socket, peer, place)),
                    Err(error) => {
                        tracing::warn!(%error, "an HTTP connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => None,
            next = next => next,
        }
    }

    /// Serves one connection to its end; after `stop`, to the end of the answer under way.
    fn serve(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "answers of an HTTP connection may be late");
        }
        let (router, config, tls) = (self.router.clone(), self.config.clone(), self.tls.clone());
        let socket = Patient::new(socket, config.request_timeout.0);
        async move {
            let Some(tls) = tls else { return answer(socket, peer, router, &config, false, stop).await };
            let handshake = tokio::time::timeout(config.header_timeout.0, tls.accept(socket));
            let accepted = tokio::select! {
                accepted = handshake => accepted,
                () = stop.cancelled() => return,
            };
            match accepted {
                Ok(Ok(private)) => answer(private, peer, router, &config, true, stop).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS handshake"),
                Err(_) => tracing::debug!(%peer, "no TLS handshake in time"),
            }
        }
    }
}

/// Answers the requests of one connection.
async fn answer<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    socket: S,
    peer: SocketAddr,
    router: Router,
    config: &config::Http,
    is_private: bool,
    stop: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = router.call(request);
        async move {
            let mut response = answered.await?;
            if is_private {
                response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout.0)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, error = &error as &dyn std::error::Error, "an HTTP connection broke");
    }
}

/// A socket that breaks when its peer takes nothing for too long while there is something to send.
struct Patient {
    socket: TcpStream,
    patience: Duration,
    /// Runs while the peer takes nothing.
    deadline: Pin<Box<Sleep>>,
    is_waiting: bool,
}

impl Patient {
    fn new(socket: TcpStream, patience: Duration) -> Self {
        Self { socket, patience, deadline: Box::pin(tokio::time::sleep(patience)), is_waiting: false }
    }

    /// What came of an attempt to send, unless it has been in vain for too long.
    fn progress<T>(&mut self, context: &mut Context<'_>, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.is_waiting = false;
            return sent;
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.deadline.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.progress(context, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.socket).poll_write_vectored(context, pieces);
        self.progress(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.socket).poll_flush(context);
        self.progress(context, sent)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::ws::WebSocketUpgrade;
    use axum::routing::get;
    use futures_util::{SinkExt as _, StreamExt as _};
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsConnector;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;
    use crate::config::Seconds;

    /// The longest any wait of a test may take before it fails.
    const PATIENCE: Duration = Duration::from_secs(30);
    const REQUEST: &[u8] = b"GET /peer HTTP/1.1\r\nHost: test\r\n\r\n";

    struct Rig {
        address: SocketAddr,
        counters: Arc<Counters>,
        stop: CancellationToken,
        run: tokio::task::JoinHandle<()>,
    }

    impl Rig {
        async fn new(change: impl FnOnce(&mut config::Http)) -> Self {
            Self::under(None, change).await
        }

        async fn under(tls: Option<Arc<ServerTls>>, change: impl FnOnce(&mut config::Http)) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut config = config::Http::default();
            change(&mut config);
            let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
            // Far more than what the buffers of two sockets hold.
            let endless = || async { vec![b'x'; 64 << 20] };
            let echo = |upgrade: WebSocketUpgrade| async move {
                upgrade.on_upgrade(|mut socket| async move {
                    while let Some(Ok(message)) = socket.recv().await {
                        drop(socket.send(message).await);
                    }
                })
            };
            let router = Router::new()
                .route("/peer", get(peer))
                .route("/large", get(endless))
                .route("/echo", get(echo));
            let counters = Arc::new(Counters::default());
            let server = HttpServer { listener, router, config, counters: Arc::clone(&counters), tls };
            let stop = CancellationToken::new();
            let run = tokio::spawn(server.run(stop.clone()));
            Self { address, counters, stop, run }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }
    }

    async fn soon<T>(wanted: impl Future<Output = T>) -> T {
        tokio::time::timeout(PATIENCE, wanted).await.expect("in time")
    }

    /// The body of one answer on a connection that stays.
    async fn ask(socket: &mut TcpStream) -> String {
        socket.write_all(REQUEST).await.unwrap();
        let expected = socket.local_addr().unwrap().to_string();
        let mut answer = String::new();
        while !answer.ends_with(&expected) {
            let mut byte = [0];
            soon(socket.read_exact(&mut byte)).await.unwrap();
            answer.push(char::from(byte[0]));
        }
        answer
    }

    fn millis(count: u64) -> Seconds {
        Seconds(Duration::from_millis(count))
    }

    #[tokio::test]
    async fn the_peer_is_known_and_a_stop_lets_idle_connections_go_at_once() {
        let rig = Rig::new(|_| {}).await;
        let mut socket = rig.connect().await;
        assert!(ask(&mut socket).await.starts_with("HTTP/1.1 200"));
        ask(&mut socket).await;
        rig.stop.cancel();
        soon(rig.run).await.unwrap();
        assert_eq!(soon(socket.read(&mut [0; 8])).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_connection_too_many_waits_for_its_turn() {
        let rig = Rig::new(|config| config.connections_max = 1).await;
        let mut first = rig.connect().await;
        ask(&mut first).await;
        let mut second = rig.connect().await;
        second.write_all(REQUEST).await.unwrap();
        soon(async {
            while rig.counters.http_connection_waits.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let mut bytes = [0; 8];
        assert!(tokio::time::timeout(Duration::from_millis(50), second.read(&mut bytes)).await.is_err());
        drop(first);
        assert_eq!(soon(second.read(&mut bytes)).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn half_a_head_and_silence_end_the_connection() {
        let rig = Rig::new(|config| config.header_timeout = millis(30)).await;
        for said in [&b""[..], b"GET /peer HTTP/1.1\r\nHos"] {
            let mut socket = rig.connect().await;
            socket.write_all(said).await.unwrap();
            let mut rest = Vec::new();
            drop(soon(socket.read_to_end(&mut rest)).await);
            assert!(!rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
        }
        // An idle one after an answer, too.
        let mut socket = rig.connect().await;
        ask(&mut socket).await;
        drop(soon(socket.read_to_end(&mut Vec::new())).await);
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_of_its_answer_loses_its_place() {
        let rig = Rig::new(|config| {
            config.request_timeout = millis(30);
            config.connections_max = 1;
        })
        .await;
        let mut greedy = rig.connect().await;
        greedy.write_all(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        let mut next = rig.connect().await;
        ask(&mut next).await;
        // It can have what was under way, but never all.
        let mut taken = Vec::new();
        drop(soon(greedy.read_to_end(&mut taken)).await);
        assert!(taken.len() < 64 << 20, "{}", taken.len());
    }

    #[tokio::test]
    async fn a_connection_can_become_a_socket_and_frees_its_place() {
        let rig = Rig::new(|config| config.connections_max = 1).await;
        let url = format!("ws://{}/echo", rig.address);
        let (mut first, _) = soon(tokio_tungstenite::connect_async(&url)).await.unwrap();
        let (mut second, _) = soon(tokio_tungstenite::connect_async(&url)).await.unwrap();
        for socket in [&mut first, &mut second] {
            socket.send(Message::text("hello")).await.unwrap();
            assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("hello"));
        }
    }

    #[tokio::test]
    async fn a_port_with_a_certificate_speaks_https_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = crate::tls::testing::write_certificate(folder.path());
        let tls = ServerTls::configured(&certificate, &key).unwrap();
        let rig = Rig::under(tls, |config| config.header_timeout = millis(300)).await;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let socket = rig.connect().await;
        let mut private = soon(TlsConnector::from(Arc::new(config)).connect(name, socket)).await.unwrap();
        private.write_all(b"GET /peer HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        drop(soon(private.read_to_string(&mut answer)).await);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
        for said in [REQUEST, b""] {
            let mut clear = rig.connect().await;
            clear.write_all(said).await.unwrap();
            let mut rest = Vec::new();
            drop(soon(clear.read_to_end(&mut rest)).await);
            assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
        }
    }
}
