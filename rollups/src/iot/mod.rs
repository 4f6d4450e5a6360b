//! The twelve questions of the Time Series Benchmark Suite's IoT use case, asked of our own fleet.
//!
//! The questions and their meaning are those of <https://github.com/timescale/tsbs> (`cmd/tsbs_generate_queries`, use case `iot`).
//! A truck is a car, its fleet the unit that has it; `velocity` is the reported speed, `fuel_state` the fuel as a part of the
//! tank, `status` the gravity of the worst fault. Where the suite's SQL and its words differ, the words count:
//!
//! - *the last value* is the last one that was told; in the suite a last row without it hides the car;
//! - *hours a day* are not rounded down to whole ones, as an integer division does there;
//! - a car *is broken down* in ten minutes in which at least half of what it told is a fault; the SQL counts every row there,
//!   so that it can't tell;
//! - times begin and end with a slot, and days are those of the server's time zone;
//! - no driver is named: who drove a car when is in its orders, and a report about cars is none about people.
//!
//! Everything is read from slots; no fix is touched.

mod driving;
mod fuel;
mod last;
mod load;
mod scan;
mod status;

use std::ops::Range;

use motorpool_supervision::rollups::Slot;
use rustc_hash::FxHashMap;
use serde::Serialize;
use utoipa::ToSchema;

use motorpool_storage::ids::DeviceId;

use crate::{Part, RollupsError, Zone};

pub use driving::{CarSession, DailyDriving, DrivenCar};
pub use fuel::UnitConsumption;
pub use last::{LastLoad, LastLocation, LowFuel};
pub use load::ModelLoad;
pub use status::{Breakdowns, ModelActivity};

/// What the register says of a car, as far as a question asks.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "built field by field by the reader")]
pub struct Car {
    /// Who it is.
    pub id: CarId,
    /// The unit that has it.
    pub unit: UnitRef,
    /// Maker and model, or empty.
    pub model: String,
    /// Tank, litres.
    pub tank_l: Option<u16>,
    /// Norm of consumption, 0.1 litres for 100 km.
    pub norm_dl_per_100km: Option<u16>,
    /// What it may carry, kilograms.
    pub load_capacity_kg: Option<u32>,
}

/// A car in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "built field by field by the reader")]
pub struct CarId {
    /// Number of the vehicle.
    pub vehicle: i64,
    /// Plate.
    pub plate: String,
}

/// A unit in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "built field by field by the reader")]
pub struct UnitRef {
    /// Number of the unit.
    pub unit: i64,
    /// Its name.
    pub unit_name: String,
}

/// The slots in which a device told of a car.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Stay {
    /// Place of the car in [`Fleet::cars`].
    pub car: usize,
    /// The slots.
    pub slots: Range<Slot>,
}

/// The cars that a question is about, and which devices tell of them when.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "built field by field by the reader")]
pub struct Fleet {
    /// The cars.
    pub cars: Vec<Car>,
    /// When each device tells of which of them.
    pub stays: FxHashMap<DeviceId, Vec<Stay>>,
}

/// The slots that a question is about.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built field by field by the reader")]
pub struct Window<'a> {
    /// Their rows.
    pub parts: &'a [Part],
    /// First slot, and first slot after.
    pub slots: Range<Slot>,
    /// Whose days count.
    pub zone: &'a Zone,
}

impl Window<'_> {
    /// How many slots.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.slots.end.0.saturating_sub(self.slots.start.0)).unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A question with its thresholds; `Default` of the numbers is what the suite asks.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers name the question they ask")]
pub enum Question {
    /// Where every car was seen last.
    LastLoc,
    /// Cars whose last fuel is below so many percent of the tank.
    LowFuel {
        /// 10 in the suite.
        below_percent: f64,
    },
    /// Cars whose last load is above so many percent of what they may carry.
    HighLoad {
        /// 90 in the suite.
        above_percent: f64,
    },
    /// Cars with a mean speed below so many km/h over the whole time (ten minutes in the suite).
    StationaryTrucks {
        /// 1 in the suite.
        below_kmh: f64,
    },
    /// Cars that drove in more slots of the time (four hours) than resting so many minutes an hour allows.
    LongDrivingSessions(Driving),
    /// The same over a day.
    LongDailySessions(Driving),
    /// Mean consumption told in motion beside the norm, by unit.
    AvgVsProjectedFuelConsumption,
    /// Mean hours driven on days with driving, by car.
    AvgDailyDrivingDuration {
        /// Mean speed of a slot, km/h, above which it is one of driving: 1 in the suite.
        above_kmh: f64,
    },
    /// Mean length of what was driven in one go, by car and day of its beginning.
    AvgDailyDrivingSession {
        /// 5 in the suite.
        above_kmh: f64,
    },
    /// Mean load as a part of what cars may carry, by unit and model.
    AvgLoad,
    /// How much cars were active (not out of order), by unit, model and day.
    DailyActivity {
        /// Mean gravity of faults below which a slot is one of activity: 1 in the suite.
        below_level: f64,
    },
    /// How often cars broke down, by model.
    BreakdownFrequency {
        /// Part of the readings of ten minutes that have to be faults, percent: 50.
        from_percent: f64,
    },
}

