//! Rows of rollups as columns in memory: of a file, decoded when they are asked for, or of sums made just now.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use motorpool_storage::ids::DeviceId;
use motorpool_storage::priority::breathe_at;
use motorpool_supervision::rollups::Sums;
use rustc_hash::FxHashSet;

use crate::RollupsError;
use crate::columns::{self, COLUMNS, Column};
use crate::file::Encoded;

/// The sums of one device in one slot, or on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a row")]
pub struct Entry {
    /// The device.
    pub device: DeviceId,
    /// The slot, or the day: what [`Column::Slot`] holds.
    pub at: i32,
    /// What it did.
    pub sums: Sums,
}

/// Rows in order of device and slot.
#[derive(Debug)]
pub struct Table {
    rows: usize,
    columns: [OnceLock<Arc<Vec<i64>>>; COLUMNS],
    runs: OnceLock<Arc<Vec<Run>>>,
    /// Where columns that were not asked for yet come from.
    encoded: Option<Encoded>,
}

/// The rows of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Run {
    /// The device.
    pub device: DeviceId,
    /// Its rows.
    pub rows: Range<usize>,
}

impl Table {
    /// Of entries in order of device and slot.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Self {
        let mut columns: [Vec<i64>; COLUMNS] = std::array::from_fn(|_| Vec::with_capacity(entries.len()));
        for (number, entry) in entries.iter().enumerate() {
            breathe_at(number);
            let row = columns::numbers(entry.device.0.into(), entry.at.into(), &entry.sums);
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        Self::decoded(columns)
    }

    /// Of columns of one length.
    pub(crate) fn decoded(columns: [Vec<i64>; COLUMNS]) -> Self {
        Self {
            rows: columns.first().map_or(0, Vec::len),
            columns: columns.map(|column| OnceLock::from(Arc::new(column))),
            runs: OnceLock::new(),
            encoded: None,
        }
    }

    pub(crate) fn encoded(encoded: Encoded) -> Self {
        let columns = std::array::from_fn(|_| OnceLock::new());
        Self { rows: encoded.rows(), columns, runs: OnceLock::new(), encoded: Some(encoded) }
    }

    /// How many rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The values of a column, [`Table::is_none`] where there is none.
    ///
    /// # Errors
    /// When the file does not hold what was written to it.
    pub fn column(&self, column: Column) -> Result<Arc<Vec<i64>>, RollupsError> {
        let Some(cell) = self.columns.get(column as usize) else { return Ok(Arc::default()) };
        if let Some(values) = cell.get() {
            return Ok(Arc::clone(values));
        }
        let values = match &self.encoded {
            Some(encoded) => encoded.column(column)?,
            None => Vec::new(),
        };
        Ok(Arc::clone(cell.get_or_init(|| Arc::new(values))))
    }

    /// Decodes every column, which the next to ask does not have to.
    ///
    /// # Errors
    /// When the file does not hold what was written to it.
    pub(crate) fn decode(&self) -> Result<(), RollupsError> {
        Column::ALL.iter().try_for_each(|column| self.column(*column).map(drop))
    }

    /// Whether a value of a column stands for none.
    #[must_use]
    pub const fn is_none(value: i64) -> bool {
        value == columns::NONE
    }

    /// The rows of each device, lowest number first.
    ///
    /// # Errors
    /// When the file does not hold what was written to it.
    pub fn runs(&self) -> Result<Arc<Vec<Run>>, RollupsError> {
        if let Some(runs) = self.runs.get() {
            return Ok(Arc::clone(runs));
        }
        let devices = self.column(Column::Device)?;
        let mut runs: Vec<Run> = Vec::new();
        let mut begin = 0;
        for run in devices.chunk_by(|a, b| a == b) {
            let number = run.first().and_then(|device| u32::try_from(*device).ok());
            let rows = begin..begin + run.len();
            begin = rows.end;
            runs.extend(number.map(|number| Run { device: DeviceId(number), rows }));
        }
        Ok(Arc::clone(self.runs.get_or_init(|| Arc::new(runs))))
    }

    /// Every row.
    ///
    /// # Errors
    /// When the file does not hold what was written to it.
    pub fn entries(&self) -> Result<Vec<Entry>, RollupsError> {
        let columns = Column::ALL.iter().map(|column| self.column(*column)).collect::<Result<Vec<_>, _>>()?;
        let value = |column: Column, row: usize| {
            columns.get(column as usize).and_then(|values| values.get(row)).copied().unwrap_or(columns::NONE)
        };
        let entry = |row| {
            breathe_at(row);
            Some(Entry {
                device: DeviceId(u32::try_from(value(Column::Device, row)).ok()?),
                at: i32::try_from(value(Column::Slot, row)).ok()?,
                sums: columns::sums(|column| value(column, row)),
            })
        };
        Ok((0..self.rows).filter_map(entry).collect())
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let decoded = self.columns.iter().filter(|column| column.get().is_some()).count();
        decoded * self.rows * size_of::<i64>() + self.encoded.as_ref().map_or(0, Encoded::bytes)
    }
}

/// A table of which some devices do not count, because another part has newer rows of them.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Part {
    /// The rows.
    pub table: Arc<Table>,
    /// The devices that do not count.
    pub without: Arc<FxHashSet<DeviceId>>,
}

impl Part {
    /// All of a table.
    #[must_use]
    pub fn whole(table: Arc<Table>) -> Self {
        Self { table, without: Arc::default() }
    }
}
