//! R23 套牌换装: signs that the plate is also on another car, or the device in another car.
//!
//! One sign asks; two signs on a day are red. A single sign about the device is a work order (设备工单), not a suspicion of a person.

use super::R23;
use super::passage_elsewhere::passages_on;
use super::whereabouts::{metres, moved, plate, seconds, stood, target};
use crate::UtcMillis;
use crate::finding::{Colour, Finding, Measure, Missing, Nature, Outcome, Rule};
use crate::ids::DeviceId;
use crate::judge::{Draft, VehicleDay};
use crate::point::{Point, Position, Signs};
use crate::register::{Binding, Feed, Passage, StampKind, Versioned, VinReading};

/// How far the clocks of toll stations and car parks may be off, seconds.
const CLOCK_S: i64 = 300;
/// A fix further than this from the record says nothing about it, seconds.
const FIX_WITHIN_S: i64 = 6 * 3_600;
/// Characters of a vehicle identification number.
const VIN_CHARS: usize = 17;
/// A work order this long before or after the device was fitted is about that, seconds.
const WORK_NEAR_S: i64 = 86_400;

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    let mut found: Vec<_> = passages_on(day).filter_map(|passage| cloned_plate(day, passage)).collect();
    found.extend(other_vin(day));
    found.extend(day.world.bindings(day.id()).filter_map(|binding| moved_device(day, binding)));
    let signs = found.iter().filter(|finding| finding.outcome == Outcome::Flag).count();
    for finding in &mut found {
        if signs >= 2 && finding.outcome == Outcome::Flag {
            (finding.colour, finding.nature) = (Colour::Red, Nature::Conduct);
        }
    }
    findings.append(&mut found);
}

/// A record so far from the track that no car could have driven it, even if the other clock is off.
fn cloned_plate(day: &VehicleDay<'_>, passage: &Versioned<Passage>) -> Option<Finding> {
    let row = &passage.row;
    let at = row.stamp.at;
    // R15 asks for places and times that are lacking.
    let place = target(day, &row.place, at).ok().filter(|_| row.stamp.kind == StampKind::Transaction)?;
    let params = &day.settings.params.r23;
    let legs = known_around(day, at).into_iter().filter_map(|known| {
        let place_m = metres(place.distance_m(day.world.zones(), known.1)?);
        let time_s = seconds(known.0.min(at), known.0.max(at)) + CLOCK_S;
        // Metres in seconds, as km/h.
        Some((place_m.saturating_mul(36) / (time_s * 10), place_m, known))
    });
    // Either way, from the last known place or to the next, makes the record impossible.
    let (needed_kmh, place_m, known) = legs.max_by_key(|(needed_kmh, ..)| *needed_kmh)?;
    if needed_kmh <= i64::from(params.possible_kmh) {
        return None;
    }
    let draft = draft(day, params, "cloned_plate")
        .during(at.min(known.0), at.max(known.0))
        .at(known.1)
        .measure(Measure::against("needed_kmh", needed_kmh, i64::from(params.possible_kmh)))
        .measure(Measure::of("distance_m", place_m))
        .word("place", row.place.text.clone());
    Some(match place.zone() {
        Some(zone) => draft.zone(day, zone).finish(),
        None => draft.finish(),
    })
}

/// Where the car was last known before and first known after `at`, and when.
fn known_around(day: &VehicleDay<'_>, at: UtcMillis) -> Vec<(UtcMillis, Position)> {
    if let Some(stop) = stood(day, at, at) {
        return vec![(at, stop.at)];
    }
    let believed = |point: &&Point| point.is_usable() && !point.signs.contains(Signs::CLOCK_SUSPECT);
    let before = day.points(moved(at, -FIX_WITHIN_S), at).iter().rfind(believed);
    let after = day.points(at, moved(at, FIX_WITHIN_S)).iter().find(believed);
    [before, after].into_iter().flatten().map(|point| (point.time, point.at)).collect()
}

