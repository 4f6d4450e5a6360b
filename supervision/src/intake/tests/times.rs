//! Times in every form that comes.

use jiff::civil::date;
use jiff::tz::TimeZone;

use super::super::Cell;
use super::super::values::serial::{Epoch, date_time, time_of_day};
use super::super::values::{LocalTime, TimeDoubt, clock_minutes, moment, month_day};
use super::at;

fn beijing() -> LocalTime {
    LocalTime(TimeZone::get("Asia/Shanghai").unwrap())
}

#[test]
fn local_times_are_those_of_the_files_zone() {
    for written in [
        "2026-03-05 08:30",
        "2026-03-05T08:30:00",
        "2026/3/5 8:30",
        "2026.3.5 8:30:00",
        "2026年3月5日 8时30分",
        "2026年3月5日8点30分",
        "2026年03月05日 08:30:00",
        "2026-3-5 上午8:30",
        "2026/3/5 8:30 AM",
        "２０２６－０３－０５　０８：３０",
        "202603050830",
        "20260305083000",
        "46086.354166666664",
        "1772670600",
        "1772670600000",
        "2026-03-05T00:30:00Z",
        "2026-03-05T08:30:00+08:00",
        "2026-03-05 09:30:00 +0900",
        "2026-03-04T19:30:00.000-05:00",
    ] {
        let read = moment(&Cell::text(written), &beijing());
        assert_eq!(
            read.map(|moment| (moment.at, moment.day)),
            Ok((at("2026-03-05T00:30:00Z"), None)),
            "{written}"
        );
    }
    let evening = moment(&Cell::text("2026年3月5日 下午8时"), &beijing()).unwrap();
    assert_eq!(evening.at, at("2026-03-05T12:00:00Z"));
    let midnight = moment(&Cell::text("2026-03-05 24:00"), &beijing()).unwrap();
    assert_eq!((midnight.at, midnight.day), (at("2026-03-05T16:00:00Z"), None));
    let fraction = moment(&Cell::text("2026-03-05 08:30:00.25"), &beijing()).unwrap();
    assert_eq!(fraction.at, at("2026-03-05T00:30:00.250Z"));
}

#[test]
fn a_day_alone_is_marked() {
    for written in ["2026-03-05", "2026/3/5", "2026年3月5日", "20260305", "46086"] {
        let read = moment(&Cell::text(written), &beijing()).unwrap();
        assert_eq!((read.at, read.day), (at("2026-03-04T16:00:00Z"), Some(date(2026, 3, 5))), "{written}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    for written in [
        "明天",
        "2026-13-05",
        "2026-02-30",
        "2026-03-05 25:00",
        "8:30",
        "05/03/2026",
        "2026-03-05 08:30 x",
        "60",
    ] {
        assert_eq!(moment(&Cell::text(written), &beijing()), Err(TimeDoubt::NotATime), "{written}");
    }
    for written in ["1989-12-31 08:00", "2101-01-02", "0001-01-01", "9999-12-31"] {
        assert_eq!(moment(&Cell::text(written), &beijing()), Err(TimeDoubt::OutOfRange), "{written}");
    }
}

#[test]
fn times_that_the_clocks_skip_or_repeat_are_refused() {
    // China put its clocks forward on 1991-04-14 at 02:00 and back on 1991-09-15 at 02:00, for the last time.
    let text = |text| moment(&Cell::text(text), &beijing());
    assert_eq!(text("1991-04-14 02:30"), Err(TimeDoubt::Skipped));
    assert_eq!(text("1991-09-15 01:30"), Err(TimeDoubt::Twice));
    assert_eq!(text("1991-09-15 01:30 +08:00").unwrap().at, at("1991-09-14T17:30:00Z"));
    assert_eq!(text("1991-07-01 12:00").unwrap().at, at("1991-07-01T03:00:00Z"));
}

#[test]
fn serial_dates_count_from_either_epoch() {
    let at = |year, month, day, hour, minute| Some(date(year, month, day).at(hour, minute, 0, 0));
    assert_eq!(date_time(1.0, Epoch::Year1900), at(1900, 1, 1, 0, 0));
    assert_eq!(date_time(59.0, Epoch::Year1900), at(1900, 2, 28, 0, 0));
    assert_eq!(date_time(60.0, Epoch::Year1900), None);
    assert_eq!(date_time(61.0, Epoch::Year1900), at(1900, 3, 1, 0, 0));
    assert_eq!(
        date_time(46_086.354_166_67, Epoch::Year1900).map(|local| local.date()),
        Some(date(2026, 3, 5))
    );
    assert_eq!(date_time(0.0, Epoch::Year1904), at(1904, 1, 1, 0, 0));
    // The two epochs lie 1462 days apart.
    assert_eq!(date_time(46_086.5 - 1_462.0, Epoch::Year1904), at(2026, 3, 5, 12, 0));
    for number in [-1.0, f64::NAN, f64::INFINITY, 2_958_466.0, 1e300] {
        assert_eq!(date_time(number, Epoch::Year1900), None, "{number}");
    }
    assert_eq!(time_of_day(0.75).map(|time| time.hour()), Some(18));
    assert_eq!(time_of_day(1.0), None);
}

#[test]
fn times_of_day_and_days_of_the_year() {
    assert_eq!(clock_minutes(&Cell::text("8:30")), Some(510));
    assert_eq!(clock_minutes(&Cell::text("24:00")), Some(1_440));
    assert_eq!(clock_minutes(&Cell::text("18时")), Some(1_080));
    assert_eq!(clock_minutes(&Cell::Number(0.5)), Some(720));
    assert_eq!(clock_minutes(&Cell::text("25:00")), None);
    for written in ["10-01", "10月1日", "10/1", "2026-10-01"] {
        assert_eq!(month_day(&Cell::text(written)), Some((10, 1)), "{written}");
    }
    assert_eq!(month_day(&Cell::text("2-29")), Some((2, 29)));
    assert_eq!(month_day(&Cell::text("2-30")), None);
}
