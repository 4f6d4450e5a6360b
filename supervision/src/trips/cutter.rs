//! The state machine: standing, leaving, driving.
//!
//! One fix at a time, no allocation but for gaps and segments, no state that grows. Nothing is learned beyond the stop or the
//! trip that is open, so what is cut after a sure stop depends on that stop alone and a cutter resumed from it gives the same.

use super::drive::{Drive, Outcome, gap, is_gap};
use super::outliers::{Screen, Verdict, mark_alone};
use super::standing::Standing;
use super::tally::{Step, says_driving};
use super::{EndReason, Gap, GapPlace, Rest, Segment, StartReason, TripSettings, Wake};
use crate::UtcMillis;
use crate::point::{Point, Position, Signs};

/// Cuts one device's track as it comes in.
#[derive(Clone, Debug)]
pub struct Cutter {
    settings: TripSettings,
    state: State,
    screen: Screen,
    silence: Silence,
    /// The latest fix, kept until time goes on: of several of one instant one is used, whatever their order.
    pending: Option<Point>,
}

/// How long nothing at all was heard of the device since the last fix that was used.
///
/// A receiver underground has no position, but its device is not asleep: it goes on telling so.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    heard: Option<UtcMillis>,
    longest_ms: i64,
}

impl Silence {
    fn hear(&mut self, time: UtcMillis) {
        let before = self.heard.replace(time);
        let silent_ms = before.map_or(0, |before| time.0.saturating_sub(before.0));
        self.longest_ms = self.longest_ms.max(silent_ms);
    }

    /// Whether the device was silent for as long as one that sleeps.
    fn is_sleep(self, settings: &TripSettings) -> bool {
        self.longest_ms >= i64::from(settings.silent_stay_s) * 1_000
    }
}

#[derive(Clone, Debug)]
enum State {
    Empty,
    Standing(Parked),
    Driving(Box<Drive>),
}

/// A car that stands, and what speaks for its leaving.
#[derive(Clone, Debug)]
struct Parked {
    standing: Standing,
    /// What a trip from here begins with, if this is no stop but where the track begins, or begins again.
    opening: Option<StartReason>,
    /// When the device woke, if it slept here.
    wake: Option<Wake>,
    away: Away,
}

#[derive(Clone, Debug)]
enum Away {
    /// In place.
    No,
    /// Outside, not yet believed.
    Near(Box<Excursion>),
    /// One fix far off after a long time without any: an outlier, or nobody saw the car go.
    Far { first: Point, has_slept: bool },
}

/// Fixes outside of a stop that may be a departure or a receiver's drift.
#[derive(Clone, Debug)]
struct Excursion {
    drive: Drive,
    /// The stop with these fixes in it, in case the car never left.
    stayed: Standing,
    /// The first fix outside came after a gap: nobody saw the car go.
    is_unseen: bool,
    since: UtcMillis,
    passed: u32,
    farthest_m: f64,
}

/// Cuts a whole track, whose points are in order of time. Segments are in order of their start, as a history wants them.
#[must_use]
pub fn cut(points: &[Point], settings: &TripSettings) -> Vec<Segment> {
    let mut cutter = Cutter::new(settings.clone());
    let mut segments = Vec::new();
    for point in points {
        cutter.push(point, &mut segments);
    }
    cutter.finish(&mut segments);
    // A cutter tells them in the order in which they end.
    segments.sort_by_key(|segment| (segment.start(), segment.end()));
    segments
}

impl Cutter {
    /// A cutter that knows nothing of the device yet.
    #[must_use]
    pub const fn new(settings: TripSettings) -> Self {
        let silence = Silence { heard: None, longest_ms: 0 };
        Self { settings, state: State::Empty, screen: Screen::new(), silence, pending: None }
    }

    /// A cutter that goes on from a stop. Feed it the fixes later than [`Rest::seen`].
    #[must_use]
    pub fn resume(settings: TripSettings, rest: Rest) -> Self {
        let standing = Standing { stop: rest.stop, last: rest.last };
        let silence = Silence { heard: Some(rest.seen), longest_ms: 0 };
        let parked = Parked { standing, opening: rest.opening, wake: rest.wake, away: Away::No };
        Self { state: State::Standing(parked), silence, ..Self::new(settings) }
    }

