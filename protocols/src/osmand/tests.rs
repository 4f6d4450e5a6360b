use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{hear, holds};
use crate::{Alarms, Fix, Observation, Outbox, Quality, Quantity, Reading, Status, recognise};

fn heard_in(stream: &[u8], chunk: usize) -> (Outbox, Result<(), SessionError>) {
    hear(Protocol::Osmand, stream, chunk)
}

fn only(out: &Outbox) -> Description {
    describe(&out.raw, &Profile::default()).unwrap()
}

const GET: &[u8] =
    b"GET /?id=901&lat=-12.3456789&lon=98.5&timestamp=1531620610&speed=10&bearing=271.6&altitude=7.4\
    &accuracy=5.5&batt=80&hdop=0.9&charge=true&ignition=true&odometer=1234&alarm=sos&driverUniqueId=d%207\
    &note=a+b HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VjcmV0\r\n\r\n";

#[test]
fn a_query_is_a_fix_with_its_readings() {
    let (out, ended) = heard_in(GET, GET.len());
    assert_eq!((ended, &out.replies[..]), (Ok(()), &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..]));
    assert!(!out.raw.windows(6).any(|bytes| bytes == b"Basic "), "credentials are not stored");
    let found = only(&out);
    let fix = found.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_789, 985_000_000, 1_531_620_610_000));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.altitude_m), (Some(185), Some(272), Some(7)));
    assert_eq!((fix.odometer_m, fix.alarms), (Some(1_234), Alarms::EMERGENCY));
    assert_eq!((fix.status.contains(Status::IGNITION), fix.quality), (true, Quality(0)));
    assert_eq!(
        Value::Object(found.attributes[0].clone()),
        json!({"accuracy_m": 5.5, "battery_percent": 80, "hdop": 0.9, "charging": 1, "driver_id": "d 7", "note": "a b"})
    );
    assert_eq!(found.terminal, TerminalId::new("901"));
}

#[test]
fn a_form_body_is_read_like_a_query() {
    let body = "deviceid=901&location=1.5,-2.5&timestamp=2018-07-15T10:10:10%2B08:00&valid=0";
    let stream = format!("POST /?id=902 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (out, _) = heard_in(stream.as_bytes(), 3);
    assert_eq!(out.raw, format!("id=902&{body}").as_bytes());
    let fix = only(&out).observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (15_000_000, -25_000_000, 1_531_620_610_000));
    assert!(!fix.is_valid());
}

const JSON: &str = r#"{"location":{"event":"motionchange","is_moving":true,"uuid":"u1",
    "timestamp":"2018-07-15T02:10:10.250Z","odometer":1234.5,"coords":{"latitude":-12.3456789,"longitude":98.5,
    "accuracy":4.1,"speed":10,"heading":90.2,"altitude":12.6},"activity":{"type":"in_vehicle","confidence":100},
    "battery":{"is_charging":false,"level":0.87}},"device_id":"901"}"#;

fn post(body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn a_json_body_is_a_fix_with_its_readings() {
    let (out, _) = heard_in(&post(JSON), 1_000);
    assert_eq!(out.raw, JSON.as_bytes());
    let found = only(&out);
    let fix = found.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_789, 985_000_000, 1_531_620_610_250));
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.altitude_m), (Some(360), Some(90), Some(13)));
    assert_eq!(fix.odometer_m, Some(1_235));
    let shown = Value::Object(found.attributes[0].clone());
    assert_eq!(shown["accuracy_m"], json!(4.1));
    assert_eq!(shown["battery_percent"], json!(87));
    assert_eq!((&shown["charging"], &shown["motion"]), (&json!(0), &json!(1)));
    assert_eq!((&shown["event"], &shown["activity"]["type"]), (&json!("motionchange"), &json!("in_vehicle")));
}

