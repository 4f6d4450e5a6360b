use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{holds, only, read_both_ways};
use crate::{Alarms, Fix, Quality, Status, TerminalId};

fn terminal() -> TerminalId {
    TerminalId::new("860000000000017").unwrap()
}

fn frame(command: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(b'K', &terminal(), command, body, &mut out);
    out
}

const REPORT: &[u8] =
    b"37,-12.345678,98.500000,180715021010,A,9,21,36.5,271,0.8,-7,123456,7200,460|0|2795|0E57,\
    0503,0001|0002||02D3|0103,00A1B2C3,,3,0000";

/// One record of `CCC`: event 23 at 12.345678 N, 98.5 W.
fn fixed_record() -> Vec<u8> {
    let mut record = vec![23];
    record.extend_from_slice(&12_345_678_i32.to_le_bytes());
    record.extend_from_slice(&(-98_500_000_i32).to_le_bytes());
    // 2018-07-15T02:10:10Z
    record.extend_from_slice(&584_935_810_u32.to_le_bytes());
    record.extend_from_slice(&[1, 8, 20, 36, 0, 15, 1, 12, 0, 0xf9, 0xff]);
    record.extend_from_slice(&123_456_u32.to_le_bytes());
    record.extend_from_slice(&7_200_u32.to_le_bytes());
    record.extend_from_slice(&[0xcc, 1, 0, 0, 1, 0, 2, 0, 5, 3, 3, 0, 0xa1, 1, 0xc2, 4, 0, 0, 0, 0]);
    record
}

fn fixed() -> Vec<u8> {
    let record = fixed_record();
    frame("CCC", &[&[2, 1, 52, 0, 9, 0, 0, 0][..], &record, &record].concat())
}

fn items() -> Vec<u8> {
    let mut record = vec![15, 0];
    record.extend_from_slice(&[6, 0x01, 19, 0x05, 1, 0x06, 7, 0x47, 2, 0xfe, 0x69, 80, 0x77, 9]);
    record.extend_from_slice(&[3, 0x08, 36, 0, 0x0b, 0xf9, 0xff, 0x1a, 0x5a, 0x05]);
    record.extend_from_slice(&[4, 0x02]);
    record.extend_from_slice(&12_345_678_i32.to_le_bytes());
    record.push(0x03);
    record.extend_from_slice(&(-98_500_000_i32).to_le_bytes());
    record.push(0x04);
    record.extend_from_slice(&584_935_810_u32.to_le_bytes());
    record.push(0x25);
    record.extend_from_slice(&4_711_u32.to_le_bytes());
    record.extend_from_slice(&[2, 0x2a, 3, 1, 0x0c, 0xfe, 0xfe, 0x73, 16, 1, 3]);
    record.extend_from_slice(b"cab\x01\x02\x03\x04\x05\x06\x64\x80\xf5\x80\x32");
    let length = u16::try_from(record.len()).unwrap().to_le_bytes();
    frame("CCE", &[&[3, 0, 0, 0, 1, 0][..], &length, &record].concat())
}

#[test]
fn a_report_as_text_is_a_fix_with_its_readings() {
    let found = only(Protocol::Meitrack, &frame("AAA", REPORT));
    let fix = found.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_780, 985_000_000, 1_531_620_610_000));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.altitude_m), (Some(365), Some(271), Some(-7)));
    assert_eq!((fix.satellites, fix.signal, fix.odometer_m), (Some(9), Some(21), Some(123_456)));
    assert_eq!(fix.quality, Quality::IGNITION_UNKNOWN);
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({"event": 37, "hdop": 0.8, "hours_h": 2, "inputs": 5, "outputs": 3, "driver_id": "00A1B2C3",
               "cell": "460|0|2795|0E57", "analog": [1, 2, null, 0x2d3, 0x103], "further_fields": ["", "3", "0000"]})
    );
    assert_eq!(
        (found.terminal, found.serial, found.name),
        (Some(terminal()), Some(u32::from(b'K')), "report")
    );
}

#[test]
fn records_of_a_fixed_form_are_fixes() {
    let found = only(Protocol::Meitrack, &fixed());
    let [fix, _] = found.observations.fixes[..] else { panic!("two fixes") };
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (123_456_780, -985_000_000, 1_531_620_610_000));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.altitude_m), (Some(360), Some(271), Some(-7)));
    assert_eq!((fix.alarms, fix.status), (Alarms::POWER_LOST, Status::POSITIONED.with(Status::WEST)));
    let shown = &found.attributes[1];
    assert_eq!(
        [&shown["battery_v"], &shown["supply_v"], &shown["analog_1_v"], &shown["hdop"], &shown["inputs"]],
        [&json!(4.17), &json!(12.18), &json!(0.03), &json!(1.2), &json!(5)]
    );
    assert_eq!(found.body, json!({"records_cached": 9}));
}

