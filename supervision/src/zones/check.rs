//! Whether a shape can be a zone: limits first, then the run of its rings.
//!
//! Takes time in proportion to the corners, nearly: edges that may meet are found with a tree over their boxes, and the work
//! is limited, so that no outline can hold up an import.

use std::cmp::Ordering;

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree, RTreeObject};

use super::bands::Bands;
use super::outline::{Bounds, Edge, Located, located, ring_edges};
use crate::point::Position;
use crate::register::Shape;

/// Most corners of a shape, all rings together.
pub const CORNERS_MAX: usize = 10_000;
/// Most rings of a shape, all polygons together.
pub const RINGS_MAX: usize = 500;
/// Largest radius of a circle, metres: a prefecture.
pub const RADIUS_MAX_M: u32 = 500_000;
/// Largest half width of a corridor, metres.
pub const HALF_WIDTH_MAX_M: u32 = 10_000;
/// How far north and south a zone may reach. Distances are measured in a plane that fails near the poles.
pub const LATITUDE_MAX_DEGREES: f64 = 85.0;

const LATITUDE_MAX_E7: u32 = 850_000_000;
const LONGITUDE_MAX_E7: u32 = 1_800_000_000;

/// Pairs of edges whose boxes overlap that are looked at before the shape counts as too tangled: 400 for each of the most
/// corners, where drawn outlines have fewer than ten.
const PAIRS_MAX: usize = 4_000_000;

/// Why a shape can't be a zone. Polygons, rings and corners count from 1; ring 1 is the outer one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// No polygon, or a polygon without a ring.
    #[error("polygon {polygon} has no outline")]
    Empty {
        /// Its number.
        polygon: usize,
    },
    /// More than [`CORNERS_MAX`].
    #[error("{0} corners; {CORNERS_MAX} at most, simplify the outline")]
    TooManyCorners(usize),
    /// More than [`RINGS_MAX`].
    #[error("{0} rings; {RINGS_MAX} at most")]
    TooManyRings(usize),
    /// Fewer than three corners at different places.
    #[error("{ring} has {corners} different corners; a ring needs 3")]
    TooFewCorners {
        /// Which ring.
        ring: RingPlace,
        /// How many.
        corners: usize,
    },
    /// A line that goes nowhere.
    #[error("a corridor needs two points at different places")]
    NoLine,
    /// No such position, or too near to a pole.
    #[error(
        "{corner} ({}) is out of range: longitude must be within 180 and latitude within 85 degrees; \
         a zone that crosses the antimeridian must be split there in two",
        Degrees(*at)
    )]
    OutOfRange {
        /// Which corner.
        corner: CornerPlace,
        /// Where it is said to be.
        at: Position,
    },
    /// The outline goes across the antimeridian.
    #[error("{corner}: the outline crosses the antimeridian (180 degrees); split the zone there in two")]
    CrossesAntimeridian {
        /// The corner from which the edge goes.
        corner: CornerPlace,
    },
    /// A circle or corridor that reaches over the antimeridian or too near to a pole.
    #[error(
        "the zone reaches across the antimeridian or beyond 85 degrees of latitude; draw polygons on either side"
    )]
    ReachesTooFar,
    /// A radius of 0 or of more than [`RADIUS_MAX_M`].
    #[error("a radius of {0} m; it must be between 1 and {RADIUS_MAX_M} m")]
    Radius(u32),
    /// A half width of 0 or of more than [`HALF_WIDTH_MAX_M`].
    #[error("a half width of {0} m; it must be between 1 and {HALF_WIDTH_MAX_M} m")]
    HalfWidth(u32),
    /// The outline crosses or touches itself.
    #[error("the outline crosses itself at {}: the edges from {one} and from {other} meet", Degrees(*at))]
    CrossesItself {
        /// Where one edge begins.
        one: CornerPlace,
        /// Where the other begins.
        other: CornerPlace,
        /// Where they meet.
        at: Position,
    },
    /// A hole that is not within the outer ring of its polygon.
    #[error("{ring} is a hole but does not lie within the outer ring (at {})", Degrees(*at))]
    HoleOutside {
        /// Which ring.
        ring: RingPlace,
        /// A corner outside.
        at: Position,
    },
    /// Two holes or two polygons that share an area.
    #[error("{one} and {other} overlap at {}", Degrees(*at))]
    Overlap {
        /// One ring.
        one: RingPlace,
        /// The other.
        other: RingPlace,
        /// A position that both enclose.
        at: Position,
    },
    /// Too many edges run across and along one another to be checked.
    #[error("the outline is too tangled to be checked; simplify it")]
    TooTangled,
}

