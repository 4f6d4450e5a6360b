//! Exact reading of the numbers, places and times that text protocols write, into scaled integers.
//!
//! Everything takes bytes, because a frame need not be UTF-8, and answers `None` for whatever is not wholly what
//! it should be. No value goes through a floating-point number: what a terminal wrote is what is stored, rounded
//! half away from zero where it has more digits than the unit. Spaces around a number are passed over.

use crate::time::Civil;
use crate::{TerminalId, UtcMillis};

/// Decimals that are read before the rest only rounds; `fixed` takes fewer.
const DECIMALS_MAX: u32 = 9;

/// The first fields of a row, and how many there are.
///
/// A field beyond the end is empty, as one that was left out is.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a, const MAX: usize> {
    fields: [&'a [u8]; MAX],
    len: usize,
}

impl<'a, const MAX: usize> Fields<'a, MAX> {
    /// The fields of a row, cut at each `separator`; `None` when there are more than `MAX`.
    #[must_use]
    pub fn split(row: &'a [u8], separator: u8) -> Option<Self> {
        let mut fields = [&[][..]; MAX];
        let mut len = 0;
        for field in row.split(|byte| *byte == separator) {
            *fields.get_mut(len)? = field;
            len += 1;
        }
        Some(Self { fields, len })
    }

    /// The first fields of a row; where there are more than `MAX`, the last one is the rest of the row.
    #[must_use]
    pub fn split_first(row: &'a [u8], separator: u8) -> Self {
        let mut fields = [&[][..]; MAX];
        let mut len = 0;
        for (place, field) in fields.iter_mut().zip(row.splitn(MAX, |byte| *byte == separator)) {
            *place = field;
            len += 1;
        }
        Self { fields, len }
    }

    /// Number of fields, 1 at least.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none, which a row never says: an empty row is one empty field.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The field with that number, counted from 0.
    #[must_use]
    pub fn at(&self, number: usize) -> &'a [u8] {
        self.fields.get(number).copied().unwrap_or(&[])
    }

    /// The field with that number, counted from the last, which is 0.
    #[must_use]
    pub fn from_last(&self, number: usize) -> &'a [u8] {
        self.len.checked_sub(number + 1).map_or(&[], |at| self.at(at))
    }

    /// The fields as a slice.
    #[must_use]
    pub fn as_slice(&self) -> &[&'a [u8]] {
        self.fields.get(..self.len).unwrap_or(&[])
    }
}

/// A decimal number, with or without sign and fraction, times ten to the power of `decimals` (9 at most).
#[must_use]
pub fn fixed(text: &[u8], decimals: u32) -> Option<i64> {
    let text = text.trim_ascii();
    let (is_negative, unsigned) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let mut parts = unsigned.splitn(2, |byte| *byte == b'.');
    let whole = parts.next().unwrap_or(&[]);
    let fraction = parts.next().unwrap_or(&[]);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let decimals = usize::try_from(decimals.min(DECIMALS_MAX)).ok()?;
    let kept = fraction.get(..decimals.min(fraction.len()))?;
    let mut value = 0_i64;
    for digit in whole.iter().chain(kept) {
        value = value.checked_mul(10)?.checked_add(i64::from(digit_value(*digit)?))?;
    }
    for _ in kept.len()..decimals {
        value = value.checked_mul(10)?;
    }
    let dropped = fraction.get(kept.len()..)?;
    if dropped.iter().any(|digit| !digit.is_ascii_digit()) {
        return None;
    }
    if dropped.first().is_some_and(|digit| *digit >= b'5') {
        value = value.checked_add(1)?;
    }
    Some(if is_negative { -value } else { value })
}

/// A whole number of nothing but digits.
#[must_use]
pub fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter()
        .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit_value(*digit)?)))
}

