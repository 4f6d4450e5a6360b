//! Reports as text of the models before the universal ones.
//!
//! ```text
//! HDR ; ID [; MODEL] ; SW ; yyyyMMdd ; HH:mm:ss [; CELL …] ; LAT ; LON ; SPD ; CRS ; SATT ; FIX ; DIST ; PWR ; IO ; …
//! ```
//!
//! What stands before the date and between the time and the latitude differs by model, so the date and the
//! latitude are found by their form.

use serde_json::Value;

use super::frame::{External, external_data, is_place};
use super::{Row, alarm, row};
use crate::notes::Notes;
use crate::octets::readable;
use crate::{
    Alarms, DecodeError, Fix, Observations, Profile, Quality, Quantity, TerminalId, UtcMillis, text,
};

const MALFORMED: DecodeError = DecodeError::new(0, "malformed");
/// Fields of the seven cells and what stands before them in an ST400 report.
const FOUR_BATTERY_AT: usize = 46;

/// Where in a row the date and the latitude stand.
#[derive(Clone, Copy)]
struct Places {
    date_at: usize,
    latitude_at: usize,
}

fn places(fields: &[&[u8]]) -> Option<Places> {
    let is_date = |pair: &[&[u8]]| matches!(pair, [date, time] if date.len() == 8 && clock(time).is_some());
    let date_at = fields.windows(2).position(is_date)?;
    let after = fields.get(date_at + 2..)?;
    let latitude_at = date_at + 2 + after.iter().position(|field| is_place(field))?;
    Some(Places { date_at, latitude_at })
}

/// `HH:mm:ss` without its colons.
fn clock(time: &[u8]) -> Option<[u8; 6]> {
    match *time {
        [h0, h1, b':', m0, m1, b':', s0, s1] => Some([h0, h1, m0, m1, s0, s1]),
        _ => None,
    }
}

/// `yyyyMMdd` and `HH:mm:ss`.
pub(super) fn instant(date: &[u8], time: &[u8], profile: &Profile) -> Option<UtcMillis> {
    let mut digits = [0; 14];
    let (day, of_day) = digits.split_at_mut_checked(8)?;
    day.copy_from_slice(date.get(..8).filter(|_| date.len() == 8)?);
    of_day.copy_from_slice(&clock(time)?);
    text::instant(&digits, profile.clock_offset_or(0))
}

/// The fix of a row without what follows its course.
fn placed(row: &Row<'_>, places: Places, profile: &Profile) -> Result<Fix, DecodeError> {
    let Places { date_at, latitude_at } = places;
    let lat_e7 = text::degrees_e7(row.at(latitude_at)).ok_or(MALFORMED)?;
    let lon_e7 = text::degrees_e7(row.at(latitude_at + 1)).ok_or(MALFORMED)?;
    let time = instant(row.at(date_at), row.at(date_at + 1), profile);
    Ok(Fix {
        speed_dkmh: text::kmh_to_dkmh(row.at(latitude_at + 2)),
        course_deg: text::course_deg(row.at(latitude_at + 3)),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    })
}

fn satellites(field: &[u8]) -> Option<u8> {
    text::digits(field).and_then(|count| u8::try_from(count).ok())
}

/// ST200, ST300, ST500, ST600 and SA200.
pub(super) fn read(
    line: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    // External data may hold separators: they are taken out of the row, with the length before them.
    let (head, data, tail) = match external_data(line) {
        External::At { start, bytes } => {
            let (head, rest) = line.split_at_checked(start).ok_or(MALFORMED)?;
            let (data, tail) = rest.split_at_checked(bytes).unwrap_or((rest, &[]));
            (head.strip_suffix(b";").unwrap_or(head), Some(data), tail.strip_prefix(b";").unwrap_or(tail))
        }
        _ => (line, None, &[][..]),
    };
    let row = row(head)?;
    let places = places(row.as_slice()).ok_or(MALFORMED)?;
    let at = |offset: usize| row.at(places.latitude_at + offset);
    let mut fix = placed(&row, places, profile)?;
    fix.satellites = satellites(at(4));
    fix.set_valid(at(5) == b"1");
    fix.odometer_m = text::digits(at(6)).and_then(|metres| u32::try_from(metres).ok());
    let (start, index) = (out.extra.len(), out.fixes.len());
    Quantity::Supply.write(text::fixed(at(7), 3), &mut out.extra);
    read_io(at(8), &mut fix, index, &mut out.extra, notes);
    let number = text::digits(at(9));
    let mut used = places.latitude_at + 10;
    match row.at(0).get(5..).unwrap_or(&[]) {
        b"STT" => used += 1,
        b"EMG" => fix.alarms = number.map_or(Alarms::OTHER, alarm::of_emergency),
        b"ALT" => fix.alarms = number.map_or(Alarms(0), alarm::of_alert),
        _ => {}
    }
    if matches!(row.at(0).get(5..), Some(b"EMG" | b"ALT" | b"EVT")) {
        Quantity::Event.write(number.and_then(whole), &mut out.extra);
    }
    if let Some(data) = data {
        note_external(data, index, notes);
    }
    // The first field behind external data is their check sum.
    let behind: Vec<&[u8]> = match data {
        Some(_) => tail.split(|byte| *byte == b';').skip(1).collect(),
        None => row.as_slice().get(used..).unwrap_or(&[]).to_vec(),
    };
    read_tail(&behind, &mut fix, index, &mut out.extra, notes);
    out.push_fix(fix, start);
    Ok(())
}

