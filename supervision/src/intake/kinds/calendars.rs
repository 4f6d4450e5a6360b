//! Calendar years and working hours: several rows of a file make one row of the register.

use super::super::headers::{Field, Wanted, optional, required};
use super::super::import::{Draft, Kind};
use super::super::problem::Fault;
use super::super::row_reader::{RowReader, Words, find_word, set, set_some};
use super::super::table::Cell;
use super::super::values::{clock_minutes, month_day, yes_or_no};
use crate::register::{CalendarDay, CalendarYear, DayRule, Season, WorkingHours};

/// The calendar of files that name none.
const USUAL_CALENDAR: &str = "cn";

const DAY_RULES: Words<DayRule> = &[
    (&["放假", "休息", "节假日", "假日", "休", "holiday"], DayRule::Holiday),
    (
        &["调休上班", "上班", "补班", "工作日", "班", "makeup_workday", "makeupworkday", "workday"],
        DayRule::MakeupWorkday,
    ),
];

impl Kind for CalendarYear {
    const WANTED: &'static [Wanted] = &[
        required(Field::Date, "日期"),
        required(Field::DayRule, "安排"),
        optional(Field::Name, "节日名称"),
        optional(Field::Calendar, "日历"),
        optional(Field::Unit, "适用单位"),
        optional(Field::Edition, "版本"),
        optional(Field::Notice, "通知"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        let Self { calendar, unit, year, .. } = &draft.row;
        Some(format!("{calendar} {year} {}", unit.map(|unit| unit.to_string()).unwrap_or_default()))
    }

    fn absorb(&mut self, other: &Self) -> bool {
        let is_new = |day: &CalendarDay| self.days.iter().all(|have| have.date != day.date);
        if !other.days.iter().all(is_new) {
            return false;
        }
        self.days.extend(other.days.iter().cloned());
        self.days.sort_by_key(|day| day.date);
        true
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let year = &mut draft.row;
        set(&mut year.calendar, row.text(Field::Calendar));
        if year.calendar.is_empty() {
            USUAL_CALENDAR.clone_into(&mut year.calendar);
        }
        set_some(&mut year.unit, row.unit(Field::Unit));
        set(&mut year.edition, row.text(Field::Edition));
        set(&mut year.notice, row.text(Field::Notice));
        let (moment, rule, name) = (row.moment(Field::Date), day_rule(row), row.text(Field::Name));
        let (Some(moment), Some(rule)) = (moment, rule) else {
            return;
        };
        let Some(date) = moment.day else {
            row.fault(Field::Date, &Fault::NotATime);
            return;
        };
        year.year = date.year();
        year.days.retain(|day| day.date != date);
        year.days.push(CalendarDay { date, rule, name: name.unwrap_or_default() });
        year.days.sort_by_key(|day| day.date);
    }
}

/// A word, or an answer to "is it free?" (`isOffDay`).
fn day_rule(row: &mut RowReader<'_>) -> Option<DayRule> {
    let given = row.cell(Field::DayRule).as_text().to_lowercase();
    match yes_or_no(&given).filter(|_| find_word(&given, DAY_RULES).is_none()) {
        Some(true) => Some(DayRule::Holiday),
        Some(false) => Some(DayRule::MakeupWorkday),
        None => row.word(Field::DayRule, DAY_RULES),
    }
}

impl Kind for WorkingHours {
    const WANTED: &'static [Wanted] = &[
        optional(Field::Unit, "单位"),
        optional(Field::SeasonFrom, "季节开始"),
        optional(Field::SeasonTo, "季节结束"),
        required(Field::Opens, "最早出车"),
        required(Field::Closes, "最晚收车"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        Some(draft.row.unit.map(|unit| unit.to_string()).unwrap_or_default())
    }

    fn absorb(&mut self, other: &Self) -> bool {
        let shares_days = |season: &Season| self.seasons.iter().any(|have| share_days(have, season));
        if other.seasons.iter().any(shares_days) {
            return false;
        }
        self.seasons.extend_from_slice(&other.seasons);
        true
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        set_some(&mut draft.row.unit, row.unit(Field::Unit));
        let from = field(row, Field::SeasonFrom, month_day);
        let to = field(row, Field::SeasonTo, month_day);
        let opens_min = field(row, Field::Opens, clock_minutes);
        let closes_min = field(row, Field::Closes, clock_minutes);
        let (Some(opens_min), Some(closes_min)) = (opens_min, closes_min) else {
            return;
        };
        if closes_min <= opens_min {
            row.fault(Field::Closes, &Fault::EndsBeforeBegin);
        }
        if from.is_some() != to.is_some() {
            row.fault(if from.is_some() { Field::SeasonTo } else { Field::SeasonFrom }, &Fault::Missing);
        }
        let (from, to) = (from.unwrap_or((1, 1)), to.unwrap_or((12, 31)));
        // The file gives all the hours of a unit: what the register had is replaced, not added to.
        draft.row.seasons = vec![Season { from, to, opens_min, closes_min }];
    }
}

/// What a cell holds, or a fault when it holds something else.
fn field<T>(row: &mut RowReader<'_>, field: Field, parse: impl Fn(&Cell) -> Option<T>) -> Option<T> {
    let cell = row.cell(field);
    if cell.is_empty() {
        return None;
    }
    let parsed = parse(cell);
    if parsed.is_none() {
        row.fault(field, &Fault::NotATime);
    }
    parsed
}

fn share_days(a: &Season, b: &Season) -> bool {
    let holds = |season: &Season, day: (u8, u8)| {
        if season.from <= season.to {
            (season.from..=season.to).contains(&day)
        } else {
            day >= season.from || day <= season.to
        }
    };
    holds(a, b.from) || holds(a, b.to) || holds(b, a.from)
}
