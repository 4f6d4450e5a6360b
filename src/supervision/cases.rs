//! Keeps cases in step with flags, and loads and stores them for people's actions.
//!
//! The log of events in the registry is the truth; the row that lists show is its fold. Events of the server itself are written here,
//! those of people go through [`append`] after the policy let them pass.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{
    Actor, Case, CaseEvent, CaseKey, Cause, ClearanceApproval, Disposition, Event, FORMAT, FoldError,
    History, Party, Rank, RankWeights, Stage, Subject, Tier, after_change, diff, group, open, rank,
};
use motorpool_supervision::finding::{Colour, Finding, Nature, content_hash};
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::world::World;
use serde::Serialize;
use serde_json::json;

use super::clearance::Clearance;
use super::judging::{BY_REGISTRY, open_flags};
use super::parties::{Paper, renamed};
use super::sight::{SIGHT, Sight};
use crate::accounts::chain::Deed;
use crate::registry::{self, CaseFilter, CaseRow, Registry};

/// How far back another case of the same car counts as a repetition, days.
const REPEAT_DAYS: i64 = 30;

/// Cases of one car in that time, at most.
const REPEAT_CASES: u32 = 200;

/// Cases listed at once.
const KEYS_AT_ONCE: u32 = 1_000;

/// Flags that the event which opens a case holds; more follow in events of their own.
const FLAGS_WITH_OPENING: usize = 100;

/// Why a stored case can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// The database failed, or somebody else was faster.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The log can't be read.
    #[error("case {id}: {source}")]
    Event {
        /// The case.
        id: String,
        /// Why.
        source: motorpool_supervision::cases::EventError,
    },
    /// The log does not fold.
    #[error("case {id}: {source}")]
    Fold {
        /// The case.
        id: String,
        /// Why.
        source: FoldError,
    },
    /// A value can't be written, or an approval can't be read.
    #[error("a value of a case is not what it should be: {0}")]
    Write(#[from] serde_json::Error),
}

/// The name of a case in the registry and in addresses, for example `v12-2026-03-04`.
#[must_use]
pub fn case_id(key: CaseKey) -> String {
    match key.subject {
        Subject::Vehicle(vehicle) => format!("v{vehicle}-{}", key.day),
        Subject::Unit(unit) => format!("u{unit}-{}", key.day),
    }
}

/// A word of a closed list as it is written in JSON.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The fold of a case's log; `None` when there is no such case.
///
/// # Errors
/// When the database fails or the log is damaged.
pub async fn load(registry: &Registry, id: &str) -> Result<Option<Case>, CaseError> {
    let events = load_events(registry, id).await?;
    if events.is_empty() {
        return Ok(None);
    }
    Case::fold(&events).map(Some).map_err(|source| CaseError::Fold { id: id.to_owned(), source })
}

/// The log of a case, oldest first; empty when there is no such case.
///
/// # Errors
/// As [`load`].
pub async fn load_events(registry: &Registry, id: &str) -> Result<Vec<CaseEvent>, CaseError> {
    let stored = registry.case_events(id, 0).await?;
    let read = |stored: &registry::StoredCaseEvent| {
        CaseEvent::from_json(&stored.event.body.to_string())
            .map_err(|source| CaseError::Event { id: id.to_owned(), source })
    };
    stored.iter().map(read).collect()
}

/// Appends lines to a case whose state after them is `after`. The lines must follow the stored ones.
///
/// # Errors
/// [`registry::Error::Conflict`] when somebody else was faster; nothing was changed then.
pub async fn append(
    registry: &Registry,
    after: &Case,
    lines: &[CaseEvent],
    now: UtcMillis,
) -> Result<(), CaseError> {
    append_telling(registry, after, lines, None, now).await
}