fn whole(number: u64) -> Option<i64> {
    i64::try_from(number).ok()?.checked_mul(1_000)
}

/// Ignition, three inputs, two outputs, one digit each; other models have more, in another order.
fn read_io(io: &[u8], fix: &mut Fix, index: usize, extra: &mut Vec<u8>, notes: &mut impl Notes) {
    if let Some(ignition @ (b'0' | b'1')) = io.first().filter(|_| io.len() >= 6) {
        fix.set_ignition(*ignition == b'1');
    }
    let bits =
        |digits: &[u8]| digits.iter().rev().fold(0_i64, |bits, digit| bits << 1 | i64::from(*digit == b'1'));
    if let &[_, i1, i2, i3, o1, o2] = io {
        Quantity::Inputs.write(Some(bits(&[i1, i2, i3]) * 1_000), extra);
        Quantity::Outputs.write(Some(bits(&[o1, o2]) * 1_000), extra);
    } else if !io.is_empty() {
        notes.of_fix(index, "io", || Value::from(readable(io)));
    }
}

/// What a model adds: hour meter in minutes, backup battery and kind of message stand together; cards and
/// probes are told by their form.
fn read_tail(fields: &[&[u8]], fix: &mut Fix, index: usize, extra: &mut Vec<u8>, notes: &mut impl Notes) {
    let is_battery =
        |field: &[u8]| matches!(field, [b'0'..=b'9', b'.', rest @ ..] if (1..=2).contains(&rest.len()));
    let meter = fields.windows(3).position(|three| {
        matches!(three, [minutes, battery, b"0" | b"1"] if text::digits(minutes).is_some() && is_battery(battery))
    });
    let mut probes = 0_usize;
    let mut further = Vec::new();
    for (number, field) in fields.iter().enumerate() {
        match meter.map(|meter| number.wrapping_sub(meter)) {
            Some(0) => Quantity::Hours.write(text::digits(field).and_then(minutes_milli), extra),
            Some(1) => Quantity::Battery.write(text::fixed(field, 3), extra),
            Some(2) if *field == b"0" => fix.quality = fix.quality.with(Quality::BACKFILL),
            Some(2) => {}
            _ if is_card(field) => {
                if field.iter().any(|digit| *digit != b'0') {
                    notes.of_fix(index, "driver_id", || Value::from(readable(field)));
                }
            }
            _ => match field.split(|byte| *byte == b':').nth(1) {
                Some(celsius) => {
                    read_probe(probes, celsius, extra);
                    probes += 1;
                }
                None => further.push(*field),
            },
        }
    }
    if further.iter().any(|field| !field.is_empty()) {
        notes.of_fix(index, "further_fields", || further.iter().map(|field| readable(field)).collect());
    }
}

/// Minutes in thousandths of an hour.
fn minutes_milli(minutes: u64) -> Option<i64> {
    whole(minutes).map(|milli| (milli + 30) / 60)
}

fn is_card(field: &[u8]) -> bool {
    field.len() == 14 && field.iter().all(u8::is_ascii_hexdigit)
}

fn read_probe(number: usize, celsius: &[u8], extra: &mut Vec<u8>) {
    let quantities = [Quantity::Temperature1, Quantity::Temperature2, Quantity::Temperature3];
    if let Some(quantity) = quantities.get(number) {
        quantity.write(text::fixed(celsius, 3), extra);
    }
}

