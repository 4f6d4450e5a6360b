//! The 3, 5 and 7 workdays of an explanation: tells the next one up when a day has passed. Silence is not guilt; a step never
//! touches the disposition.

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::overdue;
use motorpool_supervision::world::World;

use super::cases::{CaseError, append_as_system, load};
use crate::registry::{CaseFilter, Registry};

/// Cases read at once.
const CASES_AT_ONCE: u32 = 1_000;

/// Appends the steps that are due at `now` to every case that waits for an explanation. Calendars come from `world`.
///
/// # Errors
/// When the database fails. A case that can't be folded is passed over and logged.
pub(super) async fn remind(registry: &Registry, world: &World, now: UtcMillis) -> Result<(), CaseError> {
    let mut filter = CaseFilter {
        limit: CASES_AT_ONCE,
        states: ["explanation_asked".to_owned()].into(),
        ..CaseFilter::default()
    };
    loop {
        let rows = registry.cases(&filter).await?;
        let is_last = rows.len() < CASES_AT_ONCE as usize;
        filter.after = rows.last().map(|row| (row.rank, row.case_id.clone()));
        for row in rows {
            match remind_one(registry, world, &row.case_id, now).await {
                Ok(()) => {}
                Err(error @ CaseError::Registry(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a case can't be read")
                }
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn remind_one(registry: &Registry, world: &World, id: &str, now: UtcMillis) -> Result<(), CaseError> {
    let Some(case) = load(registry, id).await? else { return Ok(()) };
    let units = world.unit_path(case.unit, now);
    let is_workday = |date: Date| !world.day(&units, date).kind.is_rest_day();
    let steps = overdue(&case, now, world.time_zone(), is_workday);
    append_as_system(registry, case, steps, now).await
}