/// As [`append`], with the line of the audit log that tells of it, both or neither.
///
/// # Errors
/// As [`append`].
pub async fn append_telling(
    registry: &Registry,
    after: &Case,
    lines: &[CaseEvent],
    told: Option<&Deed>,
    now: UtcMillis,
) -> Result<(), CaseError> {
    let id = case_id(after.key);
    let expected = i64::from(after.seq) - i64::try_from(lines.len()).unwrap_or(i64::MAX);
    let stored = |line: &CaseEvent| -> Result<registry::CaseEvent, CaseError> {
        Ok(registry::CaseEvent {
            at: line.at,
            actor: line.actor.name.clone(),
            kind: line.event.action().tag().to_owned(),
            body: serde_json::to_value(line)?,
        })
    };
    let events = lines.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
    let row = row(registry, after, &id).await?;
    registry.append_to_case_telling(expected, &events, &row, told, now).await?;
    Ok(())
}

/// The findings behind the live flags of a case.
async fn findings(registry: &Registry, case: &Case) -> Result<Vec<Finding>, CaseError> {
    let mut findings = Vec::new();
    for live in case.live_flags() {
        if let Some(flag) = registry.flag(&live.flag.id.to_string()).await? {
            findings.push(flag.finding);
        }
    }
    Ok(findings)
}

/// The row that lists show.
async fn row(registry: &Registry, case: &Case, id: &str) -> Result<CaseRow, CaseError> {
    // What a blind lot hides must not show by colour, rules or place in the queue.
    let findings = if case.is_blind() { Vec::new() } else { findings(registry, case).await? };
    let (vehicle, days) = match case.key.subject {
        Subject::Vehicle(vehicle) => (vehicle, conduct_days(registry, vehicle, case.key.day).await?),
        Subject::Unit(_) => (VehicleId::default(), Vec::new()),
    };
    let rank = rank(case.key.day, &findings, History { conduct_days: &days }, &RankWeights::default());
    let is_closed_normal = case
        .decision()
        .is_some_and(|decision| matches!(decision.closing.disposition, Disposition::Normal { .. }));
    let shown = || case.live_flags().filter(|_| !case.is_blind());
    let rules: BTreeSet<_> = shown().map(|live| live.flag.rule).collect();
    let is_conduct = shown().any(|live| live.flag.nature == Nature::Conduct);
    let colour = if case.is_blind() { Colour::Green } else { case.colour() };
    let due = case.open_request().map(|request| request.delivered_at);
    Ok(CaseRow {
        case_id: id.to_owned(),
        vehicle,
        day: case.key.day,
        unit: case.unit,
        state: word(&case.stage),
        colour: word(&colour),
        rank: queue_number(&rank, case),
        assignee: case.assignee.as_ref().map(|(_, name)| name.clone()),
        due_at: due,
        is_confidential: case.confidential.is_some(),
        seq: i64::from(case.seq),
        updated_at: case.changed_at,
        summary: json!({
            "space": case.space,
            "rules": rules,
            "flags": shown().count(),
            "conduct": is_conduct && !is_closed_normal,
            "tier": rank.tier,
            "score": rank.score,
            "why": rank.contributions,
            SIGHT: Sight::of(case),
        }),
    })
}

/// The place in the queue: lower comes first; closed cases lie behind all others.
fn queue_number(rank: &Rank, case: &Case) -> i64 {
    const TIER: i64 = 1_000_000;
    if case.is_blind() && case.stage != Stage::Closed {
        return blind_number(case.key);
    }
    let points = rank.tier as i64 * TIER + i64::from(rank.score).clamp(-TIER / 2, TIER / 2 - 1);
    if case.stage == Stage::Closed { 100 * TIER - points } else { -points }
}

/// The place of a case of a blind lot: among the yellow questions, by nothing but its key.
fn blind_number(key: CaseKey) -> i64 {
    const TIER: i64 = 1_000_000;
    let [low, high, ..] = content_hash(&key).0;
    -(Tier::ConductYellow as i64 * TIER + i64::from(u16::from_le_bytes([low, high])) % 100)
}

/// Days of the same car with a question about conduct that was not closed as normal.
async fn conduct_days(registry: &Registry, vehicle: VehicleId, day: Date) -> Result<Vec<Date>, CaseError> {
    let filter = CaseFilter {
        limit: REPEAT_CASES,
        vehicle: Some(vehicle),
        from: Some(day.saturating_sub(jiff::Span::new().days(REPEAT_DAYS))),
        to: Some(day),
        ..CaseFilter::default()
    };
    let cases = registry.cases(&filter).await?;
    let is_conduct =
        |row: &CaseRow| row.summary.get("conduct").and_then(serde_json::Value::as_bool) == Some(true);
    Ok(cases.iter().filter(|row| row.day != day && is_conduct(row)).map(|row| row.day).collect())
}

