//! Eelink: packages encoded by hand after the public description, its answers, its commands.

use motorpool_protocols::eelink::{encode_envelope, encode_package, encode_position};
use motorpool_protocols::{Alarms, Fix, Observation, Quality, Quantity, Reading, RejectReason, Status};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const LOG_IN: &str = "6767 01 000C 0001 0350000000000017 0120";

fn terminal() -> TerminalId {
    TerminalId::new("350000000000017").expect("digits")
}

fn package(kind: u8, content: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode_package(kind, 5, &bytes(content), &mut out);
    out
}

/// 2026-01-02 03:04:05, 50.25 N, 10.5 W, 300 m, 51 km/h, 270 degrees, 9 satellites.
const PLACE: &str = "695735A5 01 05642850 FEDF9BE0 012C 0033 010E 09";

fn alarm() -> Vec<u8> {
    package(0x14, &[PLACE, "02 0187"].concat())
}

fn engine() -> Vec<u8> {
    // Coolant, engine speed, the tracker's odometer, a parameter that nobody knows.
    package(0x07, "695735A5 05 7A555555 0C 105C5555 8A 000030D4 89 00000049")
}

fn envelope() -> Vec<u8> {
    let mut out = Vec::new();
    assert!(encode_envelope(&terminal(), &[alarm(), package(0x02, OLD)].concat(), &mut out));
    out
}

/// A position of version 1: 50.25 N, 10.5 E, 51 km/h, 270 degrees, ignition on.
const OLD: &str = "695735A5 05642850 01206420 33 010E 01CC00002526002500 01 0006 0F82 0015 0064 0000";

pub(crate) fn golden() -> Vec<Vec<u8>> {
    vec![
        bytes(LOG_IN),
        package(
            0x12,
            &[PLACE, "0187 1086 018A 0000 0001E240 00010002 00070003 0A80 01F4 00000100 00000190 FCE0"]
                .concat(),
        ),
        alarm(),
        engine(),
        package(0x02, OLD),
        package(0x03, "0006"),
        package(0x12, "695735A5 02 01CC00002526000ABCDE24 0186"),
        package(0x80, "01 00000001 4F4B"),
        envelope(),
    ]
}

fn link() -> Link {
    let mut link = Link::new(Protocol::Eelink, Transport::Stream);
    link.receive(&bytes(LOG_IN)).expect("the link stays open");
    link
}

#[test]
fn a_log_in_hears_the_time_of_day_and_a_package_its_own_serial() {
    let mut link = link();
    link.receive(&[alarm(), package(0x02, OLD), package(0x80, "01 00000001 4F4B")].concat()).unwrap();
    assert_eq!(link.out.replies, bytes("6767 01 0009 0001 695735A5 0001 00  6767 14 0002 0005"));
    assert_eq!(link.session.terminal(), Some(terminal()));
}

#[test]
fn an_envelope_names_its_terminal_and_its_answer_has_one_too() {
    let mut link = Link::new(Protocol::Eelink, Transport::Datagram);
    link.receive(&envelope()).unwrap();
    let mut wanted = Vec::new();
    assert!(encode_envelope(&terminal(), &bytes("6767 14 0002 0005"), &mut wanted));
    assert_eq!(link.out.replies, wanted);
    assert_eq!(observed(Protocol::Eelink, &envelope()).fixes.len(), 2);
    let mut damaged = envelope();
    damaged[30] ^= 1;
    link.receive(&damaged).unwrap();
    assert_eq!(link.out.rejected[0].reason, RejectReason::Checksum);
}

#[test]
fn nobody_who_is_refused_or_unnamed_is_answered_or_stored() {
    for door in [Door::closed(), Door::unavailable()] {
        let mut link = Link::at(Protocol::Eelink, Transport::Stream, door);
        link.receive(&golden().concat()).unwrap();
        assert!(link.out.raw.is_empty() && link.out.replies.is_empty() && link.out.immediate.is_empty());
    }
}

#[test]
fn an_alarm_is_raised_at_its_place() {
    let fix = observed(Protocol::Eelink, &alarm()).fixes[0];
    assert_eq!(fix.fix_time.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.altitude_m), (502_500_000, -105_000_000, Some(300)));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.satellites), (Some(510), Some(270), Some(9)));
    assert_eq!(fix.alarms, Alarms::EMERGENCY);
    let status = Status::POSITIONED.with(Status::IGNITION).with(Status::WEST);
    assert_eq!((fix.status, fix.quality), (status, Quality(0)));
}

