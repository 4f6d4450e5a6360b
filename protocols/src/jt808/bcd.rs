//! Binary-coded decimals: times and digits, two to a byte, high half first.
//!
//! A time is six bytes `yy MM dd HH mm ss` of the years 2000 to 2099, by a clock at a fixed distance from UTC
//! (the standard says GMT+8). Nothing here decides which clock a terminal has.

use crate::UtcMillis;
use crate::time::Civil;

/// Days from 1970-01-01 to 2000-01-01.
const DAYS_TO_2000: u32 = 10_957;

/// Days of a common year before each month; index 0 and 13 to 15 are never read.
const DAYS_BEFORE_MONTH: [u16; 16] = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 0, 0, 0];
/// Days in each month of a common year; 0 where there is no such month.
const DAYS_IN_MONTH: [u8; 16] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0];

/// Greatest values of the fields, and what brings up the highest bit of a field that is not 0 (of all fields
/// that may be 0, always).
const GREATEST: u64 = u64::from_be_bytes([0, 0, 99, 12, 31, 23, 59, 59]);
const NOT_ZERO: u64 = u64::from_be_bytes([0, 0, 0x80, 0x7f, 0x7f, 0x80, 0x80, 0x80]);
const HIGHEST_BITS: u64 = 0x8080_8080_8080;

/// The instant of six BCD bytes by a clock `offset_s` seconds east of UTC, or `None` when a half byte is not a
/// digit or a field is out of its range.
#[must_use]
#[inline]
pub fn decode_time(bytes: [u8; 6], offset_s: i32) -> Option<UtcMillis> {
    let [yy, month, day, hour, minute, second] = bytes;
    let word = u64::from_be_bytes([0, 0, yy, month, day, hour, minute, second]);
    let high = (word >> 4) & 0x0f0f_0f0f_0f0f;
    let low = word & 0x0f0f_0f0f_0f0f;
    // A half byte above 9 plus 6 reaches bit 4.
    if ((high + 0x0606_0606_0606) | (low + 0x0606_0606_0606)) & 0x1010_1010_1010 != 0 {
        return None;
    }
    let fields = high * 10 + low;
    // In each byte the highest bit stays when the field is not above its greatest value, and comes up when
    // month and day are not 0.
    let not_above = (GREATEST | HIGHEST_BITS) - fields;
    let not_zero = fields + NOT_ZERO;
    if not_above & not_zero & HIGHEST_BITS != HIGHEST_BITS {
        return None;
    }
    let [_, _, yy, month, day, hour, minute, second] = fields.to_be_bytes();
    let slot = usize::from(month & 0x0f);
    let leap_year = yy.is_multiple_of(4);
    if day > 28 && day > DAYS_IN_MONTH.get(slot)? + u8::from(leap_year && month == 2) {
        return None;
    }
    let year = u32::from(yy);
    let day_of_year =
        u32::from(*DAYS_BEFORE_MONTH.get(slot)?) + u32::from(leap_year && month > 2) + u32::from(day) - 1;
    let days = DAYS_TO_2000 + year * 365 + year.div_ceil(4) + day_of_year;
    let of_day = u32::from(hour) * 3_600 + u32::from(minute) * 60 + u32::from(second);
    let seconds = i64::from(days) * 86_400 + i64::from(of_day) - i64::from(offset_s);
    Some(UtcMillis(seconds * 1_000))
}

/// Six BCD bytes of an instant by a clock `offset_s` seconds east of UTC; milliseconds are dropped. All zeros,
/// which is no time, when the year there is not 2000 to 2099.
#[must_use]
pub fn encode_time(at: UtcMillis, offset_s: i32) -> [u8; 6] {
    let Civil { year, month, day, hour, minute, second, .. } = at.civil(offset_s);
    match u8::try_from(year.saturating_sub(2_000)) {
        Ok(yy @ 0..=99) => [yy, month, day, hour, minute, second].map(|field| field / 10 * 16 + field % 10),
        _ => [0; 6],
    }
}

/// The half bytes as lower-case hexadecimal digits; for BCD these are the decimal digits.
#[must_use]
pub fn digits(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_of_gmt_8_is_eight_hours_earlier_in_utc() {
        // `date -u -d '2018-07-15T10:10:10+08:00' +%s`
        let expected = UtcMillis(1_531_620_610_000);
        assert_eq!(decode_time([0x18, 0x07, 0x15, 0x10, 0x10, 0x10], 28_800), Some(expected));
        assert_eq!(encode_time(expected, 28_800), [0x18, 0x07, 0x15, 0x10, 0x10, 0x10]);
    }

    #[test]
    fn what_is_not_a_time_is_none() {
        for bytes in [
            [0, 0, 0, 0, 0, 0],
            [0xff; 6],
            [0x18, 0x0a, 0x15, 0x10, 0x10, 0x10],
            [0x18, 0x13, 0x15, 0x10, 0x10, 0x10],
            [0x18, 0x99, 0x15, 0x10, 0x10, 0x10],
            [0x18, 0x02, 0x29, 0x10, 0x10, 0x10],
            [0x20, 0x02, 0x30, 0x10, 0x10, 0x10],
            [0x18, 0x07, 0x15, 0x24, 0x10, 0x10],
            [0x18, 0x07, 0x15, 0x10, 0x60, 0x10],
            [0x18, 0x07, 0x15, 0x10, 0x10, 0x60],
        ] {
            assert_eq!(decode_time(bytes, 28_800), None, "{bytes:02x?}");
        }
        assert!(decode_time([0x20, 0x02, 0x29, 0x10, 0x10, 0x10], 0).is_some());
    }

    #[test]
    fn digits_are_lower_case() {
        assert_eq!(digits(&[0x01, 0x38, 0x4e, 0xb6]), "01384eb6");
    }

    proptest! {
        #[test]
        fn the_fast_calendar_agrees_with_the_general_one(
            bytes in any::<[u8; 6]>(),
            bcd in proptest::array::uniform6(0_u8..100),
            offset_s in -50_400..50_400_i32,
        ) {
            for bytes in [bytes, bcd.map(|field| field / 10 * 16 + field % 10)] {
                let digit = |byte: u8| (byte >> 4 < 10 && byte & 15 < 10).then_some((byte >> 4) * 10 + (byte & 15));
                let general = (|| {
                    UtcMillis::from_civil(
                        Civil {
                            year: 2_000 + i32::from(digit(bytes[0])?),
                            month: digit(bytes[1])?,
                            day: digit(bytes[2])?,
                            hour: digit(bytes[3])?,
                            minute: digit(bytes[4])?,
                            second: digit(bytes[5])?,
                            millisecond: 0,
                        },
                        offset_s,
                    )
                })();
                prop_assert_eq!(decode_time(bytes, offset_s), general);
            }
        }

        #[test]
        fn a_time_round_trips(second in 946_771_200_i64..4_102_358_400, offset_s in -50_400..50_400_i32) {
            let at = UtcMillis(second * 1_000);
            prop_assert_eq!(decode_time(encode_time(at, offset_s), offset_s), Some(at));
        }
    }
}
