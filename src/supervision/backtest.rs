//! What a rule set would have flagged over past weeks, beside what the rules in force flag, and how often people agreed.
//!
//! Both are judged in memory from what is stored, so the figures compare like with like; nothing is written. The trial set is laid
//! where a stored set of its unit would lie: units below with sets of their own keep them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Disposition, MissRate, miss_rate};
use motorpool_supervision::finding::{Colour, Finding, Nature, Outcome, Rule};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::judge::{judge_fleet, judge_vehicle};
use motorpool_supervision::register::{RuleSet, RuleSetState, Versioned};
use motorpool_supervision::world::World;
use serde::Serialize;
use serde_json::Value as Json;

use super::cases::load;
use super::judging::{self, Detail, OwnedHistory, Sources};
use crate::registry::{CaseFilter, CaseRow, Known, Registry, RowScope};
use crate::tracks::Tracks;

/// Vehicle-days that one back-test may judge: 253 cars over more than a year, 8,000 over twelve days.
pub const VEHICLE_DAYS_MAX: u64 = 100_000;

/// Cases whose decisions are read at once.
const CASES_AT_ONCE: u32 = 1_000;

/// Decided vehicle-days below which there is no precision: of a few, it would tell how each was decided.
const DECIDED_MIN: usize = 20;

/// What to try.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a request")]
pub struct BacktestRequest {
    /// What differs from the rules in force, as in a rule set's `params`.
    pub params: Json,
    /// Only for this unit and those below; `None` = everybody.
    pub unit: Option<UnitId>,
    /// First local day.
    pub from: Date,
    /// Last local day.
    pub to: Date,
    /// Up to when everything is known.
    pub known_to: UtcMillis,
}

/// What whoever asks for a back-test sees: nothing else is counted.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "two questions")]
pub struct BacktestSight<'a> {
    /// Whether it sees a car.
    pub vehicle: &'a (dyn Fn(VehicleId) -> bool + Send + Sync),
    /// Whether it sees the case of a row.
    pub case: &'a (dyn Fn(&CaseRow) -> bool + Send + Sync),
}

impl BacktestSight<'_> {
    /// The sight of the operator at the server itself.
    pub const EVERYTHING: Self = Self { vehicle: &|_| true, case: &|_| true };
}

impl std::fmt::Debug for BacktestSight<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BacktestSight")
    }
}

/// How far a back-test is.
#[derive(Debug, Default)]
pub struct BacktestProgress {
    /// Vehicle-days to judge; 0 until that is known.
    pub total: AtomicU64,
    /// Vehicle-days judged.
    pub done: AtomicU64,
}

/// What one set of rules flags.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct BacktestPart {
    /// Flags.
    pub flags: u32,
    /// Of those, red ones.
    pub red: u32,
    /// Vehicle-days with at least one.
    pub cases: u32,
    /// Vehicle-days with a red question about conduct, per 100 car-weeks.
    pub red_per_100_car_weeks: f64,
    /// Of the vehicle-days that people decided, the share in which something was wrong, with its 95 % Wilson interval; none
    /// for fewer than 20 decisions.
    pub precision: Option<MissRate>,
}

/// One rule under both sets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct RuleOutcome {
    /// The rule.
    pub rule: Rule,
    /// Under the rule set on trial.
    pub trial: BacktestPart,
    /// Under the rules in force.
    pub in_force: BacktestPart,
}

/// What a back-test found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct BacktestReport {
    /// First local day.
    pub from: Date,
    /// Last local day.
    pub to: Date,
    /// Vehicles judged.
    pub vehicles: u64,
    /// Vehicles times weeks.
    pub car_weeks: f64,
    /// The change of the registry that was judged with.
    pub registry_change: i64,
    /// All rules together.
    pub total: (BacktestPart, BacktestPart),
    /// Each rule that flags under either set, in order.
    pub rules: Vec<RuleOutcome>,
}

