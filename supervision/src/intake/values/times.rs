//! Dates and times as systems and people write them, to instants.
//!
//! A time with an offset is what it says. A time without one is local to the file's time zone; a local time that the clocks
//! of that zone skip or show twice is refused, because choosing would move a trip by an hour without a word.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::super::table::Cell;
use super::super::text::half_width;
use super::serial::{self, Epoch};
use crate::UtcMillis;

/// How the times of a column without an offset are meant.
#[derive(Clone, Debug)]
pub(crate) struct LocalTime(pub(crate) TimeZone);

/// A local day.
pub(crate) type Day = Date;

/// An instant, or a whole local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The instant; the first one of a day.
    pub(crate) at: UtcMillis,
    /// The local day, when only that is known.
    pub(crate) day: Option<Day>,
}

/// Why there is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeDoubt {
    NotATime,
    Skipped,
    Twice,
    OutOfRange,
}

/// First instant that a file may speak of, 1990-01-01.
const FIRST: UtcMillis = UtcMillis(631_152_000_000);
/// First instant that it may not, 2101-01-01.
const AFTER_LAST: UtcMillis = UtcMillis(4_133_980_800_000);
/// Numbers that are read as Unix seconds: 2001-09-09 to 2100.
const UNIX_S: std::ops::Range<f64> = 1e9..4.2e9;
/// Numbers that are read as Unix milliseconds, the same years.
const UNIX_MS: std::ops::Range<f64> = 1e12..4.2e12;

impl LocalTime {
    /// UTC.
    pub(crate) const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Beijing time as a header states it: UTC+8 throughout.
    pub(crate) fn beijing() -> Self {
        Self(TimeZone::fixed(jiff::tz::offset(8)))
    }

    /// The instant of local time `local`.
    pub(crate) fn instant(&self, local: DateTime) -> Result<UtcMillis, TimeDoubt> {
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => Err(TimeDoubt::Skipped),
            AmbiguousOffset::Fold { .. } => Err(TimeDoubt::Twice),
            AmbiguousOffset::Unambiguous { offset } => at_offset(local, offset),
        }
    }

    /// First instant of `day`. Where clocks skip midnight the day begins at the first time they show.
    pub(crate) fn start_of(&self, day: Day) -> Result<UtcMillis, TimeDoubt> {
        let start = day.to_zoned(self.0.clone()).map_err(|_| TimeDoubt::OutOfRange)?;
        in_range(start.timestamp().as_millisecond())
    }

    /// The offset from UTC in seconds that holds all through `day`; `None` when clocks change on it.
    pub(crate) fn offset_all_through(&self, day: Day) -> Option<i32> {
        let offset_at =
            |day: Day| match self.0.to_ambiguous_timestamp(day.to_datetime(Time::midnight())).offset() {
                AmbiguousOffset::Unambiguous { offset } => Some(offset.seconds()),
                AmbiguousOffset::Gap { .. } | AmbiguousOffset::Fold { .. } => None,
            };
        let offset = offset_at(day)?;
        (offset_at(day.tomorrow().ok()?)? == offset).then_some(offset)
    }

    /// First instant after `day`.
    pub(crate) fn end_of(&self, day: Day) -> Result<UtcMillis, TimeDoubt> {
        day.tomorrow().map_err(|_| TimeDoubt::OutOfRange).and_then(|next| self.start_of(next))
    }
}

fn at_offset(local: DateTime, offset: Offset) -> Result<UtcMillis, TimeDoubt> {
    let instant = offset.to_timestamp(local).map_err(|_| TimeDoubt::OutOfRange)?;
    in_range(instant.as_millisecond())
}

/// An instant that a file may speak of.
pub(crate) const fn in_range(ms: i64) -> Result<UtcMillis, TimeDoubt> {
    if FIRST.0 <= ms && ms < AFTER_LAST.0 { Ok(UtcMillis(ms)) } else { Err(TimeDoubt::OutOfRange) }
}

/// The instant of a cell.
pub(crate) fn moment(cell: &Cell, zone: &LocalTime) -> Result<Moment, TimeDoubt> {
    match cell {
        Cell::Empty | Cell::Truth(_) | Cell::Clock(_) => Err(TimeDoubt::NotATime),
        Cell::Moment(local) => local_moment(*local, local.time() == Time::midnight(), zone),
        Cell::Number(number) => from_number(*number, zone),
        Cell::Text(text) => from_text(text, zone),
    }
}

fn local_moment(local: DateTime, is_day: bool, zone: &LocalTime) -> Result<Moment, TimeDoubt> {
    if is_day {
        return Ok(Moment { at: zone.start_of(local.date())?, day: Some(local.date()) });
    }
    Ok(Moment { at: zone.instant(local)?, day: None })
}

