//! The newer generation: fields of fixed widths, without separators.
//!
//! In front: status (8, hex), `yyMMddHHmmss`, battery (2, 0.1 V), supply (2, V). Behind: satellites (2), signal
//! (2), course (3), speed (3, km/h), HDOP (4), odometer (7, km), latitude and its side, longitude and its side,
//! serial number. What lies between differs by model (one or four analog values, none to two probes, a cell) and
//! is kept as text, so the parts behind are found from the end.

use serde_json::Value;

use crate::notes::Notes;
use crate::octets::readable;
use crate::text::{self, Fields};
use crate::{Alarms, Fix, Observations, Profile, Quantity, TerminalId};

const FRONT_BYTES: usize = 24;
/// `ddmm.mmmmNdddmm.mmmmE`.
const PLACE_BYTES: usize = 21;
/// Satellites to odometer.
const MOTION_BYTES: usize = 21;

/// Bits of the status, the highest being 1 in the maker's sheet.
mod status {
    pub(super) const EMERGENCY: u64 = 1 << 31;
    pub(super) const IGNITION: u64 = 1 << 30;
    pub(super) const OVERSPEED: u64 = 1 << 29;
    pub(super) const CHARGING: u64 = 1 << 28;
    pub(super) const LEFT_AREA: u64 = 1 << 27;
    pub(super) const ENTERED_AREA: u64 = 1 << 26;
    pub(super) const ANTENNA_CUT: u64 = 1 << 25;
    /// Which of the two says that the place is good differs by model; the other one is not used then.
    pub(super) const POSITIONED: u64 = 1 << 14 | 1 << 12;
}

/// A body in its parts.
struct Parts<'a> {
    front: &'a [u8; FRONT_BYTES],
    middle: &'a [u8],
    motion: &'a [u8; MOTION_BYTES],
    place: &'a [u8; PLACE_BYTES],
    tail: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let side =
            body.iter().rposition(|byte| matches!(byte, b'E' | b'W')).filter(|at| body.len() - at <= 9)?;
        let (upto, tail) = body.split_at_checked(side + 1)?;
        let (upto, place) = upto.split_last_chunk::<PLACE_BYTES>()?;
        let (upto, motion) = upto.split_last_chunk::<MOTION_BYTES>()?;
        let (front, middle) = upto.split_first_chunk::<FRONT_BYTES>()?;
        Some(Self { front, middle, motion, place, tail })
    }
}

/// The serial number at the end of a body.
pub(super) fn serial(body: &[u8]) -> Option<&str> {
    let (_, serial) = body.split_last_chunk::<4>()?;
    let is_number = serial.iter().all(u8::is_ascii_digit);
    if is_number { std::str::from_utf8(serial).ok() } else { None }
}

