//! Pass-through messages (0x0900) of the families: trips, trouble codes, values and alarms with or without a place.
//!
//! | profile | type | content |
//! |---|---|---|
//! | `seeworld` | F1 | a trip: `id WORD, length BYTE, value` |
//! | | F2 | trouble codes: time, place, count, four bytes each (system, then three of UDS) |
//! | | F3, F4 | asleep, awake: time; reasons |
//! | | F7 | a collision: time, place, how often it was sampled, level, samples |
//! | `obd_ascii_e6` | 41 | the text of `ascii` |
//! | `obd_900_f0` | F0 | time, archived BYTE, vehicle type BYTE, kind BYTE, then the content of the kind |
//!
//! A place becomes a fix where the family says that the terminal was there at that time. Trips have two places and no
//! fix: the positions between them have been sent already.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::table::{self, Row, identification, number, value};
use super::{Found, Report, Sink, ascii, fill_column, is_in_column, list_80};
use crate::jt808::bcd;
use crate::jt808::location::{BASIC_BYTES, decode_location};
use crate::obd::{Dtc, vin};
use crate::profile::{CHINA_CLOCK_OFFSET_S, VendorItems};
use crate::scale::Scale;
use crate::{
    Alarms, Fix, Observation, Observations, Profile, Quality, Quantity, Reading, Status, UnknownItem,
    UtcMillis,
};

const TENTH: Scale = Scale::milli(100, 0);
const HUNDREDTH: Scale = Scale::milli(10, 0);
const THOUSANDTH: Scale = Scale::milli(1, 0);
const CELSIUS: Scale = Scale::milli(1_000, -40_000);

/// SEEWORLD's trip.
const TRIP_TABLE: &[Row] = &[
    number(0x0007, 2, "driving_cycle"),
    number(0x0008, 1, "distance_source"),
    value(0x0009, 4, Quantity::TripDistance, THOUSANDTH), // m
    value(0x000a, 4, Quantity::TripFuel, THOUSANDTH),     // ml
    value(0x000b, 4, Quantity::TripTime, Scale::ONE),     // s
    value(0x000c, 2, Quantity::TripOverspeedTime, Scale::ONE),
    number(0x000d, 2, "overspeed_times"),
    value(0x000e, 1, Quantity::TripSpeedMean, Scale::ONE), // km/h
    value(0x000f, 1, Quantity::TripSpeedMax, Scale::ONE),  // km/h
    value(0x0010, 4, Quantity::TripIdleTime, Scale::ONE),  // s
    number(0x0011, 1, "counts_brakings"),
    number(0x0012, 2, "brakings"),
    value(0x0013, 4, Quantity::HarshAccelerations, Scale::ONE),
    value(0x0014, 4, Quantity::HarshBrakings, Scale::ONE),
    value(0x0015, 4, Quantity::HarshTurns, Scale::ONE),
    number(0x0016, 4, "distance_to_20_kmh_m"),
    number(0x0017, 4, "distance_to_40_kmh_m"),
    number(0x0018, 4, "distance_to_60_kmh_m"),
    number(0x0019, 4, "distance_to_80_kmh_m"),
    number(0x001a, 4, "distance_to_100_kmh_m"),
    number(0x001b, 4, "distance_to_120_kmh_m"),
    number(0x001c, 4, "distance_above_120_kmh_m"),
    number(0x001d, 4, "idle_fuel_ml"),
];

/// Values of `obd_900_f0`.
const VALUE_TABLE: &[Row] = &[
    value(0x0102, 4, Quantity::VehicleOdometer, TENTH), // 0.1 km
    value(0x0103, 4, Quantity::Fuel, HUNDREDTH),        // 0.01 l
    value(0x0105, 4, Quantity::FuelUsed, HUNDREDTH),    // 0.01 l
    value(0x0111, 1, Quantity::FuelTemperature, CELSIUS),
    number(0x012e, 2, "oil_level_tenths"),
    // Hundredths of litres an hour or for 100 km; nobody tells which.
    number(0x014a, 2, "consumption_014a_hundredths"),
    value(0x0528, 4, Quantity::VehicleOdometer, TENTH),
    value(0x052a, 2, Quantity::Fuel, HUNDREDTH),
    value(0x052b, 1, Quantity::FuelLevel, Scale::ONE), // %
    value(0x052c, 4, Quantity::FuelUsed, HUNDREDTH),
    value(0x052d, 1, Quantity::Coolant, CELSIUS),
    value(0x052e, 1, Quantity::IntakeAir, CELSIUS),
    value(0x0530, 2, Quantity::VehicleBattery, THOUSANDTH), // mV
    value(0x0535, 2, Quantity::VehicleSpeed, TENTH),        // 0.1 km/h
    value(0x0536, 2, Quantity::EngineSpeed, Scale::ONE),
    number(0x0537, 2, "consumption_0537_hundredths"),
    number(0x0538, 2, "consumption_0538_hundredths"),
    number(0x0539, 2, "consumption_0539_hundredths"),
    value(0x053d, 2, Quantity::ManifoldPressure, TENTH), // 0.1 kPa
    number(0x0544, 1, "liquid_level_percent"),
    value(0x0546, 4, Quantity::VehicleOdometer, TENTH),
    value(0x0547, 1, Quantity::Throttle, Scale::ONE), // %
    number(0x0548, 1, "throttle_2_percent"),
    identification(0xfeec),
];

