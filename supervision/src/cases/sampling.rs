//! The weekly blind sample: under a numbered plan, trips without a flag come before reviewers as well. What they decide there
//! estimates how much the rules miss, and shows that people look at more than what rules point at.
//!
//! Nobody can pick: the hash of the seed is published with the plan before the week, the draw is a function of seed and
//! candidates, and anybody can draw again. So that nobody can tell, the same number of flagged cases joins the lot, with
//! their flags hidden like those that are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::state::Case;
use super::terms::{CaseKey, Disposition, Sha256Sum, Source, Subject};
use crate::UtcMillis;
use crate::ids::{UnitId, VehicleId};

/// Trips that one plan may draw from.
pub const MAX_CANDIDATES: usize = 1_000_000;

/// 32 bytes that decide a draw; secret until it is made.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by the caller")]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

impl Seed {
    /// What is published beforehand: it binds the seed to the plan's number and tells nothing of it.
    #[must_use]
    pub fn commitment(&self, plan: u32) -> Sha256Sum {
        self.hash(b"commitment", plan, &[])
    }

    /// A hash that only the holder of the seed can make. All parts have a fixed length or come last.
    fn hash(&self, purpose: &[u8; 10], plan: u32, of: &[u8]) -> Sha256Sum {
        let mut hash = Sha256::new();
        hash.update(b"motorpool sample 1\n");
        hash.update(purpose);
        hash.update(self.0);
        hash.update(plan.to_be_bytes());
        hash.update(of);
        Sha256Sum(hash.finalize().into())
    }
}

/// A plan, published before its week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct SamplePlan {
    /// Its number.
    pub number: u32,
    /// The Monday of its week.
    pub monday: Date,
    /// How many trips.
    pub size: u32,
    /// The commitment to its seed.
    pub commitment: Sha256Sum,
}

/// A trip without a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Candidate {
    /// The unit that had the car: its stratum.
    pub unit: UnitId,
    /// The car.
    pub vehicle: VehicleId,
    /// The departure.
    pub start: UtcMillis,
}

/// Why nothing can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The seed is not the one that was committed to.
    #[error("the seed does not fit the commitment of plan {0}")]
    WrongSeed(u32),
    /// More than [`MAX_CANDIDATES`].
    #[error("{0} candidates, at most {MAX_CANDIDATES}")]
    TooManyCandidates(usize),
}

/// Draws the plan's trips, in order of unit. Order and repetition of the candidates do not matter.
///
/// Every n-th of the candidates, sorted by unit and within a unit by hash, from a start that the seed decides: each trip has
/// the same chance, and each unit its share to within one.
///
/// # Errors
/// When the seed is another one, or there are too many candidates.
pub fn draw(plan: &SamplePlan, seed: &Seed, candidates: &[Candidate]) -> Result<Vec<Candidate>, SampleError> {
    if seed.commitment(plan.number) != plan.commitment {
        return Err(SampleError::WrongSeed(plan.number));
    }
    if candidates.len() > MAX_CANDIDATES {
        return Err(SampleError::TooManyCandidates(candidates.len()));
    }
    let mut trips: BTreeMap<(VehicleId, UtcMillis), UnitId> = BTreeMap::new();
    for candidate in candidates {
        let unit = trips.entry((candidate.vehicle, candidate.start)).or_insert(candidate.unit);
        *unit = candidate.unit.min(*unit);
    }
    let mut order: Vec<(UnitId, Sha256Sum, Candidate)> = trips
        .into_iter()
        .map(|((vehicle, start), unit)| {
            let bytes = [vehicle.0.to_be_bytes(), start.0.to_be_bytes()].concat();
            (unit, seed.hash(b"trip order", plan.number, &bytes), Candidate { unit, vehicle, start })
        })
        .collect();
    order.sort_unstable();
    let count = u64::try_from(order.len()).unwrap_or(u64::MAX);
    let size = u64::from(plan.size).min(count);
    if size == 0 {
        return Ok(Vec::new());
    }
    let start = number(&seed.hash(b"trip start", plan.number, &[])) % count;
    let positions: BTreeSet<u64> = (0..size).map(|k| (start + k * count) / size).collect();
    let drawn = (0_u64..).zip(order).filter(|(position, _)| positions.contains(position));
    Ok(drawn.map(|(_, (_, _, candidate))| candidate).collect())
}

/// The flagged cases that join the lot, `count` of them, in order of key. Order and repetition do not matter.
#[must_use]
pub fn controls(plan: u32, seed: &Seed, flagged: &[CaseKey], count: usize) -> Vec<CaseKey> {
    let keys: BTreeSet<CaseKey> = flagged.iter().copied().collect();
    let mut order: Vec<(Sha256Sum, CaseKey)> =
        keys.into_iter().map(|key| (seed.hash(b"case order", plan, &key_bytes(key)), key)).collect();
    order.sort_unstable();
    let mut chosen: Vec<CaseKey> = order.into_iter().take(count).map(|(_, key)| key).collect();
    chosen.sort_unstable();
    chosen
}

fn key_bytes(key: CaseKey) -> Vec<u8> {
    let (kind, id) = match key.subject {
        Subject::Vehicle(vehicle) => (0, vehicle.0),
        Subject::Unit(unit) => (1, unit.0),
    };
    let mut bytes = vec![kind];
    bytes.extend(id.to_be_bytes());
    bytes.extend(key.day.to_string().bytes());
    bytes
}

fn number(sum: &Sha256Sum) -> u64 {
    sum.0.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// How much the rules miss, as far as a sample tells.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct MissRate {
    /// Sampled cases that were decided.
    pub decided: u32,
    /// Those in which something was wrong.
    pub misses: u32,
    /// Share of misses.
    pub rate: f64,
    /// Lower end of the 95 % Wilson interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The estimate from the decided cases of a sample: `true` for each in which something was wrong. `None` without any.
#[must_use]
pub fn miss_rate(decided: &[bool]) -> Option<MissRate> {
    let misses = decided.iter().filter(|is_miss| **is_miss).count();
    let (count, misses) = (u32::try_from(decided.len()).ok()?, u32::try_from(misses).ok()?);
    if count == 0 {
        return None;
    }
    // The 97.5 % point of the normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    let n = f64::from(count);
    let rate = f64::from(misses) / n;
    let scale = 1.0 + Z * Z / n;
    let middle = (rate + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    let (low, high) = ((middle - half).max(0.0), (middle + half).min(1.0));
    Some(MissRate { decided: count, misses, rate, low, high })
}

/// Whether a drawn trip turned out to be a miss; `None` for other cases, open ones, and those handed over and not decided.
#[must_use]
pub fn is_miss(case: &Case) -> Option<bool> {
    if !matches!(case.source, Source::Sample { .. }) {
        return None;
    }
    match case.decision()?.closing.disposition {
        Disposition::Normal { .. } => Some(false),
        Disposition::ManagementProblem { .. } | Disposition::Violation { .. } => Some(true),
        Disposition::HandedOver => None,
    }
}
