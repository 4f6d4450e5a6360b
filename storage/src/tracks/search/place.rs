//! Places on the sphere, boxes of degrees, and areas made of them.

/// Metres of 1e-7 degrees of a great circle of the mean sphere, R = 6,371,008.8 m.
pub(super) const METRES_PER_E7: f64 = 6_371_008.8 * std::f64::consts::PI / 180.0 / 1e7;

/// Half a turn, 1e-7 degrees.
const HALF_TURN_E7: i32 = 1_800_000_000;

/// A place: WGS-84, 1e-7 degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a pair of coordinates")]
pub struct Place {
    /// Latitude, north positive.
    pub lat_e7: i32,
    /// Longitude, east positive.
    pub lon_e7: i32,
}

impl Place {
    /// The place of a row, whose coordinates are 32-bit by the schema.
    pub(super) const fn of_columns(lat_e7: i64, lon_e7: i64) -> Self {
        Self { lat_e7: lat_e7 as i32, lon_e7: lon_e7 as i32 }
    }

    /// The great circle's distance on the mean sphere, metres (haversine).
    #[must_use]
    pub fn distance_m(self, other: Self) -> f64 {
        let radians = |e7: i64| (e7 as f64 / 1e7).to_radians();
        let [lat, other_lat] = [self.lat_e7, other.lat_e7].map(|e7| radians(e7.into()));
        let north = radians(i64::from(other.lat_e7) - i64::from(self.lat_e7)) / 2.0;
        let east = radians(i64::from(other.lon_e7) - i64::from(self.lon_e7)) / 2.0;
        let chord = north.sin().powi(2) + lat.cos() * other_lat.cos() * east.sin().powi(2);
        2.0 * chord.sqrt().min(1.0).asin() * METRES_PER_E7 * 1e7_f64.to_degrees()
    }

    /// Whether the latitudes alone lie farther apart than `metres`; a cheap test before the distance is worked out.
    pub(super) fn is_surely_beyond(self, other: Self, metres: f64) -> bool {
        // A hair more, so that rounding never puts away what lies on the very border.
        f64::from(self.lat_e7.abs_diff(other.lat_e7)) * METRES_PER_E7 > metres * 1.000_001 + 0.001
    }

    /// The place `part` of the way, 0 to 1, from here to `other`: straight in degrees, the shorter way round.
    #[must_use]
    pub fn towards(self, other: Self, part: f64) -> Self {
        let turn = 2 * i64::from(HALF_TURN_E7);
        let step = |from: i64, to: i64| from + ((to - from) as f64 * part).round() as i64;
        let (from, mut to) = (i64::from(self.lon_e7), i64::from(other.lon_e7));
        if to - from > turn / 2 {
            to -= turn;
        } else if from - to > turn / 2 {
            to += turn;
        }
        let lon = (step(from, to) + turn / 2).rem_euclid(turn) - turn / 2;
        Self::of_columns(step(self.lat_e7.into(), other.lat_e7.into()), lon)
    }
}

/// A box of degrees whose west is not east of its east; its borders belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeoBox {
    /// The corner of least latitude and longitude.
    pub south_west: Place,
    /// The corner of greatest latitude and longitude.
    pub north_east: Place,
}

impl GeoBox {
    pub(super) const fn contains(&self, place: Place) -> bool {
        self.has_lat(place.lat_e7 as i64)
            && self.south_west.lon_e7 <= place.lon_e7
            && place.lon_e7 <= self.north_east.lon_e7
    }

    pub(super) const fn has_lat(&self, lat_e7: i64) -> bool {
        self.south_west.lat_e7 as i64 <= lat_e7 && lat_e7 <= self.north_east.lat_e7 as i64
    }

    /// Whether rows that lie within these degrees, rounded down to `step_e7`, may be in the box.
    pub(super) fn overlaps(&self, lat: (i64, i64), lon: (i64, i64), step_e7: i64) -> bool {
        let meet = |(least, most): (i64, i64), from: i32, to: i32| {
            least * step_e7 <= i64::from(to) && i64::from(from) < (most + 1) * step_e7
        };
        meet(lat, self.south_west.lat_e7, self.north_east.lat_e7)
            && meet(lon, self.south_west.lon_e7, self.north_east.lon_e7)
    }
}

