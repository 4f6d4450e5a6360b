//! Frames with a BYTE for a serial number: Jointech's positions.

use motorpool_protocols::{Alarms, Observation, Quality, Quantity, Reading, describe};
use serde_json::json;

use super::*;

/// 2026-01-02 03:04:05 UTC, 39.9 N 116.4 E, 10 knots, 90 degrees, 30 signal, 9 satellites, 17 km, 55 %, a lock.
const BODY: &str = "020126030405 39540000 116240000f 10 2d 1e 09 00000011 37 00000001 0002 03 0020 0004";
const ITEMS: &str = "02020034 0b0803303030303030 65 0c06ff98ffa8007e";

/// Properties whose upper bits are not the standard's.
fn short(message_id: u16, body: &[u8]) -> Vec<u8> {
    let [m0, m1] = message_id.to_be_bytes();
    let length = u8::try_from(body.len()).expect("short");
    let mut payload = vec![m0, m1, 0x8c, length, 0x01, 0x38, 0x12, 0x34, 0x56, 0x78, 0x17];
    payload.extend_from_slice(body);
    payload.push(payload.iter().fold(0, |sum, byte| sum ^ byte));
    let mut raw = vec![0x7e];
    motorpool_protocols::jt808::frame::escape(&payload, &mut raw);
    raw.push(0x7e);
    raw
}

fn whole() -> Vec<u8> {
    bytes(&[BODY, ITEMS].concat())
}

#[test]
fn a_position_is_stored_and_answered_in_such_a_frame() {
    let profile = Profile { skips_authentication: true, ..Profile::default() };
    let mut link = Link::new(OneTerminal::with_profile(profile));
    let raw = short(0x5501, &whole());
    let out = link.only(&raw);
    assert_eq!((out.messages.len(), out.rejected.len(), &out.raw), (1, 0, &raw));
    // 0x4401, three bytes, the terminal, its serial number; what was answered, and 0.
    assert_eq!(out.replies, bytes("7e 4401 0003 013812345678 17 5501 00 34 7e"));
    assert_eq!(out.replies[1..out.replies.len() - 1].iter().fold(0, |sum, byte| sum ^ byte), 0);
    assert_eq!(link.only(&short(0x5501, &whole()[..34])).replies[14], 2, "cut short");
}

#[test]
fn a_stranger_is_refused_in_such_a_frame() {
    let mut link = Link::new(OneTerminal::default());
    let out = link.only(&short(0x5501, &whole()));
    assert_eq!((out.messages.len(), &out.immediate[12..15]), (0, &[0x55, 0x01, 1][..]));
    let mut link = Link::new(OneTerminal::default());
    let mut damaged = short(0x5501, &whole());
    damaged[20] ^= 1;
    assert!(link.only(&damaged).immediate.is_empty());
    assert_eq!(link.reasons(), [RejectReason::Checksum]);
}

#[test]
fn a_position_has_its_fields_and_its_readings() {
    let (out, result) = seen(&short(0x5502, &whole()), &Profile::default());
    assert_eq!((result, out.fixes.len()), (Ok(()), 1));
    let fix = out.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7), (399_000_000, 1_164_000_000));
    assert_eq!(fix.fix_time.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.altitude_m), (Some(185), Some(90), Some(52)));
    assert_eq!((fix.signal, fix.satellites, fix.odometer_m), (Some(30), Some(9), Some(17_000)));
    assert_eq!(fix.alarms, Alarms::VIBRATION);
    assert!(fix.quality.contains(Quality::BACKFILL), "out of a blind area");
    let readings = vec![Reading::new(Quantity::BatteryPercent, 55_000)];
    assert_eq!(out.other, [Observation::Readings { at: Some(fix.fix_time), readings }]);

    let shown = describe(Protocol::Jt808, &short(0x5501, &whole()), &Profile::default()).expect("a position");
    for (name, value) in [
        ("tilt", json!([-104, -88, 126])),
        ("unlock_result", json!(101)),
        ("password", json!("given")),
        ("product", json!(3)),
        ("cell", json!({"cell": 1, "area": 2})),
    ] {
        assert_eq!(shown.body[name], value, "{name}");
    }
    assert!(!shown.body.to_string().contains("303030303030\""), "nobody needs to read a password");
    assert!(!shown.observations.fixes[0].quality.contains(Quality::BACKFILL));
}

#[test]
fn a_bad_item_is_counted_and_a_short_body_refused() {
    let bad = [whole(), bytes("0a05 01")].concat();
    let (out, result) = seen(&short(0x5501, &bad), &Profile::default());
    assert_eq!((result, out.fixes.len(), out.malformed_items), (Ok(()), 1, 1));
    assert!(out.fixes[0].quality.contains(Quality::ITEM_MALFORMED));
    for end in 0..35 {
        let (out, result) = seen(&short(0x5501, &whole()[..end]), &Profile::default());
        assert!(result.is_err() && out.fixes.is_empty() && out.other.is_empty(), "{end} bytes");
    }
    let mut charging = whole();
    charging[23] = 0xaa;
    let (out, _) = seen(&short(0x5501, &charging), &Profile::default());
    let readings = vec![Reading::new(Quantity::Charging, 1_000)];
    assert_eq!(out.other, [Observation::Readings { at: Some(out.fixes[0].fix_time), readings }]);
}

#[test]
fn the_same_number_in_a_frame_of_the_standard_is_somebody_elses() {
    let mut link = Link::logged_in();
    let other = message(0x5501, 7, b"another maker's own words, long enough");
    let out = link.only(&other);
    assert_eq!((out.messages.len(), &out.raw), (1, &other));
    assert_eq!(ours(&out.replies), [(0x8001, bytes("0007 5501 03"))], "not supported");
    let (out, result) = seen(&other, &Profile::default());
    assert_eq!((result, out.fixes.len()), (Ok(()), 0));
    assert_eq!(out.other, [Observation::Other { message_id: 0x5501 }]);
    let shown = describe(Protocol::Jt808, &other, &Profile::default()).expect("kept as bytes");
    assert_eq!(shown.body.as_object().expect("an object").keys().collect::<Vec<_>>(), ["hex"]);
}
