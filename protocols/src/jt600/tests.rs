use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{hear, holds, only};
use crate::{Alarms, Fix, Observation, Status};

const W01: &[u8] = b"(3120000017,W01,09830.0000,E,1220.7407,S,A,150718,021010,36,272,20,6,31,5,20,20)";
const U06: &[u8] = b"(3300000017,U06,11,150718,021010,T,12.345678,S,98.500000,E,22.7,272,9,87%,00000001000000,11012,10,30,7,0,126,0,30)";
const P45: &[u8] = b"(2050000017,P45,150718,021010,12.345678,S,98.500000,E,A,23,272,1,1,0012260888,0,0,9,5)";

/// The place of every binary frame: 12.345678 S, 98.5 E, 20 knots, course 272.
const PLACE: [u8; 17] =
    [0x15, 0x07, 0x18, 0x02, 0x10, 0x10, 0x12, 0x20, 0x74, 0x07, 0x09, 0x83, 0x00, 0x00, 0x05, 0x20, 136];

fn short(version: u8, rest: [u8; 10]) -> Vec<u8> {
    let record = [&PLACE[..], &rest].concat();
    [&[b'$', 0x31, 0x50, 0x00, 0x00, 0x17, version << 4 | 1, 0, 54][..], &record, &record, &[7]].concat()
}

fn long() -> Vec<u8> {
    let rest = [0, 0, 0, 9, 8, 1, 2, 3, 4, 0x20, 0x28, 0x64, 1, 2, 3, 4, 28, 0xaa, 0x2f];
    [&[b'$', 0x75, 0x60, 0x00, 0x00, 0x17, 0x19, 0x11, 0, 36][..], &PLACE, &rest].concat()
}

fn probe() -> Vec<u8> {
    let rest =
        [0x15, 7, 0x18, 2, 0x10, 0x12, 0x10, 0x21, 0x22, 6, 0x18, b')', 0, 0, 0, 0, 1, 1, 0x13, 71, 0, 0, 0];
    [&b"(8000000017,1,168,WLNET,5,2,"[..], &PLACE, &rest, b")"].concat()
}

fn place(fix: &Fix) -> (i32, i32, i64, Option<u16>, bool) {
    (fix.lat_e7, fix.lon_e7, fix.fix_time.0, fix.course_deg, fix.is_valid())
}

const WANTED: (i32, i32, i64, Option<u16>, bool) =
    (-123_456_783, 985_000_000, 1_531_620_610_000, Some(272), true);

#[test]
fn texts_are_fixes() {
    let fix = only(Protocol::Jt600, W01).observations.fixes[0];
    assert_eq!((place(&fix), fix.speed_dkmh, fix.signal), (WANTED, Some(360), Some(31)));
    let found = only(Protocol::Jt600, U06);
    let fix = found.observations.fixes[0];
    assert_eq!(place(&fix), (-123_456_780, WANTED.1, WANTED.2, WANTED.3, true));
    assert_eq!((fix.speed_dkmh, fix.satellites, fix.odometer_m), (Some(365), Some(9), Some(7_000)));
    assert_eq!(
        (&found.attributes[0]["battery_percent"], &found.attributes[0]["event"]),
        (&json!(87), &json!(11))
    );
    let found = only(Protocol::Jt600, P45);
    assert_eq!(
        (place(&found.observations.fixes[0]).0, &found.attributes[0]["driver_id"]),
        (-123_456_780, &json!("0012260888"))
    );
    let found = only(Protocol::Jt600, b"(3300000017,U04)");
    assert_eq!(found.observations.other, [Observation::Other { message_id: 4 }]);
}

