//! Log-in, answers and refusals on one link.

use motorpool_protocols::Observation;
use motorpool_protocols::RejectReason::{
    Checksum, Encrypted, Escape, Length, Limit, NotAdmitted, Truncated, Unavailable, UnknownTerminal,
};

use super::*;

/// A registration of 2013 with a plate.
fn registration() -> Vec<u8> {
    [&bytes("000b 0069")[..], b"MAKER", &[0; 20], b"ID12345", &[2], &bytes("bea9413132333435")].concat()
}

#[test]
fn a_terminal_registers_logs_in_and_reports() {
    let mut link = Link::new(OneTerminal::default());
    let out = link.only(&message(0x0100, 5, &registration()));
    assert_eq!(ours(&out.replies), [(0x8100, b"\x00\x05\x00secret".to_vec())]);
    assert_eq!((out.messages.len(), out.messages[0].device, !out.logged_in.is_empty()), (1, 7, false));
    assert!(out.immediate.is_empty());

    let out = link.only(&message(0x0200, 6, &position()));
    assert_eq!(ours(&out.immediate), [(0x8001, bytes("0006 0200 01"))], "registered is not logged in");
    assert!(out.messages.is_empty() && out.replies.is_empty());
    assert_eq!(link.reasons(), [NotAdmitted]);

    let out = link.only(&message(0x0102, 7, b"secret"));
    assert_eq!(ours(&out.replies), [(0x8001, bytes("0007 0102 00"))]);
    assert!(!out.logged_in.is_empty() && out.immediate.is_empty());
    assert_eq!(link.session.terminal(), Some(id("013812345678")));

    let raw = message(0x0200, 8, &position());
    let out = link.only(&raw);
    assert_eq!(out.raw, raw);
    assert_eq!(out.messages, [motorpool_protocols::Accepted { end: 43, device: 7 }]);
    assert_eq!(ours(&out.replies), [(0x8001, bytes("0008 0200 00"))]);
    assert_eq!(
        link.gate.asked,
        ["register 13812345678 京A12345", "admit 13812345678 -", "admit 13812345678 secret"]
    );
}

#[test]
fn an_answer_has_the_shape_of_the_terminals_header() {
    let header = Header::new(0x0102, Version::V2019 { revision: 3 }, id("13812345678"), 0x7d7e);
    let mut link = Link::new(OneTerminal::default());
    let out = link.only(&frame(header, b"\x06secret123456789012345"));
    // Id 8001, properties 4005, version 3, terminal, our serial 0, then the answer with its escapes.
    assert_eq!(
        hex(&out.replies),
        hex(&bytes("7e 8001 4005 03 00000000013812345678 0000 7d017d02 0102 00 f6 7e"))
    );
}

#[test]
fn our_serials_count_from_zero_and_wrap() {
    let mut link = Link::logged_in();
    let heartbeat = message(0x0002, 1, &[]);
    let mut replies = Vec::new();
    for _ in 0..=0x1_0000 {
        replies = link.only(&heartbeat).replies.clone();
    }
    let (header, _) = decode_frame(&replies).expect("our own frame");
    assert_eq!(header.serial, 1, "the log-in was 0");
}

#[test]
fn strangers_are_refused_at_once_and_nothing_is_stored() {
    let stranger =
        |message_id, body: &[u8]| frame(Header::new(message_id, Version::V2013, id("019999999999"), 3), body);
    for (raw, answer, reason) in [
        (stranger(0x0100, &registration()), (0x8100, bytes("0003 04")), UnknownTerminal),
        (stranger(0x0102, b"secret"), (0x8001, bytes("0003 0102 01")), UnknownTerminal),
        (stranger(0x0200, &position()), (0x8001, bytes("0003 0200 01")), UnknownTerminal),
        (message(0x0102, 3, b"wrong"), (0x8001, bytes("0003 0102 01")), NotAdmitted),
        (stranger(0x0100, &[0; 9]), (0x8001, bytes("0003 0100 02")), Truncated),
    ] {
        let mut link = Link::new(OneTerminal::default());
        let out = link.only(&raw);
        assert_eq!(ours(&out.immediate), [answer]);
        assert!(
            out.replies.is_empty()
                && out.raw.is_empty()
                && out.messages.is_empty()
                && out.logged_in.is_empty()
        );
        assert_eq!(link.reasons(), [reason]);
        assert_eq!(link.session.terminal(), None);
    }
}

