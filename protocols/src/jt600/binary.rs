//! The binary form, big-endian and binary-coded decimal.
//!
//! `24`, identity BCD\[5\], from 70 on a version BYTE, kind BYTE (its high half is the version of the short form),
//! length WORD, records, number BYTE. Every record begins with day, month, year, hour, minute, second BCD\[6\],
//! latitude `ddmmmmmm` BCD\[4\], longitude `dddmmmmmm` BCD\[4.5\] and four flags (1 valid, 2 north, 4 east), speed in
//! knots BCD\[1\], course in two degrees BYTE.

use serde_json::Value;

use crate::notes::Notes;
use crate::octets::{Octets, from_bcd, hex};
use crate::time::Civil;
use crate::{Alarms, DecodeError, Fix, Observations, Profile, Quantity, Status, TerminalId, UtcMillis};

const SHORT_HEAD_BYTES: usize = 9;
const LONG_HEAD_BYTES: usize = 10;
const SHORT_RECORD_BYTES: usize = 27;
const KMH_E7_OF_KNOT: i64 = 18_520_000;
/// Bit of a long record's status that asks for an answer.
const WANTS_ANSWER: u16 = 1 << 5;
/// Where in a long record its status stands.
const STATUS_AT: usize = 26;
/// From this version on an answer names the frame's number.
const NUMBERED_FROM: u8 = 0x19;

const VALID: u8 = 1;
const NORTH: u8 = 2;
const EAST: u8 = 4;

/// What stands before the records.
pub(super) struct Head<'a> {
    pub(super) id: &'a [u8; 5],
    /// The version of the long form.
    long: Option<u8>,
    /// The version of the short form's records.
    version: u8,
    /// The records, and in the long form what its version adds.
    records: &'a [u8],
    at: usize,
    number: u8,
}

impl<'a> Head<'a> {
    pub(super) fn of(raw: &'a [u8]) -> Option<Self> {
        let (&number, content) = raw.split_last()?;
        let (id, rest) = content.strip_prefix(b"$")?.split_first_chunk::<5>()?;
        let is_long = id.first()? >> 4 >= 7;
        let (long, rest) = if is_long { (Some(*rest.first()?), rest.get(1..)?) } else { (None, rest) };
        let (&[kind, _, _], records) = rest.split_first_chunk::<3>()?;
        let at = raw.len() - records.len() - 1;
        Some(Self { id, long, version: kind >> 4, records, at, number })
    }
}

/// The length of the frame at the front of `input`, once it can be told.
pub(super) fn frame_bytes(input: &[u8]) -> Option<usize> {
    let is_long = input.get(1)? >> 4 >= 7;
    let head = if is_long { LONG_HEAD_BYTES } else { SHORT_HEAD_BYTES };
    let (_, length) = input.get(..head)?.split_last_chunk::<2>()?;
    // The length of the long form counts the number behind the records, that of the short form does not.
    let behind = usize::from(!is_long);
    Some(head + usize::from(u16::from_be_bytes(*length)) + behind)
}

/// The answer to a frame that asks for one.
pub(super) fn answer(raw: &[u8]) -> Option<String> {
    let head = Head::of(raw)?;
    let version = head.long?;
    let &[high, low] = head.records.get(STATUS_AT..)?.first_chunk::<2>()?;
    if u16::from_be_bytes([high, low]) & WANTS_ANSWER == 0 {
        return None;
    }
    Some(if version < NUMBERED_FROM { "(P35)".to_owned() } else { format!("(P69,0,{})", head.number) })
}

pub(super) fn read(
    raw: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let malformed = |at: usize| DecodeError::new(at, "malformed");
    let head = Head::of(raw).ok_or_else(|| malformed(0))?;
    let mut records = Octets::new(head.records, head.at);
    notes.of_message("number", || Value::from(head.number));
    if head.long.is_some() {
        return read_long(&mut records, profile, out, notes);
    }
    if records.left() == 0
        || !records.left().is_multiple_of(SHORT_RECORD_BYTES)
        || !(1..=3).contains(&head.version)
    {
        return Err(malformed(head.at));
    }
    while records.left() > 0 {
        read_short(records.part(SHORT_RECORD_BYTES)?, head.version, profile, out, notes)?;
    }
    Ok(())
}

