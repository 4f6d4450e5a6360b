//! A car that stands: the stop that grows with each fix in place. Decides nothing about leaving.
//!
//! What is here is what a [`Rest`](super::Rest) keeps, so that a cutter resumed from one goes on as if it had never stopped.

use super::Stop;
use super::outliers::step_ms;
use crate::UtcMillis;
use crate::point::{Point, Position};

/// The middle of a stop follows at most one fix of each such span of UTC, so that a tracker's interval does not matter.
const MIDDLE_SPAN_MS: i64 = 30_000;
/// A fix weighs as much in the middle as each span before it, but never less than one part in this: a middle that begins
/// wrong is forgotten, and two cutters that began at different moments agree.
const MIDDLE_SPANS: i64 = 16;

/// A stop in the making and the last fix in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) stop: Stop,
    pub(super) last: Point,
}

impl Standing {
    /// Begins at `point`, reached at `arrival`.
    pub(super) fn begin(point: &Point, arrival: UtcMillis) -> Self {
        let stop = Stop {
            start: arrival,
            end: point.time,
            at: point.at,
            is_open: true,
            ignition_on_s: point.ignition.map(|_| 0),
            fixes: 1,
            longest_silence_s: 0,
        };
        Self { stop, last: *point }
    }

    /// A fix in place.
    pub(super) fn absorb(&mut self, point: &Point) {
        if self.last.time.0.div_euclid(MIDDLE_SPAN_MS) != point.time.0.div_euclid(MIDDLE_SPAN_MS) {
            let spans = point.time.0.saturating_sub(self.stop.start.0) / MIDDLE_SPAN_MS;
            self.stop.at = pulled(self.stop.at, point.at, spans.clamp(1, MIDDLE_SPANS - 1) + 1);
        }
        self.count(point);
    }

    /// A fix that turned out to belong to the stop although it lay outside.
    pub(super) fn count(&mut self, point: &Point) {
        let stop = &mut self.stop;
        let silence_s = u32::try_from(step_ms(&self.last, point) / 1_000).unwrap_or(u32::MAX);
        stop.longest_silence_s = stop.longest_silence_s.max(silence_s);
        if let Some(on_s) = stop.ignition_on_s.as_mut() {
            if self.last.ignition == Some(true) {
                *on_s = on_s.saturating_add(whole_seconds(self.last.time, point.time));
            }
        } else if point.ignition.is_some() {
            stop.ignition_on_s = Some(0);
        }
        stop.fixes = stop.fixes.saturating_add(1);
        stop.end = point.time;
        self.last = *point;
    }

    /// Milliseconds since the arrival.
    pub(super) const fn age_ms(&self) -> i64 {
        self.stop.end.0.saturating_sub(self.stop.start.0)
    }

    /// Whether the ignition was seen off here for as long as a driver would not leave it off at a light.
    pub(super) fn saw_ignition_off(&self) -> bool {
        const WHILE_MS: i64 = 120_000;
        self.stop.ignition_on_s.is_some_and(|on_s| self.age_ms() - i64::from(on_s) * 1_000 >= WHILE_MS)
    }

    /// The stop as it is known when the car leaves at `departure`.
    pub(super) fn closed(&self, departure: UtcMillis) -> Stop {
        Stop { end: departure.max(self.stop.start), is_open: false, ..self.stop.clone() }
    }
}

/// Whole seconds of UTC that begin between two instants: sums of it over steps add up, whatever the interval.
fn whole_seconds(from: UtcMillis, to: UtcMillis) -> u32 {
    u32::try_from(to.0.div_euclid(1_000).saturating_sub(from.0.div_euclid(1_000))).unwrap_or(u32::MAX)
}

/// The running middle, drawn towards `to` by one part in `share`, and by the last digit when that is less: what two middles
/// differ by does not stay for ever.
fn pulled(middle: Position, to: Position, share: i64) -> Position {
    const TURN_E7: i64 = 3_600_000_000;
    let pull = |from: i32, to: i32| -> i32 {
        let mut difference = i64::from(to) - i64::from(from);
        if difference.abs() > TURN_E7 / 2 {
            difference -= TURN_E7 * difference.signum();
        }
        let moved = if difference.abs() < share { difference.signum() } else { difference / share };
        i32::try_from(i64::from(from) + moved).unwrap_or(from)
    };
    Position { lat_e7: pull(middle.lat_e7, to.lat_e7), lon_e7: pull(middle.lon_e7, to.lon_e7) }
}
