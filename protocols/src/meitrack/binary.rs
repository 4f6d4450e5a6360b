//! `CCC` and `CCE`, batches of records in binary, little-endian.
//!
//! `CCC`: protocol WORD, bytes of a record WORD (52), records still cached DWORD, then records:
//!
//! | field | type | |
//! |---|---|---|
//! | event | BYTE | |
//! | latitude, longitude | DWORD each | 1e-6 degrees, signed |
//! | time | DWORD | seconds since 2000-01-01 UTC |
//! | valid, satellites, radio signal | BYTE each | |
//! | speed km/h, course, HDOP in tenths, altitude m | WORD each | altitude signed |
//! | odometer m, run time s | DWORD each | |
//! | MCC, MNC, LAC, CID | WORD each | |
//! | inputs, outputs | BYTE each | |
//! | analog 1, battery, supply | WORD each | 0.01 V |
//! | detail of the event | DWORD | |
//!
//! `CCE`: records still cached DWORD, records WORD; each record: its bytes WORD, number of items WORD, then items
//! with values of 1, 2 and 4 bytes and items that tell their own length, each group led by its count BYTE. The
//! number of an item is a BYTE, or `FE` and a BYTE.

use serde_json::{Value, json};

use super::event::alarms_of;
use super::frame::encode_frame;
use super::report::hours_milli;
use crate::notes::Notes;
use crate::octets::{Octets, hex, readable};
use crate::{DecodeError, Fix, Observations, Profile, Quantity, TerminalId, UtcMillis};

/// 2000-01-01T00:00:00Z in seconds.
const EPOCH_2000_S: i64 = 946_684_800;
const FIXED_RECORD_BYTES: usize = 52;

/// Reads the records of `CCC`.
pub(super) fn read_fixed(
    body: &[u8],
    at: usize,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let mut octets = Octets::new(body, at);
    octets.take(2)?;
    let record_bytes = usize::from(octets.u16_le()?);
    let cached = octets.u32_le()?;
    notes.of_message("records_cached", || Value::from(cached));
    if record_bytes < FIXED_RECORD_BYTES {
        return Err(DecodeError::new(octets.at(), "length"));
    }
    while octets.left() >= record_bytes {
        read_fixed_record(octets.part(record_bytes)?, profile, out, notes)?;
    }
    if octets.left() > 0 {
        out.malformed_items += 1;
        notes.unknown(|| "trailing".to_owned(), octets.rest());
    }
    Ok(())
}

fn read_fixed_record(
    mut record: Octets<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let mut found = Found { event: Some(u16::from(record.u8()?)), ..Found::default() };
    found.lat_e6 = Some(record.u32_le()?.cast_signed());
    found.lon_e6 = Some(record.u32_le()?.cast_signed());
    found.time_s = Some(record.u32_le()?);
    found.is_valid = record.u8()? == 1;
    found.fix.satellites = Some(record.u8()?);
    found.fix.signal = Some(record.u8()?);
    found.fix.speed_dkmh = record.u16_le()?.checked_mul(10);
    found.fix.course_deg = course(record.u16_le()?);
    let start = out.extra.len();
    Quantity::Hdop.write(Some(i64::from(record.u16_le()?) * 100), &mut out.extra);
    found.fix.altitude_m = Some(record.u16_le()?.cast_signed());
    found.fix.odometer_m = Some(record.u32_le()?);
    Quantity::Hours.write(hours_milli(record.u32_le()?.into()), &mut out.extra);
    let index = out.fixes.len();
    let cell = [record.u16_le()?, record.u16_le()?, record.u16_le()?, record.u16_le()?];
    notes.of_fix(index, "cell", || json!(cell));
    for quantity in [Quantity::Inputs, Quantity::Outputs] {
        quantity.write(Some(i64::from(record.u8()?) * 1_000), &mut out.extra);
    }
    for quantity in [Quantity::Analog1, Quantity::Battery, Quantity::Supply] {
        quantity.write(Some(i64::from(record.u16_le()?) * 10), &mut out.extra);
    }
    let detail = record.u32_le()?;
    if detail > 0 {
        notes.of_fix(index, "event_detail", || Value::from(detail));
    }
    found.push(start, profile, out);
    Ok(())
}

