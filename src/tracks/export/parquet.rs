//! Parquet: the columns of the archive, all of them, in one file. See [`crate::tracks`] for their meaning.

use std::io::{self, Write};
use std::sync::Arc;

use super::ExportError;
use crate::tracks::encode::RowWriter;
use crate::tracks::error::TracksError;
use crate::tracks::row::Row;
use crate::tracks::schema::{ColumnSet, Effort, properties};

/// Rows of a page.
const PAGE_ROWS: usize = 4_096;

/// Writes a file with a line for each row; returns how many rows there were.
///
/// # Errors
///
/// The first row that can't be read or written.
pub fn write<W: Write + Send>(
    out: W,
    rows: impl Iterator<Item = Result<Row, TracksError>>,
) -> Result<u64, ExportError> {
    let properties = Arc::new(properties(PAGE_ROWS, Effort::Quick));
    let mut writer = RowWriter::new(out, ColumnSet::ALL, &properties).map_err(io::Error::other)?;
    for row in rows {
        writer.push(&row?).map_err(io::Error::other)?;
    }
    let (mut out, written) = writer.finish().map_err(io::Error::other)?;
    out.flush()?;
    Ok(written)
}
