//! A table to rows of one kind: all of them, or a report of everything that is wrong.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::headers::{Columns, Wanted, is_known};
use super::names::{Names, newest};
use super::problem::{Fault, Problem, Problems};
use super::row_reader::{RowReader, Scope};
use super::table::{Limits, Table, TableError};
use super::values::{Datum, LocalTime};
use crate::UtcMillis;
use crate::ids::{DeviceId, UnitId};
use crate::register::{Register, Row, Span, Versioned};

/// What an import needs to know beside the file.
pub struct Context<'a> {
    /// The register that names in the file are looked up in; rows that it has already become new versions of them.
    pub register: &'a Register,
    /// The device of a terminal's number.
    pub devices: &'a dyn Fn(&str) -> Option<DeviceId>,
    /// Where times without an offset are local.
    pub timezone: TimeZone,
    /// What coordinates are in.
    pub datum: Datum,
    /// The unit of rows that name none.
    pub unit: Option<UnitId>,
    /// When the rows are recorded.
    pub recorded_at: UtcMillis,
    /// Who records them.
    pub recorded_by: String,
    /// Hands out the number of a new row of a kind ([`Row::KIND`]). Numbers given to an import that fails are not used.
    pub new_id: &'a mut dyn FnMut(&'static str) -> i64,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("timezone", &self.timezone)
            .field("datum", &self.datum)
            .finish_non_exhaustive()
    }
}

/// A row on its way in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Draft<T> {
    pub(super) row: T,
    pub(super) valid: Span,
}

/// Rows of a file with their numbers.
pub(super) type Numbered<T> = Vec<(u32, Draft<T>)>;

/// How rows of one kind are read.
pub(super) trait Kind: Row + Default + PartialEq {
    /// The columns of its files.
    const WANTED: &'static [Wanted];

    /// Reads a row over `draft`, which is empty or what the register has; empty cells leave it as it is.
    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>);

    /// What makes two rows the same one. `None`: only sameness in everything.
    fn key(_draft: &Draft<Self>) -> Option<String> {
        None
    }

    /// Takes in another row of the same key, for kinds that spread over several rows of a file. `false`: it is a duplicate.
    fn absorb(&mut self, _other: &Self) -> bool {
        false
    }

    /// Before the first row is read: lets rows of the file refer to each other. Gives the numbers of rows known already.
    fn prepare(
        _table: &Table,
        _columns: &Columns,
        _scope: &mut Scope<'_>,
        _new_id: &mut dyn FnMut(&'static str) -> i64,
    ) -> FxHashMap<u32, i64> {
        FxHashMap::default()
    }

    /// After the last: looks at rows side by side.
    fn compare(_rows: &Numbered<Self>, _columns: &Columns, _errors: &mut Problems, _warnings: &mut Problems) {
    }
}

/// What came of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Import<T> {
    rows: Vec<Versioned<T>>,
    report: Report,
}

/// What there is to say about a file: the answer to a dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Report {
    /// The kind of row.
    pub kind: &'static str,
    /// Rows below the header that are not empty.
    pub rows: usize,
    /// Rows that would be new.
    pub added: usize,
    /// Rows that would be new versions of rows the register has.
    pub changed: usize,
    /// Rows that the register has just so.
    pub unchanged: usize,
    /// What must be mended before anything is taken.
    pub errors: Problems,
    /// What should be looked at.
    pub warnings: Problems,
}

impl<T> Import<T> {
    /// Whether there are no errors; there may be warnings.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.report.errors.is_empty()
    }

    /// What there is to say.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// All new rows and new versions, in the order of the file.
    ///
    /// # Errors
    /// The report, when there was any error: nothing is taken in halves.
    pub fn into_rows(self) -> Result<Vec<Versioned<T>>, Report> {
        if self.is_clean() { Ok(self.rows) } else { Err(self.report) }
    }

    pub(super) fn failed(kind: &'static str, error: &TableError) -> Self {
        let mut report = Report { kind, ..Report::default() };
        report.errors.push_with(|| error.problem());
        Self { rows: Vec::new(), report }
    }
}

/// Reads a file of rows of kind `T`.
pub(super) fn from_bytes<T: Kind>(
    bytes: &[u8],
    sheet: Option<&str>,
    limits: &Limits,
    context: &mut Context<'_>,
) -> Import<T> {
    match Table::read(bytes, sheet, limits, &|header| is_known(T::WANTED, header)) {
        Ok(table) => from_table(&table, context),
        Err(error) => Import::failed(T::KIND, &error),
    }
}

/// Reads rows of kind `T` from a table.
pub(super) fn from_table<T: Kind>(table: &Table, context: &mut Context<'_>) -> Import<T> {
    let mut report = Report { kind: T::KIND, rows: table.rows.len(), ..Report::default() };
    let columns = Columns::of_register(table, T::WANTED, &mut report.errors, &mut report.warnings);
    if !report.errors.is_empty() {
        return Import { rows: Vec::new(), report };
    }
    let mut scope = Scope {
        names: Names::of(context.register),
        local: LocalTime(context.timezone.clone()),
        datum: context.datum,
        has_decimal_commas: table.has_decimal_commas,
        unit: context.unit,
        devices: context.devices,
    };
    let known = T::prepare(table, &columns, &mut scope, context.new_id);
    let mut intake = Intake::<T>::over(context.register, known);
    for row in &table.rows {
        let mut reader = RowReader {
            scope: &scope,
            row,
            columns: &columns,
            errors: &mut report.errors,
            warnings: &mut report.warnings,
        };
        intake.take(&mut reader);
    }
    T::compare(&intake.drafts, &columns, &mut report.errors, &mut report.warnings);
    let rows = intake.finish(context, &mut report);
    Import { rows, report }
}

