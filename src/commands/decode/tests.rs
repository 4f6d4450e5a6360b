use super::*;

use serde_json::{Value, json};

fn args() -> Args {
    Args {
        file: "-".into(),
        protocol: "jt808".to_owned(),
        profile: "standard".to_owned(),
        independent: false,
        text: false,
        udp: false,
        received_at: Some(UtcMillis(0)),
        auth_code: None,
    }
}

/// The objects that lines of input give, and whether one of them was an error.
fn decode(args: &Args, lines: &[&str]) -> (Vec<String>, bool) {
    let profile = Profile::built_in(&args.profile).unwrap();
    let mut decoder = Decoder::new(args, Protocol::Jt808.alone(), profile, Vec::new());
    for (number, line) in (1..).zip(lines) {
        decoder.line(number, line.as_bytes()).unwrap();
    }
    let text = String::from_utf8(decoder.output).unwrap();
    (text.lines().map(str::to_owned).collect(), decoder.has_errors)
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Some of the hex digits of a line's reply.
fn reply_bytes(line: &str, digits: std::ops::Range<usize>) -> String {
    parsed(line)["reply"].as_str().unwrap().replace("7d02", "7e").get(digits).unwrap().to_owned()
}

// A position of the test suite of SmallChi/JT808: 2018-10-15 10:10:10 GMT+8, 12.222222 N 132.444444 E, 6.0
// km/h, 40 m, odometer 10.0 km, fuel 12.5 l, emergency alarm, positioned.
const POSITION: &str = "7e02000026123456789012007d02000000010000000200ba7f0e07e4f11c0028003c00001810151010100104000000640202007d01137e";
const HEARTBEAT: &str = "7e000200000123456789017fff0a7e";

#[test]
fn a_position_is_one_line_with_its_fields_in_order() {
    let (lines, has_errors) = decode(&args(), &[POSITION]);
    let expected = concat!(
        r#"{"line":1,"protocol":"jt808","version":"2013","terminal":"123456789012","message":"0x0200","#,
        r#""name":"location_report","serial":126,"fixes":[{"fix_time":"2018-10-15T02:10:10Z","lat":12.2222220,"#,
        r#""lon":132.4444440,"altitude_m":40,"speed_kmh":6.0,"course_deg":0,"valid":true,"ignition":false,"#,
        r#""odometer_m":10000,"fuel_l":12.5,"alarms":["emergency"],"attributes":{}}],"body":{},"unknown":[],"#,
        r#""reply":"7e8001000512345678901200000"#,
    );
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with(expected), "{}", lines[0]);
    assert!(!has_errors);
}

#[test]
fn comments_and_blank_lines_are_counted_and_passed_over() {
    let (lines, _) = decode(&args(), &["# frames", "", "  \t# more", HEARTBEAT]);
    assert_eq!(lines.len(), 1);
    assert_eq!(parsed(&lines[0])["line"], 4);
}

#[test]
fn our_serials_count_through_the_lines_unless_they_are_independent() {
    // Reply serials are the two bytes after the six of the terminal.
    let serials = |independent| {
        let (lines, _) = decode(&Args { independent, ..args() }, &[HEARTBEAT, HEARTBEAT]);
        lines.iter().map(|line| reply_bytes(line, 22..26)).collect::<Vec<_>>()
    };
    assert_eq!(serials(false), ["0000", "0001"]);
    assert_eq!(serials(true), ["0000", "0000"]);
}

#[test]
fn every_message_of_a_line_has_its_own_reply() {
    let (lines, _) = decode(&args(), &[&format!("{HEARTBEAT}{POSITION}")]);
    let messages: Vec<_> = lines.iter().map(|line| parsed(line)["message"].clone()).collect();
    assert_eq!(messages, ["0x0002", "0x0200"]);
    let answered: Vec<_> = lines.iter().map(|line| reply_bytes(line, 30..34)).collect();
    assert_eq!(answered, ["0002", "0200"]);
}

