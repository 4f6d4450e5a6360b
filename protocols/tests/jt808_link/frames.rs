//! Delimiters, escapes, check bytes, lengths and headers.

use motorpool_protocols::RejectReason::{Checksum, Escape, Garbage, Length, TooLong, Truncated};
use motorpool_protocols::jt808::frame::{FRAME_BYTES_MAX, escape, unescape};
use motorpool_protocols::jt808::{decode_message, encode_message};
use motorpool_protocols::profile::IdForm;
use proptest::prelude::*;

use super::*;

#[test]
fn escapes_are_those_of_the_standard() {
    // The example in 4.4.1 of JT/T 808.
    let plain = bytes("307e087d55");
    let escaped = bytes("307d02087d0155");
    let mut out = Vec::new();
    escape(&plain, &mut out);
    assert_eq!(out, escaped);
    assert_eq!(unescape(&escaped, &mut [0; 8]), Ok(&plain[..]));
    assert_eq!(unescape(&bytes("30 7d"), &mut [0; 8]), Err(Escape));
    assert_eq!(unescape(&bytes("7d 03"), &mut [0; 8]), Err(Escape));
    assert_eq!(unescape(&bytes("7d 00"), &mut [0; 8]), Err(Escape));
    assert_eq!(unescape(&bytes("01 02 03"), &mut [0; 2]), Err(TooLong));
}

#[test]
fn a_heartbeat_is_the_bytes_of_the_standard() {
    assert_eq!(hex(&message(0x0002, 10, &[])), "7e000200000138123456780 00a397e".replace(' ', ""));
    let header = Header::new(0x0002, V2019, id("13812345678"), 10);
    assert_eq!(hex(&frame(header, &[])), "7e00024000010000000001381234567800 0a787e".replace(' ', ""));
}

#[test]
fn the_check_byte_can_be_escaped() {
    let raw = bytes("7e 0002 0000 013812345678 004d 7d02 7e");
    assert_eq!(message(0x0002, 0x4d, &[]), raw);
    let mut link = Link::logged_in();
    let out = link.only(&raw);
    assert_eq!((&out.raw, out.messages.len(), out.rejected.len()), (&raw, 1, 0));
}

#[test]
fn frames_share_or_double_their_delimiters() {
    let heartbeat = message(0x0002, 10, &[]);
    let shared = [&heartbeat[..], &heartbeat[1..], &heartbeat[1..]].concat();
    let doubled = [&heartbeat[..], &heartbeat, &heartbeat].concat();
    let flooded = [&[0x7e; 9][..], &heartbeat, &[0x7e; 9], &heartbeat, &heartbeat].concat();
    for stream in [shared, doubled, flooded] {
        let mut link = Link::logged_in();
        let out = link.only(&stream);
        assert_eq!(
            out.raw,
            [&heartbeat[..], &heartbeat, &heartbeat].concat(),
            "each has both its delimiters"
        );
        assert_eq!((out.messages.len(), out.rejected.len()), (3, 0));
    }
}

#[test]
fn a_flood_of_delimiters_is_passed_over() {
    let mut link = Link::logged_in();
    for _ in 0..100 {
        link.receive(&[0x7e; 1_000]).expect("no error");
        assert!(link.buffer.is_empty());
    }
    assert_eq!(link.out.rejected, []);
    link.receive(&message(0x0002, 1, &[])).expect("no error");
    assert_eq!(link.out.messages.len(), 1);
}

#[test]
fn bytes_before_the_first_delimiter_are_garbage() {
    let mut link = Link::new(OneTerminal::default());
    link.receive(&[b"GET / HTTP/1.1\r\n", &message(0x0102, 0, b"secret")[..]].concat()).expect("no error");
    assert_eq!(link.reasons(), [Garbage]);
    assert_eq!(
        (link.out.rejected[0].at, link.out.rejected[0].bytes),
        (0, 1),
        "counted once, at its beginning"
    );
    assert_eq!(link.out.messages.len(), 1);
}

#[test]
fn endless_bytes_without_a_delimiter_close_the_link() {
    for first in [&b""[..], b"\x7e"] {
        let mut link = Link::new(OneTerminal::default());
        link.receive(first).expect("no error");
        let mut sent = 0;
        let error = loop {
            match link.receive(&[0x55; 4_096]) {
                Ok(()) => sent += 4_096,
                Err(error) => break error,
            }
            assert!(sent < 200 * FRAME_BYTES_MAX, "it must end");
        };
        assert_eq!(error, SessionError::TooManyRejects);
    }
}

#[test]
fn an_over_long_frame_is_refused_without_waiting_for_its_end() {
    let mut link = Link::logged_in();
    link.receive(&[0x7e]).expect("no error");
    link.receive(&vec![0x55; FRAME_BYTES_MAX - 2]).expect("no error");
    assert_eq!(link.reasons(), [], "this could still be a frame");
    link.receive(&[0x55]).expect("no error");
    assert_eq!(link.reasons(), [TooLong]);
    assert!(link.buffer.is_empty());
    link.receive(&[&[0x55; 9][..], &message(0x0002, 1, &[])].concat()).expect("no error");
    assert_eq!(link.reasons(), [TooLong]);
    assert_eq!(link.out.messages.len(), 1, "the stream is found again");
}

