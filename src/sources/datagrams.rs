//! Datagrams: one socket at an address, a link and a session for each sender.
//!
//! A datagram holds whole frames: what it leaves unfinished is dropped and counted. There is nobody to make wait,
//! so a datagram that finds the journal's queue full gets no answer, and its terminal sends it again. A sender
//! that was silent for too long is forgotten, and so is the one that was silent longest when there are too many:
//! who is forgotten logs in again. An address is easily forged, so senders that have not logged in have a small part of
//! the table of their own and get few answers.

use std::io;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use hashlink::LruCache;
use motorpool_protocols::{Protocol, Recogniser, Session, Transport};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::connection::{CloseReason, Link};
use super::link::{self, Ending};
use super::listener::Context;
use super::socket::WriteHalf;

/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// How often senders that were closed are taken out of the table.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How long to pause when the socket reports an error that is nobody's datagram.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// One in so many places of the table is for senders that have not logged in.
const STRANGERS_SHARE: usize = 8;

/// Somebody who sends datagrams.
#[derive(Debug)]
struct Sender {
    session: Box<dyn Session>,
    ending: Ending,
}

impl Sender {
    const fn link(&self) -> &Arc<Link> {
        self.ending.link()
    }
}

/// The senders at one address. Those that have not logged in have few places of their own, so that forged ones, of which
/// there can be any number, push nobody out who is known.
#[derive(Debug)]
struct Senders {
    strangers: LruCache<SocketAddr, Sender>,
    members: LruCache<SocketAddr, Sender>,
}

impl Senders {
    fn new(links_max: usize) -> Self {
        let strangers_max = (links_max / STRANGERS_SHARE).max(1);
        let members_max = links_max.saturating_sub(strangers_max).max(1);
        Self { strangers: LruCache::new(strangers_max), members: LruCache::new(members_max) }
    }

    /// Takes the sender at an address out, if it is there and not closed.
    fn take(&mut self, peer: &SocketAddr) -> Option<Sender> {
        let sender = self.members.remove(peer).or_else(|| self.strangers.remove(peer))?;
        (!sender.link().is_closing()).then_some(sender)
    }

    /// Puts a sender in as the one that was heard last. When its part of the table is full the one is forgotten that was
    /// silent longest there.
    fn put(&mut self, peer: SocketAddr, sender: Sender) {
        let table = if sender.link().is_logged_in() { &mut self.members } else { &mut self.strangers };
        if table.len() >= table.capacity() {
            forget_closed(table);
        }
        if table.len() >= table.capacity()
            && let Some((_, silent)) = table.remove_lru()
        {
            silent.link().close(CloseReason::IdleTimeout);
        }
        table.insert(peer, sender);
    }

    fn forget_closed(&mut self) {
        forget_closed(&mut self.members);
        forget_closed(&mut self.strangers);
    }

    fn close_all(&mut self) {
        for table in [&mut self.members, &mut self.strangers] {
            for (_, sender) in table.drain() {
                sender.link().close(CloseReason::Shutdown);
            }
        }
    }
}

fn forget_closed(table: &mut LruCache<SocketAddr, Sender>) {
    table.retain(|_, sender| !sender.link().is_closing());
}

/// The socket at one address, bound.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: Arc<UdpSocket>,
    spoken: &'static [Protocol],
    context: Arc<Context>,
    senders: Senders,
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
        let senders = Senders::new(context.config.datagram_links_max);
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
                    self.senders.forget_closed();
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
        self.senders.close_all();
    }

    /// Handles a datagram. Its sender is out of the table meanwhile, and stays out when its session is over.
    fn take(&mut self, datagram: &[u8], peer: SocketAddr) {
        let Some(mut sender) = self.senders.take(&peer).or_else(|| self.welcome(peer)) else { return };
        // All senders share this task: a session that panics must end with its own link, and not with all of them. It is
        // dropped, so nobody sees what state it was left in.
        let handled = panic::catch_unwind(AssertUnwindSafe(|| {
            link::datagram(datagram, sender.ending.link(), sender.session.as_mut(), &self.context)
        }));
        if handled.is_err() {
            tracing::error!(link = sender.link().id.0, "the session of a sender of datagrams panicked");
        }
        if handled.unwrap_or(false) {
            self.senders.put(peer, sender);
        } else {
            // The session believes that it has answered: what it remembers of the messages goes with it.
            sender.link().close(CloseReason::Unavailable);
        }
    }

    /// Begins a session with a sender that is not known; `None` when its address has too many.
    fn welcome(&self, peer: SocketAddr) -> Option<Sender> {
        let socket = WriteHalf::Datagram(Arc::clone(&self.socket), peer);
        let now = self.context.clock.now();
        let link = self.context.links.open(socket, peer, now, &self.context.config)?;
        let limits = self.context.sessions.limits();
        let session = Box::new(Recogniser::new(self.spoken, Transport::Datagram, limits));
        Some(Sender { session, ending: Ending::new(link, Arc::clone(&self.context)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::{PanickingSession, context, enrol};

    const REPORT: &str = "*HQ,7000000001,V1,101510,A,3030.3000,N,11415.1500,E,19.60,90,010324,FFFFFFFF#";

    async fn bound(folder: &std::path::Path, links_max: usize) -> Datagrams {
        let context = context(folder, |config| config.trackers.datagram_links_max = links_max).await;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Datagrams::bind(address, Protocol::H02.alone(), context).unwrap()
    }

    fn peer(number: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], number))
    }

    #[tokio::test]
    async fn strangers_push_out_strangers_and_nobody_who_logged_in() {
        let folder = tempfile::tempdir().unwrap();
        let mut datagrams = bound(folder.path(), 16).await;
        let device = enrol(&datagrams.context, Protocol::H02, "7000000001").await;
        datagrams.take(REPORT.as_bytes(), peer(1));
        for number in 2..200 {
            datagrams.take(REPORT.replace("0001,", "0002,").as_bytes(), peer(number));
        }
        assert!(datagrams.context.links.takes_letters(device));
        assert_eq!(datagrams.context.links.len(), 1 + 16 / STRANGERS_SHARE);
        // The same device from other addresses replaces itself, and pushes out no other.
        let other = enrol(&datagrams.context, Protocol::H02, "7000000003").await;
        datagrams.take(REPORT.replace("0001,", "0003,").as_bytes(), peer(300));
        for number in 400..500 {
            datagrams.take(REPORT.as_bytes(), peer(number));
        }
        assert!(
            datagrams.context.links.takes_letters(device) && datagrams.context.links.takes_letters(other)
        );
    }

    #[tokio::test]
    async fn a_session_that_panics_ends_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut datagrams = bound(folder.path(), 16).await;
        let mut broken = datagrams.welcome(peer(1)).unwrap();
        broken.session = Box::new(PanickingSession);
        datagrams.senders.put(peer(1), broken);
        datagrams.take(REPORT.as_bytes(), peer(2));
        assert_eq!(datagrams.context.links.len(), 2);
        datagrams.take(REPORT.as_bytes(), peer(1));
        assert_eq!(datagrams.context.links.len(), 1, "the broken one is out of every table");
        datagrams.take(REPORT.as_bytes(), peer(1));
        assert_eq!(datagrams.context.links.len(), 2, "and its address may come again");
    }
}
