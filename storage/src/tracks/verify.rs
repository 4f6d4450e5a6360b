//! The offline check: is every file of the manifest whole, in order and rightly indexed?

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::{At, TracksError};
use super::index::{self, FileIndex};
use super::manifest::{self, FileMeta, Manifest};
use super::read::{Cursor, OpenFile, SIDECAR_ROWS_MIN, build_index};
use super::row::Row;

/// What was found in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// Files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of the Parquet files.
    pub bytes: u64,
    /// Sidecars that are missing or of another version; harmless, they are made again.
    pub sidecars_missing: Vec<PathBuf>,
}

/// Checks the archive in `dir` from the manifest down to every row: sizes, checksums, row counts, order, days,
/// duplicates within a file, and sidecars. Tells `progress` after each file how many are done, of how many.
///
/// # Errors
///
/// The first item that is not as it should be, with its path.
pub fn verify(dir: &Path, mut progress: impl FnMut(usize, usize)) -> Result<Verified, TracksError> {
    let path = dir.join(manifest::NAME);
    if !path.exists() {
        return Err(TracksError::bad(&path, "missing"));
    }
    let manifest = Manifest::load(dir)?;
    let mut verified = Verified::default();
    for (done, meta) in manifest.files.iter().enumerate() {
        verify_file(dir, meta, &mut verified)?;
        progress(done + 1, manifest.files.len());
    }
    Ok(verified)
}

/// As [`verify`], but goes on behind what is not as it should be, and names all of it.
///
/// # Errors
///
/// When the manifest is missing, damaged, or made by a newer program: then nothing tells which files there should be.
pub fn verify_all(dir: &Path) -> Result<(Verified, Vec<TracksError>), TracksError> {
    let path = dir.join(manifest::NAME);
    if !path.exists() {
        return Err(TracksError::bad(&path, "missing"));
    }
    let (mut verified, mut bad) = (Verified::default(), Vec::new());
    for meta in &Manifest::load(dir)?.files {
        if let Err(error) = verify_file(dir, meta, &mut verified) {
            bad.push(error);
        }
    }
    Ok((verified, bad))
}

fn verify_file(dir: &Path, meta: &FileMeta, verified: &mut Verified) -> Result<(), TracksError> {
    let path = meta.path(dir);
    let file = File::open(&path).at(&path)?;
    let bytes = file.metadata().at(&path)?.len();
    if bytes != meta.bytes {
        return Err(TracksError::bad(&path, format!("{bytes} bytes long, not {}", meta.bytes)));
    }
    let built = build_index(&path, &file, meta)?;
    let sidecar = meta.index_path(dir);
    match fs::read(&sidecar) {
        Ok(found) => match FileIndex::decode(&found) {
            Ok(found) if found.agrees_with(&built) => {}
            Ok(_) => return Err(TracksError::bad(&sidecar, "does not agree with its file")),
            Err(index::OTHER_VERSION) => verified.sidecars_missing.push(sidecar),
            Err(reason) => return Err(TracksError::bad(&sidecar, reason)),
        },
        Err(_) if meta.rows >= SIDECAR_ROWS_MIN => verified.sidecars_missing.push(sidecar),
        Err(_) => {}
    }
    let opened = OpenFile::with_index(&path, file, built);
    let mut last: Option<Row> = None;
    for (number, row) in Cursor::new(std::sync::Arc::new(opened)).enumerate() {
        let row = row?;
        if row.partition() != meta.day {
            let reason = format!("row {number} belongs to day {}", row.partition());
            return Err(TracksError::bad(&path, reason));
        }
        if let Some(last) = &last {
            if last.is_duplicate_of(&row) {
                return Err(TracksError::bad(&path, format!("row {number} is a duplicate")));
            }
            if last.archive_cmp(&row).is_gt() {
                return Err(TracksError::bad(&path, format!("row {number} is out of order")));
            }
        }
        last = Some(row);
    }
    verified.files += 1;
    verified.rows += meta.rows;
    verified.bytes += meta.bytes;
    Ok(())
}
