//! When two cars were close to each other.
//!
//! Both tracks are looked at in every instant in which either has a fix. In between two of its fixes that are not too
//! far apart in time a car is taken to be in proportion between them; where they are, nobody knows where it was, and
//! no meeting reaches across. A meeting lasts from the first such instant in which the cars are near to the last one
//! in a row; nothing is said about the time between instants.

use std::sync::atomic::{AtomicUsize, Ordering};

use motorpool_protocols::UtcMillis;

use super::super::Tracks;
use super::super::error::TracksError;
use super::nearest::Sighting;
use super::place::Place;
use super::scan::{DeviceRun, Scan, scan_snapshot};
use super::snapshot::{Snapshot, Window};
use super::stays::{FIELDS, IsShown, Shown, valid_places};
use super::threads_default;
use crate::ids::DeviceId;

/// Who may have met, when, and what counts as meeting.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct MeetingSearch<'a> {
    /// The car.
    pub device: DeviceId,
    /// With one of these, in ascending order; with any when absent.
    pub others: Option<&'a [DeviceId]>,
    /// From here on.
    pub from: UtcMillis,
    /// Before this.
    pub to: UtcMillis,
    /// As near as this, metres.
    pub radius_m: f64,
    /// For at least so long.
    pub least_ms: i64,
    /// Between fixes farther apart than this nobody knows where a car was.
    pub gap_max_ms: i64,
    /// Meetings at most, about.
    pub limit: usize,
    /// Which fixes; all when absent.
    pub is_shown: Option<&'a IsShown<'a>>,
}

impl std::fmt::Debug for MeetingSearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { device, others, from, to, radius_m, .. } = self;
        let mut out = f.debug_struct("MeetingSearch");
        out.field("device", device).field("others", others).field("from", from).field("to", to);
        out.field("radius_m", radius_m).finish_non_exhaustive()
    }
}

impl<'a> MeetingSearch<'a> {
    /// A search for meetings of any length of `device` with any car within `radius_m`, however far fixes are apart.
    #[must_use]
    pub const fn new(device: DeviceId, from: UtcMillis, to: UtcMillis, radius_m: f64) -> Self {
        let (others, least_ms, gap_max_ms, limit) = (None, 0, i64::MAX, usize::MAX);
        Self { device, others, from, to, radius_m, least_ms, gap_max_ms, limit, is_shown: None }
    }

    /// Only with these, which are in ascending order.
    #[must_use]
    pub const fn others(mut self, others: &'a [DeviceId]) -> Self {
        self.others = Some(others);
        self
    }

    /// Only meetings that last so long.
    #[must_use]
    pub const fn least_ms(mut self, least_ms: i64) -> Self {
        self.least_ms = least_ms;
        self
    }

    /// Between fixes farther apart than this nobody knows where a car was.
    #[must_use]
    pub const fn gap_max_ms(mut self, gap_max_ms: i64) -> Self {
        self.gap_max_ms = gap_max_ms;
        self
    }

    /// As if there were only the fixes for which this is true.
    #[must_use]
    pub const fn shown(mut self, is_shown: &'a IsShown<'a>) -> Self {
        self.is_shown = Some(is_shown);
        self
    }

    /// To end after about so many meetings.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// Two cars close to each other for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Meeting {
    /// The other car.
    pub other: DeviceId,
    /// The first instant in which they are near.
    pub from: UtcMillis,
    /// The last one.
    pub to: UtcMillis,
    /// Where the car was when they were closest, and when.
    pub closest: Sighting,
    /// How close that was, metres.
    pub closest_m: f64,
    /// How far apart they were at most meanwhile, metres.
    pub farthest_m: f64,
    /// What is known of the car: how many fixes it sent meanwhile, and how far apart the fixes are that its place
    /// was taken from.
    pub own: Footing,
    /// The same of the other car.
    pub others: Footing,
}

/// What the place of a car rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Footing {
    /// Fixes within the meeting.
    pub fixes: u64,
    /// The longest time between two neighbouring fixes that the meeting reaches into; 0 when one fix is all of it.
    pub gap_ms: i64,
}

