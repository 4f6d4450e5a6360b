//! A report as names and values.

use std::borrow::Cow;

use form_urlencoded::parse;
use serde_json::Value;

use super::terminal_of;
use super::time::instant;
use crate::members::word_flag;
use crate::notes::Notes;
use crate::{
    Alarms, DecodeError, Fix, Observation, Observations, Profile, Quantity, Reading, TerminalId, UtcMillis,
    text,
};

/// More names than any client sends: what follows is not read.
const PAIRS_MAX: usize = 128;

fn pairs(raw: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    parse(raw).take(PAIRS_MAX)
}

/// The terminal that a query names.
pub(super) fn terminal(raw: &[u8]) -> Option<TerminalId> {
    let (_, id) = pairs(raw).find(|(name, _)| matches!(name.as_ref(), "id" | "deviceid"))?;
    terminal_of(&id)
}

/// Where and when, as far as a query says.
#[derive(Default)]
struct Place {
    lat_e7: Option<i64>,
    lon_e7: Option<i64>,
    time: Option<UtcMillis>,
    is_invalid: bool,
}

fn place_of(raw: &[u8]) -> Place {
    let mut place = Place::default();
    for (name, value) in pairs(raw) {
        match name.as_ref() {
            "lat" => place.lat_e7 = text::degrees_e7(value.as_bytes()),
            "lon" => place.lon_e7 = text::degrees_e7(value.as_bytes()),
            "location" => {
                if let Some((lat, lon)) = value.split_once(',') {
                    place.lat_e7 = text::degrees_e7(lat.as_bytes());
                    place.lon_e7 = text::degrees_e7(lon.as_bytes());
                }
            }
            "timestamp" => place.time = instant(&value),
            "valid" => place.is_invalid = word_flag(&value) == Some(false),
            _ => {}
        }
    }
    place
}

/// Adds what a query says.
pub(super) fn read(
    raw: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    if !raw.contains(&b'=') {
        return Err(DecodeError::new(0, "malformed"));
    }
    let place = place_of(raw);
    if let (Some(lat_e7), Some(lon_e7)) = (place.lat_e7, place.lon_e7) {
        let mut fix = Fix::placed(place.time, lat_e7, lon_e7, profile.datum);
        fix.set_valid(!place.is_invalid);
        let (start, index) = (out.extra.len(), out.fixes.len());
        for (name, value) in pairs(raw) {
            if !read_field(&name, &value, &mut fix) && !read_reading(&name, &value, &mut out.extra) {
                note(&name, &value, |name, value| notes.of_fix(index, name, || value));
            }
        }
        out.push_fix(fix, start);
        return Ok(());
    }
    let mut written = Vec::new();
    for (name, value) in pairs(raw) {
        if !read_reading(&name, &value, &mut written) {
            note(&name, &value, |name, value| notes.of_message(name, || value));
        }
    }
    let readings = crate::reading::readings(&written).collect();
    out.other.push(Observation::Readings { at: place.time, readings });
    Ok(())
}

/// Takes a value into the fix; `false` when it has no field there.
fn read_field(name: &str, value: &str, fix: &mut Fix) -> bool {
    let bytes = value.as_bytes();
    match name {
        "altitude" => fix.altitude_m = text::metres(bytes),
        "speed" => fix.speed_dkmh = text::knots_to_dkmh(bytes),
        "bearing" | "heading" => fix.course_deg = text::course_deg(bytes),
        "odometer" => fix.odometer_m = text::fixed(bytes, 0).and_then(|metres| u32::try_from(metres).ok()),
        "rpm" => fix.engine_rpm = text::fixed(bytes, 0).and_then(|rpm| u16::try_from(rpm).ok()),
        "sat" | "satellites" => {
            fix.satellites = text::digits(bytes).and_then(|count| u8::try_from(count).ok())
        }
        "ignition" => match word_flag(value) {
            Some(is_on) => fix.set_ignition(is_on),
            None => return false,
        },
        "alarm" => match alarm_of(value) {
            Some(alarm) => fix.alarms = fix.alarms.with(alarm),
            None => return false,
        },
        _ => return false,
    }
    true
}