    /// Takes the next fix and appends the segments that it closes, in the order in which they end. A fix older than the
    /// latest is ignored: late data is cut again from the [`Rest`] before it.
    ///
    /// A fix whose clock is not believed is only counted: its time must not hold up those that come.
    pub fn push(&mut self, point: &Point, out: &mut Vec<Segment>) {
        if point.signs.contains(Signs::CLOCK_SUSPECT) {
            self.count_marked();
            return;
        }
        let Some(pending) = self.pending.as_mut() else {
            if self.last().is_none_or(|last| last.time < point.time) {
                self.pending = Some(*point);
            }
            return;
        };
        if point.time > pending.time {
            let settled = std::mem::replace(pending, *point);
            self.advance(&settled, out);
        } else if point.time == pending.time && rank(point) < rank(pending) {
            *pending = *point;
        }
    }

    /// Appends what is open now: a trip, closed with [`EndReason::EndOfData`], or a stop that is open.
    pub fn finish(&self, out: &mut Vec<Segment>) {
        let mut cutter = self.clone();
        if let Some(pending) = cutter.pending.take() {
            cutter.advance(&pending, out);
        }
        match cutter.state {
            State::Empty => {}
            State::Standing(parked) => {
                if parked.is_stop() {
                    out.push(Segment::Stop(parked.standing.stop));
                }
            }
            State::Driving(mut drive) => {
                emit_gaps(&mut drive.inner_gaps, out);
                out.push(Segment::Trip(drive.lost(EndReason::EndOfData, &cutter.settings)));
            }
        }
    }

    /// The standing car that is all the state there is, if there is no more: nothing speaks for its leaving and every fix up
    /// to [`Rest::seen`] is settled. What comes later does not depend on anything before.
    #[must_use]
    pub fn rest(&self) -> Option<Rest> {
        match &self.state {
            State::Standing(parked) if matches!(parked.away, Away::No) && self.screen.is_clear() => {
                Some(parked.to_rest())
            }
            _ => None,
        }
    }

    /// Time of the latest fix that a trip can use. A car that reports from its garage without a position drives no further.
    #[must_use]
    pub fn last_used_time(&self) -> Option<UtcMillis> {
        let pending = self.pending.as_ref().filter(|point| mark_alone(point, &self.settings).is_none());
        pending.or_else(|| self.last()).map(|point| point.time)
    }

    /// The last fix that was used.
    fn last(&self) -> Option<&Point> {
        match &self.state {
            State::Empty => None,
            State::Standing(parked) => Some(parked.last()),
            State::Driving(drive) => Some(&drive.last),
        }
    }

    fn advance(&mut self, point: &Point, out: &mut Vec<Segment>) {
        self.silence.hear(point.time);
        let is_back = match &self.state {
            State::Standing(parked) => parked.is_back(point, &self.settings),
            _ => false,
        };
        let verdict = if is_back && mark_alone(point, &self.settings).is_none() {
            Verdict::Good(0.0)
        } else {
            let last = self.last().copied();
            self.screen.judge(last.as_ref(), point, &self.settings)
        };
        match verdict {
            Verdict::Marked => return self.count_marked(),
            Verdict::Jumped if matches!(self.state, State::Driving(_)) => self.jump(point, out),
            Verdict::Jumped | Verdict::Elsewhere => {
                // What was heard on the way is not believed, so it is no sign that the device was awake.
                self.begin_elsewhere(point, EndReason::Implausible, true, out);
            }
            Verdict::Good(distance_m) => self.take(point, distance_m, out),
        }
        self.silence.longest_ms = 0;
    }

    fn has_slept(&self) -> bool {
        self.silence.is_sleep(&self.settings)
    }

    fn count_marked(&mut self) {
        let drive = match &mut self.state {
            State::Driving(drive) => drive,
            State::Standing(Parked { away: Away::Near(excursion), .. }) => &mut excursion.drive,
            _ => return,
        };
        drive.marked_since = drive.marked_since.saturating_add(1);
    }

    /// The trip goes on where the receiver now says it is.
    fn jump(&mut self, point: &Point, out: &mut Vec<Segment>) {
        if let State::Driving(drive) = &mut self.state {
            drive.jump(point, &self.settings);
            emit_gaps(&mut drive.inner_gaps, out);
        }
    }

    fn take(&mut self, point: &Point, distance_m: f64, out: &mut Vec<Segment>) {
        let has_slept = self.has_slept();
        match &mut self.state {
            State::Empty => {
                self.state = State::Standing(Parked::opening(point, StartReason::StartOfData, true));
            }
            State::Standing(parked) => match parked.take(point, distance_m, has_slept, &self.settings, out) {
                Leaving::No => {}
                Leaving::Lost => self.begin_elsewhere(point, EndReason::SilentTooLong, has_slept, out),
                Leaving::GoneTo { first, has_slept } => {
                    self.begin_elsewhere(&first, EndReason::SilentTooLong, has_slept, out);
                    self.take(point, first.at.distance_m(point.at), out);
                }
                Leaving::Departed(drive, outcome) => {
                    self.state = State::Driving(drive);
                    self.settle(outcome, point, out);
                }
            },
            State::Driving(drive) => {
                let outcome = drive.add(point, distance_m, &self.settings);
                if outcome != Outcome::GoesOn || !drive.inner_gaps.is_empty() {
                    self.settle(outcome, point, out);
                }
            }
        }
    }

