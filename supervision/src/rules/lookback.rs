//! How far rules look back, and the days and trips that they find there.
//!
//! Every count over past days is bounded by [`LOOK_BACK_DAYS`], whatever more a history happens to hold: what a rule says about a day
//! must not depend on how many days were asked about.

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};

use crate::UtcMillis;
use crate::calendar::DayInfo;
use crate::judge::{LOOK_BACK_DAYS, Matched, VehicleDay};
use crate::trips::{Segment, TripKind};

/// The day `days` after `date`, or before it when negative; the ends of the calendar hold.
pub(super) fn shifted(date: Date, days: i64) -> Date {
    Span::new().try_days(days).map_or(date, |span| date.saturating_add(span))
}

/// The first instant that a rule may look at.
pub(super) fn earliest(day: &VehicleDay<'_>) -> UtcMillis {
    day.world.instant(shifted(day.day, -LOOK_BACK_DAYS), 0)
}

/// Of the judged day and those before it the last `count` that are `wanted`, the latest first.
pub(super) fn last_days(
    day: &VehicleDay<'_>,
    count: u32,
    wanted: impl Fn(Date, &DayInfo) -> bool,
) -> Vec<Date> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    (0..=LOOK_BACK_DAYS)
        .map(|back| shifted(day.day, -back))
        .filter(|date| wanted(*date, &day.world.day(&day.units, *date)))
        .take(count)
        .collect()
}

/// First instant of `date` and first instant after it.
pub(super) fn bounds(day: &VehicleDay<'_>, date: Date) -> (UtcMillis, UtcMillis) {
    (day.world.instant(date, 0), day.world.instant(date.saturating_add(1.day()), 0))
}

/// The trips (not mere moves) of the history that began on `date`, in order.
pub(super) fn trips_on<'d, 'a>(
    day: &'d VehicleDay<'a>,
    date: Date,
) -> impl Iterator<Item = &'d Matched<'a>> + use<'d, 'a> {
    let (from, to) = bounds(day, date);
    day.past.iter().filter(move |matched| {
        let trip = matched.trip;
        trip.kind == TripKind::Trip && from <= trip.start && trip.start < to
    })
}

/// Whether the track reaches back to `at`, as far as a rule may look.
pub(super) fn is_known_since(day: &VehicleDay<'_>, at: UtcMillis) -> bool {
    let begin = day.history.segments.first().map(Segment::start);
    earliest(day) <= at && begin.is_some_and(|begin| begin <= at)
}
