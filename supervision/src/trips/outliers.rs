//! Marks fixes that trips must not use: no position, too few satellites, out of reach.
//!
//! Nothing is dropped here; a marked fix is counted and stays where it is. A spike and a jump differ only in what comes after:
//! [`mark`] looks one fix ahead and names them, the cutter's own screen needs no look-ahead because trips leave both out alike.

use super::TripSettings;
use crate::point::{Point, Position, Signs};

/// Why a fix is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mark {
    /// The source says so, or the position is (0, 0) or not on Earth.
    NoPosition,
    /// The clock that dated it is not believed.
    Clock,
    /// Fewer satellites than a fix in the plane and in height needs.
    FewSatellites,
    /// Neither reached from the fix before nor left for the one after at a possible speed.
    Spike,
    /// Only one of the two: the receiver, or the car, is suddenly elsewhere.
    Jump,
}

/// What is wrong with `fix` between its neighbours, if anything.
#[must_use]
pub fn mark(
    before: Option<&Point>,
    fix: &Point,
    after: Option<&Point>,
    settings: &TripSettings,
) -> Option<Mark> {
    if let Some(mark) = mark_alone(fix, settings) {
        return Some(mark);
    }
    let out_of_reach = |a: &Point, b: &Point| is_out_of_reach(a.at.distance_m(b.at), step_ms(a, b), settings);
    let from_before = before.is_some_and(|p| out_of_reach(p, fix));
    let to_after = after.is_some_and(|p| out_of_reach(fix, p));
    match (from_before, to_after) {
        (true, true) => Some(Mark::Spike),
        (false, false) => None,
        _ => Some(Mark::Jump),
    }
}

/// What is wrong with a fix without a look at its neighbours.
#[must_use]
pub fn mark_alone(fix: &Point, settings: &TripSettings) -> Option<Mark> {
    if !fix.is_usable() || !is_place(fix.at) {
        Some(Mark::NoPosition)
    } else if fix.signs.contains(Signs::CLOCK_SUSPECT) {
        Some(Mark::Clock)
    } else if fix.satellites.is_some_and(|n| n > 0 && n < settings.min_satellites) {
        // None at all can't give a position: such a source leaves the field empty.
        Some(Mark::FewSatellites)
    } else {
        None
    }
}

fn is_place(at: Position) -> bool {
    const POLE_E7: u32 = 900_000_000;
    const HALF_TURN_E7: u32 = 1_800_000_000;
    at != Position::default()
        && at.lat_e7.unsigned_abs() <= POLE_E7
        && at.lon_e7.unsigned_abs() <= HALF_TURN_E7
}

/// Milliseconds from `a` to `b`; no clock is so wrong that this overflows.
pub(super) fn step_ms(a: &Point, b: &Point) -> i64 {
    b.time.0.saturating_sub(a.time.0)
}

fn is_out_of_reach(distance_m: f64, step_ms: i64, settings: &TripSettings) -> bool {
    // Two fixes of one second may differ by a receiver's noise.
    const SHORTEST_STEP_MS: i64 = 1_000;
    let limit_m_per_ms = f64::from(settings.max_speed_kmh) / 3_600.0;
    distance_m > limit_m_per_ms * ms_f64(step_ms.max(SHORTEST_STEP_MS))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a span of time; beyond 2^53 ms its last digit does not matter"
)]
pub(super) fn ms_f64(ms: i64) -> f64 {
    ms as f64
}

/// What the screen says of a fix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Use it; its distance in metres from the last fix that was used.
    Good(f64),
    /// Count it and do nothing else.
    Marked,
    /// So many in a row were out of reach that this one is believed. They came one after the other: the receiver, or its
    /// clock, jumped.
    Jumped,
    /// The same after a silence: how the car came there is not known.
    Elsewhere,
}

/// Tells fixes that can be used from those that can't, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Screen {
    out_of_reach: u32,
    /// Whether a gap came before the first of them.
    after_gap: bool,
}

impl Screen {
    pub(crate) const fn new() -> Self {
        Self { out_of_reach: 0, after_gap: false }
    }

    /// Judges `fix` after `last`, the last one that was used.
    pub(crate) fn judge(&mut self, last: Option<&Point>, fix: &Point, settings: &TripSettings) -> Verdict {
        if mark_alone(fix, settings).is_some() {
            return Verdict::Marked;
        }
        let Some(last) = last else { return Verdict::Good(0.0) };
        let distance_m = last.at.distance_m(fix.at);
        if !is_out_of_reach(distance_m, step_ms(last, fix), settings) {
            self.out_of_reach = 0;
            return Verdict::Good(distance_m);
        }
        let is_silence = step_ms(last, fix) > i64::from(settings.gap_s) * 1_000;
        if self.out_of_reach == 0 {
            self.after_gap = is_silence;
        }
        self.out_of_reach = self.out_of_reach.saturating_add(1);
        if self.out_of_reach < settings.believed_after_fixes || !is_silence {
            return Verdict::Marked;
        }
        self.out_of_reach = 0;
        if self.after_gap { Verdict::Elsewhere } else { Verdict::Jumped }
    }

    /// Whether nothing is pending that a later verdict depends on.
    pub(super) const fn is_clear(&self) -> bool {
        self.out_of_reach == 0
    }
}
