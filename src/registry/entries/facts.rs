//! What of each kind of row stands in columns of its own, so that queries by number, car, unit and time use an index.

use std::fmt::Display;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{
    Binding, CalendarYear, DeviceWork, Driver, DriverLogin, Duty, Emergency, Exemption, FuelFill, Mileage,
    Order, Passage, PlaceEntry, Rental, Repair, Report, Row, RuleSet, Seal, Stamp, StampKind, Transfer, Unit,
    Vehicle, VinReading, Watermark, WorkingHours, Zone,
};

/// Characters kept of a natural key.
const KEY_CHARS_MAX: usize = 200;
const DAY_MS: i64 = 86_400_000;

/// What stands in columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Facts {
    /// The name or number by which people know the row; see [`Stored`].
    pub key: Option<String>,
    /// The car.
    pub vehicle: Option<VehicleId>,
    /// Another car that it concerns.
    pub other_vehicle: Option<VehicleId>,
    /// The unit.
    pub unit: Option<UnitId>,
    /// The time it speaks of, both included; `None` = the time for which it is valid.
    pub about: Option<(UtcMillis, UtcMillis)>,
}

/// A kind of row that the registry stores.
pub trait Stored: Row {
    /// Whether two rows may not have the same key at the same instant.
    const IS_KEY_UNIQUE: bool = false;
    /// Whether only the rows of a window of time are needed to judge that window. Other kinds are few and always needed whole.
    const IS_LEDGER: bool = false;

    /// What stands in columns. The key is the code of a unit, the plate of a vehicle, the device of a binding, the licence of a
    /// driver, `unit/number` of an order, the name of a zone, place or rule set, `calendar/year`, and the number of the paper of
    /// other rows.
    fn facts(&self) -> Facts;

    /// For a binding that is the car's primary one: the car.
    fn primary_of(&self) -> Option<VehicleId> {
        None
    }
}

/// A key as it is stored and searched for: without control characters and surrounding blanks, cut; `None` when nothing is left.
pub(super) fn key(text: impl Display) -> Option<String> {
    let kept: String = text.to_string().chars().filter(|c| !c.is_control()).take(KEY_CHARS_MAX).collect();
    Some(kept.trim().to_owned()).filter(|key| !key.is_empty())
}

/// `unit/number`, when there is a number.
fn key_in_unit(unit: UnitId, number: &str) -> Option<String> {
    key(number).and_then(|number| key(format_args!("{unit}/{number}")))
}

/// The time that a booking speaks of.
fn booked(stamp: Stamp) -> (UtcMillis, UtcMillis) {
    match stamp.kind {
        StampKind::Transaction | StampKind::Posting => (stamp.at, stamp.at),
        StampKind::DayOnly => {
            (UtcMillis(stamp.at.0.saturating_sub(DAY_MS)), UtcMillis(stamp.at.0.saturating_add(DAY_MS)))
        }
    }
}

/// All the times, from the first to the last.
fn hull(times: impl IntoIterator<Item = UtcMillis>) -> Option<(UtcMillis, UtcMillis)> {
    times.into_iter().fold(None, |hull, at| {
        Some(hull.map_or((at, at), |(from, to): (UtcMillis, UtcMillis)| (from.min(at), to.max(at))))
    })
}

/// `kind: flags { field: value }`, one for each kind.
macro_rules! stored {
    ($($row:ty $(, unique $unique:literal)? $(, ledger $ledger:literal)? => |$self:ident| $facts:expr;)*) => {
        $(impl Stored for $row {
            $(const IS_KEY_UNIQUE: bool = $unique;)?
            $(const IS_LEDGER: bool = $ledger;)?

            fn facts(&self) -> Facts {
                let $self = self;
                $facts
            }
        })*
    };
}

