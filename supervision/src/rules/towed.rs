//! R20 非法位移: the car moved with its ignition off.

use super::asking::{SecondSigns, about_trip, excused, is_worked_on, near_limit};
use crate::finding::{Finding, Measure, Nature, Rule};
use crate::judge::{LOOK_BACK_DAYS, Matched, VehicleDay};
use crate::point::{Point, Signs};
use crate::trips::StartReason;

/// Fewer fixes show nothing.
const FIXES_MIN: usize = 3;

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let params = &day.settings.params.r20;
    for matched in &day.trips {
        let trip = matched.trip;
        let straight = super::whole(trip.start_at.distance_m(trip.end_at));
        let limit = i64::from(params.moved_m);
        if straight <= limit || !has_ignition_wire(day, matched) {
            continue;
        }
        let points = day.points(trip.start, trip.end);
        if !is_off_throughout(points) || is_worked_on(day, trip.start, trip.end) {
            continue;
        }
        let is_reported = points.iter().any(|point| point.signs.contains(Signs::ILLEGAL_DISPLACEMENT));
        let signs = SecondSigns::of(day, trip.start, trip.end, Some(trip.end_at));
        let draft = about_trip(Rule::R20, day, matched, params)
            .nature(if signs.any() { Nature::Conduct } else { Nature::Equipment })
            .measure(Measure::against("moved_m", straight, limit));
        let draft = if is_reported { draft.word("sign", "illegal_displacement") } else { draft };
        let draft = excused(signs.note(draft), near_limit(straight, limit));
        out.push(draft.finish());
    }
}

/// Whether the ignition was off at every fix, and nothing shows that the engine ran.
fn is_off_throughout(points: &[Point]) -> bool {
    let is_off = |point: &Point| {
        point.ignition == Some(false)
            && point.engine_rpm.unwrap_or(0) == 0
            && point.vehicle_speed_dkmh.unwrap_or(0) == 0
    };
    points.len() >= FIXES_MIN && points.iter().all(is_off)
}

/// Whether the terminal is wired to the ignition: it began another trip with it. A terminal that always says "off" is not, whatever it
/// reports.
fn has_ignition_wire(day: &VehicleDay<'_>, matched: &Matched<'_>) -> bool {
    let start = matched.trip.start.0;
    let first = start.saturating_sub(LOOK_BACK_DAYS * 86_400_000);
    day.past.iter().map(|past| past.trip).any(|past| {
        first <= past.start.0 && past.start.0 < start && past.start_reason == StartReason::IgnitionOn
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::*;
    use crate::register::{Repair, Stamp, Versioned};

    const DAY: &str = "2026-04-08";

    /// A normal trip the day before, then a move of so many metres with the ignition off.
    fn towed(metres: f64, wired: bool) -> Scene {
        let mut scene = Scene::new();
        scene.drive("2026-04-07 09:00", "2026-04-07 09:20", DEPOT_AT).start_reason =
            if wired { StartReason::IgnitionOn } else { StartReason::Displacement };
        scene.order("甲1", "2026-04-08 08:50", "2026-04-08 18:00", place(metres, 0.0));
        scene.drive("2026-04-08 10:00", "2026-04-08 10:10", place(metres, 0.0)).start_reason =
            StartReason::Displacement;
        scene.points.iter_mut().for_each(|point| point.ignition = Some(false));
        scene
    }

    #[test]
    fn moving_with_the_ignition_off_is_a_device_work_order() {
        let found = towed(201.0, true).flag(Rule::R20, DAY);
        assert_eq!((found.nature, found.measure("moved_m")), (Nature::Equipment, Some(201)));
        towed(200.0, true).clear(Rule::R20, DAY);
        let mut alone = towed(2_000.0, true);
        alone.register.orders.clear();
        assert_eq!(alone.flag(Rule::R20, DAY).nature, Nature::Conduct);
        for scene in on_call(&alone) {
            assert_eq!(scene.flag(Rule::R20, DAY).nature, Nature::Equipment);
        }
    }

    #[test]
    fn a_terminal_without_the_wire_and_a_running_engine_are_clear() {
        towed(2_000.0, false).clear(Rule::R20, DAY);
        let mut running = towed(2_000.0, true);
        running.points.iter_mut().for_each(|point| point.engine_rpm = Some(900));
        running.clear(Rule::R20, DAY);
    }

    #[test]
    fn a_repair_excuses() {
        let mut scene = towed(2_000.0, true);
        let stamp = |text: &str| Stamp { at: at(text), ..Stamp::default() };
        let (from, to) = (stamp("2026-04-08 09:50"), Some(stamp("2026-04-08 17:00")));
        let repair = Repair { vehicle: CAR, from, to, ..Repair::default() };
        scene.register.repairs.push(Versioned::first(1, at("2026-04-08 09:50"), repair));
        scene.clear(Rule::R20, DAY);
    }
}
