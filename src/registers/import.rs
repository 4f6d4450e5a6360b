//! A file of rows: read against the registers as they are, then submitted as one change or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::tz::TimeZone;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId, UnitId};
use motorpool_supervision::intake::{Context, Datum, Limits, Report};
use motorpool_supervision::register::Register;
use serde_json::Value as Json;

use super::kinds::{FileRows, KINDS, Kind};
use crate::registry::{self, AnyRow, Change, Known, Registry, RowFilter, RowScope, Snapshot};

/// Rows of a kind that are read at once.
const ROWS_AT_ONCE: u32 = 10_000;
/// What a file of a register may unpack to. A table of rows that people keep is far smaller than what the readers can take; a packed one
/// of a few kilobytes could fill the memory otherwise.
const FILE_LIMITS: Limits = Limits { bytes: 128 << 20, rows: 200_000, cells: 4_000_000, ..Limits::DEFAULT };
/// Numbers that a first reading hands out begin here, far from every stored one.
const PROVISIONAL: i64 = i64::MAX / 2;

/// Why a file was not read. What is wrong with its rows is in the report instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The kind does not come in files.
    #[error("rows of this kind come one by one, not in files")]
    NoFiles,
    /// There is no such time zone.
    #[error("there is no time zone `{0}`")]
    TimeZone(String),
    /// No unit, or several, have this number, code or name.
    #[error("there is no unit `{0}`, or more than one")]
    Unit(String),
    /// The reading was cut off.
    #[error("the file could not be read to its end")]
    Stopped,
}

/// A file and how to read it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct ImportFile {
    /// CSV, gzipped or not, XLSX, or GeoJSON for zones.
    pub bytes: Vec<u8>,
    /// The sheet of a workbook; its first when left out.
    pub sheet: Option<String>,
    /// What coordinates are in.
    pub datum: Datum,
    /// Where times without an offset are local.
    pub time_zone: String,
    /// The unit of rows that name none: its number, code or name.
    pub unit: Option<String>,
    /// Who imports.
    pub who: String,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Imported {
    /// What there is to say about it.
    pub report: Report,
    /// The changes it asks for; none when there is an error. On a dry run new rows have numbers that are nobody's: they can be checked
    /// and never written.
    pub changes: Vec<Change<Json>>,
}

/// Who has a file read: names in it are looked up among what this one sees, and nothing else is counted or told.
pub trait Reader: Send + Sync {
    /// Whether it sees what a row says.
    fn sees_row(&self, kind: &Kind, id: i64, row: &Json) -> bool;
    /// Whether it sees a device.
    fn sees_device(&self, device: crate::ids::DeviceId) -> bool;
}

/// Who has the data folder and sees everything.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it has no parts")]
pub struct Operator;

impl Reader for Operator {
    fn sees_row(&self, _: &Kind, _: i64, _: &Json) -> bool {
        true
    }

    fn sees_device(&self, _: crate::ids::DeviceId) -> bool {
        true
    }
}

/// Everything that reading takes, owned, so that it can go to a thread of its own.
struct Reading {
    kind: &'static Kind,
    file: ImportFile,
    register: Register,
    devices: Arc<Snapshot>,
    reader: Arc<dyn Reader>,
    time_zone: TimeZone,
    unit: Option<UnitId>,
    now: UtcMillis,
}

/// Reads a file of rows of `kind` for `reader`. Without errors and not on a dry run, new rows have numbers that were taken for them.
///
/// # Errors
/// [`ImportError`] says why it could not be read at all.
pub async fn read_file(
    registry: &Registry,
    kind: &'static Kind,
    file: ImportFile,
    reader: Arc<dyn Reader>,
    is_dry_run: bool,
    now: UtcMillis,
) -> Result<Imported, ImportError> {
    if kind.file_reader().is_none() {
        return Err(ImportError::NoFiles);
    }
    let time_zone =
        TimeZone::get(&file.time_zone).map_err(|_| ImportError::TimeZone(file.time_zone.clone()))?;
    let register = seen(register(registry, kind).await?, Arc::clone(&reader)).await?;
    let unit = file.unit.as_deref().map(|unit| unit_of(&register, unit)).transpose()?;
    let devices = registry.snapshot();
    let reading = Arc::new(Reading { kind, file, register, devices, reader, time_zone, unit, now });
    let FileRows { report, changes } = Reading::run(Arc::clone(&reading), PROVISIONAL).await?;
    if is_dry_run || changes.is_empty() {
        return Ok(Imported { report, changes });
    }
    // Numbers that rows of the file refer to each other by are handed out while it is read, so it is read again with the real
    // ones. All of them are taken before anything is written.
    let last = changes.iter().filter_map(Change::id).filter(|id| *id >= PROVISIONAL).max();
    let Some(last) = last else { return Ok(Imported { report, changes }) };
    let count = u32::try_from(last - PROVISIONAL + 1).unwrap_or(u32::MAX);
    let first = registry.reserve_rows(kind.name, count).await?;
    let FileRows { report, changes } = Reading::run(reading, first).await?;
    Ok(Imported { report, changes })
}

