//! A car that may be driving: sums since the departure, and the latest place at which it may have arrived.
//!
//! Every fix either lies in the circle of the latest possible stay or begins a new one. What a drive was at the beginning of
//! that stay is kept, so that an arrival that proves real is dated back to it. Silence is judged here too. State is bounded:
//! two tallies, one stay, the gaps within it.

use super::outliers::{ms_f64, step_ms};
use super::standing::Standing;
use super::tally::{Step, Tally, says_driving, to_metres};
use super::{EndReason, Gap, GapPlace, StartReason, Trip, TripKind, TripSettings, Wake, confidence};
use crate::UtcMillis;
use crate::point::{Point, Position, Signs};

/// The speed taken for a way that nobody saw, m/s: a car in town.
const UNSEEN_M_PER_S: f64 = 8.0;
/// Steps longer than this hide the moment of a departure or an arrival, which is then reckoned from the way.
const LONG_STEP_MS: i64 = 60_000;
/// After standing so long a single fix outside is held back until the next one tells whether it is an outlier, and a trip
/// that ends in silence ends at the arrival.
const SETTLED_MS: i64 = 60_000;
/// In the first two minutes of a stay a fix so many metres further on is still the approach.
const APPROACH_MS: i64 = 120_000;
const APPROACH_M: f64 = 40.0;
/// Gaps within a stay are at least `gap_s` long and a stay becomes a stop after some minutes: more than these are never open.
const OPEN_GAPS: usize = 64;

/// What a fix did to a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It goes on, or stands too shortly to tell.
    GoesOn,
    /// The stay is a stop, and the fix lies in it.
    Arrived,
    /// The silence before the fix was a stop at the stay; the fix is not taken in and may lie outside.
    Slept,
    /// The trip ended before the fix, which is elsewhere and not taken in.
    Lost(EndReason),
}

/// A trip in the making.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drive {
    pub(super) start: UtcMillis,
    start_at: Position,
    pub(super) start_reason: StartReason,
    /// Whether the stop before proved that this car's ignition goes off.
    ignition_goes_off: bool,
    /// Whether the device slept before and wakes with the car.
    woke: bool,
    pub(super) tally: Tally,
    pub(super) last: Point,
    pub(super) stay: Standing,
    at_arrival: Tally,
    /// Marked fixes since the last that was used: within the trip only if it goes on.
    pub(super) marked_since: u32,
    /// Whether it went on from the place of its first fix.
    pub(super) has_moved_on: bool,
    /// A single fix outside a settled stay.
    held: Option<Point>,
    /// Gaps since the arrival, which lie in the trip or in a stop.
    open_gaps: Vec<Gap>,
    /// Gaps that lie in the trip, to be handed out.
    pub(super) inner_gaps: Vec<Gap>,
}

impl Drive {
    /// Leaves `origin` for `point`, the first fix outside.
    pub(super) fn leave(
        origin: &Standing,
        reason: StartReason,
        wake: Option<Wake>,
        point: &Point,
        step: Step,
        settings: &TripSettings,
    ) -> Self {
        let last = &origin.last;
        let start = if step.ms > LONG_STEP_MS {
            let on_the_way_ms = unseen_ms(step.distance_m);
            UtcMillis(point.time.0.saturating_sub(on_the_way_ms)).max(last.time)
        } else {
            last.time
        };
        let mut tally = Tally::start(last, origin.stop.at);
        tally.add(last, point, step);
        if step.ms >= i64::from(settings.silent_stay_s) * 1_000 {
            // What a device that slept did not see is no distance; only its odometer knows.
            tally.distance_m = 0.0;
            tally.is_bridged = false;
        }
        let ready_ms = wake.map_or(0, |wake| last.time.0.saturating_sub(wake.time.0));
        let start = match wake {
            Some(wake)
                if ready_ms > i64::from(settings.run_on_s) * 1_000
                    && last.ignition.is_none()
                    && reason != StartReason::StartOfData =>
            {
                tally.add_waiting(
                    ready_ms,
                    origin.stop.fixes.saturating_sub(wake.fixes_before).saturating_sub(1),
                );
                wake.time
            }
            _ => start,
        };
        Self {
            start,
            start_at: origin.stop.at,
            start_reason: reason,
            ignition_goes_off: origin.saw_ignition_off(),
            woke: wake.is_some(),
            tally,
            last: *point,
            stay: Standing::begin(point, point.time),
            at_arrival: tally,
            marked_since: 0,
            has_moved_on: false,
            held: None,
            open_gaps: Vec::new(),
            inner_gaps: Vec::new(),
        }
    }

