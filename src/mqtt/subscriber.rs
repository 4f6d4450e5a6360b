//! The client of an outside broker.
//!
//! One task does everything: it polls the connection, appends what came, and acknowledges what has become durable. Because
//! acknowledgements are handed over only while the poll is suspended, they always belong to the connection that is open: a
//! connection that breaks takes with it those that were not sent (rumqttc drops them), and `Unacked` forgets the rest.
//! Nothing is awaited for an acknowledgement; the queue to the client has room for every packet id there is.
//!
//! The broker sends again what was not acknowledged, but only over another connection, and it leaves off when so many messages are
//! open. So a connection ends when the journal takes nothing, and the next one is opened when it does again.
//!
//! The fixes in what comes again are told apart from new ones where tracks are merged.
//! Messages that can't be taken in (an unknown terminal, a broken payload) are counted and acknowledged: the broker could
//! do nothing better with them. There is no way to tell the publisher.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use motorpool_protocols::{Protocol, RejectReason, TerminalId};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish, SubscribeFilter, SubscribeReasonCode};
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError, TlsConfiguration, Transport,
};
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::refusal::Refusal;
use super::topic::{self, Kind};
use crate::config;
use crate::ids::{LinkId, Lsn};
use crate::journal::{AppendError, Batch, Health};
use crate::outbound;
use crate::registry::{Device, DeviceState};
use crate::sources::listener::Context;

/// Room in the queue to the client: every packet id, and the subscription.
const REQUESTS_MAX: usize = (1 << 16) + 1;
/// The first pause between two attempts to connect; it doubles up to `broker.retry_max`.
const RETRY_MIN: Duration = Duration::from_millis(200);
/// How long to wait for room in the journal's queue before it is asked again: the disk behind it may have filled up meanwhile.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(1);
/// Collisions in a row after which the client is made anew: its state is beyond repair.
const COLLISIONS_MAX: u32 = 2;

/// What the subscriber counts.
#[derive(Debug, Default)]
pub struct BrokerCounts {
    /// Whether there is a connection with a subscription.
    pub is_connected: AtomicBool,
    /// Connections so far.
    pub connections: AtomicU64,
    /// Messages that are not acknowledged yet.
    pub unacked: AtomicU64,
    journaled: AtomicU64,
    repeated: AtomicU64,
    acked: AtomicU64,
    forgotten: AtomicU64,
    unknown: AtomicU64,
    blocked: AtomicU64,
    topic: AtomicU64,
    payload: AtomicU64,
}

impl BrokerCounts {
    /// Messages by what became of them. `repeated` is part of the others: the broker said that it had sent them before.
    /// `forgotten` could not be acknowledged, because the connection broke before they were durable.
    #[must_use]
    pub fn messages(&self) -> Vec<(&'static str, u64)> {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("journaled", load(&self.journaled)),
            ("repeated", load(&self.repeated)),
            ("acknowledged", load(&self.acked)),
            ("forgotten", load(&self.forgotten)),
            ("unknown_terminal", load(&self.unknown)),
            ("blocked", load(&self.blocked)),
            ("topic", load(&self.topic)),
            ("payload", load(&self.payload)),
        ]
    }
}

/// Messages of the open connection that wait to be acknowledged, in the order in which they were received.
#[derive(Debug, Default)]
struct Unacked {
    waiting: VecDeque<(Lsn, Publish)>,
}

impl Unacked {
    /// Adds a message that is durable at `durable_at`; never below that of the one before.
    fn push(&mut self, durable_at: Lsn, publish: Publish) {
        let durable_at = self.waiting.back().map_or(durable_at, |(before, _)| durable_at.max(*before));
        self.waiting.push_back((durable_at, publish));
    }

    /// Hands over what is durable, oldest first, until `acknowledge` has no room.
    fn release(&mut self, durable: Lsn, mut acknowledge: impl FnMut(&Publish) -> bool) -> u64 {
        let mut released = 0;
        while let Some((durable_at, publish)) = self.waiting.front() {
            if *durable_at > durable || !acknowledge(publish) {
                break;
            }
            self.waiting.pop_front();
            released += 1;
        }
        released
    }

