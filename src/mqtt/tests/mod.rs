//! The listener over real sockets, with packets written by the codec's client side or by hand.

mod broker;
mod rig;

use std::sync::Arc;

use bytes::BytesMut;
use motorpool_protocols::command::{Command, CommandResult};
use motorpool_protocols::{Protocol, TerminalId, UtcMillis};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes as five;
use rumqttc::v5::mqttbytes::v5;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::rig::{Client, DOWN, GOOD, Rig, UP, connect_v4, connect_v5, publish_v4, publish_v5};
use crate::ids::Lsn;
use crate::registry::{DeviceState, QuarantineFilter};
use crate::sources::post::PostNews;

#[tokio::test]
async fn a_device_is_told_the_terms_and_its_messages_are_acknowledged_when_they_are_durable() {
    let rig = Rig::new().await;
    let mut client = rig.socket().await;
    client.send(&connect_v5("", "car-7", &rig.secret)).await;
    let Some(v5::Packet::ConnAck(ack)) = client.v5().await else { panic!() };
    let terms = ack.properties.unwrap();
    assert_eq!((ack.code, ack.session_present), (v5::ConnectReturnCode::Success, false));
    assert_eq!((terms.max_qos, terms.retain_available), (Some(1), Some(0)));
    assert_eq!((terms.receive_max, terms.max_packet_size), (Some(8_192), Some(4 << 10)));
    assert!(terms.assigned_client_identifier.unwrap().starts_with("car-7-"));

    client.send(&publish_v5(7, UP, GOOD)).await;
    assert_eq!(client.puback().await, (7, v5::PubAckReason::Success));
    assert!(rig.context.sources.journal.durable() > Lsn(0));
    let mut old = rig.v4("old").await;
    old.send(&publish_v4(9, UP, GOOD)).await;
    assert_eq!(old.v4().await, Some(v4::Packet::PubAck(v4::PubAck::new(9))));
    assert_eq!(rig.journaled(), [(Protocol::Json, GOOD.to_vec()), (Protocol::Json, GOOD.to_vec())]);
}