/// Why there is no back-test.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BacktestError {
    /// The days end before they begin, or are too many for so many cars.
    #[error("{vehicle_days} vehicle-days, 1 to {VEHICLE_DAYS_MAX} are possible: take fewer days or one unit")]
    Size {
        /// What was asked for.
        vehicle_days: u64,
    },
    /// The parameters can't be read.
    #[error("the rule set can't be used: {0}")]
    RuleSet(#[from] motorpool_supervision::world::WorldError),
    /// Something can't be read.
    #[error("{0:#}")]
    Read(#[from] anyhow::Error),
}

/// Both worlds.
struct Worlds {
    in_force: World,
    trial: World,
    change: i64,
}

/// Judges the past under both sets.
///
/// # Errors
/// [`BacktestError`] says why not.
pub async fn backtest(
    registry: &Registry,
    tracks: &Tracks,
    time_zone: &str,
    request: &BacktestRequest,
    sight: BacktestSight<'_>,
    progress: &BacktestProgress,
) -> Result<BacktestReport, BacktestError> {
    let worlds = Arc::new(worlds(registry, time_zone, request).await?);
    let vehicles = vehicles(&worlds.in_force, request, sight);
    let days = u64::try_from((request.to - request.from).get_days() + 1).unwrap_or(0);
    let vehicle_days = days.saturating_mul(vehicles.len() as u64);
    if days == 0 || vehicle_days > VEHICLE_DAYS_MAX {
        return Err(BacktestError::Size { vehicle_days });
    }
    progress.total.store(vehicle_days, Ordering::Relaxed);
    let past = past_cases(registry, request, sight).await?;

    let rests = registry.rests().await.map_err(anyhow::Error::from)?.into_iter().collect();
    let fresh = BTreeMap::new();
    let reader = Sources { registry, tracks, rests: &rests, fresh: &fresh };
    let range = request.from..=request.to;
    let (mut trial, mut in_force) = (Vec::new(), Vec::new());
    let mut histories = Vec::with_capacity(vehicles.len());
    for vehicle in &vehicles {
        let history = reader.history(&worlds.in_force, *vehicle, &range, Detail::Points).await?;
        let (judged, history) = judge_both(&worlds, *vehicle, history, &range, request.known_to).await?;
        trial.extend(judged.0);
        in_force.extend(judged.1);
        // The rules of the whole fleet look at stops and trips only.
        histories.push((*vehicle, history));
        progress.done.fetch_add(days, Ordering::Relaxed);
    }
    let known_to = request.known_to;
    let shared = Arc::clone(&worlds);
    let fleet = tokio::task::spawn_blocking(move || {
        let borrowed: Vec<_> =
            histories.iter().map(|(vehicle, history)| history.borrowed(*vehicle, known_to)).collect();
        let judge = |world: &World| judge_fleet(world, &borrowed, range.clone());
        (judge(&shared.trial), judge(&shared.in_force))
    });
    let (trial_fleet, in_force_fleet) = fleet.await.map_err(anyhow::Error::from)?;
    trial.extend(trial_fleet);
    in_force.extend(in_force_fleet);
    let is_counted = |finding: &Finding| !past.hidden.contains(&(finding.vehicle, finding.day));
    trial.retain(is_counted);
    in_force.retain(is_counted);
    let weeks = vehicle_days as f64 / 7.0;
    Ok(report(request, vehicles.len() as u64, weeks, worlds.change, [&trial, &in_force], &past.decided))
}

async fn worlds(
    registry: &Registry,
    time_zone: &str,
    request: &BacktestRequest,
) -> Result<Worlds, BacktestError> {
    let days = (request.from, request.to);
    let (in_force, change) = judging::world(registry, &RowScope::All, time_zone, days, Known::Now).await?;
    let mut register = in_force.register().clone();
    let set = RuleSet {
        name: "back-test".to_owned(),
        unit: request.unit,
        state: RuleSetState::Active,
        params: request.params.clone(),
    };
    register.rule_sets.push(Versioned::first(i64::MAX, request.known_to, set));
    Ok(Worlds { trial: World::new(register, time_zone)?, in_force, change })
}

/// The cars of the unit and those below it, on the last day, that are seen.
fn vehicles(world: &World, request: &BacktestRequest, sight: BacktestSight<'_>) -> Vec<VehicleId> {
    let at = world.instant(request.to, 0);
    let is_wanted = |vehicle: &VehicleId| match request.unit {
        None => true,
        Some(unit) => {
            world.using_unit(*vehicle, at).is_some_and(|using| world.unit_path(using, at).contains(&unit))
        }
    };
    world.vehicle_ids().filter(is_wanted).filter(|vehicle| (sight.vehicle)(*vehicle)).collect()
}

type Judged = (Vec<Finding>, Vec<Finding>);

/// Judges one car under both sets on a thread for that; gives the history back without its points.
async fn judge_both(
    worlds: &Arc<Worlds>,
    vehicle: VehicleId,
    history: OwnedHistory,
    range: &RangeInclusive<Date>,
    known_to: UtcMillis,
) -> anyhow::Result<(Judged, OwnedHistory)> {
    let (worlds, range) = (Arc::clone(worlds), range.clone());
    let judged = tokio::task::spawn_blocking(move || {
        let judge = |world: &World| judge_vehicle(world, history.borrowed(vehicle, known_to), range.clone());
        let judged = (judge(&worlds.trial), judge(&worlds.in_force));
        (judged, OwnedHistory { points: Vec::new(), ..history })
    });
    Ok(judged.await?)
}

type CarDay = (VehicleId, Date);

/// What became of vehicle-days.
#[derive(Debug, Default)]
struct PastCases {
    /// What people decided: whether something was wrong.
    decided: BTreeMap<CarDay, bool>,
    /// Those with a case that is not seen: even a count would tell that there is one.
    hidden: BTreeSet<CarDay>,
}

async fn past_cases(
    registry: &Registry,
    request: &BacktestRequest,
    sight: BacktestSight<'_>,
) -> anyhow::Result<PastCases> {
    let mut past = PastCases::default();
    let mut filter = CaseFilter {
        limit: CASES_AT_ONCE,
        from: Some(request.from),
        to: Some(request.to),
        ..CaseFilter::default()
    };
    loop {
        let rows = registry.cases(&filter).await?;
        filter.after = rows.last().map(|row| (row.rank, row.case_id.clone()));
        for row in &rows {
            if !(sight.case)(row) {
                past.hidden.insert((row.vehicle, row.day));
                continue;
            }
            if row.state != "closed" {
                continue;
            }
            let Some(case) = load(registry, &row.case_id).await? else { continue };
            let was_wrong = case.decision().and_then(|decision| match decision.closing.disposition {
                Disposition::Normal { .. } => Some(false),
                Disposition::ManagementProblem { .. } | Disposition::Violation { .. } => Some(true),
                Disposition::HandedOver => None,
            });
            past.decided.extend(was_wrong.map(|was_wrong| ((row.vehicle, row.day), was_wrong)));
        }
        if rows.len() < CASES_AT_ONCE as usize {
            return Ok(past);
        }
    }
}

fn report(
    request: &BacktestRequest,
    vehicles: u64,
    car_weeks: f64,
    registry_change: i64,
    found: [&[Finding]; 2],
    decided: &BTreeMap<CarDay, bool>,
) -> BacktestReport {
    let part = |findings: &[Finding], rule: Option<Rule>| {
        let is_shown = |finding: &&Finding| finding.outcome == Outcome::Flag && !finding.is_trial;
        let is_of = |finding: &&Finding| rule.is_none_or(|rule| finding.rule == rule);
        count(findings.iter().filter(is_shown).filter(is_of), car_weeks, decided)
    };
    let [trial, in_force] = found;
    let rules = Rule::ALL.iter().map(|rule| RuleOutcome {
        rule: *rule,
        trial: part(trial, Some(*rule)),
        in_force: part(in_force, Some(*rule)),
    });
    BacktestReport {
        from: request.from,
        to: request.to,
        vehicles,
        car_weeks,
        registry_change,
        total: (part(trial, None), part(in_force, None)),
        rules: rules.filter(|rule| rule.trial.flags > 0 || rule.in_force.flags > 0).collect(),
    }
}

fn count<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    car_weeks: f64,
    decided: &BTreeMap<CarDay, bool>,
) -> BacktestPart {
    let mut part = BacktestPart::default();
    let mut days: BTreeSet<CarDay> = BTreeSet::new();
    let mut red_days: BTreeSet<CarDay> = BTreeSet::new();
    for finding in findings {
        part.flags = part.flags.saturating_add(1);
        days.insert((finding.vehicle, finding.day));
        if finding.colour == Colour::Red {
            part.red = part.red.saturating_add(1);
            if finding.nature == Nature::Conduct {
                red_days.insert((finding.vehicle, finding.day));
            }
        }
    }
    part.cases = u32::try_from(days.len()).unwrap_or(u32::MAX);
    if car_weeks > 0.0 {
        part.red_per_100_car_weeks = red_days.len() as f64 * 100.0 / car_weeks;
    }
    let decisions: Vec<bool> = days.iter().filter_map(|day| decided.get(day).copied()).collect();
    part.precision = miss_rate(&decisions).filter(|_| decisions.len() >= DECIDED_MIN);
    part
}
