//! The fold of a stretch of a track into slots.

use std::collections::BTreeMap;
use std::ops::Range;

use motorpool_protocols::UtcMillis;

use super::share::add_trip;
use super::{SLOT_MS, Sample, Slot, Sums};
use crate::point::{Point, Signs};
use crate::trips::{Trip, TripSettings};

/// Sums by slot; a slot in which nothing was counted is not there.
pub type Slots = BTreeMap<Slot, Sums>;

/// The times whose samples [`fold`] needs for `range`, both ends included: the trips that touch it as a whole, and one gap before
/// and behind for what stands between two fixes.
#[must_use]
pub fn reach(range: &Range<Slot>, trips: &[Trip], settings: &TripSettings) -> (UtcMillis, UtcMillis) {
    let gap_ms = i64::from(settings.gap_s).saturating_mul(1_000);
    let mut from = UtcMillis(range.start.start().0.saturating_sub(gap_ms));
    let mut to = UtcMillis(range.end.start().0.saturating_add(gap_ms));
    for trip in trips.iter().filter(|trip| touches(trip, range)) {
        from = from.min(trip.start);
        to = to.max(trip.end);
    }
    (from, to)
}

fn touches(trip: &Trip, range: &Range<Slot>) -> bool {
    Slot::of(trip.start) < range.end && range.start <= Slot::of(trip.end)
}

/// Adds up the slots of `range`. `samples` are in order of time and cover [`reach`]; `trips` are in order too and hold
/// every trip and move that touches the range. What else is given changes nothing.
#[must_use]
pub fn fold(samples: &[Sample], trips: &[Trip], range: Range<Slot>, settings: &TripSettings) -> Slots {
    let mut slots = Slots::new();
    let from = range.start.start();
    let begin = samples.partition_point(|sample| sample.point.time < from);
    let end = samples.partition_point(|sample| sample.point.time < range.end.start());
    let in_range = samples.get(begin..end).unwrap_or_default();
    add_samples(in_range, &mut slots);
    // One more at either side, for the steps across the borders.
    let steps =
        samples.get(begin.saturating_sub(1)..samples.len().min(end.saturating_add(1))).unwrap_or_default();
    add_idle(steps, trips, &range, settings, &mut slots);
    for trip in trips.iter().filter(|trip| touches(trip, &range)) {
        let begin = samples.partition_point(|sample| sample.point.time < trip.start);
        let end = samples.partition_point(|sample| sample.point.time <= trip.end);
        add_trip(trip, samples.get(begin..end).unwrap_or_default(), settings, &mut slots);
    }
    slots.retain(|slot, _| range.contains(slot));
    slots
}

fn is_believed(point: &Point) -> bool {
    !point.signs.contains(Signs::CLOCK_SUSPECT)
}

fn add_samples(samples: &[Sample], slots: &mut Slots) {
    let mut open: Option<(Slot, Sums)> = None;
    for sample in samples.iter().filter(|sample| is_believed(&sample.point)) {
        let slot = Slot::of(sample.point.time);
        match &mut open {
            Some((at, sums)) if *at == slot => sums.add(sample),
            _ => {
                let mut sums = Sums::default();
                sums.add(sample);
                slots.extend(open.replace((slot, sums)));
            }
        }
    }
    slots.extend(open);
}

/// Counts the time between trips in which the engine runs.
fn add_idle(
    samples: &[Sample],
    trips: &[Trip],
    range: &Range<Slot>,
    settings: &TripSettings,
    slots: &mut Slots,
) {
    let gap_ms = i64::from(settings.gap_s).saturating_mul(1_000);
    let mut idle_ms: BTreeMap<Slot, i64> = BTreeMap::new();
    let mut last: Option<&Point> = None;
    for Sample { point, .. } in samples.iter().filter(|sample| is_believed(&sample.point)) {
        let before = last.replace(point);
        let Some(before) = before.filter(|before| is_engine_on(before)) else { continue };
        let step = (before.time, point.time);
        if step.1.0.saturating_sub(step.0.0) > gap_ms {
            continue;
        }
        outside(trips, step, |from, to| {
            for slot in Slot::of(from).0..=Slot::of(to).0 {
                let start = Slot(slot).start().0;
                let ms = start.saturating_add(SLOT_MS).min(to.0).saturating_sub(start.max(from.0));
                if ms > 0 && range.contains(&Slot(slot)) {
                    *idle_ms.entry(Slot(slot)).or_default() += ms;
                }
            }
        });
    }
    for (slot, ms) in idle_ms {
        let seconds = u32::try_from((ms + 500) / 1_000).unwrap_or(0);
        if seconds > 0 {
            let sums = slots.entry(slot).or_default();
            sums.idle_s = sums.idle_s.saturating_add(seconds);
        }
    }
}

fn is_engine_on(point: &Point) -> bool {
    point.ignition == Some(true) || point.engine_rpm.is_some_and(|rpm| rpm > 0)
}

/// The parts of a time that lie in no trip.
fn outside(trips: &[Trip], (from, to): (UtcMillis, UtcMillis), mut each: impl FnMut(UtcMillis, UtcMillis)) {
    let mut at = from;
    let first = trips.partition_point(|trip| trip.end <= from);
    for trip in trips.iter().skip(first).take_while(|trip| trip.start < to) {
        if trip.start > at {
            each(at, trip.start);
        }
        at = at.max(trip.end);
    }
    if at < to {
        each(at, to);
    }
}
