//! A shape made ready for questions: is a position inside, and how far is it.

use std::cmp::Ordering;

use super::bands::Bands;
use super::check::check_limits;
use crate::point::Position;
use crate::register::Shape;

pub(super) const METRES_PER_E7: f64 = 6_371_008.8 * std::f64::consts::PI / 180.0 / 1e7;
const TURN_E7: i64 = 3_600_000_000;

/// What is outside is never at distance 0, however close: a micrometre.
const OUTSIDE_MIN_M: f64 = 1e-6;

/// A box that includes its sides, 1e-7 degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) south: i32,
    pub(super) west: i32,
    pub(super) north: i32,
    pub(super) east: i32,
}

impl Bounds {
    pub(super) const fn of(at: Position) -> Self {
        Self { south: at.lat_e7, west: at.lon_e7, north: at.lat_e7, east: at.lon_e7 }
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self {
            south: self.south.min(other.south),
            west: self.west.min(other.west),
            north: self.north.max(other.north),
            east: self.east.max(other.east),
        }
    }

    #[inline]
    pub(super) const fn contains(&self, at: Position) -> bool {
        self.south <= at.lat_e7 && at.lat_e7 <= self.north && self.west <= at.lon_e7 && at.lon_e7 <= self.east
    }

    pub(super) const fn overlaps(&self, other: &Self) -> bool {
        self.south <= other.north
            && other.south <= self.north
            && self.west <= other.east
            && other.west <= self.east
    }

    /// The box with all positions that are within `metres` of it by [`Position::distance_m`].
    pub(super) fn widened(self, metres: f64) -> Self {
        // Half a metre and a millionth more than needed: rounding must never leave out a position.
        let north = (metres * 1.000_001 + 0.5) / METRES_PER_E7;
        let widest = f64::from(self.south.unsigned_abs().max(self.north.unsigned_abs())) + north;
        let east = north / (widest / 1e7).min(89.9).to_radians().cos();
        Self {
            south: saturated(f64::from(self.south) - north),
            west: saturated(f64::from(self.west) - east),
            north: saturated(f64::from(self.north) + north),
            east: saturated(f64::from(self.east) + east),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
fn saturated(e7: f64) -> i32 {
    e7.round() as i32
}

/// A line between two corners, the southern one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) a: Position,
    pub(super) b: Position,
}

/// Where a position is as seen from an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// On the edge.
    On,
    /// A ray to the east from the position meets the edge. The southern corner belongs to the edge, the northern one does
    /// not, so that a ray through a corner counts right.
    West,
    /// It does not.
    Elsewhere,
}

impl Edge {
    pub(super) fn new(one: Position, other: Position) -> Self {
        if one.lat_e7 <= other.lat_e7 { Self { a: one, b: other } } else { Self { a: other, b: one } }
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds::of(self.a).with(Bounds::of(self.b))
    }

    /// Where `at` is. Exact for latitudes within 90 and longitudes within 180 degrees: products stay below 2^63.
    #[inline]
    pub(super) fn side(&self, at: Position) -> Side {
        if at.lat_e7 < self.a.lat_e7 || at.lat_e7 > self.b.lat_e7 {
            return Side::Elsewhere;
        }
        if self.a.lat_e7 == self.b.lat_e7 {
            let (west, east) = (self.a.lon_e7.min(self.b.lon_e7), self.a.lon_e7.max(self.b.lon_e7));
            return if west <= at.lon_e7 && at.lon_e7 <= east { Side::On } else { Side::Elsewhere };
        }
        let difference = |one: i32, other: i32| i64::from(one) - i64::from(other);
        let here = difference(at.lon_e7, self.a.lon_e7) * difference(self.b.lat_e7, self.a.lat_e7);
        let edge = difference(self.b.lon_e7, self.a.lon_e7) * difference(at.lat_e7, self.a.lat_e7);
        match here.cmp(&edge) {
            Ordering::Equal => Side::On,
            Ordering::Less if at.lat_e7 < self.b.lat_e7 => Side::West,
            _ => Side::Elsewhere,
        }
    }

