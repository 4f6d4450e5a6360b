//! The kinds of rows by name, with what depends on the type of each. Everything else works on JSON and is written once.

use std::collections::BTreeMap;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::intake::{
    Context, Importable, Limits, MAX_PROBLEMS, Problem, Problems, Report as Found,
};
use motorpool_supervision::register::{
    Binding, CalendarYear, DeviceWork, Driver, DriverLogin, Duty, Emergency, Exemption, FuelFill, Mileage,
    Order, Passage, PlaceEntry, Register, Rental, Repair, Report, RuleSet, Seal, Span, Transfer, Unit,
    Vehicle, Versioned, VinReading, Watermark, WorkingHours, Zone,
};
use serde_json::Value as Json;

use super::check::{Checked, Faults};
use super::import::Reader;
use super::json::{self, RowFault};
use crate::registry::{AnyRow, Batch, Change, Changed, Error, Facts, preview};

/// A column of the files of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Column {
    /// Its Chinese name.
    pub zh: &'static str,
    /// Its English name.
    pub en: &'static str,
    /// Whether every row must have a value in it.
    pub is_required: bool,
}

/// What changes would make of the registers, without the type of their rows.
pub(super) struct AnyPreview {
    pub(super) changed: Vec<Changed>,
    pub(super) put: Box<dyn Fn(&mut Register) + Send + Sync>,
}

/// What a file of rows says: the changes it would make, unless its report has errors.
pub(super) struct FileRows {
    pub(super) report: Found,
    pub(super) changes: Vec<Change<Json>>,
}

/// Chinese name, English name, whether required.
type ColumnOf = (&'static str, &'static str, bool);
type PreviewRows = fn(Vec<AnyRow>, &[Change<Json>], &str, UtcMillis) -> Result<AnyPreview, Error>;
type ReadFile = fn(&[u8], Option<&str>, &Limits, &mut Context<'_>) -> FileRows;

/// A kind of row.
pub struct Kind {
    /// Its name in addresses, files and the registry, for example `order`.
    pub name: &'static str,
    /// What it is called in Chinese.
    pub zh: &'static str,
    /// What it is called in English.
    pub en: &'static str,
    columns: Option<fn() -> Vec<ColumnOf>>,
    check: fn(Span, &Json) -> Result<Json, Vec<RowFault>>,
    facts: fn(&Json) -> Result<Facts, Error>,
    batch: fn(&[Change<Json>]) -> Result<Batch, Error>,
    preview: PreviewRows,
    load: fn(Vec<AnyRow>, &mut Register) -> Result<(), Error>,
    retain: fn(&Self, &mut Register, &dyn Reader),
    read_file: Option<ReadFile>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! kinds {
    ($($row:ty, $zh:literal, $en:literal $(, $file:ident)?;)*) => {
        /// Every kind, in the order of the register.
        pub const KINDS: &[Kind] = &[$(Kind {
            name: <$row as motorpool_supervision::register::Row>::KIND,
            zh: $zh,
            en: $en,
            columns: kinds!(@columns $row $(, $file)?),
            check: check::<$row>,
            facts: facts::<$row>,
            batch: batch::<$row>,
            preview: any_preview::<$row>,
            load: load::<$row>,
            retain: retain::<$row>,
            read_file: kinds!(@read $row $(, $file)?),
        }),*];
    };
    (@columns $row:ty, file) => { Some(<$row as Importable>::columns) };
    (@columns $row:ty) => { None };
    (@read $row:ty, file) => { Some(read_file::<$row>) };
    (@read $row:ty) => { None };
}

kinds! {
    Unit, "单位", "units", file;
    Vehicle, "车辆", "vehicles", file;
    Binding, "设备安装", "devices on vehicles", file;
    Driver, "驾驶员", "drivers", file;
    Order, "派车单", "dispatch orders", file;
    Duty, "值班备勤", "duty rosters", file;
    Emergency, "应急响应期", "declared emergencies", file;
    Seal, "封存启封", "seals and openings", file;
    Transfer, "调剂单", "transfers between units", file;
    Zone, "区域", "zones", file;
    PlaceEntry, "地点", "places and their names", file;
    CalendarYear, "日历", "calendar years", file;
    WorkingHours, "工作时间", "working hours", file;
    RuleSet, "规则集", "rule sets";
    Exemption, "豁免", "exemptions", file;
    Watermark, "台账完整性", "how far feeds are complete", file;
    Report, "行程报备", "drivers' own reports";
    FuelFill, "加油", "fuel", file;
    Passage, "通行停车", "tolls and car parks", file;
    Repair, "维修", "repairs", file;
    Rental, "租车", "hired cars", file;
    DriverLogin, "驾驶员刷卡", "drivers' cards", file;
    VinReading, "车架号读数", "vehicle numbers read", file;
    DeviceWork, "设备工单", "work orders on devices", file;
    Mileage, "里程登记", "odometer readings", file;
}

/// The kind with this name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
    /// The columns of its files; `None` when it comes one by one only.
    #[must_use]
    pub fn columns(&self) -> Option<Vec<Column>> {
        let columns = (self.columns?)();
        Some(columns.into_iter().map(|(zh, en, is_required)| Column { zh, en, is_required }).collect())
    }

    /// The row that `given` says, as it is stored.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn check(&self, valid: Span, given: &Json) -> Result<Json, Vec<RowFault>> {
        (self.check)(valid, given)
    }

    /// What of a row stands in columns.
    pub(crate) fn facts(&self, row: &Json) -> Result<Facts, Error> {
        (self.facts)(row)
    }

    /// The changes, ready to be written.
    pub(super) fn batch(&self, changes: &[Change<Json>]) -> Result<Batch, Error> {
        (self.batch)(changes)
    }

    /// What the changes would make of rows of which `known` is known.
    pub(super) fn preview(
        &self,
        known: Vec<AnyRow>,
        changes: &[Change<Json>],
        who: &str,
        at: UtcMillis,
    ) -> Result<AnyPreview, Error> {
        (self.preview)(known, changes, who, at)
    }

    /// Puts rows into a register in the place of those of this kind.
    pub(super) fn load(&self, rows: Vec<AnyRow>, register: &mut Register) -> Result<(), Error> {
        (self.load)(rows, register)
    }

    /// Takes the rows of this kind out of a register that the reader does not see.
    pub(super) fn retain(&self, register: &mut Register, reader: &dyn Reader) {
        (self.retain)(self, register, reader);
    }

    /// How its files are read; `None` when it comes one by one only.
    pub(super) const fn file_reader(&self) -> Option<ReadFile> {
        self.read_file
    }
}

