//! How well one trip fits one order, and why an order does not cover a trip.

use crate::UtcMillis;
use crate::finding::{OrderConsidered, WhyNot};
use crate::point::Position;
use crate::register::{Order, OrderState, Versioned};
use crate::trips::Trip;
use crate::world::World;
use crate::zones::{PlaceTarget, Resolved};

/// A destination counts as reached for matching within this, metres.
const REACHED_M: f64 = 2_000.0;
/// The departure of a trip is known no better than this, seconds: paper recorded so shortly after it is not late.
const DEPARTURE_ACCURACY_S: i64 = 60;
/// Weight of a trip that lies wholly within the order's time. All weights are held against this.
const WITHIN: i64 = 4_000;
/// Weight of a trip that begins or ends at a destination of the order.
const REACHED: i64 = 2_000;
/// Weight of the driver's card agreeing with the order; taken away when it is another's.
const DRIVER: i64 = 500;
/// A trip that shares no time with the order fits this much worse than nothing: it is taken only rather than leave the order without
/// any trip.
const APART: i64 = 500;

/// An order with what matching looks at again and again.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) order: &'a Versioned<Order>,
    /// When it was recorded, see [`World::recorded`].
    pub(super) recorded: UtcMillis,
    destinations: Vec<Goal>,
}

#[derive(Debug)]
enum Goal {
    At(Position),
    Place(PlaceTarget),
}

impl<'a> Candidate<'a> {
    pub(super) fn new(order: &'a Versioned<Order>, recorded: UtcMillis, world: &World) -> Self {
        let units = world.unit_path(order.row.unit, order.row.planned_out);
        let goals = order.row.destinations.iter().filter_map(|place| match place.at {
            Some(at) => Some(Goal::At(at)),
            None => match world.places().resolve_at(&place.text, &units, order.row.planned_out) {
                Resolved::One(target) => Some(Goal::Place(target)),
                _ => None,
            },
        });
        Self { order, recorded, destinations: goals.collect() }
    }

    /// Whether it ends before it begins; nothing can be held against it.
    pub(super) fn is_invalid(&self) -> bool {
        self.order.row.planned_in < self.order.row.planned_out
    }

    /// Whether it can cover trips at all.
    pub(super) fn can_cover(&self) -> bool {
        self.order.row.state.can_cover() && !self.is_invalid()
    }

    /// Seconds that the trip and the order's time share.
    pub(super) fn shared_s(&self, trip: &Trip) -> i64 {
        let from = trip.start.max(self.order.row.planned_out);
        let to = trip.end.min(self.order.row.planned_in);
        to.0.saturating_sub(from.0).div_euclid(1_000)
    }

    /// Seconds between the trip and the order's time; 0 when they touch.
    pub(super) fn apart_s(&self, trip: &Trip) -> i64 {
        (-self.shared_s(trip)).max(0)
    }

    /// Whether it began within the grace before the planned departure, whenever it ended.
    pub(super) fn is_in_grace(&self, trip: &Trip, grace_s: i64) -> bool {
        (0..=grace_s).contains(&seconds(trip.start, self.order.row.planned_out))
    }

    /// The weight of the trip belonging to the order. Greater is better; below 0 it is worse than no order.
    pub(super) fn weight(&self, trip: &Trip, grace_s: i64, world: &World) -> i64 {
        let shared = self.shared_s(trip);
        let place = if self.reaches(trip, world) { REACHED } else { 0 };
        if shared < 0 && !self.is_in_grace(trip, grace_s) {
            return place / 4 - APART - (-shared / 60).min(APART);
        }
        let lasts = seconds(trip.start, trip.end).max(1);
        let (early, late) = self.outside(trip);
        // Within the grace the trip counts as within: a car that leaves ten minutes early is not on the order before.
        let outside = beyond(early, grace_s) + beyond(late, grace_s);
        let within = WITHIN * (lasts - outside).max(0) / lasts;
        within + place + self.driver(trip, world) - ((early + late) / 60).min(APART) + 1
    }