impl Footing {
    /// Adds an instant, and the time between the fixes around the way there.
    fn add(&mut self, stand: Stand, gap_ms: Option<i64>) {
        self.fixes += u64::from(stand.is_fix);
        self.gap_ms = self.gap_ms.max(gap_ms.unwrap_or(0));
    }
}

/// Who met.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct MeetingsFound {
    /// By beginning, then the other car.
    pub meetings: Vec<Meeting>,
    /// Whether the search ended because of [`MeetingSearch::limit`]: there may be more.
    pub is_cut: bool,
    /// Files that could not be read; rows of theirs are missing.
    pub damaged: Vec<TracksError>,
}

impl Tracks {
    /// When a car was close to others. Fixes without a valid position are passed over.
    #[must_use]
    pub fn meetings(&self, search: &MeetingSearch<'_>) -> MeetingsFound {
        let snapshot = Snapshot::take(self.store(), Window { from: search.from, to: search.to });
        let scan = Scan::new(&FIELDS, search.from, search.to);
        let (own, _) = scan_snapshot(&snapshot, &scan.devices(&[search.device]), Vec::new, |own, run| {
            own.extend(sightings(run, search.is_shown));
        });
        let own: Vec<Sighting> = own.into_iter().flatten().collect();
        let mut found = MeetingsFound::default();
        if !own.is_empty() {
            let scan = Scan { devices: search.others, ..scan }.threads_max(threads_default());
            let surroundings = Surroundings::of(&own);
            let count = AtomicUsize::new(0);
            let (parts, _) = scan_snapshot(&snapshot, &scan, Vec::new, |part: &mut Vec<Meeting>, run| {
                let is_done = count.load(Ordering::Relaxed) > search.limit;
                if is_done || run.device() == search.device {
                    return;
                }
                let others: Vec<Sighting> = sightings(run, search.is_shown).collect();
                if !Surroundings::of(&others).may_come_near(&surroundings, search.radius_m) {
                    return;
                }
                let before = part.len();
                part.extend(Walk::new(search, run.device(), &own, &others));
                count.fetch_add(part.len() - before, Ordering::Relaxed);
            });
            found.is_cut = count.into_inner() > search.limit;
            found.meetings = parts.into_iter().flatten().collect();
            found.meetings.sort_unstable_by_key(|meeting| (meeting.from, meeting.other, meeting.to));
            found.meetings.truncate(search.limit);
        }
        found.damaged = snapshot.into_damaged();
        found
    }
}

fn sightings<'a>(run: &DeviceRun<'a>, shown: Shown<'a>) -> impl Iterator<Item = Sighting> + use<'a> {
    valid_places(run, shown).map(|(time_ms, place)| Sighting { at: UtcMillis(time_ms), place })
}

/// The latitudes that a track reaches: what a car is taken to pass between two fixes lies within.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    southmost: Place,
    northmost: Place,
}

impl Surroundings {
    fn of(track: &[Sighting]) -> Self {
        let lats = || track.iter().map(|sighting| sighting.place.lat_e7);
        let at = |lat_e7: Option<i32>| Place { lat_e7: lat_e7.unwrap_or(0), lon_e7: 0 };
        Self { southmost: at(lats().min()), northmost: at(lats().max()) }
    }

    fn may_come_near(&self, other: &Self, radius_m: f64) -> bool {
        let is_beyond = |south: &Self, north: &Self| {
            south.northmost.lat_e7 < north.southmost.lat_e7
                && south.northmost.is_surely_beyond(north.southmost, radius_m)
        };
        !is_beyond(self, other) && !is_beyond(other, self)
    }
}

/// A track on which one goes from instant to instant.
#[derive(Clone, Copy, Debug)]
struct Path<'a> {
    track: &'a [Sighting],
    /// The place in the track of the first fix behind the instant.
    next: usize,
    gap_max_ms: i64,
}

/// Where a car is at an instant.
#[derive(Clone, Copy, Debug)]
struct Stand {
    place: Place,
    /// Whether a fix says so.
    is_fix: bool,
}

impl<'a> Path<'a> {
    const fn new(track: &'a [Sighting], gap_max_ms: i64) -> Self {
        Self { track, next: 0, gap_max_ms }
    }

    fn next_instant(&self) -> Option<UtcMillis> {
        self.track.get(self.next).map(|sighting| sighting.at)
    }

