//! What kind of day a date is for a unit, and between which hours its cars may be out.
//!
//! Owns how calendars of a unit, of the units above it and of everybody lie over one another. It never derives a holiday
//! by a rule: what no row says is a weekend or a workday by the day of the week, and is marked provisional.

mod file;
mod hours;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use crate::UtcMillis;
use crate::ids::UnitId;
use crate::register::{CalendarYear, DayRule, Span, Versioned, WorkingHours};

pub use file::{CalendarError, DAYS_MAX, YEARS_MAX, YearError, builtin, check_year, parse_toml};
pub use hours::{HoursError, SEASONS_MAX, check_hours};

pub(crate) use versions::{held_versions, newest_versions};

use hours::{HoursTable, noon_of};

/// How many calendars may stand on one another; a longer chain, or one that bites its own tail, is cut there.
const BASES_MAX: usize = 8;

/// Edition of a day that no calendar covers.
const NO_EDITION: &str = "none";

/// What a day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum DayKind {
    /// Monday to Friday.
    Workday,
    /// A Saturday or Sunday that is worked to make up for a holiday (调休上班).
    MakeupWorkday,
    /// Saturday or Sunday.
    Weekend,
    /// Free by a notice; weekends inside a holiday included.
    Holiday,
}

impl DayKind {
    /// Whether people are off.
    #[must_use]
    pub const fn is_rest_day(self) -> bool {
        matches!(self, Self::Weekend | Self::Holiday)
    }

    const fn of_rule(rule: DayRule) -> Self {
        match rule {
            DayRule::Holiday => Self::Holiday,
            DayRule::MakeupWorkday => Self::MakeupWorkday,
        }
    }

    fn of_weekday(date: Date) -> Self {
        match date.weekday() {
            Weekday::Saturday | Weekday::Sunday => Self::Weekend,
            _ => Self::Workday,
        }
    }
}

/// A day as a unit's calendar sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DayInfo {
    /// What it is.
    pub kind: DayKind,
    /// The holiday that it belongs to; a make-up workday names the holiday it makes up for.
    pub name: Option<Arc<str>>,
    /// Calendars and editions that the answer rests on, for example `xz 2026.1 + cn 2026.1`; `none` when there is none.
    pub edition: Arc<str>,
    /// No notice covers the day: only the day of the week is known.
    pub is_provisional: bool,
}

/// Calendars and working hours of all units.
///
/// The order of rows does not matter. Of the versions of a row the newest that is valid on a day counts, and of several rows for
/// the same calendar, unit and year the one recorded last. When a row begins to be valid does not matter: a notice is about all
/// days of its year, also those before it was recorded. When it ends does.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// Of local days.
    zone: TimeZone,
    years: FxHashMap<i16, Vec<Epoch>>,
    hours: HoursTable,
}

/// A part of a year in which no row begins or ends: nearly always all of it.
#[derive(Clone, Debug)]
struct Epoch {
    from: UtcMillis,
    of: FxHashMap<Option<UnitId>, Year>,
}

/// One year of one unit with everything below it (the bases) laid together.
#[derive(Clone, Debug)]
struct Year {
    edition: Arc<str>,
    /// One of the calendars is provisional or missing.
    is_provisional: bool,
    /// Sorted by date, each date once.
    days: Vec<Day>,
}

#[derive(Clone, Debug)]
struct Day {
    date: Date,
    kind: DayKind,
    name: Arc<str>,
    is_provisional: bool,
}

impl Calendar {
    /// The calendar that these rows make where days are those of `zone`.
    #[must_use]
    pub fn new(
        years: &[Versioned<CalendarYear>],
        hours: &[Versioned<WorkingHours>],
        zone: &TimeZone,
    ) -> Self {
        let mut by_year: BTreeMap<i16, Vec<(&Versioned<CalendarYear>, Span)>> = BTreeMap::new();
        for (row, held) in held_versions(years) {
            by_year.entry(row.row.year).or_default().push((row, held));
        }
        let years = by_year.iter().map(|(year, rows)| (*year, epochs(*year, rows, zone))).collect();
        Self { zone: zone.clone(), years, hours: HoursTable::new(hours) }
    }

    /// What `date` is for a unit. `units`: the unit and those above it, nearest first.
    ///
    /// The nearest unit with a calendar for the year decides, after it the calendar of everybody.
    #[must_use]
    pub fn day(&self, units: &[UnitId], date: Date) -> DayInfo {
        let owners = units.iter().copied().map(Some).chain([None]);
        let Some(year) =
            self.epoch(date).and_then(|epoch| owners.filter_map(|owner| epoch.of.get(&owner)).next())
        else {
            let kind = DayKind::of_weekday(date);
            return DayInfo { kind, name: None, edition: NO_EDITION.into(), is_provisional: true };
        };
        let edition = Arc::clone(&year.edition);
        match year.days.binary_search_by_key(&date, |day| day.date).ok().and_then(|n| year.days.get(n)) {
            Some(day) => DayInfo {
                kind: day.kind,
                name: (!day.name.is_empty()).then(|| Arc::clone(&day.name)),
                edition,
                is_provisional: day.is_provisional,
            },
            None => DayInfo {
                kind: DayKind::of_weekday(date),
                name: None,
                edition,
                is_provisional: year.is_provisional,
            },
        }
    }