/// Serial dates of the 1900 system (workbooks of the other one say so in the cell), Unix seconds, Unix milliseconds.
fn from_number(number: f64, zone: &LocalTime) -> Result<Moment, TimeDoubt> {
    #[expect(clippy::cast_possible_truncation, reason = "both ranges are below 2^53")]
    let unix = if UNIX_S.contains(&number) {
        Some((number * 1_000.0).round() as i64)
    } else if UNIX_MS.contains(&number) {
        Some(number.round() as i64)
    } else {
        None
    };
    if let Some(ms) = unix {
        return Ok(Moment { at: in_range(ms)?, day: None });
    }
    if number < 1.0 {
        return Err(TimeDoubt::NotATime);
    }
    let local = serial::date_time(number, Epoch::Year1900).ok_or(TimeDoubt::NotATime)?;
    local_moment(local, number.fract() == 0.0, zone)
}

fn from_text(text: &str, zone: &LocalTime) -> Result<Moment, TimeDoubt> {
    let text = half_width(text);
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.matches('.').count() <= 1 {
        return compact(text, zone);
    }
    let mut scan = Scan { rest: text };
    let written = scan.written().filter(|_| scan.rest.is_empty()).ok_or(TimeDoubt::NotATime)?;
    let Some(time) = written.time else {
        return local_moment(written.date.to_datetime(Time::midnight()), true, zone);
    };
    let mut local = written.date.to_datetime(time);
    if written.is_next_day {
        local = local.checked_add(1.day()).map_err(|_| TimeDoubt::OutOfRange)?;
    }
    let at = match written.offset {
        Some(offset) => at_offset(local, offset)?,
        None => zone.instant(local)?,
    };
    Ok(Moment { at, day: None })
}

/// Digits only: `20260305`, `202603050830`, `20260305083000`, else what a number is. Eight digits are a day.
fn compact(digits: &str, zone: &LocalTime) -> Result<Moment, TimeDoubt> {
    let part =
        |from: usize, len: usize| digits.get(from..from + len).and_then(|part| part.parse::<i8>().ok());
    let day = || {
        let year = digits.get(..4)?.parse().ok()?;
        Date::new(year, part(4, 2)?, part(6, 2)?).ok()
    };
    let time = || match digits.len() {
        8 => Some(Time::midnight()),
        12 => Time::new(part(8, 2)?, part(10, 2)?, 0, 0).ok(),
        14 => Time::new(part(8, 2)?, part(10, 2)?, part(12, 2)?, 0).ok(),
        _ => None,
    };
    if let (Some(time), Some(day)) = (time(), day()) {
        return local_moment(day.to_datetime(time), digits.len() == 8, zone);
    }
    digits.parse().map_err(|_| TimeDoubt::NotATime).and_then(|number| from_number(number, zone))
}

/// What was written, before it is an instant.
struct Written {
    date: Date,
    time: Option<Time>,
    /// 24:00.
    is_next_day: bool,
    offset: Option<Offset>,
}

/// Reads from the front of a text.
struct Scan<'a> {
    rest: &'a str,
}

