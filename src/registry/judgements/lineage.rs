//! Which versions are new, which hold no longer, and which took the place of which. Pure.

use std::collections::BTreeSet;

use motorpool_supervision::finding::Finding;
use motorpool_supervision::ids::DeviceId;
use motorpool_supervision::trips::Segment;

use super::flags::{Flag, FlagState, NewFlag};
use super::segments::{NewSegment, StoredSegment, id_of, sort, times};

/// A version that holds no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct Gone {
    /// Which.
    pub id: String,
    /// The version in its place, if there is one.
    pub by: Option<String>,
    /// Why, in words for people, when there is none.
    pub reason: Option<String>,
}

/// First and last instant.
type Times = (i64, i64);

/// Milliseconds that two pieces share, counting both ends, so that pieces of no length that touch count too.
fn shared(a: Times, b: Times) -> i64 {
    a.1.min(b.1).saturating_sub(a.0.max(b.0)).saturating_add(1)
}

/// The candidate that shares most with `times`; of several the one that begins first, then the one with the lower id.
fn nearest<'a>(times: Times, candidates: impl Iterator<Item = (&'a str, Times)>) -> Option<&'a str> {
    candidates
        .filter(|(_, other)| shared(times, *other) > 0)
        .min_by_key(|(id, other)| (-shared(times, *other), other.0, *id))
        .map(|(id, _)| id)
}

/// What changes when the pieces of a device's track in some range, now `current`, are to be `wanted`.
///
/// `current` must hold every current version that shares an instant with the range, and `wanted` every piece that the
/// range has now. Neither depends on their order.
#[must_use]
pub fn revise_segments(
    device: DeviceId,
    current: &[StoredSegment],
    wanted: &[Segment],
) -> (Vec<NewSegment>, Vec<Gone>) {
    let millis = |segment: &Segment| {
        let (start, end) = times(segment);
        (start.0, end.0)
    };
    let wanted_ids: BTreeSet<String> = wanted.iter().map(|segment| id_of(device, segment)).collect();
    let known: BTreeSet<&str> = current.iter().map(|stored| stored.id.as_str()).collect();
    let leaving: Vec<&StoredSegment> =
        current.iter().filter(|stored| !wanted_ids.contains(&stored.id)).collect();

    let mut seen = BTreeSet::new();
    let mut added: Vec<NewSegment> = Vec::new();
    for segment in wanted {
        let id = id_of(device, segment);
        if known.contains(id.as_str()) || !seen.insert(id.clone()) {
            continue;
        }
        let alike = leaving.iter().filter(|stored| sort(&stored.segment) == sort(segment));
        let nearest =
            nearest(millis(segment), alike.map(|stored| (stored.id.as_str(), millis(&stored.segment))));
        let predecessor = leaving.iter().find(|stored| Some(stored.id.as_str()) == nearest);
        added.push(NewSegment {
            lineage: predecessor.map_or_else(|| id.clone(), |stored| stored.lineage.clone()),
            predecessor: predecessor.map(|stored| stored.id.clone()),
            id,
            device,
            segment: segment.clone(),
        });
    }
    added.sort_by(|a, b| (millis(&a.segment), &a.id).cmp(&(millis(&b.segment), &b.id)));

    let mut gone: Vec<Gone> = leaving
        .iter()
        .map(|stored| {
            let alike = wanted.iter().filter(|segment| sort(segment) == sort(&stored.segment));
            let alike: Vec<(String, Times)> =
                alike.map(|segment| (id_of(device, segment), millis(segment))).collect();
            let by = nearest(millis(&stored.segment), alike.iter().map(|(id, times)| (id.as_str(), *times)));
            Gone { id: stored.id.clone(), by: by.map(str::to_owned), reason: None }
        })
        .collect();
    gone.sort_by(|a, b| a.id.cmp(&b.id));
    (added, gone)
}

/// What changes when the flags of some vehicle-days, now `current`, are to be `wanted`. A flag that nothing takes the place of is
/// closed with `reason`.
///
/// A flag takes the place of one of the same vehicle, local day, rule and aspect. Findings about a moment can move within
/// the day, so of those that share no instant the one that begins nearest counts.
#[must_use]
pub fn revise_flags(current: &[Flag], wanted: &[Finding], reason: &str) -> (Vec<NewFlag>, Vec<Gone>) {
    let wanted: Vec<(String, &Finding)> =
        wanted.iter().map(|finding| (finding.id().to_string(), finding)).collect();
    let known: BTreeSet<&str> = open(current).map(|flag| flag.id.as_str()).collect();
    let wanted_ids: BTreeSet<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
    let leaving: Vec<&Flag> = open(current).filter(|flag| !wanted_ids.contains(flag.id.as_str())).collect();

    let mut seen = BTreeSet::new();
    let mut added: Vec<NewFlag> = Vec::new();
    for (id, finding) in &wanted {
        if known.contains(id.as_str()) || !seen.insert(id.clone()) {
            continue;
        }
        let predecessor = leaving
            .iter()
            .filter(|flag| is_same_question(&flag.finding, finding))
            .min_by_key(|flag| (distance(&flag.finding, finding), flag.finding.from, flag.id.as_str()));
        added.push(NewFlag {
            id: id.clone(),
            lineage: predecessor.map_or_else(|| id.clone(), |flag| flag.lineage.clone()),
            predecessor: predecessor.map(|flag| flag.id.clone()),
            finding: (*finding).clone(),
        });
    }
    added.sort_by(|a, b| a.id.cmp(&b.id));

    let mut gone: Vec<Gone> = leaving
        .iter()
        .map(|flag| {
            let by = wanted
                .iter()
                .filter(|(_, finding)| is_same_question(finding, &flag.finding))
                .min_by_key(|(id, finding)| (distance(finding, &flag.finding), finding.from, id.as_str()))
                .map(|(id, _)| id.clone());
            let reason = by.is_none().then(|| reason.to_owned());
            Gone { id: flag.id.clone(), by, reason }
        })
        .collect();
    gone.sort_by(|a, b| a.id.cmp(&b.id));
    (added, gone)
}

fn open(flags: &[Flag]) -> impl Iterator<Item = &Flag> {
    flags.iter().filter(|flag| flag.state == FlagState::Open)
}

fn is_same_question(a: &Finding, b: &Finding) -> bool {
    (a.vehicle, a.day, a.rule, &a.aspect) == (b.vehicle, b.day, b.rule, &b.aspect)
}

/// How badly two findings fit: less the more they share, and more the further apart they are.
fn distance(a: &Finding, b: &Finding) -> i64 {
    -shared((a.from.0, a.to.0), (b.from.0, b.to.0))
}
