use proptest::prelude::*;
use serde_json::json;

use super::frame::crc;
use super::message::link::{LogIn, PositionCount, SubLogIn};
use super::message::vehicle::{Position, Position2011, Position2019, PositionBatch, PositionView};
use super::message::{Business, Content, Link, Text};
use super::observe::push_position;
use super::superior::{SubAddress, SubLinkError, SuperiorSettings};
use super::*;
use crate::framed::Cut;
use crate::{
    Admission, Fix, Gate, Observation, Observations, OpenGate, Outbox, Profile, Protocol, Quality, Refusal,
    Registration, RegistrationVerdict, RejectReason, Status, TerminalId, UtcMillis,
};

const NOW: UtcMillis = UtcMillis(1_780_000_000_000);
const CIPHER: Cipher = Cipher { modulus: 12_345_678, factor: 87_654_321, addend: 13_579 };

fn header(edition: Edition) -> Header {
    let time_s = (edition == Edition::E2019).then_some(1_780_000_000);
    Header { serial: 7, access_code: 5_002, version: [1, 2, 15], time_s, ..Header::default() }
}

fn framed(edition: Edition, message: &Message) -> Vec<u8> {
    let (mut body, mut raw) = (Vec::new(), Vec::new());
    message.encode(edition, &mut body).unwrap();
    let header = Header { message_id: message.message_id(), ..header(edition) };
    encode_frame(&header, &body, None, &mut raw);
    raw
}

fn log_in(edition: Edition) -> Message {
    Message::Link(Link::LogIn(LogIn {
        user: 42,
        password: Text::from("secret"),
        access_code: (edition == Edition::E2019).then_some(5_002),
        sub_address: Text::from("192.0.2.1"),
        sub_port: 8_809,
    }))
}

fn car() -> Vehicle {
    Vehicle::new("粤A00001", 1)
}

fn place(seconds: i64) -> Fix {
    let mut fix = Fix::new(UtcMillis(1_780_000_000_000 + seconds * 1_000), 231_291_000, 1_132_644_000);
    fix.status = Status::IGNITION.with(Status::POSITIONED);
    fix.speed_dkmh = Some(520);
    fix.vehicle_speed_dkmh = Some(510);
    fix.odometer_m = Some(12_345_000);
    fix.course_deg = Some(90);
    fix.altitude_m = Some(-3);
    fix
}

fn position(edition: Edition, seconds: i64) -> Position {
    match edition {
        Edition::E2011 => Position::E2011(Position2011::of(&place(seconds), 28_800)),
        Edition::E2019 => {
            let mut location = Vec::new();
            crate::jt808::encode_location(
                &place(seconds),
                &[0x2b, 4, 0, 0, 0, 9],
                &Profile::default(),
                &mut location,
            );
            Position::E2019(Position2019 { location, ..Position2019::default() })
        }
    }
}

fn about(content: Content) -> Message {
    Message::Business(Box::new(Business::about(car(), content)))
}

fn live(edition: Edition) -> Message {
    about(Content::Position(position(edition, 0)))
}

fn late(edition: Edition) -> Message {
    let positions = (0..3).map(|seconds| position(edition, seconds)).collect();
    about(Content::PositionBatch(PositionBatch { positions }))
}

fn seen(raw: &[u8]) -> Observations {
    let mut out = Observations::default();
    observe(raw, &Profile::default(), &mut out).unwrap();
    out
}