#[test]
fn a_server_that_cannot_store_does_not_answer() {
    let gate = || OneTerminal { available: false, ..OneTerminal::default() };
    for raw in [message(0x0100, 1, &registration()), message(0x0102, 1, b"secret"), message(0x0002, 1, &[])] {
        let mut link = Link::new(gate());
        let out = link.only(&raw);
        assert!(out.replies.is_empty() && out.immediate.is_empty() && out.raw.is_empty());
        assert_eq!(link.reasons(), [Unavailable]);
    }
    let mut link = Link::new(gate());
    for _ in 0..1_000 {
        link.receive(&message(0x0102, 1, b"secret")).expect("this is no fault of the terminal");
    }
}

#[test]
fn a_profile_can_skip_the_log_in() {
    let profile = Profile { skips_authentication: true, ..Profile::default() };
    let mut link = Link::new(OneTerminal::with_profile(profile));
    let out = link.only(&message(0x0200, 1, &position()));
    assert_eq!((out.messages.len(), out.logged_in.len()), (1, 1));
    link.only(&message(0x0002, 2, &[]));
    assert_eq!(link.gate.asked.len(), 1, "the gate is asked once");
}

/// A frame around a payload without its check byte, which is appended as it is.
fn raw_frame(payload: &[u8]) -> Vec<u8> {
    let check = payload.iter().fold(0, |sum, byte| sum ^ byte);
    [&[0x7e], payload, &[check, 0x7e]].concat()
}

#[test]
fn a_wrong_length_passes_under_a_lenient_profile_when_the_check_byte_is_right() {
    let profile = Profile { lenient_length: true, ..Profile::default() };
    for stated in [27, 0, 29] {
        let header = [0x02, 0, 0, stated, 0x01, 0x38, 0x12, 0x34, 0x56, 0x78, 0, 2];
        let report = raw_frame(&[&header[..], &position()].concat());
        let mut link = Link::logged_in_with(OneTerminal::with_profile(profile.clone()), Default::default());
        let out = link.only(&report);
        assert_eq!((out.messages.len(), out.lenient_frames, out.rejected.len()), (1, 1, 0));
        assert_eq!(out.raw, report);
        assert_eq!(seen(&report, &profile).0.fixes.len(), 1);
        assert!(seen(&report, &Profile::default()).1.is_err());
        let mut link = Link::logged_in();
        link.only(&report);
        assert_eq!(link.reasons(), [if stated == 29 { Truncated } else { Length }]);

        let mut both = report.clone();
        let at = both.len() - 3;
        both[at] ^= 1;
        let lenient = Profile { lenient_checksum: true, ..profile.clone() };
        let mut link = Link::logged_in_with(OneTerminal::with_profile(lenient.clone()), Default::default());
        assert_eq!(link.only(&both).messages.len(), 0, "it may be the ends of two frames");
        assert!(seen(&both, &lenient).1.is_err());
    }
}

#[test]
fn a_check_byte_that_is_not_escaped_passes_under_a_lenient_profile() {
    let header = |serial| [0, 2, 0, 0, 0x01, 0x38, 0x12, 0x34, 0x56, 0x78, 0, serial];
    let serial = (0..=255).find(|serial| raw_frame(&header(*serial)).ends_with(&[0x7d, 0x7e])).unwrap();
    let heartbeat = raw_frame(&header(serial));
    let profile = Profile { lenient_checksum: true, ..Profile::default() };
    let mut link = Link::logged_in_with(OneTerminal::with_profile(profile.clone()), Default::default());
    let out = link.only(&heartbeat);
    assert_eq!((out.messages.len(), out.lenient_frames, &out.raw), (1, 1, &heartbeat));
    assert_eq!(seen(&heartbeat, &profile).0.other, [Observation::Heartbeat]);
    let mut link = Link::logged_in();
    link.only(&heartbeat);
    assert_eq!(link.reasons(), [Escape]);
    assert_eq!(seen(&heartbeat, &Profile::default()).1, Err(DecodeError::new(0, "escape")));
}

