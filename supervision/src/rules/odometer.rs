//! R28 里程回拨: an odometer that goes back, or ahead of the track.
//!
//! Two odometers are looked at: the one that the device reports, and the one that people write on forms, at the
//! pump and in the shop. A device that was worked on, or that starts again from nothing, is no suspicion. Drives that the track did not see are
//! asked about by R10 and R11 and taken off here.

use super::R28;
use super::lookback::{earliest, is_known_since};
use super::whereabouts::moved;
use crate::UtcMillis;
use crate::finding::{Excuse, Finding, Measure, Nature, Rule};
use crate::judge::{Draft, VehicleDay};
use crate::point::Point;
use crate::register::StampKind;
use crate::trips::Segment;

/// A reading below this after a larger one is a counter that began again, metres.
const BEGAN_AGAIN_M: u32 = 10_000;
/// A lower reading counts when so many follow that are lower too: one alone is a slip.
const CONFIRMED_BY: usize = 2;
/// A work order within this of the step explains it, seconds.
const WORK_NEAR_S: i64 = 86_400;

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    let readings: Vec<Reading> = device_readings(day.points(day.from, UtcMillis(day.to.0 - 1))).collect();
    findings.extend(device_back(day, &readings));
    findings.extend(device_ahead(day, &readings));
    findings.extend(forms(day));
}

/// A reading of an odometer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    at: UtcMillis,
    odometer_m: u32,
}

/// What the device reported; 0 is no reading.
fn device_readings(points: &[Point]) -> impl Iterator<Item = Reading> {
    points.iter().filter_map(|point| {
        let odometer_m = point.odometer_m.filter(|metres| *metres > 0)?;
        Some(Reading { at: point.time, odometer_m })
    })
}

/// The greatest step back of the day that stays.
fn device_back(day: &VehicleDay<'_>, readings: &[Reading]) -> Option<Finding> {
    let params = &day.settings.params.r28;
    let mut steps: Vec<(u32, Reading, Reading)> = Vec::new();
    for (n, before) in readings.iter().enumerate() {
        let later = readings.get(n + 1..)?;
        let Some(after) = later.first() else { break };
        let is_confirmed =
            later.iter().take(1 + CONFIRMED_BY).all(|reading| reading.odometer_m < before.odometer_m);
        // One reading that is too high, with lower ones on both sides, is a slip as well.
        let was_as_high = n
            .checked_sub(1)
            .and_then(|n| readings.get(n))
            .is_some_and(|earlier| earlier.odometer_m > after.odometer_m);
        if is_confirmed && was_as_high && later.len() > CONFIRMED_BY {
            steps.push((before.odometer_m - after.odometer_m, *before, *after));
        }
    }
    let (back_m, before, after) = steps.into_iter().max_by_key(|(back_m, before, _)| (*back_m, before.at))?;
    if back_m <= params.back_m || is_worked_on(day, before.at, after.at) {
        return None;
    }
    let began_again = after.odometer_m < BEGAN_AGAIN_M;
    let draft = draft(day, params, if began_again { "began_again" } else { "back" }, before.at, after.at)
        .measure(Measure::against("back_m", i64::from(back_m), i64::from(params.back_m)))
        .measure(Measure::of("before_m", i64::from(before.odometer_m)))
        .measure(Measure::of("after_m", i64::from(after.odometer_m)));
    Some(if began_again { draft.nature(Nature::Equipment).finish() } else { draft.finish() })
}

/// The device's odometer grew more over the day than the track shows. A trip that crosses a midnight is left out on both sides.
fn device_ahead(day: &VehicleDay<'_>, readings: &[Reading]) -> Option<Finding> {
    let (from, to) = whole_trips(day);
    let within = || readings.iter().filter(|reading| from <= reading.at && reading.at <= to);
    let (first, last) = (within().next()?, within().next_back()?);
    let goes_back = within().zip(within().skip(1)).any(|(a, b)| b.odometer_m < a.odometer_m);
    if goes_back || is_worked_on(day, first.at, last.at) {
        return None;
    }
    let grown_m = i64::from(last.odometer_m) - i64::from(first.odometer_m);
    let seen = track(day, first.at, last.at);
    ahead(day, "ahead", *first, *last, grown_m, &seen).map(|draft| draft.nature(Nature::Equipment).finish())
}

/// From the end of a trip that runs into the day to the beginning of one that runs out of it.
fn whole_trips(day: &VehicleDay<'_>) -> (UtcMillis, UtcMillis) {
    let (mut from, mut to) = (day.from, UtcMillis(day.to.0 - 1));
    for segment in day.history.segments {
        if let Segment::Trip(trip) = segment {
            if trip.start < day.from && day.from <= trip.end {
                from = from.max(trip.end);
            }
            if trip.start < day.to && day.to <= trip.end {
                to = to.min(trip.start);
            }
        }
    }
    (from, to)
}

