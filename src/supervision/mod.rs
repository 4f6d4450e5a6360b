//! Supervision in the server: derives trips from the archive, judges vehicle-days, keeps flags and cases.
//!
//! A fold like the others, but behind the archive: the fold thread marks which tracks changed ([`Marks`]); every few seconds the
//! [`Supervisor`] derives those tracks' trips again from their last sure stop, judges the vehicle-days that they, changes of the
//! registry, or the end of a day touch, and writes trips, flags and its checkpoint in one transaction. It never looks at a wall
//! clock: its notion of now is the time at which the latest journaled message was received, so a replay gives the same.
//!
//! It never holds the journal back. What it did not mark because a range of the journal was gone it derives from the archive again.

mod backlog;
mod backtest;
pub mod cases;
mod changes;
mod claims;
mod clearance;
mod days;
mod derive;
mod first_rows;
mod judging;
mod marks;
mod packs;
mod parties;
mod recompute;
mod reminders;
mod sampling;
mod settings;
mod sight;
mod supervisor;

pub use backtest::{
    BacktestError, BacktestPart, BacktestProgress, BacktestReport, BacktestRequest, BacktestSight,
    RuleOutcome, VEHICLE_DAYS_MAX, backtest,
};
pub use claims::check_items;
pub use clearance::{Clearance, ClearanceSources, PutRows, WouldClear, would_clear};
pub use first_rows::write_calendar;
pub use marks::{MarkBatch, Marks};
pub use packs::{NoPack, Pack, PackRequest, PackSources, pack};
pub use parties::{link_account, parties_of_day};
pub use recompute::{Recomputed, recompute};
pub use sampling::{DrawError, Drawn, draw_plan, estimate};
pub use settings::SupervisionSettings;
pub use sight::{row_reaches, stage_seen, units_asked};
pub use supervisor::{Status, Supervisor, SupervisorParts};

#[cfg(test)]
mod tests;
