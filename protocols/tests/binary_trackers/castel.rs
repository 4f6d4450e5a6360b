//! Castel: frames encoded by hand after the public description, its answers, values of the engine.

use motorpool_protocols::castel::{encode_frame, encode_position};
use motorpool_protocols::{Alarms, Fix, Observation, Quality, Quantity, Reading, RejectReason, Status};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Ignition time, time (2026-01-02 03:04:05), odometer 123,456 m, trip 1,500 m, 57.12 l, 0.98 l, ignition on.
const TRIP: &str = "A5355769 A5355769 40E20100 DC050000 50160000 6200 00000400 0000000000000000";
/// 2026-01-02 03:04:05, 50.25 N, 10.5 E, 14.25 m/s, 270 degrees, 9 satellites.
const PLACE: &str = "02011A030405 A050C80A 40C84002 9105 8C0A 9F";

fn terminal() -> TerminalId {
    TerminalId::new("213TEST0000000001").expect("letters and digits")
}

fn frame(kind: u16, content: &str) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(encode_frame(&terminal(), kind, &bytes(content), &mut out));
    out
}

fn alarm() -> Vec<u8> {
    frame(0x4007, &["07000000", TRIP, "01", PLACE, "02 01 05 1E00 1400  00 01 0000 0000"].concat())
}

fn engine() -> Vec<u8> {
    // Coolant, engine speed, vehicle speed, a parameter whose conversion is not known, air flow.
    frame(0x4002, &[TRIP, "1E00 05 0521 0C21 0D21 0421 1021 01 07 5B 1403 33 20 3302"].concat())
}

pub(crate) fn golden() -> Vec<Vec<u8>> {
    vec![
        frame(0x1001, &[TRIP, "01", PLACE, "5331 00 4831 00 0521 0C21"].concat()),
        frame(0x4001, &["01", TRIP, "01", PLACE].concat()),
        alarm(),
        engine(),
        frame(0x4006, &[TRIP, "00 02 0103 0041"].concat()),
        frame(0x400b, &[TRIP, "00 01 2603 0301"].concat()),
        frame(0x401f, &["00 01000000", TRIP, "01", PLACE, "2100 0200 8201"].concat()),
        frame(0xa002, "0300 01 00 00 01 0120 1100 4C54455354303030303030303030303031"),
        frame(0x1003, ""),
    ]
}

fn link() -> Link {
    let mut link = Link::new(Protocol::Castel, Transport::Stream);
    link.receive(&golden()[0]).expect("the link stays open");
    link
}

#[test]
fn log_in_heartbeat_and_alarm_are_answered_and_positions_are_not() {
    let mut link = link();
    link.receive(&golden()[1..].concat()).unwrap();
    let answers = [frame(0x9001, "FFFFFFFF 0000 A5355769"), frame(0xc007, "07000000"), frame(0x9003, "")];
    assert_eq!(link.out.replies, answers.concat());
    assert_eq!(link.session.terminal(), Some(terminal()));
}

#[test]
fn nobody_who_is_refused_is_answered_or_stored() {
    for door in [Door::closed(), Door::unavailable()] {
        let mut link = Link::at(Protocol::Castel, Transport::Stream, door);
        link.receive(&golden().concat()).unwrap();
        assert!(link.out.raw.is_empty() && link.out.replies.is_empty() && link.out.immediate.is_empty());
    }
}

#[test]
fn an_alarm_has_its_place_and_its_trip() {
    let found = described(Protocol::Castel, &alarm());
    let fix = found.observations.fixes[0];
    assert_eq!(fix.fix_time.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!((fix.lat_e7, fix.lon_e7), (502_500_000, 105_000_000));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.satellites), (Some(513), Some(270), Some(9)));
    assert_eq!((fix.odometer_m, fix.alarms), (Some(123_456), Alarms::HARSH_BRAKING));
    assert_eq!((fix.status, fix.quality), (Status::POSITIONED.with(Status::IGNITION), Quality(0)));
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({"trip_distance_km": 1.5, "event": 5, "obd": {"fuel_used_l": 57.12, "trip_fuel_l": 0.98}})
    );
    assert_eq!(found.body["alarm_0x05"], json!({"new": true, "value": 30, "threshold": 20}));
}