    /// Hands out what a fix closed of a drive.
    fn settle(&mut self, outcome: Outcome, point: &Point, out: &mut Vec<Segment>) {
        let State::Driving(drive) = &mut self.state else { return };
        emit_gaps(&mut drive.inner_gaps, out);
        match outcome {
            Outcome::GoesOn => {}
            Outcome::Lost(reason) => self.begin_elsewhere(point, reason, self.has_slept(), out),
            Outcome::Arrived | Outcome::Slept => {
                let trip = if outcome == Outcome::Slept {
                    drive.slept(&self.settings)
                } else {
                    drive.arrived(&self.settings)
                };
                out.push(Segment::Trip(trip));
                out.extend(drive.gaps_in_stop().map(Segment::Gap));
                let parked =
                    Parked { standing: drive.stay.clone(), opening: None, wake: None, away: Away::No };
                self.state = State::Standing(parked);
                if outcome == Outcome::Slept {
                    let distance_m = self.last().map_or(0.0, |last| last.at.distance_m(point.at));
                    self.take(point, distance_m, out);
                }
            }
        }
    }

    /// Closes what is open and begins again at `point`, whose way there nobody saw.
    fn begin_elsewhere(&mut self, point: &Point, reason: EndReason, has_slept: bool, out: &mut Vec<Segment>) {
        let next = State::Standing(Parked::opening(point, StartReason::AfterGap, has_slept));
        let before = match std::mem::replace(&mut self.state, next) {
            State::Empty => return,
            State::Standing(parked) => parked.close(out),
            State::Driving(mut drive) => {
                emit_gaps(&mut drive.inner_gaps, out);
                out.push(Segment::Trip(drive.lost(reason, &self.settings)));
                drive.last
            }
        };
        if is_gap(&before, point, &self.settings) {
            out.push(Segment::Gap(gap(&before, point, GapPlace::BetweenTrips)));
        }
    }
}

/// What a fix means for a car that stands.
enum Leaving {
    No,
    /// It is somewhere else; nobody saw how.
    Lost,
    /// The same, with an earlier fix there.
    GoneTo {
        first: Point,
        has_slept: bool,
    },
    /// It drives.
    Departed(Box<Drive>, Outcome),
}

impl Parked {
    fn opening(point: &Point, reason: StartReason, has_slept: bool) -> Self {
        let wake = has_slept.then_some(Wake { time: point.time, fixes_before: 0 });
        Self { standing: Standing::begin(point, point.time), opening: Some(reason), wake, away: Away::No }
    }

    fn to_rest(&self) -> Rest {
        let Standing { stop, last } = self.standing.clone();
        Rest { seen: last.time, stop, last, wake: self.wake, opening: self.opening }
    }

    const fn is_stop(&self) -> bool {
        self.opening.is_none()
    }

    /// Takes the place for a stop once the car has stood there long enough.
    fn settle(&mut self, settings: &TripSettings) {
        // Where the track begins nobody knows whether the device sleeps; standing heard is a sign that it does not.
        let has_slept = self.wake.is_some() && self.opening != Some(StartReason::StartOfData);
        let enough_s = if has_slept { settings.stay_awake_s } else { settings.stay_s };
        if self.standing.age_ms() >= i64::from(enough_s) * 1_000 && self.opening.is_some() {
            self.opening = None;
            self.wake = None;
        }
    }

    const fn last(&self) -> &Point {
        match &self.away {
            Away::No => &self.standing.last,
            Away::Near(excursion) => &excursion.drive.last,
            Away::Far { first, .. } => first,
        }
    }

    fn is_in_place(&self, point: &Point, settings: &TripSettings) -> bool {
        self.standing.stop.at.is_within(point.at, f64::from(settings.stay_radius_m))
    }

    /// Whether a fix ends what looked like a departure. However far the fixes before it were: they were wrong, not it.
    fn is_back(&self, point: &Point, settings: &TripSettings) -> bool {
        !matches!(self.away, Away::No) && self.is_in_place(point, settings)
    }

