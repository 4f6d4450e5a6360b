//! A fix as judgement sees it: the few fields that trips and rules use, in 40 bytes.

use motorpool_protocols::{Alarms, Fix, Quality, Status, UtcMillis};
use serde::{Deserialize, Serialize};

const METRES_PER_E7: f64 = 6_371_008.8 * std::f64::consts::PI / 180.0 / 1e7;

/// A place only: WGS-84, 1e-7 degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a pair of coordinates")]
pub struct Position {
    /// Latitude, 1e-7 degrees, north positive.
    pub lat_e7: i32,
    /// Longitude, 1e-7 degrees, east positive.
    pub lon_e7: i32,
}

impl Position {
    /// The position at these degrees, rounded to 1e-7; out-of-range values saturate.
    #[must_use]
    pub fn from_degrees(lat: f64, lon: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
        let scaled = |degrees: f64| (degrees * 1e7).round() as i32;
        Self { lat_e7: scaled(lat), lon_e7: scaled(lon) }
    }

    /// Latitude in degrees.
    #[must_use]
    pub fn lat(self) -> f64 {
        f64::from(self.lat_e7) / 1e7
    }

    /// Longitude in degrees.
    #[must_use]
    pub fn lon(self) -> f64 {
        f64::from(self.lon_e7) / 1e7
    }

    /// Distance in metres on the mean sphere (R = 6,371,008.8 m) by the equirectangular approximation with the mean
    /// latitude: within 0.1 % of the great circle below 100 km away from the poles. Across the antimeridian the shorter
    /// way counts.
    #[must_use]
    #[inline]
    pub fn distance_m(self, other: Self) -> f64 {
        let (north, east) = self.steps_to(other);
        let middle = (f64::from(self.lat_e7) + f64::from(other.lat_e7)) / 2e7;
        let east = east * middle.to_radians().cos();
        // No degree is so large or so small that its square is lost, so this is as good as `hypot` and ten times as fast.
        (north * north + east * east).sqrt() * METRES_PER_E7
    }

    /// Whether [`Position::distance_m`] is at most `metres`. Most positions are clearly near or far and need no cosine.
    #[must_use]
    #[inline]
    pub fn is_within(self, other: Self, metres: f64) -> bool {
        // Between these shares of the distance asked about rounding could matter: there it is measured.
        const SURELY_IN: f64 = 0.999_999;
        const SURELY_OUT: f64 = 1.000_001;
        let (north, east) = self.steps_to(other);
        let limit = metres / METRES_PER_E7;
        if north.abs() > limit * SURELY_OUT {
            return false;
        }
        // A degree of longitude is nowhere longer than one of latitude.
        let sure = limit * SURELY_IN;
        metres > 0.0 && north * north + east * east <= sure * sure || self.distance_m(other) <= metres
    }

    /// How far `other` lies to the north and, the shorter way, to the east, 1e-7 degrees.
    #[inline]
    fn steps_to(self, other: Self) -> (f64, f64) {
        const TURN_E7: i64 = 3_600_000_000;
        let north = f64::from(other.lat_e7) - f64::from(self.lat_e7);
        let mut east = i64::from(other.lon_e7) - i64::from(self.lon_e7);
        if east > TURN_E7 / 2 {
            east -= TURN_E7;
        } else if east < -TURN_E7 / 2 {
            east += TURN_E7;
        }
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let east = east as f64;
        (north, east)
    }
}

macro_rules! signs {
    ($($(#[$doc:meta])* $name:ident = $bit:expr;)*) => {
        impl Signs {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
        }
    };
}

/// What a terminal said beside the position that supervision looks at, and what is doubtful about the fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[expect(clippy::exhaustive_structs, reason = "a set of bits")]
pub struct Signs(pub u16);

signs! {
    /// The position can't be used: not positioned, (0,0), out of range, encrypted, or the time is impossible.
    UNUSABLE = 0;
    /// Main power lost (JT/T 808 alarm bit 8).
    POWER_LOST = 1;
    /// Main power under voltage.
    UNDERVOLTAGE = 2;
    /// GNSS module fault, antenna open or short (alarm bits 4 to 6).
    ANTENNA_FAULT = 3;
    /// The terminal reports that the car moves with its ignition off (alarm bit 28).
    ILLEGAL_DISPLACEMENT = 4;
    /// The terminal says that it is jammed.
    JAMMED = 5;
    /// Came late, out of the terminal's memory.
    BACKFILL = 6;
    /// The clock that made the time is not believed.
    CLOCK_SUSPECT = 7;
    /// The terminal counts the vehicle as moving.
    MOVING = 8;
}

impl Signs {
    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One fix, with what trips and rules need of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "built by every source of tracks")]
pub struct Point {
    /// When the position was taken.
    pub time: UtcMillis,
    /// Where.
    #[serde(flatten)]
    pub at: Position,
    /// Speed over ground by GNSS, 0.1 km/h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_dkmh: Option<u16>,
    /// Speed by the vehicle's own sensor, 0.1 km/h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_speed_dkmh: Option<u16>,
    /// Engine speed, revolutions per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_rpm: Option<u16>,
    /// Distance counter, metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odometer_m: Option<u32>,
    /// Fuel in the tank, 0.1 litres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_dl: Option<u16>,
    /// Whether the ignition is on; `None` when the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition: Option<bool>,
    /// Satellites used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub satellites: Option<u8>,
    /// State and doubt.
    #[serde(default)]
    pub signs: Signs,
}

impl Point {
    /// A point with nothing but time and place, all else unknown.
    #[must_use]
    pub const fn new(time: UtcMillis, at: Position) -> Self {
        Self {
            time,
            at,
            speed_dkmh: None,
            vehicle_speed_dkmh: None,
            engine_rpm: None,
            odometer_m: None,
            fuel_dl: None,
            ignition: None,
            satellites: None,
            signs: Signs(0),
        }
    }

    /// Whether the position may be used.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        !self.signs.contains(Signs::UNUSABLE)
    }
}

