//! Reports in binary: zip, one fixed form for each kind, and universal, fields that a mask names. Big-endian.
//!
//! Zip, behind the identity: model BYTE, software WORD, year, month, day, hour, minute, second BYTE each, cell
//! BYTE\[3\], latitude and longitude `degrees BYTE, six decimals BCD[3]`, speed and course `WORD, two decimals
//! BCD`, satellites and flags BYTE (bit 7 fix, 6 south, 5 west), odometer DWORD m, supply `BYTE, two decimals
//! BCD`, inputs and outputs BYTE, then by kind: mode BYTE and number WORD (0x10), the number of the emergency,
//! event or alert BYTE (0x11 to 0x13); then hour meter DWORD minutes, backup battery as the supply, kind of
//! message BYTE (0 from memory).

use serde_json::Value;

use super::alarm;
use super::universal::{ALERT_DRIVER, bit};
use crate::notes::Notes;
use crate::octets::{Octets, from_bcd, hex, pack_digits};
use crate::time::Civil;
use crate::{
    Alarms, DecodeError, Fix, Observation, Observations, Profile, Quality, Quantity, TerminalId, UtcMillis,
};

const ZIP_STATUS: u8 = 0x10;
const ZIP_EMERGENCY: u8 = 0x11;
const ZIP_EVENT: u8 = 0x12;
const ZIP_ALERT: u8 = 0x13;
const ZIP_ALIVE: u8 = 0x14;
const ZIP_EXTERNAL: u8 = 0x16;
/// Bytes before what follows the identity, in both forms.
const ZIP_BODY_AT: usize = 9;
const UNIVERSAL_BODY_AT: usize = 8;

/// The letters of the kind that a header of zip stands for.
pub(super) const fn zip_kind(header: u8) -> &'static str {
    match header {
        ZIP_STATUS => "STT",
        ZIP_EMERGENCY => "EMG",
        ZIP_EVENT => "EVT",
        ZIP_ALERT => "ALT",
        ZIP_ALIVE => "ALV",
        ZIP_EXTERNAL => "UEX",
        _ => "",
    }
}

pub(super) fn read_zip(
    header: u8,
    body: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    match header {
        ZIP_ALIVE => {
            out.other.push(Observation::Heartbeat);
            return Ok(());
        }
        ZIP_STATUS..=ZIP_ALERT | ZIP_EXTERNAL => {}
        _ => {
            out.other.push(Observation::Other { message_id: header.into() });
            notes.unknown(|| format!("{header:#04x}"), body);
            return Ok(());
        }
    }
    let mut octets = Octets::new(body, ZIP_BODY_AT);
    octets.take(3)?;
    let time = date_time(&mut octets, profile)?;
    let index = out.fixes.len();
    let cell = octets.take(3)?;
    notes.of_fix(index, "cell", || Value::from(hex(cell)));
    let (lat_e7, lon_e7) = (degrees_e7(&mut octets)?, degrees_e7(&mut octets)?);
    let speed_centi = with_decimals(octets.u16()?, octets.u8()?);
    let course_centi = with_decimals(octets.u16()?, octets.u8()?);
    let flags = octets.u8()?;
    let signed = |value: i64, bit: u8| if flags & bit != 0 { -value } else { value };
    let mut fix = Fix {
        speed_dkmh: speed_centi.and_then(|centi| u16::try_from((centi + 5) / 10).ok()),
        course_deg: course_centi.and_then(|centi| course((centi + 50) / 100)),
        satellites: Some(flags & 0x1f),
        odometer_m: Some(octets.u32()?),
        ..Fix::placed(time, signed(lat_e7, 1 << 6), signed(lon_e7, 1 << 5), profile.datum)
    };
    fix.set_valid(flags & 1 << 7 != 0);
    let start = out.extra.len();
    Quantity::Supply.write(volts_milli(&mut octets)?, &mut out.extra);
    let io = octets.u8()?;
    fix.set_ignition(io & 1 == 1);
    Quantity::Inputs.write(Some(i64::from(io >> 1 & 0b111) * 1_000), &mut out.extra);
    Quantity::Outputs.write(Some(i64::from(io >> 4 & 0b11) * 1_000), &mut out.extra);
    // What follows is not there in every configuration: the place is kept without it.
    if read_zip_tail(header, &mut octets, &mut fix, &mut out.extra).is_err() {
        fix.quality = fix.quality.with(Quality::ITEM_MALFORMED);
        out.malformed_items += 1;
    }
    if octets.left() > 0 {
        notes.unknown(|| "trailing".to_owned(), octets.rest());
    }
    out.push_fix(fix, start);
    Ok(())
}