#[derive(Default)]
struct Doorman {
    refuses: Option<(&'static str, Refusal)>,
    asked: Vec<(String, Option<Vec<u8>>)>,
}

impl Gate for Doorman {
    fn register(&mut self, _terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::NoSuchTerminal
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, code: Option<&[u8]>) -> Admission {
        self.asked.push((terminal.to_string(), code.map(<[u8]>::to_vec)));
        match self.refuses {
            Some((name, refusal)) if name == terminal.as_str() => Admission::Refused(refusal),
            _ => {
                let device = u32::try_from(self.asked.len()).unwrap();
                Admission::Admitted { device, profile: Profile::default().into() }
            }
        }
    }
}

/// The messages in some bytes.
fn messages(mut bytes: &[u8]) -> Vec<Message> {
    let mut all = Vec::new();
    while let Cut::Frame(len) = frame::cut(bytes) {
        let frame = Frame::parse(&bytes[..len]).unwrap();
        assert!(frame.check_is_right);
        let body = frame.clear_body(Some(&CIPHER)).unwrap();
        all.push(Message::decode(frame.header.message_id, frame.header.edition(), &body).unwrap().0);
        bytes = &bytes[len..];
        if bytes.is_empty() {
            break;
        }
    }
    all
}

#[test]
fn the_checksum_has_its_published_check_value() {
    assert_eq!(crc(b"123456789"), 0x29b1);
}

#[test]
fn a_frame_is_written_as_the_standard_says() {
    let header = Header {
        serial: 0x5b,
        message_id: 0x1005,
        access_code: 0x5d,
        version: [0x5a, 0x5e, 0],
        ..Header::default()
    };
    let mut raw = Vec::new();
    encode_frame(&header, &[], None, &mut raw);
    let front = [
        0x5b, 0, 0, 0, 0x1a, 0, 0, 0, 0x5a, 1, 0x10, 5, 0, 0, 0, 0x5e, 1, 0x5a, 2, 0x5e, 2, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(raw[..front.len()], front);
    let frame = Frame::parse(&raw).unwrap();
    assert!(frame.check_is_right && frame.body().is_empty());
    assert_eq!(frame.header, header);
}

#[test]
fn the_edition_is_told_by_the_time_behind_the_key() {
    for edition in [Edition::E2011, Edition::E2019] {
        for message in [log_in(edition), live(edition), Message::Link(Link::KeepAlive)] {
            assert_eq!(Frame::parse(&framed(edition, &message)).unwrap().header.edition(), edition);
        }
        let none = PositionCount::default();
        let frame = framed(edition, &Message::Link(Link::PositionsReceived(none)));
        assert_eq!(Frame::parse(&frame).unwrap().header.edition(), edition);
    }
}

#[test]
fn the_cipher_undoes_itself_and_needs_its_numbers() {
    let mut body = Vec::new();
    live(Edition::E2011).encode(Edition::E2011, &mut body).unwrap();
    let header = Header { message_id: 0x1200, key: Some(99), ..header(Edition::E2011) };
    let mut raw = Vec::new();
    encode_frame(&header, &body, Some(&CIPHER), &mut raw);
    let frame = Frame::parse(&raw).unwrap();
    assert_ne!(frame.body(), body);
    assert_eq!(frame.clear_body(Some(&CIPHER)), Some(body.into()));
    assert_eq!(frame.clear_body(None), None);
    assert_eq!(seen(&raw).other, [Observation::Other { message_id: 0x1200 }]);
    assert_eq!(describe(&raw, &Profile::default()).unwrap().name, "encrypted");
    let profile = Profile { cipher: Some(CIPHER), ..Profile::default() };
    let found = describe(&raw, &profile).unwrap();
    assert_eq!((found.name, found.observations.fixes.len()), ("position", 1));
}

#[test]
fn positions_of_both_editions_are_fixes() {
    for edition in [Edition::E2011, Edition::E2019] {
        let fix = seen(&framed(edition, &live(edition))).fixes[0];
        let wanted = place(0);
        assert_eq!((fix.fix_time, fix.lat_e7, fix.lon_e7), (wanted.fix_time, wanted.lat_e7, wanted.lon_e7));
        assert_eq!((fix.speed_dkmh, fix.vehicle_speed_dkmh), (Some(520), Some(510)));
        assert_eq!((fix.odometer_m, fix.course_deg, fix.altitude_m), (Some(12_345_000), Some(90), Some(-3)));
        assert_eq!((fix.status, fix.quality, fix.extra.len), (wanted.status, Quality(0), 0));
        let late = seen(&framed(edition, &late(edition))).fixes;
        assert_eq!(late.len(), 3);
        assert!(late.iter().all(|fix| fix.quality.contains(Quality::BACKFILL)));
    }
}

#[test]
fn a_description_names_the_vehicle_and_every_field() {
    let found = describe(&framed(Edition::E2019, &live(Edition::E2019)), &Profile::default()).unwrap();
    assert_eq!((found.version, found.message.as_str(), found.name), ("2019", "0x1202", "position"));
    assert_eq!((found.terminal, found.serial), (TerminalId::new("44A00001-1"), Some(7)));
    assert_eq!((&found.body["plate"], &found.body["plate_colour"]), (&json!("粤A00001"), &json!(1)));
    assert_eq!(found.body["access_code"], 5_002);
    assert_eq!(found.attributes[0].keys().collect::<Vec<_>>(), ["analog"]);
    let found = describe(&framed(Edition::E2011, &log_in(Edition::E2011)), &Profile::default()).unwrap();
    assert_eq!((found.terminal, found.name), (TerminalId::new("platform-5002"), "main_log_in"));
    assert_eq!((&found.body["password"], &found.body["sub_port"]), (&json!("***"), &json!(8_809)));
}

#[test]
fn a_field_of_one_edition_must_be_given_in_it_and_is_left_out_of_the_other() {
    let message = log_in(Edition::E2011);
    let mut out = vec![1];
    assert!(message.encode(Edition::E2019, &mut out).is_err());
    assert_eq!(out, [1]);
    assert_eq!(message.to_json().get("access_code"), None);
    assert!(live(Edition::E2011).encode(Edition::E2019, &mut out).is_err());
}

#[test]
fn a_short_model_of_the_first_print_is_read() {
    let body =
        [&b"12345678901"[..], b"maker\0\0\0\0\0\0", b"model\0\0\0", b"term001", b"013800000000"].concat();
    let (content, rest) = Content::decode(0x1201, Edition::E2011, &body).unwrap();
    assert!(rest.is_empty());
    assert_eq!(content.to_json()["model"], "model");
    assert_eq!(content.to_json()["terminal_id"], "term001");
    let mut again = Vec::new();
    content.encode(Edition::E2011, &mut again).unwrap();
    assert_eq!(again, body);
}

#[test]
fn a_platform_logs_in_and_its_vehicles_are_admitted_by_their_plates() {
    for edition in [Edition::E2011, Edition::E2019] {
        let settings =
            SuperiorSettings { verify_code: Some(0xabcd), count_every: 4, ..SuperiorSettings::default() };
        let mut link = Superior::new(settings, SessionLimits::default());
        let (mut gate, mut out) = (Doorman::default(), Outbox::default());
        let stream = [log_in(edition), live(edition), Message::Link(Link::KeepAlive), late(edition)];
        let bytes: Vec<u8> = stream.iter().flat_map(|message| framed(edition, message)).collect();
        assert_eq!(link.receive(NOW, &bytes, &mut gate, &mut out).unwrap(), bytes.len());
        assert_eq!(out.raw, bytes);
        let wanted =
            [("platform-5002".to_owned(), Some(b"42:secret".to_vec())), ("44A00001-1".to_owned(), None)];
        assert_eq!(gate.asked, wanted);
        assert_eq!(out.messages.iter().map(|message| message.device).collect::<Vec<_>>(), [1, 2, 1, 2]);
        let replies = messages(&out.replies);
        assert_eq!(replies[0].to_json(), json!({"result": 0, "verify_code": 0xabcd}));
        assert_eq!(replies[1], Message::Link(Link::KeepAliveReply));
        assert_eq!(replies[2].to_json()["count"], 1);
        assert_eq!(replies.len(), 3, "three positions wait for a fourth");
        let address = SubAddress { host: "192.0.2.1".to_owned(), port: 8_809 };
        assert_eq!(link.sub_link(), Some(&address));
        assert_eq!(link.edition(), Some(edition));
    }
}

#[test]
fn counts_go_over_the_sub_link_while_it_is_up() {
    let settings = SuperiorSettings { verify_code: Some(5), count_every: 3, ..SuperiorSettings::default() };
    let mut link = Superior::new(settings, SessionLimits::default());
    let (mut gate, mut out, mut sub) = (OpenGate::default(), Outbox::default(), Vec::new());
    let edition = Edition::E2011;
    link.receive(NOW, &framed(edition, &log_in(edition)), &mut gate, &mut out).unwrap();
    link.sub_opened(NOW, &mut sub);
    assert_eq!(messages(&sub), [Message::Link(Link::SubLogIn(SubLogIn { verify_code: 5 }))]);
    sub.clear();
    let up = framed(edition, &Message::Link(Link::SubLogInReply(message::link::Outcome { result: 0 })));
    assert_eq!(link.sub_received(NOW, &up, &mut sub), Ok(up.len()));
    out.clear();
    link.receive(NOW, &framed(edition, &late(edition)), &mut gate, &mut out).unwrap();
    assert!(out.replies.is_empty());
    assert_eq!(messages(&link.take_sub_replies())[0].to_json()["count"], 3);
    let due = link.sub_next_timeout().unwrap();
    link.sub_timeout(due, &mut sub);
    assert_eq!(messages(&sub), [Message::Link(Link::SubKeepAlive)]);
    let mut main = Vec::new();
    link.sub_closed(NOW, &mut main);
    assert_eq!(messages(&main)[0].id(), 0x9007);
    out.clear();
    link.receive(NOW, &framed(edition, &late(edition)), &mut gate, &mut out).unwrap();
    assert_eq!(messages(&out.replies)[0].to_json()["count"], 3);
    let no = framed(edition, &Message::Link(Link::SubLogInReply(message::link::Outcome { result: 1 })));
    assert_eq!(link.sub_received(NOW, &no, &mut sub), Err(SubLinkError::Refused(1)));
}

#[test]
fn a_refused_vehicle_is_not_counted_and_a_refused_platform_hears_why() {
    let edition = Edition::E2011;
    let mut link = Superior::new(
        SuperiorSettings { verify_code: Some(5), count_every: 1, ..SuperiorSettings::default() },
        SessionLimits::default(),
    );
    let mut gate = Doorman { refuses: Some(("44A00001-1", Refusal::Unknown)), ..Doorman::default() };
    let mut out = Outbox::default();
    let bytes = [framed(edition, &log_in(edition)), framed(edition, &live(edition))].concat();
    link.receive(NOW, &bytes, &mut gate, &mut out).unwrap();
    assert_eq!(messages(&out.replies).len(), 1);
    assert_eq!(out.rejected[0].reason, RejectReason::UnknownTerminal);
    let settings = SuperiorSettings { verify_code: Some(5), ..SuperiorSettings::default() };
    let mut link = Superior::new(settings, SessionLimits::default());
    let mut gate = Doorman { refuses: Some(("platform-5002", Refusal::WrongCode)), ..Doorman::default() };
    let mut out = Outbox::default();
    link.receive(NOW, &bytes, &mut gate, &mut out).unwrap();
    assert_eq!(messages(&out.immediate)[0].to_json()["result"], 4);
    assert!(out.messages.is_empty(), "no vehicle comes in behind a refused platform");
}

#[test]
fn nothing_is_taken_before_a_log_in_nor_with_another_access_code() {
    let edition = Edition::E2011;
    let settings = SuperiorSettings { verify_code: Some(5), ..SuperiorSettings::default() };
    let mut link = Superior::new(settings, SessionLimits::default());
    let (mut gate, mut out) = (Doorman::default(), Outbox::default());
    let other = {
        let mut body = Vec::new();
        live(edition).encode(edition, &mut body).unwrap();
        let mut header = Frame::parse(&framed(edition, &live(edition))).unwrap().header;
        header.access_code += 1;
        let mut raw = Vec::new();
        encode_frame(&header, &body, None, &mut raw);
        raw
    };
    let stream = [
        framed(edition, &live(edition)),
        framed(edition, &Message::Link(Link::KeepAlive)),
        framed(edition, &log_in(edition)),
        other,
        framed(edition, &live(edition)),
    ];
    link.receive(NOW, &stream.concat(), &mut gate, &mut out).unwrap();
    let reasons: Vec<_> = out.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!((out.messages.len(), reasons), (2, vec![RejectReason::NotAdmitted; 3]));
    assert_eq!(gate.asked.len(), 2);
}

#[test]
fn a_link_without_settings_refuses_log_ins_but_behind_an_open_gate() {
    let edition = Edition::E2011;
    let raw = framed(edition, &log_in(edition));
    let (mut gate, mut out) = (Doorman::default(), Outbox::default());
    session(Transport::Stream, SessionLimits::default()).receive(NOW, &raw, &mut gate, &mut out).unwrap();
    assert!(out.messages.is_empty() && out.replies.is_empty() && gate.asked.is_empty());
    assert_eq!(messages(&out.immediate)[0].to_json(), json!({"result": 5, "verify_code": 0}));
    let (mut gate, mut out) = (OpenGate::default(), Outbox::default());
    session(Transport::Stream, SessionLimits::default()).receive(NOW, &raw, &mut gate, &mut out).unwrap();
    assert_eq!(out.messages.len(), 1);
}

#[test]
fn an_order_to_a_vehicle_names_it() {
    let edition = Edition::E2011;
    let mut link = Superior::new(SuperiorSettings::default(), SessionLimits::default());
    let (mut gate, mut out) = (OpenGate::default(), Outbox::default());
    let bytes = [framed(edition, &log_in(edition)), framed(edition, &live(edition))].concat();
    link.receive(NOW, &bytes, &mut gate, &mut out).unwrap();
    out.clear();
    let mut body = Vec::new();
    let text = message::control::SendText { info: 9, priority: 1, content: Text::from("回来") };
    Content::SendText(text.clone()).encode(edition, &mut body).unwrap();
    let car_id = car().terminal().unwrap();
    assert_eq!(link.send(&car_id, 0x9503, &body, &mut out), Some(1));
    assert_eq!(messages(&out.immediate), [about(Content::SendText(text))]);
    assert_eq!(link.send(&TerminalId::new("44A99999-1").unwrap(), 0x9503, &body, &mut out), None);
}

proptest! {
    #[test]
    fn what_is_read_is_written(is_2019: bool, place in 0..Content::IDS.len() + Link::IDS.len(), bytes in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..400)) {
        let edition = if is_2019 { Edition::E2019 } else { Edition::E2011 };
        if let Some(id) = Content::IDS.get(place) {
            if let Ok((content, rest)) = Content::decode(*id, edition, &bytes) {
                prop_assert!(content.to_json().is_object());
                let mut again = Vec::new();
                content.encode(edition, &mut again).unwrap();
                again.extend_from_slice(rest);
                prop_assert_eq!(again, bytes);
            }
        } else if let Ok((link, rest)) = Link::decode(Link::IDS[place - Content::IDS.len()], edition, &bytes) {
            let mut again = Vec::new();
            link.encode(edition, &mut again).unwrap();
            again.extend_from_slice(rest);
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn frames_go_both_ways(body in prop::collection::vec(prop_oneof![Just(0x5b), Just(0x5a), Just(0x5d), Just(0x5e), any::<u8>()], 0..300), serial: u32, access_code: u32, key: Option<u32>) {
        let header = Header { serial, access_code, key, message_id: 0x1200, time_s: Some(1_780_000_000), ..Header::default() };
        let mut raw = Vec::new();
        encode_frame(&header, &body, Some(&CIPHER), &mut raw);
        prop_assert_eq!(frame::cut(&raw), Cut::Frame(raw.len()));
        let frame = Frame::parse(&raw).unwrap();
        prop_assert!(frame.check_is_right);
        prop_assert_eq!(frame.header, header);
        prop_assert_eq!(frame.clear_body(Some(&CIPHER)), Some(body.into()));
    }

    #[test]
    fn a_position_read_where_it_lies_is_the_one_in_the_message(
        is_2019: bool, is_named: bool, says_right: bool, sub_type in prop_oneof![Just(0x1202_u16), Just(0x1201)],
        content in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..120),
    ) {
        let edition = if is_2019 { Edition::E2019 } else { Edition::E2011 };
        let mut body = if is_named || !is_2019 { [b"A1".as_slice(), &[0; 20]].concat() } else { Vec::new() };
        body.extend_from_slice(&sub_type.to_be_bytes());
        body.extend_from_slice(&(content.len() as u32 + u32::from(!says_right)).to_be_bytes());
        body.extend_from_slice(&content);
        let seen = |position: Option<PositionView<'_>>| {
            let mut out = Observations::default();
            let pushed = position.map(|position| push_position(position, &Profile::default(), Quality(0), true, &mut out));
            (pushed, out.fixes, out.extra)
        };
        let whole = Message::decode(0x1200, edition, &body).map(|(message, _)| message);
        let whole = match &whole {
            Ok(Message::Business(business)) => match &business.content {
                Content::Position(position) => Ok(Some(position.into())),
                _ => Ok(None),
            },
            Ok(Message::Link(_)) => Ok(None),
            Err(error) => Err(*error),
        };
        match (Business::position(0x1200, edition, &body), whole) {
            (Ok(direct), Ok(whole)) => prop_assert_eq!(seen(direct), seen(whole)),
            // Another message is none here, whether it can be read or not.
            (direct, Err(_)) if sub_type != 0x1202 => prop_assert!(matches!(direct, Ok(None))),
            (direct, whole) => prop_assert_eq!(direct.err(), whole.err()),
        }
    }

    #[test]
    fn any_cut_gives_the_same(is_2019: bool, cuts in prop::collection::vec(0_usize..600, 0..8)) {
        let edition = if is_2019 { Edition::E2019 } else { Edition::E2011 };
        let stream: Vec<u8> = [log_in(edition), live(edition), late(edition), Message::Link(Link::KeepAlive)]
            .iter()
            .flat_map(|message| [framed(edition, message), b"noise".to_vec()].concat())
            .collect();
        let run = |ends: &[usize]| {
            let mut link = session(Transport::Stream, SessionLimits::default());
            let (mut all, mut held, mut at) = (Outbox::default(), Vec::new(), 0);
            for end in ends {
                held.extend_from_slice(&stream[at..*end]);
                at = *end;
                let mut out = Outbox::default();
                let used = link.receive(NOW, &held, &mut OpenGate::default(), &mut out).unwrap();
                held.drain(..used);
                all.raw.extend_from_slice(&out.raw);
                all.replies.extend_from_slice(&out.replies);
                all.messages.extend_from_slice(&out.messages);
            }
            (all.raw, all.replies, all.messages.len())
        };
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut % stream.len()).collect();
        ends.sort_unstable();
        ends.push(stream.len());
        let whole = run(&[stream.len()]);
        prop_assert_eq!(whole.2, 4);
        prop_assert_eq!(run(&ends), whole);
    }

