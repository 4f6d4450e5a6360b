//! Ruptela: frames encoded by hand after the public description, its answers, its commands.

use motorpool_protocols::ruptela::{encode_frame, encode_records, frame};
use motorpool_protocols::{Alarms, Fix, Observation, Quantity, Reading, RejectReason, Status};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const IMEI: u64 = 350_000_000_000_017;
/// What the description answers records with.
const RECORDS_ANSWER: &str = "0002 64 01 13BC";
/// What the description answers trouble codes with.
const CODES_ANSWER: &str = "0002 6D 01 C4A4";

fn frame(command: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(IMEI, command, content, &mut out);
    out
}

/// The head of a record of message 68, with its extension byte: at 10 E, 50 N.
fn head(extension: u8) -> Vec<u8> {
    let mut head = bytes("65536C80 00 00 00 05F5E100 1DCD6500 04D2 2328 0A 0032 09 0000");
    head[5] = extension;
    head
}

/// One record in two parts.
fn in_parts() -> Vec<u8> {
    let first = bytes("04 0002 01 0004 01 0199 01 0086 01  02 001D 3160 005E 1C20  01 0041 000186A0  00");
    let second = bytes("00  00  00  03 0068 4C54455354303030 0069 3030303030303030 006A 3100000000000000");
    frame(frame::EXTENDED_RECORDS, &[&[0, 2][..], &head(0x10), &first, &head(0x11), &second].concat())
}

/// Two trouble codes at two places.
fn codes() -> Vec<u8> {
    let one = bytes("00 65536C80 05F5E100 1DCD6500 01 5030333031");
    let two = bytes("00 65536C81 05F5E100 1DCD6500 02 5530313030");
    frame(9, &[&[2][..], &one, &two].concat())
}

pub(crate) fn golden() -> Vec<Vec<u8>> {
    let plain = bytes("00 01 65536C80 00 00 05F5E100 1DCD6500 04D2 2328 0A 0032 09 07 01 05 01 00 00 00");
    let nowhere = bytes("00 01 65536C80 00 00 80000000 80000000 8000 FFFF FF FFFF FF 07 00 01 1D 3160 00 00");
    vec![
        frame(frame::RECORDS, &plain),
        frame(frame::RECORDS, &nowhere),
        in_parts(),
        codes(),
        frame(15, &[1; 20]),
        frame(7, b"version 1.2"),
    ]
}

fn link() -> Link {
    Link::new(Protocol::Ruptela, Transport::Stream)
}

#[test]
fn records_and_codes_are_answered_as_the_description_says() {
    let mut link = link();
    link.receive(&[in_parts(), codes()].concat()).unwrap();
    assert_eq!(link.out.replies, bytes(&[RECORDS_ANSWER, CODES_ANSWER].concat()));
    assert_eq!(link.session.terminal().unwrap().as_str(), "350000000000017");
}

#[test]
fn a_refused_terminal_hears_00_and_an_unavailable_server_nothing() {
    let mut refused = Link::at(Protocol::Ruptela, Transport::Stream, Door::closed());
    refused.receive(&in_parts()).unwrap();
    assert_eq!(refused.out.immediate[..4], [0, 2, 100, 0]);
    assert!(refused.out.raw.is_empty() && refused.out.replies.is_empty());
    let mut unavailable = Link::at(Protocol::Ruptela, Transport::Stream, Door::unavailable());
    unavailable.receive(&in_parts()).unwrap();
    assert!(unavailable.out.immediate.is_empty() && unavailable.out.raw.is_empty());
}

#[test]
fn the_parts_of_a_record_are_one_fix() {
    let found = described(Protocol::Ruptela, &in_parts());
    let [fix] = found.observations.fixes.as_slice() else { panic!("{:?}", found.observations.fixes) };
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.altitude_m), (500_000_000, 100_000_000, Some(123)));
    assert_eq!((fix.course_deg, fix.speed_dkmh, fix.satellites), (Some(90), Some(500), Some(10)));
    assert_eq!((fix.engine_rpm, fix.odometer_m), (Some(1_800), Some(100_000)));
    assert!(fix.status.contains(Status::IGNITION));
    assert_eq!(fix.alarms, Alarms::HARSH_BRAKING);
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({"hdop": 0.9, "inputs": 5, "supply_v": 12.64, "obd": {"vin": "LTEST000000000001"}})
    );
}

