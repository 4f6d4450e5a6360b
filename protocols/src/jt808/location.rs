//! Position reports: the body of 0x0200, and of each item of a batch 0x0704.
//!
//! | field | type | |
//! |---|---|---|
//! | alarm flags | DWORD | table 25 of JT/T 808-2019 |
//! | status | DWORD | table 24 |
//! | latitude, longitude | DWORD each | 1e-6 degrees, unsigned; status bits 2 and 3 are south and west |
//! | altitude | WORD | metres; signed unless the profile says otherwise |
//! | speed | WORD | 0.1 km/h |
//! | direction | WORD | degrees, 0 to 359 |
//! | time | BCD\[6\] | `yyMMddHHmmss`, GMT+8 unless the profile says otherwise |
//! | items | `id BYTE, length BYTE, value`, to the end | |
//!
//! Items 0x01 (odometer), 0x02 (fuel), 0x03 (recorder speed), 0x30 (signal) and 0x31 (satellites) become fields
//! of the [`Fix`] when they have their standard length; all others, and repetitions of these, are kept as
//! bytes. Under a profile whose maker's items are known their engine speed, vehicle speed, fuel, odometer and alarms
//! are taken into the fix as well; the bytes stay. A position is never dropped: what is doubtful is marked in [`Fix::quality`].

use crate::jt808::{bcd, obd};
use crate::profile::{CHINA_CLOCK_OFFSET_S, Datum};
use crate::{Alarms, DecodeError, Extra, Fix, Observations, Profile, Quality, Status, UtcMillis, gcj02};

/// Bytes before the first item.
pub const BASIC_BYTES: usize = 28;

/// Items that the standard gives a value of at least one byte.
const STANDARD_ITEMS: std::ops::RangeInclusive<u8> = 0x01..=0x31;
const LATITUDE_E6_MAX: u32 = 90_000_000;
const LONGITUDE_E6_MAX: u32 = 180_000_000;
/// Fuel is a percentage when this bit is set (seen in the field).
pub(crate) const FUEL_IS_PERCENT: u16 = 1 << 15;

/// Decodes one position report and appends it to `out`, marked with `quality`.
///
/// # Errors
/// When the body is shorter than [`BASIC_BYTES`], or an item is bad and the profile strict about it; the offset is from the body's beginning.
#[inline]
pub fn decode_location(
    body: &[u8],
    profile: &Profile,
    quality: Quality,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    let Some((basic, items)) = body.split_first_chunk::<BASIC_BYTES>() else {
        return Err(DecodeError::new(body.len(), "truncated"));
    };
    let mut fix = decode_basic(basic, profile, quality);
    if !items.is_empty() {
        let start = out.extra.len();
        decode_items(items, &mut fix, out);
        if profile.strict_items && fix.quality.contains(Quality::ITEM_MALFORMED) {
            out.extra.truncate(start);
            return Err(DecodeError::new(BASIC_BYTES, "malformed item"));
        }
        if let Some(vendor) = obd::Items::of(profile) {
            obd::enrich(vendor, &mut fix, out);
        }
    }
    out.fixes.push(fix);
    Ok(())
}

#[inline]
fn decode_basic(basic: &[u8; BASIC_BYTES], profile: &Profile, quality: Quality) -> Fix {
    let &[a0, a1, a2, a3, s0, s1, s2, s3, y0, y1, y2, y3, x0, x1, x2, x3, h0, h1, v0, v1, c0, c1, time @ ..] =
        basic;
    let basic = Basic {
        alarms: u32::from_be_bytes([a0, a1, a2, a3]),
        status: Status(u32::from_be_bytes([s0, s1, s2, s3])),
        latitude_e6: u32::from_be_bytes([y0, y1, y2, y3]),
        longitude_e6: u32::from_be_bytes([x0, x1, x2, x3]),
        altitude_m: u16::from_be_bytes([h0, h1]),
        speed_dkmh: u16::from_be_bytes([v0, v1]),
        course_deg: u16::from_be_bytes([c0, c1]),
        time: bcd::decode_time(time, profile.clock_offset_or(CHINA_CLOCK_OFFSET_S)),
    };
    basic.fix(profile, quality)
}

/// The fields before the items, as numbers: JT/T 809-2011 sends the same ones in another order.
pub(crate) struct Basic {
    pub(crate) alarms: u32,
    pub(crate) status: Status,
    pub(crate) latitude_e6: u32,
    pub(crate) longitude_e6: u32,
    /// As sent: the profile says whether it is signed.
    pub(crate) altitude_m: u16,
    pub(crate) speed_dkmh: u16,
    pub(crate) course_deg: u16,
    /// `None` when what was sent is no time.
    pub(crate) time: Option<UtcMillis>,
}