#[test]
fn records_of_numbered_items_are_fixes_and_unknown_items_are_kept() {
    let found = only(Protocol::Meitrack, &items());
    let fix = found.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (123_456_780, -985_000_000, 1_531_620_610_000));
    assert_eq!((fix.alarms, fix.altitude_m, fix.speed_dkmh), (Alarms::OVERSPEED, Some(-7), Some(360)));
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({"event": 19, "battery_percent": 80, "supply_v": 13.7, "temperature_1_c": -5, "lock": true,
               "driver_id": "4711", "tag_name": "cab", "tag_address": "010203040506", "tag_battery_percent": 100,
               "tag_temperature_c": -10.5, "tag_humidity_percent": 50.5})
    );
    assert_eq!((found.unknown[0].id.as_str(), found.unknown[0].hex.as_str()), ("0x77", "09"));
    assert_eq!(found.observations.malformed_items, 0);
}

#[test]
fn a_wrong_sum_or_length_is_a_wrong_check() {
    let right = frame("AAA", REPORT);
    let mut wrong_sum = right.clone();
    wrong_sum[30] ^= 1;
    let text = String::from_utf8(right).unwrap();
    for wrong in [wrong_sum, text.replacen("$$K1", "$$K2", 1).into_bytes()] {
        assert_eq!(Meitrack::default().hear(&wrong).map(|heard| heard.check_is_right), Ok(false));
        assert!(read_both_ways(Protocol::Meitrack, &wrong).is_none());
    }
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    let frames =
        [frame("AAA", REPORT), fixed(), items(), frame("D03", b"OK"), frame("D00", b"a.jpg,2,0,\r\n$$\xff")];
    holds(Protocol::Meitrack, &frames.each_ref().map(Vec::as_slice));
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed(
        time_s in 946_684_800_i64..4_102_444_800, lat_e7 in -900_000_000..=900_000_000_i64,
        lon_e7 in -1_800_000_000..=1_800_000_000_i64, altitude_m in any::<Option<i16>>(),
        speed_dkmh in any::<Option<u16>>(), course_deg in prop::option::of(0..360_u16),
        satellites in any::<Option<u8>>(), odometer_m in any::<Option<u32>>(), is_valid in any::<bool>(),
    ) {
        let place = Fix::placed(Some(UtcMillis(time_s * 1_000)), lat_e7, lon_e7, crate::profile::Datum::Wgs84);
        let mut sent = Fix { altitude_m, speed_dkmh, course_deg, satellites, odometer_m, ..place };
        sent.set_valid(is_valid);
        let mut raw = Vec::new();
        encode_report(b'A', &terminal(), &sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        let found = Fix { extra: sent.extra, ..out.fixes[0] };
        prop_assert_eq!(found, sent);
    }
}

proptest! {
    #[test]
    fn a_record_that_is_encoded_is_observed(
        time_s in 946_684_800_i64..4_102_444_800, place in (-90_000_000..=90_000_000_i64, -180_000_000..=180_000_000_i64),
        altitude_m in any::<i16>(), kmh in 0..6_000_u16, course_deg in 0..360_u16, satellites in any::<u8>(),
        signal in any::<u8>(), odometer_m in any::<u32>(), is_valid in any::<bool>(),
    ) {
        let time = Some(UtcMillis(time_s * 1_000));
        let mut sent = Fix {
            altitude_m: Some(altitude_m),
            speed_dkmh: Some(kmh * 10),
            course_deg: Some(course_deg),
            satellites: Some(satellites),
            signal: Some(signal),
            odometer_m: Some(odometer_m),
            ..Fix::placed(time, place.0 * 10, place.1 * 10, crate::profile::Datum::Wgs84)
        };
        sent.set_valid(is_valid);
        let mut raw = Vec::new();
        encode_record(b'A', &terminal(), &sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        prop_assert_eq!(out.fixes.len(), 1);
        let found = Fix { extra: sent.extra, ..out.fixes[0] };
        prop_assert_eq!(found, sent);
    }
}

#[test]
fn a_line_that_ended_is_not_taken_for_the_head_of_records() {
    let stream = [b"$$K60,86000\r\n0017,CCE,".as_slice(), &[0; 90]].concat();
    let whole = crate::trial::hear(Protocol::Meitrack, &stream, stream.len()).0;
    let pieces = crate::trial::hear(Protocol::Meitrack, &stream, 13).0;
    let lengths = |out: &crate::Outbox| out.rejected.iter().map(|each| each.bytes).next();
    assert_eq!(lengths(&whole), lengths(&pieces));
}

#[test]
fn commands_are_the_makers_examples() {
    let terminal = TerminalId::new("353358017784062").unwrap();
    for (flag, command, wanted) in [
        (b'Q', "A10", "@@Q25,353358017784062,A10*6A\r\n"),
        (b'V', "A12,6", "@@V27,353358017784062,A12,6*D5\r\n"),
    ] {
        let mut written = Vec::new();
        frame::encode_command(flag, &terminal, command, &mut written);
        assert_eq!(String::from_utf8(written).unwrap(), wanted);
    }
    assert_eq!([1, 25, 26, 27].map(frame::flag_of), *b"BZAB");
}
