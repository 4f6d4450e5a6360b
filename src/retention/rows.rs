//! Rows of the registry: trips, flags and cases counted, or removed page by page. What is held is asked again before each page; a page
//! during which a hold is placed is looked through again.

use motorpool_protocols::UtcMillis;

use super::held::Held;
use super::latest::Latest;
use super::plan::RowsDue;
use crate::ids::DeviceId;
use crate::registry::{Age, OldQuestion, OldTrip, Question, Registry};

/// What is done with rows whose time is over.
#[derive(Debug)]
pub(super) enum Act<'a> {
    /// They are held against this, and counted.
    Count(&'a Held),
    /// Those that nobody holds go.
    Remove(&'a mut Latest),
}

/// Counts or removes trips, device by device.
pub(super) async fn trips(
    registry: &Registry,
    mut act: Act<'_>,
    before: Option<UtcMillis>,
) -> anyhow::Result<RowsDue> {
    let mut rows = RowsDue::default();
    let Some(before) = before else { return Ok(rows) };
    let snapshot = registry.snapshot();
    for device in snapshot.devices().map(|device| device.id) {
        let mut after = (UtcMillis(i64::MIN), String::new());
        loop {
            let page = registry.old_trips(device, before, (after.0, &after.1)).await?;
            let Some(last) = page.last() else { break };
            after = (last.to, last.id.clone());
            match &mut act {
                Act::Count(held) => rows.add(free_trips(held, device, &page).1),
                Act::Remove(latest) => rows.add(remove_trips(registry, latest, device, &page).await?),
            }
        }
    }
    Ok(rows)
}

/// The trips of a page that nobody holds.
fn free_trips(held: &Held, device: DeviceId, page: &[OldTrip]) -> (Vec<String>, RowsDue) {
    let free: Vec<String> = page
        .iter()
        .filter(|trip| !held.holds_trip(device, trip.from, trip.to))
        .map(|trip| trip.id.clone())
        .collect();
    let rows = RowsDue::of(page.len(), free.len());
    (free, rows)
}

async fn remove_trips(
    registry: &Registry,
    latest: &mut Latest,
    device: DeviceId,
    page: &[OldTrip],
) -> anyhow::Result<RowsDue> {
    let mut tries = latest.tries();
    while let Some(held) = tries.next().await? {
        let (free, rows) = free_trips(&held, device, page);
        if registry.remove_trips(&free, held.placed()).await? {
            return Ok(rows);
        }
    }
    Err(tries.given_up())
}

/// Counts or removes flags or cases.
pub(super) async fn questions(
    registry: &Registry,
    mut act: Act<'_>,
    kind: Question,
    age: Option<Age>,
) -> anyhow::Result<RowsDue> {
    let mut rows = RowsDue::default();
    let Some(age) = age else { return Ok(rows) };
    let mut after = (i64::MIN, String::new());
    loop {
        let page = registry.old_questions(kind, age, (after.0, &after.1)).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        after = (last.day, last.id.clone());
        match &mut act {
            Act::Count(held) => rows.add(free_questions(held, kind, &page).1),
            Act::Remove(latest) => rows.add(remove_questions(registry, latest, (kind, age), &page).await?),
        }
    }
}

/// The flags or cases of a page that nobody holds.
fn free_questions(held: &Held, kind: Question, page: &[OldQuestion]) -> (Vec<String>, RowsDue) {
    let is_held = |row: &&OldQuestion| match kind {
        Question::Flag => held.holds_flag(row.vehicle, row.unit, row.day),
        Question::Case => held.holds_case(row.vehicle, row.unit, row.day),
    };
    let free: Vec<String> = page.iter().filter(|row| !is_held(row)).map(|row| row.id.clone()).collect();
    let rows = RowsDue::of(page.len(), free.len());
    (free, rows)
}

async fn remove_questions(
    registry: &Registry,
    latest: &mut Latest,
    (kind, age): (Question, Age),
    page: &[OldQuestion],
) -> anyhow::Result<RowsDue> {
    let mut tries = latest.tries();
    while let Some(held) = tries.next().await? {
        let (free, rows) = free_questions(&held, kind, page);
        if registry.remove_questions(kind, age, &free, held.placed()).await? {
            return Ok(rows);
        }
    }
    Err(tries.given_up())
}