#[test]
fn a_wrong_checksum_is_rejected_unless_the_profile_is_lenient() {
    let broken = HEARTBEAT.replace("0a7e", "0b7e");
    let (lines, has_errors) = decode(&args(), &[&broken]);
    assert_eq!(lines, [r#"{"line":1,"error":{"kind":"rejected","at":0,"reason":"checksum"}}"#]);
    assert!(has_errors);
    let (lines, has_errors) = decode(&Args { profile: "lenient".to_owned(), ..args() }, &[&broken]);
    assert_eq!(parsed(&lines[0])["message"], "0x0002");
    assert!(!has_errors);
}

#[test]
fn half_a_frame_is_incomplete_and_the_next_line_ends_it() {
    let (head, tail) = HEARTBEAT.split_at(12);
    let (lines, has_errors) = decode(&args(), &[head, tail]);
    assert_eq!(parsed(&lines[0])["error"]["kind"], "incomplete");
    assert_eq!(parsed(&lines[1])["line"], 2);
    assert_eq!(parsed(&lines[1])["message"], "0x0002");
    assert!(has_errors);
    // A datagram is not continued.
    let (lines, _) = decode(&Args { udp: true, ..args() }, &[head, HEARTBEAT]);
    assert_eq!(parsed(&lines[1])["message"], "0x0002");
}

#[test]
fn packets_of_an_unfinished_message_say_so() {
    use motorpool_protocols::TerminalId;
    use motorpool_protocols::jt808::{Header, Version, encode_message};

    let header = Header::new(0x0900, Version::V2013, TerminalId::new("013812345678").unwrap(), 7);
    let mut frames = Vec::new();
    assert_eq!(encode_message(&header, &[0x41; 1_500], &mut frames), Ok(2));
    let middle = frames.windows(2).position(|pair| pair == [0x7e, 0x7e]).unwrap() + 1;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (lines, _) = decode(&args(), &[&hex(&frames[..middle]), &hex(&frames[middle..])]);
    assert_eq!(lines[0], r#"{"line":1,"error":{"kind":"incomplete","at":0,"reason":"packets"}}"#);
    let message = parsed(&lines[1]);
    assert_eq!(message["message"], "0x0900");
    assert_eq!(message["serial"], 7);
    assert_eq!(message["body"]["content"].as_str().unwrap().len(), 2 * 1_499);
    // Both packets in one line leave nothing unfinished.
    let (lines, has_errors) = decode(&args(), &[&hex(&frames)]);
    assert_eq!((lines.len(), has_errors), (1, false));
}

// SmallChi/JT808, Test2011_2 of 0x0100.
const REGISTRATION_2011: &str =
    "7e01000021000123456789000a002800323132333400746b3132333435004348493132330001d4c1413132333435857e";

#[test]
fn a_registration_of_2011_shows_its_edition_from_then_on() {
    let later = "7e00020000000123456789000bf77e";
    let sum = (0x02_u8 ^ 0x01 ^ 0x23 ^ 0x45 ^ 0x67 ^ 0x89 ^ 0x0b, 0);
    let later = later.replace("f77e", &format!("{:02x}7e", sum.0));
    let (lines, _) =
        decode(&Args { auth_code: Some("abc".to_owned()), ..args() }, &[REGISTRATION_2011, &later]);
    let first = parsed(&lines[0]);
    assert_eq!(first["version"], "2011");
    assert_eq!(
        first["body"],
        json!({
            "province": 40, "city": 50, "maker": "1234", "model": "tk12345", "terminal_id": "CHI123",
            "plate_colour": 1, "plate": "粤A12345"
        })
    );
    assert!(first["reply"].as_str().unwrap().contains("000a00616263"), "serial, result, code");
    assert_eq!(parsed(&lines[1])["version"], "2011");
}

#[test]
fn what_is_not_hex_is_rejected_where_it_begins() {
    let (lines, _) = decode(&args(), &["7e 00xx", "7e0"]);
    assert_eq!(lines[0], r#"{"line":1,"error":{"kind":"rejected","at":5,"reason":"hex"}}"#);
    assert_eq!(lines[1], r#"{"line":2,"error":{"kind":"rejected","at":3,"reason":"hex"}}"#);
}

#[test]
fn a_line_of_delimiters_gives_an_object_too() {
    let (lines, _) = decode(&args(), &["7e7e"]);
    assert_eq!(parsed(&lines[0])["error"]["kind"], "incomplete");
}

/// A frame of terminal 013812345678.
fn framed(
    message_id: u16,
    body: &[u8],
    change: impl FnOnce(&mut motorpool_protocols::jt808::Header),
) -> String {
    use motorpool_protocols::TerminalId;
    use motorpool_protocols::jt808::{Header, Version, encode_frame};

    let terminal = TerminalId::new("013812345678").unwrap();
    let mut header = Header::new(message_id, Version::V2013, terminal, 7);
    change(&mut header);
    let mut raw = Vec::new();
    encode_frame(&header, body, &mut raw);
    raw.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_stored_but_cannot_be_decoded_shows_its_answer_beside_the_error() {
    let answer = |line: &str| (parsed(line)["error"]["reason"].clone(), reply_bytes(line, 26..36));
    let (lines, has_errors) = decode(&args(), &[&framed(0x0200, &[0; 27], |_| {})]);
    assert_eq!(answer(&lines[0]), (json!("truncated"), "0007020002".to_owned()));
    assert!(has_errors);
    let (lines, _) = decode(&args(), &[&framed(0x0702, &[1], |_| {})]);
    assert_eq!(answer(&lines[0]), (json!("truncated"), "0007070202".to_owned()));
    // Under a cipher, once the terminal is known; before that there is no answer.
    let encrypted = framed(0x0200, &[0; 28], |header| header.encryption = 1);
    let (lines, _) = decode(&args(), &[&encrypted, &framed(0x0002, &[], |_| {}), &encrypted]);
    assert_eq!(lines[0], r#"{"line":1,"error":{"kind":"rejected","at":0,"reason":"encrypted"}}"#);
    assert_eq!(answer(&lines[2]), (json!("encrypted"), "0007020003".to_owned()));
    // A broken registration is refused, and answered all the same.
    let (lines, _) = decode(&args(), &[&framed(0x0100, &[0; 9], |_| {})]);
    assert_eq!(answer(&lines[0]), (json!("truncated"), "0007010002".to_owned()));
}

#[test]
fn bits_without_a_name_show_their_numbers() {
    let mut body = [0; 28];
    body[4..8].copy_from_slice(&[0x04, 0x80, 0x00, 0x03]);
    let (lines, _) = decode(&args(), &[&framed(0x0200, &body, |_| {})]);
    assert_eq!(parsed(&lines[0])["fixes"][0]["attributes"]["status"], json!(["bit_23", "bit_26"]));
}