    fn take(
        &mut self,
        point: &Point,
        distance_m: f64,
        has_slept: bool,
        settings: &TripSettings,
        out: &mut Vec<Segment>,
    ) -> Leaving {
        if self.is_in_place(point, settings) {
            self.come_back(out);
            self.absorb(point, has_slept, settings, out);
            return Leaving::No;
        }
        let outcome = match &mut self.away {
            Away::Far { first, has_slept } => {
                return Leaving::GoneTo { first: *first, has_slept: *has_slept };
            }
            Away::Near(excursion) => {
                let outcome = excursion.drive.add(point, distance_m, settings);
                if outcome == Outcome::Slept && !excursion.was_seen_moving() {
                    let place = excursion.drive.stay.stop.at;
                    self.stay_there(place, settings, out);
                    return self.take(point, distance_m, has_slept, settings, out);
                }
                if matches!(outcome, Outcome::GoesOn | Outcome::Arrived) {
                    excursion.stayed.count(point);
                }
                outcome
            }
            Away::No => {
                self.go_out(point, distance_m, has_slept, settings, out);
                Outcome::GoesOn
            }
        };
        self.decide(point, outcome, settings, out)
    }

    fn absorb(&mut self, point: &Point, has_slept: bool, settings: &TripSettings, out: &mut Vec<Segment>) {
        if is_gap(&self.standing.last, point, settings) {
            let gap = gap(&self.standing.last, point, GapPlace::InStop);
            if !is_heartbeat(&gap, settings) {
                out.push(Segment::Gap(gap));
            }
        }
        if has_slept {
            self.wake = Some(Wake { time: point.time, fixes_before: self.standing.stop.fixes });
        }
        let awake_ms = self.wake.map_or(0, |wake| point.time.0.saturating_sub(wake.time.0));
        if awake_ms > i64::from(settings.stay_awake_s) * 1_000 {
            self.wake = None;
        }
        self.standing.absorb(point);
        self.settle(settings);
    }

    /// What was outside was drift, and the car is where it was.
    fn come_back(&mut self, out: &mut Vec<Segment>) {
        if let Away::Near(excursion) = std::mem::replace(&mut self.away, Away::No) {
            self.standing = excursion.stayed;
            out.extend(excursion.drive.into_gaps_in_stop().map(Segment::Gap));
        }
    }

    /// What was outside was drift, or too small a move to be one, and is the place from now on.
    fn stay_there(&mut self, place: Position, settings: &TripSettings, out: &mut Vec<Segment>) {
        self.come_back(out);
        self.standing.stop.at = place;
        self.settle(settings);
    }

    /// The first fix outside.
    fn go_out(
        &mut self,
        point: &Point,
        distance_m: f64,
        has_slept: bool,
        settings: &TripSettings,
        out: &mut Vec<Segment>,
    ) {
        let step = Step::new(&self.standing.last, point, distance_m, settings);
        let is_far = !self.standing.stop.at.is_within(point.at, f64::from(settings.near_m));
        if is_far && step.ms >= i64::from(settings.silence_limit_s) * 1_000 {
            self.away = Away::Far { first: *point, has_slept };
            return;
        }
        if step.is_gap {
            out.push(Segment::Gap(gap(&self.standing.last, point, GapPlace::InStop)));
            if !is_far && step.ms >= i64::from(settings.silent_stay_s) * 1_000 {
                self.opening = None;
                if has_slept {
                    self.wake = Some(Wake { time: point.time, fixes_before: self.standing.stop.fixes });
                }
            }
        }
        let mut stayed = self.standing.clone();
        stayed.count(point);
        let drive = Drive::leave(&self.standing, self.start_reason(point), self.wake, point, step, settings);
        self.away = Away::Near(Box::new(Excursion {
            drive,
            stayed,
            is_unseen: step.is_gap,
            since: point.time,
            passed: 0,
            farthest_m: 0.0,
        }));
    }

    fn start_reason(&self, point: &Point) -> StartReason {
        if let Some(opening) = self.opening {
            opening
        } else if self.standing.saw_ignition_off() && point.ignition == Some(true) {
            StartReason::IgnitionOn
        } else {
            StartReason::Displacement
        }
    }

