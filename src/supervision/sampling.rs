//! Draws the trips of a blind plan and opens their cases.
//!
//! The draw is a function of the seed and of the week's trips without a flag. Doing it again changes nothing: cases that are there stay.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{
    Actor, Candidate, Case, CaseKey, Event, MissRate, SampleError, Source, Stage, Subject, UnitTree,
    controls, draw, is_miss, miss_rate, submit_opening,
};
use motorpool_supervision::finding::Outcome;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::trips::{Segment, TripKind};
use motorpool_supervision::world::World;

use super::cases::{CaseError, append, append_as_system, case_id, load};
use super::judging::{self, Detail, Sources, open_flags};
use super::packs::PackSources;
use super::parties::Paper;
use crate::registry::{CaseFilter, Known, RowScope, StoredPlan};

/// Cases read at once.
const CASES_AT_ONCE: u32 = 10_000;

/// Why a plan was not drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// The seed or the number of candidates.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// A case can't be read or written.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// Registers or tracks can't be read.
    #[error("{0:#}")]
    Read(#[from] anyhow::Error),
}

/// What a draw did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Drawn {
    /// Trips to draw from.
    pub candidates: u32,
    /// Trips drawn.
    pub trips: u32,
    /// Cases of the lot: vehicle-days drawn, and as many flagged ones.
    pub cases: u32,
}

/// Draws a plan and opens its cases.
///
/// # Errors
/// [`DrawError`] says why not; what was opened until then stays, and drawing again goes on.
pub async fn draw_plan(
    sources: &PackSources,
    stored: &StoredPlan,
    now: UtcMillis,
) -> Result<Drawn, DrawError> {
    let plan = &stored.plan;
    let sunday = plan.monday.saturating_add(jiff::Span::new().days(6));
    let week = (plan.monday, sunday);
    let (world, _) =
        judging::world(&sources.registry, &RowScope::All, &sources.time_zone, week, Known::Now).await?;
    let (candidates, flagged) = candidates(sources, &world, week).await?;
    let chosen = draw(plan, &stored.seed, &candidates)?;
    let day_of = |candidate: &Candidate| CaseKey {
        subject: Subject::Vehicle(candidate.vehicle),
        day: world.local(candidate.start).0,
    };
    let opened: BTreeMap<CaseKey, &Candidate> = chosen.iter().map(|one| (day_of(one), one)).collect();
    for (key, candidate) in &opened {
        open_sampled(sources, &world, *key, candidate, plan.number, now).await?;
    }
    let flagged: Vec<CaseKey> = flagged.into_iter().filter(|key| !opened.contains_key(key)).collect();
    let controls = controls(plan.number, &stored.seed, &flagged, opened.len());
    for key in &controls {
        if let Some(case) = load(&sources.registry, &case_id(*key)).await? {
            append_as_system(&sources.registry, case, vec![Event::PutInLot { plan: plan.number }], now)
                .await?;
        }
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Drawn {
        candidates: count(candidates.len()),
        trips: count(chosen.len()),
        cases: count(opened.len().saturating_add(controls.len())),
    })
}

/// The week's trips on vehicle-days without a flag or a case, and the keys of its flagged cases that nobody has looked at.
async fn candidates(
    sources: &PackSources,
    world: &World,
    (first, last): (Date, Date),
) -> Result<(Vec<Candidate>, Vec<CaseKey>), DrawError> {
    let registry = &sources.registry;
    let flags = open_flags(registry, None, &(first..=last)).await?;
    let mut taken: BTreeSet<(VehicleId, Date)> = flags
        .iter()
        .filter(|flag| flag.finding.outcome == Outcome::Flag && !flag.finding.is_trial)
        .map(|flag| (flag.finding.vehicle, flag.finding.day))
        .collect();
    let filter =
        CaseFilter { limit: CASES_AT_ONCE, from: Some(first), to: Some(last), ..CaseFilter::default() };
    let rows = registry.cases(&filter).await.map_err(CaseError::from)?;
    let is_new = |state: &str| state == super::cases::word(&Stage::New);
    let flagged = rows.iter().filter(|row| row.vehicle.0 != 0 && is_new(&row.state) && !row.is_confidential);
    let flagged =
        flagged.map(|row| CaseKey { subject: Subject::Vehicle(row.vehicle), day: row.day }).collect();
    taken.extend(rows.iter().map(|row| (row.vehicle, row.day)));

    let rests = registry.rests().await.map_err(CaseError::from)?.into_iter().collect();
    let fresh = BTreeMap::new();
    let reader = Sources { registry, tracks: &sources.tracks, rests: &rests, fresh: &fresh };
    let mut found = Vec::new();
    for vehicle in world.vehicle_ids() {
        let history = reader.history(world, vehicle, &(first..=last), Detail::Segments).await?;
        for segment in &history.segments {
            let Segment::Trip(trip) = segment else { continue };
            let day = world.local(trip.start).0;
            let is_candidate = trip.kind == TripKind::Trip
                && (first..=last).contains(&day)
                && !taken.contains(&(vehicle, day));
            if let Some(unit) = world.using_unit(vehicle, trip.start).filter(|_| is_candidate) {
                found.push(Candidate { unit, vehicle, start: trip.start });
            }
        }
    }
    Ok((found, flagged))
}

async fn open_sampled(
    sources: &PackSources,
    world: &World,
    key: CaseKey,
    candidate: &Candidate,
    plan: u32,
    now: UtcMillis,
) -> Result<(), CaseError> {
    let paper = Paper::new(&sources.registry, world, now);
    let parties = paper.parties((key, candidate.unit), &[], std::iter::empty()).await?;
    let event = Event::Opened {
        key,
        unit: candidate.unit,
        source: Source::Sample { plan },
        flags: Vec::new(),
        parties,
        is_secret: world.vehicle(candidate.vehicle, candidate.start).is_some_and(|row| row.row.is_secret),
    };
    match submit_opening(&Actor::system(), now, event, &UnitTree::default()) {
        Ok((line, case)) => match append(&sources.registry, &case, &[line], now).await {
            // It is there already: this plan was drawn before, or somebody opened it meanwhile.
            Err(CaseError::Registry(crate::registry::Error::Conflict { .. })) => Ok(()),
            other => other,
        },
        Err(refused) => {
            tracing::warn!(case = case_id(key), %refused, "a sampled case can't be opened");
            Ok(())
        }
    }
}

/// How much the rules miss, by the decided cases of a plan.
///
/// # Errors
/// When the database fails or a log is damaged.
pub async fn estimate(
    sources: &PackSources,
    stored: &StoredPlan,
) -> Result<(u32, Option<MissRate>), CaseError> {
    let last = stored.plan.monday.saturating_add(jiff::Span::new().days(6));
    let filter = CaseFilter {
        limit: CASES_AT_ONCE,
        from: Some(stored.plan.monday),
        to: Some(last),
        ..CaseFilter::default()
    };
    let mut cases: Vec<Case> = Vec::new();
    for row in sources.registry.cases(&filter).await? {
        cases.extend(load(&sources.registry, &row.case_id).await?);
    }
    let of_plan = Source::Sample { plan: stored.plan.number };
    let sampled = || cases.iter().filter(|case| case.source == of_plan);
    let decided: Vec<bool> = sampled().filter_map(is_miss).collect();
    Ok((u32::try_from(sampled().count()).unwrap_or(u32::MAX), miss_rate(&decided)))
}