    /// Takes the next fix, `distance_m` from the last.
    pub(super) fn add(&mut self, point: &Point, distance_m: f64, settings: &TripSettings) -> Outcome {
        let step = Step::new(&self.last, point, distance_m, settings);
        if step.is_gap
            && let Some(outcome) = self.ended_by_silence(step, settings)
        {
            return outcome;
        }
        self.count_marked();
        let is_in_place = self.stay.stop.at.is_within(point.at, f64::from(settings.stay_radius_m));
        if is_in_place {
            return self.add_in_place(point, step, settings);
        }
        if let Some(held) = self.held.take() {
            self.move_on(&held, Step::new(&self.last, &held, self.last.at.distance_m(held.at), settings));
            return self.add(point, held.at.distance_m(point.at), settings);
        }
        if self.stay.age_ms() >= SETTLED_MS && !step.is_gap && !says_driving(point) {
            self.held = Some(*point);
        } else {
            self.move_on(point, step);
        }
        Outcome::GoesOn
    }

    fn count_marked(&mut self) {
        self.tally.marked = self.tally.marked.saturating_add(std::mem::take(&mut self.marked_since));
    }

    fn add_in_place(&mut self, point: &Point, step: Step, settings: &TripSettings) -> Outcome {
        if self.held.take().is_some() {
            self.tally.marked = self.tally.marked.saturating_add(1);
        }
        let is_approaching =
            self.stay.age_ms() <= APPROACH_MS && !self.stay.stop.at.is_within(point.at, APPROACH_M);
        if is_approaching || says_driving(point) && self.stay.age_ms() < SETTLED_MS {
            self.move_on(point, step);
            return Outcome::GoesOn;
        }
        if step.is_gap && self.open_gaps.len() < OPEN_GAPS {
            self.open_gaps.push(gap(&self.last, point, GapPlace::InTrip));
        }
        self.tally.add(&self.last, point, step);
        self.stay.absorb(point);
        self.last = *point;
        if self.has_arrived(settings) { Outcome::Arrived } else { Outcome::GoesOn }
    }

    /// The car is not where it was: whatever stay there was is part of the trip, and a new one may begin here.
    fn move_on(&mut self, point: &Point, step: Step) {
        self.inner_gaps.append(&mut self.open_gaps);
        if step.is_gap {
            self.inner_gaps.push(gap(&self.last, point, GapPlace::InTrip));
        }
        let arrival = if step.ms > LONG_STEP_MS {
            UtcMillis(self.last.time.0.saturating_add(unseen_ms(step.distance_m))).min(point.time)
        } else {
            point.time
        };
        self.tally.add(&self.last, point, step);
        self.stay = Standing::begin(point, arrival);
        self.at_arrival = self.tally;
        self.has_moved_on = true;
        self.last = *point;
    }

    /// Whether the silence before a fix ended the trip.
    fn ended_by_silence(&self, step: Step, settings: &TripSettings) -> Option<Outcome> {
        let over = |ms: i64, limit_s: u32| ms >= i64::from(limit_s) * 1_000;
        let limit_s = if self.woke { settings.silence_limit_s } else { settings.silent_stay_s };
        let stood_ms = step.ms.saturating_sub(unseen_ms(step.distance_m));
        if step.distance_m <= f64::from(settings.near_m) && over(stood_ms, limit_s) {
            Some(Outcome::Slept)
        } else if over(step.ms, settings.silence_limit_s) {
            Some(Outcome::Lost(EndReason::SilentTooLong))
        } else {
            None
        }
    }

    /// The receiver jumped to `point`: the trip goes on there, and the way between is no distance.
    pub(super) fn jump(&mut self, point: &Point, settings: &TripSettings) {
        self.held = None;
        self.count_marked();
        self.tally.jump(point, step_ms(&self.last, point));
        self.inner_gaps.append(&mut self.open_gaps);
        if is_gap(&self.last, point, settings) {
            self.inner_gaps.push(gap(&self.last, point, GapPlace::InTrip));
        }
        self.stay = Standing::begin(point, point.time);
        self.at_arrival = self.tally;
        self.has_moved_on = true;
        self.last = *point;
    }

    /// Whether a single fix is all there is of it.
    pub(super) const fn is_one_fix(&self) -> bool {
        !self.has_moved_on && self.stay.stop.fixes == 1
    }

    fn has_arrived(&self, settings: &TripSettings) -> bool {
        let stood_ms = self.stay.age_ms();
        let enough = |have_ms: i64, needed_s: u32| have_ms >= i64::from(needed_s) * 1_000;
        if self.tally.is_ignition_proved() {
            // A tracker that is silent meanwhile first speaks with the ignition on again: the time off counts, not the last word.
            let on_s = self.stay.stop.ignition_on_s;
            let off_ms = on_s.map_or(0, |on_s| stood_ms.saturating_sub(i64::from(on_s) * 1_000));
            if enough(off_ms, settings.stay_ignition_off_s) {
                return true;
            }
            match self.last.ignition {
                Some(false) => return false,
                Some(true) if self.ignition_goes_off => return enough(stood_ms, settings.stay_ignition_on_s),
                _ => {}
            }
        }
        enough(stood_ms, if self.woke { settings.stay_awake_s } else { settings.stay_s })
    }

