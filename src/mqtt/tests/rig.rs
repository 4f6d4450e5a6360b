//! A server with one enrolled device, and clients that speak to it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::BytesMut;
use motorpool_protocols::command::Command;
use motorpool_protocols::{Protocol, TerminalId, UtcMillis};
use rumqttc::mqttbytes::{self as common, v4};
use rumqttc::v5::mqttbytes as five;
use rumqttc::v5::mqttbytes::v5;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::super::listener::{Context, Listener};
use super::super::{Downlinks, Refusals};
use crate::clock::Clock;
use crate::config::{Config, Listen};
use crate::ids::{DeviceId, Lsn};
use crate::journal::{Event, Journal};
use crate::live::Live;
use crate::registry::{Enrol, Registry};
use crate::sources::acks::{AckQueue, Replier};
use crate::sources::post::{Letter, PostNews};
use crate::sources::{Links, listener};
use crate::telemetry::Counters;
use crate::tls::ServerTls;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const UP: &str = "motorpool/car-7/up";
pub(super) const DOWN: &str = "motorpool/car-7/down";
pub(super) const GOOD: &[u8] = br#"{"time":"2026-04-01T08:00:00Z","lat":30.1,"lon":120.2,"speed_kmh":40}"#;

pub(super) struct Rig {
    pub(super) context: Arc<Context>,
    pub(super) address: SocketAddr,
    pub(super) tls_address: Option<SocketAddr>,
    pub(super) device: DeviceId,
    pub(super) secret: String,
    pub(super) stop: CancellationToken,
    pub(super) news: tokio::sync::mpsc::Receiver<PostNews>,
    pub(super) folder: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    pub(super) async fn with(set: impl FnOnce(&mut Config, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.mqtt.listen = Listen(Some(SocketAddr::from(([127, 0, 0, 1], 0))));
        config.mqtt.packet_max = crate::config::Bytes(4 << 10);
        set(&mut config, folder.path());
        let registry = Arc::new(Registry::open(folder.path(), &config).await.unwrap());
        let now = UtcMillis(1_000);
        let enrol = |protocol, text| Enrol {
            protocol,
            terminal: TerminalId::new(text).unwrap(),
            name: None,
            profile: None,
        };
        let wanted = [enrol(Protocol::Json, "car-7"), enrol(Protocol::Json, "013912345678")];
        let made = registry.enrol(&wanted, "test", now).await.unwrap();
        let device = made[0].device;
        let secret = registry.make_mqtt_secret(device, "test", now).await.unwrap();
        let journal = Journal::open(folder.path(), &config.journal).unwrap().0;
        let acks = AckQueue::default();
        let counters = Arc::new(Counters::default());
        let stop = CancellationToken::new();
        let (post, news) = tokio::sync::mpsc::channel(64);
        let replier = Replier::new(
            acks.clone(),
            Arc::clone(&counters),
            post.clone(),
            tokio::runtime::Handle::current(),
        );
        replier.listen(&journal);
        tokio::spawn(replier.run(stop.clone()));
        let mqtt = config.mqtt.clone();
        let authority = Some(mqtt.tls_client_ca.as_path()).filter(|path| !path.as_os_str().is_empty());
        let tls = (mqtt.tls_listen.0)
            .map(|_| Arc::new(ServerTls::open_for(&mqtt.tls_cert, &mqtt.tls_key, authority).unwrap()));
        let sources = listener::Context {
            sessions: config.sessions.clone(),
            jt809: config.jt809.clone(),
            held_bytes: AtomicUsize::new(0),
            clock: Arc::new(Clock::starting_at(UtcMillis(0))),
            journal,
            acks,
            registry,
            links: Links::starting_at(UtcMillis(0)),
            live: Arc::new(Live::new()),
            counters,
            post,
            tls: None,
            config: config.trackers,
        };
        let context = Arc::new(Context {
            config: mqtt,
            sources: Arc::new(sources),
            downlinks: Downlinks::default(),
            refusals: Refusals::default(),
            tls,
        });
        let listener = Listener::bind(Arc::clone(&context)).unwrap();
        let address = listener.local_addr().unwrap().unwrap();
        let tls_address = listener.tls_addr().unwrap();
        tokio::spawn(listener.run(stop.clone()));
        Self { context, address, tls_address, device, secret, stop, news, folder }
    }

    /// Puts a command into the device's box; `false` when it has none that is open.
    pub(super) fn tell(&self, id: i64, command: Command) -> bool {
        let terminal = TerminalId::new("car-7").unwrap();
        let letter = Letter { id, device: self.device, terminal, command: Arc::new(command) };
        self.context.sources.links.post(letter)
    }

    /// What came of a command.
    pub(super) async fn news(&mut self) -> PostNews {
        tokio::time::timeout(PATIENCE, self.news.recv()).await.unwrap().unwrap()
    }

    pub(super) async fn socket(&self) -> Client<TcpStream> {
        Client { socket: TcpStream::connect(self.address).await.unwrap(), input: BytesMut::new() }
    }

    /// A device of version 5 that was let in.
    pub(super) async fn v5(&self, client_id: &str) -> Client<TcpStream> {
        let mut client = self.socket().await;
        client.send(&connect_v5(client_id, "car-7", &self.secret)).await;
        let Some(v5::Packet::ConnAck(ack)) = client.v5().await else { panic!("no CONNACK") };
        assert_eq!(ack.code, v5::ConnectReturnCode::Success);
        client
    }

    /// A device of version 3.1.1 that was let in.
    pub(super) async fn v4(&self, client_id: &str) -> Client<TcpStream> {
        let mut client = self.socket().await;
        client.send(&connect_v4(client_id, "car-7", &self.secret)).await;
        let accepted = v4::ConnAck::new(v4::ConnectReturnCode::Success, false);
        assert_eq!(client.v4().await, Some(v4::Packet::ConnAck(accepted)));
        client
    }

    pub(super) fn refused(&self, reason: &str) -> u64 {
        self.context.refusals.all().into_iter().find(|(name, _)| *name == reason).unwrap().1
    }

    /// Protocol and raw message of everything in the journal.
    pub(super) fn journaled(&self) -> Vec<(Protocol, Vec<u8>)> {
        let journal = &self.context.sources.journal;
        let mut reader = journal.reader(Lsn(0));
        let mut found = Vec::new();
        loop {
            let chunk = reader.next_chunk(Duration::ZERO).unwrap();
            if chunk.is_empty() {
                return found;
            }
            for event in chunk.events() {
                if let Event::Entry(entry) = event {
                    assert_eq!(entry.batch.device, self.device);
                    found.extend(entry.batch.messages().map(|raw| (entry.batch.protocol, raw.to_vec())));
                }
            }
        }
    }
}

pub(super) struct Client<S> {
    pub(super) socket: S,
    pub(super) input: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// The bytes of the next packet; `None` when the server has closed the link.
    pub(super) async fn packet(&mut self) -> Option<BytesMut> {
        loop {
            if let Ok(header) = common::check(self.input.iter(), 1 << 20) {
                return Some(self.input.split_to(header.frame_length()));
            }
            let read = tokio::time::timeout(PATIENCE, self.socket.read_buf(&mut self.input)).await.unwrap();
            if read.is_err() || read.is_ok_and(|count| count == 0) {
                return None;
            }
        }
    }