/// The alarms that Traccar's documentation names.
fn alarm_of(word: &str) -> Option<Alarms> {
    Some(match word {
        "sos" => Alarms::EMERGENCY,
        "overspeed" => Alarms::OVERSPEED,
        "lowBattery" => Alarms::LOW_BATTERY,
        "lowPower" => Alarms::UNDERVOLTAGE,
        "powerCut" => Alarms::POWER_LOST,
        "vibration" => Alarms::VIBRATION,
        "tow" => Alarms::TOWING,
        "tampering" => Alarms::TAMPER,
        "accident" => Alarms::COLLISION,
        "hardAcceleration" => Alarms::HARSH_ACCELERATION,
        "hardBraking" => Alarms::HARSH_BRAKING,
        "hardCornering" => Alarms::HARSH_TURN,
        "jamming" => Alarms::JAMMING,
        "geofence" | "geofenceEnter" | "geofenceExit" => Alarms::AREA,
        _ => return None,
    })
}

/// Writes a value that is a reading; `false` when it is none.
fn read_reading(name: &str, value: &str, extra: &mut Vec<u8>) -> bool {
    let quantity = match name {
        "batt" | "battery" | "batteryLevel" => Quantity::BatteryPercent,
        "accuracy" => Quantity::Accuracy,
        "hdop" => Quantity::Hdop,
        "pdop" => Quantity::Pdop,
        "power" => Quantity::Supply,
        "charge" => Quantity::Charging,
        "motion" => Quantity::Motion,
        _ => return false,
    };
    let milli = match quantity {
        Quantity::Charging | Quantity::Motion => word_flag(value).map(|flag| i64::from(flag) * 1_000),
        _ => text::fixed(value.as_bytes(), 3),
    };
    if let Some(milli) = milli {
        Reading::new(quantity, milli).write(extra);
    }
    milli.is_some()
}

/// Shows what has no field under the name that the client gave it.
fn note(name: &str, value: &str, mut show: impl FnMut(&str, Value)) {
    match name {
        "id" | "deviceid" | "lat" | "lon" | "location" | "timestamp" | "valid" => {}
        "driverUniqueId" => show("driver_id", Value::from(value)),
        _ => show(name, Value::from(value)),
    }
}

/// Appends the GET request with which a Traccar client reports a fix.
pub fn encode_request(terminal: &TerminalId, fix: &Fix, out: &mut Vec<u8>) {
    let decimal = |value: i64, decimals: usize| {
        let scale = 10_i64.pow(u32::try_from(decimals).unwrap_or(0));
        let sign = if value < 0 { "-" } else { "" };
        let magnitude = value.abs();
        format!("{sign}{}.{:0decimals$}", magnitude / scale, magnitude % scale)
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("id", terminal.as_str());
    query.append_pair("timestamp", &decimal(fix.fix_time.0, 3));
    query.append_pair("lat", &decimal(i64::from(fix.lat_e7), 7));
    query.append_pair("lon", &decimal(i64::from(fix.lon_e7), 7));
    if !fix.is_valid() {
        query.append_pair("valid", "false");
    }
    if let Some(speed_dkmh) = fix.speed_dkmh {
        // 0.1 km/h in 1e-4 knots, rounded.
        let knots_e4 = (i64::from(speed_dkmh) * 1_000_000 + 926) / 1_852;
        query.append_pair("speed", &decimal(knots_e4, 4));
    }
    if let Some(course_deg) = fix.course_deg {
        query.append_pair("bearing", &course_deg.to_string());
    }
    if let Some(altitude_m) = fix.altitude_m {
        query.append_pair("altitude", &altitude_m.to_string());
    }
    if let Some(odometer_m) = fix.odometer_m {
        query.append_pair("odometer", &odometer_m.to_string());
    }
    out.extend_from_slice(b"GET /?");
    out.extend_from_slice(query.finish().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: motorpool\r\n\r\n");
}
