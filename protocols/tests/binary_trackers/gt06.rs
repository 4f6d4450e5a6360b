//! The GT06 family: the examples of Concox's document, the answers, the command down.

use motorpool_protocols::gt06::{encode_frame, encode_log_in, encode_position};
use motorpool_protocols::{
    Alarms, Fix, Observation, Quality, Quantity, Reading, RejectReason, Status, reading,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The document's log-in.
const LOG_IN: &str = "78 78 0D 01 01 23 45 67 89 01 23 45 00 01 8C DD 0D 0A";
/// A heartbeat; the document answers one with this serial.
const HEARTBEAT: &str = "78 78 0A 13 4B 04 03 00 01 00 11 63 4F 0D 0A";
/// The document's position.
const POSITION: &str = "78 78 1F 12 0B 08 1D 11 2E 10 CF 02 7A C7 EB 0C 46 58 49 00 14 8F 01 CC 00 28 7D 00 1F B8 00 03 80 81 0D 0A";

fn frame(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(number, content, 9, &mut out);
    out
}

/// The document's block of a position.
fn block() -> Vec<u8> {
    bytes(POSITION)[4..22].to_vec()
}

pub(crate) fn golden() -> Vec<Vec<u8>> {
    let cell = bytes("01CC 00 287D 001FB8");
    let state = bytes("09 01CC 00 287D 001FB8 44 04 03 01 02");
    let modules = bytes("000927 0F 00 18 00 02 01 92");
    vec![
        bytes(LOG_IN),
        bytes(HEARTBEAT),
        bytes(POSITION),
        frame(0x16, &[block(), state].concat()),
        frame(0x22, &[&block()[..], &cell, &[1, 4, 1, 0, 0, 0x30, 0x39]].concat()),
        frame(0x8a, &[]),
        frame(0x15, b"\x0a\x00\x00\x00\x05STATUS\x00\x02"),
        frame(0x70, &modules),
        // Long enough for the long length.
        frame(0x21, &[&[0, 0, 0, 1, 1][..], &[b'x'; 300]].concat()),
        frame(0x99, &[1, 2, 3]),
    ]
}

fn link() -> Link {
    let mut link = Link::new(Protocol::Gt06, Transport::Stream);
    link.receive(&bytes(LOG_IN)).expect("the link stays open");
    link
}

#[test]
fn the_documents_examples_are_answered_as_the_document_says() {
    let mut link = link();
    assert_eq!(link.session.terminal().unwrap().as_str(), "123456789012345");
    link.receive(&bytes(HEARTBEAT)).unwrap();
    // A position has no answer.
    link.receive(&bytes(POSITION)).unwrap();
    assert_eq!(link.out.replies, bytes("78 78 05 01 00 01 D9 DC 0D 0A  78 78 05 13 00 11 F9 70 0D 0A"));
    assert_eq!(link.out.messages.len(), 3);
}

#[test]
fn the_documents_position_is_where_it_says() {
    let fix = observed(Protocol::Gt06, &bytes(POSITION)).fixes[0];
    assert_eq!(fix.fix_time.to_string(), "2011-08-29T17:46:16Z");
    assert_eq!((fix.lat_e7, fix.lon_e7), (231_116_683, 1_144_092_850));
    assert_eq!((fix.course_deg, fix.speed_dkmh, fix.satellites), (Some(143), Some(0), Some(15)));
    assert_eq!((fix.status, fix.quality), (Status::POSITIONED, Quality::IGNITION_UNKNOWN));
    assert_eq!(
        described(Protocol::Gt06, &bytes(POSITION)).attributes[0]["cell"],
        json!([460, 0, 10365, 8120])
    );
}

#[test]
fn a_heartbeat_tells_its_state() {
    let found = observed(Protocol::Gt06, &bytes(HEARTBEAT)).other;
    let readings = vec![
        Reading::new(Quantity::Ignition, 1_000),
        Reading::new(Quantity::Charging, 0),
        Reading::new(Quantity::BatteryPercent, 66_000),
        Reading::new(Quantity::Signal, 3_000),
    ];
    assert_eq!(found, [Observation::Heartbeat, Observation::Readings { at: None, readings }]);
    // Bits 3 to 5 of 0x4B are a vibration alarm.
    assert_eq!(described(Protocol::Gt06, &bytes(HEARTBEAT)).body["alarms"], json!(["vibration"]));
}

#[test]
fn an_alarm_is_raised_on_its_fix_and_answered() {
    let raw = golden()[3].clone();
    let found = observed(Protocol::Gt06, &raw);
    let fix = found.fixes[0];
    assert_eq!(fix.alarms, Alarms::EMERGENCY);
    assert!(!fix.status.contains(Status::IGNITION) && !fix.quality.contains(Quality::IGNITION_UNKNOWN));
    let extra: Vec<_> = reading::readings(found.extra_of(&fix)).collect();
    assert!(extra.contains(&Reading::new(Quantity::Event, 1_000)), "{extra:?}");
    let mut link = link();
    link.out.clear();
    link.receive(&raw).unwrap();
    assert_eq!(link.out.replies, frame(0x16, &[]));
}

#[test]
fn a_position_out_of_memory_is_marked() {
    let fix = observed(Protocol::Gt06, &golden()[4]).fixes[0];
    assert!(fix.quality.contains(Quality::BACKFILL) && fix.status.contains(Status::IGNITION));
    assert_eq!(fix.odometer_m, Some(12_345));
}

#[test]
fn a_question_for_the_time_is_answered_in_utc() {
    let mut link = link();
    link.out.clear();
    link.receive(&frame(0x8a, &[])).unwrap();
    assert_eq!(link.out.replies, frame(0x8a, &[26, 1, 2, 3, 4, 5]));
}

#[test]
fn nobody_who_is_refused_or_unknown_is_answered_or_stored() {
    for door in [Door::closed(), Door::unavailable()] {
        let mut link = Link::at(Protocol::Gt06, Transport::Stream, door);
        link.receive(&[bytes(LOG_IN), bytes(POSITION)].concat()).unwrap();
        assert!(link.out.raw.is_empty() && link.out.replies.is_empty() && link.out.immediate.is_empty());
        assert_eq!(link.out.rejected.len(), 2);
    }
}

#[test]
fn a_wrong_checksum_is_refused_and_costs_one_frame() {
    let mut link = link();
    let mut damaged = bytes(POSITION);
    damaged[10] ^= 1;
    link.receive(&[damaged, bytes(HEARTBEAT)].concat()).unwrap();
    assert_eq!(link.out.rejected[0].reason, RejectReason::Checksum);
    assert_eq!(link.stored(), [bytes(LOG_IN), bytes(HEARTBEAT)]);
}

#[test]
fn a_wifi_message_without_a_tail_is_taken_only_when_its_structure_fits() {
    let good = bytes("78 78 01 69 260102030405 0a0b0c0d0e0f28 01 01cc00 28660f2132 0d0a");
    let mut link = link();
    link.out.clear();
    link.receive(&good).unwrap();
    assert_eq!(link.stored(), [good.as_slice()]);
    assert_eq!(link.out.replies, bytes("78 78 00 69 260102030405 0d0a"));
    assert!(observed(Protocol::Gt06, &good).fixes.is_empty());
    let mut short = good;
    short.remove(20);
    link.receive(&short).unwrap();
    assert_eq!(link.out.rejected[0].reason, RejectReason::Length);
}

#[test]
fn a_command_goes_down_with_its_serial_in_the_server_flag() {
    let mut link = link();
    let terminal = TerminalId::new("123456789012345").unwrap();
    let serial = link.session.send(&terminal, 0x80, b"STATUS#", &mut link.out).unwrap();
    assert_eq!(serial, 1);
    let mut wanted = Vec::new();
    encode_frame(0x80, b"\x0b\x00\x00\x00\x01STATUS#\x00\x02", 1, &mut wanted);
    assert_eq!(link.out.immediate, wanted);
    let stranger = TerminalId::new("999999999999999").unwrap();
    assert_eq!(link.session.send(&stranger, 0x80, b"STATUS#", &mut link.out), None);
    assert_eq!(link.session.send(&terminal, 0x80, &[b'x'; 252], &mut link.out), None);
}

#[test]
fn the_answer_to_a_command_is_shown_with_its_flag() {
    let found = described(Protocol::Gt06, &golden()[6]);
    assert_eq!(
        (found.body["server_flag"].clone(), found.body["result"].clone()),
        (json!(5), json!("STATUS"))
    );
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        seconds in 946_684_800_i64..4_000_000_000,
        lat in -900_000_000_i32..=900_000_000,
        lon in -1_800_000_000_i32..=1_800_000_000,
        (course, speed, satellites) in (0..360_u16, 0..=255_u16, 0..16_u8),
        (ignition, valid) in (any::<bool>(), any::<bool>()),
        odometer in any::<u32>(),
    ) {
        let mut fix = Fix::new(UtcMillis(seconds * 1_000), lat, lon);
        fix.course_deg = Some(course);
        fix.speed_dkmh = Some(speed * 10);
        fix.satellites = Some(satellites);
        fix.odometer_m = Some(odometer);
        fix.status = if ignition { Status::IGNITION } else { Status(0) };
        fix.quality = if valid { Quality(0) } else { Quality::NOT_POSITIONED };
        let mut raw = Vec::new();
        encode_position(&fix, 1, &mut raw);
        let found = observed(Protocol::Gt06, &raw).fixes[0];
        // The wire counts 1/30,000 minutes, 5.6e-7 degrees.
        prop_assert!((found.lat_e7 - lat).abs() <= 3 && (found.lon_e7 - lon).abs() <= 3);
        prop_assert_eq!(found.fix_time, fix.fix_time);
        prop_assert_eq!(
            (found.course_deg, found.speed_dkmh, found.satellites, found.odometer_m),
            (fix.course_deg, fix.speed_dkmh, fix.satellites, fix.odometer_m)
        );
        prop_assert_eq!(found.status.contains(Status::IGNITION), ignition);
        prop_assert_eq!(found.is_valid(), valid);
    }

    #[test]
    fn a_log_in_names_its_terminal(name in "[1-9][0-9]{0,14}") {
        let terminal = TerminalId::new(&name).unwrap();
        let mut raw = Vec::new();
        prop_assert!(encode_log_in(&terminal, 1, &mut raw));
        let mut link = Link::new(Protocol::Gt06, Transport::Stream);
        link.receive(&raw).unwrap();
        let heard = link.session.terminal().unwrap();
        prop_assert_eq!(heard.key(), name.as_str());
    }
}