    /// Whether the fixes outside, of which this is the latest, are a departure.
    fn decide(
        &mut self,
        point: &Point,
        outcome: Outcome,
        settings: &TripSettings,
        out: &mut Vec<Segment>,
    ) -> Leaving {
        let place = self.standing.stop.at;
        let is_ignition_off = self.standing.saw_ignition_off() && point.ignition == Some(false);
        let Away::Near(excursion) = &mut self.away else { return Leaving::No };
        excursion.see(place.distance_m(point.at), settings);
        let has_left = match outcome {
            Outcome::GoesOn => excursion.is_leaving(point, is_ignition_off, settings),
            // Found a little way off after a silence and standing there: the rest of the way that ended here, or drift.
            Outcome::Arrived if !excursion.was_seen_moving() => false,
            Outcome::Arrived => {
                place.distance_m(excursion.drive.stay.stop.at) >= f64::from(settings.leave_radius_m)
            }
            Outcome::Slept => true,
            // One fix outside is no trip, whatever comes after.
            Outcome::Lost(_) if excursion.drive.is_one_fix() => return Leaving::Lost,
            Outcome::Lost(_) => true,
        };
        if has_left {
            return self.depart(outcome, out);
        }
        let outside_ms = point.time.0.saturating_sub(excursion.since.0);
        let new_place = match outcome {
            Outcome::Arrived => Some(excursion.drive.stay.stop.at),
            _ if outside_ms > LONGEST_EXCURSION_MS && excursion.drive.tally.fixes > MOST_SPARSE_FIXES => {
                Some(point.at)
            }
            _ => None,
        };
        if let Some(place) = new_place {
            self.stay_there(place, settings, out);
        }
        Leaving::No
    }

    fn depart(&mut self, outcome: Outcome, out: &mut Vec<Segment>) -> Leaving {
        let Away::Near(excursion) = std::mem::replace(&mut self.away, Away::No) else { return Leaving::No };
        if self.is_stop() {
            out.push(Segment::Stop(self.standing.closed(excursion.drive.start)));
        }
        Leaving::Departed(Box::new(excursion.drive), outcome)
    }

    /// Ends the stop where it was last seen, and gives the last fix in it.
    fn close(mut self, out: &mut Vec<Segment>) -> Point {
        self.come_back(out);
        if self.is_stop() {
            out.push(Segment::Stop(self.standing.closed(self.standing.last.time)));
        }
        self.standing.last
    }
}

impl Excursion {
    fn see(&mut self, distance_m: f64, settings: &TripSettings) {
        if distance_m > f64::from(settings.leave_radius_m) {
            self.passed = self.passed.saturating_add(1);
        }
        self.farthest_m = self.farthest_m.max(distance_m);
    }

    /// Whether fixes show the car at more than one place outside, or at one that it was seen going to.
    fn was_seen_moving(&self) -> bool {
        !self.is_unseen || self.drive.has_moved_on
    }

    /// Two fixes far enough out, or one that says that it drives; more of both while the ignition, which works here, is off.
    fn is_leaving(&self, point: &Point, is_ignition_off: bool, settings: &TripSettings) -> bool {
        const FIXES: u32 = 2;
        let far_m = f64::from(settings.leave_far_m);
        if !self.was_seen_moving() {
            return false;
        }
        if is_ignition_off {
            return self.passed >= 2 * FIXES && self.farthest_m > 2.0 * far_m;
        }
        self.passed >= FIXES && self.farthest_m > far_m || self.passed >= 1 && says_driving(point)
    }
}

/// Fixes outside of a stop for so long, in milliseconds, without a departure, are where the car stands now...
const LONGEST_EXCURSION_MS: i64 = 600_000;
/// ...if there are more than so many.
const MOST_SPARSE_FIXES: u32 = 4;

/// Whether a silence within a stop is nothing but the interval at which a parked tracker reports: short, with nothing driven, the
/// supply there and the engine off. Thousands of them a month and car say nothing.
fn is_heartbeat(gap: &Gap, settings: &TripSettings) -> bool {
    gap.end.0.saturating_sub(gap.start.0) < i64::from(settings.silent_stay_s) * 1_000
        && gap.odometer_m.unwrap_or(0) == 0
        && gap.ignition_before != Some(true)
        && !gap.power_lost
}

fn emit_gaps(gaps: &mut Vec<Gap>, out: &mut Vec<Segment>) {
    out.extend(gaps.drain(..).map(Segment::Gap));
}

/// The order in which one of several fixes of an instant is chosen: the one that says more, then any, but always the same.
fn rank(point: &Point) -> impl Ord {
    let fields = [
        point.is_usable(),
        point.ignition.is_some(),
        point.speed_dkmh.is_some(),
        point.odometer_m.is_some(),
        point.satellites.is_some(),
    ];
    let said = fields.into_iter().filter(|said| *said).count();
    (
        (!point.is_usable(), std::cmp::Reverse(said), point.at, point.speed_dkmh, point.vehicle_speed_dkmh),
        (point.ignition, point.odometer_m, point.satellites, point.engine_rpm, point.fuel_dl, point.signs.0),
    )
}
