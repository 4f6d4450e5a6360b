//! The columns that a search may ask for, as numbers.

use super::super::row::Row;
use super::super::schema::{self, Column};

/// What stands in a column where the terminal said nothing.
pub const NO_VALUE: i64 = super::super::delta::NULL;

/// A column beside device and time. Units are in the names; all values are given as `i64`, and [`NO_VALUE`] where the
/// terminal said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// Latitude, 1e-7 degrees WGS-84.
    LatE7,
    /// Longitude, 1e-7 degrees WGS-84.
    LonE7,
    /// Height above sea level.
    AltitudeM,
    /// Speed over ground by GNSS, 0.1 km/h.
    SpeedDkmh,
    /// Degrees clockwise from north.
    CourseDeg,
    /// State bits, as [`motorpool_protocols::Status`].
    Status,
    /// Alarm bits, as [`motorpool_protocols::Alarms`], the highest one as the sign.
    Alarms,
    /// Quality bits, as [`motorpool_protocols::Quality`].
    Quality,
    /// Satellites used.
    Satellites,
    /// Radio signal strength.
    Signal,
    /// Distance counter.
    OdometerM,
    /// Fuel in the tank, 0.1 litres.
    FuelDl,
    /// Speed by the vehicle's own sensor, 0.1 km/h.
    VehicleSpeedDkmh,
    /// Engine speed.
    EngineRpm,
    /// When the fix was received first, seconds since 1970-01-01T00:00:00Z.
    ReceivedS,
}

impl Field {
    /// The column of the file; coordinates have a second one for the seventh decimal.
    pub(super) const fn column(self) -> Column {
        match self {
            Self::LatE7 => schema::LAT,
            Self::LonE7 => schema::LON,
            Self::AltitudeM => schema::ALTITUDE,
            Self::SpeedDkmh => schema::SPEED,
            Self::CourseDeg => schema::COURSE,
            Self::Status => schema::STATUS,
            Self::Alarms => schema::ALARMS,
            Self::Quality => schema::QUALITY,
            Self::Satellites => schema::SATELLITES,
            Self::Signal => schema::SIGNAL,
            Self::OdometerM => schema::ODOMETER,
            Self::FuelDl => schema::FUEL,
            Self::VehicleSpeedDkmh => schema::VEHICLE_SPEED,
            Self::EngineRpm => schema::RPM,
            Self::ReceivedS => schema::RECEIVED,
        }
    }

    /// The column that holds the seventh decimal.
    pub(super) const fn digit_column(self) -> Option<Column> {
        match self {
            Self::LatE7 => Some(schema::LAT_DIGIT),
            Self::LonE7 => Some(schema::LON_DIGIT),
            _ => None,
        }
    }

    /// The value of `row`.
    pub(super) fn of(self, row: &Row) -> i64 {
        fn number(value: Option<impl Into<i64>>) -> i64 {
            value.map_or(NO_VALUE, Into::into)
        }
        let fix = &row.fix;
        match self {
            Self::LatE7 => fix.lat_e7.into(),
            Self::LonE7 => fix.lon_e7.into(),
            Self::AltitudeM => number(fix.altitude_m),
            Self::SpeedDkmh => number(fix.speed_dkmh),
            Self::CourseDeg => number(fix.course_deg),
            Self::Status => fix.status.0.into(),
            Self::Alarms => fix.alarms.0.cast_signed(),
            Self::Quality => fix.quality.0.into(),
            Self::Satellites => number(fix.satellites),
            Self::Signal => number(fix.signal),
            Self::OdometerM => number(fix.odometer_m),
            Self::FuelDl => number(fix.fuel_dl),
            Self::VehicleSpeedDkmh => number(fix.vehicle_speed_dkmh),
            Self::EngineRpm => number(fix.engine_rpm),
            Self::ReceivedS => row.received_at.0.div_euclid(1_000),
        }
    }
}
