use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{hear, holds};
use crate::{Admission, Gate, Outbox, Quality, Refusal, Registration, RegistrationVerdict};

const LOCATION: &[u8] =
    br#"{"_type":"location","tst":1531620610,"lat":-12.3456789,"lon":98.5,"acc":12,"alt":-3,
    "vel":54,"cog":360,"batt":87,"bs":2,"tid":"k9","t":"u","conn":"m","ign":true}"#;

#[test]
fn a_location_is_a_fix_with_its_readings() {
    let found = describe(LOCATION, &Profile::default()).unwrap();
    let fix = found.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_789, 985_000_000, 1_531_620_610_000));
    assert_eq!((fix.altitude_m, fix.speed_dkmh, fix.course_deg), (Some(-3), Some(540), Some(0)));
    assert!(fix.is_valid() && !fix.quality.contains(Quality::IGNITION_UNKNOWN));
    assert_eq!(
        Value::Object(found.attributes[0].clone()),
        json!({"accuracy_m": 12, "battery_percent": 87, "charging": 1, "tracker_id": "k9", "trigger": "u",
               "connection": "m", "battery_state": 2})
    );
    assert_eq!(found.terminal, TerminalId::new("k9"));
}

#[test]
fn what_is_no_position_is_shown() {
    let lwt = describe(br#"{"_type":"lwt","tst":1531620610}"#, &Profile::default()).unwrap();
    assert_eq!(lwt.observations.other, [Observation::Other { message_id: 3 }]);
    assert_eq!((lwt.body, lwt.name), (json!({"tst": 1_531_620_610}), "lwt"));
    let region = describe(br#"{"_type":"waypoint","lat":1.5,"lon":2.5,"desc":"depot"}"#, &Profile::default());
    assert!(region.unwrap().observations.fixes.is_empty(), "a region is no place where the vehicle is");
    for bad in [&b"[]"[..], b"{}", br#"{"_type":"nonsense"}"#, b"{", b""] {
        assert!(describe(bad, &Profile::default()).is_err(), "{bad:?}");
    }
}

#[test]
fn the_terminal_is_the_same_over_http_and_mqtt() {
    let mut stream = Vec::new();
    encode_request("zhang", "car7", LOCATION, &mut stream);
    let request = Request::parse(&stream).unwrap().unwrap();
    assert_eq!(terminal_of_request(&request), terminal_of_topic("owntracks/zhang/car7"));
    assert_eq!(terminal_of_topic("owntracks/zhang/car7/event"), TerminalId::new("zhang/car7"));
    assert_eq!(terminal_of_topic("owntracks/zhang"), None);
    let query = b"POST /pub?u=zhang&d=car7 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
    let request = Request::parse(query).unwrap().unwrap();
    assert_eq!(terminal_of_request(&request), TerminalId::new("zhang/car7"));
}

#[test]
fn a_report_is_answered_and_stored_without_its_head() {
    let mut stream = Vec::new();
    encode_request("zhang", "car7", LOCATION, &mut stream);
    let (out, ended) = hear(Protocol::OwnTracks, &stream, 11);
    assert_eq!(ended, Ok(()));
    assert_eq!(out.raw, LOCATION);
    assert_eq!(
        String::from_utf8(out.replies).unwrap(),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"
    );
    assert!(out.immediate.is_empty());
}

/// A gate that lets in whoever shows `right`.
struct Password(u32);

impl Gate for Password {
    fn register(&mut self, _terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::Unavailable
    }

    fn admit(&mut self, _terminal: &TerminalId, _protocol: Protocol, code: Option<&[u8]>) -> Admission {
        self.0 += 1;
        match code {
            Some(b"right") => Admission::Admitted { device: 7, profile: Default::default() },
            _ => Admission::Refused(Refusal::WrongCode),
        }
    }
}

#[test]
fn each_request_of_a_shared_link_shows_its_password() {
    let request = |password: &str| {
        let credentials =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("zhang:{password}"));
        format!(
            "POST /?u=zhang&d=car7 HTTP/1.1\r\nAuthorization: Basic {credentials}\r\nContent-Length: {}\r\n\r\n{}",
            LOCATION.len(),
            std::str::from_utf8(LOCATION).unwrap()
        )
    };
    let stream = ["right", "wrong", "right", "right"].map(request).concat();
    let mut session = session(Transport::Stream, SessionLimits::default());
    let (mut gate, mut out) = (Password(0), Outbox::default());
    let mut at = 0;
    while at < stream.len() {
        at += session.receive(UtcMillis(0), &stream.as_bytes()[at..], &mut gate, &mut out).unwrap();
    }
    assert_eq!((out.messages.len(), out.rejected.len(), gate.0), (3, 1, 4));
    // Once at the beginning, and once after it was turned away; not with each request.
    assert_eq!(out.logged_in, [7, 7]);
    let answers = String::from_utf8(out.replies).unwrap();
    assert!(answers.contains("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic "), "{answers}");
}

/// A gate that answers every log-in alike.
struct Answer(Admission);

impl Gate for Answer {
    fn register(&mut self, _terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::Unavailable
    }

    fn admit(&mut self, _terminal: &TerminalId, _protocol: Protocol, _code: Option<&[u8]>) -> Admission {
        self.0.clone()
    }
}

#[test]
fn refusals_have_their_status_and_promise_nothing() {
    let mut stream = Vec::new();
    encode_request("zhang", "car7", LOCATION, &mut stream);
    for (admission, status) in [
        (Admission::Refused(Refusal::Unknown), "403 Forbidden"),
        (Admission::Unavailable, "503 Service Unavailable"),
    ] {
        let mut out = Outbox::default();
        let mut session = session(Transport::Stream, SessionLimits::default());
        let done = session.receive(UtcMillis(0), &stream, &mut Answer(admission), &mut out);
        assert_eq!(done, Ok(stream.len()));
        assert!(out.messages.is_empty() && out.replies.is_empty());
        assert!(String::from_utf8(out.immediate).unwrap().starts_with(&format!("HTTP/1.1 {status}\r\n")));
    }
    let nobody = b"POST /pub HTTP/1.1\r\nContent-Length: 17\r\n\r\n{\"_type\": \"card\"}";
    let (out, _) = hear(Protocol::OwnTracks, nobody, nobody.len());
    assert_eq!(out.rejected[0].reason, RejectReason::Malformed, "nobody said who this is");
    assert!(out.immediate.starts_with(b"HTTP/1.1 400 "));
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed(
        time_s in 0_i64..4_000_000_000, lat_e7 in -900_000_000..=900_000_000_i32,
        lon_e7 in -1_800_000_000..=1_800_000_000_i32, altitude in any::<Option<i16>>(),
        speed_kmh in prop::option::of(0..400_u16), course in prop::option::of(0..360_u16),
    ) {
        let sent = Fix {
            altitude_m: altitude,
            speed_dkmh: speed_kmh.map(|speed| speed * 10),
            course_deg: course,
            ..Fix::new(UtcMillis(time_s * 1_000), lat_e7, lon_e7)
        };
        let mut raw = Vec::new();
        encode_location(&sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        let found = out.fixes[0];
        prop_assert_eq!((found.fix_time, found.lat_e7, found.lon_e7), (sent.fix_time, lat_e7, lon_e7));
        prop_assert_eq!(
            (found.altitude_m, found.speed_dkmh, found.course_deg),
            (sent.altitude_m, sent.speed_dkmh, sent.course_deg)
        );
    }
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    let mut stream = Vec::new();
    encode_request("zhang", "car7", LOCATION, &mut stream);
    holds(Protocol::OwnTracks, &[&stream]);
}
