//! The T8 series: frames encoded by hand after the public document, its answers, its commands.

use motorpool_protocols::t800x::frame::Series;
use motorpool_protocols::t800x::{encode_frame, encode_position};
use motorpool_protocols::{Alarms, Fix, Observation, Quality, Quantity, Reading, RejectReason, Status};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn terminal() -> TerminalId {
    TerminalId::new("350000000000017").expect("digits")
}

fn frame(series: Series, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(encode_frame(series, kind, 5, &terminal(), content, &mut out));
    out
}

/// Settings and state of a `25 25` position with two analog inputs, up to the alarm.
const STATE: &str = "001E 0258 0F 0064 0015 49 00 00 05 00 0000 4800 0512 FFFF";
/// 2026-01-02 03:04:05, 12 m, 10.5 E, 50.25 N, 51.3 km/h, 270 degrees.
const PLACE: &str = "260102030405 00004041 00002841 00004942 0513 010E";

/// An alarm of overspeed with odometer, battery and supply.
fn alarm() -> Vec<u8> {
    frame(Series::Inputs, 0x04, &bytes(&[STATE, "04 00 0001E240 00", PLACE, "1264"].concat()))
}

/// A position of the series on the diagnostic socket: it has no analog inputs.
fn vehicle() -> Vec<u8> {
    let state = "001E 0258 0F 0064 0015 49 00 00 05 00 0000 4800";
    let values = "1264 5130 000005DC FFFFFFFF 0708 FF 65 5A FF 20 FF 3C";
    frame(Series::Vehicle, 0x02, &bytes(&[state, "00 00 0001E240 55", PLACE, values].concat()))
}

/// A position without a solution: cells.
fn cells() -> Vec<u8> {
    let cells = "00 00 0001E240 55 260102030405 01CC 0000 0001 0002 0003 0004 0005 0006 1264";
    frame(Series::First, 0x02, &bytes(&[STATE.replace(" 49 ", " 09 ").as_str(), cells].concat()))
}

pub(crate) fn golden() -> Vec<Vec<u8>> {
    let solar = ["47 00", PLACE, "8000008080 88 1D FF 39 00 0001E240 0644 003C 0000001E 1E 0064 1E"].concat();
    vec![
        frame(Series::Inputs, 0x01, &bytes("01020304")),
        alarm(),
        vehicle(),
        cells(),
        frame(Series::Solar, 0x02, &bytes(&solar)),
        frame(Series::Vehicle, 0x05, &bytes(&["02", PLACE, "0708"].concat())),
        frame(Series::Inputs, 0x10, &bytes("260102030405 01 0004 0A0B0C0D0E0F 64 50 08FC 1388 0010 40")),
        frame(Series::First, 0x03, &[]),
        frame(Series::First, 0x81, b"\x01O\x00K\x00"),
    ]
}

fn link() -> Link {
    let mut link = Link::new(Protocol::T800x, Transport::Stream);
    link.receive(&golden()[0]).expect("the link stays open");
    link
}

#[test]
fn every_message_is_answered_with_its_own_head_and_an_alarm_with_its_number() {
    let mut link = link();
    assert_eq!(link.out.replies, bytes("2525 01 000F 0005 0350000000000017"));
    link.out.clear();
    link.receive(&[alarm(), vehicle()].concat()).unwrap();
    assert_eq!(
        link.out.replies,
        bytes("2525 04 0010 0005 0350000000000017 04  2626 02 000F 0005 0350000000000017")
    );
}

#[test]
fn the_answer_to_a_datagram_is_not_answered_in_turn() {
    let mut link = Link::new(Protocol::T800x, Transport::Datagram);
    link.receive(&golden()[0]).unwrap();
    let answer = std::mem::take(&mut link.out.replies);
    assert_eq!(answer, bytes("2525 01 000F 0005 0350000000000017"));
    link.receive(&answer).unwrap();
    assert_eq!(link.out.replies, b"");
    // A heartbeat holds nothing: it is answered, but not when it comes back at once.
    let heartbeat = frame(Series::Inputs, 0x03, &[]);
    link.receive(&heartbeat).unwrap();
    assert_eq!(std::mem::take(&mut link.out.replies), bytes("2525 03 000F 0005 0350000000000017"));
    link.receive(&heartbeat).unwrap();
    assert_eq!(link.out.replies, b"");
}

#[test]
fn nobody_who_is_refused_is_answered_or_stored() {
    for door in [Door::closed(), Door::unavailable()] {
        let mut link = Link::at(Protocol::T800x, Transport::Stream, door);
        link.receive(&golden().concat()).unwrap();
        assert!(link.out.raw.is_empty() && link.out.replies.is_empty() && link.out.immediate.is_empty());
    }
}

