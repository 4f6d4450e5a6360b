//! The subscriber against a broker that is played here, so that what it does with each packet is known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4;
use tokio::net::{TcpListener, TcpStream};

use super::super::Subscriber;
use super::super::subscriber::BrokerCounts;
use super::rig::{Client, GOOD, PATIENCE, Rig, UP, publish_v4};
use crate::config::{self, SecretUrl};
use crate::journal::Health;

/// A broker to which the subscriber of a rig connects.
struct Broker {
    listener: TcpListener,
    counts: Arc<BrokerCounts>,
}

impl Broker {
    async fn of(rig: &Rig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = SecretUrl::new(format!("mqtt://{}", listener.local_addr().unwrap()));
        let config = config::Broker { url, ..config::Broker::default() };
        let counts = Arc::new(BrokerCounts::default());
        let sources = Arc::clone(&rig.context.sources);
        let subscriber = Subscriber::configured(&config, sources, Arc::clone(&counts)).unwrap().unwrap();
        tokio::spawn(subscriber.run(rig.stop.clone()));
        Self { listener, counts }
    }

    /// The next connection of the subscriber, subscribed.
    async fn subscribed(&self, session_present: bool) -> Client<TcpStream> {
        let (socket, _) = tokio::time::timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        let mut client = Client { socket, input: BytesMut::new() };
        let Some(v4::Packet::Connect(connect)) = client.v4().await else { panic!("no CONNECT") };
        assert!(!connect.clean_session, "the broker is to keep what was not acknowledged");
        let mut bytes = BytesMut::new();
        v4::ConnAck::new(v4::ConnectReturnCode::Success, session_present).write(&mut bytes).unwrap();
        client.send(&bytes).await;
        let Some(v4::Packet::Subscribe(subscribe)) = client.v4().await else { panic!("no SUBSCRIBE") };
        let granted = v4::SubscribeReasonCode::Success(rumqttc::mqttbytes::QoS::AtLeastOnce);
        let mut bytes = BytesMut::new();
        v4::SubAck::new(subscribe.pkid, vec![granted; subscribe.filters.len()]).write(&mut bytes).unwrap();
        client.send(&bytes).await;
        client
    }

    fn count(&self, outcome: &str) -> u64 {
        self.counts.messages().into_iter().find(|(name, _)| *name == outcome).unwrap().1
    }
}

/// The journal's folder, which for a while lies on a file system without any room: the journal asks the folder how much there is.
struct FullDisk {
    journal: PathBuf,
    aside: PathBuf,
}

impl FullDisk {
    fn under(data: &Path) -> Self {
        let (journal, aside) = (data.join("journal"), data.join("journal.aside"));
        std::fs::rename(&journal, &aside).unwrap();
        std::os::unix::fs::symlink("/proc", &journal).unwrap();
        Self { journal, aside }
    }

    fn has_room_again(self) {
        std::fs::remove_file(&self.journal).unwrap();
        std::fs::rename(&self.aside, &self.journal).unwrap();
    }
}

async fn until_health(rig: &Rig, health: Health) {
    let reached = async {
        while rig.context.sources.journal.health() != health {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

#[tokio::test]
async fn a_full_journal_ends_the_connection_and_messages_come_when_it_has_room() {
    let rig = Rig::new().await;
    let broker = Broker::of(&rig).await;
    let mut client = broker.subscribed(false).await;
    client.send(&publish_v4(1, UP, GOOD)).await;
    assert_eq!(client.v4().await, Some(v4::Packet::PubAck(v4::PubAck::new(1))));

    let disk = FullDisk::under(rig.folder.path());
    until_health(&rig, Health::DiskFull).await;
    client.send(&publish_v4(2, UP, GOOD)).await;
    assert_eq!(client.v4().await, None, "neither acknowledged nor left to fill the broker's window");
    let early = tokio::time::timeout(Duration::from_secs(1), broker.listener.accept()).await;
    assert!(early.is_err(), "there is nothing to connect for");
    assert!(!broker.counts.is_connected.load(Ordering::Relaxed));
    assert_eq!(broker.counts.unacked.load(Ordering::Relaxed), 0);

    disk.has_room_again();
    let mut client = broker.subscribed(true).await;
    assert_eq!(rig.context.sources.journal.health(), Health::Ok);
    for pkid in [2, 3] {
        client.send(&publish_v4(pkid, UP, GOOD)).await;
        assert_eq!(client.v4().await, Some(v4::Packet::PubAck(v4::PubAck::new(pkid))));
    }
    assert_eq!((rig.journaled().len(), broker.count("journaled")), (3, 3));
    assert_eq!(broker.counts.connections.load(Ordering::Relaxed), 2);
}