    /// On which side of the line through the edge `at` lies. Exact for edges that span at most 180 degrees.
    pub(super) fn turn(&self, at: Position) -> Ordering {
        let difference = |one: i32, other: i32| i64::from(one) - i64::from(other);
        let left = difference(self.b.lon_e7, self.a.lon_e7) * difference(at.lat_e7, self.a.lat_e7);
        let right = difference(self.b.lat_e7, self.a.lat_e7) * difference(at.lon_e7, self.a.lon_e7);
        left.cmp(&right)
    }

    /// Distance in metres: to the nearest point of the edge in the plane that touches the earth between both.
    fn distance_m(&self, from: &Observer) -> f64 {
        let (ax, ay) = from.plane(self.a);
        let (bx, by) = from.plane(self.b);
        let (dx, dy) = (bx - ax, by - ay);
        let length = dx * dx + dy * dy;
        let along = if length > 0.0 { (-(ax * dx + ay * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
        from.metres_to(ax + along * dx, ay + along * dy)
    }
}

/// The plane in which distances from one position to one outline are measured, 1e-7 degrees of latitude.
struct Observer {
    lat: f64,
    lon: f64,
    /// Cosine half way to the outline: the scale of the plane from west to east.
    scale: f64,
    /// Cosine and sine of the latitude.
    cos: f64,
    sin: f64,
}

impl Observer {
    fn new(at: Position, outline: &Bounds) -> Self {
        let nearest = at.lat_e7.clamp(outline.south, outline.north);
        let half_way = (f64::from(at.lat_e7) + f64::from(nearest)) / 2e7;
        let (sin, cos) = at.lat().to_radians().sin_cos();
        // Across the antimeridian the shorter way counts.
        let middle = i64::midpoint(outline.west.into(), outline.east.into());
        let mut lon = i64::from(at.lon_e7);
        if lon - middle > TURN_E7 / 2 {
            lon -= TURN_E7;
        } else if middle - lon > TURN_E7 / 2 {
            lon += TURN_E7;
        }
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        Self { lat: f64::from(at.lat_e7), lon: lon as f64, scale: half_way.to_radians().cos(), cos, sin }
    }

    fn plane(&self, at: Position) -> (f64, f64) {
        ((f64::from(at.lon_e7) - self.lon) * self.scale, f64::from(at.lat_e7) - self.lat)
    }

    /// Metres to a point of the plane, with the cosine at the mean latitude of both as [`Position::distance_m`] has it. The
    /// cosine is taken by its series: off by less than 1e-8 within 50 km, by 2e-5 at 500 km.
    fn metres_to(&self, x: f64, y: f64) -> f64 {
        const HALF_RADIANS_PER_E7: f64 = std::f64::consts::PI / 180.0 / 2e7;
        let half = y * HALF_RADIANS_PER_E7;
        let cos = self.cos - half * (self.sin + half / 2.0 * self.cos);
        let east = if self.scale > 0.0 { x / self.scale * cos } else { 0.0 };
        (east * east + y * y).sqrt() * METRES_PER_E7
    }
}

/// A shape made ready.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    pub(super) bounds: Bounds,
    pub(super) form: Form,
}

#[derive(Clone, Debug)]
pub(super) enum Form {
    Circle {
        centre: Position,
        radius_m: f64,
    },
    Polygons {
        edges: Vec<Edge>,
        bands: Bands<Edge>,
    },
    /// The bands hold each edge with the box of what is near enough to it.
    Corridor {
        edges: Vec<Edge>,
        bands: Bands<(Bounds, Edge)>,
        half_width_m: f64,
    },
}

impl Outline {
    /// The shape made ready, or `None` when it is past the limits that [`super::check_shape`] sets.
    pub(super) fn new(shape: &Shape) -> Option<Self> {
        check_limits(shape).ok()?;
        match shape {
            Shape::Circle { centre, radius_m } => {
                let radius_m = f64::from(*radius_m);
                let bounds = Bounds::of(*centre).widened(radius_m);
                Some(Self { bounds, form: Form::Circle { centre: *centre, radius_m } })
            }
            Shape::Polygons { polygons } => {
                let edges: Vec<_> = polygons.iter().flatten().flat_map(|ring| ring_edges(ring)).collect();
                let bounds = bounds_of(&edges)?;
                let bands = Bands::new(&edges, |edge| edge.a.lat_e7..=edge.b.lat_e7);
                Some(Self { bounds, form: Form::Polygons { edges, bands } })
            }
            Shape::Corridor { line, half_width_m } => {
                let half_width_m = f64::from(*half_width_m);
                let edges: Vec<_> = line_edges(line).collect();
                let bounds = bounds_of(&edges)?.widened(half_width_m);
                let reach: Vec<_> =
                    edges.iter().map(|edge| (edge.bounds().widened(half_width_m), *edge)).collect();
                let bands = Bands::new(&reach, |(near, _)| near.south..=near.north);
                Some(Self { bounds, form: Form::Corridor { edges, bands, half_width_m } })
            }
        }
    }

    /// Whether `at` is inside. An outline belongs to what it encloses.
    #[inline]
    pub(super) fn contains(&self, at: Position) -> bool {
        if !self.bounds.contains(at) {
            return false;
        }
        match &self.form {
            Form::Circle { centre, radius_m } => at.is_within(*centre, *radius_m),
            Form::Polygons { bands, .. } => located(bands.at(at.lat_e7), at) != Located::Outside,
            Form::Corridor { bands, half_width_m, .. } => {
                // Most positions are far from all edges: the plane is only laid for those that are not.
                let near = || bands.at(at.lat_e7).iter().filter(|(near, _)| near.contains(at));
                near().next().is_some() && {
                    let observer = Observer::new(at, &self.bounds);
                    near().any(|(_, edge)| edge.distance_m(&observer) <= *half_width_m)
                }
            }
        }
    }

    /// Metres to the outline; 0 inside and only there.
    pub(super) fn distance_m(&self, at: Position) -> f64 {
        if self.contains(at) {
            return 0.0;
        }
        let metres = match &self.form {
            Form::Circle { centre, radius_m } => at.distance_m(*centre) - radius_m,
            Form::Polygons { edges, .. } => self.nearest_m(edges, at),
            Form::Corridor { edges, half_width_m, .. } => self.nearest_m(edges, at) - half_width_m,
        };
        metres.max(OUTSIDE_MIN_M)
    }

    /// As [`Outline::distance_m`] where that is at most `within_m`, found among the edges of the latitudes around.
    pub(super) fn distance_within_m(&self, at: Position, within_m: f64) -> Option<f64> {
        let around = Bounds::of(at).widened(within_m);
        let metres = match &self.form {
            _ if self.contains(at) => 0.0,
            Form::Polygons { edges, bands } => {
                let close = bands.between(around.south, around.north);
                // An edge is listed in each band that it touches: over many bands the plain list is shorter.
                self.nearest_m(if close.len() < edges.len() { close } else { edges }, at).max(OUTSIDE_MIN_M)
            }
            Form::Circle { .. } | Form::Corridor { .. } => self.distance_m(at),
        };
        (metres <= within_m).then_some(metres)
    }

    fn nearest_m(&self, edges: &[Edge], at: Position) -> f64 {
        let observer = Observer::new(at, &self.bounds);
        edges.iter().map(|edge| edge.distance_m(&observer)).fold(f64::INFINITY, f64::min)
    }
}

/// Where a position is as seen from rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Located {
    /// On an edge.
    On,
    Inside,
    Outside,
}

/// Where `at` is: inside when a ray from it to the east meets an odd number of edges.
#[inline]
pub(super) fn located(edges: &[Edge], at: Position) -> Located {
    let mut is_odd = false;
    for edge in edges {
        match edge.side(at) {
            Side::On => return Located::On,
            Side::West => is_odd = !is_odd,
            Side::Elsewhere => {}
        }
    }
    if is_odd { Located::Inside } else { Located::Outside }
}

/// The edges of a ring, from the last corner back to the first; a corner that repeats the one before makes none.
pub(super) fn ring_edges(ring: &[Position]) -> impl Iterator<Item = Edge> {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).filter(|(one, other)| one != other).map(|(one, other)| Edge::new(*one, *other))
}

/// The edges of a line.
fn line_edges(line: &[Position]) -> impl Iterator<Item = Edge> {
    line.iter()
        .zip(line.iter().skip(1))
        .filter(|(one, other)| one != other)
        .map(|(one, other)| Edge::new(*one, *other))
}

fn bounds_of(edges: &[Edge]) -> Option<Bounds> {
    edges.iter().map(Edge::bounds).reduce(Bounds::with)
}
