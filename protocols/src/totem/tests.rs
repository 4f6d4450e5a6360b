use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{hear, holds, only, read_both_ways};
use crate::{Alarms, Fix, Status};

fn newer(content: &str) -> Vec<u8> {
    let line = format!("$${:04}{content}", content.len() + 8);
    let sum = line.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("{line}{sum:02X}").into_bytes()
}

fn older(content: &str) -> Vec<u8> {
    let line = format!("$${:02X}{content}|", content.len() + 9);
    format!("{line}{:04X}", MODBUS.checksum(line.as_bytes())).into_bytes()
}

const OLDER: &str = "900000000000017|01$GPRMC,021010.000,A,1220.7407,S,09830.0000,E,19.73,271.77,150718,,,A*52|02.3|01.3|01.9|\
    000000000000|20180715021010|14041402|00000000|002E2171|0000|0.2172|8902";

fn report() -> Vec<u8> {
    newer(
        "10900000000000017|50001000180715021010401203270321032103270189000027BA0E4E072027203601.000001231220.7407S09830.0000E0957",
    )
}

fn card() -> Vec<u8> {
    newer("E2900000000000017|180715021010,98.5,-12.345678,1122334455|")
}

#[test]
fn both_generations_are_a_fix() {
    let found = only(Protocol::Totem, &older(OLDER));
    let fix = found.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_783, 985_000_000, 1_531_620_610_000));
    assert_eq!((fix.speed_dkmh, fix.alarms, fix.odometer_m), (Some(365), Alarms::EMERGENCY, Some(217)));
    assert_eq!(
        Value::Object(found.attributes[0].clone()),
        json!({"pdop": 2.3, "hdop": 1.3, "charging": 1, "battery_v": 4.04, "supply_v": 14.02,
               "io": "000000000000", "cell": "002E2171"})
    );
    let found = only(Protocol::Totem, &report());
    let fix = found.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_783, 985_000_000, 1_531_620_610_000));
    assert_eq!(
        (fix.satellites, fix.signal, fix.course_deg, fix.speed_dkmh),
        (Some(7), Some(20), Some(272), Some(360))
    );
    assert_eq!((fix.alarms, fix.odometer_m), (Alarms::POWER_LOST, Some(123_000)));
    assert!(fix.is_valid() && fix.status.contains(Status::IGNITION));
    assert_eq!(
        (&found.attributes[0]["battery_v"], &found.attributes[0]["supply_v"]),
        (&json!(4), &json!(12))
    );
    assert_eq!(found.serial, Some(957));
    assert_eq!(only(Protocol::Totem, &card()).attributes[0]["driver_id"], "1122334455");
}

#[test]
fn each_generation_has_its_answer() {
    let (out, _) = hear(Protocol::Totem, &[older(OLDER), b"\r\n".to_vec(), report()].concat(), 10);
    let sum = b"$$0014AA0957".iter().fold(0, |sum, byte| sum ^ byte);
    assert_eq!(out.replies, format!("ACK OK\r\n$$0014AA0957{sum:02X}").as_bytes());
}

#[test]
fn a_wrong_check_or_length_is_refused() {
    for frame in [older(OLDER), report()] {
        let mut wrong = frame.clone();
        wrong[40] ^= 1;
        let shorter = [&frame[..frame.len() - 1], b"\r\n"].concat();
        for bad in [wrong, shorter] {
            let (out, _) = hear(Protocol::Totem, &bad, 20);
            assert_eq!((out.messages.len(), out.rejected[0].reason), (0, RejectReason::Checksum));
            assert!(read_both_ways(Protocol::Totem, &bad).is_none());
        }
    }
}

#[test]
fn what_is_no_position_is_kept_as_text() {
    let found = only(Protocol::Totem, &older("900000000000017|AA00000000000000|00.0|00.0"));
    assert!(found.observations.fixes.is_empty());
    assert_eq!(found.body["text"], "AA00000000000000|00.0|00.0|");
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    holds(Protocol::Totem, &[&older(OLDER), &report(), &card(), &older(OLDER)]);
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed(
        time_s in 946_684_800_i64..4_102_444_800, lat in -5_399_999..=5_399_999_i64,
        lon in -10_799_999..=10_799_999_i64, speed_kmh in 0..1_000_u16, course_deg in 0..360_u16,
        satellites in 0..100_u8, odometer_km in 0..4_000_000_u32, flags in any::<(bool, bool)>(),
    ) {
        // Places of whole 1e-3 minutes, which are read back exactly to a unit.
        let place = Fix::placed(
            Some(UtcMillis(time_s * 1_000)), lat * 500 / 3, lon * 500 / 3, crate::profile::Datum::Wgs84,
        );
        let mut sent = Fix {
            speed_dkmh: Some(speed_kmh * 10),
            course_deg: Some(course_deg),
            satellites: Some(satellites),
            signal: Some(20),
            odometer_m: Some(odometer_km * 1_000),
            ..place
        };
        sent.set_valid(flags.0);
        sent.set_ignition(flags.1);
        let mut raw = Vec::new();
        encode_report(&TerminalId::new("900000000000017").unwrap(), 7, &sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        let found = out.fixes[0];
        // Four decimals of a minute are 17 of 1e-7 degrees.
        prop_assert!((found.lat_e7 - sent.lat_e7).abs() <= 17 && (found.lon_e7 - sent.lon_e7).abs() <= 17);
        let place = (sent.lat_e7, sent.lon_e7, sent.extra);
        let found = Fix { lat_e7: place.0, lon_e7: place.1, extra: place.2, status: sent.status, ..found };
        prop_assert_eq!(Fix { quality: sent.quality, ..found }, sent);
    }
}
