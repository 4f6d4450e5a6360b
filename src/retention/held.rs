//! What is held, worked out: times by device, by vehicle and by unit.
//!
//! A hold by people covers its period of everything that ever belonged to what it names. A case covers its vehicle's day, and a day before
//! and behind, because a local day is no day of UTC and trips cross midnight; of fixes and trips as far as judging it again looks, and of
//! trips those of the other vehicles that this takes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::time::{Civil, DAY_MS};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;

use crate::ids::DeviceId;
use crate::registry::{Belonging, Error, Evidence, Hold, HoldOn, Registry};

/// How far around its day a case holds what it was judged by, days: rules look so far back, and where an order asks for it as far ahead. A day
/// more covers every time zone.
const JUDGED_DAYS: i64 = LOOK_BACK_DAYS + 1;

/// Times, not overlapping, in order: first instant and the one behind the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Times(Vec<(i64, i64)>);

impl Times {
    fn of(mut spans: Vec<(i64, i64)>) -> Self {
        spans.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
        for (from, to) in spans {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// Whether any instant from `from` to `to`, both included, is among them.
    fn touch(&self, from: i64, to: i64) -> bool {
        let behind = self.0.partition_point(|(begin, _)| *begin <= to);
        behind.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|(_, end)| from < *end)
    }
}

/// What must not be removed.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Of how many holds it is made.
    placed: i64,
    everything: Times,
    /// Of messages as received, by device.
    messages: BTreeMap<u32, Times>,
    fixes: BTreeMap<u32, Times>,
    trips: BTreeMap<u32, Times>,
    /// Of what rules found.
    vehicles: BTreeMap<i64, Times>,
    /// Of cases themselves: by holds alone. Otherwise each that found something would hold itself for ever.
    cases: BTreeMap<i64, Times>,
    /// Of what rules found about a unit's orders or while a vehicle was the unit's, and of cases about it.
    units: BTreeMap<i64, Times>,
}

impl Held {
    /// What is held at `now`, by holds in force and by cases.
    ///
    /// # Errors
    /// When the registry can't be read: then nothing may be removed.
    pub async fn read(registry: &Registry, now: UtcMillis) -> Result<Self, Error> {
        // First: a hold that is placed meanwhile makes a second reading, not a gap.
        let placed = registry.holds_placed().await?;
        let holds = registry.holds().await?;
        let evidence = registry.evidence().await?;
        Ok(Self { placed, ..Self::of(&holds, &evidence, &registry.belonging().await?, now) })
    }

    /// What these holds and cases hold.
    #[must_use]
    pub fn of(holds: &[Hold], evidence: &[Evidence], belonging: &Belonging, now: UtcMillis) -> Self {
        let fleet = Fleet::of(belonging);
        let mut spans = Spans::default();
        for Hold { set, .. } in holds.iter().filter(|hold| hold.is_in_force(now)) {
            let span = (set.from.map_or(i64::MIN, |at| at.0), set.to.map_or(i64::MAX, |at| at.0));
            match set.on {
                HoldOn::Everything => spans.everything.push(span),
                HoldOn::Vehicle(vehicle) => spans.hold(&fleet, &[vehicle].into(), span),
                HoldOn::Unit(unit) => {
                    let units = fleet.with_below(unit);
                    for unit in &units {
                        spans.units.entry(unit.0).or_default().push(span);
                    }
                    spans.hold(&fleet, &fleet.vehicles_of(&units), span);
                }
                HoldOn::Device(device) => {
                    spans.hold_device(device, span);
                    // What rules found about the cars that it was in is evidence with it.
                    for vehicle in fleet.vehicles_with.get(&device).into_iter().flatten() {
                        spans.vehicles.entry(vehicle.0).or_default().push(span);
                    }
                }
            }
        }
        let cases = spans.vehicles.clone();
        for case in evidence {
            spans.hold_case(&fleet, case);
        }
        Self {
            placed: 0,
            everything: Times::of(spans.everything),
            messages: merged(spans.messages),
            fixes: merged(spans.fixes),
            trips: merged(spans.trips),
            vehicles: merged(spans.vehicles),
            cases: merged(cases),
            units: merged(spans.units),
        }
    }

