//! Judges the day of a flag again from what is stored, and says whether the same comes out.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::Finding;
use motorpool_supervision::judge::judge_vehicle;
use serde_json::Value as Json;

use super::judging::{self, Detail, Sources, is_fleet_rule};
use super::packs::PackSources;
use crate::registry::{Flag, Known, RowScope};

/// What judging again gave.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Recomputed {
    /// The finding that answers the same question now; `None` = there is none any more.
    pub finding: Option<Finding>,
    /// The fields in which it differs; empty = the same answer, or none.
    pub differs: Vec<String>,
    /// The change of the registry that it was judged with.
    pub change: i64,
}

impl Recomputed {
    /// Whether the very same finding came out.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        self.finding.is_some() && self.differs.is_empty()
    }
}

/// Judges the day of `flag` again with everything known now.
///
/// # Errors
/// When registers or tracks can't be read.
pub async fn recompute(sources: &PackSources, flag: &Flag, now: UtcMillis) -> anyhow::Result<Recomputed> {
    let finding = &flag.finding;
    let (vehicle, day) = (finding.vehicle, finding.day);
    let is_fleet = is_fleet_rule(finding.rule);
    let scope = if is_fleet { RowScope::All } else { RowScope::Vehicles([vehicle].into()) };
    let (world, change) =
        judging::world(&sources.registry, &scope, &sources.time_zone, (day, day), Known::Now).await?;
    let rests = sources.registry.rests().await?.into_iter().collect();
    let fresh = std::collections::BTreeMap::new();
    let reader =
        Sources { registry: &sources.registry, tracks: &sources.tracks, rests: &rests, fresh: &fresh };
    let found = if is_fleet {
        judging::judge_together(reader, &world, &(day..=day), now).await?.wanted
    } else {
        let history = reader.history(&world, vehicle, &(day..=day), Detail::Points).await?;
        let judge = move || judge_vehicle(&world, history.borrowed(vehicle, now), day..=day);
        tokio::task::spawn_blocking(judge).await?
    };
    let finding = nearest(finding, found);
    let differs = finding.as_ref().map(|new| differences(&flag.finding, new)).unwrap_or_default();
    Ok(Recomputed { finding, differs, change })
}

/// The finding that answers the same question: the same one, else that of the same rule and aspect that shares most time.
fn nearest(old: &Finding, found: Vec<Finding>) -> Option<Finding> {
    let shared = |new: &Finding| new.to.0.min(old.to.0).saturating_sub(new.from.0.max(old.from.0));
    found
        .into_iter()
        .filter(|new| (new.vehicle, new.rule, &new.aspect) == (old.vehicle, old.rule, &old.aspect))
        .filter(|new| new == old || shared(new) >= 0)
        .max_by_key(|new| (new == old, shared(new)))
}

/// The names of the fields with other values.
fn differences(old: &Finding, new: &Finding) -> Vec<String> {
    let fields = |finding: &Finding| match serde_json::to_value(finding) {
        Ok(Json::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(old), fields(new));
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}
