//! Coordinate systems at the edge: WGS-84 inside, GCJ-02 or BD-09 for maps that draw with the national offset.
//!
//! GCJ-02 is the offset on the Krasovsky ellipsoid (a = 6,378,245 m, e² = 0.00669342162296594323), applied inside
//! longitude 72.004 to 137.8347 and latitude 0.8293 to 55.8271 and nowhere else; BD-09 is a second offset on
//! top of it. Converted coordinates are never stored.

use std::f64::consts::PI;

use motorpool_protocols::{Fix, Quality};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The coordinate system of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Crs {
    /// WGS-84, what satellites give.
    #[default]
    Wgs84,
    /// GCJ-02, the offset of Chinese internet maps.
    Gcj02,
    /// BD-09, Baidu's offset on GCJ-02.
    Bd09,
}

impl Crs {
    /// `fix` with its place in this system, for an answer. Encrypted coordinates are no WGS-84: they stay as they came.
    pub(crate) fn apply(self, fix: &mut Fix) {
        if self == Self::Wgs84 || fix.quality.contains(Quality::CRS_ENCRYPTED) {
            return;
        }
        let (lat, lon) = self.degrees(fix.lat_e7, fix.lon_e7);
        // The offsets are far smaller than what an i32 has room for beyond 180 degrees.
        (fix.lat_e7, fix.lon_e7) = ((lat * 1e7).round() as i32, (lon * 1e7).round() as i32);
    }

    /// A place in degrees in this system, from WGS-84 in 1e-7 degrees: (latitude, longitude), with 7 decimals.
    pub(crate) fn degrees(self, lat_e7: i32, lon_e7: i32) -> (f64, f64) {
        let (lat, lon) = (f64::from(lat_e7) / 1e7, f64::from(lon_e7) / 1e7);
        let (lat, lon) = match self {
            Self::Wgs84 => return (lat, lon),
            Self::Gcj02 => gcj02(lat, lon),
            Self::Bd09 => {
                let (lat, lon) = gcj02(lat, lon);
                bd09(lat, lon)
            }
        };
        ((lat * 1e7).round() / 1e7, (lon * 1e7).round() / 1e7)
    }

    /// The word used in requests and answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Wgs84 => "wgs84",
            Self::Gcj02 => "gcj02",
            Self::Bd09 => "bd09",
        }
    }
}

const SEMI_MAJOR_AXIS_M: f64 = 6_378_245.0;
const ECCENTRICITY_SQUARED: f64 = 0.006_693_421_622_965_943;

/// WGS-84 degrees to GCJ-02 degrees.
fn gcj02(lat: f64, lon: f64) -> (f64, f64) {
    if !(0.8293..=55.8271).contains(&lat) || !(72.004..=137.8347).contains(&lon) {
        return (lat, lon);
    }
    let (x, y) = (lon - 105.0, lat - 35.0);
    let latitude = lat.to_radians();
    let curvature = 1.0 - ECCENTRICITY_SQUARED * latitude.sin().powi(2);
    let meridian_m = SEMI_MAJOR_AXIS_M * (1.0 - ECCENTRICITY_SQUARED) / curvature.powf(1.5);
    let parallel_m = SEMI_MAJOR_AXIS_M / curvature.sqrt() * latitude.cos();
    (
        lat + (north_shift_m(x, y) / meridian_m).to_degrees(),
        lon + (east_shift_m(x, y) / parallel_m).to_degrees(),
    )
}

fn wave(argument: f64, periods: [f64; 2], amplitudes: [f64; 2]) -> f64 {
    let [first, second] = periods;
    let [a, b] = amplitudes;
    (a * (argument * first * PI).sin() + b * (argument * second * PI).sin()) * 2.0 / 3.0
}

fn north_shift_m(x: f64, y: f64) -> f64 {
    -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + wave(x, [6.0, 2.0], [20.0, 20.0])
        + wave(y, [1.0, 1.0 / 3.0], [20.0, 40.0])
        + wave(y, [1.0 / 12.0, 1.0 / 30.0], [160.0, 320.0])
}

fn east_shift_m(x: f64, y: f64) -> f64 {
    300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + wave(x, [6.0, 2.0], [20.0, 20.0])
        + wave(x, [1.0, 1.0 / 3.0], [20.0, 40.0])
        + wave(x, [1.0 / 12.0, 1.0 / 30.0], [150.0, 300.0])
}

/// GCJ-02 degrees to BD-09 degrees.
fn bd09(lat: f64, lon: f64) -> (f64, f64) {
    const TURN: f64 = PI * 3_000.0 / 180.0;
    let radius = lon.hypot(lat) + 0.000_02 * (lat * TURN).sin();
    let angle = lat.atan2(lon) + 0.000_003 * (lon * TURN).cos();
    (radius * angle.sin() + 0.006, radius * angle.cos() + 0.0065)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: (f64, f64), expected: (f64, f64)) {
        let off = (found.0 - expected.0).abs().max((found.1 - expected.1).abs());
        assert!(off < 1.5e-7, "{found:?} is not {expected:?}");
    }

    /// WGS-84, GCJ-02, BD-09, computed independently to 7 decimals.
    #[test]
    fn places_in_four_cities_come_out_as_published() {
        for (wgs84, gcj, bd) in [
            ((399_010_500, 1_164_207_900), (39.902_446_3, 116.427_022_1), (39.908_499_7, 116.433_501_1)),
            ((305_910_450, 1_143_667_780), (30.588_743_2, 114.372_313_2), (30.595_014_6, 114.378_729_1)),
            ((295_630_100, 1_065_515_600), (29.560_161_4, 106.555_277_7), (29.566_475_9, 106.561_708_3)),
            ((312_304_000, 1_214_737_000), (31.228_457_7, 121.478_223_1), (31.234_310_6, 121.484_781_5)),
        ] {
            near(Crs::Gcj02.degrees(wgs84.0, wgs84.1), gcj);
            near(Crs::Bd09.degrees(wgs84.0, wgs84.1), bd);
        }
    }

    #[test]
    fn a_fix_is_moved_unless_its_place_is_encrypted() {
        let mut fix = Fix::new(motorpool_protocols::UtcMillis(0), 399_010_500, 1_164_207_900);
        Crs::Gcj02.apply(&mut fix);
        assert!((fix.lat_e7 - 399_024_463).abs() <= 1 && (fix.lon_e7 - 1_164_270_221).abs() <= 1, "{fix:?}");
        let moved = fix;
        fix.quality = Quality::CRS_ENCRYPTED;
        Crs::Bd09.apply(&mut fix);
        assert_eq!((fix.lat_e7, fix.lon_e7), (moved.lat_e7, moved.lon_e7));
    }

    #[test]
    fn places_outside_the_rectangle_have_no_national_offset() {
        for (lat_e7, lon_e7) in
            [(377_749_000, -1_224_194_000), (600_000_000, 1_000_000_000), (0, 1_000_000_000)]
        {
            assert_eq!(Crs::Gcj02.degrees(lat_e7, lon_e7), Crs::Wgs84.degrees(lat_e7, lon_e7));
        }
    }
}
