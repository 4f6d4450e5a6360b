//! From findings to events of cases: the flags of one subject and day are one case, and judging again gives the events that
//! lead from what the case knows to what holds now. Decisions follow the lineage of a flag.
//!
//! Paper does not launder: a flag that late paper would remove awaits a person, and one that a change of the registry would
//! remove is held until that change was approved by a second person.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::actor::PersonId;
use super::clearance::ClearanceApproval;
use super::events::{Event, MAX_ITEMS};
use super::flags::{CaseFlag, Flag, FlagStatus, GoneReason};
use super::record::Stage;
use super::state::Case;
use super::terms::{CaseKey, Disposition, Part, Party, ReturnReason, Source, Subject};
use crate::UtcMillis;
use crate::finding::{Finding, FindingId, Nature, Outcome};
use crate::ids::VehicleId;
use crate::register::Order;

/// Why something was judged again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every cause")]
pub enum Cause {
    /// Fixes came late.
    LateFixes,
    /// An order came, or another version of one.
    Order {
        /// Its number.
        no: String,
        /// When it was first recorded, by a clock that is trusted.
        recorded_at: UtcMillis,
    },
    /// Another row of the registry changed: a zone, a calendar, a roster, an exemption, a rule set.
    RegistryChange {
        /// The change.
        change: i64,
    },
    /// The code of rules changed.
    Code,
}

/// What judging again changes.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Diff {
    /// The events to append, in order.
    pub events: Vec<Event>,
    /// Flags that hold no more but stay until a second person approves the change: the material of a
    /// [`super::ClearancePreview`].
    pub held: Vec<Flag>,
}

/// Findings that flags are made of, by case: no undecidable ones, none of rule sets on trial. Each list is in order of time.
#[must_use]
pub fn group<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> BTreeMap<CaseKey, Vec<Flag>> {
    let mut cases: BTreeMap<CaseKey, Vec<Flag>> = BTreeMap::new();
    for finding in findings {
        if finding.outcome == Outcome::Flag && !finding.is_trial {
            cases.entry(key_of(finding)).or_default().push(Flag::from(finding));
        }
    }
    for flags in cases.values_mut() {
        flags.sort_by_key(|flag| (flag.from, flag.rule, flag.id));
        flags.dedup_by_key(|flag| flag.id);
    }
    cases
}

fn key_of(finding: &Finding) -> CaseKey {
    let is_about_orders = finding.vehicle == VehicleId::default();
    let subject =
        if is_about_orders { Subject::Unit(finding.unit) } else { Subject::Vehicle(finding.vehicle) };
    CaseKey { subject, day: finding.day }
}

/// The event that opens a case with these flags. `None` when they are figures or work on devices alone: those are reports
/// and device work orders (设备工单), no suspicion of a person, though they join a case that is there.
#[must_use]
pub fn open(key: CaseKey, flags: Vec<Flag>, parties: Vec<Party>, is_secret: bool) -> Option<Event> {
    let asks = flags.iter().find(|flag| matches!(flag.nature, Nature::Conduct | Nature::Paperwork))?;
    Some(Event::Opened { key, unit: asks.unit, source: Source::Rules, parties, is_secret, flags })
}

/// Who is named on these orders and was named `before`, in order of part and name, each once. `account` finds the account of a
/// name, with the order that it stands on if it stands on one.
///
/// Nobody leaves a case by a change of paper or of accounts: who was named stays named, and a link to an account stays.
#[must_use]
pub fn parties<'a>(
    before: &'a [Party],
    orders: impl IntoIterator<Item = &'a Order>,
    account: impl Fn(Part, &str, Option<&Order>) -> Option<PersonId>,
) -> Vec<Party> {
    let mut named: BTreeMap<(Part, &str), BTreeSet<PersonId>> = BTreeMap::new();
    let mut name_one = |part: Part, name: &'a str, person: Option<PersonId>| {
        if !name.is_empty() && (named.len() < MAX_ITEMS || named.contains_key(&(part, name))) {
            named.entry((part, name)).or_default().extend(person);
        }
    };
    for party in before {
        let person = party.person.or_else(|| account(party.part, &party.name, None));
        name_one(party.part, &party.name, person);
    }
    for order in orders {
        for (part, name) in names_on(order) {
            name_one(part, name, account(part, name, Some(order)));
        }
    }
    let party = |part, name: &str, person| Party { part, name: name.to_owned(), person };
    let parties = named.into_iter().flat_map(|((part, name), people)| {
        let is_nobody = people.is_empty();
        let linked = people.into_iter().map(move |person| party(part, name, Some(person)));
        linked.chain(is_nobody.then(|| party(part, name, None)))
    });
    parties.take(MAX_ITEMS).collect()
}

