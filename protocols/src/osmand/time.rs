//! The forms in which a request writes an instant.

use crate::{UtcMillis, text};

/// Numbers below are seconds since 1970, numbers from here on milliseconds (1973 as milliseconds, 5138 as seconds).
const SECONDS_END: u64 = 100_000_000_000;

/// Seconds or milliseconds since 1970, ISO 8601 with `Z` or an offset, or `yyyy-MM-dd HH:mm:ss` of UTC; up to the
/// year 9999.
pub(super) fn instant(written: &str) -> Option<UtcMillis> {
    any_instant(written).filter(|at| (UtcMillis(-UtcMillis::LAST.0)..=UtcMillis::LAST).contains(at))
}

fn any_instant(written: &str) -> Option<UtcMillis> {
    if let Some(number) = text::digits(written.as_bytes()) {
        let number_ms = if number < SECONDS_END { number.checked_mul(1_000)? } else { number };
        return i64::try_from(number_ms).ok().map(UtcMillis);
    }
    if let Some(seconds) = text::fixed(written.as_bytes(), 3) {
        return Some(UtcMillis(seconds));
    }
    let (date, time) = written.split_once(['T', ' '])?;
    let (clock, offset_s) = offset_of(time)?;
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    // Finer than a millisecond is more than is kept.
    let millisecond: String = fraction.chars().take(3).collect();
    let local = UtcMillis::from_rfc3339(&format!("{date}T{whole}.{millisecond}Z"))?;
    Some(UtcMillis(local.0 - offset_s * 1_000))
}

/// The time of day before its offset, and the offset in seconds east of UTC.
fn offset_of(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = time.rfind(['+', '-', ' ']) else { return Some((time, 0)) };
    let (clock, offset) = time.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: Vec<u8> = offset.bytes().skip(1).filter(|byte| *byte != b':').collect();
    let &[h0, h1, m0, m1] = digits.as_slice() else { return None };
    let hours = i64::try_from(text::digits(&[h0, h1])?).ok()?;
    let minutes = i64::try_from(text::digits(&[m0, m1])?).ok()?;
    (hours <= 14 && minutes < 60).then_some((clock, sign * (hours * 3_600 + minutes * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_the_same_instant() {
        for form in [
            "1531620610",
            "1531620610000",
            "1531620610.0",
            "2018-07-15T02:10:10Z",
            "2018-07-15T02:10:10.000Z",
            "2018-07-15T10:10:10+08:00",
            "2018-07-15T10:10:10.000000+0800",
            // A plus sign that nobody escaped in a query.
            "2018-07-15T10:10:10 08:00",
            "2018-07-14T21:10:10-05:00",
            "2018-07-15 02:10:10",
        ] {
            assert_eq!(instant(form), Some(UtcMillis(1_531_620_610_000)), "{form}");
        }
        for form in [
            "",
            "now",
            "2018-07-15",
            "2018-07-15T02:10:10+99:00",
            "99999999999999999999",
            "9223372036854775807",
            "-",
        ] {
            assert_eq!(instant(form), None, "{form}");
        }
    }
}
