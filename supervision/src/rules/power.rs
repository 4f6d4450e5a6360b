//! R10 断电拔线: the terminal fell silent or lost its power while the car was in use, and the car was elsewhere afterwards or had driven.
//!
//! Tunnels and cold starts never flag: a silence inside a trip that goes on is none, and one that began with the ignition off needs more
//! than a short way.

use super::asking::{SecondSigns, finish, is_worked_on, near_limit};
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Missing, Nature, Rule};
use crate::judge::{Draft, VehicleDay};
use crate::point::Signs;
use crate::register::Feed;
use crate::rules::params::R10;
use crate::trips::{EndReason, Gap, GapPlace, Segment, Trip};

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let gaps = day.gaps(day.from, day.to).filter(|gap| day.from <= gap.start && gap.start < day.to);
    out.extend(gaps.filter_map(|gap| judge_gap(day, gap)));
    out.extend(last_trip(day).and_then(|trip| still_silent(day, trip)));
}

/// What a silence shows.
#[derive(Clone, Copy, Debug)]
struct Shown {
    is_displaced: bool,
    /// The odometer counted more than the straight line by this, metres, when that is too much.
    unseen_m: Option<i64>,
    is_power_lost: bool,
    /// Not switched off when it fell silent.
    was_in_use: bool,
}

impl Shown {
    fn of(day: &VehicleDay<'_>, gap: &Gap) -> Self {
        let params = &day.settings.params.r10;
        let displaced = i64::from(gap.displacement_m);
        let unseen_m = gap.odometer_m.map(|odometer| i64::from(odometer) - displaced);
        // Switched off properly, then found elsewhere: the first fix after a cold start may be some way off.
        let displaced_limit = match gap.ignition_before {
            Some(false) => params.displaced_m.max(params.unseen_m),
            _ => params.displaced_m,
        };
        Self {
            is_displaced: displaced > i64::from(displaced_limit),
            unseen_m: unseen_m.filter(|unseen| *unseen > i64::from(params.unseen_m)),
            is_power_lost: gap.power_lost,
            was_in_use: gap.ignition_before != Some(false),
        }
    }

    /// How far off it was found, beside the limit where that is what asks.
    fn displacement(self, gap: &Gap, params: &R10) -> Measure {
        let displaced_m = i64::from(gap.displacement_m);
        if self.is_displaced {
            Measure::against("displaced_m", displaced_m, i64::from(params.displaced_m))
        } else {
            Measure::of("displaced_m", displaced_m)
        }
    }

    const fn asks(self, place: GapPlace) -> bool {
        match place {
            // The trip went on: the road between is longer than the straight line, and that is all.
            GapPlace::InTrip => self.is_power_lost,
            GapPlace::BetweenTrips | GapPlace::InStop => {
                self.is_displaced || self.unseen_m.is_some() || self.is_power_lost
            }
        }
    }
}

fn judge_gap(day: &VehicleDay<'_>, gap: &Gap) -> Option<Finding> {
    let params = &day.settings.params.r10;
    let silent_s = (gap.end.0 - gap.start.0).div_euclid(1_000);
    let shown = Shown::of(day, gap);
    let is_long = silent_s >= i64::from(params.silence_s);
    if !(is_long && shown.asks(gap.place)) || is_worked_on(day, gap.start, gap.end) {
        return None;
    }
    let moved = shown.is_displaced || shown.unseen_m.is_some();
    let signs = SecondSigns::of(day, gap.start, gap.end, Some(gap.to));
    // A lost supply without any sign that the car drove is a matter of the workshop.
    let is_conduct = (shown.is_displaced && shown.unseen_m.is_some())
        || (moved && signs.any())
        || (shown.is_power_lost && shown.was_in_use && signs.is_off_hours);
    let mut draft = Draft::new(Rule::R10, day, params)
        .aspect(if shown.is_power_lost { "power_lost" } else { "silence" })
        .nature(if is_conduct { Nature::Conduct } else { Nature::Equipment })
        .during(gap.start, gap.end)
        .at(gap.to)
        .measure(Measure::against("silent_s", silent_s, i64::from(params.silence_s)))
        .measure(shown.displacement(gap, params))
        .red_if(moved && signs.is_off_hours && signs.is_without_order);
    if let Some(unseen) = shown.unseen_m {
        draft = draft.measure(Measure::against("unseen_m", unseen, i64::from(params.unseen_m)));
    }
    let excuses = day.excuses(gap.start, gap.end, Some(gap.to));
    let draft = super::asking::excused(signs.note(draft), excuses);
    let draft = super::asking::excused(draft, near_limit(silent_s, i64::from(params.silence_s)));
    Some(draft.finish())
}