/// Adds the fix of a report; `None`, and nothing added, when it holds none.
pub(super) fn read(
    kind: &[u8],
    body: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Option<()> {
    let parts = Parts::of(body)?;
    let Parts { front, motion, place, .. } = parts;
    let status = text::hex(front.get(..8)?)?;
    let time = text::instant_ymd(front.get(8..14)?, front.get(14..20)?, profile.clock_offset_or(0));
    let lat_e7 = text::on_side(text::degrees_minutes_e7(place.get(..9)?)?, place.get(9..10)?);
    let lon_e7 = text::on_side(text::degrees_minutes_e7(place.get(10..20)?)?, place.get(20..)?);
    let small = |field: &[u8]| text::digits(field).and_then(|number| u8::try_from(number).ok());
    let mut fix = Fix {
        satellites: small(motion.get(..2)?),
        signal: small(motion.get(2..4)?),
        course_deg: text::course_deg(motion.get(4..7)?),
        speed_dkmh: text::kmh_to_dkmh(motion.get(7..10)?),
        odometer_m: text::km_to_m(motion.get(14..)?),
        alarms: alarms_of(text::hex(kind)?, status),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(status & status::POSITIONED != 0);
    fix.set_ignition(status & status::IGNITION != 0);
    let (start, index) = (out.extra.len(), out.fixes.len());
    Quantity::Hdop.write(text::fixed(motion.get(10..14)?, 3), &mut out.extra);
    Quantity::Charging.write(Some(i64::from(status & status::CHARGING != 0) * 1_000), &mut out.extra);
    // 0.1 V and whole volts.
    Quantity::Battery.write(text::fixed(front.get(20..22)?, 2), &mut out.extra);
    Quantity::Supply.write(text::fixed(front.get(22..)?, 3), &mut out.extra);
    out.push_fix(fix, start);
    notes.of_fix(index, "status", || Value::from(readable(front.get(..8).unwrap_or(&[]))));
    notes.of_fix(index, "analog_and_cell", || Value::from(readable(parts.middle)));
    if parts.tail.len() > 4 {
        notes.of_fix(index, "tail", || Value::from(readable(parts.tail)));
    }
    Some(())
}

/// Lines `E2` (a card was read) and `E6`: `yyMMddHHmmss,LON,LAT,…|`.
pub(super) fn read_place(
    kind: &[u8],
    body: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Option<()> {
    if !matches!(kind, b"E2" | b"E6") {
        return None;
    }
    let row = Fields::<24>::split(body.strip_suffix(b"|").unwrap_or(body), b',')?;
    let (date, time) = row.at(0).split_at_checked(6)?;
    let (lon_e7, lat_e7) = (text::degrees_e7(row.at(1))?, text::degrees_e7(row.at(2))?);
    let at = text::instant_ymd(date, time, profile.clock_offset_or(0));
    let mut fix = Fix::placed(at, lat_e7, lon_e7, profile.datum);
    fix.set_valid(true);
    let (start, index) = (out.extra.len(), out.fixes.len());
    out.push_fix(fix, start);
    if kind == b"E2" {
        notes.of_fix(index, "driver_id", || Value::from(readable(row.at(3))));
    } else {
        let further = row.as_slice().get(3..).unwrap_or(&[]);
        notes.of_fix(index, "further_fields", || further.iter().map(|field| readable(field)).collect());
    }
    Some(())
}

fn alarms_of(kind: u64, status: u64) -> Alarms {
    let of_kind = match kind {
        0x01 => Alarms::EMERGENCY,
        0x02 => Alarms::OVERSPEED,
        0x04 | 0x05 => Alarms::AREA,
        0x06 => Alarms::TOWING,
        0x07 => Alarms::ANTENNA_OPEN,
        0x10 => Alarms::POWER_LOST,
        0x12 => Alarms::UNDERVOLTAGE,
        0x13 => Alarms::LOW_BATTERY,
        0x40 => Alarms::VIBRATION,
        0x41 => Alarms::IDLING,
        0x42 => Alarms::HARSH_ACCELERATION,
        0x43 => Alarms::HARSH_BRAKING,
        _ => Alarms(0),
    };
    [
        (status::EMERGENCY, Alarms::EMERGENCY),
        (status::OVERSPEED, Alarms::OVERSPEED),
        (status::LEFT_AREA | status::ENTERED_AREA, Alarms::AREA),
        (status::ANTENNA_CUT, Alarms::ANTENNA_OPEN),
    ]
    .into_iter()
    .filter(|(bits, _)| status & bits != 0)
    .fold(of_kind, |alarms, (_, alarm)| alarms.with(alarm))
}

/// Appends a report of the newer generation with the fields that a fix has: whole km/h, minutes of four decimals.
pub fn encode_report(terminal: &TerminalId, serial: u16, fix: &Fix, out: &mut Vec<u8>) {
    let time = fix.fix_time.civil(0);
    let minutes = |value_e7: i32, width: usize| {
        let magnitude = u64::from(value_e7.unsigned_abs());
        // 1e-7 degrees are 0.06 of 1e-4 minutes.
        let minutes_e4 = (magnitude % 10_000_000 * 6 / 100).min(599_999);
        format!("{:0width$}{:02}.{:04}", magnitude / 10_000_000, minutes_e4 / 10_000, minutes_e4 % 10_000)
    };
    let ignition = fix.status.contains(crate::Status::IGNITION);
    let status =
        if ignition { status::IGNITION } else { 0 } | if fix.is_valid() { status::POSITIONED } else { 0 };
    let body = format!(
        "{status:08X}{:02}{:02}{:02}{:02}{:02}{:02}4012000000000000{:02}{:02}{:03}{:03}01.0{:07}{}{}{}{}{:04}",
        time.year.rem_euclid(100),
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        fix.satellites.unwrap_or(0).min(99),
        fix.signal.unwrap_or(0).min(99),
        fix.course_deg.unwrap_or(0),
        (fix.speed_dkmh.unwrap_or(0) / 10).min(999),
        (fix.odometer_m.unwrap_or(0) / 1_000).min(9_999_999),
        minutes(fix.lat_e7, 2),
        if fix.lat_e7 < 0 { 'S' } else { 'N' },
        minutes(fix.lon_e7, 3),
        if fix.lon_e7 < 0 { 'W' } else { 'E' },
        serial % 10_000,
    );
    let length = 8 + terminal.as_str().len() + 1 + body.len() + 2;
    let line = format!("$${length:04}AA{terminal}|{body}");
    let sum = line.bytes().fold(0, |sum, byte| sum ^ byte);
    out.extend_from_slice(format!("{line}{sum:02X}").as_bytes());
}
