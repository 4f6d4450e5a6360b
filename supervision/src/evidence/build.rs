//! Makes a pack, and refuses to make one that would not give the same findings again.

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

use super::manifest::{FORMAT, MANIFEST, Manifest, ManifestEntry, sha256_hex};
use super::{PackInputs, mask, report, tables, verify};
use crate::finding::FindingId;
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
    #[error("judging the inputs again does not give finding {id} of rule {rule}")]
    NotReproduced {
        /// The finding.
        id: FindingId,
        /// Its rule.
        rule: &'static str,
    },
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
    let reproduced: BTreeSet<FindingId> = verify::judge_again(inputs)?.iter().map(|f| f.id()).collect();
    if let Some(lost) = inputs.findings.iter().find(|finding| !reproduced.contains(&finding.id())) {
        return Err(PackError::NotReproduced { id: lost.id(), rule: lost.rule.code() });
    }
    let (_, full_manifest) = entries(inputs, false, None)?;
    match copy {
        Copy::Full => {
            let (parts, manifest) = entries(inputs, false, None)?;
            archive(&parts, &manifest)
        }
        Copy::Masked => {
            let full = sha256_hex(&json(MANIFEST, &full_manifest)?);
            let (parts, manifest) = entries(&mask::masked(inputs), true, Some(full))?;
            archive(&parts, &manifest)
        }
    }
}

type Parts = Vec<(&'static str, Vec<u8>)>;

/// All entries but the manifest, sorted by name, and the manifest.
fn entries(
    inputs: &PackInputs,
    is_masked: bool,
    full_pack: Option<String>,
) -> Result<(Parts, Manifest), PackError> {
    let mut parts: Parts = vec![
        ("case.json", json("case.json", &inputs.case)?),
        ("findings.json", json("findings.json", &inputs.findings)?),
        ("inputs/judgement.json", json("inputs/judgement.json", &inputs.judgement)?),
        ("inputs/others.json", json("inputs/others.json", &inputs.others)?),
        ("inputs/points.json", json("inputs/points.json", &inputs.points)?),
        ("inputs/register.json", json("inputs/register.json", &inputs.register)?),
        ("inputs/segments.json", json("inputs/segments.json", &inputs.segments)?),
        ("orders.csv", tables::orders_csv(inputs)?),
        ("report.html", report::html(inputs, is_masked).into_bytes()),
        ("rules.json", json("rules.json", &tables::rules(inputs))?),
        ("track.csv", tables::track_csv(inputs)?),
        ("track.geojson", json("track.geojson", &tables::track_geojson(inputs))?),
    ];
    if !is_masked {
        parts.push(("frames.csv", tables::frames_csv(inputs)?));
    }
    parts.sort_by_key(|(name, _)| *name);
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