/// The data of an external device: a fuel probe's tanks (`N_0=`, in hex, or `CabAVL`), or anything.
fn note_external(data: &[u8], index: usize, notes: &mut impl Notes) {
    notes.of_fix(index, "serial", || Value::from(readable(data)));
    let tanks = data.split(|byte| *byte == b';').filter_map(|pair| {
        let value = pair.strip_prefix(b"N_")?.split(|byte| *byte == b'=').nth(1)?;
        text::hex(value.split(|byte| *byte == b'.').next()?.trim_ascii())
    });
    let levels: Vec<u64> = tanks.collect();
    if !levels.is_empty() {
        let sum = levels.iter().fold(0_u64, |sum, level| sum.saturating_add(*level));
        notes.of_fix(index, "fuel_sensor", || Value::from(sum));
    }
    if data.starts_with(b"CabAVL") {
        let mut values = data.split(|byte| *byte == b',').skip(2).map(|value| text::fixed(value, 1));
        for name in ["fuel_sensor_1", "fuel_sensor_2"] {
            if let Some(level_e1) = values.next().flatten().filter(|level| *level >= 0) {
                let level = i32::try_from(level_e1).map(|level| f64::from(level) / 10.0);
                notes.of_fix(index, name, || Value::from(level.unwrap_or_default()));
            }
        }
    }
}

/// ST400: seven cells, then the state of a tracker with a battery of its own, then date and place.
pub(super) fn read_four(
    row: &Row<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let places = places(row.as_slice()).ok_or(MALFORMED)?;
    let mut fix = placed(row, places, profile)?;
    fix.satellites = satellites(row.at(places.latitude_at + 4));
    fix.set_valid(row.at(places.latitude_at + 5) == b"1");
    let (start, index) = (out.extra.len(), out.fixes.len());
    if places.date_at > FOUR_BATTERY_AT {
        Quantity::Battery.write(text::fixed(row.at(FOUR_BATTERY_AT), 3), &mut out.extra);
        if row.at(FOUR_BATTERY_AT + 1) == b"0" {
            fix.quality = fix.quality.with(Quality::BACKFILL);
        }
        let cells = row.as_slice().get(4..FOUR_BATTERY_AT).unwrap_or(&[]);
        notes.of_fix(index, "cells", || cells.chunks(6).map(|cell| readable(&cell.join(&b' '))).collect());
    }
    out.push_fix(fix, start);
    Ok(())
}

/// ST900: `ST910;Location;ID;…`, valid right behind the course, then the battery in volts or the odometer.
pub(super) fn read_nine(
    row: &Row<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let kind = row.at(1);
    let places = match kind {
        b"Location" | b"Emergency" | b"Alert" => places(row.as_slice()).ok_or(MALFORMED)?,
        _ => {
            out.other.push(crate::Observation::Other { message_id: 0 });
            notes.of_message("text", || Value::from(readable(kind)));
            return Ok(());
        }
    };
    let mut fix = placed(row, places, profile)?;
    fix.set_valid(row.at(places.latitude_at + 4) == b"1");
    fix.alarms = match kind {
        b"Emergency" => Alarms::EMERGENCY,
        b"Alert" => Alarms::OTHER,
        _ => Alarms(0),
    };
    let start = out.extra.len();
    let next = row.at(places.latitude_at + 5);
    if next.contains(&b'.') {
        Quantity::Battery.write(text::fixed(next, 3), &mut out.extra);
    } else if next.len() > 1 {
        fix.odometer_m = text::digits(next).and_then(|metres| u32::try_from(metres).ok());
    }
    out.push_fix(fix, start);
    Ok(())
}

/// Appends a status report of an ST300 with the fields that a fix has.
pub fn encode_report(terminal: &TerminalId, fix: &Fix, out: &mut Vec<u8>) {
    let degrees = |value_e7: i32| {
        let sign = if value_e7 < 0 { '-' } else { '+' };
        let magnitude = value_e7.unsigned_abs();
        format!("{sign}{:03}.{:07}", magnitude / 10_000_000, magnitude % 10_000_000)
    };
    let time = fix.fix_time.civil(0);
    let speed_dkmh = fix.speed_dkmh.unwrap_or(0);
    let ignition = u8::from(fix.status.contains(crate::Status::IGNITION));
    let line = format!(
        "ST300STT;{terminal};40;313;{:04}{:02}{:02};{:02}:{:02}:{:02};0;{};{};{:03}.{}00;{:03}.00;{};{};{};0.00;{ignition}00000;2;0000\r",
        time.year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        degrees(fix.lat_e7),
        degrees(fix.lon_e7),
        speed_dkmh / 10,
        speed_dkmh % 10,
        fix.course_deg.unwrap_or(0),
        fix.satellites.unwrap_or(0),
        u8::from(fix.is_valid()),
        fix.odometer_m.unwrap_or(0),
    );
    out.extend_from_slice(line.as_bytes());
}