/// When a car drives, and how long it may.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "two thresholds")]
pub struct Driving {
    /// Mean speed of a slot, km/h, above which it is one of driving: 1 in the suite.
    pub above_kmh: f64,
    /// Minutes of rest an hour that are owed: 5 and 35 in the suite.
    pub rest_min_per_hour: u32,
}

impl Question {
    /// The question with that name in the suite, with the suite's thresholds.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let driving = |rest_min_per_hour| Driving { above_kmh: 1.0, rest_min_per_hour };
        Some(match name {
            "last-loc" => Self::LastLoc,
            "low-fuel" => Self::LowFuel { below_percent: 10.0 },
            "high-load" => Self::HighLoad { above_percent: 90.0 },
            "stationary-trucks" => Self::StationaryTrucks { below_kmh: 1.0 },
            "long-driving-sessions" => Self::LongDrivingSessions(driving(5)),
            "long-daily-sessions" => Self::LongDailySessions(driving(35)),
            "avg-vs-projected-fuel-consumption" => Self::AvgVsProjectedFuelConsumption,
            "avg-daily-driving-duration" => Self::AvgDailyDrivingDuration { above_kmh: 1.0 },
            "avg-daily-driving-session" => Self::AvgDailyDrivingSession { above_kmh: 5.0 },
            "avg-load" => Self::AvgLoad,
            "daily-activity" => Self::DailyActivity { below_level: 1.0 },
            "breakdown-frequency" => Self::BreakdownFrequency { from_percent: 50.0 },
            _ => return None,
        })
    }

    /// The names of all questions, in the order of the suite.
    pub const NAMES: [&'static str; 12] = [
        "last-loc",
        "low-fuel",
        "high-load",
        "stationary-trucks",
        "long-driving-sessions",
        "long-daily-sessions",
        "avg-vs-projected-fuel-consumption",
        "avg-daily-driving-duration",
        "avg-daily-driving-session",
        "avg-load",
        "daily-activity",
        "breakdown-frequency",
    ];

    /// How many slots the suite asks about; `None` = everything there is.
    #[must_use]
    pub const fn usual_slots(&self) -> Option<i32> {
        match self {
            Self::StationaryTrucks { .. } => Some(1),
            Self::LongDrivingSessions(_) => Some(24),
            Self::LongDailySessions(_) => Some(144),
            _ => None,
        }
    }
}

/// The rows of an answer; which, the question says.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "one for each kind of answer")]
pub enum Answer {
    /// To `last-loc`.
    LastLocations(Vec<LastLocation>),
    /// To `low-fuel`.
    LowFuel(Vec<LowFuel>),
    /// To `high-load`.
    HighLoad(Vec<LastLoad>),
    /// To `stationary-trucks`, `long-driving-sessions` and `long-daily-sessions`.
    Driven(Vec<DrivenCar>),
    /// To `avg-vs-projected-fuel-consumption`.
    Consumption(Vec<UnitConsumption>),
    /// To `avg-daily-driving-duration`.
    DailyDriving(Vec<DailyDriving>),
    /// To `avg-daily-driving-session`.
    Sessions(Vec<CarSession>),
    /// To `avg-load`.
    Load(Vec<ModelLoad>),
    /// To `daily-activity`.
    Activity(Vec<ModelActivity>),
    /// To `breakdown-frequency`.
    Breakdowns(Vec<Breakdowns>),
}

/// Answers a question about a fleet and a time.
///
/// # Errors
/// When a table can't be decoded.
pub fn answer(question: &Question, fleet: &Fleet, window: &Window<'_>) -> Result<Answer, RollupsError> {
    Ok(match *question {
        Question::LastLoc => Answer::LastLocations(last::locations(fleet, window)?),
        Question::LowFuel { below_percent } => Answer::LowFuel(last::low_fuel(fleet, window, below_percent)?),
        Question::HighLoad { above_percent } => {
            Answer::HighLoad(last::high_load(fleet, window, above_percent)?)
        }
        Question::StationaryTrucks { below_kmh } => {
            Answer::Driven(driving::stationary(fleet, window, below_kmh)?)
        }
        Question::LongDrivingSessions(driving) | Question::LongDailySessions(driving) => {
            Answer::Driven(driving::long_sessions(fleet, window, driving)?)
        }
        Question::AvgVsProjectedFuelConsumption => Answer::Consumption(fuel::consumption(fleet, window)?),
        Question::AvgDailyDrivingDuration { above_kmh } => {
            Answer::DailyDriving(driving::daily_duration(fleet, window, above_kmh)?)
        }
        Question::AvgDailyDrivingSession { above_kmh } => {
            Answer::Sessions(driving::daily_session(fleet, window, above_kmh)?)
        }
        Question::AvgLoad => Answer::Load(load::by_model(fleet, window)?),
        Question::DailyActivity { below_level } => {
            Answer::Activity(status::daily_activity(fleet, window, below_level)?)
        }
        Question::BreakdownFrequency { from_percent } => {
            Answer::Breakdowns(status::breakdowns(fleet, window, from_percent)?)
        }
    })
}

/// Sums and counts as the floats that means are made of.
#[expect(clippy::cast_precision_loss, reason = "sums of readings are far below 2^53")]
const fn float(value: i64) -> f64 {
    value as f64
}
