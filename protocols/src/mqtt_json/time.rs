//! Times as JSON says them: RFC 3339 with any offset, or seconds or milliseconds since 1970.

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use crate::UtcMillis;

/// From here on a number counts milliseconds: as seconds it would be the year 5138.
const FIRST_MILLIS: f64 = 1e11;

/// An instant in any of the spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a number with a meaning")]
pub struct Instant(pub UtcMillis);

impl Instant {
    /// An instant out of seconds or milliseconds since 1970-01-01, up to the year 9999.
    #[must_use]
    pub fn from_number(number: f64) -> Option<Self> {
        let ms = if number >= FIRST_MILLIS { number } else { number * 1e3 };
        let ms = super::scaled(ms, 1.0).map(UtcMillis)?;
        (UtcMillis(0)..=UtcMillis::LAST).contains(&ms).then_some(Self(ms))
    }

    /// An instant out of RFC 3339 with `Z` or an offset in hours and minutes. Digits behind the milliseconds
    /// are cut off.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (civil, offset_s) = split_offset(text)?;
        let (date, time) = civil.split_once(['T', 't', ' '])?;
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let millis: String = fraction.chars().take(3).collect();
        let utc = UtcMillis::from_rfc3339(&format!("{date}T{time}.{millis}Z"))?;
        let ms = utc.0.checked_sub(i64::from(offset_s) * 1_000).map(UtcMillis)?;
        (UtcMillis(0)..=UtcMillis::LAST).contains(&ms).then_some(Self(ms))
    }
}

/// The text without its offset, and the offset in seconds east of UTC.
fn split_offset(text: &str) -> Option<(&str, i32)> {
    if let Some(civil) = text.strip_suffix(['Z', 'z']) {
        return Some((civil, 0));
    }
    let (civil, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, clock) = match offset.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let (hours, minutes) = clock.split_once(':')?;
    let two = |digits: &str| -> Option<i32> {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some((civil, sign * (hours * 3_600 + minutes * 60)))
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spelling;
        impl Visitor<'_> for Spelling {
            type Value = Instant;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("RFC 3339 with an offset, or seconds or milliseconds since 1970")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Instant, E> {
                Instant::from_text(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Instant, E> {
                Instant::from_number(number).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
            }

            #[expect(clippy::cast_precision_loss, reason = "exact up to the year 287396")]
            fn visit_u64<E: Error>(self, number: u64) -> Result<Instant, E> {
                self.visit_f64(number as f64)
            }
        }
        deserializer.deserialize_any(Spelling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_one_instant_is_the_same() {
        // 2018-07-15T02:10:10Z
        let same = UtcMillis(1_531_620_610_000);
        for text in [
            "2018-07-15T02:10:10Z",
            "2018-07-15T10:10:10+08:00",
            "2018-07-14T21:40:10-04:30",
            "2018-07-15 02:10:10.000999z",
        ] {
            assert_eq!(Instant::from_text(text), Some(Instant(same)), "{text}");
        }
        for number in [1_531_620_610.0, 1_531_620_610_000.0] {
            assert_eq!(Instant::from_number(number), Some(Instant(same)));
        }
        let halves = UtcMillis(same.0 + 500);
        assert_eq!(Instant::from_number(1_531_620_610.5), Some(Instant(halves)));
        assert_eq!(Instant::from_text("2018-07-15T02:10:10.5Z"), Some(Instant(halves)));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "Z",
            "2018-07-15",
            "2018-07-15T02:10:10",
            "2018-13-15T02:10:10Z",
            "2018-02-30T02:10:10Z",
            "2018-07-15T25:10:10Z",
            "2018-07-15T02:10:60Z",
            "1969-12-31T23:59:59Z",
            "99999-01-01T00:00:00Z",
            "2018-07-15T02:10:10.Z",
            "2018-07-15T02:10:10+8",
            "2018-07-15T02:10:10+25:00",
            "时间时间时间",
        ] {
            assert_eq!(Instant::from_text(text), None, "{text}");
        }
        for number in [-1.0, 1e300, f64::NAN, 253_402_300_800_000.0] {
            assert_eq!(Instant::from_number(number), None, "{number}");
        }
    }
}
