//! Links and messages of made-up terminals.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Alarms, Fix, Observation, Observations, OpenGate, Outbox, Profile, Protocol, Quality, Quantity, Reading,
    Status, TerminalId, UtcMillis,
};

const NOW: UtcMillis = UtcMillis(1_709_288_110_000);

fn receive(session: &mut dyn Session, input: &[u8]) -> (Outbox, usize) {
    let mut out = Outbox::default();
    let used = session.receive(NOW, input, &mut OpenGate::default(), &mut out).expect("the link stays");
    (out, used)
}

fn new_session() -> Box<dyn Session> {
    session(Transport::Stream, SessionLimits::default())
}

fn observed(raw: &[u8]) -> Observations {
    let mut out = Observations::default();
    observe(raw, &Profile::default(), &mut out).expect("it can be read");
    out
}

fn fix_of(raw: &[u8]) -> Fix {
    let out = observed(raw);
    let [fix] = out.fixes.as_slice() else { panic!("{out:?}") };
    *fix
}

fn terminal() -> TerminalId {
    TerminalId::new("7000000001").expect("a number")
}

/// 2024-03-01 10:15:10 at 30.505 S 114.2525 W, 36.3 km/h to the east.
fn fix() -> Fix {
    let mut fix = Fix::new(NOW, -305_050_000, -1_142_525_000);
    fix.status = Status::IGNITION.with(Status::POSITIONED).with(Status::SOUTH).with(Status::WEST);
    fix.speed_dkmh = Some(363);
    fix.course_deg = Some(90);
    fix
}

fn long(mut short: Vec<u8>) -> Vec<u8> {
    short.extend_from_slice(&[9, 0, 0, 0, 44, 1, 0xcc, 0, 0x12, 0x34, 0x56, 0x78, 1]);
    short
}

#[test]
fn a_sign_of_life_that_comes_back_at_once_is_not_answered_again() {
    let heartbeat = b"*HQ,7000000001,HTBT#";
    for (transport, wanted) in [(Transport::Datagram, 1), (Transport::Stream, 2)] {
        let mut link = session(transport, SessionLimits::default());
        let answers = [0, 1].map(|_| receive(link.as_mut(), heartbeat).0.replies.len() / heartbeat.len());
        assert_eq!(answers.iter().sum::<usize>(), wanted, "{transport:?}");
    }
}

#[test]
fn positions_and_heartbeats_are_answered_in_the_makers_letters() {
    let (out, _) = receive(
        new_session().as_mut(),
        b"*HQ,7000000001,V1,101510,A,3030.3000,S,11415.1500,W,19.60,90,010324,FFFFFFFF#\r\n*TH,7000000001,HTBT#*HQ,7000000001,XT,1,100#",
    );
    assert_eq!((out.messages.len(), out.rejected.len()), (3, 0));
    assert_eq!(out.replies, b"*HQ,7000000001,V4,V1,20240301101510#*TH,7000000001,HTBT#");
}

#[test]
fn text_and_binary_say_the_same() {
    let text = encode_text(&terminal(), &fix(), &Profile::default());
    assert_eq!(
        String::from_utf8_lossy(&text),
        "*HQ,7000000001,V1,101510,A,3030.300000,S,11415.150000,W,19.60,90,010324,FFFFFFFF#"
    );
    assert_eq!(fix_of(&text), fix());
    let binary = encode_binary(&terminal(), &fix(), &Profile::default()).expect("digits");
    let hex: String = binary.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        concat!(
            "24",
            "7000000001",
            "101510",
            "010324",
            "30303000",
            "00",
            "1141515002",
            "020090",
            "ffffffff",
            "ff0000"
        )
    );
    let read = fix_of(&binary);
    // Whole knots.
    assert_eq!(read, Fix { speed_dkmh: Some(370), ..fix() });
    assert!(observed(&binary).extra.is_empty());
}

