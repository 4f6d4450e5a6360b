//! Shares the numbers of one trip out over the slots that it touches.

use motorpool_protocols::UtcMillis;

use super::{SLOT_MS, Sample, Slot, Slots};
use crate::point::Point;
use crate::trips::outliers::{Screen, Verdict};
use crate::trips::{Step, Tally, Trip, TripKind, TripSettings};

/// What a trip's fixes show in one slot. Only proportions matter.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    distance: f64,
    moving: f64,
    idle: f64,
    time: f64,
}

/// Adds the trip's numbers to its slots. `samples` are those of the trip, its first and its last fix included.
pub(super) fn add_trip(trip: &Trip, samples: &[Sample], settings: &TripSettings, slots: &mut Slots) {
    let first = Slot::of(trip.start);
    let mut weights = Weights::new(trip);
    weights.weigh(samples, settings);
    let weights = weights.by_slot;
    let distance = shares(trip.distance_m, &weights, |weight| weight.distance);
    let moving = shares(trip.moving_s, &weights, |weight| weight.moving);
    let idle = shares(trip.idle_s, &weights, |weight| weight.idle);
    for (slot, ((metres, moving_s), idle_s)) in (first.0..).zip(distance.into_iter().zip(moving).zip(idle)) {
        if metres > 0 || moving_s > 0 || idle_s > 0 {
            let sums = slots.entry(Slot(slot)).or_default();
            sums.distance_m = sums.distance_m.saturating_add(metres);
            sums.moving_s = sums.moving_s.saturating_add(moving_s);
            sums.idle_s = sums.idle_s.saturating_add(idle_s);
        }
    }
    if trip.kind == TripKind::Trip {
        let sums = slots.entry(first).or_default();
        sums.trips = sums.trips.saturating_add(1);
    }
}

/// `total` in parts that are in proportion to a weight and add up to it; to the time when nothing weighs anything.
fn shares(total: u32, weights: &[Weight], of: fn(&Weight) -> f64) -> Vec<u32> {
    let mut parts: Vec<f64> = weights.iter().map(of).collect();
    if parts.iter().sum::<f64>() <= 0.0 {
        parts = weights.iter().map(|weight| weight.time).collect();
    }
    let whole: f64 = parts.iter().sum();
    let (mut weighed, mut given) = (0.0, 0);
    let mut shares = Vec::with_capacity(parts.len());
    for (at, weight) in (1..).zip(&parts) {
        weighed += weight;
        // Rounding what was given so far, not each part, leaves nothing over.
        let upto = if at == parts.len() { total } else { part(total, weighed / whole) };
        shares.push(upto.saturating_sub(given));
        given = given.max(upto);
    }
    shares
}

fn part(total: u32, share: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let part = (f64::from(total) * share).round() as u32;
    part.min(total)
}

/// The slots of a trip, one after another.
struct Weights {
    first: Slot,
    by_slot: Vec<Weight>,
}

impl Weights {
    fn new(trip: &Trip) -> Self {
        let (first, last) = (Slot::of(trip.start), Slot::of(trip.end));
        let count = usize::try_from(last.0.saturating_sub(first.0)).unwrap_or(0).saturating_add(1);
        let mut weights = Self { first, by_slot: vec![Weight::default(); count] };
        weights.spread(trip.start, trip.end, 1.0, |weight| &mut weight.time);
        weights
    }

    /// Counts as the trip did, and notes in which slots.
    fn weigh(&mut self, samples: &[Sample], settings: &TripSettings) {
        let mut screen = Screen::new();
        let mut used: Option<(Point, Tally)> = None;
        for Sample { point, .. } in samples {
            let verdict = screen.judge(used.as_ref().map(|(last, _)| last), point, settings);
            let Some((last, tally)) = used.as_mut() else {
                if matches!(verdict, Verdict::Good(_)) {
                    used = Some((*point, Tally::start(point, point.at)));
                }
                continue;
            };
            match verdict {
                Verdict::Marked => {}
                Verdict::Good(distance_m) => {
                    let before = *tally;
                    tally.add(last, point, Step::new(last, point, distance_m, settings));
                    let time = (last.time, point.time);
                    self.spread(time.0, time.1, tally.distance_m - before.distance_m, |w| &mut w.distance);
                    self.spread(time.0, time.1, milliseconds(tally.moving_ms - before.moving_ms), |w| {
                        &mut w.moving
                    });
                    self.spread(time.0, time.1, milliseconds(tally.idle_ms - before.idle_ms), |w| {
                        &mut w.idle
                    });
                    *last = *point;
                }
                Verdict::Jumped | Verdict::Elsewhere => *last = *point,
            }
        }
    }

    /// Spreads `value` evenly over a time.
    fn spread(&mut self, from: UtcMillis, to: UtcMillis, value: f64, of: fn(&mut Weight) -> &mut f64) {
        if value <= 0.0 {
            return;
        }
        let (begins, ends) = (Slot::of(from), Slot::of(to));
        if begins == ends || to <= from {
            return self.add(begins, value, of);
        }
        let whole = milliseconds(to.0.saturating_sub(from.0));
        for slot in begins.0..=ends.0 {
            let start = Slot(slot).start().0;
            let within = start.saturating_add(SLOT_MS).min(to.0).saturating_sub(start.max(from.0));
            self.add(Slot(slot), value * milliseconds(within) / whole, of);
        }
    }

    /// What lies before or behind the trip (a fix that ends a reckoned departure) counts at its edge.
    fn add(&mut self, slot: Slot, value: f64, of: fn(&mut Weight) -> &mut f64) {
        let last = self.by_slot.len().saturating_sub(1);
        let at = usize::try_from(slot.0.saturating_sub(self.first.0)).unwrap_or(0).min(last);
        if let Some(weight) = self.by_slot.get_mut(at) {
            *of(weight) += value;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a span of time within a track")]
fn milliseconds(ms: i64) -> f64 {
    ms as f64
}
