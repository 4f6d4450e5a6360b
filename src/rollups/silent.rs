//! Days on which a marked device told nothing: one fix with an old clock marks every day since, and each would cost a fold and an empty file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use motorpool_supervision::rollups::{Slot, reach};
use motorpool_supervision::trips::Trip;

use super::marks::ALL;
use super::{AskError, Rollups, fresh};
use crate::background;
use crate::ids::DeviceId;
use crate::registry::RollupMark;
use crate::tracks::TrackOptions;

impl Rollups {
    /// Drops the marks of those of these days that have no file and no tracks, and over which no trip goes on.
    pub(super) async fn drop_silent(self: &Arc<Self>, days: BTreeSet<i32>) -> Result<(), AskError> {
        let archived: BTreeSet<i32> = self.tracks.days().into_iter().collect();
        let unknown = self.read(move |store| {
            let is_unknown = |day: &i32| !archived.contains(day) && !store.has_slots(*day);
            Ok(days.into_iter().filter(is_unknown).collect::<Vec<_>>())
        });
        let mut marked: BTreeMap<DeviceId, Vec<RollupMark>> = BTreeMap::new();
        for mark in unknown.await?.into_iter().flat_map(|day| self.marks.take(day)) {
            marked.entry(mark.device).or_default().push(mark);
        }
        // Every device would have to be asked about: that is what a fold does.
        marked.remove(&ALL);
        for (device, marks) in marked {
            let (Some(first), Some(last)) = (marks.first(), marks.last()) else { continue };
            let span = slots_of(first.day).start..slots_of(last.day).end;
            let asked = fresh::trips(&self.registry, &self.marks, &[device], &span).await?;
            let trips: Vec<Trip> = asked.into_iter().flat_map(|(_, trips)| trips).collect();
            let rollups = Arc::clone(self);
            let silent = background::compute(move || {
                marks.into_iter().filter(|mark| rollups.is_silent(mark, &trips)).collect()
            });
            let done = self.marks.done(silent.await?);
            self.registry.remove_rollup_marks(&done).await?;
        }
        Ok(())
    }

    /// Whether a device told nothing on a day, nor so shortly before or behind it that a step between two fixes leads into it.
    fn is_silent(&self, mark: &RollupMark, trips: &[Trip]) -> bool {
        let range = slots_of(mark.day);
        let is_over_it = |trip: &Trip| Slot::of(trip.start) < range.end && range.start <= Slot::of(trip.end);
        if trips.iter().any(is_over_it) {
            return false;
        }
        let (from, to) = reach(&range, &[], &self.trips);
        let track = self.tracks.track(mark.device, from, to, TrackOptions::default().rows_max(1));
        track.rows.is_empty() && track.damaged.is_empty()
    }
}

/// The slots of a UTC day.
pub(super) fn slots_of(day: i32) -> Range<Slot> {
    Slot::first_of_day(day)..Slot::first_of_day(day.saturating_add(1))
}
