//! Reports: with satellites, without, of the vehicle's network, and in the form of one copy.

use serde_json::Value;

use crate::notes::Notes;
use crate::octets::readable;
use crate::text::{self, Fields};
use crate::time::DAY_MS;
use crate::{
    Alarms, Fix, Observation, Observations, Profile, Quantity, Reading, Status, TerminalId, UtcMillis,
};

/// More than any copy sends.
const FIELDS_MAX: usize = 48;

type Row<'a> = Fields<'a, FIELDS_MAX>;

pub(super) fn read(fields: &[u8], profile: &Profile, out: &mut Observations, notes: &mut impl Notes) {
    let Some(row) = Row::split(fields, b',') else {
        out.malformed_items += 1;
        out.other.push(Observation::Other { message_id: 0 });
        return;
    };
    let keyword = row.at(0);
    if keyword == b"OBD" {
        return read_obd(&row, profile, out, notes);
    }
    let (alarms, ignition) = meaning_of(keyword);
    let has_satellites = row.at(3) == b"F";
    let found = if has_satellites { of_satellites(&row, profile) } else { of_copy(&row, profile) };
    let Some(mut fix) = found else {
        return without_place(&row, alarms, profile, out, notes);
    };
    fix.alarms = fix.alarms.with(alarms);
    if let Some(is_on) = ignition {
        fix.set_ignition(is_on);
    }
    if has_satellites {
        push(fix, &row, out, notes);
    } else {
        let start = out.extra.len();
        Quantity::Hdop.write(text::fixed(row.at(13), 3), &mut out.extra);
        out.push_fix(fix, start);
    }
}

/// The alarm that a keyword is, and what it says of the ignition.
fn meaning_of(keyword: &[u8]) -> (Alarms, Option<bool>) {
    let alarm = match keyword {
        b"help me" => Alarms::EMERGENCY,
        b"low battery" => Alarms::LOW_BATTERY,
        b"stockade" => Alarms::AREA,
        b"move" => Alarms::ILLEGAL_DISPLACEMENT,
        b"speed" => Alarms::OVERSPEED,
        b"ac alarm" => Alarms::POWER_LOST,
        b"door alarm" | b"bonnet alarm" => Alarms::ILLEGAL_DOOR,
        b"sensor alarm" => Alarms::VIBRATION,
        b"accident alarm" => Alarms::COLLISION,
        b"acc alarm" => Alarms::ILLEGAL_IGNITION,
        b"footbrake alarm" | b"DTC" => Alarms::OTHER,
        b"oil1" | b"oil2" | b"oil" => Alarms::FUEL_ABNORMAL,
        b"acc on" => return (Alarms(0), Some(true)),
        b"acc off" => return (Alarms(0), Some(false)),
        _ => Alarms(0),
    };
    (alarm, None)
}

