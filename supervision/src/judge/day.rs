//! What the rules of one vehicle and one local day look at.

use std::ops::Range;
use std::sync::Arc;

use jiff::civil::Date;

use crate::UtcMillis;
use crate::calendar::DayInfo;
use crate::finding::{Excuse, FixesUsed};
use crate::ids::{UnitId, VehicleId};
use crate::matching::{OrderMatch, TripMatch};
use crate::point::{Point, Position};
use crate::register::{Duty, Emergency, Feed, Order, Vehicle, Versioned};
use crate::trips::{Gap, Segment, Stop, Trip, TripKind};
use crate::world::{Settings, World};

/// The tracks of one vehicle: its segments over the whole time that rules look back and ahead (35 days back, 2 ahead), its points at
/// least from a day before those that are judged to a day after. Segments by start, points by time.
///
/// R26 counts stops that are too short to be segments, so it finds past ones only where the points reach back as the segments do.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "borrowed facts")]
pub struct VehicleHistory<'a> {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// Trips, moves, stops and gaps of its primary device.
    pub segments: &'a [Segment],
    /// Points of its primary device.
    pub points: &'a [Point],
    /// Up to when everything is there that will be looked at: rules whose time is not over by then say nothing yet.
    pub known_to: UtcMillis,
}

/// A trip with its place in the assignment of orders.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Matched<'a> {
    /// The trip.
    pub trip: &'a Trip,
    /// How it stands to the orders.
    pub matched: TripMatch,
    /// The order that it belongs to.
    pub order: Option<&'a Versioned<Order>>,
}

/// One vehicle on one local day.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "what rules read")]
pub struct VehicleDay<'a> {
    /// Everything besides the tracks.
    pub world: &'a World,
    /// The tracks.
    pub history: VehicleHistory<'a>,
    /// The vehicle as it was at the beginning of the day.
    pub vehicle: &'a Versioned<Vehicle>,
    /// The unit that uses it and those above, nearest first.
    pub units: Vec<UnitId>,
    /// The settings of that unit.
    pub settings: Arc<Settings>,
    /// The local day.
    pub day: Date,
    /// What kind of day it is.
    pub info: DayInfo,
    /// Local midnight.
    pub from: UtcMillis,
    /// The next local midnight.
    pub to: UtcMillis,
    /// The trips and moves that began on this day.
    pub trips: Vec<Matched<'a>>,
    /// As `trips`, of the whole history.
    pub past: Arc<Vec<Matched<'a>>>,
    /// What became of the orders of the whole history.
    pub orders: Arc<Vec<OrderMatch>>,
}

impl<'a> VehicleDay<'a> {
    /// The vehicle's number.
    #[must_use]
    pub const fn id(&self) -> VehicleId {
        self.history.vehicle
    }