fn read_zip_tail(
    header: u8,
    octets: &mut Octets<'_>,
    fix: &mut Fix,
    extra: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    if header == ZIP_STATUS {
        octets.take(3)?;
    } else if header == ZIP_EXTERNAL {
        let bytes = usize::from(octets.u16()?);
        octets.take(bytes)?;
        octets.u8()?;
    } else {
        let number = octets.u8()?;
        Quantity::Event.write(Some(i64::from(number) * 1_000), extra);
        fix.alarms = match header {
            ZIP_EMERGENCY => alarm::of_emergency(number.into()),
            ZIP_ALERT => alarm::of_alert(number.into()),
            _ => Alarms(0),
        };
    }
    if octets.left() == 0 {
        return Ok(());
    }
    let minutes = i64::from(octets.u32()?);
    Quantity::Hours.write(Some((minutes.saturating_mul(1_000).saturating_add(30)) / 60), extra);
    Quantity::Battery.write(volts_milli(octets)?, extra);
    if octets.u8()? == 0 {
        fix.quality = fix.quality.with(Quality::BACKFILL);
    }
    Ok(())
}

fn date_time(octets: &mut Octets<'_>, profile: &Profile) -> Result<Option<UtcMillis>, DecodeError> {
    let [year, month, day, hour, minute, second] = octets.array()?;
    let civil = Civil { year: 2_000 + i32::from(year), month, day, hour, minute, second, millisecond: 0 };
    Ok(UtcMillis::from_civil(civil, profile.clock_offset_or(0)))
}

/// Degrees and six decimals; decimals that are none count as 0.
fn degrees_e7(octets: &mut Octets<'_>) -> Result<i64, DecodeError> {
    let [degrees, a, b, c] = octets.array()?;
    let decimals =
        [a, b, c].into_iter().try_fold(0_i64, |sum, pair| Some(sum * 100 + i64::from(from_bcd(pair)?)));
    Ok(i64::from(degrees) * 10_000_000 + decimals.unwrap_or(0) * 10)
}

fn with_decimals(whole: u16, decimals: u8) -> Option<u32> {
    Some(u32::from(whole) * 100 + u32::from(from_bcd(decimals)?))
}

fn volts_milli(octets: &mut Octets<'_>) -> Result<Option<i64>, DecodeError> {
    let [whole, decimals] = octets.array()?;
    Ok(with_decimals(whole.into(), decimals).map(|centi| i64::from(centi) * 10))
}

fn course(course_deg: u32) -> Option<u16> {
    match u16::try_from(course_deg).ok()? {
        360 => Some(0),
        course => (course < 360).then_some(course),
    }
}

/// What a universal report says, as far as its mask names it.
#[derive(Default)]
struct Masked {
    time: Option<UtcMillis>,
    is_from_memory: bool,
    signal: Option<u8>,
    lat_e7: Option<i64>,
    lon_e7: Option<i64>,
    speed_dkmh: Option<u16>,
    course_deg: Option<u16>,
    satellites: Option<u8>,
    is_valid: bool,
    inputs: Option<u8>,
    outputs: Option<u8>,
    alert: Option<u8>,
}

pub(super) fn read_universal(
    header: u8,
    body: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    if !matches!(header, 0x81 | 0x82) {
        out.other.push(Observation::Other { message_id: header.into() });
        notes.unknown(|| format!("{header:#04x}"), body);
        return Ok(());
    }
    let mut octets = Octets::new(body, UNIVERSAL_BODY_AT);
    let mask = octets.u24()?;
    let index = out.fixes.len();
    let found = read_masked(mask, &mut octets, profile, index, notes)?;
    if mask >> bit::MODIFIER & 1 == 1 {
        octets.u16()?;
    }
    let alert = found.alert.filter(|_| header == 0x82);
    if mask >> bit::DATA & 1 == 1 && alert.map(u64::from) == Some(ALERT_DRIVER) {
        let card = octets.take(8)?;
        notes.of_fix(index, "driver_id", || Value::from(hex(card)));
    }
    if octets.left() > 0 {
        notes.unknown(|| "trailing".to_owned(), octets.rest());
    }
    push(&found, alert, profile, out);
    Ok(())
}

