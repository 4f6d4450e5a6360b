//! Made-up trucks in the shape of the Time Series Benchmark Suite's IoT use case, for tests and benches.
//!
//! Values walk as in <https://github.com/timescale/tsbs> (`pkg/data/usecases/iot`): speed, height, heading, slope, consumption, fuel, load and
//! fault each in their bounds by steps of their own. Reports come in batches of ten of which one in a hundred is lost and one in
//! twenty comes later; of the entries of a batch a tenth is missing, three tenths come later, a tenth lacks a value. Two things differ:
//! one report holds what the suite splits into two rows, and a truck goes where its heading and speed take it, because a place that
//! jumps half a kilometre every ten seconds has no distance. The same seed gives the same trucks everywhere.

use std::collections::VecDeque;

use motorpool_protocols::reading::{Quantity, Reading};
use motorpool_protocols::{Fix, Quality, UtcMillis};
use motorpool_storage::ids::DeviceId;

/// Reports of a batch.
const BATCH: usize = 10;
const BATCH_MISSING: f64 = 0.01;
const BATCH_LATER: f64 = 0.05;
const BATCH_EARLIER_NOW: f64 = 0.5;
const ENTRY_MISSING: f64 = 0.1;
const ENTRY_LATER: f64 = 0.3;
const ENTRY_EARLIER_NOW: f64 = 0.5;
const VALUE_MISSING: f64 = 0.1;

const METRES_PER_DEGREE: f64 = 111_195.0;

/// What to make.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain record that callers fill")]
pub struct Plan {
    /// Where the random numbers begin.
    pub seed: u64,
    /// How many trucks; their devices are numbered from 1.
    pub trucks: u32,
    /// Time of the first reports.
    pub from: UtcMillis,
    /// Seconds between reports of a truck.
    pub every_s: i64,
    /// Reports of each truck.
    pub reports: u32,
}

/// What the register says of a truck.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Tags {
    /// Its device.
    pub device: DeviceId,
    /// One of four fleets.
    pub fleet: &'static str,
    /// Who drives it.
    pub driver: &'static str,
    /// Its model.
    pub model: &'static str,
    /// What it may carry, kilograms.
    pub load_capacity_kg: u32,
    /// Tank, litres.
    pub fuel_capacity_l: u16,
    /// Norm of consumption, 0.1 litres for 100 km.
    pub norm_dl_per_100km: u16,
}

/// One report.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Report {
    /// Who sent it.
    pub device: DeviceId,
    /// When it came: late ones come with later times of their own.
    pub received_at: UtcMillis,
    /// Time, place, speed, height, heading.
    pub fix: Fix,
    /// Slope, consumption, fuel, load and fault, in thousandths.
    pub readings: [(Quantity, Option<i64>); 5],
}

impl Report {
    /// The readings in the form in which they are stored beside the fix.
    pub fn write_extra(&self, out: &mut Vec<u8>) {
        for (quantity, milli) in self.readings {
            if let Some(milli) = milli {
                Reading::new(quantity, milli).write(out);
            }
        }
    }
}

/// Random numbers (splitmix64).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to but without 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }

    fn happens(&mut self, chance: f64) -> bool {
        self.unit() < chance
    }

    /// A standard normal deviate (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    fn choice<T: Copy>(&mut self, of: &[T], otherwise: T) -> T {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few choices"
        )]
        let at = (self.unit() * of.len() as f64) as usize;
        of.get(at).copied().unwrap_or(otherwise)
    }
}

/// The values of a truck.
#[derive(Clone, Debug)]
struct Truck {
    tags: Tags,
    lat: f64,
    lon: f64,
    height_m: f64,
    speed_kmh: f64,
    heading_deg: f64,
    slope_percent: f64,
    consumption_l: f64,
    fuel: f64,
    load_kg: f64,
    fault: f64,
}