/// Drafts as they come, and the rows of the register that they may be versions of.
struct Intake<'a, T: Kind> {
    register: BTreeMap<i64, &'a Versioned<T>>,
    id_by_key: FxHashMap<String, i64>,
    /// Numbers of rows that are known before they are read.
    known: FxHashMap<u32, i64>,
    drafts: Numbered<T>,
    /// The key of each draft.
    keys: Vec<String>,
    draft_by_key: FxHashMap<String, usize>,
}

impl<'a, T: Kind> Intake<'a, T> {
    fn over(register: &'a Register, known: FxHashMap<u32, i64>) -> Self {
        let register = newest::<T>(register);
        let id_by_key = register
            .iter()
            .map(|(id, row)| (identity(&Draft { row: row.row.clone(), valid: row.valid }), *id))
            .collect();
        Self {
            register,
            id_by_key,
            known,
            drafts: Vec::new(),
            keys: Vec::new(),
            draft_by_key: FxHashMap::default(),
        }
    }

    /// Reads a row. A row with an error is left out of the drafts.
    fn take(&mut self, reader: &mut RowReader<'_>) {
        let before = reader.errors.count();
        for wanted in T::WANTED.iter().filter(|wanted| wanted.is_required) {
            if reader.cell(wanted.field).is_empty() {
                reader.fault(wanted.field, &Fault::Missing);
            }
        }
        let mut draft = Draft { row: T::default(), valid: Span::ALWAYS };
        T::read(reader, &mut draft);
        if reader.errors.count() > before {
            return;
        }
        let number = reader.row.number;
        let key = self.key_of(number, &draft);
        if let Some(&at) = self.draft_by_key.get(&key) {
            self.merge(at, number, &draft, reader);
            return;
        }
        if let Some(earlier) = self.id_of(number, &key).and_then(|id| self.register.get(&id)) {
            draft = reread(reader, earlier);
        }
        self.draft_by_key.insert(key.clone(), self.drafts.len());
        self.keys.push(key);
        self.drafts.push((number, draft));
    }

    fn key_of(&self, number: u32, draft: &Draft<T>) -> String {
        // A NUL is in no key that was read from a file.
        self.known.get(&number).map_or_else(|| identity(draft), |id| format!("\0{id}"))
    }

    fn id_of(&self, number: u32, key: &str) -> Option<i64> {
        self.known.get(&number).or_else(|| self.id_by_key.get(key)).copied()
    }

    /// A second row of the same key: part of the first, or a duplicate. One that is the same in everything is left out with
    /// a warning; anything else is an error.
    fn merge(&mut self, at: usize, number: u32, draft: &Draft<T>, reader: &mut RowReader<'_>) {
        let Some((first, earlier)) = self.drafts.get_mut(at) else {
            return;
        };
        if earlier.row.absorb(&draft.row) {
            return;
        }
        let fault = Fault::Duplicate { row: *first };
        let problem = || Problem::new(Some(number), "", "", &fault);
        if earlier == draft {
            reader.warnings.push_with(problem);
        } else {
            reader.errors.push_with(problem);
        }
    }

    /// Numbers the rows and leaves out those that the register has just so.
    fn finish(self, context: &mut Context<'_>, report: &mut Report) -> Vec<Versioned<T>> {
        let mut rows = Vec::new();
        if !report.errors.is_empty() {
            return rows;
        }
        for ((number, draft), key) in self.drafts.iter().zip(&self.keys) {
            let earlier = self.id_of(*number, key).and_then(|id| self.register.get(&id));
            let (id, version) = match earlier {
                Some(earlier) if earlier.row == draft.row && earlier.valid == draft.valid => {
                    report.unchanged += 1;
                    continue;
                }
                Some(earlier) => {
                    report.changed += 1;
                    (earlier.id, earlier.version.saturating_add(1))
                }
                None => {
                    report.added += 1;
                    let id = self.known.get(number).copied();
                    (id.unwrap_or_else(|| (context.new_id)(T::KIND)), 1)
                }
            };
            rows.push(Versioned {
                id,
                version,
                valid: draft.valid,
                recorded_at: context.recorded_at,
                recorded_by: context.recorded_by.clone(),
                row: draft.row.clone(),
            });
        }
        rows
    }
}

/// The row once more, laid over what the register has. Its faults were told the first time.
fn reread<T: Kind>(reader: &RowReader<'_>, earlier: &Versioned<T>) -> Draft<T> {
    let mut draft = Draft { row: earlier.row.clone(), valid: earlier.valid };
    let (mut errors, mut warnings) = (Problems::default(), Problems::default());
    let mut again = RowReader {
        scope: reader.scope,
        row: reader.row,
        columns: reader.columns,
        errors: &mut errors,
        warnings: &mut warnings,
    };
    T::read(&mut again, &mut draft);
    draft
}

fn identity<T: Kind>(draft: &Draft<T>) -> String {
    // A row of this crate has string keys and finite numbers only, so it can always be written.
    T::key(draft).unwrap_or_else(|| serde_json::to_string(draft).unwrap_or_default())
}
