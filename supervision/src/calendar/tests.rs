use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;
use crate::UtcMillis;
use crate::register::{CalendarDay, Season, Span};

/// The notices of the State Council's general office, typed from the papers and not from `cn.toml`:
/// first and last free day of each holiday, and the weekends worked.
type Notice = (i16, &'static [(i8, i8, i8, i8)], &'static [(i8, i8)]);
const NOTICES: [Notice; 3] = [
    (
        2024,
        &[
            (1, 1, 1, 1),
            (2, 10, 2, 17),
            (4, 4, 4, 6),
            (5, 1, 5, 5),
            (6, 10, 6, 10),
            (9, 15, 9, 17),
            (10, 1, 10, 7),
        ],
        &[(2, 4), (2, 18), (4, 7), (4, 28), (5, 11), (9, 14), (9, 29), (10, 12)],
    ),
    (
        2025,
        &[(1, 1, 1, 1), (1, 28, 2, 4), (4, 4, 4, 6), (5, 1, 5, 5), (5, 31, 6, 2), (10, 1, 10, 8)],
        &[(1, 26), (2, 8), (4, 27), (9, 28), (10, 11)],
    ),
    (
        2026,
        &[
            (1, 1, 1, 3),
            (2, 15, 2, 23),
            (4, 4, 4, 6),
            (5, 1, 5, 5),
            (6, 19, 6, 21),
            (9, 25, 9, 27),
            (10, 1, 10, 7),
        ],
        &[(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)],
    ),
];

fn rows(years: Vec<CalendarYear>) -> Vec<Versioned<CalendarYear>> {
    (1..).zip(years).map(|(id, year)| Versioned::first(id, UtcMillis(id), year)).collect()
}

fn china() -> TimeZone {
    TimeZone::get("Asia/Shanghai").unwrap()
}

fn calendar_of(years: &[Versioned<CalendarYear>], hours: &[Versioned<WorkingHours>]) -> Calendar {
    Calendar::new(years, hours, &china())
}

fn cn() -> Calendar {
    calendar_of(&rows(builtin("cn").unwrap()), &[])
}

#[test]
fn every_day_of_three_years_is_as_the_notices_say() {
    let calendar = cn();
    for (year, off, work) in NOTICES {
        let mut day = date(year, 1, 1);
        while day.year() == year {
            let key = (day.month(), day.day());
            let is_off = off.iter().any(|&(m, d, to_m, to_d)| (m, d) <= key && key <= (to_m, to_d));
            let is_weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
            let expected = if is_off {
                DayKind::Holiday
            } else if work.contains(&key) {
                DayKind::MakeupWorkday
            } else if is_weekend {
                DayKind::Weekend
            } else {
                DayKind::Workday
            };
            let found = calendar.day(&[UnitId(7), UnitId(1)], day);
            assert_eq!(found.kind, expected, "{day}");
            assert!(!found.is_provisional, "{day}");
            assert_eq!(&*found.edition, format!("cn {year}.1"), "{day}");
            day = day.tomorrow().unwrap();
        }
    }
}

#[test]
fn free_days_add_up_to_what_the_papers_printed() {
    let count = |year: i16, rule: DayRule| {
        let years = builtin("cn").unwrap();
        let year = years.into_iter().find(|row| row.year == year).unwrap();
        year.days.iter().filter(|day| day.rule == rule).count()
    };
    // 1+8+3+5+1+3+7, 1+8+3+5+3+8, 3+9+3+5+3+3+7.
    assert_eq!([2024, 2025, 2026].map(|year| count(year, DayRule::Holiday)), [28, 28, 33]);
    assert_eq!([2024, 2025, 2026].map(|year| count(year, DayRule::MakeupWorkday)), [8, 5, 6]);
    let notices: Vec<_> = builtin("cn").unwrap().into_iter().map(|year| year.notice).collect();
    assert_eq!(notices, ["国办发明电〔2023〕7号", "国办发明电〔2024〕12号", "国办发明电〔2025〕7号"]);
    for year in builtin("cn").unwrap() {
        check_year(&year).unwrap();
    }
    assert_eq!(builtin("de"), None);
}