#[test]
fn a_record_without_a_place_is_no_fix_but_has_readings() {
    let found = observed(Protocol::Ruptela, &golden()[1]);
    assert!(found.fixes.is_empty());
    let at = Some(UtcMillis(1_699_966_080_000));
    let readings = vec![Reading::new(Quantity::Event, 7_000), Reading::new(Quantity::Supply, 12_640)];
    assert_eq!(found.other, [Observation::Readings { at, readings }]);
}

#[test]
fn trouble_codes_have_a_place_and_a_time() {
    let found = observed(Protocol::Ruptela, &codes());
    assert_eq!(found.fixes.len(), 2);
    let code =
        |ms, code: &str| Observation::TroubleCodes { at: Some(UtcMillis(ms)), codes: vec![code.into()] };
    assert_eq!(found.other, [code(1_699_966_080_000, "P0301"), code(1_699_966_081_000, "U0100")]);
}

#[test]
fn records_before_a_broken_one_are_kept() {
    let record = [head(0), bytes("00 00 00 00")].concat();
    let raw = frame(frame::EXTENDED_RECORDS, &[&[0, 2][..], &record, &record[..20]].concat());
    let found = observed(Protocol::Ruptela, &raw);
    assert_eq!((found.fixes.len(), found.malformed_items), (1, 1));
}

#[test]
fn a_wrong_checksum_is_refused_without_an_answer() {
    let mut link = link();
    let mut raw = in_parts();
    raw[30] ^= 1;
    link.receive(&raw).unwrap();
    assert_eq!(link.out.rejected[0].reason, RejectReason::Checksum);
    assert!(link.out.replies.is_empty() && link.out.immediate.is_empty());
}

#[test]
fn a_text_goes_down_and_its_answer_is_shown() {
    let mut link = link();
    link.receive(&golden()[4]).unwrap();
    let terminal = link.session.terminal().unwrap();
    assert_eq!(link.session.send(&terminal, 8, b" getio", &mut link.out), Some(1));
    assert_eq!(link.out.immediate[..9], *b"\x00\x07\x08 getio");
    assert_eq!(described(Protocol::Ruptela, &golden()[5]).body, json!({"result": "version 1.2"}));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        seconds in 0..=u32::MAX,
        (lat, lon) in (-900_000_000_i32..=900_000_000, -1_800_000_000_i32..=1_800_000_000),
        (altitude, speed, course, satellites) in (0..6_000_i16, 0..1_000_u16, 0..360_u16, 0..40_u8),
        odometer in proptest::option::of(any::<u32>()),
    ) {
        let mut fix = Fix::new(UtcMillis(i64::from(seconds) * 1_000), lat, lon);
        fix.altitude_m = Some(altitude);
        fix.speed_dkmh = Some(speed * 10);
        fix.course_deg = Some(course);
        fix.satellites = Some(satellites);
        fix.odometer_m = odometer;
        let mut content = Vec::new();
        encode_records(&[fix, fix], &mut content);
        let found = observed(Protocol::Ruptela, &frame(frame::EXTENDED_RECORDS, &content)).fixes;
        prop_assert_eq!(found.len(), 2);
        for found in found {
            prop_assert_eq!((found.fix_time, found.lat_e7, found.lon_e7), (fix.fix_time, lat, lon));
            prop_assert_eq!(
                (found.altitude_m, found.speed_dkmh, found.course_deg, found.satellites, found.odometer_m),
                (fix.altitude_m, fix.speed_dkmh, fix.course_deg, fix.satellites, fix.odometer_m)
            );
        }
    }
}
