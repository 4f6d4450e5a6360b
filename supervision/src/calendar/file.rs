//! Calendars as files: the shipped one, and those that operators write.

use std::ops::Range;

use jiff::civil::{Date, Weekday};
use serde::Deserialize;
use toml::Spanned;

use crate::register::{CalendarDay, CalendarYear, DayRule};

/// Most years in one file.
pub const YEARS_MAX: usize = 64;
/// Most days that one year may name: all of them.
pub const DAYS_MAX: usize = 366;
/// Longest file, bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

const CN: &str = include_str!("../../../config/calendars/cn.toml");

/// The years of a calendar that comes with the program, as rows; `None` when there is no calendar of that name.
///
/// `cn` covers 2024, 2025 and 2026 by the notices of the State Council's general office.
#[must_use]
pub fn builtin(name: &str) -> Option<Vec<CalendarYear>> {
    match name {
        "cn" => parse_toml(CN).ok(),
        _ => None,
    }
}

/// What is wrong with a calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// Not the TOML that is expected; the text names line and column.
    #[error("{0}")]
    Syntax(String),
    /// Larger than any calendar.
    #[error("the file has {0} bytes; 1 MiB at most")]
    FileTooLarge(usize),
    /// More than [`YEARS_MAX`].
    #[error("{0} years; {YEARS_MAX} at most")]
    TooManyYears(usize),
    /// Something about one year or day.
    #[error("{}{error}", line.map_or_else(String::new, |line| format!("line {line}: ")))]
    Year {
        /// Line in the file, 1 for the first; `None` for rows that come from no file.
        line: Option<usize>,
        /// What is wrong.
        error: YearError,
    },
}

/// What is wrong with a year of a calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum YearError {
    /// Not a date, and not two dates with `..` between.
    #[error("\"{0}\" is not a date (2026-10-01) and not a range of dates (2026-10-01..2026-10-07)")]
    NotADate(String),
    /// A range that ends before it begins.
    #[error("the range \"{0}\" ends before it begins")]
    Backwards(String),
    /// A day of another year.
    #[error("{date} is not in {year}")]
    OutsideYear {
        /// The day.
        date: Date,
        /// The year that names it.
        year: i16,
    },
    /// The same day twice.
    #[error("{0} is named twice")]
    Twice(Date),
    /// Only Saturdays and Sundays can be worked to make up for something.
    #[error("{0} is no Saturday or Sunday, so it can't be a make-up workday")]
    MakeupOnWeekday(Date),
    /// The same year twice.
    #[error("the year {0} is there twice")]
    YearTwice(i16),
    /// More than [`DAYS_MAX`].
    #[error("{0} days in a year; {DAYS_MAX} at most")]
    TooManyDays(usize),
    /// No name.
    #[error("the calendar has no name")]
    NoName,
    /// Its own base.
    #[error("the calendar is its own base")]
    OwnBase,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    calendar: Spanned<String>,
    base: Option<String>,
    #[serde(default)]
    year: Vec<FileYear>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileYear {
    year: Spanned<i16>,
    edition: String,
    #[serde(default)]
    notice: String,
    #[serde(default)]
    provisional: bool,
    #[serde(default)]
    holiday: Vec<FileHoliday>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileHoliday {
    name: String,
    #[serde(default)]
    off: Vec<Spanned<String>>,
    #[serde(default)]
    work: Vec<Spanned<String>>,
}

/// Reads a calendar file; `config/calendars/cn.toml` shows the form. A local calendar names its `base`.
///
/// # Errors
/// The first thing wrong, with its line.
pub fn parse_toml(text: &str) -> Result<Vec<CalendarYear>, CalendarError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(CalendarError::FileTooLarge(text.len()));
    }
    let file: File = toml::from_str(text).map_err(|error| CalendarError::Syntax(error.to_string()))?;
    if file.year.len() > YEARS_MAX {
        return Err(CalendarError::TooManyYears(file.year.len()));
    }
    let at = |span: Range<usize>, error| CalendarError::Year { line: Some(line_of(text, span.start)), error };
    if file.calendar.get_ref().trim().is_empty() {
        return Err(at(file.calendar.span(), YearError::NoName));
    }
    if file.base.as_ref() == Some(file.calendar.get_ref()) {
        return Err(at(file.calendar.span(), YearError::OwnBase));
    }
    let mut years: Vec<CalendarYear> = Vec::with_capacity(file.year.len());
    for year in &file.year {
        let (span, number) = (year.year.span(), *year.year.get_ref());
        if years.iter().any(|earlier| earlier.year == number) {
            return Err(at(span, YearError::YearTwice(number)));
        }
        years.push(CalendarYear {
            calendar: file.calendar.get_ref().clone(),
            base: file.base.clone(),
            unit: None,
            year: number,
            edition: year.edition.clone(),
            notice: year.notice.clone(),
            is_provisional: year.provisional,
            days: days_of(year).map_err(|(span, error)| at(span, error))?,
        });
    }
    Ok(years)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

