//! Checks a pack offline: nothing changed, nothing added, nothing missing, judging the inputs again gives the same findings and
//! no other, and what is written for readers is what the inputs say.
//!
//! What a pack can't prove from its own inputs: `case.json` and `frames.csv` are only held against the manifest, and who wrote
//! the manifest is not signed. A masked copy proves nothing of itself but that it is unchanged; its full pack proves it.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::archive::{Entries, unpack};
use super::build::{self, PackError};
use super::manifest::{FORMAT, MANIFEST, Manifest, sha256_hex};
use super::{Judgement, PackInputs, mask};
use crate::finding::{Finding, FindingId, Outcome};
use crate::ids::VehicleId;
use crate::judge::{VehicleHistory, judge_fleet, judge_vehicle};
use crate::world::{World, WorldError};

/// What this program calls itself in packs.
pub const PROGRAM: &str = concat!("motorpool ", env!("CARGO_PKG_VERSION"));

/// What a check found to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Verified {
    /// The manifest.
    pub manifest: Manifest,
    /// SHA-256 over the manifest: the pack's own name.
    pub manifest_sha256: String,
    /// How much the check proves.
    pub proof: Proof,
    /// The findings that were found again, with their rules; empty for a masked copy.
    pub reproduced: Vec<(FindingId, &'static str)>,
}

/// How much a check proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must say each of them")]
pub enum Proof {
    /// A full pack: its findings follow from its inputs.
    Judged,
    /// A masked copy by itself: unchanged since it was made, origin not proven.
    UnchangedOnly,
    /// A masked copy that names the full pack whose hash was given; that its content comes from there is not proven.
    NamesFullPack,
    /// A masked copy that is, byte for byte, what masking the full pack gives.
    CopyOfFullPack,
}

/// The first thing that is wrong with a pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is no ZIP, cut short, or written in another way than packs are.
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
    /// An entry that every pack has is not there.
    #[error("{0} is not in the pack")]
    Missing(String),
    /// An entry is not in the manifest, or is none that packs have.
    #[error("{0} is in the pack but does not belong there")]
    Added(String),
    /// An entry is there twice.
    #[error("{0} is in the pack twice")]
    Twice(String),
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
    /// The inputs can't be judged here: nothing is said about the pack.
    #[error("can't judge the inputs here: {0}")]
    World(#[from] WorldError),
    /// What follows from the inputs can't be written again.
    #[error(transparent)]
    Rebuild(PackError),
    /// Judging again gives another answer.
    #[error(transparent)]
    Judged(#[from] Mismatch),
    /// An entry is not what the inputs, or the full pack, make of it.
    #[error("{0} is not what follows from the inputs")]
    NotDerived(String),
    /// Another version of the program made the pack, and this one comes to something else.
    #[error(
        "{reason}; the pack was made by {made_by}, this is {PROGRAM}: check it with the version that made it"
    )]
    OtherProgram {
        /// Program and version of the pack.
        made_by: String,
        /// What differs.
        reason: Box<Self>,
    },
    /// A masked copy was expected, or a full pack.
    #[error("the {0} pack is none")]
    WrongCopy(&'static str),
    /// The masked copy is one of another full pack.
    #[error("the copy is one of the pack {named}, not of {given}")]
    OtherFullPack {
        /// SHA-256 that the copy names.
        named: String,
        /// SHA-256 of the pack that was given.
        given: String,
    },
}

/// How the findings of a pack and those that judging its inputs gives differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// A finding of the pack that judging does not give, or that the pack has twice.
    #[error("judging the inputs again does not give finding {id} of rule {rule}")]
    NotReproduced {
        /// The finding.
        id: FindingId,
        /// Its rule.
        rule: &'static str,
    },
    /// A flag that judging gives and the pack leaves out.
    #[error("judging the inputs gives finding {id} of rule {rule}, which is left out")]
    LeftOut {
        /// The finding.
        id: FindingId,
        /// Its rule.
        rule: &'static str,
    },
}

/// Checks a pack by itself.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(pack: &[u8]) -> Result<Verified, VerifyError> {
    Ok(Opened::new(pack)?.verified)
}