/// Longitude and latitude for messages.
struct Degrees(Position);

impl std::fmt::Display for Degrees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.7} {:.7}", self.0.lon(), self.0.lat())
    }
}

/// A ring of a shape, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two numbers")]
pub struct RingPlace {
    /// The polygon.
    pub polygon: usize,
    /// The ring; 1 is the outer one.
    pub ring: usize,
}

impl std::fmt::Display for RingPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "polygon {}, ring {}", self.polygon, self.ring)
    }
}

/// A corner of a shape, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "three numbers")]
pub struct CornerPlace {
    /// The ring; polygon 1, ring 1 for the line of a corridor.
    pub ring: RingPlace,
    /// The corner.
    pub corner: usize,
}

impl std::fmt::Display for CornerPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, corner {}", self.ring, self.corner)
    }
}

/// Whether `shape` can be a zone.
///
/// Rings must not cross, touch or overlap themselves; different rings may touch at points. Corridors may cross themselves.
///
/// # Errors
/// The first thing wrong, with its place.
pub fn check_shape(shape: &Shape) -> Result<(), ShapeError> {
    check_limits(shape)?;
    let Shape::Polygons { polygons } = shape else { return Ok(()) };
    let rings = rings_of(polygons)?;
    check_crossings(&rings)?;
    check_nesting(&rings)
}

/// The part of [`check_shape`] that looks at each corner by itself.
pub(super) fn check_limits(shape: &Shape) -> Result<(), ShapeError> {
    match shape {
        Shape::Circle { centre, radius_m } => {
            if !(1..=RADIUS_MAX_M).contains(radius_m) {
                return Err(ShapeError::Radius(*radius_m));
            }
            check_reach(&[*centre], *radius_m)
        }
        Shape::Corridor { line, half_width_m } => {
            if !(1..=HALF_WIDTH_MAX_M).contains(half_width_m) {
                return Err(ShapeError::HalfWidth(*half_width_m));
            }
            if line.len() > CORNERS_MAX {
                return Err(ShapeError::TooManyCorners(line.len()));
            }
            if line.windows(2).all(|ends| matches!(ends, [one, other] if one == other)) {
                return Err(ShapeError::NoLine);
            }
            check_reach(line, *half_width_m)
        }
        Shape::Polygons { polygons } => check_polygon_limits(polygons),
    }
}

/// Everything within `metres` of the line must be in range.
fn check_reach(line: &[Position], metres: u32) -> Result<(), ShapeError> {
    check_corners(RingPlace { polygon: 1, ring: 1 }, line, false)?;
    let is_in_range = |at: &Position| {
        let reach = Bounds::of(*at).widened(f64::from(metres));
        let corner = |lat_e7, lon_e7| is_position(Position { lat_e7, lon_e7 });
        corner(reach.south, reach.west) && corner(reach.north, reach.east)
    };
    if line.iter().all(is_in_range) { Ok(()) } else { Err(ShapeError::ReachesTooFar) }
}

