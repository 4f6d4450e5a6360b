//! Cars on duty round the clock, so that something drives at night and on Sundays too.

use motorpool_supervision::UtcMillis;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::point::Point;

use crate::sim::quarter::{Quarter, TrueTrip};

/// The longest round that is driven again and again.
const ROUND_MAX_MS: i64 = 4 * 3_600_000;
/// The car stands in its depot for so long between two rounds.
const PAUSE_MS: i64 = 10 * 60_000;
/// Points so long before the departure belong to a round.
const LEAD_MS: i64 = 60_000;

/// A round that a car drives again and again from a moment on.
#[derive(Clone, Debug)]
pub(super) struct Patrol {
    begins: UtcMillis,
    round: Vec<Point>,
    period_ms: i64,
    /// Metres of one round, and what the odometer reads above the recorded round in the first one.
    length_m: u32,
    odometer_ahead_m: u32,
}

impl Patrol {
    /// The last short way out of the depot and back that a car drove under an order before `begins`; `None` when there is none.
    pub(super) fn new(quarter: &Quarter, vehicle: VehicleId, begins: UtcMillis) -> Option<Self> {
        let (start, end) = last_round(quarter.true_trips(vehicle), begins)?;
        let track = quarter.track(vehicle);
        let within = UtcMillis(start.0 - LEAD_MS)..UtcMillis(end.0 + PAUSE_MS / 2);
        let usual = track.iter().filter(|point| within.contains(&point.time));
        // The tank would be full again with each round.
        let round: Vec<Point> = usual.map(|point| Point { fuel_dl: None, ..*point }).collect();
        let odometers = || round.iter().filter_map(|point| point.odometer_m);
        let (first_m, last_m) = (odometers().next().unwrap_or(0), odometers().next_back().unwrap_or(0));
        let before = track.iter().rev().filter(|point| point.time < begins);
        let reached_m = before.filter_map(|point| point.odometer_m).next().unwrap_or(first_m);
        let period_ms = end.0 - start.0 + LEAD_MS + PAUSE_MS;
        (!round.is_empty()).then_some(Self {
            begins,
            round,
            period_ms,
            length_m: last_m.saturating_sub(first_m),
            odometer_ahead_m: reached_m.saturating_sub(first_m),
        })
    }

    /// When the round was driven that is driven again and again.
    pub(super) fn recorded(&self) -> (UtcMillis, UtcMillis) {
        let time = |point: Option<&Point>| point.map_or(self.begins, |point| point.time);
        (time(self.round.first()), time(self.round.last()))
    }

    /// The points from `from` to before `to`.
    pub(super) fn points(&self, from: UtcMillis, to: UtcMillis) -> Vec<Point> {
        let Some(first) = self.round.first() else { return Vec::new() };
        let number = |at: UtcMillis| (at.0 - self.begins.0).max(0) / self.period_ms;
        let rounds = number(from)..=number(to);
        let again = rounds.flat_map(|number| {
            let later_ms = self.begins.0 + number * self.period_ms - first.time.0;
            let rounds = u32::try_from(number).unwrap_or(0);
            let ahead_m = self.odometer_ahead_m.saturating_add(rounds.saturating_mul(self.length_m));
            self.round.iter().map(move |point| Point {
                time: UtcMillis(point.time.0 + later_ms),
                odometer_m: point.odometer_m.map(|metres| metres.saturating_add(ahead_m)),
                ..*point
            })
        });
        again.filter(|point| from.max(self.begins) <= point.time && point.time < to).collect()
    }
}

/// Departure and return of the last round before `before`: out of the depot, where the first trip begins, and back, under orders,
/// not too long.
fn last_round(trips: &[TrueTrip], before: UtcMillis) -> Option<(UtcMillis, UtcMillis)> {
    let trips: Vec<&TrueTrip> = trips.iter().take_while(|trip| trip.end < before).collect();
    let depot = trips.first()?.from;
    let mut rest = trips.as_slice();
    while let Some((back, _)) = rest.split_last() {
        let mut with_return = rest.iter().rev().take_while(|trip| {
            back.end.0 - trip.start.0 <= ROUND_MAX_MS && trip.has_order && !trip.is_private
        });
        let out = with_return.find(|trip| trip.from == depot);
        if let Some(out) = out.filter(|_| back.to == depot) {
            return Some((out.start, back.end));
        }
        rest = rest.split_last().map_or(&[], |(_, earlier)| earlier);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use motorpool_supervision::point::Position;

    #[test]
    fn a_round_is_the_last_that_comes_home_in_time() {
        let place = |number: i32| Position { lat_e7: number, lon_e7: 0 };
        let trip = |start: i64, end: i64, from: i32, to: i32| TrueTrip {
            start: UtcMillis(start * 60_000),
            end: UtcMillis(end * 60_000),
            from: place(from),
            to: place(to),
            distance_m: 1_000.0,
            is_private: false,
            has_order: true,
        };
        let trips = [
            trip(0, 20, 1, 2),
            trip(40, 60, 2, 3),
            trip(80, 100, 3, 1),
            // Five hours, and one that does not come home.
            trip(200, 210, 1, 2),
            trip(500, 510, 2, 1),
            trip(600, 610, 1, 4),
        ];
        let minutes = |minutes: i64| UtcMillis(minutes * 60_000);
        assert_eq!(last_round(&trips, minutes(1_000)), Some((minutes(0), minutes(100))));
        assert_eq!(last_round(&trips, minutes(90)), None);
    }

    #[test]
    fn rounds_follow_each_other_and_the_odometer_counts_on() {
        let point = |second: i64, odometer_m: u32| Point {
            odometer_m: Some(odometer_m),
            ..Point::new(UtcMillis(second * 1_000), Position::default())
        };
        let begins = UtcMillis(1_000_000);
        let patrol = Patrol {
            begins,
            round: vec![point(0, 100), point(60, 700)],
            period_ms: 100_000,
            length_m: 600,
            odometer_ahead_m: 5_000,
        };
        let seen: Vec<(i64, u32)> = patrol
            .points(UtcMillis(0), UtcMillis(1_160_000))
            .into_iter()
            .map(|point| (point.time.0, point.odometer_m.unwrap()))
            .collect();
        assert_eq!(seen, [(1_000_000, 5_100), (1_060_000, 5_700), (1_100_000, 5_700)]);
        // However it is asked for, it is the same.
        let mut parts = patrol.points(begins, UtcMillis(1_060_000));
        parts.extend(patrol.points(UtcMillis(1_060_000), UtcMillis(1_500_000)));
        assert_eq!(parts, patrol.points(begins, UtcMillis(1_500_000)));
    }
}