/// Alarms of `obd_900_f0`; 01 says that the power is back.
const ALARM_TABLE: &[(u8, Alarms)] = &[
    (0x02, Alarms::POWER_LOST),
    (0x0e, Alarms::IDLING),
    (0x1a, Alarms::HARSH_ACCELERATION),
    (0x1b, Alarms::HARSH_BRAKING),
    (0x1c, Alarms::HARSH_TURN),
    (0x1d, Alarms::HARSH_TURN), // changes of lane
    (0x1e, Alarms::HARSH_TURN),
    (0x1f, Alarms::HARSH_TURN),
    (0x23, Alarms::FATIGUE),
    (0x25, Alarms::OVERSPEED),
    (0x26, Alarms::COLLISION),
    (0x27, Alarms::COLLISION),
    (0x28, Alarms::COLLISION),
    (0x31, Alarms::ILLEGAL_DOOR),
    (0x32, Alarms::ILLEGAL_DOOR),
];

/// Events of kind 15 of `obd_900_f0`.
const EVENT_TABLE: &[(u8, Alarms)] = &[
    (51, Alarms::HARSH_ACCELERATION),
    (52, Alarms::HARSH_BRAKING),
    (53, Alarms::HARSH_TURN),
    (54, Alarms::HARSH_TURN),
    (56, Alarms::COLLISION),
];

fn alarm_of(table: &[(u8, Alarms)], id: u8) -> Option<Alarms> {
    table.iter().find(|(known, _)| *known == id).map(|(_, alarm)| *alarm)
}

/// What a pass-through is.
#[derive(Debug)]
struct Heard {
    /// What it tells of.
    about: &'static str,
    /// When, by the terminal's clock.
    at: Option<UtcMillis>,
    /// Where the terminal was.
    fix: Option<Fix>,
}

impl Heard {
    const fn of(about: &'static str, at: Option<UtcMillis>) -> Self {
        Self { about, at, fix: None }
    }
}

/// Reads a body: the type BYTE and its content. `None` when it is none of the profile's family, or is cut short.
fn read<'a>(body: &'a [u8], profile: &Profile, found: &mut Sink<'_, 'a>) -> Option<Heard> {
    let (kind, content) = body.split_first()?;
    match (profile.vendor_items, kind) {
        (VendorItems::ObdAsciiE6, 0x41) => ascii::read(content, found).then_some(Heard::of("values", None)),
        (VendorItems::Seeworld, 0xf1) => Some(trip(content, profile, found)),
        (VendorItems::Seeworld, 0xf2) => trouble_codes(content, profile, found),
        (VendorItems::Seeworld, 0xf3) => Some(Heard::of("asleep", time(content.first_chunk()?, profile))),
        (VendorItems::Seeworld, 0xf4) => {
            let (at, [reasons, ..]) = content.split_first_chunk()? else { return None };
            found(Found::Number("wake_reasons", i64::from(*reasons)));
            Some(Heard::of("awake", time(at, profile)))
        }
        (VendorItems::Seeworld, 0xf7) => collision(content, profile, found),
        (VendorItems::Obd900F0, 0xf0) => archive(content, profile, found),
        _ => None,
    }
}

fn time(digits: &[u8; 6], profile: &Profile) -> Option<UtcMillis> {
    bcd::decode_time(*digits, profile.clock_offset_or(CHINA_CLOCK_OFFSET_S))
}

