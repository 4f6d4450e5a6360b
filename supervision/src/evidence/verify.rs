//! Checks a pack offline: nothing changed, nothing added, nothing missing, and judging the inputs again gives the same findings.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use serde::de::DeserializeOwned;

use super::manifest::{FORMAT, MANIFEST, Manifest, sha256_hex};
use super::{Judgement, MAX_ENTRIES, MAX_UNPACKED_BYTES, PackInputs};
use crate::finding::{Finding, FindingId};
use crate::judge::{VehicleHistory, judge_fleet, judge_vehicle};
use crate::world::{World, WorldError};

/// What a check found to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Verified {
    /// The manifest.
    pub manifest: Manifest,
    /// SHA-256 over the manifest: the pack's own name.
    pub manifest_sha256: String,
    /// The findings that were found again, with their rules; empty for a masked copy.
    pub reproduced: Vec<(FindingId, &'static str)>,
}

/// The first thing that is wrong with a pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is no ZIP, or cut short.
    #[error("not a readable archive: {0}")]
    NotAnArchive(String),
    /// It has more entries, or unpacks to more, than any pack does.
    #[error("{what} is more than {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// There is no manifest, or it can't be read.
    #[error("manifest.json: {0}")]
    Manifest(String),
    /// The form is newer than this program.
    #[error("the pack has form {found}, this program knows form {known}")]
    Format {
        /// Of the pack.
        found: u32,
        /// Of this program.
        known: u32,
    },
    /// An entry of the manifest is not there.
    #[error("{0} is in the manifest but not in the pack")]
    Missing(String),
    /// An entry is not in the manifest, or there twice.
    #[error("{0} is in the pack but not in the manifest")]
    Added(String),
    /// An entry was changed.
    #[error("{name} was changed: SHA-256 is {found}, the manifest says {expected}")]
    Changed {
        /// Its name.
        name: String,
        /// What it is now.
        found: String,
        /// What it was.
        expected: String,
    },
    /// An input can't be read.
    #[error("{name}: {reason}")]
    Input {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The registers can't be used.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Judging again gives another answer.
    #[error("judging the inputs again does not give finding {id} of rule {rule}")]
    NotReproduced {
        /// The finding.
        id: FindingId,
        /// Its rule.
        rule: &'static str,
    },
}

/// Checks a pack.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(pack: &[u8]) -> Result<Verified, VerifyError> {
    let entries = unpack(pack)?;
    let find =
        |name: &str| entries.iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes.as_slice());
    let manifest_bytes = find(MANIFEST).ok_or_else(|| VerifyError::Manifest("is missing".to_owned()))?;
    let manifest: Manifest =
        serde_json::from_slice(manifest_bytes).map_err(|error| VerifyError::Manifest(error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(VerifyError::Format { found: manifest.format, known: FORMAT });
    }
    check_hashes(&manifest, &entries)?;
    let reproduced = if manifest.is_masked { Vec::new() } else { reproduce(&find)? };
    Ok(Verified { manifest_sha256: sha256_hex(manifest_bytes), manifest, reproduced })
}

type Entries = Vec<(String, Vec<u8>)>;

fn unpack(pack: &[u8]) -> Result<Entries, VerifyError> {
    let not_archive = |error: &dyn std::fmt::Display| VerifyError::NotAnArchive(error.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(pack)).map_err(|error| not_archive(&error))?;
    if archive.len() > MAX_ENTRIES {
        return Err(VerifyError::TooLarge {
            what: "the number of entries".to_owned(),
            limit: MAX_ENTRIES as u64,
        });
    }
    let mut left = MAX_UNPACKED_BYTES;
    let mut entries: Entries = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| not_archive(&error))?;
        let name = entry.name().map_err(|error| not_archive(&error))?.into_owned();
        let mut bytes = Vec::new();
        // What the header says of the length is not believed.
        let read = entry
            .take(left + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| VerifyError::Input { name: name.clone(), reason: error.to_string() })?;
        left = left.checked_sub(read as u64).ok_or_else(|| VerifyError::TooLarge {
            what: "the unpacked pack, bytes,".to_owned(),
            limit: MAX_UNPACKED_BYTES,
        })?;
        entries.push((name, bytes));
    }
    Ok(entries)
}

fn check_hashes(manifest: &Manifest, entries: &Entries) -> Result<(), VerifyError> {
    let mut seen = BTreeSet::new();
    for (name, bytes) in entries {
        if !seen.insert(name.as_str()) {
            return Err(VerifyError::Added(name.clone()));
        }
        if name == MANIFEST {
            continue;
        }
        let listed = manifest.entries.iter().find(|entry| entry.name == *name);
        let listed = listed.ok_or_else(|| VerifyError::Added(name.clone()))?;
        let found = sha256_hex(bytes);
        if found != listed.sha256 {
            return Err(VerifyError::Changed { name: name.clone(), found, expected: listed.sha256.clone() });
        }
    }
    match manifest.entries.iter().find(|entry| !seen.contains(entry.name.as_str())) {
        Some(missing) => Err(VerifyError::Missing(missing.name.clone())),
        None => Ok(()),
    }
}

fn reproduce<'a>(
    find: &dyn Fn(&str) -> Option<&'a [u8]>,
) -> Result<Vec<(FindingId, &'static str)>, VerifyError> {
    let inputs = PackInputs {
        judgement: read::<Judgement>(find, "inputs/judgement.json")?,
        register: read(find, "inputs/register.json")?,
        segments: read(find, "inputs/segments.json")?,
        points: read(find, "inputs/points.json")?,
        others: read(find, "inputs/others.json")?,
        findings: read(find, "findings.json")?,
        ..PackInputs::default()
    };
    let again: BTreeSet<FindingId> = judge_again(&inputs)?.iter().map(Finding::id).collect();
    let found = |finding: &Finding| {
        let (id, rule) = (finding.id(), finding.rule.code());
        if again.contains(&id) { Ok((id, rule)) } else { Err(VerifyError::NotReproduced { id, rule }) }
    };
    inputs.findings.iter().map(found).collect()
}

fn read<'a, T: DeserializeOwned>(
    find: &dyn Fn(&str) -> Option<&'a [u8]>,
    name: &str,
) -> Result<T, VerifyError> {
    let bytes = find(name).ok_or_else(|| VerifyError::Missing(name.to_owned()))?;
    serde_json::from_slice(bytes)
        .map_err(|error| VerifyError::Input { name: name.to_owned(), reason: error.to_string() })
}

/// Judges the inputs of a pack again.
pub(super) fn judge_again(inputs: &PackInputs) -> Result<Vec<Finding>, WorldError> {
    let judgement = &inputs.judgement;
    let world = World::new(inputs.register.clone(), &judgement.time_zone)?;
    let days = judgement.first_day..=judgement.last_day;
    let history = VehicleHistory {
        vehicle: judgement.vehicle,
        segments: &inputs.segments,
        points: &inputs.points,
        known_to: judgement.known_to,
    };
    let mut findings = judge_vehicle(&world, history, days.clone());
    let mut fleet = vec![history];
    fleet.extend(inputs.others.iter().map(|other| VehicleHistory {
        vehicle: other.vehicle,
        segments: &other.segments,
        points: &[],
        known_to: judgement.known_to,
    }));
    findings.extend(judge_fleet(&world, &fleet, days));
    Ok(findings)
}
