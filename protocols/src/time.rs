//! Instants as the whole project counts them: UTC milliseconds since 1970-01-01, no leap seconds.
//!
//! Civil-date arithmetic is the days-from-civil algorithm on the proleptic Gregorian calendar; there are no
//! time zones here beyond a fixed offset, because this crate must not read the zone database.

use std::fmt;

/// An instant: UTC milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UtcMillis(pub i64);

/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;

impl UtcMillis {
    /// The end of the year 9999: nothing from outside is later.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// The instant of a civil date and time at `offset_s` seconds east of UTC, or `None` when a field is out
    /// of its range (second 60 is refused; no tracker protocol sends leap seconds on purpose).
    #[inline]
    #[must_use]
    pub fn from_civil(civil: Civil, offset_s: i32) -> Option<Self> {
        let Civil { year, month, day, hour, minute, second, millisecond } = civil;
        if !(1..=12).contains(&month)
            || day < 1
            || day > days_in_month(year, month)
            || hour > 23
            || minute > 59
            || second > 59
            || millisecond > 999
        {
            return None;
        }
        let seconds = days_from_civil(year, month, day) * 86_400
            + i64::from(hour) * 3_600
            + i64::from(minute) * 60
            + i64::from(second)
            - i64::from(offset_s);
        seconds.checked_mul(1_000)?.checked_add(i64::from(millisecond)).map(Self)
    }

    /// The civil date and time of this instant at `offset_s` seconds east of UTC.
    #[must_use]
    pub fn civil(self, offset_s: i32) -> Civil {
        let ms = self.0.saturating_add(i64::from(offset_s) * 1_000);
        let days = ms.div_euclid(DAY_MS);
        let of_day = ms.rem_euclid(DAY_MS);
        let (year, month, day) = civil_from_days(days);
        let field = |value: i64| u8::try_from(value).unwrap_or(0);
        Civil {
            year,
            month,
            day,
            hour: field(of_day / 3_600_000),
            minute: field(of_day / 60_000 % 60),
            second: field(of_day / 1_000 % 60),
            millisecond: u16::try_from(of_day % 1_000).unwrap_or(0),
        }
    }

    /// Reads what [`Display`](fmt::Display) writes: RFC 3339 with `T` and `Z`, up to three digits of a fraction.
    /// `None` for anything else, other offsets among it. What comes from outside may be as far off as it likes: whoever reads
    /// it checks it against [`UtcMillis::LAST`].
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z')?;
        let (date, time) = text.split_once('T')?;
        // A year before 0 has a sign of its own.
        let (sign, date) = date.strip_prefix('-').map_or((1, date), |rest| (-1, rest));
        let number = |digits: &str, at_least: usize| -> Option<i32> {
            (digits.len() >= at_least && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.parse().ok())
                .flatten()
        };
        let mut date = date.split('-');
        let mut time = time.split(':');
        let year = number(date.next()?, 4)?.checked_mul(sign)?;
        let (month, day) = (number(date.next()?, 2)?, number(date.next()?, 2)?);
        let (hour, minute) = (number(time.next()?, 2)?, number(time.next()?, 2)?);
        let seconds = time.next()?;
        if date.next().is_some() || time.next().is_some() {
            return None;
        }
        let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let millisecond = number(fraction, 1)?;
        let scale = 10_i32.checked_pow(3_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?)?;
        let field = |value: i32| u8::try_from(value).ok();
        let civil = Civil {
            year,
            month: field(month)?,
            day: field(day)?,
            hour: field(hour)?,
            minute: field(minute)?,
            second: field(number(second, 2)?)?,
            millisecond: u16::try_from(millisecond * scale).ok()?,
        };
        Self::from_civil(civil, 0)
    }

    /// Whole UTC days since 1970-01-01.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY_MS)
    }
}

/// RFC 3339 in UTC with `Z`; milliseconds only when they are not zero.
impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil(0);
        write!(f, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)?;
        if c.millisecond != 0 {
            write!(f, ".{:03}", c.millisecond)?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for UtcMillis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for UtcMillis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = UtcMillis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an instant such as 2018-07-15T02:10:10Z")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<UtcMillis, E> {
                UtcMillis::from_rfc3339(text)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A civil date and time without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of a civil time will not change")]
pub struct Civil {
    /// Proleptic Gregorian year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999.
    pub millisecond: u16,
}

const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let y = i64::from(year) - i64::from(month <= 2);
    let era = y.div_euclid(400);
    // Small numbers from here on, which divide faster.
    let year_of_era = y.rem_euclid(400) as u32;
    let month_from_march = (u32::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + u32::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + i64::from(day_of_era) - 719_468
}

fn civil_from_days(days: i64) -> (i32, u8, u8) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (i32::try_from(year).unwrap_or(0), u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants_print_as_rfc_3339() {
        assert_eq!(UtcMillis(0).to_string(), "1970-01-01T00:00:00Z");
        // `date -u -d @1531620610`
        assert_eq!(UtcMillis(1_531_620_610_000).to_string(), "2018-07-15T02:10:10Z");
        assert_eq!(UtcMillis(1_531_620_610_250).to_string(), "2018-07-15T02:10:10.250Z");
        assert_eq!(UtcMillis(951_782_400_000).to_string(), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn what_is_printed_is_read_back() {
        // The last one is how far back "always" reaches.
        for text in [
            "1970-01-01T00:00:00Z",
            "2018-07-15T02:10:10Z",
            "2018-07-15T02:10:10.250Z",
            "-73067287-11-05T04:11:46.048Z",
        ] {
            assert_eq!(UtcMillis::from_rfc3339(text).map(|t| t.to_string()).as_deref(), Some(text));
        }
        for text in
            ["", "2018-07-15", "2018-07-15T02:10:10", "2018-07-15T02:10:10+08:00", "2018-13-15T02:10:10Z"]
        {
            assert_eq!(UtcMillis::from_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_printed_instant_is_read_back(ms in -60_000_000_000_000_i64..4_000_000_000_000) {
            let instant = UtcMillis(ms);
            prop_assert_eq!(UtcMillis::from_rfc3339(&instant.to_string()), Some(instant));
        }
    }

    #[test]
    fn a_field_out_of_range_is_refused() {
        let noon = UtcMillis(0).civil(0);
        for bad in [
            Civil { month: 0, ..noon },
            Civil { month: 13, ..noon },
            Civil { day: 0, ..noon },
            Civil { month: 2, day: 30, ..noon },
            Civil { hour: 24, ..noon },
            Civil { second: 60, ..noon },
            Civil { year: i32::MAX, ..noon },
            Civil { year: i32::MIN, ..noon },
        ] {
            assert_eq!(UtcMillis::from_civil(bad, 0), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn civil_round_trips(ms in -62_000_000_000_000_i64..250_000_000_000_000, offset_s in -50_400..50_400_i32) {
            let instant = UtcMillis(ms);
            prop_assert_eq!(UtcMillis::from_civil(instant.civil(offset_s), offset_s), Some(instant));
        }
    }
}
