//! Everything that is known about the fleet besides its tracks, indexed for the rules.
//!
//! Built from a [`Register`]; the order of its rows does not matter. Where several versions of one row are given (a vehicle that
//! changed its unit), the one valid at the moment asked about counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use crate::UtcMillis;
use crate::calendar::{Calendar, DayInfo};
use crate::finding::Rule;
use crate::ids::{DeviceId, UnitId, VehicleId};
use crate::register::{
    Binding, CalendarYear, Class, Exemption, Feed, Order, Register, Row, RuleSetState, SealKind, Unit,
    Vehicle, Versioned,
};
use crate::rules::RuleParams;
use crate::zones::{Places, ZoneIndex};

/// Units can't be nested deeper than this; deeper ones, and circles, are cut.
const MAX_UNIT_DEPTH: usize = 32;

/// What can be wrong with a register as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// No such time zone.
    #[error("there is no time zone {name:?}")]
    TimeZone {
        /// The name.
        name: String,
    },
    /// The parameters of a rule set can't be read.
    #[error("rule set {name:?}, version {version}: {reason}")]
    RuleSet {
        /// Its name.
        name: String,
        /// Its version.
        version: u32,
        /// Why.
        reason: String,
    },
}

/// The rule settings that hold for a unit at a moment.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Settings {
    /// The parameters.
    pub params: RuleParams,
    /// Rule sets laid over the defaults, nearest unit last: name and version.
    pub rule_sets: Vec<(String, u32)>,
    /// Whether findings are silent: no active rule set holds.
    pub is_trial: bool,
}

/// Everything that is known besides the tracks.
#[derive(Debug)]
pub struct World {
    register: Register,
    zone: TimeZone,
    calendar: Calendar,
    zones: ZoneIndex,
    places: Places,
    units: BTreeMap<UnitId, Vec<usize>>,
    vehicles: BTreeMap<VehicleId, Vec<usize>>,
    /// Indices of each kind of row by vehicle, in order of time.
    by_vehicle: ByVehicle,
    /// The newest version of each order.
    newest_orders: FxHashMap<i64, usize>,
    /// All versions of each order that has several, the oldest first.
    order_versions: FxHashMap<i64, Vec<usize>>,
    /// The watermark that counts for each feed and unit.
    marks: FxHashMap<(Feed, Option<UnitId>), usize>,
}

#[derive(Debug, Default)]
struct ByVehicle {
    orders: FxHashMap<VehicleId, Vec<usize>>,
    bindings: FxHashMap<VehicleId, Vec<usize>>,
    seals: FxHashMap<VehicleId, Vec<usize>>,
    transfers: FxHashMap<VehicleId, Vec<usize>>,
    reports: FxHashMap<VehicleId, Vec<usize>>,
    fuel_fills: FxHashMap<VehicleId, Vec<usize>>,
    passages: FxHashMap<VehicleId, Vec<usize>>,
    repairs: FxHashMap<VehicleId, Vec<usize>>,
    driver_logins: FxHashMap<VehicleId, Vec<usize>>,
    vin_readings: FxHashMap<VehicleId, Vec<usize>>,
    device_works: FxHashMap<VehicleId, Vec<usize>>,
    mileages: FxHashMap<VehicleId, Vec<usize>>,
}

/// Indices of `rows` grouped by vehicle, each group in order of `time`, then id and version.
fn grouped<T: Row>(
    rows: &[Versioned<T>],
    vehicle: impl Fn(&T) -> VehicleId,
    time: impl Fn(&Versioned<T>) -> UtcMillis,
) -> FxHashMap<VehicleId, Vec<usize>> {
    let mut groups: FxHashMap<VehicleId, Vec<usize>> = FxHashMap::default();
    for (index, row) in rows.iter().enumerate() {
        groups.entry(vehicle(&row.row)).or_default().push(index);
    }
    for group in groups.values_mut() {
        group.sort_by_key(|&index| rows.get(index).map(|row| (time(row), row.id, row.version)));
    }
    groups
}

