//! The month of a unit (单位月报): how many cars, how used, how far, when, and what became of the questions.
//!
//! A trip counts for the month in which it begins and for the unit that used the car then: where it was lent to, else where it belongs.
//! So the trips of all units are those of the whole, whatever moved, was lent or left meanwhile. Its hours count as off-hours where they
//! lie on a rest day or outside the unit's working hours; on days of which only the day of the week is known that is provisional.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Case, Disposition, Stage, UnitTree};
use motorpool_supervision::finding::{Finding, Outcome};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::Span;
use motorpool_supervision::trips::{Segment, Trip, TripKind};
use motorpool_supervision::world::World;
use serde::Serialize;
use utoipa::ToSchema;

/// How long before the planned departure a trip may begin and still count as one under an order.
const EARLY_MS: i64 = 1_800_000;
/// Days of one trip that are looked at.
const TRIP_DAYS_MAX: usize = 40;

/// A month in the server's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    first: Date,
    next: Date,
}

impl Month {
    /// The month written `2026-10`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let first: Date = (text.len() == 7).then(|| format!("{text}-01").parse().ok())??;
        Some(Self { first, next: first.checked_add(1.month()).ok()? })
    }

    /// First and last day.
    #[must_use]
    pub fn days(&self) -> (Date, Date) {
        (self.first, self.next.yesterday().unwrap_or(self.first))
    }

    /// First instant, and first instant after.
    #[must_use]
    pub fn times(&self, world: &World) -> (UtcMillis, UtcMillis) {
        (world.instant(self.first, 0), world.instant(self.next, 0))
    }
}

/// What the fold looks at.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "built field by field by the reader")]
pub struct MonthInputs<'a> {
    /// The month.
    pub month: Month,
    /// Registers as known now.
    pub world: &'a World,
    /// The unit that counts with those below it, and the tree that says which these are; `None` = all.
    pub top: Option<(&'a UnitTree, UnitId)>,
    /// Cars, and the times at which the reader may see them.
    pub cars: &'a BTreeMap<VehicleId, Vec<Span>>,
    /// Pieces of tracks of their primary devices that touch the month and begin when the reader may see the car.
    pub segments: &'a [(VehicleId, Segment)],
    /// Findings of the month that the reader may see.
    pub findings: &'a [Finding],
    /// Cases of the month as the reader sees them.
    pub cases: &'a [Case],
}

/// The use of some cars in a month.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Use {
    /// Cars that belong to it at the end of the month.
    pub cars: u32,
    /// Cars that it had at any time of the month: that it used, or of which it is the owner at the end.
    pub cars_had: u32,
    /// Of these, cars that made a trip.
    pub cars_used: u32,
    /// Trips.
    pub trips: u32,
    /// How far, metres.
    pub distance_m: u64,
    /// From departure to arrival, seconds.
    pub trip_s: u64,
    /// In motion, seconds.
    pub moving_s: u64,
    /// Standing within trips, seconds.
    pub idle_s: u64,
    /// Part of `trip_s` on rest days and outside working hours, seconds.
    pub off_hours_s: u64,
    /// Trips that begin in the planned time of an order that can cover, or up to 30 minutes before.
    pub trips_with_order: u32,
}

/// What became of questions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Funnel {
    /// 预警: flags that ask.
    pub flags: u32,
    /// Cases they came to.
    pub cases: u32,
    /// 核查: cases that somebody took up.
    pub checked: u32,
    /// 说明: cases in which the unit was asked.
    pub explanations_asked: u32,
    /// Cases in which it answered.
    pub explanations_given: u32,
    /// Closed as normal.
    pub normal: u32,
    /// Closed as a management problem.
    pub management_problems: u32,
    /// 认定: closed as a violation.
    pub violations: u32,
    /// 移送: handed over to others.
    pub handed_over: u32,
    /// Closed with nothing to decide: what was asked holds no longer.
    pub lapsed: u32,
    /// Cases that are still open. With the five ways to close they are all `cases`.
    pub open: u32,
}

/// What the numbers rest on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct DataQuality {
    /// Cars with a device at the end of the month.
    pub cars_with_device: u32,
    /// Of these, cars that were heard of in the month.
    pub cars_heard: u32,
    /// Silences listed as gaps, of the cars that the units used when they began.
    pub gaps: u32,
    /// Their length within the month, seconds.
    pub gap_s: u64,
    /// Whether no notice of holidays covers the month: rest days are weekends only.
    pub is_provisional: bool,
}

/// The use of one unit's cars.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct UnitMonth {
    /// The unit.
    pub unit: i64,
    /// Its name.
    pub unit_name: String,
    /// The use of its cars.
    #[serde(flatten)]
    #[schema(inline)]
    pub usage: Use,
}

/// A month.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct MonthReport {
    /// All cars together.
    pub total: Use,
    /// By unit, most distance first.
    pub by_unit: Vec<UnitMonth>,
    /// What became of questions.
    pub funnel: Funnel,
    /// What the numbers rest on.
    pub quality: DataQuality,
}