impl Basic {
    /// The fix, marked with `quality` and with what is doubtful about it.
    #[expect(clippy::inline_always, reason = "as a call it costs 2 ns of 39: its parts go through memory")]
    #[inline(always)]
    pub(crate) fn fix(self, profile: &Profile, quality: Quality) -> Fix {
        let mut quality = quality.0;
        let fix_time = self.time.unwrap_or_else(|| {
            quality |= Quality::TIME_INVALID.0;
            UtcMillis(0)
        });
        if !self.status.contains(Status::POSITIONED) {
            quality |= Quality::NOT_POSITIONED.0;
        }
        let (lat_e7, lon_e7) =
            decode_place(self.latitude_e6, self.longitude_e6, self.status, profile.datum, &mut quality);
        Fix {
            altitude_m: if profile.signed_altitude {
                Some(self.altitude_m.cast_signed())
            } else {
                i16::try_from(self.altitude_m).ok()
            },
            speed_dkmh: Some(self.speed_dkmh),
            course_deg: match self.course_deg {
                0..=359 => Some(self.course_deg),
                360 => Some(0),
                _ => None,
            },
            status: self.status,
            alarms: Alarms(u64::from(self.alarms)),
            quality: Quality(quality),
            ..Fix::new(fix_time, lat_e7, lon_e7)
        }
    }
}

/// Latitude and longitude in 1e-7 degrees WGS-84, and what is doubtful about them.
#[inline]
fn decode_place(lat_e6: u32, lon_e6: u32, status: Status, datum: Datum, quality: &mut u16) -> (i32, i32) {
    let (mut lat_e6, mut lon_e6, mut status) = (lat_e6, lon_e6, status);
    if lat_e6 > LATITUDE_E6_MAX || lon_e6 > LONGITUDE_E6_MAX {
        (lat_e6, lon_e6, status) = from_twos_complement(lat_e6, lon_e6, status);
        if lat_e6 > LATITUDE_E6_MAX || lon_e6 > LONGITUDE_E6_MAX {
            *quality |= Quality::OUT_OF_RANGE.0;
        }
    }
    if lat_e6 | lon_e6 == 0 {
        *quality |= Quality::ZERO_POSITION.0;
    }
    let scaled = |value: u32, max: u32, negative: bool| {
        let magnitude = i32::try_from(value.min(max) * 10).unwrap_or(i32::MAX);
        if negative { -magnitude } else { magnitude }
    };
    let lat_e7 = scaled(lat_e6, LATITUDE_E6_MAX, status.contains(Status::SOUTH));
    let lon_e7 = scaled(lon_e6, LONGITUDE_E6_MAX, status.contains(Status::WEST));
    if status.contains(Status::ENCRYPTED) {
        // Nobody knows what these numbers mean: they are kept as sent and never converted.
        *quality |= Quality::CRS_ENCRYPTED.0;
        return (lat_e7, lon_e7);
    }
    match datum {
        Datum::Wgs84 => (lat_e7, lon_e7),
        Datum::Gcj02 if *quality & (Quality::OUT_OF_RANGE.0 | Quality::ZERO_POSITION.0) != 0 => {
            (lat_e7, lon_e7)
        }
        Datum::Gcj02 => {
            *quality |= Quality::CRS_CONVERTED.0;
            gcj02::to_wgs84_e7(lat_e7, lon_e7)
        }
    }
}

/// Degrees that some terminals send as signed numbers (seen in the field): what is too large to be a magnitude
/// and is a possible place as two's complement is one, on the southern or western side. All ones is no place.
#[cold]
fn from_twos_complement(lat_e6: u32, lon_e6: u32, status: Status) -> (u32, u32, Status) {
    let magnitude = |value: u32, max: u32| {
        let signed = value.cast_signed();
        (signed < -1 && signed.unsigned_abs() <= max).then(|| signed.unsigned_abs())
    };
    let south = magnitude(lat_e6, LATITUDE_E6_MAX);
    let west = magnitude(lon_e6, LONGITUDE_E6_MAX);
    let status = if south.is_some() { status.with(Status::SOUTH) } else { status };
    let status = if west.is_some() { status.with(Status::WEST) } else { status };
    (south.unwrap_or(lat_e6), west.unwrap_or(lon_e6), status)
}