    /// The connection broke: what it received can't be acknowledged over another one, where the same packet id may be that of
    /// another message.
    fn forget(&mut self) -> u64 {
        let count = self.waiting.len() as u64;
        self.waiting.clear();
        count
    }
}

/// The client of an outside broker, to be run.
#[derive(Debug)]
pub struct Subscriber {
    config: config::Broker,
    options: MqttOptions,
    context: Arc<Context>,
    counts: Arc<BrokerCounts>,
    unacked: Unacked,
    intake: Intake,
    /// The address behind the last message.
    last_appended: Lsn,
    /// A number for the open connection, as links have them.
    link: LinkId,
    /// How long to wait before the next attempt to connect.
    pause: Duration,
    /// Connections in a row that ended with a collision.
    collisions: u32,
}

/// A client and the loop that does its work.
struct Connection {
    client: AsyncClient,
    events: EventLoop,
}

/// How waiting for the next event ended.
enum Next {
    Event(Result<Event, ConnectionError>),
    Stop,
}

/// Why a connection is over.
enum Ended {
    /// It broke, or could not be opened.
    Broken(ConnectionError),
    /// The journal took nothing.
    Refused(AppendError),
    Stopped,
}

impl Subscriber {
    /// The subscriber that the configuration asks for; `None` when it names no broker.
    ///
    /// # Errors
    /// When the file of authorities can't be read.
    pub fn configured(
        config: &config::Broker,
        context: Arc<Context>,
        counts: Arc<BrokerCounts>,
    ) -> std::io::Result<Option<Self>> {
        let Some(address) = config.address() else { return Ok(None) };
        let mut options = MqttOptions::new(config.client_id.as_str(), address.host, address.port);
        options
            .set_clean_session(false)
            .set_manual_acks(true)
            .set_keep_alive(config.keep_alive.0)
            .set_max_packet_size(config.packet_max.0, config.packet_max.0);
        if let Some((user, password)) = address.login {
            options.set_credentials(user, password);
        }
        if address.is_private {
            options.set_transport(private(config)?);
        }
        Ok(Some(Self {
            config: config.clone(),
            options,
            link: context.links.new_id(),
            context,
            counts,
            unacked: Unacked::default(),
            intake: Intake::default(),
            last_appended: Lsn(0),
            pause: RETRY_MIN,
            collisions: 0,
        }))
    }