    /// How far the fixes around the instant before the next one are apart; `None` when it is not between two, or they
    /// are too far apart.
    fn gap_ms(&self) -> Option<i64> {
        let before = self.track.get(self.next.checked_sub(1)?)?;
        let gap = self.track.get(self.next)?.at.0.saturating_sub(before.at.0);
        (gap <= self.gap_max_ms).then_some(gap)
    }

    /// Goes to `instant`, which is not behind the next fix. Of several fixes of one instant the last one counts.
    fn go(&mut self, instant: UtcMillis) -> Option<Stand> {
        let mut stand = None;
        while let Some(sighting) = self.track.get(self.next).filter(|sighting| sighting.at == instant) {
            stand = Some(Stand { place: sighting.place, is_fix: true });
            self.next += 1;
        }
        if stand.is_some() {
            return stand;
        }
        let gap = self.gap_ms()?;
        let (before, after) = (self.track.get(self.next - 1)?, self.track.get(self.next)?);
        let part = (instant.0 - before.at.0) as f64 / gap as f64;
        Some(Stand { place: before.place.towards(after.place, part), is_fix: false })
    }
}

/// Goes along two tracks and gives the meetings on the way.
struct Walk<'a> {
    search: &'a MeetingSearch<'a>,
    other: DeviceId,
    own: Path<'a>,
    others: Path<'a>,
    open: Option<Meeting>,
}

impl<'a> Walk<'a> {
    const fn new(
        search: &'a MeetingSearch<'a>,
        other: DeviceId,
        own: &'a [Sighting],
        others: &'a [Sighting],
    ) -> Self {
        let gap_max_ms = search.gap_max_ms;
        let (own, others) = (Path::new(own, gap_max_ms), Path::new(others, gap_max_ms));
        Self { search, other, own, others, open: None }
    }

    /// Ends the open meeting; gives it back when it was long enough.
    fn close(&mut self) -> Option<Meeting> {
        let least_ms = self.search.least_ms;
        self.open.take().filter(|meeting| meeting.to.0.saturating_sub(meeting.from.0) >= least_ms)
    }

    /// Takes the next instant; gives back a meeting that ended before it.
    fn step(&mut self, instant: UtcMillis) -> Option<Meeting> {
        // Whether both are known to be on their way since the instant before.
        let gaps = (self.own.gap_ms(), self.others.gap_ms());
        let (own, others) = (self.own.go(instant), self.others.go(instant));
        let near = match (own, others) {
            (Some(own), Some(others)) if !own.place.is_surely_beyond(others.place, self.search.radius_m) => {
                let distance_m = own.place.distance_m(others.place);
                (distance_m <= self.search.radius_m).then_some((own, others, distance_m))
            }
            _ => None,
        };
        let Some((own, others, distance_m)) = near else { return self.close() };
        let goes_on = gaps.0.is_some() && gaps.1.is_some() && self.open.is_some();
        let ended = if goes_on { None } else { self.close() };
        let mut meeting = self.open.take().unwrap_or_else(|| self.begin(instant, own, distance_m));
        meeting.to = instant;
        meeting.farthest_m = meeting.farthest_m.max(distance_m);
        if distance_m < meeting.closest_m {
            (meeting.closest_m, meeting.closest) = (distance_m, Sighting { at: instant, place: own.place });
        }
        meeting.own.add(own, gaps.0.filter(|_| goes_on || !own.is_fix));
        meeting.others.add(others, gaps.1.filter(|_| goes_on || !others.is_fix));
        self.open = Some(meeting);
        ended
    }

    fn begin(&self, instant: UtcMillis, own: Stand, distance_m: f64) -> Meeting {
        Meeting {
            other: self.other,
            from: instant,
            to: instant,
            closest: Sighting { at: instant, place: own.place },
            closest_m: distance_m,
            farthest_m: distance_m,
            own: Footing::default(),
            others: Footing::default(),
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Meeting;

    fn next(&mut self) -> Option<Meeting> {
        loop {
            let instants = [self.own.next_instant(), self.others.next_instant()];
            let Some(instant) = instants.into_iter().flatten().min() else { return self.close() };
            if let Some(ended) = self.step(instant) {
                return Some(ended);
            }
        }
    }
}