macro_rules! of_vehicle {
    ($($(#[$doc:meta])* $name:ident: $row:ty;)*) => {
        impl World {
            $($(#[$doc])*
            pub fn $name(&self, vehicle: VehicleId) -> impl DoubleEndedIterator<Item = &Versioned<$row>> {
                let indices = self.by_vehicle.$name.get(&vehicle).map(Vec::as_slice).unwrap_or_default();
                indices.iter().filter_map(|&index| self.register.$name.get(index))
            })*
        }
    };
}

of_vehicle! {
    /// Orders for the vehicle, in order of their planned departure; every state.
    orders: Order;
    /// Devices bound to the vehicle, in order of time.
    bindings: Binding;
    /// Seals and openings, in order of time.
    seals: crate::register::Seal;
    /// Transfers, in order of time.
    transfers: crate::register::Transfer;
    /// Drivers' reports, in order of time.
    reports: crate::register::Report;
    /// Fuel booked for the vehicle, in order of time.
    fuel_fills: crate::register::FuelFill;
    /// Tolls and car parks, in order of time.
    passages: crate::register::Passage;
    /// Repairs, in order of time.
    repairs: crate::register::Repair;
    /// Cards read, in order of time.
    driver_logins: crate::register::DriverLogin;
    /// Vehicle numbers read, in order of time.
    vin_readings: crate::register::VinReading;
    /// Device work orders, in order of time.
    device_works: crate::register::DeviceWork;
    /// Odometer readings of forms, in order of time.
    mileages: crate::register::Mileage;
}

impl World {
    /// Indexes `register`. Local days are those of `time_zone`, for example `Asia/Shanghai`. Calendar years come from the
    /// register alone; [`crate::calendar::builtin`] has the shipped ones.
    ///
    /// # Errors
    /// When the time zone does not exist or a rule set can't be read.
    pub fn new(register: Register, time_zone: &str) -> Result<Self, WorldError> {
        let zone =
            TimeZone::get(time_zone).map_err(|_| WorldError::TimeZone { name: time_zone.to_owned() })?;
        for set in &register.rule_sets {
            RuleParams::layered([&set.row.params]).map_err(|error| WorldError::RuleSet {
                name: set.row.name.clone(),
                version: set.version,
                reason: error.to_string(),
            })?;
        }
        let zones = ZoneIndex::new(&register.zones);
        Ok(Self {
            calendar: Calendar::new(&register.calendar_years, &register.working_hours, &zone),
            zone,
            places: Places::new(&register.places, &zones),
            zones,
            units: by_id(&register.units, UnitId),
            vehicles: by_id(&register.vehicles, VehicleId),
            by_vehicle: ByVehicle::of(&register),
            newest_orders: newest_orders(&register),
            order_versions: order_versions(&register),
            marks: watermarks(&register),
            register,
        })
    }

    /// All rows.
    #[must_use]
    pub const fn register(&self) -> &Register {
        &self.register
    }

    /// The newest version of an order, whichever car it is for.
    #[must_use]
    pub fn newest_order(&self, id: i64) -> Option<&Versioned<Order>> {
        self.register.orders.get(*self.newest_orders.get(&id)?)
    }

    /// Orders for the vehicle in their newest version only, in order of their planned departure; every state.
    pub fn current_orders(&self, vehicle: VehicleId) -> impl DoubleEndedIterator<Item = &Versioned<Order>> {
        self.orders(vehicle).filter(move |order| {
            let newest = self.newest_order(order.id);
            newest.is_some_and(|newest| newest.version == order.version && newest.row.vehicle == vehicle)
        })
    }

    /// When an order was recorded: when a trusted system took it in, else when the first of its versions was recorded that, like all after it,
    /// covers the same trips. A paper that was changed after the trip so that it covers it is late.
    #[must_use]
    pub fn recorded(&self, order: &Versioned<Order>) -> UtcMillis {
        let versions = self.order_versions.get(&order.id).map(Vec::as_slice).unwrap_or_default();
        let versions = versions.iter().rev().filter_map(|&index| self.register.orders.get(index));
        let since = versions
            .filter(|version| version.version <= order.version)
            .take_while(|version| version.row.covers_the_same_as(&order.row))
            .map(|version| version.row.entered_at.unwrap_or(version.recorded_at))
            .min();
        order.row.entered_at.unwrap_or_else(|| since.unwrap_or(order.recorded_at))
    }

    /// The zone of local time.
    #[must_use]
    pub const fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Calendar and working hours.
    #[must_use]
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Zones.
    #[must_use]
    pub const fn zones(&self) -> &ZoneIndex {
        &self.zones
    }

    /// The dictionary of places.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// The vehicle as it was at `at`.
    #[must_use]
    pub fn vehicle(&self, vehicle: VehicleId, at: UtcMillis) -> Option<&Versioned<Vehicle>> {
        valid_at(&self.register.vehicles, self.vehicles.get(&vehicle)?, at)
    }

    /// What was and is known of the vehicle, each for its time, in no order.
    pub fn vehicle_versions(&self, vehicle: VehicleId) -> impl Iterator<Item = &Versioned<Vehicle>> {
        let indices = self.vehicles.get(&vehicle).map(Vec::as_slice).unwrap_or_default();
        indices.iter().filter_map(|&index| self.register.vehicles.get(index))
    }

    /// Every vehicle there ever was, in order.
    pub fn vehicle_ids(&self) -> impl Iterator<Item = VehicleId> {
        self.vehicles.keys().copied()
    }

    /// The unit as it was at `at`.
    #[must_use]
    pub fn unit(&self, unit: UnitId, at: UtcMillis) -> Option<&Versioned<Unit>> {
        valid_at(&self.register.units, self.units.get(&unit)?, at)
    }

    /// `unit` and those above it at `at`, nearest first. Circles are cut.
    #[must_use]
    pub fn unit_path(&self, unit: UnitId, at: UtcMillis) -> Vec<UnitId> {
        let mut path = Vec::new();
        let mut next = Some(unit);
        while let Some(unit) = next.filter(|unit| path.len() < MAX_UNIT_DEPTH && !path.contains(unit)) {
            path.push(unit);
            next = self.unit(unit, at).and_then(|row| row.row.parent);
        }
        path
    }

    /// The unit that uses the vehicle at `at`: where it was lent to (调剂单), else where it belongs.
    #[must_use]
    pub fn using_unit(&self, vehicle: VehicleId, at: UtcMillis) -> Option<UnitId> {
        let lent = self.transfers(vehicle).rfind(|transfer| transfer.valid.contains(at));
        lent.map(|transfer| transfer.row.to).or_else(|| Some(self.vehicle(vehicle, at)?.row.unit))
    }

    /// The primary device of the vehicle at `at`.
    #[must_use]
    pub fn primary_device(&self, vehicle: VehicleId, at: UtcMillis) -> Option<DeviceId> {
        let bound =
            self.bindings(vehicle).rfind(|binding| binding.row.is_primary && binding.valid.contains(at));
        bound.map(|binding| binding.row.device)
    }

    /// Local date and minutes after local midnight of an instant.
    #[must_use]
    pub fn local(&self, at: UtcMillis) -> (Date, u16) {
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.0) else {
            return (Date::ZERO, 0);
        };
        let local = self.zone.to_datetime(instant);
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        (local.date(), u16::try_from(minute).unwrap_or(0))
    }

    /// The instant `minute` minutes after local midnight of `date`; beyond 1,440 it lies in the next days. Where the clocks
    /// are put forward it is the instant after the jump.
    #[must_use]
    pub fn instant(&self, date: Date, minute: u16) -> UtcMillis {
        let days = i64::from(minute / 1_440);
        let of_day = minute % 1_440;
        let date = date.saturating_add(jiff::Span::new().days(days));
        let hour = i8::try_from(of_day / 60).unwrap_or(0);
        let minute = i8::try_from(of_day % 60).unwrap_or(0);
        let local = date.at(hour, minute, 0, 0);
        let instant = self.zone.to_ambiguous_timestamp(local).compatible();
        instant.map_or(UtcMillis(0), |instant| UtcMillis(instant.as_millisecond()))
    }

    /// What kind of day `date` is for a unit path.
    #[must_use]
    pub fn day(&self, units: &[UnitId], date: Date) -> DayInfo {
        self.calendar.day(units, date)
    }

    /// The settings that hold for a unit path (nearest first) at `at`.
    ///
    /// Layers: rule sets of everybody, then of each unit from the top down; of several at one level the later id lies above.
    #[must_use]
    pub fn settings(&self, units: &[UnitId], at: UtcMillis) -> Arc<Settings> {
        Arc::new(self.settings_of(&self.layers(units, at)))
    }

    /// Indices of the rule sets that hold for a unit path at `at`, in the order in which they are laid on the defaults.
    pub(crate) fn layers(&self, units: &[UnitId], at: UtcMillis) -> Vec<usize> {
        let level = |unit: Option<UnitId>| match unit {
            None => Some(usize::MAX),
            Some(unit) => units.iter().position(|other| *other == unit),
        };
        let sets = self.register.rule_sets.iter().enumerate();
        let mut newest: BTreeMap<i64, (u32, usize, std::cmp::Reverse<usize>)> = BTreeMap::new();
        for (index, set) in sets.filter(|(_, set)| set.valid.contains(at)) {
            let Some(level) = level(set.row.unit) else { continue };
            let this = (set.version, index, std::cmp::Reverse(level));
            newest.entry(set.id).and_modify(|kept| *kept = this.max(*kept)).or_insert(this);
        }
        let mut layers: Vec<_> =
            newest.into_iter().map(|(id, (_, index, level))| (level, id, index)).collect();
        layers.sort_unstable();
        layers.into_iter().map(|(.., index)| index).collect()
    }

    /// The settings that these rule sets make, laid on the defaults in this order.
    pub(crate) fn settings_of(&self, layers: &[usize]) -> Settings {
        let sets = || layers.iter().filter_map(|&index| self.register.rule_sets.get(index));
        // Each was checked when the world was built; what can't be read together falls back to the defaults, on trial.
        let params = RuleParams::layered(sets().map(|set| &set.row.params));
        let is_active = sets().next_back().is_some_and(|set| set.row.state == RuleSetState::Active);
        Settings {
            is_trial: !is_active || params.is_err(),
            params: params.unwrap_or_default(),
            rule_sets: sets().map(|set| (set.row.name.clone(), set.version)).collect(),
        }
    }

    /// Whether a feed is complete for a unit path from `from` to `to`. The mark of the nearest unit counts.
    #[must_use]
    pub fn is_complete(&self, feed: Feed, units: &[UnitId], from: UtcMillis, to: UtcMillis) -> bool {
        let levels = units.iter().copied().map(Some).chain([None]);
        let mut marks = levels.filter_map(|unit| self.marks.get(&(feed, unit)));
        let nearest = marks.next().and_then(|&index| self.register.watermarks.get(index));
        nearest.is_some_and(|mark| mark.row.complete_from <= from && to < mark.row.complete_to)
    }

    /// The exemption that lifts `rule` for this vehicle at `at`, if any.
    #[must_use]
    pub fn exemption(
        &self,
        rule: Rule,
        vehicle: VehicleId,
        class: Class,
        units: &[UnitId],
        at: UtcMillis,
    ) -> Option<&Versioned<Exemption>> {
        let lifts = |exemption: &&Versioned<Exemption>| {
            let row = &exemption.row;
            exemption.valid.contains(at)
                && row.rules.contains(&rule)
                && row.unit.is_none_or(|unit| units.contains(&unit))
                && row.class.is_none_or(|only| only == class)
                && row.vehicle.is_none_or(|only| only == vehicle)
        };
        self.register.exemptions.iter().filter(lifts).min_by_key(|exemption| exemption.precedence())
    }

    /// The seal on the vehicle at `at`: sealed and not opened.
    #[must_use]
    pub fn seal(&self, vehicle: VehicleId, at: UtcMillis) -> Option<&Versioned<crate::register::Seal>> {
        let holds = |seal: &&Versioned<crate::register::Seal>| seal.valid.contains(at);
        let is_open = self.seals(vehicle).filter(holds).any(|seal| seal.row.kind == SealKind::Opened);
        let mut sealed = self.seals(vehicle).filter(holds).filter(|seal| seal.row.kind == SealKind::Sealed);
        if is_open { None } else { sealed.next() }
    }

    /// Editions of the calendar rows that the register holds, sorted, for reports.
    #[must_use]
    pub fn calendar_editions(&self) -> Vec<String> {
        let edition = |year: &Versioned<CalendarYear>| format!("{} {}", year.row.calendar, year.row.edition);
        let mut editions: Vec<_> = self.register.calendar_years.iter().map(edition).collect();
        editions.sort();
        editions.dedup();
        editions
    }
}

impl ByVehicle {
    fn of(register: &Register) -> Self {
        Self {
            orders: grouped(&register.orders, |row| row.vehicle, |row| row.row.planned_out),
            bindings: grouped(&register.bindings, |row| row.vehicle, |row| row.valid.from),
            seals: grouped(&register.seals, |row| row.vehicle, |row| row.valid.from),
            transfers: grouped(&register.transfers, |row| row.vehicle, |row| row.valid.from),
            reports: grouped(&register.reports, |row| row.vehicle, |row| row.row.at),
            fuel_fills: grouped(&register.fuel_fills, |row| row.vehicle, |row| row.row.stamp.at),
            passages: grouped(&register.passages, |row| row.vehicle, |row| row.row.stamp.at),
            repairs: grouped(&register.repairs, |row| row.vehicle, |row| row.row.from.at),
            driver_logins: grouped(&register.driver_logins, |row| row.vehicle, |row| row.row.at),
            vin_readings: grouped(&register.vin_readings, |row| row.vehicle, |row| row.row.at),
            device_works: grouped(&register.device_works, |row| row.vehicle, |row| row.row.from),
            mileages: grouped(&register.mileages, |row| row.vehicle, |row| row.row.at),
        }
    }
}

fn newest_orders(register: &Register) -> FxHashMap<i64, usize> {
    let rank = |index: usize| register.orders.get(index).map(|order| (order.version, order.recorded_at));
    let mut newest = FxHashMap::default();
    for (index, order) in register.orders.iter().enumerate() {
        let kept = newest.entry(order.id).or_insert(index);
        if rank(*kept) < rank(index) {
            *kept = index;
        }
    }
    newest
}

fn order_versions(register: &Register) -> FxHashMap<i64, Vec<usize>> {
    let mut versions: FxHashMap<i64, Vec<usize>> = FxHashMap::default();
    for (index, order) in register.orders.iter().enumerate() {
        versions.entry(order.id).or_default().push(index);
    }
    versions.retain(|_, indices| indices.len() > 1);
    for indices in versions.values_mut() {
        indices
            .sort_by_key(|&index| register.orders.get(index).map(|order| (order.version, order.recorded_at)));
    }
    versions
}

/// Of several watermarks of one feed and unit the newest version counts, then the lowest id.
fn watermarks(register: &Register) -> FxHashMap<(Feed, Option<UnitId>), usize> {
    let rank = |index: usize| {
        let mark = register.watermarks.get(index);
        mark.map(|mark| (mark.version, std::cmp::Reverse(mark.id), mark.recorded_at))
    };
    let mut marks = FxHashMap::default();
    for (index, mark) in register.watermarks.iter().enumerate() {
        let kept = marks.entry((mark.row.feed, mark.row.unit)).or_insert(index);
        if rank(*kept) < rank(index) {
            *kept = index;
        }
    }
    marks
}

fn by_id<T, I: Ord>(rows: &[Versioned<T>], id: impl Fn(i64) -> I) -> BTreeMap<I, Vec<usize>> {
    let mut map: BTreeMap<I, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        map.entry(id(row.id)).or_default().push(index);
    }
    map
}

/// Of the versions at `indices` the newest one that is valid at `at`.
fn valid_at<'a, T>(rows: &'a [Versioned<T>], indices: &[usize], at: UtcMillis) -> Option<&'a Versioned<T>> {
    let versions = indices.iter().filter_map(|&index| rows.get(index));
    versions.filter(|row| row.valid.contains(at)).max_by_key(|row| row.version)
}
