//! Files in; rows or errors out.
//!
//! An office sends what it has: CSV from a platform, a workbook that somebody typed, in GBK or UTF-8, with Chinese or English
//! headers. This module turns such a file into rows of the register, or into a list of what is wrong by row and column, and
//! tracks into points. Bytes come in as values; nothing here opens a file, and nothing is taken in halves.
//!
//! ```text
//! bytes ──▶ text, table ──▶ headers ──▶ rows of cells ──▶ values, names ──▶ drafts ──▶ checks ──▶ versions | report
//! ```

mod csv_file;
mod headers;
mod import;
mod kinds;
mod names;
mod problem;
mod row_reader;
mod table;
#[cfg(test)]
mod tests;
mod text;
pub mod tracks;
mod values;
mod xlsx_file;

pub use import::{Context, Import, Report};
pub use kinds::Importable;
pub use problem::{Fault, MAX_PROBLEMS, MAX_VALUE_CHARS, Problem, Problems};
pub use table::{
    Cell, HEADER_WITHIN_ROWS, Limits, MAX_BYTES, MAX_CELL_BYTES, MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Row,
    Table, TableError,
};
pub use text::GZIP_MAGIC;
pub use values::{Datum, normalise_plate};