fn names_on(order: &Order) -> impl Iterator<Item = (Part, &str)> {
    let approvers = order.approvals.iter().map(|approval| (Part::Approver, approval.by.trim()));
    [
        (Part::CarUser, order.user.trim()),
        (Part::Dispatcher, order.dispatcher.trim()),
        (Part::Driver, order.driver.trim()),
    ]
    .into_iter()
    .chain(approvers)
}

/// The events that lead from the live flags of `case` to `now`, the flags that hold after judging again.
///
/// A new version takes the place of the predecessor that it overlaps most, of the same question of the same rule, or of a
/// question of that rule for which it asks the paper. What has no successor goes by `cause`: late fixes and new code let it go; late paper leaves it as 补单待核; all else needs
/// `approval`.
#[must_use]
pub fn diff(case: &Case, now: &[Flag], cause: &Cause, approval: Option<&ClearanceApproval>) -> Diff {
    let old: Vec<&CaseFlag> = case.live_flags().collect();
    let known: BTreeSet<FindingId> = old.iter().map(|known| known.flag.id).collect();
    let holding: BTreeMap<FindingId, &Flag> = now.iter().map(|flag| (flag.id, flag)).collect();
    let mut gone: Vec<&CaseFlag> =
        old.into_iter().filter(|known| !holding.contains_key(&known.flag.id)).collect();
    let mut added: Vec<&Flag> =
        holding.into_iter().filter(|(id, _)| !known.contains(id)).map(|(_, flag)| flag).collect();
    added.sort_by_key(|flag| (flag.from, flag.rule, flag.id));

    let mut diff = Diff::default();
    // The same question first; then what asks only for the paper now (补单待核) follows the question that it answers.
    for is_next in [Flag::is_same_question, Flag::is_paper_for] {
        for (before, after) in successions(&gone, &added, is_next) {
            gone.retain(|known| known.flag.id != before.flag.id);
            added.retain(|flag| flag.id != after.id);
            diff.events.push(Event::FlagSuperseded { old: before.flag.id, new: after.clone() });
            diff.events.extend(paper_for(before, after, cause));
        }
    }
    diff.events.extend(added.into_iter().map(|flag| Event::FlagAdded { flag: flag.clone() }));
    let mut is_noted = false;
    for known in gone {
        match leave(known, cause, approval) {
            Leaving::Goes(reason) => {
                if let Some(approval) = approval.filter(|_| !is_noted && !is_free(cause)) {
                    diff.events.push(approval.noted());
                    is_noted = true;
                }
                diff.events.push(Event::FlagGone { flag: known.flag.id, reason });
            }
            Leaving::AwaitsPaperCheck(event) => diff.events.extend(event),
            Leaving::Held => diff.held.push(known.flag.clone()),
        }
    }
    diff
}

const fn is_free(cause: &Cause) -> bool {
    matches!(cause, Cause::LateFixes | Cause::Code)
}

enum Leaving {
    Goes(GoneReason),
    AwaitsPaperCheck(Option<Event>),
    Held,
}

/// What becomes of a flag without a successor.
fn leave(known: &CaseFlag, cause: &Cause, approval: Option<&ClearanceApproval>) -> Leaving {
    let flag = &known.flag;
    let is_approved = approval.is_some_and(|approval| approval.covers(flag.id));
    let awaits_paper = matches!(known.standing, FlagStatus::AwaitsPaperCheck { .. });
    match cause {
        // Late paper may be why it holds no more; only the person who checks the paper can tell.
        Cause::LateFixes | Cause::Code if awaits_paper => Leaving::AwaitsPaperCheck(None),
        Cause::LateFixes => Leaving::Goes(GoneReason::LateFixes),
        Cause::Code => Leaving::Goes(GoneReason::CodeChanged { version: flag.rule_version }),
        Cause::Order { no, recorded_at } if *recorded_at > flag.from => {
            let came = FlagStatus::AwaitsPaperCheck { order_no: no.clone(), recorded_at: *recorded_at };
            let event = Event::PaperCame { flag: flag.id, order_no: no.clone(), recorded_at: *recorded_at };
            Leaving::AwaitsPaperCheck((known.standing != came).then_some(event))
        }
        Cause::Order { no, .. } if is_approved => Leaving::Goes(GoneReason::OrderArrived { no: no.clone() }),
        Cause::RegistryChange { change } if is_approved => {
            Leaving::Goes(GoneReason::RegistryChanged { change: *change })
        }
        Cause::Order { .. } | Cause::RegistryChange { .. } => Leaving::Held,
    }
}

