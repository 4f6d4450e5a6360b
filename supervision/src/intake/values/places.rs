//! Coordinates and the datum they are in.

use motorpool_protocols::gcj02;
use serde::{Deserialize, Serialize};

use crate::point::Position;

/// The datum of coordinates in a file. Everything inside is WGS-84; conversion happens here, once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every datum")]
pub enum Datum {
    /// WGS-84, and CGCS2000, which equals it within decimetres.
    #[default]
    Wgs84,
    /// GCJ-02, the offset of Chinese internet maps.
    Gcj02,
    /// BD-09, a second offset on GCJ-02.
    Bd09,
}

impl Datum {
    /// Its name, lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wgs84 => "wgs84",
            Self::Gcj02 => "gcj02",
            Self::Bd09 => "bd09",
        }
    }

    /// The datum of this name, in any case, with or without hyphens; CGCS2000 is WGS-84 here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        match name.to_ascii_lowercase().as_str() {
            "wgs84" | "cgcs2000" => Some(Self::Wgs84),
            "gcj02" => Some(Self::Gcj02),
            "bd09" | "bd09ll" => Some(Self::Bd09),
            _ => None,
        }
    }

    /// The WGS-84 position of degrees in this datum; `None` off the globe or when not finite.
    #[must_use]
    pub fn position(self, lat: f64, lon: f64) -> Option<Position> {
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
            return None;
        }
        let (lat, lon) = match self {
            Self::Wgs84 => (lat, lon),
            Self::Gcj02 => gcj02::to_wgs84(lat, lon),
            Self::Bd09 => {
                let (lat, lon) = bd09_to_gcj02(lat, lon);
                gcj02::to_wgs84(lat, lon)
            }
        };
        Some(Position::from_degrees(lat, lon))
    }
}

/// Takes Baidu's offset away: a shift, and a small turn and stretch that wave with the coordinates. It stands in for the
/// inverse with an error below 1e-5 degrees, a metre.
fn bd09_to_gcj02(lat: f64, lon: f64) -> (f64, f64) {
    const WAVE: f64 = std::f64::consts::PI * 3_000.0 / 180.0;
    let (x, y) = (lon - 0.0065, lat - 0.006);
    let radius = x.hypot(y) - 0.000_02 * (y * WAVE).sin();
    let angle = y.atan2(x) - 0.000_003 * (x * WAVE).cos();
    (radius * angle.sin(), radius * angle.cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs worked out independently: WGS-84, GCJ-02, BD-09.
    const PLACES: [[(f64, f64); 3]; 4] = [
        [(39.90105, 116.42079), (39.902_446_3, 116.427_022_1), (39.908_499_7, 116.433_501_1)],
        [(30.591_045, 114.366_778), (30.588_743_2, 114.372_313_2), (30.595_014_6, 114.378_729_1)],
        [(29.56301, 106.55156), (29.560_161_4, 106.555_277_7), (29.566_475_9, 106.561_708_3)],
        [(31.2304, 121.4737), (31.228_457_7, 121.478_223_1), (31.234_310_6, 121.484_784_5)],
    ];

    #[test]
    fn offsets_are_taken_away() {
        for [wgs, gcj, bd] in PLACES {
            let at = Position::from_degrees(wgs.0, wgs.1);
            let from_gcj = Datum::Gcj02.position(gcj.0, gcj.1).unwrap();
            let from_bd = Datum::Bd09.position(bd.0, bd.1).unwrap();
            assert!(at.distance_m(from_gcj) < 0.05, "{gcj:?}: {}", at.distance_m(from_gcj));
            assert!(at.distance_m(from_bd) < 1.5, "{bd:?}: {}", at.distance_m(from_bd));
            assert_eq!(Datum::Wgs84.position(wgs.0, wgs.1), Some(at));
        }
    }

    #[test]
    fn nothing_off_the_globe_is_a_position() {
        for (lat, lon) in [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Datum::Wgs84.position(lat, lon), None);
        }
    }
}
