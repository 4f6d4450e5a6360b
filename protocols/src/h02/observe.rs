//! What a stored message says.

use serde_json::{Value, json};

use crate::h02::binary::{Binary, Tail};
use crate::h02::frame::{self, Row};
use crate::h02::status;
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::{hex, readable};
use crate::{
    DecodeError, Description, Fix, Observation, Observations, Profile, Quantity, Reading, RejectReason,
    UtcMillis, text,
};

/// Neighbouring cells in one message, at most.
const CELLS_MAX: u64 = 16;

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(raw, profile, &mut NoNotes, out)
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let (mut notes, mut observations) = (Notebook::default(), Observations::default());
    read(raw, profile, &mut notes, &mut observations)?;
    let (terminal, message) = match frame::row(raw) {
        Some(row) => (frame::terminal(&row), readable(row.at(2))),
        None => (Some(Binary::parse(raw)?.terminal), "$".to_owned()),
    };
    let message = if message.is_empty() { "*".to_owned() } else { message };
    let name = name_of(&message, &observations);
    Ok(notes.describe(Title { version: "", terminal, message, name, serial: None }, observations))
}

fn name_of(message: &str, observations: &Observations) -> &'static str {
    match message {
        _ if !observations.fixes.is_empty() => "position",
        "NBR" | "V3" | "BS" | "BASE" => "cells",
        "LINK" => "link",
        "V0" | "HTBT" | "XT" => "heartbeat",
        _ => "other",
    }
}

fn read(
    raw: &[u8],
    profile: &Profile,
    notes: &mut impl Notes,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    if raw.first() == Some(&b'$') {
        return read_binary(&Binary::parse(raw)?, profile, notes, out);
    }
    let row = frame::row(raw).ok_or_else(|| DecodeError::new(0, RejectReason::Malformed.as_str()))?;
    let offset_s = profile.clock_offset_or(0);
    match (row.at(2), place_at(&row)) {
        (_, Some(at)) => read_position(&row, at, profile, notes, out),
        (b"V0" | b"HTBT" | b"XT", _) => {
            out.other.push(Observation::Heartbeat);
            // The last field, where there is one, is the charge.
            note_text(&row, 3, notes);
        }
        (b"NBR", _) => read_cells(&row, offset_s, notes, out),
        (b"LINK", _) => read_link(&row, offset_s, notes, out),
        _ => {
            out.other.push(Observation::Other { message_id: 0 });
            note_text(&row, 3, notes);
        }
    }
    Ok(())
}

fn read_binary(
    binary: &Binary<'_>,
    profile: &Profile,
    notes: &mut impl Notes,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    let time = binary.time(profile.clock_offset_or(0));
    let mut fix = Fix::placed(time, binary.lat_e7, binary.lon_e7, profile.datum);
    fix.set_valid(binary.is_valid);
    fix.speed_dkmh = binary.speed_dkmh;
    fix.course_deg = binary.course_deg;
    status::apply(binary.status, &mut fix);
    let (index, start) = (out.fixes.len(), out.extra.len());
    if let Some(percent) = status::battery_percent(u64::from(binary.battery)) {
        Reading::new(Quantity::BatteryPercent, percent.saturating_mul(1_000)).write(&mut out.extra);
    }
    notes.of_fix(index, "status", || Value::from(binary.status));
    match Tail::parse(binary.rest) {
        Some(tail) => {
            fix.signal = Some(tail.signal);
            fix.satellites = Some(tail.satellites);
            notes.of_fix(index, "distance", || Value::from(tail.distance));
            let cell = || json!([{"mcc": tail.mcc, "mnc": tail.mnc, "area": tail.area, "cell": tail.cell}]);
            notes.of_fix(index, "cells", cell);
        }
        None => notes.of_fix(index, "rest", || Value::from(hex(binary.rest))),
    }
    out.push_fix(fix, start);
    Ok(())
}