    #[test]
    fn no_bytes_panic(is_2019: bool, bytes in prop::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let edition = if is_2019 { Edition::E2019 } else { Edition::E2011 };
        let lenient = Profile { lenient_checksum: true, ..Profile::default() };
        let mut golden = [framed(edition, &log_in(edition)), framed(edition, &late(edition))].concat();
        let at = flip.index(golden.len());
        golden[at] ^= 1 << bit;
        for raw in [&bytes, &golden] {
            let mut link = session(Transport::Stream, SessionLimits::default());
            let mut out = Outbox::default();
            let mut gate = OpenGate { profile: lenient.clone().into(), ..OpenGate::default() };
            prop_assert!(link.receive(NOW, raw, &mut gate, &mut out).unwrap() <= raw.len());
            let mut begin = 0;
            for message in &out.messages {
                let one = &out.raw[begin..message.end as usize];
                begin = message.end as usize;
                let _outcome = observe(one, &lenient, &mut Observations::default());
                drop(describe(one, &lenient));
            }
        }
        for id in Content::IDS.iter().chain(Link::IDS) {
            drop(Content::decode(*id, edition, &bytes));
            drop(Link::decode(*id, edition, &bytes));
            drop(Message::decode(*id & 0xff00, edition, &bytes));
        }
    }
}
