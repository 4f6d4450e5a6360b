//! Runs a quarter through the engine, one car after the other, so that the points of one car only are in memory. It never
//! looks at a label.

use std::time::Instant;

use motorpool_supervision::calendar::builtin;
use motorpool_supervision::finding::Finding;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::judge::{VehicleHistory, judge_fleet, judge_vehicle};
use motorpool_supervision::register::Versioned;
use motorpool_supervision::trips::{Segment, TripSettings, cut};
use motorpool_supervision::world::{World, WorldError};

use super::Pace;
use crate::sim::quarter::Quarter;

/// The zone of the made-up county.
const TIME_ZONE: &str = "Asia/Shanghai";
/// The calendar that ships with the program.
const CALENDAR: &str = "cn";

/// Why a quarter can't be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgingError {
    /// The calendar does not come with the program.
    #[error("there is no built-in calendar \"{CALENDAR}\"")]
    Calendar,
    /// The register can't be used.
    #[error("the quarter's register can't be used")]
    World(#[from] WorldError),
}

/// What the engine made of a quarter.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Judged {
    /// What was found about each car, then about the fleet.
    pub findings: Vec<Finding>,
    /// How fast.
    pub pace: Pace,
}

/// Judges all cars on all days of a quarter.
///
/// # Errors
/// When the engine refuses the quarter's register.
pub fn judge(quarter: &Quarter) -> Result<Judged, JudgingError> {
    let world = world(quarter)?;
    let (first, last) = quarter.days();
    let (_, known_to) = quarter.span();
    let settings = TripSettings::default();
    let mut judged = Judged::default();
    let mut fleet: Vec<(VehicleId, Vec<Segment>)> = Vec::new();
    for vehicle in quarter.vehicles() {
        let points = quarter.track(vehicle);
        let begun = Instant::now();
        let segments = cut(&points, &settings);
        judged.pace.cutting += begun.elapsed();
        let history = VehicleHistory { vehicle, segments: &segments, points: &points, known_to };
        let begun = Instant::now();
        judged.findings.extend(judge_vehicle(&world, history, first..=last));
        judged.pace.judging += begun.elapsed();
        judged.pace.fixes += points.len() as u64;
        fleet.push((vehicle, segments));
    }
    // What only the fleet shows rests on trips and stops alone.
    let histories: Vec<VehicleHistory<'_>> = fleet
        .iter()
        .map(|(vehicle, segments)| VehicleHistory { vehicle: *vehicle, segments, points: &[], known_to })
        .collect();
    let begun = Instant::now();
    judged.findings.extend(judge_fleet(&world, &histories, first..=last));
    judged.pace.judging += begun.elapsed();
    Ok(judged)
}

/// The quarter's register with the country's calendar, which had been published before the quarter began.
fn world(quarter: &Quarter) -> Result<World, JudgingError> {
    let mut register = quarter.register().clone();
    let (begin, _) = quarter.span();
    let years = builtin(CALENDAR).ok_or(JudgingError::Calendar)?;
    register.calendar_years = (1..).zip(years).map(|(id, year)| Versioned::first(id, begin, year)).collect();
    Ok(World::new(register, TIME_ZONE)?)
}