impl MonthInputs<'_> {
    fn counts(&self, unit: UnitId) -> bool {
        self.top.is_none_or(|(tree, top)| tree.is_within(unit, top))
    }

    /// The unit that used a car at an instant, if it counts.
    fn user(&self, vehicle: VehicleId, at: UtcMillis) -> Option<UnitId> {
        let unit = self.world.using_unit(vehicle, at).filter(|unit| self.counts(*unit))?;
        self.cars.contains_key(&vehicle).then_some(unit)
    }

    /// The cars that belong to units that count at the end of the month.
    fn cars_at_end(&self) -> impl Iterator<Item = (VehicleId, UnitId)> {
        let owned = self.cars.iter().filter_map(move |(vehicle, seen)| {
            Some((*vehicle, owner_at_end(self.world, self.month, *vehicle, seen)?))
        });
        owned.filter(move |(_, unit)| self.counts(*unit))
    }
}

/// The unit to which a car belongs at the end of a month, if the reader may see the car then.
fn owner_at_end(world: &World, month: Month, vehicle: VehicleId, seen: &[Span]) -> Option<UnitId> {
    let (_, to) = month.times(world);
    let last = UtcMillis(to.0 - 1);
    let is_seen = seen.iter().any(|span| span.contains(last));
    world.vehicle(vehicle, last).filter(|_| is_seen).map(|row| row.row.unit)
}

/// The units that had a car in a month, as far as the reader may see the car: those that used it, and its owner at the end.
#[must_use]
pub fn had_by(world: &World, month: Month, vehicle: VehicleId, seen: &[Span]) -> BTreeSet<UnitId> {
    let (from, to) = month.times(world);
    let versions = world.vehicle_versions(vehicle).map(|row| row.valid);
    let spans = versions.chain(world.transfers(vehicle).map(|row| row.valid)).chain(seen.iter().copied());
    // Between two of these nothing changes.
    let changes = spans.flat_map(|span| [Some(span.from), span.to]).flatten();
    let changes = changes.filter(|at| from < *at && *at < to).chain([from]);
    let seen_changes = changes.filter(|at| seen.iter().any(|span| span.contains(*at)));
    let used = seen_changes.filter_map(|at| world.using_unit(vehicle, at));
    used.chain(owner_at_end(world, month, vehicle, seen)).collect()
}

