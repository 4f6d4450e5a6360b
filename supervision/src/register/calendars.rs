//! Calendars and working hours: data, never derived by rule.

use serde::{Deserialize, Serialize};

use crate::ids::UnitId;

/// One year of a calendar: what differs from "Saturday and Sunday are free".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct CalendarYear {
    /// Name of the calendar, for example `cn`; a local one names its base in `base`.
    pub calendar: String,
    /// The calendar whose days count where this one says nothing.
    pub base: Option<String>,
    /// The unit that uses it, with those below; none = everybody.
    pub unit: Option<UnitId>,
    /// Year.
    pub year: i16,
    /// Which edition of the data, for example `2026.1`.
    pub edition: String,
    /// The notice that it follows.
    pub notice: String,
    /// Only weekends are known: the notice is not out yet.
    pub is_provisional: bool,
    /// The days that differ.
    pub days: Vec<CalendarDay>,
}

/// One day that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct CalendarDay {
    /// The local date, for example `2026-10-01`.
    pub date: jiff::civil::Date,
    /// What it is.
    pub rule: DayRule,
    /// The holiday it belongs to, for example 国庆节.
    pub name: String,
}

/// What a day that differs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum DayRule {
    /// Free.
    Holiday,
    /// Worked to make up for a holiday (调休上班).
    MakeupWorkday,
}

/// Working hours of a unit and those below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct WorkingHours {
    /// The unit; none = everybody.
    pub unit: Option<UnitId>,
    /// Seasons; the first that holds the day counts. Outside all: the default of R05.
    pub seasons: Vec<Season>,
}

/// Hours in a part of the year. From `from` to `to` in the year, both included; may cross new year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Season {
    /// First month and day.
    pub from: (u8, u8),
    /// Last month and day.
    pub to: (u8, u8),
    /// From when a car may be out on a workday, minutes after local midnight.
    pub opens_min: u16,
    /// Until when, minutes after local midnight.
    pub closes_min: u16,
}
