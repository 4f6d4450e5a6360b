//! A report as JSON, of one location or several.

use serde_json::{Map, Value};

use super::terminal_of;
use super::time::instant;
use crate::members::{fixed, flag};
use crate::notes::Notes;
use crate::{DecodeError, Fix, Observation, Observations, Profile, Quantity, Reading, TerminalId, UtcMillis};

/// The terminal that a body names.
pub(super) fn terminal(raw: &[u8]) -> Option<TerminalId> {
    let root: Map<String, Value> = serde_json::from_slice(raw).ok()?;
    match root.get("device_id")? {
        Value::String(id) => terminal_of(id),
        Value::Number(id) => terminal_of(&id.to_string()),
        _ => None,
    }
}

/// Adds what a body says.
pub(super) fn read(
    root: &Map<String, Value>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let locations = match root.get("location") {
        Some(Value::Array(locations)) => locations.as_slice(),
        Some(location @ Value::Object(_)) => std::slice::from_ref(location),
        _ => return Err(DecodeError::new(0, "malformed")),
    };
    for location in locations {
        match location {
            Value::Object(location) => read_location(location, profile, out, notes),
            _ => out.malformed_items += 1,
        }
    }
    for (name, value) in root.iter().filter(|(name, _)| !matches!(name.as_str(), "location" | "device_id")) {
        notes.of_message(name, || value.clone());
    }
    Ok(())
}

fn read_location(
    location: &Map<String, Value>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) {
    let time = time_of(location);
    let coordinates = location.get("coords").and_then(Value::as_object);
    let degrees_e7 = |name: &str| coordinates?.get(name).and_then(|value| fixed(value, 7));
    let (Some(lat_e7), Some(lon_e7)) = (degrees_e7("latitude"), degrees_e7("longitude")) else {
        let mut written = Vec::new();
        read_readings(location, coordinates, &mut written);
        let readings = crate::reading::readings(&written).collect();
        out.other.push(Observation::Readings { at: time, readings });
        return;
    };
    let mut fix = Fix::placed(time, lat_e7, lon_e7, profile.datum);
    fix.set_valid(true);
    if let Some(coordinates) = coordinates {
        read_coordinates(coordinates, &mut fix);
    }
    let metres = location.get("odometer").and_then(|value| fixed(value, 0));
    fix.odometer_m = metres.and_then(|metres| u32::try_from(metres).ok());
    let (start, index) = (out.extra.len(), out.fixes.len());
    read_readings(location, coordinates, &mut out.extra);
    out.push_fix(fix, start);
    for (name, value) in location {
        if !matches!(name.as_str(), "coords" | "timestamp" | "odometer" | "is_moving" | "battery") {
            notes.of_fix(index, name, || value.clone());
        }
    }
}

fn time_of(location: &Map<String, Value>) -> Option<UtcMillis> {
    match location.get("timestamp")? {
        Value::String(written) => instant(written),
        Value::Number(number) => instant(&number.to_string()),
        _ => None,
    }
}

/// The SDK writes -1 where it does not know.
fn read_coordinates(coordinates: &Map<String, Value>, fix: &mut Fix) {
    let scaled = |name: &str, decimals| coordinates.get(name).and_then(|value| fixed(value, decimals));
    // 1e-4 m/s are 0.0036 of 0.1 km/h.
    let rounded = scaled("speed", 4).and_then(|speed| speed.checked_mul(36)?.checked_add(5_000));
    fix.speed_dkmh = rounded.and_then(|speed| u16::try_from(speed.div_euclid(10_000)).ok());
    fix.course_deg = scaled("heading", 0).and_then(|course| match u16::try_from(course).ok()? {
        360 => Some(0),
        course => (course < 360).then_some(course),
    });
    fix.altitude_m = scaled("altitude", 0).and_then(|altitude| i16::try_from(altitude).ok());
}

fn read_readings(
    location: &Map<String, Value>,
    coordinates: Option<&Map<String, Value>>,
    extra: &mut Vec<u8>,
) {
    let mut write = |quantity, milli: Option<i64>| {
        if let Some(milli) = milli.filter(|milli| *milli >= 0) {
            Reading::new(quantity, milli).write(extra);
        }
    };
    let of_flag = |value: &Value| flag(value).map(|flag| i64::from(flag) * 1_000);
    let accuracy = coordinates.and_then(|coordinates| coordinates.get("accuracy"));
    write(Quantity::Accuracy, accuracy.and_then(|value| fixed(value, 3)));
    write(Quantity::Motion, location.get("is_moving").and_then(of_flag));
    let battery = location.get("battery").and_then(Value::as_object);
    let of_battery = |name: &str| battery.and_then(|battery| battery.get(name));
    // A share of 1, in thousandths of a percent.
    write(Quantity::BatteryPercent, of_battery("level").and_then(|value| fixed(value, 5)));
    write(Quantity::Charging, of_battery("is_charging").and_then(of_flag));
}