/// The last trip of the history, when it ended on this day because nothing more was heard.
fn last_trip<'a>(day: &VehicleDay<'a>) -> Option<&'a Trip> {
    match day.history.segments.last()? {
        Segment::Trip(trip) => Some(trip)
            .filter(|trip| trip.end_reason == EndReason::EndOfData)
            .filter(|trip| day.from <= trip.end && trip.end < day.to),
        _ => None,
    }
}

/// On the way, and not heard of since: a device work order until the car is heard of again.
fn still_silent(day: &VehicleDay<'_>, trip: &Trip) -> Option<Finding> {
    let params = &day.settings.params.r10;
    let silent_s = (day.history.known_to.0 - trip.end.0).div_euclid(1_000);
    let is_asked = silent_s >= i64::from(params.silence_s)
        && !was_left(day, trip)
        && !is_worked_on(day, trip.end, day.history.known_to);
    is_asked.then(|| {
        // How long it lasts is not measured: the finding must not change with every hour.
        let until = UtcMillis(trip.end.0.saturating_add(i64::from(params.silence_s) * 1_000));
        let draft = Draft::new(Rule::R10, day, params)
            .aspect("still_silent")
            .nature(Nature::Equipment)
            .during(trip.end, until)
            .at(trip.end_at)
            .measure(Measure::against("silent_s", i64::from(params.silence_s), i64::from(params.silence_s)));
        let lacking = !day.is_complete(Feed::DeviceWorks, trip.end, until);
        finish(draft, lacking.then_some(Missing::Feed { feed: Feed::DeviceWorks }).into_iter().collect())
    })
}