/// Checks a masked copy against its full pack: masking the full pack gives this copy.
///
/// # Errors
/// The first thing that is wrong with either.
pub fn verify_copy(masked: &[u8], full: &[u8]) -> Result<Verified, VerifyError> {
    let full = Opened::new(full)?;
    let named = verify_copy_of(masked, &full.verified.manifest_sha256)?;
    let inputs = full.inputs.ok_or(VerifyError::WrongCopy("full"))?;
    let parts = build::parts(&mask::masked(&inputs), true).map_err(VerifyError::Rebuild)?;
    let listed = &named.manifest.entries;
    let differs = parts.iter().find(|(name, bytes)| {
        let entry = listed.iter().find(|entry| entry.name == *name);
        entry.is_none_or(|entry| entry.sha256 != sha256_hex(bytes))
    });
    match differs {
        Some((name, _)) => {
            Err(of_other_program(VerifyError::NotDerived((*name).to_owned()), &named.manifest.program))
        }
        None => Ok(Verified { proof: Proof::CopyOfFullPack, ..named }),
    }
}

/// Checks that a masked copy names the full pack whose manifest has the SHA-256 `full_manifest` (hex).
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_copy_of(masked: &[u8], full_manifest: &str) -> Result<Verified, VerifyError> {
    let verified = verify(masked)?;
    let Some(named) = &verified.manifest.full_pack else { return Err(VerifyError::WrongCopy("masked")) };
    if !named.eq_ignore_ascii_case(full_manifest.trim()) {
        return Err(VerifyError::OtherFullPack {
            named: named.clone(),
            given: full_manifest.trim().to_owned(),
        });
    }
    Ok(Verified { proof: Proof::NamesFullPack, ..verified })
}

/// A pack that was read and checked.
struct Opened {
    verified: Verified,
    /// Of a full pack.
    inputs: Option<PackInputs>,
}

impl Opened {
    fn new(pack: &[u8]) -> Result<Self, VerifyError> {
        let entries = unpack(pack)?;
        let manifest_bytes =
            find(&entries, MANIFEST).ok_or_else(|| VerifyError::Manifest("is missing".to_owned()))?;
        let manifest: Manifest = serde_json::from_slice(manifest_bytes)
            .map_err(|error| VerifyError::Manifest(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(VerifyError::Format { found: manifest.format, known: FORMAT });
        }
        if manifest.is_masked != manifest.full_pack.is_some() {
            return Err(VerifyError::Manifest("only a masked copy names a full pack".to_owned()));
        }
        check_hashes(&manifest, &entries)?;
        let inputs = if manifest.is_masked { None } else { Some(inputs(&entries, &manifest)?) };
        let reproduced = match &inputs {
            Some(inputs) => {
                reproduce(inputs, &entries).map_err(|error| of_other_program(error, &manifest.program))?
            }
            None => Vec::new(),
        };
        let proof = if manifest.is_masked { Proof::UnchangedOnly } else { Proof::Judged };
        let manifest_sha256 = sha256_hex(manifest_bytes);
        Ok(Self { verified: Verified { manifest, manifest_sha256, proof, reproduced }, inputs })
    }
}

/// Names both programs when it was another one that made the pack.
fn of_other_program(error: VerifyError, made_by: &str) -> VerifyError {
    let can_differ = matches!(error, VerifyError::Judged(_) | VerifyError::NotDerived(_));
    if can_differ && made_by != PROGRAM {
        VerifyError::OtherProgram { made_by: made_by.to_owned(), reason: Box::new(error) }
    } else {
        error
    }
}

fn find<'a>(entries: &'a Entries, name: &str) -> Option<&'a [u8]> {
    entries.iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes.as_slice())
}