    /// How much earlier than planned it began and later than planned it ended, seconds, each 0 or more.
    pub(super) fn outside(&self, trip: &Trip) -> (i64, i64) {
        let order = &self.order.row;
        (seconds(trip.start, order.planned_out).max(0), seconds(order.planned_in, trip.end).max(0))
    }

    /// When it was recorded after the departure: by how much, seconds.
    pub(super) fn recorded_late_s(&self, trip: &Trip, emergency_paper_s: i64) -> Option<i64> {
        let late = seconds(trip.start, self.recorded);
        let allowed = if self.order.row.is_emergency { emergency_paper_s } else { DEPARTURE_ACCURACY_S };
        (late > allowed.max(DEPARTURE_ACCURACY_S)).then_some(late)
    }

    fn reaches(&self, trip: &Trip, world: &World) -> bool {
        let is_near = |goal: &Goal| {
            [trip.end_at, trip.start_at].into_iter().any(|at| match goal {
                Goal::At(place) => place.distance_m(at) <= REACHED_M,
                Goal::Place(target) => self.distance_m(target, at, world).is_some_and(|m| m <= REACHED_M),
            })
        };
        self.destinations.iter().any(is_near)
    }

    fn distance_m(&self, target: &PlaceTarget, at: Position, world: &World) -> Option<f64> {
        match target.zone() {
            Some(zone) => Some(world.zones().zone_at(zone, self.order.row.planned_out)?.distance_m(at)),
            None => target.distance_m(world.zones(), at),
        }
    }

    fn driver(&self, trip: &Trip, world: &World) -> i64 {
        let order = &self.order.row;
        let driver = order.driver.trim();
        let login = world.driver_logins(order.vehicle).rev().find(|login| login.row.at <= trip.end);
        let Some(login) = login.filter(|login| login.row.is_in && !login.row.name.is_empty()) else {
            return 0;
        };
        match driver.is_empty() {
            true => 0,
            false if login.row.name.trim() == driver => DRIVER,
            false => -DRIVER,
        }
    }

    /// The order as considered for the trip, with every reason that speaks against it.
    pub(super) fn considered(
        &self,
        trip: &Trip,
        is_chosen: bool,
        grace_s: i64,
        recorded_late_s: Option<i64>,
    ) -> OrderConsidered {
        let order = self.order;
        let mut why_not = Vec::new();
        match order.row.state {
            OrderState::Applied => why_not.push(WhyNot::NotApproved),
            OrderState::Refused | OrderState::Cancelled => why_not.push(WhyNot::Cancelled),
            OrderState::Approved | OrderState::Settled => {}
        }
        if self.is_invalid() {
            why_not.push(WhyNot::EndsBeforeItBegins);
        } else if self.shared_s(trip) < 0 {
            why_not.push(WhyNot::NoOverlap);
        }
        if !self.is_invalid() {
            let (early, late) = self.outside(trip);
            why_not.extend((early > grace_s).then_some(WhyNot::StartsBefore { by_s: early }));
            why_not.extend((late > grace_s).then_some(WhyNot::EndsAfter { by_s: late }));
        }
        why_not.extend(recorded_late_s.map(|by_s| WhyNot::RecordedLate { by_s }));
        if !is_chosen && why_not.is_empty() {
            why_not.push(WhyNot::OtherFitsBetter);
        }
        OrderConsidered {
            id: crate::ids::OrderId(order.id),
            version: order.version,
            no: order.row.no.clone(),
            why_not,
        }
    }
}

/// Seconds from `from` to `to`, rounded down.
pub(super) const fn seconds(from: UtcMillis, to: UtcMillis) -> i64 {
    to.0.saturating_sub(from.0).div_euclid(1_000)
}

const fn beyond(value: i64, grace: i64) -> i64 {
    if value > grace { value } else { 0 }
}
