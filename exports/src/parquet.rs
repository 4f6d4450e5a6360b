//! Parquet: the columns of the archive, all of them, in one file. See [`motorpool_storage::tracks`] for their meaning.

use std::io::Write;

use motorpool_storage::tracks::{Row, write_parquet};

use super::ExportError;

/// Writes a file with a line for each row; returns how many rows there were.
///
/// # Errors
///
/// The first row that can't be read or written.
pub fn write<W: Write + Send>(
    out: W,
    rows: impl Iterator<Item = Result<Row, ExportError>>,
) -> Result<u64, ExportError> {
    write_parquet(out, rows)
}