#[test]
fn what_follows_a_position_is_read_with_its_units() {
    let found = described(Protocol::Eelink, &golden()[1]);
    assert_eq!(found.observations.fixes[0].odometer_m, Some(123_456));
    let attributes = &found.attributes[0];
    for (name, wanted) in [
        ("battery_v", json!(4.23)),
        ("analog_1_v", json!(0.394)),
        ("charging", json!(1)),
        ("pulses", json!(7)),
        ("temperature_1_c", json!(10.5)),
        ("humidity_percent", json!(50)),
        ("temperature_2_c", json!(-50)),
    ] {
        assert_eq!(attributes[name], wanted, "{name}");
    }
}

#[test]
fn a_position_of_version_1_is_a_fix() {
    let found = observed(Protocol::Eelink, &golden()[4]);
    let fix = found.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7), (502_500_000, 105_000_000));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.signal), (Some(510), Some(270), Some(21)));
    assert!(fix.is_valid() && fix.status.contains(Status::IGNITION));
}

#[test]
fn cells_are_no_fix() {
    let found = observed(Protocol::Eelink, &golden()[6]);
    assert!(found.fixes.is_empty());
    assert!(matches!(found.other.as_slice(), [Observation::Readings { .. }]), "{:?}", found.other);
}

#[test]
fn values_of_the_engine_stand_on_the_left_of_four_bytes() {
    let found = described(Protocol::Eelink, &engine());
    let readings = vec![
        Reading::new(Quantity::Coolant, 82_000),
        Reading::new(Quantity::EngineSpeed, 1_047_000),
        Reading::new(Quantity::VehicleOdometer, 12_500_000),
    ];
    let at = Some(UtcMillis(1_767_323_045_000));
    assert_eq!(found.observations.other, [Observation::Readings { at, readings }]);
    assert_eq!((found.unknown[0].id.as_str(), found.unknown[0].hex.as_str()), ("pid_89", "00000049"));
}

#[test]
fn a_command_goes_down_and_its_answer_is_shown() {
    let mut link = link();
    link.out.clear();
    assert_eq!(link.session.send(&terminal(), 0x80, b"RESET#", &mut link.out), Some(1));
    assert_eq!(link.out.immediate, bytes("6767 80 000D 0001 01 00000001 524553455423"));
    assert_eq!(described(Protocol::Eelink, &golden()[7]).body, json!({"number": 1, "result": "OK"}));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        seconds in 0..=u32::MAX,
        (lat, lon) in (-900_000_000_i32..=900_000_000, -1_800_000_000_i32..=1_800_000_000),
        (altitude, speed, course, satellites) in (any::<i16>(), 0..1_000_u16, 0..360_u16, any::<u8>()),
        (odometer, ignition, valid) in (any::<u32>(), any::<bool>(), any::<bool>()),
    ) {
        let mut fix = Fix::new(UtcMillis(i64::from(seconds) * 1_000), lat, lon);
        fix.altitude_m = Some(altitude);
        fix.speed_dkmh = Some(speed * 10);
        fix.course_deg = Some(course);
        fix.satellites = Some(satellites);
        fix.odometer_m = Some(odometer);
        fix.status = if ignition { Status::IGNITION } else { Status(0) };
        fix.quality = if valid { Quality(0) } else { Quality::NOT_POSITIONED };
        let mut content = Vec::new();
        encode_position(&fix, &mut content);
        let mut raw = Vec::new();
        encode_package(0x12, 1, &content, &mut raw);
        let found = observed(Protocol::Eelink, &raw).fixes[0];
        prop_assert_eq!(found.fix_time, fix.fix_time);
        // The wire counts 1/1,800,000 degrees, 5.6e-7.
        prop_assert!((found.lat_e7 - lat).abs() <= 3 && (found.lon_e7 - lon).abs() <= 3);
        prop_assert_eq!(
            (found.altitude_m, found.speed_dkmh, found.course_deg, found.satellites, found.odometer_m),
            (fix.altitude_m, fix.speed_dkmh, fix.course_deg, fix.satellites, fix.odometer_m)
        );
        prop_assert_eq!((found.status.contains(Status::IGNITION), found.is_valid()), (ignition, valid));
    }
}