/// A fix of time, status and place alone.
fn fix_at(time: [u8; 6], status: u32, latitude: u32, longitude: u32, profile: &Profile) -> Option<Fix> {
    let mut basic = Vec::with_capacity(BASIC_BYTES);
    basic.extend_from_slice(&[0; 4]);
    for word in [status, latitude, longitude] {
        basic.extend_from_slice(&word.to_be_bytes());
    }
    basic.extend_from_slice(&[0; 6]);
    basic.extend_from_slice(&time);
    let mut seen = Observations::default();
    decode_location(&basic, profile, Quality(0), &mut seen).ok()?;
    let fix = seen.fixes.first()?;
    Some(Fix { altitude_m: None, speed_dkmh: None, course_deg: None, ..*fix })
}

const HEMISPHERE: u32 = 1 << 31;

/// Millionths of degrees with the hemisphere in the highest bit.
fn degrees_e6(raw: [u8; 4]) -> i64 {
    let raw = u32::from_be_bytes(raw);
    let magnitude = i64::from(raw & !HEMISPHERE);
    if raw & HEMISPHERE == 0 { magnitude } else { -magnitude }
}

fn trip<'a>(content: &'a [u8], profile: &Profile, found: &mut Sink<'_, 'a>) -> Heard {
    let (mut start, mut end) = (None, None);
    let rest = table::words(content, |id, bytes| {
        let six = || bytes.try_into().ok().and_then(|digits| time(digits, profile));
        let degrees = || bytes.try_into().ok().map(degrees_e6);
        let place = match id {
            0x0001 => return start = six(),
            0x0002 => return end = six(),
            0x0003 => "start_lat",
            0x0004 => "start_lon",
            0x0005 => "end_lat",
            0x0006 => "end_lon",
            _ if table::read(TRIP_TABLE, id, bytes, found) => return,
            _ => return found(Found::Unknown(id, bytes)),
        };
        match degrees() {
            Some(degrees_e6) => found(Found::Degrees(place, degrees_e6)),
            None => found(Found::Unknown(id, bytes)),
        }
    });
    if let [high, low, tail @ ..] = rest {
        found(Found::Unknown(u16::from_be_bytes([*high, *low]), tail));
    }
    for (name, at) in [("start", start), ("end", end)] {
        if let Some(at) = at {
            found(Found::Time(name, at));
        }
    }
    Heard::of("trip", end.or(start))
}

fn trouble_codes<'a>(content: &'a [u8], profile: &Profile, found: &mut Sink<'_, 'a>) -> Option<Heard> {
    let (at, rest) = content.split_first_chunk::<6>()?;
    let (latitude, rest) = rest.split_first_chunk()?;
    let (longitude, rest) = rest.split_first_chunk()?;
    let (count, records) = rest.split_first()?;
    found(Found::Degrees("lat", degrees_e6(*latitude)));
    found(Found::Degrees("lon", degrees_e6(*longitude)));
    found(Found::NoCodes);
    let (records, tail) = records.as_chunks::<4>();
    // The first byte is the system that found the code.
    for [_, code @ ..] in records.iter().take(usize::from(*count)) {
        if let Some(dtc) = Dtc::from_three(*code) {
            found(Found::Code(dtc));
        }
    }
    if !tail.is_empty() {
        found(Found::Unknown(0, tail));
    }
    Some(Heard::of("trouble_codes", time(at, profile)))
}

fn collision<'a>(content: &'a [u8], profile: &Profile, found: &mut Sink<'_, 'a>) -> Option<Heard> {
    let (digits, rest) = content.split_first_chunk::<6>()?;
    let (latitude, rest) = rest.split_first_chunk::<4>()?;
    let (longitude, rest) = rest.split_first_chunk::<4>()?;
    let (every, rest) = rest.split_first_chunk::<4>()?;
    let (level, samples) = rest.split_first()?;
    found(Found::Alarm(Alarms::COLLISION));
    found(Found::Number("level", i64::from(*level)));
    found(Found::Number("sample_interval_ms", i64::from(u32::from_be_bytes(*every))));
    // Three accelerations and the speed each.
    found(Found::Unknown(0, samples));
    let [latitude, longitude] = [*latitude, *longitude].map(u32::from_be_bytes);
    let mut status = 0;
    if (latitude | longitude) & !HEMISPHERE != 0 {
        status |= Status::POSITIONED.0;
    }
    if latitude & HEMISPHERE != 0 {
        status |= Status::SOUTH.0;
    }
    if longitude & HEMISPHERE != 0 {
        status |= Status::WEST.0;
    }
    let mut fix = fix_at(*digits, status, latitude & !HEMISPHERE, longitude & !HEMISPHERE, profile)?;
    fix.quality = fix.quality.with(Quality::IGNITION_UNKNOWN);
    Some(Heard { about: "collision", at: time(digits, profile), fix: Some(fix) })
}