/// Where a row says whether the place that follows is valid: two fields before `N` or `S`, four before `E` or `W`.
fn place_at(row: &Row<'_>) -> Option<usize> {
    let fields = row.as_slice();
    let begins = |window: &[&[u8]]| match window {
        [valid, lat, north, lon, east] => {
            matches!(*valid, b"A" | b"V" | b"B" | b"")
                && matches!(*north, b"N" | b"S")
                && matches!(*east, b"E" | b"W")
                && degrees_e7(lat).is_some()
                && degrees_e7(lon).is_some()
        }
        _ => false,
    };
    fields.windows(5).position(begins)
}

/// `ddmm.mmmm`, or `-dd-mm.mmmm` as some terminals write the south and the west.
fn degrees_e7(field: &[u8]) -> Option<i64> {
    let Some(rest) = field.strip_prefix(b"-") else { return text::degrees_minutes_e7(field) };
    let mut parts = rest.splitn(2, |byte| *byte == b'-');
    let (degrees, minutes) = (parts.next()?, parts.next());
    let Some(minutes) = minutes else { return text::degrees_minutes_e7(field) };
    let degrees = i64::try_from(text::digits(degrees)?).ok()?;
    // 1e-7 minutes are 1/60 of 1e-7 degrees.
    let minutes_e7 = text::fixed(minutes, 7)?;
    Some(-degrees.checked_mul(10_000_000)?.checked_add(minutes_e7.checked_add(30)? / 60)?)
}

fn read_position(
    row: &Row<'_>,
    at: usize,
    profile: &Profile,
    notes: &mut impl Notes,
    out: &mut Observations,
) {
    let time = at.checked_sub(1).map_or(&[][..], |before| row.at(before));
    let time = text::instant_dmy(row.at(at + 7), time, profile.clock_offset_or(0));
    let lat_e7 = text::on_side(degrees_e7(row.at(at + 1)).unwrap_or(0), row.at(at + 2));
    let lon_e7 = text::on_side(degrees_e7(row.at(at + 3)).unwrap_or(0), row.at(at + 4));
    let mut fix = Fix::placed(time, lat_e7, lon_e7, profile.datum);
    fix.set_valid(row.at(at) == b"A");
    fix.speed_dkmh = text::knots_to_dkmh(row.at(at + 5));
    fix.course_deg = text::course_deg(row.at(at + 6));
    let (index, start) = (out.fixes.len(), out.extra.len());
    if row.at(2) == b"V19" {
        notes.of_fix(index, "phone", || Value::from(readable(row.at(at + 9))));
        notes.of_fix(index, "iccid", || Value::from(readable(row.at(at + 10))));
    }
    if let Some((status_at, bits)) = status_after(row, at + 8) {
        status::apply(bits, &mut fix);
        notes.of_fix(index, "status", || Value::from(bits));
        let behind = row.as_slice().get(status_at + 1..).unwrap_or(&[]);
        read_behind(behind, index, &mut fix, notes, &mut out.extra);
    }
    out.push_fix(fix, start);
}

/// The first field from `at` on that is eight hexadecimal digits.
fn status_after(row: &Row<'_>, at: usize) -> Option<(usize, u32)> {
    let fields = row.as_slice().iter().enumerate().skip(at).filter(|(_, field)| field.len() == 8);
    fields.filter_map(|(at, field)| Some((at, u32::try_from(text::hex(field)?).ok()?))).next()
}

