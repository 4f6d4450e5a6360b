//! A whole track, fix by fix, into slots.

use std::collections::VecDeque;

use motorpool_protocols::UtcMillis;

use super::{Sample, Slot, Slots, fold, reach};
use crate::point::Signs;
use crate::trips::{Cutter, Segment, Trip, TripSettings};

/// Folds one device's track as it comes in, with a cutter of its own: what is kept while data arrives, made again from the beginning.
///
/// Samples are held as long as a trip may still need them: those of one trip, or of an hour or two of standing.
#[derive(Debug)]
pub struct Folder {
    settings: TripSettings,
    cutter: Cutter,
    samples: VecDeque<Sample>,
    trips: Vec<Trip>,
    closed: Vec<Segment>,
    /// All slots before this one are done.
    done: Slot,
    latest: Option<UtcMillis>,
}

impl Folder {
    /// For a device of which nothing is known yet.
    #[must_use]
    pub fn new(settings: TripSettings) -> Self {
        Self {
            cutter: Cutter::new(settings.clone()),
            settings,
            samples: VecDeque::new(),
            trips: Vec::new(),
            closed: Vec::new(),
            done: Slot(i32::MIN),
            latest: None,
        }
    }

    /// Takes the next sample; what is complete is added to `out`. A sample older than the one before is left out.
    pub fn push(&mut self, sample: &Sample, out: &mut Slots) {
        let time = sample.point.time;
        if sample.point.signs.contains(Signs::CLOCK_SUSPECT)
            || self.latest.is_some_and(|latest| time < latest)
        {
            return;
        }
        let is_new_slot = self.latest.is_none_or(|latest| Slot::of(latest) < Slot::of(time));
        if is_new_slot {
            self.settle(out);
        }
        self.latest = Some(time);
        self.cutter.push(&sample.point, &mut self.closed);
        self.samples.push_back(*sample);
    }

    /// Adds everything that is left to `out`; a trip that is open counts as far as it is known.
    pub fn finish(mut self, out: &mut Slots) {
        self.cutter.finish(&mut self.closed);
        self.take_trips();
        self.fold_until(Slot(i32::MAX), out);
    }

    /// Folds what no later fix can change.
    fn settle(&mut self, out: &mut Slots) {
        let Some(rest) = self.cutter.rest() else { return };
        // A departure can be dated back to when the device woke.
        let sure = rest.wake.map_or(rest.seen, |wake| wake.time.min(rest.seen));
        self.take_trips();
        self.fold_until(Slot::of(sure), out);
    }

    fn take_trips(&mut self) {
        let trips = self.closed.drain(..).filter_map(|segment| match segment {
            Segment::Trip(trip) => Some(trip),
            Segment::Stop(_) | Segment::Gap(_) => None,
        });
        self.trips.extend(trips);
        // They come in the order in which they end, which is that of their starts as well.
        self.trips.sort_by_key(|trip| (trip.start, trip.end));
    }

    fn fold_until(&mut self, end: Slot, out: &mut Slots) {
        if end <= self.done {
            return;
        }
        let samples = self.samples.make_contiguous();
        out.append(&mut fold(samples, &self.trips, self.done..end, &self.settings));
        self.done = end;
        self.trips.retain(|trip| Slot::of(trip.end) >= end);
        let (from, _) = reach(&(end..Slot(i32::MAX)), &self.trips, &self.settings);
        let unneeded = self.samples.partition_point(|sample| sample.point.time < from);
        self.samples.drain(..unneeded);
    }
}
