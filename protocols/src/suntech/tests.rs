use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{hear, holds, only};
use crate::{Alarms, Fix, Quality, Status};

const STATUS: &[u8] =
    b"ST300STT;900000017;40;313;20180715;02:10:10;c99e48;-12.345678;+098.500000;036.512;271.77;7;1;\
    997100;14.10;110010;2;8384;003634;4.1;0;0.00;;00A1B2C3D4E5F6;1;28AA000000000001:+13.7;:;2:-2.5\r";
const EXTERNAL: &[u8] =
    b"ST600UEX;900000017;20;568;20180715;02:10:10;0bf1;334;20;2f19;18;+20.500000;-100.700000;000.004;\
    000.00;10;1;10377861;12.96;000000;25;N_0=0010.0;N_1=000F.0\r;\r\n;B4;000060;4.1;1\r";
const ALERT: &[u8] =
    b"ALT;0900000017;FFFFFF;95;1.0.11;0;20180715;02:10:10;02F2F402;334;20;5B11;28;-12.345678;+98.500000;\
    36.50;271.77;17;1;00000101;00000001;42;2;1440;;00000005;+23.0;0002\r";
const FOUR: &[u8] =
    b"ST410STT;900000017;426;01;1;2;3;-65;5;0;1;2;3;4;5;0;1;2;3;4;5;0;1;2;3;4;5;0;1;2;3;4;5;0;1;2;3;4;\
    5;0;1;2;3;4;5;0;3.98;0;0176;2;016;20180715;02:10:10;-12.345678;+098.500000;036.512;271.77;6;1;201\r";
const NINE: &[u8] =
    b"ST910;Emergency;900017;410;20180715;02:10:10;7574;-12.345678;+098.500000;036.512;271.77;0;228638;1\r";

/// An alert (number 41) as zip.
const ZIP: &[u8] = &[
    0x02,
    0,
    48,
    0x13,
    0x90,
    0x00,
    0x00,
    0x01,
    0x70,
    40,
    0x81,
    0x3f,
    18,
    7,
    15,
    2,
    10,
    10,
    1,
    2,
    3,
    12,
    0x34,
    0x56,
    0x78,
    98,
    0x50,
    0x00,
    0x00,
    0,
    36,
    0x51,
    1,
    15,
    0x77,
    0b1100_0111,
    0,
    15,
    0x36,
    0xec,
    14,
    0x10,
    0b01_0011,
    41,
    0,
    0,
    0,
    60,
    4,
    0x10,
    1,
    0x03,
];
/// A status as universal binary.
const BINARY: &[u8] = &[
    0x81, 0, 49, 0x09, 0x00, 0x00, 0x00, 0x17, 0x3f, 0xff, 0xff, 52, 1, 0, 3, 0, 18, 7, 15, 2, 10, 10, 0, 0,
    0, 1, 1, 2, 0, 20, 0, 3, 28, 0x80, 0xbc, 0x61, 0x4e, 0x05, 0xde, 0xfd, 0xa0, 0x0e, 0x42, 0x6a, 0x29, 7,
    1, 5, 1, 1, 0, 7,
];

fn place(fix: &Fix) -> (i32, i32, i64, Option<u16>, Option<u16>) {
    (fix.lat_e7, fix.lon_e7, fix.fix_time.0, fix.speed_dkmh, fix.course_deg)
}

const PLACE: (i32, i32, i64, Option<u16>, Option<u16>) =
    (-123_456_780, 985_000_000, 1_531_620_610_000, Some(365), Some(272));

#[test]
fn a_status_is_a_fix_with_what_its_model_adds() {
    let found = only(Protocol::Suntech, STATUS);
    let fix = found.observations.fixes[0];
    assert_eq!(place(&fix), PLACE);
    assert_eq!((fix.satellites, fix.odometer_m), (Some(7), Some(997_100)));
    assert!(fix.status.contains(Status::IGNITION.with(Status::POSITIONED)));
    assert_eq!(fix.quality, Quality::BACKFILL);
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({"supply_v": 14.1, "inputs": 1, "outputs": 1, "hours_h": 60.567, "battery_v": 4.1,
               "driver_id": "00A1B2C3D4E5F6", "temperature_1_c": 13.7, "temperature_3_c": -2.5,
               "further_fields": ["0.00", "", "1"]})
    );
    assert_eq!((found.terminal, found.name), (TerminalId::new("900000017"), "status_report"));
}

#[test]
fn external_data_may_hold_line_ends() {
    let found = only(Protocol::Suntech, EXTERNAL);
    let shown = &found.attributes[0];
    assert_eq!(
        (&shown["fuel_sensor"], &shown["hours_h"], &shown["battery_v"]),
        (&json!(31), &json!(1), &json!(4.1))
    );
    assert_eq!(shown["serial"], "N_0=0010.0;N_1=000F.0\r;");
}