#[test]
fn spring_festival_of_2026_is_nine_days_between_two_worked_saturdays() {
    let calendar = cn();
    let day = |month, day| calendar.day(&[], date(2026, month, day));
    assert_eq!(day(2, 14).kind, DayKind::MakeupWorkday);
    assert_eq!(day(2, 14).name.as_deref(), Some("春节"));
    for free in 15..=23 {
        assert_eq!(day(2, free).kind, DayKind::Holiday);
        assert_eq!(day(2, free).name.as_deref(), Some("春节"));
        assert!(day(2, free).kind.is_rest_day());
    }
    assert_eq!(day(2, 24).kind, DayKind::Workday);
    assert_eq!(day(2, 28).kind, DayKind::MakeupWorkday);
    assert!(!day(2, 28).kind.is_rest_day());
}

#[test]
fn the_eve_of_2024_was_only_encouraged() {
    let info = cn().day(&[], date(2024, 2, 9));
    assert_eq!((info.kind, info.name, info.is_provisional), (DayKind::Workday, None, false));
}

#[test]
fn years_without_a_notice_know_weekends_only() {
    for (day, kind) in [
        (date(2027, 10, 1), DayKind::Workday),
        (date(2027, 10, 2), DayKind::Weekend),
        (date(2023, 10, 2), DayKind::Workday),
    ] {
        let info = cn().day(&[UnitId(1)], day);
        assert_eq!((info.kind, info.is_provisional, &*info.edition), (kind, true, "none"), "{day}");
    }
}

#[test]
fn a_provisional_year_says_so_until_the_notice_is_out() {
    let text = "calendar = \"cn\"\n[[year]]\nyear = 2027\nedition = \"2027.0\"\nprovisional = true\n";
    let mut all = rows(parse_toml(text).unwrap());
    assert!(calendar_of(&all, &[]).day(&[], date(2027, 1, 4)).is_provisional);
    let mut notice = all[0].clone();
    notice.version = 2;
    notice.row.is_provisional = false;
    notice.row.edition = "2027.1".to_owned();
    all.insert(0, notice);
    let info = calendar_of(&all, &[]).day(&[], date(2027, 1, 4));
    assert_eq!((info.is_provisional, &*info.edition), (false, "cn 2027.1"));
}

#[test]
fn a_row_counts_for_its_whole_year_and_until_it_ends() {
    // Noon of 2026-07-01 in China.
    let july = UtcMillis(1_782_878_400_000);
    let free = |day| local(5, None, &[(date(2026, day, 6), DayRule::Holiday, "")]);
    // Recorded in the middle of the year to be valid from then on: it is about February all the same.
    let late = Versioned::first(1, july, free(2)).during(Span { from: july, to: None });
    let calendar = calendar_of(&[late], &[]);
    assert_eq!(calendar.day(&[UnitId(5)], date(2026, 2, 6)).kind, DayKind::Holiday);
    // Amended from July on: what was before stays.
    let before = Versioned::first(1, UtcMillis(0), free(2)).during(Span::new(UtcMillis(0), july));
    let mut after = Versioned::first(1, july, free(8)).during(Span { from: july, to: None });
    after.version = 2;
    let calendar = calendar_of(&[after, before.clone()], &[]);
    assert_eq!(calendar.day(&[UnitId(5)], date(2026, 2, 6)).kind, DayKind::Holiday);
    assert_eq!(calendar.day(&[UnitId(5)], date(2026, 8, 6)).kind, DayKind::Holiday);
    // Ended: nothing is known from then on.
    let calendar = calendar_of(&[before], &[]);
    assert!(!calendar.day(&[UnitId(5)], date(2026, 6, 30)).is_provisional);
    assert!(calendar.day(&[UnitId(5)], date(2026, 7, 1)).is_provisional);
}

fn local(unit: i64, base: Option<&str>, days: &[(Date, DayRule, &str)]) -> CalendarYear {
    CalendarYear {
        calendar: "xz".to_owned(),
        base: base.map(str::to_owned),
        unit: Some(UnitId(unit)),
        year: 2026,
        edition: "2026.1".to_owned(),
        days: days
            .iter()
            .map(|&(date, rule, name)| CalendarDay { date, rule, name: name.to_owned() })
            .collect(),
        ..CalendarYear::default()
    }
}

