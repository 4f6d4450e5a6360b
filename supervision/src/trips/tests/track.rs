//! Builds tracks from what a car did, sampled as a tracker would.

use crate::UtcMillis;
use crate::point::{Point, Position};

/// 2024-03-06T00:00:00Z, a Wednesday; the scenarios' clock times count from here.
const MIDNIGHT_S: i64 = 1_709_683_200;
const METRES_PER_DEGREE: f64 = 111_195.0;

/// A time of the first day, or of the next ones with hours above 23.
pub(super) fn at(hour: i64, minute: i64, second: i64) -> UtcMillis {
    UtcMillis((MIDNIGHT_S + hour * 3_600 + minute * 60 + second) * 1_000)
}

/// What a tracker tells beside its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    Positions,
    Ignition,
    AlwaysOn,
    NeverOn,
}

/// A car on a straight road to the east, and the fixes taken of it.
pub(super) struct Track {
    pub(super) points: Vec<Point>,
    tells: Tells,
    now: UtcMillis,
    metres: f64,
    aside_m: f64,
}

impl Track {
    pub(super) fn new(start: UtcMillis, tells: Tells) -> Self {
        Self { points: Vec::new(), tells, now: start, metres: 0.0, aside_m: 0.0 }
    }

    /// One fix now, `aside_m` north of where the car is.
    pub(super) fn fix(&mut self, m_per_s: f64, engine: bool, aside_m: f64) {
        // A receiver's noise of some metres, the same every time.
        let phase = (self.now.0 / 1_000 % 97) as f64;
        let north = aside_m + 4.0 * phase.sin();
        let lat = 30.0 + north / METRES_PER_DEGREE;
        let lon = 120.0
            + (self.metres + 4.0 * (2.0 * phase).cos()) / (METRES_PER_DEGREE * 30.0_f64.to_radians().cos());
        let mut point = Point::new(self.now, Position::from_degrees(lat, lon));
        match self.tells {
            Tells::Positions => {}
            Tells::Ignition => {
                point.ignition = Some(engine);
                point.speed_dkmh = Some((m_per_s * 36.0).round() as u16);
            }
            Tells::AlwaysOn => point.ignition = Some(true),
            Tells::NeverOn => point.ignition = Some(false),
        }
        self.points.push(point);
    }

    /// Drives at `m_per_s` until a time, with a fix every `every_s` from now on, the last at that time or before.
    pub(super) fn drive(&mut self, until: UtcMillis, m_per_s: f64, every_s: i64) {
        self.go(until, m_per_s, every_s, true);
    }

    /// Stands with the engine off.
    pub(super) fn park(&mut self, until: UtcMillis, every_s: i64) {
        self.go(until, 0.0, every_s, false);
    }

    /// Stands with the engine on.
    pub(super) fn idle(&mut self, until: UtcMillis, every_s: i64) {
        self.go(until, 0.0, every_s, true);
    }

    /// Lets time go by without a fix, at a speed.
    pub(super) fn silent(&mut self, until: UtcMillis, m_per_s: f64) {
        self.metres += m_per_s * (until.0 - self.now.0) as f64 / 1_000.0;
        self.now = until;
    }

    /// Shifts the fixes from now on to the north.
    pub(super) fn fix_aside(&mut self, aside_m: f64) {
        self.aside_m = aside_m;
        self.fix(0.0, false, aside_m);
        self.aside_m = 0.0;
    }

    fn go(&mut self, until: UtcMillis, m_per_s: f64, every_s: i64, engine: bool) {
        while self.now < until {
            self.fix(m_per_s, engine, self.aside_m);
            let next = UtcMillis(self.now.0 + every_s * 1_000).min(until);
            self.silent(next, m_per_s);
        }
    }
}