    /// How many holds had been placed when this was read: when there are more, it is not the last word any more.
    #[must_use]
    pub const fn placed(&self) -> i64 {
        self.placed
    }

    /// Of which times everything is held: first instants and those behind the last.
    #[must_use]
    pub fn everything_of(&self) -> &[(i64, i64)] {
        &self.everything.0
    }

    /// Whether messages of any device in the range may be held.
    #[must_use]
    pub fn may_hold(&self, devices: RangeInclusive<DeviceId>) -> bool {
        let range = devices.start().0..=devices.end().0;
        !self.everything.0.is_empty() || self.messages.range(range).next().is_some()
    }

    /// Whether a message of a device is held that was received, or carries something made, at this instant.
    #[must_use]
    pub fn holds_message(&self, device: DeviceId, at: UtcMillis) -> bool {
        self.touches(&self.messages, device, at, at)
    }

    /// Whether a fix of a device is held that was made, or received, at this instant.
    #[must_use]
    pub fn holds_fix(&self, device: DeviceId, at: UtcMillis) -> bool {
        self.touches(&self.fixes, device, at, at)
    }

    /// Whether a trip, stop or gap of a device is held.
    #[must_use]
    pub fn holds_trip(&self, device: DeviceId, from: UtcMillis, to: UtcMillis) -> bool {
        self.touches(&self.trips, device, from, to)
    }

    fn touches(
        &self,
        devices: &BTreeMap<u32, Times>,
        device: DeviceId,
        from: UtcMillis,
        to: UtcMillis,
    ) -> bool {
        let times = [Some(&self.everything), devices.get(&device.0)];
        times.into_iter().flatten().any(|times| times.touch(from.0, to.0))
    }

    /// Whether a flag about a vehicle's local day, as a number, is held. Flags about orders without a vehicle name vehicle 0, and every flag
    /// the unit that it was about.
    #[must_use]
    pub fn holds_flag(&self, vehicle: VehicleId, unit: UnitId, day: i64) -> bool {
        self.touches_day([self.vehicles.get(&vehicle.0), self.units.get(&unit.0)], day)
    }

    /// As [`Held::holds_flag`], of a case itself.
    #[must_use]
    pub fn holds_case(&self, vehicle: VehicleId, unit: UnitId, day: i64) -> bool {
        self.touches_day([self.cases.get(&vehicle.0), self.units.get(&unit.0)], day)
    }

    fn touches_day(&self, times: [Option<&Times>; 2], day: i64) -> bool {
        let (from, to) = around(day, 1);
        let mut times = times.into_iter().flatten().chain([&self.everything]);
        times.any(|times| times.touch(from, to.saturating_sub(1)))
    }
}

/// Times as they are collected.
#[derive(Default)]
struct Spans {
    everything: Vec<(i64, i64)>,
    messages: BTreeMap<u32, Vec<(i64, i64)>>,
    fixes: BTreeMap<u32, Vec<(i64, i64)>>,
    trips: BTreeMap<u32, Vec<(i64, i64)>>,
    vehicles: BTreeMap<i64, Vec<(i64, i64)>>,
    units: BTreeMap<i64, Vec<(i64, i64)>>,
}

impl Spans {
    fn hold_device(&mut self, device: DeviceId, span: (i64, i64)) {
        for of_class in [&mut self.messages, &mut self.fixes, &mut self.trips] {
            of_class.entry(device.0).or_default().push(span);
        }
    }

    fn hold(&mut self, fleet: &Fleet, vehicles: &BTreeSet<VehicleId>, span: (i64, i64)) {
        for vehicle in vehicles {
            self.vehicles.entry(vehicle.0).or_default().push(span);
            for device in fleet.devices_of(*vehicle) {
                self.hold_device(device, span);
            }
        }
    }