stored! {
    Unit, unique true => |row| Facts { key: key(&row.code), unit: row.parent, ..Facts::default() };
    Vehicle, unique true => |row| Facts { key: key(&row.plate), unit: Some(row.unit), ..Facts::default() };
    Driver => |row| Facts { key: key(&row.licence), unit: Some(row.unit), ..Facts::default() };
    Duty => |row| Facts { vehicle: row.vehicle, unit: Some(row.unit), ..Facts::default() };
    Emergency => |row| Facts { key: key(&row.document), ..Facts::default() };
    Seal => |row| Facts { key: key(&row.approval_no), vehicle: Some(row.vehicle), ..Facts::default() };
    Transfer => |row| Facts {
        key: key(&row.no),
        vehicle: Some(row.vehicle),
        unit: Some(row.to),
        ..Facts::default()
    };
    Zone => |row| Facts { key: key(&row.name), unit: row.unit, ..Facts::default() };
    PlaceEntry => |row| Facts { key: key(&row.name), unit: row.unit, ..Facts::default() };
    CalendarYear => |row| Facts {
        key: key(format_args!("{}/{}", row.calendar, row.year)),
        unit: row.unit,
        ..Facts::default()
    };
    WorkingHours => |row| Facts { unit: row.unit, ..Facts::default() };
    RuleSet => |row| Facts { key: key(&row.name), unit: row.unit, ..Facts::default() };
    Exemption => |row| Facts { vehicle: row.vehicle, unit: row.unit, ..Facts::default() };
    Watermark => |row| Facts { unit: row.unit, ..Facts::default() };
    Order, ledger true => |row| Facts {
        key: key_in_unit(row.unit, &row.no),
        vehicle: Some(row.vehicle),
        unit: Some(row.unit),
        about: hull([row.planned_out, row.planned_in].into_iter().chain(row.actual_out).chain(row.actual_in)),
        ..Facts::default()
    };
    Report, ledger true => |row| Facts {
        vehicle: Some(row.vehicle),
        about: Some((row.at, row.at)),
        ..Facts::default()
    };
    FuelFill, ledger true => |row| Facts {
        key: key(&row.voucher),
        vehicle: Some(row.vehicle),
        other_vehicle: row.card_vehicle,
        about: Some(booked(row.stamp)),
        ..Facts::default()
    };
    Passage, ledger true => |row| Facts {
        key: key(&row.voucher),
        vehicle: Some(row.vehicle),
        about: Some(booked(row.stamp)),
        ..Facts::default()
    };
    // A repair without an end goes on.
    Repair, ledger true => |row| Facts {
        key: key(&row.no),
        vehicle: Some(row.vehicle),
        about: Some((booked(row.from).0, row.to.map_or(UtcMillis(i64::MAX), |to| booked(to).1))),
        ..Facts::default()
    };
    // Renewals count together with what they renew, however long ago that began.
    Rental => |row| Facts {
        key: key(&row.no),
        vehicle: row.vehicle,
        unit: Some(row.unit),
        about: hull([row.from, row.to]),
        ..Facts::default()
    };
    DriverLogin, ledger true => |row| Facts {
        vehicle: Some(row.vehicle),
        about: Some((row.at, row.at)),
        ..Facts::default()
    };
    VinReading, ledger true => |row| Facts {
        vehicle: Some(row.vehicle),
        about: Some((row.at, row.at)),
        ..Facts::default()
    };
    // Not of one car alone: whether a device was moved without one is asked in each car that it was ever in.
    DeviceWork => |row| Facts {
        key: key(&row.no),
        vehicle: Some(row.vehicle),
        about: hull([row.from, row.to]),
        ..Facts::default()
    };
    Mileage, ledger true => |row| Facts {
        vehicle: Some(row.vehicle),
        about: Some((row.at, row.at)),
        ..Facts::default()
    };
}

impl Stored for Binding {
    const IS_KEY_UNIQUE: bool = true;

    fn facts(&self) -> Facts {
        Facts { key: key(self.device), vehicle: Some(self.vehicle), ..Facts::default() }
    }

    fn primary_of(&self) -> Option<VehicleId> {
        self.is_primary.then_some(self.vehicle)
    }
}

/// Facts and [`Stored::primary_of`] of a row.
type Told = (Facts, Option<VehicleId>);

/// What stands in columns of a stored row of a kind; `None` when there is no such kind.
pub(super) fn of_kind(kind: &str, body: &str) -> Option<Result<Told, serde_json::Error>> {
    fn told<T: Stored>(body: &str) -> Result<Told, serde_json::Error> {
        serde_json::from_str::<T>(body).map(|row| (row.facts(), row.primary_of()))
    }
    macro_rules! by_kind {
        ($($row:ty),*) => {
            match kind {
                $(<$row>::KIND => Some(told::<$row>(body)),)*
                _ => None,
            }
        };
    }
    for_every_kind!(by_kind)
}