#[test]
fn a_wrong_check_byte_passes_under_a_lenient_profile_and_is_counted() {
    let damaged = |mut raw: Vec<u8>| {
        let at = raw.len() - 2;
        raw[at] ^= 0x40;
        raw
    };
    let profile = Profile { lenient_checksum: true, ..Profile::default() };
    let mut link = Link::new(OneTerminal::with_profile(profile.clone()));
    let log_in = damaged(message(0x0102, 1, b"secret"));
    let report = damaged(message(0x0200, 2, &position()));
    let out = link.only(&[&log_in[..], &report].concat());
    assert_eq!((out.messages.len(), out.lenient_frames, out.rejected.len()), (2, 2, 0));
    assert_eq!(ours(&out.replies).len(), 2);
    assert!(seen(&report, &profile).1.is_ok());
    assert_eq!(seen(&report, &Profile::default()).1, Err(DecodeError::new(40, "checksum")));

    let mut link = Link::logged_in();
    link.only(&report);
    assert_eq!(link.reasons(), [Checksum]);
    let asked = link.gate.asked.len();
    link.only(&damaged(frame(Header::new(0x0002, Version::V2013, id("019999999999"), 1), &[])));
    assert_eq!(link.gate.asked.len(), asked, "a damaged id is not looked up on a link in use");
    let mut link = Link::new(OneTerminal::with_profile(profile));
    link.only(&damaged(message(0x0100, 1, &registration())));
    assert_eq!(link.gate.asked, ["admit 13812345678 -"], "nor registered");
}

#[test]
fn too_many_refusals_in_a_row_close_the_link() {
    let limits = SessionLimits { rejects_in_a_row_max: 3, ..SessionLimits::default() };
    let bad = bytes("7e 0002 0000 013812345678 000a 38 7e");
    let mut link = Link::logged_in_with(OneTerminal::default(), limits);
    for _ in 0..10 {
        for _ in 0..3 {
            link.receive(&bad).expect("not yet");
        }
        link.receive(&message(0x0002, 1, &[])).expect("a good frame begins the count anew");
    }
    for _ in 0..3 {
        link.receive(&bad).expect("not yet");
    }
    assert_eq!(link.receive(&bad), Err(SessionError::TooManyRejects));
    assert_eq!(link.out.messages.len(), 10, "what came before is still there");
}

