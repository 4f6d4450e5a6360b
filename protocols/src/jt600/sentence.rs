//! Text between parentheses, and the binary of a wireless probe in it.

use serde_json::Value;

use super::binary;
use crate::framed::Cut;
use crate::notes::Notes;
use crate::octets::{Octets, hex, readable};
use crate::text::{self, Fields};
use crate::{DecodeError, Fix, Observation, Observations, Profile, Quantity};

const FIELDS_MAX: usize = 48;
/// Commas up to the bytes of a wireless probe.
const PROBE_COMMAS: usize = 6;
const PROBE_BYTES: usize = 40;
/// Longest head in front of the bytes of a probe.
const PROBE_HEAD_MAX: usize = 64;
const MALFORMED: DecodeError = DecodeError::new(0, "malformed");

type Row<'a> = Fields<'a, FIELDS_MAX>;

/// Finds the end of the text at the front of `input`.
pub(super) fn cut(input: &[u8]) -> Cut {
    match probe_at(input) {
        Probe::None => memchr::memchr(b')', input).map_or(Cut::Incomplete, |at| Cut::Frame(at + 1)),
        Probe::At(start) if start + PROBE_BYTES < input.len() => Cut::Frame(start + PROBE_BYTES + 1),
        Probe::NotYet | Probe::At(_) => Cut::Incomplete,
    }
}

/// Where the bytes of a wireless probe begin.
enum Probe {
    None,
    NotYet,
    At(usize),
}

fn probe_at(input: &[u8]) -> Probe {
    let head = input.get(..PROBE_HEAD_MAX).unwrap_or(input);
    let mut fields = head.split(|byte| *byte == b',');
    let is_probe = fields.nth(3) == Some(b"WLNET") && fields.next() == Some(b"5");
    let end = memchr::memchr_iter(b',', head).nth(PROBE_COMMAS - 1);
    match end {
        // A text that ended before is none, however much of what follows has come.
        Some(at) if is_probe && !head.iter().take(at).any(|byte| *byte == b')') => Probe::At(at + 1),
        // The type stands behind five commas; as long as no text ended it may still come.
        None if head.len() < PROBE_HEAD_MAX && !head.contains(&b')') => Probe::NotYet,
        _ => Probe::None,
    }
}

/// What a text is: a letter and two digits, wherever it stands among the first fields.
pub(super) fn kind(raw: &[u8]) -> Option<&[u8]> {
    let content = raw.strip_prefix(b"(")?;
    let content = content.strip_suffix(b")").unwrap_or(content);
    let is_kind = |field: &&[u8]| {
        matches!(field, [a, b, c] if a.is_ascii_uppercase() && b.is_ascii_digit() && c.is_ascii_digit())
            || *field == b"WLNET"
            || field.starts_with(b"@")
    };
    content.split(|byte| *byte == b',').skip(1).take(3).find(is_kind)
}

/// The answer of the protocol, if it has one.
pub(super) fn answer(raw: &[u8]) -> Option<String> {
    match kind(raw)? {
        b"U01" | b"U02" | b"U03" => Some("(S39)".to_owned()),
        b"U06" => Some("(S20)".to_owned()),
        b"P45" => {
            let number = raw.split(|byte| matches!(byte, b',' | b')')).nth(P45_NUMBER_AT)?;
            text::digits(number).map(|number| format!("(P69,0,{number})"))
        }
        _ => None,
    }
}

/// The number of a lock's report among its fields.
const P45_NUMBER_AT: usize = 16;

pub(super) fn read(
    raw: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let kind = kind(raw).ok_or(MALFORMED)?;
    if kind == b"WLNET" {
        return read_probe(raw, profile, out, notes);
    }
    let content = raw.strip_prefix(b"(").and_then(|content| content.strip_suffix(b")")).ok_or(MALFORMED)?;
    let row = Row::split(content, b',').ok_or(MALFORMED)?;
    let is_read = match kind {
        b"W01" => read_w01(&row, profile, out, notes),
        b"P45" => read_p45(&row, profile, out, notes),
        [b'U', ..] if row.at(1) == kind => read_u01(&row, profile, out, notes),
        _ => None,
    };
    if is_read.is_none() {
        let number = text::digits(kind.get(1..).unwrap_or(&[])).and_then(|number| u16::try_from(number).ok());
        out.other.push(Observation::Other { message_id: number.unwrap_or(0) });
        notes.of_message("text", || Value::from(readable(content)));
    }
    Ok(())
}

/// Miles an hour in 0.1 km/h.
fn mph_to_dkmh(field: &[u8]) -> Option<u16> {
    // 1 mile is 1.609344 km exactly.
    let dkmh = (text::fixed(field, 3)?.checked_mul(1_609_344)? + 50_000_000).div_euclid(100_000_000);
    u16::try_from(dkmh).ok()
}

fn small(field: &[u8]) -> Option<u8> {
    text::digits(field).and_then(|number| u8::try_from(number).ok())
}