/// What follows the status: `distance, temperature, fuel, altitude, area, cell`, or `mcc, mnc, area, cell` with
/// or without the charge.
fn read_behind(fields: &[&[u8]], index: usize, fix: &mut Fix, notes: &mut impl Notes, extra: &mut Vec<u8>) {
    match fields {
        [] => {}
        [distance_m, temperature, fuel, altitude, area, cell] if fuel.contains(&b'.') => {
            fix.odometer_m = text::digits(distance_m).and_then(|metres| u32::try_from(metres).ok());
            fix.altitude_m = text::metres(altitude);
            let readings = [(Quantity::Temperature1, temperature), (Quantity::FuelSensor, fuel)];
            for (quantity, field) in readings {
                if let Some(milli) = text::fixed(field, 3) {
                    Reading::new(quantity, milli).write(extra);
                }
            }
            notes.of_fix(index, "cells", || json!([{"area": readable(area), "cell": readable(cell)}]));
        }
        [mcc, mnc, area, cell, rest @ ..] => {
            let [mcc, mnc, area, cell] = [mcc, mnc, area, cell].map(|field| readable(field));
            notes.of_fix(index, "cells", || json!([{"mcc": mcc, "mnc": mnc, "area": area, "cell": cell}]));
            if let [battery] = rest
                && let Some(percent) = text::digits(battery).and_then(status::battery_percent)
            {
                Reading::new(Quantity::BatteryPercent, percent.saturating_mul(1_000)).write(extra);
            }
        }
        _ => notes.of_fix(index, "rest", || Value::from(joined(fields))),
    }
}

/// `NBR,time,mcc,mnc,delay,count,(area,cell,strength) * count,date,status,charge`.
fn read_cells(row: &Row<'_>, offset_s: i32, notes: &mut impl Notes, out: &mut Observations) {
    let count = text::digits(row.at(7)).unwrap_or(0).min(CELLS_MAX);
    let after = usize::try_from(count).unwrap_or(0) * 3 + 8;
    let at = text::instant_dmy(row.at(after), row.at(3), offset_s);
    let (mcc, mnc) = (readable(row.at(4)), readable(row.at(5)));
    let cells = row.as_slice().get(8..after).unwrap_or(&[]);
    notes.of_message("cells", || {
        let cells = cells.chunks_exact(3).map(|cell| {
            let [area, id, strength] = [0, 1, 2].map(|at| readable(cell.get(at).copied().unwrap_or(&[])));
            json!({"mcc": mcc, "mnc": mnc, "area": area, "cell": id, "strength": strength})
        });
        cells.collect()
    });
    note_status(row, after + 1, notes);
    let charge = text::digits(row.at(after + 2)).and_then(status::battery_percent);
    let charge = charge.map(|percent| Reading::new(Quantity::BatteryPercent, percent.saturating_mul(1_000)));
    put_readings(at, charge.into_iter().collect(), out);
}

/// `LINK,time,signal,satellites,charge,steps,turns,date,status`.
fn read_link(row: &Row<'_>, offset_s: i32, notes: &mut impl Notes, out: &mut Observations) {
    let at = text::instant_dmy(row.at(9), row.at(3), offset_s);
    let fields = [
        (4, Quantity::Signal),
        (5, Quantity::Satellites),
        (6, Quantity::BatteryPercent),
        (7, Quantity::Pulses),
    ];
    let reading = |(field, quantity)| Some(Reading::new(quantity, text::fixed(row.at(field), 3)?));
    note_status(row, 10, notes);
    put_readings(at, fields.into_iter().filter_map(reading).collect(), out);
}

fn put_readings(at: Option<UtcMillis>, readings: Vec<Reading>, out: &mut Observations) {
    out.other.push(Observation::Readings { at, readings });
}

/// The status of a message without a place: there is no fix that could bear it.
fn note_status(row: &Row<'_>, at: usize, notes: &mut impl Notes) {
    if let Some((_, bits)) = status_after(row, at) {
        notes.of_message("status", || Value::from(bits));
        notes.of_message("alarms", || status::alarms(bits).names().collect());
    }
}

fn note_text(row: &Row<'_>, from: usize, notes: &mut impl Notes) {
    if let Some(fields) = row.as_slice().get(from..).filter(|fields| !fields.is_empty()) {
        notes.of_message("text", || Value::from(joined(fields)));
    }
}

fn joined(fields: &[&[u8]]) -> String {
    readable(&fields.join(&b','))
}