/// Type F0 of `obd_900_f0`.
fn archive<'a>(content: &'a [u8], profile: &Profile, found: &mut Sink<'_, 'a>) -> Option<Heard> {
    let (digits, [is_archived, vehicle_type, kind, rest @ ..]) = content.split_first_chunk::<6>()? else {
        return None;
    };
    found(Found::Number("vehicle_type", i64::from(*vehicle_type)));
    let (about, tail) = match kind {
        0x01 => ("values", Some(values(rest, found)?)),
        0x02 => ("trouble_codes", Some(code_texts(rest, found)?)),
        0x03 => ("alarms", Some(alarms(rest, found)?)),
        0x04 => {
            finished_trip(rest, profile, found)?;
            ("trip", None)
        }
        0x0b => {
            let number = rest.split_first().filter(|(is_there, _)| **is_there > 0);
            found(Found::Vin(vin(number?.1.first_chunk::<17>()?)?));
            ("vin", None)
        }
        0x15 => {
            let [0, 0, 0, event] = rest.first_chunk::<4>()? else { return None };
            found(Found::Number("event", i64::from(*event)));
            if let Some(alarm) = alarm_of(EVENT_TABLE, *event) {
                found(Found::Alarm(alarm));
            }
            ("event", None)
        }
        _ => return None,
    };
    let mut fix = tail.and_then(|tail| {
        let &[s0, s1, s2, s3, y0, y1, y2, y3, x0, x1, x2, x3] = tail.first_chunk()?;
        let word = u32::from_be_bytes;
        fix_at(*digits, word([s0, s1, s2, s3]), word([y0, y1, y2, y3]), word([x0, x1, x2, x3]), profile)
    });
    if let Some(fix) = fix.as_mut().filter(|_| *is_archived > 0) {
        fix.quality = fix.quality.with(Quality::BACKFILL);
    }
    Some(Heard { about, at: time(digits, profile), fix })
}

/// As many values as stated, and what follows them.
fn values<'a>(content: &'a [u8], found: &mut Sink<'_, 'a>) -> Option<&'a [u8]> {
    let (count, mut rest) = content.split_first()?;
    for _ in 0..*count {
        let ([high, low, len], tail) = rest.split_first_chunk()?;
        let (bytes, after) = tail.split_at_checked(usize::from(*len))?;
        let id = u16::from_be_bytes([*high, *low]);
        if !table::read(VALUE_TABLE, id, bytes, found) {
            found(Found::Unknown(id, bytes));
        }
        rest = after;
    }
    Some(rest)
}

/// Trouble codes of several control units, as text, and what follows them.
fn code_texts<'a>(content: &'a [u8], found: &mut Sink<'_, 'a>) -> Option<&'a [u8]> {
    let (units, mut rest) = content.split_first_chunk()?;
    found(Found::NoCodes);
    for _ in 0..u16::from_be_bytes(*units) {
        // The unit's number, then how many codes it has.
        let ([_, _, _, _, high, low], tail) = rest.split_first_chunk()?;
        rest = tail;
        for _ in 0..u16::from_be_bytes([*high, *low]) {
            // Code and state as numbers, then the code as text.
            let (_, tail) = rest.split_first_chunk::<8>()?;
            let (len, tail) = tail.split_first_chunk()?;
            let (text, after) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            rest = after;
            let is_padding = |c: char| c == '\0' || c.is_ascii_whitespace();
            let text = match list_80::text(text) {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(is_padding)),
                Cow::Owned(text) => Cow::Owned(text.trim_matches(is_padding).to_owned()),
            };
            if !text.is_empty() {
                found(Found::CodeText(text));
            }
        }
    }
    Some(rest)
}

/// Alarms and events, and what follows them.
fn alarms<'a>(content: &'a [u8], found: &mut Sink<'_, 'a>) -> Option<&'a [u8]> {
    let (count, mut rest) = content.split_first()?;
    for _ in 0..*count {
        let ([id, len], tail) = rest.split_first_chunk()?;
        let (_, after) = tail.split_at_checked(usize::from(*len))?;
        found(Found::Number("event", i64::from(*id)));
        if let Some(alarm) = alarm_of(ALARM_TABLE, *id) {
            found(Found::Alarm(alarm));
        }
        rest = after;
    }
    Some(rest)
}

