//! Columns in memory, and how they get there from a file.

use std::ops::Range;

use super::super::error::TracksError;
use super::super::read::OpenFile;
use super::super::row::Row;
use super::super::schema;
use super::field::Field;
use crate::ids::DeviceId;

/// Rows as columns: times, and a vector for each field asked for, all of one length.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) time_ms: Vec<i64>,
    /// In the order of the fields asked for.
    pub(super) values: Vec<Vec<i64>>,
}

impl Block {
    pub(super) fn new(fields: &[Field]) -> Self {
        Self { time_ms: Vec::new(), values: vec![Vec::new(); fields.len()] }
    }

    pub(super) fn clear(&mut self) {
        self.time_ms.clear();
        self.values.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn push(&mut self, row: &Row, fields: &[Field]) {
        self.time_ms.push(row.fix.fix_time.0);
        for (values, field) in self.values.iter_mut().zip(fields) {
            values.push(field.of(row));
        }
    }

    /// Adds `rows` of `other`, which has the same fields.
    pub(super) fn extend(&mut self, other: &Self, rows: Range<usize>) {
        self.time_ms.extend_from_slice(&other.time_ms[rows.clone()]);
        for (values, others) in self.values.iter_mut().zip(&other.values) {
            values.extend_from_slice(&others[rows.clone()]);
        }
    }

    /// Adds row `row` of `other`, which has the same fields.
    pub(super) fn push_of(&mut self, other: &Self, row: usize) {
        self.time_ms.push(other.time_ms[row]);
        for (values, others) in self.values.iter_mut().zip(&other.values) {
            values.push(others[row]);
        }
    }
}

/// The rows of some devices out of one source: where each device's are in the block, by device.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) block: Block,
    pub(super) spans: Vec<(DeviceId, Range<usize>)>,
}

/// Reads columns of files and counts the pages.
#[derive(Debug, Default)]
pub(super) struct ColumnReader {
    second: Vec<i64>,
    /// Pages decoded.
    pub(super) pages: u64,
}

impl ColumnReader {
    /// Adds the fix times of `rows` to `out`, milliseconds.
    pub(super) fn times(
        &mut self,
        file: &OpenFile,
        rows: &Range<u32>,
        out: &mut Vec<i64>,
    ) -> Result<(), TracksError> {
        self.pair(file, rows, (schema::TIME_S, Some(schema::TIME_MS), 1_000), out)
    }

    /// Adds the values of `field` to `out`.
    pub(super) fn field(
        &mut self,
        file: &OpenFile,
        rows: &Range<u32>,
        field: Field,
        out: &mut Vec<i64>,
    ) -> Result<(), TracksError> {
        let scale = if field.digit_column().is_some() { 10 } else { 1 };
        self.pair(file, rows, (field.column(), field.digit_column(), scale), out)
    }

    /// Adds `coarse * scale + fine` to `out`.
    fn pair(
        &mut self,
        file: &OpenFile,
        rows: &Range<u32>,
        (coarse, fine, scale): (schema::Column, Option<schema::Column>, i64),
        out: &mut Vec<i64>,
    ) -> Result<(), TracksError> {
        let start = out.len();
        self.column(file, coarse, rows, out)?;
        let Some(fine) = fine else { return Ok(()) };
        let out = out.get_mut(start..).unwrap_or_default();
        out.iter_mut().for_each(|value| *value = value.wrapping_mul(scale));
        if file.index().columns.contains(fine) {
            let mut digits = std::mem::take(&mut self.second);
            digits.clear();
            self.column(file, fine, rows, &mut digits)?;
            for (value, digit) in out.iter_mut().zip(&digits) {
                *value = value.wrapping_add(*digit);
            }
            self.second = digits;
        }
        Ok(())
    }

    fn column(
        &mut self,
        file: &OpenFile,
        column: schema::Column,
        rows: &Range<u32>,
        out: &mut Vec<i64>,
    ) -> Result<(), TracksError> {
        if !rows.is_empty() && file.index().columns.contains(column) {
            let pages = file.index().page_of(rows.end - 1) - file.index().page_of(rows.start) + 1;
            self.pages += pages as u64;
        }
        file.column_into(column, rows, out)
    }
}
