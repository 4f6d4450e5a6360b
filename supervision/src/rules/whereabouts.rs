//! How near a car came to a place in a span of time, and how sure that is.
//!
//! Everything that a ledger books somewhere is held against the track here. What is not known is taken in the person's favour: a
//! silence in which the car could have gone there and back makes the answer unsure, it never makes the car absent.

use crate::UtcMillis;
use crate::finding::{FixesUsed, Missing};
use crate::ids::VehicleId;
use crate::judge::VehicleDay;
use crate::point::{Point, Position, Signs};
use crate::register::{PlaceText, ZoneKind};
use crate::trips::{Gap, Stop};
use crate::world::World;
use crate::zones::{PlaceTarget, Resolved};

/// Between fixes closer in time than this the car is taken to have gone straight, seconds.
const STRAIGHT_S: i64 = 180;
/// How fast a car can be expected to go in a silence, km/h.
const REACH_KMH: f64 = 120.0;
/// How far outside the span fixes are looked for that say where the car came from and went, seconds.
const AROUND_S: i64 = 1_800;
/// A straight piece is looked at in steps of this, metres …
const STEP_M: f64 = 50.0;
/// … but in no more than so many.
const STEPS_MAX: u32 = 128;

/// The place that a paper means at `time`: its own coordinates, else what the dictionary makes of its words.
pub(super) fn target(
    day: &VehicleDay<'_>,
    place: &PlaceText,
    time: UtcMillis,
) -> Result<PlaceTarget, Missing> {
    if let Some(at) = place.at {
        return Ok(point_target(&place.text, at));
    }
    match day.world.places().resolve_at(&place.text, &day.units, time) {
        Resolved::One(target) => Ok(target),
        Resolved::Several(names) => Err(Missing::SeveralPlaces { names }),
        Resolved::Unknown => Err(Missing::Place { text: place.text.clone() }),
    }
}

/// A point with a name.
pub(super) fn point_target(name: &str, at: Position) -> PlaceTarget {
    PlaceTarget::Circle { at, radius_m: 0, name: name.into() }
}

/// Metres from `at` to the place, 0 inside; infinite when its zone is not known.
fn distance_m(day: &VehicleDay<'_>, target: &PlaceTarget, at: Position) -> f64 {
    target.distance_m(day.world.zones(), at).unwrap_or(f64::INFINITY)
}

/// How near a car came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Approach {
    /// Nearest that the track came, metres.
    pub(super) nearest_m: f64,
    /// Where that was.
    pub(super) nearest: Position,
    /// Whether there was a silence in which it could have come as near as asked.
    pub(super) is_unsure: bool,
    /// The fixes that say so.
    pub(super) fixes: FixesUsed,
}

/// A moment at which the place of the car is known.
#[derive(Clone, Copy, Debug)]
struct Knot {
    time: UtcMillis,
    at: Position,
}

/// How near the car came to `target` from `from` to `to`, both included; `near_m` is what would count as having been there.
/// `None` when nothing is known about that time.
pub(super) fn approach(
    day: &VehicleDay<'_>,
    target: &PlaceTarget,
    near_m: f64,
    from: UtcMillis,
    to: UtcMillis,
) -> Option<Approach> {
    let knots = knots(day, from, to);
    let within = knots.iter().filter(|knot| from <= knot.time && knot.time <= to);
    let mut seen: Vec<Position> = within.map(|knot| knot.at).collect();
    let mut is_unsure = false;
    let mut gap_s = 0;
    for (a, b) in knots.iter().zip(knots.iter().skip(1)) {
        // What only touches the span came before it or after it.
        if b.time <= from || to <= a.time {
            continue;
        }
        if let Some(stop) = stood(day, a.time, b.time) {
            seen.push(stop.at);
        } else if seconds(a.time, b.time) <= STRAIGHT_S {
            seen.extend(between(*a, *b, from, to));
        } else {
            let (start, end) = (a.time.max(from), b.time.min(to));
            gap_s += seconds(start, end);
            let way_m = (distance_m(day, target, a.at) - near_m).max(0.0)
                + (distance_m(day, target, b.at) - near_m).max(0.0);
            is_unsure |= could_reach(way_m, a.time, b.time);
        }
    }
    is_unsure |= ends_unsure(day, target, near_m, (from, to), &knots);
    if seen.is_empty() && !is_unsure {
        // Nothing within the span, but what lies around it rules the place out.
        seen.extend(knots.iter().map(|knot| knot.at));
    }
    let distances = seen.into_iter().map(|at| (distance_m(day, target, at), at));
    let (nearest_m, nearest) = distances.min_by(|(a, _), (b, _)| a.total_cmp(b))?;
    let fixes = fixes(day.points(from, to), gap_s);
    Some(Approach { nearest_m, nearest, is_unsure, fixes })
}

/// Whether the car could have been at `target` before the first or after the last moment at which it is known.
fn ends_unsure(
    day: &VehicleDay<'_>,
    target: &PlaceTarget,
    near_m: f64,
    (from, to): (UtcMillis, UtcMillis),
    knots: &[Knot],
) -> bool {
    let (Some(first), Some(last)) = (knots.first(), knots.last()) else { return true };
    let could = |knot: &Knot, unknown_s: i64| {
        unknown_s > STRAIGHT_S && distance_m(day, target, knot.at) - near_m <= reach_m(unknown_s)
    };
    could(first, seconds(from, first.time)) || could(last, seconds(last.time, to))
}

