//! Commands to a vehicle and their answers.

use super::*;

#[test]
fn commands_go_down_in_the_edition_of_the_vehicle() {
    let terminal = TerminalId::new("LTEST00000000TEST").unwrap();
    let mut link = session(Transport::Stream, SessionLimits::default());
    let (mut gate, mut out) = (Doorman::default(), Outbox::default());
    assert_eq!(link.send(&terminal, 0x80, &[], &mut out), None);
    link.receive(NOW, &framed(Edition::E2025, 7, 0xfe, OPEN, &[]), &mut gate, &mut out).unwrap();
    out.clear();
    let mut body = Vec::new();
    let query = Query { time: TIME, numbers: List::of(vec![Scaled(1), Scaled(9)]) };
    Message::Query(query).encode(Edition::E2025, &mut body).unwrap();
    assert_eq!(link.send(&terminal, 0x80, &body, &mut out), Some(0x80));
    assert_eq!(out.immediate, framed(Edition::E2025, 0x80, 0xfe, OPEN, &[26, 3, 1, 8, 30, 15, 2, 1, 9]));
    assert_eq!(link.send(&terminal, 0x02, &body, &mut out), None);
}

#[test]
fn parameters_of_unknown_length_end_the_list() {
    let parameters = |edition| {
        let data = [&TIME.0[..], &[3, 0x04, 2, 0x05, b'a', b'b', 0x90, 1, 2, 3]].concat();
        let raw = framed(edition, 0x81, 0xfe, OPEN, &data);
        let (message, rest) = Message::decode(&Frame::parse(&raw).unwrap().0).unwrap();
        assert!(rest.is_empty());
        message
    };
    let Message::Parameters(found) = parameters(Edition::E2016) else { panic!("parameters") };
    assert_eq!(found.parameters[1], Parameter { number: 5, value: ParameterValue::Text(b"ab".to_vec()) });
    assert_eq!(found.rest, [0x90, 1, 2, 3]);
}

#[test]
fn an_upgrade_may_hold_semicolons_in_its_numbers() {
    let upgrade = Upgrade {
        access_point: b"net".to_vec(),
        address: vec![0, 0, 192, 168, 0x3b, 1],
        port: vec![0x3b, 0x3b],
        url: b"ftp://example.org/f".to_vec(),
        timeout: vec![0, 5],
        ..Upgrade::default()
    };
    let control = Message::Control(Control { time: TIME, order: Order::Upgrade(Box::new(upgrade)) });
    let raw = frame_of(Edition::E2016, command::CONTROL, &control);
    let (found, _) = Message::decode(&Frame::parse(&raw).unwrap().0).unwrap();
    assert_eq!(found, control);
    let body = describe(&raw, &Profile::default()).unwrap().body;
    assert_eq!((&body["address"], &body["port"]), (&json!("192.168.59.1"), &json!(0x3b3b)));
    assert_eq!((&body["order"], &body["user"]), (&json!("upgrade"), &json!("")));
}
