//! Links and messages of made-up terminals.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Admission, Alarms, Fix, Gate, Observation, Observations, OpenGate, Outbox, Profile, Protocol, Quality,
    Refusal, Registration, RegistrationVerdict, RejectReason, TerminalId, UtcMillis,
};

/// Admits terminal 7001 with the password `1234`.
struct OneTerminal;

impl Gate for OneTerminal {
    fn register(&mut self, _terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::NoSuchTerminal
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, code: Option<&[u8]>) -> Admission {
        match (terminal.as_str(), code) {
            ("7001", Some(b"1234")) => Admission::Admitted { device: 5, profile: Profile::default().into() },
            ("7001", _) => Admission::Refused(Refusal::WrongCode),
            _ => Admission::Refused(Refusal::Unknown),
        }
    }
}

fn receive(input: &[u8], gate: &mut dyn Gate) -> Outbox {
    let mut out = Outbox::default();
    let mut session = session(Transport::Stream, SessionLimits::default());
    assert_eq!(session.receive(UtcMillis(0), input, gate, &mut out), Ok(input.len()));
    out
}

fn observed(raw: &[u8]) -> Observations {
    let mut out = Observations::default();
    observe(raw, &Profile::default(), &mut out).expect("it can be read");
    out
}

#[test]
fn a_terminal_logs_in_reports_and_is_answered_when_all_is_stored() {
    let frames: [&[u8]; 6] = [
        b"#L#7001;1234\r\n",
        b"#SD#010324;101500;3030.3000;N;11415.1500;E;36;90;25;9\r\n",
        b"#D#010324;101510;3030.3000;N;11415.1500;E;36;90;25;9;0.9;5;1;12.5,NA,3.3;AB12;pwr_ext:2:13.80,gear:1:4\r\n",
        b"#B#010324;101520;3030.3000;N;11415.1500;E;36;90;25;9|010324;101530;3030.3000;S;11415.1500;W;36;90;25;9\r\n",
        b"#P#\r\n",
        b"#M#on the way\r\n",
    ];
    let out = receive(&frames.concat(), &mut OneTerminal);
    assert_eq!(out.rejected, []);
    assert_eq!(out.messages.len(), frames.len());
    assert_eq!(out.raw, frames.concat());
    assert_eq!(out.immediate, b"");
    assert_eq!(out.replies, b"#AL#1\r\n#ASD#1\r\n#AD#1\r\n#AB#2\r\n#AP#\r\n#AM#1\r\n");
}

#[test]
fn whoever_may_not_come_in_is_told_at_once_and_reports_get_no_answer() {
    let out = receive(b"#L#7001;0000\r\n#L#7002;1234\r\n#P#\r\n", &mut OneTerminal);
    assert_eq!(out.immediate, b"#AL#01\r\n#AL#0\r\n");
    assert_eq!((out.replies.len(), out.messages.len()), (0, 0));
    let reasons: Vec<_> = out.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!(
        reasons,
        [RejectReason::NotAdmitted, RejectReason::UnknownTerminal, RejectReason::NotAdmitted]
    );
}

#[test]
fn a_wrong_checksum_is_refused_unanswered() {
    let mut frame = encode_log_in(Edition::V2, &TerminalId::new("7001").expect("a number"), Some("1234"));
    assert_eq!(receive(&frame, &mut OneTerminal).replies, b"#AL#1\r\n");
    frame[8] ^= 1;
    let out = receive(&frame, &mut OneTerminal);
    assert_eq!((out.replies.len(), out.immediate.len()), (0, 0));
    assert_eq!(out.rejected[0].reason, RejectReason::Checksum);
}

#[test]
fn checksums_are_those_of_version_2() {
    // CRC-16/ARC of "123456789" is BB3D by its catalogue.
    assert_eq!(frame::finish(Edition::V2, '9', "#X#12345678".to_owned()), b"#X#123456789BB3D\r\n");
}

#[test]
fn every_field_of_a_report_is_read_with_its_unit() {
    let raw =
        b"#D#010324;101510.5;3030.3000;S;11415.1500;W;36.27;359.7;-25.4;9;0.9;5;1;12.5,NA,3.3;AB12;pwr_ext:2:13.80,SOS:1:1,gear:1:4,note:3:a;xyz\r\n";
    let out = observed(raw);
    let [fix] = out.fixes.as_slice() else { panic!("{out:?}") };
    let wanted = Fix {
        speed_dkmh: Some(363),
        course_deg: Some(0),
        altitude_m: Some(-25),
        satellites: Some(9),
        alarms: Alarms::EMERGENCY,
        status: fix.status,
        quality: Quality::IGNITION_UNKNOWN,
        extra: fix.extra,
        ..Fix::new(
            UtcMillis::from_rfc3339("2024-03-01T10:15:10.500Z").expect("a time"),
            -305_050_000,
            -1_142_525_000,
        )
    };
    assert_eq!(*fix, wanted);
    let described = describe(raw, &Profile::default()).expect("it can be read");
    assert_eq!((described.message.as_str(), described.version), ("D", "1.1"));
    assert_eq!(
        Value::Object(described.attributes[0].clone()),
        json!({
            "hdop": 0.9, "inputs": 5, "outputs": 1, "analog_1_v": 12.5, "analog_3_v": 3.3, "driver_id": "AB12",
            "supply_v": 13.8, "gear": 4, "note": "a;xyz",
        })
    );
}