/// Appends a status in the universal form with the fields that a fix has; `false`, and nothing, when the terminal's number is not of up to
/// ten digits. Unknown fields are written as 0, the place is rounded to 1e-6 degrees.
#[must_use]
pub fn encode_universal(terminal: &TerminalId, fix: &Fix, out: &mut Vec<u8>) -> bool {
    const FIELDS: [u32; 10] = [
        bit::KIND,
        bit::DATE,
        bit::TIME,
        bit::LATITUDE,
        bit::LONGITUDE,
        bit::SPEED,
        bit::COURSE,
        bit::SATELLITES,
        bit::FIX,
        bit::INPUTS,
    ];
    let Some(id) = pack_digits::<5>(terminal.as_str()) else { return false };
    let mask = FIELDS.iter().fold(0_u32, |mask, field| mask | 1 << field);
    let mut body = id.to_vec();
    body.extend(mask.to_be_bytes().into_iter().skip(1));
    body.push(u8::from(!fix.quality.contains(Quality::BACKFILL)));
    let Civil { year, month, day, hour, minute, second, .. } = fix.fix_time.civil(0);
    body.extend_from_slice(&[
        u8::try_from(year.rem_euclid(100)).unwrap_or(0),
        month,
        day,
        hour,
        minute,
        second,
    ]);
    for e7 in [fix.lat_e7, fix.lon_e7] {
        let sent = ((e7.unsigned_abs() + 5) / 10) | (u32::from(e7 < 0) << 31);
        body.extend_from_slice(&sent.to_be_bytes());
    }
    body.extend_from_slice(&fix.speed_dkmh.unwrap_or(0).saturating_mul(10).to_be_bytes());
    body.extend_from_slice(&(fix.course_deg.unwrap_or(0) % 360 * 100).to_be_bytes());
    let is_on = fix.status.contains(crate::Status::IGNITION);
    body.extend_from_slice(&[fix.satellites.unwrap_or(0), u8::from(fix.is_valid()), u8::from(is_on)]);
    out.push(0x81);
    out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&body);
    true
}

/// The fields up to the number of the alert.
fn read_masked(
    mask: u32,
    octets: &mut Octets<'_>,
    profile: &Profile,
    index: usize,
    notes: &mut impl Notes,
) -> Result<Masked, DecodeError> {
    let mut found = Masked::default();
    let mut cell = Vec::new();
    for bit in (bit::MODEL..=bit::ALERT).filter(|bit| mask >> bit & 1 == 1) {
        match bit {
            bit::MODEL => drop(octets.take(1)?),
            bit::SOFTWARE => drop(octets.take(3)?),
            bit::KIND => found.is_from_memory = octets.u8()? == 0,
            bit::DATE if mask >> bit::TIME & 1 == 1 => found.time = date_time(octets, profile)?,
            bit::DATE => drop(octets.take(3)?),
            bit::TIME if mask >> bit::DATE & 1 == 1 => {}
            bit::TIME => drop(octets.take(3)?),
            bit::CELL => cell.extend_from_slice(octets.take(4)?),
            bit::COUNTRY | bit::NETWORK | bit::AREA => cell.extend_from_slice(octets.take(2)?),
            bit::SIGNAL => found.signal = Some(octets.u8()?),
            bit::LATITUDE => found.lat_e7 = Some(signed_e7(octets.u32()?)),
            bit::LONGITUDE => found.lon_e7 = Some(signed_e7(octets.u32()?)),
            bit::SPEED => found.speed_dkmh = Some(octets.u16()?.saturating_add(5) / 10),
            bit::COURSE => found.course_deg = course((u32::from(octets.u16()?) + 50) / 100),
            bit::SATELLITES => found.satellites = Some(octets.u8()?),
            bit::FIX => found.is_valid = octets.u8()? > 0,
            bit::INPUTS => found.inputs = Some(octets.u8()?),
            bit::OUTPUTS => found.outputs = Some(octets.u8()?),
            _ => found.alert = Some(octets.u8()?),
        }
    }
    if !cell.is_empty() {
        notes.of_fix(index, "cell", || Value::from(hex(&cell)));
    }
    Ok(found)
}

/// 1e-6 degrees, the sign in the highest bit, in 1e-7 degrees.
fn signed_e7(value: u32) -> i64 {
    let magnitude = i64::from(value & 0x7fff_ffff) * 10;
    if value >> 31 == 1 { -magnitude } else { magnitude }
}

fn push(found: &Masked, alert: Option<u8>, profile: &Profile, out: &mut Observations) {
    let start = out.extra.len();
    let whole = |number: u8| i64::from(number) * 1_000;
    Quantity::Event.write(alert.map(whole), &mut out.extra);
    Quantity::Inputs.write(found.inputs.map(whole), &mut out.extra);
    Quantity::Outputs.write(found.outputs.map(whole), &mut out.extra);
    let (Some(lat_e7), Some(lon_e7)) = (found.lat_e7, found.lon_e7) else {
        let readings = crate::reading::readings(out.extra.get(start..).unwrap_or(&[])).collect();
        out.extra.truncate(start);
        out.other.push(Observation::Readings { at: found.time, readings });
        return;
    };
    let mut fix = Fix {
        speed_dkmh: found.speed_dkmh,
        course_deg: found.course_deg,
        satellites: found.satellites,
        signal: found.signal,
        alarms: alert.map_or(Alarms(0), |number| alarm::of_alert(number.into())),
        ..Fix::placed(found.time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(found.is_valid);
    if let Some(inputs) = found.inputs {
        fix.set_ignition(inputs & 1 == 1);
    }
    if found.is_from_memory {
        fix.quality = fix.quality.with(Quality::BACKFILL);
    }
    out.push_fix(fix, start);
}
