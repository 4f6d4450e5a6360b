//! Serial dates of spreadsheets: days and parts of a day since an epoch.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time, date};

/// Where a workbook begins to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// 1 is 1900-01-01, and 60 is a 29 February that was not (ECMA-376 part 1, 18.17.4.1).
    Year1900,
    /// 0 is 1904-01-01.
    Year1904,
}

const DAY_MS: f64 = 86_400_000.0;
/// 9999-12-31 in the 1900 system.
const LAST_DAY: f64 = 2_958_465.0;

/// The local date and time of serial `number`, to the millisecond. `None` for day 60 of the 1900 system, which no calendar
/// has, and for anything outside the years 1900 to 9999.
pub(crate) fn date_time(number: f64, epoch: Epoch) -> Option<DateTime> {
    if !(0.0..LAST_DAY + 1.0).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 2^53")]
    let ms = (number * DAY_MS).round() as i64;
    let start: Date = match epoch {
        Epoch::Year1904 => date(1904, 1, 1),
        Epoch::Year1900 if number < 60.0 => date(1899, 12, 31),
        Epoch::Year1900 if number < 61.0 => return None,
        Epoch::Year1900 => date(1899, 12, 30),
    };
    start.to_datetime(Time::midnight()).checked_add(ms.milliseconds()).ok()
}

/// The time of day of a part of a day.
pub(crate) fn time_of_day(part: f64) -> Option<Time> {
    (0.0..1.0).contains(&part).then(|| date_time(part, Epoch::Year1904).map(DateTime::time)).flatten()
}
