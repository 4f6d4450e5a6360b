//! Links and messages of made-up terminals.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Alarms, Fix, Observation, Observations, OpenGate, Outbox, Profile, Protocol, Quality, Quantity, Reading,
    RejectReason, Status, TerminalId, UtcMillis,
};

const IMEI: &str = "860000000000017";
const NOW: UtcMillis = UtcMillis(1_709_288_110_000);

fn receive(input: &[u8]) -> Outbox {
    let mut out = Outbox::default();
    let mut session = session(Transport::Stream, SessionLimits::default());
    assert_eq!(session.receive(NOW, input, &mut OpenGate::default(), &mut out), Ok(input.len()));
    out
}

fn observed(text: &str) -> Observations {
    let mut out = Observations::default();
    observe(text.as_bytes(), &Profile::default(), &mut out).expect("it can be read");
    out
}

fn attributes(text: &str) -> Value {
    let described = describe(text.as_bytes(), &Profile::default()).expect("it can be read");
    described.attributes.into_iter().next_back().map_or(Value::Null, Value::Object)
}

fn fix() -> Fix {
    let mut fix = Fix::new(NOW, -305_050_010, 1_142_525_000);
    fix.status = Status::IGNITION.with(Status::POSITIONED).with(Status::SOUTH);
    fix.speed_dkmh = Some(363);
    fix.course_deg = Some(90);
    fix.altitude_m = Some(-12);
    fix.odometer_m = Some(1_234_500);
    fix
}

#[test]
fn reports_and_signs_of_life_are_answered_with_their_counts() {
    let terminal = TerminalId::new(IMEI).expect("a number");
    let profile = Profile::default();
    let report = encode_report(&terminal, &fix(), false, 0x00b8, &profile);
    assert_eq!(
        String::from_utf8_lossy(&report),
        "+RESP:GTFRI,060228,860000000000017,,,10,1,1,36.3,90,-12,114.252500,-30.505001,20240301101510,,,,,00,1234.5,,,,,220000,,,,20240301101510,00B8$"
    );
    let late = encode_report(&terminal, &fix(), true, 0x00b9, &profile);
    let heartbeat = encode_heartbeat(&terminal, NOW, 0x00ba, &profile);
    let answer = b"+ACK:GTFRI,060228,860000000000017,,0001,20240301101510,00BB$";
    let out = receive(&[&report[..], &late, b"\r\n\0", &heartbeat, answer].concat());
    assert_eq!((out.messages.len(), out.rejected.len()), (4, 0));
    assert_eq!(out.replies, b"+SACK:00B8$+SACK:00B9$+SACK:GTHBD,060228,00BA$");
    assert_eq!(out.immediate, b"");
}

#[test]
fn a_report_that_is_written_is_read() {
    let terminal = TerminalId::new(IMEI).expect("a number");
    for (is_late, late) in [(false, Quality(0)), (true, Quality::BACKFILL)] {
        let raw = encode_report(&terminal, &fix(), is_late, 1, &Profile::default());
        let mut out = Observations::default();
        observe(&raw, &Profile::default(), &mut out).expect("it can be read");
        let [read] = out.fixes.as_slice() else { panic!("{out:?}") };
        assert_eq!(*read, Fix { quality: late, extra: read.extra, ..fix() });
    }
}

proptest! {
    #[test]
    fn any_report_that_is_written_is_read(
        seconds in 946_684_800_i64..4_000_000_000,
        place in (-90_000_000..=90_000_000_i64, -180_000_000..=180_000_000_i64),
        speed_dkmh in any::<Option<u16>>(),
        course_deg in prop::option::of(0..360_u16),
        altitude_m in any::<Option<i16>>(),
        hectometres in prop::option::of(0..40_000_000_u32),
        flags in any::<(bool, bool)>(),
    ) {
        let (is_valid, is_on) = flags;
        let time = UtcMillis(seconds * 1_000);
        let mut fix = Fix::placed(Some(time), place.0 * 10, place.1 * 10, crate::profile::Datum::Wgs84);
        fix.set_valid(is_valid);
        fix.set_ignition(is_on);
        let odometer_m = hectometres.map(|count| count * 100);
        let fix = Fix { speed_dkmh, course_deg, altitude_m, odometer_m, ..fix };
        let terminal = TerminalId::new(IMEI).expect("a number");
        let mut out = Observations::default();
        observe(&encode_report(&terminal, &fix, false, 1, &Profile::default()), &Profile::default(), &mut out)
            .expect("it can be read");
        let read = out.fixes[0];
        prop_assert_eq!(read, Fix { extra: read.extra, ..fix });
    }
}