/// Moments around `from` to `to` at which the place is known: usable fixes with a believable clock, beginnings and ends of stops
/// and gaps.
fn knots(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis) -> Vec<Knot> {
    let (early, late) = (moved(from, -AROUND_S), moved(to, AROUND_S));
    let believed = |point: &&Point| point.is_usable() && !point.signs.contains(Signs::CLOCK_SUSPECT);
    let points = day.points(early, late).iter().filter(believed);
    let mut knots: Vec<_> = points.map(|point| Knot { time: point.time, at: point.at }).collect();
    for stop in day.stops(from, to) {
        knots.push(Knot { time: stop.start, at: stop.at });
        knots.push(Knot { time: stop.end, at: stop.at });
    }
    for gap in day.gaps(from, to) {
        knots.push(Knot { time: gap.start, at: gap.from });
        knots.push(Knot { time: gap.end, at: gap.to });
    }
    knots.sort_by_key(|knot| (knot.time, knot.at));
    knots
}

/// The stop that holds all of `from` to `to`, unless a silence in it hides a drive.
pub(super) fn stood<'a>(day: &VehicleDay<'a>, from: UtcMillis, to: UtcMillis) -> Option<&'a Stop> {
    let stop = day.stops(from, to).find(|stop| stop.start <= from && to <= stop.end)?;
    let hides = |gap: &Gap| gap.start < to && from < gap.end && gap.may_hide_a_drive();
    (!day.gaps(from, to).any(hides)).then_some(stop)
}

/// Places on the straight way from `a` to `b` within `from` to `to`, close enough to one another.
fn between(a: Knot, b: Knot, from: UtcMillis, to: UtcMillis) -> impl Iterator<Item = Position> {
    let whole_ms = float(b.time.0.saturating_sub(a.time.0)).max(1.0);
    let share = |time: UtcMillis| (float(time.0.saturating_sub(a.time.0)) / whole_ms).clamp(0.0, 1.0);
    let (first, last) = (share(from.max(a.time)), share(to.min(b.time)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let steps = ((a.at.distance_m(b.at) / STEP_M).ceil() as u32).clamp(1, STEPS_MAX);
    (0..=steps).map(move |step| {
        let share = first + (last - first) * f64::from(step) / f64::from(steps);
        let part = |a: f64, b: f64| a + (b - a) * share;
        Position::from_degrees(part(a.at.lat(), b.at.lat()), part(a.at.lon(), b.at.lon()))
    })
}

fn fixes(points: &[Point], gap_s: i64) -> FixesUsed {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let used = points.iter().filter(|point| point.is_usable()).count();
    FixesUsed {
        fixes: count(used),
        marked: count(points.len() - used),
        gap_s: u32::try_from(gap_s.max(0)).unwrap_or(u32::MAX),
        confidence_pct: 0,
    }
}

/// Whether a car can drive that far between two instants.
pub(super) fn could_reach(way_m: f64, from: UtcMillis, to: UtcMillis) -> bool {
    way_m <= reach_m(seconds(from, to))
}

/// How far a car can come in `s` seconds, metres.
fn reach_m(s: i64) -> f64 {
    float(s) * REACH_KMH / 3.6
}

/// Whole seconds from `from` to `to`.
pub(super) const fn seconds(from: UtcMillis, to: UtcMillis) -> i64 {
    to.0.saturating_sub(from.0) / 1_000
}

/// `instant` moved by `s` seconds.
pub(super) const fn moved(instant: UtcMillis, s: i64) -> UtcMillis {
    UtcMillis(instant.0.saturating_add(s.saturating_mul(1_000)))
}

/// A distance as findings have it: whole metres, rounded up, so that what is over a limit shows it.
#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
pub(super) const fn metres(distance_m: f64) -> i64 {
    distance_m.ceil() as i64
}

#[expect(clippy::cast_precision_loss, reason = "seconds and milliseconds of a few days are far below 2^53")]
const fn float(value: i64) -> f64 {
    value as f64
}

/// Whether the car stood in its own depot, or in one of its units', at `at`.
pub(super) fn is_parked_at_home(day: &VehicleDay<'_>, at: UtcMillis) -> bool {
    stood(day, at, at).is_some_and(|stop| is_home(day, stop.at, at, 0.0))
}

/// Whether `place` is within `within_m` of the car's own depot or of one that its units hold at `time`.
pub(super) fn is_home(day: &VehicleDay<'_>, place: Position, time: UtcMillis, within_m: f64) -> bool {
    let zones = day.world.zones();
    let is_near = |metres: f64| metres <= within_m;
    day.vehicle.row.depot.and_then(|depot| zones.distance_m(depot, place)).is_some_and(is_near)
        || zones
            .held_by(&day.units, time, |kind| kind == ZoneKind::Depot)
            .any(|depot| is_near(depot.distance_m(place)))
}

/// Whether the car or its units have a depot at all.
pub(super) fn has_home(day: &VehicleDay<'_>, time: UtcMillis) -> bool {
    let mut depots = day.world.zones().held_by(&day.units, time, |kind| kind == ZoneKind::Depot);
    day.vehicle.row.depot.is_some() || depots.next().is_some()
}

/// The plate of another car, for the words of a finding; cars on secret work are not named.
pub(super) fn plate(world: &World, vehicle: VehicleId, at: UtcMillis) -> String {
    match world.vehicle(vehicle, at) {
        Some(row) if row.row.is_secret => "涉密车辆".to_owned(),
        Some(row) => row.row.plate.clone(),
        None => vehicle.to_string(),
    }
}