#[test]
fn unknown_values_of_the_sdk_are_absent_and_several_locations_are_read() {
    let place = r#"{"timestamp":"2018-07-15T02:10:10Z","coords":{"latitude":1,"longitude":2,"speed":-1,"heading":-1},
        "battery":{"level":-1}}"#;
    let (out, _) = heard_in(&post(&format!(r#"{{"location":[{place},7,{place}],"device_id":901}}"#)), 1_000);
    let found = only(&out);
    assert_eq!((found.observations.fixes.len(), found.observations.malformed_items), (2, 1));
    let fix = found.observations.fixes[1];
    assert_eq!((fix.speed_dkmh, fix.course_deg, fix.altitude_m), (None, None, None));
    assert!(found.attributes[1].is_empty(), "{:?}", found.attributes);
}

#[test]
fn a_report_without_a_place_is_kept_as_readings() {
    let (out, _) = heard_in(b"GET /?id=901&timestamp=1531620610&batt=50&cell=460,0,1,2 HTTP/1.1\r\n\r\n", 7);
    let found = only(&out);
    let at = Some(UtcMillis(1_531_620_610_000));
    let readings = vec![Reading::new(Quantity::BatteryPercent, 50_000)];
    assert_eq!(found.observations.other, [Observation::Readings { at, readings }]);
    assert_eq!(found.body["cell"], "460,0,1,2");
}

#[test]
fn what_names_no_terminal_or_says_nothing_is_answered_400() {
    for bad in [
        &b"GET /?timestamp=1377177267&lat=60.0&lon=30.0 HTTP/1.1\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /?id=&lat=1&lon=2 HTTP/1.1\r\n\r\n",
        b"POST /?id=901 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /?id=901 HTTP/1.1\r\nContent-Length: 16\r\n\r\n{\"_type\":\"card\"}",
    ] {
        let (out, ended) = heard_in(bad, 1_000);
        assert_eq!((out.messages.len(), ended), (0, Ok(())));
        assert!(out.immediate.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(bad));
    }
    let (out, ended) = heard_in(b"POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n", 1_000);
    assert!(out.immediate.starts_with(b"HTTP/1.1 413 "));
    assert_eq!(ended, Err(SessionError::Unreadable));
}

#[test]
fn a_shared_port_tells_the_two_http_protocols_apart() {
    let both = &[Protocol::Osmand, Protocol::OwnTracks];
    let of = |input: &[u8]| recognise::recognise(both, Transport::Stream, input);
    let mut own = Vec::new();
    crate::owntracks::encode_request("zhang", "car7", br#"{"_type":"lwt","tst":1}"#, &mut own);
    assert_eq!(of(GET), recognise::Recognition::Of(Protocol::Osmand));
    assert_eq!(of(&post(JSON)), recognise::Recognition::Of(Protocol::Osmand));
    assert_eq!(of(&own), recognise::Recognition::Of(Protocol::OwnTracks));
    assert_eq!(of(&own[..own.len() - 1]), recognise::Recognition::Undecided);
    assert_eq!(of(b"GET / HTTP/1.1\r\n\r\n"), recognise::Recognition::Stranger);
    assert_eq!(of(b"\x78\x78"), recognise::Recognition::Stranger);
}

fn fix() -> impl Strategy<Value = Fix> {
    (
        0_i64..4_000_000_000_000,
        -900_000_000..=900_000_000_i32,
        -1_800_000_000..=1_800_000_000_i32,
        (any::<Option<i16>>(), any::<Option<u16>>(), prop::option::of(0..360_u16), any::<Option<u32>>()),
        any::<bool>(),
    )
        .prop_map(
            |(time, lat_e7, lon_e7, (altitude_m, speed_dkmh, course_deg, odometer_m), is_valid)| {
                let place = Fix::placed(
                    Some(UtcMillis(time)),
                    lat_e7.into(),
                    lon_e7.into(),
                    crate::profile::Datum::Wgs84,
                );
                let mut fix = Fix { altitude_m, speed_dkmh, course_deg, odometer_m, ..place };
                fix.set_valid(is_valid);
                fix
            },
        )
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed_however_it_is_cut(
        sent in prop::collection::vec(fix(), 1..5), chunk in 1..200_usize,
    ) {
        let mut stream = Vec::new();
        let terminal = TerminalId::new("901").unwrap();
        sent.iter().for_each(|fix| encode_request(&terminal, fix, &mut stream));
        let (out, ended) = heard_in(&stream, chunk);
        let (whole, _) = heard_in(&stream, stream.len());
        prop_assert_eq!(ended, Ok(()));
        prop_assert_eq!((&out.raw, &out.messages, &out.replies), (&whole.raw, &whole.messages, &whole.replies));
        let mut found = Observations::default();
        let mut start = 0;
        for message in &out.messages {
            let end = message.end as usize;
            prop_assert_eq!(observe(&out.raw[start..end], &Profile::default(), &mut found), Ok(()));
            start = end;
        }
        prop_assert_eq!(found.fixes, sent);
    }
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    holds(Protocol::Osmand, &[GET, &post(JSON)]);
}

#[test]
fn a_speed_or_a_time_that_nobody_can_have_is_none() {
    let place = r#"{"timestamp":"999999999-01-01T00:00:00Z","coords":{"latitude":1,"longitude":2,"speed":"25620477880152.1550"}}"#;
    let (out, _) = heard_in(&post(&format!(r#"{{"location":{place},"device_id":901}}"#)), 1_000);
    let mut seen = Observations::default();
    observe(&out.raw, &Profile::default(), &mut seen).unwrap();
    assert_eq!(seen.fixes[0].speed_dkmh, None);
    assert!(seen.fixes[0].quality.contains(Quality::TIME_INVALID));
}
