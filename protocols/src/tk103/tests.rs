use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trial::{hear, holds, only};
use crate::{Fix, Reading};

const POSITION: &[u8] =
    b"(090000000017BR00180715A1220.74068S09830.0000E036.5021010271.7701000000L0001E240+017.5)";
const COMMAS: &[u8] = b"(900000000000017,DW3B,150718,A,1220.74068S,9830.00000E,36.54,021010,271.77,-7.10,4)";
const LOG_IN: &[u8] =
    b"(090000000017BP05900000000000017180715A1220.74068S09830.0000E036.502101090.00000000000L00000000)";
const ALARM: &[u8] = b"(090000000017BO012180715A1220.74068S09830.0000E036.5021010271.7700000000L00000000)";
const TEXT: &[u8] = b"(900000000000017,ZC03,191117,234421,$)Note:\r\n(5).)$)";

fn place(found: &Description) -> (i32, i32, i64, Option<u16>, Option<u16>) {
    let fix = found.observations.fixes[0];
    (fix.lat_e7, fix.lon_e7, fix.fix_time.0, fix.speed_dkmh, fix.course_deg)
}

const PLACE: (i32, i32, i64, Option<u16>, Option<u16>) =
    (-123_456_780, 985_000_000, 1_531_620_610_000, Some(365), Some(272));

#[test]
fn a_position_is_read_in_both_forms() {
    let found = only(Protocol::Tk103, POSITION);
    assert_eq!(place(&found), PLACE);
    let fix = found.observations.fixes[0];
    assert_eq!((fix.odometer_m, fix.status.contains(crate::Status::IGNITION)), (Some(123_456), true));
    assert_eq!(found.attributes[0]["temperature_1_c"], 17.5);
    let found = only(Protocol::Tk103, COMMAS);
    assert_eq!(place(&found), PLACE);
    let fix = found.observations.fixes[0];
    assert_eq!((fix.altitude_m, fix.satellites), (Some(-7), Some(4)));
    assert_eq!(found.terminal, TerminalId::new("900000000000017"));
}

#[test]
fn log_ins_and_alarms_are_answered() {
    let stream = [&b"(090000000017BP00HSO)"[..], LOG_IN, ALARM, POSITION].concat();
    let (out, _) = hear(Protocol::Tk103, &stream, 9);
    assert_eq!(out.replies, b"(090000000017AP01HSO)(090000000017AP05)(090000000017AS012)");
    assert_eq!(out.messages.len(), 4);
    let log_in = only(Protocol::Tk103, LOG_IN);
    assert_eq!(place(&log_in), (PLACE.0, PLACE.1, PLACE.2, PLACE.3, Some(90)));
    assert_eq!(only(Protocol::Tk103, ALARM).observations.fixes[0].alarms, Alarms::EMERGENCY);
}

#[test]
fn what_is_no_position_is_shown() {
    let vin = only(Protocol::Tk103, b"(090000000017BV00LTEST000000000017)");
    assert_eq!(vin.observations.other, [Observation::Vin("LTEST000000000017".to_owned())]);
    let battery = only(Protocol::Tk103, b"(900000000017,ZC20,150718,021010,6,392,65535,255)");
    let at = Some(UtcMillis(1_531_620_610_000));
    let readings = vec![Reading::new(Quantity::Battery, 3_920)];
    assert_eq!(battery.observations.other, [Observation::Readings { at, readings }]);
    assert_eq!(battery.body["supply_absent"], json!("sent as 65535"));
    assert_eq!(only(Protocol::Tk103, TEXT).message, "ZC03");
}

#[test]
fn no_cut_and_no_damage_does_harm() {
    holds(Protocol::Tk103, &[POSITION, COMMAS, LOG_IN, ALARM, TEXT]);
}

proptest! {
    #[test]
    fn what_is_encoded_is_observed(
        time_s in 946_684_800_i64..4_102_444_800, lat_e7 in -900_000_000..=900_000_000_i64,
        lon_e7 in -1_800_000_000..=1_800_000_000_i64, speed_dkmh in 0..9_999_u16, course_deg in 0..360_u16,
        odometer_m in any::<u32>(), flags in any::<(bool, bool)>(),
    ) {
        let place = Fix::placed(Some(UtcMillis(time_s * 1_000)), lat_e7, lon_e7, crate::profile::Datum::Wgs84);
        let mut sent = Fix {
            speed_dkmh: Some(speed_dkmh),
            course_deg: Some(course_deg),
            odometer_m: Some(odometer_m),
            ..place
        };
        sent.set_valid(flags.0);
        sent.set_ignition(flags.1);
        let mut raw = Vec::new();
        encode_position(&TerminalId::new("090000000017").unwrap(), &sent, &mut raw);
        let mut out = Observations::default();
        prop_assert_eq!(observe(&raw, &Profile::default(), &mut out), Ok(()));
        prop_assert_eq!(out.fixes, [sent]);
    }
}