#[test]
fn a_local_calendar_wins_for_its_unit_and_those_below() {
    let eve = date(2026, 2, 18);
    let new_year = date(2026, 2, 27);
    let mut years = builtin("cn").unwrap();
    years.push(local(
        5,
        Some("cn"),
        &[(new_year, DayRule::Holiday, "藏历新年"), (date(2026, 5, 9), DayRule::Holiday, "")],
    ));
    let calendar = calendar_of(&rows(years), &[]);
    for units in [&[UnitId(5)][..], &[UnitId(50), UnitId(5), UnitId(1)]] {
        let info = calendar.day(units, new_year);
        assert_eq!((info.kind, info.name.as_deref()), (DayKind::Holiday, Some("藏历新年")));
        assert_eq!(&*info.edition, "xz 2026.1 + cn 2026.1");
        // The base still counts, and a local day goes before it.
        assert_eq!(calendar.day(units, eve).kind, DayKind::Holiday);
        assert_eq!(calendar.day(units, date(2026, 5, 9)).kind, DayKind::Holiday);
        // A year for which there is no local calendar.
        assert_eq!(calendar.day(units, date(2025, 10, 1)).kind, DayKind::Holiday);
    }
    assert_eq!(calendar.day(&[UnitId(6), UnitId(1)], new_year).kind, DayKind::Workday);
    assert_eq!(calendar.day(&[UnitId(6), UnitId(1)], date(2026, 5, 9)).kind, DayKind::MakeupWorkday);
}

#[test]
fn a_missing_base_leaves_only_the_named_days_certain() {
    let calendar =
        calendar_of(&rows(vec![local(5, Some("cn"), &[(date(2026, 7, 1), DayRule::Holiday, "")])]), &[]);
    let day = |day| calendar.day(&[UnitId(5)], date(2026, 7, day));
    assert_eq!((day(1).kind, day(1).is_provisional), (DayKind::Holiday, false));
    assert_eq!((day(2).kind, day(2).is_provisional), (DayKind::Workday, true));
}

#[test]
fn bases_that_go_round_end() {
    let mut one = local(5, Some("cn"), &[]);
    let mut two = local(6, Some("xz"), &[(date(2026, 7, 1), DayRule::Holiday, "")]);
    one.calendar = "xz".to_owned();
    two.calendar = "cn".to_owned();
    let calendar = calendar_of(&rows(vec![one, two]), &[]);
    assert_eq!(calendar.day(&[UnitId(5)], date(2026, 7, 1)).kind, DayKind::Holiday);
}

#[test]
fn files_of_operators_fail_with_the_line() {
    let with = |off: &str, work: &str| {
        format!(
            "calendar = \"xz\"\nbase = \"cn\"\n\n[[year]]\nyear = 2026\nedition = \"1\"\nholiday = [\n  \
             {{ name = \"x\", off = [{off}], work = [{work}] }},\n]\n"
        )
    };
    let fails = |text: &str| parse_toml(text).unwrap_err().to_string();
    assert_eq!(fails(&with("\"2025-12-31\"", "")), "line 8: 2025-12-31 is not in 2026");
    assert_eq!(
        fails(&with("\"2026-07-01..2026-07-03\", \"2026-07-02\"", "")),
        "line 8: 2026-07-02 is named twice"
    );
    assert_eq!(
        fails(&with("", "\"2026-07-01\"")),
        "line 8: 2026-07-01 is no Saturday or Sunday, so it can't be a make-up workday"
    );
    assert_eq!(
        fails(&with("\"2026-07-03..2026-07-01\"", "")),
        "line 8: the range \"2026-07-03..2026-07-01\" ends before it begins"
    );
    assert_eq!(fails(&with("\"2026-01-01..9999-12-31\"", "")), "line 8: 9999-12-31 is not in 2026");
    assert!(fails(&with("\"2026-02-30\"", "")).contains("\"2026-02-30\" is not a date"));
    assert_eq!(
        fails("calendar = \"x\"\n[[year]]\nyear = 1\nedition = \"\"\n[[year]]\nyear = 1\nedition = \"\"\n"),
        "line 6: the year 1 is there twice"
    );
    assert_eq!(fails("calendar = \" \"\n"), "line 1: the calendar has no name");
    assert_eq!(fails("calendar = \"cn\"\nbase = \"cn\"\n"), "line 1: the calendar is its own base");
    let syntax = fails("calendar = \"x\"\n[[year]]\nyear = 2026\nedition = 3\n");
    assert!(syntax.contains("line 4"), "{syntax}");
    assert!(fails("calendar = \"x\"\ncolour = 1\n").contains("colour"));
}

