//! The sockets of one superior platform: connect, send from the queue, take its sub link, connect again.
//!
//! All that is said is decided by [`Lower`]; this only carries it out. It reads the queue, and deletes from it what
//! [`Lower`] says is confirmed and nothing else; before a position goes out it asks again whether it may. Its place is a thread that may block on files.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::jt809::Lower;
use motorpool_protocols::jt809::lower::{LowerEvent, LowerOutbox, LowerSettings, Offer};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::SuperiorPlatform;
use crate::sources::listener::bind;

use super::Feed;
use super::cars::{Cars, CarsNow};
use super::queue::{Place, Waiting};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long the good-bye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
/// No more positions are offered while so many bytes wait for the socket.
const OUTGOING_MAX: usize = 64 << 10;
/// Answers on the sub link that may wait for its socket, bytes.
const SUB_OUTGOING_MAX: usize = 1 << 20;
/// Read from a socket at a time, bytes.
const READ_BYTES: usize = 16 << 10;

/// One superior platform, not connected yet.
#[derive(Debug)]
pub(super) struct Feeder {
    feed: Arc<Feed>,
    cars: Arc<CarsNow>,
    address: String,
    clock: Arc<Clock>,
    lower: Lower,
    /// Where the superior platform connects the sub link.
    listener: Option<std::net::TcpListener>,
}

impl Feeder {
    /// Takes the address for the sub link. A port of 0 is any free one, and the platform is told which.
    pub(super) fn bind(
        config: &SuperiorPlatform,
        feed: Arc<Feed>,
        cars: Arc<CarsNow>,
        clock: Arc<Clock>,
    ) -> io::Result<Self> {
        let mut settings = settings(config);
        let mut listener = None;
        if let Some(address) = config.sub_listen.0 {
            let bound = bind(address)?.into_std()?;
            settings.sub_port = bound.local_addr()?.port();
            listener = Some(bound);
        }
        let (address, lower) = (config.address.clone(), Lower::new(settings));
        Ok(Self { feed, cars, address, clock, lower, listener })
    }

    /// Feeds until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let listener = self.listener.map(TcpListener::from_std).transpose();
        let listener = listener.unwrap_or_else(|error| {
            tracing::error!(%error, feed = self.feed.name, "no sub link");
            None
        });
        let place = self.feed.queue.first();
        let running = Running {
            feed: self.feed,
            cars: self.cars,
            address: self.address,
            clock: self.clock,
            lower: self.lower,
            out: LowerOutbox::default(),
            place,
            offered: Vec::new(),
            main: None,
            sub: None,
        };
        running.run(listener, stop).await;
    }
}

fn settings(config: &SuperiorPlatform) -> LowerSettings {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let standard = LowerSettings::default();
    LowerSettings {
        edition: config.edition().unwrap_or_default(),
        access_code: config.access_code,
        user: config.user,
        password: config.password.expose().to_owned(),
        version: config.version,
        sub_address: config.sub_address.clone(),
        sub_port: 0,
        cipher: config.cipher.map(|cipher| (cipher, config.cipher_key)),
        keep_alive_ms: ms(config.keep_alive.0),
        silence_ms: ms(config.silence_max.0),
        retry_ms: (standard.retry_ms.0, ms(config.retry_max.0)),
        live_within_ms: ms(config.live_within.0),
        ..standard
    }
}

