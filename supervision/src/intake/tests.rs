//! Files as offices send them, and files that nobody should send.

mod hostile;
mod registers;
mod tables;
mod times;
mod tracks;
mod workbook;

use jiff::tz::TimeZone;

use super::{Context, Datum, Import, Importable, Limits};
use crate::UtcMillis;
use crate::ids::{DeviceId, UnitId};
use crate::register::{Driver, Register, Unit, Vehicle, Versioned, Zone};

/// A county with two cars, a driver and a depot.
fn register() -> Register {
    let unit = |name: &str, code: &str, parent| Unit {
        name: name.into(),
        code: code.into(),
        parent,
        ..Unit::default()
    };
    let car = |plate: &str| Vehicle { plate: plate.into(), unit: UnitId(2), ..Vehicle::default() };
    let first = |id, row| Versioned::first(id, UtcMillis(0), row);
    Register {
        units: vec![
            Versioned::first(1, UtcMillis(0), unit("县政府", "01", None)),
            Versioned::first(2, UtcMillis(0), unit("水利局", "0101", Some(UnitId(1)))),
        ],
        vehicles: vec![first(10, car("云A12345")), first(11, car("云A12346"))],
        drivers: vec![Versioned::first(
            20,
            UtcMillis(0),
            Driver { name: "王五".into(), unit: UnitId(2), ..Driver::default() },
        )],
        zones: vec![Versioned::first(
            30,
            UtcMillis(0),
            Zone { name: "水利局车库".into(), ..Zone::default() },
        )],
        ..Register::default()
    }
}

/// Reads `bytes` against `register`, in Beijing time, for unit 2. New rows are numbered from 100.
fn import_into<T: Importable>(register: &Register, bytes: &[u8]) -> Import<T> {
    let mut next = 99;
    let mut new_id = |_: &'static str| {
        next += 1;
        next
    };
    let mut context = Context {
        register,
        devices: &|terminal| (terminal == "013900000001").then_some(DeviceId(7)),
        timezone: TimeZone::get("Asia/Shanghai").unwrap(),
        datum: Datum::Wgs84,
        unit: Some(UnitId(2)),
        recorded_at: UtcMillis(1_000),
        recorded_by: "office".into(),
        new_id: &mut new_id,
    };
    T::import(bytes, None, &Limits::default(), &mut context)
}

fn import<T: Importable>(text: &str) -> Import<T> {
    import_into(&register(), text.as_bytes())
}

/// The instant of an RFC 3339 time.
fn at(time: &str) -> UtcMillis {
    UtcMillis(time.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Errors as (row, column, code).
fn errors<T>(import: &Import<T>) -> Vec<(u32, &str, &str)> {
    let list = &import.report().errors.list;
    list.iter().map(|problem| (problem.row.unwrap_or(0), problem.column.as_str(), problem.code)).collect()
}

/// Warnings as (row, column, code).
fn warnings<T>(import: &Import<T>) -> Vec<(u32, &str, &str)> {
    let list = &import.report().warnings.list;
    list.iter().map(|problem| (problem.row.unwrap_or(0), problem.column.as_str(), problem.code)).collect()
}
