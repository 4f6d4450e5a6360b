//! Rows as one Parquet file with every column, for other programs. No part of the archive.

use std::io::{self, Write};
use std::sync::Arc;

use super::encode::RowWriter;
use super::row::Row;
use super::schema::{ColumnSet, Effort, properties};

/// Rows of a page.
const PAGE_ROWS: usize = 4_096;

/// Writes `rows` as one Parquet file with all columns of the archive; returns how many rows there were. Holds a page of each column.
///
/// # Errors
///
/// The first row that can't be read or written ends the file.
pub fn write_parquet<W: Write + Send, E: From<io::Error>>(
    out: W,
    rows: impl Iterator<Item = Result<Row, E>>,
) -> Result<u64, E> {
    let properties = Arc::new(properties(PAGE_ROWS, Effort::Quick));
    let mut writer = RowWriter::new(out, ColumnSet::ALL, &properties).map_err(io::Error::other)?;
    for row in rows {
        writer.push(&row?).map_err(io::Error::other)?;
    }
    let (mut out, written) = writer.finish().map_err(io::Error::other)?;
    out.flush()?;
    Ok(written)
}
