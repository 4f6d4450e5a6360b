//! Which of two fixes is the newer one: a total order on their content, so that arrival does not matter.

use std::cmp::Ordering;

use motorpool_protocols::{Fix, Quality, UtcMillis};

use super::Place;

/// 2000-01-02T00:00:00Z: no clock before it is believed.
const CLOCK_MIN_MS: i64 = 946_771_200_000;
/// How far a clock may be ahead of the server.
const CLOCK_AHEAD_MAX_MS: i64 = 86_400_000;

/// Whether the clock that made `fix_time` is believed (invariant 7), judged already or not.
pub(super) const fn is_believed(fix: &Fix, received_at: UtcMillis) -> bool {
    const NO_CLOCK: u16 = Quality::CLOCK_SUSPECT.0 | Quality::TIME_INVALID.0;
    fix.quality.0 & NO_CLOCK == 0
        && fix.fix_time.0 >= CLOCK_MIN_MS
        && fix.fix_time.0 <= received_at.0.saturating_add(CLOCK_AHEAD_MAX_MS)
}

/// Whether `fix` takes the place of `last`.
pub(super) fn is_newer(fix: &Fix, last: &Fix) -> bool {
    match fix.fix_time.cmp(&last.fix_time) {
        Ordering::Greater => true,
        Ordering::Less => false,
        // Rare: two solutions of one second, or the same one again out of a terminal's memory.
        Ordering::Equal => content_key(fix) > content_key(last),
    }
}

/// The order of places.
pub(super) const fn place_key(place: Place) -> (i64, i32, i32) {
    (place.fix_time.0, place.lat_e7, place.lon_e7)
}

/// Orders fixes of one instant: a place beats none, a live report beats the same one out of memory, and the rest
/// is only there to make the order total.
fn content_key(fix: &Fix) -> impl Ord + use<> {
    let live = !fix.quality.contains(Quality::BACKFILL);
    let motion = (fix.altitude_m, fix.speed_dkmh, fix.course_deg);
    let bits = (fix.status.0, fix.alarms.0, fix.quality.0);
    let items =
        (fix.satellites, fix.signal, fix.odometer_m, fix.fuel_dl, fix.vehicle_speed_dkmh, fix.engine_rpm);
    (fix.has_place(), live, fix.lat_e7, fix.lon_e7, motion, bits, items)
}