fn days_of(year: &FileYear) -> Result<Vec<CalendarDay>, (Range<usize>, YearError)> {
    let mut days: Vec<CalendarDay> = Vec::new();
    for holiday in &year.holiday {
        let off = holiday.off.iter().map(|text| (text, DayRule::Holiday));
        let work = holiday.work.iter().map(|text| (text, DayRule::MakeupWorkday));
        for (text, rule) in off.chain(work) {
            let failed = |error| (text.span(), error);
            for date in dates(text.get_ref(), *year.year.get_ref()).map_err(failed)? {
                let day = CalendarDay { date, rule, name: holiday.name.clone() };
                check_day(&day, *year.year.get_ref(), &days).map_err(failed)?;
                days.push(day);
            }
        }
    }
    days.sort_by_key(|day| day.date);
    Ok(days)
}

/// The dates that `2026-10-01` or `2026-10-01..2026-10-07` stands for.
fn dates(text: &str, year: i16) -> Result<Vec<Date>, YearError> {
    let parse = |part: &str| part.trim().parse().map_err(|_| YearError::NotADate(text.to_owned()));
    let (first, last): (Date, Date) = match text.split_once("..") {
        Some((first, last)) => (parse(first)?, parse(last)?),
        None => (parse(text)?, parse(text)?),
    };
    if last < first {
        return Err(YearError::Backwards(text.to_owned()));
    }
    // Both ends in the year keeps the range short, whatever the file says.
    for date in [first, last] {
        if date.year() != year {
            return Err(YearError::OutsideYear { date, year });
        }
    }
    Ok(first.series(jiff::ToSpan::days(1)).take_while(|&date| date <= last).collect())
}

fn check_day(day: &CalendarDay, year: i16, earlier: &[CalendarDay]) -> Result<(), YearError> {
    let date = day.date;
    if date.year() != year {
        return Err(YearError::OutsideYear { date, year });
    }
    let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    if day.rule == DayRule::MakeupWorkday && !is_weekend {
        return Err(YearError::MakeupOnWeekday(date));
    }
    if earlier.iter().any(|other| other.date == date) {
        return Err(YearError::Twice(date));
    }
    Ok(())
}

/// Whether a row that comes from elsewhere than a file can be taken.
///
/// # Errors
/// The first thing wrong; the line is `None`.
pub fn check_year(row: &CalendarYear) -> Result<(), CalendarError> {
    let checked = || {
        if row.calendar.trim().is_empty() {
            return Err(YearError::NoName);
        }
        if row.base.as_ref() == Some(&row.calendar) {
            return Err(YearError::OwnBase);
        }
        if row.days.len() > DAYS_MAX {
            return Err(YearError::TooManyDays(row.days.len()));
        }
        (0..)
            .zip(&row.days)
            .try_for_each(|(n, day)| check_day(day, row.year, row.days.get(..n).unwrap_or_default()))
    };
    checked().map_err(|error| CalendarError::Year { line: None, error })
}
