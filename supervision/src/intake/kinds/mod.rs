//! How the rows of each kind are read: which columns they have and what is checked within and between rows.

mod calendars;
mod fleet;
mod ledgers;
mod orders;
mod places;
mod rule_sets;

pub(super) use places::features;

use std::collections::BTreeSet;

use super::headers::{Columns, Field, Wanted};
use super::import::{Context, Import, from_bytes, from_table};
use super::row_reader::RowReader;
use super::table::{Limits, Table};
use super::{headers, kinds};
use crate::register::{
    Binding, CalendarYear, DeviceWork, Driver, DriverLogin, Duty, Emergency, Exemption, FuelFill, Mileage,
    Order, Passage, PlaceEntry, Rental, Repair, Row, Seal, Transfer, Unit, Vehicle, VinReading, Watermark,
    WorkingHours, Zone,
};

/// A kind of row that comes in files.
pub trait Importable: Row {
    /// Reads a CSV file (`.gz` or not) or an XLSX workbook (`sheet`, or its first). Zones come as GeoJSON as well.
    ///
    /// Never fails half-way: all problems are in the report, and rows only come out when there is no error.
    fn import(bytes: &[u8], sheet: Option<&str>, limits: &Limits, context: &mut Context<'_>) -> Import<Self>;

    /// Reads rows from a table that is there already.
    fn import_table(table: &Table, context: &mut Context<'_>) -> Import<Self>;

    /// Whether `header` is a column of this kind.
    fn is_column(header: &str) -> bool;

    /// The plates that a table of this kind names, normalised: for callers that make up the cars from the files themselves.
    fn plates_in(table: &Table) -> BTreeSet<String>;

    /// The columns as a form's head for people to fill in: Chinese name, canonical English name, whether required.
    fn columns() -> Vec<(&'static str, &'static str, bool)>;
}

macro_rules! importable {
    ($($kind:ty),* $(,)?) => {
        $(impl Importable for $kind {
            fn import(
                bytes: &[u8],
                sheet: Option<&str>,
                limits: &Limits,
                context: &mut Context<'_>,
            ) -> Import<Self> {
                match kinds::features::table(Self::KIND, bytes, limits) {
                    None => from_bytes(bytes, sheet, limits, context),
                    Some(Ok(table)) => from_table(&table, context),
                    Some(Err(error)) => Import::failed(Self::KIND, &error),
                }
            }

            fn import_table(table: &Table, context: &mut Context<'_>) -> Import<Self> {
                from_table(table, context)
            }

            fn is_column(header: &str) -> bool {
                headers::is_known(<Self as super::import::Kind>::WANTED, header)
            }

            fn plates_in(table: &Table) -> BTreeSet<String> {
                plates_in(table, <Self as super::import::Kind>::WANTED)
            }

            fn columns() -> Vec<(&'static str, &'static str, bool)> {
                columns(<Self as super::import::Kind>::WANTED)
            }
        })*
    };
}

importable!(
    Binding,
    CalendarYear,
    DeviceWork,
    Driver,
    DriverLogin,
    Duty,
    Emergency,
    Exemption,
    FuelFill,
    Mileage,
    Order,
    Passage,
    PlaceEntry,
    Rental,
    Repair,
    Seal,
    Transfer,
    Unit,
    Vehicle,
    VinReading,
    Watermark,
    WorkingHours,
    Zone,
);

fn plates_in(table: &Table, wanted: &'static [Wanted]) -> BTreeSet<String> {
    let columns = Columns::find(&table.headers, wanted, |_, _| {}, |_| {});
    let Some(column) = columns.of(Field::Plate) else {
        return BTreeSet::new();
    };
    let plates =
        table.rows.iter().map(|row| super::values::normalise_plate(&row.cell(column.index).as_text()));
    plates.filter(|plate| !plate.is_empty()).collect()
}

fn columns(wanted: &[Wanted]) -> Vec<(&'static str, &'static str, bool)> {
    let name = |field: Field| field.names().first().copied().unwrap_or_default();
    wanted.iter().map(|wanted| (wanted.zh, name(wanted.field), wanted.is_required)).collect()
}

/// The words of a class of cars.
const CLASSES: super::row_reader::Words<crate::register::Class> = {
    use crate::register::Class;
    &[
        (&["机要通信", "机要通信用车", "confidential"], Class::Confidential),
        (&["应急保障", "应急保障用车", "emergency"], Class::Emergency),
        (&["执法执勤", "执法执勤用车", "law_enforcement", "lawenforcement"], Class::LawEnforcement),
        (&["特种专业技术", "特种专业技术用车", "特种", "special"], Class::Special),
        (&["其他", "其他按规定配备", "其他用车", "其它", "other"], Class::Other),
    ]
};

/// Whether two optional numbers go back.
fn goes_back<T: PartialOrd>(from: Option<T>, to: Option<T>) -> bool {
    matches!((from, to), (Some(from), Some(to)) if to < from)
}

/// Warns when a plate has no pattern of a plate.
fn check_plate(row: &mut RowReader<'_>, plate: &str) {
    if !plate.is_empty() && !super::values::is_plate(plate) {
        row.warn(Field::Plate, &super::problem::Fault::PlatePattern);
    }
}
