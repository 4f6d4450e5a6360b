//! Faults put into the orders, and what the rules must say about each.
//!
//! Every fault lies beyond the threshold of its rule by a margin:
//!
//! - dropped: the order is gone. Each trip that R01 looks at (1 km, 3 min) is without an order. When another order of the car is
//!   within the slack of matching (4 h), the trip may belong to that one, if the car had not come back (then R02 must ask).
//! - shifted: the order ends at least 60 min before the last trip does, or begins at least 30 min after the first does. A trip that
//!   shares time with it and is outside by more is R02's; one that shares none is R01's or R02's. Shifted beyond the slack it can't
//!   cover anything: R01.
//! - wrong place: no fix of the car, half a day around, is within 2 km of the place, and no silence of its logger on the outing is long
//!   enough for the way there and back at 140 km/h: what no data can show is not asked of a rule. R04.
//! - wrong car: the order is another car's, which does not drive then: R01 on the car that drove, and the order is unused.

use std::collections::BTreeMap;

use motorpool_supervision::UtcMillis;
use motorpool_supervision::ids::{OrderId, VehicleId};
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{Order, PlaceText, Versioned};
use motorpool_supervision::rules::RuleParams;
use motorpool_supervision::trips::Trip;
use motorpool_supervision::zones::ZoneIndex;

use super::draw::Draw;
use super::fleet::{Car, Outing};
use super::papers::{apart_ms, as_written, of_car, true_order};

/// How far beyond the threshold a fault in time is, milliseconds.
const TIME_MARGIN_MS: i64 = 600_000;
/// How far beyond the threshold a fault in place is, metres.
const PLACE_MARGIN_M: f64 = 500.0;
/// Faults in time are drawn from this width, milliseconds.
const SPREAD_MS: i64 = 3_600_000;
/// Orders that a fault moves keep this far from others of the car, so that none reads as an extension, milliseconds.
const ALONE_MS: i64 = 3_600_000;
/// Nobody drives a silent way faster than this on average, km/h: well above what the rules believe.
const HIDDEN_KMH: f64 = 140.0;
/// Fixes so far from the outing take part in the choice of a wrong place, milliseconds.
const AROUND_MS: i64 = 12 * 3_600_000;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Dropped,
    EndsTooEarly,
    BeginsTooLate,
    ShiftedBeyondSlack,
    WrongPlace,
    WrongDistrict,
    WrongCar,
}

impl Fault {
    pub const ALL: [Self; 7] = [
        Self::Dropped,
        Self::EndsTooEarly,
        Self::BeginsTooLate,
        Self::ShiftedBeyondSlack,
        Self::WrongPlace,
        Self::WrongDistrict,
        Self::WrongCar,
    ];

    pub fn is_of_place(self) -> bool {
        matches!(self, Self::WrongPlace | Self::WrongDistrict)
    }
}

/// What must be said about a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// R01.
    NoOrder,
    /// R02.
    OutsideTime,
    /// R01 or R02.
    Either,
}

/// A fault that was put in.
#[derive(Clone, Debug)]
pub struct Injected {
    pub fault: Fault,
    pub car: usize,
    pub outing: usize,
    /// The order as it is now, unless it was dropped.
    pub order: Option<OrderId>,
    /// By the departure of the trip. Trips left out are not wrong enough by themselves.
    pub wants: BTreeMap<UtcMillis, Want>,
}

/// The orders with their faults.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    pub orders: Vec<Versioned<Order>>,
    pub injected: Vec<Injected>,
    /// Outings for which no kind of fault could be made without touching another outing; their orders are true.
    pub skipped: usize,
}

