//! The columns of a rollup and how sums become numbers in them and back.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::point::Position;
use motorpool_supervision::rollups::{Sum, Sums};

/// Stands for no value in a column in memory; no sum reaches it.
pub(crate) const NONE: i64 = i64::MIN;

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(, $nullable:ident)?;)*) => {
        /// A column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(usize)]
        pub enum Column {
            $($(#[$doc])* $name,)*
        }

        impl Column {
            /// Every column, in the order of the file.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in the file; the unit is at the end.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Whether rows without a value are null in it.
            pub(crate) const fn is_nullable(self) -> bool {
                match self {
                    $(Self::$name => columns!(@ $($nullable)?),)*
                }
            }
        }
    };
    (@) => { false };
    (@ nullable) => { true };
}

columns! {
    /// Number of the device. Rows are in order of it.
    Device = "device";
    /// The slot, counted in tens of minutes from 1970; in files of days the day, counted from 1970. Rows of a device are in order of it.
    Slot = "slot";
    /// Fixes, usable or not.
    Fixes = "fixes";
    /// Time of the first one, milliseconds from 1970.
    First = "first_ms", nullable;
    /// Time of the last one.
    Last = "last_ms", nullable;
    /// Latitude of the last usable one, 1e-7 degrees.
    Lat = "lat_e7", nullable;
    /// Its longitude.
    Lon = "lon_e7", nullable;
    /// Distance, metres.
    Distance = "distance_m";
    /// Time in motion within trips and moves, seconds.
    Moving = "moving_s";
    /// Time standing with the engine on, seconds.
    Idle = "idle_s";
    /// Trips that begin.
    Trips = "trips";
    /// Fixes with a speed.
    Speeds = "speeds";
    /// Sum of the speeds, 0.1 km/h.
    SpeedSum = "speed_sum_dkmh";
    /// Highest speed, 0.1 km/h.
    SpeedMax = "speed_max_dkmh", nullable;
    /// Fixes with more than 1 km/h.
    InMotion = "fixes_in_motion";
    /// First fuel in the tank, 0.1 litres.
    FuelFirst = "fuel_first_dl", nullable;
    /// Last fuel in the tank.
    FuelLast = "fuel_last_dl", nullable;
    /// First fuel as a part of the tank, thousandths of a percent.
    LevelFirst = "level_first_milli", nullable;
    /// Last fuel as a part of the tank.
    LevelLast = "level_last_milli", nullable;
    /// Fixes in motion that told a consumption.
    Consumptions = "consumptions";
    /// Sum of these, millilitres for 100 km.
    ConsumptionSum = "consumption_sum_ml";
    /// Fixes that told a load.
    Loads = "loads";
    /// Sum of the loads, grams.
    LoadSum = "load_sum_g";
    /// Last load, grams.
    LoadLast = "load_last_g", nullable;
    /// Fixes that told how grave the worst fault is.
    Faults = "faults";
    /// Sum of these, thousandths.
    FaultSum = "fault_sum_milli";
    /// Those of them above 0.
    WithFault = "fixes_with_fault";
}

/// How many columns there are.
pub(crate) const COLUMNS: usize = Column::ALL.len();

/// A row as numbers.
pub(crate) fn numbers(device: i64, at: i64, sums: &Sums) -> [i64; COLUMNS] {
    fn maybe<T: Into<i64>>(value: Option<T>) -> i64 {
        value.map_or(NONE, Into::into)
    }
    [
        device,
        at,
        sums.fixes.into(),
        sums.seen.map_or(NONE, |(first, _)| first.0),
        sums.seen.map_or(NONE, |(_, last)| last.0),
        maybe(sums.place.map(|place| place.lat_e7)),
        maybe(sums.place.map(|place| place.lon_e7)),
        sums.distance_m.into(),
        sums.moving_s.into(),
        sums.idle_s.into(),
        sums.trips.into(),
        sums.speed_dkmh.count.into(),
        sums.speed_dkmh.sum,
        maybe(sums.speed_max_dkmh),
        sums.fixes_in_motion.into(),
        maybe(sums.fuel_dl.map(|(first, _)| first)),
        maybe(sums.fuel_dl.map(|(_, last)| last)),
        maybe(sums.level_milli.map(|(first, _)| first)),
        maybe(sums.level_milli.map(|(_, last)| last)),
        sums.consumption_ml.count.into(),
        sums.consumption_ml.sum,
        sums.load_g.count.into(),
        sums.load_g.sum,
        maybe(sums.load_last_g),
        sums.fault_milli.count.into(),
        sums.fault_milli.sum,
        sums.fixes_with_fault.into(),
    ]
}

/// The sums of a row, of which `value` gives each column. A number that does not fit counts as 0, or as none where that is possible.
pub(crate) fn sums(value: impl Fn(Column) -> i64) -> Sums {
    let count = |column| u32::try_from(value(column)).unwrap_or(0);
    let sum = |counts, column| Sum { count: count(counts), sum: value(column) };
    Sums {
        fixes: count(Column::Fixes),
        seen: some(value(Column::First))
            .zip(some(value(Column::Last)))
            .map(|(a, b)| (UtcMillis(a), UtcMillis(b))),
        place: narrow(value(Column::Lat))
            .zip(narrow(value(Column::Lon)))
            .map(|(lat_e7, lon_e7)| Position { lat_e7, lon_e7 }),
        distance_m: count(Column::Distance),
        moving_s: count(Column::Moving),
        idle_s: count(Column::Idle),
        trips: count(Column::Trips),
        speed_dkmh: sum(Column::Speeds, Column::SpeedSum),
        speed_max_dkmh: narrow(value(Column::SpeedMax)),
        fixes_in_motion: count(Column::InMotion),
        fuel_dl: narrow(value(Column::FuelFirst)).zip(narrow(value(Column::FuelLast))),
        level_milli: narrow(value(Column::LevelFirst)).zip(narrow(value(Column::LevelLast))),
        consumption_ml: sum(Column::Consumptions, Column::ConsumptionSum),
        load_g: sum(Column::Loads, Column::LoadSum),
        load_last_g: narrow(value(Column::LoadLast)),
        fault_milli: sum(Column::Faults, Column::FaultSum),
        fixes_with_fault: count(Column::WithFault),
    }
}

pub(crate) const fn some(value: i64) -> Option<i64> {
    if value == NONE { None } else { Some(value) }
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Option<T> {
    some(value).and_then(|value| T::try_from(value).ok())
}