#[test]
fn each_message_is_answered_as_the_standard_says() {
    let general = |message_id: u16, result: u8| {
        let [a, b] = message_id.to_be_bytes();
        vec![(0x8001, vec![0, 9, a, b, result])]
    };
    let batch = [bytes("0001 00 001c"), position()].concat();
    for (message_id, body, expected) in [
        (0x0002, vec![], general(0x0002, 0)),
        (0x0200, position(), general(0x0200, 0)),
        (0x0200, [position(), bytes("0104 00")].concat(), general(0x0200, 0)),
        (0x0200, position()[..27].to_vec(), general(0x0200, 2)),
        (0x0704, batch.clone(), general(0x0704, 0)),
        (0x0704, batch[..20].to_vec(), general(0x0704, 2)),
        (0x0704, bytes("00"), general(0x0704, 2)),
        (0x0005, bytes("0001 0002 0003"), general(0x0005, 2)),
        (0x0005, bytes("0001"), general(0x0005, 2)),
        (0x0108, vec![0; 4], general(0x0108, 0)),
        (0x0108, vec![0], general(0x0108, 2)),
        (0x0303, vec![7, 1], general(0x0303, 0)),
        (0x0303, vec![7], general(0x0303, 2)),
        (0x0702, bytes("02 251009165320"), general(0x0702, 0)),
        (0x0702, vec![1], general(0x0702, 2)),
        (0x0705, bytes("0001 1653200000 00000001 0102030405060708"), general(0x0705, 0)),
        (0x0705, bytes("0005 1653200000"), general(0x0705, 2)),
        (0x0800, vec![0; 7], general(0x0800, 2)),
        (0x0900, vec![1, 2], general(0x0900, 0)),
        (0x0900, vec![], general(0x0900, 2)),
        (0x0901, bytes("00000009 00"), general(0x0901, 2)),
        (0x0f01, vec![], general(0x0f01, 0)),
        (0x1205, vec![], general(0x1205, 2)),
        (0x1206, bytes("0001 00"), general(0x1206, 0)),
        (0x1999, vec![], general(0x1999, 0)),
        (0xe001, vec![], general(0xe001, 0)),
        (0x0a00, vec![0; 132], general(0x0a00, 3)),
        (0x0b05, vec![], general(0x0b05, 3)),
        (0x8103, vec![], general(0x8103, 3)),
        (0x0004, vec![], vec![(0x8004, bytes("251009085320"))]),
        (0x0801, [bytes("0000007b 00000000"), position()].concat(), vec![(0x8800, bytes("0000007b"))]),
        (0x0801, bytes("00"), general(0x0801, 2)),
        (0x0801, bytes("0000007b 000000"), general(0x0801, 2)),
        (0x0001, vec![0; 5], vec![]),
        (0x0104, vec![0; 3], vec![]),
        (0x0107, vec![], vec![]),
        (0x0201, [bytes("0001"), position()].concat(), vec![]),
        (0x0302, vec![0; 3], vec![]),
        (0x0500, [bytes("0001"), position()].concat(), vec![]),
        (0x0608, vec![], vec![]),
        (0x0700, vec![], vec![]),
        (0x0802, vec![], vec![]),
        (0x0805, vec![], vec![]),
    ] {
        let mut link = Link::logged_in();
        let raw = message(message_id, 9, &body);
        let out = link.only(&raw);
        assert_eq!(ours(&out.replies), expected, "{message_id:#06x}");
        assert_eq!(out.raw, raw, "every message is stored");
        assert!(out.immediate.is_empty() && out.rejected.is_empty());
    }
}

#[test]
fn who_logged_out_must_log_in_again() {
    let mut link = Link::logged_in();
    let out = link.only(&message(0x0003, 1, &[]));
    assert_eq!(ours(&out.replies), [(0x8001, bytes("0001 0003 00"))]);
    link.only(&message(0x0002, 2, &[]));
    assert_eq!(link.reasons(), [NotAdmitted]);
    assert!(!link.only(&message(0x0102, 3, b"secret")).logged_in.is_empty());
}

#[test]
fn a_message_under_a_cipher_is_stored_and_answered_as_not_supported() {
    let limits = SessionLimits { rejects_in_a_row_max: 2, ..SessionLimits::default() };
    let mut link = Link::logged_in_with(OneTerminal::default(), limits);
    let asked = link.gate.asked.len();
    let encrypted = |message_id| frame(Header { encryption: 1, ..header(message_id, 4) }, &position());
    // Nobody can tell whether a log-out or a log-in is one before it is deciphered.
    for message_id in [0x0200_u16, 0x0003, 0x0004, 0x0100, 0x0102, 0x0801, 0x0001] {
        let raw = encrypted(message_id);
        let out = link.only(&raw);
        assert_eq!(out.raw, raw, "{message_id:#06x}");
        assert_eq!(out.messages, [motorpool_protocols::Accepted { end: 43, device: 7 }]);
        let [high, low] = message_id.to_be_bytes();
        assert_eq!(ours(&out.replies), [(0x8001, vec![0, 4, high, low, 3])]);
        assert!(out.immediate.is_empty() && out.rejected.is_empty() && out.logged_in.is_empty());
        let (observations, result) = seen(&raw, &Profile::default());
        assert_eq!(result, Err(DecodeError::new(2, "encrypted")));
        assert!(observations.fixes.is_empty() && observations.other.is_empty());
    }
    assert_eq!(link.gate.asked.len(), asked, "a ciphered code is not shown to the gate");

    let mut link = Link::new(OneTerminal::default());
    let out = link.only(&encrypted(0x0200));
    assert!(out.raw.is_empty() && out.replies.is_empty() && out.immediate.is_empty());
    assert_eq!(link.reasons(), [Encrypted]);
}