#[test]
fn a_mask_names_the_fields_of_a_universal_report() {
    let found = only(Protocol::Suntech, ALERT);
    let fix = found.observations.fixes[0];
    assert_eq!(place(&fix), PLACE);
    assert_eq!((fix.alarms, fix.signal), (Alarms::EMERGENCY, Some(28)));
    assert!(fix.status.contains(Status::IGNITION));
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({"event": 42, "inputs": 5, "outputs": 1, "cell": "02F2F402", "alert_modifier": "2",
               "alert_data": "1440", "assign1": "+23.0", "assign3": "0002"})
    );
}

#[test]
fn the_other_texts_find_date_and_place() {
    let four = only(Protocol::Suntech, FOUR);
    assert_eq!(place(&four.observations.fixes[0]), PLACE);
    assert_eq!(four.attributes[0]["battery_v"], 3.98);
    assert!(four.observations.fixes[0].quality.contains(Quality::BACKFILL));
    let nine = only(Protocol::Suntech, NINE);
    let fix = nine.observations.fixes[0];
    assert_eq!(place(&fix), PLACE);
    assert_eq!((fix.alarms, fix.odometer_m, fix.is_valid()), (Alarms::EMERGENCY, Some(228_638), false));
    assert_eq!(nine.terminal, TerminalId::new("900017"));
}

#[test]
fn both_binary_forms_say_the_same_place() {
    let zip = only(Protocol::Suntech, ZIP);
    let fix = zip.observations.fixes[0];
    assert_eq!(place(&fix), PLACE);
    assert_eq!((fix.satellites, fix.odometer_m, fix.alarms), (Some(7), Some(997_100), Alarms::POWER_LOST));
    assert_eq!((zip.terminal, zip.version, zip.name), (TerminalId::new("900000017"), "zip", "alert_report"));
    assert_eq!(
        serde_json::Value::Object(zip.attributes[0].clone()),
        json!({"supply_v": 14.1, "inputs": 1, "outputs": 1, "event": 41, "hours_h": 1, "battery_v": 4.1,
               "cell": "010203"})
    );
    let universal = only(Protocol::Suntech, BINARY);
    let fix = universal.observations.fixes[0];
    assert_eq!(place(&fix), PLACE);
    assert_eq!(fix.quality, Quality::BACKFILL);
    assert_eq!(universal.terminal, TerminalId::new("0900000017"));
}

#[test]
fn what_is_no_report_is_refused_or_shown() {
    let (out, _) = hear(Protocol::Suntech, b"-Error\rST300XYZ\rST300STT;900000017;1\r", 5);
    assert!(out.messages.is_empty());
    assert_eq!(only(Protocol::Suntech, b"ST600ALV;900000017\r").observations.other, [Observation::Heartbeat]);
    assert_eq!(only(Protocol::Suntech, b"RES;900000017;04;02;TEST\r").body["result"], "04;02;TEST");
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    holds(Protocol::Suntech, &[STATUS, EXTERNAL, ZIP, ALERT, FOUR, BINARY, NINE]);
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed(
        time_s in 946_684_800_i64..4_102_444_800, lat_e7 in -900_000_000..=900_000_000_i64,
        lon_e7 in -1_800_000_000..=1_800_000_000_i64, speed_dkmh in 0..9_999_u16, course_deg in 0..360_u16,
        satellites in any::<u8>(), odometer_m in any::<u32>(), flags in any::<(bool, bool)>(),
    ) {
        let place = Fix::placed(Some(UtcMillis(time_s * 1_000)), lat_e7, lon_e7, crate::profile::Datum::Wgs84);
        let mut sent = Fix {
            speed_dkmh: Some(speed_dkmh),
            course_deg: Some(course_deg),
            satellites: Some(satellites),
            odometer_m: Some(odometer_m),
            ..place
        };
        sent.set_valid(flags.0);
        sent.set_ignition(flags.1);
        let mut raw = Vec::new();
        encode_report(&TerminalId::new("900000017").unwrap(), &sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        let found = Fix { extra: sent.extra, ..out.fixes[0] };
        prop_assert_eq!(found, sent);
    }
}

proptest! {
    #[test]
    fn what_is_encoded_in_binary_is_observed(
        time_s in 946_684_800_i64..4_102_444_800, place in (-90_000_000..=90_000_000_i64, -180_000_000..=180_000_000_i64),
        speed_dkmh in 0..6_500_u16, course_deg in 0..360_u16, satellites in any::<u8>(),
        flags in any::<(bool, bool)>(),
    ) {
        let time = Some(UtcMillis(time_s * 1_000));
        let mut sent = Fix {
            speed_dkmh: Some(speed_dkmh),
            course_deg: Some(course_deg),
            satellites: Some(satellites),
            ..Fix::placed(time, place.0 * 10, place.1 * 10, crate::profile::Datum::Wgs84)
        };
        sent.set_valid(flags.0);
        sent.set_ignition(flags.1);
        let mut raw = Vec::new();
        prop_assert!(encode_universal(&TerminalId::new("0900000017").unwrap(), &sent, &mut raw));
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        prop_assert_eq!(out.fixes.len(), 1);
        let found = Fix { extra: sent.extra, ..out.fixes[0] };
        prop_assert_eq!(found, sent);
    }
}
