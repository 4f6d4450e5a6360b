//! What a change of the registers would clear, found out before it is written: 将消除 N 条.
//!
//! The vehicle-days that the change touches are judged twice in memory, in the registers as they are and as they would be. Only
//! days that have an open question about conduct are looked at, because only such a question can go. A question that becomes one
//! about paper (补单待核) does not go: late paper never clears. One that nothing can decide any more, or that falls silent
//! because its rule set is on trial, does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{ClearanceApproval, ClearancePreview};
use motorpool_supervision::finding::{Finding, Nature, Outcome};
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Register, Rental, Row as _};
use motorpool_supervision::world::World;
use serde::{Deserialize, Serialize};

use super::changes::{is_about_the_fleet, touched};
use super::days::Days;
use super::judging::{self, Sources, is_fleet_rule, rows_window};
use crate::registry::{Changed, Flag, FlagFilter, FlagState, Known, Registry, RowScope, revise_flags};
use crate::tracks::Tracks;

/// Vehicle-days judged while the caller waits; a change that touches more open questions is not counted.
const VEHICLE_DAYS_MAX: usize = 400;
/// Days judged by the rules of the whole fleet while the caller waits.
const FLEET_DAYS_MAX: usize = 7;
/// Open questions that are read at once.
const FLAGS_AT_ONCE: u32 = 10_000;

/// Puts the changed rows into a register.
pub type PutRows<'a> = &'a (dyn Fn(&mut Register) + Sync);

/// What it is found out from.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller, field by field")]
pub struct ClearanceSources<'a> {
    /// Registers, trips and flags.
    pub registry: &'a Registry,
    /// The archive; without it nothing can be judged, only that there is something to judge.
    pub tracks: Option<&'a Tracks>,
    /// Time zone of local days.
    pub time_zone: &'a str,
    /// Changes judge no day again that lies further back, days.
    pub judge_back_days: u32,
}

/// What a change would clear.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every case")]
pub enum WouldClear {
    /// These open questions about conduct; often none.
    Flags(Vec<Flag>),
    /// It touches more than can be judged while somebody waits, or there is nothing to judge from.
    Uncounted {
        /// Open questions that it touches.
        open: usize,
        /// The units that they are asked of.
        units: BTreeSet<UnitId>,
    },
}

/// What is kept of a change that would clear questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every case")]
pub enum Clearance {
    /// It would clear these.
    Counted(ClearancePreview),
    /// It may clear some of so many.
    Uncounted {
        /// Open questions that it touches.
        open: usize,
        /// The units that they are asked of.
        #[serde(default)]
        units: BTreeSet<UnitId>,
    },
    /// It clears these, and a second person let it.
    Approved(ClearanceApproval),
}

impl Clearance {
    /// What it would clear or clears; `None` when nobody has counted.
    #[must_use]
    pub const fn preview(&self) -> Option<&ClearancePreview> {
        match self {
            Self::Counted(preview) | Self::Approved(ClearanceApproval { preview, .. }) => Some(preview),
            Self::Uncounted { .. } => None,
        }
    }
}

