//! The assignment of trips to orders.

use rustc_hash::FxHashMap;

use super::fit::{Candidate, seconds};
use super::{Coverage, OrderMatch, TripMatch, weights};
use crate::UtcMillis;
use crate::ids::OrderId;
use crate::point::Position;
use crate::register::{Order, Versioned};
use crate::rules::Matching;
use crate::trips::{Trip, TripKind};
use crate::world::World;

/// Giving an order its first trip is worth a quarter of a trip that lies wholly within it.
const FIRST_TRIP: i64 = 1_000;
/// An order longer than this claims no trip for itself, seconds: whether it got one may depend on days that are not known yet.
const CLAIMS_MAX_S: i64 = 2 * 86_400;
/// At most this many orders contend for one trip as their first, those it fits best: which do depends on the trip alone, and bounds the work.
const CONTEND_MAX: usize = 64;
/// At most this many orders are shown for one trip; the nearest in time.
const CONSIDERED_MAX: usize = 24;
/// The car is back within this of where it left on the order, or of its depot, metres.
const CAME_BACK_M: f64 = 500.0;
/// A late way back begins at most this long after the order's time or the trip before it, seconds.
const BACK_WITHIN_S: i64 = 4 * 3_600;
/// From this share of an order's time driven, percent, the order was for those trips alone: an errand with business at its end stands longer.
const USED_UP_PCT: i64 = 60;

/// What became of trips and orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Assignment {
    /// In the order of the trips given.
    pub trips: Vec<TripMatch>,
    /// In order of planned departure, then id; each order once.
    pub orders: Vec<OrderMatch>,
}

/// Assigns the trips and moves of one vehicle to its orders.
///
/// Each trip belongs to at most one order. The sum of the fits is the greatest possible, where an order that gets a first trip counts for
/// itself; ties go to the earlier order. A trip that shares no time with an order
/// belongs to it only when it began within the grace before, when the car had not come back, or when the order would have no trip at all. `terms` are the parameters that hold
/// at a departure. The order of `trips` and `orders` and duplicates among the latter do not matter; of several versions of an order the newest counts,
/// and it was recorded as [`World::recorded`] says.
#[must_use]
pub fn assign(
    trips: &[&Trip],
    orders: &[&Versioned<Order>],
    world: &World,
    terms: &dyn Fn(UtcMillis) -> Matching,
) -> Assignment {
    let candidates = candidates(orders, world);
    let mut by_time: Vec<usize> = (0..trips.len()).collect();
    by_time.sort_by_key(|&index| trips.get(index).map(|trip| (trip.start, trip.end, trip.kind)));
    let sorted: Vec<&Trip> = by_time.iter().filter_map(|&index| trips.get(index).copied()).collect();
    let edges = Edges::new(&sorted, &candidates, world, terms);
    let chosen = edges.choose(&sorted, candidates.len());

    let mut matches: Vec<_> = sorted
        .iter()
        .zip(&edges.of_trip)
        .zip(&chosen)
        .map(|((trip, edges), order)| trip_match(trip, edges, *order, &candidates))
        .collect();
    let orders = order_matches(&sorted, &chosen, &candidates);
    let mut back: Vec<_> = by_time.into_iter().zip(matches.drain(..)).collect();
    back.sort_by_key(|(index, _)| *index);
    Assignment { trips: back.into_iter().map(|(_, matched)| matched).collect(), orders }
}

/// The orders, each once, in order of planned departure.
fn candidates<'a>(orders: &[&'a Versioned<Order>], world: &World) -> Vec<Candidate<'a>> {
    let mut newest: FxHashMap<i64, &Versioned<Order>> = FxHashMap::default();
    for &order in orders {
        let kept = newest.entry(order.id).or_insert(order);
        if (kept.version, kept.recorded_at) < (order.version, order.recorded_at) {
            *kept = order;
        }
    }
    let mut candidates: Vec<_> =
        newest.into_values().map(|order| Candidate::new(order, world.recorded(order), world)).collect();
    candidates.sort_by_key(|candidate| (candidate.order.row.planned_out, candidate.order.id));
    candidates
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    order: usize,
    weight: i64,
    /// The trip may belong to it even when the order has others.
    is_open: bool,
    /// The order claims a first trip for itself.
    claims: bool,
}

/// Which orders come into question for which trip.
struct Edges {
    of_trip: Vec<TripEdges>,
}

struct TripEdges {
    terms: Matching,
    /// Every order that touches the trip in time, with slack, whether it can cover or not.
    near: Vec<usize>,
    /// Those that can cover it.
    fits: Vec<Edge>,
}