/// Writes true orders for all outings and spoils those of a third of them.
pub fn inject(cars: &[Car], zones: &ZoneIndex, seed: u64) -> Scene {
    let mut draw = Draw::new(seed);
    let mut outings: Vec<(usize, usize)> = cars
        .iter()
        .enumerate()
        .flat_map(|(car, row)| (0..row.outings.len()).map(move |outing| (car, outing)))
        .collect();
    let mut orders: Vec<_> = (1..)
        .zip(&outings)
        .map(|(id, &(car, outing))| {
            let car = &cars[car];
            ((car.id, outing), true_order(car, &car.outings[outing], zones, &mut draw, id))
        })
        .collect();
    draw.shuffle(&mut outings);
    outings.truncate(outings.len() / 3);
    let mut spoilt = Vec::new();
    for &(car, outing) in &outings {
        let at = orders.iter().position(|(of, _)| *of == (cars[car].id, outing)).unwrap();
        spoilt.push((car, outing, orders.remove(at).1));
    }
    let mut scene =
        Scene { orders: orders.into_iter().map(|(_, order)| order).collect(), ..Scene::default() };
    for (n, (car, outing, order)) in spoilt.into_iter().enumerate() {
        let mut maker = Maker { cars, zones, draw: &mut draw, scene: &mut scene, car, outing };
        let kinds = Fault::ALL.iter().cycle().skip(n).take(Fault::ALL.len());
        if !kinds.into_iter().any(|fault| maker.spoil(*fault, &order)) {
            scene.orders.push(order);
            scene.skipped += 1;
        }
    }
    // Only now all orders are there that a trip could be taken for.
    for n in 0..scene.injected.len() {
        let Injected { fault, car, outing, order, .. } = scene.injected[n];
        if !fault.is_of_place() {
            let own = order.and_then(|id| scene.orders.iter().find(|order| order.id == id.0)).cloned();
            let maker = Maker { cars, zones, draw: &mut draw, scene: &mut scene, car, outing };
            let wants = maker.wants(own.as_ref().map(|order| &order.row));
            scene.injected[n].wants = wants;
        }
    }
    scene
}

struct Maker<'a> {
    cars: &'a [Car],
    zones: &'a ZoneIndex,
    draw: &'a mut Draw,
    scene: &'a mut Scene,
    car: usize,
    outing: usize,
}