/// Appends a packet with one record of `CCC` with the fields that a fix has, for event 35 (sent at an interval). Unknown fields are
/// written as 0, the place is rounded to 1e-6 degrees, the speed to km/h.
pub fn encode_record(flag: u8, terminal: &TerminalId, fix: &Fix, out: &mut Vec<u8>) {
    let mut body = vec![0; 2];
    body.extend_from_slice(&[52, 0, 0, 0, 0, 0, 35]);
    for e7 in [fix.lat_e7, fix.lon_e7] {
        let rounded = (e7.unsigned_abs() + 5) / 10;
        let sent = if e7 < 0 { rounded.wrapping_neg() } else { rounded };
        body.extend_from_slice(&sent.to_le_bytes());
    }
    let seconds = u32::try_from(fix.fix_time.0.div_euclid(1_000) - EPOCH_2000_S).unwrap_or(0);
    body.extend_from_slice(&seconds.to_le_bytes());
    body.extend_from_slice(&[u8::from(fix.is_valid()), fix.satellites.unwrap_or(0), fix.signal.unwrap_or(0)]);
    let words = [fix.speed_dkmh.unwrap_or(0).saturating_add(5) / 10, fix.course_deg.unwrap_or(0), 0];
    words.iter().for_each(|word| body.extend_from_slice(&word.to_le_bytes()));
    body.extend_from_slice(&fix.altitude_m.unwrap_or(0).to_le_bytes());
    body.extend_from_slice(&fix.odometer_m.unwrap_or(0).to_le_bytes());
    // Run time, cell, inputs and outputs, voltages, detail of the event.
    body.extend_from_slice(&[0; 24]);
    encode_frame(flag, terminal, "CCC", &body, out);
}

/// Reads the records of `CCE`.
pub(super) fn read_items(
    body: &[u8],
    at: usize,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let mut octets = Octets::new(body, at);
    let cached = octets.u32_le()?;
    notes.of_message("records_cached", || Value::from(cached));
    for _ in 0..octets.u16_le()? {
        let length = usize::from(octets.u16_le()?);
        let mut record = octets.part(length)?;
        record.u16_le()?;
        let start = out.extra.len();
        let mut found = Found::default();
        // A record is kept as far as it can be read.
        if read_groups(&mut record, &mut found, out, notes).is_err() {
            out.malformed_items += 1;
        }
        found.push(start, profile, out);
    }
    Ok(())
}

fn read_groups(
    record: &mut Octets<'_>,
    found: &mut Found,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let index = out.fixes.len();
    for width in [Some(1), Some(2), Some(4), None] {
        for _ in 0..record.u8()? {
            let number = match record.u8()? {
                0xfe => 0xfe00 | u16::from(record.u8()?),
                number => u16::from(number),
            };
            let bytes = match width {
                Some(bytes) => bytes,
                None => usize::from(record.u8()?),
            };
            let value = record.take(bytes)?;
            let is_known = match *value {
                [value] if width == Some(1) => found.take_byte(number, value, index, &mut out.extra, notes),
                [low, high] if width == Some(2) => {
                    found.take_word(number, u16::from_le_bytes([low, high]), &mut out.extra)
                }
                [a, b, c, d] if width == Some(4) => {
                    found.take_dword(number, u32::from_le_bytes([a, b, c, d]), index, &mut out.extra, notes)
                }
                _ => take_bytes(number, value, index, &mut out.extra, notes),
            };
            if !is_known {
                notes.unknown(|| format!("{number:#04x}"), value);
            }
        }
    }
    Ok(())
}

const fn course(course_deg: u16) -> Option<u16> {
    match course_deg {
        0..=359 => Some(course_deg),
        360 => Some(0),
        _ => None,
    }
}

/// What a record says of a fix, in whatever order.
struct Found {
    event: Option<u16>,
    lat_e6: Option<i32>,
    lon_e6: Option<i32>,
    time_s: Option<u32>,
    is_valid: bool,
    fix: Fix,
}

impl Default for Found {
    fn default() -> Self {
        let fix = Fix::new(UtcMillis(0), 0, 0);
        Self { event: None, lat_e6: None, lon_e6: None, time_s: None, is_valid: false, fix }
    }
}

impl Found {
    fn take_byte(
        &mut self,
        number: u16,
        value: u8,
        index: usize,
        extra: &mut Vec<u8>,
        notes: &mut impl Notes,
    ) -> bool {
        let quantity = match number {
            0x01 => {
                self.event = Some(value.into());
                return true;
            }
            0x05 => {
                self.is_valid = value == 1;
                return true;
            }
            0x06 => {
                self.fix.satellites = Some(value);
                return true;
            }
            0x07 => {
                self.fix.signal = Some(value);
                return true;
            }
            0x47 => {
                // 0: nothing is known of the lock.
                if value > 0 {
                    notes.of_fix(index, "lock", || Value::from(value == 2));
                }
                return true;
            }
            0x14 => Quantity::Outputs,
            0x15 => Quantity::Inputs,
            0x97 => Quantity::Throttle,
            0x9d => Quantity::FuelLevel,
            0xfe69 => Quantity::BatteryPercent,
            _ => return false,
        };
        quantity.write(Some(i64::from(value) * 1_000), extra);
        true
    }