fn check_polygon_limits(polygons: &[Vec<Vec<Position>>]) -> Result<(), ShapeError> {
    let rings: usize = polygons.iter().map(Vec::len).sum();
    if rings > RINGS_MAX {
        return Err(ShapeError::TooManyRings(rings));
    }
    let corners: usize = polygons.iter().flatten().map(Vec::len).sum();
    if corners > CORNERS_MAX {
        return Err(ShapeError::TooManyCorners(corners));
    }
    if polygons.is_empty() {
        return Err(ShapeError::Empty { polygon: 1 });
    }
    for (polygon, rings) in (1..).zip(polygons) {
        if rings.is_empty() {
            return Err(ShapeError::Empty { polygon });
        }
        for (ring, corners) in (1..).zip(rings) {
            check_corners(RingPlace { polygon, ring }, corners, true)?;
        }
    }
    Ok(())
}

/// Each corner in range, no edge across the antimeridian, and for a ring at least three different corners.
fn check_corners(ring: RingPlace, corners: &[Position], is_ring: bool) -> Result<(), ShapeError> {
    for (corner, &at) in (1..).zip(corners) {
        if !is_position(at) {
            return Err(ShapeError::OutOfRange { corner: CornerPlace { ring, corner }, at });
        }
    }
    let back = corners.first().filter(|_| is_ring);
    let next = corners.iter().skip(1).chain(back);
    for (corner, (one, other)) in (1..).zip(corners.iter().zip(next)) {
        if one.lon_e7.abs_diff(other.lon_e7) > LONGITUDE_MAX_E7 {
            return Err(ShapeError::CrossesAntimeridian { corner: CornerPlace { ring, corner } });
        }
    }
    if is_ring {
        let mut different = corners.to_vec();
        different.sort_unstable();
        different.dedup();
        if different.len() < 3 {
            return Err(ShapeError::TooFewCorners { ring, corners: different.len() });
        }
    }
    Ok(())
}

const fn is_position(at: Position) -> bool {
    at.lat_e7.unsigned_abs() <= LATITUDE_MAX_E7 && at.lon_e7.unsigned_abs() <= LONGITUDE_MAX_E7
}

/// A ring ready to be checked.
struct Ring<'a> {
    place: RingPlace,
    corners: &'a [Position],
    edges: Vec<Edge>,
    bands: Bands<Edge>,
    bounds: Bounds,
}

impl Ring<'_> {
    fn locate(&self, at: Position) -> Located {
        if self.bounds.contains(at) { located(self.bands.at(at.lat_e7), at) } else { Located::Outside }
    }

    /// The middles of the edges that have one in whole units. They speak for a ring whose corners are all on another.
    fn middles(&self) -> impl Iterator<Item = Position> + '_ {
        let middle = |one: i32, other: i32| {
            let sum = i64::from(one) + i64::from(other);
            if sum % 2 == 0 { i32::try_from(sum / 2).ok() } else { None }
        };
        self.edges.iter().filter_map(move |Edge { a, b }| {
            Some(Position { lat_e7: middle(a.lat_e7, b.lat_e7)?, lon_e7: middle(a.lon_e7, b.lon_e7)? })
        })
    }
}

fn rings_of(polygons: &[Vec<Vec<Position>>]) -> Result<Vec<Ring<'_>>, ShapeError> {
    let numbered = (1..).zip(polygons).flat_map(|(polygon, rings)| {
        (1..).zip(rings).map(move |(ring, corners)| (RingPlace { polygon, ring }, corners))
    });
    numbered
        .map(|(place, corners)| {
            let edges: Vec<_> = ring_edges(corners).collect();
            let bands = Bands::new(&edges, |edge| edge.a.lat_e7..=edge.b.lat_e7);
            let bounds = edges.iter().map(Edge::bounds).reduce(Bounds::with);
            let bounds = bounds.ok_or(ShapeError::TooFewCorners { ring: place, corners: 1 })?;
            Ok(Ring { place, corners, edges, bands, bounds })
        })
        .collect()
}

/// An edge with its place: number of the ring in the list, number of the edge in the ring, how many edges the ring has.
#[derive(Clone, Copy, PartialEq)]
struct Placed {
    edge: Edge,
    ring: usize,
    number: usize,
    of: usize,
}