proptest! {
    #[test]
    fn any_position_that_is_written_is_read(
        seconds in 946_684_800_i64..4_000_000_000,
        place in (-900_000_000..=900_000_000_i64, -1_800_000_000..=1_800_000_000_i64),
        speed_dkmh in 0..18_000_u16,
        course_deg in 0..360_u16,
        flags in any::<(bool, bool)>(),
    ) {
        let (is_valid, is_on) = flags;
        let time = UtcMillis(seconds * 1_000);
        let mut fix = Fix::placed(Some(time), place.0, place.1, crate::profile::Datum::Wgs84);
        fix.set_valid(is_valid);
        fix.set_ignition(is_on);
        let fix = Fix { speed_dkmh: Some(speed_dkmh), course_deg: Some(course_deg), ..fix };
        let profile = Profile::default();
        prop_assert_eq!(fix_of(&encode_text(&terminal(), &fix, &profile)), fix);
        // Four decimals of a minute, and whole knots: what is read is written again as it was.
        let binary = encode_binary(&terminal(), &fix, &profile).expect("digits");
        let read = fix_of(&binary);
        prop_assert!((read.lat_e7 - fix.lat_e7).abs() <= 9 && (read.lon_e7 - fix.lon_e7).abs() <= 9);
        prop_assert_eq!((read.fix_time, read.course_deg, read.alarms), (fix.fix_time, fix.course_deg, fix.alarms));
        prop_assert_eq!(encode_binary(&terminal(), &read, &profile), Some(binary));
    }
}

#[test]
fn bits_of_the_status_are_active_when_zero() {
    let status = !(1_u32 << 1 | 1 << 8 | 1 << 10 | 1 << 27);
    let mut fix = Fix::placed(Some(NOW), 1, 1, crate::profile::Datum::Wgs84);
    status::apply(status, &mut fix);
    assert_eq!(fix.alarms, Alarms::EMERGENCY);
    assert_eq!(fix.quality, Quality(0));
    assert_eq!(fix.status, Status::DOOR_1_OPEN.with(Status::FUEL_CUT).with(Status::CIRCUIT_CUT));
    assert_eq!(status::of(&fix), status);
}

#[test]
fn what_follows_the_status_is_read_by_its_shape() {
    let raw = b"*HQ,7000000001,V1,101510,A,3030.3000,N,11415.1500,E,1,2,010324,FFFFFBFF,12000,-5,45.5,88,51a1,5a20#";
    let out = observed(raw);
    assert_eq!((out.fixes[0].odometer_m, out.fixes[0].altitude_m), (Some(12_000), Some(88)));
    let described = describe(raw, &Profile::default()).expect("it can be read");
    assert_eq!(
        Value::Object(described.attributes[0].clone()),
        json!({
            "status": 0xffff_fbff_u32, "temperature_1_c": -5, "fuel_sensor": 45.5,
            "cells": [{"area": "51a1", "cell": "5a20"}],
        })
    );
    let raw = b"*HQ,7000000001,V1,101510,A,3030.3000,N,11415.1500,E,1,2,010324,FFFFFBFF,460,0,1,2,6#";
    let described = describe(raw, &Profile::default()).expect("it can be read");
    assert_eq!(described.attributes[0]["battery_percent"], json!(100));
    assert_eq!(described.terminal, Some(terminal()));
}

#[test]
fn doubtful_places_are_marked_and_missing_ones_are_no_fix() {
    let no_date = fix_of(b"*HQ,7000000001,V1,,V,3030.30,N,11415.15,E,0.00,0,,FFFFFFFF#");
    assert!(no_date.quality.contains(Quality::TIME_INVALID.with(Quality::NOT_POSITIONED)));
    let no_time = fix_of(b"*hq,7000000001,VP1,A,3030.30,S,11415.15,E,0.62,0.0000,010324#");
    assert_eq!((no_time.lat_e7, no_time.is_valid()), (-305_050_000, true));
    assert!(no_time.quality.contains(Quality::TIME_INVALID.with(Quality::IGNITION_UNKNOWN)));
    let dashed = fix_of(b"*HQ,7000000001,V1,101510,A,-30-30.3000,S,-114-15.1500,W,0.1,158,010324,FFFFFFFF#");
    assert_eq!((dashed.lat_e7, dashed.lon_e7), (-305_050_000, -1_142_525_000));
    assert_eq!(observed(b"*HQ,7000000001,V1,,V,,N,,E,0.00,0,,FFFFFFFF,f0,a,1,2#").fixes, []);
    assert_eq!(
        observed(b"*HQ,7000000001,V1,000000,V,0.0000,0,0.0000,0,0.00,0.00,000000,ffffffff#").fixes,
        []
    );
}