#[test]
fn binary_records_are_fixes() {
    let found = only(Protocol::Jt600, &short(1, [8, 3, 0, 0, 33, 1, 2, 3, 4, 21]));
    let fix = found.observations.fixes[1];
    assert_eq!((place(&fix), fix.speed_dkmh), (WANTED, Some(370)));
    assert_eq!((fix.satellites, fix.altitude_m, fix.signal), (Some(8), Some(33), Some(21)));
    assert_eq!(found.terminal, TerminalId::new("3150000017"));
    let found = only(Protocol::Jt600, &short(2, [1, 0x41, 0x04, 0, 0, 0, 0, 0, 9, 2]));
    let fix = found.observations.fixes[0];
    assert_eq!((fix.alarms, fix.odometer_m), (Alarms::EMERGENCY, Some(9_000)));
    assert!(fix.status.contains(Status::IGNITION.with(Status::DOOR_1_OPEN)));
    assert_eq!(found.attributes[0]["fuel_sensor"], 258);
    let found = only(Protocol::Jt600, &short(3, [0x12, 0x34, 0x56, 0x78, 0x90, 0, 9, 0, 0, 1]));
    assert_eq!(found.attributes[0]["fuel_sensors"], json!([0x123, 0x456, 0x789]));
    assert_eq!(found.observations.fixes[0].odometer_m, Some(9_000));
    let found = only(Protocol::Jt600, &long());
    let fix = found.observations.fixes[0];
    assert_eq!((place(&fix), fix.odometer_m, fix.alarms), (WANTED, Some(9_000), Alarms::POWER_LOST));
    assert_eq!((&found.attributes[0]["battery_percent"], found.unknown[0].hex.as_str()), (&json!(100), "aa"));
}

#[test]
fn a_probe_may_hold_a_parenthesis() {
    let found = only(Protocol::Jt600, &probe());
    assert_eq!(place(&found.observations.fixes[0]), WANTED);
    assert_eq!(found.attributes[0]["temperature_1_c"], 27.5);
    assert_eq!(found.attributes[0]["humidity_percent"], 71);
}

#[test]
fn what_wants_an_answer_gets_it() {
    let older = [&[b'$', 0x75, 0x60, 0x00, 0x00, 0x17, 0x17], &long()[7..]].concat();
    let stream = [U06, W01, P45, &long(), &older, &short(1, [0; 10])].concat();
    let (out, _) = hear(Protocol::Jt600, &stream, 11);
    assert_eq!((out.messages.len(), &out.replies[..]), (6, &b"(S20)(P69,0,9)(P69,0,47)(P35)"[..]));
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    holds(Protocol::Jt600, &[W01, &probe(), U06, &long(), P45, &short(2, [0xff; 10]), &short(3, [0; 10])]);
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed(
        time_s in 946_684_800_i64..4_102_444_800, lat in -53_999..=53_999_i64, lon in -107_999..=107_999_i64,
        course in 0..180_u16, satellites in any::<u8>(), altitude in 0..=i16::MAX, is_valid in any::<bool>(),
    ) {
        // Places of whole tenths of a minute.
        let place = Fix::placed(
            Some(UtcMillis(time_s * 1_000)), lat * 50_000 / 3, lon * 50_000 / 3, crate::profile::Datum::Wgs84,
        );
        let mut sent = Fix {
            course_deg: Some(course * 2),
            satellites: Some(satellites),
            altitude_m: Some(altitude),
            signal: Some(20),
            speed_dkmh: Some(37),
            ..place
        };
        sent.set_valid(is_valid);
        let mut raw = Vec::new();
        encode_record(&TerminalId::new("3150000017").unwrap(), 7, &sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        let found = out.fixes[0];
        prop_assert!((found.lat_e7 - sent.lat_e7).abs() <= 17 && (found.lon_e7 - sent.lon_e7).abs() <= 17);
        let same = Fix { lat_e7: sent.lat_e7, lon_e7: sent.lon_e7, status: sent.status, quality: sent.quality, ..found };
        prop_assert_eq!(same, sent);
    }
}

#[test]
fn a_text_that_ends_before_the_words_of_a_probe_ends_there_whole_and_in_pieces() {
    let stream = [&b"(80)42,1,168,WLNET,5,2,"[..], &[0x25; 40], b")"].concat();
    assert_eq!(sentence::cut(&stream), Cut::Frame(4));
    assert_eq!(sentence::cut(&stream[..4]), Cut::Frame(4));
}