impl Truck {
    fn new(device: DeviceId, random: &mut Random) -> Self {
        const MODELS: [(&str, u32, u16, u16); 3] =
            [("F-150", 2_000, 200, 150), ("G-2000", 5_000, 300, 190), ("H-2", 1_500, 150, 120)];
        let (model, load_capacity_kg, fuel_capacity_l, norm_dl_per_100km) = random.choice(&MODELS, MODELS[0]);
        let tags = Tags {
            device,
            fleet: random.choice(&["East", "West", "North", "South"], "East"),
            driver: random.choice(&["Derek", "Rodney", "Albert", "Andy", "Seth", "Trish"], "Derek"),
            model,
            load_capacity_kg,
            fuel_capacity_l,
            norm_dl_per_100km,
        };
        Self {
            tags,
            lat: random.within(0.0, 80.0),
            lon: random.within(0.0, 170.0),
            height_m: random.within(0.0, 500.0),
            speed_kmh: 0.0,
            heading_deg: random.within(0.0, 360.0),
            slope_percent: 0.0,
            consumption_l: 25.0,
            fuel: 1.0,
            load_kg: random.within(0.0, 5_000.0),
            fault: 0.0,
        }
    }

    fn step(&mut self, seconds: f64, random: &mut Random) {
        let mut walk = |value: &mut f64, step: f64, most: f64| {
            *value = (*value + random.within(-step, step)).clamp(0.0, most);
        };
        walk(&mut self.height_m, 10.0, 5_000.0);
        walk(&mut self.speed_kmh, 10.0, 100.0);
        walk(&mut self.heading_deg, 5.0, 360.0);
        walk(&mut self.slope_percent, 5.0, 100.0);
        walk(&mut self.consumption_l, 5.0, 50.0);
        self.fuel -= random.within(0.0, 0.001);
        if self.fuel <= 0.0 {
            self.fuel = 1.0;
        }
        if random.happens(0.05) {
            self.load_kg = random.within(0.0, 5_000.0);
        }
        self.fault = (self.fault + random.normal()).clamp(0.0, 5.0);
        let metres = self.speed_kmh.round() / 3.6 * seconds;
        let (east, north) = self.heading_deg.to_radians().sin_cos();
        self.lat = (self.lat + metres * north / METRES_PER_DEGREE).clamp(-80.0, 80.0);
        let round_the_axis = self.lat.to_radians().cos() * METRES_PER_DEGREE;
        self.lon = (self.lon + metres * east / round_the_axis + 540.0).rem_euclid(360.0) - 180.0;
    }

    /// The report of now, without the value numbered `missing`.
    fn report(&self, at: UtcMillis, missing: Option<u64>) -> Report {
        let is_there = |value: u64| missing != Some(value);
        let has_place = is_there(0) && is_there(1);
        let (lat, lon) = if has_place { (self.lat, self.lon) } else { (0.0, 0.0) };
        // Five decimals, as the suite has them.
        let place = |degrees: f64| whole::<i32>(degrees * 1e5).unwrap_or(0) * 100;
        let mut fix = Fix::new(at, place(lat), place(lon));
        fix.quality = Quality::IGNITION_UNKNOWN;
        if !has_place {
            fix.quality = fix.quality.with(Quality::NOT_POSITIONED).with(Quality::ZERO_POSITION);
        }
        fix.altitude_m = whole(self.height_m).filter(|_| is_there(2));
        fix.speed_dkmh = whole(self.speed_kmh.round() * 10.0).filter(|_| is_there(3));
        fix.course_deg = whole(self.heading_deg).filter(|_| is_there(4));
        let told = |value: u64, number: f64| whole(number).filter(|_| is_there(value));
        let readings = [
            (Quantity::Grade, told(5, self.slope_percent.round() * 1e3)),
            (Quantity::Consumption, told(6, (self.consumption_l * 10.0).round() * 100.0)),
            (Quantity::FuelLevel, told(7, (self.fuel * 1e3).round() * 100.0)),
            (Quantity::Load, told(8, self.load_kg.round() * 1e3)),
            (Quantity::FaultLevel, told(9, self.fault.floor() * 1e3)),
        ];
        Report { device: self.tags.device, received_at: at, fix, readings }
    }
}

