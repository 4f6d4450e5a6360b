//! Derives the trips of one device again from the archive, from the last sure stop before the change.
//!
//! The archive decides, not the order in which fixes came: live data, blind-area batches and duplicates end up the same.
//! Blocking; runs on threads of its own.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::point::Point;
use motorpool_supervision::trips::{Cutter, Rest, Segment, Trip, TripSettings};

use super::marks::Mark;
use crate::ids::DeviceId;
use crate::tracks::{TrackOptions, Tracks};

const DAY_MS: i64 = 86_400_000;

/// How far before a change that lies before the known rest the cutting begins; more until a sure stop lies between.
const LOOK_BACK_MS: i64 = 2 * DAY_MS;

/// Beyond this the cutting begins at the beginning.
const LOOK_BACK_MAX_MS: i64 = 20 * DAY_MS;

/// Rows read at once.
const ROWS_AT_ONCE: usize = 200_000;

/// What was derived.
#[derive(Debug)]
pub(super) struct Derived {
    /// The device.
    pub(super) device: DeviceId,
    /// Which stored segments `segments` takes the place of.
    pub(super) after: After,
    /// What is closed, in the order in which it ends; after a silence also a trip that was open.
    pub(super) segments: Vec<Segment>,
    /// The latest sure stop, to go on from. An open stop is kept here alone: its end changes with every fix.
    pub(super) rest: Option<Rest>,
    /// The last fix, when a trip is open still: silence will close it.
    pub(super) open_since: Option<UtcMillis>,
    /// That trip, as far as it is known.
    pub(super) open_trip: Option<Trip>,
    /// Some files could not be read.
    pub(super) is_damaged: bool,
}

/// A moment at which the car stood: what was closed by then is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct After {
    /// Time of the last fix that was seen then and when the stop began; `None` = nothing is settled.
    stood: Option<(UtcMillis, UtcMillis)>,
}

impl After {
    fn rest(rest: &Rest) -> Self {
        Self { stood: Some((rest.seen, rest.stop.start)) }
    }

    /// Whether `segment` was not closed yet at that moment: the stop that was open then, and what came later.
    pub(super) fn covers(self, segment: &Segment) -> bool {
        let Some((seen, stood_since)) = self.stood else { return true };
        match segment {
            // A departure can be dated back to before the last fix in the stop.
            Segment::Stop(stop) => stop.start >= stood_since,
            Segment::Trip(trip) => trip.end > seen,
            Segment::Gap(gap) => gap.end > seen,
        }
    }

    /// The earliest end that a covered segment can have.
    pub(super) fn ends_from(self) -> UtcMillis {
        self.stood.map_or(UtcMillis(i64::MIN), |(seen, stood_since)| seen.min(stood_since))
    }
}

/// Where a derivation begins.
enum Begin {
    /// After this stop.
    Rest(Box<Rest>),
    /// Cold, at this instant.
    Cold(UtcMillis),
}

/// Reads what is needed and cuts it.
///
/// `rest` is the last known one; `now` is the fold's time: a trip is closed when its device has told no position for longer
/// than the settings' limit by then.
pub(super) fn derive(
    tracks: &Tracks,
    settings: &TripSettings,
    device: DeviceId,
    mark: Mark,
    rest: Option<Rest>,
    now: UtcMillis,
) -> Derived {
    let mut begin = match rest {
        Some(rest) if rest.seen < mark.from => Begin::Rest(Box::new(rest)),
        Some(_) => Begin::Cold(UtcMillis(mark.from.0.saturating_sub(LOOK_BACK_MS))),
        None => Begin::Cold(UtcMillis(0)),
    };
    loop {
        let run = run(tracks, settings, device, &begin, mark.from);
        let (after, mut segments) = match (begin, run.sure) {
            (Begin::Rest(rest), _) => (After::rest(&rest), run.segments),
            (Begin::Cold(at), Some(sure)) if at.0 > 0 => {
                let stood = Some((sure.seen, sure.stood_since));
                (After { stood }, run.segments.into_iter().skip(sure.closed).collect())
            }
            (Begin::Cold(at), None) if at.0 > 0 => {
                // No sure stop before the change: begin earlier, and soon at the beginning, so that the archive is read three times at most.
                let back = (mark.from.0.saturating_sub(at.0)).saturating_mul(8);
                let earlier =
                    if back > LOOK_BACK_MAX_MS { 0 } else { mark.from.0.saturating_sub(back).max(0) };
                begin = Begin::Cold(UtcMillis(earlier));
                continue;
            }
            (Begin::Cold(_), _) => (After { stood: None }, run.segments),
        };
        let (open_since, open_trip) = close_when_silent(&mut segments, &run.cutter, settings, now).unzip();
        let Run { rest, is_damaged, .. } = run;
        return Derived { device, after, segments, rest, open_since, open_trip, is_damaged };
    }
}

