//! R23 套牌换装: signs that the plate is also on another car, or the device in another car.
//!
//! One sign asks; two signs on a day are red. A single sign about the device is a work order (设备工单), not a suspicion of a person.

use super::R23;
use super::passage_elsewhere::passages_on;
use super::whereabouts::{metres, seconds, target};
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
    if let Some(stop) = day.stops(at, at).next() {
        return vec![(at, stop.at)];
    }
    let believed = |point: &&Point| point.is_usable() && !point.signs.contains(Signs::CLOCK_SUSPECT);
    let reach = FIX_WITHIN_S * 1_000;
    let before = day.points(UtcMillis(at.0.saturating_sub(reach)), at).iter().rfind(believed);
    let after = day.points(at, UtcMillis(at.0.saturating_add(reach))).iter().find(believed);
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
    let other = last.row.vehicle;
    let plate =
        day.world.vehicle(other, fitted).map_or_else(|| other.to_string(), |row| row.row.plate.clone());
    let draft = draft(day, &day.settings.params.r23, "moved_device")
        .nature(Nature::Equipment)
        .during(fitted, fitted)
        .word("was_in", plate);
    if !day.is_complete(Feed::DeviceWorks, fitted, fitted) {
        return Some(draft.undecidable(Missing::Feed { feed: Feed::DeviceWorks }).finish());
    }
    Some(draft.finish())
}

/// Whether there is a work order on the device about that time, in whichever car.
fn works_on(day: &VehicleDay<'_>, device: DeviceId, at: UtcMillis) -> bool {
    day.world.register().device_works.iter().any(|work| {
        work.row.device == device
            && work.row.from.0.saturating_sub(WORK_NEAR_S * 1_000) <= at.0
            && at.0 <= work.row.to.0.saturating_add(WORK_NEAR_S * 1_000)
    })
}

fn draft(day: &VehicleDay<'_>, params: &R23, aspect: &'static str) -> Draft {
    Draft::new(Rule::R23, day, params)
        .aspect(aspect)
        .with(|finding| finding.excuses.extend(day.excuses(finding.from, finding.to, None)))
}