impl From<&Fix> for Point {
    fn from(fix: &Fix) -> Self {
        const UNUSABLE: Quality = Quality::NO_PLACE.with(Quality::TIME_INVALID);
        let mut signs = Signs(0);
        let mut mark = |is_set: bool, sign: Signs| {
            if is_set {
                signs = signs.with(sign);
            }
        };
        let alarm = |bits: u64| fix.alarms.0 & bits != 0;
        mark(fix.quality.0 & UNUSABLE.0 != 0, Signs::UNUSABLE);
        mark(fix.quality.contains(Quality::BACKFILL), Signs::BACKFILL);
        mark(fix.quality.contains(Quality::CLOCK_SUSPECT), Signs::CLOCK_SUSPECT);
        mark(alarm(Alarms::POWER_LOST.0), Signs::POWER_LOST);
        mark(alarm(Alarms::UNDERVOLTAGE.0), Signs::UNDERVOLTAGE);
        mark(
            alarm(Alarms::GNSS_FAULT.0 | Alarms::ANTENNA_OPEN.0 | Alarms::ANTENNA_SHORT.0),
            Signs::ANTENNA_FAULT,
        );
        mark(alarm(Alarms::ILLEGAL_DISPLACEMENT.0), Signs::ILLEGAL_DISPLACEMENT);
        mark(fix.status.contains(Status::MOVING), Signs::MOVING);
        Self {
            time: fix.fix_time,
            at: Position { lat_e7: fix.lat_e7, lon_e7: fix.lon_e7 },
            speed_dkmh: fix.speed_dkmh,
            vehicle_speed_dkmh: fix.vehicle_speed_dkmh,
            engine_rpm: fix.engine_rpm,
            odometer_m: fix.odometer_m,
            fuel_dl: fix.fuel_dl,
            ignition: (!fix.quality.contains(Quality::IGNITION_UNKNOWN))
                .then_some(fix.status.contains(Status::IGNITION)),
            satellites: fix.satellites,
            signs,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = Position> {
        (-900_000_000..=900_000_000, -1_800_000_000..=1_800_000_000)
            .prop_map(|(lat_e7, lon_e7)| Position { lat_e7, lon_e7 })
    }

    proptest! {
        /// The short cuts never say anything else than the distance, near or far, at the limit and beside it.
        #[test]
        fn within_is_what_the_distance_says(
            at in position(),
            (north, east) in prop_oneof![(-900..=900_i32, -900..=900_i32), (-90_000..=90_000, -90_000..=90_000)],
            metres in prop_oneof![Just(0.0), 0.0..2_000.0],
            off in prop_oneof![Just(0.0), -1e-3..1e-3],
        ) {
            let other = Position {
                lat_e7: at.lat_e7.saturating_add(north).clamp(-900_000_000, 900_000_000),
                lon_e7: at.lon_e7.wrapping_add(east),
            };
            let distance_m = at.distance_m(other);
            for limit_m in [metres, distance_m, distance_m + off] {
                prop_assert_eq!(at.is_within(other, limit_m), distance_m <= limit_m);
            }
        }
    }

    #[test]
    fn the_shorter_way_counts_across_the_antimeridian() {
        let (west, east) = (Position::from_degrees(0.0, 179.9995), Position::from_degrees(0.0, -179.9995));
        // A thousandth of a degree of the equator.
        assert!((west.distance_m(east) - 111.195).abs() < 0.001);
        assert!(west.is_within(east, 112.0) && !west.is_within(east, 111.0));
    }
}
