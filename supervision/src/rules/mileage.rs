//! R12 里程不符: the order's form, the odometer and the track differ.

use super::asking::{excused, is_tracked_to, near_limit, poor_track};
use super::unseen::was_set;
use crate::UtcMillis;
use crate::finding::{Excuse, Finding, Measure, Nature, Rule};
use crate::judge::{Draft, Matched, VehicleDay};
use crate::point::Point;
use crate::register::Order;
use crate::trips::{DistanceSource, TripKind};

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    out.extend(forms(day));
    out.extend(odometer(day));
}

/// Whether two distances differ by more than both limits. Of the greater of the two.
fn differs(day: &VehicleDay<'_>, one: i64, other: i64) -> bool {
    let params = &day.settings.params.r12;
    let difference = (one - other).abs();
    let most = one.max(other);
    difference > i64::from(params.differs_m)
        && difference.saturating_mul(100) > most.saturating_mul(i64::from(params.differs_pct))
}

fn draft(day: &VehicleDay<'_>, track_m: i64, other: Measure) -> Draft {
    let params = &day.settings.params.r12;
    let difference = (track_m - other.value).abs();
    let limit = i64::from(params.differs_m);
    let draft = Draft::new(Rule::R12, day, params)
        .measure(Measure::against("difference_m", difference, limit))
        .measure(Measure::of("track_m", track_m))
        .measure(other);
    excused(draft, near_limit(difference, limit))
}

/// What the form of an order says was driven, metres.
fn written_m(order: &Order) -> Option<i64> {
    let by_odometer =
        order.odometer_in_m.zip(order.odometer_out_m).map(|(back, out)| i64::from(back) - i64::from(out));
    by_odometer.or_else(|| order.distance_m.map(i64::from))
}

/// The forms of orders whose first trip began on this day, once their time is over.
fn forms(day: &VehicleDay<'_>) -> Vec<Finding> {
    let mut judged: Vec<i64> = Vec::new();
    let mut found = Vec::new();
    for order in day.trips.iter().filter_map(|matched| matched.order) {
        let end = order.row.planned_in;
        if judged.contains(&order.id) || day.history.known_to < end || !is_tracked_to(day, end) {
            continue;
        }
        judged.push(order.id);
        let belongs = |past: &&Matched<'_>| past.order.is_some_and(|other| other.id == order.id);
        let trips: Vec<_> = day.past.iter().filter(belongs).collect();
        let is_first = trips.first().is_some_and(|first| first.trip.start >= day.from);
        let (Some(written), true, Some(last)) = (written_m(&order.row), is_first, trips.last()) else {
            continue;
        };
        let track: i64 = trips.iter().map(|past| i64::from(past.trip.distance_m)).sum();
        if !differs(day, written, track) {
            continue;
        }
        let starts: Vec<_> = trips.iter().map(|past| past.trip.start).collect();
        let from = starts.first().copied().unwrap_or(day.from);
        let draft = draft(day, track, Measure::of("written_m", written))
            .aspect("order_form")
            .during(from, last.trip.end)
            .with(|finding| finding.trips = starts)
            .word("order_no", order.row.no.clone());
        let draft = excused(draft, day.excuses(from, last.trip.end, None));
        found.push(excused(draft, trips.iter().find_map(|past| poor_track(past.trip))).finish());
    }
    found
}

/// What the odometer counted over the day's trips, held against the fixes: a matter of the device.
fn odometer(day: &VehicleDay<'_>) -> Option<Finding> {
    let mut counted = 0;
    let mut track = 0;
    let mut excuse: Option<Excuse> = None;
    for trip in day.trips.iter().map(|matched| matched.trip) {
        let by_fixes = matches!(trip.distance_source, DistanceSource::Fixes | DistanceSource::FixesBridged);
        if trip.kind != TripKind::Trip || !by_fixes {
            continue;
        }
        let Some(by_odometer) = counted_m(day.points(trip.start, trip.end)) else { continue };
        counted += by_odometer;
        track += i64::from(trip.distance_m);
        excuse = excuse.or_else(|| poor_track(trip));
    }
    (track > 0 && differs(day, counted, track)).then(|| {
        let draft = draft(day, track, Measure::of("odometer_m", counted));
        excused(draft.aspect("odometer").nature(Nature::Equipment), excuse).finish()
    })
}