/// The place that begins every record; the fix has its time, speed and course too.
pub(crate) fn place(record: &mut Octets<'_>, profile: &Profile) -> Result<Fix, DecodeError> {
    let at = record.at();
    let malformed = DecodeError::new(at, "malformed");
    let time = instant(record.array()?, profile);
    let lat = record.array::<4>()?;
    let &[l0, l1, l2, l3, last] = &record.array::<5>()?;
    let flags = last & 0x0f;
    let lat_e7 = degrees_e7(lat.iter().try_fold(0, |sum, pair| bcd(sum, *pair)).ok_or(malformed)?);
    let lon = [l0, l1, l2, l3].iter().try_fold(0, |sum, pair| bcd(sum, *pair)).ok_or(malformed)?;
    if last >> 4 > 9 {
        return Err(malformed);
    }
    let lon_e7 = degrees_e7(lon * 10 + i64::from(last >> 4));
    let signed = |value: i64, bit: u8| if flags & bit != 0 { value } else { -value };
    let knots = from_bcd(record.u8()?);
    let course_deg = u16::from(record.u8()?) * 2;
    let mut fix = Fix {
        speed_dkmh: knots
            .and_then(|knots| u16::try_from((i64::from(knots) * KMH_E7_OF_KNOT + 500_000) / 1_000_000).ok()),
        course_deg: Some(course_deg).filter(|course| *course < 360),
        ..Fix::placed(time, signed(lat_e7, NORTH), signed(lon_e7, EAST), profile.datum)
    };
    fix.set_valid(flags & VALID != 0);
    Ok(fix)
}

fn bcd(sum: i64, pair: u8) -> Option<i64> {
    Some(sum * 100 + i64::from(from_bcd(pair)?))
}

/// Degrees, minutes and four decimals in one number, in 1e-7 degrees.
const fn degrees_e7(packed: i64) -> i64 {
    // A 1e-4 minute is 50/3 of a 1e-7 degree.
    packed / 1_000_000 * 10_000_000 + (packed % 1_000_000 * 50 + 1) / 3
}

fn instant(digits: [u8; 6], profile: &Profile) -> Option<UtcMillis> {
    let [day, month, year, hour, minute, second] = digits.map(|pair| from_bcd(pair).unwrap_or(u8::MAX));
    let civil = Civil { year: 2_000 + i32::from(year), month, day, hour, minute, second, millisecond: 0 };
    UtcMillis::from_civil(civil, profile.clock_offset_or(0)).filter(|_| year < 100)
}

fn read_short(
    mut record: Octets<'_>,
    version: u8,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let mut fix = place(&mut record, profile)?;
    let (start, index) = (out.extra.len(), out.fixes.len());
    match version {
        1 => {
            fix.satellites = Some(record.u8()?);
            let (power, flags) = (record.u8()?, record.u8()?);
            fix.altitude_m = i16::try_from(record.u16()?).ok();
            let cell = record.take(4)?;
            fix.signal = Some(record.u8()?);
            notes.of_fix(index, "power_level", || Value::from(power));
            notes.of_fix(index, "flags", || Value::from(flags));
            notes.of_fix(index, "cell", || Value::from(hex(cell)));
        }
        2 => {
            let fuel_high = record.u8()?;
            let state = record.array()?;
            fix.odometer_m = record.u32()?.checked_mul(1_000);
            let fuel = u16::from_be_bytes([fuel_high, record.u8()?]);
            read_state(state, &mut fix);
            notes.of_fix(index, "fuel_sensor", || Value::from(fuel));
            notes.of_fix(index, "status", || Value::from(hex(&state)));
        }
        _ => {
            let fuel = record.take(4)?;
            let [f0, f1, f2, f3] = [0, 1, 2, 3].map(|at| fuel.get(at).copied().unwrap_or(0));
            let last = record.array::<6>()?;
            // Three fuel probes of 12 bits, the odometer in km of 20, the status of 24.
            let probes = [
                u16::from(f0) << 4 | u16::from(f1 >> 4),
                u16::from(f1 & 0x0f) << 8 | u16::from(f2),
                u16::from(f3) << 4 | u16::from(last[0] >> 4),
            ];
            let km = u32::from(last[0] & 0x0f) << 16 | u32::from(last[1]) << 8 | u32::from(last[2]);
            fix.odometer_m = km.checked_mul(1_000);
            fix.set_ignition(last[5] & 1 == 1);
            notes.of_fix(index, "fuel_sensors", || Value::from(probes.to_vec()));
            notes.of_fix(index, "status", || Value::from(hex(last.get(3..).unwrap_or(&[]))));
        }
    }
    out.push_fix(fix, start);
    Ok(())
}