/// A trip: property BYTE (2 = it is over), number DWORD, start; then end, two places, a flag, and the sums.
fn finished_trip<'a>(content: &'a [u8], profile: &Profile, found: &mut Sink<'_, 'a>) -> Option<()> {
    const OVER: u8 = 2;
    let ([property, number @ ..], rest) = content.split_first_chunk::<5>()?;
    found(Found::Number("trip_number", i64::from(u32::from_be_bytes(*number))));
    let (start, rest) = rest.split_first_chunk()?;
    if let Some(at) = time(start, profile) {
        found(Found::Time("start", at));
    }
    if *property != OVER {
        return Some(());
    }
    let (end, rest) = rest.split_first_chunk()?;
    if let Some(at) = time(end, profile) {
        found(Found::Time("end", at));
    }
    // Two places of eight bytes and their flag, whose hemispheres nobody tells.
    let (_, rest) = rest.split_at_checked(17)?;
    let ([i0, i1, t0, t1, d0, d1, f0, f1], _) = rest.split_first_chunk()?;
    let word = |high: &u8, low: &u8| i64::from(u16::from_be_bytes([*high, *low]));
    found(Found::Number("idle_times", word(i0, i1)));
    found(Found::Reading(Reading::new(Quantity::TripIdleTime, Scale::ONE.apply(word(t0, t1)))));
    found(Found::Reading(Reading::new(Quantity::TripDistance, TENTH.apply(word(d0, d1)))));
    found(Found::Reading(Reading::new(Quantity::TripFuel, HUNDREDTH.apply(word(f0, f1)))));
    Some(())
}

/// Adds what a pass-through body says; `false` when it says nothing that is common to all makers.
pub(crate) fn observe(body: &[u8], profile: &Profile, out: &mut Observations) -> bool {
    let (mut readings, mut alarms, mut codes, mut number) = (Vec::new(), Alarms(0), None, None);
    let heard = read(body, profile, &mut |found| match found {
        Found::Reading(reading) => readings.push(reading),
        Found::Alarm(alarm) => alarms = alarms.with(alarm),
        Found::Code(dtc) => codes.get_or_insert_with(Vec::new).push(dtc.to_string()),
        Found::CodeText(text) => codes.get_or_insert_with(Vec::new).push(text.into_owned()),
        Found::NoCodes => _ = codes.get_or_insert_with(Vec::new),
        Found::Vin(vin) => number = Some(vin.to_owned()),
        _ => {}
    });
    let Some(Heard { at, fix, .. }) = heard else { return false };
    let before = out.fixes.len() + out.other.len();
    // An alarm without a place: a fix that says so.
    let fix = fix.or_else(|| at.filter(|_| alarms != Alarms(0)).map(without_place));
    if let Some(mut fix) = fix {
        fix.alarms = fix.alarms.with(alarms);
        readings.iter().for_each(|reading| fill_column(&mut fix, *reading));
        readings.retain(|reading| !is_in_column(&fix, *reading));
        out.fixes.push(fix);
    }
    readings.extend(profile.fuel.estimate(&readings));
    if !readings.is_empty() {
        out.other.push(Observation::Readings { at, readings });
    }
    if let Some(codes) = codes {
        out.other.push(Observation::TroubleCodes { at, codes });
    }
    out.other.extend(number.map(Observation::Vin));
    out.fixes.len() + out.other.len() > before
}

fn without_place(at: UtcMillis) -> Fix {
    let quality = Quality::NOT_POSITIONED.with(Quality::ZERO_POSITION).with(Quality::IGNITION_UNKNOWN);
    Fix { quality, ..Fix::new(at, 0, 0) }
}

/// What a pass-through body says, for people; bytes that nobody can read go to `unknown`.
pub(crate) fn describe(
    body: &[u8],
    profile: &Profile,
    unknown: &mut Vec<UnknownItem>,
) -> Option<Map<String, Value>> {
    let mut report = Report::default();
    report.enter(format!("0x0900.{:02x}", body.first()?));
    let heard = read(body, profile, &mut |found| report.add(found))?;
    let mut attributes = report.finish(profile, unknown, |_| false);
    attributes.insert("about".to_owned(), heard.about.into());
    if let Some(at) = heard.at {
        attributes.insert("at".to_owned(), at.to_string().into());
    }
    Some(attributes)
}