impl Maker<'_> {
    fn car(&self) -> &Car {
        &self.cars[self.car]
    }

    fn outing(&self) -> &Outing {
        &self.car().outings[self.outing]
    }

    /// Puts the fault in; `false` when it can't be made here.
    fn spoil(&mut self, fault: Fault, order: &Versioned<Order>) -> bool {
        let Some(spoilt) = self.spoilt(fault, order) else { return false };
        let wants = match fault.is_of_place() {
            true => BTreeMap::new(),
            false => self.wants(spoilt.as_ref().map(|order| &order.row)),
        };
        if wants.is_empty() && !fault.is_of_place() {
            return false;
        }
        let order = spoilt.as_ref().map(|order| OrderId(order.id));
        self.scene.injected.push(Injected { fault, car: self.car, outing: self.outing, order, wants });
        self.scene.orders.extend(spoilt);
        true
    }

    /// The order with the fault, `Some(None)` when it is gone; `None` when the fault can't be made.
    fn spoilt(&mut self, fault: Fault, order: &Versioned<Order>) -> Option<Option<Versioned<Order>>> {
        let mut order = order.clone();
        let params = RuleParams::default();
        let (start, end) = (self.outing().start().0, self.outing().end().0);
        let beyond = |limit_s: i64| limit_s * 1_000 + TIME_MARGIN_MS;
        let more = self.draw.whole(0, SPREAD_MS);
        let row = &mut order.row;
        match fault {
            Fault::Dropped => return Some(None),
            Fault::EndsTooEarly => {
                shift(row, end - beyond(params.r02.late_s) - more - row.planned_in.0);
            }
            Fault::BeginsTooLate => {
                shift(row, start + beyond(params.r02.early_s) + more - row.planned_out.0);
            }
            Fault::ShiftedBeyondSlack => {
                let slack = beyond(params.matching.slack_s) + more;
                let by = if self.draw.coin() {
                    start - slack - row.planned_in.0
                } else {
                    end + slack - row.planned_out.0
                };
                shift(row, by);
            }
            Fault::WrongPlace => row.destinations = vec![self.wrong_place()?],
            Fault::WrongDistrict => row.destinations = vec![self.wrong_district()?],
            Fault::WrongCar => row.vehicle = self.wrong_car(row)?,
        }
        let stays = fault.is_of_place();
        (stays || self.is_alone(&order.row)).then_some(Some(order))
    }

    /// Whether an order touches no trip of its car but those of this outing, slack included, and joins no other order.
    fn is_alone(&self, order: &Order) -> bool {
        let slack = RuleParams::default().matching.slack_s * 1_000 + TIME_MARGIN_MS;
        let car = self.cars.iter().position(|car| car.id == order.vehicle).unwrap();
        let mut others = self.cars[car].outings.iter().enumerate();
        let is_own = |n: usize| (car, n) == (self.car, self.outing);
        others.all(|(n, outing)| is_own(n) || apart_ms(order, outing.start(), outing.end()) > slack)
            && of_car(&self.scene.orders, order.vehicle)
                .all(|other| apart_ms(other, order.planned_out, order.planned_in) > ALONE_MS)
    }

    /// Every fix that could count as having been somewhere on this outing.
    fn fixes(&self) -> impl Iterator<Item = Position> + '_ {
        let (from, to) = (self.outing().start().0 - AROUND_MS, self.outing().end().0 + AROUND_MS);
        self.car().points(UtcMillis(from), UtcMillis(to)).iter().map(|point| point.at)
    }

    /// Whether the car could have been at a place on this outing while its logger was silent.
    fn is_hidden(&self, distance_m: impl Fn(Position) -> f64) -> bool {
        let limit = f64::from(RuleParams::default().r04.reached_m);
        self.car().points(self.outing().start(), self.outing().end()).windows(2).any(|pair| {
            let silent_h = (pair[1].time.0 - pair[0].time.0) as f64 / 3_600_000.0;
            let way_m = distance_m(pair[0].at) + distance_m(pair[1].at) - 2.0 * limit;
            way_m <= silent_h * HIDDEN_KMH * 1_000.0
        })
    }

    fn wrong_place(&mut self) -> Option<PlaceText> {
        let limit = f64::from(RuleParams::default().r04.reached_m) + PLACE_MARGIN_M;
        let from = self.outing().trips[0].start_at;
        let found = (0..100).find_map(|_| {
            let at = self.draw.place(from, 3_000, 60_000);
            let is_far = self.fixes().all(|fix| fix.distance_m(at) > limit);
            (is_far && !self.is_hidden(|from| from.distance_m(at))).then_some(at)
        });
        found.map(|at| PlaceText { text: "别处".to_owned(), at: Some(at) })
    }

    fn wrong_district(&mut self) -> Option<PlaceText> {
        let limit = f64::from(RuleParams::default().r04.reached_m) + PLACE_MARGIN_M;
        let mut zones: Vec<_> = self.zones.zones().collect();
        self.draw.shuffle(&mut zones);
        let zone = zones.into_iter().find(|zone| {
            let is_far = self.fixes().all(|fix| zone.distance_m(fix) > limit);
            is_far && !self.is_hidden(|from| zone.distance_m(from))
        })?;
        Some(PlaceText { text: as_written(zone.name(), self.draw), at: None })
    }

    /// A car that does not drive at the time of the order.
    fn wrong_car(&mut self, order: &Order) -> Option<VehicleId> {
        let mut others: Vec<_> =
            self.cars.iter().map(|car| car.id).filter(|car| *car != order.vehicle).collect();
        self.draw.shuffle(&mut others);
        others.into_iter().find(|car| self.is_alone(&Order { vehicle: *car, ..order.clone() }))
    }

    /// What must be said about each trip of the outing when `own` is what became of its order.
    fn wants(&self, own: Option<&Order>) -> BTreeMap<UtcMillis, Want> {
        let trips = self.outing().trips.iter();
        trips.filter_map(|trip| Some((trip.start, self.want(trip, own)?))).collect()
    }

    fn want(&self, trip: &Trip, own: Option<&Order>) -> Option<Want> {
        let params = RuleParams::default();
        let lasts_s = (trip.end.0 - trip.start.0) / 1_000;
        let counts_for_r01 = trip.distance_m >= params.r01.min_distance_m * 11 / 10
            && lasts_s >= i64::from(params.r01.min_duration_s) + 60;
        let slack = params.matching.slack_s * 1_000 + TIME_MARGIN_MS;
        let is_near = |order: &Order| apart_ms(order, trip.start, trip.end) <= slack;
        if let Some(own) = own.filter(|own| own.vehicle == self.car().id && is_near(own)) {
            let early = own.planned_out.0 - trip.start.0;
            let late = trip.end.0 - own.planned_in.0;
            let is_wrong = early >= params.r02.early_s * 1_000 + TIME_MARGIN_MS
                || late >= params.r02.late_s * 1_000 + TIME_MARGIN_MS;
            return match (is_wrong, apart_ms(own, trip.start, trip.end)) {
                (false, _) => None,
                (true, 0) => Some(Want::OutsideTime),
                (true, _) => counts_for_r01.then_some(Want::Either),
            };
        }
        let is_near_another = of_car(&self.scene.orders, self.car().id).any(is_near);
        counts_for_r01.then_some(if is_near_another { Want::Either } else { Want::NoOrder })
    }
}

fn shift(order: &mut Order, by_ms: i64) {
    order.planned_out.0 += by_ms;
    order.planned_in.0 += by_ms;
}
