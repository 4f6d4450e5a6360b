//! Working hours by unit and season.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use super::held_versions;
use crate::UtcMillis;
use crate::ids::UnitId;
use crate::register::{Season, Span, Versioned, WorkingHours};

/// Most seasons in one row of working hours.
pub const SEASONS_MAX: usize = 24;

const DAY_MIN: u16 = 24 * 60;

/// Why working hours can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HoursError {
    /// More than [`SEASONS_MAX`].
    #[error("{0} seasons; {SEASONS_MAX} at most")]
    TooManySeasons(usize),
    /// No such month and day. Seasons count from 1.
    #[error("season {season}: there is no day {month:02}-{day:02}")]
    NoSuchDay {
        /// The season, 1 for the first.
        season: usize,
        /// Month as given.
        month: u8,
        /// Day as given.
        day: u8,
    },
    /// Opens after it closes, or after 24:00.
    #[error("season {season}: hours must open before they close, between minute 0 and 1,440")]
    NotOrdered {
        /// The season, 1 for the first.
        season: usize,
    },
}

/// Whether working hours can be taken: real days, hours in order.
///
/// # Errors
/// The first thing wrong, with the number of its season.
pub fn check_hours(hours: &WorkingHours) -> Result<(), HoursError> {
    if hours.seasons.len() > SEASONS_MAX {
        return Err(HoursError::TooManySeasons(hours.seasons.len()));
    }
    for (season, row) in (1..).zip(&hours.seasons) {
        for (month, day) in [row.from, row.to] {
            if !is_day_of_some_year(month, day) {
                return Err(HoursError::NoSuchDay { season, month, day });
            }
        }
        if row.opens_min >= row.closes_min || row.closes_min > DAY_MIN {
            return Err(HoursError::NotOrdered { season });
        }
    }
    Ok(())
}

fn is_day_of_some_year(month: u8, day: u8) -> bool {
    // 2024 is a leap year: 29 February is a day.
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return false };
    Date::new(2024, month, day).is_ok()
}

/// The hours of all units.
#[derive(Clone, Debug, Default)]
pub(super) struct HoursTable {
    /// For each unit its rows, the one recorded last first.
    of: FxHashMap<Option<UnitId>, Vec<(Span, Vec<Season>)>>,
}

impl HoursTable {
    pub(super) fn new(rows: &[Versioned<WorkingHours>]) -> Self {
        let mut held = held_versions(rows);
        held.sort_by_key(|(row, span)| std::cmp::Reverse((row.recorded_at, row.id, *span)));
        let mut of: FxHashMap<_, Vec<_>> = FxHashMap::default();
        for (row, span) in held {
            of.entry(row.row.unit).or_default().push((span, row.row.seasons.clone()));
        }
        Self { of }
    }

    /// The hours on a day; `None` when nobody set any or the day is outside the seasons.
    pub(super) fn on(&self, units: &[UnitId], date: Date, zone: &TimeZone) -> Option<(u16, u16)> {
        let noon = noon_of(date, zone);
        let owners = units.iter().copied().map(Some).chain([None]);
        let seasons = owners
            .filter_map(|owner| self.of.get(&owner))
            .find_map(|rows| rows.iter().find(|(valid, _)| valid.contains(noon)))
            .map(|(_, seasons)| seasons)?;
        seasons.iter().find(|season| holds(season, date)).map(|season| (season.opens_min, season.closes_min))
    }
}

/// Local noon: what holds from a local midnight on holds for the whole day.
pub(super) fn noon_of(date: Date, zone: &TimeZone) -> UtcMillis {
    let noon = zone.to_ambiguous_timestamp(date.at(12, 0, 0, 0)).compatible();
    UtcMillis(noon.map_or(0, |noon| noon.as_millisecond()))
}

fn holds(season: &Season, date: Date) -> bool {
    let day = (date.month().unsigned_abs(), date.day().unsigned_abs());
    if season.from <= season.to {
        (season.from..=season.to).contains(&day)
    } else {
        day >= season.from || day <= season.to
    }
}