impl Placed {
    /// Whether one begins where the other ends.
    const fn is_next_to(&self, other: &Self) -> bool {
        let apart = self.number.abs_diff(other.number);
        self.ring == other.ring && (apart == 1 || apart + 1 == self.of)
    }
}

/// How two edges meet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meeting {
    Never,
    /// At an end of one of them.
    Touch(Position),
    /// Within both, or along a stretch.
    Cross(Position),
}

fn check_crossings(rings: &[Ring<'_>]) -> Result<(), ShapeError> {
    let placed: Vec<Placed> = (0..)
        .zip(rings)
        .flat_map(|(ring, row)| {
            let of = row.edges.len();
            (0..).zip(&row.edges).map(move |(number, edge)| Placed { edge: *edge, ring, number, of })
        })
        .collect();
    let boxed = placed.iter().map(|one| GeomWithData::new(Rectangle::from_aabb(envelope(&one.edge)), *one));
    let tree = RTree::bulk_load(boxed.collect());
    let mut pairs = 0_usize;
    for one in &placed {
        for other in tree.locate_in_envelope_intersecting(&envelope(&one.edge)).map(|found| &found.data) {
            pairs += 1;
            if pairs > PAIRS_MAX {
                return Err(ShapeError::TooTangled);
            }
            if (one.ring, one.number) >= (other.ring, other.number) {
                continue;
            }
            if let Some(at) = forbidden_meeting(one, other) {
                let corner = |placed: &Placed| corner_of(rings, placed);
                return Err(ShapeError::CrossesItself { one: corner(one), other: corner(other), at });
            }
        }
    }
    Ok(())
}

fn envelope(edge: &Edge) -> AABB<[f64; 2]> {
    let ends = |at: Position| [f64::from(at.lon_e7), f64::from(at.lat_e7)];
    Rectangle::from_corners(ends(edge.a), ends(edge.b)).envelope()
}

/// The corner from which an edge goes. Corners that repeat the one before have no edge, so they are skipped in counting.
fn corner_of(rings: &[Ring<'_>], placed: &Placed) -> CornerPlace {
    let Some(ring) = rings.get(placed.ring) else {
        return CornerPlace { ring: RingPlace { polygon: 1, ring: 1 }, corner: placed.number + 1 };
    };
    let next = ring.corners.iter().cycle().skip(1);
    let moving = (1..).zip(ring.corners.iter().zip(next)).filter(|(_, (one, other))| one != other);
    let corner = moving.map(|(corner, _)| corner).nth(placed.number).unwrap_or(1);
    CornerPlace { ring: ring.place, corner }
}

fn forbidden_meeting(one: &Placed, other: &Placed) -> Option<Position> {
    match meeting(&one.edge, &other.edge) {
        Meeting::Cross(at) => Some(at),
        Meeting::Touch(at) if one.ring == other.ring && !one.is_next_to(other) => Some(at),
        Meeting::Touch(_) | Meeting::Never => None,
    }
}

fn meeting(one: &Edge, other: &Edge) -> Meeting {
    if !one.bounds().overlaps(&other.bounds()) {
        return Meeting::Never;
    }
    let ends = [(one.turn(other.a), other.a), (one.turn(other.b), other.b)];
    let others = [(other.turn(one.a), one.a), (other.turn(one.b), one.b)];
    let is_split = |[(first, _), (second, _)]: [(Ordering, Position); 2]| {
        first != Ordering::Equal && first == second.reverse()
    };
    if is_split(ends) && is_split(others) {
        return Meeting::Cross(crossing(one, other));
    }
    // What is left can only meet at an end of one of them: an end on the line of the other edge and within its box.
    let on_one = ends.iter().filter(|(side, at)| side.is_eq() && one.bounds().contains(*at));
    let on_other = others.iter().filter(|(side, at)| side.is_eq() && other.bounds().contains(*at));
    let mut at: Vec<Position> = on_one.chain(on_other).map(|(_, at)| *at).collect();
    at.sort_unstable();
    at.dedup();
    match at.as_slice() {
        [] => Meeting::Never,
        [at] => Meeting::Touch(*at),
        // Two different positions in common: they share a stretch.
        [at, ..] => Meeting::Cross(*at),
    }
}

/// Where two edges that cross do so, for the message.
fn crossing(one: &Edge, other: &Edge) -> Position {
    let vector = |edge: &Edge| {
        (
            f64::from(edge.b.lon_e7) - f64::from(edge.a.lon_e7),
            f64::from(edge.b.lat_e7) - f64::from(edge.a.lat_e7),
        )
    };
    let ((ux, uy), (vx, vy)) = (vector(one), vector(other));
    let wx = f64::from(other.a.lon_e7) - f64::from(one.a.lon_e7);
    let wy = f64::from(other.a.lat_e7) - f64::from(one.a.lat_e7);
    let along = (wx * vy - wy * vx) / (ux * vy - uy * vx);
    Position::from_degrees(one.a.lat() + along * uy / 1e7, one.a.lon() + along * ux / 1e7)
}

/// Holes lie within their outer ring and beside one another; polygons lie beside one another or in holes.
fn check_nesting(rings: &[Ring<'_>]) -> Result<(), ShapeError> {
    let polygons: Vec<&[Ring<'_>]> =
        rings.chunk_by(|one, other| one.place.polygon == other.place.polygon).collect();
    for (number, polygon) in polygons.iter().enumerate() {
        let Some((outer, holes)) = polygon.split_first() else { continue };
        for (earlier, hole) in holes.iter().enumerate() {
            if let Some(at) = position_outside(hole, outer) {
                return Err(ShapeError::HoleOutside { ring: hole.place, at });
            }
            for other in holes.iter().take(earlier) {
                check_apart(hole, other)?;
            }
        }
        for other in polygons.iter().take(number) {
            check_polygons_apart(polygon, other)?;
        }
    }
    Ok(())
}

/// A position of `ring` outside `other`, should it have one.
fn position_outside(ring: &Ring<'_>, other: &Ring<'_>) -> Option<Position> {
    let is_outside = |at: &Position| other.locate(*at) == Located::Outside;
    let is_settled = ring.corners.iter().any(|&at| other.locate(at) != Located::On);
    let corner = ring.corners.iter().copied().find(is_outside);
    if is_settled { corner } else { ring.middles().find(is_outside) }
}

/// A position of `ring` strictly within `other`.
fn position_within(ring: &Ring<'_>, other: &Ring<'_>) -> Option<Position> {
    if !ring.bounds.overlaps(&other.bounds) {
        return None;
    }
    ring.corners.iter().copied().find(|&at| other.locate(at) == Located::Inside)
}

fn check_apart(one: &Ring<'_>, other: &Ring<'_>) -> Result<(), ShapeError> {
    match position_within(one, other).or_else(|| position_within(other, one)) {
        Some(at) => Err(ShapeError::Overlap { one: one.place, other: other.place, at }),
        None => Ok(()),
    }
}

fn check_polygons_apart(one: &[Ring<'_>], other: &[Ring<'_>]) -> Result<(), ShapeError> {
    let (Some(outer), Some(other_outer)) = (one.first(), other.first()) else { return Ok(()) };
    for (inner, polygon) in [(outer, other), (other_outer, one)] {
        let Some((around, holes)) = polygon.split_first() else { continue };
        if !inner.bounds.overlaps(&around.bounds) {
            continue;
        }
        let is_free = |at: Position| holes.iter().any(|hole| hole.locate(at) != Located::Outside);
        let shared =
            inner.corners.iter().copied().find(|&at| around.locate(at) == Located::Inside && !is_free(at));
        if let Some(at) = shared {
            return Err(ShapeError::Overlap { one: outer.place, other: other_outer.place, at });
        }
    }
    Ok(())
}