#[test]
fn rows_that_come_from_no_file_are_checked_too() {
    let two = date(2026, 7, 4);
    let twice = local(1, None, &[(two, DayRule::Holiday, ""), (two, DayRule::MakeupWorkday, "")]);
    assert_eq!(check_year(&twice).unwrap_err().to_string(), "2026-07-04 is named twice");
    let outside = local(1, None, &[(date(2025, 7, 4), DayRule::Holiday, "")]);
    assert_eq!(check_year(&outside).unwrap_err().to_string(), "2025-07-04 is not in 2026");
}

/// First and last month and day, opening and closing minute.
type SeasonRow = ((u8, u8), (u8, u8), u16, u16);

fn hours(unit: Option<i64>, seasons: &[SeasonRow]) -> WorkingHours {
    WorkingHours {
        unit: unit.map(UnitId),
        seasons: seasons
            .iter()
            .map(|&(from, to, opens_min, closes_min)| Season { from, to, opens_min, closes_min })
            .collect(),
    }
}

#[test]
fn hours_go_by_season_and_the_nearest_unit() {
    let all = [
        Versioned::first(1, UtcMillis(1), hours(None, &[((1, 1), (12, 31), 420, 1_140)])),
        // Summer, and a winter that crosses new year.
        Versioned::first(
            2,
            UtcMillis(2),
            hours(Some(5), &[((5, 1), (9, 30), 450, 1_110), ((11, 1), (2, 28), 510, 1_050)]),
        ),
    ];
    let calendar = calendar_of(&[], &all);
    let on = |units: &[UnitId], month, day| calendar.hours(units, date(2026, month, day), (400, 1_200));
    let unit = [UnitId(50), UnitId(5), UnitId(1)];
    assert_eq!(on(&unit, 5, 1), (450, 1_110));
    assert_eq!(on(&unit, 9, 30), (450, 1_110));
    assert_eq!(on(&unit, 12, 31), (510, 1_050));
    assert_eq!(on(&unit, 1, 1), (510, 1_050));
    assert_eq!(on(&unit, 2, 28), (510, 1_050));
    assert_eq!(on(&unit, 3, 1), (400, 1_200));
    assert_eq!(on(&[UnitId(1)], 3, 1), (420, 1_140));
    assert_eq!(calendar_of(&[], &[]).hours(&unit, date(2026, 3, 1), (400, 1_200)), (400, 1_200));
}

#[test]
fn hours_hold_from_the_day_on_which_they_are_valid() {
    // Midnight of 2026-05-01 in China.
    let may = UtcMillis(1_777_564_800_000);
    let new = Versioned::first(2, UtcMillis(9), hours(Some(5), &[((1, 1), (12, 31), 450, 1_110)]))
        .during(Span { from: may, to: None });
    let old = Versioned::first(1, UtcMillis(1), hours(Some(5), &[((1, 1), (12, 31), 480, 1_080)]));
    let calendar = calendar_of(&[], &[new, old]);
    assert_eq!(calendar.hours(&[UnitId(5)], date(2026, 4, 30), (0, 0)), (480, 1_080));
    assert_eq!(calendar.hours(&[UnitId(5)], date(2026, 5, 1), (0, 0)), (450, 1_110));
}

#[test]
fn a_day_is_one_of_the_zone_wherever_that_is() {
    let new_york = TimeZone::get("America/New_York").unwrap();
    let midnight =
        |day: Date| UtcMillis(day.to_zoned(new_york.clone()).unwrap().timestamp().as_millisecond());
    // Midnight of 2026-01-12 there is 05:00 UTC.
    let monday = midnight(date(2026, 1, 12));
    let old = Versioned::first(1, UtcMillis(1), hours(Some(5), &[((1, 1), (12, 31), 480, 1_080)]));
    let new = Versioned::first(2, UtcMillis(9), hours(Some(5), &[((1, 1), (12, 31), 450, 1_110)]))
        .during(Span { from: monday, to: None });
    let calendar = Calendar::new(&[], &[old, new], &new_york);
    assert_eq!(calendar.hours(&[UnitId(5)], date(2026, 1, 11), (0, 0)), (480, 1_080));
    assert_eq!(calendar.hours(&[UnitId(5)], date(2026, 1, 12), (0, 0)), (450, 1_110));

    let year = |edition: &str, day| CalendarYear {
        edition: edition.to_owned(),
        ..local(5, None, &[(day, DayRule::Holiday, "")])
    };
    let before = Versioned::first(1, UtcMillis(1), year("1", date(2026, 1, 12)))
        .during(Span { from: UtcMillis(0), to: Some(monday) });
    let mut after = before.clone().during(Span { from: monday, to: None });
    (after.version, after.row) = (2, year("2", date(2026, 1, 13)));
    let calendar = Calendar::new(&[before, after], &[], &new_york);
    let kind = |day| calendar.day(&[UnitId(5)], date(2026, 1, day)).kind;
    assert_eq!((kind(11), kind(12), kind(13)), (DayKind::Weekend, DayKind::Workday, DayKind::Holiday));
}