    pub(super) async fn v4(&mut self) -> Option<v4::Packet> {
        let mut packet = self.packet().await?;
        Some(v4::Packet::read(&mut packet, 1 << 20).unwrap())
    }

    pub(super) async fn v5(&mut self) -> Option<v5::Packet> {
        let mut packet = self.packet().await?;
        Some(v5::Packet::read(&mut packet, None).unwrap())
    }

    /// The reason with which the server of version 5 ended the link.
    pub(super) async fn ended(&mut self) -> v5::DisconnectReasonCode {
        loop {
            match self.v5().await {
                Some(v5::Packet::Disconnect(disconnect)) => return disconnect.reason_code,
                Some(_) => {}
                None => panic!("closed without a word"),
            }
        }
    }

    /// Subscribes with QoS 1; what was granted.
    pub(super) async fn subscribe(&mut self, paths: &[&str]) -> Vec<v5::SubscribeReasonCode> {
        let filter = |path: &&str| v5::Filter::new(*path, five::QoS::AtLeastOnce);
        let mut subscribe = v5::Subscribe::new_many(paths.iter().map(filter), None);
        subscribe.pkid = 5;
        let mut bytes = BytesMut::new();
        subscribe.write(&mut bytes).unwrap();
        self.send(&bytes).await;
        match self.v5().await {
            Some(v5::Packet::SubAck(ack)) => ack.return_codes,
            other => panic!("{other:?}"),
        }
    }

    /// The next publish of the server, on the device's own topic.
    pub(super) async fn command(&mut self) -> v5::Publish {
        match self.v5().await {
            Some(v5::Packet::Publish(publish)) if publish.topic.as_ref() == DOWN.as_bytes() => publish,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn acknowledge(&mut self, pkid: u16, reason: v5::PubAckReason) {
        let ack = v5::PubAck { pkid, reason, properties: None };
        let mut bytes = BytesMut::new();
        ack.write(&mut bytes).unwrap();
        self.send(&bytes).await;
    }

    pub(super) async fn puback(&mut self) -> (u16, v5::PubAckReason) {
        match self.v5().await {
            Some(v5::Packet::PubAck(ack)) => (ack.pkid, ack.reason),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn connect_v5(client_id: &str, user: &str, secret: &str) -> BytesMut {
    let connect =
        v5::Connect { keep_alive: 30, client_id: client_id.to_owned(), clean_start: true, properties: None };
    let login = v5::Login { username: user.to_owned(), password: secret.to_owned() };
    let mut bytes = BytesMut::new();
    connect.write(&None, &Some(login), &mut bytes).unwrap();
    bytes
}

pub(super) fn connect_v4(client_id: &str, user: &str, secret: &str) -> BytesMut {
    let mut connect = v4::Connect::new(client_id);
    connect.clean_session = false;
    connect.set_login(user, secret);
    let mut bytes = BytesMut::new();
    connect.write(&mut bytes).unwrap();
    bytes
}

pub(super) fn publish_v5(pkid: u16, topic: &str, payload: &[u8]) -> BytesMut {
    super::super::wire::publish(super::super::wire::Version::V5, topic, Some(pkid), payload)
}

pub(super) fn publish_v4(pkid: u16, topic: &str, payload: &[u8]) -> BytesMut {
    super::super::wire::publish(super::super::wire::Version::V4, topic, Some(pkid), payload)
}