/// Reads the items: fields of the fix from those that have one, the bytes of all others to `out.extra`.
#[inline]
fn decode_items(items: &[u8], fix: &mut Fix, out: &mut Observations) {
    let start = out.extra.len();
    let mut rest = items;
    while let [id, len, tail @ ..] = rest {
        let Some((value, after)) = tail.split_at_checked(usize::from(*len)) else { break };
        if value.is_empty() && STANDARD_ITEMS.contains(id) {
            out.malformed_items += 1;
            fix.quality = fix.quality.with(Quality::ITEM_MALFORMED);
        }
        if !decode_item(*id, value, fix) {
            let item = rest.get(..2 + value.len()).unwrap_or(rest);
            out.extra.extend_from_slice(item);
        }
        rest = after;
    }
    if !rest.is_empty() {
        out.malformed_items += 1;
        fix.quality = fix.quality.with(Quality::ITEM_MALFORMED);
        out.extra.extend_from_slice(rest);
    }
    let len = out.extra.len() - start;
    if len > 0 {
        // Longer than 4 GiB can't be: the buffer is cleared for each batch of messages.
        let range = (u32::try_from(start), u32::try_from(len));
        if let (Ok(start), Ok(len)) = range {
            fix.extra = Extra { start, len };
        }
    }
}

/// Takes one item into the fix; `false` when it has no field there.
#[inline]
fn decode_item(id: u8, value: &[u8], fix: &mut Fix) -> bool {
    match (id, value) {
        (0x01, &[a, b, c, d]) if fix.odometer_m.is_none() => {
            fix.odometer_m = u32::from_be_bytes([a, b, c, d]).checked_mul(100);
            fix.odometer_m.is_some()
        }
        (0x02, &[a, b]) if fix.fuel_dl.is_none() => {
            let fuel = u16::from_be_bytes([a, b]);
            fix.fuel_dl = (fuel & FUEL_IS_PERCENT == 0).then_some(fuel);
            fix.fuel_dl.is_some()
        }
        (0x03, &[a, b]) if fix.vehicle_speed_dkmh.is_none() => {
            fix.vehicle_speed_dkmh = Some(u16::from_be_bytes([a, b]));
            true
        }
        (0x30, &[signal]) if fix.signal.is_none() => {
            fix.signal = Some(signal);
            true
        }
        (0x31, &[satellites]) if fix.satellites.is_none() => {
            fix.satellites = Some(satellites);
            true
        }
        _ => false,
    }
}

/// Appends the body of a position report: the basic part, the items the fix has fields for, and `items`, which
/// are further items as bytes (`id, length, value`), for example [`Observations::extra_of`].
///
/// The hemisphere bits follow the signs of the coordinates; the positioned and encrypted bits are those of
/// [`Fix::status`]. Places are rounded to 1e-6 degrees, times to whole seconds, the odometer to 100 m. Unknown
/// altitude, speed and course are written as 0, which the format can't tell from the value.
///
/// The coordinates are written as they are: a profile's datum is not applied.
pub fn encode_location(fix: &Fix, items: &[u8], profile: &Profile, out: &mut Vec<u8>) {
    let status = fix.status.0 & !(Status::SOUTH.0 | Status::WEST.0)
        | if fix.lat_e7 < 0 { Status::SOUTH.0 } else { 0 }
        | if fix.lon_e7 < 0 { Status::WEST.0 } else { 0 };
    let alarms = u32::try_from(fix.alarms.0 & u64::from(u32::MAX)).unwrap_or(0);
    let e6 = |e7: i32| ((e7.unsigned_abs() + 5) / 10).to_be_bytes();
    let time = if fix.quality.contains(Quality::TIME_INVALID) {
        [0; 6]
    } else {
        bcd::encode_time(fix.fix_time, profile.clock_offset_or(CHINA_CLOCK_OFFSET_S))
    };
    out.extend_from_slice(&alarms.to_be_bytes());
    out.extend_from_slice(&status.to_be_bytes());
    out.extend_from_slice(&e6(fix.lat_e7));
    out.extend_from_slice(&e6(fix.lon_e7));
    out.extend_from_slice(&fix.altitude_m.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&fix.speed_dkmh.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&fix.course_deg.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&time);
    if let Some(odometer_m) = fix.odometer_m {
        out.extend_from_slice(&[0x01, 4]);
        out.extend_from_slice(&(odometer_m / 100).to_be_bytes());
    }
    if let Some(fuel_dl) = fix.fuel_dl {
        out.extend_from_slice(&[0x02, 2]);
        out.extend_from_slice(&(fuel_dl & !FUEL_IS_PERCENT).to_be_bytes());
    }
    if let Some(speed) = fix.vehicle_speed_dkmh {
        out.extend_from_slice(&[0x03, 2]);
        out.extend_from_slice(&speed.to_be_bytes());
    }
    if let Some(signal) = fix.signal {
        out.extend_from_slice(&[0x30, 1, signal]);
    }
    if let Some(satellites) = fix.satellites {
        out.extend_from_slice(&[0x31, 1, satellites]);
    }
    out.extend_from_slice(items);
}
