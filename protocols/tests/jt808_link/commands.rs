//! Commands down one link, and what the terminal says to them.

use motorpool_protocols::command::{AreaKind, AreaRules, Polygon, Position};
use motorpool_protocols::jt808::bcd;
use motorpool_protocols::{Command, CommandError, CommandKey, CommandResult, Confirmed, Outbox, Session};

use super::{Link, NOW, OneTerminal, header, id, message, ours, packet, position};
use motorpool_protocols::SessionLimits;
use motorpool_protocols::jt808::{Header, encode_frame};

/// Sends a command and says under which key and serial.
fn sent(link: &mut Link, command: &Command) -> (CommandKey, [u8; 2]) {
    link.out.clear();
    let key = link.session.command(&id("13812345678"), command, &mut link.out).expect("it is admitted");
    let written = ours(&link.out.immediate);
    assert!(!written.is_empty() && link.out.replies.is_empty());
    (key, u16::try_from(key.0 & 0xffff).expect("the low half").to_be_bytes())
}

fn confirmed(key: CommandKey, result: CommandResult) -> Vec<Confirmed> {
    vec![Confirmed { device: 7, key, result }]
}

fn general([s0, s1]: [u8; 2], message_id: u16, result: u8) -> Vec<u8> {
    let [m0, m1] = message_id.to_be_bytes();
    message(0x0001, 9, &[s0, s1, m0, m1, result])
}

const INTERVAL: Command = Command::Interval { seconds: 10, valid_for_s: 600 };

#[test]
fn a_command_is_confirmed_by_its_serial() {
    let mut link = Link::logged_in();
    let (first, first_serial) = sent(&mut link, &INTERVAL);
    let (second, second_serial) = sent(&mut link, &INTERVAL);
    assert_ne!(first, second);
    assert_eq!(
        link.only(&general(second_serial, 0x8202, 1)).confirmed,
        confirmed(second, CommandResult::Failed)
    );
    assert_eq!(link.only(&general(first_serial, 0x8202, 0)).confirmed, confirmed(first, CommandResult::Done));
    // Stored like every message, not answered, and confirmed only once.
    let again = link.only(&general(first_serial, 0x8202, 0));
    assert_eq!((again.confirmed.len(), again.messages.len(), again.replies.len()), (0, 1, 0));
}

#[test]
fn results_have_their_meaning() {
    for (result, meaning) in
        [(2, CommandResult::BadMessage), (3, CommandResult::NotSupported), (5, CommandResult::Other(5))]
    {
        let mut link = Link::logged_in();
        let (key, serial) = sent(&mut link, &INTERVAL);
        assert_eq!(link.only(&general(serial, 0x8202, result)).confirmed, confirmed(key, meaning));
    }
    let mut link = Link::logged_in();
    let (_, serial) = sent(&mut link, &INTERVAL);
    assert_eq!(link.only(&general(serial, 0x8300, 0)).confirmed, [], "an answer to another message");
    assert_eq!(link.only(&message(0x0001, 9, &[serial[0]])).confirmed, [], "an answer cut short");
}

#[test]
fn a_query_is_answered_by_its_data() {
    let mut link = Link::logged_in();
    let (where_is_it, s) = sent(&mut link, &Command::AskPosition);
    assert_eq!(link.only(&general(s, 0x8201, 0)).confirmed, [], "it arrived, no more");
    let reply = message(0x0201, 10, &[&s[..], &position()].concat());
    let out = link.only(&reply);
    assert_eq!(out.confirmed, confirmed(where_is_it, CommandResult::Done));

    let (parameters, s) = sent(&mut link, &Command::QueryParameters { ids: vec![] });
    let reply = message(0x0104, 11, &[&s[..], &[1, 0, 0, 0, 1, 4, 0, 0, 0, 30]].concat());
    assert_eq!(link.only(&reply).confirmed, confirmed(parameters, CommandResult::Done));

    let (some, s) = sent(&mut link, &Command::QueryParameters { ids: vec![1] });
    assert_eq!(link.only(&general(s, 0x8106, 3)).confirmed, confirmed(some, CommandResult::NotSupported));

    let (attributes, _) = sent(&mut link, &Command::QueryAttributes);
    assert_eq!(
        link.only(&message(0x0107, 12, &[0; 56])).confirmed,
        confirmed(attributes, CommandResult::Done)
    );
    assert_eq!(link.only(&message(0x0107, 13, &[0; 56])).confirmed, []);
}