    /// Receives until `stop`. What is not acknowledged by then the broker sends again.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut durable = self.context.journal.subscribe_durable();
        let mut connection = self.connect();
        while self.journal_takes(&stop).await {
            match self.converse(&mut connection, &mut durable, &stop).await {
                Ended::Stopped => break,
                Ended::Broken(error) => {
                    tracing::warn!(%error, "the connection to the broker ended");
                    let is_collision =
                        matches!(error, ConnectionError::MqttState(StateError::CollisionTimeout));
                    self.collisions = if is_collision { self.collisions + 1 } else { 0 };
                }
                Ended::Refused(error) => {
                    tracing::warn!(%error, "the connection to the broker is given up until the journal takes messages");
                    connection.events.clean();
                }
            }
            self.disconnected(&mut connection, &stop).await;
            if self.collisions >= COLLISIONS_MAX {
                self.collisions = 0;
                connection = self.connect();
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(jittered(self.pause)) => {}
            }
            self.pause = (self.pause * 2).min(self.config.retry_max.0.max(RETRY_MIN));
        }
        self.counts.is_connected.store(false, Ordering::Relaxed);
    }

    /// Waits until the journal takes messages; `false` when `stop` comes before.
    async fn journal_takes(&self, stop: &CancellationToken) -> bool {
        let journal = &self.context.journal;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                () = journal.wait_space() => {}
            }
            match journal.health() {
                Health::Ok => return true,
                Health::DiskFull => {}
                // For good: whoever looks after the server has to start it anew.
                _ => {
                    stop.cancelled().await;
                    return false;
                }
            }
        }
    }

    /// Opens the connection and receives over it until it is over.
    async fn converse(
        &mut self,
        connection: &mut Connection,
        durable: &mut watch::Receiver<Lsn>,
        stop: &CancellationToken,
    ) -> Ended {
        loop {
            let event = match self.next(connection, durable, stop).await {
                Next::Stop => return Ended::Stopped,
                Next::Event(Err(error)) => return Ended::Broken(error),
                Next::Event(Ok(event)) => event,
            };
            match event {
                Event::Incoming(Packet::ConnAck(ack)) => {
                    self.pause = RETRY_MIN;
                    self.connected(connection, ack.session_present);
                }
                Event::Incoming(Packet::SubAck(ack)) => self.subscribed(&ack.return_codes),
                Event::Incoming(Packet::Publish(publish)) => {
                    self.collisions = 0;
                    match self.receive(publish, true, stop).await {
                        Ok(()) => {}
                        Err(_) if stop.is_cancelled() => return Ended::Stopped,
                        Err(error) => return Ended::Refused(error),
                    }
                }
                _ => {}
            }
        }
    }

    fn connect(&self) -> Connection {
        let (client, events) = AsyncClient::new(self.options.clone(), REQUESTS_MAX);
        Connection { client, events }
    }

    /// The next event of the connection. Meanwhile acknowledges what becomes durable.
    async fn next(
        &mut self,
        connection: &mut Connection,
        durable: &mut watch::Receiver<Lsn>,
        stop: &CancellationToken,
    ) -> Next {
        let Connection { client, events } = connection;
        self.acknowledge(client, *durable.borrow_and_update());
        let poll = events.poll();
        // One poll to its end: half of one must not be thrown away.
        tokio::pin!(poll);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Next::Stop,
                changed = durable.changed(), if !self.unacked.waiting.is_empty() => {
                    if changed.is_err() {
                        return Next::Stop;
                    }
                    self.acknowledge(client, *durable.borrow_and_update());
                }
                event = &mut poll => return Next::Event(event),
            }
        }
    }

    fn acknowledge(&mut self, client: &AsyncClient, durable: Lsn) {
        let acked = self.unacked.release(durable, |publish| client.try_ack(publish).is_ok());
        self.counts.acked.fetch_add(acked, Ordering::Relaxed);
        self.counts.unacked.fetch_sub(acked, Ordering::Relaxed);
    }

    /// Only now do messages come.
    fn subscribed(&self, codes: &[SubscribeReasonCode]) {
        self.counts.is_connected.store(true, Ordering::Relaxed);
        let refused = codes.iter().filter(|code| **code == SubscribeReasonCode::Failure).count();
        if refused > 0 {
            tracing::error!(refused, "the broker does not let this server subscribe to all of broker.topics");
        }
    }

    fn connected(&mut self, connection: &Connection, session_present: bool) {
        let before = self.counts.connections.fetch_add(1, Ordering::Relaxed);
        self.link = self.context.links.new_id();
        if before > 0 && !session_present {
            tracing::warn!("the broker has lost the session: what it held for this server is gone");
        }
        let filters = self.config.topics.iter().map(|topic| {
            let share = self.config.share.as_str();
            let path = if share.is_empty() { topic.clone() } else { format!("$share/{share}/{topic}") };
            SubscribeFilter::new(path, QoS::AtLeastOnce)
        });
        // Again after every connection: it is idempotent, and the broker may have lost it.
        if let Err(error) = connection.client.try_subscribe_many(filters) {
            tracing::error!(%error, "can't subscribe: look at broker.topics");
        }
        tracing::info!(session_present, "connected to the broker");
    }

    /// Takes in what the old connection had received already, and forgets its acknowledgements.
    async fn disconnected(&mut self, connection: &mut Connection, stop: &CancellationToken) {
        self.counts.is_connected.store(false, Ordering::Relaxed);
        // The client keeps these for after the next connection, where their packet ids mean other messages.
        let left: Vec<Event> = connection.events.state.events.drain(..).collect();
        for event in left {
            if let Event::Incoming(Packet::Publish(publish)) = event
                && self.receive(publish, false, stop).await.is_err()
            {
                // The broker sends the rest again as well.
                break;
            }
        }
        let forgotten = self.unacked.forget();
        self.counts.forgotten.fetch_add(forgotten, Ordering::Relaxed);
        self.counts.unacked.fetch_sub(forgotten, Ordering::Relaxed);
    }

    /// Appends a message and queues its acknowledgement, when it may still be acknowledged.
    ///
    /// # Errors
    /// When the journal takes nothing now: then the message is neither durable nor acknowledged.
    async fn receive(
        &mut self,
        publish: Publish,
        is_open: bool,
        stop: &CancellationToken,
    ) -> Result<(), AppendError> {
        let counters = Arc::clone(&self.context.counters);
        counters.bytes_received.fetch_add(publish.payload.len() as u64, Ordering::Relaxed);
        if publish.dup {
            self.counts.repeated.fetch_add(1, Ordering::Relaxed);
        }
        match self.take(&publish) {
            Ok(()) => {
                // A publish of several frames is as many messages in the books.
                let count = self.intake.messages.len() as u64;
                counters.messages_received.fetch_add(count, Ordering::Relaxed);
                match self.append(stop).await {
                    Ok(()) => self.counts.journaled.fetch_add(1, Ordering::Relaxed),
                    Err(error) if is_passing(error) => return Err(error),
                    // Sent again it would be as long.
                    Err(_) => self.counts.payload.fetch_add(1, Ordering::Relaxed),
                };
            }
            Err(refused) => {
                tracing::debug!(topic = publish.topic, ?refused, "a message of the broker was passed over");
                counters.messages_received.fetch_add(1, Ordering::Relaxed);
                self.count(refused);
            }
        }
        if is_open && publish.qos != QoS::AtMostOnce {
            self.unacked.push(self.last_appended, publish);
            self.counts.unacked.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Puts a message into the intake. The broker's access rules are what says who may publish where.
    fn take(&mut self, publish: &Publish) -> Result<(), PassedOver> {
        let now = self.context.clock.now();
        let address = topic::address(&publish.topic).ok_or(PassedOver::Topic)?;
        let terminal = TerminalId::new(address.terminal).ok_or(PassedOver::Topic)?;
        let Some(device) = self.device(address.kind, &terminal) else {
            let spoken = match address.kind {
                Kind::Json(protocol) | Kind::Raw(protocol) => protocol,
            };
            let nowhere = std::net::IpAddr::from([0, 0, 0, 0]);
            self.context.registry.quarantine_seen(spoken, &terminal, nowhere, now, None);
            return Err(PassedOver::Unknown);
        };
        if device.state != DeviceState::Approved {
            return Err(PassedOver::Blocked);
        }
        self.intake.raw.clear();
        self.intake.messages.clear();
        let limits = self.context.sessions.limits();
        self.intake.accept(address.kind, &publish.payload, &device, limits, now).map_err(PassedOver::Payload)
    }

    /// The device that a topic names: as what it speaks there, else as what it is over MQTT, else as what it speaks itself behind a
    /// gateway.
    fn device(&self, kind: Kind, terminal: &TerminalId) -> Option<Arc<Device>> {
        let snapshot = self.context.registry.snapshot();
        let (spoken, behind) = match kind {
            Kind::Json(Protocol::EmqxJt808) => (Protocol::EmqxJt808, Protocol::Jt808),
            Kind::Json(protocol) | Kind::Raw(protocol) => (protocol, Protocol::Json),
        };
        let device = snapshot.find(spoken, terminal).or_else(|| snapshot.find(behind, terminal));
        device.map(Arc::clone)
    }

    fn count(&self, refused: PassedOver) {
        let (counter, reason) = match refused {
            PassedOver::Topic => (&self.counts.topic, RejectReason::NotAdmitted),
            PassedOver::Unknown => (&self.counts.unknown, RejectReason::UnknownTerminal),
            PassedOver::Blocked => (&self.counts.blocked, RejectReason::NotAdmitted),
            PassedOver::Payload(refusal) => (&self.counts.payload, refusal.reject_reason()),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.context.counters.rejected(reason, 1);
    }

    /// Appends the intake; waits for room in the journal's queue, at the longest until `stop`.
    async fn append(&mut self, stop: &CancellationToken) -> Result<(), AppendError> {
        let Context { journal, counters, clock, .. } = &*self.context;
        let mut left = self.intake.messages.len() as u64;
        for run in self.intake.runs() {
            loop {
                let batch = Batch {
                    device: run.device,
                    link: self.link,
                    protocol: run.protocol,
                    received_at: clock.now(),
                    ends: &run.ends,
                    raw: run.raw,
                };
                match journal.append(&batch) {
                    Ok(end) => {
                        self.last_appended = end;
                        let count = run.ends.len() as u64;
                        counters.messages_journaled.fetch_add(count, Ordering::Relaxed);
                        left -= count;
                        break;
                    }
                    Err(AppendError::Full) if !stop.is_cancelled() => {
                        counters.messages_waiting.fetch_add(left, Ordering::Relaxed);
                        counters.backpressure_waits.fetch_add(1, Ordering::Relaxed);
                        tokio::select! {
                            () = journal.wait_space() => {}
                            () = stop.cancelled() => {}
                            () = tokio::time::sleep(ROOM_WAIT_MAX) => {}
                        }
                        counters.messages_waiting.fetch_sub(left, Ordering::Relaxed);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a message of the broker was not appended");
                        let reason = if is_passing(error) { Refusal::Unavailable } else { Refusal::TooLarge };
                        counters.rejected(reason.reject_reason(), left);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether the journal may take the same message later.
const fn is_passing(error: AppendError) -> bool {
    matches!(error, AppendError::Full | AppendError::Unavailable(_))
}

/// Why a message was not taken in.
#[derive(Clone, Copy, Debug)]
enum PassedOver {
    Topic,
    Unknown,
    Blocked,
    Payload(Refusal),
}

/// TLS with the web's authorities and those of the configuration.
fn private(config: &config::Broker) -> std::io::Result<Transport> {
    let ca_file = Some(config.ca_file.as_path()).filter(|path| !path.as_os_str().is_empty());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(outbound::roots(ca_file)?)
        .with_no_client_auth();
    Ok(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(client))))
}

/// Between half of a pause and all of it, so that servers that lost one broker do not all come back at once.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(pkid: u16) -> Publish {
        Publish { pkid, ..Publish::new("motorpool/car-7/up", QoS::AtLeastOnce, "{}") }
    }

    #[test]
    fn acknowledgements_go_in_receive_order_and_never_over_another_connection() {
        let mut unacked = Unacked::default();
        let mut sent = Vec::new();
        // The second was passed over: it is durable at once, but waits for the first.
        for (lsn, pkid) in [(100, 1), (0, 2), (200, 3)] {
            unacked.push(Lsn(lsn), publish(pkid));
        }
        let mut release = |unacked: &mut Unacked, durable, room: usize| {
            let mut left = room;
            let released = unacked.release(Lsn(durable), |publish| {
                let has_room = left > 0;
                left = left.saturating_sub(1);
                if has_room {
                    sent.push(publish.pkid);
                }
                has_room
            });
            (released, sent.clone())
        };
        assert_eq!(release(&mut unacked, 99, 9), (0, vec![]));
        assert_eq!(release(&mut unacked, 100, 1), (1, vec![1]), "no room for more");
        assert_eq!(release(&mut unacked, 100, 9), (1, vec![1, 2]));
        assert_eq!(unacked.forget(), 1);
        unacked.push(Lsn(300), publish(3));
        assert_eq!(release(&mut unacked, 200, 9), (0, vec![1, 2]), "the new message 3 is not durable yet");
        assert_eq!(release(&mut unacked, 300, 9), (1, vec![1, 2, 3]));
    }

    #[test]
    fn pauses_are_jittered_within_their_bounds() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(2));
            assert!((Duration::from_secs(1)..=Duration::from_secs(2)).contains(&pause));
        }
    }
}