impl Reading {
    async fn run(self: Arc<Self>, first_id: i64) -> Result<FileRows, ImportError> {
        let read = tokio::task::spawn_blocking(move || self.read(first_id));
        read.await.map_err(|_| ImportError::Stopped)?
    }

    fn read(&self, first_id: i64) -> Result<FileRows, ImportError> {
        let reader = self.kind.file_reader().ok_or(ImportError::NoFiles)?;
        let next = AtomicI64::new(first_id);
        let device = |text: &str| {
            let found = self.devices.resolve_among(text, |device| self.reader.sees_device(device.id));
            found.ok().map(|device| DeviceId(i64::from(device.id.0)))
        };
        let mut context = Context {
            register: &self.register,
            devices: &device,
            timezone: self.time_zone.clone(),
            datum: self.file.datum,
            unit: self.unit,
            recorded_at: self.now,
            recorded_by: self.file.who.clone(),
            new_id: &mut |_| next.fetch_add(1, Ordering::Relaxed),
        };
        let sheet = self.file.sheet.as_deref();
        Ok(reader(&self.file.bytes, sheet, &FILE_LIMITS, &mut context))
    }
}

/// The rows that names in a file are looked up in, and all of the file's own kind.
async fn register(registry: &Registry, kind: &Kind) -> Result<Register, ImportError> {
    let nothing = RowScope::Vehicles(std::collections::BTreeSet::new());
    let ends = (UtcMillis(i64::MIN), UtcMillis(i64::MAX));
    let (mut register, _) = registry.register(&nothing, ends.0, ends.1, Known::Now).await?;
    let mut rows: Vec<AnyRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| (row.id, row.valid.from, row.version));
        let filter = RowFilter { after, limit: ROWS_AT_ONCE, ..RowFilter::default() };
        let page = registry.any_rows(kind.name, &filter).await?;
        let is_last = page.len() < ROWS_AT_ONCE as usize;
        rows.extend(page);
        if is_last {
            break;
        }
    }
    kind.load(rows, &mut register)?;
    Ok(register)
}

/// The rows of a register that a reader sees. Looking at each takes a while, so it is done in a thread of its own.
async fn seen(mut register: Register, reader: Arc<dyn Reader>) -> Result<Register, ImportError> {
    let seen = tokio::task::spawn_blocking(move || {
        for kind in KINDS {
            kind.retain(&mut register, &*reader);
        }
        register
    });
    seen.await.map_err(|_| ImportError::Stopped)
}

/// The one unit that has this number, code or name.
fn unit_of(register: &Register, text: &str) -> Result<UnitId, ImportError> {
    let text = text.trim();
    let number = text.parse::<i64>().ok();
    let by_number = register.units.iter().filter(|unit| Some(unit.id) == number);
    let by_code = register.units.iter().filter(|unit| !text.is_empty() && unit.row.code == text);
    let by_name = register.units.iter().filter(|unit| !text.is_empty() && unit.row.name == text);
    let first_of = |ids: Vec<i64>| -> Option<UnitId> {
        let first = *ids.first()?;
        ids.iter().all(|id| *id == first).then_some(UnitId(first))
    };
    let found = first_of(by_code.map(|unit| unit.id).collect())
        .or_else(|| first_of(by_name.map(|unit| unit.id).collect()))
        .or_else(|| first_of(by_number.map(|unit| unit.id).collect()));
    found.ok_or_else(|| ImportError::Unit(text.to_owned()))
}
