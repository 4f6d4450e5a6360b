//! GCJ-02, the offset datum of Chinese internet maps, back to WGS-84.
//!
//! The offset is a published approximation: polynomials and sines around 35 N 105 E on the Krasovsky ellipsoid,
//! applied inside the rectangle 0.8293 to 55.8271 N, 72.004 to 137.8347 E and nowhere else. It has no closed
//! inverse; three rounds of subtracting the offset of the estimate leave less than 1e-8 degrees.

use std::f64::consts::PI;

/// Semi-major axis of the Krasovsky ellipsoid, metres.
const AXIS_M: f64 = 6_378_245.0;
/// Square of its first eccentricity.
const ECCENTRICITY_2: f64 = 0.006_693_421_622_965_943;
const ROUNDS: u32 = 4;

/// The GCJ-02 place, in degrees, of a WGS-84 place.
#[must_use]
pub fn from_wgs84(lat_deg: f64, lon_deg: f64) -> (f64, f64) {
    let (north, east) = offset_deg(lat_deg, lon_deg);
    (lat_deg + north, lon_deg + east)
}

/// The WGS-84 place, in degrees, of a GCJ-02 place.
#[must_use]
pub fn to_wgs84(lat_deg: f64, lon_deg: f64) -> (f64, f64) {
    let mut estimate = (lat_deg, lon_deg);
    for _ in 0..ROUNDS {
        let (north, east) = offset_deg(estimate.0, estimate.1);
        estimate = (lat_deg - north, lon_deg - east);
    }
    estimate
}

/// [`to_wgs84`] in 1e-7 degrees. Both must be within the globe.
pub(crate) fn to_wgs84_e7(lat_e7: i32, lon_e7: i32) -> (i32, i32) {
    let (lat, lon) = to_wgs84(f64::from(lat_e7) / 1e7, f64::from(lon_e7) / 1e7);
    // A float cast saturates, and an offset is less than a hundredth of a degree.
    ((lat * 1e7).round() as i32, (lon * 1e7).round() as i32)
}

/// [`from_wgs84`] in 1e-7 degrees. Both must be within the globe.
pub(crate) fn from_wgs84_e7(lat_e7: i32, lon_e7: i32) -> (i32, i32) {
    let (lat, lon) = from_wgs84(f64::from(lat_e7) / 1e7, f64::from(lon_e7) / 1e7);
    // A float cast saturates, and an offset is less than a hundredth of a degree.
    ((lat * 1e7).round() as i32, (lon * 1e7).round() as i32)
}

/// How far GCJ-02 lies north and east of WGS-84, in degrees; nothing outside the rectangle.
fn offset_deg(lat_deg: f64, lon_deg: f64) -> (f64, f64) {
    if !(0.8293..=55.8271).contains(&lat_deg) || !(72.004..=137.8347).contains(&lon_deg) {
        return (0.0, 0.0);
    }
    let (y, x) = (lat_deg - 35.0, lon_deg - 105.0);
    let waves = |value: f64, parts: &[(f64, f64)]| -> f64 {
        parts.iter().map(|(height, length)| height * (value / length * PI).sin()).sum::<f64>() * 2.0 / 3.0
    };
    let short = waves(x, &[(20.0, 1.0 / 6.0), (20.0, 0.5)]);
    let north_m = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + short
        + waves(y, &[(20.0, 1.0), (40.0, 3.0), (160.0, 12.0), (320.0, 30.0)]);
    let east_m = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + short
        + waves(x, &[(20.0, 1.0), (40.0, 3.0), (150.0, 12.0), (300.0, 30.0)]);
    let radians = lat_deg.to_radians();
    let flattened = 1.0 - ECCENTRICITY_2 * radians.sin().powi(2);
    let meridian_m = AXIS_M * (1.0 - ECCENTRICITY_2) / (flattened * flattened.sqrt());
    let parallel_m = AXIS_M / flattened.sqrt() * radians.cos();
    ((north_m / meridian_m).to_degrees(), (east_m / parallel_m).to_degrees())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_pairs_agree_both_ways() {
        for (wgs, gcj) in [
            ((39.90105, 116.42079), (39.902_446_3, 116.427_022_1)),
            ((30.591_045, 114.366_778), (30.588_743_2, 114.372_313_2)),
            ((29.56301, 106.55156), (29.560_161_4, 106.555_277_7)),
            ((31.2304, 121.4737), (31.228_457_7, 121.478_223_1)),
        ] {
            let (lat, lon) = from_wgs84(wgs.0, wgs.1);
            assert!((lat - gcj.0).abs() < 1e-7 && (lon - gcj.1).abs() < 1e-7, "{lat} {lon} is not {gcj:?}");
            let (lat, lon) = to_wgs84(gcj.0, gcj.1);
            assert!((lat - wgs.0).abs() < 2e-7 && (lon - wgs.1).abs() < 2e-7, "{lat} {lon} is not {wgs:?}");
        }
    }

    #[test]
    fn the_inverse_undoes_the_offset_to_a_millimetre() {
        for lat in (2..55).step_by(3) {
            for lon in (74..136).step_by(3) {
                let place = (f64::from(lat) + 0.123, f64::from(lon) + 0.456);
                let (lat, lon) = from_wgs84(place.0, place.1);
                let back = to_wgs84(lat, lon);
                assert!(
                    (back.0 - place.0).abs() < 1e-8 && (back.1 - place.1).abs() < 1e-8,
                    "{place:?} {back:?}"
                );
            }
        }
    }

    #[test]
    fn outside_the_rectangle_nothing_moves() {
        assert_eq!(to_wgs84_e7(515_007_000, -1_246_000), (515_007_000, -1_246_000));
        assert_eq!(to_wgs84_e7(-337_500_000, 1_511_500_000), (-337_500_000, 1_511_500_000));
    }
}