#[test]
fn what_stands_behind_the_place_is_read_by_its_shape() {
    assert_eq!(
        attributes(
            "+RESP:GTFRI,060228,860000000000017,,12801,10,1,2,0.0,0,43.7,16.5,-30.5,20240301101510,0460,0000,18D8,6141,00,34.9,00117:31:26,13442,15163,57,210302,,,,20240301101510,0001$"
        ),
        Value::Null,
        "a place has six decimals"
    );
    let text = "+RESP:GTFRI,060228,860000000000017,,12801,10,1,2,0.0,0,43.7,114.252500,-30.505000,20240301101510,0460,0000,18D8,6141,00,34.9,00117:31:30,13442,15163,57,210302,,,,20240301101510,0001$";
    assert_eq!(
        attributes(text),
        json!({
            "hdop": 2, "supply_v": 12.801, "hours_h": 117.525, "analog_1_v": 13.442, "analog_2_v": 15.163,
            "battery_percent": 57, "motion": 0, "inputs": 1, "outputs": 2,
        })
    );
    let fix = observed(text).fixes[0];
    assert_eq!((fix.odometer_m, fix.altitude_m), (Some(34_900), Some(44)));
    assert_eq!(fix.status, Status::IGNITION.with(Status::POSITIONED).with(Status::SOUTH));
}

#[test]
fn every_place_of_a_report_is_a_fix_and_what_follows_belongs_to_the_last() {
    let out = observed(
        "+RESP:GTFRI,2C0204,860000000000017,GL300W,0,0,2,1,1.7,205,20.0,114.252500,22.505000,20240301101510,0460,0000,18D8,6141C,0.0,0,1.7,205,20.0,114.252500,22.505000,20240301101540,0460,0000,18D8,6141C,0.0,88,20240301101542,1E78$",
    );
    let [first, second] = out.fixes.as_slice() else { panic!("{out:?}") };
    assert_eq!((first.is_valid(), second.is_valid()), (true, false));
    assert!(second.quality.contains(Quality::IGNITION_UNKNOWN));
    let readings: Vec<_> = crate::reading::readings(out.extra_of(second)).collect();
    assert_eq!(readings, [Reading::new(Quantity::BatteryPercent, 88_000)]);
}

#[test]
fn words_that_say_an_alarm_or_the_ignition_are_understood() {
    let message = |word: &str, fields: &str| {
        format!(
            "+RESP:GT{word},060228,860000000000017,,{fields},1,4.3,92,70.0,114.252500,22.505000,20240301101510,0460,0000,18D8,6141,00,,20240301101510,11F0$"
        )
    };
    for (word, fields, alarms, ignition) in [
        ("SOS", "0,0,1", Alarms::EMERGENCY, None),
        ("HBM", ",11,1", Alarms::HARSH_ACCELERATION, None),
        ("HBM", ",10,1", Alarms::HARSH_BRAKING, None),
        ("JDS", "2", Alarms::JAMMING, None),
        ("IGN", "120", Alarms(0), Some(true)),
        ("IGF", "120", Alarms(0), Some(false)),
        ("STT", "16", Alarms::TOWING, Some(false)),
        ("STT", "42", Alarms(0), None),
    ] {
        let fix = observed(&message(word, fields)).fixes[0];
        let known = !fix.quality.contains(Quality::IGNITION_UNKNOWN);
        let read = known.then(|| fix.status.contains(Status::IGNITION));
        assert_eq!((fix.alarms, read), (alarms, ignition), "{word} {fields}");
    }
}

#[test]
fn the_vehicles_own_network_is_read_by_the_mask() {
    let text = "+RESP:GTCAN,310603,860000000000017,gv65,00,1,C000FFFF,LTEST000000000017,2,H12345,100.5,1440,44.5,77,M23,P35.50,1810,5,42.25,1.5,2.5,3.5,900,1,42.7,263,27.2,114.252500,22.505000,20240301101510,0460,0000,18D8,6141,00,20240301101512,0B28$";
    let out = observed(text);
    let fix = out.fixes[0];
    assert_eq!((fix.vehicle_speed_dkmh, fix.engine_rpm), (Some(445), Some(1_440)));
    assert!(fix.status.contains(Status::IGNITION));
    assert_eq!(out.other, [Observation::Vin("LTEST000000000017".to_owned())]);
    assert_eq!(
        attributes(text),
        json!({
            "hdop": 1,
            "obd": {
                "vin": "LTEST000000000017", "vehicle_odometer_km": 1_234.5, "fuel_used_l": 100.5, "coolant_c": 77,
                "consumption_l_per_100km": 23, "fuel_level_percent": 35.5, "pedal_percent": 5,
                "engine_hours_h": 42.25, "axle_weight_1_kg": 900,
            },
        })
    );
}

