use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{hear, holds, only};
use crate::{Alarms, Fix, Quality, Quantity, Reading, Status};

const REPORT: &[u8] =
    b"imei:900000000000017,tracker,180715101010,,F,021010.250,A,1220.74068,S,09830.0000,E,19.73,271.77,\
    12,1,1,31.37%,51442,+11;";
const SOS: &[u8] =
    b"imei:900000000000017,help me,1807151010,,F,021010.000,A,1220.74068,S,09830.0000,,19.73,;";
const CELL: &[u8] = b"imei:900000000000017,sensor alarm,1807151010,,L,,,0FB6,,CB5D,,,;";
const OBD: &[u8] =
    b"imei:900000000000017,OBD,180715101010,195874,,8.5,808,66,30.5%,+87,13.0%,02444,14.3,P0021,,,;";
const COPY: &[u8] =
    b"imei:900000000000017,Car 1,---,------,----,021010,150718,14,1,-12.345678,98.500000,036,271,0012,\
    0.9,07,1,1,---,*";

#[test]
fn a_report_is_a_fix_in_utc() {
    let found = only(Protocol::Gps103, REPORT);
    let fix = found.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_780, 985_000_000, 1_531_620_610_250));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.altitude_m), (Some(365), Some(272), Some(12)));
    assert!(fix.status.contains(Status::IGNITION.with(Status::DOOR_1_OPEN)));
    assert_eq!(fix.quality, Quality(0));
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({"obd": {"fuel_level_percent": 31.37}, "temperature_1_c": 11,
               "further_fields": ["31.37%", "51442", "+11"]})
    );
}

#[test]
fn the_utc_date_is_within_twelve_hours_of_the_local_one() {
    let time_of = |local: &str, utc: &str| {
        let raw = format!("imei:900000000000017,tracker,{local},,F,{utc},A,1220.0,S,09830.0,E,0,;");
        only(Protocol::Gps103, raw.as_bytes()).observations.fixes[0].fix_time.to_string()
    };
    assert_eq!(time_of("180715025958", "235957.000"), "2018-07-14T23:59:57Z");
    assert_eq!(time_of("180714200000", "000001.000"), "2018-07-15T00:00:01Z");
    assert_eq!(time_of("18/07/15 10:10", "021010"), "2018-07-15T02:10:10Z");
    // Without a time of day in UTC the local one is what there is.
    assert_eq!(time_of("180715101010", "31.0"), "2018-07-15T10:10:10Z");
}

#[test]
fn an_alarm_without_satellites_and_the_vehicles_network_are_shown() {
    let found = only(Protocol::Gps103, CELL);
    assert!(found.observations.fixes.is_empty());
    assert_eq!(found.body["alarms"], json!(["vibration"]));
    let found = only(Protocol::Gps103, OBD);
    let Observation::Readings { readings, .. } = &found.observations.other[0] else { panic!("readings") };
    assert!(readings.contains(&Reading::new(Quantity::EngineSpeed, 2_444_000)));
    assert!(readings.contains(&Reading::new(Quantity::Coolant, 87_000)));
    assert_eq!(found.body["obd"]["dtcs"], json!(["P0021"]));
}

#[test]
fn the_form_of_a_copy_is_read() {
    let fix = only(Protocol::Gps103, COPY).observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_780, 985_000_000, 1_531_620_610_000));
    assert_eq!((fix.satellites, fix.speed_dkmh, fix.is_valid()), (Some(7), Some(360), true));
}

#[test]
fn log_in_life_and_help_are_answered() {
    let stream = [&b"##,imei:900000000000017,A;900000000000017;"[..], SOS, REPORT].concat();
    let (out, _) = hear(Protocol::Gps103, &stream, 7);
    assert_eq!((out.messages.len(), &out.replies[..]), (4, &b"LOADON**,imei:900000000000017,E;"[..]));
    assert!(out.immediate.is_empty());
    assert_eq!(only(Protocol::Gps103, SOS).observations.fixes[0].alarms, Alarms::EMERGENCY);
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    holds(
        Protocol::Gps103,
        &[b"##,imei:900000000000017,A;", REPORT, SOS, CELL, OBD, COPY, b"900000000000017;"],
    );
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed(
        time in 946_684_800_000_i64..4_102_444_800_000, lat_e7 in -900_000_000..=900_000_000_i64,
        lon_e7 in -1_800_000_000..=1_800_000_000_i64, speed_dkmh in any::<Option<u16>>(),
        course_deg in prop::option::of(0..360_u16), altitude_m in any::<Option<i16>>(), is_valid in any::<bool>(),
    ) {
        let place = Fix::placed(Some(UtcMillis(time)), lat_e7, lon_e7, crate::profile::Datum::Wgs84);
        let mut sent = Fix { speed_dkmh, course_deg, altitude_m, ..place };
        sent.set_valid(is_valid);
        let mut raw = Vec::new();
        encode_report(&TerminalId::new("900000000000017").unwrap(), &sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        prop_assert_eq!(out.fixes, [sent]);
    }
}