#[test]
fn an_answer_in_packets_confirms_when_it_is_whole() {
    let mut link = Link::logged_in();
    let (key, s) = sent(&mut link, &Command::QueryParameters { ids: vec![] });
    assert_eq!(link.only(&packet(0x0104, 20, 2, 1, &[s[0], s[1], 1, 0, 0])).confirmed, []);
    let out = link.only(&packet(0x0104, 20, 2, 2, &[0, 1, 4, 0, 0, 0, 30]));
    assert_eq!(out.confirmed, confirmed(key, CommandResult::Done));
}

fn long_polygon() -> Command {
    let vertices = vec![Position { lat_e7: 399_000_000, lon_e7: 1_164_000_000 }; 300];
    Command::SetPolygon { polygon: Polygon { rules: AreaRules::default(), vertices } }
}

#[test]
fn a_long_command_goes_out_in_packets_and_any_serial_of_them_answers_it() {
    for step in 0..3_u16 {
        let mut link = Link::logged_in();
        let (key, serial) = sent(&mut link, &long_polygon());
        let packets = ours(&link.out.immediate);
        assert_eq!(packets.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0x8604; 3]);
        let answered = (u16::from_be_bytes(serial) + step).to_be_bytes();
        assert_eq!(link.only(&general(answered, 0x8604, 0)).confirmed, confirmed(key, CommandResult::Done));
    }
}

#[test]
fn a_terminal_that_is_not_here_is_sent_nothing() {
    let mut link = Link::new(OneTerminal::default());
    let not_yet = link.session.command(&id("13812345678"), &INTERVAL, &mut link.out);
    assert_eq!(not_yet, Err(CommandError::NotHere));
    let mut link = Link::logged_in();
    assert_eq!(link.session.command(&id("2"), &INTERVAL, &mut link.out), Err(CommandError::NotHere));
    let query = Command::QueryAreas { kind: AreaKind::Circle, ids: vec![] };
    assert_eq!(
        link.session.command(&id("13812345678"), &query, &mut link.out),
        Err(CommandError::NotSupported)
    );
    assert!(link.out.immediate.is_empty());
}

#[test]
fn a_terminal_of_2019_is_written_to_in_its_edition() {
    let mut link = Link::new(OneTerminal::default());
    let frame = |message_id: u16, body: &[u8]| {
        let header = Header { version: super::V2019, ..header(message_id, 1) };
        let mut out = Vec::new();
        encode_frame(&header, body, &mut out);
        out
    };
    link.receive(&frame(0x0102, &[&[6], b"secret".as_slice(), &[b'0'; 35]].concat())).expect("no error");
    let (key, _) = sent(&mut link, &Command::QueryAreas { kind: AreaKind::Circle, ids: vec![] });
    assert_eq!(ours(&link.out.immediate), [(0x8608, vec![1, 0, 0, 0, 0])]);
    let reply = frame(0x0608, &[1, 0, 0, 0, 0]);
    assert_eq!(link.only(&reply).confirmed, confirmed(key, CommandResult::Done));
    let text = Command::Text { text: "停".to_owned(), urgent: true, display: true, speak: false };
    sent(&mut link, &text);
    assert_eq!(bcd::digits(&ours(&link.out.immediate)[0].1), "0601cda3");
}

#[test]
fn the_oldest_of_too_many_is_forgotten() {
    let mut link = Link::logged_in_with(OneTerminal::default(), SessionLimits::default());
    let all: Vec<_> = (0..65).map(|_| sent(&mut link, &INTERVAL)).collect();
    assert_eq!(link.only(&general(all[0].1, 0x8202, 0)).confirmed, []);
    assert_eq!(link.only(&general(all[1].1, 0x8202, 0)).confirmed, confirmed(all[1].0, CommandResult::Done));
}

#[test]
fn a_terminal_that_left_confirms_nothing() {
    let mut link = Link::logged_in();
    let (_, serial) = sent(&mut link, &INTERVAL);
    link.receive(&message(0x0003, 2, &[])).expect("no error");
    link.receive(&message(0x0102, 3, b"secret")).expect("no error");
    assert_eq!(link.only(&general(serial, 0x8202, 0)).confirmed, []);
    let mut out = Outbox::default();
    link.session.handle_timeout(NOW, &mut out);
    assert!(out.confirmed.is_empty());
}
