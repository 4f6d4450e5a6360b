//! Protocols in text.

use motorpool_protocols::wialon;

use super::*;

#[test]
fn meitrack_answers_with_the_flag_of_the_command() {
    let terminal = "353358017784062";
    let mut link = Link::after(Protocol::Meitrack, terminal, b"$$K28,353358017784062,A12,OK*F7\r\n");
    // The first flag is B; the maker's examples have other ones, and so other check sums.
    let first = link.sends(&Command::AskPosition, "@@B25,353358017784062,A10*5B\r\n");
    let interval = link.sends(&INTERVAL, "@@C27,353358017784062,A12,6*C2\r\n");
    let versions = link.sends(&Command::QueryAttributes, "@@D25,353358017784062,E91*6A\r\n");
    let packet = |flag: u8, command: &str, body: &[u8]| {
        let mut raw = Vec::new();
        motorpool_protocols::meitrack::encode_frame(flag, &id(terminal), command, body, &mut raw);
        raw
    };
    let report = |event: &str| {
        format!(
            "{event},22.540113,114.076141,260102030405,A,5,22,1,174,4,129,0,435,0|0|10133|4110,0000,0|0|0|0|0"
        )
    };
    assert_eq!(link.hear(&packet(b'B', "AAA", report("35").as_bytes())), [], "a report of its own");
    assert_eq!(link.hear(&packet(b'Z', "AAA", report("34").as_bytes())), [], "another flag");
    assert_eq!(link.hear(&packet(b'B', "AAA", report("34").as_bytes())), done(first));
    assert_eq!(link.hear(&packet(b'C', "E91", b"FWV1.00,12345678")), [], "another command");
    assert_eq!(link.hear(&packet(b'C', "A12", b"OK")), done(interval));
    assert_eq!(link.hear(&packet(b'C', "A12", b"OK")), [], "only once");
    assert_eq!(link.hear(&packet(b'D', "E91", b"FWV1.00,12345678")), done(versions));
    let failed = link.sends(&INTERVAL, "@@E27,353358017784062,A12,6*C4\r\n");
    assert_eq!(link.hear(&packet(b'E', "A12", b"Error")), confirmed(failed, CommandResult::Failed));
    for seconds in [0, 5, 65] {
        let refused = link.send(&Command::Interval { seconds, valid_for_s: 0 });
        assert!(matches!(refused, Err(CommandError::Invalid(_))), "tens of seconds");
    }
    link.refuses(&[message_to_driver("x")]);
}

#[test]
fn queclink_repeats_the_serial_and_wants_a_password() {
    let report = b"+ACK:GTHBD,1A0401,860000000000017,,20260102030405,11F0$";
    let profile = Profile { command_password: Some("made17".to_owned()), ..Profile::default() };
    let mut link = Link::with(Protocol::Gl200, Transport::Stream, profile, IMEI, report);
    let place = link.sends(&Command::AskPosition, "AT+GTRTO=made17,1,,,,,,0001$");
    let versions = link.sends(&Command::QueryAttributes, "AT+GTRTO=made17,8,,,,,,0002$");
    let answer = |word: &str, what: &str, serial: &str| {
        format!("+ACK:GT{word},1A0401,860000000000017,,{what}{serial},20260102030405,11F1$").into_bytes()
    };
    assert_eq!(link.hear(&answer("FRI", "", "0001")), [], "an answer to another command");
    assert_eq!(link.hear(&answer("RTO", "VER,", "0003")), [], "another serial");
    assert_eq!(
        link.hear(b"+ACK:GTRTO,1A0401,860000000000025,,RTL,0001,20260102030405,11F1$"),
        [],
        "another terminal"
    );
    assert_eq!(link.hear(&answer("RTO", "VER,", "0002")), done(versions));
    assert_eq!(link.hear(&answer("RTO", "RTL,", "0001")), done(place));
    link.refuses(&[INTERVAL, message_to_driver("x")]);

    for password in [None, Some("a,1"), Some("abc"), Some("secret$1"), Some("012345678901234567890")] {
        let profile = Profile { command_password: password.map(str::to_owned), ..Profile::default() };
        let mut link = Link::with(Protocol::Gl200, Transport::Stream, profile, IMEI, report);
        assert!(matches!(link.send(&Command::AskPosition), Err(CommandError::Invalid(_))), "{password:?}");
    }
}

#[test]
fn h02_repeats_the_word_and_the_time() {
    let mut link = Link::after(Protocol::H02, "1000000001", b"*TH,1000000001,HTBT#");
    let key = link.sends(&INTERVAL, "*TH,1000000001,S71,030405,22,60#");
    let answer = |id: &str, said: &str, time: &str| {
        format!("*TH,{id},V4,{said},{time},030407,A,3954.0000,N,11624.0000,E,0.00,090,020126,FFFFFBFF#")
            .into_bytes()
    };
    assert_eq!(link.hear(&answer("1000000001", "S20,DONE", "030405")), [], "another command");
    assert_eq!(link.hear(&answer("1000000001", "S71,22,60", "030404")), [], "another time");
    assert_eq!(link.hear(&answer("1000000002", "S71,22,60", "030405")), [], "another terminal");
    assert_eq!(link.hear(&answer("1000000001", "S71,22,60", "030405")), done(key));
    let key = link.sends(&INTERVAL, "*TH,1000000001,S71,030405,22,60#");
    assert_eq!(
        link.hear(&answer("1000000001", "S71,ERROR", "030405")),
        confirmed(key, CommandResult::Failed)
    );
    link.refuses(&[Command::AskPosition, Command::QueryAttributes, message_to_driver("x")]);
}

