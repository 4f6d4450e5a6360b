//! Makes a pack, and refuses to make one that would not give the same findings again.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

use super::manifest::{FORMAT, MANIFEST, Manifest, ManifestEntry, sha256_hex};
use super::{Mismatch, PackInputs, mask, report, tables, verify};
use crate::world::WorldError;

/// Which copy of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "full or masked")]
pub enum Copy {
    /// Everything, for those who decide.
    Full,
    /// For the unit: without names, telephones, vehicle numbers and raw frames.
    Masked,
}

/// Why a pack can't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// Judging the inputs again gives other findings; the pack would prove nothing.
    #[error(transparent)]
    Judged(#[from] Mismatch),
    /// The registers can't be used.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A part can't be written as JSON or CSV.
    #[error("can't write {what}: {reason}")]
    Write {
        /// Which part.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

pub(super) fn json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>, PackError> {
    serde_json::to_vec_pretty(value).map_err(|error| PackError::Write { what, reason: error.to_string() })
}

/// One pack as bytes. The same inputs give the same bytes.
///
/// # Errors
/// When judging the inputs again would not give the same findings, or something can't be written.
pub fn build(inputs: &PackInputs, copy: Copy) -> Result<Vec<u8>, PackError> {
    verify::compare(&inputs.findings, &verify::judge_again(inputs)?)?;
    let (full_parts, full_manifest) = entries(inputs, false, None)?;
    match copy {
        Copy::Full => archive(&full_parts, &full_manifest),
        Copy::Masked => {
            let full = sha256_hex(&json(MANIFEST, &full_manifest)?);
            let (parts, manifest) = entries(&mask::masked(inputs), true, Some(full))?;
            archive(&parts, &manifest)
        }
    }
}

type Parts = Vec<(&'static str, Vec<u8>)>;

/// The entries of every pack but the manifest, sorted, and whether each is written for readers from inputs and findings alone.
const NAMES: [(&str, bool); 13] = [
    ("case.json", false),
    ("findings.json", false),
    (FRAMES, false),
    ("inputs/judgement.json", false),
    ("inputs/others.json", false),
    ("inputs/points.json", false),
    ("inputs/register.json", false),
    ("inputs/segments.json", false),
    ("orders.csv", true),
    ("report.html", true),
    ("rules.json", true),
    ("track.csv", true),
    ("track.geojson", true),
];

/// The one entry that masked copies lack.
const FRAMES: &str = "frames.csv";

/// The names of the entries of a full pack or of a masked copy, without the manifest.
pub(super) fn names(is_masked: bool) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().map(|(name, _)| name).filter(move |name| !(is_masked && *name == FRAMES))
}

/// Whether an entry must be, byte for byte, what inputs and findings make of it.
pub(super) fn is_derived(name: &str) -> bool {
    NAMES.contains(&(name, true))
}

/// All entries but the manifest, sorted by name.
pub(super) fn parts(inputs: &PackInputs, is_masked: bool) -> Result<Parts, PackError> {
    names(is_masked).map(|name| Ok((name, part(inputs, name, is_masked)?))).collect()
}

fn part(inputs: &PackInputs, name: &'static str, is_masked: bool) -> Result<Vec<u8>, PackError> {
    match name {
        "case.json" => json(name, &inputs.case),
        "findings.json" => json(name, &inputs.findings),
        FRAMES => tables::frames_csv(inputs),
        "inputs/judgement.json" => json(name, &inputs.judgement),
        "inputs/others.json" => json(name, &inputs.others),
        "inputs/points.json" => json(name, &inputs.points),
        "inputs/register.json" => json(name, &inputs.register),
        "inputs/segments.json" => json(name, &inputs.segments),
        "orders.csv" => tables::orders_csv(inputs),
        "report.html" => Ok(report::html(inputs, is_masked).into_bytes()),
        "rules.json" => json(name, &tables::rules(inputs)),
        "track.csv" => tables::track_csv(inputs),
        "track.geojson" => json(name, &tables::track_geojson(inputs)),
        unknown => Err(PackError::Write { what: unknown, reason: "no entry of this name".to_owned() }),
    }
}

/// All entries but the manifest, sorted by name, and the manifest.
fn entries(
    inputs: &PackInputs,
    is_masked: bool,
    full_pack: Option<String>,
) -> Result<(Parts, Manifest), PackError> {
    let parts = parts(inputs, is_masked)?;
    let manifest = Manifest {
        format: FORMAT,
        program: inputs.program.clone(),
        made_at: inputs.made_at,
        made_by: if is_masked { String::new() } else { inputs.made_by.clone() },
        is_masked,
        full_pack,
        entries: parts.iter().map(|(name, bytes)| ManifestEntry::of(name, bytes)).collect(),
    };
    Ok((parts, manifest))
}

fn archive(parts: &Parts, manifest: &Manifest) -> Result<Vec<u8>, PackError> {
    let failed = |reason: String| PackError::Write { what: "the archive", reason };
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // One fixed time, so that the same inputs give the same bytes.
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    let manifest = json(MANIFEST, manifest)?;
    for (name, bytes) in parts.iter().map(|(name, bytes)| (*name, bytes)).chain([(MANIFEST, &manifest)]) {
        zip.start_file(name, options).map_err(|error| failed(error.to_string()))?;
        zip.write_all(bytes).map_err(|error| failed(error.to_string()))?;
    }
    Ok(zip.finish().map_err(|error| failed(error.to_string()))?.into_inner())
}