/// What `changed` would clear. `put` lays the changed rows over a register.
///
/// # Errors
/// When registers, flags or tracks can't be read, or the changed registers can't be used.
pub async fn would_clear(
    sources: ClearanceSources<'_>,
    changed: &[Changed],
    put: PutRows<'_>,
    now: UtcMillis,
) -> anyhow::Result<WouldClear> {
    let nothing = WouldClear::Flags(Vec::new());
    if changed.is_empty() {
        return Ok(nothing);
    }
    let days = touched_days(sources, changed, put, now).await?;
    let Some((first, last)) = days.bounds() else { return Ok(nothing) };
    let is_for_fleet = changed.iter().any(|change| is_about_the_fleet(change) || change.kind == Rental::KIND);
    let mut open = open_questions(sources.registry, first..=last).await?;
    open.retain(|flag| {
        let finding = &flag.finding;
        if is_fleet_rule(finding.rule) { is_for_fleet } else { days.contains(finding.vehicle, finding.day) }
    });
    if open.is_empty() {
        return Ok(nothing);
    }
    let mut vehicle_days = Days::default();
    let mut fleet_days = BTreeSet::new();
    for Finding { rule, vehicle, day, .. } in open.iter().map(|flag| &flag.finding) {
        if is_fleet_rule(*rule) {
            fleet_days.insert(*day);
        } else {
            vehicle_days.add(*vehicle, *day..=*day);
        }
    }
    let is_too_much = vehicle_days.len() > VEHICLE_DAYS_MAX || fleet_days.len() > FLEET_DAYS_MAX;
    let Some(tracks) = sources.tracks.filter(|_| !is_too_much) else {
        let units = open.iter().map(|flag| flag.finding.unit).collect();
        return Ok(WouldClear::Uncounted { open: open.len(), units });
    };
    let rests = sources.registry.rests().await?.into_iter().collect();
    let fresh = BTreeMap::new();
    let reader = Sources { registry: sources.registry, tracks, rests: &rests, fresh: &fresh };
    let judging = Judging { reader, time_zone: sources.time_zone, vehicle_days, fleet_days, now };
    let with = judging.wanted(put).await?;
    let mut cleared: Vec<Flag> = open.into_iter().filter(|flag| goes(flag, &with)).collect();
    if !cleared.is_empty() {
        // What goes without the change as well is not this change's doing.
        let without = judging.wanted(&|_| {}).await?;
        cleared.retain(|flag| !goes(flag, &without));
    }
    Ok(WouldClear::Flags(cleared))
}

/// The vehicle-days that the change touches. Cars that the change moves from one unit to another count on both
/// sides.
async fn touched_days(
    sources: ClearanceSources<'_>,
    changed: &[Changed],
    put: PutRows<'_>,
    now: UtcMillis,
) -> anyhow::Result<Days> {
    let zone = World::new(Register::default(), sources.time_zone)?;
    let today = zone.local(now).0;
    let within = today.saturating_sub(jiff::Span::new().days(i64::from(sources.judge_back_days)))..=today;
    let (from, to) = rows_window(*within.start(), *within.end());
    // Without the ledgers: which days a change touches is asked of units and cars.
    let few = RowScope::Vehicles(BTreeSet::new());
    let (register, _) = sources.registry.register(&few, from, to, Known::Now).await?;
    let mut after = register.clone();
    put(&mut after);
    let mut days = Days::default();
    for register in [register, after] {
        let world = World::new(register, sources.time_zone)?;
        days.extend(touched(&world, changed, &BTreeMap::new(), &within));
    }
    Ok(days)
}

/// Every open question about conduct that is shown, on these days.
async fn open_questions(registry: &Registry, days: RangeInclusive<Date>) -> anyhow::Result<Vec<Flag>> {
    let mut filter = FlagFilter {
        limit: FLAGS_AT_ONCE,
        state: Some(FlagState::Open),
        from: Some(*days.start()),
        to: Some(*days.end()),
        outcome: Some(Outcome::Flag),
        nature: Some(Nature::Conduct),
        is_trial: Some(false),
        ..FlagFilter::default()
    };
    let mut flags = Vec::new();
    loop {
        let page = registry.flags(&filter).await?;
        let is_last = page.len() < FLAGS_AT_ONCE as usize;
        filter.after = page.last().map(|flag| (flag.finding.day, flag.id.clone()));
        flags.extend(page);
        if is_last {
            return Ok(flags);
        }
    }
}

/// What is judged, whatever the registers.
struct Judging<'a> {
    reader: Sources<'a>,
    time_zone: &'a str,
    vehicle_days: Days,
    fleet_days: BTreeSet<Date>,
    now: UtcMillis,
}