/// A connected socket with what waits on either side of it.
#[derive(Debug)]
struct Channel {
    socket: TcpStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Channel {
    fn new(socket: TcpStream) -> Self {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        Self { socket, incoming: Vec::new(), outgoing: Vec::new() }
    }

    /// Waits until the socket gives or takes something, and moves that. Nothing is lost when it is dropped half-way.
    async fn turn(&mut self) -> io::Result<()> {
        let interest = if self.outgoing.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        let ready = self.socket.ready(interest).await?;
        if ready.is_writable() {
            self.write()?;
        }
        if ready.is_readable() {
            let mut bytes = [0; READ_BYTES];
            match self.socket.try_read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.incoming.extend_from_slice(bytes.get(..count).unwrap_or(&[])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what the socket takes at once.
    fn write(&mut self) -> io::Result<()> {
        match self.socket.try_write(&self.outgoing) {
            Ok(count) => drop(self.outgoing.drain(..count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A turn of a link, when there is one.
async fn turn(channel: &mut Option<Channel>) -> io::Result<()> {
    match channel {
        Some(channel) => channel.turn().await,
        None => std::future::pending().await,
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(socket, _)| socket),
        None => std::future::pending().await,
    }
}

/// One superior platform.
#[derive(Debug)]
struct Running {
    feed: Arc<Feed>,
    cars: Arc<CarsNow>,
    address: String,
    clock: Arc<Clock>,
    lower: Lower,
    out: LowerOutbox,
    /// Where the queue is read on.
    place: Place,
    /// Read from the queue and not taken yet, the next at the end.
    offered: Vec<Waiting>,
    main: Option<Channel>,
    sub: Option<Channel>,
}

/// What came of waiting.
enum Woken {
    Stop,
    Due,
    News,
    Main(io::Result<()>),
    Sub(io::Result<()>),
    Accepted(io::Result<TcpStream>),
}

impl Running {
    async fn run(mut self, listener: Option<TcpListener>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.lower.handle_timeout(self.clock.now(), &mut self.out);
            self.carry_out(&stop).await;
            if self.lower.is_logged_in()
                && let Some(cars) = self.cars.now().await
            {
                self.offer(&cars);
            }
            self.carry_out(&stop).await;
            let woken = self.wait(listener.as_ref(), &stop).await;
            self.act(woken);
        }
        self.lower.log_out(self.clock.now(), &mut self.out);
        let goodbye = async {
            self.carry_out(&stop).await;
            while self.main.is_some() {
                let woken = self.wait(None, &CancellationToken::new()).await;
                self.act(woken);
                self.carry_out(&stop).await;
            }
        };
        drop(tokio::time::timeout(GOODBYE_MAX, goodbye).await);
        if let Err(error) = self.feed.queue.save() {
            tracing::warn!(%error, feed = self.feed.name, "the cursor of a queue can't be written");
        }
    }

    async fn wait(&mut self, listener: Option<&TcpListener>, stop: &CancellationToken) -> Woken {
        let due = self.lower.next_timeout().map(|due| {
            let ms = due.0.saturating_sub(self.clock.now().0);
            Duration::from_millis(u64::try_from(ms).unwrap_or(0))
        });
        tokio::select! {
            () = stop.cancelled() => Woken::Stop,
            turned = turn(&mut self.main) => Woken::Main(turned),
            turned = turn(&mut self.sub) => Woken::Sub(turned),
            accepted = accept(listener) => Woken::Accepted(accepted),
            () = self.feed.queue.news() => Woken::News,
            () = async { tokio::time::sleep(due.unwrap_or_default()).await }, if due.is_some() => Woken::Due,
        }
    }

    fn act(&mut self, woken: Woken) {
        let now = self.clock.now();
        match woken {
            Woken::Stop | Woken::News => {}
            Woken::Due => self.lower.handle_timeout(now, &mut self.out),
            Woken::Main(Ok(())) => {
                if let Some(main) = &mut self.main {
                    let used = self.lower.main_received(now, &main.incoming, &mut self.out);
                    main.incoming.drain(..used);
                }
            }
            Woken::Main(Err(error)) => {
                tracing::info!(%error, feed = self.feed.name, "the main link to the superior platform ended");
                self.main_ended(now);
            }
            Woken::Sub(Ok(())) => {
                if let Some(sub) = &mut self.sub {
                    let used = self.lower.sub_received(now, &sub.incoming, &mut self.out);
                    sub.incoming.drain(..used);
                }
            }
            Woken::Sub(Err(error)) => {
                tracing::debug!(%error, feed = self.feed.name, "the sub link ended");
                self.sub_ended();
            }
            Woken::Accepted(Ok(socket)) => {
                // Anybody can connect; a newcomer gets the place of one that has not shown the verify code.
                if !self.lower.is_sub_up() {
                    self.sub_ended();
                    self.sub = Some(Channel::new(socket));
                }
            }
            Woken::Accepted(Err(error)) => tracing::warn!(%error, feed = self.feed.name, "accept failed"),
        }
    }

    fn main_ended(&mut self, now: UtcMillis) {
        self.main = None;
        self.offered.clear();
        self.lower.main_closed(now, &mut self.out);
    }

    fn sub_ended(&mut self) {
        self.sub = None;
        self.lower.sub_closed();
    }

    /// Does what the state machine wants, until it wants nothing more.
    async fn carry_out(&mut self, stop: &CancellationToken) {
        loop {
            self.hand_over();
            self.feed.is_logged_in.store(self.lower.is_logged_in(), Ordering::Relaxed);
            if self.out.events.is_empty() {
                return;
            }
            for event in std::mem::take(&mut self.out.events) {
                self.carry_out_one(event, stop).await;
            }
        }
    }

    /// Passes what was written to the links.
    fn hand_over(&mut self) {
        if let Some(main) = &mut self.main {
            main.outgoing.extend_from_slice(&self.out.main);
        }
        if let Some(sub) = &mut self.sub {
            sub.outgoing.extend_from_slice(&self.out.sub);
        }
        self.out.main.clear();
        self.out.sub.clear();
        if self.sub.as_ref().is_some_and(|sub| sub.outgoing.len() > SUB_OUTGOING_MAX) {
            self.sub_ended();
        }
    }

    async fn carry_out_one(&mut self, event: LowerEvent, stop: &CancellationToken) {
        let now = self.clock.now();
        let feed = self.feed.name.as_str();
        match event {
            LowerEvent::Connect => self.connect(stop).await,
            LowerEvent::LoggedIn => {
                tracing::info!(feed, "logged in to the superior platform");
                self.place = self.feed.queue.first();
                self.offered.clear();
            }
            LowerEvent::CloseMain(reason) => {
                tracing::warn!(feed, ?reason, "the main link to the superior platform is closed");
                self.main_ended(now);
            }
            LowerEvent::CloseSub(reason) => {
                tracing::debug!(feed, ?reason, "the sub link is closed");
                // The last answer, when the socket takes it at once.
                if let Some(Err(error)) = self.sub.as_mut().map(Channel::write) {
                    tracing::debug!(%error, "the sub link was gone already");
                }
                self.sub_ended();
            }
            LowerEvent::Confirmed { up_to } => {
                if let Err(error) = self.feed.queue.confirm(up_to) {
                    tracing::error!(%error, feed, "a queue can't be shortened");
                }
            }
            LowerEvent::Uncounted { positions } => {
                tracing::warn!(feed, positions, "the superior platform counted positions too late or never");
            }
            LowerEvent::Miscounted { counted, unconfirmed } => {
                tracing::warn!(
                    feed,
                    counted,
                    unconfirmed,
                    "the superior platform counted more than it was sent"
                );
            }
            LowerEvent::Order { business, .. } => {
                tracing::info!(
                    feed,
                    id = business.content.id(),
                    "an order of the superior platform is not carried out"
                );
            }
            _ => {}
        }
    }

    async fn connect(&mut self, stop: &CancellationToken) {
        let connecting = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(&self.address));
        let connected = tokio::select! {
            () = stop.cancelled() => Err(io::ErrorKind::Interrupted.into()),
            connected = connecting => connected.unwrap_or_else(|late| Err(late.into())),
        };
        let now = self.clock.now();
        match connected {
            Ok(socket) => {
                self.main = Some(Channel::new(socket));
                self.lower.main_opened(now, &mut self.out);
            }
            Err(error) => {
                tracing::debug!(%error, feed = self.feed.name, "the superior platform can't be reached");
                self.lower.main_closed(now, &mut self.out);
            }
        }
    }

    /// Offers positions as long as the link takes them; those of a car that is one on secret work by now are passed over.
    fn offer(&mut self, cars: &Cars) {
        while self.lower.is_logged_in() {
            let waiting = self.main.as_ref().map_or(0, |main| main.outgoing.len());
            if waiting + self.out.main.len() > OUTGOING_MAX {
                return;
            }
            let Some(waiting) = self.offered.pop().or_else(|| self.read()) else { return };
            let (now, number) = (self.clock.now(), waiting.queued.number);
            if !cars.may_leave(&waiting, now) {
                self.feed.withheld.fetch_add(1, Ordering::Relaxed);
                self.lower.pass_over(number, &mut self.out);
                continue;
            }
            match self.lower.offer(now, waiting.queued.clone(), &mut self.out) {
                Offer::Taken => {}
                Offer::Unfit => {
                    tracing::warn!(feed = self.feed.name, number, "a position can't be sent");
                }
                Offer::Full => {
                    // Room is made by sending what waits for others of its vehicle.
                    self.lower.flush(now, &mut self.out);
                    self.offered.push(waiting);
                }
            }
        }
    }

    /// The next position of the queue.
    fn read(&mut self) -> Option<Waiting> {
        match self.feed.queue.read(&mut self.place) {
            Ok(found) => {
                self.offered = found;
                self.offered.reverse();
            }
            Err(error) => tracing::error!(%error, feed = self.feed.name, "a queue can't be read"),
        }
        self.offered.pop()
    }
}
