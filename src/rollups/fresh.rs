//! One device-day, folded now: from the archive and the trips of the registry.

use std::ops::Range;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::protocol::readings_of;
use motorpool_rollups::{Entry, rebuild};
use motorpool_supervision::ids::DeviceId as Supervised;
use motorpool_supervision::rollups::{Gauges, Sample, Slot, fold, reach};
use motorpool_supervision::trips::{Segment, Trip, TripSettings};

use super::marks::DayMarks;
use crate::ids::DeviceId;
use crate::registry::{Error, Registry, Snapshot, StoredSegment};
use crate::tracks::{TrackOptions, Tracks};

/// The trips and moves of these devices that touch a range, each with the one that it is on.
pub(super) async fn trips(
    registry: &Registry,
    marks: &DayMarks,
    devices: &[DeviceId],
    range: &Range<Slot>,
) -> Result<Vec<(DeviceId, Vec<Trip>)>, Error> {
    // The open ones first: if one ends meanwhile, it is in the registry and counts from there.
    let open: Vec<_> = devices.iter().map(|device| (*device, marks.open(*device))).collect();
    let asked: Vec<_> = devices.iter().map(|device| Supervised(device.0.into())).collect();
    let mut stored = registry.segments_of(&asked, range.start.start(), range.end.start()).await?;
    let whole = open.into_iter().map(|(device, open)| {
        let stored = stored.remove(&Supervised(device.0.into())).unwrap_or_default();
        (device, with_open(stored, open))
    });
    Ok(whole.collect())
}

/// The trips and moves among what is stored of a device, with the one that it is on unless that is stored by now.
fn with_open(stored: Vec<StoredSegment>, open: Option<Trip>) -> Vec<Trip> {
    let mut trips: Vec<Trip> = stored
        .into_iter()
        .filter_map(|stored| if let Segment::Trip(trip) = stored.segment { Some(trip) } else { None })
        .collect();
    let is_stored = |open: &Trip| trips.iter().any(|trip| trip.start <= open.end && open.start < trip.end);
    let open = open.filter(|open| !is_stored(open));
    trips.extend(open);
    trips.sort_by_key(|trip| (trip.start, trip.end));
    trips
}

/// The slots of one device in a range. `None` when part of the archive can't be read. Blocking.
pub(super) fn slots(
    tracks: &Tracks,
    devices: &Snapshot,
    settings: &TripSettings,
    device: DeviceId,
    range: &Range<Slot>,
    trips: &[Trip],
) -> Option<Vec<Entry>> {
    let (from, to) = reach(range, trips, settings);
    let track = tracks.track(device, from, UtcMillis(to.0.saturating_add(1)), TrackOptions::default());
    if !track.damaged.is_empty() {
        return None;
    }
    let sample = |row| rebuild::sample(row, |device, extra| gauges(devices, device, extra));
    let samples: Vec<Sample> = track.rows.iter().map(sample).collect();
    let slots = fold(&samples, trips, range.clone(), settings);
    Some(slots.into_iter().map(|(slot, sums)| Entry { device, at: slot.0, sums }).collect())
}

/// What a device told beside a fix, read as its profile says.
pub fn gauges(devices: &Snapshot, device: DeviceId, extra: &[u8]) -> Gauges {
    let known = devices.device(device);
    known.map_or_else(Gauges::default, |known| Gauges::of(readings_of(known.protocol, extra, &known.profile)))
}