/// The status of version 2.
fn read_state([first, second, third, _]: [u8; 4], fix: &mut Fix) {
    fix.set_ignition(first & 1 == 1);
    if first >> 6 & 1 == 1 {
        fix.status = fix.status.with(Status::DOOR_1_OPEN);
    }
    for (byte, bit, alarm) in [
        (second, 2, Alarms::EMERGENCY),
        (second, 3, Alarms::ANTENNA_OPEN),
        (second, 4, Alarms::OVERSPEED),
        (third, 2, Alarms::FATIGUE),
        (third, 3, Alarms::TOWING),
    ] {
        if byte >> bit & 1 == 1 {
            fix.alarms = fix.alarms.with(alarm);
        }
    }
}

fn read_long(
    record: &mut Octets<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let mut fix = place(record, profile)?;
    let (start, index) = (out.extra.len(), out.fixes.len());
    fix.odometer_m = record.u32()?.checked_mul(1_000);
    fix.satellites = Some(record.u8()?);
    let vehicle = record.take(4)?;
    let status = record.u16()?;
    for (bit, alarm) in [
        (1, Alarms::AREA),
        (2, Alarms::AREA),
        (3, Alarms::POWER_LOST),
        (4, Alarms::VIBRATION),
        (11, Alarms::LOW_BATTERY),
        (14, Alarms::OTHER),
    ] {
        if status >> bit & 1 == 1 {
            fix.alarms = fix.alarms.with(alarm);
        }
    }
    match record.u8()? {
        0xff => Quantity::Charging.write(Some(1_000), &mut out.extra),
        percent => Quantity::BatteryPercent.write(Some(i64::from(percent) * 1_000), &mut out.extra),
    }
    let cell = record.take(4)?;
    fix.signal = Some(record.u8()?);
    out.push_fix(fix, start);
    notes.of_fix(index, "vehicle", || Value::from(hex(vehicle)));
    notes.of_fix(index, "status", || Value::from(status));
    notes.of_fix(index, "cell", || Value::from(hex(cell)));
    if record.left() > 0 {
        notes.unknown(|| "trailing".to_owned(), record.rest());
    }
    Ok(())
}

/// Decimal digits as binary-coded ones.
fn pairs(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().map(|digit| digit & 0x0f).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit)).collect()
}

/// Appends a frame of one record of version 1 with the fields that a fix has; the identity is ten digits below
/// 7,000,000,000.
pub fn encode_record(terminal: &TerminalId, number: u8, fix: &Fix, out: &mut Vec<u8>) {
    let time = fix.fix_time.civil(0);
    let packed = |value_e7: i32| {
        let magnitude = i64::from(value_e7.unsigned_abs());
        let minutes_e4 = (magnitude % 10_000_000 * 3 / 50).min(599_999);
        magnitude / 10_000_000 * 1_000_000 + minutes_e4
    };
    let knots = (u32::from(fix.speed_dkmh.unwrap_or(0)) * 100 + 926) / 1_852;
    let mut record = pairs(&format!(
        "{:02}{:02}{:02}{:02}{:02}{:02}{:08}{:09}0{:02}",
        time.day,
        time.month,
        time.year.rem_euclid(100),
        time.hour,
        time.minute,
        time.second,
        packed(fix.lat_e7),
        packed(fix.lon_e7),
        knots.min(99),
    ));
    let flags = if fix.is_valid() { VALID } else { 0 }
        | if fix.lat_e7 < 0 { 0 } else { NORTH }
        | if fix.lon_e7 < 0 { 0 } else { EAST };
    let course = u8::try_from(fix.course_deg.unwrap_or(0) / 2).unwrap_or(0);
    let altitude = u16::try_from(fix.altitude_m.unwrap_or(0)).unwrap_or(0).to_be_bytes();
    if let [.., last, _] = record.as_mut_slice() {
        *last |= flags;
    }
    record.push(course);
    record.extend_from_slice(&[fix.satellites.unwrap_or(0), 0, 0, altitude[0], altitude[1], 0, 0, 0, 0]);
    record.push(fix.signal.unwrap_or(0));
    let length = u16::try_from(record.len()).unwrap_or(0).to_be_bytes();
    out.push(b'$');
    out.extend_from_slice(&pairs(&format!("{:0>10}", terminal.as_str())));
    out.extend_from_slice(&[0x11, length[0], length[1]]);
    out.extend_from_slice(&record);
    out.push(number);
}