#[test]
fn values_of_the_engine_come_converted() {
    let found = described(Protocol::Castel, &engine());
    let [Observation::Readings { readings, .. }] = found.observations.other.as_slice() else {
        panic!("{:?}", found.observations.other)
    };
    for wanted in [
        Reading::new(Quantity::Coolant, 91_000),
        Reading::new(Quantity::EngineSpeed, 788_000),
        Reading::new(Quantity::VehicleSpeed, 51_000),
        Reading::new(Quantity::AirFlow, 5_630),
    ] {
        assert!(readings.contains(&wanted), "{wanted:?} is not in {readings:?}");
    }
    assert_eq!((found.unknown[0].id.as_str(), found.unknown[0].hex.as_str()), ("pid_04", "20"));
}

#[test]
fn trouble_codes_of_cars_and_trucks_are_named() {
    let codes = |raw: &[u8]| {
        let other = observed(Protocol::Castel, raw).other;
        other.into_iter().find_map(|each| match each {
            Observation::TroubleCodes { codes, .. } => Some(codes),
            _ => None,
        })
    };
    assert_eq!(codes(&golden()[4]), Some(vec!["P0301".to_owned(), "C0100".to_owned()]));
    assert_eq!(codes(&golden()[5]), Some(vec!["P0326".to_owned()]));
}

#[test]
fn the_answer_to_a_query_tells_the_vehicles_number() {
    let found = observed(Protocol::Castel, &golden()[7]).other;
    assert_eq!(found, [Observation::Vin("LTEST000000000001".to_owned())]);
}

#[test]
fn a_wrong_checksum_is_refused_and_costs_one_frame() {
    let mut link = link();
    let mut damaged = engine();
    damaged[40] ^= 1;
    link.receive(&[damaged, alarm()].concat()).unwrap();
    assert_eq!(link.out.rejected[0].reason, RejectReason::Checksum);
    assert_eq!(link.out.messages.len(), 2);
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        seconds in 946_684_800_i64..4_000_000_000,
        (lat, lon) in (-900_000_000_i32..=900_000_000, -1_800_000_000_i32..=1_800_000_000),
        (speed, course, satellites) in (0..9_000_u16, 0..360_u16, 0..16_u8),
        (odometer, ignition, valid) in (any::<u32>(), any::<bool>(), any::<bool>()),
    ) {
        let mut fix = Fix::new(UtcMillis(seconds * 1_000), lat, lon);
        fix.speed_dkmh = Some(speed);
        fix.course_deg = Some(course);
        fix.satellites = Some(satellites);
        fix.odometer_m = Some(odometer);
        fix.status = if ignition { Status::IGNITION } else { Status(0) };
        fix.quality = if valid { Quality(0) } else { Quality::NOT_POSITIONED };
        let mut content = Vec::new();
        encode_position(&fix, &mut content);
        let mut raw = Vec::new();
        prop_assert!(encode_frame(&terminal(), 0x4001, &content, &mut raw));
        let found = observed(Protocol::Castel, &raw).fixes[0];
        prop_assert_eq!(found.fix_time, fix.fix_time);
        // The wire counts 1/3,600,000 degrees, 2.8e-7.
        prop_assert!((found.lat_e7 - lat).abs() <= 2 && (found.lon_e7 - lon).abs() <= 2);
        prop_assert_eq!(
            (found.speed_dkmh, found.course_deg, found.satellites, found.odometer_m),
            (fix.speed_dkmh, fix.course_deg, fix.satellites, fix.odometer_m)
        );
        prop_assert_eq!((found.status.contains(Status::IGNITION), found.is_valid()), (ignition, valid));
    }
}