/// What the track knows of a span.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    /// Trips and moves that touch it, metres.
    driven_m: i64,
    /// What the odometer counted in silences beyond the straight way, metres: asked about elsewhere.
    unseen_m: i64,
    /// Whether there were silences at all.
    has_gaps: bool,
}

fn track(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis) -> Track {
    let mut track = Track::default();
    for segment in day.history.segments {
        match segment {
            Segment::Trip(trip) if trip.start <= to && from <= trip.end => {
                track.driven_m += i64::from(trip.distance_m);
            }
            Segment::Gap(gap) if gap.start < to && from < gap.end => {
                let counted_m = gap.odometer_m.map_or(0, i64::from);
                track.unseen_m += (counted_m - i64::from(gap.displacement_m)).max(0);
                track.has_gaps = true;
            }
            _ => {}
        }
    }
    track
}

/// A draft when the growth is more than the track by both limits.
fn ahead(
    day: &VehicleDay<'_>,
    aspect: &'static str,
    first: Reading,
    last: Reading,
    grown_m: i64,
    seen: &Track,
) -> Option<Draft> {
    let params = &day.settings.params.r28;
    let ahead_m = grown_m - seen.unseen_m - seen.driven_m;
    let limit_m = i64::from(params.ahead_m).max(seen.driven_m * i64::from(params.ahead_pct) / 100);
    if ahead_m <= limit_m {
        return None;
    }
    let draft = draft(day, params, aspect, first.at, last.at)
        .measure(Measure::against("ahead_m", ahead_m, limit_m))
        .measure(Measure::of("odometer_m", grown_m))
        .measure(Measure::of("track_m", seen.driven_m));
    Some(if seen.has_gaps { draft.excuse(Excuse::PoorTrack) } else { draft })
}

/// What people wrote: against what they wrote before, and against the track.
fn forms(day: &VehicleDay<'_>) -> Vec<Finding> {
    let params = &day.settings.params.r28;
    let readings = form_readings(day);
    let mut findings = Vec::new();
    for (before, after) in readings.iter().zip(readings.iter().skip(1)) {
        if after.at < day.from || day.to <= after.at || before.at < earliest(day) {
            continue;
        }
        let grown_m = i64::from(after.odometer_m) - i64::from(before.odometer_m);
        if -grown_m > i64::from(params.back_m) {
            let draft = draft(day, params, "form_back", before.at, after.at)
                .measure(Measure::against("back_m", -grown_m, i64::from(params.back_m)))
                .measure(Measure::of("before_m", i64::from(before.odometer_m)))
                .measure(Measure::of("after_m", i64::from(after.odometer_m)));
            findings.push(draft.nature(Nature::Paperwork).finish());
        } else if is_known_since(day, before.at) {
            let seen = track(day, before.at, after.at);
            let ahead = ahead(day, "form_ahead", *before, *after, grown_m, &seen);
            findings.extend(ahead.map(|draft| draft.nature(Nature::Paperwork).finish()));
        }
    }
    findings
}

/// Odometer readings on mileage forms, orders, fuel vouchers and repairs, in order of time.
fn form_readings(day: &VehicleDay<'_>) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    let mut read = |at: Option<UtcMillis>, odometer_m: Option<u32>| {
        readings.extend(at.zip(odometer_m).map(|(at, odometer_m)| Reading { at, odometer_m }));
    };
    for mileage in day.world.mileages(day.id()) {
        read(Some(mileage.row.at), Some(mileage.row.odometer_m));
    }
    for fill in day.world.fuel_fills(day.id()) {
        let is_own = fill.row.stamp.kind == StampKind::Transaction;
        read(is_own.then_some(fill.row.stamp.at), fill.row.odometer_m);
    }
    for repair in day.world.repairs(day.id()) {
        let is_own = repair.row.from.kind == StampKind::Transaction;
        read(is_own.then_some(repair.row.from.at), repair.row.odometer_m);
    }
    for order in day.world.orders(day.id()).filter(|order| order.row.state.can_cover()) {
        read(order.row.actual_out, order.row.odometer_out_m);
        read(order.row.actual_in, order.row.odometer_in_m);
    }
    readings.retain(|reading| reading.odometer_m > 0);
    readings.sort_unstable();
    readings.dedup();
    readings
}

/// Whether a device was worked on, fitted or changed between `from` and `to`.
fn is_worked_on(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis) -> bool {
    let works = |start: UtcMillis, end: UtcMillis| {
        moved(start, -WORK_NEAR_S) <= to && from <= moved(end, WORK_NEAR_S)
    };
    day.world.device_works(day.id()).any(|work| works(work.row.from, work.row.to))
        || day
            .world
            .bindings(day.id())
            .any(|row| row.row.is_primary && from <= row.valid.from && row.valid.from <= to)
}

fn draft(day: &VehicleDay<'_>, params: &R28, aspect: &'static str, from: UtcMillis, to: UtcMillis) -> Draft {
    Draft::new(Rule::R28, day, params)
        .aspect(aspect)
        .during(from, to)
        .with(|finding| finding.excuses.extend(day.excuses(from, to, None)))
}

