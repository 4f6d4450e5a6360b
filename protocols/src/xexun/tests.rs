use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{hear, holds, only, stored};
use crate::{OpenGate, Outbox};

const SHORT: &[u8] =
    b"GPRMC,021010.250,A,1220.74068,S,09830.0000,E,19.73,271.77,150718,,,A*57,F,,imei:900000000000017,";
const LONG: &[u8] =
    b"180715101010,+860000,GNRMC,021010.250,A,1220.74068,S,09830.0000,E,19.73,271.77,150718,,,A*71,F,\
    help me!, imei:900000000000017,03,-50.7,L:3.69V/ADC1=0.20V,1,128,65337,460,00,177A,119F\r";
const NOTHING: &[u8] = b",+860000,,L,, imei:900000000000017,,,F:4.28V,1,52,11565,460,01,000E,1FC5\r";

#[test]
fn both_forms_are_a_fix() {
    for (frame, version) in [(SHORT, "short"), (LONG, "long")] {
        let found = only(Protocol::Xexun, frame);
        let fix = found.observations.fixes[0];
        assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_780, 985_000_000, 1_531_620_610_250));
        assert_eq!((fix.speed_dkmh, fix.course_deg, fix.is_valid()), (Some(365), Some(272), true));
        assert_eq!((found.version, found.terminal), (version, TerminalId::new("900000000000017")));
    }
    let found = only(Protocol::Xexun, LONG);
    let fix = found.observations.fixes[0];
    assert_eq!((fix.satellites, fix.altitude_m, fix.alarms), (Some(3), Some(-51), Alarms::EMERGENCY));
    assert_eq!(
        Value::Object(found.attributes[0].clone()),
        json!({"battery_v": 3.69, "charging": 1, "keyword": "help me!", "cell": ["460", "00", "177A", "119F"]})
    );
}

#[test]
fn the_short_form_needs_no_line_end() {
    let stream = [SHORT, SHORT, b"\r\n", LONG].concat();
    let (out, _) = hear(Protocol::Xexun, &stream, 13);
    assert_eq!(stored(&out), [SHORT, SHORT, LONG]);
}

#[test]
fn without_satellites_there_is_no_fix() {
    let found = only(Protocol::Xexun, NOTHING);
    assert!(found.observations.fixes.is_empty());
    assert_eq!(found.body, json!({"battery_v": 4.28, "charging": 1}));
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    holds(Protocol::Xexun, &[SHORT, LONG, NOTHING, SHORT]);
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed(
        time in 946_684_800_000_i64..4_102_444_800_000, lat_e7 in -900_000_000..=900_000_000_i64,
        lon_e7 in -1_800_000_000..=1_800_000_000_i64, speed_dkmh in any::<Option<u16>>(),
        course_deg in prop::option::of(0..360_u16), altitude_m in any::<Option<i16>>(),
        satellites in any::<Option<u8>>(), is_valid in any::<bool>(),
    ) {
        let place = Fix::placed(Some(UtcMillis(time)), lat_e7, lon_e7, crate::profile::Datum::Wgs84);
        let mut sent = Fix { speed_dkmh, course_deg, altitude_m, satellites, ..place };
        sent.set_valid(is_valid);
        let mut raw = Vec::new();
        encode_report(&TerminalId::new("900000000000017").unwrap(), &sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        prop_assert_eq!(Fix { extra: sent.extra, ..out.fixes[0] }, sent);
    }
}

#[test]
fn a_line_that_is_too_long_is_refused_however_it_comes() {
    let mut stream = vec![b'7'; FRAME_BYTES_MAX + 1];
    stream.push(b'\r');
    let taken = |chunk: usize| {
        let limits = SessionLimits { rejects_in_a_row_max: u32::MAX, ..SessionLimits::default() };
        let mut session = Protocol::Xexun.session(Transport::Stream, limits);
        let (mut out, mut held) = (Outbox::default(), Vec::new());
        for part in stream.chunks(chunk) {
            held.extend_from_slice(part);
            let used = session.receive(UtcMillis(0), &held, &mut OpenGate::default(), &mut out).unwrap();
            held.drain(..used);
        }
        let long = out.rejected.iter().filter(|refused| refused.reason == RejectReason::TooLong).count();
        (out.raw, long)
    };
    assert_eq!(taken(7), taken(stream.len()));
    assert!(taken(7).1 > 0);
}