/// The paper that a new version awaits a check of: that which nobody has looked at yet, or that which made it a question of
/// paper.
fn paper_for(before: &CaseFlag, after: &Flag, cause: &Cause) -> Option<Event> {
    let (order_no, recorded_at) = match (&before.standing, cause) {
        (FlagStatus::AwaitsPaperCheck { order_no, recorded_at }, _) => (order_no, recorded_at),
        (_, Cause::Order { no, recorded_at })
            if before.flag.is_paper_for(after) && *recorded_at > after.from =>
        {
            (no, recorded_at)
        }
        _ => return None,
    };
    Some(Event::PaperCame { flag: after.id, order_no: order_no.clone(), recorded_at: *recorded_at })
}

/// Which new version follows which old one: greatest overlap first, each once.
fn successions<'a>(
    old: &[&'a CaseFlag],
    new: &[&'a Flag],
    is_next: impl Fn(&Flag, &Flag) -> bool,
) -> Vec<(&'a CaseFlag, &'a Flag)> {
    let mut pairs: Vec<(&CaseFlag, &Flag, i64)> = Vec::new();
    for before in old {
        for after in new.iter().filter(|after| is_next(&before.flag, after)) {
            if let Some(overlap_ms) = before.flag.overlap_ms(after) {
                pairs.push((before, after, overlap_ms));
            }
        }
    }
    pairs.sort_by_key(|(before, after, overlap_ms)| {
        (Reverse(*overlap_ms), before.flag.from, before.flag.id, after.from, after.id)
    });
    let mut used = BTreeSet::new();
    pairs.retain(|(before, after, _)| {
        let is_free = !used.contains(&before.flag.id) && !used.contains(&after.id);
        if is_free {
            used.extend([before.flag.id, after.id]);
        }
        is_free
    });
    pairs.into_iter().map(|(before, after, _)| (before, after)).collect()
}

/// The event by which a closed case opens by itself because of these changes: a red question about conduct that the decision
/// did not know, that had gone and is there again, or that got graver. Everything else follows the decision.
///
/// `case` is the state before the changes.
#[must_use]
pub fn after_change(case: &Case, changes: &[Event]) -> Option<Event> {
    let decision = case.decision()?;
    let mut returned: BTreeMap<ReturnReason, Vec<FindingId>> = BTreeMap::new();
    for change in changes {
        let found = match change {
            Event::FlagAdded { flag } if flag.is_conduct_red() => {
                let was_there = decision.knew.contains(&flag.id) || has_gone(case, flag);
                let reason = if was_there { ReturnReason::FlagReturned } else { ReturnReason::NewFlag };
                Some((reason, flag.id))
            }
            Event::FlagSuperseded { old, new } if new.is_conduct_red() => {
                let was_red =
                    case.flags.iter().any(|known| known.flag.id == *old && known.flag.is_conduct_red());
                (!was_red).then_some((ReturnReason::FlagGraver, new.id))
            }
            _ => None,
        };
        if let Some((reason, flag)) = found {
            returned.entry(reason).or_default().push(flag);
        }
    }
    let (reason, flags) = returned.pop_first()?;
    Some(Event::AutoReopened { reason, flags })
}

/// Whether a question like this one was in the case and went.
fn has_gone(case: &Case, flag: &Flag) -> bool {
    case.flags.iter().any(|known| {
        matches!(known.standing, FlagStatus::Gone { .. })
            && known.flag.is_same_question(flag)
            && known.flag.overlap_ms(flag).is_some()
    })
}

/// The event by which a flagged case of a blind lot opens again when it was found normal while its red questions were
/// hidden. Nobody was blamed for them and nobody has looked at them yet.
#[must_use]
pub fn after_decision(case: &Case) -> Option<Event> {
    let is_first = case.stage == Stage::Closed && case.decisions.len() == 1 && case.lot.is_some();
    let is_normal = matches!(case.decision()?.closing.disposition, Disposition::Normal { .. });
    let flags: Vec<FindingId> =
        case.live_flags().filter(|known| known.flag.is_conduct_red()).map(|known| known.flag.id).collect();
    (is_first && is_normal && !flags.is_empty())
        .then_some(Event::AutoReopened { reason: ReturnReason::BlindControl, flags })
}