#[test]
fn a_report_without_a_place_is_no_fix() {
    let out = observed(b"#D#010324;101510;NA;NA;NA;NA;0;NA;NA;0;NA;NA;NA;NA;NA;motion:3:true\r\n");
    assert_eq!(out.fixes, []);
    let [Observation::Readings { at: Some(_), readings }] = out.other.as_slice() else { panic!("{out:?}") };
    assert_eq!(readings, &[crate::Reading::new(crate::Quantity::Motion, 1_000)]);
}

#[test]
fn records_of_a_batch_are_late() {
    let out = observed(
        b"#B#010324;101520;3030.3;N;11415.15;E;36;90;25;9|too;short|NA;NA;3030.3;S;11415.15;E;1;1;1;1\r\n",
    );
    assert_eq!((out.fixes.len(), out.malformed_items), (2, 1));
    assert!(out.fixes.iter().all(|fix| fix.quality.contains(Quality::BACKFILL)));
    assert!(out.fixes[1].quality.contains(Quality::TIME_INVALID));
}

#[test]
fn a_picture_comes_in_blocks_that_hold_any_bytes() {
    let out = receive(
        b"#L#7001;1234\r\n#I#4;0;1;010324;101500;a.jpg\r\n#\r\n##I#1;1;1;010324;101500;a.jpg\r\nx#P#\r\n",
        &mut OneTerminal,
    );
    assert_eq!(out.rejected, []);
    assert_eq!(out.replies, b"#AL#1\r\n#AI#0;1\r\n#AI#1;1\r\n#AI#1\r\n#AP#\r\n");
}

#[test]
fn a_datagram_names_its_terminal() {
    let mut session = session(Transport::Datagram, SessionLimits::default());
    let mut out = Outbox::default();
    let input = b"2.0;7001#P#";
    let mut gate = OpenGate::default();
    assert_eq!(session.receive(UtcMillis(0), input, &mut gate, &mut out), Ok(input.len()));
    assert_eq!(session.terminal(), TerminalId::new("7001"));
    assert_eq!((out.replies.as_slice(), out.raw.as_slice()), (&b"#AP#\r\n"[..], &input[..]));
    assert_eq!(fit(Transport::Stream, input), Fit::No);
    assert_eq!(fit(Transport::Stream, b"#P#\r\n"), Fit::Whole);
}

/// A fix as a report tells it.
fn fix() -> impl Strategy<Value = Fix> {
    let place = (-900_000_000..=900_000_000_i64, -1_800_000_000..=1_800_000_000_i64);
    (
        0..4_000_000_000_000_i64,
        place,
        any::<Option<i16>>(),
        any::<Option<u16>>(),
        prop::option::of(0..360_u16),
    )
        .prop_map(|(time, (lat_e7, lon_e7), altitude_m, speed_dkmh, course_deg)| {
            let time = UtcMillis(time).max(UtcMillis(946_684_800_000));
            let mut fix = Fix::placed(Some(time), lat_e7, lon_e7, crate::profile::Datum::Wgs84);
            fix.set_valid(true);
            Fix { altitude_m, speed_dkmh, course_deg, satellites: Some(7), ..fix }
        })
}

proptest! {
    #[test]
    fn a_report_that_is_written_is_read(fix in fix(), is_v2 in any::<bool>()) {
        let edition = if is_v2 { Edition::V2 } else { Edition::V1 };
        let raw = encode_report(edition, &fix, "", &Profile::default());
        prop_assert_eq!(observed(&raw).fixes, vec![fix]);
        let late = Fix { quality: fix.quality.with(Quality::BACKFILL), ..fix };
        let raw = encode_batch(edition, &[fix, fix], &Profile::default());
        prop_assert_eq!(observed(&raw).fixes, vec![late, late]);
    }
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    let terminal = TerminalId::new("7001").expect("a number");
    let mut fix = Fix::placed(
        Some(UtcMillis(1_709_288_110_000)),
        -305_050_000,
        1_142_525_000,
        crate::profile::Datum::Wgs84,
    );
    fix.set_valid(true);
    let profile = Profile::default();
    crate::trial::holds(
        Protocol::Wialon,
        &[
            &encode_log_in(Edition::V2, &terminal, None),
            &encode_report(Edition::V2, &fix, "SOS:1:1,gear:1:4", &profile),
            &encode_batch(Edition::V2, &[fix, fix], &profile),
            &encode_report(Edition::V1, &fix, "motion:3:true", &profile),
            &encode_ping(),
            b"#M#on the way\r\n",
        ],
    );
}