/// Brings the cases of a vehicle (or of units' orders, for vehicle 0) on `days` in step with the open flags.
pub(super) async fn sync(
    registry: &Registry,
    world: &World,
    vehicle: VehicleId,
    days: &BTreeSet<Date>,
    cause: &Cause,
    now: UtcMillis,
) -> Result<(), CaseError> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(()) };
    let flags = open_flags(registry, Some(vehicle), &(*first..=*last)).await.map_err(|error| {
        error.downcast::<registry::Error>().unwrap_or(registry::Error::Corrupt("flags of a case"))
    })?;
    let findings: Vec<Finding> = flags.into_iter().map(|flag| flag.finding).collect();
    let mut by_case = group(findings.iter().filter(|finding| days.contains(&finding.day)));
    if vehicle == VehicleId::default() {
        // Cases of units whose questions are all gone are told so, too.
        for row in unit_cases(registry, *first, *last).await? {
            by_case.entry(CaseKey { subject: Subject::Unit(row.unit), day: row.day }).or_default();
        }
    } else {
        for day in days {
            by_case.entry(CaseKey { subject: Subject::Vehicle(vehicle), day: *day }).or_default();
        }
    }
    let paper = Paper::new(registry, world, now);
    for (key, flags) in by_case {
        let id = case_id(key);
        let of_case = || findings.iter().filter(|finding| is_about(finding, key));
        let case = match load(registry, &id).await? {
            Some(case) => case,
            None => {
                let Some(unit) = flags.first().map(|flag| flag.unit) else { continue };
                let parties = paper.parties((key, unit), &[], of_case()).await?;
                let is_secret = world.vehicle(vehicle, now).is_some_and(|row| row.row.is_secret);
                let first: Vec<_> =
                    asking_first(flags.clone()).into_iter().take(FLAGS_WITH_OPENING).collect();
                let Some(event) = open(key, first, parties, is_secret) else { continue };
                let line = line(1, now, event);
                let Ok(case) = Case::open(&line) else { continue };
                append(registry, &case, &[line], now).await?;
                case
            }
        };
        let parties = paper.parties((key, case.unit), &case.parties, of_case()).await?;
        follow(registry, case, &flags, parties, cause, now).await?;
    }
    Ok(())
}

/// Whether a finding is about the subject and day of a case.
fn is_about(finding: &Finding, key: CaseKey) -> bool {
    let is_subject = match key.subject {
        Subject::Vehicle(vehicle) => finding.vehicle == vehicle,
        Subject::Unit(unit) => finding.vehicle == VehicleId::default() && finding.unit == unit,
    };
    is_subject && finding.day == key.day
}

/// Cases about the orders of units on these days.
async fn unit_cases(registry: &Registry, first: Date, last: Date) -> Result<Vec<CaseRow>, registry::Error> {
    let filter = CaseFilter {
        limit: KEYS_AT_ONCE,
        vehicle: Some(VehicleId::default()),
        from: Some(first),
        to: Some(last),
        ..CaseFilter::default()
    };
    registry.cases(&filter).await
}

/// The flags with those that open a case in front.
fn asking_first(
    mut flags: Vec<motorpool_supervision::cases::Flag>,
) -> Vec<motorpool_supervision::cases::Flag> {
    flags.sort_by_key(|flag| !matches!(flag.nature, Nature::Conduct | Nature::Paperwork));
    flags
}

const fn seq_after(case: &Case) -> u32 {
    case.seq.saturating_add(1)
}

fn line(seq: u32, at: UtcMillis, event: Event) -> CaseEvent {
    CaseEvent { v: FORMAT, seq, at, actor: Actor::system(), event }
}