    /// Holds what an evidence pack of the case is made from, and what judging it again takes.
    fn hold_case(&mut self, fleet: &Fleet, case: &Evidence) {
        let (day, judged) = (around(case.day, 1), around(case.day, JUDGED_DAYS));
        self.vehicles.entry(case.vehicle.0).or_default().push(day);
        for device in fleet.devices_of(case.vehicle) {
            self.messages.entry(device.0).or_default().push(day);
            self.fixes.entry(device.0).or_default().push(judged);
            self.trips.entry(device.0).or_default().push(judged);
        }
        let of_unit = fleet.owned.get(&case.unit).filter(|_| case.is_of_unit);
        for other in case.met.iter().chain(of_unit.into_iter().flatten()) {
            for device in fleet.devices_of(*other) {
                self.trips.entry(device.0).or_default().push(judged);
            }
        }
    }
}

fn merged<K: Ord>(spans: BTreeMap<K, Vec<(i64, i64)>>) -> BTreeMap<K, Times> {
    spans.into_iter().map(|(key, spans)| (key, Times::of(spans))).collect()
}

/// From so many days before to so many behind a local day, which is a number like 20260304. A number that is no day is held for ever.
fn around(day: i64, days: i64) -> (i64, i64) {
    let part = |divisor: i64, modulus: i64| u8::try_from(day / divisor % modulus).ok();
    let begin = || {
        let civil = Civil {
            year: i32::try_from(day / 10_000).ok()?,
            month: part(100, 100)?,
            day: part(1, 100)?,
            ..UtcMillis(0).civil(0)
        };
        UtcMillis::from_civil(civil, 0)
    };
    let span = |begin: UtcMillis| {
        let (before, behind) = (days * DAY_MS, (days + 1) * DAY_MS);
        (begin.0.saturating_sub(before), begin.0.saturating_add(behind))
    };
    begin().map_or((i64::MIN, i64::MAX), span)
}

/// Who ever belonged to whom.
struct Fleet {
    devices: BTreeMap<VehicleId, BTreeSet<DeviceId>>,
    vehicles_with: BTreeMap<DeviceId, BTreeSet<VehicleId>>,
    owned: BTreeMap<UnitId, BTreeSet<VehicleId>>,
    below: BTreeMap<UnitId, BTreeSet<UnitId>>,
}

impl Fleet {
    fn of(belonging: &Belonging) -> Self {
        let mut fleet = Self {
            devices: BTreeMap::new(),
            vehicles_with: BTreeMap::new(),
            owned: BTreeMap::new(),
            below: BTreeMap::new(),
        };
        for (device, vehicle) in &belonging.fitted {
            fleet.devices.entry(*vehicle).or_default().insert(*device);
            fleet.vehicles_with.entry(*device).or_default().insert(*vehicle);
        }
        for (vehicle, unit) in &belonging.owned {
            fleet.owned.entry(*unit).or_default().insert(*vehicle);
        }
        for (unit, parent) in &belonging.below {
            fleet.below.entry(*parent).or_default().insert(*unit);
        }
        fleet
    }

    /// The devices that ever were in a vehicle.
    fn devices_of(&self, vehicle: VehicleId) -> impl Iterator<Item = DeviceId> {
        self.devices.get(&vehicle).into_iter().flatten().copied()
    }

    /// A unit and those that ever were below it.
    fn with_below(&self, unit: UnitId) -> BTreeSet<UnitId> {
        let mut units = BTreeSet::from([unit]);
        let mut open = vec![unit];
        while let Some(unit) = open.pop() {
            open.extend(self.below.get(&unit).into_iter().flatten().filter(|below| units.insert(**below)));
        }
        units
    }

    /// The vehicles that ever were of one of these units.
    fn vehicles_of(&self, units: &BTreeSet<UnitId>) -> BTreeSet<VehicleId> {
        units.iter().filter_map(|unit| self.owned.get(unit)).flatten().copied().collect()
    }
}
