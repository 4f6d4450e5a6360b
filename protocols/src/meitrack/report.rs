//! `AAA`, a report as text.
//!
//! | field | | |
//! |---|---|---|
//! | 0 | event | number |
//! | 1, 2 | latitude, longitude | degrees, signed |
//! | 3 | time | `yyMMddHHmmss`, UTC unless the profile says otherwise |
//! | 4 | `A` valid, `V` not | |
//! | 5, 6 | satellites, radio signal | |
//! | 7, 8 | speed km/h, course | |
//! | 9, 10 | HDOP, altitude m | |
//! | 11, 12 | odometer m, run time s | |
//! | 13 | cell | `MCC\|MNC\|LAC\|CID` |
//! | 14 | inputs and outputs | two bytes in hex |
//! | 15 | analog values | hex, between `\|`; unit by model |
//! | 16 | what the event says | card of a driver (37), name of a picture (39) |
//! | 17.. | by model | kept as texts |

use serde_json::Value;

use super::event::alarms_of;
use crate::notes::Notes;
use crate::octets::readable;
use crate::text::{self, Fields};
use crate::{DecodeError, Fix, Observations, Profile, Quantity, TerminalId};

/// More than any model sends.
const FIELDS_MAX: usize = 64;
const EVENT_DRIVER_CARD: u64 = 37;
const EVENT_PICTURE: u64 = 39;

pub(super) fn read(
    body: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let malformed = DecodeError::new(0, "malformed");
    let fields = Fields::<FIELDS_MAX>::split(body, b',').ok_or(malformed)?;
    let (Some(lat_e7), Some(lon_e7)) = (text::degrees_e7(fields.at(1)), text::degrees_e7(fields.at(2)))
    else {
        return Err(malformed);
    };
    let time = fields.at(3).split_at_checked(6);
    let time = time.and_then(|(date, time)| text::instant_ymd(date, time, profile.clock_offset_or(0)));
    let event = text::digits(fields.at(0)).and_then(|event| u16::try_from(event).ok());
    let fix = Fix {
        satellites: small(fields.at(5)),
        signal: small(fields.at(6)),
        speed_dkmh: text::kmh_to_dkmh(fields.at(7)),
        course_deg: text::course_deg(fields.at(8)),
        altitude_m: text::metres(fields.at(10)),
        odometer_m: text::digits(fields.at(11)).and_then(|metres| u32::try_from(metres).ok()),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    let fix = Fix { alarms: event.map_or(fix.alarms, alarms_of), ..fix };
    push(fix, &fields, out, notes);
    Ok(())
}

fn small(field: &[u8]) -> Option<u8> {
    text::digits(field).and_then(|number| u8::try_from(number).ok())
}

fn push(mut fix: Fix, fields: &Fields<'_, FIELDS_MAX>, out: &mut Observations, notes: &mut impl Notes) {
    fix.set_valid(fields.at(4) == b"A");
    let (start, index) = (out.extra.len(), out.fixes.len());
    let event = text::digits(fields.at(0));
    let whole = |number: u64| i64::try_from(number).ok()?.checked_mul(1_000);
    Quantity::Event.write(event.and_then(whole), &mut out.extra);
    Quantity::Hdop.write(text::fixed(fields.at(9), 3), &mut out.extra);
    Quantity::Hours.write(text::digits(fields.at(12)).and_then(hours_milli), &mut out.extra);
    if let &[i0, i1, o0, o1] = fields.at(14) {
        Quantity::Inputs.write(text::hex(&[i0, i1]).and_then(whole), &mut out.extra);
        Quantity::Outputs.write(text::hex(&[o0, o1]).and_then(whole), &mut out.extra);
    }
    out.push_fix(fix, start);

    note(index, "cell", fields.at(13), notes);
    if !fields.at(15).is_empty() {
        notes.of_fix(index, "analog", || {
            fields.at(15).split(|byte| *byte == b'|').map(|value| Value::from(text::hex(value))).collect()
        });
    }
    let name = match event {
        Some(EVENT_DRIVER_CARD) => "driver_id",
        Some(EVENT_PICTURE) => "image",
        _ => "event_detail",
    };
    note(index, name, fields.at(16), notes);
    let further = fields.as_slice().get(17..).unwrap_or(&[]);
    if further.iter().any(|field| !field.is_empty()) {
        notes.of_fix(index, "further_fields", || further.iter().map(|field| readable(field)).collect());
    }
}

/// Seconds in thousandths of an hour.
pub(super) fn hours_milli(seconds: u64) -> Option<i64> {
    i64::try_from(seconds).ok()?.checked_mul(10).map(|deci| (deci + 18) / 36)
}

fn note(index: usize, name: &str, field: &[u8], notes: &mut impl Notes) {
    if !field.is_empty() {
        notes.of_fix(index, name, || Value::from(readable(field)));
    }
}

/// Appends a report as text with the fields that a fix has, for event 35 (sent at an interval).
pub fn encode_report(flag: u8, terminal: &TerminalId, fix: &Fix, out: &mut Vec<u8>) {
    let degrees = |value_e7: i32| {
        let sign = if value_e7 < 0 { "-" } else { "" };
        let magnitude = value_e7.unsigned_abs();
        format!("{sign}{}.{:07}", magnitude / 10_000_000, magnitude % 10_000_000)
    };
    let time = fix.fix_time.civil(0);
    let speed = fix.speed_dkmh.map(|speed| format!("{}.{}", speed / 10, speed % 10));
    let shown = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let body = format!(
        "35,{},{},{:02}{:02}{:02}{:02}{:02}{:02},{},{},{},{},{},,{},{},,,0000,,",
        degrees(fix.lat_e7),
        degrees(fix.lon_e7),
        time.year.rem_euclid(100),
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        if fix.is_valid() { "A" } else { "V" },
        shown(fix.satellites.map(i64::from)),
        shown(fix.signal.map(i64::from)),
        speed.unwrap_or_default(),
        shown(fix.course_deg.map(i64::from)),
        shown(fix.altitude_m.map(i64::from)),
        shown(fix.odometer_m.map(i64::from)),
    );
    super::encode_frame(flag, terminal, "AAA", body.as_bytes(), out);
}
