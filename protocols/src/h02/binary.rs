//! The binary form: binary-coded decimals behind a `$`.
//!
//! | field | bytes | |
//! |---|---|---|
//! | `$` | 1 | |
//! | id | 5 or 8 | ten digits, or the fifteen of an IMEI and a 0 |
//! | time, date | 3 + 3 | `HHmmss`, `ddMMyy`, UTC |
//! | latitude | 4 | `ddmmmmmm`: degrees, minutes with four decimals |
//! | battery | 1 | |
//! | longitude | 4.5 | `dddmmmmmm` |
//! | flags | 0.5 | bit 1 valid, bit 2 north, bit 3 east |
//! | speed, course | 1.5 + 1.5 | knots, degrees |
//! | status | 4 | see [`crate::h02::status`] |
//! | alarm, serial | 1 + 2 | of the maker |

use crate::octets::{Octets, be, from_bcd};
use crate::time::Civil;
use crate::{DecodeError, TerminalId, UtcMillis};

/// A frame with ten digits of id, and the one with more behind it.
pub(crate) const SHORT_BYTES: usize = 32;
pub(crate) const LONG_BYTES: usize = 45;
/// A frame with fifteen digits of id.
pub(crate) const IMEI_BYTES: usize = 42;

const SHORT_ID_BYTES: usize = 5;
const IMEI_ID_BYTES: usize = 8;

/// A frame read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binary<'a> {
    pub(crate) terminal: TerminalId,
    civil: Civil,
    pub(crate) lat_e7: i64,
    pub(crate) lon_e7: i64,
    pub(crate) battery: u8,
    pub(crate) is_valid: bool,
    pub(crate) speed_dkmh: Option<u16>,
    pub(crate) course_deg: Option<u16>,
    pub(crate) status: u32,
    /// The bytes behind the status.
    pub(crate) rest: &'a [u8],
}

impl<'a> Binary<'a> {
    /// Reads a frame with either length of id; the shorter one is tried first.
    pub(crate) fn parse(raw: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_with(raw, SHORT_ID_BYTES)
            .or_else(|error| Self::parse_with(raw, IMEI_ID_BYTES).map_err(|_| error))
    }

    /// Whether the id is one of fifteen digits.
    pub(crate) fn has_imei(raw: &'a [u8]) -> bool {
        Self::parse_with(raw, SHORT_ID_BYTES).is_err() && Self::parse_with(raw, IMEI_ID_BYTES).is_ok()
    }

    fn parse_with(raw: &'a [u8], id_bytes: usize) -> Result<Self, DecodeError> {
        let malformed = |at| DecodeError::new(at, "malformed");
        let mut octets = Octets::new(raw, 0);
        octets.u8()?;
        let terminal = terminal(octets.take(id_bytes)?).ok_or_else(|| malformed(1))?;
        let time_at = octets.at();
        let civil = civil(octets.array()?).ok_or_else(|| malformed(time_at))?;
        let lat_at = octets.at();
        let lat_e7 = degrees_e7(decimal(octets.take(4)?), 90).ok_or_else(|| malformed(lat_at))?;
        let battery = octets.u8()?;
        let lon_at = octets.at();
        let [lon @ .., last] = octets.array::<5>()?;
        let flags = last & 15;
        let lon = decimal(&lon).map(|upper| upper * 10 + u64::from(last >> 4)).filter(|_| last >> 4 < 10);
        let lon_e7 = degrees_e7(lon, 180).ok_or_else(|| malformed(lon_at))?;
        let movement = octets.u24()?;
        let (knots, course) = (nibbles(movement >> 12), nibbles(movement & 0xfff));
        Ok(Self {
            terminal,
            civil,
            lat_e7: if flags & 4 == 0 { -lat_e7 } else { lat_e7 },
            lon_e7: if flags & 8 == 0 { -lon_e7 } else { lon_e7 },
            battery,
            is_valid: flags & 2 != 0,
            // 1 knot is 18.52 of 0.1 km/h.
            speed_dkmh: knots.map(|knots| (knots * 463 + 12) / 25).and_then(|dkmh| u16::try_from(dkmh).ok()),
            course_deg: match course {
                Some(360) => Some(0),
                Some(course @ 0..360) => u16::try_from(course).ok(),
                _ => None,
            },
            status: octets.u32()?,
            rest: octets.rest(),
        })
    }

    /// The time at `offset_s` seconds east of UTC.
    pub(crate) fn time(&self, offset_s: i32) -> Option<UtcMillis> {
        UtcMillis::from_civil(self.civil, offset_s)
    }
}

/// The number that binary-coded digits are.
fn decimal(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0, |sum: u64, byte| Some(sum * 100 + u64::from(from_bcd(*byte)?)))
}

/// The number of three binary-coded digits.
const fn nibbles(packed: u32) -> Option<u32> {
    let (high, middle, low) = (packed >> 8, packed >> 4 & 15, packed & 15);
    if high > 9 || middle > 9 || low > 9 { None } else { Some(high * 100 + middle * 10 + low) }
}

/// Degrees, two digits of minutes and four decimals, in 1e-7 degrees. No digit of it may be impossible: that
/// tells frames from other bytes behind a `$`.
fn degrees_e7(packed: Option<u64>, degrees_max: u64) -> Option<i64> {
    let packed = packed?;
    let (degrees, minutes_e4) = (packed / 1_000_000, packed % 1_000_000);
    if degrees > degrees_max || minutes_e4 >= 600_000 {
        return None;
    }
    i64::try_from(degrees * 10_000_000 + (minutes_e4 * 1_000 + 30) / 60).ok()
}

fn civil([hour, minute, second, day, month, year]: [u8; 6]) -> Option<Civil> {
    let civil = Civil {
        year: 2_000 + i32::from(from_bcd(year)?),
        month: from_bcd(month)?,
        day: from_bcd(day)?,
        hour: from_bcd(hour)?,
        minute: from_bcd(minute)?,
        second: from_bcd(second)?,
        millisecond: 0,
    };
    UtcMillis::from_civil(civil, 0).map(|_| civil)
}

/// Ten digits, or fifteen and a nibble that is none of them.
fn terminal(id: &[u8]) -> Option<TerminalId> {
    let mut digits = [0; 2 * IMEI_ID_BYTES];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(id) {
        pair.copy_from_slice(&[b'0' + (byte >> 4), b'0' + (byte & 15)]);
    }
    let count = if id.len() == IMEI_ID_BYTES { 2 * IMEI_ID_BYTES - 1 } else { 2 * id.len() };
    let digits = digits.get(..count).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    TerminalId::new(std::str::from_utf8(digits).ok()?)
}

/// What a long frame has more than a short one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) signal: u8,
    pub(crate) satellites: u8,
    pub(crate) distance: u64,
    pub(crate) mcc: u64,
    pub(crate) mnc: u8,
    pub(crate) area: u64,
    pub(crate) cell: u64,
}

impl Tail {
    /// The bytes behind the status of a frame of [`LONG_BYTES`].
    pub(crate) fn parse(rest: &[u8]) -> Option<Self> {
        let &[_, _, signal, satellites, d0, d1, d2, d3, mcc0, mcc1, mnc, area0, area1, cell0, cell1, _] =
            rest
        else {
            return None;
        };
        Some(Self {
            signal,
            satellites,
            distance: be(&[d0, d1, d2, d3]),
            mcc: be(&[mcc0, mcc1]),
            mnc,
            area: be(&[area0, area1]),
            cell: be(&[cell0, cell1]),
        })
    }
}