#[cfg(test)]
mod tests {
    use crate::UtcMillis;
    use crate::finding::{Finding, Nature, Rule};
    use crate::ids::DeviceId;
    use crate::judge::testing::{CAR, DEPOT_AT, Scene, at, place};
    use crate::point::Point;
    use crate::register::{DeviceWork, Mileage, Versioned};

    const DAY: &str = "2026-04-07";

    fn aspects(scene: &Scene) -> Vec<(String, Nature)> {
        let found = scene.found(Rule::R28, DAY).into_iter();
        found.map(|finding: Finding| (finding.aspect.into_owned(), finding.nature)).collect()
    }

    /// The car stands in its depot; readings every minute from 09:00 on, metres.
    fn readings(metres: &[u32]) -> Scene {
        let mut scene = Scene::new();
        for (n, odometer_m) in (0..).zip(metres) {
            let time = UtcMillis(at("2026-04-07 09:00").0 + n * 60_000);
            scene.points.push(Point { odometer_m: Some(*odometer_m), ..Point::new(time, DEPOT_AT) });
        }
        scene
    }

    fn work(scene: &mut Scene) {
        let (from, to) = (at("2026-04-07 08:00"), at("2026-04-07 08:30"));
        let work = DeviceWork { device: DeviceId(5), vehicle: CAR, from, to, ..DeviceWork::default() };
        scene.register.device_works.push(Versioned::first(1, UtcMillis(0), work));
    }

    #[test]
    fn a_step_back_that_stays() {
        let back = || vec![("back".to_owned(), Nature::Conduct)];
        let cases = [
            (vec![80_000, 80_000, 79_000, 79_000, 79_000], vec![]),
            (vec![80_000, 80_000, 78_999, 78_999, 78_999], back()),
            // One reading too low, one too high, none at all.
            (vec![80_000, 80_000, 60_000, 80_000, 80_000], vec![]),
            (vec![80_000, 80_000, 81_900, 80_000, 80_000, 80_000], vec![]),
            (vec![80_000, 80_000, 0, 0, 0, 80_000], vec![]),
            (vec![80_000, 80_000, 500, 500, 500], vec![("began_again".to_owned(), Nature::Equipment)]),
        ];
        for (metres, found) in cases {
            assert_eq!(aspects(&readings(&metres)), found, "{metres:?}");
        }
        let mut repaired = readings(&[80_000, 80_000, 60_000, 60_000, 60_000]);
        work(&mut repaired);
        assert_eq!(aspects(&repaired), []);
    }

    #[test]
    fn a_day_that_counts_more_than_was_driven() {
        let ahead = || vec![("ahead".to_owned(), Nature::Equipment)];
        // The car stands all day: 2 km are the limit.
        assert_eq!(aspects(&readings(&[80_000, 82_000])), []);
        assert_eq!(aspects(&readings(&[80_000, 82_001])), ahead());
        let mut repaired = readings(&[80_000, 82_001]);
        work(&mut repaired);
        assert_eq!(aspects(&repaired), []);
        // 100 km driven: 5 % are the limit.
        for (further_m, found) in [(4_900, vec![]), (5_200, ahead())] {
            let mut scene = Scene::new();
            scene.drive("2026-04-07 09:00", "2026-04-07 10:40", place(100_000.0, 0.0));
            scene.points.last_mut().unwrap().odometer_m = Some(50_100_000 + further_m);
            assert_eq!(aspects(&scene), found, "{further_m}");
        }
    }

    #[test]
    fn what_was_driven_unseen_is_another_rules_question() {
        let mut scene = readings(&[50_000_000]);
        scene.silent_until("2026-04-07 12:00", DEPOT_AT, 30_000);
        let later = Point { odometer_m: Some(50_030_000), ..Point::new(at("2026-04-07 12:00"), DEPOT_AT) };
        scene.points.push(later);
        assert_eq!(aspects(&scene), []);
    }

    #[test]
    fn what_people_wrote_against_what_they_wrote_and_the_track() {
        let form = |aspect: &str| vec![(aspect.to_owned(), Nature::Paperwork)];
        // The car drives 50 km between the two readings.
        let cases = [
            (129_000, vec![]),
            (128_999, form("form_back")),
            (182_500, vec![]),
            (182_501, form("form_ahead")),
        ];
        for (odometer_m, found) in cases {
            let mut scene = Scene::new();
            scene.drive("2026-04-06 09:00", "2026-04-06 10:00", place(50_000.0, 0.0));
            for (id, time, odometer_m) in
                [(1, "2026-04-05 18:00", 130_000), (2, "2026-04-07 18:00", odometer_m)]
            {
                let mileage = Mileage { vehicle: CAR, at: at(time), odometer_m, place: None };
                scene.register.mileages.push(Versioned::first(id, UtcMillis(0), mileage));
            }
            assert_eq!(aspects(&scene), found, "{odometer_m}");
        }
    }
}
