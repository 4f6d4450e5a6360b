//! Teltonika: the examples of the maker's public pages, the answers, the commands.

use motorpool_protocols::teltonika::{encode_datagram, encode_log_in, encode_packet, encode_record, frame};
use motorpool_protocols::{
    Alarms, Fix, Observation, Quality, Quantity, Reading, RejectReason, Status, reading,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The log-in of the pages.
const LOG_IN: &str = "000F 333536333037303432343431303133";
/// Codec 8, one record.
const CODEC_8: &str = "000000000000003608010000016B40D8EA30010000000000000000000000000000000105021503010101425E0F01\
                       F10000601A014E0000000000000000010000C7CF";
/// Codec 8, two records.
const CODEC_8_TWO: &str = "000000000000004308020000016B40D57B480100000000000000000000000000000001010101000000000000\
                           016B40D5C198010000000000000000000000000000000101010101000000020000252C";
/// Codec 8 Extended, one record.
const CODEC_8_EXTENDED: &str = "000000000000004A8E010000016B412CEE000100000000000000000000000000000000010005000100010100\
                                010011001D00010010015E2C880002000B000000003544C87A000E000000001DD7E06A00000100002994";
/// Codec 16, two records.
const CODEC_16: &str = "000000000000005F10020000016BDBC7833000000000000000000000000000000000000B0504020001000003000200\
                        0B00270042563A00000000016BDBC7871800000000000000000000000000000000000B05040200010000030002000B\
                        00260042563A00000200005FB3";
/// A datagram of codec 8.
const DATAGRAM: &str = "003DCAFE0105000F33353230393330383634303336353508010000016B4F815B30010000000000000000000000\
                        000000000103021503010101425DBC000001";
/// Codec 12: `getinfo`.
const GETINFO: &str = "000000000000000F0C010500000007676574696E666F0100004312";
/// Codec 14: `getver` to a terminal.
const GETVER: &str = "00000000000000160E01050000000E0352093081452251676574766572010000D2C1";

fn packet(codec: u8, records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_packet(codec, u8::try_from(records.len()).expect("a few"), &records.concat(), &mut out);
    out
}

fn record(fix: &Fix, elements: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_record(fix, elements, &mut out);
    out
}

fn place() -> Fix {
    let mut fix = Fix::new(UtcMillis(1_700_000_000_250), -331_234_567, 1_512_345_678);
    (fix.satellites, fix.speed_dkmh, fix.course_deg) = (Some(9), Some(500), Some(90));
    fix
}

/// A record with what an OBD dongle sends.
fn dongle() -> Vec<u8> {
    let elements: &[(u16, &[u8])] = &[
        (239, &[1]),
        (240, &[1]),
        (1, &[1]),
        (2, &[0]),
        (3, &[1]),
        (179, &[1]),
        (21, &[4]),
        (182, &[0, 9]),
        (32, &[0xf6]),
        (36, &[0x03, 0x84]),
        (37, &[51]),
        (48, &[60]),
        (66, &[0x31, 0x60]),
        (16, &[0, 1, 0x86, 0xa0]),
        (72, &[0xff, 0xff, 0xff, 0x9c]),
        (73, &[0, 0, 0x03, 0x52]),
        (256, b"LTEST000000000001"),
        (281, b"P0301,U0100"),
        (5_000, &[0xab]),
    ];
    packet(frame::CODEC_8_EXTENDED, &[record(&place(), elements)])
}

pub(crate) fn golden() -> Vec<Vec<u8>> {
    let answer = [&[6, 0, 0, 0, 2][..], b"OK"].concat();
    let mut list = vec![bytes(LOG_IN)];
    list.extend([CODEC_8, CODEC_8_TWO, CODEC_8_EXTENDED, CODEC_16].map(bytes));
    list.extend([dongle(), packet(frame::CODEC_12, &[answer])]);
    list
}

fn link() -> Link {
    let mut link = Link::new(Protocol::Teltonika, Transport::Stream);
    link.receive(&bytes(LOG_IN)).expect("the link stays open");
    link
}

#[test]
fn the_log_in_and_the_number_of_records_are_answered_when_they_are_stored() {
    let mut link = link();
    assert_eq!(link.session.terminal().unwrap().as_str(), "356307042441013");
    for example in [CODEC_8, CODEC_8_TWO, CODEC_8_EXTENDED, CODEC_16] {
        link.receive(&bytes(example)).unwrap();
    }
    assert_eq!(link.out.replies, bytes("01 00000001 00000002 00000001 00000002"));
    assert!(link.out.immediate.is_empty());
}

#[test]
fn a_refused_log_in_hears_00_and_an_unavailable_server_nothing() {
    let mut refused = Link::at(Protocol::Teltonika, Transport::Stream, Door::closed());
    refused.receive(&[bytes(LOG_IN), bytes(CODEC_8)].concat()).unwrap();
    assert_eq!((refused.out.immediate.as_slice(), refused.out.replies.as_slice()), (&[0][..], &[][..]));
    assert!(refused.out.raw.is_empty());
    let mut unavailable = Link::at(Protocol::Teltonika, Transport::Stream, Door::unavailable());
    unavailable.receive(&[bytes(LOG_IN), bytes(CODEC_8)].concat()).unwrap();
    assert!(unavailable.out.immediate.is_empty() && unavailable.out.replies.is_empty());
}

#[test]
fn a_datagram_names_its_terminal_and_its_answer_repeats_its_numbers() {
    let mut link = Link::new(Protocol::Teltonika, Transport::Datagram);
    link.receive(&bytes(DATAGRAM)).unwrap();
    assert_eq!(link.session.terminal().unwrap().as_str(), "352093086403655");
    assert_eq!(link.out.replies, bytes("0005CAFE010501"));
    let found = described(Protocol::Teltonika, &bytes(DATAGRAM));
    assert_eq!((found.version, found.serial, found.observations.fixes.len()), ("udp", Some(0xcafe), 1));
}

#[test]
fn the_record_of_the_pages_is_read_as_they_say() {
    let found = observed(Protocol::Teltonika, &bytes(CODEC_8));
    let fix = found.fixes[0];
    assert_eq!(fix.fix_time.to_string(), "2019-06-10T10:04:46Z");
    assert_eq!(fix.signal, Some(3));
    assert!(fix.quality.contains(Quality::NOT_POSITIONED.with(Quality::ZERO_POSITION)));
    let wanted = [
        Reading::new(Quantity::Supply, 24_079),
        Reading::new(Quantity::Inputs, 1_000),
        Reading::new(Quantity::Event, 1_000),
    ];
    assert_eq!(reading::readings(found.extra_of(&fix)).collect::<Vec<_>>(), wanted);
    assert_eq!(described(Protocol::Teltonika, &bytes(CODEC_8)).attributes[0]["operator"], json!(24_602));
}

#[test]
fn extended_and_16_have_their_own_widths() {
    let found = described(Protocol::Teltonika, &bytes(CODEC_8_EXTENDED));
    assert_eq!(found.observations.fixes[0].odometer_m, Some(22_949_000));
    // The page's 893700218 and 500686954.
    assert_eq!(
        (found.attributes[0]["iccid_1"].clone(), found.attributes[0]["iccid_2"].clone()),
        (json!(893_700_218), json!(500_686_954))
    );
    let found = observed(Protocol::Teltonika, &bytes(CODEC_16));
    assert_eq!(found.fixes.len(), 2);
    let readings: Vec<_> = reading::readings(found.extra_of(&found.fixes[1])).collect();
    assert!(readings.contains(&Reading::new(Quantity::Supply, 22_074)), "{readings:?}");
}

#[test]
fn what_an_obd_dongle_sends_is_read_with_its_units() {
    let found = described(Protocol::Teltonika, &dongle());
    let fix = found.observations.fixes[0];
    assert!(fix.status.contains(Status::IGNITION.with(Status::POSITIONED).with(Status::SOUTH)));
    assert_eq!((fix.quality, fix.signal, fix.odometer_m), (Quality(0), Some(4), Some(100_000)));
    assert_eq!((fix.engine_rpm, fix.vehicle_speed_dkmh), (Some(900), Some(510)));
    assert_eq!(
        serde_json::Value::Object(found.attributes[0].clone()),
        json!({
            "motion": 1, "hdop": 0.9, "supply_v": 12.64, "inputs": 5, "outputs": 1, "temperature_1_c": -10,
            // 85 degrees are what a probe says before it has measured.
            "temperature_2_error": 850,
            "obd": {
                "coolant_c": -10, "fuel_level_percent": 60,
                "vin": "LTEST000000000001", "dtcs": ["P0301", "U0100"],
            },
        })
    );
    assert_eq!((found.unknown[0].id.as_str(), found.unknown[0].hex.as_str()), ("5000", "ab"));
}

#[test]
fn green_driving_is_an_alarm_in_the_record_that_tells_of_it() {
    for (event, alarms) in [(253_u8, Alarms::HARSH_BRAKING), (0, Alarms(0))] {
        let mut raw = record(&place(), &[(253, &[2]), (254, &[44])]);
        raw[25] = event;
        let found = observed(Protocol::Teltonika, &packet(frame::CODEC_8_EXTENDED, &[raw]));
        assert_eq!(found.fixes[0].alarms, alarms);
    }
}

#[test]
fn counts_that_differ_and_wrong_checksums_are_refused_without_an_answer() {
    let mut link = link();
    link.out.clear();
    let mut wrong_count = bytes(CODEC_8);
    wrong_count[9] = 2;
    let mut wrong_check = bytes(CODEC_8);
    wrong_check[20] ^= 1;
    link.receive(&[wrong_count, wrong_check].concat()).unwrap();
    let reasons: Vec<_> = link.out.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!(reasons, [RejectReason::Malformed, RejectReason::Checksum]);
    assert!(link.out.replies.is_empty() && link.out.raw.is_empty());
}

#[test]
fn a_ping_is_passed_over() {
    let mut link = link();
    link.out.clear();
    link.receive(&[&[0xff, 0xff][..], &bytes(CODEC_8)].concat()).unwrap();
    assert_eq!((link.out.messages.len(), link.out.rejected.len()), (1, 0));
}

#[test]
fn commands_are_written_as_on_the_pages() {
    let mut link = Link::new(Protocol::Teltonika, Transport::Stream);
    let terminal = TerminalId::new("352093081452251").unwrap();
    let mut log_in = Vec::new();
    encode_log_in(&terminal, &mut log_in);
    link.receive(&log_in).unwrap();
    assert_eq!(link.session.send(&terminal, 12, b"getinfo", &mut link.out), Some(1));
    assert_eq!(link.session.send(&terminal, 14, b"getver", &mut link.out), Some(2));
    assert_eq!(link.out.immediate, [bytes(GETINFO), bytes(GETVER)].concat());
    assert_eq!(link.session.send(&terminal, 13, b"getver", &mut link.out), None);
}

#[test]
fn the_answer_to_a_command_is_stored_and_shown_and_has_no_answer() {
    let mut link = link();
    link.out.clear();
    let raw = golden().pop().unwrap();
    link.receive(&raw).unwrap();
    assert!(link.out.replies.is_empty());
    let found = described(Protocol::Teltonika, &raw);
    assert_eq!(found.body, json!({"type": 6, "result": "OK"}));
    assert_eq!(found.observations.other, [Observation::Other { message_id: 12 }]);
}

#[test]
fn records_before_a_broken_one_are_kept() {
    let records = [record(&place(), &[]), record(&place(), &[])[..30].to_vec()];
    let found = observed(Protocol::Teltonika, &packet(frame::CODEC_8_EXTENDED, &records));
    assert_eq!((found.fixes.len(), found.malformed_items), (1, 1));
}

#[test]
fn old_firmware_with_elements_of_sixteen_bytes_is_recognised_by_where_it_ends() {
    let head = record(&place(), &[])[..24].to_vec();
    // Event, total, one element of a byte, none of 2, 4, 8, one of 16.
    let elements = [&[0, 2, 1, 239, 1, 0, 0, 0, 1, 77][..], &[5; 16]].concat();
    let found = described(Protocol::Teltonika, &packet(frame::CODEC_8, &[[head, elements].concat()]));
    assert!(found.observations.fixes[0].status.contains(Status::IGNITION));
    assert_eq!((found.unknown[0].id.as_str(), found.unknown[0].hex.len()), ("77", 32));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        ms in 0..4_000_000_000_000_i64,
        (lat, lon) in (-900_000_000_i32..=900_000_000, -1_800_000_000_i32..=1_800_000_000),
        (altitude, speed, course, satellites) in (any::<i16>(), 0..1_000_u16, 0..360_u16, 1..40_u8),
        (rpm, odometer, ignition) in (any::<u16>(), any::<u32>(), any::<bool>()),
        is_datagram in any::<bool>(),
    ) {
        let mut fix = Fix::new(UtcMillis(ms), lat, lon);
        fix.altitude_m = Some(altitude);
        fix.speed_dkmh = Some(speed * 10);
        fix.course_deg = Some(course);
        fix.satellites = Some(satellites);
        let (rpm_bytes, odometer_bytes) = (rpm.to_be_bytes(), odometer.to_be_bytes());
        let elements: &[(u16, &[u8])] =
            &[(239, &[u8::from(ignition)]), (36, &rpm_bytes), (16, &odometer_bytes)];
        let body = record(&fix, elements);
        let mut raw = Vec::new();
        if is_datagram {
            let terminal = TerminalId::new("356307042441013").unwrap();
            let head = frame::Datagram { packet: 1, avl_packet: 2, terminal };
            encode_datagram(&head, frame::CODEC_8_EXTENDED, 1, &body, &mut raw);
        } else {
            encode_packet(frame::CODEC_8_EXTENDED, 1, &body, &mut raw);
        }
        let found = observed(Protocol::Teltonika, &raw).fixes[0];
        prop_assert_eq!((found.fix_time, found.lat_e7, found.lon_e7), (fix.fix_time, lat, lon));
        prop_assert_eq!(
            (found.altitude_m, found.speed_dkmh, found.course_deg, found.satellites),
            (fix.altitude_m, fix.speed_dkmh, fix.course_deg, fix.satellites)
        );
        prop_assert_eq!((found.engine_rpm, found.odometer_m), (Some(rpm), Some(odometer)));
        prop_assert_eq!(found.status.contains(Status::IGNITION), ignition);
    }
}