fn check_hashes(manifest: &Manifest, entries: &Entries) -> Result<(), VerifyError> {
    let mut listed = BTreeSet::new();
    if let Some(twice) = manifest.entries.iter().find(|entry| !listed.insert(entry.name.as_str())) {
        return Err(VerifyError::Manifest(format!("{} is listed twice", twice.name)));
    }
    for (name, bytes) in entries.iter().filter(|(name, _)| name != MANIFEST) {
        let listed = manifest.entries.iter().find(|entry| entry.name == *name);
        let belongs = build::names(manifest.is_masked).any(|known| known == name);
        let listed = listed.filter(|_| belongs).ok_or_else(|| VerifyError::Added(name.clone()))?;
        let found = sha256_hex(bytes);
        if found != listed.sha256 || bytes.len() as u64 != listed.length {
            return Err(VerifyError::Changed { name: name.clone(), found, expected: listed.sha256.clone() });
        }
    }
    let expected: BTreeSet<&str> = build::names(manifest.is_masked).collect();
    match expected.union(&listed).find(|name| find(entries, name).is_none()) {
        Some(missing) => Err(VerifyError::Missing((*missing).to_owned())),
        None => Ok(()),
    }
}

/// What a full pack was made of, but for the case and the frames, from which nothing follows.
fn inputs(entries: &Entries, manifest: &Manifest) -> Result<PackInputs, VerifyError> {
    Ok(PackInputs {
        judgement: read::<Judgement>(entries, "inputs/judgement.json")?,
        register: read(entries, "inputs/register.json")?,
        segments: read(entries, "inputs/segments.json")?,
        points: read(entries, "inputs/points.json")?,
        others: read(entries, "inputs/others.json")?,
        findings: read(entries, "findings.json")?,
        made_at: manifest.made_at,
        made_by: manifest.made_by.clone(),
        program: manifest.program.clone(),
        ..PackInputs::default()
    })
}

fn read<T: DeserializeOwned>(entries: &Entries, name: &str) -> Result<T, VerifyError> {
    let bytes = find(entries, name).ok_or_else(|| VerifyError::Missing(name.to_owned()))?;
    serde_json::from_slice(bytes)
        .map_err(|error| VerifyError::Input { name: name.to_owned(), reason: error.to_string() })
}

fn reproduce(inputs: &PackInputs, entries: &Entries) -> Result<Vec<(FindingId, &'static str)>, VerifyError> {
    compare(&inputs.findings, &judge_again(inputs)?)?;
    let parts = build::parts(inputs, false).map_err(VerifyError::Rebuild)?;
    let differs = parts
        .iter()
        .filter(|(name, _)| build::is_derived(name))
        .find(|(name, bytes)| find(entries, name) != Some(bytes.as_slice()));
    if let Some((name, _)) = differs {
        return Err(VerifyError::NotDerived((*name).to_owned()));
    }
    Ok(inputs.findings.iter().map(|finding| (finding.id(), finding.rule.code())).collect())
}

/// Every stored finding must be judged again, and every flag that is judged must be stored: neither is anything made up nor is
/// anything left out. Undecidable findings and those on trial may be left out.
pub(super) fn compare(stored: &[Finding], judged: &[Finding]) -> Result<(), Mismatch> {
    let mut open: BTreeSet<FindingId> = judged.iter().map(Finding::id).collect();
    for finding in stored {
        let (id, rule) = (finding.id(), finding.rule.code());
        if !open.remove(&id) {
            return Err(Mismatch::NotReproduced { id, rule });
        }
    }
    let asks = |finding: &&Finding| finding.outcome == Outcome::Flag && !finding.is_trial;
    match judged.iter().filter(asks).find(|finding| open.contains(&finding.id())) {
        Some(finding) => Err(Mismatch::LeftOut { id: finding.id(), rule: finding.rule.code() }),
        None => Ok(()),
    }
}

/// Judges the inputs of a pack again: the findings about its vehicle, or about the orders of its unit, on its days.
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
    findings.extend(judge_fleet(&world, &fleet, days.clone()));
    // Of the others the pack does not hold everything, so nothing is said about them.
    findings.retain(|finding| {
        let is_subject = finding.vehicle == judgement.vehicle
            && (judgement.vehicle != VehicleId::default()
                || judgement.unit.is_none_or(|u| u == finding.unit));
        is_subject && days.contains(&finding.day)
    });
    Ok(findings)
}