/// Adds the month up.
#[must_use]
pub fn fold(inputs: &MonthInputs<'_>) -> MonthReport {
    let mut units: BTreeMap<UnitId, Use> = BTreeMap::new();
    let (mut had, mut used) = (BTreeSet::new(), BTreeSet::new());
    for (vehicle, seen) in inputs.cars {
        let of = had_by(inputs.world, inputs.month, *vehicle, seen);
        for unit in of.into_iter().filter(|unit| inputs.counts(*unit)) {
            units.entry(unit).or_default().cars_had += 1;
            had.insert(*vehicle);
        }
    }
    for (_, unit) in inputs.cars_at_end() {
        units.entry(unit).or_default().cars += 1;
    }
    let (from, to) = inputs.month.times(inputs.world);
    for (vehicle, segment) in inputs.segments {
        let Segment::Trip(trip) = segment else { continue };
        if trip.kind != TripKind::Trip || trip.start < from || trip.start >= to {
            continue;
        }
        let Some(unit) = inputs.user(*vehicle, trip.start) else { continue };
        let usage = units.entry(unit).or_default();
        usage.cars_used += u32::from(used.insert((unit, *vehicle)));
        add_trip(usage, inputs.world, *vehicle, unit, trip);
    }
    let mut total = units.values().fold(Use::default(), |sum, usage| sum.and(usage));
    // A car that two units had is one car.
    total.cars_had = count(had.len());
    total.cars_used = count(used.iter().map(|(_, vehicle)| vehicle).collect::<BTreeSet<_>>().len());
    MonthReport {
        total,
        by_unit: by_unit(units, inputs.world, to),
        funnel: funnel(inputs),
        quality: quality(inputs),
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Use {
    const fn and(mut self, other: &Self) -> Self {
        self.cars += other.cars;
        self.cars_had += other.cars_had;
        self.cars_used += other.cars_used;
        self.trips += other.trips;
        self.distance_m += other.distance_m;
        self.trip_s += other.trip_s;
        self.moving_s += other.moving_s;
        self.idle_s += other.idle_s;
        self.off_hours_s += other.off_hours_s;
        self.trips_with_order += other.trips_with_order;
        self
    }
}

fn by_unit(units: BTreeMap<UnitId, Use>, world: &World, end: UtcMillis) -> Vec<UnitMonth> {
    let last = UtcMillis(end.0 - 1);
    let name = |unit| world.unit(unit, last).map(|row| row.row.name.clone()).unwrap_or_default();
    let mut list: Vec<UnitMonth> = units
        .into_iter()
        .map(|(unit, usage)| UnitMonth { unit: unit.0, unit_name: name(unit), usage })
        .collect();
    list.sort_by_key(|line| (std::cmp::Reverse(line.usage.distance_m), line.unit));
    list
}

fn add_trip(usage: &mut Use, world: &World, vehicle: VehicleId, unit: UnitId, trip: &Trip) {
    usage.trips += 1;
    usage.distance_m += u64::from(trip.distance_m);
    usage.trip_s += shared_s((trip.start, trip.end), (trip.start, trip.end));
    usage.moving_s += u64::from(trip.moving_s);
    usage.idle_s += u64::from(trip.idle_s);
    usage.off_hours_s += off_hours_s(world, unit, trip);
    let has_order = world.current_orders(vehicle).any(|order| {
        let order = &order.row;
        order.state.can_cover()
            && order.planned_out.0 - EARLY_MS <= trip.start.0
            && trip.start <= order.planned_in
    });
    usage.trips_with_order += u32::from(has_order);
}

/// Seconds of a trip on rest days and outside working hours.
fn off_hours_s(world: &World, unit: UnitId, trip: &Trip) -> u64 {
    let units = world.unit_path(unit, trip.start);
    // The hours of rule R05, so that both mean the same.
    let settings = world.settings(&units, trip.start);
    let hours = &settings.params.r05;
    let calendar = world.calendar();
    let (mut date, _) = world.local(trip.start);
    let mut off_s = 0;
    for _ in 0..TRIP_DAYS_MAX {
        let (midnight, next) = (world.instant(date, 0), world.instant(date, 1_440));
        if midnight >= trip.end {
            break;
        }
        let within = shared_s((trip.start, trip.end), (midnight, next));
        let is_rest_day = calendar.day(&units, date).kind.is_rest_day();
        let (opens, closes) = calendar.hours(&units, date, (hours.opens_min, hours.closes_min));
        let open = (world.instant(date, opens), world.instant(date, closes));
        let on_duty = if is_rest_day { 0 } else { shared_s((trip.start, trip.end), open) };
        off_s += within - on_duty.min(within);
        let Ok(tomorrow) = date.tomorrow() else { break };
        date = tomorrow;
    }
    off_s
}

/// Seconds that both times share.
fn shared_s(one: (UtcMillis, UtcMillis), other: (UtcMillis, UtcMillis)) -> u64 {
    let shared_ms = one.1.min(other.1).0.saturating_sub(one.0.max(other.0).0);
    u64::try_from(shared_ms / 1_000).unwrap_or(0)
}

fn funnel(inputs: &MonthInputs<'_>) -> Funnel {
    let is_question = |finding: &&Finding| finding.outcome == Outcome::Flag && !finding.is_trial;
    let mut funnel = Funnel {
        flags: count(inputs.findings.iter().filter(is_question).count()),
        cases: count(inputs.cases.len()),
        ..Funnel::default()
    };
    for case in inputs.cases {
        funnel.checked += u32::from(case.stage != Stage::New);
        funnel.explanations_asked += u32::from(!case.requests.is_empty());
        funnel.explanations_given += u32::from(case.requests.iter().any(|request| request.is_answered));
        if case.stage != Stage::Closed {
            funnel.open += 1;
            continue;
        }
        match case.decision().map(|decision| &decision.closing.disposition) {
            Some(Disposition::Normal { .. }) => funnel.normal += 1,
            Some(Disposition::ManagementProblem { .. }) => funnel.management_problems += 1,
            Some(Disposition::Violation { .. }) => funnel.violations += 1,
            Some(Disposition::HandedOver) => funnel.handed_over += 1,
            None => funnel.lapsed += 1,
        }
    }
    funnel
}

fn quality(inputs: &MonthInputs<'_>) -> DataQuality {
    let (from, to) = inputs.month.times(inputs.world);
    let last = UtcMillis(to.0 - 1);
    let fitted = inputs.cars_at_end().map(|(vehicle, _)| vehicle);
    let fitted: BTreeSet<VehicleId> =
        fitted.filter(|vehicle| inputs.world.primary_device(*vehicle, last).is_some()).collect();
    let mut heard = BTreeSet::new();
    let mut quality = DataQuality { cars_with_device: count(fitted.len()), ..DataQuality::default() };
    for (vehicle, segment) in inputs.segments {
        match segment {
            Segment::Gap(gap) if inputs.user(*vehicle, gap.start.max(from)).is_some() => {
                quality.gaps += 1;
                quality.gap_s += shared_s((gap.start, gap.end), (from, to));
            }
            Segment::Trip(_) | Segment::Stop(_) if fitted.contains(vehicle) => {
                heard.insert(*vehicle);
            }
            _ => {}
        }
    }
    quality.cars_heard = count(heard.len());
    quality.is_provisional = inputs.world.calendar().day(&[], inputs.month.first).is_provisional;
    quality
}

#[cfg(test)]
mod tests;
