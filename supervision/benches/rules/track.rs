//! The track of a car of an office: a few outings on workdays, a rare one at the weekend, a fix every 10 to 20 s on the way and
//! every 30 s in the depot, with ignition, speed, odometer, and a receiver's noise.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use motorpool_supervision::UtcMillis;
use motorpool_supervision::point::{Point, Position};
use motorpool_supervision::trips::{Segment, TripSettings, cut};

use crate::county::County;
use crate::dice::Dice;

const PARKED_MS: i64 = 30_000;

/// A use of the car from its depot and back.
#[derive(Clone, Copy, Debug)]
pub struct Outing {
    pub out: UtcMillis,
    pub back: UtcMillis,
    pub to: Position,
    pub odometer_m: u32,
}

#[derive(Clone, Debug)]
pub struct Track {
    pub points: Vec<Point>,
    pub segments: Vec<Segment>,
    pub outings: Vec<Outing>,
}

struct Car {
    dice: Dice,
    at: Position,
    now: UtcMillis,
    odometer_m: f64,
    heading: f64,
    points: Vec<Point>,
    outings: Vec<Outing>,
}

impl Track {
    pub fn new(seed: u64, county: &County, first: Date, last: Date) -> Self {
        let depot = county.depot_of_track(seed);
        let mut car = Car {
            dice: Dice(seed + 1),
            at: depot,
            now: local(first, 0),
            odometer_m: 50_000_000.0,
            heading: 0.0,
            points: Vec::new(),
            outings: Vec::new(),
        };
        let mut day = first;
        while day <= last {
            car.spend(day, depot, county);
            day = day.saturating_add(1.day());
        }
        let segments = cut(&car.points, &TripSettings::default());
        Self { points: car.points, segments, outings: car.outings }
    }
}

fn local(day: Date, minute: i64) -> UtcMillis {
    let midnight = day.to_zoned(TimeZone::get("Asia/Shanghai").unwrap()).unwrap();
    UtcMillis(midnight.timestamp().as_millisecond() + minute * 60_000)
}

impl Car {
    fn spend(&mut self, day: Date, depot: Position, county: &County) {
        let is_weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let outings = if is_weekend { i64::from(self.dice.chance(0.15)) } else { self.dice.whole(2, 4) };
        for outing in 0..outings {
            let out = local(day, 8 * 60 + outing * 180 + self.dice.whole(0, 60));
            self.park_until(out);
            let odometer_m = self.counted_m();
            let to = *self.dice.of(&county.destinations);
            self.drive_to(to);
            let stays_ms = self.dice.whole(3, 50) * 60_000;
            self.park_until(UtcMillis(self.now.0 + stays_ms));
            self.drive_to(depot);
            self.outings.push(Outing { out, back: self.now, to, odometer_m });
        }
        self.park_until(local(day, 1_440));
    }

    fn park_until(&mut self, until: UtcMillis) {
        while self.now.0 + PARKED_MS <= until.0 {
            self.now.0 += PARKED_MS;
            self.report(0.0, false);
        }
    }

    /// A way that winds, with lights.
    fn drive_to(&mut self, to: Position) {
        let interval_s = *self.dice.of(&[10_i32, 15, 20]);
        while self.at.distance_m(to) > 400.0 {
            let bearing = (to.lon() - self.at.lon()).atan2(to.lat() - self.at.lat());
            self.heading = bearing + self.dice.between(-0.9, 0.9);
            let lights = if self.dice.chance(0.08) { self.dice.whole(1, 6) } else { 0 };
            for _ in 0..lights {
                self.now.0 += i64::from(interval_s) * 1_000;
                self.report(0.0, true);
            }
            let speed = self.dice.between(6.0, 17.0);
            let metres = speed * f64::from(interval_s);
            self.now.0 += i64::from(interval_s) * 1_000;
            self.odometer_m += metres;
            let degrees = metres / 111_195.0;
            self.at = Position::from_degrees(
                self.at.lat() + degrees * self.heading.cos(),
                self.at.lon() + degrees * self.heading.sin() / self.at.lat().to_radians().cos(),
            );
            self.report(speed, true);
        }
        self.at = to;
        self.odometer_m += 300.0;
        self.now.0 += 60_000;
        self.report(0.0, true);
    }

    fn counted_m(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
        let whole = self.odometer_m as u32;
        whole
    }

    fn report(&mut self, speed: f64, ignition: bool) {
        let (north, east) = (self.dice.between(-5e-5, 5e-5), self.dice.between(-5e-5, 5e-5));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let dkmh = (speed * 36.0) as u16;
        self.points.push(Point {
            speed_dkmh: Some(dkmh),
            odometer_m: Some(self.counted_m()),
            ignition: Some(ignition),
            satellites: Some(11),
            ..Point::new(self.now, Position::from_degrees(self.at.lat() + north, self.at.lon() + east))
        });
    }
}