/// What the odometer counted on a trip, metres. `None` when it said nothing for a part of it (0 is no reading) or was set: how it counts can't be
/// told from that.
fn counted_m(points: &[Point]) -> Option<i64> {
    let readings: Vec<_> = points.iter().filter_map(|point| Some((point.time, point.odometer_m?))).collect();
    let mut steps = readings.iter().zip(readings.iter().skip(1));
    if steps.any(|((from, before), (to, after))| was_set(*before, *after, seconds(*from, *to))) {
        return None;
    }
    let [(_, first), .., (_, last)] = readings.as_slice() else { return None };
    Some(i64::from(*last) - i64::from(*first))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a trip are far below 2^53")]
const fn seconds(from: UtcMillis, to: UtcMillis) -> f64 {
    to.0.saturating_sub(from.0) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::*;

    const DAY: &str = "2026-04-08";

    /// 40 km there and back, and a form.
    fn form(change: impl Fn(&mut Order)) -> Scene {
        let mut scene = Scene::new();
        change(&mut scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(20_000.0, 0.0)).row);
        scene.drive("2026-04-08 09:00", "2026-04-08 09:30", place(20_000.0, 0.0));
        scene.drive("2026-04-08 14:00", "2026-04-08 14:30", DEPOT_AT);
        scene
    }

    #[test]
    fn a_form_that_says_more_than_five_kilometres_and_a_tenth_more_is_a_flag() {
        form(|order| order.distance_m = Some(45_000)).clear(Rule::R12, DAY);
        let found = form(|order| order.distance_m = Some(45_001)).flag(Rule::R12, DAY);
        assert_eq!(found.measures[0], Measure::against("difference_m", 5_001, 5_000));
        assert_eq!((found.aspect.as_ref(), found.trips.len()), ("order_form", 2));
        let odometers = |out: u32, back: u32| {
            form(|order| (order.odometer_out_m, order.odometer_in_m) = (Some(out), Some(back)))
        };
        let _ = odometers(10_000, 70_000).flag(Rule::R12, DAY);
        odometers(10_000, 51_000).clear(Rule::R12, DAY);
        form(|_| ()).clear(Rule::R12, DAY);
    }

    #[test]
    fn an_odometer_that_differs_from_the_fixes_is_a_matter_of_the_device() {
        let mut scene = form(|_| ());
        if let Some(crate::trips::Segment::Trip(trip)) = scene.segments.last_mut() {
            (trip.distance_m, trip.distance_source) = (10_000, DistanceSource::Fixes);
        }
        let found = scene.flag(Rule::R12, DAY);
        assert_eq!((found.aspect.as_ref(), found.nature), ("odometer", Nature::Equipment));
    }
    #[test]
    fn an_odometer_that_was_not_read_or_was_set_says_nothing_of_how_it_counts() {
        let with = |change: fn(&mut Vec<Option<u32>>)| {
            let mut scene = form(|_| ());
            for segment in &mut scene.segments {
                if let crate::trips::Segment::Trip(trip) = segment {
                    trip.distance_source = DistanceSource::Fixes;
                }
            }
            let mut readings: Vec<_> = scene.points.iter().map(|point| point.odometer_m).collect();
            change(&mut readings);
            for (point, reading) in scene.points.iter_mut().zip(readings) {
                point.odometer_m = reading;
            }
            scene
        };
        with(|_| ()).clear(Rule::R12, DAY);
        with(|readings| readings[0] = Some(0)).clear(Rule::R12, DAY);
        with(|readings| readings[..30].fill(Some(0))).clear(Rule::R12, DAY);
        with(|readings| {
            readings[30..].iter_mut().for_each(|reading| *reading = reading.map(|m| m + 900_000))
        })
        .clear(Rule::R12, DAY);
        // One reading that is far too high, in the middle and at the end.
        with(|readings| readings[30] = Some(90_000_000)).clear(Rule::R12, DAY);
        with(|readings| readings[60] = Some(90_000_000)).clear(Rule::R12, DAY);
        // It stands still while the car drives.
        let _ = with(|readings| readings.fill(Some(50_000_000))).flag(Rule::R12, DAY);
    }
}