/// Whether a place belongs to an area.
pub type IsInside<'a> = dyn Fn(Place) -> bool + Sync + 'a;

/// Where to look: boxes, and within them what a test says.
#[derive(Clone, Copy)]
pub struct Area<'a> {
    boxes: [Option<GeoBox>; 2],
    is_inside: Option<&'a IsInside<'a>>,
}

impl std::fmt::Debug for Area<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Area").field("boxes", &self.boxes).finish_non_exhaustive()
    }
}

impl<'a> Area<'a> {
    /// The box between two corners, with its borders. When the south-western one lies east of the north-eastern one,
    /// it is the box that spans the antimeridian.
    #[must_use]
    pub fn between(south_west: Place, north_east: Place) -> Self {
        let boxes = if south_west.lon_e7 <= north_east.lon_e7 {
            [Some(GeoBox { south_west, north_east }), None]
        } else {
            let east = Place { lon_e7: HALF_TURN_E7, ..north_east };
            let west = Place { lon_e7: -HALF_TURN_E7, ..south_west };
            [Some(GeoBox { south_west, north_east: east }), Some(GeoBox { south_west: west, north_east })]
        };
        Self { boxes, is_inside: None }
    }

    /// Only the places of the box for which `is_inside` is true: a polygon, a circle.
    #[must_use]
    pub const fn only(mut self, is_inside: &'a IsInside<'a>) -> Self {
        self.is_inside = Some(is_inside);
        self
    }

    /// The one box, or the two on both sides of the antimeridian.
    pub(super) fn boxes(&self) -> impl Iterator<Item = &GeoBox> {
        self.boxes.iter().flatten()
    }

    pub(super) fn contains(&self, place: Place) -> bool {
        self.boxes().any(|part| part.contains(place))
            && self.is_inside.is_none_or(|is_inside| is_inside(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degrees(lat: f64, lon: f64) -> Place {
        Place { lat_e7: (lat * 1e7) as i32, lon_e7: (lon * 1e7) as i32 }
    }

    #[test]
    fn distances_are_those_of_the_mean_sphere() {
        // A quarter of the way round, one degree of a meridian, and one of the 60th parallel across the antimeridian.
        let quarter = degrees(0.0, 0.0).distance_m(degrees(0.0, 90.0));
        assert!((quarter - 10_007_557.2).abs() < 0.1, "{quarter}");
        let degree = degrees(40.0, 116.0).distance_m(degrees(41.0, 116.0));
        assert!((degree - 111_195.08).abs() < 0.01, "{degree}");
        let across = degrees(60.0, 179.5).distance_m(degrees(60.0, -179.5));
        assert!((across - 55_595.0).abs() < 10.0, "{across}");
    }

    #[test]
    fn a_box_may_span_the_antimeridian() {
        let area = Area::between(degrees(-1.0, 179.0), degrees(1.0, -179.0));
        assert_eq!(area.boxes().count(), 2);
        for (lon, is_in) in [(178.9, false), (179.0, true), (180.0, true), (-180.0, true), (-178.9, false)] {
            assert_eq!(area.contains(degrees(0.0, lon)), is_in, "{lon}");
        }
        assert!(!area.contains(degrees(1.1, 179.5)));
    }

    #[test]
    fn half_the_way_is_the_shorter_way() {
        assert_eq!(degrees(0.0, 179.0).towards(degrees(1.0, -178.0), 0.5), degrees(0.5, -179.5));
        assert_eq!(degrees(10.0, 20.0).towards(degrees(20.0, 40.0), 0.25), degrees(12.5, 25.0));
    }

    #[test]
    fn pages_are_kept_when_the_seventh_decimal_may_matter() {
        let corner = Place { lat_e7: 19, lon_e7: 19 };
        let part = GeoBox { south_west: corner, north_east: corner };
        assert!(part.overlaps((1, 1), (1, 1), 10));
        assert!(!part.overlaps((0, 0), (1, 1), 10));
        assert!(!part.overlaps((1, 1), (2, 2), 10));
        assert!(part.overlaps((0, 0), (0, 0), 1_000));
        assert!(!part.overlaps((-1, -1), (0, 0), 1_000));
    }
}
