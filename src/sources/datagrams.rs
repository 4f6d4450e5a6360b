//! Datagrams: one socket at an address, a link and a session for each sender.
//!
//! A datagram holds whole frames: what it leaves unfinished is dropped and counted. There is nobody to make wait,
//! so a datagram that finds the journal's queue full gets no answer, and its terminal sends it again. A sender
//! that was silent for too long is forgotten, and so is the one that was silent longest when there are too many:
//! who is forgotten logs in again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hashlink::LruCache;
use motorpool_protocols::{Protocol, Recogniser, Transport};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::connection::{CloseReason, Link};
use super::link;
use super::listener::Context;
use super::socket::WriteHalf;

/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// How often senders that were closed are taken out of the table.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How long to pause when the socket reports an error that is nobody's datagram.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// Somebody who sends datagrams.
#[derive(Debug)]
struct Sender {
    link: Arc<Link>,
    session: Recogniser,
}

/// The socket at one address, bound.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: Arc<UdpSocket>,
    spoken: &'static [Protocol],
    context: Arc<Context>,
    senders: LruCache<SocketAddr, Sender>,
}

impl Datagrams {
    /// Binds the address; port 0 takes any free one.
    pub(super) fn bind(
        address: SocketAddr,
        spoken: &'static [Protocol],
        context: Arc<Context>,
    ) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let senders = LruCache::new(context.config.datagram_links_max);
        Ok(Self { socket: Arc::new(UdpSocket::from_std(socket)?), spoken, context, senders })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes datagrams until `stop`; then lets every sender go.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        let socket = Arc::clone(&self.socket);
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => break,
                _ = sweep.tick() => {
                    self.forget_closed();
                    continue;
                }
                received = socket.recv_from(&mut buffer) => received,
            };
            match received {
                Ok((bytes, peer)) => self.take(buffer.get(..bytes).unwrap_or(&[]), peer),
                Err(error) => {
                    // An ICMP answer to one of ours, for example.
                    tracing::debug!(%error, "no datagram");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            }
        }
        while let Some((_, sender)) = self.senders.remove_lru() {
            sender.link.close(CloseReason::Shutdown);
            link::ended(&sender.link, &self.context);
        }
    }

    fn take(&mut self, datagram: &[u8], peer: SocketAddr) {
        if self.senders.peek(&peer).is_some_and(|sender| sender.link.is_closing()) {
            self.forget(&peer);
        }
        if self.senders.peek(&peer).is_none() && !self.welcome(peer) {
            return;
        }
        let Some(sender) = self.senders.get_mut(&peer) else { return };
        if !link::datagram(datagram, &sender.link, &mut sender.session, &self.context) {
            // The session believes that it has answered: what it remembers of the messages goes with it.
            sender.link.close(CloseReason::Unavailable);
            self.forget(&peer);
        }
    }

    /// Begins a session with a sender that is not known; `false` when its address has too many.
    fn welcome(&mut self, peer: SocketAddr) -> bool {
        let socket = WriteHalf::Datagram(Arc::clone(&self.socket), peer);
        let now = self.context.clock.now();
        let Some(link) = self.context.links.open(socket, peer, now, &self.context.config) else {
            return false;
        };
        if self.senders.len() >= self.senders.capacity()
            && let Some((_, silent)) = self.senders.remove_lru()
        {
            silent.link.close(CloseReason::IdleTimeout);
            link::ended(&silent.link, &self.context);
        }
        let session = Recogniser::new(self.spoken, Transport::Datagram, self.context.sessions.limits());
        self.senders.insert(peer, Sender { link, session });
        true
    }

    fn forget(&mut self, peer: &SocketAddr) {
        if let Some(sender) = self.senders.remove(peer) {
            link::ended(&sender.link, &self.context);
        }
    }

    fn forget_closed(&mut self) {
        let closed: Vec<SocketAddr> = self
            .senders
            .iter()
            .filter(|(_, sender)| sender.link.is_closing())
            .map(|(peer, _)| *peer)
            .collect();
        for peer in closed {
            self.forget(&peer);
        }
    }
}