fn unreadable<T: Checked>(source: serde_json::Error) -> Error {
    Error::Unreadable { what: format!("{} row", T::KIND), source }
}

fn typed<T: Checked>(row: Json) -> Result<T, Error> {
    serde_json::from_value(row).map_err(unreadable::<T>)
}

fn check<T: Checked>(valid: Span, given: &Json) -> Result<Json, Vec<RowFault>> {
    let row: T = json::read(given)?;
    let mut faults = Faults::default();
    row.check(valid, &mut faults);
    if !faults.0.is_empty() {
        return Err(faults.0);
    }
    let failed = |error: serde_json::Error| vec![RowFault::new("", error.to_string(), error.to_string())];
    serde_json::to_value(&row).map_err(failed)
}

fn facts<T: Checked>(row: &Json) -> Result<Facts, Error> {
    typed::<T>(row.clone()).map(|row| row.facts())
}

fn batch<T: Checked>(changes: &[Change<Json>]) -> Result<Batch, Error> {
    let mut batch = Batch::default();
    for change in changes {
        batch.push(change.clone().read_with(typed::<T>)?)?;
    }
    Ok(batch)
}

fn versioned<T: Checked>(row: AnyRow) -> Result<Versioned<T>, Error> {
    Ok(Versioned {
        id: row.id,
        version: row.version,
        valid: row.valid,
        recorded_at: row.recorded_at,
        recorded_by: row.recorded_by,
        row: typed(row.row)?,
    })
}

fn any_preview<T: Checked>(
    known: Vec<AnyRow>,
    changes: &[Change<Json>],
    who: &str,
    at: UtcMillis,
) -> Result<AnyPreview, Error> {
    let known: Vec<Versioned<T>> = known.into_iter().map(versioned).collect::<Result<_, _>>()?;
    let changes = changes.iter().map(|change| change.clone().read_with(typed::<T>));
    let preview = preview(&known, &changes.collect::<Result<Vec<_>, _>>()?, who, at)?;
    let changed = preview.changed.clone();
    Ok(AnyPreview { changed, put: Box::new(move |register| preview.put_into(register)) })
}