impl Scan<'_> {
    fn written(&mut self) -> Option<Written> {
        let date = self.date()?;
        let mut written = Written { date, time: None, is_next_day: false, offset: None };
        if !self.eat(&["T", "t"]) {
            self.spaces();
        }
        if self.rest.is_empty() {
            return Some(written);
        }
        let (time, is_next_day) = self.time()?;
        self.spaces();
        written.offset = self.offset()?;
        (written.time, written.is_next_day) = (Some(time), is_next_day);
        Some(written)
    }

    /// `2026-03-05`, `2026/3/5`, `2026.3.5`, `2026年3月5日`.
    fn date(&mut self) -> Option<Date> {
        let year = self.digits(4, 4)?;
        self.eat(&["-", "/", ".", "年"]).then_some(())?;
        self.spaces();
        let month = self.digits(1, 2)?;
        self.eat(&["-", "/", ".", "月"]).then_some(())?;
        self.spaces();
        let day = self.digits(1, 2)?;
        self.eat(&["日", "号"]);
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    }

    /// `8:30`, `08:30:15.250`, `8时30分`, `8点`, `上午8:30`, `8:30 PM`; 24:00 is the midnight that follows.
    fn time(&mut self) -> Option<(Time, bool)> {
        let mut half = self.half_of_day();
        self.spaces();
        let hour = self.digits(1, 2)?;
        let in_words = self.eat(&["时", "点"]);
        let (mut minute, mut second, mut nanosecond) = (0, 0, 0);
        if in_words {
            self.eat(&["整"]);
        }
        if (in_words && self.rest.starts_with(|c: char| c.is_ascii_digit()))
            || (!in_words && self.eat(&[":"]))
        {
            minute = self.digits(1, 2)?;
            let has_seconds = if self.eat(&["分"]) {
                self.rest.starts_with(|c: char| c.is_ascii_digit())
            } else {
                self.eat(&[":"])
            };
            if has_seconds {
                second = self.digits(1, 2)?;
                nanosecond = self.fraction()?;
                self.eat(&["秒"]);
            }
        } else if !in_words {
            return None;
        }
        self.spaces();
        half = half.or_else(|| self.half_of_day());
        let hour = match half {
            None => hour,
            Some(is_afternoon) if (1..=12).contains(&hour) => hour % 12 + if is_afternoon { 12 } else { 0 },
            Some(true) if hour < 24 => hour,
            Some(_) => return None,
        };
        if (hour, minute, second, nanosecond) == (24, 0, 0, 0) {
            return Some((Time::midnight(), true));
        }
        let field = |value: u32| i8::try_from(value).ok();
        let time = Time::new(field(hour)?, field(minute)?, field(second)?, i32::try_from(nanosecond).ok()?);
        Some((time.ok()?, false))
    }

    fn half_of_day(&mut self) -> Option<bool> {
        if self.eat(&["上午", "早上", "凌晨", "AM", "am", "a.m."]) {
            return Some(false);
        }
        self.eat(&["下午", "晚上", "PM", "pm", "p.m."]).then_some(true)
    }

    /// Digits behind a point as nanoseconds; 0 without a point. Finer digits are dropped.
    fn fraction(&mut self) -> Option<u32> {
        if !self.eat(&[".", ","]) {
            return Some(0);
        }
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        let places = u32::try_from(len.min(9)).ok()?;
        let value: u32 = digits.get(..len.min(9))?.parse().ok()?;
        value.checked_mul(10_u32.checked_pow(9 - places)?)
    }

    /// Nothing (`Some(None)`), `Z`, `UTC`, `+08:00`, `+0800`, `+08`.
    fn offset(&mut self) -> Option<Option<Offset>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        if self.eat(&["Z", "z"]) {
            return Some(Some(Offset::UTC));
        }
        if self.eat(&["UTC", "GMT"]) && self.rest.is_empty() {
            return Some(Some(Offset::UTC));
        }
        let sign = if self.eat(&["+"]) {
            1
        } else if self.eat(&["-", "\u{2212}"]) {
            -1
        } else {
            return None;
        };
        let hours = self.digits(1, 2)?;
        let minutes = if self.rest.is_empty() {
            0
        } else {
            self.eat(&[":"]);
            self.digits(2, 2)?
        };
        if minutes > 59 {
            return None;
        }
        let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
        Offset::from_seconds(sign * seconds).ok().map(Some)
    }

    fn digits(&mut self, at_least: usize, at_most: usize) -> Option<u32> {
        let len = self.rest.bytes().take(at_most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(len).filter(|_| len >= at_least)?;
        self.rest = rest;
        digits.parse().ok()
    }

    fn eat(&mut self, any: &[&str]) -> bool {
        match any.iter().find_map(|&word| self.rest.strip_prefix(word)) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

/// A time of day as minutes after midnight, `24:00` among them.
pub(crate) fn clock_minutes(cell: &Cell) -> Option<u16> {
    let minutes = |time: Time| u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).ok();
    match cell {
        Cell::Clock(time) => minutes(*time),
        Cell::Number(part) => minutes(serial::time_of_day(*part)?),
        Cell::Text(text) => {
            let text = half_width(text);
            let mut scan = Scan { rest: text.trim() };
            let (time, is_next_day) = scan.time().filter(|_| scan.rest.is_empty())?;
            if is_next_day { Some(24 * 60) } else { minutes(time) }
        }
        _ => None,
    }
}

/// A month and day without a year, `10-01`, `10/1`, `10月1日`; of a whole date the year is dropped.
pub(crate) fn month_day(cell: &Cell) -> Option<(u8, u8)> {
    let of = |date: Date| Some((u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?));
    match cell {
        Cell::Moment(local) => of(local.date()),
        Cell::Text(text) => {
            let text = half_width(text);
            let mut scan = Scan { rest: text.trim() };
            if let Some(date) = scan.date() {
                return scan.rest.is_empty().then(|| of(date))?;
            }
            let mut scan = Scan { rest: text.trim() };
            let month = scan.digits(1, 2)?;
            scan.eat(&["-", "/", ".", "月"]).then_some(())?;
            let day = scan.digits(1, 2)?;
            scan.eat(&["日", "号"]);
            // 2024 has all 366 days.
            let date = Date::new(2024, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
            scan.rest.is_empty().then(|| of(date))?
        }
        _ => None,
    }
}
