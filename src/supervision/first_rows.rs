//! The rows that a new registry begins with: the shipped calendar. Later editions of it are new versions, never edits.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::calendar::builtin;
use motorpool_supervision::register::{CalendarYear, Span, Versioned};

use crate::registry::{self, Change, Known, Registry};

/// Who recorded rows that came with the program.
const SHIPPED: &str = "motorpool";

/// Writes the years of the shipped calendar that are not there, or there in another shipped edition. What people wrote stays.
///
/// # Errors
/// When the database fails.
pub async fn write_calendar(registry: &Registry, name: &str, now: UtcMillis) -> Result<(), registry::Error> {
    let Some(years) = builtin(name) else { return Ok(()) };
    let known: Vec<Versioned<CalendarYear>> = registry.rows(Known::Now).await?;
    let changes: Vec<Change<CalendarYear>> =
        years.into_iter().filter_map(|year| change(year, &known)).collect();
    if changes.is_empty() {
        return Ok(());
    }
    registry.write_rows(&changes, SHIPPED, now).await?;
    tracing::info!(calendar = name, years = changes.len(), "calendar written");
    Ok(())
}

fn change(year: CalendarYear, known: &[Versioned<CalendarYear>]) -> Option<Change<CalendarYear>> {
    let same = known
        .iter()
        .find(|row| row.row.calendar == year.calendar && row.row.year == year.year && row.row.unit.is_none());
    match same {
        None => Some(Change::Add { id: None, valid: Span::ALWAYS, row: year }),
        Some(row) if row.recorded_by == SHIPPED && row.row != year => {
            Some(Change::Correct { id: row.id, expected: Some(row.version), valid: Span::ALWAYS, row: year })
        }
        Some(_) => None,
    }
}