#[test]
fn wrong_hours_are_refused() {
    let one = |from, to, opens, closes| check_hours(&hours(None, &[(from, to, opens, closes)]));
    assert_eq!(one((1, 1), (2, 29), 480, 1_440), Ok(()));
    assert_eq!(one((2, 30), (3, 1), 480, 1_080), Err(HoursError::NoSuchDay { season: 1, month: 2, day: 30 }));
    assert_eq!(
        one((1, 1), (200, 1), 480, 1_080),
        Err(HoursError::NoSuchDay { season: 1, month: 200, day: 1 })
    );
    assert_eq!(one((1, 1), (2, 1), 1_080, 480), Err(HoursError::NotOrdered { season: 1 }));
    assert_eq!(one((1, 1), (2, 1), 480, 1_441), Err(HoursError::NotOrdered { season: 1 }));
    let many = hours(None, &[((1, 1), (2, 1), 480, 1_080); SEASONS_MAX + 1]);
    assert_eq!(check_hours(&many), Err(HoursError::TooManySeasons(SEASONS_MAX + 1)));
}

fn any_year() -> impl Strategy<Value = Versioned<CalendarYear>> {
    let days = prop::collection::vec((1_i8..4, 1_i8..8, any::<bool>()), 0..8);
    (1_i64..6, 1_u32..4, 0_i64..4, 0_usize..3, 0_usize..4, prop::option::of(1_i64..3), days).prop_map(
        |(id, version, recorded_at, name, base, unit, days)| {
            let names = ["cn", "xz", "gx"];
            let days = days.into_iter().map(|(month, day, is_free)| CalendarDay {
                date: date(2026, month, day),
                rule: if is_free { DayRule::Holiday } else { DayRule::MakeupWorkday },
                name: format!("{id}/{version}"),
            });
            let row = CalendarYear {
                calendar: names[name].to_owned(),
                base: names.get(base).map(|&base| base.to_owned()),
                unit: unit.map(UnitId),
                year: 2026,
                edition: format!("{id}.{version}"),
                days: days.collect(),
                ..CalendarYear::default()
            };
            Versioned {
                version,
                recorded_at: UtcMillis(recorded_at),
                ..Versioned::first(id, UtcMillis(0), row)
            }
        },
    )
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_matter(
        (rows, shuffled) in prop::collection::vec(any_year(), 0..8)
            .prop_map(|mut rows| {
                // A register has one row for a version.
                rows.sort_by_key(|row| (row.id, row.version));
                rows.dedup_by_key(|row| (row.id, row.version));
                rows
            })
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let (one, other) = (calendar_of(&rows, &[]), calendar_of(&shuffled, &[]));
        for units in [&[][..], &[UnitId(1)], &[UnitId(2), UnitId(1)]] {
            for day in date(2026, 1, 1).series(jiff::ToSpan::days(1)).take(100) {
                prop_assert_eq!(one.day(units, day), other.day(units, day));
            }
        }
    }

    #[test]
    fn a_damaged_file_fails_or_is_still_a_calendar(at in any::<prop::sample::Index>(), with in "[0-9a-z\"\\[=.,#\n-]") {
        let mut text: Vec<_> = include_str!("../../../config/calendars/cn.toml").chars().collect();
        *at.get_mut(&mut text) = with.chars().next().unwrap();
        if let Ok(years) = parse_toml(&text.into_iter().collect::<String>()) {
            for year in years {
                prop_assert_eq!(check_year(&year), Ok(()));
            }
        }
    }
}