    fn take_word(&mut self, number: u16, value: u16, extra: &mut Vec<u8>) -> bool {
        let (quantity, scale) = match number {
            0x08 => {
                self.fix.speed_dkmh = value.checked_mul(10);
                return true;
            }
            0x09 => {
                self.fix.course_deg = course(value);
                return true;
            }
            0x0b => {
                self.fix.altitude_m = Some(value.cast_signed());
                return true;
            }
            0x40 => {
                self.event = Some(value);
                return true;
            }
            0x91 | 0x92 => {
                self.fix.vehicle_speed_dkmh = value.checked_mul(10);
                return true;
            }
            0x99 => {
                self.fix.engine_rpm = Some(value);
                return true;
            }
            0x0a => (Quantity::Hdop, 100),
            0x16 => (Quantity::Analog1, 10),
            0x17 => (Quantity::Analog2, 10),
            0x18 => (Quantity::Analog3, 10),
            0x19 => (Quantity::Battery, 10),
            0x1a => (Quantity::Supply, 10),
            0x29 => (Quantity::FuelLevel, 10),
            _ => return false,
        };
        quantity.write(Some(i64::from(value) * scale), extra);
        true
    }

    fn take_dword(
        &mut self,
        number: u16,
        value: u32,
        index: usize,
        extra: &mut Vec<u8>,
        notes: &mut impl Notes,
    ) -> bool {
        match number {
            0x02 => self.lat_e6 = Some(value.cast_signed()),
            0x03 => self.lon_e6 = Some(value.cast_signed()),
            0x04 => self.time_s = Some(value),
            0x0c => self.fix.odometer_m = Some(value),
            0x0d => Quantity::Hours.write(hours_milli(value.into()), extra),
            0x25 => notes.of_fix(index, "driver_id", || Value::from(value.to_string())),
            _ => return false,
        }
        true
    }

    /// Adds the fix; without a place its readings, without a date.
    fn push(self, start: usize, profile: &Profile, out: &mut Observations) {
        let whole = |number: u16| i64::from(number) * 1_000;
        Quantity::Event.write(self.event.map(whole), &mut out.extra);
        let time = self.time_s.map(|seconds| {
            let offset_s = i64::from(profile.clock_offset_or(0));
            UtcMillis((EPOCH_2000_S + i64::from(seconds) - offset_s) * 1_000)
        });
        let (Some(lat_e6), Some(lon_e6)) = (self.lat_e6, self.lon_e6) else {
            let readings = crate::reading::readings(out.extra.get(start..).unwrap_or(&[])).collect();
            out.extra.truncate(start);
            out.other.push(crate::Observation::Readings { at: time, readings });
            return;
        };
        let placed = Fix::placed(time, i64::from(lat_e6) * 10, i64::from(lon_e6) * 10, profile.datum);
        let mut fix = Fix {
            fix_time: placed.fix_time,
            lat_e7: placed.lat_e7,
            lon_e7: placed.lon_e7,
            status: placed.status,
            quality: placed.quality,
            alarms: self.event.map_or(placed.alarms, alarms_of),
            ..self.fix
        };
        fix.set_valid(self.is_valid);
        out.push_fix(fix, start);
    }
}

/// Items that tell their own length.
fn take_bytes(number: u16, value: &[u8], index: usize, extra: &mut Vec<u8>, notes: &mut impl Notes) -> bool {
    match (number, value) {
        // A probe: its number, then hundredths of a degree.
        (0x2a..=0x2d, &[_, low, high]) => {
            let quantity = match number {
                0x2a => Quantity::Temperature1,
                0x2b => Quantity::Temperature2,
                0x2c => Quantity::Temperature3,
                _ => Quantity::Temperature4,
            };
            quantity.write(Some(i64::from(i16::from_le_bytes([low, high])) * 10), extra);
            true
        }
        (0x0e, _) => {
            notes.of_fix(index, "cells", || Value::from(hex(value)));
            true
        }
        // Version, kind of alarm, name of the picture.
        (0xfe31, [_, _, name @ ..]) => {
            notes.of_fix(index, "image", || Value::from(readable(name)));
            true
        }
        (0xfe73, _) => take_tag(value, index, notes).is_some(),
        _ => false,
    }
}

/// A Bluetooth probe: version, name with its length, address, battery percent, temperature and humidity in
/// 1/256.
fn take_tag(value: &[u8], index: usize, notes: &mut impl Notes) -> Option<()> {
    let (&[_, name_bytes], rest) = value.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_bytes))?;
    let (address, rest) = rest.split_first_chunk::<6>()?;
    let &[battery, t0, t1, h0, h1] = rest.first_chunk::<5>()?;
    let scaled = |value: f64| json!((value / 256.0 * 1_000.0).round() / 1_000.0);
    notes.of_fix(index, "tag_name", || Value::from(readable(name)));
    notes.of_fix(index, "tag_address", || Value::from(hex(address)));
    notes.of_fix(index, "tag_battery_percent", || Value::from(battery));
    notes.of_fix(index, "tag_temperature_c", || scaled(i16::from_le_bytes([t0, t1]).into()));
    notes.of_fix(index, "tag_humidity_percent", || scaled(u16::from_le_bytes([h0, h1]).into()));
    Some(())
}
