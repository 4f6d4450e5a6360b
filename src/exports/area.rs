//! An area that rows must lie in. Fixes without a valid position lie nowhere.

use motorpool_protocols::{Fix, UtcMillis};
use motorpool_supervision::ids::ZoneId;
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{Shape, Versioned, Zone};
use motorpool_supervision::zones::ZoneIndex;
use serde::{Deserialize, Serialize};

/// The number under which the only zone of an index is found.
const THE_ZONE: i64 = 1;

/// An area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle each")]
pub enum Area {
    /// Between two meridians and two parallels, 1e-7 degrees, all four included.
    Box {
        /// The western meridian; east of the eastern one when the box crosses the antimeridian.
        west: i32,
        /// The southern parallel.
        south: i32,
        /// The eastern meridian.
        east: i32,
        /// The northern parallel.
        north: i32,
    },
    /// An outline, as it was when the export was asked for.
    Shape(Shape),
}

/// An area made ready to be asked.
#[derive(Debug)]
pub(super) enum Within {
    Everywhere,
    Box { west: i32, south: i32, east: i32, north: i32 },
    Zone(Box<ZoneIndex>),
}

impl Within {
    pub(super) fn new(area: Option<&Area>) -> Self {
        match area {
            None => Self::Everywhere,
            Some(Area::Box { west, south, east, north }) => {
                Self::Box { west: *west, south: *south, east: *east, north: *north }
            }
            Some(Area::Shape(shape)) => {
                let zone = Zone { shape: shape.clone(), ..Zone::default() };
                Self::Zone(Box::new(ZoneIndex::new(&[Versioned::first(THE_ZONE, UtcMillis(0), zone)])))
            }
        }
    }

    /// Whether a fix lies in the area. Encrypted coordinates lie nowhere that anybody knows.
    pub(super) fn holds(&self, fix: &Fix) -> bool {
        let at = Position { lat_e7: fix.lat_e7, lon_e7: fix.lon_e7 };
        match self {
            Self::Everywhere => true,
            _ if !fix.has_place() => false,
            Self::Box { west, south, east, north } => {
                let is_between = if west <= east {
                    (*west..=*east).contains(&at.lon_e7)
                } else {
                    at.lon_e7 >= *west || at.lon_e7 <= *east
                };
                is_between && (*south..=*north).contains(&at.lat_e7)
            }
            Self::Zone(index) => index.zone(ZoneId(THE_ZONE)).is_some_and(|zone| zone.contains(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::Quality;

    use super::*;

    fn fix(lat: f64, lon: f64) -> Fix {
        let at = Position::from_degrees(lat, lon);
        Fix::new(UtcMillis(0), at.lat_e7, at.lon_e7)
    }

    fn area(west: i32, south: i32, east: i32, north: i32) -> Within {
        let [west, south, east, north] = [west, south, east, north].map(|degrees| degrees * 10_000_000);
        Within::new(Some(&Area::Box { west, south, east, north }))
    }

    #[test]
    fn a_box_holds_its_borders_and_may_cross_the_antimeridian() {
        let county = area(102, 24, 103, 25);
        for (lat, lon, is_in) in
            [(24.0, 102.0, true), (25.0, 103.0, true), (25.1, 102.5, false), (24.5, 101.9, false)]
        {
            assert_eq!(county.holds(&fix(lat, lon)), is_in, "{lat} {lon}");
        }
        let pacific = area(170, -10, -170, 10);
        assert!(pacific.holds(&fix(0.0, 175.0)) && pacific.holds(&fix(0.0, -175.0)));
        assert!(!pacific.holds(&fix(0.0, 0.0)));
    }

    #[test]
    fn an_outline_holds_what_is_inside_and_not_its_hole() {
        let ring = |half: f64| {
            let corners = [(-half, -half), (-half, half), (half, half), (half, -half)];
            corners.map(|(lat, lon)| Position::from_degrees(30.0 + lat, 110.0 + lon)).to_vec()
        };
        let shape = Shape::Polygons { polygons: vec![vec![ring(1.0), ring(0.5)]] };
        let zone = Within::new(Some(&Area::Shape(shape)));
        assert!(zone.holds(&fix(30.7, 110.0)));
        assert!(!zone.holds(&fix(30.0, 110.0)), "in the hole");
        assert!(!zone.holds(&fix(32.0, 110.0)));
    }

    #[test]
    fn what_has_no_valid_position_lies_nowhere() {
        let mut doubtful = fix(24.5, 102.5);
        assert!(area(102, 24, 103, 25).holds(&doubtful));
        for bit in
            [Quality::NOT_POSITIONED, Quality::ZERO_POSITION, Quality::OUT_OF_RANGE, Quality::CRS_ENCRYPTED]
        {
            doubtful.quality = bit;
            assert!(!area(102, 24, 103, 25).holds(&doubtful));
            assert!(Within::new(None).holds(&doubtful), "without an area everything is wanted");
        }
    }
}