/// The first reading of the day that is not the number in the register.
fn other_vin(day: &VehicleDay<'_>) -> Option<Finding> {
    let own = normalised(&day.vehicle.row.vin);
    let mut readings = day.world.vin_readings(day.id()).filter(|reading| {
        let is_today = day.from <= reading.row.at && reading.row.at < day.to;
        is_today && normalised(&reading.row.vin).len() == VIN_CHARS && normalised(&reading.row.vin) != own
    });
    let reading = readings.next()?;
    let VinReading { at, vin, .. } = &reading.row;
    if works_on(day, reading.row.device, *at) {
        return None;
    }
    let draft = draft(day, &day.settings.params.r23, "other_vin")
        .nature(Nature::Equipment)
        .during(*at, *at)
        .word("read", normalised(vin))
        .word("registered", own.clone());
    if own.len() != VIN_CHARS {
        return Some(draft.undecidable(Missing::Field { name: "vehicle.vin".into() }).finish());
    }
    Some(draft.finish())
}

fn normalised(vin: &str) -> String {
    vin.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// A device fitted on this day that was in another car before, with no work order.
fn moved_device(day: &VehicleDay<'_>, binding: &Versioned<Binding>) -> Option<Finding> {
    let fitted = binding.valid.from;
    if fitted < day.from || day.to <= fitted || !binding.row.work_order.is_empty() {
        return None;
    }
    let device = binding.row.device;
    let earlier = day.world.register().bindings.iter().filter(|other| {
        other.row.device == device && other.row.vehicle != day.id() && other.valid.from < fitted
    });
    let last = earlier.max_by_key(|other| (other.valid.from, other.id, other.version))?;
    if works_on(day, device, fitted) {
        return None;
    }
    let draft = draft(day, &day.settings.params.r23, "moved_device")
        .nature(Nature::Equipment)
        .during(fitted, fitted)
        .word("was_in", plate(day.world, last.row.vehicle, fitted));
    if !day.is_complete(Feed::DeviceWorks, fitted, fitted) {
        return Some(draft.undecidable(Missing::Feed { feed: Feed::DeviceWorks }).finish());
    }
    Some(draft.finish())
}

/// Whether there is a work order on the device about that time, in whichever car.
fn works_on(day: &VehicleDay<'_>, device: DeviceId, at: UtcMillis) -> bool {
    day.world.register().device_works.iter().any(|work| {
        work.row.device == device
            && moved(work.row.from, -WORK_NEAR_S) <= at
            && at <= moved(work.row.to, WORK_NEAR_S)
    })
}

fn draft(day: &VehicleDay<'_>, params: &R23, aspect: &'static str) -> Draft {
    Draft::new(Rule::R23, day, params)
        .aspect(aspect)
        .with(|finding| finding.excuses.extend(day.excuses(finding.from, finding.to, None)))
}

#[cfg(test)]
mod tests {
    use crate::UtcMillis;
    use crate::finding::{Colour, Finding, Missing, Nature, Rule};
    use crate::ids::{DeviceId, VehicleId};
    use crate::judge::testing::{CAR, Scene, at, place};
    use crate::register::{Binding, DeviceWork, Feed, Span, Versioned, VinReading};

    const DAY: &str = "2026-04-07";
    const OWN: &str = "LSVAA4182E2000001";

    fn read(scene: &mut Scene, vin: &str) {
        scene.register.vehicles[0].row.vin = OWN.to_owned();
        let reading =
            VinReading { device: DeviceId(5), vehicle: CAR, at: at("2026-04-07 09:00"), vin: vin.to_owned() };
        scene.register.vin_readings.push(Versioned::first(1, UtcMillis(0), reading));
    }

    /// The device was in car 9 until the day, and is in this car from 10:00 on.
    fn move_device(scene: &mut Scene) {
        let moved = at("2026-04-07 10:00");
        for (id, vehicle, span) in
            [(1, VehicleId(9), Span::new(UtcMillis(0), moved)), (2, CAR, Span { from: moved, to: None })]
        {
            let binding = Binding { device: DeviceId(5), vehicle, is_primary: true, ..Binding::default() };
            scene.register.bindings.push(Versioned::first(id, UtcMillis(0), binding).during(span));
        }
    }

    fn work(scene: &mut Scene) {
        let (from, to) = (at("2026-04-06 15:00"), at("2026-04-06 16:00"));
        let work = DeviceWork { device: DeviceId(5), vehicle: CAR, from, to, ..DeviceWork::default() };
        scene.register.device_works.push(Versioned::first(1, UtcMillis(0), work));
    }

    fn signs(scene: &Scene) -> Vec<(String, Colour, Nature)> {
        let found = scene.found(Rule::R23, DAY).into_iter();
        found.map(|finding: Finding| (finding.aspect.into_owned(), finding.colour, finding.nature)).collect()
    }

    #[test]
    fn a_record_that_no_car_could_have_driven_to() {
        // The car stands in its depot; 5 minutes at 150 km/h are 12.5 km.
        for (east_m, found) in [(12_490.0, 0), (12_600.0, 1)] {
            let mut scene = Scene::new();
            scene.passage("2026-04-07 12:00", place(east_m, 0.0));
            assert_eq!(signs(&scene).len(), found, "{east_m}");
        }
    }

    #[test]
    fn two_signs_are_red() {
        let mut scene = Scene::new();
        scene.passage("2026-04-07 12:00", place(40_000.0, 0.0));
        assert_eq!(signs(&scene), [("cloned_plate".to_owned(), Colour::Yellow, Nature::Conduct)]);
        scene.passage("2026-04-07 15:00", place(-40_000.0, 0.0));
        assert_eq!(signs(&scene).iter().filter(|sign| sign.1 == Colour::Red).count(), 2);
    }

    #[test]
    fn another_number_in_the_car_is_a_work_order() {
        let mut scene = Scene::new();
        read(&mut scene, "LSVAA4182E2000002");
        assert_eq!(signs(&scene), [("other_vin".to_owned(), Colour::Yellow, Nature::Equipment)]);
        work(&mut scene);
        assert_eq!(signs(&scene), []);
        let mut same = Scene::new();
        read(&mut same, " lsvaa4182e2000001 ");
        assert_eq!(signs(&same), []);
        let mut garbled = Scene::new();
        read(&mut garbled, "LSVAA");
        assert_eq!(signs(&garbled), []);
    }

    #[test]
    fn a_car_without_a_number_in_the_register_is_asked_about() {
        let mut scene = Scene::new();
        read(&mut scene, "LSVAA4182E2000002");
        scene.register.vehicles[0].row.vin.clear();
        let missing = [Missing::Field { name: "vehicle.vin".into() }];
        assert_eq!(scene.undecidable(Rule::R23, DAY).missing, missing);
    }

    #[test]
    fn a_device_from_another_car_needs_a_work_order() {
        let mut scene = Scene::new();
        move_device(&mut scene);
        assert_eq!(signs(&scene), [("moved_device".to_owned(), Colour::Yellow, Nature::Equipment)]);
        let mut on_paper = scene.clone();
        on_paper.register.bindings[1].row.work_order = "装2026-1".to_owned();
        assert_eq!(signs(&on_paper), []);
        let mut lacking = scene.clone();
        lacking.incomplete(Feed::DeviceWorks);
        let missing = [Missing::Feed { feed: Feed::DeviceWorks }];
        assert_eq!(lacking.undecidable(Rule::R23, DAY).missing, missing);
        work(&mut scene);
        assert_eq!(signs(&scene), []);
    }

    #[test]
    fn a_moved_device_and_another_number_together_are_red() {
        let mut scene = Scene::new();
        move_device(&mut scene);
        read(&mut scene, "LSVAA4182E2000002");
        assert!(signs(&scene).iter().all(|sign| (sign.1, sign.2) == (Colour::Red, Nature::Conduct)));
        assert_eq!(signs(&scene).len(), 2);
    }
}