    /// The trips of this day that are not mere moves.
    pub fn real_trips(&self) -> impl Iterator<Item = &Matched<'a>> {
        self.trips.iter().filter(|matched| matched.trip.kind == TripKind::Trip)
    }

    /// The stops that touch `from` to `to`, in order.
    pub fn stops(&self, from: UtcMillis, to: UtcMillis) -> impl Iterator<Item = &'a Stop> {
        self.history.segments.iter().filter_map(move |segment| match segment {
            Segment::Stop(stop) if stop.start <= to && stop.end >= from => Some(stop),
            _ => None,
        })
    }

    /// The gaps that touch `from` to `to`, in order.
    pub fn gaps(&self, from: UtcMillis, to: UtcMillis) -> impl Iterator<Item = &'a Gap> {
        self.history.segments.iter().filter_map(move |segment| match segment {
            Segment::Gap(gap) if gap.start <= to && gap.end >= from => Some(gap),
            _ => None,
        })
    }

    /// The points from `from` to `to`, both included.
    #[must_use]
    pub fn points(&self, from: UtcMillis, to: UtcMillis) -> &'a [Point] {
        let points = self.history.points;
        let range = Range {
            start: points.partition_point(|point| point.time < from),
            end: points.partition_point(|point| point.time <= to),
        };
        points.get(range).unwrap_or_default()
    }

    /// Where the car stood at `at`, by the stop or the trip that holds it; `None` in a gap that moved it and when nothing is known.
    #[must_use]
    pub fn place_at(&self, at: UtcMillis) -> Option<Position> {
        self.stops(at, at).next().map(|stop| stop.at).or_else(|| {
            let points =
                self.points(UtcMillis(at.0.saturating_sub(600_000)), UtcMillis(at.0.saturating_add(600_000)));
            let usable = points.iter().filter(|point| point.is_usable());
            usable.min_by_key(|point| (point.time.0.abs_diff(at.0), point.time)).map(|point| point.at)
        })
    }

    /// Whether a feed is complete over `from` to `to` for this unit.
    #[must_use]
    pub fn is_complete(&self, feed: Feed, from: UtcMillis, to: UtcMillis) -> bool {
        self.world.is_complete(feed, &self.units, from, to)
    }

    /// The duty roster that holds for the vehicle at any time from `from` to `to`; of several the first.
    #[must_use]
    pub fn duty(&self, from: UtcMillis, to: UtcMillis) -> Option<&'a Versioned<Duty>> {
        let duties = self.world.register().duties.iter().filter(|duty| {
            duty.valid.overlaps(from, to)
                && match duty.row.vehicle {
                    Some(vehicle) => vehicle == self.id(),
                    None => self.units.contains(&duty.row.unit),
                }
        });
        duties.min_by_key(|duty| duty.precedence())
    }

    /// The declared emergency that holds for the unit at any time from `from` to `to` and, when it names an area, at `place`; of several the first.
    #[must_use]
    pub fn emergency(
        &self,
        from: UtcMillis,
        to: UtcMillis,
        place: Option<Position>,
    ) -> Option<&'a Versioned<Emergency>> {
        let emergencies = self.world.register().emergencies.iter().filter(|emergency| {
            let row = &emergency.row;
            let for_unit = row.units.is_empty() || row.units.iter().any(|unit| self.units.contains(unit));
            let in_area = match (row.area, place) {
                (None, _) => true,
                (Some(area), Some(place)) => {
                    let area = self.world.zones().zone_at(area, from);
                    area.is_some_and(|area| area.contains(place))
                }
                (Some(_), None) => false,
            };
            emergency.valid.overlaps(from, to) && for_unit && in_area
        });
        emergencies.min_by_key(|emergency| emergency.precedence())
    }

    /// What speaks for the person between `from` and `to`, whatever the rule: duty, emergency, the driver's reports, repair.
    #[must_use]
    pub fn excuses(&self, from: UtcMillis, to: UtcMillis, place: Option<Position>) -> Vec<Excuse> {
        let mut excuses = Vec::new();
        if let Some(duty) = self.duty(from, to) {
            excuses.push(Excuse::OnDuty { what: duty.row.what.clone() });
        }
        if let Some(emergency) = self.emergency(from, to, place) {
            excuses.push(Excuse::InEmergency { document: emergency.row.document.clone() });
        }
        let reports =
            self.world.reports(self.id()).filter(|report| from <= report.row.at && report.row.at <= to);
        excuses.extend(
            reports.map(|report| Excuse::Reported { at: report.row.at, text: report.row.text.clone() }),
        );
        let repairs = self.world.repairs(self.id()).filter(|repair| {
            repair.row.from.at <= to && repair.row.to.is_none_or(|fetched| from <= fetched.at)
        });
        excuses.extend(repairs.map(|repair| Excuse::InRepair { shop: repair.row.shop.text.clone() }));
        excuses
    }

    /// The fixes that a trip rests on.
    #[must_use]
    pub const fn fixes_of(trip: &Trip) -> FixesUsed {
        FixesUsed {
            fixes: trip.fixes,
            marked: trip.marked,
            gap_s: trip.gap_s,
            confidence_pct: trip.confidence_pct,
        }
    }
}
