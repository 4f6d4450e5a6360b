//! The days of the quarter: which are worked, which are free, and when a local time is in UTC.
//!
//! The table of days off is that of the State Council's notices for 2024 to 2026 (国办发明电〔2023〕7号, 〔2024〕12号 and the
//! notice of 2025-11-04). In other years only weekends are known.

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;

use crate::sim::schedule::{TIME_OFFSET_S, is_weekend};

/// First and last day off as `month * 100 + day`, and the name.
type DaysOff = (i16, i16, &'static str);

/// The holidays by year.
const HOLIDAYS: &[(i16, &[DaysOff])] = &[
    (
        2024,
        &[
            (101, 101, "元旦"),
            (210, 217, "春节"),
            (404, 406, "清明节"),
            (501, 505, "劳动节"),
            (610, 610, "端午节"),
            (915, 917, "中秋节"),
            (1001, 1007, "国庆节"),
        ],
    ),
    (
        2025,
        &[
            (101, 101, "元旦"),
            (128, 204, "春节"),
            (404, 406, "清明节"),
            (501, 505, "劳动节"),
            (531, 602, "端午节"),
            (1001, 1008, "国庆节"),
        ],
    ),
    (
        2026,
        &[
            (101, 103, "元旦"),
            (215, 223, "春节"),
            (404, 406, "清明节"),
            (501, 505, "劳动节"),
            (619, 621, "端午节"),
            (925, 927, "中秋节"),
            (1001, 1007, "国庆节"),
        ],
    ),
];

/// Weekend days that are worked to make up for a holiday, as `month * 100 + day`, by year.
const MAKEUP: &[(i16, &[i16])] = &[
    (2024, &[204, 218, 407, 428, 511, 914, 929, 1012]),
    (2025, &[126, 208, 427, 928, 1011]),
    (2026, &[104, 214, 228, 509, 920, 1010]),
];

/// What a day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the kinds there are")]
pub enum DayKind {
    /// Worked, also on a make-up weekend.
    Workday,
    /// An ordinary Saturday or Sunday.
    Weekend,
    /// A day off by the notice.
    Holiday,
}

/// A holiday within the quarter, in local days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holiday {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) name: &'static str,
}

/// Local days since 1970-01-01.
pub(super) fn day_number(date: Date) -> i64 {
    date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24
}

/// The date of a local day.
pub(super) fn date_of(day: i64) -> Date {
    let span = jiff::Span::new().try_days(day).unwrap_or_default();
    jiff::civil::date(1970, 1, 1).checked_add(span).unwrap_or(Date::MIN)
}

/// What a day is.
#[must_use]
pub fn day_kind(date: Date) -> DayKind {
    let key = i16::from(date.month()) * 100 + i16::from(date.day());
    let is_off = HOLIDAYS
        .iter()
        .filter(|(year, _)| *year == date.year())
        .flat_map(|(_, days)| days.iter())
        .any(|(first, last, _)| (*first..=*last).contains(&key));
    if is_off {
        return DayKind::Holiday;
    }
    let is_makeup = MAKEUP.iter().any(|(year, days)| *year == date.year() && days.contains(&key));
    if is_weekend(day_number(date)) && !is_makeup { DayKind::Weekend } else { DayKind::Workday }
}

/// What local day `day` is.
pub(super) fn kind_of(day: i64) -> DayKind {
    day_kind(date_of(day))
}

/// Whether local day `day` is worked.
pub(super) fn is_workday(day: i64) -> bool {
    kind_of(day) == DayKind::Workday
}

/// The holidays that begin and end within `first` to `last`.
pub(super) fn holidays(first: i64, last: i64) -> Vec<Holiday> {
    let number = |year: i16, key: i16| {
        let (month, day) = (i8::try_from(key / 100).ok()?, i8::try_from(key % 100).ok()?);
        Date::new(year, month, day).ok().map(day_number)
    };
    HOLIDAYS
        .iter()
        .flat_map(|(year, days)| days.iter().map(move |day| (*year, *day)))
        .filter_map(|(year, (from, to, name))| {
            Some(Holiday { first: number(year, from)?, last: number(year, to)?, name })
        })
        .filter(|holiday| holiday.first > first && holiday.last < last)
        .collect()
}

/// The instant of second `second` of local day `day`. Seconds beyond the day run into the next.
pub(super) fn instant(day: i64, second: i32) -> UtcMillis {
    UtcMillis((day * 86_400 - TIME_OFFSET_S + i64::from(second)) * 1_000)
}

/// Seconds of the local day.
pub(super) const fn hm(hour: i32, minute: i32) -> i32 {
    hour * 3_600 + minute * 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_notice_of_2026_is_kept() {
        // 2026-05-09 is a Saturday that is worked; 2026-05-05 a Tuesday that is free; 2026-04-11 a plain Saturday.
        assert_eq!(day_kind(date(2026, 5, 9)), DayKind::Workday);
        assert_eq!(day_kind(date(2026, 5, 5)), DayKind::Holiday);
        assert_eq!(day_kind(date(2026, 4, 11)), DayKind::Weekend);
        assert_eq!(day_kind(date(2026, 4, 7)), DayKind::Workday);
        let (first, last) = (day_number(date(2026, 4, 1)), day_number(date(2026, 6, 30)));
        let names: Vec<&str> = holidays(first, last).iter().map(|holiday| holiday.name).collect();
        assert_eq!(names, ["清明节", "劳动节", "端午节"]);
    }

    #[test]
    fn days_and_instants_fit() {
        assert_eq!(day_number(date(2026, 1, 5)), 20_458);
        assert_eq!(date_of(20_458), date(2026, 1, 5));
        // Midnight in GMT+8 is 16:00 UTC of the day before.
        assert_eq!(instant(0, 0), UtcMillis(-8 * 3_600_000));
        assert_eq!(instant(20_458, hm(8, 0)), UtcMillis(20_458 * 86_400_000));
    }
}
