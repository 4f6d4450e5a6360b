//! A tracker that never sleeps, with its own truth: trips with traffic lights, jams and tunnels, waits between them, and a
//! receiver whose fixes drift while the car is parked. One seed, one device, the same every time.

use motorpool_supervision::UtcMillis;
use motorpool_supervision::point::{Point, Position};

use super::data::{Device, Span};

const DAY_S: i64 = 86_400;
/// 2024-03-04T00:00:00Z.
const FIRST_DAY_S: i64 = 1_709_510_400;
const METRES_PER_DEGREE: f64 = 111_195.0;

/// What the tracker tells beside its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    Positions,
    /// Ignition, speed and odometer.
    Vehicle,
    /// The same, but the ignition wire is on whatever happens.
    AlwaysOn,
    /// The same, but it is never on.
    NeverOn,
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    fn seconds(&mut self, least: i64, most: i64) -> i64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small")]
        let seconds = self.between(least as f64, most as f64) as i64;
        seconds
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// About normal, deviation 1: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

struct Car {
    dice: Dice,
    tells: Tells,
    interval_s: i64,
    parked_interval_s: i64,
    now_s: i64,
    next_report_s: i64,
    east_m: f64,
    north_m: f64,
    heading: f64,
    speed: f64,
    driven_m: f64,
    ignition: bool,
    in_tunnel: bool,
    noise: [f64; 2],
    noise_m: f64,
    wander_until_s: i64,
    wander: [f64; 2],
    points: Vec<Point>,
    trips: Vec<Span>,
}

/// A device's `days`, thinned to 30 s, parked fixes at an interval that the seed decides.
pub fn never_sleeps(seed: u64, days: i64, tells: Tells) -> Device {
    let mut dice = Dice(seed);
    let parked_interval_s = [30, 60, 300][usize::try_from(dice.next() % 3).expect("below three")];
    let noise_m = dice.between(5.0, 8.0);
    let mut car = Car {
        dice,
        tells,
        interval_s: 30,
        parked_interval_s,
        now_s: FIRST_DAY_S,
        next_report_s: FIRST_DAY_S,
        east_m: 0.0,
        north_m: 0.0,
        heading: 0.0,
        speed: 0.0,
        driven_m: 0.0,
        ignition: false,
        in_tunnel: false,
        noise: [0.0; 2],
        noise_m,
        wander_until_s: 0,
        wander: [0.0; 2],
        points: Vec::new(),
        trips: Vec::new(),
    };
    for day in 0..days {
        let morning_s = car.dice.seconds(6 * 3_600, 8 * 3_600);
        car.park_until(FIRST_DAY_S + day * DAY_S + morning_s);
        while car.now_s < FIRST_DAY_S + day * DAY_S + 18 * 3_600 {
            car.trip();
            // Short waits are as frequent as long ones.
            let wait_s = car.dice.between(f64::ln(360.0), f64::ln(5_400.0)).exp().round();
            #[expect(clippy::cast_possible_truncation, reason = "small")]
            car.park_until(car.now_s + wait_s as i64);
        }
    }
    car.park_until(FIRST_DAY_S + days * DAY_S);
    let all = Span { start: UtcMillis(0), end: UtcMillis(i64::MAX), distance_m: 0.0 };
    Device { name: format!("simulated-{seed}"), points: car.points, trips: car.trips, labels: vec![all] }
}

impl Car {
    fn trip(&mut self) {
        let off_s = self.dice.seconds(10, 60);
        self.ignition = true;
        self.stand(off_s);
        let (start_s, start_m) = (self.now_s, self.driven_m);
        self.heading = self.dice.between(0.0, std::f64::consts::TAU);
        let until_s = start_s + self.dice.seconds(240, 3_000);
        while self.now_s < until_s {
            let cruise_s = self.dice.seconds(30, 180);
            let speed = self.dice.between(6.0, 22.0);
            self.drive(cruise_s, speed);
            if self.dice.chance(0.05) {
                let (jam_s, speed) = (self.dice.seconds(300, 720), self.dice.between(0.6, 2.0));
                self.drive(jam_s, speed);
            } else if self.dice.chance(0.05) {
                self.in_tunnel = true;
                let tunnel_s = self.dice.seconds(60, 180);
                self.drive(tunnel_s, 14.0);
                self.in_tunnel = false;
            } else {
                let light_s = self.dice.seconds(20, 90);
                self.stand(light_s);
            }
        }
        self.drive(40, 8.0);
        self.drive(10, 2.0);
        self.speed = 0.0;
        self.trips.push(Span {
            start: UtcMillis(start_s * 1_000),
            end: UtcMillis(self.now_s * 1_000),
            distance_m: self.driven_m - start_m,
        });
        let on_s = self.dice.seconds(5, 40);
        self.stand(on_s);
        self.ignition = false;
    }

    fn drive(&mut self, seconds: i64, target: f64) {
        for _ in 0..seconds {
            self.speed += (target - self.speed).clamp(-2.5, 1.8);
            self.heading += self.dice.normal() * 0.02;
            self.tick();
        }
    }

    fn stand(&mut self, seconds: i64) {
        self.speed = 0.0;
        for _ in 0..seconds {
            self.tick();
        }
    }

    fn park_until(&mut self, until_s: i64) {
        while self.now_s < until_s {
            // About one in three hours the receiver loses itself for some minutes.
            if self.now_s > self.wander_until_s && self.dice.chance(1.0 / 10_800.0) {
                self.wander_until_s = self.now_s + self.dice.seconds(60, 240);
                let (metres, angle) =
                    (self.dice.between(50.0, 100.0), self.dice.between(0.0, std::f64::consts::TAU));
                self.wander = [metres * angle.cos(), metres * angle.sin()];
            }
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.now_s += 1;
        self.driven_m += self.speed;
        self.east_m += self.speed * self.heading.sin();
        self.north_m += self.speed * self.heading.cos();
        // Noise that stays for about a minute, as a receiver's does.
        for noise in &mut self.noise {
            *noise = *noise * 0.983 + self.dice.normal() * self.noise_m * 0.184;
        }
        if self.now_s >= self.next_report_s && !self.in_tunnel {
            self.report();
        }
    }

    fn report(&mut self) {
        let is_parked = self.speed == 0.0 && !self.ignition;
        self.next_report_s = self.now_s + if is_parked { self.parked_interval_s } else { self.interval_s };
        let wander = if self.now_s < self.wander_until_s && is_parked { self.wander } else { [0.0; 2] };
        let (east, north) =
            (self.east_m + self.noise[0] + wander[0], self.north_m + self.noise[1] + wander[1]);
        let lat = 30.0 + north / METRES_PER_DEGREE;
        let lon = 120.0 + east / (METRES_PER_DEGREE * 30.0_f64.to_radians().cos());
        let mut point = Point::new(UtcMillis(self.now_s * 1_000), Position::from_degrees(lat, lon));
        if self.tells != Tells::Positions {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a float cast saturates"
            )]
            let (dkmh, odometer_m) =
                ((self.speed * 36.0).round() as u16, (self.driven_m / 100.0).floor() as u32 * 100);
            point.speed_dkmh = Some(dkmh);
            point.odometer_m = Some(5_000_000 + odometer_m);
            point.ignition = Some(match self.tells {
                Tells::AlwaysOn => true,
                Tells::NeverOn => false,
                _ => self.ignition,
            });
        }
        self.points.push(point);
    }
}