#[test]
fn cells_and_links_are_readings_and_no_fixes() {
    let raw = b"*HQ,7000000001,NBR,101510,460,0,1,2,9338,3692,150,9338,3691,145,010324,FFFFFBFD,5#";
    let out = observed(raw);
    let charge = Reading::new(Quantity::BatteryPercent, 80_000);
    assert_eq!(out.other, [Observation::Readings { at: Some(NOW), readings: vec![charge] }]);
    let body = describe(raw, &Profile::default()).expect("it can be read").body;
    assert_eq!((body["cells"].as_array().map(Vec::len), &body["alarms"]), (Some(2), &json!(["emergency"])));
    let out = observed(b"*HQ,7000000001,LINK,101510,20,8,67,15,0,010324,FFFFFBFF#");
    let [Observation::Readings { at: Some(NOW), readings }] = out.other.as_slice() else { panic!("{out:?}") };
    assert_eq!(readings.len(), 4);
}

#[test]
fn a_terminal_with_long_frames_is_known_by_what_follows_its_first() {
    let short = encode_binary(&terminal(), &fix(), &Profile::default()).expect("digits");
    let long = long(short.clone());
    let mut session = new_session();
    let (first, used) = receive(session.as_mut(), &long);
    assert_eq!((used, first.raw.as_slice(), first.rejected.len()), (45, short.as_slice(), 1));
    let (half, used) = receive(session.as_mut(), &long[..32]);
    assert_eq!((used, half.messages.len()), (0, 0));
    let (second, used) = receive(session.as_mut(), &long);
    assert_eq!((used, second.raw.as_slice(), second.rejected.len()), (45, long.as_slice(), 0));
    assert_eq!(fix_of(&long).satellites, Some(9));
    // And if it was none: the next frame begins where it begins.
    let (both, used) = receive(session.as_mut(), &[short.as_slice(), &short].concat());
    assert_eq!((used, both.messages.len(), both.rejected.len()), (64, 2, 0));
}

#[test]
fn other_bytes_behind_a_dollar_are_no_frame() {
    let mut frame = encode_binary(&terminal(), &fix(), &Profile::default()).expect("digits");
    assert_eq!(fit(Transport::Stream, &frame), Fit::Whole);
    frame[7] = 0x61;
    assert_eq!(fit(Transport::Stream, &frame), Fit::No);
    assert_eq!(fit(Transport::Stream, b"*HQ,7000000001,HTBT#"), Fit::Whole);
    assert_eq!(fit(Transport::Stream, b"*HQ,7000"), Fit::Perhaps);
    assert_eq!(fit(Transport::Stream, b"*\x01Q,7000"), Fit::No);
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    let profile = Profile::default();
    let binary = encode_binary(&terminal(), &fix(), &profile).expect("digits");
    let imei =
        [b"$\x86\x00\x00\x00\x00\x00\x01\x70", &binary[6..], &[1, 0x12, 0, 0x64, 0xba, 0x73, 0]].concat();
    crate::trial::holds(
        Protocol::H02,
        &[
            &encode_text(&terminal(), &fix(), &profile),
            &binary,
            &imei,
            &encode_heartbeat(&terminal()),
            &binary,
            b"*HQ,7000000001,NBR,101510,460,0,1,2,9338,3692,150,9338,3691,145,010324,FFFFFBFD,5#",
            b"*HQ,7000000001,LINK,101510,20,8,67,15,0,010324,FFFFFBFF#",
        ],
    );
}

#[test]
fn a_name_that_cannot_be_read_is_not_the_one_who_spoke_last() {
    let (out, _) = receive(
        new_session().as_mut(),
        b"*HQ,7000000001,HTBT#*HQ,13 8,V1,101510,A,3030.3000,S,11415.1500,W,19.60,90,010324,FFFFFFFF#*HQ,1 ,HTBT#",
    );
    let reasons: Vec<_> = out.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!((out.messages.len(), reasons), (1, vec![crate::RejectReason::Malformed; 2]));
}