    fn epoch(&self, date: Date) -> Option<&Epoch> {
        let noon = noon_of(date, &self.zone);
        self.years.get(&date.year())?.iter().rev().find(|epoch| epoch.from <= noon)
    }

    /// Minutes after local midnight between which a car may be out on a workday.
    ///
    /// The nearest unit with hours that are valid on the day decides, after it the hours of everybody. A day outside its
    /// seasons has `default`, as has a day for which nobody set hours. `units`: as for [`Calendar::day`].
    #[must_use]
    pub fn hours(&self, units: &[UnitId], date: Date, default: (u16, u16)) -> (u16, u16) {
        self.hours.on(units, date, &self.zone).unwrap_or(default)
    }
}

/// The parts of a year and what holds in each. `rows`: all versions for the year, with the time over which each holds.
fn epochs(year: i16, rows: &[(&Versioned<CalendarYear>, Span)], zone: &TimeZone) -> Vec<Epoch> {
    let (Ok(first), Ok(last)) = (Date::new(year, 1, 1), Date::new(year, 12, 31)) else { return Vec::new() };
    let (first, last) = (noon_of(first, zone), noon_of(last, zone));
    let mut begins: BTreeMap<i64, UtcMillis> = BTreeMap::new();
    for (row, held) in rows {
        let begin = begins.entry(row.id).or_insert(held.from);
        *begin = held.from.min(*begin);
    }
    let is_first = |row: &Versioned<CalendarYear>, held: &Span| begins.get(&row.id) == Some(&held.from);
    let changes = rows.iter().flat_map(|(_, held)| [Some(held.from), held.to]).flatten();
    let mut starts: Vec<_> =
        changes.filter(|&change| first < change && change <= last).chain([first]).collect();
    starts.sort_unstable();
    starts.dedup();
    let epoch = |from: UtcMillis| {
        let holds = |row, held: &Span| held.contains(from) || is_first(row, held) && from < held.from;
        let rows = Rows::new(rows.iter().filter(|(row, held)| holds(row, held)).map(|(row, _)| *row));
        Epoch { from, of: rows.owners().map(|(unit, row)| (unit, rows.laid_together(row))).collect() }
    };
    starts.into_iter().map(epoch).collect()
}

/// The rows of a year that count, one for each calendar and unit.
struct Rows<'a> {
    by_key: BTreeMap<(&'a str, Option<UnitId>), &'a Versioned<CalendarYear>>,
}

impl<'a> Rows<'a> {
    fn new(rows: impl Iterator<Item = &'a Versioned<CalendarYear>>) -> Self {
        let mut by_key: BTreeMap<_, &Versioned<CalendarYear>> = BTreeMap::new();
        for row in rows {
            let kept = by_key.entry((row.row.calendar.as_str(), row.row.unit)).or_insert(row);
            if (kept.recorded_at, kept.id) < (row.recorded_at, row.id) {
                *kept = row;
            }
        }
        Self { by_key }
    }

    /// For each unit the row that decides. Of several calendars of one unit, one that stands on another goes
    /// before one that stands alone (it is the base of the other, most likely), then the one recorded last.
    fn owners(&self) -> impl Iterator<Item = (Option<UnitId>, &'a Versioned<CalendarYear>)> {
        let mut owners: BTreeMap<_, &'a Versioned<CalendarYear>> = BTreeMap::new();
        let rank = |row: &Versioned<CalendarYear>| (row.row.base.is_some(), row.recorded_at, row.id);
        for row in self.by_key.values() {
            let kept = owners.entry(row.row.unit).or_insert(row);
            if rank(kept) < rank(row) {
                *kept = row;
            }
        }
        owners.into_iter()
    }

    /// The calendar `name` as a base: everybody's, or the one recorded last.
    fn base(&self, name: &str) -> Option<&'a Versioned<CalendarYear>> {
        self.by_key
            .iter()
            .filter(|((calendar, _), _)| *calendar == name)
            .map(|(_, row)| *row)
            .max_by_key(|row| (row.row.unit.is_none(), row.recorded_at, row.id))
    }

    fn laid_together(&self, top: &'a Versioned<CalendarYear>) -> Year {
        let mut days: BTreeMap<Date, Day> = BTreeMap::new();
        let mut editions = Vec::new();
        let mut is_provisional = false;
        let mut next = Some(top);
        for _ in 0..BASES_MAX {
            let Some(layer) = next else { break };
            let row = &layer.row;
            editions.push(format!("{} {}", row.calendar, row.edition));
            is_provisional |= row.is_provisional;
            for day in days_of(row) {
                days.entry(day.date).or_insert(day);
            }
            next = row.base.as_ref().and_then(|name| self.base(name));
            is_provisional |= row.base.is_some() && next.is_none();
        }
        let edition = editions.join(" + ").into();
        Year { edition, is_provisional, days: days.into_values().collect() }
    }
}

/// The days of a row; those of another year, which no import lets in, are left out. Sorted, so that a row that names a day
/// twice means the same in any order.
fn days_of(row: &CalendarYear) -> Vec<Day> {
    let mut days: Vec<_> = row.days.iter().filter(|day| day.date.year() == row.year).collect();
    days.sort_by_key(|day| (day.date, day.rule, &day.name));
    days.into_iter()
        .map(|day| Day {
            date: day.date,
            kind: DayKind::of_rule(day.rule),
            name: day.name.as_str().into(),
            is_provisional: row.is_provisional,
        })
        .collect()
}

#[cfg(test)]
mod tests;