/// `W01,LON,E,LAT,N,A,ddMMyy,HHmmss,SPEED,COURSE,BATTERY,GPS,GSM,ALERT,…`.
fn read_w01(row: &Row<'_>, profile: &Profile, out: &mut Observations, notes: &mut impl Notes) -> Option<()> {
    let lon_e7 = text::on_side(text::degrees_minutes_e7(row.at(2))?, row.at(3));
    let lat_e7 = text::on_side(text::degrees_minutes_e7(row.at(4))?, row.at(5));
    let time = text::instant_dmy(row.at(7), row.at(8), profile.clock_offset_or(0));
    let mut fix = Fix {
        speed_dkmh: text::kmh_to_dkmh(row.at(9)),
        course_deg: text::course_deg(row.at(10)),
        signal: small(row.at(13)),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(row.at(6) == b"A");
    let (start, index) = (out.extra.len(), out.fixes.len());
    Quantity::Event.write(text::fixed(row.at(14), 3), &mut out.extra);
    out.push_fix(fix, start);
    notes.of_fix(index, "battery_level", || Value::from(readable(row.at(11))));
    notes.of_fix(index, "gps_signal", || Value::from(readable(row.at(12))));
    Some(())
}

/// `U01,[ALARM,]ddMMyy,HHmmss,T,LAT,N,LON,E,SPEED,COURSE,SATS,BATTERY%,STATUS,CID,LAC,GSM,KM,NUMBER,…`.
fn read_u01(row: &Row<'_>, profile: &Profile, out: &mut Observations, notes: &mut impl Notes) -> Option<()> {
    let alarm_fields = usize::from(row.at(2).len() != 6);
    let at = |number: usize| row.at(number + alarm_fields);
    let lat_e7 = text::on_side(text::degrees_e7(at(5))?, at(6));
    let lon_e7 = text::on_side(text::degrees_e7(at(7))?, at(8));
    let time = text::instant_dmy(at(2), at(3), profile.clock_offset_or(0));
    let mut fix = Fix {
        speed_dkmh: mph_to_dkmh(at(9)),
        course_deg: text::course_deg(at(10)),
        satellites: small(at(11)),
        signal: small(at(16)),
        odometer_m: text::km_to_m(at(17)),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(at(4) == b"T");
    let (start, index) = (out.extra.len(), out.fixes.len());
    let percent = at(12).strip_suffix(b"%").and_then(|percent| text::fixed(percent, 3));
    Quantity::BatteryPercent.write(percent, &mut out.extra);
    if alarm_fields > 0 {
        Quantity::Event.write(text::fixed(row.at(2), 3), &mut out.extra);
    }
    out.push_fix(fix, start);
    notes.of_fix(index, "status", || Value::from(readable(at(13))));
    notes.of_fix(index, "cell", || Value::from(format!("{} {}", readable(at(15)), readable(at(14)))));
    Some(())
}

/// `P45,ddMMyy,HHmmss,LAT,N,LON,E,A,SPEED,COURSE,SOURCE,UNLOCKED,CARD,…`.
fn read_p45(row: &Row<'_>, profile: &Profile, out: &mut Observations, notes: &mut impl Notes) -> Option<()> {
    let lat_e7 = text::on_side(text::degrees_e7(row.at(4))?, row.at(5));
    let lon_e7 = text::on_side(text::degrees_e7(row.at(6))?, row.at(7));
    let time = text::instant_dmy(row.at(2), row.at(3), profile.clock_offset_or(0));
    let mut fix = Fix {
        speed_dkmh: mph_to_dkmh(row.at(9)),
        course_deg: text::course_deg(row.at(10)),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(row.at(8) == b"A");
    let (start, index) = (out.extra.len(), out.fixes.len());
    Quantity::Event.write(text::fixed(row.at(11), 3), &mut out.extra);
    out.push_fix(fix, start);
    let card = row.at(13);
    if card.iter().any(|digit| *digit != b'0') {
        notes.of_fix(index, "driver_id", || Value::from(readable(card)));
    }
    Some(())
}

/// A position as in binary, when it was received BCD\[6\], the probe's number BCD\[5\], six bytes, the temperature
/// WORD in 0.1 degrees, the humidity BYTE, three bytes.
fn read_probe(
    raw: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let Probe::At(start) = probe_at(raw) else {
        out.other.push(Observation::Other { message_id: 0 });
        notes.of_message("text", || Value::from(readable(raw)));
        return Ok(());
    };
    let mut octets = Octets::new(raw.get(start..start + PROBE_BYTES).ok_or(MALFORMED)?, start);
    let fix = binary::place(&mut octets, profile)?;
    let received = octets.take(6)?;
    let probe = octets.take(5)?;
    let state = octets.take(6)?;
    let (extra_start, index) = (out.extra.len(), out.fixes.len());
    Quantity::Temperature1.write(Some(i64::from(octets.i16()?) * 100), &mut out.extra);
    Quantity::Humidity.write(Some(i64::from(octets.u8()?) * 1_000), &mut out.extra);
    out.push_fix(fix, extra_start);
    notes.of_fix(index, "received", || Value::from(hex(received)));
    notes.of_fix(index, "probe", || Value::from(hex(probe)));
    notes.of_fix(index, "probe_state", || Value::from(hex(state)));
    Ok(())
}
