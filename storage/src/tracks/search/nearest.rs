//! Which cars were nearest to a place at a moment.

use motorpool_protocols::UtcMillis;

use super::super::Tracks;
use super::super::error::TracksError;
use super::place::Place;
use super::scan::{DeviceRun, Scan};
use super::stays::{FIELDS, IsShown, valid_places};
use super::threads_default;
use crate::ids::DeviceId;

/// A moment, a place, and how far from the moment a fix still tells something.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct NearestSearch<'a> {
    /// Where.
    pub place: Place,
    /// When.
    pub at: UtcMillis,
    /// How long before or after a fix may be.
    pub within_ms: i64,
    /// Devices at most, the nearest ones.
    pub limit: usize,
    /// Only these devices, in ascending order; all when absent.
    pub devices: Option<&'a [DeviceId]>,
    /// Which of their fixes; all when absent.
    pub is_shown: Option<&'a IsShown<'a>>,
}

impl<'a> NearestSearch<'a> {
    /// A search for all devices, for as many as are found.
    #[must_use]
    pub const fn new(place: Place, at: UtcMillis, within_ms: i64) -> Self {
        Self { place, at, within_ms, limit: usize::MAX, devices: None, is_shown: None }
    }

    /// For the nearest `limit` devices.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Only for these devices, which are in ascending order.
    #[must_use]
    pub const fn devices(mut self, devices: &'a [DeviceId]) -> Self {
        self.devices = Some(devices);
        self
    }

    /// As if there were only the fixes for which this is true.
    #[must_use]
    pub const fn shown(mut self, is_shown: &'a IsShown<'a>) -> Self {
        self.is_shown = Some(is_shown);
        self
    }
}

impl std::fmt::Debug for NearestSearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, at, within_ms, .. } = self;
        let mut out = f.debug_struct("NearestSearch");
        out.field("place", place).field("at", at).field("within_ms", within_ms).finish_non_exhaustive()
    }
}

/// A fix with a valid position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sighting {
    /// When.
    pub at: UtcMillis,
    /// Where.
    pub place: Place,
}

/// Where a device was at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Near {
    /// The device.
    pub device: DeviceId,
    /// From the place that was asked about, metres.
    pub distance_m: f64,
    /// The place taken: between the fixes before and after in proportion to the time when there are both, else that
    /// of the one there is.
    pub place: Place,
    /// Whether no fix says so, but two fixes around the moment suggest it.
    pub is_interpolated: bool,
    /// The last fix at the moment or before it.
    pub before: Option<Sighting>,
    /// The first fix after the moment.
    pub after: Option<Sighting>,
}

/// Who was near.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct NearestFound {
    /// The nearest first; of equally near ones the one with the smaller number.
    pub devices: Vec<Near>,
    /// Devices that had a fix around the moment.
    pub devices_seen: usize,
    /// Files that could not be read; rows of theirs are missing.
    pub damaged: Vec<TracksError>,
}

impl Tracks {
    /// Which devices were nearest to a place at a moment, by their fixes around it that have a valid position.
    #[must_use]
    pub fn nearest(&self, search: &NearestSearch<'_>) -> NearestFound {
        let (from, to) =
            (search.at.0.saturating_sub(search.within_ms), search.at.0.saturating_add(search.within_ms));
        let window = (UtcMillis(from), UtcMillis(to.saturating_add(1)));
        let scan = Scan { devices: search.devices, ..Scan::new(&FIELDS, window.0, window.1) };
        let scan = scan.threads_max(threads_default());
        let scanned = self.scan(&scan, Vec::new, |near, run| near.extend(near_of(run, search)));
        let mut devices: Vec<Near> = scanned.parts.into_iter().flatten().collect();
        devices.sort_unstable_by(|a, b| a.distance_m.total_cmp(&b.distance_m).then(a.device.cmp(&b.device)));
        let devices_seen = devices.len();
        devices.truncate(search.limit);
        NearestFound { devices, devices_seen, damaged: scanned.damaged }
    }
}

fn near_of(run: &DeviceRun<'_>, search: &NearestSearch<'_>) -> Option<Near> {
    let (mut before, mut after) = (None, None);
    for (time_ms, place) in valid_places(run, search.is_shown) {
        let sighting = Some(Sighting { at: UtcMillis(time_ms), place });
        if time_ms > search.at.0 {
            after = sighting;
            break;
        }
        before = sighting;
    }
    let (place, is_interpolated) = match (before, after) {
        (Some(before), Some(after)) if before.at < search.at => {
            let part = (search.at.0 - before.at.0) as f64 / (after.at.0 - before.at.0) as f64;
            (before.place.towards(after.place, part), true)
        }
        (Some(before), _) => (before.place, false),
        (None, Some(after)) => (after.place, false),
        (None, None) => return None,
    };
    let distance_m = place.distance_m(search.place);
    Some(Near { device: run.device(), distance_m, place, is_interpolated, before, after })
}