/// Appends what the server itself has to say about a case that is there; what does not fit is passed over and logged.
pub(super) async fn append_as_system(
    registry: &Registry,
    case: Case,
    events: Vec<Event>,
    now: UtcMillis,
) -> Result<(), CaseError> {
    let mut after = case;
    let mut lines = Vec::new();
    for event in events {
        lines.extend(system_line(&mut after, event, now));
    }
    if lines.is_empty() { Ok(()) } else { append(registry, &after, &lines, now).await }
}

/// The line of an event of the server, after which `case` stands one event further; `None` when it does not fit.
pub fn system_line(case: &mut Case, event: Event, now: UtcMillis) -> Option<CaseEvent> {
    let line = line(seq_after(case), now.max(case.changed_at), event);
    match case.apply(&line) {
        Ok(()) => Some(line),
        Err(misfit) => {
            tracing::warn!(case = case_id(case.key), %misfit, "an event of the server does not fit its case");
            None
        }
    }
}

/// The approval by a second person that lets flags of the case go which hold no longer.
async fn approval(
    registry: &Registry,
    case: &Case,
    flags: &[motorpool_supervision::cases::Flag],
) -> Result<Option<ClearanceApproval>, CaseError> {
    let live = case.live_flags().map(|live| live.flag.id);
    let gone: BTreeSet<String> =
        live.filter(|id| flags.iter().all(|flag| flag.id != *id)).map(|id| id.to_string()).collect();
    if gone.is_empty() {
        return Ok(None);
    }
    let Some(stored) = registry.approval_of(&gone).await? else { return Ok(None) };
    match serde_json::from_value(stored)? {
        Clearance::Approved(approval) => Ok(Some(approval)),
        Clearance::Counted(_) | Clearance::Uncounted { .. } => Ok(None),
    }
}

/// Live flags that a change of a register closed and no second person has approved: they stay, whatever else is judged again.
async fn held(
    registry: &Registry,
    case: &Case,
    flags: &[motorpool_supervision::cases::Flag],
    approval: Option<&ClearanceApproval>,
) -> Result<Vec<motorpool_supervision::cases::Flag>, CaseError> {
    let mut held = Vec::new();
    let gone = case.live_flags().filter(|live| flags.iter().all(|flag| flag.id != live.flag.id));
    for live in gone.filter(|live| approval.is_none_or(|approval| !approval.covers(live.flag.id))) {
        let stored = registry.flag(&live.flag.id.to_string()).await?;
        if stored.is_some_and(|stored| stored.reason.as_deref() == Some(BY_REGISTRY)) {
            held.push(live.flag.clone());
        }
    }
    Ok(held)
}

/// Vehicle and day of every case of these days; vehicle 0 stands for the orders of a unit.
///
/// # Errors
/// When the database fails.
pub(super) async fn keys(
    registry: &Registry,
    days: &RangeInclusive<Date>,
) -> Result<Vec<(VehicleId, Date)>, registry::Error> {
    let mut filter = CaseFilter {
        limit: KEYS_AT_ONCE,
        from: Some(*days.start()),
        to: Some(*days.end()),
        ..CaseFilter::default()
    };
    let mut keys = Vec::new();
    loop {
        let page = registry.cases(&filter).await?;
        keys.extend(
            page.iter().filter(|row| row.state != word(&Stage::Closed)).map(|row| (row.vehicle, row.day)),
        );
        filter.after = page.last().map(|row| (row.rank, row.case_id.clone()));
        if page.len() < KEYS_AT_ONCE as usize {
            return Ok(keys);
        }
    }
}

/// Appends what changes a case that is there.
async fn follow(
    registry: &Registry,
    case: Case,
    flags: &[motorpool_supervision::cases::Flag],
    parties: Vec<Party>,
    cause: &Cause,
    now: UtcMillis,
) -> Result<(), CaseError> {
    let approval = approval(registry, &case, flags).await?;
    let mut flags = flags.to_vec();
    if matches!(cause, Cause::LateFixes | Cause::Code) {
        flags.extend(held(registry, &case, &flags, approval.as_ref()).await?);
    }
    let mut events = diff(&case, &flags, cause, approval.as_ref()).events;
    events.extend(after_change(&case, &events));
    events.extend(renamed(&case, parties));
    append_as_system(registry, case, events, now).await
}
