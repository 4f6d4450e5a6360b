//! The rows that judgement needs, as plain values: what the registry stores, what an import makes, what an evidence pack
//! carries. Nothing here reads or writes anything.
//!
//! Every row is [`Versioned`]: valid from when to when in the world, and recorded when and by whom. Rows are never edited; a
//! correction is a new version.

mod calendars;
mod fleet;
mod ledgers;
mod orders;
mod places;
mod rule_sets;

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::UtcMillis;

pub use calendars::{CalendarDay, CalendarYear, DayRule, Season, WorkingHours};
pub use fleet::{Binding, Class, Driver, Seal, SealKind, Transfer, Unit, UnitKind, Vehicle};
pub use ledgers::{
    DeviceWork, DriverLogin, FuelFill, Mileage, Passage, PassageKind, Rental, Repair, Stamp, StampKind,
    VinReading,
};
pub use orders::{Approval, Duty, Emergency, Order, OrderState, PlaceText, Report, ReportKind};
pub use places::{PlaceEntry, SensitiveKind, Shape, Zone, ZoneKind};
pub use rule_sets::{Exemption, Feed, RuleSet, RuleSetState, Watermark};

/// A half-open interval of time; `to: None` = still so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "two instants")]
pub struct Span {
    /// First instant.
    pub from: UtcMillis,
    /// First instant after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UtcMillis>,
}

impl Span {
    /// Since ever, for ever.
    pub const ALWAYS: Self = Self { from: UtcMillis(i64::MIN / 4), to: None };

    /// From `from` to before `to`.
    #[must_use]
    pub const fn new(from: UtcMillis, to: UtcMillis) -> Self {
        Self { from, to: Some(to) }
    }

    /// Whether `instant` lies within.
    #[must_use]
    pub fn contains(&self, instant: UtcMillis) -> bool {
        self.from <= instant && self.to.is_none_or(|to| instant < to)
    }

    /// Whether both share an instant with `from` to `to` (both included).
    #[must_use]
    pub fn overlaps(&self, from: UtcMillis, to: UtcMillis) -> bool {
        self.from <= to && self.to.is_none_or(|end| from < end)
    }
}

/// One version of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "built by the registry, by imports and by tests")]
pub struct Versioned<T> {
    /// The row's number, the same for all its versions.
    pub id: i64,
    /// 1 for the first version.
    pub version: u32,
    /// When it holds in the world.
    pub valid: Span,
    /// When it was recorded; never goes back within a register.
    pub recorded_at: UtcMillis,
    /// Who recorded it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recorded_by: String,
    /// What it says.
    pub row: T,
}

impl<T> Versioned<T> {
    /// Version 1 of row `id`, always valid, recorded at `recorded_at`.
    pub const fn first(id: i64, recorded_at: UtcMillis, row: T) -> Self {
        Self { id, version: 1, valid: Span::ALWAYS, recorded_at, recorded_by: String::new(), row }
    }

    /// Which of several rows that hold is named: the one with the least, the earliest; of the versions of one the newest. The order
    /// of rows in a register says nothing.
    pub(crate) const fn precedence(&self) -> (UtcMillis, i64, Reverse<u32>) {
        (self.valid.from, self.id, Reverse(self.version))
    }

    /// The same with another time of validity.
    #[must_use]
    pub fn during(mut self, valid: Span) -> Self {
        self.valid = valid;
        self
    }
}

macro_rules! register {
    ($($(#[$doc:meta])* $field:ident: $row:ty, $kind:literal;)*) => {
        /// All rows that a judgement looks at: the current versions as known at one change of the registry.
        ///
        /// Order of rows does not matter to any result.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        #[expect(clippy::exhaustive_structs, reason = "built by the registry, by imports and by tests")]
        pub struct Register {
            $($(#[$doc])*
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub $field: Vec<Versioned<$row>>,)*
        }

        impl Register {
            /// The names of the kinds of rows, as files and the registry call them.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];
        }

        $(impl Row for $row {
            const KIND: &'static str = $kind;

            fn rows(register: &Register) -> &Vec<Versioned<Self>> {
                &register.$field
            }

            fn rows_mut(register: &mut Register) -> &mut Vec<Versioned<Self>> {
                &mut register.$field
            }
        })*
    };
}

/// A kind of row.
pub trait Row: Clone + Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// Its name in files and in the registry, for example `order`.
    const KIND: &'static str;

    /// The rows of this kind.
    fn rows(register: &Register) -> &Vec<Versioned<Self>>;

    /// The rows of this kind, to be changed.
    fn rows_mut(register: &mut Register) -> &mut Vec<Versioned<Self>>;
}

register! {
    /// Units, in a tree.
    units: Unit, "unit";
    /// Vehicles.
    vehicles: Vehicle, "vehicle";
    /// Devices bound to vehicles over time.
    bindings: Binding, "binding";
    /// Drivers.
    drivers: Driver, "driver";
    /// Dispatch orders (派车审批单).
    orders: Order, "order";
    /// Duty rosters (值班备勤).
    duties: Duty, "duty";
    /// Declared emergencies (应急响应期).
    emergencies: Emergency, "emergency";
    /// Seals (封存) and permissions to open them (启封).
    seals: Seal, "seal";
    /// Cars lent from unit to unit (调剂单).
    transfers: Transfer, "transfer";
    /// Zones.
    zones: Zone, "zone";
    /// The dictionary of places and their aliases.
    places: PlaceEntry, "place";
    /// Calendar years.
    calendar_years: CalendarYear, "calendar_year";
    /// Working hours of units.
    working_hours: WorkingHours, "working_hours";
    /// Rule sets of units.
    rule_sets: RuleSet, "rule_set";
    /// Exemptions.
    exemptions: Exemption, "exemption";
    /// How far each feed is complete.
    watermarks: Watermark, "watermark";
    /// Drivers' own reports (行程报备).
    reports: Report, "report";
    /// Fuel bought.
    fuel_fills: FuelFill, "fuel_fill";
    /// Toll stations and car parks passed.
    passages: Passage, "passage";
    /// Repairs.
    repairs: Repair, "repair";
    /// Hired cars.
    rentals: Rental, "rental";
    /// Drivers' cards read by terminals (0x0702) and the like.
    driver_logins: DriverLogin, "driver_login";
    /// Vehicle numbers read from the vehicle (OBD).
    vin_readings: VinReading, "vin_reading";
    /// Work orders on devices: fitted, removed, moved.
    device_works: DeviceWork, "device_work";
    /// Odometer readings of forms.
    mileages: Mileage, "mileage";
}