#[test]
fn packets_under_a_cipher_are_stored_and_answered_as_one_message() {
    let packet = |index| {
        let packet = Some(Packet { total: 2, index });
        frame(Header { encryption: 1, packet, ..header(0x0801, 4 + index) }, &[index.to_be_bytes()[1]; 40])
    };
    let mut link = Link::logged_in();
    assert_eq!(link.only(&packet(1)).held_packets, 1);
    let out = link.only(&packet(2));
    assert_eq!((out.raw.clone(), out.messages.len()), ([packet(1), packet(2)].concat(), 1));
    assert_eq!(ours(&out.replies), [(0x8001, bytes("0005 0801 03"))]);
    assert_eq!(seen(&out.raw, &Profile::default()).1, Err(DecodeError::new(2, "encrypted")));
    assert_eq!(ours(&link.only(&packet(2)).replies), [(0x8001, bytes("0005 0801 03"))], "the same again");
}

#[test]
fn one_packet_of_one_is_a_plain_message() {
    let alone = |message_id, serial, index, body: &[u8]| {
        frame(Header { packet: Some(Packet { total: 1, index }), ..header(message_id, serial) }, body)
    };
    let mut link = Link::new(OneTerminal::default());
    let out = link.only(&alone(0x0100, 5, 1, &registration()));
    assert_eq!(ours(&out.replies), [(0x8100, b"\x00\x05\x00secret".to_vec())]);
    let raw = alone(0x0102, 6, 1, b"secret");
    let out = link.only(&raw);
    assert_eq!(ours(&out.replies), [(0x8001, bytes("0006 0102 00"))]);
    assert_eq!(out.logged_in, [7]);
    assert_eq!(seen(&raw, &Profile::default()).0.other.len(), 1);
    link.only(&alone(0x0102, 7, 2, b"secret"));
    assert_eq!(link.reasons(), [RejectReason::Packet]);
}

#[test]
fn a_link_carries_a_limited_number_of_terminals() {
    let limits = SessionLimits { terminals_per_link_max: 2, ..SessionLimits::default() };
    let mut session = Jt808Session::new(limits);
    let mut gate = motorpool_protocols::OpenGate::default();
    let mut out = Outbox::default();
    for terminal in ["01", "02", "01", "03", "02"] {
        let raw = frame(Header::new(0x0002, Version::V2013, id(terminal), 1), &[]);
        session.receive(NOW, &raw, &mut gate, &mut out).expect("no error");
    }
    assert_eq!(out.messages.len(), 4);
    assert_eq!(out.rejected.iter().map(|rejected| rejected.reason).collect::<Vec<_>>(), [Limit]);
}

#[test]
fn a_terminal_keeps_its_identity_over_editions_but_logs_in_again() {
    let mut link = Link::logged_in();
    let revised = |message_id, body: &[u8]| frame(Header::new(message_id, V2019, id("13812345678"), 1), body);
    link.only(&revised(0x0002, &[]));
    assert_eq!(link.reasons(), [NotAdmitted]);
    assert!(!link.only(&revised(0x0102, b"\x06secret")).logged_in.is_empty());
    assert_eq!(link.only(&revised(0x0002, &[])).messages[0].device, 7);
    assert_eq!(link.only(&message(0x0002, 1, &[])).messages[0].device, 7);
}

#[test]
fn a_code_may_be_padded_or_without_its_length() {
    for body in [&b"secret\0\0"[..], b"secret"] {
        assert!(!Link::new(OneTerminal::default()).only(&message(0x0102, 1, body)).logged_in.is_empty());
    }
    for body in [&b"\x06secret"[..], b"\x08secret\0\x00123456789012345", b"secret"] {
        let raw = frame(Header::new(0x0102, V2019, id("13812345678"), 1), body);
        assert!(!Link::new(OneTerminal::default()).only(&raw).logged_in.is_empty(), "{body:?}");
    }
}