fn of_satellites(row: &Row<'_>, profile: &Profile) -> Option<Fix> {
    // One copy writes the side in front of the degrees.
    let is_side_first = row.at(6).first().is_some_and(u8::is_ascii_alphabetic);
    let (lat, lat_side, lon, lon_side) = if is_side_first {
        (row.at(7), row.at(6), row.at(9), row.at(8))
    } else {
        (row.at(6), row.at(7), row.at(8), row.at(9))
    };
    let lat_e7 = text::on_side(text::degrees_minutes_e7(lat)?, lat_side);
    let lon_e7 = text::on_side(text::degrees_minutes_e7(lon)?, lon_side);
    let local = local_time(row.at(1), 0);
    let time = local
        .and_then(|local| utc_of(local, row.at(4)))
        .or_else(|| local_time(row.at(1), profile.clock_offset_or(0)));
    let mut fix = Fix {
        speed_dkmh: text::knots_to_dkmh(row.at(10)),
        course_deg: text::course_deg(row.at(11)),
        altitude_m: text::metres(row.at(12)),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(row.at(5) == b"A");
    match row.at(13) {
        b"1" => fix.set_ignition(true),
        b"0" => fix.set_ignition(false),
        _ => {}
    }
    if row.at(14) == b"1" {
        fix.status = fix.status.with(Status::DOOR_1_OPEN);
    }
    Some(fix)
}

/// The time of the terminal's zone: `yyMMddHHmm`, with or without seconds, or `yy/MM/dd HH:mm`.
fn local_time(written: &[u8], offset_s: i32) -> Option<UtcMillis> {
    let mut digits = [b'0'; 12];
    let given = written.iter().filter(|byte| !matches!(byte, b'/' | b':' | b' '));
    let mut len = 0;
    for digit in given {
        *digits.get_mut(len)? = *digit;
        len += 1;
    }
    let (date, time) = digits.split_at_checked(6)?;
    if len == 10 || len == 12 { text::instant_ymd(date, time, offset_s) } else { None }
}

/// The instant with the UTC time of day `written` that is within twelve hours of the local time.
fn utc_of(local: UtcMillis, written: &[u8]) -> Option<UtcMillis> {
    let of_day = text::instant_ymd(b"700101", written, 0)?.0.rem_euclid(DAY_MS);
    let same_day = local.0.div_euclid(DAY_MS) * DAY_MS + of_day;
    let ahead = same_day - local.0;
    let days = if ahead > DAY_MS / 2 { -1 } else { i64::from(ahead < -(DAY_MS / 2)) };
    Some(UtcMillis(same_day + days * DAY_MS))
}

fn push(fix: Fix, row: &Row<'_>, out: &mut Observations, notes: &mut impl Notes) {
    let (start, index) = (out.extra.len(), out.fixes.len());
    let percent = row.at(15).strip_suffix(b"%").and_then(|percent| text::fixed(percent, 3));
    Quantity::FuelLevel.write(percent, &mut out.extra);
    // A probe is in the keyword, or the last field but one with its sign.
    let probe = row.at(0).strip_prefix(b"T:");
    let celsius =
        probe.or_else(|| Some(row.at(17)).filter(|field| matches!(field.first(), Some(b'+' | b'-'))));
    Quantity::Temperature1.write(celsius.and_then(|celsius| text::fixed(celsius, 3)), &mut out.extra);
    out.push_fix(fix, start);
    let further = row.as_slice().get(15..).unwrap_or(&[]);
    if further.iter().any(|field| !field.is_empty()) {
        notes.of_fix(index, "further_fields", || further.iter().map(|field| readable(field)).collect());
    }
    if !matches!(row.at(0), b"tracker") {
        notes.of_fix(index, "keyword", || Value::from(readable(row.at(0))));
    }
    trouble_codes(row.as_slice(), fix.fix_time, out);
}

/// Fields that are trouble codes, `P0021`.
fn trouble_codes(fields: &[&[u8]], at: UtcMillis, out: &mut Observations) {
    let is_code = |field: &&&[u8]| matches!(field, [b'P' | b'C' | b'B' | b'U', rest @ ..] if rest.len() == 4 && rest.iter().all(u8::is_ascii_hexdigit));
    let codes: Vec<String> = fields.iter().filter(is_code).map(|code| readable(code)).collect();
    if !codes.is_empty() {
        out.other.push(Observation::TroubleCodes { at: Some(at), codes });
    }
}

fn without_place(
    row: &Row<'_>,
    alarms: Alarms,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) {
    let at = local_time(row.at(1), profile.clock_offset_or(0));
    out.other.push(Observation::Readings { at, readings: Vec::new() });
    if alarms != Alarms(0) {
        notes.of_message("alarms", || alarms.names().collect());
    }
    notes.of_message("fields", || row.as_slice().iter().map(|field| readable(field)).collect());
}

/// `OBD`: total mileage, momentary and mean consumption, running time, speed km/h, load, coolant, throttle, rpm,
/// battery, up to four trouble codes. The sheets do not agree about the unit of the mileage: it stays a text.
fn read_obd(row: &Row<'_>, profile: &Profile, out: &mut Observations, notes: &mut impl Notes) {
    let at = local_time(row.at(1), profile.clock_offset_or(0));
    let number = |field: &[u8]| text::fixed(field.strip_suffix(b"%").unwrap_or(field), 3);
    let readings = [
        (Quantity::Consumption, 4),
        (Quantity::VehicleSpeed, 6),
        (Quantity::EngineLoad, 7),
        (Quantity::Coolant, 8),
        (Quantity::Throttle, 9),
        (Quantity::EngineSpeed, 10),
        (Quantity::VehicleBattery, 11),
    ]
    .into_iter()
    .filter_map(|(quantity, field)| Some(Reading::new(quantity, number(row.at(field))?)))
    .collect();
    out.other.push(Observation::Readings { at, readings });
    for (name, field) in [("mileage", 2), ("momentary_consumption", 3), ("running_time", 5)] {
        if !row.at(field).is_empty() {
            notes.of_message(name, || Value::from(readable(row.at(field))));
        }
    }
    trouble_codes(row.as_slice().get(12..).unwrap_or(&[]), at.unwrap_or_default(), out);
}

/// The form of one copy: `NAME,---,------,----,HHmmss,ddMMyy,SIGNAL,VALID,LAT,LON,SPEED,COURSE,ALT,HDOP,SATS,ACC,..`.
fn of_copy(row: &Row<'_>, profile: &Profile) -> Option<Fix> {
    let dashes =
        [1, 2, 3].map(|number| row.at(number).iter().all(|byte| *byte == b'-') && !row.at(number).is_empty());
    if dashes != [true; 3] {
        return None;
    }
    let (lat_e7, lon_e7) = (text::degrees_e7(row.at(8))?, text::degrees_e7(row.at(9))?);
    let small = |field: &[u8]| text::digits(field).and_then(|number| u8::try_from(number).ok());
    let time = text::instant_dmy(row.at(5), row.at(4), profile.clock_offset_or(0));
    let mut fix = Fix {
        signal: small(row.at(6)),
        speed_dkmh: text::kmh_to_dkmh(row.at(10)),
        course_deg: text::course_deg(row.at(11)),
        altitude_m: text::metres(row.at(12)),
        satellites: small(row.at(14)),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(row.at(7) == b"1");
    fix.set_ignition(row.at(15) == b"1");
    Some(fix)
}

/// Appends a report with the fields that a fix has.
pub fn encode_report(terminal: &TerminalId, fix: &Fix, out: &mut Vec<u8>) {
    let sentence = crate::nmea::rmc_text(fix);
    let mut fields = sentence.rsplitn(2, ',');
    let date = fields.next().unwrap_or("");
    let up_to_course = fields.next().unwrap_or("");
    let (day_month, year) = date.split_at_checked(4).unwrap_or(("0000", "00"));
    let (day, month) = day_month.split_at_checked(2).unwrap_or(("00", "00"));
    let (time, _) = sentence.split_once('.').unwrap_or(("000000", ""));
    let altitude = fix.altitude_m.map(|altitude| altitude.to_string()).unwrap_or_default();
    let line = format!("imei:{terminal},tracker,{year}{month}{day}{time},,F,{up_to_course},{altitude},,,,;");
    out.extend_from_slice(line.as_bytes());
}