impl Judging<'_> {
    /// What would be found with these rows put into the registers.
    async fn wanted(&self, put: PutRows<'_>) -> anyhow::Result<Vec<Finding>> {
        let mut wanted = Vec::new();
        if let Some(bounds) = self.vehicle_days.bounds() {
            let scope = RowScope::Vehicles(self.vehicle_days.vehicles());
            let world = self.world(&scope, bounds, put).await?;
            let found = judging::judge(self.reader, &world, &self.vehicle_days, self.now).await?;
            wanted.extend(found.wanted);
        }
        for day in &self.fleet_days {
            let world = self.world(&RowScope::All, (*day, *day), put).await?;
            let found = judging::judge_together(self.reader, &world, *day, self.now).await?;
            wanted.extend(found.wanted);
        }
        Ok(wanted)
    }

    async fn world(
        &self,
        scope: &RowScope,
        (first, last): (Date, Date),
        put: PutRows<'_>,
    ) -> anyhow::Result<World> {
        let (from, to) = rows_window(first, last);
        let (mut register, _) = self.reader.registry.register(scope, from, to, Known::Now).await?;
        put(&mut register);
        Ok(World::new(register, self.time_zone)?)
    }
}

/// Whether an open question would no longer be asked if `wanted` were all that is found.
fn goes(flag: &Flag, wanted: &[Finding]) -> bool {
    let was = &flag.finding;
    let is_alike =
        |found: &&Finding| (found.vehicle, found.day, found.rule) == (was.vehicle, was.day, was.rule);
    let alike: Vec<Finding> = wanted.iter().filter(is_alike).cloned().collect();
    let (added, gone) = revise_flags(std::slice::from_ref(flag), &alike, "");
    let Some(gone) = gone.first() else { return false };
    let next = gone.by.as_ref().and_then(|by| added.iter().find(|new| new.id == *by));
    let still_asks = next.is_some_and(|next| speaks(&next.finding));
    let asks_for_paper = alike.iter().any(|found| {
        let is_then = found.from <= was.to && was.from <= found.to;
        found.nature == Nature::Paperwork && speaks(found) && is_then
    });
    !still_asks && !asks_for_paper
}

fn speaks(finding: &Finding) -> bool {
    finding.outcome == Outcome::Flag && !finding.is_trial
}

#[cfg(test)]
mod tests {
    use motorpool_supervision::finding::{Colour, FixesUsed, Rule, Versions};
    use motorpool_supervision::ids::VehicleId;

    use super::*;

    fn finding(nature: Nature, outcome: Outcome) -> Finding {
        Finding {
            rule: Rule::R01,
            rule_version: 1,
            aspect: "".into(),
            outcome,
            colour: Colour::Red,
            nature,
            is_trial: false,
            vehicle: VehicleId(1),
            unit: UnitId(1),
            day: jiff::civil::date(2026, 3, 4),
            from: UtcMillis(1_000),
            to: UtcMillis(2_000),
            at: None,
            trips: Vec::new(),
            measures: Vec::new(),
            orders: Vec::new(),
            missing: Vec::new(),
            excuses: Vec::new(),
            fixes: FixesUsed::default(),
            params: serde_json::Value::Null,
            versions: Versions::default(),
            words: Vec::new(),
        }
    }

    fn open() -> Flag {
        let finding = finding(Nature::Conduct, Outcome::Flag);
        let id = finding.id().to_string();
        Flag {
            lineage: id.clone(),
            id,
            predecessor: None,
            finding,
            recorded_at: UtcMillis(0),
            change: 1,
            state: FlagState::Open,
            state_at: UtcMillis(0),
            superseded_by: None,
            reason: None,
        }
    }

    #[test]
    fn what_nothing_decides_goes_and_what_asks_for_paper_stays() {
        assert!(goes(&open(), &[]));
        assert!(!goes(&open(), &[finding(Nature::Conduct, Outcome::Flag)]));
        assert!(goes(&open(), &[finding(Nature::Conduct, Outcome::Undecidable)]));
        let mut late = finding(Nature::Paperwork, Outcome::Flag);
        late.aspect = "late_paper".into();
        assert!(!goes(&open(), &[late]));
        let mut silent = finding(Nature::Conduct, Outcome::Flag);
        silent.is_trial = true;
        assert!(goes(&open(), &[silent]));
        let mut elsewhere = finding(Nature::Conduct, Outcome::Flag);
        elsewhere.vehicle = VehicleId(2);
        assert!(goes(&open(), &[elsewhere]));
    }
}