fn load<T: Checked>(rows: Vec<AnyRow>, register: &mut Register) -> Result<(), Error> {
    *T::rows_mut(register) = rows.into_iter().map(versioned).collect::<Result<_, _>>()?;
    Ok(())
}

fn retain<T: Checked>(kind: &Kind, register: &mut Register, reader: &dyn Reader) {
    T::rows_mut(register)
        .retain(|row| serde_json::to_value(&row.row).is_ok_and(|json| reader.sees_row(kind, row.id, &json)));
}

/// What is known of a row that a file may change.
#[derive(Clone, Copy)]
struct Known {
    /// Times of validity.
    spans: usize,
    newest: u32,
    /// When the newest version holds.
    valid: Span,
}

fn read_file<T: Checked + Importable>(
    bytes: &[u8],
    sheet: Option<&str>,
    limits: &Limits,
    context: &mut Context<'_>,
) -> FileRows {
    let mut known: BTreeMap<i64, Known> = BTreeMap::new();
    for row in T::rows(context.register) {
        let entry = known.entry(row.id).or_insert(Known { spans: 0, newest: 0, valid: row.valid });
        entry.spans += 1;
        if row.version >= entry.newest {
            (entry.newest, entry.valid) = (row.version, row.valid);
        }
    }
    let imported = T::import(bytes, sheet, limits, context);
    let mut report = imported.report().clone();
    let mut changes = Vec::new();
    for row in imported.into_rows().unwrap_or_default() {
        let mut faults = Faults::default();
        row.row.check(row.valid, &mut faults);
        for fault in faults.0 {
            refuse(&mut report.errors, &row.row.facts(), fault);
        }
        match serde_json::to_value(&row.row) {
            Ok(json) => changes.push(change(&row, json, known.get(&row.id))),
            Err(error) => {
                let fault = RowFault::new("", error.to_string(), error.to_string());
                refuse(&mut report.errors, &row.row.facts(), fault);
            }
        }
    }
    if !report.errors.is_empty() {
        changes.clear();
    }
    FileRows { report, changes }
}

/// A new row, or a new version of one that is known. Where a row has said several things over time, a file that gives the newest
/// of them again changes that one alone.
fn change<T>(row: &Versioned<T>, json: Json, known: Option<&Known>) -> Change<Json> {
    let (id, valid) = (row.id, row.valid);
    match known {
        None => Change::Add { id: Some(id), valid, row: json },
        Some(known) if known.spans == 1 => {
            Change::Correct { id, expected: Some(known.newest), valid, row: json }
        }
        Some(known) => Change::Amend { id, expected: Some(known.newest), valid, row: json },
    }
}

/// An error about a row whose place in the file is not known any more.
fn refuse(errors: &mut Problems, facts: &Facts, fault: RowFault) {
    if errors.list.len() >= MAX_PROBLEMS {
        errors.more += 1;
        return;
    }
    errors.list.push(Problem {
        row: None,
        column: fault.pointer,
        value: facts.key.clone().unwrap_or_default(),
        code: "refused",
        zh: fault.zh,
        en: fault.en,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_register_is_here_in_its_order() {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names, Register::KINDS);
        let by_hand: Vec<&str> =
            KINDS.iter().filter(|kind| kind.columns().is_none()).map(|kind| kind.name).collect();
        assert_eq!(by_hand, ["rule_set", "report"]);
    }

    #[test]
    fn a_checked_row_is_the_stored_one() {
        let order = kind("order").expect("a kind");
        let given = serde_json::json!({
            "no": "P-1", "unit": 1, "vehicle": 2,
            "planned_out": "2026-03-04T00:00:00Z", "planned_in": "2026-03-04T04:00:00Z",
        });
        let stored = order.check(Span::ALWAYS, &given).expect("a good row");
        assert_eq!(stored["state"], "approved", "what is not said is as the kind says");
        assert_eq!(order.check(Span::ALWAYS, &stored).as_ref(), Ok(&stored));
        assert_eq!(order.facts(&stored).expect("facts").key.as_deref(), Some("1/P-1"));
    }
}