#[test]
fn wialon_takes_texts_and_answers_them_in_order() {
    let mut link = Link::after(Protocol::Wialon, IMEI, b"#L#860000000000017;NA\r\n");
    let first = link.sends(&message_to_driver("Call 17"), "#M#Call 17\r\n");
    let second = link.sends(&message_to_driver("返回"), "#M#返回\r\n");
    assert_eq!(link.hear(b"#M#a text of its own\r\n"), []);
    assert_eq!(link.hear(b"#AM#1\r\n"), done(first));
    assert_eq!(link.hear(b"#AM#0\r\n"), confirmed(second, CommandResult::Failed));
    assert_eq!(link.hear(b"#AM#1\r\n"), []);
    for text in ["", "two\r\nlines", &"x".repeat(1_025)] {
        assert!(
            matches!(
                link.send(&message_to_driver(text)),
                Err(CommandError::Invalid(_) | CommandError::TooLong { limit: 1_024 })
            ),
            "{text:?}"
        );
    }
    link.refuses(&[Command::AskPosition, INTERVAL, Command::QueryAttributes]);

    // A newcomer's answer is to nothing that was said to the terminal before.
    link.sends(&message_to_driver("x"), "#M#x\r\n");
    assert_eq!(link.hear(b"#L#860000000000025;NA\r\n#AM#1\r\n"), []);

    let log_in = wialon::encode_log_in(wialon::Edition::V2, &id(IMEI), None);
    let mut link = Link::after(Protocol::Wialon, IMEI, &log_in);
    let (key, written) = link.send(&message_to_driver("Call 17")).unwrap();
    let crc = crc_arc(b"Call 17;");
    assert_eq!(written, format!("#M#Call 17;{crc:04X}\r\n").into_bytes());
    assert_eq!(link.hear(b"#AM#1\r\n"), done(key));
}

/// Bit by bit, apart from the table that is tested.
fn crc_arc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xa001 } else { sum >> 1 })
    })
}

#[test]
fn gps103_says_nothing_to_commands() {
    let mut link = Link::after(Protocol::Gps103, IMEI, b"##,imei:860000000000017,A;");
    let interval = |seconds| Command::Interval { seconds, valid_for_s: 0 };
    link.sends(&Command::AskPosition, "**,imei:860000000000017,B;");
    link.sends(&interval(30), "**,imei:860000000000017,C,30s;");
    link.sends(&interval(300), "**,imei:860000000000017,C,05m;");
    link.sends(&interval(7_200), "**,imei:860000000000017,C,02h;");
    link.sends(&interval(0), "**,imei:860000000000017,A;");
    assert!(matches!(link.send(&interval(301)), Err(CommandError::Invalid(_))));
    assert_eq!(link.hear(b"860000000000017;"), []);
    link.refuses(&[Command::QueryAttributes, message_to_driver("x")]);
}

#[test]
fn tk103_answers_the_question_for_the_place() {
    let mut link = Link::after(Protocol::Tk103, "000000000017", b"(000000000017BP05)");
    let key = link.sends(&Command::AskPosition, "(000000000017AP00)");
    link.sends(&INTERVAL, "(000000000017AR00003C0000)");
    link.sends(&Command::Interval { seconds: 0, valid_for_s: 0 }, "(000000000017AR0000000000)");
    let position = "260102A3954.0000N11624.0000E000.0030405090.0000000000L00000000";
    assert_eq!(link.hear(format!("(000000000017BR00{position})").as_bytes()), [], "a report of its own");
    assert_eq!(link.hear(format!("(000000000025BP04{position})").as_bytes()), [], "another terminal");
    assert_eq!(link.hear(format!("(000000000017BP04{position})").as_bytes()), done(key));
    link.refuses(&[Command::QueryAttributes, message_to_driver("x")]);
}

#[test]
fn suntech_is_asked_in_its_own_series() {
    let status = b"ST300STT;900000017;04;1097B;20260102;03:04:05;33e530;+39.900000;+116.400000;000.000;000.00;7;1;0;15.30;001100;1;0072;0;4.5;1;12.35\r";
    let mut link = Link::after(Protocol::Suntech, "900000017", status);
    let key = link.sends(&Command::AskPosition, "ST300CMD;900000017;02;StatusReq\r");
    assert_eq!(link.hear(b"ST300CMD;Res;900000017;010;Reboot\r"), [], "another command");
    assert_eq!(link.hear(b"ST300CMD;Res;900000025;010;StatusReq\r"), [], "another terminal");
    assert_eq!(link.hear(b"ST300CMD;Res;900000017;010;StatusReq\r"), done(key));
    link.refuses(&[INTERVAL, Command::QueryAttributes, message_to_driver("x")]);
    // The universal form has other commands.
    let mut link = Link::after(Protocol::Suntech, "900000017", b"RES;900000017;04;02;TEST\r");
    link.refuses(&[Command::AskPosition]);
}