#[tokio::test]
async fn answers_come_in_receive_order_and_refused_messages_disturb_no_other() {
    let rig = Rig::new().await;
    let mut client = rig.v5("a").await;
    let deep = "[".repeat(3_000);
    let packets = [
        publish_v5(1, UP, GOOD),
        publish_v5(2, "motorpool/013912345678/up", GOOD),
        publish_v5(3, UP, b"{\"a\":\"\xff\"}"),
        publish_v5(4, UP, deep.as_bytes()),
        publish_v5(5, UP, br#"{"time":1e99,"lat":1,"lon":1}"#),
        publish_v5(6, "motorpool/car-7/raw/json", GOOD),
        publish_v5(7, UP, GOOD),
    ];
    client.send(&packets.concat()).await;
    use v5::PubAckReason::{NotAuthorized, PayloadFormatInvalid, Success};
    let expected = [
        (1, Success),
        (2, NotAuthorized),
        (3, PayloadFormatInvalid),
        (4, PayloadFormatInvalid),
        (5, PayloadFormatInvalid),
        (6, NotAuthorized),
        (7, Success),
    ];
    for answer in expected {
        assert_eq!(client.puback().await, answer);
    }
    // Alone, a refusal still waits its turn and comes.
    client.send(&publish_v5(8, "somewhere", GOOD)).await;
    assert_eq!(client.puback().await, (8, NotAuthorized));
    assert_eq!((rig.refused("topic"), rig.refused("payload")), (3, 3));
    assert_eq!(rig.journaled().len(), 2);
    let counters = &rig.context.sources.counters;
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    let booked = load(&counters.messages_journaled) + counters.rejected_sum();
    assert_eq!((load(&counters.messages_received), booked), (8, 8));
}

#[tokio::test]
async fn what_version_5_forbids_ends_the_link_with_its_code() {
    use v5::DisconnectReasonCode as Code;
    let rig = Rig::with(|config, _| config.mqtt.in_flight_max = 2).await;
    let qos_2 = {
        let mut bytes = publish_v5(1, UP, GOOD);
        bytes[0] = 0x34;
        bytes
    };
    let retained = {
        let mut bytes = publish_v5(1, UP, GOOD);
        bytes[0] |= 1;
        bytes
    };
    let alias = {
        let properties = v5::PublishProperties { topic_alias: Some(1), ..Default::default() };
        let mut publish = v5::Publish::new(UP, five::QoS::AtLeastOnce, GOOD, Some(properties));
        publish.pkid = 1;
        let mut bytes = BytesMut::new();
        publish.write(&mut bytes).unwrap();
        bytes
    };
    let many = [1, 2, 3].map(|pkid| publish_v5(pkid, UP, GOOD)).concat();
    for (bytes, code) in [
        (qos_2.as_ref(), Code::QoSNotSupported),
        (retained.as_ref(), Code::RetainNotSupported),
        (alias.as_ref(), Code::TopicAliasInvalid),
        (many.as_slice(), Code::ReceiveMaximumExceeded),
        (publish_v5(1, UP, &[b' '; 5_000]).as_ref(), Code::PacketTooLarge),
        // Only the announcement of a packet of 256 MiB.
        ([0x30, 0xff, 0xff, 0xff, 0x7f].as_slice(), Code::PacketTooLarge),
        (connect_v5("b", "car-7", &rig.secret).as_ref(), Code::ProtocolError),
        // A length of five bytes, a wrong flag, a packet id of 0, properties that end behind the packet.
        ([0x32, 0xff, 0xff, 0xff, 0xff, 1].as_slice(), Code::MalformedPacket),
        ([0x80, 2, 0, 1].as_slice(), Code::MalformedPacket),
        ([0x32, 6, 0, 1, b'a', 0, 0, 0].as_slice(), Code::MalformedPacket),
        ([0x32, 6, 0, 1, b'a', 0, 1, 9].as_slice(), Code::MalformedPacket),
        // PUBREL and AUTH have no place here.
        ([0x62, 2, 0, 1].as_slice(), Code::ProtocolError),
    ] {
        let mut client = rig.v5("a").await;
        client.send(bytes).await;
        assert_eq!(client.ended().await, code, "{bytes:02x?}");
        assert_eq!(client.v5().await, None);
    }
    // The next link of the device works.
    let mut client = rig.v5("a").await;
    client.send(&[0xc0, 0]).await;
    assert!(matches!(client.v5().await, Some(v5::Packet::PingResp(_))));
}

#[tokio::test]
async fn what_version_3_1_1_forbids_closes_the_link() {
    let rig = Rig::new().await;
    let qos_2 = {
        let mut bytes = publish_v4(1, UP, GOOD);
        bytes[0] = 0x34;
        bytes
    };
    for bytes in [
        qos_2.as_ref(),
        publish_v4(1, "motorpool/013912345678/up", GOOD).as_ref(),
        publish_v4(1, UP, b"{").as_ref(),
        publish_v4(1, UP, &[b' '; 5_000]).as_ref(),
        [0x30, 2, 0, 9].as_slice(),
        [0xf0, 0].as_slice(),
    ] {
        let mut client = rig.v4("a").await;
        client.send(bytes).await;
        assert_eq!(client.v4().await, None, "{bytes:02x?}");
    }
    assert_eq!(rig.journaled(), []);
    // Nothing before CONNECT, and nothing that is no MQTT.
    for bytes in [[0xc0, 0].as_slice(), b"GET / HTTP/1.1\r\n\r\n", &[0x10, 2, 0, 0]] {
        let mut client = rig.socket().await;
        client.send(bytes).await;
        assert_eq!(client.packet().await.is_some(), bytes[0] == 0x10, "{bytes:02x?}");
    }
}

#[tokio::test]
async fn only_who_proves_it_is_let_in_and_strangers_are_noted() {
    use v5::ConnectReturnCode as Code;
    let rig = Rig::new().await;
    for (user, secret, code, old) in [
        ("car-7", "wrong", Code::BadUserNamePassword, v4::ConnectReturnCode::BadUserNamePassword),
        ("car-7", "", Code::BadUserNamePassword, v4::ConnectReturnCode::BadUserNamePassword),
        // It is known, and nobody ever made it a secret.
        ("013912345678", "x", Code::BadUserNamePassword, v4::ConnectReturnCode::BadUserNamePassword),
        ("car-8", &rig.secret, Code::NotAuthorized, v4::ConnectReturnCode::NotAuthorized),
        ("车", &rig.secret, Code::NotAuthorized, v4::ConnectReturnCode::NotAuthorized),
    ] {
        let mut client = rig.socket().await;
        client.send(&connect_v5("a", user, secret)).await;
        let Some(v5::Packet::ConnAck(ack)) = client.v5().await else { panic!() };
        assert_eq!(ack.code, code, "{user}");
        assert_eq!(client.v5().await, None);
        let mut client = rig.socket().await;
        client.send(&connect_v4("a", user, secret)).await;
        assert_eq!(client.v4().await, Some(v4::Packet::ConnAck(v4::ConnAck::new(old, false))), "{user}");
    }
    let registry = &rig.context.sources.registry;
    registry.set_state(&[rig.device], DeviceState::Blocked, "test", UtcMillis(0)).await.unwrap();
    let mut client = rig.socket().await;
    client.send(&connect_v5("a", "car-7", &rig.secret)).await;
    let Some(v5::Packet::ConnAck(ack)) = client.v5().await else { panic!() };
    assert_ne!(ack.code, Code::Success);

    let stop = CancellationToken::new();
    let upkeep = tokio::spawn({
        let (registry, stop) = (Arc::clone(registry), stop.clone());
        async move { registry.run(stop).await }
    });
    let filter = QuarantineFilter { after: None, limit: 10 };
    let noted = loop {
        let rows = registry.quarantine(&filter).await.unwrap();
        if !rows.is_empty() {
            break rows;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((noted.len(), noted[0].terminal.as_str(), noted[0].protocol.as_str()), (1, "car-8", "json"));
    stop.cancel();
    upkeep.await.unwrap();
}

#[tokio::test]
async fn a_second_link_takes_the_first_over() {
    let rig = Rig::new().await;
    let mut first = rig.v5("a").await;
    let mut second = rig.v5("a").await;
    assert_eq!(first.ended().await, v5::DisconnectReasonCode::SessionTakenOver);
    let _third = rig.v4("another").await;
    assert_eq!(second.ended().await, v5::DisconnectReasonCode::SessionTakenOver);
    assert_eq!(rig.context.downlinks.len(), 1);
    let mut third = rig.v5("b").await;
    rig.stop.cancel();
    assert_eq!(third.ended().await, v5::DisconnectReasonCode::ServerShuttingDown);
}

#[tokio::test]
async fn a_device_hears_only_its_own_topic() {
    let rig = Rig::new().await;
    assert!(!rig.tell(1, Command::AskPosition), "it is not here");
    let mut client = rig.v5("a").await;
    assert!(!rig.tell(1, Command::AskPosition), "it does not listen");
    use v5::SubscribeReasonCode::{NotAuthorized, Success};
    let paths = [DOWN, "#", "motorpool/+/down", "motorpool/013912345678/down"];
    let granted = client.subscribe(&paths).await;
    assert_eq!(granted, [Success(five::QoS::AtLeastOnce), NotAuthorized, NotAuthorized, NotAuthorized]);
    assert!(rig.tell(1, Command::AskPosition));
    let heard = client.command().await;
    assert_eq!(heard.payload.as_ref(), br#"{"id":1,"command":"ask_position"}"#);
}

#[tokio::test]
async fn what_a_device_answers_to_a_command_is_told_when_the_report_is_durable() {
    let mut rig = Rig::new().await;
    let mut client = rig.v5("a").await;
    client.subscribe(&[DOWN]).await;
    assert!(rig.tell(17, Command::Interval { seconds: 10, valid_for_s: 600 }));
    let heard = client.command().await;
    assert_eq!(heard.payload.as_ref(), br#"{"id":17,"command":"interval","seconds":10,"valid_for_s":600}"#);
    // That it arrived says nothing of what was done with it; nor does an answer to something else, which may be of another link.
    client.acknowledge(heard.pkid, v5::PubAckReason::Success).await;
    for (pkid, id) in [(1, 16), (2, 17)] {
        let report = format!(r#"{{"time":1775030400,"answer":{{"id":{id},"result":"not_supported"}}}}"#);
        client.send(&publish_v5(pkid, UP, report.as_bytes())).await;
        assert_eq!(client.puback().await, (pkid, v5::PubAckReason::Success));
    }
    let (device, result) = (rig.device, CommandResult::NotSupported);
    assert_eq!(rig.news().await, PostNews::AnsweredElsewhere { device, id: 16, result });
    assert_eq!(rig.news().await, PostNews::Answered { id: 17, result });

    assert!(rig.tell(18, Command::AskPosition));
    let heard = client.command().await;
    client.acknowledge(heard.pkid, v5::PubAckReason::ImplementationSpecificError).await;
    assert_eq!(rig.news().await, PostNews::Answered { id: 18, result: CommandResult::Failed });
}

#[tokio::test]
async fn what_was_asked_on_one_link_is_answered_on_the_next() {
    let mut rig = Rig::new().await;
    let mut client = rig.v5("a").await;
    client.subscribe(&[DOWN]).await;
    assert!(rig.tell(17, Command::AskPosition));
    client.command().await;
    drop(client);
    assert_eq!(rig.news().await, PostNews::Lost { id: 17 });
    let mut client = rig.v5("a").await;
    let answer = |id: u32| format!(r#"{{"time":1775030400,"answer":{{"id":{id},"result":"done"}}}}"#);
    // Numbers that a device makes up are passed on only so often.
    for pkid in 1..=100 {
        client.send(&publish_v5(pkid, UP, answer(u32::from(pkid) + 16).as_bytes())).await;
        assert_eq!(client.puback().await, (pkid, v5::PubAckReason::Success));
    }
    let (device, result) = (rig.device, CommandResult::Done);
    for id in 17..17 + 64 {
        assert_eq!(rig.news().await, PostNews::AnsweredElsewhere { device, id, result });
    }
    client.subscribe(&[DOWN]).await;
    assert!(rig.tell(500, Command::AskPosition));
    client.command().await;
    client.send(&publish_v5(101, UP, answer(500).as_bytes())).await;
    assert_eq!(rig.news().await, PostNews::Answered { id: 500, result });
}

#[tokio::test]
async fn of_what_is_open_when_the_link_ends_nobody_knows_and_too_much_at_once_is_not_sent() {
    let mut rig = Rig::new().await;
    let mut client = rig.v5("a").await;
    client.subscribe(&[DOWN]).await;
    for id in 0..17 {
        assert!(rig.tell(id, Command::AskPosition));
    }
    assert_eq!(rig.news().await, PostNews::Returned { id: 16 }, "sixteen may be open");
    drop(client);
    for id in 0..16 {
        assert_eq!(rig.news().await, PostNews::Lost { id });
    }
    assert!(!rig.tell(20, Command::AskPosition));
}

#[tokio::test]
async fn frames_of_another_protocol_are_taken_whole_and_only_of_the_device_itself() {
    use motorpool_protocols::jt808::{Header, Version, encode_message};
    let rig = Rig::new().await;
    let registry = &rig.context.sources.registry;
    let other = registry.snapshot().find_over_mqtt(&TerminalId::new("013912345678").unwrap()).unwrap().id;
    let secret = registry.make_mqtt_secret(other, "test", UtcMillis(0)).await.unwrap();
    let frame = |terminal: &str| {
        let mut raw = Vec::new();
        let terminal = TerminalId::new(terminal).unwrap();
        encode_message(&Header::new(0x0002, Version::V2013, terminal, 7), &[], &mut raw).unwrap();
        raw
    };
    let own = frame("013912345678");
    let mut client = rig.socket().await;
    client.send(&connect_v5("a", "013912345678", &secret)).await;
    assert!(
        matches!(client.v5().await, Some(v5::Packet::ConnAck(ack)) if ack.code == v5::ConnectReturnCode::Success)
    );
    let topic = "motorpool/013912345678/raw/jt808";
    let two = [own.clone(), own.clone()].concat();
    let cut = own.get(..own.len() - 1).unwrap();
    let foreign = [own.clone(), frame("013900000001")].concat();
    use v5::PubAckReason::{PayloadFormatInvalid, Success};
    for (pkid, payload, reason) in [
        (1, own.as_slice(), Success),
        (2, two.as_slice(), Success),
        (3, cut, PayloadFormatInvalid),
        (4, foreign.as_slice(), PayloadFormatInvalid),
        (5, b"".as_slice(), PayloadFormatInvalid),
    ] {
        client.send(&publish_v5(pkid, topic, payload)).await;
        assert_eq!(client.puback().await, (pkid, reason));
    }
    let counters = &rig.context.sources.counters;
    let journaled = counters.messages_journaled.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((journaled, counters.rejected_sum()), (3, 3));
}

#[tokio::test]
async fn a_certificate_logs_a_device_in_by_its_common_name() {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, ServerName};

    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let issued = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        (certificate, key)
    };
    let (server, server_key) = issued("server");
    let rig = Rig::with(|config, folder| {
        let write = |name: &str, text: String| {
            std::fs::write(folder.join(name), text).unwrap();
            folder.join(name)
        };
        config.mqtt.tls_listen = config.mqtt.listen;
        config.mqtt.tls_cert = write("server.pem", server.pem());
        config.mqtt.tls_key = write("server.key", server_key.serialize_pem());
        config.mqtt.tls_client_ca = write("ca.pem", authority_certificate.pem());
    })
    .await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority_certificate.der().clone()).unwrap();
    let roots = Arc::new(roots);
    let private = async |named: Option<&str>| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&roots));
        let config = match named.map(issued) {
            Some((certificate, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let socket = TcpStream::connect(rig.tls_address.unwrap()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let socket = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        Client { socket, input: BytesMut::new() }
    };
    let nameless = |client_id: &str| {
        let mut bytes = BytesMut::new();
        v4::Connect::new(client_id).write(&mut bytes).unwrap();
        bytes
    };
    use v4::ConnectReturnCode::{BadUserNamePassword, NotAuthorized, Success};
    for (named, connect, code) in [
        (Some("car-7"), nameless("x"), Success),
        (Some("car-7"), connect_v4("x", "car-7", "whatever"), Success),
        (Some("car-7"), connect_v4("x", "013912345678", ""), BadUserNamePassword),
        (Some("car-9"), nameless("car-7"), NotAuthorized),
        (None, nameless("car-7"), BadUserNamePassword),
        (None, connect_v4("x", "car-7", &rig.secret), Success),
    ] {
        let mut client = private(named).await;
        client.send(&connect).await;
        let answer = client.v4().await;
        assert_eq!(answer, Some(v4::Packet::ConnAck(v4::ConnAck::new(code, false))), "{named:?}");
        if code == Success {
            client.send(&publish_v4(3, UP, GOOD)).await;
            assert_eq!(client.v4().await, Some(v4::Packet::PubAck(v4::PubAck::new(3))));
        }
    }
}