fn whole<T: TryFrom<i64>>(value: f64) -> Option<T> {
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
    let whole = value.round() as i64;
    T::try_from(whole).ok()
}

/// The reports of all trucks in the order in which they come.
#[derive(Clone, Debug)]
pub struct Trucks {
    plan: Plan,
    random: Random,
    trucks: Vec<Truck>,
    /// The next report of the undisturbed row: by time, then truck.
    tick: u32,
    next: usize,
    batch: VecDeque<Report>,
    later_batches: VecDeque<VecDeque<Report>>,
    later_entries: VecDeque<Report>,
}

impl Trucks {
    /// The trucks of a plan.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let mut random = Random(plan.seed);
        let trucks = (1..=plan.trucks).map(|number| Truck::new(DeviceId(number), &mut random)).collect();
        Self {
            plan,
            random,
            trucks,
            tick: 0,
            next: 0,
            batch: VecDeque::new(),
            later_batches: VecDeque::new(),
            later_entries: VecDeque::new(),
        }
    }

    /// What the register says of each.
    pub fn tags(&self) -> impl Iterator<Item = Tags> + '_ {
        self.trucks.iter().map(|truck| truck.tags)
    }

    fn now(&self) -> UtcMillis {
        UtcMillis(self.plan.from.0 + i64::from(self.tick) * self.plan.every_s * 1_000)
    }

    /// The next report of the undisturbed row; of one in ten a value is missing.
    fn undisturbed(&mut self) -> Option<Report> {
        if self.tick >= self.plan.reports {
            return None;
        }
        let now = self.now();
        let (every_s, random) = (self.plan.every_s, &mut self.random);
        let truck = self.trucks.get_mut(self.next)?;
        if self.tick > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
            truck.step(every_s as f64, random);
        }
        let missing = random.happens(VALUE_MISSING).then(|| random.bits() % 10);
        let report = truck.report(now, missing);
        self.next += 1;
        if self.next == self.trucks.len() {
            (self.next, self.tick) = (0, self.tick + 1);
        }
        Some(report)
    }

    /// Ten reports, with those among them that come later put aside and some of those put aside before.
    fn entries(&mut self) -> VecDeque<Report> {
        let mut batch = VecDeque::with_capacity(BATCH);
        for _ in 0..BATCH {
            let is_earlier = !self.later_entries.is_empty() && self.random.happens(ENTRY_EARLIER_NOW);
            let report = if is_earlier { self.later_entries.pop_front() } else { self.undisturbed() };
            let Some(report) = report else { break };
            if self.random.happens(ENTRY_MISSING) {
                continue;
            }
            if self.random.happens(ENTRY_LATER) {
                self.later_entries.push_back(report);
            } else {
                batch.push_back(report);
            }
        }
        batch
    }

    fn is_done(&self) -> bool {
        self.tick >= self.plan.reports
    }

    /// The next batch that is not empty; `None` at the end.
    fn refill(&mut self) -> Option<()> {
        while self.batch.is_empty() {
            if self.is_done() {
                let left = self.later_batches.pop_front();
                self.batch = left.unwrap_or_else(|| std::mem::take(&mut self.later_entries));
                return (!self.batch.is_empty()).then_some(());
            }
            let is_lost = self.random.happens(BATCH_MISSING);
            let is_later = self.random.happens(BATCH_LATER);
            if is_lost {
                for _ in 0..BATCH {
                    self.undisturbed();
                }
            } else if !self.later_batches.is_empty() && self.random.happens(BATCH_EARLIER_NOW) {
                self.batch = self.later_batches.pop_front().unwrap_or_default();
            } else if is_later {
                let entries = self.entries();
                self.later_batches.push_back(entries);
            } else {
                self.batch = self.entries();
            }
        }
        Some(())
    }
}

impl Iterator for Trucks {
    type Item = Report;

    fn next(&mut self) -> Option<Report> {
        self.refill()?;
        let report = self.batch.pop_front()?;
        Some(Report { received_at: self.now().max(report.fix.fix_time), ..report })
    }
}