/// Whether the last that was heard is the ignition going off: a terminal that sleeps then, or stands where it finds no position, did
/// not fall silent on the way.
fn was_left(day: &VehicleDay<'_>, trip: &Trip) -> bool {
    let tells = day.points(trip.start, trip.end).iter().any(|point| point.ignition == Some(true));
    let last = day.points(trip.end, day.history.known_to).last();
    tells && last.is_some_and(|last| last.ignition == Some(false) && !last.signs.contains(Signs::POWER_LOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Colour;
    use crate::judge::testing::*;
    use crate::judge::{VehicleHistory, judge_vehicle};
    use crate::register::{DeviceWork, Versioned};

    const DAY: &str = "2026-04-08";

    /// Out at nine, silent at 09:20 until `until`, then `metres` further on, with so much on the odometer.
    fn silent(until: &str, metres: f64, odometer_m: u32) -> Scene {
        let mut scene = Scene::new();
        scene.order("甲1", "2026-04-08 08:50", "2026-04-08 18:00", place(5_000.0, 0.0));
        scene.drive("2026-04-08 09:00", "2026-04-08 09:20", place(5_000.0, 0.0));
        scene.silent_until(until, place(5_000.0 + metres, 0.0), odometer_m);
        scene
    }

    #[test]
    fn silence_with_displacement_is_a_device_work_order() {
        silent("2026-04-08 09:49:59", 1_000.0, 1_200).clear(Rule::R10, DAY);
        silent("2026-04-08 09:50", 500.0, 600).clear(Rule::R10, DAY);
        let found = silent("2026-04-08 09:50", 1_000.0, 1_200).flag(Rule::R10, DAY);
        assert_eq!((found.nature, found.colour), (Nature::Equipment, Colour::Yellow));
        assert_eq!(found.measures[0], Measure::against("silent_s", 1_800, 1_800));
    }

    #[test]
    fn with_miles_that_nobody_saw_it_is_about_conduct() {
        let found = silent("2026-04-08 11:00", 1_000.0, 3_001).flag(Rule::R10, DAY);
        assert_eq!((found.nature, found.measure("unseen_m")), (Nature::Conduct, Some(2_001)));
        // Back at the same place: the odometer alone shows it.
        let back = silent("2026-04-08 11:00", 0.0, 2_001).flag(Rule::R10, DAY);
        assert_eq!(back.nature, Nature::Equipment);
    }

    #[test]
    fn without_an_order_at_night_it_is_red() {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 20:00", "2026-04-08 20:20", place(5_000.0, 0.0));
        scene.silent_until("2026-04-08 23:00", place(7_000.0, 0.0), 9_000);
        assert_eq!(scene.flag(Rule::R10, DAY).colour, Colour::Red);
    }

    #[test]
    fn on_call_or_with_orders_unknown_it_is_a_matter_of_the_workshop() {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 20:00", "2026-04-08 20:20", place(5_000.0, 0.0));
        scene.silent_until("2026-04-08 23:00", place(7_000.0, 0.0), 2_400);
        assert_eq!(scene.flag(Rule::R10, DAY).nature, Nature::Conduct);
        for scene in on_call(&scene) {
            let found = scene.flag(Rule::R10, DAY);
            assert_eq!((found.nature, found.colour), (Nature::Equipment, Colour::Yellow));
        }
    }

    #[test]
    fn tunnels_and_cold_starts_are_clear() {
        let mut tunnel = silent("2026-04-08 10:30", 9_000.0, 14_000);
        if let Some(Segment::Gap(gap)) = tunnel.segments.last_mut() {
            gap.place = GapPlace::InTrip;
        }
        tunnel.clear(Rule::R10, DAY);
        let mut cold = silent("2026-04-08 18:00", 1_500.0, 1_800);
        if let Some(Segment::Gap(gap)) = cold.segments.last_mut() {
            gap.ignition_before = Some(false);
        }
        cold.clear(Rule::R10, DAY);
    }

    #[test]
    fn a_terminal_that_sleeps_when_the_ignition_goes_off_was_not_cut_off() {
        let mut scene = Scene::new().until("2026-04-09 12:00");
        scene.drive("2026-04-08 09:00", "2026-04-08 09:20", place(5_000.0, 0.0)).end_reason =
            EndReason::EndOfData;
        let mut asks = |ignition: bool, signs: Signs| {
            let last = scene.points.last_mut().unwrap();
            (last.ignition, last.signs) = (Some(ignition), signs);
            let Scene { segments, points, known_to, .. } = &scene;
            let history = VehicleHistory { vehicle: CAR, segments, points, known_to: *known_to };
            let found = judge_vehicle(&scene.world(), history, date(DAY)..=date(DAY));
            found.iter().any(|finding| finding.rule == Rule::R10 && finding.aspect == "still_silent")
        };
        assert!(asks(true, Signs::default()));
        assert!(!asks(false, Signs::default()));
        assert!(asks(false, Signs::POWER_LOST));
    }

    #[test]
    fn work_on_the_device_excuses() {
        let mut scene = silent("2026-04-08 11:00", 1_000.0, 9_000);
        let work = DeviceWork {
            vehicle: CAR,
            from: at("2026-04-08 10:00"),
            to: at("2026-04-08 10:30"),
            ..DeviceWork::default()
        };
        scene.register.device_works.push(Versioned::first(1, at("2026-04-08 10:00"), work));
        scene.clear(Rule::R10, DAY);
    }
}