/// What one pass over the archive gave.
struct Run {
    cutter: Cutter,
    segments: Vec<Segment>,
    rest: Option<Rest>,
    sure: Option<Sure>,
    is_damaged: bool,
}

/// A stop that a cold run reached by driving: from here on its state is that of a run from the beginning.
#[derive(Clone, Copy)]
struct Sure {
    seen: UtcMillis,
    stood_since: UtcMillis,
    /// Segments that were closed by then.
    closed: usize,
}

impl Run {
    fn begin(settings: &TripSettings, begin: &Begin) -> (Self, UtcMillis) {
        let (cutter, rest, from) = match begin {
            Begin::Rest(rest) => {
                let rest = (**rest).clone();
                let from = UtcMillis(rest.seen.0.saturating_add(1));
                (Cutter::resume(settings.clone(), rest.clone()), Some(rest), from)
            }
            Begin::Cold(at) => (Cutter::new(settings.clone()), None, *at),
        };
        (Self { cutter, segments: Vec::new(), rest, sure: None, is_damaged: false }, from)
    }

    fn take(&mut self, point: &Point, change: UtcMillis) {
        let closed = self.segments.len();
        self.cutter.push(point, &mut self.segments);
        if closed == self.segments.len() {
            return;
        }
        let Some(rest) = self.cutter.rest().filter(|rest| rest.opening.is_none()) else { return };
        let was_driven_to = self.segments.iter().any(|segment| matches!(segment, Segment::Trip(_)));
        if was_driven_to && rest.seen < change {
            let stood_since = rest.stop.start;
            self.sure = Some(Sure { seen: rest.seen, stood_since, closed: self.segments.len() });
        }
        self.rest = Some(rest);
    }
}

fn run(tracks: &Tracks, settings: &TripSettings, device: DeviceId, begin: &Begin, change: UtcMillis) -> Run {
    let (mut run, mut from) = Run::begin(settings, begin);
    let options = TrackOptions::default().rows_max(ROWS_AT_ONCE);
    loop {
        let part = tracks.track(device, from, UtcMillis(i64::MAX), options);
        run.is_damaged |= !part.damaged.is_empty();
        for row in &part.rows {
            run.take(&Point::from(&row.fix), change);
        }
        match part.next_from {
            Some(next) => from = next,
            None => break,
        }
    }
    run.rest = run.cutter.rest().filter(|rest| rest.opening.is_none()).or(run.rest);
    run
}

/// Adds the open trip once the device has told no position for longer than any gap within a trip may be; else returns it with its last
/// fix.
fn close_when_silent(
    segments: &mut Vec<Segment>,
    cutter: &Cutter,
    settings: &TripSettings,
    now: UtcMillis,
) -> Option<(UtcMillis, Trip)> {
    let last = cutter.last_used_time()?;
    let mut open = Vec::new();
    cutter.finish(&mut open);
    open.retain(|segment| !matches!(segment, Segment::Stop(_)));
    let silence_ms = i64::from(settings.silence_limit_s).saturating_mul(1_000);
    if now.0.saturating_sub(last.0) <= silence_ms {
        let trip = |segment| if let Segment::Trip(trip) = segment { Some((last, trip)) } else { None };
        return open.into_iter().find_map(trip);
    }
    segments.append(&mut open);
    None
}