    /// Gaps that lie in the stay, now that it is a stop.
    pub(super) fn gaps_in_stop(&mut self) -> impl Iterator<Item = Gap> + '_ {
        self.open_gaps.drain(..).map(|gap| Gap { place: GapPlace::InStop, ..gap })
    }

    /// Every gap since the departure, now that there was none.
    pub(super) fn into_gaps_in_stop(self) -> impl Iterator<Item = Gap> {
        self.inner_gaps.into_iter().chain(self.open_gaps).map(|gap| Gap { place: GapPlace::InStop, ..gap })
    }

    /// The trip, ended by the arrival at the stay.
    pub(super) fn arrived(&self, settings: &TripSettings) -> Trip {
        let reason = if self.is_ignition_off() { EndReason::IgnitionOff } else { EndReason::Stayed };
        self.back_dated(reason, settings)
    }

    /// The trip, ended by a silence that was spent standing. The stop that is left begins where it ends.
    pub(super) fn slept(&mut self, settings: &TripSettings) -> Trip {
        let trip = self.lost(EndReason::SilentInPlace, settings);
        self.stay.stop.start = trip.end;
        trip
    }

    /// The trip, ended because nothing more is known of it.
    pub(super) fn lost(&self, reason: EndReason, settings: &TripSettings) -> Trip {
        let stood_ms = self.stay.age_ms();
        let may_never_sleep = !self.woke || self.start_reason == StartReason::StartOfData;
        let ran_on = reason == EndReason::EndOfData && may_never_sleep
            || stood_ms <= i64::from(settings.run_on_s) * 1_000
            || self.last.ignition.is_some();
        if stood_ms >= SETTLED_MS && ran_on {
            return self.back_dated(reason, settings);
        }
        self.trip(&self.tally, self.last.time, self.last.at, reason, settings)
    }

    fn back_dated(&self, reason: EndReason, settings: &TripSettings) -> Trip {
        let mut tally = self.at_arrival;
        tally.marked = self.tally.marked;
        tally.add_last_leg(self.stay.stop.at);
        self.trip(&tally, self.stay.stop.start, self.stay.stop.at, reason, settings)
    }

    fn is_ignition_off(&self) -> bool {
        self.tally.is_ignition_proved() && self.last.ignition == Some(false)
    }

    fn trip(
        &self,
        tally: &Tally,
        end: UtcMillis,
        end_at: Position,
        end_reason: EndReason,
        settings: &TripSettings,
    ) -> Trip {
        let (distance_m, distance_source) = tally.distance();
        let end = end.max(self.start);
        let times = Times::within(tally, end.0.saturating_sub(self.start.0));
        Trip {
            kind: if distance_m >= settings.min_trip_m { TripKind::Trip } else { TripKind::Move },
            start: self.start,
            end,
            start_at: self.start_at,
            end_at,
            distance_m,
            distance_source,
            moving_s: times.moving_s,
            idle_s: times.idle_s,
            max_speed_dkmh: tally.max_speed_dkmh,
            fixes: tally.fixes,
            marked: tally.marked,
            gap_s: times.gap_s,
            confidence_pct: confidence::of(tally, distance_source, self.start_reason, end_reason),
            start_reason: self.start_reason,
            end_reason,
        }
    }
}

/// Milliseconds that a car needs for a way that nobody saw, in whole seconds.
fn unseen_ms(distance_m: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
    let seconds = (distance_m / UNSEEN_M_PER_S).round() as i64;
    seconds.saturating_mul(1_000)
}

/// The gap between two fixes.
pub(super) fn gap(before: &Point, after: &Point, place: GapPlace) -> Gap {
    let counted = |(from, to): (u32, u32)| to.checked_sub(from);
    Gap {
        start: before.time,
        end: after.time,
        from: before.at,
        to: after.at,
        displacement_m: to_metres(before.at.distance_m(after.at)),
        odometer_m: before.odometer_m.zip(after.odometer_m).and_then(counted),
        place,
        ignition_before: before.ignition,
        ignition_after: after.ignition,
        power_lost: before.signs.contains(Signs::POWER_LOST) || after.signs.contains(Signs::POWER_LOST),
    }
}

/// Whether there is a gap between two fixes.
pub(super) fn is_gap(before: &Point, after: &Point, settings: &TripSettings) -> bool {
    step_ms(before, after) > i64::from(settings.gap_s) * 1_000
}

/// Time in motion, standing and silent, which add up to the time of the trip.
struct Times {
    moving_s: u32,
    idle_s: u32,
    gap_s: u32,
}

impl Times {
    /// A departure or an arrival that was reckoned into a long step leaves a part of that step outside of the trip.
    fn within(tally: &Tally, duration_ms: i64) -> Self {
        let mut excess =
            (tally.moving_ms.saturating_add(tally.idle_ms).saturating_add(tally.gap_ms) - duration_ms).max(0);
        let mut less = |ms: i64| {
            let taken = excess.min(ms);
            excess -= taken;
            ms - taken
        };
        let (gap_ms, idle_ms, moving_ms) = (less(tally.gap_ms), less(tally.idle_ms), less(tally.moving_ms));
        let seconds = |ms: i64| to_metres(ms_f64(ms) / 1_000.0);
        Self { moving_s: seconds(moving_ms), idle_s: seconds(idle_ms), gap_s: seconds(gap_ms) }
    }
}