#[test]
fn damaged_frames_are_refused_with_their_reason_and_get_no_answer() {
    for (raw, reason) in [
        ("7e 0002 0000 013812345678 000a 38 7e", Checksum),
        ("7e 0002 0000 013812345678 000a 7d05 7e", Escape),
        ("7e 0002 0000 013812345678 000a 7d 7e", Escape),
        ("7e 0002 0001 013812345678 000a 38 7e", Truncated),
        ("7e 0002 0000 013812345678 000a 00 39 7e", Length),
        ("7e 0002 7e", Truncated),
        ("7e 00024000 0100000000013812 7e", Truncated),
        ("7e 0002 2000 013812345678 000a 0001 7e", Truncated),
    ] {
        let mut link = Link::logged_in();
        let raw = bytes(raw);
        let out = link.only(&raw).clone();
        assert_eq!(link.reasons(), [reason], "{}", hex(&raw));
        assert_eq!((out.rejected[0].at, out.rejected[0].bytes), (0, raw.len()));
        assert!(out.raw.is_empty() && out.replies.is_empty() && out.immediate.is_empty());
        assert!(seen(&raw, &Profile::default()).1.is_err());
    }
}

#[test]
fn headers_of_all_editions_are_read() {
    let (header, body) =
        decode_message(&bytes("7e 0002 0000 013812345678 000a 39 7e"), &Profile::default()).expect("a frame");
    assert_eq!((header.message_id, header.version, header.serial), (2, Version::V2013, 10));
    assert_eq!((header.terminal.as_str(), header.terminal.key()), ("013812345678", "13812345678"));
    assert!(body.is_empty());
    let raw = bytes("7e 0002 4000 01 00000000013812345678 000a 78 7e");
    let (header, _) = decode_message(&raw, &Profile::default()).expect("a frame");
    assert_eq!((header.version, header.serial), (V2019, 10));
    assert_eq!((header.terminal.as_str(), header.terminal.key()), ("00000000013812345678", "13812345678"));
}

#[test]
fn an_imei_can_be_packed_into_the_terminal_field() {
    // 0x4eb6fb4afd9e is 86546092490142; Luhn of 49-015420-323751 is 8 (3GPP TS 23.003).
    let profile = Profile { id_form: IdForm::PackedImei, ..Profile::default() };
    let number = 49_015_420_323_751_u64;
    let packed = hex(&number.to_be_bytes()[2..]);
    let raw = frame(Header::new(0x0002, Version::V2013, id(&packed), 1), &[]);
    let (header, _) = decode_message(&raw, &profile).expect("a frame");
    assert_eq!(header.terminal.as_str(), "490154203237518");
    assert_eq!(frame(header, &[]), raw, "and is packed again");
    let (as_sent, _) = decode_message(&raw, &Profile::default()).expect("a frame");
    assert_eq!(as_sent.terminal.as_str(), packed);
    let digits = message(0x0002, 1, &[]);
    let (digits, _) = decode_message(&digits, &profile).expect("a frame");
    assert_eq!(digits.terminal.as_str(), "013812345678", "eleven digits are no packed IMEI");
}

#[test]
fn no_prefix_and_no_flipped_bit_of_a_frame_is_accepted() {
    let mut body = position();
    body.extend_from_slice(&bytes("0104 0001e240 0202 7e7d 3001 18 3101 0c"));
    for version in [Version::V2013, V2019] {
        let raw = frame(Header::new(0x0200, version, id("013812345678"), 0x7e), &body);
        assert!(seen(&raw, &Profile::default()).1.is_ok());
        for end in 0..raw.len() {
            assert!(seen(&raw[..end], &Profile::default()).1.is_err(), "prefix of {end} bytes");
            let mut link = link_of(version);
            assert!(link.only(&raw[..end]).messages.is_empty());
        }
        for bit in 0..raw.len() * 8 {
            let mut flipped = raw.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut link = link_of(version);
            assert!(link.only(&flipped).messages.is_empty(), "bit {bit} of {}", hex(&raw));
            assert!(seen(&flipped, &Profile::default()).1.is_err(), "bit {bit}");
        }
    }
}

/// A link on which the terminal has logged in with this shape of header.
fn link_of(version: Version) -> Link {
    let mut link = Link::new(OneTerminal::default());
    let body: &[u8] = if version == Version::V2013 { b"secret" } else { b"\x06secret" };
    link.receive(&frame(Header::new(0x0102, version, id("013812345678"), 0), body)).expect("no error");
    assert!(!link.out.logged_in.is_empty());
    link.out.clear();
    link
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_message_round_trips_in_as_many_packets_as_it_needs(
        message_id in any::<u16>(),
        serial in any::<u16>(),
        revised in any::<bool>(),
        digits in "[1-9][0-9]{10}",
        body in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x7d), Just(0x7e)], 0..5_000),
    ) {
        let version = if revised { V2019 } else { Version::V2013 };
        let header = Header::new(message_id, version, id(&digits), serial);
        let mut raw = Vec::new();
        let packets = encode_message(&header, &body, &mut raw).expect("short enough");
        prop_assert_eq!(usize::from(packets), body.len().div_ceil(1_023).max(1));
        let (back, back_body) = decode_message(&raw, &Profile::default()).expect("our own frames");
        prop_assert_eq!(back_body, body);
        prop_assert_eq!((back.message_id, back.version, back.serial), (message_id, version, serial));
        prop_assert_eq!(back.terminal.key(), digits);
    }
}
