//! Judges vehicle-days: brings together what the rules of one vehicle and one local day look at, runs them, and applies what holds
//! for all of them: exemptions, duty and emergencies, trial.

mod day;
mod draft;
mod fleet;
mod settings;
mod settle;
#[cfg(test)]
pub(crate) mod testing;
mod vehicle;

pub use day::{Matched, VehicleDay, VehicleHistory};
pub use draft::Draft;
pub use fleet::{FleetDay, FleetVehicle, judge_fleet};
pub use settle::colour_of;
pub use vehicle::{Judged, judge_vehicle, judge_vehicle_counting};

use jiff::Span;
use jiff::civil::Date;

use crate::UtcMillis;
use crate::ids::VehicleId;
use crate::register::Order;
use crate::world::World;

const DAY_MS: i64 = 86_400_000;

/// How far before a judged day rules look, days. A history must reach this far back; what lies before is not looked at.
pub const LOOK_BACK_DAYS: i64 = 35;

/// How far behind a judged day rules look, days: a night, or a trip that goes on past midnight.
pub const LOOK_AHEAD_DAYS: i64 = 2;

/// Up to when rules on a local day of a vehicle may look: [`LOOK_AHEAD_DAYS`] after it, and a day beyond the planned end of each order that
/// holds on it, for what an order asks is asked on the day of its first trip. At most [`LOOK_BACK_DAYS`] after the day.
#[must_use]
pub fn looks_ahead_to(world: &World, vehicle: VehicleId, day: Date) -> UtcMillis {
    let end_of = |days: i64| world.instant(day.saturating_add(Span::new().days(days)), 1_440);
    let (from, to) = (world.instant(day, 0), world.instant(day, 1_440));
    // A car may leave a little before its order begins.
    let holds =
        |order: &&Order| order.planned_out.0 < to.0.saturating_add(DAY_MS) && from <= order.planned_in;
    let orders = world.orders(vehicle).map(|order| &order.row).filter(holds);
    let ends = orders.map(|order| UtcMillis(order.planned_in.0.saturating_add(DAY_MS)));
    let asked_to = ends.max().unwrap_or(UtcMillis(i64::MIN)).min(end_of(LOOK_BACK_DAYS));
    asked_to.max(end_of(LOOK_AHEAD_DAYS))
}