impl Edges {
    fn new(
        trips: &[&Trip],
        candidates: &[Candidate<'_>],
        world: &World,
        terms: &dyn Fn(UtcMillis) -> Matching,
    ) -> Self {
        let latest_return = running_max(candidates);
        let outings = Outings { trips, candidates, world };
        let of_trip = trips.iter().enumerate().map(|(index, trip)| {
            let terms = terms(trip.start);
            let slack = terms.slack_s.max(0).saturating_mul(1_000);
            let first = latest_return.partition_point(|&end| end < trip.start.0.saturating_sub(slack));
            let near: Vec<usize> = (first..candidates.len())
                .zip(candidates.iter().skip(first))
                .take_while(|(_, near)| near.order.row.planned_out.0 <= trip.end.0.saturating_add(slack))
                .filter(|(_, near)| {
                    let order = &near.order.row;
                    order.planned_in.max(order.planned_out).0 >= trip.start.0.saturating_sub(slack)
                })
                .map(|(order, _)| order)
                .collect();
            let fits = near.iter().filter_map(|&order| {
                let candidate = candidates.get(order)?;
                candidate.can_cover().then(|| Edge {
                    order,
                    weight: candidate.weight(trip, terms.grace_before_s, world),
                    claims: seconds(candidate.order.row.planned_out, candidate.order.row.planned_in)
                        <= CLAIMS_MAX_S,
                    is_open: outings.may_join(index, candidate)
                        || candidate.is_in_grace(trip, terms.grace_before_s),
                })
            });
            let fits = fits.collect();
            TripEdges { terms, near, fits }
        });
        Self { of_trip: of_trip.collect() }
    }

    /// The order of each trip.
    fn choose(&self, trips: &[&Trip], orders: usize) -> Vec<Option<usize>> {
        let mut chosen: Vec<Option<usize>> =
            self.of_trip.iter().map(|edges| best(edges).map(|edge| edge.order)).collect();
        let given = weights::assign(&self.first_trips(trips, orders), trips.len());
        for (order, trip) in given.into_iter().enumerate() {
            if let Some(slot) = trip.and_then(|trip| chosen.get_mut(trip)) {
                *slot = Some(order);
            }
        }
        chosen
    }

    /// For each order the trips that it may claim as its first, with what it is worth that it gets them.
    fn first_trips(&self, trips: &[&Trip], orders: usize) -> Vec<weights::Edges> {
        let mut first_trips: Vec<weights::Edges> = vec![Vec::new(); orders];
        for (trip, edges) in self.of_trip.iter().enumerate() {
            // Moves never stand for an order: shifting a car in the yard is not the use that it was sent on.
            if trips.get(trip).is_none_or(|trip| trip.kind != TripKind::Trip) {
                continue;
            }
            let otherwise = best(edges).map_or(0, |edge| edge.weight.max(0));
            let claims = edges.fits.iter().filter(|edge| edge.claims);
            let mut claims: Vec<_> = claims
                .map(|edge| (std::cmp::Reverse(FIRST_TRIP + edge.weight - otherwise), edge.order))
                .filter(|(worth, _)| worth.0 > 0)
                .collect();
            claims.sort_unstable();
            for (worth, order) in claims.into_iter().take(CONTEND_MAX) {
                if let Some(slot) = first_trips.get_mut(order) {
                    slot.push((trip, worth.0));
                }
            }
        }
        first_trips
    }
}

/// The order that the trip belongs to when it may choose.
fn best(edges: &TripEdges) -> Option<&Edge> {
    let open = edges.fits.iter().filter(|edge| edge.is_open);
    open.max_by_key(|edge| (edge.weight, std::cmp::Reverse(edge.order)))
}

/// For each candidate the latest planned return of it and those before it.
fn running_max(candidates: &[Candidate<'_>]) -> Vec<i64> {
    let mut latest = i64::MIN;
    let ends = candidates.iter().map(|candidate| {
        let order = &candidate.order.row;
        latest = latest.max(order.planned_in.max(order.planned_out).0);
        latest
    });
    ends.collect()
}

/// Which orders the trips of one vehicle lie within, and where it stands at home.
struct Outings<'a, 'b> {
    trips: &'a [&'a Trip],
    candidates: &'a [Candidate<'b>],
    world: &'a World,
}

impl Outings<'_, '_> {
    /// Whether the trip may belong to the order beside others: it lies mostly within the order's time, or it is the order's only one, or
    /// it is how the car came back late from the order, or how it went early from its depot to begin it.
    ///
    /// A trip after the order's time that leads somewhere else is another use of the car, however soon it follows.
    fn may_join(&self, index: usize, candidate: &Candidate<'_>) -> bool {
        let Some(trip) = self.trips.get(index) else { return false };
        if lies_within(candidate, trip) {
            return true;
        }
        let own: Vec<&Trip> =
            self.trips.iter().filter(|other| lies_within(candidate, other)).copied().collect();
        let (Some(first), Some(last)) = (own.first(), own.last()) else {
            return candidate.shared_s(trip) >= 0;
        };
        if trip.end > candidate.order.row.planned_in {
            let due = last.end.max(candidate.order.row.planned_in);
            // Whoever comes straight home to the depot is on the way back, however much of the order's time was driven.
            let is_way_home = self.is_home(candidate, trip.end_at, trip.end);
            seconds(due, trip.start) <= BACK_WITHIN_S
                && (is_way_home || !is_used_up(candidate, &own))
                && self.comes_back(index, candidate, first)
        } else {
            let departs = seconds(trip.end, first.start) <= BACK_WITHIN_S;
            let stays_out = trip.end_at.distance_m(trip.start_at) > CAME_BACK_M;
            departs && stays_out && self.is_home(candidate, trip.start_at, trip.start)
        }
    }