#[test]
fn diagnostics_have_their_trouble_codes() {
    let out = observed(
        "+RESP:GTOBD,360201,860000000000017,,gv500,0,19FFFF,LTEST000000000017,1,14283,983901C0,799,36,88,,120,3,1,2,0301C123,15,38,60,6,53557,1,0.0,0,219.5,114.252500,22.505000,20240301101510,20240301101512,0230$",
    );
    let codes = vec!["P0301".to_owned(), "U0123".to_owned()];
    assert!(out.other.contains(&Observation::TroubleCodes { at: Some(NOW), codes }), "{out:?}");
    assert_eq!((out.fixes[0].engine_rpm, out.fixes[0].vehicle_speed_dkmh), (Some(799), Some(360)));
}

#[test]
fn a_terminal_without_a_place_says_the_rest() {
    let out = observed(
        "+RESP:GTINF,DC0103,860000000000017,gv600,21,89860000000000000017,22,0,11,12913,12917,4.26,0,1,,,20240301101500,1,79,,01,00,,,20240301101510,1EBE$",
    );
    let [Observation::Readings { at, readings }] = out.other.as_slice() else { panic!("{out:?}") };
    assert_eq!(*at, Some(NOW));
    let wanted = [
        (Quantity::Motion, 0),
        (Quantity::Signal, 22_000),
        (Quantity::Supply, 12_913),
        (Quantity::Battery, 4_260),
        (Quantity::Charging, 0),
        (Quantity::BatteryPercent, 79_000),
        (Quantity::Ignition, 1_000),
    ];
    assert_eq!(*readings, wanted.map(|(quantity, milli)| Reading::new(quantity, milli)));
    let cells =
        "+RESP:GTFRI,2E0503,860000000000017,,,0,1,,,,,,,,0460,0000,18D8,6141,00,83,20240301101510,0083$";
    let out = observed(cells);
    assert_eq!(out.fixes, []);
    let described = describe(cells.as_bytes(), &Profile::default()).expect("it can be read");
    assert_eq!((described.body["battery_percent"].as_i64(), described.serial), (Some(83), Some(0x83)));
}

#[test]
fn other_bytes_are_refused_and_passed_over() {
    let out = receive(b"noise+RESP:GTFRI,060228,no,imei$+RESP:GT\x01+ACK:GTHBD,060228,860000000000017,,20240301101510,0001$");
    let reasons: Vec<_> = out.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!(
        reasons,
        [RejectReason::Garbage, RejectReason::Malformed, RejectReason::Garbage, RejectReason::Garbage]
    );
    assert_eq!(out.messages.len(), 1);
    assert_eq!(fit(Transport::Stream, b"+RES"), Fit::Perhaps);
    assert_eq!(fit(Transport::Stream, b"+RSP"), Fit::No);
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    let terminal = TerminalId::new(IMEI).expect("a number");
    let profile = Profile::default();
    crate::trial::holds(
        Protocol::Gl200,
        &[
            &encode_report(&terminal, &fix(), false, 1, &profile),
            &encode_heartbeat(&terminal, NOW, 2, &profile),
            &encode_report(&terminal, &fix(), true, 3, &profile),
            b"+RESP:GTERI,F10415,860000000000017,,00000003,,50,1,1,0.0,274,29.1,114.252500,22.505000,20240301101510,,,,,,0.0,,,100,210100,,1,1,01DF,2,28000000000000A1,1,FFE2,20240301101512,009D$",
            b"+RESP:GTCAN,310603,860000000000017,gv65,00,1,C000FFFF,,2,H12345,100.5,1440,44.5,77,M23,P35.50,1810,5,42.25,1.5,2.5,3.5,900,1,42.7,263,27.2,114.252500,22.505000,20240301101510,0460,0000,18D8,6141,00,20240301101512,0B28$",
        ],
    );
}