#[test]
fn an_alarm_is_a_fix_with_state_and_odometer() {
    let found = described(Protocol::T800x, &alarm());
    let fix = found.observations.fixes[0];
    assert_eq!(fix.fix_time.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.altitude_m), (502_500_000, 105_000_000, Some(12)));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.satellites), (Some(513), Some(270), Some(9)));
    assert_eq!((fix.alarms, fix.odometer_m, fix.signal), (Alarms::OVERSPEED, Some(123_456), Some(21)));
    assert_eq!((fix.status, fix.quality), (Status::POSITIONED.with(Status::IGNITION), Quality(0)));
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({
            "inputs": 9, "outputs": 0, "analog_1_v": 5.12, "event": 4, "battery_percent": 100, "supply_v": 12.64,
        })
    );
}

#[test]
fn the_diagnostic_socket_tells_what_it_knows() {
    let found = described(Protocol::T800x, &vehicle());
    let fix = found.observations.fixes[0];
    assert_eq!((fix.vehicle_speed_dkmh, fix.engine_rpm), (Some(513), Some(1_800)));
    assert_eq!(
        found.attributes[0]["obd"],
        json!({"fuel_used_l": 1.5, "barometer_kpa": 101, "coolant_c": 50, "engine_load_percent": 32,
               "fuel_level_percent": 60})
    );
}

#[test]
fn cells_are_no_fix() {
    let found = observed(Protocol::T800x, &cells());
    assert!(found.fixes.is_empty());
    let [Observation::Readings { at, readings }] = found.other.as_slice() else {
        panic!("{:?}", found.other)
    };
    assert_eq!(*at, Some(UtcMillis(1_767_323_045_000)));
    assert!(readings.contains(&Reading::new(Quantity::VehicleOdometer, 123_456)), "{readings:?}");
}

#[test]
fn a_sensor_is_shown_with_its_units() {
    let found = described(Protocol::T800x, &golden()[6]);
    assert_eq!(
        found.body,
        json!({
            "time": "2026-01-02T03:04:05Z", "ignition": 1, "tag_1_id": "0a0b0c0d0e0f", "tag_1_battery_v": 3,
            "tag_1_temperature_c": 23, "tag_1_humidity_percent": 50, "tag_1_light": 16,
        })
    );
}

#[test]
fn a_frame_whose_name_is_no_imei_is_refused() {
    let mut raw = alarm();
    raw[8] = 0xa0;
    let mut link = link();
    link.receive(&raw).unwrap();
    assert_eq!(link.out.rejected[0].reason, RejectReason::Malformed);
}

#[test]
fn a_command_goes_down_and_its_answer_is_shown_and_not_answered() {
    let mut link = link();
    link.out.clear();
    assert_eq!(link.session.send(&terminal(), 0x81, b"TIMER,30#", &mut link.out), Some(1));
    assert_eq!(link.out.immediate, bytes("2525 81 0019 0001 0350000000000017 01 54494D45522C333023"));
    link.receive(&golden()[8]).unwrap();
    assert!(link.out.replies.is_empty());
    assert_eq!(described(Protocol::T800x, &golden()[8]).body, json!({"result": "OK"}));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        seconds in 946_684_800_i64..4_000_000_000,
        (lat, lon) in (-900_000_000_i32..=900_000_000, -1_800_000_000_i32..=1_800_000_000),
        (altitude, speed, course, satellites) in (-400..6_000_i16, 0..10_000_u16, 0..360_u16, 0..32_u8),
        (odometer, ignition, valid) in (any::<u32>(), any::<bool>(), any::<bool>()),
    ) {
        let mut fix = Fix::new(UtcMillis(seconds * 1_000), lat, lon);
        fix.altitude_m = Some(altitude);
        fix.speed_dkmh = Some(speed);
        fix.course_deg = Some(course);
        fix.satellites = Some(satellites);
        fix.odometer_m = Some(odometer);
        fix.status = if ignition { Status::IGNITION } else { Status(0) };
        fix.quality = if valid { Quality(0) } else { Quality::NOT_POSITIONED };
        let mut content = Vec::new();
        encode_position(&fix, &mut content);
        let found = observed(Protocol::T800x, &frame(Series::First, 0x02, &content)).fixes[0];
        prop_assert_eq!(found.fix_time, fix.fix_time);
        // The wire has 24 bits of mantissa: 1.5e-5 degrees at 180.
        prop_assert!((found.lat_e7 - lat).abs() <= 40 && (found.lon_e7 - lon).abs() <= 80);
        prop_assert_eq!(
            (found.altitude_m, found.speed_dkmh, found.course_deg, found.satellites, found.odometer_m),
            (fix.altitude_m, fix.speed_dkmh, fix.course_deg, fix.satellites, fix.odometer_m)
        );
        prop_assert_eq!((found.status.contains(Status::IGNITION), found.is_valid()), (ignition, valid));
    }
}