    /// Whether this trip, or those that follow it closely on no other order, bring the car back to where the order began or to its depot.
    fn comes_back(&self, index: usize, candidate: &Candidate<'_>, first: &Trip) -> bool {
        let mut before: Option<&Trip> = None;
        for trip in self.trips.iter().skip(index) {
            let follows = before.is_none_or(|before| seconds(before.end, trip.start) <= BACK_WITHIN_S);
            if !follows || (before.is_some() && self.is_on_another(trip, candidate)) {
                return false;
            }
            if trip.end_at.distance_m(first.start_at) <= CAME_BACK_M
                || self.is_home(candidate, trip.end_at, trip.end)
            {
                return true;
            }
            before = Some(trip);
        }
        false
    }

    fn is_on_another(&self, trip: &Trip, candidate: &Candidate<'_>) -> bool {
        let others = self.candidates.iter().filter(|other| other.order.id != candidate.order.id);
        others.filter(|other| other.can_cover()).any(|other| lies_within(other, trip))
    }

    /// Whether `at` is the depot of the order's vehicle.
    fn is_home(&self, candidate: &Candidate<'_>, at: Position, time: UtcMillis) -> bool {
        let vehicle = self.world.vehicle(candidate.order.row.vehicle, time);
        let depot = vehicle.and_then(|vehicle| self.world.zones().zone_at(vehicle.row.depot?, time));
        depot.is_some_and(|depot| depot.distance_m(at) <= CAME_BACK_M)
    }
}

/// Whether at least half of the trip lies within the order's time.
fn lies_within(candidate: &Candidate<'_>, trip: &Trip) -> bool {
    candidate.shared_s(trip).saturating_mul(2) >= seconds(trip.start, trip.end).max(1)
}

/// Whether its own trips fill the order's time, so that it was made out for them alone and not for a way back later.
fn is_used_up(candidate: &Candidate<'_>, own: &[&Trip]) -> bool {
    let planned = seconds(candidate.order.row.planned_out, candidate.order.row.planned_in);
    let used: i64 = own.iter().map(|trip| candidate.shared_s(trip).max(0)).sum();
    used.saturating_mul(100) >= planned.saturating_mul(USED_UP_PCT)
}

fn trip_match(
    trip: &Trip,
    edges: &TripEdges,
    order: Option<usize>,
    candidates: &[Candidate<'_>],
) -> TripMatch {
    let terms = &edges.terms;
    let late_paper = |candidate: &Candidate<'_>| candidate.recorded_late_s(trip, terms.emergency_paper_s);
    let mut near: Vec<_> =
        edges.near.iter().filter_map(|&near| Some((near, candidates.get(near)?))).collect();
    near.sort_by_key(|(index, candidate)| (Some(*index) != order, candidate.apart_s(trip), *index));
    near.truncate(CONSIDERED_MAX);
    let considered = near.iter().map(|(index, candidate)| {
        candidate.considered(trip, Some(*index) == order, terms.grace_before_s, late_paper(candidate))
    });
    let considered = considered.collect();
    let Some(candidate) = order.and_then(|order| candidates.get(order)) else {
        return TripMatch { coverage: Coverage::None, recorded_late_s: None, considered };
    };
    let order = OrderId(candidate.order.id);
    let beyond = |value: i64| if value > terms.grace_before_s { value } else { 0 };
    let (early, late) = candidate.outside(trip);
    let coverage = match (beyond(early), beyond(late)) {
        (0, 0) => Coverage::Covered { order },
        (early_s, late_s) => Coverage::Extended { order, early_s, late_s },
    };
    TripMatch { coverage, recorded_late_s: late_paper(candidate), considered }
}

fn order_matches(trips: &[&Trip], chosen: &[Option<usize>], candidates: &[Candidate<'_>]) -> Vec<OrderMatch> {
    let mut of_order: Vec<Vec<UtcMillis>> = vec![Vec::new(); candidates.len()];
    for (trip, order) in trips.iter().zip(chosen) {
        if let Some(slot) = order.and_then(|order| of_order.get_mut(order)) {
            slot.push(trip.start);
        }
    }
    let matches = candidates.iter().zip(of_order).map(|(candidate, trips)| OrderMatch {
        order: OrderId(candidate.order.id),
        version: candidate.order.version,
        is_unused: candidate.can_cover() && trips.is_empty(),
        planned_s: seconds(candidate.order.row.planned_out, candidate.order.row.planned_in),
        trips,
    });
    matches.collect()
}

#[cfg(test)]
#[path = "assign_tests.rs"]
mod tests;