/// A whole number of nothing but hexadecimal digits.
#[must_use]
pub fn hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0_u64, |value, digit| Some(value << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

const fn digit_value(digit: u8) -> Option<u8> {
    if digit.is_ascii_digit() { Some(digit - b'0') } else { None }
}

/// Decimal degrees such as `-23.165471`, in 1e-7 degrees. Not held within any range.
#[must_use]
pub fn degrees_e7(text: &[u8]) -> Option<i64> {
    fixed(text, 7)
}

/// Degrees and minutes such as `2309.9283` (23 degrees, 9.9283 minutes), in 1e-7 degrees. Not held within any
/// range: some terminals write more than 60 minutes, which are what they are.
#[must_use]
pub fn degrees_minutes_e7(text: &[u8]) -> Option<i64> {
    /// One degree, which stands before the two digits of whole minutes, in units of the last of 8 decimals.
    const DEGREE: i64 = 10_000_000_000;
    let packed = fixed(text, 8)?;
    let magnitude = packed.checked_abs()?;
    let degrees_e7 = (magnitude / DEGREE).checked_mul(10_000_000)?;
    // A 1e-8 minute is 1/600 of a 1e-7 degree.
    let e7 = degrees_e7.checked_add((magnitude % DEGREE + 300) / 600)?;
    Some(if packed < 0 { -e7 } else { e7 })
}

/// The same value on the side of the globe that `N`, `S`, `E` or `W` names; as it is for anything else.
#[must_use]
pub fn on_side(value_e7: i64, side: &[u8]) -> i64 {
    match side.first() {
        Some(b'S' | b's' | b'W' | b'w') => -value_e7.saturating_abs(),
        _ => value_e7,
    }
}

/// A speed in knots, in 0.1 km/h. `None` for a negative one.
#[must_use]
pub fn knots_to_dkmh(text: &[u8]) -> Option<u16> {
    // 1 knot is 1.852 km/h exactly: 1e-4 knots are 0.001852 of 0.1 km/h.
    let rounded = fixed(text, 4)?.checked_mul(1_852)?.checked_add(500_000)?;
    u16::try_from(rounded.div_euclid(1_000_000)).ok()
}

/// A speed in km/h, in 0.1 km/h. `None` for a negative one.
#[must_use]
pub fn kmh_to_dkmh(text: &[u8]) -> Option<u16> {
    u16::try_from(fixed(text, 1)?).ok()
}

/// A course over ground in degrees, 0 to 359; `None` for what is none.
#[must_use]
pub fn course_deg(text: &[u8]) -> Option<u16> {
    match u16::try_from(fixed(text, 0)?).ok()? {
        360 => Some(0),
        course @ 0..360 => Some(course),
        _ => None,
    }
}

/// Whole metres.
#[must_use]
pub fn metres(text: &[u8]) -> Option<i16> {
    i16::try_from(fixed(text, 0)?).ok()
}

/// A distance in kilometres, in metres.
#[must_use]
pub fn km_to_m(text: &[u8]) -> Option<u32> {
    u32::try_from(fixed(text, 3)?).ok()
}

/// The identity of a terminal.
#[must_use]
pub fn terminal(text: &[u8]) -> Option<TerminalId> {
    TerminalId::new(std::str::from_utf8(text).ok()?)
}

/// `yyyyMMddHHmmss`, at `offset_s` seconds east of UTC.
#[must_use]
pub fn instant(text: &[u8], offset_s: i32) -> Option<UtcMillis> {
    let (year, rest) = text.split_first_chunk::<4>()?;
    let (&[month0, month1, day0, day1], time) = rest.split_first_chunk::<4>()?;
    let year = i32::try_from(digits(year)?).ok()?;
    civil(year, two(&[month0, month1])?, two(&[day0, day1])?, time, offset_s)
}

/// `ddMMyy` of this century and `HHmmss`, which may have a fraction, at `offset_s` seconds east of UTC.
#[must_use]
pub fn instant_dmy(date: &[u8], time: &[u8], offset_s: i32) -> Option<UtcMillis> {
    let &[day0, day1, month0, month1, year0, year1] = date else { return None };
    let year = 2_000 + i32::from(two(&[year0, year1])?);
    civil(year, two(&[month0, month1])?, two(&[day0, day1])?, time, offset_s)
}

/// `yyMMdd` of this century and `HHmmss`, which may have a fraction, at `offset_s` seconds east of UTC.
#[must_use]
pub fn instant_ymd(date: &[u8], time: &[u8], offset_s: i32) -> Option<UtcMillis> {
    let &[year0, year1, month0, month1, day0, day1] = date else { return None };
    let year = 2_000 + i32::from(two(&[year0, year1])?);
    civil(year, two(&[month0, month1])?, two(&[day0, day1])?, time, offset_s)
}

fn civil(year: i32, month: u8, day: u8, time: &[u8], offset_s: i32) -> Option<UtcMillis> {
    let (&[h0, h1, m0, m1, s0, s1], fraction) = time.split_first_chunk::<6>()?;
    let millisecond = match fraction {
        [] => 0,
        // A fraction that rounds up to the next second stays in its own.
        [b'.', ..] => u16::try_from(fixed(fraction, 3)?.min(999)).ok()?,
        _ => return None,
    };
    let [hour, minute, second] = [two(&[h0, h1])?, two(&[m0, m1])?, two(&[s0, s1])?];
    UtcMillis::from_civil(Civil { year, month, day, hour, minute, second, millisecond }, offset_s)
}

fn two(text: &[u8; 2]) -> Option<u8> {
    u8::try_from(digits(text)?).ok()
}

/// The magnitude of a place as degrees and minutes, `2309.928300` for 23 degrees and two digits of degrees: what
/// [`degrees_minutes_e7`] reads back exactly.
#[must_use]
pub fn degrees_minutes(value_e7: i32, degree_digits: usize) -> String {
    let minutes_e6 = (u64::from(value_e7.unsigned_abs()) * 60 + 5) / 10;
    let (degrees, minutes_e6) = (minutes_e6 / 60_000_000, minutes_e6 % 60_000_000);
    let (whole, fraction) = (minutes_e6 / 1_000_000, minutes_e6 % 1_000_000);
    format!("{degrees:0degree_digits$}{whole:02}.{fraction:06}")
}

/// Decimal degrees, `-23.1654710`: what [`degrees_e7`] reads back exactly.
#[must_use]
pub fn degrees(value_e7: i32) -> String {
    let sign = if value_e7 < 0 { "-" } else { "" };
    let magnitude = value_e7.unsigned_abs();
    format!("{sign}{}.{:07}", magnitude / 10_000_000, magnitude % 10_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, decimals, wanted) in [
            ("0", 0, Some(0)),
            ("12.34", 1, Some(123)),
            ("12.35", 1, Some(124)),
            ("-12.35", 1, Some(-124)),
            ("+8", 3, Some(8_000)),
            (".5", 0, Some(1)),
            ("5.", 1, Some(50)),
            (" 3.34", 2, Some(334)),
            ("0.1", 9, Some(100_000_000)),
            ("9223372036854775807", 0, Some(i64::MAX)),
            ("9223372036854775808", 0, None),
            ("1e3", 0, None),
            ("nan", 1, None),
            ("1.2.3", 1, None),
            ("1.29x", 1, None),
            ("--1", 0, None),
            ("-", 0, None),
            (".", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(fixed(text.as_bytes(), decimals), wanted, "{text}");
        }
    }

    #[test]
    fn degrees_and_minutes_are_read_exactly() {
        // 9.9283 / 60 = 0.165471666...
        assert_eq!(degrees_minutes_e7(b"2309.9283"), Some(231_654_717));
        assert_eq!(degrees_minutes_e7(b"-00030.0"), Some(-5_000_000));
        assert_eq!(degrees_minutes_e7(b"0.0006"), Some(100));
        assert_eq!(degrees_minutes_e7(b"17959.99999999"), Some(1_800_000_000));
        assert_eq!(degrees_minutes_e7(b"23 09.9283"), None);
        assert_eq!(on_side(231_654_717, b"S"), -231_654_717);
        assert_eq!(on_side(-231_654_717, b"W"), -231_654_717);
        assert_eq!(on_side(231_654_717, b"E"), 231_654_717);
    }

    #[test]
    fn speeds_are_tenths_of_kilometres_an_hour() {
        assert_eq!(knots_to_dkmh(b"10"), Some(185));
        assert_eq!(knots_to_dkmh(b"57.78"), Some(1_070));
        assert_eq!(knots_to_dkmh(b"-1"), None);
        assert_eq!(knots_to_dkmh(b"498022248210.3010"), None);
        assert_eq!(kmh_to_dkmh(b"80.45"), Some(805));
        assert_eq!(kmh_to_dkmh(b"7000"), None);
        assert_eq!(
            (course_deg(b"359.4"), course_deg(b"359.6"), course_deg(b"361")),
            (Some(359), Some(0), None)
        );
    }

    #[test]
    fn times_are_of_this_century() {
        let noon = UtcMillis::from_rfc3339("2024-02-29T12:34:56Z");
        assert_eq!(instant(b"20240229123456", 0), noon);
        assert_eq!(instant_dmy(b"290224", b"123456", 0), noon);
        assert_eq!(instant_ymd(b"240229", b"203456.00", 28_800), noon);
        assert_eq!(
            instant_dmy(b"290224", b"123456.9999", 0),
            UtcMillis::from_rfc3339("2024-02-29T12:34:56.999Z")
        );
        assert_eq!(instant_dmy(b"290223", b"123456", 0), None);
        assert_eq!(instant(b"2024022912345", 0), None);
        assert_eq!(instant(b"20240229 12345", 0), None);
    }

    #[test]
    fn fields_beyond_the_end_are_empty() {
        let fields = Fields::<4>::split(b"a,,c", b',').expect("three");
        assert_eq!(
            (fields.len(), fields.at(0), fields.at(1), fields.at(7)),
            (3, &b"a"[..], &b""[..], &b""[..])
        );
        assert_eq!(
            (fields.from_last(0), fields.from_last(2), fields.from_last(3)),
            (&b"c"[..], &b"a"[..], &b""[..])
        );
        assert!(Fields::<2>::split(b"a,,c", b',').is_none());
        assert_eq!(Fields::<2>::split_first(b"a,,c", b',').as_slice(), [&b"a"[..], b",c"]);
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(value in -1_000_000_000_000_i64..1_000_000_000_000) {
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:07}", value.abs() / 10_000_000, value.abs() % 10_000_000);
            prop_assert_eq!(degrees_e7(text.as_bytes()), Some(value));
        }

        #[test]
        fn degrees_and_minutes_are_those_of_the_fraction(degrees in 0_i64..180, minutes_e5 in 0_i64..6_000_000) {
            let text = format!("{degrees:03}{:02}.{:05}", minutes_e5 / 100_000, minutes_e5 % 100_000);
            let exact_e8_of_60 = degrees * 60 * 10_000_000 + minutes_e5 * 100;
            let read = degrees_minutes_e7(text.as_bytes()).expect("a place");
            prop_assert!((read * 60 - exact_e8_of_60).abs() <= 30);
        }

        #[test]
        fn a_place_that_is_written_is_read(value_e7 in -1_800_000_000..=1_800_000_000_i32) {
            prop_assert_eq!(degrees_e7(degrees(value_e7).as_bytes()), Some(i64::from(value_e7)));
            let read = degrees_minutes_e7(degrees_minutes(value_e7, 3).as_bytes());
            prop_assert_eq!(read, Some(i64::from(value_e7).abs()));
        }

        #[test]
        fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..24), decimals in 0_u32..12) {
            let _ = (fixed(&text, decimals), digits(&text), hex(&text), degrees_minutes_e7(&text));
            let _ = (knots_to_dkmh(&text), kmh_to_dkmh(&text), course_deg(&text), metres(&text), km_to_m(&text));
            let _ = (instant(&text, 0), instant_dmy(&text, &text, 0), instant_ymd(&text, &text, 0));
            let _ = (terminal(&text), Fields::<4>::split(&text, b','));
        }
    }
}
