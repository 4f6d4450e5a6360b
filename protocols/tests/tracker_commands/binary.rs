//! Protocols in binary.

use motorpool_protocols::{eelink, gt06, ruptela, teltonika};

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits")).collect()
}

fn gt06_frame(number: u8, content: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    gt06::encode_frame(number, content, 9, &mut raw);
    raw
}

fn gt06_log_in(name: &str) -> Vec<u8> {
    let mut raw = Vec::new();
    assert!(gt06::encode_log_in(&id(name), 1, &mut raw));
    raw
}

/// Message 0x15: a text with the server flag of its command.
fn gt06_answer(flag: u32, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 4).expect("short");
    gt06_frame(0x15, &[&[length][..], &flag.to_be_bytes(), text.as_bytes(), &[0, 2]].concat())
}

#[test]
fn gt06_repeats_the_server_flag() {
    let mut link = Link::after(Protocol::Gt06, IMEI, &gt06_log_in(IMEI));
    let (place, written) = link.send(&Command::AskPosition).unwrap();
    // Its length, 0x80, the length of flag and text, both, "English", the serial; then the check sum and the end.
    let wanted = [&bytes("7878 12 80 0A 00000001")[..], b"WHERE#", &[0, 2, 0, 1]].concat();
    assert_eq!((&written[..19], written.len(), &written[21..]), (&wanted[..], 23, &b"\r\n"[..]));
    let (interval, written) = link.send(&INTERVAL).unwrap();
    assert!(written.windows(9).any(|text| text == b"TIMER,60#"));
    let (versions, written) = link.send(&Command::QueryAttributes).unwrap();
    assert!(written.windows(8).any(|text| text == b"VERSION#"));

    assert_eq!(link.hear(&gt06_answer(4, "OK")), [], "another flag");
    assert_eq!(link.hear(&gt06_answer(1 << 16 | 1, "OK")), [], "a flag that is longer");
    assert_eq!(link.hear(&gt06_answer(2, "Error!")), confirmed(interval, CommandResult::Failed));
    assert_eq!(link.hear(&gt06_answer(2, "OK!")), [], "only once");
    // 0x21: the flag, the encoding, the text.
    let long = gt06_frame(0x21, &[&[0, 0, 0, 3, 1][..], b"VERSION: made up"].concat());
    assert_eq!(link.hear(&long), done(versions));
    assert_eq!(link.hear(&gt06_answer(1, "Current position!Lat:N39.9,Lon:E116.4")), done(place));
    for seconds in [0, 4, 18_001] {
        let refused = link.send(&Command::Interval { seconds, valid_for_s: 0 });
        assert!(matches!(refused, Err(CommandError::Invalid(_))));
    }
    link.refuses(&[message_to_driver("x")]);

    link.send(&Command::AskPosition).unwrap();
    assert_eq!(link.hear(&gt06_log_in("860000000000025")), []);
    assert_eq!(link.hear(&gt06_answer(4, "OK")), [], "a newcomer answers nothing of others");
}

fn codec_12(kind: u8, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("short").to_be_bytes();
    let mut raw = Vec::new();
    teltonika::encode_packet(12, 1, &[&[kind][..], &length, text.as_bytes()].concat(), &mut raw);
    raw
}

#[test]
fn teltonika_answers_in_order() {
    let mut log_in = Vec::new();
    teltonika::encode_log_in(&id(IMEI), &mut log_in);
    let mut link = Link::after(Protocol::Teltonika, IMEI, &log_in);
    let (place, written) = link.send(&Command::AskPosition).unwrap();
    assert_eq!(written, codec_12(5, "getgps"));
    assert_eq!(written[..8], bytes("00000000 0000000E"));
    let (interval, written) = link.send(&INTERVAL).unwrap();
    assert_eq!(written, codec_12(5, "setparam 10050:60"));
    let (versions, written) = link.send(&Command::QueryAttributes).unwrap();
    assert_eq!(written, codec_12(5, "getver"));
    assert_eq!(link.hear(&codec_12(5, "no answer")), [], "a command is no answer");
    assert_eq!(link.hear(&codec_12(6, "GPS:1 Sat:9")), done(place));
    assert_eq!(
        link.hear(&codec_12(6, "ERROR: no such parameter")),
        confirmed(interval, CommandResult::Failed)
    );
    assert_eq!(link.hear(&codec_12(6, "Ver:made up")), done(versions));
    assert_eq!(link.hear(&codec_12(6, "more")), []);
    link.refuses(&[message_to_driver("x")]);
}

#[test]
fn teltonika_can_not_be_told_anything_over_datagrams() {
    let record = teltonika::frame::Datagram { packet: 1, avl_packet: 1, terminal: id(IMEI) };
    let mut heard = Vec::new();
    teltonika::encode_datagram(&record, 12, 1, &[6, 0, 0, 0, 2, b'o', b'k'], &mut heard);
    let profile = Profile::default();
    let mut link = Link::with(Protocol::Teltonika, Transport::Datagram, profile, IMEI, &heard);
    link.refuses(&[Command::AskPosition, INTERVAL]);
}

fn eelink_package(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    eelink::encode_package(kind, 9, content, &mut raw);
    raw
}

#[test]
fn eelink_repeats_the_number() {
    let log_in = eelink_package(1, &bytes("0860000000000017 00 20"));
    let mut link = Link::after(Protocol::Eelink, IMEI, &log_in);
    let (place, written) = link.send(&Command::AskPosition).unwrap();
    assert_eq!(written, [&bytes("6767 80 000D 0001 01 00000001")[..], b"WHERE#"].concat());
    let (interval, written) = link.send(&INTERVAL).unwrap();
    assert_eq!(written, [&bytes("6767 80 0012 0002 01 00000002")[..], b"TIMER,60,1#"].concat());
    let answer = |kind: u8, number: u8, text: &str| {
        eelink_package(0x80, &[&[kind, 0, 0, 0, number][..], text.as_bytes()].concat())
    };
    assert_eq!(link.hear(&answer(1, 3, "OK")), [], "another number");
    assert_eq!(link.hear(&answer(2, 1, "hello")), [], "no command's answer");
    assert_eq!(link.hear(&answer(1, 2, "TIMER OK")), done(interval));
    assert_eq!(link.hear(&answer(1, 1, "Fail")), confirmed(place, CommandResult::Failed));
    link.refuses(&[message_to_driver("x")]);
}

#[test]
fn ruptela_tells_its_version() {
    let frame = |command: u8, content: &[u8]| {
        let mut raw = Vec::new();
        ruptela::encode_frame(IMEI.parse().expect("digits"), command, content, &mut raw);
        raw
    };
    let mut link = Link::after(Protocol::Ruptela, IMEI, &frame(15, &[1; 20]));
    let (key, written) = link.send(&Command::QueryAttributes).unwrap();
    assert_eq!(written[..3], bytes("0001 67"));
    assert_eq!(link.hear(&frame(7, b"a text")), [], "another answer");
    assert_eq!(link.hear(&frame(3, b"made up")), done(key));
    assert_eq!(link.hear(&frame(3, b"made up")), []);
    link.refuses(&[Command::AskPosition, INTERVAL, message_to_driver("x")]);
}
